/*-------------------------------------------------------------------------
 * grow_internal.h
 *	  The state of growing one tree, shared by grow.c, hist.c, partition.c and
 *	  leaves.c.
 *
 * A leaf is a range of rows, whose order inside a leaf stays ascending.  Splitting moves
 * them from one of two arrays to the same range of the other; the root's are still those
 * that were drawn for the tree.  A leaf that may still be split keeps its histogram in a slot; when slots run out the
 * leaf of least gain gives its own up, and its children are built from rows.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_GBDT_GROW_INTERNAL_H
#define ML_ALGO_GBDT_GROW_INTERNAL_H

#include "ml/algo/gbdt/gbdt_internal.h"

typedef struct MlGbdtLeaf
{
	size_t		begin;			/* where its range begins */
	size_t		count;
	const uint32_t *rows;		/* its first row */
	MlGbdtSum	total;
	int32_t		depth;			/* 0: the root */
	int32_t		slot;			/* -1: no histogram */
	bool		wide_kept;		/* the slot holds those of wide columns as well */
	uint32_t	node;			/* in grower->node */
	int32_t		expansion;		/* in grower->ahead, -1: not expanded */
	double		extra_l2;		/* cat_l2 below a split on sorted categories */
	double		lower;			/* bounds of its value, before the learning rate */
	double		upper;
	uint64_t	path;			/* which leaf of the tree this is, whatever the order of splits */
	MlGbdtSplit best;
} MlGbdtLeaf;

/* A leaf's split, worked out, perhaps before the order of splits comes to it. */
typedef struct MlGbdtExpansion
{
	int32_t		leaf;			/* -1: free */
	bool		done;
	bool		as_expected;	/* n_left is child[0].count */
	MlGbdtLeaf	child[2];		/* left, right */
	int			small;			/* the one with fewer rows */
	bool		wanted[2];		/* may this one be split at all? */
	bool		subtract;		/* the larger one's slot holds the histogram of both */
	size_t		n_left;			/* rows that went left */
	bool		missing_left;
	double		value;			/* of a number's node */
	uint32_t	n_codes;		/* of a category's set */
	uint32_t   *code;
	uint8_t    *goes_left;		/* by bin */
} MlGbdtExpansion;

/* Gradients and hessians, unrounded. */
typedef double MlGbdtLeafSum __attribute__((vector_size(16)));

/* Room of one thread. */
typedef struct MlGbdtRoom
{
	MlGbdtSum  *partial;		/* a whole histogram, for what this thread adds to another's leaf, all zero between uses; NULL with one thread */
	int64_t    *packed;			/* histograms of a tile of bytes, of packed sums or of combinations, all zero between uses */
	MlGbdtSum  *wide;			/* histogram of one wide column, all zero between uses */
	MlGbdtSum  *spread;			/* histogram of a column of a bundle */
	uint32_t   *touched;
	MlGbdtRank *rank;
	MlGbdtSplit *found;			/* two per column in use */
	bool	   *barred;			/* two per column in use: not for this leaf */
} MlGbdtRoom;

struct MlGbdtGrower
{
	const MlGbdtBins *bins;
	const MlGbdtRules *rules;
	int			threads;
	MlGbdtScale scale;

	/* One tree. */
	MlGbdtLoss *loss;
	int32_t		output;
	uint64_t	tree;			/* its number among all */
	size_t		n_rows;
	uint32_t   *rows[2];		/* bins->n each */
	MlGbdtGradients gradients;	/* bins->n, by row, in one piece of memory */
	int		   *narrow;			/* the narrow columns in use: numbers in bins->narrow, ascending */
	int			n_narrow;
	int		   *byte;			/* the bytes of a row that hold them, ascending */
	bool	   *in_use;			/* by stored column */
	int			n_bytes;
	int		   *wide;			/* features of the wide columns in use */
	int			n_wide;

	MlGbdtLeaf *leaf;
	int32_t		n_leaves;
	int32_t		max_leaves;
	int32_t    *heap;			/* leaves that can be split, the best one first */
	int32_t		n_heap;
	MlGbdtNode *node;			/* pairs of children in order of creation */
	uint32_t	n_nodes;
	uint16_t   *set;
	uint32_t	n_set;
	uint32_t	set_capacity;

	MlGbdtSum **slot;
	size_t		slot_entries;	/* of narrow columns, then of wide ones where they are kept */
	uint32_t   *wide_offset;	/* by feature: where a wide column's histogram begins; NULL: they are not kept */
	MlGbdtLeaf **slot_owner;	/* who may lose it; NULL: nobody has it, or it is in use */
	int32_t		n_slots;		/* allocated */
	int32_t		max_slots;
	int32_t    *free_slot;
	int32_t		n_free;
	MlGbdtRoom *room;			/* by thread */
	MlGbdtExpansion *ahead;
	int			n_ahead;
	int			in_flight;		/* expansions that threads work on */

	struct MlGbdtLevels *levels;	/* of symmetric trees, else NULL */

	MlGbdtSum  *block_sum;		/* quantise.c */

	const uint32_t *drawn;		/* the tree's rows, ascending */
	uint32_t   *leaf_of;		/* by row: its leaf, when the tree is grown.  Before that, see partition.c */
	double	   *leaf_value;		/* by leaf */
	MlGbdtLeafSum *leaf_sum;	/* by block of sum_rows rows: two for each leaf */
	size_t		sum_rows;
	double	   *median_value;	/* bins->n each, absolute loss only */
	double	   *median_weight;
};

