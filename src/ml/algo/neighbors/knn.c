/*-------------------------------------------------------------------------
 * knn.c
 *	  The method "knn": what the nearest rows of the training part say.
 *
 * Fix and Hodges 1951; Cover and Hart, Nearest neighbor pattern classification (1967).
 * The rows are the model: they lie in a k-d tree that is searched exactly.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/algo/cluster/space.h"
#include "ml/algo/neighbors/kdtree.h"
#include "ml/base/arena.h"

#define MAX_NEIGHBORS 1000

enum
{
	PARAM_N_NEIGHBORS,
	PARAM_WEIGHTS,
	PARAM_METRIC,
	PARAM_SCALE,
	PARAM_MAX_CATEGORIES
};

/* Choices of the parameter metric; the first three are those of the tree. */
#define METRIC_COSINE 3

static const MlParam knn_params[] = {
	{.name = "n_neighbors", .type = ML_PARAM_INT, .default_number = 5, .minimum = 1, .maximum = MAX_NEIGHBORS,
		.aliases = "k|neighbors",
	.description = "How many rows are asked."},
	{.name = "weights", .type = ML_PARAM_CHOICE, .default_choice = "uniform", .choices = "uniform|distance",
	.description = "Whether all of them count the same, or each by one over its distance (rows at distance 0 then decide alone)."},
	{.name = "metric", .type = ML_PARAM_CHOICE, .default_choice = "euclidean", .choices = "euclidean|manhattan|chebyshev|cosine",
		.aliases = "distance",
	.description = "How distance is measured; cosine: between directions, as the distance of the rows scaled to length 1, which is the root of twice the cosine distance."},
	ML_SPACE_PARAM_SCALE("standard", "Whether numbers are divided by their standard deviation first, so that no column counts more for its unit; a category's coordinates are 0 and 1 either way; \"none\" measures them as they are, as scikit-learn does."),
	ML_SPACE_PARAM_MAX_CATEGORIES,
	{NULL}
};

typedef struct KnnModel
{
	MlSpace    *space;
	int32_t		k;
	bool		by_distance;
	bool		cosine;
	int32_t		n_classes;
	MlKdTree   *tree;
	double	   *y;				/* by position in the tree: value or class */
	double	   *weight;			/* by position; NULL: all 1 */
} KnnModel;

static size_t
knn_memory(const MlSchema *schema, const MlParams *params, size_t n, int threads)
{
	int			cap = (int) ml_param_int(params, PARAM_MAX_CATEGORIES);
	size_t		p = ml_space_bound(schema, cap);
	size_t		rows;
	size_t		total = ml_space_memory(schema, cap);

	if (!ml_mul_size(n + 1, (p + 4) * sizeof(double), &rows) ||
		!ml_add_size(total, rows, &total) ||
		!ml_add_size(total, ml_points_memory(n, p, threads), &total) ||
		!ml_add_size(total, ml_kdtree_memory(n, p), &total))
		return SIZE_MAX;
	return total;
}

/* To length 1; what has none stays at the origin.  No overflow on the way; what is infinite already leaves nothing to the others. */
static void
normalize(double *z, size_t p)
{
	double		largest = 0;
	double		sum = 0;

	for (size_t j = 0; j < p; j++)
		largest = fabs(z[j]) > largest ? fabs(z[j]) : largest;
	for (size_t j = 0; j < p && isinf(largest); j++)
		z[j] = isinf(z[j]) ? copysign(1, z[j]) : 0;
	largest = isinf(largest) ? 1 : largest;
	for (size_t j = 0; j < p && largest > 0; j++)
	{
		z[j] /= largest;
		sum += z[j] * z[j];
	}
	sum = sqrt(sum);
	for (size_t j = 0; j < p && sum > 0; j++)
		z[j] /= sum;
}

/* ---- fit ---- */

