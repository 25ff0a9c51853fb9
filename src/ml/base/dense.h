/*-------------------------------------------------------------------------
 * dense.h
 *	  Dense linear algebra, as a table of functions.
 *
 * OpenBLAS starts threads when it is loaded and keeps a 128 MB buffer, so it
 * must never reach a backend that merely predicts.  The table lives in a second
 * module, mlplat_dense.so (src/ml/base/dense_lapack.c, linked with LAPACKE and OpenBLAS),
 * which the training process alone loads.  Each call is single-threaded;
 * matrices are column-major with leading dimension = rows.
 *-------------------------------------------------------------------------
 */
#ifndef ML_BASE_DENSE_H
#define ML_BASE_DENSE_H

#include "ml/base/env.h"

struct MlDense
{
	const char *name;			/* "OpenBLAS 0.3.21 SkylakeX", recorded with the version */

	/* 0, or what is wrong: probes the BLAS work buffer, so that a later call cannot hang for lack of memory. */
	int			(*probe) (void);

	/* c (p x p, upper) += a' a for a (n x p). */
	void		(*syrk) (size_t n, size_t p, const double *a, double *c);

	/* c (m x n) = alpha op(a) op(b) + beta c, as in BLAS dgemm. */
	void		(*gemm) (bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, double alpha, const double *a, size_t lda, const double *b, size_t ldb, double beta, double *c, size_t ldc);

	/* QR in place (dgeqrf): r in the upper triangle, reflectors below, tau (min(n,p)). Returns LAPACK info. */
	int			(*qr) (size_t n, size_t p, double *a, double *tau);

	/* b (n x k) = Q' b with the reflectors of qr (dormqr). */
	int			(*qt_apply) (size_t n, size_t p, size_t k, const double *a, const double *tau, double *b);

	/* Singular value decomposition (dgesdd, jobz 'S'): a (n x p) is destroyed; s (min), u (n x min), vt (min x p). */
	int			(*svd) (size_t n, size_t p, double *a, double *s, double *u, double *vt);

	/* Cholesky (dpotrf, upper) in place; > 0: not positive definite. */
	int			(*cholesky) (size_t p, double *a);

	/* Solves with a Cholesky factor (dpotrs), b (p x k) in place. */
	int			(*cholesky_solve) (size_t p, size_t k, const double *factor, double *b);

	/* Inverse from a Cholesky factor (dpotri), upper, in place. */
	int			(*cholesky_inverse) (size_t p, double *factor);

	/* Symmetric eigenvalues ascending w (p), vectors in the columns of a (dsyevd, upper). */
	int			(*eigen) (size_t p, double *a, double *w);
};

/* The one symbol that mlplat_dense.so exports; sets the number of BLAS threads to 1. */
extern const MlDense *ml_dense_table(void);

#endif							/* ML_BASE_DENSE_H */
