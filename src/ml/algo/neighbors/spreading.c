/*-------------------------------------------------------------------------
 * spreading.c
 *	  Labels that spread from the points that have one to those near them.
 *
 * Each step reads what all points say, divided by the root of their degree once for all, and writes what
 * they say next: points are independent of each other, sums run over neighbours in a fixed order,
 * and the change that ends it is added up block by block.
 *
 * The graph of neighbours stands in the order of the tree, in which points near each other are near in memory.
 *-------------------------------------------------------------------------
 */
#include "ml/algo/neighbors/spreading.h"

#include <math.h>
#include <string.h>

#include "ml/algo/neighbors/kdtree.h"
#include "ml/base/arena.h"
#include "ml/base/elementary.h"
#include "ml/base/pool.h"

/* Products of numbers in a task: some milliseconds. */
#define TASK_WORK ((double) 4e6)

/* Tasks between two looks at how far it is; and what making the graph is of all. */
#define SLICE_TASKS 64
#define GRAPH_SHARE 0.9

/* Points of a task of a search that looks at many. */
#define MAX_QUERIES 64

typedef struct Graph
{
	const MlSpreading *how;
	size_t		n;
	size_t		p;
	size_t		classes;
	const double *value;		/* rbf */
	uint32_t   *order;			/* knn: which point stands at a position; NULL: position i is point i */

	/* knn */
	MlKdTree   *tree;
	size_t		found;			/* neighbours that a search asks for, with the point itself */
	size_t		queries;		/* of a task */
	uint32_t   *neighbor;		/* n x (found - 1) */
	double	   *query;			/* threads x queries x p */
	MlNeighbor *near;			/* threads x queries x found */

	/* rbf */
	double	   *weight;			/* n x n, 0 on the diagonal */

	size_t		rows;			/* of a task that goes along all edges */
	size_t		first;			/* task of this slice */
	const int32_t *label;
	double	   *root;			/* n: 1 / root of the degree; 1 for a point without edges */
	double	   *said;			/* n x classes, by position */
	double	   *scaled;			/* the same times root */
	double	   *sum;			/* threads x classes */
	double	   *change;			/* by task */
} Graph;

static inline size_t
point_at(const Graph *g, size_t position)
{
	return g->order != NULL ? g->order[position] : position;
}

/* Tasks of so much work each; at least one row in one. */
static size_t
rows_of_task(double work_of_row, size_t most)
{
	double		rows = TASK_WORK / (work_of_row + 1);

	return rows < 1 ? 1 : rows > (double) most ? most : (size_t) rows;
}

static size_t
tasks_of(size_t n, size_t rows)
{
	return (n + rows - 1) / rows;
}

static void
tell(MlEnv *env, double share)
{
	MlProgress	progress = {.phase = "fit", .share = share, .train_loss = NAN, .validation_loss = NAN};

	ml_progress(env, &progress);
}

/* The graph is most of the work, and takes long where there are many points: in slices, so that it is seen how far it is. */
static MlStatus
run_in_slices(MlEnv *env, Graph *g, size_t tasks, MlTask_fn task)
{
	for (g->first = 0; g->first < tasks; g->first += SLICE_TASKS)
	{
		tell(env, GRAPH_SHARE * (double) g->first / (double) tasks);
		ML_TRY(ml_pool_run(env, tasks - g->first < SLICE_TASKS ? tasks - g->first : SLICE_TASKS, task, g));
	}
	return ML_OK;
}

/* ------------------------------------------------------------------------
 * Neighbours
 * ------------------------------------------------------------------------
 */

/* The others among those found: the point itself is left out, or the last where points that are equal stand before it. */
static void
keep_others(const Graph *g, size_t position, const MlNeighbor *found)
{
	uint32_t   *out = g->neighbor + position * (g->found - 1);
	size_t		n = 0;

	for (size_t i = 0; i < g->found && n < g->found - 1; i++)
	{
		if (found[i].position != position)
			out[n++] = found[i].position;
	}
}

static void
search_task(void *arg, size_t task, int thread)
{
	Graph	   *g = arg;
	size_t		first = (g->first + task) * g->queries;
	size_t		count = first + g->queries < g->n ? g->queries : g->n - first;
	double	   *query = g->query + (size_t) thread * g->queries * g->p;
	MlNeighbor *near = g->near + (size_t) thread * g->queries * g->found;

	for (size_t i = 0; i < count; i++)
	{
		size_t		at = first + i;

		for (size_t j = 0; j < g->p; j++)
			query[i * g->p + j] = g->tree->value[(at / ML_LANES * g->p + j) * ML_LANES + at % ML_LANES];
	}
	(void) ml_kdtree_nearest_batch(g->tree, query, count, g->found, near);
	for (size_t i = 0; i < count; i++)
		keep_others(g, first + i, near + i * g->found);
}

