/*-------------------------------------------------------------------------
 * linear_terms.h
 *	  What linear and logistic regression have in common beside the design.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_LINEAR_TERMS_H
#define ML_ALGO_LINEAR_TERMS_H

#include "ml/algo/design.h"
#include "ml/base/bytes.h"

#define ML_LINEAR_INTERCEPT "(intercept)"

/* Is dense algebra there, and memory for the buffers of all threads that so many rows can keep busy?  To be asked before the first call of env->dense. */
extern MlStatus ml_linear_begin(MlEnv *env, size_t rows);

/* The error of a fit whose numbers cannot be represented.  what: as in "the features hold". */
extern MlStatus ml_linear_out_of_range(MlEnv *env, const char *what);

/*
 * How a solver sees the target: z_y = (y - center) * 2^-exponent, of deviation 1 to 2; centred
 * where there is an intercept.
 */
extern void ml_linear_scale_target(const MlDesign *design, const MlDataset *data, bool centered, double *center, int *exponent);

/* What ml_explain() works with: a model, and the mean of each score over the training rows. */
typedef struct MlLinearExplainer
{
	const void *model;
	double	   *baseline;
} MlLinearExplainer;

/* "coefficient", or "gain", the word that ml_importance() sends by default; anything else is ML_BAD_PARAM. */
extern MlStatus ml_linear_importance_kind(MlEnv *env, const char *how);

/* A standard error: zero or more, or NaN for "not known", which an image holds as -1. */
extern void ml_linear_put_error(MlWriter *w, double error);
extern double ml_linear_get_error(MlReader *r);

/* Sum of the logarithms of the weights, which a likelihood of normal errors has. */
extern double ml_linear_log_weights(const MlDataset *data);

#endif							/* ML_ALGO_LINEAR_TERMS_H */
