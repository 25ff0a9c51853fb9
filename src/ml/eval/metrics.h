/*-------------------------------------------------------------------------
 * metrics.h
 *	  How good predictions are.  Definitions and ties as in scikit-learn.
 *
 * rmse, mae, r2; accuracy, precision, recall, f1 (positive class for two
 * classes, macro average for more), auc (macro one-vs-rest for more than two),
 * logloss (probabilities clipped to [1e-15, 1-1e-15]), brier.  What is
 * undefined (auc of one class, r2 of a constant) is NaN and becomes NULL.
 *
 * Without a target there is nothing to compare with: a method reports what its mathematics defines
 * (MlMethod.report), the judge adds what follows from the answers (ml/model/judge_answers.c).
 *-------------------------------------------------------------------------
 */
#ifndef ML_EVAL_METRICS_H
#define ML_EVAL_METRICS_H

#include "ml/data/schema.h"

#define ML_MAX_METRICS 32

/* In the order of ml_metric_infos. */
typedef enum MlMetricNumber
{
	ML_METRIC_RMSE,
	ML_METRIC_MAE,
	ML_METRIC_R2,
	ML_METRIC_ACCURACY,
	ML_METRIC_PRECISION,
	ML_METRIC_RECALL,
	ML_METRIC_F1,
	ML_METRIC_AUC,
	ML_METRIC_LOGLOSS,
	ML_METRIC_BRIER,
	ML_METRIC_SILHOUETTE,
	ML_METRIC_CLUSTERS,
	ML_METRIC_NOISE,
	ML_METRIC_INERTIA,
	ML_METRIC_LOG_LIKELIHOOD,
	ML_METRIC_BIC,
	ML_METRIC_AIC,
	ML_METRIC_EXPLAINED_VARIANCE,
	ML_METRIC_RECONSTRUCTION,
	ML_METRIC_SEPARATION,
	ML_METRIC_FLAGGED,
	ML_METRIC_SCORE_MEDIAN,
	ML_METRIC_SCORE_P90,
	ML_METRIC_SCORE_P99,
	ML_METRIC_SCORE_MAX,
	ML_METRIC_UNLABELLED_ROWS,
	ML_METRIC_PSEUDO_LABELLED_ROWS,
	ML_METRIC_SEMI_ITERATIONS,
	ML_METRIC_COUNT
} MlMetricNumber;

typedef struct MlMetric
{
	const char *name;			/* static */
	double		value;
	bool		higher_is_better;
} MlMetric;

/* Figures that reports need beside each metric. */
typedef struct MlMetricInfo
{
	const char *name;
	uint32_t	tasks;			/* MlTask bits */
	bool		higher_is_better;
	const char *description;
} MlMetricInfo;

extern const MlMetricInfo ml_metric_infos[];	/* ended by a NULL name */
extern const MlMetricInfo *ml_metric_find(const char *name);

/*
 * The metric a report leads with: "r2" for regression, "auc" for two classes, "accuracy" for more, "silhouette",
 * "explained_variance_ratio" and "separation" for the tasks without target.
 */
extern const char *ml_primary_metric(MlTask task, int n_classes);

/*
 * y: value or class index; prediction: n x k row-major (k = 1 or n_classes);
 * weight may be NULL.  Fills at most ML_MAX_METRICS, in the order of ml_metric_infos.
 */
extern MlStatus ml_metrics(MlEnv *env, MlTask task, int n_classes, size_t n, const double *y,
						   const double *prediction, const double *weight, MlMetric *metrics, int *count);

/* Metrics of a model without target while they are collected. */
typedef struct MlReport
{
	bool		given[ML_METRIC_COUNT];
	double		value[ML_METRIC_COUNT];
} MlReport;

/* What is undefined is NaN. */
static inline void
ml_report_put(MlReport *report, MlMetricNumber metric, double value)
{
	report->given[metric] = true;
	report->value[metric] = value;
}

/* Those given, at most ML_MAX_METRICS, in the order of ml_metric_infos. */
extern void ml_report_metrics(const MlReport *report, MlMetric *metrics, int *count);

/* Area under the ROC curve with ties counted half; NaN when a class is absent.  Sorts a copy. */
extern MlStatus ml_auc_compute(MlEnv *env, size_t n, const bool *actual, const double *score, const double *weight, double *auc);

/* Points of the ROC curve, one per distinct score, thresholds falling, first (infinity, 0, 0). */
typedef struct MlRocPoint
{
	double		threshold;
	double		fpr;
	double		tpr;
} MlRocPoint;

extern MlStatus ml_roc_compute(MlEnv *env, size_t n, const bool *actual, const double *score, MlRocPoint **points, size_t *count);

/*
 * ml_metrics() of a classification into two classes, and the ROC curve of class 1 without regard to weights: rows
 * are sorted by score once for both.  At most "most" (2 or more) points, evenly, with the first and the last one.
 */
extern MlStatus ml_metrics_roc(MlEnv *env, size_t n, const double *y, const double *prediction, const double *weight,
							   MlMetric *metrics, int *count, size_t most, MlRocPoint **points, size_t *n_points);

#endif							/* ML_EVAL_METRICS_H */
