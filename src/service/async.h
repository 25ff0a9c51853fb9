/*-------------------------------------------------------------------------
 * async.h
 *	  Queued training: a row in mlplat.job, a dispatcher that hands rows out by
 *	  priority, and a worker for each.
 *
 * One dispatcher per database at a time (a lock says which), and only while
 * there is something to hand out.  It is started by whoever queues a job, when the
 * transaction commits; by the launcher, where mlplat is preloaded; and by any
 * other call about jobs that finds a queue without one.
 *-------------------------------------------------------------------------
 */
#ifndef ML_SERVICE_ASYNC_H
#define ML_SERVICE_ASYNC_H

#include "postgres.h"

/* Starts a dispatcher if jobs of this database wait for one. */
extern void ml_async_kick(void);

/* Was this job queued by the current transaction? */
extern bool ml_async_is_own(int64 job);

/* At library load: the launcher and its shared memory, when preloading. */
extern void ml_launcher_init(void);

#endif							/* ML_SERVICE_ASYNC_H */
