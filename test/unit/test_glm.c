/*-------------------------------------------------------------------------
 * test_glm.c
 *	  glm against statsmodels, and what every linear method must stand.
 *
 * Figures: test/reference/glm.py.
 *-------------------------------------------------------------------------
 */
#include "linear_checks.h"
#include "ml/algo/glm_family.h"
#include "ml/base/elementary.h"
#include "../reference/glm_figures.h"

extern const MlMethod ml_method_glm;
static const MlMethod *const glm = &ml_method_glm;

#define MAX_TERMS 64

typedef enum Target
{
	VALUE,
	SHARE,
	COUNT,
	PART,
	SPREAD,
	RAISED
} Target;

/* The same changes to the target as in glm.py. */
static MlDataset *
diabetes(MlEnv *env, Target target, bool weighted)
{
	MlDataset  *data = read_csv(env, "diabetes", 0, NULL);
	double	   *weight = ml_alloc0(env, data->n_train, sizeof(double));

	for (size_t i = 0; i < data->n_train; i++)
	{
		double	   *y = &target_of_data(data)[i];

		*y = target == SHARE ? *y > 140 : target == COUNT ? floor(*y / 25) : target == PART ? (*y < 80 ? 0 : *y / 100)
			: target == RAISED ? *y + 300 : target == SPREAD ? floor(*y / 25) * floor(*y / 25) : *y;
		weight[i] = i % 3 + 1;
	}
	if (weighted)
		data->weight = weight;
	return data;
}

static void
test_figures(const char *settings, Target target, bool weighted, const double *coef, const double *error, const double *fit, const double *hc0, const double *hc3)
{
	static const char *const names[] = {"deviance", "null_deviance", "pearson_chi2", "dispersion", "log_likelihood", "aic", "bic"};
	MlEnv		env = new_env(1);
	MlDataset  *data = diabetes(&env, target, weighted);
	MlCoefficient *rows;
	double		b[MAX_TERMS],
				e[MAX_TERMS];
	void	   *model;
	size_t		n;
	char		text[200];

	if (fit_with(&env, glm, data, settings, &model) != ML_OK)
		fail("%s: %s", settings, env.error.message);
	n = coefficients_of(&env, glm, data->schema, model, &rows, b, e);
	check(worst_error(b, coef, n) < 1e-7, "%s: coefficients (%.1e)", settings, worst_error(b, coef, n));
	check(worst_error(e, error, n) < 1e-7, "%s: standard errors (%.1e)", settings, worst_error(e, error, n));
	for (int i = 0; i < 7; i++)
	{
		double		value = statistic_of(&env, glm, data->schema, model, names[i]);

		check(relative_error(value, fit[i]) < 1e-9, "%s: %s %.12g (%.1e)", settings, names[i], value, relative_error(value, fit[i]));
	}
	check(statistic_of(&env, glm, data->schema, model, "converged") == 1 && env.warnings == NULL, "%s: converged without warnings after %g steps",
		  settings, statistic_of(&env, glm, data->schema, model, "iterations"));
	for (int k = 0; k < 2 && hc0 != NULL; k++)
	{
		snprintf(text, sizeof(text), "%s covariance=%s", settings, k == 0 ? "HC0" : "HC3");
		if (fit_with(&env, glm, data, text, &model) != ML_OK)
			fail("%s: %s", text, env.error.message);
		n = coefficients_of(&env, glm, data->schema, model, &rows, b, e);
		check(worst_error(e, k == 0 ? hc0 : hc3, n) < 1e-7, "%s: robust errors (%.1e)", text, worst_error(e, k == 0 ? hc0 : hc3, n));
	}
	free_env(&env);
}

#define FIGURES(settings, target, weighted, name) test_figures(settings, target, weighted, name##_coef, name##_error, name##_fit, NULL, NULL)
#define ROBUST(settings, target, weighted, name) test_figures(settings, target, weighted, name##_coef, name##_error, name##_fit, name##_HC0, name##_HC3)

