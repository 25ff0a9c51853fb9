/*-------------------------------------------------------------------------
 * gmm_fit.c
 *	  A mixture of Gaussians by expectation maximisation (Dempster, Laird, Rubin 1977).
 *
 * One pass over the rows does both steps: with a row's memberships at hand, its deviations from
 * the present means are added up at once, and the new covariances follow from the moments
 * about the old means.  Deviations are small where values may be large, so little is lost.
 * Rows are dealt to a fixed number of slots, as for k-means, so threads do not matter.
 *-------------------------------------------------------------------------
 */
#include "ml/algo/cluster/gmm_fit.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "ml/algo/cluster/kmeans_fit.h"
#include "ml/base/arena.h"
#include "ml/base/elementary.h"
#include "ml/base/pool.h"
#include "ml/base/simd.h"

/* Groups of ML_LANES rows that go through both steps together. */
#define BLOCK 16

/* One task's work, in multiplications: some milliseconds. */
#define TASK_WORK ((size_t) 1 << 24)

#define MAX_SLOTS 16
#define MIN_SLOTS 4
#define SLOT_DOUBLES ((size_t) 1 << 23)

typedef struct Em
{
	MlEnv	   *env;
	const MlPoints *points;
	const MlGmmSpec *spec;
	MlGaussians g;
	double	   *covariance;		/* as many as g.factor */
	double	   *work;			/* p x p */
	size_t		k;
	size_t		p;
	size_t		moments;		/* doubles of a slot: by component weight, first and second moments; log-likelihood */
	size_t		seconds;		/* second moments of a component */
	size_t		slots;
	size_t		task_groups;
	size_t		wave;
	double	   *sums;			/* slots x moments */
	double	   *scratch;		/* threads x scratch_size */
	size_t		scratch_size;
	const int32_t *label;		/* first step: memberships are 0 and 1 */
	double	   *total;			/* tied: second moments of all rows about "origin", triangle */
	double	   *origin;			/* p */
	double	   *history;		/* max_iter */
} Em;

/* What is added up of one component besides its weight: p first moments and these. */
static size_t
second_moments(MlCovariance kind, size_t p)
{
	return kind == ML_COVARIANCE_FULL ? p * (p + 1) / 2 : kind == ML_COVARIANCE_TIED ? 0 : p;
}

static size_t
slots_of(size_t moments)
{
	size_t		slots = SLOT_DOUBLES / moments;

	return slots > MAX_SLOTS ? MAX_SLOTS : slots < MIN_SLOTS ? MIN_SLOTS : slots;
}

static size_t
scratch_of(size_t k, size_t p)
{
	/* densities, memberships of a block; deviations, twice */
	return ml_gaussians_scratch(k, p) + (k + 1 + 2 * p) * BLOCK * ML_LANES;
}

static inline double
sum_of_lanes(const MlLanes *v)
{
	return (((*v)[0] + (*v)[4]) + ((*v)[1] + (*v)[5])) + (((*v)[2] + (*v)[6]) + ((*v)[3] + (*v)[7]));
}

/* -- moments ---------------------------------------------------------------- */

/* Adds the first moments of a block, and second ones by coordinate where seconds is not NULL. */
ML_LANES_INLINE void
add_moments_body(const double *value, size_t groups, size_t p, const double *weight, const double *mean, double *first, double *second)
{
	for (size_t j = 0; j < p; j++)
	{
		MlLanes		one = {0};
		MlLanes		two = {0};

		for (size_t g = 0; g < groups; g++)
		{
			MlLanes		d;
			MlLanes		w;

			ml_lanes_load(&d, value + (g * p + j) * ML_LANES);
			ml_lanes_load(&w, weight + g * ML_LANES);
			d -= mean[j];
			w *= d;
			one += w;
			two += w * d;
		}
		first[j] += sum_of_lanes(&one);
		if (second != NULL)
			second[j] += sum_of_lanes(&two);
	}
}

ML_SIMD_TIERS(add_moments, (const double *value, size_t groups, size_t p, const double *weight, const double *mean, double *first, double *second),
			  (value, groups, p, weight, mean, first, second))

