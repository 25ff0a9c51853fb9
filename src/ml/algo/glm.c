/*-------------------------------------------------------------------------
 * glm.c
 *	  Generalised linear models: families, links, offset, exposure, robust errors.
 *
 * Offset and exposure are features of the model like others, so that a prediction gets them from its row by
 * name; the offset has the fixed coefficient 1, the exposure enters by its logarithm.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ml/algo/glm_fit.h"
#include "ml/algo/linear_model.h"
#include "ml/algo/linear_terms.h"
#include "ml/base/arena.h"
#include "ml/base/elementary.h"

enum
{
	PARAM_FAMILY,
	PARAM_LINK,
	PARAM_OFFSET,
	PARAM_EXPOSURE,
	PARAM_COVARIANCE,
	PARAM_DISPERSION,
	PARAM_ALPHA,
	PARAM_POWER,
	PARAM_FIT_INTERCEPT,
	PARAM_TOL,
	PARAM_MAX_ITER,
	PARAM_MAX_CATEGORIES
};

static const MlParam glm_params[] = {
	{.name = "family", .type = ML_PARAM_CHOICE, .default_choice = "gaussian", .choices = ML_GLM_FAMILY_WORDS,
		.aliases = "distribution|objective",
	.description = "Distribution of the target around its mean."},
	{.name = "link", .type = ML_PARAM_CHOICE, .default_choice = "auto", .choices = "auto|" ML_GLM_LINK_WORDS,
		.aliases = "link_function",
	.description = "Function of the mean that is linear in the features; auto is the canonical one: identity, logit, log, inverse, inverse_squared, and log for negative_binomial and tweedie."},
	{.name = "offset", .type = ML_PARAM_TEXT,
		.aliases = "offset_column",
	.description = "A column of numbers that is added to the linear predictor with the fixed coefficient 1; predictions need it as well."},
	{.name = "exposure", .type = ML_PARAM_TEXT,
		.aliases = "exposure_column",
	.description = "A column of positive numbers whose logarithm is added to the linear predictor (time at risk, insured years); predictions need it as well."},
	{.name = "covariance", .type = ML_PARAM_CHOICE, .default_choice = "model", .choices = ML_COVARIANCE_WORDS,
		.aliases = "cov_type|vcov|robust",
	.description = "Standard errors by the model's own information, or robust against other variances than the family's (White's HC0, its small-sample corrections HC1, HC2, HC3)."},
	{.name = "dispersion", .type = ML_PARAM_CHOICE, .default_choice = "auto", .choices = "auto|pearson|deviance",
		.aliases = "scale",
	.description = "How the dispersion is estimated: auto is 1 for binomial, poisson and negative_binomial, else Pearson's statistic by the degrees of freedom; pearson with poisson or binomial is the quasi-likelihood."},
	{.name = "alpha", .type = ML_PARAM_DOUBLE, .default_number = 0, .minimum = 0, .maximum = 1e8,
		.aliases = "nb_alpha",
	.description = "Of negative_binomial, variance mean + alpha mean^2; 0: estimated by maximum likelihood."},
	{.name = "power", .type = ML_PARAM_DOUBLE, .default_number = 1.5, .minimum = 1, .maximum = 3,
		.aliases = "var_power|tweedie_variance_power|variance_power",
	.description = "Of tweedie, variance mean^power: between 1 and 2 sums of a random number of gammas, 2 gamma, 3 inverse Gaussian."},
	{.name = "fit_intercept", .type = ML_PARAM_BOOL, .default_number = 1,
		.aliases = "intercept|use_intercept",
	.description = "Whether a constant is added to the equation."},
	{.name = "tol", .type = ML_PARAM_DOUBLE, .default_number = 1e-10, .minimum = 0, .open_minimum = true, .maximum = 1,
		.aliases = "tolerance|epsilon",
	.description = "The fit ends with the step that changes no scaled coefficient by more than this share of the greatest one."},
	{.name = "max_iter", .type = ML_PARAM_INT, .default_number = 100, .minimum = 1, .maximum = 100000,
		.aliases = "maxiter|max_iterations|iterations",
	.description = "At most so many steps."},
	{.name = "max_categories", .type = ML_PARAM_INT, .default_number = ML_DESIGN_MAX_CATEGORIES, .minimum = 1, .maximum = ML_DESIGN_MAX_COLUMNS,
		.aliases = "max_levels",
	.description = "At most so many categories of a column keep a coefficient of their own; the rarest share one, (other)."},
	{NULL}
};

typedef struct GlmModel
{
	MlLinearModel linear;
	MlGlmLink	link;
	int32_t		offset;			/* feature, or -1 */
	int32_t		exposure;
	double		usual_exposure; /* where it is missing: the mean of training */
} GlmModel;

