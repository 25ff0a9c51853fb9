/*-------------------------------------------------------------------------
 * explain.c
 *	  What each feature adds to the score of a row: integrated gradients.
 *
 * Sundararajan, Taly & Yan 2017.  The sums of the first layer are a constant plus a vector for each
 * feature, be it a number, an embedding or a row of the matrix.  So the straight path from the
 * average row to this one is a straight path of these sums, along which the slope of the score is averaged at
 * POINTS places, all at once; the contribution of a feature is that slope times what its vector
 * differs from its average.  What the finite number of places leaves over is shared out in proportion, so that
 * contributions and baseline add up.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "ml/algo/mlp/mlp_internal.h"
#include "ml/base/arena.h"
#include "ml/base/elementary.h"

#define POINTS (ML_BATCH_ROWS - 2)	/* the two ends take part, too */
#define FIRST_END POINTS
#define LAST_END (POINTS + 1)

typedef struct Explainer
{
	const MlMlpNet *net;
	float	   *scratch;		/* as predict's */
	float	   *average;		/* sums of the first layer for the average row */
	float	   *input;			/* average dense input, then that of the row */
	float	   *row_input;
	float	   *sums;			/* of the first layer, for the row */
	float	  **value;			/* by layer, ML_BATCH_ROWS x width */
	float	  **slope;			/* by hidden layer */
	float	  **transposed;		/* by layer, outputs x width of the layer before; NULL for the first */
	float	   *delta[2];
	double	   *mean_slope;		/* by sum of the first layer */
} Explainer;

/* The share of training rows with a category's row. */
static double
share_of(const MlMlpNet *net, const MlMlpCategory *c, int32_t row)
{
	return net->design->columns[net->design->features[c->feature].first + row].mean;
}

static const float *
added_row(const MlMlpNet *net, const MlMlpCategory *c, int32_t row)
{
	const MlMlpLayer *layer = &net->layers[0];

	return net->serving + layer->weight + (size_t) (layer->in + c->first + row) * layer->width;
}

/* The average row's dense input and sums. */
static void
average_row(Explainer *e)
{
	const MlMlpNet *net = e->net;
	const MlMlpLayer *layer = &net->layers[0];

	memcpy(e->average, net->serving + layer->shift, layer->width * sizeof(float));
	for (int32_t j = 0; j < net->n_numbers; j++)
		e->input[j] = ml_mlp_number(&net->numbers[j], net->design->columns[net->design->features[net->numbers[j].feature].first].mean);
	for (int32_t k = 0; k < net->n_categories; k++)
	{
		const MlMlpCategory *c = &net->categories[k];

		for (int32_t row = 0; row < c->rows; row++)
		{
			float		share = (float) share_of(net, c, row);

			for (int32_t d = 0; d < c->dim; d++)
				e->input[c->column + d] += share * net->serving[c->table + (size_t) row * (size_t) c->dim + (size_t) d];
			for (size_t j = 0; c->dim == 0 && j < layer->width; j++)
				e->average[j] += share * added_row(net, c, row)[j];
		}
	}
	ml_mlp_multiply(1, layer->width, (size_t) layer->in, e->input, net->input_width, 1, net->serving + layer->weight, layer->width, e->average, layer->width, false);
}

static float *
floats(MlEnv *env, size_t count)
{
	return ml_alloc0(env, count + ML_MLP_PAD, sizeof(float));
}

static MlStatus
make_layer(MlEnv *env, Explainer *e, int l)
{
	const MlMlpNet *net = e->net;
	const MlMlpLayer *layer = &net->layers[l];
	size_t		before = l == 0 ? 0 : net->layers[l - 1].width;

	e->value[l] = floats(env, ML_BATCH_ROWS * layer->width);
	e->slope[l] = floats(env, ML_BATCH_ROWS * layer->width);
	if (l > 0)
		e->transposed[l] = floats(env, (size_t) layer->out * before);
	ML_TRY(env->error.status);
	for (size_t i = 0; l > 0 && i < (size_t) layer->in; i++)
		for (size_t j = 0; j < (size_t) layer->out; j++)
			e->transposed[l][j * before + i] = net->serving[layer->weight + i * layer->width + j];
	return ML_OK;
}

