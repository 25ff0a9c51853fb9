/*-------------------------------------------------------------------------
 * nearest.h
 *	  Squared distances between rows and centres, eight at a time.
 *
 * A squared distance is always the sum of (row - centre)^2 over coordinates in rising
 * order, so that fitting and serving, one row or many, give the same bits.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_CLUSTER_NEAREST_H
#define ML_ALGO_CLUSTER_NEAREST_H

#include <stddef.h>
#include <stdint.h>

#include "ml/base/lanes.h"

/* Doubles that k centres of p coordinates take when packed in groups of ML_LANES, coordinate by coordinate. */
static inline size_t
ml_centers_packed_size(size_t k, size_t p)
{
	return (k + ML_LANES - 1) / ML_LANES * ML_LANES * p;
}

/* center is k x p by rows. */
extern void ml_centers_pack(size_t k, size_t p, const double *center, double *packed);

/*
 * For each of "groups" groups of rows the nearest of k centres (k x p by rows), the first of
 * equals, and the squared distance to it.  Coordinate j of row l of group g is value[g * group_step + j * step + l].
 */
extern void ml_nearest_of_groups(const double *value, size_t groups, size_t group_step, size_t step, size_t p,
								 const double *center, size_t k, int32_t *label, double *squared);

/* The same for one row against packed centres. */
extern void ml_nearest_of_row(const double *row, size_t p, const double *packed, size_t k, int32_t *label, double *squared);

/* The same with the second least squared distance: infinity where there is no other centre.  Coordinates of the row are step apart. */
extern void ml_two_nearest_of_groups(const double *value, size_t groups, size_t group_step, size_t step, size_t p,
									 const double *center, size_t k, int32_t *label, double *squared, double *second);
extern void ml_two_nearest_of_row(const double *row, size_t step, size_t p, const double *packed, size_t k, int32_t *label, double *squared, double *second);

/* squared (groups x ML_LANES) from one centre. */
extern void ml_distance_of_groups(const double *value, size_t groups, size_t p, const double *center, double *squared);

#endif							/* ML_ALGO_CLUSTER_NEAREST_H */
