/*-------------------------------------------------------------------------
 * test_cluster_odd.c
 *	  Methods without target on data that is odd in every way, and the same bits
 *	  whatever the threads and the vector instructions.
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "cluster_data.h"

#include "ml/algo/cluster/kdtree.h"
#include "ml/algo/cluster/kmeans_fit.h"
#include "ml/base/simd.h"
#include "ml/eval/silhouette.h"

static const Setting none[] = {{NULL}};
static const Setting three_clusters[] = {{"n_clusters", 3, NULL}, {NULL}};
static const Setting batches[] = {{"n_clusters", 3, NULL}, {"algorithm", 0, "minibatch"}, {"batch_size", 100, NULL}, {NULL}};
static const Setting three_components[] = {{"n_components", 3, NULL}, {NULL}};
static const Setting wide[] = {{"eps", 2, NULL}, {NULL}};

static const struct
{
	const char *name;
	const Setting *settings;
}			methods[] = {
	{"kmeans", three_clusters}, {"kmeans", batches}, {"pca", none}, {"truncated_svd", none}, {"gmm", three_components}, {"dbscan", wide}
};

#define METHODS (int) (sizeof(methods) / sizeof(methods[0]))

static Table
table_new(size_t n, int p)
{
	static const char *const names[] = {
		"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9", "c10", "c11", "c12", "c13", "c14", "c15", "c16", "c17", "c18", "c19",
		"c20", "c21", "c22", "c23", "c24", "c25", "c26", "c27", "c28", "c29", "c30", "c31", "c32", "c33", "c34", "c35", "c36", "c37", "c38", "c39"
	};
	Table		t = {.n = n, .p = p, .x = calloc(n * (size_t) p + 1, sizeof(double))};

	for (int j = 0; j < p; j++)
		t.name[j] = names[j];
	return t;
}

static double
noise(size_t i, int j)
{
	return ml_rng_uniform(5, (uint64_t) j, i);
}

/* Four heaps. */
static Table
table_heaps(size_t n, int p)
{
	Table		t = table_new(n, p);

	for (size_t i = 0; i < n; i++)
		for (int j = 0; j < p; j++)
			t.x[i * (size_t) p + (size_t) j] = noise(i, j) + noise(i, j + 100) + (i % 4 == (size_t) j % 4 ? 5 : 0);
	return t;
}

static bool
is_sound(const MlTrainResult *r, const Table *t)
{
	for (size_t i = 0; i < t->n; i += t->n / 50 + 1)
	{
		const double *out = table_predict(r, t, i);

		for (int k = 0; k < r->model->n_answer; k++)
		{
			if (!isfinite(out[k]))
				return false;
		}
	}
	return true;
}

/* A model with answers in numbers, or an error that says why not. */
static void
try_table(const char *what, const Table *t)
{
	for (int m = 0; m < METHODS; m++)
	{
		MlEnv	   *env = unit_env(2);
		MlTrainResult *r;
		MlStatus	status = table_train(env, t, methods[m].name, methods[m].settings, &r);

		unit_check(status == ML_OK ? is_sound(r, t) : (status == ML_BAD_DATA || status == ML_OUT_OF_RANGE || status == ML_BAD_PARAM) && env->error.message[0] != '\0',
				   __FILE__, __LINE__, "%s of %s: status %d %s", methods[m].name, what, status, env->error.message);
		unit_env_free(env);
	}
}

