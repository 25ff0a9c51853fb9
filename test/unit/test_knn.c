/*-------------------------------------------------------------------------
 * test_knn.c
 *	  Nearest neighbours: the tree against a scan, the method against scikit-learn.
 *
 * Figures: test/reference/knn.py.
 *-------------------------------------------------------------------------
 */
#include "linear_data.h"
#include "ml/algo/neighbors/kdtree.h"
#include "ml/base/rng.h"
#include "ml/base/simd.h"
#include "../reference/knn_figures.h"

extern const MlMethod ml_method_knn;
static const MlMethod *const knn = &ml_method_knn;

static const char *const species[] = {"setosa", "versicolor", "virginica"};
static const char *const digit[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};

static void *
scratch_of(const void *model)
{
	return aligned_alloc(64, 64 * (knn->scratch_size(model) / 64 + 1));
}

/* ---- the tree ---- */

static double
distance(MlMetricKind metric, const double *a, const double *b, int32_t p)
{
	double		sum = 0;

	for (int32_t j = 0; j < p; j++)
	{
		double		d = fabs(a[j] - b[j]);

		if (metric == ML_DISTANCE_CHEBYSHEV)
			sum = d > sum ? d : sum;
		else
			sum += metric == ML_DISTANCE_EUCLIDEAN ? d * d : d;
	}
	return sum;
}

typedef struct Within
{
	size_t		count;
	uint32_t	last;
	bool		rising;
	size_t		limit;
} Within;

static bool
count_within(void *state, uint32_t position, double d)
{
	Within	   *w = state;

	w->rising &= w->count == 0 || position > w->last;
	w->last = position;
	return ++w->count < w->limit;
}

/* n points of p coordinates, many of them equal where values is small: the same neighbours as a scan in order of position. */
static void
test_tree(size_t n, int32_t p, int values, MlMetricKind metric)
{
	MlEnv		env = new_env(2);
	double	   *x = ml_alloc(&env, n + 1, (size_t) p * sizeof(double));
	double	   *at = ml_alloc(&env, n + 1, (size_t) p * sizeof(double));
	uint32_t   *order;
	MlKdTree   *tree;
	bool		good = true;
	bool		together = true;
	bool		all = true;
	double		q[8 * 64];
	MlNeighbor	found[8 * 20];
	MlNeighbor	few[8 * 20];
	MlNeighbor	one[20];
	bool	   *seen = calloc(n + 1, 1);

	for (size_t i = 0; i < n * (size_t) p; i++)
		x[i] = floor(ml_rng_uniform(3, (uint64_t) p, i) * values) / values;
	if (ml_kdtree_build(&env, x, n, p, metric, &order, &tree) != ML_OK)
		fail("%s", env.error.message);
	for (size_t i = 0; i < n; i++)
	{
		all &= !seen[order[i]];
		seen[order[i]] = true;
		memcpy(at + i * (size_t) p, x + (size_t) order[i] * (size_t) p, (size_t) p * sizeof(double));
	}
	for (int i = 0; i < 8 * p; i++)
		q[i] = ml_rng_uniform(4, (uint64_t) p, (uint64_t) i);
	for (int tier = ML_TIER_BASELINE; tier <= ML_TIER_AVX512; tier++)
	{
		ml_simd_limit((MlSimdTier) tier);
		CHECK(ml_kdtree_nearest_batch(tree, q, 8, 20, found) == (n < 20 ? n : 20));
		/* However many are searched for at a time. */
		for (size_t m = 1; m < 8; m += 2)
		{
			(void) ml_kdtree_nearest_batch(tree, q, m, 20, few);
			for (size_t i = 0; i < m * 20; i++)
				together &= i % 20 >= n || (few[i].position == found[i].position && few[i].distance == found[i].distance);
		}
		for (int i = 0; i < 8; i++)
		{
			size_t		count = ml_kdtree_nearest(tree, q + i * p, 20, one);
			Within		w = {.rising = true, .limit = SIZE_MAX};
			size_t		wanted = 0;

			together &= memcmp(one, found + i * 20, 0) == 0;
			for (size_t k = 0; k < count; k++)
			{
				size_t		nearer = 0;

				together &= one[k].position == found[i * 20 + k].position && one[k].distance == found[i * 20 + k].distance;
				good &= one[k].distance == distance(metric, q + i * p, at + (size_t) one[k].position * (size_t) p, p);
				for (size_t r = 0; r < n; r++)
				{
					double		d = distance(metric, q + i * p, at + r * (size_t) p, p);

					nearer += d < one[k].distance || (d == one[k].distance && r < one[k].position);
				}
				good &= nearer == k;
			}
			if (count == 0)
				continue;
			ml_kdtree_within(tree, q + i * p, one[count - 1].distance, count_within, &w);
			for (size_t r = 0; r < n; r++)
				wanted += distance(metric, q + i * p, at + r * (size_t) p, p) <= one[count - 1].distance;
			good &= w.count == wanted && w.rising;
			w = (Within) {.rising = true, .limit = 1};
			ml_kdtree_within(tree, q + i * p, INFINITY, count_within, &w);
			good &= w.count == 1;
		}
	}
	ml_simd_limit(ML_TIER_AVX512);
	/* From what is no number some are found, infinitely far if distances are sums: the same one by one as together. */
	for (int i = 0; i < 8 * p; i += 2 * p)
		q[i] = NAN;
	memset(found, 0xFF, 8 * 20 * sizeof(MlNeighbor));
	for (int i = 0; i < 8 && ml_kdtree_nearest_batch(tree, q, 8, 20, found) > 0; i++)
	{
		size_t		count = ml_kdtree_nearest(tree, q + i * p, 20, one);

		for (size_t k = 0; k < count; k++)
			good &= one[k].position == found[(size_t) i * 20 + k].position && one[k].position < n && (metric == ML_DISTANCE_CHEBYSHEV || i % 2 == 1 || isinf(one[k].distance));
	}
	check(all && good && together, "%zu points, %d coordinates of %d values, metric %d: as a scan finds them", n, p, values, metric);
	free(seen);
	free_env(&env);
}

