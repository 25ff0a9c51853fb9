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
#include "ml/algo/linear_terms.h"
#include "ml/algo/logistic_fit.h"
#include "ml/base/arena.h"
#include "ml/base/dense.h"

/* A mean loss below this without a penalty: every row is right beyond doubt, and the optimum is at infinity. */
#define SEPARATED_LOSS 1e-8

/* The loss falls by less than this while the coefficients go on growing. */
#define FLAT_DECREMENT 1e-10
#define STILL_MOVING 1e-2

#define MAX_HALVINGS 40

/* About so many blocks of rows give the start, at most a quarter of all; in at most so many steps. */
#define THIN_BLOCKS 16
#define MAX_WARM_STEPS 12
#define WARM_TOL 1e-4

/*
 * A last step, relative to the coefficients, that needs no look at the rows after it: what it leaves is its
 * square in the coefficients, and as much as itself in their errors.  With many rows a look is dear.
 */
#define LAST_CHANGE 1e-10
#define LAST_CHANGE_OF_MANY 1e-7

/* A triangle this far from singular on a part of the rows is regular on all of them. */
#define SAFE_MARGIN 1e6

typedef struct Newton
{
	MlSoftmaxLoss *loss;
	const MlDense *dense;
	MlLogisticNull null;		/* in scaled units */
	size_t		size;
	double	   *scale;			/* q: unit diagonal */
	double	   *hessian;		/* size x size, upper; NULL when matrix-free */
	double	   *factor;			/* the same: scaled, factored; q x q when matrix-free */
	double	   *gradient;
	double	   *step;
	double	   *trial;
	double		value;
	double		first_gradient;	/* largest element at u = 0 */
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
	bool		matrix_free = nt->loss->matrix_free;
	size_t		width = matrix_free ? nt->loss->q : n;

	nt->scale = ml_alloc0(env, nt->loss->q, sizeof(double));
	nt->hessian = matrix_free ? NULL : ml_alloc0(env, n * n, sizeof(double));
	nt->factor = ml_alloc0(env, width * width, sizeof(double));
	nt->gradient = ml_alloc0(env, n, sizeof(double));
	nt->step = ml_alloc0(env, n, sizeof(double));
	nt->trial = ml_alloc0(env, n, sizeof(double));
	fit->u = ml_alloc0(env, n, sizeof(double));
	if (nt->scale == NULL || (nt->hessian == NULL && !matrix_free) || nt->factor == NULL || nt->gradient == NULL ||
		nt->step == NULL || nt->trial == NULL || fit->u == NULL)
		return env->error.status;
	return ML_OK;
}

size_t
ml_logistic_fit_memory(size_t q, size_t size, bool matrix_free)
{
	size_t		width = matrix_free ? q : size;

	return (2 * width * width + 12 * size + 5 * q * q) * sizeof(double) + 65536;
}

/* Can no eigenvalue of a (q x q, upper; destroyed) be below the cut-off?  They are at least 1 / trace of the inverse. */
static bool
surely_regular(const Newton *nt, double *a, size_t q, double cutoff)
{
	double		trace = 0;

	if (nt->dense->cholesky(q, a) != 0 || nt->dense->cholesky_inverse(q, a) != 0)
		return false;
	for (size_t j = 0; j < q; j++)
		trace += a[j * q + j];
	return trace * cutoff < 1;
}

/* a = the Hessian of one score at u, scaled to a unit diagonal; fills nt->scale. */
static MlStatus
scaled_gram(MlEnv *env, Newton *nt, const double *u, double *a)
{
	MlSoftmaxLoss *loss = nt->loss;
	size_t		q = loss->q;

	ML_TRY(ml_softmax_loss_gram(env, loss, u, a));
	for (size_t j = 0; j < q; j++)
	{
		double		diagonal = a[j * q + j] + loss->penalty[j];

		nt->scale[j] = diagonal > 0 ? 1 / sqrt(diagonal) : 1;
	}
	for (size_t j = 0; j < q; j++)
		for (size_t i = 0; i <= j; i++)
			a[j * q + i] = (a[j * q + i] + (i == j ? loss->penalty[j] : 0)) * nt->scale[i] * nt->scale[j];
	return ML_OK;
}

/*
 * Null directions: eigenvalues of the scaled Hessian at u = 0, where all classes are equally
 * likely, below what rounding leaves of them.  Fills scale and null.  Where a part of the rows is
 * far from any, all of them have none.
 */
