/*-------------------------------------------------------------------------
 * subset.h
 *	  Some rows of a data set as a data set of their own.
 *
 * A copy rather than weights of 0: a method that draws rows, counts them or asks its neighbours then does
 * exactly what it would do if the others had never been there.
 *-------------------------------------------------------------------------
 */
#ifndef ML_DATA_SUBSET_H
#define ML_DATA_SUBSET_H

#include "ml/data/dataset.h"

/*
 * The rows row[0 .. n_train + n_valid - 1], which rise, in that order: first those that train, then the validation part.  The
 * schema is that of the whole; y, weight and initial are left to the caller.
 */
extern MlStatus ml_dataset_subset(MlEnv *env, const MlDataset *from, const size_t *row, size_t n_train, size_t n_valid, MlDataset *subset);

/* Bytes that the columns of so many rows take at most in a copy; SIZE_MAX when it overflows. */
extern size_t ml_dataset_bytes(const MlDataset *data, size_t rows);

#endif							/* ML_DATA_SUBSET_H */
