/*-------------------------------------------------------------------------
 * train_check.c
 *	  Is a training request sound?  Asked before anything is read, so that a
 *	  mistake costs a millisecond and leaves no record of a run.
 *
 * Both ways of training ask here: a synchronous run in the session, an
 * asynchronous one when it is queued and again when it starts, for rights and tables may
 * have changed in between.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/model.h"
#include "catalog/resolve.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pg/env.h"
#include "pg/error.h"
#include "pg/settings.h"
#include "service/train_internal.h"
#include "service/transform.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/snapmgr.h"

/* What a check itself may allocate: parameters and messages. */
#define CHECK_MEMORY ((size_t) 16 * 1024 * 1024)

/* The planner may be wrong by such a factor behind joins and conditions, and before the first ANALYZE. */
#define DOUBTFUL_GUESS 100

/* Fewer rows make no model of any kind. */
#define ML_LEAST_SEGMENT_ROWS 2

static void
require(const char *value, const char *argument)
{
	if (value == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", argument)));
}

/* One of the words of a NULL-ended list. */
static void
require_word(const char *value, const char *argument, const char *const *words)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; words[i] != NULL; i++)
	{
		if (strcmp(value, words[i]) == 0)
			return;
		appendStringInfo(&list, "%s'%s'", i > 0 ? ", " : "", words[i]);
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for argument \"%s\": \"%.*s\"", argument, pg_mbcliplen(value, (int) strlen(value), 200), value),
			 errhint("Valid are: %s.", list.data)));
}

static void
check_shares(const MlTrainRequest *request)
{
	if (!(request->holdout >= 0 && request->holdout < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("holdout must be at least 0 and less than 1, not %g", request->holdout)));
	if (!(request->validation >= 0 && request->validation < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("validation must be at least 0 and less than 1, not %g", request->validation)));
	if (!(request->holdout + request->validation < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("holdout and validation together must be less than 1"),
				 errdetail("They are %g and %g; nothing would be left to train on.", request->holdout, request->validation)));
	if (isnan(request->max_seconds) || request->max_seconds < 0 || request->max_seconds > 1e9)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_seconds must be above 0 and at most 1000000000, not %g", request->max_seconds)));
}

/* split and split_by belong together. */
static void
check_split(const MlTrainRequest *request)
{
	static const char *const words[] = {"auto", "stratified", "random", "time", "group", "column", "none", NULL};
	bool		uses_column;

	require(request->split, "split");
	require_word(request->split, "split", words);
	uses_column = strcmp(request->split, "time") == 0 || strcmp(request->split, "group") == 0 ||
		strcmp(request->split, "column") == 0;
	if (uses_column && request->split_by == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("split => '%s' needs a column", request->split),
				 errhint("Name it with split_by.")));
	if (!uses_column && request->split_by != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("split => '%s' does not use split_by", request->split),
				 errhint("split_by belongs to the splits 'time', 'group' and 'column'.")));
}

void
ml_train_check_lists(const MlTrainRequest *request)
{
	if (list_length(request->segment_by) > ML_MAX_SEGMENT_COLUMNS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("segment_by names %d columns, at most %d are possible", list_length(request->segment_by), ML_MAX_SEGMENT_COLUMNS)));
	if (request->segment_by != NIL && request->segment_min_rows < ML_LEAST_SEGMENT_ROWS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("segment_min_rows must be at least %d, not %d", ML_LEAST_SEGMENT_ROWS, request->segment_min_rows)));
	if (request->features_given && request->features == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("features names no column"),
				 errhint("Leave it out to use every column that can be used.")));
}

static void
check_words(const MlTrainRequest *request)
{
	static const char *const deploys[] = {"first", "always", "never", "if_better", NULL};
	static const char *const class_weights[] = {"balanced", NULL};

	require(request->algorithm, "algorithm");
	require(request->source, "source");
	require(request->deploy, "deploy");
	require_word(request->deploy, "deploy", deploys);
	if (request->class_weight != NULL)
		require_word(request->class_weight, "class_weight", class_weights);
	ml_train_check_lists(request);
}

