/*-------------------------------------------------------------------------
 * forest.h
 *	  The trees of a gbdt model: how they are kept, walked and written.
 *
 * Nodes of a tree stand in breadth-first order, and the two children of the
 * k-th split of a tree are its nodes 2k+1 (left) and 2k+2.  So an image needs no
 * child numbers, no child can come before its parent, and no cycle can be said.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_GBDT_FOREST_H
#define ML_ALGO_GBDT_FOREST_H

#include "ml/model/method.h"

typedef enum MlGbdtObjective
{
	ML_GBDT_SQUARED,
	ML_GBDT_ABSOLUTE,
	ML_GBDT_LOGISTIC,
	ML_GBDT_SOFTMAX,
	ML_GBDT_HUBER,
	ML_GBDT_QUANTILE,
	ML_GBDT_POISSON,			/* this and the next two: the score is the logarithm of the value */
	ML_GBDT_GAMMA,
	ML_GBDT_TWEEDIE,
	ML_GBDT_CROSS_ENTROPY,		/* the score is the log-odds of the value, a share */
	ML_GBDT_OBJECTIVES
} MlGbdtObjective;

/* Is the score what is predicted, in units of the target? */
static inline bool
ml_gbdt_identity(MlGbdtObjective objective)
{
	return objective == ML_GBDT_SQUARED || objective == ML_GBDT_ABSOLUTE || objective == ML_GBDT_HUBER || objective == ML_GBDT_QUANTILE;
}

static inline bool
ml_gbdt_log_link(MlGbdtObjective objective)
{
	return objective == ML_GBDT_POISSON || objective == ML_GBDT_GAMMA || objective == ML_GBDT_TWEEDIE;
}

/* Is it for a target that is a number? */
static inline bool
ml_gbdt_regression(MlGbdtObjective objective)
{
	return objective != ML_GBDT_LOGISTIC && objective != ML_GBDT_SOFTMAX;
}

/*
 * A number goes left when x <= value, a category when its code is in the set;
 * a missing value as missing_left says.  A category that training never saw is
 * in no set, so it goes right.
 */
typedef struct MlGbdtNode
{
	double		value;			/* split on a number: threshold; leaf: what it adds to the score */
	double		gain;			/* of the split; 0 in a leaf */
	uint32_t	rows;			/* training rows that came here */
	uint32_t	left;			/* from the tree's first node on; the right child is the next; 0: a leaf */
	int32_t		feature;
	uint32_t	set_first;		/* the set: forest->set[set_first ..], ascending codes */
	uint32_t	set_count;
	bool		category;
	bool		missing_left;
} MlGbdtNode;

/* What one step of serving reads; see serve.c. */
typedef struct MlGbdtStep
{
	double		value;			/* threshold, or the leaf's value; NaN for a set */
	uint32_t	input;			/* slot; in a forest with sets as below */
	uint32_t	left;			/* twice its number in the whole forest; a leaf points to itself */
} MlGbdtStep;

/* In a forest with sets: the slot in the lower bits, the number of the set in that slot above, then a mark for sets. */
#define ML_GBDT_SLOT_BITS	14
#define ML_GBDT_MAX_SLOTS	(1 << ML_GBDT_SLOT_BITS)
#define ML_GBDT_MAX_SETS	(1 << (31 - ML_GBDT_SLOT_BITS))
#define ML_GBDT_SET_INPUT(slot, set) ((uint32_t) (slot) | (uint32_t) (set) << ML_GBDT_SLOT_BITS | UINT32_C(0x80000000))

/* An input as the trees want it: a number and what stands in for a missing value. */
typedef struct MlGbdtNumberSlot
{
	int32_t		feature;
	double		missing;		/* -infinity goes left everywhere, +infinity right */
} MlGbdtNumberSlot;

/* Or a category: for each one a row of bits, one for every set that a split on this feature has. */
typedef struct MlGbdtCodeSlot
{
	int32_t		feature;
	int32_t		levels;
	uint32_t	sets;
	uint32_t	words;			/* of a row */
	uint32_t	rows;
	uint64_t   *bits;			/* rows x words; 1: not in the set, so right */
	uint16_t   *row;			/* by code + 2; 0: in no set */
} MlGbdtCodeSlot;

