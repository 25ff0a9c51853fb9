/*-------------------------------------------------------------------------
 * linear_model.c
 *	  A fitted linear model of one or more equations over the columns of a design.
 *-------------------------------------------------------------------------
 */
#include <math.h>

#include "ml/algo/linear_model.h"
#include "ml/algo/linear_terms.h"
#include "ml/base/arena.h"
#include "ml/base/elementary.h"

MlStatus
ml_linear_model_alloc(MlEnv *env, MlLinearModel *model, int n)
{
	size_t		cells = (size_t) model->design->n_columns * n;

	model->n = n;
	model->intercept = ml_alloc0(env, n, sizeof(double));
	model->intercept_error = ml_alloc0(env, n, sizeof(double));
	model->coef = ml_alloc0(env, cells, sizeof(double));
	model->error = ml_alloc0(env, cells, sizeof(double));
	if (model->intercept == NULL || model->intercept_error == NULL || model->coef == NULL || model->error == NULL)
		return env->error.status;
	for (int i = 0; i < n; i++)
		model->intercept_error[i] = NAN;
	for (size_t i = 0; i < cells; i++)
		model->error[i] = NAN;
	return ML_OK;
}

MlStatus
ml_linear_model_set(MlEnv *env, MlLinearModel *model, const MlSchema *schema, const MlDesignScale *scale,
					int eq, int k, double value, double error, int exponent)
{
	int			column = scale->column[k];
	size_t		at = (size_t) column * model->n + eq;

	model->coef[at] = ldexp(value, exponent - scale->exponent[k]);
	model->error[at] = ldexp(error, exponent - scale->exponent[k]);
	if (!isfinite(model->coef[at]) || isinf(model->error[at]))
		return ml_fail(env, ML_OUT_OF_RANGE, "the coefficient of \"%s\" is out of range",
					   ml_design_term(env, model->design, schema, column));
	return ML_OK;
}

void
ml_linear_model_save(const MlLinearModel *model, MlWriter *w)
{
	size_t		cells = (size_t) model->design->n_columns * model->n;

	ml_design_save(model->design, w);
	ml_put_u8(w, model->has_intercept);
	ml_put_u32(w, model->n);
	ml_put_double(w, model->freedom);
	ml_put_doubles(w, model->intercept, model->n);
	for (int i = 0; i < model->n; i++)
		ml_linear_put_error(w, model->intercept_error[i]);
	ml_put_doubles(w, model->coef, cells);
	for (size_t i = 0; i < cells; i++)
		ml_linear_put_error(w, model->error[i]);
	ml_statistics_save(&model->statistics, w);
}

static double *
get_errors(MlReader *r, size_t count)
{
	double	   *errors = ml_alloc0(r->env, count, sizeof(double));

	for (size_t i = 0; errors != NULL && i < count; i++)
		errors[i] = ml_linear_get_error(r);
	return errors;
}

MlStatus
ml_linear_model_load(MlReader *r, const MlSchema *schema, int n, MlLinearModel *model)
{
	size_t		cells;

	ML_TRY(ml_design_load(r, schema, &model->design));
	model->has_intercept = ml_get_u8(r) != 0;
	model->n = (int32_t) ml_get_u32(r);
	model->freedom = ml_get_finite(r);
	ML_TRY(r->status);
	if (model->n != n || n < 1)
		return ml_reader_corrupt(r, "number of equations");
	cells = (size_t) model->design->n_columns * model->n;
	model->intercept = ml_get_doubles(r, model->n);
	model->intercept_error = get_errors(r, model->n);
	model->coef = ml_get_doubles(r, cells);
	ML_TRY(r->status);			/* the coefficients were there, so their number can be trusted */
	model->error = get_errors(r, cells);
	if (r->status == ML_OK && (model->intercept_error == NULL || model->error == NULL))
		return r->env->error.status;
	ML_TRY(r->status);
	return ml_statistics_load(r, &model->statistics);
}

void
ml_linear_model_save_only(const void *fitted, MlWriter *w)
{
	ml_linear_model_save(fitted, w);
}

MlStatus
ml_linear_model_load_only(MlReader *r, const MlSchema *schema, void **fitted)
{
	*fitted = ml_alloc0(r->env, 1, sizeof(MlLinearModel));
	if (*fitted == NULL)
		return r->env->error.status;
	return ml_linear_model_load(r, schema, 1, *fitted);
}

void
ml_linear_model_predict(const void *fitted, const double *x, double *out, void *scratch)
{
	const MlLinearModel *model = fitted;

	(void) scratch;
	out[0] = model->intercept[0];
	ml_design_dot(model->design, model->coef, 1, x, out);
}

