/*-------------------------------------------------------------------------
 * shap_internal.h
 *	  What the two halves of TreeSHAP share: shap.c makes, shap_pass.c runs.
 *
 * Let a path to a leaf use the features F; feature f was met on some edges of
 * it, w_f is the product of the shares of training rows that took them, and o_f
 * is 1 where the row at hand takes them all, else 0.  The leaf's value v gives
 * feature f (Lundberg et al. 2020; the Shapley value as an integral, Owen 1972)
 *
 *		phi_f = v (o_f - w_f) integral over y in [0, 1] of
 *				product over the other features j of (w_j (1 - y) + o_j y)
 *
 * A polynomial of degree |F| - 1, so that half as many Gauss-Legendre points
 * as a path has features give it exactly.  At one point y, a walk down the tree
 * multiplies the factors up, one edge at a time; on the way back H is the sum
 * over the leaves below of v times all factors.  With D = 1 / (w_f (1-y) + y) of
 * an edge on f that the row takes, and "before" the last such edge above it,
 *
 *		phi_f = integral of 1/(1-y) sum over the splits on f, as long as the row
 *				took all edges on f above, of (H D [edge taken] - H D [before, of both edges]),
 *
 * for (o - w) / (w (1-y) + o y) is (D - 1) / (1-y) where o = 1 and -1 / (1-y) where
 * o = 0.  D depends on the tree alone and is made beforehand: nothing divides per row.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_GBDT_SHAP_INTERNAL_H
#define ML_ALGO_GBDT_SHAP_INTERNAL_H

#include "ml/base/simd.h"
#include "ml/algo/gbdt/forest.h"

/* Points are taken four at a time where four are enough, else eight. */
#define ML_GBDT_SHAP_NARROW 4
#define ML_GBDT_SHAP_WIDE 8

/* How a row stands to a split. */
enum
{
	ML_GBDT_SHAP_COLD,			/* it has left an edge above on the same feature */
	ML_GBDT_SHAP_LEFT,			/* it takes all edges above on the feature, and the left one here */
	ML_GBDT_SHAP_RIGHT
};

/* What the children's factors are made of, times the value of a child that is a leaf; "taken" is the left one for a cold split. */
typedef struct MlGbdtShapFactor
{
	double		taken;			/* w_f of the edge; the share of rows alone for a cold split */
	double		other;
	double		row;			/* o_f of the edge taken: 1, 0 for a cold split */
} MlGbdtShapFactor;

/*
 * Split k of a tree in breadth-first order; its edges lead to nodes 2k+1 and 2k+2.  Places
 * are offsets in bytes into arrays of blocks: by node, or by feature.
 */
typedef struct MlGbdtShapSplit
{
	MlGbdtShapFactor factor[3];
	double		threshold;
	uint32_t	input;			/* among the inputs of a row; a category: its feature */
	uint32_t	before;			/* the node below the last edge above on the same feature; 0: none */
	uint32_t	source;			/* place of D of that node, less that of 1/(1-y), modulo 2^32 */
	uint32_t	target;			/* place of the feature's sum, less that of what does not count */
	uint32_t	node;			/* place of the split's own node */
	uint32_t	set;			/* of a category: 1 + number among the sets; else 0 */
} MlGbdtShapSplit;

typedef struct MlGbdtShapTree
{
	MlGbdtShapSplit *split;
	uint32_t	n_splits;
	uint32_t	n_nodes;
	uint32_t	points;			/* 4, or a multiple of 8 */
	const double *inverse;		/* by block, n_nodes + 1 and point: D (1 for the root), then 1/(1-y).  NULL: made when needed */
	const double *path;			/* n_nodes: w_f of the edge to each node */
} MlGbdtShapTree;

/* Gauss-Legendre points, as many as some trees need. */
typedef struct MlGbdtShapPoints
{
	double	   *y;
	double	   *z;				/* 1 - y */
	double	   *w;				/* weight / (1 - y) */
} MlGbdtShapPoints;

/* Where a row goes at a split, be it there or not; all offsets in bytes. */
typedef struct MlGbdtShapStep
{
	uint32_t	source;			/* D of "before"; for a cold split 1/(1-y) */
	uint32_t	target;			/* the feature's sum, or where nobody looks */
	uint32_t	taken;			/* from the left child to the one that the row takes */
	uint32_t	factor;			/* from split->factor on */
} MlGbdtShapStep;

/* A block of points on its way through one tree. */
typedef struct MlGbdtShapPass
{
	const MlGbdtShapTree *tree;
	const double *inverse;		/* of this block */
	const double *y;
	const double *z;
	const MlGbdtShapStep *step; /* n_splits */
	double	   *h;				/* scratch, n_nodes blocks */
	double	   *sum;			/* n_features + 1 blocks: added to */
} MlGbdtShapPass;

typedef void (*MlGbdtShapKernel) (const MlGbdtShapPass *pass);

/* The kernel for blocks of 4 or of 8 points, of the tier that is asked for; all give the same bits. */
extern MlGbdtShapKernel ml_gbdt_shap_kernel(uint32_t width, MlSimdTier tier);

/* Points with which a path of so many features is exact, up to rounding. */
extern uint32_t ml_gbdt_shap_points(uint32_t features);

#endif							/* ML_ALGO_GBDT_SHAP_INTERNAL_H */
