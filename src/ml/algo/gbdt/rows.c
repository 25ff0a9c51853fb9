/*-------------------------------------------------------------------------
 * rows.c
 *	  What every tree does with every row: gradients of the logistic and the
 *	  squared loss, and gradients to integers.
 *
 * Eight rows at once, each function compiled for the three tiers; the body is
 * the same C, so the bits are the same.
 *-------------------------------------------------------------------------
 */
#include "ml/algo/gbdt/gbdt_internal.h"
#include "ml/base/elementary.h"
#include "ml/base/lanes.h"
#include "ml/base/simd.h"
#include "ml/base/stream.h"

/* Probabilities in a logarithm are not taken below this. */
#define TINY 1e-15
/* Factors, each at least TINY, that one product may hold. */
#define FACTORS 16

/*
 * Up to eight rows: *wrong is the probability of the class that a row is not of.
 * Missing rows of an incomplete eight look like rows predicted with certainty.
 */
ML_LANES_INLINE void
wrong_of_rows(const double *score, const double *y, size_t n, MlLanes *wrong, MlLanesInt *positive)
{
	MlLanes		s = {800, 800, 800, 800, 800, 800, 800, 800};
	MlLanes		target = {1, 1, 1, 1, 1, 1, 1, 1};
	MlLanesInt	sign;

	memcpy(&s, score, n * sizeof(double));
	memcpy(&target, y, n * sizeof(double));
	*positive = target > 0.5;
	sign = *positive & INT64_MIN;
	s = (MlLanes) ((MlLanesInt) s ^ sign);
	ml_lanes_sigmoid(wrong, &s);
}

ML_LANES_INLINE void
logistic_body(const double *score, const double *y, const double *weight, size_t n, double *g, double *loss, double *sum_g)
{
	MlLanes		product = {1, 1, 1, 1, 1, 1, 1, 1};
	MlLanes		tiny = {TINY, TINY, TINY, TINY, TINY, TINY, TINY, TINY};
	double		factor[ML_LANES];
	MlLanes		all_wrong = {0};
	double		sum = 0;
	int			factors = 0;

	for (size_t i = 0; i < n; i += ML_LANES)
	{
		size_t		rows = n - i < ML_LANES ? n - i : ML_LANES;
		MlLanes		wrong;
		MlLanes		right;
		MlLanesInt	positive;
		MlLanesInt	likely;

		if (rows == ML_LANES)
			wrong_of_rows(score + i, y + i, ML_LANES, &wrong, &positive);
		else
			wrong_of_rows(score + i, y + i, rows, &wrong, &positive);
		right = 1 - wrong;
		likely = right >= TINY;
		ml_lanes_choose(&right, &likely, &tiny);
		if (weight != NULL)
		{
			MlLanes		w = {0};

			memcpy(&w, weight + i, rows * sizeof(double));
			ml_lanes_store(factor, &right);
			for (size_t j = 0; j < rows; j++)
				sum -= weight[i + j] * ml_log(factor[j]);
			wrong = wrong * w;
		}
		else
		{
			/* One logarithm for sixteen rows: that is most of its cost saved. */
			product = product * right;
			if (++factors == FACTORS)
			{
				ml_lanes_store(factor, &product);
				for (int j = 0; j < ML_LANES; j++)
					sum -= ml_log(factor[j]);
				product = product * 0 + 1;
				factors = 0;
			}
		}
		all_wrong += wrong;
		if (g != NULL)
		{
			wrong = (MlLanes) ((MlLanesInt) wrong ^ (positive & INT64_MIN));
			memcpy(g + i, &wrong, rows * sizeof(double));
		}
	}
	ml_lanes_store(factor, &product);
	for (int j = 0; j < ML_LANES && factors > 0; j++)
		sum -= ml_log(factor[j]);
	*loss = sum;
	*sum_g = 0;
	for (int j = 0; j < ML_LANES; j++)
		*sum_g += all_wrong[j];
}

ML_SIMD_TIERS(logistic, (const double *score, const double *y, const double *weight, size_t n, double *g, double *loss, double *sum_g),
	  (score, y, weight, n, g, loss, sum_g))

void
ml_gbdt_logistic_rows(const double *score, const double *y, const double *weight, size_t n, double *g, double *loss, double *sum_g)
{
	ML_SIMD_CALL(logistic, (score, y, weight, n, g, loss, sum_g));
}

/* As ml_gbdt_hessian() where it follows from gradient and weight; weight is looked at only where the loss has weights. */
ML_LANES_INLINE void
hessian_of_rows(const MlGbdtLoss *loss, const MlLanes *g, const MlLanes *weight, MlLanes *h)
{
	MlLanes		a = (MlLanes) ((MlLanesInt) *g & INT64_MAX);

	if (ml_gbdt_identity(loss->objective))
		*h = *weight;
	else if (loss->weight == NULL)
		*h = loss->hessian_factor * a * (1 - a);
	else
	{
		MlLanesInt	weighs = *weight > 0;

		*h = loss->hessian_factor * a * (1 - a / *weight);
		*h = (MlLanes) (weighs & (MlLanesInt) *h);
	}
}

/* ---- squared loss ---- */

