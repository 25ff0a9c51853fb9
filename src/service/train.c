/*-------------------------------------------------------------------------
 * train.c
 *	  The synchronous run: in a worker of the session or in the session itself,
 *	  recorded, limited, stored in the caller's transaction.
 *
 * Order of things: what can be checked is checked before the run exists;
 * then it has a number, a liveness lock (to the end of the transaction) and a record;
 * then a slot for as long as it computes.  Nothing is written before the outcome is here.
 *
 * A failure is recorded before the transaction is aborted, by a process of its own; a
 * success by the caller's transaction, so that ROLLBACK leaves none.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/parallel.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/job.h"
#include "miscadmin.h"
#include "ml/base/sha256.h"
#include "pg/locks.h"
#include "pg/settings.h"
#include "pg/worker.h"
#include "service/async.h"
#include "service/recorder.h"
#include "service/train_internal.h"
#include "storage/ipc.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* A long run tells its client how far it is at most this often. */
#define NOTICE_SECONDS 5

/* Bytes hashed between two looks for interrupts. */
#define HASH_PIECE ((Size) 16 * 1024 * 1024)

/* The run of this session; there is one at a time. */
static struct
{
	bool		active;			/* begun, and not ended yet */
	Oid			catalog_owner;
	MlRunProgress *progress;
	TimestampTz noticed;
	char		model[NAMEDATALEN];
	char		owner[NAMEDATALEN];
}			current;

/* -- telling how far it is -------------------------------------------------- */

static void
notice_progress(const MlRunProgress *progress, TimestampTz now)
{
	double		left = ml_progress_seconds_left(progress, now);
	char	   *details = ml_progress_describe(progress);

	if (isnan(left))
		ereport(NOTICE,
				(errmsg("training \"%s\": %s, %.0f %% done%s%s", current.model, ml_progress_phase_name(progress->phase),
						100 * ml_progress_share(progress), details[0] != '\0' ? ", " : "", details)));
	else
		ereport(NOTICE,
				(errmsg("training \"%s\": %s, %.0f %% done%s%s, about %.0f s left", current.model, ml_progress_phase_name(progress->phase),
						100 * ml_progress_share(progress), details[0] != '\0' ? ", " : "", details, ceil(left))));
	pfree(details);
}

/* Each 100 ms while a worker works, and at each step of a run in the session itself. */
static void
tick(const MlRunProgress *progress)
{
	TimestampTz now;

	if (progress != current.progress)
		*current.progress = *progress;
	ml_progress_publish(current.progress);
	if (!ml_setting_progress)
		return;
	now = GetCurrentTimestamp();
	if (!TimestampDifferenceExceeds(current.noticed, now, NOTICE_SECONDS * 1000))
		return;
	current.noticed = now;
	notice_progress(current.progress, now);
}

/* While it computes here, src/ml asks for the client by itself, and must not be jumped out of. */
static void
told(void)
{
	tick(current.progress);
	if (current.progress->phase <= ML_PHASE_READ)
		ml_client_check();
}

/* -- computing -------------------------------------------------------------- */

PGDLLEXPORT void ml_train_worker_main(dsm_segment *seg, shm_toc *toc);

void
ml_train_worker_main(dsm_segment *seg, shm_toc *toc)
{
	MlWorkerCall call;
	MlTrainRequest *request;
	MlTrainOutcome *outcome;
	StringInfoData bytes;

	ml_worker_attach(seg, toc, &call);
	request = ml_train_request_parse(call.request);
	ml_train_report_name(request);
	outcome = ml_train_compute(request, call.progress, NULL, NULL);
	initStringInfo(&bytes);
	ml_train_outcome_save(outcome, &bytes);
	ml_worker_reply(&call, bytes.data, bytes.len);
	ml_worker_reply(&call, outcome->image, outcome->image_length);
	ml_worker_reply(&call, outcome->segment_images, outcome->segment_bytes);
}

void
ml_train_report_name(const MlTrainRequest *request)
{
	char	   *name = psprintf("mlplat train %s", request->model);

	pgstat_report_appname(name);
	pfree(name);
}

