/*-------------------------------------------------------------------------
 * dispatcher.c
 *	  Hands out the queued jobs of one database: the highest priority first, then the
 *	  oldest, one worker for each, never more than there are slots.
 *
 * It lives while there is something to hand out.  Two of them: the second goes.
 * The first looks again after it let go of the lock, so what the second saw is not lost.
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
#include "pgstat.h"
#include "service/async_internal.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/wait_event.h"

/* A worker usually has its job in 10 ms; one that waits for a slot may wait for hours. */
#define FIRST_POLL_MS 5
#define LAST_POLL_MS 500
#define SLOT_POLL_MS 300
#define WORKER_POLL_MS 1000

/*
 * So long it waits for a worker slot of the server.  It holds one itself; if that
 * is the last, waiting for ever would help nobody.
 */
#define MAX_WORKER_POLLS 30

static void
nap(long milliseconds)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, milliseconds, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	ml_background_reload();
}

static void
begin(void)
{
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
}

static void
commit(void)
{
	PopActiveSnapshot();
	CommitTransactionCommand();
}

/* Is there room for one more run right now? */
static bool
slot_is_free(void)
{
	int			slot;

	StartTransactionCommand();
	slot = ml_slot_try(false);
	CommitTransactionCommand(); /* gives it back */
	return slot >= 0;
}

static bool
may_log_in(Oid role)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	bool		may = HeapTupleIsValid(tuple) && ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;

	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return may;
}

/* Ends a job that cannot be started at all. In a transaction. */
static void
refuse(const MlJobStart *start)
{
	MlJobEnd	end = {.job = start->job, .state = "failed", .model = start->model, .owner = start->owner_name, .sqlstate = "28000"};

	end.message = psprintf("role \"%s\" does not exist or is not permitted to log in", start->owner_name);
	ml_job_end(&end);
}

/* The best job that may start, if there is one; what can never start is ended on the way. */
static bool
next_job(MlJobStart *start, double *wait)
{
	MemoryContext context = CurrentMemoryContext;
	bool		found;

	for (;;)
	{
		bool		good;

		begin();
		found = ml_job_best(start, wait);
		good = found && OidIsValid(start->owner) && may_log_in(start->owner);
		if (found && !good)
			refuse(start);
		commit();
		MemoryContextSwitchTo(context);
		if (!found || good)
			return found;
	}
}

/* Waits until the worker has taken the job.  A worker that died before is an attempt, too. */
static void
see_it_start(const MlJobStart *start, BackgroundWorkerHandle *handle)
{
	for (long poll = FIRST_POLL_MS;; poll = Min(poll * 2, LAST_POLL_MS))
	{
		pid_t		pid;
		bool		stopped = GetBackgroundWorkerPid(handle, &pid) == BGWH_STOPPED;
		bool		waiting;

		begin();
		waiting = ml_job_is_waiting(start->job);
		if (waiting && stopped)
		{
			ml_job_started(start->job);
			CommandCounterIncrement();
			ml_job_settle();
		}
		commit();
		if (!waiting || stopped)
			return;
		nap(poll);
	}
}

static bool
start_worker(const MlJobStart *start)
{
	MlBackground background = {.entry = "ml_job_main", .type = "mlplat job", .database = MyDatabaseId,
	.role = start->owner, .job = start->job};
	BackgroundWorkerHandle *handle;

	for (int i = 0; i < MAX_WORKER_POLLS; i++)
	{
		if (ml_background_start(&background, &handle))
		{
			see_it_start(start, handle);
			return true;
		}
		nap(WORKER_POLL_MS);
	}
	ereport(LOG,
			(errmsg("mlplat: jobs stay queued, for no background worker is free"),
			 errhint("You may need to increase max_worker_processes.")));
	ml_launcher_remind(MyDatabaseId, 60);
	return false;
}

/* Hands out until nothing is left, or nothing can be started; the latter is false. */
static bool
hand_out(void)
{
	MlJobStart	start;
	double		wait;

	begin();
	ml_job_settle();
	commit();
	while (next_job(&start, &wait))
	{
		if (!slot_is_free())
			nap(SLOT_POLL_MS);
		else if (!start_worker(&start))
			return false;
	}
	if (wait > 0)
		ml_launcher_remind(MyDatabaseId, wait);
	return true;
}

static bool
any_left(void)
{
	bool		any;

	begin();
	any = ml_job_any_queued();
	commit();
	return any;
}

static bool
is_installed(void)
{
	bool		installed;

	StartTransactionCommand();
	installed = OidIsValid(ml_catalog_schema());
	CommitTransactionCommand();
	return installed;
}

PGDLLEXPORT void ml_dispatcher_main(Datum argument);

void
ml_dispatcher_main(Datum argument)
{
	const MlBackground *background = ml_background_arguments();
	MemoryContext context;

	ml_background_connect(background, "mlplat dispatcher");
	context = AllocSetContextCreate(TopMemoryContext, "mlplat dispatcher", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	ml_background_wait_for(background->after);
	if (!is_installed())
		return;
	while (ml_dispatcher_try())
	{
		bool		done = hand_out();

		ml_dispatcher_end();
		MemoryContextSwitchTo(context);
		MemoryContextReset(context);
		if (!done || !any_left())
			return;
	}
}