/* The rows of positive weight: their coordinates by row, and which they are. */
static MlStatus
take_rows(MlEnv *env, const KnnModel *m, const MlDataset *data, double **value, uint32_t **row, size_t *n)
{
	size_t		p = (size_t) m->space->p;
	MlPoints   *points;

	if (data->n_train >= UINT32_MAX - ML_LANES)
		return ml_fail(env, ML_TOO_LARGE, "more than 4294967286 rows");
	ML_TRY(ml_points_read(env, m->space, data, &points));
	*value = ml_alloc(env, data->n_train, p * sizeof(double) + 1);
	*row = ml_alloc(env, data->n_train, sizeof(uint32_t));
	if (*value == NULL || *row == NULL)
		return env->error.status;
	*n = 0;
	for (size_t i = 0; i < data->n_train; i++)
	{
		double	   *z = *value + *n * p;

		if (i % 65536 == 0 && ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		if (data->weight != NULL && !(data->weight[i] > 0))
			continue;
		ml_points_get(points, i, z);
		if (m->cosine)
			normalize(z, p);
		(*row)[(*n)++] = (uint32_t) i;
	}
	ml_release(env, points->value);
	ml_release(env, points->weight);
	return ML_OK;
}

static MlStatus
knn_fit(MlEnv *env, const MlDataset *data, const MlParams *params, void **model)
{
	KnnModel   *m = ml_alloc0(env, 1, sizeof(KnnModel));
	int			metric = (int) ml_param_int(params, PARAM_METRIC);
	MlProgress	progress = {.phase = "fit", .train_loss = NAN, .validation_loss = NAN};
	double	   *value = NULL;
	uint32_t   *row = NULL;
	uint32_t   *order = NULL;
	size_t		n = 0;

	if (m == NULL)
		return env->error.status;
	m->k = (int32_t) ml_param_int(params, PARAM_N_NEIGHBORS);
	m->by_distance = ml_param_int(params, PARAM_WEIGHTS) == 1;
	m->cosine = metric == METRIC_COSINE;
	m->n_classes = data->schema->n_classes;
	ML_TRY(ml_space_fit(env, data, (int) ml_param_int(params, PARAM_MAX_CATEGORIES),
						ml_param_int(params, PARAM_SCALE) == 1 ? ML_SPACE_SCALE_NUMBERS : ML_SPACE_AS_IS, &m->space));
	ml_progress(env, &progress);
	ML_TRY(take_rows(env, m, data, &value, &row, &n));
	ML_TRY(ml_kdtree_build(env, value, n, m->space->p, m->cosine ? ML_DISTANCE_EUCLIDEAN : (MlMetricKind) metric, &order, &m->tree));
	ml_release(env, value);
	m->y = ml_alloc(env, n, sizeof(double));
	m->weight = data->weight != NULL ? ml_alloc(env, n, sizeof(double)) : NULL;
	if (m->y == NULL || (data->weight != NULL && m->weight == NULL))
		return env->error.status;
	for (size_t i = 0; i < n; i++)
	{
		m->y[i] = data->y[row[order[i]]];
		if (m->weight != NULL)
			m->weight[i] = data->weight[row[order[i]]];
	}
	ml_release(env, row);
	ml_release(env, order);
	if (n < (size_t) m->k)
		ml_warn(env, "there are only %zu rows for %d neighbours", n, (int) m->k);
	*model = m;
	return ML_OK;
}

/* ---- predict ---- */

static size_t
knn_scratch_size(const void *model)
{
	const KnnModel *m = model;
	size_t		p = (size_t) m->space->p;

	return ML_BATCH_ROWS * (2 * p * sizeof(double) + (size_t) m->k * sizeof(MlNeighbor));
}

/* What a neighbour counts, before it is divided by the sum of all. */
static inline double
say(const KnnModel *m, const MlNeighbor *neighbor, bool exact)
{
	double		w = m->weight != NULL ? m->weight[neighbor->position] : 1;
	double		d;

	if (!m->by_distance)
		return w;
	if (exact)
		return neighbor->distance == 0 ? w : 0;
	d = m->tree->metric == ML_DISTANCE_EUCLIDEAN ? sqrt(neighbor->distance) : neighbor->distance;
	/* In units of the nearest distance nothing overflows. */
	return w / d;
}

static void
decide(const KnnModel *m, const MlNeighbor *found, size_t count, double *out)
{
	bool		exact = count > 0 && found[0].distance == 0;
	double		total = 0;

	for (int32_t c = 0; c < (m->n_classes > 0 ? m->n_classes : 1); c++)
		out[c] = 0;
	for (size_t i = 0; i < count; i++)
		total += say(m, &found[i], exact);
	for (size_t i = 0; i < count; i++)
	{
		double		y = m->y[found[i].position];
		/* All infinitely far, or infinitely near: each counts the same. */
		double		w = total > 0 && total <= 1.7976931348623157e308 ? say(m, &found[i], exact) / total : 1.0 / (double) count;

		if (m->n_classes > 0)
			out[(int32_t) y] += w;
		else
			out[0] += w * y;
	}
}

static void
knn_predict(const void *model, const double *x, double *out, void *scratch)
{
	const KnnModel *m = model;
	double	   *z = scratch;
	MlNeighbor *found = (MlNeighbor *) (z + m->space->p);

	ml_space_row(m->space, x, z);
	if (m->cosine)
		normalize(z, (size_t) m->space->p);
	decide(m, found, ml_kdtree_nearest(m->tree, z, (size_t) m->k, found), out);
}

static bool
knn_predict_batch(const void *model, const double *x, size_t n, double *out, void *scratch)
{
	const KnnModel *m = model;
	size_t		p = (size_t) m->space->p;
	size_t		n_out = (size_t) (m->n_classes > 0 ? m->n_classes : 1);
	double	   *block = scratch;
	double	   *z = block + ML_BATCH_ROWS * p;
	MlNeighbor *found = (MlNeighbor *) (z + ML_BATCH_ROWS * p);
	size_t		count;

	ml_space_block(m->space, x, n, block);
	for (size_t i = 0; i < n; i++)
	{
		for (size_t j = 0; j < p; j++)
			z[i * p + j] = block[j * ML_BATCH_ROWS + i];
		if (m->cosine)
			normalize(z + i * p, p);
	}
	count = ml_kdtree_nearest_batch(m->tree, z, n, (size_t) m->k, found);
	for (size_t i = 0; i < n; i++)
		decide(m, found + i * (size_t) m->k, count, out + i * n_out);
	return true;
}

static double
knn_predict_cost(const void *model)
{
	const KnnModel *m = model;

	return 200 + ml_kdtree_visits(m->tree) * (1 + 0.15 * m->space->p) + 10.0 * m->k;
}

/* ---- image ---- */

static void
knn_save(const void *model, MlWriter *w)
{
	const KnnModel *m = model;
	size_t		p = (size_t) m->space->p;

	ml_space_save(m->space, w);
	ml_put_i32(w, m->k);
	ml_put_u8(w, m->by_distance);
	ml_put_u8(w, m->cosine);
	ml_put_u8(w, (uint8_t) m->tree->metric);
	ml_put_u8(w, m->weight != NULL);
	ml_put_u32(w, (uint32_t) m->tree->n);
	ml_put_doubles(w, m->y, m->tree->n);
	if (m->weight != NULL)
		ml_put_doubles(w, m->weight, m->tree->n);
	for (size_t i = 0; i < m->tree->n; i++)
		for (size_t j = 0; j < p; j++)
			ml_put_double(w, m->tree->value[(i / ML_LANES * p + j) * ML_LANES + i % ML_LANES]);
}

static MlStatus
load_rows(MlReader *r, KnnModel *m, size_t n, uint8_t metric)
{
	size_t		p = (size_t) m->space->p;
	double	   *value = ml_alloc(r->env, ml_kdtree_values(n, p) + 1, sizeof(double));

	if (value == NULL)
		return r->env->error.status;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < p; j++)
			value[(i / ML_LANES * p + j) * ML_LANES + i % ML_LANES] = ml_get_finite(r);
	ML_TRY(r->status);
	return ml_kdtree_restore(r->env, value, n, m->space->p, (MlMetricKind) metric, &m->tree);
}

