/*-------------------------------------------------------------------------
 * store.c
 *	  What a training run leaves behind, in the caller's transaction: the model if it
 *	  is new, the version, its image and figures, and its deployment.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/snapmgr.h"

#include "catalog/catalog.h"
#include "catalog/deployment.h"
#include "catalog/model.h"
#include "catalog/resolve.h"
#include "catalog/version.h"
#include "ml/data/split.h"
#include "service/train.h"

static const char *const part_names[] = {
	[ML_PART_TRAIN] = "train",
	[ML_PART_VALIDATION] = "validation",
	[ML_PART_TEST] = "test"
};

static int64
insert_version(const MlTrainRequest *request, const MlTrainOutcome *outcome, int64 model_id, int32 *number)
{
	MlVersion	version = {
		.model_id = model_id,
		.algorithm = request->algorithm,
		.task = ml_task_name(outcome->task),
		.params = request->params != NULL ? request->params : "{}",
		.n_features = outcome->n_features,
		.features = outcome->features,
		.target = request->target,
		.target_type = outcome->target_type,
		.n_classes = outcome->n_classes,
		.classes = outcome->classes,
		.rows = outcome->rows,
		.rows_without_target = outcome->rows_without_target,
		.rows_train = outcome->rows_part[ML_PART_TRAIN],
		.rows_validation = outcome->rows_part[ML_PART_VALIDATION],
		.rows_test = outcome->rows_part[ML_PART_TEST],
		.metric = outcome->metric,
		.score = outcome->score,
		.train_seconds = outcome->fit_seconds,
		.read_seconds = outcome->read_seconds,
		.peak_memory = outcome->peak_memory,
		.model_memory = outcome->model_memory,
		.predict_microseconds = outcome->predict_microseconds,
		.bytes = (int64) outcome->image_length,
		.checksum = outcome->checksum,
		.request = ml_train_request_json(request),
		.source_relation = outcome->relation,
		.n_source_columns = outcome->n_source_columns,
		.source_columns = outcome->source_columns,
		.source_query = outcome->relation == NULL ? request->source : NULL,
		.data_hash = outcome->data_hash,
		.snapshot = outcome->snapshot,
		.blas = outcome->blas,
		.parent_version = request->parent_version,
		.job = request->job,
		.n_warnings = outcome->n_warnings,
		.warnings = outcome->warnings,
		.note = request->note,
		.n_segment_columns = outcome->n_segment_columns,
		.segment_by = outcome->segment_by,
		.segment_kinds = outcome->segment_kinds
	};

	return ml_version_insert(&version, number);
}

static void
insert_figures(const MlTrainOutcome *outcome, int64 version_id)
{
	for (int part = 0; part < 3; part++)
	{
		ml_version_add_metrics(version_id, part_names[part], outcome->n_metrics[part], outcome->metrics[part]);
		if (outcome->confusion[part] != NULL)
			ml_version_add_confusion(version_id, part_names[part], outcome->n_classes, outcome->classes, outcome->confusion[part]);
	}
	ml_version_add_roc(version_id, outcome->n_roc, outcome->roc);
	ml_version_add_history(version_id, outcome->n_history, outcome->history);
}

/*
 * Whether the new version beats the one in production, which was judged on the
 * same rows.  A tie keeps the old one.  *why says what kept it.
 */
static bool
is_better(const MlTrainRequest *request, const MlTrainOutcome *outcome, int64 production, char **why)
{
	if (production == 0)
		return true;
	if (production != request->rival_version_id)
	{
		*why = psprintf("not deployed: version %d was put into production while this one was trained", ml_version_number(production));
		return false;
	}
	if (outcome->rival_version == 0)
	{
		*why = psprintf("not deployed: version %d in production could not be judged on the new rows", request->rival_version);
		return false;
	}
	if (!isnan(outcome->score) && (isnan(outcome->rival_score) || outcome->score > outcome->rival_score))
		return true;
	*why = psprintf("not deployed: %s is %.6g, and %.6g for version %d in production, on the same rows",
					outcome->metric, outcome->score, outcome->rival_score, outcome->rival_version);
	return false;
}

/* Puts the version into production if request->deploy says so; returns a warning or NULL. */
static char *
deploy_by_rule(const MlTrainRequest *request, const MlTrainOutcome *outcome,
			   int64 model_id, bool created, int64 version_id, int32 version)
{
	const char *rule = request->deploy;
	char	   *why = NULL;

	if (strcmp(rule, "first") == 0)
	{
		if (!created)
			return NULL;
	}
	else if (strcmp(rule, "if_better") == 0)
	{
		if (!is_better(request, outcome, ml_deployment_read(model_id, ML_PRODUCTION), &why))
			return why;
	}
	else if (strcmp(rule, "always") != 0)
		return NULL;

	ml_catalog_push_snapshot();
	ml_model_require_id(model_id, request->model, ML_PRIVILEGE_DEPLOY, GetActiveSnapshot());
	PopActiveSnapshot();
	ml_deployment_set(model_id, ML_PRODUCTION, version_id, version, "deploy", request->note);
	return NULL;
}

static MlTrainReport *
make_report(const MlTrainRequest *request, const MlTrainOutcome *outcome, int32 version, char *warning)
{
	MlTrainReport *report = palloc0(sizeof(MlTrainReport));

	report->model = pstrdup(request->model);
	report->version = version;
	report->task = pstrdup(ml_task_name(outcome->task));
	report->algorithm = pstrdup(request->algorithm);
	report->rows = outcome->rows;
	report->features = outcome->n_features;
	report->metric = outcome->metric;
	report->score = outcome->score;
	report->seconds = rint((outcome->read_seconds + outcome->fit_seconds) * 1e6) / 1e6;
	report->warnings = palloc(sizeof(char *) * (outcome->n_warnings + 1));
	for (int i = 0; i < outcome->n_warnings; i++)
		report->warnings[report->n_warnings++] = outcome->warnings[i];
	if (warning != NULL)
		report->warnings[report->n_warnings++] = warning;
	return report;
}

MlTrainReport *
ml_train_store(const MlTrainRequest *request, const MlTrainOutcome *outcome)
{
	bool		created;
	int64		model_id;
	int64		version_id;
	int32		version;
	char	   *warning;

	model_id = ml_model_obtain(request->model, NULL, &created);
	version_id = insert_version(request, outcome, model_id, &version);
	ml_version_add_image(version_id, outcome->image, outcome->image_length);
	ml_segment_add(version_id, outcome->checksum, outcome->n_segment_columns, outcome->n_segments, outcome->segments);
	insert_figures(outcome, version_id);
	warning = deploy_by_rule(request, outcome, model_id, created, version_id, version);
	CommandCounterIncrement();
	return make_report(request, outcome, version, warning);
}
