/*-------------------------------------------------------------------------
 * linear_regression.c
 *	  Least squares and ridge regression with standard errors.
 *
 * Minimises sum w (y - b0 - x'b)^2 + alpha |b|^2, the intercept b0 unpenalised, as
 * scikit-learn's LinearRegression and Ridge do.  See least_squares.h for how.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ml/algo/glm_fit.h"
#include "ml/algo/least_squares.h"
#include "ml/algo/linear_model.h"
#include "ml/algo/linear_terms.h"
#include "ml/base/arena.h"
#include "ml/base/dense.h"
#include "ml/base/elementary.h"
#include "ml/model/method.h"

/* From this condition number on fewer than six digits are certain in double precision. */
#define BAD_CONDITION 1e10

enum
{
	PARAM_ALPHA,
	PARAM_FIT_INTERCEPT,
	PARAM_TOL,
	PARAM_MAX_CATEGORIES,
	PARAM_COVARIANCE
};

static const MlParam linear_params[] = {
	{.name = "alpha", .type = ML_PARAM_DOUBLE, .default_number = 0, .minimum = 0, .maximum = INFINITY, .open_maximum = true,
		.aliases = "lambda|reg_lambda|lambda_l2|l2_regularization|l2",
	.description = "Ridge penalty: alpha times the sum of squared coefficients (without the intercept) is added to the sum of squared errors; 0 is ordinary least squares."},
	{.name = "fit_intercept", .type = ML_PARAM_BOOL, .default_number = 1,
		.aliases = "intercept|use_intercept",
	.description = "Whether a constant is added to the equation."},
	{.name = "tol", .type = ML_PARAM_DOUBLE, .default_number = 0, .minimum = 0, .maximum = 1, .open_maximum = true,
		.aliases = "rcond|tolerance",
	.description = "Directions whose singular value is below tol times the greatest one count as collinear; 0 takes the precision of the arithmetic and of the data."},
	{.name = "max_categories", .type = ML_PARAM_INT, .default_number = ML_DESIGN_MAX_CATEGORIES, .minimum = 1, .maximum = ML_DESIGN_MAX_COLUMNS,
		.aliases = "max_levels",
	.description = "At most so many categories of a column keep a coefficient of their own; the rarest share one, (other)."},
	{.name = "covariance", .type = ML_PARAM_CHOICE, .default_choice = "model", .choices = ML_COVARIANCE_WORDS,
		.aliases = "cov_type|vcov|robust",
	.description = "Standard errors by one variance for all residuals, or robust against variances that differ (White's HC0, its small-sample corrections HC1, HC2, HC3); these need alpha = 0."},
	{NULL}
};

static size_t
linear_memory(const MlSchema *schema, const MlParams *params, size_t n, int threads)
{
	int			cap = (int) ml_param_int(params, PARAM_MAX_CATEGORIES);
	size_t		p = ml_design_bound(schema, cap);

	size_t		robust = 0;

	(void) threads;
	if (p > ML_DESIGN_MAX_COLUMNS)
		p = ML_DESIGN_MAX_COLUMNS;
	if (ml_param_int(params, PARAM_COVARIANCE) != ML_COVARIANCE_MODEL)
		robust = ml_glm_memory(n, p + 1);
	return ml_least_squares_memory(n, p) + ml_design_memory(schema, cap) + robust + 128 * (p + 2);
}

/* Back to the units of the data.  sigma: residual standard deviation in the units of the fit.  ML_OUT_OF_RANGE names the column whose coefficient a double cannot hold. */
static MlStatus
unscale(MlEnv *env, const MlLeastSquares *problem, const MlLeastSquaresFit *fit, double sigma, MlLinearModel *model)
{
	for (int k = 0; k < problem->scale->n; k++)
		ML_TRY(ml_linear_model_set(env, model, problem->data->schema, problem->scale, 0, k, fit->v[k], fit->v_error[k] * sigma, problem->y_exponent));
	model->intercept[0] = problem->y_center + ldexp(fit->intercept, problem->y_exponent);
	model->intercept_error[0] = ldexp(fit->intercept_error * sigma, problem->y_exponent);
	if (!isfinite(model->intercept[0]) || isinf(model->intercept_error[0]) || isinf(ldexp(sigma, problem->y_exponent)))
		return ml_fail(env, ML_OUT_OF_RANGE, "the intercept or the residual deviation is out of range");
	return ML_OK;
}

