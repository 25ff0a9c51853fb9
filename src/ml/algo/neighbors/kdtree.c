/*-------------------------------------------------------------------------
 * kdtree.c
 *	  The nearest of many points, exactly: making the tree.
 *
 * The tree follows from the number of points alone: a node of g groups gives its first g / 2 to one
 * child, the rest to the other.  Building arranges the points so that this is a split of
 * the widest coordinate; a tree read back needs the boxes only.
 *-------------------------------------------------------------------------
 */
#include "ml/algo/neighbors/kdtree.h"

#include <math.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/pool.h"

/* Groups of a leaf at most. */
#define LEAF_GROUPS 4
/* Nodes of at least this many groups are split one after another, those below are tasks of their own. */
#define TASK_GROUPS 1024

typedef struct Build
{
	MlEnv	   *env;
	const double *value;		/* by rows */
	int32_t		p;
	size_t		n;
	uint32_t   *order;
	MlKdTree   *tree;
	uint32_t   *task;			/* nodes that are tasks */
	double	   *room;			/* 2 x p of each thread */
} Build;

/* Nodes of a tree of so many groups. */
static size_t
count_nodes(size_t groups)
{
	size_t		left = groups / 2;

	if (groups <= LEAF_GROUPS)
		return 1;
	return 1 + count_nodes(left) + count_nodes(groups - left);
}

/* Numbers the nodes of groups first .. end-1 from *next on, in preorder. */
static void
make_nodes(MlKdNode *node, uint32_t *next, uint32_t first, uint32_t end)
{
	uint32_t	self = (*next)++;

	node[self] = (MlKdNode) {first, end, 0, self + 1};
	if (end - first <= LEAF_GROUPS)
		return;
	make_nodes(node, next, first, first + (end - first) / 2);
	node[self].right = *next;
	make_nodes(node, next, first + (end - first) / 2, end);
	node[self].next = *next;
}

static MlStatus
create(MlEnv *env, size_t n, int32_t p, MlMetricKind metric, MlKdTree **result)
{
	MlKdTree   *tree = ml_alloc0(env, 1, sizeof(MlKdTree));
	uint32_t	next = 0;

	if (tree == NULL)
		return env->error.status;
	tree->metric = metric;
	tree->n = n;
	tree->p = p;
	tree->groups = (n + ML_LANES - 1) / ML_LANES;
	tree->n_nodes = n > 0 ? count_nodes(tree->groups) : 0;
	tree->node = ml_alloc0(env, tree->n_nodes + 1, sizeof(MlKdNode));
	tree->box = ml_alloc(env, tree->n_nodes + 1, 2 * (size_t) p * sizeof(double));
	if (tree->node == NULL || tree->box == NULL)
		return env->error.status;
	if (n > 0)
		make_nodes(tree->node, &next, 0, (uint32_t) tree->groups);
	*result = tree;
	return ML_OK;
}

/* ---- boxes ---- */

static void
box_of_leaf(const MlKdTree *tree, const MlKdNode *node, double *box)
{
	size_t		p = (size_t) tree->p;

	for (size_t j = 0; j < p; j++)
	{
		double		least = INFINITY;
		double		greatest = -INFINITY;

		for (size_t i = (size_t) node->first * ML_LANES; i < (size_t) node->end * ML_LANES && i < tree->n; i++)
		{
			double		v = tree->value[(i / ML_LANES * p + j) * ML_LANES + i % ML_LANES];

			least = v < least ? v : least;
			greatest = v > greatest ? v : greatest;
		}
		box[j] = least;
		box[p + j] = greatest;
	}
}