/* ---- the method ---- */

static void
test_figures(const char *set, const char *const *words, int classes, const char *settings, const double *want)
{
	MlEnv		env = new_env(2);
	MlDataset  *data = read_csv(&env, set, classes, words);
	void	   *model;
	void	   *scratch;
	double		a[64];
	double		b[64];
	double		out[10];
	double		worst = 0;
	int			n_out = classes > 0 ? classes : 1;

	if (fit_with(&env, knn, data, settings, &model) != ML_OK)
		fail("%s %s: %s", set, settings, env.error.message);
	scratch = scratch_of(model);
	for (size_t i = 0; i < 40; i++)
	{
		ml_dataset_row(data, i, a);
		ml_dataset_row(data, (7 * i + 3) % data->n_train, b);
		for (int f = 0; f < data->schema->n_features; f++)
			a[f] = 0.37 * a[f] + 0.63 * b[f];
		knn->predict(model, a, out, scratch);
		for (int k = 0; k < n_out; k++)
			worst = fmax(worst, fabs(out[k] - want[i * (size_t) n_out + (size_t) k]) / (1 + fabs(want[i * (size_t) n_out + (size_t) k])));
	}
	check(worst < 1e-9, "%s %s: as scikit-learn (%.1e)", set, settings, worst);
	free(scratch);
	free_env(&env);
}

static MlDataset *
mixed(MlEnv *env, size_t n, int p, int classes)
{
	MlDataset  *data = new_dataset(env, n, p, classes);
	int32_t    *code = set_category(env, data, p - 1, 3);
	double	   *w = ml_alloc(env, n, sizeof(double));

	for (size_t i = 0; i < n; i++)
	{
		for (int f = 0; f < p - 1; f++)
			column_of_data(data, f)[i] = (i + (size_t) f) % 17 == 3 ? NAN : ml_rng_uniform(5, (uint64_t) f, i) * (f + 1);
		code[i] = i % 19 == 1 ? -1 : (int32_t) (i % 4);
		target_of_data(data)[i] = (double) (i % (size_t) (classes > 0 ? classes : 97));
		w[i] = (double) (i % 3);
	}
	data->weight = w;
	return data;
}

/*
 * Beside a number that tells the class, a category of 200 levels with five rows each that says nothing: as scikit-learn after
 * StandardScaler for numbers and OneHotEncoder for categories.  Were the levels' coordinates divided by their deviations,
 * of 0.07, the neighbours would be the five rows of the same level, wherever they are.
 */
static void
test_levels_do_not_drown_numbers(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = new_dataset(&env, 1000, 2, 2);
	int32_t    *code = set_category(&env, data, 1, 200);
	void	   *model;
	void	   *scratch;
	int			right = 0;

	for (size_t i = 0; i < 1000; i++)
	{
		column_of_data(data, 0)[i] = ml_rng_uniform(5, 0, i);
		code[i] = (int32_t) (i % 200);
		target_of_data(data)[i] = column_of_data(data, 0)[i] > 0.5;
	}
	if (fit_with(&env, knn, data, "", &model) != ML_OK)
		fail("%s", env.error.message);
	scratch = scratch_of(model);
	for (size_t i = 0; i < 1000; i++)
	{
		double		x[2] = {ml_rng_uniform(5, 2, i), (double) (i % 200)};
		double		out[2];

		knn->predict(model, x, out, scratch);
		right += (out[1] > 0.5) == (x[0] > 0.5);
	}
	check(right > 850, "a category that says nothing does not drown a number that does: %d of 1000 right", right);
	free(scratch);
	free_env(&env);
}

