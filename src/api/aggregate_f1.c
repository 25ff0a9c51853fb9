/*-------------------------------------------------------------------------
 * aggregate_f1.c
 *	  ml_f1(actual, predicted): three counts for each label that occurs.
 *
 * As in training: with two labels the F1 of the positive one (numbers by value,
 * other labels by bytes; the greater is positive: 1, true, yes), with more the
 * mean over the labels.  With one label it cannot be told which class is positive: NULL.
 * Equal to scikit-learn's f1_score(average='binary', pos_label=...) and (average='macro').
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "common/hashfn.h"
#include "fmgr.h"
#include "libpq/pqformat.h"
#include "pg/compat.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

typedef struct LabelKey
{
	const char *text;			/* not NUL-terminated */
	uint32		length;
} LabelKey;

typedef struct LabelCounts
{
	LabelKey	label;
	int64		actual;			/* rows that are */
	int64		predicted;		/* rows that were predicted to be */
	int64		both;
	uint32		hash;
	char		status;
} LabelCounts;

#define SH_PREFIX label
#define SH_ELEMENT_TYPE LabelCounts
#define SH_KEY_TYPE LabelKey
#define SH_KEY label
#define SH_HASH_KEY(table, key) hash_bytes((const unsigned char *) (key).text, (key).length)
#define SH_EQUAL(table, a, b) ((a).length == (b).length && memcmp((a).text, (b).text, (a).length) == 0)
#define SH_STORE_HASH
#define SH_GET_HASH(table, element) (element)->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

ML_FUNCTION(mlplat_f1_step);
ML_FUNCTION(mlplat_f1_combine);
ML_FUNCTION(mlplat_f1_save);
ML_FUNCTION(mlplat_f1_load);
ML_FUNCTION(mlplat_f1_final);

static MemoryContext
aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("this function can only be called as part of an aggregate")));
	return context;
}

/* The counts of a label; a new one starts at zero with a copy of its text in the table's context. */
static LabelCounts *
counts_of(label_hash *table, const char *text, size_t length)
{
	LabelKey	key = {text, (uint32) length};
	LabelCounts *counts;
	bool		found;

	counts = label_lookup(table, key);
	if (counts != NULL)
		return counts;

	/* Copied before it is inserted: an error in between leaves no entry with a dangling key. */
	key.text = memcpy(MemoryContextAlloc(table->ctx, Max(length, 1)), text, length);
	counts = label_insert(table, key, &found);
	counts->actual = counts->predicted = counts->both = 0;
	return counts;
}

Datum
mlplat_f1_step(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	label_hash *table;
	text	   *actual;
	text	   *predicted;
	Size		length;

	table = PG_ARGISNULL(0) ? label_create(context, 8, NULL) : (label_hash *) PG_GETARG_POINTER(0);
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_POINTER(table);

	actual = PG_GETARG_TEXT_PP(1);
	predicted = PG_GETARG_TEXT_PP(2);
	length = VARSIZE_ANY_EXHDR(actual);
	counts_of(table, VARDATA_ANY(actual), length)->actual++;
	counts_of(table, VARDATA_ANY(predicted), VARSIZE_ANY_EXHDR(predicted))->predicted++;
	if (length == VARSIZE_ANY_EXHDR(predicted) &&
		memcmp(VARDATA_ANY(actual), VARDATA_ANY(predicted), length) == 0)
		counts_of(table, VARDATA_ANY(actual), length)->both++;
	PG_RETURN_POINTER(table);
}

Datum
mlplat_f1_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	label_hash *table;
	label_hash *other;
	label_iterator i;
	LabelCounts *from;

	table = PG_ARGISNULL(0) ? label_create(context, 8, NULL) : (label_hash *) PG_GETARG_POINTER(0);
	if (PG_ARGISNULL(1))
		PG_RETURN_POINTER(table);

	other = (label_hash *) PG_GETARG_POINTER(1);
	label_start_iterate(other, &i);
	while ((from = label_iterate(other, &i)) != NULL)
	{
		LabelCounts *to = counts_of(table, from->label.text, from->label.length);

		to->actual += from->actual;
		to->predicted += from->predicted;
		to->both += from->both;
	}
	PG_RETURN_POINTER(table);
}

