/*-------------------------------------------------------------------------
 * trees.c
 *	  Keeping grown trees, and walking one.
 *-------------------------------------------------------------------------
 */
#include "ml/algo/forest/trees.h"

#include <math.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/search.h"

MlStatus
ml_tree_forest_create(MlEnv *env, MlTreeAnswer answer, const MlSchema *schema, uint32_t n_trees, MlTreeForest **result)
{
	MlTreeForest *forest = ml_alloc0(env, 1, sizeof(MlTreeForest));
	size_t		features = (size_t) schema->n_features;

	if (forest == NULL)
		return env->error.status;
	forest->answer = answer;
	forest->n_features = schema->n_features;
	forest->width = answer == ML_TREE_SHARES && schema->n_classes > 2 ? schema->n_classes : 1;
	forest->scale = 1;
	forest->n_trees = n_trees;
	forest->tree = ml_alloc0(env, (size_t) n_trees + 1, sizeof(MlTree));
	forest->n_thresholds = ml_alloc0(env, features + 1, sizeof(uint32_t));
	forest->threshold = ml_alloc0(env, features + 1, sizeof(double *));
	forest->gain = ml_alloc0(env, features + 1, sizeof(double));
	for (int i = 0; i < ML_TREE_FIGURES; i++)
		forest->figure[i] = NAN;
	*result = forest;
	if (!forest->tree || !forest->n_thresholds || !forest->threshold || !forest->gain)
		return env->error.status;
	return ML_OK;
}

/* Steps of a row, the mean over the rows of the sample: at each split they come to they take one. */
static double
mean_depth(const MlTree *tree)
{
	double		steps = 0;

	for (uint32_t i = 0; i < tree->n_nodes; i++)
		if (tree->step[i].slot != 0)
			steps += tree->rows[i];
	return tree->rows[0] > 0 ? steps / tree->rows[0] : 0;
}

MlStatus
ml_tree_forest_prepare(MlEnv *env, MlTreeForest *forest, const MlSchema *schema)
{
	size_t		features = (size_t) forest->n_features;
	bool	   *asked = ml_alloc0(env, features + 1, sizeof(bool));

	forest->used = ml_alloc0(env, features + 1, sizeof(int32_t));
	forest->levels = ml_alloc0(env, features + 1, sizeof(int32_t));
	if (asked == NULL || forest->used == NULL || forest->levels == NULL)
		return env->error.status;
	forest->mean_depth = 0;
	for (uint32_t t = 0; t < forest->n_trees; t++)
	{
		const MlTree *tree = &forest->tree[t];

		for (uint32_t i = 0; i < tree->n_nodes; i++)
			if (tree->step[i].slot != 0)
				asked[(tree->step[i].slot - 1) / 2] = true;
		forest->mean_depth += mean_depth(tree) / forest->n_trees;
	}
	for (size_t f = 0; f < features; f++)
	{
		if (schema->features[f].kind == ML_FEATURE_CATEGORY)
			forest->levels[f] = schema->features[f].levels;
		if (!asked[f])
			continue;
		forest->used[forest->n_used++] = (int32_t) f;
		if (schema->features[f].kind == ML_FEATURE_CATEGORY)
			forest->has_sets = true;
	}
	return ML_OK;
}

bool
ml_tree_set_left(const MlTree *tree, const MlTreeSet *set, uint32_t code)
{
	const uint16_t *codes = set->count > 0 ? tree->code + set->first : NULL;	/* without any set there is no array to point into */

	return ml_codes_have(codes, set->count, code) == set->left;
}

uint32_t
ml_tree_walk(const MlTree *tree, const uint16_t *rank)
{
	uint32_t	i = 0;

	while (tree->step[i].slot != 0)
	{
		const MlTreeStep *step = &tree->step[i];
		uint16_t	at = rank[step->slot];
		bool		right = at > step->rank;

		if (step->rank == ML_TREE_CATEGORY)
			right = at == ML_TREE_MISSING ? step->slot % 2 != 0 : !ml_tree_set_left(tree, &tree->set[tree->payload[i]], at);
		i = step->left + right;
	}
	return i;
}

