/*-------------------------------------------------------------------------
 * locks.h
 *	  Locks of runs: alive or not, how many at once, who hands out queued jobs.
 *
 * All are heavyweight locks with an advisory tag whose last field is ours, so
 * SQL's pg_advisory_lock() cannot reach them; they need no shared memory of our
 * own, end with their process, and take part in deadlock detection.
 *
 *   liveness    (database, job)      held for the length of a run
 *   slot        (0, 1, number)       one of mlplat.max_concurrent_jobs, for the whole cluster
 *   gate        (0, 2, 0)            the queue for a slot: first come, first served
 *   dispatcher  (database, 0)        one process hands out the queued jobs of a database
 *-------------------------------------------------------------------------
 */
#ifndef ML_PG_LOCKS_H
#define ML_PG_LOCKS_H

#include "postgres.h"

/* session: outlives the transaction, until released or the process ends. */
extern void ml_lock_job(int64 job, bool session);
extern void ml_unlock_job(int64 job, bool session);

/* Is somebody running it?  On a standby this cannot be known: true. */
extern bool ml_job_is_alive(int64 job);

/* The process that holds it, 0 for none. */
extern int	ml_job_pid(int64 job);

/* A free slot, without waiting; -1 when all are taken. */
extern int	ml_slot_try(bool session);

/*
 * A slot, waiting for one if need be: NOTICE (or LOG) first, lock_timeout gives
 * 55P03, a deadlock (each run that has one waits for a lock of ours) 40P01; a worker
 * (session) lets the others go first instead.  tick is called every 100 ms while waiting; may be NULL.
 */
extern int	ml_slot_take(bool session, void (*tick) (void));
extern void ml_slot_give(int slot, bool session);

/* False when another process is the dispatcher of this database. */
extern bool ml_dispatcher_try(void);
extern void ml_dispatcher_end(void);
extern bool ml_dispatcher_is_there(void);

#endif							/* ML_PG_LOCKS_H */
