/*-------------------------------------------------------------------------
 * boost.c
 *	  Fitting: trees one after another, each on the gradients that the ones
 *	  before it left.
 *
 * Friedman 2001, with the second-order steps of Chen & Guestrin 2016 and the
 * defaults of LightGBM.  Targets or weights of an extreme size are multiplied by
 * a power of two first, and the penalties with them: that changes no tree,
 * but keeps squares inside the range of a double.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ml/algo/gbdt/gbdt_internal.h"
#include "ml/base/arena.h"
#include "ml/base/elementary.h"
#include "ml/base/pool.h"
#include "ml/base/rng.h"

/* Targets and weights with a largest absolute value between 2^-200 and 2^200 are taken as they are. */
#define PLAIN_EXPONENT 200

/* Levels that a symmetric tree may have. */
#define SYMMETRIC_DEPTH 16

typedef struct Boost
{
	const MlDataset *data;
	const MlParams *params;
	MlGbdtBins	bins;
	MlGbdtRules rules;
	MlGbdtLoss	loss;
	MlGbdtGrower *grower;
	MlGbdtForest *forest;
	double		target_scale;	/* what a score must be multiplied with */
	double		bagging_fraction;
	int32_t		bagging_freq;	/* 0: every row in every tree */
	double		feature_fraction;
	uint32_t   *rows;			/* of the trees in hand */
	size_t		n_rows;
	uint64_t	bag;			/* which drawing of rows this is */
	bool		goss;			/* rows are drawn by their gradients (Ke et al. 2017, algorithm 2) */
	double		top_rate;
	double		other_rate;
	int64_t		goss_from;		/* iteration */
	bool	   *drawn;			/* by row, of goss */
	double	   *drawn_h;		/* n_outputs x n, hessians of goss */
	double	   *measure;		/* n, of goss: scratch */
	double	   *measure_weight;
	bool	   *use;			/* by feature */
	uint32_t	walk_from;		/* trees that walk_block() adds */
} Boost;

static MlGbdtObjective
automatic_objective(const MlSchema *schema)
{
	if (schema->task == ML_TASK_REGRESSION)
		return ML_GBDT_SQUARED;
	return schema->n_classes == 2 ? ML_GBDT_LOGISTIC : ML_GBDT_SOFTMAX;
}

static MlStatus
choose_objective(MlEnv *env, const MlSchema *schema, const MlParams *params, MlGbdtObjective *objective)
{
	int			chosen = ml_gbdt_objective_of_choice((int) ml_param_int(params, ML_GBDT_OBJECTIVE));
	bool		regression = ml_gbdt_regression((MlGbdtObjective) chosen);

	*objective = chosen < 0 ? automatic_objective(schema) : (MlGbdtObjective) chosen;
	if (chosen < 0)
		return ML_OK;
	if (regression != (schema->task == ML_TASK_REGRESSION))
	{
		ml_fail(env, ML_BAD_PARAM, "the objective is for %s, but the task is %s",
				regression ? "regression" : "classification", ml_task_name(schema->task));
		return ml_hint(env, "Leave \"objective\" out, or set \"task\" to \"%s\".", regression ? "regression" : "classification");
	}
	if (chosen == ML_GBDT_LOGISTIC && schema->n_classes != 2)
	{
		ml_fail(env, ML_BAD_PARAM, "the logistic objective is for two classes, but the target has %d", schema->n_classes);
		return ml_hint(env, "Use \"softmax\", or leave \"objective\" out.");
	}
	return ML_OK;
}

/* A power of two that brings the largest absolute value near 1, where that is needed. */
static double
taming_scale(double largest)
{
	int			exponent = 0;

	if (largest > 0)
		(void) frexp(largest, &exponent);
	if (exponent >= -PLAIN_EXPONENT && exponent <= PLAIN_EXPONENT)
		return 1;
	/* Its inverse must be a double as well. */
	return ldexp(1, exponent < -1000 ? 1000 : (exponent > 1000 ? -1000 : -exponent));
}

static double
largest_of(const double *v, size_t n)
{
	double		largest = 0;

	for (size_t i = 0; i < n; i++)
		if (fabs(v[i]) > largest)
			largest = fabs(v[i]);
	return largest;
}

