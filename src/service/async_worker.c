/*-------------------------------------------------------------------------
 * async_worker.c
 *	  The worker of a queued run: connected as the job's owner, with transactions of its own.
 *
 * Takes a slot, claims the job and counts the attempt (committed before the work,
 * so that a crash counts), reads in one transaction, computes outside of any,
 * stores in another.  Whatever ends it, it says so in mlplat.job_end; only
 * the end of the server leaves the job open, to be tried again.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/job.h"
#include "miscadmin.h"
#include "pg/background.h"
#include "pgstat.h"
#include "service/async_internal.h"
#include "service/train_internal.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

static struct
{
	MlJob	   *job;			/* NULL: none claimed */
	MlRunProgress progress;
	MemoryContext context;		/* of the run */
	TimestampTz looked;			/* whether the extension is still there */
	volatile sig_atomic_t server_stops;
}			current;

/* How often a run looks whether there is still something to run for. */
#define LOOK_MS 1000

/* The postmaster sends SIGTERM when the server stops; anybody else means this job. */
static void
on_sigterm(int number, siginfo_t *info, void *context)
{
	if (info->si_pid == PostmasterPid)
		current.server_stops = true;
	die(number);
}

static void
catch_sigterm(void)
{
	struct sigaction action = {0};

	action.sa_sigaction = on_sigterm;
	action.sa_flags = SA_RESTART | SA_SIGINFO;
	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
}

static void
begin(void)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(current.context);
}

static void
commit(void)
{
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(current.context);
}

/* In a transaction of its own, where there is none. */
static bool
is_installed(void)
{
	bool		installed;

	StartTransactionCommand();
	installed = OidIsValid(ml_catalog_schema());
	CommitTransactionCommand();
	MemoryContextSwitchTo(current.context);
	return installed;
}

/*
 * A run that computes holds no lock, so the extension may go away meanwhile: then there is
 * nothing to compute for.
 */
static void
stop_when_dropped(void)
{
	TimestampTz now = GetCurrentTimestamp();

	if (IsTransactionState() || !TimestampDifferenceExceeds(current.looked, now, LOOK_MS))
		return;
	current.looked = now;
	if (is_installed())
		return;
	QueryCancelPending = true;
	InterruptPending = true;
}

static void
told(void)
{
	MemoryContext caller = CurrentMemoryContext;

	ml_progress_publish(&current.progress);
	stop_when_dropped();
	MemoryContextSwitchTo(caller);
}

/* -- the end ---------------------------------------------------------------- */

static void
write_end(const char *state, int32 version, const char *sqlstate, const char *message)
{
	MlJobEnd	end = {0};

	end.job = current.job->job;
	end.state = state;
	end.model = current.job->model;
	end.owner = current.job->owner;
	end.version = version;
	end.phase = ml_progress_phase_name(current.progress.phase);
	end.sqlstate = sqlstate;
	end.message = message;
	end.peak_memory = current.progress.peak_memory;
	end.started_at = current.progress.started;
	ml_job_end(&end);
}

/* A terminated worker ends by FATAL, which no PG_CATCH sees. */
static void
at_exit(int code, Datum argument)
{
	if (current.job == NULL || current.server_stops)
		return;
	AbortOutOfAnyTransaction();
	if (is_installed())
	{
		begin();
		write_end("cancelled", 0, "57P01", "the worker was terminated");
		commit();
	}
	current.job = NULL;
}

static void
end_failed(const ErrorData *error)
{
	const char *state = ml_train_state_of(error);

	if (!is_installed())
	{
		ereport(LOG,
				(errmsg("mlplat: job " INT64_FORMAT ": training of \"%s\" stopped, for the extension was dropped", current.job->job, current.job->model)));
		return;
	}
	begin();
	write_end(state, 0, unpack_sql_state(error->sqlerrcode), error->message);
	commit();
	ereport(LOG,
			(errmsg("mlplat: job " INT64_FORMAT ": training of \"%s\" %s in phase %s: %s", current.job->job, current.job->model,
					state, ml_progress_phase_name(current.progress.phase), error->message),
			 errhidestmt(true), errhidecontext(true)));
}

