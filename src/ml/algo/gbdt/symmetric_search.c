/*-------------------------------------------------------------------------
 * symmetric_search.c
 *	  The condition that a level of a symmetric tree splits all its leaves by.
 *
 * Prokhorenkova et al. 2018, section 5: of all conditions the one whose gains over the
 * leaves of the level have the greatest sum.  A leaf that may not be split by a condition
 * (too few rows in a half, or against the direction a prediction must have) adds
 * nothing to its sum.  One task is one column; it adds the leaves up in their order, so
 * the sum does not depend on the threads.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "ml/algo/gbdt/symmetric_internal.h"
#include "ml/base/lanes.h"
#include "ml/base/pool.h"

MlGbdtSearch
ml_gbdt_level_leaf(const MlGbdtGrower *grower, const MlGbdtLeaf *leaf, int32_t feature, const MlGbdtSum *hist)
{
	return (MlGbdtSearch) {
		.rules = grower->rules, .scale = &grower->scale, .column = &grower->bins->column[feature], .feature = feature,
		.hist = hist, .total = leaf->total, .lower = leaf->lower, .upper = leaf->upper
	};
}

const MlGbdtSum *
ml_gbdt_level_histogram(const MlGbdtGrower *grower, const MlGbdtLeaf *leaf, int32_t feature, MlGbdtRoom *room, uint32_t *touched)
{
	const MlGbdtColumn *column = &grower->bins->column[feature];

	*touched = 0;
	if (leaf->slot >= 0 && column->narrow != NULL)
		return ml_gbdt_spread(column, grower->slot[leaf->slot] + grower->bins->offset[column->position], leaf->total, room->spread);
	*touched = ml_gbdt_hist_column(grower, column, leaf->rows, leaf->count, room->wide, room->touched);
	return ml_gbdt_spread(column, room->wide, leaf->total, room->spread);
}

void
ml_gbdt_level_give_back(MlGbdtRoom *room, uint32_t touched)
{
	for (uint32_t i = 0; i < touched; i++)
		room->wide[room->touched[i]] = (MlGbdtSum) {0, 0};
}

/* Takes a sum of gains as the best so far, if it is. */
static bool
better(const MlGbdtGrower *grower, double sum, const MlGbdtSplit *found)
{
	double		min_gain = grower->rules->min_gain;

	return sum > min_gain + grower->levels->noise && sum - min_gain > found->gain;
}

/* ---- numbers ---- */

static void
search_number(const MlGbdtGrower *grower, int32_t feature, int thread, MlGbdtSplit *found)
{
	const MlGbdtLevels *levels = grower->levels;
	const MlGbdtColumn *column = &grower->bins->column[feature];
	double	   *const *gain = levels->room[thread].gain;
	uint32_t	first = column->n_bins;
	uint32_t	end;
	bool		some_missing = false;

	for (int way = 0; way < 2; way++)
		memset(gain[way], 0, column->n_bins * sizeof(double));
	for (int32_t i = 0; i < levels->n_open; i++)
	{
		const MlGbdtLeaf *leaf = &grower->leaf[levels->open[i]];
		uint32_t	touched;
		const MlGbdtSum *hist = ml_gbdt_level_histogram(grower, leaf, feature, &grower->room[thread], &touched);
		MlGbdtSearch search = ml_gbdt_level_leaf(grower, leaf, feature, hist);
		uint32_t	b = 0;

		while (b < first && hist[b][1] == 0)
			b++;
		first = b;
		some_missing |= hist[column->missing][1] != 0;
		ml_gbdt_split_add_limits(&search, column->n_bins, gain[0], gain[1]);
		ml_gbdt_level_give_back(&grower->room[thread], touched);
	}
	/* Below "first" nothing but missing values would be on the left: that is the last limit with the sides changed. */
	end = column->n_bins - (some_missing ? 0 : 1);
	for (uint32_t b = first; b < end; b++)
		for (int way = 0; way <= some_missing; way++)
			if (better(grower, gain[way][b], found))
				*found = (MlGbdtSplit) {.gain = gain[way][b] - grower->rules->min_gain, .feature = feature, .bin = b, .missing_left = way};
}

/* ---- categories ---- */

static void
search_onehot(const MlGbdtGrower *grower, int32_t feature, int thread, MlGbdtSplit *found)
{
	const MlGbdtLevels *levels = grower->levels;
	const MlGbdtColumn *column = &grower->bins->column[feature];
	double	   *sum = levels->room[thread].gain[0];

	memset(sum, 0, (column->missing + 1) * sizeof(double));
	for (int32_t i = 0; i < levels->n_open; i++)
	{
		const MlGbdtLeaf *leaf = &grower->leaf[levels->open[i]];
		uint32_t	touched;
		const MlGbdtSum *hist = ml_gbdt_level_histogram(grower, leaf, feature, &grower->room[thread], &touched);
		MlGbdtSearch search = ml_gbdt_level_leaf(grower, leaf, feature, hist);

		for (uint32_t b = 0; b <= column->missing; b++)
		{
			double		gain;

			if (hist[b][1] != 0 && b != column->n_bins && ml_gbdt_split_gain(&search, hist[b], grower->rules->lambda_l2, &gain))
				sum[b] += gain;
		}
		ml_gbdt_level_give_back(&grower->room[thread], touched);
	}
	for (uint32_t b = 0; b <= column->missing; b++)
		if (b != column->n_bins && better(grower, sum[b], found))
			*found = (MlGbdtSplit) {.gain = sum[b] - grower->rules->min_gain, .feature = feature, .bin = b, .set_size = 1, .onehot = true};
}