static MlStatus
scaled_copy(MlEnv *env, const double *v, size_t n, double scale, const double **result)
{
	double	   *copy;

	*result = v;
	if (scale == 1)
		return ML_OK;
	copy = ml_alloc(env, n, sizeof(double));
	if (copy == NULL)
		return env->error.status;
	for (size_t i = 0; i < n; i++)
		copy[i] = v[i] * scale;
	*result = copy;
	return ML_OK;
}

/* scale_pos_weight: rows of the second class count so many times. */
static MlStatus
weigh_positives(MlEnv *env, Boost *b, size_t all)
{
	double		factor = ml_param_double(b->params, ML_GBDT_SCALE_POS_WEIGHT);
	double	   *weight;

	if (factor == 1)
		return ML_OK;
	if (b->loss.objective != ML_GBDT_LOGISTIC)
	{
		ml_fail(env, ML_BAD_PARAM, "scale_pos_weight is for two classes and the logistic objective");
		return ml_hint(env, "Use class_weight => 'balanced', or a column of weights.");
	}
	weight = ml_alloc(env, all, sizeof(double));
	if (weight == NULL)
		return env->error.status;
	for (size_t i = 0; i < all; i++)
		weight[i] = ml_gbdt_weight(&b->loss, i) * (b->data->y[i] > 0.5 ? factor : 1);
	b->loss.weight = weight;
	return ML_OK;
}

/* What the loss needs to know beside scores and targets. */
static double
shape_of(const MlParams *params, MlGbdtObjective objective, double y_scale)
{
	switch (objective)
	{
		case ML_GBDT_HUBER:
			return ml_param_double(params, ML_GBDT_HUBER_DELTA) * y_scale;
		case ML_GBDT_QUANTILE:
			return ml_param_double(params, ML_GBDT_QUANTILE_ALPHA);
		case ML_GBDT_POISSON:
			return ml_exp(ml_param_double(params, ML_GBDT_POISSON_MAX_DELTA));
		case ML_GBDT_TWEEDIE:
			return ml_param_double(params, ML_GBDT_TWEEDIE_POWER);
		default:
			return 0;
	}
}

static MlStatus
prepare_loss(MlEnv *env, Boost *b, double *weight_scale)
{
	const MlDataset *data = b->data;
	MlGbdtLoss *loss = &b->loss;
	size_t		n = data->n_train;
	size_t		all = n + data->n_valid;
	size_t		outputs = (size_t) b->forest->n_outputs;
	double		y_scale = 1;
	size_t		cells;

	*weight_scale = 1;
	if (ml_gbdt_identity(b->forest->objective))
		y_scale = taming_scale(largest_of(data->y, all));
	if (data->weight != NULL)
		*weight_scale = taming_scale(largest_of(data->weight, n));
	loss->objective = b->forest->objective;
	loss->n = n;
	loss->n_valid = data->n_valid;
	loss->n_outputs = b->forest->n_outputs;
	loss->hessian_factor = loss->objective == ML_GBDT_SOFTMAX ? (double) outputs / ((double) outputs - 1) : 1;
	b->target_scale = 1 / y_scale;
	b->forest->scale = b->target_scale;
	ML_TRY(scaled_copy(env, data->y, all, y_scale, &loss->y));
	loss->weight = NULL;
	if (data->weight != NULL)
		ML_TRY(scaled_copy(env, data->weight, all, *weight_scale, &loss->weight));
	ML_TRY(weigh_positives(env, b, all));
	loss->weight_sum = 0;
	for (size_t i = 0; i < n; i++)
		loss->weight_sum += ml_gbdt_weight(loss, i);
	loss->weight_max = loss->weight ? largest_of(loss->weight, n) : 1;
	if (!(loss->weight_sum > 0))
		return ml_fail(env, ML_BAD_DATA, "the weights of the training part are all zero");

	if (!ml_mul_size(outputs, all, &cells))
		return ml_fail(env, ML_TOO_LARGE, "%zu rows of %zu classes are too many", all, outputs);
	loss->score = ml_alloc(env, cells, sizeof(double));
	loss->g = ml_alloc(env, outputs * n, sizeof(double));
	loss->block = ml_alloc(env, ML_GBDT_BLOCK_SUMS * (all / ML_GBDT_BLOCK + 2), sizeof(double));
	if (!loss->score || !loss->g || !loss->block)
		return env->error.status;
	loss->h = NULL;
	if (ml_gbdt_regression(loss->objective) && !ml_gbdt_identity(loss->objective))
	{
		loss->h = ml_alloc(env, n, sizeof(double));
		if (loss->h == NULL)
			return env->error.status;
	}
	loss->shape = shape_of(b->params, loss->objective, y_scale);
	return ML_OK;
}

