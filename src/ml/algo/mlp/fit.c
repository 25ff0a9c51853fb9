/*-------------------------------------------------------------------------
 * fit.c
 *	  Training: rows and targets made ready, then epochs of mini-batches until nothing
 *	  improves any more.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "ml/algo/mlp/mlp_internal.h"
#include "ml/base/arena.h"
#include "ml/base/elementary.h"
#include "ml/base/pool.h"
#include "ml/base/rng.h"

/* Rows that one task brings into the form in which the network reads them. */
#define READ_ROWS 1024

/* Steps between two words about progress. */
#define STEPS_PER_WORD 64

/* A target that is not standardised must stay within float32, its square too. */
#define LARGEST_TARGET 1e15

#define AUTO_BATCH 200

/* Streams of random numbers. */
#define STREAM_SHUFFLE UINT64_C(0x73687566)
#define STREAM_SPLIT UINT64_C(0x73706C69)

typedef struct Fit
{
	const MlDataset *data;
	const MlParams *params;
	MlMlpNet   *net;
	MlMlpStart	start;
	MlMlpRows	rows;
	MlMlpTarget target;
	float	   *numbers;
	int32_t    *codes;
	float	   *y;
	int32_t    *class_of;
	float	   *weight;
	uint32_t   *order;			/* rows to train on */
	size_t		n;
	uint32_t   *judges;			/* rows that early stopping looks at */
	size_t		n_judges;
	double		weight_of_training;
	double		weight_of_judges;
	size_t		batch;
	int			first_trained;
	MlMlpPass  *pass;
	MlMlpStepper *stepper;

	/* The best epoch so far. */
	double		best_loss;
	int64_t		best_epoch;
	float	   *best_theta;		/* NULL where it is not kept */
	float	   *best_statistics;
	int			stalled;		/* epochs without improvement */
} Fit;

/* The last word of the list is another name. */
static MlMlpActivation
activation_of(const MlParams *params)
{
	int64_t		choice = ml_param_int(params, ML_MLP_ACTIVATION);

	return choice > ML_MLP_IDENTITY ? ML_MLP_LOGISTIC : (MlMlpActivation) choice;
}

static size_t
rows_in_hand(const Fit *fit)
{
	return fit->data->n_train + fit->data->n_valid;
}

/* ---- rows ---- */

static void
read_task(void *arg, size_t task, int thread)
{
	Fit		   *fit = arg;
	const MlMlpNet *net = fit->net;
	size_t		first = task * READ_ROWS;
	size_t		end = first + READ_ROWS < rows_in_hand(fit) ? first + READ_ROWS : rows_in_hand(fit);
	double		full[READ_ROWS];

	(void) thread;
	for (int32_t j = 0; j < net->n_numbers; j++)
	{
		const MlDataColumn *column = &fit->data->columns[net->numbers[j].feature];
		const double *x = column->sparse == NULL ? column->number + first : full;

		if (column->sparse != NULL)
			ml_sparse_read(column->sparse, first, end - first, full);
		for (size_t i = first; i < end; i++)
			fit->numbers[i * fit->rows.number_width + (size_t) j] = ml_mlp_number(&net->numbers[j], x[i - first]);
	}
	for (int32_t c = 0; c < net->n_categories; c++)
	{
		int32_t		feature = net->categories[c].feature;

		for (size_t i = first; i < end; i++)
			fit->codes[i * (size_t) net->n_categories + (size_t) c] =
				ml_mlp_category_row(net->design, feature, ml_dataset_value(fit->data, feature, i));
	}
}

static MlStatus
read_rows(MlEnv *env, Fit *fit)
{
	size_t		n = rows_in_hand(fit);

	fit->rows.number_width = (size_t) fit->net->n_numbers;
	fit->numbers = ml_alloc(env, n * fit->rows.number_width + ML_MLP_PAD, sizeof(float));
	fit->codes = ml_alloc(env, n * (size_t) fit->net->n_categories + ML_MLP_PAD, sizeof(int32_t));
	if (fit->numbers == NULL || fit->codes == NULL)
		return env->error.status;
	fit->rows.numbers = fit->numbers;
	fit->rows.codes = fit->codes;
	return ml_pool_run(env, (n + READ_ROWS - 1) / READ_ROWS, read_task, fit);
}

