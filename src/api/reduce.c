/*-------------------------------------------------------------------------
 * reduce.c
 *	  ml_reduce() and its like: the vector that a dimension reduction makes of a row.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "api/argument.h"
#include "pg/compat.h"
#include "service/batch.h"
#include "service/predict.h"

ML_FUNCTION(ml_reduce);
ML_FUNCTION(ml_reduce_json);
ML_FUNCTION(ml_reduce_array);
ML_FUNCTION(ml_reduce_batch);
ML_FUNCTION(mlplat_reduce_planned);

Datum
ml_reduce(PG_FUNCTION_ARGS)
{
	MlCallSite *site = ml_site_by_reference(fcinfo, PG_GETARG_TEXT_PP(0));

	ml_site_row(site, PG_GETARG_HEAPTUPLEHEADER(1));
	PG_RETURN_ARRAYTYPE_P(ml_site_vector(site));
}

Datum
ml_reduce_json(PG_FUNCTION_ARGS)
{
	MlCallSite *site = ml_site_by_reference(fcinfo, PG_GETARG_TEXT_PP(0));

	ml_site_json(site, PG_GETARG_JSONB_P(1));
	PG_RETURN_ARRAYTYPE_P(ml_site_vector(site));
}

Datum
ml_reduce_array(PG_FUNCTION_ARGS)
{
	MlCallSite *site = ml_site_by_reference(fcinfo, PG_GETARG_TEXT_PP(0));

	ml_site_array(site, PG_GETARG_ARRAYTYPE_P(1));
	PG_RETURN_ARRAYTYPE_P(ml_site_vector(site));
}

/* What ml_reduce() of a row is planned as (prune.c): (model, version_id, names, columns...). */
Datum
mlplat_reduce_planned(PG_FUNCTION_ARGS)
{
	MlCallSite *site;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	site = ml_site_planned(fcinfo, 3, ML_KEY_REFERENCE, 0, PG_GETARG_TEXT_PP(0), PG_GETARG_INT64(1), PG_GETARG_DATUM(2));
	PG_RETURN_ARRAYTYPE_P(ml_site_vector(site));
}

/* The tuplestore spills to disk beyond work_mem. */
static void
store_row(void *state, const MlBatchRow *row)
{
	ReturnSetInfo *result = state;
	Datum		values[3] = {0};
	bool		nulls[3] = {row->id == NULL, false, false};

	if (row->id != NULL)
		values[0] = CStringGetTextDatum(row->id);
	values[1] = PointerGetDatum(ml_float8_array(row->vector, row->length));
	values[2] = Int32GetDatum(row->version);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

Datum
ml_reduce_batch(PG_FUNCTION_ARGS)
{
	char	   *model = ml_required_text(fcinfo, 0, "model");
	char	   *source = ml_required_text(fcinfo, 1, "source");

	InitMaterializedSRF(fcinfo, 0);
	ml_batch_vectors(model, source, ml_text_argument(fcinfo, 2), store_row, fcinfo->resultinfo);
	return (Datum) 0;
}
