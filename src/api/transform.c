/*-------------------------------------------------------------------------
 * transform.c
 *	  ml_transform(): a row as the method of a model sees it.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "pg/compat.h"
#include "service/predict.h"

ML_FUNCTION(ml_transform);
ML_FUNCTION(ml_transform_json);
ML_FUNCTION(ml_transform_array);
ML_FUNCTION(ml_transform_steps);

Datum
ml_transform(PG_FUNCTION_ARGS)
{
	MlCallSite *site = ml_site_by_reference(fcinfo, PG_GETARG_TEXT_PP(0));

	ml_site_row(site, PG_GETARG_HEAPTUPLEHEADER(1));
	PG_RETURN_JSONB_P(ml_site_transformed(site));
}

Datum
ml_transform_json(PG_FUNCTION_ARGS)
{
	MlCallSite *site = ml_site_by_reference(fcinfo, PG_GETARG_TEXT_PP(0));

	ml_site_json(site, PG_GETARG_JSONB_P(1));
	PG_RETURN_JSONB_P(ml_site_transformed(site));
}

Datum
ml_transform_array(PG_FUNCTION_ARGS)
{
	MlCallSite *site = ml_site_by_reference(fcinfo, PG_GETARG_TEXT_PP(0));

	ml_site_array(site, PG_GETARG_ARRAYTYPE_P(1));
	PG_RETURN_JSONB_P(ml_site_transformed(site));
}

/* From the table that checks steps: nothing is written down twice. */
Datum
ml_transform_steps(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (const MlStepInfo *step = ml_step_infos; step->name != NULL; step++)
	{
		Datum		values[4] = {
			CStringGetTextDatum(step->name), CStringGetTextDatum(step->takes), CStringGetTextDatum(step->options), CStringGetTextDatum(step->description)
		};
		bool		nulls[4] = {false, false, step->options[0] == '\0', false};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
