/*-------------------------------------------------------------------------
 * keep.c
 *	  From a tree as it is grown to one that is kept.
 *
 * Leaves of equal shares have one value between them: in a forest that is grown
 * until its leaves are pure, most of them have.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ml/algo/forest/grow_internal.h"
#include "ml/base/arena.h"
#include "ml/base/pool.h"
#include "ml/base/search.h"

/* What a leaf says, into value[width of the forest]. */
static void
leaf_value(const MlTreeGrower *g, const MlTreeForest *forest, uint32_t node, double *value)
{
	const MlTreeGround *ground = g->ground;
	const double *stats = g->node_stats + (size_t) node * (size_t) ground->width;
	double		weight = g->node[node].weight;

	if (!ground->classes)
		value[0] = stats[1] / stats[0] + ground->y_mean;
	else if (forest->width == 1)
		value[0] = stats[1] / weight;
	else
		for (int k = 0; k < forest->width; k++)
			value[k] = stats[k] / weight;
}

static uint64_t
hash_value(const double *value, size_t width)
{
	uint64_t	h = 0;

	for (size_t k = 0; k < width; k++)
	{
		uint64_t	bits;

		memcpy(&bits, &value[k], sizeof(bits));
		h = ml_mix64(h ^ bits);
	}
	return h;
}

/* The number of a value: that of an equal one if there is one.  table: numbers + 1, by hash. */
static uint32_t
number_of_value(MlTreeGrower *g, size_t width, uint32_t *n_values)
{
	const double *value = g->value + (size_t) *n_values * width;
	uint32_t	mask = g->table_size - 1;
	uint32_t	at = (uint32_t) hash_value(value, width) & mask;

	for (; g->table[at] != 0; at = (at + 1) & mask)
		if (memcmp(g->value + (size_t) (g->table[at] - 1) * width, value, width * sizeof(double)) == 0)
			return g->table[at] - 1;
	g->table[at] = ++*n_values;
	return *n_values - 1;
}

/* Breadth first: g->order[i] becomes node i.  Returns how many there are. */
static uint32_t
put_in_order(MlTreeGrower *g)
{
	uint32_t	end = 1;

	g->order[0] = 0;
	for (uint32_t i = 0; i < end; i++)
	{
		uint32_t	left = g->node[g->order[i]].left;

		if (left == 0)
			continue;
		g->order[end++] = left;
		g->order[end++] = left + 1;
	}
	return end;
}

static MlStatus
room_to_keep(MlTreeGrower *g, size_t width)
{
	uint32_t	table = 1024;

	while (table < 2 * (uint64_t) g->n_nodes && table < UINT32_C(1) << 31)
		table *= 2;
	g->table_size = table;
	ML_TRY(ml_tree_more_room(g, (void **) &g->order, 0, g->n_nodes, sizeof(uint32_t), &g->order_capacity));
	ML_TRY(ml_tree_more_room(g, (void **) &g->value, 0, g->n_nodes / 2 + 2, width * sizeof(double), &g->value_capacity));
	ML_TRY(ml_tree_more_room(g, (void **) &g->table, 0, table, sizeof(uint32_t), &g->table_capacity));
	if (g->ground->classes)
		memset(g->table, 0, table * sizeof(uint32_t));
	return ML_OK;
}

static MlStatus
allocate(MlEnv *env, MlTree *tree, size_t width, uint32_t n_sets, uint32_t n_codes)
{
	ml_pool_lock(env->pool);
	tree->step = ml_alloc(env, tree->n_nodes, sizeof(MlTreeStep));
	tree->payload = ml_alloc(env, tree->n_nodes, sizeof(uint32_t));
	tree->rows = ml_alloc(env, tree->n_nodes, sizeof(uint32_t));
	tree->value = ml_alloc(env, tree->n_values, width * sizeof(double));
	tree->set = ml_alloc(env, (size_t) n_sets + 1, sizeof(MlTreeSet));
	tree->code = ml_alloc(env, (size_t) n_codes + 1, sizeof(uint16_t));
	ml_pool_unlock(env->pool);
	if (!tree->step || !tree->payload || !tree->rows || !tree->value || !tree->set || !tree->code)
		return env->error.status;
	return ML_OK;
}

