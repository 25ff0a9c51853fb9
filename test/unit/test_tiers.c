/*-------------------------------------------------------------------------
 * test_tiers.c
 *	  Every method on every tier of vector instructions: the same model to the bit, the same complaint, the same
 *	  answers, on data that is hostile in its values or in its shape.
 *
 * Kernels that can be called by themselves have tests of their own; this is the net below them.
 *-------------------------------------------------------------------------
 */
#include "linear_data.h"

#include <float.h>

#include "ml/base/rng.h"
#include "ml/base/simd.h"

/* Enough of it. */
static const char *
settings_of(const MlMethod *method)
{
	static const char *const some[][2] = {
		{"gbdt", "num_iterations=3 min_data_in_leaf=1"}, {"lightgbm", "num_iterations=3 min_data_in_leaf=2"}, {"xgboost", "n_estimators=3"},
		{"random_forest", "n_estimators=4"}, {"extra_trees", "n_estimators=4"}, {"isolation_forest", "n_estimators=8"}, {"mlp", "epochs=2"},
		{"logistic_regression", "max_iter=4"}, {"linear_svm", "max_iter=20"}, {"kmeans", "n_clusters=3 n_init=2 max_iter=10"},
		{"gmm", "n_components=2 max_iter=5"}, {"pca", "n_components=2"}, {"truncated_svd", "n_components=2"}, {"knn", "n_neighbors=3"}, {"lasso", "alpha=0.1"}, {"elastic_net", "alpha=0.1"}, {"ridge", "alpha=1"}
	};

	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++)
		if (strcmp(some[i][0], method->name) == 0)
			return some[i][1];
	return "";
}

/* ---- data ---- */

static double
normal(uint64_t stream, size_t i)
{
	return sqrt(-2 * log(1 - ml_rng_uniform(1, stream, i))) * cos(6.283185307179586 * ml_rng_uniform(2, stream, i));
}

static double
extreme(uint64_t stream, size_t i)
{
	static const double some[] = {0, -0.0, 1, -1, 1e300, -1e300, 1e-300, 5e-324, -5e-324, DBL_MIN, 1e150, 3};

	return some[(size_t) (ml_rng_uniform(3, stream, i) * 12)];
}

/* Of column f there are ten kinds. */
static double
value_of(int f, size_t i)
{
	uint64_t	stream = (uint64_t) f;

	switch (f % 10)
	{
		case 1:
			return ml_rng_uniform(4, stream, i) < 0.2 ? NAN : normal(stream, i);
		case 2:
			return 7;
		case 3:
			return 5e-324 * floor(100 * normal(stream, i));
		case 4:
			return 1e15 + floor(10 * normal(stream, i));
		case 5:
			return ml_rng_uniform(4, stream, i) < 0.7 ? 0 : floor(3 * normal(stream, i));
		case 6:
			return i % 2 == 0 ? 1e100 : -1e100;
		case 7:
			return ml_rng_uniform(4, stream, i) < 0.5;
		default:
			return normal(stream, i);
	}
}

static void
set_target(MlDataset *data, int classes)
{
	for (size_t i = 0; i < data->n_train; i++)
	{
		double		signal = normal(1001, i) + (data->columns[0].number != NULL ? 2 * data->columns[0].number[i] : 0);

		/* Of classes each has a row, as far as there are rows. */
		target_of_data(data)[i] = classes == 0 ? signal : i < (size_t) classes ? (double) i : fmin(classes - 1, floor(classes / (1 + exp(signal))));
	}
}

typedef enum Kind
{
	MIXED,						/* numbers of all kinds, and three categories if there is room for them */
	TAME,
	EXTREME
} Kind;

static MlDataset *
make_data(MlEnv *env, Kind kind, size_t n, int p, int classes)
{
	MlDataset  *data = new_dataset(env, n, p, classes);

	for (int f = 0; f < p; f++)
	{
		int			levels = f == 8 ? 2 : f == 9 ? 40 : 300;
		int32_t    *code = kind == MIXED && f >= 8 && f < 11 ? set_category(env, data, f, levels) : NULL;

		for (size_t i = 0; i < n; i++)
		{
			if (code != NULL)
				code[i] = (int32_t) (levels * ml_rng_uniform(5, (uint64_t) f, i)) - (i % 13 == 0);
			else
				column_of_data(data, f)[i] = kind == MIXED ? value_of(f, i) : kind == TAME ? normal((uint64_t) f, i) : extreme((uint64_t) f, i);
		}
	}
	set_target(data, classes);
	return data;
}

/* ---- what comes of it ---- */

typedef struct Outcome
{
	MlStatus	status;
	char		message[600];
	size_t		length;			/* of the image */
	uint8_t    *image;
	size_t		bytes;			/* of the answers */
	double	   *answer;
} Outcome;

/* Rows of the data, and some that nobody has seen. */
static double
asked(const MlDataset *data, int f, size_t row)
{
	static const double odd[] = {NAN, 1e300, -1e300, 5e-324, 0, -0.0, 1e17, INFINITY, -INFINITY};
	const MlFeature *feature = &data->schema->features[f];

	if (row < data->n_train)
		return ml_dataset_value(data, f, row);
	row += (size_t) f * (row % 2);
	return feature->kind == ML_FEATURE_CATEGORY ? (row % 3 == 0 ? NAN : feature->levels) : odd[row % 9];
}

