/*-------------------------------------------------------------------------
 * batch_plan.c
 *	  ml_predict_batch() in FROM as a part of the query around it.
 *
 * As a function it would compute all rows, store them, and hand them on, in one process.  When the planner
 * simplifies the call and all its arguments are constants, the function's place in FROM is taken by
 *
 *	  SELECT s.id, _batch_prediction(model, version, ROW(s.a, s.b)) AS prediction, _batch_label(...), ...
 *	  FROM (SELECT source.a, source.b, source.id::text AS id FROM <source> AS source) AS s
 *
 * and is planned with the rest: scans in parallel workers, aggregates below the Gather, nothing stored.
 * The inner query has a security barrier, so that the rows to predict always come out of a
 * relation of their own; _batch_...() are volatile, so that they stay together and are not evaluated elsewhere.  Where the planner
 * would then compute them one by one, a node that predicts blocks of rows is put instead (batch_scan.c).
 *
 * The function stays where the plan could not answer the same, or where its error at run time is the right one: a
 * model that the planner cannot tell (see ml_serve_quietly()), missing columns, volatile or unsafe functions in the source.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/planner.h"
#include "optimizer/tlist.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "catalog/catalog.h"
#include "pg/compat.h"
#include "pg/source.h"
#include "service/batch_plan.h"
#include "service/prune.h"
#include "service/rowmap.h"

/* The functions that stand for the columns of the result, by MlBatchColumn. */
static const char *const column_functions[] = {NULL, "_batch_prediction", "_batch_label", "_batch_probability", "_batch_version"};

#define N_RESULT_COLUMNS 5

/* What a row costs beside the model itself and the scan: conversion, its share of a block, the result. */
#define ROW_NANOSECONDS 100.0

/* In blocks the trees of a model are gone through faster than row by row. */
#define BLOCK_SHARE 0.5

/* Their oids in this database, found anew for each call. */
static Oid	function_oids[lengthof(column_functions)];

/* Before the first one the hook has nothing to look for. */
static bool replaced_any = false;

static create_upper_paths_hook_type previous_hook = NULL;

/* ----------------------------------------------------------------- the call */

typedef struct BatchCall
{
	const Const *model;
	const char *source;
	const char *id;				/* NULL: none */
} BatchCall;

static bool
find_functions(void)
{
	Oid			types[3] = {TEXTOID, INT8OID, RECORDOID};

	for (int i = 1; i < lengthof(column_functions); i++)
	{
		function_oids[i] = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(column_functions[i]),
										   PointerGetDatum(buildoidvector(types, lengthof(types))),
										   ObjectIdGetDatum(ml_catalog_schema()));
		if (!OidIsValid(function_oids[i]) || !ML_MAY_EXECUTE(function_oids[i]))
			return false;
	}
	return true;
}

static bool
read_call(const FuncExpr *call, BatchCall *batch)
{
	const Const *argument[3];

	if (list_length(call->args) != lengthof(argument))
		return false;
	for (int i = 0; i < lengthof(argument); i++)
	{
		argument[i] = list_nth(call->args, i);
		if (!IsA(argument[i], Const) || argument[i]->consttype != TEXTOID || (argument[i]->constisnull && i < 2))
			return false;
	}
	batch->model = argument[0];
	batch->source = TextDatumGetCString(argument[1]->constvalue);
	batch->id = argument[2]->constisnull ? NULL : TextDatumGetCString(argument[2]->constvalue);
	return true;
}

/* Whether a call as it stands in FROM has these arguments, which the planner has simplified. */
static bool
same_arguments(PlannerInfo *root, const FuncExpr *written, const List *simplified)
{
	Node	   *argument[3] = {NULL, NULL, NULL};
	ListCell   *cell;

	foreach(cell, written->args)
	{
		Node	   *node = lfirst(cell);
		int			number = IsA(node, NamedArgExpr) ? ((NamedArgExpr *) node)->argnumber : foreach_current_index(cell);

		if (number < 0 || number >= lengthof(argument))
			return false;
		argument[number] = IsA(node, NamedArgExpr) ? (Node *) ((NamedArgExpr *) node)->arg : node;
	}
	for (int i = 0; i < lengthof(argument); i++)
	{
		const Node *given = list_nth(simplified, i);

		/* Only the id has a default: NULL. */
		if (argument[i] == NULL ? !((const Const *) given)->constisnull
			: !equal(eval_const_expressions(root, copyObject(argument[i])), given))
			return false;
	}
	return true;
}

