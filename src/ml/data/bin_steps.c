/*-------------------------------------------------------------------------
 * bin_steps.c
 *	  The bin of a value by one look into a table and one addition.
 *
 * The range of the limits is cut into stretches so fine that none holds more than one limit.  A value
 * becomes a fixed-point number: which stretch, and 24 bits of where in it.  The entry of a stretch is
 * the number of limits below it, and in the lower 24 bits what is missing from its limit to a whole: when the place of a value
 * beyond the limit is added, it carries into the bin.  Rounding makes no difference, for
 * limits are rounded in the same way; but where a value and a limit become the same number, which sets all lower bits of
 * the sum, the two are compared as they are.
 *-------------------------------------------------------------------------
 */
#include "ml/data/binner.h"

#include <float.h>
#include <string.h>

#include "ml/base/simd.h"

#ifdef ML_SIMD_X86
#include <immintrin.h>
#endif

#define PLACE_BITS 24
#define PLACE_MASK ((UINT32_C(1) << PLACE_BITS) - 1)
#define FEWEST_STRETCHES 512

/* t + MAGIC: the fraction of t in the lower 24 bits, its integer above them. */
#define MAGIC 0x1p28
#define FIXED_MASK ((UINT64_C(1) << 52) - 1)

static inline __attribute__((always_inline)) uint64_t
fixed_linear(const MlBinSteps *s, double x)
{
	double		t = (x - s->low) * s->scale;
	uint64_t	u;

	t = t > 0 ? t : 0;			/* NaN goes here, too */
	t = (t < s->top ? t : s->top) + MAGIC;
	memcpy(&u, &t, sizeof(u));
	return u & FIXED_MASK;
}

static inline __attribute__((always_inline)) uint64_t
fixed_bits(const MlBinSteps *s, double x)
{
	uint64_t	key = ml_bin_key(x);
	uint64_t	d = key > s->base ? key - s->base : 0;
	uint64_t	last = (uint64_t) (s->stretches - 1) << s->shift;

	d = d < last ? d : last;
	return s->shift >= PLACE_BITS ? d >> (s->shift - PLACE_BITS) : d << (PLACE_BITS - s->shift);
}

/* ------------------------------------------------------------------------
 * The table
 * ------------------------------------------------------------------------
 */

static inline uint64_t
fixed_of(const MlBinSteps *s, double x)
{
	return s->linear ? fixed_linear(s, x) : fixed_bits(s, x);
}

/* false when a stretch holds two limits, or none is below the first. */
static bool
fill_table(MlBinner *b)
{
	MlBinSteps *s = &b->steps;
	uint32_t	limits = b->n_bins - 1;
	uint32_t	next = 0;

	for (uint32_t i = 0; i < limits; i++)
	{
		uint64_t	u = fixed_of(s, b->upper[i]);
		uint32_t	stretch = (uint32_t) (u >> PLACE_BITS);

		if (stretch < next || stretch == 0 || stretch >= s->stretches - 1)
			return false;
		for (; next < stretch; next++)
			s->entry[next] = i << PLACE_BITS;
		s->entry[next++] = i << PLACE_BITS | (PLACE_MASK - (uint32_t) (u & PLACE_MASK));
	}
	for (; next < s->stretches; next++)
		s->entry[next] = limits << PLACE_BITS;
	return true;
}

/* The first limit is in the second stretch, the last one in the last but one at most. */
static bool
cut_evenly(MlBinner *b, uint32_t stretches)
{
	MlBinSteps *s = &b->steps;
	double		range = b->upper[b->n_bins - 2] - b->upper[0];

	s->linear = true;
	s->stretches = stretches;
	s->top = stretches - 1;
	s->scale = (stretches - 4) / range;
	if (!(s->scale > 0 && s->scale < DBL_MAX))
		return false;
	s->low = b->upper[0] - 1.5 / s->scale;
	return s->low > -DBL_MAX && fill_table(b);
}

