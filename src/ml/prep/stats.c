/*-------------------------------------------------------------------------
 * stats.c
 *	  Figures of the training rows that steps are fitted to.
 *
 * One thread, in row order: the same bits for any number of threads.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>

#include "ml/base/arena.h"
#include "ml/base/sort.h"
#include "ml/prep/prep_internal.h"

#define SUM_BLOCK 4096			/* sums run over blocks first, for the sake of rounding */

static MlStatus
no_value(MlEnv *env, const MlPrepPart *part)
{
	ml_fail(env, ML_BAD_DATA, "column \"%s\" has no value in the training part that its transform could be fitted to", part->feature.name);
	return ml_hint(env, "Fill what is missing with impute_constant, or leave the column out.");
}

MlStatus
ml_prep_sort(MlEnv *env, const MlPrepPart *part, size_t n_train, MlPrepSorted *sorted)
{
	const double *x = part->data.number;
	MlKeyed    *items = ml_alloc(env, n_train, sizeof(MlKeyed));

	if (items == NULL)
		return env->error.status;
	sorted->n = 0;
	for (size_t i = 0; i < n_train; i++)
	{
		if (x[i] != x[i])
			continue;
		items[sorted->n].key = ml_sort_key_double(x[i]);
		items[sorted->n++].row = i;
	}
	if (sorted->n == 0)
		return no_value(env, part);
	ML_TRY(ml_sort_keyed(env, items, sorted->n));
	sorted->value = ml_alloc(env, sorted->n, sizeof(double));
	if (sorted->value == NULL)
		return env->error.status;
	for (size_t i = 0; i < sorted->n; i++)
		sorted->value[i] = x[items[i].row] + 0.0;
	ml_release(env, items);
	return ML_OK;
}

double
ml_prep_quantile(const MlPrepSorted *sorted, double share)
{
	double		at = share * (double) (sorted->n - 1);
	size_t		low = (size_t) at;
	double		t = at - (double) low;

	if (low + 1 >= sorted->n)
		return sorted->value[sorted->n - 1];
	if (t == 0 || sorted->value[low] == sorted->value[low + 1])
		return sorted->value[low];
	/* Not a + (b - a) t, whose difference may overflow. */
	return sorted->value[low] * (1 - t) + sorted->value[low + 1] * t;
}

double
ml_prep_most_frequent(const MlPrepSorted *sorted)
{
	double		best = sorted->value[0];
	size_t		most = 0;

	for (size_t i = 0; i < sorted->n;)
	{
		size_t		end = i + 1;

		while (end < sorted->n && sorted->value[end] == sorted->value[i])
			end++;
		if (end - i > most)
		{
			most = end - i;
			best = sorted->value[i];
		}
		i = end;
	}
	return best;
}

/* Sum of (x * scale - shift)^power of what is there. */
static double
power_sum(const double *x, size_t n, double scale, double shift, int power)
{
	double		total = 0;

	for (size_t start = 0; start < n; start += SUM_BLOCK)
	{
		size_t		end = start + SUM_BLOCK < n ? start + SUM_BLOCK : n;
		double		sum = 0;

		for (size_t i = start; i < end; i++)
		{
			double		d = x[i] * scale - shift;

			if (d == d)
				sum += power == 1 ? d : d * d;
		}
		total += sum;
	}
	return total;
}

MlStatus
ml_prep_moments(MlEnv *env, const MlPrepPart *part, size_t n_train, double *mean, double *deviation)
{
	const double *x = part->data.number;
	double		low = INFINITY;
	double		high = -INFINITY;
	double		count = 0;
	double		scale;
	double		center;
	int			e;

	for (size_t i = 0; i < n_train; i++)
	{
		count += x[i] == x[i];
		low = x[i] < low ? x[i] : low;
		high = x[i] > high ? x[i] : high;
	}
	if (count == 0)
		return no_value(env, part);
	*mean = low;
	*deviation = 0;
	if (low == high)
		return ML_OK;

	/* A power of two rounds nothing, and brings every value to 1 at most. */
	frexp(fmax(fabs(low), fabs(high)), &e);
	e = e < -1000 ? -1000 : e;
	scale = ldexp(1, -e);
	if (e > 1000)
		scale = 0x1p-1000;		/* 2^-1024 would not be a normal number; 2^24 of room is enough for squares of a block */
	center = power_sum(x, n_train, scale, 0, 1) / count;
	center += power_sum(x, n_train, scale, center, 1) / count;	/* what the first pass lost to rounding */
	*deviation = sqrt(power_sum(x, n_train, scale, center, 2) / count) / scale;
	*mean = center / scale;
	return ML_OK;
}

MlStatus
ml_prep_count(MlEnv *env, const MlPrepPart *part, size_t n_train, size_t **count)
{
	int32_t		levels = part->feature.levels;

	*count = ml_alloc0(env, (size_t) levels + 2, sizeof(size_t));
	if (*count == NULL)
		return env->error.status;
	for (size_t i = 0; i < n_train; i++)
		(*count)[part->data.code[i] < 0 ? levels + 1 : part->data.code[i]]++;
	return ML_OK;
}
