/*-------------------------------------------------------------------------
 * gaussians.h
 *	  A mixture of Gaussians: densities and memberships of rows.
 *
 * A row's logarithmic density under a component is
 *   constant - 1/2 |factor' (row - mean)|^2
 * where factor is the inverse Cholesky factor of the covariance (a diagonal, or one number, where the
 * covariance is).  Sums run over coordinates in rising order, one row or many, so
 * that fitting and serving give the same bits.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_CLUSTER_GAUSSIANS_H
#define ML_ALGO_CLUSTER_GAUSSIANS_H

#include "ml/base/env.h"
#include "ml/base/lanes.h"

typedef enum MlCovariance
{
	ML_COVARIANCE_FULL,			/* in the order of the parameter's choices */
	ML_COVARIANCE_TIED,
	ML_COVARIANCE_DIAG,
	ML_COVARIANCE_SPHERICAL
} MlCovariance;

typedef struct MlGaussians
{
	MlCovariance kind;
	size_t		k;
	size_t		p;
	double	   *weight;			/* k, sum 1 */
	double	   *mean;			/* k x p */

	/*
	 * full: k x p(p+1)/2, column by column of the upper triangle; tied: one of them; diag:
	 * k x p and spherical: k, there the precision itself.
	 */
	double	   *factor;
	double	   *constant;		/* k: log weight + log of the density at the mean */
} MlGaussians;

/* Numbers in "factor", and in the covariances it is made of. */
extern size_t ml_gaussians_factors(MlCovariance kind, size_t k, size_t p);

/* Free parameters of the mixture, for BIC and AIC. */
extern double ml_gaussians_parameters(MlCovariance kind, size_t k, size_t p);

/* Covariances -> factor and constant, in place of them; *proper (out): all of them are positive definite. */
extern MlStatus ml_gaussians_factorise(MlEnv *env, MlGaussians *g, const double *covariance, double *work, bool *proper);

/* constant, from weight and factor. */
extern void ml_gaussians_constants(MlGaussians *g);

/* Doubles that the next two functions need as scratch. */
static inline size_t
ml_gaussians_scratch(size_t k, size_t p)
{
	return (2 * k + p + 2 * ML_LANES) * ML_LANES;
}

/*
 * Of ML_LANES rows, coordinate j of row l being value[j * step + l]: membership[c * ML_LANES + l], and
 * the logarithm of each row's density.  A row beyond all bounds belongs to each component alike.
 */
extern void ml_gaussians_group(const MlGaussians *g, const double *value, size_t step, double *membership, double *density, double *scratch);

#endif							/* ML_ALGO_CLUSTER_GAUSSIANS_H */
