/*-------------------------------------------------------------------------
 * stream.h
 *	  Writing around the caches.
 *
 * A line that another core has read must be taken away from it before it can be written, which takes
 * the longer the farther away that core is: 80 to 500 nanoseconds.  A line that is written as a
 * whole, and around the caches, need not be fetched from anywhere.  That pays for what all threads
 * will read, and what is too large to be in this core's cache when it does.
 *-------------------------------------------------------------------------
 */
#ifndef ML_BASE_STREAM_H
#define ML_BASE_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ml/base/simd.h"

#ifdef ML_SIMD_X86
#include <emmintrin.h>
#endif

#define ML_STREAM_ALIGNMENT 16

/* Stores some bytes, a multiple of 16, at an address that 16 divides.  Lines should be filled without other stores between. */
static inline __attribute__((always_inline)) void
ml_stream(void *to, const void *from, size_t bytes)
{
#ifdef ML_SIMD_X86
	for (size_t i = 0; i < bytes; i += sizeof(__m128i))
		_mm_stream_si128((__m128i *) ((char *) to + i), _mm_loadu_si128((const __m128i *) ((const char *) from + i)));
#else
	memcpy(to, from, bytes);
#endif
}

/* To be called before another thread may be told that the bytes are there. */
static inline void
ml_stream_end(void)
{
#ifdef ML_SIMD_X86
	_mm_sfence();
#endif
}

#endif							/* ML_BASE_STREAM_H */
