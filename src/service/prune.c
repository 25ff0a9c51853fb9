/*-------------------------------------------------------------------------
 * prune.c
 *	  Calls with a whole row become calls with the columns that the model reads.
 *
 * ml_predict('m', t) makes a row out of every column of t, fetches each large value out of
 * line, and takes the row apart again.  When the planner knows the model and the columns of t, the call becomes
 * mlplat._predict_planned('m', version, names, t.a, t.b): only these columns are fetched.  So, too, with ml_explain('m', t); and
 * ml_predict_json('m', to_jsonb(t)) becomes mlplat._predict_planned_json('m', version, jsonb_build_object('a', t.a, 'b', t.b)).
 *
 * The new call must answer what the old one would have, so the old one stays wherever that is not certain: where the row
 * itself can be NULL (outer joins, grouping sets), where an index is on the old expression, where columns are missing or have
 * other types (the run-time error is the right one), where there are too many columns for a
 * function.  What one planner run has decided about a model holds for all its calls, for it matches expressions with each other.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/sysattr.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_type.h"
#include "parser/parsetree.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "catalog/catalog.h"
#include "pg/compat.h"
#include "service/prune.h"
#include "service/rowmap.h"

/* A function that takes a row, and the one that takes columns. */
typedef struct RowFunction
{
	const char *name;
	MlKeyKind	kind;
	Oid			further;		/* type of an argument after the row, InvalidOid: there is none; it goes before the columns */
	const char *columns_name;	/* in schema mlplat */
	bool		json;			/* the row comes as to_jsonb(row), the columns go as jsonb_build_object(); what is further goes after that */
} RowFunction;

static const RowFunction row_functions[] = {
	{"ml_predict", ML_KEY_REFERENCE, InvalidOid, "_predict_planned"},
	{"ml_predict_class", ML_KEY_REFERENCE, InvalidOid, "_predict_planned_class"},
	{"ml_predict_proba", ML_KEY_REFERENCE, TEXTOID, "_predict_planned_proba"},
	{"ml_predict_probs", ML_KEY_REFERENCE, InvalidOid, "_predict_planned_probs"},
	{"ml_explain", ML_KEY_REFERENCE, INT4OID, "_explain_planned"},
	{"ml_predict_json", ML_KEY_REFERENCE, InvalidOid, "_predict_planned_json", true},
	{"ml_predict_class_json", ML_KEY_REFERENCE, InvalidOid, "_predict_planned_class_json", true},
	{"ml_predict_proba_json", ML_KEY_REFERENCE, TEXTOID, "_predict_planned_proba_json", true},
	{"ml_reduce", ML_KEY_REFERENCE, InvalidOid, "_reduce_planned"},
	{"_predict", ML_KEY_MODEL, InvalidOid, "_predict_planned_model"},
	{"_predict_class", ML_KEY_MODEL, InvalidOid, "_predict_planned_model_class"},
	{"_predict_proba", ML_KEY_MODEL, InvalidOid, "_predict_planned_model_proba"},
	{"_predict_version", ML_KEY_VERSION, InvalidOid, "_predict_version_columns"},
	{"_predict_version_class", ML_KEY_VERSION, InvalidOid, "_predict_version_columns_class"},
	{"_predict_version_proba", ML_KEY_VERSION, InvalidOid, "_predict_version_columns_proba"}
};

static const RowFunction *
find_row_function(Oid function)
{
	char	   *name = get_func_name(function);

	for (int i = 0; name != NULL && i < lengthof(row_functions); i++)
	{
		if (strcmp(row_functions[i].name, name) == 0)
			return &row_functions[i];
	}
	return NULL;
}

static const Const *
constant_argument(const FuncExpr *call, int n, Oid type)
{
	const Const *constant = list_length(call->args) > n ? list_nth(call->args, n) : NULL;

	if (constant == NULL || !IsA(constant, Const) || constant->constisnull || constant->consttype != type)
		return NULL;
	return constant;
}

