/*-------------------------------------------------------------------------
 * image.c
 *	  A network to bytes and back.
 *
 * Weights stand in the image as float32, without the padding.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/algo/mlp/mlp_internal.h"
#include "ml/base/arena.h"

/* Longest embedding. */
#define MAX_DIM 1024

static void
put_floats(MlWriter *w, const float *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
	{
		uint32_t	bits;

		memcpy(&bits, &values[i], 4);
		ml_put_u32(w, bits);
	}
}

static void
save_layer(const MlMlpNet *net, const MlMlpLayer *layer, MlWriter *w)
{
	size_t		rows = (size_t) layer->in + (size_t) layer->added;
	size_t		out = (size_t) layer->out;

	for (size_t i = 0; i < rows; i++)
		put_floats(w, net->theta + layer->weight + i * layer->width, out);
	put_floats(w, net->theta + layer->shift, out);
	if (layer->gain == ML_MLP_NOWHERE)
		return;
	put_floats(w, net->theta + layer->gain, out);
	put_floats(w, net->statistics + layer->statistics, out);
	put_floats(w, net->statistics + layer->statistics + layer->width, out);
}

void
ml_mlp_save(const void *model, MlWriter *w)
{
	const MlMlpNet *net = model;

	ml_design_save(net->design, w);
	ml_put_u8(w, net->standardized);
	ml_put_u8(w, net->batch_norm);
	ml_put_u8(w, (uint8_t) net->activation);
	ml_put_u8(w, (uint8_t) net->link);
	ml_put_double(w, net->y_mean);
	ml_put_double(w, net->y_scale);
	for (int32_t c = 0; c < net->n_categories; c++)
		ml_put_u32(w, (uint32_t) net->categories[c].dim);
	ml_put_u32(w, (uint32_t) net->n_layers);
	for (int l = 0; l < net->n_layers; l++)
		ml_put_u32(w, (uint32_t) net->layers[l].out);
	for (int l = 0; l < net->n_layers; l++)
		save_layer(net, &net->layers[l], w);
	put_floats(w, net->theta + net->tables, net->n_theta - net->tables);
}

static MlStatus
get_floats(MlReader *r, float *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
	{
		uint32_t	bits = ml_get_u32(r);

		memcpy(&values[i], &bits, 4);
		if (!isfinite(values[i]))
			return ml_reader_corrupt(r, "weight of a network");
	}
	return r->status;
}

static MlStatus
load_layer(MlReader *r, MlMlpNet *net, const MlMlpLayer *layer)
{
	size_t		rows = (size_t) layer->in + (size_t) layer->added;
	size_t		out = (size_t) layer->out;
	float	   *variance;

	for (size_t i = 0; i < rows; i++)
		ML_TRY(get_floats(r, net->theta + layer->weight + i * layer->width, out));
	ML_TRY(get_floats(r, net->theta + layer->shift, out));
	if (layer->gain == ML_MLP_NOWHERE)
		return ML_OK;
	variance = net->statistics + layer->statistics + layer->width;
	ML_TRY(get_floats(r, net->theta + layer->gain, out));
	ML_TRY(get_floats(r, variance - layer->width, out));
	ML_TRY(get_floats(r, variance, out));
	for (size_t j = 0; j < out; j++)
		if (variance[j] < 0)
			return ml_reader_corrupt(r, "variance of a network");
	return ML_OK;
}

