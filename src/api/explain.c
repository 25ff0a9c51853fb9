/*-------------------------------------------------------------------------
 * explain.c
 *	  ml_explain(): what each feature adds to a prediction.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "pg/compat.h"
#include "service/explain.h"

ML_FUNCTION(ml_explain);

Datum
ml_explain(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MlContribution *rows;
	MlCallSite *site;
	int			top = PG_ARGISNULL(2) ? -1 : PG_GETARG_INT32(2);
	int			count;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return (Datum) 0;
	if (!PG_ARGISNULL(2) && top < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("top must be zero or more, not %d", top)));
	site = ml_site_by_reference(fcinfo, PG_GETARG_TEXT_PP(0));
	ml_site_row(site, PG_GETARG_HEAPTUPLEHEADER(1));
	rows = ml_explain_site(site, top, &count);
	for (int i = 0; i < count; i++)
	{
		Datum		values[3] = {CStringGetTextDatum(rows[i].feature), (Datum) 0, Float8GetDatum(rows[i].contribution)};
		bool		nulls[3] = {false, rows[i].value == NULL, false};

		if (!nulls[1])
			values[1] = CStringGetTextDatum(rows[i].value);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
