/*-------------------------------------------------------------------------
 * kdtree.c
 *	  Points near a point: a balanced tree of boxes (Bentley 1975).
 *-------------------------------------------------------------------------
 */
#include "ml/algo/cluster/kdtree.h"

#include <math.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/simd.h"

/* Where the groups of a node are halved. */
static inline uint32_t
middle_of(uint32_t first, uint32_t last)
{
	return first + (last - first) / 2;
}

/* -- shape ------------------------------------------------------------------ */

static size_t
count_nodes(size_t groups)
{
	/* A node is halved until ML_KD_LEAF groups are left, so leaves hold more than half of that. */
	return groups == 0 ? 0 : 2 * (groups / (ML_KD_LEAF / 2) + 1);
}

/* Nodes in preorder, without recursion. */
static void
shape(MlKdTree *tree)
{
	struct
	{
		uint32_t	first;
		uint32_t	last;
		int64_t		parent;		/* whose right child it is; -1: none */
	}			stack[ML_KD_DEPTH];
	int			depth = 0;

	tree->n_nodes = 0;
	if (tree->groups == 0)
		return;
	stack[depth].first = 0;
	stack[depth].last = (uint32_t) tree->groups;
	stack[depth++].parent = -1;
	while (depth > 0)
	{
		uint32_t	first = stack[--depth].first;
		uint32_t	last = stack[depth].last;
		int64_t		parent = stack[depth].parent;
		size_t		at = tree->n_nodes++;

		if (parent >= 0)
			tree->node[parent].right = (uint32_t) at;
		tree->node[at] = (MlKdNode) {first, last, 0};
		if (last - first <= ML_KD_LEAF)
			continue;
		stack[depth].first = middle_of(first, last);
		stack[depth].last = last;
		stack[depth++].parent = (int64_t) at;
		stack[depth].first = first;
		stack[depth].last = middle_of(first, last);
		stack[depth++].parent = -1;
	}
}

static void
box_of_groups(const MlKdTree *tree, size_t at)
{
	const MlKdNode *node = &tree->node[at];

	for (size_t j = 0; j < tree->p; j++)
	{
		double		low = INFINITY;
		double		high = -INFINITY;

		for (size_t g = node->first; g < node->last; g++)
		{
			const double *v = tree->value + (g * tree->p + j) * ML_LANES;

			for (int l = 0; l < ML_LANES; l++)
			{
				low = v[l] < low ? v[l] : low;
				high = v[l] > high ? v[l] : high;
			}
		}
		tree->low[at * tree->p + j] = low;
		tree->high[at * tree->p + j] = high;
	}
}

