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

#include "ml/algo/least_squares.h"
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
	PARAM_MAX_CATEGORIES
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
	{NULL}
};

typedef struct LinearModel
{
	MlDesign   *design;
	bool		has_intercept;
	double		alpha;
	double		freedom;		/* of the residuals; may be 0 or less */
	double		sigma;			/* residual standard deviation */
	double		intercept;
	double		intercept_error;	/* NaN: not known */
	double	   *coef;			/* by column */
	double	   *error;
} LinearModel;

static size_t
linear_memory(const MlSchema *schema, const MlParams *params, size_t n, int threads)
{
	int			cap = (int) ml_param_int(params, PARAM_MAX_CATEGORIES);
	size_t		p = ml_design_bound(schema, cap);

	(void) threads;
	if (p > ML_DESIGN_MAX_COLUMNS)
		p = ML_DESIGN_MAX_COLUMNS;
	return ml_least_squares_memory(n, p) + ml_design_memory(schema, cap);
}

/* Back to the units of the data.  ML_OUT_OF_RANGE names the column whose coefficient a double cannot hold. */
static MlStatus
unscale(MlEnv *env, const MlLeastSquares *problem, const MlLeastSquaresFit *fit, LinearModel *model)
{
	const MlDesignScale *scale = problem->scale;

	for (int j = 0; j < model->design->n_columns; j++)
		model->error[j] = NAN;
	for (int k = 0; k < scale->n; k++)
	{
		int			j = scale->column[k];
		int			e = problem->y_exponent - scale->exponent[k];

		model->coef[j] = ldexp(fit->v[k], e);
		model->error[j] = ldexp(fit->v_error[k] * model->sigma, e);
		if (!isfinite(model->coef[j]) || isinf(model->error[j]))
			return ml_fail(env, ML_OUT_OF_RANGE, "the coefficient of \"%s\" is out of range",
						   ml_design_term(env, model->design, problem->data->schema, j));
	}
	model->intercept = problem->y_center + ldexp(fit->intercept, problem->y_exponent);
	model->intercept_error = ldexp(fit->intercept_error * model->sigma, problem->y_exponent);
	model->sigma = ldexp(model->sigma, problem->y_exponent);
	if (!isfinite(model->intercept) || isinf(model->intercept_error) || isinf(model->sigma))
		return ml_fail(env, ML_OUT_OF_RANGE, "the intercept or the residual deviation is out of range");
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
	LinearModel *model = ml_alloc0(env, 1, sizeof(LinearModel));
	MlLeastSquares problem = {.data = data, .intercept = ml_param_bool(params, PARAM_FIT_INTERCEPT), .rcond = ml_param_double(params, PARAM_TOL)};
	MlLeastSquaresFit fit;
	MlDesignScale *scale;
	size_t		p;

	if (model == NULL)
		return env->error.status;
	ML_TRY(ml_linear_begin(env, data->n_train));
	ML_TRY(ml_design_fit(env, data, (int) ml_param_int(params, PARAM_MAX_CATEGORIES), &model->design));
	ML_TRY(ml_design_scale(env, model->design, problem.intercept, &scale));
	problem.design = model->design;
	problem.scale = scale;
	model->alpha = ml_param_double(params, PARAM_ALPHA);
	problem.alpha = model->alpha * (data->weight != NULL ? model->design->weight_factor : 1);
	ml_linear_scale_target(problem.design, data, problem.intercept, &problem.y_center, &problem.y_exponent);
	problem.y_factor = ldexp(1, -problem.y_exponent);

	p = model->design->n_columns;
	model->coef = ml_alloc0(env, p, sizeof(double));
	model->error = ml_alloc0(env, p, sizeof(double));
	if (model->coef == NULL || model->error == NULL)
		return env->error.status;
	ML_TRY(ml_least_squares(env, &problem, &fit));

	model->has_intercept = problem.intercept;
	model->freedom = (double) model->design->n_rows - problem.intercept - fit.freedom;
	/* A ridge fit may use up all but a fraction of a degree of freedom; below this it is rounding. */
	model->sigma = model->freedom > 1e-6 ? sqrt(fit.rss / model->freedom) : NAN;
	ML_TRY(unscale(env, &problem, &fit, model));
	warn_of_rank(env, &problem, &fit);
	*result = model;
	return ML_OK;
}

static void
linear_predict(const void *fitted, const double *x, double *out, void *scratch)
{
	const LinearModel *model = fitted;

	(void) scratch;
	out[0] = model->intercept;
	ml_design_dot(model->design, model->coef, 1, x, out);
}

static bool
linear_predict_batch(const void *fitted, const double *x, size_t n, double *out, void *scratch)
{
	const LinearModel *model = fitted;

	(void) scratch;
	for (size_t i = 0; i < n; i++)
		out[i] = model->intercept;
	ml_design_dot_batch(model->design, model->coef, 1, x, n, out);
	return true;
}

static double
linear_predict_cost(const void *fitted)
{
	return 10 + 2.0 * ((const LinearModel *) fitted)->design->n_features;
}

static void
linear_save(const void *fitted, MlWriter *w)
{
	const LinearModel *model = fitted;

	ml_design_save(model->design, w);
	ml_put_u8(w, model->has_intercept);
	ml_put_double(w, model->alpha);
	ml_put_double(w, model->freedom);
	ml_linear_put_error(w, model->sigma);
	ml_put_double(w, model->intercept);
	ml_linear_put_error(w, model->intercept_error);
	ml_put_doubles(w, model->coef, model->design->n_columns);
	for (int j = 0; j < model->design->n_columns; j++)
		ml_linear_put_error(w, model->error[j]);
}