/* Fills the scores with the base, and remembers it in the forest. */
static void
start_scores(Boost *b, bool from_average)
{
	size_t		all = b->loss.n + b->loss.n_valid;

	ml_gbdt_loss_base(&b->loss, from_average, b->forest->base);
	for (int32_t k = 0; k < b->loss.n_outputs; k++)
		for (size_t i = 0; i < all; i++)
			b->loss.score[(size_t) k * all + i] = b->forest->base[k];
}

/* Levels of a symmetric tree: max_depth, and so few that num_leaves is kept; 6 when neither is given, as CatBoost has it. */
static int64_t
symmetric_depth(const MlParams *params)
{
	int64_t		leaves = params->given[ML_GBDT_NUM_LEAVES] ? ml_param_int(params, ML_GBDT_NUM_LEAVES) : 0;
	int64_t		depth = ml_param_int(params, ML_GBDT_MAX_DEPTH);
	int64_t		most;

	for (most = leaves > 0 ? 0 : SYMMETRIC_DEPTH; leaves > 1 && most < SYMMETRIC_DEPTH; leaves /= 2)
		most++;
	if (depth < 1)
		depth = params->given[ML_GBDT_NUM_LEAVES] ? most : 6;
	return depth < most ? depth : most;
}

static bool
is_symmetric(const MlParams *params)
{
	return ml_param_int(params, ML_GBDT_GROW_POLICY) >= 4;
}

int64_t
ml_gbdt_num_leaves(const MlParams *params)
{
	int64_t		leaves = ml_param_int(params, ML_GBDT_NUM_LEAVES);
	int64_t		depth = ml_param_int(params, ML_GBDT_MAX_DEPTH);

	if (is_symmetric(params))
		return INT64_C(1) << symmetric_depth(params);
	if (leaves > 0)
		return leaves;
	return depth > 0 && depth < 17 ? INT64_C(1) << depth : 131072;
}

