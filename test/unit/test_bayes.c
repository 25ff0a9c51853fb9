/*-------------------------------------------------------------------------
 * test_bayes.c
 *	  bayesian_linear_regression against scikit-learn and other algebra; its intervals cover.
 *
 * Figures: test/reference/bayes.py.
 *-------------------------------------------------------------------------
 */
#include "linear_checks.h"
#include "ml/base/elementary.h"
#include "ml/base/rng.h"
#include "../reference/bayes_figures.h"

extern const MlMethod ml_method_bayesian_linear_regression;
static const MlMethod *const bayes = &ml_method_bayesian_linear_regression;

#define MAX_TERMS 64

static void
test_figures(const char *settings, bool weighted, const double *coef, const double *error, bool with_constant, const char *const *names, const double *fit, int n_fit)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = read_csv(&env, "diabetes", 0, NULL);
	MlCoefficient *rows;
	double		b[MAX_TERMS],
				e[MAX_TERMS];
	double	   *weight = ml_alloc0(&env, data->n_train, sizeof(double));
	void	   *model;

	for (size_t i = 0; i < data->n_train; i++)
		weight[i] = i % 3 + 1;
	if (weighted)
		data->weight = weight;
	if (fit_with(&env, bayes, data, settings, &model) != ML_OK)
		fail("%s: %s", settings, env.error.message);
	check(coefficients_of(&env, bayes, data->schema, model, &rows, b, e) == 11, "%s: eleven coefficients", settings);
	check(worst_error(b, coef, 11) < 1e-8, "%s: coefficients (%.1e)", settings, worst_error(b, coef, 11));
	check(worst_error(e + !with_constant, error, 10 + with_constant) < 1e-8, "%s: posterior deviations (%.1e)", settings, worst_error(e + !with_constant, error, 10 + with_constant));
	for (int i = 0; i < n_fit; i++)
	{
		double		value = statistic_of(&env, bayes, data->schema, model, names[i]);

		check(relative_error(value, fit[i]) < 1e-9, "%s: %s %.12g (%.1e)", settings, names[i], value, relative_error(value, fit[i]));
	}
	free_env(&env);
}

static double
normal(uint64_t stream, uint64_t *counter)
{
	double		u = ml_rng_uniform(1, stream, (*counter)++);
	double		v = ml_rng_uniform(1, stream, (*counter)++);

	return sqrt(-2 * log(1 - u)) * cos(2 * M_PI * v);
}

/*
 * Models drawn from the prior, data drawn from the models: intervals of level L hold the truth in a share L of all
 * cases, exactly but for chance (3 standard deviations of it are allowed).
 */
static void
test_coverage(double level, double shape, double precision)
{
	enum {RUNS = 1500, ROWS = 25, COLUMNS = 3};
	int			covered = 0;
	uint64_t	counter = 0;
	char		settings[200];
	double		share;

	snprintf(settings, sizeof(settings), "standardize=false prior_precision=%g prior_shape=%g prior_scale=%g", precision, shape, shape);
	for (int run = 0; run < RUNS; run++)
	{
		MlEnv		env = new_env(1);
		MlDataset  *data = new_dataset(&env, ROWS, COLUMNS, 0);
		MlCoefficient *rows;
		double		b[COLUMNS + 1],
					estimate[COLUMNS + 1],
					error[COLUMNS + 1],
					sigma,
					chi2 = 0;
		void	   *model;

		/* 1 / s2 is gamma(shape) / shape: a chi-squared of 2 shape degrees of freedom by its mean. */
		for (int k = 0; k < (int) (2 * shape); k++)
		{
			double		z = normal(7, &counter);

			chi2 += z * z;
		}
		sigma = sqrt(2 * shape / chi2);
		b[0] = 100 * normal(7, &counter);	/* flat: wherever it is */
		for (int j = 1; j <= COLUMNS; j++)
			b[j] = sigma / sqrt(precision) * normal(7, &counter);
		for (int i = 0; i < ROWS; i++)
		{
			double		y = b[0] + sigma * normal(7, &counter);

			for (int j = 0; j < COLUMNS; j++)
			{
				column_of_data(data, j)[i] = normal(7, &counter);
				y += b[j + 1] * column_of_data(data, j)[i];
			}
			target_of_data(data)[i] = y;
		}
		if (fit_with(&env, bayes, data, settings, &model) != ML_OK)
			fail("coverage: %s", env.error.message);
		coefficients_of(&env, bayes, data->schema, model, &rows, estimate, error);
		for (int j = 0; j <= COLUMNS; j++)
			covered += fabs(estimate[j] - b[j]) <= ml_t_quantile(1 - level, rows[j].freedom) * error[j];
		free_env(&env);
	}
	share = covered / (RUNS * (COLUMNS + 1.));
	check(fabs(share - level) < 3 * sqrt(level * (1 - level) / (RUNS * (COLUMNS + 1.))), "coverage: intervals of %g hold %.2f %% of the coefficients", level, 100 * share);
}

static double
plain(double score, size_t row)
{
	return 3 * score + sin((double) row);
}

int
main(void)
{
	static const char *const precisions[] = {"alpha", "lambda"};
	static const char *const posterior[] = {"posterior_shape", "posterior_scale", "log_evidence"};

	test_figures("prior=evidence standardize=false tol=1e-13", false, evidence_units, evidence_units_error, false, precisions, evidence_units_fit, 2);
	test_figures("prior=evidence tol=1e-13", false, evidence_standard, evidence_standard_error, false, precisions, evidence_standard_fit, 2);
	test_figures("prior_precision=10 prior_shape=2.5 prior_scale=1000 standardize=false", false, conjugate_units, conjugate_units_error, true, posterior, conjugate_units_fit, 3);
	test_figures("prior_precision=10 prior_shape=2.5 prior_scale=1000 standardize=false", true, conjugate_weighted, conjugate_weighted_error, true, posterior, conjugate_weighted_fit, 3);
	test_figures("prior_precision=50 prior_shape=2.5 prior_scale=1000", false, conjugate_standard, conjugate_standard_error, true, posterior, conjugate_standard_fit, 3);
	test_coverage(0.95, 3, 0.5);
	test_coverage(0.5, 10, 5);
	check(relative_error(ml_t_quantile(0.05, 10), 2.2281388519649385) < 1e-10 && relative_error(ml_t_quantile(0.05, 0), 1.959963984540054) < 1e-12
		  && ml_t_quantile(1, 3) == 0 && isinf(ml_t_quantile(0, 3)), "quantiles (%.17g, %.17g)", ml_t_quantile(0.05, 10), ml_t_quantile(0.05, 0));
	check_threads(bayes, "", 0, plain);
	check_threads(bayes, "prior=evidence", 0, plain);
	check_image(bayes, "", 0, plain);
	check_degenerate(bayes, "max_categories=100", 0, plain);
	check_degenerate(bayes, "max_categories=30 standardize=false", 0, plain);
	check_degenerate(bayes, "prior=evidence max_categories=30", 0, plain);
	return unit_done();
}