MlStatus
ml_mlp_explainer(MlEnv *env, const void *model, const MlSchema *schema, void **explainer)
{
	const MlMlpNet *net = model;
	Explainer  *e = ml_alloc0(env, 1, sizeof(Explainer));
	size_t		layers = (size_t) net->n_layers;

	(void) schema;
	if (e == NULL)
		return env->error.status;
	e->net = net;
	e->scratch = ml_alloc0(env, ml_mlp_scratch_size(net), 1);
	e->average = floats(env, net->layers[0].width);
	e->sums = floats(env, net->layers[0].width);
	e->input = floats(env, net->input_width);
	e->row_input = floats(env, net->input_width);
	e->delta[0] = floats(env, ML_BATCH_ROWS * net->widest);
	e->delta[1] = floats(env, ML_BATCH_ROWS * net->widest);
	e->mean_slope = ml_alloc0(env, net->layers[0].width, sizeof(double));
	e->value = ml_alloc0(env, layers, sizeof(float *));
	e->slope = ml_alloc0(env, layers, sizeof(float *));
	e->transposed = ml_alloc0(env, layers, sizeof(float *));
	ML_TRY(env->error.status);
	for (size_t l = 0; l < layers; l++)
		ML_TRY(make_layer(env, e, (int) l));
	average_row(e);
	*explainer = e;
	return ML_OK;
}

/* The score of outputs z, bounded as in serve.c, and what its slope by the one output of that class is. */
static double
score_of(const MlMlpNet *net, const float *z, int class_number, double *slope)
{
	double		first = ml_mlp_bounded(z[0], FLT_MAX);
	double		value;

	switch (net->link)
	{
		case ML_MLP_LINK_IDENTITY:
			*slope = net->y_scale;
			return ml_mlp_bounded(net->y_mean + first * net->y_scale, DBL_MAX);
		case ML_MLP_LINK_EXP:
			value = ml_exp(ml_mlp_bounded(first, 709));
			*slope = first < 709 ? value : 0;
			return value;
		case ML_MLP_LINK_LOGISTIC:
			*slope = class_number == 1 ? 1 : -1;
			return *slope * first;
		case ML_MLP_LINK_SOFTMAX:
			break;
	}
	*slope = 1;
	return ml_mlp_bounded(z[class_number], FLT_MAX);
}

/* The places between the average row and this one, through all layers. */
static void
go_forward(Explainer *e)
{
	const MlMlpNet *net = e->net;
	size_t		width = net->layers[0].width;

	for (int i = 0; i < ML_BATCH_ROWS; i++)
	{
		float		at = i == FIRST_END ? 0 : i == LAST_END ? 1 : ((float) i + 0.5f) / POINTS;

		for (size_t j = 0; j < width; j++)
			e->value[0][(size_t) i * width + j] = e->average[j] + at * (e->sums[j] - e->average[j]);
	}
	for (int l = 1; l < net->n_layers; l++)
	{
		const MlMlpLayer *layer = &net->layers[l];
		size_t		before = net->layers[l - 1].width;

		ml_mlp_activate(net->activation, ML_BATCH_ROWS * before, e->value[l - 1], e->slope[l - 1]);
		for (int i = 0; i < ML_BATCH_ROWS; i++)
			memcpy(e->value[l] + (size_t) i * layer->width, net->serving + layer->shift, layer->width * sizeof(float));
		ml_mlp_multiply(ML_BATCH_ROWS, layer->width, (size_t) layer->in, e->value[l - 1], before, 1, net->serving + layer->weight, layer->width, e->value[l], layer->width, false);
	}
}

/* The unit of slopes on their way back: those of an exponential may be beyond a float. */
static double
unit_of_slopes(const Explainer *e)
{
	const MlMlpNet *net = e->net;
	size_t		last = (size_t) net->n_layers - 1;
	double		largest = 0;
	double		slope;

	if (net->link == ML_MLP_LINK_IDENTITY)
		return net->y_scale;
	if (net->link != ML_MLP_LINK_EXP)
		return 1;
	for (size_t i = 0; i < POINTS; i++)
	{
		(void) score_of(net, e->value[last] + i * net->layers[last].width, 0, &slope);
		largest = slope > largest ? slope : largest;
	}
	return largest;
}

