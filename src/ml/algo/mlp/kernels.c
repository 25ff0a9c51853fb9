/*-------------------------------------------------------------------------
 * kernels.c
 *	  Activations and steps of the optimisers, element by element.
 *
 * Plain loops that the compiler turns into vector code, once for each tier.
 *-------------------------------------------------------------------------
 */
#include "ml/algo/mlp/kernels.h"

#include <math.h>

#include "ml/base/floats.h"
#include "ml/base/simd.h"

ML_FLOATS_INLINE void
relu_body(size_t n, float *z)
{
	for (size_t i = 0; i < n; i++)
		z[i] = z[i] > 0 ? z[i] : 0;
}

ML_FLOATS_INLINE void
tanh_body(size_t n, float *z)
{
	for (size_t i = 0; i < n; i++)
		z[i] = ml_float_tanh(z[i]);
}

ML_FLOATS_INLINE void
logistic_body(size_t n, float *z)
{
	for (size_t i = 0; i < n; i++)
		z[i] = ml_float_sigmoid(z[i]);
}

ML_FLOATS_INLINE void
gelu_body(size_t n, float *z)
{
	for (size_t i = 0; i < n; i++)
		z[i] = z[i] * ml_float_normal(z[i]);
}

ML_FLOATS_INLINE void
gelu_slope_body(size_t n, float *restrict z, float *restrict slope)
{
	for (size_t i = 0; i < n; i++)
	{
		float		share = ml_float_normal(z[i]);

		slope[i] = share + z[i] * ml_float_normal_density(z[i]);
		z[i] = z[i] * share;
	}
}

ML_FLOATS_INLINE void
relu_slope_body(size_t n, const float *restrict value, float *restrict gradient)
{
	for (size_t i = 0; i < n; i++)
		gradient[i] = value[i] > 0 ? gradient[i] : 0;
}

ML_FLOATS_INLINE void
tanh_slope_body(size_t n, const float *restrict value, float *restrict gradient)
{
	for (size_t i = 0; i < n; i++)
		gradient[i] = gradient[i] * (1 - value[i] * value[i]);
}

ML_FLOATS_INLINE void
logistic_slope_body(size_t n, const float *restrict value, float *restrict gradient)
{
	for (size_t i = 0; i < n; i++)
		gradient[i] = gradient[i] * (value[i] * (1 - value[i]));
}

ML_FLOATS_INLINE void
times_body(size_t n, float *restrict a, const float *restrict b)
{
	for (size_t i = 0; i < n; i++)
		a[i] *= b[i];
}

ML_FLOATS_INLINE void
add_body(size_t n, float *restrict a, const float *restrict b)
{
	for (size_t i = 0; i < n; i++)
		a[i] += b[i];
}

ML_FLOATS_INLINE void
adam_body(const MlMlpAdam *step, size_t n, const float *restrict gradient, float *restrict mean, float *restrict square, float *restrict weight)
{
	MlMlpAdam	s = *step;
	float		rest1 = 1 - s.beta1;
	float		rest2 = 1 - s.beta2;

	for (size_t i = 0; i < n; i++)
	{
		float		g = gradient[i] * s.gradient_scale + s.l2 * weight[i];

		mean[i] = s.beta1 * mean[i] + rest1 * g;
		square[i] = s.beta2 * square[i] + rest2 * (g * g);
		weight[i] = s.shrink * weight[i] - s.rate * mean[i] / (sqrtf(square[i]) + s.epsilon);
	}
}

ML_FLOATS_INLINE void
momentum_body(const MlMlpSgd *step, size_t n, const float *restrict gradient, float *restrict velocity, float *restrict weight)
{
	MlMlpSgd	s = *step;

	for (size_t i = 0; i < n; i++)
	{
		float		g = gradient[i] * s.gradient_scale + s.l2 * weight[i];

		velocity[i] = s.momentum * velocity[i] - s.rate * g;
		weight[i] = s.shrink * weight[i] + velocity[i];
	}
}

