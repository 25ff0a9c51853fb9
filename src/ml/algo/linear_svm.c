/*-------------------------------------------------------------------------
 * linear_svm.c
 *	  Linear support vector machines: classes (one against the rest) and numbers.
 *
 * Minimises 1/2 (|w|^2 + (b / intercept_scaling)^2) + C sum of weight * loss: the objective of liblinear and of
 * scikit-learn's LinearSVC and LinearSVR, which penalise the intercept like a column of ones.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "ml/algo/linear_model.h"
#include "ml/algo/linear_terms.h"
#include "ml/algo/svm_fit.h"
#include "ml/base/arena.h"
#include "ml/base/elementary.h"
#include "ml/base/rng.h"

enum
{
	PARAM_C,
	PARAM_LOSS,
	PARAM_EPSILON,
	PARAM_STANDARDIZE,
	PARAM_FIT_INTERCEPT,
	PARAM_INTERCEPT_SCALING,
	PARAM_FOLDS,
	PARAM_TOL,
	PARAM_MAX_ITER,
	PARAM_MAX_CATEGORIES
};

enum
{
	LOSS_AUTO,
	LOSS_HINGE,
	LOSS_SQUARED_HINGE,
	LOSS_EPSILON,
	LOSS_SQUARED_EPSILON
};

static const MlParam svm_params[] = {
	{.name = "C", .type = ML_PARAM_DOUBLE, .default_number = 1, .minimum = 0, .open_minimum = true, .maximum = INFINITY, .open_maximum = true,
		.aliases = "c|cost|inverse_regularization",
	.description = "Weight of the losses against half the sum of squared coefficients."},
	{.name = "loss", .type = ML_PARAM_CHOICE, .default_choice = "auto", .choices = "auto|hinge|squared_hinge|epsilon_insensitive|squared_epsilon_insensitive",
	.description = "auto is squared_hinge for classes and epsilon_insensitive for numbers, as scikit-learn."},
	{.name = "epsilon", .type = ML_PARAM_DOUBLE, .default_number = 0, .minimum = 0, .maximum = INFINITY, .open_maximum = true,
		.aliases = "epsilon_insensitive_zone|tube",
	.description = "Of a regression: errors up to this cost nothing, in the units of the target."},
	{.name = "standardize", .type = ML_PARAM_BOOL, .default_number = 1,
		.aliases = "normalize",
	.description = "Whether columns are centred and divided by their standard deviations for the fit, or taken as they are (false, as scikit-learn); coefficients are reported in the units of the data either way."},
	{.name = "fit_intercept", .type = ML_PARAM_BOOL, .default_number = 1,
		.aliases = "intercept|use_intercept",
	.description = "Whether a constant is added to the equation."},
	{.name = "intercept_scaling", .type = ML_PARAM_DOUBLE, .default_number = 1, .minimum = 0, .open_minimum = true, .maximum = 1e100,
		.aliases = "bias",
	.description = "The constant is penalised as the coefficient of a column of this value; the greater, the less."},
	{.name = "probability_folds", .type = ML_PARAM_INT, .default_number = 3, .minimum = 0, .maximum = 20,
		.aliases = "platt_folds",
	.description = "Of classes: probabilities are scaled by scores of rows that did not train, from so many folds; 0 takes the scores of the training rows."},
	{.name = "tol", .type = ML_PARAM_DOUBLE, .default_number = 1e-6, .minimum = 0, .open_minimum = true, .maximum = 1, .open_maximum = true,
		.aliases = "tolerance",
	.description = "The fit ends when what the objective can still lose is below the square of this share; coefficients are certain to about this share."},
	{.name = "max_iter", .type = ML_PARAM_INT, .default_number = 200, .minimum = 1, .maximum = 100000,
		.aliases = "max_iterations|iterations",
	.description = "At most so many steps."},
	{.name = "max_categories", .type = ML_PARAM_INT, .default_number = ML_DESIGN_MAX_CATEGORIES, .minimum = 1, .maximum = ML_DESIGN_MAX_COLUMNS,
		.aliases = "max_levels",
	.description = "At most so many categories of a column keep a coefficient of their own; the rarest share one, (other)."},
	{NULL}
};

typedef struct SvmModel
{
	MlLinearModel linear;
	double		slope;			/* probabilities are those of slope * score */
} SvmModel;

