/*-------------------------------------------------------------------------
 * gmm.c
 *	  The method "gmm": a mixture of Gaussians, with memberships.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/algo/cluster/gmm_fit.h"
#include "ml/base/arena.h"
#include "ml/base/elementary.h"

enum
{
	PARAM_N_COMPONENTS,
	PARAM_COVARIANCE_TYPE,
	PARAM_REG_COVAR,
	PARAM_TOL,
	PARAM_MAX_ITER,
	PARAM_N_INIT,
	PARAM_INIT,
	PARAM_SCALE,
	PARAM_MAX_CATEGORIES
};

static const MlParam gmm_params[] = {
	{.name = "n_components", .type = ML_PARAM_INT, .default_number = 1, .minimum = 1, .maximum = ML_GMM_MAX_COMPONENTS,
		.aliases = "k|n_clusters|components|clusters",
	.description = "Number of Gaussians."},
	{.name = "covariance_type", .type = ML_PARAM_CHOICE, .default_choice = "full", .choices = "full|tied|diag|spherical",
	.description = "\"full\": each component has a covariance matrix of its own; \"tied\": all share one; \"diag\": variances of the coordinates only; \"spherical\": one variance."},
	{.name = "reg_covar", .type = ML_PARAM_DOUBLE, .default_number = 1e-6, .minimum = 0, .maximum = INFINITY, .open_maximum = true,
	.description = "Added to each variance, so that a component cannot collapse."},
	{.name = "tol", .type = ML_PARAM_DOUBLE, .default_number = 1e-3, .minimum = 0, .maximum = INFINITY, .open_maximum = true,
		.aliases = "tolerance",
	.description = "A run ends when the mean log-likelihood of a row changes by less."},
	{.name = "max_iter", .type = ML_PARAM_INT, .default_number = 100, .minimum = 1, .maximum = 10000,
		.aliases = "max_iterations|num_iterations|iterations",
	.description = "Most iterations of one run."},
	{.name = "n_init", .type = ML_PARAM_INT, .default_number = 1, .minimum = 1, .maximum = 100,
		.aliases = "num_init|restarts",
	.description = "Runs from different beginnings; the one with the greatest likelihood is kept."},
	{.name = "init_params", .type = ML_PARAM_CHOICE, .default_choice = "kmeans", .choices = "kmeans|random",
		.aliases = "init",
	.description = "How a run begins: with the clusters of k-means, or with those around rows taken at random."},
	ML_SPACE_PARAM_SCALE("none", "Whether coordinates are divided by their standard deviation first (\"standard\"), which matters for reg_covar and for \"spherical\"; \"none\" takes them as they are, as scikit-learn does."),
	ML_SPACE_PARAM_MAX_CATEGORIES,
	{NULL}
};

typedef struct GmmModel
{
	MlSpace    *space;
	MlGaussians g;
} GmmModel;

static MlGmmSpec
spec_of(const MlParams *params)
{
	return (MlGmmSpec)
	{
		.kind = (MlCovariance) ml_param_int(params, PARAM_COVARIANCE_TYPE),
		.k = (int32_t) ml_param_int(params, PARAM_N_COMPONENTS),
		.n_init = (int) ml_param_int(params, PARAM_N_INIT),
		.max_iter = (int) ml_param_int(params, PARAM_MAX_ITER),
		.tol = ml_param_double(params, PARAM_TOL),
		.reg_covar = ml_param_double(params, PARAM_REG_COVAR),
		.kmeans = ml_param_int(params, PARAM_INIT) == 0
	};
}

static size_t
gmm_memory(const MlSchema *schema, const MlParams *params, size_t n, int threads)
{
	int			cap = (int) ml_param_int(params, PARAM_MAX_CATEGORIES);
	size_t		p = ml_space_bound(schema, cap);
	size_t		total = ml_space_memory(schema, cap);
	MlGmmSpec	spec = spec_of(params);

	if (!ml_add_size(total, ml_points_memory(n, p, threads), &total) ||
		!ml_add_size(total, ml_gmm_memory(n, p, &spec, threads), &total))
		return SIZE_MAX;
	return total;
}

static MlStatus
gmm_fit(MlEnv *env, const MlDataset *data, const MlParams *params, void **model)
{
	GmmModel   *m = ml_alloc0(env, 1, sizeof(GmmModel));
	MlGmmSpec	spec = spec_of(params);
	MlGmmResult result;
	MlPoints   *points;
	double		variance = 0;

	if (m == NULL)
		return env->error.status;
	ML_TRY(ml_space_fit(env, data, (int) ml_param_int(params, PARAM_MAX_CATEGORIES),
						ml_param_int(params, PARAM_SCALE) == 1 ? ML_SPACE_SCALE_ALL : ML_SPACE_AS_IS, &m->space));
	ML_TRY(ml_points_read(env, m->space, data, &points));
	for (int32_t j = 0; j < m->space->p; j++)
	{
		double		deviation = m->space->design->columns[j].deviation * m->space->factor[j];

		variance += deviation * deviation;
	}
	spec.kmeans_tol = 1e-4 * variance / m->space->p;
	ML_TRY(ml_gmm_fit(env, points, &spec, &result));
	m->g = result.mixture;
	ml_release(env, points->value);
	ml_release(env, points->weight);
	*model = m;
	return ML_OK;
}

static void
gmm_save(const void *model, MlWriter *w)
{
	const GmmModel *m = model;

	ml_space_save(m->space, w);
	ml_put_u8(w, (uint8_t) m->g.kind);
	ml_put_u32(w, (uint32_t) m->g.k);
	ml_put_doubles(w, m->g.weight, m->g.k);
	ml_put_doubles(w, m->g.mean, m->g.k * m->g.p);
	ml_put_doubles(w, m->g.factor, ml_gaussians_factors(m->g.kind, m->g.k, m->g.p));
}

/* Variances are positive, so are the diagonals of their factors and the weights. */
static bool
is_proper(const MlGaussians *g)
{
	size_t		triangle = g->p * (g->p + 1) / 2;
	size_t		matrices = g->kind == ML_COVARIANCE_FULL ? g->k : 1;

	for (size_t c = 0; c < g->k; c++)
	{
		if (!(g->weight[c] > 0))
			return false;
	}
	if (g->kind == ML_COVARIANCE_DIAG || g->kind == ML_COVARIANCE_SPHERICAL)
	{
		for (size_t i = 0; i < ml_gaussians_factors(g->kind, g->k, g->p); i++)
		{
			if (!(g->factor[i] > 0))
				return false;
		}
		return true;
	}
	for (size_t c = 0; c < matrices; c++)
	{
		for (size_t j = 0; j < g->p; j++)
		{
			if (!(g->factor[c * triangle + j * (j + 1) / 2 + j] > 0))
				return false;
		}
	}
	return true;
}

