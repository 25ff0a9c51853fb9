/*-------------------------------------------------------------------------
 * binner.h
 *	  Numbers to bins: where the limits lie, and which bin a value falls into.
 *
 * Bin b holds upper[b-1] < x <= upper[b]; the last one has no upper limit, and
 * missing values have a bin of their own behind it.  So a condition "x <= limit"
 * says the same of a value as of any other value of its bin.
 *-------------------------------------------------------------------------
 */
#ifndef ML_DATA_BINNER_H
#define ML_DATA_BINNER_H

#include "ml/base/env.h"

/* How limits are chosen. */
typedef struct MlBinRules
{
	int32_t		max_bin;
	int32_t		min_data_in_bin;
	size_t		sample;			/* rows that they are chosen on, at most about so many */
} MlBinRules;

/* How the search for a value's bin begins: see binner.c. */
typedef enum MlBinWay
{
	ML_BIN_SEARCH,				/* with all limits */
	ML_BIN_LINEAR,				/* with those of its stretch, all stretches being of one length */
	ML_BIN_BITS					/* the same by the leading bits of the value */
} MlBinWay;

#define ML_BIN_STRETCHES 2048

/* A table in which one look finds the bin; of up to 254 limits, where they lie far enough apart: see bin_steps.c. */
typedef struct MlBinSteps
{
	bool		usable;
	bool		linear;			/* stretches of one length; else by the leading bits */
	int			shift;
	uint32_t	stretches;
	double		low;
	double		scale;
	double		top;
	uint64_t	base;
	uint32_t   *entry;			/* by stretch */
} MlBinSteps;

typedef struct MlBinner
{
	uint32_t	n_bins;			/* without missing */
	uint32_t	missing;		/* the bin of missing values: n_bins */
	double	   *upper;			/* n_bins - 1 limits, ascending; then infinities */
	MlBinWay	way;
	uint32_t	half;			/* first step of the search, a power of two */
	double		low;			/* of ML_BIN_LINEAR */
	double		scale;
	uint64_t	base;			/* of ML_BIN_BITS */
	int			shift;
	uint16_t   *start;			/* by stretch: limits below it */
	MlBinSteps	steps;
} MlBinner;

/* Values that limits are chosen on, and scratch.  One for a thread. */
typedef struct MlBinSample
{
	size_t		n;				/* given so far */
	size_t		rows;			/* with the missing ones */
	uint64_t   *key;			/* as ordered integers */

	/* Of bin_buckets.c. */
	uint16_t   *bucket;			/* by key */
	uint64_t   *other;			/* keys by bucket */
	uint64_t   *scratch;
	uint32_t   *start;			/* by bucket, in "other" */
	uint32_t   *next;
	uint8_t    *state;
} MlBinSample;

/* For fewer than 2^32 values. */
extern MlStatus ml_bin_sample_make(MlEnv *env, size_t values, MlBinSample *sample);
extern void ml_bin_sample_release(MlEnv *env, MlBinSample *sample);

/* Adds x[pick[i]] for i < n, NaN being missing; pick NULL: x[i].  pick[] is ascending. */
extern void ml_bin_sample_take(MlBinSample *sample, const double *x, const uint32_t *pick, size_t n);

/* Room for the limits; ml_binner_find() does not allocate, so threads may call it. */
extern MlStatus ml_binner_make(MlEnv *env, const MlBinRules *rules, MlBinner *binner);

/* Chooses the limits on the values of the sample, whose order does not matter; empties it. */
extern void ml_binner_find(MlBinner *binner, const MlBinRules *rules, MlBinSample *sample);

/* So many limits stand in "upper": how a value's bin is searched follows from them. */
extern void ml_binner_settle(MlBinner *binner, uint32_t limits);

/* The bins of n values.  Narrow: only if "missing" is below 256. */
extern void ml_bin_narrow(const MlBinner *binner, const double *x, size_t n, uint8_t *bin);
extern void ml_bin_wide(const MlBinner *binner, const double *x, size_t n, uint16_t *bin);

/* bin_steps.c: makes the table where it can; the bins of n values by it, false where the processor is not faster that way. */
extern void ml_bin_steps_make(MlBinner *binner);
extern bool ml_bin_by_steps(const MlBinner *binner, const double *x, size_t n, uint8_t *bin);

/* The order of doubles as the order of integers; not for NaN. */
static inline uint64_t
ml_bin_key(double x)
{
	uint64_t	u;

	x += 0.0;					/* -0 and 0 are one value */
	__builtin_memcpy(&u, &x, sizeof(u));
	return u ^ ((uint64_t) ((int64_t) u >> 63) | UINT64_C(1) << 63);
}

static inline double
ml_bin_key_value(uint64_t key)
{
	double		x;

	key ^= ((key >> 63) - 1) | UINT64_C(1) << 63;
	__builtin_memcpy(&x, &key, sizeof(x));
	return x;
}

/* A value of the sample; NaN is missing. */
static inline void
ml_bin_sample_add(MlBinSample *sample, double x)
{
	sample->rows++;
	if (x == x)
		sample->key[sample->n++] = ml_bin_key(x);
}

#endif							/* ML_DATA_BINNER_H */
