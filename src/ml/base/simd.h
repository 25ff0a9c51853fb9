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

/*
 * ML_SIMD_TIERS(name, (int a), (a)) makes functions of one body, an always
 * inlined name_body(), for all tiers; ML_SIMD_CALL(name, (a)) calls the one for this
 * processor.
 */
#ifdef ML_SIMD_X86
#define ML_SIMD_TIERS(name, declaration, arguments) \
	static void name##_baseline declaration { name##_body arguments; } \
	ML_TARGET_AVX2 static void name##_avx2 declaration { name##_body arguments; } \
	ML_TARGET_AVX512 static void name##_avx512 declaration { name##_body arguments; }
#define ML_SIMD_CALL(name, arguments) \
	do { \
		switch (ml_simd_tier()) \
		{ \
			case ML_TIER_AVX512: \
				name##_avx512 arguments; \
				break; \
			case ML_TIER_AVX2: \
				name##_avx2 arguments; \
				break; \
			default: \
				name##_baseline arguments; \
		} \
	} while (0)
#else
#define ML_SIMD_TIERS(name, declaration, arguments) \
	static void name##_baseline declaration { name##_body arguments; }
#define ML_SIMD_CALL(name, arguments) name##_baseline arguments
#endif

/* The highest tier that the processor has and the limit allows.  From any thread. */
extern MlSimdTier ml_simd_tier(void);

/* What the processor has, whatever the limit: for tables made once and used when the limit allows. */
extern MlSimdTier ml_simd_processor(void);
extern bool ml_simd_processor_vbmi(void);

/* Sets the limit; ML_TIER_AVX512, the default, is none. */
extern void ml_simd_limit(MlSimdTier highest);

#endif							/* ML_BASE_SIMD_H */
