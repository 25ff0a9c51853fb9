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
 * know how many there are.  So the values are dealt out to many small buckets, which
 * are in order, and only those that a limit falls into, or a frequent value, are sorted.
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
#define MOST_INSERTED 64		/* keys that are sorted by insertion */

#define MOST_BUCKETS 16384
#define FEWEST_BUCKETS 16
#define RANGE_KEYS 1024			/* so many tell the range */
#define BUCKET_KEYS 12			/* about so many would be in each if all were the same */

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

/* ------------------------------------------------------------------------
 * Buckets
 * ------------------------------------------------------------------------
 */

/* Keys in buckets: those of a bucket are below those of the next one. */
typedef struct Buckets
{
	uint64_t   *key;
	uint64_t   *other;			/* scratch */
	size_t		n_keys;
	uint32_t	n;
	uint32_t   *start;			/* by bucket, and the end */
	bool	   *sorted;			/* by bucket */
} Buckets;

/*
 * A monotone map from keys to buckets: of stretches of one length, or by the leading bits.  What is outside the
 * range that some of the keys showed goes into the first and the last bucket.
 */
typedef struct BucketMap
{
	bool		linear;
	double		low;
	double		scale;
	uint64_t	base;
	int			shift;
	uint32_t	last;
} BucketMap;

static inline uint32_t
bucket_of(const BucketMap *map, uint64_t key)
{
	uint64_t	stretch;
	double		t;

	if (!map->linear)
	{
		stretch = (key > map->base ? key - map->base : 0) >> map->shift;
		return stretch < map->last ? (uint32_t) stretch : map->last;
	}
	t = (ml_bin_key_value(key) - map->low) * map->scale;
	t = t > 0 ? t : 0;
	return (uint32_t) (t < map->last ? t : map->last);
}

/* How many keys are in each bucket, at start[bucket + 1]; the most of them. */
static uint32_t
count_keys(const BucketMap *map, const uint64_t *key, size_t n, uint32_t *start)
{
	BucketMap	m = *map;
	uint32_t	most = 0;

	memset(start, 0, ((size_t) m.last + 2) * sizeof(uint32_t));
	if (m.linear)
	{
		for (size_t i = 0; i < n; i++)
			start[bucket_of(&m, key[i]) + 1]++;
	}
	else
	{
		for (size_t i = 0; i < n; i++)
			start[bucket_of(&m, key[i]) + 1]++;
	}
	for (uint32_t b = 1; b <= m.last + 1; b++)
		most = start[b] > most ? start[b] : most;
	return most;
}

/* The map that spreads the keys better, with their counts in "start". */
static BucketMap
choose_map(const uint64_t *key, size_t n, uint64_t low, uint64_t high, uint32_t buckets, uint32_t *start)
{
	double		range = ml_bin_key_value(high) - ml_bin_key_value(low);
	BucketMap	linear = {.linear = true, .low = ml_bin_key_value(low), .scale = buckets / range, .last = buckets - 1};
	BucketMap	bits = {.base = low, .last = buckets - 1};
	bool		usable = linear.scale > 0 && linear.scale <= DBL_MAX;
	uint32_t	most = usable ? count_keys(&linear, key, n, start) : UINT32_MAX;

	if (most <= n / 8)
		return linear;
	while (((high - low) >> bits.shift) >= buckets)
		bits.shift++;
	if (count_keys(&bits, key, n, start) < most)
		return bits;
	(void) count_keys(&linear, key, n, start);
	return linear;
}

static void
deal_out(const BucketMap *map, const MlBinSample *sample, uint32_t *restrict start)
{
	BucketMap	m = *map;
	const uint64_t *key = sample->key;
	uint64_t   *restrict to = sample->other;
	size_t		n = sample->n;

	for (uint32_t b = 1; b <= m.last; b++)
		start[b + 1] += start[b];
	/* start[b] moves to the end of bucket b, which is where the next one begins. */
	memmove(start + 1, start, ((size_t) m.last + 1) * sizeof(uint32_t));
	start[0] = 0;
	if (m.linear)
	{
		for (size_t i = 0; i < n; i++)
			to[start[bucket_of(&m, key[i]) + 1]++] = key[i];
	}
	else
	{
		for (size_t i = 0; i < n; i++)
			to[start[bucket_of(&m, key[i]) + 1]++] = key[i];
	}
}

static Buckets
make_buckets(const MlBinSample *sample)
{
	Buckets		b = {.key = sample->other, .other = sample->key, .n_keys = sample->n, .n = FEWEST_BUCKETS, .start = sample->start, .sorted = sample->sorted};
	uint64_t	low = UINT64_MAX;
	uint64_t	high = 0;
	BucketMap	map;

	for (size_t i = 0; i < sample->n; i += sample->n / RANGE_KEYS + 1)
	{
		low = sample->key[i] < low ? sample->key[i] : low;
		high = sample->key[i] > high ? sample->key[i] : high;
	}
	while (b.n < MOST_BUCKETS && b.n < sample->n / BUCKET_KEYS)
		b.n *= 2;
	map = choose_map(sample->key, sample->n, low, high, b.n, b.start);
	deal_out(&map, sample, b.start);
	memset(b.sorted, 0, b.n);
	return b;
}

