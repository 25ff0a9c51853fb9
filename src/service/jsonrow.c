/*-------------------------------------------------------------------------
 * jsonrow.c
 *	  A JSON object as a row: a key for each column, null for what is missing.
 *
 * Numbers and booleans are numbers, strings are categories; dates, times and intervals are
 * strings as PostgreSQL reads them.  Keys that the model does not use are ignored.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"

#include "pg/convert.h"
#include "pg/names.h"
#include "service/predict.h"

static const char *
kind_of(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			return "null";
		case jbvString:
			return "a string";
		case jbvNumeric:
			return "a number";
		case jbvBool:
			return "a boolean";
		default:
			return JsonContainerIsArray(value->val.binary.data) ? "an array" : "an object";
	}
}

static void
report_kind(const MlServed *served, const MlFeature *feature, const JsonbValue *value, const char *wanted)
{
	/* A string where a number belongs is what a failed conversion from text is elsewhere. */
	ereport(ERROR,
			(errcode(value->type == jbvString ? ERRCODE_INVALID_TEXT_REPRESENTATION : ERRCODE_DATATYPE_MISMATCH),
			 errmsg("feature \"%s\" of model \"%s\" must be %s, not %s", feature->name, served->name, wanted, kind_of(value))));
}

/* The type whose input function reads a feature given as a string; InvalidOid for plain numbers. */
static Oid
textual_type(const MlFeature *feature)
{
	static const Oid types[] = {DATEOID, TIMEOID, TIMESTAMPOID, TIMESTAMPTZOID, INTERVALOID};

	/* An interval is a number like any other, but for its name. */
	if (feature->logical != ML_LOGICAL_TIME && (feature->logical != ML_LOGICAL_FLOAT || feature->type_name[0] != 'i'))
		return InvalidOid;
	for (int i = 0; i < lengthof(types); i++)
	{
		if (strcmp(feature->type_name, ml_type_name(types[i])) == 0)
			return types[i];
	}
	return InvalidOid;
}

static double
textual_number(const MlFeature *feature, Oid type, const JsonbValue *value)
{
	MlConverter converter;
	Oid			input;
	Oid			parameter;
	Datum		datum;

	getTypeInputInfo(type, &input, &parameter);
	datum = OidInputFunctionCall(input, pnstrdup(value->val.string.val, value->val.string.len), parameter, -1);
	ml_converter_init(&converter, type, feature->name);
	return converter.kind == ML_CONVERT_INTEGER ? (double) ml_convert_integer(&converter, datum)
		: ml_convert_number(&converter, datum);
}

static double
scalar_number(const MlServed *served, const MlFeature *feature, const JsonbValue *value)
{
	static MlConverter numeric = {.kind = ML_CONVERT_NUMBER, .logical = ML_LOGICAL_FLOAT, .type = NUMERICOID};
	Oid			type;

	if (value->type == jbvNull)
		return NAN;
	if (feature->element == 0 && (type = textual_type(feature)) != InvalidOid)
	{
		if (value->type != jbvString)
			report_kind(served, feature, value, psprintf("a string of type %s", feature->type_name));
		return textual_number(feature, type, value);
	}
	if (value->type == jbvBool)
		return value->val.boolean ? 1 : 0;
	if (value->type != jbvNumeric)
		report_kind(served, feature, value, "a number");
	numeric.column = feature->name;
	return ml_convert_number(&numeric, NumericGetDatum(value->val.numeric));
}

static double
scalar_code(const MlServed *served, const MlFeature *feature, const JsonbValue *value)
{
	if (value->type == jbvNull)
		return NAN;
	if (value->type != jbvString)
		report_kind(served, feature, value, "a string");
	return ml_feature_text(feature, value->val.string.val, value->val.string.len);
}

/* The features that are elements of one array, from "first" on; returns the last of them. */
static int
encode_array(const MlServed *served, int first, const JsonbValue *value, double *x)
{
	const MlSchema *schema = served->model->schema;
	const MlFeature *feature = &schema->features[first];
	JsonbContainer *array = NULL;

	if (value->type != jbvNull)
	{
		if (value->type != jbvBinary || !JsonContainerIsArray(value->val.binary.data))
			ereport(ERROR,
					(errcode(value->type == jbvString ? ERRCODE_INVALID_TEXT_REPRESENTATION : ERRCODE_DATATYPE_MISMATCH),
					 errmsg("feature \"%s\" of model \"%s\" must be an array of numbers, not %s",
							feature->source_column, served->name, kind_of(value))));
		array = value->val.binary.data;
		if (JsonContainerSize(array) != feature->elements)
			ml_report_array_length(served, feature, JsonContainerSize(array));
	}
	for (; first < schema->n_features; first++)
	{
		const MlFeature *element = &schema->features[first];

		if (strcmp(element->source_column, feature->source_column) != 0)
			break;
		x[first] = array == NULL ? NAN :
			scalar_number(served, element, getIthJsonbValueFromContainer(array, element->element - 1));
	}
	return first - 1;
}

/* The features that count the terms of a text, from "first" on; returns the last of them. */
static int
encode_text(const MlServed *served, int first, const JsonbValue *value, double *x)
{
	const MlFeature *feature = &served->model->schema->features[first];
	MlTokenizer tokenizer;

	if (value->type != jbvString && value->type != jbvNull)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("feature \"%s\" of model \"%s\" must be a string, not %s", feature->source_column, served->name, kind_of(value))));
	ml_tokenizer_init(&tokenizer, &feature->text->tokens);
	ml_count_terms(&tokenizer, feature->text, value->type == jbvNull ? NULL : value->val.string.val, value->val.string.len, x + first);
	return first + feature->elements - 1;
}

