/*-------------------------------------------------------------------------
 * grow.c
 *	  One tree, from its rows to its nodes.
 *
 * Depth first, the smaller child at once and the larger one later, so that no
 * more nodes wait than the logarithm of the rows; or, where the number of leaves is
 * limited, always the split that lowers the impurity most.  Rows keep their order
 * within a node: so columns are read from front to back.
 *
 * When a node is a leaf and how many features are looked at follows scikit-learn:
 * features are drawn until max_features of them were seen and at least one had
 * more than one value.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/algo/forest/grow_internal.h"
#include "ml/base/arena.h"
#include "ml/base/elementary.h"
#include "ml/base/pool.h"

/* Impurities below this (of weight 1) are rounding. */
#define EPSILON 2.220446049250313e-16

/* Rows of work between two looks at "stop". */
#define STOP_ROWS 262144

MlStatus
ml_tree_more_room(MlTreeGrower *g, void **array, uint32_t used, uint32_t more, size_t size, uint32_t *capacity)
{
	MlEnv	   *env = g->ground->env;
	uint64_t	wanted = (uint64_t) used + more;
	void	   *grown;

	if (wanted <= *capacity)
		return ML_OK;
	wanted = wanted + wanted / 2 < 256 ? 256 : wanted + wanted / 2;
	ml_pool_lock(env->pool);
	if (wanted > INT32_MAX)
		g->status = ml_fail(env, ML_TOO_LARGE, "a tree has more than %d nodes", INT32_MAX);
	else
	{
		grown = ml_alloc(env, (size_t) wanted, size);
		if (grown == NULL)
			g->status = env->error.status;
		else
		{
			if (used > 0)
				memcpy(grown, *array, used * size);
			ml_release(env, *array);
			*array = grown;
			*capacity = (uint32_t) wanted;
		}
	}
	ml_pool_unlock(env->pool);
	return g->status;
}

MlStatus
ml_tree_grower_create(MlEnv *env, const MlTreeGround *ground, size_t most_items, MlTreeGrower *g)
{
	uint32_t	bins = 2;
	size_t		width = (size_t) ground->width;
	size_t		features = (size_t) ground->bins.n_features;

	memset(g, 0, sizeof(*g));
	g->ground = ground;
	for (size_t f = 0; f < features; f++)
		if (ground->bins.column[f].usable && ground->bins.column[f].missing + 1 > bins)
			bins = ground->bins.column[f].missing + 1;
	g->item = ml_alloc(env, most_items + 1, ml_tree_item_size(ground));
	g->spare = ml_alloc(env, most_items + 1, ml_tree_item_size(ground));
	g->hist = ml_alloc0(env, bins, width * sizeof(double));
	g->hist_rows = ml_alloc0(env, bins, sizeof(uint32_t));
	g->seen = ml_alloc0(env, bins / 64 + 1, sizeof(uint64_t));
	g->touched = ml_alloc(env, (size_t) bins + 1, sizeof(uint32_t));
	g->bin_of = ml_alloc(env, ground->rules.random ? most_items + 1 : 1, sizeof(uint16_t));
	g->rank = ml_alloc(env, bins, sizeof(MlTreeRank));
	g->left_side = ml_alloc0(env, (size_t) bins + 1, sizeof(bool));
	g->try_side = ml_alloc0(env, (size_t) bins + 1, sizeof(bool));
	g->left = ml_alloc0(env, 2 * width, sizeof(double));
	g->best_left = ml_alloc0(env, width, sizeof(double));
	g->total = ml_alloc0(env, width, sizeof(double));
	g->feature = ml_alloc(env, features + 1, sizeof(int32_t));
	g->constant = ml_alloc0(env, features + 1, sizeof(MlTreeConstant));
	g->gain = ml_alloc0(env, features + 1, sizeof(double));
	if (!g->item || !g->spare || !g->hist || !g->hist_rows || !g->seen || !g->touched || !g->bin_of || !g->rank ||
		!g->left_side || !g->try_side || !g->left || !g->best_left || !g->total || !g->feature ||
		!g->constant || !g->gain)
		return env->error.status;
	return ML_OK;
}

/* ---- nodes ---- */

