/*-------------------------------------------------------------------------
 * test_gbdt.c
 *	  gbdt in cases that can be worked out by hand.
 *-------------------------------------------------------------------------
 */
#include <float.h>

#include "gbdt_mixed.h"

extern const MlMethod ml_method_xgboost;

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

/* Nothing to split on: the warning names what stands in the way, by the name it has in the method. */
static void
test_no_split(void)
{
	static const struct
	{
		const MlMethod *method;
		int			kind;			/* of the feature: 0 constant, 1 says nothing, 2 says all */
		const char *settings;
		const char *warning;
	}			cases[] = {
		{&ml_method_gbdt, 0, "", "the same: every feature has one value only"},
		{&ml_method_gbdt, 2, "", "the same: 8 rows are fewer than twice min_data_in_leaf = 20"},
		{&ml_method_xgboost, 1, "min_child_weight=0", "the same: no feature says anything about the target"},
		{&ml_method_xgboost, 1, "", "the same: no feature says anything about the target, or not within min_child_weight = 1"},
		{&ml_method_gbdt, 2, "min_data_in_leaf=2 min_gain_to_split=1e6 min_child_weight=2",
		"the same: no feature says anything about the target, or not within min_data_in_leaf = 2, min_sum_hessian_in_leaf = 2, min_gain_to_split = 1e+06"}
	};

	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++)
	{
		MlEnv	   *env = unit_env(1);
		MlDataset  *data = gbdt_data(env, 8, 1, 0);
		MlModel    *model;

		for (int i = 0; i < 8; i++)
		{
			gbdt_number(data, 0)[i] = cases[c].kind == 0 ? 3 : cases[c].kind == 1 ? i / 2 : i;
			gbdt_target(data)[i] = cases[c].kind == 1 ? i % 2 : i;
		}
		CHECK_STATUS(env, gbdt_fit_as(env, cases[c].method, data, cases[c].settings, &model), ML_OK);
		CHECK(forest_of(model)->n_trees == 0 && env->n_warnings == 1);
		CHECK_TEXT(env->n_warnings > 0 ? strstr(env->warnings[0].text, "the same") : NULL, cases[c].warning);
		unit_env_free(env);
	}
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

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);	/* what was said before a crash is worth having */
	test_one_split();
	test_no_split();
	test_missing();
	test_onehot();
	test_sorted_set();
	test_weights();
	test_objectives();
	test_limits();
	test_close_values();
	return unit_done();
}
