/*-------------------------------------------------------------------------
 * glm_fit.c
 *	  Generalised linear models by Fisher scoring (iteratively reweighted least squares).
 *
 * A step solves with the expected information (Nelder and Wedderburn 1972) and is halved until the deviance falls
 * and all means are in range.  Linear systems are solved for columns scaled to a unit diagonal; directions that
 * are null at the start, where weights hardly differ, are taken out of each step and of the covariance.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "ml/algo/glm_fit.h"
#include "ml/algo/least_squares.h"
#include "ml/algo/linear_terms.h"
#include "ml/algo/logistic_fit.h"
#include "ml/base/arena.h"
#include "ml/base/dense.h"

#define MAX_HALVINGS 40

/* Rounds of coefficients and shape in turns. */
#define MAX_SHAPE_ROUNDS 100

/* Theta of a negative binomial: beyond this it is a Poisson distribution. */
#define LARGEST_THETA 1e8
#define SMALLEST_THETA 1e-8

typedef struct Scoring
{
	MlGlm	   *glm;
	const MlDense *dense;
	MlGlmSums	sums;
	MlLogisticNull null;		/* in scaled units */
	double	   *scale;			/* q */
	double	   *factor;			/* q x q */
	double	   *step;
	double	   *trial;
	double		lift;			/* what was added along null directions */
	bool		null_known;
	double		first_deviance; /* at the start */
} Scoring;

size_t
ml_glm_memory(size_t n, size_t q)
{
	return ml_glm_rows_memory(n, q) + ml_glm_rows_memory(n, 1) + (8 * q * q + 16 * q + n + 64) * sizeof(double) + 65536;
}

static MlStatus
allocate(MlEnv *env, Scoring *s)
{
	size_t		q = s->glm->q;

	s->sums.gradient = ml_alloc0(env, q, sizeof(double));
	s->sums.information = ml_alloc0(env, q * q, sizeof(double));
	s->scale = ml_alloc0(env, q, sizeof(double));
	s->factor = ml_alloc0(env, q * q, sizeof(double));
	s->step = ml_alloc0(env, q, sizeof(double));
	s->trial = ml_alloc0(env, q, sizeof(double));
	s->null.q = q;
	s->null.v = ml_alloc0(env, q * q, sizeof(double));
	s->glm->u = ml_alloc0(env, q, sizeof(double));
	if (s->sums.gradient == NULL || s->sums.information == NULL || s->scale == NULL || s->factor == NULL ||
		s->step == NULL || s->trial == NULL || s->null.v == NULL || s->glm->u == NULL)
		return env->error.status;
	return ML_OK;
}

static MlStatus
out_of_range(MlEnv *env)
{
	return ml_linear_out_of_range(env, "the features or the target hold");
}

static void
fill_scaled(Scoring *s)
{
	size_t		q = s->glm->q;

	for (size_t j = 0; j < q; j++)
		s->scale[j] = s->sums.information[j * q + j] > 0 ? 1 / sqrt(s->sums.information[j * q + j]) : 1;
	for (size_t j = 0; j < q; j++)
		for (size_t i = 0; i <= j; i++)
			s->factor[j * q + i] = s->sums.information[j * q + i] * s->scale[i] * s->scale[j];
}

