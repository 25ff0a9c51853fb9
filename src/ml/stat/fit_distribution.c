/*-------------------------------------------------------------------------
 * fit_distribution.c
 *	  Parameters of a distribution from a column of numbers.
 *
 * Maximum likelihood in closed form or by Newton's method (Johnson, Kotz and Balakrishnan, Continuous Univariate
 * Distributions, 1994; Minka 2002 for the gamma distribution); conjugate posteriors as in Gelman et al., Bayesian Data Analysis, 2013.
 * Intervals of maximum likelihood are Wald's on the scale where a parameter has no bound: the logarithm of a positive one, the
 * log-odds of a probability.  Those of a posterior have the same share in both tails.
 *-------------------------------------------------------------------------
 */
#include "ml/stat/fit_distribution.h"

#include <math.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/elementary.h"
#include "ml/base/sort.h"
#include "ml/stat/special.h"

#define MAX_STEPS 200
#define CONVERGED 1e-13

enum
{
	NORMAL,
	LOGNORMAL,
	EXPONENTIAL,
	GAMMA,
	BETA,
	WEIBULL,
	LAPLACE,
	PARETO,
	UNIFORM,
	POISSON,
	GEOMETRIC,
	NEGATIVE_BINOMIAL,
	BERNOULLI
};

const MlFamily ml_families[] = {
	[NORMAL] = {"normal", {"mean", "kappa", "alpha", "beta"}, {0, 1e-6, 1e-3, 1e-3}},
	[LOGNORMAL] = {"lognormal", {"mean", "kappa", "alpha", "beta"}, {0, 1e-6, 1e-3, 1e-3}},
	[EXPONENTIAL] = {"exponential", {"shape", "rate"}, {1e-3, 1e-3}},
	[GAMMA] = {"gamma"},
	[BETA] = {"beta"},
	[WEIBULL] = {"weibull"},
	[LAPLACE] = {"laplace"},
	[PARETO] = {"pareto"},
	[UNIFORM] = {"uniform"},
	[POISSON] = {"poisson", {"shape", "rate"}, {1e-3, 1e-3}},
	[GEOMETRIC] = {"geometric", {"alpha", "beta"}, {1, 1}},
	[NEGATIVE_BINOMIAL] = {"negative_binomial"},
	[BERNOULLI] = {"bernoulli", {"alpha", "beta"}, {1, 1}},
	{NULL}
};

typedef struct Fit
{
	MlEnv	   *env;
	int			family;
	MlFitMethod method;
	const double *prior;
	double		level;
	double		z;				/* normal quantile of the level */
	const double *x;			/* ascending */
	double		n;
	size_t		count;
	double		mean;
	double		square;			/* mean square around the mean */
	double		log_mean;		/* mean of the logarithms, where the family has positive values */
	double		log_square;
	MlFittedParameter *rows;
	int			n_rows;
	double		a;				/* the parameters, for likelihood and distribution function */
	double		b;
	int			parameters;
	bool		canceled;		/* in the middle of a sum, whose value means nothing then */
} Fit;

/* Values between two looks at whether the run is canceled, where each takes a special function or two. */
#define ASK_VALUES 16384

static inline bool
is_canceled(Fit *f, size_t i)
{
	f->canceled |= i % ASK_VALUES == 0 && ml_canceled(f->env);
	return f->canceled;
}

static MlStatus
canceled(Fit *f)
{
	return ml_fail(f->env, ML_CANCELED, "canceled");
}

MlStatus
ml_family_get(MlEnv *env, const char *name, const MlFamily **family)
{
	char		list[300] = "";

	for (const MlFamily *f = ml_families; f->name != NULL; f++)
	{
		if (strcmp(f->name, name) == 0)
		{
			*family = f;
			return ML_OK;
		}
		strcat(list, *list == '\0' ? "" : ", ");
		strcat(list, f->name);
	}
	ml_fail(env, ML_BAD_PARAM, "unknown family \"%.60s\"", name);
	return ml_hint(env, "Families are: %s.", list);
}

/* ---- rows of the result ---- */

typedef enum Scale
{
	ANY,						/* a parameter without bounds */
	POSITIVE,
	SHARE						/* between 0 and 1 */
} Scale;

