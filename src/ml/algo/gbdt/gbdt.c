/*-------------------------------------------------------------------------
 * gbdt.c
 *	  Gradient boosted decision trees: the entry in the list of algorithms.
 *
 * bins.c        values to bins            grow.c       one tree, leaf by leaf
 * objective.c   losses and gradients      hist.c       gradient histograms
 * boost.c       the loop over trees       split.c      the best split of a column
 * forest.c      trees that are kept       partition.c  rows to children
 * image.c       trees to bytes and back   leaves.c     what a leaf adds
 * serve.c       a row through all trees      symmetric.c  one tree, level by level
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/algo/gbdt/gbdt_internal.h"

/* The words for an objective; the same order as in objective_choices. */
#define OBJECTIVE_WORDS \
	"auto|squared|absolute|logistic|softmax|huber|quantile|poisson|gamma|tweedie|cross_entropy" \
	"|regression|l2|mse|regression_l2|squared_error|reg:squarederror" \
	"|regression_l1|l1|mae|absolute_error|reg:absoluteerror" \
	"|binary|binary:logistic" \
	"|multiclass|multi:softmax|multi:softprob" \
	"|reg:quantileerror|count:poisson|reg:gamma|reg:tweedie|xentropy|reg:logistic"

static const int objective_choices[] = {
	-1, ML_GBDT_SQUARED, ML_GBDT_ABSOLUTE, ML_GBDT_LOGISTIC, ML_GBDT_SOFTMAX,
	ML_GBDT_HUBER, ML_GBDT_QUANTILE, ML_GBDT_POISSON, ML_GBDT_GAMMA, ML_GBDT_TWEEDIE, ML_GBDT_CROSS_ENTROPY,
	ML_GBDT_SQUARED, ML_GBDT_SQUARED, ML_GBDT_SQUARED, ML_GBDT_SQUARED, ML_GBDT_SQUARED, ML_GBDT_SQUARED,
	ML_GBDT_ABSOLUTE, ML_GBDT_ABSOLUTE, ML_GBDT_ABSOLUTE, ML_GBDT_ABSOLUTE, ML_GBDT_ABSOLUTE,
	ML_GBDT_LOGISTIC, ML_GBDT_LOGISTIC,
	ML_GBDT_SOFTMAX, ML_GBDT_SOFTMAX, ML_GBDT_SOFTMAX,
	ML_GBDT_QUANTILE, ML_GBDT_POISSON, ML_GBDT_GAMMA, ML_GBDT_TWEEDIE, ML_GBDT_CROSS_ENTROPY, ML_GBDT_CROSS_ENTROPY
};

int
ml_gbdt_objective_of_choice(int choice)
{
	return objective_choices[choice];
}

/* One table for each name under which people know this method; see params.def. */
#define PARAM(id, ...) [ML_GBDT_##id] = {__VA_ARGS__},
#define ALL(...) __VA_ARGS__,

#define LEAFWISE(...) __VA_ARGS__,
#define GBDT(...) __VA_ARGS__,
#define LIGHTGBM(...)
#define XGBOOST(...)
static const MlParam gbdt_params[] = {
#include "ml/algo/gbdt/params.def"
	{NULL}
};
#undef GBDT
#undef LIGHTGBM

#define GBDT(...)
#define LIGHTGBM(...) __VA_ARGS__,
static const MlParam lightgbm_params[] = {
#include "ml/algo/gbdt/params.def"
	{NULL}
};
#undef LEAFWISE
#undef LIGHTGBM
#undef XGBOOST

#define LEAFWISE(...)
#define LIGHTGBM(...)
#define XGBOOST(...) __VA_ARGS__,
static const MlParam xgboost_params[] = {
#include "ml/algo/gbdt/params.def"
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

/* What all three have in common. */
#define GBDT_FUNCTIONS \
	.memory = ml_gbdt_memory, \
	.bin_rules = ml_gbdt_bin_rules, \
	.reads_sparse = true, \
	.fit = ml_gbdt_fit, \
	.save = ml_gbdt_save, \
	.load = ml_gbdt_load, \
	.hasten = ml_gbdt_hasten, \
	.predict = ml_gbdt_predict, \
	.predict_batch = ml_gbdt_predict_batch, \
	.scratch_size = ml_gbdt_scratch_size, \
	.predict_cost = ml_gbdt_predict_cost, \
	.importance = gbdt_importance, \
	.n_trees = ml_gbdt_tree_count, \
	.rules = ml_gbdt_rules, \
	.explainer = ml_gbdt_explainer, \
	.explain = ml_gbdt_explain

const MlMethod ml_method_gbdt = {
	.name = "gbdt",
	.summary = "gradient boosted decision trees on histograms, grown leaf by leaf",
	.description =
	"Friedman 2001 with the second-order gain of Chen and Guestrin 2016 and the leaf-wise histogram trees, parameters and defaults of "
	"LightGBM (Ke et al. 2017); trees may grow level by level instead, or symmetrically, each level by one condition (Prokhorenkova et al. 2018, CatBoost). Missing values have a side of their own in every split, whichever gains more. Categories are "
	"split as sets, found by sorting them by their gradient statistics (Fisher 1958); up to 65,534 categories keep a code of "
	"their own, and one that training did not see is in no set. Gradients are summed as integers of 30 bits a row, so a model has the same "
	"bits for any number of threads. Time grows with rows x features x iterations x log(leaves); memory is about two bytes per "
	"value and 60 bytes per row. "
	"Contributions of features to a prediction are exact path-dependent Shapley values (Lundberg et al. 2020): a feature that is not known is averaged by the shares of training rows at each split. "
	"For the objectives poisson, gamma and tweedie they add up to the logarithm of the prediction, for cross_entropy to its log-odds.",
	.tasks = ML_TASK_REGRESSION | ML_TASK_CLASSIFICATION,
	.format = 1,
	.params = gbdt_params,
	GBDT_FUNCTIONS
};

const MlMethod ml_method_xgboost = {
	.name = "xgboost",
	.summary = "gbdt with the parameter names and defaults of XGBoost",
	.description =
	"The method gbdt under the names and with the defaults that users of XGBoost (Chen and Guestrin 2016) know: trees grow level by level to max_depth 6, learning_rate 0.3, reg_lambda 1. "
	"Where XGBoost has no such parameter the name is that of gbdt. It is our implementation: results are alike, not the same. All else is as in gbdt.",
	.tasks = ML_TASK_REGRESSION | ML_TASK_CLASSIFICATION,
	.format = 1,
	.params = xgboost_params,
	GBDT_FUNCTIONS
};

const MlMethod ml_method_lightgbm = {
	.name = "lightgbm",
	.summary = "gbdt with the parameter names and defaults of LightGBM",
	.description =
	"The method gbdt under the names and with the defaults that users of LightGBM (Ke et al. 2017) know; they differ from those of gbdt in what alpha and boosting mean. "
	"It is our implementation: results are alike, not the same. All else is as in gbdt.",
	.tasks = ML_TASK_REGRESSION | ML_TASK_CLASSIFICATION,
	.format = 1,
	.params = lightgbm_params,
	GBDT_FUNCTIONS
};
