/*-------------------------------------------------------------------------
 * svm_fit.c
 *	  Linear support vector machines, for classes and for numbers.
 *
 * The interior point method (Mehrotra's predictor and corrector) keeps for each term its multiplier alpha in (0, c) and
 * the slacks lambda, upsilon of the two bounds; with theta = lambda / alpha + upsilon / (c - alpha) a step is
 *	  (P + Z' theta^-1 Z) du = Z' s (alpha + q / theta) - P u,  dalpha = (q - s Z du) / theta.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "ml/algo/linear_terms.h"
#include "ml/algo/svm_fit.h"
#include "ml/base/arena.h"
#include "ml/base/dense.h"
#include "ml/base/pool.h"

/* What a block of Z takes at most: half of a common second-level cache. */
#define BLOCK_DOUBLES ((size_t) 1 << 17)

#define MAX_HALVINGS 40

/* Share of the way to the nearest bound that a step goes. */
#define KEEP_INSIDE 0.995

struct MlSvmTerm
{
	double		alpha;			/* multiplier, 0 .. c */
	double		lambda;			/* of alpha >= 0 */
	double		upsilon;		/* of alpha <= c */
	double		d_alpha;		/* the step */
	double		d_lambda;
	double		d_upsilon;
	double		low;			/* products of the predictor */
	double		high;
};

struct MlSvmSlot
{
	double		value;			/* of the losses */
	double		gap;			/* sum of the products that should vanish */
	double		slope;			/* change of the gap along the step, and of second order */
	double		curve;
	double		count;			/* products */
	double		step;			/* largest that stays inside */
	double	   *gradient;		/* q */
	double	   *matrix;			/* q x q */
	double	   *z;				/* block x q */
	double	   *scaled;			/* block x q */
	double	   *f;				/* block */
	double	   *df;				/* block */
	double	   *weight;			/* block: of the gradient */
	double	   *root;			/* block: of the matrix */
};

typedef enum Pass
{
	PASS_SQUARED,				/* value, gradient, matrix of the squared loss */
	PASS_VALUE,					/* value alone, of either loss */
	PASS_BUILD,					/* interior point: gap, matrix, right-hand side of the predictor */
	PASS_PREDICT,				/* what the predictor does to the gap */
	PASS_CORRECT,				/* right-hand side of the corrector */
	PASS_STEP,					/* the step itself, and how far it may go */
	PASS_SCORES
} Pass;

typedef struct Visit
{
	MlSvm	   *svm;
	const MlDense *dense;
	Pass		pass;
	const double *u;
	const double *du;
	double		target;			/* sigma mu */
	double	   *scores;
	size_t		first;
} Visit;

static void
cut_rows(size_t n, size_t q, size_t *block, size_t *n_blocks, size_t *n_slots)
{
	*block = BLOCK_DOUBLES / (q > 0 ? q : 1);
	*block = *block < 256 ? 256 : *block > 4096 ? 4096 : *block;
	*block = *block > n ? n : *block;
	*n_blocks = (n + *block - 1) / *block;
	*n_slots = q <= 256 ? 16 : q <= 1024 ? 8 : q <= 2048 ? 4 : 2;
	*n_slots = *n_slots > *n_blocks ? *n_blocks : *n_slots;
}

size_t
ml_svm_memory(size_t n, size_t q, bool regression, bool squared)
{
	size_t		block,
				n_blocks,
				n_slots;
	size_t		terms = squared ? 0 : n * (regression ? 2 : 1) * sizeof(MlSvmTerm);

	cut_rows(n > 0 ? n : 1, q, &block, &n_blocks, &n_slots);
	return n_slots * ((q * q + q + block * (2 * q + 4)) * sizeof(double) + 8192) + terms + (2 * n + 3 * q * q + 16 * q) * sizeof(double) + 65536;
}

