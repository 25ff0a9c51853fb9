/*-------------------------------------------------------------------------
 * lineage.c
 *	  Where a version comes from and what hangs on it.
 *
 * Depth 0 is the version itself, depth 1 what it was made of (or what is made of
 * it), and so on along retraining: the parent of a version at depth d stands at d + 1.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "catalog/catalog.h"
#include "catalog/function.h"
#include "catalog/lineage.h"
#include "catalog/model.h"
#include "catalog/resolve.h"

/* $1: version id, $2: name of the model. */
static const char up_sql[] =
"WITH RECURSIVE chain AS ("
" SELECT v.*, 0 AS depth FROM mlplat.version v WHERE v.version_id OPERATOR(pg_catalog.=) $1"
" UNION ALL"
" SELECT p.*, c.depth OPERATOR(pg_catalog.+) 1 FROM chain c JOIN mlplat.version p"
"  ON p.model_id OPERATOR(pg_catalog.=) c.model_id AND p.version OPERATOR(pg_catalog.=) c.parent_version"
"  AND p.version OPERATOR(pg_catalog.<) c.version)"
" SELECT l.depth, l.kind, l.object, l.relation, l.at FROM chain c CROSS JOIN LATERAL ("
"VALUES"
" (0, c.depth, 'version', pg_catalog.concat($2, '@', c.version),"
"  CASE WHEN c.depth OPERATOR(pg_catalog.=) 0 THEN 'itself' ELSE 'retrained from' END, c.created_at),"
" (1, c.depth OPERATOR(pg_catalog.+) 1, 'relation', c.source_relation, 'trained on', NULL),"
" (2, c.depth OPERATOR(pg_catalog.+) 1, 'query', c.source_query, 'trained on', NULL),"
" (4, c.depth OPERATOR(pg_catalog.+) 1, 'data', c.data_hash, 'content hash of the rows read', NULL),"
" (5, c.depth OPERATOR(pg_catalog.+) 1, 'rows', c.rows::pg_catalog.text, 'rows with a target', NULL),"
" (6, c.depth OPERATOR(pg_catalog.+) 1, 'snapshot', c.snapshot, 'read with', NULL),"
" (7, c.depth OPERATOR(pg_catalog.+) 1, 'algorithm', c.algorithm, 'trained with', NULL),"
" (8, c.depth OPERATOR(pg_catalog.+) 1, 'parameters', c.params::pg_catalog.text, 'trained with', NULL),"
" (9, c.depth OPERATOR(pg_catalog.+) 1, 'arguments', c.request::pg_catalog.text, 'trained with', NULL),"
" (10, c.depth OPERATOR(pg_catalog.+) 1, 'role', c.created_by, 'trained by', c.created_at),"
" (11, c.depth OPERATOR(pg_catalog.+) 1, 'code', pg_catalog.concat('mlplat ', c.library_version), 'trained with', NULL),"
" (12, c.depth OPERATOR(pg_catalog.+) 1, 'code', c.blas, 'trained with', NULL),"
" (13, c.depth OPERATOR(pg_catalog.+) 1, 'job', c.job::pg_catalog.text, 'computed by', NULL),"
/* A parent that was dropped is still named. */
" (14, c.depth OPERATOR(pg_catalog.+) 1, 'version',"
"  CASE WHEN c.parent_version IS NOT NULL AND NOT EXISTS (SELECT FROM chain p WHERE p.version OPERATOR(pg_catalog.=) c.parent_version)"
"  THEN pg_catalog.concat($2, '@', c.parent_version) END, 'retrained from, since dropped', NULL)"
") AS l (place, depth, kind, object, relation, at) WHERE l.object IS NOT NULL"
" ORDER BY c.depth, l.place";

/* The columns have a place of their own in that order, so they come separately. */
static const char columns_sql[] =
"SELECT 1, 'column', s.name, 'read', NULL::pg_catalog.timestamptz FROM mlplat.version v"
" CROSS JOIN LATERAL pg_catalog.unnest(v.source_columns) WITH ORDINALITY AS s (name, place)"
" WHERE v.version_id OPERATOR(pg_catalog.=) $1 AND $2 IS NOT NULL ORDER BY s.place";

