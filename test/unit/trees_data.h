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
	const MlMethod *m = ml_method_find(method);
	MlParams   *params;
	char	   *text = ml_strdup(env, settings);
	void	   *fitted;

	ML_TRY(ml_params_init(env, m->params, &params));
	for (char *word = strtok(text, " ,"); word != NULL; word = strtok(NULL, " ,"))
	{
		char	   *value = strchr(word, '=');
		char	   *end;
		double		number;

		*value++ = '\0';
		number = strtod(value, &end);
		if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0)
			ML_TRY(ml_params_set_bool(env, params, word, *value == 't'));
		else if (*end == '\0')
			ML_TRY(ml_params_set_number(env, params, word, number));
		else
			ML_TRY(ml_params_set_text(env, params, word, value));
	}
	ML_TRY(m->fit(env, data, params, &fitted));
	return ml_model_make(env, m, data->schema, fitted, model);
}

#endif							/* TREES_DATA_H */
