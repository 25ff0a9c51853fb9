/*-------------------------------------------------------------------------
 * pca.c
 *	  The methods "pca" and "truncated_svd": directions in which the rows differ most.
 *
 * Both are eigenvectors of one small matrix that a single pass over the rows adds up: of
 * the covariances (pca), of the products (truncated_svd).  Columns are scaled by powers
 * of two on the way (MlDesignScale), so nothing overflows and nothing is rounded.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/algo/cluster/projection.h"
#include "ml/algo/cluster/nearest.h"
#include "ml/algo/gram.h"
#include "ml/algo/linear_terms.h"
#include "ml/base/arena.h"
#include "ml/base/dense.h"

/* An eigenvalue below this share of the greatest one is rounding of zero. */
#define NO_VARIANCE 1e-14

enum
{
	PCA_N_COMPONENTS,
	PCA_WHITEN,
	PCA_SCALE,
	PCA_MAX_CATEGORIES
};

static const MlParam pca_params[] = {
	{.name = "n_components", .type = ML_PARAM_DOUBLE, .default_number = 0, .minimum = 0, .maximum = ML_DESIGN_MAX_COLUMNS,
		.aliases = "k|components|num_components",
	.description = "Number of components; below 1 the share of the variance that they shall explain; 0 keeps all."},
	{.name = "whiten", .type = ML_PARAM_BOOL, .default_number = 0,
	.description = "Whether each component is divided by its standard deviation, so that all have variance 1."},
	ML_SPACE_PARAM_SCALE("none", "Whether columns are divided by their standard deviation first (\"standard\": components of the correlations); \"none\" takes them as they are, as scikit-learn does."),
	ML_SPACE_PARAM_MAX_CATEGORIES,
	{NULL}
};

enum
{
	SVD_N_COMPONENTS,
	SVD_SCALE,
	SVD_MAX_CATEGORIES
};

static const MlParam svd_params[] = {
	{.name = "n_components", .type = ML_PARAM_INT, .default_number = 2, .minimum = 1, .maximum = ML_DESIGN_MAX_COLUMNS,
		.aliases = "k|components|num_components",
	.description = "Number of components."},
	ML_SPACE_PARAM_SCALE("none", "Whether columns are divided by their standard deviation first (\"standard\"); \"none\" takes them as they are, as scikit-learn does."),
	ML_SPACE_PARAM_MAX_CATEGORIES,
	{NULL}
};

/* Both methods, by what differs. */
typedef struct Wanted
{
	bool		centered;
	double		components;		/* as the parameter says */
	bool		given;			/* it does: too many of them are an error */
	bool		whiten;
	bool		standard;
	int			max_categories;
} Wanted;

static size_t
memory_of(const MlSchema *schema, int cap, size_t n, int threads)
{
	size_t		p = ml_space_bound(schema, cap);

	/* The eigenvectors take as much again as work space, and p x k loadings are kept thrice. */
	return ml_space_memory(schema, cap) + ml_gram_memory(n, p, 0, threads) + 7 * p * p * sizeof(double) +
		p * (sizeof(double) * 16 + 64) + 65536;
}

static size_t
pca_memory(const MlSchema *schema, const MlParams *params, size_t n, int threads)
{
	return memory_of(schema, (int) ml_param_int(params, PCA_MAX_CATEGORIES), n, threads);
}

static size_t
svd_memory(const MlSchema *schema, const MlParams *params, size_t n, int threads)
{
	return memory_of(schema, (int) ml_param_int(params, SVD_MAX_CATEGORIES), n, threads);
}

/*
 * The matrix to be decomposed, q x q in units of 2^(2 * exponent), from the Gram matrix of
 * the scaled columns: back to the units of the space, but for one common factor.
 */
static MlStatus
spread_matrix(MlEnv *env, const MlGram *gram, const MlSpace *space, bool centered, double **matrix, int *exponent)
{
	const MlDesignScale *s = gram->scale;
	size_t		q = (size_t) s->n;
	size_t		ld = gram->q;
	const double *total = gram->total;
	double	   *unit = ml_alloc(env, q, sizeof(double));
	double		weight = total[0];

	*matrix = ml_alloc(env, q * q, sizeof(double));
	if (unit == NULL || *matrix == NULL)
		return env->error.status;
	*exponent = -2000;
	for (size_t i = 0; i < q; i++)
	{
		int			e = 0;

		/* unit = 2^exponent of the column times the factor of the space, as a fraction first. */
		unit[i] = frexp(space->factor[s->column[i]], &e);
		e += s->exponent[i];
		*exponent = e > *exponent ? e : *exponent;
	}
	for (size_t i = 0; i < q; i++)
	{
		int			e;

		unit[i] = frexp(space->factor[s->column[i]], &e);
		unit[i] = ldexp(unit[i], e + s->exponent[i] - *exponent);
	}
	for (size_t j = 0; j < q; j++)
	{
		for (size_t i = 0; i < q; i++)
		{
			double		v = total[(j + 1) * ld + i + 1];

			/* The columns are centred already; what is left of their means is rounding. */
			if (centered)
				v -= total[i + 1] * (total[j + 1] / weight);
			(*matrix)[j * q + i] = v * unit[i] * unit[j];
		}
	}
	return ML_OK;
}

