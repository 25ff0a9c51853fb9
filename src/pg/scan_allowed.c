/*-------------------------------------------------------------------------
 * scan_allowed.c
 *	  Which conditions and expressions are evaluated while the pages of a table are read.
 *
 * That is done between threads at work, with interrupts held, and later passes over the pages do not do it again.  So what is
 * evaluated has to be of one row alone, short, and the same each time: PostgreSQL's own functions in C that are not volatile and may run in
 * parallel workers, on types whose functions are PostgreSQL's own as well.  What is written by users, in whatever
 * language, may do anything and take any time: the executor runs it.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "nodes/primnodes.h"
#include "pg/scan_heap.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/*
 * A stable function of such a thing looks it up in the catalog, and may wait for a lock (pg_get_viewdef).  Input functions are
 * told a type by its oid.
 */
static bool
is_of_catalog(const FormData_pg_proc *function)
{
	if (function->pronargs > 0 && function->proargtypes.values[0] == CSTRINGOID)
		return false;
	for (int i = 0; i < function->pronargs; i++)
	{
		switch (function->proargtypes.values[i])
		{
			case OIDOID:
			case REGCLASSOID:
			case REGPROCOID:
			case REGPROCEDUREOID:
			case REGOPEROID:
			case REGOPERATOROID:
			case REGTYPEOID:
			case REGROLEOID:
			case REGNAMESPACEOID:
				return true;
			default:
				break;
		}
	}
	return false;
}

/* For check_functions_in_node(). */
static bool
function_is_foreign(Oid oid, void *state)
{
	HeapTuple	row;
	const FormData_pg_proc *function;
	bool		fine;

	if (oid >= FirstNormalObjectId)
		return true;
	row = SearchSysCache1(PROCOID, ObjectIdGetDatum(oid));
	if (!HeapTupleIsValid(row))
		return true;
	function = (const FormData_pg_proc *) GETSTRUCT(row);
	fine = function->prolang == INTERNALlanguageId && !function->prosecdef && !function->proretset &&
		heap_attisnull(row, Anum_pg_proc_proconfig, NULL) && function->proparallel == PROPARALLEL_SAFE &&
		(function->provolatile == PROVOLATILE_IMMUTABLE || (function->provolatile == PROVOLATILE_STABLE && !is_of_catalog(function)));
	ReleaseSysCache(row);
	return !fine;
}

/* Functions of any type call those of the type they get, to compare or to write it. */
static bool
is_own_type(Oid type)
{
	Oid			base = getBaseType(type);

	return base < FirstNormalObjectId || get_typtype(base) == TYPTYPE_ENUM;
}

/* What the row itself has, and where it is. */
static bool
is_own_column(const Var *var, Index relation)
{
	return var->varno == relation && var->varlevelsup == 0 &&
		(var->varattno > 0 || var->varattno == SelfItemPointerAttributeNumber || var->varattno == TableOidAttributeNumber);
}

/* Nodes that are nothing but operators and functions, and those that choose among values. */
static bool
is_plain_node(const Node *node)
{
	switch (nodeTag(node))
	{
		case T_List:
		case T_Var:
		case T_Const:
		case T_FuncExpr:
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
		case T_ScalarArrayOpExpr:
		case T_RowCompareExpr:
		case T_BoolExpr:
		case T_RelabelType:
		case T_CoerceViaIO:
		case T_ArrayCoerceExpr:
		case T_CaseExpr:
		case T_CaseWhen:
		case T_CaseTestExpr:
		case T_ArrayExpr:
		case T_CoalesceExpr:
		case T_MinMaxExpr:
		case T_SubscriptingRef:
		case T_SQLValueFunction:
		case T_NullTest:
		case T_BooleanTest:
			return true;
		default:
			return false;
	}
}

/* Nodes that have no type of their own: exprType() would not know them. */
static bool
has_no_type(const Node *node)
{
	return IsA(node, List) || IsA(node, CaseWhen);
}

static bool
foreign_walker(Node *node, void *state)
{
	Index		relation = *(const Index *) state;

	if (node == NULL)
		return false;
	if (!is_plain_node(node))
		return true;
	if (!has_no_type(node) && !is_own_type(exprType(node)))
		return true;
	if (IsA(node, Var) && !is_own_column((const Var *) node, relation))
		return true;
	/* The input function of a domain checks it, by expressions of whoever made it. */
	if (IsA(node, CoerceViaIO) && get_typtype(exprType(node)) == TYPTYPE_DOMAIN)
		return true;
	if (check_functions_in_node(node, function_is_foreign, NULL))
		return true;
	return expression_tree_walker(node, foreign_walker, state);
}

bool
ml_may_evaluate(const Node *expression, Index relation)
{
	return !foreign_walker((Node *) expression, &relation);
}