static void
test_odd_tables(void)
{
	Table		t = table_heaps(1, 3);

	try_table("one row", &t);
	t = table_heaps(2, 3);
	try_table("two rows", &t);
	t = table_heaps(20, 40);
	try_table("more columns than rows", &t);
	t = table_new(50, 3);
	try_table("constants", &t);
	t = table_heaps(300, 3);
	for (size_t i = 0; i < t.n; i++)
		memcpy(t.x + i * 3, t.x + (i % 2) * 3, 3 * sizeof(double));
	try_table("two different rows, repeated", &t);
	t = table_heaps(300, 3);
	for (size_t i = 0; i < t.n; i++)
		t.x[i * 3 + 1] = 2 * t.x[i * 3] - 1;
	try_table("columns that depend on each other", &t);
	t = table_heaps(300, 3);
	for (size_t i = 0; i < t.n * 3; i++)
		t.x[i] = i % 5 < 3 ? NAN : t.x[i];
	try_table("missing values", &t);
	for (size_t i = 0; i < t.n * 3; i++)
		t.x[i] = NAN;
	try_table("nothing but missing values", &t);
	t = table_heaps(300, 3);
	for (size_t i = 0; i < t.n * 3; i++)
		t.x[i] *= 1e300;
	try_table("1e300", &t);
	for (size_t i = 0; i < t.n * 3; i++)
		t.x[i] = noise(i, 0) * 1e-310;
	try_table("numbers below the smallest", &t);
	t = table_heaps(300, 3);
	for (size_t i = 0; i < t.n; i++)
		t.x[i * 3] = i == 7 ? 1e308 : i == 9 ? -1e308 : t.x[i * 3];
	try_table("two rows far away", &t);
}

/* 10,000 categories in one column: the rarest share a coordinate. */
static void
test_many_categories(void)
{
	static const MlColumnSpec specs[] = {
		{"x", "x", 0, 0, "double precision", ML_NUMBER, ML_LOGICAL_FLOAT, ML_ROLE_FEATURE},
		{"c", "c", 0, 0, "text", ML_CATEGORY, ML_LOGICAL_TEXT, ML_ROLE_FEATURE}
	};

	for (int m = 0; m < METHODS; m++)
	{
		MlEnv	   *env = unit_env(2);
		MlTrainSpec spec = {.method = ml_method_find(methods[m].name), .split = {ML_SPLIT_AUTO, 0.2, 0, 42}};
		static const Setting few_categories[] = {{"max_categories", 30, NULL}, {NULL}};
		MlFrameBuilder *b;
		MlParams   *params;
		MlFrame    *frame;
		MlTrainResult *r;
		double		x[2] = {0.5, 3};
		double		out[64];
		bool		read = true;

		env->dense = ml_dense_table();
		CHECK_STATUS(env, ml_frame_begin(env, specs, 2, 42, &b), ML_OK);
		for (size_t i = 0; i < 12000; i++)
		{
			char		text[20];

			ml_frame_number(b, 0, noise(i, 1));
			snprintf(text, sizeof(text), "c%d", (int) (noise(i, 2) * noise(i, 3) * 10000));
			read = read && ml_frame_text(b, 1, text, strlen(text)) == ML_OK && ml_frame_end_row(b) == ML_OK;
		}
		CHECK(read);
		CHECK_STATUS(env, ml_frame_finish(b, &frame), ML_OK);
		CHECK_STATUS(env, table_params(env, spec.method, few_categories, &params), ML_OK);
		spec.params = params;
		CHECK_STATUS(env, ml_pipeline_run(env, &spec, frame, &r), ML_OK);
		ml_model_predict(r->model, x, out);
		CHECK(isfinite(out[0]));
		x[1] = r->model->schema->features[1].levels;	/* never seen */
		ml_model_predict(r->model, x, out);
		CHECK(isfinite(out[0]));
		unit_env_free(env);
	}
}

/* -- the same bits ---------------------------------------------------------- */

static uint8_t *
image_of(const Table *t, int m, int threads, MlSimdTier tier, size_t *length, double *score)
{
	MlEnv	   *env = unit_env(threads);
	MlTrainResult *r;
	uint8_t    *copy = NULL;

	ml_simd_limit(tier);
	*length = 0;
	CHECK_STATUS(env, table_train(env, t, methods[m].name, methods[m].settings, &r), ML_OK);
	if (env->error.message[0] == '\0')
	{
		*length = r->image_length;
		*score = r->score;
		copy = malloc(r->image_length);
		memcpy(copy, r->image, r->image_length);
	}
	ml_simd_limit(ML_TIER_AVX512);
	unit_env_free(env);
	return copy;
}

