/*-------------------------------------------------------------------------
 * worker.h
 *	  Work in a parallel worker of the session.
 *
 * A parallel worker shares the caller's snapshot, transaction, role, settings
 * and lock group; its errors and notices arrive in the session as they are.  The
 * request goes out in a small shared memory segment, the replies come back
 * through a 64 kB queue in pieces, for a large segment may not fit /dev/shm.
 *-------------------------------------------------------------------------
 */
#ifndef ML_PG_WORKER_H
#define ML_PG_WORKER_H

#include "postgres.h"

#include "pg/progress.h"
#include "storage/dsm.h"
#include "storage/shm_toc.h"

/* One reply, in the memory context of the caller of ml_worker_run (may exceed 1 GB). */
typedef struct MlReply
{
	char	   *bytes;
	Size		length;
} MlReply;

#define ML_WORKER_MAX_REPLIES 4

/* In the session: what to do every 100 ms while the worker works. */
typedef void (*MlWorkerTick) (const MlRunProgress *progress);

/*
 * Runs the exported function "entry" of this library in one parallel worker and collects
 * its replies.  progress is where it begins, and afterwards how far it came.  False when no worker could be launched: nothing has
 * happened then.  Raises what the worker raised.
 */
extern bool ml_worker_run(const char *entry, const char *request, Size length, MlRunProgress *progress,
						  MlWorkerTick tick, int n_replies, MlReply *replies);

/* In the worker. */
typedef struct MlWorkerCall
{
	const char *request;
	Size		length;
	MlRunProgress *progress;	/* shared with the session */
	void	   *queue;
} MlWorkerCall;

extern void ml_worker_attach(dsm_segment *seg, shm_toc *toc, MlWorkerCall *call);

/* Blocks while the queue is full, interruptibly. */
extern void ml_worker_reply(MlWorkerCall *call, const void *bytes, Size length);

/*
 * Looks, at most every 250 ms, whether the client of this session is still there; if not,
 * ends the session as the server itself does it: FATAL, without trying to tell the client.
 */
extern void ml_client_check(void);

#endif							/* ML_PG_WORKER_H */
