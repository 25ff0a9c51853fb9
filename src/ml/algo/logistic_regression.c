/*-------------------------------------------------------------------------
 * logistic_regression.c
 *	  Logistic regression for two and more classes, with an L2 penalty and Wald statistics.
 *
 * Minimises 1/2 |w|^2 + C sum of weight * log loss, the intercepts unpenalised:
 * scikit-learn's objective, in the units of the data (columns are scaled inside, the
 * penalty is not).  Two classes: one equation, for the second class.  More: the
 * symmetric softmax with one equation for each class, whose coefficients sum to 0.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "ml/algo/glm_fit.h"
#include "ml/algo/linear_terms.h"
#include "ml/algo/logistic_fit.h"
#include "ml/base/arena.h"
#include "ml/base/elementary.h"
#include "ml/model/method.h"

enum
{
	PARAM_C,
	PARAM_PENALTY,
	PARAM_FIT_INTERCEPT,
	PARAM_TOL,
	PARAM_MAX_ITER,
	PARAM_MAX_CATEGORIES,
	PARAM_COVARIANCE
};

enum
{
	PENALTY_L2,
	PENALTY_NONE
};

static const MlParam logistic_params[] = {
	{.name = "C", .type = ML_PARAM_DOUBLE, .default_number = 1, .minimum = 0, .open_minimum = true, .maximum = INFINITY, .open_maximum = true,
		.aliases = "c|inverse_regularization",
	.description = "Inverse strength of the penalty: the objective is half the sum of squared coefficients plus C times the sum of log losses."},
	{.name = "penalty", .type = ML_PARAM_CHOICE, .default_choice = "l2", .choices = "l2|none",
		.aliases = "regularization",
	.description = "Whether squared coefficients are penalised (the intercepts never are)."},
	{.name = "fit_intercept", .type = ML_PARAM_BOOL, .default_number = 1,
		.aliases = "intercept|use_intercept",
	.description = "Whether a constant is added to each equation."},
	{.name = "tol", .type = ML_PARAM_DOUBLE, .default_number = 1e-8, .minimum = 0, .open_minimum = true, .maximum = 1,
		.aliases = "tolerance|epsilon",
	.description = "The fit ends with the Newton step that changes no scaled coefficient by more than this share of the greatest one; the error that is left is about its square."},
	{.name = "max_iter", .type = ML_PARAM_INT, .default_number = 100, .minimum = 1, .maximum = 100000,
		.aliases = "max_iterations|n_iter|iterations",
	.description = "At most so many Newton steps."},
	{.name = "max_categories", .type = ML_PARAM_INT, .default_number = ML_DESIGN_MAX_CATEGORIES, .minimum = 1, .maximum = ML_DESIGN_MAX_COLUMNS,
		.aliases = "max_levels",
	.description = "At most so many categories of a column keep a coefficient of their own; the rarest share one, (other)."},
	{.name = "covariance", .type = ML_PARAM_CHOICE, .default_choice = "model", .choices = ML_COVARIANCE_WORDS,
		.aliases = "cov_type|vcov|robust",
	.description = "Standard errors by the inverse Hessian, or robust against a model that does not hold (White's HC0, its corrections HC1, HC2, HC3); these are for two classes and penalty none."},
	{NULL}
};

typedef struct LogisticModel
{
	MlDesign   *design;
	bool		has_intercept;
	int32_t		n_classes;
	int32_t		n_scores;		/* 1 for two classes, else one for each class seen in training */
	int32_t    *class_of;		/* score -> class, ascending */
	double	   *intercept;		/* n_scores */
	double	   *intercept_error;	/* NaN: not known */
	double	   *coef;			/* n_columns x n_scores, row-major */
	double	   *error;
	MlStatistics statistics;
} LogisticModel;

