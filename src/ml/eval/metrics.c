/*-------------------------------------------------------------------------
 * metrics.c
 *	  The table of metrics.
 *-------------------------------------------------------------------------
 */
#include "ml/eval/metrics.h"

#include <math.h>
#include <string.h>

#include "ml/eval/metrics_internal.h"

const MlMetricInfo ml_metric_infos[] = {
	[ML_METRIC_RMSE] = {"rmse", ML_TASK_REGRESSION, false, "root of the mean squared error, in units of the target"},
	[ML_METRIC_MAE] = {"mae", ML_TASK_REGRESSION, false, "mean absolute error, in units of the target"},
	[ML_METRIC_R2] = {"r2", ML_TASK_REGRESSION, true, "share of the variance explained; 1 is perfect, 0 is no better than the mean"},
	[ML_METRIC_ACCURACY] = {"accuracy", ML_TASK_CLASSIFICATION, true, "share of rows whose class is predicted rightly"},
	[ML_METRIC_PRECISION] = {"precision", ML_TASK_CLASSIFICATION, true, "share of right ones among rows predicted positive; mean over classes for more than two"},
	[ML_METRIC_RECALL] = {"recall", ML_TASK_CLASSIFICATION, true, "share of positive rows that are found; mean over classes for more than two"},
	[ML_METRIC_F1] = {"f1", ML_TASK_CLASSIFICATION, true, "harmonic mean of precision and recall; mean over classes for more than two"},
	[ML_METRIC_AUC] = {"auc", ML_TASK_CLASSIFICATION, true, "probability that a positive row scores above a negative one; mean of one-vs-rest for more than two classes"},
	[ML_METRIC_LOGLOSS] = {"logloss", ML_TASK_CLASSIFICATION, false, "mean negative logarithm of the probability given to the true class"},
	[ML_METRIC_BRIER] = {"brier", ML_TASK_CLASSIFICATION, false, "mean squared error of the probability; summed over classes for more than two"},
	[ML_METRIC_SILHOUETTE] = {"silhouette", ML_TASK_CLUSTERING, true, "mean over rows of how much nearer their own cluster is than the next one, -1 to 1; noise left out; of at most 4,096 rows drawn at random"},
	[ML_METRIC_CLUSTERS] = {"clusters", ML_TASK_CLUSTERING, true, "number of clusters that have a row"},
	[ML_METRIC_NOISE] = {"noise", ML_TASK_CLUSTERING, false, "share of rows that belong to no cluster"},
	[ML_METRIC_INERTIA] = {"inertia", ML_TASK_CLUSTERING, false, "sum over rows of the squared distance to the centre of their cluster"},
	[ML_METRIC_LOG_LIKELIHOOD] = {"log_likelihood", ML_TASK_CLUSTERING, true, "mean over rows of the logarithm of their density"},
	[ML_METRIC_BIC] = {"bic", ML_TASK_CLUSTERING, false, "Bayesian information criterion: parameters times the logarithm of the rows, less twice the log-likelihood of all rows"},
	[ML_METRIC_AIC] = {"aic", ML_TASK_CLUSTERING, false, "Akaike information criterion: twice the parameters, less twice the log-likelihood of all rows"},
	[ML_METRIC_EXPLAINED_VARIANCE] = {"explained_variance_ratio", ML_TASK_REDUCTION, true, "share of the squared deviations of the rows that the vector keeps; 1 keeps all"},
	[ML_METRIC_RECONSTRUCTION] = {"reconstruction_error", ML_TASK_REDUCTION, false, "mean over rows of the squared distance between a row and what its vector says of it"},
	[ML_METRIC_SEPARATION] = {"separation", ML_TASK_ANOMALY, true, "mean score of the flagged rows less that of the others, in standard deviations of the score"},
	[ML_METRIC_FLAGGED] = {"flagged", ML_TASK_ANOMALY, false, "share of rows that are flagged"},
	[ML_METRIC_SCORE_MEDIAN] = {"score_median", ML_TASK_ANOMALY, false, "median of the scores"},
	[ML_METRIC_SCORE_P90] = {"score_p90", ML_TASK_ANOMALY, false, "score that a tenth of the rows exceed"},
	[ML_METRIC_SCORE_P99] = {"score_p99", ML_TASK_ANOMALY, false, "score that a hundredth of the rows exceed"},
	[ML_METRIC_SCORE_MAX] = {"score_max", ML_TASK_ANOMALY, false, "highest score"},
	/* Of no task: the training part has them where rows without a class were used. */
	[ML_METRIC_UNLABELLED_ROWS] = {"unlabelled_rows", 0, false, "rows without a target that were there to learn from"},
	[ML_METRIC_PSEUDO_LABELLED_ROWS] = {"pseudo_labelled_rows", 0, true, "those of them that trained with a class that the machine gave them"},
	[ML_METRIC_SEMI_ITERATIONS] = {"semi_supervised_iterations", 0, false, "rounds of self-training, or steps of label spreading"},
	[ML_METRIC_COUNT] = {NULL}
};

