/*-------------------------------------------------------------------------
 * deployment.h
 *	  Aliases: which version "production" and the like point to, and the log of
 *	  every change.
 *
 * Writers hold the lock on the model's row (ml_model_lock, ml_model_obtain).
 *-------------------------------------------------------------------------
 */
#ifndef ML_CATALOG_DEPLOYMENT_H
#define ML_CATALOG_DEPLOYMENT_H

#include "postgres.h"

/* The version an alias points to, as a new statement would see it; 0: none. */
extern int64 ml_deployment_read(int64 model_id, const char *alias);

/* Points the alias to a version and logs it; action is "deploy" or "rollback". */
extern void ml_deployment_set(int64 model_id, const char *alias, int64 version_id, int32 version,
							  const char *action, const char *note);

/* false when there was no such alias. */
extern bool ml_deployment_drop(int64 model_id, const char *alias);

/* The version that was there before the present one and still exists; 0: none. */
extern int32 ml_deployment_previous(int64 model_id, const char *alias);

/* An alias that points to this version, or NULL. */
extern char *ml_deployment_alias_of(int64 version_id);

#endif							/* ML_CATALOG_DEPLOYMENT_H */
