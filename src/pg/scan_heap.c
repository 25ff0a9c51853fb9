/*-------------------------------------------------------------------------
 * scan_heap.c
 *	  A plain table read page by page: visibility for the whole page at once, only
 *	  the needed attributes decoded, and whole slices of columns into the frame.
 *
 * What is read this way is decided by the plan: a sequential scan of one heap
 * without conditions, whose result is nothing but columns.  Row-level security,
 * inheritance, partitions, expressions and views that do more than
 * choose columns all make another plan, which the executor runs.  The scan is
 * the one that the executor would do (same snapshot, same order), so the frame has the same bits.
 *
 * Where all rows of a page are whole (no NULL, no column missing), the attributes
 * before the first of variable length are at the same place in each: those are
 * gathered column after column.  The others are found by walking through each row.
 *
 * A value that is an error (infinity, an id that is NULL) makes the page be fed
 * row by row, which finds the first of them and says which row it is in.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/tableam.h"
#include "access/tupmacs.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "parser/parsetree.h"
#include "pg/compat.h"
#include "pg/error.h"
#include "pg/scan_internal.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Pages looked at to guess the number of rows where statistics do not tell. */
#define SAMPLED_PAGES 16

typedef struct Attribute
{
	int16		length;
	bool		by_value;
	char		align;
	int			lane;			/* of the needed ones, from 0; -1: not needed */
	uint32		offset;			/* in every whole row, if it is before n_fixed */
} Attribute;

typedef struct HeapReader
{
	MlFrameReceiver *r;
	Relation	relation;
	TableScanDesc scan;
	int			n_attributes;	/* up to the last one needed */
	int			n_fixed;		/* those before the first of variable length */
	uint32		fixed_end;		/* where that one begins, before alignment */
	Attribute  *attributes;
	int			n_places;
	int		   *attribute_of;	/* per place */
	bool		in_slices;		/* every feed takes slices */
	MlFeed	   *lenient;		/* the feeds, but infinity passes: it is looked for afterwards */
	TupleTableSlot *slot;		/* for rows one by one */

	/* The page at hand. */
	int			n_rows;
	bool		whole;			/* no NULL and no column missing in any row */
	HeapTupleHeader row[MaxHeapTuplesPerPage];
	Datum	   *values;			/* per lane, MaxHeapTuplesPerPage each: what was found by walking */
	bool	   *nulls;
} HeapReader;

/* One column of some rows. */
typedef struct Slice
{
	int			count;
	int			n_nulls;
	Datum		value[MaxHeapTuplesPerPage];
	bool		null[MaxHeapTuplesPerPage];
} Slice;

/* ------------------------------------------------- what can be read so */

static bool
is_column(const TargetEntry *entry, Index relation)
{
	const Var  *var = (const Var *) entry->expr;

	return !entry->resjunk && IsA(var, Var) && var->varno == relation && var->varlevelsup == 0 && var->varattno > 0;
}

/* The range table index of the one relation that the plan reads, 0 if it does anything else. */
static Index
scanned_relation(const PlannedStmt *statement)
{
	const Plan *plan = statement->planTree;
	Index		relation;
	ListCell   *cell;

	if (!IsA(plan, SeqScan) || plan->qual != NIL || plan->initPlan != NIL || statement->subplans != NIL ||
		statement->rowMarks != NIL || statement->hasModifyingCTE)
		return 0;
	relation = ((const Scan *) plan)->scanrelid;
	foreach(cell, plan->targetlist)
	{
		if (!is_column(lfirst_node(TargetEntry, cell), relation))
			return 0;
	}
	return relation;
}

/* Whatever is not quite usual is left to the executor, also to complain about. */
static bool
is_plain_heap(Relation relation)
{
	return (relation->rd_rel->relkind == RELKIND_RELATION || relation->rd_rel->relkind == RELKIND_MATVIEW) &&
		relation->rd_tableam == GetHeapamTableAmRoutine() &&
		RelationIsScannable(relation) && !RELATION_IS_OTHER_TEMP(relation) &&
		!ML_HAS_VIRTUAL_COLUMNS(RelationGetDescr(relation));
}

