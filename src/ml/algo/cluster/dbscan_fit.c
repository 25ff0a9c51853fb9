/*-------------------------------------------------------------------------
 * dbscan_fit.c
 *	  Density-based clusters (Ester, Kriegel, Sander, Xu 1996).
 *
 * Which rows are dense is found in parallel, for no row depends on another.  Then each cluster is
 * flooded from its first dense row: a dense row that was reached is taken out of
 * the tree, so that a search never comes by twice and a crowded neighbourhood
 * costs no more than a sparse one.
 *-------------------------------------------------------------------------
 */
#include "ml/algo/cluster/dbscan_fit.h"

#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/pool.h"

/* Points of one task, fewer where each may have to be compared with very many coordinates. */
#define TASK_POINTS 256
#define TASK_COORDINATES ((size_t) 1 << 26)

/* Coordinates compared between two looks at whether the run is canceled. */
#define WORK ((size_t) 1 << 24)

typedef struct Dbscan
{
	MlEnv	   *env;
	const MlDbscanSpec *spec;
	MlKdTree	tree;
	double		squared;		/* eps^2 */
	uint32_t   *order;			/* tree position -> row */
	double	   *weight;			/* by tree position */
	double	   *node_weight;	/* sum of the weights below a node */
	bool	   *core;			/* by tree position */
	int32_t    *label;			/* by tree position: of dense rows; -1: none yet */
	uint32_t   *left;			/* of a node: dense rows below it that were not reached yet */
	uint32_t   *parent;			/* of a node */
	uint32_t   *leaf_of;		/* of a group */
	double	   *z;				/* threads x p */
	size_t		task_points;
} Dbscan;

static void
point_at(const MlKdTree *tree, size_t i, double *z)
{
	const double *v = tree->value + i / ML_LANES * tree->p * ML_LANES + i % ML_LANES;

	for (size_t j = 0; j < tree->p; j++)
		z[j] = v[j * ML_LANES];
}

/* -- dense rows ------------------------------------------------------------- */

/* Are there rows of the weight asked for within eps of z?  Ends as soon as it is known. */
static bool
is_dense(const Dbscan *d, const double *z)
{
	const MlKdTree *tree = &d->tree;
	uint32_t	stack[ML_KD_DEPTH];
	int			depth = 0;
	double		found = 0;

	stack[depth++] = 0;
	while (depth > 0)
	{
		uint32_t	at = stack[--depth];
		const MlKdNode *node = &tree->node[at];

		if (ml_kd_least(tree, at, z) > d->squared)
			continue;
		if (ml_kd_greatest(tree, at, z) <= d->squared)
			found += d->node_weight[at];
		else if (node->right != 0)
		{
			stack[depth++] = node->right;
			stack[depth++] = at + 1;
		}
		else
		{
			for (size_t g = node->first; g < node->last; g++)
			{
				double		squared[ML_LANES];

				ml_kd_distances(tree, g, z, squared);
				for (int l = 0; l < ML_LANES; l++)
					found += squared[l] <= d->squared ? d->weight[g * ML_LANES + (size_t) l] : 0;
			}
		}
		if (found >= d->spec->min_weight)
			return true;
	}
	return false;
}

static void
core_task(void *arg, size_t task, int thread)
{
	Dbscan	   *d = arg;
	size_t		end = (task + 1) * d->task_points < d->tree.n ? (task + 1) * d->task_points : d->tree.n;
	double	   *z = d->z + (size_t) thread * d->tree.p;

	for (size_t i = task * d->task_points; i < end; i++)
	{
		point_at(&d->tree, i, z);
		d->core[i] = d->weight[i] > 0 && is_dense(d, z);
	}
}

/* -- clusters --------------------------------------------------------------- */