MlStatus
ml_svm_init(MlEnv *env, MlSvm *svm)
{
	size_t		n = svm->data->n_train;
	size_t		q = svm->q = (size_t) svm->intercept + svm->scale->n;

	cut_rows(n, q, &svm->block, &svm->n_blocks, &svm->n_slots);
	svm->n_terms = svm->regression ? 2 : 1;
	svm->u = ml_alloc0(env, q, sizeof(double));
	svm->penalty = ml_alloc0(env, q, sizeof(double));
	svm->c = ml_alloc0(env, n, sizeof(double));
	svm->sign = ml_alloc0(env, n, sizeof(double));
	svm->gradient = ml_alloc0(env, q, sizeof(double));
	svm->matrix = ml_alloc0(env, q * q, sizeof(double));
	svm->factor = ml_alloc0(env, q * q, sizeof(double));
	svm->step = ml_alloc0(env, q, sizeof(double));
	svm->trial = ml_alloc0(env, q, sizeof(double));
	svm->term = svm->squared ? NULL : ml_alloc0(env, n * svm->n_terms, sizeof(MlSvmTerm));
	svm->slots = ml_alloc0(env, svm->n_slots, sizeof(MlSvmSlot));
	if (svm->u == NULL || svm->penalty == NULL || svm->c == NULL || svm->sign == NULL || svm->gradient == NULL || svm->matrix == NULL ||
		svm->factor == NULL || svm->step == NULL || svm->trial == NULL || (svm->term == NULL && !svm->squared) || svm->slots == NULL)
		return env->error.status;
	for (size_t s = 0; s < svm->n_slots; s++)
	{
		MlSvmSlot  *slot = &svm->slots[s];

		slot->gradient = ml_alloc0(env, q, sizeof(double));
		slot->matrix = ml_alloc0(env, q * q, sizeof(double));
		slot->z = ml_alloc0(env, svm->block * q, sizeof(double));
		slot->scaled = ml_alloc0(env, svm->block * q, sizeof(double));
		slot->f = ml_alloc0(env, svm->block, sizeof(double));
		slot->df = ml_alloc0(env, svm->block, sizeof(double));
		slot->weight = ml_alloc0(env, svm->block, sizeof(double));
		slot->root = ml_alloc0(env, svm->block, sizeof(double));
		if (slot->gradient == NULL || slot->matrix == NULL || slot->z == NULL || slot->scaled == NULL ||
			slot->f == NULL || slot->df == NULL || slot->weight == NULL || slot->root == NULL)
			return env->error.status;
	}
	return ML_OK;
}

/* s and t of term k of a row. */
static inline void
term_of(const MlSvm *svm, size_t row, int k, double *s, double *t)
{
	if (!svm->regression)
	{
		*s = svm->sign[row];
		*t = 1;
		return;
	}
	*s = k == 0 ? 1 : -1;
	*t = *s * svm->data->y[row] - svm->epsilon;
}

static void
squared_row(const MlSvm *svm, MlSvmSlot *slot, size_t row, size_t i)
{
	for (int k = 0; k < svm->n_terms; k++)
	{
		double		s,
					t,
					r;

		term_of(svm, row, k, &s, &t);
		r = t - s * slot->f[i];
		if (!(r > 0))
			continue;
		slot->value += svm->c[row] * r * (svm->squared ? r : 1);
		slot->weight[i] -= 2 * svm->c[row] * s * r;
		slot->root[i] += 2 * svm->c[row];
	}
}

/* How far along its step a number may go until it is 0. */
static inline double
room(double x, double dx)
{
	return dx < 0 ? -x / dx : INFINITY;
}

/* q of a term: what its multiplier must make good; target = sigma mu. */
static inline double
lacking(const MlSvmTerm *m, double c, double s, double t, double f, double target, bool corrector)
{
	double		low = corrector ? m->low : 0;
	double		high = corrector ? m->high : 0;

	return -(s * f - t) + (target - low) / m->alpha - (target - high) / (c - m->alpha);
}

