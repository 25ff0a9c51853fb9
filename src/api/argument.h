/*-------------------------------------------------------------------------
 * argument.h
 *	  Text arguments of SQL functions.
 *-------------------------------------------------------------------------
 */
#ifndef ML_API_ARGUMENT_H
#define ML_API_ARGUMENT_H

#include "fmgr.h"
#include "utils/builtins.h"

/* NULL for SQL NULL. */
static inline char *
ml_text_argument(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(number));
}

/* An error for SQL NULL. */
static inline char *
ml_required_text(FunctionCallInfo fcinfo, int number, const char *name)
{
	if (PG_ARGISNULL(number))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
	return text_to_cstring(PG_GETARG_TEXT_PP(number));
}

#endif							/* ML_API_ARGUMENT_H */
