/*-------------------------------------------------------------------------
 * spreading.h
 *	  Labels that spread from the points that have one to those near them.
 *
 * Zhou, Bousquet, Lal, Weston, Schoelkopf, Learning with local and global consistency (2004), with the graphs and
 * defaults of scikit-learn's LabelSpreading: F <- alpha S F + (1 - alpha) Y, where Y holds 1 for the class of each
 * labelled point, S = D^-1/2 W D^-1/2, and W is
 *
 *   knn   1 from each point to its n_neighbors - 1 nearest others (scikit-learn counts the point itself among them),
 *         and D how often a point is a neighbour.  Sparse: memory is points x neighbours.
 *   rbf   exp(-gamma d^2) between any two points.  Dense, so there is a limit of points.
 */
#ifndef ML_ALGO_NEIGHBORS_SPREADING_H
#define ML_ALGO_NEIGHBORS_SPREADING_H

#include "ml/base/env.h"

/* With the kernel rbf: the square of it times 8 bytes is 2 GB. */
#define ML_SPREAD_DENSE_POINTS 16384

typedef enum MlSpreadKernel
{
	ML_SPREAD_KNN,
	ML_SPREAD_RBF
} MlSpreadKernel;

typedef struct MlSpreading
{
	MlSpreadKernel kernel;
	int			n_neighbors;	/* 2 or more */
	double		gamma;
	double		alpha;			/* 0 < alpha < 1 */
	int			max_iter;
	double		tolerance;		/* ends when the sum of all changes is below it */
} MlSpreading;

typedef struct MlSpread
{
	double	   *share;			/* n x classes: each point's sum to 1, or are all 0 where nothing has come */
	int			iterations;
	bool		converged;
} MlSpread;

/*
 * n points of p finite coordinates (point i at value + i * p); label (n): 0 .. classes-1, or -1 for none.  The same
 * bits on any number of threads.  ML_TOO_LARGE where the graph would be dense and too large.
 */
extern MlStatus ml_spread_labels(MlEnv *env, const MlSpreading *how, const double *value, size_t n, int32_t p,
								 const int32_t *label, int32_t classes, MlSpread *spread);

/* Bytes that it takes beside what it is given, with the result; SIZE_MAX when it overflows. */
extern size_t ml_spread_memory(const MlSpreading *how, size_t n, size_t p, size_t classes, int threads);

#endif							/* ML_ALGO_NEIGHBORS_SPREADING_H */