static size_t
glm_memory(const MlSchema *schema, const MlParams *params, size_t n, int threads)
{
	int			cap = (int) ml_param_int(params, PARAM_MAX_CATEGORIES);
	size_t		p = ml_design_bound(schema, cap);

	(void) threads;
	if (p > ML_DESIGN_MAX_COLUMNS)
		p = ML_DESIGN_MAX_COLUMNS;
	return ml_glm_memory(n, p + 1) + ml_design_memory(schema, cap) + (p + 2) * 128 + n * sizeof(double);
}

/* ------------------------------------------------------------------------
 * What is to be fitted
 * ------------------------------------------------------------------------
 */

static MlStatus
set_kind(MlEnv *env, const MlParams *params, MlGlm *glm)
{
	static const char *const family_words[] = {"gaussian", "binomial", "poisson", "gamma", "inverse_gaussian", "negative_binomial", "tweedie"};
	static const char *const link_words[] = {"identity", "log", "logit", "probit", "cloglog", "inverse", "sqrt", "inverse_squared"};
	MlGlmKind  *kind = &glm->kind;
	int			link = (int) ml_param_int(params, PARAM_LINK);

	kind->family = (MlGlmFamily) ml_param_int(params, PARAM_FAMILY);
	kind->link = link == 0 ? ml_glm_default_link(kind->family) : (MlGlmLink) (link - 1);
	if (!ml_glm_link_applies(kind->family, kind->link))
	{
		ml_fail(env, ML_BAD_PARAM, "link \"%s\" does not apply to family \"%s\"", link_words[kind->link], family_words[kind->family]);
		return ml_hint(env, "Its links are: %s.", ml_glm_links_of(kind->family));
	}
	if (kind->family == ML_GLM_NEGATIVE_BINOMIAL)
	{
		kind->shape = ml_param_double(params, PARAM_ALPHA);
		glm->estimate_shape = !(kind->shape > 0);
	}
	else if (params->given[PARAM_ALPHA] && ml_param_double(params, PARAM_ALPHA) > 0)
	{
		ml_fail(env, ML_BAD_PARAM, "parameter \"alpha\" is of family \"negative_binomial\", not of \"%s\"", family_words[kind->family]);
		return ml_hint(env, "For a penalty on coefficients there are ridge, lasso and elastic_net.");
	}
	if (kind->family == ML_GLM_TWEEDIE)
		kind->shape = ml_param_double(params, PARAM_POWER);
	return ML_OK;
}

static bool
glm_boolean_as_number(const MlParams *params)
{
	return ml_param_int(params, PARAM_FAMILY) == ML_GLM_BINOMIAL;
}

/* The feature that a parameter names: a number, or -1 for none. */
static MlStatus
find_feature(MlEnv *env, const MlSchema *schema, const char *param, const char *name, int32_t *feature)
{
	*feature = -1;
	if (name[0] == '\0')
		return ML_OK;
	for (int f = 0; f < schema->n_features; f++)
		if (strcmp(schema->features[f].name, name) == 0)
			*feature = f;
	if (*feature < 0)
	{
		ml_fail(env, ML_NO_COLUMN, "column \"%.100s\", named as the %s, is not among the features", name, param);
		return ml_hint(env, "It must be a column of the source, and one of \"features\" where these are named; a column without variation is left out.");
	}
	if (schema->features[*feature].kind != ML_FEATURE_NUMBER)
		return ml_fail(env, ML_BAD_TYPE, "column \"%.100s\", named as the %s, is not a number", name, param);
	return ML_OK;
}

