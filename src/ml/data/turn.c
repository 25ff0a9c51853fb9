/*-------------------------------------------------------------------------
 * turn.c
 *	  Numbers that stand row by row, as columns.
 *
 * Value by value each store goes to another page of memory, and to a line of the cache of which it fills an eighth.  So
 * eight rows are turned at a time: columns that stand next to each other in the rows, up to eight of them,
 * are loaded together, and what is stored are whole lines.
 *-------------------------------------------------------------------------
 */
#include "ml/data/turn.h"

#include <string.h>

#include "ml/base/simd.h"

#ifdef ML_SIMD_X86
#include <immintrin.h>
#endif

/* How many columns from this one on stand next to each other in the rows; at most "most". */
static inline int
neighbours(const uint32_t *offset, int columns, int most)
{
	int			n = 1;

	while (n < columns && n < most && offset[n] == offset[n - 1] + sizeof(double))
		n++;
	return n;
}

static void
turn_singly(const char *const *row, size_t n, const uint32_t *offset, int columns, double *to, size_t stride)
{
	for (int c = 0; c < columns; c++)
	{
		for (size_t i = 0; i < n; i++)
			memcpy(to + (size_t) c * stride + i, row[i] + offset[c], sizeof(double));
	}
}

#ifdef ML_SIMD_X86

/* Eight rows of eight columns, of which as many are there as "mask" says. */
ML_TARGET_AVX512 static inline __attribute__((always_inline)) void
turn_eight(const char *const *row, uint32_t offset, __mmask8 mask, int columns, double *to, size_t stride)
{
	__m512d		a[8];
	__m512d		b[8];

	for (int i = 0; i < 8; i++)
		a[i] = _mm512_maskz_loadu_pd(mask, row[i] + offset);
	for (int i = 0; i < 8; i += 2)
	{
		b[i] = _mm512_unpacklo_pd(a[i], a[i + 1]);
		b[i + 1] = _mm512_unpackhi_pd(a[i], a[i + 1]);
	}
	/* Pairs of rows: lanes 0 and 2, or 1 and 3, of two pairs come together. */
	for (int i = 0; i < 8; i += 4)
	{
		a[i] = _mm512_shuffle_f64x2(b[i], b[i + 2], 0x88);
		a[i + 1] = _mm512_shuffle_f64x2(b[i + 1], b[i + 3], 0x88);
		a[i + 2] = _mm512_shuffle_f64x2(b[i], b[i + 2], 0xDD);
		a[i + 3] = _mm512_shuffle_f64x2(b[i + 1], b[i + 3], 0xDD);
	}
	/* a[0]: columns 0 and 4 of rows 0 to 3; a[4]: of rows 4 to 7. */
	for (int i = 0; i < 4; i++)
	{
		b[i] = _mm512_shuffle_f64x2(a[i], a[i + 4], 0x88);
		b[i + 4] = _mm512_shuffle_f64x2(a[i], a[i + 4], 0xDD);
	}
	for (int c = 0; c < 8; c++)
	{
		if (c < columns)
			_mm512_storeu_pd(to + (size_t) c * stride, b[c]);
	}
}

ML_TARGET_AVX512 static void
turn_avx512(const char *const *row, size_t n, const uint32_t *offset, int columns, double *to, size_t stride)
{
	for (int c = 0, together; c < columns; c += together)
	{
		__mmask8	mask;

		together = neighbours(offset + c, columns - c, 8);
		mask = (__mmask8) ((1 << together) - 1);
		for (size_t i = 0; i < n; i += 8)
		{
			if (together == 8)
				turn_eight(row + i, offset[c], 0xFF, 8, to + (size_t) c * stride + i, stride);
			else
				turn_eight(row + i, offset[c], mask, together, to + (size_t) c * stride + i, stride);
		}
	}
}

ML_TARGET_AVX2 static inline __attribute__((always_inline)) void
turn_four(const char *const *row, uint32_t offset, double *to, size_t stride)
{
	__m256d		a[4];
	__m256d		b[4];

	for (int i = 0; i < 4; i++)
		a[i] = _mm256_loadu_pd((const double *) (row[i] + offset));
	for (int i = 0; i < 4; i += 2)
	{
		b[i] = _mm256_unpacklo_pd(a[i], a[i + 1]);
		b[i + 1] = _mm256_unpackhi_pd(a[i], a[i + 1]);
	}
	_mm256_storeu_pd(to, _mm256_permute2f128_pd(b[0], b[2], 0x20));
	_mm256_storeu_pd(to + stride, _mm256_permute2f128_pd(b[1], b[3], 0x20));
	_mm256_storeu_pd(to + 2 * stride, _mm256_permute2f128_pd(b[0], b[2], 0x31));
	_mm256_storeu_pd(to + 3 * stride, _mm256_permute2f128_pd(b[1], b[3], 0x31));
}

ML_TARGET_AVX2 static void
turn_avx2(const char *const *row, size_t n, const uint32_t *offset, int columns, double *to, size_t stride)
{
	for (int c = 0, together; c < columns; c += together)
	{
		together = neighbours(offset + c, columns - c, 4);
		for (size_t i = 0; i < n; i += 4)
		{
			if (together == 4)
				turn_four(row + i, offset[c], to + (size_t) c * stride + i, stride);
			else
				turn_singly(row + i, 4, offset + c, together, to + (size_t) c * stride + i, stride);
		}
	}
}

#endif							/* ML_SIMD_X86 */

/* n is a multiple of ML_TURN_ROWS. */
static void
turn_groups(const char *const *row, size_t n, const uint32_t *offset, int columns, double *to, size_t stride)
{
#ifdef ML_SIMD_X86
	switch (ml_simd_tier())
	{
		case ML_TIER_AVX512:
			turn_avx512(row, n, offset, columns, to, stride);
			return;
		case ML_TIER_AVX2:
			turn_avx2(row, n, offset, columns, to, stride);
			return;
		default:
			break;
	}
#endif
	turn_singly(row, n, offset, columns, to, stride);
}

void
ml_turn_rows(const char *const *row, size_t n, const uint32_t *offset, int columns, double *to, size_t stride)
{
	size_t		whole = n / ML_TURN_ROWS * ML_TURN_ROWS;
	const char *last[ML_TURN_ROWS];

	if (whole > 0)
		turn_groups(row, whole, offset, columns, to, stride);
	if (whole == n)
		return;
	for (size_t i = 0; i < ML_TURN_ROWS; i++)
		last[i] = row[whole + i < n ? whole + i : n - 1];
	turn_groups(last, ML_TURN_ROWS, offset, columns, to + whole, stride);
}
