/*-------------------------------------------------------------------------
 * test_naive_bayes.c
 *	  naive_bayes against scikit-learn, and on data that are hardly any.
 *
 * Figures: test/reference/naive_bayes.py.
 *-------------------------------------------------------------------------
 */
#include "linear_data.h"
#include "ml/algo/bayes/naive_bayes.h"
#include "ml/base/simd.h"
#include "../reference/naive_bayes_figures.h"

extern const MlMethod ml_method_naive_bayes;
static const MlMethod *const bayes = &ml_method_naive_bayes;

static const char *const species[] = {"setosa", "versicolor", "virginica"};
static const char *const digit[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};

static void *
scratch_of(const void *model)
{
	return aligned_alloc(64, 64 * (bayes->scratch_size(model) / 64 + 1));
}

/* As scikit-learn: the sum of all logarithms of the true class, and three rows; to 1e-9 of the logarithm or, near certainty, of the probability. */
static void
test_figures(const char *set, const char *const *words, int classes, const char *settings, bool weighted, const double *want)
{
	MlEnv		env = new_env(2);
	MlDataset  *data = read_csv(&env, set, classes, words);
	void	   *model;
	void	   *scratch;
	double		x[64];
	double		out[10];
	double		total = 0;
	double		worst = 0;
	size_t		n = data->n_train;

	if (weighted)
		weigh(&env, data);
	if (fit_with(&env, bayes, data, settings, &model) != ML_OK)
		fail("%s %s: %s", set, settings, env.error.message);
	scratch = scratch_of(model);
	for (size_t i = 0; i < n; i++)
	{
		int			row = i == 0 ? 0 : i == n / 2 ? 1 : i == n - 1 ? 2 : -1;

		ml_dataset_row(data, i, x);
		bayes->predict(model, x, out, scratch);
		/* Ours do not go below the smallest double. */
		total += log(out[(int) data->y[i]]);
		for (int k = 0; k < classes && row >= 0; k++)
		{
			double		w = want[1 + row * classes + k];

			worst = fmax(worst, w < -600 ? out[k] : w > -1e-6 ? fabs(out[k] - exp(w)) : fabs(log(out[k]) / w - 1));
		}
	}
	check(relative_error(total, want[0]) < 1e-9, "%s %s: sum of logarithms (%.12g, scikit-learn %.12g)", set, settings, total, want[0]);
	check(worst < 1e-9, "%s %s: probabilities of three rows (%.1e)", set, settings, worst);
	free(scratch);
	free_env(&env);
}

/* Numbers, a boolean, a category; some values missing; three classes. */
static MlDataset *
mixed(MlEnv *env, size_t n, int classes)
{
	MlDataset  *data = new_dataset(env, n, 5, classes);
	int32_t    *code = set_category(env, data, 3, 4);

	data->schema->features[4].logical = ML_LOGICAL_BOOLEAN;
	for (size_t i = 0; i < n; i++)
	{
		int			k = (int) (i * 7 % (size_t) classes);

		target_of_data(data)[i] = k;
		column_of_data(data, 0)[i] = i % 11 == 3 ? NAN : sin((double) i) + k;
		column_of_data(data, 1)[i] = 1e9 + cos(3.0 * (double) i) * (k + 1);
		column_of_data(data, 2)[i] = 5;
		code[i] = i % 13 == 5 ? -1 : (int32_t) (k == 0 ? i % 4 : i / 3 % 5);	/* 4: any other */
		column_of_data(data, 4)[i] = (i + (size_t) k) % 3 == 0;
	}
	return data;
}

