/*-------------------------------------------------------------------------
 * estimate.c
 *	  ml_estimate(): a dry run of ml_train().
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "pg/compat.h"
#include "pg/textarray.h"
#include "service/estimate.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

ML_FUNCTION(ml_estimate);

static char *
text_argument(FunctionCallInfo fcinfo, int n, const char *required)
{
	if (!PG_ARGISNULL(n))
		return text_to_cstring(PG_GETARG_TEXT_PP(n));
	if (required != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", required)));
	return NULL;
}

static char *
jsonb_argument(FunctionCallInfo fcinfo, int n)
{
	Jsonb	   *value;

	if (PG_ARGISNULL(n))
		return NULL;
	value = PG_GETARG_JSONB_P(n);
	return JsonbToCString(NULL, &value->root, VARSIZE(value));
}

Datum
ml_estimate(PG_FUNCTION_ARGS)
{
	MlTrainRequest request = {0};
	MlEstimate *estimate;
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[5];
	bool		nulls[5] = {false};

	request.algorithm = text_argument(fcinfo, 0, "algorithm");
	request.source = text_argument(fcinfo, 1, "source");
	request.target = text_argument(fcinfo, 2, NULL);
	request.features_given = !PG_ARGISNULL(3);
	if (request.features_given)
		request.features = ml_text_list(PG_GETARG_ARRAYTYPE_P(3), "features");
	if (!PG_ARGISNULL(4))
		request.exclude = ml_text_list(PG_GETARG_ARRAYTYPE_P(4), "exclude");
	request.params = jsonb_argument(fcinfo, 5);
	request.transform = jsonb_argument(fcinfo, 6);
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
