/*-------------------------------------------------------------------------
 * weights.c
 *	  What rows count: weights of the user, and those that make classes equal.
 *-------------------------------------------------------------------------
 */
#include "ml/model/weights.h"

#include <math.h>

#include "ml/base/arena.h"

MlStatus
ml_weights_gather(MlEnv *env, const MlFrame *frame, const size_t *order, size_t n, double **weight)
{
	const MlColumn *column = ml_frame_column(frame, ML_ROLE_WEIGHT);

	*weight = NULL;
	if (column == NULL)
		return ML_OK;
	if (column->number == NULL)
		return ml_fail(env, ML_BAD_TYPE, "weight column \"%s\" of type %s is not a number", column->spec.name, column->spec.type_name);
	*weight = ml_alloc(env, n, sizeof(double));
	if (*weight == NULL)
		return env->error.status;
	for (size_t i = 0; i < n; i++)
	{
		double		w = column->number[order[i]];

		if (isnan(w))
		{
			ml_fail(env, ML_BAD_PARAM, "weight column \"%s\" contains NULL or NaN", column->spec.name);
			return ml_hint(env, "Leave such rows out of the source, or give them the weight 0.");
		}
		if (w < 0 || isinf(w))
			return ml_fail(env, ML_BAD_PARAM, "weight column \"%s\" contains %g; weights must be finite and not negative", column->spec.name, w);
		(*weight)[i] = w;
	}
	return ML_OK;
}

MlStatus
ml_weights_balance(MlEnv *env, int32_t classes, size_t n_train, size_t n, const double *y, const double *weight, double **balanced)
{
	double	   *factor = ml_alloc0(env, (size_t) classes, sizeof(double));
	double	   *out = ml_alloc(env, n, sizeof(double));
	double		sum = 0;

	if (factor == NULL || out == NULL)
		return env->error.status;
	for (size_t i = 0; i < n_train; i++)
		factor[(int32_t) y[i]] += 1;
	for (int32_t k = 0; k < classes; k++)
		factor[k] = (double) n_train / (classes * factor[k]);
	for (size_t i = 0; i < n; i++)
	{
		out[i] = (y[i] >= 0 ? factor[(int32_t) y[i]] : 1) * (weight != NULL ? weight[i] : 1);
		sum += out[i];
	}
	if (isinf(sum))
	{
		ml_fail(env, ML_BAD_PARAM, "the weights are too large once they are balanced between the classes");
		return ml_hint(env, "Divide the weight column by its largest value; only the relations of weights matter.");
	}
	*balanced = out;
	return ML_OK;
}