/* Leaves the columns of a feature out of what is estimated. */
static void
drop_feature(const MlDesign *design, MlDesignScale *scale, int feature)
{
	int			kept = 0;

	for (int k = 0; k < scale->n; k++)
	{
		if (design->columns[scale->column[k]].feature == feature)
			continue;
		scale->column[kept] = scale->column[k];
		scale->center[kept] = scale->center[k];
		scale->factor[kept] = scale->factor[k];
		scale->exponent[kept] = scale->exponent[k];
		scale->noise[kept++] = scale->noise[k];
	}
	scale->n = kept;
}

static inline double
exposure_of(const GlmModel *model, double x)
{
	return x > 0 ? x : model->usual_exposure;	/* NaN as well */
}

/* A feature of all training rows, its usual value where it is missing. */
static MlStatus
feature_values(MlEnv *env, const MlDataset *data, const MlDesign *design, int feature, double **values)
{
	*values = ml_alloc(env, data->n_train, sizeof(double));
	if (*values == NULL)
		return env->error.status;
	ml_design_read(design, data, design->features[feature].first, 0, data->n_train, 0, 1, *values);
	return ML_OK;
}

static bool
has_values(const MlDataColumn *column, size_t n)
{
	for (size_t i = 0; column->sparse == NULL && i < n; i++)
		if (!isnan(column->number[i]))
			return true;
	return column->sparse != NULL;
}

static MlStatus
set_offsets(MlEnv *env, const MlDataset *data, const MlParams *params, GlmModel *model, MlDesignScale *scale, MlGlm *glm)
{
	const MlSchema *schema = data->schema;
	MlDesign   *design = model->linear.design;
	double	   *offset;
	double	   *x;

	ML_TRY(find_feature(env, schema, "offset", ml_param_text(params, PARAM_OFFSET), &model->offset));
	ML_TRY(find_feature(env, schema, "exposure", ml_param_text(params, PARAM_EXPOSURE), &model->exposure));
	if (model->offset < 0 && model->exposure < 0)
		return ML_OK;
	offset = ml_alloc0(env, data->n_train, sizeof(double));
	if (offset == NULL)
		return env->error.status;
	if (model->offset >= 0)
	{
		ML_TRY(feature_values(env, data, design, model->offset, &x));
		drop_feature(design, scale, model->offset);
		memcpy(offset, x, data->n_train * sizeof(double));
		ml_release(env, x);
	}
	if (model->exposure >= 0)
	{
		if (!has_values(&data->columns[model->exposure], data->n_train))
			return ml_fail(env, ML_BAD_DATA, "exposure column \"%.100s\" has no values", schema->features[model->exposure].name);
		ML_TRY(feature_values(env, data, design, model->exposure, &x));
		drop_feature(design, scale, model->exposure);
		model->usual_exposure = design->features[model->exposure].impute;
		for (size_t i = 0; i < data->n_train; i++)
			if (x[i] <= 0)
				return ml_fail(env, ML_BAD_DATA, "exposure column \"%.100s\" contains %g; an exposure must be above zero", schema->features[model->exposure].name, x[i]);
		if (!(model->usual_exposure > 0))
			return ml_fail(env, ML_BAD_DATA, "exposure column \"%.100s\" is 0 on average", schema->features[model->exposure].name);
		for (size_t i = 0; i < data->n_train; i++)
			offset[i] += log(x[i]);
		ml_release(env, x);
	}
	glm->offset = offset;
	return ML_OK;
}

static MlStatus
check_target(MlEnv *env, const MlDataset *data, const MlGlmKind *kind)
{
	for (size_t i = 0; i < data->n_train; i++)
	{
		const char *must_be;

		if (ml_glm_observable(kind, data->y[i], &must_be))
			continue;
		ml_fail(env, ML_BAD_DATA, "target column \"%.100s\" contains %g, which this family cannot have", data->schema->target, data->y[i]);
		return ml_hint(env, "Values must be %s.", must_be);
	}
	return ML_OK;
}

/* ------------------------------------------------------------------------
 * The model
 * ------------------------------------------------------------------------
 */