/* ---- target ---- */

static MlStatus
choose_loss(MlEnv *env, const MlSchema *schema, const MlParams *params, MlMlpTarget *target)
{
	int64_t		chosen = ml_param_int(params, ML_MLP_LOSS);
	bool		classes = schema->task == ML_TASK_CLASSIFICATION;

	/* 0 is "auto". */
	target->loss = chosen > 0 ? (MlMlpLoss) (chosen - 1) : classes ? ML_MLP_CROSS_ENTROPY : ML_MLP_SQUARED;
	if ((target->loss == ML_MLP_CROSS_ENTROPY) != classes)
	{
		ml_fail(env, ML_BAD_PARAM, "the loss is for %s, but the task is %s", classes ? "regression" : "classification", ml_task_name(schema->task));
		return ml_hint(env, "Leave \"loss\" out, or set \"task\".");
	}
	target->smoothing = ml_param_double(params, ML_MLP_LABEL_SMOOTHING);
	target->focal = ml_param_double(params, ML_MLP_FOCAL_GAMMA);
	target->delta = ml_param_double(params, ML_MLP_HUBER_DELTA);
	if (!classes && (target->smoothing > 0 || target->focal > 0))
		return ml_fail(env, ML_BAD_PARAM, "label_smoothing and focal_gamma are for classification");
	if (target->smoothing > 0 && target->focal > 0)
		return ml_fail(env, ML_BAD_PARAM, "label_smoothing and focal_gamma exclude each other");
	if (!classes)
		target->link = target->loss == ML_MLP_POISSON ? ML_MLP_LINK_EXP : ML_MLP_LINK_IDENTITY;
	else
		target->link = schema->n_classes == 2 ? ML_MLP_LINK_LOGISTIC : ML_MLP_LINK_SOFTMAX;
	target->outputs = target->link == ML_MLP_LINK_SOFTMAX ? schema->n_classes : 1;
	return ML_OK;
}

static MlStatus
read_classes(MlEnv *env, Fit *fit)
{
	fit->class_of = ml_alloc(env, rows_in_hand(fit) + 1, sizeof(int32_t));
	if (fit->class_of == NULL)
		return env->error.status;
	for (size_t i = 0; i < rows_in_hand(fit); i++)
		fit->class_of[i] = (int32_t) fit->data->y[i];
	fit->target.class_of = fit->class_of;
	return ML_OK;
}

/* Values as the loss sees them: of unit spread around 0, where that is wanted. */
static MlStatus
read_values(MlEnv *env, Fit *fit)
{
	const double *y = fit->data->y;
	bool		counts = fit->target.loss == ML_MLP_POISSON;
	MlMlpNet   *net = fit->net;
	MlDesignStats stats;

	fit->y = ml_alloc(env, rows_in_hand(fit) + 1, sizeof(float));
	if (fit->y == NULL)
		return env->error.status;
	/* An output layer that comes from an earlier network speaks in its units. */
	if (fit->start.transferred == net->n_layers)
	{
		net->y_mean = fit->start.net->y_mean;
		net->y_scale = fit->start.net->y_scale;
	}
	else if (!counts && ml_param_bool(fit->params, ML_MLP_STANDARDIZE_TARGET))
	{
		ml_design_stats(net->design, fit->data, y, &stats);
		net->y_mean = stats.mean;
		net->y_scale = stats.deviation > DBL_MIN ? stats.deviation : 1;
	}
	for (size_t i = 0; i < rows_in_hand(fit); i++)
	{
		double		v = (y[i] - net->y_mean) / net->y_scale;

		if (counts && v < 0)
			return ml_fail(env, ML_BAD_DATA, "the loss \"poisson\" is for targets of at least 0, not %g", y[i]);
		if (!(fabs(v) <= LARGEST_TARGET))
		{
			ml_fail(env, ML_OUT_OF_RANGE, "the target value %g is too large for this loss", y[i]);
			return ml_hint(env, "Divide the target by its size, or take another loss with standardize_target.");
		}
		fit->y[i] = (float) v;
	}
	fit->target.y = fit->y;
	return ML_OK;
}