static MlStatus
read_rules(MlEnv *env, Boost *b, double weight_scale)
{
	const MlParams *p = b->params;
	double		y_scale = 1 / b->target_scale;
	int64_t		min_data = ml_param_int(p, ML_GBDT_MIN_DATA_IN_LEAF);

	b->rules = (MlGbdtRules) {
		.num_leaves = (int32_t) ml_gbdt_num_leaves(p),
		.max_depth = (int32_t) ml_param_int(p, ML_GBDT_MAX_DEPTH),
		.min_data_in_leaf = min_data < 1 ? 1 : min_data,
		.min_sum_hessian = ml_param_double(p, ML_GBDT_MIN_SUM_HESSIAN) * weight_scale,
		.lambda_l1 = ml_param_double(p, ML_GBDT_LAMBDA_L1) * weight_scale * y_scale,
		.lambda_l2 = ml_param_double(p, ML_GBDT_LAMBDA_L2) * weight_scale,
		.min_gain = ml_param_double(p, ML_GBDT_MIN_GAIN) * weight_scale * y_scale * y_scale,
		.max_cat_to_onehot = (int32_t) ml_param_int(p, ML_GBDT_MAX_CAT_TO_ONEHOT),
		.max_cat_threshold = (int32_t) ml_param_int(p, ML_GBDT_MAX_CAT_THRESHOLD),
		.cat_smooth_rows = ml_param_double(p, ML_GBDT_CAT_SMOOTH),
		.cat_smooth = ml_param_double(p, ML_GBDT_CAT_SMOOTH) * weight_scale,
		.cat_l2 = ml_param_double(p, ML_GBDT_CAT_L2) * weight_scale,
		.min_data_per_group = ml_param_int(p, ML_GBDT_MIN_DATA_PER_GROUP),
		.learning_rate = ml_param_double(p, ML_GBDT_LEARNING_RATE),
		.symmetric = is_symmetric(p),
		.level_fraction = ml_param_double(p, ML_GBDT_FRACTION_BYLEVEL),
		.node_fraction = ml_param_double(p, ML_GBDT_FRACTION_BYNODE),
		.max_delta = ml_param_double(p, ML_GBDT_MAX_DELTA_STEP) * y_scale,
	};
	b->rules.depthwise = !b->rules.symmetric && ml_param_int(p, ML_GBDT_GROW_POLICY) % 2 == 1;
	if (b->rules.symmetric)
		b->rules.max_depth = (int32_t) symmetric_depth(p);
	b->feature_fraction = ml_param_double(p, ML_GBDT_FEATURE_FRACTION);
	b->bagging_fraction = ml_param_double(p, ML_GBDT_BAGGING_FRACTION);
	b->bagging_freq = (int32_t) ml_param_int(p, ML_GBDT_BAGGING_FREQ);
	if (!p->given[ML_GBDT_BAGGING_FREQ])
		b->bagging_freq = 1;
	if (b->bagging_fraction >= 1)
		b->bagging_freq = 0;
	b->goss = ml_param_int(p, ML_GBDT_SAMPLE_STRATEGY) == 1;
	b->top_rate = ml_param_double(p, ML_GBDT_TOP_RATE);
	b->other_rate = ml_param_double(p, ML_GBDT_OTHER_RATE);
	b->goss_from = (int64_t) (1 / b->rules.learning_rate);
	if (b->goss && b->bagging_freq > 0)
		return ml_fail(env, ML_BAD_PARAM, "bagging_fraction cannot be used together with data_sample_strategy \"goss\"");
	if (b->goss && b->top_rate + b->other_rate > 1)
		return ml_fail(env, ML_BAD_PARAM, "top_rate and other_rate must not exceed 1 together");
	return ml_gbdt_read_monotone(env, p->text[ML_GBDT_MONOTONE], b->data->schema, &b->rules.monotone);
}

/* ---- sampling: pure functions of seed, iteration and number ---- */

static bool
in_bag(const MlEnv *env, const Boost *b, size_t row)
{
	if (b->goss)
		return b->drawn[row];
	return ml_rng_uniform(env->seed, ML_GBDT_STREAM_ROWS + (b->bag << 32), row) < b->bagging_fraction;
}

static void
choose_rows(MlEnv *env, Boost *b, int64_t iteration)
{
	if (b->bagging_freq == 0 ? iteration > 0 : iteration % b->bagging_freq != 0)
		return;
	b->n_rows = 0;
	b->bag = b->bagging_freq == 0 ? 0 : (uint64_t) (iteration / b->bagging_freq);
	for (size_t i = 0; i < b->loss.n; i++)
		if (b->bagging_freq == 0 || in_bag(env, b, i))
			b->rows[b->n_rows++] = (uint32_t) i;
}

/* What goss goes by: the absolute gradients of a row times the hessians, over all outputs. */
static double
measure_of(const Boost *b, size_t row)
{
	const MlGbdtLoss *loss = &b->loss;
	double		sum = 0;

	for (int32_t k = 0; k < loss->n_outputs; k++)
		sum += fabs(loss->g[(size_t) k * loss->n + row]) * b->drawn_h[(size_t) k * loss->n + row];
	return sum;
}

/*
 * Gradient-based one-side sampling: the rows of greatest gradient, and of the others some, which
 * count for all of them.  Gradients and hessians of those are multiplied where they stand.
 */
