/*-------------------------------------------------------------------------
 * grow.c
 *	  One tree, grown leaf by leaf: the leaf of highest gain is split next.
 *
 * Shi 2007, Ke et al. 2017.  What splitting a leaf gives depends on that leaf
 * alone, only the order of splits depends on the others.  So threads expand the
 * most promising leaves ahead of the order, each a leaf of its own and without
 * a barrier, and the splits are carried out in order from what is ready.  A thread that
 * finds no leaf helps another one with its rows or columns.  Each step is exact or in a
 * fixed order, so the tree does not depend on the threads, nor on which of them was late.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/algo/gbdt/grow_internal.h"
#include "ml/base/arena.h"
#include "ml/base/pool.h"
#include "ml/base/rng.h"

/* Histograms that are kept may take this much, but never fewer than slot_limit() says.  Tests make it small: no tree depends on it. */
size_t		ml_gbdt_slot_bytes = (size_t) 256 * 1024 * 1024;

/* Columns of a category go up to this many bins. */
#define NARROW_BINS 256
/* So many rows' gradients do not stay in the cache of one core. */
#define STREAMED_ROWS ((size_t) 131072)
/* Leaves that may be expanded before it is certain that they are split: enough to keep all threads at work. */
static int
ahead_limit(int threads)
{
	return threads > 1 ? 2 * threads + 2 : 1;
}

static size_t
slot_limit(size_t entries, int32_t max_leaves, int threads)
{
	size_t		slots = ml_gbdt_slot_bytes / (entries * sizeof(MlGbdtSum) + 1);
	size_t		most;

	/* Each thread holds two while it expands a leaf, and one thread must always find two that it may take. */
	if (slots < (size_t) (2 * threads + 2))
		slots = (size_t) (2 * threads + 2);
	most = (size_t) max_leaves + (size_t) (2 * ahead_limit(threads)) + 1;
	return slots < most ? slots : most;
}

/* Rows whose gradients are summed up together, by leaf: the sums of all blocks take no more room than half a number a row. */
static size_t
sum_rows(size_t n, size_t leaves)
{
	size_t		rows = 65536;

	while (rows < n && (n / rows + 1) * 4 * leaves > n / 2)
		rows *= 2;
	return rows;
}

static size_t
sum_entries(size_t n, size_t leaves)
{
	return (n / sum_rows(n, leaves) + 1) * 2 * leaves;
}

size_t
ml_gbdt_grower_memory(size_t n, size_t entries, size_t widest, int columns, int32_t num_leaves, int threads)
{
	size_t		leaves = n < (size_t) num_leaves ? n + 1 : (size_t) num_leaves;
	size_t		room = widest < NARROW_BINS ? NARROW_BINS : widest;

	return n * (3 * sizeof(uint32_t) + sizeof(int64_t))
		+ (slot_limit(entries, (int32_t) leaves, threads) + (size_t) threads) * (entries + 64) * sizeof(MlGbdtSum)
		+ (size_t) threads * (NARROW_BINS + room) * (sizeof(MlGbdtSum) + sizeof(uint32_t) + sizeof(MlGbdtRank))
		+ (size_t) threads * ml_gbdt_packed_room((size_t) columns, true) * sizeof(int64_t)
		+ (size_t) threads * (size_t) columns * 2 * (sizeof(MlGbdtSplit) + sizeof(bool))
		+ (size_t) ahead_limit(threads) * (sizeof(MlGbdtExpansion) + room * (sizeof(uint32_t) + sizeof(uint8_t)))
		+ leaves * (sizeof(MlGbdtLeaf) + 2 * sizeof(MlGbdtNode) + 64) + n / 64
		+ sum_entries(n, leaves) * sizeof(MlGbdtLeafSum);
}