bool
ml_call_key(const FuncExpr *call, MlModelKey *key)
{
	const Const *word = constant_argument(call, 0, TEXTOID);
	const Const *id = constant_argument(call, 0, INT8OID);

	key->id = 0;
	key->text = NULL;
	if (word != NULL)
	{
		key->kind = ML_KEY_REFERENCE;
		key->text = TextDatumGetCString(word->constvalue);
		return true;
	}
	if (id == NULL)
		return false;
	key->id = DatumGetInt64(id->constvalue);
	word = constant_argument(call, 1, TEXTOID);
	key->kind = word != NULL ? ML_KEY_MODEL : ML_KEY_VERSION;
	if (word != NULL)
		key->text = TextDatumGetCString(word->constvalue);
	return true;
}

/* ------------------------------------------------- one decision per planner run */

typedef struct Decision
{
	MlModelKey	key;
	bool		usable;
	MlServed	served;
} Decision;

/* What one planner run has decided; lives and pins its models as long as the run's memory. */
typedef struct PlannerRun
{
	PlannerGlobal *glob;
	MemoryContext context;
	List	   *decisions;
	MemoryContextCallback callback;
	struct PlannerRun *next;
} PlannerRun;

static PlannerRun *runs = NULL;

static void
end_run(void *arg)
{
	PlannerRun *run = arg;
	PlannerRun **link = &runs;
	ListCell   *cell;

	while (*link != run)
		link = &(*link)->next;
	*link = run->next;
	foreach(cell, run->decisions)
		ml_serve_release(&((Decision *) lfirst(cell))->served);
}

/* The run's memory is reset only after "glob" is gone, so its address is not taken for that of another run. */
static PlannerRun *
find_run(PlannerInfo *root)
{
	PlannerRun *run;

	for (run = runs; run != NULL; run = run->next)
	{
		if (run->glob == root->glob)
			return run;
	}
	run = MemoryContextAllocZero(root->planner_cxt, sizeof(PlannerRun));
	run->glob = root->glob;
	run->context = root->planner_cxt;
	run->next = runs;
	runs = run;
	run->callback.func = end_run;
	run->callback.arg = run;
	MemoryContextRegisterResetCallback(root->planner_cxt, &run->callback);
	return run;
}

static bool
same_key(const MlModelKey *a, const MlModelKey *b)
{
	return a->kind == b->kind && a->id == b->id &&
		(a->text == NULL ? b->text == NULL : b->text != NULL && strcmp(a->text, b->text) == 0);
}

static const Decision *
decide(PlannerInfo *root, const MlModelKey *key)
{
	PlannerRun *run = find_run(root);
	Decision   *decision;
	ListCell   *cell;
	MemoryContext old;

	foreach(cell, run->decisions)
	{
		decision = lfirst(cell);
		if (same_key(&decision->key, key))
			return decision;
	}
	old = MemoryContextSwitchTo(run->context);
	decision = palloc0(sizeof(Decision));
	decision->key = *key;
	if (key->text != NULL)
		decision->key.text = pstrdup(key->text);
	run->decisions = lappend(run->decisions, decision);
	decision->usable = ml_serve_quietly(&decision->key, &decision->served);
	MemoryContextSwitchTo(old);
	return decision;
}

/* ------------------------------------------------------------ rows and columns */

/* A row in an expression, column by column. */
typedef struct RowSource
{
	TupleDesc	columns;		/* as the executor would name them */
	Var		   *whole;			/* the row as a variable; or */
	RowExpr    *row;			/* as a list of expressions */
} RowSource;

/*
 * Whether a row of this relation can be NULL as a whole in the query: it is on the nullable side of an outer join, or not
 * in the FROM list at all.  Sets *found.
 */
