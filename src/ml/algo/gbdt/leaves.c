/*-------------------------------------------------------------------------
 * leaves.c
 *	  What each leaf of a grown tree adds, and adding it.
 *
 * Splits are chosen on quantised gradients; values come from the gradients
 * themselves, summed over fixed blocks of each leaf's rows in block order.
 *-------------------------------------------------------------------------
 */
#include "ml/algo/gbdt/grow_internal.h"
#include "ml/base/pool.h"

/* No sum of 2^32 trees of such leaves leaves the range of a double. */
#define LEAF_LIMIT 0x1p600

static double
limited(double value)
{
	if (value != value)
		return 0;
	return value > LEAF_LIMIT ? LEAF_LIMIT : (value < -LEAF_LIMIT ? -LEAF_LIMIT : value);
}

/* Which leaf a block belongs to: the last one that begins at or before it. */
static int32_t
leaf_of_block(const MlGbdtGrower *grower, size_t block)
{
	int32_t		low = 0;
	int32_t		high = grower->n_leaves;

	while (high - low > 1)
	{
		int32_t		middle = low + (high - low) / 2;

		if (grower->first_block[middle] <= block)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* The rows of a block. */
static const uint32_t *
block_rows(const MlGbdtGrower *grower, size_t block, size_t *n, const MlGbdtLeaf **leaf)
{
	int32_t		l = leaf_of_block(grower, block);
	size_t		offset = (block - grower->first_block[l]) * ML_GBDT_BLOCK;

	*leaf = &grower->leaf[l];
	*n = (*leaf)->count - offset < ML_GBDT_BLOCK ? (*leaf)->count - offset : ML_GBDT_BLOCK;
	return grower->rows + (*leaf)->begin + offset;
}

static size_t
number_blocks(MlGbdtGrower *grower)
{
	size_t		blocks = 0;

	for (int32_t l = 0; l < grower->n_leaves; l++)
	{
		grower->first_block[l] = blocks;
		blocks += (grower->leaf[l].count + ML_GBDT_BLOCK - 1) / ML_GBDT_BLOCK;
	}
	grower->first_block[grower->n_leaves] = blocks;
	return blocks;
}

static void
sum_block(void *arg, size_t task, int thread)
{
	MlGbdtGrower *grower = arg;
	const MlGbdtLoss *loss = grower->loss;
	const double *g = loss->g + (size_t) grower->output * loss->n;
	const MlGbdtLeaf *leaf;
	size_t		n;
	const uint32_t *rows = block_rows(grower, task, &n, &leaf);
	double		sum_g = 0;
	double		sum_h = 0;

	for (size_t i = 0; i < n; i++)
	{
		size_t		r = rows[i];

		sum_g += g[r];
		sum_h += ml_gbdt_hessian(loss, r, g[r], ml_gbdt_weight(loss, r));
	}
	grower->block_sum[2 * task] = sum_g;
	grower->block_sum[2 * task + 1] = sum_h;
}

/* One task: one leaf whose value is a quantile. */
static void
quantile_leaf(void *arg, size_t task, int thread)
{
	MlGbdtGrower *grower = arg;
	const MlGbdtLoss *loss = grower->loss;
	const MlGbdtLeaf *leaf = &grower->leaf[task];
	const uint32_t *rows = grower->rows + leaf->begin;
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
	size_t		blocks = number_blocks(grower);

	if (ml_gbdt_renews_leaves(grower->loss->objective))
		return ml_pool_run(env, (size_t) grower->n_leaves, quantile_leaf, grower);
	ML_TRY(ml_pool_run(env, blocks, sum_block, grower));
	for (int32_t l = 0; l < grower->n_leaves; l++)
	{
		const MlGbdtLeaf *leaf = &grower->leaf[l];
		double		g = 0;
		double		h = 0;

		for (size_t b = grower->first_block[l]; b < grower->first_block[l + 1]; b++)
		{
			g += grower->block_sum[2 * b];
			h += grower->block_sum[2 * b + 1];
		}
		grower->node[leaf->node].value = limited(grower->rules->learning_rate * ml_gbdt_between(
			ml_gbdt_leaf_value(grower->rules, g, h, grower->rules->lambda_l2 + leaf->extra_l2), leaf->lower, leaf->upper));
	}
	return ML_OK;
}

static void
score_block(void *arg, size_t task, int thread)
{
	MlGbdtGrower *grower = arg;
	MlGbdtLoss *loss = grower->loss;
	double	   *score = loss->score + (size_t) grower->output * (loss->n + loss->n_valid);
	const MlGbdtLeaf *leaf;
	size_t		n;
	const uint32_t *rows = block_rows(grower, task, &n, &leaf);
	double		value = grower->node[leaf->node].value;

	for (size_t i = 0; i < n; i++)
		score[rows[i]] += value;
}

MlStatus
ml_gbdt_leaf_scores(MlEnv *env, MlGbdtGrower *grower)
{
	return ml_pool_run(env, number_blocks(grower), score_block, grower);
}
