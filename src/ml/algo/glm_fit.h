/*-------------------------------------------------------------------------
 * glm_fit.h
 *	  Generalised linear models by Fisher scoring (iteratively reweighted least squares).
 *
 * Columns are seen through an MlDesignScale; column 0 of Z is the constant where there is an intercept.  Rows are
 * visited in blocks that are added up in an order that does not depend on the number of threads.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_GLM_FIT_H
#define ML_ALGO_GLM_FIT_H

#include "ml/algo/design.h"
#include "ml/algo/glm_family.h"

typedef enum MlCovariance
{
	ML_COVARIANCE_MODEL,		/* inverse of the expected information */
	ML_COVARIANCE_HC0,			/* heteroscedasticity-consistent, by the residuals (White 1980) */
	ML_COVARIANCE_HC1,			/* n / (n - p) times that */
	ML_COVARIANCE_HC2,			/* residuals^2 / (1 - leverage) */
	ML_COVARIANCE_HC3			/* residuals^2 / (1 - leverage)^2 (MacKinnon and White 1985) */
} MlCovariance;

#define ML_COVARIANCE_WORDS "model|HC0|HC1|HC2|HC3"

typedef struct MlGlmSlot MlGlmSlot;

typedef struct MlGlm
{
	/* set by the caller */
	const MlDataset *data;
	const MlDesign *design;
	const MlDesignScale *scale;
	const double *offset;		/* by row, or NULL */
	MlGlmKind	kind;
	bool		estimate_shape; /* negative binomial: alpha by maximum likelihood */
	bool		intercept;
	double		tol;
	int			max_iter;
	double		unit_weight;	/* weights of the design times this are the weights of the data */
	MlCovariance covariance_type;
	int			dispersion_type;	/* 0: as the family has it, 1: Pearson, 2: deviance */

	/* results */
	size_t		q;				/* intercept + columns */
	double	   *u;				/* q */
	double	   *covariance;		/* q x q, full, in units of u; dispersion included */
	double	   *null_part;		/* q: how much of coefficient j lies in directions that the data do not determine */
	size_t		rank;
	int			iterations;
	bool		converged;
	double		deviance;
	double		null_deviance;
	double		pearson;
	double		dispersion;
	double		log_likelihood;
	double		freedom;		/* rows - rank */

	/* inside */
	size_t		block;
	size_t		n_blocks;
	size_t		n_slots;
	MlGlmSlot  *slots;
	double	   *mean;			/* by row: fitted means, for the estimate of the shape; NULL where none is needed */
} MlGlm;

extern MlStatus ml_glm_fit(MlEnv *env, MlGlm *glm);

/*
 * The covariance of covariance_type at coefficients u (q) that another method has found; rank, freedom and
 * null_part besides.
 */
extern MlStatus ml_glm_robust(MlEnv *env, MlGlm *glm, const double *u);

/* Standard error of the coefficient of column k of the scale, and of the constant at x = 0; NaN where the data do not determine it. */
extern double ml_glm_column_error(const MlGlm *glm, int k);
extern double ml_glm_constant_error(const MlGlm *glm);

extern size_t ml_glm_memory(size_t n, size_t q);

/* ------------------------------------------------------------------------
 * Passes over the rows (glm_rows.c)
 * ------------------------------------------------------------------------
 */

typedef enum MlGlmPass
{
	ML_GLM_PASS_START,			/* gradient, information of the regression of link(y), y moved inside */
	ML_GLM_PASS_STEP,			/* deviance, gradient, information at u */
	ML_GLM_PASS_FINAL,			/* log-likelihood and Pearson's chi-squared at u */
	ML_GLM_PASS_ROBUST			/* information = the middle of the sandwich */
} MlGlmPass;

typedef struct MlGlmSums
{
	bool		valid;			/* all means are in the family's range */
	double		deviance;
	double		pearson;
	double		log_likelihood;
	double	   *gradient;		/* q */
	double	   *information;	/* q x q, upper */
} MlGlmSums;

extern MlStatus ml_glm_rows_init(MlEnv *env, MlGlm *glm);

/* inverse (q x q, full): of the information, for leverages; NULL but for ML_GLM_PASS_ROBUST. */
extern MlStatus ml_glm_rows(MlEnv *env, MlGlm *glm, MlGlmPass pass, const double *u, const double *inverse, MlGlmSums *sums);

extern size_t ml_glm_rows_memory(size_t n, size_t q);

/* Derivatives of the log-likelihood of a negative binomial by theta = 1 / alpha, at the fitted means. */
extern MlStatus ml_glm_theta_slope(MlEnv *env, const MlGlm *glm, double theta, double *first, double *second);

#endif							/* ML_ALGO_GLM_FIT_H */