static MlStatus
choose_by_gradient(MlEnv *env, Boost *b, int64_t iteration)
{
	MlGbdtLoss *loss = &b->loss;
	size_t		n = loss->n;
	bool		all = iteration < b->goss_from;
	double		factor = all ? 1 : (1 - b->top_rate) / b->other_rate;
	double		chance = all ? 1 : b->other_rate / (1 - b->top_rate);
	double		least = -1;

	for (size_t i = 0; i < n; i++)
	{
		double		w = ml_gbdt_weight(loss, i);

		for (size_t k = 0; k < (size_t) loss->n_outputs; k++)
			b->drawn_h[k * n + i] = ml_gbdt_hessian(loss, i, loss->g[k * n + i], w);
		b->measure[i] = measure_of(b, i);
		b->measure_weight[i] = 1;
	}
	if (ml_canceled(env))
		return ml_fail(env, ML_CANCELED, "canceled");
	if (!all)
		least = ml_gbdt_quantile(b->measure, b->measure_weight, n, 1 - b->top_rate);
	b->n_rows = 0;
	for (size_t i = 0; i < n; i++)
	{
		bool		top = all || measure_of(b, i) >= least;

		b->drawn[i] = top || ml_rng_uniform(env->seed, ML_GBDT_STREAM_GOSS + ((uint64_t) iteration << 32), i) < chance;
		if (!b->drawn[i])
			continue;
		b->rows[b->n_rows++] = (uint32_t) i;
		for (size_t k = 0; k < (size_t) loss->n_outputs && !top; k++)
		{
			loss->g[k * n + i] *= factor;
			b->drawn_h[k * n + i] *= factor;
		}
	}
	loss->g_max *= factor;
	loss->g_sum *= factor;
	loss->h_max *= factor;
	loss->h_sum *= factor;
	return ML_OK;
}

/* Takes exactly round(fraction * columns) of them, at least one (Knuth 3.4.2, algorithm S). */
static void
choose_features(MlEnv *env, Boost *b, uint64_t tree)
{
	int			left = b->bins.n_narrow + b->bins.n_wide;
	int			wanted = (int) (b->feature_fraction * left + 0.5);

	if (wanted < 1)
		wanted = 1;
	for (int f = 0; f < b->bins.n_features; f++)
	{
		b->use[f] = false;
		if (!b->bins.column[f].usable)
			continue;
		b->use[f] = ml_rng_uniform(env->seed, ML_GBDT_STREAM_FEATURES + (tree << 32), (uint64_t) f) * left < wanted;
		wanted -= b->use[f];
		left--;
	}
}

/* ---- rows that no tree was grown on ---- */

typedef struct WalkJob
{
	MlEnv	   *env;			/* for its seed only */
	Boost	   *boost;
	size_t		begin;
} WalkJob;

static void
walk_block(void *arg, size_t task, int thread)
{
	const WalkJob *job = arg;
	Boost	   *b = job->boost;
	size_t		all = b->loss.n + b->loss.n_valid;
	size_t		begin = job->begin + task * ML_GBDT_BLOCK;
	size_t		end = begin + ML_GBDT_BLOCK < all ? begin + ML_GBDT_BLOCK : all;

	for (uint32_t t = b->walk_from; t < b->forest->n_trees; t++)
	{
		double	   *score = b->loss.score + t % (uint32_t) b->loss.n_outputs * all;

		for (size_t i = begin; i < end; i++)
			if (i >= b->loss.n || !in_bag(job->env, b, i))
				score[i] += ml_gbdt_forest_walk(b->forest, t, b->data, i);
	}
}

static MlStatus
score_other_rows(MlEnv *env, Boost *b)
{
	WalkJob		job = {env, b, b->bagging_freq > 0 || b->goss ? 0 : b->loss.n};
	size_t		rows = b->loss.n + b->loss.n_valid - job.begin;

	return ml_pool_run(env, (rows + ML_GBDT_BLOCK - 1) / ML_GBDT_BLOCK, walk_block, &job);
}

/* ---- the loop ---- */

/* One iteration: a tree for each output.  *grown: how many found a split. */
static MlStatus
add_iteration(MlEnv *env, Boost *b, int64_t iteration, int32_t *grown)
{
	static const MlGbdtNode nothing = {0};
	uint32_t	before = b->forest->n_trees;

	*grown = 0;
	if (b->goss)
		ML_TRY(choose_by_gradient(env, b, iteration));
	else
		choose_rows(env, b, iteration);
	if (b->n_rows == 0)
		return ML_OK;
	for (int32_t k = 0; k < b->loss.n_outputs; k++)
	{
		uint64_t	tree = (uint64_t) iteration * (uint64_t) b->loss.n_outputs + (uint64_t) k;
		double	   *own_h = b->loss.h;
		MlStatus	status;
		bool		found;

		choose_features(env, b, tree);
		if (b->goss)
			b->loss.h = b->drawn_h + (size_t) k * b->loss.n;
		status = ml_gbdt_grow(env, b->grower, &b->loss, k, b->rows, b->n_rows, b->use, tree, b->forest, &found);
		b->loss.h = own_h;
		ML_TRY(status);
		if (!found)
			ML_TRY(ml_gbdt_forest_add(env, b->forest, &nothing, 1, NULL, 0));
		*grown += found;
	}
	if (*grown == 0)
		ml_gbdt_forest_truncate(b->forest, before);
	b->walk_from = before;
	return score_other_rows(env, b);
}

