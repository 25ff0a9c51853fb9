/*-------------------------------------------------------------------------
 * evaluate.h
 *	  How good a version is: as measured when it was trained, or on other rows now.
 *-------------------------------------------------------------------------
 */
#ifndef ML_SERVICE_EVALUATE_H
#define ML_SERVICE_EVALUATE_H

#include "postgres.h"

#include "ml/model/pipeline.h"
#include "service/serving.h"

typedef struct MlEvaluation
{
	const MlServed *served;
	int			n_metrics;
	MlMetric	metrics[ML_MAX_METRICS];	/* in the order of ml_metric_infos */
	const int64 *confusion;		/* n_classes x n_classes, actual x predicted; NULL for regression */
	int			n_roc;
	const MlRocPoint *roc;		/* of binary models, thresholds falling */
} MlEvaluation;

/*
 * source NULL: the stored hold-out figures, for which READ is needed; 55000 when the
 * version had no hold-out.  Otherwise the rows of the source, which must have the target and the
 * columns of the model; PREDICT is enough.  Everything lives until owner is reset.
 */
extern MlEvaluation *ml_evaluate_version(const char *reference, const char *source, MemoryContext owner);

/* Serves a version to somebody who has READ on its model. */
extern MlServed *ml_serve_to_reader(const char *reference, MemoryContext owner);

#endif							/* ML_SERVICE_EVALUATE_H */
