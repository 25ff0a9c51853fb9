/*-------------------------------------------------------------------------
 * batch_plan.h
 *	  ml_predict_batch() in FROM as a part of the query around it.
 *-------------------------------------------------------------------------
 */
#ifndef ML_SERVICE_BATCH_PLAN_H
#define ML_SERVICE_BATCH_PLAN_H

#include "postgres.h"

#include "nodes/extensible.h"
#include "nodes/pathnodes.h"
#include "nodes/plannodes.h"
#include "nodes/primnodes.h"
#include "service/serving.h"

/* What a column of the result holds. */
typedef enum MlBatchColumn
{
	ML_BATCH_INPUT,				/* a column of the node below: the id; see MlBatchOutput */
	ML_BATCH_PREDICTION,
	ML_BATCH_LABEL,
	ML_BATCH_PROBABILITY,
	ML_BATCH_VERSION
} MlBatchColumn;

/*
 * When the planner simplifies a call of ml_predict_batch: puts a subquery over the rows of the source in place of the function in FROM, where
 * its arguments are constants and the subquery answers the same.  Where it does not, the statement
 * is not run in parallel, for the source may hold what a worker must not do.
 */
extern void ml_batch_plan(PlannerInfo *root, const FuncExpr *call);

/*
 * The same for a call that was not replaced, when it runs: a statement whose rows are those of the function, planned for the version
 * served.  NULL where the rows have to be predicted as they come out of the source.
 */
extern PlannedStmt *ml_batch_statement(const MlServed *served, const char *reference, const char *source, const char *id);

/* At the start of the library: the planner hook and the name of the node. */
extern void ml_batch_plan_init(void);

/* Of the node (batch_scan.c). */
extern const CustomScanMethods ml_batch_scan_methods;

/*
 * custom_private of the node: the model's name and the version planned for, names of the columns that the version reads (the first ones of
 * the node below), and for each column of the result what it holds and, for ML_BATCH_INPUT, its place below.
 */
#define ML_BATCH_PRIVATE(model, version_id, names, kinds, places) list_make5(model, version_id, names, kinds, places)
#define ML_BATCH_PRIVATE_MODEL 0	/* Const, text */
#define ML_BATCH_PRIVATE_VERSION 1	/* Const, bigint */
#define ML_BATCH_PRIVATE_NAMES 2	/* of String */
#define ML_BATCH_PRIVATE_KINDS 3	/* of int */
#define ML_BATCH_PRIVATE_PLACES 4	/* of int */

#endif							/* ML_SERVICE_BATCH_PLAN_H */
