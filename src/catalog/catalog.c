/*-------------------------------------------------------------------------
 * catalog.c
 *	  The way to mlplat's own tables: their OIDs, their owner, and SQL on them.
 *
 * OIDs are looked up by name and cached per backend.  A relcache invalidation of
 * one of them or a change of a schema empties the cache, and ml_catalog_open() looks again when
 * a table vanished under it, so DROP EXTENSION and CREATE EXTENSION in another
 * session are safe at any time.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "catalog/catalog.h"

#define MAX_CACHED 32

typedef struct CachedRelation
{
	NameData	name;
	Oid			oid;
} CachedRelation;

static CachedRelation cached[MAX_CACHED];
static int	n_cached = 0;
static Oid	cached_schema = InvalidOid;

static void
forget_relation(Datum arg, Oid relid)
{
	if (!OidIsValid(relid))
	{
		n_cached = 0;
		return;
	}
	for (int i = 0; i < n_cached; i++)
	{
		if (cached[i].oid == relid)
		{
			n_cached = 0;
			return;
		}
	}
}

static void
forget_schema(Datum arg, int cacheid, uint32 hashvalue)
{
	cached_schema = InvalidOid;
	n_cached = 0;
}

static void
register_callbacks(void)
{
	static bool registered = false;

	if (registered)
		return;
	CacheRegisterRelcacheCallback(forget_relation, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, forget_schema, (Datum) 0);
	registered = true;
}

static void
report_not_installed(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("mlplat is not installed in this database"),
			 errhint("A superuser can install it with CREATE EXTENSION mlplat.")));
}

Oid
ml_catalog_schema(void)
{
	register_callbacks();
	if (!OidIsValid(cached_schema))
	{
		/* A schema of this name without the extension is none of ours. */
		Oid			extension = get_extension_oid("mlplat", true);

		if (OidIsValid(extension))
			cached_schema = get_namespace_oid("mlplat", true);
	}
	return cached_schema;
}

/* InvalidOid when there is none. */
static Oid
find_relation(const char *name)
{
	Oid			schema;
	Oid			oid;

	register_callbacks();
	for (int i = 0; i < n_cached; i++)
	{
		if (strcmp(NameStr(cached[i].name), name) == 0)
			return cached[i].oid;
	}
	schema = ml_catalog_schema();
	if (!OidIsValid(schema))
		return InvalidOid;
	oid = get_relname_relid(name, schema);
	if (OidIsValid(oid) && n_cached < MAX_CACHED)
	{
		namestrcpy(&cached[n_cached].name, name);
		cached[n_cached++].oid = oid;
	}
	return oid;
}

Oid
ml_catalog_relation(const char *name)
{
	Oid			oid = find_relation(name);

	if (!OidIsValid(oid))
		report_not_installed();
	return oid;
}

Relation
ml_catalog_open(const char *table, const char *index, Oid *index_oid)
{
	/* Locking a relation takes in invalidations, so the second look is at the truth. */
	for (int attempt = 0; attempt < 2; attempt++)
	{
		Oid			oid = find_relation(table);
		Relation	relation;

		if (!OidIsValid(oid))
			break;
		relation = try_relation_open(oid, AccessShareLock);
		if (relation == NULL)
		{
			n_cached = 0;
			continue;
		}
		/* While we hold the table, its indexes stay. */
		*index_oid = find_relation(index);
		if (OidIsValid(*index_oid))
			return relation;
		relation_close(relation, AccessShareLock);
		n_cached = 0;
	}
	report_not_installed();
	return NULL;				/* keep compiler quiet */
}

Oid
ml_catalog_owner(void)
{
	Oid			oid = ml_catalog_relation("model");
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(oid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
	{
		n_cached = 0;
		report_not_installed();
	}
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/*
 * (Sub)transaction abort restores user and settings, so an error in between needs
 * no PG_TRY unless somebody swallows it.
 */
void
ml_catalog_become_owner(MlCatalogUser *saved)
{
	Oid			owner = ml_catalog_owner();

	GetUserIdAndSecContext(&saved->user, &saved->context);
	SetUserIdAndSecContext(owner, saved->context | SECURITY_LOCAL_USERID_CHANGE);
	saved->guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

void
ml_catalog_become_user(const MlCatalogUser *saved)
{
	AtEOXact_GUC(false, saved->guc_level);
	SetUserIdAndSecContext(saved->user, saved->context);
}

uint64
ml_catalog_execute(const char *sql, int nargs, Oid *types, Datum *values, const char *nulls, bool read_only)
{
	MlCatalogUser saved;
	int			result;

	ml_catalog_become_owner(&saved);
	result = SPI_execute_with_args(sql, nargs, types, values, nulls, read_only, 0);
	ml_catalog_become_user(&saved);
	if (result < 0)
		elog(ERROR, "catalog statement failed: %s: %s", SPI_result_code_string(result), sql);
	return SPI_processed;
}

void
ml_catalog_push_snapshot(void)
{
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
}

char *
ml_catalog_user_name(void)
{
	return GetUserNameFromId(GetUserId(), false);
}
