/*-------------------------------------------------------------------------
 * internal.c
 *	  mlplat._invalidate() and mlplat._privilege(): what triggers and views need.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/inval.h"
#include "utils/snapmgr.h"

#include "catalog/model.h"
#include "catalog/resolve.h"
#include "pg/compat.h"

ML_FUNCTION(mlplat_invalidate);
ML_FUNCTION(mlplat_privilege);

Datum
mlplat_invalidate(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("this function can only be called as a trigger")));
	CacheInvalidateRelcacheByRelid(ml_resolve_relation());
	return PointerGetDatum(TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple);
}

Datum
mlplat_privilege(PG_FUNCTION_ARGS)
{
	int64		model_id = PG_GETARG_INT64(0);

	PG_RETURN_INT32(ml_model_privilege(model_id, GetUserId(), GetActiveSnapshot()));
}