/* Takes a dense row out of the tree and puts it on the list of those to be looked around from. */
static void
reach(Dbscan *d, size_t i, int32_t cluster, uint32_t *list, size_t *n)
{
	d->label[i] = cluster;
	list[(*n)++] = (uint32_t) i;
	for (uint32_t at = d->leaf_of[i / ML_LANES];; at = d->parent[at])
	{
		d->left[at]--;
		if (at == 0)
			break;
	}
}

static inline bool
is_open(const Dbscan *d, size_t i)
{
	return i < d->tree.n && d->core[i] && d->label[i] < 0;
}

/* All dense rows within eps of z that no cluster has yet; returns how many boxes and groups were looked at. */
static size_t
reach_around(Dbscan *d, const double *z, int32_t cluster, uint32_t *list, size_t *n)
{
	const MlKdTree *tree = &d->tree;
	uint32_t	stack[ML_KD_DEPTH];
	int			depth = 0;
	size_t		looks = 1;

	stack[depth++] = 0;
	while (depth > 0)
	{
		uint32_t	at = stack[--depth];
		const MlKdNode *node = &tree->node[at];

		looks++;
		if (d->left[at] == 0 || ml_kd_least(tree, at, z) > d->squared)
			continue;
		looks += node->right != 0 ? 0 : (node->last - node->first) * ML_LANES;
		if (node->right != 0)
		{
			stack[depth++] = node->right;
			stack[depth++] = at + 1;
			continue;
		}
		for (size_t g = node->first; g < node->last; g++)
		{
			double		squared[ML_LANES];

			ml_kd_distances(tree, g, z, squared);
			for (size_t l = 0; l < ML_LANES; l++)
			{
				if (squared[l] <= d->squared && is_open(d, g * ML_LANES + l))
					reach(d, g * ML_LANES + l, cluster, list, n);
			}
		}
	}
	return looks;
}

/* Clusters are numbered in the order of their first dense rows, as in scikit-learn. */
static MlStatus
flood(Dbscan *d, int32_t *clusters)
{
	MlEnv	   *env = d->env;
	size_t		n = d->tree.n;
	uint32_t   *position = ml_alloc(env, n, sizeof(uint32_t));
	uint32_t   *list = ml_alloc(env, n, sizeof(uint32_t));
	size_t		work = 0;

	if (position == NULL || list == NULL)
		return env->error.status;
	for (size_t i = 0; i < n; i++)
		position[d->order[i]] = (uint32_t) i;
	*clusters = 0;
	for (size_t row = 0; row < n; row++)
	{
		size_t		listed = 0;

		if (!is_open(d, position[row]))
			continue;
		reach(d, position[row], *clusters, list, &listed);
		for (size_t next = 0; next < listed; next++)
		{
			if (work > WORK)
			{
				work = 0;
				if (ml_canceled(env))
					return ml_fail(env, ML_CANCELED, "canceled");
			}
			point_at(&d->tree, list[next], d->z);
			work += reach_around(d, d->z, *clusters, list, &listed) * d->tree.p;
		}
		++*clusters;
	}
	ml_release(env, position);
	ml_release(env, list);
	return ML_OK;
}

/* -- border rows ------------------------------------------------------------ */

/* The first cluster that has a dense row within eps; -1: noise. */
static int32_t
first_cluster(const Dbscan *d, const double *z)
{
	const MlKdTree *tree = &d->tree;
	uint32_t	stack[ML_KD_DEPTH];
	int			depth = 0;
	int32_t		first = INT32_MAX;

	stack[depth++] = 0;
	while (depth > 0)
	{
		uint32_t	at = stack[--depth];
		const MlKdNode *node = &tree->node[at];

		if (ml_kd_least(tree, at, z) > d->squared)
			continue;
		if (node->right != 0)
		{
			stack[depth++] = node->right;
			stack[depth++] = at + 1;
			continue;
		}
		for (size_t g = node->first; g < node->last; g++)
		{
			double		squared[ML_LANES];

			ml_kd_distances(tree, g, z, squared);
			for (size_t l = 0; l < ML_LANES; l++)
			{
				size_t		i = g * ML_LANES + l;

				if (squared[l] <= d->squared && i < tree->n && d->core[i] && d->label[i] < first)
					first = d->label[i];
			}
		}
	}
	return first == INT32_MAX ? -1 : first;
}