static size_t
logistic_memory(const MlSchema *schema, const MlParams *params, size_t n, int threads)
{
	int			cap = (int) ml_param_int(params, PARAM_MAX_CATEGORIES);
	size_t		columns = ml_design_bound(schema, cap);
	/* What the target has is not known before it is read: then two classes are taken. */
	size_t		k = schema->n_classes > 2 ? schema->n_classes : 2;
	size_t		q = (columns > ML_DESIGN_MAX_COLUMNS ? ML_DESIGN_MAX_COLUMNS : columns) + 1;
	size_t		size = (k - 1) * q;
	size_t		robust = 0;
	bool		matrix_free;

	(void) threads;
	matrix_free = size > ML_LOGISTIC_DIRECT_SIZE;
	if (ml_param_int(params, PARAM_COVARIANCE) != ML_COVARIANCE_MODEL && !matrix_free)
		robust = ml_glm_memory(n, q);
	return robust + ml_softmax_loss_memory(n, q, k, matrix_free) + ml_logistic_fit_memory(q, size, matrix_free) + ml_design_memory(schema, cap) + 4 * k * q * sizeof(double);
}

/* Which classes training has; at least two. */
static MlStatus
find_classes(MlEnv *env, const MlDataset *data, LogisticModel *model, int32_t **compact)
{
	int32_t		n = data->schema->n_classes;
	int32_t		present = 0;
	bool	   *seen = ml_alloc0(env, n, sizeof(bool));

	*compact = ml_alloc0(env, n, sizeof(int32_t));
	model->class_of = ml_alloc0(env, n, sizeof(int32_t));
	if (seen == NULL || *compact == NULL || model->class_of == NULL)
		return env->error.status;
	for (size_t i = 0; i < data->n_train; i++)
		if (data->weight == NULL || data->weight[i] > 0)
			seen[(int32_t) data->y[i]] = true;
	for (int32_t c = 0; c < n; c++)
	{
		/* Rows of a class that only has rows without weight count for nothing, as whatever class. */
		(*compact)[c] = seen[c] ? present : 0;
		if (seen[c])
			model->class_of[present++] = c;
		else
			ml_warn(env, "class \"%s\" has no training rows and is never predicted", data->schema->classes[c]);
	}
	if (present < 2)
		return ml_fail(env, ML_BAD_DATA, "the training rows have fewer than two classes");
	model->n_classes = n;
	model->n_scores = n == 2 ? 1 : present;
	if (n == 2)
		model->class_of[0] = 1;
	return ML_OK;
}

static double
covariance_at(const MlLogisticFit *fit, size_t size, size_t i, size_t j)
{
	return i <= j ? fit->covariance[j * size + i] : fit->covariance[i * size + j];
}

/* Does a null direction move coefficient j?  Then the data do not determine it. */
static bool
undetermined(const MlSoftmaxLoss *loss, const MlLogisticFit *fit, const double *t)
{
	double		size = 0;

	for (size_t j = 0; j < loss->q; j++)
		size += t[j] * t[j];
	for (size_t k = 0; k < fit->null.n; k++)
	{
		double		dot = 0;

		for (size_t j = 0; j < loss->q; j++)
			dot += t[j] * fit->null.v[k * loss->q + j];
		if (dot * dot > 1e-12 * size)
			return true;
	}
	return false;
}

/* What is told for score s: the class of two that has the score, or one of more. */
static double
of_score(const MlSoftmaxLoss *loss, const double *of_class, int s)
{
	return of_class[loss->binary ? 1 : s];
}

/* of_class (k) = the standard errors of t' times the coefficients: the roots of the diagonal of B (t' V t) B'.  work: m x (m + k) + k. */
static void
errors_of(const MlSoftmaxLoss *loss, const MlLogisticFit *fit, const double *t, double *work, double *of_class)
{
	size_t		m = loss->m;
	double	   *inner = work;	/* m x m */
	double	   *half = work + m * m;	/* m x k */
	double	   *row = half + m * loss->k;

	for (size_t k = 0; k < loss->k; k++)
		of_class[k] = NAN;
	if (fit->covariance == NULL || undetermined(loss, fit, t))
		return;
	for (size_t c = 0; c < m; c++)
		for (size_t d = 0; d <= c; d++)
		{
			double		part = 0;

			for (size_t i = 0; i < loss->q; i++)
				for (size_t j = 0; t[i] != 0 && j < loss->q; j++)
					if (t[j] != 0)
						part += t[i] * t[j] * covariance_at(fit, loss->size, c * loss->q + i, d * loss->q + j);
			inner[c * m + d] = inner[d * m + c] = part;
		}
	for (size_t c = 0; c < m; c++)
		ml_softmax_to_classes(loss, inner + c * m, 1, half + c * loss->k);
	for (size_t k = 0; k < loss->k; k++)
	{
		ml_softmax_to_classes(loss, half + k, loss->k, row);
		of_class[k] = sqrt(fmax(row[k], 0));
	}
}

