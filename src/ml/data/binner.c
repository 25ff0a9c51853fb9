/*-------------------------------------------------------------------------
 * binner.c
 *	  Numbers to bins: which bin a value falls into.
 *
 * The bin of a value is the number of limits below it.  A search through all of
 * them takes eight steps for 255 bins, each waiting for the one before.  So the range
 * is cut into stretches, with a table that says how many limits lie below each: what
 * is left to search are the limits of the value's own stretch, mostly one.  Any map
 * from values to stretches will do if it is monotone: limits of earlier stretches are
 * below the value then, and those of later ones are not.  Stretches of one length suit
 * values that spread evenly; the leading bits of a double, exponent first, suit
 * those that spread over many orders of magnitude.  The one that leaves fewer limits
 * in a stretch is taken.  Where no stretch holds more than one, it is faster still (bin_steps.c).
 *-------------------------------------------------------------------------
 */
#include "ml/data/binner.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "ml/base/arena.h"

/* So few limits are searched without a table. */
#define FEW_LIMITS 3

/* ------------------------------------------------------------------------
 * The way to a value's bin
 * ------------------------------------------------------------------------
 */

static inline uint32_t
linear_stretch(double low, double scale, double x)
{
	double		t = (x - low) * scale;

	t = t > 0 ? t : 0;			/* NaN goes here, too */
	t = t < ML_BIN_STRETCHES - 1 ? t : ML_BIN_STRETCHES - 1;
	return (uint32_t) t;
}

static inline uint32_t
bits_stretch(uint64_t base, int shift, double x)
{
	uint64_t	key = ml_bin_key(x);
	uint64_t	t = (key > base ? key - base : 0) >> shift;

	return t < ML_BIN_STRETCHES - 1 ? (uint32_t) t : ML_BIN_STRETCHES - 1;
}

static inline uint32_t
stretch_of(const MlBinner *b, double x)
{
	return b->way == ML_BIN_LINEAR ? linear_stretch(b->low, b->scale, x) : bits_stretch(b->base, b->shift, x);
}

/* The most limits in a stretch. */
static uint32_t
crowd(const MlBinner *b)
{
	uint32_t	most = 0;
	uint32_t	here = 0;

	for (uint32_t i = 0; i < b->n_bins - 1; i++)
	{
		here = i > 0 && stretch_of(b, b->upper[i]) == stretch_of(b, b->upper[i - 1]) ? here + 1 : 1;
		most = here > most ? here : most;
	}
	return most;
}

/* The power of two p that makes 2p - 1 the first such number not below n. */
static uint32_t
first_step(uint32_t n)
{
	uint32_t	half = 1;

	while (2 * half - 1 < n)
		half *= 2;
	return half;
}

static void
choose_way(MlBinner *b)
{
	uint32_t	limits = b->n_bins - 1;
	uint32_t	linear = limits;
	uint32_t	bits = limits;
	uint32_t	next = 0;

	b->way = ML_BIN_SEARCH;
	if (limits > FEW_LIMITS)
	{
		uint64_t	range;

		b->way = ML_BIN_LINEAR;
		b->low = b->upper[0];
		b->scale = ML_BIN_STRETCHES / (b->upper[limits - 1] - b->low);
		if (b->scale > 0 && b->scale < DBL_MAX)
			linear = crowd(b);
		b->way = ML_BIN_BITS;
		b->base = ml_bin_key(b->upper[0]);
		range = ml_bin_key(b->upper[limits - 1]) - b->base;
		for (b->shift = 0; range >> b->shift >= ML_BIN_STRETCHES; b->shift++)
			;
		bits = crowd(b);
		if (first_step(linear) <= first_step(bits))
			b->way = ML_BIN_LINEAR;
		if (first_step(linear) == first_step(limits) && first_step(bits) == first_step(limits))
			b->way = ML_BIN_SEARCH;
	}
	b->half = first_step(b->way == ML_BIN_SEARCH ? limits : b->way == ML_BIN_LINEAR ? linear : bits);
	for (uint32_t i = 0; i < 2 * b->half; i++)
		b->upper[limits + i] = INFINITY;
	for (uint32_t s = 0; s < ML_BIN_STRETCHES && b->way != ML_BIN_SEARCH; s++)
	{
		while (next < limits && stretch_of(b, b->upper[next]) < s)
			next++;
		b->start[s] = (uint16_t) next;
	}
}

