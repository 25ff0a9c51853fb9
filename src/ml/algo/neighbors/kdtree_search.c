/*-------------------------------------------------------------------------
 * kdtree_search.c
 *	  The nearest of many points, exactly: searching the tree.
 *
 * The distance to a box is summed like that to a point, so rounding never makes it greater than the
 * distance to a point inside: what is left out is out for certain.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/algo/neighbors/kdtree.h"
#include "ml/base/simd.h"

/* A path from the root: 2^32 points in leaves of at least sixteen. */
#define MAX_DEPTH 64

typedef struct Search
{
	const MlKdTree *tree;
	const double *q;
	size_t		k;
	size_t		count;
	MlNeighbor *found;			/* by distance, then position */
	double		worst;			/* what a point must not exceed */
} Search;

typedef struct Pending
{
	uint32_t	node;
	double		distance;
} Pending;

/* ---- distances ---- */

ML_LANES_INLINE void
add_distance(MlMetricKind metric, MlLanes *sum, const MlLanes *d)
{
	MlLanes		size = (MlLanes) ((MlLanesInt) *d & INT64_MAX);
	MlLanesInt	greater = *sum > size;

	switch (metric)
	{
		case ML_DISTANCE_EUCLIDEAN:
			*sum += *d * *d;
			break;
		case ML_DISTANCE_MANHATTAN:
			*sum += size;
			break;
		default:
			ml_lanes_choose(sum, &greater, &size);
	}
}

/* Of each point of a group (p x ML_LANES). */
ML_LANES_INLINE void
group_distances_body(MlMetricKind metric, const double *group, size_t p, const double *q, double *distance)
{
	MlLanes		sum = {0};

	for (size_t j = 0; j < p; j++)
	{
		MlLanes		d;

		ml_lanes_load(&d, group + j * ML_LANES);
		d = d - q[j];
		switch (metric)
		{
			case ML_DISTANCE_EUCLIDEAN:
				add_distance(ML_DISTANCE_EUCLIDEAN, &sum, &d);
				break;
			case ML_DISTANCE_MANHATTAN:
				add_distance(ML_DISTANCE_MANHATTAN, &sum, &d);
				break;
			default:
				add_distance(ML_DISTANCE_CHEBYSHEV, &sum, &d);
		}
	}
	ml_lanes_store(distance, &sum);
}

ML_SIMD_TIERS(group_distances, (MlMetricKind metric, const double *group, size_t p, const double *q, double *distance), (metric, group, p, q, distance))

/* Queries whose sums run side by side: one alone would wait for each of its additions. */
#define ABREAST 4

ML_LANES_INLINE void
abreast_distances_of(MlMetricKind metric, const double *group, size_t p, const double *const *q, double *distance)
{
	MlLanes		sum[ABREAST] = {{0}};

	for (size_t j = 0; j < p; j++)
	{
		MlLanes		value;

		ml_lanes_load(&value, group + j * ML_LANES);
		for (int i = 0; i < ABREAST; i++)
		{
			MlLanes		d = value - q[i][j];

			add_distance(metric, &sum[i], &d);
		}
	}
	for (int i = 0; i < ABREAST; i++)
		ml_lanes_store(distance + i * ML_LANES, &sum[i]);
}

/* The same of several queries, with the same bits: distance ABREAST x ML_LANES. */
ML_LANES_INLINE void
abreast_distances_body(MlMetricKind metric, const double *group, size_t p, const double *const *q, double *distance)
{
	switch (metric)
	{
		case ML_DISTANCE_EUCLIDEAN:
			abreast_distances_of(ML_DISTANCE_EUCLIDEAN, group, p, q, distance);
			break;
		case ML_DISTANCE_MANHATTAN:
			abreast_distances_of(ML_DISTANCE_MANHATTAN, group, p, q, distance);
			break;
		default:
			abreast_distances_of(ML_DISTANCE_CHEBYSHEV, group, p, q, distance);
	}
}

ML_SIMD_TIERS(abreast_distances, (MlMetricKind metric, const double *group, size_t p, const double *const *q, double *distance), (metric, group, p, q, distance))

