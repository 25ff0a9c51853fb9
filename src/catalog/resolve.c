/*-------------------------------------------------------------------------
 * resolve.c
 *	  From a reference to a version, and from a version to its image.
 *
 * Everything is read with the snapshot that the caller gives; only whether the anchor is
 * there comes from the system cache, as for any object of PostgreSQL.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"

#include "catalog/catalog.h"
#include "catalog/model.h"
#include "catalog/resolve.h"
#include "catalog/tables.h"

static void
report_malformed(const char *reference)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_NAME),
			 errmsg("\"%s\" is not a reference to a model", reference),
			 errhint("Write \"model\", \"model@version\" or \"model@alias\".")));
}

void
ml_reference_parse(const char *reference, char **name, char **alias, int32 *version)
{
	const char *at;

	if (reference == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("model must not be null")));
	at = strchr(reference, '@');
	*alias = NULL;
	*version = 0;
	*name = at != NULL ? pnstrdup(reference, at - reference) : pstrdup(reference);
	ml_model_check_name(*name);
	if (at == NULL)
		return;
	at++;
	if (*at != '\0' && strspn(at, "0123456789") == strlen(at))
	{
		long long	number;

		/* No number of more than ten digits is a version. */
		if (strlen(at) > 10 || (number = atoll(at)) < 1 || number > PG_INT32_MAX)
			report_malformed(reference);
		*version = (int32) number;
		return;
	}
	if (*at == '\0' || strchr(at, '@') != NULL)
		report_malformed(reference);
	ml_alias_check_name(at);
	*alias = pstrdup(at);
}

static bool
word_well_formed(const char *word, size_t length)
{
	bool		blank = true;

	if (length == 0 || length >= NAMEDATALEN)
		return false;
	for (size_t i = 0; i < length; i++)
	{
		if ((unsigned char) word[i] < ' ' || word[i] == 0x7f || word[i] == '@')
			return false;
		blank = blank && word[i] == ' ';
	}
	return !blank;
}

bool
ml_reference_well_formed(const char *reference)
{
	const char *at = strchr(reference, '@');
	size_t		length;

	if (at == NULL)
		return word_well_formed(reference, strlen(reference));
	if (!word_well_formed(reference, at - reference))
		return false;
	length = strlen(++at);
	if (length > 0 && strspn(at, "0123456789") == length)
		return length <= 10 && atoll(at) >= 1 && atoll(at) <= PG_INT32_MAX;
	return word_well_formed(at, length);
}

static void
fill(MlResolved *resolved, const MlVersionRow *row)
{
	resolved->model_id = row->model_id;
	resolved->version_id = row->version_id;
	resolved->version = row->version;
	resolved->xmin[2] = row->xmin;
	resolved->bytes = row->bytes;
	memcpy(resolved->checksum, row->checksum, sizeof(resolved->checksum));
}

/* From a model's row on: by alias, or by version number where that is not 0. */
static MlResolveResult
resolve_below(const MlModelRow *model, const char *alias, int32 version, Snapshot snapshot, MlResolved *resolved)
{
	MlVersionRow row;
	int64		version_id;

	if (!OidIsValid(ml_model_owner(model->model_id)))
		return ML_NO_MODEL;
	resolved->model_id = model->model_id;
	resolved->xmin[0] = model->xmin;
	strlcpy(resolved->name, NameStr(model->name), sizeof(resolved->name));
	if (version > 0)
	{
		if (!ml_version_read(model->model_id, version, snapshot, &row))
			return ML_NO_VERSION;
	}
	else
	{
		if (!ml_alias_read(model->model_id, alias != NULL ? alias : ML_PRODUCTION, snapshot,
						   &version_id, &resolved->xmin[1]))
			return alias != NULL && strcmp(alias, ML_PRODUCTION) != 0 ? ML_NO_VERSION : ML_NOT_DEPLOYED;
		if (!ml_version_read_id(version_id, snapshot, &row))
			return ML_NO_VERSION;
	}
	fill(resolved, &row);
	return ML_RESOLVED;
}

MlResolveResult
ml_resolve(const char *reference, Snapshot snapshot, MlResolved *resolved)
{
	char	   *name;
	char	   *alias;
	int32		version;
	MlModelRow	model;

	ml_reference_parse(reference, &name, &alias, &version);
	memset(resolved, 0, sizeof(MlResolved));
	if (!ml_model_read(name, snapshot, &model))
		return ML_NO_MODEL;
	return resolve_below(&model, alias, version, snapshot, resolved);
}