static bool
is_squared(const MlParams *params, bool regression)
{
	int			loss = (int) ml_param_int(params, PARAM_LOSS);

	return loss == LOSS_AUTO ? !regression : loss == LOSS_SQUARED_HINGE || loss == LOSS_SQUARED_EPSILON;
}

static size_t
svm_memory(const MlSchema *schema, const MlParams *params, size_t n, int threads)
{
	int			cap = (int) ml_param_int(params, PARAM_MAX_CATEGORIES);
	size_t		p = ml_design_bound(schema, cap);
	bool		regression = schema->task == ML_TASK_REGRESSION;
	size_t		k = schema->n_classes > 2 ? schema->n_classes : 1;

	(void) threads;
	if (p > ML_DESIGN_MAX_COLUMNS)
		p = ML_DESIGN_MAX_COLUMNS;
	return ml_svm_memory(n, p + 1, regression, is_squared(params, regression)) + ml_design_memory(schema, cap) +
		(regression ? 0 : n * (k + 1) * sizeof(double)) + (p + 2) * (k + 8) * 16 + 65536;
}

/* ------------------------------------------------------------------------
 * One fit
 * ------------------------------------------------------------------------
 */

typedef struct Fit
{
	MlEnv	   *env;
	const MlDataset *data;
	const MlParams *params;
	MlSvm		svm;
	int			equations;
	double		unit_weight;
} Fit;

/* What half the square of u_j weighs: its coefficient as the objective sees it, squared. */
static void
set_penalty(Fit *fit)
{
	MlSvm	   *svm = &fit->svm;
	double		scaling = ml_param_double(fit->params, PARAM_INTERCEPT_SCALING);

	if (svm->intercept)
		svm->penalty[0] = 1 / (scaling * scaling);
	for (int k = 0; k < svm->scale->n; k++)
	{
		double		unit = svm->scale->factor[k];

		if (ml_param_bool(fit->params, PARAM_STANDARDIZE))
			unit *= svm->design->columns[svm->scale->column[k]].deviation;
		svm->penalty[k + svm->intercept] = fmin(fmax(unit * unit, 1e-200), 1e200);
	}
}

/* Rows of a fold get no weight; fold -1: all rows train. */
static inline int
fold_of(const Fit *fit, size_t row, int folds)
{
	return (int) (ml_rng_u64(fit->env->seed, 0x706c617474, row) % (uint64_t) folds);
}

static MlStatus
fit_equation(Fit *fit, int equation, int fold, int folds)
{
	MlSvm	   *svm = &fit->svm;
	double		c = ml_param_double(fit->params, PARAM_C) * fit->unit_weight;
	int			positive = fit->equations > 1 ? equation : 1;

	for (size_t i = 0; i < fit->data->n_train; i++)
	{
		svm->c[i] = fold >= 0 && fold_of(fit, i, folds) == fold ? 0 : c * ml_design_weight(svm->design, fit->data, i);
		svm->sign[i] = svm->regression ? 1 : (int) fit->data->y[i] == positive ? 1 : -1;
	}
	return ml_svm_fit(fit->env, svm);
}

/* ------------------------------------------------------------------------
 * Probabilities
 * ------------------------------------------------------------------------
 */

/* Scores between two looks at whether the run is canceled. */
#define SCORES_TOGETHER 262144

