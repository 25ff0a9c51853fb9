/*-------------------------------------------------------------------------
 * kernels.h
 *	  What a network computes with, in float32: products of matrices, activations,
 *	  steps of the optimisers.
 *
 * Rows of matrices are padded to a multiple of ML_MLP_PAD floats, and stand on 64 bytes.
 * Each kernel comes in all tiers of simd.h with the same bits: every
 * element of a result is computed by the same operations in the same order, without FMA.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_MLP_KERNELS_H
#define ML_ALGO_MLP_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ML_MLP_PAD 16

/* The next multiple of ML_MLP_PAD. */
static inline size_t
ml_mlp_padded(size_t n)
{
	return (n + ML_MLP_PAD - 1) / ML_MLP_PAD * ML_MLP_PAD;
}

/* In the order of the parameter's words. */
typedef enum MlMlpActivation
{
	ML_MLP_RELU,
	ML_MLP_TANH,
	ML_MLP_LOGISTIC,
	ML_MLP_GELU,
	ML_MLP_IDENTITY
} MlMlpActivation;

/*
 * c (m x n) += a (m x k) b (k x n), or = instead of += where "fresh".  n is a multiple of ML_MLP_PAD; element
 * (i, p) of a is a[i * row_step + p * column_step], so that a may be read transposed.  The k
 * products of an element are added one by one, in order.
 */
extern void ml_mlp_multiply(size_t m, size_t n, size_t k, const float *a, size_t row_step, size_t column_step,
							const float *b, size_t b_step, float *c, size_t c_step, bool fresh);

/* z = f(z) for n values; where slope is not NULL it gets f'(z). */
extern void ml_mlp_activate(MlMlpActivation activation, size_t n, float *z, float *slope);

/* gradient *= f'(z), from the value f(z).  Not for gelu, whose slope its value does not tell. */
extern void ml_mlp_slope(MlMlpActivation activation, size_t n, const float *value, float *gradient);

/* a *= b, a += b, for n values. */
extern void ml_mlp_times(size_t n, float *a, const float *b);
extern void ml_mlp_add(size_t n, float *a, const float *b);

/* One step of Adam or AdamW (Kingma & Ba 2015; Loshchilov & Hutter 2019). */
typedef struct MlMlpAdam
{
	float		rate;			/* learning rate with both corrections of the bias */
	float		beta1;
	float		beta2;
	float		epsilon;
	float		gradient_scale; /* of clipping; 1 */
	float		l2;				/* added to the gradient, times the weight */
	float		shrink;			/* 1 - learning rate x weight decay */
} MlMlpAdam;

extern void ml_mlp_adam(const MlMlpAdam *step, size_t n, const float *gradient, float *mean, float *square, float *weight);

typedef struct MlMlpSgd
{
	float		rate;
	float		momentum;
	bool		nesterov;
	float		gradient_scale;
	float		l2;
	float		shrink;
} MlMlpSgd;

extern void ml_mlp_sgd(const MlMlpSgd *step, size_t n, const float *gradient, float *velocity, float *weight);

#endif							/* ML_ALGO_MLP_KERNELS_H */