static uint32_t
row_of(const MlTreeGrower *g, size_t i)
{
	return g->ground->classes ? ((const MlTreeClassItem *) g->item)[i].row : ((const MlTreeValueItem *) g->item)[i].row;
}

/* Sums up the items of a node; false when all targets are the same. */
static bool
sum_items(const MlTreeGrower *g, size_t begin, size_t end, double *stats, double *squares)
{
	const MlTreeGround *ground = g->ground;
	double		lowest = INFINITY;
	double		highest = -INFINITY;
	int			classes = 0;

	memset(stats, 0, (size_t) ground->width * sizeof(double));
	*squares = 0;
	if (ground->classes)
	{
		for (size_t i = begin; i < end; i++)
		{
			const MlTreeClassItem *c = (const MlTreeClassItem *) g->item + i;

			stats[c->class_number] += ground->weight == NULL ? c->draws : c->draws * ground->weight[c->row];
		}
		for (int k = 0; k < ground->width; k++)
			classes += stats[k] != 0;
		return classes > 1;
	}
	for (size_t i = begin; i < end; i++)
	{
		const MlTreeValueItem *v = (const MlTreeValueItem *) g->item + i;
		double		w = ground->weight == NULL ? v->draws : v->draws * ground->weight[v->row];

		stats[0] += w;
		stats[1] += w * v->y;
		*squares += w * v->y * v->y;
		lowest = v->y < lowest ? v->y : lowest;
		highest = v->y > highest ? v->y : highest;
	}
	return lowest < highest;
}

/* Impurity times weight. */
static double
impurity(const MlTreeGround *ground, const double *stats, double squares)
{
	double		weight = ml_tree_weight(ground, stats);
	double		result = 0;

	switch (ground->rules.criterion)
	{
		case ML_TREE_GINI:
			result = weight - ml_tree_score(ground, stats);
			break;
		case ML_TREE_ENTROPY:
			result = -ml_tree_score(ground, stats);
			break;
		case ML_TREE_SQUARED:
			result = squares - ml_tree_score(ground, stats);
			break;
		case ML_TREE_POISSON:
			result = squares;	/* the part that the sides have in common, see new_node() */
			break;
	}
	return result > 0 ? result : 0;
}

/* Half the Poisson deviance of the items from their mean. */
static double
poisson_deviance(const MlTreeGrower *g, size_t begin, size_t end, const double *stats)
{
	double		mean = stats[1] / stats[0] + g->ground->y_mean;
	double		sum = 0;

	for (size_t i = begin; i < end; i++)
	{
		const MlTreeValueItem *v = (const MlTreeValueItem *) g->item + i;
		double		w = g->ground->weight == NULL ? v->draws : v->draws * g->ground->weight[v->row];
		double		y = v->y + g->ground->y_mean;

		if (y > 0 && mean > 0)
			sum += w * y * ml_log(y / mean);
	}
	return sum;
}

/* A node of the items; its stats go to node_stats.  *mixed: it may be worth a split. */
static void
new_node(MlTreeGrower *g, uint32_t number, uint32_t depth, size_t begin, size_t end, bool *mixed)
{
	const MlTreeGround *ground = g->ground;
	double	   *stats = g->node_stats + (size_t) number * (size_t) ground->width;
	double		squares;

	*mixed = sum_items(g, begin, end, stats, &squares);
	if (ground->rules.criterion == ML_TREE_POISSON)
		squares = poisson_deviance(g, begin, end, stats);
	g->node[number] = (MlTreeGrowNode) {
		.weight = ml_tree_weight(ground, stats), .impurity = impurity(ground, stats, squares),
		.rows = (uint32_t) (end - begin), .depth = depth
	};
}

static MlStatus
room_for_nodes(MlTreeGrower *g, uint32_t more)
{
	uint32_t	capacity = g->node_capacity;

	/* Both grow alike. */
	ML_TRY(ml_tree_more_room(g, (void **) &g->node, g->n_nodes, more, sizeof(MlTreeGrowNode), &capacity));
	return ml_tree_more_room(g, (void **) &g->node_stats, g->n_nodes, more, sizeof(double) * (size_t) g->ground->width,
							 &g->node_capacity);
}

