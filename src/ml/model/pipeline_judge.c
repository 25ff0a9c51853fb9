/*-------------------------------------------------------------------------
 * pipeline_judge.c
 *	  What the new model and its rival say of the rows of a run.
 *-------------------------------------------------------------------------
 */
#include "ml/model/pipeline_internal.h"

#include <math.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/model/judge.h"
#include "ml/model/segments.h"

typedef struct MlPipeline Run;

/* Where a part begins in an array over the rows in use; NULL stays NULL. */
static const double *
part_of(const double *values, size_t first)
{
	return values == NULL ? NULL : values + first;
}

/* What judging the training part may cost, in seconds of one thread; and the least rows to judge. */
#define TRAIN_JUDGE_SECONDS 3.0
#define TRAIN_JUDGE_ROWS 1000

/* Where predictions are slow, every so-manieth row of the training part instead of all: its metrics are there for comparison only. */
static MlStatus
thin_train_rows(Run *run, MlJudgeRows *rows)
{
	MlEnv	   *env = run->env;
	const MlModel *model = run->result->model;
	double		seconds = ml_model_cost(model) * 1e-9 * (double) rows->n;
	size_t		n = (size_t) ((double) rows->n * TRAIN_JUDGE_SECONDS / (seconds + 1e-9));
	size_t	   *row;
	double	   *y;
	double	   *weight = NULL;

	n = n < TRAIN_JUDGE_ROWS ? TRAIN_JUDGE_ROWS : n;
	if (n >= rows->n || rows->keep != NULL || rows->routed != NULL)
		return ML_OK;
	row = ml_alloc(env, n, sizeof(size_t));
	y = ml_alloc(env, n, sizeof(double));
	if (rows->weight != NULL)
		weight = ml_alloc(env, n, sizeof(double));
	if (row == NULL || y == NULL || (rows->weight != NULL && weight == NULL))
		return env->error.status;
	for (size_t i = 0; i < n; i++)
	{
		size_t		at = (size_t) ((double) i / (double) n * (double) rows->n);

		row[i] = rows->first + at;
		y[i] = rows->y != NULL ? rows->y[at] : 0;
		if (weight != NULL)
			weight[i] = rows->weight[at];
	}
	ml_warn(env, "the training part was judged on %zu of its %zu rows, for a prediction takes about %.0f microseconds", n, rows->n, seconds / (double) rows->n * 1e6);
	rows->row = row;
	rows->y = rows->y != NULL ? y : NULL;
	rows->weight = weight;
	rows->n = n;
	return ML_OK;
}

/* What became of rows without a class stands beside the metrics of the training part. */
static void
report_semi(Run *run)
{
	MlPartMetrics *train = &run->result->part[ML_PART_TRAIN];
	MlReport	report = {.given = {false}};
	MlMetric	metrics[ML_MAX_METRICS];
	int			count;

	ml_report_put(&report, ML_METRIC_UNLABELLED_ROWS, (double) run->n_unlabelled);
	ml_report_put(&report, ML_METRIC_PSEUDO_LABELLED_ROWS, (double) run->result->rows_pseudo_labelled);
	ml_report_put(&report, ML_METRIC_SEMI_ITERATIONS, (double) run->result->semi_iterations);
	ml_report_metrics(&report, metrics, &count);
	for (int i = 0; i < count && train->count < ML_MAX_METRICS; i++)
		train->metrics[train->count++] = metrics[i];
}

MlStatus
ml_pipeline_judge(Run *run, const MlDataset *data)
{
	MlEnv	   *env = run->env;
	MlTrainResult *result = run->result;
	MlPart		scored = run->n_part[ML_PART_TEST] > 0 ? ML_PART_TEST : ML_PART_TRAIN;
	MlJudgeColumn *columns;

	ML_TRY(ml_judge_columns(env, data, &columns));
	for (int p = 0; p < 3; p++)
	{
		MlJudgeRows rows = {.columns = columns, .first = ml_pipeline_part_start(run, (MlPart) p), .n = run->n_part[p]};

		rows.y = part_of(run->y, rows.first);
		rows.weight = part_of(run->weight, rows.first);
		rows.routed = result->segments != NULL ? result->segments->routed : NULL;
		rows.keep = run->spec->predictions != NULL ? run->spec->predictions + rows.first * (size_t) result->model->n_out : NULL;
		if (p == (int) scored)
			ML_TRY(ml_judge_time(env, result->model, &rows, &result->predict_microseconds));
		if (p == ML_PART_TRAIN && ml_task_has_target(run->schema->task))
			ML_TRY(thin_train_rows(run, &rows));
		ML_TRY(ml_judge(env, result->model, &rows, &result->part[p],
						p == (int) scored ? &result->roc : NULL, p == (int) scored ? &result->n_roc : NULL));
		result->part[p].rows = run->n_part[p];
	}
	if (run->spec->semi != NULL)
		report_semi(run);
	if (scored == ML_PART_TRAIN && run->spec->part == NULL && ml_task_has_target(run->schema->task))
		ml_warn(env, "there is no test part: the score is that of the rows the model was trained on");
	result->metric = ml_primary_metric(run->schema->task, run->schema->n_classes);
	result->score = ml_judge_score(result->model, &result->part[scored]);
	if (isnan(result->score))
		ml_warn(env, "%s is undefined on the rows that were to judge the model (%zu of %zu)", result->metric, run->n_part[scored], run->n - run->n_unlabelled);
	return ML_OK;
}

/* The rival speaks of the same thing: same task and the same labels. */
static bool
same_target(const MlSchema *a, const MlSchema *b)
{
	if (a->task != b->task || a->n_classes != b->n_classes)
		return false;
	for (int32_t k = 0; k < a->n_classes; k++)
	{
		if (strcmp(a->classes[k], b->classes[k]) != 0)
			return false;
	}
	return true;
}

MlStatus
ml_pipeline_judge_rival(Run *run)
{
	const MlModel *rival = run->spec->rival;
	MlPart		part = run->n_part[ML_PART_TEST] > 0 ? ML_PART_TEST : ML_PART_TRAIN;
	size_t		first = ml_pipeline_part_start(run, part);
	MlJudgeRows rows = {.row = run->order + first, .n = run->n_part[part], .y = part_of(run->y, first)};
	MlPartMetrics metrics;
	MlJudgeColumn *columns;
	bool		fits;

	run->result->rival_score = NAN;
	if (rival == NULL || !same_target(rival->schema, run->schema))
		return ML_OK;
	ML_TRY(ml_judge_match(run->env, rival, run->frame, &columns, &fits));
	if (!fits)
		return ML_OK;
	if (run->spec->rival_segments != NULL)
		ML_TRY(ml_segments_answer(run->env, rival, run->spec->rival_segments, run->frame, rows.row, rows.n, &rows.routed, &fits));
	if (!fits)
		return ML_OK;
	rows.columns = columns;
	rows.weight = part_of(run->weight, first);
	ML_TRY(ml_judge(run->env, rival, &rows, &metrics, NULL, NULL));
	run->result->rival_judged = true;
	run->result->rival_score = ml_judge_score(rival, &metrics);
	return ML_OK;
}
