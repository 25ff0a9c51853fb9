/*-------------------------------------------------------------------------
 * explain.c
 *	  What each feature adds to the answer of averaged trees: TreeSHAP of gbdt.
 *
 * A mean is a sum of trees whose leaves are divided by their number.  So the trees
 * are written down as gbdt has them, once for each class where there are more
 * than two.  The score is the value of a regression, or the share of a class.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>

#include "ml/algo/forest/trees.h"
#include "ml/algo/gbdt/forest.h"
#include "ml/base/arena.h"

typedef struct Explainer
{
	MlGbdtForest *forest;
	void	   *shap;
	bool		two;			/* the score is the share of the second of two classes */
} Explainer;

/* Room for one tree. */
typedef struct Room
{
	MlGbdtNode *node;
	uint32_t   *at;				/* node of ours -> node */
	uint16_t   *code;
	uint32_t	n_codes;
} Room;

/* Does a category split name "other", which in gbdt is in no set?  Then the other side is to be named. */
static bool
names_other(const MlTree *tree, const MlTreeSet *set, int32_t levels)
{
	return set->count > 0 && tree->code[set->first + set->count - 1] == levels;
}

/*
 * Names go left in gbdt, so a split that names its right side changes its sides.
 * Returns whether it does.
 */
static bool
put_set(const MlTree *tree, const MlTreeSet *set, int32_t levels, Room *room, MlGbdtNode *node)
{
	bool		inverse = names_other(tree, set, levels);
	uint32_t	next = 0;

	node->category = true;
	node->set_first = room->n_codes;
	for (int32_t code = 0; code < levels && inverse; code++)
	{
		while (next < set->count && tree->code[set->first + next] < code)
			next++;
		if (next == set->count || tree->code[set->first + next] != code)
			room->code[room->n_codes++] = (uint16_t) code;
	}
	for (uint32_t i = 0; i < set->count && !inverse; i++)
		room->code[room->n_codes++] = tree->code[set->first + i];
	node->set_count = room->n_codes - node->set_first;
	return set->left == inverse;
}

static void
put_split(const MlTreeForest *from, const MlTree *tree, uint32_t i, Room *room)
{
	const MlTreeStep *step = &tree->step[i];
	MlGbdtNode *node = &room->node[room->at[i]];
	int32_t		f = (step->slot - 1) / 2;
	bool		swap = false;

	node->feature = f;
	node->left = step->left;
	if (step->rank == ML_TREE_CATEGORY)
		swap = put_set(tree, &tree->set[tree->payload[i]], from->levels[f], room, node);
	else
		node->value = step->rank < from->n_thresholds[f] ? from->threshold[f][step->rank] : DBL_MAX;
	node->missing_left = (step->slot % 2 == 0) != swap;
	room->at[step->left] = step->left + swap;
	room->at[step->left + 1] = step->left + !swap;
}

/* Tree t, with the values of class k. */
static MlStatus
put_tree(MlEnv *env, const MlTreeForest *from, const MlTree *tree, size_t k, Room *room, MlGbdtForest *forest)
{
	room->n_codes = 0;
	room->at[0] = 0;
	for (uint32_t i = 0; i < tree->n_nodes; i++)
	{
		MlGbdtNode *node = &room->node[room->at[i]];

		*node = (MlGbdtNode) {.rows = tree->rows[i]};
		if (tree->step[i].slot != 0)
			put_split(from, tree, i, room);
		else
			node->value = tree->value[tree->payload[i] * (size_t) from->width + k] / from->n_trees;
	}
	return ml_gbdt_forest_add(env, forest, room->node, tree->n_nodes, room->code, room->n_codes);
}

/* Codes that a tree may have to name: splits that name "other" are turned round. */
static size_t
most_codes(const MlTreeForest *forest, const MlTree *tree)
{
	size_t		n = tree->n_codes;

	for (uint32_t i = 0; i < tree->n_nodes; i++)
		if (tree->step[i].slot != 0 && tree->step[i].rank == ML_TREE_CATEGORY)
		{
			int32_t		levels = forest->levels[(tree->step[i].slot - 1) / 2];

			if (names_other(tree, &tree->set[tree->payload[i]], levels))
				n += (size_t) levels;
		}
	return n;
}

static MlStatus
make_room(MlEnv *env, const MlTreeForest *forest, Room *room)
{
	size_t		nodes = 1;
	size_t		codes = 1;

	for (uint32_t t = 0; t < forest->n_trees; t++)
	{
		size_t		here = most_codes(forest, &forest->tree[t]);

		nodes = forest->tree[t].n_nodes > nodes ? forest->tree[t].n_nodes : nodes;
		codes = here > codes ? here : codes;
	}
	if (codes > INT32_MAX)
		return ml_fail(env, ML_TOO_LARGE, "the model is too large to be explained");
	room->node = ml_alloc(env, nodes, sizeof(MlGbdtNode));
	room->at = ml_alloc(env, nodes, sizeof(uint32_t));
	room->code = ml_alloc(env, codes, sizeof(uint16_t));
	return room->node && room->at && room->code ? ML_OK : env->error.status;
}

MlStatus
ml_tree_explainer(MlEnv *env, const void *model, const MlSchema *schema, void **explainer)
{
	const MlTreeForest *from = model;
	Explainer  *e = ml_alloc0(env, 1, sizeof(Explainer));
	Room		room = {0};

	if (e == NULL)
		return env->error.status;
	ML_TRY(make_room(env, from, &room));
	ML_TRY(ml_gbdt_forest_create(env, from->width > 1 ? ML_GBDT_SOFTMAX : ML_GBDT_SQUARED, schema, &e->forest));
	e->forest->scale = from->scale;
	e->two = from->answer == ML_TREE_SHARES && from->width == 1;
	for (uint32_t t = 0; t < from->n_trees; t++)
		for (size_t k = 0; k < (size_t) from->width; k++)
		{
			const MlTree *tree = &from->tree[t];

			/* A tree without a split says the same of every row; but trees take turns in their outputs. */
			if (tree->n_nodes > 1)
				ML_TRY(put_tree(env, from, tree, k, &room, e->forest));
			else
				e->forest->base[k] += tree->value[tree->payload[0] * (size_t) from->width + k] / from->n_trees;
		}
	ml_release(env, room.node);
	ml_release(env, room.at);
	ml_release(env, room.code);
	*explainer = e;
	return ml_gbdt_explainer(env, e->forest, schema, &e->shap);
}

void
ml_tree_explain(void *explainer, const double *x, int class_number, double *contribution, double *baseline)
{
	const Explainer *e = explainer;

	ml_gbdt_explain(e->shap, x, class_number, contribution, baseline);
	if (!e->two || class_number != 0)
		return;
	for (int32_t f = 0; f < e->forest->n_features; f++)
		contribution[f] = -contribution[f];
	*baseline = 1 - *baseline;
}
