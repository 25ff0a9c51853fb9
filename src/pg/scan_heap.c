/*-------------------------------------------------------------------------
 * scan_heap.c
 *	  Plain tables read page by page: visibility for the whole page at once, only
 *	  the needed attributes decoded, and whole slices of columns into the frame, by all threads of the run.
 *
 * What is read this way is decided by the plan (scan_tables.c).  The scans are those that the executor would do (same snapshot, same
 * order), so the frame has the same bits.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "pg/compat.h"
#include "pg/error.h"
#include "pg/scan_heap.h"
#include "pg/scan_internal.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Pages looked at to guess the number of rows where statistics do not tell. */
#define SAMPLED_PAGES 16

/* Room for values that were found by walking through rows, of one batch. */
#define LANE_BYTES (4 * 1024 * 1024)

/* --------------------------------------------------------- preparation */

static void
need_attribute(MlHeapTable *table, TupleDesc columns, int a, int lane)
{
	table->attributes[a].lane = lane;
	table->attributes[a].missing = getmissingattr(columns, a + 1, &table->attributes[a].missing_null);
	table->n_attributes = Max(table->n_attributes, a + 1);
}

static void
describe_attributes(MlHeapReader *h, MlHeapTable *table, const Scan *plan)
{
	const List *targets = plan->plan.targetlist;
	TupleDesc	columns = RelationGetDescr(table->relation);
	int			n_lanes = 0;
	uint32		offset = 0;
	ListCell   *cell;

	h->n_places = list_length(targets);
	table->attribute_of = palloc(Max(h->n_places, 1) * sizeof(int));
	table->lane_of = palloc(Max(h->n_places, 1) * sizeof(int));
	table->attributes = palloc(Max(columns->natts, 1) * sizeof(MlAttribute));
	for (int a = 0; a < columns->natts; a++)
	{
		Form_pg_attribute column = TupleDescAttr(columns, a);

		table->attributes[a] = (MlAttribute) {column->attlen, column->attbyval, column->attalign, -1, 0, true, (Datum) 0};
	}
	foreach(cell, targets)
	{
		const TargetEntry *entry = lfirst_node(TargetEntry, cell);
		int			place = foreach_current_index(cell);
		int			a = ml_is_column(entry, plan->scanrelid) ? ((const Var *) entry->expr)->varattno - 1 : -1;

		table->attribute_of[place] = a;
		if (a >= 0 && table->attributes[a].lane < 0)
			need_attribute(table, columns, a, n_lanes++);
		table->lane_of[place] = a >= 0 ? table->attributes[a].lane : n_lanes++;
	}
	for (table->n_fixed = 0; table->n_fixed < table->n_attributes && table->attributes[table->n_fixed].length > 0; table->n_fixed++)
	{
		MlAttribute *attribute = &table->attributes[table->n_fixed];

		attribute->offset = att_align_nominal(offset, attribute->align);
		offset = attribute->offset + attribute->length;
	}
	table->fixed_end = offset;
	h->n_lanes = Max(h->n_lanes, n_lanes);
}

/* Has a feed the same place in every whole row of each table? */
static bool
has_fixed_place(const MlHeapReader *h, const MlFeed *feed)
{
	for (int t = 0; t < h->n_tables; t++)
	{
		int			a = h->tables[t].attribute_of[feed->place];

		if (a < 0 || a >= h->tables[t].n_fixed)
			return false;
	}
	return true;
}

/* Feeds of float8 that have one. */
static void
find_doubles(MlHeapReader *h)
{
	const MlPrivatePlan *plan = h->r->private_plan;

	h->double_of = palloc(Max(plan->n_feeds, 1) * sizeof(int));
	for (int t = 0; t < h->n_tables; t++)
		h->tables[t].double_offset = palloc(Max(plan->n_feeds, 1) * sizeof(uint32));
	for (int i = 0; i < plan->n_feeds; i++)
	{
		const MlFeed *feed = &plan->feeds[i];

		h->double_of[i] = -1;
		if (feed->kind != ML_FEED_NUMBER || feed->converter.type != FLOAT8OID || !has_fixed_place(h, feed))
			continue;
		for (int t = 0; t < h->n_tables; t++)
			h->tables[t].double_offset[h->n_doubles] = h->tables[t].attributes[h->tables[t].attribute_of[feed->place]].offset;
		h->double_of[i] = h->n_doubles++;
	}
}

