/*-------------------------------------------------------------------------
 * scan.c
 *	  Runs the query of a source and feeds its rows to a frame.
 *
 * The frame must know its columns before the first row, and an array shows its
 * length in its first value only: rows wait in a tuplestore until every array
 * column has shown one, which is usually the first row.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "pg/compat.h"
#include "pg/error.h"
#include "pg/scan_internal.h"
#include "pg/settings.h"
#include "pg/tokens.h"
#include "tcop/dest.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

/* Progress is told every so many rows. */
#define ROWS_PER_REPORT 8192

/* --------------------------------------------------- running a query */

/*
 * Runs a planned SELECT into a receiver, with the active snapshot, read-only, and in
 * physical order.  An ERROR leaves the settings to the end of the (sub)transaction.
 */
uint64
ml_scan_statement(PlannedStmt *statement, const char *text, DestReceiver *receiver)
{
	QueryDesc  *query;
	int			guc_level = NewGUCNestLevel();
	bool		was_read_only = XactReadOnly;
	uint64		rows;

	(void) set_config_option("synchronize_seqscans", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	XactReadOnly = true;

	query = CreateQueryDesc(statement, text, GetActiveSnapshot(), InvalidSnapshot, receiver, NULL, NULL, 0);
	ExecutorStart(query, 0);
	ML_EXECUTOR_RUN(query);
	rows = query->estate->es_processed;
	ExecutorFinish(query);
	ExecutorEnd(query);
	FreeQueryDesc(query);

	XactReadOnly = was_read_only;
	AtEOXact_GUC(true, guc_level);
	return rows;
}

static void
receiver_ignore(DestReceiver *self)
{
}

static void
receiver_startup(DestReceiver *self, int operation, TupleDesc type)
{
}

/* ------------------------------------------------- rows into a frame */

/* "row 17", with the id where there is one.  For messages. */
static char *
row_title(const MlFrameReceiver *r, TupleTableSlot *slot)
{
	const MlFeed *id = r->private_plan->id;
	const char *text;
	size_t		length;

	if (id == NULL || slot->tts_isnull[id->place])
		return psprintf("row " UINT64_FORMAT, r->rows + 1);
	text = ml_convert_text(&id->converter, slot->tts_values[id->place], &length);
	return psprintf("row " UINT64_FORMAT " (%s = %.*s)", r->rows + 1, id->spec.name, (int) Min(length, 100), text);
}

static void
feed_array(MlFrameReceiver *r, const MlFeed *feed, TupleTableSlot *slot)
{
	int			count = ml_convert_array(&feed->converter, slot->tts_values[feed->place], r->elements, feed->elements);

	if (count != feed->elements && !feed->converter.lenient)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("arrays in column \"%s\" differ in length", feed->spec.name),
				 errdetail("The first one has %d elements, that in %s has %d.", feed->elements, row_title(r, slot), count),
				 errhint("All arrays of a feature column must have the same length; a NULL array is a missing value.")));
	for (int i = 0; i < Min(count, feed->elements); i++)
		ml_frame_number(r->builder, feed->first_spec + i, r->elements[i]);
}

const char *
ml_scan_text(const MlFeed *feed, Datum value, size_t *length)
{
	/* NaN is missing in whatever form a column is read. */
	if (feed->converter.logical == ML_LOGICAL_FLOAT && isnan(ml_convert_number(&feed->converter, value)))
		return NULL;
	return ml_convert_text(&feed->converter, value, length);
}

static void
feed_text(MlFrameReceiver *r, const MlFeed *feed, Datum value)
{
	size_t		length;
	const char *text = ml_scan_text(feed, value, &length);

	if (text != NULL)
		ml_check(r->env, ml_frame_text(r->builder, feed->first_spec, text, length));
}

void
ml_scan_refuse_null_id(const MlFrameReceiver *r, const MlFeed *feed)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("id column \"%s\" is NULL in row " UINT64_FORMAT, feed->spec.name, r->rows + 1),
			 errhint("An id has to be unique and not NULL; name another column, or none.")));
}