static MlStatus
find_neighbors(MlEnv *env, Graph *g)
{
	size_t		threads = (size_t) ml_pool_threads(env->pool);
	size_t		edges;

	ML_TRY(ml_kdtree_build(env, g->value, g->n, (int32_t) g->p, ML_DISTANCE_EUCLIDEAN, &g->order, &g->tree));
	g->found = (size_t) g->how->n_neighbors < g->n ? (size_t) g->how->n_neighbors : g->n;
	g->queries = rows_of_task(ml_kdtree_visits(g->tree) * (double) g->p / 8, MAX_QUERIES);
	/* Searches run by fours. */
	g->queries -= g->queries > 4 ? g->queries % 4 : 0;
	edges = g->found - 1;
	g->neighbor = ml_alloc(env, g->n, edges * sizeof(uint32_t) + 1);
	g->query = ml_alloc(env, threads * g->queries, g->p * sizeof(double));
	g->near = ml_alloc(env, threads * g->queries, g->found * sizeof(MlNeighbor));
	if (g->neighbor == NULL || g->query == NULL || g->near == NULL)
		return env->error.status;
	ML_TRY(run_in_slices(env, g, tasks_of(g->n, g->queries), search_task));
	ml_release(env, g->tree->value);
	ml_release(env, g->tree->node);
	ml_release(env, g->tree->box);
	ml_release(env, g->query);
	ml_release(env, g->near);

	memset(g->root, 0, g->n * sizeof(double));
	for (size_t i = 0; i < g->n; i++)
	{
		if (i % 65536 == 0 && ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		for (size_t e = 0; e < edges; e++)
			g->root[g->neighbor[i * edges + e]] += 1;
	}
	return ML_OK;
}

/* ------------------------------------------------------------------------
 * All with all
 * ------------------------------------------------------------------------
 */

static void
weigh_task(void *arg, size_t task, int thread)
{
	Graph	   *g = arg;
	size_t		first = (g->first + task) * g->rows;
	size_t		end = first + g->rows < g->n ? first + g->rows : g->n;

	for (size_t i = first; i < end; i++)
	{
		const double *a = g->value + i * g->p;
		double	   *weight = g->weight + i * g->n;
		double		degree = 0;

		for (size_t j = 0; j < g->n; j++)
		{
			const double *b = g->value + j * g->p;
			double		distance = 0;

			for (size_t c = 0; c < g->p; c++)
				distance += (a[c] - b[c]) * (a[c] - b[c]);
			weight[j] = j == i ? 0 : ml_exp(-g->how->gamma * distance);
			degree += weight[j];
		}
		g->root[i] = degree;
	}
}

static MlStatus
weigh_pairs(MlEnv *env, Graph *g)
{
	if (g->n > ML_SPREAD_DENSE_POINTS)
	{
		ml_fail(env, ML_TOO_LARGE, "label spreading with the kernel rbf takes at most %d rows, there are %zu", ML_SPREAD_DENSE_POINTS, g->n);
		return ml_hint(env, "Use \"label_spreading_kernel\": \"knn\", whose memory grows with the rows only.");
	}
	g->weight = ml_alloc(env, g->n, g->n * sizeof(double));
	if (g->weight == NULL)
		return env->error.status;
	g->rows = rows_of_task((double) g->n * ((double) g->p + 10), g->n);
	return run_in_slices(env, g, tasks_of(g->n, g->rows), weigh_task);
}

/* ------------------------------------------------------------------------
 * Spreading
 * ------------------------------------------------------------------------
 */

/* sum (classes): what the neighbours of a point say of it. */
static void
listen(const Graph *g, size_t i, double *sum)
{
	size_t		k = g->classes;

	memset(sum, 0, k * sizeof(double));
	if (g->weight != NULL)
	{
		for (size_t j = 0; j < g->n; j++)
		{
			double		w = g->weight[i * g->n + j];

			for (size_t c = 0; c < k; c++)
				sum[c] += w * g->scaled[j * k + c];
		}
		return;
	}
	for (size_t e = 0; e < g->found - 1; e++)
	{
		const double *said = g->scaled + (size_t) g->neighbor[i * (g->found - 1) + e] * k;

		for (size_t c = 0; c < k; c++)
			sum[c] += said[c];
	}
}

static void
spread_task(void *arg, size_t task, int thread)
{
	Graph	   *g = arg;
	size_t		k = g->classes;
	size_t		end = (task + 1) * g->rows < g->n ? (task + 1) * g->rows : g->n;
	double	   *sum = g->sum + (size_t) thread * k;
	double		change = 0;

	for (size_t i = task * g->rows; i < end; i++)
	{
		int32_t		label = g->label[point_at(g, i)];
		double	   *said = g->said + i * k;

		listen(g, i, sum);
		for (size_t c = 0; c < k; c++)
		{
			double		next = g->how->alpha * (g->root[i] * sum[c]);

			if (label == (int32_t) c)
				next += 1 - g->how->alpha;
			change += fabs(next - said[c]);
			said[c] = next;
		}
	}
	g->change[task] = change;
}

/* What others read, once all have written. */
static void
scale_task(void *arg, size_t task, int thread)
{
	Graph	   *g = arg;
	size_t		end = (task + 1) * g->rows < g->n ? (task + 1) * g->rows : g->n;

	for (size_t i = task * g->rows; i < end; i++)
	{
		for (size_t c = 0; c < g->classes; c++)
			g->scaled[i * g->classes + c] = g->said[i * g->classes + c] * g->root[i];
	}
}

static MlStatus
spread(MlEnv *env, Graph *g, MlSpread *result)
{
	size_t		edges = g->weight != NULL ? g->n : g->found;
	size_t		tasks;

	g->rows = rows_of_task((double) edges * (double) g->classes, g->n);
	tasks = tasks_of(g->n, g->rows);
	g->change = ml_alloc(env, tasks, sizeof(double));
	g->sum = ml_alloc(env, (size_t) ml_pool_threads(env->pool), g->classes * sizeof(double));
	if (g->change == NULL || g->sum == NULL)
		return env->error.status;
	while (result->iterations < g->how->max_iter && !result->converged)
	{
		double		change = 0;

		tell(env, GRAPH_SHARE + (1 - GRAPH_SHARE) * result->iterations / g->how->max_iter);
		ML_TRY(ml_pool_run(env, tasks, scale_task, g));
		ML_TRY(ml_pool_run(env, tasks, spread_task, g));
		for (size_t t = 0; t < tasks; t++)
			change += g->change[t];
		result->iterations++;
		result->converged = change < g->how->tolerance;
	}
	return ML_OK;
}

/* Before the first step everybody says what he knows. */
static void
begin(Graph *g)
{
	for (size_t i = 0; i < g->n; i++)
	{
		int32_t		label = g->label[point_at(g, i)];

		g->root[i] = g->root[i] > 0 ? 1 / sqrt(g->root[i]) : 1;
		memset(g->said + i * g->classes, 0, g->classes * sizeof(double));
		if (label >= 0)
			g->said[i * g->classes + (size_t) label] = 1;
	}
}

/* By point, as shares. */
static void
normalize(const Graph *g, double *share)
{
	for (size_t i = 0; i < g->n; i++)
	{
		const double *said = g->said + i * g->classes;
		double	   *out = share + point_at(g, i) * g->classes;
		double		sum = 0;

		for (size_t c = 0; c < g->classes; c++)
			sum += said[c];
		for (size_t c = 0; c < g->classes; c++)
			out[c] = sum > 0 ? said[c] / sum : 0;
	}
}

MlStatus
ml_spread_labels(MlEnv *env, const MlSpreading *how, const double *value, size_t n, int32_t p,
				 const int32_t *label, int32_t classes, MlSpread *result)
{
	Graph		g = {.how = how, .n = n, .p = (size_t) p, .classes = (size_t) classes, .value = value, .label = label};

	memset(result, 0, sizeof(*result));
	if (n >= UINT32_MAX - ML_LANES)
		return ml_fail(env, ML_TOO_LARGE, "more than 4294967286 rows");
	g.root = ml_alloc(env, n, sizeof(double));
	if (g.root == NULL)
		return env->error.status;
	if (how->kernel == ML_SPREAD_KNN)
		ML_TRY(find_neighbors(env, &g));
	else
		ML_TRY(weigh_pairs(env, &g));
	g.said = ml_alloc(env, n, g.classes * sizeof(double));
	g.scaled = ml_alloc(env, n, g.classes * sizeof(double));
	if (g.said == NULL || g.scaled == NULL)
		return env->error.status;
	begin(&g);
	ML_TRY(spread(env, &g, result));
	ml_release(env, g.neighbor);
	ml_release(env, g.weight);
	normalize(&g, g.scaled);
	result->share = g.scaled;
	ml_release(env, g.said);
	ml_release(env, g.order);
	ml_release(env, g.root);
	return ML_OK;
}

size_t
ml_spread_memory(const MlSpreading *how, size_t n, size_t p, size_t classes, int threads)
{
	size_t		total;
	size_t		bytes;
	size_t		each = (2 * classes + 3) * sizeof(double);

	if (!ml_mul_size(n, each, &total))
		return SIZE_MAX;
	if (how->kernel == ML_SPREAD_KNN)
	{
		bytes = ml_kdtree_memory(n, p);
		if (!ml_add_size(total, bytes, &total) || !ml_mul_size(n, (size_t) how->n_neighbors * sizeof(uint32_t) + 1, &bytes))
			return SIZE_MAX;
		if (!ml_add_size(bytes, (size_t) threads * MAX_QUERIES * (p * sizeof(double) + (size_t) how->n_neighbors * sizeof(MlNeighbor)), &bytes))
			return SIZE_MAX;
	}
	else
		/* More points are refused, whatever memory there is. */
		bytes = n <= ML_SPREAD_DENSE_POINTS ? n * n * sizeof(double) : 0;
	if (!ml_add_size(total, bytes, &total) || !ml_add_size(total, ((size_t) threads * classes + 8192) * sizeof(double), &total))
		return SIZE_MAX;
	return total;
}
