/*-------------------------------------------------------------------------
 * batch.c
 *	  ml_predict_batch() and what it is planned as, and ml_create_function(): predictions for whole relations.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "nodes/supportnodes.h"
#include "utils/builtins.h"

#include "api/argument.h"
#include "pg/compat.h"
#include "service/batch.h"
#include "service/batch_plan.h"
#include "service/function.h"
#include "service/predict.h"

ML_FUNCTION(ml_predict_batch);
ML_FUNCTION(mlplat_predict_batch_support);
ML_FUNCTION(mlplat_batch_prediction);
ML_FUNCTION(mlplat_batch_label);
ML_FUNCTION(mlplat_batch_probability);
ML_FUNCTION(mlplat_batch_version);
ML_FUNCTION(ml_create_function);

/* The tuplestore spills to disk beyond work_mem. */
static void
store_row(void *state, const MlBatchRow *row)
{
	ReturnSetInfo *result = state;
	Datum		values[5] = {0};
	bool		nulls[5] = {row->id == NULL, !row->has_prediction, row->label == NULL, !row->has_probability, false};

	if (row->id != NULL)
		values[0] = CStringGetTextDatum(row->id);
	values[1] = Float8GetDatum(row->prediction);
	if (row->label != NULL)
		values[2] = CStringGetTextDatum(row->label);
	values[3] = Float8GetDatum(row->probability);
	values[4] = Int32GetDatum(row->version);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

Datum
ml_predict_batch(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *model = ml_required_text(fcinfo, 0, "model");
	char	   *source = ml_required_text(fcinfo, 1, "source");
	char	   *id = ml_text_argument(fcinfo, 2);

	InitMaterializedSRF(fcinfo, 0);
	if (!ml_batch_store(model, source, id, result->setResult, result->econtext->ecxt_per_query_memory))
		ml_batch_run(model, source, id, store_row, result);
	return (Datum) 0;
}

Datum
mlplat_predict_batch_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);

	if (IsA(request, SupportRequestSimplify))
		ml_batch_plan(((SupportRequestSimplify *) request)->root, ((SupportRequestSimplify *) request)->fcall);
	PG_RETURN_POINTER(NULL);
}

/*
 * Arguments (model, version_id, row).  Plans compute these for blocks of rows (batch_scan.c); called for a single row they
 * answer for it.
 */
static bool
answer_row(FunctionCallInfo fcinfo, MlBatchRow *row)
{
	MlCallSite *site;
	MlSiteRow	last;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		return false;
	site = ml_site_by_reference(fcinfo, PG_GETARG_TEXT_PP(0));
	ml_site_row(site, PG_GETARG_HEAPTUPLEHEADER(2));
	ml_site_last_row(site, &last);
	ml_batch_answer(last.served, last.out, row);
	return true;
}

Datum
mlplat_batch_prediction(PG_FUNCTION_ARGS)
{
	MlBatchRow	row;

	if (!answer_row(fcinfo, &row) || !row.has_prediction)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(row.prediction);
}

Datum
mlplat_batch_label(PG_FUNCTION_ARGS)
{
	MlBatchRow	row;

	if (!answer_row(fcinfo, &row) || row.label == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(row.label));
}

Datum
mlplat_batch_probability(PG_FUNCTION_ARGS)
{
	MlBatchRow	row;

	if (!answer_row(fcinfo, &row) || !row.has_probability)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(row.probability);
}

Datum
mlplat_batch_version(PG_FUNCTION_ARGS)
{
	MlBatchRow	row;

	if (!answer_row(fcinfo, &row))
		PG_RETURN_NULL();
	PG_RETURN_INT32(row.version);
}

Datum
ml_create_function(PG_FUNCTION_ARGS)
{
	char	   *model = ml_required_text(fcinfo, 0, "model");
	char	   *kind = ml_required_text(fcinfo, 3, "kind");

	if (PG_ARGISNULL(1) || PG_ARGISNULL(4))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", PG_ARGISNULL(1) ? "relation" : "pinned")));
	PG_RETURN_OID(ml_function_create(model, PG_GETARG_OID(1), ml_text_argument(fcinfo, 2), kind, PG_GETARG_BOOL(4)));
}
