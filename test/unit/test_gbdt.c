/*-------------------------------------------------------------------------
 * test_gbdt.c
 *	  gbdt in cases that can be worked out by hand, and at its edges.
 *-------------------------------------------------------------------------
 */
#include <unistd.h>

#include "gbdt_data.h"

#include <float.h>

#include "ml/algo/gbdt/gbdt_internal.h"
#include "ml/base/simd.h"

/* No smoothing, no limits: what a tree does can be said in one line. */
#define FREE "learning_rate=1 min_data_in_bin=1 min_sum_hessian_in_leaf=0 "
#define BARE FREE "min_data_in_leaf=1 "

static const MlGbdtForest *
forest_of(const MlModel *model)
{
	return model->fitted;
}

/* y = 1 for x <= 3, else 5: one split between 3 and 4, and both sides hit exactly. */
static void
test_one_split(void)
{
	MlEnv	   *env = unit_env(1);
	MlDataset  *data = gbdt_data(env, 8, 1, 0);
	MlModel    *model;
	double		out[2];
	const MlGbdtNode *root;

	for (int i = 0; i < 8; i++)
	{
		gbdt_number(data, 0)[i] = i;
		gbdt_target(data)[i] = i <= 3 ? 1 : 5;
	}
	CHECK_STATUS(env, gbdt_fit(env, data, BARE "num_iterations=1 num_leaves=2", &model), ML_OK);
	root = &forest_of(model)->node[0];
	CHECK(forest_of(model)->n_trees == 1 && forest_of(model)->n_nodes == 3);
	CHECK(root->value == 3.5);
	CHECK(root->rows == 8 && root->left == 1);
	/* g = -2 or 2, h = 1: gain = 2 * 8^2 / 4 - 0 */
	CHECK_NEAR(root->gain, 32, 1e-12);
	CHECK_NEAR(gbdt_at(model, (double[]) {3}, 0), 1, 1e-12);
	CHECK_NEAR(gbdt_at(model, (double[]) {3.5}, 0), 1, 1e-12);
	CHECK_NEAR(gbdt_at(model, (double[]) {4}, 0), 5, 1e-12);
	CHECK_NEAR(gbdt_at(model, (double[]) {-INFINITY}, 0), 1, 1e-12);
	CHECK_NEAR(gbdt_at(model, (double[]) {1e300}, 0), 5, 1e-12);
	CHECK(ml_method_gbdt.importance(env, model->fitted, data->schema, "gain", out) == ML_OK);
	CHECK_NEAR(out[0], 32, 1e-12);
	CHECK(ml_method_gbdt.importance(env, model->fitted, data->schema, "split", out) == ML_OK);
	CHECK_NEAR(out[0], 1, 0);
	CHECK_STATUS(env, ml_method_gbdt.importance(env, model->fitted, data->schema, "magic", out), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "\"split\"");

	/* lambda_l2 = 4: leaf = -g / (h + 4) = -+ 8/8 around the mean 3; lambda_l1 = 4: -+ (8-4)/4 */
	CHECK_STATUS(env, gbdt_fit(env, data, BARE "num_iterations=1 num_leaves=2 lambda_l2=4", &model), ML_OK);
	CHECK_NEAR(gbdt_at(model, (double[]) {0}, 0), 2, 1e-12);
	CHECK_STATUS(env, gbdt_fit(env, data, BARE "num_iterations=1 num_leaves=2 reg_alpha=4", &model), ML_OK);
	CHECK_NEAR(gbdt_at(model, (double[]) {7}, 0), 4, 1e-12);
	/* min_gain_to_split just below and above the gain */
	CHECK_STATUS(env, gbdt_fit(env, data, BARE "num_iterations=1 gamma=31.9 num_leaves=2", &model), ML_OK);
	CHECK(forest_of(model)->n_trees == 1);
	CHECK_STATUS(env, gbdt_fit(env, data, BARE "num_iterations=1 gamma=32.1", &model), ML_OK);
	CHECK(forest_of(model)->n_trees == 0 && env->n_warnings == 1);
	unit_env_free(env);
}

/* Where missing values are like the left, they go left; like the right, right; unlike both, alone. */
static void
test_missing(void)
{
	static const double target[3] = {1, 5, 40};

	for (int like = 0; like < 3; like++)
	{
		MlEnv	   *env = unit_env(1);
		MlDataset  *data = gbdt_data(env, 12, 1, 0);
		MlModel    *model;

		for (int i = 0; i < 12; i++)
		{
			gbdt_number(data, 0)[i] = i < 8 ? i : NAN;
			gbdt_target(data)[i] = i <= 3 ? 1 : (i < 8 ? 5 : target[like]);
		}
		CHECK_STATUS(env, gbdt_fit(env, data, BARE "num_iterations=1 num_leaves=2", &model), ML_OK);
		if (like < 2)
		{
			CHECK(forest_of(model)->node[0].value == 3.5 && forest_of(model)->node[0].missing_left == (like == 0));
			CHECK_NEAR(gbdt_at(model, (double[]) {NAN}, 0), target[like], 1e-12);
		}
		else
		{
			/* missing against all others: 1 and 5 share a leaf */
			CHECK_NEAR(gbdt_at(model, (double[]) {NAN}, 0), 40, 1e-12);
			CHECK_NEAR(gbdt_at(model, (double[]) {DBL_MAX}, 0), 3, 1e-12);
			CHECK_NEAR(gbdt_at(model, (double[]) {0}, 0), 3, 1e-12);
		}
		unit_env_free(env);
	}
	for (int more_left = 0; more_left < 2; more_left++)
	{
		MlEnv	   *env = unit_env(1);
		MlDataset  *data = gbdt_data(env, 10, 1, 0);
		MlModel    *model;

		/* No missing value in training: one follows the majority. */
		for (int i = 0; i < 10; i++)
		{
			gbdt_number(data, 0)[i] = i;
			gbdt_target(data)[i] = i < (more_left ? 7 : 3) ? 0 : 1;
		}
		CHECK_STATUS(env, gbdt_fit(env, data, BARE "num_iterations=1 num_leaves=2", &model), ML_OK);
		CHECK_NEAR(gbdt_at(model, (double[]) {NAN}, 0), more_left ? 0 : 1, 1e-12);
		unit_env_free(env);
	}
}


