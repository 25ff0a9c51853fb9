/*-------------------------------------------------------------------------
 * bin_limits.c
 *	  Where the limits of bins lie.
 *
 * Limits follow LightGBM's GreedyFindBin (Ke et al. 2017; src/io/bin.cpp): up to
 * max_bin bins of about equal count, a frequent value gets its own.  Limits are
 * doubles between two distinct doubles and nothing is ever rounded to float,
 * so neighbouring bigint keys or timestamps stay apart.
 *
 * What decides is the order of the values next to a limit; of the others it is enough to
 * know how many there are.  So the values are counted in many small buckets (bin_buckets.c), and only those that a limit falls
 * into, or a frequent value, are sorted.  Which ones that will be follows from the counts but for equal values,
 * so it is foreseen as if there were none.
 *-------------------------------------------------------------------------
 */
#include "ml/data/bin_buckets.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/simd.h"

#ifdef ML_SIMD_X86
#include <immintrin.h>
#endif

#define KEYS_TOGETHER 8

/* ------------------------------------------------------------------------
 * Runs of equal keys
 * ------------------------------------------------------------------------
 */

/* Where the keys that are the same as the one at "at" end; in a sorted bucket, or sorted buckets up to n. */
static inline size_t
end_of_run(const uint64_t *key, size_t at, size_t n)
{
	size_t		end = at + 1;

	while (end < n && key[end] == key[at])
		end++;
	return end;
}

/* Sorts all; returns the number of distinct keys. */
static size_t
count_distinct(MlBuckets *b)
{
	size_t		distinct = 0;

	ml_buckets_bring_all(b);
	for (uint32_t i = 0; i < b->n; i++)
	{
		ml_bucket_sort(b, i);
		for (size_t at = b->start[i]; at < b->start[i + 1]; at = end_of_run(b->key, at, b->start[i + 1]))
			distinct++;
	}
	return distinct;
}

/* ------------------------------------------------------------------------
 * Limits
 * ------------------------------------------------------------------------
 */

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

/* Few distinct values: a limit between any two, unless a bin would hold too few rows.  All are sorted. */
static uint32_t
limits_of_few(const MlBuckets *b, double *limit, int64_t min_data_in_bin)
{
	uint32_t	n = 0;
	size_t		in_bin = 0;

	for (size_t at = 0, end; at < b->n_keys; at = end)
	{
		end = end_of_run(b->key, at, b->n_keys);
		in_bin += end - at;
		if (end < b->n_keys && (int64_t) in_bin >= min_data_in_bin)
		{
			limit[n++] = between(ml_bin_key_value(b->key[at]), ml_bin_key_value(b->key[end]));
			in_bin = 0;
		}
	}
	return n;
}

/* How the bins fill while values go by, from small to large. */
typedef struct Filling
{
	double		frequent;		/* a value that comes so often gets a bin of its own */
	double		mean;			/* rows wanted of a bin that holds others */
	int64_t		rest_bins;
	size_t		rest_rows;
	size_t		in_bin;
} Filling;

static void
renew_mean(Filling *f)
{
	f->mean = f->rest_bins > 0 ? (double) f->rest_rows / (double) f->rest_bins : 0x1p62;
}

static bool
may_hold_frequent(const Filling *f, const MlBuckets *b, uint32_t bucket)
{
	return bucket < b->n && (double) ml_bucket_size(b, bucket) >= f->frequent;
}

/*
 * Wants the buckets that will be looked into: those that may hold a frequent value, each with its neighbours, and those that a bin
 * ends in if no other two values are equal, each with the one behind.
 */
static void
foresee(const Filling *start, MlBuckets *b)
{
	Filling		f = *start;
	uint32_t	before = 0;

	for (uint32_t i = 0; i < b->n; i++)
	{
		if (!may_hold_frequent(&f, b, i))
			continue;
		f.rest_bins--;
		f.rest_rows -= ml_bucket_size(b, i);
	}
	renew_mean(&f);
	for (uint32_t i = ml_bucket_filled(b, 0), next; i < b->n; before = i, i = next)
	{
		size_t		size = ml_bucket_size(b, i);

		next = ml_bucket_filled(b, i + 1);
		if (may_hold_frequent(&f, b, i))
		{
			ml_bucket_want(b, before);
			ml_bucket_want(b, i);
			f.in_bin = 0;
		}
		else
		{
			f.rest_rows -= size;
			f.in_bin += size;
			if ((double) f.in_bin < f.mean && !may_hold_frequent(&f, b, next))
				continue;
			ml_bucket_want(b, i);
			/* What is left of the bucket begins the next bin. */
			f.in_bin -= f.mean < (double) f.in_bin ? (size_t) ceil(f.mean) : f.in_bin;
			f.rest_rows += f.in_bin;
			f.rest_bins--;
			renew_mean(&f);
			f.rest_rows -= f.in_bin;
		}
		if (next < b->n)
			ml_bucket_want(b, next);
	}
}

