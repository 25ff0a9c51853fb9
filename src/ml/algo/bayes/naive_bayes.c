/*-------------------------------------------------------------------------
 * naive_bayes.c
 *	  Naive Bayes: features that are independent of each other given the class.
 *
 * Score of a class: the logarithm of its share of the rows plus, for each feature that is there,
 * the logarithm of how likely its value is in that class.  Manning, Raghavan, Schütze,
 * Introduction to Information Retrieval (2008), chapter 13; numbers as scikit-learn's GaussianNB,
 * MultinomialNB, BernoulliNB and CategoricalNB have them.
 *-------------------------------------------------------------------------
 */
#include "ml/algo/bayes/naive_bayes.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/elementary.h"
#include "ml/base/simd.h"

/* log(2 pi) / 2 */
#define HALF_LOG_TWO_PI 0.91893853320467274178
/* Scores are kept above this, so that no difference of two is undefined. */
#define LEAST_SCORE (-1e300)

/* Classes for which a block is scored at a time. */
#define CLASSES_TOGETHER 16

static const MlParam bayes_params[] = {
	{.name = "distribution", .type = ML_PARAM_CHOICE, .default_choice = "auto", .choices = "auto|gaussian|multinomial|bernoulli|categorical",
		.aliases = "type|event_model",
	.description = "How numbers are distributed within a class: auto is gaussian, and bernoulli for booleans; multinomial takes them as counts; bernoulli asks whether they exceed binarize; categorical takes the integers from 0 on as categories. Columns of categories are always categorical."},
	{.name = "alpha", .type = ML_PARAM_DOUBLE, .default_number = 1, .minimum = 0, .maximum = 1e12, .open_minimum = true,
		.aliases = "smoothing|laplace",
	.description = "Added to every count before probabilities are taken (Laplace, Lidstone), except for gaussian features."},
	{.name = "var_smoothing", .type = ML_PARAM_DOUBLE, .default_number = 1e-9, .minimum = 0, .maximum = 1e6,
	.description = "This share of the greatest variance of all gaussian columns is added to each variance."},
	{.name = "binarize", .type = ML_PARAM_DOUBLE, .default_number = 0, .minimum = -INFINITY, .maximum = INFINITY, .open_minimum = true, .open_maximum = true,
		.aliases = "threshold",
	.description = "With distribution bernoulli a number counts as present if it is greater than this."},
	{.name = "fit_prior", .type = ML_PARAM_BOOL, .default_number = 1,
	.description = "Whether a class is the likelier the more rows it has; without, all classes are equally likely beforehand."},
	{NULL}
};

MlStatus
ml_bayes_finish_gaussian(MlEnv *env, MlBayesFeature *feature, int32_t n_classes)
{
	feature->inverse = ml_alloc(env, (size_t) n_classes, sizeof(double));
	feature->height = ml_alloc(env, (size_t) n_classes, sizeof(double));
	if (feature->inverse == NULL || feature->height == NULL)
		return env->error.status;
	for (int32_t k = 0; k < n_classes; k++)
	{
		feature->inverse[k] = 1 / sqrt(feature->variance[k]);
		feature->height[k] = -0.5 * ml_log(feature->variance[k]) - HALF_LOG_TWO_PI;
	}
	return ML_OK;
}

/* ---- predicting ---- */

/* Logarithm of the likelihood of x (not NaN) in class k; never below LEAST_SCORE. */
static inline double
log_density(const MlBayesFeature *feature, double x, int32_t k)
{
	double		z = (x - feature->mean[k]) * feature->inverse[k];
	double		value = feature->height[k] - 0.5 * (z * z);

	return value > LEAST_SCORE ? value : LEAST_SCORE;
}

/* Where the logarithms of this value by class stand, NULL when it says nothing. */
static inline const double *
code_row(const MlBayesModel *model, const MlBayesFeature *feature, double x)
{
	if (feature->kind == ML_BAYES_BERNOULLI)
		return x > model->binarize ? feature->log_p + model->n_classes : feature->log_p;
	if (!(x >= 0 && x < feature->levels + feature->other) || x != (double) (int32_t) x)
		return NULL;
	return feature->log_p + (size_t) x * (size_t) model->n_classes;
}

