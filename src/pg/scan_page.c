/*-------------------------------------------------------------------------
 * scan_page.c
 *	  Rows of pages into slices of columns.
 *
 * Where all rows of a page are whole (no NULL, no column missing), the attributes
 * before the first of variable length are at the same place in each: those are
 * gathered column after column.  The others are found by walking through each row.
 *
 * What is marked as such runs in threads: it looks at pinned pages and arrays
 * made before, and calls nothing of the server.  Visible rows of a pinned page stay where
 * they are; only bits that say who deleted them may change.
 *
 * A value that is an error (infinity, an id that is NULL) makes the rows be looked at
 * one by one, which finds the first of them and says which row it is in.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/tupmacs.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "ml/data/turn.h"
#include "pg/error.h"
#include "pg/scan_heap.h"
#include "utils/memutils.h"
#include "utils/rel.h"

void
ml_batch_make(const MlHeapReader *h, MlRowBatch *batch)
{
	Size		cells = (Size) Max(h->n_lanes, 1) * h->most_rows;

	memset(batch, 0, sizeof(MlRowBatch));
	batch->values = palloc_extended(cells * sizeof(Datum), MCXT_ALLOC_HUGE);
	batch->nulls = palloc_extended(cells * sizeof(bool), MCXT_ALLOC_HUGE);
	if (h->computes)
		batch->memory = AllocSetContextCreate(CurrentMemoryContext, "mlplat computed values", ALLOCSET_DEFAULT_SIZES);
}

/* ------------------------------------------------ where the values are */

#define LINE 64
#define PAGE_LINES (BLCKSZ / LINE)

/* Where some rows of a page are. */
static inline void
locate_rows(MlRowBatch *batch, MlPageRun *run, int from, int end)
{
	for (int i = from; i < end; i++)
	{
		HeapTupleHeader row = (HeapTupleHeader) PageGetItem(run->page, PageGetItemId(run->page, batch->offset[i]));

		batch->row[i] = row;
		batch->data[i] = (const char *) row + row->t_hoff;
		run->whole &= (row->t_infomask & HEAP_HASNULL) == 0 && HeapTupleHeaderGetNatts(row) >= batch->table->n_attributes;
	}
}

/* In threads. */
void
ml_batch_locate(const MlHeapReader *h, MlRowBatch *batch)
{
	if (batch->located)
		return;
	batch->located = true;
	for (int p = 0; p < batch->n_pages; p++)
	{
		MlPageRun  *run = &batch->pages[p];

		run->whole = true;
		locate_rows(batch, run, run->first, run->first + run->rows);
	}
}

/* All of a page is needed soon, but in strides that the processor would not foresee. */
static inline void
fetch_lines(const MlPageRun *run, int from, int end)
{
	for (int line = from; line < end && line < PAGE_LINES; line++)
		__builtin_prefetch((const char *) run->page + line * LINE);
}

/*
 * Finds the rows of a page, turns those from "done" on that make whole groups into columns while they are in the cache, and fetches
 * the next page meanwhile, some lines at a time: the processor waits with more than a few on their way.  Returns up to which row is done.
 */
static int
open_page(const MlHeapReader *h, MlRowBatch *batch, MlPageRun *run, const MlPageRun *next, double *doubles, int done)
{
	int			end = run->first + run->rows;
	int			lines = PAGE_LINES * ML_TURN_ROWS / Max(run->rows, 1) + 1;
	bool		located = batch->located;

	run->whole |= !located;
	for (int i = run->first, line = 0; i < end; i += ML_TURN_ROWS, line += lines)
	{
		int			group = Min(i + ML_TURN_ROWS, end);

		if (next != NULL)
			fetch_lines(next, line, line + lines);
		if (!located)
			locate_rows(batch, run, i, group);
		group -= group % ML_TURN_ROWS;
		if (doubles == NULL || !run->whole || group <= done)
			continue;
		ml_turn_rows(batch->data + done, group - done, batch->table->double_offset, h->n_doubles, doubles + done, ML_DOUBLES_ROOM);
		done = group;
	}
	return done;
}

