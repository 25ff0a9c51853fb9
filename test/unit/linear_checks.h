/*-------------------------------------------------------------------------
 * linear_checks.h
 *	  What every linear method must stand: threads, images, extreme and degenerate data.
 *-------------------------------------------------------------------------
 */
#ifndef LINEAR_CHECKS_H
#define LINEAR_CHECKS_H

#include "linear_data.h"

/* How the target of random rows is made of their score, 0 .. about p. */
typedef double (*TargetOf) (double score, size_t row);

/* Deterministic uniform columns; the target follows from a score with decreasing coefficients and some noise. */
static MlDataset *
random_rows(MlEnv *env, size_t rows, int p, int n_classes, TargetOf target_of)
{
	MlDataset  *data = new_dataset(env, rows, p, n_classes);
	uint64_t	state = 1;
	double	   *score = ml_alloc0(env, rows, sizeof(double));

	for (int f = 0; f <= p; f++)
		for (size_t i = 0; i < rows; i++)
		{
			double		u;

			state = state * 6364136223846793005u + 1442695040888963407u;
			u = (double) (state >> 11) / 9007199254740992.0;
			if (f < p)
				column_of_data(data, f)[i] = u;
			score[i] += u / (f + 1);
		}
	for (size_t i = 0; i < rows; i++)
		target_of_data(data)[i] = target_of(score[i], i);
	return data;
}

static void
check_threads(const MlMethod *method, const char *settings, int n_classes, TargetOf target_of)
{
	MlWriter	image[3];
	MlEnv		env[3];
	static const int threads[3] = {1, 2, 4};

	for (int t = 0; t < 3; t++)
	{
		void	   *model;
		MlDataset  *data;

		env[t] = new_env(threads[t]);
		data = random_rows(&env[t], 20011, 17, n_classes, target_of);
		if (fit_with(&env[t], method, data, settings, &model) != ML_OK)
			fail("threads: %s", env[t].error.message);
		image[t] = save_model(&env[t], method, model);
	}
	check(image[0].length == image[1].length && memcmp(image[0].bytes, image[1].bytes, image[0].length) == 0
		  && image[0].length == image[2].length && memcmp(image[0].bytes, image[2].bytes, image[0].length) == 0,
		  "%s %s: 1, 2 and 4 threads give the same bits", method->name, settings);
	for (int t = 0; t < 3; t++)
		free_env(&env[t]);
}

static void
check_image(const MlMethod *method, const char *settings, int n_classes, TargetOf target_of)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = random_rows(&env, 60, 3, n_classes, target_of);
	int32_t    *code = set_category(&env, data, 1, 3);
	MlReader	r;
	MlWriter	w,
				again;
	void	   *model,
			   *loaded = NULL;
	double		x[3] = {0.5, 1, NAN},
				a[8] = {0},
				b[8] = {0};

	for (int i = 0; i < 60; i++)
		code[i] = i % 4 - 1;
	if (fit_with(&env, method, data, settings, &model) != ML_OK)
		fail("image: %s", env.error.message);
	w = save_model(&env, method, model);
	ml_reader_init(&r, &env, w.bytes, w.length);
	check(method->load(&r, data->schema, &loaded) == ML_OK && ml_reader_end(&r) == ML_OK, "%s: an image loads", method->name);
	again = save_model(&env, method, loaded);
	method->predict(model, x, a, NULL);
	method->predict(loaded, x, b, NULL);
	check(memcmp(a, b, sizeof(a)) == 0 && again.length == w.length && memcmp(again.bytes, w.bytes, w.length) == 0, "%s: and is the same model", method->name);
	check(load_is_total(method, data->schema, w.bytes, w.length), "%s: damaged images are refused or harmless", method->name);
	free_env(&env);
}

/* Is the model finite through and through, its predictions for its own rows included? */
static bool
is_finite_model(MlEnv *env, const MlMethod *method, const MlDataset *data, const void *model)
{
	MlCoefficient *rows;
	size_t		n = 0;
	double	   *x = ml_alloc0(env, data->schema->n_features, sizeof(double));
	int			n_out = data->schema->n_classes > 0 ? data->schema->n_classes : 1;

	if (method->coefficients(env, model, data->schema, &rows, &n) != ML_OK)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isfinite(rows[i].estimate) || isinf(rows[i].std_error))
			return false;
	for (size_t i = 0; i < data->n_train; i++)
	{
		double		out[64];

		ml_dataset_row(data, i, x);
		method->predict(model, x, out, NULL);
		for (int k = 0; k < n_out; k++)
			if (!isfinite(out[k]))
				return false;
	}
	return true;
}

/* Columns and rows of all awkward kinds: a clear error, or a model of finite numbers. */
static void
check_degenerate(const MlMethod *method, const char *settings, int n_classes, TargetOf target_of)
{
	static const char *const what[] = {
		"one row", "two rows", "a constant column", "all columns missing", "every row the same", "more columns than rows",
		"10,000 categories", "features of 1e300", "features of 1e-310", "no columns", "collinear columns", "a constant target"
	};

	for (size_t k = 0; k < sizeof(what) / sizeof(what[0]); k++)
	{
		MlEnv		env = new_env(1);
		size_t		rows = k == 0 ? 1 : k == 1 ? 2 : k == 5 ? 5 : k == 6 ? 10100 : 40;
		int			p = k == 5 ? 30 : k == 9 ? 0 : 3;
		MlDataset  *data = random_rows(&env, rows, p, n_classes, target_of);
		void	   *model = NULL;
		MlStatus	status;

		for (size_t i = 0; i < rows && p > 0; i++)
		{
			if (k == 2)
				column_of_data(data, 1)[i] = 7;
			for (int f = 0; f < 3; f++)
			{
				double	   *x = &column_of_data(data, f)[i];

				if (k == 3)
					*x = NAN;
				else if (k == 4)
					*x = f + 1;
				else if (k == 7)
					*x = (*x - 0.5) * 1e300;
				else if (k == 8)
					*x *= 1e-310;
				else if (k == 10 && f == 2)
					*x = column_of_data(data, 0)[i] - 2 * column_of_data(data, 1)[i];
			}
			if (k == 4)
				target_of_data(data)[i] = n_classes > 0 ? i % n_classes : target_of(1, 0);
			if (k == 11)
				target_of_data(data)[i] = target_of(1, 0);
		}
		if (k == 6)
		{
			int32_t    *code = set_category(&env, data, 0, 10000);

			for (size_t i = 0; i < rows; i++)
				code[i] = i % 10000;
		}
		status = fit_with(&env, method, data, settings, &model);
		if (status == ML_OK && !is_finite_model(&env, method, data, model))
			status = ML_CORRUPT;
		check(status == ML_OK || status == ML_OUT_OF_RANGE || status == ML_BAD_DATA, "%s %s, %s: %s", method->name, settings, what[k],
			  status == ML_OK ? "a finite model" : status == ML_CORRUPT ? "NOT a finite model" : env.error.message);
		free_env(&env);
	}
}

/* The value of a statistic, NaN when there is none. */
__attribute__((unused))
static double
statistic_of(MlEnv *env, const MlMethod *method, const MlSchema *schema, const void *model, const char *name)
{
	MlStatistic *rows;
	size_t		count = 0;

	if (method->statistics(env, model, schema, &rows, &count) != ML_OK)
		return NAN;
	for (size_t i = 0; i < count; i++)
		if (strcmp(rows[i].name, name) == 0)
			return rows[i].value;
	return NAN;
}

#endif							/* LINEAR_CHECKS_H */
