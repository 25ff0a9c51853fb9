/*-------------------------------------------------------------------------
 * engine.h
 *	  Faster ways through a forest than walking it, made when a model is loaded.
 *
 * All give the same bits as the walk (serve.c): the same leaves, their values
 * added in the order of the trees.  A forest that does not suit an engine, or a
 * processor that lacks its instructions, leaves the engine NULL.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_GBDT_ENGINE_H
#define ML_ALGO_GBDT_ENGINE_H

#include "ml/algo/gbdt/forest.h"
#include "ml/base/simd.h"

/* ---- thresholds.c: the thresholds of each number, sorted ---- */

typedef struct MlGbdtThresholds
{
	int32_t		n_features;
	uint32_t   *count;			/* by feature; 0 for categories and what no split asks */
	double	  **value;			/* ascending, distinct */
	bool	   *single;			/* all are float32 numbers */
} MlGbdtThresholds;

extern MlStatus ml_gbdt_thresholds_make(MlEnv *env, const MlGbdtForest *forest, MlGbdtThresholds **result);

/*
 * How many thresholds are below x: x > value[k] exactly where that is above k.  0
 * for NaN.  No branch depends on x.
 */
static inline uint32_t
ml_gbdt_rank(const double *value, uint32_t count, double x)
{
	const double *begin = value;

	/* The answer stays within "count" of value. */
	while (count > 1)
	{
		uint32_t	half = count / 2;

		value += half & -(uint32_t) (value[half - 1] < x);
		count -= half;
	}
	return (uint32_t) (value - begin) + (count == 1 && *value < x);
}

/* ---- masks.c: one row, sixteen trees at once ---- */

typedef struct MlGbdtMasks MlGbdtMasks;

/* *result stays NULL where the forest does not suit it. */
extern MlStatus ml_gbdt_masks_make(MlEnv *env, const MlGbdtForest *forest, const MlGbdtThresholds *thresholds, MlGbdtMasks **result);

/* Adds all trees to score[n_outputs].  AVX-512 only. */
extern void ml_gbdt_masks_add(const MlGbdtForest *forest, const double *row, double *score);
extern double ml_gbdt_masks_cost(const MlGbdtMasks *masks);

/* What they would cost, before they are made; negative where they do not suit. */
extern double ml_gbdt_masks_expected_cost(const MlGbdtForest *forest);

/* ---- blocks.c: 64 rows at once ---- */

typedef struct MlGbdtBlocks MlGbdtBlocks;

/* *result stays NULL where the forest does not suit it. */
extern MlStatus ml_gbdt_blocks_make(MlEnv *env, const MlGbdtForest *forest, const MlGbdtThresholds *thresholds, MlGbdtBlocks **result);
extern size_t ml_gbdt_blocks_scratch(const MlGbdtForest *forest);

/*
 * The scores of rows as predict_batch has them, base included: out[i * stride + k].
 * False: not with the instructions that may be used (categories need AVX-512 with VBMI).
 */
extern bool ml_gbdt_blocks_add(const MlGbdtForest *forest, const double *x, size_t n, double *out, size_t stride, void *scratch);

#endif							/* ML_ALGO_GBDT_ENGINE_H */
