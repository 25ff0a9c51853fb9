/*-------------------------------------------------------------------------
 * batch_scan.c
 *	  The node of a plan that predicts the rows of the node below, a block at a time.
 *
 * Below come the columns of the planned version, then what is handed through (batch_plan.c).  A block is
 * ML_BATCH_ROWS rows, so the memory does not depend on their number.  Nothing is shared between processes: in a parallel plan each runs
 * the node over its part of the rows, and all find the same version, for they have one snapshot.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/explain.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"

#include "pg/compat.h"
#include "service/batch.h"
#include "service/batch_plan.h"
#include "service/predict.h"

/* A column of the result. */
typedef struct Output
{
	MlBatchColumn kind;
	int			place;			/* below, of ML_BATCH_INPUT */
	bool		by_value;
	int16		length;
	Datum	   *value;			/* of the rows of the block, of ML_BATCH_INPUT */
	bool	   *null;
} Output;

typedef struct BatchScan
{
	CustomScanState scan;
	PlanState  *below;
	const char *reference;
	int64		planned;
	List	   *names;			/* of String */
	int			n_outputs;
	Output	   *outputs;

	/* From the first row on. */
	MlServed	served;
	bool		ready;
	MemoryContextCallback release;
	MlRowMap   *map;
	MlRouter   *router;			/* of a version with segments, else NULL: rows are then predicted one by one */
	MlBatchRow *routed;			/* what was said of the rows of the block */
	Datum	   *label;			/* of each class, as text */
	double	   *row;			/* one encoded row */
	double	   *x;				/* a block of them, feature by feature: see MlMethod.predict_batch */
	double	   *out;
	MemoryContext block_context;	/* what the rows of a block allocate */
	int			n;				/* rows in the block */
	int			next;			/* of them, the one to return next */
	bool		at_end;			/* the node below has no more */
} BatchScan;

/* ------------------------------------------------------------------ the model */

/* The columns below that the model reads, with their names. */
static TupleDesc
describe_input(const BatchScan *batch)
{
	TupleDesc	given = ExecGetResultType(batch->below);
	TupleDesc	columns = CreateTemplateTupleDesc(list_length(batch->names));
	ListCell   *cell;

	foreach(cell, batch->names)
	{
		int			i = foreach_current_index(cell);

		TupleDescInitEntry(columns, i + 1, strVal(lfirst(cell)), TupleDescAttr(given, i)->atttypid, -1, 0);
	}
	return columns;
}

static void
release_model(void *arg)
{
	ml_serve_release(&((BatchScan *) arg)->served);
}

/* The model that the name means for this snapshot; once a statement, so each of its rows is predicted by the same version. */
static void
prepare(BatchScan *batch)
{
	EState	   *estate = batch->scan.ss.ps.state;
	MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);
	MlModelKey	key = {ML_KEY_REFERENCE, 0, batch->reference};
	TupleDesc	input = describe_input(batch);
	const MlSchema *schema;
	Size		values;

	batch->release.func = release_model;
	batch->release.arg = batch;
	MemoryContextRegisterResetCallback(estate->es_query_cxt, &batch->release);
	ml_serve_key(&key, &batch->served);
	if (batch->served.resolved.version_id != batch->planned)
		ml_settle_planned(&batch->served, batch->planned, input);
	ml_require_scalar(&batch->served);
	schema = batch->served.model->schema;
	values = (Size) Max(schema->n_features, 1) * ML_BATCH_ROWS;

	batch->map = ml_rowmap_create(&batch->served, input);
	if (batch->served.routing != NULL)
	{
		batch->router = ml_router_create(&batch->served, estate->es_query_cxt);
		batch->routed = palloc0_array(MlBatchRow, ML_BATCH_ROWS);
	}
	else
		ml_serve_hasten(&batch->served);
	batch->row = palloc_array(double, Max(schema->n_features, 1));
	batch->x = (double *) MemoryContextAllocExtended(estate->es_query_cxt, sizeof(double) * values, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	batch->out = palloc_array(double, (Size) batch->served.model->n_out * ML_BATCH_ROWS);
	batch->label = palloc0_array(Datum, Max(schema->n_classes, 1));
	for (int k = 0; k < schema->n_classes; k++)
		batch->label[k] = CStringGetTextDatum(schema->classes[k]);
	batch->block_context = AllocSetContextCreate(estate->es_query_cxt, "mlplat batch block", ALLOCSET_DEFAULT_SIZES);
	batch->ready = true;
	MemoryContextSwitchTo(old);
}

