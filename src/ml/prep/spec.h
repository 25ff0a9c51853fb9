/*-------------------------------------------------------------------------
 * spec.h
 *	  What a user asks of the encoding: a list of steps for each column.
 *
 * The steps stand in one table (ml_step_infos), from which names are checked and the
 * documentation is written.  A step is applied to each column that the steps before
 * have made of the source column; an indicator of missing values is set aside.
 *-------------------------------------------------------------------------
 */
#ifndef ML_PREP_SPEC_H
#define ML_PREP_SPEC_H

#include "ml/data/frame.h"
#include "ml/data/schema.h"

/* Words of a term at most, and columns of a text. */
#define ML_PREP_MAX_WORDS 5
#define ML_PREP_MAX_TERMS 65534

typedef enum MlStepKind
{
	ML_STEP_NONE,
	ML_STEP_IMPUTE_MEAN,
	ML_STEP_IMPUTE_MEDIAN,
	ML_STEP_IMPUTE_MOST_FREQUENT,
	ML_STEP_IMPUTE_CONSTANT,
	ML_STEP_MISSING_INDICATOR,
	ML_STEP_STANDARD,
	ML_STEP_MIN_MAX,
	ML_STEP_ROBUST,
	ML_STEP_LOG1P,
	ML_STEP_CLIP,
	ML_STEP_QUANTILE_BUCKETS,
	ML_STEP_DATE_PARTS,
	ML_STEP_ONE_HOT,
	ML_STEP_ORDINAL,
	ML_STEP_TARGET_ENCODE,
	ML_STEP_FREQUENCY,
	ML_STEP_HASH,
	ML_STEP_TFIDF,
	ML_STEP_HASHED_TFIDF
} MlStepKind;

typedef struct MlStepInfo
{
	const char *name;
	const char *takes;			/* "a number", "a category", ... */
	const char *options;		/* as documentation shows them; "" for none */
	const char *description;
	bool		last;			/* nothing can follow it */
} MlStepInfo;

/* By MlStepKind, ended by a NULL name. */
extern const MlStepInfo ml_step_infos[];

/* The parts of a date or time, in the order in which they become columns. */
typedef enum MlDatePart
{
	ML_PART_OF_YEAR,
	ML_PART_OF_QUARTER,
	ML_PART_OF_MONTH,
	ML_PART_OF_DAY,
	ML_PART_OF_WEEKDAY,
	ML_PART_OF_DAY_OF_YEAR,
	ML_PART_OF_HOUR,
	ML_PART_OF_MINUTE,
	ML_PART_OF_SECOND,
	ML_PART_OF_ELAPSED,
	ML_N_DATE_PARTS
} MlDatePart;

extern const char *const ml_date_part_names[];	/* ended by NULL */

typedef struct MlStep
{
	MlStepKind	kind;
	double		low;			/* clip, min_max, robust: bounds or quantiles; impute_constant: the value; target_encode: smoothing; -inf, inf: open */
	double		high;
	bool		quantiles;		/* clip: low and high are shares of the rows */
	bool		automatic;		/* target_encode: smoothing follows from the data */
	bool		sublinear;		/* tfidf: 1 + log(count) instead of the count */
	bool		unscaled;		/* tfidf: rows are not brought to length 1 */
	MlTokenSpec tokens;			/* tfidf; low and high: least and most rows a term is in, shares below 1 */
	bool		drop_first;		/* one_hot: the first category is the reference and has no column */
	int32_t		n;				/* categories, buckets, folds, terms */
	const char *text;			/* impute_constant of a category; NULL: low is the value */
	const char **order;			/* ordinal: categories in their order; NULL: by falling frequency */
	int32_t		n_order;
	uint32_t	parts;			/* date_parts: bits 1 << MlDatePart; 0: all that the type has */
	bool		has_origin;
	double		origin;			/* of elapsed: days since 2000-01-01 */
} MlStep;

typedef struct MlPrepColumn
{
	const char *column;			/* of the source; of an array it means each element */
	int			n_steps;
	MlStep	   *steps;
} MlPrepColumn;

typedef struct MlPrepSpec
{
	int			n_columns;
	MlPrepColumn *columns;
} MlPrepSpec;

/* ML_BAD_PARAM names the nearest step and lists all. */
extern MlStatus ml_step_find(MlEnv *env, const char *column, const char *name, MlStepKind *kind);

/* A step with its defaults. */
extern void ml_step_init(MlStep *step, MlStepKind kind);

/* "year" -> ML_PART_OF_YEAR; ML_BAD_PARAM lists the valid words. */
extern MlStatus ml_date_part_find(MlEnv *env, const char *column, const char *name, MlDatePart *part);

/* What a transform says about a column of the source; NULL: nothing, or there is none. */
extern const MlPrepColumn *ml_prep_of(const MlPrepSpec *spec, const char *source_column);

/*
 * For estimates before anything is read: how many columns a column becomes, as far as one can tell, and
 * the bytes that they take for each row beside it.  spread: sparse columns are kept as numbers.
 */
extern void ml_prep_guess(const MlPrepColumn *column, const MlColumnSpec *spec, bool spread, size_t *columns, size_t *bytes);

/* The parts that a unit has, as bits. */
extern uint32_t ml_date_parts_of(MlTimeUnit unit);

/*
 * Whether the steps fit the columns and one another: ML_NO_COLUMN for a column that is no feature,
 * ML_BAD_TYPE for a step that does not fit the type, ML_BAD_PARAM for steps that do not follow
 * one another.  supervised: there is a target.
 */
extern MlStatus ml_prep_check(MlEnv *env, const MlPrepSpec *spec, const MlColumnSpec *columns, int n_columns, bool supervised);

#endif							/* ML_PREP_SPEC_H */
