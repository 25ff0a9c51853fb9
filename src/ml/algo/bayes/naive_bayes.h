/*-------------------------------------------------------------------------
 * naive_bayes.h
 *	  What fitting and predicting of naive Bayes share.
 *
 * The log-likelihood of a class is a sum over features; each feature has a kind
 * of distribution and a table of figures by class.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_NAIVE_BAYES_H
#define ML_ALGO_NAIVE_BAYES_H

#include "ml/model/method.h"

enum
{
	ML_BAYES_DISTRIBUTION,
	ML_BAYES_ALPHA,
	ML_BAYES_VAR_SMOOTHING,
	ML_BAYES_BINARIZE,
	ML_BAYES_FIT_PRIOR
};

/* Choices of the parameter "distribution", and from 1 on what a feature has. */
typedef enum MlBayesKind
{
	ML_BAYES_AUTO,
	ML_BAYES_GAUSSIAN,			/* mean[k], variance[k] */
	ML_BAYES_MULTINOMIAL,		/* log_p[k]: of one count */
	ML_BAYES_BERNOULLI,			/* log_p[k]: of a value at most "binarize", then K of a greater one */
	ML_BAYES_CATEGORICAL		/* log_p[code * K + k], code 0 .. levels */
} MlBayesKind;

typedef struct MlBayesFeature
{
	MlBayesKind kind;
	int32_t		levels;			/* of ML_BAYES_CATEGORICAL: codes 0 .. levels - 1 are known */
	bool		other;			/* code "levels" was seen in training; else it says nothing */
	double	   *mean;
	double	   *variance;		/* with what smoothing adds */
	double	   *inverse;		/* 1 / standard deviation; not saved */
	double	   *height;			/* log of the density at the mean; not saved */
	double	   *log_p;
} MlBayesFeature;

typedef struct MlBayesModel
{
	int32_t		n_classes;
	int32_t		n_features;
	double		binarize;
	double	   *log_prior;
	MlBayesFeature *features;
} MlBayesModel;

/* Numbers in log_p. */
static inline size_t
ml_bayes_table_size(const MlBayesFeature *feature, int32_t n_classes)
{
	switch (feature->kind)
	{
		case ML_BAYES_MULTINOMIAL:
			return (size_t) n_classes;
		case ML_BAYES_BERNOULLI:
			return 2 * (size_t) n_classes;
		case ML_BAYES_CATEGORICAL:
			return ((size_t) feature->levels + 1) * (size_t) n_classes;
		default:
			return 0;
	}
}

/* Fills in inverse and height from mean and variance, which are finite and greater than 0. */
extern MlStatus ml_bayes_finish_gaussian(MlEnv *env, MlBayesFeature *feature, int32_t n_classes);

/* naive_bayes_fit.c */
extern MlStatus ml_bayes_fit(MlEnv *env, const MlDataset *data, const MlParams *params, void **model);

/* Bytes of the sums and of the model. */
extern size_t ml_bayes_memory(const MlSchema *schema, const MlParams *params, size_t n, int threads);

#endif							/* ML_ALGO_NAIVE_BAYES_H */
