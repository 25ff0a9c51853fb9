/*-------------------------------------------------------------------------
 * test_logistic.c
 *	  logistic_regression against figures of 40 digits, scikit-learn and closed forms.
 *
 * Figures: test/reference/linear.py.
 *-------------------------------------------------------------------------
 */
#include "linear_data.h"

#include "ml/algo/softmax_rows.h"
#include "ml/base/elementary.h"
#include "ml/base/rng.h"
#include "ml/base/simd.h"
#include "../reference/logistic_figures.h"

extern const MlMethod ml_method_logistic_regression;
static const MlMethod *const logistic = &ml_method_logistic_regression;

#define MAX_TERMS 800

static const char *const truth[] = {"0", "1"};
static const char *const species[] = {"setosa", "versicolor", "virginica"};
static const char *const cultivars[] = {"0", "1", "2"};

/* The first p features only. */
static MlDataset *
narrow(MlDataset *data, int p)
{
	((MlSchema *) data->schema)->n_features = p;
	return data;
}

/* Rows of the last two classes of three, as 0 and 1. */
static MlDataset *
last_two(MlEnv *env, MlDataset *all)
{
	MlDataset  *data;
	size_t		n = 0;

	for (size_t i = 0; i < all->n_train; i++)
		n += all->y[i] > 0;
	data = new_dataset(env, n, all->schema->n_features, 2);
	n = 0;
	for (size_t i = 0; i < all->n_train; i++)
	{
		if (all->y[i] == 0)
			continue;
		for (int f = 0; f < all->schema->n_features; f++)
			column_of_data(data, f)[n] = all->columns[f].number[i];
		target_of_data(data)[n++] = all->y[i] - 1;
	}
	return data;
}

static void
compare(MlEnv *env, const char *name, MlDataset *data, const char *settings,
		const double *coef, const double *error, const double *sklearn, double tolerance)
{
	MlCoefficient *rows;
	double		estimates[MAX_TERMS] = {0},
				errors[MAX_TERMS] = {0};
	void	   *model;
	size_t		n = 0;
	size_t		expected = (size_t) (data->schema->n_features + 1) * (data->schema->n_classes == 2 ? 1 : data->schema->n_classes);

	if (fit_with(env, logistic, data, settings, &model) == ML_OK)
		n = coefficients_of(env, logistic, data->schema, model, &rows, estimates, errors);
	check(n == expected && env->warnings == NULL, "%s: %zu coefficients, no warning%s%s", name, n,
		  env->warnings ? ": " : "", env->warnings ? env->warnings->text : env->error.message);
	if (n != expected)
		return;
	check(worst_error(estimates, coef, n) < tolerance, "%s: coefficients of 40 digits (%.1e)", name, worst_error(estimates, coef, n));
	check(worst_error(errors, error, n) < tolerance, "%s: standard errors of 40 digits (%.1e)", name, worst_error(errors, error, n));
	if (sklearn != NULL)
	{
		double		worst = 0;

		for (size_t i = 0; i < n; i++)
			worst = fmax(worst, fabs(estimates[i] - sklearn[i]));
		check(worst < 1e-6, "%s: scikit-learn's coefficients (%.1e)", name, worst);
	}
}

static void
test_figures(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = read_csv(&env, "breast_cancer", 2, truth);

	compare(&env, "breast cancer", data, "", breast_cancer_coef, breast_cancer_error, breast_cancer_sklearn, 1e-9);
	free_env(&env);

	env = new_env(1);
	data = narrow(read_csv(&env, "breast_cancer", 2, truth), 8);
	weigh(&env, data);
	compare(&env, "breast cancer with weights", data, "C=0.5", breast_cancer_weighted_coef, breast_cancer_weighted_error, NULL, 1e-9);
	free_env(&env);

	env = new_env(1);
	compare(&env, "iris", read_csv(&env, "iris", 3, species), "", iris_coef, iris_error, iris_sklearn, 1e-9);
	free_env(&env);

	env = new_env(1);
	data = last_two(&env, read_csv(&env, "iris", 3, species));
	compare(&env, "iris, two classes without penalty", data, "penalty=none", iris_plain_coef, iris_plain_error, NULL, 1e-9);
	free_env(&env);

	env = new_env(1);
	compare(&env, "wine", read_csv(&env, "wine", 3, cultivars), "", wine_coef, wine_error, wine_sklearn, 1e-9);
	free_env(&env);

	env = new_env(1);
	data = narrow(read_csv(&env, "wine", 3, cultivars), 2);
	compare(&env, "wine, two columns without penalty", data, "penalty=none", wine_plain_coef, wine_plain_error, NULL, 1e-9);
	free_env(&env);
}

