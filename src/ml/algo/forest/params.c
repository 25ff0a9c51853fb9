/*-------------------------------------------------------------------------
 * params.c
 *	  From parameters to the rules by which trees are grown.
 *-------------------------------------------------------------------------
 */
#include "ml/algo/forest/methods_internal.h"

/* In the order of the choices; -1: auto. */
static const int criteria[] = {
	-1, ML_TREE_GINI, ML_TREE_ENTROPY, ML_TREE_ENTROPY, ML_TREE_SQUARED, ML_TREE_POISSON, ML_TREE_SQUARED
};

static bool
of_classes(int criterion)
{
	return criterion == ML_TREE_GINI || criterion == ML_TREE_ENTROPY;
}

MlStatus
ml_tree_check_criterion(MlEnv *env, const MlSchema *schema, const MlParams *params)
{
	int			criterion = criteria[ml_param_int(params, ML_TREE_CRITERION)];
	bool		classes = schema->task == ML_TASK_CLASSIFICATION;

	if (criterion < 0 || of_classes(criterion) == classes)
		return ML_OK;
	ml_fail(env, ML_BAD_PARAM, "the criterion does not fit a %s", ml_task_name(schema->task));
	return ml_hint(env, classes ? "Use gini or entropy." : "Use squared_error or poisson.");
}

void
ml_tree_read_rules(const MlSchema *schema, const MlParams *params, MlTreePlan *plan)
{
	MlTreeRules *rules = &plan->rules;
	int			criterion = criteria[ml_param_int(params, ML_TREE_CRITERION)];
	int64_t		depth = ml_param_int(params, ML_TREE_MAX_DEPTH);
	int64_t		leaves = ml_param_int(params, ML_TREE_MAX_LEAF_NODES);

	if (criterion < 0)
		criterion = schema->task == ML_TASK_CLASSIFICATION ? ML_TREE_GINI : ML_TREE_SQUARED;
	rules->criterion = (MlTreeCriterion) criterion;
	rules->max_depth = depth > 0 ? (uint32_t) depth : UINT32_MAX;
	rules->min_split = (size_t) ml_param_int(params, ML_TREE_MIN_SAMPLES_SPLIT);
	rules->min_leaf = (size_t) ml_param_int(params, ML_TREE_MIN_SAMPLES_LEAF);
	rules->min_leaf_share = ml_param_double(params, ML_TREE_MIN_WEIGHT_FRACTION);
	rules->max_leaves = leaves > 0 ? (uint32_t) leaves : UINT32_MAX;
	rules->min_decrease = ml_param_double(params, ML_TREE_MIN_IMPURITY_DECREASE);
}

int32_t
ml_tree_feature_count(const MlSchema *schema, double max_features)
{
	/* A share that means a whole number, as sqrt(p) / p, must not end up below it. */
	double		n = max_features <= 0 ? schema->n_features :
		max_features <= 1 ? max_features * schema->n_features * (1 + 1e-12) : max_features;

	if (n < 1)
		return 1;
	return n < schema->n_features ? (int32_t) n : schema->n_features;
}
