/*-------------------------------------------------------------------------
 * version.c
 *	  Rows of mlplat.version and the tables that hang on it.
 *
 * What comes in thousands of rows (history, ROC points, confusion) goes in as
 * arrays, one statement for all rows.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "catalog/catalog.h"
#include "catalog/tables.h"
#include "catalog/version.h"

/* Parameters of one statement, in the order they are added. */
#define MAX_PARAMETERS 40

typedef struct Parameters
{
	int			count;
	Oid			types[MAX_PARAMETERS];
	Datum		values[MAX_PARAMETERS];
	char		nulls[MAX_PARAMETERS + 1];
} Parameters;

static void
add(Parameters *parameters, Oid type, Datum value, bool null)
{
	Assert(parameters->count < MAX_PARAMETERS);
	parameters->types[parameters->count] = type;
	parameters->values[parameters->count] = value;
	parameters->nulls[parameters->count] = null ? 'n' : ' ';
	parameters->count++;
}

static void
add_text(Parameters *parameters, const char *text)
{
	add(parameters, TEXTOID, text != NULL ? CStringGetTextDatum(text) : (Datum) 0, text == NULL);
}

static void
add_int8(Parameters *parameters, int64 value)
{
	add(parameters, INT8OID, Int64GetDatum(value), false);
}

static void
add_float8(Parameters *parameters, double value)
{
	add(parameters, FLOAT8OID, Float8GetDatum(value), isnan(value));
}

static ArrayType *
text_array(int count, char **texts)
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(count, 1));

	for (int i = 0; i < count; i++)
		elements[i] = CStringGetTextDatum(texts[i]);
	return construct_array(elements, count, TEXTOID, -1, false, TYPALIGN_INT);
}

static void
add_texts(Parameters *parameters, int count, char **texts)
{
	add(parameters, TEXTARRAYOID, PointerGetDatum(text_array(count, texts)), false);
}

static uint64
execute(const char *sql, Parameters *parameters)
{
	return ml_catalog_execute(sql, parameters->count, parameters->types, parameters->values, parameters->nulls, false);
}

static int64
result_int8(void)
{
	bool		null;

	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null));
}

int64
ml_version_insert(const MlVersion *version, int32 *number)
{
	Parameters	p = {0};
	Parameters	next = {0};
	int64		version_id;

	SPI_connect();
	add_int8(&next, version->model_id);
	if (execute("UPDATE mlplat.model SET last_version = last_version OPERATOR(pg_catalog.+) 1"
				" WHERE model_id OPERATOR(pg_catalog.=) $1 RETURNING last_version::pg_catalog.int8", &next) != 1)
		elog(ERROR, "model " INT64_FORMAT " vanished while it was locked", version->model_id);
	*number = (int32) result_int8();

	add_int8(&p, version->model_id);
	add(&p, INT4OID, Int32GetDatum(*number), false);
	add_text(&p, version->algorithm);
	add_text(&p, version->task);
	add_text(&p, version->params);
	add_texts(&p, version->n_features, version->features);
	add_text(&p, version->target);
	add_text(&p, version->target_type);
	if (version->n_classes > 0)
		add_texts(&p, version->n_classes, version->classes);
	else
		add(&p, TEXTARRAYOID, (Datum) 0, true);
	add_int8(&p, version->rows);
	add_int8(&p, version->rows_without_target);
	add_int8(&p, version->rows_train);
	add_int8(&p, version->rows_validation);
	add_int8(&p, version->rows_test);
	add_text(&p, version->metric);
	add_float8(&p, version->score);
	add_float8(&p, version->train_seconds);
	add_float8(&p, version->read_seconds);
	add_int8(&p, version->peak_memory);
	add_int8(&p, version->bytes);
	add_text(&p, version->checksum);
	add_text(&p, version->request);
	add_text(&p, version->source_relation);
	add_texts(&p, version->n_source_columns, version->source_columns);
	add_text(&p, version->source_query);
	add_text(&p, version->data_hash);
	add_text(&p, version->snapshot);
	add_text(&p, MLPLAT_VERSION);
	add_text(&p, version->blas);
	add(&p, INT4OID, Int32GetDatum(version->parent_version), version->parent_version == 0);
	add(&p, INT8OID, Int64GetDatum(version->job), version->job == 0);
	add_texts(&p, version->n_warnings, version->warnings);
	add_text(&p, ml_catalog_user_name());
	add_text(&p, version->note);
	add_texts(&p, version->n_segment_columns, version->segment_by);
	add_texts(&p, version->n_segment_columns, version->segment_kinds);
	add_int8(&p, version->model_memory);
	add_float8(&p, version->predict_microseconds);
	execute("INSERT INTO mlplat.version (model_id, version, algorithm, task, params, features, target, target_type,"
			" classes, rows, rows_without_target, rows_train, rows_validation, rows_test, metric, score,"
			" train_seconds, read_seconds, peak_memory, bytes, checksum, request, source_relation, source_columns,"
			" source_query, data_hash, snapshot, library_version, blas, parent_version, job, warnings, created_by, note,"
			" segment_by, segment_kinds, model_memory, predict_microseconds)"
			" VALUES ($1, $2, $3, $4, $5::pg_catalog.jsonb, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,"
			" $17, $18, $19, $20, $21, $22::pg_catalog.jsonb, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38)"
			" RETURNING version_id", &p);
	version_id = result_int8();
	SPI_finish();
	return version_id;
}

