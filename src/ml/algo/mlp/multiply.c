/*-------------------------------------------------------------------------
 * multiply.c
 *	  Products of matrices in float32.
 *
 * A tile of the result stays in registers while all its products are added: for
 * each p one row of b, as wide as the tile, times one number of each row of a.  So
 * every element is a sum over p in order, whatever the size of tiles and registers, and the tiers agree
 * bit by bit.  Multiply and add are separate (no FMA); on processors that do
 * both in one cycle on different units that costs little.
 *-------------------------------------------------------------------------
 */
#include "ml/algo/mlp/kernels.h"

#include <string.h>

#include "ml/base/simd.h"

typedef struct Product
{
	size_t		k;
	const float *a;
	size_t		row_step;
	size_t		column_step;
	const float *b;
	size_t		b_step;
	float	   *c;
	size_t		c_step;
	bool		fresh;
} Product;

/* One tile of ROWS rows and VECTORS registers at row i, column j. */
#define TILE(V, ROWS, VECTORS) \
	do { \
		V			sum[ROWS][VECTORS]; \
		const float *a = x->a + i * x->row_step; \
		const float *b = x->b + j; \
		float	   *c = x->c + i * x->c_step + j; \
		const size_t width = sizeof(V) / sizeof(float); \
		_Pragma("GCC unroll 16") \
		for (int r = 0; r < ROWS; r++) \
			_Pragma("GCC unroll 16") \
			for (int v = 0; v < VECTORS; v++) \
			{ \
				if (x->fresh) \
					sum[r][v] = (V) {0}; \
				else \
					memcpy(&sum[r][v], c + r * x->c_step + v * width, sizeof(V)); \
			} \
		for (size_t p = 0; p < x->k; p++) \
		{ \
			V			row[VECTORS]; \
			_Pragma("GCC unroll 16") \
			for (int v = 0; v < VECTORS; v++) \
				memcpy(&row[v], b + v * width, sizeof(V)); \
			_Pragma("GCC unroll 16") \
			for (int r = 0; r < ROWS; r++) \
				_Pragma("GCC unroll 16") \
				for (int v = 0; v < VECTORS; v++) \
					sum[r][v] += a[r * x->row_step] * row[v]; \
			a += x->column_step; \
			b += x->b_step; \
		} \
		_Pragma("GCC unroll 16") \
		for (int r = 0; r < ROWS; r++) \
			_Pragma("GCC unroll 16") \
			for (int v = 0; v < VECTORS; v++) \
				memcpy(c + r * x->c_step + v * width, &sum[r][v], sizeof(V)); \
	} while (0)

/* All rows of one stripe of columns: full tiles, then what is left. */
#define STRIPE(V, ROWS, VECTORS) \
	do { \
		size_t		i = 0; \
		for (; i + ROWS <= m; i += ROWS) \
			TILE(V, ROWS, VECTORS); \
		if (ROWS > 4 && i + 4 <= m) \
		{ \
			TILE(V, 4, VECTORS); \
			i += 4; \
		} \
		for (; i + 2 <= m; i += 2) \
			TILE(V, 2, VECTORS); \
		if (i < m) \
			TILE(V, 1, VECTORS); \
	} while (0)

typedef float Narrow __attribute__((vector_size(16)));
typedef float Middle __attribute__((vector_size(32)));
typedef float Wide __attribute__((vector_size(64)));

static void
multiply_baseline(size_t m, size_t n, const Product *x)
{
	for (size_t j = 0; j < n; j += 16)
		STRIPE(Narrow, 2, 4);
}

#ifdef ML_SIMD_X86
ML_TARGET_AVX2 static void
multiply_avx2(size_t m, size_t n, const Product *x)
{
	for (size_t j = 0; j < n; j += 16)
		STRIPE(Middle, 6, 2);
}

ML_TARGET_AVX512 static void
multiply_avx512(size_t m, size_t n, const Product *x)
{
	size_t		j = 0;

	for (; j + 32 <= n; j += 32)
		STRIPE(Wide, 8, 2);
	if (j < n)
		STRIPE(Wide, 8, 1);
}
#endif

void
ml_mlp_multiply(size_t m, size_t n, size_t k, const float *a, size_t row_step, size_t column_step,
				const float *b, size_t b_step, float *c, size_t c_step, bool fresh)
{
	Product		x = {k, a, row_step, column_step, b, b_step, c, c_step, fresh};

	ML_SIMD_CALL(multiply, (m, n, &x));
}