static MlStatus
gmm_load(MlReader *r, const MlSchema *schema, void **model)
{
	GmmModel   *m = ml_alloc0(r->env, 1, sizeof(GmmModel));
	uint8_t		kind;
	uint32_t	k;

	if (m == NULL)
		return r->status = r->env->error.status;
	ML_TRY(ml_space_load(r, schema, &m->space));
	kind = ml_get_u8(r);
	k = ml_get_count(r, ((size_t) m->space->p + 1) * sizeof(double));
	ML_TRY(r->status);
	if (kind > ML_COVARIANCE_SPHERICAL || k < 1 || k > ML_GMM_MAX_COMPONENTS)
		return ml_reader_corrupt(r, "a number of components is not possible");
	m->g = (MlGaussians) {.kind = (MlCovariance) kind, .k = k, .p = (size_t) m->space->p};
	m->g.weight = ml_get_doubles(r, k);
	m->g.mean = ml_get_doubles(r, k * m->g.p);
	m->g.factor = ml_get_doubles(r, ml_gaussians_factors(m->g.kind, k, m->g.p));
	ML_TRY(r->status);
	if (!is_proper(&m->g))
		return ml_reader_corrupt(r, "a variance or a weight is not positive");
	m->g.constant = ml_alloc(r->env, k, sizeof(double));
	if (m->g.constant == NULL)
		return r->status = r->env->error.status;
	ml_gaussians_constants(&m->g);
	*model = m;
	return ML_OK;
}

static int
gmm_outputs(const void *model)
{
	return 1 + (int) ((const GmmModel *) model)->g.k;
}

/* Coordinates of ML_BATCH_ROWS rows, memberships of a group, and what densities need. */
static size_t
gmm_scratch(const void *model)
{
	const GmmModel *m = model;

	return (m->g.p * ML_BATCH_ROWS + m->g.k * ML_LANES + ml_gaussians_scratch(m->g.k, m->g.p)) * sizeof(double);
}

/* The answer for row l of a group. */
static void
put_row(const MlGaussians *g, const double *membership, int l, double density, double *out)
{
	size_t		winner = 0;

	for (size_t c = 0; c < g->k; c++)
	{
		out[1 + c] = membership[c * ML_LANES + (size_t) l];
		if (out[1 + c] > out[1 + winner])
			winner = c;
	}
	out[0] = (double) winner;
	out[1 + g->k] = density;
}

