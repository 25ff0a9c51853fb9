/*-------------------------------------------------------------------------
 * gbdt.c
 *	  Gradient boosted decision trees: the entry in the list of algorithms.
 *
 * bins.c        values to bins            grow.c       one tree, leaf by leaf
 * objective.c   losses and gradients      hist.c       gradient histograms
 * boost.c       the loop over trees       split.c      the best split of a column
 * forest.c      trees that are kept       partition.c  rows to children
 * image.c       trees to bytes and back   leaves.c     what a leaf adds
 * serve.c       a row through all trees
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/algo/gbdt/gbdt_internal.h"

/* The words for an objective; the same order as in objective_choices. */
#define OBJECTIVE_WORDS \
	"auto|squared|absolute|logistic|softmax" \
	"|regression|l2|mse|regression_l2|squared_error|reg:squarederror" \
	"|regression_l1|l1|mae|absolute_error|reg:absoluteerror" \
	"|binary|binary:logistic" \
	"|multiclass|multi:softmax|multi:softprob"

static const int objective_choices[] = {
	-1, ML_GBDT_SQUARED, ML_GBDT_ABSOLUTE, ML_GBDT_LOGISTIC, ML_GBDT_SOFTMAX,
	ML_GBDT_SQUARED, ML_GBDT_SQUARED, ML_GBDT_SQUARED, ML_GBDT_SQUARED, ML_GBDT_SQUARED, ML_GBDT_SQUARED,
	ML_GBDT_ABSOLUTE, ML_GBDT_ABSOLUTE, ML_GBDT_ABSOLUTE, ML_GBDT_ABSOLUTE, ML_GBDT_ABSOLUTE,
	ML_GBDT_LOGISTIC, ML_GBDT_LOGISTIC,
	ML_GBDT_SOFTMAX, ML_GBDT_SOFTMAX, ML_GBDT_SOFTMAX
};

int
ml_gbdt_objective_of_choice(int choice)
{
	return objective_choices[choice];
}

static const MlParam gbdt_params[] = {
	[ML_GBDT_OBJECTIVE] = {"objective", ML_PARAM_CHOICE, .default_choice = "auto", .choices = OBJECTIVE_WORDS,
		.aliases = "loss|application|app",
	.description = "Loss: squared, absolute, logistic, softmax, or what follows from the task; the other words are what other libraries call these."},
	[ML_GBDT_NUM_ITERATIONS] = {"num_iterations", ML_PARAM_INT, 100, 1, 1000000,
		.aliases = "n_estimators|num_trees|num_round|num_rounds|num_boost_round|n_iter|max_iter|num_iteration|num_tree|nrounds",
	.description = "Boosting iterations; for softmax each grows one tree per class."},
	[ML_GBDT_LEARNING_RATE] = {"learning_rate", ML_PARAM_DOUBLE, 0.1, 0, 10, .open_minimum = true,
		.aliases = "eta|shrinkage_rate",
	.description = "What each tree's values are multiplied with; smaller needs more iterations."},
	[ML_GBDT_NUM_LEAVES] = {"num_leaves", ML_PARAM_INT, 31, 2, 131072,
		.aliases = "max_leaves|max_leaf_nodes|num_leaf|max_leaf",
	.description = "Most leaves of a tree."},
	[ML_GBDT_MAX_DEPTH] = {"max_depth", ML_PARAM_INT, -1, -1, 131072,
	.description = "Most splits from the root to a leaf; 0 or -1 for no limit."},
	[ML_GBDT_MIN_DATA_IN_LEAF] = {"min_data_in_leaf", ML_PARAM_INT, 20, 0, 2147483647,
		.aliases = "min_child_samples|min_samples_leaf|min_data|min_data_per_leaf",
	.description = "Fewest training rows in a leaf."},
	[ML_GBDT_MIN_SUM_HESSIAN] = {"min_sum_hessian_in_leaf", ML_PARAM_DOUBLE, 1e-3, 0, INFINITY,
		.aliases = "min_child_weight|min_sum_hessian|min_hessian|min_sum_hessian_per_leaf",
	.description = "Smallest sum of second derivatives in a leaf."},
	[ML_GBDT_LAMBDA_L1] = {"lambda_l1", ML_PARAM_DOUBLE, 0, 0, INFINITY, .aliases = "reg_alpha|alpha|l1_regularization",
	.description = "L1 penalty on leaf values."},
	[ML_GBDT_LAMBDA_L2] = {"lambda_l2", ML_PARAM_DOUBLE, 0, 0, INFINITY, .aliases = "reg_lambda|lambda|l2_regularization",
	.description = "L2 penalty on leaf values."},
	[ML_GBDT_MIN_GAIN] = {"min_gain_to_split", ML_PARAM_DOUBLE, 0, 0, INFINITY, .aliases = "gamma|min_split_gain|min_split_loss",
	.description = "Smallest reduction of the loss that a split must bring."},
	[ML_GBDT_MAX_BIN] = {"max_bin", ML_PARAM_INT, 255, 2, 65535, .aliases = "max_bins",
	.description = "Most bins of a numeric feature, that of missing values included."},
	[ML_GBDT_MIN_DATA_IN_BIN] = {"min_data_in_bin", ML_PARAM_INT, 3, 1, 2147483647,
	.description = "Fewest sampled rows in a bin."},
	[ML_GBDT_SAMPLE_CNT] = {"bin_construct_sample_cnt", ML_PARAM_INT, 200000, 1, 2147483647, .aliases = "subsample_for_bin",
	.description = "Training rows on which the limits of bins are found."},
	[ML_GBDT_BAGGING_FRACTION] = {"bagging_fraction", ML_PARAM_DOUBLE, 1, 0, 1, .open_minimum = true,
		.aliases = "subsample|sub_row|bagging",
	.description = "Share of the rows that a tree is grown on."},
	[ML_GBDT_BAGGING_FREQ] = {"bagging_freq", ML_PARAM_INT, 0, 0, 2147483647, .aliases = "subsample_freq",
	.description = "Rows are drawn anew every so many iterations; 0 turns sampling off when given, and means 1 when bagging_fraction alone is given."},
	[ML_GBDT_FEATURE_FRACTION] = {"feature_fraction", ML_PARAM_DOUBLE, 1, 0, 1, .open_minimum = true,
		.aliases = "colsample_bytree|sub_feature|max_features",
	.description = "Share of the features that each tree may split on."},
	[ML_GBDT_MAX_CAT_TO_ONEHOT] = {"max_cat_to_onehot", ML_PARAM_INT, 4, 1, 2147483647,
	.description = "A feature with at most so many categories is split one category against the rest."},
	[ML_GBDT_MAX_CAT_THRESHOLD] = {"max_cat_threshold", ML_PARAM_INT, 32, 1, 65535,
	.description = "Most categories on the smaller side of a split on sorted categories."},
	[ML_GBDT_CAT_SMOOTH] = {"cat_smooth", ML_PARAM_DOUBLE, 10, 0, INFINITY,
	.description = "Damps the statistic that sorts categories; a category with fewer rows in a leaf goes with the rest."},
	[ML_GBDT_CAT_L2] = {"cat_l2", ML_PARAM_DOUBLE, 10, 0, INFINITY,
	.description = "L2 penalty added in splits on sorted categories."},
	[ML_GBDT_MIN_DATA_PER_GROUP] = {"min_data_per_group", ML_PARAM_INT, 100, 1, 2147483647,
	.description = "Fewest rows by which a set of sorted categories grows."},
	[ML_GBDT_BOOST_FROM_AVERAGE] = {"boost_from_average", ML_PARAM_BOOL, 1,
	.description = "Start from the average (the median for absolute, class shares for classes) instead of zero."},
	[ML_GBDT_EARLY_STOPPING] = {"early_stopping_rounds", ML_PARAM_INT, 0, 0, 2147483647,
		.aliases = "early_stopping_round|early_stopping|n_iter_no_change",
	.description = "Stop when the validation loss has not improved for so many iterations, and keep the best; 0: never."},
	[ML_GBDT_EARLY_STOPPING_DELTA] = {"early_stopping_min_delta", ML_PARAM_DOUBLE, 0, 0, INFINITY,
	.description = "What counts as an improvement of the validation loss."},
	{NULL}
};

