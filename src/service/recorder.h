/*-------------------------------------------------------------------------
 * recorder.h
 *	  Records of runs that must not depend on the caller's transaction.
 *
 * A recorder is a short background worker with a transaction of its own,
 * connected as the owner of mlplat's tables; it runs fixed statements only.
 * Without a free worker slot the run goes unrecorded, with a line in the log.
 */
#ifndef ML_SERVICE_RECORDER_H
#define ML_SERVICE_RECORDER_H

#include "postgres.h"

#include "catalog/job.h"

/* Says that a run has begun; does not wait for it to be written. */
extern void ml_recorder_begin(Oid owner, const MlJob *job);

/*
 * Says how it ended.  wait: up to two seconds, so that who sees the error finds the
 * record.  Never raises; safe after an error, before the transaction is aborted, and at exit.
 * Looks into no catalog, hence the owner as an argument.
 */
extern void ml_recorder_end(Oid owner, const MlJobEnd *end, bool wait);

#endif							/* ML_SERVICE_RECORDER_H */
