/*-------------------------------------------------------------------------
 * gaussians.c
 *	  A mixture of Gaussians: densities and memberships of rows.
 *-------------------------------------------------------------------------
 */
#include "ml/algo/cluster/gaussians.h"

#include <math.h>
#include <string.h>

#include "ml/base/elementary.h"
#include "ml/base/simd.h"

/* Rows of a matrix between two looks at whether the run is canceled: of 4096 they take some hundred milliseconds. */
#define ROWS_TOGETHER 64

/* log(2 pi) */
#define LOG_TWO_PI 1.8378770664093454836

size_t
ml_gaussians_factors(MlCovariance kind, size_t k, size_t p)
{
	switch (kind)
	{
		case ML_COVARIANCE_FULL:
			return k * (p * (p + 1) / 2);
		case ML_COVARIANCE_TIED:
			return p * (p + 1) / 2;
		case ML_COVARIANCE_DIAG:
			return k * p;
		default:
			return k;
	}
}

double
ml_gaussians_parameters(MlCovariance kind, size_t k, size_t p)
{
	return (double) ml_gaussians_factors(kind, k, p) + (double) (k * p) + (double) k - 1;
}

/* -- from covariances ------------------------------------------------------- */

/*
 * The inverse of the Cholesky factor of a covariance (lower triangle L, C = L L'), as U = (L^-1)', so that
 * |U' d|^2 is the Mahalanobis distance.  Both packed by columns of an upper triangle; work: p x p.
 */