static void
take_answers(const MlMethod *method, const MlDataset *data, const void *model, Outcome *o)
{
	size_t		p = (size_t) data->schema->n_features;
	size_t		k = method->n_outputs != NULL ? (size_t) method->n_outputs(model) : data->schema->n_classes > 0 ? (size_t) data->schema->n_classes : 1;
	size_t		figures = ml_task_has_target(data->schema->task) ? 0 : (size_t) method->n_figures;
	size_t		n = ML_BATCH_ROWS;
	size_t		first = data->n_train > n / 2 ? data->n_train - n / 2 : 0;
	double	   *block = aligned_alloc(64, p * n * sizeof(double));
	double	   *row = malloc(p * sizeof(double));
	void	   *scratch = aligned_alloc(64, 64 * (2 + (method->scratch_size != NULL ? method->scratch_size(model) : 0) / 64));

	k += figures;
	o->bytes = 2 * n * k * sizeof(double);
	o->answer = calloc(2 * n * k, sizeof(double));
	for (size_t i = 0; i < n; i++)
	{
		for (size_t f = 0; f < p; f++)
			row[f] = block[f * n + i] = asked(data, (int) f, first + i);
		method->predict(model, row, o->answer + i * k, scratch);
	}
	if (method->predict_batch == NULL || !method->predict_batch(model, block, n, o->answer + n * k, scratch))
		memcpy(o->answer + n * k, o->answer, n * k * sizeof(double));
	free(block);
	free(row);
	free(scratch);
}

static Outcome
run(const MlMethod *method, MlTask task, Kind kind, size_t n, int p, int classes, bool weighted, int threads, MlSimdTier tier)
{
	MlEnv		env = new_env(threads);
	MlDataset  *data = make_data(&env, kind, n, p, classes);
	Outcome		o = {0};
	void	   *model;

	env.seed = 7;
	((MlSchema *) data->schema)->task = task;
	if (weighted)
		weigh(&env, data);
	if (!ml_task_has_target(task))
		data->y = NULL;
	ml_simd_limit(tier);
	o.status = fit_with(&env, method, data, settings_of(method), &model);
	snprintf(o.message, sizeof(o.message), "%s", env.error.message);
	if (o.status == ML_OK)
	{
		MlWriter	w = save_model(&env, method, model);

		o.length = w.length;
		o.image = malloc(w.length + 1);
		memcpy(o.image, w.bytes, w.length);
		take_answers(method, data, model, &o);
	}
	ml_simd_limit(ML_TIER_AVX512);
	free_env(&env);
	return o;
}

static void
forget(Outcome *o)
{
	free(o->image);
	free(o->answer);
}

static void
compare(const MlMethod *method, MlTask task, Kind kind, size_t n, int p, int classes, bool weighted)
{
	Outcome		plain = run(method, task, kind, n, p, classes, weighted, 1, ML_TIER_BASELINE);
	const double *one = plain.answer;
	size_t		half = plain.bytes / 2;

	for (int tier = ML_TIER_AVX2; tier <= ML_TIER_AVX512; tier++)
	{
		Outcome		o = run(method, task, kind, n, p, classes, weighted, tier == ML_TIER_AVX2 ? 1 : 2, (MlSimdTier) tier);

		check(o.status == plain.status && strcmp(o.message, plain.message) == 0 && o.length == plain.length &&
			  (o.length == 0 || memcmp(o.image, plain.image, o.length) == 0), "%s, task %d, kind %d, %zu x %d%s, tier %d: the same model (%s)", method->name, (int) task,
			  (int) kind, n, p, weighted ? " weighted" : "", tier, plain.message);
		check(o.bytes == plain.bytes && (o.bytes == 0 || memcmp(o.answer, plain.answer, o.bytes) == 0), "%s, task %d, %zu x %d, tier %d: the same answers",
			  method->name, (int) task, n, p, tier);
		forget(&o);
	}
	check(half == 0 || memcmp(one, one + half / sizeof(double), half) == 0, "%s, task %d, %zu x %d: rows together have the answers of single ones", method->name, (int) task, n, p);
	forget(&plain);
}

static bool
is_one_of(const MlMethod *method, const char *words)
{
	size_t		length = strlen(method->name);

	for (const char *at = strstr(words, method->name); at != NULL; at = strstr(at + 1, method->name))
		if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
			return true;
	return false;
}

static void
test_method(const MlMethod *method, MlTask task, int classes)
{
	static const size_t sizes[] = {1, 2, 7, 8, 9, 17, 300};

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
		compare(method, task, MIXED, sizes[s], 12, classes, s % 2 == 1);
	compare(method, task, TAME, 70, 1, classes, false);
	compare(method, task, EXTREME, 65, 5, classes, false);
	if (classes < 4)
		compare(method, task, TAME, 40, 300, classes, true);
	/* Where that does not take long. */
	if (classes < 4 && is_one_of(method, "linear_regression lasso logistic_regression naive_bayes decision_tree gbdt kmeans pca isolation_forest"))
		compare(method, task, TAME, 65537, 2, classes, false);
	if (classes < 4 && is_one_of(method, "lasso naive_bayes knn decision_tree random_forest gbdt kmeans isolation_forest mlp"))
		compare(method, task, TAME, 24, 3000, classes, false);
}

int
main(void)
{
	static const MlTask without_target[] = {ML_TASK_CLUSTERING, ML_TASK_ANOMALY, ML_TASK_REDUCTION};

	for (const MlMethod *const *method = ml_methods; *method != NULL; method++)
	{
		if ((*method)->tasks & ML_TASK_REGRESSION)
			test_method(*method, ML_TASK_REGRESSION, 0);
		if ((*method)->tasks & ML_TASK_CLASSIFICATION)
		{
			test_method(*method, ML_TASK_CLASSIFICATION, 2);
			test_method(*method, ML_TASK_CLASSIFICATION, 4);
		}
		for (int t = 0; t < 3; t++)
			if ((*method)->tasks & without_target[t])
				test_method(*method, without_target[t], 0);
	}
	return unit_done();
}
