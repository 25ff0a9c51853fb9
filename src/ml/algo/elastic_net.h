/*-------------------------------------------------------------------------
 * elastic_net.h
 *	  Coordinate descent for the elastic net on normal equations.
 *
 *	  1/(2W) (y'y - 2 c'v + v'Gv) + l1 sum a_j |v_j| + l2/2 sum a_j^2 v_j^2
 *
 * "Covariance updates" (Friedman, Hastie, Tibshirani 2010, section 2.2): the gradient is kept
 * up to date from columns of G, so that a step costs O(columns), or nothing where a
 * coefficient stays 0, whatever the number of rows.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_ELASTIC_NET_H
#define ML_ALGO_ELASTIC_NET_H

#include "ml/algo/gram.h"

typedef struct MlElastic
{
	/* set by the caller */
	const MlNormal *normal;
	const double *a;			/* p: units of the penalty */
	bool		positive;		/* no coefficient below 0 */
	double		tol;			/* ends when a sweep changes the fit of no column by more than tol times the deviation of y */
	int			max_iter;		/* sweeps */

	/* state; v stays from one penalty to the next: a warm start */
	double		l1;
	double		l2;
	double	   *v;				/* p */
	double	   *gradient;		/* p: (c - G v) / W */
	int32_t    *active;			/* columns that are not 0 */
	size_t		n_active;
	double	   *room;			/* of leaps; NULL: none are made */
	bool		settled;		/* the active columns have converged: look at all others */
	int			sweeps;			/* for this penalty */
	bool		done;
	bool		converged;
} MlElastic;

/* Starts at v = 0. */
extern MlStatus ml_elastic_init(MlEnv *env, MlElastic *e);
extern size_t ml_elastic_memory(size_t p);

/* The penalty from which on all coefficients are 0, for l1 = ratio * penalty. */
extern double ml_elastic_max(const MlElastic *e, double ratio);

/* Another penalty, from where the descent is now. */
extern void ml_elastic_start(MlElastic *e, double l1, double l2);

/* Goes on for about 10 ms at most; e->done says whether that was all.  From any thread. */
extern void ml_elastic_advance(MlElastic *e);

/*
 * For descents that are slow: room for leaps, and a leap, which is to follow each ml_elastic_advance that was
 * not the last.  The second one from any thread.
 */
extern MlStatus ml_elastic_make_room(MlEnv *env, MlElastic *e);
extern void ml_elastic_leap(const MlDense *dense, MlElastic *e);

/*
 * The solution to the precision of the arithmetic, where the signs found by the descent are
 * right: one linear system over the columns that are not 0.  Leaves v as it is otherwise.
 */
extern MlStatus ml_elastic_polish(MlEnv *env, MlElastic *e);

#endif							/* ML_ALGO_ELASTIC_NET_H */
