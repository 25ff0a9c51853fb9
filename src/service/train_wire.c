/*-------------------------------------------------------------------------
 * train_wire.c
 *	  Requests and outcomes on their way between processes and into tables.
 *
 * A request is a JSON object: readable in mlplat.version.request, exact (a
 * double is printed with as many digits as bring it back), and stable when a
 * later version adds a key.  An outcome is flat bytes that live for the length
 * of one run; both ends are the same library.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "common/shortest_dec.h"
#include "service/train.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

/* -- request ---------------------------------------------------------------- */

static void
put_key(StringInfo out, const char *key)
{
	appendStringInfoString(out, out->len == 1 ? "" : ", ");
	escape_json(out, key);
	appendStringInfoString(out, ": ");
}

static void
put_text(StringInfo out, const char *key, const char *value)
{
	if (value == NULL)
		return;
	put_key(out, key);
	escape_json(out, value);
}

static void
put_names(StringInfo out, const char *key, List *names)
{
	ListCell   *lc;

	put_key(out, key);
	appendStringInfoChar(out, '[');
	foreach(lc, names)
	{
		if (foreach_current_index(lc) > 0)
			appendStringInfoString(out, ", ");
		escape_json(out, lfirst(lc));
	}
	appendStringInfoChar(out, ']');
}

static void
put_double(StringInfo out, const char *key, double value)
{
	char		text[DOUBLE_SHORTEST_DECIMAL_LEN];

	put_key(out, key);
	double_to_shortest_decimal_buf(value, text);
	appendStringInfoString(out, text);
}

static void
put_int(StringInfo out, const char *key, int64 value)
{
	put_key(out, key);
	appendStringInfo(out, INT64_FORMAT, value);
}

char *
ml_train_request_json(const MlTrainRequest *request)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoChar(&out, '{');
	put_text(&out, "algorithm", request->algorithm);
	put_text(&out, "source", request->source);
	put_text(&out, "target", request->target);
	put_text(&out, "model", request->model);
	if (request->features_given)
		put_names(&out, "features", request->features);
	if (request->exclude != NIL)
		put_names(&out, "exclude", request->exclude);
	if (request->params != NULL)
	{
		/* An object inside the object, so that whoever reads it in SQL can go on with ->. */
		put_key(&out, "params");
		appendStringInfoString(&out, request->params);
	}
	if (request->transform != NULL)
	{
		put_key(&out, "transform");
		appendStringInfoString(&out, request->transform);
	}
	put_text(&out, "id", request->id);
	put_text(&out, "weight", request->weight);
	put_text(&out, "split", request->split);
	put_double(&out, "holdout", request->holdout);
	put_double(&out, "validation", request->validation);
	put_text(&out, "split_by", request->split_by);
	if (request->segment_by != NIL)
	{
		put_names(&out, "segment_by", request->segment_by);
		put_int(&out, "segment_min_rows", request->segment_min_rows);
	}
	put_text(&out, "class_weight", request->class_weight);
	put_int(&out, "seed", request->seed);
	if (request->max_seconds > 0)
		put_double(&out, "max_seconds", request->max_seconds);
	put_text(&out, "deploy", request->deploy);
	put_text(&out, "note", request->note);
	if (request->parent_version > 0)
		put_int(&out, "parent_version", request->parent_version);
	if (request->job > 0)
		put_int(&out, "job", request->job);
	if (request->priority != 0)
		put_int(&out, "priority", request->priority);
	if (request->rival_version > 0)
	{
		put_int(&out, "rival_version", request->rival_version);
		put_int(&out, "rival_version_id", request->rival_version_id);
	}
	appendStringInfoChar(&out, '}');
	return out.data;
}

static void
bad_request(const char *key)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("stored training request is damaged"),
			 errdetail("The value of \"%s\" is not of the expected type.", key)));
}

static JsonbValue *
get_value(Jsonb *object, const char *key, JsonbValue *room)
{
	JsonbValue *value = getKeyJsonValueFromContainer(&object->root, key, strlen(key), room);

	return value == NULL || value->type == jbvNull ? NULL : value;
}

static char *
get_text(Jsonb *object, const char *key)
{
	JsonbValue	room;
	JsonbValue *value = get_value(object, key, &room);

	if (value == NULL)
		return NULL;
	if (value->type != jbvString)
		bad_request(key);
	return pnstrdup(value->val.string.val, value->val.string.len);
}

