/*-------------------------------------------------------------------------
 * semi.h
 *	  Semi-supervised learning: rows whose class is not known help to train, whatever the method is.
 *
 *   self_training     (Yarowsky 1995) the method is fitted on the rows with a class and says what it thinks of
 *                     the others; those of which it is sure enough are taken at its word, and it is fitted again.
 *   label_spreading   (Zhou et al. 2004) labels spread to rows near by; then the method is fitted once.
 *
 * What comes out is an ordinary model, fitted on rows that all have a class: the method itself knows
 * nothing of this.
 *-------------------------------------------------------------------------
 */
#ifndef ML_MODEL_SEMI_H
#define ML_MODEL_SEMI_H

#include "ml/algo/neighbors/spreading.h"
#include "ml/model/method.h"
#include "ml/prep/prep.h"

typedef enum MlSemiKind
{
	ML_SEMI_NONE,
	ML_SEMI_SELF_TRAINING,
	ML_SEMI_LABEL_SPREADING
} MlSemiKind;

typedef struct MlSemi
{
	MlSemiKind	kind;

	/* Self-training: in each round rows whose best class has more than the threshold, or the so many best. */
	bool		by_k_best;
	double		threshold;
	size_t		k_best;
	int			max_iter;

	MlSpreading spreading;
} MlSemi;

/* Parameters that every method of classification understands beside its own; "semi_supervised" is the first.  Ended by a NULL name. */
extern const MlParam ml_semi_params[];

/* Is it the name of one of them? */
extern bool ml_semi_is_param(const char *name);

/* What was asked for, of parameters with this table; one that has no effect is ML_BAD_PARAM. */
extern MlStatus ml_semi_read(MlEnv *env, const MlParams *params, MlSemi *semi);

/* A fit that is to be done. */
typedef struct MlSemiRun
{
	const MlSemi *semi;
	const MlMethod *method;
	const MlParams *params;
	const MlSchema *schema;		/* of the rows that come in */
	const MlPrep *prep;			/* NULL: none */
	const MlDataset *raw;		/* rows as they come in: what a model that is ready predicts */
	const MlDataset *seen;		/* rows as the method sees them; the last n_unlabelled of those that train have no class */
	const double *weight;		/* by row, of the user; NULL: all 1 */
	bool		balanced;		/* class weights, by the classes that rows have when they are fitted */
} MlSemiRun;

typedef struct MlSemiResult
{
	uint8_t    *image;			/* of the model; in env->arena */
	size_t		image_length;
	size_t		labelled;		/* rows that were given a class */
	int			iterations;
	const int32_t *label;		/* n_unlabelled: the class given, -1 for none */
	const int32_t *round;		/* n_unlabelled: in which iteration of self-training; 0 for none */
} MlSemiResult;

extern MlStatus ml_semi_fit(MlEnv *env, const MlSemiRun *run, MlSemiResult *result);

/*
 * Bytes that it takes beside the data and what the method's fit does: n rows that train or validate, of which a copy
 * takes so many bytes; columns as the method sees them.  SIZE_MAX when it overflows.
 */
extern size_t ml_semi_memory(const MlSemi *semi, const MlSchema *schema, size_t n, size_t copy, int threads);

#endif							/* ML_MODEL_SEMI_H */