static void
feed_row(MlFrameReceiver *r, TupleTableSlot *slot)
{
	MemoryContext caller = MemoryContextSwitchTo(r->row_context);

	r->in_row = true;
	for (int i = 0; i < r->private_plan->n_feeds; i++)
	{
		const MlFeed *feed = &r->private_plan->feeds[i];
		Datum		value = slot->tts_values[feed->place];

		if (slot->tts_isnull[feed->place])
		{
			if (feed->spec.roles & ML_ROLE_ID)
				ml_scan_refuse_null_id(r, feed);
			continue;
		}
		switch (feed->kind)
		{
			case ML_FEED_NUMBER:
				ml_frame_number(r->builder, feed->first_spec, ml_convert_number(&feed->converter, value));
				break;
			case ML_FEED_INTEGER:
				ml_frame_integer(r->builder, feed->first_spec, ml_convert_integer(&feed->converter, value));
				break;
			case ML_FEED_TEXT:
				feed_text(r, feed, value);
				break;
			case ML_FEED_ARRAY:
				feed_array(r, feed, slot);
				break;
		}
	}
	ml_check(r->env, ml_frame_end_row(r->builder));
	r->in_row = false;
	MemoryContextSwitchTo(caller);
	MemoryContextReset(r->row_context);

	ml_scan_count(r, 1);
}

void
ml_scan_count(MlFrameReceiver *r, int rows)
{
	uint64		reports = r->rows / ROWS_PER_REPORT;
	MlProgress	progress = {.phase = "read", .train_loss = NAN, .validation_loss = NAN};

	r->rows += rows;
	if (r->rows / ROWS_PER_REPORT == reports)
		return;
	/* Of a read, iterations are rows. */
	progress.iteration = r->rows;
	progress.iterations = (int64) Min(r->plan->estimated_rows, 1e15);
	progress.share = Min(0.99, r->rows / Max(r->plan->estimated_rows, 1.0));
	ml_progress(r->env, &progress);
	CHECK_FOR_INTERRUPTS();
}

/* Tells in which row an error was found. */
static void
name_row(void *arg)
{
	const MlFrameReceiver *r = arg;

	if (r->in_row)
		errcontext("row " UINT64_FORMAT " of the source", r->rows + r->ahead + 1);
}

/* Looks for arrays of unknown length in a row; true when none is left. */
static bool
learn_lengths(MlFrameReceiver *r, TupleTableSlot *slot)
{
	bool		all = true;

	for (int i = 0; i < r->private_plan->n_feeds; i++)
	{
		MlFeed	   *feed = &r->private_plan->feeds[i];

		if (feed->kind != ML_FEED_ARRAY || feed->elements >= 0)
			continue;
		if (slot != NULL && !slot->tts_isnull[feed->place])
			feed->elements = Max(ml_convert_array_length(&feed->converter, slot->tts_values[feed->place]), 0);
		else
			all = false;
	}
	return all;
}

/* Array columns without any value, or with empty ones: left out, or an error if named. */
static void
leave_out_empty_arrays(MlFrameReceiver *r)
{
	for (int i = 0; i < r->private_plan->n_feeds; i++)
	{
		MlFeed	   *feed = &r->private_plan->feeds[i];
		const char *why = feed->elements < 0 ? "all values are NULL" : "its arrays are empty";

		if (feed->kind != ML_FEED_ARRAY || feed->elements > 0)
			continue;
		feed->elements = 0;
		if (feed->spec.named)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("column \"%s\" cannot be used as a feature: %s", feed->spec.name, why)));
		if (feed->spec.roles & ML_ROLE_FEATURE)
			r->plan->excluded = lappend(r->plan->excluded, psprintf("%s: %s", feed->spec.name, why));
	}
}