/* Where the call stands in FROM; NULL when it stands elsewhere, or cannot be replaced any more. */
static ListCell *
find_entry(PlannerInfo *root, const FuncExpr *call)
{
	ListCell   *cell;

	/* Once the planner has arrays of its relations it is too late. */
	if (root->simple_rte_array != NULL)
		return NULL;
	foreach(cell, root->parse->rtable)
	{
		const RangeTblEntry *entry = lfirst(cell);
		const RangeTblFunction *function;

		if (entry->rtekind != RTE_FUNCTION || entry->funcordinality || entry->lateral || list_length(entry->functions) != 1)
			continue;
		function = linitial(entry->functions);
		if (function->funccolcount == N_RESULT_COLUMNS && IsA(function->funcexpr, FuncExpr) &&
			((const FuncExpr *) function->funcexpr)->funcid == call->funcid &&
			same_arguments(root, (const FuncExpr *) function->funcexpr, call->args))
			return cell;
	}
	return NULL;
}

/* ----------------------------------------------------------- the rows to predict */

static int
find_column(const MlSource *source, const char *name)
{
	for (int i = 0; i < source->columns->natts; i++)
	{
		if (strcmp(NameStr(TupleDescAttr(source->columns, i)->attname), name) == 0)
			return i;
	}
	return -1;
}

/* As the function gives it: what the type's output function writes. */
static Expr *
as_text(Expr *value)
{
	CoerceViaIO *text;

	if (exprType((Node *) value) == TEXTOID)
		return value;
	text = makeNode(CoerceViaIO);
	text->arg = value;
	text->resulttype = TEXTOID;
	text->resultcollid = DEFAULT_COLLATION_OID;
	text->coerceformat = COERCE_EXPLICIT_CAST;
	text->location = -1;
	return (Expr *) text;
}

/* SELECT <columns of the model>, <id as text> FROM source; NULL where a plan is not the same as the function. */
static Query *
make_input(const BatchCall *batch, const MlServed *served)
{
	MlSource   *source = ml_source_open(batch->source);
	int			n_columns = list_length(ml_served_columns(served));
	int		   *positions = palloc(sizeof(int) * Max(n_columns, 1));
	bool	   *needed = palloc0(sizeof(bool) * source->columns->natts);
	Expr	  **value = palloc0(sizeof(Expr *) * source->columns->natts);
	int			id = batch->id != NULL ? find_column(source, batch->id) : -1;
	List	   *targets = NIL;
	ListCell   *cell;
	Query	   *query;
	int			next = 0;

	if (n_columns == 0 || n_columns >= MaxTupleAttributeNumber || (batch->id != NULL && id < 0) || !ml_rowmap_match(served, source->columns, positions))
		return NULL;
	for (int i = 0; i < n_columns; i++)
		needed[positions[i]] = true;
	if (id >= 0)
		needed[id] = true;
	query = ml_source_query(source, needed, false);
	if (contain_volatile_functions((Node *) query) || max_parallel_hazard(query) == PROPARALLEL_UNSAFE)
		return NULL;
	foreach(cell, query->targetList)
	{
		TargetEntry *target = lfirst(cell);

		if (target->resjunk)
			return NULL;
		while (!needed[next])
			next++;
		value[next++] = target->expr;
	}
	for (int i = 0; i < n_columns; i++)
		targets = lappend(targets, makeTargetEntry(copyObject(value[positions[i]]), i + 1,
												   pstrdup(NameStr(TupleDescAttr(source->columns, positions[i])->attname)), false));
	if (id >= 0)
		targets = lappend(targets, makeTargetEntry(as_text(copyObject(value[id])), n_columns + 1, pstrdup(batch->id), false));
	query->targetList = targets;
	return query;
}

static RangeTblEntry *
make_entry(Query *query, const char *name)
{
	RangeTblEntry *entry = makeNode(RangeTblEntry);
	List	   *names = NIL;
	ListCell   *cell;

	foreach(cell, query->targetList)
		names = lappend(names, makeString(((TargetEntry *) lfirst(cell))->resname));
	entry->rtekind = RTE_SUBQUERY;
	entry->subquery = query;
	entry->security_barrier = true;
	entry->alias = makeAlias(name, NIL);
	entry->eref = makeAlias(name, names);
	entry->inFromCl = true;
	return entry;
}

/* ------------------------------------------------------------- the predictions */

