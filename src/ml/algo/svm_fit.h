/*-------------------------------------------------------------------------
 * svm_fit.h
 *	  Linear support vector machines, for classes and for numbers.
 *
 *	  1/2 sum penalty_j u_j^2 + sum over terms of c max(0, t - s f)^(1 or 2),  f = Z u
 *
 * A row of two classes has one term, s = +1 or -1 and t = 1 (hinge); a row of a regression has two, s = 1, t = y -
 * epsilon and s = -1, t = -y - epsilon.  Squared losses are minimised by Newton's method on their generalised
 * Hessian (Keerthi and DeCoste 2005), plain ones by a primal-dual interior point method whose linear systems have the
 * size of the columns (Ferris and Munson 2002).  Both work on blocks of rows, on all threads.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_SVM_FIT_H
#define ML_ALGO_SVM_FIT_H

#include "ml/algo/design.h"

typedef struct MlSvmSlot MlSvmSlot;
typedef struct MlSvmTerm MlSvmTerm;

typedef struct MlSvm
{
	/* set by the caller */
	const MlDataset *data;
	const MlDesign *design;
	const MlDesignScale *scale;
	bool		intercept;
	bool		regression;
	bool		squared;
	double		epsilon;		/* of a regression */
	double	   *penalty;		/* q = intercept + scale->n */
	double	   *c;				/* by row: C times its weight; 0: the row does not count */
	double	   *sign;			/* by row: -1 or 1, for classes */
	double		tol;
	int			max_iter;

	/* results */
	size_t		q;
	double	   *u;				/* q */
	double		objective;
	int			iterations;
	bool		converged;

	/* inside */
	size_t		block;
	size_t		n_blocks;
	size_t		n_slots;
	int			n_terms;		/* of a row */
	MlSvmSlot  *slots;
	MlSvmTerm  *term;			/* rows x n_terms, of the interior point method */
	double	   *gradient;		/* q */
	double	   *matrix;			/* q x q */
	double	   *factor;
	double	   *step;
	double	   *trial;
} MlSvm;

/* Room for fits of this shape; u, c, sign and penalty are allocated, to be filled. */
extern MlStatus ml_svm_init(MlEnv *env, MlSvm *svm);

/* May be called again with other c and sign. */
extern MlStatus ml_svm_fit(MlEnv *env, MlSvm *svm);

/* f of the training rows. */
extern MlStatus ml_svm_scores(MlEnv *env, MlSvm *svm, double *f);

extern size_t ml_svm_memory(size_t n, size_t q, bool regression, bool squared);

#endif							/* ML_ALGO_SVM_FIT_H */