static double
mean_step(const MlGbdtGrower *grower, MlGbdtSum total)
{
	double		h = ml_gbdt_h(&grower->scale, total);

	return h > 0 ? ml_gbdt_g(&grower->scale, total) / h : 0;
}

/*
 * Sorts the categories of the level that have rows enough by their gradient statistic, as if
 * all leaves had the mean of all: what distinguishes leaves is no longer a category's merit.  In
 * the root that is the order of split.c.  The sums of all leaves are in "total" afterwards.
 */
static uint32_t
rank_level(const MlGbdtGrower *grower, int32_t feature, int thread, MlGbdtSum *all)
{
	const MlGbdtLevels *levels = grower->levels;
	const MlGbdtColumn *column = &grower->bins->column[feature];
	MlGbdtSum  *total = levels->room[thread].total;
	double	   *excess = levels->room[thread].gain[0];
	MlGbdtRank *rank = grower->room[thread].rank;
	double		mean;
	uint32_t	n = 0;

	memset(total, 0, (column->missing + 1) * sizeof(MlGbdtSum));
	memset(excess, 0, (column->missing + 1) * sizeof(double));
	*all = (MlGbdtSum) {0, 0};
	for (int32_t i = 0; i < levels->n_open; i++)
		*all += grower->leaf[levels->open[i]].total;
	mean = mean_step(grower, *all);
	for (int32_t i = 0; i < levels->n_open; i++)
	{
		const MlGbdtLeaf *leaf = &grower->leaf[levels->open[i]];
		double		above = mean_step(grower, leaf->total) - mean;
		uint32_t	touched;
		const MlGbdtSum *hist = ml_gbdt_level_histogram(grower, leaf, feature, &grower->room[thread], &touched);
		uint32_t	bins = touched > 0 ? touched : column->missing + 1;

		for (uint32_t t = 0; t < bins; t++)
		{
			uint32_t	b = touched > 0 ? grower->room[thread].touched[t] : t;

			total[b] += hist[b];
			excess[b] += above * ml_gbdt_h(&grower->scale, hist[b]);
		}
		ml_gbdt_level_give_back(&grower->room[thread], touched);
	}
	for (uint32_t b = 0; b <= column->missing; b++)
	{
		int64_t		rows = ml_gbdt_rows(&grower->scale, total[b]);
		double		h = ml_gbdt_h(&grower->scale, total[b]) + grower->rules->cat_smooth;

		if (rows > 0 && b != column->n_bins && (double) rows >= grower->rules->cat_smooth_rows)
			rank[n++] = ml_gbdt_rank_of(h > 0 ? (ml_gbdt_g(&grower->scale, total[b]) - excess[b]) / h : 0, b);
	}
	ml_gbdt_rank_ends(rank, n, (size_t) grower->rules->max_cat_threshold);
	return n;
}

static uint32_t
bin_at(const MlGbdtRank *rank, uint32_t n, bool from_end, uint32_t i)
{
	return rank[from_end ? n - 1 - i : i].bin;
}

/* The gains of sets of the first 1 .. limit bins from either end, of one leaf, to the sums. */
static void
add_sets(const MlGbdtGrower *grower, const MlGbdtSearch *search, const MlGbdtRank *rank, uint32_t n, uint32_t limit, double *const *sum)
{
	double		l2 = grower->rules->lambda_l2 + grower->rules->cat_l2;

	for (int from_end = 0; from_end <= 1; from_end++)
	{
		MlGbdtSum	left = {0, 0};

		for (uint32_t i = 0; i < limit; i++)
		{
			double		gain;

			left += search->hist[bin_at(rank, n, from_end, i)];
			if (ml_gbdt_split_gain(search, left, l2, &gain))
				sum[from_end][i] += gain;
		}
	}
}

/* The rules for groups of categories are those of a single leaf, kept by all leaves together. */
static void
pick_set(const MlGbdtGrower *grower, int32_t feature, int thread, MlGbdtSum all, uint32_t n, uint32_t limit, MlGbdtSplit *found)
{
	const MlGbdtRules *rules = grower->rules;
	const MlGbdtLevelRoom *own = &grower->levels->room[thread];
	int64_t		all_rows = ml_gbdt_rows(&grower->scale, all);

	for (int from_end = 0; from_end <= 1; from_end++)
	{
		MlGbdtSetSide side = {{0, 0}, 0};
		MlGbdtSetEnd end = ML_GBDT_SET_GOES_ON;

		for (uint32_t i = 0; i < limit && end != ML_GBDT_SET_IS_OVER; i++)
		{
			end = ml_gbdt_set_add(rules, &grower->scale, all_rows, own->total[bin_at(grower->room[thread].rank, n, from_end, i)], &side);
			if (end == ML_GBDT_SET_MAY_END && better(grower, own->gain[from_end][i], found))
				*found = (MlGbdtSplit) {.gain = own->gain[from_end][i] - rules->min_gain, .feature = feature, .set_size = i + 1, .from_end = from_end};
		}
	}
}

