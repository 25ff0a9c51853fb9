/*-------------------------------------------------------------------------
 * rowmap.c
 *	  From the columns of a row to the features of a model, by name.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "pg/names.h"
#include "service/rowmap.h"

/* The schema's loader has seen to it that the elements of an array stand together. */
List *
ml_source_columns(const MlSchema *schema)
{
	List	   *first = NIL;
	const char *last = NULL;

	for (int f = 0; f < schema->n_features; f++)
	{
		const char *column = schema->features[f].source_column;

		if (last == NULL || strcmp(last, column) != 0)
			first = lappend_int(first, f);
		last = column;
	}
	return first;
}

static bool
is_named(const List *names, const char *name)
{
	ListCell   *cell;

	foreach(cell, names)
	{
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	}
	return false;
}

List *
ml_served_columns(const MlServed *served)
{
	const MlSchema *schema = served->model->schema;
	const MlRouting *routing = served->routing;
	List	   *names = NIL;
	ListCell   *cell;

	foreach(cell, ml_source_columns(schema))
		names = lappend(names, unconstify(char *, schema->features[lfirst_int(cell)].source_column));
	for (int i = 0; routing != NULL && i < routing->n_columns; i++)
	{
		if (!is_named(names, routing->name[i]))
			names = lappend(names, routing->name[i]);
	}
	return names;
}

/* A column of what ROW(...) makes: names nobody has given. */
static bool
row_without_names(TupleDesc columns)
{
	if (columns->tdtypeid != RECORDOID || columns->natts == 0)
		return false;
	for (int i = 0; i < columns->natts; i++)
	{
		char		name[NAMEDATALEN];

		snprintf(name, sizeof(name), "f%d", i + 1);
		if (strcmp(NameStr(TupleDescAttr(columns, i)->attname), name) != 0)
			return false;
	}
	return true;
}

/*
 * Where a column stands, -1 where it is not, -2 where it is there twice.  "expected" is tried first: rows mostly
 * come in the order of training, which saves a quadratic search in wide ones.
 */
static int
search_column(TupleDesc columns, const char *name, int expected)
{
	int			found = -1;

	if (columns->tdtypeid != RECORDOID && expected < columns->natts &&
		!TupleDescAttr(columns, expected)->attisdropped &&
		strcmp(NameStr(TupleDescAttr(columns, expected)->attname), name) == 0)
		return expected;
	for (int i = 0; i < columns->natts; i++)
	{
		if (TupleDescAttr(columns, i)->attisdropped || strcmp(NameStr(TupleDescAttr(columns, i)->attname), name) != 0)
			continue;
		if (found >= 0)
			return -2;
		found = i;
	}
	return found;
}

/* How many missing columns an error names. */
#define MAX_MISSING_NAMED 20

int
ml_detail_missing(List *names)
{
	StringInfoData text;
	ListCell   *cell;

	/* A single one is named by the message itself. */
	if (list_length(names) < 2)
		return 0;
	initStringInfo(&text);
	foreach(cell, names)
	{
		if (foreach_current_index(cell) == MAX_MISSING_NAMED)
		{
			appendStringInfo(&text, " and %d more", list_length(names) - MAX_MISSING_NAMED);
			break;
		}
		appendStringInfo(&text, "%s%s", text.len > 0 ? ", " : "", (char *) lfirst(cell));
	}
	return errdetail("Missing are: %s.", text.data);
}

/* Names of all columns that the model needs and the row does not have. */
static List *
missing_columns(const MlServed *served, TupleDesc columns)
{
	List	   *missing = NIL;
	ListCell   *cell;

	foreach(cell, ml_served_columns(served))
	{
		const char *name = lfirst(cell);

		if (search_column(columns, name, 0) == -1)
			missing = lappend(missing, pstrdup(name));
	}
	return missing;
}

static bool
chooses_segment(const MlServed *served, const char *column)
{
	for (int i = 0; served->routing != NULL && i < served->routing->n_columns; i++)
	{
		if (strcmp(served->routing->name[i], column) == 0)
			return true;
	}
	return false;
}

