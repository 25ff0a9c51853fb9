/*-------------------------------------------------------------------------
 * semi_params.c
 *	  Parameters of semi-supervised learning, which all methods of classification have in common.
 *
 * Their names begin with what they belong to: a method may have a gamma, an alpha and neighbours of its own.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "ml/model/semi.h"

enum
{
	PARAM_KIND,
	PARAM_CRITERION,
	PARAM_THRESHOLD,
	PARAM_K_BEST,
	PARAM_SELF_MAX_ITER,
	PARAM_KERNEL,
	PARAM_N_NEIGHBORS,
	PARAM_GAMMA,
	PARAM_ALPHA,
	PARAM_SPREAD_MAX_ITER,
	PARAM_TOL
};

const MlParam ml_semi_params[] = {
	[PARAM_KIND] = {.name = "semi_supervised", .type = ML_PARAM_CHOICE, .default_choice = "none", .choices = "none|self_training|label_spreading",
	.description = "What becomes of rows whose target is NULL: they are left out, or used as unlabelled ones, which get a class from the model itself (self_training) or from labelled rows near them (label_spreading)."},
	[PARAM_CRITERION] = {.name = "self_training_criterion", .type = ML_PARAM_CHOICE, .default_choice = "threshold", .choices = "threshold|k_best",
	.description = "Which unlabelled rows get their predicted class in a round: those whose probability is above self_training_threshold, or the self_training_k_best surest."},
	[PARAM_THRESHOLD] = {.name = "self_training_threshold", .type = ML_PARAM_DOUBLE, .default_number = 0.75, .minimum = 0, .maximum = 1, .open_maximum = true,
	.description = "The probability of the predicted class that a row must exceed."},
	[PARAM_K_BEST] = {.name = "self_training_k_best", .type = ML_PARAM_INT, .default_number = 10, .minimum = 1, .maximum = 1e9,
	.description = "With self_training_criterion k_best: how many rows a round labels."},
	[PARAM_SELF_MAX_ITER] = {.name = "self_training_max_iter", .type = ML_PARAM_INT, .default_number = 10, .minimum = 1, .maximum = 10000,
	.description = "Most rounds of labelling; each fits the method once, and once more at the end."},
	[PARAM_KERNEL] = {.name = "label_spreading_kernel", .type = ML_PARAM_CHOICE, .default_choice = "knn", .choices = "knn|rbf",
	.description = "The graph along which labels spread: nearest neighbours, whose memory grows with the rows, or all pairs weighted by exp(-gamma distance^2), for at most 16384 rows."},
	[PARAM_N_NEIGHBORS] = {.name = "label_spreading_n_neighbors", .type = ML_PARAM_INT, .default_number = 7, .minimum = 2, .maximum = 1000,
	.description = "Neighbours of a row in the kernel knn, the row itself counted."},
	[PARAM_GAMMA] = {.name = "label_spreading_gamma", .type = ML_PARAM_DOUBLE, .default_number = 20, .minimum = 0, .maximum = 1e300,
	.description = "How fast the kernel rbf falls with the squared distance of rows, whose numbers are divided by their standard deviation."},
	[PARAM_ALPHA] = {.name = "label_spreading_alpha", .type = ML_PARAM_DOUBLE, .default_number = 0.2, .minimum = 0, .maximum = 1, .open_minimum = true, .open_maximum = true,
	.description = "The share of what a row says that comes from its neighbours rather than from its own label."},
	[PARAM_SPREAD_MAX_ITER] = {.name = "label_spreading_max_iter", .type = ML_PARAM_INT, .default_number = 30, .minimum = 1, .maximum = 100000,
	.description = "Most steps of spreading; a label comes as far as there are steps."},
	[PARAM_TOL] = {.name = "label_spreading_tol", .type = ML_PARAM_DOUBLE, .default_number = 1e-3, .minimum = 0, .maximum = 1e300,
	.description = "Spreading ends when the sum of all changes of a step is below this."},
	{NULL}
};

bool
ml_semi_is_param(const char *name)
{
	for (const MlParam *param = ml_semi_params; param->name != NULL; param++)
	{
		if (strcmp(param->name, name) == 0)
			return true;
	}
	return false;
}

/* What has to be said for a parameter to be of use. */
typedef struct Condition
{
	int			parameter;
	int			choice;
	const char *words;
} Condition;

