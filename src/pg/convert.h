/*-------------------------------------------------------------------------
 * convert.h
 *	  Datum -> what learning sees; one table for training and for serving.
 *
 * Integers, float4/8, numeric (nearest double), boolean (0/1), date (days),
 * time, timestamp, timestamptz in UTC (seconds since 2000-01-01, as double), interval (seconds,
 * a month as 30 days): numbers.  text, varchar, char, name, enum, uuid: categories.
 * Arrays of the number types: one feature per element.  Domains: their base type.
 *-------------------------------------------------------------------------
 */
#ifndef ML_PG_CONVERT_H
#define ML_PG_CONVERT_H

#include "postgres.h"

#include "fmgr.h"
#include "ml/data/frame.h"

typedef enum MlConvertKind
{
	ML_CONVERT_NONE,			/* unsupported type */
	ML_CONVERT_INTEGER,			/* int64 */
	ML_CONVERT_NUMBER,			/* double */
	ML_CONVERT_TEXT,
	ML_CONVERT_ARRAY			/* of integers or numbers */
} MlConvertKind;

typedef struct MlConverter
{
	MlConvertKind kind;
	MlLogicalType logical;
	Oid			type;			/* base type */
	Oid			element;		/* element type of an array */
	int16		element_length;
	bool		element_by_value;
	char		element_align;
	bool		text_is_varlena;	/* text, varchar, char: their bytes */
	FmgrInfo	output;			/* other categories: their output function */
	bool		lenient;		/* for columns that are only hashed: infinity passes, odd arrays count as empty */
	const char *column;			/* for error messages */
} MlConverter;

/* false and kind NONE for an unsupported type.  In the current memory context. */
extern bool ml_converter_init(MlConverter *converter, Oid type, const char *column);

/* Infinity is an ERROR (22000 naming the column, 22008 for times); numeric beyond double 22003; NaN stays NaN. */
extern double ml_convert_number(const MlConverter *converter, Datum value);

/* Integers as they are; times and dates as the integer they are stored as.  Exact. */
extern int64 ml_convert_integer(const MlConverter *converter, Datum value);
extern bool ml_converter_is_integer(const MlConverter *converter);

/*
 * Any scalar type as text, whatever the session's settings: floats with the shortest digits that
 * read back, booleans "true" and "false", times as ISO 8601, timestamptz in UTC;
 * char(n) without its padding, as when it is cast to text.
 * Points into the value or into the current memory context; not NUL-terminated.
 */
extern const char *ml_convert_text(const MlConverter *converter, Datum value, size_t *length);

/* Elements into out (at most max); returns how many the array has; 2202E for more than one dimension or a lower bound other than 1. NULL -> NaN. */
extern int	ml_convert_array(const MlConverter *converter, Datum value, double *out, int max);

/* Its length alone; -1 for more than one dimension. */
extern int	ml_convert_array_length(const MlConverter *converter, Datum value);

#endif							/* ML_PG_CONVERT_H */
