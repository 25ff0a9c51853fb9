/*-------------------------------------------------------------------------
 * evaluate.c
 *	  ml_evaluate(), ml_confusion_matrix(), ml_roc_curve(): how good a version is.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "pg/compat.h"
#include "service/evaluate.h"

ML_FUNCTION(ml_evaluate);
ML_FUNCTION(ml_confusion_matrix);
ML_FUNCTION(ml_roc_curve);

/* Arguments (model text, source text DEFAULT NULL) of all three; "owner" holds what they need. */
static MlEvaluation *
evaluate_arguments(FunctionCallInfo fcinfo, MemoryContext *owner)
{
	char	   *source = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("model must not be null")));
	*owner = AllocSetContextCreate(CurrentMemoryContext, "mlplat evaluation", ALLOCSET_DEFAULT_SIZES);
	return ml_evaluate_version(text_to_cstring(PG_GETARG_TEXT_PP(0)), source, *owner);
}

static void
put_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

Datum
ml_evaluate(PG_FUNCTION_ARGS)
{
	MemoryContext owner;
	MlEvaluation *evaluation;

	InitMaterializedSRF(fcinfo, 0);
	evaluation = evaluate_arguments(fcinfo, &owner);
	for (int i = 0; i < evaluation->n_metrics; i++)
	{
		const MlMetric *metric = &evaluation->metrics[i];
		Datum		values[2] = {CStringGetTextDatum(metric->name), Float8GetDatum(metric->value)};
		bool		nulls[2] = {false, isnan(metric->value)};

		put_row(fcinfo, values, nulls);
	}
	MemoryContextDelete(owner);
	return (Datum) 0;
}

Datum
ml_confusion_matrix(PG_FUNCTION_ARGS)
{
	MemoryContext owner;
	MlEvaluation *evaluation;
	const MlSchema *schema;
	Datum	   *labels;

	InitMaterializedSRF(fcinfo, 0);
	evaluation = evaluate_arguments(fcinfo, &owner);
	schema = evaluation->served->model->schema;
	if (schema->task != ML_TASK_CLASSIFICATION)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("model \"%s\" does %s and has no confusion matrix", evaluation->served->name, ml_task_name(schema->task)),
				 errhint("Use ml_evaluate() for its metrics.")));
	labels = palloc(sizeof(Datum) * schema->n_classes);
	for (int k = 0; k < schema->n_classes; k++)
		labels[k] = CStringGetTextDatum(schema->classes[k]);
	for (int actual = 0; actual < schema->n_classes && evaluation->confusion != NULL; actual++)
	{
		CHECK_FOR_INTERRUPTS();
		for (int predicted = 0; predicted < schema->n_classes; predicted++)
		{
			Datum		values[3] = {
				labels[actual], labels[predicted],
				Int64GetDatum(evaluation->confusion[(Size) actual * schema->n_classes + predicted])
			};
			bool		nulls[3] = {false};

			put_row(fcinfo, values, nulls);
		}
	}
	MemoryContextDelete(owner);
	return (Datum) 0;
}

Datum
ml_roc_curve(PG_FUNCTION_ARGS)
{
	MemoryContext owner;
	MlEvaluation *evaluation;
	const MlSchema *schema;

	InitMaterializedSRF(fcinfo, 0);
	evaluation = evaluate_arguments(fcinfo, &owner);
	schema = evaluation->served->model->schema;
	if (schema->task != ML_TASK_CLASSIFICATION || schema->n_classes != 2)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("model \"%s\" does not tell two classes apart and has no ROC curve", evaluation->served->name),
				 errhint("Use ml_evaluate() for its metrics.")));
	for (int i = 0; i < evaluation->n_roc; i++)
	{
		const MlRocPoint *point = &evaluation->roc[i];
		Datum		values[3] = {Float8GetDatum(point->threshold), Float8GetDatum(point->fpr), Float8GetDatum(point->tpr)};
		bool		nulls[3] = {false, isnan(point->fpr), isnan(point->tpr)};

		put_row(fcinfo, values, nulls);
	}
	MemoryContextDelete(owner);
	return (Datum) 0;
}
