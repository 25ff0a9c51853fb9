/*-------------------------------------------------------------------------
 * test_distributions.c
 *	  Distributions fitted to columns: against scipy, and that intervals cover.
 *
 * Figures: test/reference/distributions.py.
 *-------------------------------------------------------------------------
 */
#include "linear_data.h"
#include "ml/base/elementary.h"
#include "ml/base/rng.h"
#include "ml/stat/fit_distribution.h"
#include "ml/stat/special.h"
#include "../reference/distributions_figures.h"

typedef struct Result
{
	MlFittedParameter row[ML_FIT_MAX_ROWS];
	int			count;
	MlStatus	status;
	char		message[600];
} Result;

static Result
fit(const char *family_name, MlFitMethod method, const double *prior, double level, const double *values, size_t n)
{
	MlEnv		env = new_env(1);
	const MlFamily *family;
	double	   *x = malloc((n + 1) * sizeof(double));
	Result		r = {.count = 0};

	memcpy(x, values, n * sizeof(double));
	r.status = ml_family_get(&env, family_name, &family);
	if (r.status == ML_OK)
		r.status = ml_distribution_fit(&env, family, method, prior != NULL ? prior : family->default_prior, level, x, n, r.row, &r.count);
	snprintf(r.message, sizeof(r.message), "%s", env.error.message);
	free(x);
	free_env(&env);
	return r;
}

static double
value_of(const Result *r, const char *name)
{
	for (int i = 0; i < r->count; i++)
		if (strcmp(r->row[i].name, name) == 0)
			return r->row[i].estimate;
	return NAN;
}

static double *
column(const char *set, int number, size_t *n)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = read_csv(&env, set, 0, NULL);
	double	   *values = malloc(data->n_train * sizeof(double));

	*n = data->n_train;
	memcpy(values, number < 0 ? data->y : data->columns[number].number, *n * sizeof(double));
	free_env(&env);
	return values;
}

/* Two parameters and the likelihood. */
static void
compare(const char *family, const double *x, size_t n, const double *want)
{
	Result		r = fit(family, ML_FIT_MLE, NULL, 0.95, x, n);
	double		likelihood = value_of(&r, "log_likelihood");

	if (r.status != ML_OK)
		fail("%s: %s", family, r.message);
	check(relative_error(r.row[0].estimate, want[0]) < 1e-5 && relative_error(r.row[1].estimate, want[1]) < 1e-5,
		  "%s: %.8g, %.8g; scipy has %.8g, %.8g", family, r.row[0].estimate, r.row[1].estimate, want[0], want[1]);
	check(likelihood > want[2] - 1e-7 * fabs(want[2]) && relative_error(likelihood, want[2]) < 1e-9, "%s: log-likelihood %.12g, scipy has %.12g", family, likelihood, want[2]);
	check(relative_error(value_of(&r, "aic"), 4 - 2 * likelihood) < 1e-12 && relative_error(value_of(&r, "bic"), 2 * log((double) n) - 2 * likelihood) < 1e-12, "%s: AIC, BIC", family);
}

static void
test_likelihood(void)
{
	size_t		n;
	double	   *bmi = column("diabetes", 2, &n);
	double	   *progression;
	double	   *pixels;
	Result		r;

	compare("gamma", bmi, n, gamma_bmi);
	compare("weibull", bmi, n, weibull_bmi);
	compare("normal", bmi, n, normal_bmi);
	compare("lognormal", bmi, n, lognormal_bmi);
	compare("laplace", bmi, n, laplace_bmi);
	r = fit("normal", ML_FIT_MLE, NULL, 0.95, bmi, n);
	CHECK_CLOSE(value_of(&r, "ks_distance"), normal_bmi[3], 1e-9);
	r = fit("gamma", ML_FIT_MLE, NULL, 0.95, bmi, n);
	CHECK_CLOSE(value_of(&r, "ks_distance"), gamma_distance[0], 1e-6);
	free(bmi);
	progression = column("diabetes", -1, &n);
	for (size_t i = 0; i < n; i++)
		progression[i] /= 400;
	compare("beta", progression, n, beta_progression);
	free(progression);
	pixels = column("digits", 11, &n);
	compare("negative_binomial", pixels, n, negative_binomial_pixels);
	free(pixels);
}

