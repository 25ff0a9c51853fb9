/*-------------------------------------------------------------------------
 * kmeans_internal.h
 *	  Between the files of the k-means fit.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_CLUSTER_KMEANS_INTERNAL_H
#define ML_ALGO_CLUSTER_KMEANS_INTERNAL_H

#include "ml/algo/cluster/kmeans_fit.h"

/* Groups of one task of the seeding. */
#define ML_KMEANS_CHUNK 512

/* What all runs of a fit share. */
typedef struct MlKmeansRoom
{
	double	   *squared;		/* groups x ML_LANES */
	double	   *potential;		/* chunks x trials */
	double	   *candidate;		/* trials x p */
} MlKmeansRoom;

static inline size_t
ml_kmeans_chunks(const MlPoints *points)
{
	return (points->groups + ML_KMEANS_CHUNK - 1) / ML_KMEANS_CHUNK;
}

/* Draws for each next centre: 2 + log k. */
static inline int
ml_kmeans_trials(int32_t k)
{
	double		power = 2.718281828459045;
	int			trials = 2;

	for (; power <= k; power *= 2.718281828459045)
		trials++;
	return trials;
}

/* k centres into center (k x p); distinct: so many of them differ.  stream: of the random numbers, one for each run. */
extern MlStatus ml_kmeans_plus_plus(MlEnv *env, const MlPoints *points, int32_t k, uint64_t stream, MlKmeansRoom *room, double *center, int32_t *distinct);
extern MlStatus ml_kmeans_random(MlEnv *env, const MlPoints *points, int32_t k, uint64_t stream, double *center);

/* Centres (k x p, out) by batches of spec->batch_size rows; converged: before spec->max_iter times all rows were drawn. */
extern MlStatus ml_kmeans_mini(MlEnv *env, const MlPoints *points, const MlKmeansSpec *spec, uint64_t run, MlKmeansRoom *room,
							   double *center, int32_t *distinct, bool *converged);

/* Rows of the sample that it begins with. */
extern size_t ml_kmeans_mini_sample(size_t n, int32_t k, int batch_size);

#endif							/* ML_ALGO_CLUSTER_KMEANS_INTERNAL_H */
