/*-------------------------------------------------------------------------
 * batch.c
 *	  Predictions for all rows of a source.
 *
 * Only the columns that the model reads, and the id, are asked of the source.  The
 * statement sees one version, whatever is deployed while it runs.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/tstoreReceiver.h"
#include "executor/tuptable.h"
#include "tcop/dest.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "pg/compat.h"
#include "pg/scan.h"
#include "pg/source.h"
#include "service/batch.h"
#include "service/batch_plan.h"
#include "service/predict.h"

typedef struct BatchState
{
	const MlServed *served;
	MlRowMap   *map;
	double	   *row;			/* one encoded row */
	double	   *x;				/* a block of them, feature by feature: see MlMethod.predict_batch */
	double	   *out;			/* of a block */
	char	   *id[ML_BATCH_ROWS];
	int			n;				/* rows in the block */
	int			id_column;		/* -1: none */
	FmgrInfo	id_output;
	MlRouter   *router;			/* of a version with segments, else NULL: rows are then predicted one by one */
	MemoryContext block_context;	/* what the rows of a block allocate */
	bool		vectors;
	MlBatchSink sink;
	void	   *sink_state;
} BatchState;

void
ml_batch_answer(const MlServed *served, const double *out, MlBatchRow *row)
{
	const MlSchema *schema = served->model->schema;

	row->version = served->resolved.version;
	row->has_prediction = schema->task != ML_TASK_CLASSIFICATION || schema->class_value != NULL;
	if (row->has_prediction)
		row->prediction = ml_predicted_value(served, out);
	row->label = schema->task != ML_TASK_REGRESSION ? ml_predicted_class(served, out) : NULL;
	row->has_probability = ml_has_probabilities(served->model);
	if (row->has_probability)
		row->probability = ml_predicted_probability(served, out);
}

/* What this batch is asked for: a vector, or all that a prediction says. */
static void
fill_row(const BatchState *batch, const MlServed *served, const double *out, MlBatchRow *row)
{
	if (!batch->vectors)
	{
		ml_batch_answer(served, out, row);
		return;
	}
	row->vector = out;
	row->length = served->model->n_answer;
	row->version = served->resolved.version;
}

/* Predicts what the block holds and hands it on. */
static void
flush_block(BatchState *batch)
{
	const MlModel *model = batch->served->model;
	MlBatchRow	row = {0};
	MemoryContext old = MemoryContextSwitchTo(batch->block_context);

	ml_model_predict_batch(model, batch->x, batch->n, batch->out);
	for (int i = 0; i < batch->n; i++)
	{
		fill_row(batch, batch->served, batch->out + (size_t) i * model->n_out, &row);
		row.id = batch->id[i];
		batch->sink(batch->sink_state, &row);
	}
	batch->n = 0;
	MemoryContextSwitchTo(old);
	MemoryContextReset(batch->block_context);
}

static char *
id_of(BatchState *batch, TupleTableSlot *slot)
{
	if (batch->id_column < 0 || slot->tts_isnull[batch->id_column])
		return NULL;
	return OutputFunctionCall(&batch->id_output, slot->tts_values[batch->id_column]);
}

static void
take_routed_row(void *state, TupleTableSlot *slot)
{
	BatchState *batch = state;
	MemoryContext old = MemoryContextSwitchTo(batch->block_context);
	MlBatchRow	row = {0};
	MlAnswer	answer;

	slot_getallattrs(slot);
	ml_rowmap_encode(batch->map, slot->tts_values, slot->tts_isnull, batch->row);
	ml_rowmap_route(batch->map, slot->tts_values, slot->tts_isnull, batch->router);
	answer = ml_router_answer(batch->router, batch->row, batch->out);
	fill_row(batch, answer.served, answer.out, &row);
	row.id = id_of(batch, slot);
	batch->sink(batch->sink_state, &row);
	MemoryContextSwitchTo(old);
	MemoryContextReset(batch->block_context);
}

static void
take_row(void *state, TupleTableSlot *slot)
{
	BatchState *batch = state;
	int			n_features = batch->served->model->schema->n_features;
	MemoryContext old = MemoryContextSwitchTo(batch->block_context);
	double	   *x = batch->x + batch->n;

	slot_getallattrs(slot);
	ml_rowmap_encode(batch->map, slot->tts_values, slot->tts_isnull, batch->row);
	for (int f = 0; f < n_features; f++)
		x[(size_t) f * ML_BATCH_ROWS] = batch->row[f];
	batch->id[batch->n] = id_of(batch, slot);
	batch->n++;
	MemoryContextSwitchTo(old);
	if (batch->n == ML_BATCH_ROWS)
		flush_block(batch);
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

static void
prepare_block(BatchState *batch, MemoryContext owner)
{
	const MlModel *model = batch->served->model;
	Size		values = (Size) Max(model->schema->n_features, 1) * ML_BATCH_ROWS;

	ml_serve_hasten(batch->served);
	batch->row = palloc_array(double, Max(model->schema->n_features, 1));
	batch->x = (double *) MemoryContextAllocZero(owner, sizeof(double) * values);
	batch->out = palloc_array(double, (Size) model->n_out * ML_BATCH_ROWS);
	batch->block_context = AllocSetContextCreate(owner, "mlplat batch block", ALLOCSET_DEFAULT_SIZES);
}

static void
run(const char *reference, const char *source_text, const char *id, bool vectors, MlBatchSink sink, void *sink_state)
{
	MemoryContext owner = AllocSetContextCreate(CurrentMemoryContext, "mlplat batch", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(owner);
	BatchState	batch = {0};
	MlSource   *source;
	bool	   *needed;

	batch.served = ml_serve(reference, owner);
	if (vectors)
		ml_require_vector(batch.served);
	else
		ml_require_scalar(batch.served);
	batch.vectors = vectors;
	source = ml_source_open(source_text);
	batch.map = ml_rowmap_create(batch.served, source->columns);
	prepare_id(&batch, source, id);
	prepare_block(&batch, owner);
	batch.sink = sink;
	batch.sink_state = sink_state;

	needed = palloc0(sizeof(bool) * Max(source->columns->natts, 1));
	for (int i = 0; i < batch.map->n_columns; i++)
		needed[batch.map->columns[i]] = true;
	if (batch.id_column >= 0)
		needed[batch.id_column] = true;
	if (batch.served->routing != NULL)
		batch.router = ml_router_create(batch.served, owner);
	ml_scan_each_of(source, needed, batch.router != NULL ? take_routed_row : take_row, &batch);
	if (batch.n > 0)
		flush_block(&batch);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(owner);
}

bool
ml_batch_store(const char *reference, const char *source, const char *id, Tuplestorestate *store, MemoryContext context)
{
	MemoryContext owner = AllocSetContextCreate(CurrentMemoryContext, "mlplat batch", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(owner);
	const MlServed *served = ml_serve(reference, owner);
	PlannedStmt *statement;

	ml_require_scalar(served);
	statement = ml_batch_statement(served, reference, source, id);
	if (statement != NULL)
	{
		DestReceiver *receiver = CreateDestReceiver(DestTuplestore);

		ML_SET_TUPLESTORE(receiver, store, context);
		ml_scan_statement(statement, source, receiver);
		receiver->rDestroy(receiver);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(owner);
	return statement != NULL;
}

void
ml_batch_run(const char *reference, const char *source, const char *id, MlBatchSink sink, void *state)
{
	run(reference, source, id, false, sink, state);
}

void
ml_batch_vectors(const char *reference, const char *source, const char *id, MlBatchSink sink, void *state)
{
	run(reference, source, id, true, sink, state);
}