static void
test_posteriors(void)
{
	static const double outcomes[] = {1, 0, 0, 1, 1, 0, 0, 0, 0, 1};
	size_t		n;
	double	   *bmi = column("diabetes", 2, &n);
	double	   *pixels;
	Result		r = fit("bernoulli", ML_FIT_BAYES, (double[]) {2, 3}, 0.9, outcomes, 10);

	for (int i = 0; i < 4; i++)
		CHECK_CLOSE((&r.row[0].estimate)[i], bernoulli_posterior[i], 1e-9);
	r = fit("bernoulli", ML_FIT_MAP, (double[]) {2, 3}, 0.9, outcomes, 10);
	CHECK_CLOSE(r.row[0].estimate, 5. / 13, 1e-12);
	r = fit("normal", ML_FIT_BAYES, (double[]) {20, 2, 3, 10}, 0.95, bmi, n);
	CHECK_CLOSE(r.row[0].estimate, normal_posterior[0], 1e-12);
	CHECK_CLOSE(r.row[0].upper, normal_posterior[1], 1e-9);
	CHECK_CLOSE(r.row[1].estimate, normal_posterior[2], 1e-12);
	CHECK_CLOSE(r.row[1].lower, normal_posterior[3], 1e-8);
	CHECK_CLOSE(r.row[1].upper, normal_posterior[4], 1e-8);
	free(bmi);
	pixels = column("digits", 11, &n);
	r = fit("poisson", ML_FIT_BAYES, (double[]) {2, 0.5}, 0.95, pixels, n);
	for (int i = 0; i < 4; i++)
		CHECK_CLOSE((&r.row[0].estimate)[i], poisson_posterior[i], 1e-8);
	free(pixels);
	r = fit("gamma", ML_FIT_BAYES, NULL, 0.95, outcomes, 10);
	CHECK(r.status == ML_UNSUPPORTED);
}

static void
test_functions(void)
{
	static const double at[] = {1e-3, 0.5, 1, 3.7, 12, 1e5};

	for (int i = 0; i < 6; i++)
	{
		CHECK_CLOSE(ml_digamma(at[i]), digammas[i], 1e-13);
		CHECK_CLOSE(ml_trigamma(at[i]), trigammas[i], 1e-13);
	}
	CHECK_CLOSE(ml_normal_quantile(0.975), quantiles[0], 1e-10);
	CHECK_CLOSE(ml_normal_quantile(1e-6), quantiles[1], 1e-10);
	CHECK_CLOSE(ml_t_quantile(0.2, 3), 1.6377443536962101, 1e-12);	/* scipy 1.10 has nine digits of it */
	CHECK_CLOSE(ml_gamma_quantile(0.01, 0.3, 0.5), quantiles[3], 1e-6);
	CHECK_CLOSE(ml_beta_quantile(0.999, 0.5, 7), quantiles[4], 1e-9);
}

static double
normal(uint64_t stream, uint64_t i)
{
	return sqrt(-2 * log(1 - ml_rng_uniform(1, 2 * stream, i))) * cos(6.283185307179586 * ml_rng_uniform(1, 2 * stream + 1, i));
}

