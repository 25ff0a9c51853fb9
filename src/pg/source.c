/*-------------------------------------------------------------------------
 * source.c
 *	  What "source" means: a relation by name, or the text of a query.
 *
 * The user's text is parsed, never pasted.  A query becomes a subselect of a
 * raw parse tree of ours, a relation a RangeVar in one; parse analysis then
 * checks names and rights as it does for any SELECT.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "commands/dbcommands.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "parser/analyze.h"
#include "parser/parser.h"
#include "pg/compat.h"
#include "pg/names.h"
#include "pg/source.h"
#include "rewrite/rewriteHandler.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/varlena.h"

/* The name under which the source stands in the FROM clause we make. */
#define SOURCE_ALIAS "source"

/* Bytes of a source text in a message. */
#define MAX_SHOWN 300

/*
 * Positions in errors point into the source text, not into the statement that
 * the client sent: show them as PL functions do.
 */
static void
source_error_position(void *arg)
{
	int			position = geterrposition();

	if (position > 0)
	{
		errposition(0);
		internalerrposition(position);
		internalerrquery((const char *) arg);
	}
}

static void
push_error_position(ErrorContextCallback *callback, const char *text)
{
	callback->callback = source_error_position;
	callback->arg = (void *) text;
	callback->previous = error_context_stack;
	error_context_stack = callback;
}

static void
pop_error_position(ErrorContextCallback *callback)
{
	error_context_stack = callback->previous;
}

/* A text for a message: it may be a query of any length. */
static const char *
shown(const char *text)
{
	int			length = strlen(text);

	if (length <= MAX_SHOWN)
		return text;
	return psprintf("%.*s...", pg_mbcliplen(text, length, MAX_SHOWN), text);
}

/* Words with which a query begins, and no usual name of a table. */
static bool
looks_like_query(const char *text)
{
	static const char *const words[] = {"select", "with", "values", "table"};

	while (*text == '(' || isspace((unsigned char) *text))
		text++;
	for (int i = 0; i < lengthof(words); i++)
	{
		size_t		length = strlen(words[i]);

		if (pg_strncasecmp(text, words[i], length) == 0 && (isspace((unsigned char) text[length]) || text[length] == '('))
			return true;
	}
	return false;
}

/*
 * The statements in the text, or false when it is no SQL at all.  The parser
 * touches nothing but memory, so catching its syntax errors is safe.
 */
static bool
parse_statements(const char *text, List **statements)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool parsed = true;
	ErrorContextCallback position;

	push_error_position(&position, text);
	PG_TRY();
	{
		*statements = raw_parser(text, RAW_PARSE_DEFAULT);
	}
	PG_CATCH();
	{
		if (geterrcode() != ERRCODE_SYNTAX_ERROR || looks_like_query(text))
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		parsed = false;
	}
	PG_END_TRY();
	pop_error_position(&position);
	return parsed;
}

static SelectStmt *
leftmost_select(SelectStmt *select)
{
	while (select->op != SETOP_NONE)
		select = select->larg;
	return select;
}

/* Dotted words: the usual name, which needs no parser to tell. */
static bool
is_plain_name(const char *text)
{
	for (; *text != '\0'; text++)
	{
		if (!isalnum((unsigned char) *text) && strchr("_$.", *text) == NULL && !IS_HIGHBIT_SET(*text))
			return false;
	}
	return true;
}

/* The one SELECT, VALUES or TABLE statement of the text; NULL when it is not that. */
static SelectStmt *
parse_query(const char *text)
{
	List	   *statements = NIL;
	Node	   *statement;

	if (is_plain_name(text) || !parse_statements(text, &statements) || statements == NIL)
		return NULL;
	statement = linitial_node(RawStmt, statements)->stmt;
	if (list_length(statements) != 1 || !IsA(statement, SelectStmt))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("source is neither the name of a table or view nor a single SELECT, VALUES or TABLE statement"),
				 errdetail("It is: %s", shown(text)),
				 errhint("A source is only read; it may hold one query and nothing else.")));
	if (leftmost_select((SelectStmt *) statement)->intoClause != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a source query cannot be SELECT INTO"),
				 errhint("Leave the INTO clause out.")));
	return (SelectStmt *) statement;
}