void
ml_version_add_image(int64 version_id, const uint8 *image, size_t length)
{
	int32		chunk = 0;

	for (size_t offset = 0; offset < length; offset += ML_CHUNK_BYTES, chunk++)
	{
		size_t		size = Min(length - offset, ML_CHUNK_BYTES);
		bytea	   *data = palloc(VARHDRSZ + size);
		Parameters	p = {0};

		CHECK_FOR_INTERRUPTS();
		SET_VARSIZE(data, VARHDRSZ + size);
		memcpy(VARDATA(data), image + offset, size);
		SPI_connect();
		add_int8(&p, version_id);
		add(&p, INT4OID, Int32GetDatum(chunk), false);
		add(&p, BYTEAOID, PointerGetDatum(data), false);
		execute("INSERT INTO mlplat.chunk (version_id, chunk, data) VALUES ($1, $2, $3)", &p);
		SPI_finish();
		pfree(data);
	}
}

/* Columns of many rows, filled one element at a time. */
typedef struct Elements
{
	Datum	   *values;
	bool	   *nulls;
	int			count;
} Elements;

static void
elements_init(Elements *elements, int capacity)
{
	elements->values = palloc_extended(sizeof(Datum) * Max(capacity, 1), MCXT_ALLOC_HUGE);
	elements->nulls = palloc_extended(sizeof(bool) * Max(capacity, 1), MCXT_ALLOC_HUGE);
	elements->count = 0;
}

static void
push(Elements *elements, Datum value, bool null)
{
	elements->values[elements->count] = value;
	elements->nulls[elements->count] = null;
	elements->count++;
}

static void
push_float8(Elements *elements, double value)
{
	push(elements, Float8GetDatum(value), isnan(value));
}

static void
add_elements(Parameters *parameters, Oid array_type, Elements *elements, Oid type, int16 length, bool by_value, char align)
{
	int			dims[1] = {elements->count};
	int			lower[1] = {1};

	add(parameters, array_type,
		PointerGetDatum(construct_md_array(elements->values, elements->nulls, 1, dims, lower, type, length, by_value, align)), false);
}

static void
add_text_elements(Parameters *p, Elements *elements)
{
	add_elements(p, TEXTARRAYOID, elements, TEXTOID, -1, false, TYPALIGN_INT);
}

