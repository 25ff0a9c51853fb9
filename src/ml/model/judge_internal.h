/*-------------------------------------------------------------------------
 * judge_internal.h
 *	  Between the files that judge models.
 *-------------------------------------------------------------------------
 */
#ifndef ML_MODEL_JUDGE_INTERNAL_H
#define ML_MODEL_JUDGE_INTERNAL_H

#include <string.h>

#include "ml/model/judge.h"

/* A feature as an encoded row has it. */
static inline double
ml_judge_value(const MlJudgeColumn *c, size_t row)
{
	int32_t		code;

	if (c->number != NULL)
		return c->number[row];
	if (c->key != NULL)
		return (double) c->key[row];
	if (c->binned != NULL)
		return c->binned->value[c->binned->bin[row]];
	if (c->sparse != NULL)
		return ml_sparse_value(c->sparse, row);
	code = c->code[row];
	if (code < 0)
		return NAN;
	return c->code_of != NULL ? c->code_of[code] : code;
}

/* The i-th row to be judged, among all that there are. */
static inline size_t
ml_judge_row(const MlJudgeRows *rows, size_t i)
{
	return rows->row != NULL ? rows->row[i] : rows->first + i;
}

/* One feature of n rows from "first" on, of those to be judged. */
static inline void
ml_judge_values(const MlJudgeRows *rows, const MlJudgeColumn *column, size_t first, size_t n, double *x)
{
	if (rows->row == NULL && column->number != NULL)
	{
		memcpy(x, column->number + rows->first + first, n * sizeof(double));
		return;
	}
	if (rows->row == NULL && column->binned != NULL)
	{
		const uint8_t *bin = column->binned->bin + rows->first + first;

		for (size_t j = 0; j < n; j++)
			x[j] = column->binned->value[bin[j]];
		return;
	}
	if (rows->row == NULL && column->sparse != NULL)
	{
		ml_sparse_read(column->sparse, rows->first + first, n, x);
		return;
	}
	for (size_t j = 0; j < n; j++)
		x[j] = ml_judge_value(column, ml_judge_row(rows, first + j));
}

/* Rows i to i + n - 1, of p features, as ml_model_predict_batch() takes them. */
static inline void
ml_judge_block(const MlJudgeRows *rows, int p, size_t i, size_t n, double *x)
{
	for (int f = 0; f < p; f++)
		ml_judge_values(rows, &rows->columns[f], i, n, x + (size_t) f * ML_BATCH_ROWS);
}

/* ml_judge() of a model without target. */
extern MlStatus ml_judge_answers(MlEnv *env, const MlModel *model, const MlJudgeRows *rows, MlPartMetrics *metrics);

#endif							/* ML_MODEL_JUDGE_INTERNAL_H */
