/*-------------------------------------------------------------------------
 * convert.c
 *	  Datum -> what learning sees; one table for training and for serving.
 *
 * Nothing here looks at DateStyle, IntervalStyle, extra_float_digits, TimeZone
 * or the locale: the same row gives the same numbers and texts everywhere.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/tupmacs.h"
#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "datatype/timestamp.h"
#include "pg/compat.h"
#include "pg/convert.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#define MICROSECONDS 1000000.0
#define SECONDS_PER_DAY 86400.0
#define DAYS_PER_MONTH_OF_INTERVAL 30.0

/* How the number types are read; the first of a row is the type. */
typedef struct MlScalarType
{
	Oid			type;
	MlConvertKind kind;
	MlLogicalType logical;
} MlScalarType;

static const MlScalarType scalar_types[] = {
	{INT2OID, ML_CONVERT_INTEGER, ML_LOGICAL_INTEGER},
	{INT4OID, ML_CONVERT_INTEGER, ML_LOGICAL_INTEGER},
	{INT8OID, ML_CONVERT_INTEGER, ML_LOGICAL_INTEGER},
	{FLOAT4OID, ML_CONVERT_NUMBER, ML_LOGICAL_FLOAT},
	{FLOAT8OID, ML_CONVERT_NUMBER, ML_LOGICAL_FLOAT},
	{NUMERICOID, ML_CONVERT_NUMBER, ML_LOGICAL_FLOAT},
	{INTERVALOID, ML_CONVERT_NUMBER, ML_LOGICAL_FLOAT},
	{BOOLOID, ML_CONVERT_NUMBER, ML_LOGICAL_BOOLEAN},
	{DATEOID, ML_CONVERT_NUMBER, ML_LOGICAL_TIME},
	{TIMEOID, ML_CONVERT_NUMBER, ML_LOGICAL_TIME},
	{TIMESTAMPOID, ML_CONVERT_NUMBER, ML_LOGICAL_TIME},
	{TIMESTAMPTZOID, ML_CONVERT_NUMBER, ML_LOGICAL_TIME},
};

static const MlScalarType *
find_scalar(Oid type)
{
	for (int i = 0; i < lengthof(scalar_types); i++)
	{
		if (scalar_types[i].type == type)
			return &scalar_types[i];
	}
	return NULL;
}

static bool
is_category(Oid type)
{
	char		category;
	bool		preferred;

	if (type == UUIDOID || type == CHAROID)
		return true;
	get_type_category_preferred(type, &category, &preferred);
	return category == TYPCATEGORY_STRING || category == TYPCATEGORY_ENUM;
}

/* Arrays of numbers only; int2vector is a catalog type of its own. */
static bool
init_array(MlConverter *converter)
{
	const MlScalarType *element;

	if (converter->type == INT2VECTOROID)
		return false;
	converter->element = getBaseType(get_element_type(converter->type));
	element = find_scalar(converter->element);
	if (element == NULL || element->type == INTERVALOID ||
		(element->logical != ML_LOGICAL_INTEGER && element->logical != ML_LOGICAL_FLOAT))
		return false;
	converter->kind = ML_CONVERT_ARRAY;
	converter->logical = element->logical;
	get_typlenbyvalalign(converter->element, &converter->element_length,
						 &converter->element_by_value, &converter->element_align);
	return true;
}

bool
ml_converter_init(MlConverter *converter, Oid type, const char *column)
{
	const MlScalarType *scalar;

	memset(converter, 0, sizeof(MlConverter));
	converter->column = column;
	converter->type = getBaseType(type);
	converter->kind = ML_CONVERT_NONE;

	scalar = find_scalar(converter->type);
	if (scalar != NULL)
	{
		converter->kind = scalar->kind;
		converter->logical = scalar->logical;
	}
	else if (OidIsValid(get_element_type(converter->type)))
		return init_array(converter);
	else if (is_category(converter->type))
	{
		converter->kind = ML_CONVERT_TEXT;
		converter->logical = ML_LOGICAL_TEXT;
		converter->text_is_varlena = converter->type == TEXTOID || converter->type == VARCHAROID || converter->type == BPCHAROID;
	}
	else
		return false;

	if (converter->kind == ML_CONVERT_TEXT && !converter->text_is_varlena)
	{
		Oid			function;
		bool		is_varlena;

		getTypeOutputInfo(converter->type, &function, &is_varlena);
		fmgr_info(function, &converter->output);
	}
	return true;
}

