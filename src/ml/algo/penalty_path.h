/*-------------------------------------------------------------------------
 * penalty_path.h
 *	  Solutions for a row of penalties, on all rows and on those outside of each fold.
 *
 * Two ways to get them, one for penalties with an absolute part (elastic_path.c) and one for
 * squares alone (ridge_path.c); what follows from the solutions is common.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_PENALTY_PATH_H
#define ML_ALGO_PENALTY_PATH_H

#include "ml/algo/elastic_net.h"

typedef struct MlPenaltyPath
{
	/* set by the caller */
	const MlNormal *total;
	const MlNormal *fold;		/* n_folds: the rows outside of each */
	int			n_folds;
	double	  **a;				/* units of the penalty: [0] of the total, [1 + f] of fold f */
	double		l1_ratio;		/* 0: ridge */
	double		l2_unit;		/* l2 = penalty * (1 - l1_ratio) * l2_unit */
	bool		positive;
	double		tol;
	int			max_iter;
	int			n;				/* penalties */
	double		alpha;			/* the only one (n = 1); 0: a geometric row from the greatest one that matters down to ... */
	double		span;			/* ... this share of it */

	/* results */
	double	   *penalty;		/* n, falling; elastic: l1 = penalty * l1_ratio on mean squares; ridge: on sums of squares */
	double	   *v;				/* n x p solutions on all rows */
	double	   *rss;			/* n */
	double	   *freedom;		/* n: columns that are not 0; ridge: the trace of the hat matrix */
	double	   *error;			/* n_folds x n: sum of squares on the rows of the fold */
	double	   *fold_weight;	/* n_folds */
	int		   *sweeps;			/* n */
	bool	   *converged;		/* n */

	/* ridge: G of the total in the units of a is V diag(d) V' */
	double	   *vectors;
	double	   *values;
} MlPenaltyPath;

/* a, fold_weight and what follows are allocated here; total, fold, n_folds and n are set. */
extern MlStatus ml_penalty_path_alloc(MlEnv *env, MlPenaltyPath *path);

extern MlStatus ml_elastic_path(MlEnv *env, MlPenaltyPath *path);
extern MlStatus ml_ridge_path(MlEnv *env, MlPenaltyPath *path);

extern size_t ml_penalty_path_memory(size_t p, int n, int folds, bool ridge, int threads);

/* Squared residuals on the rows of a fold of slopes v, fitted with the intercept of the others. */
extern double ml_penalty_path_error(const MlPenaltyPath *path, int fold, const double *v);

#endif							/* ML_ALGO_PENALTY_PATH_H */