static void
gmm_predict(const void *model, const double *x, double *out, void *scratch)
{
	const GmmModel *m = model;
	double	   *z = scratch;
	double	   *value = z + m->g.p;
	double	   *membership = z + m->g.p * ML_BATCH_ROWS;
	double		density[ML_LANES];

	ml_space_row(m->space, x, z);
	for (size_t j = 0; j < m->g.p; j++)
		for (int l = 0; l < ML_LANES; l++)
			value[j * ML_LANES + (size_t) l] = z[j];
	ml_gaussians_group(&m->g, value, ML_LANES, membership, density, membership + m->g.k * ML_LANES);
	put_row(&m->g, membership, 0, density[0], out);
}

static bool
gmm_predict_batch(const void *model, const double *x, size_t n, double *out, void *scratch)
{
	const GmmModel *m = model;
	double	   *z = scratch;
	double	   *membership = z + m->g.p * ML_BATCH_ROWS;
	double		density[ML_LANES];

	/* Rows beyond n: whatever stands there is computed with and not looked at. */
	ml_space_block(m->space, x, ML_BATCH_ROWS, z);
	for (size_t i = 0; i < n; i += ML_LANES)
	{
		ml_gaussians_group(&m->g, z + i, ML_BATCH_ROWS, membership, density, membership + m->g.k * ML_LANES);
		for (size_t l = 0; l < ML_LANES && i + l < n; l++)
			put_row(&m->g, membership, (int) l, density[l], out + (i + l) * (m->g.k + 2));
	}
	return true;
}

static void
gmm_report(const void *model, double rows, const double *sums, MlReport *report)
{
	const GmmModel *m = model;
	double		parameters = ml_gaussians_parameters(m->g.kind, m->g.k, m->g.p);

	ml_report_put(report, ML_METRIC_LOG_LIKELIHOOD, sums[0] / rows);
	ml_report_put(report, ML_METRIC_BIC, parameters * log(rows) - 2 * sums[0]);
	ml_report_put(report, ML_METRIC_AIC, 2 * parameters - 2 * sums[0]);
}

static int
gmm_coordinates_count(const void *model)
{
	return ((const GmmModel *) model)->space->p;
}

static void
gmm_coordinates(const void *model, const double *x, double *out)
{
	ml_space_row(((const GmmModel *) model)->space, x, out);
}

static double
gmm_cost(const void *model)
{
	const GmmModel *m = model;
	double		p = (double) m->g.p;
	double		each = m->g.kind == ML_COVARIANCE_FULL || m->g.kind == ML_COVARIANCE_TIED ? p * (p + 1) / 2 : p;

	return 100 + 4 * p + (double) m->g.k * (20 + 1.5 * each);
}

static MlStatus
gmm_coefficients(MlEnv *env, const void *model, const MlSchema *schema, MlCoefficient **rows, size_t *count)
{
	const GmmModel *m = model;

	return ml_space_centers(env, m->space, schema, m->g.k, m->g.weight, m->g.mean, rows, count);
}

const MlMethod ml_method_gmm = {
	.name = "gmm",
	.summary = "mixture of Gaussians: clusters with a shape, and probabilities of belonging to each",
	.description = "Expectation maximisation (Dempster, Laird, Rubin 1977) from the clusters of k-means, with the covariances, the regularisation and the tolerance of "
	"scikit-learn's GaussianMixture. ml_predict gives the most probable component, ml_predict_proba and ml_predict_probs the probabilities, "
	"ml_coefficients the means and weights; the report has the log-likelihood, BIC and AIC. Components are numbered in the order of falling weight. "
	"Time grows with iterations x rows x components x coordinates (for full and tied: x coordinates once more), memory is the coordinates of all rows in double precision. "
	"Missing numbers count as the mean; categories are one 0/1 coordinate for each.",
	.tasks = ML_TASK_CLUSTERING,
	.reads_sparse = true,
	.format = 1,
	.params = gmm_params,
	.memory = gmm_memory,
	.fit = gmm_fit,
	.save = gmm_save,
	.load = gmm_load,
	.predict = gmm_predict,
	.scratch_size = gmm_scratch,
	.predict_batch = gmm_predict_batch,
	.n_outputs = gmm_outputs,
	.n_figures = 1,
	.report = gmm_report,
	.n_coordinates = gmm_coordinates_count,
	.coordinates = gmm_coordinates,
	.predict_cost = gmm_cost,
	.coefficients = gmm_coefficients
};