/* Weights with a mean of 1 over the training rows. */
static MlStatus
read_weights(MlEnv *env, Fit *fit)
{
	const double *w = fit->data->weight;
	double		largest = 0;
	double		sum = 0;
	size_t		used = 0;

	if (w == NULL)
		return ML_OK;
	fit->weight = ml_alloc(env, rows_in_hand(fit) + 1, sizeof(float));
	if (fit->weight == NULL)
		return env->error.status;
	for (size_t i = 0; i < fit->data->n_train; i++)
		largest = w[i] > largest ? w[i] : largest;
	for (size_t i = 0; i < fit->data->n_train; i++)
	{
		sum += w[i] / largest;
		used += w[i] > 0;
	}
	for (size_t i = 0; i < rows_in_hand(fit); i++)
	{
		double		v = w[i] / largest * ((double) used / sum);

		fit->weight[i] = v < LARGEST_TARGET ? (float) v : (float) LARGEST_TARGET;
	}
	fit->target.weight = fit->weight;
	return ML_OK;
}

/* ---- which rows ---- */

static double
weight_of(const Fit *fit, size_t row)
{
	return fit->weight == NULL ? 1 : fit->weight[row];
}

static void
shuffle(uint32_t *order, size_t n, uint64_t seed, uint64_t stream)
{
	for (size_t i = n; i > 1; i--)
	{
		/* The high half of a product: no remainder of a division. */
		size_t		j = (size_t) (((unsigned __int128) ml_rng_u64(seed, stream, i) * i) >> 64);
		uint32_t	swap = order[i - 1];

		order[i - 1] = order[j];
		order[j] = swap;
	}
}

/* Sets part of the training rows apart, of each class its share; at least one row stays. */
static MlStatus
split_off(MlEnv *env, Fit *fit, double fraction)
{
	size_t		classes = fit->class_of == NULL ? 1 : (size_t) fit->data->schema->n_classes;
	size_t	   *wanted = ml_alloc0(env, classes, sizeof(size_t));
	size_t		kept = 0;

	if (wanted == NULL)
		return env->error.status;
	for (size_t i = 0; i < fit->n; i++)
		wanted[fit->class_of == NULL ? 0 : fit->class_of[fit->order[i]]]++;
	for (size_t c = 0; c < classes; c++)
		wanted[c] = (size_t) (fraction * (double) wanted[c] + 0.5);
	shuffle(fit->order, fit->n, env->seed, STREAM_SPLIT);
	for (size_t i = 0; i < fit->n; i++)
	{
		size_t	   *left = &wanted[fit->class_of == NULL ? 0 : fit->class_of[fit->order[i]]];

		if (*left > 0 && kept + fit->n - i > 1)
		{
			(*left)--;
			fit->judges[fit->n_judges++] = fit->order[i];
		}
		else
			fit->order[kept++] = fit->order[i];
	}
	fit->n = kept;
	return ML_OK;
}

static MlStatus
choose_rows(MlEnv *env, Fit *fit)
{
	const MlDataset *data = fit->data;
	bool		stopping = fit->params->given[ML_MLP_EARLY_STOPPING] ? ml_param_bool(fit->params, ML_MLP_EARLY_STOPPING) : data->n_valid > 0;

	fit->order = ml_alloc(env, rows_in_hand(fit) + 1, sizeof(uint32_t));
	fit->judges = ml_alloc(env, rows_in_hand(fit) + 1, sizeof(uint32_t));
	if (fit->order == NULL || fit->judges == NULL)
		return env->error.status;
	for (size_t i = 0; i < data->n_train; i++)
		if (weight_of(fit, i) > 0)
			fit->order[fit->n++] = (uint32_t) i;
	if (fit->n == 0)
		return ml_fail(env, ML_BAD_DATA, "there are no training rows with a positive weight");
	for (size_t i = data->n_train; stopping && i < rows_in_hand(fit); i++)
		if (weight_of(fit, i) > 0)
			fit->judges[fit->n_judges++] = (uint32_t) i;
	if (stopping && fit->n_judges == 0)
		ML_TRY(split_off(env, fit, ml_param_double(fit->params, ML_MLP_VALIDATION_FRACTION)));
	for (size_t i = 0; i < fit->n; i++)
		fit->weight_of_training += weight_of(fit, fit->order[i]);
	for (size_t i = 0; i < fit->n_judges; i++)
		fit->weight_of_judges += weight_of(fit, fit->judges[i]);
	return ML_OK;
}

