/*-------------------------------------------------------------------------
 * grow.c
 *	  One tree, grown leaf by leaf: the leaf of highest gain is split next.
 *
 * Shi 2007, Ke et al. 2017.  Of two new leaves the smaller one's histogram is
 * built from its rows, the other's is the parent's minus that.  Each step is
 * exact or in a fixed order, so the tree does not depend on the threads.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "ml/algo/gbdt/grow_internal.h"
#include "ml/base/arena.h"
#include "ml/base/pool.h"

/* Histograms that are kept may take this much; never fewer than MIN_SLOTS.  Tests make it small: no tree depends on it. */
size_t		ml_gbdt_slot_bytes = (size_t) 256 * 1024 * 1024;

#define MIN_SLOTS 4
/* Below this many histogram entries one thread searches them faster than two. */
#define SERIAL_ENTRIES 8192
/* Columns that one task searches. */
#define SEARCH_COLUMNS 4
/* Columns of a category go up to this many bins. */
#define NARROW_BINS 256

/* The search for the best splits of one leaf, or of two siblings at once. */
typedef struct SearchJob
{
	MlGbdtGrower *grower;
	MlGbdtLeaf *leaf[2];		/* second may be NULL; leaf[0] had its histogram built from rows */
	bool		wanted[2];		/* may this one be split at all? */
	bool		subtract;		/* leaf[1]'s slot holds the parent's: take leaf[0]'s off */
} SearchJob;

typedef struct QuantiseJob
{
	MlGbdtGrower *grower;
	const double *g;
} QuantiseJob;

static size_t
slot_limit(size_t entries, int32_t max_leaves)
{
	size_t		slots = ml_gbdt_slot_bytes / (entries * sizeof(MlGbdtSum) + 1);

	if (slots < MIN_SLOTS)
		slots = MIN_SLOTS;
	return slots < (size_t) max_leaves + 1 ? slots : (size_t) max_leaves + 1;
}

size_t
ml_gbdt_grower_memory(size_t n, size_t entries, size_t widest, int32_t num_leaves, int threads)
{
	size_t		leaves = n < (size_t) num_leaves ? n + 1 : (size_t) num_leaves;
	size_t		room = widest < NARROW_BINS ? NARROW_BINS : widest;

	return n * (3 * sizeof(uint32_t) + sizeof(MlGbdtGradient))
		+ (slot_limit(entries, (int32_t) leaves) + (size_t) threads) * (entries + 64) * sizeof(MlGbdtSum)
		+ (size_t) threads * room * (sizeof(MlGbdtSum) + sizeof(uint32_t) + sizeof(MlGbdtRank))
		+ leaves * (sizeof(MlGbdtLeaf) + 2 * sizeof(MlGbdtNode) + 64) + n / 64;
}

static MlStatus
create_rooms(MlEnv *env, MlGbdtGrower *grower, size_t entries)
{
	size_t		room = grower->bins->widest < NARROW_BINS ? NARROW_BINS : grower->bins->widest;

	for (int t = 0; t < grower->threads; t++)
	{
		MlGbdtRoom *r = &grower->room[t];

		r->wide = ml_alloc0(env, room, sizeof(MlGbdtSum));
		r->touched = ml_alloc(env, room + 1, sizeof(uint32_t));
		r->rank = ml_alloc(env, room, sizeof(MlGbdtRank));
		r->partial = t > 0 ? ml_alloc(env, entries, sizeof(MlGbdtSum)) : NULL;
		if (r->wide == NULL || r->touched == NULL || r->rank == NULL || (t > 0 && r->partial == NULL))
			return env->error.status;
	}
	grower->goes_left = ml_alloc(env, room, sizeof(uint8_t));
	grower->bin = ml_alloc(env, room, sizeof(uint32_t));
	return grower->goes_left && grower->bin ? ML_OK : env->error.status;
}

