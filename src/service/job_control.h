/*-------------------------------------------------------------------------
 * job_control.h
 *	  Waiting for jobs and stopping them.
 *-------------------------------------------------------------------------
 */
#ifndef ML_SERVICE_JOB_CONTROL_H
#define ML_SERVICE_JOB_CONTROL_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* The state once it has ended, or the present one when so many seconds (< 0: no limit) have passed. */
extern const char *ml_job_wait(int64 job, double seconds);

/* True when the job was queued or running and is being stopped; false when it had ended, or when only its transaction goes on. */
extern bool ml_job_stop(int64 job);

/*
 * May the current role see a job of this owner on this model, queued at that time?  Who may read a
 * model sees the jobs since it came to be, not those of an earlier one of its name.
 */
extern bool ml_job_visible(const char *owner, const char *model, TimestampTz queued_at);

#endif							/* ML_SERVICE_JOB_CONTROL_H */
