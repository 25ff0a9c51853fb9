/*-------------------------------------------------------------------------
 * expand.c
 *	  What splitting a leaf gives: its rows parted, and the best splits of both
 *	  halves.
 *
 * Of two new leaves the smaller one's histogram is built from its rows, the
 * other's is the parent's minus that (exact, for sums are integers).  One thread
 * does all of it, and shares what is long with those that have nothing else to do;
 * the outcome is the same.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <string.h>

#include "ml/algo/gbdt/grow_internal.h"
#include "ml/base/pool.h"
#include "ml/base/rng.h"

/* Below this many histogram entries one thread searches them faster than two. */
#define SERIAL_ENTRIES 4096
/* Narrow columns that one task searches; of wide ones, whose rows are counted first, it takes one. */
#define SEARCH_COLUMNS 4

/* The search for the best splits of one leaf, or of two siblings at once. */
typedef struct SearchJob
{
	MlGbdtGrower *grower;
	MlGbdtLeaf *leaf[2];		/* second may be NULL; leaf[0] had its histogram built from rows */
	bool		wanted[2];		/* may this one be split at all? */
	bool		subtract;		/* leaf[1]'s slot holds the parent's: take leaf[0]'s off */
	bool		keep_wide;		/* histograms of wide columns go to the slots as well */
	MlGbdtSplit *found;			/* two per column in use */
	const bool *barred;			/* two per column in use; NULL: none is */
} SearchJob;

/*
 * Bars all but round(share * columns) of the columns that are not barred (Knuth 3.4.2, algorithm S); barred[] has a stride
 * of two.  What is drawn depends on the stream and on the columns alone.
 */
static void
draw_columns(uint64_t seed, uint64_t stream, int columns, double share, bool *barred)
{
	int			left = 0;
	int			wanted;

	if (share >= 1)
		return;
	for (int c = 0; c < columns; c++)
		left += !barred[2 * c];
	wanted = (int) (share * left + 0.5);
	wanted = wanted < 1 ? 1 : wanted;
	for (int c = 0; c < columns; c++)
	{
		bool		taken;

		if (barred[2 * c])
			continue;
		taken = ml_rng_uniform(seed, stream, (uint64_t) c) * left < wanted;
		barred[2 * c] = !taken;
		wanted -= taken;
		left--;
	}
}

void
ml_gbdt_bar_columns(const MlEnv *env, const MlGbdtGrower *grower, const MlGbdtLeaf *leaf, bool *barred)
{
	uint64_t	level = ml_mix64(ML_GBDT_STREAM_LEVELS + (grower->tree << 32)) + (uint64_t) leaf->depth;
	uint64_t	node = ml_mix64(ML_GBDT_STREAM_NODES + (grower->tree << 32)) ^ leaf->path;
	int			columns = grower->n_narrow + grower->n_wide;

	draw_columns(env->seed, level, columns, grower->rules->level_fraction, barred);
	draw_columns(env->seed, node, columns, grower->rules->node_fraction, barred);
}

/* Which columns each leaf may not be split on. */
static const bool *
bar_columns(const MlEnv *env, const MlGbdtGrower *grower, const SearchJob *job, MlGbdtRoom *room)
{
	const MlGbdtRules *rules = grower->rules;
	int			columns = grower->n_narrow + grower->n_wide;

	if (rules->level_fraction >= 1 && rules->node_fraction >= 1)
		return NULL;
	memset(room->barred, 0, 2 * (size_t) columns * sizeof(bool));
	for (int which = 0; which < 2 && job->leaf[which] != NULL; which++)
		ml_gbdt_bar_columns(env, grower, job->leaf[which], room->barred + which);
	return room->barred;
}

static void
search_column(const SearchJob *job, int which, MlGbdtRoom *room, int32_t feature, const MlGbdtSum *hist,
			  uint32_t n_touched, MlGbdtSplit *found)
{
	MlGbdtSearch search = {
		.rules = job->grower->rules, .scale = &job->grower->scale,
		.column = &job->grower->bins->column[feature], .feature = feature, .hist = hist,
		.touched = n_touched > 0 ? room->touched : NULL, .n_touched = n_touched,
		.total = job->leaf[which]->total, .rank = room->rank,
		.lower = job->leaf[which]->lower, .upper = job->leaf[which]->upper
	};

	ml_gbdt_split_find(&search, found);
}

