/*-------------------------------------------------------------------------
 * elementary.h
 *	  exp, log and what follows from them, the same bits on every machine.
 *
 * A C library may change the last digit of exp() from one release to the next,
 * and an index on predictions must survive that.  Only +, -, *, /, sqrt and
 * bit operations are used, and the file is compiled with -ffp-contract=off.
 * Error below 1 ulp for exp and log over the whole range (test/unit).
 *-------------------------------------------------------------------------
 */
#ifndef ML_BASE_ELEMENTARY_H
#define ML_BASE_ELEMENTARY_H

#include <stddef.h>

extern double ml_exp(double x);
extern double ml_log(double x);
extern double ml_log1p(double x);
extern double ml_expm1(double x);
extern double ml_sigmoid(double x); /* 1 / (1 + exp(-x)), never 0/0 */

/* In place: raw scores -> probabilities that sum to 1, in index order. */
extern void ml_softmax(double *z, size_t n);

/* Distribution functions for test statistics (not used while predicting). */
extern double ml_normal_two_sided(double z);	/* P(|Z| > |z|) */
extern double ml_t_two_sided(double t, double df);	/* P(|T_df| > |t|) */
extern double ml_t_quantile(double p, double df);	/* t with P(|T_df| > t) = p; df 0: of the normal distribution */
extern double ml_f_upper(double f, double a, double b); /* P(F_a,b > f) */
extern double ml_chi2_upper(double x, double k);	/* P(chi-squared_k > x) */
extern double ml_log_excess(double d);	/* d - log(1 + d), with all digits for a small d */

#endif							/* ML_BASE_ELEMENTARY_H */