/* Arrays, whose elements are columns of their own, come row by row. */
static void
prepare_feeds(MlHeapReader *h)
{
	MlPrivatePlan *plan = h->r->private_plan;

	h->in_slices = true;
	h->truth_code = palloc(Max(plan->n_feeds, 1) * 2 * sizeof(int32));
	memset(h->truth_code, 0xFF, Max(plan->n_feeds, 1) * 2 * sizeof(int32));
	h->lenient = palloc(Max(plan->n_feeds, 1) * sizeof(MlFeed));
	for (int i = 0; i < plan->n_feeds; i++)
	{
		h->in_slices &= plan->feeds[i].kind != ML_FEED_ARRAY;
		h->truth_feeds |= ml_feed_is_truth(&plan->feeds[i]);
		h->main_feeds |= !ml_feed_is_plain(&plan->feeds[i]) && !ml_feed_is_truth(&plan->feeds[i]);
		h->lenient[i] = plan->feeds[i];
		h->lenient[i].converter.lenient = true;
	}
	find_doubles(h);
}

/* ------------------------------------------------------- rows together */

static void
begin_slices(MlHeapReader *h, MlRowBatch *batch)
{
	ml_check(h->r->env, ml_frame_chunk_begin(batch->chunk, batch->n_rows));
	batch->truths = h->truth_feeds && ml_truths_known(h);
	if (h->main_feeds || (h->truth_feeds && !batch->truths))
		ml_batch_feed_main(h, batch);
	ml_bin_draw_rows(h, batch);
}

/* In threads. */
static void
feed_slices(const MlHeapReader *h, MlRowBatch *batch, void *state, int thread)
{
	ml_batch_open(h, batch, thread);
	ml_batch_feed_plain(h, batch);
	ml_bin_draw_values(h, batch);
}

static void
end_slices(MlHeapReader *h, MlRowBatch *batch)
{
	ml_frame_chunk_end(batch->chunk);
	ml_scan_count(h->r, batch->n_rows);
}

static const MlBatchWork together = {.begin = begin_slices, .work = feed_slices, .end = end_slices, .computes = true};

/* ----------------------------------------------------------- rows singly */

static void
locate_rows(const MlHeapReader *h, MlRowBatch *batch, void *state, int thread)
{
	ml_batch_locate(h, batch);
	ml_batch_walk(h, batch, true);
}

static void
feed_singly(MlHeapReader *h, MlRowBatch *batch)
{
	TupleTableSlot *slot = h->slot;
	const MlHeapTable *table = batch->table;

	for (int row = 0; row < batch->n_rows; row++)
	{
		ExecClearTuple(slot);
		for (int place = 0; place < h->n_places; place++)
		{
			size_t		at = (size_t) table->lane_of[place] * h->most_rows + row;

			slot->tts_values[place] = batch->values[at];
			slot->tts_isnull[place] = batch->nulls[at];
		}
		ExecStoreVirtualTuple(slot);
		ml_scan_row(h->r, slot);
	}
}

static const MlBatchWork singly = {.work = locate_rows, .end = feed_singly, .in_order = true, .computes = true};

/* --------------------------------------------------------- the tables */

/* Rows of a page of all tables. */
static int
count_rows(MlHeapReader *h, uint64 page)
{
	int			table = 0;

	while (page >= h->tables[table].n_blocks)
		page -= h->tables[table++].n_blocks;
	if (h->scan == NULL || h->table != table)
		ml_heap_begin(h, table);
	return ml_heap_count_rows(h, (BlockNumber) page);
}

static double
sample_rows(MlHeapReader *h, uint64 pages)
{
	double		rows = 0;

	for (int i = 0; i < SAMPLED_PAGES; i++)
	{
		CHECK_FOR_INTERRUPTS();
		rows += count_rows(h, pages * i / SAMPLED_PAGES);
	}
	ml_heap_end(h);
	return rows * pages / SAMPLED_PAGES;
}

/*
 * Statistics are better, but a table that has just been filled has none.  How many rows pass a condition is the planner's guess: asking it about a
 * sample might be an error that the query would not have.  0: not known.
 */