static void
search_narrow(const SearchJob *job, int column, MlGbdtRoom *room, MlGbdtSplit *found)
{
	MlGbdtGrower *grower = job->grower;
	int32_t		feature = grower->bins->narrow[grower->narrow[column]];
	const MlGbdtColumn *feature_column = &grower->bins->column[feature];
	bool		bundled = feature_column->bin_of != NULL;
	uint32_t	stored = grower->bins->offset[feature_column->position];
	uint32_t	begin = stored + (bundled ? feature_column->first_value : 0);
	uint32_t	entries = bundled ? feature_column->n_values : feature_column->missing + 1;
	MlGbdtSum  *own = grower->slot[job->leaf[0]->slot] + begin;

	if (job->subtract)
	{
		MlGbdtSum  *other = grower->slot[job->leaf[1]->slot] + begin;

		for (uint32_t b = 0; b < entries; b++)
			other[b] -= own[b];
	}
	for (int which = 0; which < 2; which++)
		if (job->wanted[which])
			search_column(job, which, room, feature,
						  ml_gbdt_spread(feature_column, grower->slot[job->leaf[which]->slot] + stored, job->leaf[which]->total, room->spread),
						  0, &found[which]);
}

/* A wide column whose histogram stays in the slot. */
static void
search_kept(const SearchJob *job, int32_t feature, MlGbdtRoom *room, MlGbdtSplit *found)
{
	MlGbdtGrower *grower = job->grower;
	const MlGbdtColumn *column = &grower->bins->column[feature];
	uint32_t	begin = grower->wide_offset[feature];
	MlGbdtSum  *own = grower->slot[job->leaf[0]->slot] + begin;

	memset(own, 0, (column->missing + 1) * sizeof(MlGbdtSum));
	ml_gbdt_hist_column(grower, column, job->leaf[0]->rows, job->leaf[0]->count, own, room->touched);
	if (job->subtract)
	{
		MlGbdtSum  *other = grower->slot[job->leaf[1]->slot] + begin;

		for (uint32_t b = 0; b <= column->missing; b++)
			other[b] -= own[b];
	}
	for (int which = 0; which < 2; which++)
		if (job->wanted[which])
			search_column(job, which, room, feature, grower->slot[job->leaf[which]->slot] + begin, 0, &found[which]);
}

/* One whose histogram lives only here: most of its bins are empty in a small leaf. */
static void
search_wide(const SearchJob *job, int column, MlGbdtRoom *room, MlGbdtSplit *found)
{
	MlGbdtGrower *grower = job->grower;
	int32_t		feature = grower->wide[column];

	for (int which = 0; which < 2 && !job->keep_wide; which++)
	{
		const MlGbdtLeaf *leaf = job->leaf[which];
		uint32_t	touched;

		if (!job->wanted[which])
			continue;
		touched = ml_gbdt_hist_column(grower, &grower->bins->column[feature], leaf->rows, leaf->count,
									  room->wide, room->touched);
		search_column(job, which, room, feature, room->wide, touched, &found[which]);
		for (uint32_t i = 0; i < touched; i++)
			room->wide[room->touched[i]] = (MlGbdtSum) {0, 0};
	}
	if (job->keep_wide)
		search_kept(job, feature, room, found);
}

/* A range of columns. */
static void
search_columns(const SearchJob *job, int begin, int end, MlGbdtRoom *room)
{
	MlGbdtGrower *grower = job->grower;

	for (int c = begin; c < end; c++)
	{
		MlGbdtSplit *found = &job->found[2 * c];

		found[0] = (MlGbdtSplit) {.gain = 0};
		found[1] = (MlGbdtSplit) {.gain = 0};
		if (c < grower->n_narrow)
			search_narrow(job, c, room, found);
		else
			search_wide(job, c - grower->n_narrow, room, found);
	}
}