/* One 0/1 feature: the maximum likelihood estimate is the log odds ratio, its variance the sum of reciprocal counts. */
static void
test_odds_ratio(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = new_dataset(&env, 100, 1, 2);
	static const int count[2][2] = {{30, 20}, {10, 40}};
	MlCoefficient *rows;
	double		b[MAX_TERMS] = {0},
				error[MAX_TERMS] = {0};
	void	   *model;
	size_t		n = 0;

	for (int x = 0; x < 2; x++)
		for (int y = 0; y < 2; y++)
			for (int i = 0; i < count[x][y]; i++, n++)
			{
				column_of_data(data, 0)[n] = x;
				target_of_data(data)[n] = y;
			}
	if (fit_with(&env, logistic, data, "penalty=none", &model) != ML_OK)
		fail("odds ratio: %s", env.error.message);
	coefficients_of(&env, logistic, data->schema, model, &rows, b, error);
	check(fabs(b[0] - log(20. / 30)) < 1e-13 && fabs(b[1] - log(40. / 10 * 30 / 20)) < 1e-13, "odds ratio: coefficients");
	check(fabs(error[0] - sqrt(1. / 20 + 1. / 30)) < 1e-12 && fabs(error[1] - sqrt(1. / 20 + 1. / 30 + 1. / 40 + 1. / 10)) < 1e-12, "odds ratio: Wald errors");
	check(fabs(rows[1].p_value - erfc(fabs(b[1] / error[1]) / M_SQRT2)) < 1e-15 && strcmp(rows[1].class_label, "class 1") == 0, "odds ratio: p value, of class 1");
	free_env(&env);

	/* The same as 4 rows with weights, and with weights of an extreme size: the estimate does not change. */
	for (int k = 0; k < 2; k++)
	{
		double	   *w;

		env = new_env(1);
		data = new_dataset(&env, 4, 1, 2);
		w = ml_alloc0(&env, 4, sizeof(double));
		for (int i = 0; i < 4; i++)
		{
			column_of_data(data, 0)[i] = i / 2;
			target_of_data(data)[i] = i % 2;
			w[i] = count[i / 2][i % 2] * (k == 0 ? 1 : 1e200);
		}
		data->weight = w;
		if (fit_with(&env, logistic, data, "penalty=none", &model) != ML_OK)
			fail("odds ratio with weights: %s", env.error.message);
		coefficients_of(&env, logistic, data->schema, model, &rows, b, error);
		check(fabs(b[1] - log(6)) < 1e-13 && fabs(error[1] * (k == 0 ? 1 : 1e100) - sqrt(1. / 20 + 1. / 30 + 1. / 40 + 1. / 10)) < 1e-12,
			  "odds ratio: a weight counts like so many rows%s", k == 0 ? "" : ", even 1e200");
		free_env(&env);
	}
}

static void
test_separable(const char *what, int kind, const char *settings, bool expect_warning)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = new_dataset(&env, 60, 2, kind == 2 ? 3 : 2);
	MlCoefficient *rows;
	double		b[MAX_TERMS] = {0},
				error[MAX_TERMS] = {0},
				x[2],
				out[3];
	void	   *model;
	size_t		n = 0;
	int			right = 0;
	bool		finite = true;

	for (int i = 0; i < 60; i++)
	{
		column_of_data(data, 0)[i] = i;
		column_of_data(data, 1)[i] = sin(i) * 100;
		target_of_data(data)[i] = i / (kind == 2 ? 20 : 30);
	}
	if (kind == 1)				/* overlap in one place only: quasi-complete separation */
	{
		column_of_data(data, 0)[30] = 29;
		column_of_data(data, 1)[30] = column_of_data(data, 1)[29];
	}
	if (fit_with(&env, logistic, data, settings, &model) == ML_OK)
		n = coefficients_of(&env, logistic, data->schema, model, &rows, b, error);
	for (size_t i = 0; i < n; i++)
		finite = finite && isfinite(b[i]) && !isinf(error[i]);
	check(n > 0 && finite && warned(&env, "separate") == expect_warning, "%s: finite, %s%s", what,
		  expect_warning ? "with a warning" : "without a warning", n > 0 ? "" : env.error.message);
	if (n == 0)
		return;
	for (int i = 0; i < 60; i++)
	{
		ml_dataset_row(data, i, x);
		logistic->predict(model, x, out, NULL);
		right += out[(int) data->y[i]] >= 0.5 - 1e-9;
	}
	check(right >= 59, "%s: %d of 60 rows right", what, right);
	free_env(&env);
}

