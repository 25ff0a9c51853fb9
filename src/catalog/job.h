/*-------------------------------------------------------------------------
 * job.h
 *	  Records of runs: mlplat.job and mlplat.job_end.
 *-------------------------------------------------------------------------
 */
#ifndef ML_CATALOG_JOB_H
#define ML_CATALOG_JOB_H

#include "postgres.h"

#include "utils/timestamp.h"

/* Job rows older than this are removed by the next writer. */
#define ML_JOB_KEEP_DAYS 90

/* A queued job that a crash interrupted is started at most this often, not sooner than ... after the crash. */
#define ML_JOB_MAX_ATTEMPTS 3
#define ML_JOB_WAIT_AFTER_CRASH_SECONDS 300

typedef struct MlJob
{
	int64		job;
	bool		asynchronous;
	char	   *model;
	char	   *owner;
	char	   *request;		/* jsonb as text */
	char	   *settings;		/* jsonb as text, or NULL */
	int			priority;
	int			attempts;
	TimestampTz queued_at;
	TimestampTz started_at;		/* 0: not yet */
} MlJob;

typedef struct MlJobEnd
{
	int64		job;
	const char *state;
	const char *model;
	const char *owner;
	int32		version;		/* 0: none */
	const char *phase;
	const char *sqlstate;		/* NULL: none */
	const char *message;
	int64		peak_memory;
	TimestampTz started_at;
} MlJobEnd;

extern int64 ml_job_next(void); /* nextval: a number of its own, rollback or not */
extern void ml_job_insert(const MlJob *job);	/* nothing happens when it is there */
extern void ml_job_started(int64 job);	/* sets started_at, attempts + 1 */
extern void ml_job_end(const MlJobEnd *end);	/* the first end wins */
extern MlJob *ml_job_read(int64 job);	/* NULL when it is not visible or has ended */

#endif							/* ML_CATALOG_JOB_H */