typedef struct Stopping
{
	int64_t		patience;		/* 0: never stop */
	double		delta;
	double		best;
	int64_t		best_iteration;
	uint32_t	best_trees;
} Stopping;

/* True when the validation loss has not improved for so long. */
static bool
should_stop(Stopping *s, int64_t iteration, double loss, uint32_t trees)
{
	if (s->patience == 0)
		return false;
	if (loss < s->best - s->delta)
	{
		s->best = loss;
		s->best_iteration = iteration;
		s->best_trees = trees;
	}
	return iteration - s->best_iteration >= s->patience;
}

static MlStatus
report(MlEnv *env, Boost *b, int64_t iteration, int64_t iterations, double *validation_loss)
{
	double		scale = b->target_scale;
	MlProgress	progress = {.phase = "fit", .iteration = iteration, .iterations = iterations, .validation_loss = NAN};
	const char *metric = ml_gbdt_loss_name(b->loss.objective);

	ML_TRY(ml_gbdt_loss_gradients(env, &b->loss, &progress.train_loss));
	progress.train_loss *= scale;
	ml_history(env, (int32_t) iteration, "train", metric, progress.train_loss);
	if (b->loss.n_valid > 0)
	{
		ML_TRY(ml_gbdt_loss_validation(env, &b->loss, &progress.validation_loss));
		progress.validation_loss *= scale;
		ml_history(env, (int32_t) iteration, "validation", metric, progress.validation_loss);
	}
	progress.share = (double) iteration / (double) iterations;
	ml_progress(env, &progress);
	*validation_loss = progress.validation_loss;
	return ML_OK;
}

static MlStatus
boost(MlEnv *env, Boost *b)
{
	int64_t		iterations = ml_param_int(b->params, ML_GBDT_NUM_ITERATIONS);
	bool		sampled = b->bagging_freq > 0 || b->feature_fraction < 1 || b->rules.level_fraction < 1 || b->rules.node_fraction < 1 || b->goss;
	Stopping	stopping = {
		.patience = b->loss.n_valid > 0 ? ml_param_int(b->params, ML_GBDT_EARLY_STOPPING) : 0,
		.delta = ml_param_double(b->params, ML_GBDT_EARLY_STOPPING_DELTA), .best = INFINITY
	};
	double		ignored;

	ML_TRY(ml_gbdt_loss_gradients(env, &b->loss, &ignored));
	for (int64_t i = 1; i <= iterations; i++)
	{
		int32_t		grown;
		double		validation_loss;

		ML_TRY(add_iteration(env, b, i - 1, &grown));
		if (grown == 0 && !sampled)
			break;				/* the next one would see the same gradients */
		ML_TRY(report(env, b, i, iterations, &validation_loss));
		if (should_stop(&stopping, i, validation_loss, b->forest->n_trees))
			break;
	}
	if (stopping.patience > 0 && stopping.best_iteration > 0)
		ml_gbdt_forest_truncate(b->forest, stopping.best_trees);
	return ML_OK;
}