static void
interior_row(const Visit *visit, MlSvmSlot *slot, size_t row, size_t i)
{
	MlSvm	   *svm = visit->svm;
	double		c = svm->c[row];

	for (int k = 0; k < svm->n_terms; k++)
	{
		MlSvmTerm  *m = &svm->term[row * svm->n_terms + k];
		double		rest = c - m->alpha;
		double		theta = m->lambda / m->alpha + m->upsilon / rest;
		bool		corrector = visit->pass == PASS_CORRECT || visit->pass == PASS_STEP;
		double		s,
					t,
					q;

		term_of(svm, row, k, &s, &t);
		q = lacking(m, c, s, t, slot->f[i], visit->target, corrector);
		switch (visit->pass)
		{
			case PASS_BUILD:
				slot->gap += m->alpha * m->lambda + rest * m->upsilon;
				slot->count += 2;
				slot->value += c * fmax(0, t - s * slot->f[i]);
				slot->weight[i] += s * (m->alpha + q / theta);
				slot->root[i] += 1 / theta;
				break;
			case PASS_CORRECT:
				slot->weight[i] += s * (m->alpha + q / theta);
				break;
			default:
				m->d_alpha = (q - s * slot->df[i]) / theta;
				m->d_lambda = (visit->target - (corrector ? m->low : 0) - m->lambda * m->d_alpha) / m->alpha - m->lambda;
				m->d_upsilon = (visit->target - (corrector ? m->high : 0) + m->upsilon * m->d_alpha) / rest - m->upsilon;
				slot->step = fmin(slot->step, fmin(fmin(room(m->alpha, m->d_alpha), room(rest, -m->d_alpha)),
												   fmin(room(m->lambda, m->d_lambda), room(m->upsilon, m->d_upsilon))));
				if (visit->pass == PASS_STEP)
					break;
				m->low = m->d_alpha * m->d_lambda;
				m->high = -m->d_alpha * m->d_upsilon;
				slot->slope += m->alpha * m->d_lambda + m->lambda * m->d_alpha + rest * m->d_upsilon - m->upsilon * m->d_alpha;
				slot->curve += m->low + m->high;
		}
	}
}

static void
visit_task(void *arg, size_t task, int thread)
{
	Visit	   *visit = arg;
	MlSvm	   *svm = visit->svm;
	MlSvmSlot  *slot = &svm->slots[task];
	size_t		block = visit->first + task;
	size_t		first = block * svm->block;
	size_t		rows;
	size_t		q = svm->q;

	(void) thread;
	if (block >= svm->n_blocks)
		return;
	rows = svm->data->n_train - first;
	rows = rows > svm->block ? svm->block : rows;
	for (size_t i = 0; svm->intercept && i < rows; i++)
		slot->z[i] = 1;
	for (size_t k = 0; k < (size_t) svm->scale->n; k++)
		ml_design_read(svm->design, svm->data, svm->scale->column[k], first, rows, svm->scale->center[k], svm->scale->factor[k],
					   slot->z + (k + svm->intercept) * svm->block);
	memset(slot->f, 0, rows * sizeof(double));
	memset(slot->df, 0, rows * sizeof(double));
	if (q > 0)
		visit->dense->gemm(false, false, rows, 1, q, 1, slot->z, svm->block, visit->u, q, 0, slot->f, svm->block);
	if (q > 0 && visit->du != NULL)
		visit->dense->gemm(false, false, rows, 1, q, 1, slot->z, svm->block, visit->du, q, 0, slot->df, svm->block);
	for (size_t i = 0; i < rows; i++)
	{
		slot->weight[i] = slot->root[i] = 0;
		if (visit->pass == PASS_SCORES)
			visit->scores[first + i] = slot->f[i];
		else if (svm->c[first + i] == 0)
			continue;
		else if (visit->pass == PASS_SQUARED || visit->pass == PASS_VALUE)
			squared_row(svm, slot, first + i, i);
		else
			interior_row(visit, slot, first + i, i);
	}
	if (q == 0 || (visit->pass != PASS_SQUARED && visit->pass != PASS_BUILD && visit->pass != PASS_CORRECT))
		return;
	visit->dense->gemm(true, false, q, 1, rows, 1, slot->z, svm->block, slot->weight, svm->block, 1, slot->gradient, q);
	if (visit->pass == PASS_CORRECT)
		return;
	for (size_t i = 0; i < rows; i++)
		slot->root[i] = sqrt(slot->root[i]);
	for (size_t j = 0; j < q; j++)
		for (size_t i = 0; i < rows; i++)
			slot->scaled[j * rows + i] = slot->root[i] * slot->z[j * svm->block + i];
	visit->dense->syrk(rows, q, slot->scaled, slot->matrix);
}

