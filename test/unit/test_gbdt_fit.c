/*-------------------------------------------------------------------------
 * test_gbdt_fit.c
 *	  What a fit of gbdt reports, when it ends, what it takes and refuses, and that threads do not matter.
 *-------------------------------------------------------------------------
 */
#include <unistd.h>

#include "gbdt_mixed.h"

#include "ml/base/simd.h"

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
 * Gradients that were rounded with the scale of the tree before, and those rounded when all are known: the same model.  Losses fall
 * by powers of two, mean gradients fall until rows keep all their bits, and hessians grow.
 */
static void
test_rounding_ahead(void)
{
	static const struct
	{
		int			classes;
		bool		weights;
		const char *settings;
	}			cases[] = {
		{0, false, "num_iterations=25 learning_rate=0.5"},
		{2, false, "num_iterations=25 learning_rate=1 num_leaves=60 min_data_in_leaf=1"},
		{2, true, "num_iterations=6"},
		{0, false, "num_iterations=8 objective=absolute"},
		{0, true, "num_iterations=8 objective=huber"},
		{0, false, "num_iterations=12 objective=poisson learning_rate=0.7"},
		{2, false, "num_iterations=12 data_sample_strategy=goss learning_rate=0.3"},
		{2, false, "num_iterations=8 grow_policy=symmetric"}
	};
	size_t		packing = ml_gbdt_packing_rows;

	ml_gbdt_packing_rows = 0;
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++)
	{
		MlEnv	   *env = unit_env(2);
		MlDataset  *data = mixed_data(env, 9000, 0, cases[c].classes, 300);
		double	   *weight = ml_alloc(env, 9000, sizeof(double));
		MlWriter	image[2];

		for (size_t i = 0; i < 9000; i++)
		{
			weight[i] = (double) (i % 5) + 0.5;
			/* Decided by one column, after a while. */
			if (cases[c].classes == 2)
				gbdt_target(data)[i] = gbdt_number(data, 0)[i] > 0;
			else
				gbdt_target(data)[i] = fabs(gbdt_target(data)[i]) * (i % 1000 == 0 ? 1000 : 1);
		}
		data->weight = cases[c].weights ? weight : NULL;
		for (int ahead = 0; ahead <= 1; ahead++)
		{
			MlModel    *model;

			ml_gbdt_rounding_ahead = ahead == 1;
			CHECK_STATUS(env, gbdt_fit(env, data, cases[c].settings, &model), ML_OK);
			image[ahead] = gbdt_image(env, model);
		}
		unit_check(image[0].length == image[1].length && memcmp(image[0].bytes, image[1].bytes, image[0].length) == 0,
				   __FILE__, __LINE__, "rounding ahead, %s", cases[c].settings);
		unit_env_free(env);
	}
	ml_gbdt_packing_rows = packing;
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

			CHECK(gbdt_params(env, &ml_method_gbdt, settings[s], &params) == ML_OK);
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
	test_history();
	test_early_stopping();
	test_threads();
	test_rounding_ahead();
	test_small_leaf_first();
	test_memory();
	test_refusals();
	test_parameters();
	return unit_done();
}
