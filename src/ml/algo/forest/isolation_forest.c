/*-------------------------------------------------------------------------
 * isolation_forest.c
 *	  Isolation forests: the entry in the list of algorithms.
 *-------------------------------------------------------------------------
 */
#include <math.h>

#include "ml/algo/forest/isolation_internal.h"

enum
{
	N_ESTIMATORS,
	MAX_SAMPLES,
	CONTAMINATION,
	MAX_FEATURES
};

/* The word of max_samples and contamination. */
#define AUTO 1

static const MlParam isolation_params[] = {
	[N_ESTIMATORS] = {"n_estimators", ML_PARAM_INT, 100, 1, 10000, .aliases = "num_trees|n_trees|ntrees|num_iterations",
	.description = "Trees."},
	[MAX_SAMPLES] = {"max_samples", ML_PARAM_DOUBLE, 0, 0, 2147483647, .open_minimum = true,
		.default_choice = "auto", .choices = "number|auto", .aliases = "sample_size|sample_rate",
	.description = "Rows drawn for a tree, without repetition: a share up to 1 (1: all), their number above 1, or auto: 256."},
	[CONTAMINATION] = {"contamination", ML_PARAM_DOUBLE, 0, 0, 0.5, .open_minimum = true,
		.default_choice = "auto", .choices = "number|auto",
	.description = "Share of the training rows that are flagged as outliers; auto: those whose score is above 0.5."},
	[MAX_FEATURES] = {"max_features", ML_PARAM_DOUBLE, 1, 0, 1000000, .open_minimum = true,
	.description = "Features drawn for a tree: a share up to 1 (1: all), or their number above 1."},
	{NULL}
};

static MlIsolationPlan
plan_of(const MlSchema *schema, const MlParams *params)
{
	double		features = ml_param_double(params, MAX_FEATURES);
	double		count = features <= 1 ? floor(features * schema->n_features) : features;
	MlIsolationPlan plan = {
		.n_trees = (uint32_t) ml_param_int(params, N_ESTIMATORS),
		.max_samples = ml_param_double(params, MAX_SAMPLES),
		.contamination = ml_param_double(params, CONTAMINATION),
		.max_features = count < 1 ? 1 : count < schema->n_features ? (int32_t) count : schema->n_features
	};

	if (plan.max_samples == ml_param_word(AUTO))
		plan.max_samples = 0;
	if (plan.contamination == ml_param_word(AUTO))
		plan.contamination = 0;
	return plan;
}

static MlStatus
isolation_fit(MlEnv *env, const MlDataset *data, const MlParams *params, void **model)
{
	MlIsolationPlan plan = plan_of(data->schema, params);
	MlTreeForest *forest = NULL;

	ML_TRY(ml_isolation_fit(env, data, &plan, &forest));
	*model = forest;
	return ML_OK;
}

static size_t
isolation_memory(const MlSchema *schema, const MlParams *params, size_t n, int threads)
{
	MlIsolationPlan plan = plan_of(schema, params);

	return ml_isolation_memory(schema, &plan, n, threads);
}

/* The score and the flag. */
static int
isolation_outputs(const void *model)
{
	return 2;
}

const MlMethod ml_method_isolation_forest = {
	.name = "isolation_forest",
	.summary = "what random splits set apart soon is odd: a score for each row",
	.description =
	"Liu, Ting and Zhou 2008, with the parameters and defaults of scikit-learn: each tree parts 256 rows at random thresholds of random features "
	"until they are alone, or as deep as a balanced tree of them. The score is 2 to the minus mean depth of a row, measured by the mean depth of all: from 0 to 1, "
	"about 0.5 where nothing is odd. ml_predict gives the score, ml_predict_class outlier or inlier. "
	"Missing values and categories go either way by coin; what a node did not see goes with its smaller side, where it is sooner alone. "
	"Time and memory grow with trees x rows of a tree, not with the table; with contamination the training rows are scored once.",
	.tasks = ML_TASK_ANOMALY,
	.format = 1,
	.params = isolation_params,
	.memory = isolation_memory,
	.fit = isolation_fit,
	.save = ml_tree_save,
	.load = ml_tree_load,
	.predict = ml_tree_predict,
	.predict_batch = ml_tree_predict_batch,
	.scratch_size = ml_tree_scratch_size,
	.n_outputs = isolation_outputs,
	.predict_cost = ml_tree_predict_cost,
	.statistics = ml_tree_statistics,
	.n_trees = ml_tree_count,
	.rules = ml_tree_rules,
};