static void
border_task(void *arg, size_t task, int thread)
{
	Dbscan	   *d = arg;
	size_t		end = (task + 1) * d->task_points < d->tree.n ? (task + 1) * d->task_points : d->tree.n;
	double	   *z = d->z + (size_t) thread * d->tree.p;

	for (size_t i = task * d->task_points; i < end; i++)
	{
		if (d->core[i])
			continue;
		point_at(&d->tree, i, z);
		d->label[i] = first_cluster(d, z);
	}
}

/* -- all -------------------------------------------------------------------- */

/* The rows as a tree. */
static MlStatus
plant(Dbscan *d, const MlPoints *points)
{
	MlEnv	   *env = d->env;
	MlKdTree   *tree = &d->tree;
	size_t		n = points->n;
	size_t		p = (size_t) points->p;
	double	   *flat = ml_alloc(env, n, p * sizeof(double));
	const double **column = ml_alloc(env, p, sizeof(double *));

	tree->n = n;
	tree->p = p;
	tree->value = ml_alloc(env, ml_kd_values(n, p), sizeof(double));
	d->order = ml_alloc(env, n, sizeof(uint32_t));
	if (flat == NULL || column == NULL || tree->value == NULL || d->order == NULL)
		return env->error.status;
	for (size_t j = 0; j < p; j++)
	{
		for (size_t i = 0; i < n; i++)
			flat[j * n + i] = points->value[(i / ML_LANES * p + j) * ML_LANES + i % ML_LANES];
		column[j] = flat + j * n;
	}
	ML_TRY(ml_kd_order(env, n, p, column, d->order));
	for (size_t i = 0; i < (n + ML_LANES - 1) / ML_LANES * ML_LANES; i++)
		for (size_t j = 0; j < p; j++)
			tree->value[(i / ML_LANES * p + j) * ML_LANES + i % ML_LANES] = i < n ? column[j][d->order[i]] : NAN;
	ml_release(env, flat);
	return ml_kd_finish(env, tree);
}

static MlStatus
allocate(Dbscan *d, const MlPoints *points)
{
	MlEnv	   *env = d->env;
	size_t		rows = d->tree.groups * ML_LANES;

	d->weight = ml_alloc0(env, rows, sizeof(double));
	d->node_weight = ml_alloc0(env, d->tree.n_nodes + 1, sizeof(double));
	d->core = ml_alloc0(env, rows, sizeof(bool));
	d->label = ml_alloc(env, rows, sizeof(int32_t));
	d->left = ml_alloc0(env, d->tree.n_nodes + 1, sizeof(uint32_t));
	d->parent = ml_alloc0(env, d->tree.n_nodes + 1, sizeof(uint32_t));
	d->leaf_of = ml_alloc0(env, d->tree.groups + 1, sizeof(uint32_t));
	d->z = ml_alloc(env, (size_t) ml_pool_threads(env->pool), d->tree.p * sizeof(double));
	if (env->error.status != ML_OK)
		return env->error.status;
	for (size_t i = 0; i < d->tree.n; i++)
		d->weight[i] = points->weight[d->order[i]];
	for (size_t i = 0; i < rows; i++)
		d->label[i] = -1;
	for (size_t at = 0; at < d->tree.n_nodes; at++)
	{
		const MlKdNode *node = &d->tree.node[at];

		if (node->right != 0)
		{
			d->parent[at + 1] = (uint32_t) at;
			d->parent[node->right] = (uint32_t) at;
			continue;
		}
		for (size_t g = node->first; g < node->last; g++)
			d->leaf_of[g] = (uint32_t) at;
	}
	/* Children after parents. */
	for (size_t at = d->tree.n_nodes; at-- > 0;)
	{
		const MlKdNode *node = &d->tree.node[at];

		if (node->right != 0)
			d->node_weight[at] = d->node_weight[at + 1] + d->node_weight[node->right];
		else
			for (size_t i = node->first * (size_t) ML_LANES; i < node->last * (size_t) ML_LANES; i++)
				d->node_weight[at] += d->weight[i];
	}
	return ML_OK;
}

