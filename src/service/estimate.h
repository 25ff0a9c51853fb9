/*-------------------------------------------------------------------------
 * estimate.h
 *	  What a training run would read and need, without running it.
 *-------------------------------------------------------------------------
 */
#ifndef ML_SERVICE_ESTIMATE_H
#define ML_SERVICE_ESTIMATE_H

#include "postgres.h"

#include "service/train.h"

typedef struct MlEstimate
{
	double		rows;			/* as the planner sees it */
	int			features;
	size_t		memory;			/* bytes; SIZE_MAX: beyond counting */
	List	   *excluded;		/* of char *: "column: why" */
	List	   *warnings;		/* of char * */
} MlEstimate;

/* Raises what ml_train would raise about the source, its columns and the parameters, but the memory limit. */
extern MlEstimate *ml_estimate_run(MlTrainRequest *request);

#endif							/* ML_SERVICE_ESTIMATE_H */
