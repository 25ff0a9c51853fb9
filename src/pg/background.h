/*-------------------------------------------------------------------------
 * background.h
 *	  Plain background workers: started on demand, connected as a role, never restarted.
 *-------------------------------------------------------------------------
 */
#ifndef ML_PG_BACKGROUND_H
#define ML_PG_BACKGROUND_H

#include "postgres.h"

#include "access/transam.h"
#include "postmaster/bgworker.h"
#include "storage/dsm.h"

/* What a worker is to do; travels in bgw_extra. */
typedef struct MlBackground
{
	const char *entry;			/* exported function of this library (not sent) */
	const char *type;			/* in pg_stat_activity.backend_type (not sent) */
	Oid			database;
	Oid			role;			/* InvalidOid: the bootstrap superuser, for fixed statements only */
	int64		job;
	TransactionId after;		/* wait for the end of this transaction first; invalid: none */
	dsm_handle	segment;
} MlBackground;

/* False when no worker slot is free.  The handle is palloc'd; this process gets a signal when the worker starts and ends. */
extern bool ml_background_start(const MlBackground *background, BackgroundWorkerHandle **handle);

/* In the worker. */
extern const MlBackground *ml_background_arguments(void);

/* Unblocks signals (SIGTERM: die), connects, sets application_name and plain transaction defaults. */
extern void ml_background_connect(const MlBackground *background, const char *name);

/* Takes over a configuration that was reloaded; to be called now and then while waiting. */
extern void ml_background_reload(void);

/* Waits until that transaction has ended. Outside of a transaction. */
extern void ml_background_wait_for(TransactionId xid);

#endif							/* ML_PG_BACKGROUND_H */