/* ---- epochs ---- */

static void
say(MlEnv *env, const Fit *fit, int64_t epoch, double share, double train_loss, double validation_loss)
{
	int64_t		epochs = ml_param_int(fit->params, ML_MLP_MAX_EPOCHS);
	MlProgress	progress = {
		.phase = "fit",
		.share = ((double) epoch - 1 + share) / (double) epochs,
		.iteration = epoch,
		.iterations = epochs,
		.train_loss = train_loss,
		.validation_loss = validation_loss
	};

	ml_progress(env, &progress);
}

static MlStatus
run_epoch(MlEnv *env, Fit *fit, int64_t epoch, double *mean_loss)
{
	uint64_t	step = 0;
	double		sum = 0;

	if (ml_param_bool(fit->params, ML_MLP_SHUFFLE))
		shuffle(fit->order, fit->n, env->seed, STREAM_SHUFFLE + (uint64_t) epoch);
	for (size_t first = 0; first < fit->n; first += fit->batch, step++)
	{
		size_t		n = fit->n - first < fit->batch ? fit->n - first : fit->batch;
		double		loss;

		if (step % STEPS_PER_WORD == STEPS_PER_WORD - 1)
			say(env, fit, epoch, (double) first / (double) fit->n, NAN, NAN);
		ML_TRY(ml_mlp_pass_train(env, fit->pass, fit->order + first, n, env->seed, (uint64_t) epoch << 32 | step, &loss));
		ML_TRY(ml_mlp_stepper_step(env, fit->stepper, ml_mlp_pass_gradient(fit->pass), n));
		ML_TRY(ml_mlp_pass_refresh(env, fit->pass));
		sum += loss;
	}
	*mean_loss = sum / fit->weight_of_training;
	return ML_OK;
}

static void
keep_best(Fit *fit)
{
	if (fit->best_theta == NULL)
		return;
	memcpy(fit->best_theta, fit->net->theta, fit->net->n_theta * sizeof(float));
	memcpy(fit->best_statistics, fit->net->statistics, fit->net->n_statistics * sizeof(float));
}

static void
restore_best(Fit *fit)
{
	if (fit->best_theta == NULL || fit->best_epoch == 0)
		return;
	memcpy(fit->net->theta, fit->best_theta, fit->net->n_theta * sizeof(float));
	memcpy(fit->net->statistics, fit->best_statistics, fit->net->n_statistics * sizeof(float));
}

static bool
is_sound(const MlMlpNet *net)
{
	for (size_t i = 0; i < net->n_theta; i++)
		if (!isfinite(net->theta[i]))
			return false;
	for (size_t i = 0; i < net->n_statistics; i++)
		if (!isfinite(net->statistics[i]))
			return false;
	return true;
}

static const char *
metric_name(const Fit *fit)
{
	static const char *const names[] = {"squared_error", "huber", "absolute_error", "poisson", "logloss"};

	return names[fit->target.loss];
}

/* Counts epochs that bring too little; as scikit-learn does. */
static void
look_back(Fit *fit, int64_t epoch, double loss)
{
	if (!(loss <= fit->best_loss - ml_param_double(fit->params, ML_MLP_TOL)))
		fit->stalled++;
	else
		fit->stalled = 0;
	if (loss < fit->best_loss)
	{
		fit->best_loss = loss;
		fit->best_epoch = epoch;
		keep_best(fit);
	}
}

static MlStatus
diverged(MlEnv *env, Fit *fit, int64_t epoch)
{
	if (fit->best_theta != NULL && fit->best_epoch > 0)
	{
		ml_warn(env, "training went out of range in epoch %lld; epoch %lld was the best until then", (long long) epoch, (long long) fit->best_epoch);
		return ML_OK;
	}
	ml_fail(env, ML_BAD_DATA, "training went out of range in epoch %lld", (long long) epoch);
	return ml_hint(env, "Try a smaller learning_rate, a max_grad_norm, or standardize.");
}

