/*-------------------------------------------------------------------------
 * internal.c
 *	  mlplat._invalidate() and mlplat._privilege(), what triggers and views need; and
 *	  mlplat._shared_models(), for who looks after the server.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "catalog/model.h"
#include "catalog/resolve.h"
#include "pg/compat.h"
#include "service/shared_models.h"

ML_FUNCTION(mlplat_invalidate);
ML_FUNCTION(mlplat_privilege);
ML_FUNCTION(mlplat_shared_models);

/* The row of a version is gone, or says something else than before. */
static void
forget_image(const TriggerData *trigger)
{
	TupleDesc	columns = RelationGetDescr(trigger->tg_relation);
	int			column = SPI_fnumber(columns, "checksum");
	bool		null = true;
	Datum		checksum = (Datum) 0;

	if (column > 0)
		checksum = heap_getattr(trigger->tg_trigtuple, column, columns, &null);
	if (!null)
		ml_shared_forget_at_commit(TextDatumGetCString(checksum));
}

Datum
mlplat_invalidate(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("this function can only be called as a trigger")));
	CacheInvalidateRelcacheByRelid(ml_resolve_relation());
	if (ml_shared_models_exist() && !TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		forget_image(trigger);
	return PointerGetDatum(TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple);
}

Datum
mlplat_privilege(PG_FUNCTION_ARGS)
{
	int64		model_id = PG_GETARG_INT64(0);

	PG_RETURN_INT32(ml_model_privilege(model_id, GetUserId(), GetActiveSnapshot()));
}

Datum
mlplat_shared_models(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MlSharedInfo *list;
	int			count;

	InitMaterializedSRF(fcinfo, 0);
	list = ml_shared_list(&count);
	for (int i = 0; i < count; i++)
	{
		Datum		values[5] = {
			ObjectIdGetDatum(list[i].database), CStringGetTextDatum(list[i].checksum), Int64GetDatum((int64) list[i].bytes),
			Int32GetDatum(list[i].users), TimestampTzGetDatum(list[i].last_use)
		};
		bool		nulls[5] = {false};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