MlStatus
ml_kd_finish(MlEnv *env, MlKdTree *tree)
{
	size_t		nodes;

	tree->groups = (tree->n + ML_LANES - 1) / ML_LANES;
	nodes = count_nodes(tree->groups);
	tree->node = ml_alloc(env, nodes + 1, sizeof(MlKdNode));
	tree->low = ml_alloc(env, nodes + 1, tree->p * sizeof(double));
	tree->high = ml_alloc(env, nodes + 1, tree->p * sizeof(double));
	if (tree->node == NULL || tree->low == NULL || tree->high == NULL)
		return env->error.status;
	shape(tree);
	/* Children have greater numbers than their parents. */
	for (size_t at = tree->n_nodes; at-- > 0;)
	{
		if (at % 4096 == 0 && ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		if (tree->node[at].right == 0)
		{
			box_of_groups(tree, at);
			continue;
		}
		for (size_t j = 0; j < tree->p; j++)
		{
			size_t		own = at * tree->p + j;
			size_t		left = (at + 1) * tree->p + j;
			size_t		right = tree->node[at].right * tree->p + j;

			tree->low[own] = tree->low[left] < tree->low[right] ? tree->low[left] : tree->low[right];
			tree->high[own] = tree->high[left] > tree->high[right] ? tree->high[left] : tree->high[right];
		}
	}
	return ML_OK;
}

size_t
ml_kd_memory(size_t n, size_t p)
{
	size_t		groups = n / ML_LANES + 1;
	size_t		bytes;

	if (!ml_mul_size(groups * ML_LANES, p * sizeof(double) + sizeof(uint32_t), &bytes) ||
		!ml_add_size(bytes, (count_nodes(groups) + 1) * (sizeof(MlKdNode) + 2 * p * sizeof(double)), &bytes))
		return SIZE_MAX;
	return bytes + 4096;
}

/* -- order ------------------------------------------------------------------ */

/* By value, equals by number: an order that does not depend on how it is made. */
static inline bool
before(const double *column, uint32_t a, uint32_t b)
{
	return column[a] < column[b] || (column[a] == column[b] && a < b);
}

/* The element that belongs to position k of order[0 .. n-1] comes there, smaller ones before it (Hoare 1961). */
static void
select_nth(const double *column, uint32_t *order, size_t n, size_t k)
{
	ptrdiff_t	low = 0;
	ptrdiff_t	high = (ptrdiff_t) n - 1;

	while (low < high)
	{
		/* The middle one of three, so that sorted input is no trouble. */
		uint32_t	a = order[low];
		uint32_t	b = order[low + (high - low) / 2];
		uint32_t	c = order[high];
		uint32_t	pivot = before(column, a, b) ? (before(column, b, c) ? b : before(column, a, c) ? c : a)
			: (before(column, a, c) ? a : before(column, b, c) ? c : b);
		ptrdiff_t	i = low;
		ptrdiff_t	j = high;

		while (i <= j)
		{
			while (before(column, order[i], pivot))
				i++;
			while (before(column, pivot, order[j]))
				j--;
			if (i <= j)
			{
				uint32_t	swap = order[i];

				order[i++] = order[j];
				order[j--] = swap;
			}
		}
		/* low .. j: at most the pivot; i .. high: at least; what is between is the pivot */
		if ((ptrdiff_t) k <= j)
			high = j;
		else if ((ptrdiff_t) k >= i)
			low = i;
		else
			return;
	}
}

/* The coordinate along which these points are spread most. */
static size_t
widest(const double *const *column, size_t p, const uint32_t *order, size_t n)
{
	size_t		best = 0;
	double		most = -1;

	for (size_t j = 0; j < p; j++)
	{
		double		low = INFINITY;
		double		high = -INFINITY;

		for (size_t i = 0; i < n; i++)
		{
			double		v = column[j][order[i]];

			low = v < low ? v : low;
			high = v > high ? v : high;
		}
		if (high - low > most)
		{
			most = high - low;
			best = j;
		}
	}
	return best;
}

MlStatus
ml_kd_order(MlEnv *env, size_t n, size_t p, const double *const *column, uint32_t *order)
{
	struct
	{
		uint32_t	first;
		uint32_t	last;
	}			stack[ML_KD_DEPTH];
	int			depth = 0;
	size_t		groups = (n + ML_LANES - 1) / ML_LANES;
	size_t		since = 0;

	if (n > UINT32_MAX - ML_LANES)
		return ml_fail(env, ML_TOO_LARGE, "a tree of %zu points is too large", n);
	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t) i;
	stack[depth].first = 0;
	stack[depth++].last = (uint32_t) groups;
	while (depth > 0)
	{
		uint32_t	first = stack[--depth].first;
		uint32_t	last = stack[depth].last;
		uint32_t	middle = middle_of(first, last);
		size_t		begin = (size_t) first * ML_LANES;
		size_t		end = (size_t) last * ML_LANES < n ? (size_t) last * ML_LANES : n;

		if (last - first <= ML_KD_LEAF)
			continue;
		since += (end - begin) * p;
		if (since > 1000000)
		{
			since = 0;
			if (ml_canceled(env))
				return ml_fail(env, ML_CANCELED, "canceled");
		}
		select_nth(column[widest(column, p, order + begin, end - begin)], order + begin, end - begin, (size_t) (middle - first) * ML_LANES);
		stack[depth].first = middle;
		stack[depth++].last = last;
		stack[depth].first = first;
		stack[depth++].last = middle;
	}
	return ML_OK;
}

/* -- distances -------------------------------------------------------------- */

double
ml_kd_least(const MlKdTree *tree, size_t node, const double *z)
{
	const double *low = tree->low + node * tree->p;
	const double *high = tree->high + node * tree->p;
	double		sum = 0;

	for (size_t j = 0; j < tree->p; j++)
	{
		double		d = z[j] < low[j] ? low[j] - z[j] : z[j] > high[j] ? z[j] - high[j] : 0;

		sum += d * d;
	}
	return sum;
}

double
ml_kd_greatest(const MlKdTree *tree, size_t node, const double *z)
{
	const double *low = tree->low + node * tree->p;
	const double *high = tree->high + node * tree->p;
	double		sum = 0;

	for (size_t j = 0; j < tree->p; j++)
	{
		double		a = z[j] - low[j];
		double		b = high[j] - z[j];
		double		d = a > b ? a : b;

		sum += d * d;
	}
	return sum;
}

ML_LANES_INLINE void
kd_distances_body(const double *value, size_t p, const double *z, double *squared)
{
	MlLanes		sum = {0};

	for (size_t j = 0; j < p; j++)
	{
		MlLanes		v;

		ml_lanes_load(&v, value + j * ML_LANES);
		v -= z[j];
		sum += v * v;
	}
	ml_lanes_store(squared, &sum);
}

ML_SIMD_TIERS(kd_distances, (const double *value, size_t p, const double *z, double *squared), (value, p, z, squared))

void
ml_kd_distances(const MlKdTree *tree, size_t group, const double *z, double *squared)
{
	ML_SIMD_CALL(kd_distances, (tree->value + group * tree->p * ML_LANES, tree->p, z, squared));
}
