/*-------------------------------------------------------------------------
 * batch.c
 *	  Predictions for all rows of a source.
 *
 * Only the columns that the model reads, and the id, are asked of the source.  The
 * statement sees one version, whatever is deployed while it runs.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/tuptable.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "pg/scan.h"
#include "pg/source.h"
#include "service/batch.h"
#include "service/predict.h"

typedef struct BatchState
{
	const MlServed *served;
	MlRowMap   *map;
	double	   *x;
	double	   *out;
	int			id_column;		/* -1: none */
	FmgrInfo	id_output;
	MemoryContext row_context;	/* what one row allocates */
	MlBatchSink sink;
	void	   *sink_state;
} BatchState;

static void
predict_row(void *state, TupleTableSlot *slot)
{
	BatchState *batch = state;
	const MlSchema *schema = batch->served->model->schema;
	MemoryContext old = MemoryContextSwitchTo(batch->row_context);
	MlBatchRow	row = {0};

	slot_getallattrs(slot);
	ml_rowmap_encode(batch->map, slot->tts_values, slot->tts_isnull, batch->x);
	ml_model_predict(batch->served->model, batch->x, batch->out);

	row.version = batch->served->resolved.version;
	if (batch->id_column >= 0 && !slot->tts_isnull[batch->id_column])
		row.id = OutputFunctionCall(&batch->id_output, slot->tts_values[batch->id_column]);
	row.has_prediction = schema->task != ML_TASK_CLASSIFICATION || schema->class_value != NULL;
	if (row.has_prediction)
		row.prediction = ml_predicted_value(batch->served, batch->out);
	if (schema->task == ML_TASK_CLASSIFICATION)
	{
		row.label = ml_predicted_class(batch->served, batch->out);
		row.probability = ml_predicted_probability(batch->served, batch->out);
	}
	batch->sink(batch->sink_state, &row);
	MemoryContextSwitchTo(old);
	MemoryContextReset(batch->row_context);
}

static int
find_id(const MlSource *source, const char *id)
{
	for (int i = 0; i < source->columns->natts; i++)
	{
		if (strcmp(NameStr(TupleDescAttr(source->columns, i)->attname), id) == 0)
			return i;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("column \"%s\" does not exist in the source", id),
			 errdetail("It was named as the id of the rows.")));
}

static void
prepare_id(BatchState *batch, const MlSource *source, const char *id)
{
	Oid			output;
	bool		varlena;

	batch->id_column = -1;
	if (id == NULL)
		return;
	batch->id_column = find_id(source, id);
	getTypeOutputInfo(TupleDescAttr(source->columns, batch->id_column)->atttypid, &output, &varlena);
	fmgr_info(output, &batch->id_output);
}

void
ml_batch_run(const char *reference, const char *source_text, const char *id, MlBatchSink sink, void *sink_state)
{
	MemoryContext owner = AllocSetContextCreate(CurrentMemoryContext, "mlplat batch", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(owner);
	BatchState	batch = {0};
	MlSource   *source;
	bool	   *needed;

	batch.served = ml_serve(reference, owner);
	source = ml_source_open(source_text);
	batch.map = ml_rowmap_create(batch.served, source->columns);
	prepare_id(&batch, source, id);
	batch.x = palloc_array(double, Max(batch.served->model->schema->n_features, 1));
	batch.out = palloc_array(double, batch.served->model->n_out);
	batch.row_context = AllocSetContextCreate(owner, "mlplat batch row", ALLOCSET_DEFAULT_SIZES);
	batch.sink = sink;
	batch.sink_state = sink_state;

	needed = palloc0(sizeof(bool) * Max(source->columns->natts, 1));
	for (int i = 0; i < batch.map->n_steps; i++)
		needed[batch.map->steps[i].column] = true;
	if (batch.id_column >= 0)
		needed[batch.id_column] = true;
	ml_scan_each_of(source, needed, predict_row, &batch);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(owner);
}
