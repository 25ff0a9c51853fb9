/*-------------------------------------------------------------------------
 * oob.c
 *	  What the rows out of the bags say: how good the forest is, and which
 *	  features it needs.
 *
 * A row is judged by the trees that were not grown on it (Breiman 2001).  Trees
 * are added in their order, each by blocks of rows, so the figures have the same bits
 * for any number of threads.  Rows are walked by their bins, eight at a time.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "ml/algo/forest/fit_internal.h"
#include "ml/base/arena.h"
#include "ml/base/elementary.h"
#include "ml/base/pool.h"

/* Rows of a task. */
#define BLOCK 8192
#define WALKS 8

/* The features of a tree are judged on at most so many rows out of its bag. */
#define PERMUTED_ROWS 10000

/* Shares are not taken below this in a logarithm. */
#define TINY 1e-15

/* A row whose feature "exchanged" has the value of another row; -1: all its own. */
typedef struct Exchange
{
	int32_t		feature;
	const uint32_t *row;		/* by place in the list that is walked */
} Exchange;

static inline uint32_t
next_node(const MlTree *tree, const MlGbdtBins *bins, uint32_t row, uint32_t at)
{
	const MlTreeStep *step = &tree->step[at];
	const MlGbdtColumn *column;
	uint32_t	bin;

	if (step->slot == 0)
		return at;
	column = &bins->column[(step->slot - 1) / 2];
	bin = ml_tree_bin(column, row);
	if (bin == column->missing)
		return step->left + step->slot % 2;
	if (step->rank == ML_TREE_CATEGORY)
		return step->left + !ml_tree_set_left(tree, &tree->set[tree->payload[at]], bin);
	return step->left + (bin > step->rank);
}

/* The leaves of n rows. */
static void
find_leaves(const MlTree *tree, const MlGbdtBins *bins, const uint32_t *row, size_t n, const Exchange *exchange, uint32_t *leaf)
{
	for (size_t i = 0; i < n; i += WALKS)
	{
		size_t		walks = n - i < WALKS ? n - i : WALKS;
		uint32_t	at[WALKS] = {0};
		uint32_t	moved;

		do
		{
			moved = 0;
			for (size_t j = 0; j < walks; j++)
			{
				uint32_t	from = row[i + j];
				uint32_t	next;

				if (exchange != NULL && tree->step[at[j]].slot != 0 && (tree->step[at[j]].slot - 1) / 2 == exchange->feature)
					from = exchange->row[i + j];
				next = next_node(tree, bins, from, at[j]);
				moved |= next ^ at[j];
				at[j] = next;
			}
		} while (moved != 0);
		memcpy(leaf + i, at, walks * sizeof(uint32_t));
	}
}

/* ---- how good the forest is ---- */

typedef struct Judging
{
	MlEnv	   *env;
	const MlTreePlan *plan;
	const MlTreeGround *ground;
	MlTreeForest *forest;
	uint16_t   *bag;
	const MlTree *tree;			/* to be added */
	double	   *sum;			/* by row, width of the forest */
	uint32_t   *trees;			/* by row */
	uint32_t   *list;			/* by thread, BLOCK rows */
	uint32_t   *leaf;
	double	   *partial;		/* by block: rows, right or squared errors, loss, target, its square */
} Judging;

enum
{
	SUM_ROWS, SUM_RIGHT, SUM_LOSS, SUM_Y, SUM_YY, SUMS
};

static void
add_tree(void *arg, size_t task, int thread)
{
	Judging    *j = arg;
	size_t		begin = task * BLOCK;
	size_t		end = begin + BLOCK < j->ground->data->n_train ? begin + BLOCK : j->ground->data->n_train;
	uint32_t   *list = j->list + (size_t) thread * BLOCK;
	uint32_t   *leaf = j->leaf + (size_t) thread * BLOCK;
	size_t		width = (size_t) j->forest->width;
	size_t		n = 0;

	for (size_t i = begin; i < end; i++)
	{
		list[n] = (uint32_t) i;
		n += j->bag[i] == 0;
	}
	find_leaves(j->tree, &j->ground->bins, list, n, NULL, leaf);
	for (size_t i = 0; i < n; i++)
	{
		const double *value = j->tree->value + j->tree->payload[leaf[i]] * width;

		for (size_t k = 0; k < width; k++)
			j->sum[list[i] * width + k] += value[k];
		j->trees[list[i]]++;
	}
}

