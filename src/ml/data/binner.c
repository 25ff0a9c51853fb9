/*-------------------------------------------------------------------------
 * binner.c
 *	  Numbers to bins: where the limits lie, and which bin a value falls into.
 *
 * Limits follow LightGBM's GreedyFindBin (Ke et al. 2017; src/io/bin.cpp): up to
 * max_bin bins of about equal count, a frequent value gets its own.  Limits are
 * doubles between two distinct doubles and nothing is ever rounded to float,
 * so neighbouring bigint keys or timestamps stay apart.
 *
 * The bin of a value is the number of limits below it.  A search through all of
 * them takes eight steps for 255 bins, each waiting for the one before.  So the range
 * is cut into stretches, with a table that says how many limits lie below each: what
 * is left to search are the limits of the value's own stretch, mostly one.  Any map
 * from values to stretches will do if it is monotone: limits of earlier stretches are
 * below the value then, and those of later ones are not.  Stretches of one length suit
 * values that spread evenly; the leading bits of a double, exponent first, suit
 * those that spread over many orders of magnitude.  The one that leaves fewer limits
 * in a stretch is taken.
 *-------------------------------------------------------------------------
 */
#include "ml/data/binner.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "ml/base/arena.h"

#define RADIX_BITS 11
#define RADIX_SIZE (1 << RADIX_BITS)
#define DIGITS 3
#define MOST_INSERTED 24		/* keys that are sorted by insertion */

/* So few limits are searched without a table. */
#define FEW_LIMITS 3

static inline double
key_value(uint64_t key)
{
	double		x;

	key = (key >> 63) ? key & ~(UINT64_C(1) << 63) : ~key;
	memcpy(&x, &key, sizeof(x));
	return x;
}

/* One pass of a radix sort: by the digit at "shift" of the key less "base"; place: where each digit begins. */
static void
sort_pass(const uint64_t *from, uint64_t *to, size_t n, uint64_t base, int shift, uint32_t *place)
{
	uint32_t	sum = 0;

	for (int d = 0; d < RADIX_SIZE; d++)
	{
		uint32_t	count = place[d];

		place[d] = sum;
		sum += count;
	}
	for (size_t i = 0; i < n; i++)
		to[place[((from[i] - base) >> shift) & (RADIX_SIZE - 1)]++] = from[i];
}

/* Sorts by the three digits from "shift" on; what is above them is the same in all keys. */
static void
sort_digits(uint64_t *key, uint64_t *other, size_t n, uint64_t base, int shift)
{
	uint32_t	place[DIGITS][RADIX_SIZE] = {{0}};

	for (size_t i = 0; i < n; i++)
	{
		uint64_t	k = (key[i] - base) >> shift;

		for (int d = 0; d < DIGITS; d++)
			place[d][(k >> (d * RADIX_BITS)) & (RADIX_SIZE - 1)]++;
	}
	sort_pass(key, other, n, base, shift, place[0]);
	sort_pass(other, key, n, base, shift + RADIX_BITS, place[1]);
	sort_pass(key, other, n, base, shift + 2 * RADIX_BITS, place[2]);
	memcpy(key, other, n * sizeof(uint64_t));
}

static void
insertion_sort(uint64_t *key, size_t n)
{
	for (size_t i = 1; i < n; i++)
	{
		uint64_t	k = key[i];
		size_t		j = i;

		for (; j > 0 && key[j - 1] > k; j--)
			key[j] = key[j - 1];
		key[j] = k;
	}
}

/*
 * By the leading bits of what the keys differ in first: that is all for most data.  Keys that
 * are the same so far are few, or equal, or so close together that they are sorted by the bits that follow.
 */
static void
sort_keys(uint64_t *key, uint64_t *other, size_t n)
{
	uint64_t	low = UINT64_MAX;
	uint64_t	high = 0;
	int			shift = 0;

	for (size_t i = 0; i < n; i++)
	{
		low = key[i] < low ? key[i] : low;
		high = key[i] > high ? key[i] : high;
	}
	if (n < 2 || low == high)
		return;
	while (((high - low) >> shift) >> (DIGITS * RADIX_BITS) != 0)
		shift++;
	sort_digits(key, other, n, low, shift);
	for (size_t start = 0, end; start < n && shift > 0; start = end)
	{
		uint64_t	lead = (key[start] - low) >> shift;
		bool		sorted = true;

		for (end = start + 1; end < n && (key[end] - low) >> shift == lead; end++)
			sorted &= key[end - 1] <= key[end];
		if (sorted)
			continue;
		/* The next ones have at most 31 bits left: three digits. */
		if (end - start > MOST_INSERTED)
			sort_digits(key + start, other + start, end - start, (lead << shift) + low, 0);
		else
			insertion_sort(key + start, end - start);
	}
}

/*
 * A limit t with a <= t < b, in the middle where that is possible; the float32
 * number nearest to it where that is between them, too, for such limits are compared
 * faster (masks.c).
 */
static double
between(double a, double b)
{
	double		t = a + (b - a) / 2;
	double		single;

	if (!(t - t == 0))			/* b - a was too large for a double */
		t = a / 2 + b / 2;
	single = (float) t;
	if (single >= a && single < b)
		return single;
	return t >= a && t < b ? t : a;
}

