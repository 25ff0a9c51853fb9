/*-------------------------------------------------------------------------
 * numbers.c
 *	  Steps that make numbers of numbers: filling, scaling, clipping, parts of dates.
 *
 * Each looks at the training rows and becomes one operation for a column.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>

#include "ml/base/arena.h"
#include "ml/prep/prep_internal.h"

static double
at_most(double x)
{
	return x > DBL_MAX ? DBL_MAX : x < -DBL_MAX ? -DBL_MAX : x;
}

/* A scale of 0 would be a constant column, which stays one. */
static double
scale_of(double x)
{
	return x > 0 ? at_most(x) : 1;
}

static MlStatus
fit_number(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepOp *op)
{
	MlEnv	   *env = fit->env;
	size_t		n_train = fit->in->n_train;
	MlPrepSorted sorted = {0};
	double		mean;
	double		deviation;

	op->kind = ML_OP_AFFINE;
	op->c = 1;
	switch (step->kind)
	{
		case ML_STEP_IMPUTE_MEAN:
		case ML_STEP_STANDARD:
			ML_TRY(ml_prep_moments(env, part, n_train, &mean, &deviation));
			op->a = mean;
			op->b = scale_of(deviation);
			break;
		case ML_STEP_IMPUTE_CONSTANT:
			op->a = step->low;
			break;
		case ML_STEP_CLIP:
			op->a = step->low;
			op->b = step->high;
			if (!step->quantiles)
				break;
			/* FALLTHROUGH */
		default:
			ML_TRY(ml_prep_sort(env, part, n_train, &sorted));
			break;
	}
	switch (step->kind)
	{
		case ML_STEP_IMPUTE_MEDIAN:
			op->a = ml_prep_quantile(&sorted, 0.5);
			break;
		case ML_STEP_IMPUTE_MOST_FREQUENT:
			op->a = ml_prep_most_frequent(&sorted);
			break;
		case ML_STEP_MIN_MAX:
			op->a = sorted.value[0];
			op->b = scale_of(sorted.value[sorted.n - 1] - sorted.value[0]);
			op->c = step->high - step->low;
			op->d = step->low;
			break;
		case ML_STEP_ROBUST:
			op->a = ml_prep_quantile(&sorted, 0.5);
			op->b = scale_of(ml_prep_quantile(&sorted, step->high) - ml_prep_quantile(&sorted, step->low));
			break;
		case ML_STEP_CLIP:
			if (step->quantiles)
			{
				op->a = isinf(step->low) ? -DBL_MAX : ml_prep_quantile(&sorted, step->low);
				op->b = isinf(step->high) ? DBL_MAX : ml_prep_quantile(&sorted, step->high);
			}
			op->a = at_most(op->a);
			op->b = at_most(op->b);
			op->kind = ML_OP_CLIP;
			break;
		default:
			break;
	}
	if (step->kind >= ML_STEP_IMPUTE_MEAN && step->kind <= ML_STEP_IMPUTE_CONSTANT)
		op->kind = ML_OP_FILL;
	ml_release(env, sorted.value);
	return ML_OK;
}

static MlStatus
check_log(MlPrepFit *fit, const MlPrepPart *part)
{
	for (size_t i = 0; i < fit->in->n_train; i++)
	{
		if (part->data.number[i] <= -1)
		{
			ml_fail(fit->env, ML_BAD_DATA, "column \"%s\" contains %g, which has no log1p", part->feature.name, part->data.number[i]);
			return ml_hint(fit->env, "log1p takes numbers above -1. Put a clip before it, such as {\"clip\": [0, null]}.");
		}
	}
	return ML_OK;
}

MlStatus
ml_prep_step_number(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepParts *next)
{
	MlPrepOp	op = {.in = part->slot, .n_out = 1};
	MlFeature	feature = part->feature;

	if (step->kind == ML_STEP_LOG1P)
	{
		ML_TRY(check_log(fit, part));
		op.kind = ML_OP_LOG1P;
	}
	else
		ML_TRY(fit_number(fit, step, part, &op));
	/* Filled or clipped, it is still what it was. */
	if (op.kind == ML_OP_AFFINE || op.kind == ML_OP_LOG1P)
	{
		feature.logical = ML_LOGICAL_FLOAT;
		feature.unit = ML_UNIT_NONE;
	}
	return ml_prep_follow(fit, &op, part, &feature, next);
}

MlStatus
ml_prep_step_indicator(MlPrepFit *fit, const MlPrepPart *part, MlPrepParts *next, MlPrepParts *aside)
{
	MlPrepOp	op = {.kind = ML_OP_MISSING, .in = part->slot, .n_out = 1};
	MlFeature	feature = ml_prep_number(&part->feature, ml_printf(fit->env, "%s (missing)", part->feature.name));

	if (feature.name == NULL)
		return fit->env->error.status;
	ML_TRY(ml_prep_follow(fit, &op, part, &feature, aside));
	return ml_prep_add_part(fit->env, next, part);
}

MlStatus
ml_prep_step_dates(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepParts *next)
{
	MlTimeUnit	unit = part->feature.unit;
	uint32_t	parts = step->parts != 0 ? step->parts : ml_date_parts_of(unit);
	double		origin = unit == ML_UNIT_DAYS ? step->origin : step->origin * 86400;

	if ((parts & (1u << ML_PART_OF_ELAPSED)) != 0 && !step->has_origin)
	{
		origin = INFINITY;
		for (size_t i = 0; i < fit->in->n_train; i++)
			origin = part->data.number[i] < origin ? part->data.number[i] : origin;
		origin = isinf(origin) ? 0 : origin;
	}
	for (int p = 0; p < ML_N_DATE_PARTS; p++)
	{
		MlPrepOp	op = {.kind = ML_OP_DATE_PART, .in = part->slot, .n_out = 1, .part = (uint8_t) p, .unit = (uint8_t) unit,
		.a = p == ML_PART_OF_ELAPSED ? origin : 0};
		MlFeature	feature;

		if ((parts & (1u << p)) == 0)
			continue;
		feature = ml_prep_number(&part->feature, ml_printf(fit->env, "%s(%s)", ml_date_part_names[p], part->feature.name));
		if (feature.name == NULL)
			return fit->env->error.status;
		ML_TRY(ml_prep_follow(fit, &op, part, &feature, next));
	}
	return ML_OK;
}

