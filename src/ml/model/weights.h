/*-------------------------------------------------------------------------
 * weights.h
 *	  What rows count: weights of the user, and those that make classes equal.
 *-------------------------------------------------------------------------
 */
#ifndef ML_MODEL_WEIGHTS_H
#define ML_MODEL_WEIGHTS_H

#include "ml/data/frame.h"

/* weight (n, out; NULL where the frame has no such column) of the rows "order". */
extern MlStatus ml_weights_gather(MlEnv *env, const MlFrame *frame, const size_t *order, size_t n, double **weight);

/*
 * n_train / (classes * rows of the class), times what the user says (NULL: 1), so that every class has the same share of the first
 * n_train rows; each class has one there.  y: class index, below 0 for a row that has none, which counts as the user says.
 * ML_BAD_PARAM where the sum of all is no number any more.
 */
extern MlStatus ml_weights_balance(MlEnv *env, int32_t classes, size_t n_train, size_t n, const double *y, const double *weight, double **balanced);

#endif							/* ML_MODEL_WEIGHTS_H */
