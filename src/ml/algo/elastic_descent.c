/*-------------------------------------------------------------------------
 * elastic_descent.c
 *	  Coordinate descent for the elastic net on normal equations.
 *
 * A sweep over all columns finds those that are not 0; sweeps over these alone follow until they
 * change no more, then all columns are looked at again.  Where columns depend on each other, as the levels of
 * a category with many rare ones, sweeps creep; there a leap solves for the columns that are not 0 at once, and
 * goes as far to that solution as no coefficient changes its sign, which makes the objective smaller in any case.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "ml/algo/elastic_net.h"
#include "ml/base/arena.h"
#include "ml/base/dense.h"

/* Additions that one call of advance may make, some 10 ms. */
#define WORK 2e7

/* Leaps are made with so many columns at the most. */
#define LEAP_COLUMNS 600

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
	size_t		k = p < LEAP_COLUMNS ? p : LEAP_COLUMNS;

	return (k * k + 6 * p) * sizeof(double) + p * sizeof(int32_t) + 1024;
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
	double		k = (double) e->n_active;
	double		limit = e->room != NULL && k <= LEAP_COLUMNS ? fmin(WORK, 2e5 + k * k * k / 24) : WORK;	/* about as long as a leap takes */
	double		work = 0;

	if (!(e->normal->weight > 0))
		e->done = e->converged = true;
	while (!e->done && work < limit)
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

static double
sign_of(const MlElastic *e, size_t j)
{
	return copysign(e->l1 * e->a[j], e->v[j]);
}

/* gradient = (c - G v) / W, of which only the k columns "active" are not 0 */
static void
gradient_at(const MlNormal *n, const double *v, const int32_t *active, size_t k, double *gradient)
{
	for (size_t j = 0; j < n->p; j++)
		gradient[j] = n->target[j] / n->weight;
	for (size_t j = 0; j < k; j++)
	{
		const double *column = n->gram + active[j] * n->ld;
		double		value = v[active[j]] / n->weight;

		for (size_t i = 0; i < n->p; i++)
			gradient[i] -= column[i] * value;
	}
}

/*
 * v and gradient (p each) = the minimum over the k columns "active" were their signs to stay: by one step of Newton's
 * method from where the descent is, (G/W + l2 a^2) step = gradient - l2 a^2 v - l1 a sign(v), in columns
 * scaled to a unit diagonal.  m holds k x k numbers, b and scale hold k.  False: they depend on each other.
 */
static bool
solve_active(const MlElastic *e, const MlDense *dense, const int32_t *active, size_t k, double *m, double *b, double *scale, double *v, double *gradient)
{
	const MlNormal *n = e->normal;

	for (size_t j = 0; j < k; j++)
	{
		const double *column = n->gram + active[j] * n->ld;
		double		l2 = e->l2 * e->a[active[j]] * e->a[active[j]];

		for (size_t i = 0; i <= j; i++)
			m[j * k + i] = column[active[i]] / n->weight;
		m[j * k + j] += l2;
		b[j] = e->gradient[active[j]] - l2 * e->v[active[j]] - sign_of(e, (size_t) active[j]);
		scale[j] = 1 / sqrt(m[j * k + j]);
	}
	for (size_t j = 0; j < k; j++)
	{
		for (size_t i = 0; i <= j; i++)
			m[j * k + i] *= scale[i] * scale[j];
		b[j] *= scale[j];
	}
	if (dense->cholesky(k, m) != 0 || dense->cholesky_solve(k, 1, m, b) != 0)
		return false;
	memcpy(v, e->v, n->p * sizeof(double));
	for (size_t j = 0; j < k; j++)
		v[active[j]] += b[j] * scale[j];
	gradient_at(n, v, active, k, gradient);
	return true;
}

static size_t
find_active(const MlElastic *e, int32_t *active)
{
	size_t		k = 0;

	for (size_t j = 0; j < e->normal->p; j++)
		if (e->v[j] != 0)
			active[k++] = (int32_t) j;
	return k;
}

static void
take(MlElastic *e, const double *v, const double *gradient)
{
	memcpy(e->v, v, e->normal->p * sizeof(double));
	memcpy(e->gradient, gradient, e->normal->p * sizeof(double));
	e->converged = true;
}

MlStatus
ml_elastic_polish(MlEnv *env, MlElastic *e)
{
	size_t		p = e->normal->p;
	int32_t    *active = ml_alloc0(env, p, sizeof(int32_t));
	double	   *v = ml_alloc0(env, p, 4 * sizeof(double));
	size_t		k;
	double	   *m;

	if (active == NULL || v == NULL)
		return env->error.status;
	k = find_active(e, active);
	if (k == 0)
		return ML_OK;
	m = ml_alloc0(env, k * k, sizeof(double));
	if (m == NULL)
		return env->error.status;
	gradient_at(e->normal, e->v, active, k, e->gradient);	/* v may come from elsewhere */
	if (solve_active(e, env->dense, active, k, m, v + 2 * p, v + 3 * p, v, v + p) && is_solution(e, v, v + p))
		take(e, v, v + p);
	ml_release(env, m);
	return ML_OK;
}

MlStatus
ml_elastic_make_room(MlEnv *env, MlElastic *e)
{
	size_t		p = e->normal->p;
	size_t		k = p < LEAP_COLUMNS ? p : LEAP_COLUMNS;

	e->room = ml_alloc(env, k * k + 4 * p, sizeof(double));
	return e->room != NULL ? ML_OK : env->error.status;
}

/* How far to v is every sign as it is now?  *zero: the column whose coefficient ends there. */
static double
way_to(const MlElastic *e, const double *v, size_t *zero)
{
	double		way = 1;

	*zero = e->normal->p;
	for (size_t i = 0; i < e->n_active; i++)
	{
		size_t		j = (size_t) e->active[i];

		if (v[j] * e->v[j] > 0 || !(e->v[j] / (e->v[j] - v[j]) < way))
			continue;
		way = e->v[j] / (e->v[j] - v[j]);
		*zero = j;
	}
	return way;
}

void
ml_elastic_leap(const MlDense *dense, MlElastic *e)
{
	size_t		p = e->normal->p;
	double	   *v = e->room;
	double	   *gradient;
	size_t		zero;
	double		way;

	if (e->done || v == NULL)
		return;
	gradient = v + p;
	e->n_active = find_active(e, e->active);
	if (e->n_active == 0 || e->n_active > LEAP_COLUMNS ||
		!solve_active(e, dense, e->active, e->n_active, v + 4 * p, v + 2 * p, v + 3 * p, v, gradient))
		return;
	if (is_solution(e, v, gradient))
	{
		take(e, v, gradient);
		e->done = true;
		return;
	}
	way = way_to(e, v, &zero);
	for (size_t j = 0; j < p; j++)
	{
		e->v[j] += way * (v[j] - e->v[j]);
		e->gradient[j] += way * (gradient[j] - e->gradient[j]);
	}
	if (zero < p)
		e->v[zero] = 0;
	e->settled = true;			/* all columns are looked at next */
}
