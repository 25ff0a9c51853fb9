/*-------------------------------------------------------------------------
 * random_forest.c
 *	  Random forests and extremely randomised trees: the entries in the list of
 *	  algorithms.
 *-------------------------------------------------------------------------
 */
#include <math.h>

#include "ml/algo/forest/methods_internal.h"

/* The words of max_features, in the order of the choices. */
enum
{
	FEATURES_AUTO = 1,
	FEATURES_SQRT,
	FEATURES_LOG2,
	FEATURES_ALL
};

#define FOREST_PARAMS(bootstrap_default) \
	ML_TREE_COMMON_PARAMS, \
	[ML_TREE_CCP_ALPHA] = {"ccp_alpha", ML_PARAM_DOUBLE, 0, 0, INFINITY, .aliases = "cost_complexity", \
	.description = "Minimal cost-complexity pruning of each tree: what a leaf must lower the impurity by to stay."}, \
	[ML_TREE_MAX_BIN] = {"max_bin", ML_PARAM_INT, 255, 2, 65534, .aliases = "max_bins", \
	.description = "Most bins of a number, that of missing values included; more than 255 take twice the memory."}, \
	[ML_TREE_MAX_FEATURES_PARAM] = {"max_features", ML_PARAM_DOUBLE, 0, 0, 1000000, .open_minimum = true, \
		.default_choice = "auto", .choices = "number|auto|sqrt|log2|all", .aliases = "feature_fraction_bynode|colsample_bynode|mtry|feature_subset", \
	.description = "Features looked at in each node, drawn at random: a share up to 1 (1: all), their number above 1, or auto, sqrt, log2, all; " \
		"auto: sqrt for classes, all for numbers."}, \
	[ML_TREE_N_ESTIMATORS] = {"n_estimators", ML_PARAM_INT, 100, 1, 100000, \
		.aliases = "num_trees|n_trees|ntree|num_iterations|trees", \
	.description = "Trees."}, \
	[ML_TREE_BOOTSTRAP] = {"bootstrap", ML_PARAM_BOOL, bootstrap_default, \
	.description = "Grow each tree on rows drawn with replacement, not on all."}, \
	[ML_TREE_MAX_SAMPLES] = {"max_samples", ML_PARAM_DOUBLE, 0, 0, 4294967295, .aliases = "subsample|sample_fraction|sampsize", \
	.description = "Rows drawn for a tree: a share up to 1, or their number above 1; 0: as many as there are."}, \
	[ML_TREE_OOB] = {"oob_score", ML_PARAM_BOOL, bootstrap_default, \
	.description = "Judge the forest on the rows that its trees were not grown on; the figures are in ml_model_statistics() and the history of the run."}, \
	[ML_TREE_PERMUTATION] = {"permutation_importance", ML_PARAM_BOOL, 0, \
	.description = "Find out how much each feature matters by exchanging its values between rows that a tree was not grown on (Breiman 2001)."}, \
	{NULL}

static const MlParam random_forest_params[] = {FOREST_PARAMS(1)};
static const MlParam extra_trees_params[] = {FOREST_PARAMS(0)};

static int32_t
feature_count(const MlSchema *schema, const MlParams *params)
{
	double		given = ml_param_double(params, ML_TREE_MAX_FEATURES_PARAM);
	double		p = schema->n_features > 1 ? schema->n_features : 1;

	if (given == ml_param_word(FEATURES_AUTO))
		given = ml_param_word(schema->task == ML_TASK_CLASSIFICATION ? FEATURES_SQRT : FEATURES_ALL);
	if (given == ml_param_word(FEATURES_ALL))
		return schema->n_features;
	if (given == ml_param_word(FEATURES_SQRT))
		given = floor(sqrt(p)) / p;
	else if (given == ml_param_word(FEATURES_LOG2))
		given = fmax(floor(log2(p)), 1) / p;
	return ml_tree_feature_count(schema, given);
}

static void
read_plan(const MlSchema *schema, const MlParams *params, MlTreePlan *plan)
{
	ml_tree_read_rules(schema, params, plan);
	plan->rules.ccp_alpha = ml_param_double(params, ML_TREE_CCP_ALPHA);
	plan->rules.max_features = feature_count(schema, params);
	plan->max_bin = (int32_t) ml_param_int(params, ML_TREE_MAX_BIN);
	plan->n_trees = (uint32_t) ml_param_int(params, ML_TREE_N_ESTIMATORS);
	plan->bootstrap = ml_param_bool(params, ML_TREE_BOOTSTRAP);
	plan->max_samples = ml_param_double(params, ML_TREE_MAX_SAMPLES);
	plan->oob = ml_param_bool(params, ML_TREE_OOB);
	plan->permutation = ml_param_bool(params, ML_TREE_PERMUTATION);
}