static double
box_distance(const MlKdTree *tree, uint32_t node, const double *q)
{
	size_t		p = (size_t) tree->p;
	const double *least = tree->box + (size_t) node * 2 * p;
	const double *greatest = least + p;
	double		sum = 0;

	for (size_t j = 0; j < p; j++)
	{
		double		d = least[j] > q[j] ? least[j] - q[j] : q[j] > greatest[j] ? q[j] - greatest[j] : 0;

		switch (tree->metric)
		{
			case ML_DISTANCE_EUCLIDEAN:
				sum += d * d;
				break;
			case ML_DISTANCE_MANHATTAN:
				sum += d;
				break;
			default:
				sum = d > sum ? d : sum;
		}
	}
	return sum;
}

/* ---- the k nearest ---- */

static void
offer(Search *s, double distance, uint32_t position)
{
	size_t		i = s->count;

	if (i == s->k)
	{
		const MlNeighbor *last = &s->found[i - 1];

		if (distance > last->distance || (distance == last->distance && position > last->position))
			return;
		i--;
	}
	else
		s->count++;
	for (; i > 0 && (s->found[i - 1].distance > distance || (s->found[i - 1].distance == distance && s->found[i - 1].position > position)); i--)
		s->found[i] = s->found[i - 1];
	s->found[i] = (MlNeighbor) {distance, position};
	if (s->count == s->k)
		s->worst = s->found[s->k - 1].distance;
}

static inline void
offer_group(Search *s, size_t g, const double *distance)
{
	for (size_t l = 0; l < ML_LANES; l++)
	{
		if (distance[l] <= s->worst && g * ML_LANES + l < s->tree->n)
			offer(s, distance[l], (uint32_t) (g * ML_LANES + l));
	}
}

static void
search_leaf(Search *s, const MlKdNode *node)
{
	const MlKdTree *tree = s->tree;
	size_t		p = (size_t) tree->p;
	double		distance[ML_LANES];

	for (size_t g = node->first; g < node->end; g++)
	{
		ML_SIMD_CALL(group_distances, (tree->metric, tree->value + g * p * ML_LANES, p, s->q, distance));
		offer_group(s, g, distance);
	}
}

/* The same for so many searches at a time. */
static void
search_leaf_abreast(Search *const *s, const MlKdNode *node)
{
	const MlKdTree *tree = s[0]->tree;
	size_t		p = (size_t) tree->p;
	const double *q[ABREAST];
	double		distance[ABREAST * ML_LANES];

	for (int i = 0; i < ABREAST; i++)
		q[i] = s[i]->q;
	for (size_t g = node->first; g < node->end; g++)
	{
		ML_SIMD_CALL(abreast_distances, (tree->metric, tree->value + g * p * ML_LANES, p, q, distance));
		for (int i = 0; i < ABREAST; i++)
			offer_group(s[i], g, distance + i * ML_LANES);
	}
}

static void
begin_search(Search *s, const MlKdTree *tree, const double *q, size_t k, MlNeighbor *found)
{
	*s = (Search) {.tree = tree, .q = q, .k = k < tree->n ? k : tree->n, .found = found, .worst = INFINITY};
}

/* Depth first, the nearer child first. */
static void
descend(Search *s)
{
	const MlKdTree *tree = s->tree;
	Pending		pending[MAX_DEPTH];
	int			n = 0;

	pending[n++] = (Pending) {0, 0};
	while (n > 0)
	{
		Pending		at = pending[--n];
		const MlKdNode *node = &tree->node[at.node];
		Pending		a;
		Pending		b;

		if (at.distance > s->worst)
			continue;
		if (node->right == 0)
		{
			search_leaf(s, node);
			continue;
		}
		a = (Pending) {at.node + 1, box_distance(tree, at.node + 1, s->q)};
		b = (Pending) {node->right, box_distance(tree, node->right, s->q)};
		pending[n++] = a.distance <= b.distance ? b : a;
		pending[n++] = a.distance <= b.distance ? a : b;
	}
}

/* From a query that is no number all are equally far. */
static void
end_search(Search *s)
{
	for (; s->count < s->k; s->count++)
		s->found[s->count] = (MlNeighbor) {INFINITY, (uint32_t) s->count};
}

size_t
ml_kdtree_nearest(const MlKdTree *tree, const double *q, size_t k, MlNeighbor *found)
{
	Search		s;

	begin_search(&s, tree, q, k, found);
	if (s.k > 0)
		descend(&s);
	end_search(&s);
	return s.count;
}