/* Number of labels, then each with its length and counts. */
Datum
mlplat_f1_save(PG_FUNCTION_ARGS)
{
	label_hash *table;
	label_iterator i;
	LabelCounts *counts;
	StringInfoData out;

	(void) aggregate_context(fcinfo);
	table = (label_hash *) PG_GETARG_POINTER(0);
	pq_begintypsend(&out);
	pq_sendint32(&out, table->members);
	label_start_iterate(table, &i);
	while ((counts = label_iterate(table, &i)) != NULL)
	{
		pq_sendint32(&out, counts->label.length);
		pq_sendbytes(&out, counts->label.text, counts->label.length);
		pq_sendint64(&out, counts->actual);
		pq_sendint64(&out, counts->predicted);
		pq_sendint64(&out, counts->both);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&out));
}

Datum
mlplat_f1_load(PG_FUNCTION_ARGS)
{
	bytea	   *saved;
	label_hash *table;
	StringInfoData in;
	uint32		labels;

	(void) aggregate_context(fcinfo);
	saved = PG_GETARG_BYTEA_PP(0);
	initStringInfo(&in);
	appendBinaryStringInfo(&in, VARDATA_ANY(saved), VARSIZE_ANY_EXHDR(saved));
	table = label_create(CurrentMemoryContext, 8, NULL);
	labels = pq_getmsgint(&in, 4);
	for (uint32 k = 0; k < labels; k++)
	{
		int			length = pq_getmsgint(&in, 4);
		const char *text = pq_getmsgbytes(&in, length);
		LabelCounts *counts = counts_of(table, text, length);

		counts->actual = pq_getmsgint64(&in);
		counts->predicted = pq_getmsgint64(&in);
		counts->both = pq_getmsgint64(&in);
	}
	pq_getmsgend(&in);
	PG_RETURN_POINTER(table);
}

/* True when the whole label reads as a number. */
static bool
label_number(const LabelKey *label, double *number)
{
	char		buffer[64];
	char	   *end;

	if (label->length == 0 || label->length >= sizeof(buffer))
		return false;
	memcpy(buffer, label->text, label->length);
	buffer[label->length] = '\0';
	*number = strtod(buffer, &end);
	return *end == '\0' && !isnan(*number);
}

/* The positive one of two labels comes last. */
static bool
label_is_less(const LabelKey *a, const LabelKey *b)
{
	double		x,
				y;
	int			order;

	if (label_number(a, &x) && label_number(b, &y) && x != y)
		return x < y;
	order = memcmp(a->text, b->text, Min(a->length, b->length));
	return order != 0 ? order < 0 : a->length < b->length;
}

/* A label has been seen on one side at least, so this is defined. */
static double
label_f1(const LabelCounts *counts)
{
	return 2.0 * counts->both / ((double) counts->actual + (double) counts->predicted);
}

Datum
mlplat_f1_final(PG_FUNCTION_ARGS)
{
	label_hash *table;
	label_iterator i;
	LabelCounts *counts;
	LabelCounts *greatest = NULL;
	double		sum = 0;

	(void) aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	table = (label_hash *) PG_GETARG_POINTER(0);
	if (table->members < 2)
		PG_RETURN_NULL();

	label_start_iterate(table, &i);
	while ((counts = label_iterate(table, &i)) != NULL)
	{
		if (greatest == NULL || label_is_less(&greatest->label, &counts->label))
			greatest = counts;
		sum += label_f1(counts);
	}
	PG_RETURN_FLOAT8(table->members == 2 ? label_f1(greatest) : sum / table->members);
}