static const Condition self_training = {PARAM_KIND, ML_SEMI_SELF_TRAINING, "\"semi_supervised\": \"self_training\""};
static const Condition label_spreading = {PARAM_KIND, ML_SEMI_LABEL_SPREADING, "\"semi_supervised\": \"label_spreading\""};
static const Condition threshold = {PARAM_CRITERION, 0, "\"self_training_criterion\": \"threshold\""};
static const Condition k_best = {PARAM_CRITERION, 1, "\"self_training_criterion\": \"k_best\""};
static const Condition knn = {PARAM_KERNEL, ML_SPREAD_KNN, "\"label_spreading_kernel\": \"knn\""};
static const Condition rbf = {PARAM_KERNEL, ML_SPREAD_RBF, "\"label_spreading_kernel\": \"rbf\""};

static const Condition *const conditions[][2] = {
	[PARAM_KIND] = {NULL},
	[PARAM_CRITERION] = {&self_training},
	[PARAM_THRESHOLD] = {&self_training, &threshold},
	[PARAM_K_BEST] = {&self_training, &k_best},
	[PARAM_SELF_MAX_ITER] = {&self_training},
	[PARAM_KERNEL] = {&label_spreading},
	[PARAM_N_NEIGHBORS] = {&label_spreading, &knn},
	[PARAM_GAMMA] = {&label_spreading, &rbf},
	[PARAM_ALPHA] = {&label_spreading},
	[PARAM_SPREAD_MAX_ITER] = {&label_spreading},
	[PARAM_TOL] = {&label_spreading},
};

/* A parameter without effect is a misunderstanding, unless it says what is the case anyway. */
static MlStatus
check_effect(MlEnv *env, const MlParams *params)
{
	MlParams   *defaults;

	ML_TRY(ml_params_init(env, ml_semi_params, &defaults));
	for (int i = 0; i < params->count; i++)
	{
		for (int c = 0; c < 2 && params->number[i] != defaults->number[i]; c++)
		{
			const Condition *wanted = conditions[i][c];

			if (wanted == NULL || ml_param_int(params, wanted->parameter) == wanted->choice)
				continue;
			ml_fail(env, ML_BAD_PARAM, "parameter \"%s\" has no effect here", params->table[i].name);
			return ml_hint(env, "It belongs to %s.", wanted->words);
		}
	}
	return ML_OK;
}

MlStatus
ml_semi_read(MlEnv *env, const MlParams *params, MlSemi *semi)
{
	*semi = (MlSemi) {
		.kind = (MlSemiKind) ml_param_int(params, PARAM_KIND),
		.by_k_best = ml_param_int(params, PARAM_CRITERION) == 1,
		.threshold = ml_param_double(params, PARAM_THRESHOLD),
		.k_best = (size_t) ml_param_int(params, PARAM_K_BEST),
		.max_iter = (int) ml_param_int(params, PARAM_SELF_MAX_ITER),
		.spreading = {
			.kernel = (MlSpreadKernel) ml_param_int(params, PARAM_KERNEL),
			.n_neighbors = (int) ml_param_int(params, PARAM_N_NEIGHBORS),
			.gamma = ml_param_double(params, PARAM_GAMMA),
			.alpha = ml_param_double(params, PARAM_ALPHA),
			.max_iter = (int) ml_param_int(params, PARAM_SPREAD_MAX_ITER),
			.tolerance = ml_param_double(params, PARAM_TOL)
		}
	};
	return check_effect(env, params);
}