static void
put(Fit *f, const char *name, double estimate, double error, double lower, double upper)
{
	f->rows[f->n_rows++] = (MlFittedParameter) {name, estimate, error, lower, upper};
}

/* With Wald's interval. */
static void
put_wald(Fit *f, const char *name, double estimate, double error, Scale scale)
{
	double		lower = NAN;
	double		upper = NAN;

	if (scale == ANY)
	{
		lower = estimate - f->z * error;
		upper = estimate + f->z * error;
	}
	else if (scale == POSITIVE && estimate > 0)
	{
		lower = estimate * exp(-f->z * error / estimate);
		upper = estimate * exp(f->z * error / estimate);
	}
	else if (scale == SHARE && estimate > 0 && estimate < 1)
	{
		double		odds = log(estimate / (1 - estimate));
		double		width = f->z * error / (estimate * (1 - estimate));

		lower = 1 / (1 + exp(width - odds));
		upper = 1 / (1 + exp(-width - odds));
	}
	put(f, name, estimate, error, lower, upper);
}

/* ---- maximum likelihood ---- */

static MlStatus
no_convergence(Fit *f)
{
	ml_fail(f->env, ML_OUT_OF_RANGE, "the likelihood of family \"%s\" has no maximum that could be found", ml_families[f->family].name);
	return ml_hint(f->env, "Values that hardly differ, or that are of another family, lead to this.");
}

static MlStatus
mle_normal(Fit *f, double mean, double square)
{
	double		sigma = sqrt(square);

	f->a = mean;
	f->b = sigma;
	f->parameters = 2;
	put_wald(f, f->family == NORMAL ? "mean" : "log_mean", mean, sigma / sqrt(f->n), ANY);
	put_wald(f, f->family == NORMAL ? "sd" : "log_sd", sigma, sigma / sqrt(2 * f->n), POSITIVE);
	return sigma > 0 ? ML_OK : no_convergence(f);
}

/* x / mean - 1 - log(x / mean): what a gamma distribution weighs values by. */
static double
gamma_excess(double x, double mean)
{
	double		d = (x - mean) / mean;

	return d < -0.5 ? d - log(x / mean) : ml_log_excess(d);
}

/* log(mean) - mean of the logarithms, by terms that are all positive: their difference would have no digits where values hardly differ. */
static double
log_spread(Fit *f)
{
	double		sum = 0;

	for (size_t i = 0; i < f->count && !is_canceled(f, i); i++)
		sum += gamma_excess(f->x[i], f->mean);
	return sum / f->n;
}

static MlStatus
mle_gamma(Fit *f)
{
	double		s = log_spread(f);
	double		k = (3 - s + sqrt((s - 3) * (s - 3) + 24 * s)) / (12 * s);
	double		step = 1;
	double		rate;
	double		determinant;

	if (f->canceled)
		return canceled(f);
	if (!(s > 1e-15))
		return no_convergence(f);
	for (int i = 0; i < MAX_STEPS && fabs(step) > CONVERGED * k; i++)
	{
		step = (s - ml_log_less_digamma(k)) / ml_trigamma_less_inverse(k);
		k = k - step > 0 ? k - step : k / 2;
	}
	rate = k / f->mean;
	determinant = f->n * k * ml_trigamma_less_inverse(k) / (rate * rate);
	f->a = k;
	f->b = rate;
	f->parameters = 2;
	put_wald(f, "shape", k, sqrt(k / (rate * rate) / determinant), POSITIVE);
	put_wald(f, "rate", rate, sqrt(ml_trigamma(k) / determinant), POSITIVE);
	return isfinite(k) ? ML_OK : no_convergence(f);
}

