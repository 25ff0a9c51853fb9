/*-------------------------------------------------------------------------
 * argument.h
 *	  Arguments of SQL functions that are texts.
 *-------------------------------------------------------------------------
 */
#ifndef ML_API_ARGUMENT_H
#define ML_API_ARGUMENT_H

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

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

/* jsonb as text, NULL for SQL NULL. */
static inline char *
ml_json_argument(FunctionCallInfo fcinfo, int number)
{
	Jsonb	   *value;

	if (PG_ARGISNULL(number))
		return NULL;
	value = PG_GETARG_JSONB_P(number);
	return JsonbToCString(NULL, &value->root, VARSIZE(value));
}

#endif							/* ML_API_ARGUMENT_H */
