/*-------------------------------------------------------------------------
 * async_internal.h
 *	  What queueing, dispatching and launching share.
 *-------------------------------------------------------------------------
 */
#ifndef ML_SERVICE_ASYNC_INTERNAL_H
#define ML_SERVICE_ASYNC_INTERNAL_H

#include "postgres.h"

#include "pg/locks.h"
#include "service/async.h"

/* The launcher (launcher.c); false, and nothing done, where mlplat is not preloaded. */
extern bool ml_launcher_is_there(void);

/* Jobs wait in this database: it will start a dispatcher there. */
extern bool ml_launcher_notify(Oid database);

/* The same, in so many seconds. */
extern void ml_launcher_remind(Oid database, double seconds);

#endif							/* ML_SERVICE_ASYNC_INTERNAL_H */