static MlStatus
check_params(MlEnv *env, const MlParams *params)
{
	bool		bootstrap = ml_param_bool(params, ML_TREE_BOOTSTRAP);

	if (bootstrap)
		return ML_OK;
	if (ml_param_bool(params, ML_TREE_OOB) || ml_param_bool(params, ML_TREE_PERMUTATION))
	{
		ml_fail(env, ML_BAD_PARAM, "without bootstrap no row is out of the bag of a tree");
		return ml_hint(env, "Set bootstrap to true, or oob_score and permutation_importance to false.");
	}
	if (params->given[ML_TREE_MAX_SAMPLES] && ml_param_double(params, ML_TREE_MAX_SAMPLES) > 0)
		return ml_fail(env, ML_BAD_PARAM, "max_samples needs bootstrap");
	return ML_OK;
}

static MlStatus
fit(MlEnv *env, const MlDataset *data, const MlParams *params, bool random, void **model)
{
	MlTreePlan	plan = {0};
	MlTreeForest *forest = NULL;

	ML_TRY(ml_tree_check_criterion(env, data->schema, params));
	ML_TRY(check_params(env, params));
	read_plan(data->schema, params, &plan);
	plan.rules.random = random;
	ML_TRY(ml_tree_fit(env, data, &plan, &forest));
	*model = forest;
	return ML_OK;
}

static MlStatus
random_forest_fit(MlEnv *env, const MlDataset *data, const MlParams *params, void **model)
{
	return fit(env, data, params, false, model);
}

static MlStatus
extra_trees_fit(MlEnv *env, const MlDataset *data, const MlParams *params, void **model)
{
	return fit(env, data, params, true, model);
}

static size_t
forest_memory(const MlSchema *schema, const MlParams *params, size_t n, int threads)
{
	MlTreePlan	plan = {0};

	read_plan(schema, params, &plan);
	plan.rules.random = true;	/* takes a little more */
	return ml_tree_memory(schema, &plan, n, threads);
}

#define FOREST_DESCRIPTION \
	"Numbers are split at the limits of at most 255 bins of about equal count, which all trees share. " \
	"Missing values go with the side where they lower the impurity more, or stand alone; where a node had none, with the larger side. " \
	"Categories are split as sets; one that training did not see goes with the larger side. " \
	"A tree depends on nothing but the seed and its number, so a model has the same bits for any number of threads. " \
	"Predictions are the mean of class shares, or of means, of the leaves. Memory is one byte per value and about 30 bytes per row and thread; " \
	"the model takes about five bytes per node on disk and twenty when loaded, and trees grown until their leaves are pure have up to " \
	"1.3 nodes per row: min_samples_leaf makes them small. Contributions to a prediction are exact Shapley values of the mean, or of the share of the class; they take about 300 bytes per split and class to prepare. Time grows with trees x rows x max_features x depth."

#define FOREST_CALLS \
	.tasks = ML_TASK_REGRESSION | ML_TASK_CLASSIFICATION, \
	.reads_sparse = true, \
	.format = 1, \
	.memory = forest_memory, \
	.save = ml_tree_save, \
	.load = ml_tree_load, \
	.predict = ml_tree_predict, \
	.predict_batch = ml_tree_predict_batch, \
	.scratch_size = ml_tree_scratch_size, \
	.predict_cost = ml_tree_predict_cost, \
	.importance = ml_tree_importance, \
	.statistics = ml_tree_statistics, \
	.n_trees = ml_tree_count, \
	.rules = ml_tree_rules, \
	.explainer = ml_tree_explainer, \
	.explain = ml_tree_explain

const MlMethod ml_method_random_forest = {
	.name = "random_forest",
	.summary = "many trees on drawn rows and features, averaged",
	.description =
	"Breiman 2001, with the parameters and defaults of scikit-learn: each tree is grown on rows drawn with replacement, and each node looks at some "
	"features drawn at random. The rows that a tree did not see give an honest score without a hold-out (oob_score). " FOREST_DESCRIPTION,
	.params = random_forest_params,
	.fit = random_forest_fit,
	FOREST_CALLS
};

const MlMethod ml_method_extra_trees = {
	.name = "extra_trees",
	.summary = "extremely randomised trees: random thresholds, averaged",
	.description =
	"Geurts, Ernst and Wehenkel 2006, with the parameters and defaults of scikit-learn: of each feature a node looks at, one threshold is drawn "
	"uniformly between the values at hand (and taken to the nearest limit of bins below), and the best of these is the split. " FOREST_DESCRIPTION,
	.params = extra_trees_params,
	.fit = extra_trees_fit,
	FOREST_CALLS
};
