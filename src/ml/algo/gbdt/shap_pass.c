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
#define AT(Block, array, place) (*(Block *) ((char *) (array) + (place)))

#define DEFINE_PASS(name, attribute, Block) \
attribute static void \
name(const MlGbdtShapPass *pass) \
{ \
	const MlGbdtShapSplit *split = pass->tree->split; \
	const MlGbdtShapSplit *end = split + pass->tree->n_splits; \
	const MlGbdtShapStep *step = pass->step; \
	const double *d = pass->inverse; \
	double	   *h = pass->h; \
	double	   *sum = pass->sum; \
	const Block y = *(const Block *) pass->y; \
	const Block z = *(const Block *) pass->z; \
	Block	   *child = (Block *) h + 1; \
	const Block *child_d = (const Block *) d + 1; \
	\
	*(Block *) h = *(const Block *) d; \
	for (const MlGbdtShapSplit *s = split; s < end; s++, step++, child += 2) \
	{ \
		const MlGbdtShapFactor *f = &AT(const MlGbdtShapFactor, s->factor, step->factor); \
		ptrdiff_t	taken = step->taken; \
		Block		c = AT(Block, h, s->node) * AT(const Block, d, step->source); \
		Block		cz = c * z; \
		\
		AT(Block, child + 1, -taken) = cz * f->other; \
		AT(Block, child, taken) = cz * f->taken + c * y * f->row; \
	} \
	child_d += child - ((Block *) h + 1); \
	for (const MlGbdtShapSplit *s = end; s-- > split;) \
	{ \
		Block		both; \
		size_t		taken; \
		\
		step--, child -= 2, child_d -= 2; \
		both = child[0] + child[1]; \
		taken = step->taken; \
		AT(Block, sum, step->target) += AT(Block, child, taken) * AT(const Block, child_d, taken) - both * AT(const Block, d, step->source); \
		AT(Block, h, s->node) = both; \
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
