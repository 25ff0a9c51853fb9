/*-------------------------------------------------------------------------
 * naive_bayes_fit.c
 *	  Sums by class, feature by feature, and what follows from them.
 *
 * A task is one feature in one stretch of rows; stretches come one after another and each adds to
 * the sums of its feature, so no sum depends on the number of threads.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "ml/algo/bayes/class_sums.h"
#include "ml/algo/bayes/naive_bayes.h"
#include "ml/base/arena.h"
#include "ml/base/elementary.h"
#include "ml/base/pool.h"

/* A constant without smoothing: its density stays a number. */
#define LEAST_VARIANCE 1e-290

typedef struct Sums
{
	MlClassSums numbers;
	double	   *count;			/* of codes x classes */
} Sums;

typedef struct BayesFit
{
	MlEnv	   *env;
	const MlDataset *data;
	MlBayesModel *model;
	Sums	   *sums;			/* by feature */
	MlClassOrder order;			/* of the stretch at hand */
	double		alpha;
} BayesFit;

/* ---- which distribution a feature has ---- */

static MlBayesKind
kind_of(const MlFeature *feature, MlBayesKind asked)
{
	if (feature->kind == ML_FEATURE_CATEGORY)
		return ML_BAYES_CATEGORICAL;
	if (asked != ML_BAYES_AUTO)
		return asked;
	return feature->logical == ML_LOGICAL_BOOLEAN ? ML_BAYES_BERNOULLI : ML_BAYES_GAUSSIAN;
}