static MlStatus
mle_beta(Fit *f)
{
	double		log_rest = 0;
	double		c = f->mean * (1 - f->mean) / f->square - 1;
	double		a = f->mean * c;
	double		b = (1 - f->mean) * c;
	double		move = 1;
	double		determinant;

	if (!(c > 0) || !(f->square > 0))
		return no_convergence(f);
	for (size_t i = 0; i < f->count && !is_canceled(f, i); i++)
		log_rest += log1p(-f->x[i]);
	if (f->canceled)
		return canceled(f);
	log_rest /= f->n;
	for (int i = 0; i < MAX_STEPS && move > CONVERGED; i++)
	{
		double		both = ml_trigamma(a + b);
		double		ga = f->log_mean - ml_digamma(a) + ml_digamma(a + b);
		double		gb = log_rest - ml_digamma(b) + ml_digamma(a + b);
		double		ha = ml_trigamma(a) - both;
		double		hb = ml_trigamma(b) - both;
		double		da;
		double		db;

		determinant = ha * hb - both * both;
		da = (hb * ga + both * gb) / determinant;
		db = (ha * gb + both * ga) / determinant;
		a = a + da > a / 10 ? a + da : a / 10;
		b = b + db > b / 10 ? b + db : b / 10;
		move = fabs(da) / a + fabs(db) / b;
	}
	if (!isfinite(a) || !isfinite(b) || move > 1e-6)
		return no_convergence(f);
	determinant = (ml_trigamma(a) - ml_trigamma(a + b)) * (ml_trigamma(b) - ml_trigamma(a + b)) - ml_trigamma(a + b) * ml_trigamma(a + b);
	f->a = a;
	f->b = b;
	f->parameters = 2;
	put_wald(f, "alpha", a, sqrt((ml_trigamma(b) - ml_trigamma(a + b)) / determinant / f->n), POSITIVE);
	put_wald(f, "beta", b, sqrt((ml_trigamma(a) - ml_trigamma(a + b)) / determinant / f->n), POSITIVE);
	return ML_OK;
}

/* Sums of (x / greatest)^k, so that no power overflows, and with its logarithm, and its square. */
static void
weibull_sums(Fit *f, double k, double *sum, double *with_log, double *with_square)
{
	double		top = log(f->x[f->count - 1]);

	*sum = *with_log = *with_square = 0;
	for (size_t i = 0; i < f->count && !is_canceled(f, i); i++)
	{
		double		l = log(f->x[i]) - top;
		double		power = exp(k * l);

		*sum += power;
		*with_log += power * l;
		*with_square += power * l * l;
	}
}

static MlStatus
mle_weibull(Fit *f)
{
	double		top = log(f->x[f->count - 1]);
	double		k = 1.2825498301618641 / sqrt(f->log_square);	/* pi / sqrt(6) over the deviation of the logarithms */
	double		step = 1;
	double		sum;
	double		with_log;
	double		with_square;
	double		scale;

	if (!(f->log_square > 0))
		return no_convergence(f);
	for (int i = 0; i < MAX_STEPS && fabs(step) > CONVERGED * k; i++)
	{
		double		ratio;

		weibull_sums(f, k, &sum, &with_log, &with_square);
		if (f->canceled)
			return canceled(f);
		ratio = with_log / sum;
		step = (ratio - 1 / k - (f->log_mean - top)) / (with_square / sum - ratio * ratio + 1 / (k * k));
		k = k - step > 0 ? k - step : k / 2;
	}
	weibull_sums(f, k, &sum, &with_log, &with_square);
	if (f->canceled)
		return canceled(f);
	scale = exp(top + log(sum / f->n) / k);
	f->a = k;
	f->b = scale;
	f->parameters = 2;
	/* Fisher's information of both in closed form: 6 / pi^2, and 1 + 6 (1 - gamma)^2 / pi^2. */
	put_wald(f, "shape", k, k * sqrt(0.60792710185402662866 / f->n), POSITIVE);
	put_wald(f, "scale", scale, scale / k * sqrt(1.10866537183 / f->n), POSITIVE);
	return isfinite(k) && isfinite(scale) ? ML_OK : no_convergence(f);
}

static double
nb_score(Fit *f, double r)
{
	double		sum = -f->n * ml_digamma(r) + f->n * log(r / (r + f->mean));

	for (size_t i = 0; i < f->count && !is_canceled(f, i); i++)
		sum += ml_digamma(f->x[i] + r);
	return sum;
}

