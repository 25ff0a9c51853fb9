/*-------------------------------------------------------------------------
 * kmeans_seed.c
 *	  Where k-means begins: greedy k-means++ (Arthur, Vassilvitskii 2007).
 *
 * Each next centre is a row drawn with a probability that grows with its squared distance to
 * the centres so far; of 2 + log k such draws the one that leaves the least
 * inertia is taken, as in scikit-learn.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/algo/cluster/kmeans_internal.h"
#include "ml/algo/cluster/nearest.h"
#include "ml/base/arena.h"
#include "ml/base/elementary.h"
#include "ml/base/pool.h"
#include "ml/base/rng.h"

typedef struct Seeding
{
	const MlPoints *points;
	double	   *closest;		/* of each row: squared distance to the nearest centre so far */
	const double *candidate;	/* trials x p */
	int			trials;
	double	   *potential;		/* chunks x trials */
	bool		keep;			/* one candidate, which is taken */
} Seeding;

/* What is left of the inertia in one chunk with each candidate as the next centre. */
static void
seed_task(void *arg, size_t chunk, int thread)
{
	Seeding    *s = arg;
	const MlPoints *points = s->points;
	size_t		p = (size_t) points->p;
	size_t		first = chunk * ML_KMEANS_CHUNK;
	size_t		last = first + ML_KMEANS_CHUNK < points->groups ? first + ML_KMEANS_CHUNK : points->groups;
	double		squared[ML_LANES];

	(void) thread;
	for (int t = 0; t < s->trials; t++)
	{
		double		sum = 0;

		for (size_t g = first; g < last; g++)
		{
			double	   *closest = s->closest + g * ML_LANES;
			const double *weight = points->weight + g * ML_LANES;

			ml_distance_of_groups(points->value + g * p * ML_LANES, 1, p, s->candidate + (size_t) t * p, squared);
			for (int l = 0; l < ML_LANES; l++)
			{
				double		d = squared[l] < closest[l] ? squared[l] : closest[l];

				sum += weight[l] > 0 ? weight[l] * d : 0;
				if (s->keep)
					closest[l] = d;
			}
		}
		s->potential[chunk * (size_t) s->trials + (size_t) t] = sum;
	}
}

static double
potential_of(const Seeding *s, size_t chunks, int trial)
{
	double		sum = 0;

	for (size_t c = 0; c < chunks; c++)
		sum += s->potential[c * (size_t) s->trials + (size_t) trial];
	return sum;
}

/* The row at which the running sum of value (by row) passes "at"; the last one that counts for rounding's sake. */
static size_t
row_at(const MlPoints *points, const double *closest, const double *chunk_sum, double at)
{
	size_t		chunks = ml_kmeans_chunks(points);
	size_t		chunk = 0;
	size_t		last = 0;
	double		sum = 0;

	while (chunk + 1 < chunks && sum + chunk_sum[chunk] <= at)
		sum += chunk_sum[chunk++];
	for (size_t i = chunk * ML_KMEANS_CHUNK * ML_LANES; i < points->n; i++)
	{
		double		v = points->weight[i] > 0 ? points->weight[i] * (closest == NULL ? 1 : closest[i]) : 0;

		if (!(v > 0))
			continue;
		last = i;
		sum += v;
		if (sum > at)
			return i;
	}
	return last;
}

/* A row drawn by weight alone. */
static size_t
any_row(const MlPoints *points, double u)
{
	double		at = u * points->total_weight;
	double		sum = 0;
	size_t		last = 0;

	for (size_t i = 0; i < points->n; i++)
	{
		if (!(points->weight[i] > 0))
			continue;
		last = i;
		sum += points->weight[i];
		if (sum > at)
			return i;
	}
	return last;
}

/* Takes center as the next one: closest and the sums of the chunks follow. */
static MlStatus
take(MlEnv *env, Seeding *s, const double *center, double *total)
{
	size_t		chunks = ml_kmeans_chunks(s->points);

	s->candidate = center;
	s->trials = 1;
	s->keep = true;
	ML_TRY(ml_pool_run(env, chunks, seed_task, s));
	*total = potential_of(s, chunks, 0);
	return ML_OK;
}

/* The best of some draws into center. */
static MlStatus
draw(MlEnv *env, Seeding *s, double *candidate, int trials, double total, uint64_t stream, uint64_t number, double *center)
{
	const MlPoints *points = s->points;
	size_t		p = (size_t) points->p;
	size_t		chunks = ml_kmeans_chunks(points);
	int			best = 0;
	double		least = INFINITY;

	for (int t = 0; t < trials; t++)
	{
		double		u = ml_rng_uniform(env->seed, stream, number * 1000 + (uint64_t) t);

		ml_points_get(points, row_at(points, s->closest, s->potential, u * total), candidate + (size_t) t * p);
	}
	s->candidate = candidate;
	s->trials = trials;
	s->keep = false;
	ML_TRY(ml_pool_run(env, chunks, seed_task, s));
	for (int t = 0; t < trials; t++)
	{
		double		left = potential_of(s, chunks, t);

		if (left < least)
		{
			least = left;
			best = t;
		}
	}
	memcpy(center, candidate + (size_t) best * p, p * sizeof(double));
	return ML_OK;
}

MlStatus
ml_kmeans_plus_plus(MlEnv *env, const MlPoints *points, int32_t k, uint64_t stream, MlKmeansRoom *room, double *center, int32_t *distinct)
{
	Seeding		s = {.points = points, .closest = room->squared, .potential = room->potential};
	size_t		p = (size_t) points->p;
	int			trials = ml_kmeans_trials(k);
	double		total;

	for (size_t i = 0; i < points->groups * ML_LANES; i++)
		s.closest[i] = INFINITY;
	ml_points_get(points, any_row(points, ml_rng_uniform(env->seed, stream, 0)), center);
	ML_TRY(take(env, &s, center, &total));
	*distinct = 1;
	for (int32_t c = 1; c < k; c++)
	{
		double	   *next = center + (size_t) c * p;

		if (total > 0 && isfinite(total))
		{
			ML_TRY(draw(env, &s, room->candidate, trials, total, stream, (uint64_t) c, next));
			++*distinct;
		}
		else if (total > 0)
		{
			/* Squares beyond the range of a double: nothing to be told apart by distance. */
			ml_points_get(points, any_row(points, ml_rng_uniform(env->seed, stream, (uint64_t) c * 1000)), next);
			++*distinct;
		}
		else
			memcpy(next, center, p * sizeof(double));
		ML_TRY(take(env, &s, next, &total));
	}
	return ML_OK;
}

MlStatus
ml_kmeans_random(MlEnv *env, const MlPoints *points, int32_t k, uint64_t stream, double *center)
{
	size_t		left = points->weighted;
	size_t		needed = (size_t) k;

	/* Knuth, algorithm S: k different rows. */
	for (size_t i = 0; i < points->n && needed > 0; i++)
	{
		if (!(points->weight[i] > 0))
			continue;
		if (ml_rng_uniform(env->seed, stream, i) * (double) left < (double) needed)
			ml_points_get(points, i, center + ((size_t) k - needed--) * (size_t) points->p);
		left--;
	}
	return ML_OK;
}
