/*-------------------------------------------------------------------------
 * metrics_internal.h
 *	  Between the files that compute metrics.
 *-------------------------------------------------------------------------
 */
#ifndef ML_EVAL_METRICS_INTERNAL_H
#define ML_EVAL_METRICS_INTERNAL_H

#include "ml/eval/metrics.h"

/*
 * A sum with the rounding error carried along (Neumaier 1974): millions of rows
 * cost no digits.
 */
typedef struct MlSum
{
	double		sum;
	double		lost;
} MlSum;

static inline void
ml_sum_add(MlSum *s, double v)
{
	double		t = s->sum + v;

	if ((s->sum < 0 ? -s->sum : s->sum) >= (v < 0 ? -v : v))
		s->lost += (s->sum - t) + v;
	else
		s->lost += (v - t) + s->sum;
	s->sum = t;
}

static inline double
ml_sum_value(const MlSum *s)
{
	return s->sum + s->lost;
}

static inline double
ml_weight_of(const double *weight, size_t i)
{
	return weight == NULL ? 1 : weight[i];
}

typedef struct MlRoc
{
	size_t		most;			/* points, at least 2 */
	size_t		n;
	MlRocPoint *points;
} MlRoc;

/* As ml_auc_compute(), and where roc is given, as ml_roc_compute(), which takes no weights. */
extern MlStatus ml_auc_and_roc(MlEnv *env, size_t n, const bool *actual, const double *score, const double *weight, double *auc, MlRoc *roc);

/* value (ML_METRIC_COUNT): those of the task are filled in. */
extern MlStatus ml_metrics_regression(MlEnv *env, size_t n, const double *y, const double *prediction, const double *weight, double *value);
extern MlStatus ml_metrics_classification(MlEnv *env, int n_classes, size_t n, const double *y, const double *prediction, const double *weight, double *value,
										  MlRoc *roc);	/* of class 1 of two; NULL: not wanted */

#endif							/* ML_EVAL_METRICS_INTERNAL_H */