static void
test_same_bits(void)
{
	static const struct
	{
		int			threads;
		MlSimdTier	tier;
	}			ways[] = {{2, ML_TIER_AVX512}, {4, ML_TIER_AVX512}, {1, ML_TIER_AVX2}, {2, ML_TIER_BASELINE}};
	Table		t = table_heaps(20000, 7);

	for (int m = 0; m < METHODS; m++)
	{
		size_t		length;
		double		score;
		uint8_t    *first = image_of(&t, m, 1, ML_TIER_AVX512, &length, &score);

		for (int w = 0; w < 4; w++)
		{
			size_t		other_length;
			double		other_score;
			uint8_t    *other = image_of(&t, m, ways[w].threads, ways[w].tier, &other_length, &other_score);

			unit_check(length > 0 && length == other_length && memcmp(first, other, length) == 0 && score == other_score, __FILE__, __LINE__,
					   "%s with %d threads, tier %d", methods[m].name, ways[w].threads, ways[w].tier);
			free(other);
		}
		free(first);
	}
}

/* -- parts ------------------------------------------------------------------ */

/* Every cluster has rows in the end, though several begin in one place. */
static void
test_empty_clusters(void)
{
	MlEnv	   *env = unit_env(2);
	Table		t = table_heaps(400, 2);
	MlTrainResult *r;
	const Setting random[] = {{"n_clusters", 60, NULL}, {"init", 0, "random"}, {"n_init", 3, NULL}, {NULL}};
	const Setting many[] = {{"n_clusters", 500, NULL}, {NULL}};
	const Setting duplicates[] = {{"n_clusters", 9, NULL}, {"n_init", 1, NULL}, {NULL}};

	CHECK_STATUS(env, table_train(env, &t, "kmeans", random, &r), ML_OK);
	CHECK(table_metric(r, "clusters") == 60);
	CHECK_STATUS(env, table_train(env, &t, "kmeans", many, &r), ML_BAD_DATA);
	CHECK_MESSAGE(env, "500 clusters cannot be made of 400 rows");
	for (size_t i = 0; i < t.n; i++)
		memcpy(t.x + i * 2, t.x + (i % 5) * 2, 2 * sizeof(double));
	CHECK_STATUS(env, table_train(env, &t, "kmeans", duplicates, &r), ML_OK);
	CHECK(table_metric(r, "clusters") == 5 && table_metric(r, "inertia") < 1e-20);
	CHECK(env->n_warnings == 1 && strstr(env->warnings->text, "only 5 different rows") != NULL);
	unit_env_free(env);
}

/* Batches come near to what all rows together give. */
static void
test_batches(void)
{
	MlEnv	   *env = unit_env(2);
	Table		t = table_heaps(30000, 5);
	const Setting lloyd[] = {{"n_clusters", 8, NULL}, {"n_init", 5, NULL}, {NULL}};
	const Setting mini[] = {{"n_clusters", 8, NULL}, {"n_init", 5, NULL}, {"algorithm", 0, "minibatch"}, {NULL}};
	MlTrainResult *r;
	double		inertia;

	CHECK_STATUS(env, table_train(env, &t, "kmeans", lloyd, &r), ML_OK);
	inertia = table_metric(r, "inertia");
	CHECK_STATUS(env, table_train(env, &t, "kmeans", mini, &r), ML_OK);
	unit_check(table_metric(r, "inertia") < 1.05 * inertia, __FILE__, __LINE__, "inertia %g by batches, %g by all rows", table_metric(r, "inertia"), inertia);
	CHECK(table_metric(r, "clusters") == 8);
	unit_env_free(env);
}

static bool
count_questions(void *state)
{
	return ++*(int *) state > 1000000;
}