/* of_class (k) = t' times the coefficients of each class.  work: m */
static void
values_of(const MlSoftmaxLoss *loss, const MlLogisticFit *fit, const double *t, double *work, double *of_class)
{
	for (size_t c = 0; c < loss->m; c++)
	{
		work[c] = 0;
		for (size_t j = 0; j < loss->q; j++)
			work[c] += t[j] * fit->u[c * loss->q + j];
	}
	ml_softmax_to_classes(loss, work, 1, of_class);
}

/* Coefficients and errors of all scores in the units of the data. */
static MlStatus
unscale(MlEnv *env, const MlSoftmaxLoss *loss, const MlLogisticFit *fit, LogisticModel *model)
{
	const MlDesignScale *scale = loss->scale;
	double		per_row = ldexp(sqrt(1 / loss->design->total_weight), -loss->design->weight_exponent / 2);
	double	   *t = ml_alloc0(env, loss->q, sizeof(double));
	double	   *value = ml_alloc0(env, loss->k, sizeof(double));
	double	   *error = ml_alloc0(env, loss->k, sizeof(double));
	double	   *work = ml_alloc0(env, fit->covariance == NULL ? loss->m : loss->m * (loss->m + loss->k) + loss->k, sizeof(double));

	if (t == NULL || value == NULL || error == NULL || work == NULL)
		return env->error.status;
	if (loss->design->weight_exponent % 2 != 0)
		per_row *= loss->design->weight_exponent > 0 ? M_SQRT1_2 : M_SQRT2;
	for (size_t j = loss->first; j < loss->q; j++)
	{
		int			column = scale->column[j - loss->first];
		int			exponent = scale->exponent[j - loss->first];

		if (ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		t[j] = 1;
		values_of(loss, fit, t, work, value);
		errors_of(loss, fit, t, work, error);
		t[j] = 0;
		for (int s = 0; s < model->n_scores; s++)
		{
			size_t		at = (size_t) column * model->n_scores + s;

			model->coef[at] = ldexp(of_score(loss, value, s), -exponent);
			model->error[at] = ldexp(of_score(loss, error, s) * per_row, -exponent);
			if (!isfinite(model->coef[at]) || isinf(model->error[at]))
				return ml_fail(env, ML_OUT_OF_RANGE, "the coefficient of \"%s\" is out of range",
							   ml_design_term(env, model->design, loss->data->schema, column));
		}
	}
	for (int s = 0; s < model->n_scores; s++)
		model->intercept_error[s] = NAN;
	if (loss->first == 0)
		return ML_OK;

	/* At x = 0 rather than at the means. */
	t[0] = 1;
	for (size_t j = 1; j < loss->q; j++)
		t[j] = -scale->center[j - 1] * scale->factor[j - 1];
	values_of(loss, fit, t, work, value);
	errors_of(loss, fit, t, work, error);
	for (int s = 0; s < model->n_scores; s++)
	{
		model->intercept[s] = of_score(loss, value, s);
		model->intercept_error[s] = of_score(loss, error, s) * per_row;
		if (!isfinite(model->intercept[s]) || isinf(model->intercept_error[s]))
			return ml_fail(env, ML_OUT_OF_RANGE, "the intercept is out of range");
	}
	return ML_OK;
}

/* Log-likelihood of the model that knows only how frequent each class is. */
static double
null_log_likelihood(MlEnv *env, const MlSoftmaxLoss *loss, double unit)
{
	double	   *weight = ml_alloc0(env, loss->k, sizeof(double));
	double		result = 0;

	if (weight == NULL)
		return NAN;
	for (size_t i = 0; i < loss->data->n_train; i++)
	{
		int32_t		label = (int32_t) loss->data->y[i];

		weight[loss->class_of == NULL ? label : loss->class_of[label]] += ml_design_weight(loss->design, loss->data, i);
	}
	if (loss->first == 0)
		return -log(loss->k) * loss->design->total_weight * unit;
	for (size_t k = 0; k < loss->k; k++)
		result += weight[k] > 0 ? weight[k] * log(weight[k] / loss->design->total_weight) : 0;
	return result * unit;
}

/* Effective number of coefficients: the trace of (Hessian with the penalty)^-1 x Hessian without. */
static double
effective_coefficients(const MlSoftmaxLoss *loss, const MlLogisticFit *fit)
{
	double		df = loss->size - loss->m * (double) fit->null.n;

	if (fit->covariance == NULL)
		return NAN;
	for (size_t i = 0; i < loss->size; i++)
		df -= loss->penalty[i % loss->q] * fit->covariance[i * loss->size + i];
	return df;
}

static void
set_statistics(MlEnv *env, const MlSoftmaxLoss *loss, const MlLogisticFit *fit, bool penalized, LogisticModel *model)
{
	MlStatistics *s = &model->statistics;
	double		unit = loss->data->weight == NULL ? 1 : ldexp(1, loss->design->weight_exponent);
	double		n = loss->design->n_rows;
	double		constants = loss->first * (double) loss->m;
	double		likelihood = -fit->data_loss * loss->design->total_weight * unit;
	double		none = null_log_likelihood(env, loss, unit);
	double		df = effective_coefficients(loss, fit);
	double		ratio = 2 * (likelihood - none);

	ml_statistics_add(s, ML_STAT_ROWS, n);
	ml_statistics_add(s, ML_STAT_DF_MODEL, df - constants);
	ml_statistics_add(s, ML_STAT_DF_RESIDUAL, n - df);
	ml_statistics_add(s, ML_STAT_LOG_LIKELIHOOD, likelihood);
	ml_statistics_add(s, ML_STAT_NULL_LOG_LIKELIHOOD, none);
	ml_statistics_add(s, ML_STAT_DEVIANCE, -2 * likelihood);
	ml_statistics_add(s, ML_STAT_NULL_DEVIANCE, -2 * none);
	ml_statistics_add(s, ML_STAT_LIKELIHOOD_RATIO, penalized ? NAN : ratio);
	ml_statistics_add(s, ML_STAT_LIKELIHOOD_RATIO_P_VALUE, penalized ? NAN : ml_chi2_upper(ratio, df - constants));
	ml_statistics_add(s, ML_STAT_PSEUDO_R_SQUARED, none < 0 ? 1 - likelihood / none : NAN);
	ml_statistics_add(s, ML_STAT_AIC, -2 * likelihood + 2 * df);
	ml_statistics_add(s, ML_STAT_BIC, -2 * likelihood + log(n) * df);
	ml_statistics_add(s, ML_STAT_ITERATIONS, fit->iterations);
	ml_statistics_add(s, ML_STAT_CONVERGED, fit->converged);
}

/* Errors that hold also where the model does not: those of a binomial glm at these coefficients. */
static MlStatus
robust_errors(MlEnv *env, const MlSoftmaxLoss *loss, const MlLogisticFit *fit, MlCovariance type, LogisticModel *model)
{
	const MlDesignScale *scale = loss->scale;
	MlGlm		glm = {.data = loss->data, .design = loss->design, .scale = scale, .intercept = loss->first,
		.kind = {ML_GLM_BINOMIAL, ML_GLM_LOGIT, 0}, .covariance_type = type,
	.unit_weight = loss->data->weight == NULL ? 1 : ldexp(1, loss->design->weight_exponent)};

	if (fit->covariance == NULL)
		return ML_OK;			/* classes are separated: there are no errors of any kind */
	ML_TRY(ml_glm_robust(env, &glm, fit->u));
	for (int k = 0; k < scale->n; k++)
		model->error[scale->column[k]] = ldexp(ml_glm_column_error(&glm, k), -scale->exponent[k]);
	if (loss->first == 1)
		model->intercept_error[0] = ml_glm_constant_error(&glm);
	for (int j = 0; j <= model->design->n_columns; j++)
		if (isinf(j == 0 ? model->intercept_error[0] : model->error[j - 1]))
			return ml_fail(env, ML_OUT_OF_RANGE, "a robust standard error is out of range");
	return ML_OK;
}

static MlStatus
check_covariance(MlEnv *env, MlCovariance type, bool penalized, const MlSchema *schema)
{
	if (type == ML_COVARIANCE_MODEL || (!penalized && schema->n_classes == 2))
		return ML_OK;
	ml_fail(env, ML_BAD_PARAM, "robust standard errors are for two classes without a penalty");
	return ml_hint(env, penalized ? "Add penalty none, or leave out covariance." : "Leave out covariance.");
}

static void
warn_of_fit(MlEnv *env, const MlSoftmaxLoss *loss, const MlLogisticFit *fit, bool penalized)
{
	if (fit->separated)
		ml_warn(env, "the features separate the classes: without a penalty no coefficients are best; stopped after %d steps at a log loss of %.1e (use penalty l2)",
				fit->iterations, fit->data_loss);
	else if (!fit->converged)
		ml_warn(env, "not converged after %d steps (max_iter)", fit->iterations);
	if (fit->null.n > 0 && !penalized)
		ml_warn(env, "the %d varying columns of the features have rank %zu only: the coefficients of least norm were taken",
				loss->scale->n, loss->scale->n - fit->null.n);
}

static MlStatus
logistic_fit(MlEnv *env, const MlDataset *data, const MlParams *params, void **result)
{
	LogisticModel *model = ml_alloc0(env, 1, sizeof(LogisticModel));
	MlSoftmaxLoss loss = {.data = data, .first = ml_param_bool(params, PARAM_FIT_INTERCEPT)};
	bool		penalized = ml_param_int(params, PARAM_PENALTY) == PENALTY_L2;
	MlCovariance covariance = (MlCovariance) ml_param_int(params, PARAM_COVARIANCE);
	MlLogisticFit fit;
	MlDesignScale *scale;
	int32_t    *compact;
	double		strength;
	size_t		cells;

	if (model == NULL)
		return env->error.status;
	ML_TRY(check_covariance(env, covariance, penalized, data->schema));
	ML_TRY(ml_linear_begin(env, data->n_train));
	ML_TRY(find_classes(env, data, model, &compact));
	ML_TRY(ml_design_fit(env, data, (int) ml_param_int(params, PARAM_MAX_CATEGORIES), &model->design));
	ML_TRY(ml_design_scale(env, model->design, loss.first, &scale));
	loss.design = model->design;
	loss.scale = scale;
	loss.class_of = compact;
	loss.binary = model->n_classes == 2;
	loss.k = loss.binary ? 2 : model->n_scores;
	loss.matrix_free = (loss.k - 1) * (loss.first + scale->n) > ML_LOGISTIC_DIRECT_SIZE;
	/* Losses are added up in units of 2^weight_exponent, so the penalty is too. */
	strength = penalized ? 1 / ml_param_double(params, PARAM_C) : 0;
	if (data->weight != NULL)
		strength *= model->design->weight_factor;
	ML_TRY(ml_softmax_loss_init(env, &loss, strength));
	ML_TRY(ml_logistic_fit(env, &loss, penalized, ml_param_double(params, PARAM_TOL), (int) ml_param_int(params, PARAM_MAX_ITER), &fit));

	model->has_intercept = loss.first;
	cells = (size_t) model->design->n_columns * model->n_scores;
	model->coef = ml_alloc0(env, cells, sizeof(double));
	model->error = ml_alloc0(env, cells, sizeof(double));
	model->intercept = ml_alloc0(env, model->n_scores, sizeof(double));
	model->intercept_error = ml_alloc0(env, model->n_scores, sizeof(double));
	if (model->coef == NULL || model->error == NULL || model->intercept == NULL || model->intercept_error == NULL)
		return env->error.status;
	for (size_t i = 0; i < cells; i++)
		model->error[i] = NAN;
	ML_TRY(unscale(env, &loss, &fit, model));
	if (covariance != ML_COVARIANCE_MODEL)
		ML_TRY(robust_errors(env, &loss, &fit, covariance, model));
	set_statistics(env, &loss, &fit, penalized, model);
	warn_of_fit(env, &loss, &fit, penalized);
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

/* From the score of two classes to their probabilities. */
static inline void
two_probabilities(double score, double *out)
{
	score = bounded(score);
	/* The smaller one is computed, so that it keeps its digits; the sum is 1. */
	out[score > 0 ? 0 : 1] = ml_sigmoid(score > 0 ? -score : score);
	out[score > 0 ? 1 : 0] = 1 - out[score > 0 ? 0 : 1];
}

static void
logistic_predict(const void *fitted, const double *x, double *out, void *scratch)
{
	const LogisticModel *model = fitted;
	int			n = model->n_scores;

	(void) scratch;
	if (model->n_classes == 2)
	{
		double		score = model->intercept[0];

		ml_design_dot(model->design, model->coef, 1, x, &score);
		two_probabilities(score, out);
		return;
	}
	for (int s = 0; s < n; s++)
		out[s] = model->intercept[s];
	ml_design_dot(model->design, model->coef, n, x, out);
	ml_softmax(out, n);
	if (n == model->n_classes)
		return;

	/* Scores stand at the front, in the order of their classes: move them to their places from the end. */
	for (int c = model->n_classes - 1, s = n - 1; c >= 0; c--)
	{
		if (s >= 0 && model->class_of[s] == c)
			out[c] = out[s--];
		else
			out[c] = 0;
	}
}

/* Two classes; more go row by row. */
static bool
logistic_predict_batch(const void *fitted, const double *x, size_t n, double *out, void *scratch)
{
	const LogisticModel *model = fitted;
	double		score[ML_BATCH_ROWS];

	(void) scratch;
	if (model->n_classes != 2)
		return false;
	for (size_t i = 0; i < n; i++)
		score[i] = model->intercept[0];
	ml_design_dot_batch(model->design, model->coef, 1, x, n, score);
	for (size_t i = 0; i < n; i++)
		two_probabilities(score[i], out + 2 * i);
	return true;
}

static double
logistic_predict_cost(const void *fitted)
{
	const LogisticModel *model = fitted;

	return 20 + 2.0 * model->design->n_features + (10.0 + model->design->n_features) * (model->n_scores - 1);
}

static void
logistic_save(const void *fitted, MlWriter *w)
{
	const LogisticModel *model = fitted;
	size_t		cells = (size_t) model->design->n_columns * model->n_scores;

	ml_design_save(model->design, w);
	ml_put_u8(w, model->has_intercept);
	ml_put_u32(w, model->n_scores);
	for (int s = 0; s < model->n_scores; s++)
		ml_put_u32(w, model->class_of[s]);
	ml_put_doubles(w, model->intercept, model->n_scores);
	for (int s = 0; s < model->n_scores; s++)
		ml_linear_put_error(w, model->intercept_error[s]);
	ml_put_doubles(w, model->coef, cells);
	for (size_t i = 0; i < cells; i++)
		ml_linear_put_error(w, model->error[i]);
	ml_statistics_save(&model->statistics, w);
}

/* Number of scores, and which classes they are of. */
static MlStatus
load_classes(MlReader *r, const MlSchema *schema, LogisticModel *model)
{
	uint32_t	n = ml_get_count(r, sizeof(uint32_t) + 2 * sizeof(double));

	ML_TRY(r->status);
	if (schema->n_classes < 2 || n < 1 || n > (uint32_t) schema->n_classes || (schema->n_classes == 2) != (n == 1))
		return ml_reader_corrupt(r, "number of equations");
	model->n_classes = schema->n_classes;
	model->n_scores = (int32_t) n;
	model->class_of = ml_alloc0(r->env, n, sizeof(int32_t));
	if (model->class_of == NULL)
		return r->env->error.status;
	for (uint32_t s = 0; s < n; s++)
	{
		uint32_t	c = ml_get_u32(r);

		if (c >= (uint32_t) schema->n_classes || (s > 0 && (int32_t) c <= model->class_of[s - 1]))
			return ml_reader_corrupt(r, "class of an equation");
		model->class_of[s] = (int32_t) c;
	}
	return r->status;
}

static double *
get_errors(MlReader *r, size_t count)
{
	double	   *errors = ml_alloc0(r->env, count, sizeof(double));

	for (size_t i = 0; errors != NULL && i < count; i++)
		errors[i] = ml_linear_get_error(r);
	return errors;
}

static MlStatus
logistic_load(MlReader *r, const MlSchema *schema, void **result)
{
	LogisticModel *model = ml_alloc0(r->env, 1, sizeof(LogisticModel));
	size_t		cells;

	if (model == NULL)
		return r->env->error.status;
	ML_TRY(ml_design_load(r, schema, &model->design));
	model->has_intercept = ml_get_u8(r) != 0;
	ML_TRY(load_classes(r, schema, model));
	cells = (size_t) model->design->n_columns * model->n_scores;
	model->intercept = ml_get_doubles(r, model->n_scores);
	model->intercept_error = get_errors(r, model->n_scores);
	model->coef = ml_get_doubles(r, cells);
	ML_TRY(r->status);			/* the coefficients were there, so their number can be trusted */
	model->error = get_errors(r, cells);
	if (r->status == ML_OK && (model->intercept_error == NULL || model->error == NULL))
		return r->env->error.status;
	*result = model;
	ML_TRY(r->status);
	return ml_statistics_load(r, &model->statistics);
}

static MlStatus
logistic_importance(MlEnv *env, const void *fitted, const MlSchema *schema, const char *how, double *out)
{
	const LogisticModel *model = fitted;

	ML_TRY(ml_linear_importance_kind(env, how));
	for (int f = 0; f < schema->n_features; f++)
	{
		double		squares = 0;

		for (int s = 0; s < model->n_scores; s++)
		{
			double		spread = ml_design_spread(model->design, f, model->coef + s, model->n_scores);

			squares += spread * spread;
		}
		out[f] = sqrt(squares / model->n_scores);
	}
	return ML_OK;
}

static void
set_row(const char *label, const char *term, double estimate, double error, MlCoefficient *row)
{
	row->class_label = label;
	row->term = term;
	row->estimate = estimate;
	row->std_error = error;
	row->statistic = error > 0 ? estimate / error : NAN;
	row->p_value = error > 0 ? ml_normal_two_sided(row->statistic) : NAN;
}

static MlStatus
logistic_coefficients(MlEnv *env, const void *fitted, const MlSchema *schema, MlCoefficient **rows, size_t *count)
{
	const LogisticModel *model = fitted;
	size_t		n = 0;

	*rows = ml_alloc0(env, ((size_t) model->design->n_columns + 1) * model->n_scores, sizeof(MlCoefficient));
	if (*rows == NULL)
		return env->error.status;
	for (int s = 0; s < model->n_scores; s++)
	{
		const char *label = schema->classes[model->class_of[s]];

		if (model->has_intercept)
			set_row(label, ML_LINEAR_INTERCEPT, model->intercept[s], model->intercept_error[s], &(*rows)[n++]);
		for (int j = 0; j < model->design->n_columns; j++)
		{
			const char *term = ml_design_term(env, model->design, schema, j);
			size_t		at = (size_t) j * model->n_scores + s;

			if (term == NULL)
				return env->error.status;
			set_row(label, term, model->coef[at], model->error[at], &(*rows)[n++]);
		}
	}
	*count = n;
	return ML_OK;
}

static MlStatus
logistic_statistics(MlEnv *env, const void *fitted, const MlSchema *schema, MlStatistic **rows, size_t *count)
{
	(void) schema;
	return ml_statistics_rows(env, &((const LogisticModel *) fitted)->statistics, rows, count);
}

static MlStatus
logistic_explainer(MlEnv *env, const void *fitted, const MlSchema *schema, void **explainer)
{
	const LogisticModel *model = fitted;
	double	   *mean = ml_alloc(env, (size_t) schema->n_features + 1, sizeof(double));
	MlLinearExplainer *e = ml_alloc0(env, 1, sizeof(MlLinearExplainer));

	if (mean == NULL || e == NULL)
		return env->error.status;
	e->model = model;
	e->baseline = ml_alloc(env, (size_t) model->n_scores, sizeof(double));
	if (e->baseline == NULL)
		return env->error.status;
	for (int s = 0; s < model->n_scores; s++)
	{
		e->baseline[s] = model->intercept[s];
		ml_design_effects(model->design, model->coef, model->n_scores, s, NULL, NULL, mean);
		for (int f = 0; f < schema->n_features; f++)
			e->baseline[s] += mean[f];
	}
	*explainer = e;
	return ML_OK;
}

static void
logistic_explain(void *explainer, const double *x, int class_number, double *contribution, double *baseline)
{
	const MlLinearExplainer *e = explainer;
	const LogisticModel *model = e->model;
	int			s = 0;

	if (model->n_classes > 2)
	{
		while (s < model->n_scores && model->class_of[s] != class_number)
			s++;
	}
	if (s == model->n_scores)
	{
		/* Training had no such class: its score is that of something that never happens. */
		for (int f = 0; f < model->design->n_features; f++)
			contribution[f] = 0;
		*baseline = -INFINITY;
		return;
	}
	ml_design_effects(model->design, model->coef, model->n_scores, s, x, contribution, NULL);
	*baseline = e->baseline[s];
	if (model->n_classes == 2 && class_number == 0)
	{
		for (int f = 0; f < model->design->n_features; f++)
			contribution[f] = -contribution[f];
		*baseline = -*baseline;
	}
}

const MlMethod ml_method_logistic_regression = {
	.name = "logistic_regression",
	.summary = "logistic regression for two and more classes, with an L2 penalty and Wald statistics",
	.description =
	"Minimises half the sum of squared coefficients plus C times the weighted sum of log losses, intercepts unpenalised, in the units of the data: scikit-learn's objective. "
	"Newton's method with the exact Hessian and line search; converges quadratically to the precision of double arithmetic, whatever the scale of the columns. "
	"Two classes have one equation, for the second class; more have one each (softmax), with coefficients that sum to 0 over the classes. "
	"Time per step is rows x (classes x columns)^2 / 2. Where (classes - 1) x columns exceeds 2048, steps are computed by conjugate gradients instead, at rows x classes x columns for each of some dozens, and there are no standard errors. At most 4096 columns. "
	"Without a penalty, classes that the features separate have no best coefficients: the fit stops at finite ones with a warning and without standard errors; collinear columns get the coefficients of least norm. "
	"Missing numbers count as the training mean. Each category but the most frequent has a coefficient; missing and rare categories have one if training had them. "
	"Standard errors: roots of the diagonal of the inverse Hessian of the objective divided by C (the inverse Fisher information; with a penalty it is part of it); statistic and p are Wald's, against the normal distribution. "
	"ml_model_statistics: log-likelihood, likelihood ratio, McFadden's pseudo R squared, AIC and BIC; with a penalty these count effective coefficients (the trace of the penalised inverse Hessian times the Hessian of the loss). "
	"Importance of a feature: the standard deviation of its contribution to the score over the training rows; the root mean square over the equations. "
	"Contribution of a feature to a score: coefficient x (value - training mean); for a category, the effect of its level less the mean effect of the training rows.",
	.tasks = ML_TASK_CLASSIFICATION,
	.format = 2,
	.needs_dense = true,
	.reads_sparse = true,
	.params = logistic_params,
	.memory = logistic_memory,
	.fit = logistic_fit,
	.save = logistic_save,
	.load = logistic_load,
	.predict = logistic_predict,
	.predict_batch = logistic_predict_batch,
	.predict_cost = logistic_predict_cost,
	.importance = logistic_importance,
	.coefficients = logistic_coefficients,
	.statistics = logistic_statistics,
	.explainer = logistic_explainer,
	.explain = logistic_explain,
};