/* The set of the root's split as a mask of codes. */
static uint64_t
root_set(const MlModel *model)
{
	const MlGbdtForest *forest = forest_of(model);
	uint64_t	mask = 0;

	for (uint32_t i = 0; i < forest->node[0].set_count; i++)
		mask |= UINT64_C(1) << forest->set[forest->node[0].set_first + i];
	return mask;
}

/* Three categories: one against the rest.  What was never seen is in no set. */
static void
test_onehot(void)
{
	MlEnv	   *env = unit_env(1);
	MlDataset  *data = gbdt_data(env, 12, 1, 0);
	int32_t    *code = gbdt_category(env, data, 0, 3);
	MlModel    *model;

	for (int i = 0; i < 12; i++)
	{
		code[i] = i % 3;
		gbdt_target(data)[i] = i % 3 == 1 ? 10 : 4;
	}
	CHECK_STATUS(env, gbdt_fit(env, data, BARE "num_iterations=1 num_leaves=2", &model), ML_OK);
	CHECK(forest_of(model)->node[0].category && root_set(model) == 2);
	CHECK_NEAR(gbdt_at(model, (double[]) {0}, 0), 4, 1e-12);
	CHECK_NEAR(gbdt_at(model, (double[]) {1}, 0), 10, 1e-12);
	CHECK_NEAR(gbdt_at(model, (double[]) {3}, 0), 4, 1e-12);
	CHECK_NEAR(gbdt_at(model, (double[]) {NAN}, 0), 4, 1e-12);
	/* codes beyond all bounds are unseen, too */
	CHECK_NEAR(gbdt_at(model, (double[]) {1e300}, 0), 4, 1e-12);
	CHECK_NEAR(gbdt_at(model, (double[]) {-5}, 0), 4, 1e-12);

	/* missing as a category of its own */
	for (int i = 0; i < 12; i++)
		code[i] = i % 3 == 1 ? -1 : i % 3;
	CHECK_STATUS(env, gbdt_fit(env, data, BARE "num_iterations=1 num_leaves=2", &model), ML_OK);
	CHECK_NEAR(gbdt_at(model, (double[]) {NAN}, 0), 10, 1e-12);
	CHECK_NEAR(gbdt_at(model, (double[]) {2}, 0), 4, 1e-12);
	CHECK_NEAR(gbdt_at(model, (double[]) {3}, 0), 4, 1e-12);
	unit_env_free(env);
}

/* Eight categories of 20 rows; 1, 3 and 6 are high: sorted by mean, they are one end. */
static void
test_sorted_set(void)
{
	for (int with_missing = 0; with_missing < 2; with_missing++)
	{
		MlEnv	   *env = unit_env(1);
		MlDataset  *data = gbdt_data(env, 180, 1, 0);
		int32_t    *code = gbdt_category(env, data, 0, 8);
		MlModel    *model;
		double		high = 9;
		double		low = 1;

		for (int i = 0; i < 180; i++)
		{
			code[i] = i % 9 == 8 ? (with_missing ? -1 : 0) : i % 9;
			gbdt_target(data)[i] = code[i] == 1 || code[i] == 3 || code[i] == 6 || code[i] == -1 ? high : low;
		}
		CHECK_STATUS(env, gbdt_fit(env, data, BARE "num_iterations=1 num_leaves=2 cat_l2=0 cat_smooth=1 min_data_per_group=1", &model), ML_OK);
		CHECK(root_set(model) == (1 << 1 | 1 << 3 | 1 << 6));
		for (int c = 0; c < 8; c++)
			CHECK_NEAR(gbdt_at(model, (double[]) {c}, 0), c == 1 || c == 3 || c == 6 ? high : low, 1e-12);
		CHECK_NEAR(gbdt_at(model, (double[]) {8}, 0), low, 1e-12);	/* unseen */
		CHECK_NEAR(gbdt_at(model, (double[]) {NAN}, 0), with_missing ? high : low, 1e-12);

		/* A set of at most one: the best single one. */
		CHECK_STATUS(env, gbdt_fit(env, data, BARE "num_iterations=1 num_leaves=2 max_cat_threshold=1 min_data_per_group=1", &model), ML_OK);
		CHECK(forest_of(model)->node[0].set_count + forest_of(model)->node[0].missing_left == 1);
		unit_env_free(env);
	}
}

/* A row of weight 3 is three rows; a row of weight 0 moves no value. */
static void
test_weights(void)
{
	for (int absolute = 0; absolute < 2; absolute++)
	{
		MlEnv	   *env = unit_env(1);
		MlDataset  *heavy = gbdt_data(env, 60, 2, 0);
		MlDataset  *many = gbdt_data(env, 200, 2, 0);
		double	   *w = ml_alloc0(env, 60, sizeof(double));
		const char *settings = absolute ? BARE "num_iterations=5 num_leaves=4 objective=absolute" : BARE "num_iterations=5 num_leaves=4 objective=l2";
		size_t		n = 0;
		MlModel    *a;
		MlModel    *b;
		double		worst = 0;

		heavy->weight = w;
		for (int i = 0; i < 60; i++)
		{
			w[i] = i % 4;
			for (int f = 0; f < 2; f++)
				gbdt_number(heavy, f)[i] = gbdt_random((uint64_t) f, (uint64_t) i);
			gbdt_target(heavy)[i] = i % 4 == 0 ? 1e6 : floor(8 * gbdt_random(2, (uint64_t) i)) + gbdt_number(heavy, 0)[i];
			for (int c = 0; c < i % 4; c++)
			{
				for (int f = 0; f < 2; f++)
					gbdt_number(many, f)[n] = gbdt_number(heavy, f)[i];
				gbdt_target(many)[n++] = gbdt_target(heavy)[i];
			}
		}
		many->n_train = n;
		CHECK_STATUS(env, gbdt_fit(env, heavy, settings, &a), ML_OK);
		CHECK_STATUS(env, gbdt_fit(env, many, settings, &b), ML_OK);
		for (size_t i = 0; i < n; i++)
			worst = fmax(worst, fabs(gbdt_row(a, many, i, 0) - gbdt_row(b, many, i, 0)));
		/* A limit may lie elsewhere in a gap where only rows of weight 0 are, but not for rows that count. */
		CHECK_NEAR(worst, 0, 1e-9);
		unit_env_free(env);
	}
}

