/*-------------------------------------------------------------------------
 * floats.h
 *	  exp, tanh, sigmoid and the normal distribution function in float32.
 *
 * Without branches and without calls, so that a loop over them becomes vector code;
 * only +, -, *, /, comparisons and bit operations, in a fixed order, so that every
 * tier gives the same bits.  Relative error of exp and of the distribution function below
 * 3e-7 (where the result is a normal number), absolute error of tanh and sigmoid
 * below 2e-7 (test/unit/test_mlp_kernels.c).
 *-------------------------------------------------------------------------
 */
#ifndef ML_BASE_FLOATS_H
#define ML_BASE_FLOATS_H

#include <stdint.h>
#include <string.h>

#define ML_FLOATS_INLINE static inline __attribute__((always_inline))

ML_FLOATS_INLINE float
ml_float_of_bits(int32_t bits)
{
	float		x;

	memcpy(&x, &bits, 4);
	return x;
}

ML_FLOATS_INLINE int32_t
ml_float_bits(float x)
{
	int32_t		bits;

	memcpy(&bits, &x, 4);
	return bits;
}

/* exp(x); beyond -87 and 88 as at these ends, so that the result is normal and finite. */
ML_FLOATS_INLINE float
ml_float_exp(float x)
{
	const float round_to_int = 0x1.8p23f;
	float		shifted,
				n,
				r,
				p;

	x = x < -87.0f ? -87.0f : x;
	x = x > 88.0f ? 88.0f : x;
	shifted = x * 1.44269504f + round_to_int;
	n = shifted - round_to_int;
	/* ln 2 in two parts; the first has zeros enough for n times it to be exact. */
	r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
	p = 1.9875691500e-4f;
	p = p * r + 1.3981999507e-3f;
	p = p * r + 8.3334519073e-3f;
	p = p * r + 4.1665795894e-2f;
	p = p * r + 1.6666665459e-1f;
	p = p * r + 5.0000001201e-1f;
	p = p * (r * r) + r + 1.0f;
	/* n as an integer stands in the low bits of "shifted". */
	return p * ml_float_of_bits((int32_t) (((uint32_t) ml_float_bits(shifted) - UINT32_C(0x4B400000) + 127) << 23));
}

ML_FLOATS_INLINE float
ml_float_abs(float x)
{
	return ml_float_of_bits(ml_float_bits(x) & INT32_C(0x7FFFFFFF));
}

ML_FLOATS_INLINE float
ml_float_sigmoid(float x)
{
	return 1.0f / (1.0f + ml_float_exp(-x));
}

ML_FLOATS_INLINE float
ml_float_tanh(float x)
{
	float		a = ml_float_abs(x);
	float		s = a * a;
	float		p = -5.70498872745e-3f;
	float		near,
				far;

	/* Near 0 a polynomial, that small values keep their digits. */
	p = p * s + 2.06390887954e-2f;
	p = p * s - 5.37397155531e-2f;
	p = p * s + 1.33314422036e-1f;
	p = p * s - 3.33332819422e-1f;
	near = p * s * a + a;
	far = 1.0f - 2.0f / (ml_float_exp(a + a) + 1.0f);
	near = a < 0.625f ? near : far;
	return ml_float_of_bits(ml_float_bits(near) | (ml_float_bits(x) & INT32_MIN));
}

/*
 * P(X <= x) of a standard normal variable, by a Chebyshev approximation of erfc with a
 * relative error of 1.2e-7 (Press et al., Numerical Recipes, "erfcc").
 */
ML_FLOATS_INLINE float
ml_float_normal(float x)
{
	float		z = ml_float_abs(x) * 0.70710678f;
	float		t = 1.0f / (1.0f + 0.5f * z);
	float		p = 0.17087277f;
	float		tail;

	p = p * t - 0.82215223f;
	p = p * t + 1.48851587f;
	p = p * t - 1.13520398f;
	p = p * t + 0.27886807f;
	p = p * t - 0.18628806f;
	p = p * t + 0.09678418f;
	p = p * t + 0.37409196f;
	p = p * t + 1.00002368f;
	p = p * t - 1.26551223f;
	tail = 0.5f * t * ml_float_exp(p - z * z);
	return x < 0 ? tail : 1.0f - tail;
}

/* Its density. */
ML_FLOATS_INLINE float
ml_float_normal_density(float x)
{
	return 0.39894228f * ml_float_exp(-0.5f * x * x);
}

#endif							/* ML_BASE_FLOATS_H */
