/*-------------------------------------------------------------------------
 * statistics.h
 *	  What is known of a fit as a whole: R squared, deviance, AIC, ...
 *
 * A method collects them while it fits, keeps them in its image and hands them
 * to ml_model_statistics() (MlMethod.statistics).
 *-------------------------------------------------------------------------
 */
#ifndef ML_MODEL_STATISTICS_H
#define ML_MODEL_STATISTICS_H

#include "ml/base/bytes.h"

/* One row of ml_model_statistics().  NaN becomes NULL. */
typedef struct MlStatistic
{
	const char *name;
	double		value;
} MlStatistic;

/* An image holds the number of a name, its place in this list: append only. */
#define ML_STATISTICS(S) \
	S(ROWS, "rows") \
	S(TOTAL_WEIGHT, "total_weight") \
	S(COLUMNS, "columns") \
	S(RANK, "rank") \
	S(DF_MODEL, "df_model") \
	S(DF_RESIDUAL, "df_residual") \
	S(R_SQUARED, "r_squared") \
	S(ADJUSTED_R_SQUARED, "adjusted_r_squared") \
	S(SIGMA, "sigma") \
	S(F, "f") \
	S(F_P_VALUE, "f_p_value") \
	S(LOG_LIKELIHOOD, "log_likelihood") \
	S(NULL_LOG_LIKELIHOOD, "null_log_likelihood") \
	S(LIKELIHOOD_RATIO, "likelihood_ratio") \
	S(LIKELIHOOD_RATIO_P_VALUE, "likelihood_ratio_p_value") \
	S(PSEUDO_R_SQUARED, "pseudo_r_squared") \
	S(DEVIANCE, "deviance") \
	S(NULL_DEVIANCE, "null_deviance") \
	S(PEARSON_CHI2, "pearson_chi2") \
	S(DISPERSION, "dispersion") \
	S(AIC, "aic") \
	S(BIC, "bic") \
	S(CONDITION_NUMBER, "condition_number") \
	S(ITERATIONS, "iterations") \
	S(CONVERGED, "converged") \
	S(ALPHA, "alpha") \
	S(L1_RATIO, "l1_ratio") \
	S(NONZERO, "nonzero_coefficients") \
	S(ALPHA_MAX, "alpha_max") \
	S(ALPHA_MIN, "alpha_min") \
	S(CV_FOLDS, "cv_folds") \
	S(CV_MSE, "cv_mse") \
	S(CV_MSE_STD_ERROR, "cv_mse_std_error") \
	S(GCV, "gcv") \
	S(OBJECTIVE, "objective") \
	S(LAMBDA, "lambda") \
	S(LOG_EVIDENCE, "log_evidence") \
	S(POSTERIOR_SHAPE, "posterior_shape") \
	S(POSTERIOR_SCALE, "posterior_scale") \
	S(THETA, "theta")

typedef enum MlStatisticKind
{
#define ML_STATISTIC_ENUM(kind, name) ML_STAT_##kind,
	ML_STATISTICS(ML_STATISTIC_ENUM)
#undef ML_STATISTIC_ENUM
	ML_N_STATISTICS
} MlStatisticKind;

typedef struct MlStatistics
{
	int			count;
	uint8_t		kind[ML_N_STATISTICS];
	double		value[ML_N_STATISTICS];
} MlStatistics;

/* In the order in which they will be shown; each kind at most once. */
extern void ml_statistics_add(MlStatistics *s, MlStatisticKind kind, double value);

/* NaN when it is not there. */
extern double ml_statistics_get(const MlStatistics *s, MlStatisticKind kind);

extern void ml_statistics_save(const MlStatistics *s, MlWriter *w);
extern MlStatus ml_statistics_load(MlReader *r, MlStatistics *s);

/* Rows for MlMethod.statistics, in the arena. */
extern MlStatus ml_statistics_rows(MlEnv *env, const MlStatistics *s, MlStatistic **rows, size_t *count);

#endif							/* ML_MODEL_STATISTICS_H */
