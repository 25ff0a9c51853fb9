/*-------------------------------------------------------------------------
 * rules.c
 *	  A boosted tree as text.  Tree t adds to the score of class t % n_outputs.
 *-------------------------------------------------------------------------
 */
#include <math.h>

#include "ml/algo/gbdt/forest.h"
#include "ml/base/arena.h"

static MlStatus
put_edge(MlEnv *env, const MlGbdtForest *forest, const MlSchema *schema, const MlGbdtNode *node, bool left, MlRule *rule)
{
	const MlFeature *feature = &schema->features[node->feature];

	rule->missing = node->missing_left == left;
	rule->condition = node->category ?
		ml_rule_set(env, feature, forest->set + node->set_first, node->set_count, left) :
		ml_rule_number(env, feature, node->value, left);
	return rule->condition == NULL ? env->error.status : ML_OK;
}

MlStatus
ml_gbdt_rules(MlEnv *env, const void *model, const MlSchema *schema, uint32_t number, MlRule **rules, size_t *count)
{
	const MlGbdtForest *forest = model;
	const MlGbdtNode *node = forest->node + forest->first[number];
	uint32_t	n = (number + 1 < forest->n_trees ? forest->first[number + 1] : forest->n_nodes) - forest->first[number];
	MlRule	   *rule = ml_alloc0(env, n, sizeof(MlRule));

	if (rule == NULL)
		return env->error.status;
	rule[0].parent = -1;
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t	left = node[i].left;

		rule[i].rows = node[i].rows;
		rule[i].leaf = left == 0;
		rule[i].class_number = forest->objective == ML_GBDT_SOFTMAX ? (int32_t) (number % (uint32_t) forest->n_outputs) :
			(forest->objective == ML_GBDT_LOGISTIC ? 1 : -1);
		rule[i].value = left == 0 ? node[i].value * forest->scale : NAN;
		for (uint32_t side = 0; side < 2 && left != 0; side++)
		{
			rule[left + side].parent = (int32_t) i;
			rule[left + side].depth = rule[i].depth + 1;
			ML_TRY(put_edge(env, forest, schema, &node[i], side == 0, &rule[left + side]));
		}
	}
	*rules = rule;
	*count = n;
	return ML_OK;
}

uint32_t
ml_gbdt_tree_count(const void *model)
{
	return ((const MlGbdtForest *) model)->n_trees;
}