static MlStatus
create_rooms(MlEnv *env, MlGbdtGrower *grower, size_t entries)
{
	size_t		columns = (size_t) (grower->bins->n_narrow + grower->bins->n_wide);
	size_t		room = grower->bins->widest < NARROW_BINS ? NARROW_BINS : grower->bins->widest;
	size_t		packed = ml_gbdt_packed_room((size_t) grower->bins->n_bytes, grower->bins->n_bytes < grower->bins->n_stored);

	for (int t = 0; t < grower->threads; t++)
	{
		MlGbdtRoom *r = &grower->room[t];

		r->wide = ml_alloc0(env, room, sizeof(MlGbdtSum));
		r->touched = ml_alloc(env, room + 1, sizeof(uint32_t));
		r->rank = ml_alloc(env, room, sizeof(MlGbdtRank));
		r->spread = ml_alloc(env, NARROW_BINS, sizeof(MlGbdtSum));
		r->partial = grower->threads > 1 ? ml_alloc0(env, entries, sizeof(MlGbdtSum)) : NULL;
		r->packed = ml_alloc0(env, packed, sizeof(int64_t));
		r->found = ml_alloc(env, 2 * columns + 1, sizeof(MlGbdtSplit));
		r->barred = ml_alloc0(env, 2 * columns + 1, sizeof(bool));
		if (r->spread == NULL || r->barred == NULL || r->wide == NULL || r->touched == NULL || r->rank == NULL || r->found == NULL || r->packed == NULL || (grower->threads > 1 && r->partial == NULL))
			return env->error.status;
	}
	for (int a = 0; a < grower->n_ahead; a++)
	{
		grower->ahead[a].goes_left = ml_alloc(env, room, sizeof(uint8_t));
		grower->ahead[a].code = ml_alloc(env, room, sizeof(uint32_t));
		if (grower->ahead[a].goes_left == NULL || grower->ahead[a].code == NULL)
			return env->error.status;
	}
	return ML_OK;
}

/* What a slot holds, and where. */
static MlStatus
lay_out_slots(MlEnv *env, MlGbdtGrower *grower)
{
	const MlGbdtBins *bins = grower->bins;
	size_t		wide = 0;

	grower->slot_entries = bins->offset[bins->n_stored];
	for (int j = 0; j < bins->n_wide; j++)
		wide += bins->column[bins->wide[j]].missing + 1;
	if (wide == 0 || wide > ML_GBDT_KEPT_ENTRIES)
		return ML_OK;
	grower->wide_offset = ml_alloc0(env, (size_t) bins->n_features, sizeof(uint32_t));
	if (grower->wide_offset == NULL)
		return env->error.status;
	for (int j = 0; j < bins->n_wide; j++)
	{
		grower->wide_offset[bins->wide[j]] = (uint32_t) grower->slot_entries;
		grower->slot_entries += bins->column[bins->wide[j]].missing + 1;
	}
	return ML_OK;
}