static bool
may_split(const MlTreeGrower *g, const MlTreeGrowNode *node)
{
	const MlTreeRules *rules = &g->ground->rules;

	return node->depth < rules->max_depth && node->rows >= rules->min_split && node->rows >= 2 * rules->min_leaf &&
		node->impurity > EPSILON * node->weight;
}

static bool
should_stop(MlTreeGrower *g, int thread, const bool *stop)
{
	if (thread == 0 && ml_canceled(g->ground->env))
		return true;
	return __atomic_load_n(stop, __ATOMIC_RELAXED) || ml_pool_stopping(g->ground->env->pool);
}

/*
 * What has one value in a node has it in all below: rare words and categories are soon constant in most nodes, and need no look at the
 * rows to be so (as in scikit-learn, but without the lists that it passes down).
 */
static inline bool
is_constant(const MlTreeGrower *g, int32_t feature, size_t begin, size_t end)
{
	return g->constant[feature].begin <= begin && end <= g->constant[feature].end;
}

/* The best split of the features drawn; grower->best, or none.  Many rows and features take seconds: then it may be told to stop. */
static MlStatus
find_split(MlTreeGrower *g, const MlTreeGrowNode *node, size_t begin, size_t end, int thread, const bool *stop)
{
	const MlTreeGround *ground = g->ground;
	bool		draw = ground->rules.max_features < g->n_features || ground->rules.random;
	int32_t		seen = 0;
	bool		varies = false;
	size_t		work = 0;

	memcpy(g->total, g->node_stats + (size_t) (node - g->node) * (size_t) ground->width, (size_t) ground->width * sizeof(double));
	g->best = (MlTreeSplit) {.score = -INFINITY};
	for (int32_t i = 0; i < g->n_features && (seen < ground->rules.max_features || !varies); i++, seen++)
	{
		if (draw)
		{
			int32_t		j = i + (int32_t) ml_tree_random_below(g, (uint32_t) (g->n_features - i));
			int32_t		swap = g->feature[i];

			g->feature[i] = g->feature[j];
			g->feature[j] = swap;
		}
		if (is_constant(g, g->feature[i], begin, end))
			continue;
		if (ml_tree_split_feature(g, g->feature[i], begin, end))
			varies = true;
		else
			g->constant[g->feature[i]] = (MlTreeConstant) {begin, end};
		work += end - begin;
		if (work >= STOP_ROWS * 16)
		{
			work = 0;
			if (should_stop(g, thread, stop))
				return ML_CANCELED;
		}
	}
	return ML_OK;
}

/* ---- a split is made ---- */

#define DEFINE_PARTITION(name, Item) \
static size_t \
name(MlTreeGrower *g, size_t begin, size_t end, const MlGbdtColumn *column, const MlTreeSplit *split) \
{ \
	Item	   *item = g->item; \
	Item	   *spare = g->spare; \
	const bool *side = g->left_side; \
	uint32_t	missing = split->missing_left ? column->missing : split->bin; \
	size_t		l = begin; \
	size_t		r = 0; \
	if (split->category) \
		for (size_t i = begin; i < end; i++) \
		{ \
			bool		left = side[ml_tree_bin(column, item[i].row)]; \
			spare[r] = item[i]; \
			item[l] = item[i]; \
			l += left, r += !left; \
		} \
	else if (column->narrow != NULL) \
		for (size_t i = begin; i < end; i++) \
		{ \
			uint32_t	b = column->narrow[item[i].row]; \
			bool		left = (b <= split->bin) | (b == missing); \
			spare[r] = item[i]; \
			item[l] = item[i]; \
			l += left, r += !left; \
		} \
	else \
		for (size_t i = begin; i < end; i++) \
		{ \
			uint32_t	b = column->wide[item[i].row]; \
			bool		left = (b <= split->bin) | (b == missing); \
			spare[r] = item[i]; \
			item[l] = item[i]; \
			l += left, r += !left; \
		} \
	memcpy(item + l, spare, r * sizeof(Item)); \
	return l; \
}

DEFINE_PARTITION(partition_classes, MlTreeClassItem)
DEFINE_PARTITION(partition_values, MlTreeValueItem)

