/*-------------------------------------------------------------------------
 * serve.c
 *	  Rows through a fitted network.
 *
 * A row alone and a row among others take the same operations in the same order.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <string.h>

#include "ml/algo/mlp/mlp_internal.h"
#include "ml/base/elementary.h"

size_t
ml_mlp_scratch_size(const void *model)
{
	const MlMlpNet *net = model;

	return ML_BATCH_ROWS * 2 * net->widest * sizeof(float);
}

/* Row i of the input; feature f stands at x[f * step]. */
static void
enter(const MlMlpNet *net, const double *x, size_t step, float *to)
{
	for (int32_t j = 0; j < net->n_numbers; j++)
		to[j] = ml_mlp_number(&net->numbers[j], x[(size_t) net->numbers[j].feature * step]);
	for (int32_t c = 0; c < net->n_categories; c++)
	{
		const MlMlpCategory *category = &net->categories[c];
		int32_t		code;

		if (category->dim == 0)
			continue;
		code = ml_mlp_category_row(net->design, category->feature, x[(size_t) category->feature * step]);
		if (code >= 0)
			memcpy(to + category->column, net->serving + category->table + (size_t) code * (size_t) category->dim, (size_t) category->dim * sizeof(float));
		else
			memset(to + category->column, 0, (size_t) category->dim * sizeof(float));
	}
}

static void
add_categories(const MlMlpNet *net, const double *x, size_t step, float *z)
{
	const MlMlpLayer *layer = &net->layers[0];
	const float *added = net->serving + layer->weight + (size_t) layer->in * layer->width;

	for (int32_t c = 0; c < net->n_categories; c++)
	{
		const MlMlpCategory *category = &net->categories[c];
		int32_t		code;

		if (category->dim > 0)
			continue;
		code = ml_mlp_category_row(net->design, category->feature, x[(size_t) category->feature * step]);
		if (code >= 0)
			ml_mlp_add(layer->width, z, added + (size_t) (category->first + code) * layer->width);
	}
}

/* The dense input of a row (input_width) and its sums in the first layer. */
void
ml_mlp_serve_sums(const MlMlpNet *net, const double *x, float *input, float *sums)
{
	const MlMlpLayer *layer = &net->layers[0];

	enter(net, x, 1, input);
	memcpy(sums, net->serving + layer->shift, layer->width * sizeof(float));
	add_categories(net, x, 1, sums);
	ml_mlp_multiply(1, layer->width, (size_t) layer->in, input, net->input_width, 1, net->serving + layer->weight, layer->width, sums, layer->width, false);
}

/* n rows; feature f of row i is x[f * step + i].  The outputs, as wide as the last layer. */
const float *
ml_mlp_serve_forward(const MlMlpNet *net, const double *x, size_t step, size_t n, float *scratch)
{
	float	   *from = scratch;
	float	   *to = scratch + ML_BATCH_ROWS * net->widest;
	size_t		width = net->input_width;

	for (size_t i = 0; i < n; i++)
		enter(net, x + i, step, from + i * width);
	for (int l = 0; l < net->n_layers; l++)
	{
		const MlMlpLayer *layer = &net->layers[l];
		float	   *swap = from;

		for (size_t i = 0; i < n; i++)
			memcpy(to + i * layer->width, net->serving + layer->shift, layer->width * sizeof(float));
		for (size_t i = 0; l == 0 && layer->added > 0 && i < n; i++)
			add_categories(net, x + i, step, to + i * layer->width);
		ml_mlp_multiply(n, layer->width, (size_t) layer->in, from, width, 1, net->serving + layer->weight, layer->width, to, layer->width, false);
		if (l < net->n_layers - 1)
			ml_mlp_activate(net->activation, n * layer->width, to, NULL);
		width = layer->width;
		from = to;
		to = swap;
	}
	return from;
}

static void
answer(const MlMlpNet *net, const float *z, double *out)
{
	double		score = ml_mlp_bounded(z[0], FLT_MAX);
	int32_t		outputs = net->layers[net->n_layers - 1].out;

	switch (net->link)
	{
		case ML_MLP_LINK_IDENTITY:
			out[0] = ml_mlp_bounded(net->y_mean + score * net->y_scale, DBL_MAX);
			break;
		case ML_MLP_LINK_EXP:
			out[0] = ml_exp(ml_mlp_bounded(score, 709));
			break;
		case ML_MLP_LINK_LOGISTIC:
			/* The smaller one is computed, so that it keeps its digits; the sum is 1. */
			out[score > 0 ? 0 : 1] = ml_sigmoid(score > 0 ? -score : score);
			out[score > 0 ? 1 : 0] = 1 - out[score > 0 ? 0 : 1];
			break;
		case ML_MLP_LINK_SOFTMAX:
			for (int32_t j = 0; j < outputs; j++)
				out[j] = ml_mlp_bounded(z[j], FLT_MAX);
			ml_softmax(out, (size_t) outputs);
			break;
	}
}

void
ml_mlp_predict(const void *model, const double *x, double *out, void *scratch)
{
	answer(model, ml_mlp_serve_forward(model, x, 1, 1, scratch), out);
}

bool
ml_mlp_predict_batch(const void *model, const double *x, size_t n, double *out, void *scratch)
{
	const MlMlpNet *net = model;
	const MlMlpLayer *last = &net->layers[net->n_layers - 1];
	size_t		n_out = net->link == ML_MLP_LINK_LOGISTIC ? 2 : (size_t) last->out;
	const float *z = ml_mlp_serve_forward(net, x, ML_BATCH_ROWS, n, scratch);

	for (size_t i = 0; i < n; i++)
		answer(net, z + i * last->width, out + i * n_out);
	return true;
}

double
ml_mlp_predict_cost(const void *model)
{
	const MlMlpNet *net = model;
	double		cost = 40 + 3.0 * net->design->n_features;

	/* A row alone multiplies about 16 numbers in a nanosecond. */
	for (int l = 0; l < net->n_layers; l++)
		cost += 10 + (double) net->layers[l].in * (double) net->layers[l].width / 16 +
			(net->activation == ML_MLP_RELU ? 0.1 : 1) * (double) net->layers[l].width;
	return cost;
}