MlStatus
ml_gbdt_grower_create(MlEnv *env, const MlGbdtBins *bins, const MlGbdtRules *rules, MlGbdtGrower **result)
{
	MlGbdtGrower *grower = ml_alloc0(env, 1, sizeof(MlGbdtGrower));
	size_t		n = bins->n;
	size_t		leaves = n < (size_t) rules->num_leaves ? n : (size_t) rules->num_leaves;
	size_t		columns = (size_t) (bins->n_narrow + bins->n_wide);
	size_t		entries = bins->offset[bins->n_narrow] + 1;
	size_t		blocks = n / ML_GBDT_BLOCK + leaves + 1;

	if (grower == NULL)
		return env->error.status;
	grower->bins = bins;
	grower->rules = rules;
	grower->threads = ml_pool_threads(env->pool);
	grower->max_leaves = (int32_t) leaves;
	grower->max_slots = (int32_t) slot_limit(entries, grower->max_leaves);
	grower->rows = ml_alloc(env, n, sizeof(uint32_t));
	grower->to_left = ml_alloc(env, n, sizeof(uint32_t));
	grower->to_right = ml_alloc(env, n, sizeof(uint32_t));
	grower->block_left = ml_alloc(env, n / ML_GBDT_BLOCK + 2, sizeof(size_t));
	grower->gradient = ml_alloc(env, n, sizeof(MlGbdtGradient));
	grower->narrow = ml_alloc(env, columns + 1, sizeof(int));
	grower->wide = ml_alloc(env, columns + 1, sizeof(int));
	grower->leaf = ml_alloc0(env, leaves, sizeof(MlGbdtLeaf));
	grower->node = ml_alloc(env, 2 * leaves, sizeof(MlGbdtNode));
	grower->slot = ml_alloc0(env, (size_t) grower->max_slots, sizeof(MlGbdtSum *));
	grower->slot_leaf = ml_alloc(env, (size_t) grower->max_slots, sizeof(int32_t));
	grower->free_slot = ml_alloc(env, (size_t) grower->max_slots, sizeof(int32_t));
	grower->heap = ml_alloc(env, leaves, sizeof(int32_t));
	grower->room = ml_alloc0(env, (size_t) grower->threads, sizeof(MlGbdtRoom));
	grower->found = ml_alloc(env, 2 * columns + 1, sizeof(MlGbdtSplit));
	grower->block_sum = ml_alloc(env, 2 * blocks, sizeof(double));
	grower->first_block = ml_alloc(env, leaves + 1, sizeof(size_t));
	if (!grower->rows || !grower->to_left || !grower->to_right || !grower->block_left || !grower->gradient ||
		!grower->narrow || !grower->wide || !grower->leaf || !grower->node || !grower->slot || !grower->slot_leaf || !grower->free_slot || !grower->heap ||
		!grower->room || !grower->found || !grower->block_sum || !grower->first_block)
		return env->error.status;
	*result = grower;
	return create_rooms(env, grower, entries);
}

/* ---- gradients to integers ---- */

/* The exponent e with x < 2^e; a small number for 0. */
static int
exponent_of(double x)
{
	int			e = -1000;

	if (x > 0)
		(void) frexp(x, &e);
	return e;
}

static int
between_exponents(int e)
{
	return e > 900 ? 900 : (e < -900 ? -900 : e);
}

/*
 * Powers of two, so that scaling itself rounds nothing.  A row's g has at most
 * 30 bits, and sums over all rows stay inside 62, with the rows below h.
 */
static void
choose_scale(MlGbdtGrower *grower)
{
	const MlGbdtLoss *loss = grower->loss;
	bool		newton = loss->objective == ML_GBDT_LOGISTIC || loss->objective == ML_GBDT_SOFTMAX;
	double		bound = newton ? loss->hessian_factor / 4 : 1;
	int			count_bits = exponent_of((double) grower->bins->n + 1);
	int			g_max = 30 - exponent_of(loss->g_max);
	int			g_sum = 61 - exponent_of(loss->g_sum);
	int			h_max = 31 - exponent_of(loss->weight_max * bound);
	int			h_sum = 62 - count_bits - exponent_of(loss->weight_sum * bound);
	int			g = between_exponents(g_max < g_sum ? g_max : g_sum);
	int			h = between_exponents(h_max < h_sum ? h_max : h_sum);

	grower->scale.count_bits = count_bits;
	grower->scale.to_g = ldexp(1, g);
	grower->scale.g = ldexp(1, -g);
	grower->scale.to_h = ldexp(1, h);
	grower->scale.h = ldexp(1, -h);
}

