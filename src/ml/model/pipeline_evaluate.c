/*-------------------------------------------------------------------------
 * pipeline_evaluate.c
 *	  Judging an existing model on other rows.
 *-------------------------------------------------------------------------
 */
#include "ml/model/pipeline.h"

#include <math.h>

#include "ml/base/arena.h"
#include "ml/data/target.h"
#include "ml/model/judge.h"
#include "ml/model/segments.h"
#include "ml/model/weights.h"

/* Rows with a target, and what it says. */
static MlStatus
rows_with_target(MlEnv *env, const MlModel *model, const MlFrame *frame, const MlColumn *target, MlJudgeRows *rows)
{
	bool		classes = model->schema->task == ML_TASK_CLASSIFICATION;
	int32_t    *class_of = NULL;
	size_t	   *row = ml_alloc(env, frame->rows, sizeof(size_t));
	double	   *y = ml_alloc(env, frame->rows, sizeof(double));

	if (row == NULL || y == NULL)
		return env->error.status;
	ML_TRY(ml_target_check(env, target));
	if (classes)
		ML_TRY(ml_target_classes(env, target, frame->rows, model->schema, &class_of));
	else if (target->number == NULL)
		return ml_fail(env, ML_BAD_TYPE, "target column \"%s\" of type %s is not a number", target->spec.name, target->spec.type_name);
	for (size_t i = 0; i < frame->rows; i++)
	{
		double		v = classes ? class_of[i] : target->number[i];

		if (isnan(v) || (classes && v < 0))
			continue;
		row[rows->n] = i;
		y[rows->n++] = v;
	}
	rows->row = row;
	rows->y = y;
	ml_release(env, class_of);
	if (rows->n == 0)
	{
		ml_fail(env, ML_BAD_DATA, "no usable rows");
		ml_detail(env, "The source has %zu rows, none with a value of \"%s\".", frame->rows, target->spec.name);
		return ml_hint(env, "A model is judged on rows whose target is known.");
	}
	return ML_OK;
}

/* All of them, for a model without target. */
static MlStatus
all_rows(MlEnv *env, const MlFrame *frame, MlJudgeRows *rows)
{
	size_t	   *row = ml_alloc(env, frame->rows, sizeof(size_t));

	if (row == NULL)
		return env->error.status;
	for (size_t i = 0; i < frame->rows; i++)
		row[i] = i;
	rows->row = row;
	rows->n = frame->rows;
	if (rows->n > 0)
		return ML_OK;
	ml_fail(env, ML_BAD_DATA, "no usable rows");
	ml_detail(env, "The source has no rows.");
	return ml_hint(env, "Look at the table, or at what the query leaves out.");
}

MlStatus
ml_pipeline_evaluate(MlEnv *env, const MlModel *model, MlFrame *frame, MlPartMetrics *metrics, MlRocPoint **roc, size_t *n_roc)
{
	return ml_pipeline_evaluate_segments(env, model, NULL, frame, metrics, roc, n_roc);
}

MlStatus
ml_pipeline_evaluate_segments(MlEnv *env, const MlModel *model, const MlSegmentModels *segments, MlFrame *frame,
							  MlPartMetrics *metrics, MlRocPoint **roc, size_t *n_roc)
{
	const MlColumn *target = ml_frame_column(frame, ML_ROLE_TARGET);
	MlJudgeRows rows = {0};
	MlJudgeColumn *columns;
	double	   *weight;
	bool		has_target = ml_task_has_target(model->schema->task);

	if (target == NULL && has_target)
	{
		ml_fail(env, ML_NO_COLUMN, "the target column \"%s\" of the model does not exist", model->schema->target);
		return ml_hint(env, "A model is judged on rows whose target is known.");
	}
	ML_TRY(ml_judge_match(env, model, frame, &columns, NULL));
	if (has_target)
		ML_TRY(rows_with_target(env, model, frame, target, &rows));
	else
		ML_TRY(all_rows(env, frame, &rows));
	ML_TRY(ml_weights_gather(env, frame, rows.row, rows.n, &weight));
	if (segments != NULL)
		ML_TRY(ml_segments_answer(env, model, segments, frame, rows.row, rows.n, &rows.routed, NULL));
	rows.columns = columns;
	rows.weight = weight;
	return ml_judge(env, model, &rows, metrics, roc, n_roc);
}