/* The share of the class of a row, and whether it is the largest one. */
static double
share_of_class(const Judging *j, size_t row, bool *right)
{
	size_t		width = (size_t) j->forest->width;
	const double *sum = j->sum + row * width;
	int			y = (int) j->ground->data->y[row];
	double		share;

	if (width == 1)
	{
		share = sum[0] / j->trees[row];
		*right = (share > 0.5) == (y == 1);
		return y == 1 ? share : 1 - share;
	}
	*right = true;
	for (int k = 0; k < (int) width; k++)
		*right &= sum[y] > sum[k] || (sum[y] == sum[k] && y <= k);
	return sum[y] / j->trees[row];
}

static void
judge_block(void *arg, size_t task, int thread)
{
	Judging    *j = arg;
	size_t		begin = task * BLOCK;
	size_t		end = begin + BLOCK < j->ground->data->n_train ? begin + BLOCK : j->ground->data->n_train;
	double	   *s = j->partial + task * SUMS;

	memset(s, 0, SUMS * sizeof(double));
	for (size_t i = begin; i < end; i++)
	{
		if (j->trees[i] == 0)
			continue;
		s[SUM_ROWS]++;
		if (j->ground->classes)
		{
			bool		right;
			double		share = share_of_class(j, i, &right);

			s[SUM_RIGHT] += right;
			s[SUM_LOSS] -= ml_log(share > TINY ? share : TINY);
		}
		else
		{
			double		y = j->ground->y[i];
			double		error = j->sum[i] / j->trees[i] - j->ground->y_mean - y;

			s[SUM_LOSS] += error * error;
			s[SUM_Y] += y;
			s[SUM_YY] += y * y;
		}
	}
}

/* The figures of the trees so far: [0] accuracy or R2, [1] log loss or root of the mean squared error, [2] rows. */
static MlStatus
judge(Judging *j, size_t blocks, double *figure)
{
	double		s[SUMS] = {0};

	ML_TRY(ml_pool_run(j->env, blocks, judge_block, j));
	for (size_t b = 0; b < blocks; b++)
		for (int i = 0; i < SUMS; i++)
			s[i] += j->partial[b * SUMS + (size_t) i];
	figure[ML_TREE_OOB_ROWS] = s[SUM_ROWS];
	figure[ML_TREE_OOB_SCORE] = NAN;
	figure[ML_TREE_OOB_LOSS] = NAN;
	if (s[SUM_ROWS] == 0)
		return ML_OK;
	if (j->ground->classes)
	{
		figure[ML_TREE_OOB_SCORE] = s[SUM_RIGHT] / s[SUM_ROWS];
		figure[ML_TREE_OOB_LOSS] = s[SUM_LOSS] / s[SUM_ROWS];
	}
	else
	{
		double		variation = s[SUM_YY] - s[SUM_Y] * s[SUM_Y] / s[SUM_ROWS];
		double		rmse = sqrt(s[SUM_LOSS] / s[SUM_ROWS]) * j->forest->scale;

		figure[ML_TREE_OOB_SCORE] = variation > 0 ? 1 - s[SUM_LOSS] / variation : NAN;
		figure[ML_TREE_OOB_LOSS] = rmse < DBL_MAX ? rmse : DBL_MAX;
	}
	return ML_OK;
}

