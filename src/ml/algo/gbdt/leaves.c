/*-------------------------------------------------------------------------
 * leaves.c
 *	  What each leaf of a grown tree adds, and adding it.
 *
 * Splits are chosen on quantised gradients; values come from the gradients
 * themselves.  Each row of a block learns the number of its leaf, and then the rows are
 * gone through in their order in memory: leaf by leaf, eight leaves would fetch each
 * cache line of gradients, and of scores, anew.  Sums are those of fixed blocks of rows,
 * joined in block order.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "ml/algo/gbdt/grow_internal.h"
#include "ml/base/lanes.h"
#include "ml/base/pool.h"
#include "ml/base/search.h"

/* No sum of 2^32 trees of such leaves leaves the range of a double. */
#define LEAF_LIMIT 0x1p600

static double
limited(double value)
{
	if (value != value)
		return 0;
	return value > LEAF_LIMIT ? LEAF_LIMIT : (value < -LEAF_LIMIT ? -LEAF_LIMIT : value);
}

/* Tells rows begin .. end-1 which leaf they are in. */
static void
mark_rows(MlGbdtGrower *grower, size_t begin, size_t end)
{
	for (int32_t l = 0; l < grower->n_leaves; l++)
	{
		const MlGbdtLeaf *leaf = &grower->leaf[l];
		const uint32_t *rows = leaf->rows;
		size_t		first = ml_search_u32(rows, 0, leaf->count, begin);
		size_t		last = ml_search_u32(rows, first, leaf->count, end);

		for (size_t i = first; i < last; i++)
			grower->leaf_of[rows[i]] = (uint32_t) l;
	}
}

/* Gradients and hessians, by leaf: two sums each, of every other row, for neighbours are often of one leaf. */
ML_LANES_INLINE void
sum_rows_body(MlGbdtGrower *grower, size_t begin, size_t end, bool all, bool plain)
{
	const MlGbdtLoss *loss = grower->loss;
	const double *g = loss->g + (size_t) grower->output * loss->n;
	bool		identity = ml_gbdt_identity(loss->objective);
	MlGbdtLeafSum *sum = grower->leaf_sum + begin / grower->sum_rows * 2 * (size_t) grower->n_leaves;

	memset(sum, 0, 2 * (size_t) grower->n_leaves * sizeof(MlGbdtLeafSum));
	for (size_t i = begin; i < end; i++)
	{
		size_t		r = all ? i : grower->drawn[i];
		double		v = g[r];
		double		a = v < 0 ? -v : v;
		double		h = plain ? (identity ? 1 : loss->hessian_factor * a * (1 - a)) : ml_gbdt_hessian(loss, r, v, ml_gbdt_weight(loss, r));

		sum[2 * grower->leaf_of[r] + i % 2] += (MlGbdtLeafSum) {v, h};
	}
}

/*
 * One task: the next sum_rows rows that the tree was grown on.  Their leaves are summed up while they are in the cache; written
 * leaf by leaf, cache lines would go from core to core.
 */
static void
sum_block(void *arg, size_t task, int thread)
{
	MlGbdtGrower *grower = arg;
	size_t		begin = task * grower->sum_rows;
	size_t		end = begin + grower->sum_rows < grower->n_rows ? begin + grower->sum_rows : grower->n_rows;
	bool		plain = grower->loss->weight == NULL && grower->loss->h == NULL;

	mark_rows(grower, grower->drawn[begin], (size_t) grower->drawn[end - 1] + 1);
	if (ml_gbdt_renews_leaves(grower->loss->objective))
		return;
	if (grower->n_rows != grower->bins->n)
		sum_rows_body(grower, begin, end, false, false);
	else if (plain)
		sum_rows_body(grower, begin, end, true, true);
	else
		sum_rows_body(grower, begin, end, true, false);
}

/* One task: one leaf whose value is a quantile. */
static void
quantile_leaf(void *arg, size_t task, int thread)
{
	MlGbdtGrower *grower = arg;
	const MlGbdtLoss *loss = grower->loss;
	const MlGbdtLeaf *leaf = &grower->leaf[task];
	const uint32_t *rows = leaf->rows;
	double	   *value = grower->median_value + leaf->begin;
	double	   *weight = grower->median_weight + leaf->begin;

	for (size_t i = 0; i < leaf->count; i++)
	{
		value[i] = loss->y[rows[i]] - loss->score[rows[i]];
		/* Rows drawn by gradient count for others, too; their hessian is their weight. */
		weight[i] = ml_gbdt_hessian(loss, rows[i], 0, ml_gbdt_weight(loss, rows[i]));
	}
	grower->node[leaf->node].value = limited(grower->rules->learning_rate * ml_gbdt_between(
		ml_gbdt_quantile(value, weight, leaf->count, loss->objective == ML_GBDT_QUANTILE ? loss->shape : 0.5), leaf->lower, leaf->upper));
}

MlStatus
ml_gbdt_leaf_values(MlEnv *env, MlGbdtGrower *grower)
{
	size_t		leaves = (size_t) grower->n_leaves;
	size_t		blocks = (grower->n_rows + grower->sum_rows - 1) / grower->sum_rows;

	ML_TRY(ml_pool_run(env, blocks, sum_block, grower));
	if (ml_gbdt_renews_leaves(grower->loss->objective))
		return ml_pool_run(env, leaves, quantile_leaf, grower);
	for (size_t l = 0; l < leaves; l++)
	{
		const MlGbdtLeaf *leaf = &grower->leaf[l];
		MlGbdtLeafSum sum = {0, 0};

		for (size_t b = 0; b < blocks; b++)
			sum += grower->leaf_sum[2 * (b * leaves + l)] + grower->leaf_sum[2 * (b * leaves + l) + 1];
		grower->node[leaf->node].value = limited(grower->rules->learning_rate * ml_gbdt_between(
			ml_gbdt_leaf_value(grower->rules, sum[0], sum[1], grower->rules->lambda_l2 + leaf->extra_l2), leaf->lower, leaf->upper));
	}
	return ML_OK;
}

static void
score_block(void *arg, size_t task, int thread)
{
	MlGbdtGrower *grower = arg;
	MlGbdtLoss *loss = grower->loss;
	double	   *score = loss->score + (size_t) grower->output * (loss->n + loss->n_valid);
	size_t		begin = task * ML_GBDT_BLOCK;
	size_t		end = begin + ML_GBDT_BLOCK < grower->n_rows ? begin + ML_GBDT_BLOCK : grower->n_rows;

	for (size_t i = begin; i < end; i++)
		score[grower->drawn[i]] += grower->leaf_value[grower->leaf_of[grower->drawn[i]]];
}

MlStatus
ml_gbdt_leaf_scores(MlEnv *env, MlGbdtGrower *grower)
{
	MlGbdtLoss *loss = grower->loss;

	for (int32_t l = 0; l < grower->n_leaves; l++)
		grower->leaf_value[l] = grower->node[grower->leaf[l].node].value;
	if (grower->n_rows == grower->bins->n && loss->n_outputs == 1)
	{
		loss->leaf_of = grower->leaf_of;
		loss->leaf_value = grower->leaf_value;
		return ML_OK;
	}
	return ml_pool_run(env, (grower->n_rows + ML_GBDT_BLOCK - 1) / ML_GBDT_BLOCK, score_block, grower);
}