static MlStatus
mle_negative_binomial(Fit *f)
{
	double		low = 1e-8;
	double		high = 1;
	double		information = 0;
	double		r;

	if (!(f->square > f->mean))
	{
		ml_fail(f->env, ML_BAD_DATA, "the values do not vary more than their mean, as a negative binomial distribution does");
		return ml_hint(f->env, "Use family \"poisson\".");
	}
	while (!f->canceled && nb_score(f, high) > 0 && high < 1e8)
		high *= 2;
	for (int i = 0; i < MAX_STEPS && !f->canceled && high - low > CONVERGED * high; i++)
	{
		r = low + (high - low) / 2;
		if (nb_score(f, r) > 0)
			low = r;
		else
			high = r;
	}
	r = low + (high - low) / 2;
	for (size_t i = 0; i < f->count && !is_canceled(f, i); i++)
		information -= ml_trigamma(f->x[i] + r);
	if (f->canceled)
		return canceled(f);
	information += f->n * (ml_trigamma(r) - 1 / r + 1 / (r + f->mean));
	f->a = r;
	f->b = f->mean;
	f->parameters = 2;
	put_wald(f, "size", r, information > 0 ? 1 / sqrt(information) : NAN, POSITIVE);
	put_wald(f, "mean", f->mean, sqrt((f->mean + f->mean * f->mean / r) / f->n), POSITIVE);
	return high < 1e8 ? ML_OK : no_convergence(f);
}

static MlStatus
mle_laplace(Fit *f)
{
	size_t		n = f->count;
	double		median = n % 2 == 1 ? f->x[n / 2] : f->x[n / 2 - 1] / 2 + f->x[n / 2] / 2;
	double		scale = 0;

	for (size_t i = 0; i < n; i++)
		scale += fabs(f->x[i] - median) / f->n;
	f->a = median;
	f->b = scale;
	f->parameters = 2;
	put_wald(f, "location", median, scale / sqrt(f->n), ANY);
	put_wald(f, "scale", scale, scale / sqrt(f->n), POSITIVE);
	return scale > 0 ? ML_OK : no_convergence(f);
}

static MlStatus
mle_pareto(Fit *f)
{
	double		least = f->x[0];
	double		sum = f->log_mean - log(least);

	f->a = 1 / sum;
	f->b = least;
	f->parameters = 2;
	put_wald(f, "shape", f->a, f->a / sqrt(f->n), POSITIVE);
	put(f, "minimum", least, NAN, NAN, NAN);
	return sum > 0 ? ML_OK : no_convergence(f);
}

static MlStatus
maximize(Fit *f)
{
	switch (f->family)
	{
		case NORMAL:
			return mle_normal(f, f->mean, f->square);
		case LOGNORMAL:
			return mle_normal(f, f->log_mean, f->log_square);
		case GAMMA:
			return mle_gamma(f);
		case BETA:
			return mle_beta(f);
		case WEIBULL:
			return mle_weibull(f);
		case LAPLACE:
			return mle_laplace(f);
		case PARETO:
			return mle_pareto(f);
		case NEGATIVE_BINOMIAL:
			return mle_negative_binomial(f);
		case UNIFORM:
			f->a = f->x[0];
			f->b = f->x[f->count - 1];
			f->parameters = 2;
			put(f, "minimum", f->a, NAN, NAN, NAN);
			put(f, "maximum", f->b, NAN, NAN, NAN);
			return f->b > f->a ? ML_OK : no_convergence(f);
		case EXPONENTIAL:
			f->a = 1 / f->mean;
			put_wald(f, "rate", f->a, f->a / sqrt(f->n), POSITIVE);
			return f->mean > 0 ? ML_OK : no_convergence(f);
		case POISSON:
			f->a = f->mean;
			put_wald(f, "mean", f->a, sqrt(f->a / f->n), POSITIVE);
			return ML_OK;
		case GEOMETRIC:
			f->a = 1 / (1 + f->mean);
			put_wald(f, "probability", f->a, f->a * sqrt((1 - f->a) / f->n), SHARE);
			return ML_OK;
		default:
			f->a = f->mean;
			put_wald(f, "probability", f->a, sqrt(f->a * (1 - f->a) / f->n), SHARE);
			return ML_OK;
	}
}