static MlStatus
gbdt_importance(MlEnv *env, const void *model, const MlSchema *schema, const char *how, double *out)
{
	const MlGbdtForest *forest = model;
	bool		gain = strcmp(how, "gain") == 0;

	if (!gain && strcmp(how, "split") != 0)
	{
		ml_fail(env, ML_BAD_PARAM, "unknown importance \"%s\"", how);
		return ml_hint(env, "gbdt has \"gain\" and \"split\".");
	}
	for (int f = 0; f < schema->n_features; f++)
		out[f] = 0;
	for (uint32_t i = 0; i < forest->n_nodes; i++)
		if (forest->node[i].left != 0)
			out[forest->node[i].feature] += gain ? forest->node[i].gain : 1;
	return ML_OK;
}

const MlMethod ml_method_gbdt = {
	.name = "gbdt",
	.summary = "gradient boosted decision trees on histograms, grown leaf by leaf",
	.description =
	"Friedman 2001 with the second-order gain of Chen and Guestrin 2016 and the leaf-wise histogram trees, parameters and defaults of "
	"LightGBM (Ke et al. 2017). Missing values have a side of their own in every split, whichever gains more. Categories are "
	"split as sets, found by sorting them by their gradient statistics (Fisher 1958); up to 65,534 categories keep a code of "
	"their own, and one that training did not see is in no set. Gradients are summed as integers of 30 bits a row, so a model has the same "
	"bits for any number of threads. Time grows with rows x features x iterations x log(leaves); memory is about two bytes per "
	"value and 60 bytes per row. "
	"Contributions of features to a prediction are exact path-dependent Shapley values (Lundberg et al. 2020): a feature that is not known is averaged by the shares of training rows at each split.",
	.tasks = ML_TASK_REGRESSION | ML_TASK_CLASSIFICATION,
	.format = 1,
	.params = gbdt_params,
	.memory = ml_gbdt_memory,
	.bin_rules = ml_gbdt_bin_rules,
	.fit = ml_gbdt_fit,
	.save = ml_gbdt_save,
	.load = ml_gbdt_load,
	.predict = ml_gbdt_predict,
	.predict_batch = ml_gbdt_predict_batch,
	.scratch_size = ml_gbdt_scratch_size,
	.predict_cost = ml_gbdt_predict_cost,
	.importance = gbdt_importance,
	.n_trees = ml_gbdt_tree_count,
	.rules = ml_gbdt_rules,
	.explainer = ml_gbdt_explainer,
	.explain = ml_gbdt_explain,
};
