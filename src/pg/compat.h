/*-------------------------------------------------------------------------
 * compat.h
 *	  What differs between the PostgreSQL versions we build on; the only file that
 *	  looks at PG_VERSION_NUM.  Include postgres.h first.
 *-------------------------------------------------------------------------
 */
#ifndef ML_PG_COMPAT_H
#define ML_PG_COMPAT_H

#include "fmgr.h"

/*
 * Declares a C function that SQL calls.  Before version 16 PG_FUNCTION_INFO_V1 does not
 * export the function itself, and we hide what is not exported.
 */
#define ML_FUNCTION(name) \
	extern PGDLLEXPORT Datum name(PG_FUNCTION_ARGS); \
	PG_FUNCTION_INFO_V1(name)

/* libpq/libpq.h needs headers that are not always installed; this is all we want of it. */
extern bool pq_check_connection(void);

/* Makes a fresh A_Const the constant NULL. */
#if PG_VERSION_NUM < 150000
#define ML_SET_NULL_CONST(c) ((c)->val.type = T_Null)
#define errdetail_relkind_not_supported(kind) errdetail("Relations of kind \"%c\" hold no rows to read.", kind)
#else
#define ML_SET_NULL_CONST(c) ((c)->isnull = true)
#endif

#if PG_VERSION_NUM < 150000
#define MarkGUCPrefixReserved(prefix) EmitWarningsOnPlaceholders(prefix)
#define parse_analyze_fixedparams(raw, text, types, n, environment) parse_analyze(raw, text, types, n, environment)
#endif

/* Raises 42501 when the current role may not run the planned statement.  Include executor/executor.h. */
#if PG_VERSION_NUM < 160000
#define ML_CHECK_RIGHTS(statement) ((void) ExecCheckRTPerms((statement)->rtable, true))
#else
#define ML_CHECK_RIGHTS(statement) ((void) ExecCheckPermissions((statement)->rtable, (statement)->permInfos, true))
#endif

/* Include executor/tstoreReceiver.h. */
#if PG_VERSION_NUM < 140000
#define ML_SET_TUPLESTORE(receiver, store, context) SetTuplestoreDestReceiverParams(receiver, store, context, false)
#else
#define ML_SET_TUPLESTORE(receiver, store, context) SetTuplestoreDestReceiverParams(receiver, store, context, false, NULL, NULL)
#endif

/* A custom node that projects; before version 15 all do.  Include nodes/extensible.h. */
#ifdef CUSTOMPATH_SUPPORT_PROJECTION
#define ML_CUSTOM_PROJECTS CUSTOMPATH_SUPPORT_PROJECTION
#else
#define ML_CUSTOM_PROJECTS 0
#endif

/* Whether the current role may call a function.  Include catalog/pg_proc.h, miscadmin.h and utils/acl.h. */
#if PG_VERSION_NUM < 160000
#define ML_MAY_EXECUTE(function) (pg_proc_aclcheck(function, GetUserId(), ACL_EXECUTE) == ACLCHECK_OK)
#else
#define ML_MAY_EXECUTE(function) (object_aclcheck(ProcedureRelationId, function, GetUserId(), ACL_EXECUTE) == ACLCHECK_OK)
#endif

#if PG_VERSION_NUM < 170000
#define ML_INTERVAL_IS_FINITE(i) ((void) (i), true)
#else
#define ML_INTERVAL_IS_FINITE(i) (!INTERVAL_NOT_FINITE(i))
#endif

/* Since version 17 no snapshot is ever too old.  Include storage/bufmgr.h. */
#if PG_VERSION_NUM < 170000
#define ML_TEST_OLD_SNAPSHOT(snapshot, relation, page) TestForOldSnapshot(snapshot, relation, page)
#else
#define ML_TEST_OLD_SNAPSHOT(snapshot, relation, page) ((void) (page))
#endif

/* Columns that are computed when they are read. */
#if PG_VERSION_NUM < 180000
#define ML_HAS_VIRTUAL_COLUMNS(columns) ((void) (columns), false)
#else
#define ML_HAS_VIRTUAL_COLUMNS(columns) ((columns)->constr != NULL && (columns)->constr->has_generated_virtual)
#endif

#if PG_VERSION_NUM < 180000
#define ML_EXECUTOR_RUN(desc) ExecutorRun(desc, ForwardScanDirection, 0, true)
#else
#define ML_EXECUTOR_RUN(desc) ExecutorRun(desc, ForwardScanDirection, 0)
#endif

/* Has shared memory asked for by request(): at once, or when PostgreSQL calls the hooks.  Include storage/ipc.h. */
#if PG_VERSION_NUM < 150000
typedef void (*shmem_request_hook_type) (void);
#define ML_REQUEST_SHMEM(previous, request) ((previous) = NULL, (request)())
#define shm_mq_send(queue, length, data, nowait, flush) shm_mq_send(queue, length, data, nowait)
#else
#define ML_REQUEST_SHMEM(previous, request) ((previous) = shmem_request_hook, shmem_request_hook = (request))
#endif

#if PG_VERSION_NUM >= 160000
#define pgstat_fetch_stat_local_beentry(i) pgstat_get_local_beentry_by_index(i)
#endif

#endif							/* ML_PG_COMPAT_H */