/* ---- conjugate posteriors ---- */

/* Of a probability: a Beta distribution. */
static void
posterior_beta(Fit *f, double a, double b)
{
	double		tail = (1 - f->level) / 2;
	double		mode = a > 1 && b > 1 ? (a - 1) / (a + b - 2) : a >= b ? 1 : 0;

	f->a = f->method == ML_FIT_MAP ? mode : a / (a + b);
	put(f, "probability", f->a, sqrt(a * b / ((a + b) * (a + b) * (a + b + 1))), ml_beta_quantile(tail, a, b), ml_beta_quantile(1 - tail, a, b));
}

/* Of a rate: a gamma distribution. */
static void
posterior_gamma(Fit *f, const char *name, double shape, double rate)
{
	double		tail = (1 - f->level) / 2;

	f->a = f->method == ML_FIT_MAP ? (shape > 1 ? (shape - 1) / rate : 0) : shape / rate;
	put(f, name, f->a, sqrt(shape) / rate, ml_gamma_quantile(tail, shape, rate), ml_gamma_quantile(1 - tail, shape, rate));
}

static MlStatus
no_range(Fit *f)
{
	ml_fail(f->env, ML_OUT_OF_RANGE, "the variance of the values is out of range");
	return ml_hint(f->env, "Scale the values.");
}

/* Of mean and variance: normal-inverse-gamma; what is shown of the latter is its root. */
static MlStatus
posterior_normal(Fit *f, double mean, double square)
{
	double		tail = (1 - f->level) / 2;
	double		m0 = f->prior[0];
	double		k0 = f->prior[1];
	double		kappa = k0 + f->n;
	double		m = (k0 * m0 + f->n * mean) / kappa;
	double		alpha = f->prior[2] + f->n / 2;
	double		beta = f->prior[3] + f->n * square / 2 + k0 * f->n * (mean - m0) * (mean - m0) / (2 * kappa);
	double		spread = sqrt(beta / (alpha * kappa));
	double		variance = f->method == ML_FIT_MAP ? beta / (alpha + 1.5) : alpha > 1 ? beta / (alpha - 1) : NAN;
	bool		logs = f->family == LOGNORMAL;

	if (!isfinite(beta) || !isfinite(m))
		return no_range(f);
	f->a = m;
	f->b = sqrt(variance);
	f->parameters = 2;
	put(f, logs ? "log_mean" : "mean", m, alpha > 1 ? sqrt(beta / ((alpha - 1) * kappa)) : NAN,
		m - spread * ml_t_quantile(2 * tail, 2 * alpha), m + spread * ml_t_quantile(2 * tail, 2 * alpha));
	put(f, logs ? "log_sd" : "sd", f->b, NAN, sqrt(1 / ml_gamma_quantile(1 - tail, alpha, beta)), sqrt(1 / ml_gamma_quantile(tail, alpha, beta)));
	return ML_OK;
}

static MlStatus
update(Fit *f)
{
	switch (f->family)
	{
		case NORMAL:
			return posterior_normal(f, f->mean, f->square);
		case LOGNORMAL:
			return posterior_normal(f, f->log_mean, f->log_square);
		case EXPONENTIAL:
			posterior_gamma(f, "rate", f->prior[0] + f->n, f->prior[1] + f->n * f->mean);
			break;
		case POISSON:
			posterior_gamma(f, "mean", f->prior[0] + f->n * f->mean, f->prior[1] + f->n);
			break;
		case GEOMETRIC:
			posterior_beta(f, f->prior[0] + f->n, f->prior[1] + f->n * f->mean);
			break;
		default:
			posterior_beta(f, f->prior[0] + f->n * f->mean, f->prior[1] + f->n * (1 - f->mean));
	}
	return ML_OK;
}

/* ---- how well it fits ---- */