static void
test_mixed(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = mixed(&env, 3000, 3);
	void	   *model;
	void	   *explainer;
	double		out[3];
	double		effect[5];
	double		base[3];
	double		sum[3];
	double		x[5] = {0.5, 1e9 + 1, 5, 2, 1};
	double		gone[5] = {NAN, NAN, NAN, NAN, NAN};
	double		unseen[5] = {NAN, NAN, NAN, 4, NAN};
	double		importance[5];
	MlCoefficient *rows;
	size_t		n = 0;
	void	   *scratch;

	if (fit_with(&env, bayes, data, "", &model) != ML_OK)
		fail("mixed: %s", env.error.message);
	scratch = scratch_of(model);
	bayes->predict(model, gone, out, scratch);
	check(fabs(out[0] - 1 / 3.) < 1e-12 && fabs(out[1] - 1 / 3.) < 1e-12, "nothing known: the shares of the classes");
	bayes->predict(model, unseen, out, scratch);
	check(out[0] != out[1], "a category beyond the known ones was seen in training and says something");
	bayes->predict(model, x, out, scratch);
	CHECK(bayes->explainer(&env, model, data->schema, &explainer) == ML_OK);
	for (int k = 0; k < 3; k++)
	{
		bayes->explain(explainer, x, k, effect, &base[k]);
		sum[k] = base[k];
		for (int f = 0; f < 5; f++)
			sum[k] += effect[f];
	}
	check(fabs(log(out[1] / out[0]) - (sum[1] - sum[0])) < 1e-9 && fabs(log(out[2] / out[0]) - (sum[2] - sum[0])) < 1e-9, "contributions add up to the scores");
	CHECK(bayes->importance(&env, model, data->schema, NULL, importance) == ML_OK);
	check(importance[2] < 1e-9 && importance[0] > importance[2] && importance[4] >= 0, "a constant says nothing, a shifted number something");
	CHECK(bayes->coefficients(&env, model, data->schema, &rows, &n) == ML_OK);
	/* Each class: its share, two figures of three numbers, four categories and "other", one boolean. */
	CHECK(n == 3 * (1 + 2 * 3 + 5 + 1));
	CHECK_TEXT(rows[1].term, "mean(x1)");
	CHECK_TEXT(rows[7].term, "P(x4=l0)");
	CHECK_TEXT(rows[11].term, "P(x4 other)");
	check(bayes->importance(&env, model, data->schema, "cover", importance) == ML_BAD_PARAM, "an unknown importance is refused");
	free(scratch);
	free_env(&env);
}

static bool
sane(const MlDataset *data, const void *model)
{
	double	   *x = calloc((size_t) data->schema->n_features, sizeof(double));
	double	   *out = calloc((size_t) data->schema->n_classes, sizeof(double));
	void	   *scratch = scratch_of(model);
	bool		good = true;

	for (size_t i = 0; i < data->n_train + 2; i++)
	{
		double		sum = 0;

		for (int f = 0; f < data->schema->n_features; f++)
			x[f] = i < data->n_train ? ml_dataset_value(data, f, i) : i == data->n_train ? 1.7e308 : -1.7e308;
		bayes->predict(model, x, out, scratch);
		for (int k = 0; k < data->schema->n_classes; k++)
		{
			good &= out[k] >= 0 && out[k] <= 1;
			sum += out[k];
		}
		good &= fabs(sum - 1) < 1e-9;
	}
	free(x);
	free(out);
	free(scratch);
	return good;
}

static void
test_degenerate(void)
{
	static const double values[] = {0, 1e300, 1e-320, 5};
	MlEnv		env;
	void	   *model;

	for (size_t n = 2; n < 5; n++)
		for (size_t v = 0; v < 4; v++)
		{
			MlDataset  *data;

			env = new_env(1);
			data = new_dataset(&env, n, 2, 2);
			for (size_t i = 0; i < n; i++)
			{
				column_of_data(data, 0)[i] = values[v];
				column_of_data(data, 1)[i] = i == 0 ? values[v] : NAN;
				target_of_data(data)[i] = (double) (i % 2);
			}
			if (fit_with(&env, bayes, data, "", &model) == ML_OK)
				check(sane(data, model), "%zu rows of %g", n, values[v]);
			else
				check(env.error.status == ML_OUT_OF_RANGE && strstr(env.error.message, "\"x1\"") != NULL, "%zu rows of %g: %s", n, values[v], env.error.message);
			free_env(&env);
		}

	/* Two values of 1e300 and -1e300: a variance that no double holds. */
	env = new_env(1);
	{
		MlDataset  *data = new_dataset(&env, 4, 1, 2);

		for (int i = 0; i < 4; i++)
		{
			column_of_data(data, 0)[i] = i < 2 ? 1e300 : -1e300;
			target_of_data(data)[i] = i % 2;
		}
		check(fit_with(&env, bayes, data, "", &model) == ML_OUT_OF_RANGE && env.error.hint[0] != '\0', "a variance out of range: %s", env.error.message);
	}
	free_env(&env);

	/* More columns than rows; one class only has rows of weight. */
	env = new_env(1);
	{
		MlDataset  *data = new_dataset(&env, 3, 50, 2);
		double	   *w = ml_alloc0(&env, 3, sizeof(double));

		for (int f = 0; f < 50; f++)
			for (int i = 0; i < 3; i++)
				column_of_data(data, f)[i] = cos(f * 3.7 + i);
		target_of_data(data)[2] = 1;
		w[0] = 1;
		w[1] = 2;
		data->weight = w;
		check(fit_with(&env, bayes, data, "", &model) == ML_OK && sane(data, model), "50 columns, 3 rows, one class without weight");
	}
	free_env(&env);

	/* 10,000 categories, each once. */
	env = new_env(2);
	{
		MlDataset  *data = new_dataset(&env, 10000, 1, 3);
		int32_t    *code = set_category(&env, data, 0, 10000);

		for (int i = 0; i < 10000; i++)
		{
			code[i] = i;
			target_of_data(data)[i] = i % 3;
		}
		check(fit_with(&env, bayes, data, "", &model) == ML_OK && sane(data, model), "10,000 categories");
	}
	free_env(&env);
}