/* Sums of a pass over all rows. */
typedef struct Sums
{
	double		value;			/* with the penalty */
	double		gap;
	double		slope;
	double		curve;
	double		count;
	double		step;
} Sums;

static MlStatus
pass_over(MlEnv *env, MlSvm *svm, Visit *visit, Sums *sums)
{
	size_t		q = svm->q;
	bool		matrix = visit->pass == PASS_SQUARED || visit->pass == PASS_BUILD;
	bool		gradient = matrix || visit->pass == PASS_CORRECT;

	visit->svm = svm;
	visit->dense = env->dense;
	memset(sums, 0, sizeof(*sums));
	sums->step = INFINITY;
	for (size_t s = 0; s < svm->n_slots; s++)
	{
		MlSvmSlot  *slot = &svm->slots[s];

		slot->value = slot->gap = slot->slope = slot->curve = slot->count = 0;
		slot->step = INFINITY;
		memset(slot->gradient, 0, q * sizeof(double));
		if (matrix)
			memset(slot->matrix, 0, q * q * sizeof(double));
	}
	for (visit->first = 0; visit->first < svm->n_blocks; visit->first += svm->n_slots)
		ML_TRY(ml_pool_run(env, svm->n_slots, visit_task, visit));
	if (gradient)
		memset(svm->gradient, 0, q * sizeof(double));
	if (matrix)
		memset(svm->matrix, 0, q * q * sizeof(double));
	for (size_t s = 0; s < svm->n_slots; s++)
	{
		const MlSvmSlot *slot = &svm->slots[s];

		sums->value += slot->value;
		sums->gap += slot->gap;
		sums->slope += slot->slope;
		sums->curve += slot->curve;
		sums->count += slot->count;
		sums->step = fmin(sums->step, slot->step);
		for (size_t j = 0; gradient && j < q; j++)
			svm->gradient[j] += slot->gradient[j];
		for (size_t j = 0; matrix && j < q * q; j++)
			svm->matrix[j] += slot->matrix[j];
	}
	for (size_t j = 0; j < q; j++)
	{
		sums->value += 0.5 * svm->penalty[j] * visit->u[j] * visit->u[j];
		if (matrix)
			svm->matrix[j * q + j] += svm->penalty[j];
	}
	return ML_OK;
}

/* factor = the matrix, scaled to a unit diagonal and factored; the scale stands in trial. */
static MlStatus
factorize(MlEnv *env, MlSvm *svm)
{
	size_t		q = svm->q;

	for (double damping = 0; damping < 1; damping = damping == 0 ? 1e-14 : damping * 100)
	{
		for (size_t j = 0; j < q; j++)
		{
			double		diagonal = svm->matrix[j * q + j];

			/* No row and no penalty speaks of it, as of the intercept when all rows are inside their margin: it stays. */
			svm->trial[j] = diagonal == 0 ? 1 : 1 / sqrt(diagonal);
			if (!isfinite(svm->trial[j]))
				return ml_linear_out_of_range(env, "the features or the target hold");
		}
		for (size_t j = 0; j < q; j++)
			for (size_t i = 0; i <= j; i++)
				svm->factor[j * q + i] = svm->matrix[j * q + i] * svm->trial[i] * svm->trial[j] + (i == j ? damping + (svm->matrix[j * q + j] == 0) : 0);
		if (q == 0 || env->dense->cholesky(q, svm->factor) == 0)
			return ML_OK;
	}
	return ml_linear_out_of_range(env, "the features or the target hold");
}