typedef struct MlGbdtForest
{
	MlGbdtObjective objective;
	int32_t		n_features;
	int32_t		n_outputs;		/* trees per iteration: 1, or the number of classes for softmax */
	double		scale;			/* a power of two that multiplies the score of a regression */
	double	   *base;			/* n_outputs, where scores start */

	uint32_t	n_trees;		/* tree t adds to output t % n_outputs */
	uint32_t	n_nodes;
	uint32_t	n_set;
	uint32_t   *first;			/* n_trees: first node of each tree */
	MlGbdtNode *node;
	uint16_t   *set;
	uint32_t	tree_capacity;
	uint32_t	node_capacity;
	uint32_t	set_capacity;

	/* For serving, made by ml_gbdt_forest_prepare_walk(). */
	MlGbdtStep *step;			/* n_nodes */
	uint8_t    *first_steps;	/* by eight trees: steps that nearly every row takes */
	int32_t		n_number_slots;
	int32_t		n_code_slots;
	MlGbdtNumberSlot *number_slot;	/* slots 1 .. */
	MlGbdtCodeSlot *code_slot;	/* slots n_number_slots + 1 .. */
	bool		has_sets;
	bool		plain;			/* too large for steps: trees are walked one at a time, node by node */
	bool		hastened;		/* engines were made where they suit */
	struct MlGbdtMasks *masks;	/* for one row, or NULL; see engine.h */
	struct MlGbdtBlocks *blocks;	/* for 64 rows, or NULL */
} MlGbdtForest;

/* Codes move up by two for missing and unseen ones: where slot->row has them. */
static inline uint32_t
ml_gbdt_code(double v, int32_t levels)
{
	if (v != v)
		return 0;
	return v >= 0 && v < levels ? (uint32_t) v + 2 : 1;
}

/* forest.c */
extern MlStatus ml_gbdt_forest_create(MlEnv *env, MlGbdtObjective objective, const MlSchema *schema, MlGbdtForest **forest);

/*
 * Adds a tree.  node: n nodes, each child pair consecutive and after its parent,
 * in any such order; set_first counts from set.  The tree is put in breadth-first order.
 */
extern MlStatus ml_gbdt_forest_add(MlEnv *env, MlGbdtForest *forest, const MlGbdtNode *node, uint32_t n,
								   const uint16_t *set, uint32_t n_set);

/* Forgets all trees from number n on. */
extern void ml_gbdt_forest_truncate(MlGbdtForest *forest, uint32_t n);

/* The leaf value that tree t gives to row i. */
extern double ml_gbdt_forest_walk(const MlGbdtForest *forest, uint32_t t, const MlDataset *data, size_t i);

/* image.c */
extern void ml_gbdt_save(const void *model, MlWriter *w);
extern MlStatus ml_gbdt_load(MlReader *r, const MlSchema *schema, void **model);

/* prepare.c: for walking, the engines as well, and a copy of a forest prepared for walking that has the engines. */
extern MlStatus ml_gbdt_forest_prepare_walk(MlEnv *env, MlGbdtForest *forest, const MlSchema *schema);
extern MlStatus ml_gbdt_forest_prepare(MlEnv *env, MlGbdtForest *forest, const MlSchema *schema);
extern MlStatus ml_gbdt_hasten(MlEnv *env, const void *model, void **hastened);

/* serve.c */
extern void ml_gbdt_predict(const void *model, const double *x, double *out, void *scratch);
extern bool ml_gbdt_predict_batch(const void *model, const double *x, size_t n, double *out, void *scratch);
extern size_t ml_gbdt_scratch_size(const void *model);
extern double ml_gbdt_predict_cost(const void *model);

/* shap.c */
extern MlStatus ml_gbdt_explainer(MlEnv *env, const void *model, const MlSchema *schema, void **explainer);
extern void ml_gbdt_explain(void *explainer, const double *x, int class_number, double *contribution, double *baseline);

/* rules.c */
extern uint32_t ml_gbdt_tree_count(const void *model);
extern MlStatus ml_gbdt_rules(MlEnv *env, const void *model, const MlSchema *schema, uint32_t number, MlRule **rules, size_t *count);

#endif							/* ML_ALGO_GBDT_FOREST_H */
