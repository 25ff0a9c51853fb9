/*-------------------------------------------------------------------------
 * elementary.c
 *	  exp, log and what follows from them, the same bits on every machine.
 *
 * Method and coefficients of exp, log, log1p and expm1 are those of FDLIBM
 * ("Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved. Developed
 * at SunSoft, a Sun Microsystems, Inc. business.  Permission to use, copy,
 * modify, and distribute this software is freely granted, provided that this
 * notice is preserved."): argument reduction by multiples of ln 2 in two parts,
 * a minimax polynomial, and a compensated sum.  Error below 1 ulp.
 *-------------------------------------------------------------------------
 */
#include "ml/base/elementary.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static const double ln2_hi = 6.93147180369123816490e-01;	/* its lower 32 bits are zero */
static const double ln2_lo = 1.90821492927058770002e-10;
static const double inv_ln2 = 1.44269504088896338700e+00;

static inline uint64_t
bits_of(double x)
{
	uint64_t	bits;

	memcpy(&bits, &x, 8);
	return bits;
}

static inline double
double_of(uint64_t bits)
{
	double		x;

	memcpy(&x, &bits, 8);
	return x;
}

/* 2^k for a normal result. */
static inline double
power_of_two(int k)
{
	return double_of((uint64_t) (k + 1023) << 52);
}

double
ml_exp(double x)
{
	static const double P1 = 1.66666666666666019037e-01;
	static const double P2 = -2.77777777770155933842e-03;
	static const double P3 = 6.61375632143793436117e-05;
	static const double P4 = -1.65339022054652515390e-06;
	static const double P5 = 4.13813679705723846039e-08;
	static const double round_to_int = 0x1.8p52;
	double		k,
				hi,
				lo,
				r,
				t,
				c,
				y;
	int			n;

	if (x != x)
		return x;
	if (x > 709.782712893383973096)
		return INFINITY;
	if (x < -745.13321910194110842)
		return 0;

	k = (x * inv_ln2 + round_to_int) - round_to_int;
	n = (int) k;
	hi = x - k * ln2_hi;
	lo = k * ln2_lo;
	r = hi - lo;
	t = r * r;
	c = r - t * (P1 + t * (P2 + t * (P3 + t * (P4 + t * P5))));
	y = 1 + (r * c / (2 - c) - lo + hi);

	if (n >= -1021 && n <= 1023)
		return y * power_of_two(n);
	if (n > 1023)
		return y * 2 * 0x1p1023;
	return y * power_of_two(n + 1000) * 0x1p-1000;	/* one rounding, in the last product */
}

/* log(1 + f) - f + f*f/2 for sqrt(1/2) - 1 <= f <= sqrt(2) - 1, given s = f / (2 + f). */
static inline double
log_tail(double s, double half_square)
{
	static const double L1 = 6.666666666666735130e-01;
	static const double L2 = 3.999999999940941908e-01;
	static const double L3 = 2.857142874366239149e-01;
	static const double L4 = 2.222219843214978396e-01;
	static const double L5 = 1.818357216161805012e-01;
	static const double L6 = 1.531383769920937332e-01;
	static const double L7 = 1.479819860511658591e-01;
	double		z = s * s;
	double		w = z * z;
	double		even = w * (L2 + w * (L4 + w * L6));
	double		odd = z * (L1 + w * (L3 + w * (L5 + w * L7)));

	return s * (half_square + (odd + even));
}

/* Splits x > 0, normal, into 2^k * m with sqrt(1/2) <= m < sqrt(2). */
static inline double
split_power(double x, int *k)
{
	uint64_t	bits = bits_of(x);
	uint32_t	high = (uint32_t) (bits >> 32) + (0x3ff00000 - 0x3fe6a09e);

	*k = (int) (high >> 20) - 0x3ff;
	high = (high & 0xfffff) + 0x3fe6a09e;
	return double_of((uint64_t) high << 32 | (bits & 0xffffffff));
}