/* ------------------------------------------------------------- numbers */

static double
infinite_number(const MlConverter *converter, double value)
{
	if (converter->lenient)
		return value;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("column \"%s\" contains an infinite value", converter->column),
			 errhint("Replace it by NULL or by a finite number, or exclude the column.")));
}

static double
infinite_time(const MlConverter *converter, double value)
{
	if (converter->lenient)
		return value;
	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("column \"%s\" contains an infinite %s", converter->column, format_type_be(converter->type)),
			 errhint("Replace it by NULL or by a finite value, or exclude the column.")));
}

/*
 * The stored form of numeric (utils/adt/numeric.c, unchanged since 9.1): a header
 * word, for the long form a second one with the weight, then base-10000 digits.
 */
#define NUMERIC_KIND(header) ((header) & 0xC000)
#define NUMERIC_KIND_SHORT 0x8000
#define NUMERIC_KIND_SPECIAL 0xC000
#define NUMERIC_SPECIAL_NAN 0xC000
#define NUMERIC_SPECIAL_MINUS_INFINITY 0xF000
#define NUMERIC_BASE 10000

static const double exact_powers_of_ten[] = {
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22
};

/*
 * mantissa * 10^exponent where both are exact doubles: one rounding, so the
 * result is the nearest double (Clinger 1990).  False where it is not that easy.
 */
static bool
short_number(uint64 mantissa, int exponent, double *value)
{
	if (mantissa > UINT64CONST(9007199254740992) || exponent < -22 || exponent > 22)
		return false;
	*value = exponent < 0 ? (double) mantissa / exact_powers_of_ten[-exponent]
		: (double) mantissa * exact_powers_of_ten[exponent];
	return true;
}

/* By its text: the C library's strtod rounds correctly, and LC_NUMERIC is always C in a server. */
static double
long_number(const MlConverter *converter, Datum value)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out, value));
	double		result = strtod(text, NULL);

	if (isinf(result) && !converter->lenient)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("column \"%s\" contains a number beyond the range of double precision", converter->column),
				 errhint("Replace it by NULL or scale the column, or exclude it.")));
	pfree(text);
	return result;
}

static double
convert_numeric(const MlConverter *converter, Datum value)
{
	struct varlena *packed = PG_DETOAST_DATUM_PACKED(value);
	const char *bytes = VARDATA_ANY(packed);
	int			length = VARSIZE_ANY_EXHDR(packed);
	uint16		header;
	int			weight;
	bool		negative;
	uint64		mantissa = 0;
	int			digits;
	double		result;

	memcpy(&header, bytes, sizeof(header));
	if (NUMERIC_KIND(header) == NUMERIC_KIND_SPECIAL)
	{
		if (header == NUMERIC_SPECIAL_NAN)
			return NAN;
		return infinite_number(converter, header == NUMERIC_SPECIAL_MINUS_INFINITY ? -INFINITY : INFINITY);
	}
	if (NUMERIC_KIND(header) == NUMERIC_KIND_SHORT)
	{
		negative = (header & 0x2000) != 0;
		weight = (int) (header & 0x003F) - (header & 0x0040);	/* seven bits, signed */
		bytes += 2;
		length -= 2;
	}
	else
	{
		int16		long_weight;

		memcpy(&long_weight, bytes + 2, sizeof(long_weight));
		negative = NUMERIC_KIND(header) == 0x4000;
		weight = long_weight;
		bytes += 4;
		length -= 4;
	}

	digits = length / 2;
	if (digits == 0)
		return 0;
	if (digits > 4)				/* 10000^4 > 2^53, and 5 digits might wrap */
		return long_number(converter, PointerGetDatum(packed));
	for (int i = 0; i < digits; i++)
	{
		int16		digit;

		memcpy(&digit, bytes + 2 * i, sizeof(digit));
		mantissa = mantissa * NUMERIC_BASE + digit;
	}
	/* Trailing zeros of the last digit would only make the power of ten larger. */
	if (!short_number(mantissa, 4 * (weight - digits + 1), &result))
		return long_number(converter, PointerGetDatum(packed));
	return negative ? -result : result;
}