/* $3, $4, $5: functions that use the model, the versions they are pinned to (0: none) and when they were made. */
static const char down_sql[] =
"WITH RECURSIVE functions (function, version_id, made_at) AS ("
" SELECT * FROM ROWS FROM (pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5)) AS f (function, version_id, made_at)),"
" chain AS ("
" SELECT v.version_id, v.model_id, v.version, v.created_at, 0 AS depth FROM mlplat.version v"
"  WHERE v.version_id OPERATOR(pg_catalog.=) $1"
" UNION ALL"
" SELECT n.version_id, n.model_id, n.version, n.created_at, c.depth OPERATOR(pg_catalog.+) 1 FROM chain c JOIN mlplat.version n"
"  ON n.model_id OPERATOR(pg_catalog.=) c.model_id AND n.parent_version OPERATOR(pg_catalog.=) c.version"
"  AND n.version OPERATOR(pg_catalog.>) c.version)"
" SELECT l.depth, l.kind, l.object, l.relation, l.at FROM chain c CROSS JOIN LATERAL ("
"SELECT 0 AS place, c.depth, 'version' AS kind, pg_catalog.concat($2, '@', c.version) AS object,"
"  CASE WHEN c.depth OPERATOR(pg_catalog.=) 0 THEN 'itself' ELSE 'retrained from it' END AS relation, c.created_at AS at"
" UNION ALL SELECT 1, c.depth OPERATOR(pg_catalog.+) 1, 'alias', pg_catalog.concat($2, '@', d.alias), 'points to it', d.deployed_at"
"  FROM mlplat.deployment d WHERE d.version_id OPERATOR(pg_catalog.=) c.version_id"
" UNION ALL SELECT 2, c.depth OPERATOR(pg_catalog.+) 1, 'function', f.function, 'pinned to it', f.made_at"
"  FROM functions f WHERE f.version_id OPERATOR(pg_catalog.=) c.version_id"
" UNION ALL SELECT 3, c.depth OPERATOR(pg_catalog.+) 1, 'function', f.function, 'follows production', f.made_at"
"  FROM functions f, mlplat.deployment d"
"  WHERE f.version_id OPERATOR(pg_catalog.=) 0 AND d.alias OPERATOR(pg_catalog.=) 'production' AND d.version_id OPERATOR(pg_catalog.=) c.version_id"
") AS l ORDER BY c.depth, c.version, l.place, l.object";

/* Runs it and keeps the rows, whose five columns are those of the result. */
static void
collect(const char *sql, int n, Oid *types, Datum *values, Tuplestorestate *store, TupleDesc desc)
{
	SPI_connect();
	ml_catalog_execute(sql, n, types, values, NULL, true);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Datum		row[5];
		bool		nulls[5];

		for (int j = 0; j < 5; j++)
			row[j] = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, j + 1, &nulls[j]);
		tuplestore_putvalues(store, desc, row, nulls);
	}
	SPI_finish();
}

/* The three arrays that down_sql wants. */
static void
describe_functions(int64 model_id, Datum *arrays)
{
	List	   *functions = ml_function_users(model_id, 0, true);
	int			n = list_length(functions);
	Datum	   *name = palloc(sizeof(Datum) * (Size) (n + 1));
	Datum	   *version = palloc(sizeof(Datum) * (Size) (n + 1));
	Datum	   *made_at = palloc(sizeof(Datum) * (Size) (n + 1));
	bool	   *unknown = palloc(sizeof(bool) * (Size) (n + 1));
	int			lower = 1;

	for (int i = 0; i < n; i++)
	{
		const MlFunctionUse *use = list_nth(functions, i);

		name[i] = CStringGetTextDatum(use->function);
		version[i] = Int64GetDatum(use->version_id);
		made_at[i] = TimestampGetDatum(use->made_at);
		unknown[i] = use->made_at == 0;
	}
	arrays[0] = PointerGetDatum(construct_array(name, n, TEXTOID, -1, false, TYPALIGN_INT));
	arrays[1] = PointerGetDatum(construct_array(version, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	arrays[2] = PointerGetDatum(construct_md_array(made_at, unknown, 1, &n, &lower, TIMESTAMPTZOID, sizeof(TimestampTz), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

void
ml_lineage_read(const char *reference, const char *direction, Tuplestorestate *store, TupleDesc desc)
{
	MlResolved	resolved;
	MlResolveResult found;
	char	   *name;
	char	   *alias;
	int32		version;
	Oid			types[] = {INT8OID, TEXTOID, TEXTARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID};
	Datum		values[5];

	if (direction == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("direction must not be null")));
	if (strcmp(direction, "up") != 0 && strcmp(direction, "down") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown direction \"%s\"", direction),
				 errhint("It is \"up\" (where a version comes from) or \"down\" (what hangs on it).")));
	ml_reference_parse(reference, &name, &alias, &version);
	(void) ml_model_require(name, ML_PRIVILEGE_READ);
	found = ml_resolve(reference, GetActiveSnapshot(), &resolved);
	if (found != ML_RESOLVED)
		ml_resolve_report(found, reference);
	values[0] = Int64GetDatum(resolved.version_id);
	values[1] = CStringGetTextDatum(name);
	if (strcmp(direction, "up") == 0)
	{
		collect(up_sql, 2, types, values, store, desc);
		collect(columns_sql, 2, types, values, store, desc);
	}
	else
	{
		describe_functions(resolved.model_id, values + 2);
		collect(down_sql, 5, types, values, store, desc);
	}
}