static void
refuse_writing(const Query *query)
{
	if (query->hasModifyingCTE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a source query cannot contain INSERT, UPDATE, DELETE or MERGE"),
				 errdetail("A source is only read.")));
}

static Query *
analyze(SelectStmt *select, const char *text)
{
	ErrorContextCallback position;
	RawStmt    *raw = makeNode(RawStmt);
	Query	   *query;

	/* Parse analysis scribbles on its input. */
	raw->stmt = copyObject((Node *) select);
	push_error_position(&position, text);
	query = parse_analyze_fixedparams(raw, text, NULL, 0, NULL);
	pop_error_position(&position);
	return query;
}

static bool
is_member(const List *names, const char *name)
{
	ListCell   *cell;

	foreach(cell, names)
	{
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	}
	return false;
}

/* Columns of the query's result; two of one name could not be told apart. */
static TupleDesc
query_columns(const Query *query)
{
	TupleDesc	columns = CreateTemplateTupleDesc(ExecCleanTargetListLength(query->targetList));
	List	   *names = NIL;
	AttrNumber	number = 0;
	ListCell   *cell;

	foreach(cell, query->targetList)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, cell);
		Node	   *value = (Node *) entry->expr;

		if (entry->resjunk)
			continue;
		if (is_member(names, entry->resname))
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_COLUMN),
					 errmsg("column \"%s\" appears more than once in the source query", entry->resname),
					 errhint("Give one of them another name with AS.")));
		names = lappend(names, entry->resname);
		TupleDescInitEntry(columns, ++number, entry->resname, exprType(value), exprTypmod(value), 0);
		TupleDescInitEntryCollation(columns, number, exprCollation(value));
	}
	list_free(names);
	return columns;
}

/* Columns of a relation without the dropped ones. */
static TupleDesc
relation_columns(Relation relation)
{
	TupleDesc	all = RelationGetDescr(relation);
	TupleDesc	columns;
	AttrNumber	count = 0;

	for (int i = 0; i < all->natts; i++)
		count += !TupleDescAttr(all, i)->attisdropped;
	columns = CreateTemplateTupleDesc(count);
	count = 0;
	for (int i = 0; i < all->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(all, i);

		if (column->attisdropped)
			continue;
		TupleDescInitEntry(columns, ++count, NameStr(column->attname), column->atttypid, column->atttypmod, column->attndims);
		TupleDescInitEntryCollation(columns, count, column->attcollation);
	}
	return columns;
}

/* Which of the relation's columns the current role may SELECT; 42501 when none. */
static bool *
readable_columns(Relation relation, int count)
{
	TupleDesc	all = RelationGetDescr(relation);
	Oid			relid = RelationGetRelid(relation);
	bool		whole = pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
	bool	   *readable = palloc0(Max(count, 1) * sizeof(bool));
	bool		any = whole;
	int			n = 0;

	for (int i = 0; i < all->natts; i++)
	{
		if (TupleDescAttr(all, i)->attisdropped)
			continue;
		readable[n] = whole || pg_attribute_aclcheck(relid, i + 1, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
		any |= readable[n++];
	}
	if (!any)
		aclcheck_error(ACLCHECK_NO_PRIV, get_relkind_objtype(relation->rd_rel->relkind), RelationGetRelationName(relation));
	return readable;
}

/* The usual slip: a name that needs double quotes was given without. */
static bool
needs_quotes(const char *text)
{
	return strlen(text) < NAMEDATALEN && OidIsValid(RangeVarGetRelid(makeRangeVar(NULL, pstrdup(text), -1), NoLock, true));
}

static void
refuse_name(const char *text)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_NAME),
			 errmsg("\"%s\" is not the name of a table or view", shown(text)),
			 needs_quotes(text) ? errhint("Write it in double quotes: '%s'.", quote_identifier(text))
			 : errhint("Give a name, such as customers or sales.orders, or the text of one query.")));
}