/* Adds products of deviations, triangle column by column; d and wd: room for p x BLOCK x ML_LANES each. */
ML_LANES_INLINE void
add_products_body(const double *value, size_t groups, size_t p, const double *weight, const double *mean, double *d, double *wd, double *second)
{
	enum {TILE = 4};

	for (size_t j = 0; j < p; j++)
	{
		for (size_t g = 0; g < groups; g++)
		{
			MlLanes		v;
			MlLanes		w;

			ml_lanes_load(&v, value + (g * p + j) * ML_LANES);
			ml_lanes_load(&w, weight + g * ML_LANES);
			v -= mean[j];
			w *= v;
			ml_lanes_store(d + (j * BLOCK + g) * ML_LANES, &v);
			ml_lanes_store(wd + (j * BLOCK + g) * ML_LANES, &w);
		}
	}
	for (size_t j = 0; j < p; j++)
	{
		double	   *column = second + j * (j + 1) / 2;

		for (size_t i = 0; i <= j; i += TILE)
		{
			size_t		n = j + 1 - i < TILE ? j + 1 - i : TILE;
			MlLanes		sum[TILE] = {{0}};

			for (size_t g = 0; g < groups; g++)
			{
				MlLanes		w;

				ml_lanes_load(&w, wd + (j * BLOCK + g) * ML_LANES);
				for (size_t t = 0; t < n; t++)
				{
					MlLanes		v;

					ml_lanes_load(&v, d + ((i + t) * BLOCK + g) * ML_LANES);
					sum[t] += w * v;
				}
			}
			for (size_t t = 0; t < n; t++)
				column[i + t] += sum_of_lanes(&sum[t]);
		}
	}
}

ML_SIMD_TIERS(add_products, (const double *value, size_t groups, size_t p, const double *weight, const double *mean, double *d, double *wd, double *second),
			  (value, groups, p, weight, mean, d, wd, second))

/* -- one pass --------------------------------------------------------------- */

/* Memberships of a block times the rows' weights (k x BLOCK x ML_LANES), and its part of the log-likelihood. */
static double
expect(const Em *em, size_t first, size_t groups, double *membership, double *scratch)
{
	double		sum = 0;

	for (size_t g = 0; g < groups; g++)
	{
		const double *weight = em->points->weight + (first + g) * ML_LANES;
		double	   *own = scratch + (em->p + em->k) * ML_LANES;	/* behind what ml_gaussians_group uses */
		double		density[ML_LANES];

		if (em->label == NULL)
			ml_gaussians_group(&em->g, em->points->value + (first + g) * em->p * ML_LANES, ML_LANES, own, density, scratch);
		for (size_t c = 0; c < em->k; c++)
		{
			double	   *to = membership + (c * BLOCK + g) * ML_LANES;

			for (int l = 0; l < ML_LANES; l++)
				to[l] = weight[l] * (em->label != NULL ? (size_t) em->label[(first + g) * ML_LANES + (size_t) l] == c : own[c * ML_LANES + (size_t) l]);
		}
		for (int l = 0; l < ML_LANES && em->label == NULL; l++)
			sum += weight[l] > 0 ? weight[l] * density[l] : 0;
	}
	return sum;
}

static void
add_block(const Em *em, size_t first, size_t groups, double *sums, double *scratch)
{
	const double *value = em->points->value + first * em->p * ML_LANES;
	double	   *membership = scratch + ml_gaussians_scratch(em->k, em->p);
	double	   *d = membership + (em->k + 1) * BLOCK * ML_LANES;
	double	   *wd = d + em->p * BLOCK * ML_LANES;
	size_t		width = 1 + em->p + em->seconds;

	sums[em->moments - 1] += expect(em, first, groups, membership, scratch);
	for (size_t c = 0; c < em->k; c++)
	{
		const double *weight = membership + c * BLOCK * ML_LANES;
		const double *mean = em->g.mean + c * em->p;
		double	   *own = sums + c * width;
		double	   *second = own + 1 + em->p;
		double		sum = 0;

		for (size_t i = 0; i < groups * ML_LANES; i++)
			sum += weight[i];
		own[0] += sum;
		ML_SIMD_CALL(add_moments, (value, groups, em->p, weight, mean, own + 1, em->seconds == em->p ? second : NULL));
		if (em->spec->kind == ML_COVARIANCE_FULL)
			ML_SIMD_CALL(add_products, (value, groups, em->p, weight, mean, d, wd, second));
	}
}

static void
em_task(void *arg, size_t slot, int thread)
{
	const Em   *em = arg;
	size_t		first = (em->wave * em->slots + slot) * em->task_groups;
	size_t		last = first + em->task_groups < em->points->groups ? first + em->task_groups : em->points->groups;

	for (size_t g = first; g < last; g += BLOCK)
		add_block(em, g, last - g < BLOCK ? last - g : BLOCK, em->sums + slot * em->moments, em->scratch + (size_t) thread * em->scratch_size);
}

