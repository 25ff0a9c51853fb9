/*-------------------------------------------------------------------------
 * gbdt_columns.h
 *	  Columns of other kinds for the tests of gbdt, their cells as stored, and what a model is made of.
 *-------------------------------------------------------------------------
 */
#ifndef GBDT_COLUMNS_H
#define GBDT_COLUMNS_H

#include "gbdt_data.h"

#include "ml/algo/gbdt/gbdt_internal.h"

__attribute__((unused))
static const MlBinRules plain_rules = {.max_bin = 255, .min_data_in_bin = 3, .sample = 200000};

/* Makes column f of numbers sparse; zeros that are kept all the same, and values all 1 without an array. */
__attribute__((unused))
static void
make_sparse(MlEnv *env, MlDataset *data, int f, bool keep_some_zeros, bool ones)
{
	MlDataColumn *column = (MlDataColumn *) &data->columns[f];
	size_t		n = data->n_train + data->n_valid;
	MlSparse   *s = ml_alloc0(env, 1, sizeof(MlSparse));
	uint32_t   *row = ml_alloc(env, n + 1, sizeof(uint32_t));
	double	   *value = ml_alloc(env, n + 1, sizeof(double));

	for (size_t i = 0; i < n; i++)
	{
		double		x = column->number[i];

		if (x == 0 && !(keep_some_zeros && i % 7 == 0))
			continue;
		row[s->n] = (uint32_t) i;
		value[s->n++] = x;
	}
	s->row = row;
	s->value = ones ? NULL : value;
	column->sparse = s;
	column->number = NULL;
}

/* The same columns as bins, as the reader of pages makes them. */
__attribute__((unused))
static void
make_binned(MlEnv *env, MlDataset *data, int f)
{
	MlDataColumn *column = (MlDataColumn *) &data->columns[f];
	size_t		n = data->n_train + data->n_valid;
	MlBinned   *binned;
	const double *values[1] = {column->number};

	CHECK(ml_binned_make(env, &plain_rules, 1, n, &binned) == ML_OK);
	CHECK(ml_binned_find(env, &plain_rules, &binned, values, NULL, data->n_train, 1) == ML_OK);
	CHECK(ml_binned_fill(env, &binned, values, 1, n) == ML_OK);
	column->binned = binned;
	column->number = NULL;
}

/* The bin of a cell. */
__attribute__((unused))
static uint32_t
bin_at(const MlGbdtColumn *column, size_t i)
{
	uint32_t	b = column->narrow != NULL ? column->narrow[i] : column->wide[i];

	if (column->bin_of == NULL)
		return b;
	return b >= column->first_value && b < column->first_value + column->n_values ? column->bin_of[b] : column->default_bin;
}

/* What the bytes of a row say of one stored column. */
__attribute__((unused))
static uint8_t
row_says(const MlGbdtBins *bins, int32_t position, size_t row)
{
	int			b = 0;
	const MlGbdtByte *byte;

	while (bins->byte[b].first + bins->byte[b].members <= position)
		b++;
	byte = &bins->byte[b];
	return byte->apart[(size_t) bins->row_major[row * bins->stride + (size_t) b] * (size_t) byte->members + (size_t) (position - byte->first)];
}

/* A hash of the model's bytes; 0: there is none. */
__attribute__((unused))
static uint64_t
image_of(const MlDataset *data, int threads, const char *settings, const char *more)
{
	char		both[400];

	snprintf(both, sizeof(both), "%s %s", settings, more);
	return gbdt_hash(&ml_method_gbdt, data, threads, both);
}

#endif							/* GBDT_COLUMNS_H */
