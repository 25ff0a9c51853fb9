/*-------------------------------------------------------------------------
 * estimate.c
 *	  ml_estimate(): a dry run of ml_train().
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/argument.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pg/compat.h"
#include "pg/textarray.h"
#include "service/estimate.h"
#include "utils/builtins.h"

ML_FUNCTION(ml_estimate);

Datum
ml_estimate(PG_FUNCTION_ARGS)
{
	MlTrainRequest request = {0};
	MlEstimate *estimate;
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[5];
	bool		nulls[5] = {false};

	request.algorithm = ml_required_text(fcinfo, 0, "argument \"algorithm\"");
	request.source = ml_required_text(fcinfo, 1, "argument \"source\"");
	request.target = ml_text_argument(fcinfo, 2);
	request.features_given = !PG_ARGISNULL(3);
	if (request.features_given)
		request.features = ml_text_list(PG_GETARG_ARRAYTYPE_P(3), "features");
	if (!PG_ARGISNULL(4))
		request.exclude = ml_text_list(PG_GETARG_ARRAYTYPE_P(4), "exclude");
	request.params = ml_json_argument(fcinfo, 5);
	request.transform = ml_json_argument(fcinfo, 6);
	if (!PG_ARGISNULL(7))
		request.segment_by = ml_text_list(PG_GETARG_ARRAYTYPE_P(7), "segment_by");
	if (PG_ARGISNULL(8))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", "segment_min_rows")));
	request.segment_min_rows = PG_GETARG_INT32(8);
	request.split = "auto";
	request.holdout = 0.2;

	InitMaterializedSRF(fcinfo, 0);
	estimate = ml_estimate_run(&request);
	values[0] = Int64GetDatum((int64) Min(estimate->rows, 1e18));
	values[1] = Int32GetDatum(estimate->features);
	values[2] = Int64GetDatum((int64) Min(estimate->memory, (size_t) PG_INT64_MAX));
	values[3] = PointerGetDatum(ml_text_array(estimate->excluded));
	values[4] = PointerGetDatum(ml_text_array(estimate->warnings));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	return (Datum) 0;
}