/* Tied: products of all rows about the origin, into the sums of the slot. */
static void
total_task(void *arg, size_t slot, int thread)
{
	const Em   *em = arg;
	size_t		first = (em->wave * em->slots + slot) * em->task_groups;
	size_t		last = first + em->task_groups < em->points->groups ? first + em->task_groups : em->points->groups;
	double	   *d = em->scratch + (size_t) thread * em->scratch_size;

	for (size_t g = first; g < last; g += BLOCK)
		ML_SIMD_CALL(add_products, (em->points->value + g * em->p * ML_LANES, last - g < BLOCK ? last - g : BLOCK, em->p,
									em->points->weight + g * ML_LANES, em->origin, d, d + em->p * BLOCK * ML_LANES,
									em->sums + slot * (em->p * (em->p + 1) / 2)));
}

/* Runs a task over all rows and joins the slots' sums (width doubles each) in the first one. */
static MlStatus
pass(Em *em, MlTask_fn task, size_t width)
{
	size_t		span = em->slots * em->task_groups;

	memset(em->sums, 0, em->slots * width * sizeof(double));
	for (em->wave = 0; em->wave * span < em->points->groups; em->wave++)
	{
		size_t		left = em->points->groups - em->wave * span;
		size_t		tasks = (left + em->task_groups - 1) / em->task_groups;

		ML_TRY(ml_pool_run(em->env, tasks < em->slots ? tasks : em->slots, task, em));
	}
	for (size_t s = 1; s < em->slots; s++)
		for (size_t i = 0; i < width; i++)
			em->sums[i] += em->sums[s * width + i];
	return ML_OK;
}

/* -- new parameters --------------------------------------------------------- */

/* The covariance of component c from moments about its old mean; shift: how far the mean moves. */
static void
covariance_of(Em *em, size_t c, const double *second, const double *shift, double weight)
{
	size_t		p = em->p;
	double		sum = 0;

	switch (em->spec->kind)
	{
		case ML_COVARIANCE_FULL:
			for (size_t j = 0; j < p; j++)
				for (size_t i = 0; i <= j; i++)
					em->covariance[c * em->seconds + j * (j + 1) / 2 + i] =
						second[j * (j + 1) / 2 + i] / weight - shift[i] * shift[j] + (i == j ? em->spec->reg_covar : 0);
			return;
		case ML_COVARIANCE_TIED:
			for (size_t j = 0; j < p; j++)
				for (size_t i = 0; i <= j; i++)
					em->covariance[j * (j + 1) / 2 + i] -= weight * (em->g.mean[c * p + i] - em->origin[i]) * (em->g.mean[c * p + j] - em->origin[j]);
			return;
		default:
			for (size_t j = 0; j < p; j++)
			{
				double		variance = second[j] / weight - shift[j] * shift[j];

				variance = (variance > 0 ? variance : 0) + em->spec->reg_covar;
				if (em->spec->kind == ML_COVARIANCE_DIAG)
					em->covariance[c * p + j] = variance;
				sum += variance;
			}
			if (em->spec->kind == ML_COVARIANCE_SPHERICAL)
				em->covariance[c] = sum / (double) p;
	}
}

static MlStatus
ill_defined(MlEnv *env)
{
	ml_fail(env, ML_OUT_OF_RANGE, "a component of the mixture has no proper covariance any more");
	return ml_hint(env, "Too few rows may be left in it, or columns depend on each other: use fewer components, a greater reg_covar, or covariance_type \"diag\".");
}

static MlStatus
maximise(Em *em)
{
	size_t		p = em->p;
	size_t		width = 1 + p + em->seconds;
	size_t		triangle = p * (p + 1) / 2;
	double		total = 0;
	bool		proper;

	if (em->spec->kind == ML_COVARIANCE_TIED)
		memcpy(em->covariance, em->total, triangle * sizeof(double));
	for (size_t c = 0; c < em->k; c++)
		total += em->sums[c * width] + 10 * DBL_EPSILON;
	for (size_t c = 0; c < em->k; c++)
	{
		double	   *own = em->sums + c * width;
		double		weight = own[0] + 10 * DBL_EPSILON;

		for (size_t j = 0; j < p; j++)
		{
			own[1 + j] /= weight;
			em->g.mean[c * p + j] += own[1 + j];
		}
		em->g.weight[c] = weight / total;
		covariance_of(em, c, own + 1 + p, own + 1, weight);
	}
	if (em->spec->kind == ML_COVARIANCE_TIED)
	{
		for (size_t j = 0; j < p; j++)
			for (size_t i = 0; i <= j; i++)
			{
				double	   *v = &em->covariance[j * (j + 1) / 2 + i];

				*v = *v / em->points->total_weight + (i == j ? em->spec->reg_covar : 0);
			}
	}
	ML_TRY(ml_gaussians_factorise(em->env, &em->g, em->covariance, em->work, &proper));
	return proper ? ML_OK : ill_defined(em->env);
}