static bool
may_be_null(Node *node, int varno, bool nullable, bool *found)
{
	ListCell   *cell;

	if (node == NULL || *found)
		return false;
	if (IsA(node, RangeTblRef))
	{
		*found = ((RangeTblRef *) node)->rtindex == varno;
		return *found && nullable;
	}
	if (IsA(node, JoinExpr))
	{
		JoinExpr   *join = (JoinExpr *) node;
		bool		left = join->jointype == JOIN_RIGHT || join->jointype == JOIN_FULL;
		bool		right = join->jointype == JOIN_LEFT || join->jointype == JOIN_FULL;

		return may_be_null(join->larg, varno, nullable || left, found) ||
			may_be_null(join->rarg, varno, nullable || right, found);
	}
	if (IsA(node, FromExpr))
	{
		foreach(cell, ((FromExpr *) node)->fromlist)
		{
			if (may_be_null(lfirst(cell), varno, nullable, found))
				return true;
		}
	}
	return false;
}

static void
put_column(TupleDesc columns, int number, const char *name, Oid type)
{
	TupleDescInitEntry(columns, number, name, type, -1, 0);
}

/* The columns of a subselect, with the names of its alias. */
static TupleDesc
columns_of_subselect(const RangeTblEntry *entry)
{
	TupleDesc	columns;
	ListCell   *cell;
	int			count = 0;

	foreach(cell, entry->subquery->targetList)
	{
		const TargetEntry *target = lfirst(cell);

		if (!target->resjunk && target->resno != ++count)
			return NULL;
	}
	if (count != list_length(entry->eref->colnames))
		return NULL;
	columns = CreateTemplateTupleDesc(count);
	foreach(cell, entry->subquery->targetList)
	{
		const TargetEntry *target = lfirst(cell);

		if (!target->resjunk)
			put_column(columns, target->resno, strVal(list_nth(entry->eref->colnames, target->resno - 1)),
					   exprType((Node *) target->expr));
	}
	return columns;
}

/* A named row type; what it holds must be what the relation gives. */
static TupleDesc
columns_of_type(Oid type)
{
	TupleDesc	found = lookup_rowtype_tupdesc_noerror(type, -1, true);
	TupleDesc	columns;

	if (found == NULL)
		return NULL;
	columns = CreateTupleDescCopy(found);
	ReleaseTupleDesc(found);
	return columns;
}

static bool
same_columns(TupleDesc named, TupleDesc given)
{
	if (named == NULL || given == NULL || named->natts != given->natts)
		return false;
	for (int i = 0; i < named->natts; i++)
	{
		if (TupleDescAttr(named, i)->attisdropped || TupleDescAttr(named, i)->atttypid != TupleDescAttr(given, i)->atttypid)
			return false;
	}
	return true;
}

static bool
is_stored_relation(const RangeTblEntry *entry)
{
	return entry->relkind == RELKIND_RELATION || entry->relkind == RELKIND_PARTITIONED_TABLE ||
		entry->relkind == RELKIND_MATVIEW || entry->relkind == RELKIND_FOREIGN_TABLE;
}

static TupleDesc
columns_of_entry(const RangeTblEntry *entry, Oid row_type)
{
	if (entry->rtekind == RTE_RELATION)
	{
		if (!is_stored_relation(entry) || typeidTypeRelid(row_type) != entry->relid)
			return NULL;
		return columns_of_type(row_type);
	}
	if (entry->rtekind == RTE_SUBQUERY && entry->subquery != NULL)
	{
		TupleDesc	given = columns_of_subselect(entry);
		TupleDesc	named;

		if (row_type == RECORDOID)
			return given;
		/* A view: the names are those of its row type, whatever the alias calls them. */
		named = columns_of_type(row_type);
		return same_columns(named, given) ? named : NULL;
	}
	return NULL;
}