/* ROW(s.a, s.b, ...) of the columns that the model reads. */
static RowExpr *
make_row(const Query *input, int n_columns)
{
	RowExpr    *row = makeNode(RowExpr);

	for (int i = 0; i < n_columns; i++)
	{
		const TargetEntry *target = list_nth(input->targetList, i);

		row->args = lappend(row->args, makeVarFromTargetEntry(1, unconstify(TargetEntry *, target)));
		row->colnames = lappend(row->colnames, makeString(target->resname));
	}
	row->row_typeid = RECORDOID;
	row->row_format = COERCE_EXPLICIT_CALL;
	row->location = -1;
	return row;
}

static Expr *
make_column(MlBatchColumn column, const BatchCall *batch, int64 version_id, const RowExpr *row)
{
	static const Oid types[] = {InvalidOid, FLOAT8OID, TEXTOID, FLOAT8OID, INT4OID};
	Const	   *version = makeConst(INT8OID, -1, InvalidOid, sizeof(int64), Int64GetDatum(version_id), false, FLOAT8PASSBYVAL);
	List	   *arguments = list_make3(copyObject(unconstify(Const *, batch->model)), version, copyObject(unconstify(RowExpr *, row)));

	return (Expr *) makeFuncExpr(function_oids[column], types[column], arguments,
								 types[column] == TEXTOID ? DEFAULT_COLLATION_OID : InvalidOid, DEFAULT_COLLATION_OID, COERCE_EXPLICIT_CALL);
}

static Query *
make_query(Query *input, const BatchCall *batch, const MlServed *served)
{
	static const char *const names[] = {"id", "prediction", "label", "probability", "version"};
	int			n_columns = list_length(ml_served_columns(served));
	RowExpr    *row = make_row(input, n_columns);
	Query	   *query = makeNode(Query);
	RangeTblRef *from = makeNode(RangeTblRef);
	Expr	   *id;

	if (batch->id != NULL)
		id = (Expr *) makeVarFromTargetEntry(1, llast(input->targetList));
	else
		id = (Expr *) makeNullConst(TEXTOID, -1, DEFAULT_COLLATION_OID);
	query->commandType = CMD_SELECT;
	query->querySource = QSRC_ORIGINAL;
	query->canSetTag = true;
	query->rtable = list_make1(make_entry(input, "s"));
	from->rtindex = 1;
	query->jointree = makeFromExpr(list_make1(from), NULL);
	for (int i = 0; i < N_RESULT_COLUMNS; i++)
	{
		Expr	   *value = i == 0 ? id : make_column((MlBatchColumn) i, batch, served->resolved.version_id, row);

		query->targetList = lappend(query->targetList, makeTargetEntry(value, i + 1, pstrdup(names[i]), false));
	}
	return query;
}

static bool
replace_call(PlannerInfo *root, const FuncExpr *call)
{
	ListCell   *cell;
	BatchCall	batch;
	MlModelKey	key = {ML_KEY_REFERENCE, 0, NULL};
	const MlServed *served;
	RangeTblEntry *old;
	RangeTblEntry *new;
	Query	   *input;

	if (!ML_MAY_EXECUTE(call->funcid) || !read_call(call, &batch) || (cell = find_entry(root, call)) == NULL || !find_functions())
		return false;
	key.text = TextDatumGetCString(batch.model->constvalue);
	served = ml_planned_model(root, &key);
	if (served == NULL)
		return false;
	input = make_input(&batch, served);
	if (input == NULL)
		return false;
	root->glob->dependsOnRole |= input->hasRowSecurity;

	/* Another entry in its place: the planner is at work on the one that is there. */
	old = lfirst(cell);
	new = make_entry(make_query(input, &batch, served), "ml_predict_batch");
	new->security_barrier = false;
	new->alias = copyObject(old->alias);
	new->eref = copyObject(old->eref);
	new->inFromCl = old->inFromCl;
	lfirst(cell) = new;
	replaced_any = true;
	return true;
}

void
ml_batch_plan(PlannerInfo *root, const FuncExpr *call)
{
	if (root == NULL || root->glob == NULL || replace_call(root, call))
		return;

	/* What the planner was not told when it looked for what is unsafe: see the function's PARALLEL RESTRICTED. */
	root->glob->maxParallelHazard = PROPARALLEL_UNSAFE;
	root->glob->parallelModeOK = false;
}

