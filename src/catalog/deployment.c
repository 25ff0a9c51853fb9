/*-------------------------------------------------------------------------
 * deployment.c
 *	  Rows of mlplat.deployment and mlplat.deployment_log.
 *
 * A rollback takes back the newest deployment that has not been taken back yet:
 * the log is read as a stack, on which "deploy" puts a version, from which "rollback" takes
 * one, and which "drop" empties.  So two rollbacks in a row go back two steps.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "catalog/catalog.h"
#include "catalog/deployment.h"
#include "catalog/tables.h"

int64
ml_deployment_read(int64 model_id, const char *alias)
{
	int64		version_id;
	TransactionId xmin;
	bool		found;

	ml_catalog_push_snapshot();
	found = ml_alias_read(model_id, alias, GetActiveSnapshot(), &version_id, &xmin);
	PopActiveSnapshot();
	return found ? version_id : 0;
}

static void
log_change(int64 model_id, const char *alias, int32 version, const char *action, const char *note)
{
	Oid			types[] = {INT8OID, TEXTOID, INT4OID, TEXTOID, TEXTOID, TEXTOID};
	Datum		values[] = {
		Int64GetDatum(model_id),
		CStringGetTextDatum(alias),
		Int32GetDatum(version),
		CStringGetTextDatum(action),
		CStringGetTextDatum(ml_catalog_user_name()),
		note != NULL ? CStringGetTextDatum(note) : (Datum) 0
	};
	char		nulls[] = {' ', ' ', version != 0 ? ' ' : 'n', ' ', ' ', note != NULL ? ' ' : 'n', '\0'};

	ml_catalog_execute("INSERT INTO mlplat.deployment_log (model_id, alias, version, action, deployed_by, note)"
					   " VALUES ($1, $2, $3, $4, $5, $6)", 6, types, values, nulls, false);
}

void
ml_deployment_set(int64 model_id, const char *alias, int64 version_id, int32 version,
				  const char *action, const char *note)
{
	Oid			types[] = {INT8OID, TEXTOID, INT8OID, TEXTOID, TEXTOID};
	Datum		values[] = {
		Int64GetDatum(model_id),
		CStringGetTextDatum(alias),
		Int64GetDatum(version_id),
		CStringGetTextDatum(ml_catalog_user_name()),
		note != NULL ? CStringGetTextDatum(note) : (Datum) 0
	};

	SPI_connect();
	ml_catalog_execute("INSERT INTO mlplat.deployment (model_id, alias, version_id, deployed_by, note)"
					   " VALUES ($1, $2, $3, $4, $5)"
					   " ON CONFLICT (model_id, alias) DO UPDATE SET version_id = excluded.version_id,"
					   " deployed_by = excluded.deployed_by, deployed_at = excluded.deployed_at, note = excluded.note",
					   5, types, values, note != NULL ? "     " : "    n", false);
	log_change(model_id, alias, version, action, note);
	SPI_finish();
}

bool
ml_deployment_drop(int64 model_id, const char *alias)
{
	Oid			types[] = {INT8OID, TEXTOID};
	Datum		values[] = {Int64GetDatum(model_id), CStringGetTextDatum(alias)};
	bool		found;

	SPI_connect();
	found = ml_catalog_execute("DELETE FROM mlplat.deployment"
							   " WHERE model_id OPERATOR(pg_catalog.=) $1 AND alias OPERATOR(pg_catalog.=) $2",
							   2, types, values, NULL, false) > 0;
	if (found)
		log_change(model_id, alias, 0, "drop", NULL);
	SPI_finish();
	return found;
}

int32
ml_deployment_previous(int64 model_id, const char *alias)
{
	Oid			types[] = {INT8OID, TEXTOID};
	Datum		values[] = {Int64GetDatum(model_id), CStringGetTextDatum(alias)};
	int32	   *stack;
	bool	   *exists;
	int			depth = 0;
	int32		previous = 0;

	SPI_connect();
	ml_catalog_execute("SELECT l.version, l.action, EXISTS (SELECT FROM mlplat.version v"
					   " WHERE v.model_id OPERATOR(pg_catalog.=) l.model_id AND v.version OPERATOR(pg_catalog.=) l.version)"
					   " FROM mlplat.deployment_log l"
					   " WHERE l.model_id OPERATOR(pg_catalog.=) $1 AND l.alias OPERATOR(pg_catalog.=) $2"
					   " ORDER BY l.entry", 2, types, values, NULL, false);
	stack = palloc_extended(sizeof(int32) * Max(SPI_processed, 1), MCXT_ALLOC_HUGE);
	exists = palloc_extended(sizeof(bool) * Max(SPI_processed, 1), MCXT_ALLOC_HUGE);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		bool		null;
		int32		version = DatumGetInt32(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 1, &null));
		char	   *action = SPI_getvalue(tuple, SPI_tuptable->tupdesc, 2);

		if (strcmp(action, "drop") == 0)
			depth = 0;
		else if (strcmp(action, "rollback") == 0)
		{
			/* To the version named: those between it and the top were skipped because they are gone. */
			while (depth > 0 && stack[depth - 1] != version)
				depth--;
		}
		else if (depth == 0 || stack[depth - 1] != version)
		{
			stack[depth] = version;
			exists[depth] = DatumGetBool(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 3, &null));
			depth++;
		}
		pfree(action);
	}
	for (int i = depth - 2; i >= 0 && previous == 0; i--)
	{
		/* Two deployments of one version with a dropped one between them are no step back. */
		if (exists[i] && stack[i] != stack[depth - 1])
			previous = stack[i];
	}
	SPI_finish();
	return previous;
}

char *
ml_deployment_alias_of(int64 version_id)
{
	Oid			types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(version_id)};
	MemoryContext caller = CurrentMemoryContext;
	char	   *alias = NULL;

	SPI_connect();
	if (ml_catalog_execute("SELECT alias FROM mlplat.deployment WHERE version_id OPERATOR(pg_catalog.=) $1"
						   " ORDER BY alias LIMIT 1", 1, types, values, NULL, false) > 0)
		alias = MemoryContextStrdup(caller, SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
	SPI_finish();
	return alias;
}