/* The codes of a number that stands for a category: 0 .. greatest value. */
static MlStatus
count_codes(MlEnv *env, const MlDataset *data, int f, MlBayesFeature *feature)
{
	double		greatest = -1;

	for (size_t i = 0; i < data->n_train; i++)
	{
		double		v = ml_column_value(&data->columns[f], i);

		if (i % ML_CLASS_STRETCH == 0 && ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		if (isnan(v))
			continue;
		if (v < 0 || v >= ML_MAX_LEVELS || v != floor(v))
		{
			ml_fail(env, ML_BAD_DATA, "column \"%s\" contains %g, which is not the number of a category", data->schema->features[f].name, v);
			return ml_hint(env, "With distribution \"categorical\" numbers must be integers from 0 to %d; use \"auto\", or cast the column to text.", ML_MAX_LEVELS - 1);
		}
		greatest = v > greatest ? v : greatest;
	}
	feature->levels = (int32_t) greatest + 1;
	return ML_OK;
}

/* ---- sums ---- */

static inline double
weight_of(const MlDataset *data, size_t i)
{
	return data->weight != NULL ? data->weight[i] : 1;
}

static void
add_codes(const BayesFit *fit, const MlDataColumn *column, const MlBayesFeature *feature, Sums *s)
{
	const MlDataset *data = fit->data;
	size_t		classes = (size_t) fit->model->n_classes;

	for (size_t i = fit->order.first; i < fit->order.first + fit->order.rows; i++)
	{
		double		v = column->code != NULL ? column->code[i] : ml_column_value(column, i);

		if (v >= 0 && v <= feature->levels)
			s->count[(size_t) v * classes + (size_t) data->y[i]] += weight_of(data, i);
	}
}

static void
sum_task(void *arg, size_t task, int thread)
{
	BayesFit   *fit = arg;
	const MlBayesFeature *feature = &fit->model->features[task];
	const MlDataColumn *column = &fit->data->columns[task];

	if (feature->kind == ML_BAYES_CATEGORICAL)
		add_codes(fit, column, feature, &fit->sums[task]);
	else
		ml_class_sums_add(&fit->order, column, feature->kind == ML_BAYES_BERNOULLI ? &fit->model->binarize : NULL, thread, &fit->sums[task].numbers);
}

/* One pass over all rows.  Leaves the weight of each class in log_prior. */
static MlStatus
add_up(BayesFit *fit)
{
	size_t		n = fit->data->n_train;

	ML_TRY(ml_class_order_make(fit->env, fit->data, (size_t) fit->model->n_classes, &fit->order));
	for (size_t first = 0; first < n; first += fit->order.rows)
	{
		MlProgress	progress = {.phase = "fit", .share = (double) first / (double) n, .train_loss = NAN, .validation_loss = NAN};

		ml_progress(fit->env, &progress);
		ML_TRY(ml_class_order_fill(fit->env, &fit->order, first));
		ml_class_order_weigh(&fit->order, fit->model->log_prior);
		ML_TRY(ml_pool_run(fit->env, (size_t) fit->model->n_features, sum_task, fit));
	}
	return ML_OK;
}

/* ---- room ---- */

size_t
ml_bayes_memory(const MlSchema *schema, const MlParams *params, size_t n, int threads)
{
	bool		codes = ml_param_int(params, ML_BAYES_DISTRIBUTION) == ML_BAYES_CATEGORICAL;
	size_t		classes = (size_t) (schema->n_classes < 2 ? 2 : schema->n_classes);
	size_t		total = ml_class_order_memory(n, classes, threads);

	for (int f = 0; f < schema->n_features; f++)
	{
		const MlFeature *feature = &schema->features[f];
		size_t		levels = feature->kind == ML_FEATURE_CATEGORY ? (size_t) feature->levels + 1 : codes ? ML_MAX_LEVELS : 0;
		size_t		bytes;

		/* Tables of sums and of logarithms, three sums and four figures by class. */
		if (!ml_mul_size(classes, (2 * levels + 10) * sizeof(double), &bytes) ||
			!ml_add_size(total, bytes + sizeof(MlBayesFeature) + sizeof(Sums) + 64 * 8, &total))
			return SIZE_MAX;
	}
	return total;
}

static MlStatus
make_room(BayesFit *fit, int f, MlBayesFeature *feature)
{
	MlEnv	   *env = fit->env;
	size_t		classes = (size_t) fit->model->n_classes;
	Sums	   *s = &fit->sums[f];

	if (feature->kind == ML_BAYES_CATEGORICAL)
		s->count = ml_alloc0(env, ml_bayes_table_size(feature, fit->model->n_classes), sizeof(double));
	else
	{
		s->numbers.weight = ml_alloc0(env, classes, sizeof(double));
		s->numbers.mean = ml_alloc0(env, classes, sizeof(double));
	}
	if (feature->kind == ML_BAYES_GAUSSIAN)
	{
		s->numbers.squares = ml_alloc0(env, classes, sizeof(double));
		feature->mean = ml_alloc0(env, classes, sizeof(double));
		feature->variance = ml_alloc0(env, classes, sizeof(double));
	}
	else
		feature->log_p = ml_alloc0(env, ml_bayes_table_size(feature, fit->model->n_classes), sizeof(double));
	return env->error.status;
}

static MlStatus
prepare_features(BayesFit *fit, MlBayesKind asked)
{
	for (int f = 0; f < fit->model->n_features; f++)
	{
		MlBayesFeature *feature = &fit->model->features[f];
		const MlFeature *described = &fit->data->schema->features[f];

		feature->kind = kind_of(described, asked);
		feature->levels = described->levels;
		if (feature->kind == ML_BAYES_CATEGORICAL && described->kind == ML_FEATURE_NUMBER)
			ML_TRY(count_codes(fit->env, fit->data, f, feature));
		ML_TRY(make_room(fit, f, feature));
	}
	return ML_OK;
}

/* ---- from sums to the model ---- */

/* Classes whose rows lack the feature look like all rows: it says nothing against them or for them. */
static void
set_means(BayesFit *fit, int f)
{
	MlBayesFeature *feature = &fit->model->features[f];
	const MlClassSums *s = &fit->sums[f].numbers;
	double		mean = 0;
	double		total = 0;

	for (int32_t k = 0; k < fit->model->n_classes; k++)
		total += s->weight[k];
	for (int32_t k = 0; k < fit->model->n_classes && total > 0; k++)
		mean += s->weight[k] / total * s->mean[k];
	for (int32_t k = 0; k < fit->model->n_classes; k++)
		feature->mean[k] = s->weight[k] > 0 ? s->mean[k] : mean;
}

/* The greatest variance of a whole column: var_smoothing is a share of it, as in scikit-learn. */
static double
variance_of_column(const BayesFit *fit, int f)
{
	const MlBayesFeature *feature = &fit->model->features[f];
	const MlClassSums *s = &fit->sums[f].numbers;
	double		total = 0;
	double		mean = 0;
	double		squares = 0;

	for (int32_t k = 0; k < fit->model->n_classes; k++)
		total += s->weight[k];
	if (!(total > 0))
		return 0;
	for (int32_t k = 0; k < fit->model->n_classes; k++)
		mean += s->weight[k] / total * feature->mean[k];
	for (int32_t k = 0; k < fit->model->n_classes; k++)
		squares += s->squares[k] / total + s->weight[k] / total * (feature->mean[k] - mean) * (feature->mean[k] - mean);
	return squares;
}

static MlStatus
set_variances(BayesFit *fit, int f, double smoothing)
{
	MlEnv	   *env = fit->env;
	MlBayesFeature *feature = &fit->model->features[f];
	const MlClassSums *s = &fit->sums[f].numbers;
	double		whole = variance_of_column(fit, f);

	for (int32_t k = 0; k < fit->model->n_classes; k++)
	{
		double		v = (s->weight[k] > 0 ? s->squares[k] / s->weight[k] : whole) + smoothing;

		if (!isfinite(v) || !isfinite(feature->mean[k]))
		{
			ml_fail(env, ML_OUT_OF_RANGE, "the variance of column \"%s\" is out of range", fit->data->schema->features[f].name);
			return ml_hint(env, "Scale the column, or take its logarithm.");
		}
		feature->variance[k] = v > LEAST_VARIANCE ? v : LEAST_VARIANCE;
	}
	return ml_bayes_finish_gaussian(env, feature, fit->model->n_classes);
}

static MlStatus
set_gaussians(BayesFit *fit, double share)
{
	double		greatest = 0;

	for (int f = 0; f < fit->model->n_features; f++)
	{
		double		v;

		if (fit->model->features[f].kind != ML_BAYES_GAUSSIAN)
			continue;
		set_means(fit, f);
		v = variance_of_column(fit, f);
		greatest = v > greatest ? v : greatest;
	}
	for (int f = 0; f < fit->model->n_features; f++)
	{
		if (fit->model->features[f].kind == ML_BAYES_GAUSSIAN)
			ML_TRY(set_variances(fit, f, share * (greatest > 0 ? greatest : 1)));
	}
	return ML_OK;
}

static void
set_codes(BayesFit *fit, int f)
{
	MlBayesFeature *feature = &fit->model->features[f];
	size_t		classes = (size_t) fit->model->n_classes;
	const double *count = fit->sums[f].count;
	int32_t		known;

	for (size_t k = 0; k < classes; k++)
		feature->other |= count[(size_t) feature->levels * classes + k] > 0;
	known = feature->levels + feature->other;
	for (size_t k = 0; k < classes; k++)
	{
		double		total = fit->alpha * known;

		for (int32_t c = 0; c < known; c++)
			total += count[(size_t) c * classes + k];
		for (int32_t c = 0; c < known; c++)
			feature->log_p[(size_t) c * classes + k] = ml_log((count[(size_t) c * classes + k] + fit->alpha) / total);
	}
}

static void
set_bernoulli(BayesFit *fit, int f)
{
	MlBayesFeature *feature = &fit->model->features[f];
	const MlClassSums *s = &fit->sums[f].numbers;
	int32_t		classes = fit->model->n_classes;

	for (int32_t k = 0; k < classes; k++)
	{
		double		total = s->weight[k] + 2 * fit->alpha;
		double		greater = s->mean[k] * s->weight[k];	/* at most weight: a mean of zeros and ones is not above 1 */

		feature->log_p[k] = ml_log((s->weight[k] - greater + fit->alpha) / total);
		feature->log_p[classes + k] = ml_log((greater + fit->alpha) / total);
	}
}

static inline double
sum_of(const BayesFit *fit, int f, int32_t k)
{
	return fit->sums[f].numbers.mean[k] * fit->sums[f].numbers.weight[k];
}

/* Counts of all features share one total. */
static MlStatus
set_multinomial(BayesFit *fit)
{
	MlEnv	   *env = fit->env;
	MlBayesModel *model = fit->model;
	int			n = 0;

	for (int f = 0; f < model->n_features; f++)
	{
		if (model->features[f].kind != ML_BAYES_MULTINOMIAL)
			continue;
		n++;
		if (fit->sums[f].numbers.negative)
		{
			ml_fail(env, ML_BAD_DATA, "column \"%s\" contains negative numbers, which cannot be counts", fit->data->schema->features[f].name);
			return ml_hint(env, "Use distribution \"gaussian\", or leave the column out.");
		}
	}
	for (int32_t k = 0; k < model->n_classes; k++)
	{
		double		total = fit->alpha * n;

		for (int f = 0; f < model->n_features; f++)
			total += model->features[f].kind == ML_BAYES_MULTINOMIAL ? sum_of(fit, f, k) : 0;
		for (int f = 0; f < model->n_features; f++)
		{
			if (model->features[f].kind != ML_BAYES_MULTINOMIAL)
				continue;
			if (!isfinite(total))
				return ml_fail(env, ML_OUT_OF_RANGE, "the sum of the counts is out of range");
			model->features[f].log_p[k] = ml_log((sum_of(fit, f, k) + fit->alpha) / total);
		}
	}
	return ML_OK;
}

/* Shares of the classes; one without weight gets the smallest that a logarithm can be taken of. */
static void
set_priors(MlBayesModel *model, bool from_data)
{
	double	   *weight = model->log_prior;
	double		total = 0;

	for (int32_t k = 0; k < model->n_classes; k++)
		total += weight[k];
	for (int32_t k = 0; k < model->n_classes; k++)
	{
		double		share = from_data ? weight[k] / total : 1.0 / model->n_classes;

		model->log_prior[k] = ml_log(share > DBL_MIN ? share : DBL_MIN);
	}
}

MlStatus
ml_bayes_fit(MlEnv *env, const MlDataset *data, const MlParams *params, void **result)
{
	MlBayesModel *model = ml_alloc0(env, 1, sizeof(MlBayesModel));
	BayesFit	fit = {.env = env, .data = data, .model = model, .alpha = ml_param_double(params, ML_BAYES_ALPHA)};
	int			n = data->schema->n_features;

	if (model == NULL)
		return env->error.status;
	model->n_classes = data->schema->n_classes;
	model->n_features = n;
	model->binarize = ml_param_double(params, ML_BAYES_BINARIZE);
	model->features = ml_alloc0(env, (size_t) n, sizeof(MlBayesFeature));
	model->log_prior = ml_alloc0(env, (size_t) model->n_classes, sizeof(double));
	fit.sums = ml_alloc0(env, (size_t) n, sizeof(Sums));
	if (model->features == NULL || model->log_prior == NULL || fit.sums == NULL)
		return env->error.status;
	ML_TRY(prepare_features(&fit, (MlBayesKind) ml_param_int(params, ML_BAYES_DISTRIBUTION)));
	ML_TRY(add_up(&fit));
	set_priors(model, ml_param_bool(params, ML_BAYES_FIT_PRIOR));
	ML_TRY(set_gaussians(&fit, ml_param_double(params, ML_BAYES_VAR_SMOOTHING)));
	ML_TRY(set_multinomial(&fit));
	for (int f = 0; f < n; f++)
	{
		if (model->features[f].kind == ML_BAYES_CATEGORICAL)
			set_codes(&fit, f);
		else if (model->features[f].kind == ML_BAYES_BERNOULLI)
			set_bernoulli(&fit, f);
	}
	*result = model;
	return ML_OK;
}
