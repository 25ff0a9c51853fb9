/*-------------------------------------------------------------------------
 * segment.c
 *	  Rows of mlplat.segment: the models of a version for groups of rows.
 *
 * There may be tens of thousands of them, so they go in as arrays, many rows a statement,
 * and are found one by one by an index scan on their key.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/detoast.h"
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/skey.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "catalog/catalog.h"
#include "catalog/segment.h"
#include "ml/base/sha256.h"

/* Rows and bytes of images of one statement. */
#define ROWS_PER_INSERT 10000
#define BYTES_PER_INSERT ((Size) 64 * 1024 * 1024)

/* Columns of mlplat.segment (sql/schema/tables.sql). */
enum
{
	C_VERSION_ID = 1, C_KEY, C_SEGMENT, C_ROWS, C_SCORE, C_ERROR, C_CHECKSUM, C_IMAGE
};

void
ml_segment_checksum(const char *version_checksum, const MlSegmentEntry *entry, char *hex)
{
	MlSha256	sha;
	uint32		number = pg_hton32((uint32) entry->segment);

	ml_sha256_begin(&sha);
	ml_sha256_add(&sha, version_checksum, strlen(version_checksum));
	ml_sha256_add(&sha, &number, sizeof(number));
	ml_sha256_add(&sha, entry->image, entry->image_length);
	ml_sha256_end(&sha, hex);
}

/* ------------------------------------------------------------------ writing */

typedef struct Column
{
	Oid			type;
	Datum	   *values;
	bool	   *nulls;
} Column;

static void
put(Column *column, int row, Datum value, bool null)
{
	column->values[row] = value;
	column->nulls[row] = null;
}

static void
put_text(Column *column, int row, const char *text)
{
	put(column, row, text != NULL ? CStringGetTextDatum(text) : (Datum) 0, text == NULL);
}

static Datum
array_of(const Column *column, int rows)
{
	int			dims[1] = {rows};
	int			lower[1] = {1};
	bool		wide = column->type == INT8OID || column->type == FLOAT8OID;

	return PointerGetDatum(construct_md_array(column->values, column->nulls, 1, dims, lower, column->type,
											  wide ? 8 : -1, wide && FLOAT8PASSBYVAL, wide ? TYPALIGN_DOUBLE : TYPALIGN_INT));
}

static Oid
array_type(Oid type)
{
	switch (type)
	{
		case INT8OID:
			return INT8ARRAYOID;
		case FLOAT8OID:
			return FLOAT8ARRAYOID;
		case BYTEAOID:
			return BYTEAARRAYOID;
		default:
			return TEXTARRAYOID;
	}
}

static Datum
image_datum(const MlSegmentEntry *entry)
{
	bytea	   *data = palloc(VARHDRSZ + entry->image_length);

	SET_VARSIZE(data, VARHDRSZ + entry->image_length);
	memcpy(VARDATA(data), entry->image, entry->image_length);
	return PointerGetDatum(data);
}

/* INSERT ... SELECT from arrays: $1 the version, then six columns, then the parts of the key. */
static char *
insert_statement(int n_columns)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "INSERT INTO mlplat.segment (version_id, segment, rows, score, error, checksum, image, key)"
						   " SELECT $1, s.segment::pg_catalog.int4, s.rows, s.score, s.error, s.checksum, s.image, ARRAY[");
	for (int c = 0; c < n_columns; c++)
		appendStringInfo(&sql, "%ss.k%d", c > 0 ? ", " : "", c);
	appendStringInfoString(&sql, "] FROM ROWS FROM (");
	for (int c = 0; c < 6 + n_columns; c++)
		appendStringInfo(&sql, "%spg_catalog.unnest($%d)", c > 0 ? ", " : "", c + 2);
	appendStringInfoString(&sql, ") AS s (segment, rows, score, error, checksum, image");
	for (int c = 0; c < n_columns; c++)
		appendStringInfo(&sql, ", k%d", c);
	appendStringInfoChar(&sql, ')');
	return sql.data;
}

static void
insert_rows(int64 version_id, const char *version_checksum, int n_columns, int count, const MlSegmentEntry *entries)
{
	static const Oid fixed[] = {INT8OID, INT8OID, FLOAT8OID, TEXTOID, TEXTOID, BYTEAOID};
	int			n = lengthof(fixed) + n_columns;
	Column		columns[lengthof(fixed) + ML_MAX_SEGMENT_COLUMNS];
	Oid			types[1 + lengthof(columns)] = {INT8OID};
	Datum		values[1 + lengthof(columns)] = {Int64GetDatum(version_id)};

	for (int c = 0; c < n; c++)
	{
		columns[c].type = c < lengthof(fixed) ? fixed[c] : TEXTOID;
		columns[c].values = palloc(sizeof(Datum) * count);
		columns[c].nulls = palloc(sizeof(bool) * count);
	}
	for (int row = 0; row < count; row++)
	{
		const MlSegmentEntry *entry = &entries[row];
		char		checksum[65];

		CHECK_FOR_INTERRUPTS();
		put(&columns[0], row, Int64GetDatum(entry->segment), false);
		put(&columns[1], row, Int64GetDatum(entry->rows), false);
		put(&columns[2], row, Float8GetDatum(entry->score), isnan(entry->score));
		put_text(&columns[3], row, entry->error);
		if (entry->image != NULL)
			ml_segment_checksum(version_checksum, entry, checksum);
		put_text(&columns[4], row, entry->image != NULL ? checksum : NULL);
		put(&columns[5], row, entry->image != NULL ? image_datum(entry) : (Datum) 0, entry->image == NULL);
		for (int c = 0; c < n_columns; c++)
			put_text(&columns[lengthof(fixed) + c], row, entry->key[c]);
	}
	for (int c = 0; c < n; c++)
	{
		types[c + 1] = array_type(columns[c].type);
		values[c + 1] = array_of(&columns[c], count);
	}
	ml_catalog_execute(insert_statement(n_columns), n + 1, types, values, NULL, false);
}

