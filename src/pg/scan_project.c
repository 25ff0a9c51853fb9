/*-------------------------------------------------------------------------
 * scan_project.c
 *	  Expressions: columns of a source that are computed from those of a table.
 *
 * The main thread evaluates them when a batch is complete, row after row as the executor's projection does, and leaves the
 * values where those are that threads find by walking through rows: they make columns and hashes of both.  What is computed is
 * kept (never MlColumnSpec.deferred), since computing it again for a later pass takes longer than to remember it,
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
	const MlHeapTable *table = batch->table;

	for (int c = 0; c < table->n_computed; c++)
	{
		Form_pg_attribute column = TupleDescAttr(slot->tts_tupleDescriptor, c);
		size_t		at = (size_t) table->computed_lane[c] * h->most_rows + row;
		Datum		value = slot->tts_values[c];

		if (!slot->tts_isnull[c] && !column->attbyval)
			value = datumCopy(value, false, column->attlen);
		batch->values[at] = value;
		batch->nulls[at] = slot->tts_isnull[c];
	}
}

/* Counts the rows in batch->evaluated, which stands after an ERROR as well. */
static void
evaluate(MlHeapReader *h, MlRowBatch *batch)
{
	MlHeapTable *table = &h->tables[h->table];

	batch->evaluated = 0;
	for (int p = 0; p < batch->n_pages; p++)
	{
		const MlPageRun *run = &batch->pages[p];

		for (int i = run->first; i < run->first + run->rows; i++)
		{
			ml_store_row(table, run->page, run->block, batch->offset[i]);
			ResetExprContext(table->evaluation);
			keep_values(h, batch, i, ExecProject(table->projection));
			batch->evaluated++;
		}
	}
	ExecClearTuple(table->stored);
}

/* Pages behind the last row stay with the batch, which lets go of them at its end. */
static void
cut_off(MlRowBatch *batch, int rows)
{
	for (int p = 0; p < batch->n_pages; p++)
	{
		MlPageRun  *run = &batch->pages[p];

		run->rows = Max(Min(run->rows, rows - run->first), 0);
	}
	batch->n_rows = rows;
}

void
ml_batch_evaluate(MlHeapReader *h, MlRowBatch *batch)
{
	uint32		held = InterruptHoldoffCount;
	MemoryContext caller;

	if (batch->table->n_computed == 0)
		return;
	MemoryContextReset(batch->memory);
	caller = MemoryContextSwitchTo(batch->memory);
	PG_TRY();
	{
		evaluate(h, batch);
	}
	PG_CATCH();
	{
		ml_keep_error(h, held);
		cut_off(batch, batch->evaluated);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
}
