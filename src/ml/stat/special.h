/*-------------------------------------------------------------------------
 * special.h
 *	  Functions of statistics that only fits need.
 *-------------------------------------------------------------------------
 */
#ifndef ML_STAT_SPECIAL_H
#define ML_STAT_SPECIAL_H

extern double ml_digamma(double x);	/* x > 0 */
extern double ml_trigamma(double x);

/* What is left of them beside their limits for a large x, with all digits. */
extern double ml_log_less_digamma(double x);	/* log(x) - digamma(x) */
extern double ml_trigamma_less_inverse(double x);	/* trigamma(x) - 1 / x */
extern double ml_stirling_rest(double x);	/* log of gamma(x) less (x - 1/2) log(x) - x + log(2 pi) / 2 */

/* Where a distribution has the share p below it, 0 < p < 1. */
extern double ml_normal_quantile(double p);
extern double ml_gamma_quantile(double p, double shape, double rate);
extern double ml_beta_quantile(double p, double a, double b);

/* Shares below x. */
extern double ml_normal_below(double z);
extern double ml_gamma_below(double x, double shape, double rate);
extern double ml_beta_below(double x, double a, double b);

#endif							/* ML_STAT_SPECIAL_H */
