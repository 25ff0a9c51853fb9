/*-------------------------------------------------------------------------
 * dbscan_fit.h
 *	  Density-based clusters (Ester, Kriegel, Sander, Xu 1996).
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_CLUSTER_DBSCAN_FIT_H
#define ML_ALGO_CLUSTER_DBSCAN_FIT_H

#include "ml/algo/cluster/kdtree.h"
#include "ml/algo/cluster/space.h"

typedef struct MlDbscanSpec
{
	double		eps;
	double		min_weight;		/* of the rows within eps, itself among them */
} MlDbscanSpec;

typedef struct MlDbscanResult
{
	size_t		n_core;
	int32_t		n_clusters;
	double	   *core;			/* n_core x p by rows */
	int32_t    *label;			/* n_core */
	double	   *share;			/* n_clusters: of the weight of all rows, border rows among them */
} MlDbscanResult;

extern MlStatus ml_dbscan_fit(MlEnv *env, const MlPoints *points, const MlDbscanSpec *spec, MlDbscanResult *result);

/* Bytes that it allocates; SIZE_MAX when it overflows. */
extern size_t ml_dbscan_memory(size_t n, size_t p);

#endif							/* ML_ALGO_CLUSTER_DBSCAN_FIT_H */
