/*-------------------------------------------------------------------------
 * network.c
 *	  Where the weights stand, what they are at first, and how they serve.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/algo/mlp/mlp_internal.h"
#include "ml/base/arena.h"
#include "ml/base/rng.h"

/* Streams of random numbers: one for each layer's first weights, and one for each table. */
#define STREAM_LAYER UINT64_C(0x6D6C700000000000)
#define STREAM_TABLE UINT64_C(0x6D6C710000000000)

/* Numbers of a new embedding lie between minus this and this. */
#define EMBEDDING_BOUND 0.5

bool
ml_mlp_layer_normalised(const MlMlpNet *net, int layer)
{
	return net->batch_norm && layer < net->n_layers - 1;
}

static MlStatus
place(MlEnv *env, MlMlpNet *net, size_t count, size_t *at)
{
	*at = net->n_theta;
	if (count > ML_MLP_MAX_WEIGHTS || net->n_theta + count > ML_MLP_MAX_WEIGHTS)
		return ml_fail(env, ML_TOO_LARGE, "the network has more than %zu weights", ML_MLP_MAX_WEIGHTS);
	net->n_theta += count;
	return ML_OK;
}

static MlStatus
place_layer(MlEnv *env, MlMlpNet *net, int l)
{
	MlMlpLayer *layer = &net->layers[l];

	layer->width = ml_mlp_padded((size_t) layer->out);
	ML_TRY(place(env, net, ((size_t) layer->in + (size_t) layer->added) * layer->width, &layer->weight));
	ML_TRY(place(env, net, layer->width, &layer->shift));
	layer->gain = layer->statistics = ML_MLP_NOWHERE;
	if (ml_mlp_layer_normalised(net, l))
	{
		ML_TRY(place(env, net, layer->width, &layer->gain));
		layer->statistics = net->n_statistics;
		net->n_statistics += 2 * layer->width;
	}
	net->widest = layer->width > net->widest ? layer->width : net->widest;
	return ML_OK;
}

size_t
ml_mlp_layer_end(const MlMlpNet *net, int l)
{
	return l + 1 < net->n_layers ? net->layers[l + 1].weight : net->tables;
}

/* Sizes of all layers; the first one's inputs are known.  Allocates theta, zeroed. */
MlStatus
ml_mlp_layout(MlEnv *env, MlMlpNet *net, int n_hidden, const int64_t *hidden, int32_t outputs)
{
	net->n_layers = n_hidden + 1;
	net->n_theta = net->n_statistics = 0;
	net->widest = net->input_width;
	for (int l = 0; l < net->n_layers; l++)
	{
		net->layers[l].out = l < n_hidden ? (int32_t) hidden[l] : outputs;
		if (l > 0)
		{
			net->layers[l].in = net->layers[l - 1].out;
			net->layers[l].added = 0;
		}
		ML_TRY(place_layer(env, net, l));
	}
	net->tables = net->n_theta;
	for (int32_t c = 0; c < net->n_categories; c++)
		ML_TRY(place(env, net, (size_t) net->categories[c].rows * (size_t) net->categories[c].dim, &net->categories[c].table));
	net->theta = ml_alloc0(env, net->n_theta + ML_MLP_PAD, sizeof(float));
	net->statistics = ml_alloc0(env, net->n_statistics + ML_MLP_PAD, sizeof(float));
	return net->theta == NULL || net->statistics == NULL ? env->error.status : ML_OK;
}

static float
uniform(uint64_t seed, uint64_t stream, uint64_t counter, double bound)
{
	return (float) (bound * (2 * ml_rng_uniform(seed, stream, counter) - 1));
}

/* Glorot & Bengio 2010, as scikit-learn has it: shifts too, and narrower for the logistic function. */
static void
initialise_layer(const MlMlpNet *net, int l, uint64_t seed)
{
	const MlMlpLayer *layer = &net->layers[l];
	size_t		in = (size_t) layer->in + (size_t) layer->added;
	size_t		out = (size_t) layer->out;
	double		bound = sqrt((net->activation == ML_MLP_LOGISTIC ? 2.0 : 6.0) / (double) (in + out));
	uint64_t	stream = STREAM_LAYER + (uint64_t) l;

	for (size_t i = 0; i < in; i++)
		for (size_t j = 0; j < out; j++)
			net->theta[layer->weight + i * layer->width + j] = uniform(seed, stream, i * out + j, bound);
	for (size_t j = 0; j < out; j++)
		net->theta[layer->shift + j] = layer->gain != ML_MLP_NOWHERE ? 0 : uniform(seed, stream, in * out + j, bound);
	if (layer->gain == ML_MLP_NOWHERE)
		return;
	for (size_t j = 0; j < out; j++)
	{
		net->theta[layer->gain + j] = 1;
		net->statistics[layer->statistics + layer->width + j] = 1;
	}
}

void
ml_mlp_initialise(const MlMlpNet *net, int first_layer, uint64_t seed)
{
	for (int l = first_layer; l < net->n_layers; l++)
		initialise_layer(net, l, seed);
	for (int32_t c = 0; first_layer == 0 && c < net->n_categories; c++)
	{
		const MlMlpCategory *category = &net->categories[c];
		size_t		n = (size_t) category->rows * (size_t) category->dim;

		for (size_t i = 0; i < n; i++)
			net->theta[category->table + i] = uniform(seed, STREAM_TABLE + (uint64_t) c, i, EMBEDDING_BOUND);
	}
}

/* Batch norm of a layer multiplied into its matrix. */
static void
fold(const MlMlpNet *net, const MlMlpLayer *layer)
{
	const float *mean = net->statistics + layer->statistics;
	const float *variance = mean + layer->width;
	size_t		rows = (size_t) layer->in + (size_t) layer->added;

	for (size_t j = 0; j < (size_t) layer->out; j++)
	{
		double		factor = net->theta[layer->gain + j] / sqrt((double) variance[j] + ML_MLP_NORM_EPSILON);

		for (size_t i = 0; i < rows; i++)
			net->serving[layer->weight + i * layer->width + j] = (float) (net->theta[layer->weight + i * layer->width + j] * factor);
		net->serving[layer->shift + j] = (float) (net->theta[layer->shift + j] - mean[j] * factor);
	}
}

MlStatus
ml_mlp_prepare(MlEnv *env, MlMlpNet *net)
{
	net->serving = net->theta;
	if (!net->batch_norm || net->n_layers == 1)
		return ML_OK;
	net->serving = ml_alloc(env, net->n_theta + ML_MLP_PAD, sizeof(float));
	if (net->serving == NULL)
		return env->error.status;
	memcpy(net->serving, net->theta, net->n_theta * sizeof(float));
	for (int l = 0; l < net->n_layers - 1; l++)
		fold(net, &net->layers[l]);
	return ML_OK;
}
