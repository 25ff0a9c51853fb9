/*-------------------------------------------------------------------------
 * function.c
 *	  Functions that make a prediction read like a column.
 *
 * They are LANGUAGE sql, so that the planner inlines them and their owner can create, dump
 * and restore them, over internal functions that know the model by its id.  A pinned
 * one names a version by id and is IMMUTABLE over an IMMUTABLE function: over a STABLE
 * one it would not be inlined, and a prediction by name is nothing to be indexed.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "catalog/function.h"
#include "catalog/model.h"
#include "pg/names.h"
#include "service/function.h"
#include "service/predict.h"

/* Functions have at most 100 arguments; up to three of the internal one come before the columns. */
#define MAX_COLUMNS (FUNC_MAX_ARGS - 3)

/* What one call costs beside the model, as for ml_predict(), in operators of 2.5 ns. */
#define CALL_COST 160.0
#define OPERATOR_NANOSECONDS 2.5

typedef struct FunctionKind
{
	const char *name;
	bool		columns;		/* takes the columns instead of the row */
	const char *suffix;			/* of the internal function */
	const char *returns;
} FunctionKind;

static const FunctionKind kinds[] = {
	{"predict", false, "", "pg_catalog.float8"},
	{"class", false, "_class", "pg_catalog.text"},
	{"proba", false, "_proba", "pg_catalog.float8"},
	{"columns", true, "", "pg_catalog.float8"},
	{"columns_class", true, "_class", "pg_catalog.text"},
	{"columns_proba", true, "_proba", "pg_catalog.float8"}
};

static const FunctionKind *
find_kind(const char *name)
{
	for (int i = 0; i < lengthof(kinds); i++)
	{
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown kind of function \"%s\"", name),
			 errhint("The kinds are: predict, class, proba, columns, columns_class, columns_proba.")));
}

/* The kind must be one that the model can answer; the error is that of a call. */
static void
check_answer(const MlServed *served, const FunctionKind *kind)
{
	double	   *out = palloc0(sizeof(double) * served->model->n_out);

	if (strcmp(kind->suffix, "_class") == 0)
		ml_predicted_class(served, out);
	else if (strcmp(kind->suffix, "_proba") == 0)
		ml_predicted_probability(served, out);
	else
		ml_predicted_value(served, out);
	pfree(out);
}

static void
check_relation(Relation relation)
{
	switch (relation->rd_rel->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
		case RELKIND_VIEW:
		case RELKIND_MATVIEW:
		case RELKIND_FOREIGN_TABLE:
		case RELKIND_COMPOSITE_TYPE:
			return;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("\"%s\" has no rows to predict for", RelationGetRelationName(relation))));
	}
}

/* "schema.name" is a name like any other, but with a schema that exists hardly what was meant. */
static void
refuse_qualified(const char *name, const char *schema)
{
	const char *dot = strchr(name, '.');

	if (dot != NULL && OidIsValid(get_namespace_oid(pnstrdup(name, dot - name), true)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("function name \"%s\" must not be qualified", name),
				 errdetail("The function is created in the schema of the table, \"%s\".", schema),
				 errhint("Leave the schema out; ALTER FUNCTION ... SET SCHEMA moves the function.")));
}

static char *
function_name(const MlServed *served, const FunctionKind *kind, const char *schema, const char *name)
{
	char	   *chosen = name != NULL ? pstrdup(name) : psprintf("%s_%s", served->resolved.name, kind->name);

	if (chosen[0] == '\0' || strlen(chosen) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(chosen[0] == '\0' ? ERRCODE_INVALID_NAME : ERRCODE_NAME_TOO_LONG),
				 errmsg("function name \"%s\" must have 1 to %d bytes", chosen, NAMEDATALEN - 1),
				 errhint("Choose a name with name => '...'.")));
	refuse_qualified(chosen, schema);
	return chosen;
}

/* The types of the function's arguments; and, as SQL, their list and how the body passes them on. */
typedef struct Arguments
{
	int			count;
	Oid			types[FUNC_MAX_ARGS];
	StringInfoData list;
	StringInfoData passed;
	List	   *names;			/* of columns: String nodes */
} Arguments;

static void
add_argument(Arguments *arguments, const char *name, Oid type, const char *type_name)
{
	int			number = ++arguments->count;

	arguments->types[number - 1] = type;
	if (number > 1)
		appendStringInfoString(&arguments->list, ", ");
	if (name != NULL)
	{
		appendStringInfo(&arguments->list, "%s ", quote_identifier(name));
		arguments->names = lappend(arguments->names, makeString(pstrdup(name)));
	}
	appendStringInfoString(&arguments->list, type_name);
	appendStringInfo(&arguments->passed, ", $%d", number);
}

