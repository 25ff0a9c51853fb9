/*-------------------------------------------------------------------------
 * predict.c
 *	  The predict functions.
 *
 * Each asks for the call site of its model, hands it the features in the shape in which
 * they came, and returns one of the answers.  The SQL declares those STRICT whose NULLs all mean NULL.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"

#include "pg/compat.h"
#include "service/predict.h"
#include "service/prune.h"

ML_FUNCTION(ml_predict);
ML_FUNCTION(ml_predict_class);
ML_FUNCTION(ml_predict_proba);
ML_FUNCTION(ml_predict_probs);
ML_FUNCTION(ml_predict_json);
ML_FUNCTION(ml_predict_class_json);
ML_FUNCTION(ml_predict_proba_json);
ML_FUNCTION(ml_predict_array);
ML_FUNCTION(mlplat_predict);
ML_FUNCTION(mlplat_predict_class);
ML_FUNCTION(mlplat_predict_proba);
ML_FUNCTION(mlplat_predict_version);
ML_FUNCTION(mlplat_predict_version_class);
ML_FUNCTION(mlplat_predict_version_proba);
ML_FUNCTION(mlplat_predict_columns);
ML_FUNCTION(mlplat_predict_columns_class);
ML_FUNCTION(mlplat_predict_columns_proba);
ML_FUNCTION(mlplat_predict_version_columns);
ML_FUNCTION(mlplat_predict_version_columns_class);
ML_FUNCTION(mlplat_predict_version_columns_proba);
ML_FUNCTION(mlplat_predict_planned);
ML_FUNCTION(mlplat_predict_planned_class);
ML_FUNCTION(mlplat_predict_planned_proba);
ML_FUNCTION(mlplat_predict_planned_probs);
ML_FUNCTION(mlplat_predict_planned_json);
ML_FUNCTION(mlplat_predict_planned_class_json);
ML_FUNCTION(mlplat_predict_planned_proba_json);
ML_FUNCTION(mlplat_predict_planned_model);
ML_FUNCTION(mlplat_predict_planned_model_class);
ML_FUNCTION(mlplat_predict_planned_model_proba);
ML_FUNCTION(mlplat_predict_support);

/* Arguments (model text, row record, ...). */
static MlCallSite *
by_reference(FunctionCallInfo fcinfo)
{
	MlCallSite *site = ml_site_by_reference(fcinfo, PG_GETARG_TEXT_PP(0));

	ml_site_row(site, PG_GETARG_HEAPTUPLEHEADER(1));
	return site;
}

Datum
ml_predict(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(ml_site_value(by_reference(fcinfo)));
}

Datum
ml_predict_class(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(ml_site_class(by_reference(fcinfo)));
}

Datum
ml_predict_proba(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(ml_site_probability(by_reference(fcinfo), PG_ARGISNULL(2) ? NULL : PG_GETARG_TEXT_PP(2)));
}

Datum
ml_predict_probs(PG_FUNCTION_ARGS)
{
	PG_RETURN_JSONB_P(ml_site_probabilities(by_reference(fcinfo)));
}

/* Arguments (model text, features jsonb, ...). */
static MlCallSite *
by_json(FunctionCallInfo fcinfo)
{
	MlCallSite *site = ml_site_by_reference(fcinfo, PG_GETARG_TEXT_PP(0));

	ml_site_json(site, PG_GETARG_JSONB_P(1));
	return site;
}

Datum
ml_predict_json(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(ml_site_value(by_json(fcinfo)));
}

Datum
ml_predict_class_json(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(ml_site_class(by_json(fcinfo)));
}

Datum
ml_predict_proba_json(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(ml_site_probability(by_json(fcinfo), PG_ARGISNULL(2) ? NULL : PG_GETARG_TEXT_PP(2)));
}

Datum
ml_predict_array(PG_FUNCTION_ARGS)
{
	MlCallSite *site = ml_site_by_reference(fcinfo, PG_GETARG_TEXT_PP(0));

	ml_site_array(site, PG_GETARG_ARRAYTYPE_P(1));
	PG_RETURN_FLOAT8(ml_site_value(site));
}