static double
convert_timestamp(const MlConverter *converter, Datum value)
{
	Timestamp	timestamp = DatumGetTimestamp(value);

	if (TIMESTAMP_NOT_FINITE(timestamp))
		return infinite_time(converter, TIMESTAMP_IS_NOBEGIN(timestamp) ? -INFINITY : INFINITY);
	return (double) timestamp / MICROSECONDS;
}

static double
convert_date(const MlConverter *converter, Datum value)
{
	DateADT		date = DatumGetDateADT(value);

	if (DATE_NOT_FINITE(date))
		return infinite_time(converter, DATE_IS_NOBEGIN(date) ? -INFINITY : INFINITY);
	return date;
}

static double
convert_interval(const MlConverter *converter, Datum value)
{
	const Interval *interval = DatumGetIntervalP(value);

	if (!ML_INTERVAL_IS_FINITE(interval))
		return infinite_time(converter, INFINITY);
	return (interval->month * DAYS_PER_MONTH_OF_INTERVAL + interval->day) * SECONDS_PER_DAY + interval->time / MICROSECONDS;
}

static inline double
convert_float(const MlConverter *converter, double value)
{
	if (unlikely(isinf(value)))
		return infinite_number(converter, value);
	return value;
}

/* A value of one of scalar_types. */
static inline double
convert_scalar(const MlConverter *converter, Oid type, Datum value)
{
	switch (type)
	{
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		case INT8OID:
			return (double) DatumGetInt64(value);
		case FLOAT4OID:
			return convert_float(converter, DatumGetFloat4(value));
		case FLOAT8OID:
			return convert_float(converter, DatumGetFloat8(value));
		case NUMERICOID:
			return convert_numeric(converter, value);
		case BOOLOID:
			return DatumGetBool(value) ? 1 : 0;
		case DATEOID:
			return convert_date(converter, value);
		case TIMEOID:
			return (double) DatumGetTimeADT(value) / MICROSECONDS;
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return convert_timestamp(converter, value);
		case INTERVALOID:
			return convert_interval(converter, value);
		default:
			elog(ERROR, "type %u of column \"%s\" is no number", type, converter->column);
	}
}

double
ml_convert_number(const MlConverter *converter, Datum value)
{
	return convert_scalar(converter, converter->type, value);
}

int64
ml_convert_integer(const MlConverter *converter, Datum value)
{
	switch (converter->type)
	{
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		case INT8OID:
			return DatumGetInt64(value);
		case DATEOID:
			return DatumGetDateADT(value);
		case TIMEOID:
			return DatumGetTimeADT(value);
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return DatumGetTimestamp(value);
		default:
			elog(ERROR, "type %u of column \"%s\" is no integer", converter->type, converter->column);
	}
}

bool
ml_converter_is_integer(const MlConverter *converter)
{
	return converter->kind == ML_CONVERT_INTEGER || (converter->kind == ML_CONVERT_NUMBER && converter->logical == ML_LOGICAL_TIME);
}

/* --------------------------------------------------------------- texts */

