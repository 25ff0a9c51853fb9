/*-------------------------------------------------------------------------
 * quadrature.h
 *	  Gauss-Legendre points and weights on [0, 1].
 *-------------------------------------------------------------------------
 */
#ifndef ML_BASE_QUADRATURE_H
#define ML_BASE_QUADRATURE_H

/*
 * n points y, rising, with z = 1 - y kept to full precision on both ends, and weights w that add up to 1:
 * sum of w f(y) is the integral of f over [0, 1] for every polynomial f of degree below 2n.
 * n is 1 or more; takes O(n^2) steps.  The same bits everywhere.
 */
extern void ml_gauss_legendre(int n, double *y, double *z, double *w);

#endif							/* ML_BASE_QUADRATURE_H */
