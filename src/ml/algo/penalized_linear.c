/*-------------------------------------------------------------------------
 * penalized_linear.c
 *	  ridge, lasso, elastic_net: linear regression with a penalty, chosen by cross-validation.
 *
 * One pass over the rows gives the Gram matrices of all folds (gram.c); everything after works on
 * these.  Columns are seen scaled by powers of two; what the penalty measures is told by "a":
 * what is penalised is a_j v_j, in units of 2^(exponent of the target - unit).
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <string.h>

#include "ml/algo/linear_model.h"
#include "ml/algo/linear_terms.h"
#include "ml/algo/penalty_path.h"
#include "ml/base/arena.h"
#include "ml/base/dense.h"

/* In the order of the tables; a table ends where the method has no more of them. */
enum
{
	PARAM_ALPHA,
	PARAM_CHOOSE,
	PARAM_CV,
	PARAM_N_ALPHAS,
	PARAM_EPS,
	PARAM_STANDARDIZE,
	PARAM_FIT_INTERCEPT,
	PARAM_MAX_CATEGORIES,
	PARAM_TOL,
	PARAM_MAX_ITER,
	PARAM_POSITIVE,
	PARAM_L1_RATIO
};

enum
{
	CHOOSE_CV_MIN,
	CHOOSE_CV_1SE,
	CHOOSE_AIC,
	CHOOSE_BIC,
	CHOOSE_GCV
};

#define CHOOSE_TEXT \
	"How alpha is chosen when it is not given: by the least mean squared error of the cross-validation, by the greatest alpha within one standard error of that, or by a criterion on all rows"

#define PARAMS_COMMON \
	{.name = "cv", .type = ML_PARAM_INT, .default_number = 10, .minimum = 2, .maximum = ML_GRAM_MAX_FOLDS, \
		.aliases = "nfolds|n_folds|folds", \
	.description = "Folds of the cross-validation that chooses alpha; rows fall into them at random, by the seed."}, \
	{.name = "n_alphas", .type = ML_PARAM_INT, .default_number = 100, .minimum = 1, .maximum = 1000, \
		.aliases = "nlambda|n_lambda", \
	.description = "How many values of alpha the path has, from the greatest that matters down, in equal ratios."}

#define PARAMS_DESIGN \
	{.name = "standardize", .type = ML_PARAM_BOOL, .default_number = 1, \
		.aliases = "normalize", \
	.description = "Whether the penalty measures coefficients of columns divided by their standard deviations (as glmnet) or in the units of the data (false, as scikit-learn); coefficients are reported in the units of the data either way."}, \
	{.name = "fit_intercept", .type = ML_PARAM_BOOL, .default_number = 1, \
		.aliases = "intercept|use_intercept", \
	.description = "Whether a constant is added to the equation; it is not penalised."}, \
	{.name = "max_categories", .type = ML_PARAM_INT, .default_number = ML_DESIGN_MAX_CATEGORIES, .minimum = 1, .maximum = ML_DESIGN_MAX_COLUMNS, \
		.aliases = "max_levels", \
	.description = "At most so many categories of a column keep a coefficient of their own; the rarest share one, (other)."}

#define PARAMS_DESCENT \
	{.name = "tol", .type = ML_PARAM_DOUBLE, .default_number = 1e-7, .minimum = 0, .open_minimum = true, .maximum = 1, \
		.aliases = "thresh|tolerance", \
	.description = "Coordinate descent ends when no coefficient changes the fit by more than this share of the standard deviation of the target."}, \
	{.name = "max_iter", .type = ML_PARAM_INT, .default_number = 10000, .minimum = 1, .maximum = 10000000, \
		.aliases = "maxit|max_iterations|iterations", \
	.description = "At most so many sweeps over the coefficients for each value of alpha."}, \
	{.name = "positive", .type = ML_PARAM_BOOL, .default_number = 0, \
		.aliases = "non_negative", \
	.description = "Whether all coefficients but the intercept must be zero or more."}

