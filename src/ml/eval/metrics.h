/*-------------------------------------------------------------------------
 * metrics.h
 *	  How good predictions are.  Definitions and ties as in scikit-learn.
 *
 * rmse, mae, r2; accuracy, precision, recall, f1 (positive class for two
 * classes, macro average for more), auc (macro one-vs-rest for more than two),
 * logloss (probabilities clipped to [1e-15, 1-1e-15]), brier.  What is
 * undefined (auc of one class, r2 of a constant) is NaN and becomes NULL.
 *-------------------------------------------------------------------------
 */
#ifndef ML_EVAL_METRICS_H
#define ML_EVAL_METRICS_H

#include "ml/data/schema.h"

#define ML_MAX_METRICS 12

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

/* The metric a report leads with: "r2" for regression, "auc" for two classes, "accuracy" for more. */
extern const char *ml_primary_metric(MlTask task, int n_classes);

/*
 * y: value or class index; prediction: n x k row-major (k = 1 or n_classes);
 * weight may be NULL.  Fills at most ML_MAX_METRICS, in the order of ml_metric_infos.
 */
extern MlStatus ml_metrics(MlEnv *env, MlTask task, int n_classes, size_t n, const double *y,
						   const double *prediction, const double *weight, MlMetric *metrics, int *count);

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

#endif							/* ML_EVAL_METRICS_H */