/* Whether an index is on an expression with the whole row, which a changed call would not match any more. */
static bool
has_row_index(Oid relation_id)
{
	Relation	relation = relation_open(relation_id, NoLock);
	List	   *indexes = RelationGetIndexList(relation);
	Bitmapset  *used = NULL;
	ListCell   *cell;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		pull_varattnos((Node *) RelationGetIndexExpressions(index), 1, &used);
		pull_varattnos((Node *) RelationGetIndexPredicate(index), 1, &used);
		index_close(index, NoLock);
	}
	relation_close(relation, NoLock);
	return bms_is_member(InvalidAttrNumber - FirstLowInvalidHeapAttributeNumber, used);
}

static bool
open_whole_row(PlannerInfo *root, Var *var, const RowFunction *function, RowSource *source)
{
	RangeTblEntry *entry;
	bool		found = false;

	for (Index level = var->varlevelsup; level > 0; level--)
	{
		root = root->parent_root;
		if (root == NULL || root->parse->groupingSets != NIL)
			return false;
	}
	/*
	 * A query that has begun to plan its relations has settled what its LATERAL subqueries get from each other: the row, not its
	 * columns.  (Of subqueries in expressions it has not.)
	 */
	if (var->varlevelsup > 0 && root->simple_rel_array != NULL)
		return false;
	if (var->varno < 1 || var->varno > list_length(root->parse->rtable) ||
		may_be_null((Node *) root->parse->jointree, var->varno, false, &found) || !found)
		return false;
	entry = rt_fetch(var->varno, root->parse->rtable);
	source->columns = columns_of_entry(entry, var->vartype);
	if (source->columns == NULL)
		return false;
	source->whole = var;
	return function->kind != ML_KEY_VERSION || entry->rtekind != RTE_RELATION || !has_row_index(entry->relid);
}

static bool
open_row_expression(RowExpr *row, RowSource *source)
{
	ListCell   *cell;
	int			number = 0;

	if (expression_returns_set((Node *) row))
		return false;
	if (row->row_typeid == RECORDOID)
	{
		if (list_length(row->colnames) != list_length(row->args))
			return false;
		source->columns = CreateTemplateTupleDesc(list_length(row->args));
		foreach(cell, row->args)
		{
			put_column(source->columns, number + 1, strVal(list_nth(row->colnames, number)), exprType(lfirst(cell)));
			number++;
		}
	}
	else
	{
		source->columns = columns_of_type(row->row_typeid);
		if (source->columns == NULL || source->columns->natts != list_length(row->args))
			return false;
	}
	source->row = row;
	return true;
}

static Node *
column_of(const RowSource *source, int position)
{
	const FormData_pg_attribute *column = TupleDescAttr(source->columns, position);
	Node	   *subexpression;

	if (source->whole == NULL)
	{
		subexpression = list_nth(source->row->args, position);
		return exprType(subexpression) == column->atttypid ? copyObject(subexpression) : NULL;
	}
	return (Node *) makeVar(source->whole->varno, position + 1, column->atttypid, column->atttypmod,
							column->attcollation, source->whole->varlevelsup);
}

/* Typmod and collation of a subselect's columns are those of its expressions. */
static void
complete_columns(PlannerInfo *root, RowSource *source)
{
	const RangeTblEntry *entry;
	ListCell   *cell;

	if (source->whole == NULL)
		return;
	for (Index level = source->whole->varlevelsup; level > 0; level--)
		root = root->parent_root;
	entry = rt_fetch(source->whole->varno, root->parse->rtable);
	if (entry->rtekind != RTE_SUBQUERY)
		return;
	foreach(cell, entry->subquery->targetList)
	{
		const TargetEntry *target = lfirst(cell);

		if (target->resjunk)
			continue;
		TupleDescAttr(source->columns, target->resno - 1)->atttypmod = exprTypmod((Node *) target->expr);
		TupleDescAttr(source->columns, target->resno - 1)->attcollation = exprCollation((Node *) target->expr);
	}
}