/* In threads. */
void
ml_batch_open(const MlHeapReader *h, MlRowBatch *batch, int thread)
{
	double	   *doubles = h->n_doubles > 0 ? h->doubles[thread] : NULL;
	int			done = 0;

	fetch_lines(&batch->pages[0], 0, PAGE_LINES);
	for (int p = 0; p < batch->n_pages; p++)
	{
		MlPageRun  *run = &batch->pages[p];

		done = open_page(h, batch, run, p + 1 < batch->n_pages ? run + 1 : NULL, doubles, done);
		if (!run->whole)
			doubles = NULL;
	}
	if (doubles != NULL)
		ml_turn_rows(batch->data + done, batch->n_rows - done, batch->table->double_offset, h->n_doubles, doubles + done, ML_DOUBLES_ROOM);
	batch->located = true;
	batch->doubles = doubles;
	ml_batch_walk(h, batch, false);
}

static inline void
keep(const MlHeapReader *h, MlRowBatch *batch, int attribute, int row, Datum value, bool null)
{
	int			lane = batch->table->attributes[attribute].lane;

	if (lane < 0)
		return;
	batch->values[(Size) lane * h->most_rows + row] = value;
	batch->nulls[(Size) lane * h->most_rows + row] = null;
}

/* The attributes of a row from one on that begins, before alignment, at offset.  In threads. */
static void
walk_row(const MlHeapReader *h, MlRowBatch *batch, int row, int from, uint32 offset)
{
	HeapTupleHeader header = batch->row[row];
	const char *data = batch->data[row];
	const bits8 *given = (header->t_infomask & HEAP_HASNULL) != 0 ? header->t_bits : NULL;
	int			there = Min(HeapTupleHeaderGetNatts(header), batch->table->n_attributes);

	for (int a = from; a < there; a++)
	{
		const MlAttribute *attribute = &batch->table->attributes[a];

		if (given != NULL && att_isnull(a, given))
		{
			keep(h, batch, a, row, (Datum) 0, true);
			continue;
		}
		if (attribute->length == -1)
			offset = att_align_pointer(offset, attribute->align, -1, data + offset);
		else
			offset = att_align_nominal(offset, attribute->align);
		if (attribute->lane >= 0)
			keep(h, batch, a, row, fetch_att(data + offset, attribute->by_value, attribute->length), false);
		offset = att_addlength_pointer(offset, attribute->length, data + offset);
	}
	/* Columns that were added after the row was written. */
	for (int a = Max(from, there); a < batch->table->n_attributes; a++)
		keep(h, batch, a, row, batch->table->attributes[a].missing, batch->table->attributes[a].missing_null);
}

/* In threads. */
void
ml_batch_walk(const MlHeapReader *h, MlRowBatch *batch, bool all)
{
	if (batch->walked && !all)
		return;
	batch->walked = true;
	for (int p = 0; p < batch->n_pages; p++)
	{
		const MlPageRun *run = &batch->pages[p];
		int			from = all || !run->whole ? 0 : batch->table->n_fixed;
		uint32		offset = all || !run->whole ? 0 : batch->table->fixed_end;

		for (int i = run->first; i < run->first + run->rows && from < batch->table->n_attributes; i++)
			walk_row(h, batch, i, from, offset);
	}
}

/* ------------------------------------------------------ slices of columns */

/* In threads. */
static void
gather_fixed(const MlRowBatch *batch, const MlAttribute *attribute, const MlPageRun *run, MlSlice *slice)
{
	Datum	   *value = slice->value;
	uint32		offset = attribute->offset;
	int			end = run->first + run->rows;

	if (attribute->by_value && attribute->length == 8)
	{
		for (int i = run->first; i < end; i++)
			memcpy(&value[i], batch->data[i] + offset, 8);
	}
	else if (attribute->by_value && attribute->length == 4)
	{
		for (int i = run->first; i < end; i++)
			value[i] = Int32GetDatum(*(const int32 *) (batch->data[i] + offset));
	}
	else
	{
		for (int i = run->first; i < end; i++)
			value[i] = fetch_att(batch->data[i] + offset, attribute->by_value, attribute->length);
	}
	memset(slice->null + run->first, 0, run->rows * sizeof(bool));
}

