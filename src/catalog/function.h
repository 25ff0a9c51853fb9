/*-------------------------------------------------------------------------
 * function.h
 *	  Functions that ml_create_function() made: which model they use.
 *
 * A record whose function has been dropped by DROP FUNCTION counts for nothing.  One whose function was renamed, moved, or works
 * on a table that was, is no longer found under its name; then the function's body tells.
 *-------------------------------------------------------------------------
 */
#ifndef ML_CATALOG_FUNCTION_H
#define ML_CATALOG_FUNCTION_H

#include "postgres.h"

#include "nodes/pg_list.h"

/* function: "schema.name(argument types)", everything qualified; version_id 0 unless pinned. */
extern void ml_function_record(const char *function, int64 model_id, int64 version_id);

/* Functions (of char *) that exist and use the model; only those pinned to a version when version_id is not 0. */
extern List *ml_function_users(int64 model_id, int64 version_id);

#endif							/* ML_CATALOG_FUNCTION_H */
