/*-------------------------------------------------------------------------
 * bin_buckets.h
 *	  Values of a sample in small buckets: what choosing limits (bin_limits.c) asks of them.
 *-------------------------------------------------------------------------
 */
#ifndef ML_DATA_BIN_BUCKETS_H
#define ML_DATA_BIN_BUCKETS_H

#include "ml/data/binner.h"

#define ML_MOST_BUCKETS 16384
#define ML_BUCKET_SCRATCH 4096	/* keys that are sorted in a room of their own */

/* What is known of a bucket's keys, each state being more than the one before. */
enum
{
	ML_BUCKET_COUNTED,
	ML_BUCKET_WANTED,
	ML_BUCKET_THERE,			/* they stand at start[bucket], in any order */
	ML_BUCKET_SORTED
};

/* Keys of a bucket are below those of the next one. */
typedef struct MlBuckets
{
	const MlBinSample *sample;
	uint64_t   *key;
	size_t		n_keys;
	uint32_t	n;
	uint32_t   *start;			/* by bucket, and the end */
	uint8_t    *state;			/* by bucket */
	bool		complete;		/* all are there */
} MlBuckets;

/* Of a sample with values: tells the keys their buckets and counts them. */
extern MlBuckets ml_buckets_make(const MlBinSample *sample);

/* The keys of all buckets that are wanted, where they belong; the same of all buckets. */
extern void ml_buckets_bring(MlBuckets *b);
extern void ml_buckets_bring_all(MlBuckets *b);

/* Whatever its state is. */
extern void ml_bucket_sort(MlBuckets *b, uint32_t bucket);
extern uint64_t ml_bucket_smallest(MlBuckets *b, uint32_t bucket);	/* not of an empty one */

static inline void
ml_bucket_want(MlBuckets *b, uint32_t bucket)
{
	if (b->state[bucket] == ML_BUCKET_COUNTED)
		b->state[bucket] = ML_BUCKET_WANTED;
}

static inline size_t
ml_bucket_size(const MlBuckets *b, uint32_t bucket)
{
	return b->start[bucket + 1] - b->start[bucket];
}

/* The first bucket from this one on that has keys; b->n when there is none. */
static inline uint32_t
ml_bucket_filled(const MlBuckets *b, uint32_t bucket)
{
	while (bucket < b->n && ml_bucket_size(b, bucket) == 0)
		bucket++;
	return bucket;
}

#endif							/* ML_DATA_BIN_BUCKETS_H */