/* Weights of the fit are 2^weight_exponent times smaller, the target 2^y_exponent times. */
static void
set_statistics(const MlLeastSquares *problem, const MlLeastSquaresFit *fit, double sigma, MlLinearModel *model)
{
	MlStatistics *s = &model->statistics;
	int			we = problem->data->weight != NULL ? problem->design->weight_exponent : 0;
	double		n = problem->design->n_rows;
	double		df = fit->freedom;
	double		left = n - problem->intercept - df;
	double		explained = fit->total - fit->rss > 0 ? fit->total - fit->rss : 0;
	double		f = NAN;
	double		likelihood = NAN;
	bool		plain = problem->alpha == 0;

	if (plain && df > 0 && left > 0)
		f = explained / df / (fit->rss / left);
	if (fit->rss > 0)
		likelihood = -0.5 * n * (log(2 * M_PI * fit->rss / n) + 1 + (2 * problem->y_exponent + we) * M_LN2) + 0.5 * ml_linear_log_weights(problem->data);
	ml_statistics_add(s, ML_STAT_ROWS, n);
	ml_statistics_add(s, ML_STAT_DF_MODEL, df);
	ml_statistics_add(s, ML_STAT_DF_RESIDUAL, left);
	if (!plain)
		ml_statistics_add(s, ML_STAT_ALPHA, problem->alpha * ldexp(1, we));
	ml_statistics_add(s, ML_STAT_R_SQUARED, fit->total > 0 ? 1 - fit->rss / fit->total : NAN);
	ml_statistics_add(s, ML_STAT_ADJUSTED_R_SQUARED,
					  fit->total > 0 && left > 0 ? 1 - fit->rss / left / (fit->total / (n - problem->intercept)) : NAN);
	ml_statistics_add(s, ML_STAT_F, f);
	ml_statistics_add(s, ML_STAT_F_P_VALUE, ml_f_upper(f, df, left));
	ml_statistics_add(s, ML_STAT_SIGMA, ldexp(sigma, problem->y_exponent) * ldexp(we % 2 == 0 ? 1 : we > 0 ? M_SQRT2 : M_SQRT1_2, we / 2));
	ml_statistics_add(s, ML_STAT_LOG_LIKELIHOOD, likelihood);
	ml_statistics_add(s, ML_STAT_AIC, -2 * likelihood + 2 * (df + problem->intercept));
	ml_statistics_add(s, ML_STAT_BIC, -2 * likelihood + log(n) * (df + problem->intercept));
	ml_statistics_add(s, ML_STAT_CONDITION_NUMBER, fit->column_condition);
}

/* Errors that allow every row a variance of its own: those of a gaussian glm at these coefficients. */
static MlStatus
robust_errors(MlEnv *env, const MlLeastSquares *problem, const MlLeastSquaresFit *fit, MlCovariance type, MlLinearModel *model)
{
	const MlDesignScale *scale = problem->scale;
	MlGlm		glm = {.data = problem->data, .design = problem->design, .scale = scale, .intercept = problem->intercept,
		.kind = {ML_GLM_GAUSSIAN, ML_GLM_IDENTITY, 0}, .covariance_type = type,
	.unit_weight = problem->data->weight == NULL ? 1 : ldexp(1, problem->design->weight_exponent)};
	double	   *u = ml_alloc0(env, (size_t) scale->n + 1, sizeof(double));

	if (u == NULL)
		return env->error.status;
	/* In the units of the columns, at their centres. */
	if (problem->intercept)
		u[0] = model->intercept[0];
	for (int k = 0; k < scale->n; k++)
	{
		u[k + problem->intercept] = ldexp(fit->v[k], problem->y_exponent);
		u[0] += problem->intercept ? scale->center[k] * scale->factor[k] * u[k + 1] : 0;
	}
	ML_TRY(ml_glm_robust(env, &glm, u));
	for (int k = 0; k < scale->n; k++)
		if (!isnan(fit->v_error[k]))
			ML_TRY(ml_linear_model_set(env, model, problem->data->schema, scale, 0, k, fit->v[k], ldexp(ml_glm_column_error(&glm, k), -problem->y_exponent), problem->y_exponent));
	if (problem->intercept && !isnan(model->intercept_error[0]))
		model->intercept_error[0] = ml_glm_constant_error(&glm);
	if (isinf(model->intercept_error[0]))
		return ml_fail(env, ML_OUT_OF_RANGE, "the standard error of the intercept is out of range");
	return ML_OK;
}

static void
warn_of_rank(MlEnv *env, const MlLeastSquares *problem, const MlLeastSquaresFit *fit)
{
	const MlDesignScale *scale = problem->scale;
	char		names[300] = "";
	size_t		length = 0;
	int			count = 0;

	if (fit->rank == (size_t) scale->n)
	{
		if (fit->condition > BAD_CONDITION && problem->alpha == 0)
			ml_warn(env, "the features are nearly collinear (condition number up to %.0e)", fit->condition);
		return;
	}
	for (int k = 0; k < scale->n; k++)
	{
		const char *term;

		if (!isnan(fit->v_error[k]))
			continue;
		term = ml_design_term(env, problem->design, problem->data->schema, scale->column[k]);
		if (term != NULL && count < 5 && length + strlen(term) + 8 < sizeof(names))
			length += sprintf(names + length, "%s\"%s\"", count > 0 ? ", " : "", term);
		count++;
	}
	ml_warn(env, "the %d varying columns of the features have rank %zu only (n = %zu): the coefficients of least norm were taken; not determined are %s%s",
			scale->n, fit->rank, problem->design->n_rows, names, count > 5 ? ", ..." : "");
}