static MlStatus
load_kind(MlReader *r, const MlSchema *schema, MlMlpNet *net, int32_t *outputs)
{
	uint8_t		standardized = ml_get_u8(r);
	uint8_t		batch_norm = ml_get_u8(r);
	uint8_t		activation = ml_get_u8(r);
	uint8_t		link = ml_get_u8(r);
	bool		fits;

	net->y_mean = ml_get_finite(r);
	net->y_scale = ml_get_finite(r);
	ML_TRY(r->status);
	if (standardized > 1 || batch_norm > 1 || activation > ML_MLP_IDENTITY)
		return ml_reader_corrupt(r, "kind of a network");
	if (schema->task == ML_TASK_CLASSIFICATION)
		fits = link == (schema->n_classes == 2 ? ML_MLP_LINK_LOGISTIC : ML_MLP_LINK_SOFTMAX);
	else
		fits = link == ML_MLP_LINK_IDENTITY || link == ML_MLP_LINK_EXP;
	if (!fits)
		return ml_reader_corrupt(r, "outputs of a network");
	net->standardized = standardized != 0;
	net->batch_norm = batch_norm != 0;
	net->activation = (MlMlpActivation) activation;
	net->link = (MlMlpLink) link;
	*outputs = link == ML_MLP_LINK_SOFTMAX ? schema->n_classes : 1;
	return ML_OK;
}

static MlStatus
load_dims(MlReader *r, const MlDesign *design, int32_t *dims)
{
	int			n = 0;

	for (int32_t f = 0; f < design->n_features; f++)
	{
		uint32_t	dim;

		if (design->features[f].number)
			continue;
		dim = ml_get_u32(r);
		if (r->status == ML_OK && dim > MAX_DIM)
			return ml_reader_corrupt(r, "dimension of an embedding");
		dims[n++] = (int32_t) dim;
	}
	return r->status;
}

/* The weights must be there before room is made for them. */
static bool
weights_are_there(const MlReader *r, const MlMlpNet *net, int n_hidden, const int64_t *hidden, int32_t outputs)
{
	double		in = (double) net->layers[0].in + net->layers[0].added;
	double		count = 0;

	for (int l = 0; l <= n_hidden; l++)
	{
		double		out = l < n_hidden ? (double) hidden[l] : outputs;

		count += (in + 1) * out;
		in = out;
	}
	return count * 4 <= (double) (r->length - r->offset);
}

static MlStatus
load_layers(MlReader *r, MlMlpNet *net, int32_t outputs)
{
	int64_t		hidden[ML_PARAM_LIST_MAX];
	uint32_t	n = ml_get_count(r, 4);

	ML_TRY(r->status);
	if (n < 1 || n > ML_PARAM_LIST_MAX + 1)
		return ml_reader_corrupt(r, "number of layers");
	for (uint32_t l = 0; l < n; l++)
	{
		uint32_t	out = ml_get_u32(r);

		ML_TRY(r->status);
		if (out < 1 || out > ML_MLP_MAX_WIDTH || (l == n - 1 && out != (uint32_t) outputs))
			return ml_reader_corrupt(r, "width of a layer");
		if (l < n - 1)
			hidden[l] = out;
	}
	if (!weights_are_there(r, net, (int) n - 1, hidden, outputs))
		return ml_reader_corrupt(r, "number of weights");
	ML_TRY(ml_mlp_layout(r->env, net, (int) n - 1, hidden, outputs));
	for (int l = 0; l < net->n_layers; l++)
		ML_TRY(load_layer(r, net, &net->layers[l]));
	return get_floats(r, net->theta + net->tables, net->n_theta - net->tables);
}

MlStatus
ml_mlp_load(MlReader *r, const MlSchema *schema, void **model)
{
	MlMlpNet   *net = ml_alloc0(r->env, 1, sizeof(MlMlpNet));
	int32_t    *dims = ml_alloc0(r->env, (size_t) schema->n_features + 1, sizeof(int32_t));
	int32_t		outputs = 0;

	if (net == NULL || dims == NULL)
		return r->env->error.status;
	ML_TRY(ml_design_load(r, schema, &net->design));
	ML_TRY(load_kind(r, schema, net, &outputs));
	ML_TRY(load_dims(r, net->design, dims));
	ML_TRY(ml_mlp_input_arrange(r->env, net, dims));
	ML_TRY(load_layers(r, net, outputs));
	*model = net;
	return ml_mlp_prepare(r->env, net);
}