/* A list of numbers; false where it is anything else. */
static bool
set_list(MlEnv *env, MlParams *params, const char *name, const JsonbValue *value)
{
	JsonbContainer *list = value->type == jbvBinary ? value->val.binary.data : NULL;
	uint32		count;
	double	   *numbers;

	if (list == NULL || !JsonContainerIsArray(list) || JsonContainerIsScalar(list))
		return false;
	count = Min(JsonContainerSize(list), ML_PARAM_LIST_MAX + 1);
	numbers = palloc(sizeof(double) * Max(count, 1));
	for (uint32 i = 0; i < count; i++)
	{
		JsonbValue *element = getIthJsonbValueFromContainer(list, i);

		if (element->type != jbvNumeric)
			return false;
		numbers[i] = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(element->val.numeric)));
	}
	ml_check(env, ml_params_set_list(env, params, name, numbers, (int) count));
	pfree(numbers);
	return true;
}

/* Sets one hyper-parameter from its JSON value. */
static void
set_param(MlEnv *env, MlParams *params, const char *name, const JsonbValue *value)
{
	if (set_list(env, params, name, value))
		return;
	switch (value->type)
	{
		case jbvNumeric:
			ml_check(env, ml_params_set_number(env, params, name,
											   DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(value->val.numeric)))));
			break;
		case jbvBool:
			ml_check(env, ml_params_set_bool(env, params, name, value->val.boolean));
			break;
		case jbvString:
			ml_check(env, ml_params_set_text(env, params, name, pnstrdup(value->val.string.val, value->val.string.len)));
			break;
		default:

			/*
			 * Let the table speak first: an unknown name is the more helpful
			 * complaint, and a known one says what it wants.
			 */
			ml_check(env, ml_params_set_text(env, params, name, value->type == jbvNull ? "null" : "a list or an object"));
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("parameter \"%s\" must be a single value", name)));
	}
}

/* A parameter that methods of classification have in common. */
static void
set_semi_param(MlEnv *env, const MlMethod *method, MlParams *params, const char *name, const JsonbValue *value)
{
	if ((method->tasks & ML_TASK_CLASSIFICATION) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" is for classification, which algorithm \"%s\" does not do", name, method->name),
				 ml_task_has_target(method->tasks) ?
				 errhint("Rows without a target are left out.") :
				 errhint("Without a target all rows are used anyway.")));
	set_param(env, params, name, value);
}

/* A method learns from a target, or from the features alone. */
static void
check_target(const MlTrainRequest *request, const MlMethod *method)
{
	if (ml_task_has_target(method->tasks))
		require(request->target, "target");
	else if (request->target != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("algorithm \"%s\" learns without a target", method->name),
				 errdetail("It was given the target \"%s\".", request->target),
				 errhint("Leave the target out; exclude => '{%s}' keeps that column out of the features.", request->target)));
}

static MlTask
task_of(const MlMethod *method, const JsonbValue *value)
{
	char	   *word = value->type == jbvString ? pnstrdup(value->val.string.val, value->val.string.len) : "";
	MlTask		task = ml_task_find(word);

	if (strcmp(word, "auto") == 0)
		return 0;
	if (task == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"task\" must be one of auto|regression|classification|clustering|dimension_reduction|anomaly_detection")));
	if ((method->tasks & task) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("algorithm \"%s\" does not do %s", method->name, word)));
	return task;
}

