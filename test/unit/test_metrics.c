/*-------------------------------------------------------------------------
 * test_metrics.c
 *	  Metrics against scikit-learn (test/reference/metrics.py), and where they are undefined.
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "../reference/metrics_figures.h"
#include "ml/eval/metrics.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static double
metric(const MlMetric *metrics, int count, const char *name)
{
	for (int i = 0; i < count; i++)
	{
		if (strcmp(metrics[i].name, name) == 0)
			return metrics[i].value;
	}
	return -1;
}

#define CHECK_METRIC(name, want) CHECK_CLOSE(metric(metrics, count, name), want, 1e-12)

static void
test_regression(MlEnv *env)
{
	MlMetric	metrics[ML_MAX_METRICS];
	int			count;
	double		constant[] = {3, 3, 3};
	double		near[] = {3, 4, 2};

	CHECK_STATUS(env, ml_metrics(env, ML_TASK_REGRESSION, 0, LENGTH(reg_y), reg_y, reg_p, NULL, metrics, &count), ML_OK);
	CHECK(count == 3);
	CHECK_METRIC("rmse", REG_RMSE);
	CHECK_METRIC("mae", REG_MAE);
	CHECK_METRIC("r2", REG_R2);
	CHECK_STATUS(env, ml_metrics(env, ML_TASK_REGRESSION, 0, LENGTH(reg_y), reg_y, reg_p, reg_w, metrics, &count), ML_OK);
	CHECK_METRIC("rmse", REG_WEIGHTED_RMSE);
	CHECK_METRIC("mae", REG_WEIGHTED_MAE);
	CHECK_METRIC("r2", REG_WEIGHTED_R2);

	CHECK_STATUS(env, ml_metrics(env, ML_TASK_REGRESSION, 0, 3, constant, near, NULL, metrics, &count), ML_OK);
	CHECK(isnan(metric(metrics, count, "r2")));
	CHECK_NEAR(metric(metrics, count, "mae"), 2.0 / 3, 1e-15);
}

/* The sum of a million times 0.1 keeps its digits. */
static void
test_summation(MlEnv *env)
{
	size_t		n = 1000000;
	double	   *y = ml_alloc0(env, n, sizeof(double));
	double	   *p = ml_alloc(env, n, sizeof(double));
	MlMetric	metrics[ML_MAX_METRICS];
	int			count;

	for (size_t i = 0; i < n; i++)
		p[i] = 0.1;
	CHECK_STATUS(env, ml_metrics(env, ML_TASK_REGRESSION, 0, n, y, p, NULL, metrics, &count), ML_OK);
	CHECK_NEAR(metric(metrics, count, "mae"), 0.1, 1e-17);
}

static void
check_binary(MlEnv *env, const double *p, const double *weight, const double want[7])
{
	static const char *const names[] = {"accuracy", "precision", "recall", "f1", "auc", "logloss", "brier"};
	MlMetric	metrics[ML_MAX_METRICS];
	int			count;

	CHECK_STATUS(env, ml_metrics(env, ML_TASK_CLASSIFICATION, 2, LENGTH(bin_y), bin_y, p, weight, metrics, &count), ML_OK);
	CHECK(count == 7);
	for (int i = 0; i < 7; i++)
		CHECK_METRIC(names[i], want[i]);
}

static void
test_binary(MlEnv *env)
{
	static const double plain[] = {BIN_ACCURACY, BIN_PRECISION, BIN_RECALL, BIN_F1, BIN_AUC, BIN_LOGLOSS, BIN_BRIER};
	static const double weighted[] = {BIN_WEIGHTED_ACCURACY, BIN_WEIGHTED_PRECISION, BIN_WEIGHTED_RECALL, BIN_WEIGHTED_F1,
		BIN_WEIGHTED_AUC, BIN_WEIGHTED_LOGLOSS, BIN_WEIGHTED_BRIER};
	double		p[2 * LENGTH(bin_y)];

	for (size_t i = 0; i < LENGTH(bin_y); i++)
	{
		p[2 * i] = 1 - bin_s[i];
		p[2 * i + 1] = bin_s[i];
	}
	check_binary(env, p, NULL, plain);
	check_binary(env, p, bin_w, weighted);
}

static void
test_multiclass(MlEnv *env)
{
	static const char *const names[] = {"accuracy", "precision", "recall", "f1", "auc", "logloss", "brier"};
	static const double want[2][7] = {
		{MULTI_ACCURACY, MULTI_PRECISION, MULTI_RECALL, MULTI_F1, MULTI_AUC, MULTI_LOGLOSS, MULTI_BRIER},
		{MULTI_WEIGHTED_ACCURACY, MULTI_WEIGHTED_PRECISION, MULTI_WEIGHTED_RECALL, MULTI_WEIGHTED_F1,
		MULTI_WEIGHTED_AUC, MULTI_WEIGHTED_LOGLOSS, MULTI_WEIGHTED_BRIER}
	};
	MlMetric	metrics[ML_MAX_METRICS];
	int			count;

	for (int w = 0; w < 2; w++)
	{
		CHECK_STATUS(env, ml_metrics(env, ML_TASK_CLASSIFICATION, 4, LENGTH(multi_y), multi_y, multi_p, w == 1 ? multi_w : NULL, metrics, &count), ML_OK);
		for (int i = 0; i < 7; i++)
			CHECK_METRIC(names[i], want[w][i]);
	}
}