/* Sums of many large counts, and values that hardly vary, lead to shapes of 10^12. */
static void
test_large_shapes(void)
{
	static const double shapes[] = {1.1e5, 1e8, 1e12};
	static const double deviations[] = {-4, -1.5, -0.25, 0, 0.25, 2, 7};
	double		shift[2] = {1e154, -1e154};
	double	   *x = malloc(40000 * sizeof(double));
	Result		r;
	Result		alike;

	for (int s = 0; s < 3; s++)
		for (int d = 0; d < 7; d++)
			CHECK_CLOSE(ml_chi2_upper(2 * (shapes[s] + deviations[d] * sqrt(shapes[s])), 2 * shapes[s]), gamma_uppers[7 * s + d], 1e-9);
	for (int s = 0; s < 2; s++)
	{
		CHECK_CLOSE(ml_gamma_quantile(0.025, shapes[s + 1], 1), large_quantiles[2 * s], 1e-14);
		CHECK_CLOSE(ml_gamma_quantile(0.975, shapes[s + 1], 1), large_quantiles[2 * s + 1], 1e-14);
	}

	/* A gamma distribution as narrow as this is a normal one. */
	for (uint64_t i = 0; i < 40000; i++)
		x[i] = 1e6 + normal(5, i);
	r = fit("gamma", ML_FIT_MLE, NULL, 0.95, x, 40000);
	alike = fit("normal", ML_FIT_MLE, NULL, 0.95, x, 40000);
	CHECK(r.status == ML_OK);
	CHECK_NEAR(value_of(&r, "ks_distance"), value_of(&alike, "ks_distance"), 1e-5);

	/* The sum of squares of these is out of range, their variance is not. */
	for (int i = 0; i < 200; i++)
		x[i] = shift[i % 2];
	r = fit("normal", ML_FIT_BAYES, NULL, 0.95, x, 200);
	CHECK(r.status == ML_OUT_OF_RANGE);
	free(x);
}

/* A draw from a family with known parameters. */
static double
draw(const char *family, uint64_t stream, uint64_t i)
{
	double		u = ml_rng_uniform(2, stream, i);
	double		sum = 0;

	if (strcmp(family, "normal") == 0)
		return 3 + 2 * normal(stream, i);
	if (strcmp(family, "exponential") == 0)
		return -log(1 - u) / 1.5;
	if (strcmp(family, "weibull") == 0)
		return 2 * pow(-log(1 - u), 1 / 1.5);
	if (strcmp(family, "pareto") == 0)
		return 2 / pow(1 - u, 1 / 2.5);
	if (strcmp(family, "bernoulli") == 0)
		return u < 0.3;
	if (strcmp(family, "geometric") == 0)
		return floor(log(1 - u) / log(1 - 0.25));
	/* gamma of shape 3, rate 2 */
	for (uint64_t j = 0; j < 3; j++)
		sum -= log(1 - ml_rng_uniform(3, stream, 3 * i + j)) / 2;
	return sum;
}

/* Of 1,000 samples of 200 rows, 90 % intervals hold the true value in 86 to 94 %. */
static void
test_coverage(void)
{
	static const struct
	{
		const char *family;
		double		first;
		double		second;
		MlFitMethod method;
	}			cases[] = {
		{"normal", 3, 2, ML_FIT_MLE}, {"normal", 3, 2, ML_FIT_BAYES}, {"exponential", 1.5, NAN, ML_FIT_MLE}, {"exponential", 1.5, NAN, ML_FIT_BAYES},
		{"weibull", 1.5, 2, ML_FIT_MLE}, {"gamma", 3, 2, ML_FIT_MLE}, {"pareto", 2.5, NAN, ML_FIT_MLE},
		{"bernoulli", 0.3, NAN, ML_FIT_MLE}, {"bernoulli", 0.3, NAN, ML_FIT_BAYES}, {"geometric", 0.25, NAN, ML_FIT_MLE}
	};

	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++)
	{
		int			first = 0;
		int			second = 0;
		double		x[200];

		for (uint64_t sample = 0; sample < 1000; sample++)
		{
			Result		r;

			for (uint64_t i = 0; i < 200; i++)
				x[i] = draw(cases[c].family, 100 + sample, i);
			r = fit(cases[c].family, cases[c].method, NULL, 0.9, x, 200);
			first += r.status == ML_OK && r.row[0].lower <= cases[c].first && cases[c].first <= r.row[0].upper;
			second += r.status == ML_OK && r.row[1].lower <= cases[c].second && cases[c].second <= r.row[1].upper;
		}
		check(first >= 860 && first <= 940, "%s: %d of 1000 intervals hold the first parameter", cases[c].family, first);
		if (!isnan(cases[c].second))
			check(second >= 860 && second <= 940, "%s: %d of 1000 intervals hold the second parameter", cases[c].family, second);
	}
}

