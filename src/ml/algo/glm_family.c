/*-------------------------------------------------------------------------
 * glm_family.c
 *	  Families and links of generalised linear models.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>

#include "ml/algo/glm_family.h"
#include "ml/base/elementary.h"

#define BIT(link) (1u << (link))

static const struct
{
	MlGlmLink	link;
	unsigned	links;
	const char *words;
	const char *must_be;
}			families[ML_GLM_N_FAMILIES] = {
	[ML_GLM_GAUSSIAN] = {ML_GLM_IDENTITY, BIT(ML_GLM_IDENTITY) | BIT(ML_GLM_LOG) | BIT(ML_GLM_INVERSE) | BIT(ML_GLM_SQRT),
	"identity, log, inverse, sqrt", "a finite number"},
	[ML_GLM_BINOMIAL] = {ML_GLM_LOGIT, BIT(ML_GLM_LOGIT) | BIT(ML_GLM_PROBIT) | BIT(ML_GLM_CLOGLOG) | BIT(ML_GLM_LOG) | BIT(ML_GLM_IDENTITY),
	"logit, probit, cloglog, log, identity", "from 0 to 1 (with numbers of trials as weights, the share of successes)"},
	[ML_GLM_POISSON] = {ML_GLM_LOG, BIT(ML_GLM_LOG) | BIT(ML_GLM_IDENTITY) | BIT(ML_GLM_SQRT), "log, identity, sqrt", "zero or more"},
	[ML_GLM_GAMMA] = {ML_GLM_INVERSE, BIT(ML_GLM_INVERSE) | BIT(ML_GLM_LOG) | BIT(ML_GLM_IDENTITY), "inverse, log, identity", "above zero"},
	[ML_GLM_INVERSE_GAUSSIAN] = {ML_GLM_INVERSE_SQUARED, BIT(ML_GLM_INVERSE_SQUARED) | BIT(ML_GLM_INVERSE) | BIT(ML_GLM_LOG) | BIT(ML_GLM_IDENTITY),
	"inverse_squared, inverse, log, identity", "above zero"},
	[ML_GLM_NEGATIVE_BINOMIAL] = {ML_GLM_LOG, BIT(ML_GLM_LOG) | BIT(ML_GLM_IDENTITY) | BIT(ML_GLM_SQRT), "log, identity, sqrt", "zero or more"},
	[ML_GLM_TWEEDIE] = {ML_GLM_LOG, BIT(ML_GLM_LOG) | BIT(ML_GLM_IDENTITY) | BIT(ML_GLM_INVERSE) | BIT(ML_GLM_SQRT),
	"log, identity, inverse, sqrt", "zero or more (above zero for a power of 2 or more)"},
};

MlGlmLink
ml_glm_default_link(MlGlmFamily family)
{
	return families[family].link;
}

bool
ml_glm_link_applies(MlGlmFamily family, MlGlmLink link)
{
	return (families[family].links & BIT(link)) != 0;
}

const char *
ml_glm_links_of(MlGlmFamily family)
{
	return families[family].words;
}

bool
ml_glm_unit_dispersion(MlGlmFamily family)
{
	return family == ML_GLM_BINOMIAL || family == ML_GLM_POISSON || family == ML_GLM_NEGATIVE_BINOMIAL;
}

bool
ml_glm_observable(const MlGlmKind *kind, double y, const char **must_be)
{
	*must_be = families[kind->family].must_be;
	switch (kind->family)
	{
		case ML_GLM_BINOMIAL:
			return y >= 0 && y <= 1;
		case ML_GLM_POISSON:
		case ML_GLM_NEGATIVE_BINOMIAL:
			return y >= 0;
		case ML_GLM_TWEEDIE:
			return kind->shape >= 2 ? y > 0 : y >= 0;
		case ML_GLM_GAMMA:
		case ML_GLM_INVERSE_GAUSSIAN:
			return y > 0;
		default:
			return true;
	}
}

/* The quantile of the normal distribution, for starting values: Newton's method on its distribution function. */
static double
normal_quantile(double p)
{
	double		x = 0;

	for (int i = 0; i < 60; i++)
	{
		double		step = (ml_glm_mean(ML_GLM_PROBIT, x) - p) / ml_glm_slope(ML_GLM_PROBIT, x, p);

		step = fmin(fmax(step, -1), 1);
		x -= step;
		if (fabs(step) < 1e-12)
			break;
	}
	return x;
}