static void
test_auc_edges(MlEnv *env)
{
	bool		actual[] = {true, false, true, false};
	bool		single[] = {true, true, true, true};
	double		tied[] = {0.5, 0.5, 0.5, 0.5};
	double		zeros[] = {0.0, -0.0, 0.0, -0.0};
	double		perfect[] = {2, -INFINITY, INFINITY, 1};
	double		undefined[] = {2, NAN, 1, 0};
	double		auc;

	CHECK_STATUS(env, ml_auc_compute(env, 4, actual, tied, NULL, &auc), ML_OK);
	CHECK_NEAR(auc, 0.5, 0);
	CHECK_STATUS(env, ml_auc_compute(env, 4, actual, zeros, NULL, &auc), ML_OK);
	CHECK_NEAR(auc, 0.5, 0);
	CHECK_STATUS(env, ml_auc_compute(env, 4, actual, perfect, NULL, &auc), ML_OK);
	CHECK_NEAR(auc, 1, 0);
	CHECK_STATUS(env, ml_auc_compute(env, 4, single, perfect, NULL, &auc), ML_OK);
	CHECK(isnan(auc));
	CHECK_STATUS(env, ml_auc_compute(env, 4, actual, undefined, NULL, &auc), ML_OK);
	CHECK(isnan(auc));
	CHECK_STATUS(env, ml_auc_compute(env, 0, actual, tied, NULL, &auc), ML_OK);
	CHECK(isnan(auc));
}

static void
test_roc(MlEnv *env)
{
	bool		actual[LENGTH(bin_y)];
	MlRocPoint *points;
	size_t		n;

	for (size_t i = 0; i < LENGTH(bin_y); i++)
		actual[i] = bin_y[i] == 1;
	CHECK_STATUS(env, ml_roc_compute(env, LENGTH(bin_y), actual, bin_s, &points, &n), ML_OK);
	if (!CHECK(n == LENGTH(roc_fpr)))
		return;
	CHECK(isinf(points[0].threshold) && points[0].fpr == 0 && points[0].tpr == 0);
	for (size_t i = 1; i < n; i++)
	{
		CHECK_NEAR(points[i].threshold, roc_threshold[i], 0);
		CHECK_NEAR(points[i].fpr, roc_fpr[i], 1e-15);
		CHECK_NEAR(points[i].tpr, roc_tpr[i], 1e-15);
	}
	CHECK(points[n - 1].fpr == 1 && points[n - 1].tpr == 1);
	for (size_t i = 0; i < LENGTH(bin_y); i++)
		actual[i] = true;
	CHECK_STATUS(env, ml_roc_compute(env, LENGTH(bin_y), actual, bin_s, &points, &n), ML_OK);
	CHECK(n == 0 && points == NULL);
}

/* A class that is in the model and not in the rows leaves auc undefined, and only that. */
static void
test_absent_class(MlEnv *env)
{
	double		y[] = {0, 1, 0};
	double		p[] = {0.7, 0.2, 0.1, 0.1, 0.8, 0.1, 0.3, 0.6, 0.1};
	MlMetric	metrics[ML_MAX_METRICS];
	int			count;

	CHECK_STATUS(env, ml_metrics(env, ML_TASK_CLASSIFICATION, 3, 3, y, p, NULL, metrics, &count), ML_OK);
	CHECK(isnan(metric(metrics, count, "auc")));
	CHECK_METRIC("accuracy", 2.0 / 3);
	CHECK_METRIC("recall", 0.75);	/* of the two classes that occur */
}

int
main(void)
{
	MlEnv	   *env = unit_env(1);

	test_regression(env);
	test_summation(env);
	test_binary(env);
	test_multiclass(env);
	test_auc_edges(env);
	test_roc(env);
	test_absent_class(env);
	CHECK(ml_metric_find("auc")->higher_is_better && !ml_metric_find("rmse")->higher_is_better && ml_metric_find("x") == NULL);
	CHECK_TEXT(ml_primary_metric(ML_TASK_CLASSIFICATION, 2), "auc");
	CHECK_TEXT(ml_primary_metric(ML_TASK_CLASSIFICATION, 3), "accuracy");
	CHECK_TEXT(ml_primary_metric(ML_TASK_REGRESSION, 0), "r2");
	unit_env_free(env);
	return unit_done();
}