/* The shape of a negative binomial by maximum likelihood. */
static void
test_shape(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = diabetes(&env, SPREAD, false);
	MlCoefficient *rows;
	double		b[MAX_TERMS],
				e[MAX_TERMS];
	void	   *model;
	size_t		n;

	if (fit_with(&env, glm, data, "family=negative_binomial", &model) != ML_OK)
		fail("shape: %s", env.error.message);
	n = coefficients_of(&env, glm, data->schema, model, &rows, b, e);
	check(relative_error(statistic_of(&env, glm, data->schema, model, "alpha"), nb_estimated_fit[0]) < 1e-7, "shape: alpha of maximum likelihood");
	check(relative_error(statistic_of(&env, glm, data->schema, model, "log_likelihood"), nb_estimated_fit[1]) < 1e-9, "shape: log-likelihood");
	check(relative_error(statistic_of(&env, glm, data->schema, model, "aic"), nb_estimated_fit[2]) < 1e-9, "shape: AIC counts alpha");
	check(worst_error(b, nb_estimated_coef, n) < 1e-6 && worst_error(e, nb_estimated_error, n) < 1e-6, "shape: coefficients and errors (%.1e, %.1e)",
		  worst_error(b, nb_estimated_coef, n), worst_error(e, nb_estimated_error, n));
	free_env(&env);
}

extern const MlMethod ml_method_linear_regression;
extern const MlMethod ml_method_logistic_regression;

/* Least squares by another way: gaussian with identity is linear_regression. */
static void
test_least_squares(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = diabetes(&env, VALUE, true);
	int32_t    *code = set_category(&env, data, 1, 4);
	MlCoefficient *rows;
	double		b[2][MAX_TERMS],
				e[2][MAX_TERMS];
	void	   *model;
	size_t		n = 0;

	for (size_t i = 0; i < data->n_train; i++)
	{
		code[i] = i % 5 - 1;
		if (i % 7 == 0)
			column_of_data(data, 2)[i] = NAN;
	}
	if (fit_with(&env, glm, data, "", &model) == ML_OK)
		n = coefficients_of(&env, glm, data->schema, model, &rows, b[0], e[0]);
	if (n == 0 || fit_with(&env, &ml_method_linear_regression, data, "", &model) != ML_OK)
		fail("least squares: %s", env.error.message);
	check(n == coefficients_of(&env, &ml_method_linear_regression, data->schema, model, &rows, b[1], e[1])
		  && worst_error(b[0], b[1], n) < 1e-9 && worst_error(e[0], e[1], n) < 1e-9, "gaussian with categories and missing values is linear_regression");
	free_env(&env);
}

/* Offset and exposure: no coefficient of their own, but part of the prediction and its explanation. */
static void
test_offset(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = new_dataset(&env, 200, 3, 0);
	MlCoefficient *rows;
	double		b[MAX_TERMS],
				e[MAX_TERMS],
				x[3] = {0.25, 0.5, 4},
				out,
				more,
				contribution[3],
				baseline;
	void	   *model;
	void	   *explainer;

	for (int i = 0; i < 200; i++)
	{
		column_of_data(data, 0)[i] = i % 10 / 10.;
		column_of_data(data, 1)[i] = sin(i);
		column_of_data(data, 2)[i] = 1 + i % 7;
		target_of_data(data)[i] = (1 + i % 7) * exp(0.5 + 2 * (i % 10 / 10.) + sin(i));
	}
	if (fit_with(&env, glm, data, "family=poisson offset=x2 exposure=x3", &model) != ML_OK)
		fail("offset: %s", env.error.message);
	check(coefficients_of(&env, glm, data->schema, model, &rows, b, e) == 2 && fabs(b[0] - 0.5) < 1e-9 && fabs(b[1] - 2) < 1e-9, "offset and exposure have no coefficient, the others are exact");
	glm->predict(model, x, &out, NULL);
	check(relative_error(out, 4 * exp(0.5 + 0.5 + 0.5)) < 1e-9, "offset and exposure are part of the prediction");
	x[2] = 8;
	glm->predict(model, x, &more, NULL);
	check(relative_error(more, 2 * out) < 1e-12, "twice the exposure, twice the mean");
	if (glm->explainer(&env, model, data->schema, &explainer) != ML_OK)
		fail("offset: %s", env.error.message);
	glm->explain(explainer, x, 0, contribution, &baseline);
	check(fabs(baseline + contribution[0] + contribution[1] + contribution[2] - log(more)) < 1e-12, "contributions add up to the linear predictor");
	x[2] = NAN;
	glm->predict(model, x, &out, NULL);
	x[2] = -1;
	glm->predict(model, x, &more, NULL);
	check(isfinite(out) && out == more, "an exposure that is missing or impossible is the usual one");
	free_env(&env);
}