static inline size_t
bucket_size(const Buckets *b, uint32_t bucket)
{
	return b->start[bucket + 1] - b->start[bucket];
}

static void
sort_bucket(Buckets *b, uint32_t bucket)
{
	size_t		n = bucket_size(b, bucket);
	uint64_t   *key = b->key + b->start[bucket];

	if (b->sorted[bucket])
		return;
	b->sorted[bucket] = true;
	if (n > MOST_INSERTED)
		sort_keys(key, b->other + b->start[bucket], n);
	else
		insertion_sort(key, n);
}

/* The first bucket from this one on that has keys; b->n when there is none. */
static inline uint32_t
next_filled(const Buckets *b, uint32_t bucket)
{
	while (bucket < b->n && bucket_size(b, bucket) == 0)
		bucket++;
	return bucket;
}

static uint64_t
smallest_key(const Buckets *b, uint32_t bucket)
{
	const uint64_t *key = b->key + b->start[bucket];
	uint64_t	smallest = key[0];

	for (size_t i = 1; i < bucket_size(b, bucket) && !b->sorted[bucket]; i++)
		smallest = key[i] < smallest ? key[i] : smallest;
	return smallest;
}

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
count_distinct(Buckets *b)
{
	size_t		distinct = 0;

	for (uint32_t i = 0; i < b->n; i++)
	{
		sort_bucket(b, i);
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
limits_of_few(const Buckets *b, double *limit, int64_t min_data_in_bin)
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
may_hold_frequent(const Filling *f, const Buckets *b, uint32_t bucket)
{
	return bucket < b->n && (double) bucket_size(b, bucket) >= f->frequent;
}

/* Sorts the buckets that may hold frequent values and takes these out of the reckoning. */
static void
take_frequent_out(Filling *f, Buckets *b)
{
	for (uint32_t i = 0; i < b->n; i++)
	{
		if (!may_hold_frequent(f, b, i))
			continue;
		sort_bucket(b, i);
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
begins_with_frequent(const Filling *f, const Buckets *b, uint32_t bucket)
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
limits_of_bucket(Filling *f, Buckets *b, uint32_t bucket, uint32_t next, double *limit, uint32_t n, uint32_t most)
{
	size_t		stop = b->start[bucket + 1];

	sort_bucket(b, bucket);
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
			limit[n++] = between(ml_bin_key_value(b->key[at]), ml_bin_key_value(end < stop ? b->key[end] : smallest_key(b, next)));
	}
	return n;
}

/* Many: about equal counts, frequent values apart. */
static uint32_t
limits_of_many(Buckets *b, double *limit, int32_t max_bin, int32_t min_data_in_bin)
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
	take_frequent_out(&f, b);
	for (uint32_t i = next_filled(b, 0); i < b->n && n < (uint32_t) max_bin - 1; i = next)
	{
		size_t		size = bucket_size(b, i);

		next = next_filled(b, i + 1);
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
	sample->key = ml_alloc(env, values + 1, sizeof(uint64_t));
	sample->other = ml_alloc(env, values, sizeof(uint64_t));
	sample->start = ml_alloc(env, MOST_BUCKETS + 1, sizeof(uint32_t));
	sample->sorted = ml_alloc(env, MOST_BUCKETS, sizeof(bool));
	if (sample->key == NULL || sample->other == NULL || sample->start == NULL || sample->sorted == NULL)
		return env->error.status;
	return ML_OK;
}

void
ml_bin_sample_release(MlEnv *env, MlBinSample *sample)
{
	ml_release(env, sample->key);
	ml_release(env, sample->other);
	ml_release(env, sample->start);
	ml_release(env, sample->sorted);
}

void
ml_bin_sample_take(MlBinSample *sample, const double *x, const uint32_t *pick, size_t n)
{
	uint64_t   *restrict key = sample->key;
	size_t		at = sample->n;

	/* What is missing is written over by the next one. */
	if (pick != NULL)
	{
		for (size_t i = 0; i < n; i++)
		{
			key[at] = ml_bin_key(x[pick[i]]);
			at += x[pick[i]] == x[pick[i]];
		}
	}
	else
	{
		for (size_t i = 0; i < n; i++)
		{
			key[at] = ml_bin_key(x[i]);
			at += x[i] == x[i];
		}
	}
	sample->n = at;
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
		Buckets		b = make_buckets(sample);

		for (uint32_t i = next_filled(&b, 0); i < b.n; i = next_filled(&b, i + 1))
			filled++;
		if (filled <= (uint32_t) max_bin && count_distinct(&b) <= (size_t) max_bin)
			limits = limits_of_few(&b, binner->upper, rules->min_data_in_bin);
		else
			limits = limits_of_many(&b, binner->upper, max_bin, rules->min_data_in_bin);
	}
	sample->n = sample->rows = 0;
	ml_binner_settle(binner, limits);
}
