/*-------------------------------------------------------------------------
 * transform.h
 *	  The argument "transform" of ml_train, and what it means for reading.
 *
 * {"column": step}, {"column": [step, ...]}; a step is a name, or an object with one key: the
 * name, and its options.
 *-------------------------------------------------------------------------
 */
#ifndef ML_SERVICE_TRANSFORM_H
#define ML_SERVICE_TRANSFORM_H

#include "postgres.h"

#include "ml/model/model.h"
#include "pg/scan.h"

/* jsonb as text (NULL: none) -> steps, in the current memory context; NULL for none.  22023 says what is wrong and what there is. */
extern MlPrepSpec *ml_transform_parse(MlEnv *env, const char *transform);

/* Columns that have to be read in a form of their own. */
extern MlInputForm *ml_transform_forms(const MlPrepSpec *spec, int *count);

#endif							/* ML_SERVICE_TRANSFORM_H */