static MlStatus
find_null(MlEnv *env, Newton *nt, const double *u)
{
	MlSoftmaxLoss *loss = nt->loss;
	size_t		q = loss->q;
	double		cutoff = 64 * DBL_EPSILON * q;
	double	   *a = ml_alloc0(env, q * q, sizeof(double));
	double	   *copy = ml_alloc0(env, q * q, sizeof(double));
	double	   *w = ml_alloc0(env, q, sizeof(double));
	size_t		thin = loss->thin;
	bool		regular;
	int			info;

	if (a == NULL || copy == NULL || w == NULL)
		return env->error.status;
	nt->null.q = q;
	nt->null.v = a;
	ML_TRY(scaled_gram(env, nt, u, a));
	memcpy(copy, a, q * q * sizeof(double));
	regular = q == 0 || surely_regular(nt, copy, q, thin > 1 ? cutoff * SAFE_MARGIN : cutoff);
	if (!regular && thin > 1)
	{
		loss->thin = 1;
		ML_TRY(scaled_gram(env, nt, u, a));
		memcpy(copy, a, q * q * sizeof(double));
		regular = surely_regular(nt, copy, q, cutoff);
		loss->thin = thin;
	}
	if (regular)
		return ML_OK;
	info = nt->dense->eigen(q, a, w);
	if (info <= -1000)
		return ml_fail(env, ML_NO_MEMORY, "out of memory in LAPACK");
	if (info != 0)
		return ml_linear_out_of_range(env, "the features hold");
	while (nt->null.n < q && w[nt->null.n] <= cutoff)
		nt->null.n++;			/* eigenvalues ascend: the null vectors are the first columns */
	ml_release(env, copy);
	return ML_OK;
}

/* factor = Cholesky factor of the scaled Hessian, made definite where it is not. */
static MlStatus
factorize(MlEnv *env, Newton *nt)
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
		ml_logistic_add_null(&nt->null, nt->loss->m, nt->lift, nt->factor);
		for (size_t j = 0; j < n; j++)
			nt->factor[j * n + j] += damping * nt->lift;
		if (nt->dense->cholesky(n, nt->factor) == 0)
			return ML_OK;
		if (ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
	}
	return ml_linear_out_of_range(env, "the features hold");
}

static MlStatus
direct_step(MlEnv *env, Newton *nt)
{
	size_t		q = nt->loss->q;

	ML_TRY(factorize(env, nt));
	for (size_t i = 0; i < nt->size; i++)
		nt->step[i] = -nt->gradient[i] * nt->scale[i % q];
	ml_logistic_project(&nt->null, nt->loss->m, nt->step);
	if (nt->dense->cholesky_solve(nt->size, 1, nt->factor, nt->step) != 0)
		return ml_linear_out_of_range(env, "the features or the target hold");	/* it needs no memory */
	ml_logistic_project(&nt->null, nt->loss->m, nt->step);
	for (size_t i = 0; i < nt->size; i++)
		nt->step[i] *= nt->scale[i % q];
	return ML_OK;
}

/* step = -(Hessian)^-1 gradient; *slope = gradient' step, negative. */
static MlStatus
newton_step(MlEnv *env, Newton *nt, const MlLogisticFit *fit, double *slope)
{
	if (nt->loss->matrix_free)
	{
		/* Ever more exact as the optimum comes near: superlinear convergence (Nocedal and Wright 2006, theorem 7.2). */
		double		share = largest(nt->gradient, nt->size) / nt->first_gradient;

		ML_TRY(ml_logistic_cg(env, nt->loss, &nt->null, nt->scale, fit->u, nt->gradient,
							  fmax(1e-6, fmin(0.1, share)), nt->factor, nt->step));
	}
	else
		ML_TRY(direct_step(env, nt));
	*slope = 0;
	for (size_t i = 0; i < nt->size; i++)
		*slope += nt->gradient[i] * nt->step[i];
	if (!isfinite(*slope))
		return ml_linear_out_of_range(env, "the features hold");
	return ML_OK;
}

/*
 * Moves u along the step, halved until the loss falls by a share of what its slope
 * promises (Armijo), and evaluates there.  *moved is the share of the step taken, 0 for none.
 */
