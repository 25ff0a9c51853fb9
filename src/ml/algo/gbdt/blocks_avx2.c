/*-------------------------------------------------------------------------
 * blocks_avx2.c
 *	  Blocks of rows with AVX2: forests on numbers only.
 *-------------------------------------------------------------------------
 */
#include "ml/algo/gbdt/blocks_internal.h"

#ifdef ML_SIMD_X86
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline)) ML_TARGET_AVX2

/* 32 rows whose rank is above a limit. */
INLINE uint32_t
above_narrow(const uint8_t *rank, uint32_t limit)
{
	__m256i		r = _mm256_load_si256((const __m256i *) rank);

	return (uint32_t) _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_max_epu8(r, _mm256_set1_epi8((char) (limit + 1))), r));
}

INLINE uint32_t
above_wide(const uint16_t *rank, uint32_t limit)
{
	__m256i		least = _mm256_set1_epi16((short) (limit + 1));
	__m256i		a = _mm256_load_si256((const __m256i *) rank);
	__m256i		b = _mm256_load_si256((const __m256i *) (rank + 16));

	a = _mm256_cmpeq_epi16(_mm256_max_epu16(a, least), a);
	b = _mm256_cmpeq_epi16(_mm256_max_epu16(b, least), b);
	return (uint32_t) _mm256_movemask_epi8(_mm256_permute4x64_epi64(_mm256_packs_epi16(a, b), 0xD8));
}

INLINE void
spread_rows(const MlGbdtBlocks *b, const MlGbdtBlockRoom *room, uint32_t tree, uint64_t rows)
{
	const MlGbdtBlockSplit *split = b->split + b->first_split[tree];
	uint32_t	n = b->first_split[tree + 1] - b->first_split[tree];
	uint64_t   *at = room->at;

	at[0] = rows;
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t	input = split[i].input / 2;
		uint64_t	here = at[split[i].node];
		uint64_t	right;

		if (input < (uint32_t) b->n_narrow)
		{
			const uint8_t *rank = room->rank + input * ROWS;

			right = above_narrow(rank, split[i].what) | (uint64_t) above_narrow(rank + 32, split[i].what) << 32;
		}
		else
		{
			const uint16_t *rank = (const uint16_t *) (room->rank + (2 * input - (uint32_t) b->n_narrow) * ROWS);

			right = above_wide(rank, split[i].what) | (uint64_t) above_wide(rank + 32, split[i].what) << 32;
		}
		right &= room->keep[split[i].input] & here;
		at[2 * i + 1] = here ^ right;
		at[2 * i + 2] = right;
	}
}

/* 32 bits as bytes of all ones or zeros. */
INLINE __m256i
spread_bits(uint32_t bits)
{
	const __m256i from = _mm256_setr_epi64x(0, INT64_C(0x0101010101010101), INT64_C(0x0202020202020202), INT64_C(0x0303030303030303));
	const __m256i bit = _mm256_set1_epi64x((int64_t) UINT64_C(0x8040201008040201));

	return _mm256_cmpeq_epi8(_mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32((int) bits), from), bit), bit);
}

INLINE void
add_leaves(const MlGbdtBlocks *b, const MlGbdtBlockRoom *room, uint32_t tree, double *score)
{
	const uint16_t *leaf = b->leaf + b->first_leaf[tree];
	const double *value = b->value + b->first_leaf[tree];
	uint32_t	n = b->first_leaf[tree + 1] - b->first_leaf[tree];
	__m256i		low = _mm256_setzero_si256();
	__m256i		high = low;
	uint8_t		ids[ROWS] __attribute__((aligned(64)));

	/* A row is at one leaf only. */
	for (uint32_t i = 1; i < n; i++)
	{
		__m256i		number = _mm256_set1_epi8((char) i);
		uint64_t	rows = room->at[leaf[i]];

		low = _mm256_or_si256(low, _mm256_and_si256(spread_bits((uint32_t) rows), number));
		high = _mm256_or_si256(high, _mm256_and_si256(spread_bits((uint32_t) (rows >> 32)), number));
	}
	_mm256_store_si256((__m256i *) ids, low);
	_mm256_store_si256((__m256i *) (ids + 32), high);
	for (int i = 0; i < ROWS; i++)
		score[i] += value[ids[i]];
}

ML_TARGET_AVX2 void
ml_gbdt_blocks_avx2(const MlGbdtForest *forest, const double *x, size_t n, const MlGbdtBlockRoom *room)
{
	const MlGbdtBlocks *b = forest->blocks;
	uint32_t	k = 0;

	ml_gbdt_blocks_rank_narrow(b, x, n, room);
	ml_gbdt_blocks_rank_wide(b, x, n, room);
	for (uint32_t t = 0; t < forest->n_trees; t++)
	{
		spread_rows(b, room, t, some_rows(n));
		add_leaves(b, room, t, room->score + k * ROWS);
		k = k + 1 == (uint32_t) forest->n_outputs ? 0 : k + 1;
	}
}

#else

void
ml_gbdt_blocks_avx2(const MlGbdtForest *forest, const double *x, size_t n, const MlGbdtBlockRoom *room)
{
}

#endif
