/*-------------------------------------------------------------------------
 * blocks_avx512.c
 *	  Blocks of rows with AVX-512 and its byte permutations (VBMI).
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "ml/algo/gbdt/blocks_internal.h"

#ifdef ML_SIMD_X86
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline)) ML_TARGET_AVX512_VBMI

/* One level of the search below the fifth: the table is in so many pairs of registers, told apart by bits 5 .. of the place. */
INLINE __m512
table_entry(const float *level, int pairs, __m512i e)
{
	__m512		t = _mm512_permutex2var_ps(_mm512_load_ps(level), e, _mm512_load_ps(level + 16));

	for (int i = 1; i < pairs; i++)
	{
		__m512i		pair = _mm512_and_si512(_mm512_srli_epi32(e, 5), _mm512_set1_epi32(pairs - 1));
		__m512		other = _mm512_permutex2var_ps(_mm512_load_ps(level + 32 * i), e, _mm512_load_ps(level + 32 * i + 16));

		t = _mm512_mask_mov_ps(t, _mm512_cmpeq_epi32_mask(pair, _mm512_set1_epi32(i)), other);
	}
	return t;
}

INLINE __m512i
search_level(__m512i e, __m512 t, __m512 x)
{
	__mmask16	above = _mm512_cmp_ps_mask(t, x, _CMP_LT_OQ);

	e = _mm512_add_epi32(e, e);
	return _mm512_mask_add_epi32(e, above, e, _mm512_set1_epi32(1));
}

/* Sixteen ranks; those of thresholds that are no float32 may be too high. */
INLINE __m512i
search(const MlGbdtBlockInput *in, __m512 x)
{
	__m512i		e = _mm512_set1_epi32(1);
	__m512		low = _mm512_load_ps(in->table);
	__m512		high = _mm512_load_ps(in->table + 16);

	for (int k = 0; k < in->levels && k < 5; k++)
		e = search_level(e, _mm512_permutex2var_ps(low, e, high), x);
	if (in->levels > 5)
		e = search_level(e, table_entry(in->table + 32, 1, e), x);
	if (in->levels > 6)
		e = search_level(e, table_entry(in->table + 64, 2, e), x);
	if (in->levels > 7)
		e = search_level(e, table_entry(in->table + 128, 4, e), x);
	return _mm512_sub_epi32(e, _mm512_set1_epi32(1 << in->levels));
}

/* Rounding made x look above thresholds between it and the next float32: very few, if any. */
INLINE __m256i
correct(const MlGbdtBlockInput *in, __m512d x, __m256i rank)
{
	for (;;)
	{
		__mmask8	some = _mm256_cmpgt_epi32_mask(rank, _mm256_setzero_si256());
		__m256i		below = _mm256_sub_epi32(rank, _mm256_set1_epi32(1));
		__m512d		t = _mm512_mask_i32gather_pd(_mm512_setzero_pd(), some, below, in->value, sizeof(double));
		__mmask8	wrong = _mm512_mask_cmp_pd_mask(some, x, t, _CMP_LE_OQ);

		if (wrong == 0)
			return rank;
		rank = _mm256_mask_mov_epi32(rank, wrong, below);
	}
}