static void
test_refused(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = new_dataset(&env, 4, 1, 2);
	void	   *model;

	for (int i = 0; i < 4; i++)
	{
		column_of_data(data, 0)[i] = i - 1.5;
		target_of_data(data)[i] = i % 2;
	}
	check(fit_with(&env, bayes, data, "distribution=multinomial", &model) == ML_BAD_DATA && strstr(env.error.message, "negative") != NULL, "negative counts: %s", env.error.message);
	env.error.status = ML_OK;
	check(fit_with(&env, bayes, data, "distribution=categorical", &model) == ML_BAD_DATA && strstr(env.error.message, "-1.5") != NULL, "no category: %s", env.error.message);
	free_env(&env);
}

/* The same bytes from any number of threads, the same predictions one by one, together and after loading, on any tier. */
static void
test_bits(void)
{
	static const int threads[] = {1, 2, 4};
	MlWriter	image[3];
	MlEnv		env[3];
	MlDataset  *data;
	void	   *model;
	void	   *loaded;
	void	   *scratch;
	MlReader	r;
	double	   *block = calloc(5 * ML_BATCH_ROWS, sizeof(double));
	double		out[3 * ML_BATCH_ROWS];
	double		one[3];
	bool		same = true;

	for (int t = 0; t < 3; t++)
	{
		env[t] = new_env(threads[t]);
		data = mixed(&env[t], 70000, 3);
		if (fit_with(&env[t], bayes, data, "", &model) != ML_OK)
			fail("%s", env[t].error.message);
		image[t] = save_model(&env[t], bayes, model);
	}
	for (int tier = ML_TIER_BASELINE; tier < ML_TIER_AVX512; tier++)
	{
		MlWriter	other;

		ml_simd_limit((MlSimdTier) tier);
		CHECK(fit_with(&env[1], bayes, data, "", &model) == ML_OK);
		other = save_model(&env[1], bayes, model);
		CHECK(other.length == image[0].length && memcmp(other.bytes, image[0].bytes, other.length) == 0);
	}
	ml_simd_limit(ML_TIER_AVX512);
	check(image[0].length == image[1].length && memcmp(image[0].bytes, image[1].bytes, image[0].length) == 0 &&
		  memcmp(image[0].bytes, image[2].bytes, image[0].length) == 0, "1, 2 and 4 threads give the same bits");

	ml_reader_init(&r, &env[2], image[2].bytes, image[2].length);
	CHECK(bayes->load(&r, data->schema, &loaded) == ML_OK && ml_reader_end(&r) == ML_OK);
	scratch = scratch_of(loaded);
	for (int tier = ML_TIER_BASELINE; tier <= ML_TIER_AVX512; tier++)
	{
		ml_simd_limit((MlSimdTier) tier);
		for (size_t first = 0; first < 1000; first += 50)
		{
			for (size_t i = 0; i < 50; i++)
				for (int f = 0; f < 5; f++)
					block[f * ML_BATCH_ROWS + i] = ml_dataset_value(data, f, first + i);
			CHECK(bayes->predict_batch(loaded, block, 50, out, scratch));
			for (size_t i = 0; i < 50; i++)
			{
				double		x[5];

				ml_dataset_row(data, first + i, x);
				bayes->predict(model, x, one, scratch);
				same &= memcmp(one, out + 3 * i, sizeof(one)) == 0;
			}
		}
	}
	ml_simd_limit(ML_TIER_AVX512);
	check(same, "one by one, together, after loading, on every tier: the same bits");
	check(load_is_total(bayes, data->schema, image[0].bytes, image[0].length), "any bytes are a model or an error");
	free(scratch);
	free(block);
	for (int t = 0; t < 3; t++)
		free_env(&env[t]);
}