/* How many components the parameter means; w: eigenvalues, rising. */
static MlStatus
count_components(MlEnv *env, const Wanted *wanted, const double *w, size_t q, size_t rows, size_t *k)
{
	size_t		most = q < rows ? q : rows;
	double		total = 0;
	double		sum = 0;

	if (wanted->components == 0)
		*k = most;
	else if (wanted->components >= 1)
	{
		*k = (size_t) wanted->components;
		if (wanted->components != floor(wanted->components))
		{
			ml_fail(env, ML_BAD_PARAM, "parameter \"n_components\" is %g, neither a number of components nor a share", wanted->components);
			return ml_hint(env, "Give a whole number, or a share of the variance below 1.");
		}
		if (*k > most && !wanted->given)
			*k = most;
		if (*k > most)
		{
			ml_fail(env, ML_BAD_PARAM, "there are at most %zu components, not %zu", most, *k);
			return ml_detail(env, "%zu columns vary in %zu rows.", q, rows);
		}
	}
	else
	{
		for (size_t i = 0; i < q; i++)
			total += w[i] > 0 ? w[i] : 0;
		for (*k = 0; *k < most && !(sum > wanted->components * total); ++*k)
			sum += w[q - 1 - *k] > 0 ? w[q - 1 - *k] : 0;
	}
	return ML_OK;
}

/* The sign of a component is anybody's choice: its greatest loading is positive. */
static double
sign_of(const double *loading, size_t p)
{
	size_t		at = 0;

	for (size_t j = 1; j < p; j++)
	{
		if (fabs(loading[j]) > fabs(loading[at]))
			at = j;
	}
	return loading[at] < 0 ? -1 : 1;
}

/* Variances have n - 1 in the denominator, but n where nothing is centered: as in scikit-learn. */
static double
variance_factor(const MlProjection *m)
{
	double		rows = (double) m->space->design->n_rows;

	return m->centered ? rows / (rows - 1) : 1;
}

/* Loadings, and variances of the values, the mean taken off. */
static void
fill_component(MlProjection *m, const MlGram *gram, const double *vector, double eigenvalue,
			   int exponent, double rows, size_t c)
{
	const MlDesignScale *s = gram->scale;
	size_t		p = (size_t) m->space->p;
	double	   *loading = m->loading + c * p;
	double		weight = gram->total[0];
	double		mean = 0;

	memset(loading, 0, p * sizeof(double));
	for (int32_t i = 0; i < s->n; i++)
		loading[s->column[i]] = vector[i];
	if (sign_of(loading, p) < 0)
		for (size_t j = 0; j < p; j++)
			loading[j] = -loading[j];
	eigenvalue = eigenvalue > 0 ? eigenvalue : 0;
	for (size_t j = 0; j < p && !m->centered; j++)
		mean += loading[j] * ldexp(m->mean[j], -exponent);
	/* Weights count as many rows as there are. */
	m->singular[c] = ldexp(sqrt(eigenvalue * (rows / weight)), exponent);
	eigenvalue = eigenvalue / weight - mean * mean;
	m->variance[c] = ldexp((eigenvalue > 0 ? eigenvalue : 0) * variance_factor(m), 2 * exponent);
}

static MlStatus
allocate(MlEnv *env, MlProjection *m)
{
	size_t		p = (size_t) m->space->p;
	size_t		k = (size_t) m->k;

	m->loading = ml_alloc(env, k, p * sizeof(double));
	m->scale = ml_alloc(env, k, sizeof(double));
	m->variance = ml_alloc(env, k, sizeof(double));
	m->singular = ml_alloc(env, k, sizeof(double));
	if (m->loading == NULL || m->scale == NULL || m->variance == NULL || m->singular == NULL)
		return env->error.status;
	return ML_OK;
}

static MlStatus
fill(MlEnv *env, MlProjection *m, const Wanted *wanted, const MlGram *gram, const double *vectors, const double *w, int exponent)
{
	size_t		q = (size_t) gram->scale->n;
	double		rows = (double) m->space->design->n_rows;

	ML_TRY(allocate(env, m));
	for (size_t c = 0; c < (size_t) m->k; c++)
	{
		size_t		at = q - 1 - c;

		fill_component(m, gram, vectors + at * q, w[at], exponent, rows, c);
		m->scale[c] = 1;
		/* What does not vary stays 0 instead of growing beyond all bounds. */
		if (wanted->whiten)
			m->scale[c] = w[at] > NO_VARIANCE * w[q - 1] && m->variance[c] > 0 ? 1 / sqrt(m->variance[c]) : 0;
	}
	m->total_variance = 0;
	for (int32_t j = 0; j < m->space->p; j++)
	{
		double		deviation = m->space->design->columns[j].deviation * m->space->factor[j];

		m->total_variance += deviation * deviation * variance_factor(m);
	}
	return ml_projection_finish(env, m);
}