static inline double
value_in(const MlDataColumn *column, size_t row)
{
	return column->sparse != NULL ? ml_sparse_value(column->sparse, row) : column->number[row];
}

/* The threshold in the middle between the sides, as far as these rows tell. */
static double
exact_threshold(const MlTreeGrower *g, const MlTreeSplit *split, size_t begin, size_t middle, size_t end)
{
	const MlDataColumn *column = &g->ground->data->columns[split->feature];
	double		low = -INFINITY;
	double		high = INFINITY;
	double		x;
	double		t;

	if (split->next == UINT32_MAX)
		return INFINITY;
	for (size_t i = begin; i < middle; i++)
	{
		x = value_in(column, row_of(g, i));
		low = x > low ? x : low;
	}
	for (size_t i = middle; i < end; i++)
	{
		x = value_in(column, row_of(g, i));
		high = x < high ? x : high;
	}
	t = low / 2 + high / 2;
	return t >= low && t < high ? t : low;
}

/* The limit of bins nearest to the middle of the gap between the sides. */
static uint32_t
middle_bin(const MlGbdtColumn *column, const MlTreeSplit *split)
{
	uint32_t	low = split->bin;
	uint32_t	high = split->next - 1;
	double		middle;

	if (split->next == UINT32_MAX)
		return column->n_bins - 1;
	if (low == high)
		return low;
	middle = column->upper[low] / 2 + column->upper[high] / 2;
	while (high - low > 1)
	{
		uint32_t	half = low + (high - low) / 2;

		if (column->upper[half] <= middle)
			low = half;
		else
			high = half;
	}
	return middle - column->upper[low] <= column->upper[high] - middle ? low : high;
}

/* The categories of the smaller side are named in the node: all others, also such as were never seen, go with the larger one. */
static MlStatus
name_categories(MlTreeGrower *g, MlTreeGrowNode *node, const MlGbdtColumn *column, size_t begin, size_t middle, size_t end)
{
	bool		left = middle - begin < end - middle;
	size_t		from = left ? begin : middle;
	size_t		to = left ? middle : end;
	bool		missing = false;
	uint32_t	count = 0;

	for (size_t i = begin; i < end; i++)
	{
		uint32_t	b = ml_tree_bin(column, row_of(g, i));

		if (b == column->missing)
			missing = true;
		else if (i >= from && i < to)
			g->seen[b / 64] |= UINT64_C(1) << (b % 64);
	}
	node->missing_left = missing ? g->left_side[column->missing] : !left;
	for (uint32_t w = 0; w <= column->missing / 64; w++)
		count += (uint32_t) __builtin_popcountll(g->seen[w]);
	node->set_left = left;
	node->set_first = g->n_codes;
	node->set_count = count;
	ML_TRY(ml_tree_more_room(g, (void **) &g->code, g->n_codes, count, sizeof(uint16_t), &g->code_capacity));
	for (uint32_t w = 0; w <= column->missing / 64; w++)
	{
		for (uint64_t bits = g->seen[w]; bits != 0; bits &= bits - 1)
			g->code[g->n_codes++] = (uint16_t) (64 * w + (uint32_t) __builtin_ctzll(bits));
		g->seen[w] = 0;
	}
	return ML_OK;
}

/* Do any of the rows have no value? */
static bool
has_missing(const MlTreeGrower *g, const MlGbdtColumn *column, size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++)
		if (ml_tree_bin(column, row_of(g, i)) == column->missing)
			return true;
	return false;
}