/* One step from the average, by hand. */
static void
test_objectives(void)
{
	MlEnv	   *env = unit_env(1);
	MlDataset  *data = gbdt_data(env, 8, 1, 0);
	MlModel    *model;
	double		p;
	double		s;
	double		z[3];

	/* absolute: start at the median 3; leaves move to the medians of y: 1.5 and 20 */
	for (int i = 0; i < 8; i++)
	{
		static const double y[8] = {0, 1, 2, 3, 3, 10, 30, 400};

		gbdt_number(data, 0)[i] = i;
		gbdt_target(data)[i] = y[i];
	}
	CHECK_STATUS(env, gbdt_fit(env, data, FREE "num_iterations=1 num_leaves=2 objective=mae min_data_in_leaf=4", &model), ML_OK);
	CHECK_NEAR(forest_of(model)->base[0], 3, 0);
	CHECK_NEAR(gbdt_at(model, (double[]) {0}, 0), 1.5, 1e-12);
	CHECK_NEAR(gbdt_at(model, (double[]) {7}, 0), 20, 1e-12);

	/* logistic: 3 of 8 positive; left 0 of 4, right 3 of 4 */
	data = gbdt_data(env, 8, 1, 2);
	for (int i = 0; i < 8; i++)
	{
		gbdt_number(data, 0)[i] = i;
		gbdt_target(data)[i] = i >= 5;
	}
	CHECK_STATUS(env, gbdt_fit(env, data, FREE "num_iterations=1 num_leaves=2 min_data_in_leaf=4", &model), ML_OK);
	p = 3.0 / 8;
	s = log(p / (1 - p));
	CHECK_NEAR(forest_of(model)->base[0], s, 1e-14);
	CHECK_NEAR(gbdt_at(model, (double[]) {0}, 1), 1 / (1 + exp(-(s - 1 / (1 - p)))), 1e-14);
	CHECK_NEAR(gbdt_at(model, (double[]) {7}, 1), 1 / (1 + exp(-(s + (3 - 4 * p) / (4 * p * (1 - p))))), 1e-14);
	CHECK_NEAR(gbdt_at(model, (double[]) {7}, 0) + gbdt_at(model, (double[]) {7}, 1), 1, 1e-15);

	/* softmax: 4, 2, 2 rows of three classes; left is pure class 0 */
	data = gbdt_data(env, 8, 1, 3);
	for (int i = 0; i < 8; i++)
	{
		gbdt_number(data, 0)[i] = i;
		gbdt_target(data)[i] = i < 4 ? 0 : (i < 6 ? 1 : 2);
	}
	CHECK_STATUS(env, gbdt_fit(env, data, FREE "num_iterations=1 num_leaves=2 min_data_in_leaf=4", &model), ML_OK);
	/* g = p - [y=k], h = 3/2 p (1-p), four rows each side */
	z[0] = log(0.5) + (0.5) / (1.5 * 0.25);
	z[1] = z[2] = log(0.25) - 0.25 / (1.5 * 0.1875);
	s = exp(z[0]) + 2 * exp(z[1]);
	CHECK_NEAR(gbdt_at(model, (double[]) {0}, 0), exp(z[0]) / s, 1e-14);
	CHECK_NEAR(gbdt_at(model, (double[]) {0}, 2), exp(z[2]) / s, 1e-14);

	/* without the average: scores start at zero */
	CHECK_STATUS(env, gbdt_fit(env, data, FREE "num_iterations=1 num_leaves=2 min_data_in_leaf=4 boost_from_average=false", &model), ML_OK);
	CHECK_NEAR(forest_of(model)->base[0], 0, 0);
	unit_env_free(env);
}

/* What a fit reports. */
typedef struct Seen
{
	int			entries;
	int			progress;
	double		train[600];
	double		validation[600];
	char		metric[20];
	int			calls_left;		/* until canceled() says so */
} Seen;

static void
see_history(void *state, const MlHistory *entry)
{
	Seen	   *seen = state;
	double	   *to = strcmp(entry->split, "train") == 0 ? seen->train : seen->validation;

	seen->entries++;
	if (entry->iteration < 600)
		to[entry->iteration] = entry->value;
	strcpy(seen->metric, entry->metric);
}

static void
see_progress(void *state, const MlProgress *progress)
{
	Seen	   *seen = state;

	seen->progress++;
}

static bool
see_cancel(void *state)
{
	Seen	   *seen = state;

	return --seen->calls_left < 0;
}

/*
 * A mixed table: numbers with missing values, a narrow and a wide category with
 * missing and unseen ones, weights, a part for validation.
 */
