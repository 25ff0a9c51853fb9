/*-------------------------------------------------------------------------
 * grow_internal.h
 *	  The state of growing one tree, shared by grow.c, hist.c, partition.c and
 *	  leaves.c.
 *
 * A leaf is a range of "rows", whose order inside a leaf stays ascending.  A leaf
 * that may still be split keeps its histogram in a slot; when slots run out the
 * leaf of least gain gives its own up, and its children are built from rows.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_GBDT_GROW_INTERNAL_H
#define ML_ALGO_GBDT_GROW_INTERNAL_H

#include "ml/algo/gbdt/gbdt_internal.h"

typedef struct MlGbdtLeaf
{
	size_t		begin;			/* its rows: grower->rows[begin .. begin+count) */
	size_t		count;
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
	MlGbdtSum  *partial;		/* a whole histogram; thread 0 has none, it writes to the slot */
	bool		used;
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
	uint32_t   *rows;			/* bins->n */
	uint32_t   *to_left;		/* bins->n each, for partitioning */
	uint32_t   *to_right;
	size_t	   *block_left;		/* rows that each block sent left */
	MlGbdtGradient *gradient;	/* bins->n, by row */
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

	double	   *block_sum;		/* quantise.c */

	const uint32_t *drawn;		/* the tree's rows, ascending */
	uint32_t   *leaf_of;		/* by row: its leaf, when the tree is grown.  The room of to_left */
	double	   *leaf_value;		/* by leaf */
	MlGbdtLeafSum *leaf_sum;	/* by block of sum_rows rows: two for each leaf */
	size_t		sum_rows;
	double	   *median_value;	/* bins->n each, absolute loss only */
	double	   *median_weight;
};

/* hist.c */

/*
 * Adds the rows of a leaf to the histograms of the columns in bytes in use number first .. last-1, at most ML_GBDT_TILE; packed
 * is of the thread's room.
 */
extern void ml_gbdt_hist_rows(const MlGbdtGrower *grower, const uint32_t *rows, size_t n, int first, int last,
							  int64_t *packed, MlGbdtSum *hist);

/* Those of all bytes in use, ML_GBDT_TILE at a time. */
extern void ml_gbdt_hist_tiles(const MlGbdtGrower *grower, const uint32_t *rows, size_t n, int64_t *packed, MlGbdtSum *hist);

/* The histogram of one column of any width; hist must be zero.  Returns how many bins hold rows; they are in touched[]. */
extern uint32_t ml_gbdt_hist_column(const MlGbdtGrower *grower, const MlGbdtColumn *column, const uint32_t *rows, size_t n,
									MlGbdtSum *hist, uint32_t *touched);

/* Builds the histograms of all narrow columns in use in a slot; other threads' shares stay in their rooms (room->used). */
extern MlStatus ml_gbdt_hist_leaf(MlEnv *env, MlGbdtGrower *grower, const MlGbdtLeaf *leaf, MlGbdtSum *hist);

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

/* Moves the rows whose bin goes left (x->goes_left) to the front, both sides in their old order; how many: x->n_left. */
extern void ml_gbdt_partition(MlGbdtGrower *grower, MlGbdtExpansion *x, const MlGbdtColumn *column, size_t begin, size_t count);
extern MlStatus ml_gbdt_partition_shared(MlEnv *env, MlGbdtGrower *grower, MlGbdtExpansion *x, const MlGbdtColumn *column,
										 size_t begin, size_t count);

/* Rows to two places with room for n each; returns how many went left.  goes_left[] is 0 or 1; to_left may be rows itself. */
extern size_t ml_gbdt_sort_rows(const MlGbdtColumn *column, const uint8_t *goes_left, const uint32_t *rows, size_t n,
								uint32_t *to_left, uint32_t *to_right);

/* The other way: both sides ascend, and together they will again. */
extern void ml_gbdt_unpartition(MlGbdtGrower *grower, size_t begin, size_t count, size_t n_left);

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

/* The histogram of a leaf's rows into its slot; "shared": by all threads, whose shares stay in their rooms. */
extern MlStatus ml_gbdt_build(MlEnv *env, MlGbdtGrower *grower, const MlGbdtLeaf *leaf, MlGbdtRoom *room, bool shared);

/* Which bins go left, and what the node says. */
extern void ml_gbdt_decide_number(MlGbdtExpansion *x, const MlGbdtColumn *column, const MlGbdtSplit *split);
extern void ml_gbdt_decide_category(MlGbdtExpansion *x, const MlGbdtColumn *column, uint32_t n);

/* The best split of the root, whose slot is ready. */
extern MlStatus ml_gbdt_expand_root(MlEnv *env, MlGbdtGrower *grower, MlGbdtLeaf *root);

/* Works out what splitting x->leaf gives: by all threads ("shared", from thread 0), or by this one alone. */
extern MlStatus ml_gbdt_expand(MlEnv *env, MlGbdtGrower *grower, MlGbdtExpansion *x, int thread, bool shared);

/* leaves.c */

/* Values of all leaves from unrounded gradients, into their nodes; then adds them to the scores. */
extern MlStatus ml_gbdt_leaf_values(MlEnv *env, MlGbdtGrower *grower);
extern MlStatus ml_gbdt_leaf_scores(MlEnv *env, MlGbdtGrower *grower);

#endif							/* ML_ALGO_GBDT_GROW_INTERNAL_H */
