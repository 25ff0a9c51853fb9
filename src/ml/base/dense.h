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

	/*
	 * 0, or an errno: can BLAS have its work buffer?  OpenBLAS takes about 128 MB of
	 * address space at the first call and, up to 0.3.21 at least, tries for ever when it cannot have
	 * them (RLIMIT_AS, vm.overcommit_memory = 2).  Never call anything else of this table
	 * when this failed.
	 */
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

	/* Inverse of an upper triangle in place (dtrtri); > 0: a zero on the diagonal. What is below it stays. */
	int			(*triangular_inverse) (size_t p, double *r);

	/* b (p x k) = r^-1 b, or r'^-1 b when transposed; upper triangle (dtrtrs). */
	int			(*triangular_solve) (bool transpose, size_t p, size_t k, const double *r, double *b);

	/*
	 * As probe, for as many threads as will call BLAS at the same time: takes their
	 * buffers now, so that memory which runs short later cannot hang them.
	 * To be called by the main thread while no other thread is inside BLAS.
	 */
	int			(*reserve) (int threads);
};

/*
 * 0, or an errno: is there address space to load the module at all?  OpenBLAS takes its first
 * buffer in a constructor, so that dlopen() itself would hang.  Part of mlplat.so
 * (dense_room.c); whoever loads mlplat_dense.so asks first: 53200 when not 0.
 */
extern int	ml_dense_room(void);

/* The one symbol that mlplat_dense.so exports; sets the number of BLAS threads to 1. */
extern const MlDense *ml_dense_table(void);

#endif							/* ML_BASE_DENSE_H */
