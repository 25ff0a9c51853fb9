/*-------------------------------------------------------------------------
 * prep.h
 *	  The fitted encoding of a model: from a row as it was read to the row that the method sees.
 *
 * It is a straight line of operations over slots.  The first slots are the encoded row of
 * the input schema; each operation reads slots that are there and fills new ones; in the end the
 * output slots, in their order, are the row of the method's own schema.  Training runs
 * the same operations column by column, so what it saw is what serving makes, to the bit;
 * only target encoding shows training rows what the other folds say.
 *-------------------------------------------------------------------------
 */
#ifndef ML_PREP_PREP_H
#define ML_PREP_PREP_H

#include "ml/data/dataset.h"
#include "ml/prep/spec.h"

typedef enum MlPrepOpKind
{
	ML_OP_FILL,					/* number, missing -> a */
	ML_OP_FILL_CODE,			/* category, missing -> code[0]; with flag, which is a new level and "other" moves up */
	ML_OP_MISSING,				/* anything -> 1 where it is missing, else 0 */
	ML_OP_AFFINE,				/* number -> (x - a) / b * c + d */
	ML_OP_LOG1P,
	ML_OP_CLIP,					/* number -> a .. b */
	ML_OP_BUCKET,				/* number -> category: how many of the numbers are not above it */
	ML_OP_CATEGORISE,			/* number -> category: code[i] where it is number[i], which rise; else other */
	ML_OP_DATE_PART,			/* number of a time unit -> number; part, unit, a: origin */
	ML_OP_TABLE,				/* category -> n_out numbers from number[place * n_out]; places: codes, other, missing */
	ML_OP_ONE_HOT,				/* category -> 1 in the column code[place], -1: nowhere */
	ML_OP_HASH,					/* bucket -> 1 in its column */
	ML_OP_TFIDF,				/* counts of n_out terms -> tf-idf, with number[i] as idf; flag: ML_TFIDF_xxx */
	ML_N_OPS
} MlPrepOpKind;

typedef struct MlPrepOp
{
	MlPrepOpKind kind;
	int32_t		in;				/* slot */
	int32_t		out;			/* first slot */
	int32_t		n_out;
	int32_t		levels;			/* of a category that comes in */
	uint8_t		part;			/* MlDatePart */
	uint8_t		unit;			/* MlTimeUnit */
	uint8_t		flag;
	double		a,
				b,
				c,
				d;
	int32_t		n_numbers;
	const double *number;
	int32_t		n_codes;
	const int32_t *code;
} MlPrepOp;

typedef struct MlPrep
{
	int32_t		n_in;			/* features of the input schema */
	int32_t		n_slots;
	int32_t		n_ops;
	MlPrepOp   *ops;
	int32_t		n_out;
	const int32_t *output;		/* slots */
	const MlSchema *encoded;	/* the method's: same target, features one for each output */
	const char **how;			/* by input feature: its steps as one reads them, NULL without any */
} MlPrep;

/* Doubles that ml_prep_row works in: slots, then the encoded row. */
static inline size_t
ml_prep_room(const MlPrep *prep)
{
	return (size_t) prep->n_slots + (size_t) prep->n_out;
}

/* One row of the input schema -> the encoded row, at work + n_slots. No allocation, no libm. */
extern const double *ml_prep_row(const MlPrep *prep, const double *x, double *work);

/* Flags of ML_OP_TFIDF. */
#define ML_TFIDF_SUBLINEAR 1
#define ML_TFIDF_NORM 2

/* What one operation makes of a value (ML_OP_TFIDF: of n_out of them): n_out doubles. */
extern void ml_prep_op(const MlPrepOp *op, const double *in, double *out);

/* A term's weight before rows are brought to one length. */
extern double ml_prep_term(const MlPrepOp *op, int32_t term, double count);

/*
 * Texts that are cut into words.  The first chooses the terms of each such column of a frame by the training rows, unless that
 * was done before: a part of a frame keeps those of the whole.  The second adds a feature for each of
 * them behind those that the schema has, counting them in the rows of the data set.
 */
extern MlStatus ml_prep_choose_terms(MlEnv *env, const MlPrepSpec *spec, MlFrame *frame, const size_t *order, size_t n_train);
extern MlStatus ml_prep_add_terms(MlEnv *env, const MlFrame *frame, const size_t *order, size_t n, MlSchema *schema, MlDataColumn **columns);

/* Counts of terms in rows of a frame, as columns: sparse (n_slots, out). order NULL: rows as they are. */
extern MlStatus ml_prep_count_terms(MlEnv *env, const MlColumn *column, const int32_t *slot_of, int32_t n_slots, const size_t *order, size_t n, MlSparse *sparse);

/* The column of ML_OP_ONE_HOT and ML_OP_HASH that is 1, -1: none. */
extern int32_t ml_prep_hot(const MlPrepOp *op, double x);

/*
 * Fits the steps on the first data->n_train rows of the encoded input and makes the method's columns.
 * What no step speaks of is passed on as it is.  columns (out): by feature of prep->encoded; in->columns stay.
 */
extern MlStatus ml_prep_fit(MlEnv *env, const MlPrepSpec *spec, const MlDataset *in, MlPrep **prep, MlDataColumn **columns);

/* Spreads sparse columns out, for methods that do not read them. */
extern MlStatus ml_prep_spread(MlEnv *env, const MlSchema *schema, size_t rows, MlDataColumn *columns);

/* Rough time of ml_prep_row(), and of cutting texts before it, in nanoseconds. */
extern double ml_prep_cost(const MlPrep *prep, const MlSchema *input);

/* The part of the image behind the input schema.  The reader checks all that ml_prep_row and the method rely on. */
extern void ml_prep_save(const MlPrep *prep, const MlSchema *input, MlWriter *w);
extern MlStatus ml_prep_load(MlReader *r, MlSchema *input, MlPrep **prep);

#endif							/* ML_PREP_PREP_H */