/* Slope and curvature of the log loss of softmax(a f), or sigmoid for two classes, at a. */
static MlStatus
loss_at(const Fit *fit, const double *f, double a, double *first, double *second)
{
	size_t		n = fit->data->n_train;
	int			k = fit->equations;
	size_t		since = 0;

	*first = *second = 0;
	for (size_t i = 0; i < n; i++)
	{
		double		w = ml_design_weight(fit->svm.design, fit->data, i);
		int			y = (int) fit->data->y[i];

		since += k;
		if (since > SCORES_TOGETHER)
		{
			since = 0;
			if (ml_canceled(fit->env))
				return ml_fail(fit->env, ML_CANCELED, "canceled");
		}
		if (w == 0)
			continue;
		if (k == 1)
		{
			double		p = ml_sigmoid(a * f[i]);

			*first += w * f[i] * (p - (y == 1));
			*second += w * f[i] * f[i] * p * (1 - p);
		}
		else
		{
			double		top = -INFINITY,
						sum = 0,
						mean = 0,
						square = 0;

			for (int c = 0; c < k; c++)
				top = fmax(top, a * f[c * n + i]);
			for (int c = 0; c < k; c++)
			{
				double		e = ml_exp(a * f[c * n + i] - top);

				sum += e;
				mean += e * f[c * n + i];
				square += e * f[c * n + i] * f[c * n + i];
			}
			mean /= sum;
			*first += w * (mean - f[y * n + i]);
			*second += w * (square / sum - mean * mean);
		}
	}
	return ML_OK;
}

/* The slope of maximum likelihood, in bounds: scores that separate the classes would want an infinite one. */
static MlStatus
best_slope(const Fit *fit, const double *f, double *slope)
{
	double		low = 1e-3,
				high = 1e3;
	double		a = 1;

	*slope = a;
	for (int i = 0; i < 100; i++)
	{
		double		first,
					second,
					next;

		ML_TRY(loss_at(fit, f, a, &first, &second));
		if (first > 0)
			high = a;
		else
			low = a;
		next = second > 0 ? a - first / second : a;
		if (!(next > low && next < high))
			next = sqrt(low * high);
		*slope = next;
		if (fabs(next - a) <= 1e-10 * a)
			break;
		a = next;
	}
	return ML_OK;
}

/* Scores of the rows from fits without them, and the slope that suits these. */
static MlStatus
calibrate(Fit *fit, SvmModel *model, double *f, double *scores)
{
	size_t		n = fit->data->n_train;
	int			folds = (int) ml_param_int(fit->params, PARAM_FOLDS);

	folds = folds == 1 ? 0 : folds;
	for (int fold = 0; fold < folds; fold++)
		for (int e = 0; e < fit->equations; e++)
		{
			if (ml_canceled(fit->env))
				return ml_fail(fit->env, ML_CANCELED, "canceled");
			ML_TRY(fit_equation(fit, e, fold, folds));
			ML_TRY(ml_svm_scores(fit->env, &fit->svm, scores));
			for (size_t i = 0; i < n; i++)
				if (fold_of(fit, i, folds) == fold)
					f[e * n + i] = scores[i];
		}
	return best_slope(fit, f, &model->slope);
}

/* ------------------------------------------------------------------------
 * The method
 * ------------------------------------------------------------------------
 */

static MlStatus
check_loss(MlEnv *env, const MlParams *params, bool regression)
{
	int			loss = (int) ml_param_int(params, PARAM_LOSS);

	if (loss != LOSS_AUTO && regression != (loss >= LOSS_EPSILON))
	{
		ml_fail(env, ML_BAD_PARAM, "this loss is not for a %s", regression ? "regression" : "classification");
		return ml_hint(env, regression ? "Use epsilon_insensitive or squared_epsilon_insensitive." : "Use hinge or squared_hinge.");
	}
	return ML_OK;
}

static MlStatus
keep_equation(Fit *fit, MlLinearModel *linear, int e)
{
	const MlSvm *svm = &fit->svm;
	const MlDesignScale *scale = svm->scale;

	for (int k = 0; k < scale->n; k++)
	{
		ML_TRY(ml_linear_model_set(fit->env, linear, fit->data->schema, scale, e, k, svm->u[k + svm->intercept], NAN, 0));
		linear->intercept[e] -= scale->center[k] * scale->factor[k] * svm->u[k + svm->intercept];
	}
	linear->intercept[e] += svm->intercept ? svm->u[0] : 0;
	if (!isfinite(linear->intercept[e]))
		return ml_fail(fit->env, ML_OUT_OF_RANGE, "the intercept is out of range");
	return ML_OK;
}