static MlDataset *
mixed_data(MlEnv *env, size_t n, size_t n_valid, int classes, int levels)
{
	MlDataset  *data = gbdt_data(env, n + n_valid, 6, classes);
	int32_t    *a = gbdt_category(env, data, 3, 9);
	int32_t    *b = gbdt_category(env, data, 5, levels);
	double	   *w = ml_alloc(env, n + n_valid, sizeof(double));

	for (size_t i = 0; i < n + n_valid; i++)
	{
		double		s = 0;

		for (int f = 0; f < 5; f++)
		{
			double		v = f < 2 ? gbdt_normal((uint64_t) f, i) : floor(20 * gbdt_random((uint64_t) f, i));

			if (f == 3)
				continue;
			gbdt_number(data, f)[i] = gbdt_random(10 + (uint64_t) f, i) < 0.1 ? NAN : v;
			s += isnan(gbdt_number(data, f)[i]) ? 1 : (f < 2 ? v : v / 10 - 1);
		}
		a[i] = (int32_t) (9.99 * gbdt_random(3, i)) - 1;
		b[i] = (int32_t) (levels * gbdt_random(5, i) * gbdt_random(6, i));
		if (i >= n && i % 5 == 0)
			b[i] = levels;
		s += (a[i] == 2 || a[i] == 5 || a[i] == -1) + (b[i] % 7) / 4.0 + gbdt_normal(7, i) / 2;
		w[i] = 0.5 + gbdt_random(8, i);
		if (classes == 0)
			gbdt_target(data)[i] = s;
		else
			gbdt_target(data)[i] = s < 0 ? 0 : fmin(floor(s / 2 * classes / 2), classes - 1);
	}
	data->n_train = n;
	data->n_valid = n_valid;
	data->weight = w;
	return data;
}

/* The mean loss of rows begin .. end-1 from what predict says of them. */
static double
loss_of(const MlModel *model, const MlDataset *data, bool absolute, size_t begin, size_t end)
{
	double		sum = 0;
	double		weight = 0;
	int			classes = data->schema->n_classes;

	for (size_t i = begin; i < end; i++)
	{
		double		y = data->y[i];
		double		r = classes > 0 ? -log(gbdt_row(model, data, i, (int) y)) : gbdt_row(model, data, i, 0) - y;

		sum += data->weight[i] * (classes > 0 ? r : (absolute ? fabs(r) : r * r));
		weight += data->weight[i];
	}
	return classes > 0 || absolute ? sum / weight : sqrt(sum / weight);
}

/* Training losses fall from iteration to iteration, and the last ones are those of the model that comes out. */
static void
test_history(void)
{
	static const struct
	{
		int			classes;
		bool		absolute;
		const char *settings;
		const char *metric;
	}			cases[] = {
		{0, false, "num_iterations=30", "rmse"},
		{0, true, "num_iterations=30 objective=absolute", "mae"},
		{2, false, "num_iterations=30", "logloss"},
		{2, false, "num_iterations=30 objective=softmax", "logloss"},
		{4, false, "num_iterations=30", "logloss"},
		{0, false, "num_iterations=30 bagging_fraction=0.5 bagging_freq=3 feature_fraction=0.6", "rmse"},
		{4, false, "num_iterations=30 subsample=0.7 colsample_bytree=0.7", "logloss"}
	};

	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++)
	{
		MlEnv	   *env = unit_env(2);
		Seen		seen = {.calls_left = INT32_MAX};
		MlDataset  *data = mixed_data(env, 3000, 1000, cases[c].classes, 400);
		bool		sampled = strstr(cases[c].settings, "0.") != NULL;
		bool		falls = true;
		MlModel    *model;

		env->history = see_history;
		env->progress = see_progress;
		env->canceled = see_cancel;
		env->state = &seen;
		CHECK_STATUS(env, gbdt_fit(env, data, cases[c].settings, &model), ML_OK);
		CHECK(seen.entries == 60 && seen.progress == 31);
		CHECK_TEXT(seen.metric, cases[c].metric);
		for (int i = 2; i <= 30; i++)
			falls = falls && seen.train[i] < seen.train[i - 1];
		CHECK(falls || sampled);
		CHECK(seen.train[30] < 0.8 * seen.train[1]);
		CHECK_CLOSE(loss_of(model, data, cases[c].absolute, 0, 3000), seen.train[30], 1e-12);
		CHECK_CLOSE(loss_of(model, data, cases[c].absolute, 3000, 4000), seen.validation[30], 1e-12);
		unit_env_free(env);
	}
}

/* The same bits for 1, 2, 4 and 7 threads, on every tier, and when histograms do not fit. */
static void
test_threads(void)
{
	static const char *const settings[] = {
		"num_iterations=6 num_leaves=40", "num_iterations=6 bagging_fraction=0.6 feature_fraction=0.7",
		"num_iterations=4 objective=absolute"
	};

	for (int s = 0; s < 4; s++)
	{
		MlWriter	first = {0};
		static const int threads[] = {1, 2, 4, 1, 7};
		MlEnv	   *envs[5];
		size_t		kept = ml_gbdt_slot_bytes;
		size_t		packing = ml_gbdt_packing_rows;

		ml_gbdt_packing_rows = s % 2 == 1 ? 0 : packing;	/* packed where the loss allows it, the sample being large or not */
		for (int t = 0; t < 5; t++)
		{
			MlEnv	   *env = envs[t] = unit_env(threads[t]);
			MlDataset  *data = mixed_data(env, 70000, 500, s == 0 ? 3 : 0, s == 1 ? 5000 : 300);
			MlModel    *model;
			MlWriter	image;

			ml_gbdt_slot_bytes = t >= 3 ? 0 : kept;
			ml_simd_limit(t == 1 ? ML_TIER_BASELINE : t == 2 ? ML_TIER_AVX2 : ML_TIER_AVX512);
			CHECK_STATUS(env, gbdt_fit(env, data, settings[s % 3], &model), ML_OK);
			image = gbdt_image(env, model);
			if (t == 0)
				first = image;
			CHECK(forest_of(model)->n_trees >= 4 && image.length == first.length &&
				  memcmp(image.bytes, first.bytes, first.length) == 0);
		}
		ml_gbdt_slot_bytes = kept;
		ml_gbdt_packing_rows = packing;
		for (int t = 0; t < 5; t++)
			unit_env_free(envs[t]);
	}
}

/*
 * Threads work ahead on many large leaves, all of which come after a small one: it still finds its place.  (Here seven leaves
 * of an eighth of the rows and more, and one of less that gains the most.)
 */
