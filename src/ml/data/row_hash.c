/*-------------------------------------------------------------------------
 * row_hash.c
 *	  Hashes of a column of numbers.
 *
 * Vectors have no product of 64 by 64 bits, so the upper tiers put it together from
 * four of 32 by 32; with eight at a time that is a quarter of the time of the one instruction
 * that does it for a single number.
 *-------------------------------------------------------------------------
 */
#include "ml/data/row_hash.h"

#include "ml/base/simd.h"

#define LOW UINT64_C(0xFFFFFFFF)
#define SIGN (UINT64_C(1) << 63)
#define INFINITY_BITS UINT64_C(0x7FF0000000000000)

/* ml_hash_fold() with the second factor already in halves. */
static inline __attribute__((always_inline)) uint64_t
fold_by_halves(uint64_t a, uint64_t low, uint64_t high)
{
	uint64_t	x = a ^ ML_FOLD_A;
	uint64_t	ll = (x & LOW) * low;
	uint64_t	lh = (x & LOW) * high;
	uint64_t	hl = (x >> 32) * low;
	uint64_t	hh = (x >> 32) * high;
	uint64_t	middle = lh + (ll >> 32);
	uint64_t	other = hl + (middle & LOW);

	return (hh + (middle >> 32) + (other >> 32)) ^ ((other << 32) | (ll & LOW));
}

static inline __attribute__((always_inline)) void
hash_all(const double *restrict values, size_t n, uint64_t key, uint64_t missing_hash, uint64_t *restrict sum, bool halves, MlNumbersSeen *seen)
{
	uint64_t	low = (key ^ ML_FOLD_B) & LOW;
	uint64_t	high = (key ^ ML_FOLD_B) >> 32;
	uint64_t	missing = 0;
	uint64_t	infinite = 0;

	for (size_t i = 0; i < n; i++)
	{
		double		value = values[i] + 0.0;
		uint64_t	bits;
		uint64_t	hash;
		uint64_t	odd;		/* all ones for NaN */

		memcpy(&bits, &value, sizeof(bits));
		odd = (bits & ~SIGN) > INFINITY_BITS ? UINT64_MAX : 0;
		hash = halves ? fold_by_halves(bits, low, high) : ml_hash_fold(bits, key);
		if (sum != NULL)
			sum[i] += (hash & ~odd) | (missing_hash & odd);
		missing -= odd;
		infinite |= (bits & ~SIGN) == INFINITY_BITS ? 1 : 0;
	}
	seen->missing = missing;
	seen->infinite = infinite != 0;
}

static inline __attribute__((always_inline)) void
hash_body(const double *values, size_t n, uint64_t key, uint64_t missing_hash, uint64_t *sum, bool halves, MlNumbersSeen *seen)
{
	if (sum != NULL)
		hash_all(values, n, key, missing_hash, sum, halves, seen);
	else
		hash_all(values, n, key, missing_hash, NULL, halves, seen);
}

ML_SIMD_TIERS(hash, (const double *values, size_t n, uint64_t key, uint64_t missing_hash, uint64_t *sum, bool halves, MlNumbersSeen *seen),
			  (values, n, key, missing_hash, sum, halves, seen))

MlNumbersSeen
ml_hash_numbers(const double *values, size_t n, uint64_t key, uint64_t missing_hash, uint64_t *sum)
{
	MlNumbersSeen seen;
	bool		halves = ml_simd_tier() != ML_TIER_BASELINE;

	ML_SIMD_CALL(hash, (values, n, key, missing_hash, sum, halves, &seen));
	return seen;
}
