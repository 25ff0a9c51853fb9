/*-------------------------------------------------------------------------
 * serve.c
 *	  Rows through all trees.
 *
 * First the ranks of a row: two for each feature, which differ in the side that
 * a missing value takes.  Then sixteen walks at once, through sixteen trees for one
 * row and for sixteen rows through one tree, so that as many chains of loads are
 * under way instead of one: trees of many leaves do not stay in the caches.  No branch depends on the row: a split adds the outcome
 * of its comparison to the number of its left child, and a leaf stays where it is.
 * Values are added in the order of the trees: the same bits both ways.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <string.h>

#include "ml/algo/forest/trees.h"
#include "ml/algo/gbdt/engine.h"
#include "ml/base/elementary.h"

#define WALKS 16
#define LN2 0.69314718055994530942

/* Slots of one row. */
static inline size_t
slots(const MlTreeForest *forest)
{
	return 2 * (size_t) forest->n_features + 1;
}

static inline void
put_rank(const MlTreeForest *forest, int32_t f, double v, uint16_t *rank)
{
	uint16_t   *slot = rank + 1 + 2 * f;

	if (forest->levels[f] > 0)
		slot[0] = slot[1] = ml_tree_code(v, forest->levels[f]);
	else if (v != v)
	{
		slot[0] = ML_TREE_MISSING;
		slot[1] = 0;
	}
	else
		slot[0] = slot[1] = (uint16_t) ml_gbdt_rank(forest->threshold[f], forest->n_thresholds[f], v);
}

/* Where a row goes from node i. */
static inline uint32_t
next_number(const MlTree *tree, const uint16_t *rank, uint32_t i)
{
	const MlTreeStep *step = &tree->step[i];

	return step->left + (rank[step->slot] > step->rank);
}

static inline uint32_t
next_any(const MlTree *tree, const uint16_t *rank, uint32_t i)
{
	const MlTreeStep *step = &tree->step[i];
	uint16_t	at = rank[step->slot];

	if (step->rank != ML_TREE_CATEGORY)
		return step->left + (at > step->rank);
	if (at == ML_TREE_MISSING)
		return step->left + step->slot % 2;
	return step->left + !ml_tree_set_left(tree, &tree->set[tree->payload[i]], at);
}

/* Walks on from at[] until none moves; written out by the compiler, so that the places stay in registers. */
#define DEFINE_WALKS(name, NEXT, TREE, RANK) \
static inline void \
name(const MlTree *tree, const uint16_t *rank, size_t stride, uint32_t *at) \
{ \
	uint32_t	moved; \
	do \
	{ \
		moved = 0; \
		for (int j = 0; j < WALKS; j++) \
		{ \
			uint32_t	next = NEXT(TREE, RANK, at[j]); \
			moved |= next ^ at[j]; \
			at[j] = next; \
		} \
	} while (moved != 0); \
}

DEFINE_WALKS(trees_numbers, next_number, tree + j, rank)
DEFINE_WALKS(trees_any, next_any, tree + j, rank)
DEFINE_WALKS(rows_numbers, next_number, tree, rank + (size_t) j * stride)
DEFINE_WALKS(rows_any, next_any, tree, rank + (size_t) j * stride)

static inline void
add_value(const MlTreeForest *forest, const MlTree *tree, uint32_t leaf, double *sum)
{
	const double *value = tree->value + (size_t) tree->payload[leaf] * (size_t) forest->width;

	for (int32_t k = 0; k < forest->width; k++)
		sum[k] += value[k];
}

/* The trees from number t on, fewer than WALKS, at once as well. */
static void
add_last_trees(const MlTreeForest *forest, const uint16_t *rank, uint32_t t, double *sum)
{
	const MlTree *tree = forest->tree + t;
	uint32_t	n = forest->n_trees - t;
	uint32_t	at[WALKS] = {0};
	uint32_t	moved = n;

	while (moved != 0)
	{
		moved = 0;
		for (uint32_t j = 0; j < n; j++)
		{
			uint32_t	next = next_any(tree + j, rank, at[j]);

			moved |= next ^ at[j];
			at[j] = next;
		}
	}
	for (uint32_t j = 0; j < n; j++)
		add_value(forest, tree + j, at[j], sum);
}

