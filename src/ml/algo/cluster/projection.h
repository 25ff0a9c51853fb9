/*-------------------------------------------------------------------------
 * projection.h
 *	  A few directions of the space, and rows seen along them.
 *
 * What pca and truncated_svd have in common: the model, its image and its predictions.
 * A component's value is the sum over coordinates, in rising order, of loading times
 * (coordinate - center).
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_CLUSTER_PROJECTION_H
#define ML_ALGO_CLUSTER_PROJECTION_H

#include "ml/algo/cluster/space.h"

/* Figures of a row beside its vector: squared deviation from the mean that is kept, all of it, and the squared error of what the vector says of the row. */
#define ML_PROJECTION_FIGURES 3

typedef struct MlProjection
{
	MlSpace    *space;
	int32_t		k;
	bool		centered;
	double	   *mean;			/* p: of the coordinates in training */
	double	   *loading;		/* k x p: orthonormal */
	double	   *scale;			/* k: what values are multiplied with; all 1 unless whitened */
	double	   *variance;		/* k: of the values in training before scale; with n - 1 when centered */
	double	   *singular;		/* k: singular values of the (centered) rows */
	double		total_variance; /* of all coordinates */

	double	   *center;			/* p: mean, or 0 */
	double	   *offset;			/* k: value of the mean itself; 0 when centered */
	double	   *packed;			/* loadings in groups of ML_LANES components, coordinate by coordinate */
} MlProjection;

/* Makes what follows from the rest: center, offset, packed. */
extern MlStatus ml_projection_finish(MlEnv *env, MlProjection *m);

extern void ml_projection_save(const void *model, MlWriter *w);
extern MlStatus ml_projection_load(MlReader *r, const MlSchema *schema, void **model);
extern int	ml_projection_outputs(const void *model);
extern size_t ml_projection_scratch(const void *model);
extern void ml_projection_predict(const void *model, const double *x, double *out, void *scratch);
extern bool ml_projection_predict_batch(const void *model, const double *x, size_t n, double *out, void *scratch);
extern void ml_projection_report(const void *model, double rows, const double *sums, MlReport *report);
extern double ml_projection_cost(const void *model);
extern MlStatus ml_projection_coefficients(MlEnv *env, const void *model, const MlSchema *schema, MlCoefficient **rows, size_t *count);

#endif							/* ML_ALGO_CLUSTER_PROJECTION_H */