static void
quantise_block(void *arg, size_t task, int thread)
{
	const QuantiseJob *job = arg;
	MlGbdtGrower *grower = job->grower;
	const MlGbdtLoss *loss = grower->loss;
	size_t		begin = task * ML_GBDT_BLOCK;
	size_t		end = begin + ML_GBDT_BLOCK < grower->n_rows ? begin + ML_GBDT_BLOCK : grower->n_rows;
	MlGbdtSum	sum = {0, 0};

	if (grower->n_rows == grower->bins->n)
	{
		/* Every row, in order. */
		ml_gbdt_quantise_rows(loss, &grower->scale, job->g, begin, end, grower->gradient, &sum);
		begin = end;
	}
	for (size_t i = begin; i < end; i++)
	{
		size_t		r = grower->rows[i];
		double		g = job->g[r];
		double		h = ml_gbdt_hessian(loss, g, ml_gbdt_weight(loss, r));
		MlGbdtGradient q;

		q.g = (int32_t) lrint(g * grower->scale.to_g);
		q.h = (uint32_t) lrint(h * grower->scale.to_h);
		grower->gradient[r] = q;
		sum += (MlGbdtSum) {q.g, (int64_t) ((uint64_t) q.h << grower->scale.count_bits) + 1};
	}
	/* The block sums of leaves.c are not needed yet: they carry these for now. */
	memcpy(&grower->block_sum[2 * task], &sum, sizeof(sum));
}

static MlStatus
quantise(MlEnv *env, MlGbdtGrower *grower, MlGbdtSum *total)
{
	QuantiseJob job = {grower, grower->loss->g + (size_t) grower->output * grower->loss->n};
	size_t		blocks = (grower->n_rows + ML_GBDT_BLOCK - 1) / ML_GBDT_BLOCK;

	choose_scale(grower);
	ML_TRY(ml_pool_run(env, blocks, quantise_block, &job));
	*total = (MlGbdtSum) {0, 0};
	for (size_t b = 0; b < blocks; b++)
	{
		MlGbdtSum	sum;

		memcpy(&sum, &grower->block_sum[2 * b], sizeof(sum));
		*total += sum;
	}
	return ML_OK;
}

/* ---- slots ---- */

static void
set_slot(MlGbdtGrower *grower, MlGbdtLeaf *leaf, int32_t slot)
{
	leaf->slot = slot;
	if (slot >= 0)
		grower->slot_leaf[slot] = (int32_t) (leaf - grower->leaf);
}

static void
give_slot(MlGbdtGrower *grower, MlGbdtLeaf *leaf)
{
	if (leaf->slot >= 0)
	{
		grower->slot_leaf[leaf->slot] = -1;
		grower->free_slot[grower->n_free++] = leaf->slot;
	}
	leaf->slot = -1;
}

/* A slot for a new leaf; if there is none left, that of the least promising one but "keep". */
static MlStatus
take_slot(MlEnv *env, MlGbdtGrower *grower, MlGbdtLeaf *leaf, const MlGbdtLeaf *keep)
{
	MlGbdtLeaf *poorest = NULL;
	int32_t		slot;

	if (grower->n_free > 0)
	{
		set_slot(grower, leaf, grower->free_slot[--grower->n_free]);
		return ML_OK;
	}
	if (grower->n_slots < grower->max_slots)
	{
		MlGbdtSum  *hist = ml_alloc(env, grower->bins->offset[grower->bins->n_narrow] + 1, sizeof(MlGbdtSum));

		if (hist == NULL)
			return env->error.status;
		grower->slot[grower->n_slots] = hist;
		set_slot(grower, leaf, grower->n_slots++);
		return ML_OK;
	}
	/* None is free, so each has a leaf; there are at least MIN_SLOTS, and one is kept. */
	for (int32_t s = 0; s < grower->n_slots; s++)
	{
		MlGbdtLeaf *other = &grower->leaf[grower->slot_leaf[s]];

		if (other != keep && (poorest == NULL || other->best.gain < poorest->best.gain))
			poorest = other;
	}
	slot = poorest->slot;
	poorest->slot = -1;
	set_slot(grower, leaf, slot);
	return ML_OK;
}