/* In the user's own words; those may have double quotes of their own. */
static void
refuse_missing(const char *text, bool elsewhere)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_TABLE),
			 strchr(text, '"') != NULL ? errmsg("relation %s does not exist", shown(text)) : errmsg("relation \"%s\" does not exist", shown(text)),
			 elsewhere ? errdetail("Tables of another database cannot be read directly.") : 0,
			 needs_quotes(text) ? errhint("Write it in double quotes: '%s'.", quote_identifier(text)) : 0));
}

/* The relation of that name by the caller's search_path, locked ACCESS SHARE. */
static Relation
open_relation(const char *text)
{
	List	   *parts;
	List	   *names = NIL;
	ListCell   *cell;
	RangeVar   *name;
	Oid			relid;
	Relation	relation;

	if (!SplitIdentifierString(pstrdup(text), '.', &parts) || parts == NIL || list_length(parts) > 3)
		refuse_name(text);
	foreach(cell, parts)
		names = lappend(names, makeString(pstrdup(lfirst(cell))));
	name = makeRangeVarFromNameList(names);
	if (name->catalogname != NULL && strcmp(name->catalogname, get_database_name(MyDatabaseId)) != 0)
		refuse_missing(text, true);
	relid = RangeVarGetRelid(name, AccessShareLock, true);
	if (!OidIsValid(relid))
		refuse_missing(text, false);

	relation = relation_open(relid, NoLock);
	switch (relation->rd_rel->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_VIEW:
		case RELKIND_MATVIEW:
		case RELKIND_FOREIGN_TABLE:
		case RELKIND_PARTITIONED_TABLE:
			return relation;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("cannot read rows from relation \"%s\"", shown(text)),
					 errdetail_relkind_not_supported(relation->rd_rel->relkind),
					 errhint("A source is a table, a view, a materialized view, a foreign table or a query.")));
	}
	return NULL;				/* not reached */
}

static ResTarget *
make_target(const char *column)
{
	ResTarget  *target = makeNode(ResTarget);

	target->location = -1;
	if (column != NULL)
	{
		ColumnRef  *reference = makeNode(ColumnRef);

		reference->fields = list_make2(makeString(SOURCE_ALIAS), makeString(pstrdup(column)));
		reference->location = -1;
		target->val = (Node *) reference;
	}
	else
	{
		A_Const    *null = makeNode(A_Const);

		ML_SET_NULL_CONST(null);
		null->location = -1;
		target->val = (Node *) null;
	}
	return target;
}

/* FROM relation AS source, or FROM (query) AS source. */
static Node *
make_from(const MlSource *source)
{
	if (source->is_query)
	{
		RangeSubselect *from = makeNode(RangeSubselect);

		from->subquery = (Node *) source->statement;
		from->alias = makeAlias(SOURCE_ALIAS, NIL);
		return (Node *) from;
	}
	else
	{
		RangeVar   *from = makeRangeVar(get_namespace_name(get_rel_namespace(source->relid)), get_rel_name(source->relid), -1);

		from->alias = makeAlias(SOURCE_ALIAS, NIL);
		return (Node *) from;
	}
}

Query *
ml_source_query(const MlSource *source, const bool *needed, bool keep_places)
{
	SelectStmt *select = makeNode(SelectStmt);
	List	   *rewritten;

	for (int i = 0; i < source->columns->natts; i++)
	{
		if (needed == NULL || needed[i])
			select->targetList = lappend(select->targetList, make_target(NameStr(TupleDescAttr(source->columns, i)->attname)));
		else if (keep_places)
			select->targetList = lappend(select->targetList, make_target(NULL));
	}
	select->fromClause = list_make1(make_from(source));

	/* Expands views and adds row-level security. */
	rewritten = QueryRewrite(analyze(select, source->text));
	if (list_length(rewritten) != 1)
		elog(ERROR, "a SELECT became %d statements", list_length(rewritten));
	return linitial_node(Query, rewritten);
}

