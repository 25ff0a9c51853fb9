/*-------------------------------------------------------------------------
 * model.h
 *	  Models, their owners and who may do what with them.
 *-------------------------------------------------------------------------
 */
#ifndef ML_CATALOG_MODEL_H
#define ML_CATALOG_MODEL_H

#include "postgres.h"

#include "utils/snapshot.h"

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

/* 0 when there is no such model (or its anchor is gone). Uses the given snapshot; NULL: the active one. */
extern int64 ml_model_find(const char *name, Snapshot snapshot);

/* 42704 when it does not exist or when the current role has no right on it at all; 42501 when its right is too small. */
extern int64 ml_model_require(const char *name, MlPrivilege privilege);

/* Owner of the anchor, InvalidOid when it is gone. */
extern Oid	ml_model_owner(int64 model_id);

/* The highest privilege of a role, by ownership, membership, grants (names resolved now), superuser. */
extern MlPrivilege ml_model_privilege(int64 model_id, Oid role, Snapshot snapshot);

extern const char *ml_privilege_name(MlPrivilege privilege);
extern MlPrivilege ml_privilege_parse(const char *word);	/* 22023 */

/* Finds or creates (with its anchor, owned by the current role) and locks the row; *created says which. */
extern int64 ml_model_obtain(const char *name, const char *note, bool *created);

#endif							/* ML_CATALOG_MODEL_H */
