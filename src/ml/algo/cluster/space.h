/*-------------------------------------------------------------------------
 * space.h
 *	  Rows as points: the coordinates in which distances and variances are measured.
 *
 * A coordinate is a column of the design (all levels of a category have one), times a
 * factor: 1, or 1 / standard deviation where the method was asked to scale (0 for a
 * constant column, which then says nothing).  Missing numbers stand at the mean.
 *
 * Where distances are measured, a category's coordinates stay 0 and 1: two levels are then as far apart, squared,
 * as two independent values of a scaled number on average.  Divided by their deviations, a level of one
 * row in a thousand would be thirty deviations away from any other and decide alone.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_CLUSTER_SPACE_H
#define ML_ALGO_CLUSTER_SPACE_H

#include "ml/algo/design.h"
#include "ml/base/lanes.h"
#include "ml/model/method.h"

typedef struct MlSpace
{
	MlDesign   *design;
	int32_t		p;				/* coordinates */
	bool		standard;
	double	   *factor;			/* p */
} MlSpace;

/* The two parameters that every method on points has, at the end of its table. */
#define ML_SPACE_PARAM_SCALE(standard, what) \
	{.name = "scale", .type = ML_PARAM_CHOICE, .default_choice = standard, .choices = "none|standard", \
		.aliases = "scaling|normalize", \
	.description = what}
#define ML_SPACE_PARAM_MAX_CATEGORIES \
	{.name = "max_categories", .type = ML_PARAM_INT, .default_number = ML_DESIGN_MAX_CATEGORIES, .minimum = 1, .maximum = ML_DESIGN_MAX_COLUMNS, \
		.aliases = "max_levels", \
	.description = "At most so many categories of a column have a coordinate of their own; the rarest share one, (other)."}

typedef enum MlSpaceScale
{
	ML_SPACE_AS_IS,
	ML_SPACE_SCALE_NUMBERS,
	ML_SPACE_SCALE_ALL			/* also the coordinates of categories: correlations instead of covariances */
} MlSpaceScale;

extern MlStatus ml_space_fit(MlEnv *env, const MlDataset *data, int max_categories, MlSpaceScale scale, MlSpace **space);

/* Most coordinates, and bytes of ml_space_fit. */
extern size_t ml_space_bound(const MlSchema *schema, int max_categories);
extern size_t ml_space_memory(const MlSchema *schema, int max_categories);

/* An encoded row -> p coordinates.  No allocation, no libm. */
extern void ml_space_row(const MlSpace *space, const double *x, double *z);

/* Rows as MlMethod.predict_batch gets them -> coordinate j of row i in z[j * ML_BATCH_ROWS + i], the bits of ml_space_row. */
extern void ml_space_block(const MlSpace *space, const double *x, size_t n, double *z);

/* Rows of ml_coefficients() for k centres (k x p): each one's share of the rows, and where it lies in units of the columns. */
extern MlStatus ml_space_centers(MlEnv *env, const MlSpace *space, const MlSchema *schema, size_t k, const double *share, const double *center,
								 MlCoefficient **rows, size_t *count);

extern void ml_space_save(const MlSpace *space, MlWriter *w);
extern MlStatus ml_space_load(MlReader *r, const MlSchema *schema, MlSpace **space);

/*
 * The training rows in groups of ML_LANES: coordinate j of row g * ML_LANES + l is
 * value[(g * p + j) * ML_LANES + l].  The last group is filled up with rows of weight 0 at the origin.
 */
typedef struct MlPoints
{
	size_t		n;
	size_t		groups;
	int32_t		p;
	double	   *value;
	double	   *weight;			/* groups * ML_LANES; all 1 but for the filling where there are no weights */
	double		total_weight;
	size_t		weighted;		/* rows with a positive weight */
} MlPoints;

extern MlStatus ml_points_read(MlEnv *env, const MlSpace *space, const MlDataset *data, MlPoints **points);
extern size_t ml_points_memory(size_t n, size_t p, int threads);	/* SIZE_MAX when it overflows */

/* Point i into z (p). */
static inline void
ml_points_get(const MlPoints *points, size_t i, double *z)
{
	const double *v = points->value + i / ML_LANES * (size_t) points->p * ML_LANES + i % ML_LANES;

	for (int32_t j = 0; j < points->p; j++)
		z[j] = v[(size_t) j * ML_LANES];
}

#endif							/* ML_ALGO_CLUSTER_SPACE_H */
