/*-------------------------------------------------------------------------
 * simd.c
 *	  Which vector instructions this process uses.
 *-------------------------------------------------------------------------
 */
#include "ml/base/simd.h"

#include <stdatomic.h>

static atomic_int limit = ML_TIER_AVX512;
static atomic_int known = -1;	/* the processor's tier once somebody has asked */

#ifdef ML_SIMD_X86

/* Features and what the operating system saves of them; libgcc looks once per process. */
static MlSimdTier
processor_tier(void)
{
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi") || !__builtin_cpu_supports("bmi2") ||
		!__builtin_cpu_supports("popcnt"))
		return ML_TIER_BASELINE;
	if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
		!__builtin_cpu_supports("avx512cd") || !__builtin_cpu_supports("avx512dq") ||
		!__builtin_cpu_supports("avx512vl"))
		return ML_TIER_AVX2;
	return ML_TIER_AVX512;
}

bool
ml_simd_processor_vbmi(void)
{
	return processor_tier() == ML_TIER_AVX512 && __builtin_cpu_supports("avx512vbmi");
}

#else

static MlSimdTier
processor_tier(void)
{
	return ML_TIER_BASELINE;
}

bool
ml_simd_processor_vbmi(void)
{
	return false;
}

#endif

MlSimdTier
ml_simd_processor(void)
{
	int			tier = atomic_load_explicit(&known, memory_order_relaxed);

	if (tier < 0)
	{
		tier = (int) processor_tier();
		atomic_store_explicit(&known, tier, memory_order_relaxed);
	}
	return (MlSimdTier) tier;
}

MlSimdTier
ml_simd_tier(void)
{
	MlSimdTier	allowed = (MlSimdTier) atomic_load_explicit(&limit, memory_order_relaxed);
	MlSimdTier	present = ml_simd_processor();

	return present < allowed ? present : allowed;
}

void
ml_simd_limit(MlSimdTier highest)
{
	atomic_store_explicit(&limit, (int) highest, memory_order_relaxed);
}
