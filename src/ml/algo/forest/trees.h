/*-------------------------------------------------------------------------
 * trees.h
 *	  Trees that each answer alone and are averaged: decision trees, random and
 *	  extremely randomised forests, isolation forests.
 *
 * A number is compared by its rank: how many of the feature's thresholds, sorted
 * and kept once for all trees, are below it.  So a step of a walk is eight bytes.
 * Nodes of a tree stand in breadth-first order; the two children of the k-th
 * split are its nodes 2k+1 (left) and 2k+2.  An image needs no child numbers, no
 * child can come before its parent, and no cycle can be said.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_FOREST_TREES_H
#define ML_ALGO_FOREST_TREES_H

#include "ml/model/method.h"

/* What the mean of the leaves is. */
typedef enum MlTreeAnswer
{
	ML_TREE_MEAN,				/* the value of a regression, divided by a power of two */
	ML_TREE_SHARES,				/* shares of classes; of two the share of the second alone */
	ML_TREE_ISOLATION			/* how deep a row is, where the mean of all is 1: a score and a flag follow */
} MlTreeAnswer;

/* The rank in a split on a category. */
#define ML_TREE_CATEGORY UINT16_MAX

/* Where a missing number stands that goes right, and the code of a missing category. */
#define ML_TREE_MISSING UINT16_MAX

/* Of one feature; ranks go from 0 to this. */
#define ML_TREE_MAX_THRESHOLDS 65533

/* Two slots for each and one for leaves must be numbers of 16 bits. */
#define ML_TREE_MAX_FEATURES 32766

/* Figures that a fit has found out about itself; NaN: not computed. */
typedef enum MlTreeFigure
{
	ML_TREE_OOB_SCORE,			/* accuracy or R2 on the rows that a tree was not grown on */
	ML_TREE_OOB_LOSS,			/* log loss or root of the mean squared error there */
	ML_TREE_OOB_ROWS,			/* rows that at least one tree was not grown on */
	ML_TREE_FIGURES
} MlTreeFigure;

/* A row goes right when the rank in its slot is above this one.  A leaf leads to itself. */
typedef struct MlTreeStep
{
	uint32_t	left;			/* of this tree; the right child is the next */
	uint16_t	slot;			/* 1 + 2 * feature, and 1 more where missing values go left; 0: a leaf */
	uint16_t	rank;
} MlTreeStep;

/* The categories named here go to one side, all others, also those that training never saw, to the other. */
typedef struct MlTreeSet
{
	uint32_t	first;			/* tree->code[first ..], ascending */
	uint32_t	count;
	bool		left;			/* the side of those named */
} MlTreeSet;

typedef struct MlTree
{
	uint32_t	n_nodes;
	uint32_t	n_values;
	uint32_t	n_sets;
	uint32_t	n_codes;
	MlTreeStep *step;
	uint32_t   *payload;		/* leaf: number of its value; split on a category: number of its set */
	uint32_t   *rows;			/* rows of the sample that came here */
	double	   *value;			/* n_values x forest->width */
	MlTreeSet  *set;
	uint16_t   *code;
} MlTree;

typedef struct MlTreeForest
{
	MlTreeAnswer answer;
	int32_t		n_features;
	int32_t		width;			/* doubles of a leaf: 1, or the number of classes when there are more than two */
	double		scale;			/* a power of two by which values of a regression were divided */
	uint32_t	n_trees;
	MlTree	   *tree;
	uint32_t   *n_thresholds;	/* by feature; 0 for categories */
	double	  **threshold;		/* ascending */
	double	   *gain;			/* by feature: decrease of impurity, mean over the trees */
	double	   *permutation;	/* by feature: what the out-of-bag score loses; NULL: not computed */
	double		figure[ML_TREE_FIGURES];
	double		cut;			/* isolation: rows are flagged whose score is above */

	/* For serving, made by ml_tree_forest_prepare(). */
	int32_t		n_used;			/* features that some split asks */
	int32_t    *used;
	int32_t    *levels;			/* by feature: of a category; 0 for a number */
	bool		has_sets;
	double		mean_depth;		/* steps of a row through a tree */
} MlTreeForest;

/* ---- trees.c ---- */
extern MlStatus ml_tree_forest_create(MlEnv *env, MlTreeAnswer answer, const MlSchema *schema, uint32_t n_trees, MlTreeForest **forest);
extern MlStatus ml_tree_forest_prepare(MlEnv *env, MlTreeForest *forest, const MlSchema *schema);

/* Does a category go left?  ML_TREE_MISSING is not asked here. */
extern bool ml_tree_set_left(const MlTree *tree, const MlTreeSet *set, uint32_t code);

/* The leaf of a row whose ranks (2 * features + 1, by slot) are known. */
extern uint32_t ml_tree_walk(const MlTree *tree, const uint16_t *rank);

/* A category as it stands in its two slots. */
static inline uint16_t
ml_tree_code(double v, int32_t levels)
{
	if (v != v)
		return ML_TREE_MISSING;
	return v >= 0 && v < levels ? (uint16_t) v : (uint16_t) levels;
}

extern MlStatus ml_tree_importance(MlEnv *env, const void *model, const MlSchema *schema, const char *how, double *out);

extern MlStatus ml_tree_statistics(MlEnv *env, const void *model, const MlSchema *schema, MlStatistic **rows, size_t *count);

/* ---- rules.c ---- */
extern uint32_t ml_tree_count(const void *model);
extern MlStatus ml_tree_rules(MlEnv *env, const void *model, const MlSchema *schema, uint32_t number, MlRule **rules, size_t *count);

/* ---- explain.c ---- */
extern MlStatus ml_tree_explainer(MlEnv *env, const void *model, const MlSchema *schema, void **explainer);
extern void ml_tree_explain(void *explainer, const double *x, int class_number, double *contribution, double *baseline);

/* ---- image.c ---- */
extern void ml_tree_save(const void *model, MlWriter *w);
extern MlStatus ml_tree_load(MlReader *r, const MlSchema *schema, void **model);

/* ---- serve.c ---- */
extern void ml_tree_predict(const void *model, const double *x, double *out, void *scratch);
extern bool ml_tree_predict_batch(const void *model, const double *x, size_t n, double *out, void *scratch);
extern size_t ml_tree_scratch_size(const void *model);
extern double ml_tree_predict_cost(const void *model);

#endif							/* ML_ALGO_FOREST_TREES_H */