/* -- runs ------------------------------------------------------------------- */

/* Means of the first clusters, and the mixture that follows from them. */
static MlStatus
begin(Em *em, int run)
{
	MlEnv	   *env = em->env;
	MlKmeansSpec spec = {.k = em->spec->k, .n_init = 1, .max_iter = em->spec->kmeans ? 300 : 1, .tol = em->spec->kmeans_tol, .plus_plus = em->spec->kmeans};
	MlKmeansResult clusters;
	uint64_t	seed = env->seed;
	MlStatus	status;

	if (em->spec->label != NULL)
	{
		em->label = em->spec->label;
		memset(em->g.mean, 0, em->k * em->p * sizeof(double));
	}
	else
	{
		/* Each run begins elsewhere. */
		env->seed = seed + UINT64_C(0x9E3779B97F4A7C15) * (uint64_t) run;
		status = ml_kmeans_fit(env, em->points, &spec, &clusters);
		env->seed = seed;
		ML_TRY(status);
		memcpy(em->g.mean, clusters.center, em->k * em->p * sizeof(double));
		em->label = clusters.label;
	}
	ML_TRY(pass(em, em_task, em->moments));
	if (em->spec->label == NULL)
		ml_release(env, clusters.label);
	em->label = NULL;
	return maximise(em);
}

static MlStatus
run_once(Em *em, int run, double *likelihood, int *iterations, bool *converged)
{
	double		before = -INFINITY;

	ML_TRY(begin(em, run));
	*converged = false;
	for (*iterations = 0; *iterations < em->spec->max_iter && !*converged; ++*iterations)
	{
		MlProgress	progress = {.phase = "fit", .iteration = *iterations + 1, .iterations = em->spec->max_iter, .validation_loss = NAN,
			.share = (run + (double) *iterations / em->spec->max_iter) / em->spec->n_init};

		ML_TRY(pass(em, em_task, em->moments));
		*likelihood = em->sums[em->moments - 1] / em->points->total_weight;
		if (isnan(*likelihood))
			return ill_defined(em->env);
		ML_TRY(maximise(em));
		em->history[*iterations] = *likelihood;
		progress.train_loss = -*likelihood;
		ml_progress(em->env, &progress);
		*converged = fabs(*likelihood - before) < em->spec->tol;
		before = *likelihood;
	}
	return ML_OK;
}

static MlStatus
new_mixture(MlEnv *env, MlCovariance kind, size_t k, size_t p, MlGaussians *g)
{
	*g = (MlGaussians) {.kind = kind, .k = k, .p = p};
	g->weight = ml_alloc(env, k, sizeof(double));
	g->mean = ml_alloc(env, k, p * sizeof(double));
	g->factor = ml_alloc(env, ml_gaussians_factors(kind, k, p), sizeof(double));
	g->constant = ml_alloc(env, k, sizeof(double));
	return env->error.status;
}

static MlStatus
allocate(Em *em)
{
	MlEnv	   *env = em->env;
	size_t		triangle = em->p * (em->p + 1) / 2;

	ML_TRY(new_mixture(env, em->spec->kind, em->k, em->p, &em->g));
	em->covariance = ml_alloc(env, ml_gaussians_factors(em->spec->kind, em->k, em->p), sizeof(double));
	em->work = ml_alloc(env, em->p * em->p, sizeof(double));
	em->sums = ml_alloc(env, em->slots, (em->moments > triangle ? em->moments : triangle) * sizeof(double));
	em->scratch = ml_alloc(env, (size_t) ml_pool_threads(env->pool), em->scratch_size * sizeof(double));
	em->total = ml_alloc(env, triangle, sizeof(double));
	em->origin = ml_alloc(env, em->p, sizeof(double));
	em->history = ml_alloc(env, (size_t) em->spec->max_iter, sizeof(double));
	return env->error.status;
}

/* Tied covariances need the products of all rows, which never change. */
static MlStatus
sum_products(Em *em)
{
	size_t		triangle = em->p * (em->p + 1) / 2;

	if (em->spec->kind != ML_COVARIANCE_TIED)
		return ML_OK;
	/* About the first row: near enough to where the rows are. */
	ml_points_get(em->points, 0, em->origin);
	ML_TRY(pass(em, total_task, triangle));
	memcpy(em->total, em->sums, triangle * sizeof(double));
	return ML_OK;
}

