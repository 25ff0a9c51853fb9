/*-------------------------------------------------------------------------
 * logistic_cg.c
 *	  Newton steps without the Hessian, and the null directions of collinear columns.
 *
 * With many classes or columns the Hessian (scores x columns squared) is too large to
 * form.  Products with it cost two passes over the rows; conjugate gradients need few
 * of them with a good preconditioner: here the same matrix for every score, Z' H Z with
 * the mean curvature H of the scores, which is exact at u = 0.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/algo/linear_terms.h"
#include "ml/algo/logistic_fit.h"
#include "ml/base/arena.h"
#include "ml/base/dense.h"

#define MAX_PRODUCTS 1000

typedef struct Cg
{
	MlSoftmaxLoss *loss;
	const MlDense *dense;
	const MlLogisticNull *null;
	const double *scale;
	const double *factor;		/* q x q, of the scaled preconditioner */
	double	   *r;				/* residual */
	double	   *z;				/* preconditioned residual */
	double	   *d;				/* direction */
	double	   *hd;				/* Hessian times direction */
} Cg;

void
ml_logistic_project(const MlLogisticNull *null, size_t m, double *x)
{
	size_t		q = null->q;

	for (size_t c = 0; c < m; c++)
		for (size_t k = 0; k < null->n; k++)
		{
			double		dot = 0;

			for (size_t j = 0; j < q; j++)
				dot += null->v[k * q + j] * x[c * q + j];
			for (size_t j = 0; j < q; j++)
				x[c * q + j] -= dot * null->v[k * q + j];
		}
}

void
ml_logistic_add_null(const MlLogisticNull *null, size_t m, double lift, double *a)
{
	size_t		q = null->q;

	for (size_t c = 0; c < m; c++)
		for (size_t k = 0; k < null->n; k++)
		{
			const double *v = null->v + k * q;

			for (size_t j = 0; j < q; j++)
				for (size_t i = 0; i <= j; i++)
					a[(c * q + j) * m * q + c * q + i] += lift * v[i] * v[j];
		}
}

/* factor = Cholesky factor of the scaled preconditioner at u */
static MlStatus
precondition(MlEnv *env, const Cg *cg, const double *u, double *factor)
{
	size_t		q = cg->loss->q;

	for (double damping = 1e-13; damping < 10; damping *= 100)
	{
		double		trace = 0;

		ML_TRY(ml_softmax_loss_gram(env, cg->loss, u, factor));
		for (size_t j = 0; j < q; j++)
			factor[j * q + j] += cg->loss->penalty[j];
		for (size_t j = 0; j < q; j++)
			for (size_t i = 0; i <= j; i++)
				factor[j * q + i] *= cg->scale[i] * cg->scale[j];
		for (size_t j = 0; j < q; j++)
			trace += factor[j * q + j];
		ml_logistic_add_null(cg->null, 1, trace / q, factor);
		for (size_t j = 0; j < q; j++)
			factor[j * q + j] += damping * trace / q;
		if (cg->dense->cholesky(q, factor) == 0)
			return ML_OK;
	}
	return ml_linear_out_of_range(env, "the features hold");
}

static double
dot(const double *a, const double *b, size_t n)
{
	double		sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

/* z = S P^-1 S r, without null directions */
static MlStatus
apply(MlEnv *env, const Cg *cg)
{
	const MlSoftmaxLoss *loss = cg->loss;

	for (size_t i = 0; i < loss->size; i++)
		cg->z[i] = cg->r[i] * cg->scale[i % loss->q];
	ml_logistic_project(cg->null, loss->m, cg->z);
	if (cg->dense->cholesky_solve(loss->q, loss->m, cg->factor, cg->z) != 0)
		return ml_linear_out_of_range(env, "the features or the target hold");	/* it needs no memory */
	ml_logistic_project(cg->null, loss->m, cg->z);
	for (size_t i = 0; i < loss->size; i++)
		cg->z[i] *= cg->scale[i % loss->q];
	return ML_OK;
}

static MlStatus
iterate(MlEnv *env, const Cg *cg, const double *u, double tol, double *step)
{
	size_t		n = cg->loss->size;
	double		rz,
				goal;

	ML_TRY(apply(env, cg));
	rz = dot(cg->r, cg->z, n);
	goal = tol * tol * rz;
	memcpy(cg->d, cg->z, n * sizeof(double));
	for (int i = 0; i < MAX_PRODUCTS && rz > goal; i++)
	{
		double		curvature,
					a,
					before = rz;

		ML_TRY(ml_softmax_loss_product(env, cg->loss, u, cg->d, cg->hd));
		curvature = dot(cg->d, cg->hd, n);
		if (!(curvature > 0))
			break;				/* only rounding is left of it */
		a = rz / curvature;
		for (size_t j = 0; j < n; j++)
		{
			step[j] += a * cg->d[j];
			cg->r[j] -= a * cg->hd[j];
		}
		ML_TRY(apply(env, cg));
		rz = dot(cg->r, cg->z, n);
		for (size_t j = 0; j < n; j++)
			cg->d[j] = cg->z[j] + rz / before * cg->d[j];
	}
	return ML_OK;
}

MlStatus
ml_logistic_cg(MlEnv *env, MlSoftmaxLoss *loss, const MlLogisticNull *null, const double *scale,
			   const double *u, const double *gradient, double tol, double *factor, double *step)
{
	size_t		n = loss->size;
	double	   *work = ml_alloc0(env, 4 * n, sizeof(double));
	Cg			cg = {.loss = loss, .dense = env->dense, .null = null, .scale = scale, .factor = factor};
	MlStatus	status;

	if (work == NULL)
		return env->error.status;
	cg.r = work;
	cg.z = work + n;
	cg.d = work + 2 * n;
	cg.hd = work + 3 * n;
	memset(step, 0, n * sizeof(double));
	for (size_t i = 0; i < n; i++)
		cg.r[i] = -gradient[i];
	status = precondition(env, &cg, u, factor);
	if (status == ML_OK)
		status = iterate(env, &cg, u, tol, step);
	ml_release(env, work);
	return status;
}