/* Sorts the buckets that may hold frequent values and takes these out of the reckoning. */
static void
take_frequent_out(Filling *f, MlBuckets *b)
{
	for (uint32_t i = 0; i < b->n; i++)
	{
		if (!may_hold_frequent(f, b, i))
			continue;
		ml_bucket_sort(b, i);
		for (size_t at = b->start[i], end; at < b->start[i + 1]; at = end)
		{
			end = end_of_run(b->key, at, b->start[i + 1]);
			if ((double) (end - at) < f->frequent)
				continue;
			f->rest_bins--;
			f->rest_rows -= end - at;
		}
	}
	renew_mean(f);
}

/* Does the first value of a bucket come often? */
static bool
begins_with_frequent(const Filling *f, const MlBuckets *b, uint32_t bucket)
{
	return may_hold_frequent(f, b, bucket) &&
		(double) (end_of_run(b->key, b->start[bucket], b->start[bucket + 1]) - b->start[bucket]) >= f->frequent;
}

/* A value that comes "count" times joins the bin; true when the bin ends with it. */
static bool
add_value(Filling *f, size_t count, bool next_is_frequent)
{
	bool		frequent = (double) count >= f->frequent;
	double		half = f->mean * 0.5 > 1 ? f->mean * 0.5 : 1;

	if (!frequent)
		f->rest_rows -= count;
	f->in_bin += count;
	if (!frequent && (double) f->in_bin < f->mean && !(next_is_frequent && (double) f->in_bin >= half))
		return false;
	f->in_bin = 0;
	if (!frequent)
	{
		f->rest_bins--;
		renew_mean(f);
	}
	return true;
}

/* The limits among the values of a bucket, and between its last one and the next bucket. */
static uint32_t
limits_of_bucket(Filling *f, MlBuckets *b, uint32_t bucket, uint32_t next, double *limit, uint32_t n, uint32_t most)
{
	size_t		stop = b->start[bucket + 1];

	ml_bucket_sort(b, bucket);
	for (size_t at = b->start[bucket], end; at < stop && n < most; at = end)
	{
		bool		next_is_frequent;

		end = end_of_run(b->key, at, stop);
		if (end == b->n_keys)
			break;				/* nothing is above the largest value */
		if (end < stop)
			next_is_frequent = may_hold_frequent(f, b, bucket) && (double) (end_of_run(b->key, end, stop) - end) >= f->frequent;
		else
			next_is_frequent = begins_with_frequent(f, b, next);
		if (add_value(f, end - at, next_is_frequent))
			limit[n++] = between(ml_bin_key_value(b->key[at]), ml_bin_key_value(end < stop ? b->key[end] : ml_bucket_smallest(b, next)));
	}
	return n;
}

/* Many: about equal counts, frequent values apart. */
static uint32_t
limits_of_many(MlBuckets *b, double *limit, int32_t max_bin, int32_t min_data_in_bin)
{
	size_t		total = b->n_keys;
	Filling		f = {.rest_rows = total};
	uint32_t	n = 0;
	uint32_t	next;

	if (min_data_in_bin > 0 && (size_t) max_bin > total / (size_t) min_data_in_bin)
		max_bin = (int32_t) (total / (size_t) min_data_in_bin);
	if (max_bin < 1)
		max_bin = 1;
	f.frequent = (double) total / max_bin;
	f.rest_bins = max_bin;
	foresee(&f, b);
	ml_buckets_bring(b);
	take_frequent_out(&f, b);
	for (uint32_t i = ml_bucket_filled(b, 0); i < b->n && n < (uint32_t) max_bin - 1; i = next)
	{
		size_t		size = ml_bucket_size(b, i);

		next = ml_bucket_filled(b, i + 1);
		if ((double) (f.in_bin + size) < f.mean && !may_hold_frequent(&f, b, i) && !may_hold_frequent(&f, b, next))
		{
			/* No bin ends here, whatever the order. */
			f.rest_rows -= size;
			f.in_bin += size;
			continue;
		}
		n = limits_of_bucket(&f, b, i, next, limit, n, (uint32_t) max_bin - 1);
	}
	return n;
}

/* ------------------------------------------------------------------------
 * The sample
 * ------------------------------------------------------------------------
 */