/* --------------------------------------------------------- preparation */

static void
describe_attributes(HeapReader *h, const List *targets)
{
	TupleDesc	columns = RelationGetDescr(h->relation);
	int			n_lanes = 0;
	uint32		offset = 0;
	ListCell   *cell;

	h->n_places = list_length(targets);
	h->attribute_of = palloc(Max(h->n_places, 1) * sizeof(int));
	h->attributes = palloc(Max(columns->natts, 1) * sizeof(Attribute));
	for (int a = 0; a < columns->natts; a++)
	{
		Form_pg_attribute column = TupleDescAttr(columns, a);

		h->attributes[a] = (Attribute) {column->attlen, column->attbyval, column->attalign, -1, 0};
	}
	foreach(cell, targets)
	{
		int			a = ((Var *) lfirst_node(TargetEntry, cell)->expr)->varattno - 1;

		h->attribute_of[foreach_current_index(cell)] = a;
		h->n_attributes = Max(h->n_attributes, a + 1);
		if (h->attributes[a].lane < 0)
			h->attributes[a].lane = n_lanes++;
	}
	for (h->n_fixed = 0; h->n_fixed < h->n_attributes && h->attributes[h->n_fixed].length > 0; h->n_fixed++)
	{
		Attribute  *attribute = &h->attributes[h->n_fixed];

		attribute->offset = att_align_nominal(offset, attribute->align);
		offset = attribute->offset + attribute->length;
	}
	h->fixed_end = offset;
	h->values = palloc_extended((Size) Max(n_lanes, 1) * MaxHeapTuplesPerPage * sizeof(Datum), MCXT_ALLOC_HUGE);
	h->nulls = palloc_extended((Size) Max(n_lanes, 1) * MaxHeapTuplesPerPage * sizeof(bool), MCXT_ALLOC_HUGE);
}

/* Arrays, whose elements are columns of their own, come row by row. */
static void
prepare_feeds(HeapReader *h)
{
	MlPrivatePlan *plan = h->r->private_plan;

	h->in_slices = true;
	h->lenient = palloc(Max(plan->n_feeds, 1) * sizeof(MlFeed));
	for (int i = 0; i < plan->n_feeds; i++)
	{
		h->in_slices &= plan->feeds[i].kind != ML_FEED_ARRAY;
		h->lenient[i] = plan->feeds[i];
		h->lenient[i].converter.lenient = true;
	}
}

/* ------------------------------------------------------------ one page */

static void
load_page(HeapReader *h, BlockNumber block)
{
	HeapScanDesc scan = (HeapScanDesc) h->scan;
	Page		page;

	CHECK_FOR_INTERRUPTS();
	ML_HEAP_PAGE(h->scan, block);
	page = BufferGetPage(scan->rs_cbuf);
	h->n_rows = scan->rs_ntuples;
	h->whole = true;
	/* All of it is needed soon, but in strides that the processor would not foresee. */
	for (int at = 0; at < BLCKSZ; at += 64)
		__builtin_prefetch((const char *) page + at);
	for (int i = 0; i < h->n_rows; i++)
	{
		HeapTupleHeader row = (HeapTupleHeader) PageGetItem(page, PageGetItemId(page, scan->rs_vistuples[i]));

		h->row[i] = row;
		h->whole &= (row->t_infomask & HEAP_HASNULL) == 0 && HeapTupleHeaderGetNatts(row) >= h->n_attributes;
		pgstat_count_heap_getnext(h->relation);
	}
}

static const char *
row_data(const HeapReader *h, int row)
{
	return (const char *) h->row[row] + h->row[row]->t_hoff;
}

