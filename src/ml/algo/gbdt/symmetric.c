/*-------------------------------------------------------------------------
 * symmetric.c
 *	  Symmetric (oblivious) trees: all leaves of a level are split by one condition.
 *
 * Prokhorenkova et al. 2018 (CatBoost).  A leaf where that would leave a half with too few
 * rows stays whole in this level and may be split by the condition of a later one; to
 * predictions that is as if both halves had the value of the leaf.  So no value rests on
 * fewer rows than min_data_in_leaf, and no leaf is empty.
 *
 * Each level is three passes: the condition is found, column by column; what it sends left
 * is summed, leaf by leaf; rows are parted and histograms of the smaller halves built.  A
 * leaf without a slot for its histogram has its columns counted when they are asked for.
 *-------------------------------------------------------------------------
 */
#include "ml/algo/gbdt/symmetric_internal.h"
#include "ml/base/arena.h"
#include "ml/base/lanes.h"
#include "ml/base/pool.h"

/* Columns of a category go up to this many bins. */
#define NARROW_BINS 256

static size_t
room_entries(size_t widest)
{
	return ((widest < NARROW_BINS ? NARROW_BINS : widest) + ML_LANES) / ML_LANES * ML_LANES;
}

size_t
ml_gbdt_levels_memory(size_t widest, size_t columns, size_t leaves, int threads)
{
	return (size_t) threads * room_entries(widest) * (2 * sizeof(double) + sizeof(MlGbdtSum))
		+ (leaves / 2 + 1) * sizeof(MlGbdtExpansion) + leaves * (sizeof(int32_t) + sizeof(bool)) + columns * sizeof(MlGbdtSplit) + 4096;
}

MlStatus
ml_gbdt_levels_create(MlEnv *env, MlGbdtGrower *grower)
{
	size_t		entries = room_entries(grower->bins->widest);
	size_t		columns = (size_t) (grower->bins->n_narrow + grower->bins->n_wide);
	size_t		leaves = (size_t) grower->max_leaves;
	MlGbdtLevels *levels = ml_alloc0(env, 1, sizeof(MlGbdtLevels));

	if (levels == NULL)
		return env->error.status;
	levels->room = ml_alloc0(env, (size_t) grower->threads, sizeof(MlGbdtLevelRoom));
	levels->open = ml_alloc(env, leaves + 1, sizeof(int32_t));
	levels->half = ml_alloc0(env, leaves / 2 + 1, sizeof(MlGbdtExpansion));
	levels->saw_missing = ml_alloc0(env, leaves + 1, sizeof(bool));
	levels->found = ml_alloc(env, columns + 1, sizeof(MlGbdtSplit));
	if (!levels->room || !levels->open || !levels->half || !levels->saw_missing || !levels->found)
		return env->error.status;
	for (int t = 0; t < grower->threads; t++)
	{
		MlGbdtLevelRoom *own = &levels->room[t];

		own->gain[0] = ml_alloc(env, entries, sizeof(double));
		own->gain[1] = ml_alloc(env, entries, sizeof(double));
		own->total = ml_alloc(env, entries, sizeof(MlGbdtSum));
		if (!own->gain[0] || !own->gain[1] || !own->total)
			return env->error.status;
	}
	grower->levels = levels;
	return ML_OK;
}

/* ---- what the condition does to each leaf ---- */

typedef struct LevelJob
{
	MlEnv	   *env;
	MlGbdtGrower *grower;
	const MlGbdtSplit *split;
	const MlGbdtExpansion *x;

	/* Under the lock. */
	int32_t		next;			/* the half that no thread has taken */
	int32_t		done;
	MlStatus	status;
} LevelJob;