static MlStatus
run_epochs(MlEnv *env, Fit *fit)
{
	int64_t		epochs = ml_param_int(fit->params, ML_MLP_MAX_EPOCHS);
	int64_t		patience = ml_param_int(fit->params, ML_MLP_PATIENCE);
	bool		stop = false;

	for (int64_t epoch = 1; epoch <= epochs && !stop; epoch++)
	{
		double		judged = NAN;
		double		loss;

		ML_TRY(run_epoch(env, fit, epoch, &loss));
		if (!isfinite(loss) || !is_sound(fit->net))
			return diverged(env, fit, epoch);
		ml_history(env, (int32_t) epoch, "train", metric_name(fit), loss);
		if (fit->n_judges > 0)
		{
			ML_TRY(ml_mlp_pass_judge(env, fit->pass, fit->judges, fit->n_judges, &judged));
			judged /= fit->weight_of_judges;
			ml_history(env, (int32_t) epoch, "validation", metric_name(fit), judged);
		}
		say(env, fit, epoch, 1, loss, judged);
		look_back(fit, epoch, fit->n_judges > 0 ? judged : loss);
		ml_mlp_stepper_epoch(fit->stepper, fit->stalled > patience, &stop);
		if (fit->stalled > patience)
			fit->stalled = 0;
	}
	return ML_OK;
}

/* ---- the whole ---- */

/* The output starts at the mean of the counts rather than at 1. */
static void
start_at_mean(Fit *fit)
{
	const MlMlpLayer *last = &fit->net->layers[fit->net->n_layers - 1];
	double		sum = 0;

	for (size_t i = 0; i < fit->n; i++)
		sum += weight_of(fit, fit->order[i]) * fit->y[fit->order[i]];
	if (sum > 0)
		fit->net->theta[last->shift] += (float) ml_log(sum / fit->weight_of_training);
}

static MlStatus
build(MlEnv *env, Fit *fit)
{
	MlMlpNet   *net = fit->net;
	int			n_hidden;
	const int64_t *hidden = ml_param_list(fit->params, ML_MLP_HIDDEN, &n_hidden);

	net->activation = activation_of(fit->params);
	net->batch_norm = ml_param_bool(fit->params, ML_MLP_BATCH_NORM);
	net->link = fit->target.link;
	net->y_scale = 1;
	ML_TRY(ml_mlp_start_find(env, fit->data, fit->params, &fit->start));
	ML_TRY(ml_mlp_input_fit(env, fit->data, fit->params, &fit->start, net));
	ML_TRY(ml_mlp_layout(env, net, n_hidden, hidden, fit->target.outputs));
	ml_mlp_initialise(net, 0, env->seed);
	fit->first_trained = fit->start.frozen;
	return fit->start.net == NULL ? ML_OK : ml_mlp_start_weights(env, &fit->start, fit->data->schema, net);
}

static MlStatus
make_trainer(MlEnv *env, Fit *fit)
{
	int64_t		batch = ml_param_int(fit->params, ML_MLP_BATCH_SIZE);

	fit->batch = batch > 0 ? (size_t) batch : AUTO_BATCH;
	fit->batch = fit->batch < fit->n ? fit->batch : fit->n;
	ML_TRY(ml_mlp_pass_create(env, fit->net, &fit->rows, &fit->target, ml_param_double(fit->params, ML_MLP_DROPOUT), fit->batch, fit->first_trained, &fit->pass));
	ML_TRY(ml_mlp_stepper_create(env, fit->net, fit->params, fit->first_trained, (fit->n + fit->batch - 1) / fit->batch, &fit->stepper));
	fit->best_loss = INFINITY;
	if (fit->n_judges == 0)
		return ML_OK;
	fit->best_theta = ml_alloc(env, fit->net->n_theta + 1, sizeof(float));
	fit->best_statistics = ml_alloc(env, fit->net->n_statistics + 1, sizeof(float));
	return fit->best_theta == NULL || fit->best_statistics == NULL ? env->error.status : ML_OK;
}

