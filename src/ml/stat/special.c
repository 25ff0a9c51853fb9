/*-------------------------------------------------------------------------
 * special.c
 *	  Functions of statistics that only fits need.
 *-------------------------------------------------------------------------
 */
#include "ml/stat/special.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

#include "ml/base/elementary.h"

/* From here on the asymptotic series has all digits (Abramowitz and Stegun 6.3.18, 6.4.12). */
#define ASYMPTOTIC 10.0
/* Halvings of an interval: more than a double has bits, with those that its exponent has. */
#define HALVINGS 1200

/* log(x) - digamma(x) and trigamma(x) - 1 / x for x >= ASYMPTOTIC. */
static double
digamma_tail(double x)
{
	double		s = 1 / (x * x);

	return 0.5 / x + s * (1. / 12 - s * (1. / 120 - s * (1. / 252 - s * (1. / 240 - s * (1. / 132 - s * 691. / 32760)))));
}

static double
trigamma_tail(double x)
{
	double		s = 1 / (x * x);

	return s / 2 + s / x * (1. / 6 - s * (1. / 30 - s * (1. / 42 - s * (1. / 30 - s * (5. / 66 - s * 691. / 2730)))));
}

double
ml_digamma(double x)
{
	double		sum = 0;

	for (; x < ASYMPTOTIC; x++)
		sum -= 1 / x;
	return sum + log(x) - digamma_tail(x);
}

double
ml_trigamma(double x)
{
	double		sum = 0;

	for (; x < ASYMPTOTIC; x++)
		sum += 1 / (x * x);
	return sum + 1 / x + trigamma_tail(x);
}

double
ml_log_less_digamma(double x)
{
	return x < ASYMPTOTIC ? log(x) - ml_digamma(x) : digamma_tail(x);
}

double
ml_trigamma_less_inverse(double x)
{
	return x < ASYMPTOTIC ? ml_trigamma(x) - 1 / x : trigamma_tail(x);
}

double
ml_stirling_rest(double x)
{
	double		s = 1 / (x * x);

	if (x < ASYMPTOTIC)
		return lgamma(x) - (x - 0.5) * log(x) + x - 0.91893853320467274178;
	return 1 / x * (1. / 12 - s * (1. / 360 - s * (1. / 1260 - s * (1. / 1680 - s * (1. / 1188 - s * (691. / 360360 - s / 156))))));
}

double
ml_normal_below(double z)
{
	double		tails = ml_normal_two_sided(z) / 2;

	return z < 0 ? tails : 1 - tails;
}

/* 2 rate X has the chi-squared distribution with 2 shape degrees of freedom. */
double
ml_gamma_below(double x, double shape, double rate)
{
	return x > 0 ? 1 - ml_chi2_upper(2 * rate * x, 2 * shape) : 0;
}

/* b X / (a (1 - X)) has the F distribution with 2a and 2b degrees of freedom. */
double
ml_beta_below(double x, double a, double b)
{
	if (x <= 0)
		return 0;
	return x < 1 ? 1 - ml_f_upper(b * x / (a * (1 - x)), 2 * a, 2 * b) : 1;
}

typedef enum Which
{
	NORMAL,
	GAMMA,
	BETA
} Which;

static double
below(Which which, double x, double a, double b)
{
	switch (which)
	{
		case NORMAL:
			return ml_normal_below(x);
		case GAMMA:
			return ml_gamma_below(x, a, b);
		default:
			return ml_beta_below(x, a, b);
	}
}

/* Halves the interval until no number lies inside; it is widened first where it does not hold p. */
static double
quantile(Which which, double p, double a, double b, double low, double high)
{
	high = high > DBL_MIN || which == NORMAL ? high : DBL_MIN;	/* 0 cannot be doubled */
	while (which != BETA && below(which, high, a, b) < p && high < 1e300)
		high *= 2;
	while (which == NORMAL && below(which, low, a, b) > p && low > -1e300)
		low *= 2;
	for (int i = 0; i < HALVINGS; i++)
	{
		double		middle = low + (high - low) / 2;

		if (middle == low || middle == high)
			break;
		if (below(which, middle, a, b) < p)
			low = middle;
		else
			high = middle;
	}
	return low + (high - low) / 2;
}

double
ml_normal_quantile(double p)
{
	return quantile(NORMAL, p, 0, 0, -1, 1);
}

double
ml_gamma_quantile(double p, double shape, double rate)
{
	return quantile(GAMMA, p, shape, rate, 0, shape / rate + 1 / rate);
}

double
ml_beta_quantile(double p, double a, double b)
{
	return quantile(BETA, p, a, b, 0, 1);
}
