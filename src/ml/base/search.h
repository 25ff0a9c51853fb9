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
static inline size_t
ml_search_u32(const uint32_t *rising, size_t low, size_t n, uint64_t wanted)
{
	while (low < n)
	{
		size_t		middle = low + (n - low) / 2;

		if (rising[middle] < wanted)
			low = middle + 1;
		else
			n = middle;
	}
	return low;
}

/* Is the code among n rising ones? */
static inline bool
ml_codes_have(const uint16_t *rising, uint32_t n, uint32_t code)
{
	uint32_t	low = 0;
	uint32_t	high = n;

	while (low < high)
	{
		uint32_t	middle = low + (high - low) / 2;

		if (rising[middle] < code)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && rising[low] == code;
}

#endif							/* ML_BASE_SEARCH_H */
