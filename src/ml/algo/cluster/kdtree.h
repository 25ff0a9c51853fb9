/*-------------------------------------------------------------------------
 * kdtree.h
 *	  Points near a point: a balanced tree of boxes (Bentley 1975).
 *
 * Points stand in tree order, in groups of ML_LANES as in MlPoints.  The shape of the tree
 * follows from the number of groups alone, and each node has the box of its points, so
 * that any points in any order make a right tree: an image needs to hold nothing else.
 *
 * Distances are those of nearest.h to the bit.  Rounding is monotone and box distances
 * are added up in the same order, so a node is never left out wrongly.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_CLUSTER_KDTREE_H
#define ML_ALGO_CLUSTER_KDTREE_H

#include "ml/base/env.h"
#include "ml/base/lanes.h"

/* Groups of a leaf at most. */
#define ML_KD_LEAF 4

/* Depth of a tree of any size that fits into memory. */
#define ML_KD_DEPTH 64

typedef struct MlKdNode
{
	uint32_t	first;			/* groups first .. last-1 */
	uint32_t	last;
	uint32_t	right;			/* number of the right child, 0 for a leaf; the left one is the next node */
} MlKdNode;

typedef struct MlKdTree
{
	size_t		n;
	size_t		p;
	size_t		groups;
	double	   *value;			/* groups x p x ML_LANES; beyond the last point stands NaN, which is near nothing */
	size_t		n_nodes;
	MlKdNode   *node;
	double	   *low;			/* n_nodes x p */
	double	   *high;
} MlKdTree;

/*
 * Orders points (n x p, coordinate by coordinate: column[j][i]) for a tree: order (n, out).  At most 2^32 - 1 groups.
 */
extern MlStatus ml_kd_order(MlEnv *env, size_t n, size_t p, const double *const *column, uint32_t *order);

/* Nodes and boxes of a tree whose n, p and value are there. */
extern MlStatus ml_kd_finish(MlEnv *env, MlKdTree *tree);

/* Doubles of value for n points. */
static inline size_t
ml_kd_values(size_t n, size_t p)
{
	return (n + ML_LANES - 1) / ML_LANES * ML_LANES * p;
}

/* Bytes of order, values, nodes and boxes; SIZE_MAX when it overflows. */
extern size_t ml_kd_memory(size_t n, size_t p);

/* Least and greatest squared distance of z from the box of a node. */
extern double ml_kd_least(const MlKdTree *tree, size_t node, const double *z);
extern double ml_kd_greatest(const MlKdTree *tree, size_t node, const double *z);

/* Squared distances of z from the points of a group (ML_LANES). */
extern void ml_kd_distances(const MlKdTree *tree, size_t group, const double *z, double *squared);

#endif							/* ML_ALGO_CLUSTER_KDTREE_H */