static bool
cut_by_bits(MlBinner *b, uint32_t stretches)
{
	MlBinSteps *s = &b->steps;
	uint64_t	first = ml_bin_key(b->upper[0]);
	uint64_t	range = ml_bin_key(b->upper[b->n_bins - 2]) - first;

	s->linear = false;
	s->stretches = stretches;
	for (s->shift = 0; range >> s->shift >= stretches - 3; s->shift++)
		;
	/* There is a stretch below the first limit, and the last one's key is a number of 64 bits. */
	if (first < UINT64_C(1) << s->shift || stretches - 1 > UINT64_MAX >> s->shift)
		return false;
	s->base = first - (UINT64_C(1) << s->shift);
	return fill_table(b);
}

/* Few stretches take little room in the cache. */
void
ml_bin_steps_make(MlBinner *b)
{
	b->steps.usable = false;
	if (b->n_bins < 2 || b->missing > UINT8_MAX)
		return;
	for (uint32_t n = FEWEST_STRETCHES; n <= ML_BIN_STRETCHES && !b->steps.usable; n *= 2)
		b->steps.usable = cut_evenly(b, n);
	for (uint32_t n = FEWEST_STRETCHES; n <= ML_BIN_STRETCHES && !b->steps.usable; n *= 2)
		b->steps.usable = cut_by_bits(b, n);
}

/* ------------------------------------------------------------------------
 * Bins
 * ------------------------------------------------------------------------
 */

#ifdef ML_SIMD_X86

/* A value that has the same place as a limit; sum: as if it were not above it. */
static inline __attribute__((always_inline)) uint32_t
bin_at_limit(const MlBinner *b, uint32_t sum, double x)
{
	uint32_t	bin = sum >> PLACE_BITS;

	return bin + (bin < b->n_bins - 1 && b->upper[bin] < x);
}

static inline __attribute__((always_inline)) void
bin_singly(const MlBinner *b, bool linear, const double *restrict x, size_t n, uint8_t *restrict bin)
{
	MlBinSteps	s = b->steps;
	uint8_t		missing = (uint8_t) b->missing;

	for (size_t i = 0; i < n; i++)
	{
		uint64_t	u = linear ? fixed_linear(&s, x[i]) : fixed_bits(&s, x[i]);
		uint32_t	sum = s.entry[u >> PLACE_BITS] + (uint32_t) (u & PLACE_MASK);
		uint8_t		here = (uint8_t) (sum >> PLACE_BITS);

		if (__builtin_expect((sum & PLACE_MASK) == PLACE_MASK, 0))
			here = (uint8_t) bin_at_limit(b, sum, x[i]);
		bin[i] = x[i] == x[i] ? here : missing;
	}
}

/* Sixteen values, as fixed-point numbers of 64 bits, eight in each. */
ML_TARGET_AVX512 static inline __attribute__((always_inline)) void
bin_sixteen(const MlBinner *b, const double *x, __m512i u0, __m512i u1, __mmask16 missing, uint8_t *bin)
{
	const __m512i lower = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
	const __m512i mask = _mm512_set1_epi32(PLACE_MASK);
	__m512i		stretch = _mm512_permutex2var_epi32(_mm512_srli_epi64(u0, PLACE_BITS), lower, _mm512_srli_epi64(u1, PLACE_BITS));
	__m512i		place = _mm512_and_si512(_mm512_permutex2var_epi32(u0, lower, u1), mask);
	__m512i		sum = _mm512_add_epi32(_mm512_i32gather_epi32(stretch, b->steps.entry, 4), place);
	__mmask16	unsure = _mm512_cmpeq_epi32_mask(_mm512_and_si512(sum, mask), mask) & ~missing;
	__m512i		result = _mm512_mask_set1_epi32(_mm512_srli_epi32(sum, PLACE_BITS), missing, (int) b->missing);

	_mm_storeu_si128((__m128i *) bin, _mm512_cvtepi32_epi8(result));
	for (; unsure != 0; unsure &= unsure - 1)
	{
		int			i = __builtin_ctz(unsure);

		bin[i] = (uint8_t) bin_at_limit(b, (uint32_t) bin[i] << PLACE_BITS, x[i]);
	}
}

