/*-------------------------------------------------------------------------
 * tables.c
 *	  Index scans on mlplat's tables with a given snapshot.
 *
 * Attribute numbers in scan keys are those of sql/schema/tables.sql: columns that are keys
 * come first in their tables and never change place.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/skey.h"
#include "access/table.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "catalog/catalog.h"
#include "catalog/resolve.h"
#include "catalog/tables.h"

/* What to do with the one row found. */
typedef void (*ReadRow) (HeapTuple tuple, TupleDesc desc, void *row);

/* Keys of text are COLLATE "C", which is what ScanKeyInit() assumes. */
static bool
read_one(const char *table, const char *index, Snapshot snapshot, int n_keys, ScanKey keys, ReadRow read, void *row)
{
	Oid			index_oid;
	Relation	relation = ml_catalog_open(table, index, &index_oid);
	SysScanDesc scan = systable_beginscan(relation, index_oid, true, snapshot, n_keys, keys);
	HeapTuple	tuple = systable_getnext(scan);
	bool		found = HeapTupleIsValid(tuple);

	if (found)
		read(tuple, RelationGetDescr(relation), row);
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return found;
}

static Datum
column(HeapTuple tuple, TupleDesc desc, const char *name)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (!attribute->attisdropped && strcmp(NameStr(attribute->attname), name) == 0)
		{
			bool		null;
			Datum		value = heap_getattr(tuple, i + 1, desc, &null);

			if (null)
				elog(ERROR, "column %s of an mlplat table is null", name);
			return value;
		}
	}
	elog(ERROR, "an mlplat table has no column %s", name);
}

static void
read_model(HeapTuple tuple, TupleDesc desc, void *into)
{
	MlModelRow *row = into;
	char	   *name = TextDatumGetCString(column(tuple, desc, "name"));

	row->model_id = DatumGetInt64(column(tuple, desc, "model_id"));
	row->last_version = DatumGetInt32(column(tuple, desc, "last_version"));
	row->created_at = DatumGetTimestampTz(column(tuple, desc, "created_at"));
	row->xmin = HeapTupleHeaderGetXmin(tuple->t_data);
	namestrcpy(&row->name, name);
	pfree(name);
}

bool
ml_model_read(const char *name, Snapshot snapshot, MlModelRow *row)
{
	ScanKeyData key;
	Datum		value = CStringGetTextDatum(name);
	bool		found;

	ScanKeyInit(&key, 2, BTEqualStrategyNumber, F_TEXTEQ, value);
	found = read_one("model", "model_name_key", snapshot, 1, &key, read_model, row);
	pfree(DatumGetPointer(value));
	return found;
}

bool
ml_model_read_id(int64 model_id, Snapshot snapshot, MlModelRow *row)
{
	ScanKeyData key;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(model_id));
	return read_one("model", "model_pkey", snapshot, 1, &key, read_model, row);
}

static void
read_version(HeapTuple tuple, TupleDesc desc, void *into)
{
	MlVersionRow *row = into;
	char	   *checksum = TextDatumGetCString(column(tuple, desc, "checksum"));

	row->version_id = DatumGetInt64(column(tuple, desc, "version_id"));
	row->model_id = DatumGetInt64(column(tuple, desc, "model_id"));
	row->version = DatumGetInt32(column(tuple, desc, "version"));
	row->bytes = DatumGetInt64(column(tuple, desc, "bytes"));
	row->xmin = HeapTupleHeaderGetXmin(tuple->t_data);
	strlcpy(row->checksum, checksum, sizeof(row->checksum));
	pfree(checksum);
}

bool
ml_version_read(int64 model_id, int32 version, Snapshot snapshot, MlVersionRow *row)
{
	ScanKeyData keys[2];

	ScanKeyInit(&keys[0], 2, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(model_id));
	ScanKeyInit(&keys[1], 3, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(version));
	return read_one("version", "version_model_id_version_key", snapshot, 2, keys, read_version, row);
}

bool
ml_version_read_id(int64 version_id, Snapshot snapshot, MlVersionRow *row)
{
	ScanKeyData key;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(version_id));
	return read_one("version", "version_pkey", snapshot, 1, &key, read_version, row);
}

static void
read_encoding(HeapTuple tuple, TupleDesc desc, void *into)
{
	char	   *name = TextDatumGetCString(column(tuple, desc, "encoding"));

	*(int *) into = pg_char_to_encoding(name);
	pfree(name);
}

int
ml_version_encoding(int64 version_id, Snapshot snapshot)
{
	ScanKeyData key;
	int			encoding = -1;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(version_id));
	read_one("version", "version_pkey", snapshot, 1, &key, read_encoding, &encoding);
	return encoding;
}

static char **
text_elements(Datum array, int *count)
{
	Datum	   *values;
	char	  **texts;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &values, NULL, count);
	texts = palloc(sizeof(char *) * Max(*count, 1));
	for (int i = 0; i < *count; i++)
		texts[i] = TextDatumGetCString(values[i]);
	return texts;
}

static void
read_segment_columns(HeapTuple tuple, TupleDesc desc, void *into)
{
	MlSegmentColumnsRow *row = into;
	int			n_kinds;

	row->name = text_elements(column(tuple, desc, "segment_by"), &row->count);
	row->kind = text_elements(column(tuple, desc, "segment_kinds"), &n_kinds);
	if (row->count != n_kinds)
		elog(ERROR, "version has %d segment columns of %d kinds", row->count, n_kinds);
}

bool
ml_version_segment_columns(int64 version_id, Snapshot snapshot, MlSegmentColumnsRow *row)
{
	ScanKeyData key;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(version_id));
	return read_one("version", "version_pkey", snapshot, 1, &key, read_segment_columns, row);
}

typedef struct AliasRow
{
	int64		version_id;
	TransactionId xmin;
} AliasRow;

static void
read_alias(HeapTuple tuple, TupleDesc desc, void *into)
{
	AliasRow   *row = into;

	row->version_id = DatumGetInt64(column(tuple, desc, "version_id"));
	row->xmin = HeapTupleHeaderGetXmin(tuple->t_data);
}

bool
ml_alias_read(int64 model_id, const char *alias, Snapshot snapshot, int64 *version_id, TransactionId *xmin)
{
	ScanKeyData keys[2];
	Datum		value = CStringGetTextDatum(alias);
	AliasRow	row;
	bool		found;

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(model_id));
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_TEXTEQ, value);
	found = read_one("deployment", "deployment_pkey", snapshot, 2, keys, read_alias, &row);
	pfree(DatumGetPointer(value));
	if (found)
	{
		*version_id = row.version_id;
		*xmin = row.xmin;
	}
	return found;
}