static MlStatus
move(MlEnv *env, Newton *nt, MlLogisticFit *fit, double slope, double *moved)
{
	double		slack = 64 * DBL_EPSILON * fabs(nt->value);	/* what rounding does to a sum of losses */
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

	ML_TRY(factorize(env, nt));
	if (nt->dense->cholesky_inverse(n, nt->factor) != 0)
		return ml_fail(env, ML_OUT_OF_RANGE, "the Hessian of the loss cannot be inverted");
	ml_logistic_add_null(&nt->null, nt->loss->m, -1 / nt->lift, nt->factor);
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

	fit->null = nt->null;
	if (fit->null.n == 0)
		return ML_OK;
	factor = ml_alloc0(env, q, sizeof(double));
	if (factor == NULL)
		return env->error.status;
	for (size_t j = loss->first; j < q; j++)
		factor[j] = loss->scale->factor[j - loss->first];
	for (size_t k = 0; k < fit->null.n; k++)
	{
		double	   *v = fit->null.v + k * q;
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
		ML_TRY(ml_least_norm(env, q, fit->null.n, fit->null.v, factor, fit->u + c * q));
	return ML_OK;
}

/*
 * A start from a part of the rows: what is left to do on all of them is one or two steps.  The loss is convex, so it
 * cannot mislead; where it is not better than 0, as may be with rows in some order, 0 is taken.
 */
static MlStatus
warm_start(MlEnv *env, Newton *nt, MlLogisticFit *fit)
{
	double		change = INFINITY;
	double		at_zero;

	ML_TRY(ml_softmax_loss_eval(env, nt->loss, fit->u, &nt->value, &fit->data_loss, nt->gradient, nt->hessian));
	at_zero = nt->value;
	nt->first_gradient = fmax(largest(nt->gradient, nt->size), DBL_MIN);
	for (int step = 0; step < MAX_WARM_STEPS && change > WARM_TOL; step++)
	{
		double		slope = 0,
					moved = 0;

		ML_TRY(newton_step(env, nt, fit, &slope));
		ML_TRY(move(env, nt, fit, slope, &moved));
		change = moved == 0 ? 0 : largest(nt->step, nt->size) / fmax(1, largest(fit->u, nt->size));
	}
	nt->loss->thin = 1;
	ML_TRY(ml_softmax_loss_eval(env, nt->loss, fit->u, &nt->value, &fit->data_loss, nt->gradient, nt->hessian));
	/* The loss at 0 is the same on any rows: the logarithm of the number of classes. */
	if (nt->value < at_zero)
		return ML_OK;
	memset(fit->u, 0, nt->size * sizeof(double));
	return ml_softmax_loss_eval(env, nt->loss, fit->u, &nt->value, &fit->data_loss, nt->gradient, nt->hessian);
}

/* Every so many blocks give the start; 1 where rows are few. */
static size_t
thin_of(const MlSoftmaxLoss *loss)
{
	size_t		thin = loss->n_blocks / THIN_BLOCKS;

	return thin < 4 ? 1 : thin > 32 ? 32 : thin;
}

MlStatus
ml_logistic_fit(MlEnv *env, MlSoftmaxLoss *loss, bool penalized, double tol, int max_iter, MlLogisticFit *fit)
{
	Newton		nt = {.loss = loss, .dense = env->dense, .size = loss->size};
	double		last_change = INFINITY;
	double		enough;

	memset(fit, 0, sizeof(*fit));
	ML_TRY(allocate(env, &nt, fit));
	loss->thin = thin_of(loss);
	enough = loss->thin > 1 ? fmax(LAST_CHANGE, fmin(LAST_CHANGE_OF_MANY, tol * 10)) : LAST_CHANGE;
	ML_TRY(find_null(env, &nt, fit->u));
	if (loss->thin > 1)
		ML_TRY(warm_start(env, &nt, fit));
	else
		ML_TRY(ml_softmax_loss_eval(env, loss, fit->u, &nt.value, &fit->data_loss, nt.gradient, nt.hessian));
	loss->thin = 1;
	nt.first_gradient = fmax(nt.first_gradient, fmax(largest(nt.gradient, nt.size), DBL_MIN));
	while (fit->iterations < max_iter && !fit->converged && !fit->separated)
	{
		double		slope = 0,
					moved = 0,
					change;

		fit->iterations++;
		ML_TRY(newton_step(env, &nt, fit, &slope));
		change = largest(nt.step, nt.size) / fmax(1, largest(fit->u, nt.size));
		/* The last step was small, or what a step could still gain is rounding. */
		fit->converged = change <= tol || -slope <= DBL_EPSILON * fabs(nt.value);
		if (change <= enough)
		{
			/* The Hessian changes by as little: no need to look at the rows again. */
			fit->converged = true;
			for (size_t i = 0; i < nt.size; i++)
				fit->u[i] += nt.step[i];
			report(env, fit, max_iter);
			break;
		}
		ML_TRY(move(env, &nt, fit, slope, &moved));
		report(env, fit, max_iter);
		if (moved == 0)
			break;
		if (!penalized && !fit->converged)
			fit->separated = fit->data_loss < SEPARATED_LOSS ||
				(-slope < FLAT_DECREMENT && change > STILL_MOVING && change > last_change / 2);
		last_change = change;
	}
	if (!fit->separated && !loss->matrix_free)
		ML_TRY(invert(env, &nt, fit));
	return settle_null(env, &nt, fit);
}
