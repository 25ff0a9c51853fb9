/*-------------------------------------------------------------------------
 * kmeans_mini.c
 *	  k-means by small batches of rows drawn at random (Sculley 2010).
 *
 * Each centre is the mean of the rows that were given to it so far, so that its steps become
 * shorter.  As in scikit-learn: seeding on a sample of three batches, centres that get hardly
 * any rows begin anew at rows of the batch, and the end is where the smoothed inertia
 * of the batches has not become less for a while.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/algo/cluster/kmeans_internal.h"
#include "ml/algo/cluster/nearest.h"
#include "ml/base/arena.h"
#include "ml/base/pool.h"
#include "ml/base/rng.h"

/* So many batches without a lesser inertia end a run. */
#define PATIENCE 10

/* A centre with less than this share of the rows of the heaviest one begins anew. */
#define LEAST_SHARE 0.01

/* Multiplications of a task, about; and rows between two looks at whether the run is canceled. */
#define TASK_WORK ((size_t) 1 << 20)
#define ASK_ROWS 4096

/* Streams of random numbers beside that of the seeding, which is the number of the run. */
#define BATCH_STREAM UINT64_C(0x6261746368)
#define RENEW_STREAM UINT64_C(0x72656e6577)

typedef struct Mini
{
	const MlPoints *points;
	size_t		k;
	size_t		p;
	MlPoints	batch;
	double	   *center;			/* k x p */
	double	   *count;			/* k: weight of the rows given to each so far */
	double	   *sum;			/* k x p, with "gain": of a batch */
	double	   *gain;			/* k */
	int32_t    *label;
	double	   *squared;
	size_t		task_groups;	/* of a batch */
	uint64_t	stream;
} Mini;

/* Row i of the points as row "at" of a batch. */
static void
copy_row(const MlPoints *from, size_t i, MlPoints *to, size_t at)
{
	size_t		p = (size_t) from->p;
	const double *v = from->value + i / ML_LANES * p * ML_LANES + i % ML_LANES;
	double	   *out = to->value + at / ML_LANES * p * ML_LANES + at % ML_LANES;

	for (size_t j = 0; j < p; j++)
		out[j * ML_LANES] = v[j * ML_LANES];
	to->weight[at] = from->weight[i];
	to->total_weight += from->weight[i];
	to->weighted += from->weight[i] > 0;
}