/* ---- search ---- */

static void
search_column(const SearchJob *job, int which, MlGbdtRoom *room, int32_t feature, const MlGbdtSum *hist,
			  uint32_t n_touched, MlGbdtSplit *found)
{
	MlGbdtSearch search = {
		.rules = job->grower->rules, .scale = &job->grower->scale,
		.column = &job->grower->bins->column[feature], .feature = feature, .hist = hist,
		.touched = n_touched > 0 ? room->touched : NULL, .n_touched = n_touched,
		.total = job->leaf[which]->total, .rank = room->rank
	};

	ml_gbdt_split_find(&search, found);
}

static void
search_narrow(const SearchJob *job, int column, MlGbdtRoom *room, MlGbdtSplit *found)
{
	MlGbdtGrower *grower = job->grower;
	int			j = grower->narrow[column];
	uint32_t	begin = grower->bins->offset[j];
	int32_t		feature = grower->bins->narrow[j];
	uint32_t	entries = grower->bins->column[feature].missing + 1;
	MlGbdtSum  *own = grower->slot[job->leaf[0]->slot] + begin;

	for (int t = 1; t < grower->threads; t++)
		if (grower->room[t].used)
			for (uint32_t b = 0; b < entries; b++)
				own[b] += grower->room[t].partial[begin + b];
	if (job->subtract)
	{
		MlGbdtSum  *other = grower->slot[job->leaf[1]->slot] + begin;

		for (uint32_t b = 0; b < entries; b++)
			other[b] -= own[b];
	}
	for (int which = 0; which < 2; which++)
		if (job->wanted[which])
			search_column(job, which, room, feature, grower->slot[job->leaf[which]->slot] + begin, 0, &found[which]);
}

/* A wide column's histogram lives only here: most of its bins are empty in most leaves. */
static void
search_wide(const SearchJob *job, int column, MlGbdtRoom *room, MlGbdtSplit *found)
{
	MlGbdtGrower *grower = job->grower;
	int32_t		feature = grower->wide[column];

	for (int which = 0; which < 2; which++)
	{
		const MlGbdtLeaf *leaf = job->leaf[which];
		uint32_t	touched;

		if (!job->wanted[which])
			continue;
		touched = ml_gbdt_hist_column(grower, &grower->bins->column[feature], grower->rows + leaf->begin, leaf->count,
									  room->wide, room->touched);
		search_column(job, which, room, feature, room->wide, touched, &found[which]);
		for (uint32_t i = 0; i < touched; i++)
			room->wide[room->touched[i]] = (MlGbdtSum) {0, 0};
	}
}

static void
search_task(void *arg, size_t task, int thread)
{
	const SearchJob *job = arg;
	MlGbdtGrower *grower = job->grower;
	int			columns = grower->n_narrow + grower->n_wide;
	int			begin = (int) task * SEARCH_COLUMNS;

	for (int c = begin; c < begin + SEARCH_COLUMNS && c < columns; c++)
	{
		MlGbdtSplit *found = &grower->found[2 * c];

		found[0] = (MlGbdtSplit) {.gain = 0};
		found[1] = (MlGbdtSplit) {.gain = 0};
		if (c < grower->n_narrow)
			search_narrow(job, c, &grower->room[thread], found);
		else
			search_wide(job, c - grower->n_narrow, &grower->room[thread], found);
	}
}