#define PARAM_SPAN \
	{.name = "eps", .type = ML_PARAM_DOUBLE, .default_number = 0, .minimum = 0, .maximum = 1, .open_maximum = true, \
		.aliases = "lambda_min_ratio|alpha_min_ratio", \
	.description = "Smallest alpha of the path as a share of the greatest; 0: 1e-4, or 1e-2 where there are not more rows than columns."}

#define PARAM_ALPHA_MEAN \
	{.name = "alpha", .type = ML_PARAM_DOUBLE, .default_number = 0, .minimum = 0, .maximum = INFINITY, .open_maximum = true, \
		.aliases = "lambda|reg_lambda", \
	.description = "Strength of the penalty on half the mean squared error (glmnet's lambda, scikit-learn's alpha); 0: chosen from a path."}

#define PARAM_CHOICE_DESCENT \
	{.name = "choose", .type = ML_PARAM_CHOICE, .default_choice = "cv_min", .choices = "cv_min|cv_1se|aic|bic", \
		.aliases = "selection|criterion", \
	.description = CHOOSE_TEXT "."}

static const MlParam ridge_params[] = {
	{.name = "alpha", .type = ML_PARAM_DOUBLE, .default_number = 0, .minimum = 0, .maximum = INFINITY, .open_maximum = true,
		.aliases = "lambda|reg_lambda|l2|lambda_l2|l2_regularization",
	.description = "Strength of the penalty: alpha times the sum of squared coefficients is added to the sum of squared errors (scikit-learn's alpha; glmnet's lambda times the number of rows); 0: chosen from a path."},
	{.name = "choose", .type = ML_PARAM_CHOICE, .default_choice = "cv_min", .choices = "cv_min|cv_1se|aic|bic|gcv",
		.aliases = "selection|criterion",
	.description = CHOOSE_TEXT " (gcv: generalised cross-validation, which approximates leaving out one row at a time)."},
	PARAMS_COMMON,
	{.name = "eps", .type = ML_PARAM_DOUBLE, .default_number = 0, .minimum = 0, .maximum = 1, .open_maximum = true,
		.aliases = "lambda_min_ratio|alpha_min_ratio",
	.description = "Smallest alpha of the path as a share of the greatest, which is 100 times the largest eigenvalue of the columns' products; 0: 1e-9."},
	PARAMS_DESIGN,
	{NULL}
};

static const MlParam lasso_params[] = {
	PARAM_ALPHA_MEAN, PARAM_CHOICE_DESCENT, PARAMS_COMMON, PARAM_SPAN, PARAMS_DESIGN, PARAMS_DESCENT, {NULL}
};

static const MlParam elastic_params[] = {
	PARAM_ALPHA_MEAN, PARAM_CHOICE_DESCENT, PARAMS_COMMON, PARAM_SPAN, PARAMS_DESIGN, PARAMS_DESCENT,
	{.name = "l1_ratio", .type = ML_PARAM_DOUBLE, .default_number = 0.5, .minimum = 0, .maximum = 1,
		.aliases = "mixing|mix",
	.description = "Share of the absolute values in the penalty: 1 is the lasso, 0 ridge (glmnet's alpha)."},
	{NULL}
};

typedef enum Kind
{
	KIND_RIDGE,
	KIND_LASSO,
	KIND_ELASTIC
} Kind;

typedef struct Fit
{
	MlEnv	   *env;
	const MlDataset *data;
	const MlParams *params;
	Kind		kind;
	MlLinearModel *model;
	MlDesignScale *scale;
	MlGram		gram;
	MlNormal	total;
	MlNormal   *fold;
	MlPenaltyPath path;
	bool		intercept;
	int			choose;
	int			y_exponent;
	int			unit;			/* coefficient in the units of the penalty: a_j v_j 2^(y_exponent - unit) */
	int			best;			/* of the path */
	double	   *mse;			/* by penalty: of the cross-validation */
	double	   *mse_error;
	double		log_weights;	/* sum of the logarithms of the weights */
} Fit;