static void
keep(HeapReader *h, int attribute, int row, Datum value, bool null)
{
	int			lane = h->attributes[attribute].lane;

	if (lane < 0)
		return;
	h->values[lane * MaxHeapTuplesPerPage + row] = value;
	h->nulls[lane * MaxHeapTuplesPerPage + row] = null;
}

/* The attributes of a row from one on that begins, before alignment, at offset. */
static void
walk_row(HeapReader *h, int row, int from, uint32 offset)
{
	HeapTupleHeader header = h->row[row];
	const char *data = row_data(h, row);
	const bits8 *given = (header->t_infomask & HEAP_HASNULL) != 0 ? header->t_bits : NULL;
	int			there = Min(HeapTupleHeaderGetNatts(header), h->n_attributes);

	for (int a = from; a < there; a++)
	{
		const Attribute *attribute = &h->attributes[a];

		if (given != NULL && att_isnull(a, given))
		{
			keep(h, a, row, (Datum) 0, true);
			continue;
		}
		if (attribute->length == -1)
			offset = att_align_pointer(offset, attribute->align, -1, data + offset);
		else
			offset = att_align_nominal(offset, attribute->align);
		if (attribute->lane >= 0)
			keep(h, a, row, fetch_att(data + offset, attribute->by_value, attribute->length), false);
		offset = att_addlength_pointer(offset, attribute->length, data + offset);
	}
	/* Columns that were added after the row was written. */
	for (int a = Max(from, there); a < h->n_attributes; a++)
	{
		bool		null = true;
		Datum		value = (Datum) 0;

		if (h->attributes[a].lane >= 0)
			value = getmissingattr(RelationGetDescr(h->relation), a + 1, &null);
		keep(h, a, row, value, null);
	}
}

/* Makes every needed attribute available: all by walking, or only those that have no fixed place. */
static void
walk_page(HeapReader *h, bool all)
{
	int			from = all ? 0 : h->n_fixed;
	uint32		offset = all ? 0 : h->fixed_end;

	if (from >= h->n_attributes)
		return;
	for (int i = 0; i < h->n_rows; i++)
		walk_row(h, i, from, offset);
}

/* ------------------------------------------------------- rows together */

static void
gather_fixed(const HeapReader *h, const Attribute *attribute, int from, Slice *slice)
{
	Datum	   *value = slice->value;
	uint32		offset = attribute->offset;

	if (attribute->by_value && attribute->length == 8)
	{
		for (int i = 0; i < slice->count; i++)
			memcpy(&value[i], row_data(h, from + i) + offset, 8);
	}
	else if (attribute->by_value && attribute->length == 4)
	{
		for (int i = 0; i < slice->count; i++)
			value[i] = Int32GetDatum(*(const int32 *) (row_data(h, from + i) + offset));
	}
	else
	{
		for (int i = 0; i < slice->count; i++)
			value[i] = fetch_att(row_data(h, from + i) + offset, attribute->by_value, attribute->length);
	}
	memset(slice->null, 0, slice->count * sizeof(bool));
	slice->n_nulls = 0;
}

/* The values of a place in some rows of the page. */
static void
gather(const HeapReader *h, int place, int from, Slice *slice)
{
	int			a = h->attribute_of[place];
	const Attribute *attribute = &h->attributes[a];
	size_t		first = (size_t) attribute->lane * MaxHeapTuplesPerPage + from;

	if (h->whole && a < h->n_fixed)
	{
		gather_fixed(h, attribute, from, slice);
		return;
	}
	memcpy(slice->value, h->values + first, slice->count * sizeof(Datum));
	memcpy(slice->null, h->nulls + first, slice->count * sizeof(bool));
	slice->n_nulls = 0;
	for (int i = 0; i < slice->count; i++)
		slice->n_nulls += slice->null[i];
}

/* The row whose value is converted next, for messages. */
static void
at_row(HeapReader *h, int row)
{
	h->r->ahead = row;
}

