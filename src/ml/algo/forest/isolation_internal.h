/*-------------------------------------------------------------------------
 * isolation_internal.h
 *	  Growing an isolation forest: see isolation.c.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_FOREST_ISOLATION_INTERNAL_H
#define ML_ALGO_FOREST_ISOLATION_INTERNAL_H

#include "ml/algo/forest/trees.h"

typedef struct MlIsolationPlan
{
	uint32_t	n_trees;
	double		max_samples;	/* a share of the rows, or their number above 1; 0: 256 */
	int32_t		max_features;	/* of a tree */
	double		contamination;	/* share of the rows that are flagged; 0: those whose score is above 0.5 */
} MlIsolationPlan;

/* Mean way to a row in a random tree of n rows. */
extern double ml_isolation_path(double n);

/* Rows of a tree. */
extern size_t ml_isolation_sample(const MlIsolationPlan *plan, size_t n);

extern MlStatus ml_isolation_fit(MlEnv *env, const MlDataset *data, const MlIsolationPlan *plan, MlTreeForest **forest);
extern size_t ml_isolation_memory(const MlSchema *schema, const MlIsolationPlan *plan, size_t n, int threads);

#endif							/* ML_ALGO_FOREST_ISOLATION_INTERNAL_H */
