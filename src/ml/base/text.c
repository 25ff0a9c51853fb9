/*-------------------------------------------------------------------------
 * text.c
 *	  Numbers as text, and the hash of bytes.
 *-------------------------------------------------------------------------
 */
#include "ml/base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ml/base/rng.h"

char *
ml_double_text(char *buffer, double x)
{
	if (x == trunc(x) && fabs(x) < 1e15)
	{
		snprintf(buffer, ML_DOUBLE_TEXT, "%lld", (long long) x);
		return buffer;
	}
	for (int digits = 15; digits <= 17; digits++)
	{
		snprintf(buffer, ML_DOUBLE_TEXT, "%.*g", digits, x);
		if (strtod(buffer, NULL) == x)
			break;
	}
	return buffer;
}

uint64_t
ml_hash_bytes(uint64_t seed, const void *bytes, size_t length)
{
	const uint8_t *p = bytes;
	uint64_t	h = ml_mix64(seed ^ length);
	uint64_t	word;

	for (; length >= 8; p += 8, length -= 8)
	{
		memcpy(&word, p, 8);
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
		word = __builtin_bswap64(word);
#endif
		h = ml_mix64(h ^ word);
	}
	word = 0;
	for (size_t i = 0; i < length; i++)
		word |= (uint64_t) p[i] << (8 * i);
	return ml_mix64(h ^ word);
}