static MlStatus
svm_fit(MlEnv *env, const MlDataset *data, const MlParams *params, void **result)
{
	SvmModel   *model = ml_alloc0(env, 1, sizeof(SvmModel));
	Fit			fit = {.env = env, .data = data, .params = params};
	MlSvm	   *svm = &fit.svm;
	MlLinearModel *linear;
	MlDesignScale *scale;
	size_t		n = data->n_train;
	double	   *f = NULL;
	double	   *scores = NULL;
	double		objective = 0;
	double		iterations = 0;
	bool		converged = true;

	if (model == NULL)
		return env->error.status;
	linear = &model->linear;
	svm->data = data;
	svm->regression = data->schema->task == ML_TASK_REGRESSION;
	svm->squared = is_squared(params, svm->regression);
	svm->intercept = ml_param_bool(params, PARAM_FIT_INTERCEPT);
	svm->epsilon = ml_param_double(params, PARAM_EPSILON);
	svm->tol = ml_param_double(params, PARAM_TOL);
	svm->max_iter = (int) ml_param_int(params, PARAM_MAX_ITER);
	fit.equations = data->schema->n_classes > 2 ? data->schema->n_classes : 1;
	ML_TRY(check_loss(env, params, svm->regression));
	ML_TRY(ml_linear_begin(env, n));
	ML_TRY(ml_design_fit(env, data, (int) ml_param_int(params, PARAM_MAX_CATEGORIES), &linear->design));
	/* Without centring the intercept of the objective is the one at 0. */
	ML_TRY(ml_design_scale(env, linear->design, ml_param_bool(params, PARAM_STANDARDIZE) && svm->intercept, &scale));
	svm->design = linear->design;
	svm->scale = scale;
	fit.unit_weight = data->weight == NULL ? 1 : ldexp(1, linear->design->weight_exponent);
	ML_TRY(ml_svm_init(env, svm));
	set_penalty(&fit);
	ML_TRY(ml_linear_model_alloc(env, linear, fit.equations));
	linear->has_intercept = svm->intercept;
	linear->freedom = -1;
	model->slope = svm->regression ? 0 : 1;
	if (!svm->regression)
	{
		f = ml_alloc0(env, n * fit.equations, sizeof(double));
		scores = ml_alloc0(env, n, sizeof(double));
		if (f == NULL || scores == NULL)
			return env->error.status;
	}
	for (int e = 0; e < fit.equations; e++)
	{
		ML_TRY(fit_equation(&fit, e, -1, 0));
		ML_TRY(keep_equation(&fit, linear, e));
		if (!svm->regression)
			ML_TRY(ml_svm_scores(env, svm, f + e * n));
		objective += svm->objective;
		iterations += svm->iterations;
		converged = converged && svm->converged;
	}
	if (!converged)
		ml_warn(env, "not converged after %d steps (max_iter)", svm->max_iter);
	if (!svm->regression)
		ML_TRY(calibrate(&fit, model, f, scores));
	ml_statistics_add(&linear->statistics, ML_STAT_ROWS, linear->design->n_rows);
	ml_statistics_add(&linear->statistics, ML_STAT_COLUMNS, linear->design->n_columns);
	ml_statistics_add(&linear->statistics, ML_STAT_OBJECTIVE, objective);
	ml_statistics_add(&linear->statistics, ML_STAT_ITERATIONS, iterations);
	ml_statistics_add(&linear->statistics, ML_STAT_CONVERGED, converged);
	*result = model;
	return ML_OK;
}

/* A feature near 1e308 may drive a score out of range; keep it a number, so that probabilities stay probabilities. */
static inline double
bounded(double score)
{
	if (isnan(score))
		return 0;
	return score > DBL_MAX ? DBL_MAX : score < -DBL_MAX ? -DBL_MAX : score;
}

static void
svm_predict(const void *fitted, const double *x, double *out, void *scratch)
{
	const SvmModel *model = fitted;
	const MlLinearModel *linear = &model->linear;

	(void) scratch;
	for (int e = 0; e < linear->n; e++)
		out[e] = linear->intercept[e];
	ml_design_dot(linear->design, linear->coef, linear->n, x, out);
	if (model->slope == 0)
		return;					/* a regression */
	for (int e = 0; e < linear->n; e++)
		out[e] = bounded(bounded(out[e]) * model->slope);
	if (linear->n > 1)
	{
		ml_softmax(out, linear->n);
		return;
	}
	/* Two classes: the smaller probability is computed, so that it keeps its digits. */
	{
		double		score = out[0];
		double		small = ml_sigmoid(score > 0 ? -score : score);

		out[score > 0 ? 0 : 1] = small;
		out[score > 0 ? 1 : 0] = 1 - small;
	}
}