static double
log_density(const Fit *f, double x)
{
	double		a = f->a;
	double		b = f->b;
	double		z;

	switch (f->family)
	{
		case NORMAL:
			z = (x - a) / b;
			return -0.5 * z * z - log(b) - 0.91893853320467274178;
		case LOGNORMAL:
			z = (log(x) - a) / b;
			return -0.5 * z * z - log(b) - 0.91893853320467274178 - log(x);
		case EXPONENTIAL:
			return log(a) - a * x;
		case GAMMA:
			/* The large terms of a log(b) - log of gamma(a) + (a - 1) log(x) - b x taken against each other. */
			return 0.5 * log(a) - 0.91893853320467274178 - ml_stirling_rest(a) - a * gamma_excess(x, a / b) - log(x);
		case BETA:
			return lgamma(a + b) - lgamma(a) - lgamma(b) + (a - 1) * log(x) + (b - 1) * log1p(-x);
		case WEIBULL:
			return log(a / b) + (a - 1) * log(x / b) - pow(x / b, a);
		case LAPLACE:
			return -log(2 * b) - fabs(x - a) / b;
		case PARETO:
			return log(a) + a * log(b) - (a + 1) * log(x);
		case UNIFORM:
			return -log(b - a);
		case POISSON:
			return (x > 0 ? x * log(a) : 0) - a - lgamma(x + 1);
		case GEOMETRIC:
			return log(a) + (x > 0 ? x * log1p(-a) : 0);
		case NEGATIVE_BINOMIAL:
			return lgamma(x + a) - lgamma(a) - lgamma(x + 1) + a * log(a / (a + b)) + x * log(b / (a + b));
		default:
			return x > 0.5 ? log(a) : log1p(-a);
	}
}

/* The share below x; NaN for a family of whole numbers. */
static double
share_below(const Fit *f, double x)
{
	double		a = f->a;
	double		b = f->b;

	switch (f->family)
	{
		case NORMAL:
			return ml_normal_below((x - a) / b);
		case LOGNORMAL:
			return ml_normal_below((log(x) - a) / b);
		case EXPONENTIAL:
			return -expm1(-a * x);
		case GAMMA:
			return ml_gamma_below(x, a, b);
		case BETA:
			return ml_beta_below(x, a, b);
		case WEIBULL:
			return -expm1(-pow(x / b, a));
		case LAPLACE:
			return x < a ? 0.5 * exp((x - a) / b) : 1 - 0.5 * exp((a - x) / b);
		case PARETO:
			return 1 - pow(b / x, a);
		case UNIFORM:
			return (x - a) / (b - a);
		default:
			return NAN;
	}
}

/* Values beyond this many are looked at one in so many for the distance of the distribution functions. */
#define DISTANCE_VALUES 20000

/* Rows between two looks at whether the run is canceled; a distribution function may take thousands of terms. */
#define JUDGED_ROWS 64

static MlStatus
judge(Fit *f)
{
	double		likelihood = 0;
	double		distance = f->family < POISSON ? 0 : NAN;
	size_t		stride = f->count / DISTANCE_VALUES + 1;

	for (size_t i = 0; i < f->count; i++)
	{
		if (i % (JUDGED_ROWS * stride) == 0 && ml_canceled(f->env))
			return canceled(f);
		likelihood += log_density(f, f->x[i]);
		if (f->family < POISSON && i % stride == 0)
		{
			double		p = share_below(f, f->x[i]);

			distance = fmax(distance, fmax((double) (i + 1) / f->n - p, p - (double) i / f->n));
		}
	}
	put(f, "log_likelihood", likelihood, NAN, NAN, NAN);
	put(f, "aic", 2 * f->parameters - 2 * likelihood, NAN, NAN, NAN);
	put(f, "bic", f->parameters * log(f->n) - 2 * likelihood, NAN, NAN, NAN);
	put(f, "ks_distance", distance, NAN, NAN, NAN);
	put(f, "rows", f->n, NAN, NAN, NAN);
	return ML_OK;
}

/* ---- the way in ---- */

static bool
allowed(int family, double x)
{
	switch (family)
	{
		case LOGNORMAL:
		case GAMMA:
		case WEIBULL:
		case PARETO:
			return x > 0;
		case EXPONENTIAL:
			return x >= 0;
		case BETA:
			return x > 0 && x < 1;
		case POISSON:
		case GEOMETRIC:
		case NEGATIVE_BINOMIAL:
			return x >= 0 && x == floor(x);
		case BERNOULLI:
			return x == 0 || x == 1;
		default:
			return true;
	}
}