/* What a feature adds to the score of class k. */
static inline double
term(const MlBayesModel *model, const MlBayesFeature *feature, double x, int32_t k)
{
	const double *row;
	double		value;

	switch (feature->kind)
	{
		case ML_BAYES_GAUSSIAN:
			return log_density(feature, x, k);
		case ML_BAYES_MULTINOMIAL:
			value = x * feature->log_p[k];
			return value > LEAST_SCORE ? value : LEAST_SCORE;
		default:
			row = code_row(model, feature, x);
			return row == NULL ? 0 : row[k];
	}
}

static void
bayes_predict(const void *fitted, const double *x, double *out, void *scratch)
{
	const MlBayesModel *model = fitted;

	(void) scratch;
	memcpy(out, model->log_prior, (size_t) model->n_classes * sizeof(double));
	for (int32_t f = 0; f < model->n_features; f++)
	{
		const MlBayesFeature *feature = &model->features[f];

		if (isnan(x[f]))
			continue;
		for (int32_t k = 0; k < model->n_classes; k++)
		{
			double		sum = out[k] + term(model, feature, x[f], k);

			out[k] = sum > LEAST_SCORE ? sum : LEAST_SCORE;
		}
	}
	ml_softmax(out, (size_t) model->n_classes);
}

/* score (64): adds what a gaussian feature says of the values x (64) for class k; the same steps as log_density(). */
static inline __attribute__((always_inline)) void
add_gaussian_body(const MlBayesFeature *feature, int32_t k, const double *restrict x, double *restrict score)
{
	const double mean = feature->mean[k];
	const double inverse = feature->inverse[k];
	const double height = feature->height[k];

	for (int i = 0; i < ML_BATCH_ROWS; i++)
	{
		double		z = (x[i] - mean) * inverse;
		double		value = height - 0.5 * (z * z);
		double		sum = score[i] + (value > LEAST_SCORE ? value : LEAST_SCORE);

		sum = sum > LEAST_SCORE ? sum : LEAST_SCORE;
		score[i] = x[i] == x[i] ? sum : score[i];
	}
}

ML_SIMD_TIERS(add_gaussian, (const MlBayesFeature *feature, int32_t k, const double *restrict x, double *restrict score), (feature, k, x, score))

static void
add_others(const MlBayesModel *model, const MlBayesFeature *feature, int32_t k, const double *x, size_t n, double *score)
{
	for (size_t i = 0; i < n; i++)
	{
		double		sum;

		if (isnan(x[i]))
			continue;
		sum = score[i] + term(model, feature, x[i], k);
		score[i] = sum > LEAST_SCORE ? sum : LEAST_SCORE;
	}
}

/* Scores (end - first classes x ML_BATCH_ROWS) of a block for the classes first .. end - 1. */
static void
score_block(const MlBayesModel *model, int32_t first, int32_t end, const double *x, size_t n, double *scores)
{
	for (int32_t k = first; k < end; k++)
		for (int i = 0; i < ML_BATCH_ROWS; i++)
			scores[(k - first) * ML_BATCH_ROWS + i] = model->log_prior[k];
	for (int32_t f = 0; f < model->n_features; f++)
	{
		const MlBayesFeature *feature = &model->features[f];
		const double *values = x + (size_t) f * ML_BATCH_ROWS;

		for (int32_t k = first; k < end; k++)
		{
			double	   *score = scores + (k - first) * ML_BATCH_ROWS;

			if (feature->kind == ML_BAYES_GAUSSIAN)
				ML_SIMD_CALL(add_gaussian, (feature, k, values, score));
			else
				add_others(model, feature, k, values, n, score);
		}
	}
}

/* A block of thousands of features is larger than a cache: it is read once for several classes. */
static bool
bayes_predict_batch(const void *fitted, const double *x, size_t n, double *out, void *scratch)
{
	const MlBayesModel *model = fitted;
	size_t		classes = (size_t) model->n_classes;
	double	   *scores = scratch;

	for (int32_t first = 0; first < model->n_classes; first += CLASSES_TOGETHER)
	{
		int32_t		end = first + CLASSES_TOGETHER < model->n_classes ? first + CLASSES_TOGETHER : model->n_classes;

		score_block(model, first, end, x, n, scores);
		for (int32_t k = first; k < end; k++)
			for (size_t i = 0; i < n; i++)
				out[i * classes + (size_t) k] = scores[(size_t) (k - first) * ML_BATCH_ROWS + i];
	}
	for (size_t i = 0; i < n; i++)
		ml_softmax(out + i * classes, classes);
	return true;
}

