/*-------------------------------------------------------------------------
 * gbdt_data.h
 *	  Data sets, fits and predictions for the tests of gbdt.
 *-------------------------------------------------------------------------
 */
#ifndef GBDT_DATA_H
#define GBDT_DATA_H

#include "tables.h"
#include "unit.h"

#include "ml/base/rng.h"
#include "ml/model/model.h"

extern const MlMethod ml_method_gbdt;

/* p number columns x1 .. xp of n rows; n_classes 0 for regression. */
__attribute__((unused))
static MlDataset *
gbdt_data(MlEnv *env, size_t n, int p, int n_classes)
{
	MlDataset  *data = ml_alloc0(env, 1, sizeof(MlDataset));
	MlSchema   *schema = ml_alloc0(env, 1, sizeof(MlSchema));
	MlDataColumn *columns = ml_alloc0(env, (size_t) p + 1, sizeof(MlDataColumn));

	schema->task = n_classes > 0 ? ML_TASK_CLASSIFICATION : ML_TASK_REGRESSION;
	schema->n_features = p;
	schema->features = ml_alloc0(env, (size_t) p + 1, sizeof(MlFeature));
	schema->n_classes = n_classes;
	for (int f = 0; f < p; f++)
	{
		schema->features[f].name = ml_printf(env, "x%d", f + 1);
		columns[f].number = ml_alloc0(env, n + 1, sizeof(double));
	}
	data->schema = schema;
	data->columns = columns;
	data->n_train = n;
	data->y = ml_alloc0(env, n + 1, sizeof(double));
	return data;
}

__attribute__((unused))
static double *
gbdt_number(MlDataset *data, int f)
{
	return (double *) data->columns[f].number;
}

__attribute__((unused))
static double *
gbdt_target(MlDataset *data)
{
	return (double *) data->y;
}

/* Makes feature f a category; returns its codes, all 0. */
__attribute__((unused))
static int32_t *
gbdt_category(MlEnv *env, MlDataset *data, int f, int levels)
{
	MlDataColumn *column = (MlDataColumn *) &data->columns[f];

	data->schema->features[f].kind = ML_FEATURE_CATEGORY;
	data->schema->features[f].levels = levels;
	column->number = NULL;
	column->code = ml_alloc0(env, data->n_train + data->n_valid + data->n_test + 1, sizeof(int32_t));
	return (int32_t *) column->code;
}

/* Parameters "name=value name=value". */
__attribute__((unused))
static MlStatus
gbdt_params(MlEnv *env, const MlMethod *method, const char *settings, MlParams **result)
{
	MlParams   *params;
	char	   *text = ml_strdup(env, settings);

	ML_TRY(ml_params_init(env, method->params, &params));
	for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
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
	*result = params;
	return ML_OK;
}

/* A fit with parameters like these. */
__attribute__((unused))
static MlStatus
gbdt_fit_as(MlEnv *env, const MlMethod *method, const MlDataset *data, const char *settings, MlModel **model)
{
	MlParams   *params;
	void	   *fitted;

	ML_TRY(gbdt_params(env, method, settings, &params));
	ML_TRY(method->fit(env, data, params, &fitted));
	return ml_model_make(env, method, data->schema, fitted, model);
}

__attribute__((unused))
static MlStatus
gbdt_fit(MlEnv *env, const MlDataset *data, const char *settings, MlModel **model)
{
	return gbdt_fit_as(env, &ml_method_gbdt, data, settings, model);
}

/* Output k of a row given as doubles. */
__attribute__((unused))
static double
gbdt_at(const MlModel *model, const double *x, int k)
{
	double		out[64];

	ml_model_predict(model, x, out);
	return out[k];
}

__attribute__((unused))
static double
gbdt_row(const MlModel *model, const MlDataset *data, size_t i, int k)
{
	double	   *x = malloc(sizeof(double) * (size_t) (data->schema->n_features + 1));
	double		result;

	ml_dataset_row(data, i, x);
	result = gbdt_at(model, x, k);
	free(x);
	return result;
}

__attribute__((unused))
static MlWriter
gbdt_image(MlEnv *env, const MlModel *model)
{
	MlWriter	w;

	ml_writer_init(&w, env);
	model->method->save(model->fitted, &w);
	return w;
}

/* A hash of the bytes of a model that so many threads have fitted; 0: there is none. */
__attribute__((unused))
static uint64_t
gbdt_hash(const MlMethod *method, const MlDataset *data, int threads, const char *settings)
{
	MlEnv	   *env = unit_env(threads);
	MlModel    *model;
	uint64_t	hash = 0;

	CHECK_STATUS(env, gbdt_fit_as(env, method, data, settings, &model), ML_OK);
	if (env->error.status == ML_OK)
	{
		MlWriter	w = gbdt_image(env, model);

		for (size_t i = 0; i < w.length; i++)
			hash = ml_mix64(hash ^ w.bytes[i]);
	}
	unit_env_free(env);
	return hash;
}

__attribute__((unused))
static MlModel *
gbdt_reload(MlEnv *env, const MlModel *model, MlStatus *status)
{
	MlWriter	w = gbdt_image(env, model);
	MlReader	r;
	void	   *fitted;
	MlModel    *loaded = NULL;

	ml_reader_init(&r, env, w.bytes, w.length);
	*status = model->method->load(&r, model->schema, &fitted);
	if (*status == ML_OK)
		*status = ml_reader_end(&r);
	if (*status == ML_OK)
		*status = ml_model_make(env, model->method, model->schema, fitted, &loaded);
	return loaded;
}

/* Uniform in [0, 1), by number. */
__attribute__((unused))
static double
gbdt_random(uint64_t stream, uint64_t i)
{
	return ml_rng_uniform(7, stream, i);
}

/* A normal variate, near enough: twelve uniforms. */
__attribute__((unused))
static double
gbdt_normal(uint64_t stream, uint64_t i)
{
	double		sum = -6;

	for (uint64_t j = 0; j < 12; j++)
		sum += ml_rng_uniform(8, stream, 12 * i + j);
	return sum;
}

#endif							/* GBDT_DATA_H */
