/*-------------------------------------------------------------------------
 * kmeans.c
 *	  The method "kmeans": k centres, each row belongs to the nearest.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ml/algo/cluster/kmeans_bounds.h"
#include "ml/algo/cluster/kmeans_fit.h"
#include "ml/algo/cluster/nearest.h"
#include "ml/base/arena.h"

#define MAX_CLUSTERS 10000

enum
{
	PARAM_N_CLUSTERS,
	PARAM_N_INIT,
	PARAM_INIT,
	PARAM_MAX_ITER,
	PARAM_TOL,
	PARAM_ALGORITHM,
	PARAM_BATCH_SIZE,
	PARAM_SCALE,
	PARAM_MAX_CATEGORIES
};

/* Choices of PARAM_ALGORITHM. */
enum
{
	ALGORITHM_AUTO,
	ALGORITHM_LLOYD,
	ALGORITHM_HAMERLY,
	ALGORITHM_MINIBATCH
};

static const MlParam kmeans_params[] = {
	{.name = "n_clusters", .type = ML_PARAM_INT, .default_number = 8, .minimum = 1, .maximum = MAX_CLUSTERS,
		.aliases = "k|clusters|num_clusters",
	.description = "Number of clusters."},
	{.name = "n_init", .type = ML_PARAM_INT, .default_number = 10, .minimum = 1, .maximum = 1000,
		.aliases = "num_init|restarts",
	.description = "Runs from different beginnings; the one with the least inertia is kept."},
	{.name = "init", .type = ML_PARAM_CHOICE, .default_choice = "k-means++", .choices = "k-means++|random",
	.description = "How a run begins: \"k-means++\" draws centres that lie far from each other (greedily, the best of 2 + log k draws each), \"random\" takes rows at random."},
	{.name = "max_iter", .type = ML_PARAM_INT, .default_number = 300, .minimum = 1, .maximum = 10000,
		.aliases = "max_iterations|num_iterations|iterations",
	.description = "Most iterations of one run."},
	{.name = "tol", .type = ML_PARAM_DOUBLE, .default_number = 1e-4, .minimum = 0, .maximum = 1,
		.aliases = "tolerance",
	.description = "A run ends when the centres move, in sum of squares, by less than tol times the mean variance of a coordinate."},
	{.name = "algorithm", .type = ML_PARAM_CHOICE, .default_choice = "auto", .choices = "auto|lloyd|hamerly|minibatch",
	.description = "\"lloyd\": every row is compared with every centre in every iteration; \"hamerly\": the same result, but rows that bounds show to stay in their cluster are passed over; \"auto\": bounds from the iteration on in which few rows change, as long as they decide most; \"minibatch\": batches of rows drawn at random, much faster on many rows and a little worse."},
	{.name = "batch_size", .type = ML_PARAM_INT, .default_number = 1024, .minimum = 1, .maximum = 10000000,
	.description = "Rows of a batch, for algorithm \"minibatch\"."},
	ML_SPACE_PARAM_SCALE("none", "Whether numbers are divided by their standard deviation first (\"standard\"); a category's coordinates are 0 and 1 either way; \"none\" measures them as they are, as scikit-learn does."),
	ML_SPACE_PARAM_MAX_CATEGORIES,
	{NULL}
};

typedef struct KmeansModel
{
	MlSpace    *space;
	int32_t		k;
	double	   *center;			/* k x p */
	double	   *share;			/* k: of the weight of the training rows */
	double	   *packed;			/* see ml_centers_pack */
} KmeansModel;

static size_t
kmeans_memory(const MlSchema *schema, const MlParams *params, size_t n, int threads)
{
	int			cap = (int) ml_param_int(params, PARAM_MAX_CATEGORIES);
	size_t		p = ml_space_bound(schema, cap);
	size_t		k = (size_t) ml_param_int(params, PARAM_N_CLUSTERS);
	size_t		total = ml_space_memory(schema, cap);

	if (!ml_add_size(total, ml_points_memory(n, p, threads), &total) ||
		!ml_add_size(total, ml_kmeans_memory(n, p, k, (int) ml_param_int(params, PARAM_MAX_ITER)), &total) ||
		!ml_add_size(total, ml_param_int(params, PARAM_ALGORITHM) != ALGORITHM_MINIBATCH ? ml_bounds_memory(n, k, p) :
					 ml_kmeans_mini_memory(n, p, (int32_t) k, (int) ml_param_int(params, PARAM_BATCH_SIZE), (int) ml_param_int(params, PARAM_N_INIT)), &total) ||
		!ml_add_size(total, 4 * ml_centers_packed_size(k, p) * sizeof(double), &total))
		return SIZE_MAX;
	return total;
}

