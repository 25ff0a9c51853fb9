/*-------------------------------------------------------------------------
 * fit.c
 *	  From a data set to trees that are averaged.
 *
 * A thread takes the next tree, draws its rows, grows it and keeps it; nothing is
 * shared but what nobody writes, so threads never wait for each other.  Which rows a
 * tree was drawn follows from the seed and its number, and is drawn again when
 * the rows out of its bag are judged.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "ml/algo/forest/fit_internal.h"
#include "ml/base/arena.h"
#include "ml/base/pool.h"

/* ---- what all trees have in common ---- */

/* The largest absolute target as a power of two above it; at least what a double can be divided by. */
static double
scale_of(double largest)
{
	int			exponent = 0;

	if (largest > 0)
		(void) frexp(largest, &exponent);
	if (exponent > 1023)
		exponent = 1023;
	if (exponent < -1021)
		exponent = -1021;
	return ldexp(1, exponent);
}

/* A squared error is divided by the square of what the targets are divided by. */
static void
divide_impurities(MlTreeRules *rules, double scale)
{
	rules->min_decrease /= scale;
	rules->ccp_alpha /= scale;
	if (rules->criterion == ML_TREE_POISSON)
		return;
	rules->min_decrease /= scale;
	rules->ccp_alpha /= scale;
}

static MlStatus
prepare_targets(MlEnv *env, MlTreeGround *ground, double *scale)
{
	const MlDataset *data = ground->data;
	double		largest = 0;
	double		sum = 0;
	double		sum_weight = 0;

	*scale = 1;
	if (ground->classes)
		return ML_OK;
	ground->y = ml_alloc(env, data->n_train, sizeof(double));
	if (ground->y == NULL)
		return env->error.status;
	for (size_t i = 0; i < data->n_train; i++)
		largest = fabs(data->y[i]) > largest ? fabs(data->y[i]) : largest;
	*scale = scale_of(largest);
	for (size_t i = 0; i < data->n_train; i++)
	{
		double		w = ground->weight == NULL ? 1 : ground->weight[i];

		if (ground->rules.criterion == ML_TREE_POISSON && data->y[i] < 0)
			return ml_fail(env, ML_BAD_DATA, "the criterion poisson needs targets that are zero or more, not %g", data->y[i]);
		ground->y[i] = data->y[i] / *scale;
		sum += w * ground->y[i];
		sum_weight += w;
	}
	divide_impurities(&ground->rules, *scale);
	/* Sums of squares lose the less the nearer the targets are to zero. */
	ground->y_mean = sum / sum_weight;
	for (size_t i = 0; i < data->n_train; i++)
		ground->y[i] -= ground->y_mean;
	return ML_OK;
}

/* Weights divided by a power of two, so that none is above 1 and sums of any number are finite. */
static MlStatus
prepare_weights(MlEnv *env, MlTreeGround *ground)
{
	const MlDataset *data = ground->data;
	double		largest = 0;

	if (data->weight == NULL)
		return ML_OK;
	ground->weight = ml_alloc(env, data->n_train, sizeof(double));
	if (ground->weight == NULL)
		return env->error.status;
	for (size_t i = 0; i < data->n_train; i++)
		largest = data->weight[i] > largest ? data->weight[i] : largest;
	for (size_t i = 0; i < data->n_train; i++)
		ground->weight[i] = data->weight[i] / scale_of(largest);
	return ML_OK;
}

/* The least and the largest value of the training rows. */
static void
widen(const MlDataColumn *column, size_t n, double *low, double *high)
{
	size_t		end = column->sparse != NULL ? ml_sparse_find(column->sparse, n) : n;

	for (size_t i = 0; i < end; i++)
	{
		double		x = column->sparse == NULL ? column->number[i] : column->sparse->value != NULL ? column->sparse->value[i] : 1;

		*low = x < *low ? x : *low;
		*high = x > *high ? x : *high;
	}
	if (end < n)				/* the others are 0 */
	{
		*low = fmin(*low, 0);
		*high = fmax(*high, 0);
	}
}

