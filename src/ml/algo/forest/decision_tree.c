/*-------------------------------------------------------------------------
 * decision_tree.c
 *	  One tree (CART): the entry in the list of algorithms.
 *-------------------------------------------------------------------------
 */
#include <math.h>

#include "ml/algo/forest/methods_internal.h"

static const MlParam tree_params[] = {
	ML_TREE_COMMON_PARAMS,
	[ML_TREE_CCP_ALPHA] = {"ccp_alpha", ML_PARAM_DOUBLE, 0, 0, INFINITY, .aliases = "cost_complexity|cp",
	.description = "Minimal cost-complexity pruning: what a leaf must lower the impurity by (of the whole tree, per row) to stay."},
	[ML_TREE_MAX_BIN] = {"max_bin", ML_PARAM_INT, 65534, 2, 65534, .aliases = "max_bins",
	.description = "A number of more distinct values is split at the limits of so many bins of about equal count only."},
	[ML_TREE_MAX_FEATURES_PARAM] = {"max_features", ML_PARAM_DOUBLE, 0, 0, 1000000, .aliases = "feature_fraction|mtry",
	.description = "Features looked at in each node, drawn at random: a share up to 1, or their number above 1; 0: all."},
	{NULL}
};

static void
read_plan(const MlSchema *schema, const MlParams *params, MlTreePlan *plan)
{
	ml_tree_read_rules(schema, params, plan);
	plan->rules.exact = true;
	plan->rules.ccp_alpha = ml_param_double(params, ML_TREE_CCP_ALPHA);
	plan->rules.max_features = ml_tree_feature_count(schema, ml_param_double(params, ML_TREE_MAX_FEATURES_PARAM));
	plan->max_bin = (int32_t) ml_param_int(params, ML_TREE_MAX_BIN);
	plan->n_trees = 1;
}

static MlStatus
tree_fit(MlEnv *env, const MlDataset *data, const MlParams *params, void **model)
{
	MlTreePlan	plan = {0};
	MlTreeForest *forest = NULL;

	ML_TRY(ml_tree_check_criterion(env, data->schema, params));
	read_plan(data->schema, params, &plan);
	ML_TRY(ml_tree_fit(env, data, &plan, &forest));
	if (forest->tree[0].n_nodes == 1)
		ml_warn(env, "no split was found, so every prediction is the same");
	*model = forest;
	return ML_OK;
}

static size_t
tree_memory(const MlSchema *schema, const MlParams *params, size_t n, int threads)
{
	MlTreePlan	plan = {0};

	read_plan(schema, params, &plan);
	return ml_tree_memory(schema, &plan, n, threads);
}

const MlMethod ml_method_decision_tree = {
	.name = "decision_tree",
	.summary = "one tree of questions that can be read (CART)",
	.description =
	"Breiman, Friedman, Olshen and Stone 1984: the split that lowers the impurity most, searched among all thresholds, each in the middle "
	"between two neighbouring values of the node; without pruning until leaves are pure, as scikit-learn does. "
	"Missing values go with the side where they lower the impurity more, or stand alone; where a node had none, with the larger side. "
	"Categories are split as sets, found by sorting them by their mean target or by the share of a class; one that training did not see goes "
	"with the larger side. Time grows with rows x features x depth; memory is about four bytes per value and 60 bytes per row. "
	"Leaves are class shares or means. Contributions to a prediction are exact Shapley values (Lundberg et al. 2020) of the mean, or of the share of the class.",
	.tasks = ML_TASK_REGRESSION | ML_TASK_CLASSIFICATION,
	.reads_sparse = true,
	.format = 1,
	.params = tree_params,
	.memory = tree_memory,
	.fit = tree_fit,
	.save = ml_tree_save,
	.load = ml_tree_load,
	.predict = ml_tree_predict,
	.predict_batch = ml_tree_predict_batch,
	.scratch_size = ml_tree_scratch_size,
	.predict_cost = ml_tree_predict_cost,
	.importance = ml_tree_importance,
	.statistics = ml_tree_statistics,
	.n_trees = ml_tree_count,
	.rules = ml_tree_rules,
	.explainer = ml_tree_explainer,
	.explain = ml_tree_explain,
};