static size_t
bayes_scratch_size(const void *fitted)
{
	(void) fitted;
	return CLASSES_TOGETHER * ML_BATCH_ROWS * sizeof(double);
}

static double
bayes_predict_cost(const void *fitted)
{
	const MlBayesModel *model = fitted;

	return 20 + model->n_classes * (10 + 1.5 * model->n_features);
}

/* ---- explaining ---- */

typedef struct BayesExplainer
{
	const MlBayesModel *model;
} BayesExplainer;

static MlStatus
bayes_explainer(MlEnv *env, const void *fitted, const MlSchema *schema, void **explainer)
{
	BayesExplainer *e = ml_alloc0(env, 1, sizeof(BayesExplainer));

	(void) schema;
	if (e == NULL)
		return env->error.status;
	e->model = fitted;
	*explainer = e;
	return ML_OK;
}

/* The terms of the sum themselves; with two classes, of the difference between both. */
static void
bayes_explain(void *explainer, const double *x, int class_number, double *contribution, double *baseline)
{
	const MlBayesModel *model = ((BayesExplainer *) explainer)->model;
	bool		two = model->n_classes == 2;

	*baseline = model->log_prior[class_number] - (two ? model->log_prior[1 - class_number] : 0);
	for (int32_t f = 0; f < model->n_features; f++)
	{
		const MlBayesFeature *feature = &model->features[f];

		contribution[f] = 0;
		if (isnan(x[f]))
			continue;
		contribution[f] = term(model, feature, x[f], class_number) - (two ? term(model, feature, x[f], 1 - class_number) : 0);
	}
}

/* ---- importance: what knowing the feature tells of the class ---- */

static double
prior_of(const MlBayesModel *model, int32_t k)
{
	return ml_exp(model->log_prior[k]);
}

/* Of a mixture of normals with the same first two moments as the whole: an upper bound that is close for similar classes. */
static double
gaussian_information(const MlBayesModel *model, const MlBayesFeature *feature)
{
	double		mean = 0;
	double		variance = 0;
	double		within = 0;

	for (int32_t k = 0; k < model->n_classes; k++)
		mean += prior_of(model, k) * feature->mean[k];
	for (int32_t k = 0; k < model->n_classes; k++)
	{
		double		d = feature->mean[k] - mean;

		variance += prior_of(model, k) * (feature->variance[k] + d * d);
		within += prior_of(model, k) * ml_log(feature->variance[k]);
	}
	return variance < DBL_MAX ? 0.5 * (ml_log(variance) - within) : DBL_MAX;
}

/* sum over classes and outcomes of p(k) p(c | k) log(p(c | k) / p(c)), outcomes being rows of log_p. */
static double
table_information(const MlBayesModel *model, const double *log_p, size_t outcomes)
{
	size_t		classes = (size_t) model->n_classes;
	double		sum = 0;

	for (size_t c = 0; c < outcomes; c++)
	{
		double		p = 0;

		for (size_t k = 0; k < classes; k++)
			p += prior_of(model, (int32_t) k) * ml_exp(log_p[c * classes + k]);
		for (size_t k = 0; k < classes && p > 0; k++)
			sum += prior_of(model, (int32_t) k) * ml_exp(log_p[c * classes + k]) * (log_p[c * classes + k] - ml_log(p));
	}
	return sum > 0 ? sum : 0;
}

static MlStatus
bayes_importance(MlEnv *env, const void *fitted, const MlSchema *schema, const char *how, double *out)
{
	const MlBayesModel *model = fitted;

	if (how != NULL && strcmp(how, "information") != 0 && strcmp(how, "gain") != 0)
	{
		ml_fail(env, ML_BAD_PARAM, "importance \"%s\" is not known to this method", how);
		return ml_hint(env, "Valid is \"information\": what knowing the feature tells of the class, in natural units.");
	}
	for (int f = 0; f < schema->n_features; f++)
	{
		const MlBayesFeature *feature = &model->features[f];
		size_t		outcomes = feature->kind == ML_BAYES_CATEGORICAL ? (size_t) (feature->levels + feature->other) : feature->kind == ML_BAYES_BERNOULLI ? 2 : 1;

		out[f] = feature->kind == ML_BAYES_GAUSSIAN ? gaussian_information(model, feature) : table_information(model, feature->log_p, outcomes);
	}
	return ML_OK;
}

