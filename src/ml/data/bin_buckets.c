/*-------------------------------------------------------------------------
 * bin_buckets.c
 *	  Values of a sample in small buckets, which are in order.
 *
 * What decides about limits is the order of the values next to a limit; of the others it is enough to
 * know how many there are.  So first every key is told its bucket and counted, and keys are only brought together, and sorted, of the buckets
 * that are asked for.  Whoever asks says before which ones that will be, as far as it is known: bringing keys
 * together takes a walk through all of them.  Where the guess was wrong, all the others follow.
 *-------------------------------------------------------------------------
 */
#include "ml/data/bin_buckets.h"

#include <float.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/simd.h"

#define RADIX_BITS 11
#define RADIX_SIZE (1 << RADIX_BITS)
#define DIGITS 3
#define MOST_INSERTED 64		/* keys that are sorted by insertion */

#define FEWEST_BUCKETS 16
#define RANGE_KEYS 1024			/* so many tell the range */
#define CHOSEN_TOGETHER 1024
#define BUCKET_KEYS 12			/* about so many would be in each if all were the same */

/* ------------------------------------------------------------------------
 * Sorting
 * ------------------------------------------------------------------------
 */

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
 * Which bucket
 * ------------------------------------------------------------------------
 */

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

static inline __attribute__((always_inline)) uint16_t
linear_bucket(const BucketMap *map, uint64_t key)
{
	double		last = map->last;
	double		t = (ml_bin_key_value(key) - map->low) * map->scale;

	t = t > 0 ? t : 0;
	return (uint16_t) (int32_t) (t < last ? t : last);
}

static inline __attribute__((always_inline)) uint16_t
bits_bucket(const BucketMap *map, uint64_t key)
{
	uint64_t	stretch = (key > map->base ? key - map->base : 0) >> map->shift;

	return (uint16_t) (stretch < map->last ? stretch : map->last);
}

static inline __attribute__((always_inline)) void
assign_body(const BucketMap *map, const uint64_t *restrict key, size_t n, uint16_t *restrict bucket)
{
	BucketMap	m = *map;

	if (m.linear)
	{
		for (size_t i = 0; i < n; i++)
			bucket[i] = linear_bucket(&m, key[i]);
	}
	else
	{
		for (size_t i = 0; i < n; i++)
			bucket[i] = bits_bucket(&m, key[i]);
	}
}

ML_SIMD_TIERS(assign, (const BucketMap *map, const uint64_t *key, size_t n, uint16_t *bucket), (map, key, n, bucket))

static void
count_buckets(const uint16_t *restrict bucket, size_t n, uint32_t *restrict start)
{
	for (size_t i = 0; i < n; i++)
		start[bucket[i] + 1]++;
}

/* Each key's bucket, and how many are in each at start[bucket + 1]; returns how many are in crowded ones. */
static size_t
count_keys(const BucketMap *map, const MlBinSample *sample)
{
	uint32_t   *start = sample->start;
	size_t		crowded = 0;

	ML_SIMD_CALL(assign, (map, sample->key, sample->n, sample->bucket));
	memset(start, 0, ((size_t) map->last + 2) * sizeof(uint32_t));
	count_buckets(sample->bucket, sample->n, start);
	for (uint32_t b = 1; b <= map->last + 1; b++)
		crowded += start[b] > MOST_INSERTED ? start[b] : 0;
	return crowded;
}

/* Tells the keys their buckets, by the map that spreads them better; "buckets" is a power of two. */
static void
spread_keys(const MlBinSample *sample, uint64_t low, uint64_t high, uint32_t buckets)
{
	double		range = ml_bin_key_value(high) - ml_bin_key_value(low);
	BucketMap	linear = {.linear = true, .low = ml_bin_key_value(low), .scale = buckets / range, .last = buckets - 1};
	BucketMap	bits = {.base = low, .last = buckets - 1};
	bool		usable = linear.scale > 0 && linear.scale <= DBL_MAX;
	size_t		crowded = usable ? count_keys(&linear, sample) : SIZE_MAX;

	if (crowded <= sample->n / 8)
		return;
	while (((high - low) >> bits.shift) >= buckets)
		bits.shift++;
	if (count_keys(&bits, sample) >= crowded && usable)
		(void) count_keys(&linear, sample);
}