/* Where the values of each bin lie, roughly; at both ends as far from the limit as the next one. */
static MlStatus
prepare_middles(MlEnv *env, MlTreeGround *ground)
{
	ground->middle = ml_alloc0(env, (size_t) ground->bins.n_features + 1, sizeof(double *));
	if (ground->middle == NULL)
		return env->error.status;
	for (int f = 0; f < ground->bins.n_features; f++)
	{
		const MlGbdtColumn *column = &ground->bins.column[f];
		const double *upper = column->upper;
		uint32_t	n = column->n_bins;
		double	   *middle;

		if (column->category || !column->usable)
			continue;
		middle = ground->middle[f] = ml_alloc(env, n, sizeof(double));
		if (middle == NULL)
			return env->error.status;
		for (uint32_t b = 0; b < n; b++)
			middle[b] = n == 1 ? 0 : b == 0 ? upper[0] : b == n - 1 ? upper[n - 2] : upper[b - 1] / 2 + upper[b] / 2;
		if (n < 2)
			continue;
		widen(&ground->data->columns[f], ground->data->n_train, &middle[0], &middle[n - 1]);
		/* Half of the way to the farthest value, for that may be an outlier. */
		middle[0] = middle[0] / 2 + upper[0] / 2;
		middle[n - 1] = middle[n - 1] / 2 + upper[n - 2] / 2;
	}
	return ML_OK;
}

/* No more than there are values; one is for missing ones. */
static int32_t
most_bins(const MlTreePlan *plan, size_t n)
{
	return n + 2 < (size_t) plan->max_bin ? (int32_t) n + 2 : plan->max_bin;
}

static MlStatus
prepare_ground(MlEnv *env, const MlDataset *data, const MlTreePlan *plan, MlTreeGround *ground, double *scale)
{
	MlBinRules	rules = {
		.max_bin = most_bins(plan, data->n_train), .min_data_in_bin = 1, .sample = plan->rules.exact ? SIZE_MAX : 200000
	};

	ground->env = env;
	ground->data = data;
	ground->rules = plan->rules;
	ground->classes = data->schema->task == ML_TASK_CLASSIFICATION;
	ground->width = ground->classes ? data->schema->n_classes : 2;
	ML_TRY(prepare_weights(env, ground));
	ML_TRY(prepare_targets(env, ground, scale));
	ml_progress(env, &(MlProgress) {.phase = "bin", .share = 0, .train_loss = NAN, .validation_loss = NAN});
	ML_TRY(ml_gbdt_bins_columns(env, data, &rules, &ground->bins));
	return plan->rules.random ? prepare_middles(env, ground) : ML_OK;
}

/* ---- rows of a tree ---- */

size_t
ml_tree_sample_size(const MlTreePlan *plan, size_t n)
{
	double		m = plan->max_samples <= 0 ? (double) n : plan->max_samples <= 1 ? rint(plan->max_samples * (double) n) : plan->max_samples;

	if (m < 1)
		return 1;
	return m < (double) n ? (size_t) m : n;
}

void
ml_tree_draw_bag(const MlTreePlan *plan, uint64_t seed, uint32_t tree, size_t n, uint16_t *bag)
{
	uint64_t	state = ml_rng_u64(seed, ML_TREE_STREAM_BAG, tree);
	size_t		m = ml_tree_sample_size(plan, n);

	memset(bag, 0, n * sizeof(uint16_t));
	for (size_t i = 0; i < m; i++)
	{
		uint64_t	u = ml_mix64(state + i * UINT64_C(0x9E3779B97F4A7C15));
		size_t		row = (size_t) (((u >> 32) * n) >> 32);

		bag[row] = (uint16_t) (bag[row] + (bag[row] < UINT16_MAX));
	}
}

static void
take_item(MlTreeGrower *g, uint32_t row, uint16_t draws)
{
	const MlTreeGround *ground = g->ground;

	if (ground->weight != NULL && !(ground->weight[row] > 0))
		return;
	if (ground->classes)
		((MlTreeClassItem *) g->item)[g->n++] = (MlTreeClassItem) {row, (uint16_t) ground->data->y[row], draws};
	else
		((MlTreeValueItem *) g->item)[g->n++] = (MlTreeValueItem) {row, draws, ground->y[row]};
}

/* A bag may be empty of weight: then the tree gets all rows. */
static void
take_items(MlTreeGrower *g, const MlTreePlan *plan, uint32_t tree)
{
	size_t		n = g->ground->data->n_train;

	g->n = 0;
	if (plan->bootstrap)
	{
		ml_tree_draw_bag(plan, g->ground->env->seed, tree, n, g->bag);
		for (size_t i = 0; i < n; i++)
			if (g->bag[i] > 0)
				take_item(g, (uint32_t) i, g->bag[i]);
	}
	for (size_t i = 0; i < n && g->n == 0; i++)
		for (; i < n; i++)
			take_item(g, (uint32_t) i, 1);
}

