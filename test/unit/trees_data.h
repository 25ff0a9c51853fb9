/*-------------------------------------------------------------------------
 * trees_data.h
 *	  Fits of averaged trees for their tests.
 *-------------------------------------------------------------------------
 */
#ifndef TREES_DATA_H
#define TREES_DATA_H

#include "gbdt_data.h"

static inline bool
is_test_row(size_t i, int split)
{
	return ml_mix64(i + UINT64_C(1000003) * (uint64_t) split) % 10 < 3;
}

/* The training rows of a split. */
__attribute__((unused))
static MlDataset *
training_rows(MlEnv *env, const Table *t, int classes, int split)
{
	MlDataset  *data = gbdt_data(env, t->n, t->p, classes);
	size_t		n = 0;

	for (size_t i = 0; i < t->n; i++)
	{
		if (is_test_row(i, split))
			continue;
		for (int f = 0; f < t->p; f++)
			gbdt_number(data, f)[n] = t->x[i * (size_t) t->p + (size_t) f];
		gbdt_target(data)[n++] = t->y[i];
	}
	data->n_train = n;
	return data;
}

/* A fit of a method with parameters "name=value name=value" (or commas between them). */
__attribute__((unused))
static MlStatus
trees_fit(MlEnv *env, const char *method, const MlDataset *data, const char *settings, MlModel **model)
{
	char	   *text = ml_strdup(env, settings);

	for (char *c = text; *c != '\0'; c++)
		*c = *c == ',' ? ' ' : *c;
	return gbdt_fit_as(env, ml_method_find(method), data, text, model);
}

#endif							/* TREES_DATA_H */
