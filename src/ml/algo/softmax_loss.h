/*-------------------------------------------------------------------------
 * softmax_loss.h
 *	  Penalised log loss of a linear model, its gradient and its Hessian.
 *
 *	  F(u) = mean over weights of -log p(y_i | x_i) + 1/2 sum of penalty_j u_cj^2
 *
 * The K classes have the scores eta = B s with s = Z u.  For two classes there is one
 * s, the score of the second class.  For more the basis B is orthonormal with columns that sum to 0:
 * the symmetric softmax has one direction per column that changes nothing, and the optimum
 * that scikit-learn reaches from 0 lies where the classes sum to 0.  Working there keeps
 * the symmetry and |w|, and makes the Hessian regular.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_SOFTMAX_LOSS_H
#define ML_ALGO_SOFTMAX_LOSS_H

#include "ml/algo/design.h"

typedef struct MlSoftmaxSlot MlSoftmaxSlot;

typedef struct MlSoftmaxLoss
{
	const MlDataset *data;
	const MlDesign *design;
	const MlDesignScale *scale;
	size_t		first;			/* 1 with an intercept: column 0 of Z is 1 */
	size_t		q;				/* first + scale->n */
	size_t		k;				/* classes */
	size_t		m;				/* scores per row: 1 for two classes, else k - 1 */
	size_t		size;			/* m * q; u[c * q + j] */
	const int32_t *class_of;	/* label in data->y -> 0 .. k-1; NULL: the same */
	bool		binary;			/* two classes: one score, that of class 1 */
	double	   *share;			/* m: what defines the basis, see ml_softmax_to_classes() */
	double	   *penalty;		/* q */

	size_t		thin;			/* only every thin-th block of rows is looked at; 1: all */
	bool		matrix_free;	/* the Hessian is never formed: eval must not be asked for it */

	/* how rows are cut; follows from the shape alone */
	size_t		block;
	size_t		n_blocks;
	size_t		n_slots;
	MlSoftmaxSlot *slots;
} MlSoftmaxLoss;

/* Allocates what evaluations need.  penalty: 1/C in the units of design weights. */
extern MlStatus ml_softmax_loss_init(MlEnv *env, MlSoftmaxLoss *loss, double penalty);

/*
 * eta (k) = B s for m scores, "stride" apart.  Helmert's contrasts: column c of B is (1, ..., 1, -(c+1), 0, ..., 0) share_c with
 * share_c = 1 / sqrt((c+1)(c+2)), so that running sums do in k steps what a product would in k^2.
 */
extern void ml_softmax_to_classes(const MlSoftmaxLoss *loss, const double *s, size_t stride, double *eta);

/*
 * Value at u (size).  With gradient (size) and hessian (size x size, upper, column-major) unless
 * NULL.  *data_loss, unless NULL, gets the value without the penalty.
 */
extern MlStatus ml_softmax_loss_eval(MlEnv *env, MlSoftmaxLoss *loss, const double *u,
									 double *value, double *data_loss, double *gradient, double *hessian);

/* out (size) = Hessian at u times v. */
extern MlStatus ml_softmax_loss_product(MlEnv *env, MlSoftmaxLoss *loss, const double *u, const double *v, double *out);

/*
 * Weighted mean of h z z' (q x q, upper), where h is the mean curvature of the scores at u:
 * (1 - sum of p_k^2) / (k - 1), for two classes p (1 - p).
 */
extern MlStatus ml_softmax_loss_gram(MlEnv *env, MlSoftmaxLoss *loss, const double *u, double *gram);

extern size_t ml_softmax_loss_memory(size_t n, size_t q, size_t k, bool matrix_free);

#endif							/* ML_ALGO_SOFTMAX_LOSS_H */