static void
test_small_leaf_first(void)
{
	size_t		n = 30000;
	int			p = 64;
	MlModel    *models[2];
	MlEnv	   *envs[2];

	for (int t = 0; t < 2; t++)
	{
		MlEnv	   *env = envs[t] = unit_env(t + 1);
		MlDataset  *data = gbdt_data(env, n, p, 0);

		for (size_t i = 0; i < n; i++)
		{
			int			group = (int) (gbdt_random(1, i) * 16 / 15 * 7);
			double		u = gbdt_random(2, i);

			for (int f = 2; f < p; f++)
				gbdt_number(data, f)[i] = gbdt_random((uint64_t) f + 1, i);
			gbdt_number(data, 0)[i] = group;
			gbdt_number(data, 1)[i] = u;
			gbdt_target(data)[i] = 100 * group + (group == 7 ? 20 : 1) * (u > 0.5);
		}
		alarm(300);				/* a test that waits for ever is none */
		CHECK_STATUS(env, gbdt_fit(env, data, "num_iterations=1 num_leaves=31", &models[t]), ML_OK);
		alarm(0);
	}
	for (int i = 0; i < 16; i++)
	{
		double		x[64] = {i / 2, i % 2 * 0.6 + 0.2};

		CHECK(gbdt_at(models[0], x, 0) == gbdt_at(models[1], x, 0));
	}
	unit_env_free(envs[0]);
	unit_env_free(envs[1]);
}

/* A target of little more than noise: the validation loss has a lowest point, and the model ends there. */
static void
test_early_stopping(void)
{
	MlEnv	   *env = unit_env(1);
	MlDataset  *data = gbdt_data(env, 1500, 4, 0);
	Seen		seen = {.calls_left = INT32_MAX};
	MlModel    *model;
	int			best = 1;
	int			last;

	for (size_t i = 0; i < 1500; i++)
	{
		for (int f = 0; f < 4; f++)
			gbdt_number(data, f)[i] = gbdt_normal((uint64_t) f, i);
		gbdt_target(data)[i] = gbdt_number(data, 0)[i] + 3 * gbdt_normal(9, i);
	}
	data->n_train = 1000;
	data->n_valid = 500;
	env->history = see_history;
	env->state = &seen;
	CHECK_STATUS(env, gbdt_fit(env, data, "num_iterations=500 early_stopping_rounds=15", &model), ML_OK);
	last = seen.entries / 2;
	for (int i = 1; i <= last; i++)
		if (seen.validation[i] < seen.validation[best])
			best = i;
	CHECK(last < 500 && last == best + 15);
	CHECK((int) forest_of(model)->n_trees == best);
	CHECK(env->n_warnings == 0);

	/* without a validation part: a warning, and all iterations */
	data->n_valid = 0;
	CHECK_STATUS(env, gbdt_fit(env, data, "num_iterations=20 early_stopping_rounds=5", &model), ML_OK);
	CHECK(forest_of(model)->n_trees == 20 && env->n_warnings == 1);
	unit_env_free(env);
}

static void
test_limits(void)
{
	MlEnv	   *env = unit_env(1);
	MlDataset  *data = mixed_data(env, 4000, 0, 2, 300);
	const MlGbdtForest *forest;
	uint32_t	fewest = UINT32_MAX;
	uint32_t	deepest = 0;
	uint32_t	most_leaves = 0;
	uint32_t	depth[200];
	MlModel    *model;

	CHECK_STATUS(env, gbdt_fit(env, data, "num_iterations=20 num_leaves=17 min_child_samples=37 max_depth=5", &model), ML_OK);
	forest = forest_of(model);
	for (uint32_t t = 0; t < forest->n_trees; t++)
	{
		const MlGbdtNode *node = forest->node + forest->first[t];
		uint32_t	end = (t + 1 < forest->n_trees ? forest->first[t + 1] : forest->n_nodes) - forest->first[t];
		uint32_t	leaves = 0;

		depth[0] = 0;
		for (uint32_t i = 0; i < end; i++)
		{
			if (node[i].left == 0)
			{
				leaves++;
				fewest = node[i].rows < fewest ? node[i].rows : fewest;
				deepest = depth[i] > deepest ? depth[i] : deepest;
				continue;
			}
			depth[node[i].left] = depth[node[i].left + 1] = depth[i] + 1;
			if (node[node[i].left].rows + node[node[i].left + 1].rows != node[i].rows)
				fewest = 0;
		}
		most_leaves = leaves > most_leaves ? leaves : most_leaves;
	}
	CHECK(forest->n_trees == 20 && fewest >= 37);
	CHECK(deepest == 5 && most_leaves == 17);
	unit_env_free(env);
}

/* Neighbouring keys and timestamps stay apart: thresholds are doubles between doubles. */
static void
test_close_values(void)
{
	static const double starts[] = {9007199254740000.0, 1735689600000000.0, 1e308, 4.9e-324, -1e-300, 0.1};

	for (size_t s = 0; s < sizeof(starts) / sizeof(starts[0]); s++)
	{
		MlEnv	   *env = unit_env(1);
		MlDataset  *data = gbdt_data(env, 40, 1, 0);
		double		value = starts[s];
		bool		exact = true;
		MlModel    *model;

		for (int i = 0; i < 40; i++)
		{
			gbdt_number(data, 0)[i] = value;
			gbdt_target(data)[i] = i * 7 % 5;
			value = nextafter(value, INFINITY);
		}
		CHECK_STATUS(env, gbdt_fit(env, data, BARE "num_iterations=1 num_leaves=40", &model), ML_OK);
		for (size_t i = 0; i < 40; i++)
			exact = exact && fabs(gbdt_row(model, data, i, 0) - data->y[i]) < 1e-12;
		CHECK(exact);
		unit_env_free(env);
	}
}

/* Fits, reloads, and wants every output finite and equal before and after. */
static void
survives(MlEnv *env, const MlDataset *data, const char *settings, const char *what)
{
	MlModel    *model = NULL;
	MlModel    *loaded = NULL;
	MlStatus	status = gbdt_fit(env, data, settings, &model);
	bool		good = status == ML_OK;

	if (good)
		loaded = gbdt_reload(env, model, &status);
	good = good && status == ML_OK;
	for (size_t i = 0; i < data->n_train && good; i += 1 + data->n_train / 300)
		for (int k = 0; k < model->n_out; k++)
		{
			double		p = gbdt_row(model, data, i, k);

			good = good && isfinite(p) && p == gbdt_row(loaded, data, i, k);
		}
	unit_check(good, __FILE__, __LINE__, "%s: %s", what, status == ML_OK ? "finite, and the same after reload" : env->error.message);
	env->error.status = ML_OK;
}