static void
keep_split(const MlTreeGrower *g, const MlTreeForest *forest, const MlTreeGrowNode *node, MlTree *tree, uint32_t i)
{
	MlTreeStep *step = &tree->step[i];
	int32_t		f = node->feature;

	step->slot = (uint16_t) (1 + 2 * f + node->missing_left);
	tree->payload[i] = 0;
	if (node->category)
	{
		step->rank = ML_TREE_CATEGORY;
		tree->payload[i] = tree->n_sets;
		tree->set[tree->n_sets++] = (MlTreeSet) {tree->n_codes, node->set_count, node->set_left};
		if (node->set_count > 0)
			memcpy(tree->code + tree->n_codes, g->code + node->set_first, node->set_count * sizeof(uint16_t));
		tree->n_codes += node->set_count;
	}
	else if (forest->threshold[f] == g->ground->bins.column[f].upper)
		step->rank = (uint16_t) node->bin;
	else
		step->rank = (uint16_t) ml_search_double(forest->threshold[f], 0, forest->n_thresholds[f], node->threshold);
}

MlStatus
ml_tree_keep(MlTreeGrower *g, const MlTreeForest *forest, MlTree *tree)
{
	size_t		width = (size_t) forest->width;
	uint32_t	n_sets = 0;
	uint32_t	n_codes = 0;
	uint32_t	end = 1;

	ML_TRY(room_to_keep(g, width));
	tree->n_nodes = put_in_order(g);
	for (uint32_t i = 0; i < tree->n_nodes; i++)
	{
		MlTreeGrowNode *node = &g->node[g->order[i]];

		if (node->left != 0)
		{
			n_sets += node->category;
			n_codes += node->category ? node->set_count : 0;
			continue;
		}
		leaf_value(g, forest, g->order[i], g->value + (size_t) tree->n_values * width);
		node->bin = g->ground->classes ? number_of_value(g, width, &tree->n_values) : tree->n_values++;
	}
	if (allocate(g->ground->env, tree, width, n_sets, n_codes) != ML_OK)
		return g->status = g->ground->env->error.status;
	memcpy(tree->value, g->value, tree->n_values * width * sizeof(double));
	for (uint32_t i = 0; i < tree->n_nodes; i++)
	{
		const MlTreeGrowNode *node = &g->node[g->order[i]];

		tree->rows[i] = node->rows;
		if (node->left == 0)
		{
			tree->step[i] = (MlTreeStep) {.left = i};
			tree->payload[i] = node->bin;
			continue;
		}
		tree->step[i].left = end;
		end += 2;
		keep_split(g, forest, node, tree, i);
	}
	return ML_OK;
}

/* ---- thresholds ---- */

MlStatus
ml_tree_thresholds_of_bins(MlEnv *env, const MlTreeGround *ground, MlTreeForest *forest)
{
	for (int f = 0; f < ground->bins.n_features; f++)
	{
		const MlGbdtColumn *column = &ground->bins.column[f];

		if (column->category || !column->usable)
			continue;
		forest->n_thresholds[f] = column->n_bins - 1;
		forest->threshold[f] = column->binner.upper;
	}
	return ML_OK;
}

static int
by_value(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

MlStatus
ml_tree_thresholds_of_tree(MlTreeGrower *g, MlTreeForest *forest)
{
	MlEnv	   *env = g->ground->env;
	size_t		features = (size_t) forest->n_features;
	double	   *all = ml_alloc(env, (size_t) g->n_nodes + 1, sizeof(double));

	if (all == NULL)
		return env->error.status;
	for (size_t f = 0; f < features; f++)
	{
		const MlGbdtColumn *column = &g->ground->bins.column[f];
		uint32_t	n = 0;
		uint32_t	distinct = 0;

		if (column->category || !column->usable)
			continue;
		for (uint32_t i = 0; i < g->n_nodes; i++)
			if (g->node[i].left != 0 && g->node[i].feature == (int32_t) f && g->node[i].threshold < INFINITY)
				all[n++] = g->node[i].threshold;
		qsort(all, n, sizeof(double), by_value);
		for (uint32_t i = 0; i < n; i++)
			if (distinct == 0 || all[distinct - 1] != all[i])
				all[distinct++] = all[i];
		/* More than ranks can number: the limits of bins, which are fewer, send the same rows the same way. */
		if (distinct > ML_TREE_MAX_THRESHOLDS)
		{
			forest->n_thresholds[f] = column->n_bins - 1;
			forest->threshold[f] = column->binner.upper;
			continue;
		}
		forest->n_thresholds[f] = distinct;
		forest->threshold[f] = ml_alloc(env, (size_t) distinct + 1, sizeof(double));
		if (forest->threshold[f] == NULL)
			return env->error.status;
		memcpy(forest->threshold[f], all, distinct * sizeof(double));
	}
	ml_release(env, all);
	return ML_OK;
}
