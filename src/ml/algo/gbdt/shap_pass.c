/*-------------------------------------------------------------------------
 * shap_pass.c
 *	  TreeSHAP: a block of quadrature points through one tree.
 *
 * Down in breadth-first order, then back up; see shap_internal.h for the
 * formulas.  No branch depends on the row, for half of them would be guessed
 * wrong: where a feature was left above, the factor begins with another constant and what
 * the split would add goes where nobody looks.  Every point is a lane of its own from
 * beginning to end, so all widths of vectors give the same bits.
 *-------------------------------------------------------------------------
 */
#include "ml/algo/gbdt/shap_internal.h"

typedef double Four __attribute__((vector_size(4 * sizeof(double)), may_alias));
typedef double Eight __attribute__((vector_size(8 * sizeof(double)), may_alias));

/*
 * A macro: the compiler lowers a vector to what the target of a function has
 * before it inlines, so an inline function would be stuck with the lowest tier.
 */
#define DEFINE_PASS(name, attribute, Block) \
attribute static void \
name(const MlGbdtShapPass *pass) \
{ \
	const MlGbdtShapSplit *split = pass->tree->split; \
	const MlGbdtShapStep *step = pass->step; \
	uint32_t	n_splits = pass->tree->n_splits; \
	const Block *d = (const Block *) pass->inverse; \
	Block	   *h = (Block *) pass->h; \
	Block	   *sum = (Block *) pass->sum; \
	const Block y = *(const Block *) pass->y; \
	const Block z = *(const Block *) pass->z; \
	\
	h[0] = d[0]; \
	for (uint32_t k = 0; k < n_splits; k++) \
	{ \
		const MlGbdtShapSplit *s = &split[k]; \
		uint32_t	hot = step[k].hot; \
		uint32_t	right = step[k].right; \
		const double *w = s->weight[hot]; \
		Block		c = h[s->node] * d[step[k].source]; \
		Block		cz = c * z; \
		\
		h[2 * k + 2 - right] = cz * w[1 - right]; \
		h[2 * k + 1 + right] = cz * w[right] + c * y * s->value[hot + (hot & right)]; \
	} \
	for (uint32_t k = n_splits; k-- > 0;) \
	{ \
		uint32_t	taken = 2 * k + 1 + step[k].right; \
		Block		both = h[2 * k + 1] + h[2 * k + 2]; \
		\
		sum[step[k].target] += h[taken] * d[taken] - both * d[step[k].source]; \
		h[split[k].node] = both; \
	} \
}

DEFINE_PASS(pass_four, , Four)
DEFINE_PASS(pass_eight, , Eight)
#ifdef ML_SIMD_X86
DEFINE_PASS(pass_four_avx2, ML_TARGET_AVX2, Four)
DEFINE_PASS(pass_eight_avx2, ML_TARGET_AVX2, Eight)
DEFINE_PASS(pass_eight_avx512, ML_TARGET_AVX512, Eight)
#endif

MlGbdtShapKernel
ml_gbdt_shap_kernel(uint32_t width, MlSimdTier tier)
{
#ifdef ML_SIMD_X86
	switch (tier)
	{
		case ML_TIER_AVX512:
			return width == ML_GBDT_SHAP_NARROW ? pass_four_avx2 : pass_eight_avx512;
		case ML_TIER_AVX2:
			return width == ML_GBDT_SHAP_NARROW ? pass_four_avx2 : pass_eight_avx2;
		case ML_TIER_BASELINE:
			break;
	}
#endif
	return width == ML_GBDT_SHAP_NARROW ? pass_four : pass_eight;
}
