/*-------------------------------------------------------------------------
 * async.c
 *	  Queueing: from ml_train_async() to a dispatcher, when the transaction commits.
 *
 * The worker is registered at PRE_COMMIT, where an error still aborts the
 * transaction; it waits for the transaction's end and finds its row or does not.  Where
 * mlplat is preloaded, the launcher is told after the commit instead.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/job.h"
#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "pg/background.h"
#include "service/async_internal.h"
#include "service/train_internal.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

/* Settings of the session that decide what the source means and how it is read. */
static const char *const carried[] = {
	"search_path", "row_security", "TimeZone", "DateStyle", "IntervalStyle",
	"mlplat.threads", "mlplat.parallel_workers", "mlplat.simd"
};

/* A job queued by the transaction that is under way. */
typedef struct Pending
{
	int64		job;
	SubTransactionId subtransaction;
} Pending;

static List *pending = NIL;		/* in TopTransactionContext */

/* -- end of the transaction ------------------------------------------------- */

static void
start_dispatcher_for_commit(void)
{
	MlBackground background = {.entry = "ml_dispatcher_main", .type = "mlplat dispatcher", .database = MyDatabaseId};
	BackgroundWorkerHandle *handle;

	/* Dropped in the same transaction: the jobs are gone with it. */
	if (!OidIsValid(ml_catalog_schema()))
		return;
	background.role = ml_catalog_owner();
	background.after = GetTopTransactionIdIfAny();
	if (!ml_background_start(&background, &handle))
		ereport(WARNING,
				(errmsg("the training run stays queued, for no background worker is free"),
				 errhint("It starts with the next call of an ml_* function about jobs. You may need to increase max_worker_processes.")));
}

static void
at_transaction_end(XactEvent event, void *argument)
{
	if (pending == NIL)
		return;
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			if (!ml_launcher_is_there())
				start_dispatcher_for_commit();
			break;
		case XACT_EVENT_PRE_PREPARE:
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot PREPARE a transaction that has queued a training run")));
			break;
		case XACT_EVENT_COMMIT:
			ml_launcher_notify(MyDatabaseId);
			pending = NIL;
			break;
		case XACT_EVENT_ABORT:
			pending = NIL;
			break;
		default:
			break;
	}
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *argument)
{
	ListCell   *lc;

	if (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB)
		return;
	foreach(lc, pending)
	{
		Pending    *one = lfirst(lc);

		if (one->subtransaction != mine)
			continue;
		if (event == SUBXACT_EVENT_ABORT_SUB)
			pending = foreach_delete_current(pending, lc);
		else
			one->subtransaction = parent;
	}
}

static void
remember(int64 job)
{
	static bool registered = false;
	MemoryContext caller = MemoryContextSwitchTo(TopTransactionContext);
	Pending    *one = palloc(sizeof(Pending));

	if (!registered)
	{
		RegisterXactCallback(at_transaction_end, NULL);
		RegisterSubXactCallback(at_subtransaction_end, NULL);
		registered = true;
	}
	one->job = job;
	one->subtransaction = GetCurrentSubTransactionId();
	pending = lappend(pending, one);
	MemoryContextSwitchTo(caller);
}

bool
ml_async_is_own(int64 job)
{
	ListCell   *lc;

	foreach(lc, pending)
	{
		if (((Pending *) lfirst(lc))->job == job)
			return true;
	}
	return false;
}

/* -- queueing --------------------------------------------------------------- */

/* PostgreSQL refuses a worker that would connect as such a role; better said now than never. */
static void
require_login(void)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
	bool		can_login;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "role with OID %u does not exist", GetUserId());
	can_login = ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;
	ReleaseSysCache(tuple);
	if (!can_login)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("role \"%s\" is not permitted to log in, so no worker can train for it", GetUserNameFromId(GetUserId(), false)),
				 errhint("Use ml_train(), or queue the run as a role with LOGIN.")));
}

static char *
settings_json(void)
{
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; i < lengthof(carried); i++)
	{
		appendStringInfoString(&out, i == 0 ? "{" : ", ");
		escape_json(&out, carried[i]);
		appendStringInfoString(&out, ": ");
		escape_json(&out, GetConfigOption(carried[i], false, false));
	}
	appendStringInfoChar(&out, '}');
	return out.data;
}

int64
ml_train_enqueue(MlTrainRequest *request)
{
	MlJob		job = {0};
	MlSource   *source;

	PreventCommandDuringRecovery("ml_train_async()");
	PreventCommandIfReadOnly("ml_train_async()");
	require_login();
	source = ml_train_check(request);
	if (source->temporary)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a queued training run cannot read temporary tables"),
				 errhint("Use ml_train(), or a table that is not temporary.")));

	request->job = ml_job_next();
	job.job = request->job;
	job.asynchronous = true;
	job.model = request->model;
	job.owner = GetUserNameFromId(GetUserId(), false);
	job.request = ml_train_request_json(request);
	job.settings = settings_json();
	job.priority = request->priority;
	ml_job_insert(&job);
	remember(request->job);
	return request->job;
}

void
ml_async_kick(void)
{
	MlBackground background = {.entry = "ml_dispatcher_main", .type = "mlplat dispatcher", .database = MyDatabaseId};
	BackgroundWorkerHandle *handle;

	if (RecoveryInProgress() || !ml_job_any_queued() || ml_dispatcher_is_there() || ml_launcher_notify(MyDatabaseId))
		return;
	background.role = ml_catalog_owner();
	(void) ml_background_start(&background, &handle);
}
