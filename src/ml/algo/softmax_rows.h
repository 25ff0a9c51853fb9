/*-------------------------------------------------------------------------
 * softmax_rows.h
 *	  Classes by rows: what the log loss of more than two classes needs of a block of rows.
 *
 * Matrices are column-major with rows in columns of length "ld", a multiple of ML_LANES and at least
 * the rows n; kernels go through one class after another, eight rows at a time, so that hundreds of classes cost
 * no more per class than three.  What stands in a row beyond n is of no account.
 *
 * Of k classes, m = k - 1 contrasts c have the columns (1, ..., 1, -(c+1), 0, ..., 0) share_c of an orthonormal basis B (Helmert), share_c =
 * 1 / sqrt((c+1)(c+2)).  Running sums multiply with B in k steps a row.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_SOFTMAX_ROWS_H
#define ML_ALGO_SOFTMAX_ROWS_H

#include <stddef.h>

/* What a block of rows has room for. */
typedef struct MlSoftmaxRows
{
	size_t		n;				/* rows */
	size_t		ld;
	size_t		k;				/* classes */
	const double *share;		/* k - 1 */
	double	   *line;			/* 2 x ld, work space */
} MlSoftmaxRows;

/* eta (k) = s (m) B' */
extern void ml_softmax_rows_classes(const MlSoftmaxRows *rows, const double *s, double *eta);

/* y (m) = x (k) B */
extern void ml_softmax_rows_contrasts(const MlSoftmaxRows *rows, const double *x, double *y);

/* eta (k) becomes probabilities; top: the greatest eta of each row, log_sum: log of the sum of exp(eta - top). */
extern void ml_softmax_rows_probabilities(const MlSoftmaxRows *rows, double *eta, double *top, double *log_sum);

/* eta (k), a direction, becomes w (diag p - p p') eta. */
extern void ml_softmax_rows_curve(const MlSoftmaxRows *rows, const double *prob, const double *weight, double *eta);

/* share (k - 1): see above. */
extern void ml_softmax_shares(size_t k, double *share);

#endif							/* ML_ALGO_SOFTMAX_ROWS_H */