PlannedStmt *
ml_batch_statement(const MlServed *served, const char *reference, const char *source, const char *id)
{
	BatchCall	batch = {NULL, source, id};
	Query	   *input;
	Query	   *query;
	RangeTblRef *from;
	RangeTblEntry *entry;
	ListCell   *cell;

	if (!find_functions())
		return NULL;
	batch.model = makeConst(TEXTOID, -1, DEFAULT_COLLATION_OID, -1, CStringGetTextDatum(reference), false, false);
	input = make_input(&batch, served);
	if (input == NULL)
		return NULL;
	entry = make_entry(make_query(input, &batch, served), "ml_predict_batch");
	entry->security_barrier = false;
	query = makeNode(Query);
	query->commandType = CMD_SELECT;
	query->querySource = QSRC_ORIGINAL;
	query->canSetTag = true;
	query->rtable = list_make1(entry);
	from = makeNode(RangeTblRef);
	from->rtindex = 1;
	query->jointree = makeFromExpr(list_make1(from), NULL);
	foreach(cell, entry->subquery->targetList)
	{
		TargetEntry *target = lfirst(cell);

		query->targetList = lappend(query->targetList, makeTargetEntry((Expr *) makeVarFromTargetEntry(1, target), target->resno,
																	   pstrdup(target->resname), false));
	}
	replaced_any = true;
	return pg_plan_query(query, source, IsInParallelMode() ? 0 : CURSOR_OPT_PARALLEL_OK, NULL);
}

/* -------------------------------------------------------------------- the node */

static MlBatchColumn
column_kind(const Node *value)
{
	if (value != NULL && IsA(value, FuncExpr))
	{
		for (int i = 1; i < lengthof(function_oids); i++)
		{
			if (((const FuncExpr *) value)->funcid == function_oids[i])
				return (MlBatchColumn) i;
		}
	}
	return ML_BATCH_INPUT;
}

/* As make_column() makes them; people can write calls of these functions as well. */
static bool
well_formed(const FuncExpr *call)
{
	const Const *model = linitial(call->args);
	const Const *version = lsecond(call->args);

	return IsA(model, Const) && !model->constisnull && IsA(version, Const) && !version->constisnull && IsA(lthird(call->args), RowExpr);
}

/* One of the calls for the columns of the result, which all are for the same model and row; NULL where there is none. */
static const FuncExpr *
find_batch_call(const List *values)
{
	const FuncExpr *found = NULL;
	ListCell   *cell;

	foreach(cell, values)
	{
		const FuncExpr *call = lfirst(cell);

		if (column_kind((const Node *) call) == ML_BATCH_INPUT)
			continue;
		if (!well_formed(call) || (found != NULL && !equal(found->args, call->args)))
			return NULL;
		found = call;
	}
	return found;
}

static double
nanoseconds_to_cost(double nanoseconds)
{
	return nanoseconds / 2.5 * cpu_operator_cost;
}

static Plan *
plan_batch(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *targets, List *clauses, List *plans)
{
	CustomScan *scan = makeNode(CustomScan);
	const Plan *below = linitial(plans);
	const FuncExpr *call = NULL;
	const RowExpr *row;
	List	   *kinds = NIL;
	List	   *places = NIL;
	ListCell   *cell;

	foreach(cell, targets)
	{
		Node	   *value = (Node *) ((TargetEntry *) lfirst(cell))->expr;
		MlBatchColumn kind = column_kind(value);
		TargetEntry *input = kind == ML_BATCH_INPUT ? tlist_member((Expr *) value, below->targetlist) : NULL;

		if (kind != ML_BATCH_INPUT)
			call = (const FuncExpr *) value;
		else if (input == NULL)
			elog(ERROR, "column of a batch prediction not found in what is predicted");
		kinds = lappend_int(kinds, kind);
		places = lappend_int(places, input != NULL ? input->resno - 1 : -1);
	}
	Assert(call != NULL);
	row = lthird_node(RowExpr, call->args);
	scan->scan.plan.targetlist = targets;
	scan->flags = path->flags;
	scan->custom_plans = plans;
	scan->custom_scan_tlist = copyObject(targets);
	scan->custom_private = ML_BATCH_PRIVATE(copyObject(linitial(call->args)), copyObject(lsecond(call->args)),
											copyObject(row->colnames), kinds, places);
	scan->methods = &ml_batch_scan_methods;
	return (Plan *) scan;
}

static const CustomPathMethods batch_path_methods = {.CustomName = "MlBatch", .PlanCustomPath = plan_batch};