/* tol is relative to the mean variance of a coordinate. */
static double
mean_variance(const MlSpace *space)
{
	double		sum = 0;

	for (int32_t j = 0; j < space->p; j++)
	{
		double		deviation = space->design->columns[j].deviation * space->factor[j];

		sum += deviation * deviation;
	}
	return sum / space->p;
}

static MlStatus
pack(MlEnv *env, KmeansModel *m)
{
	m->packed = ml_alloc(env, ml_centers_packed_size((size_t) m->k, (size_t) m->space->p), sizeof(double));
	if (m->packed == NULL)
		return env->error.status;
	ml_centers_pack((size_t) m->k, (size_t) m->space->p, m->center, m->packed);
	return ML_OK;
}

/* With few centres, what comparing saves does not outweigh the distances to the own ones, which are taken from scattered places. */
static MlKmeansBounds
bounds_of(int algorithm, int32_t k)
{
	if (algorithm == ALGORITHM_HAMERLY)
		return ML_KMEANS_BOUNDS_ALWAYS;
	return algorithm == ALGORITHM_AUTO && k >= 16 ? ML_KMEANS_BOUNDS_LATE : ML_KMEANS_BOUNDS_NEVER;
}

static MlStatus
kmeans_fit(MlEnv *env, const MlDataset *data, const MlParams *params, void **model)
{
	KmeansModel *m = ml_alloc0(env, 1, sizeof(KmeansModel));
	MlKmeansSpec spec = {
		.k = (int32_t) ml_param_int(params, PARAM_N_CLUSTERS),
		.n_init = (int) ml_param_int(params, PARAM_N_INIT),
		.max_iter = (int) ml_param_int(params, PARAM_MAX_ITER),
		.plus_plus = ml_param_int(params, PARAM_INIT) == 0,
		.show = true,
		.batch_size = ml_param_int(params, PARAM_ALGORITHM) != ALGORITHM_MINIBATCH ? 0 : (int) ml_param_int(params, PARAM_BATCH_SIZE)
	};
	MlKmeansResult result;
	MlPoints   *points;

	if (m == NULL)
		return env->error.status;
	ML_TRY(ml_space_fit(env, data, (int) ml_param_int(params, PARAM_MAX_CATEGORIES),
						ml_param_int(params, PARAM_SCALE) == 1 ? ML_SPACE_SCALE_NUMBERS : ML_SPACE_AS_IS, &m->space));
	spec.tol = ml_param_double(params, PARAM_TOL) * mean_variance(m->space);
	ML_TRY(ml_points_read(env, m->space, data, &points));
	spec.bounds = bounds_of((int) ml_param_int(params, PARAM_ALGORITHM), spec.k);
	ML_TRY(ml_kmeans_fit(env, points, &spec, &result));
	m->k = spec.k;
	m->center = result.center;
	m->share = result.weight;
	for (int32_t c = 0; c < m->k; c++)
		m->share[c] /= points->total_weight;
	ml_release(env, points->value);
	ml_release(env, points->weight);
	ml_release(env, result.label);
	*model = m;
	return pack(env, m);
}

static void
kmeans_save(const void *model, MlWriter *w)
{
	const KmeansModel *m = model;

	ml_space_save(m->space, w);
	ml_put_i32(w, m->k);
	ml_put_doubles(w, m->center, (size_t) m->k * (size_t) m->space->p);
	ml_put_doubles(w, m->share, (size_t) m->k);
}

static MlStatus
kmeans_load(MlReader *r, const MlSchema *schema, void **model)
{
	KmeansModel *m = ml_alloc0(r->env, 1, sizeof(KmeansModel));
	uint32_t	k;

	if (m == NULL)
		return r->status = r->env->error.status;
	ML_TRY(ml_space_load(r, schema, &m->space));
	k = ml_get_count(r, ((size_t) m->space->p + 1) * sizeof(double));
	ML_TRY(r->status);
	if (k < 1 || k > MAX_CLUSTERS)
		return ml_reader_corrupt(r, "a number of clusters is not possible");
	m->k = (int32_t) k;
	m->center = ml_get_doubles(r, (size_t) k * (size_t) m->space->p);
	m->share = ml_get_doubles(r, k);
	ML_TRY(r->status);
	*model = m;
	return r->status = pack(r->env, m);
}

