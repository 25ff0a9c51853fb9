/*-------------------------------------------------------------------------
 * nearest.c
 *	  Squared distances between rows and centres, eight at a time.
 *-------------------------------------------------------------------------
 */
#include "ml/algo/cluster/nearest.h"

#include <math.h>
#include <string.h>

#include "ml/base/simd.h"

/* Centres that go through a group of rows together: so many sums stay in registers. */
#define TILE 4

void
ml_centers_pack(size_t k, size_t p, const double *center, double *packed)
{
	memset(packed, 0, ml_centers_packed_size(k, p) * sizeof(double));
	for (size_t c = 0; c < k; c++)
		for (size_t j = 0; j < p; j++)
			packed[(c / ML_LANES * p + j) * ML_LANES + c % ML_LANES] = center[c * p + j];
}

ML_LANES_INLINE void
tile_of_centers(const double *value, size_t step, size_t p, const double *center, int n, MlLanes *sum)
{
	MlLanes		s[TILE] = {{0}};

	for (size_t j = 0; j < p; j++)
	{
		MlLanes		v;

		ml_lanes_load(&v, value + j * step);
		for (int t = 0; t < n; t++)
		{
			MlLanes		d = v - center[(size_t) t * p + j];

			s[t] += d * d;
		}
	}
	for (int t = 0; t < n; t++)
		sum[t] = s[t];
}

ML_LANES_INLINE void
nearest_of_groups_body(const double *value, size_t groups, size_t group_step, size_t step, size_t p,
					   const double *center, size_t k, int32_t *label, double *squared, double *second)
{
	for (size_t g = 0; g < groups; g++)
	{
		const double *rows = value + g * group_step;
		MlLanes		best = {INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY};
		MlLanes		next = best;
		MlLanesInt	which = {0};
		MlLanes		sum[TILE];

		for (size_t c = 0; c < k; c += TILE)
		{
			int			n = k - c < TILE ? (int) (k - c) : TILE;

			if (n == TILE)
				tile_of_centers(rows, step, p, center + c * p, TILE, sum);
			else
				tile_of_centers(rows, step, p, center + c * p, n, sum);
			for (int t = 0; t < n; t++)
			{
				MlLanesInt	closer = sum[t] < best;

				if (second != NULL)
				{
					/* The one of the two that is not the best. */
					MlLanes		other = best;
					MlLanesInt	nearer;

					ml_lanes_choose(&other, &closer, &sum[t]);
					nearer = other < next;
					ml_lanes_choose(&other, &nearer, &next);
					next = other;
				}
				ml_lanes_choose(&sum[t], &closer, &best);
				best = sum[t];
				which = (closer & (int64_t) (c + (size_t) t)) | (~closer & which);
			}
		}
		ml_lanes_store(squared + g * ML_LANES, &best);
		if (second != NULL)
			ml_lanes_store(second + g * ML_LANES, &next);
		for (int l = 0; l < ML_LANES; l++)
			label[g * ML_LANES + (size_t) l] = (int32_t) which[l];
	}
}

ML_SIMD_TIERS(nearest_of_groups,
			  (const double *value, size_t groups, size_t group_step, size_t step, size_t p, const double *center, size_t k, int32_t *label, double *squared),
			  (value, groups, group_step, step, p, center, k, label, squared, NULL))

#define two_nearest_of_groups_body nearest_of_groups_body
ML_SIMD_TIERS(two_nearest_of_groups,
			  (const double *value, size_t groups, size_t group_step, size_t step, size_t p, const double *center, size_t k, int32_t *label, double *squared, double *second),
			  (value, groups, group_step, step, p, center, k, label, squared, second))

void
ml_nearest_of_groups(const double *value, size_t groups, size_t group_step, size_t step, size_t p,
					 const double *center, size_t k, int32_t *label, double *squared)
{
	ML_SIMD_CALL(nearest_of_groups, (value, groups, group_step, step, p, center, k, label, squared));
}

ML_LANES_INLINE void
nearest_of_row_body(const double *row, size_t step, size_t p, const double *packed, size_t k, int32_t *label, double *squared, double *second)
{
	double		best = INFINITY;
	double		next = INFINITY;
	int32_t		which = 0;

	for (size_t c = 0; c < k; c += ML_LANES)
	{
		MlLanes		sum = {0};
		double		d[ML_LANES];

		for (size_t j = 0; j < p; j++)
		{
			MlLanes		v;

			ml_lanes_load(&v, packed + (c * p) + j * ML_LANES);
			v -= row[j * step];
			sum += v * v;
		}
		ml_lanes_store(d, &sum);
		for (size_t l = 0; l < ML_LANES && c + l < k; l++)
		{
			if (d[l] < best)
			{
				next = best;
				best = d[l];
				which = (int32_t) (c + l);
			}
			else if (second != NULL && d[l] < next)
				next = d[l];
		}
	}
	*label = which;
	*squared = best;
	if (second != NULL)
		*second = next;
}

ML_SIMD_TIERS(nearest_of_row,
			  (const double *row, size_t p, const double *packed, size_t k, int32_t *label, double *squared),
			  (row, 1, p, packed, k, label, squared, NULL))

#define two_nearest_of_row_body nearest_of_row_body
ML_SIMD_TIERS(two_nearest_of_row,
			  (const double *row, size_t step, size_t p, const double *packed, size_t k, int32_t *label, double *squared, double *second),
			  (row, step, p, packed, k, label, squared, second))

void
ml_nearest_of_row(const double *row, size_t p, const double *packed, size_t k, int32_t *label, double *squared)
{
	ML_SIMD_CALL(nearest_of_row, (row, p, packed, k, label, squared));
}

void
ml_two_nearest_of_groups(const double *value, size_t groups, size_t group_step, size_t step, size_t p,
						 const double *center, size_t k, int32_t *label, double *squared, double *second)
{
	ML_SIMD_CALL(two_nearest_of_groups, (value, groups, group_step, step, p, center, k, label, squared, second));
}

void
ml_two_nearest_of_row(const double *row, size_t step, size_t p, const double *packed, size_t k, int32_t *label, double *squared, double *second)
{
	ML_SIMD_CALL(two_nearest_of_row, (row, step, p, packed, k, label, squared, second));
}

ML_LANES_INLINE void
distance_of_groups_body(const double *value, size_t groups, size_t p, const double *center, double *squared)
{
	for (size_t g = 0; g < groups; g++)
	{
		MlLanes		sum;

		tile_of_centers(value + g * p * ML_LANES, ML_LANES, p, center, 1, &sum);
		ml_lanes_store(squared + g * ML_LANES, &sum);
	}
}

ML_SIMD_TIERS(distance_of_groups, (const double *value, size_t groups, size_t p, const double *center, double *squared), (value, groups, p, center, squared))

void
ml_distance_of_groups(const double *value, size_t groups, size_t p, const double *center, double *squared)
{
	ML_SIMD_CALL(distance_of_groups, (value, groups, p, center, squared));
}