static size_t
penalized_memory(const MlSchema *schema, const MlParams *params, size_t n, int threads, bool ridge)
{
	int			cap = (int) ml_param_int(params, PARAM_MAX_CATEGORIES);
	size_t		p = ml_design_bound(schema, cap);
	int			folds = (int) ml_param_int(params, PARAM_CV);

	if (ml_param_double(params, PARAM_ALPHA) > 0 || ml_param_int(params, PARAM_CHOOSE) > CHOOSE_CV_1SE)
		folds = 0;
	if (p > ML_DESIGN_MAX_COLUMNS)
		p = ML_DESIGN_MAX_COLUMNS;
	return ml_gram_memory(n, p, folds, threads) + ml_design_memory(schema, cap) + (p + 64) * 128 * (size_t) (folds + 2) +
		ml_penalty_path_memory(p, (int) ml_param_int(params, PARAM_N_ALPHAS), folds, ridge, threads);
}

static size_t
ridge_memory(const MlSchema *schema, const MlParams *params, size_t n, int threads)
{
	return penalized_memory(schema, params, n, threads, true);
}

static size_t
descent_memory(const MlSchema *schema, const MlParams *params, size_t n, int threads)
{
	return penalized_memory(schema, params, n, threads, false);
}

/* ------------------------------------------------------------------------
 * The problem
 * ------------------------------------------------------------------------
 */

static MlStatus
scan(Fit *fit)
{
	MlEnv	   *env = fit->env;
	MlGram	   *gram = &fit->gram;

	gram->data = fit->data;
	gram->design = fit->model->design;
	gram->scale = fit->scale;
	ml_linear_scale_target(gram->design, fit->data, fit->intercept, &gram->y_center, &fit->y_exponent);
	gram->y_factor = ldexp(1, -fit->y_exponent);
	if (!(ml_param_double(fit->params, PARAM_ALPHA) > 0) && fit->choose <= CHOOSE_CV_1SE)
		gram->folds = ml_gram_folds(fit->data->n_train, ml_param_int(fit->params, PARAM_CV));
	ML_TRY(ml_gram_scan(env, gram));
	fit->fold = ml_alloc0(env, gram->folds, sizeof(MlNormal));
	if (fit->fold == NULL && gram->folds > 0)
		return env->error.status;
	for (int f = 0; f < gram->folds; f++)
		ML_TRY(ml_gram_normal(env, gram, f, fit->intercept, &fit->fold[f]));
	return ml_gram_normal(env, gram, -1, fit->intercept, &fit->total);
}

/* What the penalty measures: the standard deviations, or the units of the data less their greatest power. */
static void
set_units(Fit *fit, const MlNormal *n, double *a)
{
	int			largest = INT32_MIN;

	for (size_t j = 0; j < n->p; j++)
		largest = fit->scale->exponent[j] > largest ? fit->scale->exponent[j] : largest;
	for (size_t j = 0; j < n->p; j++)
	{
		/* Beyond 2^250 the coefficient is 0 by any penalty that leaves one of the others. */
		int			e = largest - fit->scale->exponent[j] < 250 ? largest - fit->scale->exponent[j] : 250;

		if (ml_param_bool(fit->params, PARAM_STANDARDIZE))
			a[j] = n->deviation[j] > 0 ? n->deviation[j] : 1;
		else
			a[j] = ldexp(1, e);
	}
	fit->unit = ml_param_bool(fit->params, PARAM_STANDARDIZE) || n->p == 0 ? 0 : largest;
}

/*
 * alpha of the user <-> penalty of the path.  Of mean squares and absolute values: alpha * 2^(-target - unit).  Of
 * sums of squares: alpha * 2^(-2 unit), in the units of the weights.
 */
static double
penalty_of(const Fit *fit, double alpha)
{
	double		penalty;

	if (fit->kind == KIND_RIDGE)
		penalty = ldexp(alpha * (fit->data->weight != NULL ? fit->model->design->weight_factor : 1), -2 * fit->unit);
	else
		penalty = ldexp(alpha, -fit->y_exponent - fit->unit);
	return fmin(fmax(penalty, DBL_MIN), 1e280);
}