static void
begin_frame(MlFrameReceiver *r)
{
	MemoryContext caller = MemoryContextSwitchTo(r->owner);
	int			longest = 1;

	r->lengths_known = true;
	leave_out_empty_arrays(r);
	ml_scan_expand(r->plan);
	if (r->env != NULL)
	{
		for (int i = 0; i < r->private_plan->n_feeds; i++)
			longest = Max(longest, r->private_plan->feeds[i].elements);
		r->elements = palloc(longest * sizeof(double));
		ml_check(r->env, ml_frame_begin(r->env, r->plan->columns, r->plan->n_columns, r->private_plan->seed, &r->builder));
		if (r->plan->rows_firm)
			ml_check(r->env, ml_frame_expect(r->builder, r->plan->estimated_rows));
	}
	MemoryContextSwitchTo(caller);
}

/* Rows that waited for the lengths of the arrays. */
static void
feed_waiting(MlFrameReceiver *r, TupleDesc columns)
{
	TupleTableSlot *slot;

	if (r->waiting == NULL)
		return;
	slot = MakeSingleTupleTableSlot(columns, &TTSOpsMinimalTuple);
	while (tuplestore_gettupleslot(r->waiting, true, false, slot))
	{
		slot_getallattrs(slot);
		feed_row(r, slot);
	}
	ExecDropSingleTupleTableSlot(slot);
	tuplestore_end(r->waiting);
	r->waiting = NULL;
}

static void
keep_waiting(MlFrameReceiver *r, TupleTableSlot *slot)
{
	MemoryContext caller = MemoryContextSwitchTo(r->owner);

	if (r->waiting == NULL)
		r->waiting = tuplestore_begin_heap(false, false, work_mem);
	tuplestore_puttupleslot(r->waiting, slot);
	MemoryContextSwitchTo(caller);
}

bool
ml_scan_row(MlFrameReceiver *r, TupleTableSlot *slot)
{
	if (likely(r->builder != NULL))
	{
		feed_row(r, slot);
		return true;
	}
	if (!learn_lengths(r, slot))
	{
		if (r->env != NULL)
			keep_waiting(r, slot);
		return true;
	}
	begin_frame(r);
	if (r->env == NULL)
		return false;			/* that was all we wanted */
	feed_waiting(r, slot->tts_tupleDescriptor);
	feed_row(r, slot);
	return true;
}

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	slot_getallattrs(slot);
	return ml_scan_row((MlFrameReceiver *) self, slot);
}

/* The rows are all there while no array column, or one of them, has never shown a value. */
static void
receive_end(DestReceiver *self)
{
	MlFrameReceiver *r = (MlFrameReceiver *) self;

	if (!r->lengths_known)
		begin_frame(r);
}

static void
init_receiver(MlFrameReceiver *r, MlScanPlan *plan, MlEnv *env)
{
	memset(r, 0, sizeof(MlFrameReceiver));
	r->receiver.receiveSlot = receive_row;
	r->receiver.rStartup = receiver_startup;
	r->receiver.rShutdown = receiver_ignore;
	r->receiver.rDestroy = receiver_ignore;
	r->receiver.mydest = DestNone;
	r->plan = plan;
	r->private_plan = plan->private_plan;
	r->env = env;
	r->owner = CurrentMemoryContext;
	r->row_context = AllocSetContextCreate(CurrentMemoryContext, "mlplat row", ALLOCSET_DEFAULT_SIZES);
}

size_t
ml_scan_bytes_per_row(const MlScanPlan *plan, bool defer)
{
	const MlPrivatePlan *private_plan = plan->private_plan;
	size_t		bytes = ml_frame_bytes_per_row(plan->columns, plan->n_columns);

	for (int i = 0; i < private_plan->n_feeds; i++)
		defer &= private_plan->feeds[i].kind != ML_FEED_ARRAY;
	if (!defer || !ml_scan_heap_fits(private_plan))
		return bytes;
	for (int i = 0; i < private_plan->n_feeds; i++)
	{
		if (ml_scan_may_defer(&private_plan->feeds[i]))
			bytes -= sizeof(double) - 1;
	}
	return bytes;
}

