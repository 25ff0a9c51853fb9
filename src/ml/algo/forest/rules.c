/*-------------------------------------------------------------------------
 * rules.c
 *	  An averaged tree as text.
 *-------------------------------------------------------------------------
 */
#include <math.h>

#include "ml/algo/forest/trees.h"
#include "ml/base/arena.h"

/* What the rows of each node have for values: those of a split's children, by their rows. */
static MlStatus
mean_values(MlEnv *env, const MlTreeForest *forest, const MlTree *tree, double **result)
{
	size_t		width = (size_t) forest->width;
	double	   *mean = ml_alloc(env, tree->n_nodes, width * sizeof(double));

	if (mean == NULL)
		return env->error.status;
	for (uint32_t i = tree->n_nodes; i-- > 0;)
	{
		uint32_t	left = tree->step[i].left;
		double		share;

		if (tree->step[i].slot == 0)
		{
			for (size_t k = 0; k < width; k++)
				mean[i * width + k] = tree->value[tree->payload[i] * width + k];
			continue;
		}
		share = tree->rows[i] > 0 ? (double) tree->rows[left] / tree->rows[i] : 0.5;
		for (size_t k = 0; k < width; k++)
			mean[i * width + k] = share * mean[left * width + k] + (1 - share) * mean[(left + 1) * width + k];
	}
	*result = mean;
	return ML_OK;
}

static void
put_value(const MlTreeForest *forest, const double *mean, MlRule *rule)
{
	rule->class_number = -1;
	rule->value = mean[0];
	if (forest->answer != ML_TREE_SHARES)
		rule->value *= forest->scale;
	else if (forest->width == 1)
	{
		rule->class_number = mean[0] > 0.5;
		rule->value = mean[0] > 0.5 ? mean[0] : 1 - mean[0];
	}
	else
	{
		rule->class_number = 0;
		for (int32_t k = 1; k < forest->width; k++)
			if (mean[k] > mean[rule->class_number])
				rule->class_number = k;
		rule->value = mean[rule->class_number];
	}
}

/* What rows have in common that go to a side of a split. */
static MlStatus
put_edge(MlEnv *env, const MlTreeForest *forest, const MlSchema *schema, const MlTree *tree, uint32_t parent, bool left, MlRule *rule)
{
	const MlTreeStep *step = &tree->step[parent];
	int32_t		f = (step->slot - 1) / 2;
	const MlFeature *feature = &schema->features[f];

	rule->missing = (step->slot % 2 == 0) == left;
	if (step->rank == ML_TREE_CATEGORY)
	{
		const MlTreeSet *set = &tree->set[tree->payload[parent]];

		rule->condition = ml_rule_set(env, feature, tree->code + set->first, set->count, set->left == left);
	}
	else
		rule->condition = ml_rule_number(env, feature, step->rank < forest->n_thresholds[f] ? forest->threshold[f][step->rank] : INFINITY, left);
	return rule->condition == NULL ? env->error.status : ML_OK;
}

MlStatus
ml_tree_rules(MlEnv *env, const void *model, const MlSchema *schema, uint32_t number, MlRule **rules, size_t *count)
{
	const MlTreeForest *forest = model;
	const MlTree *tree = &forest->tree[number];
	double	   *mean = NULL;
	MlRule	   *rule = ml_alloc0(env, tree->n_nodes, sizeof(MlRule));

	if (rule == NULL)
		return env->error.status;
	ML_TRY(mean_values(env, forest, tree, &mean));
	rule[0].parent = -1;
	for (uint32_t i = 0; i < tree->n_nodes; i++)
	{
		uint32_t	left = tree->step[i].left;

		if (i % 1024 == 0 && ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		rule[i].rows = tree->rows[i];
		rule[i].leaf = tree->step[i].slot == 0;
		put_value(forest, mean + i * (size_t) forest->width, &rule[i]);
		if (rule[i].leaf)
			continue;
		for (uint32_t side = 0; side < 2; side++)
		{
			rule[left + side].parent = (int32_t) i;
			rule[left + side].depth = rule[i].depth + 1;
			ML_TRY(put_edge(env, forest, schema, tree, i, side == 0, &rule[left + side]));
		}
	}
	*rules = rule;
	*count = tree->n_nodes;
	return ML_OK;
}

uint32_t
ml_tree_count(const void *model)
{
	return ((const MlTreeForest *) model)->n_trees;
}
