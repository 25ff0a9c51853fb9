/*-------------------------------------------------------------------------
 * distribution.c
 *	  Tail probabilities for test statistics, with relative accuracy far out.
 *
 * Normal: the series of erf near zero, the continued fraction of erfc beyond
 * (Abramowitz and Stegun 7.1.6, 7.1.14).  Student: the series of the incomplete
 * beta function near zero, its continued fraction (26.5.8, by Lentz' method)
 * beyond, and quadrature of the density for many degrees of freedom.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "ml/base/elementary.h"

static const double one_over_sqrt_pi = 0.564189583547756286948;

/* exp(-x*x/scale), the rounding error of the square made good. */
static double
exp_minus_square(double x, double scale)
{
	uint64_t	bits;
	double		head;

	memcpy(&bits, &x, 8);
	bits &= ~UINT64_C(0x7FFFFFF);	/* the square of what is left is exact */
	memcpy(&head, &bits, 8);
	return ml_exp(-head * head / scale) * ml_exp(-(x - head) * (x + head) / scale);
}

double
ml_normal_two_sided(double z)
{
	double		x2;

	z = fabs(z);
	if (z != z)
		return NAN;
	if (z > 39)
		return 0;
	x2 = 0.5 * z * z;			/* erfc(x), x = z / sqrt(2) */
	if (z < 2)
	{
		double		term = 1;
		double		sum = 1;

		for (int n = 1; term > sum * 1e-17; n++)
		{
			term *= 2 * x2 / (2 * n + 1);
			sum += term;
		}
		return 1 - one_over_sqrt_pi * sqrt(2.0) * z * exp_minus_square(z, 2) * sum;
	}
	else
	{
		/* P(|Z| > z) = 2 phi(z) / (z + 1/(z + 2/(z + 3/(z + ...)))), from the inside out. */
		int			depth = (int) (20 + 1000 / (z * z));
		double		fraction = z;

		for (int n = depth; n >= 1; n--)
			fraction = z + n / fraction;
		return sqrt(2.0) * one_over_sqrt_pi * exp_minus_square(z, 2) / fraction;
	}
}

/* Gamma(a + 1/2) / Gamma(a): raised by the recurrence to where the asymptotic series is exact. */
static double
gamma_ratio_half(double a)
{
	double		factor = 1;
	double		r,
				r2;

	for (; a < 24; a += 1)
		factor *= a / (a + 0.5);
	r = 1 / a;
	r2 = r * r;
	return factor * sqrt(a) *
		ml_exp(r * (-1.0 / 8 + r2 * (1.0 / 192 + r2 * (-1.0 / 640 + r2 * (17.0 / 14336 + r2 * (-31.0 / 18432))))));
}

/* The continued fraction of I_x(a, b), for x < (a + 1) / (a + b + 2). */
static double
beta_fraction(double a, double b, double x)
{
	const double tiny = 1e-300;
	double		c = 1;
	double		d = 1 - (a + b) * x / (a + 1);
	double		h;

	if (fabs(d) < tiny)
		d = tiny;
	d = 1 / d;
	h = d;
	for (int m = 1; m < 100000; m++)
	{
		double		step = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double		change;

		d = 1 + step * d;
		c = 1 + step / c;
		d = 1 / (fabs(d) < tiny ? tiny : d);
		c = fabs(c) < tiny ? tiny : c;
		h *= d * c;
		step = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
		d = 1 + step * d;
		c = 1 + step / c;
		d = 1 / (fabs(d) < tiny ? tiny : d);
		c = fabs(c) < tiny ? tiny : c;
		change = d * c;
		h *= change;
		if (fabs(change - 1) < 1e-16)
			break;
	}
	return h;
}

/* I_y(1/2, a) without its factor: a sum of positive terms. */
static double
beta_series(double a, double y)
{
	double		term = 1;
	double		sum = 1;

	for (int n = 0; term > sum * 1e-17; n++)
	{
		term *= (a + 0.5 + n) / (1.5 + n) * y;
		sum += term;
	}
	return 2 * sum;
}

/*
 * The integral of density(u) / density(t) over u > t, for many degrees of
 * freedom, where the continued fraction loses digits: double exponential
 * quadrature for a half line (Takahasi and Mori 1974), s = u - t = scale * exp(x - exp(-x)).
 */
static double
tail_over_density(double t, double df)
{
	const double step = 1.0 / 32;
	double		scale = (df + t * t) / (t * (df + 1));
	double		sum = 0;

	for (int i = -4 * 32; i <= 5 * 32; i++)
	{
		double		x = i * step;
		double		e = ml_exp(-x);
		double		s = scale * ml_exp(x - e);

		sum += s * (1 + e) * ml_exp(-0.5 * (df + 1) * ml_log1p(s / (df + t * t) * (2 * t + s)));
	}
	return sum * step;
}