static MlStatus
invert_triangle(MlEnv *env, const double *covariance, size_t p, double *factor, double *work, bool *proper)
{
	double	   *l = work;		/* row by row */

	*proper = false;
	for (size_t i = 0; i < p; i++)
	{
		if (i % ROWS_TOGETHER == 0 && ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		for (size_t j = 0; j <= i; j++)
		{
			double		sum = covariance[i * (i + 1) / 2 + j];

			for (size_t t = 0; t < j; t++)
				sum -= l[i * p + t] * l[j * p + t];
			if (i > j)
				l[i * p + j] = sum / l[j * p + j];
			else if (sum > 0 && isfinite(sum))
				l[i * p + i] = sqrt(sum);
			else
				return ML_OK;
		}
	}
	/* Row j of L^-1 is column j of U. */
	for (size_t j = 0; j < p; j++)
	{
		double	   *column = factor + j * (j + 1) / 2;

		if (j % ROWS_TOGETHER == 0 && ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		column[j] = 1 / l[j * p + j];
		for (size_t i = j; i-- > 0;)
			column[i] = 0;
		for (size_t t = 0; t < j; t++)
		{
			/* -L[j][t] * (row t of L^-1) / L[j][j] */
			const double *before = factor + t * (t + 1) / 2;
			double		f = -l[j * p + t] / l[j * p + j];

			for (size_t i = 0; i <= t; i++)
				column[i] += f * before[i];
		}
	}
	*proper = true;
	return ML_OK;
}

void
ml_gaussians_constants(MlGaussians *g)
{
	size_t		triangle = g->p * (g->p + 1) / 2;

	for (size_t c = 0; c < g->k; c++)
	{
		double		half_log_det = 0;	/* of the precision */

		for (size_t j = 0; j < g->p; j++)
		{
			if (g->kind == ML_COVARIANCE_FULL)
				half_log_det += ml_log(g->factor[c * triangle + j * (j + 1) / 2 + j]);
			else if (g->kind == ML_COVARIANCE_TIED)
				half_log_det += ml_log(g->factor[j * (j + 1) / 2 + j]);
			else
				half_log_det += 0.5 * ml_log(g->factor[g->kind == ML_COVARIANCE_DIAG ? c * g->p + j : c]);
		}
		g->constant[c] = ml_log(g->weight[c]) + half_log_det - 0.5 * LOG_TWO_PI * (double) g->p;
	}
}

MlStatus
ml_gaussians_factorise(MlEnv *env, MlGaussians *g, const double *covariance, double *work, bool *proper)
{
	size_t		triangle = g->p * (g->p + 1) / 2;
	size_t		n = ml_gaussians_factors(g->kind, g->k, g->p);

	if (g->kind == ML_COVARIANCE_FULL || g->kind == ML_COVARIANCE_TIED)
	{
		for (size_t at = 0; at < n; at += triangle)
		{
			ML_TRY(invert_triangle(env, covariance + at, g->p, g->factor + at, work, proper));
			if (!*proper)
				return ML_OK;
		}
	}
	else
	{
		for (size_t i = 0; i < n; i++)
		{
			*proper = covariance[i] > 0 && isfinite(covariance[i]) && isfinite(1 / covariance[i]);
			if (!*proper)
				return ML_OK;
			g->factor[i] = 1 / covariance[i];
		}
	}
	ml_gaussians_constants(g);
	return ML_OK;
}

/* -- densities of rows ------------------------------------------------------ */

/* |U' d|^2 for eight rows; d: p x ML_LANES. */
ML_LANES_INLINE void
triangle_distance(const double *factor, size_t p, const double *d, MlLanes *squared)
{
	MlLanes		q = {0};

	for (size_t j = 0; j < p; j++)
	{
		const double *column = factor + j * (j + 1) / 2;
		MlLanes		y = {0};

		for (size_t i = 0; i <= j; i++)
		{
			MlLanes		v;

			ml_lanes_load(&v, d + i * ML_LANES);
			y += v * column[i];
		}
		q += y * y;
	}
	*squared = q;
}

/* Squared Mahalanobis distance of eight rows from component c. */
ML_LANES_INLINE void
distance(const MlGaussians *g, size_t c, const double *value, size_t step, double *d, MlLanes *squared)
{
	const double *mean = g->mean + c * g->p;
	MlLanes		q = {0};
	MlLanes		v;

	switch (g->kind)
	{
		case ML_COVARIANCE_DIAG:
			for (size_t j = 0; j < g->p; j++)
			{
				ml_lanes_load(&v, value + j * step);
				v -= mean[j];
				q += v * v * g->factor[c * g->p + j];
			}
			*squared = q;
			return;
		case ML_COVARIANCE_SPHERICAL:
			for (size_t j = 0; j < g->p; j++)
			{
				ml_lanes_load(&v, value + j * step);
				v -= mean[j];
				q += v * v;
			}
			*squared = q * g->factor[c];
			return;
		default:
			for (size_t j = 0; j < g->p; j++)
			{
				ml_lanes_load(&v, value + j * step);
				v -= mean[j];
				ml_lanes_store(d + j * ML_LANES, &v);
			}
			triangle_distance(g->factor + (g->kind == ML_COVARIANCE_FULL ? c * (g->p * (g->p + 1) / 2) : 0), g->p, d, squared);
	}
}

ML_LANES_INLINE void
gaussians_group_body(const MlGaussians *g, const double *value, size_t step, double *membership, double *density, double *scratch)
{
	double	   *d = scratch;
	double	   *log_density = scratch + g->p * ML_LANES;	/* k x ML_LANES */
	const double low = -INFINITY;
	MlLanes		minus = {low, low, low, low, low, low, low, low};
	MlLanes		least = {-746, -746, -746, -746, -746, -746, -746, -746};
	MlLanes		best = minus;
	MlLanes		sum = {0};
	MlLanes		v;
	MlLanesInt	finite;
	MlLanes		even;

	for (size_t c = 0; c < g->k; c++)
	{
		MlLanesInt	is;

		distance(g, c, value, step, d, &v);
		v = g->constant[c] - 0.5 * v;
		is = v > minus;			/* NaN, of differences beyond all bounds, is not */
		ml_lanes_choose(&v, &is, &minus);
		ml_lanes_store(log_density + c * ML_LANES, &v);
		is = v > best;
		ml_lanes_choose(&v, &is, &best);
		best = v;
	}
	finite = best > minus;
	for (size_t c = 0; c < g->k; c++)
	{
		MlLanes		x;
		MlLanesInt	inside;

		ml_lanes_load(&x, log_density + c * ML_LANES);
		x -= best;
		inside = x > least;
		ml_lanes_choose(&x, &inside, &least);
		ml_lanes_exp(&v, &x);
		sum += v;
		ml_lanes_store(membership + c * ML_LANES, &v);
	}
	even = 1.0 / (double) g->k + (MlLanes) {0};
	for (size_t c = 0; c < g->k; c++)
	{
		ml_lanes_load(&v, membership + c * ML_LANES);
		v /= sum;
		ml_lanes_choose(&v, &finite, &even);
		ml_lanes_store(membership + c * ML_LANES, &v);
	}
	for (int l = 0; l < ML_LANES; l++)
		density[l] = finite[l] ? best[l] + ml_log(sum[l]) : low;
}

ML_SIMD_TIERS(gaussians_group,
			  (const MlGaussians *g, const double *value, size_t step, double *membership, double *density, double *scratch),
			  (g, value, step, membership, density, scratch))

void
ml_gaussians_group(const MlGaussians *g, const double *value, size_t step, double *membership, double *density, double *scratch)
{
	ML_SIMD_CALL(gaussians_group, (g, value, step, membership, density, scratch));
}
