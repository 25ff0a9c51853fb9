/*-------------------------------------------------------------------------
 * binned.h
 *	  Columns of numbers kept as bins: one byte a value.
 *
 * For methods that ask of a number only whether it is above a limit.  The values
 * themselves need not exist at a time: limits are chosen on a sample of the training
 * part, and each value becomes its bin as it comes by.
 */
#ifndef ML_DATA_BINNED_H
#define ML_DATA_BINNED_H

#include "ml/data/binner.h"
#include "ml/data/frame.h"

/* The most bins a byte can tell apart, with the one of missing values. */
#define ML_MAX_NARROW_BINS 256

typedef struct MlBinned
{
	MlBinner	binner;
	uint8_t    *bin;			/* rows in the order of the data set; NULL until they are known */
	bool		among_others;	/* "bin" is part of the memory of several columns: not to be released */
	double		value[ML_MAX_NARROW_BINS];	/* one of each bin: any condition "x <= limit" is as true of it as of all others in the bin */

	/* Of the training part. */
	double		reference;		/* some value of the sample; NaN when all are missing */
	bool		varies;			/* there are others than the reference */
	bool		missing;		/* some are missing */
} MlBinned;

/* The rows that limits are chosen on: about rules->sample of the first n_train of "order". */
typedef struct MlBinChoice
{
	size_t		n;
	uint32_t   *place;			/* in "order", ascending */
	uint32_t   *row;			/* of the frame: order[place] */
} MlBinChoice;

/*
 * A row is chosen by its number in the frame, or where the frame has an id by the hash of that, so
 * that the physical order does not matter then.
 */
extern MlStatus ml_bin_choose(MlEnv *env, const MlBinRules *rules, const MlFrame *frame, const size_t *order, size_t n_train, MlBinChoice *choice);

/* Without an id: which of n rows from "first" on are, share being what is wanted of how many train; returns how many, their places from 0 in "drawn". */
extern size_t ml_bin_draw(const MlEnv *env, size_t first, size_t n, double share, uint32_t *drawn);
extern void ml_bin_choice_release(MlEnv *env, MlBinChoice *choice);

/* Room for n columns of so many rows; the bins themselves only where rows > 0. */
extern MlStatus ml_binned_make(MlEnv *env, const MlBinRules *rules, size_t n, size_t rows, MlBinned **binned);

/* Limits of n columns, from values[c][pick[i]] (pick NULL: values[c][i]) for i < n_values. */
extern MlStatus ml_binned_find(MlEnv *env, const MlBinRules *rules, MlBinned *const *binned, const double *const *values,
							   const uint32_t *pick, size_t n_values, size_t n);

/* Bins of n columns of so many rows. */
extern MlStatus ml_binned_fill(MlEnv *env, MlBinned *const *binned, const double *const *values, size_t n, size_t rows);

/* Looks at values of the training part for what varies and is missing.  From any thread. */
extern void ml_binned_look(MlBinned *binned, const double *x, size_t n);

#endif							/* ML_DATA_BINNED_H */
