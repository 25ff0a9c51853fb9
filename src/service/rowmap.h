/*-------------------------------------------------------------------------
 * rowmap.h
 *	  From the columns of a row to the features of a model, by name.
 *
 * A map is made once for a row type and a version; encoding a row then is one
 * pass over the columns that the model uses.
 *-------------------------------------------------------------------------
 */
#ifndef ML_SERVICE_ROWMAP_H
#define ML_SERVICE_ROWMAP_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "nodes/pg_list.h"
#include "pg/convert.h"
#include "pg/tokens.h"
#include "service/segments.h"
#include "service/serving.h"

typedef struct MlElement
{
	int			position;		/* in the array, from 0 */
	int			feature;
} MlElement;

/* One column that the model uses. */
typedef struct MlMapStep
{
	int			column;			/* in the row, from 0 */
	Oid			quick;			/* a base type whose Datum is read right here, else InvalidOid */
	int			feature;		/* of a scalar */
	const MlFeature *description;	/* of it, or of the first element */
	bool		text;			/* a category, or a bucket of texts */
	MlTokenizer *tokenizer;		/* of a text whose terms are counted; else NULL */
	int			length;			/* of an array column, else 0 */
	int			n_elements;
	MlElement  *elements;		/* those that are features */
	MlConverter converter;
} MlMapStep;

/* One column whose value chooses the model of a segment. */
typedef struct MlMapKey
{
	int			column;
	MlConverter converter;
} MlMapKey;

typedef struct MlRowMap
{
	const MlServed *served;
	int			n_steps;
	MlMapStep  *steps;
	int			n_keys;			/* 0: a version without segments */
	MlMapKey   *keys;
	int			n_columns;		/* all that is read, in the order of ml_served_columns() */
	int		   *columns;
	double	   *array;			/* room for the longest array column */
} MlRowMap;

/* The columns a model reads, in its order, each by its first feature: an int list of feature numbers. */
extern List *ml_source_columns(const MlSchema *schema);

/* Names of all columns that a version reads: those of its features and then those that choose a segment; char *. */
extern List *ml_served_columns(const MlServed *served);

/*
 * In the current memory context.  42703 for a column that is missing, with a hint for ROW(...);
 * 42804 for one whose type is not the feature's; 42702 for a name that is there twice.
 */
extern MlRowMap *ml_rowmap_create(const MlServed *served, TupleDesc columns);

/*
 * Where each column of ml_served_columns() stands, into positions; false where ml_rowmap_create()
 * would report something.
 */
extern bool ml_rowmap_match(const MlServed *served, TupleDesc columns, int *positions);

/* Values of the row as the tuple descriptor has them -> encoded row. Short-lived memory may be allocated. */
extern void ml_rowmap_encode(const MlRowMap *map, const Datum *values, const bool *nulls, double *x);

/* The key of the row for the router of a version with segments. */
extern void ml_rowmap_route(const MlRowMap *map, const Datum *values, const bool *nulls, MlRouter *router);

/* Counts the terms of a text in its features, from x on; text NULL: it is missing, and has none. */
extern void ml_count_terms(MlTokenizer *tokenizer, const MlTextInput *input, const char *text, size_t length, double *x);

/* Whether a column of this type may stand for the feature; reports 42804 when not. */
extern void ml_feature_check_type(const MlServed *served, const MlFeature *feature, const MlConverter *converter, Oid type);

/* For ereport(): the detail that names the missing columns (char *) where they are several. */
extern int	ml_detail_missing(List *names);

/* 2202E: an array of the wrong length. */
extern void ml_report_array_length(const MlServed *served, const MlFeature *feature, int length) pg_attribute_noreturn();

#endif							/* ML_SERVICE_ROWMAP_H */
