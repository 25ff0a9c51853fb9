/*-------------------------------------------------------------------------
 * grow_internal.h
 *	  What the training half of the averaged trees shares between its files.
 *
 * All trees share the bins of gbdt (bytes, column by column).  One thread grows a
 * tree from its first row to its last node, so the bits of a tree depend on
 * nothing but the seed and its number.
 *
 * What is summed up of some rows is called their stats: by class the weight
 * (classification), or the weight and the weighted sum of the target (regression).
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_FOREST_GROW_INTERNAL_H
#define ML_ALGO_FOREST_GROW_INTERNAL_H

#include "ml/algo/forest/trees.h"
#include "ml/algo/gbdt/gbdt_internal.h"
#include "ml/base/rng.h"

/* Streams of random numbers under env->seed. */
enum
{
	ML_TREE_STREAM_BAG = 0x74726565,
	ML_TREE_STREAM_GROW,
	ML_TREE_STREAM_SHUFFLE
};

typedef enum MlTreeCriterion
{
	ML_TREE_GINI,
	ML_TREE_ENTROPY,
	ML_TREE_SQUARED,
	ML_TREE_POISSON
} MlTreeCriterion;

typedef struct MlTreeRules
{
	MlTreeCriterion criterion;
	bool		random;			/* one random split of each feature looked at, not its best */
	bool		exact;			/* thresholds in the middle of the values at hand; else limits of bins */
	uint32_t	max_depth;
	size_t		min_split;		/* rows of a node that may be split */
	size_t		min_leaf;		/* rows of a leaf */
	double		min_leaf_share;	/* of the weight of the tree */
	uint32_t	max_leaves;
	double		min_decrease;
	int32_t		max_features;
	double		ccp_alpha;
} MlTreeRules;

/* Rows as a tree has them. */
typedef struct MlTreeClassItem
{
	uint32_t	row;
	uint16_t	class_number;
	uint16_t	draws;
} MlTreeClassItem;

typedef struct MlTreeValueItem
{
	uint32_t	row;
	uint32_t	draws;
	double		y;				/* from the mean of all rows on, divided by forest->scale */
} MlTreeValueItem;

/* What all trees have in common. */
typedef struct MlTreeGround
{
	MlEnv	   *env;
	const MlDataset *data;
	MlTreeRules rules;			/* impurities as those of divided targets */
	MlGbdtBins	bins;
	double	  **middle;			/* by feature: where the values of a bin lie, roughly; for random splits of numbers */
	bool		classes;		/* MlTreeClassItem, else MlTreeValueItem */
	int			width;			/* doubles of stats: classes, or 2 */
	double	   *weight;			/* by row, at most 1; NULL: all 1 */
	double	   *y;				/* by row, as in MlTreeValueItem */
	double		y_mean;			/* divided by forest->scale */
} MlTreeGround;

/* The best split so far of a node. */
typedef struct MlTreeSplit
{
	double		score;			/* of both sides; -INFINITY: none */
	int32_t		feature;
	uint32_t	bin;			/* number: the last bin that goes left */
	uint32_t	next;			/* the next bin that holds rows */
	bool		category;		/* goes left where grower->left_side says so */
	bool		missing_left;
} MlTreeSplit;

/* Items that have one value of a feature: those of a node, which stay where they are while its descendants part them. */
typedef struct MlTreeConstant
{
	size_t		begin;
	size_t		end;			/* begin = end: none known */
} MlTreeConstant;

/* A node as it is grown. */
typedef struct MlTreeGrowNode
{
	double		threshold;		/* INFINITY: every number goes left */
	double		weight;
	double		impurity;		/* times weight */
	double		gain;			/* decrease of that; 0: a leaf */
	uint32_t	rows;
	uint32_t	left;			/* 0: a leaf */
	int32_t		feature;
	uint32_t	bin;
	uint32_t	set_first;		/* a category: grower->code[set_first ..] */
	uint32_t	set_count;
	uint32_t	depth;
	bool		category;
	bool		set_left;
	bool		missing_left;
} MlTreeGrowNode;

/* A node that waits for being split. */
typedef struct MlTreeFrame
{
	uint32_t	node;
	size_t		begin;			/* its items */
	size_t		end;
	double		priority;		/* best first only */
} MlTreeFrame;

typedef struct MlTreeRank
{
	double		key;
	uint32_t	bin;
} MlTreeRank;

