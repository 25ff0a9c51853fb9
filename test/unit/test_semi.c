/*-------------------------------------------------------------------------
 * test_semi.c
 *	  Rows without a class: against scikit-learn, with every method of classification, and odd data.
 *
 * Figures: test/reference/semi_supervised.py.
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "tables.h"
#include "tiny_memory.h"
#include "ml/base/simd.h"
#include "../reference/semi_supervised_figures.h"

/* ------------------------------------------------------------------------
 * The sets of the figures
 * ------------------------------------------------------------------------
 */

static bool
has_label(size_t i)
{
	return i % 10 == 3;
}

static Table
read_set(const char *name)
{
	Table		t = read_table(name);

	if (strcmp(name, "iris") != 0)
		return t;
	for (size_t i = 0; i < t.n; i++)
		for (int j = 0; j < t.p; j++)
			t.x[i * (size_t) t.p + (size_t) j] += 1e-3 * sin((double) i + 7.0 * j);
	return t;
}

static void
free_set(Table *t)
{
	free(t->x);
	free(t->y);
}

/* Columns divided by their standard deviation, those without any left out; p (out): how many are left. */
static double *
standardize(const Table *t, int32_t *p)
{
	double	   *z = malloc(t->n * (size_t) t->p * sizeof(double));
	double	   *mean = calloc((size_t) t->p, sizeof(double));
	double	   *factor = calloc((size_t) t->p, sizeof(double));
	int32_t		kept = 0;

	for (int j = 0; j < t->p; j++)
	{
		double		square = 0;

		for (size_t i = 0; i < t->n; i++)
			mean[j] += t->x[i * (size_t) t->p + (size_t) j] / (double) t->n;
		for (size_t i = 0; i < t->n; i++)
			square += pow(t->x[i * (size_t) t->p + (size_t) j] - mean[j], 2) / (double) t->n;
		factor[j] = square > 0 ? 1 / sqrt(square) : 0;
		kept += factor[j] > 0;
	}
	*p = kept;
	for (size_t i = 0; i < t->n; i++)
	{
		int32_t		at = 0;

		for (int j = 0; j < t->p; j++)
		{
			if (factor[j] > 0)
				z[i * (size_t) kept + (size_t) at++] = (t->x[i * (size_t) t->p + (size_t) j] - mean[j]) * factor[j];
		}
	}
	free(mean);
	free(factor);
	return z;
}

static int32_t
largest(const double *share, int32_t classes)
{
	int32_t		best = 0;

	for (int32_t c = 1; c < classes; c++)
		best = share[c] > share[best] ? c : best;
	return share[best] > 0 ? best : -1;
}

static void
test_spreading(const char *name, int32_t classes, MlSpreading how, const char *labels, const double *shares, size_t every, int iterations)
{
	Table		t = read_set(name);
	int32_t		p;
	double	   *z = standardize(&t, &p);
	int32_t    *label = malloc(t.n * sizeof(int32_t));
	double	   *first = malloc(t.n * (size_t) classes * sizeof(double));

	for (size_t i = 0; i < t.n; i++)
		label[i] = has_label(i) ? (int32_t) t.y[i] : -1;
	for (int threads = 1; threads <= 4; threads *= 2)
	{
		MlEnv	   *env = unit_env(threads);
		size_t		before = ml_arena_used(env->arena);
		size_t		wrong = 0;
		double		worst = 0;
		MlSpread	spread;

		/* Each number of threads with another set of instructions. */
		ml_simd_limit(threads == 1 ? ML_TIER_BASELINE : threads == 2 ? ML_TIER_AVX2 : ML_TIER_AVX512);
		CHECK_STATUS(env, ml_spread_labels(env, &how, z, t.n, p, label, classes, &spread), ML_OK);
		CHECK(spread.converged && spread.iterations == iterations);
		for (size_t i = 0; i < t.n; i++)
		{
			int32_t		c = largest(spread.share + i * (size_t) classes, classes);

			wrong += (c < 0 ? '-' : '0' + c) != labels[i];
			for (int32_t k = 0; i % every == 0 && k < classes; k++)
			{
				double		error = fabs(spread.share[i * (size_t) classes + (size_t) k] - shares[i / every * (size_t) classes + (size_t) k]);

				worst = error > worst ? error : worst;
			}
		}
		CHECK(wrong == 0 && labels[t.n] == '\0');
		CHECK_NEAR(worst, 0, 1e-9);
		if (threads == 1)
			memcpy(first, spread.share, t.n * (size_t) classes * sizeof(double));
		CHECK(memcmp(first, spread.share, t.n * (size_t) classes * sizeof(double)) == 0);
		CHECK(ml_arena_peak(env->arena) <= before + ml_spread_memory(&how, t.n, (size_t) p, (size_t) classes, threads) + 65536);
		unit_env_free(env);
	}
	ml_simd_limit(ML_TIER_AVX512);
	free(first);
	free(label);
	free(z);
	free_set(&t);
}

