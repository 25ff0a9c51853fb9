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
#include <string.h>

#include "ml/algo/gbdt/gbdt_internal.h"
#include "ml/base/arena.h"
#include "ml/base/pool.h"
#include "ml/base/rng.h"

/* Targets and weights with a largest absolute value between 2^-200 and 2^200 are taken as they are. */
#define PLAIN_EXPONENT 200

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
	bool		regression = chosen == ML_GBDT_SQUARED || chosen == ML_GBDT_ABSOLUTE;

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
	if (data->schema->task == ML_TASK_REGRESSION)
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
	loss->block = ml_alloc(env, 3 * (all / ML_GBDT_BLOCK + 2), sizeof(double));
	if (!loss->score || !loss->g || !loss->block)
		return env->error.status;
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

static void
read_rules(Boost *b, double weight_scale)
{
	const MlParams *p = b->params;
	double		y_scale = 1 / b->target_scale;
	int64_t		min_data = ml_param_int(p, ML_GBDT_MIN_DATA_IN_LEAF);

	b->rules = (MlGbdtRules) {
		.num_leaves = (int32_t) ml_param_int(p, ML_GBDT_NUM_LEAVES),
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
	};
	b->feature_fraction = ml_param_double(p, ML_GBDT_FEATURE_FRACTION);
	b->bagging_fraction = ml_param_double(p, ML_GBDT_BAGGING_FRACTION);
	b->bagging_freq = (int32_t) ml_param_int(p, ML_GBDT_BAGGING_FREQ);
	if (!p->given[ML_GBDT_BAGGING_FREQ])
		b->bagging_freq = 1;
	if (b->bagging_fraction >= 1)
		b->bagging_freq = 0;
}

/* ---- sampling: pure functions of seed, iteration and number ---- */

static bool
in_bag(const MlEnv *env, const Boost *b, size_t row)
{
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
	WalkJob		job = {env, b, b->bagging_freq > 0 ? 0 : b->loss.n};
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
	choose_rows(env, b, iteration);
	if (b->n_rows == 0)
		return ML_OK;
	for (int32_t k = 0; k < b->loss.n_outputs; k++)
	{
		bool		found;

		choose_features(env, b, (uint64_t) iteration * (uint64_t) b->loss.n_outputs + (uint64_t) k);
		ML_TRY(ml_gbdt_grow(env, b->grower, &b->loss, k, b->rows, b->n_rows, b->use, b->forest, &found));
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
	bool		sampled = b->bagging_freq > 0 || b->feature_fraction < 1;
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

static void
warn_of_odd_fits(MlEnv *env, const Boost *b)
{
	if (ml_param_int(b->params, ML_GBDT_EARLY_STOPPING) > 0 && b->loss.n_valid == 0)
		ml_warn(env, "early_stopping_rounds has no effect without a validation part; ask for one with validation => 0.1");
	if (b->forest->n_trees == 0)
		ml_warn(env, "no split was found, so every prediction is the same; "
				"%zu rows are few for min_data_in_leaf = %lld, or no feature says anything about the target",
				b->loss.n, (long long) b->rules.min_data_in_leaf);
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
	ML_TRY(ml_gbdt_forest_create(env, objective, data->schema, &b->forest));
	ml_progress(env, &(MlProgress) {.phase = "bin", .share = 0, .train_loss = NAN, .validation_loss = NAN});
	ml_gbdt_bin_rules(params, &bin_rules);
	ML_TRY(ml_gbdt_bins_make(env, data, &bin_rules, &b->bins));
	ML_TRY(prepare_loss(env, b, &weight_scale));
	read_rules(b, weight_scale);
	start_scores(b, from_average);
	b->rows = ml_alloc(env, data->n_train, sizeof(uint32_t));
	b->use = ml_alloc0(env, (size_t) data->schema->n_features + 1, sizeof(bool));
	if (b->rows == NULL || b->use == NULL)
		return env->error.status;
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
	double		leaves = ml_param_double(params, ML_GBDT_NUM_LEAVES);
	double		outputs = schema->task == ML_TASK_CLASSIFICATION && schema->n_classes > 2 ? schema->n_classes : 1;
	int			objective = ml_gbdt_objective_of_choice((int) ml_param_int(params, ML_GBDT_OBJECTIVE));
	double		narrow = 0;
	double		wide = 0;
	double		entries = 0;
	double		widest = 0;
	double		all_wide = 0;
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
	bytes = rows * (2 * narrow + 64 + 2 * wide)	/* bins, row padding */
		+ rows * outputs * 16	/* scores, gradients */
		+ rows * (16 + 4)		/* scaled copies, rows of the bag */
		+ (objective == ML_GBDT_ABSOLUTE ? rows * 16 : 0)
		+ sample * (4 + 17.0 * threads) + (double) schema->n_features * (max_bin * 24 + 8192 + 256 * threads) + all_wide * threads
		+ ml_param_double(params, ML_GBDT_NUM_ITERATIONS) * outputs * 2 * leaves * (3.0 * sizeof(MlGbdtNode) + sizeof(MlGbdtStep))
		+ 1048576;
	if (!(bytes < 0x1p60) || !(entries < 0x1p30))
		return SIZE_MAX;
	return (size_t) bytes + ml_gbdt_grower_memory(n, (size_t) entries, (size_t) widest, schema->n_features, (int32_t) leaves, threads);
}
