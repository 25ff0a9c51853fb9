/*-------------------------------------------------------------------------
 * distribution.c
 *	  ml_fit_distribution(): parameters of a distribution from a column.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pg/compat.h"
#include "service/distribution.h"
#include "utils/builtins.h"

ML_FUNCTION(ml_fit_distribution);

static char *
word(FunctionCallInfo fcinfo, int n, const char *name)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
	return text_to_cstring(PG_GETARG_TEXT_PP(n));
}

Datum
ml_fit_distribution(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *source = word(fcinfo, 0, "source");
	char	   *column = word(fcinfo, 1, "column");
	char	   *family = word(fcinfo, 2, "family");
	char	   *method = word(fcinfo, 3, "method");
	Jsonb	   *prior = PG_ARGISNULL(4) ? NULL : PG_GETARG_JSONB_P(4);
	MlFittedParameter *rows;
	int			count;

	if (PG_ARGISNULL(5))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"level\" must not be null")));
	InitMaterializedSRF(fcinfo, 0);
	rows = ml_fit_column(source, column, family, method, prior, PG_GETARG_FLOAT8(5), &count);
	for (int i = 0; i < count; i++)
	{
		double		number[4] = {rows[i].estimate, rows[i].std_error, rows[i].lower, rows[i].upper};
		Datum		values[5] = {CStringGetTextDatum(rows[i].name)};
		bool		nulls[5] = {false};

		for (int c = 0; c < 4; c++)
		{
			values[c + 1] = Float8GetDatum(number[c]);
			nulls[c + 1] = isnan(number[c]);
		}
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