static MlStatus
fit(MlEnv *env, const MlDataset *data, const Wanted *wanted, void **model)
{
	MlProjection *m = ml_alloc0(env, 1, sizeof(MlProjection));
	MlDesignScale *scale;
	MlGram		gram = {.data = data};
	double	   *matrix;
	double	   *w;
	int			exponent = 0;
	size_t		k;

	if (m == NULL)
		return env->error.status;
	ML_TRY(ml_linear_begin(env, data->n_train));
	ML_TRY(ml_space_fit(env, data, wanted->max_categories, wanted->standard ? ML_SPACE_SCALE_ALL : ML_SPACE_AS_IS, &m->space));
	ML_TRY(ml_design_scale(env, m->space->design, wanted->centered, &scale));
	if (scale->n == 0)
		return ml_fail(env, ML_BAD_DATA, "no column varies");
	gram.design = m->space->design;
	gram.scale = scale;
	ML_TRY(ml_gram_scan(env, &gram));
	ML_TRY(spread_matrix(env, &gram, m->space, wanted->centered, &matrix, &exponent));
	w = ml_alloc(env, (size_t) scale->n, sizeof(double));
	m->mean = ml_alloc(env, (size_t) m->space->p, sizeof(double));
	if (w == NULL || m->mean == NULL)
		return env->error.status;
	if (ml_canceled(env))
		return ml_fail(env, ML_CANCELED, "canceled");
	if (env->dense->eigen((size_t) scale->n, matrix, w) != 0)
		return ml_fail(env, ML_OUT_OF_RANGE, "the components of the columns cannot be computed");
	m->centered = wanted->centered;
	for (int32_t j = 0; j < m->space->p; j++)
		m->mean[j] = m->space->design->columns[j].mean * m->space->factor[j];
	ML_TRY(count_components(env, wanted, w, (size_t) scale->n, m->space->design->n_rows, &k));
	m->k = (int32_t) k;
	ML_TRY(fill(env, m, wanted, &gram, matrix, w, exponent));
	*model = m;
	return ML_OK;
}

static MlStatus
pca_fit(MlEnv *env, const MlDataset *data, const MlParams *params, void **model)
{
	Wanted		wanted = {
		.centered = true,
		.components = ml_param_double(params, PCA_N_COMPONENTS),
		.given = true,
		.whiten = ml_param_bool(params, PCA_WHITEN),
		.standard = ml_param_int(params, PCA_SCALE) == 1,
		.max_categories = (int) ml_param_int(params, PCA_MAX_CATEGORIES)
	};

	return fit(env, data, &wanted, model);
}

static MlStatus
svd_fit(MlEnv *env, const MlDataset *data, const MlParams *params, void **model)
{
	Wanted		wanted = {
		.centered = false,
		.components = (double) ml_param_int(params, SVD_N_COMPONENTS),
		.given = params->given[SVD_N_COMPONENTS],
		.standard = ml_param_int(params, SVD_SCALE) == 1,
		.max_categories = (int) ml_param_int(params, SVD_MAX_CATEGORIES)
	};

	return fit(env, data, &wanted, model);
}

#define PROJECTION_METHOD \
	.tasks = ML_TASK_REDUCTION, \
	.format = 1, \
	.needs_dense = true, \
	.reads_sparse = true, \
	.save = ml_projection_save, \
	.load = ml_projection_load, \
	.predict = ml_projection_predict, \
	.scratch_size = ml_projection_scratch, \
	.predict_batch = ml_projection_predict_batch, \
	.n_outputs = ml_projection_outputs, \
	.n_figures = ML_PROJECTION_FIGURES, \
	.report = ml_projection_report, \
	.predict_cost = ml_projection_cost, \
	.coefficients = ml_projection_coefficients

const MlMethod ml_method_pca = {
	.name = "pca",
	.summary = "principal components: the directions in which the rows vary most",
	.description = "Eigenvectors of the covariance matrix (Pearson 1901, Hotelling 1933), which one pass over the rows adds up from centred columns. "
	"ml_reduce gives a row's components, ml_coefficients their loadings, variances and shares of the variance (with n - 1, as scikit-learn's PCA). "
	"The sign of a component is the one that makes its greatest loading positive. Time grows with rows x columns^2 + columns^3, memory with columns^2. "
	"Missing numbers count as the mean; categories are one 0/1 column for each. Columns keep their own units unless scale is \"standard\".",
	.params = pca_params,
	.memory = pca_memory,
	.fit = pca_fit,
	PROJECTION_METHOD
};

const MlMethod ml_method_truncated_svd = {
	.name = "truncated_svd",
	.summary = "singular vectors: the directions in which the rows are longest, seen from the origin",
	.description = "The first right singular vectors of the matrix of rows (Eckart, Young 1936), not centred, as scikit-learn's TruncatedSVD; "
	"from the matrix of products of the columns, which one pass over the rows adds up. ml_reduce gives a row's values, ml_coefficients the loadings, "
	"singular values and shares of the variance. The sign of a component is the one that makes its greatest loading positive. "
	"Time grows with rows x columns^2 + columns^3, memory with columns^2. Missing numbers count as the mean; categories are one 0/1 column for each.",
	.params = svd_params,
	.memory = svd_memory,
	.fit = svd_fit,
	PROJECTION_METHOD
};
