/*-------------------------------------------------------------------------
 * sha256.c
 *	  SHA-256 (FIPS 180-4): by the processor's own instructions where it has them, else in plain C.
 *	  Both give the same digest (test/unit).
 *-------------------------------------------------------------------------
 */
#include "ml/base/sha256.h"

#include <stdatomic.h>
#include <string.h>

#include "ml/base/simd.h"

#ifdef ML_SIMD_X86
#include <cpuid.h>
#include <immintrin.h>
#endif

#define BLOCK 64

static const uint32_t start[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19
};

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t round_constant[64] __attribute__((aligned(16))) = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
};

static inline uint32_t
rotate(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

static inline uint32_t
big_endian(const uint8_t *p)
{
	return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}

static void
one_block(uint32_t *state, const uint8_t *bytes)
{
	uint32_t	w[64];
	uint32_t	a = state[0], b = state[1], c = state[2], d = state[3];
	uint32_t	e = state[4], f = state[5], g = state[6], h = state[7];

	for (int t = 0; t < 16; t++)
		w[t] = big_endian(bytes + 4 * t);
	for (int t = 16; t < 64; t++)
	{
		uint32_t	s0 = rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ w[t - 15] >> 3;
		uint32_t	s1 = rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ w[t - 2] >> 10;

		w[t] = w[t - 16] + s0 + w[t - 7] + s1;
	}
	for (int t = 0; t < 64; t++)
	{
		uint32_t	t1 = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + round_constant[t] + w[t];
		uint32_t	t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));

		h = g, g = f, f = e, e = d + t1;
		d = c, c = b, b = a, a = t1 + t2;
	}
	state[0] += a, state[1] += b, state[2] += c, state[3] += d;
	state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

static void
blocks_portable(uint32_t *state, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		one_block(state, bytes + i * BLOCK);
}

#ifdef ML_SIMD_X86

/* Two vectors hold the state as the instructions want it: (a, b, e, f) and (c, d, g, h), the first highest. */
__attribute__((target("sha,sse4.1,ssse3"))) static void
blocks_by_instruction(uint32_t *state, const uint8_t *bytes, size_t count)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	__m128i		abcd = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *) state), 0xB1);
	__m128i		efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *) (state + 4)), 0x1B);
	__m128i		abef = _mm_alignr_epi8(abcd, efgh, 8);
	__m128i		cdgh = _mm_blend_epi16(efgh, abcd, 0xF0);

	for (size_t i = 0; i < count; i++, bytes += BLOCK)
	{
		__m128i		abef_before = abef;
		__m128i		cdgh_before = cdgh;
		__m128i		w[4];

		/* Four rounds at a time; w holds the last sixteen words of the schedule. */
#pragma GCC unroll 16
		for (int t = 0; t < 16; t++)
		{
			__m128i		next;

			if (t < 4)
				next = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *) bytes + t), swap);
			else
				next = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(w[t & 3], w[(t + 1) & 3]),
														  _mm_alignr_epi8(w[(t + 3) & 3], w[(t + 2) & 3], 4)), w[(t + 3) & 3]);
			w[t & 3] = next;
			next = _mm_add_epi32(next, _mm_load_si128((const __m128i *) (round_constant + 4 * t)));
			cdgh = _mm_sha256rnds2_epu32(cdgh, abef, next);
			abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(next, 0x0E));
		}
		abef = _mm_add_epi32(abef, abef_before);
		cdgh = _mm_add_epi32(cdgh, cdgh_before);
	}
	abcd = _mm_shuffle_epi32(abef, 0x1B);
	efgh = _mm_shuffle_epi32(cdgh, 0xB1);
	_mm_storeu_si128((__m128i *) state, _mm_blend_epi16(abcd, efgh, 0xF0));
	_mm_storeu_si128((__m128i *) (state + 4), _mm_alignr_epi8(efgh, abcd, 8));
}

/* Asked once: on a virtual machine the question is answered by the host. */
static bool
has_instructions(void)
{
	static atomic_int known = -1;
	int			there = atomic_load_explicit(&known, memory_order_relaxed);
	unsigned	a, b, c, d;

	if (there < 0)
	{
		there = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSSE3) != 0 && (c & bit_SSE4_1) != 0 &&
			__get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA) != 0;
		atomic_store_explicit(&known, there, memory_order_relaxed);
	}
	return there != 0;
}

#endif

void
ml_sha256_begin_portable(MlSha256 *sha)
{
	memcpy(sha->state, start, sizeof(start));
	sha->length = 0;
	sha->blocks = blocks_portable;
}

void
ml_sha256_begin(MlSha256 *sha)
{
	ml_sha256_begin_portable(sha);
#ifdef ML_SIMD_X86
	if (has_instructions())
		sha->blocks = blocks_by_instruction;
#endif
}

void
ml_sha256_add(MlSha256 *sha, const void *data, size_t length)
{
	const uint8_t *bytes = data;
	size_t		held = (size_t) (sha->length % BLOCK);

	sha->length += length;
	if (held > 0)
	{
		size_t		taken = length < BLOCK - held ? length : BLOCK - held;

		if (taken > 0)
			memcpy(sha->rest + held, bytes, taken);
		if (held + taken < BLOCK)
			return;
		sha->blocks(sha->state, sha->rest, 1);
		bytes += taken;
		length -= taken;
	}
	sha->blocks(sha->state, bytes, length / BLOCK);
	if (length % BLOCK > 0)
		memcpy(sha->rest, bytes + length / BLOCK * BLOCK, length % BLOCK);
}

void
ml_sha256_end(MlSha256 *sha, char *hex)
{
	static const char digits[] = "0123456789abcdef";
	size_t		held = (size_t) (sha->length % BLOCK);
	uint64_t	bits = sha->length * 8;

	sha->rest[held++] = 0x80;
	if (held > BLOCK - 8)
	{
		memset(sha->rest + held, 0, BLOCK - held);
		sha->blocks(sha->state, sha->rest, 1);
		held = 0;
	}
	memset(sha->rest + held, 0, BLOCK - 8 - held);
	for (int i = 0; i < 8; i++)
		sha->rest[BLOCK - 8 + i] = (uint8_t) (bits >> (56 - 8 * i));
	sha->blocks(sha->state, sha->rest, 1);
	for (int i = 0; i < 64; i++)
		hex[i] = digits[sha->state[i / 8] >> (28 - 4 * (i % 8)) & 15];
	hex[64] = '\0';
}