static void
count_cores(Dbscan *d)
{
	for (size_t at = d->tree.n_nodes; at-- > 0;)
	{
		const MlKdNode *node = &d->tree.node[at];

		if (node->right != 0)
			d->left[at] = d->left[at + 1] + d->left[node->right];
		else
			for (size_t i = node->first * (size_t) ML_LANES; i < node->last * (size_t) ML_LANES; i++)
				d->left[at] += d->core[i];
	}
}

static MlStatus
collect(Dbscan *d, const MlPoints *points, MlDbscanResult *result)
{
	MlEnv	   *env = d->env;
	size_t		at = 0;

	result->n_core = 0;
	for (size_t i = 0; i < d->tree.n; i++)
		result->n_core += d->core[i];
	result->core = ml_alloc(env, result->n_core + 1, d->tree.p * sizeof(double));
	result->label = ml_alloc(env, result->n_core + 1, sizeof(int32_t));
	result->share = ml_alloc0(env, (size_t) result->n_clusters + 1, sizeof(double));
	if (result->core == NULL || result->label == NULL || result->share == NULL)
		return env->error.status;
	for (size_t i = 0; i < d->tree.n; i++)
	{
		if (d->label[i] >= 0)
			result->share[d->label[i]] += d->weight[i] / points->total_weight;
		if (!d->core[i])
			continue;
		point_at(&d->tree, i, result->core + at * d->tree.p);
		result->label[at++] = d->label[i];
	}
	return ML_OK;
}

static void
show(MlEnv *env, double share)
{
	MlProgress	progress = {.phase = "fit", .share = share, .train_loss = NAN, .validation_loss = NAN};

	ml_progress(env, &progress);
}

MlStatus
ml_dbscan_fit(MlEnv *env, const MlPoints *points, const MlDbscanSpec *spec, MlDbscanResult *result)
{
	Dbscan		d = {.env = env, .spec = spec, .squared = spec->eps * spec->eps};
	size_t		coordinates = (points->n + 1) * ((size_t) points->p + 1);
	size_t		tasks;

	d.task_points = coordinates > TASK_COORDINATES ? 1 : TASK_COORDINATES / coordinates > TASK_POINTS ? TASK_POINTS : TASK_COORDINATES / coordinates;
	tasks = (points->n + d.task_points - 1) / d.task_points;
	show(env, 0);
	ML_TRY(plant(&d, points));
	ML_TRY(allocate(&d, points));
	show(env, 0.1);
	ML_TRY(ml_pool_run(env, tasks, core_task, &d));
	show(env, 0.5);
	count_cores(&d);
	ML_TRY(flood(&d, &result->n_clusters));
	show(env, 0.9);
	ML_TRY(ml_pool_run(env, tasks, border_task, &d));
	return collect(&d, points, result);
}

size_t
ml_dbscan_memory(size_t n, size_t p)
{
	size_t		bytes;
	size_t		more;

	/* The tree; columns to make it of; weights, labels, lists; the dense rows, which may be all. */
	if (!ml_mul_size(n + ML_LANES, 2 * p * sizeof(double) + 3 * sizeof(double) + 8 * sizeof(uint32_t), &bytes) ||
		(more = ml_kd_memory(n, p)) == SIZE_MAX || !ml_add_size(bytes, more, &bytes))
		return SIZE_MAX;
	return bytes + 65536 + p * 1024;
}
