/*-------------------------------------------------------------------------
 * forward.c
 *	  A block of rows through the network, layer by layer, to its loss.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/algo/mlp/pass.h"
#include "ml/base/rng.h"

/* Share of a new mini-batch in the running figures of batch norm. */
#define RUNNING_SHARE 0.1

/* How far ahead of its use the data of a row are asked for. */
#define ROWS_AHEAD 8

/* Numbers and embeddings of the rows of a block, together. */
static void
gather(MlMlpPass *pass, size_t first, size_t m)
{
	const MlMlpNet *net = pass->net;
	const MlMlpRows *rows = pass->rows;

	for (size_t i = 0; i < m; i++)
	{
		size_t		row = pass->order[first + i];
		float	   *to = pass->input + (first + i) * net->input_width;

		if (i + ROWS_AHEAD < m)
		{
			const float *ahead = rows->numbers + (size_t) pass->order[first + i + ROWS_AHEAD] * rows->number_width;

			for (size_t j = 0; j < rows->number_width; j += 16)
				__builtin_prefetch(ahead + j);
		}
		memcpy(to, rows->numbers + row * rows->number_width, (size_t) net->n_numbers * sizeof(float));
		for (int32_t c = 0; c < net->n_categories; c++)
		{
			const MlMlpCategory *category = &net->categories[c];
			int32_t		code = rows->codes[row * (size_t) net->n_categories + (size_t) c];
			size_t		bytes = (size_t) category->dim * sizeof(float);

			if (category->dim > 0 && code >= 0)
				memcpy(to + category->column, net->theta + category->table + (size_t) code * (size_t) category->dim, bytes);
			else
				memset(to + category->column, 0, bytes);
		}
	}
}

/* Categories without embedding: their rows of the first matrix. */
static void
add_categories(MlMlpPass *pass, size_t first, size_t m, float *z)
{
	const MlMlpNet *net = pass->net;
	const MlMlpLayer *layer = &net->layers[0];
	const float *added = net->theta + layer->weight + (size_t) layer->in * layer->width;

	for (size_t i = 0; i < m; i++)
	{
		const int32_t *codes = pass->rows->codes + (size_t) pass->order[first + i] * (size_t) net->n_categories;

		for (int32_t c = 0; c < net->n_categories; c++)
			if (net->categories[c].dim == 0 && codes[c] >= 0)
				ml_mlp_add(layer->width, z + i * layer->width, added + (size_t) (net->categories[c].first + codes[c]) * layer->width);
	}
}

/* Sums and sums of squares by column, in double. */
static void
sum_columns(const float *z, size_t m, size_t width, double *sums)
{
	memset(sums, 0, 2 * width * sizeof(double));
	for (size_t i = 0; i < m; i++)
		for (size_t j = 0; j < width; j++)
		{
			double		v = z[i * width + j];

			sums[j] += v;
			sums[width + j] += v * v;
		}
}

static void
normalise(MlMlpPass *pass, int l, size_t first, size_t m)
{
	const MlMlpLayer *layer = &pass->net->layers[l];
	const MlMlpNorm *norm = &pass->norm[l];
	const float *gain = pass->net->theta + layer->gain;
	const float *shift = pass->net->theta + layer->shift;
	float	   *z = pass->value[l] + first * layer->width;
	float	   *normal = pass->normal[l] + first * layer->width;

	for (size_t i = 0; i < m; i++, z += layer->width, normal += layer->width)
		for (size_t j = 0; j < layer->width; j++)
		{
			normal[j] = (z[j] - norm->mean[j]) * norm->inverse[j];
			z[j] = normal[j] * gain[j] + shift[j];
		}
}

/* By the running figures, as predict will. */
static void
normalise_as_served(MlMlpPass *pass, int l, size_t first, size_t m)
{
	const MlMlpNet *net = pass->net;
	const MlMlpLayer *layer = &net->layers[l];
	const float *mean = net->statistics + layer->statistics;
	const float *variance = mean + layer->width;
	float	   *z = pass->value[l] + first * layer->width;

	for (size_t j = 0; j < (size_t) layer->out; j++)
	{
		float		factor = (float) (net->theta[layer->gain + j] / sqrt((double) variance[j] + ML_MLP_NORM_EPSILON));
		float		shift = net->theta[layer->shift + j];

		for (size_t i = 0; i < m; i++)
			z[i * layer->width + j] = (z[i * layer->width + j] - mean[j]) * factor + shift;
	}
}

