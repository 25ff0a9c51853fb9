/*-------------------------------------------------------------------------
 * partition.c
 *	  Rows of a leaf to its two children, each side in its old order.
 *
 * No branch depends on the data: a balanced split mispredicts every other row
 * otherwise.  Large leaves are cut into blocks; each block sorts its rows into
 * two buffers and is copied to where the blocks before it end.
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

#define PARTITION_ROWS 32768

typedef struct PartitionJob
{
	MlGbdtGrower *grower;
	const MlGbdtExpansion *x;
	const MlGbdtColumn *column;
	size_t		begin;
	size_t		count;
	size_t		all_left;
} PartitionJob;

/* Where the rows of a leaf go, and how far that is done. */
typedef struct Sides
{
	uint32_t   *to_left;		/* may be the rows themselves: what is written has been read */
	uint32_t   *to_right;
	size_t		left;
	size_t		right;
} Sides;

static void
sort_some(const MlGbdtColumn *column, const uint8_t *goes_left, const uint32_t *rows, size_t n, Sides *sides)
{
	size_t		left = sides->left;
	size_t		right = sides->right;

	for (size_t i = 0; i < n; i++)
	{
		uint32_t	r = rows[i];
		uint8_t		l = goes_left[column->narrow ? column->narrow[r] : column->wide[r]];

		sides->to_left[left] = r;
		sides->to_right[right] = r;
		left += l;
		right += !l;
	}
	sides->left = left;
	sides->right = right;
}

#ifdef ML_SIMD_X86
/*
 * A multiple of sixteen rows.  A store of sixteen goes beyond its side's end, but not beyond what has been read.  (Bins that
 * are gathered by one instruction take twice as long, and compressing into memory many times as long as into a register.)
 */
ML_TARGET_AVX512 ML_LANES_INLINE void
sort_sixteens(const uint8_t *narrow, const uint16_t *wide, const uint8_t *goes_left, const uint32_t *rows, size_t n, Sides *sides)
{
	size_t		left = sides->left;
	size_t		right = sides->right;

	for (size_t i = 0; i < n; i += 16)
	{
		__m512i		row = _mm512_loadu_si512(rows + i);
		unsigned	low = 0;
		unsigned	high = 0;
		unsigned	count;

#pragma GCC unroll 8
		for (int k = 0; k < 8; k++)
		{
			uint32_t	r = rows[i + (size_t) k];
			uint32_t	s = rows[i + 8 + (size_t) k];

			low |= (unsigned) goes_left[narrow ? narrow[r] : wide[r]] << k;
			high |= (unsigned) goes_left[narrow ? narrow[s] : wide[s]] << k;
		}
		low |= high << 8;
		count = (unsigned) __builtin_popcount(low);
		_mm512_storeu_si512(sides->to_left + left, _mm512_maskz_compress_epi32((__mmask16) low, row));
		_mm512_storeu_si512(sides->to_right + right, _mm512_maskz_compress_epi32((__mmask16) ~low, row));
		left += count;
		right += 16 - count;
	}
	sides->left = left;
	sides->right = right;
}

ML_TARGET_AVX512 static void
sort_avx512(const MlGbdtColumn *column, const uint8_t *goes_left, const uint32_t *rows, size_t n, Sides *sides)
{
	if (column->narrow != NULL)
		sort_sixteens(column->narrow, NULL, goes_left, rows, n, sides);
	else
		sort_sixteens(NULL, column->wide, goes_left, rows, n, sides);
}
#endif

size_t
ml_gbdt_sort_rows(const MlGbdtColumn *column, const uint8_t *goes_left, const uint32_t *rows, size_t n, uint32_t *to_left, uint32_t *to_right)
{
	Sides		sides = {to_left, to_right, 0, 0};
	size_t		done = 0;

#ifdef ML_SIMD_X86
	if (ml_simd_tier() == ML_TIER_AVX512)
	{
		done = n / 16 * 16;
		sort_avx512(column, goes_left, rows, done, &sides);
	}
#endif
	sort_some(column, goes_left, rows + done, n - done, &sides);
	return sides.left;
}

void
ml_gbdt_partition(MlGbdtGrower *grower, MlGbdtExpansion *x, const MlGbdtColumn *column, size_t begin, size_t count)
{
	uint32_t   *rows = grower->rows + begin;
	uint32_t   *to_right = grower->to_right + begin;

	x->n_left = ml_gbdt_sort_rows(column, x->goes_left, rows, count, rows, to_right);
	memcpy(rows + x->n_left, to_right, (count - x->n_left) * sizeof(uint32_t));
}

static void
sort_task(void *arg, size_t task, int thread)
{
	PartitionJob *job = arg;
	MlGbdtGrower *grower = job->grower;
	size_t		offset = task * PARTITION_ROWS;
	size_t		count = job->count - offset < PARTITION_ROWS ? job->count - offset : PARTITION_ROWS;

	offset += job->begin;
	grower->block_left[task] = ml_gbdt_sort_rows(job->column, job->x->goes_left, grower->rows + offset, count,
										 grower->to_left + offset, grower->to_right + offset);
}

/* After block_left[] has become the number of rows that all blocks before sent left. */
static void
copy_task(void *arg, size_t task, int thread)
{
	PartitionJob *job = arg;
	MlGbdtGrower *grower = job->grower;
	size_t		offset = task * PARTITION_ROWS;
	size_t		count = job->count - offset < PARTITION_ROWS ? job->count - offset : PARTITION_ROWS;
	size_t		before = grower->block_left[task];
	size_t		left = grower->block_left[task + 1] - before;
	uint32_t   *to = grower->rows + job->begin;

	memcpy(to + before, grower->to_left + job->begin + offset, left * sizeof(uint32_t));
	memcpy(to + job->all_left + (offset - before), grower->to_right + job->begin + offset, (count - left) * sizeof(uint32_t));
}

MlStatus
ml_gbdt_partition_shared(MlEnv *env, MlGbdtGrower *grower, MlGbdtExpansion *x, const MlGbdtColumn *column, size_t begin, size_t count)
{
	PartitionJob job = {grower, x, column, begin, count, 0};
	size_t		blocks = (count + PARTITION_ROWS - 1) / PARTITION_ROWS;

	ML_TRY(ml_pool_run(env, blocks, sort_task, &job));
	for (size_t b = 0; b < blocks; b++)
	{
		size_t		left = grower->block_left[b];

		grower->block_left[b] = job.all_left;
		job.all_left += left;
	}
	grower->block_left[blocks] = job.all_left;
	x->n_left = job.all_left;
	return ml_pool_run(env, blocks, copy_task, &job);
}

void
ml_gbdt_unpartition(MlGbdtGrower *grower, size_t begin, size_t count, size_t n_left)
{
	uint32_t   *rows = grower->rows + begin;
	uint32_t   *left = grower->to_left + begin;
	size_t		a = 0;
	size_t		b = n_left;

	memcpy(left, rows, n_left * sizeof(uint32_t));
	for (size_t i = 0; a < n_left; i++)
		rows[i] = b < count && rows[b] < left[a] ? rows[b++] : left[a++];
}
