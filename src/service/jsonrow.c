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
#include "utils/lsyscache.h"
#include "utils/numeric.h"

#include "pg/convert.h"
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
		if (strcmp(feature->type_name, format_type_be(types[i])) == 0)
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
	return ml_feature_code(feature, value->val.string.val, value->val.string.len);
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

static void
report_missing_key(const MlServed *served, Jsonb *features, const char *column)
{
	const MlSchema *schema = served->model->schema;
	List	   *missing = NIL;
	ListCell   *cell;

	foreach(cell, ml_source_columns(schema))
	{
		const char *name = schema->features[lfirst_int(cell)].source_column;
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
		if (feature->element > 0)
			f = encode_array(served, f, value, x);
		else if (feature->kind == ML_FEATURE_CATEGORY)
			x[f] = scalar_code(served, feature, value);
		else
			x[f] = scalar_number(served, feature, value);
	}
}