static MlStatus
knn_load(MlReader *r, const MlSchema *schema, void **model)
{
	KnnModel   *m = ml_alloc0(r->env, 1, sizeof(KnnModel));
	uint8_t		metric;
	bool		weighted;
	size_t		n;

	if (m == NULL)
		return r->env->error.status;
	ML_TRY(ml_space_load(r, schema, &m->space));
	m->k = ml_get_i32(r);
	m->by_distance = ml_get_u8(r) != 0;
	m->cosine = ml_get_u8(r) != 0;
	metric = ml_get_u8(r);
	weighted = ml_get_u8(r) != 0;
	m->n_classes = schema->n_classes;
	n = ml_get_count(r, ((size_t) m->space->p + 1) * sizeof(double));
	ML_TRY(r->status);
	if (m->k < 1 || m->k > MAX_NEIGHBORS || metric > ML_DISTANCE_CHEBYSHEV || n == 0)
		return ml_reader_corrupt(r, "neighbours");
	m->y = ml_get_doubles(r, n);
	m->weight = weighted ? ml_get_doubles(r, n) : NULL;
	ML_TRY(r->status);
	for (size_t i = 0; i < n; i++)
	{
		if (m->n_classes > 0 && !(m->y[i] >= 0 && m->y[i] < m->n_classes && m->y[i] == (double) (int32_t) m->y[i]))
			return ml_reader_corrupt(r, "class");
		if (weighted && !(m->weight[i] > 0))
			return ml_reader_corrupt(r, "weight");
	}
	*model = m;
	return load_rows(r, m, n, metric);
}

const MlMethod ml_method_knn = {
	.name = "knn",
	.summary = "k nearest neighbours, searched exactly in a k-d tree",
	.description =
	"Classes by the share of the n_neighbors nearest training rows, numbers by their mean (Cover and Hart 1967). The rows themselves are the model: memory and image take rows x columns x 8 bytes. "
	"They lie in a k-d tree with boxes (Friedman, Bentley, Finkel 1977) whose leaves are compared eight rows at a time; building takes rows x columns x log rows. With few columns a search looks at some hundred rows, "
	"from about fifteen on at most of them. Always exact; of equally near rows those that come first in the tree. "
	"Numbers are divided by their standard deviation unless scale is \"none\"; missing ones stand at the mean; each category is a coordinate of 0 or 1. "
	"Where predictions are slow the training part is judged on a sample of its rows.",
	.tasks = ML_TASK_REGRESSION | ML_TASK_CLASSIFICATION,
	.reads_sparse = true,
	.format = 1,
	.params = knn_params,
	.memory = knn_memory,
	.fit = knn_fit,
	.save = knn_save,
	.load = knn_load,
	.predict = knn_predict,
	.scratch_size = knn_scratch_size,
	.predict_batch = knn_predict_batch,
	.predict_cost = knn_predict_cost,
};