/* The values of a place.  In threads. */
static void
gather(const MlHeapReader *h, const MlRowBatch *batch, int place, MlSlice *slice)
{
	int			a = batch->table->attribute_of[place];
	size_t		lane = (size_t) batch->table->lane_of[place] * h->most_rows;

	slice->count = batch->n_rows;
	slice->n_nulls = 0;
	for (int p = 0; p < batch->n_pages; p++)
	{
		const MlPageRun *run = &batch->pages[p];

		if (run->whole && a >= 0 && a < batch->table->n_fixed)
		{
			gather_fixed(batch, &batch->table->attributes[a], run, slice);
			continue;
		}
		memcpy(slice->value + run->first, batch->values + lane + run->first, run->rows * sizeof(Datum));
		memcpy(slice->null + run->first, batch->nulls + lane + run->first, run->rows * sizeof(bool));
		for (int i = run->first; i < run->first + run->rows; i++)
			slice->n_nulls += slice->null[i];
	}
}

/* By value, or of a fixed length, and converted without memory of their own. */
bool
ml_feed_is_plain(const MlFeed *feed)
{
	if (feed->kind == ML_FEED_INTEGER)
		return true;
	return feed->kind == ML_FEED_NUMBER && feed->converter.type != NUMERICOID;
}

/* A target, mostly: a value of its own beside the number that is hashed. */
bool
ml_feed_is_truth(const MlFeed *feed)
{
	return feed->kind == ML_FEED_TEXT && feed->converter.type == BOOLOID && feed->spec.unhashed && (feed->spec.roles & ML_ROLE_ID) == 0 &&
		(feed->spec.roles & ~ML_ROLE_HASH) != 0;
}

bool
ml_truths_known(const MlHeapReader *h)
{
	const MlPrivatePlan *plan = h->r->private_plan;

	for (int i = 0; i < plan->n_feeds; i++)
	{
		if (ml_feed_is_truth(&plan->feeds[i]) && (h->truth_code[2 * i] < 0 || h->truth_code[2 * i + 1] < 0))
			return false;
	}
	return true;
}

/* In threads: the feed is plain. */
static void
convert_numbers(const MlConverter *converter, const MlSlice *slice, double *number)
{
	if (converter->type == FLOAT4OID)
	{
		for (int i = 0; i < slice->count; i++)
			number[i] = DatumGetFloat4(slice->value[i]);
	}
	else if (converter->type == FLOAT8OID)
	{
		for (int i = 0; i < slice->count; i++)
			number[i] = DatumGetFloat8(slice->value[i]);
	}
	else
	{
		for (int i = 0; i < slice->count; i++)
			number[i] = slice->null[i] ? 0 : ml_convert_number(converter, slice->value[i]);
	}
	for (int i = 0; i < slice->count && slice->n_nulls > 0; i++)
		number[i] = slice->null[i] ? NAN : number[i];
}

/* In threads. */
size_t
ml_batch_numbers(const MlHeapReader *h, const MlRowBatch *batch, int feed, const double **number, double *room)
{
	MlSlice		slice;

	if (batch->doubles != NULL && h->double_of[feed] >= 0)
	{
		*number = batch->doubles + (Size) h->double_of[feed] * ML_DOUBLES_ROOM;
		return 0;
	}
	gather(h, batch, h->lenient[feed].place, &slice);
	convert_numbers(&h->lenient[feed].converter, &slice, room);
	*number = room;
	return slice.n_nulls;
}

/* In threads. */
void
ml_batch_pick(const MlHeapReader *h, const MlRowBatch *batch, int feed, const int *row, int n, double *number)
{
	double		room[ML_FRAME_TOGETHER];
	const double *all;

	(void) ml_batch_numbers(h, batch, feed, &all, room);
	for (int i = 0; i < n; i++)
		number[i] = all[row[i]];
}