MlStatus
ml_bin_sample_make(MlEnv *env, size_t values, MlBinSample *sample)
{
	sample->n = sample->rows = 0;
	sample->key = ml_alloc(env, values + KEYS_TOGETHER, sizeof(uint64_t));
	sample->other = ml_alloc(env, values, sizeof(uint64_t));
	sample->scratch = ml_alloc(env, ML_BUCKET_SCRATCH, sizeof(uint64_t));
	sample->bucket = ml_alloc(env, values, sizeof(uint16_t));
	sample->start = ml_alloc(env, ML_MOST_BUCKETS + 1, sizeof(uint32_t));
	sample->next = ml_alloc(env, ML_MOST_BUCKETS, sizeof(uint32_t));
	sample->state = ml_alloc(env, ML_MOST_BUCKETS, sizeof(uint8_t));
	if (sample->key == NULL || sample->other == NULL || sample->scratch == NULL || sample->bucket == NULL || sample->start == NULL ||
		sample->next == NULL || sample->state == NULL)
		return env->error.status;
	return ML_OK;
}

void
ml_bin_sample_release(MlEnv *env, MlBinSample *sample)
{
	ml_release(env, sample->key);
	ml_release(env, sample->other);
	ml_release(env, sample->scratch);
	ml_release(env, sample->bucket);
	ml_release(env, sample->start);
	ml_release(env, sample->next);
	ml_release(env, sample->state);
}

/* What is missing is written over by the next one.  Returns where the next one goes. */
static inline uint64_t *
take_singly(const double *x, const uint32_t *pick, size_t n, uint64_t *key)
{
	for (size_t i = 0; i < n; i++)
	{
		double		value = pick != NULL ? x[pick[i]] : x[i];

		*key = ml_bin_key(value);
		key += value == value;
	}
	return key;
}

#ifdef ML_SIMD_X86

ML_TARGET_AVX512 static uint64_t *
take_avx512(const double *x, const uint32_t *pick, size_t n, uint64_t *key)
{
	size_t		whole = n / KEYS_TOGETHER * KEYS_TOGETHER;

	for (size_t i = 0; i < whole; i += KEYS_TOGETHER)
	{
		__m512d		value;
		__m512i		bits;
		__mmask8	given;

		/* Most rows are picked, so most stand together. */
		if (pick == NULL)
			value = _mm512_loadu_pd(x + i);
		else if (pick[i + KEYS_TOGETHER - 1] - pick[i] == KEYS_TOGETHER - 1)
			value = _mm512_loadu_pd(x + pick[i]);
		else
			value = _mm512_i32gather_pd(_mm256_loadu_si256((const __m256i *) (pick + i)), x, sizeof(double));
		given = _mm512_cmp_pd_mask(value, value, _CMP_ORD_Q);
		bits = _mm512_castpd_si512(_mm512_add_pd(value, _mm512_setzero_pd()));
		bits = _mm512_xor_si512(bits, _mm512_or_si512(_mm512_srai_epi64(bits, 63), _mm512_set1_epi64(INT64_MIN)));
		_mm512_storeu_si512(key, given == 0xFF ? bits : _mm512_maskz_compress_epi64(given, bits));
		key += __builtin_popcount(given);
	}
	return take_singly(pick == NULL ? x + whole : x, pick == NULL ? NULL : pick + whole, n - whole, key);
}

#endif							/* ML_SIMD_X86 */

void
ml_bin_sample_take(MlBinSample *sample, const double *x, const uint32_t *pick, size_t n)
{
	uint64_t   *key = sample->key + sample->n;

#ifdef ML_SIMD_X86
	/* The instruction takes signed places. */
	if (ml_simd_tier() == ML_TIER_AVX512 && (pick == NULL || n == 0 || pick[n - 1] <= INT32_MAX))
		key = take_avx512(x, pick, n, key);
	else
#endif
		key = take_singly(x, pick, n, key);
	sample->n = (size_t) (key - sample->key);
	sample->rows += n;
}

void
ml_binner_find(MlBinner *binner, const MlBinRules *rules, MlBinSample *sample)
{
	int32_t		max_bin = rules->max_bin;
	uint32_t	filled = 0;
	uint32_t	limits = 0;

	if (sample->n < sample->rows && max_bin > 2)
		max_bin--;				/* missing values take a bin of the budget */
	if (sample->n > 0)
	{
		MlBuckets	b = ml_buckets_make(sample);

		for (uint32_t i = ml_bucket_filled(&b, 0); i < b.n; i = ml_bucket_filled(&b, i + 1))
			filled++;
		if (filled <= (uint32_t) max_bin && count_distinct(&b) <= (size_t) max_bin)
			limits = limits_of_few(&b, binner->upper, rules->min_data_in_bin);
		else
			limits = limits_of_many(&b, binner->upper, max_bin, rules->min_data_in_bin);
	}
	sample->n = sample->rows = 0;
	ml_binner_settle(binner, limits);
}