/* Makes grower->best the split of a node; its children are nodes n_nodes - 2 and n_nodes - 1. */
static MlStatus
make_split(MlTreeGrower *g, uint32_t number, size_t begin, size_t end, size_t *middle, bool *mixed)
{
	const MlTreeGround *ground = g->ground;
	const MlTreeSplit *split = &g->best;
	const MlGbdtColumn *column = &ground->bins.column[split->feature];
	MlTreeGrowNode *node;
	uint32_t	depth;

	*middle = ground->classes ? partition_classes(g, begin, end, column, split) : partition_values(g, begin, end, column, split);
	ML_TRY(room_for_nodes(g, 2));
	node = &g->node[number];
	node->feature = split->feature;
	node->category = split->category;
	node->missing_left = split->missing_left;
	node->left = g->n_nodes;
	depth = node->depth + 1;
	if (split->category)
		ML_TRY(name_categories(g, node, column, begin, *middle, end));
	else
	{
		if (!split->missing_left && !has_missing(g, column, begin, end))
			node->missing_left = *middle - begin > end - *middle;
		node->bin = middle_bin(column, split);
		node->threshold = ground->rules.exact ? exact_threshold(g, split, begin, *middle, end) :
			(node->bin + 1 < column->n_bins ? column->upper[node->bin] : INFINITY);
	}
	g->n_nodes += 2;
	new_node(g, node->left, depth, begin, *middle, &mixed[0]);
	new_node(g, node->left + 1, depth, *middle, end, &mixed[1]);
	node = &g->node[number];
	node->gain = node->impurity - g->node[node->left].impurity - g->node[node->left + 1].impurity;
	node->gain = node->gain > 0 ? node->gain : 0;
	return ML_OK;
}

/* What grower->best would lower the impurity of a node by, before its children are there. */
static double
promise(const MlTreeGrower *g, const MlTreeGrowNode *node)
{
	return g->best.score - ml_tree_score(g->ground, g->node_stats + (size_t) (node - g->node) * (size_t) g->ground->width);
}

/* May the best split be made? */
static bool
worth_it(const MlTreeGrower *g, const MlTreeGrowNode *node)
{
	return g->best.score > -INFINITY &&
		promise(g, node) + EPSILON * g->node[0].weight >= g->ground->rules.min_decrease * g->node[0].weight;
}

static MlStatus
push(MlTreeGrower *g, uint32_t node, size_t begin, size_t end)
{
	ML_TRY(ml_tree_more_room(g, (void **) &g->frame, g->n_frames, 1, sizeof(MlTreeFrame), &g->frame_capacity));
	g->frame[g->n_frames++] = (MlTreeFrame) {.node = node, .begin = begin, .end = end};
	return ML_OK;
}

static MlStatus
grow_depth_first(MlTreeGrower *g, int thread, const bool *stop)
{
	size_t		work = 0;

	while (g->n_frames > 0)
	{
		MlTreeFrame frame = g->frame[--g->n_frames];
		MlTreeGrowNode *node = &g->node[frame.node];
		size_t		middle;
		bool		mixed[2];
		uint32_t	left;
		int			larger;

		work += frame.end - frame.begin;
		if (work >= STOP_ROWS)
		{
			work = 0;
			if (should_stop(g, thread, stop))
				return ML_CANCELED;
		}
		ML_TRY(find_split(g, node, frame.begin, frame.end, thread, stop));
		if (!worth_it(g, node))
			continue;
		ML_TRY(make_split(g, frame.node, frame.begin, frame.end, &middle, mixed));
		left = g->node[frame.node].left;
		larger = middle - frame.begin < frame.end - middle;
		for (int side = larger, i = 0; i < 2; side = !side, i++)
			if (mixed[side] && may_split(g, &g->node[left + (uint32_t) side]))
				ML_TRY(push(g, left + (uint32_t) side, side == 0 ? frame.begin : middle, side == 0 ? middle : frame.end));
	}
	return ML_OK;
}

/* ---- best first ---- */

static void
heap_up(MlTreeGrower *g, uint32_t i)
{
	MlTreeFrame frame = g->frame[i];

	for (; i > 0 && g->frame[(i - 1) / 2].priority < frame.priority; i = (i - 1) / 2)
		g->frame[i] = g->frame[(i - 1) / 2];
	g->frame[i] = frame;
}

static MlTreeFrame
heap_pop(MlTreeGrower *g)
{
	MlTreeFrame top = g->frame[0];
	MlTreeFrame last = g->frame[--g->n_frames];
	uint32_t	i = 0;

	for (uint32_t c; (c = 2 * i + 1) < g->n_frames; i = c)
	{
		c += c + 1 < g->n_frames && g->frame[c + 1].priority > g->frame[c].priority;
		if (!(g->frame[c].priority > last.priority))
			break;
		g->frame[i] = g->frame[c];
	}
	g->frame[i] = last;
	return top;
}