static double
alpha_of(const Fit *fit, double penalty)
{
	if (fit->kind == KIND_RIDGE)
		return ldexp(penalty / (fit->data->weight != NULL ? fit->model->design->weight_factor : 1), 2 * fit->unit);
	return ldexp(penalty, fit->y_exponent + fit->unit);
}

static double
l1_ratio_of(const Fit *fit)
{
	return fit->kind == KIND_RIDGE ? 0 : fit->kind == KIND_LASSO ? 1 : ml_param_double(fit->params, PARAM_L1_RATIO);
}

static MlStatus
solve(Fit *fit)
{
	MlPenaltyPath *path = &fit->path;
	double		alpha = ml_param_double(fit->params, PARAM_ALPHA);

	path->total = &fit->total;
	path->fold = fit->fold;
	path->n_folds = fit->gram.folds;
	path->n = alpha > 0 ? 1 : (int) ml_param_int(fit->params, PARAM_N_ALPHAS);
	ML_TRY(ml_penalty_path_alloc(fit->env, path));
	for (int f = 0; f < path->n_folds; f++)
		set_units(fit, &fit->fold[f], path->a[1 + f]);
	set_units(fit, &fit->total, path->a[0]);
	path->alpha = alpha > 0 ? penalty_of(fit, alpha) : 0;
	path->span = ml_param_double(fit->params, PARAM_EPS);
	if (fit->kind == KIND_RIDGE)
	{
		path->span = path->span > 0 ? path->span : 1e-9;
		return ml_ridge_path(fit->env, path);
	}
	if (!(path->span > 0))
		path->span = fit->model->design->n_rows > fit->total.p ? 1e-4 : 1e-2;
	path->l1_ratio = l1_ratio_of(fit);
	path->l2_unit = ldexp(1, fit->y_exponent - fit->unit > 500 ? 500 : fit->y_exponent - fit->unit);
	path->positive = ml_param_bool(fit->params, PARAM_POSITIVE);
	path->tol = ml_param_double(fit->params, PARAM_TOL);
	path->max_iter = (int) ml_param_int(fit->params, PARAM_MAX_ITER);
	return ml_elastic_path(fit->env, path);
}

/* ------------------------------------------------------------------------
 * The choice
 * ------------------------------------------------------------------------
 */

/* Weighted mean over the folds of the mean squared error, and its standard error (as cv.glmnet). */
static void
cross_validate(Fit *fit)
{
	const MlPenaltyPath *path = &fit->path;

	for (int k = 0; k < path->n; k++)
	{
		double		weight = 0,
					sum = 0,
					spread = 0;
		int			folds = 0;

		for (int f = 0; f < path->n_folds; f++)
		{
			weight += path->fold_weight[f];
			sum += path->fold_weight[f] > 0 ? path->error[f * path->n + k] : 0;
			folds += path->fold_weight[f] > 0;
		}
		fit->mse[k] = weight > 0 ? sum / weight : NAN;
		for (int f = 0; f < path->n_folds; f++)
			if (path->fold_weight[f] > 0)
			{
				double		d = path->error[f * path->n + k] / path->fold_weight[f] - fit->mse[k];

				spread += path->fold_weight[f] / weight * d * d;
			}
		fit->mse_error[k] = folds > 1 ? sqrt(spread / (folds - 1)) : 0;
	}
}

/* Weights of the fit are 2^this times smaller. */
static int
weight_exponent(const Fit *fit)
{
	return fit->data->weight != NULL ? fit->model->design->weight_exponent : 0;
}

/* -2 log-likelihood of normal errors, at the estimate of their variance; weights are inverse variances */
static double
minus_two_log_likelihood(const Fit *fit, int k)
{
	double		n = fit->model->design->n_rows;
	double		mean = fmax(fit->path.rss[k] / n, DBL_MIN);

	return n * (log(2 * M_PI * mean) + 1 + (2 * fit->y_exponent + weight_exponent(fit)) * M_LN2) - fit->log_weights;
}

