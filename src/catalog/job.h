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

/* A queued job that a crash interrupted is started at most this often, each time after mlplat.retry_wait times the attempts so far. */
#define ML_JOB_MAX_ATTEMPTS 3

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

/* How a job stands; in the current memory context. */
typedef struct MlJobState
{
	const char *state;			/* 'queued', 'running', 'succeeded', 'failed', 'cancelled', 'interrupted' */
	bool		asynchronous;
	char	   *model;
	char	   *owner;			/* role name */
} MlJobState;

/* A queued job that may start now. */
typedef struct MlJobStart
{
	int64		job;
	Oid			owner;			/* InvalidOid: the role is gone */
	char	   *owner_name;
	char	   *model;
} MlJobStart;

/* What tells this database in this cluster from any other: a dump restored elsewhere has another. */
extern int64 ml_job_origin(void);

extern int64 ml_job_next(void); /* nextval: a number of its own, rollback or not */
extern void ml_job_insert(const MlJob *job);	/* nothing happens when it is there */
extern void ml_job_started(int64 job);	/* sets started_at, attempts + 1 */
extern void ml_job_end(const MlJobEnd *end);	/* the first end wins */

/* Locks the row for this transaction and reads it; NULL when it is not visible, has ended or is locked by another. */
extern MlJob *ml_job_claim(int64 job);

/*
 * The state of a job without an end: waiting (asynchronous and not started), tried (attempts > 0), here
 * (its origin is this database).
 */
extern const char *ml_job_open_state(int64 job, bool waiting, bool tried, bool here);

/* With a snapshot of its own; NULL when there is no such job. */
extern MlJobState *ml_job_state(int64 job);

/*
 * Settles what nobody runs any more (a crash, a terminated session, a restored dump): ends it
 * as interrupted, or lets an asynchronous one wait for another attempt.  Removes
 * rows that are too old.  In the current transaction.
 */
extern void ml_job_settle(void);

/* The job to start next (highest priority, then oldest), false for none; *wait: seconds until one waiting after a crash may start, 0 for none. */
extern bool ml_job_best(MlJobStart *start, double *wait);

/* Is it still queued and not claimed by a worker?  With a snapshot of its own. */
extern bool ml_job_is_waiting(int64 job);

/* Are there any queued jobs?  With a snapshot of its own. */
extern bool ml_job_any_queued(void);

#endif							/* ML_CATALOG_JOB_H */