void
ml_segment_add(int64 version_id, const char *version_checksum, int n_columns, int count, const MlSegmentEntry *entries)
{
	for (int first = 0; first < count;)
	{
		Size		bytes = 0;
		int			rows = 0;

		while (first + rows < count && rows < ROWS_PER_INSERT &&
			   (rows == 0 || bytes + entries[first + rows].image_length <= BYTES_PER_INSERT))
			bytes += entries[first + rows++].image_length;
		SPI_connect();
		insert_rows(version_id, version_checksum, n_columns, rows, entries + first);
		SPI_finish();
		first += rows;
	}
}

/* ------------------------------------------------------------------ reading */

/* The columns of a row into an entry, in the current memory context. */
static void
read_entry(HeapTuple tuple, TupleDesc desc, int n_columns, bool with_image, MlSegmentEntry *entry)
{
	Datum	   *parts;
	int			n_parts;
	bool		null;
	Datum		value;

	memset(entry, 0, sizeof(*entry));
	deconstruct_array(DatumGetArrayTypeP(heap_getattr(tuple, C_KEY, desc, &null)), TEXTOID, -1, false, TYPALIGN_INT, &parts, NULL, &n_parts);
	if (n_parts != n_columns)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("a segment's key has %d parts instead of %d", n_parts, n_columns)));
	entry->key = palloc(sizeof(char *) * n_parts);
	for (int i = 0; i < n_parts; i++)
		entry->key[i] = TextDatumGetCString(parts[i]);
	entry->segment = DatumGetInt32(heap_getattr(tuple, C_SEGMENT, desc, &null));
	entry->rows = DatumGetInt64(heap_getattr(tuple, C_ROWS, desc, &null));
	value = heap_getattr(tuple, C_SCORE, desc, &null);
	entry->score = null ? NAN : DatumGetFloat8(value);
	value = heap_getattr(tuple, C_ERROR, desc, &null);
	entry->error = null ? NULL : TextDatumGetCString(value);
	value = heap_getattr(tuple, C_CHECKSUM, desc, &null);
	if (!null)
		strlcpy(entry->checksum, TextDatumGetCString(value), sizeof(entry->checksum));
	value = heap_getattr(tuple, C_IMAGE, desc, &null);
	if (!null && !with_image)
		entry->image_length = toast_raw_datum_size(value) - VARHDRSZ;
	else if (!null)
	{
		bytea	   *image = DatumGetByteaPP(value);

		entry->image_length = VARSIZE_ANY_EXHDR(image);
		entry->image = (const uint8 *) VARDATA_ANY(image);
	}
}

bool
ml_segment_read(int64 version_id, int n_columns, const char *const *key, const size_t *length, Snapshot snapshot, MlSegmentEntry *entry)
{
	Oid			index;
	Relation	relation = ml_catalog_open("segment", "segment_pkey", &index);
	Datum	   *parts = palloc(sizeof(Datum) * n_columns);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;

	for (int i = 0; i < n_columns; i++)
		parts[i] = PointerGetDatum(cstring_to_text_with_len(key[i], length[i]));
	/* COLLATE "C" is what ScanKeyInit() assumes. */
	ScanKeyInit(&keys[0], C_VERSION_ID, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(version_id));
	ScanKeyInit(&keys[1], C_KEY, BTEqualStrategyNumber, F_ARRAY_EQ,
				PointerGetDatum(construct_array(parts, n_columns, TEXTOID, -1, false, TYPALIGN_INT)));
	scan = systable_beginscan(relation, index, true, snapshot, 2, keys);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple);
	if (found)
	{
		/* The tuple's page is let go with the scan: nothing may point into it. */
		HeapTuple	copy = heap_copytuple(tuple);

		read_entry(copy, RelationGetDescr(relation), n_columns, true, entry);
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return found;
}

void
ml_segment_each(int64 version_id, int n_columns, bool with_images, Snapshot snapshot, MlSegmentTaker take, void *state)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "mlplat segment", ALLOCSET_DEFAULT_SIZES);
	Oid			index_oid;
	Relation	relation = ml_catalog_open("segment", "segment_pkey", &index_oid);
	Relation	index = index_open(index_oid, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, C_VERSION_ID, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(version_id));
	scan = systable_beginscan_ordered(relation, index, snapshot, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		MlSegmentEntry entry;

		CHECK_FOR_INTERRUPTS();
		read_entry(tuple, RelationGetDescr(relation), n_columns, with_images, &entry);
		take(state, &entry);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(relation, AccessShareLock);
	MemoryContextDelete(context);
}
