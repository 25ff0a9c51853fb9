/*-------------------------------------------------------------------------
 * kmeans_bounds.c
 *	  Which rows can have changed their cluster at all.
 *
 * Of every row the squared distance to its own centre is computed, which the inertia needs and which is a tight upper
 * bound.  A computed squared distance is off by less than (p + 3) 2^-53 of itself, being a sum of squares, as long as
 * the squares do not underflow: bounds below SMALL decide nothing.
 *-------------------------------------------------------------------------
 */
#include "ml/algo/cluster/kmeans_bounds.h"

#include <math.h>
#include <string.h>

#include "ml/algo/cluster/nearest.h"
#include "ml/base/arena.h"
#include "ml/base/simd.h"

/* Its square is far above what sums of squares lose by underflow. */
#define SMALL 1e-140

/* Rows of a group in doubt from which on all of them are compared at once. */
#define TOGETHER 4

size_t
ml_bounds_memory(size_t n, size_t k, size_t p)
{
	size_t		rows;
	size_t		centers;

	if (!ml_mul_size(n + ML_LANES, sizeof(double), &rows) || !ml_mul_size(2 * k + ML_LANES, (p + 2) * sizeof(double), &centers) ||
		!ml_add_size(rows, centers, &rows) || !ml_add_size(rows, 5 * 64, &rows))
		return SIZE_MAX;
	return rows;
}

MlStatus
ml_bounds_make(MlEnv *env, const MlPoints *points, size_t k, MlBounds *bounds)
{
	size_t		p = (size_t) points->p;

	*bounds = (MlBounds)
	{
		.k = k,.p = p,.margin = 1 + (double) (p + 16) * 0x1p-50,
		.lower = ml_alloc(env, points->groups * ML_LANES, sizeof(double)),
		.half = ml_alloc(env, k, sizeof(double)),
		.way = ml_alloc(env, k, sizeof(double)),
		.before = ml_alloc(env, k * p, sizeof(double)),
		.packed = ml_alloc(env, ml_centers_packed_size(k, p), sizeof(double))
	};
	return env->error.status;
}

void
ml_bounds_release(MlEnv *env, MlBounds *bounds)
{
	ml_release(env, bounds->lower);
	ml_release(env, bounds->before);
	ml_release(env, bounds->packed);
}

/* ---- between two passes ---- */

static double
squared_distance(const double *a, const double *b, size_t p)
{
	double		sum = 0;

	for (size_t j = 0; j < p; j++)
		sum += (a[j] - b[j]) * (a[j] - b[j]);
	return sum;
}

/* For each centre the longest way of any other; SMALL beyond rounding, for what underflows. */
static void
measure_ways(MlBounds *bounds, const double *center)
{
	double		longest = 0;
	double		second = 0;
	size_t		which = 0;

	for (size_t c = 0; c < bounds->k; c++)
	{
		double		way = sqrt(squared_distance(center + c * bounds->p, bounds->before + c * bounds->p, bounds->p)) * bounds->margin + SMALL;

		way = way >= 0 ? way : INFINITY;	/* NaN: nothing is known */
		if (way > longest)
		{
			second = longest;
			longest = way;
			which = c;
		}
		else if (way > second)
			second = way;
	}
	for (size_t c = 0; c < bounds->k; c++)
		bounds->way[c] = c == which ? second : longest;
}

/* Multiplications between two looks at whether the run is canceled. */
#define ASK_WORK ((size_t) 10000000)

static MlStatus
measure_halves(MlEnv *env, MlBounds *bounds, const double *center)
{
	size_t		k = bounds->k;
	size_t		since = 0;

	for (size_t c = 0; c < k; c++)
		bounds->half[c] = INFINITY;
	for (size_t c = 0; c < k; c++)
	{
		since += c * bounds->p;
		if (since > ASK_WORK)
		{
			since = 0;
			if (ml_canceled(env))
				return ml_fail(env, ML_CANCELED, "canceled");
		}
		for (size_t other = 0; other < c; other++)
		{
			double		d = squared_distance(center + c * bounds->p, center + other * bounds->p, bounds->p);

			bounds->half[c] = d < bounds->half[c] ? d : bounds->half[c];
			bounds->half[other] = d < bounds->half[other] ? d : bounds->half[other];
		}
	}
	for (size_t c = 0; c < k; c++)
		bounds->half[c] = isfinite(bounds->half[c]) ? 0.5 * sqrt(bounds->half[c]) / bounds->margin : 0;
	return ML_OK;
}

