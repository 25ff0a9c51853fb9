/*-------------------------------------------------------------------------
 * pipeline_internal.h
 *	  What training and judging an existing model share.
 *-------------------------------------------------------------------------
 */
#ifndef ML_MODEL_PIPELINE_INTERNAL_H
#define ML_MODEL_PIPELINE_INTERNAL_H

#include "ml/data/frame.h"

/* weight (n, out; NULL without such a column) of the rows "order". */
extern MlStatus ml_pipeline_weights(MlEnv *env, const MlFrame *frame, const size_t *order, size_t n, double **weight);

#endif							/* ML_MODEL_PIPELINE_INTERNAL_H */