/* No step is a branch: a searching branch is mispredicted every other time. */
static inline __attribute__((always_inline)) uint32_t
bin_of(const MlBinner *b, const double *upper, const uint16_t *start, MlBinWay way, uint32_t half, double x)
{
	uint32_t	bin = way == ML_BIN_SEARCH ? 0 :
		start[way == ML_BIN_LINEAR ? linear_stretch(b->low, b->scale, x) : bits_stretch(b->base, b->shift, x)];

	for (uint32_t step = half; step > 0; step /= 2)
		bin += step & -(uint32_t) (upper[bin + step - 1] < x);
	return x == x ? bin : b->missing;
}

static inline __attribute__((always_inline)) void
bin_all(const MlBinner *binner, MlBinWay way, uint32_t half, const double *restrict x, size_t n, uint8_t *restrict narrow,
		uint16_t *restrict wide)
{
	MlBinner	b = *binner;

	for (size_t i = 0; i < n; i++)
	{
		uint32_t	bin = bin_of(&b, b.upper, b.start, way, half, x[i]);

		if (narrow != NULL)
			narrow[i] = (uint8_t) bin;
		else
			wide[i] = (uint16_t) bin;
	}
}

/* The number of steps is known to the compiler where it is small: that unrolls them. */
static inline __attribute__((always_inline)) void
bin_by_way(const MlBinner *b, const double *x, size_t n, uint8_t *narrow, uint16_t *wide)
{
	if (b->way == ML_BIN_LINEAR && b->half == 1)
		bin_all(b, ML_BIN_LINEAR, 1, x, n, narrow, wide);
	else if (b->way == ML_BIN_LINEAR && b->half == 2)
		bin_all(b, ML_BIN_LINEAR, 2, x, n, narrow, wide);
	else if (b->way == ML_BIN_LINEAR)
		bin_all(b, ML_BIN_LINEAR, b->half, x, n, narrow, wide);
	else if (b->way == ML_BIN_BITS && b->half == 2)
		bin_all(b, ML_BIN_BITS, 2, x, n, narrow, wide);
	else if (b->way == ML_BIN_BITS)
		bin_all(b, ML_BIN_BITS, b->half, x, n, narrow, wide);
	else
		bin_all(b, ML_BIN_SEARCH, b->half, x, n, narrow, wide);
}

void
ml_bin_narrow(const MlBinner *binner, const double *x, size_t n, uint8_t *bin)
{
	if (!binner->steps.usable || !ml_bin_by_steps(binner, x, n, bin))
		bin_by_way(binner, x, n, bin, NULL);
}

void
ml_bin_wide(const MlBinner *binner, const double *x, size_t n, uint16_t *bin)
{
	bin_by_way(binner, x, n, NULL, bin);
}

MlStatus
ml_binner_make(MlEnv *env, const MlBinRules *rules, MlBinner *binner)
{
	/* Behind the limits there is room for the steps of a search. */
	binner->upper = ml_alloc(env, 3 * (size_t) rules->max_bin + 4, sizeof(double));
	binner->start = ml_alloc(env, ML_BIN_STRETCHES, sizeof(uint16_t));
	binner->steps.entry = ml_alloc(env, ML_BIN_STRETCHES, sizeof(uint32_t));
	if (binner->upper == NULL || binner->start == NULL || binner->steps.entry == NULL)
		return env->error.status;
	return ML_OK;
}

void
ml_binner_settle(MlBinner *binner, uint32_t limits)
{
	binner->n_bins = limits + 1;
	binner->missing = binner->n_bins;
	choose_way(binner);
	ml_bin_steps_make(binner);
}
