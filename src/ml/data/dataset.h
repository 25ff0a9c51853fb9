/*-------------------------------------------------------------------------
 * dataset.h
 *	  Encoded rows as a method's fit sees them.
 *
 * Rows stand in the order train, validation, test; a fit may look at the first
 * two parts only, and at validation for early stopping only.  Columns are
 * read-only and 64-byte aligned.
 *-------------------------------------------------------------------------
 */
#ifndef ML_DATA_DATASET_H
#define ML_DATA_DATASET_H

#include <math.h>

#include "ml/data/schema.h"

typedef struct MlDataColumn
{
	const double *number;		/* for ML_FEATURE_NUMBER; NaN = missing */
	const int32_t *code;		/* for ML_FEATURE_CATEGORY; -1 = missing, "levels" = other */
} MlDataColumn;

typedef struct MlDataset
{
	const MlSchema *schema;
	size_t		n_train;
	size_t		n_valid;
	size_t		n_test;
	const MlDataColumn *columns;	/* schema->n_features */
	const double *y;			/* value, or class index 0 .. n_classes-1 */
	const double *weight;		/* NULL: all 1.  Class weights are already multiplied in; finite, >= 0, sum of the train part > 0 */
} MlDataset;

/* Feature f of row i as an encoded row has it: NaN for missing. */
static inline double
ml_dataset_value(const MlDataset *data, int f, size_t i)
{
	const MlDataColumn *c = &data->columns[f];

	if (c->number != NULL)
		return c->number[i];
	return c->code[i] < 0 ? NAN : (double) c->code[i];
}

/* Row i as an encoded row: n_features doubles into x. */
static inline void
ml_dataset_row(const MlDataset *data, size_t i, double *x)
{
	for (int f = 0; f < data->schema->n_features; f++)
		x[f] = ml_dataset_value(data, f, i);
}

#endif							/* ML_DATA_DATASET_H */
