/*-------------------------------------------------------------------------
 * segments_internal.h
 *	  What the segment*.c files share: answers of a group's model in the classes of the version.
 *-------------------------------------------------------------------------
 */
#ifndef ML_MODEL_SEGMENTS_INTERNAL_H
#define ML_MODEL_SEGMENTS_INTERNAL_H

#include "ml/model/segments.h"

/* Which of the version's classes each class of the group's model is; NULL where there are no classes. */
extern MlStatus ml_segment_classes(MlEnv *env, const MlSchema *of, const MlSchema *among, int32_t **class_of);

/* One answer; classes that the group has never seen have no probability.  width: doubles of an answer of the version. */
extern void ml_segment_spread(const MlModel *model, const int32_t *class_of, const double *from, size_t width, double *to);

#endif							/* ML_MODEL_SEGMENTS_INTERNAL_H */