/* A column twice: each copy gets half of what the column alone gets with half the penalty on ... (w/2)^2 + (w/2)^2 = w^2/2. */
static void
test_collinear(const char *settings, const char *alone_settings, bool expect_warning)
{
	double		b[2][MAX_TERMS] = {{0}},
				error[2][MAX_TERMS] = {{0}};

	for (int k = 0; k < 2; k++)
	{
		MlEnv		env = new_env(1);
		MlDataset  *data = new_dataset(&env, 80, k == 0 ? 1 : 2, 2);
		MlCoefficient *rows;
		void	   *model;

		for (int i = 0; i < 80; i++)
		{
			for (int f = 0; f <= k; f++)
				column_of_data(data, f)[i] = 1000 + 30 * sin(i);
			target_of_data(data)[i] = sin(i) + sin(5.3 * i) > 0;
		}
		if (fit_with(&env, logistic, data, k == 0 ? alone_settings : settings, &model) != ML_OK)
			fail("collinear: %s", env.error.message);
		coefficients_of(&env, logistic, data->schema, model, &rows, b[k], error[k]);
		if (k == 1)
			check(warned(&env, "rank 1") == expect_warning, "collinear, %s: warning", settings);
		free_env(&env);
	}
	check(relative_error(b[1][1], b[0][1] / 2) < 1e-8 && relative_error(b[1][2], b[0][1] / 2) < 1e-8, "collinear, %s: both halves alike (%.12g %.12g)", settings, b[1][1], b[1][2]);
}

/* More columns than rows: the gradient at the optimum must vanish, w_j = C * sum (y - p) x_j. */
static void
test_wide(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = new_dataset(&env, 12, 40, 2);
	MlCoefficient *rows;
	double		b[MAX_TERMS] = {0},
				error[MAX_TERMS] = {0},
				x[40],
				out[2],
				gradient[41] = {0},
				worst = 0;
	void	   *model;

	for (int i = 0; i < 12; i++)
	{
		for (int f = 0; f < 40; f++)
			column_of_data(data, f)[i] = sin(i * 41 + f * f) * (f == 3 ? 1000 : 1);
		target_of_data(data)[i] = i % 3 == 0;
	}
	if (fit_with(&env, logistic, data, "C=2", &model) != ML_OK)
		fail("n < p: %s", env.error.message);
	coefficients_of(&env, logistic, data->schema, model, &rows, b, error);
	for (int i = 0; i < 12; i++)
	{
		ml_dataset_row(data, i, x);
		logistic->predict(model, x, out, NULL);
		gradient[0] += 2 * (data->y[i] - out[1]);
		for (int f = 0; f < 40; f++)
			gradient[f + 1] += 2 * (data->y[i] - out[1]) * x[f];
	}
	for (int f = 1; f <= 40; f++)
		worst = fmax(worst, fabs(gradient[f] - b[f]) / (f == 4 ? 1000 : 1));
	check(worst < 1e-12 && fabs(gradient[0]) < 1e-12, "n < p: the gradient vanishes (%.1e)", worst);
	free_env(&env);
}

/* Beyond 2048 coefficients steps come from conjugate gradients: the gradient must vanish there too, with any threads. */
static void
test_large(size_t rows, int p)
{
	double	   *b[2];
	double	   *error = calloc(3 * (p + 1), sizeof(double));

	for (int t = 0; t < 2; t++)
	{
		MlEnv		env = new_env(1 + t);
		MlDataset  *data = new_dataset(&env, rows, p, 3);
		MlCoefficient *coefficients;
		double	   *gradient = ml_alloc0(&env, 3 * (p + 1), sizeof(double));
		double	   *x = ml_alloc0(&env, p, sizeof(double));
		double		out[3],
					worst = 0;
		void	   *model;

		b[t] = calloc(3 * (p + 1), sizeof(double));
		for (size_t i = 0; i < rows; i++)
		{
			for (int f = 0; f < p; f++)
				column_of_data(data, f)[i] = sin(i * (1.7 + 0.61 * f) + f * f) * (f % 5 == 3 ? 100 : 1);
			target_of_data(data)[i] = fmod(floor(fabs(column_of_data(data, 0)[i] + cos(i * i)) * 10), 3);
		}
		if (fit_with(&env, logistic, data, "", &model) != ML_OK)
			fail("large: %s", env.error.message);
		coefficients_of(&env, logistic, data->schema, model, &coefficients, b[t], error);
		for (size_t i = 0; i < rows; i++)
		{
			ml_dataset_row(data, i, x);
			logistic->predict(model, x, out, NULL);
			for (int k = 0; k < 3; k++)
			{
				double		r = (data->y[i] == k) - out[k];

				gradient[k * (p + 1)] += r;
				for (int f = 0; f < p; f++)
					gradient[k * (p + 1) + f + 1] += r * x[f];
			}
		}
		for (int i = 0; i < 3 * (p + 1); i++)
			worst = fmax(worst, fabs(gradient[i] - (i % (p + 1) == 0 ? 0 : b[t][i])) / (i % (p + 1) % 5 == 4 ? 100 : 1));
		check(worst < 1e-9 && !warned(&env, "converged") && isnan(error[1]), "%zu x %d, 3 classes: the gradient vanishes (%.1e)", rows, p, worst);
		free_env(&env);
	}
	check(memcmp(b[0], b[1], 3 * (p + 1) * sizeof(double)) == 0, "%zu x %d, 3 classes: the same bits with 2 threads", rows, p);
	free(b[0]);
	free(b[1]);
	free(error);
}

