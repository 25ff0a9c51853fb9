/*-------------------------------------------------------------------------
 * model.c
 *	  Rows of mlplat.model and their anchors.
 *
 * The anchor of model 17 is the composite type mlplat.m_17.  It carries what a row cannot: an owner
 * that DROP ROLE, DROP OWNED, REASSIGN OWNED and pg_dump know about.  A model whose
 * anchor is gone does not exist; the next writer of its name clears what is left.
 *
 * Locking: every writer updates the model's row first, then changes rows that belong to it.  An
 * update and not just a row lock: in REPEATABLE READ and above a writer that has not seen the
 * work of another one gets 40001 and cannot act on what it does not know.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "commands/typecmds.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "catalog/catalog.h"
#include "catalog/model.h"
#include "catalog/tables.h"
#include "catalog/version.h"
#include "ml/model/params.h"

/* As much of a name that is far too long is repeated in a message. */
#define MAX_SHOWN 200

static void
check_word(const char *what, const char *name)
{
	bool		blank = true;

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", what)));
	if (strlen(name) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("%s \"%.*s\" is too long", what, pg_mbcliplen(name, (int) strlen(name), MAX_SHOWN), name),
				 errdetail("It has %zu bytes; at most %d are possible.", strlen(name), NAMEDATALEN - 1)));
	for (const char *c = name; *c != '\0'; c++)
	{
		if ((unsigned char) *c < ' ' || *c == 0x7f)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_NAME),
					 errmsg("%s must not contain control characters", what)));
		if (*c == '@')
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_NAME),
					 errmsg("%s \"%s\" must not contain \"@\"", what, name),
					 errhint("In \"model@7\" and \"model@alias\" it separates a model from its version or alias.")));
		if (*c != ' ')
			blank = false;
	}
	if (blank)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("%s must not be empty", what)));
}

void
ml_model_check_name(const char *name)
{
	check_word("model name", name);
}

void
ml_alias_check_name(const char *alias)
{
	check_word("alias", alias);
	if (strspn(alias, "0123456789") == strlen(alias))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("alias \"%s\" must not be a number", alias),
				 errhint("In \"model@%s\" it would be taken for a version.", alias)));
}

/* OID of the anchor type, or InvalidOid. */
static Oid
find_anchor(int64 model_id, Oid *owner)
{
	char		name[NAMEDATALEN];
	HeapTuple	tuple;
	Form_pg_type form;
	Oid			oid = InvalidOid;

	snprintf(name, sizeof(name), "m_" INT64_FORMAT, model_id);
	tuple = SearchSysCache2(TYPENAMENSP, CStringGetDatum(name), ObjectIdGetDatum(ml_catalog_schema()));
	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	form = (Form_pg_type) GETSTRUCT(tuple);
	if (form->typtype == TYPTYPE_COMPOSITE)
	{
		oid = form->oid;
		if (owner != NULL)
			*owner = form->typowner;
	}
	ReleaseSysCache(tuple);
	return oid;
}

Oid
ml_model_owner(int64 model_id)
{
	Oid			owner = InvalidOid;

	(void) find_anchor(model_id, &owner);
	return owner;
}

int64
ml_model_find(const char *name, Snapshot snapshot)
{
	MlModelRow	row;

	if (!ml_model_read(name, snapshot != NULL ? snapshot : GetActiveSnapshot(), &row))
		return 0;
	return OidIsValid(find_anchor(row.model_id, NULL)) ? row.model_id : 0;
}

/* Names that a misspelt one is compared with: all of a usual installation, and no long search in a huge one. */
#define MAX_NAMES 2000

/* Up to MAX_NAMES names of models, with their ids. */
static int
read_names(Snapshot snapshot, const char **names, int64 *ids)
{
	Oid			index;
	Relation	relation = ml_catalog_open("model", "model_pkey", &index);
	SysScanDesc scan = systable_beginscan(relation, InvalidOid, false, snapshot, 0, NULL);
	HeapTuple	tuple;
	int			count = 0;

	while (count < MAX_NAMES && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		null;

		ids[count] = DatumGetInt64(heap_getattr(tuple, 1, RelationGetDescr(relation), &null));
		names[count++] = TextDatumGetCString(heap_getattr(tuple, 2, RelationGetDescr(relation), &null));
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return count;
}

/* The name nearest to a misspelt one among the models that the current role may use, or NULL. */
static const char *
nearest_model(const char *name)
{
	Snapshot	snapshot = ActiveSnapshotSet() ? GetActiveSnapshot() : GetTransactionSnapshot();
	const char **names = palloc(sizeof(char *) * MAX_NAMES);
	int64	   *ids = palloc(sizeof(int64) * MAX_NAMES);
	int			count = read_names(snapshot, names, ids);
	int			permitted = 0;

	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		/* What is not there for the caller must not show in a hint either. */
		if (ml_model_privilege(ids[i], GetUserId(), snapshot) > ML_PRIVILEGE_NONE)
			names[permitted++] = names[i];
	}
	return ml_nearest(name, names, permitted);
}

