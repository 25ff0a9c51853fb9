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
		if (strcmp(format_procedure_qualified(candidate->oid), function) == 0)
			return true;
	}
	return false;
}

List *
ml_function_users(int64 model_id, int64 version_id)
{
	Oid			types[] = {INT8OID, INT8OID};
	Datum		values[] = {Int64GetDatum(model_id), Int64GetDatum(version_id)};
	MemoryContext caller = CurrentMemoryContext;
	List	   *functions = NIL;

	SPI_connect();
	ml_catalog_execute("SELECT function FROM mlplat.function"
					   " WHERE model_id OPERATOR(pg_catalog.=) $1"
					   " AND ($2 OPERATOR(pg_catalog.=) 0 OR version_id OPERATOR(pg_catalog.=) $2)"
					   " ORDER BY function", 2, types, values, NULL, false);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *function = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
		MemoryContext old;

		if (!function_exists(function))
			continue;
		old = MemoryContextSwitchTo(caller);
		functions = lappend(functions, pstrdup(function));
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	return functions;
}