/* Few distinct values: a limit between any two, unless a bin would hold too few rows. */
static uint32_t
limits_of_few(const MlBinSample *room, double *limit, size_t distinct, int64_t min_data_in_bin)
{
	uint32_t	n = 0;
	size_t		in_bin = 0;

	for (size_t i = 0; i + 1 < distinct; i++)
	{
		in_bin += room->count[i];
		if ((int64_t) in_bin >= min_data_in_bin)
		{
			limit[n++] = between(key_value(room->key[i]), key_value(room->key[i + 1]));
			in_bin = 0;
		}
	}
	return n;
}

/* Many: about equal counts, frequent values apart. */
static uint32_t
limits_of_many(const MlBinSample *room, double *limit, size_t distinct, size_t total, int32_t max_bin, int32_t min_data_in_bin)
{
	uint32_t	n = 0;
	int64_t		rest_bins;
	size_t		rest_rows = total;
	size_t		in_bin = 0;
	double		mean;

	if (min_data_in_bin > 0 && (size_t) max_bin > total / (size_t) min_data_in_bin)
		max_bin = (int32_t) (total / (size_t) min_data_in_bin);
	if (max_bin < 1)
		max_bin = 1;
	mean = (double) total / max_bin;
	rest_bins = max_bin;
	for (size_t i = 0; i < distinct; i++)
	{
		room->big[i] = (double) room->count[i] >= mean;
		if (room->big[i])
		{
			rest_bins--;
			rest_rows -= room->count[i];
		}
	}
	mean = rest_bins > 0 ? (double) rest_rows / (double) rest_bins : 0x1p62;
	for (size_t i = 0; i + 1 < distinct && (int32_t) n < max_bin - 1; i++)
	{
		double		half = mean * 0.5 > 1 ? mean * 0.5 : 1;

		if (!room->big[i])
			rest_rows -= room->count[i];
		in_bin += room->count[i];
		if (!room->big[i] && (double) in_bin < mean && !(room->big[i + 1] && (double) in_bin >= half))
			continue;
		limit[n++] = between(key_value(room->key[i]), key_value(room->key[i + 1]));
		in_bin = 0;
		if (!room->big[i])
		{
			rest_bins--;
			mean = rest_bins > 0 ? (double) rest_rows / (double) rest_bins : 0x1p62;
		}
	}
	return n;
}

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
	bin_by_way(binner, x, n, bin, NULL);
}

void
ml_bin_wide(const MlBinner *binner, const double *x, size_t n, uint16_t *bin)
{
	bin_by_way(binner, x, n, NULL, bin);
}

/* ------------------------------------------------------------------------
 * Limits
 * ------------------------------------------------------------------------
 */

MlStatus
ml_bin_sample_make(MlEnv *env, size_t values, MlBinSample *sample)
{
	sample->n = sample->rows = 0;
	sample->key = ml_alloc(env, values, sizeof(uint64_t));
	sample->other = ml_alloc(env, values, sizeof(uint64_t));
	sample->big = ml_alloc(env, values, sizeof(bool));
	sample->count = (size_t *) sample->other;
	if (sample->key == NULL || sample->other == NULL || sample->big == NULL)
		return env->error.status;
	return ML_OK;
}

void
ml_bin_sample_release(MlEnv *env, MlBinSample *sample)
{
	ml_release(env, sample->key);
	ml_release(env, sample->other);
	ml_release(env, sample->big);
}

MlStatus
ml_binner_make(MlEnv *env, const MlBinRules *rules, MlBinner *binner)
{
	/* Behind the limits there is room for the steps of a search. */
	binner->upper = ml_alloc(env, 3 * (size_t) rules->max_bin + 4, sizeof(double));
	binner->start = ml_alloc(env, ML_BIN_STRETCHES, sizeof(uint16_t));
	if (binner->upper == NULL || binner->start == NULL)
		return env->error.status;
	return ML_OK;
}

/* Counts distinct values, which move to the front; returns how many. */
static size_t
count_distinct(MlBinSample *sample)
{
	size_t		distinct = 0;

	for (size_t i = 0; i < sample->n; i++)
	{
		if (i > 0 && sample->key[i] == sample->key[distinct - 1])
			sample->count[distinct - 1]++;
		else
		{
			sample->key[distinct] = sample->key[i];
			sample->count[distinct++] = 1;
		}
	}
	return distinct;
}

void
ml_binner_find(MlBinner *binner, const MlBinRules *rules, MlBinSample *sample)
{
	int32_t		max_bin = rules->max_bin;
	size_t		distinct;

	if (sample->n < sample->rows && max_bin > 2)
		max_bin--;				/* missing values take a bin of the budget */
	sort_keys(sample->key, sample->other, sample->n);
	distinct = count_distinct(sample);
	if (distinct <= (size_t) max_bin)
		binner->n_bins = limits_of_few(sample, binner->upper, distinct, rules->min_data_in_bin) + 1;
	else
		binner->n_bins = limits_of_many(sample, binner->upper, distinct, sample->n, max_bin, rules->min_data_in_bin) + 1;
	binner->missing = binner->n_bins;
	sample->n = sample->rows = 0;
	choose_way(binner);
}