/* The room of one thread. */
typedef struct MlTreeGrower
{
	const MlTreeGround *ground;
	void	   *item;
	void	   *spare;
	uint16_t   *bag;			/* by row: how often it was drawn */
	size_t		n;				/* items */
	uint64_t	random;
	MlStatus	status;			/* of asking for more room */

	/* One feature of one node. */
	double	   *hist;			/* by bin the stats; all zero between features */
	uint32_t   *hist_rows;		/* by bin */
	uint64_t   *seen;			/* a bit for each bin */
	uint32_t   *touched;		/* bins that hold rows, ascending, the missing one last */
	uint16_t   *bin_of;			/* by item, for random splits */
	MlTreeRank *rank;
	bool	   *left_side;		/* by bin of the best category split: goes left */
	bool	   *try_side;
	double	   *left;			/* stats */
	double	   *best_left;
	double	   *total;
	size_t		best_left_rows;
	MlTreeSplit best;
	int32_t    *feature;		/* a permutation of those that can split */
	MlTreeConstant *constant;	/* by feature: the node where it was last found to split nothing */
	int32_t		n_features;

	/* The tree. */
	MlTreeGrowNode *node;
	uint32_t	n_nodes;
	uint32_t	node_capacity;
	double	   *node_stats;		/* by node, width each */
	uint16_t   *code;
	uint32_t	n_codes;
	uint32_t	code_capacity;
	MlTreeFrame *frame;
	uint32_t	n_frames;
	uint32_t	frame_capacity;
	double	   *gain;			/* by feature */

	/* For keeping it. */
	uint32_t   *order;
	uint32_t	order_capacity;
	double	   *value;
	uint32_t	value_capacity;
	uint32_t   *table;
	uint32_t	table_capacity;
	uint32_t	table_size;
} MlTreeGrower;

static inline uint64_t
ml_tree_random(MlTreeGrower *grower)
{
	grower->random += UINT64_C(0x9E3779B97F4A7C15);
	return ml_mix64(grower->random);
}

/* 0 .. n-1 */
static inline uint32_t
ml_tree_random_below(MlTreeGrower *grower, uint32_t n)
{
	return (uint32_t) (((ml_tree_random(grower) >> 32) * n) >> 32);
}

static inline double
ml_tree_random_uniform(MlTreeGrower *grower)
{
	return (double) (ml_tree_random(grower) >> 11) * 0x1.0p-53;
}

static inline size_t
ml_tree_item_size(const MlTreeGround *ground)
{
	return ground->classes ? sizeof(MlTreeClassItem) : sizeof(MlTreeValueItem);
}

static inline uint32_t
ml_tree_bin(const MlGbdtColumn *column, uint32_t row)
{
	return column->narrow != NULL ? column->narrow[row] : column->wide[row];
}

/* ---- split.c ---- */

/*
 * Looks for a split of items begin .. end-1 on a feature; grower->total has their stats.
 * A better one than grower->best goes there.  False: all rows have one value.
 */
extern bool ml_tree_split_feature(MlTreeGrower *grower, int32_t feature, size_t begin, size_t end);

/* What the rows with these stats are worth: -impurity times weight, but for a constant that the sides have in common. */
extern double ml_tree_score(const MlTreeGround *ground, const double *stats);
extern double ml_tree_weight(const MlTreeGround *ground, const double *stats);

/* ---- grow.c ---- */
extern MlStatus ml_tree_grower_create(MlEnv *env, const MlTreeGround *ground, size_t most_items, MlTreeGrower *grower);

/* Grows a tree on grower->item[0 .. n-1].  ML_CANCELED in thread 0 only; "stop" is looked at by all. */
extern MlStatus ml_tree_grow(MlTreeGrower *grower, int thread, const bool *stop);

/* Room for one more node or code.  Takes the lock of the pool, for the arena is everyone's. */
extern MlStatus ml_tree_more_room(MlTreeGrower *grower, void **array, uint32_t used, uint32_t more, size_t size, uint32_t *capacity);

/* ---- prune.c ---- */

/* Minimal cost-complexity pruning: cuts the weakest splits, as long as they are worth less than alpha a leaf. */
extern MlStatus ml_tree_prune(MlTreeGrower *grower, double alpha);

/* ---- keep.c ---- */

/* The grown tree as it is kept; thresholds are ranked by limits of bins, or by those of the forest when "exact". */
extern MlStatus ml_tree_keep(MlTreeGrower *grower, const MlTreeForest *forest, MlTree *tree);

/* The thresholds of the forest: limits of bins, or those of the one tree in hand. */
extern MlStatus ml_tree_thresholds_of_bins(MlEnv *env, const MlTreeGround *ground, MlTreeForest *forest);
extern MlStatus ml_tree_thresholds_of_tree(MlTreeGrower *grower, MlTreeForest *forest);

/* ---- fit.c ---- */

typedef struct MlTreePlan
{
	MlTreeRules rules;
	uint32_t	n_trees;
	bool		bootstrap;
	double		max_samples;	/* a share of the rows, or their number above 1; 0: all */
	bool		oob;
	bool		permutation;
	int32_t		max_bin;
} MlTreePlan;

extern MlStatus ml_tree_fit(MlEnv *env, const MlDataset *data, const MlTreePlan *plan, MlTreeForest **forest);
extern size_t ml_tree_memory(const MlSchema *schema, const MlTreePlan *plan, size_t n, int threads);

#endif							/* ML_ALGO_FOREST_GROW_INTERNAL_H */