/* Srivastava et al. 2014; what is kept is scaled, so that predicting needs nothing. */
static void
drop(MlMlpPass *pass, int l, size_t first, size_t m)
{
	size_t		width = pass->net->layers[l].width;
	uint64_t	key = ml_mix64(pass->key ^ ((uint64_t) l + 1));
	float	   *value = pass->value[l] + first * width;
	float	   *slope = pass->slope[l] + first * width;

	for (size_t i = 0; i < m * width; i += 4)
	{
		uint64_t	bits = ml_mix64(key ^ ((first * width + i) / 4));

		for (size_t j = i; j < i + 4; j++, bits >>= 16)
		{
			float		factor = (uint32_t) (bits & 0xFFFF) < pass->keep ? pass->kept_scale : 0;

			value[j] *= factor;
			slope[j] *= factor;
		}
	}
}

/* From the sums of a hidden layer to what it hands on. */
static void
finish(MlMlpPass *pass, int l, size_t first, size_t m, bool training)
{
	size_t		width = pass->net->layers[l].width;
	bool		slopes = training && pass->slope[l] != NULL;

	if (training && ml_mlp_pass_normalises(pass, l))
		normalise(pass, l, first, m);
	else if (ml_mlp_layer_normalised(pass->net, l))
		normalise_as_served(pass, l, first, m);
	ml_mlp_activate(pass->net->activation, m * width, pass->value[l] + first * width, slopes ? pass->slope[l] + first * width : NULL);
	if (training && pass->keep < 65536 && l >= pass->first_trained)
		drop(pass, l, first, m);
}

void
ml_mlp_forward(MlMlpPass *pass, size_t block, int l, bool training)
{
	const MlMlpNet *net = pass->net;
	const MlMlpLayer *layer = &net->layers[l];
	size_t		first = ml_mlp_block_start(pass, block);
	size_t		m = ml_mlp_block_size(pass, block);
	float	   *z = pass->value[l] + first * layer->width;
	const float *from;
	size_t		from_width = l == 0 ? net->input_width : net->layers[l - 1].width;

	if (l == 0)
		gather(pass, first, m);
	else
		finish(pass, l - 1, first, m, training);
	from = (l == 0 ? pass->input : pass->value[l - 1]) + first * from_width;

	for (size_t i = 0; i < m; i++)
	{
		if (ml_mlp_layer_normalised(net, l))
			memset(z + i * layer->width, 0, layer->width * sizeof(float));
		else
			memcpy(z + i * layer->width, net->theta + layer->shift, layer->width * sizeof(float));
	}
	if (layer->added > 0)
		add_categories(pass, first, m, z);
	ml_mlp_multiply(m, layer->width, (size_t) layer->in, from, from_width, 1, net->theta + layer->weight, layer->width, z, layer->width, false);
	if (training && ml_mlp_pass_normalises(pass, l))
		sum_columns(z, m, layer->width, pass->sums + block * 2 * net->widest);
}

void
ml_mlp_forward_join(MlMlpPass *pass, int l)
{
	const MlMlpNet *net = pass->net;
	const MlMlpLayer *layer = &net->layers[l];
	MlMlpNorm  *norm = &pass->norm[l];
	float	   *mean = net->statistics + layer->statistics;
	float	   *variance = mean + layer->width;
	double		n = (double) pass->n;

	for (size_t j = 0; j < (size_t) layer->out; j++)
	{
		double		sum = 0;
		double		squares = 0;
		double		spread;

		for (size_t b = 0; b < pass->n_blocks; b++)
		{
			sum += pass->sums[b * 2 * net->widest + j];
			squares += pass->sums[b * 2 * net->widest + layer->width + j];
		}
		sum /= n;
		spread = squares / n - sum * sum;
		spread = spread > 0 ? spread : 0;
		norm->mean[j] = (float) sum;
		norm->inverse[j] = (float) (1 / sqrt(spread + ML_MLP_NORM_EPSILON));
		mean[j] = (float) (mean[j] + RUNNING_SHARE * (sum - mean[j]));
		if (n > 1)
			variance[j] = (float) (variance[j] + RUNNING_SHARE * (spread * n / (n - 1) - variance[j]));
	}
}

double
ml_mlp_forward_loss(MlMlpPass *pass, size_t block, bool slope)
{
	const MlMlpNet *net = pass->net;
	int			last = net->n_layers - 1;
	size_t		width = net->layers[last].width;
	size_t		outputs = (size_t) net->layers[last].out;
	size_t		first = ml_mlp_block_start(pass, block);
	size_t		m = ml_mlp_block_size(pass, block);
	const float *weight = pass->target->weight;
	double		sum = 0;

	for (size_t i = first; i < first + m; i++)
	{
		size_t		row = pass->order[i];
		float	   *delta = slope ? ml_mlp_block_delta(pass, block, last) + (i - first) * width : NULL;
		double		w = weight == NULL ? 1 : weight[row];
		float		share = (float) (w / (double) pass->n);

		sum += w * ml_mlp_loss(pass->target, row, pass->value[last] + i * width, delta);
		if (!slope)
			continue;
		for (size_t j = 0; j < outputs; j++)
			delta[j] *= share;
		for (size_t j = outputs; j < width; j++)
			delta[j] = 0;
	}
	return sum;
}