MlResolveResult
ml_resolve_model(int64 model_id, const char *alias, Snapshot snapshot, MlResolved *resolved)
{
	MlModelRow	model;

	memset(resolved, 0, sizeof(MlResolved));
	if (!ml_model_read_id(model_id, snapshot, &model))
		return ML_NO_MODEL;
	return resolve_below(&model, alias, 0, snapshot, resolved);
}

MlResolveResult
ml_resolve_version(int64 version_id, Snapshot snapshot, MlResolved *resolved)
{
	MlVersionRow row;
	MlModelRow	model;

	memset(resolved, 0, sizeof(MlResolved));
	if (!ml_version_read_id(version_id, snapshot, &row))
		return ML_NO_VERSION;
	if (!OidIsValid(ml_model_owner(row.model_id)) || !ml_model_read_id(row.model_id, snapshot, &model))
		return ML_NO_MODEL;
	resolved->xmin[0] = model.xmin;
	strlcpy(resolved->name, NameStr(model.name), sizeof(resolved->name));
	fill(resolved, &row);
	return ML_RESOLVED;
}

void
ml_resolve_report(MlResolveResult result, const char *reference)
{
	char	   *name;
	char	   *alias;
	int32		version;

	ml_reference_parse(reference, &name, &alias, &version);
	switch (result)
	{
		case ML_NOT_DEPLOYED:
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("model \"%s\" has no version in production", name),
					 errhint("Put one into production with ml_deploy(), or name one as \"model@version\".")));
			break;
		case ML_NO_VERSION:
			if (version > 0)
				ereport(ERROR,
						(errcode(ERRCODE_UNDEFINED_OBJECT),
						 errmsg("model \"%s\" has no version %d", name, version),
						 errhint("The view ml_versions lists the versions.")));
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("model \"%s\" has no alias \"%s\"", name, alias != NULL ? alias : ML_PRODUCTION),
					 errhint("The view ml_deployments lists the aliases.")));
			break;
		case ML_NO_MODEL:
			ml_model_report_missing(name);
			break;
		case ML_RESOLVED:
			break;
	}
	elog(ERROR, "nothing to report about \"%s\"", reference);
}

static void
report_damaged(int64 version_id, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("stored model is damaged: %s", what),
			 errdetail("It is the image with version_id " INT64_FORMAT ".", version_id),
			 errhint("Train the model again, or restore mlplat's tables from a backup.")));
}

/*
 * One pass over the chunks of an image, in order.  With image NULL it only adds up
 * their lengths, which needs none of their bytes; a damaged length must not make us allocate.
 */
static size_t
read_chunks(int64 version_id, Snapshot snapshot, uint8 *image, size_t length)
{
	Oid			index;
	Relation	relation = ml_catalog_open("chunk", "chunk_pkey", &index);
	Relation	index_relation = index_open(index, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	size_t		filled = 0;
	int32		expected = 0;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(version_id));
	scan = systable_beginscan_ordered(relation, index_relation, snapshot, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
	{
		bool		null;
		int32		chunk = DatumGetInt32(heap_getattr(tuple, 2, RelationGetDescr(relation), &null));
		Datum		value = heap_getattr(tuple, 3, RelationGetDescr(relation), &null);
		size_t		size = toast_raw_datum_size(value) - VARHDRSZ;

		CHECK_FOR_INTERRUPTS();
		if (chunk != expected)
			report_damaged(version_id, chunk > expected ? "a chunk is missing" : "a chunk is there twice");
		if (size > length - filled)
			report_damaged(version_id, "it is longer than stated");
		if (image != NULL)
		{
			bytea	   *data = DatumGetByteaPP(value);

			if (VARSIZE_ANY_EXHDR(data) != size)
				report_damaged(version_id, "a chunk has another length than it says");
			memcpy(image + filled, VARDATA_ANY(data), size);
			if ((Pointer) data != DatumGetPointer(value))
				pfree(data);
		}
		filled += size;
		expected++;
	}
	systable_endscan_ordered(scan);
	index_close(index_relation, AccessShareLock);
	table_close(relation, AccessShareLock);
	return filled;
}

uint8 *
ml_read_image(int64 version_id, Snapshot snapshot, int64 bytes, size_t *length)
{
	uint8	   *image;

	if (bytes < 0 || (uint64) bytes > MaxAllocHugeSize)
		report_damaged(version_id, "its stated length is impossible");
	if (read_chunks(version_id, snapshot, NULL, (size_t) bytes) != (size_t) bytes)
		report_damaged(version_id, "it is shorter than stated");
	image = MemoryContextAllocHuge(CurrentMemoryContext, Max(bytes, 1));
	*length = read_chunks(version_id, snapshot, image, (size_t) bytes);
	return image;
}

Oid
ml_resolve_relation(void)
{
	return ml_catalog_relation("deployment");
}
