/*-------------------------------------------------------------------------
 * batch.h
 *	  Predictions for all rows of a source.
 *-------------------------------------------------------------------------
 */
#ifndef ML_SERVICE_BATCH_H
#define ML_SERVICE_BATCH_H

#include "postgres.h"

#include "service/serving.h"
#include "utils/tuplestore.h"

typedef struct MlBatchRow
{
	const char *id;				/* NULL: no id column, or NULL in it */
	bool		has_prediction; /* not for labels that are no numbers */
	double		prediction;
	const char *label;			/* of the model, or in the current memory context; NULL for regression */
	bool		has_probability;
	double		probability;	/* as ml_predict_proba() */
	const double *vector;		/* of ml_batch_vectors(): the only answer there */
	int			length;
	int32		version;
} MlBatchRow;

/* What a model answers for a row: all of it but the id. */
extern void ml_batch_answer(const MlServed *served, const double *out, MlBatchRow *row);

/* Called for each row; what it points to lives until the next one. */
typedef void (*MlBatchSink) (void *state, const MlBatchRow *row);

/* The vectors of a dimension reduction; arguments as below. */
extern void ml_batch_vectors(const char *reference, const char *source, const char *id, MlBatchSink sink, void *state);

/*
 * All answers into a tuplestore that lies in "context", in columns as ml_predict_batch() returns them; in parallel where the planner thinks that it pays.
 * False, and nothing done: ml_batch_run() has to do it.  Arguments as below.
 */
extern bool ml_batch_store(const char *reference, const char *source, const char *id, Tuplestorestate *store, MemoryContext context);

/* id NULL: none.  42703 for an id that is no column of the source. */
extern void ml_batch_run(const char *reference, const char *source, const char *id, MlBatchSink sink, void *state);

#endif							/* ML_SERVICE_BATCH_H */