void
ml_train_params(MlEnv *env, const MlTrainRequest *request, const MlMethod **method, MlParams **params, MlTask *task, MlSemi *semi)
{
	MlParams   *common;
	Jsonb	   *object;
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	value;

	*task = 0;
	ml_check(env, ml_method_get(env, request->algorithm, method));
	ml_check(env, ml_params_init(env, (*method)->params, params));
	(*params)->algorithm = (*method)->name;
	if ((*method)->tasks & ML_TASK_CLASSIFICATION)
		(*params)->common = ml_semi_params;
	ml_check(env, ml_params_init(env, ml_semi_params, &common));
	ml_check(env, ml_semi_read(env, common, semi));
	if (request->params == NULL)
		return;

	object = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(request->params)));
	if (!JB_ROOT_IS_OBJECT(object))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("params must be a JSON object"),
				 errhint("For example '{\"learning_rate\": 0.1}'.")));
	it = JsonbIteratorInit(&object->root);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		char	   *name;

		if (token != WJB_KEY)
			continue;
		name = pnstrdup(value.val.string.val, value.val.string.len);
		JsonbIteratorNext(&it, &value, true);	/* nested values come as one: no recursion */
		if (strcmp(name, "task") == 0)
			*task = task_of(*method, &value);
		else if (ml_semi_is_param(name))
			set_semi_param(env, *method, common, name, &value);
		else
			set_param(env, *params, name, &value);
	}
	ml_check(env, ml_semi_read(env, common, semi));
}

/*
 * The model that the run will add a version to, if it is there already: may the
 * current role do that, and is there a version to beat?
 */
static void
check_model(MlTrainRequest *request)
{
	int64		model_id;
	MlPrivilege held;
	MlPrivilege needed = ML_PRIVILEGE_TRAIN;
	MlResolved	production;

	ml_model_check_name(request->model);
	request->rival_version = 0;
	model_id = ml_model_find(request->model, NULL);
	if (model_id == 0)
		return;
	if (strcmp(request->deploy, "always") == 0 || strcmp(request->deploy, "if_better") == 0)
		needed = ML_PRIVILEGE_DEPLOY;
	held = ml_model_privilege(model_id, GetUserId(), GetActiveSnapshot());
	if (held < needed)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for model \"%s\"", request->model),
				 held < ML_PRIVILEGE_TRAIN ?
				 errhint("The model belongs to another role. Its owner can grant you \"train\"; another name makes a model of your own.") :
				 errhint("Putting a version into production needs the privilege \"deploy\"; deploy => 'never' does without.")));
	if (strcmp(request->deploy, "if_better") == 0 &&
		ml_resolve(request->model, GetActiveSnapshot(), &production) == ML_RESOLVED)
	{
		request->rival_version = production.version;
		request->rival_version_id = production.version_id;
	}
}

MlScanPlan *
ml_train_plan(const MlTrainRequest *request, MlSource *source, const MlTrainSpec *spec)
{
	MlScanRoles roles = {0};

	roles.target = request->target;
	roles.id = request->id;
	roles.weight = request->weight;
	roles.split_by = request->split_by;
	roles.split_is_category = request->split_by != NULL && strcmp(request->split, "time") != 0;
	roles.target_is_class = spec->task == ML_TASK_CLASSIFICATION;
	roles.boolean_is_number = spec->method->boolean_as_number != NULL && spec->method->boolean_as_number(spec->params);
	roles.segment_by = request->segment_by;
	roles.features = request->features;
	roles.features_given = request->features_given;
	roles.exclude = request->exclude;
	roles.row_hash = request->id == NULL && strcmp(request->split, "none") != 0 &&
		!(request->target == NULL && strcmp(request->split, "auto") == 0);
	roles.forms = ml_transform_forms(spec->prep, &roles.n_forms);
	roles.seed = (uint64) request->seed;
	return ml_scan_plan(source, &roles);
}

/*
 * What the run will take, by the planner's row estimate: the frame, what the
 * pipeline and the method add, and a little for names.
 */
size_t
ml_train_memory(const MlTrainSpec *spec, const MlScanPlan *plan, int threads)
{
	double		rows = Max(plan->estimated_rows, 1);
	MlBinRules	rules;
	double		frame;
	size_t		pipeline;

	if (rows > 1e15)
		return SIZE_MAX;
	frame = rows * (double) ml_scan_bytes_per_row(plan, ml_pipeline_takes_bins(spec, &rules));
	pipeline = ml_pipeline_memory(spec, plan->columns, plan->n_columns, (size_t) rows, threads);
	if (pipeline == SIZE_MAX || frame + (double) pipeline > 1e18)
		return SIZE_MAX;
	return (size_t) frame + pipeline;
}