static void
test_degenerate(void)
{
	for (int classes = 0; classes <= 3; classes++)
	{
		MlEnv	   *env;
		MlDataset  *data;
		char		what[60];

		if (classes == 1)
			continue;
		snprintf(what, sizeof(what), "%d classes", classes);
		env = unit_env(2);
		data = gbdt_data(env, 1, 2, classes);
		survives(env, data, "", "one row");
		survives(env, data, BARE, "one row, no limits");
		data = gbdt_data(env, 50, 0, classes);
		survives(env, data, BARE, "no feature");
		data = gbdt_data(env, 50, 3, classes);
		survives(env, data, BARE, "constant columns, constant target");
		for (int i = 0; i < 50; i++)
			gbdt_target(data)[i] = classes > 0 ? i % classes : i;
		survives(env, data, BARE, "constant columns");
		for (int i = 0; i < 50; i++)
			gbdt_number(data, 0)[i] = gbdt_number(data, 1)[i] = NAN;
		survives(env, data, BARE, "columns all missing");
		gbdt_number(data, 0)[7] = 3;
		survives(env, data, BARE, "one value, else missing");
		gbdt_number(data, 0)[7] = 0.0;
		gbdt_number(data, 0)[8] = -0.0;
		survives(env, data, BARE, "zero and minus zero");
		for (int i = 0; i < 50; i++)
			gbdt_number(data, 0)[i] = i % 2 ? 1e308 : -1e308;
		survives(env, data, BARE, "values of 1e308");
		for (int i = 0; i < 50; i++)
			gbdt_number(data, 1)[i] = (i % 2 ? 1 : -1) * ldexp(1.5, i * 41 % 2000 - 1000);
		survives(env, data, BARE, "values of every size");
		for (int i = 0; i < 50 && classes == 0; i++)
			gbdt_target(data)[i] = i % 3 ? 1.7e308 : -1.7e308;
		survives(env, data, BARE, "targets of 1e308");
		survives(env, data, "objective=auto min_data_in_leaf=3 lambda_l2=1e300 lambda_l1=1e300", "huge penalties");
		for (int i = 0; i < 50 && classes == 0; i++)
			gbdt_target(data)[i] = i % 3 ? 1e-310 : -1e-310;
		survives(env, data, BARE, "targets of 1e-310");
		data->weight = ml_alloc0(env, 51, sizeof(double));
		for (int i = 0; i < 50; i++)
			((double *) data->weight)[i] = i % 7 == 0 ? 1e308 / 50 : 1e-308;
		survives(env, data, BARE, "weights of every size");
		for (int i = 0; i < 50; i++)
			((double *) data->weight)[i] = i == 20;
		survives(env, data, BARE, "one row with weight");
		data->weight = NULL;
		for (int i = 0; i < 50; i++)
			gbdt_target(data)[i] = 0;
		gbdt_target(data)[0] = classes > 0 ? classes - 1 : 1;
		survives(env, data, BARE "num_iterations=300", "separable for ever");
		unit_env_free(env);
	}
}

/* Many categories: an id that says nothing, and one that says everything. */
static void
test_many_categories(void)
{
	static const int levels[] = {254, 255, 10000, 65534};

	for (size_t l = 0; l < sizeof(levels) / sizeof(levels[0]); l++)
	{
		MlEnv	   *env = unit_env(2);
		size_t		n = levels[l] == 65534 ? 140000 : 40000;
		MlDataset  *data = gbdt_data(env, n, 2, 0);
		int32_t    *code = gbdt_category(env, data, 0, levels[l]);
		MlModel    *model;
		MlModel    *loaded;
		MlStatus	status;
		double		rss = 0;
		double		tss = 0;
		bool		same = true;

		for (size_t i = 0; i < n; i++)
		{
			code[i] = (int32_t) (i % (size_t) levels[l]);
			gbdt_number(data, 1)[i] = gbdt_random(1, i);
			gbdt_target(data)[i] = code[i] % 3 == 0;
		}
		CHECK_STATUS(env, gbdt_fit(env, data, "num_iterations=10 learning_rate=0.5 cat_smooth=1 cat_l2=1 max_cat_threshold=65535 min_data_per_group=1",
								   &model), ML_OK);
		loaded = gbdt_reload(env, model, &status);
		CHECK(status == ML_OK);
		for (size_t i = 0; i < n; i += 13)
		{
			double		p = gbdt_row(model, data, i, 0);

			rss += (p - data->y[i]) * (p - data->y[i]);
			tss += (data->y[i] - 1.0 / 3) * (data->y[i] - 1.0 / 3);
			same = same && p == gbdt_row(loaded, data, i, 0);
		}
		unit_check(same && rss < 0.2 * tss, __FILE__, __LINE__, "%d categories: share of variance left %.4f", levels[l], rss / tss);
		CHECK(isfinite(gbdt_at(model, (double[]) {levels[l], 0.5}, 0)) && isfinite(gbdt_at(model, (double[]) {NAN, NAN}, 0)));
		unit_env_free(env);
	}
}