/* One by one and together, before and after loading, with any threads: the same bits. */
static void
test_bits(int p, int classes, const char *settings)
{
	static const int threads[] = {1, 2, 4};
	MlWriter	image[3];
	MlEnv		env[3];
	MlDataset  *data;
	void	   *model;
	void	   *loaded;
	void	   *scratch;
	MlReader	r;
	double	   *block = calloc((size_t) p * ML_BATCH_ROWS, sizeof(double));
	double		out[3 * ML_BATCH_ROWS];
	double		one[3];
	double		x[64];
	size_t		n_out = classes > 0 ? (size_t) classes : 1;
	bool		same = true;

	for (int t = 0; t < 3; t++)
	{
		env[t] = new_env(threads[t]);
		data = mixed(&env[t], 20000, p, classes);
		if (fit_with(&env[t], knn, data, settings, &model) != ML_OK)
			fail("%s", env[t].error.message);
		image[t] = save_model(&env[t], knn, model);
	}
	check(image[0].length == image[1].length && memcmp(image[0].bytes, image[1].bytes, image[0].length) == 0 &&
		  memcmp(image[0].bytes, image[2].bytes, image[0].length) == 0, "%d columns, %s: 1, 2 and 4 threads give the same bits", p, settings);
	ml_reader_init(&r, &env[2], image[2].bytes, image[2].length);
	CHECK(knn->load(&r, data->schema, &loaded) == ML_OK && ml_reader_end(&r) == ML_OK);
	scratch = scratch_of(loaded);
	for (size_t i = 0; i < 50; i++)
		for (int f = 0; f < p; f++)
			block[(size_t) f * ML_BATCH_ROWS + i] = ml_dataset_value(data, f, i);
	CHECK(knn->predict_batch(loaded, block, 50, out, scratch));
	for (size_t i = 0; i < 50; i++)
	{
		ml_dataset_row(data, i, x);
		knn->predict(model, x, one, scratch);
		same &= memcmp(one, out + n_out * i, n_out * sizeof(double)) == 0;
	}
	check(same, "%d columns, %s: one by one, together and after loading the same bits", p, settings);
	free(scratch);
	free(block);
	for (int t = 0; t < 3; t++)
		free_env(&env[t]);
}

static void
test_degenerate(void)
{
	static const double values[] = {0, 1e300, -1e300, 1e-320, 5};
	MlEnv		env;
	void	   *model;
	void	   *scratch;
	double		out[3];

	for (size_t n = 1; n < 4; n++)
		for (size_t v = 0; v < 5; v++)
		{
			MlDataset  *data;
			double		x[2] = {-1e300, NAN};

			env = new_env(1);
			data = new_dataset(&env, n, 2, 2);
			for (size_t i = 0; i < n; i++)
			{
				column_of_data(data, 0)[i] = values[v];
				column_of_data(data, 1)[i] = i == 0 ? values[(v + 1) % 5] : NAN;
				target_of_data(data)[i] = (double) (i % 2);
			}
			/* Squares of 1e300 are no numbers: such a column is refused as it is. */
			if (fabs(values[v]) == 1e300 || fabs(values[(v + 1) % 5]) == 1e300)
			{
				CHECK_STATUS(&env, fit_with(&env, knn, data, "weights=distance scale=none", &model), ML_OUT_OF_RANGE);
				CHECK_MESSAGE(&env, "out of range");
				free_env(&env);
				continue;
			}
			CHECK_STATUS(&env, fit_with(&env, knn, data, "weights=distance scale=none", &model), ML_OK);
			scratch = scratch_of(model);
			knn->predict(model, x, out, scratch);
			check(out[0] >= 0 && out[1] >= 0 && fabs(out[0] + out[1] - 1) < 1e-9 && warned(&env, "neighbours"), "%zu rows of %g", n, values[v]);
			free(scratch);
			free_env(&env);
		}

	/* All rows the same; a query on them and one beside them. */
	env = new_env(1);
	{
		MlDataset  *data = new_dataset(&env, 1000, 1, 0);
		double		x = 4;

		for (int i = 0; i < 1000; i++)
		{
			column_of_data(data, 0)[i] = 4;
			target_of_data(data)[i] = 7;
		}
		CHECK(fit_with(&env, knn, data, "weights=distance metric=cosine", &model) == ML_OK);
		scratch = scratch_of(model);
		knn->predict(model, &x, out, scratch);
		CHECK_NEAR(out[0], 7, 1e-12);
		x = -1;
		knn->predict(model, &x, out, scratch);
		CHECK_NEAR(out[0], 7, 1e-12);
		free(scratch);
	}
	free_env(&env);
}

