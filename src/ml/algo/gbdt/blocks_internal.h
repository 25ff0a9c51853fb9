/*-------------------------------------------------------------------------
 * blocks_internal.h
 *	  What the parts of blocks.c share.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_GBDT_BLOCKS_INTERNAL_H
#define ML_ALGO_GBDT_BLOCKS_INTERNAL_H

#include "ml/algo/gbdt/engine.h"

#define ROWS ML_BATCH_ROWS
#define MAX_INPUTS 4096			/* ranks of a block stay in the second-level cache */
#define MAX_LEAVES 256			/* a leaf's number is a byte */
#define MAX_NODES (2 * MAX_LEAVES)
#define MAX_NARROW 255			/* thresholds of an input whose ranks are bytes */
#define CODE_CHUNK 512			/* categories by vector of bits */
#define MAX_CHUNKS 16
#define BITS_BYTES ((size_t) 16 * 1024 * 1024)
#define CODE_SPLIT 0x8000		/* MlGbdtBlockSplit.input: a code slot */

typedef struct MlGbdtBlockInput
{
	int32_t		feature;
	int			levels;			/* of the search; 0 for wide ones */
	float	   *table;			/* 1 << levels: level k from 1 << k on; thresholds rounded down */
	uint32_t	count;
	const double *value;		/* thresholds */
	bool		single;			/* all of them are float32 */
} MlGbdtBlockInput;

/* What a split asks, in the order of its tree's nodes: the k-th one leads to nodes 2k + 1 and 2k + 2. */
typedef struct MlGbdtBlockSplit
{
	uint16_t	input;			/* 2 * input + missing_left; or CODE_SPLIT | slot */
	uint16_t	node;
	uint32_t	what;			/* right when the rank is above this; or the number of the set in its slot */
} MlGbdtBlockSplit;

typedef struct MlGbdtCodeBits
{
	uint32_t	chunks;
	uint8_t    *bits;			/* by set: chunks vectors; 1: right */
} MlGbdtCodeBits;

struct MlGbdtBlocks
{
	bool		vbmi;			/* the processor has it */
	int32_t		n_inputs;
	int32_t		n_narrow;		/* they come first */
	MlGbdtBlockInput *input;
	MlGbdtCodeBits *code;		/* by code slot */
	MlGbdtBlockSplit *split;
	uint32_t   *first_split;	/* by tree, and the end */
	uint16_t   *leaf;			/* nodes, by tree */
	double	   *value;			/* of leaves, by tree */
	uint32_t   *first_leaf;		/* by tree, and the end */
};

/* In scratch. */
typedef struct MlGbdtBlockRoom
{
	uint8_t    *rank;			/* narrow inputs x 64, then wide ones as uint16 */
	uint64_t   *keep;			/* by input: all rows, rows where it is not missing */
	uint8_t    *code;			/* by slot: which byte, which bit, then the rows of each chunk */
	double	   *score;			/* outputs x 64 */
	uint64_t   *at;				/* rows at each node */
} MlGbdtBlockRoom;

#define CODE_ROOM (2 * ROWS + MAX_CHUNKS * sizeof(uint64_t))

/* Rows 0 .. n-1. */
static inline uint64_t
some_rows(size_t n)
{
	return n == ROWS ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1;
}

/* blocks.c: ranks of numbers, one after the other. */
extern void ml_gbdt_blocks_rank_narrow(const MlGbdtBlocks *b, const double *x, size_t n, const MlGbdtBlockRoom *room);
extern void ml_gbdt_blocks_rank_wide(const MlGbdtBlocks *b, const double *x, size_t n, const MlGbdtBlockRoom *room);

/* Add all trees to room->score. */
extern void ml_gbdt_blocks_avx512(const MlGbdtForest *forest, const double *x, size_t n, const MlGbdtBlockRoom *room);
extern void ml_gbdt_blocks_avx2(const MlGbdtForest *forest, const double *x, size_t n, const MlGbdtBlockRoom *room);

#endif							/* ML_ALGO_GBDT_BLOCKS_INTERNAL_H */
