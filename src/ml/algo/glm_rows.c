/*-------------------------------------------------------------------------
 * glm_rows.c
 *	  What Fisher scoring needs of the rows.
 *
 * Block b is added up by slot b mod slots, slots are joined in their order.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/algo/glm_fit.h"
#include "ml/base/arena.h"
#include "ml/base/dense.h"
#include "ml/base/pool.h"

/* What a block of Z takes at most: half of a common second-level cache. */
#define BLOCK_DOUBLES ((size_t) 1 << 17)

struct MlGlmSlot
{
	bool		valid;
	double		deviance;
	double		pearson;
	double		log_likelihood;
	double	   *gradient;		/* q */
	double	   *information;	/* q x q */
	double	   *z;				/* block x q */
	double	   *scaled;			/* block x q */
	double	   *eta;			/* block */
	double	   *residual;		/* block: of the score */
	double	   *root;			/* block: of the weights of the information */
};

typedef struct Visit
{
	const MlGlm *glm;
	const MlDense *dense;
	MlGlmPass	pass;
	const double *u;
	const double *inverse;
	size_t		first;			/* block of slot 0 in this wave */
} Visit;

static void
cut_rows(size_t n, size_t q, size_t *block, size_t *n_blocks, size_t *n_slots)
{
	*block = BLOCK_DOUBLES / (q > 0 ? q : 1);
	*block = *block < 256 ? 256 : *block > 4096 ? 4096 : *block;
	*block = *block > n ? n : *block;
	*n_blocks = (n + *block - 1) / *block;
	*n_slots = q <= 256 ? 16 : q <= 1024 ? 8 : q <= 2048 ? 4 : 2;
	*n_slots = *n_slots > *n_blocks ? *n_blocks : *n_slots;
}

size_t
ml_glm_rows_memory(size_t n, size_t q)
{
	size_t		block,
				n_blocks,
				n_slots;

	cut_rows(n > 0 ? n : 1, q, &block, &n_blocks, &n_slots);
	return n_slots * ((q * q + q + block * (2 * q + 3)) * sizeof(double) + 4096);
}

MlStatus
ml_glm_rows_init(MlEnv *env, MlGlm *glm)
{
	glm->q = (size_t) glm->intercept + glm->scale->n;
	cut_rows(glm->data->n_train, glm->q, &glm->block, &glm->n_blocks, &glm->n_slots);
	glm->slots = ml_alloc0(env, glm->n_slots, sizeof(MlGlmSlot));
	if (glm->slots == NULL)
		return env->error.status;
	for (size_t s = 0; s < glm->n_slots; s++)
	{
		MlGlmSlot  *slot = &glm->slots[s];

		slot->gradient = ml_alloc0(env, glm->q, sizeof(double));
		slot->information = ml_alloc0(env, glm->q * glm->q, sizeof(double));
		slot->z = ml_alloc0(env, glm->block * glm->q, sizeof(double));
		slot->scaled = ml_alloc0(env, glm->block * glm->q, sizeof(double));
		slot->eta = ml_alloc0(env, glm->block, sizeof(double));
		slot->residual = ml_alloc0(env, glm->block, sizeof(double));
		slot->root = ml_alloc0(env, glm->block, sizeof(double));
		if (slot->gradient == NULL || slot->information == NULL || slot->z == NULL || slot->scaled == NULL ||
			slot->eta == NULL || slot->residual == NULL || slot->root == NULL)
			return env->error.status;
	}
	return ML_OK;
}

/* A value near y at which every link is defined (R's mustart). */
static double
inside_range(const MlGlmKind *kind, double y)
{
	switch (kind->family)
	{
		case ML_GLM_BINOMIAL:
			return (y + 0.5) / 2;
		case ML_GLM_POISSON:
			return y + 0.1;
		case ML_GLM_NEGATIVE_BINOMIAL:
			return y == 0 ? 1. / 6 : y;
		case ML_GLM_TWEEDIE:
			return y == 0 ? 0.1 : y;
		case ML_GLM_GAUSSIAN:
			return kind->link == ML_GLM_IDENTITY ? y : kind->link == ML_GLM_INVERSE ? (y == 0 ? 1 : y) : fmax(y, 0.1);
		default:
			return y;
	}
}