/* Counts of many terms, few in a row: sparse columns give the bits of full ones, whatever the distribution. */
static void
test_sparse(void)
{
	static const char *const settings[] = {"distribution=multinomial alpha=0.3", "distribution=bernoulli", "distribution=bernoulli binarize=-1", "distribution=gaussian", "distribution=categorical"};

	for (int kind = 0; kind < 5; kind++)
	{
		MlEnv		env = new_env(2);
		size_t		n = 5000;
		int			p = 60;
		MlDataset  *data = new_dataset(&env, n, p, 4);
		MlDataColumn *columns = ml_alloc0(&env, (size_t) p, sizeof(MlDataColumn));
		MlDataset	sparse = *data;
		void	   *model;
		MlWriter	full,
					other;

		for (size_t i = 0; i < n; i++)
			target_of_data(data)[i] = (double) (i * 31 % 97 % 4);
		for (int f = 0; f < p; f++)
		{
			uint32_t   *row = ml_alloc(&env, n, sizeof(uint32_t));
			double	   *value = ml_alloc(&env, n, sizeof(double));
			MlSparse   *s = ml_alloc0(&env, 1, sizeof(MlSparse));

			for (size_t i = 0; i < n; i++)
			{
				bool		there = (i * 7919 + (size_t) f * 104729) % 53 < (size_t) (1 + (int) data->y[i] * (f % 3));

				column_of_data(data, f)[i] = there ? (double) (1 + (i + (size_t) f) % 4) : 0;
				if (!there)
					continue;
				row[s->n] = (uint32_t) i;
				value[s->n++] = column_of_data(data, f)[i];
			}
			s->row = row;
			s->value = value;
			columns[f].sparse = s;
		}
		sparse.columns = columns;
		CHECK(fit_with(&env, bayes, data, settings[kind], &model) == ML_OK);
		full = save_model(&env, bayes, model);
		CHECK(fit_with(&env, bayes, &sparse, settings[kind], &model) == ML_OK);
		other = save_model(&env, bayes, model);
		check(full.length == other.length && memcmp(full.bytes, other.bytes, full.length) == 0, "sparse columns, %s: the bits of full ones", settings[kind]);
		free_env(&env);
	}
}

/* Far from 0 and over many blocks: mean and variance by class as two passes in long doubles find them. */
static void
test_moments(bool weighted)
{
	MlEnv		env = new_env(2);
	size_t		n = 200000;
	MlDataset  *data = new_dataset(&env, n, 2, 3);
	double	   *w = ml_alloc0(&env, n, sizeof(double));
	const MlBayesModel *fitted;
	void	   *model;
	double		worst = 0;
	double		worst_mean = 0;

	for (size_t i = 0; i < n; i++)
	{
		target_of_data(data)[i] = i % 7 == 0 ? 2 : (double) (i % 2);
		column_of_data(data, 0)[i] = i % 5 == 2 ? NAN : 1e12 + sin(1.7 * (double) i) * (target_of_data(data)[i] + 1);
		column_of_data(data, 1)[i] = (double) i * 1e-3;
		w[i] = (double) (i % 4) / 3;
	}
	if (weighted)
		data->weight = w;
	if (fit_with(&env, bayes, data, "var_smoothing=0", &model) != ML_OK)
		fail("%s", env.error.message);
	fitted = model;
	for (int f = 0; f < 2; f++)
		for (int k = 0; k < 3; k++)
		{
			const double *x = column_of_data(data, f);
			long double total = 0,
						mean = 0,
						squares = 0;

			for (size_t i = 0; i < n; i++)
			{
				long double wi = isnan(x[i]) || (int) data->y[i] != k ? 0 : weighted ? w[i] : 1;

				total += wi;
				mean += wi > 0 ? wi * x[i] : 0;
			}
			mean /= total;
			for (size_t i = 0; i < n; i++)
			{
				long double wi = isnan(x[i]) || (int) data->y[i] != k ? 0 : weighted ? w[i] : 1;

				squares += wi > 0 ? wi * (x[i] - mean) * (x[i] - mean) : 0;
			}
			worst_mean = fmax(worst_mean, (double) fabsl(fitted->features[f].mean[k] / mean - 1));
			worst = fmax(worst, relative_error(fitted->features[f].variance[k], (double) (squares / total)));
		}
	/* A mean near 1e12 is rounded to 1.2e-4, which enters the variance (about 1) squared. */
	check(worst_mean < 2e-15 && worst < 1e-7, "far from 0%s: means %.1e, variances %.1e", weighted ? ", weighted" : "", worst_mean, worst);
	free_env(&env);
}

int
main(void)
{
	test_figures("iris", species, 3, "", false, iris_gaussian_figures);
	test_figures("iris", species, 3, "", true, iris_weighted_figures);
	test_figures("wine", digit, 3, "var_smoothing=1e-3", false, wine_gaussian_figures);
	test_figures("digits", digit, 10, "distribution=multinomial alpha=0.5", false, digits_multinomial_figures);
	test_figures("digits", digit, 10, "distribution=bernoulli binarize=7", false, digits_bernoulli_figures);
	test_figures("digits", digit, 10, "distribution=categorical fit_prior=false", false, digits_categorical_figures);
	test_sparse();
	test_moments(false);
	test_moments(true);
	test_mixed();
	test_degenerate();
	test_refused();
	test_bits();
	return unit_done();
}