#define SPREADING(name, classes, set, ...) \
	test_spreading(name, classes, (MlSpreading) {__VA_ARGS__}, set##_labels, set##_shares, set##_every, set##_n_iter)

/* ------------------------------------------------------------------------
 * Self-training
 * ------------------------------------------------------------------------
 */

/* Rows with a label first, then the others, each in their order; row (n): which they are. */
static MlDataset *
dataset_of(MlEnv *env, const Table *t, int classes, size_t *row)
{
	MlDataset  *data = ml_alloc0(env, 1, sizeof(MlDataset));
	MlSchema   *schema = ml_alloc0(env, 1, sizeof(MlSchema));
	MlDataColumn *columns = ml_alloc0(env, (size_t) t->p, sizeof(MlDataColumn));
	double	   *y = ml_alloc(env, t->n, sizeof(double));
	size_t		n = 0;

	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < t->n; i++)
			if (has_label(i) == (pass == 0))
				row[n++] = i;
	schema->task = ML_TASK_CLASSIFICATION;
	schema->features = ml_alloc0(env, (size_t) t->p, sizeof(MlFeature));
	schema->target = "y";
	schema->target_type = "text";
	schema->target_logical = ML_LOGICAL_TEXT;
	schema->n_classes = classes;
	schema->classes = ml_alloc(env, (size_t) classes, sizeof(char *));
	for (int c = 0; c < classes; c++)
		schema->classes[c] = ml_printf(env, "%c", 'a' + c);
	for (int f = 0; f < t->p; f++)
	{
		double	   *x = ml_alloc(env, t->n, sizeof(double));
		bool		varies = false;

		for (size_t i = 0; i < t->n; i++)
			x[i] = t->x[row[i] * (size_t) t->p + (size_t) f];
		for (size_t i = 1; i < t->n; i++)
			varies |= x[i] != x[0];
		if (!varies)
			continue;
		schema->features[schema->n_features] = (MlFeature) {.name = ml_printf(env, "x%d", f), .type_name = "real", .logical = ML_LOGICAL_FLOAT};
		schema->features[schema->n_features].source_column = schema->features[schema->n_features].name;
		columns[schema->n_features++].number = x;
	}
	for (size_t i = 0; i < t->n; i++)
	{
		y[i] = has_label(row[i]) ? t->y[row[i]] : -1;
		data->n_unlabelled += !has_label(row[i]);
	}
	*data = (MlDataset) {.schema = schema, .n_train = t->n, .n_unlabelled = data->n_unlabelled, .columns = columns, .y = y};
	return data;
}

typedef struct Rounds
{
	int			count;
	double		labelled[100];
} Rounds;

static void
keep_rounds(void *state, const MlHistory *entry)
{
	Rounds	   *rounds = state;

	if (strcmp(entry->metric, "pseudo_labelled_rows") == 0 && entry->iteration == rounds->count + 1)
		rounds->labelled[rounds->count++] = entry->value;
}

static void
test_self_training(const char *name, int classes, const char *algorithm, bool balanced, MlSemi how, const char *want_rounds, const char *want_labels, int iterations)
{
	Table		t = read_set(name);
	size_t	   *row = malloc(t.n * sizeof(size_t));
	uint8_t    *first = NULL;
	size_t		length = 0;

	how.kind = ML_SEMI_SELF_TRAINING;
	for (int threads = 1; threads <= 2; threads++)
	{
		MlEnv	   *env = unit_env(threads);
		MlDataset  *data = dataset_of(env, &t, classes, row);
		size_t		known = data->n_train - data->n_unlabelled;
		MlParams   *params;
		MlSemiRun	run = {.semi = &how, .method = ml_method_find(algorithm), .schema = data->schema, .raw = data, .seen = data, .balanced = balanced};
		MlSemiResult r;
		Rounds		rounds = {0};
		size_t		wrong = 0;

		env->dense = ml_dense_table();
		env->history = keep_rounds;
		env->state = &rounds;
		CHECK_STATUS(env, ml_params_init(env, run.method->params, &params), ML_OK);
		if (strcmp(algorithm, "naive_bayes") == 0)
			CHECK_STATUS(env, ml_params_set_number(env, params, "var_smoothing", 0.1), ML_OK);
		run.params = params;
		CHECK_STATUS(env, ml_semi_fit(env, &run, &r), ML_OK);
		CHECK(r.iterations == iterations && rounds.count == iterations && rounds.labelled[iterations - 1] == (double) r.labelled);
		for (size_t i = 0; i < data->n_unlabelled; i++)
		{
			char		label = (char) (r.label[i] < 0 ? '-' : '0' + r.label[i]);
			char		round = (char) (r.label[i] < 0 ? '-' : '0' + r.round[i]);

			wrong += label != want_labels[row[known + i]] || round != want_rounds[row[known + i]];
		}
		unit_check(wrong == 0, __FILE__, __LINE__, "%s by %s: all but %zu rows of %zu get the class of the reference in the same round", name, algorithm, wrong, data->n_unlabelled);
		if (threads == 1)
		{
			length = r.image_length;
			first = malloc(length);
			memcpy(first, r.image, length);
		}
		CHECK(length == r.image_length && memcmp(first, r.image, length) == 0);
		unit_env_free(env);
	}
	free(first);
	free(row);
	free_set(&t);
}