static MlStatus
set_coefficients(MlEnv *env, const MlGlm *glm, GlmModel *model)
{
	MlLinearModel *linear = &model->linear;
	const MlDesignScale *scale = glm->scale;

	for (int k = 0; k < scale->n; k++)
		ML_TRY(ml_linear_model_set(env, linear, glm->data->schema, scale, 0, k, glm->u[k + glm->intercept], ml_glm_column_error(glm, k), 0));
	if (model->offset >= 0)
		linear->coef[linear->design->features[model->offset].first] = 1;
	if (!glm->intercept)
		return ML_OK;
	linear->intercept[0] = glm->u[0];
	for (int k = 0; k < scale->n; k++)
		linear->intercept[0] -= scale->center[k] * scale->factor[k] * glm->u[k + 1];
	linear->intercept_error[0] = ml_glm_constant_error(glm);
	if (!isfinite(linear->intercept[0]) || isinf(linear->intercept_error[0]))
		return ml_fail(env, ML_OUT_OF_RANGE, "the intercept is out of range");
	return ML_OK;
}

static void
set_statistics(const MlGlm *glm, MlStatistics *s)
{
	double		n = glm->design->n_rows;
	double		parameters = glm->rank + glm->estimate_shape;

	ml_statistics_add(s, ML_STAT_ROWS, n);
	ml_statistics_add(s, ML_STAT_DF_MODEL, (double) glm->rank - glm->intercept);
	ml_statistics_add(s, ML_STAT_DF_RESIDUAL, glm->freedom);
	ml_statistics_add(s, ML_STAT_DEVIANCE, glm->deviance);
	ml_statistics_add(s, ML_STAT_NULL_DEVIANCE, glm->null_deviance);
	ml_statistics_add(s, ML_STAT_PEARSON_CHI2, glm->pearson);
	ml_statistics_add(s, ML_STAT_DISPERSION, glm->dispersion);
	if (glm->kind.family == ML_GLM_NEGATIVE_BINOMIAL)
	{
		ml_statistics_add(s, ML_STAT_ALPHA, glm->kind.shape);
		ml_statistics_add(s, ML_STAT_THETA, 1 / glm->kind.shape);
	}
	ml_statistics_add(s, ML_STAT_PSEUDO_R_SQUARED, glm->null_deviance > 0 ? 1 - glm->deviance / glm->null_deviance : NAN);
	ml_statistics_add(s, ML_STAT_LOG_LIKELIHOOD, glm->log_likelihood);
	ml_statistics_add(s, ML_STAT_AIC, -2 * glm->log_likelihood + 2 * parameters);
	ml_statistics_add(s, ML_STAT_BIC, -2 * glm->log_likelihood + log(n) * parameters);
	ml_statistics_add(s, ML_STAT_ITERATIONS, glm->iterations);
	ml_statistics_add(s, ML_STAT_CONVERGED, glm->converged);
}

static void
warn_of_fit(MlEnv *env, const MlGlm *glm)
{
	if (!glm->converged)
		ml_warn(env, "not converged after %d steps (max_iter)", glm->iterations);
	else if (glm->deviance <= 1e-12 * glm->null_deviance && glm->kind.family != ML_GLM_GAUSSIAN)
		ml_warn(env, "the features leave nothing unexplained: coefficients may grow without bound, and their errors mean little");
	if (glm->rank < glm->q)
		ml_warn(env, "the %zu columns of the equation have rank %zu only: the coefficients of least norm were taken", glm->q, glm->rank);
	if (glm->estimate_shape && glm->kind.shape <= 1.01e-8)
		ml_warn(env, "the target varies no more than a Poisson distribution does: family poisson fits as well");
}

