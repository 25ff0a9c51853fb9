/*-------------------------------------------------------------------------
 * pass.h
 *	  A mini-batch on its way through the network: buffers, and who computes what.
 *
 * The rows of a mini-batch are cut into blocks whose number depends on the size of the
 * batch and of the network alone.  A block is one task; it has its own gradient, and the
 * gradients are added in the order of the blocks.  So a result does not depend on the number of threads.
 * Batch norm needs figures of the whole mini-batch: then tasks end at each
 * normalised layer and the figures of the blocks are joined, in their order.
 *
 * pass.c      one step: forward, loss, backward, gradients joined
 * forward.c   of one block: layer by layer to the outputs
 * backward.c  of one block: from the slope of the loss to gradients
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_MLP_PASS_H
#define ML_ALGO_MLP_PASS_H

#include "ml/algo/mlp/mlp_internal.h"

/* Rows of a block, where the batch is not too large for its gradients. */
#define ML_MLP_BLOCK_ROWS 64
#define ML_MLP_MAX_BLOCKS 16

/* Rows that judging takes at a time, at least. */
#define ML_MLP_JUDGE_ROWS 1024

/* What batch norm knows of a layer while a mini-batch is in hand; each array has the width of the layer. */
typedef struct MlMlpNorm
{
	float	   *mean;
	float	   *inverse;		/* 1 / sqrt(variance + epsilon) */
	float	   *mean_slope;		/* of the loss by the normalised, shifted value */
	float	   *mean_product;	/* of that slope times the normalised value */
} MlMlpNorm;

struct MlMlpPass
{
	const MlMlpNet *net;
	const MlMlpRows *rows;
	const MlMlpTarget *target;
	int			first_trained;	/* layers before it keep their weights */
	bool		embeds;			/* tables of embeddings are trained */
	size_t		capacity;		/* rows that the buffers hold */
	size_t		max_blocks;

	/* dropout: a value is kept when 16 random bits are below keep; 65536: all are */
	uint32_t	keep;
	float		kept_scale;

	float	   *input;			/* capacity x input_width */
	float	  **value;			/* by layer, capacity x width: what it hands on */
	float	  **slope;			/* by layer: of its activation and dropout, where the value does not tell; else NULL */
	float	  **normal;			/* by layer, with batch norm: normalised values */
	float	   *delta[2];		/* capacity x widest: slope of the loss by a layer's sums, layers taking turns */
	float	  **transposed;		/* by layer: its matrix, outputs x padded inputs; NULL where nobody asks */
	float	  **gradient;		/* by block; the first one gets the sum, and the tables' */
	double	   *loss;			/* by block */
	double	   *sums;			/* by block: 2 x widest */
	MlMlpNorm  *norm;			/* by layer */

	/* The mini-batch in hand. */
	const uint32_t *order;
	size_t		n;
	size_t		n_blocks;
	size_t		block_rows;
	uint64_t	key;			/* of dropout */
	int			layer;			/* where tasks are that end at a layer */
};

/* Does this layer use figures of the mini-batch, rather than running ones? */
static inline bool
ml_mlp_pass_normalises(const MlMlpPass *pass, int layer)
{
	return layer >= pass->first_trained && ml_mlp_layer_normalised(pass->net, layer);
}

static inline size_t
ml_mlp_block_start(const MlMlpPass *pass, size_t block)
{
	size_t		start = block * pass->block_rows;

	return start < pass->n ? start : pass->n;
}

static inline size_t
ml_mlp_block_size(const MlMlpPass *pass, size_t block)
{
	return ml_mlp_block_start(pass, block + 1) - ml_mlp_block_start(pass, block);
}

/*
 * delta of a block at a layer, rows as wide as the layer (below layer 0: as the input).  A block's place does not depend on
 * the layer: another block may be at another one.
 */
static inline float *
ml_mlp_block_delta(const MlMlpPass *pass, size_t block, int layer)
{
	return pass->delta[layer & 1] + ml_mlp_block_start(pass, block) * pass->net->widest;
}

/* forward.c.  Layer l up to its sums; training: those of batch norm go to "sums". */
extern void ml_mlp_forward(MlMlpPass *pass, size_t block, int layer, bool training);

/* Joins what the blocks said of a layer: figures of batch norm, running ones too. */
extern void ml_mlp_forward_join(MlMlpPass *pass, int layer);

/* Losses of a block; with "slope" their slopes by the outputs stand in delta. */
extern double ml_mlp_forward_loss(MlMlpPass *pass, size_t block, bool slope);

/* backward.c.  From delta of layer l to its gradient and to delta of the layer before. */
extern void ml_mlp_backward(MlMlpPass *pass, size_t block, int layer);
extern void ml_mlp_backward_join(MlMlpPass *pass, int layer);

/* The gradient of one category's table, from the slopes by the input that layer 0 left in delta. */
extern void ml_mlp_backward_table(MlMlpPass *pass, int32_t category);

#endif							/* ML_ALGO_MLP_PASS_H */
