/*-------------------------------------------------------------------------
 * least_squares_gram.c
 *	  Rows -> triangle through the Gram matrix, for many rows of well-conditioned columns.
 *
 * Adding up products takes less than half the time of orthogonal transformations, but loses twice the digits:
 * the triangle is as good as the square of the condition number allows.  The columns
 * are centred and of deviation 1 to 2 already, so what is left of it says how nearly collinear they
 * are.  Only where that costs no more than some four digits of sixteen is the result used.
 *
 * Blocks are dealt out to slots by their number, and the slots are added up in order: the
 * bits do not depend on the number of threads.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "ml/algo/least_squares.h"
#include "ml/base/arena.h"
#include "ml/base/dense.h"
#include "ml/base/pool.h"

#define BLOCK 512
#define SLOTS 16
#define WAVE 32					/* blocks of a slot between two looks for a cancel */
#define MOST_COLUMNS 256

/* Rows x columns^2 from which on the time matters. */
#define GRAM_WORK 5e7

/* The condition number, in Frobenius norms and relative to p, the least there is; and the share of the target that must be left over. */
#define WORST_CONDITION 10
#define LEAST_REST 1e-4

typedef struct Slot
{
	double	   *a;				/* BLOCK x q */
	double	   *sum;			/* q x q, upper */
	double	   *root;			/* BLOCK */
} Slot;

typedef struct Scan
{
	const MlLeastSquares *problem;
	const MlDense *dense;
	size_t		q;
	size_t		n_blocks;
	size_t		first;			/* block of slot 0 in this wave */
	Slot		slot[SLOTS];
} Scan;

bool
ml_least_squares_by_gram(size_t n, size_t q)
{
	return q <= MOST_COLUMNS && (double) n * (double) (q * q) >= GRAM_WORK;
}

size_t
ml_least_squares_gram_memory(size_t q)
{
	return q > MOST_COLUMNS ? 0 : SLOTS * ((BLOCK + q) * (q + 1) * sizeof(double) + 4096) + 4 * q * q * sizeof(double);
}

static void
scan_task(void *arg, size_t task, int thread)
{
	Scan	   *s = arg;
	Slot	   *slot = &s->slot[task];
	size_t		n = s->problem->data->n_train;

	(void) thread;
	for (size_t k = 0; k < WAVE; k++)
	{
		size_t		block = s->first + k * SLOTS + task;
		size_t		rows = block < s->n_blocks ? n - block * BLOCK : 0;

		if (rows == 0)
			break;
		if (rows > BLOCK)
			rows = BLOCK;
		ml_least_squares_fill(s->problem, block * BLOCK, rows, slot->root, slot->a, rows);
		s->dense->syrk(rows, s->q, slot->a, slot->sum);
	}
}

static MlStatus
add_up(MlEnv *env, Scan *s)
{
	for (size_t i = 0; i < SLOTS; i++)
	{
		s->slot[i].a = ml_alloc(env, BLOCK * s->q, sizeof(double));
		s->slot[i].sum = ml_alloc0(env, s->q * s->q, sizeof(double));
		s->slot[i].root = ml_alloc(env, BLOCK, sizeof(double));
		if (s->slot[i].a == NULL || s->slot[i].sum == NULL || s->slot[i].root == NULL)
			return env->error.status;
	}
	for (s->first = 0; s->first < s->n_blocks; s->first += SLOTS * WAVE)
	{
		MlProgress	progress = {.phase = "fit", .share = (double) s->first / s->n_blocks, .train_loss = NAN, .validation_loss = NAN};

		ML_TRY(ml_pool_run(env, SLOTS, scan_task, s));
		ml_progress(env, &progress);
	}
	for (size_t i = 1; i < SLOTS; i++)
		for (size_t j = 0; j < s->q * s->q; j++)
			s->slot[0].sum[j] += s->slot[i].sum[j];
	return ML_OK;
}

/* Upper triangle r with r'r = g, columns of q; false when a column is, nearly, a combination of those before. */
static bool
cholesky(const double *g, size_t q, double *r)
{
	memset(r, 0, q * q * sizeof(double));
	for (size_t j = 0; j < q; j++)
	{
		double		rest = g[j * q + j];

		for (size_t i = 0; i < j; i++)
		{
			double		sum = g[j * q + i];

			for (size_t k = 0; k < i; k++)
				sum -= r[i * q + k] * r[j * q + k];
			r[j * q + i] = sum / r[i * q + i];
			rest -= r[j * q + i] * r[j * q + i];
		}
		if (!(rest > LEAST_REST * g[j * q + j]) || !isfinite(rest))
			return false;
		r[j * q + j] = sqrt(rest);
	}
	return true;
}

/* Of the columns before the target, each brought to length 1. */
static bool
well_conditioned(const MlDense *dense, const double *r, size_t q, double *unit)
{
	size_t		p = q - 1;
	double		norm = 0;

	for (size_t j = 0; j < p; j++)
	{
		double		length = 0;

		for (size_t i = 0; i <= j; i++)
			length += r[j * q + i] * r[j * q + i];
		length = sqrt(length);
		for (size_t i = 0; i < p; i++)
			unit[j * p + i] = i <= j ? r[j * q + i] / length : 0;
	}
	if (dense->triangular_inverse(p, unit) != 0)
		return false;
	for (size_t i = 0; i < p * p; i++)
		norm += unit[i] * unit[i];
	return sqrt((double) p * norm) <= WORST_CONDITION * (double) p;
}

MlStatus
ml_least_squares_gram(MlEnv *env, const MlLeastSquares *problem, double *r, bool *good)
{
	Scan		s = {.problem = problem, .dense = env->dense};
	double	   *unit;

	*good = false;
	s.q = (size_t) problem->intercept + (size_t) problem->scale->n + 1;
	s.n_blocks = (problem->data->n_train + BLOCK - 1) / BLOCK;
	unit = ml_alloc(env, s.q * s.q, sizeof(double));
	if (unit == NULL)
		return env->error.status;
	ML_TRY(add_up(env, &s));
	*good = s.q > 1 && cholesky(s.slot[0].sum, s.q, r) && well_conditioned(s.dense, r, s.q, unit);
	for (size_t i = 0; i < SLOTS; i++)
		ml_release(env, s.slot[i].a);
	return ML_OK;
}
