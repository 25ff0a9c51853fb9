/*-------------------------------------------------------------------------
 * elastic_descent.c
 *	  Coordinate descent for the elastic net on normal equations.
 *
 * A sweep over all columns finds those that are not 0; sweeps over these alone follow until they
 * change no more, then all columns are looked at again.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "ml/algo/elastic_net.h"
#include "ml/base/arena.h"
#include "ml/base/dense.h"

/* Additions that one call of advance may make, some 10 ms. */
#define WORK 2e7

MlStatus
ml_elastic_init(MlEnv *env, MlElastic *e)
{
	const MlNormal *n = e->normal;

	e->v = ml_alloc0(env, n->p, sizeof(double));
	e->gradient = ml_alloc0(env, n->p, sizeof(double));
	e->active = ml_alloc0(env, n->p, sizeof(int32_t));
	e->n_active = 0;
	if (e->v == NULL || e->gradient == NULL || e->active == NULL)
		return env->error.status;
	for (size_t j = 0; j < n->p; j++)
		e->gradient[j] = n->weight > 0 ? n->target[j] / n->weight : 0;
	return ML_OK;
}

size_t
ml_elastic_memory(size_t p)
{
	return p * (2 * sizeof(double) + sizeof(int32_t)) + 1024;
}

double
ml_elastic_max(const MlElastic *e, double ratio)
{
	double		largest = 0;

	for (size_t j = 0; j < e->normal->p; j++)
	{
		double		size = e->positive ? e->gradient[j] : fabs(e->gradient[j]);

		if (e->normal->deviation[j] > 0 && size / e->a[j] > largest)
			largest = size / e->a[j];
	}
	return largest / ratio;
}

void
ml_elastic_start(MlElastic *e, double l1, double l2)
{
	e->l1 = l1;
	e->l2 = l2;
	e->sweeps = 0;
	e->settled = true;
	e->done = e->converged = false;
}

/* Minimises over one coefficient; returns how much that changes the fit, in variance. */
static double
update(MlElastic *e, size_t j, double *work)
{
	const MlNormal *n = e->normal;
	const double *column = n->gram + j * n->ld;
	double		square = column[j] / n->weight;
	double		r = e->gradient[j] + square * e->v[j];
	double		threshold = e->l1 * e->a[j];
	double		value = 0;
	double		step;

	*work += 8;
	if (r > threshold)
		value = (r - threshold) / (square + e->l2 * e->a[j] * e->a[j]);
	else if (r < -threshold && !e->positive)
		value = (r + threshold) / (square + e->l2 * e->a[j] * e->a[j]);
	if (value == e->v[j])
		return 0;
	step = (value - e->v[j]) / n->weight;
	for (size_t i = 0; i < n->p; i++)
		e->gradient[i] -= step * column[i];
	*work += n->p;
	step = value - e->v[j];
	e->v[j] = value;
	return square * step * step;
}

static double
sweep_all(MlElastic *e, double *work)
{
	double		change = 0;

	e->n_active = 0;
	for (size_t j = 0; j < e->normal->p; j++)
	{
		/* Constant in these rows: nothing to be learnt of it. */
		if (e->normal->deviation[j] > 0)
			change = fmax(change, update(e, j, work));
		if (e->v[j] != 0)
			e->active[e->n_active++] = (int32_t) j;
	}
	return change;
}

static double
sweep_active(MlElastic *e, double *work)
{
	double		change = 0;

	for (size_t i = 0; i < e->n_active; i++)
		change = fmax(change, update(e, e->active[i], work));
	return change;
}

void
ml_elastic_advance(MlElastic *e)
{
	double		enough = e->normal->weight > 0 ? e->tol * e->tol * e->normal->yy / e->normal->weight : 0;
	double		work = 0;

	if (!(e->normal->weight > 0))
		e->done = e->converged = true;
	while (!e->done && work < WORK)
	{
		bool		all = e->settled;
		double		change = all ? sweep_all(e, &work) : sweep_active(e, &work);

		e->sweeps++;
		e->settled = change <= enough;
		e->converged = all && e->settled;
		e->done = e->converged || e->sweeps >= e->max_iter;
	}
}

/* Do the new values have the signs of the old ones, and are the other columns rightly 0? */
static bool
is_solution(const MlElastic *e, const double *v, const double *gradient)
{
	for (size_t j = 0; j < e->normal->p; j++)
	{
		double		limit = e->l1 * e->a[j];

		if (e->v[j] != 0 ? !(v[j] * e->v[j] > 0) :
			e->normal->deviation[j] > 0 && (e->positive ? gradient[j] : fabs(gradient[j])) > limit * (1 + 1e-9))
			return false;
	}
	return true;
}

MlStatus
ml_elastic_polish(MlEnv *env, MlElastic *e)
{
	const MlNormal *n = e->normal;
	size_t		k = 0;
	int32_t    *active = ml_alloc0(env, n->p, sizeof(int32_t));
	double	   *v = ml_alloc0(env, n->p, sizeof(double));
	double	   *gradient = ml_alloc0(env, n->p, sizeof(double));
	double	   *m;
	double	   *b;

	if (active == NULL || v == NULL || gradient == NULL)
		return env->error.status;
	for (size_t j = 0; j < n->p; j++)
		if (e->v[j] != 0)
			active[k++] = (int32_t) j;
	if (k == 0)
		return ML_OK;
	m = ml_alloc0(env, k * k, sizeof(double));
	b = ml_alloc0(env, k, sizeof(double));
	if (m == NULL || b == NULL)
		return env->error.status;

	/* (G/W + l2 a^2) v = c/W - l1 a sign(v), by rows and columns scaled to a unit diagonal */
	for (size_t j = 0; j < k; j++)
	{
		const double *column = n->gram + active[j] * n->ld;

		for (size_t i = 0; i <= j; i++)
			m[j * k + i] = column[active[i]] / n->weight;
		m[j * k + j] += e->l2 * e->a[active[j]] * e->a[active[j]];
		b[j] = n->target[active[j]] / n->weight - copysign(e->l1 * e->a[active[j]], e->v[active[j]]);
		v[j] = 1 / sqrt(m[j * k + j]);
	}
	for (size_t j = 0; j < k; j++)
	{
		for (size_t i = 0; i <= j; i++)
			m[j * k + i] *= v[i] * v[j];
		b[j] *= v[j];
	}
	if (env->dense->cholesky(k, m) != 0 || env->dense->cholesky_solve(k, 1, m, b) != 0)
		return ML_OK;
	for (size_t j = 0; j < k; j++)
		b[j] *= v[j];
	memset(v, 0, n->p * sizeof(double));
	for (size_t j = 0; j < n->p; j++)
		gradient[j] = n->target[j] / n->weight;
	for (size_t j = 0; j < k; j++)
	{
		const double *column = n->gram + active[j] * n->ld;

		v[active[j]] = b[j];
		for (size_t i = 0; i < n->p; i++)
			gradient[i] -= column[i] * (b[j] / n->weight);
	}
	if (is_solution(e, v, gradient))
	{
		memcpy(e->v, v, n->p * sizeof(double));
		memcpy(e->gradient, gradient, n->p * sizeof(double));
		e->converged = true;
	}
	ml_release(env, m);
	return ML_OK;
}
