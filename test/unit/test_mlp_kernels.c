/*-------------------------------------------------------------------------
 * test_mlp_kernels.c
 *	  float32 functions against the C library, products of matrices against plain loops, tiers
 *	  against each other.
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "ml/algo/mlp/kernels.h"
#include "ml/base/floats.h"
#include "ml/base/rng.h"
#include "ml/base/simd.h"

/* ---- functions ---- */

static void
test_functions(void)
{
	double		worst_exp = 0;
	double		worst_tanh = 0;
	double		worst_sigmoid = 0;
	double		worst_normal = 0;
	double		worst_small = 0;

	for (int i = -200000; i <= 200000; i++)
	{
		float		x = (float) i * 4.3e-4f;
		double		normal = 0.5 * erfc(-x / M_SQRT2);

		worst_exp = fmax(worst_exp, fabs(ml_float_exp(x) / exp(x) - 1));
		worst_tanh = fmax(worst_tanh, fabs(ml_float_tanh(x) - tanh(x)));
		worst_sigmoid = fmax(worst_sigmoid, fabs(ml_float_sigmoid(x) - 1 / (1 + exp(-(double) x))));
		worst_normal = fmax(worst_normal, fabs(ml_float_normal(x) - normal));
		if (x != 0 && fabsf(x) < 1)
			worst_small = fmax(worst_small, fabs(ml_float_tanh(x * 1e-6f) / tanh(x * 1e-6) - 1));
	}
	unit_check(worst_exp < 3e-7, __FILE__, __LINE__, "exp: relative error %.1e", worst_exp);
	unit_check(worst_tanh < 2e-7, __FILE__, __LINE__, "tanh: error %.1e", worst_tanh);
	unit_check(worst_small < 3e-7, __FILE__, __LINE__, "tanh near 0: relative error %.1e", worst_small);
	unit_check(worst_sigmoid < 2e-7, __FILE__, __LINE__, "sigmoid: error %.1e", worst_sigmoid);
	unit_check(worst_normal < 3e-7, __FILE__, __LINE__, "normal distribution: error %.1e", worst_normal);
	CHECK(ml_float_exp(-1e30f) > 0 && ml_float_exp(-1e30f) < 1e-37f && isfinite(ml_float_exp(1e30f)));
	CHECK(ml_float_sigmoid(-1e30f) >= 0 && ml_float_sigmoid(-1e30f) < 1e-37f && ml_float_sigmoid(1e30f) == 1);
	CHECK(ml_float_tanh(1e30f) == 1 && ml_float_tanh(-1e30f) == -1 && ml_float_tanh(0) == 0);
	CHECK(ml_float_normal(1e18f) == 1 && ml_float_normal(-1e18f) < 1e-37f);
}

/* ---- products ---- */

#define LARGEST 70

static float a[LARGEST * LARGEST] __attribute__((aligned(64)));
static float b[LARGEST * 96] __attribute__((aligned(64)));
static float c[4][LARGEST * 96] __attribute__((aligned(64)));

static void
multiply_plainly(size_t m, size_t n, size_t k, size_t row_step, size_t column_step, float *to, bool fresh)
{
	for (size_t i = 0; i < m; i++)
		for (size_t j = 0; j < n; j++)
		{
			float		sum = fresh ? 0 : to[i * 96 + j];

			for (size_t p = 0; p < k; p++)
				sum += a[i * row_step + p * column_step] * b[p * 96 + j];
			to[i * 96 + j] = sum;
		}
}

static void
check_product(size_t m, size_t n, size_t k, bool transposed, bool fresh)
{
	size_t		row_step = transposed ? 1 : LARGEST;
	size_t		column_step = transposed ? LARGEST : 1;
	bool		same = true;

	for (int t = 0; t < 4; t++)
	{
		for (size_t i = 0; i < LARGEST * 96; i++)
			c[t][i] = (float) i * 0.001f;
		ml_simd_limit(t == 0 ? ML_TIER_BASELINE : t == 1 ? ML_TIER_AVX2 : ML_TIER_AVX512);
		if (t < 3)
			ml_mlp_multiply(m, n, k, a, row_step, column_step, b, 96, c[t], 96, fresh);
		else
			multiply_plainly(m, n, k, row_step, column_step, c[t], fresh);
	}
	for (int t = 0; t < 3; t++)
		same = same && memcmp(c[t], c[3], sizeof(c[3])) == 0;
	unit_check(same, __FILE__, __LINE__, "%zu x %zu, %zu products%s%s: all tiers have the bits of plain loops, and nothing else is written", m, n, k,
			   transposed ? ", transposed" : "", fresh ? "" : ", added");
}

static void
test_products(void)
{
	for (size_t i = 0; i < LARGEST * LARGEST; i++)
		a[i] = (float) (2 * ml_rng_uniform(1, 1, i) - 1);
	for (size_t i = 0; i < LARGEST * 96; i++)
		b[i] = (float) (2 * ml_rng_uniform(1, 2, i) - 1);
	for (size_t m = 0; m <= 19; m++)
		check_product(m, 16 * (1 + m % 6), 1 + m * 3, m % 2 == 1, m % 3 != 0);
	check_product(64, 96, 64, false, false);
	check_product(64, 80, 50, true, true);
	check_product(5, 32, 0, false, true);
	check_product(5, 32, 0, false, false);
}

/* ---- element by element ---- */

#define VALUES 1000

typedef struct Values
{
	float		z[VALUES];
	float		slope[VALUES];
	float		weight[VALUES];
	float		first[VALUES];
	float		second[VALUES];
} Values;

static Values results[3] __attribute__((aligned(64)));

static void
run_elements(Values *v, int kind)
{
	float		gradient[VALUES];
	MlMlpAdam	adam = {0.01f, 0.9f, 0.999f, 1e-8f, 0.7f, 0.01f, 0.999f};
	MlMlpSgd	sgd = {0.01f, 0.9f, kind == 5, 0.7f, 0.01f, 0.999f};

	for (int i = 0; i < VALUES; i++)
	{
		v->z[i] = gradient[i] = (float) (20 * ml_rng_uniform(3, 1, (uint64_t) i) - 10);
		v->weight[i] = (float) ml_rng_uniform(3, 2, (uint64_t) i);
		v->first[i] = (float) ml_rng_uniform(3, 3, (uint64_t) i);
		v->second[i] = (float) ml_rng_uniform(3, 4, (uint64_t) i);
		v->slope[i] = 0;
	}
	if (kind <= ML_MLP_IDENTITY)
		ml_mlp_activate((MlMlpActivation) kind, VALUES, v->z, v->slope);
	else if (kind < 7)
		ml_mlp_sgd(&sgd, VALUES, gradient, v->first, v->weight);
	else
		ml_mlp_adam(&adam, VALUES, gradient, v->first, v->second, v->weight);
}

static void
test_elements(void)
{
	static const char *const names[] = {"relu", "tanh", "logistic", "gelu", "identity", "nesterov", "momentum", "adam"};

	for (int kind = 0; kind < 8; kind++)
	{
		for (int t = 0; t < 3; t++)
		{
			ml_simd_limit((MlSimdTier) t);
			run_elements(&results[t], kind);
		}
		unit_check(memcmp(&results[0], &results[1], sizeof(Values)) == 0 && memcmp(&results[0], &results[2], sizeof(Values)) == 0,
				   __FILE__, __LINE__, "%s: the same bits on all tiers", names[kind]);
	}
}

int
main(void)
{
	test_functions();
	test_products();
	test_elements();
	return unit_done();
}
