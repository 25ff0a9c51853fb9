/*-------------------------------------------------------------------------
 * softmax_rows.c
 *	  Classes by rows: what the log loss of more than two classes needs of a block of rows.
 *-------------------------------------------------------------------------
 */
#include <math.h>

#include "ml/algo/softmax_rows.h"
#include "ml/base/elementary.h"
#include "ml/base/lanes.h"
#include "ml/base/simd.h"

void
ml_softmax_shares(size_t k, double *share)
{
	for (size_t c = 0; c + 1 < k; c++)
		share[c] = 1 / sqrt((double) (c + 1) * (double) (c + 2));
}

/* above: what the contrasts of later classes give all before them */
__attribute__((always_inline))
static inline void
classes_body(size_t n, size_t ld, size_t k, const double *share, const double *s, double *above, double *eta)
{
	for (size_t i = 0; i < n; i++)
		above[i] = 0;
	for (size_t c = k - 1; c-- > 0;)
	{
		const double *from = s + c * ld;
		double	   *to = eta + (c + 1) * ld;
		double		order = (double) (c + 1);

		for (size_t i = 0; i < n; i++)
		{
			double		part = share[c] * from[i];

			to[i] = above[i] - order * part;
			above[i] += part;
		}
	}
	for (size_t i = 0; i < n; i++)
		eta[i] = above[i];
}

ML_SIMD_TIERS(classes, (size_t n, size_t ld, size_t k, const double *share, const double *s, double *above, double *eta),
			  (n, ld, k, share, s, above, eta))

void
ml_softmax_rows_classes(const MlSoftmaxRows *rows, const double *s, double *eta)
{
	ML_SIMD_CALL(classes, (rows->n, rows->ld, rows->k, rows->share, s, rows->line, eta));
}

__attribute__((always_inline))
static inline void
contrasts_body(size_t n, size_t ld, size_t k, const double *share, const double *x, double *before, double *y)
{
	for (size_t i = 0; i < n; i++)
		before[i] = 0;
	for (size_t c = 0; c + 1 < k; c++)
	{
		const double *own = x + c * ld;
		double	   *to = y + c * ld;
		double		order = (double) (c + 1);

		for (size_t i = 0; i < n; i++)
		{
			before[i] += own[i];
			to[i] = share[c] * (before[i] - order * own[ld + i]);
		}
	}
}

ML_SIMD_TIERS(contrasts, (size_t n, size_t ld, size_t k, const double *share, const double *x, double *before, double *y),
			  (n, ld, k, share, x, before, y))

void
ml_softmax_rows_contrasts(const MlSoftmaxRows *rows, const double *x, double *y)
{
	ML_SIMD_CALL(contrasts, (rows->n, rows->ld, rows->k, rows->share, x, rows->line, y));
}

/* NaN, of scores out of range, stays NaN. */
__attribute__((always_inline))
static inline void
probabilities_body(size_t n, size_t ld, size_t k, double *eta, double *top, double *sum)
{
	for (size_t i = 0; i < n; i += ML_LANES)
	{
		MlLanes		greatest,
					total = {0};
		MlLanes		least = total - 746;

		ml_lanes_load(&greatest, eta + i);
		for (size_t c = 1; c < k; c++)
		{
			MlLanes		v;
			MlLanesInt	keep;

			ml_lanes_load(&v, eta + c * ld + i);
			keep = greatest >= v;
			ml_lanes_choose(&greatest, &keep, &v);
		}
		for (size_t c = 0; c < k; c++)
		{
			MlLanes		v;
			MlLanesInt	deep;

			ml_lanes_load(&v, eta + c * ld + i);
			v = v - greatest;
			deep = ~(v < least);
			ml_lanes_choose(&v, &deep, &least);
			ml_lanes_exp(&v, &v);
			total += v;
			ml_lanes_store(eta + c * ld + i, &v);
		}
		ml_lanes_store(top + i, &greatest);
		ml_lanes_store(sum + i, &total);
		for (size_t c = 0; c < k; c++)
		{
			MlLanes		v;

			ml_lanes_load(&v, eta + c * ld + i);
			v = v / total;
			ml_lanes_store(eta + c * ld + i, &v);
		}
	}
}

ML_SIMD_TIERS(probabilities, (size_t n, size_t ld, size_t k, double *eta, double *top, double *sum), (n, ld, k, eta, top, sum))

void
ml_softmax_rows_probabilities(const MlSoftmaxRows *rows, double *eta, double *top, double *log_sum)
{
	ML_SIMD_CALL(probabilities, (rows->n, rows->ld, rows->k, eta, top, log_sum));
	for (size_t i = 0; i < rows->n; i++)
		log_sum[i] = ml_log(log_sum[i]);
}

__attribute__((always_inline))
static inline void
curve_body(size_t n, size_t ld, size_t k, const double *prob, const double *weight, double *mean, double *eta)
{
	for (size_t i = 0; i < n; i++)
		mean[i] = 0;
	for (size_t c = 0; c < k; c++)
		for (size_t i = 0; i < n; i++)
			mean[i] += prob[c * ld + i] * eta[c * ld + i];
	for (size_t c = 0; c < k; c++)
		for (size_t i = 0; i < n; i++)
			eta[c * ld + i] = weight[i] * prob[c * ld + i] * (eta[c * ld + i] - mean[i]);
}

ML_SIMD_TIERS(curve, (size_t n, size_t ld, size_t k, const double *prob, const double *weight, double *mean, double *eta),
			  (n, ld, k, prob, weight, mean, eta))

void
ml_softmax_rows_curve(const MlSoftmaxRows *rows, const double *prob, const double *weight, double *eta)
{
	ML_SIMD_CALL(curve, (rows->n, rows->ld, rows->k, prob, weight, rows->line, eta));
}
