/*-------------------------------------------------------------------------
 * quadrature.c
 *	  Gauss-Legendre points and weights on [0, 1].
 *-------------------------------------------------------------------------
 */
#include "ml/base/quadrature.h"

#define HALF_PI 1.57079632679489661923

/* Newton's method doubles the digits of a first guess that has three. */
#define NEWTON_STEPS 6

/* sin(a) for 0 <= a <= pi/2, to about 1e-9: good for a first guess. */
static double
rough_sin(double a)
{
	double		s = a * a;

	return a * (1 - s / 6 * (1 - s / 20 * (1 - s / 42 * (1 - s / 72 * (1 - s / 110)))));
}

/*
 * The Legendre polynomial of degree n at 1 - d, and its derivative.  In d, not x: next to 1
 * it is d that has the digits.  With q(j) = P(j) - P(j-1), Bonnet's recurrence is
 * q(j+1) = (j q(j) - (2j+1) d P(j)) / (j+1).
 */
static double
legendre(int n, double d, double *slope)
{
	double		p = 1;
	double		q = 0;

	for (int j = 0; j < n; j++)
	{
		q = (j * q - (2 * j + 1) * d * p) / (j + 1);
		p += q;
	}
	/* (1 - x^2) P'(n) = n (P(n-1) - x P(n)) = n (d P(n) - q(n)) */
	*slope = n * (d * p - q) / (d * (2 - d));
	return p;
}

void
ml_gauss_legendre(int n, double *y, double *z, double *w)
{
	for (int i = 0; i < (n + 1) / 2; i++)
	{
		/* Tricomi: x = cos(pi (i + 3/4) / (n + 1/2)) (1 - (n-1) / 8n^3), and 1 - cos(a) = 2 sin^2(a/2) */
		double		half = rough_sin(HALF_PI * (i + 0.75) / (n + 0.5));
		double		shrink = (n - 1) / (8.0 * n * n * n);
		double		d = 2 * half * half * (1 - shrink) + shrink;
		double		slope;

		for (int step = 0; step < NEWTON_STEPS; step++)
		{
			double		p = legendre(n, d, &slope);

			d += p / slope;
		}
		if (2 * i + 1 == n)
			d = 1;
		legendre(n, d, &slope);
		y[i] = z[n - 1 - i] = d / 2;
		z[i] = y[n - 1 - i] = 1 - d / 2;
		w[i] = w[n - 1 - i] = 1 / (d * (2 - d) * slope * slope);
	}
}
