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
ML_FUNCTION(mlplat_explain_planned);

/* -1 for all features. */
static int
get_top(FunctionCallInfo fcinfo, int argument)
{
	int			top = PG_ARGISNULL(argument) ? -1 : PG_GETARG_INT32(argument);

	if (!PG_ARGISNULL(argument) && top < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("top must be zero or more, not %d", top)));
	return top;
}

static Datum
put_contributions(FunctionCallInfo fcinfo, MlCallSite *site, int top)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int			count;
	MlContribution *rows = ml_explain_site(site, top, &count);

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

Datum
ml_explain(PG_FUNCTION_ARGS)
{
	MlCallSite *site;
	int			top;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return (Datum) 0;
	top = get_top(fcinfo, 2);
	site = ml_site_by_reference(fcinfo, PG_GETARG_TEXT_PP(0));
	ml_site_row(site, PG_GETARG_HEAPTUPLEHEADER(1));
	return put_contributions(fcinfo, site, top);
}

/* What it is planned as (prune.c): (model, version_id, names, top, columns...). */
Datum
mlplat_explain_planned(PG_FUNCTION_ARGS)
{
	int			top;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		return (Datum) 0;
	top = get_top(fcinfo, 3);
	return put_contributions(fcinfo, ml_site_planned(fcinfo, 4, ML_KEY_REFERENCE, 0, PG_GETARG_TEXT_PP(0), PG_GETARG_INT64(1),
													 PG_GETARG_DATUM(2)), top);
}