MlStatus
ml_bounds_begin(MlEnv *env, MlBounds *bounds, const double *center, bool fresh)
{
	bounds->fresh = fresh;
	if (!fresh)
	{
		measure_ways(bounds, center);
		ML_TRY(measure_halves(env, bounds, center));
	}
	memcpy(bounds->before, center, bounds->k * bounds->p * sizeof(double));
	ml_centers_pack(bounds->k, bounds->p, center, bounds->packed);
	return ML_OK;
}

/* ---- rows ---- */

/* A lower bound out of the second least squared distance. */
static inline double
bound_of(const MlBounds *bounds, double second)
{
	return second < INFINITY ? sqrt(second) / bounds->margin : 0;
}

/* squared: to the row's own centre, in the steps of ml_nearest_of_groups(). */
ML_LANES_INLINE void
own_distances_body(const double *value, size_t p, const double *center, const int32_t *label, double *squared)
{
	MlLanes		sum = {0};
	const double *own[ML_LANES];

	for (int l = 0; l < ML_LANES; l++)
		own[l] = center + (size_t) label[l] * p;
	for (size_t j = 0; j < p; j++)
	{
		MlLanes		c = {own[0][j], own[1][j], own[2][j], own[3][j], own[4][j], own[5][j], own[6][j], own[7][j]};
		MlLanes		d;

		ml_lanes_load(&d, value + j * ML_LANES);
		d -= c;
		sum += d * d;
	}
	ml_lanes_store(squared, &sum);
}

ML_SIMD_TIERS(own_distances, (const double *value, size_t p, const double *center, const int32_t *label, double *squared), (value, p, center, label, squared))

/* All centres for all rows of a group. */
static void
compare_all(const MlBounds *bounds, const double *value, const double *center, double *lower, int32_t *label, double *squared)
{
	double		second[ML_LANES];

	ml_two_nearest_of_groups(value, 1, 0, ML_LANES, bounds->p, center, bounds->k, label, squared, second);
	for (int l = 0; l < ML_LANES; l++)
		lower[l] = bound_of(bounds, second[l]);
}

int
ml_bounds_nearest(const MlBounds *bounds, const MlPoints *points, size_t g, const double *center, int32_t *label, double *squared)
{
	const double *value = points->value + g * bounds->p * ML_LANES;
	double	   *lower = bounds->lower + g * ML_LANES;
	int			doubt[ML_LANES];
	int			n = 0;

	if (bounds->fresh)
	{
		compare_all(bounds, value, center, lower, label, squared);
		return 0;
	}
	ML_SIMD_CALL(own_distances, (value, bounds->p, center, label, squared));
	for (int l = 0; l < ML_LANES; l++)
	{
		double		bound = (lower[l] - bounds->way[label[l]]) / bounds->margin;

		lower[l] = bound;
		bound = bound > bounds->half[label[l]] ? bound : bounds->half[label[l]];
		doubt[n] = l;
		n += !(bound > SMALL && squared[l] * bounds->margin < bound * bound);
	}
	if (n >= TOGETHER)
	{
		compare_all(bounds, value, center, lower, label, squared);
		return n;
	}
	for (int i = 0; i < n; i++)
	{
		int			l = doubt[i];
		double		second;

		ml_two_nearest_of_row(value + l, ML_LANES, bounds->p, bounds->packed, bounds->k, &label[l], &squared[l], &second);
		lower[l] = bound_of(bounds, second);
	}
	return n;
}