static void
report_missing_column(const MlServed *served, TupleDesc columns, const char *column)
{
	List	   *missing = missing_columns(served, columns);

	if (row_without_names(columns))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("model \"%s\" needs column \"%s\", which the row does not have", served->name, column),
				 errdetail("The columns of ROW(...) have no names, and a model finds its features by name."),
				 errhint("Pass the row of a table, or name the columns: ml_predict(%s, r) FROM (SELECT 1 AS %s, ...) AS r.",
						 quote_literal_cstr(served->resolved.name), quote_identifier(column))));
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("model \"%s\" needs column \"%s\", which the row does not have", served->name, column),
			 ml_detail_missing(missing),
			 chooses_segment(served, column) ?
			 errhint("Its value chooses the model of the row's segment; NULL there leaves the row to the model of all rows.") :
			 errhint("Columns are matched by name; ml_features(%s) lists what the model needs.", quote_literal_cstr(served->name))));
}

static int
find_column(const MlServed *served, TupleDesc columns, const char *name, int expected)
{
	int			found = search_column(columns, name, expected);

	if (found == -2)
		ereport(ERROR,
				(errcode(ERRCODE_AMBIGUOUS_COLUMN),
				 errmsg("column \"%s\" for model \"%s\" is ambiguous", name, served->name),
				 errdetail("The row has more than one column of this name.")));
	if (found < 0)
		report_missing_column(served, columns, name);
	return found;
}

/* Days, seconds and points in time are different numbers, so a time feature wants its own kind. */
static bool
same_time(const char *trained, Oid given)
{
	Oid			known[] = {DATEOID, TIMEOID, TIMESTAMPOID, TIMESTAMPTZOID};
	const char *given_name = ml_type_name(given);

	if (strcmp(trained, given_name) == 0)
		return true;
	if ((given == TIMESTAMPOID || given == TIMESTAMPTZOID) && strncmp(trained, "timestamp", 9) == 0)
		return true;
	/* A type with another name is a domain: its base type is not known any more. */
	for (int i = 0; i < lengthof(known); i++)
	{
		if (strcmp(trained, ml_type_name(known[i])) == 0)
			return false;
	}
	return strncmp(trained, "time", 4) != 0;
}

static bool
type_fits(const MlFeature *feature, const MlConverter *converter)
{
	if (feature->text != NULL)
		return converter->kind == ML_CONVERT_TEXT;
	if (feature->elements > 0)
		return converter->kind == ML_CONVERT_ARRAY;
	if (feature->kind == ML_FEATURE_CATEGORY || feature->buckets > 0)
		return converter->kind == ML_CONVERT_TEXT;
	if (converter->kind != ML_CONVERT_INTEGER && converter->kind != ML_CONVERT_NUMBER)
		return false;
	if (feature->logical == ML_LOGICAL_TIME || converter->logical == ML_LOGICAL_TIME)
		return feature->logical == converter->logical && same_time(feature->type_name, converter->type);
	/* An interval is a number of seconds, which no plain number says. */
	return (converter->type == INTERVALOID) == (strncmp(feature->type_name, "interval", 8) == 0);
}

void
ml_feature_check_type(const MlServed *served, const MlFeature *feature, const MlConverter *converter, Oid type)
{
	if (type_fits(feature, converter))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" for model \"%s\" has type %s, the model was trained on %s",
					feature->source_column, served->name, format_type_be(type), feature->type_name),
			 errhint("Cast the column in a subselect.")));
}

void
ml_report_array_length(const MlServed *served, const MlFeature *feature, int length)
{
	ereport(ERROR,
			(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
			 errmsg("array \"%s\" for model \"%s\" must have %d elements, not %d",
					feature->source_column, served->name, feature->elements, length)));
}

/* Types that the loop over a row reads without a call. */
static Oid
quick_type(const MlMapStep *step)
{
	if (step->text || step->tokenizer != NULL || step->length > 0)
		return InvalidOid;
	switch (step->converter.type)
	{
		case FLOAT8OID:
		case FLOAT4OID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case BOOLOID:
			return step->converter.type;
		default:
			return InvalidOid;
	}
}

static void
collect_elements(MlMapStep *step, const MlSchema *schema, int first)
{
	const char *column = schema->features[first].source_column;

	step->elements = palloc_array(MlElement, schema->n_features - first);
	for (int f = first; f < schema->n_features && strcmp(schema->features[f].source_column, column) == 0; f++)
	{
		step->elements[step->n_elements].position = schema->features[f].element - 1;
		step->elements[step->n_elements].feature = f;
		step->n_elements++;
	}
}

