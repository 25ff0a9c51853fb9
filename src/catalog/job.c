/*-------------------------------------------------------------------------
 * job.c
 *	  Records of runs: mlplat.job and mlplat.job_end.
 *
 * A run is alive as long as somebody holds its liveness lock (src/pg/locks.h).  What
 * these functions read about other sessions' jobs they read with a fresh
 * snapshot, so that they work in any isolation level.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/catalog.h"
#include "catalog/job.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "pg/locks.h"
#include "pg/settings.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* One parameter of a statement. */
typedef struct Args
{
	int			n;
	Oid			type[16];
	Datum		value[16];
	char		null[17];
} Args;

static void
add_arg(Args *args, Oid type, Datum value, bool null)
{
	args->type[args->n] = type;
	args->value[args->n] = value;
	args->null[args->n] = null ? 'n' : ' ';
	args->n++;
}

static void
add_text(Args *args, const char *text)
{
	add_arg(args, TEXTOID, text == NULL ? (Datum) 0 : CStringGetTextDatum(text), text == NULL);
}

static void
add_time(Args *args, TimestampTz time)
{
	add_arg(args, TIMESTAMPTZOID, TimestampTzGetDatum(time), time == 0);
}

static void
add_int8(Args *args, int64 value)
{
	add_arg(args, INT8OID, Int64GetDatum(value), false);
}

static uint64
execute(const char *sql, Args *args, bool read_only)
{
	return ml_catalog_execute(sql, args->n, args->type, args->value, args->null, read_only);
}

static char *
field_text(int row, int column, MemoryContext context)
{
	char	   *text = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);

	return text == NULL ? NULL : MemoryContextStrdup(context, text);
}

static Datum
field(int row, int column, bool *null)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, null);
}

/*
 * What is committed now, in any isolation level.  Not GetLatestSnapshot(), which refuses in
 * parallel mode: ml_jobs may stand in a parallel query.
 */
static void
push_latest_snapshot(void)
{
	PushActiveSnapshot(GetCatalogSnapshot(ml_catalog_relation("job")));
}

int64
ml_job_origin(void)
{
	return (int64) hash_combine64(GetSystemIdentifier(), murmurhash32(MyDatabaseId));
}

int64
ml_job_next(void)
{
	return nextval_internal(ml_catalog_relation("job_job_seq"), false);
}

void
ml_job_insert(const MlJob *job)
{
	Args		args = {0};

	add_int8(&args, job->job);
	add_arg(&args, BOOLOID, BoolGetDatum(job->asynchronous), false);
	add_text(&args, job->model);
	add_text(&args, job->owner);
	add_text(&args, job->request);
	add_text(&args, job->settings);
	add_arg(&args, INT4OID, Int32GetDatum(job->priority), false);
	add_arg(&args, INT4OID, Int32GetDatum(job->attempts), false);
	add_time(&args, job->queued_at);
	add_time(&args, job->started_at);
	add_int8(&args, ml_job_origin());

	SPI_connect();
	execute("INSERT INTO mlplat.job (job, asynchronous, model, owner, request, settings, priority, attempts, queued_at, started_at, origin)"
			" VALUES ($1, $2, $3, $4, $5::pg_catalog.jsonb, $6::pg_catalog.jsonb, $7, $8, COALESCE($9, pg_catalog.clock_timestamp()), $10, $11)"
			" ON CONFLICT (job) DO NOTHING", &args, false);
	SPI_finish();
}

void
ml_job_started(int64 job)
{
	Args		args = {0};

	add_int8(&args, job);
	SPI_connect();
	execute("UPDATE mlplat.job SET started_at = pg_catalog.clock_timestamp(), attempts = attempts OPERATOR(pg_catalog.+) 1"
			" WHERE job OPERATOR(pg_catalog.=) $1", &args, false);
	SPI_finish();
}

void
ml_job_end(const MlJobEnd *end)
{
	Args		args = {0};

	add_int8(&args, end->job);
	add_text(&args, end->state);
	add_text(&args, end->model);
	add_text(&args, end->owner);
	add_arg(&args, INT4OID, Int32GetDatum(end->version), end->version == 0);
	add_text(&args, end->phase);
	add_text(&args, end->sqlstate);
	add_text(&args, end->message);
	add_arg(&args, INT8OID, Int64GetDatum(end->peak_memory), end->peak_memory == 0);
	add_time(&args, end->started_at);

	SPI_connect();
	execute("INSERT INTO mlplat.job_end (job, state, model, owner, version, phase, sqlstate, message, peak_memory, started_at)"
			" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (job) DO NOTHING", &args, false);
	SPI_finish();
}