static bool
say_stop(void *state)
{
	return --*(int *) state < 0;
}

/* A batch may be as large as the table: it asks as often as a pass of Lloyd's iteration does, and each question can be the last. */
static void
test_large_batch(void)
{
	Table		t = table_heaps(60000, 4);
	int			asked[2] = {0, 0};

	for (int left = -2; left < asked[1]; left += left < 0 ? 1 : asked[1] / 7)
	{
		MlEnv	   *env = unit_env(1);
		MlKmeansSpec spec = {.k = 200, .n_init = 1, .max_iter = 1, .batch_size = left == -2 ? 0 : 60000};
		MlDataset	data = table_dataset(env, &t);
		MlKmeansResult r;
		MlSpace    *space;
		MlPoints   *points;
		int			until = left;

		CHECK_STATUS(env, ml_space_fit(env, &data, 10, ML_SPACE_AS_IS, &space), ML_OK);
		CHECK_STATUS(env, ml_points_read(env, space, &data, &points), ML_OK);
		env->canceled = left < 0 ? count_questions : say_stop;
		env->state = left < 0 ? &asked[left + 2] : &until;
		CHECK_STATUS(env, ml_kmeans_fit(env, points, &spec, &r), left < 0 ? ML_OK : ML_CANCELED);
		unit_env_free(env);
	}
	unit_check(asked[1] >= asked[0], __FILE__, __LINE__, "asked %d times in two passes over all rows, %d times in a batch and a pass", asked[0], asked[1]);
}

/* Of many centres each is compared with all others before a pass: that asks, too. */
static void
test_many_centers(void)
{
	Table		t = table_heaps(8000, 20);
	int			asked[2] = {0, 0};

	for (int b = 0; b < 2; b++)
	{
		MlEnv	   *env = unit_env(1);
		MlKmeansSpec spec = {.k = 4000, .n_init = 1, .max_iter = 2, .bounds = b == 0 ? ML_KMEANS_BOUNDS_NEVER : ML_KMEANS_BOUNDS_ALWAYS};
		MlDataset	data = table_dataset(env, &t);
		MlKmeansResult r;
		MlSpace    *space;
		MlPoints   *points;

		CHECK_STATUS(env, ml_space_fit(env, &data, 10, ML_SPACE_AS_IS, &space), ML_OK);
		CHECK_STATUS(env, ml_points_read(env, space, &data, &points), ML_OK);
		env->canceled = count_questions;
		env->state = &asked[b];
		CHECK_STATUS(env, ml_kmeans_fit(env, points, &spec, &r), ML_OK);
		unit_env_free(env);
	}
	unit_check(asked[1] >= asked[0] + 10, __FILE__, __LINE__, "asked %d times without bounds, %d times with them", asked[0], asked[1]);
}

