/*-------------------------------------------------------------------------
 * kmeans_bounds.h
 *	  Which rows can have changed their cluster at all.
 *
 * Hamerly (2010): each row has a lower bound of its distance to every centre but its own; centres that have
 * moved lower it by the farthest of their ways.  A row that is nearer to its centre than that, or than half the way to the next
 * centre, stays where it is.  Bounds are taken with a margin above all rounding, so labels and
 * distances are to the bit those of comparing everything.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_CLUSTER_KMEANS_BOUNDS_H
#define ML_ALGO_CLUSTER_KMEANS_BOUNDS_H

#include "ml/algo/cluster/space.h"

typedef struct MlBounds
{
	size_t		k;
	size_t		p;
	double		margin;			/* 1 + an error that no distance computed here has */
	double	   *lower;			/* groups x ML_LANES */
	double	   *half;			/* k: half the way to the next centre */
	double	   *way;			/* k: by how much the farthest of the other centres has moved */
	double	   *before;			/* k x p: the centres of the last pass */
	double	   *packed;			/* the present ones: ml_centers_pack */
	bool		fresh;			/* nothing is known before this pass */
} MlBounds;

extern size_t ml_bounds_memory(size_t n, size_t k, size_t p);	/* SIZE_MAX when it overflows */
extern MlStatus ml_bounds_make(MlEnv *env, const MlPoints *points, size_t k, MlBounds *bounds);

/* A pass with these centres begins; fresh: the last one was not made with these bounds. */
extern MlStatus ml_bounds_begin(MlEnv *env, MlBounds *bounds, const double *center, bool fresh);

/*
 * The nearest centres of group g, of which label knows those of the last pass, and the squared distances.  Returns of how
 * many of its rows the bounds did not decide.  From any thread.
 */
extern int	ml_bounds_nearest(const MlBounds *bounds, const MlPoints *points, size_t g, const double *center, int32_t *label, double *squared);

extern void ml_bounds_release(MlEnv *env, MlBounds *bounds);

#endif							/* ML_ALGO_CLUSTER_KMEANS_BOUNDS_H */
