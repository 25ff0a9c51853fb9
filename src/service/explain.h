/*-------------------------------------------------------------------------
 * explain.h
 *	  Why a prediction is what it is.
 *-------------------------------------------------------------------------
 */
#ifndef ML_SERVICE_EXPLAIN_H
#define ML_SERVICE_EXPLAIN_H

#include "postgres.h"

#include "service/predict.h"

typedef struct MlContribution
{
	const char *feature;		/* or "(baseline)", "(other)" */
	const char *value;			/* as text, whatever the session's settings; NULL: missing, or none */
	double		contribution;
} MlContribution;

/*
 * The baseline, then what each feature adds to the score of the row that the site has just predicted, the
 * greatest effect first.  top >= 0: only so many features, and the sum of all others as the last
 * row.  In the current memory context.  22003 where a contribution leaves the range of double precision.
 */
extern MlContribution *ml_explain_site(MlCallSite *site, int top, int *count);

#endif							/* ML_SERVICE_EXPLAIN_H */
