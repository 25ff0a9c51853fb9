/*-------------------------------------------------------------------------
 * linear_model.h
 *	  A fitted linear model of one or more equations over the columns of a design.
 *
 * What the linear methods hold and save, and the parts of MlMethod that follow from it
 * alone.  A method whose prediction is more than the score keeps one inside.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_LINEAR_MODEL_H
#define ML_ALGO_LINEAR_MODEL_H

#include "ml/algo/design.h"
#include "ml/model/method.h"
#include "ml/model/statistics.h"

typedef struct MlLinearModel
{
	MlDesign   *design;
	bool		has_intercept;
	int32_t		n;				/* equations */
	double		freedom;		/* of the t distribution of the statistics; 0: the normal one; < 0: none */
	double	   *intercept;		/* n */
	double	   *intercept_error;	/* NaN: not known */
	double	   *coef;			/* n_columns x n, row-major */
	double	   *error;
	MlStatistics statistics;
} MlLinearModel;

/* Room for n equations over model->design; errors are NaN. */
extern MlStatus ml_linear_model_alloc(MlEnv *env, MlLinearModel *model, int n);

extern void ml_linear_model_save(const MlLinearModel *model, MlWriter *w);

/* n equations exactly. */
extern MlStatus ml_linear_model_load(MlReader *r, const MlSchema *schema, int n, MlLinearModel *model);

/* The same for methods whose models are this, of one output, and nothing else. */
extern void ml_linear_model_save_only(const void *fitted, MlWriter *w);
extern MlStatus ml_linear_model_load_only(MlReader *r, const MlSchema *schema, void **fitted);

/*
 * Callbacks of MlMethod for models whose first member is an MlLinearModel of one
 * equation and whose prediction is the score.
 */
extern void ml_linear_model_predict(const void *fitted, const double *x, double *out, void *scratch);
extern bool ml_linear_model_predict_batch(const void *fitted, const double *x, size_t n, double *out, void *scratch);
extern double ml_linear_model_cost(const void *fitted);
extern MlStatus ml_linear_model_importance(MlEnv *env, const void *fitted, const MlSchema *schema, const char *how, double *out);
extern MlStatus ml_linear_model_coefficients(MlEnv *env, const void *fitted, const MlSchema *schema, MlCoefficient **rows, size_t *count);
extern MlStatus ml_linear_model_statistics(MlEnv *env, const void *fitted, const MlSchema *schema, MlStatistic **rows, size_t *count);
extern MlStatus ml_linear_model_explainer(MlEnv *env, const void *fitted, const MlSchema *schema, void **explainer);
extern void ml_linear_model_explain(void *explainer, const double *x, int class_number, double *contribution, double *baseline);

/*
 * One coefficient from the scaled column k of "scale" into equation "eq": value and error are
 * those of z, in units of 2^exponent of the target.  ML_OUT_OF_RANGE names the column.
 */
extern MlStatus ml_linear_model_set(MlEnv *env, MlLinearModel *model, const MlSchema *schema, const MlDesignScale *scale,
									int eq, int k, double value, double error, int exponent);

#endif							/* ML_ALGO_LINEAR_MODEL_H */