void
ml_model_report_missing(const char *name)
{
	const char *near = nearest_model(name);

	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("model \"%s\" does not exist", name),
			 near != NULL ? errhint("Did you mean \"%s\"? The view ml_models lists the models you may use.", near)
			 : errhint("The view ml_models lists the models you may use.")));
}

void
ml_model_require_id(int64 model_id, const char *name, MlPrivilege privilege, Snapshot snapshot)
{
	MlPrivilege have = ml_model_privilege(model_id, GetUserId(), snapshot);

	/* Who has no right at all shall not learn that there is such a model. */
	if (have == ML_PRIVILEGE_NONE)
		ml_model_report_missing(name);
	if (have < privilege)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for model \"%s\"", name),
				 errdetail("This needs the privilege \"%s\"; role \"%s\" has \"%s\".",
						   ml_privilege_name(privilege), ml_catalog_user_name(), ml_privilege_name(have)),
				 errhint("The owner of the model can grant it with ml_grant().")));
}

int64
ml_model_require(const char *name, MlPrivilege privilege)
{
	int64		model_id;

	ml_model_check_name(name);
	model_id = ml_model_find(name, NULL);
	if (model_id == 0)
		ml_model_report_missing(name);
	ml_model_require_id(model_id, name, privilege, GetActiveSnapshot());
	return model_id;
}

/* Locks the row, by an update, if its name is still the given one; false when it is gone. */
static bool
lock_row(int64 model_id, const char *name)
{
	Oid			types[] = {INT8OID, TEXTOID};
	Datum		values[] = {Int64GetDatum(model_id), CStringGetTextDatum(name)};
	uint64		found;

	SPI_connect();
	found = ml_catalog_execute("UPDATE mlplat.model SET last_version = last_version"
							   " WHERE model_id OPERATOR(pg_catalog.=) $1 AND name OPERATOR(pg_catalog.=) $2",
							   2, types, values, NULL, false);
	SPI_finish();
	return found > 0;
}

int64
ml_model_lock(const char *name, MlPrivilege privilege)
{
	int64		model_id;

	ml_model_check_name(name);
	for (;;)
	{
		bool		locked;

		ml_catalog_push_snapshot();
		model_id = ml_model_require(name, privilege);
		PopActiveSnapshot();

		locked = lock_row(model_id, name);

		/* While we waited it may have been dropped or renamed, and rights may have changed: look again. */
		ml_catalog_push_snapshot();
		if (locked)
			(void) ml_model_require(name, privilege);
		PopActiveSnapshot();
		if (locked)
			return model_id;
	}
}

/* The type mlplat.m_<model_id>, owned by "owner". */
static void
create_anchor(int64 model_id, Oid owner)
{
	MlCatalogUser saved;
	char		name[NAMEDATALEN];
	ObjectAddress address;

	snprintf(name, sizeof(name), "m_" INT64_FORMAT, model_id);

	/*
	 * Only the owner of schema mlplat may create in it, so it makes the type and
	 * gives it away.  Not through SPI: no event trigger shall run with its rights.
	 */
	ml_catalog_become_owner(&saved);
	address = DefineCompositeType(makeRangeVar(pstrdup("mlplat"), pstrdup(name), -1), NIL);
	CommandCounterIncrement();
	AlterTypeOwner_oid(address.objectId, owner, true);
	CommandCounterIncrement();
	ml_catalog_become_user(&saved);
}

/* A number for a new model whose anchor name is free: an owner can rename an anchor into our way. */
static int64
next_model_id(void)
{
	for (;;)
	{
		int64		model_id;
		bool		null;

		SPI_connect();
		ml_catalog_execute("SELECT pg_catalog.nextval('mlplat.model_model_id_seq'::pg_catalog.regclass)", 0, NULL, NULL, NULL, false);
		model_id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null));
		SPI_finish();
		if (!OidIsValid(GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
										CStringGetDatum(psprintf("m_" INT64_FORMAT, model_id)),
										ObjectIdGetDatum(ml_catalog_schema()))))
			return model_id;
	}
}