/* What is left out of a row must not have been wanted for what it does. */
static bool
omits_side_effects(const RowSource *source, const int *positions, int count)
{
	Bitmapset  *kept = NULL;
	ListCell   *cell;
	bool		omits = false;

	if (source->row == NULL)
		return false;
	for (int i = 0; i < count; i++)
	{
		/* Nor may what is kept be wanted twice. */
		if (bms_is_member(positions[i], kept))
			return true;
		kept = bms_add_member(kept, positions[i]);
	}
	foreach(cell, source->row->args)
	{
		if (!bms_is_member(foreach_current_index(cell), kept) && contain_volatile_functions(lfirst(cell)))
			omits = true;
	}
	bms_free(kept);
	return omits;
}

/* ------------------------------------------------------------------- the call */

static Oid
find_columns_function(const RowFunction *function)
{
	Oid			types[5];
	int			count = 0;

	types[count++] = function->kind == ML_KEY_REFERENCE ? TEXTOID : INT8OID;
	if (function->kind == ML_KEY_MODEL)
		types[count++] = TEXTOID;
	if (function->kind != ML_KEY_VERSION)
		types[count++] = INT8OID;
	if (function->json)
		types[count++] = JSONBOID;
	else if (function->kind != ML_KEY_VERSION)
		types[count++] = TEXTARRAYOID;
	if (OidIsValid(function->further))
		types[count++] = function->further;
	if (!function->json)
		types[count++] = ANYOID;
	return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(function->columns_name),
						   PointerGetDatum(buildoidvector(types, count)), ObjectIdGetDatum(ml_catalog_schema()));
}

static Const *
names_constant(List *columns)
{
	Datum	   *names = palloc(sizeof(Datum) * list_length(columns));
	int			count = 0;
	ListCell   *cell;

	foreach(cell, columns)
		names[count++] = CStringGetTextDatum(lfirst(cell));
	return makeConst(TEXTARRAYOID, -1, DEFAULT_COLLATION_OID, -1,
					 PointerGetDatum(construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT)), false, false);
}

/* The arguments before the columns, but for what is further. */
static List *
leading_arguments(const FuncExpr *call, const RowFunction *function, const MlServed *served, List *columns)
{
	List	   *arguments = list_make1(copyObject(linitial(call->args)));

	if (function->kind == ML_KEY_MODEL)
		arguments = lappend(arguments, copyObject(lsecond(call->args)));
	if (function->kind != ML_KEY_VERSION)
		arguments = lappend(arguments, makeConst(INT8OID, -1, InvalidOid, sizeof(int64),
												 Int64GetDatum(served->resolved.version_id), false, FLOAT8PASSBYVAL));
	if (function->kind != ML_KEY_VERSION && !function->json)
		arguments = lappend(arguments, names_constant(columns));
	return arguments;
}

/* The very object that to_jsonb() would have made of the row, but for the keys that nobody asks for. */
static FuncExpr *
make_object(const List *names, const List *columns)
{
	List	   *arguments = NIL;
	ListCell   *name;
	ListCell   *column;

	forboth(name, names, column, columns)
	{
		arguments = lappend(arguments, makeConst(TEXTOID, -1, DEFAULT_COLLATION_OID, -1,
												 CStringGetTextDatum(lfirst(name)), false, false));
		arguments = lappend(arguments, lfirst(column));
	}
	return makeFuncExpr(F_JSONB_BUILD_OBJECT_ANY, JSONBOID, arguments, InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL);
}

static List *
column_arguments(PlannerInfo *root, const MlServed *served, RowSource *source, int count)
{
	int		   *positions = palloc(sizeof(int) * count);
	List	   *columns = NIL;

	if (!ml_rowmap_match(served, source->columns, positions) || omits_side_effects(source, positions, count))
		return NIL;
	complete_columns(root, source);
	for (int i = 0; i < count; i++)
	{
		Node	   *column = column_of(source, positions[i]);

		if (column == NULL)
			return NIL;
		columns = lappend(columns, column);
	}
	return columns;
}

