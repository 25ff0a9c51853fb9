/*-------------------------------------------------------------------------
 * regression.c
 *	  rmse, mae, r2.
 *-------------------------------------------------------------------------
 */
#include <math.h>

#include "ml/eval/metrics_internal.h"

MlStatus
ml_metrics_regression(MlEnv *env, size_t n, const double *y, const double *prediction, const double *weight, double *value)
{
	MlSum		total = {0};	/* of the weights */
	MlSum		sum_y = {0};
	MlSum		absolute = {0};
	MlSum		residual = {0}; /* squares */
	MlSum		around_mean = {0};
	double		mean;

	for (size_t i = 0; i < n; i++)
	{
		double		w = ml_weight_of(weight, i);
		double		e = y[i] - prediction[i];

		if (i % 1000000 == 0 && ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		ml_sum_add(&total, w);
		ml_sum_add(&sum_y, w * y[i]);
		ml_sum_add(&absolute, w * fabs(e));
		ml_sum_add(&residual, w * e * e);
	}
	mean = ml_sum_value(&sum_y) / ml_sum_value(&total);
	for (size_t i = 0; i < n; i++)
		ml_sum_add(&around_mean, ml_weight_of(weight, i) * (y[i] - mean) * (y[i] - mean));

	value[ML_METRIC_RMSE] = sqrt(ml_sum_value(&residual) / ml_sum_value(&total));
	value[ML_METRIC_MAE] = ml_sum_value(&absolute) / ml_sum_value(&total);
	value[ML_METRIC_R2] = ml_sum_value(&around_mean) > 0 ? 1 - ml_sum_value(&residual) / ml_sum_value(&around_mean) : NAN;
	return ML_OK;
}