/*
 * What generated functions call: (model_id, alias, row), (version_id, row), and the same
 * with the columns one by one instead of the row: (model_id, alias, names, columns...), for the next
 * version may read other columns in another order; (version_id, columns...) in the order of the version.
 */
static MlCallSite *
by_model(FunctionCallInfo fcinfo)
{
	MlCallSite *site = ml_site_by_model(fcinfo, PG_GETARG_INT64(0), PG_GETARG_TEXT_PP(1));

	ml_site_row(site, PG_GETARG_HEAPTUPLEHEADER(2));
	return site;
}

static MlCallSite *
by_version(FunctionCallInfo fcinfo)
{
	MlCallSite *site = ml_site_by_version(fcinfo, PG_GETARG_INT64(0));

	ml_site_row(site, PG_GETARG_HEAPTUPLEHEADER(1));
	return site;
}

/* Columns may be NULL, so these are not strict. */
static MlCallSite *
columns_by_model(FunctionCallInfo fcinfo)
{
	MlCallSite *site;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		return NULL;
	site = ml_site_by_model(fcinfo, PG_GETARG_INT64(0), PG_GETARG_TEXT_PP(1));
	ml_site_columns(site, fcinfo, 3, PG_GETARG_ARRAYTYPE_P(2));
	return site;
}

static MlCallSite *
columns_by_version(FunctionCallInfo fcinfo)
{
	MlCallSite *site;

	if (PG_ARGISNULL(0))
		return NULL;
	site = ml_site_by_version(fcinfo, PG_GETARG_INT64(0));
	ml_site_columns(site, fcinfo, 1, NULL);
	return site;
}

Datum
mlplat_predict(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(ml_site_value(by_model(fcinfo)));
}

Datum
mlplat_predict_class(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(ml_site_class(by_model(fcinfo)));
}

Datum
mlplat_predict_proba(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(ml_site_probability(by_model(fcinfo), NULL));
}

Datum
mlplat_predict_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(ml_site_value(by_version(fcinfo)));
}

Datum
mlplat_predict_version_class(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(ml_site_class(by_version(fcinfo)));
}

Datum
mlplat_predict_version_proba(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(ml_site_probability(by_version(fcinfo), NULL));
}

Datum
mlplat_predict_columns(PG_FUNCTION_ARGS)
{
	MlCallSite *site = columns_by_model(fcinfo);

	if (site == NULL)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(ml_site_value(site));
}

Datum
mlplat_predict_columns_class(PG_FUNCTION_ARGS)
{
	MlCallSite *site = columns_by_model(fcinfo);

	if (site == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(ml_site_class(site));
}

Datum
mlplat_predict_columns_proba(PG_FUNCTION_ARGS)
{
	MlCallSite *site = columns_by_model(fcinfo);

	if (site == NULL)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(ml_site_probability(site, NULL));
}

Datum
mlplat_predict_version_columns(PG_FUNCTION_ARGS)
{
	MlCallSite *site = columns_by_version(fcinfo);

	if (site == NULL)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(ml_site_value(site));
}

Datum
mlplat_predict_version_columns_class(PG_FUNCTION_ARGS)
{
	MlCallSite *site = columns_by_version(fcinfo);

	if (site == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(ml_site_class(site));
}

Datum
mlplat_predict_version_columns_proba(PG_FUNCTION_ARGS)
{
	MlCallSite *site = columns_by_version(fcinfo);

	if (site == NULL)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(ml_site_probability(site, NULL));
}

/*
 * What calls with a row are planned as (prune.c): (model, version_id, names, columns...); ml_predict_proba's with the class
 * before the columns; and by model id (model_id, alias, version_id, names, columns...).  Columns may be NULL.
 */
static MlCallSite *
planned_by_reference(FunctionCallInfo fcinfo, int first)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		return NULL;
	return ml_site_planned(fcinfo, first, ML_KEY_REFERENCE, 0, PG_GETARG_TEXT_PP(0), PG_GETARG_INT64(1), PG_GETARG_DATUM(2));
}

static MlCallSite *
planned_by_model(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(3))
		return NULL;
	return ml_site_planned(fcinfo, 4, ML_KEY_MODEL, PG_GETARG_INT64(0), PG_GETARG_TEXT_PP(1), PG_GETARG_INT64(2), PG_GETARG_DATUM(3));
}

