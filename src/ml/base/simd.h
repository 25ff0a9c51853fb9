/*-------------------------------------------------------------------------
 * simd.h
 *	  Which vector instructions this process uses.
 *
 * A kernel comes in up to three tiers that give the same bits.  Code of a tier
 * stands in functions with the attribute below, so that the rest of the module
 * runs on any processor; whoever calls them has asked ml_simd_tier() first.
 * Nothing may store floating-point results that depend on the tier: no FMA.
 *-------------------------------------------------------------------------
 */
#ifndef ML_BASE_SIMD_H
#define ML_BASE_SIMD_H

#include <stdbool.h>

typedef enum MlSimdTier
{
	ML_TIER_BASELINE,			/* portable C */
	ML_TIER_AVX2,
	ML_TIER_AVX512				/* F, BW, CD, DQ, VL: x86-64-v4 */
} MlSimdTier;

#if defined(__x86_64__) && defined(__GNUC__)
#define ML_SIMD_X86 1
#define ML_TARGET_AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define ML_TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx2,bmi,bmi2,popcnt")))
/* For functions that are used only where ml_simd_processor_vbmi() says so, too. */
#define ML_TARGET_AVX512_VBMI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx512vbmi,avx2,bmi,bmi2,popcnt")))
#endif

/* The highest tier that the processor has and the limit allows.  From any thread. */
extern MlSimdTier ml_simd_tier(void);

/* What the processor has, whatever the limit: for tables made once and used when the limit allows. */
extern MlSimdTier ml_simd_processor(void);
extern bool ml_simd_processor_vbmi(void);

/* Sets the limit; ML_TIER_AVX512, the default, is none. */
extern void ml_simd_limit(MlSimdTier highest);

#endif							/* ML_BASE_SIMD_H */