static void
search_task(void *arg, size_t task, int thread)
{
	const SearchJob *job = arg;
	int			narrow = job->grower->n_narrow;
	int			wide = job->grower->n_wide;
	int			begin = narrow + (int) task;
	int			end = begin + 1;

	/* The long ones come first. */
	if ((int) task >= wide)
	{
		begin = ((int) task - wide) * SEARCH_COLUMNS;
		end = begin + SEARCH_COLUMNS < narrow ? begin + SEARCH_COLUMNS : narrow;
	}
	search_columns(job, begin, end, &job->grower->room[thread]);
}

/* Runs the search and picks the best column of each leaf; the lowest feature of equals. */
static MlStatus
search(MlEnv *env, SearchJob *job, int thread)
{
	MlGbdtGrower *grower = job->grower;
	MlGbdtRoom *room = &grower->room[thread];
	int			columns = grower->n_narrow + grower->n_wide;

	job->found = room->found;
	job->barred = bar_columns(env, grower, job, room);
	if (grower->threads == 1 || (grower->n_wide == 0 && grower->bins->offset[grower->bins->n_stored] <= SERIAL_ENTRIES))
		search_columns(job, 0, columns, room);
	else
		ML_TRY(ml_pool_share(env, thread, (size_t) (grower->n_wide + (grower->n_narrow + SEARCH_COLUMNS - 1) / SEARCH_COLUMNS), search_task, NULL, job));
	for (int which = 0; which < 2; which++)
	{
		if (job->leaf[which] == NULL)
			continue;
		job->leaf[which]->best = (MlGbdtSplit) {.gain = 0};
		for (int c = 0; c < columns; c++)
		{
			const MlGbdtSplit *found = &job->found[2 * c + which];
			MlGbdtSplit *best = &job->leaf[which]->best;

			if (job->barred != NULL && job->barred[2 * c + which])
				continue;
			if (found->gain > best->gain ||
				(found->gain > 0 && found->gain == best->gain && found->feature < best->feature))
				*best = *found;
		}
	}
	return ML_OK;
}

/* Does it pay to go through all bins of wide columns for the sake of a difference? */
static bool
pays_to_keep(const MlGbdtGrower *grower, const MlGbdtLeaf *leaf)
{
	return grower->wide_offset != NULL &&
		leaf->count * (size_t) grower->n_wide > grower->slot_entries - grower->bins->offset[grower->bins->n_stored];
}

MlStatus
ml_gbdt_expand_root(MlEnv *env, MlGbdtGrower *grower, MlGbdtLeaf *root)
{
	SearchJob	job = {.grower = grower, .leaf = {root}, .wanted = {true}};

	root->wide_kept = job.keep_wide = pays_to_keep(grower, root);
	ML_TRY(ml_gbdt_hist_leaf(env, grower, root, 0, grower->slot[root->slot]));
	return search(env, &job, 0);
}

/* ---- which bins go left ---- */

void
ml_gbdt_decide_number(MlGbdtExpansion *x, const MlGbdtColumn *column, const MlGbdtSplit *split)
{
	memset(x->goes_left, 0, column->missing + 1);
	memset(x->goes_left, 1, split->bin + 1);
	x->goes_left[column->missing] = split->missing_left;
	x->missing_left = split->missing_left;
	/* All values left, missing ones right: no value is above the largest double. */
	x->value = split->bin + 1 < column->n_bins ? column->upper[split->bin] : DBL_MAX;
	x->n_codes = 0;
}

/* The histogram of a column in the leaf that is expanded, if it is still there. */
static const MlGbdtSum *
kept_histogram(const MlGbdtGrower *grower, const MlGbdtExpansion *x, const MlGbdtColumn *column, const MlGbdtLeaf *leaf)
{
	int32_t		slot = x->child[1 - x->small].slot;

	if (!x->subtract || slot < 0)
		return NULL;
	if (column->narrow != NULL)
		return grower->slot[slot] + grower->bins->offset[column->position];
	return leaf->wide_kept ? grower->slot[slot] + grower->wide_offset[leaf->best.feature] : NULL;
}