Datum
mlplat_predict_planned(PG_FUNCTION_ARGS)
{
	MlCallSite *site = planned_by_reference(fcinfo, 3);

	if (site == NULL)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(ml_site_value(site));
}

Datum
mlplat_predict_planned_class(PG_FUNCTION_ARGS)
{
	MlCallSite *site = planned_by_reference(fcinfo, 3);

	if (site == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(ml_site_class(site));
}

Datum
mlplat_predict_planned_proba(PG_FUNCTION_ARGS)
{
	MlCallSite *site = planned_by_reference(fcinfo, 4);

	if (site == NULL)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(ml_site_probability(site, PG_ARGISNULL(3) ? NULL : PG_GETARG_TEXT_PP(3)));
}

Datum
mlplat_predict_planned_probs(PG_FUNCTION_ARGS)
{
	MlCallSite *site = planned_by_reference(fcinfo, 3);

	if (site == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(ml_site_probabilities(site));
}

/* (model, version_id, object with the columns); ml_predict_proba_json's with the class at the end. */
static MlCallSite *
planned_json(FunctionCallInfo fcinfo)
{
	return ml_site_planned_json(fcinfo, PG_GETARG_TEXT_PP(0), PG_GETARG_INT64(1), PG_GETARG_JSONB_P(2));
}

Datum
mlplat_predict_planned_json(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(ml_site_value(planned_json(fcinfo)));
}

Datum
mlplat_predict_planned_class_json(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(ml_site_class(planned_json(fcinfo)));
}

Datum
mlplat_predict_planned_proba_json(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(ml_site_probability(planned_json(fcinfo), PG_ARGISNULL(3) ? NULL : PG_GETARG_TEXT_PP(3)));
}

Datum
mlplat_predict_planned_model(PG_FUNCTION_ARGS)
{
	MlCallSite *site = planned_by_model(fcinfo);

	if (site == NULL)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(ml_site_value(site));
}

Datum
mlplat_predict_planned_model_class(PG_FUNCTION_ARGS)
{
	MlCallSite *site = planned_by_model(fcinfo);

	if (site == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(ml_site_class(site));
}

Datum
mlplat_predict_planned_model_proba(PG_FUNCTION_ARGS)
{
	MlCallSite *site = planned_by_model(fcinfo);

	if (site == NULL)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(ml_site_probability(site, NULL));
}

/* What a call costs beside the model: the row, its conversion, the call. */
#define CALL_NANOSECONDS 400.0

/* One cpu_operator_cost is about this long. */
#define OPERATOR_NANOSECONDS 2.5

static Node *
set_cost(SupportRequestCost *cost)
{
	MlModelKey	key;
	double		nanoseconds;

	/* What explains has its own cost, whatever predicting takes. */
	if (cost->node == NULL || !IsA(cost->node, FuncExpr) || ((FuncExpr *) cost->node)->funcretset || !ml_call_key((FuncExpr *) cost->node, &key) ||
		!ml_serve_cost(&key, &nanoseconds))
		return NULL;
	cost->startup = 0;
	cost->per_tuple = (CALL_NANOSECONDS + nanoseconds) / OPERATOR_NANOSECONDS * cpu_operator_cost;
	return (Node *) cost;
}

/*
 * Tells the planner what a call with a constant name costs, so that cheap filters run first and large scans run in
 * parallel; and replaces calls with a row by calls with columns.
 */
Datum
mlplat_predict_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	Node	   *answer = NULL;

	if (IsA(request, SupportRequestCost))
		answer = set_cost((SupportRequestCost *) request);
	else if (IsA(request, SupportRequestSimplify))
		answer = ml_prune_call(((SupportRequestSimplify *) request)->root, ((SupportRequestSimplify *) request)->fcall);
	PG_RETURN_POINTER(answer);
}