static void
convert_numbers(HeapReader *h, const MlConverter *converter, const Slice *slice, double *number)
{
	if (converter->type == FLOAT8OID)
	{
		for (int i = 0; i < slice->count; i++)
			number[i] = DatumGetFloat8(slice->value[i]);
	}
	else if (converter->type == FLOAT4OID)
	{
		for (int i = 0; i < slice->count; i++)
			number[i] = DatumGetFloat4(slice->value[i]);
	}
	else
	{
		for (int i = 0; i < slice->count; i++)
		{
			at_row(h, i);
			number[i] = slice->null[i] ? 0 : ml_convert_number(converter, slice->value[i]);
			MemoryContextReset(h->r->row_context);
		}
	}
	if (slice->n_nulls == 0)
		return;
	for (int i = 0; i < slice->count; i++)
		number[i] = slice->null[i] ? NAN : number[i];
}

static bool
has_infinity(const double *number, int count)
{
	int			found = 0;

	for (int i = 0; i < count; i++)
		found |= fabs(number[i]) > DBL_MAX;
	return found != 0;
}

static bool
feed_numbers(HeapReader *h, int feed_number, const Slice *slice)
{
	const MlFeed *feed = &h->r->private_plan->feeds[feed_number];
	double		number[MaxHeapTuplesPerPage];

	convert_numbers(h, &h->lenient[feed_number].converter, slice, number);
	if (!feed->converter.lenient && has_infinity(number, slice->count))
		return false;
	ml_frame_numbers(h->r->builder, feed->first_spec, number, slice->n_nulls);
	return true;
}

static void
feed_integers(HeapReader *h, const MlFeed *feed, const Slice *slice)
{
	int64_t		integer[MaxHeapTuplesPerPage];

	for (int i = 0; i < slice->count; i++)
		integer[i] = slice->null[i] ? 0 : ml_convert_integer(&feed->converter, slice->value[i]);
	ml_frame_integers(h->r->builder, feed->first_spec, integer, slice->n_nulls > 0 ? slice->null : NULL);
}

static void
feed_texts(HeapReader *h, const MlFeed *feed, const Slice *slice)
{
	for (int i = 0; i < slice->count; i++)
	{
		size_t		length = 0;
		const char *text;

		at_row(h, i);
		text = slice->null[i] ? NULL : ml_scan_text(feed, slice->value[i], &length);
		ml_check(h->r->env, ml_frame_text_of(h->r->builder, feed->first_spec, i, text, length));
		MemoryContextReset(h->r->row_context);
	}
}

/* false when there is a value among them that is an error. */
static bool
feed_slice(HeapReader *h, int feed_number, int from, int count)
{
	const MlFeed *feed = &h->r->private_plan->feeds[feed_number];
	Slice		slice;

	slice.count = count;
	gather(h, feed->place, from, &slice);
	if ((feed->spec.roles & ML_ROLE_ID) != 0 && slice.n_nulls > 0)
		return false;
	switch (feed->kind)
	{
		case ML_FEED_NUMBER:
			return feed_numbers(h, feed_number, &slice);
		case ML_FEED_INTEGER:
			feed_integers(h, feed, &slice);
			return true;
		case ML_FEED_TEXT:
			feed_texts(h, feed, &slice);
			return true;
		case ML_FEED_ARRAY:
			break;
	}
	return false;
}

/* Rows of the page from one on; returns the first that was not fed, because of an error in it or behind it. */
static int
feed_together(HeapReader *h)
{
	MlFrameReceiver *r = h->r;
	int			row = 0;

	while (row < h->n_rows)
	{
		int			count = ml_frame_begin_rows(r->builder, h->n_rows - row);
		bool		good = true;

		r->in_row = true;
		for (int i = 0; i < r->private_plan->n_feeds && good; i++)
			good = feed_slice(h, i, row, count);
		r->in_row = false;
		r->ahead = 0;
		if (!good)
			return row;
		ml_check(r->env, ml_frame_end_rows(r->builder));
		ml_scan_count(r, count);
		row += count;
	}
	return row;
}

/* ----------------------------------------------------------- rows singly */