static MlStatus
glm_fit(MlEnv *env, const MlDataset *data, const MlParams *params, void **result)
{
	GlmModel   *model = ml_alloc0(env, 1, sizeof(GlmModel));
	MlGlm		glm = {.data = data, .intercept = ml_param_bool(params, PARAM_FIT_INTERCEPT), .tol = ml_param_double(params, PARAM_TOL),
		.max_iter = (int) ml_param_int(params, PARAM_MAX_ITER), .covariance_type = (MlCovariance) ml_param_int(params, PARAM_COVARIANCE),
	.dispersion_type = (int) ml_param_int(params, PARAM_DISPERSION)};
	MlDesignScale *scale;

	if (model == NULL)
		return env->error.status;
	ML_TRY(set_kind(env, params, &glm));
	ML_TRY(check_target(env, data, &glm.kind));
	ML_TRY(ml_linear_begin(env, data->n_train));
	ML_TRY(ml_design_fit(env, data, (int) ml_param_int(params, PARAM_MAX_CATEGORIES), &model->linear.design));
	ML_TRY(ml_design_scale(env, model->linear.design, glm.intercept, &scale));
	ML_TRY(set_offsets(env, data, params, model, scale, &glm));
	glm.design = model->linear.design;
	glm.scale = scale;
	glm.unit_weight = data->weight == NULL ? 1 : ldexp(1, glm.design->weight_exponent);
	ML_TRY(ml_glm_fit(env, &glm));

	ML_TRY(ml_linear_model_alloc(env, &model->linear, 1));
	model->linear.has_intercept = glm.intercept;
	model->link = glm.kind.link;
	/* Where the dispersion is estimated, and only there, errors follow the t distribution. */
	model->linear.freedom = ml_glm_unit_dispersion(glm.kind.family) && glm.dispersion_type == 0 ? 0 : glm.freedom > 0 ? glm.freedom : -1;
	ML_TRY(set_coefficients(env, &glm, model));
	set_statistics(&glm, &model->linear.statistics);
	warn_of_fit(env, &glm);
	*result = model;
	return ML_OK;
}

static double
predictor(const GlmModel *model, const double *x)
{
	double		eta = model->linear.intercept[0];

	ml_design_dot(model->linear.design, model->linear.coef, 1, x, &eta);
	if (model->exposure >= 0)
		eta += ml_log(exposure_of(model, x[model->exposure]));
	return eta;
}

static void
glm_predict(const void *fitted, const double *x, double *out, void *scratch)
{
	const GlmModel *model = fitted;

	(void) scratch;
	out[0] = ml_glm_mean(model->link, predictor(model, x));
}

static bool
glm_predict_batch(const void *fitted, const double *x, size_t n, double *out, void *scratch)
{
	const GlmModel *model = fitted;

	(void) scratch;
	for (size_t i = 0; i < n; i++)
		out[i] = model->linear.intercept[0];
	ml_design_dot_batch(model->linear.design, model->linear.coef, 1, x, n, out);
	for (size_t i = 0; i < n; i++)
	{
		if (model->exposure >= 0)
			out[i] += ml_log(exposure_of(model, x[(size_t) model->exposure * ML_BATCH_ROWS + i]));
		out[i] = ml_glm_mean(model->link, out[i]);
	}
	return true;
}

static double
glm_predict_cost(const void *fitted)
{
	return 40 + ml_linear_model_cost(fitted);
}

static void
glm_save(const void *fitted, MlWriter *w)
{
	const GlmModel *model = fitted;

	ml_linear_model_save(&model->linear, w);
	ml_put_u8(w, (uint8_t) model->link);
	ml_put_i32(w, model->offset);
	ml_put_i32(w, model->exposure);
	ml_put_double(w, model->usual_exposure);
}

static MlStatus
glm_load(MlReader *r, const MlSchema *schema, void **result)
{
	GlmModel   *model = ml_alloc0(r->env, 1, sizeof(GlmModel));
	uint8_t		link;

	if (model == NULL)
		return r->env->error.status;
	*result = model;
	ML_TRY(ml_linear_model_load(r, schema, 1, &model->linear));
	link = ml_get_u8(r);
	model->offset = ml_get_i32(r);
	model->exposure = ml_get_i32(r);
	model->usual_exposure = ml_get_finite(r);
	ML_TRY(r->status);
	if (link >= ML_GLM_N_LINKS || (model->exposure >= 0 ? !(model->usual_exposure > 0) : model->usual_exposure < 0))
		return ml_reader_corrupt(r, "link or exposure");
	for (int k = 0; k < 2; k++)
	{
		int32_t		feature = k == 0 ? model->offset : model->exposure;

		if (feature < -1 || feature >= schema->n_features || (feature >= 0 && schema->features[feature].kind != ML_FEATURE_NUMBER))
			return ml_reader_corrupt(r, "offset or exposure");
	}
	model->link = (MlGlmLink) link;
	return ML_OK;
}

