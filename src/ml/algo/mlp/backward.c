/*-------------------------------------------------------------------------
 * backward.c
 *	  From the slopes of the loss by a layer's sums to those by its weights and by the
 *	  layer before.
 *
 * delta[l & 1] holds, for layer l, the slopes by its sums (with batch norm, at first: by
 * what the sums became).  Padding columns hold 0.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "ml/algo/mlp/pass.h"

/* Ioffe & Szegedy 2015: the slope by a sum, from that by the normalised, scaled and shifted sum. */
static void
denormalise(MlMlpPass *pass, size_t block, int l)
{
	size_t		first = ml_mlp_block_start(pass, block);
	size_t		m = ml_mlp_block_size(pass, block);
	const MlMlpLayer *layer = &pass->net->layers[l];
	const MlMlpNorm *norm = &pass->norm[l];
	const float *gain = pass->net->theta + layer->gain;
	float	   *delta = ml_mlp_block_delta(pass, block, l);
	const float *normal = pass->normal[l] + first * layer->width;

	for (size_t i = 0; i < m; i++, delta += layer->width, normal += layer->width)
		for (size_t j = 0; j < layer->width; j++)
			delta[j] = gain[j] * norm->inverse[j] * (delta[j] - norm->mean_slope[j] - normal[j] * norm->mean_product[j]);
}

/* By column: sums of the slopes, and of slopes times normalised values. */
static void
sum_slopes(MlMlpPass *pass, size_t block, int l)
{
	size_t		width = pass->net->layers[l].width;
	size_t		first = ml_mlp_block_start(pass, block);
	size_t		m = ml_mlp_block_size(pass, block);
	const float *delta = ml_mlp_block_delta(pass, block, l);
	const float *normal = pass->normal[l] + first * width;
	double	   *sums = pass->sums + block * 2 * pass->net->widest;

	memset(sums, 0, 2 * width * sizeof(double));
	for (size_t i = 0; i < m * width; i += width)
		for (size_t j = 0; j < width; j++)
		{
			double		d = delta[i + j];

			sums[j] += d;
			sums[width + j] += d * normal[i + j];
		}
}

void
ml_mlp_backward_join(MlMlpPass *pass, int l)
{
	const MlMlpLayer *layer = &pass->net->layers[l];
	MlMlpNorm  *norm = &pass->norm[l];
	double		n = (double) pass->n;

	for (size_t j = 0; j < layer->width; j++)
	{
		double		slopes = 0;
		double		products = 0;

		for (size_t b = 0; b < pass->n_blocks; b++)
		{
			slopes += pass->sums[b * 2 * pass->net->widest + j];
			products += pass->sums[b * 2 * pass->net->widest + layer->width + j];
		}
		norm->mean_slope[j] = (float) (slopes / n);
		norm->mean_product[j] = (float) (products / n);

		/* They are the gradients of shift and gain; the other blocks have none. */
		for (size_t b = 0; b < pass->n_blocks; b++)
		{
			pass->gradient[b][layer->shift + j] = b == 0 ? (float) slopes : 0;
			pass->gradient[b][layer->gain + j] = b == 0 ? (float) products : 0;
		}
	}
}

static void
category_gradient(MlMlpPass *pass, size_t first, size_t m, const float *delta, float *gradient)
{
	const MlMlpNet *net = pass->net;
	const MlMlpLayer *layer = &net->layers[0];

	memset(gradient, 0, (size_t) layer->added * layer->width * sizeof(float));
	for (size_t i = 0; i < m; i++)
	{
		const int32_t *codes = pass->rows->codes + (size_t) pass->order[first + i] * (size_t) net->n_categories;

		for (int32_t c = 0; c < net->n_categories; c++)
			if (net->categories[c].dim == 0 && codes[c] >= 0)
				ml_mlp_add(layer->width, gradient + (size_t) (net->categories[c].first + codes[c]) * layer->width, delta + i * layer->width);
	}
}

/* Gradients of a layer's matrix and shift. */
static void
weight_gradient(MlMlpPass *pass, size_t block, int l)
{
	const MlMlpNet *net = pass->net;
	const MlMlpLayer *layer = &net->layers[l];
	size_t		first = ml_mlp_block_start(pass, block);
	size_t		m = ml_mlp_block_size(pass, block);
	size_t		from_width = l == 0 ? net->input_width : net->layers[l - 1].width;
	const float *from = (l == 0 ? pass->input : pass->value[l - 1]) + first * from_width;
	const float *delta = ml_mlp_block_delta(pass, block, l);
	float	   *gradient = pass->gradient[block];
	float	   *shift = gradient + layer->shift;

	ml_mlp_multiply((size_t) layer->in, layer->width, m, from, 1, from_width, delta, layer->width, gradient + layer->weight, layer->width, true);
	if (layer->added > 0)
		category_gradient(pass, first, m, delta, gradient + layer->weight + (size_t) layer->in * layer->width);
	if (ml_mlp_pass_normalises(pass, l))
		return;
	memset(shift, 0, layer->width * sizeof(float));
	for (size_t i = 0; i < m; i++)
		ml_mlp_add(layer->width, shift, delta + i * layer->width);
}

void
ml_mlp_backward(MlMlpPass *pass, size_t block, int l)
{
	const MlMlpNet *net = pass->net;
	const MlMlpLayer *layer = &net->layers[l];
	size_t		first = ml_mlp_block_start(pass, block);
	size_t		m = ml_mlp_block_size(pass, block);
	size_t		before = l == 0 ? net->input_width : net->layers[l - 1].width;
	float	   *to = ml_mlp_block_delta(pass, block, l + 1);	/* one before and one behind take the same turn */

	if (ml_mlp_pass_normalises(pass, l))
		denormalise(pass, block, l);
	weight_gradient(pass, block, l);
	if (pass->transposed[l] == NULL)
		return;
	ml_mlp_multiply(m, before, (size_t) layer->out, ml_mlp_block_delta(pass, block, l), layer->width, 1,
					pass->transposed[l], before, to, before, true);
	if (l == 0)
		return;
	if (pass->slope[l - 1] != NULL)
		ml_mlp_times(m * before, to, pass->slope[l - 1] + first * before);
	else
		ml_mlp_slope(net->activation, m * before, pass->value[l - 1] + first * before, to);
	if (ml_mlp_pass_normalises(pass, l - 1))
		sum_slopes(pass, block, l - 1);
}

void
ml_mlp_backward_table(MlMlpPass *pass, int32_t c)
{
	const MlMlpNet *net = pass->net;
	const MlMlpCategory *category = &net->categories[c];
	size_t		dim = (size_t) category->dim;
	float	   *gradient = pass->gradient[0] + category->table;

	memset(gradient, 0, (size_t) category->rows * dim * sizeof(float));
	for (size_t block = 0; block < pass->n_blocks; block++)
	{
		size_t		first = ml_mlp_block_start(pass, block);
		const float *delta = ml_mlp_block_delta(pass, block, 1) + category->column;

		for (size_t i = 0; i < ml_mlp_block_size(pass, block); i++)
		{
			int32_t		code = pass->rows->codes[(size_t) pass->order[first + i] * (size_t) net->n_categories + (size_t) c];

			for (size_t j = 0; code >= 0 && j < dim; j++)
				gradient[(size_t) code * dim + j] += delta[i * net->input_width + j];
		}
	}
}