/* ---- the trees ---- */

typedef struct Job
{
	MlEnv	   *env;
	const MlTreePlan *plan;
	MlTreeGround *ground;
	MlTreeForest *forest;
	MlTreeGrower *grower;		/* by thread */
	double	   *gain;			/* by tree and feature */
	uint32_t	done;
	bool		stop;
	MlStatus	status;
} Job;

static MlStatus
grow_one(Job *job, uint32_t t, int thread)
{
	MlTreeGrower *g = &job->grower[thread];

	take_items(g, job->plan, t);
	g->random = ml_rng_u64(job->env->seed, ML_TREE_STREAM_GROW, t);
	ML_TRY(ml_tree_grow(g, thread, &job->stop));
	if (job->plan->rules.exact)
		ML_TRY(ml_tree_thresholds_of_tree(g, job->forest));
	memcpy(job->gain + (size_t) t * (size_t) job->forest->n_features, g->gain, sizeof(double) * (size_t) job->forest->n_features);
	return ml_tree_keep(g, job->forest, &job->forest->tree[t]);
}

static void
grow_task(void *arg, size_t task, int thread)
{
	Job		   *job = arg;
	MlStatus	status;
	uint32_t	done;

	if (__atomic_load_n(&job->stop, __ATOMIC_RELAXED))
		return;
	status = grow_one(job, (uint32_t) task, thread);
	if (status != ML_OK)
	{
		/* That of thread 0 when it was canceled; a thread that was told to stop has nothing to say. */
		__atomic_store_n(&job->stop, true, __ATOMIC_RELAXED);
		if (status == ML_CANCELED && thread == 0)
		{
			ml_pool_lock(job->env->pool);
			ml_fail(job->env, ML_CANCELED, "canceled");
			ml_pool_unlock(job->env->pool);
		}
		return;
	}
	done = __atomic_add_fetch(&job->done, 1, __ATOMIC_RELAXED);
	if (thread == 0)
		ml_progress(job->env, &(MlProgress) {
			.phase = "fit", .share = (double) done / job->plan->n_trees, .iteration = done,
			.iterations = job->plan->n_trees, .train_loss = NAN, .validation_loss = NAN
		});
}

static MlStatus
make_growers(MlEnv *env, Job *job, size_t n)
{
	int			threads = ml_pool_threads(env->pool);
	size_t		items = n;

	job->grower = ml_alloc0(env, (size_t) threads, sizeof(MlTreeGrower));
	if (job->grower == NULL)
		return env->error.status;
	for (int t = 0; t < threads; t++)
	{
		ML_TRY(ml_tree_grower_create(env, job->ground, items, &job->grower[t]));
		job->grower[t].bag = ml_alloc(env, job->plan->bootstrap ? n : 1, sizeof(uint16_t));
		if (job->grower[t].bag == NULL)
			return env->error.status;
	}
	return ML_OK;
}

static void
sum_gains(const Job *job)
{
	size_t		features = (size_t) job->forest->n_features;

	for (uint32_t t = 0; t < job->forest->n_trees; t++)
		for (size_t f = 0; f < features; f++)
			job->forest->gain[f] += job->gain[t * features + f] / job->forest->n_trees;
	for (size_t f = 0; f < features; f++)
	{
		double	   *gain = &job->forest->gain[f];

		*gain *= job->forest->scale;
		if (job->ground->rules.criterion == ML_TREE_SQUARED)
			*gain *= job->forest->scale;
		*gain = *gain < DBL_MAX ? *gain : DBL_MAX;
	}
}

static MlStatus
check_sizes(MlEnv *env, const MlDataset *data)
{
	if (data->n_train == 0)
		return ml_fail(env, ML_BAD_DATA, "there are no rows to train on");
	if (data->n_train > UINT32_MAX)
		return ml_fail(env, ML_TOO_LARGE, "%zu rows are too many, %u are the most", data->n_train, UINT32_MAX);
	if (data->schema->n_features > ML_TREE_MAX_FEATURES)
		return ml_fail(env, ML_TOO_LARGE, "%d features are too many, %d are the most", data->schema->n_features, ML_TREE_MAX_FEATURES);
	if (data->schema->n_classes > UINT16_MAX)
		return ml_fail(env, ML_TOO_LARGE, "%d classes are too many, %d are the most", data->schema->n_classes, UINT16_MAX);
	return ML_OK;
}

