/*-------------------------------------------------------------------------
 * bayesian_linear.c
 *	  Bayesian linear regression: conjugate posterior, or precisions by the evidence.
 *
 * With A^-1 G A^-1 = V diag(e) V' every quantity is a sum over eigenvalues.  "P" below are coefficients as the
 * prior measures them, P_j = a_j v_j 2^(y_exponent - unit): of standardised columns, or in the units of the data.
 * The constant has a flat prior; columns are centred, so that it is independent of the others.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <string.h>

#include "ml/algo/gram.h"
#include "ml/algo/linear_model.h"
#include "ml/algo/linear_terms.h"
#include "ml/base/arena.h"
#include "ml/base/dense.h"

enum
{
	PARAM_PRIOR,
	PARAM_PRIOR_PRECISION,
	PARAM_PRIOR_SHAPE,
	PARAM_PRIOR_SCALE,
	PARAM_STANDARDIZE,
	PARAM_FIT_INTERCEPT,
	PARAM_TOL,
	PARAM_MAX_ITER,
	PARAM_MAX_CATEGORIES
};

enum
{
	PRIOR_CONJUGATE,
	PRIOR_EVIDENCE
};

/* Shape and rate of the priors of both precisions under the evidence: scikit-learn's alpha_1 ... lambda_2. */
#define HYPER 1e-6

static const MlParam bayes_params[] = {
	{.name = "prior", .type = ML_PARAM_CHOICE, .default_choice = "conjugate", .choices = "conjugate|evidence",
		.aliases = "method",
	.description = "conjugate: a normal-inverse-gamma prior with the numbers below, and its exact posterior; evidence: both precisions by maximising the evidence (scikit-learn's BayesianRidge)."},
	{.name = "prior_precision", .type = ML_PARAM_DOUBLE, .default_number = 1e-3, .minimum = 0, .open_minimum = true, .maximum = INFINITY, .open_maximum = true,
		.aliases = "lambda|lambda_0",
	.description = "Conjugate prior: coefficients are normal around 0 with the variance of the residuals divided by this."},
	{.name = "prior_shape", .type = ML_PARAM_DOUBLE, .default_number = 1e-3, .minimum = 0, .open_minimum = true, .maximum = INFINITY, .open_maximum = true,
		.aliases = "a_0",
	.description = "Conjugate prior: shape of the inverse gamma distribution of the residual variance; half the rows it is worth."},
	{.name = "prior_scale", .type = ML_PARAM_DOUBLE, .default_number = 1e-3, .minimum = 0, .open_minimum = true, .maximum = INFINITY, .open_maximum = true,
		.aliases = "b_0",
	.description = "Conjugate prior: scale of that distribution, in squared units of the target."},
	{.name = "standardize", .type = ML_PARAM_BOOL, .default_number = 1,
		.aliases = "normalize",
	.description = "Whether the prior is of coefficients of columns divided by their standard deviations, or in the units of the data (false, as scikit-learn); coefficients are reported in the units of the data either way."},
	{.name = "fit_intercept", .type = ML_PARAM_BOOL, .default_number = 1,
		.aliases = "intercept|use_intercept",
	.description = "Whether a constant is added to the equation; its prior is flat."},
	{.name = "tol", .type = ML_PARAM_DOUBLE, .default_number = 1e-8, .minimum = 0, .open_minimum = true, .maximum = 1,
		.aliases = "tolerance",
	.description = "Evidence: ends when both precisions change by less than this share."},
	{.name = "max_iter", .type = ML_PARAM_INT, .default_number = 1000, .minimum = 1, .maximum = 1000000,
		.aliases = "n_iter|max_iterations|iterations",
	.description = "Evidence: at most so many rounds."},
	{.name = "max_categories", .type = ML_PARAM_INT, .default_number = ML_DESIGN_MAX_CATEGORIES, .minimum = 1, .maximum = ML_DESIGN_MAX_COLUMNS,
		.aliases = "max_levels",
	.description = "At most so many categories of a column keep a coefficient of their own; the rarest share one, (other)."},
	{NULL}
};

