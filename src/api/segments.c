/*-------------------------------------------------------------------------
 * segments.c
 *	  ml_segments(): the groups of rows that have, or should have had, a model of their own.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/segment.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pg/compat.h"
#include "service/evaluate.h"
#include "service/segments.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/tuplestore.h"

ML_FUNCTION(ml_segments);

typedef struct Listing
{
	const MlRouting *routing;
	ReturnSetInfo *result;
} Listing;

static void
value_of(MlSegmentKind kind, char *text, JsonbValue *value)
{
	switch (kind)
	{
		case ML_SEGMENT_INTEGER:
			value->type = jbvNumeric;
			value->val.numeric = DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(text),
																	 ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
			return;
		case ML_SEGMENT_BOOLEAN:
			value->type = jbvBool;
			value->val.boolean = strcmp(text, "true") == 0;
			return;
		case ML_SEGMENT_TEXT:
		case ML_SEGMENT_DATE:
			value->type = jbvString;
			value->val.string.val = text;
			value->val.string.len = strlen(text);
			return;
	}
}

/* {"region": "north", "store": 5} */
static Datum
key_object(const MlRouting *routing, char **key)
{
	JsonbParseState *state = NULL;
	JsonbValue *object;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < routing->n_columns; i++)
	{
		JsonbValue	name;
		JsonbValue	value;

		name.type = jbvString;
		name.val.string.val = routing->name[i];
		name.val.string.len = strlen(routing->name[i]);
		pushJsonbValue(&state, WJB_KEY, &name);
		value_of(routing->kind[i], key[i], &value);
		pushJsonbValue(&state, WJB_VALUE, &value);
	}
	object = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return JsonbPGetDatum(JsonbValueToJsonb(object));
}

static void
list_segment(void *state, const MlSegmentEntry *entry)
{
	Listing    *listing = state;
	Datum		values[5];
	bool		nulls[5] = {false};

	values[0] = key_object(listing->routing, entry->key);
	values[1] = Int64GetDatum(entry->rows);
	values[2] = Float8GetDatum(entry->score);
	nulls[2] = isnan(entry->score);
	values[3] = entry->error != NULL ? CStringGetTextDatum(entry->error) : (Datum) 0;
	nulls[3] = entry->error == NULL;
	values[4] = Int64GetDatum((int64) entry->image_length);
	nulls[4] = entry->image_length == 0;
	tuplestore_putvalues(listing->result->setResult, listing->result->setDesc, values, nulls);
}

Datum
ml_segments(PG_FUNCTION_ARGS)
{
	const MlServed *served;
	Listing		listing;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("model must not be null")));
	InitMaterializedSRF(fcinfo, 0);
	served = ml_serve_to_reader(text_to_cstring(PG_GETARG_TEXT_PP(0)), CurrentMemoryContext);
	listing.routing = served->routing;
	listing.result = (ReturnSetInfo *) fcinfo->resultinfo;
	if (served->routing != NULL)
		ml_segment_each(served->resolved.version_id, served->routing->n_columns, false, ml_serving_snapshot(), list_segment, &listing);
	return (Datum) 0;
}