static void
write_history(const Judging *j, uint32_t trees, const double *figure)
{
	bool		classes = j->ground->classes;

	if (!isnan(figure[ML_TREE_OOB_SCORE]))
		ml_history(j->env, (int32_t) trees, "oob", classes ? "accuracy" : "r2", figure[ML_TREE_OOB_SCORE]);
	if (!isnan(figure[ML_TREE_OOB_LOSS]))
		ml_history(j->env, (int32_t) trees, "oob", classes ? "logloss" : "rmse", figure[ML_TREE_OOB_LOSS]);
}

MlStatus
ml_tree_judge_oob(MlEnv *env, const MlTreePlan *plan, const MlTreeGround *ground, MlTreeForest *forest)
{
	size_t		n = ground->data->n_train;
	size_t		blocks = (n + BLOCK - 1) / BLOCK;
	size_t		threads = (size_t) ml_pool_threads(env->pool);
	uint32_t	stride = plan->n_trees < 20 ? 1 : plan->n_trees / 10;
	Judging		j = {.env = env, .plan = plan, .ground = ground, .forest = forest};

	j.bag = ml_alloc(env, n, sizeof(uint16_t));
	j.sum = ml_alloc0(env, n, sizeof(double) * (size_t) forest->width);
	j.trees = ml_alloc0(env, n, sizeof(uint32_t));
	j.list = ml_alloc(env, threads * BLOCK, sizeof(uint32_t));
	j.leaf = ml_alloc(env, threads * BLOCK, sizeof(uint32_t));
	j.partial = ml_alloc(env, blocks, SUMS * sizeof(double));
	if (!j.bag || !j.sum || !j.trees || !j.list || !j.leaf || !j.partial)
		return env->error.status;
	for (uint32_t t = 0; t < forest->n_trees; t++)
	{
		ml_tree_draw_bag(plan, env->seed, t, n, j.bag);
		j.tree = &forest->tree[t];
		ML_TRY(ml_pool_run(env, blocks, add_tree, &j));
		ml_progress(env, &(MlProgress) {
			.phase = "evaluate", .share = (double) (t + 1) / forest->n_trees, .train_loss = NAN, .validation_loss = NAN
		});
		if ((t + 1) % stride != 0 && t + 1 < forest->n_trees)
			continue;
		ML_TRY(judge(&j, blocks, forest->figure));
		write_history(&j, t + 1, forest->figure);
	}
	ml_release(env, j.sum);
	ml_release(env, j.trees);
	ml_release(env, j.bag);
	return ML_OK;
}

/* ---- which features it needs ---- */

typedef struct Permuting
{
	MlEnv	   *env;
	const MlTreePlan *plan;
	const MlTreeGround *ground;
	const MlTreeForest *forest;
	uint16_t   *bag;			/* by thread, n */
	uint32_t   *list;			/* by thread, PERMUTED_ROWS each */
	uint32_t   *other;
	uint32_t   *leaf;
	double	   *loss;			/* by tree and feature: how much more is wrong */
} Permuting;

/* Wrong rows, or squared errors, per row. */
static double
loss_of_leaves(const Permuting *p, const MlTree *tree, const uint32_t *row, const uint32_t *leaf, size_t n)
{
	size_t		width = (size_t) p->forest->width;
	double		sum = 0;

	for (size_t i = 0; i < n; i++)
	{
		const double *value = tree->value + tree->payload[leaf[i]] * width;

		if (p->ground->classes)
		{
			size_t		best = 0;

			for (size_t k = 1; k < width; k++)
				best = value[k] > value[best] ? k : best;
			if (width == 1)
				best = value[0] > 0.5;
			sum += (double) best != p->ground->data->y[row[i]];
		}
		else
		{
			double		error = value[0] - p->ground->y_mean - p->ground->y[row[i]];

			sum += error * error;
		}
	}
	return sum / (double) n;
}

/* Rows in another order, of which each is equally likely. */
static void
shuffle(uint32_t *row, size_t n, uint64_t state)
{
	for (size_t i = n; i > 1; i--)
	{
		size_t		j = (size_t) (((ml_mix64(state + i) >> 32) * i) >> 32);
		uint32_t	swap = row[i - 1];

		row[i - 1] = row[j];
		row[j] = swap;
	}
}

