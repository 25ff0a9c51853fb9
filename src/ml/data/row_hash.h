/*-------------------------------------------------------------------------
 * row_hash.h
 *	  Hashes of cells and rows.
 *
 * Hash of a cell: its value and its column's name, mixed by a folded product.
 * Hash of a row: the sum over its cells, so the order of the columns does not
 * matter.  Two rows with the same values are duplicates and hash alike; 0 and -0
 * are the same value, and so are all NaNs and NULL.
 *-------------------------------------------------------------------------
 */
#ifndef ML_DATA_ROW_HASH_H
#define ML_DATA_ROW_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Stands for the value of a cell that has none: ml_hash_fold(key, this) is its hash. */
#define ML_HASH_MISSING UINT64_C(0x589965CC75374CC3)

#define ML_FOLD_A UINT64_C(0xA0761D6478BD642F)
#define ML_FOLD_B UINT64_C(0xE7037ED1A0B428DB)

/* A folded product: the two halves of a 128-bit result, xored. */
static inline uint64_t
ml_hash_fold(uint64_t a, uint64_t b)
{
	__uint128_t product = (__uint128_t) (a ^ ML_FOLD_A) * (b ^ ML_FOLD_B);

	return (uint64_t) product ^ (uint64_t) (product >> 64);
}

/* A number that is not missing, in a column whose name has this hash. */
static inline uint64_t
ml_hash_number(double value, uint64_t key)
{
	uint64_t	bits;

	value += 0.0;				/* -0 becomes 0 */
	memcpy(&bits, &value, sizeof(bits));
	return ml_hash_fold(bits, key);
}

/* What was seen among numbers. */
typedef struct MlNumbersSeen
{
	size_t		missing;
	bool		infinite;
} MlNumbersSeen;

/* Adds the hashes of n numbers to the sums of their rows (NULL: only looks at them); one that is missing has missing_hash. */
extern MlNumbersSeen ml_hash_numbers(const double *values, size_t n, uint64_t key, uint64_t missing_hash, uint64_t *sum);

#endif							/* ML_DATA_ROW_HASH_H */