/* First the leaf that is nearest by greed, so that most boxes are out at once. */
static uint32_t
near_leaf(const MlKdTree *tree, const double *q)
{
	uint32_t	i = 0;

	while (tree->node[i].right != 0)
		i = box_distance(tree, i + 1, q) <= box_distance(tree, tree->node[i].right, q) ? i + 1 : tree->node[i].right;
	return i;
}

/* Queries that take their blocks together. */
#define BATCH 64
/* From this many coordinates on boxes exclude little, and it pays to read each leaf once for all. */
#define MANY_COORDINATES 10

/* Boxes are asked while they exclude at least one leaf of so many; then looking at all costs less. */
#define WORTH_ASKING 3

typedef struct Asking
{
	bool		worth;
	size_t		asked;
	size_t		excluded;
} Asking;

static bool
may_hold(Asking *asking, const Search *s, uint32_t leaf)
{
	if (!asking->worth)
		return true;
	asking->asked++;
	if (box_distance(s->tree, leaf, s->q) <= s->worst)
		return true;
	asking->excluded++;
	return false;
}

static void
scan_together(const MlKdTree *tree, const double *q, size_t m, size_t k, MlNeighbor *found)
{
	Search		s[BATCH];
	uint32_t	first[BATCH];
	Asking		asking = {true, 0, 0};

	for (size_t i = 0; i < m; i++)
	{
		begin_search(&s[i], tree, q + i * (size_t) tree->p, k, found + i * k);
		first[i] = near_leaf(tree, s[i].q);
		search_leaf(&s[i], &tree->node[first[i]]);
	}
	for (uint32_t leaf = 0; leaf < tree->n_nodes; leaf++)
	{
		Search	   *abreast[ABREAST];
		int			n = 0;

		if (tree->node[leaf].right != 0)
			continue;
		for (size_t i = 0; i < m; i++)
		{
			if (first[i] == leaf || !may_hold(&asking, &s[i], leaf))
				continue;
			abreast[n++] = &s[i];
			if (n < ABREAST)
				continue;
			search_leaf_abreast(abreast, &tree->node[leaf]);
			n = 0;
		}
		for (int i = 0; i < n; i++)
			search_leaf(abreast[i], &tree->node[leaf]);
		if (asking.asked >= 32 * m)
			asking.worth = asking.excluded * WORTH_ASKING >= asking.asked;
	}
	for (size_t i = 0; i < m; i++)
		end_search(&s[i]);
}

size_t
ml_kdtree_nearest_batch(const MlKdTree *tree, const double *q, size_t m, size_t k, MlNeighbor *found)
{
	if (tree->n == 0 || k == 0)
		return 0;
	for (size_t i = 0; i < m; i += BATCH)
	{
		size_t		rows = m - i < BATCH ? m - i : BATCH;

		if (tree->p >= MANY_COORDINATES)
			scan_together(tree, q + i * (size_t) tree->p, rows, k, found + i * k);
		else
			for (size_t r = i; r < i + rows; r++)
				ml_kdtree_nearest(tree, q + r * (size_t) tree->p, k, found + r * k);
	}
	return k < tree->n ? k : tree->n;
}

/* ---- all within a distance ---- */

void
ml_kdtree_within(const MlKdTree *tree, const double *q, double distance, bool (*visit) (void *state, uint32_t position, double distance), void *state)
{
	size_t		p = (size_t) tree->p;
	double		d[ML_LANES];
	uint32_t	i = 0;

	/* Preorder is the order of positions; what is left out is skipped with all below. */
	while (i < tree->n_nodes)
	{
		const MlKdNode *node = &tree->node[i];

		if (box_distance(tree, i, q) > distance)
		{
			i = node->next;
			continue;
		}
		for (size_t g = node->first; node->right == 0 && g < node->end; g++)
		{
			ML_SIMD_CALL(group_distances, (tree->metric, tree->value + g * p * ML_LANES, p, q, d));
			for (size_t l = 0; l < ML_LANES; l++)
			{
				if (d[l] <= distance && g * ML_LANES + l < tree->n && !visit(state, (uint32_t) (g * ML_LANES + l), d[l]))
					return;
			}
		}
		i++;
	}
}
