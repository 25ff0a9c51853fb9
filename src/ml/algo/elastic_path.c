/*-------------------------------------------------------------------------
 * elastic_path.c
 *	  Solutions of the elastic net for a row of penalties.
 *
 * All folds and the total take a step of the path side by side, each from where the penalty before
 * has left it (warm start; Friedman, Hastie, Tibshirani 2010, section 2.5).
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "ml/algo/penalty_path.h"
#include "ml/base/arena.h"
#include "ml/base/dense.h"
#include "ml/base/pool.h"

/* An l2 penalty beyond this has made all coefficients 0 already. */
#define LARGEST_PENALTY 1e280

typedef struct Step
{
	MlPenaltyPath *path;
	const MlDense *dense;
	MlElastic  *state;			/* [0] on all rows, [1 + f] on those outside of fold f */
	int			k;				/* number of the penalty */
} Step;

MlStatus
ml_penalty_path_alloc(MlEnv *env, MlPenaltyPath *path)
{
	size_t		n = path->n,
				p = path->total->p,
				folds = path->n_folds;

	path->a = ml_alloc0(env, folds + 1, sizeof(double *));
	path->penalty = ml_alloc0(env, n, sizeof(double));
	path->v = ml_alloc0(env, n * p, sizeof(double));
	path->rss = ml_alloc0(env, n, sizeof(double));
	path->freedom = ml_alloc0(env, n, sizeof(double));
	path->error = ml_alloc0(env, n * folds, sizeof(double));
	path->fold_weight = ml_alloc0(env, folds, sizeof(double));
	path->sweeps = ml_alloc0(env, n, sizeof(int));
	path->converged = ml_alloc0(env, n, sizeof(bool));
	if (path->a == NULL || path->penalty == NULL || path->v == NULL || path->rss == NULL || path->freedom == NULL ||
		path->error == NULL || path->fold_weight == NULL || path->sweeps == NULL || path->converged == NULL)
		return env->error.status;
	for (size_t f = 0; f <= folds; f++)
	{
		path->a[f] = ml_alloc0(env, p, sizeof(double));
		if (path->a[f] == NULL)
			return env->error.status;
	}
	for (size_t f = 0; f < folds; f++)
	{
		double		weight = path->total->weight - path->fold[f].weight;

		/* What rounding leaves of a fold of rows without weight. */
		path->fold_weight[f] = weight > 1e-12 * path->total->weight ? weight : 0;
	}
	return ML_OK;
}

size_t
ml_penalty_path_memory(size_t p, int n, int folds, bool ridge, int threads)
{
	size_t		bytes = (size_t) n * (p + folds + 8) * sizeof(double) + ((size_t) folds + 1) * (p * sizeof(double) + 512) + 16384;

	bytes += ((size_t) folds + 1) * ml_elastic_memory(p);
	if (ridge)
		bytes += (size_t) (threads + 1) * (p * p + 3 * p + 2 * p * (size_t) n) * sizeof(double);
	return bytes + 3 * p * p * sizeof(double);
}

double
ml_penalty_path_error(const MlPenaltyPath *path, int fold, const double *v)
{
	const MlNormal *all = path->total;
	const MlNormal *others = &path->fold[fold];
	double		mean = all->y_mean - others->y_mean;
	double		error;

	/* Of all rows, with the intercept of the others; less the residuals of these. */
	for (size_t j = 0; j < all->p; j++)
		mean -= (all->mean[j] - others->mean[j]) * v[j];
	error = ml_normal_rss(all, v) + all->weight * mean * mean - ml_normal_rss(others, v);
	return error > 0 ? error : 0;
}

static void
step_task(void *arg, size_t task, int thread)
{
	Step	   *step = arg;
	MlElastic  *e = &step->state[task];

	(void) thread;
	if (e->done)
		return;
	ml_elastic_advance(e);
	ml_elastic_leap(step->dense, e);
	if (e->done && task > 0)
		step->path->error[(task - 1) * step->path->n + step->k] = ml_penalty_path_error(step->path, (int) task - 1, e->v);
}

static MlStatus
init_states(MlEnv *env, MlPenaltyPath *path, Step *step)
{
	step->state = ml_alloc0(env, (size_t) path->n_folds + 1, sizeof(MlElastic));
	if (step->state == NULL)
		return env->error.status;
	for (int f = 0; f <= path->n_folds; f++)
	{
		MlElastic  *e = &step->state[f];

		e->normal = f == 0 ? path->total : &path->fold[f - 1];
		e->a = path->a[f];
		e->positive = path->positive;
		e->tol = path->tol;
		e->max_iter = path->max_iter;
		ML_TRY(ml_elastic_init(env, e));
	}
	return ML_OK;
}

static void
set_penalties(MlPenaltyPath *path, const MlElastic *total)
{
	/* Without an absolute part no penalty makes all coefficients 0: a thousandth of one is taken, as glmnet does. */
	double		largest = ml_elastic_max(total, fmax(path->l1_ratio, 1e-3));

	for (int k = 0; k < path->n; k++)
		path->penalty[k] = path->alpha > 0 ? path->alpha : largest * pow(path->span, path->n > 1 ? (double) k / (path->n - 1) : 0);
}

static void
keep(MlPenaltyPath *path, const MlElastic *total, int k)
{
	size_t		p = path->total->p;

	memcpy(path->v + k * p, total->v, p * sizeof(double));
	path->rss[k] = ml_normal_rss(path->total, total->v);
	path->sweeps[k] = total->sweeps;
	path->converged[k] = total->converged;
	for (size_t j = 0; j < p; j++)
		path->freedom[k] += total->v[j] != 0;
}

MlStatus
ml_elastic_path(MlEnv *env, MlPenaltyPath *path)
{
	Step		step = {.path = path, .dense = env->dense};

	ML_TRY(init_states(env, path, &step));
	set_penalties(path, &step.state[0]);
	for (step.k = 0; step.k < path->n; step.k++)
	{
		double		l1 = path->penalty[step.k] * path->l1_ratio;
		double		l2 = fmin(path->penalty[step.k] * (1 - path->l1_ratio) * path->l2_unit, LARGEST_PENALTY);
		bool		done = false;

		for (int f = 0; f <= path->n_folds; f++)
			ml_elastic_start(&step.state[f], l1, l2);
		while (!done)
		{
			ML_TRY(ml_pool_run(env, (size_t) path->n_folds + 1, step_task, &step));
			done = true;
			for (int f = 0; f <= path->n_folds; f++)
			{
				MlElastic  *e = &step.state[f];

				done = done && e->done;
				if (!e->done && e->room == NULL)
					ML_TRY(ml_elastic_make_room(env, e));
			}
		}
		if (path->n == 1)
			ML_TRY(ml_elastic_polish(env, &step.state[0]));
		keep(path, &step.state[0], step.k);
	}
	return ML_OK;
}
