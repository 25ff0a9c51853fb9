/*-------------------------------------------------------------------------
 * glm_family.h
 *	  Families and links of generalised linear models.
 *
 * E(y) = mu, link(mu) = eta = x'b + offset, Var(y) = dispersion * V(mu) / weight
 * (McCullagh and Nelder 1989, chapter 2).
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_GLM_FAMILY_H
#define ML_ALGO_GLM_FAMILY_H

#include <stdbool.h>

/* In the order of the words of the parameters. */
typedef enum MlGlmFamily
{
	ML_GLM_GAUSSIAN,
	ML_GLM_BINOMIAL,
	ML_GLM_POISSON,
	ML_GLM_GAMMA,
	ML_GLM_INVERSE_GAUSSIAN,
	ML_GLM_NEGATIVE_BINOMIAL,
	ML_GLM_TWEEDIE,
	ML_GLM_N_FAMILIES
} MlGlmFamily;

#define ML_GLM_FAMILY_WORDS "gaussian|binomial|poisson|gamma|inverse_gaussian|negative_binomial|tweedie"

typedef enum MlGlmLink
{
	ML_GLM_IDENTITY,
	ML_GLM_LOG,
	ML_GLM_LOGIT,
	ML_GLM_PROBIT,
	ML_GLM_CLOGLOG,
	ML_GLM_INVERSE,
	ML_GLM_SQRT,
	ML_GLM_INVERSE_SQUARED,
	ML_GLM_N_LINKS
} MlGlmLink;

#define ML_GLM_LINK_WORDS "identity|log|logit|probit|cloglog|inverse|sqrt|inverse_squared"

typedef struct MlGlmKind
{
	MlGlmFamily family;
	MlGlmLink	link;
	double		shape;			/* negative binomial: alpha, V = mu + alpha mu^2; Tweedie: the power, V = mu^power */
} MlGlmKind;

/* The link that is taken when none is named: the canonical one; log for negative binomial and Tweedie. */
extern MlGlmLink ml_glm_default_link(MlGlmFamily family);
extern bool ml_glm_link_applies(MlGlmFamily family, MlGlmLink link);

/* "log, identity, sqrt": the links of a family, for a hint. */
extern const char *ml_glm_links_of(MlGlmFamily family);

/* Can y be observed?  Says what must hold for error messages: "zero or more". */
extern bool ml_glm_observable(const MlGlmKind *kind, double y, const char **must_be);

extern double ml_glm_link(MlGlmLink link, double mu);

/* mu of eta.  No libm: this one predicts. */
extern double ml_glm_mean(MlGlmLink link, double eta);

/* d mu / d eta */
extern double ml_glm_slope(MlGlmLink link, double eta, double mu);

/* Is mu, at this eta, inside of what family and link allow? */
extern bool ml_glm_valid(const MlGlmKind *kind, double eta, double mu);

extern double ml_glm_variance(const MlGlmKind *kind, double mu);

/* Twice the log-likelihood that is lost by mu against mu = y, for a dispersion of 1. */
extern double ml_glm_deviance(const MlGlmKind *kind, double y, double mu);

/* NaN where there is none in closed form. */
extern double ml_glm_log_likelihood(const MlGlmKind *kind, double y, double mu, double weight, double dispersion);

/* Is the dispersion 1 by the family's own definition? */
extern bool ml_glm_unit_dispersion(MlGlmFamily family);

#endif							/* ML_ALGO_GLM_FAMILY_H */
