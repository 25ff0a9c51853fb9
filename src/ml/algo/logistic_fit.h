/*-------------------------------------------------------------------------
 * logistic_fit.h
 *	  Newton's method for the penalised log loss.
 *
 * Each step solves with the exact Hessian (iteratively reweighted least squares) and is halved until the
 * loss falls.  Near the optimum the error squares with each step, so the fit
 * ends at the precision of the arithmetic for the price of one step more than a
 * loose one.  (Hastie, Tibshirani, Friedman 2009, section 4.4; Nocedal and Wright 2006, chapters 3 and 7)
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_LOGISTIC_FIT_H
#define ML_ALGO_LOGISTIC_FIT_H

#include "ml/algo/softmax_loss.h"

/*
 * Scores x columns up to which the Hessian is formed and factored.  Beyond, each step is
 * computed by conjugate gradients from products with it, and there are no standard errors.
 */
#define ML_LOGISTIC_DIRECT_SIZE 2048

/* Directions of the coefficients of one score that change no prediction (collinear columns), in scaled units. */
typedef struct MlLogisticNull
{
	size_t		q;
	size_t		n;
	double	   *v;				/* q x n, orthonormal */
} MlLogisticNull;

/* Takes the null directions out of m vectors of scaled coefficients. */
extern void ml_logistic_project(const MlLogisticNull *null, size_t m, double *x);

/* Adds lift * N N' to m diagonal blocks of an upper matrix (m q x m q). */
extern void ml_logistic_add_null(const MlLogisticNull *null, size_t m, double lift, double *a);

/*
 * step = -(Hessian at u)^-1 gradient by preconditioned conjugate gradients, to the
 * accuracy "tol" of the residual.  scale (q) as in logistic_fit.c; factor: q x q work space.  (logistic_cg.c)
 */
extern MlStatus ml_logistic_cg(MlEnv *env, MlSoftmaxLoss *loss, const MlLogisticNull *null, const double *scale,
							   const double *u, const double *gradient, double tol, double *factor, double *step);

typedef struct MlLogisticFit
{
	double	   *u;				/* loss->size */
	double	   *covariance;		/* size x size, upper: inverse Hessian of the mean loss; NULL when classes are separated, or too large */
	MlLogisticNull null;		/* in the units of u */
	int			iterations;
	bool		converged;
	bool		separated;		/* the loss has no minimum: stopped at a finite point */
	double		data_loss;		/* mean log loss */
} MlLogisticFit;

extern MlStatus ml_logistic_fit(MlEnv *env, MlSoftmaxLoss *loss, bool penalized, double tol, int max_iter, MlLogisticFit *fit);

/* Bytes beyond those of the loss. */
extern size_t ml_logistic_fit_memory(size_t q, size_t size, bool matrix_free);

#endif							/* ML_ALGO_LOGISTIC_FIT_H */
