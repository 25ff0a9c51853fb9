/*-------------------------------------------------------------------------
 * dbscan.c
 *	  The method "dbscan": clusters are where rows are dense, of any shape.
 *
 * The model is the dense rows with their clusters, in the order of a tree; a row belongs to the
 * cluster of the nearest one within eps.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/algo/cluster/dbscan_fit.h"
#include "ml/base/arena.h"

enum
{
	PARAM_EPS,
	PARAM_MIN_SAMPLES,
	PARAM_SCALE,
	PARAM_MAX_CATEGORIES
};

static const MlParam dbscan_params[] = {
	{.name = "eps", .type = ML_PARAM_DOUBLE, .default_number = 0.5, .minimum = 0, .maximum = INFINITY, .open_minimum = true, .open_maximum = true,
		.aliases = "epsilon|radius",
	.description = "Rows at most so far apart are neighbours (Euclidean distance)."},
	{.name = "min_samples", .type = ML_PARAM_INT, .default_number = 5, .minimum = 1, .maximum = 1000000,
		.aliases = "min_points|min_pts|minpts",
	.description = "A row with so many neighbours, itself among them, is dense; with a weight column, neighbours of so much weight."},
	ML_SPACE_PARAM_SCALE("none", "Whether numbers are divided by their standard deviation first (\"standard\"), so that eps is in standard deviations; a category's coordinates are 0 and 1 either way; \"none\" measures them as they are, as scikit-learn does."),
	ML_SPACE_PARAM_MAX_CATEGORIES,
	{NULL}
};

typedef struct DbscanModel
{
	MlSpace    *space;
	double		eps;
	int32_t		k;
	double	   *share;			/* k */
	MlKdTree	tree;			/* of the dense rows */
	int32_t    *label;			/* n */
} DbscanModel;

static size_t
dbscan_memory(const MlSchema *schema, const MlParams *params, size_t n, int threads)
{
	int			cap = (int) ml_param_int(params, PARAM_MAX_CATEGORIES);
	size_t		p = ml_space_bound(schema, cap);
	size_t		total = ml_space_memory(schema, cap);

	if (!ml_add_size(total, ml_points_memory(n, p, threads), &total) ||
		!ml_add_size(total, ml_dbscan_memory(n, p), &total) || !ml_add_size(total, ml_kd_memory(n, p), &total))
		return SIZE_MAX;
	return total;
}

/* The tree over dense rows that stand in tree order (n x p by rows). */
static MlStatus
plant(MlEnv *env, DbscanModel *m, const double *core, size_t n)
{
	size_t		p = (size_t) m->space->p;
	size_t		rows = (n + ML_LANES - 1) / ML_LANES * ML_LANES;

	m->tree.n = n;
	m->tree.p = p;
	m->tree.value = ml_alloc(env, ml_kd_values(n, p) + 1, sizeof(double));
	if (m->tree.value == NULL)
		return env->error.status;
	for (size_t i = 0; i < rows; i++)
		for (size_t j = 0; j < p; j++)
			m->tree.value[(i / ML_LANES * p + j) * ML_LANES + i % ML_LANES] = i < n ? core[i * p + j] : NAN;
	return ml_kd_finish(env, &m->tree);
}

static MlStatus
dbscan_fit(MlEnv *env, const MlDataset *data, const MlParams *params, void **model)
{
	DbscanModel *m = ml_alloc0(env, 1, sizeof(DbscanModel));
	MlDbscanSpec spec = {.eps = ml_param_double(params, PARAM_EPS), .min_weight = (double) ml_param_int(params, PARAM_MIN_SAMPLES)};
	MlDbscanResult result;
	MlPoints   *points;

	if (m == NULL)
		return env->error.status;
	ML_TRY(ml_space_fit(env, data, (int) ml_param_int(params, PARAM_MAX_CATEGORIES),
						ml_param_int(params, PARAM_SCALE) == 1 ? ML_SPACE_SCALE_NUMBERS : ML_SPACE_AS_IS, &m->space));
	ML_TRY(ml_points_read(env, m->space, data, &points));
	if (data->weight != NULL)
		spec.min_weight *= m->space->design->weight_factor; /* the units of the points' weights */
	ML_TRY(ml_dbscan_fit(env, points, &spec, &result));
	if (result.n_clusters == 0)
		ml_warn(env, "no row has %g neighbours within eps = %g: every row is noise", (double) ml_param_int(params, PARAM_MIN_SAMPLES), spec.eps);
	ml_release(env, points->value);
	ml_release(env, points->weight);
	m->eps = spec.eps;
	m->k = result.n_clusters;
	m->share = result.share;
	m->label = result.label;
	*model = m;
	return plant(env, m, result.core, result.n_core);
}

