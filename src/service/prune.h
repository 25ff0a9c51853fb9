/*-------------------------------------------------------------------------
 * prune.h
 *	  Calls with a whole row become calls with the columns that the model reads.
 *-------------------------------------------------------------------------
 */
#ifndef ML_SERVICE_PRUNE_H
#define ML_SERVICE_PRUNE_H

#include "postgres.h"

#include "nodes/pathnodes.h"
#include "nodes/primnodes.h"
#include "service/serving.h"

/* How a call of one of our functions names its model; false when its first arguments are no constants. */
extern bool ml_call_key(const FuncExpr *call, MlModelKey *key);

/*
 * The call to put in place of this one, or NULL to leave it as it is.  root may be NULL.  Adds mlplat.deployment to
 * what the plan depends on, for another version may read other columns.
 */
extern Node *ml_prune_call(PlannerInfo *root, const FuncExpr *call);

/*
 * The model that calls of this planner run are planned for, NULL where they have to stay as they are: see ml_serve_quietly().
 * Adds mlplat.deployment to what the plan depends on.
 */
extern const MlServed *ml_planned_model(PlannerInfo *root, const MlModelKey *key);

#endif							/* ML_SERVICE_PRUNE_H */