static MlDataset *
noisy_data(MlEnv *env, size_t rows, int p, int classes)
{
	MlDataset  *data = new_dataset(env, rows, p, classes);
	uint64_t	state = 7;

	for (size_t i = 0; i < rows; i++)
	{
		double		sum = 0;

		for (int f = 0; f < p; f++)
		{
			state = state * 6364136223846793005u + 1442695040888963407u;
			column_of_data(data, f)[i] = (double) (state >> 11) / 9007199254740992.0 * (f + 1);
			sum += column_of_data(data, f)[i] / (f + 1);
		}
		state = state * 6364136223846793005u + 1442695040888963407u;
		sum += (double) (state >> 11) / 9007199254740992.0 * 2;
		target_of_data(data)[i] = fmin(classes - 1, fmax(0, floor((sum / (p + 2) - 0.3) / 0.4 * classes)));
	}
	return data;
}

static void
test_threads(int classes)
{
	MlWriter	image[3];
	MlEnv		env[3];
	static const int threads[3] = {1, 2, 4};

	for (int t = 0; t < 3; t++)
	{
		void	   *model;

		env[t] = new_env(threads[t]);
		if (fit_with(&env[t], logistic, noisy_data(&env[t], 30011, 11, classes), "", &model) != ML_OK)
			fail("threads: %s", env[t].error.message);
		image[t] = save_model(&env[t], logistic, model);
	}
	check(image[0].length == image[1].length && memcmp(image[0].bytes, image[1].bytes, image[0].length) == 0
		  && memcmp(image[0].bytes, image[2].bytes, image[0].length) == 0, "%d classes: 1, 2 and 4 threads give the same bits", classes);
	for (int t = 0; t < 3; t++)
		free_env(&env[t]);
}

static void
test_image(int classes)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = noisy_data(&env, 60, 3, classes);
	MlReader	r;
	MlWriter	w,
				again;
	void	   *model,
			   *loaded = NULL;
	double		x[3] = {0.5, 1, 2},
				a[4] = {0},
				b[4] = {0},
				sum = 0;

	if (fit_with(&env, logistic, data, "", &model) != ML_OK)
		fail("image: %s", env.error.message);
	w = save_model(&env, logistic, model);
	ml_reader_init(&r, &env, w.bytes, w.length);
	check(logistic->load(&r, data->schema, &loaded) == ML_OK && ml_reader_end(&r) == ML_OK, "%d classes: an image loads", classes);
	again = save_model(&env, logistic, loaded);
	logistic->predict(model, x, a, NULL);
	logistic->predict(loaded, x, b, NULL);
	for (int c = 0; c < classes; c++)
		sum += a[c];
	check(memcmp(a, b, sizeof(a)) == 0 && fabs(sum - 1) < 1e-15 && again.length == w.length && memcmp(again.bytes, w.bytes, w.length) == 0, "%d classes: and is the same model", classes);
	check(classes > 2 || batch_is_single(logistic, data, model), "%d classes: rows together have the bits of single ones", classes);
	check(load_is_total(logistic, data->schema, w.bytes, w.length), "%d classes: damaged images are refused or harmless", classes);
	free_env(&env);
}

