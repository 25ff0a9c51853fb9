/*-------------------------------------------------------------------------
 * input.c
 *	  What of a row enters the network.
 *
 * The design (algo/design.h) knows means, deviations and which categories there
 * are; here it is said where each of its features goes.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>

#include "ml/algo/mlp/mlp_internal.h"
#include "ml/base/arena.h"

/* A deviation below this would make a factor beyond a double. */
#define LEAST_DEVIATION 1e-300

/* Half as many numbers as categories, 50 at most. */
int32_t
ml_mlp_auto_dim(int32_t rows)
{
	int32_t		dim = (rows + 1) / 2;

	return dim < 1 ? 1 : dim > ML_MLP_AUTO_DIM ? ML_MLP_AUTO_DIM : dim;
}

/* How many columns of the design a feature has. */
static int32_t
columns_of(const MlDesign *design, int32_t feature)
{
	int32_t		end = feature + 1 < design->n_features ? design->features[feature + 1].first : design->n_columns;

	return end - design->features[feature].first;
}

static void
place_number(MlMlpNet *net, int32_t feature)
{
	const MlDesignFeature *f = &net->design->features[feature];
	const MlDesignColumn *c = &net->design->columns[f->first];
	MlMlpNumber *number = &net->numbers[net->n_numbers++];

	number->feature = feature;
	number->impute = f->impute;
	number->center = net->standardized ? c->mean : 0;
	number->factor = !net->standardized ? 1 : c->deviation < LEAST_DEVIATION ? 0 : 1 / c->deviation;
}

MlStatus
ml_mlp_input_arrange(MlEnv *env, MlMlpNet *net, const int32_t *dims)
{
	const MlDesign *design = net->design;
	int32_t		added = 0;

	net->numbers = ml_alloc0(env, (size_t) design->n_features + 1, sizeof(MlMlpNumber));
	net->categories = ml_alloc0(env, (size_t) design->n_features + 1, sizeof(MlMlpCategory));
	net->layers = ml_alloc0(env, ML_PARAM_LIST_MAX + 1, sizeof(MlMlpLayer));
	if (net->numbers == NULL || net->categories == NULL || net->layers == NULL)
		return env->error.status;
	net->n_numbers = net->n_categories = 0;
	for (int32_t f = 0; f < design->n_features; f++)
		if (design->features[f].number)
			place_number(net, f);
	net->inputs = (size_t) net->n_numbers;
	for (int32_t f = 0; f < design->n_features; f++)
	{
		MlMlpCategory *c = &net->categories[net->n_categories];

		if (design->features[f].number)
			continue;
		c->feature = f;
		c->rows = columns_of(design, f);
		c->dim = dims == NULL ? 0 : dims[net->n_categories];
		c->column = (int32_t) net->inputs;
		c->first = added;
		net->inputs += (size_t) c->dim;
		added += c->dim > 0 ? 0 : c->rows;
		net->n_categories++;
	}
	if (net->inputs > ML_MLP_MAX_WIDTH)
		return ml_fail(env, ML_TOO_LARGE, "the network has %zu inputs, %d are the most", net->inputs, ML_MLP_MAX_WIDTH);
	net->input_width = ml_mlp_padded(net->inputs);
	net->layers[0].in = (int32_t) net->inputs;
	net->layers[0].added = added;
	return ML_OK;
}

MlStatus
ml_mlp_input_fit(MlEnv *env, const MlDataset *data, const MlParams *params, const MlMlpStart *start, MlMlpNet *net)
{
	bool		embed = ml_param_int(params, ML_MLP_CATEGORIES) == 1;
	int32_t		given = (int32_t) ml_param_int(params, ML_MLP_EMBEDDING_DIM);
	int32_t    *dims;
	int			n = 0;

	ML_TRY(ml_design_fit_coded(env, data, (int) ml_param_int(params, ML_MLP_MAX_CATEGORIES), ML_DESIGN_ALL_LEVELS, &net->design));
	net->standardized = ml_param_bool(params, ML_MLP_STANDARDIZE);
	dims = ml_alloc0(env, (size_t) data->schema->n_features + 1, sizeof(int32_t));
	if (dims == NULL)
		return env->error.status;
	for (int32_t f = 0; f < net->design->n_features; f++)
	{
		if (net->design->features[f].number)
			continue;
		dims[n++] = !embed ? 0 : given > 0 ? given : ml_mlp_auto_dim(columns_of(net->design, f));
	}
	if (start->net != NULL)
		ML_TRY(ml_mlp_start_inputs(env, start, data->schema, params, net, dims));
	return ml_mlp_input_arrange(env, net, dims);
}
