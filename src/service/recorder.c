/*-------------------------------------------------------------------------
 * recorder.c
 *	  Records of runs that must not depend on the caller's transaction.
 *
 * What shall be written travels in a small shared memory segment.  The sender pins
 * it and lets go of it at once, the recorder unpins it; so neither waits
 * for the other, and it goes away when both have ended.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/catalog.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "pg/background.h"
#include "pg/compat.h"
#include "pgstat.h"
#include "service/recorder.h"
#include "storage/dsm.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#define WAIT_MS 2000
#define POLL_MS 20

typedef enum RecordKind
{
	RECORD_BEGIN,
	RECORD_END
} RecordKind;

/* Fixed part of a record; its texts follow, each with a length in front. */
typedef struct Record
{
	Size		length;			/* of the texts */
	RecordKind	kind;
	int64		job;
	int			priority;
	int			attempts;
	int32		version;
	int64		peak_memory;
	TimestampTz queued_at;
	TimestampTz started_at;
} Record;

static void
put_text(StringInfo out, const char *text)
{
	int32		length = text == NULL ? -1 : (int32) strlen(text);

	appendBinaryStringInfo(out, (char *) &length, sizeof(length));
	if (text != NULL)
		appendBinaryStringInfo(out, text, length);
}

static char *
get_text(const char **at, const char *end)
{
	int32		length;
	char	   *text;

	if (end - *at < (ptrdiff_t) sizeof(length))
		elog(ERROR, "malformed record of a run");
	memcpy(&length, *at, sizeof(length));
	*at += sizeof(length);
	if (length < 0)
		return NULL;
	if (length > end - *at)
		elog(ERROR, "malformed record of a run");
	text = pnstrdup(*at, length);
	*at += length;
	return text;
}

/* Hands the record to a new worker; false (and a LOG line) when there is none to be had. */
static bool
send_record(Oid owner, const Record *fixed, const StringInfo texts, BackgroundWorkerHandle **handle)
{
	dsm_segment *segment = dsm_create(sizeof(Record) + texts->len, DSM_CREATE_NULL_IF_MAXSEGMENTS);
	MlBackground background = {.entry = "ml_recorder_main", .type = "mlplat recorder", .database = MyDatabaseId, .role = owner};
	Record	   *record;
	bool		started = false;

	if (segment != NULL)
	{
		record = dsm_segment_address(segment);
		*record = *fixed;
		record->length = texts->len;
		memcpy((char *) record + sizeof(Record), texts->data, texts->len);
		background.segment = dsm_segment_handle(segment);
		dsm_pin_segment(segment);
		started = ml_background_start(&background, handle);
		if (!started)
			dsm_unpin_segment(background.segment);
		dsm_detach(segment);
	}
	if (!started)
		ereport(LOG,
				(errmsg("mlplat: run of job " INT64_FORMAT " is not recorded, for no background worker is free", fixed->job),
				 errhint("You may need to increase max_worker_processes."), errhidestmt(true)));
	return started;
}

void
ml_recorder_begin(Oid owner, const MlJob *job)
{
	Record		fixed = {.kind = RECORD_BEGIN, .job = job->job, .priority = job->priority, .attempts = job->attempts,
	.queued_at = job->queued_at, .started_at = job->started_at};
	BackgroundWorkerHandle *handle;
	StringInfoData texts;

	initStringInfo(&texts);
	put_text(&texts, job->model);
	put_text(&texts, job->owner);
	put_text(&texts, job->request);
	send_record(owner, &fixed, &texts, &handle);
	pfree(texts.data);
}

/* Without CHECK_FOR_INTERRUPTS: an error is on its way already. */
static void
wait_for_recorder(BackgroundWorkerHandle *handle)
{
	TimestampTz until = GetCurrentTimestamp() + WAIT_MS * 1000L;
	pid_t		pid;

	while (GetBackgroundWorkerPid(handle, &pid) != BGWH_STOPPED && GetCurrentTimestamp() < until && !ProcDiePending)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, POLL_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
	SetLatch(MyLatch);			/* what woke us may have been meant for others */
}

void
ml_recorder_end(Oid owner, const MlJobEnd *end, bool wait)
{
	Record		fixed = {.kind = RECORD_END, .job = end->job, .version = end->version, .peak_memory = end->peak_memory,
	.started_at = end->started_at};
	MemoryContext context = CurrentMemoryContext;
	BackgroundWorkerHandle *handle = NULL;
	StringInfoData texts;

	/* The error may have left lightweight locks to the abort that is still to come. */
	LWLockReleaseAll();
	PG_TRY();
	{
		initStringInfo(&texts);
		put_text(&texts, end->state);
		put_text(&texts, end->model);
		put_text(&texts, end->owner);
		put_text(&texts, end->phase);
		put_text(&texts, end->sqlstate);
		put_text(&texts, end->message);
		if (send_record(owner, &fixed, &texts, &handle) && wait)
			wait_for_recorder(handle);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		ereport(LOG,
				(errmsg("mlplat: run of job " INT64_FORMAT " is not recorded: %s", end->job, error->message), errhidestmt(true)));
	}
	PG_END_TRY();
}

/* -- the worker ------------------------------------------------------------- */

static void
write_record(const Record *record)
{
	const char *at = (const char *) record + sizeof(Record);
	const char *end = at + record->length;

	if (record->kind == RECORD_BEGIN)
	{
		MlJob		job = {.job = record->job, .priority = record->priority, .attempts = record->attempts,
		.queued_at = record->queued_at, .started_at = record->started_at};

		job.model = get_text(&at, end);
		job.owner = get_text(&at, end);
		job.request = get_text(&at, end);
		ml_job_insert(&job);
	}
	else
	{
		MlJobEnd	job = {.job = record->job, .version = record->version, .peak_memory = record->peak_memory,
		.started_at = record->started_at};

		job.state = get_text(&at, end);
		job.model = get_text(&at, end);
		job.owner = get_text(&at, end);
		job.phase = get_text(&at, end);
		job.sqlstate = get_text(&at, end);
		job.message = get_text(&at, end);
		ml_job_end(&job);
	}
}

PGDLLEXPORT void ml_recorder_main(Datum argument);

void
ml_recorder_main(Datum argument)
{
	const MlBackground *background = ml_background_arguments();
	dsm_segment *segment = dsm_attach(background->segment);
	const Record *record;

	if (segment == NULL)
		return;
	dsm_unpin_segment(background->segment);
	record = dsm_segment_address(segment);
	ml_background_connect(background, "mlplat recorder");

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	pgstat_report_activity(STATE_RUNNING, "recording a training run");
	if (OidIsValid(ml_catalog_schema()))
	{
		write_record(record);
		CommandCounterIncrement();
		ml_job_settle();
	}
	PopActiveSnapshot();
	CommitTransactionCommand();
	pgstat_report_activity(STATE_IDLE, NULL);
	dsm_detach(segment);
}
