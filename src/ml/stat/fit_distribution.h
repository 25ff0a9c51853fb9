/*-------------------------------------------------------------------------
 * fit_distribution.h
 *	  Parameters of a distribution from a column of numbers.
 *-------------------------------------------------------------------------
 */
#ifndef ML_STAT_FIT_DISTRIBUTION_H
#define ML_STAT_FIT_DISTRIBUTION_H

#include "ml/base/env.h"

typedef enum MlFitMethod
{
	ML_FIT_MLE,					/* maximum likelihood; intervals by its information */
	ML_FIT_MAP,					/* the mode of the conjugate posterior */
	ML_FIT_BAYES				/* its mean */
} MlFitMethod;

#define ML_FIT_MAX_PRIOR 4

typedef struct MlFittedParameter
{
	const char *name;
	double		estimate;
	double		std_error;		/* NaN: none */
	double		lower;			/* of the interval; NaN: none */
	double		upper;
} MlFittedParameter;

/* Most rows of a result. */
#define ML_FIT_MAX_ROWS 10

typedef struct MlFamily
{
	const char *name;
	const char *prior[ML_FIT_MAX_PRIOR + 1];	/* names of the numbers of the conjugate prior, ended by NULL; none: it has none */
	double		default_prior[ML_FIT_MAX_PRIOR];
} MlFamily;

/* Ended by a NULL name. */
extern const MlFamily ml_families[];

/* ML_BAD_PARAM, naming all, when unknown. */
extern MlStatus ml_family_get(MlEnv *env, const char *name, const MlFamily **family);

/*
 * x: n finite numbers, which are reordered.  prior: as many numbers as the family names (map and bayes).  level: of the
 * intervals, between 0 and 1.  Values that the family cannot have, or too few, are
 * ML_BAD_DATA; map and bayes without a conjugate prior ML_UNSUPPORTED.
 */
extern MlStatus ml_distribution_fit(MlEnv *env, const MlFamily *family, MlFitMethod method, const double *prior, double level,
									double *x, size_t n, MlFittedParameter *rows, int *count);

#endif							/* ML_STAT_FIT_DISTRIBUTION_H */
