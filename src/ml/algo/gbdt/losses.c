/*-------------------------------------------------------------------------
 * losses.c
 *	  Losses of a regression beside the squared and the absolute one.
 *
 * r = s - y
 * huber          g = w clip(r, -d, d)       h = w                  leaf: Newton step
 * quantile       g = w (a < r ? 1-a : -a)   h = w                  leaf: weighted quantile of y - s
 * poisson        g = w (e^s - y)            h = w e^(s + delta)
 * gamma          g = w (1 - y e^-s)         h = w y e^-s
 * tweedie        g = w (e^((2-p)s) - y e^((1-p)s))   h = its derivative
 * cross-entropy  g = w (q - y)              h = w q (1-q), q the sigmoid of s
 *
 * As LightGBM has them.  What is reported of poisson, gamma and tweedie is the mean unit
 * deviance (McCullagh and Nelder 1989; Jorgensen 1987), which is 0 for a perfect prediction.
 *-------------------------------------------------------------------------
 */
#include <math.h>

#include "ml/algo/gbdt/gbdt_internal.h"
#include "ml/base/elementary.h"

/* Probabilities in a logarithm are not taken below this. */
#define TINY 1e-15
/* Scores of a logarithm are seen within these: their exponentials and squares are numbers. */
#define SCORE_LIMIT 300.0

/* What a loss says of one row, for weight 1. */
typedef struct Point
{
	double		loss;
	double		g;
	double		h;
} Point;

static inline double
bounded(double score)
{
	return score > SCORE_LIMIT ? SCORE_LIMIT : (score < -SCORE_LIMIT ? -SCORE_LIMIT : score);
}

static inline Point
huber(double s, double y, double delta)
{
	double		r = s - y;
	double		a = r < 0 ? -r : r;

	if (a <= delta)
		return (Point) {0.5 * r * r, r, 1};
	return (Point) {delta * (a - 0.5 * delta), r < 0 ? -delta : delta, 1};
}

static inline Point
quantile(double s, double y, double alpha)
{
	double		r = s - y;

	if (r > 0)
		return (Point) {(1 - alpha) * r, 1 - alpha, 1};
	return (Point) {-alpha * r, r < 0 ? -alpha : 0, 1};
}

static inline Point
poisson(double s, double y, double step)
{
	double		mean = ml_exp(bounded(s));

	return (Point) {2 * ((y > 0 ? y * ml_log(y / mean) : 0) - (y - mean)), mean - y, mean * step};
}

static inline Point
gamma_loss(double s, double y)
{
	double		ratio = y * ml_exp(-bounded(s));

	return (Point) {2 * (ratio - 1 - ml_log(ratio)), 1 - ratio, ratio};
}

static inline Point
tweedie(double s, double y, double p)
{
	double		a = ml_exp(bounded((1 - p) * s));	/* mean^(1-p) */
	double		b = ml_exp(bounded((2 - p) * s));	/* mean^(2-p) */
	double		own = y > 0 ? ml_exp((2 - p) * ml_log(y)) / ((1 - p) * (2 - p)) : 0;

	return (Point) {2 * (own - y * a / (1 - p) + b / (2 - p)), b - y * a, (2 - p) * b - (1 - p) * y * a};
}

static inline Point
cross_entropy(double s, double y)
{
	double		q = ml_sigmoid(s);
	double		rest = ml_sigmoid(-s);

	return (Point) {-y * ml_log(q > TINY ? q : TINY) - (1 - y) * ml_log(rest > TINY ? rest : TINY), q - y, q * rest};
}

static inline Point
point(const MlGbdtLoss *loss, double s, double y)
{
	switch (loss->objective)
	{
		case ML_GBDT_HUBER:
			return huber(s, y, loss->shape);
		case ML_GBDT_QUANTILE:
			return quantile(s, y, loss->shape);
		case ML_GBDT_POISSON:
			return poisson(s, y, loss->shape);
		case ML_GBDT_GAMMA:
			return gamma_loss(s, y);
		case ML_GBDT_TWEEDIE:
			return tweedie(s, y, loss->shape);
		default:
			return cross_entropy(s, y);
	}
}

void
ml_gbdt_general_rows(const MlGbdtLoss *loss, size_t begin, size_t end, bool gradients, double *sums)
{
	for (size_t i = begin; i < end; i++)
	{
		double		w = ml_gbdt_weight(loss, i);
		Point		p = point(loss, loss->score[i], loss->y[i]);
		double		g = w * p.g;
		double		h = w * p.h;
		double		a = g < 0 ? -g : g;

		sums[ML_GBDT_BLOCK_LOSS] += w * p.loss;
		sums[ML_GBDT_BLOCK_SUM] += a;
		sums[ML_GBDT_BLOCK_H_SUM] += h;
		if (a > sums[ML_GBDT_BLOCK_MAX])
			sums[ML_GBDT_BLOCK_MAX] = a;
		if (h > sums[ML_GBDT_BLOCK_H_MAX])
			sums[ML_GBDT_BLOCK_H_MAX] = h;
		if (!gradients)
			continue;
		loss->g[i] = g;
		if (loss->h != NULL)
			loss->h[i] = h;
	}
}

double
ml_gbdt_general_base(MlGbdtLoss *loss)
{
	double		mean = 0;

	if (ml_gbdt_identity(loss->objective))
	{
		for (size_t i = 0; i < loss->n; i++)
		{
			loss->g[i] = loss->y[i];
			loss->score[i] = ml_gbdt_weight(loss, i);
		}
		return ml_gbdt_quantile(loss->g, loss->score, loss->n, loss->objective == ML_GBDT_QUANTILE ? loss->shape : 0.5);
	}
	for (size_t i = 0; i < loss->n; i++)
		mean += ml_gbdt_weight(loss, i) / loss->weight_sum * loss->y[i];
	if (ml_gbdt_log_link(loss->objective))
		return bounded(ml_log(mean));
	mean = mean < TINY ? TINY : (mean > 1 - TINY ? 1 - TINY : mean);
	return ml_log(mean / (1 - mean));
}

MlStatus
ml_gbdt_check_target(MlEnv *env, MlGbdtObjective objective, const MlDataset *data)
{
	bool		counts = objective == ML_GBDT_POISSON || objective == ML_GBDT_TWEEDIE;
	double		sum = 0;

	if (!counts && objective != ML_GBDT_GAMMA && objective != ML_GBDT_CROSS_ENTROPY)
		return ML_OK;
	for (size_t i = 0; i < data->n_train + data->n_valid; i++)
	{
		double		y = data->y[i];

		if (i < data->n_train && (data->weight == NULL || data->weight[i] > 0))
			sum += y;
		if ((counts && y >= 0) || (objective == ML_GBDT_GAMMA && y > 0) || (objective == ML_GBDT_CROSS_ENTROPY && y >= 0 && y <= 1))
			continue;
		ml_fail(env, ML_BAD_DATA, "target column \"%s\" contains %g, which objective \"%s\" does not allow", data->schema->target, y,
				counts ? (objective == ML_GBDT_POISSON ? "poisson" : "tweedie") : objective == ML_GBDT_GAMMA ? "gamma" : "cross_entropy");
		return ml_hint(env, counts ? "It is for values of 0 and more." : objective == ML_GBDT_GAMMA ? "It is for values above 0." : "It is for values from 0 to 1.");
	}
	if (counts && !(sum > 0))
		return ml_fail(env, ML_BAD_DATA, "target column \"%s\" is 0 in all rows of the training part", data->schema->target);
	return ML_OK;
}
