/*-------------------------------------------------------------------------
 * pass.c
 *	  One mini-batch: forward, loss, backward, the gradients of its blocks joined.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "ml/algo/mlp/pass.h"
#include "ml/base/arena.h"
#include "ml/base/pool.h"
#include "ml/base/rng.h"

/* Numbers that a task adds up or copies; fewer are no work for another thread. */
#define PIECE 16384

/* The gradients of all blocks together take no more than this, as long as there are two. */
#define GRADIENT_BYTES ((size_t) 64 << 20)

/* Gradients from so few layers do without a second task at each. */
static bool
any_normalised(const MlMlpPass *pass)
{
	return pass->net->batch_norm && pass->first_trained < pass->net->n_layers - 1;
}

static size_t
most_blocks(const MlMlpNet *net)
{
	size_t		blocks = GRADIENT_BYTES / (net->tables * sizeof(float) + 1);

	return blocks < 2 ? 2 : blocks > ML_MLP_MAX_BLOCKS ? ML_MLP_MAX_BLOCKS : blocks;
}

static size_t
blocks_of(size_t rows, size_t most)
{
	size_t		blocks = (rows + ML_MLP_BLOCK_ROWS - 1) / ML_MLP_BLOCK_ROWS;

	return blocks < 1 ? 1 : blocks > most ? most : blocks;
}

static size_t
capacity_of(size_t batch)
{
	return batch > ML_MLP_JUDGE_ROWS ? batch : ML_MLP_JUDGE_ROWS;
}

size_t
ml_mlp_pass_memory(const MlMlpNet *net, size_t batch, double dropout)
{
	size_t		rows = capacity_of(batch);
	double		bytes = 65536;
	size_t		transposed = 0;

	for (int l = 0; l < net->n_layers; l++)
	{
		bytes += (double) rows * (double) net->layers[l].width * 4 * (net->batch_norm || dropout > 0 || net->activation == ML_MLP_GELU ? 3 : 1);
		bytes += (double) net->layers[l].width * 16 + 1024;
		transposed += (size_t) net->layers[l].out * (l == 0 ? net->input_width : net->layers[l - 1].width) + ML_MLP_PAD;
	}
	bytes += (double) rows * (double) (net->input_width + 2 * net->widest) * 4;
	bytes += 4.0 * (double) transposed;
	bytes += (double) blocks_of(batch, most_blocks(net)) * ((double) net->n_theta * 4 + (double) net->widest * 16 + 256);
	return bytes < 0x1p60 ? (size_t) bytes : SIZE_MAX;
}

static float *
buffer(MlEnv *env, size_t rows, size_t width)
{
	return ml_alloc0(env, rows * width + ML_MLP_PAD, sizeof(float));
}

static MlStatus
create_layer(MlEnv *env, MlMlpPass *pass, int l)
{
	const MlMlpNet *net = pass->net;
	const MlMlpLayer *layer = &net->layers[l];
	bool		hidden = l < net->n_layers - 1;
	bool		trained = l >= pass->first_trained;
	MlMlpNorm  *norm = &pass->norm[l];

	pass->value[l] = buffer(env, pass->capacity, layer->width);
	if (hidden && trained && (pass->keep < 65536 || net->activation == ML_MLP_GELU))
		pass->slope[l] = buffer(env, pass->capacity, layer->width);
	if (l > pass->first_trained || (l == 0 && pass->embeds))
		pass->transposed[l] = buffer(env, (size_t) layer->out, l == 0 ? net->input_width : net->layers[l - 1].width);
	if (ml_mlp_pass_normalises(pass, l))
	{
		pass->normal[l] = buffer(env, pass->capacity, layer->width);
		norm->mean = buffer(env, 1, layer->width);
		norm->inverse = buffer(env, 1, layer->width);
		norm->mean_slope = buffer(env, 1, layer->width);
		norm->mean_product = buffer(env, 1, layer->width);
	}
	return env->error.status;
}