/* Why there may be no split, under the names that the parameters have in this method. */
static void
warn_of_no_split(MlEnv *env, const Boost *b)
{
	static const int bounds[] = {ML_GBDT_MIN_DATA_IN_LEAF, ML_GBDT_MIN_SUM_HESSIAN, ML_GBDT_MIN_GAIN};
	static const double harmless[] = {1, 1e-3, 0};
	const MlParams *p = b->params;
	char		text[200];
	size_t		length = 0;

	if (b->bins.n_narrow + b->bins.n_wide == 0)
		snprintf(text, sizeof(text), "every feature has one value only");
	else if ((int64_t) b->n_rows < 2 * b->rules.min_data_in_leaf)
		snprintf(text, sizeof(text), "%zu rows are fewer than twice %s = %lld", b->n_rows, p->table[ML_GBDT_MIN_DATA_IN_LEAF].name,
				 (long long) b->rules.min_data_in_leaf);
	else
	{
		length = (size_t) snprintf(text, sizeof(text), "no feature says anything about the target");
		for (int i = 0, n = 0; i < 3; i++)
			if (ml_param_double(p, bounds[i]) > harmless[i])
				length += (size_t) snprintf(text + length, sizeof(text) - length, "%s%s = %g", n++ == 0 ? ", or not within " : ", ", p->table[bounds[i]].name,
											ml_param_double(p, bounds[i]));
	}
	ml_warn(env, "no split was found, so every prediction is the same: %s", text);
}

static void
warn_of_odd_fits(MlEnv *env, const Boost *b)
{
	if (ml_param_int(b->params, ML_GBDT_EARLY_STOPPING) > 0 && b->loss.n_valid == 0)
		ml_warn(env, "early_stopping_rounds has no effect without a validation part; ask for one with validation => 0.1");
	if (b->forest->n_trees == 0)
		warn_of_no_split(env, b);
}

/* What is as long as the data: judging the model takes memory, too. */
static void
release_scratch(MlEnv *env, Boost *b)
{
	ml_release(env, b->bins.row_major);
	ml_release(env, b->loss.score);
	ml_release(env, b->loss.g);
	ml_release(env, b->rows);
}

void
ml_gbdt_bin_rules(const MlParams *params, MlBinRules *rules)
{
	*rules = (MlBinRules) {
		.max_bin = (int32_t) ml_param_int(params, ML_GBDT_MAX_BIN),
		.min_data_in_bin = (int32_t) ml_param_int(params, ML_GBDT_MIN_DATA_IN_BIN),
		.sample = (size_t) ml_param_int(params, ML_GBDT_SAMPLE_CNT)
	};
}

MlStatus
ml_gbdt_fit(MlEnv *env, const MlDataset *data, const MlParams *params, void **model)
{
	Boost	   *b = ml_alloc0(env, 1, sizeof(Boost));
	MlBinRules	bin_rules;
	bool		from_average = ml_param_bool(params, ML_GBDT_BOOST_FROM_AVERAGE);
	MlGbdtObjective objective;
	double		weight_scale;

	if (b == NULL)
		return env->error.status;
	if (data->n_train == 0)
		return ml_fail(env, ML_BAD_DATA, "there are no rows to train on");
	if (data->n_train + data->n_valid > UINT32_MAX)
		return ml_fail(env, ML_TOO_LARGE, "%zu rows are too many, %u are the most", data->n_train + data->n_valid, UINT32_MAX);
	b->data = data;
	b->params = params;
	ML_TRY(choose_objective(env, data->schema, params, &objective));
	ML_TRY(ml_gbdt_check_target(env, objective, data));
	ML_TRY(ml_gbdt_forest_create(env, objective, data->schema, &b->forest));
	ml_progress(env, &(MlProgress) {.phase = "bin", .share = 0, .train_loss = NAN, .validation_loss = NAN});
	ml_gbdt_bin_rules(params, &bin_rules);
	ML_TRY(ml_gbdt_bins_make(env, data, &bin_rules, ml_param_bool(params, ML_GBDT_ENABLE_BUNDLE), &b->bins));
	ML_TRY(prepare_loss(env, b, &weight_scale));
	ML_TRY(read_rules(env, b, weight_scale));
	b->loss.round_ahead = ml_gbdt_rounding_ahead && b->loss.n_outputs == 1 && b->bagging_freq == 0 && !b->goss;
	start_scores(b, from_average);
	b->rows = ml_alloc(env, data->n_train, sizeof(uint32_t));
	b->use = ml_alloc0(env, (size_t) data->schema->n_features + 1, sizeof(bool));
	if (b->rows == NULL || b->use == NULL)
		return env->error.status;
	if (b->goss)
	{
		b->drawn = ml_alloc0(env, data->n_train, sizeof(bool));
		b->drawn_h = ml_alloc(env, data->n_train * (size_t) b->loss.n_outputs, sizeof(double));
		b->measure = ml_alloc(env, data->n_train, sizeof(double));
		b->measure_weight = ml_alloc(env, data->n_train, sizeof(double));
		if (b->drawn == NULL || b->drawn_h == NULL || b->measure == NULL || b->measure_weight == NULL)
			return env->error.status;
	}
	ML_TRY(ml_gbdt_grower_create(env, &b->bins, &b->rules, &b->grower));
	ML_TRY(boost(env, b));
	if (b->forest->n_trees == 0 && !from_average)
		start_scores(b, true);	/* better than zero */
	warn_of_odd_fits(env, b);
	release_scratch(env, b);
	*model = b->forest;
	return ml_gbdt_forest_prepare(env, b->forest, data->schema);
}