/* ---------------------------------------------------------- into the frame */

/* In threads.  false when there is a value among them that is an error. */
static bool
feed_numbers(const MlHeapReader *h, MlRowBatch *batch, int feed_number)
{
	const MlFeed *feed = &h->r->private_plan->feeds[feed_number];
	double		room[ML_FRAME_TOGETHER];
	const double *number;
	size_t		nulls = ml_batch_numbers(h, batch, feed_number, &number, room);

	if ((feed->spec.roles & ML_ROLE_ID) != 0 && nulls > 0)
		return false;
	return ml_frame_numbers(batch->chunk, feed->first_spec, number, nulls) || feed->converter.lenient;
}

/* In threads. */
static bool
feed_integers(const MlHeapReader *h, MlRowBatch *batch, const MlFeed *feed)
{
	int64_t		integer[ML_FRAME_TOGETHER];
	MlSlice		slice;

	gather(h, batch, feed->place, &slice);
	if ((feed->spec.roles & ML_ROLE_ID) != 0 && slice.n_nulls > 0)
		return false;
	for (int i = 0; i < slice.count; i++)
		integer[i] = slice.null[i] ? 0 : ml_convert_integer(&feed->converter, slice.value[i]);
	ml_frame_integers(batch->chunk, feed->first_spec, integer, slice.n_nulls > 0 ? slice.null : NULL);
	return true;
}

/* In threads. */
static void
feed_truths(const MlHeapReader *h, MlRowBatch *batch, int feed_number)
{
	const MlFeed *feed = &h->r->private_plan->feeds[feed_number];
	const int32 *code_of = h->truth_code + 2 * feed_number;
	int32_t		code[ML_FRAME_TOGETHER];
	MlSlice		slice;

	gather(h, batch, feed->place, &slice);
	for (int i = 0; i < slice.count; i++)
		code[i] = slice.null[i] ? -1 : code_of[DatumGetBool(slice.value[i])];
	ml_frame_codes(batch->chunk, feed->first_spec, code);
}

/* Remembers the codes that the texts of a batch have got.  By the main thread, while no thread reads them. */
static void
learn_truths(MlHeapReader *h, const MlRowBatch *batch, int feed_number)
{
	const MlFeed *feed = &h->r->private_plan->feeds[feed_number];
	MlSlice		slice;

	gather(h, batch, feed->place, &slice);
	for (int i = 0; i < slice.count; i++)
	{
		if (!slice.null[i])
			h->truth_code[2 * feed_number + DatumGetBool(slice.value[i])] = ml_frame_code(batch->chunk, feed->first_spec, i);
	}
}

/* In threads. */
void
ml_batch_feed_plain(const MlHeapReader *h, MlRowBatch *batch)
{
	const MlPrivatePlan *plan = h->r->private_plan;
	bool		good = !batch->bad;

	for (int i = 0; i < plan->n_feeds && good; i++)
	{
		const MlFeed *feed = &plan->feeds[i];

		if (ml_feed_is_plain(feed))
			good = feed->kind == ML_FEED_NUMBER ? feed_numbers(h, batch, i) : feed_integers(h, batch, feed);
		else if (batch->truths && ml_feed_is_truth(feed))
			feed_truths(h, batch, i);
	}
	if (good)
		ml_frame_chunk_hash(batch->chunk);
	else
		batch->bad = true;
}

/* The row whose value is converted next, for messages. */
static void
at_row(MlHeapReader *h, const MlRowBatch *batch, int row)
{
	h->r->ahead = (int) (batch->first_row - h->r->rows) + row;
}