/* n rows drawn with replacement; the random numbers are those of (stream, first ..). */
static MlStatus
draw_rows(MlEnv *env, const MlPoints *from, size_t n, uint64_t stream, uint64_t first, MlPoints *to)
{
	size_t		groups = (n + ML_LANES - 1) / ML_LANES;

	to->n = n;
	to->groups = groups;
	to->p = from->p;
	to->total_weight = 0;
	to->weighted = 0;
	memset(to->value + (groups - 1) * (size_t) from->p * ML_LANES, 0, (size_t) from->p * ML_LANES * sizeof(double));
	memset(to->weight, 0, groups * ML_LANES * sizeof(double));
	for (size_t i = 0; i < n; i++)
	{
		if (i % ASK_ROWS == 0 && ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		copy_row(from, (size_t) (ml_rng_uniform(env->seed, stream, first + i) * (double) from->n), to, i);
	}
	return ML_OK;
}

static MlStatus
new_points(MlEnv *env, size_t n, size_t p, MlPoints *points)
{
	size_t		groups = (n + ML_LANES - 1) / ML_LANES;

	points->value = ml_alloc(env, groups * ML_LANES, p * sizeof(double));
	points->weight = ml_alloc(env, groups, ML_LANES * sizeof(double));
	return env->error.status;
}

size_t
ml_kmeans_mini_sample(size_t n, int32_t k, int batch_size)
{
	size_t		sample = 3 * (size_t) (batch_size > k ? batch_size : k);

	return sample < n ? sample : n;
}

/* First centres, from a sample. */
static MlStatus
begin(MlEnv *env, Mini *m, const MlKmeansSpec *spec, uint64_t run, MlKmeansRoom *room, int32_t *distinct)
{
	size_t		n = ml_kmeans_mini_sample(m->points->n, spec->k, spec->batch_size);
	MlPoints	sample = {0};

	ML_TRY(new_points(env, n, m->p, &sample));
	ML_TRY(draw_rows(env, m->points, n, m->stream, 0, &sample));
	/* A sample of repeated rows, or of weightless ones, says nothing of the whole. */
	if (!spec->plus_plus || sample.weighted < m->k)
		ML_TRY(spec->plus_plus ? ml_kmeans_plus_plus(env, m->points, spec->k, run, room, m->center, distinct)
			   : ml_kmeans_random(env, m->points, spec->k, run, m->center));
	else
		ML_TRY(ml_kmeans_plus_plus(env, &sample, spec->k, run, room, m->center, distinct));
	ml_release(env, sample.value);
	ml_release(env, sample.weight);
	return ML_OK;
}

static void
nearest_task(void *arg, size_t task, int thread)
{
	const Mini *m = arg;
	size_t		first = task * m->task_groups;
	size_t		groups = m->batch.groups - first < m->task_groups ? m->batch.groups - first : m->task_groups;
	size_t		size = m->p * ML_LANES;

	(void) thread;
	ml_nearest_of_groups(m->batch.value + first * size, groups, size, ML_LANES, m->p, m->center, m->k, m->label + first * ML_LANES, m->squared + first * ML_LANES);
}

/* One batch: its rows go to their centres.  inertia (out): the mean squared distance. */
static MlStatus
step(MlEnv *env, Mini *m, double *inertia)
{
	double		total = 0;

	ML_TRY(ml_pool_run(env, (m->batch.groups + m->task_groups - 1) / m->task_groups, nearest_task, m));
	memset(m->sum, 0, m->k * m->p * sizeof(double));
	memset(m->gain, 0, m->k * sizeof(double));
	for (size_t i = 0; i < m->batch.n; i++)
	{
		double		w = m->batch.weight[i];
		size_t		c = (size_t) m->label[i];
		const double *v = m->batch.value + i / ML_LANES * m->p * ML_LANES + i % ML_LANES;

		if (i % ASK_ROWS == 0 && ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		if (!(w > 0))
			continue;
		for (size_t j = 0; j < m->p; j++)
			m->sum[c * m->p + j] += w * v[j * ML_LANES];
		m->gain[c] += w;
		total += w * m->squared[i];
	}
	for (size_t c = 0; c < m->k; c++)
	{
		if (!(m->gain[c] > 0))
			continue;
		for (size_t j = 0; j < m->p; j++)
			m->center[c * m->p + j] = (m->center[c * m->p + j] * m->count[c] + m->sum[c * m->p + j]) / (m->count[c] + m->gain[c]);
		m->count[c] += m->gain[c];
	}
	*inertia = total / m->batch.total_weight;
	return ML_OK;
}

/* Centres that hardly any row goes to move to rows of the batch. */
static void
renew(MlEnv *env, Mini *m, uint64_t number)
{
	double		most = 0;
	double		least = INFINITY;

	for (size_t c = 0; c < m->k; c++)
		most = m->count[c] > most ? m->count[c] : most;
	for (size_t c = 0; c < m->k; c++)
	{
		if (m->count[c] >= LEAST_SHARE * most && m->count[c] < least)
			least = m->count[c];
	}
	for (size_t c = 0; c < m->k; c++)
	{
		size_t		i = (size_t) (ml_rng_uniform(env->seed, m->stream ^ RENEW_STREAM, number * m->k + c) * (double) m->batch.n);

		if (m->count[c] >= LEAST_SHARE * most || !(m->batch.weight[i] > 0))
			continue;
		ml_points_get(&m->batch, i, m->center + c * m->p);
		m->count[c] = least;
	}
}

static MlStatus
allocate(MlEnv *env, Mini *m, size_t batch)
{
	size_t		rows = (batch + ML_LANES - 1) / ML_LANES * ML_LANES;

	ML_TRY(new_points(env, batch, m->p, &m->batch));
	m->count = ml_alloc0(env, m->k, sizeof(double));
	m->sum = ml_alloc(env, m->k, m->p * sizeof(double));
	m->gain = ml_alloc(env, m->k, sizeof(double));
	m->label = ml_alloc(env, rows, sizeof(int32_t));
	m->squared = ml_alloc(env, rows, sizeof(double));
	return env->error.status;
}

MlStatus
ml_kmeans_mini(MlEnv *env, const MlPoints *points, const MlKmeansSpec *spec, uint64_t run, MlKmeansRoom *room,
			   double *center, int32_t *distinct, bool *converged)
{
	Mini		m = {.points = points, .k = (size_t) spec->k, .p = (size_t) points->p, .center = center, .stream = BATCH_STREAM + run};
	size_t		batch = (size_t) spec->batch_size < points->n ? (size_t) spec->batch_size : points->n;
	size_t		steps = (size_t) spec->max_iter * ((points->n + batch - 1) / batch);
	double		smoothed = 0;
	double		least = INFINITY;
	double		keep = (double) batch * 2 / ((double) points->n + 1);
	int			waited = 0;
	size_t		since = 0;

	ML_TRY(begin(env, &m, spec, run, room, distinct));
	ML_TRY(allocate(env, &m, batch));
	m.task_groups = TASK_WORK / (m.k * m.p * ML_LANES) + 1;
	*converged = false;
	keep = keep > 1 ? 1 : keep;
	for (size_t s = 0; s < steps && !*converged; s++)
	{
		double		inertia = 0;

		ML_TRY(draw_rows(env, points, batch, m.stream, (uint64_t) (s + 1) * (uint64_t) batch * 4 + 3 * (uint64_t) batch, &m.batch));
		if (!(m.batch.total_weight > 0))
			continue;
		ML_TRY(step(env, &m, &inertia));
		since += batch;
		if (since >= 10 * m.k)
		{
			since = 0;
			renew(env, &m, s);
		}
		/* The first batches move a lot; they say nothing of how good the centres are. */
		smoothed = isinf(least) && waited == 0 ? inertia : smoothed * (1 - keep) + inertia * keep;
		if (smoothed < least)
		{
			least = smoothed;
			waited = 0;
		}
		else
			*converged = ++waited >= PATIENCE || isnan(smoothed);
	}
	ml_release(env, m.batch.value);
	ml_release(env, m.batch.weight);
	return ML_OK;
}