/* step = matrix^-1 step */
static MlStatus
solve(MlEnv *env, MlSvm *svm)
{
	for (size_t j = 0; j < svm->q; j++)
		svm->step[j] *= svm->trial[j];
	if (svm->q > 0 && env->dense->cholesky_solve(svm->q, 1, svm->factor, svm->step) != 0)
		return ml_linear_out_of_range(env, "the features or the target hold");	/* it needs no memory */
	for (size_t j = 0; j < svm->q; j++)
	{
		svm->step[j] *= svm->trial[j];
		if (!isfinite(svm->step[j]))
			return ml_linear_out_of_range(env, "the features or the target hold");
	}
	return ML_OK;
}

static void
report(MlEnv *env, const MlSvm *svm)
{
	MlProgress	progress = {.phase = "fit", .share = (double) svm->iterations / svm->max_iter, .iteration = svm->iterations,
	.iterations = svm->max_iter, .train_loss = svm->objective, .validation_loss = NAN};

	ml_progress(env, &progress);
}

static MlStatus
newton(MlEnv *env, MlSvm *svm)
{
	Visit		visit = {.pass = PASS_SQUARED, .u = svm->u};
	Sums		sums;

	ML_TRY(pass_over(env, svm, &visit, &sums));
	while (svm->iterations < svm->max_iter && !svm->converged)
	{
		double		before = sums.value;
		double		slope = 0;
		double		t = 1;
		bool		moved = false;

		ML_TRY(factorize(env, svm));
		for (size_t j = 0; j < svm->q; j++)
			svm->step[j] = -(svm->gradient[j] + svm->penalty[j] * svm->u[j]);
		memcpy(svm->gradient, svm->step, svm->q * sizeof(double));
		ML_TRY(solve(env, svm));
		for (size_t j = 0; j < svm->q; j++)
			slope -= svm->gradient[j] * svm->step[j];
		svm->objective = before;
		if (-slope <= svm->tol * svm->tol * before)
		{
			svm->converged = true;
			break;
		}
		for (int halvings = 0; halvings < MAX_HALVINGS && !moved; halvings++, t /= 2)
		{
			for (size_t j = 0; j < svm->q; j++)
				svm->trial[j] = svm->u[j] + t * svm->step[j];
			visit.u = svm->trial;
			ML_TRY(pass_over(env, svm, &visit, &sums));
			moved = sums.value <= before + 1e-4 * t * slope;
		}
		if (!moved)
		{
			/* Nothing can be gained but rounding. */
			svm->converged = -slope <= 1e-9 * before;
			break;
		}
		memcpy(svm->u, svm->trial, svm->q * sizeof(double));
		svm->objective = sums.value;
		svm->iterations++;
		report(env, svm);
	}
	return ML_OK;
}

static double
largest_target(const MlSvm *svm)
{
	double		largest = 0;

	for (size_t i = 0; svm->regression && i < svm->data->n_train; i++)
		largest = fmax(largest, svm->c[i] > 0 ? fabs(svm->data->y[i]) : 0);
	return largest;
}

static void
start_inside(MlSvm *svm)
{
	double		largest = largest_target(svm);

	for (size_t i = 0; i < svm->data->n_train; i++)
		for (int k = 0; k < svm->n_terms && svm->c[i] > 0; k++)
		{
			MlSvmTerm  *m = &svm->term[i * svm->n_terms + k];
			double		s,
						t;
			double		inside = svm->regression ? fmax(0.1 * largest, 1e-3 * (largest + svm->epsilon) + DBL_MIN) : 1;

			term_of(svm, i, k, &s, &t);
			m->alpha = svm->c[i] / 2;
			m->lambda = fmax(-t, 0) + inside;
			m->upsilon = fmax(t, 0) + inside;
		}
}