static const char *
domain(int family)
{
	switch (family)
	{
		case LOGNORMAL:
		case GAMMA:
		case WEIBULL:
		case PARETO:
			return "above 0";
		case EXPONENTIAL:
			return "of 0 and more";
		case BETA:
			return "between 0 and 1, without both";
		case BERNOULLI:
			return "0 and 1";
		default:
			return "0, 1, 2 and so on";
	}
}

static MlStatus
sort_values(MlEnv *env, double *x, size_t n)
{
	MlKeyed    *items = ml_alloc(env, n, sizeof(MlKeyed));
	double	   *sorted = ml_alloc(env, n, sizeof(double));

	if (items == NULL || sorted == NULL)
		return env->error.status;
	for (size_t i = 0; i < n; i++)
		items[i] = (MlKeyed) {.key = ml_sort_key_double(x[i]), .row = i};
	ML_TRY(ml_sort_keyed(env, items, n));
	for (size_t i = 0; i < n; i++)
		sorted[i] = x[items[i].row];
	memcpy(x, sorted, n * sizeof(double));
	ml_release(env, items);
	ml_release(env, sorted);
	return ML_OK;
}

/* Mean and mean square around it, in two passes; of logarithms too where all values have one. */
static void
sum_up(Fit *f)
{
	bool		logs = f->x[0] > 0;
	double		rest = 0;		/* what the first pass lost to rounding */

	for (size_t i = 0; i < f->count && !is_canceled(f, i); i++)
	{
		f->mean += f->x[i];
		f->log_mean += logs ? log(f->x[i]) : 0;
	}
	f->mean /= f->n;
	f->log_mean /= f->n;
	for (size_t i = 0; i < f->count && !is_canceled(f, i); i++)
	{
		double		l = logs ? log(f->x[i]) - f->log_mean : 0;

		f->square += (f->x[i] - f->mean) * (f->x[i] - f->mean) / f->n;
		f->log_square += l * l / f->n;
		rest += (f->x[i] - f->mean) / f->n;
	}
	f->mean += rest;
	f->square -= f->square > rest * rest ? rest * rest : f->square;
}

MlStatus
ml_distribution_fit(MlEnv *env, const MlFamily *family, MlFitMethod method, const double *prior, double level,
					double *x, size_t n, MlFittedParameter *rows, int *count)
{
	Fit			f = {.env = env, .family = (int) (family - ml_families), .method = method, .prior = prior, .level = level,
		.x = x, .n = (double) n, .count = n, .rows = rows, .parameters = 1};

	if (method != ML_FIT_MLE && family->prior[0] == NULL)
	{
		ml_fail(env, ML_UNSUPPORTED, "family \"%s\" has no conjugate prior here", family->name);
		return ml_hint(env, "Use method \"mle\".");
	}
	if (n < 2)
	{
		ml_fail(env, ML_BAD_DATA, "too few values");
		ml_detail(env, "At least 2 are needed, there are %zu.", n);
		return ml_hint(env, "NULL values do not count.");
	}
	for (size_t i = 0; i < n; i++)
	{
		if (allowed(f.family, x[i]))
			continue;
		ml_fail(env, ML_BAD_DATA, "the value %g is none that family \"%s\" can have", x[i], family->name);
		return ml_hint(env, "Its values are %s.", domain(f.family));
	}
	ML_TRY(sort_values(env, x, n));
	sum_up(&f);
	if (f.canceled)
		return canceled(&f);
	if (!isfinite(f.square))
		return no_range(&f);
	f.z = ml_normal_quantile((1 + level) / 2);
	ML_TRY(method == ML_FIT_MLE ? maximize(&f) : update(&f));
	for (int i = 0; i < f.n_rows; i++)
		if (isinf(rows[i].estimate) || isinf(rows[i].std_error))
		{
			ml_fail(env, ML_OUT_OF_RANGE, "parameter \"%s\" of family \"%s\" is out of range", rows[i].name, family->name);
			return ml_hint(env, "Scale the values.");
		}
	ML_TRY(judge(&f));
	*count = f.n_rows;
	return ML_OK;
}