/* Offset and exposure are no terms that were estimated. */
static MlStatus
glm_coefficients(MlEnv *env, const void *fitted, const MlSchema *schema, MlCoefficient **rows, size_t *count)
{
	const GlmModel *model = fitted;
	size_t		kept = 0;

	ML_TRY(ml_linear_model_coefficients(env, fitted, schema, rows, count));
	for (size_t i = 0; i < *count; i++)
	{
		int			column = (int) i - model->linear.has_intercept;
		int			feature = column < 0 ? -2 : model->linear.design->columns[column].feature;

		if (feature != model->exposure && feature != model->offset)
			(*rows)[kept++] = (*rows)[i];
	}
	*count = kept;
	return ML_OK;
}

/* ------------------------------------------------------------------------
 * Contributions, on the scale of the link
 * ------------------------------------------------------------------------
 */

static MlStatus
glm_explainer(MlEnv *env, const void *fitted, const MlSchema *schema, void **explainer)
{
	const GlmModel *model = fitted;
	MlLinearExplainer *e;

	ML_TRY(ml_linear_model_explainer(env, fitted, schema, explainer));
	e = *explainer;
	if (model->exposure >= 0)
		e->baseline[0] += ml_log(model->usual_exposure);
	return ML_OK;
}

static void
glm_explain(void *explainer, const double *x, int class_number, double *contribution, double *baseline)
{
	const MlLinearExplainer *e = explainer;
	const GlmModel *model = e->model;

	ml_linear_model_explain(explainer, x, class_number, contribution, baseline);
	if (model->exposure >= 0)
		contribution[model->exposure] = ml_log(exposure_of(model, x[model->exposure])) - ml_log(model->usual_exposure);
}

const MlMethod ml_method_glm = {
	.name = "glm",
	.summary = "generalised linear models: seven families, eight links, offset, exposure, robust standard errors",
	.description =
	"The mean of the target is a function of a linear predictor, and its variance one of the mean (Nelder and Wedderburn 1972). The target is a number; for binomial it is a boolean, 0 or 1, or a share with the number of trials as weight. "
	"Fisher scoring with step halving from the constant model; time is steps x rows x columns^2, memory does not grow with the rows but for an offset, exposure, or the shape of a negative binomial (one number a row). At most 4096 columns. "
	"Offset and exposure are columns of the source named by a parameter; a prediction takes them from its row, and where they are missing their training mean. "
	"Missing numbers count as the training mean. Each category but the most frequent has a coefficient; missing and rare categories have one if training had them. Collinear columns get the coefficients of least norm and no errors. "
	"Weights are prior weights: the variance is dispersion x V(mean) / weight. "
	"Standard errors come from the inverse expected information times the dispersion, or are robust (covariance = HC0 to HC3); statistics are z where the dispersion is 1 by the family, else t. "
	"ml_model_statistics: deviance, null deviance (constant and offset only), Pearson's chi-squared, log-likelihood, AIC and BIC (which count coefficients, and alpha where it is estimated, but not the dispersion, as statsmodels). "
	"The log-likelihood of gaussian is at the maximum-likelihood variance, that of gamma, inverse_gaussian and tweedie at the dispersion shown. "
	"Importance of a feature: the standard deviation of its contribution to the linear predictor over the training rows. "
	"Contributions of ml_explain add up to the linear predictor: link(prediction).",
	.tasks = ML_TASK_REGRESSION,
	.reads_sparse = true,
	.format = 1,
	.needs_dense = true,
	.params = glm_params,
	.memory = glm_memory,
	.boolean_as_number = glm_boolean_as_number,
	.fit = glm_fit,
	.save = glm_save,
	.load = glm_load,
	.predict = glm_predict,
	.predict_batch = glm_predict_batch,
	.predict_cost = glm_predict_cost,
	.importance = ml_linear_model_importance,
	.coefficients = glm_coefficients,
	.statistics = ml_linear_model_statistics,
	.explainer = glm_explainer,
	.explain = glm_explain,
};