/* Serving says what the walk over the columns says, for rows with missing and unseen values; the image gives both back. */
static void
test_serving(void)
{
	static const char *const settings[] = {"num_iterations=21", "num_iterations=3", "num_iterations=40 num_leaves=4", "num_iterations=9 num_leaves=200 min_data_in_leaf=1"};

	for (int s = 0; s < 8; s++)
	{
		MlEnv	   *env = unit_env(1);
		MlDataset  *data = mixed_data(env, 3000, 1000, s % 3 == 0 ? 0 : s % 3 + 1, s < 4 ? 3000 : 100);
		const MlGbdtForest *forest;
		MlModel    *model;
		MlModel    *loaded;
		MlStatus	status;
		MlWriter	image;
		MlWriter	again;
		bool		walked = true;
		bool		same = true;

		CHECK_STATUS(env, gbdt_fit(env, data, settings[s % 4], &model), ML_OK);
		loaded = gbdt_reload(env, model, &status);
		CHECK(status == ML_OK && loaded != NULL);
		image = gbdt_image(env, model);
		again = gbdt_image(env, loaded);
		CHECK(image.length == again.length && memcmp(image.bytes, again.bytes, image.length) == 0);
		forest = forest_of(loaded);
		for (size_t i = 0; i < 4000; i++)
		{
			double		score[4];
			double		x[6];
			double		a[4];
			double		b[4];

			for (int k = 0; k < forest->n_outputs; k++)
				score[k] = forest->base[k];
			for (uint32_t t = 0; t < forest->n_trees; t++)
				score[t % (uint32_t) forest->n_outputs] += ml_gbdt_forest_walk(forest, t, data, i);
			ml_dataset_row(data, i, x);
			ml_model_predict(model, x, a);
			ml_model_predict(loaded, x, b);
			for (int k = 0; k < model->n_out; k++)
				same = same && a[k] == b[k];
			if (forest->objective == ML_GBDT_SQUARED)
				walked = walked && a[0] == score[0];
			else if (forest->objective == ML_GBDT_LOGISTIC)
				walked = walked && fabs(a[1] - 1 / (1 + exp(-score[0]))) < 1e-14;
			else
				walked = walked && fabs(log(a[1] / a[0]) - (score[1] - score[0])) < 1e-11;
		}
		CHECK(walked);
		CHECK(same);
		/* The way out for forests too large for steps gives the same. */
		((MlGbdtForest *) loaded->fitted)->plain = true;
		same = true;
		for (size_t i = 0; i < 4000; i++)
			same = same && gbdt_row(model, data, i, 0) == gbdt_row(loaded, data, i, 0);
		CHECK(same);
		unit_env_free(env);
	}
}

/* Each beginning of an image is refused; each changed byte gives an error or a model that can be used. */
static void
test_damaged_image(void)
{
	MlEnv	   *env = unit_env(1);
	MlDataset  *data = mixed_data(env, 600, 0, 3, 40);
	MlModel    *model;
	MlWriter	image;
	bool		refused = true;
	int			accepted = 0;
	double		x[6] = {0};
	double		out[3];

	CHECK_STATUS(env, gbdt_fit(env, data, "num_iterations=2 num_leaves=6 cat_smooth=1 min_data_per_group=1", &model), ML_OK);
	image = gbdt_image(env, model);
	for (size_t i = 0; i < 4 * image.length; i++)
	{
		MlEnv	   *own = unit_env(1);
		size_t		length = i < image.length ? i : image.length;
		uint8_t    *copy = malloc(length + 1);
		MlReader	r;
		void	   *fitted;

		memcpy(copy, image.bytes, length);
		if (i >= image.length)
			copy[i % image.length] ^= (uint8_t) (i / image.length == 1 ? 0x01 : (i / image.length == 2 ? 0x80 : 0xFF));
		ml_reader_init(&r, own, copy, length);
		if (ml_method_gbdt.load(&r, data->schema, &fitted) == ML_OK && ml_reader_end(&r) == ML_OK)
		{
			void	   *scratch = aligned_alloc(64, (ml_method_gbdt.scratch_size(fitted) + 63) / 64 * 64 + 64);

			refused = refused && i >= image.length;
			accepted++;
			ml_method_gbdt.predict(fitted, x, out, scratch);
			for (int k = 0; k < 3; k++)
				refused = refused && out[k] >= 0 && out[k] <= 1;
			free(scratch);
		}
		free(copy);
		unit_env_free(own);
	}
	unit_check(refused && accepted > 0, __FILE__, __LINE__, "damaged images: %d of %zu still load, all of those predict", accepted, 4 * image.length);
	unit_env_free(env);
}

/* A tree of a million levels loads and predicts: nothing recurses. */
static void
test_deep_tree(void)
{
	MlEnv	   *env = unit_env(1);
	MlDataset  *data = gbdt_data(env, 1, 1, 0);
	MlGbdtForest *forest;
	MlModel    *model;
	MlModel    *loaded;
	MlStatus	status;
	uint32_t	depth = 1000000;
	MlGbdtNode *node = ml_alloc0(env, 2 * depth + 1, sizeof(MlGbdtNode));

	CHECK(ml_gbdt_forest_create(env, ML_GBDT_SQUARED, data->schema, &forest) == ML_OK);
	for (uint32_t d = 0; d < depth; d++)
	{
		MlGbdtNode *split = &node[d == 0 ? 0 : 2 * d];

		split->value = d;
		split->left = 2 * d + 1;
		node[2 * d + 1].value = d;	/* x <= d ends here */
	}
	node[2 * depth].value = -1;
	CHECK(ml_gbdt_forest_add(env, forest, node, 2 * depth + 1, NULL, 0) == ML_OK);
	CHECK(ml_gbdt_forest_prepare(env, forest, data->schema) == ML_OK);
	CHECK(ml_model_make(env, &ml_method_gbdt, data->schema, forest, &model) == ML_OK);
	loaded = gbdt_reload(env, model, &status);
	CHECK(status == ML_OK);
	CHECK_NEAR(gbdt_at(loaded, (double[]) {123456.5}, 0), 123457, 0);
	CHECK_NEAR(gbdt_at(loaded, (double[]) {1e7}, 0), -1, 0);
	unit_env_free(env);
}

