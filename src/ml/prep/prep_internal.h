/*-------------------------------------------------------------------------
 * prep_internal.h
 *	  What the files of the encoding share while they fit it.
 *-------------------------------------------------------------------------
 */
#ifndef ML_PREP_PREP_INTERNAL_H
#define ML_PREP_PREP_INTERNAL_H

#include "ml/prep/prep.h"

/* A model with more columns than this is a mistake. */
#define ML_PREP_MAX_COLUMNS 100000

/* With the columns between the steps. */
#define ML_PREP_MAX_SLOTS 1000000

/* A column on its way through the steps. */
typedef struct MlPrepPart
{
	int32_t		slot;
	MlFeature	feature;		/* as the method would see it */
	MlDataColumn data;			/* of all rows */
	bool		owned;			/* made here, so it may be given back */
} MlPrepPart;

typedef struct MlPrepParts
{
	int32_t		n;
	int32_t		room;
	MlPrepPart *part;
} MlPrepParts;

typedef struct MlPrepFit
{
	MlEnv	   *env;
	const MlDataset *in;
	size_t		n;				/* rows of all parts */
	MlPrep	   *prep;
	int32_t		ops_room;
	MlPrepParts out;			/* what the method gets */
} MlPrepFit;

/* fit.c */
extern MlStatus ml_prep_add_part(MlEnv *env, MlPrepParts *parts, const MlPrepPart *part);

/* Numbers the slots of the operation and keeps it; *op (out) is the one kept. */
extern MlStatus ml_prep_add_op(MlPrepFit *fit, const MlPrepOp *op, MlPrepOp **kept);

/* A feature of one number made of another feature. */
extern MlFeature ml_prep_number(const MlFeature *from, const char *name);

/* run.c: a kept operation over all rows, into columns that have room; those before "first" are made otherwise */
extern MlStatus ml_prep_run_op(MlPrepFit *fit, const MlPrepOp *op, const MlDataColumn *from, size_t first, double **number, int32_t *code);
extern MlStatus ml_prep_run_single(MlPrepFit *fit, const MlPrepOp *op, const MlPrepPart *from, const MlFeature *feature, MlPrepPart *to);
extern MlStatus ml_prep_run_hot(MlPrepFit *fit, const MlPrepOp *op, const MlPrepPart *from, MlSparse *sparse);

/* Keeps the operation, runs it, and adds the one column that it makes of another. */
extern MlStatus ml_prep_follow(MlPrepFit *fit, const MlPrepOp *op, const MlPrepPart *part, const MlFeature *feature, MlPrepParts *next);

/* numbers.c */
extern MlStatus ml_prep_step_number(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepParts *next);
extern MlStatus ml_prep_step_indicator(MlPrepFit *fit, const MlPrepPart *part, MlPrepParts *next, MlPrepParts *aside);
extern MlStatus ml_prep_step_dates(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepParts *next);

/* categories.c */
extern MlStatus ml_prep_categorise(MlPrepFit *fit, const MlPrepPart *part, MlPrepPart *made);
extern MlStatus ml_prep_step_buckets(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepParts *next);
extern MlStatus ml_prep_step_fill(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepParts *next);
extern MlStatus ml_prep_step_table(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepParts *next);
extern MlStatus ml_prep_step_target(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepParts *next);
extern MlStatus ml_prep_step_one_hot(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepParts *next);
extern MlStatus ml_prep_step_hash(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepParts *next);

/* stats.c: figures of the training rows of a column of numbers */
typedef struct MlPrepSorted
{
	double	   *value;			/* rising, without what is missing */
	size_t		n;
} MlPrepSorted;

/* ML_BAD_DATA where nothing is there. */
extern MlStatus ml_prep_sort(MlEnv *env, const MlPrepPart *part, size_t n_train, MlPrepSorted *sorted);
extern double ml_prep_quantile(const MlPrepSorted *sorted, double share);	/* linear between neighbours, as numpy does */
extern double ml_prep_most_frequent(const MlPrepSorted *sorted);

/* Mean and standard deviation (of n, not n - 1); overflow nowhere. */
extern MlStatus ml_prep_moments(MlEnv *env, const MlPrepPart *part, size_t n_train, double *mean, double *deviation);

/* Rows of each code, then of "other", then of the missing. */
extern MlStatus ml_prep_count(MlEnv *env, const MlPrepPart *part, size_t n_train, size_t **count);

/* target.c: the operation for all rows, and columns (n_out of them) for the training rows from the other folds */
extern MlStatus ml_prep_target(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepOp *op, double ***out_of_fold);

/* words.c: the columns of a text whose first feature is f */
extern MlStatus ml_prep_tfidf(MlPrepFit *fit, const MlStep *step, int f, MlPrepParts *next);

#endif							/* ML_PREP_PREP_INTERNAL_H */