double
ml_t_two_sided(double t, double df)
{
	double		a = 0.5 * df;
	double		q;				/* t^2 / df */
	double		constant;		/* 1 / B(a, 1/2) */

	t = fabs(t);
	if (t != t || !(df > 0))
		return NAN;
	if (t == 0)
		return 1;
	if (isinf(df))
		return ml_normal_two_sided(t);
	q = t / df * t;
	if (isinf(q))
		return 0;
	constant = gamma_ratio_half(a) * one_over_sqrt_pi;
	if (t * t < 3)
		return 1 - constant * sqrt(q / (1 + q)) * ml_exp(-a * ml_log1p(q)) * beta_series(a, q / (1 + q));
	if (df <= 200)
		return constant * sqrt(q / (1 + q)) * ml_exp(-a * ml_log1p(q)) * beta_fraction(a, 0.5, 1 / (1 + q)) / a;
	return 2 * constant / sqrt(df) * ml_exp(-0.5 * (df + 1) * ml_log1p(q)) * tail_over_density(t, df);
}

/* P(F > f) = I_x(b/2, a/2), x = b / (b + a f), for a and b degrees of freedom. */
double
ml_f_upper(double f, double a, double b)
{
	double		x,
				y,
				log_factor;

	if (f != f || !(a > 0) || !(b > 0))
		return NAN;
	if (f <= 0)
		return 1;
	if (isinf(f))
		return 0;
	x = b / (b + a * f);
	y = a * f / (b + a * f);
	a /= 2;
	b /= 2;
	log_factor = lgamma(a + b) - lgamma(a) - lgamma(b) + b * log(x) + a * log(y);
	if (x < (b + 1) / (a + b + 2))
		return exp(log_factor) * beta_fraction(b, a, x) / b;
	return 1 - exp(log_factor) * beta_fraction(a, b, y) / a;
}

/* From here on the series and the fraction of the incomplete gamma function need thousands of terms, and their factor loses digits. */
#define LARGE_SHAPE 1e5

double
ml_log_excess(double d)
{
	double		power = d;
	double		sum = 0;

	if (fabs(d) > 0.05)
		return d - log1p(d);
	for (int n = 2; n < 16; n++)
	{
		power *= -d;
		sum -= power / n;
	}
	return sum;
}

/* The upper incomplete gamma function, regularised, for a large a: Temme's uniform expansion (1979; DLMF 8.12) with two terms. */
static double
gamma_upper_large(double a, double x)
{
	double		d = (x - a) / a;
	double		half = ml_log_excess(d);
	double		eta = copysign(sqrt(2 * half), d);
	double		tails = ml_normal_two_sided(eta * sqrt(a)) / 2;
	double		first;
	double		second;

	if (fabs(eta) < 0.1)
	{
		first = -1. / 3 + eta * (1. / 12 - eta * (2. / 135 - eta * (1. / 864 + eta * (1. / 2835 - eta * (139. / 777600 - eta / 25515)))));
		second = -1. / 540 - eta * (1. / 288 - eta / 378);
	}
	else
	{
		first = 1 / d - 1 / eta;
		second = 1 / (eta * eta * eta) - (1 / d + 1) / (d * d) - 1 / (12 * d);
	}
	return (d < 0 ? 1 - tails : tails) + exp(-a * half) / sqrt(2 * M_PI * a) * (first + second / a);
}

/* P(X > x) for chi-squared with k degrees of freedom: the incomplete gamma function by its series and continued fraction. */
double
ml_chi2_upper(double x, double k)
{
	double		a = k / 2;
	double		log_factor;

	if (x != x || !(k > 0))
		return NAN;
	if (x <= 0)
		return 1;
	if (isinf(x))
		return 0;
	x /= 2;
	if (a > LARGE_SHAPE)
		return gamma_upper_large(a, x);
	log_factor = a * log(x) - x - lgamma(a);
	if (x < a + 1)
	{
		double		term = 1 / a;
		double		sum = term;

		for (double n = a + 1; term > sum * 1e-17; n += 1)
		{
			term *= x / n;
			sum += term;
		}
		return 1 - exp(log_factor) * sum;
	}
	else
	{
		/* Lentz' method, Abramowitz and Stegun 6.5.31 */
		double		b = x + 1 - a;
		double		c = 1e300;
		double		d = 1 / b;
		double		h = d;

		for (int i = 1; i < 100000; i++)
		{
			double		step = -i * (i - a);
			double		change;

			b += 2;
			d = step * d + b;
			d = 1 / (fabs(d) < 1e-300 ? 1e-300 : d);
			c = b + step / c;
			c = fabs(c) < 1e-300 ? 1e-300 : c;
			change = d * c;
			h *= change;
			if (fabs(change - 1) < 1e-16)
				break;
		}
		return exp(log_factor) * h;
	}
}

/* The t beyond which, on both sides, lies the probability p; bisection on a scale that reaches all magnitudes. */
double
ml_t_quantile(double p, double df)
{
	double		low = -40,
				high = 40;		/* logarithms */

	if (!(p > 0) || !(p < 1))
		return p >= 1 ? 0 : INFINITY;
	for (int i = 0; i < 200 && high - low > 1e-15 * fmax(1, fabs(low)); i++)
	{
		double		middle = (low + high) / 2;
		double		t = ml_exp(middle);

		if ((df > 0 ? ml_t_two_sided(t, df) : ml_normal_two_sided(t)) > p)
			low = middle;
		else
			high = middle;
	}
	return ml_exp((low + high) / 2);
}
