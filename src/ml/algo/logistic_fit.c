/*-------------------------------------------------------------------------
 * logistic_fit.c
 *	  Newton's method for the penalised log loss.
 *
 * The penalty is in the units of the data, and may differ by many orders of magnitude between
 * columns; linear systems are therefore solved for columns scaled to a unit
 * diagonal of the Hessian at u = 0.  Directions that are null there (collinear columns) are
 * taken out of each step and of the covariance.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "ml/algo/least_squares.h"
#include "ml/algo/logistic_fit.h"
#include "ml/base/arena.h"
#include "ml/base/dense.h"

/* A mean loss below this without a penalty: every row is right beyond doubt, and the optimum is at infinity. */
#define SEPARATED_LOSS 1e-8

/* The loss falls by less than this while the coefficients go on growing. */
#define FLAT_DECREMENT 1e-10
#define STILL_MOVING 1e-2

#define MAX_HALVINGS 40

typedef struct Newton
{
	MlSoftmaxLoss *loss;
	const MlDense *dense;
	size_t		size;
	double	   *scale;			/* q: unit diagonal */
	double	   *hessian;		/* size x size, upper */
	double	   *factor;			/* size x size: scaled, factored */
	double	   *gradient;
	double	   *step;
	double	   *trial;
	double		value;
	double		lift;			/* what was added along null directions */
} Newton;

static double
largest(const double *x, size_t n)
{
	double		result = 0;

	for (size_t i = 0; i < n; i++)
		result = fabs(x[i]) > result ? fabs(x[i]) : result;
	return result;
}

static MlStatus
allocate(MlEnv *env, Newton *nt, MlLogisticFit *fit)
{
	size_t		n = nt->size;

	nt->scale = ml_alloc0(env, nt->loss->q, sizeof(double));
	nt->hessian = ml_alloc0(env, n * n, sizeof(double));
	nt->factor = ml_alloc0(env, n * n, sizeof(double));
	nt->gradient = ml_alloc0(env, n, sizeof(double));
	nt->step = ml_alloc0(env, n, sizeof(double));
	nt->trial = ml_alloc0(env, n, sizeof(double));
	fit->u = ml_alloc0(env, n, sizeof(double));
	if (nt->scale == NULL || nt->hessian == NULL || nt->factor == NULL || nt->gradient == NULL ||
		nt->step == NULL || nt->trial == NULL || fit->u == NULL)
		return env->error.status;
	return ML_OK;
}

size_t
ml_logistic_fit_memory(size_t q, size_t size)
{
	return (2 * size * size + 5 * size + 4 * q * q) * sizeof(double) + 65536;
}

/*
 * Null directions: eigenvalues of the scaled Hessian at u = 0, where all classes are equally
 * likely, below what rounding leaves of them.  Fills scale and fit->null (in scaled units).
 */
static MlStatus
find_null(MlEnv *env, Newton *nt, MlLogisticFit *fit)
{
	MlSoftmaxLoss *loss = nt->loss;
	size_t		q = loss->q;
	double		curvature = loss->m == 1 && loss->basis[0] == 0 ? 0.25 : 1.0 / loss->k;
	double	   *a = ml_alloc0(env, q * q, sizeof(double));
	double	   *w = ml_alloc0(env, q, sizeof(double));
	int			info;

	if (a == NULL || w == NULL)
		return env->error.status;
	ML_TRY(ml_softmax_loss_gram(env, loss, a));
	for (size_t j = 0; j < q; j++)
		nt->scale[j] = 1 / sqrt(curvature * a[j * q + j] + loss->penalty[j]);
	for (size_t j = 0; j < q; j++)
		for (size_t i = 0; i <= j; i++)
			a[j * q + i] = (curvature * a[j * q + i] + (i == j ? loss->penalty[j] : 0)) * nt->scale[i] * nt->scale[j];
	info = q > 0 ? nt->dense->eigen(q, a, w) : 0;
	if (info <= -1000)
		return ml_fail(env, ML_NO_MEMORY, "out of memory in LAPACK");
	if (info != 0)
		return ml_fail(env, ML_OUT_OF_RANGE, "the features hold values too large for a linear model");
	while (fit->n_null < q && w[fit->n_null] <= 64 * DBL_EPSILON * q)
		fit->n_null++;
	fit->null = a;				/* eigenvalues ascend: the null vectors are the first columns */
	return ML_OK;
}