/* What fit takes stays below what it said it would. */
static void
test_memory(void)
{
	static const char *const settings[] = {"num_iterations=20", "num_iterations=20 num_leaves=500 min_data_in_leaf=2",
	"num_iterations=20 max_bin=2000", "objective=absolute num_iterations=10 bagging_fraction=0.5", "num_iterations=2"};

	for (int s = 0; s < 5; s++)
		for (int classes = 0; classes <= 4; classes += 4)
		{
			MlEnv	   *env = unit_env(2);
			MlDataset  *data = mixed_data(env, s == 4 ? 100 : 20000, 300, s == 3 ? 0 : classes, s == 2 ? 5000 : 200);
			size_t		before = ml_arena_used(env->arena);
			MlParams   *params;
			MlModel    *model;
			size_t		said;
			size_t		taken;
			char	   *text = ml_strdup(env, settings[s]);

			CHECK(ml_params_init(env, ml_method_gbdt.params, &params) == ML_OK);
			for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
			{
				char	   *value = strchr(word, '=');

				*value++ = '\0';
				if (strchr("0123456789", *value) != NULL)
					CHECK(ml_params_set_number(env, params, word, strtod(value, NULL)) == ML_OK);
				else
					CHECK(ml_params_set_text(env, params, word, value) == ML_OK);
			}
			said = ml_method_gbdt.memory(data->schema, params, 20300, 2);
			CHECK_STATUS(env, gbdt_fit(env, data, settings[s], &model), ML_OK);
			taken = ml_arena_peak(env->arena) - before;
			unit_check(taken <= said && said < 20 * taken + 20000000, __FILE__, __LINE__, "%s, %d classes: said %zu, took %zu", settings[s], classes, said, taken);
			unit_env_free(env);
		}
}

static void
test_refusals(void)
{
	MlEnv	   *env = unit_env(2);
	MlDataset  *data = mixed_data(env, 20000, 0, 3, 300);
	Seen		seen = {0};
	MlModel    *model;
	int			calls = 0;

	CHECK_STATUS(env, gbdt_fit(env, data, "objective=squared", &model), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "classification");
	CHECK_STATUS(env, gbdt_fit(env, data, "objective=binary", &model), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "softmax");
	CHECK_STATUS(env, gbdt_fit(env, data, "objective=poisson", &model), ML_BAD_PARAM);
	CHECK_STATUS(env, gbdt_fit(env, data, "num_leaves=1", &model), ML_BAD_PARAM);
	CHECK_STATUS(env, gbdt_fit(env, data, "learning_rate=0", &model), ML_BAD_PARAM);
	CHECK_STATUS(env, gbdt_fit(env, data, "eta=0.3 learning_rate=0.1", &model), ML_BAD_PARAM);
	CHECK_STATUS(env, gbdt_fit(env, data, "num_leafs=5", &model), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "num_leaves");
	((MlSchema *) data->schema)->task = ML_TASK_REGRESSION;
	CHECK_STATUS(env, gbdt_fit(env, data, "objective=softmax", &model), ML_BAD_PARAM);
	((MlSchema *) data->schema)->task = ML_TASK_CLASSIFICATION;
	memset((double *) data->weight, 0, 20000 * sizeof(double));
	CHECK_STATUS(env, gbdt_fit(env, data, "", &model), ML_BAD_DATA);
	data->weight = NULL;
	data->n_train = 0;
	CHECK_STATUS(env, gbdt_fit(env, data, "", &model), ML_BAD_DATA);
	data->n_train = 20000;

	/* Canceled at the first question, the tenth, the hundredth. */
	env->canceled = see_cancel;
	env->state = &seen;
	for (calls = 0; calls <= 1000; calls = calls * 10 + (calls == 0))
	{
		seen.calls_left = calls;
		CHECK_STATUS(env, gbdt_fit(env, data, "num_iterations=1000", &model), ML_CANCELED);
	}
	unit_env_free(env);
}

/* The words and names of other libraries, and what sampling draws. */
static void
test_parameters(void)
{
	MlEnv	   *env = unit_env(1);
	MlDataset  *data = mixed_data(env, 2000, 0, 2, 50);
	static const char *const same[] = {
		"num_iterations=12 learning_rate=0.2 num_leaves=7 min_data_in_leaf=5 lambda_l2=1 bagging_fraction=0.5 bagging_freq=1 feature_fraction=0.5 objective=logistic",
		"n_estimators=12 eta=0.2 max_leaves=7 min_child_samples=5 reg_lambda=1 subsample=0.5 colsample_bytree=0.5 objective=binary",
		"max_iter=12 shrinkage_rate=0.2 max_leaf_nodes=7 min_samples_leaf=5 l2_regularization=1 bagging=0.5 subsample_freq=1 sub_feature=0.5 objective=binary:logistic"
	};
	MlWriter	image[3];
	MlModel    *model;

	for (int i = 0; i < 3; i++)
	{
		CHECK_STATUS(env, gbdt_fit(env, data, same[i], &model), ML_OK);
		image[i] = gbdt_image(env, model);
		CHECK(image[i].length == image[0].length && memcmp(image[i].bytes, image[0].bytes, image[0].length) == 0);
	}
	env->seed = 43;
	CHECK_STATUS(env, gbdt_fit(env, data, same[0], &model), ML_OK);
	image[1] = gbdt_image(env, model);
	CHECK(image[1].length != image[0].length || memcmp(image[1].bytes, image[0].bytes, image[0].length) != 0);
	/* about half the rows */
	CHECK_NEAR(forest_of(model)->node[0].rows, 1000, 100);
	/* given as 0, sampling is off */
	CHECK_STATUS(env, gbdt_fit(env, data, "bagging_fraction=0.5 bagging_freq=0 num_iterations=1", &model), ML_OK);
	CHECK(forest_of(model)->node[0].rows == 2000);
	unit_env_free(env);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);	/* what was said before a crash is worth having */
	test_one_split();
	test_missing();
	test_onehot();
	test_sorted_set();
	test_weights();
	test_objectives();
	test_history();
	test_threads();
	test_small_leaf_first();
	test_early_stopping();
	test_limits();
	test_close_values();
	test_degenerate();
	test_many_categories();
	test_serving();
	test_damaged_image();
	test_deep_tree();
	test_memory();
	test_refusals();
	test_parameters();
	return unit_done();
}