/* -- the run ---------------------------------------------------------------- */

static void
apply_settings(const char *json)
{
	Jsonb	   *object = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
	JsonbIterator *it = JsonbIteratorInit(&object->root);
	JsonbIteratorToken token;
	JsonbValue	value;

	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		char	   *name;

		if (token != WJB_KEY)
			continue;
		name = pnstrdup(value.val.string.val, value.val.string.len);
		JsonbIteratorNext(&it, &value, true);
		if (value.type == jbvString)
			SetConfigOption(name, pnstrdup(value.val.string.val, value.val.string.len), PGC_USERSET, PGC_S_SESSION);
	}
}

/* The rows are in: from here on no snapshot and no lock is held. */
static void
end_reading(void)
{
	commit();
}

static void
train(void)
{
	MlTrainRequest *request;
	MlTrainOutcome *outcome;
	MlTrainReport *report;

	begin();
	if (current.job->settings != NULL)
		apply_settings(current.job->settings);
	request = ml_train_request_parse(current.job->request);
	request->job = current.job->job;
	ml_train_report_name(request);
	pgstat_report_activity(STATE_RUNNING, request->source);

	/* Rights, tables and the version in production may have changed since it was queued. */
	(void) ml_train_check(request);
	outcome = ml_train_compute(request, &current.progress, told, end_reading);

	ml_progress_phase(&current.progress, ML_PHASE_STORE);
	told();
	begin();
	ml_train_seal(outcome);
	report = ml_train_store(request, outcome);
	write_end("succeeded", report->version, NULL, NULL);
	commit();
	ml_train_log(request, report, &current.progress);
}

static void
train_and_say_so(void)
{
	PG_TRY();
	{
		RESUME_INTERRUPTS();	/* held since the claim */
		train();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(current.context);
		error = CopyErrorData();
		HOLD_INTERRUPTS();
		EmitErrorReport();
		FlushErrorState();
		AbortCurrentTransaction();
		MemoryContextSwitchTo(current.context);
		RESUME_INTERRUPTS();
		QueryCancelPending = false; /* it has done what it was for */
		end_failed(error);
	}
	PG_END_TRY();
}

/*
 * Claims the job; the lock says that it runs, the commit that it was tried.  Who sees the
 * lock may cancel; that is served where the error is recorded, in train_and_say_so().
 */
static bool
claim(int64 job)
{
	MlJob	   *claimed;

	HOLD_INTERRUPTS();
	begin();
	claimed = ml_job_claim(job);
	if (claimed != NULL)
	{
		ml_lock_job(job, true);
		ml_job_started(job);
		ml_progress_init(&current.progress, job, GetUserId());
	}
	commit();
	if (claimed == NULL)
		RESUME_INTERRUPTS();
	current.job = claimed;
	return claimed != NULL;
}

PGDLLEXPORT void ml_job_main(Datum argument);

void
ml_job_main(Datum argument)
{
	const MlBackground *background = ml_background_arguments();
	int			slot;

	ml_background_connect(background, "mlplat job");
	catch_sigterm();
	current.context = AllocSetContextCreate(TopMemoryContext, "mlplat job", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(current.context);
	before_shmem_exit(at_exit, (Datum) 0);

	begin();
	slot = ml_slot_take(true, ml_background_reload);
	commit();
	if (claim(background->job))
	{
		ml_progress_begin();
		told();
		train_and_say_so();
		ml_progress_end();
		current.job = NULL;
		ml_unlock_job(background->job, true);
	}
	ml_slot_give(slot, true);

	/* A dispatcher that gave up for want of a worker may be wanted now. */
	if (is_installed())
	{
		begin();
		ml_async_kick();
		commit();
	}
	pgstat_report_activity(STATE_IDLE, NULL);
}
