/*-------------------------------------------------------------------------
 * scan_project.c
 *	  Expressions: columns of a source that are computed from those of a table.
 *
 * The main thread evaluates them for the rows that come into a batch, one after the other as the executor's projection does, and
 * leaves the values where those are that threads find by walking through rows: they make columns and hashes of both.  A batch ends early
 * where values are long.  What is computed is kept (never MlColumnSpec.deferred), since computing it again for a later pass takes longer than to remember it,
 * and might give something else.
 *
 * An error of a row ends the batch before it; the rest as in scan_filter.c.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "pg/scan_heap.h"
#include "utils/datum.h"
#include "utils/memutils.h"

/* Values beside the rows, of one batch, and one row more. */
#define COMPUTED_BYTES (256 * 1024)

void
ml_project_make(MlHeapTable *table, const List *targets)
{
	List	   *computed = NIL;
	ListCell   *cell;

	table->computed_lane = palloc(Max(list_length(targets), 1) * sizeof(int));
	foreach(cell, targets)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, cell);
		int			place = foreach_current_index(cell);

		if (table->attribute_of[place] >= 0)
			continue;
		table->computed_lane[table->n_computed++] = table->lane_of[place];
		computed = lappend(computed, makeTargetEntry(entry->expr, table->n_computed, NULL, false));
	}
	if (computed == NIL)
		return;
	ml_evaluation_make(table);
	table->projection = ExecBuildProjectionInfo(computed, table->evaluation, MakeSingleTupleTableSlot(ExecTypeFromTL(computed), &TTSOpsVirtual), NULL, NULL);
}

/* Values that are not in the row itself have to last until the batch is done. */
static void
keep_values(const MlHeapReader *h, MlRowBatch *batch, int row, const TupleTableSlot *slot)
{
	const MlHeapTable *table = &h->tables[h->table];

	for (int c = 0; c < table->n_computed; c++)
	{
		Form_pg_attribute column = TupleDescAttr(slot->tts_tupleDescriptor, c);
		size_t		at = (size_t) table->computed_lane[c] * h->most_rows + row;
		Datum		value = slot->tts_values[c];

		if (!slot->tts_isnull[c] && !column->attbyval)
		{
			value = datumCopy(value, false, column->attlen);
			batch->computed_bytes += datumGetSize(value, false, column->attlen);
		}
		batch->values[at] = value;
		batch->nulls[at] = slot->tts_isnull[c];
	}
}

/* Counts the rows in batch->computed, which stands after an ERROR as well. */
static void
compute(MlHeapReader *h, MlRowBatch *batch, Page page, BlockNumber block, int n)
{
	MlHeapTable *table = &h->tables[h->table];

	while (batch->computed < n && batch->computed_bytes < COMPUTED_BYTES)
	{
		ml_store_row(table, page, block, h->row[h->next_row + batch->computed]);
		ResetExprContext(table->evaluation);
		keep_values(h, batch, batch->n_rows + batch->computed, ExecProject(table->projection));
		batch->computed++;
	}
	ExecClearTuple(table->stored);
}

int
ml_project_rows(MlHeapReader *h, MlRowBatch *batch, Page page, BlockNumber block, int n)
{
	uint32		held = InterruptHoldoffCount;
	MemoryContext caller;

	if (h->tables[h->table].n_computed == 0)
		return n;
	if (batch->n_rows == 0)
	{
		MemoryContextReset(batch->memory);
		batch->computed_bytes = 0;
	}
	batch->computed = 0;
	caller = MemoryContextSwitchTo(batch->memory);
	PG_TRY();
	{
		compute(h, batch, page, block, n);
	}
	PG_CATCH();
	{
		ml_keep_error(h, held);
		h->n_rows = h->next_row + batch->computed;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	return batch->computed;
}
