/*-------------------------------------------------------------------------
 * scan_tables.c
 *	  Which plans are read page by page: those that scan a table from its beginning to its end, or several one after the other.
 *
 * That is a sequential scan of a heap, with conditions and expressions that may be evaluated meanwhile (scan_allowed.c); an Append of
 * such, as of partitions; and subqueries that are nothing else.  So are views and row-level security that come to that; all
 * other plans are run by the executor.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "pg/compat.h"
#include "pg/scan_heap.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

/* ------------------------------------------------------------- a table */

bool
ml_is_column(const TargetEntry *entry, Index relation)
{
	const Var  *var = (const Var *) entry->expr;

	return IsA(var, Var) && var->varno == relation && var->varlevelsup == 0 && var->varattno > 0;
}

/* The range table index of the relation that a plan reads, 0 if it does anything else. */
static Index
scanned_relation(const Plan *plan)
{
	Index		relation;
	ListCell   *cell;

	if (!IsA(plan, SeqScan) || plan->initPlan != NIL)
		return 0;
	relation = ((const Scan *) plan)->scanrelid;
	if (!ml_may_evaluate((const Node *) plan->qual, relation))
		return 0;
	foreach(cell, plan->targetlist)
	{
		const TargetEntry *entry = lfirst_node(TargetEntry, cell);

		if (entry->resjunk || (!ml_is_column(entry, relation) && !ml_may_evaluate((const Node *) entry->expr, relation)))
			return 0;
	}
	return relation;
}

/* An Append hands on what comes, column by column; constants it only mentions. */
static bool
hands_on(const Append *append)
{
	ListCell   *cell;

	if (append->plan.qual != NIL || append->plan.initPlan != NIL || append->part_prune_info != NULL || append->nasyncplans != 0)
		return false;
	foreach(cell, append->plan.targetlist)
	{
		const TargetEntry *entry = lfirst_node(TargetEntry, cell);
		const Var  *var = (const Var *) entry->expr;

		if (!entry->resjunk && IsA(var, Const))
			continue;
		if (entry->resjunk || !IsA(var, Var) || var->varno != OUTER_VAR || var->varattno != foreach_current_index(cell) + 1)
			return false;
	}
	return true;
}

/* ---------------------------------------------------- subqueries of a table */

typedef struct Substitution
{
	Index		subquery;		/* in the range table */
	const List *targets;		/* of its plan */
	bool		failed;
} Substitution;

/* Columns of a subquery by what they are in its table. */
static Node *
substitute(Node *node, Substitution *s)
{
	const Var  *var = (const Var *) node;

	if (node == NULL)
		return NULL;
	if (!IsA(node, Var))
		return expression_tree_mutator(node, substitute, s);
	if (var->varno != s->subquery || var->varlevelsup != 0 || var->varattno <= 0 || var->varattno > list_length(s->targets))
	{
		s->failed = true;
		return node;
	}
	return (Node *) copyObject(list_nth_node(TargetEntry, s->targets, var->varattno - 1)->expr);
}

/*
 * A subquery that the planner has left one (a barrier, columns that are not needed, UNION ALL of different types), on top of the
 * scan of a table, as one scan: the conditions of the table come first, as they do there.  Only where
 * the scan computes nothing: what it computes, and nobody needs, might be an error.
 */
static Plan *
merge(const SubqueryScan *subquery, const Plan *scan)
{
	SeqScan    *merged = makeNode(SeqScan);
	Substitution s = {subquery->scan.scanrelid, scan->targetlist, false};
	Index		relation = ((const Scan *) scan)->scanrelid;
	ListCell   *cell;

	foreach(cell, scan->targetlist)
	{
		const TargetEntry *entry = lfirst_node(TargetEntry, cell);

		if (!ml_is_column(entry, relation) && !IsA(entry->expr, Const))
			return NULL;
	}
	memcpy(merged, scan, sizeof(SeqScan));
	((Plan *) merged)->targetlist = (List *) substitute((Node *) subquery->scan.plan.targetlist, &s);
	((Plan *) merged)->qual = list_concat_copy(scan->qual, (List *) substitute((Node *) subquery->scan.plan.qual, &s));
	return s.failed ? NULL : (Plan *) merged;
}

static bool add_table_plans(Plan *plan, List **plans);

static bool
add_subquery_plans(SubqueryScan *subquery, List **plans)
{
	List	   *below = NIL;
	ListCell   *cell;

	if (subquery->scan.plan.initPlan != NIL || !add_table_plans(subquery->subplan, &below))
		return false;
	foreach(cell, below)
	{
		Plan	   *merged = merge(subquery, lfirst(cell));

		if (merged == NULL || scanned_relation(merged) == 0)
			return false;
		*plans = lappend(*plans, merged);
	}
	return true;
}

/* -------------------------------------------------------------- all tables */

/* Adds the plans below one that read a table each, one after the other; false if it does anything else. */
static bool
add_table_plans(Plan *plan, List **plans)
{
	ListCell   *cell;

	if (IsA(plan, SubqueryScan))
		return add_subquery_plans((SubqueryScan *) plan, plans);
	if (!IsA(plan, Append))
	{
		*plans = lappend(*plans, plan);
		return scanned_relation(plan) != 0;
	}
	if (!hands_on((Append *) plan))
		return false;
	foreach(cell, ((Append *) plan)->appendplans)
	{
		Plan	   *child = lfirst(cell);

		if (list_length(child->targetlist) != list_length(plan->targetlist) || !add_table_plans(child, plans))
			return false;
	}
	return true;
}

/* All of the statement; NIL if it does anything else. */
List *
ml_table_plans(const PlannedStmt *statement)
{
	List	   *plans = NIL;

	if (statement->subplans != NIL || statement->rowMarks != NIL || statement->hasModifyingCTE)
		return NIL;
	return add_table_plans(statement->planTree, &plans) ? plans : NIL;
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

Relation
ml_open_table(const PlannedStmt *statement, const Plan *plan)
{
	const RangeTblEntry *entry = rt_fetch(((const Scan *) plan)->scanrelid, statement->rtable);

	return table_open(entry->relid, entry->rellockmode);
}

bool
ml_scan_heap_fits(const MlPrivatePlan *plan)
{
	List	   *plans = ml_table_plans(plan->statement);
	bool		plain = plans != NIL && !IsolationIsSerializable();
	ListCell   *cell;

	foreach(cell, plans)
	{
		Relation	relation = ml_open_table(plan->statement, lfirst(cell));

		plain &= is_plain_heap(relation);
		table_close(relation, NoLock);
	}
	return plain;
}

double
ml_scan_heap_pages(const MlPrivatePlan *plan)
{
	double		pages = 0;
	ListCell   *cell;

	foreach(cell, ml_table_plans(plan->statement))
	{
		Relation	relation = ml_open_table(plan->statement, lfirst(cell));

		pages += RelationGetNumberOfBlocks(relation);
		table_close(relation, NoLock);
	}
	return pages;
}

void
ml_scan_heap_mark(MlPrivatePlan *plan)
{
	ListCell   *cell;

	foreach(cell, ml_table_plans(plan->statement))
	{
		const Scan *scan = lfirst(cell);

		for (int i = 0; i < plan->n_feeds; i++)
			plan->feeds[i].computed |= !ml_is_column(list_nth_node(TargetEntry, scan->plan.targetlist, plan->feeds[i].place), scan->scanrelid);
	}
}
