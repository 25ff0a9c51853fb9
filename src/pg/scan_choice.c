/*-------------------------------------------------------------------------
 * scan_choice.c
 *	  Which plan a source is read by: the planner's, or one without indexes, whose pages several threads read into bins.
 *
 * The planner compares what it costs to find rows.  It does not know what becomes of them: a row that the executor hands over is
 * taken apart column after column by one process, which costs about a cpu_tuple_cost for each; read from pages it costs
 * next to nothing of that, and a fraction of the memory (doc/design/reading.md, "Cost").  So an index has
 * to save that much more, or the table to be larger than the cache: then pages cost what the planner says.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/plannodes.h"
#include "optimizer/optimizer.h"
#include "pg/scan_internal.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"

/* Is there an index where a table could be read as a whole? */
static bool
uses_index(const Plan *plan)
{
	ListCell   *cell;

	switch (nodeTag(plan))
	{
		case T_IndexScan:
		case T_IndexOnlyScan:
		case T_BitmapHeapScan:
			return true;
		case T_SubqueryScan:
			return uses_index(((const SubqueryScan *) plan)->subplan);
		case T_Append:
			foreach(cell, ((const Append *) plan)->appendplans)
			{
				if (uses_index(lfirst(cell)))
					return true;
			}
			return false;
		default:
			return false;
	}
}

/* An ERROR leaves the settings to the end of the (sub)transaction. */
static PlannedStmt *
plan_without_index(Query *query, const char *text)
{
	static const char *const settings[] = {"enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan"};
	int			level = NewGUCNestLevel();
	PlannedStmt *statement;

	for (int i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i], "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	statement = pg_plan_query(query, text, 0, NULL);
	AtEOXact_GUC(true, level);
	return statement;
}

static bool
is_better(const MlPrivatePlan *other, const Plan *plan)
{
	double		taking = plan->plan_rows * list_length(plan->targetlist) * cpu_tuple_cost;

	return ml_scan_heap_fits(other) && other->statement->planTree->total_cost <= plan->total_cost + taking &&
		ml_scan_heap_pages(other) <= effective_cache_size;
}

PlannedStmt *
ml_scan_choose(Query *query, const char *text)
{
	Query	   *copy = copyObject(query);	/* planning scribbles on it */
	MlPrivatePlan other = {0};
	PlannedStmt *statement = pg_plan_query(query, text, 0, NULL);

	if (!uses_index(statement->planTree))
		return statement;
	other.statement = plan_without_index(copy, text);
	return is_better(&other, statement->planTree) ? other.statement : statement;
}
