/*-------------------------------------------------------------------------
 * function.c
 *	  Rows of mlplat.function.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/regproc.h"

#include "catalog/catalog.h"
#include "catalog/function.h"
#include "catalog/model.h"
#include "pg/names.h"

void
ml_function_record(const char *function, int64 model_id, int64 version_id)
{
	Oid			types[] = {TEXTOID, INT8OID, INT8OID, TEXTOID};
	Datum		values[] = {
		CStringGetTextDatum(function),
		Int64GetDatum(model_id),
		Int64GetDatum(version_id),
		CStringGetTextDatum(ml_catalog_user_name())
	};

	SPI_connect();

	/* Whoever drops the model or a version updates the model's row: then we wait, and look again. */
	ml_catalog_execute("SELECT 1 FROM mlplat.model WHERE model_id OPERATOR(pg_catalog.=) $1 FOR SHARE",
					   1, types + 1, values + 1, NULL, false);
	if (ml_catalog_execute("INSERT INTO mlplat.function (function, model_id, version_id, created_by)"
						   " SELECT $1, m.model_id, $3, $4 FROM mlplat.model m"
						   " WHERE m.model_id OPERATOR(pg_catalog.=) $2 AND ($3 IS NULL"
						   " OR EXISTS (SELECT FROM mlplat.version v WHERE v.version_id OPERATOR(pg_catalog.=) $3))"
						   " ON CONFLICT (function) DO UPDATE SET model_id = excluded.model_id, version_id = excluded.version_id,"
						   " created_by = excluded.created_by, created_at = excluded.created_at",
						   4, types, values, version_id != 0 ? "    " : "  n ", false) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the model of function %s was dropped meanwhile", function)));
	SPI_finish();
}

/*
 * Whether a recorded function is still there.  Not to_regprocedure(): that is an error
 * when the type of an argument has gone with its schema.
 */
static bool
function_exists(const char *function)
{
	const char *end = function;
	bool		quoted = false;
	char	   *name;
	FuncCandidateList candidate;

	for (; *end != '\0' && (quoted || *end != '('); end++)
	{
		if (*end == '"')
			quoted = !quoted;
	}
	name = pnstrdup(function, end - function);
	candidate = FuncnameGetCandidates(stringToQualifiedNameList(name), -1, NIL, false, false, false, true);
	for (; candidate != NULL; candidate = candidate->next)
	{
		if (strcmp(ml_function_name(candidate->oid), function) == 0)
			return true;
	}
	return false;
}

/* Adds a function once; the list is one of MlFunctionUse in the context "owner". */
static List *
add_function(List *functions, const char *function, int64 version_id, TimestampTz made_at, MemoryContext owner)
{
	MemoryContext old;
	MlFunctionUse *use;
	ListCell   *cell;

	foreach(cell, functions)
	{
		if (strcmp(((MlFunctionUse *) lfirst(cell))->function, function) == 0)
			return functions;
	}
	old = MemoryContextSwitchTo(owner);
	use = palloc(sizeof(MlFunctionUse));
	use->function = pstrdup(function);
	use->version_id = version_id;
	use->made_at = made_at;
	functions = lappend(functions, use);
	MemoryContextSwitchTo(old);
	return functions;
}

/*
 * Functions that go by another name now, or whose table does: their bodies name the model or the version.  Anybody
 * can write such a body; it counts if its owner might have had it made.  Between SPI_connect() and SPI_finish().
 */
static List *
add_renamed(List *functions, int64 model_id, int64 version_id, bool read_only, MemoryContext owner)
{
	Oid			types[] = {INT8OID, INT8OID};
	Datum		values[] = {Int64GetDatum(model_id), Int64GetDatum(version_id)};

	ml_catalog_execute("SELECT f.oid, f.proowner, CASE WHEN f.word[1] IS NOT NULL THEN f.word[2]::pg_catalog.int8 ELSE 0 END FROM (SELECT p.oid, p.proowner,"
					   "  pg_catalog.regexp_match(p.prosrc, '^SELECT mlplat\\._predict(_version)?[a-z_]*\\(([0-9]{1,18})::pg_catalog\\.int8[,)]') AS word"
					   "  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid OPERATOR(pg_catalog.=) p.prolang"
					   "  WHERE l.lanname OPERATOR(pg_catalog.=) 'sql') AS f"
					   " WHERE CASE WHEN f.word[1] IS NULL"
					   "  THEN $2 OPERATOR(pg_catalog.=) 0 AND f.word[2]::pg_catalog.int8 OPERATOR(pg_catalog.=) $1"
					   "  ELSE EXISTS (SELECT FROM mlplat.version v WHERE v.version_id OPERATOR(pg_catalog.=) f.word[2]::pg_catalog.int8"
					   "   AND v.model_id OPERATOR(pg_catalog.=) $1 AND ($2 OPERATOR(pg_catalog.=) 0 OR v.version_id OPERATOR(pg_catalog.=) $2)) END"
					   " ORDER BY f.oid", 2, types, values, NULL, read_only);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	columns = SPI_tuptable->tupdesc;
		bool		null;
		Oid			function = DatumGetObjectId(SPI_getbinval(tuple, columns, 1, &null));
		Oid			role = DatumGetObjectId(SPI_getbinval(tuple, columns, 2, &null));
		int64		pinned = DatumGetInt64(SPI_getbinval(tuple, columns, 3, &null));

		if (ml_model_privilege(model_id, role, NULL) >= (pinned != 0 ? ML_PRIVILEGE_READ : ML_PRIVILEGE_PREDICT))
			functions = add_function(functions, ml_function_name(function), pinned, 0, owner);
	}
	return functions;
}

List *
ml_function_users(int64 model_id, int64 version_id, bool read_only)
{
	Oid			types[] = {INT8OID, INT8OID};
	Datum		values[] = {Int64GetDatum(model_id), Int64GetDatum(version_id)};
	MemoryContext caller = CurrentMemoryContext;
	List	   *functions = NIL;

	SPI_connect();
	ml_catalog_execute("SELECT function, COALESCE(version_id, 0), created_at FROM mlplat.function"
					   " WHERE model_id OPERATOR(pg_catalog.=) $1"
					   " AND ($2 OPERATOR(pg_catalog.=) 0 OR version_id OPERATOR(pg_catalog.=) $2)"
					   " ORDER BY function", 2, types, values, NULL, read_only);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	columns = SPI_tuptable->tupdesc;
		char	   *function = SPI_getvalue(tuple, columns, 1);
		bool		null;

		if (function_exists(function))
			functions = add_function(functions, function, DatumGetInt64(SPI_getbinval(tuple, columns, 2, &null)),
									 DatumGetTimestampTz(SPI_getbinval(tuple, columns, 3, &null)), caller);
	}
	functions = add_renamed(functions, model_id, version_id, read_only, caller);
	SPI_finish();
	return functions;
}
