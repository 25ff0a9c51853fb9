/*-------------------------------------------------------------------------
 * model.h
 *	  Models, their owners and who may do what with them.
 *-------------------------------------------------------------------------
 */
#ifndef ML_CATALOG_MODEL_H
#define ML_CATALOG_MODEL_H

#include "postgres.h"

#include "utils/snapshot.h"

/* Each includes those below it. */
typedef enum MlPrivilege
{
	ML_PRIVILEGE_NONE,
	ML_PRIVILEGE_PREDICT,
	ML_PRIVILEGE_READ,
	ML_PRIVILEGE_TRAIN,
	ML_PRIVILEGE_DEPLOY,
	ML_PRIVILEGE_OWN
} MlPrivilege;

/* 42602 for empty, blank or control characters or '@', 42622 for more than 63 bytes, 22004 for NULL. */
extern void ml_model_check_name(const char *name);

/* The same for an alias, which also must not be a number. */
extern void ml_alias_check_name(const char *alias);

/* 0 when there is no such model (or its anchor is gone). Uses the given snapshot; NULL: the active one. */
extern int64 ml_model_find(const char *name, Snapshot snapshot);

/* 42704 when it does not exist or when the current role has no right on it at all; 42501 when its right is too small. */
extern int64 ml_model_require(const char *name, MlPrivilege privilege);

/* The same for a model that is known by its id; "name" is for messages. */
extern void ml_model_require_id(int64 model_id, const char *name, MlPrivilege privilege, Snapshot snapshot);

/*
 * For writers: the same, and locks the model's row to the end of the transaction.  Sees what
 * is committed now and all of the own transaction, also of this very statement.
 * Every writer takes this lock first, so that writers of one model come one after the other and cannot deadlock.
 */
extern int64 ml_model_lock(const char *name, MlPrivilege privilege);

/* 42704 for a name that no model has; the hint offers the nearest one that the current role may use. */
extern void ml_model_report_missing(const char *name) pg_attribute_noreturn();

/* Owner of the anchor, InvalidOid when it is gone. */
extern Oid	ml_model_owner(int64 model_id);

/* The highest privilege of a role, by ownership, membership, grants (names resolved now), superuser. */
extern MlPrivilege ml_model_privilege(int64 model_id, Oid role, Snapshot snapshot);

extern const char *ml_privilege_name(MlPrivilege privilege);
extern MlPrivilege ml_privilege_parse(const char *word);	/* 22023, 22004 */

/*
 * Finds or creates (with its anchor, owned by the current role) and locks the row; *created says which.
 * 42501 when it exists and the current role may not train it.
 */
extern int64 ml_model_obtain(const char *name, const char *note, bool *created);

/* These expect the row to be locked. */
extern void ml_model_rename(int64 model_id, const char *new_name);	/* 42710 when taken */
extern void ml_model_delete(int64 model_id);	/* everything of it, and its anchor */

/* Grants of one model; the row is locked. */
extern void ml_privilege_grant(int64 model_id, const char *grantee, MlPrivilege privilege);

/* Takes away every grant of this role that includes the privilege; returns how many. */
extern uint64 ml_privilege_revoke(int64 model_id, const char *grantee, MlPrivilege privilege);

#endif							/* ML_CATALOG_MODEL_H */
