/*-------------------------------------------------------------------------
 * quantise.c
 *	  The gradients of a tree as integers: at what scale, and their sums.
 *
 * The scale is known when all gradients are.  But it is a power of two, most often the same one as
 * for the tree before: then the pass that made the gradients has rounded them already.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/algo/gbdt/grow_internal.h"
#include "ml/base/pool.h"

/* Trees of fewer rows keep all bits of their gradients. */
size_t		ml_gbdt_packing_rows = 65536;

bool		ml_gbdt_rounding_ahead = true;

/* The largest gradient may be this many times the mean one. */
#define PACKING_RANGE 64

typedef struct QuantiseJob
{
	MlGbdtGrower *grower;
	const double *g;
} QuantiseJob;

/* The exponent e with x < 2^e; a small number for 0. */
static int
exponent_of(double x)
{
	int			e = -1000;

	if (x > 0)
		(void) frexp(x, &e);
	return e;
}

static int
between_exponents(int e)
{
	return e > 900 ? 900 : (e < -900 ? -900 : e);
}

/* The exponent e with x <= 2^e. */
static int
ceiling_exponent(double x)
{
	int			e = exponent_of(x);

	return x > 0 && ldexp(x, 1 - e) == 1 ? e - 1 : e;
}

/*
 * May rows have fewer bits?  Their rounding must not matter beside the noise of
 * the data: rows are many, and most are not far below the largest.
 */
static bool
may_pack(const MlGbdtGrower *grower)
{
	const MlGbdtLoss *loss = grower->loss;

	return grower->n_rows >= ml_gbdt_packing_rows && loss->weight == NULL && loss->h == NULL && loss->g_mean * PACKING_RANGE >= loss->g_max;
}

/*
 * Powers of two, so that scaling itself rounds nothing.  A row's g has at most
 * 30 bits, and sums over all rows stay inside 62, with the rows below h.
 */
static MlGbdtScale
choose_scale(const MlGbdtGrower *grower)
{
	const MlGbdtLoss *loss = grower->loss;
	MlGbdtScale scale = {0};
	int			count_bits = exponent_of((double) grower->bins->n + 1);
	int			g_max = 30 - exponent_of(loss->g_max);
	int			g_sum = 61 - exponent_of(loss->g_sum);
	int			h_max = 31 - exponent_of(loss->h_max);
	int			h_sum = 62 - count_bits - exponent_of(loss->h_sum);
	int			g;
	int			h;

	/* Twice the number of rows in one sum: so many fit. */
	scale.unit_h = ml_gbdt_identity(loss->objective) && loss->weight == NULL && loss->h == NULL && 2 * count_bits <= 62;
	scale.packed = scale.unit_h || may_pack(grower);
	if (scale.unit_h)
	{
		h_max = 0;
		h_sum = 0;
	}
	else if (scale.packed)
	{
		g_max = ML_GBDT_PACKED_G_BITS - ceiling_exponent(loss->g_max);
		h_max = ML_GBDT_PACKED_H_BITS - ceiling_exponent(loss->h_max);
	}
	g = between_exponents(g_max < g_sum ? g_max : g_sum);
	h = between_exponents(h_max < h_sum ? h_max : h_sum);
	scale.count_bits = count_bits;
	scale.to_g = ldexp(1, g);
	scale.g = ldexp(1, -g);
	scale.to_h = ldexp(1, h);
	scale.h = ldexp(1, -h);
	return scale;
}

static bool
is_same(const MlGbdtScale *a, const MlGbdtScale *b)
{
	return a->packed == b->packed && a->unit_h == b->unit_h && a->count_bits == b->count_bits && a->to_g == b->to_g && a->to_h == b->to_h;
}

static void
quantise_block(void *arg, size_t task, int thread)
{
	const QuantiseJob *job = arg;
	MlGbdtGrower *grower = job->grower;
	const MlGbdtLoss *loss = grower->loss;
	size_t		begin = task * ML_GBDT_BLOCK;
	size_t		end = begin + ML_GBDT_BLOCK < grower->n_rows ? begin + ML_GBDT_BLOCK : grower->n_rows;
	MlGbdtSum	sum = {0, 0};

	if (grower->n_rows == grower->bins->n)
	{
		/* Every row, in order. */
		ml_gbdt_quantise_rows(loss, &grower->scale, job->g, begin, end, &grower->gradients, &sum);
		begin = end;
	}
	for (size_t i = begin; i < end; i++)
	{
		size_t		r = grower->drawn[i];
		double		g = job->g[r];
		double		h = ml_gbdt_hessian(loss, r, g, ml_gbdt_weight(loss, r));

		ml_gbdt_store_row(&grower->scale, lrint(g * grower->scale.to_g), lrint(h * grower->scale.to_h), &grower->gradients, r);
		sum += ml_gbdt_sum_of_row(&grower->scale, &grower->gradients, r);
	}
	grower->block_sum[task] = sum;
}

MlStatus
ml_gbdt_quantise(MlEnv *env, MlGbdtGrower *grower, MlGbdtSum *total)
{
	MlGbdtLoss *loss = grower->loss;
	QuantiseJob job = {grower, loss->g + (size_t) grower->output * loss->n};
	size_t		blocks = (grower->n_rows + ML_GBDT_BLOCK - 1) / ML_GBDT_BLOCK;

	MlGbdtScale scale = choose_scale(grower);
	bool		rounded = loss->rounding != NULL && is_same(loss->rounding, &scale);

	grower->scale = scale;
	if (!rounded)
		ML_TRY(ml_pool_run(env, blocks, quantise_block, &job));
	*total = (MlGbdtSum) {0, 0};
	for (size_t b = 0; b < blocks; b++)
		*total += grower->block_sum[b];
	loss->rounding = loss->round_ahead ? &grower->scale : NULL;
	loss->rounded = grower->gradients;
	loss->rounded_sum = grower->block_sum;
	return ML_OK;
}