static double
guess_rows(MlHeapReader *h)
{
	uint64		pages = 0;
	double		rows;

	if (h->r->plan->rows_firm)
		return h->r->plan->estimated_rows;
	for (int t = 0; t < h->n_tables; t++)
		pages += h->tables[t].n_blocks;
	if (h->r->builder == NULL || pages < 4 * SAMPLED_PAGES)
		return 0;
	rows = h->filtered ? h->r->plan->estimated_rows : sample_rows(h, pages);
	ml_check(h->r->env, ml_frame_expect(h->r->builder, rows));
	return rows;
}

void
ml_scan_heap_read(MlHeapReader *h)
{
	bool		was_read_only = XactReadOnly;
	List	   *targets = h->r->private_plan->statement->planTree->targetlist;
	double		rows;

	for (int t = 0; t < h->n_tables; t++)
	{
		elog(DEBUG1, "reading pages of \"%s\"", RelationGetRelationName(h->tables[t].relation));
		h->tables[t].n_blocks = RelationGetNumberOfBlocks(h->tables[t].relation);
	}
	prepare_feeds(h);
	h->slot = MakeSingleTupleTableSlot(ExecCleanTypeFromTL(targets), &TTSOpsVirtual);

	/* Output functions of types run in here. */
	XactReadOnly = true;
	rows = guess_rows(h);
	if (h->deferred)
		ml_bin_draw_make(h, rows);
	ml_readers_run(h, h->in_slices ? &together : &singly);
	XactReadOnly = was_read_only;
	ExecDropSingleTupleTableSlot(h->slot);
}

MlHeapReader *
ml_scan_heap_open(MlFrameReceiver *r)
{
	PlannedStmt *statement = r->private_plan->statement;
	List	   *plans = ml_table_plans(statement);
	MlHeapReader *h;
	ListCell   *cell;

	/* A serializable transaction wants to know what was read; the executor tells it. */
	if (!ml_scan_heap_fits(r->private_plan))
		return NULL;
	ML_CHECK_RIGHTS(statement);
	h = palloc0(sizeof(MlHeapReader));
	h->r = r;
	h->owner = CurrentMemoryContext;
	h->snapshot = RegisterSnapshot(GetActiveSnapshot());
	h->tables = palloc0(list_length(plans) * sizeof(MlHeapTable));
	foreach(cell, plans)
	{
		MlHeapTable *table = &h->tables[h->n_tables++];
		const Scan *plan = lfirst(cell);

		table->relation = ml_open_table(statement, &plan->plan);
		describe_attributes(h, table, plan);
		ml_filter_make(h, table, plan->plan.qual);
		ml_project_make(table, plan->plan.targetlist);
		h->computes |= table->n_computed > 0;
	}
	h->most_rows = LANE_BYTES / ((sizeof(Datum) + sizeof(bool)) * Max(h->n_lanes, 1));
	h->most_rows = Max(Min(h->most_rows, ML_FRAME_TOGETHER), 32);
	return h;
}

void
ml_scan_heap_close(MlHeapReader *h)
{
	ml_evaluation_end(h);
	UnregisterSnapshot(h->snapshot);
	for (int t = 0; t < h->n_tables; t++)
		table_close(h->tables[t].relation, NoLock);	/* as after planning, the lock stays to the end of the transaction */
	pfree(h);
}

/* Numbers that only ever are features, of a type that is no key, and stand in the table as they are. */
bool
ml_scan_may_defer(const MlFeed *feed)
{
	const MlColumnSpec *spec = &feed->spec;

	return feed->kind == ML_FEED_NUMBER && !feed->computed && ml_feed_is_plain(feed) && (spec->roles & ~ML_ROLE_HASH) == ML_ROLE_FEATURE &&
		(spec->named || spec->not_a_key || spec->logical == ML_LOGICAL_FLOAT);
}

bool
ml_scan_heap_defer(MlHeapReader *h)
{
	MlPrivatePlan *plan = h->r->private_plan;

	for (int i = 0; i < plan->n_feeds; i++)
	{
		if (plan->feeds[i].kind == ML_FEED_ARRAY)
			return false;
	}
	for (int i = 0; i < plan->n_feeds; i++)
		h->deferred |= plan->feeds[i].spec.deferred = ml_scan_may_defer(&plan->feeds[i]);
	return h->deferred;
}
