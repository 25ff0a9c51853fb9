/*-------------------------------------------------------------------------
 * gmm_fit.h
 *	  A mixture of Gaussians by expectation maximisation (Dempster, Laird, Rubin 1977).
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_CLUSTER_GMM_FIT_H
#define ML_ALGO_CLUSTER_GMM_FIT_H

#include "ml/algo/cluster/gaussians.h"
#include "ml/algo/cluster/space.h"

#define ML_GMM_MAX_COMPONENTS 1000

typedef struct MlGmmSpec
{
	MlCovariance kind;
	int32_t		k;
	int			n_init;
	int			max_iter;
	double		tol;			/* of the mean log-likelihood per row */
	double		reg_covar;
	bool		kmeans;			/* begin with the clusters of k-means, else with the rows nearest to random ones */
	double		kmeans_tol;
	const int32_t *label;		/* begin with these clusters (n), once; NULL: as said above */
} MlGmmSpec;

typedef struct MlGmmResult
{
	MlGaussians mixture;		/* the heaviest component first */
	double		log_likelihood; /* mean per row, of the parameters before the last step */
	int			iterations;
	bool		converged;
} MlGmmResult;

extern MlStatus ml_gmm_fit(MlEnv *env, const MlPoints *points, const MlGmmSpec *spec, MlGmmResult *result);

/* Bytes that it allocates; SIZE_MAX when it overflows. */
extern size_t ml_gmm_memory(size_t n, size_t p, const MlGmmSpec *spec, int threads);

#endif							/* ML_ALGO_CLUSTER_GMM_FIT_H */