MlStatus
ml_mlp_pass_create(MlEnv *env, const MlMlpNet *net, const MlMlpRows *rows, const MlMlpTarget *target,
				   double dropout, size_t batch, int first_trained, MlMlpPass **result)
{
	MlMlpPass  *pass = ml_alloc0(env, 1, sizeof(MlMlpPass));
	size_t		layers = (size_t) net->n_layers;

	if (pass == NULL)
		return env->error.status;
	pass->net = net;
	pass->rows = rows;
	pass->target = target;
	pass->first_trained = first_trained;
	pass->embeds = first_trained == 0 && net->n_theta > net->tables;
	pass->capacity = capacity_of(batch);
	pass->max_blocks = most_blocks(net);
	pass->keep = (uint32_t) (65536 * (1 - dropout) + 0.5);
	pass->keep = pass->keep < 1 ? 1 : pass->keep;
	pass->kept_scale = 65536.0f / (float) pass->keep;
	pass->input = buffer(env, pass->capacity, net->input_width);
	pass->delta[0] = buffer(env, pass->capacity, net->widest);
	pass->delta[1] = buffer(env, pass->capacity, net->widest);
	pass->value = ml_alloc0(env, layers, sizeof(float *));
	pass->slope = ml_alloc0(env, layers, sizeof(float *));
	pass->normal = ml_alloc0(env, layers, sizeof(float *));
	pass->transposed = ml_alloc0(env, layers, sizeof(float *));
	pass->norm = ml_alloc0(env, layers, sizeof(MlMlpNorm));
	pass->gradient = ml_alloc0(env, ML_MLP_MAX_BLOCKS, sizeof(float *));
	pass->loss = ml_alloc0(env, pass->capacity / ML_MLP_BLOCK_ROWS + 2, sizeof(double));
	pass->sums = ml_alloc0(env, ML_MLP_MAX_BLOCKS * 2 * net->widest, sizeof(double));
	if (env->error.status != ML_OK)
		return env->error.status;
	for (size_t l = 0; l < layers; l++)
		ML_TRY(create_layer(env, pass, (int) l));
	for (size_t b = 0; b < blocks_of(batch, pass->max_blocks); b++)
		pass->gradient[b] = buffer(env, 1, net->n_theta);
	ML_TRY(env->error.status);
	*result = pass;
	return ml_mlp_pass_refresh(env, pass);
}

float *
ml_mlp_pass_gradient(MlMlpPass *pass)
{
	return pass->gradient[0];
}

/* ---- the transposed matrices ---- */

typedef struct Transpose
{
	MlMlpPass  *pass;
	int			layer;
	size_t		rows;			/* of the transposed matrix, in one task */
} Transpose;

static void
transpose_task(void *arg, size_t task, int thread)
{
	const Transpose *t = arg;
	const MlMlpLayer *layer = &t->pass->net->layers[t->layer];
	const float *from = t->pass->net->theta + layer->weight;
	size_t		width = t->layer == 0 ? t->pass->net->input_width : t->pass->net->layers[t->layer - 1].width;
	float	   *to = t->pass->transposed[t->layer];
	size_t		end = (task + 1) * t->rows < (size_t) layer->out ? (task + 1) * t->rows : (size_t) layer->out;

	(void) thread;
	for (size_t first = task * t->rows; first < end; first += ML_MLP_PAD)
	{
		size_t		last = first + ML_MLP_PAD < end ? first + ML_MLP_PAD : end;

		for (size_t i = 0; i < (size_t) layer->in; i++)
			for (size_t j = first; j < last; j++)
				to[j * width + i] = from[i * layer->width + j];
	}
}

MlStatus
ml_mlp_pass_refresh(MlEnv *env, MlMlpPass *pass)
{
	for (int l = 0; l < pass->net->n_layers; l++)
	{
		const MlMlpLayer *layer = &pass->net->layers[l];
		Transpose	t = {pass, l, PIECE / (size_t) (layer->in + 1) / ML_MLP_PAD * ML_MLP_PAD + ML_MLP_PAD};

		if (pass->transposed[l] != NULL)
			ML_TRY(ml_pool_run(env, ((size_t) layer->out + t.rows - 1) / t.rows, transpose_task, &t));
	}
	return ML_OK;
}

/* ---- a step ---- */

static void
begin(MlMlpPass *pass, const uint32_t *order, size_t n, size_t most)
{
	pass->order = order;
	pass->n = n;
	pass->n_blocks = blocks_of(n, most);
	pass->block_rows = (n + pass->n_blocks - 1) / pass->n_blocks;
}

static void
whole_task(void *arg, size_t block, int thread)
{
	MlMlpPass  *pass = arg;

	(void) thread;
	for (int l = 0; l < pass->net->n_layers; l++)
		ml_mlp_forward(pass, block, l, true);
	pass->loss[block] = ml_mlp_forward_loss(pass, block, true);
	for (int l = pass->net->n_layers - 1; l >= pass->first_trained; l--)
		ml_mlp_backward(pass, block, l);
}