static void
collect_arguments(const MlServed *served, Relation relation, const FunctionKind *kind, Arguments *arguments)
{
	/* Also says which columns are missing or of a wrong type. */
	MlRowMap   *map = ml_rowmap_create(served, RelationGetDescr(relation));

	initStringInfo(&arguments->list);
	initStringInfo(&arguments->passed);
	if (!kind->columns)
	{
		add_argument(arguments, NULL, relation->rd_rel->reltype,
					 quote_qualified_identifier(get_namespace_name(RelationGetNamespace(relation)),
												RelationGetRelationName(relation)));
		return;
	}
	if (map->n_columns > MAX_COLUMNS)
		ereport(ERROR,
				(errcode(ERRCODE_TOO_MANY_ARGUMENTS),
				 errmsg("model \"%s\" reads %d columns, a function can take %d", served->name, map->n_columns, MAX_COLUMNS),
				 errhint("Use a kind that takes the row: predict, class or proba.")));
	for (int i = 0; i < map->n_columns; i++)
	{
		Form_pg_attribute column = TupleDescAttr(RelationGetDescr(relation), map->columns[i]);

		add_argument(arguments, NameStr(column->attname), column->atttypid, format_type_be_qualified(column->atttypid));
	}
}

/* The names of the columns as an array constant, and a comma; nothing for a row. */
static char *
names_argument(const FunctionKind *kind, const Arguments *arguments)
{
	StringInfoData sql;
	ListCell   *cell;

	initStringInfo(&sql);
	if (!kind->columns)
		return sql.data;
	foreach(cell, arguments->names)
		appendStringInfo(&sql, "%s%s", sql.len > 0 ? ", " : "", quote_literal_cstr(strVal(lfirst(cell))));
	return psprintf(", ARRAY[%s]::pg_catalog.text[]", sql.data);
}

/* SELECT mlplat._predict...(ids, arguments) */
static char *
function_body(const MlServed *served, const FunctionKind *kind, const char *alias, bool pinned, const Arguments *arguments)
{
	if (pinned)
		return psprintf("SELECT mlplat._predict_version%s%s(" INT64_FORMAT "::pg_catalog.int8%s)",
						kind->columns ? "_columns" : "", kind->suffix, served->resolved.version_id, arguments->passed.data);
	return psprintf("SELECT mlplat._predict%s%s(" INT64_FORMAT "::pg_catalog.int8, %s::pg_catalog.text%s%s)",
					kind->columns ? "_columns" : "", kind->suffix, served->resolved.model_id,
					quote_literal_cstr(alias), names_argument(kind, arguments), arguments->passed.data);
}

static void
create_function(const MlServed *served, const FunctionKind *kind, const char *qualified, const Arguments *arguments,
				const char *body, bool pinned)
{
	double		nanoseconds = Max(ml_model_cost(served->model), 0);
	char	   *sql;
	int			result;

	sql = psprintf("CREATE FUNCTION %s(%s) RETURNS %s LANGUAGE sql %s PARALLEL SAFE COST %.0f AS %s",
				   qualified, arguments->list.data, kind->returns, pinned ? "IMMUTABLE" : "STABLE",
				   CALL_COST + nanoseconds / OPERATOR_NANOSECONDS, quote_literal_cstr(body));
	SPI_connect();
	result = SPI_execute(sql, false, 0);
	if (result != SPI_OK_UTILITY)
		elog(ERROR, "CREATE FUNCTION failed: %s", SPI_result_code_string(result));
	SPI_finish();
}

Oid
ml_function_create(const char *reference, Oid relation_id, const char *name, const char *kind_name, bool pinned)
{
	const FunctionKind *kind = find_kind(kind_name);
	MlServed   *served = ml_serve(reference, CurrentMemoryContext);
	Relation	relation = relation_open(relation_id, AccessShareLock);
	Arguments	arguments = {0};
	char	   *schema;
	char	   *model_name;
	char	   *alias;
	int32		version;
	Oid			function;

	ml_reference_parse(reference, &model_name, &alias, &version);
	pinned = pinned || version > 0;
	/* A version that a function is pinned to cannot be dropped: not for everybody to decide. */
	if (pinned)
		ml_model_require_id(served->resolved.model_id, served->resolved.name, ML_PRIVILEGE_READ, ml_serving_snapshot());
	check_relation(relation);
	check_answer(served, kind);
	collect_arguments(served, relation, kind, &arguments);
	schema = get_namespace_name(RelationGetNamespace(relation));
	name = function_name(served, kind, schema, name);
	relation_close(relation, NoLock);

	create_function(served, kind, quote_qualified_identifier(schema, name), &arguments,
					function_body(served, kind, alias != NULL ? alias : ML_PRODUCTION, pinned, &arguments),
					pinned);
	CommandCounterIncrement();
	function = LookupFuncName(list_make2(makeString(schema), makeString(unconstify(char *, name))),
							  arguments.count, arguments.types, false);
	ml_function_record(ml_function_name(function), served->resolved.model_id,
					   pinned ? served->resolved.version_id : 0);
	return function;
}