INLINE __m128i
rank_sixteen(const MlGbdtBlockInput *in, const double *x, uint64_t *missing)
{
	__m512d		a = _mm512_loadu_pd(x);
	__m512d		b = _mm512_loadu_pd(x + 8);
	__m256		fa = _mm512_cvt_roundpd_ps(a, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
	__m256		fb = _mm512_cvt_roundpd_ps(b, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
	__m512i		rank = search(in, _mm512_insertf32x8(_mm512_castps256_ps512(fa), fb, 1));

	*missing = (uint64_t) _mm512_cmp_pd_mask(a, a, _CMP_UNORD_Q) | (uint64_t) _mm512_cmp_pd_mask(b, b, _CMP_UNORD_Q) << 8;
	if (!in->single)
		rank = _mm512_inserti64x4(_mm512_castsi256_si512(correct(in, a, _mm512_castsi512_si256(rank))),
								  correct(in, b, _mm512_extracti64x4_epi64(rank, 1)), 1);
	return _mm512_cvtepi32_epi8(rank);
}

/* Missing: see rank_bytes in blocks.c. */
INLINE void
rank_narrow(const MlGbdtBlockInput *in, const double *x, uint8_t *rank, uint64_t *keep)
{
	uint64_t	missing[4];
	__m512i		r = _mm512_castsi128_si512(rank_sixteen(in, x, &missing[0]));

	r = _mm512_inserti32x4(r, rank_sixteen(in, x + 16, &missing[1]), 1);
	r = _mm512_inserti32x4(r, rank_sixteen(in, x + 32, &missing[2]), 2);
	r = _mm512_inserti32x4(r, rank_sixteen(in, x + 48, &missing[3]), 3);
	missing[0] |= missing[1] << 16 | missing[2] << 32 | missing[3] << 48;
	_mm512_store_si512(rank, _mm512_mask_mov_epi8(r, missing[0], _mm512_set1_epi8(-1)));
	keep[0] = ~UINT64_C(0);
	keep[1] = ~missing[0];
}

static void
place_codes(const MlGbdtCodeSlot *slot, const double *x, size_t n, uint8_t *room)
{
	uint64_t   *chunk = (uint64_t *) (room + 2 * ROWS);

	memset(room, 0, CODE_ROOM);
	for (size_t i = 0; i < n; i++)
	{
		uint32_t	row = slot->row[ml_gbdt_code(x[i], slot->levels)];

		room[i] = (uint8_t) (row / 8 % 64);
		room[ROWS + i] = (uint8_t) (1 << row % 8);
		chunk[row / CODE_CHUNK] |= UINT64_C(1) << i;
	}
}

/* The rows that a split on a category sends right. */
INLINE uint64_t
code_right(const MlGbdtCodeBits *code, const uint8_t *room, uint32_t set)
{
	const uint64_t *chunk = (const uint64_t *) (room + 2 * ROWS);
	const uint8_t *bits = code->bits + (size_t) set * code->chunks * (CODE_CHUNK / 8);
	__m512i		place = _mm512_load_si512(room);
	__m512i		byte = _mm512_maskz_permutexvar_epi8(chunk[0], place, _mm512_load_si512(bits));

	for (uint32_t c = 1; c < code->chunks; c++)
		byte = _mm512_mask_permutexvar_epi8(byte, chunk[c], place, _mm512_load_si512(bits + c * (CODE_CHUNK / 8)));
	return _mm512_test_epi8_mask(byte, _mm512_load_si512(room + ROWS));
}

INLINE uint64_t
wide_right(const uint16_t *rank, uint32_t what)
{
	__m512i		limit = _mm512_set1_epi16((short) what);

	return (uint64_t) _mm512_cmpgt_epu16_mask(_mm512_load_si512(rank), limit) |
		(uint64_t) _mm512_cmpgt_epu16_mask(_mm512_load_si512(rank + 32), limit) << 32;
}

/* room->at for all nodes of a tree. */
INLINE void
spread_rows(const MlGbdtBlocks *b, const MlGbdtBlockRoom *room, uint32_t tree, bool plain, uint64_t rows)
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

		if (plain || (input < (uint32_t) b->n_narrow))
		{
			right = _mm512_cmpgt_epu8_mask(_mm512_load_si512(room->rank + input * ROWS), _mm512_set1_epi8((char) split[i].what));
			/* Kept apart from the AND: a comparison that waits for the parent's rows would make the chain longer. */
			__asm__ ("":"+r"(right));
			right &= room->keep[split[i].input];
		}
		else if ((split[i].input & CODE_SPLIT) == 0)
			right = wide_right((const uint16_t *) (room->rank + (2 * input - (uint32_t) b->n_narrow) * ROWS), split[i].what) &
				room->keep[split[i].input];
		else
			right = code_right(&b->code[split[i].input & ~CODE_SPLIT], room->code + (split[i].input & ~CODE_SPLIT) * CODE_ROOM,
							   split[i].what);
		right &= here;
		at[2 * i + 1] = here ^ right;
		at[2 * i + 2] = right;
	}
}

