/*-------------------------------------------------------------------------
 * scan_filter.c
 *	  Conditions: which rows of a page pass, of those that the snapshot sees.
 *
 * The main thread evaluates them, row after row, as the executor's scan does: the same expressions on the same rows in the same
 * order, conditions of policies and of security barriers before all others, as the planner has put them.
 *
 * Later passes have to see the same rows, so the first one leaves a bit for each row that it has looked at: an eighth of a byte
 * where evaluating takes some ten nanoseconds; and a function that is stable only by what it says of itself
 * cannot make the passes differ.
 *
 * An error of a condition counts after all rows before it, which may have errors of their own and have not been decoded yet.  So it
 * is kept (MlHeapReader.error), the page ends before its row, and it is thrown when all that came before has been read.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "ml/base/arena.h"
#include "pg/error.h"
#include "pg/scan_heap.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* Bits that are remembered together: a piece that the arena takes back. */
#define BITS_TOGETHER ((uint64) 1 << 19)

/* ------------------------------------------------------------ preparation */

void
ml_evaluation_make(MlHeapTable *table)
{
	if (table->evaluation != NULL)
		return;
	table->evaluation = CreateStandaloneExprContext();
	table->stored = MakeSingleTupleTableSlot(RelationGetDescr(table->relation), &TTSOpsHeapTuple);
	table->evaluation->ecxt_scantuple = table->stored;
}

void
ml_filter_make(MlHeapReader *h, MlHeapTable *table, List *qual)
{
	if (qual == NIL)
		return;
	h->filtered = true;
	ml_evaluation_make(table);
	table->condition = ExecInitQual(qual, NULL);
}

void
ml_evaluation_end(MlHeapReader *h)
{
	for (int t = 0; t < h->n_tables; t++)
	{
		MlHeapTable *table = &h->tables[t];

		if (table->evaluation == NULL)
			continue;
		if (table->projection != NULL)
			ExecDropSingleTupleTableSlot(table->projection->pi_state.resultslot);
		ExecDropSingleTupleTableSlot(table->stored);
		FreeExprContext(table->evaluation, true);
	}
	for (int i = 0; i < h->passed.n_pieces; i++)
		ml_release(h->r->env, h->passed.piece[i]);
	h->passed.n_pieces = 0;
}

/* --------------------------------------------------- bits for later passes */

/* Of the next row that a condition is asked about. */
static uint64 *
next_word(MlHeapReader *h, uint64 *mask)
{
	MlPassedRows *passed = &h->passed;
	uint64		row = passed->seen++;
	int			piece = (int) (row / BITS_TOGETHER);

	*mask = (uint64) 1 << (row % 64);
	return &passed->piece[piece][row % BITS_TOGETHER / 64];
}

static void
remember(MlHeapReader *h, bool pass)
{
	MlPassedRows *passed = &h->passed;
	uint64		mask;
	uint64	   *word;

	if (passed->seen / BITS_TOGETHER == passed->n_pieces)
	{
		if (passed->n_pieces == passed->room)
		{
			passed->room = Max(2 * passed->room, 16);
			passed->piece = passed->piece == NULL ? MemoryContextAlloc(h->owner, passed->room * sizeof(uint64 *)) :
				repalloc(passed->piece, passed->room * sizeof(uint64 *));
		}
		passed->piece[passed->n_pieces] = ml_alloc0(h->r->env, BITS_TOGETHER / 64, sizeof(uint64));
		if (passed->piece[passed->n_pieces] == NULL)
			ml_check(h->r->env, h->r->env->error.status);
		passed->n_pieces++;
	}
	word = next_word(h, &mask);
	*word |= pass ? mask : 0;
}

/* The rows of a page that have passed before. */
static int
recall(MlHeapReader *h, OffsetNumber *row, int n)
{
	int			kept = 0;

	if (h->passed.seen + n > h->passed.known)
		elog(ERROR, "table \"%s\" has more rows than before for the same snapshot", RelationGetRelationName(h->tables[h->table].relation));
	for (int i = 0; i < n; i++)
	{
		uint64		mask;
		const uint64 *word = next_word(h, &mask);

		row[kept] = row[i];
		kept += (*word & mask) != 0;
	}
	return kept;
}

void
ml_filter_begin_pass(MlHeapReader *h)
{
	/* What has been counted is all there is, once the first pass is over. */
	if (h->passed.seen > 0)
		h->passed.known = h->passed.seen;
	h->passed.seen = 0;
}

/* ---------------------------------------------------------------- rows */

/* Rows may take long, and interrupts are held: says so by an error that is thrown when that is over. */
static inline void
stop_when_canceled(void)
{
	if (unlikely(QueryCancelPending || ProcDiePending))
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("canceling statement due to user request")));
}

void
ml_store_row(MlHeapTable *table, Page page, BlockNumber block, OffsetNumber number)
{
	ItemId		item = PageGetItemId(page, number);

	stop_when_canceled();
	table->row.t_data = (HeapTupleHeader) PageGetItem(page, item);
	table->row.t_len = ItemIdGetLength(item);
	table->row.t_tableOid = RelationGetRelid(table->relation);
	ItemPointerSet(&table->row.t_self, block, number);
	ExecStoreHeapTuple(&table->row, table->stored, false);
}

/* Counts those that pass in passed.here, which stands after an ERROR as well. */
static void
evaluate(MlHeapReader *h, Page page, BlockNumber block, OffsetNumber *row, int n)
{
	MlHeapTable *table = &h->tables[h->table];

	h->passed.here = 0;
	for (int i = 0; i < n; i++)
	{
		bool		pass;

		ml_store_row(table, page, block, row[i]);
		pass = ExecQualAndReset(table->condition, table->evaluation);
		if (h->deferred)
			remember(h, pass);
		row[h->passed.here] = row[i];
		h->passed.here += pass;
	}
	ExecClearTuple(table->stored);
}

int
ml_filter_page(MlHeapReader *h, Page page, BlockNumber block, OffsetNumber *row, int n)
{
	uint32		held = InterruptHoldoffCount;

	if (h->tables[h->table].condition == NULL)
		return n;
	if (h->passed.known > 0)
		return recall(h, row, n);
	PG_TRY();
	{
		evaluate(h, page, block, row, n);
	}
	PG_CATCH();
	{
		ml_keep_error(h, held);
	}
	PG_END_TRY();
	return h->passed.here;
}

void
ml_keep_error(MlHeapReader *h, uint32 held)
{
	MemoryContextSwitchTo(h->owner);
	h->error = CopyErrorData();
	FlushErrorState();
	InterruptHoldoffCount = held;	/* an ERROR has set it to 0, and threads are at work */
}
