/*-------------------------------------------------------------------------
 * dense_lapack.c
 *	  The table of dense.h on LAPACKE and OpenBLAS: the module mlplat_dense.so.
 *
 * Two facts about OpenBLAS shape this file.  A call with n threads may give other
 * bits than one with m threads, so the number is set to 1 once and for all; the
 * callers run several single-threaded calls side by side instead.  And where its
 * work buffer cannot be had, OpenBLAS 0.3.21 does not fail but spins
 * (blas_memory_alloc: "do { ... } while (addr == -1)"), so the address space is
 * tried with mmap before the first call.
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cblas.h>
#include <lapacke.h>

#include "ml/base/dense.h"

/* BUFFER_SIZE of common_x86_64.h is 32 MB << 2; a little more for its alignment and the calls' own work space. */
#define BLAS_BUFFER ((size_t) 128 << 20)
#define BLAS_MARGIN ((size_t) 8 << 20)

/* More threads than this never call BLAS at once; OpenBLAS itself has room for 2 * 64 buffers. */
#define MAX_BUFFERS 64

/* Exported by OpenBLAS but by no header of it; absent (weak) in other builds. */
extern void *blas_memory_alloc(int procpos) __attribute__((weak));
extern void blas_memory_free(void *buffer) __attribute__((weak));
extern char *openblas_get_config(void) __attribute__((weak));
extern char *openblas_get_corename(void) __attribute__((weak));
extern void openblas_set_num_threads(int n) __attribute__((weak));

static char dense_name[128];
static int	buffers_held;		/* how many buffers OpenBLAS has mapped for us; it never gives them back */

/* LAPACK's integers are 32 bits wide here. */
static bool
fits(size_t n)
{
	return n <= INT_MAX;
}

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* LAPACK refuses a leading dimension of 0 even for an empty matrix. */
static lapack_int
leading(size_t n)
{
	return n > 0 ? (lapack_int) n : 1;
}

static int
dense_reserve(int threads)
{
	size_t		length;
	void	   *space;
	void	   *buffer[MAX_BUFFERS];
	int			wanted = threads < 1 ? 1 : threads > MAX_BUFFERS ? MAX_BUFFERS : threads;

	if (wanted <= buffers_held)
		return 0;

	/* The same kind of mapping as OpenBLAS asks for, so that overcommit counts it alike. */
	length = (size_t) (wanted - buffers_held) * BLAS_BUFFER + BLAS_MARGIN;
	space = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (space == MAP_FAILED)
		return errno != 0 ? errno : ENOMEM;
	munmap(space, length);

	if (blas_memory_alloc == NULL || blas_memory_free == NULL)
		return 0;
	for (int i = 0; i < wanted; i++)
		buffer[i] = blas_memory_alloc(0);
	for (int i = 0; i < wanted; i++)
		blas_memory_free(buffer[i]);
	buffers_held = wanted;
	return 0;
}

static int
dense_probe(void)
{
	return dense_reserve(1);
}

static void
dense_syrk(size_t n, size_t p, const double *a, double *c)
{
	if (p > 0 && n > 0)
		cblas_dsyrk(CblasColMajor, CblasUpper, CblasTrans, p, n, 1.0, a, leading(n), 1.0, c, leading(p));
}

static void
dense_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, double alpha,
		   const double *a, size_t lda, const double *b, size_t ldb, double beta, double *c, size_t ldc)
{
	if (m == 0 || n == 0)
		return;
	cblas_dgemm(CblasColMajor, transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans,
				m, n, k, alpha, a, leading(lda), b, leading(ldb), beta, c, leading(ldc));
}

static int
dense_qr(size_t n, size_t p, double *a, double *tau)
{
	if (!fits(n) || !fits(p))
		return -1;
	return LAPACKE_dgeqrf(LAPACK_COL_MAJOR, n, p, a, leading(n), tau);
}

static int
dense_qt_apply(size_t n, size_t p, size_t k, const double *a, const double *tau, double *b)
{
	if (!fits(n) || !fits(p) || !fits(k))
		return -1;
	return LAPACKE_dormqr(LAPACK_COL_MAJOR, 'L', 'T', n, k, smaller(n, p), a, leading(n), tau, b, leading(n));
}

static int
dense_svd(size_t n, size_t p, double *a, double *s, double *u, double *vt)
{
	if (!fits(n) || !fits(p))
		return -1;
	return LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'S', n, p, a, leading(n), s, u, leading(n), vt, leading(smaller(n, p)));
}

static int
dense_cholesky(size_t p, double *a)
{
	return fits(p) ? LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'U', p, a, leading(p)) : -1;
}

static int
dense_cholesky_solve(size_t p, size_t k, const double *factor, double *b)
{
	if (!fits(p) || !fits(k))
		return -1;
	return LAPACKE_dpotrs(LAPACK_COL_MAJOR, 'U', p, k, factor, leading(p), b, leading(p));
}

static int
dense_cholesky_inverse(size_t p, double *factor)
{
	return fits(p) ? LAPACKE_dpotri(LAPACK_COL_MAJOR, 'U', p, factor, leading(p)) : -1;
}

static int
dense_eigen(size_t p, double *a, double *w)
{
	return fits(p) ? LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'U', p, a, leading(p), w) : -1;
}

static int
dense_triangular_inverse(size_t p, double *r)
{
	return fits(p) ? LAPACKE_dtrtri(LAPACK_COL_MAJOR, 'U', 'N', p, r, leading(p)) : -1;
}

static int
dense_triangular_solve(bool transpose, size_t p, size_t k, const double *r, double *b)
{
	if (!fits(p) || !fits(k))
		return -1;
	return LAPACKE_dtrtrs(LAPACK_COL_MAJOR, 'U', transpose ? 'T' : 'N', 'N', p, k, r, leading(p), b, leading(p));
}

static const MlDense dense_table = {
	.name = dense_name,
	.probe = dense_probe,
	.syrk = dense_syrk,
	.gemm = dense_gemm,
	.qr = dense_qr,
	.qt_apply = dense_qt_apply,
	.svd = dense_svd,
	.cholesky = dense_cholesky,
	.cholesky_solve = dense_cholesky_solve,
	.cholesky_inverse = dense_cholesky_inverse,
	.eigen = dense_eigen,
	.triangular_inverse = dense_triangular_inverse,
	.triangular_solve = dense_triangular_solve,
	.reserve = dense_reserve,
};

/* "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ..." and "SkylakeX" -> "OpenBLAS 0.3.21 SkylakeX" */
static void
compose_name(void)
{
	const char *config = openblas_get_config != NULL ? openblas_get_config() : "BLAS";
	const char *core = openblas_get_corename != NULL ? openblas_get_corename() : "";
	const char *end = strchr(config, ' ');

	if (end != NULL)
		end = strchr(end + 1, ' ');
	if (end == NULL)
		end = config + strlen(config);
	snprintf(dense_name, sizeof(dense_name), "%.*s%s%s", (int) (end - config), config, core[0] ? " " : "", core);
}

__attribute__((visibility("default"))) const MlDense *
ml_dense_table(void)
{
	if (dense_name[0] == '\0')
	{
		if (openblas_set_num_threads != NULL)
			openblas_set_num_threads(1);
		compose_name();
	}
	return &dense_table;
}