typedef struct Posterior
{
	MlEnv	   *env;
	const MlDataset *data;
	const MlParams *params;
	MlLinearModel *model;
	MlDesignScale *scale;
	MlGram		gram;
	MlNormal	normal;
	bool		intercept;
	int			y_exponent;
	int			unit;
	size_t		p;
	double		rows;
	double	   *a;				/* p: units of the prior */
	double	   *vectors;		/* p x p */
	double	   *e;				/* p: eigenvalues, in the units of P */
	double	   *t;				/* p: V' c, in the units of P */
	double		yy;				/* y'y in the units of the data */

	double	   *shrink;			/* p: P = V diag(shrink) t */
	double	   *spread;			/* p: variance of P = V diag(spread) V' */
	double		constant_variance;	/* of the constant at the means */
	int			iterations;
	bool		converged;
} Posterior;

static size_t
bayes_memory(const MlSchema *schema, const MlParams *params, size_t n, int threads)
{
	int			cap = (int) ml_param_int(params, PARAM_MAX_CATEGORIES);
	size_t		p = ml_design_bound(schema, cap);

	if (p > ML_DESIGN_MAX_COLUMNS)
		p = ML_DESIGN_MAX_COLUMNS;
	return ml_gram_memory(n, p, 0, threads) + ml_design_memory(schema, cap) + (4 * p * p + 32 * p + 4096) * sizeof(double);
}

/* What the prior measures; see penalized_linear.c, which penalises the same. */
static void
set_units(Posterior *b)
{
	bool		standardize = ml_param_bool(b->params, PARAM_STANDARDIZE);
	int			largest = 0;

	for (size_t j = 0; j < b->p; j++)
		largest = j == 0 || b->scale->exponent[j] > largest ? b->scale->exponent[j] : largest;
	b->unit = standardize ? 0 : largest;
	for (size_t j = 0; j < b->p; j++)
	{
		int			e = largest - b->scale->exponent[j] < 250 ? largest - b->scale->exponent[j] : 250;

		b->a[j] = !standardize ? ldexp(1, e) : b->normal.deviation[j] > 0 ? b->normal.deviation[j] : 1;
	}
}

static MlStatus
decompose(Posterior *b)
{
	MlEnv	   *env = b->env;
	const MlNormal *n = &b->normal;
	size_t		p = b->p = n->p;
	double		weight = b->data->weight == NULL ? 1 : ldexp(1, b->model->design->weight_exponent);
	double	   *c = ml_alloc0(env, p, sizeof(double));
	int			info;

	b->a = ml_alloc0(env, p, sizeof(double));
	b->vectors = ml_alloc0(env, p * p, sizeof(double));
	b->e = ml_alloc0(env, p, sizeof(double));
	b->t = ml_alloc0(env, p, sizeof(double));
	b->shrink = ml_alloc0(env, p, sizeof(double));
	b->spread = ml_alloc0(env, p, sizeof(double));
	if (c == NULL || b->a == NULL || b->vectors == NULL || b->e == NULL || b->t == NULL || b->shrink == NULL || b->spread == NULL)
		return env->error.status;
	set_units(b);
	for (size_t j = 0; j < p; j++)
	{
		for (size_t i = 0; i < p; i++)
			b->vectors[j * p + i] = n->gram[j * n->ld + i] / (b->a[i] * b->a[j]);
		c[j] = n->target[j] / b->a[j];
	}
	info = p == 0 ? 0 : env->dense->eigen(p, b->vectors, b->e);
	if (info <= -1000)
		return ml_fail(env, ML_NO_MEMORY, "out of memory in LAPACK");
	if (info != 0)
		return ml_linear_out_of_range(env, "the features hold");
	if (p > 0)
		env->dense->gemm(true, false, p, 1, p, 1, b->vectors, p, c, p, 0, b->t, p);
	b->yy = ldexp(n->yy * weight, 2 * b->y_exponent);
	for (size_t i = 0; i < p; i++)
	{
		b->e[i] = ldexp((b->e[i] > 0 ? b->e[i] : 0) * weight, 2 * b->unit);
		b->t[i] = ldexp(b->t[i] * weight, b->y_exponent + b->unit);
		if (!isfinite(b->e[i]) || !isfinite(b->t[i]))
			return ml_fail(env, ML_OUT_OF_RANGE, "the units of the features differ too much for this prior");
	}
	if (!isfinite(b->yy))
		return ml_linear_out_of_range(env, "the target holds");
	b->constant_variance = 1 / (n->weight * weight);	/* for a residual variance of 1 */
	return ML_OK;
}