MlStatus
ml_tree_importance(MlEnv *env, const void *model, const MlSchema *schema, const char *how, double *out)
{
	const MlTreeForest *forest = model;
	size_t		features = (size_t) schema->n_features;

	if (strcmp(how, "gain") == 0)
		memcpy(out, forest->gain, features * sizeof(double));
	else if (strcmp(how, "split") == 0)
	{
		memset(out, 0, features * sizeof(double));
		for (uint32_t t = 0; t < forest->n_trees; t++)
			for (uint32_t i = 0; i < forest->tree[t].n_nodes; i++)
				if (forest->tree[t].step[i].slot != 0)
					out[(forest->tree[t].step[i].slot - 1) / 2]++;
	}
	else if (strcmp(how, "permutation") == 0 && forest->permutation != NULL)
		memcpy(out, forest->permutation, features * sizeof(double));
	else if (strcmp(how, "permutation") == 0)
	{
		ml_fail(env, ML_BAD_PARAM, "the importance by permutation was not computed for this model");
		return ml_hint(env, "Forests with bootstrap compute it when they are trained with permutation_importance = true.");
	}
	else
	{
		ml_fail(env, ML_BAD_PARAM, "unknown importance \"%s\"", how);
		return ml_hint(env, "Trees have \"gain\" and \"split\", forests also \"permutation\".");
	}
	return ML_OK;
}

static uint32_t
depth_of(const MlTree *tree, uint32_t *depth)
{
	uint32_t	most = 0;

	depth[0] = 0;
	for (uint32_t i = 0; i < tree->n_nodes; i++)
	{
		most = depth[i] > most ? depth[i] : most;
		if (tree->step[i].slot != 0)
			depth[tree->step[i].left] = depth[tree->step[i].left + 1] = depth[i] + 1;
	}
	return most;
}

MlStatus
ml_tree_statistics(MlEnv *env, const void *model, const MlSchema *schema, MlStatistic **rows, size_t *count)
{
	const MlTreeForest *forest = model;
	bool		classes = forest->answer == ML_TREE_SHARES;
	const char *const names[ML_TREE_FIGURES] = {
		[ML_TREE_OOB_SCORE] = classes ? "oob_accuracy" : "oob_r2",
		[ML_TREE_OOB_LOSS] = classes ? "oob_logloss" : "oob_rmse",
		[ML_TREE_OOB_ROWS] = "oob_rows"
	};
	uint32_t	largest = 1;
	uint32_t	deepest = 0;
	double		nodes = 0;
	uint32_t   *depth;

	for (uint32_t t = 0; t < forest->n_trees; t++)
	{
		largest = forest->tree[t].n_nodes > largest ? forest->tree[t].n_nodes : largest;
		nodes += forest->tree[t].n_nodes;
	}
	depth = ml_alloc(env, largest, sizeof(uint32_t));
	*rows = ml_alloc(env, 5 + ML_TREE_FIGURES, sizeof(MlStatistic));
	if (depth == NULL || *rows == NULL)
		return env->error.status;
	for (uint32_t t = 0; t < forest->n_trees; t++)
	{
		uint32_t	d = depth_of(&forest->tree[t], depth);

		deepest = d > deepest ? d : deepest;
	}
	*count = 0;
	(*rows)[(*count)++] = (MlStatistic) {"trees", forest->n_trees};
	(*rows)[(*count)++] = (MlStatistic) {"leaves", (nodes + forest->n_trees) / 2};
	(*rows)[(*count)++] = (MlStatistic) {"max_depth", deepest};
	(*rows)[(*count)++] = (MlStatistic) {"mean_depth", forest->mean_depth};
	if (forest->answer == ML_TREE_ISOLATION)
		(*rows)[(*count)++] = (MlStatistic) {"threshold", forest->cut};
	for (int i = 0; i < ML_TREE_FIGURES; i++)
		if (!isnan(forest->figure[ML_TREE_OOB_ROWS]))
			(*rows)[(*count)++] = (MlStatistic) {names[i], forest->figure[i]};
	return ML_OK;
}