static void
dbscan_save(const void *model, MlWriter *w)
{
	const DbscanModel *m = model;
	const MlKdTree *t = &m->tree;

	ml_space_save(m->space, w);
	ml_put_double(w, m->eps);
	ml_put_i32(w, m->k);
	ml_put_doubles(w, m->share, (size_t) m->k);
	ml_put_u32(w, (uint32_t) t->n);
	for (size_t i = 0; i < t->n; i++)
	{
		ml_put_i32(w, m->label[i]);
		for (size_t j = 0; j < t->p; j++)
			ml_put_double(w, t->value[(i / ML_LANES * t->p + j) * ML_LANES + i % ML_LANES]);
	}
}

static MlStatus
load_cores(MlReader *r, DbscanModel *m)
{
	size_t		p = (size_t) m->space->p;
	uint32_t	n = ml_get_count(r, sizeof(int32_t) + p * sizeof(double));
	double	   *core;

	ML_TRY(r->status);
	core = ml_alloc(r->env, (size_t) n + 1, p * sizeof(double));
	m->label = ml_alloc(r->env, (size_t) n + 1, sizeof(int32_t));
	if (core == NULL || m->label == NULL)
		return r->status = r->env->error.status;
	for (uint32_t i = 0; i < n; i++)
	{
		m->label[i] = ml_get_i32(r);
		if (r->status == ML_OK && (m->label[i] < 0 || m->label[i] >= m->k))
			return ml_reader_corrupt(r, "a cluster is not possible");
		for (size_t j = 0; j < p; j++)
			core[(size_t) i * p + j] = ml_get_finite(r);
		ML_TRY(r->status);
	}
	r->status = plant(r->env, m, core, n);
	ml_release(r->env, core);
	return r->status;
}

static MlStatus
dbscan_load(MlReader *r, const MlSchema *schema, void **model)
{
	DbscanModel *m = ml_alloc0(r->env, 1, sizeof(DbscanModel));
	uint32_t	k;

	if (m == NULL)
		return r->status = r->env->error.status;
	ML_TRY(ml_space_load(r, schema, &m->space));
	m->eps = ml_get_finite(r);
	k = ml_get_count(r, sizeof(double));
	ML_TRY(r->status);
	if (!(m->eps > 0) || k > INT32_MAX)
		return ml_reader_corrupt(r, "its radius or number of clusters is not possible");
	m->k = (int32_t) k;
	m->share = ml_get_doubles(r, k);
	ML_TRY(r->status);
	*model = m;
	return load_cores(r, m);
}

static int
dbscan_outputs(const void *model)
{
	(void) model;
	return 1;
}

static size_t
dbscan_scratch(const void *model)
{
	return ((size_t) ((const DbscanModel *) model)->space->p + 1) * sizeof(double);
}

/* The cluster of the nearest dense row within eps, the first cluster of equals; -1: noise. */
static int32_t
nearest_cluster(const DbscanModel *m, const double *z)
{
	const MlKdTree *t = &m->tree;
	uint32_t	stack[ML_KD_DEPTH];
	int			depth = 0;
	double		best = m->eps * m->eps;
	int32_t		label = -1;

	if (t->n_nodes > 0)
		stack[depth++] = 0;
	while (depth > 0)
	{
		uint32_t	at = stack[--depth];
		const MlKdNode *node = &t->node[at];

		/* NaN, of numbers beyond all bounds, is near nothing. */
		if (!(ml_kd_least(t, at, z) <= best))
			continue;
		if (node->right != 0)
		{
			bool		left_first = ml_kd_least(t, at + 1, z) <= ml_kd_least(t, node->right, z);

			stack[depth++] = left_first ? node->right : at + 1;
			stack[depth++] = left_first ? at + 1 : node->right;
			continue;
		}
		for (size_t g = node->first; g < node->last; g++)
		{
			double		squared[ML_LANES];

			ml_kd_distances(t, g, z, squared);
			for (size_t l = 0; l < ML_LANES && g * ML_LANES + l < t->n; l++)
			{
				int32_t		own = m->label[g * ML_LANES + l];

				if (squared[l] < best || (squared[l] == best && (label < 0 || own < label)))
				{
					best = squared[l];
					label = own;
				}
			}
		}
	}
	return label;
}