static void
refused(const char *settings, Target target, MlStatus expected, const char *words)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = diabetes(&env, target, false);
	void	   *model;
	MlStatus	status = fit_with(&env, glm, data, settings, &model);

	check(status == expected && strstr(env.error.message, words) != NULL, "%s: %s", settings, env.error.message);
	free_env(&env);
}

/* Means and slopes of each link against differences, and the deviance against the log-likelihood. */
static void
test_family_identities(void)
{
	for (int l = 0; l < ML_GLM_N_LINKS; l++)
	{
		double		worst = 0,
					round_trip = 0;

		for (double mu = 0.05; mu < 0.96; mu += 0.1)
		{
			double		eta = ml_glm_link(l, mu);
			double		h = 1e-5 * fmax(1, fabs(eta));
			double		slope = (ml_glm_mean(l, eta + h) - ml_glm_mean(l, eta - h)) / (2 * h);

			worst = fmax(worst, relative_error(ml_glm_slope(l, eta, mu), slope));
			round_trip = fmax(round_trip, relative_error(ml_glm_mean(l, eta), mu));
		}
		check(worst < 1e-6 && round_trip < 1e-12, "link %d: slope and inverse (%.1e, %.1e)", l, worst, round_trip);
	}
	for (int f = 0; f < ML_GLM_N_FAMILIES; f++)
	{
		MlGlmKind	kind = {.family = f, .link = ml_glm_default_link(f), .shape = f == ML_GLM_TWEEDIE ? 1.5 : 0.7};
		double		y = f == ML_GLM_BINOMIAL ? 0.4 : 3;
		double		worst = 0;

		/* Deviance: twice what the log-likelihood loses between two means. */
		for (double mu = f == ML_GLM_BINOMIAL ? 0.1 : 0.5; mu < (f == ML_GLM_BINOMIAL ? 0.95 : 6); mu *= 1.3)
		{
			double		by_deviance = ml_glm_deviance(&kind, y, mu) - ml_glm_deviance(&kind, y, y);
			double		by_likelihood = 2 * (ml_glm_log_likelihood(&kind, y, y, 1, 1) - ml_glm_log_likelihood(&kind, y, mu, 1, 1));

			worst = fmax(worst, fabs(by_deviance - by_likelihood));
		}
		check(worst < 1e-9, "family %d: deviance is twice the loss of likelihood (%.1e)", f, worst);
	}
}

static void
test_statistics(const MlMethod *method, const char *settings, MlDataset *data, MlEnv *env, const char *const *names, const double *figures)
{
	void	   *model;

	if (fit_with(env, method, data, settings, &model) != ML_OK)
		fail("%s: %s", method->name, env->error.message);
	for (int i = 0; names[i] != NULL; i++)
	{
		double		value = statistic_of(env, method, data->schema, model, names[i]);

		check(relative_error(value, figures[i]) < 1e-9, "%s: %s %.12g (%.1e)", method->name, names[i], value, relative_error(value, figures[i]));
	}
}

static void
test_robust(const MlMethod *method, const char *settings, const MlDataset *data, MlEnv *env, const double *const *figures)
{
	for (int k = 0; k < 4; k++)
	{
		MlCoefficient *rows;
		double		b[MAX_TERMS],
					e[MAX_TERMS];
		void	   *model;
		char		text[100];
		size_t		n;

		snprintf(text, sizeof(text), "%s covariance=HC%d", settings, k);
		if (fit_with(env, method, data, text, &model) != ML_OK)
			fail("%s: %s", text, env->error.message);
		n = coefficients_of(env, method, data->schema, model, &rows, b, e);
		check(n == 11 && worst_error(e, figures[k], n) < 1e-8, "%s %s: %.1e", method->name, text, worst_error(e, figures[k], n));
	}
}