static void
search_sorted(const MlGbdtGrower *grower, int32_t feature, int thread, MlGbdtSplit *found)
{
	const MlGbdtLevels *levels = grower->levels;
	double	   *const *gain = levels->room[thread].gain;
	MlGbdtSum	all;
	uint32_t	n = rank_level(grower, feature, thread, &all);
	uint32_t	limit = (n + 1) / 2;

	if ((int64_t) limit > grower->rules->max_cat_threshold)
		limit = (uint32_t) grower->rules->max_cat_threshold;
	for (int from_end = 0; from_end < 2; from_end++)
		memset(gain[from_end], 0, limit * sizeof(double));
	for (int32_t i = 0; i < levels->n_open; i++)
	{
		const MlGbdtLeaf *leaf = &grower->leaf[levels->open[i]];
		uint32_t	touched;
		const MlGbdtSum *hist = ml_gbdt_level_histogram(grower, leaf, feature, &grower->room[thread], &touched);
		MlGbdtSearch search = ml_gbdt_level_leaf(grower, leaf, feature, hist);

		add_sets(grower, &search, grower->room[thread].rank, n, limit, gain);
		ml_gbdt_level_give_back(&grower->room[thread], touched);
	}
	pick_set(grower, feature, thread, all, n, limit, found);
}

/* ---- all columns ---- */

static int32_t
feature_at(const MlGbdtGrower *grower, int column)
{
	if (column < grower->n_narrow)
		return grower->bins->narrow[grower->narrow[column]];
	return grower->wide[column - grower->n_narrow];
}

static bool
is_onehot(const MlGbdtGrower *grower, const MlGbdtColumn *column)
{
	return (int64_t) column->present <= grower->rules->max_cat_to_onehot;
}

/* One task: one column, the long ones first. */
static void
search_task(void *arg, size_t task, int thread)
{
	const MlGbdtGrower *grower = arg;
	int			c = grower->n_narrow + grower->n_wide - 1 - (int) task;
	int32_t		feature = feature_at(grower, c);
	const MlGbdtColumn *column = &grower->bins->column[feature];
	MlGbdtSplit *found = &grower->levels->found[c];

	*found = (MlGbdtSplit) {.gain = 0};
	if (grower->room[0].barred[2 * c])
		return;
	if (!column->category)
		search_number(grower, feature, thread, found);
	else if (is_onehot(grower, column))
		search_onehot(grower, feature, thread, found);
	else
		search_sorted(grower, feature, thread, found);
}

MlStatus
ml_gbdt_level_search(MlEnv *env, MlGbdtGrower *grower, int32_t depth, MlGbdtSplit *best)
{
	/* Columns are drawn for the level: it stands for all its leaves. */
	const MlGbdtLeaf level = {.depth = depth, .path = (uint64_t) depth + 1};
	MlGbdtLevels *levels = grower->levels;
	int			columns = grower->n_narrow + grower->n_wide;

	levels->noise = 0;
	for (int32_t i = 0; i < levels->n_open; i++)
	{
		MlGbdtSearch search = ml_gbdt_level_leaf(grower, &grower->leaf[levels->open[i]], 0, NULL);

		levels->noise += ml_gbdt_split_noise(&search);
	}
	memset(grower->room[0].barred, 0, 2 * (size_t) columns * sizeof(bool));
	ml_gbdt_bar_columns(env, grower, &level, grower->room[0].barred);
	ML_TRY(ml_pool_run(env, (size_t) columns, search_task, grower));
	*best = (MlGbdtSplit) {.gain = 0};
	for (int c = 0; c < columns; c++)
	{
		const MlGbdtSplit *found = &levels->found[c];

		if (found->gain > best->gain || (found->gain > 0 && found->gain == best->gain && found->feature < best->feature))
			*best = *found;
	}
	return ML_OK;
}

void
ml_gbdt_level_decide(MlGbdtGrower *grower, const MlGbdtSplit *split, MlGbdtExpansion *x)
{
	const MlGbdtColumn *column = &grower->bins->column[split->feature];
	MlGbdtSum	all;
	uint32_t	n;

	if (!column->category)
	{
		ml_gbdt_decide_number(x, column, split);
		return;
	}
	if (split->onehot)
		x->code[0] = split->bin;
	else
	{
		/* Ranked once more: keeping the order of each column would cost more. */
		n = rank_level(grower, split->feature, 0, &all);
		for (uint32_t i = 0; i < split->set_size; i++)
			x->code[i] = bin_at(grower->room[0].rank, n, split->from_end, i);
	}
	ml_gbdt_decide_category(x, column, split->set_size);
}