static double
criterion(const Fit *fit, int k)
{
	double		n = fit->model->design->n_rows;
	double		df = fit->path.freedom[k] + fit->intercept;

	switch (fit->choose)
	{
		case CHOOSE_AIC:
			return minus_two_log_likelihood(fit, k) + 2 * df;
		case CHOOSE_BIC:
			return minus_two_log_likelihood(fit, k) + log(n) * df;
		case CHOOSE_GCV:
			return df < n ? fit->path.rss[k] / ((1 - df / n) * (1 - df / n)) : INFINITY;
		default:
			return fit->mse[k];
	}
}

static void
choose(Fit *fit)
{
	double		least = INFINITY;

	for (int k = 0; k < fit->path.n; k++)
	{
		double		value = criterion(fit, k);

		if (value < least)
		{
			least = value;
			fit->best = k;
		}
	}
	if (fit->choose == CHOOSE_CV_1SE)
	{
		double		limit = least + fit->mse_error[fit->best];

		for (int k = fit->best; k >= 0; k--)
			if (fit->mse[k] <= limit)
				fit->best = k;
	}
}

static void
report(Fit *fit)
{
	const MlPenaltyPath *path = &fit->path;
	MlEnv	   *env = fit->env;
	double		square = ldexp(1, 2 * fit->y_exponent > 1000 ? 1000 : 2 * fit->y_exponent);

	for (int k = 0; k < path->n; k++)
	{
		ml_history(env, k + 1, "train", "alpha", alpha_of(fit, path->penalty[k]));
		ml_history(env, k + 1, "train", "degrees_of_freedom", path->freedom[k]);
		ml_history(env, k + 1, "train", "mse", path->rss[k] / fit->total.weight * square);
		if (path->n_folds == 0)
			continue;
		ml_history(env, k + 1, "validation", "mse", fit->mse[k] * square);
		ml_history(env, k + 1, "validation", "mse_std_error", fit->mse_error[k] * square);
	}
	if (!path->converged[fit->best])
		ml_warn(env, "coordinate descent has not converged after %d sweeps (max_iter)", path->sweeps[fit->best]);
	if (path->n > 1 && path->total->yy > 0 && fit->best == path->n - 1 && fit->total.p > 0)
		ml_warn(env, "the smallest alpha of the path was chosen (%g): a smaller one may be better (eps)", alpha_of(fit, path->penalty[fit->best]));
}

/* ------------------------------------------------------------------------
 * The model
 * ------------------------------------------------------------------------
 */

/* g = M^-1 R' of the covariance, column by column: A^-1 V sqrt(d) / (d + penalty). */
static MlStatus
ridge_errors(Fit *fit, double *v_error, double *intercept_error)
{
	const MlPenaltyPath *path = &fit->path;
	size_t		p = fit->total.p;
	double	   *variance = ml_alloc0(fit->env, p, sizeof(double));
	double		constant = fit->intercept ? 1 / fit->total.weight : 0;

	if (variance == NULL && p > 0)
		return fit->env->error.status;
	for (size_t i = 0; i < p; i++)
	{
		double		d = path->values[i] > 0 ? path->values[i] : 0;
		double		root = sqrt(d) / (d + path->penalty[fit->best]);
		double		dot = 0;

		for (size_t j = 0; j < p; j++)
		{
			double		g = path->vectors[i * p + j] * root / path->a[0][j];

			variance[j] += g * g;
			dot += g * (fit->total.mean[j] + fit->scale->center[j] * fit->scale->factor[j]);
		}
		constant += dot * dot;
	}
	for (size_t j = 0; j < p; j++)
		v_error[j] = sqrt(variance[j]);
	*intercept_error = fit->intercept ? sqrt(constant) : NAN;
	return ML_OK;
}

