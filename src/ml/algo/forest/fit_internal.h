/*-------------------------------------------------------------------------
 * fit_internal.h
 *	  What growing the trees and judging them on the rows out of their bags share.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_FOREST_FIT_INTERNAL_H
#define ML_ALGO_FOREST_FIT_INTERNAL_H

#include "ml/algo/forest/grow_internal.h"

/* ---- fit.c ---- */

/* How many rows are drawn for a tree. */
extern size_t ml_tree_sample_size(const MlTreePlan *plan, size_t n);

/* How often each of n rows is in the bag of a tree. */
extern void ml_tree_draw_bag(const MlTreePlan *plan, uint64_t seed, uint32_t tree, size_t n, uint16_t *bag);

/* ---- oob.c ---- */

/* Fills the figures of the forest and writes them to the history. */
extern MlStatus ml_tree_judge_oob(MlEnv *env, const MlTreePlan *plan, const MlTreeGround *ground, MlTreeForest *forest);

/* Fills forest->permutation. */
extern MlStatus ml_tree_permute(MlEnv *env, const MlTreePlan *plan, const MlTreeGround *ground, MlTreeForest *forest);

#endif							/* ML_ALGO_FOREST_FIT_INTERNAL_H */