static void
dbscan_predict(const void *model, const double *x, double *out, void *scratch)
{
	const DbscanModel *m = model;

	ml_space_row(m->space, x, scratch);
	out[0] = nearest_cluster(m, scratch);
	out[1] = out[0] < 0;
}

static void
dbscan_report(const void *model, double rows, const double *sums, MlReport *report)
{
	(void) model;
	ml_report_put(report, ML_METRIC_NOISE, sums[0] / rows);
}

static int
dbscan_coordinates_count(const void *model)
{
	return ((const DbscanModel *) model)->space->p;
}

static void
dbscan_coordinates(const void *model, const double *x, double *out)
{
	ml_space_row(((const DbscanModel *) model)->space, x, out);
}

/* A walk down the tree, a few leaves, more of them the more coordinates there are. */
static double
dbscan_cost(const void *model)
{
	const DbscanModel *m = model;
	double		p = m->space->p;
	double		nodes = (double) m->tree.n_nodes;
	double		visited = p < 12 ? 4 * p * log2(nodes + 2) : 40 * p;

	visited = visited < nodes ? visited : nodes;
	return 50 + 3 * p + visited * p * 3;
}

/* The share of each cluster; it has no centre. */
static MlStatus
dbscan_coefficients(MlEnv *env, const void *model, const MlSchema *schema, MlCoefficient **rows, size_t *count)
{
	const DbscanModel *m = model;
	MlCoefficient *c = ml_alloc(env, (size_t) m->k + 1, sizeof(MlCoefficient));
	double		noise = 1;

	(void) schema;
	if (c == NULL)
		return env->error.status;
	*rows = c;
	*count = (size_t) m->k + 1;
	for (int32_t k = 0; k < m->k; k++)
	{
		c[k] = (MlCoefficient) {ml_printf(env, "%d", k), "(share)", m->share[k], NAN, NAN, NAN};
		noise -= m->share[k];
	}
	c[m->k] = (MlCoefficient) {"noise", "(share)", noise > 1e-15 ? noise : 0, NAN, NAN, NAN};
	return env->error.status;
}

const MlMethod ml_method_dbscan = {
	.name = "dbscan",
	.summary = "density-based clusters of any shape, and noise",
	.description = "DBSCAN (Ester, Kriegel, Sander, Xu 1996): rows with min_samples neighbours within eps are dense, dense neighbours belong together. "
	"Clusters are numbered in the order of their first dense rows, as in scikit-learn. The model keeps the dense rows: ml_predict gives a row the cluster of the "
	"nearest one within eps, or -1, ml_predict_class \"noise\". A row on the border of two clusters gets the nearer one. "
	"Neighbours are found with a tree of boxes: time grows with rows x log(rows) in few coordinates, with rows^2 in many; memory is the coordinates of all rows four times over. "
	"Missing numbers count as the mean; categories are one 0/1 coordinate for each. Distances are measured in the columns' own units unless scale is \"standard\".",
	.tasks = ML_TASK_CLUSTERING,
	.reads_sparse = true,
	.format = 1,
	.params = dbscan_params,
	.memory = dbscan_memory,
	.fit = dbscan_fit,
	.save = dbscan_save,
	.load = dbscan_load,
	.predict = dbscan_predict,
	.scratch_size = dbscan_scratch,
	.n_outputs = dbscan_outputs,
	.n_figures = 1,
	.report = dbscan_report,
	.n_coordinates = dbscan_coordinates_count,
	.coordinates = dbscan_coordinates,
	.predict_cost = dbscan_cost,
	.coefficients = dbscan_coefficients
};
