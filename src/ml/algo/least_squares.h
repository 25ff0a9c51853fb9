/*-------------------------------------------------------------------------
 * least_squares.h
 *	  Weighted least squares, ordinary or with a ridge penalty, by orthogonal transformations.
 *
 * The condition number of the Gram matrix is the square of the data's, which loses all digits
 * of sets like Longley's: it serves only where there are many rows of columns that are far from collinear.  Else the rows are
 * reduced, block after block, to the triangle R of a QR decomposition ("TSQR", Demmel, Grigori,
 * Hoemmen, Langou 2012); memory is O(columns^2) whatever the number of rows.
 *
 * Columns are seen through an MlDesignScale, the target likewise.  With an intercept, the first column of R
 * belongs to the constant: what centring by a rounded mean leaves over is removed exactly.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_LEAST_SQUARES_H
#define ML_ALGO_LEAST_SQUARES_H

#include "ml/algo/design.h"

typedef struct MlLeastSquares
{
	const MlDataset *data;
	const MlDesign *design;
	const MlDesignScale *scale;
	bool		intercept;
	double		y_center;
	double		y_factor;		/* z_y = (y - y_center) * y_factor, a power of two */
	int			y_exponent;
	double		alpha;			/* ridge penalty, in units of the weights */
	double		rcond;			/* cut-off relative to the greatest singular value; 0: from the precision of the data */
} MlLeastSquares;

/* All in the units of z and z_y; std errors for a residual variance of 1. */
typedef struct MlLeastSquaresFit
{
	size_t		rank;			/* of the centred columns */
	double		intercept;		/* at x = 0 */
	double		intercept_error;	/* NaN: not determined by the data */
	double	   *v;				/* scale->n coefficients */
	double	   *v_error;
	double		rss;			/* weighted residual sum of squares */
	double		total;			/* of the target, about its mean with an intercept */
	double		column_condition;	/* of the columns divided by their deviations; NaN where there are too many to tell */
	double		freedom;		/* effective number of slopes: the trace of the hat matrix less the intercept */
	double		condition;		/* of the scaled columns, an upper bound */
} MlLeastSquaresFit;

extern MlStatus ml_least_squares(MlEnv *env, const MlLeastSquares *problem, MlLeastSquaresFit *fit);

/* Bytes that ml_least_squares takes for p columns. */
extern size_t ml_least_squares_memory(size_t n, size_t p);

/*
 * The triangle R (q x q, column-major, zeros below) of the rows [1, z, z_y], times
 * the roots of their weights; q = intercept + scale->n + 1.  (least_squares_qr.c)
 */
extern MlStatus ml_least_squares_reduce(MlEnv *env, const MlLeastSquares *problem, double *r);
extern size_t ml_least_squares_reduce_memory(size_t n, size_t q);

/* These rows [1, z, z_y] times the roots of their weights into a (rows x q, leading dimension ld); root: rows. */
extern void ml_least_squares_fill(const MlLeastSquares *problem, size_t first, size_t rows, double *root, double *a, size_t ld);

/*
 * The same triangle (up to the signs of its rows) from the Gram matrix: faster, and worth trying for so many rows of so few columns.
 * good: false where the columns are too nearly collinear for it.  (least_squares_gram.c)
 */
extern bool ml_least_squares_by_gram(size_t n, size_t q);
extern MlStatus ml_least_squares_gram(MlEnv *env, const MlLeastSquares *problem, double *r, bool *good);
extern size_t ml_least_squares_gram_memory(size_t q);

/*
 * The whole fit once more in 113-bit arithmetic, for few rows of columns of full rank;
 * alpha is not looked at.  (least_squares_quad.c)
 */
extern MlStatus ml_least_squares_quad(MlEnv *env, const MlLeastSquares *problem, MlLeastSquaresFit *fit);

/*
 * Adds to v (p) the combination of the k null vectors (p x k) that makes the norm of
 * (factor * v) least: the minimum-norm solution in the units of the data.
 */
extern MlStatus ml_least_norm(MlEnv *env, size_t p, size_t k, const double *null, const double *factor, double *v);

#endif							/* ML_ALGO_LEAST_SQUARES_H */