/* Children have higher numbers than their parent. */
static MlStatus
make_boxes(MlEnv *env, MlKdTree *tree)
{
	size_t		p = (size_t) tree->p;

	for (size_t i = tree->n_nodes; i-- > 0;)
	{
		const MlKdNode *node = &tree->node[i];
		double	   *box = tree->box + i * 2 * p;
		const double *a = tree->box + (i + 1) * 2 * p;
		const double *b = tree->box + (size_t) node->right * 2 * p;

		if (i % 4096 == 0 && ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		if (node->right == 0)
		{
			box_of_leaf(tree, node, box);
			continue;
		}
		for (size_t j = 0; j < p; j++)
		{
			box[j] = a[j] < b[j] ? a[j] : b[j];
			box[p + j] = a[p + j] > b[p + j] ? a[p + j] : b[p + j];
		}
	}
	return ML_OK;
}

/* ---- arranging ---- */

/* Of two points: by the coordinate, then by number, so that no order is left open. */
static inline bool
before(const Build *b, int32_t j, uint32_t x, uint32_t y)
{
	double		u = b->value[(size_t) x * (size_t) b->p + (size_t) j];
	double		v = b->value[(size_t) y * (size_t) b->p + (size_t) j];

	return u < v || (u == v && x < y);
}

static inline void
swap(uint32_t *x, uint32_t *y)
{
	uint32_t	t = *x;

	*x = *y;
	*y = t;
}

/* Puts the points that belong before position k of a[0 .. n-1] there (Hoare's selection, median of three). */
static void
select_points(const Build *b, int32_t j, uint32_t *a, size_t n, size_t k)
{
	size_t		low = 0;
	size_t		high = n - 1;

	while (low < high)
	{
		size_t		middle = low + (high - low) / 2;
		size_t		i = low;
		size_t		l = high;
		uint32_t	pivot;

		if (before(b, j, a[middle], a[low]))
			swap(&a[middle], &a[low]);
		if (before(b, j, a[high], a[low]))
			swap(&a[high], &a[low]);
		if (before(b, j, a[high], a[middle]))
			swap(&a[high], &a[middle]);
		pivot = a[middle];
		for (;;)
		{
			while (before(b, j, a[i], pivot))
				i++;
			while (before(b, j, pivot, a[l]))
				l--;
			if (i >= l)
				break;
			swap(&a[i], &a[l]);
			i++;
			l--;
		}
		/* a[low .. l] are not after the pivot, a[l + 1 .. high] not before it. */
		if (k <= l)
			high = l;
		else
			low = l + 1;
	}
}

static int32_t
widest(const Build *b, const uint32_t *a, size_t n, double *room)
{
	size_t		p = (size_t) b->p;
	double	   *least = room;
	double	   *greatest = room + p;
	int32_t		best = 0;

	for (size_t j = 0; j < p; j++)
	{
		least[j] = INFINITY;
		greatest[j] = -INFINITY;
	}
	for (size_t i = 0; i < n; i++)
	{
		const double *v = b->value + (size_t) a[i] * p;

		for (size_t j = 0; j < p; j++)
		{
			least[j] = v[j] < least[j] ? v[j] : least[j];
			greatest[j] = v[j] > greatest[j] ? v[j] : greatest[j];
		}
	}
	for (size_t j = 1; j < p; j++)
	{
		if (greatest[j] - least[j] > greatest[best] - least[best])
			best = (int32_t) j;
	}
	return best;
}

static void
split(Build *b, const MlKdNode *node, double *room)
{
	size_t		first = (size_t) node->first * ML_LANES;
	size_t		end = (size_t) node->end * ML_LANES < b->n ? (size_t) node->end * ML_LANES : b->n;
	size_t		k = (size_t) (node->end - node->first) / 2 * ML_LANES;
	uint32_t   *a = b->order + first;

	if (node->right != 0 && b->p > 0)
		select_points(b, widest(b, a, end - first, room), a, end - first, k);
}

/* All nodes below one; they stand behind each other. */
static void
split_task(void *arg, size_t task, int thread)
{
	Build	   *b = arg;
	const MlKdNode *node = b->tree->node;
	uint32_t	top = b->task[task];

	for (uint32_t i = top; i < node[top].next; i++)
		split(b, &node[i], b->room + (size_t) thread * 2 * (size_t) b->p);
}

static MlStatus
arrange(Build *b)
{
	MlEnv	   *env = b->env;
	const MlKdNode *node = b->tree->node;
	size_t		tasks = 0;

	b->task = ml_alloc(env, b->tree->groups / (TASK_GROUPS / 2) + 2, sizeof(uint32_t));
	b->room = ml_alloc(env, (size_t) ml_pool_threads(env->pool), 2 * (size_t) b->p * sizeof(double) + 1);
	if (b->task == NULL || b->room == NULL)
		return env->error.status;
	/* In preorder: a parent is split before its children. */
	for (uint32_t i = 0; i < b->tree->n_nodes;)
	{
		if (ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		if (node[i].end - node[i].first >= TASK_GROUPS)
		{
			split(b, &node[i], b->room);
			i++;
			continue;
		}
		b->task[tasks++] = i;
		i = node[i].next;
	}
	return ml_pool_run(env, tasks, split_task, b);
}

MlStatus
ml_kdtree_build(MlEnv *env, const double *value, size_t n, int32_t p, MlMetricKind metric, uint32_t **order, MlKdTree **result)
{
	Build		b = {.env = env, .value = value, .p = p, .n = n};

	if (n >= UINT32_MAX - ML_LANES)
		return ml_fail(env, ML_TOO_LARGE, "more than 4294967286 rows");
	ML_TRY(create(env, n, p, metric, &b.tree));
	b.order = ml_alloc(env, n + 1, sizeof(uint32_t));
	b.tree->value = ml_alloc(env, ml_kdtree_values(n, (size_t) p) + 1, sizeof(double));
	if (b.order == NULL || b.tree->value == NULL)
		return env->error.status;
	for (size_t i = 0; i < n; i++)
		b.order[i] = (uint32_t) i;
	ML_TRY(arrange(&b));
	for (size_t i = 0; i < b.tree->groups * ML_LANES; i++)
	{
		double	   *to = b.tree->value + i / ML_LANES * (size_t) p * ML_LANES + i % ML_LANES;

		if (i % 65536 == 0 && ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		for (size_t j = 0; j < (size_t) p; j++)
			to[j * ML_LANES] = i < n ? value[(size_t) b.order[i] * (size_t) p + j] : INFINITY;
	}
	ML_TRY(make_boxes(env, b.tree));
	if (order != NULL)
		*order = b.order;
	else
		ml_release(env, b.order);
	*result = b.tree;
	return ML_OK;
}

MlStatus
ml_kdtree_restore(MlEnv *env, double *value, size_t n, int32_t p, MlMetricKind metric, MlKdTree **tree)
{
	ML_TRY(create(env, n, p, metric, tree));
	(*tree)->value = value;
	for (size_t i = n; i < (*tree)->groups * ML_LANES; i++)
		for (size_t j = 0; j < (size_t) p; j++)
			value[(i / ML_LANES * (size_t) p + j) * ML_LANES + i % ML_LANES] = INFINITY;
	return make_boxes(env, *tree);
}

size_t
ml_kdtree_memory(size_t n, size_t p)
{
	size_t		nodes = 2 * (n / ML_LANES / (LEAF_GROUPS / 2) + 1);
	size_t		values;
	size_t		boxes;
	size_t		total;

	if (!ml_mul_size(n + ML_LANES, p * sizeof(double) + sizeof(uint32_t), &values) ||
		!ml_mul_size(nodes, 2 * p * sizeof(double) + sizeof(MlKdNode), &boxes) ||
		!ml_add_size(values, boxes, &total))
		return SIZE_MAX;
	return total;
}

double
ml_kdtree_visits(const MlKdTree *tree)
{
	double		visits = ML_LANES * LEAF_GROUPS;

	for (int32_t j = 0; j < tree->p && visits < (double) tree->n; j++)
		visits *= 1.8;
	return visits < (double) tree->n ? visits : (double) tree->n;
}