/* Inserts the row; 0 when another session has just taken the name. */
static int64
insert_row(const char *name, const char *note)
{
	Oid			types[] = {INT8OID, TEXTOID, TEXTOID, TEXTOID};
	int64		model_id = next_model_id();
	Datum		values[] = {
		Int64GetDatum(model_id),
		CStringGetTextDatum(name),
		CStringGetTextDatum(ml_catalog_user_name()),
		note != NULL ? CStringGetTextDatum(note) : (Datum) 0
	};
	uint64		inserted;

	SPI_connect();
	inserted = ml_catalog_execute("INSERT INTO mlplat.model (model_id, name, created_by, note) VALUES ($1, $2, $3, $4)"
								  " ON CONFLICT (name) DO NOTHING",
								  4, types, values, note != NULL ? "    " : "   n", false);
	SPI_finish();
	return inserted > 0 ? model_id : 0;
}

/* Tables whose rows belong to a model and to no single version. */
static const char *const detail_tables[] = {"deployment", "deployment_log", "privilege", "function", "model"};

/* The model's row and all that hangs on it. */
static void
delete_rows(int64 model_id)
{
	Oid			types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(model_id)};

	ml_version_delete_all(model_id);
	SPI_connect();
	for (int i = 0; i < lengthof(detail_tables); i++)
		ml_catalog_execute(psprintf("DELETE FROM mlplat.%s WHERE model_id OPERATOR(pg_catalog.=) $1", detail_tables[i]),
						   1, types, values, NULL, false);
	SPI_finish();
}

/* The row of this name as a new statement would see it, anchor or not; 0 when there is none. */
static int64
find_row(const char *name)
{
	MlModelRow	row;
	bool		found;

	ml_catalog_push_snapshot();
	found = ml_model_read(name, GetActiveSnapshot(), &row);
	PopActiveSnapshot();
	return found ? row.model_id : 0;
}

int64
ml_model_obtain(const char *name, const char *note, bool *created)
{
	ml_model_check_name(name);
	for (;;)
	{
		int64		model_id = find_row(name);

		CHECK_FOR_INTERRUPTS();
		if (model_id == 0)
		{
			model_id = insert_row(name, note);
			if (model_id == 0)
				continue;		/* taken meanwhile: look again */
			create_anchor(model_id, GetUserId());
			*created = true;
			return model_id;
		}
		if (!lock_row(model_id, name))
			continue;
		if (!OidIsValid(find_anchor(model_id, NULL)))
		{
			delete_rows(model_id);
			continue;
		}
		ml_catalog_push_snapshot();
		if (ml_model_privilege(model_id, GetUserId(), GetActiveSnapshot()) < ML_PRIVILEGE_TRAIN)
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("permission denied for model \"%s\"", name),
					 errdetail("The name is taken, and role \"%s\" lacks the privilege \"train\" on the model.", ml_catalog_user_name()),
					 errhint("Choose another name with model => '...', or have its owner grant the privilege with ml_grant().")));
		PopActiveSnapshot();
		*created = false;
		return model_id;
	}
}

void
ml_model_rename(int64 model_id, const char *new_name)
{
	Oid			types[] = {INT8OID, TEXTOID};
	Datum		values[] = {Int64GetDatum(model_id), CStringGetTextDatum(new_name)};
	int64		other;

	ml_model_check_name(new_name);

	/* What is left of a model whose anchor is gone gives way. */
	other = find_row(new_name);
	if (other != 0 && !OidIsValid(find_anchor(other, NULL)))
	{
		delete_rows(other);
		other = 0;
	}
	if (other == 0)
	{
		MemoryContext caller = CurrentMemoryContext;
		ResourceOwner owner = CurrentResourceOwner;

		/* Another session may take the name while we wait for it: then 23505 becomes 42710. */
		BeginInternalSubTransaction(NULL);
		MemoryContextSwitchTo(caller);
		PG_TRY();
		{
			SPI_connect();
			ml_catalog_execute("UPDATE mlplat.model SET name = $2 WHERE model_id OPERATOR(pg_catalog.=) $1",
							   2, types, values, NULL, false);
			SPI_finish();
			ReleaseCurrentSubTransaction();
			MemoryContextSwitchTo(caller);
			CurrentResourceOwner = owner;
		}
		PG_CATCH();
		{
			ErrorData  *error;

			MemoryContextSwitchTo(caller);
			error = CopyErrorData();
			FlushErrorState();
			RollbackAndReleaseCurrentSubTransaction();
			MemoryContextSwitchTo(caller);
			CurrentResourceOwner = owner;
			if (error->sqlerrcode != ERRCODE_UNIQUE_VIOLATION)
				ReThrowError(error);
			other = 1;
		}
		PG_END_TRY();
	}
	if (other != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("model \"%s\" already exists", new_name)));
}

void
ml_model_delete(int64 model_id)
{
	Oid			anchor = find_anchor(model_id, NULL);

	delete_rows(model_id);
	if (OidIsValid(anchor))
	{
		ObjectAddress address;

		ObjectAddressSet(address, TypeRelationId, anchor);
		performDeletion(&address, DROP_RESTRICT, 0);
	}
}
