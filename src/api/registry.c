/*-------------------------------------------------------------------------
 * registry.c
 *	  SQL functions of the registry: read arguments, call, return.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "api/argument.h"
#include "catalog/lineage.h"
#include "pg/compat.h"
#include "service/registry.h"

ML_FUNCTION(ml_deploy);
ML_FUNCTION(ml_rollback);
ML_FUNCTION(ml_drop);
ML_FUNCTION(ml_rename);
ML_FUNCTION(ml_set_alias);
ML_FUNCTION(ml_drop_alias);
ML_FUNCTION(ml_grant);
ML_FUNCTION(ml_revoke);
ML_FUNCTION(ml_has_privilege);
ML_FUNCTION(ml_lineage);

/* 0 for SQL NULL; a version that is given must be positive. */
static int32
version_argument(FunctionCallInfo fcinfo, int i)
{
	if (PG_ARGISNULL(i))
		return 0;
	if (PG_GETARG_INT32(i) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("version must be 1 or more, not %d", PG_GETARG_INT32(i))));
	return PG_GETARG_INT32(i);
}

Datum
ml_deploy(PG_FUNCTION_ARGS)
{
	PreventCommandIfReadOnly("ml_deploy()");
	PG_RETURN_INT32(ml_registry_deploy(ml_text_argument(fcinfo, 0), version_argument(fcinfo, 1), ml_text_argument(fcinfo, 2),
									   PG_ARGISNULL(3) ? NULL : PG_GETARG_JSONB_P(3), ml_text_argument(fcinfo, 4)));
}

Datum
ml_rollback(PG_FUNCTION_ARGS)
{
	PreventCommandIfReadOnly("ml_rollback()");
	PG_RETURN_INT32(ml_registry_rollback(ml_text_argument(fcinfo, 0), ml_text_argument(fcinfo, 1)));
}

Datum
ml_drop(PG_FUNCTION_ARGS)
{
	PreventCommandIfReadOnly("ml_drop()");
	ml_registry_drop(ml_text_argument(fcinfo, 0), version_argument(fcinfo, 1));
	PG_RETURN_VOID();
}

Datum
ml_rename(PG_FUNCTION_ARGS)
{
	PreventCommandIfReadOnly("ml_rename()");
	ml_registry_rename(ml_text_argument(fcinfo, 0), ml_text_argument(fcinfo, 1));
	PG_RETURN_VOID();
}

Datum
ml_set_alias(PG_FUNCTION_ARGS)
{
	PreventCommandIfReadOnly("ml_set_alias()");
	if (PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("version must not be null")));
	ml_registry_deploy(ml_text_argument(fcinfo, 0), version_argument(fcinfo, 2), ml_text_argument(fcinfo, 1), NULL, NULL);
	PG_RETURN_VOID();
}

Datum
ml_drop_alias(PG_FUNCTION_ARGS)
{
	PreventCommandIfReadOnly("ml_drop_alias()");
	ml_registry_drop_alias(ml_text_argument(fcinfo, 0), ml_text_argument(fcinfo, 1));
	PG_RETURN_VOID();
}

Datum
ml_grant(PG_FUNCTION_ARGS)
{
	PreventCommandIfReadOnly("ml_grant()");
	ml_registry_grant(ml_text_argument(fcinfo, 0), ml_text_argument(fcinfo, 1), ml_text_argument(fcinfo, 2));
	PG_RETURN_VOID();
}

Datum
ml_revoke(PG_FUNCTION_ARGS)
{
	PreventCommandIfReadOnly("ml_revoke()");
	ml_registry_revoke(ml_text_argument(fcinfo, 0), ml_text_argument(fcinfo, 1), ml_text_argument(fcinfo, 2));
	PG_RETURN_VOID();
}

Datum
ml_has_privilege(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(ml_registry_has_privilege(ml_text_argument(fcinfo, 0), ml_text_argument(fcinfo, 1), ml_text_argument(fcinfo, 2)));
}

Datum
ml_lineage(PG_FUNCTION_ARGS)
{
	char	   *reference = ml_text_argument(fcinfo, 0);
	char	   *direction = ml_text_argument(fcinfo, 1);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	ml_lineage_read(reference, direction, result->setResult, result->setDesc);
	return (Datum) 0;
}