MlStatus
ml_tree_fit(MlEnv *env, const MlDataset *data, const MlTreePlan *plan, MlTreeForest **forest)
{
	MlTreeGround *ground = ml_alloc0(env, 1, sizeof(MlTreeGround));
	Job		   *job = ml_alloc0(env, 1, sizeof(Job));
	double		scale;

	if (ground == NULL || job == NULL)
		return env->error.status;
	ML_TRY(check_sizes(env, data));
	ML_TRY(prepare_ground(env, data, plan, ground, &scale));
	ML_TRY(ml_tree_forest_create(env, ground->classes ? ML_TREE_SHARES : ML_TREE_MEAN, data->schema, plan->n_trees, forest));
	(*forest)->scale = scale;
	*job = (Job) {.env = env, .plan = plan, .ground = ground, .forest = *forest};
	job->gain = ml_alloc0(env, plan->n_trees, sizeof(double) * ((size_t) data->schema->n_features + 1));
	if (job->gain == NULL)
		return env->error.status;
	if (!plan->rules.exact)
		ML_TRY(ml_tree_thresholds_of_bins(env, ground, *forest));
	ML_TRY(make_growers(env, job, data->n_train));
	ML_TRY(ml_pool_run(env, plan->n_trees, grow_task, job));
	if (job->stop)
		return env->error.status;
	sum_gains(job);
	if (plan->oob)
		ML_TRY(ml_tree_judge_oob(env, plan, ground, *forest));
	if (plan->permutation)
		ML_TRY(ml_tree_permute(env, plan, ground, *forest));
	return ml_tree_forest_prepare(env, *forest, data->schema);
}

/* ---- memory ---- */

/* The most nodes of a tree. */
static double
most_nodes(const MlTreePlan *plan, double rows)
{
	double		leaves = rows;

	/* A row is in a bag with probability 0.632 at most; the share of so many rows hardly varies. */
	if (plan->bootstrap)
		leaves = fmin(leaves, fmin(plan->max_samples > 1 ? plan->max_samples : rows, 0.633 * rows + 3 * sqrt(rows) + 8));
	leaves = fmin(leaves, floor(leaves / (double) plan->rules.min_leaf) + 1);
	leaves = fmin(leaves, plan->rules.max_leaves);
	if (plan->rules.max_depth < 31)
		leaves = fmin(leaves, ldexp(1, (int) plan->rules.max_depth));
	return 2 * leaves;
}

size_t
ml_tree_memory(const MlSchema *schema, const MlTreePlan *plan, size_t n, int threads)
{
	double		rows = (double) n;
	bool		classes = schema->task == ML_TASK_CLASSIFICATION;
	double		width = classes ? schema->n_classes : 2;
	double		values = classes && schema->n_classes > 2 ? schema->n_classes : 1;
	double		nodes = most_nodes(plan, rows);
	double		widest = 256;
	double		bins = 0;
	double		categories = 0;
	double		sample = plan->rules.exact ? rows : fmin(rows, 200000);
	double		bytes;

	for (int f = 0; f < schema->n_features; f++)
	{
		const MlFeature *feature = &schema->features[f];
		bool		category = feature->kind == ML_FEATURE_CATEGORY;
		double		here = category ? feature->levels + 2.0 : fmin(plan->max_bin, rows) + 2;

		bins += rows * (here <= 256 ? 1 : 2) + 64;
		widest = fmax(widest, here);
		categories = fmax(categories, category ? here : 0);
	}
	bytes = bins + (double) schema->n_features * (most_bins(plan, n) * 24.0 + 1024 + threads * (widest / 8 + sizeof(MlTreeConstant)))
		+ sample * 17.0 * threads + sample * 4
		+ rows * 16				/* targets, weights */
		+ threads * (rows * (2 * (classes ? 8 : 16) + 2 + (plan->rules.random ? 2 : 0)) + widest * (width * 8 + 64))
		/* Of each thread, and while its room grows: */
		+ threads * nodes * 2.5 * (sizeof(MlTreeGrowNode) + 8 * width + 4 + 16 + 8 * values / 2)
		+ plan->n_trees * (nodes * (16 + 8 * values / 2 + (categories > 0 ? 8 + fmin(categories, 32) : 0)) + 8.0 * schema->n_features + 1024)
		+ (plan->oob ? rows * (8 * values + 6) + threads * 65536.0 : 0)
		+ (plan->permutation ? threads * (2 * rows + 120000.0) + 8.0 * plan->n_trees * schema->n_features : 0)
		+ 1048576;
	if (!(bytes < 0x1p60))
		return SIZE_MAX;
	return (size_t) bytes;
}
