/*-------------------------------------------------------------------------
 * methods_internal.h
 *	  Parameters that all averaged trees have, and how they become rules.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_FOREST_METHODS_INTERNAL_H
#define ML_ALGO_FOREST_METHODS_INTERNAL_H

#include "ml/algo/forest/grow_internal.h"

/* The parameters, in the order of the tables; each method has those below and some of its own. */
typedef enum MlTreeParam
{
	ML_TREE_CRITERION,
	ML_TREE_MAX_DEPTH,
	ML_TREE_MIN_SAMPLES_SPLIT,
	ML_TREE_MIN_SAMPLES_LEAF,
	ML_TREE_MIN_WEIGHT_FRACTION,
	ML_TREE_MAX_LEAF_NODES,
	ML_TREE_MIN_IMPURITY_DECREASE,
	ML_TREE_CCP_ALPHA,
	ML_TREE_MAX_BIN,
	ML_TREE_MAX_FEATURES_PARAM,

	/* Forests. */
	ML_TREE_N_ESTIMATORS,
	ML_TREE_BOOTSTRAP,
	ML_TREE_MAX_SAMPLES,
	ML_TREE_OOB,
	ML_TREE_PERMUTATION
} MlTreeParam;

#define ML_TREE_COMMON_PARAMS \
	[ML_TREE_CRITERION] = {"criterion", ML_PARAM_CHOICE, .default_choice = "auto", \
		.choices = "auto|gini|entropy|log_loss|squared_error|poisson|mse", .aliases = "split_criterion", \
	.description = "Impurity that splits lower: gini or entropy of classes, squared_error or poisson (deviance) of numbers; auto: gini or squared_error."}, \
	[ML_TREE_MAX_DEPTH] = {"max_depth", ML_PARAM_INT, 0, 0, 2147483647, \
	.description = "Most splits from the root to a leaf; 0 for no limit."}, \
	[ML_TREE_MIN_SAMPLES_SPLIT] = {"min_samples_split", ML_PARAM_INT, 2, 2, 2147483647, .aliases = "min_split|minsplit", \
	.description = "Fewest rows of a node that may be split."}, \
	[ML_TREE_MIN_SAMPLES_LEAF] = {"min_samples_leaf", ML_PARAM_INT, 1, 1, 2147483647, .aliases = "min_data_in_leaf|min_node_size|minbucket|nodesize", \
	.description = "Fewest rows of a leaf."}, \
	[ML_TREE_MIN_WEIGHT_FRACTION] = {"min_weight_fraction_leaf", ML_PARAM_DOUBLE, 0, 0, 0.5, \
	.description = "Least share of the weight of all rows in a leaf."}, \
	[ML_TREE_MAX_LEAF_NODES] = {"max_leaf_nodes", ML_PARAM_INT, 0, 0, 2147483647, .aliases = "max_leaves|num_leaves|maxnodes", \
	.description = "Most leaves; then the split that lowers the impurity most is made first. 0 for no limit."}, \
	[ML_TREE_MIN_IMPURITY_DECREASE] = {"min_impurity_decrease", ML_PARAM_DOUBLE, 0, 0, INFINITY, .aliases = "min_gain", \
	.description = "What a split must lower the impurity of the whole tree by, per row."}

extern MlStatus ml_tree_check_criterion(MlEnv *env, const MlSchema *schema, const MlParams *params);
extern void ml_tree_read_rules(const MlSchema *schema, const MlParams *params, MlTreePlan *plan);

/* A share up to 1, a number above 1, 0 for all. */
extern int32_t ml_tree_feature_count(const MlSchema *schema, double max_features);

#endif							/* ML_ALGO_FOREST_METHODS_INTERNAL_H */
