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

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

typedef struct MlFunctionUse
{
	char	   *function;		/* as it is called now */
	int64		version_id;		/* 0 unless pinned */
	TimestampTz made_at;		/* 0: it was renamed since, or not recorded */
} MlFunctionUse;

/* function: "schema.name(argument types)", everything qualified; version_id 0 unless pinned. */
extern void ml_function_record(const char *function, int64 model_id, int64 version_id);

/*
 * Functions (of MlFunctionUse *) that exist and use the model; only those pinned to a version when version_id is not 0.
 * read_only: as the active snapshot sees them, else as they are now.
 */
extern List *ml_function_users(int64 model_id, int64 version_id, bool read_only);

#endif							/* ML_CATALOG_FUNCTION_H */