/* From sums over the trees to what the model answers; for two classes the sum is in out[0]. */
static inline void
finish(const MlTreeForest *forest, double *out)
{
	double		n = forest->n_trees;

	switch (forest->answer)
	{
		case ML_TREE_MEAN:
			out[0] = out[0] / n * forest->scale;
			out[0] = out[0] > DBL_MAX ? DBL_MAX : (out[0] < -DBL_MAX ? -DBL_MAX : out[0]);
			break;
		case ML_TREE_SHARES:
			if (forest->width > 1)
			{
				for (int32_t k = 0; k < forest->width; k++)
					out[k] /= n;
				break;
			}
			out[1] = out[0] / n;
			out[0] = 1 - out[1];
			break;
		case ML_TREE_ISOLATION:
			out[0] = ml_exp(-(out[0] / n) * LN2);
			out[1] = out[0] > forest->cut;
			break;
	}
}

void
ml_tree_predict(const void *model, const double *x, double *out, void *scratch)
{
	const MlTreeForest *forest = model;
	uint16_t   *rank = scratch;
	uint32_t	t = 0;

	rank[0] = 0;
	for (int32_t u = 0; u < forest->n_used; u++)
		put_rank(forest, forest->used[u], x[forest->used[u]], rank);
	for (int32_t k = 0; k < forest->width; k++)
		out[k] = 0;
	for (; t + WALKS <= forest->n_trees; t += WALKS)
	{
		uint32_t	at[WALKS] = {0};

		if (forest->has_sets)
			trees_any(forest->tree + t, rank, 0, at);
		else
			trees_numbers(forest->tree + t, rank, 0, at);
		for (int j = 0; j < WALKS; j++)
			add_value(forest, &forest->tree[t + (uint32_t) j], at[j], out);
	}
	add_last_trees(forest, rank, t, out);
	finish(forest, out);
}

bool
ml_tree_predict_batch(const void *model, const double *x, size_t n, double *out, void *scratch)
{
	const MlTreeForest *forest = model;
	uint16_t   *rank = scratch;
	size_t		stride = slots(forest);
	size_t		width = forest->answer != ML_TREE_MEAN && forest->width == 1 ? 2 : (size_t) forest->width;
	size_t		whole = (n + WALKS - 1) / WALKS * WALKS;

	/* Rows beyond the last are walked, too: as rows of missing values. */
	for (size_t i = 0; i < whole; i++)
		rank[i * stride] = 0;
	for (int32_t u = 0; u < forest->n_used; u++)
		for (size_t i = 0; i < whole; i++)
			put_rank(forest, forest->used[u], i < n ? x[(size_t) forest->used[u] * ML_BATCH_ROWS + i] : __builtin_nan(""), rank + i * stride);
	memset(out, 0, n * width * sizeof(double));
	for (uint32_t t = 0; t < forest->n_trees; t++)
		for (size_t i = 0; i < n; i += WALKS)
		{
			uint32_t	at[WALKS] = {0};

			if (forest->has_sets)
				rows_any(&forest->tree[t], rank + i * stride, stride, at);
			else
				rows_numbers(&forest->tree[t], rank + i * stride, stride, at);
			for (size_t j = 0; j < WALKS && i + j < n; j++)
				add_value(forest, &forest->tree[t], at[j], out + (i + j) * width);
		}
	for (size_t i = 0; i < n; i++)
		finish(forest, out + i * width);
	return true;
}

size_t
ml_tree_scratch_size(const void *model)
{
	return slots(model) * sizeof(uint16_t) * ML_BATCH_ROWS;
}

double
ml_tree_predict_cost(const void *model)
{
	const MlTreeForest *forest = model;

	/* Deep trees do not stay in the caches: each step waits for memory, eight at a time. */
	return 20 + 15.0 * forest->n_used + forest->n_trees * (4 + forest->mean_depth * (forest->has_sets ? 6 : 2.5) + forest->width);
}