/* A number type as text, the same whatever the session's settings are. */
static const char *
scalar_text(const MlConverter *converter, Datum value)
{
	char	   *text;
	int			utc = 0;

	if (converter->type == BOOLOID)
		return DatumGetBool(value) ? "true" : "false";
	text = palloc(MAXDATELEN + 1);

	switch (converter->type)
	{
		case INT2OID:
			pg_itoa(DatumGetInt16(value), text);
			return text;
		case INT4OID:
			pg_ltoa(DatumGetInt32(value), text);
			return text;
		case INT8OID:
			pg_lltoa(DatumGetInt64(value), text);
			return text;
		case FLOAT4OID:
			float_to_shortest_decimal_buf(DatumGetFloat4(value), text);
			return text;
		case FLOAT8OID:
			double_to_shortest_decimal_buf(DatumGetFloat8(value), text);
			return text;
		case NUMERICOID:
			return DatumGetCString(DirectFunctionCall1(numeric_out, value));
		case INTERVALOID:
			double_to_shortest_decimal_buf(convert_interval(converter, value), text);
			return text;
		case TIMESTAMPTZOID:
			return JsonEncodeDateTime(text, value, TIMESTAMPTZOID, &utc);
		default:
			return JsonEncodeDateTime(text, value, converter->type, NULL);
	}
}

const char *
ml_convert_text(const MlConverter *converter, Datum value, size_t *length)
{
	const char *text;

	if (converter->text_is_varlena)
	{
		struct varlena *packed = PG_DETOAST_DATUM_PACKED(value);

		text = VARDATA_ANY(packed);
		*length = VARSIZE_ANY_EXHDR(packed);
		/* The padding of char(n) means nothing in SQL and goes when it is cast to text. */
		while (converter->type == BPCHAROID && *length > 0 && text[*length - 1] == ' ')
			(*length)--;
		return text;
	}
	if (converter->kind == ML_CONVERT_TEXT)
		text = OutputFunctionCall((FmgrInfo *) &converter->output, value);
	else
		text = scalar_text(converter, value);
	*length = strlen(text);
	return text;
}

/* -------------------------------------------------------------- arrays */

/* Elements of a checked array; a plain loop over its bytes, for deconstruct_array() allocates. */
static void
read_elements(const MlConverter *converter, ArrayType *array, double *out, int count)
{
	const char *at = ARR_DATA_PTR(array);
	const bits8 *present = ARR_NULLBITMAP(array);

	for (int i = 0; i < count; i++)
	{
		if (present != NULL && (present[i / 8] & (1 << (i % 8))) == 0)
		{
			out[i] = NAN;
			continue;
		}
		out[i] = convert_scalar(converter, converter->element,
								fetch_att(at, converter->element_by_value, converter->element_length));
		at = att_addlength_pointer(at, converter->element_length, at);
		at = (const char *) att_align_nominal(at, converter->element_align);
	}
}

int
ml_convert_array(const MlConverter *converter, Datum value, double *out, int max)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	int			count;

	if (ARR_NDIM(array) == 0)
		return 0;
	if (converter->lenient && (ARR_NDIM(array) > 1 || ARR_LBOUND(array)[0] != 1))
		return 0;
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("column \"%s\" contains an array of %d dimensions", converter->column, ARR_NDIM(array)),
				 errdetail("Only arrays of one dimension can be used.")));
	if (ARR_LBOUND(array)[0] != 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("column \"%s\" contains an array that starts at subscript %d", converter->column, ARR_LBOUND(array)[0]),
				 errdetail("Arrays must start at subscript 1.")));
	count = ARR_DIMS(array)[0];
	read_elements(converter, array, out, Min(count, max));
	return count;
}

int
ml_convert_array_length(const MlConverter *converter, Datum value)
{
	ArrayType  *array = DatumGetArrayTypeP(value);

	return ARR_NDIM(array) == 1 ? ARR_DIMS(array)[0] : ARR_NDIM(array) == 0 ? 0 : -1;
}