static void
forward_task(void *arg, size_t block, int thread)
{
	MlMlpPass  *pass = arg;

	(void) thread;
	ml_mlp_forward(pass, block, pass->layer, true);
	if (pass->layer == pass->net->n_layers - 1)
		pass->loss[block] = ml_mlp_forward_loss(pass, block, true);
}

static void
backward_task(void *arg, size_t block, int thread)
{
	MlMlpPass  *pass = arg;

	(void) thread;
	ml_mlp_backward(pass, block, pass->layer);
}

/* Layer by layer, with figures of the whole mini-batch between. */
static MlStatus
run_layers(MlEnv *env, MlMlpPass *pass)
{
	int			last = pass->net->n_layers - 1;

	for (pass->layer = 0; pass->layer <= last; pass->layer++)
	{
		ML_TRY(ml_pool_run(env, pass->n_blocks, forward_task, pass));
		if (ml_mlp_pass_normalises(pass, pass->layer))
			ml_mlp_forward_join(pass, pass->layer);
	}
	for (pass->layer = last; pass->layer >= pass->first_trained; pass->layer--)
	{
		if (ml_mlp_pass_normalises(pass, pass->layer))
			ml_mlp_backward_join(pass, pass->layer);
		ML_TRY(ml_pool_run(env, pass->n_blocks, backward_task, pass));
	}
	return ML_OK;
}

static void
table_task(void *arg, size_t category, int thread)
{
	MlMlpPass  *pass = arg;

	(void) thread;
	if (pass->net->categories[category].dim > 0)
		ml_mlp_backward_table(pass, (int32_t) category);
}

static void
join_task(void *arg, size_t task, int thread)
{
	MlMlpPass  *pass = arg;
	size_t		first = pass->net->layers[pass->first_trained].weight + task * PIECE;
	size_t		end = first + PIECE < pass->net->tables ? first + PIECE : pass->net->tables;

	(void) thread;
	for (size_t b = 1; b < pass->n_blocks; b++)
		ml_mlp_add(end - first, pass->gradient[0] + first, pass->gradient[b] + first);
}

MlStatus
ml_mlp_pass_train(MlEnv *env, MlMlpPass *pass, const uint32_t *order, size_t rows, uint64_t seed, uint64_t draw, double *loss)
{
	size_t		trained = pass->net->tables - pass->net->layers[pass->first_trained].weight;

	begin(pass, order, rows, pass->max_blocks);
	pass->key = ml_mix64(ml_mix64(seed ^ UINT64_C(0x64726F70)) ^ draw);
	if (any_normalised(pass))
		ML_TRY(run_layers(env, pass));
	else
		ML_TRY(ml_pool_run(env, pass->n_blocks, whole_task, pass));
	if (pass->embeds)
		ML_TRY(ml_pool_run(env, (size_t) pass->net->n_categories, table_task, pass));
	if (pass->n_blocks > 1)
		ML_TRY(ml_pool_run(env, (trained + PIECE - 1) / PIECE, join_task, pass));
	*loss = 0;
	for (size_t b = 0; b < pass->n_blocks; b++)
		*loss += pass->loss[b];
	return ML_OK;
}

static void
judge_task(void *arg, size_t block, int thread)
{
	MlMlpPass  *pass = arg;

	(void) thread;
	for (int l = 0; l < pass->net->n_layers; l++)
		ml_mlp_forward(pass, block, l, false);
	pass->loss[block] = ml_mlp_forward_loss(pass, block, false);
}

MlStatus
ml_mlp_pass_judge(MlEnv *env, MlMlpPass *pass, const uint32_t *order, size_t rows, double *loss)
{
	*loss = 0;
	for (size_t first = 0; first < rows; first += ML_MLP_JUDGE_ROWS)
	{
		begin(pass, order + first, rows - first < ML_MLP_JUDGE_ROWS ? rows - first : ML_MLP_JUDGE_ROWS, SIZE_MAX);
		ML_TRY(ml_pool_run(env, pass->n_blocks, judge_task, pass));
		for (size_t b = 0; b < pass->n_blocks; b++)
			*loss += pass->loss[b];
	}
	return ML_OK;
}