/* hist.c */

/* Adds rows to the histograms of the columns in all bytes in use, ML_GBDT_TILE at a time; packed is of the thread's room. */
extern void ml_gbdt_hist_tiles(const MlGbdtGrower *grower, const uint32_t *rows, size_t n, int64_t *packed, MlGbdtSum *hist);

/* The histogram of one column of any width; hist must be zero.  Returns how many bins hold rows; they are in touched[]. */
extern uint32_t ml_gbdt_hist_column(const MlGbdtGrower *grower, const MlGbdtColumn *column, const uint32_t *rows, size_t n,
									MlGbdtSum *hist, uint32_t *touched);

/* Builds the histograms of all narrow columns in use in a slot; threads that have nothing else to do take part. */
extern MlStatus ml_gbdt_hist_leaf(MlEnv *env, MlGbdtGrower *grower, const MlGbdtLeaf *leaf, int thread, MlGbdtSum *hist);

/* Bytes whose histograms stay in the second-level cache together. */
#define ML_GBDT_TILE 128
/* Packed histograms are so many entries apart, whatever their bins: no power of two, for their cache sets must differ. */
#define ML_GBDT_PACKED_STRIDE 260

/* Numbers in "packed" for so many bytes: where some are combinations, histograms of sums of two are there as well. */
static inline size_t
ml_gbdt_packed_room(size_t bytes, bool joint)
{
	return (bytes < ML_GBDT_TILE ? bytes : ML_GBDT_TILE) * ML_GBDT_PACKED_STRIDE * (joint ? 2 : 1);
}

/* partition.c */

/*
 * Moves the rows of x->leaf to its halves, both in their old order, by the table x->goes_left of their bins; how many went left:
 * x->n_left.  That must be child[0].count, else the halves hold no rows.
 */
extern MlStatus ml_gbdt_partition(MlEnv *env, MlGbdtGrower *grower, MlGbdtExpansion *x, const MlGbdtColumn *column, int thread);

/*
 * Those n rows whose goes_left[bin] is 1 to the front of to[], the others from to[n_left] on.  Returns how many went left; when they
 * are not n_left, as they should be, to[] is not filled.
 */
extern size_t ml_gbdt_sort_rows(const MlGbdtColumn *column, const uint8_t *goes_left, const uint32_t *rows, size_t n, size_t n_left, uint32_t *to);

/* quantise.c */

/* The tree's rows in their first order, and their gradients as integers; *total is their sum. */
extern MlStatus ml_gbdt_quantise(MlEnv *env, MlGbdtGrower *grower, MlGbdtSum *total);

/* grow.c */

/*
 * A slot for a new leaf.  If there is none left and "insist", that of the least
 * promising leaf which nobody works on; else leaf->slot stays -1.
 */
extern MlStatus ml_gbdt_take_slot(MlEnv *env, MlGbdtGrower *grower, MlGbdtLeaf *leaf, bool insist);
extern void ml_gbdt_give_slot(MlGbdtGrower *grower, MlGbdtLeaf *leaf);
extern bool ml_gbdt_may_split(const MlGbdtGrower *grower, const MlGbdtLeaf *leaf);

/* The halves of leaf l, whose split is known, before any row has moved: all but their best splits. */
extern void ml_gbdt_describe_children(const MlGbdtGrower *grower, MlGbdtExpansion *x, int32_t l);

/* The split of an expanded leaf becomes part of the tree; the right half is a new leaf. */
extern MlStatus ml_gbdt_carry_out(MlEnv *env, MlGbdtGrower *grower, MlGbdtExpansion *x);

/* symmetric.c */
extern MlStatus ml_gbdt_levels_create(MlEnv *env, MlGbdtGrower *grower);

/* Grows the tree level by level, each with one condition for all its leaves. */
extern MlStatus ml_gbdt_grow_levels(MlEnv *env, MlGbdtGrower *grower);

/* expand.c */

/* Which columns are not drawn for a leaf: barred[] has a stride of two, and is added to. */
extern void ml_gbdt_bar_columns(const MlEnv *env, const MlGbdtGrower *grower, const MlGbdtLeaf *leaf, bool *barred);

/* Which bins go left, and what the node says. */
extern void ml_gbdt_decide_number(MlGbdtExpansion *x, const MlGbdtColumn *column, const MlGbdtSplit *split);
extern void ml_gbdt_decide_category(MlGbdtExpansion *x, const MlGbdtColumn *column, uint32_t n);

/* The best split of the root, whose slot is ready. */
extern MlStatus ml_gbdt_expand_root(MlEnv *env, MlGbdtGrower *grower, MlGbdtLeaf *root);

/* Works out what splitting x->leaf gives; threads that have nothing else to do take part. */
extern MlStatus ml_gbdt_expand(MlEnv *env, MlGbdtGrower *grower, MlGbdtExpansion *x, int thread);

/* leaves.c */

/* Values of all leaves from unrounded gradients, into their nodes; then adds them to the scores. */
extern MlStatus ml_gbdt_leaf_values(MlEnv *env, MlGbdtGrower *grower);
extern MlStatus ml_gbdt_leaf_scores(MlEnv *env, MlGbdtGrower *grower);

#endif							/* ML_ALGO_GBDT_GROW_INTERNAL_H */