static void
report_key_type(const MlServed *served, const char *name, MlSegmentKind kind, Oid type)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" for model \"%s\" has type %s, its segments are told apart by values of type %s",
					name, served->name, format_type_be(type), ml_segment_kind_name(kind)),
			 errhint("Cast the column in a subselect.")));
}

static void
map_keys(MlRowMap *map, TupleDesc columns)
{
	const MlRouting *routing = map->served->routing;

	if (routing == NULL)
		return;
	map->n_keys = routing->n_columns;
	map->keys = palloc0(sizeof(MlMapKey) * routing->n_columns);
	for (int i = 0; i < routing->n_columns; i++)
	{
		MlMapKey   *key = &map->keys[i];
		Oid			type;

		key->column = find_column(map->served, columns, routing->name[i], 0);
		type = TupleDescAttr(columns, key->column)->atttypid;
		if (!ml_converter_init(&key->converter, type, routing->name[i]) || !ml_segment_kind_fits(routing->kind[i], &key->converter))
			report_key_type(map->served, routing->name[i], routing->kind[i], type);
	}
}

/* What is read, each once: of the features and then of the segment. */
static void
list_columns(MlRowMap *map)
{
	map->columns = palloc(sizeof(int) * Max(map->n_steps + map->n_keys, 1));
	for (int i = 0; i < map->n_steps; i++)
		map->columns[map->n_columns++] = map->steps[i].column;
	for (int i = 0; i < map->n_keys; i++)
	{
		int			known = 0;

		while (known < map->n_columns && map->columns[known] != map->keys[i].column)
			known++;
		if (known == map->n_columns)
			map->columns[map->n_columns++] = map->keys[i].column;
	}
}

MlRowMap *
ml_rowmap_create(const MlServed *served, TupleDesc columns)
{
	const MlSchema *schema = served->model->schema;
	List	   *first = ml_source_columns(schema);
	MlRowMap   *map = palloc0(sizeof(MlRowMap));
	int			expected = 0;
	int			longest = 0;
	ListCell   *cell;

	map->served = served;
	map->steps = palloc0(sizeof(MlMapStep) * Max(list_length(first), 1));
	foreach(cell, first)
	{
		const MlFeature *feature = &schema->features[lfirst_int(cell)];
		const char *name = feature->source_column;
		MlMapStep  *step = &map->steps[map->n_steps++];
		Oid			type;

		step->column = find_column(served, columns, name, expected);
		expected = step->column + 1;
		step->feature = lfirst_int(cell);
		step->description = feature;
		step->text = feature->kind == ML_FEATURE_CATEGORY || feature->buckets > 0;
		step->length = feature->text != NULL ? 0 : feature->elements;

		type = TupleDescAttr(columns, step->column)->atttypid;
		ml_converter_init(&step->converter, type, feature->source_column);
		ml_feature_check_type(served, feature, &step->converter, type);
		if (feature->text != NULL)
		{
			step->tokenizer = palloc(sizeof(MlTokenizer));
			ml_tokenizer_init(step->tokenizer, &feature->text->tokens);
		}
		if (step->length > 0)
			collect_elements(step, schema, step->feature);
		step->quick = quick_type(step);
		longest = Max(longest, step->length);
	}
	map->array = palloc_array(double, Max(longest, 1));
	list_free(first);
	map_keys(map, columns);
	list_columns(map);
	return map;
}

/* The segment columns that are no features; false where one does not do. */
static bool
match_keys(const MlServed *served, TupleDesc columns, int *positions)
{
	const MlRouting *routing = served->routing;
	List	   *names = NIL;
	ListCell   *cell;

	if (routing == NULL)
		return true;
	foreach(cell, ml_source_columns(served->model->schema))
		names = lappend(names, unconstify(char *, served->model->schema->features[lfirst_int(cell)].source_column));
	for (int i = 0; i < routing->n_columns; i++)
	{
		int			found = search_column(columns, routing->name[i], 0);
		MlConverter converter;

		if (found < 0 || !ml_converter_init(&converter, TupleDescAttr(columns, found)->atttypid, routing->name[i]) ||
			!ml_segment_kind_fits(routing->kind[i], &converter))
			return false;
		if (!is_named(names, routing->name[i]))
			*positions++ = found;
	}
	list_free(names);
	return true;
}