/* Null directions of the information, once; in units that do not depend on the weights of later steps. */
static MlStatus
find_null(MlEnv *env, Scoring *s)
{
	size_t		q = s->glm->q;
	double		cutoff = 64 * DBL_EPSILON * q;
	double		trace = 0;
	int			info;

	s->null_known = true;
	fill_scaled(s);
	memcpy(s->null.v, s->factor, q * q * sizeof(double));
	/* No eigenvalue is below 1 / trace of the inverse. */
	if (q == 0 || (s->dense->cholesky(q, s->factor) == 0 && s->dense->cholesky_inverse(q, s->factor) == 0))
	{
		for (size_t j = 0; j < q; j++)
			trace += s->factor[j * q + j];
		if (trace * cutoff < 1)
			return ML_OK;
	}
	info = s->dense->eigen(q, s->null.v, s->trial);
	if (info <= -1000)
		return ml_fail(env, ML_NO_MEMORY, "out of memory in LAPACK");
	if (info != 0)
		return out_of_range(env);
	while (s->null.n < q && s->trial[s->null.n] <= cutoff)
		s->null.n++;
	/* From the units of this scale to those of u, orthonormal again (modified Gram-Schmidt). */
	for (size_t k = 0; k < s->null.n; k++)
	{
		double	   *v = s->null.v + k * q;
		double		norm = 0;

		for (size_t j = 0; j < q; j++)
			v[j] *= s->scale[j];
		for (size_t l = 0; l < k; l++)
		{
			double		dot = 0;

			for (size_t j = 0; j < q; j++)
				dot += v[j] * s->null.v[l * q + j];
			for (size_t j = 0; j < q; j++)
				v[j] -= dot * s->null.v[l * q + j];
		}
		for (size_t j = 0; j < q; j++)
			norm += v[j] * v[j];
		for (size_t j = 0; j < q; j++)
			v[j] /= sqrt(norm);
	}
	return ML_OK;
}

/*
 * factor = Cholesky factor of the information, made definite along null directions and where rounding
 * asks for it; scaled to a unit diagonal unless there are null directions, which stand in the units of u.
 */