/* ---- figures ---- */

static size_t
figures_of(const MlBayesFeature *feature)
{
	switch (feature->kind)
	{
		case ML_BAYES_GAUSSIAN:
			return 2;
		case ML_BAYES_CATEGORICAL:
			return (size_t) (feature->levels + feature->other);
		default:
			return 1;
	}
}

/* One figure of a feature in a class: its name and value. */
static const char *
describe_figure(MlEnv *env, const MlBayesModel *model, const MlFeature *described, const MlBayesFeature *feature, size_t figure, int32_t k, double *value)
{
	switch (feature->kind)
	{
		case ML_BAYES_GAUSSIAN:
			*value = figure == 0 ? feature->mean[k] : feature->variance[k];
			return ml_printf(env, "%s(%s)", figure == 0 ? "mean" : "variance", described->name);
		case ML_BAYES_MULTINOMIAL:
			*value = ml_exp(feature->log_p[k]);
			return ml_printf(env, "P(%s)", described->name);
		case ML_BAYES_BERNOULLI:
			*value = ml_exp(feature->log_p[model->n_classes + k]);
			return ml_printf(env, "P(%s > %g)", described->name, model->binarize);
		default:
			*value = ml_exp(feature->log_p[figure * (size_t) model->n_classes + (size_t) k]);
			if (described->kind == ML_FEATURE_NUMBER)
				return ml_printf(env, "P(%s=%d)", described->name, (int) figure);
			if (figure < (size_t) described->levels)
				return ml_printf(env, "P(%s=%s)", described->name, described->level[figure]);
			return ml_printf(env, "P(%s other)", described->name);
	}
}

static MlStatus
bayes_coefficients(MlEnv *env, const void *fitted, const MlSchema *schema, MlCoefficient **rows, size_t *count)
{
	const MlBayesModel *model = fitted;
	size_t		figures = 1;
	size_t		n = 0;

	for (int f = 0; f < schema->n_features; f++)
		figures += figures_of(&model->features[f]);
	*rows = ml_alloc0(env, figures * (size_t) model->n_classes, sizeof(MlCoefficient));
	if (*rows == NULL)
		return env->error.status;
	for (int32_t k = 0; k < model->n_classes; k++)
	{
		(*rows)[n++] = (MlCoefficient) {schema->classes[k], "P(class)", prior_of(model, k), NAN, NAN, NAN};
		for (int f = 0; f < schema->n_features; f++)
		{
			const MlBayesFeature *feature = &model->features[f];

			for (size_t i = 0; i < figures_of(feature); i++)
			{
				MlCoefficient *row = &(*rows)[n++];

				*row = (MlCoefficient) {schema->classes[k], NULL, NAN, NAN, NAN, NAN};
				row->term = describe_figure(env, model, &schema->features[f], feature, i, k, &row->estimate);
				if (row->term == NULL)
					return env->error.status;
			}
		}
	}
	*count = n;
	return ML_OK;
}

/* ---- image ---- */

static void
bayes_save(const void *fitted, MlWriter *w)
{
	const MlBayesModel *model = fitted;

	ml_put_double(w, model->binarize);
	ml_put_doubles(w, model->log_prior, (size_t) model->n_classes);
	for (int f = 0; f < model->n_features; f++)
	{
		const MlBayesFeature *feature = &model->features[f];

		ml_put_u8(w, (uint8_t) feature->kind);
		if (feature->kind == ML_BAYES_GAUSSIAN)
		{
			ml_put_doubles(w, feature->mean, (size_t) model->n_classes);
			ml_put_doubles(w, feature->variance, (size_t) model->n_classes);
			continue;
		}
		if (feature->kind == ML_BAYES_CATEGORICAL)
		{
			ml_put_i32(w, feature->levels);
			ml_put_u8(w, feature->other);
		}
		ml_put_doubles(w, feature->log_p, ml_bayes_table_size(feature, model->n_classes));
	}
}