static MlStatus
linear_load(MlReader *r, const MlSchema *schema, void **result)
{
	LinearModel *model = ml_alloc0(r->env, 1, sizeof(LinearModel));

	if (model == NULL)
		return r->env->error.status;
	ML_TRY(ml_design_load(r, schema, &model->design));
	model->has_intercept = ml_get_u8(r) != 0;
	model->alpha = ml_get_finite(r);
	model->freedom = ml_get_finite(r);
	model->sigma = ml_linear_get_error(r);
	model->intercept = ml_get_finite(r);
	model->intercept_error = ml_linear_get_error(r);
	model->coef = ml_get_doubles(r, model->design->n_columns);
	ML_TRY(r->status);
	model->error = ml_alloc0(r->env, model->design->n_columns, sizeof(double));
	if (model->error == NULL)
		return r->env->error.status;
	for (int j = 0; j < model->design->n_columns; j++)
		model->error[j] = ml_linear_get_error(r);
	*result = model;
	return r->status;
}

static MlStatus
linear_importance(MlEnv *env, const void *fitted, const MlSchema *schema, const char *how, double *out)
{
	const LinearModel *model = fitted;

	ML_TRY(ml_linear_importance_kind(env, how));
	for (int f = 0; f < schema->n_features; f++)
		out[f] = ml_design_spread(model->design, f, model->coef, 1);
	return ML_OK;
}

static void
set_row(const LinearModel *model, const char *term, double estimate, double error, MlCoefficient *row)
{
	row->class_label = NULL;
	row->term = term;
	row->estimate = estimate;
	row->std_error = error;
	row->statistic = error > 0 ? estimate / error : NAN;
	row->p_value = error > 0 && model->freedom > 0 ? ml_t_two_sided(row->statistic, model->freedom) : NAN;
}

static MlStatus
linear_coefficients(MlEnv *env, const void *fitted, const MlSchema *schema, MlCoefficient **rows, size_t *count)
{
	const LinearModel *model = fitted;
	size_t		n = 0;

	*rows = ml_alloc0(env, (size_t) model->design->n_columns + 1, sizeof(MlCoefficient));
	if (*rows == NULL)
		return env->error.status;
	if (model->has_intercept)
		set_row(model, ML_LINEAR_INTERCEPT, model->intercept, model->intercept_error, &(*rows)[n++]);
	for (int j = 0; j < model->design->n_columns; j++)
	{
		const char *term = ml_design_term(env, model->design, schema, j);

		if (term == NULL)
			return env->error.status;
		set_row(model, term, model->coef[j], model->error[j], &(*rows)[n++]);
	}
	*count = n;
	return ML_OK;
}

/* The model itself says all there is to say. */
static MlStatus
linear_explainer(MlEnv *env, const void *fitted, const MlSchema *schema, void **explainer)
{
	const LinearModel *model = fitted;
	double	   *mean = ml_alloc(env, (size_t) schema->n_features + 1, sizeof(double));
	MlLinearExplainer *e = ml_alloc0(env, 1, sizeof(MlLinearExplainer));

	if (mean == NULL || e == NULL)
		return env->error.status;
	e->model = model;
	e->baseline = &mean[schema->n_features];
	*e->baseline = model->intercept;
	ml_design_effects(model->design, model->coef, 1, 0, NULL, NULL, mean);
	for (int f = 0; f < schema->n_features; f++)
		*e->baseline += mean[f];
	*explainer = e;
	return ML_OK;
}

static void
linear_explain(void *explainer, const double *x, int class_number, double *contribution, double *baseline)
{
	const MlLinearExplainer *e = explainer;
	const LinearModel *model = e->model;

	(void) class_number;
	ml_design_effects(model->design, model->coef, 1, 0, x, contribution, NULL);
	*baseline = e->baseline[0];
}

const MlMethod ml_method_linear_regression = {
	.name = "linear_regression",
	.summary = "least squares and ridge regression with standard errors",
	.description =
	"Minimises the weighted sum of squared errors plus alpha times the sum of squared coefficients; the intercept is not penalised. "
	"Columns are centred and scaled by powers of two, the rows reduced to a triangle by blocked QR (never by the Gram matrix), so badly conditioned data keep their digits; "
	"few rows of very badly conditioned columns are computed in quadruple precision. Where columns are collinear, or there are fewer rows than columns, the solution of least norm is taken and a warning names the rank. "
	"Memory does not grow with the number of rows; time is rows x columns^2. At most 4096 columns. "
	"Missing numbers count as the training mean. Each category but the most frequent has a coefficient: its difference to the most frequent one; missing and rare categories have one if training had them. "
	"Standard errors, t and p: of ordinary least squares with rows - rank degrees of freedom (rows of weight 0 do not count; weights are inverse variances, as in R and statsmodels); "
	"null for coefficients that the data do not determine and for constant columns. With alpha > 0 the covariance is s^2 (X'X + aI)^-1 X'X (X'X + aI)^-1 with s^2 = RSS / (n - trace of the hat matrix); it measures variance only, not the bias of the penalty. "
	"Importance of a feature: the standard deviation of its contribution to the prediction over the training rows (for a number: |coefficient| x standard deviation). "
	"Contribution of a feature to a prediction: coefficient x (value - training mean); for a category, the effect of its level less the mean effect of the training rows.",
	.tasks = ML_TASK_REGRESSION,
	.format = 1,
	.needs_dense = true,
	.params = linear_params,
	.memory = linear_memory,
	.fit = linear_fit,
	.save = linear_save,
	.load = linear_load,
	.predict = linear_predict,
	.predict_batch = linear_predict_batch,
	.predict_cost = linear_predict_cost,
	.importance = linear_importance,
	.coefficients = linear_coefficients,
	.explainer = linear_explainer,
	.explain = linear_explain,
};