/*
 * A split is looked for when a node is made, to know what it promises, and again
 * when its turn comes: cheaper than to keep the sides of all that wait.  Random
 * numbers follow from the tree and the node, so the same features are drawn.
 */
static MlStatus
find_again(MlTreeGrower *g, uint64_t tree, const MlTreeFrame *frame, int thread, const bool *stop)
{
	int32_t		n = 0;

	g->random = ml_rng_u64(tree, ML_TREE_STREAM_GROW, frame->node);
	for (int32_t f = 0; f < g->ground->bins.n_features; f++)
		if (g->ground->bins.column[f].usable)
			g->feature[n++] = f;
	return find_split(g, &g->node[frame->node], frame->begin, frame->end, thread, stop);
}

static MlStatus
offer(MlTreeGrower *g, uint64_t tree, MlTreeFrame frame, int thread, const bool *stop)
{
	const MlTreeGrowNode *node = &g->node[frame.node];

	ML_TRY(find_again(g, tree, &frame, thread, stop));
	if (!worth_it(g, node))
		return ML_OK;
	ML_TRY(push(g, frame.node, frame.begin, frame.end));
	g->frame[g->n_frames - 1].priority = promise(g, node);
	heap_up(g, g->n_frames - 1);
	return ML_OK;
}

static MlStatus
grow_best_first(MlTreeGrower *g, int thread, const bool *stop)
{
	MlTreeFrame frame = g->frame[--g->n_frames];
	uint64_t	tree = g->random;

	ML_TRY(offer(g, tree, frame, thread, stop));
	for (uint32_t leaves = 1; g->n_frames > 0 && leaves < g->ground->rules.max_leaves; leaves++)
	{
		size_t		middle;
		bool		mixed[2];
		uint32_t	left;

		if (should_stop(g, thread, stop))
			return ML_CANCELED;
		frame = heap_pop(g);
		ML_TRY(find_again(g, tree, &frame, thread, stop));
		ML_TRY(make_split(g, frame.node, frame.begin, frame.end, &middle, mixed));
		left = g->node[frame.node].left;
		for (uint32_t side = 0; side < 2; side++)
			if (mixed[side] && may_split(g, &g->node[left + side]))
				ML_TRY(offer(g, tree, (MlTreeFrame) {
					.node = left + side, .begin = side == 0 ? frame.begin : middle, .end = side == 0 ? middle : frame.end
				}, thread, stop));
	}
	return ML_OK;
}

/* ---- a tree ---- */

static void
add_gains(MlTreeGrower *g)
{
	memset(g->gain, 0, (size_t) g->ground->bins.n_features * sizeof(double));
	for (uint32_t i = 0; i < g->n_nodes; i++)
		if (g->node[i].left != 0)
			g->gain[g->node[i].feature] += g->node[i].gain / g->node[0].weight;
}

MlStatus
ml_tree_grow(MlTreeGrower *g, int thread, const bool *stop)
{
	const MlTreeRules *rules = &g->ground->rules;
	bool		mixed;
	MlStatus	status = ML_OK;

	g->status = ML_OK;
	g->n_nodes = 0;
	g->n_codes = 0;
	g->n_frames = 0;
	g->n_features = 0;
	memset(g->constant, 0, (size_t) g->ground->bins.n_features * sizeof(MlTreeConstant));
	for (int32_t f = 0; f < g->ground->bins.n_features; f++)
		if (g->ground->bins.column[f].usable)
			g->feature[g->n_features++] = f;
	ML_TRY(room_for_nodes(g, 1));
	g->n_nodes = 1;
	new_node(g, 0, 0, 0, g->n, &mixed);
	if (mixed && may_split(g, &g->node[0]) && g->n_features > 0)
	{
		ML_TRY(push(g, 0, 0, g->n));
		status = rules->max_leaves < UINT32_MAX ? grow_best_first(g, thread, stop) : grow_depth_first(g, thread, stop);
	}
	if (status == ML_OK && rules->ccp_alpha > 0)
		status = ml_tree_prune(g, rules->ccp_alpha);
	if (status == ML_OK)
		add_gains(g);
	return status;
}
