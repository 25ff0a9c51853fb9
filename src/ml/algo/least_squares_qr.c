/*-------------------------------------------------------------------------
 * least_squares_qr.c
 *	  Rows -> triangle, in blocks.
 *
 * Block b is folded into the triangle of slot b mod slots, the slots are folded into
 * the first one at the end.  Their number follows from the shape of the data and never
 * from the number of threads, so the bits do not either.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "ml/algo/least_squares.h"
#include "ml/algo/linear_terms.h"
#include "ml/base/arena.h"
#include "ml/base/dense.h"
#include "ml/base/pool.h"

typedef struct Shape
{
	size_t		block;			/* rows */
	size_t		n_blocks;
	size_t		slots;
} Shape;

typedef struct Slot
{
	double	   *a;				/* (q + block) x q: the triangle so far, then new rows */
	double	   *tau;			/* q */
	double	   *root;			/* block */
	int			info;
} Slot;

typedef struct Reduction
{
	const MlLeastSquares *problem;
	const MlDense *dense;
	Shape		shape;
	size_t		q;
	Slot	   *slot;
	size_t		first;			/* block of slot 0 in this wave */
} Reduction;

static Shape
shape_of(size_t n, size_t q)
{
	Shape		s;

	s.block = q > 1024 ? q : 4 * q > 512 ? 4 * q : 512;
	if (s.block > n)
		s.block = n;
	s.n_blocks = (n + s.block - 1) / s.block;
	s.slots = q <= 128 ? 16 : q <= 512 ? 8 : q <= 1024 ? 4 : 2;
	if (s.slots > s.n_blocks)
		s.slots = s.n_blocks;
	return s;
}

size_t
ml_least_squares_reduce_memory(size_t n, size_t q)
{
	Shape		s = shape_of(n > 0 ? n : 1, q);

	return s.slots * (((q + s.block) * (q + 2) + q) * sizeof(double) + 4096);
}

void
ml_least_squares_fill(const MlLeastSquares *ls, size_t first, size_t rows, double *root, double *a, size_t ld)
{
	const MlDesignScale *scale = ls->scale;
	size_t		q = (size_t) ls->intercept + (size_t) scale->n + 1;
	double	   *column = a;

	for (size_t i = 0; i < rows; i++)
		root[i] = sqrt(ml_design_weight(ls->design, ls->data, first + i));
	for (size_t j = 0; j < q; j++, column += ld)
	{
		size_t		k = j - ls->intercept;

		if (ls->intercept && j == 0)
		{
			memcpy(column, root, rows * sizeof(double));
			continue;
		}
		if (k < (size_t) scale->n)
			ml_design_read(ls->design, ls->data, scale->column[k], first, rows, scale->center[k], scale->factor[k], column);
		else
			for (size_t i = 0; i < rows; i++)
				column[i] = ls->data->y[first + i] * ls->y_factor - ls->y_center * ls->y_factor;
		if (ls->data->weight != NULL)
			for (size_t i = 0; i < rows; i++)
				column[i] *= root[i];
	}
}

/* Rows of one block, below the triangle; rows that a last block does not have are 0. */
static void
fill_block(const Reduction *red, Slot *slot, size_t block)
{
	size_t		ld = red->q + red->shape.block;
	size_t		first = block * red->shape.block;
	size_t		rows = red->problem->data->n_train - first;

	if (rows > red->shape.block)
		rows = red->shape.block;
	ml_least_squares_fill(red->problem, first, rows, slot->root, slot->a + red->q, ld);
	for (size_t j = 0; j < red->q && rows < red->shape.block; j++)
		memset(slot->a + red->q + j * ld + rows, 0, (red->shape.block - rows) * sizeof(double));
}

/* QR of triangle and rows; the triangle stays, its lower part cleared of the reflectors. */
static void
fold(const Reduction *red, Slot *slot)
{
	size_t		ld = red->q + red->shape.block;

	slot->info = red->dense->qr(ld, red->q, slot->a, slot->tau);
	for (size_t j = 0; j < red->q; j++)
		memset(slot->a + j * ld + j + 1, 0, (red->q - j - 1) * sizeof(double));
}

static void
reduce_task(void *arg, size_t task, int thread)
{
	Reduction  *red = arg;
	Slot	   *slot = &red->slot[task];

	(void) thread;
	if (red->first + task >= red->shape.n_blocks || slot->info != 0)
		return;
	fill_block(red, slot, red->first + task);
	fold(red, slot);
}

/* Folds the triangle of another slot into the first one's. */
static void
join(const Reduction *red, Slot *into, const Slot *from)
{
	size_t		ld = red->q + red->shape.block;

	for (size_t start = 0; start < red->q && into->info == 0; start += red->shape.block)
	{
		size_t		rows = red->q - start < red->shape.block ? red->q - start : red->shape.block;

		for (size_t j = 0; j < red->q; j++)
		{
			memcpy(into->a + j * ld + red->q, from->a + j * ld + start, rows * sizeof(double));
			memset(into->a + j * ld + red->q + rows, 0, (red->shape.block - rows) * sizeof(double));
		}
		fold(red, into);
	}
}

static MlStatus
check_info(MlEnv *env, const Reduction *red)
{
	for (size_t s = 0; s < red->shape.slots; s++)
	{
		/* LAPACKE: -1010 and -1011 when it cannot have its work space. */
		if (red->slot[s].info <= -1000)
			return ml_fail(env, ML_NO_MEMORY, "out of memory in LAPACK");
		if (red->slot[s].info != 0)
			return ml_linear_out_of_range(env, "the features or the target hold");
	}
	return ML_OK;
}

MlStatus
ml_least_squares_reduce(MlEnv *env, const MlLeastSquares *problem, double *r)
{
	size_t		q = (size_t) problem->intercept + problem->scale->n + 1;
	Reduction	red = {.problem = problem, .dense = env->dense, .q = q, .shape = shape_of(problem->data->n_train, q)};
	size_t		ld = q + red.shape.block;

	red.slot = ml_alloc0(env, red.shape.slots, sizeof(Slot));
	if (red.slot == NULL)
		return env->error.status;
	for (size_t s = 0; s < red.shape.slots; s++)
	{
		red.slot[s].a = ml_alloc0(env, q * ld, sizeof(double));
		red.slot[s].tau = ml_alloc0(env, q, sizeof(double));
		red.slot[s].root = ml_alloc0(env, red.shape.block, sizeof(double));
		if (red.slot[s].a == NULL || red.slot[s].tau == NULL || red.slot[s].root == NULL)
			return env->error.status;
	}

	for (red.first = 0; red.first < red.shape.n_blocks; red.first += red.shape.slots)
	{
		MlProgress	progress = {.phase = "fit", .share = (double) red.first / red.shape.n_blocks, .train_loss = NAN, .validation_loss = NAN};

		ML_TRY(ml_pool_run(env, red.shape.slots, reduce_task, &red));
		ML_TRY(check_info(env, &red));
		ml_progress(env, &progress);
	}
	for (size_t s = 1; s < red.shape.slots; s++)
	{
		if (ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		join(&red, &red.slot[0], &red.slot[s]);
		ML_TRY(check_info(env, &red));
	}
	for (size_t j = 0; j < q; j++)
		memcpy(r + j * q, red.slot[0].a + j * ld, q * sizeof(double));
	for (size_t s = 0; s < red.shape.slots; s++)
		ml_release(env, red.slot[s].a);
	return ML_OK;
}