MlStatus
ml_gbdt_grower_create(MlEnv *env, const MlGbdtBins *bins, const MlGbdtRules *rules, MlGbdtGrower **result)
{
	MlGbdtGrower *grower = ml_alloc0(env, 1, sizeof(MlGbdtGrower));
	size_t		n = bins->n;
	size_t		leaves = n < (size_t) rules->num_leaves ? n : (size_t) rules->num_leaves;
	size_t		columns = (size_t) (bins->n_narrow + bins->n_wide);
	size_t		entries = bins->offset[bins->n_stored] + 1;
	size_t		blocks = n / ML_GBDT_BLOCK + 2;

	if (grower == NULL)
		return env->error.status;
	grower->bins = bins;
	grower->rules = rules;
	grower->threads = ml_pool_threads(env->pool);
	grower->max_leaves = (int32_t) leaves;
	ML_TRY(lay_out_slots(env, grower));
	grower->max_slots = (int32_t) slot_limit(grower->slot_entries + 1, grower->max_leaves, grower->threads);
	for (int k = 0; k < 2; k++)
		grower->rows[k] = ml_alloc(env, n, sizeof(uint32_t));
	grower->leaf_of = ml_alloc(env, n, sizeof(uint32_t));
	grower->gradients.exact = ml_alloc(env, n, sizeof(int64_t));
	grower->gradients.packed = (int32_t *) grower->gradients.exact;
	grower->gradients.around = grower->threads > 1 && n >= STREAMED_ROWS;
	grower->narrow = ml_alloc(env, columns + 1, sizeof(int));
	grower->byte = ml_alloc(env, columns + 1, sizeof(int));
	grower->in_use = ml_alloc(env, columns + 1, sizeof(bool));
	grower->wide = ml_alloc(env, columns + 1, sizeof(int));
	grower->leaf = ml_alloc0(env, leaves, sizeof(MlGbdtLeaf));
	grower->node = ml_alloc(env, 2 * leaves, sizeof(MlGbdtNode));
	grower->slot = ml_alloc0(env, (size_t) grower->max_slots, sizeof(MlGbdtSum *));
	grower->slot_owner = ml_alloc(env, (size_t) grower->max_slots, sizeof(MlGbdtLeaf *));
	grower->free_slot = ml_alloc(env, (size_t) grower->max_slots, sizeof(int32_t));
	grower->heap = ml_alloc(env, leaves, sizeof(int32_t));
	grower->room = ml_alloc0(env, (size_t) grower->threads, sizeof(MlGbdtRoom));
	grower->n_ahead = ahead_limit(grower->threads);
	grower->ahead = ml_alloc0(env, (size_t) grower->n_ahead, sizeof(MlGbdtExpansion));
	grower->block_sum = ml_alloc(env, blocks, sizeof(MlGbdtSum));
	grower->leaf_value = ml_alloc(env, leaves, sizeof(double));
	grower->sum_rows = sum_rows(n, leaves);
	grower->leaf_sum = ml_alloc(env, sum_entries(n, leaves), sizeof(MlGbdtLeafSum));
	if (!grower->rows[0] || !grower->rows[1] || !grower->leaf_of || !grower->gradients.exact ||
		!grower->narrow || !grower->byte || !grower->in_use || !grower->wide || !grower->leaf || !grower->node || !grower->slot || !grower->slot_owner || !grower->free_slot || !grower->heap ||
		!grower->room || !grower->ahead || !grower->block_sum || !grower->leaf_value || !grower->leaf_sum)
		return env->error.status;
	*result = grower;
	ML_TRY(create_rooms(env, grower, entries));
	return rules->symmetric ? ml_gbdt_levels_create(env, grower) : ML_OK;
}

/* ---- slots ---- */

void
ml_gbdt_give_slot(MlGbdtGrower *grower, MlGbdtLeaf *leaf)
{
	if (leaf->slot >= 0)
	{
		grower->slot_owner[leaf->slot] = NULL;
		grower->free_slot[grower->n_free++] = leaf->slot;
	}
	leaf->slot = -1;
}

MlStatus
ml_gbdt_take_slot(MlEnv *env, MlGbdtGrower *grower, MlGbdtLeaf *leaf, bool insist)
{
	MlGbdtLeaf *poorest = NULL;

	if (grower->n_free == 0 && grower->n_slots < grower->max_slots)
	{
		MlGbdtSum  *hist = ml_alloc(env, grower->slot_entries + 1, sizeof(MlGbdtSum));

		if (hist == NULL)
			return env->error.status;
		grower->slot[grower->n_slots] = hist;
		grower->slot_owner[grower->n_slots] = NULL;
		grower->free_slot[grower->n_free++] = grower->n_slots++;
	}
	if (grower->n_free == 0 && insist)
	{
		for (int32_t s = 0; s < grower->n_slots; s++)
		{
			MlGbdtLeaf *other = grower->slot_owner[s];

			if (other != NULL && (poorest == NULL || other->best.gain < poorest->best.gain))
				poorest = other;
		}
		if (poorest != NULL)
			ml_gbdt_give_slot(grower, poorest);
	}
	if (grower->n_free > 0)
		leaf->slot = grower->free_slot[--grower->n_free];
	return ML_OK;
}

/* From now on others may take this leaf's slot; a leaf that cannot be split needs none. */
static void
settle_slot(MlGbdtGrower *grower, MlGbdtLeaf *leaf)
{
	if (!(leaf->best.gain > 0))
		ml_gbdt_give_slot(grower, leaf);
	else if (leaf->slot >= 0)
		grower->slot_owner[leaf->slot] = leaf;
}

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