static Node *
build_call(PlannerInfo *root, const FuncExpr *call, const RowFunction *function, const MlServed *served, RowSource *source)
{
	List	   *names = ml_served_columns(served);
	List	   *arguments = leading_arguments(call, function, served, names);
	Oid			columns_function = find_columns_function(function);
	int			most = function->json ? FUNC_MAX_ARGS / 2 : FUNC_MAX_ARGS - list_length(arguments) - 1;
	FuncExpr   *result;
	List	   *columns;

	if (names == NIL || list_length(names) > most || !OidIsValid(columns_function) || !ML_MAY_EXECUTE(columns_function) ||
		(function->json && !ML_MAY_EXECUTE(F_JSONB_BUILD_OBJECT_ANY)))
		return NULL;
	columns = column_arguments(root, served, source, list_length(names));
	if (columns == NIL)
		return NULL;
	if (function->json)
		columns = list_make1(make_object(names, columns));
	if (OidIsValid(function->further))
		columns = function->json ? lappend(columns, copyObject(llast(call->args))) : lcons(copyObject(llast(call->args)), columns);
	result = makeFuncExpr(columns_function, call->funcresulttype, list_concat(arguments, columns),
						  call->funccollid, call->inputcollid, COERCE_EXPLICIT_CALL);
	result->funcretset = call->funcretset;
	result->location = call->location;
	return (Node *) result;
}

/* What to_jsonb() is called with, NULL for anything else. */
static Node *
row_of_json(const Node *value)
{
	const FuncExpr *call = (const FuncExpr *) value;

	if (!IsA(call, FuncExpr) || call->funcid != F_TO_JSONB || !ML_MAY_EXECUTE(call->funcid))
		return NULL;
	return linitial(call->args);
}

/* The row argument of a call, if it is one whose columns can be told. */
static bool
open_row(PlannerInfo *root, const FuncExpr *call, const RowFunction *function, RowSource *source)
{
	int			number = function->kind == ML_KEY_MODEL ? 2 : 1;
	Node	   *row;

	if (list_length(call->args) != number + 1 + (OidIsValid(function->further) ? 1 : 0))
		return false;
	row = list_nth(call->args, number);
	if (function->json)
		row = row_of_json(row);
	if (row == NULL)
		return false;
	memset(source, 0, sizeof(RowSource));
	if (IsA(row, Var) && ((Var *) row)->varattno == InvalidAttrNumber)
		return open_whole_row(root, (Var *) row, function, source);
	/* Only the calls that follow a deploy: an index on a pinned one may be what an expression is to match. */
	return IsA(row, RowExpr) && function->kind != ML_KEY_VERSION && open_row_expression((RowExpr *) row, source);
}

const MlServed *
ml_planned_model(PlannerInfo *root, const MlModelKey *key)
{
	const Decision *decision;

	/* A deploy may make a call that stays one that does not, as well. */
	root->glob->relationOids = list_append_unique_oid(root->glob->relationOids, ml_resolve_relation());
	decision = decide(root, key);
	return decision->usable ? &decision->served : NULL;
}

Node *
ml_prune_call(PlannerInfo *root, const FuncExpr *call)
{
	const RowFunction *function;
	const MlServed *served;
	RowSource	source;
	MlModelKey	key;

	if (root == NULL || root->glob == NULL || root->parse->groupingSets != NIL)
		return NULL;
	function = find_row_function(call->funcid);
	if (function == NULL || !ML_MAY_EXECUTE(call->funcid) || !ml_call_key(call, &key) || key.kind != function->kind ||
		!open_row(root, call, function, &source))
		return NULL;
	served = ml_planned_model(root, &key);
	if (served == NULL)
		return NULL;
	return build_call(root, call, function, served, &source);
}
