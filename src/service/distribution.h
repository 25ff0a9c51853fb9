/*-------------------------------------------------------------------------
 * distribution.h
 *	  Parameters of a distribution from a column of a source.
 *-------------------------------------------------------------------------
 */
#ifndef ML_SERVICE_DISTRIBUTION_H
#define ML_SERVICE_DISTRIBUTION_H

#include "postgres.h"

#include "ml/stat/fit_distribution.h"
#include "utils/jsonb.h"

/*
 * Reads the column in this session and fits.  method: "mle", "map" or "bayes"; prior (may be NULL): numbers by name.  The
 * result is in the current memory context.  NULL values are left out.
 */
extern MlFittedParameter *ml_fit_column(const char *source, const char *column, const char *family, const char *method,
										Jsonb *prior, double level, int *count);

#endif							/* ML_SERVICE_DISTRIBUTION_H */
