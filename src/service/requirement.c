/*-------------------------------------------------------------------------
 * requirement.c
 *	  The "require" argument of ml_deploy: {"auc": ">= 0.8", "logloss": "< 0.4"}
 *	  against what was measured on a version's test part (of a model without target: where there is none, on all its rows).
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/float.h"

#include "catalog/version.h"
#include "service/registry.h"

typedef struct Requirement
{
	char	   *metric;
	char	   *text;			/* as written */
	char		operator[3];
	double		bound;
} Requirement;

static void
report_unreadable(const char *metric, const char *text)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("requirement for \"%s\" cannot be read: %s", metric, text),
			 errhint("Write a comparison as a string, for example {\"auc\": \">= 0.8\"}.")));
}

/* ">= 0.8" -> operator and bound. */
static void
parse_comparison(Requirement *requirement)
{
	const char *c = requirement->text;
	size_t		length;
	char	   *end;

	c += strspn(c, " ");
	length = strspn(c, "<>=");
	if (length == 0 || length > 2)
		report_unreadable(requirement->metric, requirement->text);
	memcpy(requirement->operator, c, length);
	requirement->operator[length] = '\0';
	if (strcmp(requirement->operator, ">=") != 0 && strcmp(requirement->operator, ">") != 0 &&
		strcmp(requirement->operator, "<=") != 0 && strcmp(requirement->operator, "<") != 0 &&
		strcmp(requirement->operator, "=") != 0)
		report_unreadable(requirement->metric, requirement->text);
	c += length;
	c += strspn(c, " ");
	if (strspn(c, "0123456789+-.eE") == 0)
		report_unreadable(requirement->metric, requirement->text);
	requirement->bound = strtod(c, &end);
	if (end == c || *(end + strspn(end, " ")) != '\0' || !isfinite(requirement->bound))
		report_unreadable(requirement->metric, requirement->text);
}

static bool
holds(const Requirement *requirement, double value)
{
	if (isnan(value))
		return false;			/* undefined meets nothing */
	switch (requirement->operator[0])
	{
		case '>':
			return requirement->operator[1] == '=' ? value >= requirement->bound : value > requirement->bound;
		case '<':
			return requirement->operator[1] == '=' ? value <= requirement->bound : value < requirement->bound;
		default:
			return value == requirement->bound;
	}
}

static const MlMetric *
find_metric(const MlMetric *metrics, int count, const char *name)
{
	for (int i = 0; i < count; i++)
	{
		if (strcmp(metrics[i].name, name) == 0)
			return &metrics[i];
	}
	return NULL;
}

static void
report_no_metric(const char *metric, const char *model, int32 version, const MlMetric *metrics, int count)
{
	StringInfoData names;

	if (count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("version %d of model \"%s\" was not judged on a test part", version, model),
				 errdetail("It was trained without one, so no requirement can be checked."),
				 errhint("Train with a holdout, or deploy without \"require\".")));
	initStringInfo(&names);
	for (int i = 0; i < count; i++)
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "", metrics[i].name);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("version %d of model \"%s\" has no metric \"%s\"", version, model, metric),
			 errhint("Its metrics are: %s.", names.data)));
}

/* Adds to "unmet" what is wrong, nothing when the requirement holds. */
static void
check_one(const Requirement *requirement, const MlMetric *metric, StringInfo unmet)
{
	if (holds(requirement, metric->value))
		return;
	if (unmet->len > 0)
		appendStringInfoChar(unmet, ' ');
	if (isnan(metric->value))
		appendStringInfo(unmet, "Its %s is undefined, required is %s %s.", requirement->metric,
						 requirement->operator, float8out_internal(requirement->bound));
	else
		appendStringInfo(unmet, "Its %s is %s, required is %s %s.", requirement->metric,
						 float8out_internal(metric->value), requirement->operator, float8out_internal(requirement->bound));
}

/* On the test part; a model without target keeps no rows aside, so what it was trained on is what there is. */
static int
judged_metrics(int64 version_id, MlMetric **metrics)
{
	int			count = ml_version_metrics(version_id, "test", metrics);
	const MlMetricInfo *info;

	if (count > 0)
		return count;
	count = ml_version_metrics(version_id, "train", metrics);
	info = count > 0 ? ml_metric_find((*metrics)[0].name) : NULL;
	return info != NULL && (info->tasks & ML_TASKS_WITHOUT_TARGET) != 0 ? count : 0;
}

void
ml_requirement_check(Jsonb *require, const char *model, int64 version_id, int32 version)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	MlMetric   *metrics;
	int			count = judged_metrics(version_id, &metrics);
	Requirement requirement = {0};
	StringInfoData unmet;

	if (!JB_ROOT_IS_OBJECT(require))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"require\" must be a JSON object"),
				 errhint("Write for example {\"auc\": \">= 0.8\"}.")));
	initStringInfo(&unmet);
	iterator = JsonbIteratorInit(&require->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			requirement.metric = pnstrdup(value.val.string.val, value.val.string.len);
		if (token != WJB_VALUE)
			continue;
		if (value.type != jbvString)
			report_unreadable(requirement.metric, "it is no string");
		requirement.text = pnstrdup(value.val.string.val, value.val.string.len);
		parse_comparison(&requirement);
		if (find_metric(metrics, count, requirement.metric) == NULL)
			report_no_metric(requirement.metric, model, version, metrics, count);
		check_one(&requirement, find_metric(metrics, count, requirement.metric), &unmet);
	}
	if (unmet.len > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("version %d of model \"%s\" does not meet the requirements", version, model),
				 errdetail_internal("%s", unmet.data),
				 errhint("Nothing was deployed.")));
}