/* Residual sum of squares and sum of squared coefficients for P = V (t / (e + lambda)). */
static void
sums(const Posterior *b, double lambda, double *rss, double *squares)
{
	*rss = b->yy;
	*squares = 0;
	for (size_t i = 0; i < b->p; i++)
	{
		double		value = b->t[i] / (b->e[i] + lambda);

		*rss += value * (b->e[i] * value - 2 * b->t[i]);
		*squares += value * value;
	}
	*rss = *rss > 0 ? *rss : 0;
}

/* The normal-inverse-gamma posterior (Gelman et al. 2013, section 14.8): coefficients are t distributed with 2 shape degrees of freedom. */
static void
conjugate(Posterior *b, MlStatistics *s)
{
	double		lambda = ml_param_double(b->params, PARAM_PRIOR_PRECISION);
	double		a0 = ml_param_double(b->params, PARAM_PRIOR_SHAPE);
	double		b0 = ml_param_double(b->params, PARAM_PRIOR_SCALE);
	double		n = b->rows - b->intercept;	/* the flat constant takes a row */
	double		rss,
				squares,
				shape,
				scale,
				evidence;

	sums(b, lambda, &rss, &squares);
	shape = a0 + n / 2;
	scale = b0 + (rss + lambda * squares) / 2;
	evidence = -n / 2 * log(2 * M_PI) + a0 * log(b0) - shape * log(scale) + lgamma(shape) - lgamma(a0);
	if (b->intercept)
		evidence += 0.5 * log(b->constant_variance);
	for (size_t i = 0; b->data->weight != NULL && i < b->data->n_train; i++)
		evidence += b->data->weight[i] > 0 ? 0.5 * log(b->data->weight[i]) : 0;
	for (size_t i = 0; i < b->p; i++)
	{
		b->shrink[i] = 1 / (b->e[i] + lambda);
		b->spread[i] = scale / shape / (b->e[i] + lambda);
		evidence += 0.5 * log(lambda / (b->e[i] + lambda));
	}
	b->constant_variance *= scale / shape;
	b->converged = true;
	b->model->freedom = 2 * shape;
	ml_statistics_add(s, ML_STAT_R_SQUARED, b->yy > 0 ? 1 - rss / b->yy : NAN);
	ml_statistics_add(s, ML_STAT_SIGMA, sqrt(scale / shape));
	ml_statistics_add(s, ML_STAT_LAMBDA, lambda);
	ml_statistics_add(s, ML_STAT_POSTERIOR_SHAPE, shape);
	ml_statistics_add(s, ML_STAT_POSTERIOR_SCALE, scale);
	ml_statistics_add(s, ML_STAT_LOG_EVIDENCE, evidence);
}