static void
test_degenerate(void)
{
	static const double same[] = {2, 2, 2, 2};
	static const double huge[] = {1e300, -1e300, 3};
	static const double mixed[] = {-1, 0.5, 2};
	static const double counts[] = {3, 4, 3, 4, 3};

	for (const MlFamily *f = ml_families; f->name != NULL; f++)
	{
		Result		r = fit(f->name, ML_FIT_MLE, NULL, 0.95, same, 1);

		check(r.status == ML_BAD_DATA, "%s: one value is refused", f->name);
		r = fit(f->name, ML_FIT_MLE, NULL, 0.95, same, 4);
		check(r.status == ML_OK || r.message[0] != '\0', "%s: equal values give a fit or a reason (%s)", f->name, r.message);
		r = fit(f->name, ML_FIT_MLE, NULL, 0.95, huge, 3);
		check(r.status != ML_OK || !isnan(r.row[0].estimate), "%s: huge values (%s)", f->name, r.message);
	}
	CHECK(fit("gamma", ML_FIT_MLE, NULL, 0.95, mixed, 3).status == ML_BAD_DATA);
	CHECK(fit("poisson", ML_FIT_MLE, NULL, 0.95, mixed, 3).status == ML_BAD_DATA);
	CHECK(strstr(fit("negative_binomial", ML_FIT_MLE, NULL, 0.95, counts, 5).message, "vary") != NULL);
	CHECK(fit("cauchy", ML_FIT_MLE, NULL, 0.95, same, 4).status == ML_BAD_PARAM);
}

typedef struct Asked
{
	int			times;
	int			until;
} Asked;

static bool
asked(void *state)
{
	Asked	   *a = state;

	return ++a->times > a->until;
}

/* Sums of special functions over all values ask on the way, however many passes there are. */
static void
test_cancel(void)
{
	static const char *const families[] = {"poisson", "negative_binomial", "weibull", "gamma", "beta"};
	size_t		n = 1 << 19;
	double	   *x = malloc(n * sizeof(double));
	int			alone = 0;

	for (int f = 0; f < 5; f++)
	{
		int			times = 0;

		for (int until = INT32_MAX; until >= 0; until = until == INT32_MAX ? times - 1 : until - times / 9 - 1)
		{
			MlEnv		env = new_env(1);
			const MlFamily *family;
			Asked		a = {.until = until};
			Result		r;

			for (size_t i = 0; i < n; i++)
			{
				double		u = ml_rng_uniform(11, (uint64_t) f, i);

				x[i] = f < 2 ? floor(20 * u * u * u) : f < 4 ? 0.1 + 3 * u * u : 0.2 + 0.5 * u;
			}
			env.canceled = asked;
			env.state = &a;
			check(ml_family_get(&env, families[f], &family) == ML_OK, "%s is there", families[f]);
			r.status = ml_distribution_fit(&env, family, ML_FIT_MLE, NULL, 0.95, x, n, r.row, &r.count);
			check(r.status == (until == INT32_MAX ? ML_OK : ML_CANCELED), "%s told so at question %d of %d: %s", families[f], until, times, env.error.message);
			if (until == INT32_MAX)
				times = a.times;
			free_env(&env);
		}
		if (f == 0)
			alone = times;
		/* poisson has its parameter from the mean, and is judged like negative_binomial. */
		if (f == 1)
			check(times > alone + 500, "negative_binomial asked %d times, poisson %d times", times, alone);
	}
	free(x);
}

int
main(void)
{
	test_functions();
	test_cancel();
	test_large_shapes();
	test_likelihood();
	test_posteriors();
	test_coverage();
	test_degenerate();
	return unit_done();
}