/*
 * Who trains need not know which process met the error: without the line that the
 * server adds, it reads the same in every mode.  Lines of the session itself (a function that
 * called us) follow it.
 */
static void
hide_worker(ErrorData *error)
{
	const char *line = _("parallel worker");
	Size		length = strlen(line);
	char	   *at = error->context;

	while (at != NULL && (at = strstr(at, line)) != NULL)
	{
		bool		begins = at == error->context || at[-1] == '\n';
		char	   *rest = at + length;

		if (begins && *rest == '\n')
			memmove(at, rest + 1, strlen(rest + 1) + 1);
		else if (begins && *rest == '\0')
			*(at == error->context ? at : at - 1) = '\0';
		else
		{
			at = rest;
			continue;
		}
		break;
	}
	if (error->context != NULL && error->context[0] == '\0')
		error->context = NULL;
}

/* NULL when no worker could be had. */
static MlTrainOutcome *
compute_in_worker(const MlTrainRequest *request)
{
	char	   *json = ml_train_request_json(request);
	MlReply		replies[3];
	MlTrainOutcome *outcome;

	if (!ml_worker_run("ml_train_worker_main", json, strlen(json) + 1, current.progress, tick, lengthof(replies), replies))
		return NULL;
	outcome = ml_train_outcome_load(replies[0].bytes, replies[0].length);
	outcome->image = (uint8 *) replies[1].bytes;
	outcome->image_length = replies[1].length;
	outcome->segment_images = (uint8 *) replies[2].bytes;
	if (replies[2].length != outcome->segment_bytes)
		elog(ERROR, "images of segments arrived as %zu bytes instead of %zu", replies[2].length, outcome->segment_bytes);
	ml_train_outcome_place_images(outcome);
	pfree(replies[0].bytes);
	return outcome;
}

static MlTrainOutcome *
compute(const MlTrainRequest *request, const MlSource *source)
{
	MlTrainOutcome *outcome = NULL;

	if (ml_setting_execution != ML_EXECUTION_FOREGROUND &&
		source->parallel_safe && !source->temporary && !IsInParallelMode())
	{
		outcome = compute_in_worker(request);
		if (outcome == NULL && ml_setting_execution == ML_EXECUTION_WORKER)
			ereport(ERROR,
					(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					 errmsg("no background worker is free to train in"),
					 errdetail("mlplat.execution is \"worker\"."),
					 errhint("Increase max_worker_processes or max_parallel_workers, or set mlplat.execution to \"auto\" to let the session compute itself.")));
	}
	if (outcome == NULL)
		outcome = ml_train_compute(request, current.progress, told, NULL);
	return outcome;
}

void
ml_train_seal(MlTrainOutcome *outcome)
{
	MlSha256	sha;

	ml_sha256_begin(&sha);
	for (Size done = 0; done < outcome->image_length;)
	{
		Size		piece = Min(HASH_PIECE, outcome->image_length - done);

		CHECK_FOR_INTERRUPTS();
		ml_sha256_add(&sha, outcome->image + done, piece);
		done += piece;
	}
	ml_sha256_end(&sha, outcome->checksum);
}

/* -- records ---------------------------------------------------------------- */

const char *
ml_train_state_of(const ErrorData *error)
{
	static const char *const user_request = "canceling statement due to user request";

	if (error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN || error->sqlerrcode == ERRCODE_CONNECTION_FAILURE)
		return "cancelled";
	if (error->sqlerrcode != ERRCODE_QUERY_CANCELED)
		return "failed";

	/* A time limit is a failure of the run, a wish of the user is not.  What a worker raised has no message_id. */
	if (error->message_id != NULL)
		return strcmp(error->message_id, user_request) == 0 ? "cancelled" : "failed";
	return strcmp(error->message, _("canceling statement due to user request")) == 0 ? "cancelled" : "failed";
}

static MlJobEnd
make_end(const char *state)
{
	MlJobEnd	end = {0};

	end.job = current.progress->job;
	end.state = state;
	end.model = current.model;
	end.owner = current.owner;
	end.phase = ml_progress_phase_name(current.progress->phase);
	end.peak_memory = current.progress->peak_memory;
	end.started_at = current.progress->started;
	return end;
}