/* The bins that go left stand in x->code. */
void
ml_gbdt_decide_category(MlGbdtExpansion *x, const MlGbdtColumn *column, uint32_t n)
{
	memset(x->goes_left, 0, column->missing + 1);
	for (uint32_t i = 0; i < n; i++)
		x->goes_left[x->code[i]] = 1;
	x->missing_left = x->goes_left[column->missing];
	x->value = 0;
	/* Ascending codes, without "missing", which is not one. */
	x->n_codes = 0;
	for (uint32_t b = 0; b < column->n_bins; b++)
		if (x->goes_left[b])
			x->code[x->n_codes++] = b;
}

/* The same for a category: the set is found again from its histogram, for storing one per leaf would cost more. */
static void
decide_category(const MlGbdtGrower *grower, MlGbdtExpansion *x, const MlGbdtColumn *column, const MlGbdtLeaf *leaf, MlGbdtRoom *room)
{
	const MlGbdtSplit *split = &leaf->best;
	MlGbdtSearch again = {
		.rules = grower->rules, .scale = &grower->scale, .column = column, .feature = split->feature,
		.hist = kept_histogram(grower, x, column, leaf), .total = leaf->total, .rank = room->rank,
		.lower = leaf->lower, .upper = leaf->upper
	};
	uint32_t	n;
	bool		saw_missing;

	if (again.hist == NULL)
	{
		again.n_touched = ml_gbdt_hist_column(grower, column, leaf->rows, leaf->count, room->wide, room->touched);
		again.touched = room->touched;
		again.hist = room->wide;
	}
	n = ml_gbdt_split_bins(&again, split, x->code);
	saw_missing = again.hist[column->missing][1] != 0;
	for (uint32_t i = 0; i < again.n_touched; i++)
		room->wide[room->touched[i]] = (MlGbdtSum) {0, 0};
	ml_gbdt_decide_category(x, column, n);
	if (!saw_missing)
		x->missing_left = 2 * ml_gbdt_rows(&grower->scale, split->left) >= (int64_t) leaf->count;
}

/* ---- expanding ---- */

static MlStatus
search_children(MlEnv *env, MlGbdtGrower *grower, MlGbdtExpansion *x, int thread)
{
	MlGbdtLeaf *small = &x->child[x->small];
	MlGbdtLeaf *large = &x->child[1 - x->small];
	SearchJob	job = {.grower = grower, .leaf = {small, large}, .wanted = {x->wanted[x->small], x->wanted[1 - x->small]}};

	if (!job.wanted[0] && !job.wanted[1])
		return ML_OK;
	if (x->subtract)
	{
		job.subtract = true;
		job.keep_wide = grower->leaf[x->leaf].wide_kept && pays_to_keep(grower, large);
		small->wide_kept = large->wide_kept = job.keep_wide;
		ML_TRY(ml_gbdt_hist_leaf(env, grower, small, thread, grower->slot[small->slot]));
		return search(env, &job, thread);
	}
	/* The parent's histogram had to go: each from its own rows. */
	for (int which = 0; which < 2; which++)
	{
		SearchJob	one = {.grower = grower, .leaf = {job.leaf[which]}, .wanted = {true}};

		if (!job.wanted[which])
			continue;
		one.leaf[0]->wide_kept = one.keep_wide = pays_to_keep(grower, one.leaf[0]);
		ML_TRY(ml_gbdt_hist_leaf(env, grower, one.leaf[0], thread, grower->slot[one.leaf[0]->slot]));
		ML_TRY(search(env, &one, thread));
	}
	return ML_OK;
}

MlStatus
ml_gbdt_expand(MlEnv *env, MlGbdtGrower *grower, MlGbdtExpansion *x, int thread)
{
	const MlGbdtLeaf *leaf = &grower->leaf[x->leaf];
	const MlGbdtColumn *column = &grower->bins->column[leaf->best.feature];

	if (column->category)
		decide_category(grower, x, column, leaf, &grower->room[thread]);
	else
		ml_gbdt_decide_number(x, column, &leaf->best);
	ml_gbdt_stored_sides(column, x->goes_left);
	ML_TRY(ml_gbdt_partition(env, grower, x, column, thread));
	x->as_expected = x->n_left == x->child[0].count;
	return x->as_expected ? search_children(env, grower, x, thread) : ML_OK;
}