/* Statistics and robust errors of linear and logistic regression. */
static void
test_regressions(void)
{
	static const char *const linear[] = {"r_squared", "adjusted_r_squared", "f", "f_p_value", "sigma", "log_likelihood", "aic", "bic", NULL};
	static const char *const logistic[] = {"log_likelihood", "null_log_likelihood", "likelihood_ratio", "likelihood_ratio_p_value", "pseudo_r_squared", "aic", "bic", NULL};
	static const double *const ols_hc[] = {ols_HC0, ols_HC1, ols_HC2, ols_HC3};
	static const double *const logit_hc[] = {logit_HC0, logit_HC1, logit_HC2, logit_HC3};
	MlEnv		env = new_env(1);
	MlDataset  *data = diabetes(&env, VALUE, false);
	MlSchema   *schema = (MlSchema *) data->schema;
	void	   *model;

	test_statistics(&ml_method_linear_regression, "", data, &env, linear, ols_fit);
	test_statistics(&ml_method_linear_regression, "", diabetes(&env, VALUE, true), &env, linear, wls_fit);
	test_robust(&ml_method_linear_regression, "", data, &env, ols_hc);
	data = diabetes(&env, SHARE, false);
	schema = (MlSchema *) data->schema;
	schema->task = ML_TASK_CLASSIFICATION;
	schema->n_classes = 2;
	schema->classes = (const char *[]) {"no", "yes"};
	test_statistics(&ml_method_logistic_regression, "penalty=none", data, &env, logistic, logit_fit);
	test_robust(&ml_method_logistic_regression, "penalty=none", data, &env, logit_hc);
	check(fit_with(&env, &ml_method_logistic_regression, data, "C=1e12", &model) == ML_OK
		  && relative_error(statistic_of(&env, &ml_method_logistic_regression, data->schema, model, "aic"), logit_fit[5]) < 1e-6,
		  "logistic regression: a penalty that is not felt counts all coefficients");
	check(fit_with(&env, &ml_method_logistic_regression, data, "covariance=HC0", &model) == ML_BAD_PARAM, "logistic regression: %s", env.error.message);
	free_env(&env);
}

/* Tail probabilities against figures of 20 digits. */
static void
test_tails(void)
{
	check(relative_error(ml_f_upper(4, 3, 10), 0.04134768103608254) < 1e-12, "F(3, 10) beyond 4 (%.12g)", ml_f_upper(4, 3, 10));
	check(relative_error(ml_f_upper(1, 7, 7), 0.5) < 1e-12 && ml_f_upper(0, 1, 1) == 1 && ml_f_upper(INFINITY, 2, 2) == 0 && isnan(ml_f_upper(1, 0, 2)), "F: the middle and the ends");
	/* One degree of freedom is a squared t or normal variable; two are an exponential one. */
	check(relative_error(ml_f_upper(9, 1, 25), ml_t_two_sided(3, 25)) < 1e-12 && relative_error(ml_f_upper(400, 1, 1e5), ml_t_two_sided(20, 1e5)) < 1e-6, "F with one degree of freedom is t squared");
	check(relative_error(ml_chi2_upper(9, 1), ml_normal_two_sided(3)) < 1e-12 && relative_error(ml_chi2_upper(0.01, 1), ml_normal_two_sided(0.1)) < 1e-12
		  && relative_error(ml_chi2_upper(900, 1), ml_normal_two_sided(30)) < 1e-11, "chi-squared with one degree of freedom is normal squared");
	check(relative_error(ml_chi2_upper(5, 2), exp(-2.5)) < 1e-13 && ml_chi2_upper(0, 3) == 1 && isnan(ml_chi2_upper(1, 0)), "chi-squared with two is exponential");
}

static double
plain(double score, size_t row)
{
	return 3 * score + sin((double) row);
}

static double
count(double score, size_t row)
{
	return floor(3 * score + row % 4);
}

static double
positive(double score, size_t row)
{
	return 0.5 + score + row % 4;
}

static double
share(double score, size_t row)
{
	return score > 1 + 0.1 * (row % 5);
}

/* The logarithm of the density of a compound Poisson sum, every term of it. */
static double
all_terms(double p, double y, double mu, double phi)
{
	double		lambda = pow(mu, 2 - p) / (phi * (2 - p));
	double		shape = (2 - p) / (p - 1);
	double		scale = phi * (p - 1) * pow(mu, p - 1);
	double		largest = -INFINITY;
	double		sum = 0;

	for (int pass = 0; pass < 2; pass++)
		for (double j = 1; j < 3 * lambda + 200; j++)
		{
			double		term = j * log(lambda) - lambda - lgamma(j + 1) + (j * shape - 1) * log(y) - y / scale - lgamma(j * shape) - j * shape * log(scale);

			if (pass == 0)
				largest = fmax(largest, term);
			else
				sum += exp(term - largest);
		}
	return largest + log(sum);
}

