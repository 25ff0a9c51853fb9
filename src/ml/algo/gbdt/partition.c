/*-------------------------------------------------------------------------
 * partition.c
 *	  Rows of a leaf to its two children, each side in its old order.
 *
 * The histogram has said how many rows go left, so both sides are written where
 * they belong, into the array that the leaf's rows are not in.  No branch depends on
 * the data: a balanced split mispredicts every other row otherwise.
 *
 * What is decided for sixteen rows is a number of sixteen bits.  Threads that part a large
 * leaf together note these first, block by block, and then know where the rows of
 * each block go.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "ml/algo/gbdt/grow_internal.h"
#include "ml/base/lanes.h"
#include "ml/base/pool.h"
#include "ml/base/simd.h"

#ifdef ML_SIMD_X86
#include <immintrin.h>
#endif

/* A multiple of sixteen. */
#define BLOCK_ROWS 32768
/* Leaves of fewer rows are one thread's. */
#define SHARED_ROWS (2 * BLOCK_ROWS)

/* How to decide. */
typedef struct Sides
{
	const uint8_t *narrow;		/* the column's bins, one of both */
	const uint16_t *wide;
	const uint8_t *goes_left;	/* by bin: 0 or 1 */
} Sides;

/* Where the next row of each side goes, and where that side ends. */
typedef struct Places
{
	uint32_t   *to;
	size_t		left;
	size_t		left_end;
	size_t		right;
	size_t		right_end;
} Places;

/* One bit for each of n rows, at most sixteen: does it go left? */
ML_LANES_INLINE unsigned
decide(const Sides *sides, const uint32_t *rows, int n)
{
	unsigned	low = 0;
	unsigned	high = 0;

	if (n < 16)
	{
		for (int k = 0; k < n; k++)
			low |= (unsigned) sides->goes_left[sides->narrow ? sides->narrow[rows[k]] : sides->wide[rows[k]]] << k;
		return low;
	}
	/* Bins that are gathered by one instruction take twice as long. */
#pragma GCC unroll 8
	for (int k = 0; k < 8; k++)
	{
		uint32_t	r = rows[k];
		uint32_t	s = rows[8 + k];

		low |= (unsigned) sides->goes_left[sides->narrow ? sides->narrow[r] : sides->wide[r]] << k;
		high |= (unsigned) sides->goes_left[sides->narrow ? sides->narrow[s] : sides->wide[s]] << k;
	}
	return low | high << 8;
}

/* Moves n rows, at most sixteen; false when there are more on a side than there should be. */
ML_LANES_INLINE bool
move_some(unsigned left, const uint32_t *rows, int n, Places *places)
{
	size_t		count = (size_t) __builtin_popcount(left);

	if (places->left + count > places->left_end || places->right + (size_t) n - count > places->right_end)
		return false;
	for (int k = 0; k < n; k++)
	{
		size_t		l = left >> k & 1;

		places->to[l ? places->left : places->right] = rows[k];
		places->left += l;
		places->right += 1 - l;
	}
	return true;
}

/*
 * Decides, or has decided ("known": bits[] holds it), and moves, or does not move yet (places NULL: bits[] is
 * written).  Returns the number of rows that go left, or n + 1 when more do than should.
 */
ML_LANES_INLINE size_t
part_some(const Sides *sides, const uint32_t *rows, size_t n, bool known, uint16_t *bits, Places *places)
{
	size_t		n_left = 0;

	for (size_t i = 0; i < n; i += 16)
	{
		int			some = n - i < 16 ? (int) (n - i) : 16;
		unsigned	left = known ? bits[i / 16] : decide(sides, rows + i, some);

		n_left += (size_t) __builtin_popcount(left);
		if (places == NULL)
			bits[i / 16] = (uint16_t) left;
		else if (!move_some(left, rows + i, some, places))
			return n + 1;
	}
	return n_left;
}

#ifdef ML_SIMD_X86
/* Sixteen.  Rows are compressed in a register: into memory takes many times as long. */
ML_TARGET_AVX512 ML_LANES_INLINE bool
move_sixteen(unsigned left, const uint32_t *rows, Places *places)
{
	__m512i		row = _mm512_loadu_si512(rows);
	__m512i		to_left = _mm512_maskz_compress_epi32((__mmask16) left, row);
	__m512i		to_right = _mm512_maskz_compress_epi32((__mmask16) ~left, row);
	unsigned	count = (unsigned) __builtin_popcount(left);

	if (places->left + 16 <= places->left_end && places->right + 16 <= places->right_end)
	{
		_mm512_storeu_si512(places->to + places->left, to_left);
		_mm512_storeu_si512(places->to + places->right, to_right);
	}
	else
	{
		if (places->left + count > places->left_end || places->right + 16 - count > places->right_end)
			return false;
		_mm512_mask_storeu_epi32(places->to + places->left, (__mmask16) ((1U << count) - 1), to_left);
		_mm512_mask_storeu_epi32(places->to + places->right, (__mmask16) ((1U << (16 - count)) - 1), to_right);
	}
	places->left += count;
	places->right += 16 - count;
	return true;
}

/* The same; n is a multiple of sixteen. */
ML_TARGET_AVX512 ML_LANES_INLINE size_t
part_sixteens(const Sides *sides, const uint32_t *rows, size_t n, bool known, uint16_t *bits, Places *places)
{
	size_t		n_left = 0;

	for (size_t i = 0; i < n; i += 16)
	{
		unsigned	left = known ? bits[i / 16] : decide(sides, rows + i, 16);

		n_left += (size_t) __builtin_popcount(left);
		if (places == NULL)
			bits[i / 16] = (uint16_t) left;
		else if (!move_sixteen(left, rows + i, places))
			return n + 1;
	}
	return n_left;
}

