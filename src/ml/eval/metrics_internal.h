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

/* value (ML_METRIC_COUNT): those of the task are filled in. */
extern MlStatus ml_metrics_regression(MlEnv *env, size_t n, const double *y, const double *prediction, const double *weight, double *value);
extern MlStatus ml_metrics_classification(MlEnv *env, int n_classes, size_t n, const double *y, const double *prediction, const double *weight, double *value);

#endif							/* ML_EVAL_METRICS_INTERNAL_H */
