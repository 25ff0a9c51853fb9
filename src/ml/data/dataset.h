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
#include <string.h>

#include "ml/base/search.h"
#include "ml/data/binned.h"
#include "ml/data/schema.h"

/* A column that is 0 in most rows: the others, by rising row. */
typedef struct MlSparse
{
	size_t		n;
	const uint32_t *row;
	const double *value;		/* NULL: all 1 */
} MlSparse;

/*
 * One of number, code, sparse and binned is there.  Only a method that says so (MlMethod.reads_sparse) gets
 * sparse columns; for the others they are spread out before.
 */
typedef struct MlDataColumn
{
	const double *number;		/* for ML_FEATURE_NUMBER; NaN = missing */
	const int32_t *code;		/* for ML_FEATURE_CATEGORY; -1 = missing, "levels" = other */
	const MlSparse *sparse;		/* for ML_FEATURE_NUMBER */
	const MlBinned *binned;		/* for ML_FEATURE_NUMBER, instead of number, where the method takes bins */
} MlDataColumn;

/* Number i of a column of numbers; of bins, one that no limit between them tells from it. */
static inline double
ml_data_number(const MlDataColumn *c, size_t i)
{
	return c->number != NULL ? c->number[i] : c->binned->value[c->binned->bin[i]];
}

typedef struct MlDataset
{
	const MlSchema *schema;
	size_t		n_train;
	size_t		n_valid;
	size_t		n_test;
	size_t		n_unlabelled;	/* of those that train the last, whose class is not known: y is -1.  For encodings; a fit gets none */
	const MlDataColumn *columns;	/* schema->n_features */
	const double *y;			/* value, or class index 0 .. n_classes-1 */
	const double *weight;		/* NULL: all 1.  Class weights are already multiplied in; finite, >= 0, sum of the train part > 0 */
	const struct MlModel *initial;	/* to start from, of a parameter of the kind ML_PARAM_MODEL; NULL: none */
} MlDataset;

/* The first entry of a sparse column that stands in this row or behind it. */
static inline size_t
ml_sparse_find(const MlSparse *s, size_t row)
{
	return ml_search_u32(s->row, 0, s->n, row);
}

static inline double
ml_sparse_value(const MlSparse *s, size_t row)
{
	size_t		at = ml_sparse_find(s, row);

	if (at == s->n || s->row[at] != row)
		return 0;
	return s->value != NULL ? s->value[at] : 1;
}

/* Rows first .. first+rows-1 of it. */
static inline void
ml_sparse_read(const MlSparse *s, size_t first, size_t rows, double *out)
{
	memset(out, 0, rows * sizeof(double));
	for (size_t at = ml_sparse_find(s, first); at < s->n && s->row[at] < first + rows; at++)
		out[s->row[at] - first] = s->value != NULL ? s->value[at] : 1;
}

/* What a column holds in row i, as an encoded row has it: NaN for missing. */
static inline double
ml_column_value(const MlDataColumn *c, size_t i)
{
	if (c->number != NULL)
		return c->number[i];
	if (c->code != NULL)
		return c->code[i] < 0 ? NAN : (double) c->code[i];
	if (c->binned != NULL)
		return ml_data_number(c, i);
	return ml_sparse_value(c->sparse, i);
}

/* The same for rows first .. first+rows-1, as doubles. */
static inline void
ml_column_read(const MlDataColumn *c, size_t first, size_t rows, double *out)
{
	if (c->number != NULL)
		memcpy(out, c->number + first, rows * sizeof(double));
	else if (c->code != NULL)
	{
		for (size_t i = 0; i < rows; i++)
			out[i] = c->code[first + i] < 0 ? NAN : (double) c->code[first + i];
	}
	else if (c->binned != NULL)
	{
		for (size_t i = 0; i < rows; i++)
			out[i] = ml_data_number(c, first + i);
	}
	else
		ml_sparse_read(c->sparse, first, rows, out);
}

/* Feature f of row i as an encoded row has it: NaN for missing. */
static inline double
ml_dataset_value(const MlDataset *data, int f, size_t i)
{
	return ml_column_value(&data->columns[f], i);
}

/* Row i as an encoded row: n_features doubles into x. */
static inline void
ml_dataset_row(const MlDataset *data, size_t i, double *x)
{
	for (int f = 0; f < data->schema->n_features; f++)
		x[f] = ml_dataset_value(data, f, i);
}

#endif							/* ML_DATA_DATASET_H */
