/*-------------------------------------------------------------------------
 * train_internal.h
 *	  What the train_*.c files share among themselves.
 *-------------------------------------------------------------------------
 */
#ifndef ML_SERVICE_TRAIN_INTERNAL_H
#define ML_SERVICE_TRAIN_INTERNAL_H

#include "postgres.h"

#include "catalog/resolve.h"
#include "pg/scan.h"
#include "pg/source.h"
#include "service/train.h"

/* The lists of columns, as far as they can be wrong before the source is known. */
extern void ml_train_check_lists(const MlTrainRequest *request);

/* Algorithm and hyper-parameters of a request, in env's arena; raises 22023 naming the parameter. */
extern void ml_train_params(MlEnv *env, const MlTrainRequest *request, const MlMethod **method, MlParams **params, MlTask *task,
							MlSemi *semi);

/* All that ml_pipeline_run() wants to know but the rival. */
extern MlTrainSpec *ml_train_spec(MlEnv *env, const MlTrainRequest *request);

/*
 * The version that a parameter such as warm_start names, when the current role may read it: 42704, 42501.  False: none is
 * named.
 */
extern bool ml_train_initial(const MlTrainSpec *spec, MlResolved *resolved);

/* Which columns will be read; raises what is wrong with them. */
extern MlScanPlan *ml_train_plan(const MlTrainRequest *request, MlSource *source, const MlTrainSpec *spec);

/* Bytes a run needs by the planner's row estimate; SIZE_MAX: beyond counting.  The check raises 53400. */
extern size_t ml_train_memory(const MlTrainSpec *spec, const MlScanPlan *plan, int threads);
extern void ml_train_check_memory(const MlTrainSpec *spec, const MlScanPlan *plan, int threads);

/* Shows in pg_stat_activity what this process does. */
extern void ml_train_report_name(const MlTrainRequest *request);

/* 'cancelled' or 'failed'. */
extern const char *ml_train_state_of(const ErrorData *error);

/* The one line about a run in the server log. */
extern void ml_train_log(const MlTrainRequest *request, const MlTrainReport *report, const MlRunProgress *progress);

#endif							/* ML_SERVICE_TRAIN_INTERNAL_H */
