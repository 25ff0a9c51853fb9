/*-------------------------------------------------------------------------
 * silhouette.h
 *	  How well clusters are apart (Rousseeuw 1987).
 *-------------------------------------------------------------------------
 */
#ifndef ML_EVAL_SILHOUETTE_H
#define ML_EVAL_SILHOUETTE_H

#include "ml/base/env.h"

/* Time grows with the square of the rows, memory with rows times coordinates: at most so many rows. */
#define ML_SILHOUETTE_ROWS 4096
#define ML_SILHOUETTE_VALUES ((size_t) 1 << 20)

/* The most rows that are to be measured in p coordinates. */
static inline size_t
ml_silhouette_rows(size_t p)
{
	size_t		rows = ML_SILHOUETTE_VALUES / (p > 0 ? p : 1);

	return rows > ML_SILHOUETTE_ROWS ? ML_SILHOUETTE_ROWS : rows < 256 ? 256 : rows;
}

/*
 * Mean over rows of (b - a) / max(a, b), a the mean distance to the rows of its own
 * cluster, b the least mean distance to those of another one; 0 for a row alone in its cluster.  x is
 * n x p by rows, label 0 and up.  NaN unless there are 2 to n - 1 clusters, as in scikit-learn.
 */
extern MlStatus ml_silhouette(MlEnv *env, size_t n, size_t p, const double *x, const int32_t *label, double *value);

#endif							/* ML_EVAL_SILHOUETTE_H */
