/*-------------------------------------------------------------------------
 * judge.h
 *	  Predicts rows with the code that serves, and measures how good that was.
 *-------------------------------------------------------------------------
 */
#ifndef ML_MODEL_JUDGE_H
#define ML_MODEL_JUDGE_H

#include "ml/model/pipeline.h"

/* The most points of a ROC curve that are kept. */
#define ML_ROC_POINTS 1000

/* Where a feature's values are: one of number, key, code, binned and sparse. */
typedef struct MlJudgeColumn
{
	const double *number;
	const int64_t *key;
	const int32_t *code;
	const MlSparse *sparse;
	const int32_t *code_of;		/* code -> code of the model; NULL: the same */
	const MlBinned *binned;		/* of the run that the model is from: see MlDataColumn */
} MlJudgeColumn;

/* What other models have said; the n_out of their answers is that of the model judged. */
typedef struct MlRouted
{
	const bool *has;			/* by "first" and what follows, also where rows are given by "row" */
	const double *out;			/* as many times n_out */
} MlRouted;

typedef struct MlJudgeRows
{
	const MlJudgeColumn *columns;	/* one for each feature of the model */
	const size_t *row;			/* which rows; NULL: first, first + 1, ... */
	size_t		first;
	size_t		n;
	const double *y;			/* n values or class indexes; NULL for a task without target */
	const double *weight;		/* n, or NULL */
	const MlRouted *routed;		/* answers that other models give for some of the rows; NULL: none */
	double	   *keep;			/* n x n_out, the answers, for whoever wants them; NULL: nobody */
} MlJudgeRows;

/* Rows "first" to "first + n - 1" of an encoded data set. */
extern MlStatus ml_judge_columns(MlEnv *env, const MlDataset *data, MlJudgeColumn **columns);

/*
 * Finds the model's features among the columns of a frame, by name.  fits: all are there with
 * a type that can be used; when fits is NULL, that they are not is an error (ML_NO_COLUMN, ML_BAD_TYPE).
 */
extern MlStatus ml_judge_match(MlEnv *env, const MlModel *model, const MlFrame *frame, MlJudgeColumn **columns, bool *fits);

/* roc and n_roc may be NULL; they get points for two classes only.  Results do not depend on the number of threads. */
extern MlStatus ml_judge(MlEnv *env, const MlModel *model, const MlJudgeRows *rows, MlPartMetrics *metrics, MlRocPoint **roc, size_t *n_roc);

/* Answers for the rows, n x n_out, by this model alone; NULL with env->error set on failure. */
extern double *ml_judge_predict(MlEnv *env, const MlModel *model, const MlJudgeRows *rows);

/* Microseconds of one thread that the model takes for one of these rows, measured on at most a thousand of them; NaN without rows. */
extern MlStatus ml_judge_time(MlEnv *env, const MlModel *model, const MlJudgeRows *rows, double *microseconds);

/* The primary metric of the model, higher is better; NaN when undefined. */
extern double ml_judge_score(const MlModel *model, const MlPartMetrics *metrics);

#endif							/* ML_MODEL_JUDGE_H */
