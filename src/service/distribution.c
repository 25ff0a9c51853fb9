/*-------------------------------------------------------------------------
 * distribution.c
 *	  Parameters of a distribution from a column of a source.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "pg/env.h"
#include "pg/error.h"
#include "pg/scan.h"
#include "pg/settings.h"
#include "pg/source.h"
#include "service/distribution.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

static MlFitMethod
method_of(const char *word)
{
	static const char *const words[] = {[ML_FIT_MLE] = "mle", [ML_FIT_MAP] = "map", [ML_FIT_BAYES] = "bayes"};

	for (int m = ML_FIT_MLE; m <= ML_FIT_BAYES; m++)
	{
		if (strcmp(words[m], word) == 0)
			return (MlFitMethod) m;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("method must be one of mle|map|bayes, not \"%s\"", word)));
}

static int
prior_number(const MlFamily *family, const char *name, int length)
{
	for (int i = 0; i < ML_FIT_MAX_PRIOR && family->prior[i] != NULL; i++)
	{
		if ((int) strlen(family->prior[i]) == length && memcmp(family->prior[i], name, length) == 0)
			return i;
	}
	return -1;
}

static char *
prior_names(const MlFamily *family)
{
	char	   *names = pstrdup("");

	for (int i = 0; i < ML_FIT_MAX_PRIOR && family->prior[i] != NULL; i++)
		names = psprintf("%s%s%s", names, i > 0 ? ", " : "", family->prior[i]);
	return names;
}

/* All but a mean are positive. */
static double
checked_prior(const MlFamily *family, int number, double value)
{
	bool		any = strcmp(family->prior[number], "mean") == 0;

	if (isnan(value) || isinf(value) || (!any && value <= 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" of the prior must be %s", family->prior[number], any ? "a finite number" : "a number above 0")));
	return value;
}

static void
read_prior(const MlFamily *family, Jsonb *json, double *prior)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	int			number = -1;

	memcpy(prior, family->default_prior, sizeof(family->default_prior));
	if (json == NULL)
		return;
	if (!JB_ROOT_IS_OBJECT(json))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"prior\" must be a JSON object")));
	iterator = JsonbIteratorInit(&json->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			number = prior_number(family, value.val.string.val, value.val.string.len);
			if (number < 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("the prior of family \"%s\" has no \"%.*s\"", family->name, value.val.string.len, value.val.string.val),
						 family->prior[0] != NULL ? errhint("It has: %s.", prior_names(family)) : 0));
		}
		else if (token == WJB_VALUE)
		{
			if (value.type != jbvNumeric)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("\"%s\" of the prior must be a number", family->prior[number])));
			prior[number] = checked_prior(family, number, DatumGetFloat8(DirectFunctionCall1(numeric_float8, NumericGetDatum(value.val.numeric))));
		}
	}
}

/* The values that are there; the frame's column is theirs. */
static double *
values_of(MlEnv *env, const char *source_text, const char *column_name, size_t *n)
{
	MlSource   *source = ml_source_open(source_text);
	MlScanRoles roles = {.features_given = true, .features = list_make1(pstrdup(column_name))};
	MlScanPlan *plan = ml_scan_plan(source, &roles);
	MlFrame    *frame = ml_scan_run(plan, env);
	MlColumn   *column = frame->n_columns > 0 ? &frame->columns[0] : NULL;

	if (column == NULL || column->number == NULL || column->spec.elements > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" is not of numbers", column_name),
				 errhint("A distribution is fitted to a column of a numeric type or of booleans.")));
	*n = 0;
	for (size_t i = 0; i < frame->rows; i++)
	{
		if (!isnan(column->number[i]))
			column->number[(*n)++] = column->number[i];
	}
	return column->number;
}

MlFittedParameter *
ml_fit_column(const char *source, const char *column, const char *family_name, const char *method, Jsonb *prior, double level, int *count)
{
	MlEnv	   *env = ml_env_create(CurrentMemoryContext, (Size) ml_setting_max_training_memory * 1024, 1);
	MlFittedParameter *rows = palloc0(sizeof(MlFittedParameter) * ML_FIT_MAX_ROWS);
	MlFitMethod how = method_of(method);
	double		numbers[ML_FIT_MAX_PRIOR];
	const MlFamily *family;
	double	   *values;
	size_t		n;

	ml_check(env, ml_family_get(env, family_name, &family));
	if (!(level > 0 && level < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("level must lie between 0 and 1, not %g", level)));
	if (prior != NULL && how == ML_FIT_MLE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("maximum likelihood takes no prior"),
				 errhint("Use method \"map\" or \"bayes\".")));
	read_prior(family, prior, numbers);
	values = values_of(env, source, column, &n);
	ml_check(env, ml_distribution_fit(env, family, how, numbers, level, values, n, rows, count));
	ml_env_free(env);
	return rows;
}