#define SELF_TRAINING(name, classes, algorithm, balanced, set, ...) \
	test_self_training(name, classes, algorithm, balanced, (MlSemi) {__VA_ARGS__}, set##_rounds, set##_labels, set##_n_iter)

/* ------------------------------------------------------------------------
 * With every method
 * ------------------------------------------------------------------------
 */

static const MlSemi self_training = {.kind = ML_SEMI_SELF_TRAINING, .threshold = 0.6, .max_iter = 3};
static const MlSemi label_spreading = {.kind = ML_SEMI_LABEL_SPREADING,
.spreading = {ML_SPREAD_KNN, .n_neighbors = 7, .alpha = 0.2, .max_iter = 30, .tolerance = 1e-3}};

static double
metric_of(const MlPartMetrics *part, const char *name)
{
	for (int i = 0; i < part->count; i++)
	{
		if (strcmp(part->metrics[i].name, name) == 0)
			return part->metrics[i].value;
	}
	return NAN;
}

typedef struct Image
{
	uint8_t    *bytes;
	size_t		length;
} Image;

static Image
image_of(const MlMethod *method, const TinyTable *t, const MlSemi *semi, int threads)
{
	MlEnv	   *env = unit_env(threads);
	MlTrainResult *r;
	Image		image = {0};

	CHECK_STATUS(env, tiny_train_semi(env, method, t, semi, &r), ML_OK);
	if (env->error.message[0] == '\0')
	{
		image.length = r->image_length;
		image.bytes = malloc(image.length);
		memcpy(image.bytes, r->image, image.length);
	}
	unit_env_free(env);
	return image;
}

static bool
same_image(Image a, Image b)
{
	bool		same = a.length > 0 && a.length == b.length && memcmp(a.bytes, b.bytes, a.length) == 0;

	free(b.bytes);
	return same;
}

static void
test_repeatable(const MlMethod *method, const MlSemi *semi, TinyTarget target)
{
	TinyTable	t = {.rows = 800, .target = target, .with_id = true, .with_weight = true, .null_targets = true};
	TinyTable	reversed = t;
	Image		first = image_of(method, &t, semi, 1);

	reversed.reversed = true;
	CHECK(same_image(first, image_of(method, &t, semi, 2)));
	CHECK(same_image(first, image_of(method, &t, semi, 4)));
	CHECK(same_image(first, image_of(method, &reversed, semi, 1)));
	free(first.bytes);
}

/* Where every row has a class, there is nothing to do, and the model is the same. */
static void
test_nothing_to_do(const MlMethod *method, const MlSemi *semi)
{
	MlEnv	   *env = unit_env(1);
	TinyTable	t = {.rows = 400, .target = TINY_TWO};
	Image		without = image_of(method, &t, NULL, 1);
	MlTrainResult *r;

	CHECK_STATUS(env, tiny_train_semi(env, method, &t, semi, &r), ML_OK);
	CHECK(r->image_length == without.length && memcmp(r->image, without.bytes, without.length) == 0);
	CHECK(env->n_warnings > 0 && strstr(env->warnings->text, "nothing to do") != NULL);
	CHECK(metric_of(&r->part[ML_PART_TRAIN], "unlabelled_rows") == 0 && metric_of(&r->part[ML_PART_TRAIN], "pseudo_labelled_rows") == 0);
	unit_env_free(env);
	free(without.bytes);
}

/* Which rows judge does not depend on it, and none without a class is among them. */
static void
test_parts(const MlMethod *method, const MlSemi *semi)
{
	MlEnv	   *env = unit_env(1);
	TinyTable	t = {.rows = 1000, .target = TINY_THREE, .null_targets = true};
	MlTrainResult *with;
	MlTrainResult *without;

	CHECK_STATUS(env, tiny_train_semi(env, method, &t, NULL, &without), ML_OK);
	CHECK_STATUS(env, tiny_train_semi(env, method, &t, semi, &with), ML_OK);
	CHECK(with->rows == 900 && with->rows_without_target == 100);
	for (int p = 0; p < 3; p++)
	{
		int64_t		rows[2] = {0, 0};

		CHECK(with->part[p].rows == without->part[p].rows);
		for (int c = 0; c < 9; c++)
		{
			rows[0] += with->part[p].confusion[c];
			rows[1] += without->part[p].confusion[c];
		}
		CHECK(rows[0] == rows[1]);
	}
	CHECK(metric_of(&with->part[ML_PART_TRAIN], "unlabelled_rows") == 100);
	CHECK(metric_of(&with->part[ML_PART_TRAIN], "pseudo_labelled_rows") == (double) with->rows_pseudo_labelled);
	CHECK(with->rows_pseudo_labelled > 0 && with->rows_pseudo_labelled <= 100);
	CHECK(metric_of(&with->part[ML_PART_TRAIN], "semi_supervised_iterations") >= 1);
	CHECK(isnan(metric_of(&with->part[ML_PART_TEST], "unlabelled_rows")) && isnan(metric_of(&without->part[ML_PART_TRAIN], "unlabelled_rows")));
	CHECK(with->model->schema->n_classes == 3 && with->score > 0.3);
	unit_env_free(env);
}

static bool
cancel_at(void *state)
{
	return --*(int *) state < 0;
}

static void
test_cancel(const MlMethod *method, const MlSemi *semi)
{
	bool		finished = false;
	int			canceled = 0;

	for (int moment = 0; moment < 100000 && !finished; moment = moment * 2 + 1)
	{
		MlEnv	   *env = unit_env(2);
		TinyTable	t = {.rows = 800, .target = TINY_TWO, .null_targets = true};
		MlTrainResult *r;
		int			left = moment;
		MlStatus	status;

		env->canceled = cancel_at;
		env->state = &left;
		status = tiny_train_semi(env, method, &t, semi, &r);
		finished = status == ML_OK;
		canceled += status == ML_CANCELED;
		if (status != ML_OK && status != ML_CANCELED)
			CHECK_STATUS(env, status, ML_CANCELED);
		unit_env_free(env);
	}
	CHECK(finished && canceled > 3);
}

int
main(void)
{
	SPREADING("iris", 3, iris_knn, ML_SPREAD_KNN, 7, 20, 0.2, 30, 1e-3);
	SPREADING("iris", 3, iris_rbf, ML_SPREAD_RBF, 7, 20, 0.2, 30, 1e-3);
	SPREADING("iris", 3, iris_far, ML_SPREAD_KNN, 7, 20, 0.9, 200, 1e-6);
	SPREADING("digits", 10, digits_knn, ML_SPREAD_KNN, 7, 20, 0.2, 30, 1e-3);
	SPREADING("digits", 10, digits_rbf, ML_SPREAD_RBF, 7, 0.05, 0.2, 30, 1e-3);

	SELF_TRAINING("iris", 3, "logistic_regression", false, iris_logistic, .threshold = 0.75, .max_iter = 10);
	SELF_TRAINING("iris", 3, "logistic_regression", false, iris_best, .by_k_best = true, .k_best = 8, .max_iter = 6);
	SELF_TRAINING("iris", 3, "logistic_regression", true, iris_balanced, .threshold = 0.6, .max_iter = 4);
	SELF_TRAINING("iris", 3, "logistic_regression", false, iris_strict, .threshold = 0.97, .max_iter = 10);
	SELF_TRAINING("digits", 10, "logistic_regression", false, digits_logistic, .threshold = 0.75, .max_iter = 10);
	SELF_TRAINING("digits", 10, "naive_bayes", false, digits_bayes, .threshold = 0.9, .max_iter = 3);

	for (const MlMethod *const *method = ml_methods; *method != NULL; method++)
	{
		const MlSemi *kinds[] = {&self_training, &label_spreading};

		if (((*method)->tasks & ML_TASK_CLASSIFICATION) == 0)
			continue;
		printf("# %s\n", (*method)->name);
		for (int k = 0; k < 2; k++)
		{
			test_repeatable(*method, kinds[k], k == 0 ? TINY_TWO : TINY_THREE);
			test_nothing_to_do(*method, kinds[k]);
			test_parts(*method, kinds[k]);
			tiny_check_memory(*method, &(TinyTable) {.rows = 8000, .target = TINY_TWO, .with_id = true, .null_targets = true}, kinds[k]);
			test_cancel(*method, kinds[k]);
		}
	}
	return unit_done();
}
