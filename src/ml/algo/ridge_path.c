/*-------------------------------------------------------------------------
 * ridge_path.c
 *	  Ridge regression for a row of penalties.
 *
 * One decomposition of the Gram matrix gives the solutions for all penalties: with A^-1 G A^-1 = V D V'
 * they are v = A^-1 V (D + penalty)^-1 V' A^-1 c.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "ml/algo/linear_terms.h"
#include "ml/algo/penalty_path.h"
#include "ml/base/arena.h"
#include "ml/base/dense.h"
#include "ml/base/pool.h"

/* Where the row of penalties begins, times the greatest eigenvalue: coefficients are all but 0. */
#define LARGEST 100

typedef struct Work
{
	double	   *vectors;		/* p x p */
	double	   *values;			/* p */
	double	   *t;				/* p x n */
	double	   *u;				/* p x n */
	double	   *c;				/* p */
} Work;

typedef struct Solver
{
	MlPenaltyPath *path;
	const MlDense *dense;
	Work	   *work;			/* by thread; the last one is that of the total */
	int		   *info;			/* by fold */
} Solver;

static int
decompose(const MlDense *dense, const MlNormal *n, const double *a, Work *w)
{
	size_t		p = n->p;

	for (size_t j = 0; j < p; j++)
	{
		for (size_t i = 0; i < p; i++)
			w->vectors[j * p + i] = n->gram[j * n->ld + i] / (a[i] * a[j]);
		w->c[j] = n->target[j] / a[j];
	}
	return p == 0 ? 0 : dense->eigen(p, w->vectors, w->values);
}

/* u (p x n) = all solutions, in units of v. */
static void
solve(const MlDense *dense, const MlPenaltyPath *path, const double *a, Work *w)
{
	size_t		p = path->total->p,
				n = path->n;

	if (p == 0)
		return;
	dense->gemm(true, false, p, 1, p, 1, w->vectors, p, w->c, p, 0, w->u, p);
	for (size_t k = 0; k < n; k++)
		for (size_t j = 0; j < p; j++)
			w->t[k * p + j] = w->u[j] / ((w->values[j] > 0 ? w->values[j] : 0) + path->penalty[k]);
	dense->gemm(false, false, p, n, p, 1, w->vectors, p, w->t, p, 0, w->u, p);
	for (size_t k = 0; k < n; k++)
		for (size_t j = 0; j < p; j++)
			w->u[k * p + j] /= a[j];
}

static void
fold_task(void *arg, size_t fold, int thread)
{
	Solver	   *s = arg;
	MlPenaltyPath *path = s->path;
	Work	   *w = &s->work[thread];

	s->info[fold] = decompose(s->dense, &path->fold[fold], path->a[1 + fold], w);
	if (s->info[fold] != 0)
		return;
	solve(s->dense, path, path->a[1 + fold], w);
	for (int k = 0; k < path->n; k++)
		path->error[fold * path->n + k] = ml_penalty_path_error(path, (int) fold, w->u + k * path->total->p);
}

static MlStatus
allocate(MlEnv *env, Solver *s)
{
	size_t		p = s->path->total->p,
				n = s->path->n;

	s->info = ml_alloc0(env, s->path->n_folds, sizeof(int));
	s->work = ml_alloc0(env, (size_t) env->threads + 1, sizeof(Work));
	if (s->info == NULL || s->work == NULL)
		return env->error.status;
	for (int t = 0; t <= env->threads; t++)
	{
		Work	   *w = &s->work[t];

		if (t < env->threads && s->path->n_folds == 0)
			continue;			/* no task will ask for it */
		w->vectors = ml_alloc0(env, p * p, sizeof(double));
		w->values = ml_alloc0(env, p, sizeof(double));
		w->t = ml_alloc0(env, p * n, sizeof(double));
		w->u = ml_alloc0(env, p * (n > 0 ? n : 1), sizeof(double));
		w->c = ml_alloc0(env, p, sizeof(double));
		if (w->vectors == NULL || w->values == NULL || w->t == NULL || w->u == NULL || w->c == NULL)
			return env->error.status;
	}
	return ML_OK;
}

static MlStatus
check_info(MlEnv *env, int info)
{
	if (info <= -1000)
		return ml_fail(env, ML_NO_MEMORY, "out of memory in LAPACK");
	if (info != 0)
		return ml_linear_out_of_range(env, "the features hold");
	return ML_OK;
}

static void
set_penalties(MlPenaltyPath *path, const Work *total)
{
	size_t		p = path->total->p;
	double		largest = p > 0 ? fmax(total->values[p - 1], 0) : 0;

	for (int k = 0; k < path->n; k++)
	{
		double		share = pow(path->span, path->n > 1 ? (double) k / (path->n - 1) : 0);

		path->penalty[k] = path->alpha > 0 ? path->alpha : largest > 0 ? LARGEST * largest * share : 1;
	}
}

MlStatus
ml_ridge_path(MlEnv *env, MlPenaltyPath *path)
{
	Solver		s = {.path = path, .dense = env->dense};
	size_t		p = path->total->p;
	Work	   *total;

	ML_TRY(allocate(env, &s));
	total = &s.work[env->threads];
	ML_TRY(check_info(env, decompose(s.dense, path->total, path->a[0], total)));
	set_penalties(path, total);
	solve(s.dense, path, path->a[0], total);
	ML_TRY(ml_pool_run(env, path->n_folds, fold_task, &s));
	for (int f = 0; f < path->n_folds; f++)
		ML_TRY(check_info(env, s.info[f]));
	for (int k = 0; k < path->n; k++)
	{
		memcpy(path->v + k * p, total->u + k * p, p * sizeof(double));
		path->rss[k] = ml_normal_rss(path->total, path->v + k * p);
		path->converged[k] = true;
		for (size_t j = 0; j < p; j++)
			if (total->values[j] > 0)
				path->freedom[k] += total->values[j] / (total->values[j] + path->penalty[k]);
	}
	path->vectors = total->vectors;
	path->values = total->values;
	return ML_OK;
}