static void
add_float8_elements(Parameters *p, Elements *elements)
{
	add_elements(p, FLOAT8ARRAYOID, elements, FLOAT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
}

static void
add_int8_elements(Parameters *p, Elements *elements)
{
	add_elements(p, INT8ARRAYOID, elements, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
}

void
ml_version_add_metrics(int64 version_id, const char *split, int count, const MlMetric *metrics)
{
	Elements	name,
				value;
	Parameters	p = {0};

	if (count == 0)
		return;
	SPI_connect();
	elements_init(&name, count);
	elements_init(&value, count);
	for (int i = 0; i < count; i++)
	{
		push(&name, CStringGetTextDatum(metrics[i].name), false);
		push_float8(&value, metrics[i].value);
	}
	add_int8(&p, version_id);
	add_text(&p, split);
	add_text_elements(&p, &name);
	add_float8_elements(&p, &value);
	execute("INSERT INTO mlplat.metric (version_id, split, metric, value)"
			" SELECT $1, $2, m.metric, m.value"
			" FROM ROWS FROM (pg_catalog.unnest($3), pg_catalog.unnest($4)) AS m (metric, value)", &p);
	SPI_finish();
}

void
ml_version_add_confusion(int64 version_id, const char *split, int n_classes, char **classes, const int64 *counts)
{
	Elements	actual,
				predicted,
				rows;
	Parameters	p = {0};
	int			cells = 0;

	for (size_t i = 0; i < (size_t) n_classes * n_classes; i++)
		cells += counts[i] != 0;
	if (cells == 0)
		return;
	SPI_connect();
	elements_init(&actual, cells);
	elements_init(&predicted, cells);
	elements_init(&rows, cells);
	for (int a = 0; a < n_classes; a++)
	{
		CHECK_FOR_INTERRUPTS();
		for (int b = 0; b < n_classes; b++)
		{
			int64		count = counts[(size_t) a * n_classes + b];

			if (count == 0)
				continue;
			push(&actual, CStringGetTextDatum(classes[a]), false);
			push(&predicted, CStringGetTextDatum(classes[b]), false);
			push(&rows, Int64GetDatum(count), false);
		}
	}
	add_int8(&p, version_id);
	add_text(&p, split);
	add_text_elements(&p, &actual);
	add_text_elements(&p, &predicted);
	add_int8_elements(&p, &rows);
	execute("INSERT INTO mlplat.confusion (version_id, split, actual, predicted, rows)"
			" SELECT $1, $2, c.actual, c.predicted, c.rows"
			" FROM ROWS FROM (pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5)) AS c (actual, predicted, rows)", &p);
	SPI_finish();
}

void
ml_version_add_roc(int64 version_id, int count, const MlRocPoint *points)
{
	Elements	threshold,
				fpr,
				tpr;
	Parameters	p = {0};

	if (count == 0)
		return;
	SPI_connect();
	elements_init(&threshold, count);
	elements_init(&fpr, count);
	elements_init(&tpr, count);
	for (int i = 0; i < count; i++)
	{
		push(&threshold, Float8GetDatum(points[i].threshold), false);
		push(&fpr, Float8GetDatum(points[i].fpr), false);
		push(&tpr, Float8GetDatum(points[i].tpr), false);
	}
	add_int8(&p, version_id);
	add_float8_elements(&p, &threshold);
	add_float8_elements(&p, &fpr);
	add_float8_elements(&p, &tpr);
	execute("INSERT INTO mlplat.roc (version_id, point, threshold, fpr, tpr)"
			" SELECT $1, r.point, r.threshold, r.fpr, r.tpr"
			" FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4))"
			" WITH ORDINALITY AS r (threshold, fpr, tpr, point)", &p);
	SPI_finish();
}

void
ml_version_add_history(int64 version_id, int count, const MlHistory *entries)
{
	Elements	iteration,
				split,
				metric,
				value;
	Parameters	p = {0};

	if (count == 0)
		return;
	SPI_connect();
	elements_init(&iteration, count);
	elements_init(&split, count);
	elements_init(&metric, count);
	elements_init(&value, count);
	for (int i = 0; i < count; i++)
	{
		push(&iteration, Int64GetDatum(entries[i].iteration), false);
		push(&split, CStringGetTextDatum(entries[i].split), false);
		push(&metric, CStringGetTextDatum(entries[i].metric), false);
		push_float8(&value, entries[i].value);
	}
	add_int8(&p, version_id);
	add_int8_elements(&p, &iteration);
	add_text_elements(&p, &split);
	add_text_elements(&p, &metric);
	add_float8_elements(&p, &value);
	execute("INSERT INTO mlplat.history (version_id, iteration, split, metric, value)"
			" SELECT $1, h.iteration, h.split, h.metric, h.value"
			" FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5))"
			" AS h (iteration, split, metric, value)"
			" ON CONFLICT DO NOTHING", &p);
	SPI_finish();
}

bool
ml_version_latest(int64 model_id, int64 *version_id, int32 *version)
{
	Parameters	p = {0};
	bool		found;
	bool		null;

	SPI_connect();
	add_int8(&p, model_id);
	found = execute("SELECT version_id, version FROM mlplat.version WHERE model_id OPERATOR(pg_catalog.=) $1"
					" ORDER BY version DESC LIMIT 1", &p) > 0;
	if (found)
	{
		*version_id = result_int8();
		*version = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &null));
	}
	SPI_finish();
	return found;
}

