/*-------------------------------------------------------------------------
 * silhouette.c
 *	  How well clusters are apart (Rousseeuw 1987).
 *
 * Rows are put in the order of their clusters, each cluster padded to whole groups of
 * ML_LANES rows that lie coordinate by coordinate, so that a distance is
 * arithmetic in eight lanes and a cluster one run of groups.
 *-------------------------------------------------------------------------
 */
#include "ml/eval/silhouette.h"

#include <math.h>

#include "ml/base/arena.h"
#include "ml/base/lanes.h"
#include "ml/base/pool.h"
#include "ml/base/simd.h"

#define TASK_ROWS 32

typedef struct Silhouette
{
	size_t		n;
	size_t		p;
	const double *x;			/* n x p */
	const int32_t *cluster;		/* n, numbered without gaps */
	int32_t		k;
	size_t	   *size;			/* k: rows of each cluster */
	size_t	   *group;			/* k + 1: first group of each */
	double	   *packed;			/* groups x p x ML_LANES */
	double	   *used;			/* groups x ML_LANES: 1, or 0 for padding */
	double	   *mean;			/* threads x k */
	double	   *part;			/* sum of each task */
} Silhouette;

/* Sum of the distances of one row to the rows of groups first .. last-1. */
ML_LANES_INLINE void
distance_sum_body(const Silhouette *s, const double *row, size_t first, size_t last, double *sum)
{
	MlLanes		total = {0};

	for (size_t g = first; g < last; g++)
	{
		const double *block = s->packed + g * s->p * ML_LANES;
		MlLanes		squares = {0};
		MlLanes		used;
		double		d[ML_LANES];

		for (size_t j = 0; j < s->p; j++)
		{
			MlLanes		v;

			ml_lanes_load(&v, block + j * ML_LANES);
			v -= row[j];
			squares += v * v;
		}
		ml_lanes_store(d, &squares);
		for (int l = 0; l < ML_LANES; l++)
			d[l] = sqrt(d[l]);
		ml_lanes_load(&squares, d);
		ml_lanes_load(&used, s->used + g * ML_LANES);
		total += squares * used;
	}
	*sum = ((total[0] + total[4]) + (total[1] + total[5])) + ((total[2] + total[6]) + (total[3] + total[7]));
}

ML_SIMD_TIERS(distance_sum, (const Silhouette *s, const double *row, size_t first, size_t last, double *sum), (s, row, first, last, sum))

/* s(i) from the mean distances to all clusters. */
static double
of_row(const Silhouette *s, size_t i, double *mean)
{
	int32_t		own = s->cluster[i];
	double		a,
				b = INFINITY;

	if (s->size[own] < 2)
		return 0;
	for (int32_t c = 0; c < s->k; c++)
	{
		double		sum;

		ML_SIMD_CALL(distance_sum, (s, s->x + i * s->p, s->group[c], s->group[c + 1], &sum));
		mean[c] = sum / (double) (c == own ? s->size[c] - 1 : s->size[c]);
		if (c != own && mean[c] < b)
			b = mean[c];
	}
	a = mean[own];
	if (!(a > 0 || b > 0))
		return 0;				/* all rows in one place */
	return (b - a) / (a > b ? a : b);
}

static void
silhouette_task(void *arg, size_t task, int thread)
{
	const Silhouette *s = arg;
	size_t		end = (task + 1) * TASK_ROWS < s->n ? (task + 1) * TASK_ROWS : s->n;
	double		sum = 0;

	for (size_t i = task * TASK_ROWS; i < end; i++)
		sum += of_row(s, i, s->mean + (size_t) thread * (size_t) s->k);
	s->part[task] = sum;
}

/* Clusters that have rows, numbered without gaps. */
static MlStatus
number_clusters(MlEnv *env, const int32_t *label, Silhouette *s)
{
	int32_t		highest = 0;
	int32_t    *number;
	int32_t    *cluster = ml_alloc(env, s->n, sizeof(int32_t));

	for (size_t i = 0; i < s->n; i++)
		highest = label[i] > highest ? label[i] : highest;
	number = ml_alloc0(env, (size_t) highest + 1, sizeof(int32_t));
	if (cluster == NULL || number == NULL)
		return env->error.status;
	for (size_t i = 0; i < s->n; i++)
	{
		if (number[label[i]] == 0)
			number[label[i]] = ++s->k;
		cluster[i] = number[label[i]] - 1;
	}
	s->cluster = cluster;
	ml_release(env, number);
	return ML_OK;
}

static MlStatus
pack(MlEnv *env, Silhouette *s)
{
	size_t	   *next = ml_alloc0(env, (size_t) s->k, sizeof(size_t));
	size_t		groups;

	s->size = ml_alloc0(env, (size_t) s->k, sizeof(size_t));
	s->group = ml_alloc0(env, (size_t) s->k + 1, sizeof(size_t));
	if (next == NULL || s->size == NULL || s->group == NULL)
		return env->error.status;
	for (size_t i = 0; i < s->n; i++)
		s->size[s->cluster[i]]++;
	for (int32_t c = 0; c < s->k; c++)
		s->group[c + 1] = s->group[c] + (s->size[c] + ML_LANES - 1) / ML_LANES;
	groups = s->group[s->k];
	s->packed = ml_alloc0(env, groups * ML_LANES, s->p * sizeof(double));
	s->used = ml_alloc0(env, groups, ML_LANES * sizeof(double));
	if (s->packed == NULL || s->used == NULL)
		return env->error.status;
	for (size_t i = 0; i < s->n; i++)
	{
		int32_t		c = s->cluster[i];
		size_t		at = s->group[c] * ML_LANES + next[c]++;
		double	   *block = s->packed + at / ML_LANES * s->p * ML_LANES + at % ML_LANES;

		for (size_t j = 0; j < s->p; j++)
			block[j * ML_LANES] = s->x[i * s->p + j];
		s->used[at] = 1;
	}
	return ML_OK;
}

MlStatus
ml_silhouette(MlEnv *env, size_t n, size_t p, const double *x, const int32_t *label, double *value)
{
	Silhouette	s = {.n = n, .p = p, .x = x};
	size_t		tasks = (n + TASK_ROWS - 1) / TASK_ROWS;
	double		sum = 0;

	*value = NAN;
	if (n < 3)
		return ML_OK;
	ML_TRY(number_clusters(env, label, &s));
	if (s.k < 2 || (size_t) s.k >= n)
		return ML_OK;
	ML_TRY(pack(env, &s));
	s.mean = ml_alloc(env, (size_t) ml_pool_threads(env->pool) * (size_t) s.k, sizeof(double));
	s.part = ml_alloc(env, tasks, sizeof(double));
	if (s.mean == NULL || s.part == NULL)
		return env->error.status;
	ML_TRY(ml_pool_run(env, tasks, silhouette_task, &s));
	for (size_t t = 0; t < tasks; t++)
		sum += s.part[t];
	*value = sum / (double) n;
	ml_release(env, s.packed);
	return ML_OK;
}
