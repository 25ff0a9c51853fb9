/*-------------------------------------------------------------------------
 * jobs.c
 *	  ml_wait, ml_cancel, and what the views about runs call.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/job.h"
#include "catalog/pg_authid.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pg/compat.h"
#include "pg/locks.h"
#include "pg/progress.h"
#include "service/job_control.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

ML_FUNCTION(ml_wait);
ML_FUNCTION(ml_cancel);
ML_FUNCTION(mlplat_job_progress);
ML_FUNCTION(mlplat_job_state);
ML_FUNCTION(mlplat_job_visible);

Datum
ml_wait(PG_FUNCTION_ARGS)
{
	double		seconds = -1;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"job\" must not be null")));
	if (!PG_ARGISNULL(1))
	{
		const Interval *timeout = PG_GETARG_INTERVAL_P(1);

		seconds = timeout->time / 1000000.0 + (timeout->day + 30.0 * timeout->month) * SECS_PER_DAY;
		if (seconds < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("timeout must not be negative")));
	}
	PG_RETURN_TEXT_P(cstring_to_text(ml_job_wait(PG_GETARG_INT64(0), seconds)));
}

Datum
ml_cancel(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(ml_job_stop(PG_GETARG_INT64(0)));
}

static Datum
number_or_null(double value, bool *null)
{
	*null = isnan(value);
	return Float8GetDatum(*null ? 0 : value);
}

static void
put_progress(ReturnSetInfo *result, const MlRunProgress *progress, TimestampTz now)
{
	Datum		values[10];
	bool		nulls[10] = {false};

	values[0] = Int64GetDatum(progress->job);
	values[1] = CStringGetTextDatum(ml_progress_phase_name(progress->phase));
	values[2] = Float8GetDatum(ml_progress_share(progress));
	values[3] = number_or_null(ml_progress_seconds_left(progress, now), &nulls[3]);
	values[4] = Int64GetDatum(progress->rows);
	values[5] = Int64GetDatum(progress->iteration);
	values[6] = number_or_null(progress->train_loss, &nulls[6]);
	values[7] = number_or_null(progress->validation_loss, &nulls[7]);
	values[8] = Int64GetDatum(progress->peak_memory);
	nulls[8] = progress->peak_memory == 0;
	values[9] = CStringGetTextDatum(ml_progress_describe(progress));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

Datum
mlplat_job_progress(PG_FUNCTION_ARGS)
{
	bool		all = has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
	TimestampTz now = GetCurrentTimestamp();
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, ml_progress_list())
	{
		const MlRunProgress *progress = lfirst(lc);

		if (all || has_privs_of_role(GetUserId(), progress->owner))
			put_progress((ReturnSetInfo *) fcinfo->resultinfo, progress, now);
	}
	return (Datum) 0;
}

/*
 * Of a job without an end in the snapshot of the view.  Arguments as in mlplat.job, any of
 * them may be null.  A run that has ended since was running then.
 */
Datum
mlplat_job_state(PG_FUNCTION_ARGS)
{
	bool		asynchronous = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	bool		waiting = asynchronous && PG_ARGISNULL(2);
	bool		tried = !PG_ARGISNULL(3) && PG_GETARG_INT32(3) > 0;
	bool		here = !PG_ARGISNULL(4) && PG_GETARG_INT64(4) == ml_job_origin();
	const char *state;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = ml_job_open_state(PG_GETARG_INT64(0), waiting, tried, here);
	if (here && strcmp(state, "interrupted") == 0)
	{
		const MlJobState *now = ml_job_state(PG_GETARG_INT64(0));

		if (now != NULL && strcmp(now->state, "interrupted") != 0)
			state = "running";
	}
	PG_RETURN_TEXT_P(cstring_to_text(state));
}

Datum
mlplat_job_visible(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(ml_job_visible(text_to_cstring(PG_GETARG_TEXT_PP(0)), text_to_cstring(PG_GETARG_TEXT_PP(1)),
								  PG_GETARG_TIMESTAMPTZ(2)));
}