/* The average slope of the score by the sums of the first layer, in units; returns the score of the average row. */
static double
go_back(Explainer *e, int class_number, double unit)
{
	const MlMlpNet *net = e->net;
	int			last = net->n_layers - 1;
	size_t		width = net->layers[last].width;
	int			column = net->link == ML_MLP_LINK_SOFTMAX ? class_number : 0;
	double		baseline = 0;
	double		slope;

	memset(e->delta[last & 1], 0, ML_BATCH_ROWS * width * sizeof(float));
	for (int i = 0; i < ML_BATCH_ROWS; i++)
	{
		double		score = score_of(net, e->value[last] + (size_t) i * width, class_number, &slope);

		if (i < POINTS && unit != 0)
			e->delta[last & 1][(size_t) i * width + (size_t) column] = (float) (slope / unit);
		if (i == FIRST_END)
			baseline = score;
	}
	for (int l = last; l > 0; l--)
	{
		size_t		before = net->layers[l - 1].width;
		float	   *to = e->delta[(l - 1) & 1];

		ml_mlp_multiply(ML_BATCH_ROWS, before, (size_t) net->layers[l].out, e->delta[l & 1], net->layers[l].width, 1, e->transposed[l], before, to, before, true);
		ml_mlp_times(ML_BATCH_ROWS * before, to, e->slope[l - 1]);
	}
	for (size_t j = 0; j < net->layers[0].width; j++)
	{
		double		sum = 0;

		for (size_t i = 0; i < POINTS; i++)
			sum += e->delta[0][i * net->layers[0].width + j];
		e->mean_slope[j] = sum / POINTS;
	}
	return baseline;
}

static double
dot(const Explainer *e, const float *row)
{
	double		sum = 0;

	for (size_t j = 0; j < (size_t) e->net->layers[0].out; j++)
		sum += row[j] * e->mean_slope[j];
	return sum;
}

static double
dense_part(const Explainer *e, size_t input)
{
	const MlMlpLayer *layer = &e->net->layers[0];

	return ((double) e->row_input[input] - e->input[input]) * dot(e, e->net->serving + layer->weight + input * layer->width);
}

static void
contributions(const Explainer *e, const double *x, double *contribution)
{
	const MlMlpNet *net = e->net;

	for (int32_t j = 0; j < net->n_numbers; j++)
		contribution[net->numbers[j].feature] = dense_part(e, (size_t) j);
	for (int32_t k = 0; k < net->n_categories; k++)
	{
		const MlMlpCategory *c = &net->categories[k];
		int32_t		row = ml_mlp_category_row(net->design, c->feature, x[c->feature]);
		double		sum = 0;

		for (int32_t d = 0; d < c->dim; d++)
			sum += dense_part(e, (size_t) (c->column + d));
		for (int32_t r = 0; c->dim == 0 && r < c->rows; r++)
			sum += ((r == row) - share_of(net, c, r)) * dot(e, added_row(net, c, r));
		contribution[c->feature] = sum;
	}
}

static double
sum_of_sizes(const double *contribution, int32_t n)
{
	double		total = 0;

	for (int32_t f = 0; f < n; f++)
		total += fabs(contribution[f]);
	return total;
}

/*
 * Contributions in units become those that add up to "change".  What the finite number of places leaves over goes to the features in proportion to what
 * they have; so does all of it where what they have is too large for a double.
 */
static void
share_out(double change, double unit, double total, double *contribution, int32_t n)
{
	double		rest = change;

	if (!(total * fabs(unit) <= DBL_MAX))
		unit = 0;
	for (int32_t f = 0; f < n; f++)
		rest -= unit * contribution[f];
	for (int32_t f = 0; total > 0 && f < n; f++)
		contribution[f] = unit * contribution[f] + rest * (fabs(contribution[f]) / total);
}

void
ml_mlp_explain(void *explainer, const double *x, int class_number, double *contribution, double *baseline)
{
	Explainer  *e = explainer;
	const MlMlpNet *net = e->net;
	int32_t		n = net->design->n_features;
	double		slope;
	double		score;
	double		unit;
	double		total;

	ml_mlp_serve_sums(net, x, e->row_input, e->sums);
	score = score_of(net, ml_mlp_serve_forward(net, x, 1, 1, e->scratch), class_number, &slope);
	go_forward(e);
	unit = unit_of_slopes(e);
	*baseline = go_back(e, class_number, unit);
	contributions(e, x, contribution);
	total = sum_of_sizes(contribution, n);
	if (!(total > 0 && total <= DBL_MAX))
	{
		/* So far away that no place on the path has a slope: by how far each feature moves the sums of the first layer. */
		for (size_t j = 0; j < net->layers[0].width; j++)
			e->mean_slope[j] = 1;
		contributions(e, x, contribution);
		unit = 0;
		total = sum_of_sizes(contribution, n);
	}
	share_out(score - *baseline, unit, total, contribution, n);
}
