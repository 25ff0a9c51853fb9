/*-------------------------------------------------------------------------
 * prune.c
 *	  Minimal cost-complexity pruning (Breiman et al. 1984, chapter 3).
 *
 * The smallest subtree that minimises impurity + alpha * leaves.  It is what
 * cutting the weakest link again and again ends with, and needs no more than one
 * pass from the last node to the first, for children stand behind their parents.
 *-------------------------------------------------------------------------
 */
#include "ml/algo/forest/grow_internal.h"
#include "ml/base/arena.h"
#include "ml/base/pool.h"

MlStatus
ml_tree_prune(MlTreeGrower *g, double alpha)
{
	MlEnv	   *env = g->ground->env;
	double	   *cost;

	ml_pool_lock(env->pool);
	cost = ml_alloc(env, g->n_nodes, sizeof(double));
	ml_pool_unlock(env->pool);
	if (cost == NULL)
		return g->status = env->error.status;
	for (uint32_t i = g->n_nodes; i-- > 0;)
	{
		MlTreeGrowNode *node = &g->node[i];

		cost[i] = node->impurity / g->node[0].weight + alpha;
		if (node->left == 0)
			continue;
		if (cost[node->left] + cost[node->left + 1] < cost[i])
			cost[i] = cost[node->left] + cost[node->left + 1];
		else
			node->left = 0;
	}
	/* What is cut off is no split any more: nothing may count it. */
	for (uint32_t i = 0; i < g->n_nodes; i++)
		cost[i] = 0;
	cost[0] = 1;
	for (uint32_t i = 0; i < g->n_nodes; i++)
	{
		if (cost[i] == 0)
			g->node[i].left = 0;
		else if (g->node[i].left != 0)
			cost[g->node[i].left] = cost[g->node[i].left + 1] = 1;
	}
	ml_pool_lock(env->pool);
	ml_release(env, cost);
	ml_pool_unlock(env->pool);
	return ML_OK;
}
