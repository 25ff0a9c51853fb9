/*-------------------------------------------------------------------------
 * planned_map.h
 *	  Row maps of calls with columns, kept with the model.
 *-------------------------------------------------------------------------
 */
#ifndef ML_SERVICE_PLANNED_MAP_H
#define ML_SERVICE_PLANNED_MAP_H

#include "postgres.h"

#include "fmgr.h"
#include "service/rowmap.h"
#include "utils/array.h"

/* The arguments from "first" on as a row with these names; in the current memory context. */
typedef TupleDesc (*MlDescribeArguments) (FunctionCallInfo fcinfo, int first, ArrayType *names);

/*
 * The map of a call whose arguments from "first" on are columns of these names (NULL: those that the version reads, in its order): one that an earlier execution of such a
 * call has left with the model, or a new one.  Good as long as the model is pinned.  Errors as ml_rowmap_create().
 */
extern MlRowMap *ml_planned_map(const MlServed *served, FunctionCallInfo fcinfo, int first, ArrayType *names, MlDescribeArguments describe);

#endif							/* ML_SERVICE_PLANNED_MAP_H */