/* ---- memory ---- */

size_t
ml_gbdt_memory(const MlSchema *schema, const MlParams *params, size_t n, int threads)
{
	double		rows = (double) n;
	double		max_bin = ml_param_double(params, ML_GBDT_MAX_BIN);
	double		sample = ml_param_double(params, ML_GBDT_SAMPLE_CNT);
	double		leaves = (double) ml_gbdt_num_leaves(params);
	double		outputs = schema->task == ML_TASK_CLASSIFICATION && schema->n_classes > 2 ? schema->n_classes : 1;
	int			objective = ml_gbdt_objective_of_choice((int) ml_param_int(params, ML_GBDT_OBJECTIVE));
	double		narrow = 0;
	double		wide = 0;
	double		entries = 0;
	double		widest = 0;
	double		all_wide = 0;
	double		symmetric = 0;
	double		bytes;

	if (objective == ML_GBDT_SOFTMAX && schema->n_classes > outputs)
		outputs = schema->n_classes;
	for (int f = 0; f < schema->n_features; f++)
	{
		const MlFeature *feature = &schema->features[f];
		double		bins = feature->kind == ML_FEATURE_CATEGORY ? feature->levels + 2.0 : max_bin + 1;

		if (bins <= 256)
		{
			narrow++;
			entries += bins + 4;
		}
		else
		{
			wide++;
			all_wide += bins;
			widest = bins > widest ? bins : widest;
		}
	}
	/* Fewer bins than the most there may be are kept all the same. */
	entries += all_wide < ML_GBDT_KEPT_ENTRIES ? all_wide : ML_GBDT_KEPT_ENTRIES;
	if (leaves > rows)
		leaves = rows;
	if (sample > rows)
		sample = rows;
	if (is_symmetric(params))
		symmetric = (double) ml_gbdt_levels_memory((size_t) widest, (size_t) schema->n_features, (size_t) leaves, threads);
	bytes = symmetric + rows * (2 * narrow + 64 + 2 * wide)	/* bins, row padding */
		+ rows * outputs * 16	/* scores, gradients */
		+ rows * (16 + 4)		/* scaled copies, rows of the bag */
		+ (objective >= 0 && (ml_gbdt_renews_leaves((MlGbdtObjective) objective) || objective >= ML_GBDT_POISSON) ? rows * 16 : 0)
		+ (ml_param_int(params, ML_GBDT_SAMPLE_STRATEGY) == 1 ? rows * (17 + 8 * outputs) : 0)
		+ (ml_param_double(params, ML_GBDT_SCALE_POS_WEIGHT) != 1 ? rows * 8 : 0)
		+ sample * (4 + 19.0 * threads) + (double) schema->n_features * (max_bin * 24 + 16384 + 256 * threads) + (all_wide + 196608) * threads
		+ ml_param_double(params, ML_GBDT_NUM_ITERATIONS) * outputs * 2 * leaves * (3.0 * sizeof(MlGbdtNode) + sizeof(MlGbdtStep))
		+ 1048576;
	if (!(bytes < 0x1p60) || !(entries < 0x1p30))
		return SIZE_MAX;
	return (size_t) bytes + ml_gbdt_grower_memory(n, (size_t) entries, (size_t) widest, schema->n_features, (int32_t) leaves, threads);
}