/* Both precisions by MacKay's fixed point (1992), with scikit-learn's priors and starting values. */
static MlStatus
evidence(Posterior *b, MlStatistics *s)
{
	double		n = b->rows;
	double		alpha = b->yy > 0 ? n / b->yy : 1;
	double		lambda = 1;
	double		tol = ml_param_double(b->params, PARAM_TOL);
	int			max_iter = (int) ml_param_int(b->params, PARAM_MAX_ITER);
	double		gamma = 0,
				rss,
				squares;

	while (b->iterations < max_iter && !b->converged)
	{
		double		old_alpha = alpha,
					old_lambda = lambda;

		if (ml_canceled(b->env))
			return ml_fail(b->env, ML_CANCELED, "canceled");
		sums(b, lambda / alpha, &rss, &squares);
		gamma = 0;
		for (size_t i = 0; i < b->p; i++)
			gamma += alpha * b->e[i] / (lambda + alpha * b->e[i]);
		lambda = (gamma + 2 * HYPER) / (squares + 2 * HYPER);
		alpha = (n - gamma + 2 * HYPER) / (rss + 2 * HYPER);
		b->iterations++;
		b->converged = fabs(lambda - old_lambda) <= tol * lambda && fabs(alpha - old_alpha) <= tol * alpha;
	}
	sums(b, lambda / alpha, &rss, &squares);
	for (size_t i = 0; i < b->p; i++)
	{
		b->shrink[i] = 1 / (b->e[i] + lambda / alpha);
		b->spread[i] = 1 / (alpha * b->e[i] + lambda);
	}
	b->constant_variance /= alpha;
	b->model->freedom = 0;
	ml_statistics_add(s, ML_STAT_DF_MODEL, gamma);
	ml_statistics_add(s, ML_STAT_R_SQUARED, b->yy > 0 ? 1 - rss / b->yy : NAN);
	ml_statistics_add(s, ML_STAT_SIGMA, sqrt(1 / alpha));
	ml_statistics_add(s, ML_STAT_ALPHA, alpha);
	ml_statistics_add(s, ML_STAT_LAMBDA, lambda);
	ml_statistics_add(s, ML_STAT_ITERATIONS, b->iterations);
	ml_statistics_add(s, ML_STAT_CONVERGED, b->converged);
	return ML_OK;
}

static MlStatus
set_model(Posterior *b)
{
	MlEnv	   *env = b->env;
	MlLinearModel *model = b->model;
	const MlDesignScale *scale = b->scale;
	size_t		p = b->p;
	int			shift = b->unit - b->y_exponent;	/* from P to a_j v_j */
	double	   *v = ml_alloc0(env, p, sizeof(double));
	double	   *variance = ml_alloc0(env, p, sizeof(double));
	double		constant = b->normal.y_mean;
	double		constant_variance = b->intercept ? b->constant_variance : 0;

	if (v == NULL || variance == NULL)
		return env->error.status;
	for (size_t i = 0; i < p; i++)
	{
		double		dot = 0;

		for (size_t j = 0; j < p; j++)
		{
			double		g = b->vectors[i * p + j] / b->a[j];
			double		center = b->normal.mean[j] + scale->center[j] * scale->factor[j];

			v[j] += ldexp(g * b->shrink[i] * b->t[i], shift);
			variance[j] += g * g * b->spread[i];
			dot += g * center;
		}
		constant_variance += ldexp(dot * dot * b->spread[i], 2 * b->unit);
	}
	for (size_t j = 0; j < p; j++)
	{
		ML_TRY(ml_linear_model_set(env, model, b->data->schema, scale, 0, (int) j, v[j], ldexp(sqrt(variance[j]), shift), b->y_exponent));
		constant -= (b->normal.mean[j] + scale->center[j] * scale->factor[j]) * v[j];
	}
	if (!b->intercept)
		return ML_OK;
	model->intercept[0] = b->gram.y_center + ldexp(constant, b->y_exponent);
	model->intercept_error[0] = sqrt(constant_variance);
	if (!isfinite(model->intercept[0]) || !isfinite(model->intercept_error[0]))
		return ml_fail(env, ML_OUT_OF_RANGE, "the intercept is out of range");
	return ML_OK;
}

