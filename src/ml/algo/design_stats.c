/*-------------------------------------------------------------------------
 * design_stats.c
 *	  Mean, deviation and range of a column of numbers.
 *
 * Usual columns are summed up in one pass, block by block with all lanes of the processor; the order of the
 * sums is that of the lanes on every tier.  Where there are weights, or values near the ends of the range, several passes over
 * values scaled by a power of two to at most 1 do it, so that a column of 1e308 overflows nowhere.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/algo/design.h"
#include "ml/base/lanes.h"
#include "ml/base/simd.h"

/* Sums run over blocks of so many rows first: the rounding error grows with blocks + rows/blocks. */
#define SUM_BLOCK 4096

static int
exponent_of(double x)
{
	int			e;

	frexp(x, &e);
	return e;
}

/*
 * sum of w * (x * scale - shift)^power over the observed rows, power 1 or 2; *weight gets
 * the sum of their weights.
 */
static double
moment(const MlDesign *design, const MlDataset *data, const double *x, int exponent, double shift, int power, double *weight)
{
	double		total = 0;
	double		total_weight = 0;
	/* 2^-exponent may be beyond a double; two factors are not, and multiplying by them is exact. */
	double		half = ldexp(1, -exponent / 2);
	double		rest = ldexp(1, -exponent - (-exponent / 2));

	for (size_t start = 0; start < data->n_train; start += SUM_BLOCK)
	{
		size_t		end = start + SUM_BLOCK < data->n_train ? start + SUM_BLOCK : data->n_train;
		double		sum = 0;
		double		sum_weight = 0;

		for (size_t i = start; i < end; i++)
		{
			double		w = ml_design_weight(design, data, i);
			double		d;

			if (isnan(x[i]) || w == 0)
				continue;
			d = x[i] * half * rest - shift;
			sum += w * (power == 1 ? d : d * d);
			sum_weight += w;
		}
		total += sum;
		total_weight += sum_weight;
	}
	*weight = total_weight;
	return total;
}

/* Range, mean and squares about it of one block, without weights, or of several joined. */
typedef struct Summary
{
	double		low;
	double		high;
	double		count;
	double		mean;
	double		squares;
} Summary;

/* n is a multiple of ML_LANES; the values stay in the first-level cache for the second pass. */
__attribute__((always_inline))
static inline void
summarize_body(const double *x, size_t n, Summary *out)
{
	MlLanes		low,
				high,
				sum = {0},
				squares = {0},
				zero = {0};
	MlLanesInt	count = {0};

	low = zero + INFINITY;
	high = zero - INFINITY;
	for (size_t i = 0; i < n; i += ML_LANES)
	{
		MlLanes		v,
					value;
		MlLanesInt	there,
					smaller,
					larger;

		ml_lanes_load(&v, x + i);
		there = v == v;
		smaller = v < low;
		larger = v > high;
		value = v;
		ml_lanes_choose(&value, &there, &zero);
		sum += value;
		count -= there;
		value = v;
		ml_lanes_choose(&value, &smaller, &low);
		low = value;
		ml_lanes_choose(&v, &larger, &high);
		high = v;
	}
	out->low = INFINITY;
	out->high = -INFINITY;
	out->count = 0;
	for (int l = 0; l < ML_LANES; l++)
	{
		out->low = low[l] < out->low ? low[l] : out->low;
		out->high = high[l] > out->high ? high[l] : out->high;
		out->count += (double) count[l];
	}
	out->mean = out->count > 0 ? ml_lanes_sum(&sum) / out->count : 0;
	sum = zero;
	for (size_t i = 0; i < n; i += ML_LANES)
	{
		MlLanes		v;
		MlLanesInt	there;

		ml_lanes_load(&v, x + i);
		there = v == v;
		v -= out->mean;
		ml_lanes_choose(&v, &there, &zero);
		sum += v;
		squares += v * v;
	}
	/* What the first pass has lost to rounding. */
	if (out->count > 0)
	{
		double		rest = ml_lanes_sum(&sum);

		out->mean += rest / out->count;
		out->squares = ml_lanes_sum(&squares) - rest * (rest / out->count);
	}
}

ML_SIMD_TIERS(summarize, (const double *x, size_t n, Summary *out), (x, n, out))

/* Two sets of rows together (Chan, Golub, LeVeque 1983). */
static void
join(Summary *into, const Summary *other)
{
	double		count = into->count + other->count;
	double		d = other->mean - into->mean;

	if (other->count == 0)
		return;
	into->low = other->low < into->low ? other->low : into->low;
	into->high = other->high > into->high ? other->high : into->high;
	into->squares += other->squares + d * d * (into->count / count) * other->count;
	into->mean += d * (other->count / count);
	into->count = count;
}

/*
 * One pass for the usual case: no weights, and values whose squares and sums are in range.  False where they
 * are not: the careful way is needed.
 */