ML_TARGET_AVX512 static size_t
part_avx512(const Sides *sides, const uint32_t *rows, size_t n, bool known, uint16_t *bits, Places *places)
{
	const Sides narrow = {sides->narrow, NULL, sides->goes_left};
	const Sides wide = {NULL, sides->wide, sides->goes_left};
	Places		own;
	size_t		n_left;

	if (places == NULL)
		return sides->narrow != NULL ? part_sixteens(&narrow, rows, n, false, bits, NULL) : part_sixteens(&wide, rows, n, false, bits, NULL);
	own = *places;
	if (known)
		n_left = part_sixteens(sides, rows, n, true, bits, &own);
	else if (sides->narrow != NULL)
		n_left = part_sixteens(&narrow, rows, n, false, NULL, &own);
	else
		n_left = part_sixteens(&wide, rows, n, false, NULL, &own);
	*places = own;
	return n_left;
}
#endif

static size_t
part_rows(const Sides *sides, const uint32_t *rows, size_t n, bool known, uint16_t *bits, Places *places)
{
	size_t		done = 0;
	size_t		n_left = 0;

#ifdef ML_SIMD_X86
	if (ml_simd_tier() == ML_TIER_AVX512)
	{
		done = n / 16 * 16;
		n_left = part_avx512(sides, rows, done, known, bits, places);
		if (n_left > done)
			return n + 1;
	}
#endif
	rows += done;
	n -= done;
	bits = bits != NULL ? bits + done / 16 : NULL;
	if (known)
		return n_left + part_some(sides, rows, n, true, bits, places);
	if (sides->narrow != NULL)
		return n_left + part_some(&(Sides) {sides->narrow, NULL, sides->goes_left}, rows, n, false, bits, places);
	return n_left + part_some(&(Sides) {NULL, sides->wide, sides->goes_left}, rows, n, false, bits, places);
}

size_t
ml_gbdt_sort_rows(const MlGbdtColumn *column, const uint8_t *goes_left, const uint32_t *rows, size_t n, size_t n_left, uint32_t *to)
{
	Sides		sides = {column->narrow, column->wide, goes_left};
	Places		places = {to, 0, n_left, n_left, n};

	return part_rows(&sides, rows, n, false, NULL, &places);
}

/* ---- a large leaf ---- */

typedef struct PartitionJob
{
	const MlGbdtLeaf *leaf;
	Sides		sides;
	uint32_t   *to;
	uint16_t   *bits;			/* a bit for each row */
	uint32_t   *before;			/* by block: rows that go left; then that of all blocks before */
	size_t		n_left;
} PartitionJob;

static size_t
block_size(const PartitionJob *job, size_t block)
{
	size_t		rest = job->leaf->count - block * BLOCK_ROWS;

	return rest < BLOCK_ROWS ? rest : BLOCK_ROWS;
}

static void
decide_task(void *arg, size_t task, int thread)
{
	PartitionJob *job = arg;
	size_t		offset = task * BLOCK_ROWS;

	job->before[task] = (uint32_t) part_rows(&job->sides, job->leaf->rows + offset, block_size(job, task), false, job->bits + offset / 16, NULL);
}

static void
move_task(void *arg, size_t task, int thread)
{
	PartitionJob *job = arg;
	size_t		offset = task * BLOCK_ROWS;
	size_t		n = block_size(job, task);
	size_t		left = job->before[task];
	size_t		left_end = job->before[task + 1];
	Places		places = {job->to, left, left_end, job->n_left + offset - left, job->n_left + offset + n - left_end};

	(void) part_rows(&job->sides, job->leaf->rows + offset, n, true, job->bits + offset / 16, &places);
}

static MlStatus
part_shared(MlEnv *env, PartitionJob *job, int thread, size_t *n_left)
{
	size_t		blocks = (job->leaf->count + BLOCK_ROWS - 1) / BLOCK_ROWS;
	uint32_t	sum = 0;

	ML_TRY(ml_pool_share(env, thread, blocks, decide_task, NULL, job));
	for (size_t b = 0; b < blocks; b++)
	{
		uint32_t	left = job->before[b];

		job->before[b] = sum;
		sum += left;
	}
	job->before[blocks] = sum;
	*n_left = sum;
	return sum == job->n_left ? ml_pool_share(env, thread, blocks, move_task, NULL, job) : ML_OK;
}

MlStatus
ml_gbdt_partition(MlEnv *env, MlGbdtGrower *grower, MlGbdtExpansion *x, const MlGbdtColumn *column, int thread)
{
	const MlGbdtLeaf *leaf = &grower->leaf[x->leaf];
	bool		in_first = leaf->rows == grower->rows[0] + leaf->begin;
	PartitionJob job = {
		.leaf = leaf, .sides = {column->narrow, column->wide, x->goes_left}, .to = grower->rows[in_first ? 1 : 0] + leaf->begin,
		.n_left = x->child[0].count
	};

	/* While the root is parted there is nothing else to do: who has not noticed yet will. */
	if (leaf->count < SHARED_ROWS || (leaf->depth > 0 && !ml_pool_has_idle(env->pool)))
		x->n_left = ml_gbdt_sort_rows(column, x->goes_left, leaf->rows, leaf->count, job.n_left, job.to);
	else
	{
		/* Until the tree is grown, the leaf's range of leaf_of[] is free: two bytes a row for bits, two for blocks. */
		job.bits = (uint16_t *) (grower->leaf_of + leaf->begin);
		job.before = grower->leaf_of + leaf->begin + (leaf->count + 1) / 2;
		ML_TRY(part_shared(env, &job, thread, &x->n_left));
	}
	x->child[0].rows = job.to;
	x->child[1].rows = job.to + job.n_left;
	return ML_OK;
}