static MlStatus
set_model(Fit *fit, const double *v)
{
	MlLinearModel *model = fit->model;
	const MlDesignScale *scale = fit->scale;
	size_t		p = fit->total.p;
	double	   *error = ml_alloc0(fit->env, p, sizeof(double));
	double		intercept_error = NAN;
	double		freedom = (double) model->design->n_rows - fit->intercept - fit->path.freedom[fit->best];
	double		sigma = freedom > 1e-6 ? sqrt(fit->path.rss[fit->best] / freedom) : NAN;
	double		constant = fit->total.y_mean;

	if (error == NULL && p > 0)
		return fit->env->error.status;
	model->freedom = -1;
	for (size_t j = 0; j < p; j++)
		error[j] = NAN;
	if (fit->kind == KIND_RIDGE)
	{
		ML_TRY(ridge_errors(fit, error, &intercept_error));
		model->freedom = freedom > 1e-6 ? freedom : -1;
	}
	for (size_t j = 0; j < p; j++)
	{
		ML_TRY(ml_linear_model_set(fit->env, model, fit->data->schema, scale, 0, (int) j, v[j], error[j] * sigma, fit->y_exponent));
		constant -= (fit->total.mean[j] + scale->center[j] * scale->factor[j]) * v[j];
	}
	if (!fit->intercept)
		return ML_OK;
	model->intercept[0] = fit->gram.y_center + ldexp(constant, fit->y_exponent);
	model->intercept_error[0] = ldexp(intercept_error * sigma, fit->y_exponent);
	if (!isfinite(model->intercept[0]) || isinf(model->intercept_error[0]))
		return ml_fail(fit->env, ML_OUT_OF_RANGE, "the intercept is out of range");
	return ML_OK;
}

static void
set_statistics(Fit *fit, const double *v)
{
	const MlPenaltyPath *path = &fit->path;
	MlStatistics *s = &fit->model->statistics;
	int			best = fit->best;
	double		n = fit->model->design->n_rows;
	double		df = path->freedom[best];
	double		left = n - fit->intercept - df;
	double		minus = minus_two_log_likelihood(fit, best);
	double		nonzero = 0;

	for (size_t j = 0; j < fit->total.p; j++)
		nonzero += v[j] != 0;
	ml_statistics_add(s, ML_STAT_ROWS, n);
	ml_statistics_add(s, ML_STAT_COLUMNS, fit->model->design->n_columns);
	ml_statistics_add(s, ML_STAT_NONZERO, nonzero);
	ml_statistics_add(s, ML_STAT_DF_MODEL, df);
	ml_statistics_add(s, ML_STAT_DF_RESIDUAL, left);
	ml_statistics_add(s, ML_STAT_ALPHA, alpha_of(fit, path->penalty[best]));
	if (fit->kind == KIND_ELASTIC)
		ml_statistics_add(s, ML_STAT_L1_RATIO, l1_ratio_of(fit));
	if (path->n > 1)
	{
		ml_statistics_add(s, ML_STAT_ALPHA_MAX, alpha_of(fit, path->penalty[0]));
		ml_statistics_add(s, ML_STAT_ALPHA_MIN, alpha_of(fit, path->penalty[path->n - 1]));
	}
	if (path->n_folds > 0)
	{
		ml_statistics_add(s, ML_STAT_CV_FOLDS, path->n_folds);
		ml_statistics_add(s, ML_STAT_CV_MSE, ldexp(fit->mse[best], 2 * fit->y_exponent));
		ml_statistics_add(s, ML_STAT_CV_MSE_STD_ERROR, ldexp(fit->mse_error[best], 2 * fit->y_exponent));
	}
	ml_statistics_add(s, ML_STAT_R_SQUARED, fit->total.yy > 0 ? 1 - path->rss[best] / fit->total.yy : NAN);
	ml_statistics_add(s, ML_STAT_SIGMA, left > 1e-6 ? ldexp(sqrt(path->rss[best] / left), fit->y_exponent) * sqrt(ldexp(1, weight_exponent(fit))) : NAN);
	ml_statistics_add(s, ML_STAT_LOG_LIKELIHOOD, -minus / 2);
	ml_statistics_add(s, ML_STAT_AIC, minus + 2 * (df + fit->intercept));
	ml_statistics_add(s, ML_STAT_BIC, minus + log(n) * (df + fit->intercept));
	if (fit->kind != KIND_RIDGE)
		ml_statistics_add(s, ML_STAT_ITERATIONS, path->sweeps[best]);
	ml_statistics_add(s, ML_STAT_CONVERGED, path->converged[best]);
}