static MlStatus
linear_fit(MlEnv *env, const MlDataset *data, const MlParams *params, void **result)
{
	MlLinearModel *model = ml_alloc0(env, 1, sizeof(MlLinearModel));
	MlLeastSquares problem = {.data = data, .intercept = ml_param_bool(params, PARAM_FIT_INTERCEPT), .rcond = ml_param_double(params, PARAM_TOL)};
	MlCovariance covariance = (MlCovariance) ml_param_int(params, PARAM_COVARIANCE);
	MlLeastSquaresFit fit;
	MlDesignScale *scale;
	double		freedom,
				sigma;

	if (model == NULL)
		return env->error.status;
	if (covariance != ML_COVARIANCE_MODEL && ml_param_double(params, PARAM_ALPHA) > 0)
	{
		ml_fail(env, ML_BAD_PARAM, "robust standard errors are of least squares without a penalty");
		return ml_hint(env, "Leave out alpha, or covariance.");
	}
	ML_TRY(ml_linear_begin(env, data->n_train));
	ML_TRY(ml_design_fit(env, data, (int) ml_param_int(params, PARAM_MAX_CATEGORIES), &model->design));
	ML_TRY(ml_design_scale(env, model->design, problem.intercept, &scale));
	problem.design = model->design;
	problem.scale = scale;
	problem.alpha = ml_param_double(params, PARAM_ALPHA) * (data->weight != NULL ? model->design->weight_factor : 1);
	ml_linear_scale_target(problem.design, data, problem.intercept, &problem.y_center, &problem.y_exponent);
	problem.y_factor = ldexp(1, -problem.y_exponent);
	ML_TRY(ml_least_squares(env, &problem, &fit));

	ML_TRY(ml_linear_model_alloc(env, model, 1));
	model->has_intercept = problem.intercept;
	freedom = (double) model->design->n_rows - problem.intercept - fit.freedom;
	/* A ridge fit may use up all but a fraction of a degree of freedom; below this it is rounding. */
	sigma = freedom > 1e-6 ? sqrt(fit.rss / freedom) : NAN;
	model->freedom = freedom > 1e-6 ? freedom : -1;
	ML_TRY(unscale(env, &problem, &fit, sigma, model));
	set_statistics(&problem, &fit, sigma, model);
	if (covariance != ML_COVARIANCE_MODEL && freedom > 1e-6)
		ML_TRY(robust_errors(env, &problem, &fit, covariance, model));
	warn_of_rank(env, &problem, &fit);
	*result = model;
	return ML_OK;
}

const MlMethod ml_method_linear_regression = {
	.name = "linear_regression",
	.summary = "least squares and ridge regression with standard errors",
	.description =
	"Minimises the weighted sum of squared errors plus alpha times the sum of squared coefficients; the intercept is not penalised. "
	"Columns are centred and scaled by powers of two, the rows reduced to a triangle by blocked QR, so badly conditioned data keep their digits (many rows of columns that are far from collinear: by Cholesky decomposition of the Gram matrix, which loses none there); "
	"few rows of very badly conditioned columns are computed in quadruple precision. Where columns are collinear, or there are fewer rows than columns, the solution of least norm is taken and a warning names the rank. "
	"Memory does not grow with the number of rows; time is rows x columns^2. At most 4096 columns. "
	"Missing numbers count as the training mean. Each category but the most frequent has a coefficient: its difference to the most frequent one; missing and rare categories have one if training had them. "
	"Standard errors, t and p: of ordinary least squares with rows - rank degrees of freedom (rows of weight 0 do not count; weights are inverse variances, as in R and statsmodels); "
	"null for coefficients that the data do not determine and for constant columns. With alpha > 0 the covariance is s^2 (X'X + aI)^-1 X'X (X'X + aI)^-1 with s^2 = RSS / (n - trace of the hat matrix); it measures variance only, not the bias of the penalty. "
	"covariance = HC0 to HC3: White's errors, which allow every row a variance of its own. ml_model_statistics: R squared, F, sigma, log-likelihood, AIC and BIC (coefficients counted, not the variance, as statsmodels), condition number of the standardised columns. "
	"Importance of a feature: the standard deviation of its contribution to the prediction over the training rows (for a number: |coefficient| x standard deviation). "
	"Contribution of a feature to a prediction: coefficient x (value - training mean); for a category, the effect of its level less the mean effect of the training rows.",
	.tasks = ML_TASK_REGRESSION,
	.format = 2,
	.needs_dense = true,
	.reads_sparse = true,
	.params = linear_params,
	.memory = linear_memory,
	.fit = linear_fit,
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
