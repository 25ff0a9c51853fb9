/*-------------------------------------------------------------------------
 * encode.h
 *	  From a frame to the encoded columns of a data set.
 *-------------------------------------------------------------------------
 */
#ifndef ML_DATA_ENCODE_H
#define ML_DATA_ENCODE_H

#include "ml/data/dataset.h"

/* From this many rows on, a column that differs in each of them counts as a key. */
#define ML_KEY_ROWS 100

/*
 * Encodes the feature columns for the rows order[0 .. n-1], of which the first
 * n_train are the training part.  Categories, constants and keys are judged there.
 * Fills schema->features and columns; gives each column of the frame back when it
 * is done with it.  excluded: "column: why" of what was left out, ended by NULL.
 * ML_BAD_TYPE when such a column was named, ML_BAD_DATA when nothing is left.
 */
extern MlStatus ml_encode(MlEnv *env, MlFrame *frame, const size_t *order, size_t n_train, size_t n,
						  MlSchema *schema, MlDataColumn **columns, const char ***excluded);

/*
 * Which columns of the frame (n_columns) ml_encode() would leave out because they differ in every one of these rows.  The frame
 * stays as it is.  In a part of the rows a number may differ everywhere and yet be none: ask about all of them.
 */
extern MlStatus ml_encode_find_keys(MlEnv *env, const MlFrame *frame, const size_t *order, size_t n, bool *key);

#endif							/* ML_DATA_ENCODE_H */