static void
svm_save(const void *fitted, MlWriter *w)
{
	const SvmModel *model = fitted;

	ml_linear_model_save(&model->linear, w);
	ml_put_double(w, model->slope);
}

static MlStatus
svm_load(MlReader *r, const MlSchema *schema, void **result)
{
	SvmModel   *model = ml_alloc0(r->env, 1, sizeof(SvmModel));
	bool		regression = schema->task == ML_TASK_REGRESSION;

	if (model == NULL)
		return r->env->error.status;
	*result = model;
	ML_TRY(ml_linear_model_load(r, schema, schema->n_classes > 2 ? schema->n_classes : 1, &model->linear));
	model->slope = ml_get_finite(r);
	ML_TRY(r->status);
	if (schema->n_classes == 1 || (regression ? model->slope != 0 : !(model->slope > 0)))
		return ml_reader_corrupt(r, "slope of the probabilities");
	return ML_OK;
}

/* On the scale of the log-odds: slope x score; the first of two classes has the negative. */
static MlStatus
svm_explainer(MlEnv *env, const void *fitted, const MlSchema *schema, void **explainer)
{
	return ml_linear_model_explainer(env, fitted, schema, explainer);
}

static void
svm_explain(void *explainer, const double *x, int class_number, double *contribution, double *baseline)
{
	const SvmModel *model = ((const MlLinearExplainer *) explainer)->model;
	const MlLinearModel *linear = &model->linear;
	double		factor = model->slope == 0 ? 1 : linear->n == 1 && class_number == 0 ? -model->slope : model->slope;

	ml_linear_model_explain(explainer, x, class_number, contribution, baseline);
	for (int f = 0; f < linear->design->n_features; f++)
		contribution[f] *= factor;
	*baseline *= factor;
}

const MlMethod ml_method_linear_svm = {
	.name = "linear_svm",
	.summary = "linear support vector machine for classes and numbers",
	.description =
	"Minimises half the sum of squared coefficients (the constant's divided by intercept_scaling^2) plus C times the weighted sum of losses: hinge or squared hinge of two classes, epsilon-insensitive or its square of numbers (Cortes and Vapnik 1995; the objective of liblinear and scikit-learn). "
	"More than two classes: one equation each, against the rest. "
	"Squared losses by Newton's method (Keerthi and DeCoste 2005), plain ones by a primal-dual interior point method (Ferris and Munson 2002): some ten to thirty steps of rows x columns^2, on all threads, to the precision of tol; plain losses keep 64 bytes a row (numbers: 128). At most 4096 columns. "
	"By default columns are centred and divided by their standard deviations first; standardize = false gives scikit-learn's objective. "
	"The class predicted is that of the greatest score; probabilities are those of slope x score (Platt 1999, without a constant, so that they agree with the class), the slope by maximum likelihood on scores of rows that did not train. "
	"Missing numbers count as the training mean. Each category but the most frequent has a coefficient; missing and rare categories have one if training had them. There are no standard errors. "
	"Importance of a feature: the standard deviation of its contribution to the score over the training rows; the root mean square over the equations. "
	"Contributions of ml_explain add up to the value of a regression, of classes to slope x score, the log-odds.",
	.tasks = ML_TASK_REGRESSION | ML_TASK_CLASSIFICATION,
	.reads_sparse = true,
	.format = 1,
	.needs_dense = true,
	.params = svm_params,
	.memory = svm_memory,
	.fit = svm_fit,
	.save = svm_save,
	.load = svm_load,
	.predict = svm_predict,
	.predict_cost = ml_linear_model_cost,
	.importance = ml_linear_model_importance,
	.coefficients = ml_linear_model_coefficients,
	.statistics = ml_linear_model_statistics,
	.explainer = svm_explainer,
	.explain = svm_explain,
};