static MlStatus
bayes_fit(MlEnv *env, const MlDataset *data, const MlParams *params, void **result)
{
	Posterior	b = {.env = env, .data = data, .params = params, .intercept = ml_param_bool(params, PARAM_FIT_INTERCEPT)};
	MlStatistics *s;

	b.model = ml_alloc0(env, 1, sizeof(MlLinearModel));
	if (b.model == NULL)
		return env->error.status;
	s = &b.model->statistics;
	ML_TRY(ml_linear_begin(env, data->n_train));
	ML_TRY(ml_design_fit(env, data, (int) ml_param_int(params, PARAM_MAX_CATEGORIES), &b.model->design));
	ML_TRY(ml_design_scale(env, b.model->design, b.intercept, &b.scale));
	ML_TRY(ml_linear_model_alloc(env, b.model, 1));
	b.model->has_intercept = b.intercept;
	b.rows = b.model->design->n_rows;
	b.gram.data = data;
	b.gram.design = b.model->design;
	b.gram.scale = b.scale;
	ml_linear_scale_target(b.model->design, data, b.intercept, &b.gram.y_center, &b.y_exponent);
	b.gram.y_factor = ldexp(1, -b.y_exponent);
	ML_TRY(ml_gram_scan(env, &b.gram));
	ML_TRY(ml_gram_normal(env, &b.gram, -1, b.intercept, &b.normal));
	ML_TRY(decompose(&b));

	ml_statistics_add(s, ML_STAT_ROWS, b.rows);
	ml_statistics_add(s, ML_STAT_COLUMNS, b.model->design->n_columns);
	if (ml_param_int(params, PARAM_PRIOR) == PRIOR_CONJUGATE)
		conjugate(&b, s);
	else
		ML_TRY(evidence(&b, s));
	if (!b.converged)
		ml_warn(env, "the precisions have not converged after %d rounds (max_iter)", b.iterations);
	ML_TRY(set_model(&b));
	*result = b.model;
	return ML_OK;
}

const MlMethod ml_method_bayesian_linear_regression = {
	.name = "bayesian_linear_regression",
	.summary = "linear regression with a posterior: conjugate prior, or precisions by the evidence; credible intervals",
	.description =
	"conjugate: coefficients are normal around 0 with variance sigma^2 / prior_precision, sigma^2 is inverse gamma (prior_shape, prior_scale), the constant is flat; the posterior is exact (Gelman et al. 2013, section 14.8), each coefficient t distributed. "
	"evidence: the precisions of residuals and coefficients maximise the evidence (MacKay 1992; scikit-learn's BayesianRidge, whose priors of the precisions are taken), coefficients are normal. "
	"std_error in ml_coefficients is the scale of that t, or the deviation of that normal distribution; ml_coefficient_intervals gives credible intervals, p_value is the posterior probability of values beyond 0, both tails. "
	"The rows are read once; time is rows x columns^2, memory some columns^2 numbers, whatever the rows; at most 4096 columns. "
	"Missing numbers count as the training mean. Each category but the most frequent has a coefficient; missing and rare categories have one if training had them. Weights are inverse variances. Constant columns have the coefficient 0. "
	"Importance of a feature: the standard deviation of its contribution to the prediction over the training rows. "
	"Contribution of a feature to a prediction: coefficient x (value - training mean); for a category, the effect of its level less the mean effect of the training rows.",
	.tasks = ML_TASK_REGRESSION,
	.reads_sparse = true,
	.format = 1,
	.needs_dense = true,
	.params = bayes_params,
	.memory = bayes_memory,
	.fit = bayes_fit,
	.save = ml_linear_model_save_only,
	.load = ml_linear_model_load_only,
	.predict = ml_linear_model_predict,
	.predict_batch = ml_linear_model_predict_batch,
	.predict_cost = ml_linear_model_cost,
	.importance = ml_linear_model_importance,
	.coefficients = ml_linear_model_coefficients,
	.statistics = ml_linear_model_statistics,
	.explainer = ml_linear_model_explainer,
	.explain = ml_linear_model_explain,
};