static void
report_missing_key(const MlServed *served, Jsonb *features, const char *column)
{
	List	   *missing = NIL;
	ListCell   *cell;

	foreach(cell, ml_served_columns(served))
	{
		const char *name = lfirst(cell);
		JsonbValue	room;

		if (getKeyJsonValueFromContainer(&features->root, name, strlen(name), &room) == NULL)
			missing = lappend(missing, pstrdup(name));
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("model \"%s\" needs feature \"%s\", for which there is no key", served->name, column),
			 ml_detail_missing(missing),
			 errhint("Write null for a value that is missing.")));
}

bool
ml_json_suffices(const MlServed *served, Jsonb *features)
{
	ListCell   *cell;

	if (!JB_ROOT_IS_OBJECT(features))
		return false;
	foreach(cell, ml_served_columns(served))
	{
		const char *name = lfirst(cell);
		JsonbValue	room;

		if (getKeyJsonValueFromContainer(&features->root, name, strlen(name), &room) == NULL)
			return false;
	}
	return true;
}

void
ml_json_encode(const MlServed *served, Jsonb *features, double *x)
{
	const MlSchema *schema = served->model->schema;

	if (!JB_ROOT_IS_OBJECT(features))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("features must be a JSON object"),
				 errhint("It has a key for each column that ml_features(%s) lists.", quote_literal_cstr(served->name))));
	for (int f = 0; f < schema->n_features; f++)
	{
		const MlFeature *feature = &schema->features[f];
		JsonbValue	room;
		JsonbValue *value;

		value = getKeyJsonValueFromContainer(&features->root, feature->source_column,
											 strlen(feature->source_column), &room);
		if (value == NULL)
			report_missing_key(served, features, feature->source_column);
		if (feature->text != NULL)
			f = encode_text(served, f, value, x);
		else if (feature->element > 0)
			f = encode_array(served, f, value, x);
		else if (feature->kind == ML_FEATURE_CATEGORY || feature->buckets > 0)
			x[f] = scalar_code(served, feature, value);
		else
			x[f] = scalar_number(served, feature, value);
	}
}

static void
report_key_kind(const MlServed *served, int column, const JsonbValue *value)
{
	static const char *const wanted[] = {
		[ML_SEGMENT_TEXT] = "a string",
		[ML_SEGMENT_INTEGER] = "an integer",
		[ML_SEGMENT_BOOLEAN] = "true or false",
		[ML_SEGMENT_DATE] = "a string of type date"
	};
	const MlRouting *routing = served->routing;

	ereport(ERROR,
			(errcode(value->type == jbvString ? ERRCODE_INVALID_TEXT_REPRESENTATION : ERRCODE_DATATYPE_MISMATCH),
			 errmsg("segment column \"%s\" of model \"%s\" must be %s, not %s", routing->name[column], served->name,
					wanted[routing->kind[column]],
					value->type == jbvNumeric && routing->kind[column] == ML_SEGMENT_INTEGER ? "a fraction" : kind_of(value))));
}

/* An integer as a column of an integer type has it: 5 and 5.0 are the same store. */
static const char *
integer_text(const MlServed *served, int column, const JsonbValue *value)
{
	Datum		number = NumericGetDatum(value->val.numeric);
	Datum		whole = DirectFunctionCall2(numeric_trunc, number, Int32GetDatum(0));

	if (numeric_is_nan(value->val.numeric) || numeric_is_inf(value->val.numeric) ||
		!DatumGetBool(DirectFunctionCall2(numeric_eq, number, whole)))
		report_key_kind(served, column, value);
	return DatumGetCString(DirectFunctionCall1(numeric_out, whole));
}

static const char *
date_text(const JsonbValue *value, const char *column)
{
	MlConverter converter;
	Datum		date = DirectFunctionCall1(date_in, CStringGetDatum(pnstrdup(value->val.string.val, value->val.string.len)));
	size_t		length;
	const char *text;

	ml_converter_init(&converter, DATEOID, column);
	text = ml_convert_text(&converter, date, &length);
	return pnstrdup(text, length);
}

static const char *
key_text(const MlServed *served, int column, const JsonbValue *value)
{
	switch (served->routing->kind[column])
	{
		case ML_SEGMENT_INTEGER:
			if (value->type == jbvNumeric)
				return integer_text(served, column, value);
			break;
		case ML_SEGMENT_BOOLEAN:
			if (value->type == jbvBool)
				return value->val.boolean ? "true" : "false";
			break;
		case ML_SEGMENT_DATE:
			if (value->type == jbvString)
				return date_text(value, served->routing->name[column]);
			break;
		case ML_SEGMENT_TEXT:
			if (value->type == jbvString)
				return pnstrdup(value->val.string.val, value->val.string.len);
			break;
	}
	report_key_kind(served, column, value);
	return NULL;				/* keep compiler quiet */
}

void
ml_json_route(const MlServed *served, Jsonb *features, MlRouter *router)
{
	const MlRouting *routing = served->routing;

	ml_router_begin(router);
	for (int i = 0; i < routing->n_columns; i++)
	{
		JsonbValue	room;
		JsonbValue *value = getKeyJsonValueFromContainer(&features->root, routing->name[i], strlen(routing->name[i]), &room);
		const char *text;

		if (value == NULL)
			report_missing_key(served, features, routing->name[i]);
		text = value->type == jbvNull ? NULL : key_text(served, i, value);
		ml_router_part(router, text, text != NULL ? strlen(text) : 0);
	}
}