/* Runs the search and picks the best column of each leaf; the lowest feature of equals. */
static MlStatus
search(MlEnv *env, SearchJob *job)
{
	MlGbdtGrower *grower = job->grower;
	int			columns = grower->n_narrow + grower->n_wide;
	size_t		tasks = ((size_t) columns + SEARCH_COLUMNS - 1) / SEARCH_COLUMNS;

	if (grower->n_wide == 0 && grower->bins->offset[grower->bins->n_narrow] <= SERIAL_ENTRIES)
	{
		if (ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		for (size_t t = 0; t < tasks; t++)
			search_task(job, t, 0);
	}
	else
		ML_TRY(ml_pool_run(env, tasks, search_task, job));
	for (int which = 0; which < 2; which++)
	{
		if (job->leaf[which] == NULL)
			continue;
		job->leaf[which]->best = (MlGbdtSplit) {.gain = 0};
		for (int c = 0; c < columns; c++)
		{
			const MlGbdtSplit *found = &grower->found[2 * c + which];
			MlGbdtSplit *best = &job->leaf[which]->best;

			if (found->gain > best->gain ||
				(found->gain > 0 && found->gain == best->gain && found->feature < best->feature))
				*best = *found;
		}
		if (!(job->leaf[which]->best.gain > 0))
			give_slot(grower, job->leaf[which]);
	}
	return ML_OK;
}

static bool
may_split(const MlGbdtGrower *grower, const MlGbdtLeaf *leaf)
{
	return (int64_t) leaf->count >= 2 * grower->rules->min_data_in_leaf
		&& (grower->rules->max_depth < 1 || leaf->depth < grower->rules->max_depth);
}

/* Finds the best splits of two new siblings.  parent_slot: the histogram of both together, or -1. */
static MlStatus
search_children(MlEnv *env, MlGbdtGrower *grower, MlGbdtLeaf *a, MlGbdtLeaf *b, int32_t parent_slot)
{
	MlGbdtLeaf *small = a->count <= b->count ? a : b;
	MlGbdtLeaf *large = small == a ? b : a;
	SearchJob	job = {.grower = grower, .leaf = {small, large}};

	job.wanted[0] = may_split(grower, small);
	job.wanted[1] = may_split(grower, large);
	set_slot(grower, large, parent_slot);
	if (!job.wanted[0] && !job.wanted[1])
	{
		give_slot(grower, large);
		return ML_OK;
	}
	ML_TRY(take_slot(env, grower, small, large));
	if (parent_slot >= 0)
	{
		job.subtract = true;
		ML_TRY(ml_gbdt_hist_leaf(env, grower, small, grower->slot[small->slot]));
		return search(env, &job);
	}
	/* The parent's histogram had to go: each from its own rows. */
	for (int which = 0; which < 2; which++)
	{
		SearchJob	one = {.grower = grower, .leaf = {job.leaf[which]}, .wanted = {job.wanted[which]}};

		if (one.leaf[0]->slot < 0)
			ML_TRY(take_slot(env, grower, one.leaf[0], NULL));
		ML_TRY(ml_gbdt_hist_leaf(env, grower, one.leaf[0], grower->slot[one.leaf[0]->slot]));
		ML_TRY(search(env, &one));
	}
	return ML_OK;
}

/* ---- splitting ---- */

static MlStatus
add_set(MlEnv *env, MlGbdtGrower *grower, const uint32_t *code, uint32_t n)
{
	if (grower->n_set + n > grower->set_capacity)
	{
		uint32_t	capacity = 2 * grower->set_capacity + n + 256;
		uint16_t   *set = ml_alloc(env, capacity, sizeof(uint16_t));

		if (set == NULL)
			return env->error.status;
		if (grower->n_set > 0)
			memcpy(set, grower->set, grower->n_set * sizeof(uint16_t));
		ml_release(env, grower->set);
		grower->set = set;
		grower->set_capacity = capacity;
	}
	for (uint32_t i = 0; i < n; i++)
		grower->set[grower->n_set++] = (uint16_t) code[i];
	return ML_OK;
}

/* Fills goes_left[] for a number. */
static void
decide_number(MlGbdtGrower *grower, const MlGbdtColumn *column, const MlGbdtSplit *split, MlGbdtNode *node)
{
	memset(grower->goes_left, 0, column->missing + 1);
	memset(grower->goes_left, 1, split->bin + 1);
	grower->goes_left[column->missing] = split->missing_left;
	node->missing_left = split->missing_left;
	/* All values left, missing ones right: no value is above the largest double. */
	node->value = split->bin + 1 < column->n_bins ? column->upper[split->bin] : DBL_MAX;
}

/* The same for a category: the set is found again from the leaf's rows, for storing one per leaf would cost more. */
static MlStatus
decide_category(MlEnv *env, MlGbdtGrower *grower, const MlGbdtColumn *column, const MlGbdtLeaf *leaf, MlGbdtNode *node)
{
	const MlGbdtSplit *split = &leaf->best;
	MlGbdtRoom *room = &grower->room[0];
	uint32_t	touched = ml_gbdt_hist_column(grower, column, grower->rows + leaf->begin, leaf->count, room->wide, room->touched);
	MlGbdtSearch again = {
		.rules = grower->rules, .scale = &grower->scale, .column = column, .feature = split->feature,
		.hist = room->wide, .touched = room->touched, .n_touched = touched, .total = leaf->total, .rank = room->rank
	};
	uint32_t	n = ml_gbdt_split_bins(&again, split, grower->bin);
	uint32_t	codes = 0;
	bool		saw_missing = room->wide[column->missing][1] != 0;

	for (uint32_t i = 0; i < touched; i++)
		room->wide[room->touched[i]] = (MlGbdtSum) {0, 0};
	memset(grower->goes_left, 0, column->missing + 1);
	for (uint32_t i = 0; i < n; i++)
		grower->goes_left[grower->bin[i]] = 1;
	node->missing_left = saw_missing ? grower->goes_left[column->missing] :
		2 * ml_gbdt_rows(&grower->scale, split->left) >= (int64_t) leaf->count;
	/* Ascending codes, without "missing", which is not one. */
	for (uint32_t b = 0; b < column->n_bins; b++)
		if (grower->goes_left[b])
			grower->bin[codes++] = b;
	node->category = true;
	node->set_first = grower->n_set;
	node->set_count = codes;
	return add_set(env, grower, grower->bin, codes);
}

static uint32_t
add_leaf_node(MlGbdtGrower *grower, size_t rows)
{
	grower->node[grower->n_nodes] = (MlGbdtNode) {.rows = (uint32_t) rows};
	return grower->n_nodes++;
}

/* Splits leaf number l; the right half becomes a new leaf. */
static MlStatus
split_leaf(MlEnv *env, MlGbdtGrower *grower, int32_t l)
{
	MlGbdtLeaf *left = &grower->leaf[l];
	MlGbdtLeaf *right = &grower->leaf[grower->n_leaves];
	MlGbdtSplit split = left->best;
	const MlGbdtColumn *column = &grower->bins->column[split.feature];
	MlGbdtNode *node = &grower->node[left->node];
	int32_t		parent_slot = left->slot;
	size_t		n_left;

	node->feature = split.feature;
	node->gain = split.gain;
	if (column->category)
		ML_TRY(decide_category(env, grower, column, left, node));
	else
		decide_number(grower, column, &split, node);
	ML_TRY(ml_gbdt_partition(env, grower, column, left->begin, left->count, &n_left));
	if ((int64_t) n_left != ml_gbdt_rows(&grower->scale, split.left))
		return ml_fail(env, ML_BAD_DATA, "split of feature %d sends %zu rows left, its histogram says %lld",
					   split.feature, n_left, (long long) ml_gbdt_rows(&grower->scale, split.left));

	*right = (MlGbdtLeaf) {
		.begin = left->begin + n_left, .count = left->count - n_left,
		.total = left->total - split.left, .depth = left->depth + 1, .slot = -1
	};
	left->count = n_left;
	left->total = split.left;
	left->depth++;
	left->slot = -1;
	left->best = (MlGbdtSplit) {.gain = 0};
	left->extra_l2 = right->extra_l2 = column->category && !split.onehot ? grower->rules->cat_l2 : 0;
	node->left = grower->n_nodes;
	left->node = add_leaf_node(grower, left->count);
	right->node = add_leaf_node(grower, right->count);
	grower->n_leaves++;
	if (grower->n_leaves == grower->max_leaves)
		return ML_OK;
	return search_children(env, grower, left, right, parent_slot);
}

/* ---- the order of splits ---- */

/* Higher gain first; of equals the older leaf. */
static bool
splits_before(const MlGbdtGrower *grower, int32_t a, int32_t b)
{
	double		gain_a = grower->leaf[a].best.gain;
	double		gain_b = grower->leaf[b].best.gain;

	return gain_a != gain_b ? gain_a > gain_b : a < b;
}

static void
push_leaf(MlGbdtGrower *grower, int32_t leaf)
{
	int32_t		i = grower->n_heap;

	if (!(grower->leaf[leaf].best.gain > 0))
		return;
	for (grower->n_heap++; i > 0 && splits_before(grower, leaf, grower->heap[(i - 1) / 2]); i = (i - 1) / 2)
		grower->heap[i] = grower->heap[(i - 1) / 2];
	grower->heap[i] = leaf;
}

static int32_t
pop_leaf(MlGbdtGrower *grower)
{
	int32_t		best = grower->heap[0];
	int32_t		last = grower->heap[--grower->n_heap];
	int32_t		i = 0;

	for (;;)
	{
		int32_t		child = 2 * i + 1;

		if (child >= grower->n_heap)
			break;
		if (child + 1 < grower->n_heap && splits_before(grower, grower->heap[child + 1], grower->heap[child]))
			child++;
		if (!splits_before(grower, grower->heap[child], last))
			break;
		grower->heap[i] = grower->heap[child];
		i = child;
	}
	grower->heap[i] = last;
	return best;
}

static void
start_tree(MlGbdtGrower *grower, const uint32_t *rows, size_t n_rows, const bool *use)
{
	const MlGbdtBins *bins = grower->bins;

	memcpy(grower->rows, rows, n_rows * sizeof(uint32_t));
	grower->n_rows = n_rows;
	grower->n_narrow = 0;
	grower->n_wide = 0;
	for (int j = 0; j < bins->n_narrow; j++)
		if (use[bins->narrow[j]])
			grower->narrow[grower->n_narrow++] = j;
	for (int j = 0; j < bins->n_wide; j++)
		if (use[bins->wide[j]])
			grower->wide[grower->n_wide++] = bins->wide[j];
	grower->n_free = 0;
	for (int32_t s = 0; s < grower->n_slots; s++)
	{
		grower->slot_leaf[s] = -1;
		grower->free_slot[grower->n_free++] = s;
	}
	grower->n_nodes = 0;
	grower->n_set = 0;
	grower->n_heap = 0;
	grower->n_leaves = 1;
	grower->leaf[0] = (MlGbdtLeaf) {.begin = 0, .count = n_rows, .slot = -1};
	grower->leaf[0].node = add_leaf_node(grower, n_rows);
}

static MlStatus
search_root(MlEnv *env, MlGbdtGrower *grower)
{
	MlGbdtLeaf *root = &grower->leaf[0];
	SearchJob	job = {.grower = grower, .leaf = {root}, .wanted = {may_split(grower, root)}};

	if (!job.wanted[0] || grower->max_leaves < 2)
		return ML_OK;
	ML_TRY(take_slot(env, grower, root, NULL));
	ML_TRY(ml_gbdt_hist_leaf(env, grower, root, grower->slot[root->slot]));
	return search(env, &job);
}

MlStatus
ml_gbdt_grow(MlEnv *env, MlGbdtGrower *grower, MlGbdtLoss *loss, int32_t k,
			 const uint32_t *rows, size_t n_rows, const bool *use, MlGbdtForest *forest, bool *grown)
{
	*grown = false;
	grower->loss = loss;
	grower->output = k;
	if (loss->objective == ML_GBDT_ABSOLUTE && grower->median_value == NULL)
	{
		grower->median_value = ml_alloc(env, grower->bins->n, sizeof(double));
		grower->median_weight = ml_alloc(env, grower->bins->n, sizeof(double));
		if (grower->median_value == NULL || grower->median_weight == NULL)
			return env->error.status;
	}
	start_tree(grower, rows, n_rows, use);
	ML_TRY(quantise(env, grower, &grower->leaf[0].total));
	ML_TRY(search_root(env, grower));
	push_leaf(grower, 0);
	while (grower->n_heap > 0 && grower->n_leaves < grower->max_leaves)
	{
		int32_t		l = pop_leaf(grower);

		ML_TRY(split_leaf(env, grower, l));
		push_leaf(grower, l);
		push_leaf(grower, grower->n_leaves - 1);
	}
	if (grower->n_leaves == 1)
		return ML_OK;
	ML_TRY(ml_gbdt_leaf_values(env, grower));
	ML_TRY(ml_gbdt_leaf_scores(env, grower));
	*grown = true;
	return ml_gbdt_forest_add(env, forest, grower->node, grower->n_nodes, grower->set, grower->n_set);
}