/* ------------------------------------------------------------------ the block */

static void
keep_inputs(BatchScan *batch, const TupleTableSlot *slot)
{
	for (int i = 0; i < batch->n_outputs; i++)
	{
		Output	   *output = &batch->outputs[i];
		bool		null;

		if (output->kind != ML_BATCH_INPUT)
			continue;
		null = slot->tts_isnull[output->place];
		output->null[batch->n] = null;
		if (!null)
			output->value[batch->n] = datumCopy(slot->tts_values[output->place], output->by_value, output->length);
	}
}

static void
route_row(BatchScan *batch, const TupleTableSlot *slot)
{
	MlAnswer	answer;

	ml_rowmap_route(batch->map, slot->tts_values, slot->tts_isnull, batch->router);
	answer = ml_router_answer(batch->router, batch->row, batch->out);
	ml_batch_answer(answer.served, answer.out, &batch->routed[batch->n]);
	/* The model that the label belongs to may be gone before the block is. */
	if (batch->routed[batch->n].label != NULL)
		batch->routed[batch->n].label = pstrdup(batch->routed[batch->n].label);
}

static void
take_row(BatchScan *batch, TupleTableSlot *slot)
{
	int			n_features = batch->served.model->schema->n_features;
	double	   *x = batch->x + batch->n;
	MemoryContext old = MemoryContextSwitchTo(batch->block_context);

	slot_getallattrs(slot);
	ml_rowmap_encode(batch->map, slot->tts_values, slot->tts_isnull, batch->row);
	if (batch->router != NULL)
		route_row(batch, slot);
	else
	{
		for (int f = 0; f < n_features; f++)
			x[(Size) f * ML_BATCH_ROWS] = batch->row[f];
	}
	keep_inputs(batch, slot);
	batch->n++;
	MemoryContextSwitchTo(old);
}

/* False when there are no more rows. */
static bool
fill_block(BatchScan *batch)
{
	batch->n = 0;
	batch->next = 0;
	if (!batch->ready)
		prepare(batch);
	MemoryContextReset(batch->block_context);
	while (batch->n < ML_BATCH_ROWS && !batch->at_end)
	{
		TupleTableSlot *slot = ExecProcNode(batch->below);

		if (TupIsNull(slot))
			batch->at_end = true;
		else
			take_row(batch, slot);
	}
	if (batch->n == 0)
		return false;
	if (batch->router == NULL)
		ml_model_predict_batch(batch->served.model, batch->x, batch->n, batch->out);
	return true;
}

/* Row "next" of the block into the slot. */
static void
store_row(BatchScan *batch, TupleTableSlot *slot)
{
	const MlModel *model = batch->served.model;
	const double *out = batch->out + (Size) batch->next * model->n_out;
	MemoryContext old = MemoryContextSwitchTo(batch->block_context);	/* of labels that are made */
	MlBatchRow	row;

	if (batch->router != NULL)
		row = batch->routed[batch->next];
	else
		ml_batch_answer(&batch->served, out, &row);
	ExecClearTuple(slot);
	for (int i = 0; i < batch->n_outputs; i++)
	{
		const Output *output = &batch->outputs[i];
		Datum	   *value = &slot->tts_values[i];
		bool	   *null = &slot->tts_isnull[i];

		*null = false;
		switch (output->kind)
		{
			case ML_BATCH_INPUT:
				*value = output->value[batch->next];
				*null = output->null[batch->next];
				break;
			case ML_BATCH_PREDICTION:
				*value = Float8GetDatum(row.prediction);
				*null = !row.has_prediction;
				break;
			case ML_BATCH_LABEL:
				*null = row.label == NULL;
				if (!*null)
					*value = model->schema->n_classes > 0 && batch->router == NULL ? batch->label[ml_model_winner(model, out)] : CStringGetTextDatum(row.label);
				break;
			case ML_BATCH_PROBABILITY:
				*value = Float8GetDatum(row.probability);
				*null = !row.has_probability;
				break;
			case ML_BATCH_VERSION:
				*value = Int32GetDatum(row.version);
				break;
		}
	}
	ExecStoreVirtualTuple(slot);
	MemoryContextSwitchTo(old);
}