/* A session that is terminated, or whose client has gone, runs no PG_CATCH. */
static void
record_exit(int code, Datum argument)
{
	MlJobEnd	end;

	if (!current.active)
		return;
	current.active = false;
	end = make_end("cancelled");
	end.sqlstate = ClientConnectionLost ? "08006" : "57P01";
	end.message = ClientConnectionLost ? "connection to client lost" : "the session was terminated";
	ml_recorder_end(current.catalog_owner, &end, false);
}

static void
record_failure(const ErrorData *error)
{
	MlJobEnd	end = make_end(ml_train_state_of(error));

	current.active = false;
	end.sqlstate = unpack_sql_state(error->sqlerrcode);
	end.message = error->message;
	ml_recorder_end(current.catalog_owner, &end, true);
	ereport(LOG,
			(errmsg("mlplat: job " INT64_FORMAT ": training of \"%s\" %s in phase %s: %s", end.job, end.model, end.state, end.phase, error->message),
			 errhidestmt(true), errhidecontext(true)));
}

static void
record_success(const MlTrainRequest *request, const MlTrainReport *report)
{
	MlJobEnd	end = make_end("succeeded");

	current.active = false;
	end.version = report->version;
	ml_job_end(&end);
	ml_train_log(request, report, current.progress);
}

void
ml_train_log(const MlTrainRequest *request, const MlTrainReport *report, const MlRunProgress *progress)
{
	ereport(LOG,
			(errmsg("mlplat: job " INT64_FORMAT ": trained \"%s\" version %d with %s on " INT64_FORMAT " rows in %.3f s, peak memory %.1f MB",
					request->job, report->model, report->version, report->algorithm, report->rows,
					(GetCurrentTimestamp() - progress->started) / 1000000.0, progress->peak_memory / 1048576.0),
			 errhidestmt(true), errhidecontext(true)));
}

static void
begin(MlTrainRequest *request)
{
	static bool exit_registered = false;
	MlJob		job = {0};

	if (!exit_registered)
		before_shmem_exit(record_exit, (Datum) 0);
	exit_registered = true;

	current.catalog_owner = ml_catalog_owner();
	strlcpy(current.model, request->model, NAMEDATALEN);
	strlcpy(current.owner, GetUserNameFromId(GetUserId(), false), NAMEDATALEN);
	current.progress = MemoryContextAllocZero(TopTransactionContext, sizeof(MlRunProgress));
	request->job = ml_job_next();
	ml_progress_init(current.progress, request->job, GetUserId());
	current.noticed = current.progress->started;

	ml_lock_job(request->job, false);
	job.job = request->job;
	job.model = current.model;
	job.owner = current.owner;
	job.request = ml_train_request_json(request);
	job.attempts = 1;
	job.queued_at = job.started_at = current.progress->started;
	ml_recorder_begin(current.catalog_owner, &job);
	current.active = true;
	ml_progress_begin();
	ml_progress_publish(current.progress);
}

/* -- the run ---------------------------------------------------------------- */

static MlTrainReport *
run(MlTrainRequest *request, const MlSource *source)
{
	int			slot = ml_slot_take(false, told);
	MlTrainOutcome *outcome = compute(request, source);
	MlTrainReport *report;

	ml_slot_give(slot, false);
	ml_progress_phase(current.progress, ML_PHASE_STORE);
	ml_progress_publish(current.progress);
	ml_train_seal(outcome);
	report = ml_train_store(request, outcome);
	pfree(outcome->image);
	return report;
}

MlTrainReport *
ml_train_run(MlTrainRequest *request)
{
	MemoryContext context = CurrentMemoryContext;
	MlTrainReport *report = NULL;
	MlSource   *source;

	PreventCommandDuringRecovery("ml_train()");
	PreventCommandIfReadOnly("ml_train()");
	if (current.active)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("this session is training a model already")));
	source = ml_train_check(request);

	begin(request);
	PG_TRY();
	{
		report = run(request, source);
		record_success(request, report);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		hide_worker(error);
		record_failure(error);
		ml_progress_end();
		ReThrowError(error);
	}
	PG_END_TRY();
	ml_progress_end();
	ml_async_kick();
	return report;
}
