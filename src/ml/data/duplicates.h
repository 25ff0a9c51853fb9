/*-------------------------------------------------------------------------
 * duplicates.h
 *	  Are equal rows copies of one another, or draws that came out alike?
 *
 * A copy (a row loaded twice, a join that repeats it) must not judge a model that has trained on it, so equal rows
 * stay on one side of a split.  But of few columns with few values many rows are equal because there is nothing
 * else they could be.  There, all customers of one age and region who left would be held out together, and those who
 * stayed would train: the model learns the opposite of what it is asked, and is judged by chance.
 *
 * What tells them apart is the target: copies have that of their original, draws differ in it.  If most of the repeated rows
 * have others beside them that equal them in everything but the target, equal rows are draws, and split one by one.
 */
#ifndef ML_DATA_DUPLICATES_H
#define ML_DATA_DUPLICATES_H

#include "ml/data/frame.h"

/*
 * keys (out): frame->row_hash, but different for each of several equal rows, where equal rows are draws; else NULL.
 * Only rows whose part (enum MlPart) is not ML_PART_UNUSED are looked at.  Which of equal rows has which key does not matter,
 * as they are equal.  Release it.
 */
extern MlStatus ml_rows_told_apart(MlEnv *env, const MlFrame *frame, const MlColumn *target, const uint8_t *part, uint64_t **keys);

#endif							/* ML_DATA_DUPLICATES_H */