/* One task: one open leaf.  Its best.feature becomes -1 where it stays whole. */
static void
sum_left(void *arg, size_t task, int thread)
{
	const LevelJob *job = arg;
	MlGbdtGrower *grower = job->grower;
	MlGbdtLeaf *leaf = &grower->leaf[grower->levels->open[task]];
	int32_t		feature = job->split->feature;
	const MlGbdtColumn *column = &grower->bins->column[feature];
	double		l2 = grower->rules->lambda_l2 + (column->category && !job->split->onehot ? grower->rules->cat_l2 : 0);
	uint32_t	touched;
	const MlGbdtSum *hist = ml_gbdt_level_histogram(grower, leaf, feature, &grower->room[thread], &touched);
	MlGbdtSearch search = ml_gbdt_level_leaf(grower, leaf, feature, hist);
	MlGbdtSum	left = {0, 0};

	for (uint32_t b = 0; b <= column->missing; b++)
		if (job->x->goes_left[b])
			left += hist[b];
	grower->levels->saw_missing[task] = hist[column->missing][1] != 0;
	leaf->best = *job->split;
	leaf->best.left = left;
	if (!ml_gbdt_split_gain(&search, left, l2, &leaf->best.gain))
		leaf->best.feature = -1;
	ml_gbdt_level_give_back(&grower->room[thread], touched);
}

/* Where no leaf saw a missing value, one follows the majority. */
static bool
missing_goes_left(const MlGbdtGrower *grower, bool as_found)
{
	const MlGbdtLevels *levels = grower->levels;
	int64_t		left = 0;
	int64_t		all = 0;

	for (int32_t i = 0; i < levels->n_open; i++)
	{
		const MlGbdtLeaf *leaf = &grower->leaf[levels->open[i]];

		if (levels->saw_missing[i])
			return as_found;
		left += ml_gbdt_rows(&grower->scale, leaf->best.left);
		all += (int64_t) leaf->count;
	}
	return 2 * left >= all;
}

/* Slots of the halves: the larger one takes the parent's over, where there is another for the smaller one. */
static MlStatus
place_halves(MlEnv *env, MlGbdtGrower *grower, MlGbdtExpansion *x, MlGbdtLeaf *leaf)
{
	MlGbdtLeaf *small = &x->child[x->small];
	MlGbdtLeaf *large = &x->child[1 - x->small];

	x->subtract = false;
	if (!x->wanted[0] && !x->wanted[1])
	{
		ml_gbdt_give_slot(grower, leaf);
		return ML_OK;
	}
	large->slot = leaf->slot;
	leaf->slot = -1;
	ML_TRY(ml_gbdt_take_slot(env, grower, small, false));
	x->subtract = large->slot >= 0 && small->slot >= 0;
	if (large->slot < 0)
		ML_TRY(ml_gbdt_take_slot(env, grower, large, false));
	return ML_OK;
}

/* Describes the halves of all leaves that are split. */
static MlStatus
list_halves(MlEnv *env, MlGbdtGrower *grower, const MlGbdtExpansion *decision, bool last_level)
{
	MlGbdtLevels *levels = grower->levels;

	levels->n_half = 0;
	for (int32_t i = 0; i < levels->n_open; i++)
	{
		int32_t		l = levels->open[i];
		MlGbdtExpansion *x = &levels->half[levels->n_half];

		if (grower->leaf[l].best.feature < 0)
			continue;
		*x = *decision;
		x->leaf = l;
		ml_gbdt_describe_children(grower, x, l);
		for (int c = 0; c < 2; c++)
			x->wanted[c] = !last_level && ml_gbdt_may_split(grower, &x->child[c]);
		ML_TRY(place_halves(env, grower, x, &grower->leaf[l]));
		levels->n_half++;
	}
	return ML_OK;
}

/* ---- parting rows, building histograms ---- */

/* One leaf that is split. */
static MlStatus
part_leaf(MlEnv *env, MlGbdtGrower *grower, MlGbdtExpansion *x, int thread)
{
	const MlGbdtLeaf *leaf = &grower->leaf[x->leaf];
	MlGbdtLeaf *small = &x->child[x->small];
	MlGbdtLeaf *large = &x->child[1 - x->small];

	ML_TRY(ml_gbdt_partition(env, grower, x, &grower->bins->column[leaf->best.feature], thread));
	if (x->n_left != x->child[0].count)
		return ml_fail(env, ML_BAD_DATA, "split of feature %d sends %zu rows left, its histogram says %zu",
					   leaf->best.feature, x->n_left, x->child[0].count);
	if (small->slot >= 0)
		ML_TRY(ml_gbdt_hist_leaf(env, grower, small, thread, grower->slot[small->slot]));
	if (large->slot >= 0 && !x->subtract)
		ML_TRY(ml_gbdt_hist_leaf(env, grower, large, thread, grower->slot[large->slot]));
	for (size_t b = 0; x->subtract && b < grower->bins->offset[grower->bins->n_stored]; b++)
		grower->slot[large->slot][b] -= grower->slot[small->slot][b];
	return ML_OK;
}