static bool
feed_numerics(MlHeapReader *h, MlRowBatch *batch, int feed_number)
{
	const MlFeed *feed = &h->r->private_plan->feeds[feed_number];
	double		number[ML_FRAME_TOGETHER];
	MlSlice		slice;

	gather(h, batch, feed->place, &slice);
	for (int i = 0; i < slice.count; i++)
	{
		at_row(h, batch, i);
		number[i] = slice.null[i] ? NAN : ml_convert_number(&h->lenient[feed_number].converter, slice.value[i]);
		MemoryContextReset(h->r->row_context);
	}
	if ((feed->spec.roles & ML_ROLE_ID) != 0 && slice.n_nulls > 0)
		return false;
	return ml_frame_numbers(batch->chunk, feed->first_spec, number, slice.n_nulls) || feed->converter.lenient;
}

static bool
feed_texts(MlHeapReader *h, MlRowBatch *batch, const MlFeed *feed)
{
	MlSlice		slice;

	gather(h, batch, feed->place, &slice);
	if ((feed->spec.roles & ML_ROLE_ID) != 0 && slice.n_nulls > 0)
		return false;
	for (int i = 0; i < slice.count; i++)
	{
		size_t		length = 0;
		const char *text;

		at_row(h, batch, i);
		text = slice.null[i] ? NULL : ml_scan_text(feed, slice.value[i], &length);
		ml_check(h->r->env, ml_frame_text_of(batch->chunk, feed->first_spec, i, text, length));
		MemoryContextReset(h->r->row_context);
	}
	return true;
}

/* One column after the other; false when there is a value among them that is an error. */
static bool
feed_main(MlHeapReader *h, MlRowBatch *batch)
{
	const MlPrivatePlan *plan = h->r->private_plan;
	bool		good = true;

	ml_batch_locate(h, batch);
	ml_batch_walk(h, batch, false);
	for (int i = 0; i < plan->n_feeds && good; i++)
	{
		const MlFeed *feed = &plan->feeds[i];

		if (ml_feed_is_plain(feed) || (batch->truths && ml_feed_is_truth(feed)))
			continue;
		good = feed->kind == ML_FEED_NUMBER ? feed_numerics(h, batch, i) : feed_texts(h, batch, feed);
		if (good && ml_feed_is_truth(feed))
			learn_truths(h, batch, i);
	}
	return good;
}

void
ml_batch_feed_main(MlHeapReader *h, MlRowBatch *batch)
{
	MemoryContext caller = MemoryContextSwitchTo(h->r->row_context);
	uint32		held = InterruptHoldoffCount;

	h->r->in_row = true;
	PG_TRY();
	{
		if (!feed_main(h, batch))
			batch->bad = true;
	}
	PG_CATCH();
	{
		/* A row before it may have an error in another column. */
		ml_keep_error(h, held);
		batch->bad = true;
	}
	PG_END_TRY();
	h->r->in_row = false;
	h->r->ahead = 0;
	MemoryContextSwitchTo(caller);
}

/* ------------------------------------------------------------ errors */

static void
check_value(MlHeapReader *h, const MlRowBatch *batch, const MlFeed *feed, int row)
{
	size_t		at = (size_t) batch->table->lane_of[feed->place] * h->most_rows + row;
	size_t		length;

	if (batch->nulls[at])
	{
		if (feed->spec.roles & ML_ROLE_ID)
			ml_scan_refuse_null_id(h->r, feed);
		return;
	}
	if (feed->kind == ML_FEED_NUMBER)
		(void) ml_convert_number(&feed->converter, batch->values[at]);
	else if (feed->kind == ML_FEED_TEXT)
		(void) ml_scan_text(feed, batch->values[at], &length);
}

void
ml_batch_complain(MlHeapReader *h, MlRowBatch *batch)
{
	const MlPrivatePlan *plan = h->r->private_plan;

	MemoryContextSwitchTo(h->r->row_context);
	ml_batch_locate(h, batch);
	ml_batch_walk(h, batch, true);
	h->r->in_row = true;
	for (int row = 0; row < batch->n_rows; row++)
	{
		h->r->rows = batch->first_row + row;
		for (int i = 0; i < plan->n_feeds; i++)
			check_value(h, batch, &plan->feeds[i], row);
	}
	/* None of a value, but of what became of it. */
	if (h->error != NULL)
		ReThrowError(h->error);
	elog(ERROR, "a value that could not be read has changed");
}