double
ml_glm_link(MlGlmLink link, double mu)
{
	switch (link)
	{
		case ML_GLM_LOG:
			return ml_log(mu);
		case ML_GLM_LOGIT:
			return ml_log(mu / (1 - mu));
		case ML_GLM_PROBIT:
			return normal_quantile(mu);
		case ML_GLM_CLOGLOG:
			return ml_log(-ml_log1p(-mu));
		case ML_GLM_INVERSE:
			return 1 / mu;
		case ML_GLM_SQRT:
			return sqrt(mu);
		case ML_GLM_INVERSE_SQUARED:
			return 1 / (mu * mu);
		default:
			return mu;
	}
}

double
ml_glm_mean(MlGlmLink link, double eta)
{
	switch (link)
	{
		case ML_GLM_LOG:
			return ml_exp(eta);
		case ML_GLM_LOGIT:
			return ml_sigmoid(eta);
		case ML_GLM_PROBIT:
			return eta < 0 ? ml_normal_two_sided(eta) / 2 : 1 - ml_normal_two_sided(eta) / 2;
		case ML_GLM_CLOGLOG:
			return -ml_expm1(-ml_exp(eta));
		case ML_GLM_INVERSE:
			return 1 / eta;
		case ML_GLM_SQRT:
			return eta * eta;
		case ML_GLM_INVERSE_SQUARED:
			return 1 / sqrt(eta);
		default:
			return eta;
	}
}

double
ml_glm_slope(MlGlmLink link, double eta, double mu)
{
	switch (link)
	{
		case ML_GLM_LOG:
			return mu;
		case ML_GLM_LOGIT:
			return ml_sigmoid(eta) * ml_sigmoid(-eta);
		case ML_GLM_PROBIT:
			return 0.398942280401432677939946 * ml_exp(-0.5 * eta * eta);
		case ML_GLM_CLOGLOG:
			return ml_exp(eta - ml_exp(eta));
		case ML_GLM_INVERSE:
			return -mu * mu;
		case ML_GLM_SQRT:
			return 2 * eta;
		case ML_GLM_INVERSE_SQUARED:
			return -0.5 * mu * mu * mu;
		default:
			return 1;
	}
}

bool
ml_glm_valid(const MlGlmKind *kind, double eta, double mu)
{
	if (!isfinite(eta) || !isfinite(mu))
		return false;
	/* The other root gives the same mean and another sign of every coefficient. */
	if (kind->link == ML_GLM_SQRT && !(eta > 0))
		return false;
	switch (kind->family)
	{
		case ML_GLM_GAUSSIAN:
			return true;
		case ML_GLM_BINOMIAL:
			return mu >= 0 && mu <= 1 && (kind->link != ML_GLM_IDENTITY || (mu > 0 && mu < 1)) && (kind->link != ML_GLM_LOG || mu < 1);
		default:
			return mu > 0;
	}
}

/* Binomial means that rounding has put on the border are taken a little inside. */
static inline double
inside(double mu)
{
	return mu < DBL_EPSILON ? DBL_EPSILON : mu > 1 - DBL_EPSILON ? 1 - DBL_EPSILON : mu;
}

double
ml_glm_variance(const MlGlmKind *kind, double mu)
{
	switch (kind->family)
	{
		case ML_GLM_BINOMIAL:
			mu = inside(mu);
			return mu * (1 - mu);
		case ML_GLM_POISSON:
			return mu;
		case ML_GLM_GAMMA:
			return mu * mu;
		case ML_GLM_INVERSE_GAUSSIAN:
			return mu * mu * mu;
		case ML_GLM_NEGATIVE_BINOMIAL:
			return mu + kind->shape * mu * mu;
		case ML_GLM_TWEEDIE:
			return pow(mu, kind->shape);
		default:
			return 1;
	}
}

/* y log(y / mu), 0 for y = 0 */
static inline double
y_log_ratio(double y, double mu)
{
	return y > 0 ? y * log(y / mu) : 0;
}

static double
tweedie_deviance(double p, double y, double mu)
{
	if (p == 1)
		return 2 * (y_log_ratio(y, mu) - (y - mu));
	if (p == 2)
		return 2 * ((y - mu) / mu - log(y / mu));
	return 2 * ((y > 0 ? pow(y, 2 - p) / ((1 - p) * (2 - p)) : 0) - y * pow(mu, 1 - p) / (1 - p) + pow(mu, 2 - p) / (2 - p));
}