static double
get_double(Jsonb *object, const char *key)
{
	JsonbValue	room;
	JsonbValue *value = get_value(object, key, &room);

	if (value == NULL)
		return 0;
	if (value->type != jbvNumeric)
		bad_request(key);
	return DatumGetFloat8(DirectFunctionCall1(numeric_float8, NumericGetDatum(value->val.numeric)));
}

static int64
get_int(Jsonb *object, const char *key)
{
	JsonbValue	room;
	JsonbValue *value = get_value(object, key, &room);

	if (value == NULL)
		return 0;
	if (value->type != jbvNumeric)
		bad_request(key);
	return DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(value->val.numeric)));
}

static List *
get_names(Jsonb *object, const char *key, bool *given)
{
	JsonbValue	room;
	JsonbValue *value = get_value(object, key, &room);
	List	   *names = NIL;

	if (given != NULL)
		*given = value != NULL;
	if (value == NULL)
		return NIL;
	if (value->type != jbvBinary || !JsonContainerIsArray(value->val.binary.data))
		bad_request(key);
	for (uint32 i = 0; i < JsonContainerSize(value->val.binary.data); i++)
	{
		JsonbValue *name = getIthJsonbValueFromContainer(value->val.binary.data, i);

		if (name->type != jbvString)
			bad_request(key);
		names = lappend(names, pnstrdup(name->val.string.val, name->val.string.len));
	}
	return names;
}

MlTrainRequest *
ml_train_request_parse(const char *json)
{
	MlTrainRequest *request = palloc0(sizeof(MlTrainRequest));
	Jsonb	   *object = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
	JsonbValue	room;
	JsonbValue *params;
	JsonbValue *transform;

	if (!JB_ROOT_IS_OBJECT(object))
		bad_request("");
	request->algorithm = get_text(object, "algorithm");
	request->source = get_text(object, "source");
	request->target = get_text(object, "target");
	request->model = get_text(object, "model");
	request->features = get_names(object, "features", &request->features_given);
	request->exclude = get_names(object, "exclude", NULL);
	params = get_value(object, "params", &room);
	if (params != NULL)
		request->params = JsonbToCString(NULL, &JsonbValueToJsonb(params)->root, 0);
	transform = get_value(object, "transform", &room);
	if (transform != NULL)
		request->transform = JsonbToCString(NULL, &JsonbValueToJsonb(transform)->root, 0);
	request->id = get_text(object, "id");
	request->weight = get_text(object, "weight");
	request->split = get_text(object, "split");
	request->holdout = get_double(object, "holdout");
	request->validation = get_double(object, "validation");
	request->split_by = get_text(object, "split_by");
	request->segment_by = get_names(object, "segment_by", NULL);
	request->segment_min_rows = (int32) get_int(object, "segment_min_rows");
	request->class_weight = get_text(object, "class_weight");
	request->seed = get_int(object, "seed");
	request->max_seconds = get_double(object, "max_seconds");
	request->deploy = get_text(object, "deploy");
	request->note = get_text(object, "note");
	request->parent_version = (int32) get_int(object, "parent_version");
	request->job = get_int(object, "job");
	request->priority = (int) get_int(object, "priority");
	request->rival_version = (int32) get_int(object, "rival_version");
	request->rival_version_id = get_int(object, "rival_version_id");
	return request;
}

/* -- outcome ---------------------------------------------------------------- */

static void
put_bytes(StringInfo out, const void *data, Size length)
{
	appendBinaryStringInfo(out, data, length);
}

#define PUT(out, field) put_bytes(out, &(field), sizeof(field))

static void
put_string(StringInfo out, const char *text)
{
	uint32		length = text == NULL ? PG_UINT32_MAX : (uint32) strlen(text);

	PUT(out, length);
	if (text != NULL)
		put_bytes(out, text, length);
}

static void
put_strings(StringInfo out, int count, char **texts)
{
	PUT(out, count);
	for (int i = 0; i < count; i++)
		put_string(out, texts[i]);
}

typedef struct Reader
{
	const char *bytes;
	Size		left;
} Reader;

static void
get_bytes(Reader *in, void *data, Size length)
{
	if (length > in->left)
		elog(ERROR, "outcome of a training run is cut short");
	memcpy(data, in->bytes, length);
	in->bytes += length;
	in->left -= length;
}

#define GET(in, field) get_bytes(in, &(field), sizeof(field))

/* A count of things that take at least size bytes each, checked before anybody allocates. */
static int
get_count(Reader *in, Size size)
{
	int			count;

	GET(in, count);
	if (count < 0 || (Size) count > in->left / size)
		elog(ERROR, "outcome of a training run has a wrong count");
	return count;
}