/* Residuals of the score and weights of the information: w (y - mu) mu' / V and w mu'^2 / V. */
static void
score_rows(const Visit *visit, MlGlmSlot *slot, size_t first, size_t rows)
{
	const MlGlm *glm = visit->glm;
	const MlGlmKind *kind = &glm->kind;
	bool		start = visit->pass == ML_GLM_PASS_START;

	for (size_t i = 0; i < rows; i++)
	{
		double		w = ml_design_weight(glm->design, glm->data, first + i) * glm->unit_weight;
		double		y = glm->data->y[first + i];
		double		offset = glm->offset == NULL ? 0 : glm->offset[first + i];
		double		eta,
					mu,
					slope,
					variance;

		slot->residual[i] = slot->root[i] = 0;
		if (w == 0)
			continue;
		mu = start ? inside_range(kind, y) : 0;
		eta = start ? ml_glm_link(kind->link, mu) : slot->eta[i] + offset;
		mu = start ? mu : ml_glm_mean(kind->link, eta);
		if (glm->mean != NULL)
			glm->mean[first + i] = mu;
		if (!ml_glm_valid(kind, eta, mu))
		{
			slot->valid = false;
			continue;
		}
		slope = ml_glm_slope(kind->link, eta, mu);
		variance = ml_glm_variance(kind, mu);
		slot->deviance += w * ml_glm_deviance(kind, y, mu);
		if (visit->pass == ML_GLM_PASS_FINAL)
		{
			slot->pearson += w * (y - mu) * (y - mu) / variance;
			slot->log_likelihood += ml_glm_log_likelihood(kind, y, mu, w, glm->dispersion);
			continue;
		}
		slot->root[i] = sqrt(w / variance) * fabs(slope);
		if (start)
			slot->residual[i] = slot->root[i] * slot->root[i] * (eta - offset);
		else
			slot->residual[i] = w * (y - mu) * slope / variance;
		if (!isfinite(slot->root[i]) || !isfinite(slot->residual[i]))
		{
			slot->valid = false;
			slot->residual[i] = slot->root[i] = 0;
		}
	}
}

/* Roots of what the middle of the sandwich weighs each row by: the residual, corrected by its leverage. */
static void
robust_roots(const Visit *visit, MlGlmSlot *slot, size_t rows)
{
	const MlGlm *glm = visit->glm;

	if (glm->covariance_type >= ML_COVARIANCE_HC2)
		visit->dense->gemm(false, false, rows, glm->q, glm->q, 1, slot->z, glm->block, visit->inverse, glm->q, 0, slot->scaled, glm->block);
	for (size_t i = 0; i < rows; i++)
	{
		double		leverage = 0;

		if (glm->covariance_type >= ML_COVARIANCE_HC2)
		{
			for (size_t j = 0; j < glm->q; j++)
				leverage += slot->scaled[j * glm->block + i] * slot->z[j * glm->block + i];
			leverage *= slot->root[i] * slot->root[i];
			/* A row that its own column fits exactly has no residual to learn from. */
			leverage = leverage > 1 - 1e-10 ? 0 : leverage;
		}
		slot->root[i] = fabs(slot->residual[i]);
		if (glm->covariance_type == ML_COVARIANCE_HC2)
			slot->root[i] /= sqrt(1 - leverage);
		else if (glm->covariance_type == ML_COVARIANCE_HC3)
			slot->root[i] /= 1 - leverage;
	}
}

static void
visit_task(void *arg, size_t task, int thread)
{
	const Visit *visit = arg;
	const MlGlm *glm = visit->glm;
	MlGlmSlot  *slot = &glm->slots[task];
	size_t		block = visit->first + task;
	size_t		first = block * glm->block;
	size_t		rows;

	(void) thread;
	if (block >= glm->n_blocks || !slot->valid)
		return;
	rows = glm->data->n_train - first;
	rows = rows > glm->block ? glm->block : rows;
	for (size_t i = 0; glm->intercept && i < rows; i++)
		slot->z[i] = 1;
	for (size_t k = 0; k < (size_t) glm->scale->n; k++)
		ml_design_read(glm->design, glm->data, glm->scale->column[k], first, rows, glm->scale->center[k], glm->scale->factor[k],
					   slot->z + (k + glm->intercept) * glm->block);
	memset(slot->eta, 0, rows * sizeof(double));
	if (visit->pass != ML_GLM_PASS_START && glm->q > 0)
		visit->dense->gemm(false, false, rows, 1, glm->q, 1, slot->z, glm->block, visit->u, glm->q, 0, slot->eta, glm->block);
	score_rows(visit, slot, first, rows);
	if (visit->pass == ML_GLM_PASS_FINAL || glm->q == 0)
		return;
	if (visit->pass == ML_GLM_PASS_ROBUST)
		robust_roots(visit, slot, rows);
	visit->dense->gemm(true, false, glm->q, 1, rows, 1, slot->z, glm->block, slot->residual, glm->block, 1, slot->gradient, glm->q);
	for (size_t j = 0; j < glm->q; j++)
		for (size_t i = 0; i < rows; i++)
			slot->scaled[j * rows + i] = slot->root[i] * slot->z[j * glm->block + i];
	visit->dense->syrk(rows, glm->q, slot->scaled, slot->information);
}