_Static_assert(ML_METRIC_COUNT <= ML_MAX_METRICS, "ML_MAX_METRICS is too small");

const MlMetricInfo *
ml_metric_find(const char *name)
{
	for (const MlMetricInfo *info = ml_metric_infos; info->name != NULL; info++)
	{
		if (strcmp(info->name, name) == 0)
			return info;
	}
	return NULL;
}

const char *
ml_primary_metric(MlTask task, int n_classes)
{
	switch (task)
	{
		case ML_TASK_REGRESSION:
			return "r2";
		case ML_TASK_CLUSTERING:
			return "silhouette";
		case ML_TASK_REDUCTION:
			return "explained_variance_ratio";
		case ML_TASK_ANOMALY:
			return "separation";
		default:
			return n_classes == 2 ? "auc" : "accuracy";
	}
}

void
ml_report_metrics(const MlReport *report, MlMetric *metrics, int *count)
{
	*count = 0;
	for (int i = 0; i < ML_METRIC_COUNT && *count < ML_MAX_METRICS; i++)
	{
		const MlMetricInfo *info = &ml_metric_infos[i];

		if (report->given[i])
			metrics[(*count)++] = (MlMetric)
			{
				info->name, isfinite(report->value[i]) ? report->value[i] : NAN, info->higher_is_better
			};
	}
}

static void
list_metrics(MlTask task, const double *value, MlMetric *metrics, int *count)
{
	*count = 0;
	for (int i = 0; i < ML_METRIC_COUNT; i++)
	{
		const MlMetricInfo *info = &ml_metric_infos[i];

		if ((info->tasks & (uint32_t) task) == 0)
			continue;
		metrics[(*count)++] = (MlMetric)
		{
			/* An overflow is as undefined as 0/0: both are shown as NULL. */
			info->name, isfinite(value[i]) ? value[i] : NAN, info->higher_is_better
		};
	}
}

MlStatus
ml_metrics(MlEnv *env, MlTask task, int n_classes, size_t n, const double *y,
		   const double *prediction, const double *weight, MlMetric *metrics, int *count)
{
	double		value[ML_METRIC_COUNT];

	if (task == ML_TASK_REGRESSION)
		ML_TRY(ml_metrics_regression(env, n, y, prediction, weight, value));
	else
		ML_TRY(ml_metrics_classification(env, n_classes, n, y, prediction, weight, value, NULL));
	list_metrics(task, value, metrics, count);
	return ML_OK;
}

MlStatus
ml_metrics_roc(MlEnv *env, size_t n, const double *y, const double *prediction, const double *weight,
			   MlMetric *metrics, int *count, size_t most, MlRocPoint **points, size_t *n_points)
{
	double		value[ML_METRIC_COUNT];
	MlRoc		roc = {.most = most};

	ML_TRY(ml_metrics_classification(env, 2, n, y, prediction, weight, value, &roc));
	list_metrics(ML_TASK_CLASSIFICATION, value, metrics, count);
	*points = roc.points;
	*n_points = roc.n;
	return ML_OK;
}