/* Rows whose coordinates leave the range of a double still have neighbours: alone and together the same. */
static void
test_beyond_range(const char *settings)
{
	static const double odd[] = {1e308, -1e308, 1e-308, 0, NAN, 1};
	MlEnv		env = new_env(1);
	MlDataset  *data = new_dataset(&env, 300, 2, 3);
	void	   *model;
	void	   *scratch;
	double	   *block = calloc(2 * ML_BATCH_ROWS, sizeof(double));
	double		out[3 * ML_BATCH_ROWS];
	double		one[3];
	bool		shares = true;
	bool		same = true;

	for (size_t i = 0; i < 300; i++)
	{
		column_of_data(data, 0)[i] = 1e-3 * ml_rng_uniform(5, 0, i);
		column_of_data(data, 1)[i] = 1e-3 * ml_rng_uniform(5, 1, i);
		target_of_data(data)[i] = (double) (i % 3);
	}
	if (fit_with(&env, knn, data, settings, &model) != ML_OK)
		fail("%s", env.error.message);
	scratch = scratch_of(model);
	memset(scratch, 0x7F, knn->scratch_size(model));
	for (size_t i = 0; i < 36; i++)
	{
		block[i] = odd[i / 6];
		block[ML_BATCH_ROWS + i] = odd[i % 6];
	}
	knn->predict_batch(model, block, 36, out, scratch);
	for (size_t i = 0; i < 36; i++)
	{
		double		x[2] = {odd[i / 6], odd[i % 6]};

		knn->predict(model, x, one, scratch);
		same &= memcmp(one, out + 3 * i, sizeof(one)) == 0;
		shares &= fabs(one[0] + one[1] + one[2] - 1) < 1e-9;
	}
	check(same && shares, "%s: numbers near the end of the range", settings);
	free(block);
	free(scratch);
	free_env(&env);
}

static void
test_load(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = mixed(&env, 60, 3, 3);
	void	   *model;
	MlWriter	image;

	if (fit_with(&env, knn, data, "", &model) != ML_OK)
		fail("%s", env.error.message);
	image = save_model(&env, knn, model);
	check(load_is_total(knn, data->schema, image.bytes, image.length), "any bytes are a model or an error");
	free_env(&env);
}

int
main(void)
{
	for (int metric = ML_DISTANCE_EUCLIDEAN; metric <= ML_DISTANCE_CHEBYSHEV; metric++)
	{
		test_tree(1, 2, 1000, (MlMetricKind) metric);
		test_tree(33, 1, 1000, (MlMetricKind) metric);
		test_tree(5000, 2, 1000000, (MlMetricKind) metric);
		test_tree(3000, 3, 4, (MlMetricKind) metric);
		test_tree(2000, 12, 50, (MlMetricKind) metric);
		test_tree(4000, 30, 1000, (MlMetricKind) metric);	/* boxes exclude nothing */
	}
	test_tree(20000, 2, 1000000, ML_DISTANCE_EUCLIDEAN);
	test_figures("iris", species, 3, "n_neighbors=15 scale=none", iris_uniform_figures);
	test_figures("iris", species, 3, "n_neighbors=15 weights=distance", iris_distance_figures);
	test_figures("digits", digit, 10, "n_neighbors=9 weights=distance metric=manhattan scale=none", digits_manhattan_figures);
	test_figures("diabetes", NULL, 0, "n_neighbors=7 weights=distance", diabetes_scaled_figures);
	test_figures("wine", digit, 3, "n_neighbors=3 weights=distance metric=chebyshev", wine_chebyshev_figures);
	test_bits(4, 3, "");
	test_bits(12, 0, "weights=distance");
	test_bits(5, 0, "metric=cosine");
	test_levels_do_not_drown_numbers();
	test_degenerate();
	test_beyond_range("");
	test_beyond_range("metric=manhattan");
	test_beyond_range("metric=chebyshev weights=distance");
	test_beyond_range("metric=cosine");
	test_beyond_range("metric=cosine weights=distance");
	test_load();
	return unit_done();
}
