/*-------------------------------------------------------------------------
 * symmetric_internal.h
 *	  What growing symmetric trees needs beside the grower: symmetric.c grows them,
 *	  symmetric_search.c looks for the condition of a level.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_GBDT_SYMMETRIC_INTERNAL_H
#define ML_ALGO_GBDT_SYMMETRIC_INTERNAL_H

#include "ml/algo/gbdt/grow_internal.h"

/* Of one thread, as long as the widest column. */
typedef struct MlGbdtLevelRoom
{
	double	   *gain[2];		/* sums over the leaves: missing values right, left; categories from either end */
	MlGbdtSum  *total;			/* of a category, all leaves together */
} MlGbdtLevelRoom;

typedef struct MlGbdtLevels
{
	MlGbdtLevelRoom *room;		/* by thread */
	int32_t    *open;			/* leaves that are large enough to be split, ascending */
	int32_t		n_open;
	MlGbdtExpansion *half;		/* of the leaves that this level splits */
	int32_t		n_half;
	bool	   *saw_missing;	/* by open leaf */
	MlGbdtSplit *found;			/* by column in use */
	double		noise;			/* a sum of gains below this is rounding */
} MlGbdtLevels;

/* The condition of greatest summed gain: gain 0 for none, "left" is not set. */
extern MlStatus ml_gbdt_level_search(MlEnv *env, MlGbdtGrower *grower, int32_t depth, MlGbdtSplit *best);

/* Which bins go left by it, into x; x->missing_left only where some leaf saw missing values. */
extern void ml_gbdt_level_decide(MlGbdtGrower *grower, const MlGbdtSplit *split, MlGbdtExpansion *x);

/* The histogram of a column in a leaf: from its slot, or counted into the room, which it is given back to. */
extern const MlGbdtSum *ml_gbdt_level_histogram(const MlGbdtGrower *grower, const MlGbdtLeaf *leaf, int32_t feature, MlGbdtRoom *room, uint32_t *touched);
extern void ml_gbdt_level_give_back(MlGbdtRoom *room, uint32_t touched);

extern MlGbdtSearch ml_gbdt_level_leaf(const MlGbdtGrower *grower, const MlGbdtLeaf *leaf, int32_t feature, const MlGbdtSum *hist);

#endif							/* ML_ALGO_GBDT_SYMMETRIC_INTERNAL_H */