static int
kmeans_outputs(const void *model)
{
	(void) model;
	return 1;
}

/* The row's coordinates, or those of ML_BATCH_ROWS rows. */
static size_t
kmeans_scratch(const void *model)
{
	const KmeansModel *m = model;

	return ((size_t) m->space->p * sizeof(double) + sizeof(double)) * ML_BATCH_ROWS;
}

static void
kmeans_predict(const void *model, const double *x, double *out, void *scratch)
{
	const KmeansModel *m = model;
	int32_t		label;

	ml_space_row(m->space, x, scratch);
	ml_nearest_of_row(scratch, (size_t) m->space->p, m->packed, (size_t) m->k, &label, &out[1]);
	out[0] = label;
}

static bool
kmeans_predict_batch(const void *model, const double *x, size_t n, double *out, void *scratch)
{
	const KmeansModel *m = model;
	double	   *z = scratch;
	int32_t		label[ML_BATCH_ROWS];
	double		squared[ML_BATCH_ROWS];

	/* Rows beyond n: whatever stands there is computed with and not looked at. */
	ml_space_block(m->space, x, ML_BATCH_ROWS, z);
	ml_nearest_of_groups(z, (n + ML_LANES - 1) / ML_LANES, ML_LANES, ML_BATCH_ROWS, (size_t) m->space->p, m->center, (size_t) m->k, label, squared);
	for (size_t i = 0; i < n; i++)
	{
		out[2 * i] = label[i];
		out[2 * i + 1] = squared[i];
	}
	return true;
}

static void
kmeans_report(const void *model, double rows, const double *sums, MlReport *report)
{
	(void) model;
	(void) rows;
	ml_report_put(report, ML_METRIC_INERTIA, sums[0]);
}

static int
kmeans_coordinates_count(const void *model)
{
	return ((const KmeansModel *) model)->space->p;
}

static void
kmeans_coordinates(const void *model, const double *x, double *out)
{
	ml_space_row(((const KmeansModel *) model)->space, x, out);
}

static double
kmeans_cost(const void *model)
{
	const KmeansModel *m = model;

	return 40 + 2 * m->space->p + 0.4 * m->space->p * m->k;
}

/* The centres, in units of the columns. */
static MlStatus
kmeans_coefficients(MlEnv *env, const void *model, const MlSchema *schema, MlCoefficient **rows, size_t *count)
{
	const KmeansModel *m = model;

	return ml_space_centers(env, m->space, schema, (size_t) m->k, m->share, m->center, rows, count);
}

const MlMethod ml_method_kmeans = {
	.name = "kmeans",
	.summary = "k-means clustering: each row belongs to the nearest of k centres",
	.description = "Lloyd's iteration (Lloyd 1982) from greedy k-means++ beginnings (Arthur, Vassilvitskii 2007), in the steps of scikit-learn's KMeans: "
	"the same tolerance, the same refilling of clusters that lose all their rows; or batches of rows (Sculley 2010) with algorithm \"minibatch\". Clusters are numbered in the order of falling size. "
	"ml_predict gives the number of the cluster, ml_coefficients the centres in units of the columns and each cluster's share of the rows. "
	"Time grows with n_init x iterations x rows x clusters x coordinates, memory is the coordinates of all rows in double precision. "
	"Missing numbers count as the mean; categories are one 0/1 coordinate for each. Distances are measured in the columns' own units unless scale is \"standard\".",
	.tasks = ML_TASK_CLUSTERING,
	.format = 1,
	.params = kmeans_params,
	.memory = kmeans_memory,
	.reads_sparse = true,
	.fit = kmeans_fit,
	.save = kmeans_save,
	.load = kmeans_load,
	.predict = kmeans_predict,
	.scratch_size = kmeans_scratch,
	.predict_batch = kmeans_predict_batch,
	.n_outputs = kmeans_outputs,
	.n_figures = 1,
	.report = kmeans_report,
	.n_coordinates = kmeans_coordinates_count,
	.coordinates = kmeans_coordinates,
	.predict_cost = kmeans_cost,
	.coefficients = kmeans_coefficients
};