static bool
fast_stats(const MlDesign *design, const MlDataset *data, const double *x, MlDesignStats *out)
{
	Summary		all = {.low = INFINITY, .high = -INFINITY};
	double		largest;

	if (data->weight != NULL)
		return false;
	for (size_t start = 0; start < data->n_train; start += SUM_BLOCK)
	{
		size_t		n = data->n_train - start < SUM_BLOCK ? data->n_train - start : SUM_BLOCK;
		size_t		whole = n - n % ML_LANES;
		double		tail[ML_LANES];
		Summary		block = {0};

		ML_SIMD_CALL(summarize, (x + start, whole, &block));
		join(&all, &block);
		if (whole == n)
			continue;
		for (size_t i = 0; i < ML_LANES; i++)
			tail[i] = whole + i < n ? x[start + whole + i] : NAN;
		ML_SIMD_CALL(summarize, (tail, ML_LANES, &block));
		join(&all, &block);
	}
	memset(out, 0, sizeof(*out));
	if (all.count == 0)
		return true;
	largest = fmax(fabs(all.low), fabs(all.high));
	if (!(largest < 0x1p300) || (all.low != all.high && !(all.high - all.low > 0x1p-300)))
		return false;
	out->largest = largest;
	out->mean = all.low == all.high ? all.low : all.mean;
	out->deviation = all.low == all.high ? 0 : sqrt(all.squares / design->total_weight);
	return true;
}

void
ml_design_stats(const MlDesign *design, const MlDataset *data, const double *x, MlDesignStats *out)
{
	double		low = INFINITY,
				high = -INFINITY;
	double		mean,
				squares,
				weight;
	int			e;

	if (fast_stats(design, data, x, out))
		return;
	for (size_t i = 0; i < data->n_train; i++)
	{
		if (isnan(x[i]) || (data->weight != NULL && data->weight[i] == 0))
			continue;
		low = x[i] < low ? x[i] : low;
		high = x[i] > high ? x[i] : high;
	}
	memset(out, 0, sizeof(*out));
	if (!(low <= high))
		return;					/* nothing observed: counts as 0 everywhere */

	out->largest = fmax(fabs(low), fabs(high));
	if (low == high)
	{
		out->mean = low;
		return;
	}

	e = exponent_of(out->largest);
	mean = moment(design, data, x, e, 0, 1, &weight);
	if (!(weight > 0))
		return;
	mean /= weight;
	mean += moment(design, data, x, e, mean, 1, &weight) / weight;	/* what the first pass lost to rounding */
	squares = moment(design, data, x, e, mean, 2, &weight);

	out->mean = ldexp(mean, e);
	/* Rows without a value stand at the mean: they add nothing to the squares but count. */
	out->deviation = ldexp(sqrt(squares / design->total_weight), e);
}

/* Sum of w * (x * scale - shift)^power over the entries of a sparse column in the training part; weight: of them. */
static double
sparse_moment(const MlDesign *design, const MlDataset *data, const MlSparse *s, size_t n, double scale, double shift, int power, double *weight)
{
	double		total = 0;

	*weight = 0;
	for (size_t at = 0; at < n; at++)
	{
		double		w = ml_design_weight(design, data, s->row[at]);
		double		d = (s->value != NULL ? s->value[at] : 1) * scale - shift;

		total += w * (power == 1 ? d : d * d);
		*weight += w;
	}
	return total;
}

void
ml_design_sparse_stats(const MlDesign *design, const MlDataset *data, const MlSparse *s, MlDesignStats *out)
{
	size_t		n = ml_sparse_find(s, data->n_train);
	size_t		counted = 0;	/* entries in rows that have a weight */
	double		low = INFINITY,
				high = -INFINITY;
	double		scale,
				mean,
				squares,
				weight;
	int			e;

	for (size_t at = 0; at < n; at++)
	{
		double		x = s->value != NULL ? s->value[at] : 1;

		if (data->weight != NULL && data->weight[s->row[at]] == 0)
			continue;
		counted++;
		low = x < low ? x : low;
		high = x > high ? x : high;
	}
	if (counted < design->n_rows)
	{
		low = low < 0 ? low : 0;
		high = high > 0 ? high : 0;
	}
	memset(out, 0, sizeof(*out));
	out->largest = fmax(fabs(low), fabs(high));
	if (low == high)
	{
		out->mean = low;
		return;
	}
	e = exponent_of(out->largest);
	e = e < -1000 ? -1000 : e > 1000 ? 1000 : e;
	scale = ldexp(1, -e);
	mean = sparse_moment(design, data, s, n, scale, 0, 1, &weight) / design->total_weight;
	squares = sparse_moment(design, data, s, n, scale, mean, 2, &weight);
	/* The other rows are 0. */
	if (design->total_weight > weight)
		squares += (design->total_weight - weight) * mean * mean;
	out->mean = ldexp(mean, e);
	out->deviation = ldexp(sqrt(squares / design->total_weight), e);
}