/* One task is one thread's share of the level: leaves of its own, then help with those of others. */
static void
part_task(void *arg, size_t task, int thread)
{
	LevelJob   *job = arg;
	MlGbdtLevels *levels = job->grower->levels;
	MlPool	   *pool = job->env->pool;

	ml_pool_lock(pool);
	while (job->status == ML_OK && job->done < levels->n_half)
	{
		if (thread == 0 && ml_canceled(job->env))
			job->status = ml_fail(job->env, ML_CANCELED, "canceled");
		else if (job->next < levels->n_half)
		{
			MlGbdtExpansion *x = &levels->half[job->next++];
			MlStatus	status;

			ml_pool_unlock(pool);
			status = part_leaf(job->env, job->grower, x, thread);
			ml_pool_lock(pool);
			job->done++;
			if (job->status == ML_OK)
				job->status = status;
		}
		else
			ml_pool_help(pool, thread);
	}
	ml_pool_wake(pool);
	ml_pool_unlock(pool);
}

static MlStatus
part_level(MlEnv *env, MlGbdtGrower *grower, LevelJob *job)
{
	MlGbdtLevels *levels = grower->levels;

	job->next = job->done = 0;
	job->status = ML_OK;
	ML_TRY(ml_pool_run(env, (size_t) grower->threads, part_task, job));
	ML_TRY(job->status);
	for (int32_t i = 0; i < levels->n_half; i++)
	{
		MlGbdtExpansion *x = &levels->half[i];

		for (int c = 0; c < 2; c++)
			if (!x->wanted[c])
				ml_gbdt_give_slot(grower, &x->child[c]);
	}
	return ML_OK;
}

/* ---- growing ---- */

static void
list_open(MlGbdtGrower *grower)
{
	MlGbdtLevels *levels = grower->levels;

	levels->n_open = 0;
	for (int32_t l = 0; l < grower->n_leaves; l++)
		if (ml_gbdt_may_split(grower, &grower->leaf[l]))
			levels->open[levels->n_open++] = l;
}

static MlStatus
split_level(MlEnv *env, MlGbdtGrower *grower, const MlGbdtSplit *split, bool last_level)
{
	MlGbdtLevels *levels = grower->levels;
	MlGbdtExpansion *x = &grower->ahead[0];
	LevelJob	job = {.env = env, .grower = grower, .split = split, .x = x};

	ml_gbdt_level_decide(grower, split, x);
	ML_TRY(ml_pool_run(env, (size_t) levels->n_open, sum_left, &job));
	x->missing_left = missing_goes_left(grower, x->missing_left);
	ml_gbdt_stored_sides(&grower->bins->column[split->feature], x->goes_left);
	ML_TRY(list_halves(env, grower, x, last_level));
	ML_TRY(part_level(env, grower, &job));
	for (int32_t i = 0; i < levels->n_half; i++)
		ML_TRY(ml_gbdt_carry_out(env, grower, &levels->half[i]));
	return ML_OK;
}

MlStatus
ml_gbdt_grow_levels(MlEnv *env, MlGbdtGrower *grower)
{
	MlGbdtLeaf *root = &grower->leaf[0];

	if (!ml_gbdt_may_split(grower, root) || grower->max_leaves < 2)
		return ML_OK;
	ML_TRY(ml_gbdt_take_slot(env, grower, root, true));
	ML_TRY(ml_gbdt_hist_leaf(env, grower, root, 0, grower->slot[root->slot]));
	for (int32_t depth = 0; depth < grower->rules->max_depth; depth++)
	{
		MlGbdtSplit split;

		list_open(grower);
		if (grower->levels->n_open == 0)
			break;
		ML_TRY(ml_gbdt_level_search(env, grower, depth, &split));
		if (!(split.gain > 0))
			break;
		ML_TRY(split_level(env, grower, &split, depth + 1 == grower->rules->max_depth));
	}
	return ML_OK;
}