/* What the rows will take at the least; the arena's limit speaks while they arrive, but late. */
static void
check_memory(const MlScanPlan *plan)
{
	double		limit = ml_setting_max_training_memory * 1024.0;
	double		needed = plan->estimated_rows * ml_scan_bytes_per_row(plan, plan->defer);

	if (!plan->rows_firm || needed <= limit)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("reading \"%s\" would take about %.0f MB, more than mlplat.max_training_memory allows", plan->source->text,
					ceil(needed / (1024 * 1024))),
			 errdetail("About %.0f rows of %d columns and array elements were expected; the limit is %d MB.",
					   plan->estimated_rows, plan->n_columns, ml_setting_max_training_memory / 1024),
			 errhint("Use fewer rows or columns, or have a superuser raise mlplat.max_training_memory.")));
}

/* Whichever way is right for the plan. */
static void
read_source(MlFrameReceiver *r)
{
	MlHeapReader *heap = ml_scan_heap_open(r);
	bool		deferred = heap != NULL && r->plan->defer && ml_scan_heap_defer(heap);

	if (learn_lengths(r, NULL))
		begin_frame(r);
	if (heap == NULL)
		ml_scan_statement(r->private_plan->statement, r->plan->source->text, &r->receiver);
	else
		ml_scan_heap_read(heap);
	if (deferred)
		r->private_plan->heap = heap;
	else if (heap != NULL)
		ml_scan_heap_close(heap);
}

MlFrame *
ml_scan_run(MlScanPlan *plan, MlEnv *env)
{
	MlFrameReceiver *r = palloc(sizeof(MlFrameReceiver));
	MlFrame    *frame;
	ErrorContextCallback context;
	TupleDesc	columns = ExecCleanTypeFromTL(((MlPrivatePlan *) plan->private_plan)->statement->planTree->targetlist);

	check_memory(plan);
	init_receiver(r, plan, env);
	context.callback = name_row;
	context.arg = r;
	context.previous = error_context_stack;
	error_context_stack = &context;

	read_source(r);
	receive_end(&r->receiver);
	feed_waiting(r, columns);
	ml_check(env, ml_frame_finish(r->builder, &frame));
	ml_tokens_of_frame(env, frame);
	error_context_stack = context.previous;
	MemoryContextDelete(r->row_context);
	r->row_context = NULL;
	r->builder = NULL;
	return frame;
}

void
ml_scan_peek(MlScanPlan *plan)
{
	MlFrameReceiver r;

	init_receiver(&r, plan, NULL);
	if (!learn_lengths(&r, NULL))
	{
		ml_scan_statement(r.private_plan->statement, plan->source->text, &r.receiver);
		receive_end(&r.receiver);
	}
	MemoryContextDelete(r.row_context);
}

/* -------------------------------------------------------- row by row */

typedef struct MlEachReceiver
{
	DestReceiver receiver;
	MlRowFunction row;
	void	   *state;
} MlEachReceiver;

static bool
receive_each(TupleTableSlot *slot, DestReceiver *self)
{
	MlEachReceiver *r = (MlEachReceiver *) self;

	slot_getallattrs(slot);
	r->row(r->state, slot);
	return true;
}

uint64
ml_scan_each_of(MlSource *source, const bool *needed, MlRowFunction row, void *state)
{
	MlEachReceiver r = {{receive_each, receiver_startup, receiver_ignore, receiver_ignore, DestNone}, row, state};
	Query	   *query = ml_source_query(source, needed, true);

	return ml_scan_statement(pg_plan_query(query, source->text, 0, NULL), source->text, &r.receiver);
}

uint64
ml_scan_each(MlSource *source, MlRowFunction row, void *state)
{
	return ml_scan_each_of(source, NULL, row, state);
}
