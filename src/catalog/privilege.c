/*-------------------------------------------------------------------------
 * privilege.c
 *	  Who may do what with a model.
 *
 * Grants name roles, for OIDs would not survive a dump; a name is resolved when it is used, and
 * an unknown one has no right.  Each grant is a row of its own, so that taking one
 * away never leaves a role with a right that nobody gave it.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"

#include "catalog/catalog.h"
#include "catalog/model.h"

static const char *const privilege_names[] = {"none", "predict", "read", "train", "deploy", "own"};

const char *
ml_privilege_name(MlPrivilege privilege)
{
	return privilege_names[privilege];
}

static MlPrivilege
find_word(const char *word)
{
	for (int i = ML_PRIVILEGE_PREDICT; i <= ML_PRIVILEGE_OWN; i++)
	{
		if (strcmp(word, privilege_names[i]) == 0)
			return (MlPrivilege) i;
	}
	return ML_PRIVILEGE_NONE;
}

MlPrivilege
ml_privilege_parse(const char *word)
{
	MlPrivilege privilege;

	if (word == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("privilege must not be null")));
	privilege = find_word(word);
	if (privilege == ML_PRIVILEGE_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown privilege \"%s\"", word),
				 errhint("The privileges are: predict, read, train, deploy, own; each includes those before it.")));
	return privilege;
}

/* Whether a grant to this name is one to the role: now, by membership, or to everybody. */
static bool
grant_applies(const char *grantee, Oid role)
{
	Oid			oid;

	if (strcmp(grantee, "public") == 0)
		return true;
	oid = get_role_oid(grantee, true);
	return OidIsValid(oid) && has_privs_of_role(role, oid);
}

static MlPrivilege
granted_privilege(int64 model_id, Oid role, Snapshot snapshot)
{
	MlPrivilege highest = ML_PRIVILEGE_NONE;
	Oid			index;
	Relation	relation = ml_catalog_open("privilege", "privilege_pkey", &index);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(model_id));
	scan = systable_beginscan(relation, index, true, snapshot, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		null;
		char	   *grantee = TextDatumGetCString(heap_getattr(tuple, 2, RelationGetDescr(relation), &null));
		char	   *word = TextDatumGetCString(heap_getattr(tuple, 3, RelationGetDescr(relation), &null));
		MlPrivilege privilege = find_word(word);

		if (privilege > highest && grant_applies(grantee, role))
			highest = privilege;
		pfree(grantee);
		pfree(word);
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return highest;
}

MlPrivilege
ml_model_privilege(int64 model_id, Oid role, Snapshot snapshot)
{
	Oid			owner = ml_model_owner(model_id);

	if (!OidIsValid(owner))
		return ML_PRIVILEGE_NONE;	/* there is no such model */
	if (has_privs_of_role(role, owner)) /* a superuser has those of all roles */
		return ML_PRIVILEGE_OWN;
	return granted_privilege(model_id, role, snapshot != NULL ? snapshot : GetActiveSnapshot());
}

void
ml_privilege_grant(int64 model_id, const char *grantee, MlPrivilege privilege)
{
	Oid			types[] = {INT8OID, TEXTOID, TEXTOID, TEXTOID};
	Datum		values[] = {
		Int64GetDatum(model_id),
		CStringGetTextDatum(grantee),
		CStringGetTextDatum(ml_privilege_name(privilege)),
		CStringGetTextDatum(ml_catalog_user_name())
	};

	SPI_connect();
	ml_catalog_execute("INSERT INTO mlplat.privilege (model_id, grantee, privilege, granted_by) VALUES ($1, $2, $3, $4)"
					   " ON CONFLICT (model_id, grantee, privilege) DO NOTHING",
					   4, types, values, NULL, false);
	SPI_finish();
}

uint64
ml_privilege_revoke(int64 model_id, const char *grantee, MlPrivilege privilege)
{
	uint64		removed = 0;

	SPI_connect();
	for (int i = privilege; i <= ML_PRIVILEGE_OWN; i++)
	{
		Oid			types[] = {INT8OID, TEXTOID, TEXTOID};
		Datum		values[] = {
			Int64GetDatum(model_id),
			CStringGetTextDatum(grantee),
			CStringGetTextDatum(privilege_names[i])
		};

		removed += ml_catalog_execute("DELETE FROM mlplat.privilege WHERE model_id OPERATOR(pg_catalog.=) $1"
									  " AND grantee OPERATOR(pg_catalog.=) $2 AND privilege OPERATOR(pg_catalog.=) $3",
									  3, types, values, NULL, false);
	}
	SPI_finish();
	return removed;
}