double
ml_log(double x)
{
	int			k;
	int			shift = 0;
	double		f,
				half_square,
				dk;

	if (!(x > 0))
		return x == 0 ? -INFINITY : NAN;
	if (x > 0x1.fffffffffffffp1023)
		return x;
	if (x < 0x1p-1022)
	{
		x *= 0x1p54;
		shift = -54;
	}
	if (x == 1)
		return 0;
	f = split_power(x, &k) - 1;
	dk = k + shift;
	half_square = 0.5 * f * f;
	return log_tail(f / (2 + f), half_square) + dk * ln2_lo - half_square + f + dk * ln2_hi;
}

double
ml_log1p(double x)
{
	double		f = x;
	double		c = 0;			/* what 1 + x has lost, relative to it */
	double		dk = 0;
	double		half_square;

	if (!(x > -1))
		return x == -1 ? -INFINITY : NAN;
	if (x > 0x1.fffffffffffffp1023)
		return x;
	if (fabs(x) < 0x1p-53)
		return x;
	if (x < -0.29289321881345254 || x > 0.41421356237309503)
	{
		double		u = 1 + x;
		int			k;

		if (u < 0x1p54)
			c = (u >= 2 ? 1 - (u - x) : x - (u - 1)) / u;
		f = split_power(u, &k) - 1;
		dk = k;
	}
	half_square = 0.5 * f * f;
	return log_tail(f / (2 + f), half_square) + (dk * ln2_lo + c) - half_square + f + dk * ln2_hi;
}

double
ml_expm1(double x)
{
	static const double Q1 = -3.33333333333331316428e-02;
	static const double Q2 = 1.58730158725481460165e-03;
	static const double Q3 = -7.93650757867487942473e-05;
	static const double Q4 = 4.00821782732936239552e-06;
	static const double Q5 = -2.01099218183624371326e-07;
	double		c = 0;
	double		hx,
				hxs,
				r1,
				t,
				e;
	int			k = 0;

	if (x != x)
		return x;
	if (x > 709.782712893383973096)
		return INFINITY;
	if (x < -56 * ln2_hi)
		return -1;
	if (fabs(x) < 0x1p-54)
		return x;
	if (fabs(x) > 0.5 * ln2_hi)
	{
		double		hi,
					lo;

		if (fabs(x) < 1.5 * ln2_hi)
			k = x < 0 ? -1 : 1;
		else
			k = (int) (inv_ln2 * x + (x < 0 ? -0.5 : 0.5));
		hi = x - k * ln2_hi;
		lo = k * ln2_lo;
		x = hi - lo;
		c = (hi - x) - lo;
	}

	hx = 0.5 * x;
	hxs = x * hx;
	r1 = 1 + hxs * (Q1 + hxs * (Q2 + hxs * (Q3 + hxs * (Q4 + hxs * Q5))));
	t = 3 - r1 * hx;
	e = hxs * ((r1 - t) / (6 - x * t));
	if (k == 0)
		return x - (x * e - hxs);
	e = x * (e - c) - c;
	e -= hxs;
	if (k == -1)
		return 0.5 * (x - e) - 0.5;
	if (k == 1)
		return x < -0.25 ? -2 * (e - (x + 0.5)) : 1 + 2 * (x - e);
	if (k == 1024)
		return (x - e + 1) * 2 * 0x1p1023 - 1;
	if (k < 0 || k > 56)
		return (x - e + 1) * power_of_two(k) - 1;
	if (k < 20)
		return (x - e + (1 - power_of_two(-k))) * power_of_two(k);
	return (x - (e + power_of_two(-k)) + 1) * power_of_two(k);
}

double
ml_sigmoid(double x)
{
	double		e;

	/* The exponential of a negative number cannot overflow. */
	if (x >= 0)
		return 1 / (1 + ml_exp(-x));
	e = ml_exp(x);
	return e / (1 + e);
}

void
ml_softmax(double *z, size_t n)
{
	double		max = -INFINITY;
	double		sum = 0;

	for (size_t i = 0; i < n; i++)
	{
		if (z[i] > max)
			max = z[i];
	}
	for (size_t i = 0; i < n; i++)
	{
		/* Infinite scores share what there is; an undefined one gets nothing. */
		if (isinf(max))
			z[i] = z[i] == max ? 1 : 0;
		else
			z[i] = z[i] == z[i] ? ml_exp(z[i] - max) : 0;
		sum += z[i];
	}
	for (size_t i = 0; i < n; i++)
		z[i] = sum > 0 ? z[i] / sum : 1.0 / (double) n;
}
