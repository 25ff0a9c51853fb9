/*-------------------------------------------------------------------------
 * logistic_fit.h
 *	  Newton's method for the penalised log loss.
 *
 * Each step solves with the exact Hessian (iteratively reweighted least squares) and is halved until the
 * loss falls.  Near the optimum the error squares with each step, so the fit
 * ends at the precision of the arithmetic for the price of one step more than a
 * loose one.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_LOGISTIC_FIT_H
#define ML_ALGO_LOGISTIC_FIT_H

#include "ml/algo/softmax_loss.h"

/* Scores x columns: more would make one Cholesky factorisation too long and its matrix too large. */
#define ML_LOGISTIC_MAX_SIZE 6144

typedef struct MlLogisticFit
{
	double	   *u;				/* loss->size */
	double	   *covariance;		/* size x size, upper: inverse Hessian of the mean loss; NULL when classes are separated */
	double	   *null;			/* q x n_null: directions of u that change nothing */
	size_t		n_null;
	int			iterations;
	bool		converged;
	bool		separated;		/* the loss has no minimum: stopped at a finite point */
	double		data_loss;		/* mean log loss */
} MlLogisticFit;

extern MlStatus ml_logistic_fit(MlEnv *env, MlSoftmaxLoss *loss, bool penalized, double tol, int max_iter, MlLogisticFit *fit);

/* Bytes beyond those of the loss. */
extern size_t ml_logistic_fit_memory(size_t q, size_t size);

#endif							/* ML_ALGO_LOGISTIC_FIT_H */