/* Takes the null directions out of a vector of scaled coefficients. */
static void
project(const Newton *nt, const MlLogisticFit *fit, double *x)
{
	size_t		q = nt->loss->q;

	for (size_t c = 0; c < nt->loss->m; c++)
		for (size_t k = 0; k < fit->n_null; k++)
		{
			double		dot = 0;

			for (size_t j = 0; j < q; j++)
				dot += fit->null[k * q + j] * x[c * q + j];
			for (size_t j = 0; j < q; j++)
				x[c * q + j] -= dot * fit->null[k * q + j];
		}
}

/* Adds lift * N N' to each diagonal block of an upper matrix. */
static void
add_null(const Newton *nt, const MlLogisticFit *fit, double lift, double *a)
{
	size_t		q = nt->loss->q;

	for (size_t c = 0; c < nt->loss->m; c++)
		for (size_t k = 0; k < fit->n_null; k++)
		{
			const double *v = fit->null + k * q;

			for (size_t j = 0; j < q; j++)
				for (size_t i = 0; i <= j; i++)
					a[(c * q + j) * nt->size + c * q + i] += lift * v[i] * v[j];
		}
}

/* factor = Cholesky factor of the scaled Hessian, made definite where it is not. */
static MlStatus
factorize(MlEnv *env, Newton *nt, const MlLogisticFit *fit)
{
	size_t		n = nt->size;
	size_t		q = nt->loss->q;

	for (double damping = 0; damping < 10; damping = damping == 0 ? 1e-13 : damping * 100)
	{
		double		trace = 0;

		for (size_t j = 0; j < n; j++)
			for (size_t i = 0; i <= j; i++)
				nt->factor[j * n + i] = nt->hessian[j * n + i] * nt->scale[i % q] * nt->scale[j % q];
		for (size_t j = 0; j < n; j++)
			trace += nt->factor[j * n + j];
		nt->lift = trace > 0 ? trace / n : 1;
		add_null(nt, fit, nt->lift, nt->factor);
		for (size_t j = 0; j < n; j++)
			nt->factor[j * n + j] += damping * nt->lift;
		if (nt->dense->cholesky(n, nt->factor) == 0)
			return ML_OK;
		if (ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
	}
	return ml_fail(env, ML_OUT_OF_RANGE, "the features hold values too large for a linear model");
}

/* step = -(Hessian)^-1 gradient; returns gradient' step, negative. */
static MlStatus
newton_step(MlEnv *env, Newton *nt, const MlLogisticFit *fit, double *slope)
{
	size_t		q = nt->loss->q;

	ML_TRY(factorize(env, nt, fit));
	for (size_t i = 0; i < nt->size; i++)
		nt->step[i] = -nt->gradient[i] * nt->scale[i % q];
	project(nt, fit, nt->step);
	if (nt->dense->cholesky_solve(nt->size, 1, nt->factor, nt->step) != 0)
		return ml_fail(env, ML_NO_MEMORY, "out of memory in LAPACK");
	project(nt, fit, nt->step);
	*slope = 0;
	for (size_t i = 0; i < nt->size; i++)
	{
		nt->step[i] *= nt->scale[i % q];
		*slope += nt->gradient[i] * nt->step[i];
	}
	if (!isfinite(*slope))
		return ml_fail(env, ML_OUT_OF_RANGE, "the features hold values too large for a linear model");
	return ML_OK;
}

/*
 * Moves u along the step, halved until the loss falls by a share of what its slope
 * promises (Armijo), and evaluates there.  *moved is the share of the step taken, 0 for none.
 */
static MlStatus
move(MlEnv *env, Newton *nt, MlLogisticFit *fit, double slope, double *moved)
{
	double		slack = 4 * DBL_EPSILON * fabs(nt->value);	/* what rounding does to a sum of losses */
	double		t = 1;

	for (int halvings = 0; halvings < MAX_HALVINGS; halvings++, t /= 2)
	{
		double		value;

		for (size_t i = 0; i < nt->size; i++)
			nt->trial[i] = fit->u[i] + t * nt->step[i];
		/* The whole step is nearly always taken: evaluate everything there at once. */
		ML_TRY(ml_softmax_loss_eval(env, nt->loss, nt->trial, &value, &fit->data_loss,
									halvings == 0 ? nt->gradient : NULL, halvings == 0 ? nt->hessian : NULL));
		if (!(value <= nt->value + 1e-4 * t * slope + slack))
			continue;
		memcpy(fit->u, nt->trial, nt->size * sizeof(double));
		if (halvings > 0)
			ML_TRY(ml_softmax_loss_eval(env, nt->loss, fit->u, &value, &fit->data_loss, nt->gradient, nt->hessian));
		nt->value = value;
		*moved = t;
		return ML_OK;
	}
	*moved = 0;
	return ml_softmax_loss_eval(env, nt->loss, fit->u, &nt->value, &fit->data_loss, nt->gradient, nt->hessian);
}

static void
report(MlEnv *env, const MlLogisticFit *fit, int max_iter)
{
	MlProgress	progress = {.phase = "fit", .share = (double) fit->iterations / max_iter, .iteration = fit->iterations,
	.iterations = max_iter, .train_loss = fit->data_loss, .validation_loss = NAN};

	ml_progress(env, &progress);
	ml_history(env, fit->iterations, "train", "logloss", fit->data_loss);
}

/* covariance = inverse of the Hessian on what is not null, in the units of u. */
static MlStatus
invert(MlEnv *env, Newton *nt, MlLogisticFit *fit)
{
	size_t		n = nt->size;
	size_t		q = nt->loss->q;

	ML_TRY(factorize(env, nt, fit));
	if (nt->dense->cholesky_inverse(n, nt->factor) != 0)
		return ml_fail(env, ML_OUT_OF_RANGE, "the Hessian of the loss cannot be inverted");
	add_null(nt, fit, -1 / nt->lift, nt->factor);
	for (size_t j = 0; j < n; j++)
		for (size_t i = 0; i <= j; i++)
			nt->factor[j * n + i] *= nt->scale[i % q] * nt->scale[j % q];
	fit->covariance = nt->factor;
	return ML_OK;
}

/* Null vectors in the units of u, and, of all optima, the one with the least norm in the units of the data. */
static MlStatus
settle_null(MlEnv *env, const Newton *nt, MlLogisticFit *fit)
{
	const MlSoftmaxLoss *loss = nt->loss;
	size_t		q = loss->q;
	double	   *factor;

	if (fit->n_null == 0)
		return ML_OK;
	factor = ml_alloc0(env, q, sizeof(double));
	if (factor == NULL)
		return env->error.status;
	for (size_t j = loss->first; j < q; j++)
		factor[j] = loss->scale->factor[j - loss->first];
	for (size_t k = 0; k < fit->n_null; k++)
	{
		double	   *v = fit->null + k * q;
		double		norm = 0;

		for (size_t j = 0; j < q; j++)
		{
			v[j] *= nt->scale[j];
			norm += v[j] * v[j];
		}
		for (size_t j = 0; j < q; j++)
			v[j] /= sqrt(norm);
	}
	for (size_t c = 0; c < loss->m; c++)
		ML_TRY(ml_least_norm(env, q, fit->n_null, fit->null, factor, fit->u + c * q));
	return ML_OK;
}

MlStatus
ml_logistic_fit(MlEnv *env, MlSoftmaxLoss *loss, bool penalized, double tol, int max_iter, MlLogisticFit *fit)
{
	Newton		nt = {.loss = loss, .dense = env->dense, .size = loss->size};
	double		last_change = INFINITY;

	memset(fit, 0, sizeof(*fit));
	ML_TRY(allocate(env, &nt, fit));
	ML_TRY(find_null(env, &nt, fit));
	ML_TRY(ml_softmax_loss_eval(env, loss, fit->u, &nt.value, &fit->data_loss, nt.gradient, nt.hessian));
	for (fit->iterations = 1; fit->iterations <= max_iter && !fit->converged && !fit->separated; fit->iterations++)
	{
		double		slope = 0,
					moved = 0,
					change;

		ML_TRY(newton_step(env, &nt, fit, &slope));
		ML_TRY(move(env, &nt, fit, slope, &moved));
		change = moved * largest(nt.step, nt.size) / fmax(1, largest(fit->u, nt.size));
		report(env, fit, max_iter);

		/* No step lowers the loss any more: only rounding is left. */
		fit->converged = (moved == 1 && change <= tol) || moved == 0 || slope >= 0;
		if (!penalized && !fit->converged)
			fit->separated = fit->data_loss < SEPARATED_LOSS ||
				(-slope < FLAT_DECREMENT && change > STILL_MOVING && change > last_change / 2);
		last_change = change;
	}
	fit->iterations--;
	if (!fit->separated)
		ML_TRY(invert(env, &nt, fit));
	return settle_null(env, &nt, fit);
}