ML_FLOATS_INLINE void
nesterov_body(const MlMlpSgd *step, size_t n, const float *restrict gradient, float *restrict velocity, float *restrict weight)
{
	MlMlpSgd	s = *step;

	for (size_t i = 0; i < n; i++)
	{
		float		g = gradient[i] * s.gradient_scale + s.l2 * weight[i];

		velocity[i] = s.momentum * velocity[i] - s.rate * g;
		weight[i] = s.shrink * weight[i] + (s.momentum * velocity[i] - s.rate * g);
	}
}

ML_SIMD_TIERS(relu, (size_t n, float *z), (n, z))
ML_SIMD_TIERS(tanh, (size_t n, float *z), (n, z))
ML_SIMD_TIERS(logistic, (size_t n, float *z), (n, z))
ML_SIMD_TIERS(gelu, (size_t n, float *z), (n, z))
ML_SIMD_TIERS(gelu_slope, (size_t n, float *z, float *slope), (n, z, slope))
ML_SIMD_TIERS(relu_slope, (size_t n, const float *value, float *gradient), (n, value, gradient))
ML_SIMD_TIERS(tanh_slope, (size_t n, const float *value, float *gradient), (n, value, gradient))
ML_SIMD_TIERS(logistic_slope, (size_t n, const float *value, float *gradient), (n, value, gradient))
ML_SIMD_TIERS(times, (size_t n, float *a, const float *b), (n, a, b))
ML_SIMD_TIERS(add, (size_t n, float *a, const float *b), (n, a, b))
ML_SIMD_TIERS(adam, (const MlMlpAdam *step, size_t n, const float *gradient, float *mean, float *square, float *weight),
			  (step, n, gradient, mean, square, weight))
ML_SIMD_TIERS(momentum, (const MlMlpSgd *step, size_t n, const float *gradient, float *velocity, float *weight),
			  (step, n, gradient, velocity, weight))
ML_SIMD_TIERS(nesterov, (const MlMlpSgd *step, size_t n, const float *gradient, float *velocity, float *weight),
			  (step, n, gradient, velocity, weight))

void
ml_mlp_times(size_t n, float *a, const float *b)
{
	ML_SIMD_CALL(times, (n, a, b));
}

void
ml_mlp_add(size_t n, float *a, const float *b)
{
	ML_SIMD_CALL(add, (n, a, b));
}

void
ml_mlp_slope(MlMlpActivation activation, size_t n, const float *value, float *gradient)
{
	switch (activation)
	{
		case ML_MLP_RELU:
			ML_SIMD_CALL(relu_slope, (n, value, gradient));
			break;
		case ML_MLP_TANH:
			ML_SIMD_CALL(tanh_slope, (n, value, gradient));
			break;
		case ML_MLP_LOGISTIC:
			ML_SIMD_CALL(logistic_slope, (n, value, gradient));
			break;
		case ML_MLP_GELU:
		case ML_MLP_IDENTITY:
			break;
	}
}

void
ml_mlp_activate(MlMlpActivation activation, size_t n, float *z, float *slope)
{
	switch (activation)
	{
		case ML_MLP_RELU:
			ML_SIMD_CALL(relu, (n, z));
			break;
		case ML_MLP_TANH:
			ML_SIMD_CALL(tanh, (n, z));
			break;
		case ML_MLP_LOGISTIC:
			ML_SIMD_CALL(logistic, (n, z));
			break;
		case ML_MLP_GELU:
			if (slope != NULL)
				ML_SIMD_CALL(gelu_slope, (n, z, slope));
			else
				ML_SIMD_CALL(gelu, (n, z));
			return;
		case ML_MLP_IDENTITY:
			break;
	}
	if (slope == NULL)
		return;
	for (size_t i = 0; i < n; i++)
		slope[i] = 1;
	ml_mlp_slope(activation, n, z, slope);
}

void
ml_mlp_adam(const MlMlpAdam *step, size_t n, const float *gradient, float *mean, float *square, float *weight)
{
	ML_SIMD_CALL(adam, (step, n, gradient, mean, square, weight));
}

void
ml_mlp_sgd(const MlMlpSgd *step, size_t n, const float *gradient, float *velocity, float *weight)
{
	if (step->nesterov)
		ML_SIMD_CALL(nesterov, (step, n, gradient, velocity, weight));
	else
		ML_SIMD_CALL(momentum, (step, n, gradient, velocity, weight));
}