MlJob *
ml_job_claim(int64 job)
{
	MemoryContext context = CurrentMemoryContext;
	MlJob	   *claimed = NULL;
	Args		args = {0};
	bool		null;

	add_int8(&args, job);
	add_int8(&args, ml_job_origin());
	SPI_connect();
	if (execute("SELECT j.model, j.owner, j.request::pg_catalog.text, j.settings::pg_catalog.text, j.priority, j.attempts, j.queued_at"
				" FROM mlplat.job j WHERE j.job OPERATOR(pg_catalog.=) $1 AND j.origin OPERATOR(pg_catalog.=) $2"
				" AND j.asynchronous AND j.started_at IS NULL"
				" AND NOT EXISTS (SELECT FROM mlplat.job_end e WHERE e.job OPERATOR(pg_catalog.=) j.job)"
				" FOR UPDATE OF j SKIP LOCKED", &args, false) == 1)
	{
		claimed = MemoryContextAllocZero(context, sizeof(MlJob));
		claimed->job = job;
		claimed->asynchronous = true;
		claimed->model = field_text(0, 1, context);
		claimed->owner = field_text(0, 2, context);
		claimed->request = field_text(0, 3, context);
		claimed->settings = field_text(0, 4, context);
		claimed->priority = DatumGetInt32(field(0, 5, &null));
		claimed->attempts = DatumGetInt32(field(0, 6, &null));
		claimed->queued_at = DatumGetTimestampTz(field(0, 7, &null));
	}
	SPI_finish();
	return claimed;
}

const char *
ml_job_open_state(int64 job, bool waiting, bool tried, bool here)
{
	if (!here)
		return "interrupted";
	if (ml_job_is_alive(job))
		return "running";
	return waiting && !tried ? "queued" : "interrupted";
}

static MlJobState *
read_state(int64 job)
{
	MemoryContext context = CurrentMemoryContext;
	MlJobState *state = NULL;
	Args		args = {0};
	bool		null;

	add_int8(&args, job);
	add_int8(&args, ml_job_origin());
	SPI_connect();
	push_latest_snapshot();
	if (execute("SELECT e.state, COALESCE(e.model, j.model), COALESCE(e.owner, j.owner), COALESCE(j.asynchronous, false),"
				" j.asynchronous AND j.started_at IS NULL, j.attempts OPERATOR(pg_catalog.>) 0, j.origin OPERATOR(pg_catalog.=) $2"
				" FROM (SELECT * FROM mlplat.job WHERE job OPERATOR(pg_catalog.=) $1) j"
				" FULL JOIN (SELECT * FROM mlplat.job_end WHERE job OPERATOR(pg_catalog.=) $1) e ON true",
				&args, true) == 1)
	{
		state = MemoryContextAllocZero(context, sizeof(MlJobState));
		state->state = field_text(0, 1, context);
		state->model = field_text(0, 2, context);
		state->owner = field_text(0, 3, context);
		state->asynchronous = DatumGetBool(field(0, 4, &null));
		if (state->state == NULL)
			state->state = ml_job_open_state(job, DatumGetBool(field(0, 5, &null)), DatumGetBool(field(0, 6, &null)), DatumGetBool(field(0, 7, &null)));
	}
	PopActiveSnapshot();
	SPI_finish();
	return state;
}

MlJobState *
ml_job_state(int64 job)
{
	MlJobState *state = read_state(job);

	/*
	 * Between the snapshot and the look at the lock the run may have ended.
	 * Its end is committed before the lock goes, so a second snapshot shows it.
	 */
	if (state != NULL && strcmp(state->state, "interrupted") == 0)
		state = read_state(job);
	return state;
}

/* -- runs that nobody runs any more ----------------------------------------- */

static void
settle_one(int64 job, bool again)
{
	Args		args = {0};

	add_int8(&args, job);
	if (again)
	{
		/* The same job must not start again while its first run ends: whoever holds the row decides. */
		add_arg(&args, FLOAT8OID, Float8GetDatum(ml_setting_retry_seconds), false);
		execute("UPDATE mlplat.job j SET started_at = NULL, not_before = pg_catalog.clock_timestamp()"
				" OPERATOR(pg_catalog.+) pg_catalog.make_interval(secs => $2 OPERATOR(pg_catalog.*) j.attempts)"
				" WHERE j.job OPERATOR(pg_catalog.=) $1 AND j.started_at IS NOT NULL"
				" AND NOT EXISTS (SELECT FROM mlplat.job_end e WHERE e.job OPERATOR(pg_catalog.=) j.job)", &args, false);
		return;
	}
	execute("INSERT INTO mlplat.job_end (job, state, model, owner, sqlstate, message, started_at)"
			" SELECT j.job, 'interrupted', j.model, j.owner, NULL, 'its transaction was rolled back, or the session or the server ended', j.started_at"
			" FROM mlplat.job j WHERE j.job OPERATOR(pg_catalog.=) $1 ON CONFLICT (job) DO NOTHING", &args, false);
}

