/*-------------------------------------------------------------------------
 * sort.h
 *	  Stable sorting of rows by a number or by text, stoppable.
 *-------------------------------------------------------------------------
 */
#ifndef ML_BASE_SORT_H
#define ML_BASE_SORT_H

#include <string.h>

#include "ml/base/env.h"

typedef struct MlKeyed
{
	uint64_t	key;
	uint64_t	row;
} MlKeyed;

/* Keys whose unsigned order is the order of the numbers; -0 and 0 are one, NaN comes last. */
static inline uint64_t
ml_sort_key_double(double x)
{
	uint64_t	bits;

	if (x != x)
		return UINT64_MAX;
	x += 0.0;					/* -0 becomes 0 */
	memcpy(&bits, &x, sizeof(bits));
	return (bits >> 63) != 0 ? ~bits : bits | UINT64_C(1) << 63;
}

static inline uint64_t
ml_sort_key_int(int64_t x)
{
	return (uint64_t) x ^ UINT64_C(1) << 63;
}

/* By key, rising; equal keys keep their order.  Radix sort; takes as much space again for a while. */
extern MlStatus ml_sort_keyed(MlEnv *env, MlKeyed *items, size_t n);

/* order (n, out): numbers of the texts in byte order, shorter before longer. */
extern MlStatus ml_sort_texts(MlEnv *env, size_t n, const char *const *texts, const uint32_t *lengths, int32_t *order);

#endif							/* ML_BASE_SORT_H */