static void
feed_singly(HeapReader *h, int from)
{
	TupleTableSlot *slot = h->slot;

	for (int row = from; row < h->n_rows; row++)
	{
		ExecClearTuple(slot);
		for (int place = 0; place < h->n_places; place++)
		{
			size_t		at = (size_t) h->attributes[h->attribute_of[place]].lane * MaxHeapTuplesPerPage + row;

			slot->tts_values[place] = h->values[at];
			slot->tts_isnull[place] = h->nulls[at];
		}
		ExecStoreVirtualTuple(slot);
		ml_scan_row(h->r, slot);
	}
}

static void
feed_page(HeapReader *h)
{
	MemoryContext caller;
	int			fed;

	if (!h->in_slices)
	{
		walk_page(h, true);
		feed_singly(h, 0);
		return;
	}
	caller = MemoryContextSwitchTo(h->r->row_context);
	walk_page(h, !h->whole);
	fed = feed_together(h);
	MemoryContextSwitchTo(caller);
	if (fed < h->n_rows)
	{
		walk_page(h, true);
		ml_frame_single_rows(h->r->builder);
		feed_singly(h, fed);
	}
}

/* --------------------------------------------------------- the relation */

/* Statistics are better, but a table that has just been filled has none. */
static void
guess_rows(HeapReader *h)
{
	BlockNumber pages = ((HeapScanDesc) h->scan)->rs_nblocks;
	double		rows = 0;

	if (h->r->builder == NULL || h->r->plan->rows_firm || pages < 4 * SAMPLED_PAGES)
		return;
	for (int i = 0; i < SAMPLED_PAGES; i++)
	{
		CHECK_FOR_INTERRUPTS();
		ML_HEAP_PAGE(h->scan, (BlockNumber) ((uint64) pages * i / SAMPLED_PAGES));
		rows += ((HeapScanDesc) h->scan)->rs_ntuples;
	}
	ml_check(h->r->env, ml_frame_expect(h->r->builder, rows / SAMPLED_PAGES * pages));
}

static void
read_relation(HeapReader *h)
{
	PlannedStmt *statement = h->r->private_plan->statement;
	bool		was_read_only = XactReadOnly;
	BlockNumber pages;

	describe_attributes(h, statement->planTree->targetlist);
	prepare_feeds(h);
	h->slot = MakeSingleTupleTableSlot(ExecCleanTypeFromTL(statement->planTree->targetlist), &TTSOpsVirtual);

	/* Output functions of types run in here. */
	XactReadOnly = true;
	h->scan = table_beginscan_strat(h->relation, GetActiveSnapshot(), 0, NULL, true, false);
	guess_rows(h);
	pages = ((HeapScanDesc) h->scan)->rs_nblocks;
	for (BlockNumber block = 0; block < pages; block++)
	{
		load_page(h, block);
		feed_page(h);
	}
	table_endscan(h->scan);
	XactReadOnly = was_read_only;
	ExecDropSingleTupleTableSlot(h->slot);
}

bool
ml_scan_heap(MlFrameReceiver *r)
{
	PlannedStmt *statement = r->private_plan->statement;
	Index		scanned = scanned_relation(statement);
	RangeTblEntry *entry;
	Relation	relation;
	bool		plain;

	/* A serializable transaction wants to know what was read; the executor tells it. */
	if (scanned == 0 || IsolationIsSerializable())
		return false;
	entry = rt_fetch(scanned, statement->rtable);
	relation = table_open(entry->relid, entry->rellockmode);
	plain = is_plain_heap(relation);
	if (plain)
	{
		HeapReader *h = palloc0(sizeof(HeapReader));

		ML_CHECK_RIGHTS(statement);
		elog(DEBUG1, "reading pages of \"%s\"", RelationGetRelationName(relation));
		h->r = r;
		h->relation = relation;
		read_relation(h);
	}
	table_close(relation, NoLock);	/* as after planning, the lock stays to the end of the transaction */
	return plain;
}