bool
ml_rowmap_match(const MlServed *served, TupleDesc columns, int *positions)
{
	const MlSchema *schema = served->model->schema;
	List	   *first = ml_source_columns(schema);
	int			expected = 0;
	ListCell   *cell;

	foreach(cell, first)
	{
		const MlFeature *feature = &schema->features[lfirst_int(cell)];
		int			found = search_column(columns, feature->source_column, expected);
		MlConverter converter;

		if (found < 0)
			return false;
		ml_converter_init(&converter, TupleDescAttr(columns, found)->atttypid, feature->source_column);
		if (!type_fits(feature, &converter))
			return false;
		*positions++ = found;
		expected = found + 1;
	}
	list_free(first);
	return match_keys(served, columns, positions);
}

void
ml_rowmap_route(const MlRowMap *map, const Datum *values, const bool *nulls, MlRouter *router)
{
	ml_router_begin(router);
	for (int i = 0; i < map->n_keys; i++)
	{
		const MlMapKey *key = &map->keys[i];
		const char *text = NULL;
		size_t		length = 0;

		if (!nulls[key->column])
			text = ml_convert_text(&key->converter, values[key->column], &length);
		ml_router_part(router, text, length);
	}
}

typedef struct TermCounts
{
	const MlTextInput *input;
	double	   *x;
} TermCounts;

static void
count_term(void *state, const char *term, size_t length)
{
	TermCounts *counts = state;
	int32		slot = ml_text_slot(counts->input, term, length);

	if (slot >= 0)
		counts->x[slot] += 1;
}

void
ml_count_terms(MlTokenizer *tokenizer, const MlTextInput *input, const char *text, size_t length, double *x)
{
	TermCounts	counts = {input, x};

	memset(x, 0, sizeof(double) * input->n);
	if (text == NULL)
		return;
	ml_tokenizer_find(tokenizer);
	ml_tokenize(tokenizer, text, length, count_term, &counts);
}

/* Arrays, texts, categories and the rarer number types. */
static void
encode_slowly(const MlRowMap *map, const MlMapStep *step, Datum value, bool null, double *x)
{
	if (step->length > 0)
	{
		if (!null)
		{
			int			length = ml_convert_array(&step->converter, value, map->array, step->length);

			if (length != step->length)
				ml_report_array_length(map->served, step->description, length);
		}
		for (int e = 0; e < step->n_elements; e++)
			x[step->elements[e].feature] = null ? NAN : map->array[step->elements[e].position];
	}
	else if (step->tokenizer != NULL)
	{
		size_t		length = 0;
		const char *text = null ? NULL : ml_convert_text(&step->converter, value, &length);

		ml_count_terms(step->tokenizer, step->description->text, text, length, x + step->feature);
	}
	else if (step->text)
	{
		size_t		length;
		const char *text = ml_convert_text(&step->converter, value, &length);

		x[step->feature] = ml_feature_text(step->description, text, length);
	}
	else if (step->converter.kind == ML_CONVERT_INTEGER)
		x[step->feature] = (double) ml_convert_integer(&step->converter, value);
	else
		x[step->feature] = ml_convert_number(&step->converter, value);
}

void
ml_rowmap_encode(const MlRowMap *map, const Datum *values, const bool *nulls, double *x)
{
	for (int i = 0; i < map->n_steps; i++)
	{
		const MlMapStep *step = &map->steps[i];
		Datum		value = values[step->column];
		bool		null = nulls[step->column];
		double		number;

		if (null && step->length == 0 && step->tokenizer == NULL)
		{
			x[step->feature] = NAN;
			continue;
		}
		switch (step->quick)
		{
			case FLOAT8OID:
				number = DatumGetFloat8(value);
				break;
			case FLOAT4OID:
				number = DatumGetFloat4(value);
				break;
			case INT2OID:
				number = DatumGetInt16(value);
				break;
			case INT4OID:
				number = DatumGetInt32(value);
				break;
			case INT8OID:
				number = (double) DatumGetInt64(value);
				break;
			case BOOLOID:
				number = DatumGetBool(value) ? 1 : 0;
				break;
			default:
				encode_slowly(map, step, value, null, x);
				continue;
		}
		if (unlikely(isinf(number)))
			number = ml_convert_number(&step->converter, value);	/* reports it */
		x[step->feature] = number;
	}
}
