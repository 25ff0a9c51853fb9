/*-------------------------------------------------------------------------
 * mlp_data.h
 *	  Fits of networks for tests, and their parts one by one.
 *-------------------------------------------------------------------------
 */
#ifndef MLP_DATA_H
#define MLP_DATA_H

#include "linear_data.h"

#include "ml/algo/mlp/mlp_internal.h"
#include "ml/base/rng.h"

extern const MlMethod ml_method_mlp;

/* Parameters "name=value ..."; a value with a comma is a list, and so is that of hidden_layer_sizes. */
static MlStatus
mlp_params_of(MlEnv *env, const char *settings, MlParams **params)
{
	char	   *text = ml_strdup(env, settings);

	ML_TRY(ml_params_init(env, ml_method_mlp.params, params));
	for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
	{
		char	   *value = strchr(word, '=');
		char	   *end;
		double		numbers[80];
		int			n = 0;

		*value++ = '\0';
		if (strcmp(value, "[]") == 0)
			*value = '\0';
		for (end = value; *end != '\0' && n < 80; end += *end == ',')
		{
			char	   *before = end;

			numbers[n++] = strtod(end, &end);
			if (end == before)
				break;
		}
		if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0)
			ML_TRY(ml_params_set_bool(env, *params, word, *value == 't'));
		else if (*end != '\0')
			ML_TRY(ml_params_set_text(env, *params, word, value));
		else if (n != 1 || strcmp(word, "hidden_layer_sizes") == 0)
			ML_TRY(ml_params_set_list(env, *params, word, numbers, n));
		else
			ML_TRY(ml_params_set_number(env, *params, word, numbers[0]));
	}
	return ML_OK;
}

static MlStatus
mlp_fit_with(MlEnv *env, const MlDataset *data, const char *settings, void **model)
{
	MlParams   *params;

	ML_TRY(mlp_params_of(env, settings, &params));
	return ml_mlp_fit(env, data, params, model);
}

/* Room for predict, in the arena. */
static void *
mlp_scratch(MlEnv *env, const void *model)
{
	return ml_alloc0(env, ml_mlp_scratch_size(model), 1);
}

/* p numbers between -1 and 1, the last "categories" of them turned into categories with 4 levels, some missing. */
static MlDataset *
mlp_table(MlEnv *env, size_t rows, int p, int categories, int n_classes)
{
	MlDataset  *data = new_dataset(env, rows, p, n_classes);

	for (int f = 0; f < p; f++)
	{
		int32_t    *codes = f >= p - categories ? set_category(env, data, f, 4) : NULL;

		for (size_t i = 0; i < rows; i++)
		{
			double		u = ml_rng_uniform(5, (uint64_t) f, i);

			if (codes != NULL)
				codes[i] = (int32_t) (u * 5) - 1;
			else
				column_of_data(data, f)[i] = u < 0.03 ? NAN : 2 * u - 1;
		}
	}
	for (size_t i = 0; i < rows; i++)
	{
		double		s = 0.3 * ml_rng_uniform(5, 1000, i);

		for (int f = 0; f < p; f++)
		{
			double		v = ml_dataset_value(data, f, i);

			s += isnan(v) ? 0 : f % 2 == 0 ? v : -v * v;
		}
		target_of_data(data)[i] = n_classes == 0 ? s : n_classes == 2 ? s > 0 : s < -0.5 ? 0 : s < 0.5 ? 1 : 2;
	}
	return data;
}

#endif							/* MLP_DATA_H */
