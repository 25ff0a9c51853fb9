/*-------------------------------------------------------------------------
 * thresholds.c
 *	  The thresholds of each number in a forest, sorted.
 *
 * All that trees ask of a number is which thresholds it exceeds, so its rank
 * among them stands for it exactly, whatever the type it is compared in.
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "ml/algo/gbdt/engine.h"
#include "ml/base/arena.h"

static int
by_value(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

static uint32_t
sort_distinct(double *value, uint32_t n)
{
	uint32_t	distinct = 0;

	qsort(value, n, sizeof(double), by_value);
	for (uint32_t i = 0; i < n; i++)
		if (distinct == 0 || value[distinct - 1] != value[i])
			value[distinct++] = value[i];
	return distinct;
}

static bool
all_single(const double *value, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if ((double) (float) value[i] != value[i])
			return false;
	return true;
}

static inline bool
asks_number(const MlGbdtNode *node)
{
	return node->left != 0 && !node->category;
}

MlStatus
ml_gbdt_thresholds_make(MlEnv *env, const MlGbdtForest *forest, MlGbdtThresholds **result)
{
	size_t		features = (size_t) forest->n_features;
	MlGbdtThresholds *t = ml_alloc0(env, 1, sizeof(MlGbdtThresholds));
	size_t		total = 0;
	double	   *room;

	if (t == NULL)
		return env->error.status;
	t->n_features = forest->n_features;
	t->count = ml_alloc0(env, features + 1, sizeof(uint32_t));
	t->value = ml_alloc0(env, features + 1, sizeof(double *));
	t->single = ml_alloc0(env, features + 1, sizeof(bool));
	if (!t->count || !t->value || !t->single)
		return env->error.status;
	for (uint32_t i = 0; i < forest->n_nodes; i++)
		if (asks_number(&forest->node[i]))
			t->count[forest->node[i].feature]++, total++;
	room = ml_alloc(env, total + 1, sizeof(double));
	if (room == NULL)
		return env->error.status;
	for (size_t f = 0; f < features; f++)
	{
		t->value[f] = room;
		room += t->count[f];
		t->count[f] = 0;
	}
	for (uint32_t i = 0; i < forest->n_nodes; i++)
	{
		const MlGbdtNode *node = &forest->node[i];

		if (asks_number(node))
			t->value[node->feature][t->count[node->feature]++] = node->value;
	}
	for (size_t f = 0; f < features; f++)
	{
		t->count[f] = sort_distinct(t->value[f], t->count[f]);
		t->single[f] = all_single(t->value[f], t->count[f]);
	}
	*result = t;
	return ML_OK;
}