MlStatus
ml_mlp_fit(MlEnv *env, const MlDataset *data, const MlParams *params, void **model)
{
	Fit		   *fit = ml_alloc0(env, 1, sizeof(Fit));
	MlMlpNet   *net = ml_alloc0(env, 1, sizeof(MlMlpNet));

	if (fit == NULL || net == NULL)
		return env->error.status;
	if (data->n_train == 0)
		return ml_fail(env, ML_BAD_DATA, "there are no rows to train on");
	if (data->n_train + data->n_valid > UINT32_MAX)
		return ml_fail(env, ML_TOO_LARGE, "%zu rows are too many, %u are the most", data->n_train + data->n_valid, UINT32_MAX);
	fit->data = data;
	fit->params = params;
	fit->net = net;
	ML_TRY(choose_loss(env, data->schema, params, &fit->target));
	ML_TRY(build(env, fit));
	ML_TRY(data->schema->task == ML_TASK_CLASSIFICATION ? read_classes(env, fit) : read_values(env, fit));
	ML_TRY(read_weights(env, fit));
	ML_TRY(choose_rows(env, fit));
	ML_TRY(read_rows(env, fit));
	if (fit->target.loss == ML_MLP_POISSON && fit->start.transferred < net->n_layers)
		start_at_mean(fit);
	ML_TRY(make_trainer(env, fit));
	ML_TRY(run_epochs(env, fit));
	restore_best(fit);
	*model = net;
	return ml_mlp_prepare(env, net);
}

/* ---- memory ---- */

size_t
ml_mlp_memory(const MlSchema *schema, const MlParams *params, size_t n, int threads)
{
	MlMlpLayer	layers[ML_PARAM_LIST_MAX + 1] = {0};
	MlMlpNet	net = {.layers = layers, .batch_norm = ml_param_bool(params, ML_MLP_BATCH_NORM)};
	int64_t		cap = ml_param_int(params, ML_MLP_MAX_CATEGORIES);
	int64_t		given = ml_param_int(params, ML_MLP_EMBEDDING_DIM);
	bool		embed = ml_param_int(params, ML_MLP_CATEGORIES) == 1;
	double		batch = ml_param_double(params, ML_MLP_BATCH_SIZE);
	double		inputs = 0;
	double		added = 0;
	double		weights = 0;
	double		tables = 0;
	double		columns = 0;
	double		bytes;
	int			n_hidden;
	const int64_t *hidden = ml_param_list(params, ML_MLP_HIDDEN, &n_hidden);
	double		in;
	size_t		pass;

	(void) threads;
	for (int f = 0; f < schema->n_features; f++)
	{
		double		rows = (schema->features[f].levels < cap ? schema->features[f].levels : (double) cap) + 2;
		double		dim = given > 0 ? (double) given : ml_params_model(params) != NULL ? ML_MLP_AUTO_DIM : ml_mlp_auto_dim((int32_t) rows);

		if (schema->features[f].kind == ML_FEATURE_NUMBER)
			inputs++;
		else if (embed)
		{
			inputs += dim;
			tables += rows * dim;
		}
		else
			added += rows;
	}
	columns = schema->n_features;
	if (inputs > ML_MLP_MAX_WIDTH || added > 1e9)
		return SIZE_MAX;
	net.n_layers = n_hidden + 1;
	net.inputs = (size_t) inputs;
	net.input_width = net.widest = ml_mlp_padded(net.inputs);
	in = inputs + added;
	for (int l = 0; l <= n_hidden; l++)
	{
		double		out = l < n_hidden ? (double) hidden[l] : schema->n_classes > 2 ? schema->n_classes : 1;

		layers[l].out = (int32_t) out;
		layers[l].width = ml_mlp_padded((size_t) out);
		net.widest = layers[l].width > net.widest ? layers[l].width : net.widest;
		weights += (in + 2) * (double) layers[l].width;
		in = out;
	}
	if (weights + tables > (double) ML_MLP_MAX_WEIGHTS)
		return SIZE_MAX;
	net.tables = (size_t) weights;
	net.n_theta = (size_t) (weights + tables) + ML_MLP_PAD;
	net.activation = activation_of(params);
	batch = batch > 0 ? batch : AUTO_BATCH;
	batch = batch < (double) n ? batch : (double) n;
	pass = ml_mlp_pass_memory(&net, (size_t) batch, ml_param_double(params, ML_MLP_DROPOUT));
	/* Rows; theta, two moments, the best, what serves; statistics twice. */
	bytes = (double) n * (4 * columns + 24) + 5.0 * 4 * (double) net.n_theta + (double) pass +
		(double) ml_design_memory(schema, (int) cap) + (double) schema->n_features * 256 + (double) schema->n_classes * 16 + 1048576;
	return bytes < 0x1p60 ? (size_t) bytes : SIZE_MAX;
}