static MlStatus
load_gaussian(MlReader *r, MlBayesFeature *feature, int32_t n_classes)
{
	feature->mean = ml_get_doubles(r, (size_t) n_classes);
	feature->variance = ml_get_doubles(r, (size_t) n_classes);
	ML_TRY(r->status);
	for (int32_t k = 0; k < n_classes; k++)
	{
		if (!(feature->variance[k] >= DBL_MIN))
			return ml_reader_corrupt(r, "variance");
	}
	return ml_bayes_finish_gaussian(r->env, feature, n_classes);
}

static MlStatus
load_feature(MlReader *r, const MlFeature *described, MlBayesFeature *feature, int32_t n_classes)
{
	uint8_t		kind = ml_get_u8(r);

	ML_TRY(r->status);
	if (kind < ML_BAYES_GAUSSIAN || kind > ML_BAYES_CATEGORICAL || (described->kind == ML_FEATURE_CATEGORY && kind != ML_BAYES_CATEGORICAL))
		return ml_reader_corrupt(r, "distribution");
	feature->kind = (MlBayesKind) kind;
	if (kind == ML_BAYES_GAUSSIAN)
		return load_gaussian(r, feature, n_classes);
	if (kind == ML_BAYES_CATEGORICAL)
	{
		feature->levels = ml_get_i32(r);
		feature->other = ml_get_u8(r) != 0;
		ML_TRY(r->status);
		if (feature->levels < 0 || feature->levels > ML_MAX_LEVELS || (described->kind == ML_FEATURE_CATEGORY && feature->levels != described->levels))
			return ml_reader_corrupt(r, "levels");
	}
	feature->log_p = ml_get_doubles(r, ml_bayes_table_size(feature, n_classes));
	return r->status;
}

static MlStatus
bayes_load(MlReader *r, const MlSchema *schema, void **result)
{
	MlBayesModel *model = ml_alloc0(r->env, 1, sizeof(MlBayesModel));

	if (model == NULL)
		return r->env->error.status;
	model->n_classes = schema->n_classes;
	model->n_features = schema->n_features;
	if (model->n_classes < 1)
		return ml_reader_corrupt(r, "classes");
	model->binarize = ml_get_finite(r);
	model->log_prior = ml_get_doubles(r, (size_t) model->n_classes);
	ML_TRY(r->status);
	model->features = ml_alloc0(r->env, (size_t) model->n_features, sizeof(MlBayesFeature));
	if (model->features == NULL)
		return r->env->error.status;
	for (int f = 0; f < model->n_features; f++)
		ML_TRY(load_feature(r, &schema->features[f], &model->features[f], model->n_classes));
	*result = model;
	return ML_OK;
}

const MlMethod ml_method_naive_bayes = {
	.name = "naive_bayes",
	.summary = "naive Bayes: gaussian, multinomial, Bernoulli and categorical features, also mixed",
	.description =
	"The score of a class is the logarithm of its share of the rows plus the logarithms of how likely each value of the row is in that class, features taken as independent given the class "
	"(Manning, Raghavan, Schuetze 2008, chapter 13). Each column has the distribution that suits it, so numbers, booleans and categories may stand side by side; where all columns are of one kind "
	"the figures are those of scikit-learn's GaussianNB, MultinomialNB, BernoulliNB or CategoricalNB. "
	"Two passes over the rows (variances around the means); time is rows x columns, memory classes x (columns + categories). "
	"A missing value says nothing: its factor is left out, in training and in prediction, and so is that of a category that training never saw. "
	"Probabilities come out too sure of themselves where columns are correlated; their order is often right all the same. "
	"Importance: information, what knowing the feature tells of the class in nats (exact for counted features; for gaussian ones from the first two moments). "
	"Contribution of a feature to a prediction: its term of the sum; with two classes the difference of both classes' terms. The baseline is the prior.",
	.tasks = ML_TASK_CLASSIFICATION,
	.format = 1,
	.reads_sparse = true,
	.params = bayes_params,
	.memory = ml_bayes_memory,
	.fit = ml_bayes_fit,
	.save = bayes_save,
	.load = bayes_load,
	.predict = bayes_predict,
	.scratch_size = bayes_scratch_size,
	.predict_batch = bayes_predict_batch,
	.predict_cost = bayes_predict_cost,
	.importance = bayes_importance,
	.coefficients = bayes_coefficients,
	.explainer = bayes_explainer,
	.explain = bayes_explain,
};
