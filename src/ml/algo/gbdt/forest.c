/*-------------------------------------------------------------------------
 * forest.c
 *	  Keeping grown trees.
 *-------------------------------------------------------------------------
 */
#include "ml/algo/gbdt/forest.h"

#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/search.h"

MlStatus
ml_gbdt_forest_create(MlEnv *env, MlGbdtObjective objective, const MlSchema *schema, MlGbdtForest **result)
{
	MlGbdtForest *forest = ml_alloc0(env, 1, sizeof(MlGbdtForest));

	if (forest == NULL)
		return env->error.status;
	forest->objective = objective;
	forest->n_features = schema->n_features;
	forest->n_outputs = objective == ML_GBDT_SOFTMAX ? schema->n_classes : 1;
	forest->scale = 1;
	forest->base = ml_alloc0(env, (size_t) forest->n_outputs, sizeof(double));
	*result = forest;
	return forest->base ? ML_OK : env->error.status;
}

/* Makes room for "more" elements behind the first n; doubles, so that adding stays linear. */
static MlStatus
make_room(MlEnv *env, void **array, uint32_t n, uint32_t more, size_t size, uint32_t *capacity)
{
	uint64_t	wanted = (uint64_t) n + more;
	void	   *grown;

	if (wanted <= *capacity)
		return ML_OK;
	if (wanted > INT32_MAX)
		return ml_fail(env, ML_TOO_LARGE, "the model has more than %d nodes", INT32_MAX);
	wanted = wanted * 2 < 1024 ? 1024 : (wanted * 2 > INT32_MAX ? INT32_MAX : wanted * 2);
	grown = ml_alloc(env, (size_t) wanted, size);
	if (grown == NULL)
		return env->error.status;
	if (n > 0)
		memcpy(grown, *array, n * size);
	ml_release(env, *array);
	*array = grown;
	*capacity = (uint32_t) wanted;
	return ML_OK;
}

MlStatus
ml_gbdt_forest_add(MlEnv *env, MlGbdtForest *forest, const MlGbdtNode *node, uint32_t n, const uint16_t *set, uint32_t n_set)
{
	MlGbdtNode *to;
	uint32_t	end = 1;

	ML_TRY(make_room(env, (void **) &forest->first, forest->n_trees, 1, sizeof(uint32_t), &forest->tree_capacity));
	ML_TRY(make_room(env, (void **) &forest->node, forest->n_nodes, n, sizeof(MlGbdtNode), &forest->node_capacity));
	ML_TRY(make_room(env, (void **) &forest->set, forest->n_set, n_set, sizeof(uint16_t), &forest->set_capacity));

	/* A node not yet reached keeps its old number of the left child in "left". */
	to = forest->node + forest->n_nodes;
	to[0] = node[0];
	for (uint32_t i = 0; i < end; i++)
	{
		uint32_t	left = to[i].left;

		if (left == 0)
			continue;
		to[i].left = end;
		if (to[i].category)
			to[i].set_first += forest->n_set;
		to[end++] = node[left];
		to[end++] = node[left + 1];
	}
	if (n_set > 0)
		memcpy(forest->set + forest->n_set, set, n_set * sizeof(uint16_t));
	forest->first[forest->n_trees++] = forest->n_nodes;
	forest->n_nodes += n;
	forest->n_set += n_set;
	return ML_OK;
}

void
ml_gbdt_forest_truncate(MlGbdtForest *forest, uint32_t n)
{
	if (n >= forest->n_trees)
		return;
	forest->n_nodes = forest->first[n];
	forest->n_trees = n;
	forest->n_set = 0;
	for (uint32_t i = 0; i < forest->n_nodes; i++)
	{
		uint32_t	end = forest->node[i].set_first + forest->node[i].set_count;

		if (forest->node[i].category && end > forest->n_set)
			forest->n_set = end;
	}
}

double
ml_gbdt_forest_walk(const MlGbdtForest *forest, uint32_t t, const MlDataset *data, size_t i)
{
	const MlGbdtNode *tree = forest->node + forest->first[t];
	const MlGbdtNode *node = tree;

	while (node->left != 0)
	{
		const MlDataColumn *column = &data->columns[node->feature];
		bool		left;

		if (node->category)
		{
			int32_t		code = column->code[i];

			left = code < 0 ? node->missing_left :
				ml_codes_have(forest->set + node->set_first, node->set_count, (uint32_t) code);
		}
		else
		{
			double		x = ml_column_value(column, i);

			left = x == x ? x <= node->value : node->missing_left;
		}
		node = tree + node->left + !left;
	}
	return node->value;
}
