/*-------------------------------------------------------------------------
 * search.h
 *	  Where a number stands among rising ones.
 *-------------------------------------------------------------------------
 */
#ifndef ML_BASE_SEARCH_H
#define ML_BASE_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The first place from "low" on whose number is not below "wanted"; n when there is none. */
#define ML_DEFINE_SEARCH(name, type, wanted_type) \
	static inline size_t \
	name(const type *rising, size_t low, size_t n, wanted_type wanted) \
	{ \
		while (low < n) \
		{ \
			size_t		middle = low + (n - low) / 2; \
\
			if (rising[middle] < wanted) \
				low = middle + 1; \
			else \
				n = middle; \
		} \
		return low; \
	}

ML_DEFINE_SEARCH(ml_search_u16, uint16_t, uint32_t)
ML_DEFINE_SEARCH(ml_search_u32, uint32_t, uint64_t)
ML_DEFINE_SEARCH(ml_search_i32, int32_t, int32_t)
ML_DEFINE_SEARCH(ml_search_double, double, double)

/* Is the code among n rising ones? */
static inline bool
ml_codes_have(const uint16_t *rising, uint32_t n, uint32_t code)
{
	size_t		at = ml_search_u16(rising, 0, n, code);

	return at < n && rising[at] == code;
}

#endif							/* ML_BASE_SEARCH_H */