/* A class that training never has: probability 0, and the others as if it did not exist. */
static void
test_absent_class(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = read_csv(&env, "iris", 3, species);
	double		x[4],
				with[4] = {0},
				without[4] = {0};
	void	   *model;

	if (fit_with(&env, logistic, data, "", &model) != ML_OK)
		fail("absent class: %s", env.error.message);
	ml_dataset_row(data, 70, x);
	logistic->predict(model, x, without, NULL);

	/* Four classes: setosa, (none), versicolor, virginica. */
	((MlSchema *) data->schema)->n_classes = 4;
	data->schema->classes[0] = "a";
	((MlSchema *) data->schema)->classes = (const char *[]){"a", "b", "c", "d"};
	for (size_t i = 0; i < data->n_train; i++)
		target_of_data(data)[i] += data->y[i] > 0;
	if (fit_with(&env, logistic, data, "", &model) != ML_OK)
		fail("absent class: %s", env.error.message);
	logistic->predict(model, x, with, NULL);
	check(with[1] == 0 && with[0] == without[0] && with[2] == without[1] && with[3] == without[2] && warned(&env, "\"b\" has no training rows"),
		  "a class without training rows has probability 0");

	for (size_t i = 0; i < data->n_train; i++)
		target_of_data(data)[i] = 2;
	check(fit_with(&env, logistic, data, "", &model) == ML_BAD_DATA, "one class only: %s", env.error.message);
	free_env(&env);
}

/* A class of which all rows have weight 0, the last one too: as if its rows were not there. */
static void
test_class_without_weight(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *data[2] = {new_dataset(&env, 90, 3, 4), new_dataset(&env, 120, 3, 4)};
	double	   *weight = ml_alloc0(&env, 120, sizeof(double));
	double		answer[2][4];
	void	   *model;

	for (int d = 0; d < 2; d++)
	{
		for (size_t i = 0; i < data[d]->n_train; i++)
		{
			size_t		row = d == 0 ? i / 3 * 4 + i % 3 : i;

			for (int f = 0; f < 3; f++)
				column_of_data(data[d], f)[i] = sin((double) (row * (size_t) (f + 3)));
			target_of_data(data[d])[i] = (double) (row % 4);
			weight[i] = row % 4 < 3;
		}
		data[d]->weight = d == 0 ? NULL : weight;
		if (fit_with(&env, logistic, data[d], "", &model) != ML_OK)
			fail("%s", env.error.message);
		logistic->predict(model, (double[]) {0.3, -0.2, 0.9}, answer[d], NULL);
		check(answer[d][3] == 0, "class %d is never predicted", 3);
	}
	check(worst_error(answer[1], answer[0], 3) < 1e-12, "rows without weight change nothing");
	free_env(&env);
}

static void
test_range(void)
{
	static const double size[] = {1e308, 1e-308, 1e-320, 1e200, 1e-200};

	for (int k = 0; k < 5; k++)
		for (int penalty = 0; penalty < 2; penalty++)
		{
			MlEnv		env = new_env(1);
			MlDataset  *data = new_dataset(&env, 40, 2, 2);
			MlCoefficient *rows;
			double		b[MAX_TERMS] = {0},
						error[MAX_TERMS] = {0},
						x[2] = {-1e308, 1e308},
						out[2];
			void	   *model;
			MlStatus	status;

			for (int i = 0; i < 40; i++)
			{
				column_of_data(data, 0)[i] = sin(i) * size[k];
				column_of_data(data, 1)[i] = i % 5;
				target_of_data(data)[i] = sin(i) + sin(3.3 * i) > 0;
			}
			status = fit_with(&env, logistic, data, penalty ? "penalty=l2" : "penalty=none", &model);
			if (status == ML_OK)
			{
				size_t		n = coefficients_of(&env, logistic, data->schema, model, &rows, b, error);

				for (size_t i = 0; i < n; i++)
					if (!isfinite(b[i]) || isinf(error[i]))
						status = ML_CORRUPT;
				logistic->predict(model, x, out, NULL);
				if (!(out[0] >= 0 && out[0] <= 1 && out[0] + out[1] == 1))
					status = ML_CORRUPT;
			}
			check(status == ML_OK || status == ML_OUT_OF_RANGE, "feature of %g, %s: %s", size[k], penalty ? "l2" : "no penalty",
				  status == ML_OK ? "a finite model" : env.error.message);
			free_env(&env);
		}
}

