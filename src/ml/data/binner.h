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
} MlBinner;

/* Values that limits are chosen on, and scratch.  One for a thread. */
typedef struct MlBinSample
{
	size_t		n;				/* given so far */
	size_t		rows;			/* with the missing ones */
	uint64_t   *key;			/* as ordered integers */
	uint64_t   *other;
	size_t	   *count;			/* of distinct values; shares its room with "other" */
	bool	   *big;			/* distinct values with a bin of their own */
} MlBinSample;

/* For at most so many values. */
extern MlStatus ml_bin_sample_make(MlEnv *env, size_t values, MlBinSample *sample);
extern void ml_bin_sample_release(MlEnv *env, MlBinSample *sample);

/* Room for the limits; ml_binner_find() does not allocate, so threads may call it. */
extern MlStatus ml_binner_make(MlEnv *env, const MlBinRules *rules, MlBinner *binner);

/* Chooses the limits on the values of the sample, whose order does not matter; empties it. */
extern void ml_binner_find(MlBinner *binner, const MlBinRules *rules, MlBinSample *sample);

/* The bins of n values.  Narrow: only if "missing" is below 256. */
extern void ml_bin_narrow(const MlBinner *binner, const double *x, size_t n, uint8_t *bin);
extern void ml_bin_wide(const MlBinner *binner, const double *x, size_t n, uint16_t *bin);

/* The order of doubles as the order of integers; not for NaN. */
static inline uint64_t
ml_bin_key(double x)
{
	uint64_t	u;

	x += 0.0;					/* -0 and 0 are one value */
	__builtin_memcpy(&u, &x, sizeof(u));
	return (u >> 63) ? ~u : u | (UINT64_C(1) << 63);
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