MlStatus
ml_glm_rows(MlEnv *env, MlGlm *glm, MlGlmPass pass, const double *u, const double *inverse, MlGlmSums *sums)
{
	Visit		visit = {.glm = glm, .dense = env->dense, .pass = pass, .u = u, .inverse = inverse};
	size_t		q = glm->q;

	for (size_t s = 0; s < glm->n_slots; s++)
	{
		MlGlmSlot  *slot = &glm->slots[s];

		slot->valid = true;
		slot->deviance = slot->pearson = slot->log_likelihood = 0;
		memset(slot->gradient, 0, q * sizeof(double));
		memset(slot->information, 0, q * q * sizeof(double));
	}
	for (visit.first = 0; visit.first < glm->n_blocks; visit.first += glm->n_slots)
		ML_TRY(ml_pool_run(env, glm->n_slots, visit_task, &visit));

	sums->valid = true;
	sums->deviance = sums->pearson = sums->log_likelihood = 0;
	memset(sums->gradient, 0, q * sizeof(double));
	memset(sums->information, 0, q * q * sizeof(double));
	for (size_t s = 0; s < glm->n_slots; s++)
	{
		const MlGlmSlot *slot = &glm->slots[s];

		sums->valid = sums->valid && slot->valid;
		sums->deviance += slot->deviance;
		sums->pearson += slot->pearson;
		sums->log_likelihood += slot->log_likelihood;
		for (size_t j = 0; j < q; j++)
			sums->gradient[j] += slot->gradient[j];
		for (size_t j = 0; j < q * q; j++)
			sums->information[j] += slot->information[j];
	}
	for (size_t j = 0; j < q; j++)
		sums->valid = sums->valid && isfinite(sums->gradient[j]) && isfinite(sums->information[j * q + j]);
	sums->valid = sums->valid && isfinite(sums->deviance);
	return ML_OK;
}

/* The logarithmic derivative of the gamma function: recurrence up to 6, then the asymptotic series. */
static double
digamma(double x)
{
	double		result = 0;
	double		f;

	for (; x < 6; x += 1)
		result -= 1 / x;
	f = 1 / (x * x);
	return result + log(x) - 0.5 / x - f * (1. / 12 - f * (1. / 120 - f * (1. / 252 - f * (1. / 240 - f * (5. / 660 - f * (691. / 32760 - f / 12))))));
}

static double
trigamma(double x)
{
	double		result = 0;
	double		f;

	for (; x < 6; x += 1)
		result += 1 / (x * x);
	f = 1 / (x * x);
	return result + 1 / x + f / 2 + f / x * (1. / 6 - f * (1. / 30 - f * (1. / 42 - f * (1. / 30 - f * (5. / 66 - f * (691. / 2730 - f * 7. / 6))))));
}

typedef struct Theta
{
	const MlGlm *glm;
	double		theta;
	double	   *first;			/* by block */
	double	   *second;
} Theta;

static void
theta_task(void *arg, size_t block, int thread)
{
	Theta	   *t = arg;
	const MlGlm *glm = t->glm;
	size_t		first = block * glm->block;
	size_t		end = first + glm->block < glm->data->n_train ? first + glm->block : glm->data->n_train;
	double		th = t->theta;
	double		at_theta = digamma(th);
	double		curve = trigamma(th);

	(void) thread;
	for (size_t i = first; i < end; i++)
	{
		double		w = ml_design_weight(glm->design, glm->data, i) * glm->unit_weight;
		double		y = glm->data->y[i];
		double		mu = glm->mean[i];

		if (w == 0)
			continue;
		t->first[block] += w * (digamma(y + th) - at_theta - log1p(mu / th) + (mu - y) / (th + mu));
		t->second[block] += w * (trigamma(y + th) - curve + 1 / th - 2 / (th + mu) + (y + th) / ((th + mu) * (th + mu)));
	}
}

MlStatus
ml_glm_theta_slope(MlEnv *env, const MlGlm *glm, double theta, double *first, double *second)
{
	Theta		t = {.glm = glm, .theta = theta};

	t.first = ml_alloc0(env, glm->n_blocks, sizeof(double));
	t.second = ml_alloc0(env, glm->n_blocks, sizeof(double));
	if (t.first == NULL || t.second == NULL)
		return env->error.status;
	ML_TRY(ml_pool_run(env, glm->n_blocks, theta_task, &t));
	*first = *second = 0;
	for (size_t b = 0; b < glm->n_blocks; b++)
	{
		*first += t.first[b];
		*second += t.second[b];
	}
	return ML_OK;
}