/* ---------------------------------------------------------------- for the executor */

static void
begin_scan(CustomScanState *node, EState *estate, int eflags)
{
	BatchScan  *batch = (BatchScan *) node;
	const CustomScan *plan = (const CustomScan *) node->ss.ps.plan;
	const List *kinds = list_nth(plan->custom_private, ML_BATCH_PRIVATE_KINDS);
	const List *places = list_nth(plan->custom_private, ML_BATCH_PRIVATE_PLACES);
	TupleDesc	result = node->ss.ss_ScanTupleSlot->tts_tupleDescriptor;

	batch->below = ExecInitNode(linitial(plan->custom_plans), estate, eflags);
	node->custom_ps = list_make1(batch->below);
	batch->reference = TextDatumGetCString(((Const *) list_nth(plan->custom_private, ML_BATCH_PRIVATE_MODEL))->constvalue);
	batch->planned = DatumGetInt64(((Const *) list_nth(plan->custom_private, ML_BATCH_PRIVATE_VERSION))->constvalue);
	batch->names = list_nth(plan->custom_private, ML_BATCH_PRIVATE_NAMES);
	batch->n_outputs = list_length(kinds);
	batch->outputs = palloc0_array(Output, Max(batch->n_outputs, 1));
	for (int i = 0; i < batch->n_outputs; i++)
	{
		Output	   *output = &batch->outputs[i];

		output->kind = (MlBatchColumn) list_nth_int(kinds, i);
		output->place = list_nth_int(places, i);
		if (output->kind != ML_BATCH_INPUT)
			continue;
		output->by_value = TupleDescAttr(result, i)->attbyval;
		output->length = TupleDescAttr(result, i)->attlen;
		output->value = palloc_array(Datum, ML_BATCH_ROWS);
		output->null = palloc_array(bool, ML_BATCH_ROWS);
	}
}

static TupleTableSlot *
next_row(CustomScanState *node)
{
	BatchScan  *batch = (BatchScan *) node;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
	ExprContext *context = node->ss.ps.ps_ExprContext;

	CHECK_FOR_INTERRUPTS();
	if (batch->next >= batch->n && (batch->at_end || !fill_block(batch)))
		return ExecClearTuple(slot);
	store_row(batch, slot);
	batch->next++;
	if (node->ss.ps.ps_ProjInfo == NULL)
		return slot;
	ResetExprContext(context);
	context->ecxt_scantuple = slot;
	return ExecProject(node->ss.ps.ps_ProjInfo);
}

static void
end_scan(CustomScanState *node)
{
	ExecEndNode(((BatchScan *) node)->below);
}

static void
rescan(CustomScanState *node)
{
	BatchScan  *batch = (BatchScan *) node;

	batch->n = 0;
	batch->next = 0;
	batch->at_end = false;
	/* What has parameters that changed is rescanned by its first row. */
	if (node->ss.ps.chgParam != NULL)
		UpdateChangedParamSet(batch->below, node->ss.ps.chgParam);
	if (batch->below->chgParam == NULL)
		ExecReScan(batch->below);
}

static void
explain_scan(CustomScanState *node, List *ancestors, ExplainState *es)
{
	ExplainPropertyText("Model", ((BatchScan *) node)->reference, es);
}

static const CustomExecMethods exec_methods = {
	.CustomName = "MlBatch",
	.BeginCustomScan = begin_scan,
	.ExecCustomScan = next_row,
	.EndCustomScan = end_scan,
	.ReScanCustomScan = rescan,
	.ExplainCustomScan = explain_scan
};

static Node *
create_state(CustomScan *plan)
{
	BatchScan  *batch = (BatchScan *) newNode(sizeof(BatchScan), T_CustomScanState);

	batch->scan.methods = &exec_methods;
	return (Node *) batch;
}

const CustomScanMethods ml_batch_scan_methods = {.CustomName = "MlBatch", .CreateCustomScanState = create_state};