void
ml_job_settle(void)
{
	Args		args = {0};
	SPITupleTable *rows;
	uint64		n;

	add_int8(&args, ml_job_origin());
	SPI_connect();
	n = execute("SELECT j.job, j.asynchronous, j.attempts, j.origin OPERATOR(pg_catalog.=) $1 FROM mlplat.job j"
				" WHERE (j.started_at IS NOT NULL OR j.origin OPERATOR(pg_catalog.<>) $1)"
				" AND NOT EXISTS (SELECT FROM mlplat.job_end e WHERE e.job OPERATOR(pg_catalog.=) j.job)"
				" FOR UPDATE OF j SKIP LOCKED", &args, false);
	rows = SPI_tuptable;
	for (uint64 i = 0; i < n; i++)
	{
		bool		null;
		int64		job = DatumGetInt64(SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &null));
		bool		asynchronous = DatumGetBool(SPI_getbinval(rows->vals[i], rows->tupdesc, 2, &null));
		int			attempts = DatumGetInt32(SPI_getbinval(rows->vals[i], rows->tupdesc, 3, &null));
		bool		here = DatumGetBool(SPI_getbinval(rows->vals[i], rows->tupdesc, 4, &null));

		if (here && ml_job_is_alive(job))
			continue;
		settle_one(job, here && asynchronous && attempts < ML_JOB_MAX_ATTEMPTS);
	}
	args.n = 0;
	add_arg(&args, INT4OID, Int32GetDatum(ML_JOB_KEEP_DAYS), false);
	execute("WITH old AS (DELETE FROM mlplat.job_end WHERE finished_at OPERATOR(pg_catalog.<)"
			" (pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) pg_catalog.make_interval(days => $1)) RETURNING job)"
			" DELETE FROM mlplat.job j USING old WHERE j.job OPERATOR(pg_catalog.=) old.job", &args, false);
	SPI_finish();
}

/* -- the queue -------------------------------------------------------------- */

#define QUEUED "j.asynchronous AND j.started_at IS NULL AND j.origin OPERATOR(pg_catalog.=) $1" \
	" AND NOT EXISTS (SELECT FROM mlplat.job_end e WHERE e.job OPERATOR(pg_catalog.=) j.job)"

bool
ml_job_best(MlJobStart *start, double *wait)
{
	MemoryContext context = CurrentMemoryContext;
	Args		args = {0};
	bool		found = false;

	*wait = 0;
	add_int8(&args, ml_job_origin());
	SPI_connect();
	push_latest_snapshot();
	if (execute("SELECT j.job, j.owner, GREATEST(0, EXTRACT(epoch FROM j.not_before OPERATOR(pg_catalog.-) pg_catalog.clock_timestamp()))::pg_catalog.float8, j.model"
				" FROM mlplat.job j WHERE " QUEUED
				" ORDER BY COALESCE(j.not_before OPERATOR(pg_catalog.>) pg_catalog.clock_timestamp(), false), j.priority DESC, j.job LIMIT 1",
				&args, true) == 1)
	{
		bool		null;
		double		left = DatumGetFloat8(field(0, 3, &null));

		if (!null && left > 0)
			*wait = left;
		else
		{
			found = true;
			start->job = DatumGetInt64(field(0, 1, &null));
			start->owner_name = field_text(0, 2, context);
			start->owner = get_role_oid(start->owner_name, true);
			start->model = field_text(0, 4, context);
		}
	}
	PopActiveSnapshot();
	SPI_finish();
	return found;
}

bool
ml_job_is_waiting(int64 job)
{
	Args		args = {0};
	bool		waiting;

	add_int8(&args, ml_job_origin());
	add_int8(&args, job);
	SPI_connect();
	push_latest_snapshot();
	waiting = execute("SELECT FROM mlplat.job j WHERE j.job OPERATOR(pg_catalog.=) $2 AND " QUEUED, &args, true) == 1;
	PopActiveSnapshot();
	SPI_finish();
	return waiting;
}

bool
ml_job_any_queued(void)
{
	Args		args = {0};
	bool		any;

	add_int8(&args, ml_job_origin());
	SPI_connect();
	push_latest_snapshot();
	any = execute("SELECT FROM mlplat.job j WHERE " QUEUED
				  " AND COALESCE(j.not_before OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp(), true) LIMIT 1", &args, true) == 1;
	PopActiveSnapshot();
	SPI_finish();
	return any;
}