ML_TARGET_AVX512 static inline __attribute__((always_inline)) __m512i
fixed_linear_8(const MlBinSteps *s, __m512d x)
{
	__m512d		t = _mm512_mul_pd(_mm512_sub_pd(x, _mm512_set1_pd(s->low)), _mm512_set1_pd(s->scale));

	/* The second operand of max counts where the first is NaN. */
	t = _mm512_min_pd(_mm512_max_pd(t, _mm512_setzero_pd()), _mm512_set1_pd(s->top));
	return _mm512_and_si512(_mm512_castpd_si512(_mm512_add_pd(t, _mm512_set1_pd(MAGIC))), _mm512_set1_epi64(FIXED_MASK));
}

ML_TARGET_AVX512 static inline __attribute__((always_inline)) __m512i
fixed_bits_8(const MlBinSteps *s, __m512d x)
{
	__m512i		bits = _mm512_castpd_si512(_mm512_add_pd(x, _mm512_setzero_pd()));
	__m512i		key = _mm512_xor_si512(bits, _mm512_or_si512(_mm512_srai_epi64(bits, 63), _mm512_set1_epi64(INT64_MIN)));
	__m512i		base = _mm512_set1_epi64((int64_t) s->base);
	__m512i		d = _mm512_sub_epi64(_mm512_max_epu64(key, base), base);

	d = _mm512_min_epu64(d, _mm512_set1_epi64((int64_t) ((uint64_t) (s->stretches - 1) << s->shift)));
	return s->shift >= PLACE_BITS ? _mm512_srl_epi64(d, _mm_cvtsi32_si128(s->shift - PLACE_BITS)) :
		_mm512_sll_epi64(d, _mm_cvtsi32_si128(PLACE_BITS - s->shift));
}

ML_TARGET_AVX512 static inline __attribute__((always_inline)) void
bin_together(const MlBinner *b, bool linear, const double *x, size_t n, uint8_t *bin)
{
	MlBinSteps	s = b->steps;
	size_t		whole = n & ~(size_t) 15;

	for (size_t i = 0; i < whole; i += 16)
	{
		__m512d		x0 = _mm512_loadu_pd(x + i);
		__m512d		x1 = _mm512_loadu_pd(x + i + 8);
		__mmask16	missing = _mm512_kunpackb(_mm512_cmp_pd_mask(x1, x1, _CMP_UNORD_Q), _mm512_cmp_pd_mask(x0, x0, _CMP_UNORD_Q));

		if (linear)
			bin_sixteen(b, x + i, fixed_linear_8(&s, x0), fixed_linear_8(&s, x1), missing, bin + i);
		else
			bin_sixteen(b, x + i, fixed_bits_8(&s, x0), fixed_bits_8(&s, x1), missing, bin + i);
	}
	bin_singly(b, linear, x + whole, n - whole, bin + whole);
}

ML_TARGET_AVX512 static void
bin_avx512(const MlBinner *b, const double *x, size_t n, uint8_t *bin)
{
	if (b->steps.linear)
		bin_together(b, true, x, n, bin);
	else
		bin_together(b, false, x, n, bin);
}

#endif							/* ML_SIMD_X86 */

/* Singly it takes as long as the search. */
bool
ml_bin_by_steps(const MlBinner *b, const double *x, size_t n, uint8_t *bin)
{
#ifdef ML_SIMD_X86
	if (ml_simd_tier() == ML_TIER_AVX512)
	{
		bin_avx512(b, x, n, bin);
		return true;
	}
#endif
	return false;
}
