/*-------------------------------------------------------------------------
 * rng.h
 *	  Counter-based random numbers: a pure function of (seed, stream, counter).
 *
 * Which thread draws, and in which order, does not matter.  The mixer is
 * splitmix64 (Steele, Lea, Flood 2014).
 *-------------------------------------------------------------------------
 */
#ifndef ML_BASE_RNG_H
#define ML_BASE_RNG_H

#include <stdint.h>

static inline uint64_t
ml_mix64(uint64_t z)
{
	z += UINT64_C(0x9E3779B97F4A7C15);
	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

/* The number that ml_mix64() makes z of. */
static inline uint64_t
ml_unmix64(uint64_t z)
{
	z = (z ^ (z >> 31) ^ (z >> 62)) * UINT64_C(0x319642B2D24D8EC3);
	z = (z ^ (z >> 27) ^ (z >> 54)) * UINT64_C(0x96DE1B173F119089);
	z = z ^ (z >> 30) ^ (z >> 60);
	return z - UINT64_C(0x9E3779B97F4A7C15);
}

static inline uint64_t
ml_rng_u64(uint64_t seed, uint64_t stream, uint64_t counter)
{
	return ml_mix64(ml_mix64(ml_mix64(seed) ^ stream) ^ counter);
}

/* Uniform in [0, 1) with 53 bits. */
static inline double
ml_rng_uniform(uint64_t seed, uint64_t stream, uint64_t counter)
{
	return (double) (ml_rng_u64(seed, stream, counter) >> 11) * 0x1.0p-53;
}

#endif							/* ML_BASE_RNG_H */