double
ml_glm_deviance(const MlGlmKind *kind, double y, double mu)
{
	double		a = kind->shape;
	double		d;

	switch (kind->family)
	{
		case ML_GLM_BINOMIAL:
			mu = inside(mu);
			d = 2 * (y_log_ratio(y, mu) + y_log_ratio(1 - y, 1 - mu));
			break;
		case ML_GLM_POISSON:
			d = 2 * (y_log_ratio(y, mu) - (y - mu));
			break;
		case ML_GLM_GAMMA:
			d = 2 * ((y - mu) / mu - log(y / mu));
			break;
		case ML_GLM_INVERSE_GAUSSIAN:
			d = (y - mu) * (y - mu) / (y * mu * mu);
			break;
		case ML_GLM_NEGATIVE_BINOMIAL:
			d = 2 * (y_log_ratio(y, mu) - (y + 1 / a) * log1p(a * (y - mu) / (1 + a * mu)));
			break;
		case ML_GLM_TWEEDIE:
			d = tweedie_deviance(a, y, mu);
			break;
		default:
			return (y - mu) * (y - mu);
	}
	return d > 0 ? d : 0;
}

/* From so many gammas in a sum on the series is as smooth as a normal density, and from the second on it has less digits than the saddlepoint. */
#define SMOOTH_GAMMAS 1000
#define MANY_GAMMAS 1e8

/*
 * The density of a compound Poisson sum of gammas, 1 < p < 2, by its series around the greatest term
 * (Dunn and Smyth 2005, section 3).  Terms are as smooth as a normal density; where its deviation is many terms wide,
 * one in so many stands for its neighbours, which is exact to a double from two of them in a deviation on.  With
 * very many gammas: the saddlepoint approximation.
 */
static double
tweedie_log_likelihood(double p, double y, double mu, double phi)
{
	double		alpha = (2 - p) / (1 - p);	/* negative */
	double		kappa = pow(mu, 2 - p) / (2 - p);
	double		log_z,
				middle,
				stride,
				largest = -INFINITY,
				sum = 0;

	if (p <= 1 || p >= 2)
		return NAN;
	if (y == 0)
		return -kappa / phi;
	middle = floor(fmax(1, pow(y, 2 - p) / (phi * (2 - p))));
	if (!(middle < MANY_GAMMAS))
		return -0.5 * (tweedie_deviance(p, y, mu) / phi + log(2 * M_PI) + log(phi) + p * log(y));
	stride = middle < SMOOTH_GAMMAS ? 1 : fmax(1, floor(0.5 * sqrt(middle / (1 - alpha))));
	log_z = -alpha * log(y) + alpha * log(p - 1) - (1 - alpha) * log(phi) - log(2 - p);
	for (int pass = 0; pass < 2; pass++)
		for (int direction = -1; direction <= 1; direction += 2)
			for (double j = direction < 0 ? middle : middle + stride; j >= 1; j += direction * stride)
			{
				double		term = j * log_z - lgamma(j + 1) - lgamma(-alpha * j);

				if (term <= largest - 40)
					break;
				if (pass == 0)
					largest = fmax(largest, term);
				else
					sum += stride * exp(term - largest);
			}
	return largest + log(sum) - log(y) + (y * pow(mu, 1 - p) / (1 - p) - kappa) / phi;
}

double
ml_glm_log_likelihood(const MlGlmKind *kind, double y, double mu, double w, double phi)
{
	double		a = kind->shape;
	double		s = w / phi;

	switch (kind->family)
	{
		case ML_GLM_BINOMIAL:
			mu = inside(mu);
			/* With w trials, the number of ways to have y of them; 1 for y of 0 and 1. */
			return w * ((y > 0 ? y * log(mu) : 0) + (y < 1 ? (1 - y) * log1p(-mu) : 0)) +
				(y > 0 && y < 1 ? lgamma(w + 1) - lgamma(w * y + 1) - lgamma(w * (1 - y) + 1) : 0);
		case ML_GLM_POISSON:
			return w * ((y > 0 ? y * log(mu) : 0) - mu - lgamma(y + 1));
		case ML_GLM_GAMMA:
			return s * log(s * y / mu) - s * y / mu - log(y) - lgamma(s);
		case ML_GLM_INVERSE_GAUSSIAN:
			return -0.5 * (s * (y - mu) * (y - mu) / (y * mu * mu) - log(s) + 3 * log(y) + log(2 * M_PI));
		case ML_GLM_NEGATIVE_BINOMIAL:
			return w * (lgamma(y + 1 / a) - lgamma(1 / a) - lgamma(y + 1) + (y > 0 ? y * log(a * mu / (1 + a * mu)) : 0) - log1p(a * mu) / a);
		case ML_GLM_TWEEDIE:
			return tweedie_log_likelihood(a, y, mu, phi / w);
		default:
			return -0.5 * (s * (y - mu) * (y - mu) - log(s) + log(2 * M_PI));
	}
}