/* One task: one tree. */
static void
permute_tree(void *arg, size_t task, int thread)
{
	Permuting  *p = arg;
	const MlTree *tree = &p->forest->tree[task];
	size_t		n = p->ground->data->n_train;
	size_t		features = (size_t) p->forest->n_features;
	uint16_t   *bag = p->bag + (size_t) thread * n;
	uint32_t   *list = p->list + (size_t) thread * PERMUTED_ROWS;
	uint32_t   *other = p->other + (size_t) thread * PERMUTED_ROWS;
	uint32_t   *leaf = p->leaf + (size_t) thread * PERMUTED_ROWS;
	double	   *loss = p->loss + task * features;
	size_t		rows = 0;
	double		before;

	ml_tree_draw_bag(p->plan, p->env->seed, (uint32_t) task, n, bag);
	for (size_t i = 0; i < n && rows < PERMUTED_ROWS; i++)
		if (bag[i] == 0)
			list[rows++] = (uint32_t) i;
	if (rows < 2)
		return;
	find_leaves(tree, &p->ground->bins, list, rows, NULL, leaf);
	before = loss_of_leaves(p, tree, list, leaf, rows);
	for (uint32_t i = 0; i < tree->n_nodes; i++)
		if (tree->step[i].slot != 0)
			loss[(tree->step[i].slot - 1) / 2] = 1;
	for (size_t f = 0; f < features; f++)
	{
		if (loss[f] == 0)
			continue;			/* a feature that the tree does not ask */
		memcpy(other, list, rows * sizeof(uint32_t));
		shuffle(other, rows, ml_rng_u64(p->env->seed, ML_TREE_STREAM_SHUFFLE, task * features + f));
		find_leaves(tree, &p->ground->bins, list, rows, &(Exchange) {(int32_t) f, other}, leaf);
		loss[f] = loss_of_leaves(p, tree, list, leaf, rows) - before;
	}
}

MlStatus
ml_tree_permute(MlEnv *env, const MlTreePlan *plan, const MlTreeGround *ground, MlTreeForest *forest)
{
	size_t		n = ground->data->n_train;
	size_t		threads = (size_t) ml_pool_threads(env->pool);
	size_t		features = (size_t) forest->n_features;
	Permuting	p = {.env = env, .plan = plan, .ground = ground, .forest = forest};

	p.bag = ml_alloc(env, threads * n, sizeof(uint16_t));
	p.list = ml_alloc(env, threads * PERMUTED_ROWS, sizeof(uint32_t));
	p.other = ml_alloc(env, threads * PERMUTED_ROWS, sizeof(uint32_t));
	p.leaf = ml_alloc(env, threads * PERMUTED_ROWS, sizeof(uint32_t));
	p.loss = ml_alloc0(env, (size_t) forest->n_trees * features + 1, sizeof(double));
	forest->permutation = ml_alloc0(env, features + 1, sizeof(double));
	if (!p.bag || !p.list || !p.other || !p.leaf || !p.loss || !forest->permutation)
		return env->error.status;
	ml_progress(env, &(MlProgress) {.phase = "evaluate", .share = 0, .train_loss = NAN, .validation_loss = NAN});
	ML_TRY(ml_pool_run(env, forest->n_trees, permute_tree, &p));
	for (size_t t = 0; t < forest->n_trees; t++)
		for (size_t f = 0; f < features; f++)
			forest->permutation[f] += p.loss[t * features + f] / forest->n_trees;
	for (size_t f = 0; f < features && !ground->classes; f++)
	{
		forest->permutation[f] *= forest->scale;
		forest->permutation[f] *= forest->scale;
		forest->permutation[f] = fmax(fmin(forest->permutation[f], DBL_MAX), -DBL_MAX);
	}
	ml_release(env, p.bag);
	ml_release(env, p.loss);
	return ML_OK;
}