/* Each row adds the value of its leaf. */
INLINE void
add_leaves(const MlGbdtBlocks *b, const MlGbdtBlockRoom *room, uint32_t tree, double *score)
{
	const uint16_t *leaf = b->leaf + b->first_leaf[tree];
	const double *value = b->value + b->first_leaf[tree];
	uint32_t	n = b->first_leaf[tree + 1] - b->first_leaf[tree];
	__m512i		id = _mm512_setzero_si512();
	__m512i		number = id;
	uint8_t		ids[ROWS] __attribute__((aligned(64)));
	__m512d		v[4];

	for (uint32_t i = 1; i < n; i++)
	{
		number = _mm512_add_epi8(number, _mm512_set1_epi8(1));
		id = _mm512_mask_mov_epi8(id, room->at[leaf[i]], number);
	}
	_mm512_store_si512(ids, id);
	if (n > 32)
	{
		for (int i = 0; i < ROWS; i += 8)
			_mm512_store_pd(score + i, _mm512_add_pd(_mm512_load_pd(score + i),
													 _mm512_i32gather_pd(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *) (ids + i))), value, sizeof(double))));
		return;
	}
	for (int i = 0; i < 4; i++)
		v[i] = _mm512_loadu_pd(value + 8 * i);
	for (int i = 0; i < ROWS; i += 8)
	{
		__m512i		place = _mm512_cvtepu8_epi64(_mm_loadl_epi64((const __m128i *) (ids + i)));
		__m512d		a = _mm512_permutex2var_pd(v[0], place, v[1]);

		if (n > 16)
			a = _mm512_mask_mov_pd(a, _mm512_test_epi64_mask(place, _mm512_set1_epi64(16)), _mm512_permutex2var_pd(v[2], place, v[3]));
		_mm512_store_pd(score + i, _mm512_add_pd(_mm512_load_pd(score + i), a));
	}
}

/* Ranks and codes of the block. */
INLINE void
encode_rows(const MlGbdtForest *forest, const MlGbdtBlocks *b, const double *x, size_t n, const MlGbdtBlockRoom *room)
{
	for (int32_t i = 0; i < b->n_narrow; i++)
		rank_narrow(&b->input[i], x + (size_t) b->input[i].feature * ROWS, room->rank + (size_t) i * ROWS, room->keep + 2 * i);
	ml_gbdt_blocks_rank_wide(b, x, n, room);
	for (int32_t s = 0; s < forest->n_code_slots; s++)
		place_codes(&forest->code_slot[s], x + (size_t) forest->code_slot[s].feature * ROWS, n, room->code + (size_t) s * CODE_ROOM);
}

ML_TARGET_AVX512_VBMI void
ml_gbdt_blocks_avx512(const MlGbdtForest *forest, const double *x, size_t n, const MlGbdtBlockRoom *room)
{
	const MlGbdtBlocks *b = forest->blocks;
	bool		plain = b->n_inputs == b->n_narrow && forest->n_code_slots == 0;
	uint32_t	k = 0;

	encode_rows(forest, b, x, n, room);
	for (uint32_t t = 0; t < forest->n_trees; t++)
	{
		if (plain)
			spread_rows(b, room, t, true, some_rows(n));
		else
			spread_rows(b, room, t, false, some_rows(n));
		add_leaves(b, room, t, room->score + k * ROWS);
		k = k + 1 == (uint32_t) forest->n_outputs ? 0 : k + 1;
	}
}

#else

void
ml_gbdt_blocks_avx512(const MlGbdtForest *forest, const double *x, size_t n, const MlGbdtBlockRoom *room)
{
}

#endif