static MlStatus
factorize(MlEnv *env, Scoring *s)
{
	size_t		q = s->glm->q;

	if (!s->null_known)
		ML_TRY(find_null(env, s));
	for (double damping = 0; damping < 10; damping = damping == 0 ? 1e-14 : damping * 100)
	{
		double		trace = 0;

		fill_scaled(s);
		if (s->null.n > 0)
		{
			for (size_t j = 0; j < q; j++)
				trace += s->sums.information[j * q + j];
			for (size_t j = 0; j < q; j++)
				s->scale[j] = 1;
			memcpy(s->factor, s->sums.information, q * q * sizeof(double));
			s->lift = trace > 0 ? trace / q : 1;
			ml_logistic_add_null(&s->null, 1, s->lift, s->factor);
		}
		for (size_t j = 0; j < q; j++)
			s->factor[j * q + j] += damping * (s->null.n > 0 ? s->lift : 1);
		if (q == 0 || s->dense->cholesky(q, s->factor) == 0)
			return ML_OK;
		if (ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
	}
	return out_of_range(env);
}

/* step = information^-1 gradient; *decrement = gradient' step */
static MlStatus
solve(MlEnv *env, Scoring *s, double *decrement)
{
	size_t		q = s->glm->q;

	*decrement = 0;
	ML_TRY(factorize(env, s));
	for (size_t j = 0; j < q; j++)
		s->step[j] = s->sums.gradient[j] * s->scale[j];
	ml_logistic_project(&s->null, 1, s->step);
	if (q > 0 && s->dense->cholesky_solve(q, 1, s->factor, s->step) != 0)
		return ml_linear_out_of_range(env, "the features or the target hold");	/* it needs no memory */
	ml_logistic_project(&s->null, 1, s->step);
	for (size_t j = 0; j < q; j++)
	{
		s->step[j] *= s->scale[j];
		*decrement += s->step[j] * s->sums.gradient[j];
	}
	if (!isfinite(*decrement))
		return out_of_range(env);
	return ML_OK;
}

/* The weighted means of target and offset: their difference on the scale of the link is where the constant begins. */
static double
constant_start(const MlGlm *glm)
{
	double		weight = 0,
				y = 0,
				offset = 0,
				mean;

	for (size_t i = 0; i < glm->data->n_train; i++)
	{
		double		w = ml_design_weight(glm->design, glm->data, i);

		weight += w;
		if (w == 0)
			continue;
		y += w * (glm->data->y[i] - y) / weight;
		offset += glm->offset == NULL ? 0 : w * (glm->offset[i] - offset) / weight;
	}
	mean = y;
	if (glm->kind.family == ML_GLM_BINOMIAL)
		mean = fmin(fmax(mean, 0.01), 0.99);
	else if (glm->kind.family != ML_GLM_GAUSSIAN && !(mean > 0))
		mean = 0.01;
	return ml_glm_link(glm->kind.link, mean) - offset;
}

static MlStatus
no_start(MlEnv *env, const MlGlm *glm)
{
	ml_fail(env, ML_BAD_DATA, "there are no coefficients to start from: with this link means would leave the range of the family");
	(void) glm;
	return ml_hint(env, "Use a link that cannot leave it: log for positive means, logit or probit for probabilities.");
}

/* A first u with all means in range, and the sums there. */
static MlStatus
start(MlEnv *env, Scoring *s)
{
	MlGlm	   *glm = s->glm;
	double		decrement;

	if (glm->intercept)
		glm->u[0] = constant_start(glm);
	if (!glm->intercept || isfinite(glm->u[0]))
	{
		ML_TRY(ml_glm_rows(env, glm, ML_GLM_PASS_STEP, glm->u, NULL, &s->sums));
		if (s->sums.valid)
			return ML_OK;
	}
	ML_TRY(ml_glm_rows(env, glm, ML_GLM_PASS_START, glm->u, NULL, &s->sums));
	if (!s->sums.valid)
		return no_start(env, glm);
	ML_TRY(solve(env, s, &decrement));
	memcpy(glm->u, s->step, glm->q * sizeof(double));
	ML_TRY(ml_glm_rows(env, glm, ML_GLM_PASS_STEP, glm->u, NULL, &s->sums));
	if (!s->sums.valid)
		return no_start(env, glm);
	return ML_OK;
}

static double
largest(const double *x, size_t n)
{
	double		result = 0;

	for (size_t i = 0; i < n; i++)
		result = fmax(result, fabs(x[i]));
	return result;
}

/* Along the step, halved until the deviance does not rise; *moved: the share taken, 0 for none. */
static MlStatus
move(MlEnv *env, Scoring *s, double *moved)
{
	MlGlm	   *glm = s->glm;
	double		before = s->sums.deviance;
	double		t = 1;

	for (int halvings = 0; halvings < MAX_HALVINGS; halvings++, t /= 2)
	{
		for (size_t j = 0; j < glm->q; j++)
			s->trial[j] = glm->u[j] + t * s->step[j];
		ML_TRY(ml_glm_rows(env, glm, ML_GLM_PASS_STEP, s->trial, NULL, &s->sums));
		if (!s->sums.valid || !(s->sums.deviance <= before * (1 + 1e-13) + DBL_MIN))
			continue;
		memcpy(glm->u, s->trial, glm->q * sizeof(double));
		*moved = t;
		return ML_OK;
	}
	*moved = 0;
	return ml_glm_rows(env, glm, ML_GLM_PASS_STEP, glm->u, NULL, &s->sums);
}

/* Steps from the current u to the best one. */
static MlStatus
descend(MlEnv *env, Scoring *s, bool quiet)
{
	MlGlm	   *glm = s->glm;

	int			flat = 0;		/* steps in a row that changed the deviance by rounding only */

	glm->converged = glm->q == 0;
	for (int k = 0; k < glm->max_iter && !glm->converged; k++)
	{
		double		before = s->sums.deviance;
		double		decrement,
					moved,
					change;

		ML_TRY(solve(env, s, &decrement));
		if (decrement <= 1e-26 * s->first_deviance)
		{
			glm->converged = true;
			break;
		}
		change = largest(s->step, glm->q);
		ML_TRY(move(env, s, &moved));
		glm->iterations++;
		flat = before - s->sums.deviance <= 1e-15 * s->sums.deviance ? flat + 1 : 0;
		/* Small in every coefficient and in what it gains, or flat; or nothing is left to explain. */
		glm->converged = (change <= glm->tol * largest(glm->u, glm->q) && decrement <= glm->tol * glm->tol * before)
			|| flat >= 4 || (moved == 0 && decrement <= 1e-10 * before)
			|| s->sums.deviance <= 1e-14 * s->first_deviance;
		if (moved == 0)
			break;
		if (!quiet)
		{
			MlProgress	progress = {.phase = "fit", .share = (double) (k + 1) / glm->max_iter, .iteration = glm->iterations,
			.iterations = glm->max_iter, .train_loss = s->sums.deviance, .validation_loss = NAN};

			ml_progress(env, &progress);
			ml_history(env, glm->iterations, "train", "deviance", s->sums.deviance);
		}
	}
	glm->deviance = s->sums.deviance;
	return ML_OK;
}

/* Theta of a negative binomial at fixed means: Newton's method, kept in bounds. */
static MlStatus
estimate_theta(MlEnv *env, const MlGlm *glm, double *theta)
{
	for (int k = 0; k < 100; k++)
	{
		double		first,
					second,
					next;

		ML_TRY(ml_glm_theta_slope(env, glm, *theta, &first, &second));
		next = second < 0 ? *theta - first / second : first > 0 ? *theta * 4 : *theta / 4;
		next = fmin(fmax(next, *theta / 8), *theta * 8);
		next = fmin(fmax(next, SMALLEST_THETA), LARGEST_THETA);
		if (fabs(next - *theta) <= 1e-11 * *theta)
		{
			*theta = next;
			break;
		}
		*theta = next;
	}
	return ML_OK;
}

static MlStatus
scoring(MlEnv *env, MlGlm *glm, Scoring *s, bool quiet)
{
	double		theta = 1;

	s->glm = glm;
	s->dense = env->dense;
	ML_TRY(ml_glm_rows_init(env, glm));
	ML_TRY(allocate(env, s));
	ML_TRY(start(env, s));
	s->first_deviance = s->sums.deviance;
	ML_TRY(descend(env, s, quiet));
	for (int round = 0; glm->estimate_shape && round < MAX_SHAPE_ROUNDS; round++)
	{
		double		before = theta;

		ML_TRY(estimate_theta(env, glm, &theta));
		glm->kind.shape = 1 / theta;
		ML_TRY(ml_glm_rows(env, glm, ML_GLM_PASS_STEP, glm->u, NULL, &s->sums));
		ML_TRY(descend(env, s, quiet));
		if (fabs(theta - before) <= 1e-9 * before)
			break;
	}
	return ML_OK;
}

/* out (q x q, full) = inverse of the information, without null directions, in units of u. */
static MlStatus
invert(MlEnv *env, Scoring *s, double *out)
{
	size_t		q = s->glm->q;

	ML_TRY(factorize(env, s));
	if (q > 0 && s->dense->cholesky_inverse(q, s->factor) != 0)
		return ml_fail(env, ML_OUT_OF_RANGE, "the information of the data cannot be inverted");
	if (s->null.n > 0)
		ml_logistic_add_null(&s->null, 1, -1 / s->lift, s->factor);
	for (size_t j = 0; j < q; j++)
		for (size_t i = 0; i <= j; i++)
			out[j * q + i] = out[i * q + j] = s->factor[j * q + i] * s->scale[i] * s->scale[j];
	return ML_OK;
}

/* covariance = B M B with the middle M from the residuals of the rows. */
static MlStatus
robust(MlEnv *env, Scoring *s)
{
	MlGlm	   *glm = s->glm;
	size_t		q = glm->q;
	double	   *product = ml_alloc0(env, q * q, sizeof(double));
	double		correction = 1;

	if (product == NULL)
		return env->error.status;
	ML_TRY(ml_glm_rows(env, glm, ML_GLM_PASS_ROBUST, glm->u, glm->covariance, &s->sums));
	for (size_t j = 0; j < q; j++)
		for (size_t i = 0; i < j; i++)
			s->sums.information[i * q + j] = s->sums.information[j * q + i];
	s->dense->gemm(false, false, q, q, q, 1, s->sums.information, q, glm->covariance, q, 0, product, q);
	s->dense->gemm(false, false, q, q, q, 1, glm->covariance, q, product, q, 0, s->factor, q);
	if (glm->covariance_type == ML_COVARIANCE_HC1)
		correction = glm->freedom > 0 ? glm->design->n_rows / glm->freedom : NAN;
	for (size_t j = 0; j < q * q; j++)
		glm->covariance[j] = s->factor[j] * correction;
	return ML_OK;
}

/* Deviance of the model that knows the constant and the offset only. */
static MlStatus
fit_null(MlEnv *env, const MlGlm *glm, double *deviance)
{
	MlGlm		null = *glm;
	MlDesignScale nothing = *glm->scale;
	Scoring		s = {0};

	nothing.n = 0;
	null.scale = &nothing;
	null.estimate_shape = false;
	null.mean = NULL;
	null.iterations = 0;
	*deviance = NAN;
	if (!glm->intercept)
	{
		/* Means are those of the offset alone, where that is possible. */
		double		none = 0;

		null.q = 0;
		s.sums.gradient = s.sums.information = &none;
		ML_TRY(ml_glm_rows_init(env, &null));
		ML_TRY(ml_glm_rows(env, &null, ML_GLM_PASS_STEP, &none, NULL, &s.sums));
		if (s.sums.valid)
			*deviance = s.sums.deviance;
		return ML_OK;
	}
	if (scoring(env, &null, &s, true) == ML_OK)
		*deviance = null.deviance;
	else if (env->error.status != ML_BAD_DATA)
		return env->error.status;
	else
		memset(&env->error, 0, sizeof(env->error));
	return ML_OK;
}

/* Pearson's statistic, dispersion and log-likelihood. */
static MlStatus
judge(MlEnv *env, MlGlm *glm, Scoring *s)
{
	double		n = glm->design->n_rows;
	bool		unit = ml_glm_unit_dispersion(glm->kind.family) && glm->dispersion_type == 0;

	glm->dispersion = 1;
	ML_TRY(ml_glm_rows(env, glm, ML_GLM_PASS_FINAL, glm->u, NULL, &s->sums));
	glm->pearson = s->sums.pearson;
	glm->log_likelihood = s->sums.log_likelihood;
	if (!unit)
		glm->dispersion = glm->freedom > 0 ? (glm->dispersion_type == 2 ? glm->deviance : glm->pearson) / glm->freedom : NAN;
	if (ml_glm_unit_dispersion(glm->kind.family))
		return ML_OK;

	/* Of normal errors the likelihood is greatest for the mean square; of others it is taken at the dispersion above. */
	{
		double		dispersion = glm->dispersion;

		glm->dispersion = glm->kind.family == ML_GLM_GAUSSIAN ? glm->deviance / n : dispersion;
		glm->log_likelihood = NAN;
		if (glm->dispersion > 0)
		{
			ML_TRY(ml_glm_rows(env, glm, ML_GLM_PASS_FINAL, glm->u, NULL, &s->sums));
			glm->log_likelihood = s->sums.log_likelihood;
		}
		glm->dispersion = dispersion;
	}
	return ML_OK;
}

/* Of all coefficients that predict the same, those of least norm in the units of the data; and which ones are touched. */
static MlStatus
settle_null(MlEnv *env, const Scoring *s)
{
	MlGlm	   *glm = s->glm;
	double	   *factor = ml_alloc0(env, glm->q, sizeof(double));

	if (factor == NULL)
		return env->error.status;
	for (size_t k = 0; k < s->null.n; k++)
		for (size_t j = 0; j < glm->q; j++)
			glm->null_part[j] = hypot(glm->null_part[j], s->null.v[k * glm->q + j]);
	for (size_t j = 0; j < glm->q; j++)
		factor[j] = j < glm->intercept ? 0 : glm->scale->factor[j - glm->intercept];
	return s->null.n == 0 ? ML_OK : ml_least_norm(env, glm->q, s->null.n, s->null.v, factor, glm->u);
}

MlStatus
ml_glm_robust(MlEnv *env, MlGlm *glm, const double *u)
{
	Scoring		s = {.glm = glm, .dense = env->dense};
	size_t		q;

	ML_TRY(ml_glm_rows_init(env, glm));
	ML_TRY(allocate(env, &s));
	q = glm->q;
	memcpy(glm->u, u, q * sizeof(double));
	glm->covariance = ml_alloc0(env, q * q, sizeof(double));
	glm->null_part = ml_alloc0(env, q, sizeof(double));
	if (glm->covariance == NULL || glm->null_part == NULL)
		return env->error.status;
	ML_TRY(ml_glm_rows(env, glm, ML_GLM_PASS_STEP, glm->u, NULL, &s.sums));
	if (!s.sums.valid)
		return out_of_range(env);
	ML_TRY(invert(env, &s, glm->covariance));
	glm->rank = q - s.null.n;
	glm->freedom = (double) glm->design->n_rows - glm->rank;
	ML_TRY(robust(env, &s));
	for (size_t k = 0; k < s.null.n; k++)
		for (size_t j = 0; j < q; j++)
			glm->null_part[j] = hypot(glm->null_part[j], s.null.v[k * q + j]);
	return ML_OK;
}

/* A coefficient is determined by the data when the null directions do not touch it. */
#define ESTIMABLE 1e-6

double
ml_glm_column_error(const MlGlm *glm, int k)
{
	size_t		j = (size_t) k + glm->intercept;

	return glm->null_part[j] <= ESTIMABLE ? sqrt(fmax(glm->covariance[j * glm->q + j], 0)) : NAN;
}

double
ml_glm_constant_error(const MlGlm *glm)
{
	double		sum = 0,
				touched = 0;

	/* At x = 0 rather than at the means: t'u with t = (1, -center * factor, ...). */
	for (size_t j = 0; j < glm->q; j++)
	{
		double		tj = j == 0 ? 1 : -glm->scale->center[j - 1] * glm->scale->factor[j - 1];
		double		dot = 0;

		for (size_t i = 0; i < glm->q; i++)
			dot += glm->covariance[j * glm->q + i] * (i == 0 ? 1 : -glm->scale->center[i - 1] * glm->scale->factor[i - 1]);
		sum += tj * dot;
		touched = hypot(touched, tj * glm->null_part[j]);
	}
	return touched <= ESTIMABLE ? sqrt(fmax(sum, 0)) : NAN;
}

MlStatus
ml_glm_fit(MlEnv *env, MlGlm *glm)
{
	Scoring		s = {0};
	size_t		q;

	if (glm->estimate_shape)
	{
		glm->kind.shape = 1;
		glm->mean = ml_alloc0(env, glm->data->n_train, sizeof(double));
		if (glm->mean == NULL)
			return env->error.status;
	}
	ML_TRY(scoring(env, glm, &s, false));
	q = glm->q;
	glm->covariance = ml_alloc0(env, q * q, sizeof(double));
	glm->null_part = ml_alloc0(env, q, sizeof(double));
	if (glm->covariance == NULL || glm->null_part == NULL)
		return env->error.status;
	glm->rank = q - s.null.n;
	glm->freedom = (double) glm->design->n_rows - glm->rank;
	ML_TRY(invert(env, &s, glm->covariance));
	ML_TRY(judge(env, glm, &s));
	if (glm->covariance_type != ML_COVARIANCE_MODEL)
		ML_TRY(robust(env, &s));
	else
		for (size_t j = 0; j < q * q; j++)
			glm->covariance[j] *= glm->dispersion;
	ML_TRY(settle_null(env, &s));
	return fit_null(env, glm, &glm->null_deviance);
}
