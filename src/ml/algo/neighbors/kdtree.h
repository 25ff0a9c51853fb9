/*-------------------------------------------------------------------------
 * kdtree.h
 *	  The nearest of many points, exactly: a k-d tree whose leaves are read eight points at a time.
 *
 * Bentley, Multidimensional binary search trees used for associative searching (1975); each node
 * carries the box of its points (Friedman, Bentley, Finkel 1977).  Where there are so many coordinates that
 * boxes exclude little, a search is a scan in blocks.  A distance is always summed over the coordinates in
 * rising order, and equal distances are ordered by position, so every way of searching gives
 * the same neighbours and the same bits.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_NEIGHBORS_KDTREE_H
#define ML_ALGO_NEIGHBORS_KDTREE_H

#include "ml/base/env.h"
#include "ml/base/lanes.h"

typedef enum MlMetricKind
{
	ML_DISTANCE_EUCLIDEAN,		/* squared while it is compared */
	ML_DISTANCE_MANHATTAN,
	ML_DISTANCE_CHEBYSHEV
} MlMetricKind;

/* Node i covers the groups first .. end-1; a leaf has right = 0, else its children are i + 1 and right.  Nodes stand in preorder. */
typedef struct MlKdNode
{
	uint32_t	first;
	uint32_t	end;
	uint32_t	right;
	uint32_t	next;			/* the node after all below this one */
} MlKdNode;

typedef struct MlKdTree
{
	MlMetricKind metric;
	size_t		n;
	int32_t		p;
	size_t		groups;			/* of ML_LANES points */
	double	   *value;			/* coordinate j of the point at position g * ML_LANES + l: (g * p + j) * ML_LANES + l; filled up with infinity */
	size_t		n_nodes;
	MlKdNode   *node;
	double	   *box;			/* n_nodes x 2 x p: least values, greatest values */
} MlKdTree;

/* A neighbour that a search has found. */
typedef struct MlNeighbor
{
	double		distance;		/* of ML_DISTANCE_EUCLIDEAN: squared */
	uint32_t	position;
} MlNeighbor;

/*
 * Arranges n points (point i: p finite doubles at value + i * p; n < 2^32 - ML_LANES) and makes a tree of them.  order
 * (n, allocated; may be NULL): which point came to each position.  The same on any number of threads.
 */
extern MlStatus ml_kdtree_build(MlEnv *env, const double *value, size_t n, int32_t p, MlMetricKind metric, uint32_t **order, MlKdTree **tree);

/* A tree of points that stand in the order of an earlier one: value as it stood in that one (taken over). */
extern MlStatus ml_kdtree_restore(MlEnv *env, double *value, size_t n, int32_t p, MlMetricKind metric, MlKdTree **tree);

/* Bytes that building takes; SIZE_MAX when it overflows. */
extern size_t ml_kdtree_memory(size_t n, size_t p);

/* Doubles in "value". */
static inline size_t
ml_kdtree_values(size_t n, size_t p)
{
	return (n + ML_LANES - 1) / ML_LANES * ML_LANES * p;
}

/*
 * The k nearest points of q (p coordinates), nearest first, of equally near ones the first: found
 * (k) gets min(k, n) of them, which is returned.  No allocation.
 */
extern size_t ml_kdtree_nearest(const MlKdTree *tree, const double *q, size_t k, MlNeighbor *found);

/* The same of m points at once, which read each block of the tree once: q m x p, found m x k. */
extern size_t ml_kdtree_nearest_batch(const MlKdTree *tree, const double *q, size_t m, size_t k, MlNeighbor *found);

/*
 * Calls visit for each point within the distance (squared for ML_DISTANCE_EUCLIDEAN), in order of position, until it says false.
 */
extern void ml_kdtree_within(const MlKdTree *tree, const double *q, double distance, bool (*visit) (void *state, uint32_t position, double distance), void *state);

/* Rough number of points that a search looks at. */
extern double ml_kdtree_visits(const MlKdTree *tree);

#endif							/* ML_ALGO_NEIGHBORS_KDTREE_H */