/* Components in the order of falling weight. */
static void
keep(const Em *em, MlGaussians *best)
{
	size_t		each = em->spec->kind == ML_COVARIANCE_TIED ? 0 : ml_gaussians_factors(em->spec->kind, em->k, em->p) / em->k;
	size_t		order[ML_GMM_MAX_COMPONENTS];

	for (size_t c = 0; c < em->k; c++)
	{
		size_t		at = c;

		for (; at > 0 && em->g.weight[order[at - 1]] < em->g.weight[c]; at--)
			order[at] = order[at - 1];
		order[at] = c;
	}
	for (size_t r = 0; r < em->k; r++)
	{
		size_t		c = order[r];

		best->weight[r] = em->g.weight[c];
		best->constant[r] = em->g.constant[c];
		memcpy(best->mean + r * em->p, em->g.mean + c * em->p, em->p * sizeof(double));
		memcpy(best->factor + r * each, em->g.factor + c * each, each * sizeof(double));
	}
	if (each == 0)
		memcpy(best->factor, em->g.factor, em->p * (em->p + 1) / 2 * sizeof(double));
}

MlStatus
ml_gmm_fit(MlEnv *env, const MlPoints *points, const MlGmmSpec *spec, MlGmmResult *result)
{
	Em			em = {.env = env, .points = points, .spec = spec, .k = (size_t) spec->k, .p = (size_t) points->p};
	size_t		work;
	double	   *history = ml_alloc(env, (size_t) spec->max_iter, sizeof(double));

	em.seconds = second_moments(spec->kind, em.p);
	em.moments = em.k * (1 + em.p + em.seconds) + 1;
	em.slots = slots_of(em.moments);
	em.scratch_size = scratch_of(em.k, em.p);
	work = em.k * (em.p + (spec->kind == ML_COVARIANCE_FULL ? em.p * em.p : spec->kind == ML_COVARIANCE_TIED ? em.p * em.p / 2 : 0)) * 8 * ML_LANES;
	em.task_groups = TASK_WORK / work + 1;
	if (em.task_groups * em.slots > points->groups)
		em.task_groups = (points->groups + em.slots - 1) / em.slots;
	if (history == NULL)
		return env->error.status;
	if (points->weighted < em.k)
	{
		ml_fail(env, ML_BAD_DATA, "%d components cannot be made of %zu rows", spec->k, points->weighted);
		return ml_hint(env, "Ask for fewer components, or give more rows.");
	}
	ML_TRY(allocate(&em));
	ML_TRY(new_mixture(env, spec->kind, em.k, em.p, &result->mixture));
	ML_TRY(sum_products(&em));
	for (int run = 0; run < spec->n_init; run++)
	{
		double		likelihood = -INFINITY;
		int			iterations;
		bool		converged;

		ML_TRY(run_once(&em, run, &likelihood, &iterations, &converged));
		if (run > 0 && !(likelihood > result->log_likelihood))
			continue;
		result->log_likelihood = likelihood;
		result->iterations = iterations;
		result->converged = converged;
		memcpy(history, em.history, (size_t) iterations * sizeof(double));
		keep(&em, &result->mixture);
	}
	for (int i = 0; i < result->iterations; i++)
		ml_history(env, i + 1, "train", "log_likelihood", history[i]);
	if (!result->converged)
		ml_warn(env, "the mixture has not converged after %d iterations: a greater max_iter lets it go on", spec->max_iter);
	ml_release(env, em.sums);
	return ML_OK;
}

size_t
ml_gmm_memory(size_t n, size_t p, const MlGmmSpec *spec, int threads)
{
	size_t		k = (size_t) spec->k;
	MlCovariance kind = spec->kind;
	size_t		triangle = p * (p + 1) / 2;
	size_t		moments = k * (1 + p + second_moments(kind, p)) + 1;
	size_t		sums = slots_of(moments) * (moments > triangle ? moments : triangle);
	size_t		total = ml_kmeans_memory(n, p, k, 300);
	size_t		doubles = sums + (size_t) threads * scratch_of(k, p) + triangle + p * p + 3 * ml_gaussians_factors(kind, k, p) +
		3 * k * (p + 3) + 2 * (size_t) spec->max_iter + p +
		(size_t) spec->n_init * (8 * k * (p + 2) + 16384);

	/* k-means is run once for each beginning; small pieces of its memory are not given back. */
	if (!ml_add_size(total, doubles * sizeof(double) + 65536, &total))
		return SIZE_MAX;
	return total;
}