void
ml_train_check_memory(const MlTrainSpec *spec, const MlScanPlan *plan, int threads)
{
	size_t		limit = (size_t) ml_setting_max_training_memory * 1024;
	size_t		needed = ml_train_memory(spec, plan, threads);

	/* A mere guess has to be far above the limit; nearer to it, the limit speaks while the rows arrive. */
	if (needed / (plan->rows_firm ? 1 : DOUBTFUL_GUESS) > limit)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("training would need about %.0f MB, more than mlplat.max_training_memory (%d MB) allows",
						needed / 1048576.0, ml_setting_max_training_memory / 1024),
				 errdetail("Estimated for %.0f rows of %d columns.", plan->estimated_rows, plan->n_columns),
				 errhint("Use fewer columns or a query with fewer rows, or have a superuser raise mlplat.max_training_memory. ANALYZE improves the estimate.")));
}

MlTrainSpec *
ml_train_spec(MlEnv *env, const MlTrainRequest *request)
{
	MlTrainSpec *spec = palloc0(sizeof(MlTrainSpec));
	MlSemi	   *semi = palloc0(sizeof(MlSemi));
	MlParams   *params;

	ml_train_params(env, request, &spec->method, &params, &spec->task, semi);
	spec->params = params;
	spec->semi = semi->kind != ML_SEMI_NONE ? semi : NULL;
	if (spec->semi != NULL && spec->task == ML_TASK_REGRESSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"semi_supervised\" is for classification, and \"task\" says regression"),
				 errhint("Leave one of them out.")));
	ml_check(env, ml_split_parse(env, request->split, &spec->split.kind));
	spec->split.holdout = request->holdout;
	spec->split.validation = request->validation;
	spec->split.seed = (uint64) request->seed;
	if (request->segment_by != NIL)
		spec->segment_min_rows = request->segment_min_rows;
	spec->prep = ml_transform_parse(env, request->transform);
	spec->balanced = request->class_weight != NULL;
	if (spec->balanced && (spec->method->tasks & ML_TASK_CLASSIFICATION) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("class_weight is for classification, which algorithm \"%s\" does not do", spec->method->name),
				 errhint("Leave it out, or name a column of weights with weight.")));
	return spec;
}

bool
ml_train_initial(const MlTrainSpec *spec, MlResolved *resolved)
{
	const char *reference = ml_params_model(spec->params);
	Snapshot	snapshot = GetActiveSnapshot();
	MlResolveResult result;

	if (reference == NULL)
		return false;
	result = ml_resolve(reference, snapshot, resolved);
	if (result != ML_RESOLVED)
		ml_resolve_report(result, reference);
	ml_model_require_id(resolved->model_id, resolved->name, ML_PRIVILEGE_READ, snapshot);
	return true;
}

MlSource *
ml_train_check(MlTrainRequest *request)
{
	MlEnv	   *env = ml_env_create(CurrentMemoryContext, CHECK_MEMORY, 1);
	MlTrainSpec *spec;
	MlSource   *source;
	MlScanPlan *plan;
	MlResolved	initial;

	check_words(request);
	check_shares(request);
	check_split(request);
	spec = ml_train_spec(env, request);
	ml_train_initial(spec, &initial);
	check_target(request, spec->method);
	source = ml_source_open(request->source);
	if (request->model == NULL)
		request->model = ml_source_default_model(source, request->target);
	check_model(request);
	plan = ml_train_plan(request, source, spec);
	if (spec->prep != NULL)
		ml_check(env, ml_prep_check(env, spec->prep, plan->columns, plan->n_columns, request->target != NULL));
	ml_train_check_memory(spec, plan, ml_setting_thread_count());
	ml_env_free(env);
	return source;
}
