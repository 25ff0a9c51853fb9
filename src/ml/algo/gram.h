/*-------------------------------------------------------------------------
 * gram.h
 *	  Gram matrices of the columns and the target from one pass over the rows.
 *
 * Of the columns [1, z, z_y] (without z_y where there is no target), z as an MlDesignScale sees them: centred and of deviation 1 to 2, so that
 * little is lost by forming products.  Rows fall into parts with a matrix each;
 * as folds of a cross-validation these give every training matrix by
 * subtraction, so that ten folds cost one pass (and (folds + 1) q^2 doubles).
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_GRAM_H
#define ML_ALGO_GRAM_H

#include "ml/algo/design.h"

/* Most folds of a cross-validation. */
#define ML_GRAM_MAX_FOLDS 20

typedef struct MlGram
{
	/* set by the caller */
	const MlDataset *data;
	const MlDesign *design;
	const MlDesignScale *scale;
	double		y_center;
	double		y_factor;		/* z_y = (y - y_center) * y_factor */
	int			folds;			/* 2 or more: random folds of equal size, from env->seed; 0: none */

	/* results; matrices are q x q, symmetric, both triangles filled */
	size_t		q;				/* 1 + scale->n, and 1 more for the target */
	double	   *total;			/* sum over all rows of w [1 z y]' [1 z y] */
	double	  **fold;			/* the same of the rows of each fold; NULL without folds */
} MlGram;

extern MlStatus ml_gram_scan(MlEnv *env, MlGram *gram);

/*
 * The normal equations of a part of the rows: sums over them, centred where there is an
 * intercept.  They stand in the place of the matrix they were made of.
 */
typedef struct MlNormal
{
	size_t		p;
	size_t		ld;				/* leading dimension of gram */
	double		weight;			/* sum of the weights */
	double	   *gram;			/* p x p, full: Z'Z */
	double	   *target;			/* p: Z'y */
	double		yy;				/* y'y */
	double	   *mean;			/* p: of z; 0 without an intercept */
	double		y_mean;
	double	   *deviation;		/* p: standard deviation of z, also without an intercept; 0: constant here */
} MlNormal;

/*
 * Of all rows (fold -1) or of all but a fold's.  Those of the folds first: the total is needed for
 * them and changed by its own call.
 */
extern MlStatus ml_gram_normal(MlEnv *env, MlGram *gram, int fold, bool intercept, MlNormal *normal);

/* Sum of squared residuals of these rows for slopes b (p) and the best intercept. */
extern double ml_normal_rss(const MlNormal *normal, const double *b);

/* Bytes that ml_gram_scan takes for p columns. */
extern size_t ml_gram_memory(size_t n, size_t p, int folds, int threads);

/* How many folds there are for n rows when so many are asked for. */
static inline int
ml_gram_folds(size_t n, int64_t wanted)
{
	return wanted < 2 || n < 2 ? 0 : (size_t) wanted > n ? (int) n : (int) wanted;
}

#endif							/* ML_ALGO_GRAM_H */