static uint32_t
add_leaf_node(MlGbdtGrower *grower, size_t rows)
{
	grower->node[grower->n_nodes] = (MlGbdtNode) {.rows = (uint32_t) rows};
	return grower->n_nodes++;
}

/* ---- the order of splits ---- */

/* Higher gain first (level by level where that is asked for); of equals the older leaf. */
static bool
splits_before(const MlGbdtGrower *grower, int32_t a, int32_t b)
{
	double		gain_a = grower->leaf[a].best.gain;
	double		gain_b = grower->leaf[b].best.gain;

	if (grower->rules->depthwise && grower->leaf[a].depth != grower->leaf[b].depth)
		return grower->leaf[a].depth < grower->leaf[b].depth;
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

/* ---- expansions ---- */

bool
ml_gbdt_may_split(const MlGbdtGrower *grower, const MlGbdtLeaf *leaf)
{
	return (int64_t) leaf->count >= 2 * grower->rules->min_data_in_leaf
		&& (grower->rules->max_depth < 1 || leaf->depth < grower->rules->max_depth);
}

/* The last place is kept for the next leaf in order: all others may come after it, and would never leave theirs. */
static MlGbdtExpansion *
free_expansion(MlGbdtGrower *grower, bool insist)
{
	MlGbdtExpansion *found = NULL;

	for (int a = 0; a < grower->n_ahead; a++)
	{
		if (grower->ahead[a].leaf >= 0)
			continue;
		if (found != NULL || insist)
			return &grower->ahead[a];
		found = &grower->ahead[a];
	}
	return NULL;
}

/*
 * A split on a column that the value must follow: the halves meet in the middle, and nothing below them may
 * cross it.  (The "basic" method of LightGBM, and XGBoost's.)
 */
static void
bound_children(const MlGbdtGrower *grower, const MlGbdtSplit *split, MlGbdtLeaf *child)
{
	const MlGbdtRules *rules = grower->rules;
	int			sign = rules->monotone != NULL ? rules->monotone[split->feature] : 0;
	double		value[2];
	double		middle;

	if (sign == 0)
		return;
	for (int c = 0; c < 2; c++)
		value[c] = ml_gbdt_between(ml_gbdt_leaf_value(rules, ml_gbdt_g(&grower->scale, child[c].total), ml_gbdt_h(&grower->scale, child[c].total),
													  rules->lambda_l2), child[c].lower, child[c].upper);
	middle = value[0] / 2 + value[1] / 2;
	if (sign > 0)
		child[0].upper = child[1].lower = middle;
	else
		child[0].lower = child[1].upper = middle;
}

void
ml_gbdt_describe_children(const MlGbdtGrower *grower, MlGbdtExpansion *x, int32_t l)
{
	const MlGbdtLeaf *leaf = &grower->leaf[l];
	const MlGbdtSplit *split = &leaf->best;
	size_t		n_left = (size_t) ml_gbdt_rows(&grower->scale, split->left);
	MlGbdtLeaf	half = {.depth = leaf->depth + 1, .slot = -1, .expansion = -1, .lower = leaf->lower, .upper = leaf->upper};

	if (grower->bins->column[split->feature].category && !split->onehot)
		half.extra_l2 = grower->rules->cat_l2;
	x->child[0] = x->child[1] = half;
	x->child[0].begin = leaf->begin;
	x->child[0].count = n_left;
	x->child[0].total = split->left;
	x->child[1].begin = leaf->begin + n_left;
	x->child[1].count = leaf->count - n_left;
	x->child[1].total = leaf->total - split->left;
	for (int c = 0; c < 2; c++)
		x->child[c].path = ml_mix64(leaf->path * 2 + (uint64_t) c);
	bound_children(grower, split, x->child);
	x->small = x->child[0].count <= x->child[1].count ? 0 : 1;
	for (int c = 0; c < 2; c++)
		/* The last leaves are not searched: they stay as they are. */
		x->wanted[c] = grower->n_leaves + 1 < grower->max_leaves && ml_gbdt_may_split(grower, &x->child[c]);
}

/* How many leaves of the heap, from place i on, are split before leaf l.  Below one that is not, none is. */
static int32_t
count_before(const MlGbdtGrower *grower, int32_t i, int32_t l)
{
	if (i >= grower->n_heap || !splits_before(grower, grower->heap[i], l))
		return 0;
	return 1 + count_before(grower, 2 * i + 1, l) + count_before(grower, 2 * i + 2, l);
}

/*
 * Prepares the expansion of leaf l; *result is NULL when there is no room for it
 * now.  The next leaf in order always finds room ("insist").
 */
static MlStatus
begin_expansion(MlEnv *env, MlGbdtGrower *grower, int32_t l, bool insist, MlGbdtExpansion **result)
{
	MlGbdtLeaf *leaf = &grower->leaf[l];
	MlGbdtExpansion *x = free_expansion(grower, insist);
	int32_t		parent_slot = leaf->slot;

	*result = NULL;
	if (x == NULL)
		return ML_OK;
	ml_gbdt_describe_children(grower, x, l);
	/* Once the leaves before this one are split, too, its halves may be the last leaves. */
	if (grower->n_leaves + count_before(grower, 0, l) + 1 >= grower->max_leaves)
		x->wanted[0] = x->wanted[1] = false;
	if (parent_slot >= 0)
		grower->slot_owner[parent_slot] = NULL;
	x->subtract = parent_slot >= 0;
	if (!x->wanted[0] && !x->wanted[1])
		ml_gbdt_give_slot(grower, leaf);
	else
	{
		bool		missing = false;

		x->child[1 - x->small].slot = parent_slot;
		for (int c = 0; c < 2; c++)
		{
			/* For a difference the smaller half is needed even if it stays whole. */
			if (x->child[c].slot >= 0 || !(x->wanted[c] || (x->subtract && c == x->small)))
				continue;
			ML_TRY(ml_gbdt_take_slot(env, grower, &x->child[c], insist));
			missing |= x->child[c].slot < 0;
		}
		if (missing)
		{
			if (parent_slot >= 0)
				grower->slot_owner[parent_slot] = leaf;
			x->child[1 - x->small].slot = parent_slot >= 0 ? -1 : x->child[1 - x->small].slot;
			ml_gbdt_give_slot(grower, &x->child[0]);
			ml_gbdt_give_slot(grower, &x->child[1]);
			return ML_OK;
		}
	}
	leaf->slot = -1;
	leaf->expansion = (int32_t) (x - grower->ahead);
	x->leaf = l;
	x->done = false;
	grower->in_flight++;
	*result = x;
	return ML_OK;
}

static MlStatus
end_expansion(MlEnv *env, MlGbdtGrower *grower, MlGbdtExpansion *x)
{
	x->done = true;
	grower->in_flight--;
	if (!x->as_expected)
		return ml_fail(env, ML_BAD_DATA, "split of feature %d sends %zu rows left, its histogram says %zu",
					   grower->leaf[x->leaf].best.feature, x->n_left, x->child[0].count);
	settle_slot(grower, &x->child[0]);
	settle_slot(grower, &x->child[1]);
	return ML_OK;
}

MlStatus
ml_gbdt_carry_out(MlEnv *env, MlGbdtGrower *grower, MlGbdtExpansion *x)
{
	MlGbdtLeaf *leaf = &grower->leaf[x->leaf];
	int32_t		number[2] = {x->leaf, grower->n_leaves++};
	MlGbdtNode *node = &grower->node[leaf->node];

	node->feature = leaf->best.feature;
	node->gain = leaf->best.gain;
	node->missing_left = x->missing_left;
	node->value = x->value;
	node->left = grower->n_nodes;
	if (grower->bins->column[node->feature].category)
	{
		node->value = 0;
		node->category = true;
		node->set_first = grower->n_set;
		node->set_count = x->n_codes;
		ML_TRY(add_set(env, grower, x->code, x->n_codes));
	}
	for (int c = 0; c < 2; c++)
	{
		x->child[c].node = add_leaf_node(grower, x->child[c].count);
		grower->leaf[number[c]] = x->child[c];
		if (x->child[c].slot >= 0)
			grower->slot_owner[x->child[c].slot] = &grower->leaf[number[c]];
		push_leaf(grower, number[c]);
	}
	x->leaf = -1;
	return ML_OK;
}

/* Carries out what is next in order, as far as it is ready. */
static MlStatus
carry_out_ready(MlEnv *env, MlGbdtGrower *grower)
{
	while (grower->n_heap > 0 && grower->n_leaves < grower->max_leaves)
	{
		int32_t		a = grower->leaf[grower->heap[0]].expansion;

		if (a < 0 || !grower->ahead[a].done)
			break;
		pop_leaf(grower);
		ML_TRY(ml_gbdt_carry_out(env, grower, &grower->ahead[a]));
	}
	return ML_OK;
}

static bool
complete(const MlGbdtGrower *grower)
{
	return grower->n_heap == 0 || grower->n_leaves >= grower->max_leaves;
}

/* ---- which leaf to expand ---- */

/*
 * The best leaf that nobody has expanded, if so few are ahead of it that it
 * would be split in this tree without their children; -1 when there is none.
 * Below a leaf of the heap all are worse, so few are looked at.
 */
static void
look_for_best(const MlGbdtGrower *grower, int32_t i, int32_t *best)
{
	int32_t		l;

	if (i >= grower->n_heap)
		return;
	l = grower->heap[i];
	if (grower->leaf[l].expansion < 0)
	{
		if (*best < 0 || splits_before(grower, l, *best))
			*best = l;
		return;
	}
	look_for_best(grower, 2 * i + 1, best);
	look_for_best(grower, 2 * i + 2, best);
}

static int32_t
best_leaf(const MlGbdtGrower *grower)
{
	int32_t		best = -1;
	int32_t		ahead = 0;

	look_for_best(grower, 0, &best);
	if (best < 0)
		return -1;
	for (int a = 0; a < grower->n_ahead; a++)
		ahead += grower->ahead[a].leaf >= 0 && splits_before(grower, grower->ahead[a].leaf, best);
	/* The children of those will be before it, too, of every other one, say. */
	return ahead + ahead / 2 < grower->max_leaves - grower->n_leaves ? best : -1;
}

/* ---- growing ---- */

typedef struct GrowJob
{
	MlEnv	   *env;
	MlGbdtGrower *grower;
	MlStatus	status;			/* under the lock */
} GrowJob;

/* One step of one thread, which holds the lock; false when there is nothing to do at the moment. */
static bool
grow_step(GrowJob *job, int thread)
{
	MlGbdtGrower *grower = job->grower;
	MlPool	   *pool = job->env->pool;
	MlGbdtExpansion *x;
	int32_t		l = best_leaf(grower);
	MlStatus	status;

	if (l < 0)
		return false;
	job->status = begin_expansion(job->env, grower, l, l == grower->heap[0], &x);
	if (job->status != ML_OK || x == NULL)
		return job->status != ML_OK;
	ml_pool_unlock(pool);
	status = ml_gbdt_expand(job->env, grower, x, thread);
	ml_pool_lock(pool);
	if (status == ML_OK)
		status = end_expansion(job->env, grower, x);
	if (status == ML_OK)
		status = carry_out_ready(job->env, grower);
	if (job->status == ML_OK)
		job->status = status;
	ml_pool_wake(pool);
	return true;
}

/* One task is one thread's share of the tree, however much that comes to be. */
static void
grow_task(void *arg, size_t task, int thread)
{
	GrowJob    *job = arg;
	MlPool	   *pool = job->env->pool;

	ml_pool_lock(pool);
	while (job->status == ML_OK && !complete(job->grower))
	{
		if (thread == 0 && ml_canceled(job->env))
			job->status = ml_fail(job->env, ML_CANCELED, "canceled");
		else if (!grow_step(job, thread))
			ml_pool_help(pool, thread);
	}
	ml_pool_wake(pool);
	ml_pool_unlock(pool);
}

static void
start_tree(MlGbdtGrower *grower, const uint32_t *rows, size_t n_rows, const bool *use)
{
	const MlGbdtBins *bins = grower->bins;

	grower->drawn = rows;
	grower->n_rows = n_rows;
	grower->n_narrow = 0;
	grower->n_bytes = 0;
	grower->n_wide = 0;
	memset(grower->in_use, 0, (size_t) bins->n_stored * sizeof(bool));
	for (int j = 0; j < bins->n_narrow; j++)
	{
		if (!use[bins->narrow[j]])
			continue;
		grower->narrow[grower->n_narrow++] = j;
		grower->in_use[bins->column[bins->narrow[j]].position] = true;
	}
	for (int b = 0; b < bins->n_bytes; b++)
	{
		bool		in_use = false;

		for (int m = 0; m < bins->byte[b].members; m++)
			in_use |= grower->in_use[bins->byte[b].first + m];
		if (in_use)
			grower->byte[grower->n_bytes++] = b;
	}
	for (int j = 0; j < bins->n_wide; j++)
		if (use[bins->wide[j]])
			grower->wide[grower->n_wide++] = bins->wide[j];
	grower->n_free = 0;
	for (int32_t s = 0; s < grower->n_slots; s++)
	{
		grower->slot_owner[s] = NULL;
		grower->free_slot[grower->n_free++] = s;
	}
	grower->n_nodes = 0;
	grower->n_set = 0;
	grower->n_heap = 0;
	grower->n_leaves = 1;
	grower->in_flight = 0;
	for (int a = 0; a < grower->n_ahead; a++)
		grower->ahead[a].leaf = -1;
	grower->leaf[0] = (MlGbdtLeaf) {.begin = 0, .count = n_rows, .rows = rows, .slot = -1, .expansion = -1, .path = 1, .lower = -INFINITY, .upper = INFINITY};
	if (grower->rules->max_delta > 0)
	{
		grower->leaf[0].lower = -grower->rules->max_delta;
		grower->leaf[0].upper = grower->rules->max_delta;
	}
	grower->leaf[0].node = add_leaf_node(grower, n_rows);
}

static MlStatus
search_root(MlEnv *env, MlGbdtGrower *grower)
{
	MlGbdtLeaf *root = &grower->leaf[0];

	if (!ml_gbdt_may_split(grower, root) || grower->max_leaves < 2)
		return ML_OK;
	ML_TRY(ml_gbdt_take_slot(env, grower, root, true));
	ML_TRY(ml_gbdt_expand_root(env, grower, root));
	settle_slot(grower, root);
	push_leaf(grower, 0);
	return ML_OK;
}

static MlStatus
grow_by_leaf(MlEnv *env, MlGbdtGrower *grower)
{
	GrowJob		job = {env, grower, ML_OK};

	ML_TRY(search_root(env, grower));
	if (!complete(grower))
		ML_TRY(ml_pool_run(env, (size_t) grower->threads, grow_task, &job));
	return job.status;
}

MlStatus
ml_gbdt_grow(MlEnv *env, MlGbdtGrower *grower, MlGbdtLoss *loss, int32_t k,
			 const uint32_t *rows, size_t n_rows, const bool *use, uint64_t tree, MlGbdtForest *forest, bool *grown)
{
	*grown = false;
	grower->loss = loss;
	grower->output = k;
	grower->tree = tree;
	if (ml_gbdt_renews_leaves(loss->objective) && grower->median_value == NULL)
	{
		grower->median_value = ml_alloc(env, grower->bins->n, sizeof(double));
		grower->median_weight = ml_alloc(env, grower->bins->n, sizeof(double));
		if (grower->median_value == NULL || grower->median_weight == NULL)
			return env->error.status;
	}
	start_tree(grower, rows, n_rows, use);
	ML_TRY(ml_gbdt_quantise(env, grower, &grower->leaf[0].total));
	if (grower->levels != NULL)
		ML_TRY(ml_gbdt_grow_levels(env, grower));
	else
		ML_TRY(grow_by_leaf(env, grower));
	if (grower->n_leaves == 1)
		return ML_OK;
	ML_TRY(ml_gbdt_leaf_values(env, grower));
	ML_TRY(ml_gbdt_leaf_scores(env, grower));
	*grown = true;
	return ml_gbdt_forest_add(env, forest, grower->node, grower->n_nodes, grower->set, grower->n_set);
}