static char *
get_string(Reader *in)
{
	uint32		length;
	char	   *text;

	GET(in, length);
	if (length == PG_UINT32_MAX)
		return NULL;
	if (length > in->left)
		elog(ERROR, "outcome of a training run is cut short");
	text = palloc((Size) length + 1);
	get_bytes(in, text, length);
	text[length] = '\0';
	return text;
}

static char **
get_strings(Reader *in, int *count)
{
	char	  **texts;

	*count = get_count(in, sizeof(uint32));
	texts = palloc0(sizeof(char *) * Max(*count, 1));
	for (int i = 0; i < *count; i++)
		texts[i] = get_string(in);
	return texts;
}

/* Names and flags travel; a static string of the sender is a copy at the receiver. */
static void
put_metrics(StringInfo out, int count, const MlMetric *metrics)
{
	PUT(out, count);
	for (int i = 0; i < count; i++)
	{
		put_string(out, metrics[i].name);
		PUT(out, metrics[i].value);
		PUT(out, metrics[i].higher_is_better);
	}
}

static int
get_metrics(Reader *in, MlMetric *metrics)
{
	int			count = get_count(in, sizeof(uint32));

	if (count > ML_MAX_METRICS)
		elog(ERROR, "outcome of a training run has a wrong count");
	for (int i = 0; i < count; i++)
	{
		metrics[i].name = get_string(in);
		GET(in, metrics[i].value);
		GET(in, metrics[i].higher_is_better);
	}
	return count;
}

static void
put_history(StringInfo out, int count, const MlHistory *history)
{
	PUT(out, count);
	for (int i = 0; i < count; i++)
	{
		PUT(out, history[i].iteration);
		put_string(out, history[i].split);
		put_string(out, history[i].metric);
		PUT(out, history[i].value);
	}
}

static MlHistory *
get_history(Reader *in, int *count)
{
	MlHistory  *history;

	*count = get_count(in, sizeof(uint32));
	history = palloc0(sizeof(MlHistory) * Max(*count, 1));
	for (int i = 0; i < *count; i++)
	{
		GET(in, history[i].iteration);
		history[i].split = get_string(in);
		history[i].metric = get_string(in);
		GET(in, history[i].value);
	}
	return history;
}

static void
put_confusion(StringInfo out, int n_classes, const int64 *confusion)
{
	bool		there = confusion != NULL;

	PUT(out, there);
	if (there)
		put_bytes(out, confusion, sizeof(int64) * n_classes * n_classes);
}

static int64 *
get_confusion(Reader *in, int n_classes)
{
	Size		bytes = sizeof(int64) * n_classes * n_classes;
	bool		there;
	int64	   *confusion;

	GET(in, there);
	if (!there)
		return NULL;
	if (bytes > in->left)
		elog(ERROR, "outcome of a training run is cut short");
	confusion = palloc(Max(bytes, 1));
	get_bytes(in, confusion, bytes);
	return confusion;
}

static void
put_segments(StringInfo out, const MlTrainOutcome *outcome)
{
	put_strings(out, outcome->n_segment_columns, outcome->segment_by);
	put_strings(out, outcome->n_segment_columns, outcome->segment_kinds);
	PUT(out, outcome->n_segments);
	for (int i = 0; i < outcome->n_segments; i++)
	{
		const MlSegmentEntry *entry = &outcome->segments[i];

		for (int c = 0; c < outcome->n_segment_columns; c++)
			put_string(out, entry->key[c]);
		PUT(out, entry->rows);
		PUT(out, entry->score);
		put_string(out, entry->error);
		PUT(out, entry->image_length);
	}
}

