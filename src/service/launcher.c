/*-------------------------------------------------------------------------
 * launcher.c
 *	  Where mlplat is preloaded: one process that starts a dispatcher in each
 *	  database that has jobs to hand out.
 *
 * It is connected to no database, so it never stands in the way of DROP DATABASE or
 * CREATE DATABASE.  Who queues a job puts its database into a list in shared memory;
 * after a start, when nobody has told it anything yet, it visits each database that
 * accepts connections once, for jobs that were queued or running when the server stopped.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pg/background.h"
#include "pg/compat.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "service/async_internal.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#define MAX_DATABASES 128
#define RETRY_MS 1000
#define RESTART_SECONDS 10

typedef struct Wish
{
	Oid			database;
	TimestampTz at;				/* not before */
} Wish;

typedef struct LauncherState
{
	slock_t		lock;
	Latch	   *latch;			/* of the launcher; NULL while it does not run */
	bool		visit_all;		/* after a start, or when the list was full */
	int			n_wishes;
	Wish		wishes[MAX_DATABASES];
} LauncherState;

static LauncherState *state = NULL;
static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

/* -- told by others --------------------------------------------------------- */

bool
ml_launcher_is_there(void)
{
	return state != NULL && state->latch != NULL;
}

/* Under the lock: the earlier time counts. */
static void
add_wish(Oid database, TimestampTz at)
{
	for (int i = 0; i < state->n_wishes; i++)
	{
		if (state->wishes[i].database == database)
		{
			state->wishes[i].at = Min(state->wishes[i].at, at);
			return;
		}
	}
	if (state->n_wishes == MAX_DATABASES)
		state->visit_all = true;
	else
		state->wishes[state->n_wishes++] = (Wish) {database, at};
}

static bool
wish(Oid database, TimestampTz at)
{
	Latch	   *latch;

	if (state == NULL)
		return false;
	SpinLockAcquire(&state->lock);
	latch = state->latch;
	add_wish(database, at);
	SpinLockRelease(&state->lock);
	if (latch != NULL)
		SetLatch(latch);
	return latch != NULL;
}

bool
ml_launcher_notify(Oid database)
{
	return wish(database, 0);
}

void
ml_launcher_remind(Oid database, double seconds)
{
	wish(database, GetCurrentTimestamp() + (TimestampTz) (seconds * 1000000.0));
}

/* -- the launcher ----------------------------------------------------------- */

static void
set_latch(Latch *latch)
{
	SpinLockAcquire(&state->lock);
	state->latch = latch;
	if (latch != NULL)
		state->visit_all = true;
	SpinLockRelease(&state->lock);
}

static void
at_exit(int code, Datum argument)
{
	set_latch(NULL);
}

/* Databases to visit when nobody has said which. */
static List *
all_databases(void)
{
	MemoryContext context = CurrentMemoryContext;
	List	   *databases = NIL;
	Relation	relation;
	TableScanDesc scan;
	HeapTuple	tuple;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	relation = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(relation, 0, NULL);
	while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection)))
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);
		MemoryContext caller;

		if (!database->datallowconn)
			continue;
		caller = MemoryContextSwitchTo(context);
		databases = lappend_oid(databases, database->oid);
		MemoryContextSwitchTo(caller);
	}
	table_endscan(scan);
	table_close(relation, AccessShareLock);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	return databases;
}

/* Takes the wishes whose time has come; *next: milliseconds until the next one, -1 for none. */
static List *
take_wishes(bool *visit_all, long *next)
{
	Oid			due[MAX_DATABASES];
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz earliest = 0;
	List	   *list = NIL;
	int			n = 0;
	int			kept = 0;

	SpinLockAcquire(&state->lock);
	*visit_all = state->visit_all;
	state->visit_all = false;
	for (int i = 0; i < state->n_wishes; i++)
	{
		if (state->wishes[i].at <= now)
			due[n++] = state->wishes[i].database;
		else
		{
			earliest = earliest == 0 ? state->wishes[i].at : Min(earliest, state->wishes[i].at);
			state->wishes[kept++] = state->wishes[i];
		}
	}
	state->n_wishes = kept;
	SpinLockRelease(&state->lock);

	*next = earliest == 0 ? -1 : TimestampDifferenceMilliseconds(now, earliest) + 1;
	for (int i = 0; i < n; i++)
		list = lappend_oid(list, due[i]);
	return list;
}

/* Starts a dispatcher, or asks to be reminded. */
static void
visit(Oid database)
{
	MlBackground background = {.entry = "ml_dispatcher_main", .type = "mlplat dispatcher", .database = database};
	BackgroundWorkerHandle *handle;

	if (!ml_background_start(&background, &handle))
		ml_launcher_remind(database, RETRY_MS / 1000.0);
}

/* Visits each database in turn, one dispatcher at a time: most have nothing to do. */
static void
visit_each(List *databases)
{
	ListCell   *lc;

	foreach(lc, databases)
	{
		MlBackground background = {.entry = "ml_dispatcher_main", .type = "mlplat dispatcher", .database = lfirst_oid(lc)};
		BackgroundWorkerHandle *handle;
		pid_t		pid;

		if (!ml_background_start(&background, &handle))
		{
			ml_launcher_remind(lfirst_oid(lc), RETRY_MS / 1000.0);
			continue;
		}
		while (GetBackgroundWorkerPid(handle, &pid) == BGWH_NOT_YET_STARTED)
		{
			(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 100, PG_WAIT_EXTENSION);
			ResetLatch(MyLatch);
			CHECK_FOR_INTERRUPTS();
		}
	}
}

PGDLLEXPORT void ml_launcher_main(Datum argument);

void
ml_launcher_main(Datum argument)
{
	MemoryContext context;

	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	pgstat_report_appname("mlplat launcher");
	before_shmem_exit(at_exit, (Datum) 0);
	set_latch(MyLatch);
	context = AllocSetContextCreate(TopMemoryContext, "mlplat launcher", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);

	for (;;)
	{
		bool		visit_all;
		long		next;
		List	   *due;
		ListCell   *lc;

		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		ml_background_reload();
		due = take_wishes(&visit_all, &next);
		foreach(lc, due)
			visit(lfirst_oid(lc));
		if (visit_all)
			visit_each(all_databases());
		MemoryContextReset(context);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (next >= 0 ? WL_TIMEOUT : 0), next, PG_WAIT_EXTENSION);
	}
}

/* -- at library load -------------------------------------------------------- */

static void
request_memory(void)
{
	if (previous_request_hook != NULL)
		previous_request_hook();
	RequestAddinShmemSpace(MAXALIGN(sizeof(LauncherState)));
}

static void
start_memory(void)
{
	bool		found;

	if (previous_startup_hook != NULL)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	state = ShmemInitStruct("mlplat launcher", sizeof(LauncherState), &found);
	if (!found)
	{
		memset(state, 0, sizeof(*state));
		SpinLockInit(&state->lock);
	}
	LWLockRelease(AddinShmemInitLock);
}

void
ml_launcher_init(void)
{
	BackgroundWorker worker = {0};

	if (!process_shared_preload_libraries_in_progress)
		return;
	ML_REQUEST_SHMEM(previous_request_hook, request_memory);
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = start_memory;

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = RESTART_SECONDS;
	strlcpy(worker.bgw_library_name, "mlplat", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "ml_launcher_main", BGW_MAXLEN);
	strlcpy(worker.bgw_name, "mlplat launcher", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "mlplat launcher", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}