bool
ml_version_find(int64 model_id, int32 version, int64 *version_id)
{
	MlVersionRow row;
	bool		found;

	ml_catalog_push_snapshot();
	found = ml_version_read(model_id, version, GetActiveSnapshot(), &row);
	PopActiveSnapshot();
	if (found)
		*version_id = row.version_id;
	return found;
}

int32
ml_version_number(int64 version_id)
{
	MlVersionRow row;
	bool		found;

	ml_catalog_push_snapshot();
	found = ml_version_read_id(version_id, GetActiveSnapshot(), &row);
	PopActiveSnapshot();
	return found ? row.version : 0;
}

int
ml_version_metrics(int64 version_id, const char *split, MlMetric **metrics)
{
	MemoryContext caller = CurrentMemoryContext;
	Parameters	p = {0};
	int			count;

	SPI_connect();
	add_int8(&p, version_id);
	add_text(&p, split);
	count = (int) execute("SELECT metric, value FROM mlplat.metric"
						  " WHERE version_id OPERATOR(pg_catalog.=) $1 AND split OPERATOR(pg_catalog.=) $2"
						  " ORDER BY metric", &p);
	*metrics = MemoryContextAllocZero(caller, sizeof(MlMetric) * Max(count, 1));
	for (int i = 0; i < count; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		bool		null;
		Datum		value = SPI_getbinval(tuple, SPI_tuptable->tupdesc, 2, &null);

		(*metrics)[i].name = MemoryContextStrdup(caller, SPI_getvalue(tuple, SPI_tuptable->tupdesc, 1));
		(*metrics)[i].value = null ? NAN : DatumGetFloat8(value);
	}
	SPI_finish();
	return count;
}

/* Tables whose rows belong to a version. */
static const char *const detail_tables[] = {"chunk", "segment", "metric", "confusion", "roc", "history"};

/* Deletes versions (an array of ids) with all that hangs on them; between SPI_connect() and SPI_finish(). */
static void
delete_versions(Datum ids)
{
	for (int i = 0; i < lengthof(detail_tables); i++)
	{
		Parameters	p = {0};

		CHECK_FOR_INTERRUPTS();
		add(&p, INT8ARRAYOID, ids, false);
		execute(psprintf("DELETE FROM mlplat.%s WHERE version_id OPERATOR(pg_catalog.=) ANY ($1)", detail_tables[i]), &p);
	}
}

void
ml_version_delete(int64 version_id)
{
	Parameters	p = {0};
	Datum		id = Int64GetDatum(version_id);

	SPI_connect();
	add_int8(&p, version_id);
	execute("DELETE FROM mlplat.version WHERE version_id OPERATOR(pg_catalog.=) $1", &p);
	delete_versions(PointerGetDatum(construct_array(&id, 1, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)));
	execute("DELETE FROM mlplat.function WHERE version_id OPERATOR(pg_catalog.=) $1", &p);
	SPI_finish();
}

void
ml_version_delete_all(int64 model_id)
{
	Parameters	p = {0};
	Datum		ids;
	bool		null;

	SPI_connect();
	add_int8(&p, model_id);
	execute("WITH v AS (DELETE FROM mlplat.version WHERE model_id OPERATOR(pg_catalog.=) $1 RETURNING version_id)"
			" SELECT pg_catalog.array_agg(version_id) FROM v", &p);
	ids = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null);
	if (!null)
		delete_versions(ids);
	SPI_finish();
}
