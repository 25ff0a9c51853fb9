/*-------------------------------------------------------------------------
 * train.c
 *	  ml_train, ml_train_async, ml_retrain.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "api/argument.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pg/compat.h"
#include "pg/textarray.h"
#include "service/train.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

ML_FUNCTION(ml_train);
ML_FUNCTION(ml_train_async);
ML_FUNCTION(ml_retrain);

/* Places of the arguments of ml_train and ml_train_async. */
enum
{
	A_ALGORITHM, A_SOURCE, A_TARGET, A_MODEL, A_FEATURES, A_EXCLUDE, A_PARAMS, A_ID, A_WEIGHT,
	A_SPLIT, A_HOLDOUT, A_VALIDATION, A_SPLIT_BY, A_CLASS_WEIGHT, A_SEED, A_MAX_SECONDS, A_DEPLOY, A_NOTE,
	A_SEGMENT_BY, A_SEGMENT_MIN_ROWS, A_TRANSFORM, A_PRIORITY
};

static void
require(FunctionCallInfo fcinfo, int number, const char *name)
{
	if (PG_ARGISNULL(number))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
}

static double
number_argument(FunctionCallInfo fcinfo, int number, const char *name)
{
	require(fcinfo, number, name);
	return PG_GETARG_FLOAT8(number);
}

static List *
names_argument(FunctionCallInfo fcinfo, int number, const char *name)
{
	return PG_ARGISNULL(number) ? NIL : ml_text_list(PG_GETARG_ARRAYTYPE_P(number), name);
}

/* Without a seed one is drawn, and recorded like a given one. */
static int64
seed_argument(FunctionCallInfo fcinfo, int number)
{
	uint64		seed;

	if (!PG_ARGISNULL(number))
		return PG_GETARG_INT64(number);
	if (!pg_strong_random(&seed, sizeof(seed)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate a random seed")));
	return (int64) (seed >> 1);
}

static double
max_seconds_argument(FunctionCallInfo fcinfo, int number)
{
	double		seconds;

	if (PG_ARGISNULL(number))
		return 0;
	seconds = PG_GETARG_FLOAT8(number);
	if (!(seconds > 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_seconds must be above 0, not %g", seconds)));
	return seconds;
}

static MlTrainRequest *
read_request(FunctionCallInfo fcinfo)
{
	MlTrainRequest *request = palloc0(sizeof(MlTrainRequest));

	require(fcinfo, A_ALGORITHM, "algorithm");
	require(fcinfo, A_SOURCE, "source");
	request->algorithm = ml_text_argument(fcinfo, A_ALGORITHM);
	request->source = ml_text_argument(fcinfo, A_SOURCE);
	request->target = ml_text_argument(fcinfo, A_TARGET);
	request->model = ml_text_argument(fcinfo, A_MODEL);
	request->features_given = !PG_ARGISNULL(A_FEATURES);
	request->features = names_argument(fcinfo, A_FEATURES, "features");
	request->exclude = names_argument(fcinfo, A_EXCLUDE, "exclude");
	request->params = ml_json_argument(fcinfo, A_PARAMS);
	request->transform = ml_json_argument(fcinfo, A_TRANSFORM);
	request->id = ml_text_argument(fcinfo, A_ID);
	request->weight = ml_text_argument(fcinfo, A_WEIGHT);
	require(fcinfo, A_SPLIT, "split");
	request->split = ml_text_argument(fcinfo, A_SPLIT);
	request->holdout = number_argument(fcinfo, A_HOLDOUT, "holdout");
	request->validation = number_argument(fcinfo, A_VALIDATION, "validation");
	request->split_by = ml_text_argument(fcinfo, A_SPLIT_BY);
	request->class_weight = ml_text_argument(fcinfo, A_CLASS_WEIGHT);
	request->seed = seed_argument(fcinfo, A_SEED);
	request->max_seconds = max_seconds_argument(fcinfo, A_MAX_SECONDS);
	require(fcinfo, A_DEPLOY, "deploy");
	request->deploy = ml_text_argument(fcinfo, A_DEPLOY);
	request->note = ml_text_argument(fcinfo, A_NOTE);
	request->segment_by = names_argument(fcinfo, A_SEGMENT_BY, "segment_by");
	require(fcinfo, A_SEGMENT_MIN_ROWS, "segment_min_rows");
	request->segment_min_rows = PG_GETARG_INT32(A_SEGMENT_MIN_ROWS);
	return request;
}

static Datum
text_or_null(const char *text, bool *null)
{
	*null = text == NULL || text[0] == '\0';
	return *null ? (Datum) 0 : CStringGetTextDatum(text);
}

static Datum
text_array(int count, char **texts)
{
	Datum	   *values = palloc(sizeof(Datum) * Max(count, 1));

	for (int i = 0; i < count; i++)
		values[i] = CStringGetTextDatum(texts[i]);
	return PointerGetDatum(construct_array(values, count, TEXTOID, -1, false, TYPALIGN_INT));
}

static void
return_report(FunctionCallInfo fcinfo, const MlTrainReport *report)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[10];
	bool		nulls[10] = {false};

	values[0] = CStringGetTextDatum(report->model);
	values[1] = Int32GetDatum(report->version);
	values[2] = CStringGetTextDatum(report->task);
	values[3] = CStringGetTextDatum(report->algorithm);
	values[4] = Int64GetDatum(report->rows);
	values[5] = Int32GetDatum(report->features);
	values[6] = text_or_null(report->metric, &nulls[6]);
	values[7] = Float8GetDatum(report->score);
	nulls[7] = isnan(report->score);
	values[8] = Float8GetDatum(report->seconds);
	values[9] = text_array(report->n_warnings, report->warnings);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

Datum
ml_train(PG_FUNCTION_ARGS)
{
	InitMaterializedSRF(fcinfo, 0);
	return_report(fcinfo, ml_train_run(read_request(fcinfo)));
	return (Datum) 0;
}

Datum
ml_train_async(PG_FUNCTION_ARGS)
{
	MlTrainRequest *request = read_request(fcinfo);

	require(fcinfo, A_PRIORITY, "priority");
	request->priority = PG_GETARG_INT32(A_PRIORITY);
	PG_RETURN_INT64(ml_train_enqueue(request));
}

Datum
ml_retrain(PG_FUNCTION_ARGS)
{
	MlTrainRequest *request;

	InitMaterializedSRF(fcinfo, 0);
	require(fcinfo, 0, "model");
	require(fcinfo, 2, "deploy");
	request = ml_train_again(ml_text_argument(fcinfo, 0), ml_text_argument(fcinfo, 1), ml_text_argument(fcinfo, 2));
	return_report(fcinfo, ml_train_run(request));
	return (Datum) 0;
}
