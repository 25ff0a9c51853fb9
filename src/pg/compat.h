/*-------------------------------------------------------------------------
 * compat.h
 *	  What differs between the PostgreSQL versions we build on; the only file that
 *	  looks at PG_VERSION_NUM.  Include postgres.h first.
 *-------------------------------------------------------------------------
 */
#ifndef ML_PG_COMPAT_H
#define ML_PG_COMPAT_H

#include "fmgr.h"

/*
 * Declares a C function that SQL calls.  Before version 16 PG_FUNCTION_INFO_V1 does not
 * export the function itself, and we hide what is not exported.
 */
#define ML_FUNCTION(name) \
	extern PGDLLEXPORT Datum name(PG_FUNCTION_ARGS); \
	PG_FUNCTION_INFO_V1(name)

/* libpq/libpq.h needs headers that are not always installed; this is all we want of it. */
extern bool pq_check_connection(void);

#endif							/* ML_PG_COMPAT_H */