/* The columns to predict from first, then what is handed through. */
static PathTarget *
input_target(PlannerInfo *root, const PathTarget *result, const FuncExpr *call)
{
	PathTarget *target = create_empty_pathtarget();
	ListCell   *cell;

	foreach(cell, lthird_node(RowExpr, call->args)->args)
		add_column_to_pathtarget(target, lfirst(cell), 0);
	foreach(cell, result->exprs)
	{
		if (column_kind(lfirst(cell)) == ML_BATCH_INPUT)
			add_column_to_pathtarget(target, lfirst(cell), 0);
	}
	return set_pathtarget_cost_width(root, target);
}

/* The node over the rows of a path, whose projection it takes over. */
static Path *
batch_path(PlannerInfo *root, RelOptInfo *rel, const ProjectionPath *projection, const FuncExpr *call, double nanoseconds)
{
	Path	   *rows = projection->subpath;
	CustomPath *path = makeNode(CustomPath);
	Path	   *input = (Path *) create_projection_path(root, rows->parent, rows, input_target(root, projection->path.pathtarget, call));

	path->path.pathtype = T_CustomScan;
	path->path.parent = rel;
	path->path.pathtarget = projection->path.pathtarget;
	path->path.parallel_safe = projection->path.parallel_safe;
	path->path.parallel_workers = rows->parallel_workers;
	path->path.rows = rows->rows;
	path->path.pathkeys = rows->pathkeys;
	path->path.startup_cost = input->startup_cost;
	path->path.total_cost = input->total_cost + rows->rows * nanoseconds_to_cost(nanoseconds);
	path->flags = ML_CUSTOM_PROJECTS;
	path->custom_paths = list_make1(input);
	path->methods = &batch_path_methods;
	return (Path *) path;
}

static double
row_nanoseconds(const FuncExpr *call)
{
	MlModelKey	key = {ML_KEY_REFERENCE, 0, TextDatumGetCString(((Const *) linitial(call->args))->constvalue)};
	double		nanoseconds;

	if (!ml_serve_cost(&key, &nanoseconds))
		nanoseconds = 0;
	return ROW_NANOSECONDS + BLOCK_SHARE * nanoseconds;
}

/* Paths of the whole query that compute the calls in a projection get the node instead; all others go. */
static void
put_node(PlannerInfo *root, RelOptInfo *input, RelOptInfo *final, const FuncExpr *call)
{
	double		nanoseconds = row_nanoseconds(call);
	List	   *paths = NIL;
	ListCell   *cell;

	foreach(cell, input->pathlist)
	{
		if (IsA(lfirst(cell), ProjectionPath))
			paths = lappend(paths, batch_path(root, final, lfirst(cell), call, nanoseconds));
	}
	if (paths == NIL)
		return;
	final->pathlist = NIL;
	final->partial_pathlist = NIL;
	foreach(cell, paths)
		add_path(final, lfirst(cell));
	if (!final->consider_parallel)
		return;
	foreach(cell, input->partial_pathlist)
	{
		if (IsA(lfirst(cell), ProjectionPath))
			add_partial_path(final, batch_path(root, final, lfirst(cell), call, nanoseconds));
	}
}

/* Somebody may call the function by its name: only what make_column() writes has this form. */
static bool
is_planned(const FuncExpr *call)
{
	return list_length(call->args) == 3 && IsA(linitial(call->args), Const) && IsA(lsecond(call->args), Const) &&
		IsA(lthird(call->args), RowExpr) && !linitial_node(Const, call->args)->constisnull && !lsecond_node(Const, call->args)->constisnull;
}

/* What make_query() makes: a plain selection, of which nothing happens behind its projection. */
static bool
is_plain(const Query *query)
{
	return query->commandType == CMD_SELECT && list_length(query->rtable) == 1 && query->limitCount == NULL && query->limitOffset == NULL &&
		query->rowMarks == NIL;
}

static void
consider_node(PlannerInfo *root, UpperRelationKind stage, RelOptInfo *input, RelOptInfo *output, void *extra)
{
	const FuncExpr *call;

	if (previous_hook != NULL)
		previous_hook(root, stage, input, output, extra);
	if (stage != UPPERREL_FINAL || !replaced_any || root->parent_root == NULL || !is_plain(root->parse))
		return;
	call = find_batch_call(root->upper_targets[UPPERREL_FINAL]->exprs);
	if (call != NULL && is_planned(call))
		put_node(root, input, output, call);
}

void
ml_batch_plan_init(void)
{
	RegisterCustomScanMethods(&ml_batch_scan_methods);
	previous_hook = create_upper_paths_hook;
	create_upper_paths_hook = consider_node;
}