/* A floor, not a figure: digits by ten equations of 64 pixels. */
static void
test_digits(void)
{
	static const char *const digits[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
	MlEnv		env = new_env(2);
	MlDataset  *data = read_csv(&env, "digits", 10, digits);
	double		x[64],
				out[10];
	size_t		rows = data->n_train;
	int			right = 0;
	void	   *model;

	data->n_train = 1200;
	if (fit_with(&env, logistic, data, "C=0.01", &model) != ML_OK)
		fail("digits: %s", env.error.message);
	for (size_t i = 1200; i < rows; i++)
	{
		int			best = 0;

		ml_dataset_row(data, i, x);
		logistic->predict(model, x, out, NULL);
		for (int c = 1; c < 10; c++)
			best = out[c] > out[best] ? c : best;
		right += best == (int) data->y[i];
	}
	check(right >= 0.91 * (rows - 1200), "digits: %d of %zu new rows right, 91 %% at least", right, rows - 1200);
	free_env(&env);
}

static bool
always(void *state)
{
	return true;
}

static void
test_refusals(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = noisy_data(&env, 50, 2, 2);
	void	   *model;

	env.dense = NULL;
	check(fit_with(&env, logistic, data, "", &model) == ML_UNSUPPORTED, "without dense algebra: %s", env.error.message);
	free_env(&env);

	env = new_env(1);
	data = noisy_data(&env, 50, 2, 2);
	check(fit_with(&env, logistic, data, "C=0", &model) == ML_BAD_PARAM, "C of 0: %s", env.error.message);
	free_env(&env);

	env = new_env(1);
	data = noisy_data(&env, 50, 2, 2);
	check(fit_with(&env, logistic, data, "penalty=l1", &model) == ML_BAD_PARAM, "unknown penalty: %s", env.error.message);
	free_env(&env);

	env = new_env(2);
	data = noisy_data(&env, 50, 2, 2);
	env.canceled = always;
	check(fit_with(&env, logistic, data, "", &model) == ML_CANCELED, "cancel");
	free_env(&env);

	env = new_env(1);
	data = noisy_data(&env, 50, 2, 2);
	check(fit_with(&env, logistic, data, "max_iter=1", &model) == ML_OK && warned(&env, "not converged"), "one iteration only: a warning");
	free_env(&env);
}

/* A fit of many rows begins with a part of them: in whatever order they come, and with any number of threads, it ends the same. */
static void
test_many_rows(void)
{
	enum {ROWS = 300000};
	MlEnv		env[4];
	MlWriter	image[4];
	double		b[4][3],
				error[4][3];

	for (int k = 0; k < 4; k++)
	{
		MlDataset  *data;
		MlCoefficient *rows;
		void	   *model;
		size_t		front = 0,
					back = ROWS;

		env[k] = new_env(k < 3 ? 1 << k : 1);
		data = new_dataset(&env[k], ROWS, 2, 2);
		for (size_t i = 0; i < ROWS; i++)
		{
			double		u = sin((double) i * 1.7),
						v = cos((double) i * 0.37 + 1);
			bool		yes = 2 * u - v + 3 * sin((double) i * 12.9) > 0.5;
			/* k = 3: first all of one class, then all of the other */
			size_t		at = k < 3 ? i : yes ? --back : front++;

			column_of_data(data, 0)[at] = u;
			column_of_data(data, 1)[at] = v * 1000 + 5e5;
			target_of_data(data)[at] = yes;
		}
		if (fit_with(&env[k], logistic, data, "", &model) != ML_OK)
			fail("many rows: %s", env[k].error.message);
		image[k] = save_model(&env[k], logistic, model);
		check(coefficients_of(&env[k], logistic, data->schema, model, &rows, b[k], error[k]) == 3 && env[k].warnings == NULL, "many rows: a fit without warnings");
	}
	check(image[0].length == image[1].length && memcmp(image[0].bytes, image[1].bytes, image[0].length) == 0
		  && memcmp(image[0].bytes, image[2].bytes, image[0].length) == 0, "many rows: 1, 2 and 4 threads give the same bits");
	check(worst_error(b[0], b[3], 3) < 1e-12 && worst_error(error[0], error[3], 3) < 1e-7,
		  "many rows: sorted by class, the same model (%.1e, %.1e)", worst_error(b[0], b[3], 3), worst_error(error[0], error[3], 3));
	for (int k = 0; k < 4; k++)
		free_env(&env[k]);
}

/* a (n x n) becomes its inverse: Gauss-Jordan, for a positive definite matrix. */
static void
invert(double *a, int n)
{
	for (int k = 0; k < n; k++)
	{
		double		pivot = 1 / a[k * n + k];

		a[k * n + k] = 1;
		for (int j = 0; j < n; j++)
			a[k * n + j] *= pivot;
		for (int i = 0; i < n; i++)
		{
			double		factor = a[i * n + k];

			if (i == k)
				continue;
			a[i * n + k] = 0;
			for (int j = 0; j < n; j++)
				a[i * n + j] -= factor * a[k * n + j];
		}
	}
}

/*
 * Many classes: at the optimum b_kj = sum of (y_k - p_k) x_j.  The covariance is the inverse of the Hessian over all classes, which the penalty
 * makes regular, less 1 / classes, for the mean over the classes is 0 and not free.
 */
static void
test_classes(int classes, size_t rows, bool inverse)
{
	enum {P = 2};
	MlEnv		env = new_env(2);
	MlDataset  *data = new_dataset(&env, rows, P, classes);
	int			n = classes * P;
	double	   *b = ml_alloc0(&env, n, sizeof(double));
	double	   *error = ml_alloc0(&env, n, sizeof(double));
	double	   *gradient = ml_alloc0(&env, n, sizeof(double));
	double	   *hessian = ml_alloc0(&env, (size_t) n * n, sizeof(double));
	double	   *p = ml_alloc0(&env, classes, sizeof(double));
	double		worst = 0;
	MlCoefficient *terms;
	void	   *model;

	for (size_t i = 0; i < rows; i++)
	{
		column_of_data(data, 0)[i] = sin((double) i * 1.7) * 3;
		column_of_data(data, 1)[i] = cos((double) i * i * 0.37) * 2;
		target_of_data(data)[i] = (double) ((i + (i >= (size_t) classes && column_of_data(data, 0)[i] > 1 ? i / 7 : 0)) % (size_t) classes);
	}
	if (fit_with(&env, logistic, data, "fit_intercept=false", &model) != ML_OK)
		fail("%d classes: %s", classes, env.error.message);
	check(coefficients_of(&env, logistic, data->schema, model, &terms, b, error) == (size_t) n && env.warnings == NULL, "%d classes: a coefficient for each", classes);
	for (int i = 0; i < n; i++)
		hessian[(size_t) i * n + i] = 1;
	for (size_t i = 0; i < rows; i++)
	{
		const double x[P] = {data->columns[0].number[i], data->columns[1].number[i]};

		logistic->predict(model, x, p, NULL);
		for (int k = 0; k < n; k++)
			gradient[k] += ((data->y[i] == k / P) - p[k / P]) * x[k % P];
		for (int k = 0; inverse && k < n; k++)
			for (int l = 0; l < n; l++)
				hessian[k * n + l] += ((k / P == l / P ? p[k / P] : 0) - p[k / P] * p[l / P]) * x[k % P] * x[l % P];
	}
	for (int k = 0; k < n; k++)
		worst = fmax(worst, fabs(gradient[k] - b[k]));
	check(worst < 1e-9, "%d classes: the gradient vanishes (%.1e)", classes, worst);
	if (inverse)
	{
		invert(hessian, n);
		worst = 0;
		for (int k = 0; k < n; k++)
			worst = fmax(worst, fabs(error[k] / sqrt(hessian[k * n + k] - 1. / classes) - 1));
		check(worst < 1e-9, "%d classes: standard errors by the inverse of the whole Hessian (%.1e)", classes, worst);
	}
	free_env(&env);
}

/* ---- kernels of a block of rows ---- */

#define BLOCK_ROWS 264
#define MOST_CLASSES 40

typedef struct Block
{
	double		value[MOST_CLASSES * BLOCK_ROWS];
	double		other[MOST_CLASSES * BLOCK_ROWS];
	double		top[BLOCK_ROWS];
	double		log_sum[BLOCK_ROWS];
	double		weight[BLOCK_ROWS];
	double		line[2 * BLOCK_ROWS];
} Block;

/* Scores as they may come: equal, far apart, out of range, and what is no number. */
static double
hostile_score(uint64_t stream, size_t i)
{
	static const double some[] = {0, -0.0, 700, -745.2, -800, 1e300, -1e300, 5e-324, -1e-310, NAN, INFINITY, -INFINITY};

	return i % 7 == 3 ? some[ml_rng_u64(9, stream, i) % 12] : (i % 3 == 0 ? 300 : 2) * (ml_rng_uniform(8, stream, i) - 0.5);
}

/* The kernels, one after another, in plain loops: the same sums in the same order. */
static void
plain_rows(Block *b, size_t n, size_t k, const double *share)
{
	for (size_t i = 0; i < n; i++)
	{
		double		p[MOST_CLASSES];
		double		above = 0;
		double		top;
		double		sum = 0;
		double		mean = 0;

		for (size_t c = k - 1; c-- > 0;)
		{
			p[c + 1] = above - (double) (c + 1) * (share[c] * b->value[c * BLOCK_ROWS + i]);
			above += share[c] * b->value[c * BLOCK_ROWS + i];
		}
		top = p[0] = above;
		for (size_t c = 1; c < k; c++)
			top = top >= p[c] ? top : p[c];
		for (size_t c = 0; c < k; c++)
		{
			p[c] = ml_exp(p[c] - top < -746 ? -746 : p[c] - top);
			sum += p[c];
		}
		for (size_t c = 0; c < k; c++)
		{
			p[c] /= sum;
			mean += p[c] * b->other[c * BLOCK_ROWS + i];
		}
		b->top[i] = top;
		b->log_sum[i] = ml_log(sum);
		for (size_t c = 0; c < k; c++)
		{
			b->value[c * BLOCK_ROWS + i] = p[c];
			b->other[c * BLOCK_ROWS + i] = b->weight[i] * p[c] * (b->other[c * BLOCK_ROWS + i] - mean);
		}
		above = 0;
		for (size_t c = 0; c + 1 < k; c++)
		{
			above += b->other[c * BLOCK_ROWS + i];
			b->other[c * BLOCK_ROWS + i] = share[c] * (above - (double) (c + 1) * b->other[(c + 1) * BLOCK_ROWS + i]);
		}
	}
}

/* Equal, or both no number: which of its bits NaN has, nobody promises. */
static size_t
different(const double *a, const double *b, size_t n)
{
	size_t		wrong = 0;

	for (size_t i = 0; i < n; i++)
		wrong += memcmp(&a[i], &b[i], sizeof(double)) != 0 && !(isnan(a[i]) && isnan(b[i]));
	return wrong;
}

static void
test_row_kernels(void)
{
	static const size_t sizes[] = {1, 2, 7, 8, 9, 63, 64, 65, 255, 256};
	static const size_t classes[] = {3, 4, 7, MOST_CLASSES};
	static Block plain;
	static Block got;
	double		share[MOST_CLASSES];

	for (int tier = ML_TIER_BASELINE; tier <= ML_TIER_AVX512; tier++)
	{
		size_t		wrong = 0;

		ml_simd_limit((MlSimdTier) tier);
		for (size_t run = 0; run < 10 * 4; run++)
		{
			size_t		n = sizes[run % 10];
			size_t		k = classes[run / 10];
			MlSoftmaxRows rows = {.n = n, .ld = BLOCK_ROWS, .k = k, .share = share, .line = got.line};

			ml_softmax_shares(k, share);
			for (size_t i = 0; i < MOST_CLASSES * BLOCK_ROWS; i++)
			{
				got.value[i] = hostile_score(run, i);
				got.other[i] = ml_rng_uniform(7, run, i) - 0.5;
			}
			for (size_t i = 0; i < BLOCK_ROWS; i++)
				got.weight[i] = (double) (i % 3);
			plain = got;
			plain_rows(&plain, n, k, share);
			{
				static double scores[MOST_CLASSES * BLOCK_ROWS];
				static double contrasts[MOST_CLASSES * BLOCK_ROWS];

				memcpy(scores, got.value, sizeof(scores));
				ml_softmax_rows_classes(&rows, scores, got.value);
				ml_softmax_rows_probabilities(&rows, got.value, got.top, got.log_sum);
				ml_softmax_rows_curve(&rows, got.value, got.weight, got.other);
				ml_softmax_rows_contrasts(&rows, got.other, contrasts);
				for (size_t c = 0; c < k; c++)
				{
					wrong += different(got.value + c * BLOCK_ROWS, plain.value + c * BLOCK_ROWS, n);
					wrong += c + 1 < k ? different(contrasts + c * BLOCK_ROWS, plain.other + c * BLOCK_ROWS, n) : 0;
				}
			}
			wrong += different(got.top, plain.top, n) + different(got.log_sum, plain.log_sum, n);
		}
		check(wrong == 0, "rows by classes, tier %d: the bits of plain loops (%zu differ)", tier, wrong);
	}
	ml_simd_limit(ML_TIER_AVX512);
}

int
main(void)
{
	test_many_rows();
	test_classes(3, 200, true);
	test_classes(30, 300, true);
	/* Work grows with the classes, not with their pairs: with pairs this takes minutes. */
	test_classes(400, 400, false);
	test_figures();
	test_odds_ratio();
	test_separable("separable", 0, "penalty=none", true);
	test_separable("nearly separable", 1, "penalty=none", true);
	test_separable("separable, three classes", 2, "penalty=none", true);
	test_separable("separable with penalty", 0, "", false);
	test_collinear("penalty=none", "penalty=none", true);
	test_collinear("C=1", "C=2", false);
	test_collinear("C=0.00001", "C=0.00002", false);
	test_wide();
	test_large(50, 1100);
	test_large(1500, 1050);
	test_threads(2);
	test_threads(4);
	test_threads(60);
	test_image(2);
	test_image(3);
	test_row_kernels();
	test_absent_class();
	test_class_without_weight();
	test_range();
	test_digits();
	test_refusals();
	return unit_done();
}
