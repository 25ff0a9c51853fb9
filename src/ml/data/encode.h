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

/* The rows of a data set. */
typedef struct MlEncodeRows
{
	const size_t *order;		/* rows of the frame: training part first */
	size_t		n_train;
	size_t		n;
	const MlBinRules *rules;	/* numbers are to become bins; NULL: they stay */
	const MlBinChoice *choice;	/* with rules: what limits are chosen on */
} MlEncodeRows;

/*
 * Encodes the feature columns for these rows.  Categories, constants and keys are judged there.
 * Fills schema->features and columns; gives each column of the frame back when it
 * is done with it.  excluded: "column: why" of what was left out, ended by NULL.
 * Columns of texts that are cut into words are left to ml_prep_add_terms().
 * ML_BAD_TYPE when such a column was named, ML_BAD_DATA when nothing is left.
 */
extern MlStatus ml_encode(MlEnv *env, MlFrame *frame, const MlEncodeRows *rows, MlSchema *schema,
						  MlDataColumn **columns, const char ***excluded);

/*
 * Which columns of the frame (n_columns) ml_encode() would leave out because they differ in every one of these rows.  The frame
 * stays as it is.  In a part of the rows a number may differ everywhere and yet be none: ask about all of them.
 */
extern MlStatus ml_encode_find_keys(MlEnv *env, const MlFrame *frame, const size_t *order, size_t n, bool *key);

#endif							/* ML_DATA_ENCODE_H */