MlBuckets
ml_buckets_make(const MlBinSample *sample)
{
	MlBuckets	b = {.sample = sample, .key = sample->other, .n_keys = sample->n, .n = FEWEST_BUCKETS, .start = sample->start, .state = sample->state};
	uint64_t	low = UINT64_MAX;
	uint64_t	high = 0;

	for (size_t i = 0; i < sample->n; i += sample->n / RANGE_KEYS + 1)
	{
		low = sample->key[i] < low ? sample->key[i] : low;
		high = sample->key[i] > high ? sample->key[i] : high;
	}
	while (b.n < ML_MOST_BUCKETS && b.n < sample->n / BUCKET_KEYS)
		b.n *= 2;
	spread_keys(sample, low, high, b.n);
	for (uint32_t i = 1; i < b.n; i++)
		b.start[i + 1] += b.start[i];
	memset(b.state, ML_BUCKET_COUNTED, b.n);
	return b;
}

/* ------------------------------------------------------------------------
 * What is in it
 * ------------------------------------------------------------------------
 */

/* Deals out all keys, whether their buckets have them already or not. */
static void
deal_all(const MlBuckets *b)
{
	const uint16_t *restrict bucket = b->sample->bucket;
	const uint64_t *restrict key = b->sample->key;
	uint32_t   *restrict next = b->sample->next;
	uint64_t   *restrict to = b->key;

	memcpy(next, b->start, b->n * sizeof(uint32_t));
	for (size_t i = 0; i < b->n_keys; i++)
		to[next[bucket[i]]++] = key[i];
}

/* What was sorted is so again afterwards: who asked for it may be in the midst of it. */
void
ml_buckets_bring_all(MlBuckets *b)
{
	if (b->complete)
		return;
	deal_all(b);
	b->complete = true;
	for (uint32_t i = 0; i < b->n; i++)
	{
		bool		sorted = b->state[i] == ML_BUCKET_SORTED;

		b->state[i] = ML_BUCKET_THERE;
		if (sorted)
			ml_bucket_sort(b, i);
	}
}

/* Deals out the keys of wanted buckets. */
static void
deal_wanted(const MlBuckets *b)
{
	const uint16_t *restrict bucket = b->sample->bucket;
	const uint64_t *restrict key = b->sample->key;
	uint32_t   *restrict next = b->sample->next;
	uint64_t   *restrict to = b->key;
	const uint8_t *restrict state = b->state;
	uint32_t	chosen[CHOSEN_TOGETHER];

	memcpy(next, b->start, b->n * sizeof(uint32_t));
	for (size_t first = 0; first < b->n_keys; first += CHOSEN_TOGETHER)
	{
		size_t		end = b->n_keys - first < CHOSEN_TOGETHER ? b->n_keys : first + CHOSEN_TOGETHER;
		size_t		n = 0;

		/* No branch: whether a key is wanted cannot be foreseen. */
		for (size_t i = first; i < end; i++)
		{
			chosen[n] = (uint32_t) i;
			n += state[bucket[i]] == ML_BUCKET_WANTED;
		}
		for (size_t i = 0; i < n; i++)
			to[next[bucket[chosen[i]]]++] = key[chosen[i]];
	}
}

void
ml_buckets_bring(MlBuckets *b)
{
	size_t		wanted = 0;

	for (uint32_t i = 0; i < b->n; i++)
		wanted += b->state[i] == ML_BUCKET_WANTED ? ml_bucket_size(b, i) : 0;
	if (wanted > b->n_keys / 8)
	{
		/* Asking for each costs more than what is not wanted. */
		ml_buckets_bring_all(b);
		return;
	}
	deal_wanted(b);
	for (uint32_t i = 0; i < b->n; i++)
	{
		if (b->state[i] == ML_BUCKET_WANTED)
			b->state[i] = ML_BUCKET_THERE;
	}
}

void
ml_bucket_sort(MlBuckets *b, uint32_t bucket)
{
	size_t		n = ml_bucket_size(b, bucket);
	uint64_t   *key = b->key + b->start[bucket];

	if (b->state[bucket] == ML_BUCKET_SORTED)
		return;
	/* When all are there, nobody needs the keys in their old order, and a large bucket is sorted in their place. */
	if (b->state[bucket] != ML_BUCKET_THERE || n > ML_BUCKET_SCRATCH)
		ml_buckets_bring_all(b);
	b->state[bucket] = ML_BUCKET_SORTED;
	if (n <= MOST_INSERTED)
		insertion_sort(key, n);
	else
		sort_keys(key, n > ML_BUCKET_SCRATCH ? b->sample->key : b->sample->scratch, n);
}

uint64_t
ml_bucket_smallest(MlBuckets *b, uint32_t bucket)
{
	const uint64_t *key = b->key + b->start[bucket];
	uint64_t	smallest;

	if (b->state[bucket] < ML_BUCKET_THERE)
		ml_buckets_bring_all(b);
	smallest = key[0];
	for (size_t i = 1; i < ml_bucket_size(b, bucket) && b->state[bucket] != ML_BUCKET_SORTED; i++)
		smallest = key[i] < smallest ? key[i] : smallest;
	return smallest;
}
