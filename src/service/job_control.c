/*-------------------------------------------------------------------------
 * job_control.c
 *	  Waiting for jobs and stopping them.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "catalog/catalog.h"
#include "catalog/job.h"
#include "catalog/model.h"
#include "catalog/pg_authid.h"
#include "catalog/tables.h"
#include "miscadmin.h"
#include "pg/locks.h"
#include "pg/progress.h"
#include "pgstat.h"
#include "service/async.h"
#include "service/job_control.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

/* Short jobs are waited for closely, long ones without haste. */
#define FIRST_POLL_MS 10
#define LAST_POLL_MS 250

/* While a job waits in the queue, look this often whether somebody hands it out. */
#define KICK_MS 1000

bool
ml_job_visible(const char *owner, const char *model, TimestampTz queued_at)
{
	Oid			role = get_role_oid(owner, true);
	MlModelRow	row;

	if (OidIsValid(role) && has_privs_of_role(GetUserId(), role))
		return true;
	if (has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS))
		return true;
	return ml_model_read(model, GetActiveSnapshot(), &row) && queued_at >= row.created_at &&
		ml_model_privilege(row.model_id, GetUserId(), GetActiveSnapshot()) >= ML_PRIVILEGE_READ;
}

/* The job as the current role may see it: to anybody else it does not exist.  A state alone gives nothing away. */
static MlJobState *
require_job(int64 job)
{
	MlJobState *state = ml_job_state(job);

	if (state == NULL || !ml_job_visible(state->owner, state->model, DT_NOEND))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("job " INT64_FORMAT " does not exist", job),
				 errhint("The view ml_jobs lists jobs. One that a transaction has queued appears when it commits.")));
	return state;
}

static bool
is_open(const MlJobState *state)
{
	return strcmp(state->state, "queued") == 0 || strcmp(state->state, "running") == 0;
}

static void
nap(long milliseconds)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, milliseconds, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

const char *
ml_job_wait(int64 job, double seconds)
{
	TimestampTz began = GetCurrentTimestamp();
	TimestampTz kicked = 0;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ml_wait", ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	MlJobState *state;

	if (ml_async_is_own(job))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("job " INT64_FORMAT " was queued by this transaction and cannot start before it commits", job),
				 errhint("COMMIT first, then wait.")));
	for (long poll = FIRST_POLL_MS;; poll = Min(poll + 1, LAST_POLL_MS))
	{
		TimestampTz now;

		MemoryContextReset(context);
		state = require_job(job);
		now = GetCurrentTimestamp();
		if (!is_open(state) || (seconds >= 0 && (now - began) / 1000000.0 >= seconds))
			break;
		if (strcmp(state->state, "queued") == 0 && TimestampDifferenceExceeds(kicked, now, KICK_MS))
		{
			kicked = now;
			ml_async_kick();
		}
		nap(poll);
	}
	MemoryContextSwitchTo(caller);
	return pstrdup(state->state);
}

static void
require_right_to_stop(int64 job, const MlJobState *state)
{
	Oid			owner = get_role_oid(state->owner, true);

	if (superuser() || (OidIsValid(owner) && has_privs_of_role(GetUserId(), owner)))
		return;
	/* As for pg_cancel_backend(): but not those of a superuser. */
	if (has_privs_of_role(GetUserId(), ROLE_PG_SIGNAL_BACKEND) && !(OidIsValid(owner) && superuser_arg(owner)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to cancel job " INT64_FORMAT, job),
			 errhint("Its owner can cancel it, and members of pg_signal_backend.")));
}

/* Ends a job that no worker has taken; in the caller's transaction, like the queueing. */
static bool
stop_queued(int64 job)
{
	MlJob	   *claimed = ml_job_claim(job);
	MlJobEnd	end = {.job = job, .state = "cancelled", .sqlstate = "57014", .message = "cancelled before it started"};

	if (claimed == NULL)
		return false;
	end.model = claimed->model;
	end.owner = claimed->owner;
	ml_job_end(&end);
	return true;
}

/*
 * As pg_cancel_backend() does it.  A session holds the liveness lock of its run to the end
 * of its transaction; only while it publishes progress is it the run that would be cancelled.
 */
static bool
stop_running(int64 job, bool asynchronous)
{
	int			pid = ml_progress_pid(job);

	if (pid == 0 && asynchronous)
		pid = ml_job_pid(job);
	return pid != 0 && pid != MyProcPid && kill(pid, SIGINT) == 0;
}

bool
ml_job_stop(int64 job)
{
	MlJobState *state;

	PreventCommandDuringRecovery("ml_cancel()");
	if (ml_async_is_own(job))
		return stop_queued(job);
	state = require_job(job);
	require_right_to_stop(job, state);
	if (strcmp(state->state, "interrupted") == 0)
		ml_job_settle();		/* so that it does not wait for another attempt */
	else if (!is_open(state))
		return false;
	if (stop_queued(job) || stop_running(job, state->asynchronous))
		return true;

	/* It may have been taken, or have ended, between the two looks. */
	CHECK_FOR_INTERRUPTS();
	return is_open(require_job(job)) && stop_running(job, state->asynchronous);
}
