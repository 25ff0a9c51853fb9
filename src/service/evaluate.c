/*-------------------------------------------------------------------------
 * evaluate.c
 *	  How good a version is: as measured when it was trained, or on other rows now.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "catalog/figures.h"
#include "catalog/model.h"
#include "pg/env.h"
#include "pg/error.h"
#include "pg/scan.h"
#include "pg/settings.h"
#include "pg/source.h"
#include "service/evaluate.h"
#include "service/rowmap.h"

MlServed *
ml_serve_to_reader(const char *reference, MemoryContext owner)
{
	MlServed   *served = ml_serve(reference, owner);

	ml_model_require_id(served->resolved.model_id, served->resolved.name, ML_PRIVILEGE_READ, ml_serving_snapshot());
	return served;
}

static void
keep_metrics(MlEvaluation *evaluation, const MlMetric *metrics, int count)
{
	for (const MlMetricInfo *info = ml_metric_infos; info->name != NULL; info++)
	{
		for (int i = 0; i < count; i++)
		{
			if (strcmp(metrics[i].name, info->name) == 0 && evaluation->n_metrics < ML_MAX_METRICS)
			{
				MlMetric   *metric = &evaluation->metrics[evaluation->n_metrics++];

				metric->name = info->name;
				metric->value = metrics[i].value;
				metric->higher_is_better = info->higher_is_better;
			}
		}
	}
}

static void
read_stored(MlEvaluation *evaluation)
{
	const MlServed *served = evaluation->served;
	const MlSchema *schema = served->model->schema;
	int64		version_id = served->resolved.version_id;
	MlMetric   *metrics;
	MlRocPoint *roc;
	int			count = ml_figures_metrics(version_id, "test", &metrics);

	/* A model without target keeps no rows aside unless it is asked to. */
	if (count == 0 && !ml_task_has_target(schema->task))
		count = ml_figures_metrics(version_id, "train", &metrics);

	if (count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model \"%s\" was trained without a hold-out", served->name),
				 errhint("Name rows to judge it on, for example ml_evaluate(%s, 'table').  The view ml_metrics has what was measured on the training part.",
						 quote_literal_cstr(served->name))));
	keep_metrics(evaluation, metrics, count);
	if (schema->task == ML_TASK_CLASSIFICATION)
		evaluation->confusion = ml_figures_confusion(version_id, "test", schema->n_classes, schema->classes);
	evaluation->n_roc = ml_figures_roc(version_id, &roc);
	evaluation->roc = roc;
}

/* Texts that the model wants cut into words. */
static MlInputForm *
forms_of(const MlSchema *schema, int *count)
{
	MlInputForm *forms = palloc0(sizeof(MlInputForm) * Max(schema->n_features, 1));

	*count = 0;
	for (int f = 0; f < schema->n_features; f++)
	{
		if (schema->features[f].text == NULL || schema->features[f].element != 1)
			continue;
		forms[*count].column = schema->features[f].source_column;
		forms[(*count)++].tokens = &schema->features[f].text->tokens;
	}
	return forms;
}

/* Columns that the model reads, and its target in the form in which it was learnt. */
static void
roles_of(const MlServed *served, MlScanRoles *roles)
{
	const MlSchema *schema = served->model->schema;
	ListCell   *cell;

	roles->target = schema->target;
	/* Labels that are numbers are compared by value: 1 and 1.0 are the same class. */
	roles->target_is_class = schema->task == ML_TASK_CLASSIFICATION && schema->class_value == NULL;
	roles->boolean_is_number = schema->task == ML_TASK_REGRESSION && schema->target_logical == ML_LOGICAL_BOOLEAN;
	roles->features_given = true;
	roles->forms = forms_of(schema, &roles->n_forms);
	foreach(cell, ml_source_columns(schema))
		roles->features = lappend(roles->features, unconstify(char *, schema->features[lfirst_int(cell)].source_column));
	for (int i = 0; served->routing != NULL && i < served->routing->n_columns; i++)
		roles->segment_by = lappend(roles->segment_by, served->routing->name[i]);
}

static void
measure(MlEvaluation *evaluation, const char *source_text, MemoryContext owner)
{
	const MlModel *model = evaluation->served->model;
	MlEnv	   *env = ml_env_create(owner, (Size) ml_setting_max_training_memory * 1024, ml_setting_thread_count());
	MlScanRoles roles = {0};
	MlSource   *source;
	MlScanPlan *plan;
	MlPartMetrics *part = palloc0(sizeof(MlPartMetrics));
	MlRocPoint *roc = NULL;
	size_t		n_roc = 0;

	ml_serve_hasten(evaluation->served);
	source = ml_source_open(source_text);
	(void) ml_rowmap_create(evaluation->served, source->columns);	/* names and types fit as for a prediction */
	roles_of(evaluation->served, &roles);
	plan = ml_scan_plan(source, &roles);
	ml_check(env, ml_pipeline_evaluate_segments(env, model, ml_segments_load(env, &evaluation->served->resolved), ml_scan_run(plan, env),
												part, &roc, &n_roc));
	if (part->rows == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("no usable rows to judge model \"%s\" on", evaluation->served->name),
				 model->schema->target != NULL ? errdetail("Rows count that have a value in column \"%s\".", model->schema->target) : 0));
	keep_metrics(evaluation, part->metrics, part->count);
	evaluation->confusion = (const int64 *) part->confusion;
	evaluation->roc = roc;
	evaluation->n_roc = (int) n_roc;
}

MlEvaluation *
ml_evaluate_version(const char *reference, const char *source, MemoryContext owner)
{
	MemoryContext old = MemoryContextSwitchTo(owner);
	MlEvaluation *evaluation = palloc0(sizeof(MlEvaluation));

	if (source == NULL)
	{
		evaluation->served = ml_serve_to_reader(reference, owner);
		read_stored(evaluation);
	}
	else
	{
		evaluation->served = ml_serve(reference, owner);
		measure(evaluation, source, owner);
	}
	MemoryContextSwitchTo(old);
	return evaluation;
}