/* The solution for the penalty that was chosen, to the precision of the arithmetic. */
static MlStatus
settle(Fit *fit, double *v)
{
	MlPenaltyPath *path = &fit->path;
	MlElastic	e = {.normal = &fit->total, .a = path->a[0], .positive = path->positive, .tol = path->tol, .max_iter = path->max_iter};

	if (fit->kind == KIND_RIDGE || path->n == 1)
		return ML_OK;
	ML_TRY(ml_elastic_init(fit->env, &e));
	ml_elastic_start(&e, path->penalty[fit->best] * path->l1_ratio,
					 fmin(path->penalty[fit->best] * (1 - path->l1_ratio) * path->l2_unit, 1e280));
	memcpy(e.v, v, fit->total.p * sizeof(double));
	ML_TRY(ml_elastic_polish(fit->env, &e));
	memcpy(v, e.v, fit->total.p * sizeof(double));
	path->converged[fit->best] = path->converged[fit->best] || e.converged;
	return ML_OK;
}

static MlStatus
penalized_fit(MlEnv *env, const MlDataset *data, const MlParams *params, Kind kind, void **result)
{
	Fit			fit = {.env = env, .data = data, .params = params, .kind = kind, .choose = (int) ml_param_int(params, PARAM_CHOOSE),
	.intercept = ml_param_bool(params, PARAM_FIT_INTERCEPT)};
	double	   *v;

	fit.model = ml_alloc0(env, 1, sizeof(MlLinearModel));
	if (fit.model == NULL)
		return env->error.status;
	ML_TRY(ml_linear_begin(env, data->n_train));
	ML_TRY(ml_design_fit(env, data, (int) ml_param_int(params, PARAM_MAX_CATEGORIES), &fit.model->design));
	ML_TRY(ml_design_scale(env, fit.model->design, fit.intercept, &fit.scale));
	ML_TRY(ml_linear_model_alloc(env, fit.model, 1));
	fit.model->has_intercept = fit.intercept;
	fit.log_weights = ml_linear_log_weights(data);
	ML_TRY(scan(&fit));
	ML_TRY(solve(&fit));

	fit.mse = ml_alloc0(env, fit.path.n, sizeof(double));
	fit.mse_error = ml_alloc0(env, fit.path.n, sizeof(double));
	if (fit.mse == NULL || fit.mse_error == NULL)
		return env->error.status;
	if (fit.path.n_folds > 0)
		cross_validate(&fit);
	if (fit.path.n > 1)
		choose(&fit);
	v = fit.path.v + fit.best * fit.total.p;
	ML_TRY(settle(&fit, v));
	report(&fit);
	ML_TRY(set_model(&fit, v));
	set_statistics(&fit, v);
	*result = fit.model;
	return ML_OK;
}

static MlStatus
ridge_fit(MlEnv *env, const MlDataset *data, const MlParams *params, void **result)
{
	return penalized_fit(env, data, params, KIND_RIDGE, result);
}

static MlStatus
lasso_fit(MlEnv *env, const MlDataset *data, const MlParams *params, void **result)
{
	return penalized_fit(env, data, params, KIND_LASSO, result);
}

static MlStatus
elastic_fit(MlEnv *env, const MlDataset *data, const MlParams *params, void **result)
{
	return penalized_fit(env, data, params, KIND_ELASTIC, result);
}

#define PATH_TEXT \
	"When alpha is 0, the solutions of a whole path of n_alphas values are computed and one is chosen: by cross-validation over cv random folds (equal seeds give equal folds), or by an information criterion. " \
	"The rows are read once: each fold has a Gram matrix of its own, and what trains without a fold is the total less it. " \
	"Time is rows x columns^2, independent of the path; memory (folds + 1) x columns^2 numbers, whatever the rows; at most 4096 columns. "