/* What the walk below looks for in a rewritten query, views expanded. */
typedef struct MlReach
{
	bool		temporary;		/* a temporary relation, or a child that is one */
	bool		workers_refuse; /* something only the session itself can read */
	bool		locks_rows;		/* FOR UPDATE or FOR SHARE */
} MlReach;

static void
look_at_relation(Oid relid, bool with_children, MlReach *reach)
{
	List	   *relations = list_make1_oid(relid);
	ListCell   *cell;

	if (with_children && has_subclass(relid))
		relations = find_all_inheritors(relid, AccessShareLock, NULL);
	foreach(cell, relations)
	{
		Oid			one = lfirst_oid(cell);

		reach->temporary |= get_rel_persistence(one) == RELPERSISTENCE_TEMP;
		reach->workers_refuse |= get_rel_relkind(one) == RELKIND_FOREIGN_TABLE;
	}
}

static bool
reach_walker(Node *node, MlReach *reach)
{
	if (node == NULL)
		return false;
	if (IsA(node, RangeTblEntry))
	{
		RangeTblEntry *entry = (RangeTblEntry *) node;

		if (entry->rtekind == RTE_RELATION)
			look_at_relation(entry->relid, entry->inh, reach);
		if (entry->tablesample != NULL && func_parallel(entry->tablesample->tsmhandler) != PROPARALLEL_SAFE)
			reach->workers_refuse = true;
		return false;
	}
	if (IsA(node, Query))
	{
		reach->locks_rows |= ((Query *) node)->rowMarks != NIL;
		return query_tree_walker((Query *) node, reach_walker, reach, QTW_EXAMINE_RTES_BEFORE);
	}
	return expression_tree_walker(node, reach_walker, reach);
}

/* Looks at the query with views and row-level security in it: what hides there counts as well. */
static void
find_reach(MlSource *source)
{
	Query	   *query = ml_source_query(source, source->readable, false);
	MlReach		reach = {false, false, false};

	(void) reach_walker((Node *) query, &reach);
	if (reach.locks_rows)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a source cannot lock rows"),
				 errhint("Leave out FOR UPDATE or FOR SHARE.")));
	source->temporary = reach.temporary;
	source->parallel_safe = !reach.temporary && !reach.workers_refuse &&
		max_parallel_hazard(query) == PROPARALLEL_SAFE;
}

static void
describe_query(MlSource *source)
{
	Query	   *query = analyze(source->statement, source->text);

	refuse_writing(query);
	source->query = source->text;
	source->columns = query_columns(query);
	source->readable = palloc(Max(source->columns->natts, 1) * sizeof(bool));
	memset(source->readable, true, source->columns->natts);
}

static void
describe_relation(MlSource *source)
{
	Relation	relation = open_relation(source->text);

	source->relid = RelationGetRelid(relation);
	source->relation = ml_qualified_name(get_namespace_name(RelationGetNamespace(relation)), RelationGetRelationName(relation));
	source->query = psprintf("SELECT * FROM %s", source->relation);
	source->columns = relation_columns(relation);
	source->readable = readable_columns(relation, source->columns->natts);
	relation_close(relation, NoLock);	/* the lock stays to the end of the transaction */
}

MlSource *
ml_source_open(const char *text)
{
	MlSource   *source = palloc0(sizeof(MlSource));

	source->text = pstrdup(text);
	source->statement = parse_query(source->text);
	source->is_query = source->statement != NULL;
	if (source->is_query)
		describe_query(source);
	else
		describe_relation(source);
	if (source->columns->natts == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("source \"%s\" has no columns", shown(source->text))));
	find_reach(source);
	return source;
}

char *
ml_source_default_model(const MlSource *source, const char *target)
{
	if (source->is_query)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a model trained on a query needs a name"),
				 errhint("Give one: model => 'name'.")));
	if (target == NULL)
		return get_rel_name(source->relid);
	return psprintf("%s_%s", get_rel_name(source->relid), target);
}
