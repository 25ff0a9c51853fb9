/*-------------------------------------------------------------------------
 * test_gbdt.c
 *	  gbdt in cases that can be worked out by hand, and at its edges.
 *-------------------------------------------------------------------------
 */
#include "gbdt_data.h"

#include <float.h>

#include "ml/algo/gbdt/forest.h"

/* No smoothing, no limits: what a tree does can be said in one line. */
#define BARE "learning_rate=1 min_data_in_leaf=1 min_data_in_bin=1 min_sum_hessian_in_leaf=0 "

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

int
main(void)
{
	test_one_split();
	test_missing();
	return unit_done();
}