#define COMMON_TEXT \
	"Missing numbers count as the training mean. Each category but the most frequent has a coefficient: its difference to the most frequent one; missing and rare categories have one if training had them. " \
	"By default the penalty measures coefficients of columns divided by their standard deviations, so that units do not matter; standardize = false gives scikit-learn's objective. With cross-validation, deviations are those of the rows that train. " \
	"Weights are those of the squared errors. Numbers that are constant in training have the coefficient 0. "

#define EFFECT_TEXT \
	"Importance of a feature: the standard deviation of its contribution to the prediction over the training rows. " \
	"Contribution of a feature to a prediction: coefficient x (value - training mean); for a category, the effect of its level less the mean effect of the training rows."

const MlMethod ml_method_ridge = {
	.name = "ridge",
	.summary = "linear regression with a penalty on squared coefficients, chosen by cross-validation",
	.description =
	"Minimises the weighted sum of squared errors plus alpha times the sum of squared coefficients (Hoerl and Kennard 1970); the intercept is not penalised. "
	PATH_TEXT
	"One eigenvalue decomposition for each fold gives the solutions of all penalties. Data whose columns are nearly collinear lose digits in the products: linear_regression with alpha > 0 keeps them. "
	COMMON_TEXT
	"Standard errors: of the covariance s^2 (X'X + aI)^-1 X'X (X'X + aI)^-1 with s^2 = RSS / (n - trace of the hat matrix); variance only, not the bias of the penalty, nor the choice of alpha. "
	EFFECT_TEXT,
	.tasks = ML_TASK_REGRESSION,
	.format = 1,
	.needs_dense = true,
	.reads_sparse = true,
	.params = ridge_params,
	.memory = ridge_memory,
	.fit = ridge_fit,
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

const MlMethod ml_method_lasso = {
	.name = "lasso",
	.summary = "linear regression with a penalty on absolute coefficients, which leaves out features; chosen by cross-validation",
	.description =
	"Minimises half the weighted mean of squared errors plus alpha times the sum of absolute coefficients (Tibshirani 1996); the intercept is not penalised. "
	PATH_TEXT
	"Coordinate descent with covariance updates, warm starts and active sets (Friedman, Hastie, Tibshirani 2010); the solution that is kept is then computed to the precision of the arithmetic from the columns that are not 0. "
	COMMON_TEXT
	"There are no standard errors: after a choice of columns the usual ones would be wrong. Degrees of freedom are the number of coefficients that are not 0 (Zou, Hastie, Tibshirani 2007). "
	EFFECT_TEXT,
	.tasks = ML_TASK_REGRESSION,
	.format = 1,
	.needs_dense = true,
	.reads_sparse = true,
	.params = lasso_params,
	.memory = descent_memory,
	.fit = lasso_fit,
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

const MlMethod ml_method_elastic_net = {
	.name = "elastic_net",
	.summary = "linear regression with a penalty on absolute and squared coefficients; chosen by cross-validation",
	.description =
	"Minimises half the weighted mean of squared errors plus alpha times (l1_ratio times the sum of absolute coefficients plus (1 - l1_ratio) / 2 times the sum of squared ones) (Zou and Hastie 2005); the intercept is not penalised. "
	"The formula is that of scikit-learn and glmnet, but glmnet divides the target by its standard deviation first, by which its penalty on squares differs. "
	PATH_TEXT
	"Coordinate descent with covariance updates, warm starts and active sets (Friedman, Hastie, Tibshirani 2010); the solution that is kept is then computed to the precision of the arithmetic from the columns that are not 0. "
	COMMON_TEXT
	"There are no standard errors: after a choice of columns the usual ones would be wrong. Degrees of freedom are counted as the number of coefficients that are not 0. "
	EFFECT_TEXT,
	.tasks = ML_TASK_REGRESSION,
	.format = 1,
	.needs_dense = true,
	.reads_sparse = true,
	.params = elastic_params,
	.memory = descent_memory,
	.fit = elastic_fit,
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