bool
ml_linear_model_predict_batch(const void *fitted, const double *x, size_t n, double *out, void *scratch)
{
	const MlLinearModel *model = fitted;

	(void) scratch;
	for (size_t i = 0; i < n; i++)
		out[i] = model->intercept[0];
	ml_design_dot_batch(model->design, model->coef, 1, x, n, out);
	return true;
}

double
ml_linear_model_cost(const void *fitted)
{
	const MlLinearModel *model = fitted;

	return 10 + (1.0 + model->n) * model->design->n_features;
}

MlStatus
ml_linear_model_importance(MlEnv *env, const void *fitted, const MlSchema *schema, const char *how, double *out)
{
	const MlLinearModel *model = fitted;

	ML_TRY(ml_linear_importance_kind(env, how));
	for (int f = 0; f < schema->n_features; f++)
	{
		double		largest = 0;	/* squares of it may be out of range */
		double		squares = 0;

		for (int e = 0; e < model->n; e++)
			largest = fmax(largest, fabs(ml_design_spread(model->design, f, model->coef + e, model->n)));
		for (int e = 0; e < model->n && largest > 0; e++)
		{
			double		spread = ml_design_spread(model->design, f, model->coef + e, model->n) / largest;

			squares += spread * spread;
		}
		out[f] = largest * sqrt(squares / model->n);
	}
	return ML_OK;
}

static void
set_row(const MlLinearModel *model, const char *label, const char *term, double estimate, double error, MlCoefficient *row)
{
	row->class_label = label;
	row->term = term;
	row->estimate = estimate;
	row->std_error = error;
	row->statistic = error > 0 ? estimate / error : NAN;
	row->p_value = NAN;
	row->freedom = model->freedom > 0 ? model->freedom : 0;
	if (error > 0 && model->freedom >= 0)
		row->p_value = model->freedom > 0 ? ml_t_two_sided(row->statistic, model->freedom) : ml_normal_two_sided(row->statistic);
}

MlStatus
ml_linear_model_coefficients(MlEnv *env, const void *fitted, const MlSchema *schema, MlCoefficient **rows, size_t *count)
{
	const MlLinearModel *model = fitted;
	size_t		n = 0;

	*rows = ml_alloc0(env, ((size_t) model->design->n_columns + 1) * model->n, sizeof(MlCoefficient));
	if (*rows == NULL)
		return env->error.status;
	for (int e = 0; e < model->n; e++)
	{
		const char *label = model->n > 1 ? schema->classes[e] : schema->n_classes == 2 ? schema->classes[1] : NULL;

		if (model->has_intercept)
			set_row(model, label, ML_LINEAR_INTERCEPT, model->intercept[e], model->intercept_error[e], &(*rows)[n++]);
		for (int j = 0; j < model->design->n_columns; j++)
		{
			const char *term = ml_design_term(env, model->design, schema, j);
			size_t		at = (size_t) j * model->n + e;

			if (term == NULL)
				return env->error.status;
			set_row(model, label, term, model->coef[at], model->error[at], &(*rows)[n++]);
		}
	}
	*count = n;
	return ML_OK;
}

MlStatus
ml_linear_model_statistics(MlEnv *env, const void *fitted, const MlSchema *schema, MlStatistic **rows, size_t *count)
{
	(void) schema;
	return ml_statistics_rows(env, &((const MlLinearModel *) fitted)->statistics, rows, count);
}

/* The model itself says all there is to say, but for the means of its scores. */
MlStatus
ml_linear_model_explainer(MlEnv *env, const void *fitted, const MlSchema *schema, void **explainer)
{
	const MlLinearModel *model = fitted;
	double	   *mean = ml_alloc(env, (size_t) schema->n_features + 1, sizeof(double));
	MlLinearExplainer *e = ml_alloc0(env, 1, sizeof(MlLinearExplainer));

	if (mean == NULL || e == NULL)
		return env->error.status;
	e->model = model;
	e->baseline = ml_alloc(env, (size_t) model->n, sizeof(double));
	if (e->baseline == NULL)
		return env->error.status;
	for (int s = 0; s < model->n; s++)
	{
		e->baseline[s] = model->intercept[s];
		ml_design_effects(model->design, model->coef, model->n, s, NULL, NULL, mean);
		for (int f = 0; f < schema->n_features; f++)
			e->baseline[s] += mean[f];
	}
	*explainer = e;
	return ML_OK;
}

/* Of two classes there is one equation, for the second; the first has its negative. */
void
ml_linear_model_explain(void *explainer, const double *x, int class_number, double *contribution, double *baseline)
{
	const MlLinearExplainer *e = explainer;
	const MlLinearModel *model = e->model;
	int			s = model->n > 1 ? class_number : 0;

	ml_design_effects(model->design, model->coef, model->n, s, x, contribution, NULL);
	*baseline = e->baseline[s];
}