static void
take_step(MlSvm *svm, double length)
{
	for (size_t i = 0; i < svm->data->n_train; i++)
		for (int k = 0; k < svm->n_terms && svm->c[i] > 0; k++)
		{
			MlSvmTerm  *m = &svm->term[i * svm->n_terms + k];

			m->alpha += length * m->d_alpha;
			m->lambda += length * m->d_lambda;
			m->upsilon += length * m->d_upsilon;
			/* Bounds are never touched, whatever rounding does. */
			m->alpha = fmin(fmax(m->alpha, svm->c[i] * 1e-15), svm->c[i] * (1 - 1e-15));
			m->lambda = fmax(m->lambda, DBL_MIN);
			m->upsilon = fmax(m->upsilon, DBL_MIN);
		}
	for (size_t j = 0; j < svm->q; j++)
		svm->u[j] += length * svm->step[j];
}

static MlStatus
interior_point(MlEnv *env, MlSvm *svm)
{
	double		infeasible = 1; /* what is left of P u - Z' s alpha */

	if (svm->regression && largest_target(svm) <= svm->epsilon)
	{
		/* 0 costs nothing, and slacks would have no size to begin with. */
		svm->objective = 0;
		svm->converged = true;
		return ML_OK;
	}
	start_inside(svm);
	for (;;)
	{
		Visit		visit = {.pass = PASS_BUILD, .u = svm->u};
		Sums		sums;
		double		mu,
					gap,
					length;

		ML_TRY(pass_over(env, svm, &visit, &sums));
		svm->objective = sums.value;
		gap = sums.gap;
		mu = sums.count > 0 ? gap / sums.count : 0;
		/* The slacks fit from the start on, so that a small gap says that both problems agree once u and alpha do. */
		svm->converged = gap <= svm->tol * svm->tol * (fabs(svm->objective) + DBL_MIN) && infeasible < 1e-8;
		if (svm->converged || svm->iterations >= svm->max_iter || sums.count == 0)
			return ML_OK;
		svm->iterations++;
		report(env, svm);

		ML_TRY(factorize(env, svm));
		for (size_t j = 0; j < svm->q; j++)
			svm->step[j] = svm->gradient[j] - svm->penalty[j] * svm->u[j];
		ML_TRY(solve(env, svm));
		visit = (Visit) {.pass = PASS_PREDICT, .u = svm->u, .du = svm->step};
		ML_TRY(pass_over(env, svm, &visit, &sums));
		length = fmin(1, sums.step);
		{
			double		after = fmax(0, gap + length * sums.slope + length * length * sums.curve);
			double		sigma = pow(after / gap, 3);

			visit = (Visit) {.pass = PASS_CORRECT, .u = svm->u, .target = fmin(sigma, 1) * mu};
		}
		ML_TRY(pass_over(env, svm, &visit, &sums));
		for (size_t j = 0; j < svm->q; j++)
			svm->step[j] = svm->gradient[j] - svm->penalty[j] * svm->u[j];
		ML_TRY(solve(env, svm));
		visit.pass = PASS_STEP;
		visit.du = svm->step;
		ML_TRY(pass_over(env, svm, &visit, &sums));
		length = fmin(1, KEEP_INSIDE * sums.step);
		if (!(length > 1e-12))
			return ML_OK;		/* rounding is all that is left; whether that is enough has been said above */
		take_step(svm, length);
		infeasible *= 1 - length;
	}
}

MlStatus
ml_svm_fit(MlEnv *env, MlSvm *svm)
{
	memset(svm->u, 0, svm->q * sizeof(double));
	svm->iterations = 0;
	svm->converged = false;
	ML_TRY(svm->squared ? newton(env, svm) : interior_point(env, svm));
	if (!isfinite(svm->objective))
		return ml_linear_out_of_range(env, "the features or the target hold");
	return ML_OK;
}

MlStatus
ml_svm_scores(MlEnv *env, MlSvm *svm, double *f)
{
	Visit		visit = {.pass = PASS_SCORES, .u = svm->u, .scores = f};
	Sums		sums;

	return pass_over(env, svm, &visit, &sums);
}
