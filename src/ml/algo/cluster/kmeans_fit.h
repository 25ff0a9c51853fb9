/*-------------------------------------------------------------------------
 * kmeans_fit.h
 *	  k centres of n points: seeding and Lloyd's iteration.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_CLUSTER_KMEANS_FIT_H
#define ML_ALGO_CLUSTER_KMEANS_FIT_H

#include "ml/algo/cluster/space.h"

/* When rows that cannot have changed their cluster are passed over (kmeans_bounds.h).  The result is the same to the bit. */
typedef enum MlKmeansBounds
{
	ML_KMEANS_BOUNDS_NEVER,
	ML_KMEANS_BOUNDS_LATE,		/* once few rows change, as long as the bounds decide most of them */
	ML_KMEANS_BOUNDS_ALWAYS
} MlKmeansBounds;

typedef struct MlKmeansSpec
{
	int32_t		k;
	int			n_init;
	int			max_iter;
	double		tol;			/* of the squared distance that the centres move in one iteration */
	bool		plus_plus;		/* greedy k-means++, else rows at random */
	bool		show;			/* progress and history */
	int			batch_size;		/* rows of a batch; 0: all rows in each iteration (Lloyd) */
	MlKmeansBounds bounds;
} MlKmeansSpec;

typedef struct MlKmeansResult
{
	double	   *center;			/* k x p, the heaviest cluster first */
	double	   *weight;			/* k */
	int32_t    *label;			/* groups x ML_LANES */
	double		inertia;
	int			iterations;		/* of the best run */
	bool		converged;
} MlKmeansResult;

/* ML_BAD_DATA when there are fewer rows than centres. */
extern MlStatus ml_kmeans_fit(MlEnv *env, const MlPoints *points, const MlKmeansSpec *spec, MlKmeansResult *result);

/* Bytes that it allocates; SIZE_MAX when it overflows. */
extern size_t ml_kmeans_memory(size_t n, size_t p, size_t k, int max_iter);

/* The same beyond it for batches, in n_init runs. */
extern size_t ml_kmeans_mini_memory(size_t n, size_t p, int32_t k, int batch_size, int n_init);

#endif							/* ML_ALGO_CLUSTER_KMEANS_FIT_H */