/* Bounds pass over rows, but change no bit of what comes out: clusters that lie apart, that overlap, ties on a grid, huge and tiny numbers. */
static void
test_bounds(void)
{
	static const double scale[] = {1, 1, 1, 1e140, 1e-155};

	for (int kind = 0; kind < 5; kind++)
		for (int k = 1; k <= 40; k += 13)
			for (int threads = 1; threads <= 2; threads++)
			{
				MlEnv	   *env = unit_env(threads);
				Table		t = table_heaps(6000, 3);
				MlDataset	data;
				MlKmeansSpec spec = {.k = k, .n_init = 2, .max_iter = 60, .plus_plus = kind != 2};
				MlKmeansResult r[3];
				MlSpace    *space;
				MlPoints   *points;
				bool		same = true;

				for (size_t i = 0; i < t.n * 3; i++)
				{
					double		u = ml_rng_uniform(5, (uint64_t) kind, i);

					t.x[i] = scale[kind] * (kind == 1 ? u : kind == 2 ? floor(6 * u) : t.x[i]);
				}
				data = table_dataset(env, &t);
				CHECK_STATUS(env, ml_space_fit(env, &data, 10, ML_SPACE_AS_IS, &space), ML_OK);
				CHECK_STATUS(env, ml_points_read(env, space, &data, &points), ML_OK);
				for (int b = ML_KMEANS_BOUNDS_NEVER; b <= ML_KMEANS_BOUNDS_ALWAYS; b++)
				{
					ml_simd_limit(b == ML_KMEANS_BOUNDS_LATE ? ML_TIER_AVX2 : ML_TIER_AVX512);
					spec.bounds = (MlKmeansBounds) b;
					CHECK_STATUS(env, ml_kmeans_fit(env, points, &spec, &r[b]), ML_OK);
					same &= r[b].iterations == r[0].iterations && memcmp(&r[b].inertia, &r[0].inertia, sizeof(double)) == 0 &&
						memcmp(r[b].center, r[0].center, (size_t) k * 3 * sizeof(double)) == 0 &&
						memcmp(r[b].label, r[0].label, points->n * sizeof(int32_t)) == 0;
				}
				ml_simd_limit(ML_TIER_AVX512);
				unit_check(same, __FILE__, __LINE__, "kind %d, %d clusters, %d threads: bounds change no bit (%d iterations)", kind, k, threads, r[0].iterations);
				unit_env_free(env);
			}
}

/* Against all pairs of rows, one by one. */
static void
test_silhouette(void)
{
	MlEnv	   *env = unit_env(2);
	Table		t = table_heaps(201, 3);
	int32_t		label[201];
	double		total = 0;
	double		value;

	for (size_t i = 0; i < t.n; i++)
		label[i] = i == 0 ? 9 : (int32_t) (i % 4);	/* a cluster of one, numbers with gaps */
	for (size_t i = 0; i < t.n; i++)
	{
		double		sum[10] = {0};
		size_t		count[10] = {0};
		double		a,
					b = INFINITY;

		for (size_t k = 0; k < t.n; k++)
		{
			double		d = 0;

			for (int j = 0; j < 3; j++)
				d += (t.x[i * 3 + j] - t.x[k * 3 + j]) * (t.x[i * 3 + j] - t.x[k * 3 + j]);
			sum[label[k]] += sqrt(d);
			count[label[k]]++;
		}
		if (count[label[i]] == 1)
			continue;
		a = sum[label[i]] / (double) (count[label[i]] - 1);
		for (int c = 0; c < 10; c++)
			b = c != label[i] && count[c] > 0 ? fmin(b, sum[c] / (double) count[c]) : b;
		total += (b - a) / fmax(a, b);
	}
	for (int tier = ML_TIER_BASELINE; tier <= ML_TIER_AVX512; tier++)
	{
		static double first;

		ml_simd_limit((MlSimdTier) tier);
		CHECK_STATUS(env, ml_silhouette(env, t.n, 3, t.x, label, &value), ML_OK);
		CHECK_NEAR(value, total / (double) t.n, 1e-13);
		first = tier == ML_TIER_BASELINE ? value : first;
		CHECK(value == first);
	}
	memset(label, 0, sizeof(label));
	CHECK_STATUS(env, ml_silhouette(env, t.n, 3, t.x, label, &value), ML_OK);
	CHECK(isnan(value));
	unit_env_free(env);
}