ML_LANES_INLINE void
squared_body(const double *score, const double *y, const double *weight, size_t n, double *g, double *sums)
{
	MlLanes		loss = {0};
	MlLanes		sum = {0};
	MlLanes		most = {0};

	for (size_t i = 0; i < n; i += ML_LANES)
	{
		size_t		rows = n - i < ML_LANES ? n - i : ML_LANES;
		MlLanes		s = {0};
		MlLanes		t = {0};
		MlLanes		r;
		MlLanes		v;
		MlLanes		a;
		MlLanesInt	more;

		if (rows == ML_LANES)
		{
			ml_lanes_load(&s, score + i);
			ml_lanes_load(&t, y + i);
		}
		else
		{
			memcpy(&s, score + i, rows * sizeof(double));
			memcpy(&t, y + i, rows * sizeof(double));
		}
		r = v = s - t;
		if (weight != NULL)
		{
			MlLanes		w = {0};

			memcpy(&w, weight + i, rows * sizeof(double));
			v = w * r;
		}
		a = (MlLanes) ((MlLanesInt) v & INT64_MAX);
		more = a > most;
		loss += v * r;
		sum += a;
		most = (MlLanes) ((more & (MlLanesInt) a) | (~more & (MlLanesInt) most));
		if (g != NULL && rows == ML_LANES)
			ml_lanes_store(g + i, &v);
		else if (g != NULL)
			memcpy(g + i, &v, rows * sizeof(double));
	}
	for (int j = 0; j < ML_LANES; j++)
	{
		sums[ML_GBDT_BLOCK_LOSS] += loss[j];
		sums[ML_GBDT_BLOCK_SUM] += sum[j];
		if (most[j] > sums[ML_GBDT_BLOCK_MAX])
			sums[ML_GBDT_BLOCK_MAX] = most[j];
	}
}

ML_SIMD_TIERS(squared, (const double *score, const double *y, const double *weight, size_t n, double *g, double *sums),
			  (score, y, weight, n, g, sums))

void
ml_gbdt_squared_rows(const double *score, const double *y, const double *weight, size_t n, double *g, double *sums)
{
	ML_SIMD_CALL(squared, (score, y, weight, n, g, sums));
}

/* ---- gradients to integers ---- */

ML_LANES_INLINE void
put(void *to, const void *from, size_t bytes, bool around)
{
	if (around)
		ml_stream(to, from, bytes);
	else
		memcpy(to, from, bytes);
}

ML_LANES_INLINE void
quantise_body(const MlGbdtLoss *loss, const MlGbdtScale *scale, const double *g, size_t begin, size_t end,
			  const MlGbdtGradients *to, MlGbdtSum *sum)
{
	const double round_to_int = 0x1.8p52;
	const bool	around = to->around && (uintptr_t) (to->packed + begin) % ML_STREAM_ALIGNMENT == 0 && (uintptr_t) (to->exact + begin) % ML_STREAM_ALIGNMENT == 0;
	MlLanesInt	sum_g = {0};
	MlLanesInt	sum_h = {0};

	for (size_t i = begin; i < end; i += ML_LANES)
	{
		size_t		rows = end - i < ML_LANES ? end - i : ML_LANES;
		MlLanes		v = {0};
		MlLanes		w = {1, 1, 1, 1, 1, 1, 1, 1};
		MlLanes		h;
		MlLanesInt	int_g;
		MlLanesInt	int_h;

		if (rows == ML_LANES)
			ml_lanes_load(&v, g + i);
		else
			memcpy(&v, g + i, rows * sizeof(double));
		if (loss->weight != NULL)
			memcpy(&w, loss->weight + i, rows * sizeof(double));
		if (loss->h != NULL)
		{
			h = w;
			memcpy(&h, loss->h + i, rows * sizeof(double));
		}
		else
			hessian_of_rows(loss, &v, &w, &h);
		int_g = (MlLanesInt) (v * scale->to_g + round_to_int) - INT64_C(0x4338000000000000);
		int_h = (MlLanesInt) (h * scale->to_h + round_to_int) - INT64_C(0x4338000000000000);
		if (rows < ML_LANES)
		{
			int64_t		last_g[ML_LANES];
			int64_t		last_h[ML_LANES];

			memcpy(last_g, &int_g, sizeof(last_g));
			memcpy(last_h, &int_h, sizeof(last_h));
			for (size_t j = 0; j < rows; j++)
			{
				ml_gbdt_store_row(scale, last_g[j], last_h[j], to, i + j);
				(*sum)[0] += last_g[j];
				(*sum)[1] += last_h[j] << scale->count_bits;
			}
			break;
		}
		if (scale->packed)
		{
			typedef int32_t Half __attribute__((vector_size(ML_LANES * sizeof(int32_t))));
			Half		both = __builtin_convertvector(scale->unit_h ? int_g : int_g << ML_GBDT_STORED_G_SHIFT | int_h, Half);

			put(to->packed + i, &both, sizeof(both), around);
		}
		else
		{
			MlLanesInt	both = (int_g & INT64_C(0xFFFFFFFF)) | int_h << 32;

			put(to->exact + i, &both, sizeof(both), around);
		}
		sum_g += int_g;
		sum_h += int_h;
	}
	if (around)
		ml_stream_end();
	for (int j = 0; j < ML_LANES; j++)
	{
		(*sum)[0] += sum_g[j];
		(*sum)[1] += sum_h[j] << scale->count_bits;
	}
	(*sum)[1] += (int64_t) (end - begin);
}

ML_SIMD_TIERS(quantise, (const MlGbdtLoss *loss, const MlGbdtScale *scale, const double *g, size_t begin, size_t end,
				 const MlGbdtGradients *to, MlGbdtSum *sum), (loss, scale, g, begin, end, to, sum))

void
ml_gbdt_quantise_rows(const MlGbdtLoss *loss, const MlGbdtScale *scale, const double *g, size_t begin, size_t end,
					  const MlGbdtGradients *to, MlGbdtSum *sum)
{
	ML_SIMD_CALL(quantise, (loss, scale, g, begin, end, to, sum));
}
