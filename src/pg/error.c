/*-------------------------------------------------------------------------
 * error.c
 *	  The one place where a failure of src/ml becomes a PostgreSQL ERROR.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "ml/base/arena.h"
#include "pg/error.h"

int
ml_sqlstate(MlStatus status)
{
	switch (status)
	{
		case ML_OK:
			return ERRCODE_SUCCESSFUL_COMPLETION;
		case ML_CANCELED:
			return ERRCODE_QUERY_CANCELED;
		case ML_NO_MEMORY:
			return ERRCODE_OUT_OF_MEMORY;
		case ML_OVER_BUDGET:
			return ERRCODE_CONFIGURATION_LIMIT_EXCEEDED;
		case ML_TOO_LARGE:
			return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
		case ML_BAD_PARAM:
			return ERRCODE_INVALID_PARAMETER_VALUE;
		case ML_BAD_DATA:
			return ERRCODE_DATA_EXCEPTION;
		case ML_OUT_OF_RANGE:
			return ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE;
		case ML_NULL_VALUE:
			return ERRCODE_NULL_VALUE_NOT_ALLOWED;
		case ML_BAD_LENGTH:
			return ERRCODE_ARRAY_SUBSCRIPT_ERROR;
		case ML_NO_COLUMN:
			return ERRCODE_UNDEFINED_COLUMN;
		case ML_BAD_TYPE:
			return ERRCODE_DATATYPE_MISMATCH;
		case ML_UNSUPPORTED:
		case ML_NEWER_FORMAT:
			return ERRCODE_FEATURE_NOT_SUPPORTED;
		case ML_CORRUPT:
			return ERRCODE_DATA_CORRUPTED;
	}
	return ERRCODE_INTERNAL_ERROR;
}

/*
 * A copy that is valid in the server encoding: the fixed buffers of MlError may
 * have cut a character in two, and a damaged image may hold any bytes.
 */
static char *
valid_text(const char *text)
{
	int			length = strlen(text);

	return pnstrdup(text, pg_encoding_verifymbstr(GetDatabaseEncoding(), text, length));
}

/* What helps when the failure itself brought no hint. */
static const char *
default_hint(const MlEnv *env)
{
	switch (env->error.status)
	{
		case ML_OVER_BUDGET:
			return "Use fewer rows or columns, or have a superuser raise mlplat.max_training_memory.";
		case ML_NEWER_FORMAT:
			return "Update the mlplat library on this server.";
		case ML_CORRUPT:
			return "Restore the model from a backup, or train it again.";
		default:
			return "";
	}
}

void
ml_throw(MlEnv *env)
{
	const MlError *error = &env->error;
	const char *hint = error->hint[0] != '\0' ? error->hint : default_hint(env);

	if (error->status == ML_CANCELED)
		CHECK_FOR_INTERRUPTS();

	if (error->status == ML_OK)
		elog(ERROR, "a failure was reported without a status");

	ereport(ERROR,
			(errcode(ml_sqlstate(error->status)),
			 errmsg("%s", error->message[0] != '\0' ? valid_text(error->message) : "canceled"),
			 error->detail[0] != '\0' ? errdetail("%s", valid_text(error->detail)) : 0,
			 hint[0] != '\0' ? errhint("%s", valid_text(hint)) : 0));
	pg_unreachable();
}