/* DBSCAN against its definition. */
static void
test_dbscan_definition(void)
{
	Table		t = table_heaps(700, 2);
	double		eps = 0.12;
	size_t		min_samples = 5;
	static bool core[700];
	static int	label[700];
	int			clusters = 0;
	bool		grown = true;
	bool		same = true;
	const Setting settings[] = {{"eps", eps, NULL}, {"min_samples", min_samples, NULL}, {NULL}};
	MlEnv	   *env = unit_env(2);
	MlTrainResult *r;

#define NEAR(i, k) (pow(t.x[(i) * 2] - t.x[(k) * 2], 2) + pow(t.x[(i) * 2 + 1] - t.x[(k) * 2 + 1], 2) <= eps * eps)
	for (size_t i = 0; i < t.n; i++)
	{
		size_t		neighbours = 0;

		for (size_t k = 0; k < t.n; k++)
			neighbours += NEAR(i, k);
		core[i] = neighbours >= min_samples;
		label[i] = -1;
	}
	for (size_t i = 0; i < t.n; i++)
	{
		if (!core[i] || label[i] >= 0)
			continue;
		label[i] = clusters++;
		for (grown = true; grown;)
		{
			grown = false;
			for (size_t a = 0; a < t.n; a++)
				for (size_t b = 0; b < t.n && label[a] == clusters - 1; b++)
				{
					if (core[b] && label[b] < 0 && NEAR(a, b))
					{
						label[b] = label[a];
						grown = true;
					}
				}
		}
	}
	CHECK(clusters > 5);
	CHECK_STATUS(env, table_train(env, &t, "dbscan", settings, &r), ML_OK);
	CHECK(table_metric(r, "clusters") == clusters);
	for (size_t i = 0; i < t.n; i++)
	{
		double		least = INFINITY;
		double		own = table_predict(r, &t, i)[0];
		int			want = -1;

		for (size_t k = 0; k < t.n; k++)
		{
			double		d = pow(t.x[i * 2] - t.x[k * 2], 2) + pow(t.x[i * 2 + 1] - t.x[k * 2 + 1], 2);

			if (core[k] && NEAR(i, k) && (d < least || (d == least && label[k] < want)))
			{
				least = d;
				want = label[k];
			}
		}
		same &= own == want;
	}
	CHECK(same);
	unit_env_free(env);
}

/* Weights are as good as repeated rows. */
static void
test_weights(void)
{
	MlEnv	   *env = unit_env(2);
	Table		t = table_heaps(240, 2);
	MlDataset	single = table_dataset(env, &t);
	Table		twice = table_heaps(240, 2);
	MlDataset	repeated;
	double	   *weight = ml_alloc(env, t.n, sizeof(double));
	MlKmeansSpec spec = {.k = 4, .n_init = 5, .max_iter = 100, .plus_plus = true};
	MlKmeansResult a,
				b;
	MlSpace    *space;
	MlPoints   *points;

	for (size_t i = 0; i < t.n; i++)
		weight[i] = i < 120 ? 2 : 0;
	for (size_t i = 0; i < t.n; i++)
		memcpy(twice.x + i * 2, t.x + (i / 2) * 2, 2 * sizeof(double));
	repeated = table_dataset(env, &twice);
	single.weight = weight;
	CHECK_STATUS(env, ml_space_fit(env, &single, 10, ML_SPACE_SCALE_ALL, &space), ML_OK);
	CHECK_STATUS(env, ml_points_read(env, space, &single, &points), ML_OK);
	CHECK_STATUS(env, ml_kmeans_fit(env, points, &spec, &a), ML_OK);
	CHECK_STATUS(env, ml_space_fit(env, &repeated, 10, ML_SPACE_SCALE_ALL, &space), ML_OK);
	CHECK_STATUS(env, ml_points_read(env, space, &repeated, &points), ML_OK);
	CHECK_STATUS(env, ml_kmeans_fit(env, points, &spec, &b), ML_OK);
	for (int c = 0; c < 8; c++)
	{
		double		nearest = INFINITY;

		for (int d = 0; d < 8; d += 2)
			nearest = fmin(nearest, hypot(a.center[c / 2 * 2] - b.center[d], a.center[c / 2 * 2 + 1] - b.center[d + 1]));
		CHECK(nearest < 1e-9);
	}
	unit_env_free(env);
}

int
main(void)
{
	test_odd_tables();
	test_many_categories();
	test_same_bits();
	test_empty_clusters();
	test_batches();
	test_large_batch();
	test_many_centers();
	test_bounds();
	test_silhouette();
	test_dbscan_definition();
	test_weights();
	return unit_done();
}
