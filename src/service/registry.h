/*-------------------------------------------------------------------------
 * registry.h
 *	  What people do with models once they are trained: put a version into
 *	  production, take it back, name, grant and drop.
 *
 * "reference" is "model", "model@7" or "model@alias" where a version is meant;
 * "model" alone is a name.  All of it belongs to the caller's transaction.
 *-------------------------------------------------------------------------
 */
#ifndef ML_SERVICE_REGISTRY_H
#define ML_SERVICE_REGISTRY_H

#include "postgres.h"

#include "utils/jsonb.h"

/* version 0: the one the reference names, else the newest.  require may be NULL.  Returns the version. */
extern int32 ml_registry_deploy(const char *reference, int32 version, const char *alias, Jsonb *require, const char *note);

/* Points the alias to the version that was there before; returns it. */
extern int32 ml_registry_rollback(const char *model, const char *alias);

/* version 0 and a plain name: the whole model. */
extern void ml_registry_drop(const char *reference, int32 version);
extern void ml_registry_rename(const char *model, const char *new_name);
extern void ml_registry_drop_alias(const char *model, const char *alias);
extern void ml_registry_grant(const char *model, const char *role, const char *privilege);
extern void ml_registry_revoke(const char *model, const char *role, const char *privilege);
extern bool ml_registry_has_privilege(const char *role, const char *model, const char *privilege);

/* requirement.c: 55000 with all that is not met, 22023 for what cannot be read. */
extern void ml_requirement_check(Jsonb *require, const char *model, int64 version_id, int32 version);

#endif							/* ML_SERVICE_REGISTRY_H */