static void
get_segments(Reader *in, MlTrainOutcome *outcome)
{
	int			n_kinds;

	outcome->segment_by = get_strings(in, &outcome->n_segment_columns);
	outcome->segment_kinds = get_strings(in, &n_kinds);
	outcome->n_segments = get_count(in, sizeof(int64));
	outcome->segments = palloc_extended(sizeof(MlSegmentEntry) * Max(outcome->n_segments, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < outcome->n_segments; i++)
	{
		MlSegmentEntry *entry = &outcome->segments[i];

		entry->segment = i;
		entry->key = palloc(sizeof(char *) * Max(outcome->n_segment_columns, 1));
		for (int c = 0; c < outcome->n_segment_columns; c++)
			entry->key[c] = get_string(in);
		GET(in, entry->rows);
		GET(in, entry->score);
		entry->error = get_string(in);
		GET(in, entry->image_length);
		outcome->segment_bytes += entry->image_length;
	}
}

void
ml_train_outcome_place_images(MlTrainOutcome *outcome)
{
	Size		offset = 0;

	for (int i = 0; i < outcome->n_segments; i++)
	{
		MlSegmentEntry *entry = &outcome->segments[i];

		/* No image is empty. */
		entry->image = entry->image_length > 0 ? outcome->segment_images + offset : NULL;
		offset += entry->image_length;
	}
	if (offset != outcome->segment_bytes)
		elog(ERROR, "outcome of a training run has images of %zu bytes instead of %zu", offset, outcome->segment_bytes);
}

void
ml_train_outcome_save(const MlTrainOutcome *outcome, StringInfo out)
{
	PUT(out, outcome->checksum);
	PUT(out, outcome->task);
	PUT(out, outcome->rows);
	PUT(out, outcome->rows_without_target);
	PUT(out, outcome->rows_part);
	put_strings(out, outcome->n_classes, outcome->classes);
	put_strings(out, outcome->n_features, outcome->features);
	put_string(out, outcome->target_type);
	put_string(out, outcome->metric);
	PUT(out, outcome->score);
	PUT(out, outcome->rival_version);
	PUT(out, outcome->rival_score);
	for (int part = 0; part < 3; part++)
	{
		put_metrics(out, outcome->n_metrics[part], outcome->metrics[part]);
		put_confusion(out, outcome->n_classes, outcome->confusion[part]);
	}
	PUT(out, outcome->n_roc);
	put_bytes(out, outcome->roc, sizeof(MlRocPoint) * outcome->n_roc);
	put_history(out, outcome->n_history, outcome->history);
	put_strings(out, outcome->n_warnings, outcome->warnings);
	put_segments(out, outcome);
	put_string(out, outcome->relation);
	put_strings(out, outcome->n_source_columns, outcome->source_columns);
	PUT(out, outcome->data_hash);
	put_string(out, outcome->snapshot);
	put_string(out, outcome->blas);
	PUT(out, outcome->read_seconds);
	PUT(out, outcome->fit_seconds);
	PUT(out, outcome->peak_memory);
	PUT(out, outcome->model_memory);
	PUT(out, outcome->predict_microseconds);
	PUT(out, outcome->threads);
}

MlTrainOutcome *
ml_train_outcome_load(const char *bytes, Size length)
{
	MlTrainOutcome *outcome = palloc0(sizeof(MlTrainOutcome));
	Reader		reader = {bytes, length};
	Reader	   *in = &reader;

	GET(in, outcome->checksum);
	GET(in, outcome->task);
	GET(in, outcome->rows);
	GET(in, outcome->rows_without_target);
	GET(in, outcome->rows_part);
	outcome->classes = get_strings(in, &outcome->n_classes);
	outcome->features = get_strings(in, &outcome->n_features);
	outcome->target_type = get_string(in);
	outcome->metric = get_string(in);
	GET(in, outcome->score);
	GET(in, outcome->rival_version);
	GET(in, outcome->rival_score);
	for (int part = 0; part < 3; part++)
	{
		outcome->n_metrics[part] = get_metrics(in, outcome->metrics[part]);
		outcome->confusion[part] = get_confusion(in, outcome->n_classes);
	}
	outcome->n_roc = get_count(in, sizeof(MlRocPoint));
	outcome->roc = palloc(sizeof(MlRocPoint) * Max(outcome->n_roc, 1));
	get_bytes(in, outcome->roc, sizeof(MlRocPoint) * outcome->n_roc);
	outcome->history = get_history(in, &outcome->n_history);
	outcome->warnings = get_strings(in, &outcome->n_warnings);
	get_segments(in, outcome);
	outcome->relation = get_string(in);
	outcome->source_columns = get_strings(in, &outcome->n_source_columns);
	GET(in, outcome->data_hash);
	outcome->snapshot = get_string(in);
	outcome->blas = get_string(in);
	GET(in, outcome->read_seconds);
	GET(in, outcome->fit_seconds);
	GET(in, outcome->peak_memory);
	GET(in, outcome->model_memory);
	GET(in, outcome->predict_microseconds);
	GET(in, outcome->threads);
	if (in->left != 0)
		elog(ERROR, "outcome of a training run has bytes left over");
	return outcome;
}
