/*-------------------------------------------------------------------------
 * scan_visible.c
 *	  The pages of a table one after the other: pinned, and which of their rows the snapshot sees.
 *
 * As the executor's own scan does it (heapam.c), but for what takes time when nothing else is done with a page: some pages are pinned
 * before the first of them is looked at, so that their beginnings come from memory meanwhile; on a page that
 * everybody sees all of, and for rows whose hints tell, there is nothing to ask.
 *
 * The rows of a snapshot stay as long as it is registered, and while a page is pinned they stay where they are.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "pg/compat.h"
#include "pg/scan_heap.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* The beginning of a page, where the places of its rows are. */
#define LINES_AHEAD 4

/* So much of shared memory enters the page tables with the first byte that is looked at (Linux: fault_around_bytes). */
#define MAPPED_TOGETHER 65536

/* Inserted by a transaction that was over before any that the snapshot does not see began, and never deleted or locked. */
static inline bool
is_plainly_visible(HeapTupleHeader row, TransactionId oldest)
{
	if ((row->t_infomask & HEAP_XMAX_INVALID) == 0 || !HeapTupleHeaderXminCommitted(row))
		return false;
	return HeapTupleHeaderXminFrozen(row) || TransactionIdPrecedes(HeapTupleHeaderGetRawXmin(row), oldest);
}

static bool
is_visible(MlHeapReader *h, Relation relation, Buffer buffer, Page page, OffsetNumber number, ItemId item)
{
	HeapTupleData row;

	row.t_data = (HeapTupleHeader) PageGetItem(page, item);
	if (is_plainly_visible(row.t_data, h->snapshot->xmin))
		return true;
	row.t_len = ItemIdGetLength(item);
	row.t_tableOid = RelationGetRelid(relation);
	ItemPointerSet(&row.t_self, BufferGetBlockNumber(buffer), number);
	return HeapTupleSatisfiesVisibility(&row, h->snapshot, buffer);
}

/* The visible rows of a pinned page into row[]; returns how many. */
static int
find_visible(MlHeapReader *h, Relation relation, Buffer buffer, OffsetNumber *row)
{
	Page		page = BufferGetPage(buffer);
	OffsetNumber last;
	bool		all;
	int			n = 0;

	/* Where all rows are visible to all, there is nothing to prune. */
	if (!PageIsAllVisible(page))
		heap_page_prune_opt(relation, buffer);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	ML_TEST_OLD_SNAPSHOT(h->snapshot, relation, page);
	last = PageGetMaxOffsetNumber(page);
	/* On a standby a transaction may be over for the page and not for the snapshot. */
	all = PageIsAllVisible(page) && !h->snapshot->takenDuringRecovery;
	for (OffsetNumber i = FirstOffsetNumber; i <= last; i++)
	{
		ItemId		item = PageGetItemId(page, i);

		row[n] = i;
		n += ItemIdIsNormal(item) && (all || is_visible(h, relation, buffer, page, i, item));
	}
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	return n;
}

static Buffer
pin_page(MlHeapReader *h, BlockNumber block)
{
	HeapScanDesc scan = (HeapScanDesc) h->scan;
	Buffer		buffer = ReadBufferExtended(scan->rs_base.rs_rd, MAIN_FORKNUM, block, RBM_NORMAL, scan->rs_strategy);
	const char *page = (const char *) BufferGetPage(buffer);
	uintptr_t	region = (uintptr_t) page / MAPPED_TOGETHER;

	/* What this process has not seen of the shared buffers is not in its page tables, and nothing is fetched ahead through them. */
	if (region != h->region)
		(void) *(const volatile char *) page;
	h->region = region;
	for (int line = 0; line < LINES_AHEAD; line++)
		__builtin_prefetch(page + 64 * line);
	return buffer;
}

/* Pages that come together are asked for together. */
static void
pin_ahead(MlHeapReader *h)
{
	BlockNumber left = h->end_block - h->next_block - h->n_ahead;

	while (h->n_ahead < h->most_ahead && left-- > 0)
	{
		h->ahead[h->n_ahead] = pin_page(h, h->next_block + h->n_ahead);
		h->n_ahead++;
	}
	h->first_ahead = 0;
}

static void
let_go(MlHeapReader *h)
{
	if (BufferIsValid(h->buffer))
		ReleaseBuffer(h->buffer);
	h->buffer = InvalidBuffer;
	h->n_rows = h->next_row = 0;
}

bool
ml_heap_next_page(MlHeapReader *h)
{
	Relation	relation = h->tables[h->table].relation;

	let_go(h);
	if (h->next_block >= h->end_block)
		return false;
	if (h->first_ahead == h->n_ahead)
	{
		h->n_ahead = 0;
		pin_ahead(h);
	}
	h->buffer = h->ahead[h->first_ahead++];
	h->next_block++;
	h->n_rows = find_visible(h, relation, h->buffer, h->row);
	/* Named after indexes, but it is what a scan counts, too: rows that it has seen. */
	pgstat_count_index_tuples(relation, h->n_rows);
	h->n_rows = ml_filter_page(h, BufferGetPage(h->buffer), h->next_block - 1, h->row, h->n_rows);
	return true;
}

Buffer
ml_heap_take_page(MlHeapReader *h, int rows)
{
	Buffer		buffer = h->buffer;

	h->next_row += rows;
	if (h->next_row < h->n_rows)
		IncrBufferRefCount(buffer);
	else
		h->buffer = InvalidBuffer;
	return buffer;
}

void
ml_heap_end(MlHeapReader *h)
{
	if (h->scan == NULL)
		return;
	let_go(h);
	while (h->first_ahead < h->n_ahead)
		ReleaseBuffer(h->ahead[h->first_ahead++]);
	table_endscan(h->scan);
	h->scan = NULL;
}

void
ml_heap_begin(MlHeapReader *h, int table)
{
	ml_heap_end(h);
	h->table = table;
	h->scan = table_beginscan_strat(h->tables[table].relation, h->snapshot, 0, NULL, true, false);
	h->next_block = 0;
	h->end_block = ((HeapScanDesc) h->scan)->rs_nblocks;
	h->n_ahead = h->first_ahead = 0;
	h->buffer = InvalidBuffer;
	h->n_rows = h->next_row = 0;
}

int
ml_heap_count_rows(MlHeapReader *h, BlockNumber block)
{
	Buffer		buffer;
	int			rows;

	if (block >= h->end_block)
		return 0;
	buffer = pin_page(h, block);
	rows = find_visible(h, h->tables[h->table].relation, buffer, h->row);
	ReleaseBuffer(buffer);
	return rows;
}