/* Of few gammas and of very many: the same density, in a time that does not grow with their number. */
static void
test_tweedie_density(void)
{
	static const double powers[] = {1.05, 1.3, 1.5, 1.8, 1.95};
	static const double dispersions[] = {10, 1, 0.1, 1e-3, 1e-4, 1e-5};
	MlGlmKind	kind = {ML_GLM_TWEEDIE, ML_GLM_LOG, 0};
	double		worst = 0;

	for (int i = 0; i < 5; i++)
	{
		kind.shape = powers[i];
		for (int d = 0; d < 6; d++)
			for (int side = -1; side <= 1; side++)
			{
				double		mu = 3;
				double		y = mu + side * fmin(1.5, 2 * sqrt(dispersions[d] * pow(mu, powers[i])));
				double		want = all_terms(powers[i], y, mu, dispersions[d]);

				worst = fmax(worst, fabs(ml_glm_log_likelihood(&kind, y, mu, 1, dispersions[d]) - want) / (1e-9 + 1e-15 * pow(mu, 2 - powers[i]) / dispersions[d]));
			}
		/* Where the series ends. */
		CHECK_NEAR(ml_glm_log_likelihood(&kind, 3, 3, 1, 1.02e-8 * pow(3, 2 - powers[i]) / (2 - powers[i])),
				   ml_glm_log_likelihood(&kind, 3, 3, 1, 0.98e-8 * pow(3, 2 - powers[i]) / (2 - powers[i])) - 0.5 * log(1.02 / 0.98), 1e-6);
	}
	check(worst < 100, "the density of tweedie is that of all its terms (%.1f)", worst);
	CHECK(isfinite(ml_glm_log_likelihood(&kind, 1e6, 1e6, 1, 1e-14)));
}

int
main(void)
{
	test_family_identities();
	FIGURES("family=gaussian", VALUE, false, gaussian_identity);
	ROBUST("offset=x9", VALUE, true, gaussian_weighted);
	FIGURES("link=log", VALUE, false, gaussian_log);
	FIGURES("family=binomial", SHARE, false, binomial_logit);
	FIGURES("family=binomial link=probit", SHARE, false, binomial_probit);
	FIGURES("family=binomial link=cloglog", SHARE, true, binomial_cloglog);
	ROBUST("family=poisson", COUNT, false, poisson_log);
	FIGURES("family=poisson exposure=x3", COUNT, true, poisson_exposure);
	FIGURES("family=poisson offset=x9 exposure=x4", COUNT, false, poisson_offset);
	FIGURES("family=poisson link=sqrt", COUNT, false, poisson_sqrt);
	FIGURES("family=gamma", VALUE, false, gamma_inverse);
	ROBUST("family=gamma link=log", VALUE, true, gamma_log);
	FIGURES("family=inverse_gaussian", RAISED, false, inverse_gaussian_canonical);
	FIGURES("family=inverse_gaussian link=log", VALUE, false, inverse_gaussian_log);
	FIGURES("family=negative_binomial alpha=0.5", COUNT, false, negative_binomial);
	FIGURES("family=tweedie power=1.5", PART, false, tweedie);
	test_shape();
	test_tweedie_density();
	test_least_squares();
	test_regressions();
	test_tails();
	test_offset();
	refused("family=poisson link=logit", COUNT, ML_BAD_PARAM, "does not apply");
	refused("family=gamma", PART, ML_BAD_DATA, "cannot have");
	refused("family=binomial", COUNT, ML_BAD_DATA, "cannot have");
	refused("family=poisson offset=nothing", COUNT, ML_NO_COLUMN, "not among the features");
	refused("family=poisson exposure=x2x", COUNT, ML_NO_COLUMN, "not among the features");
	refused("family=poisson alpha=1", COUNT, ML_BAD_PARAM, "negative_binomial");
	check_threads(glm, "", 0, plain);
	check_threads(glm, "family=poisson covariance=HC3", 0, count);
	check_threads(glm, "family=negative_binomial exposure=x1", 0, count);
	check_image(glm, "family=poisson exposure=x1 offset=x3", 0, count);
	check_image(glm, "family=binomial link=cloglog", 0, share);
	check_degenerate(glm, "max_categories=100", 0, plain);
	check_degenerate(glm, "family=poisson max_categories=30 covariance=HC2", 0, count);
	check_degenerate(glm, "family=binomial max_categories=30", 0, share);
	check_degenerate(glm, "family=gamma max_categories=30", 0, positive);
	check_degenerate(glm, "family=negative_binomial max_categories=30", 0, count);
	return unit_done();
}
