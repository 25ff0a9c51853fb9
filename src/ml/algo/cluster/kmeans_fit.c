/*-------------------------------------------------------------------------
 * kmeans_fit.c
 *	  Lloyd's iteration (Lloyd 1982), in the steps of scikit-learn.
 *
 * Rows are dealt to a fixed number of slots, whatever the number of threads; each slot adds up its
 * rows in order, and slots are joined in order.
 *-------------------------------------------------------------------------
 */
#include "ml/algo/cluster/kmeans_fit.h"

#include <math.h>
#include <string.h>

#include "ml/algo/cluster/kmeans_bounds.h"
#include "ml/algo/cluster/kmeans_internal.h"
#include "ml/algo/cluster/nearest.h"
#include "ml/base/arena.h"
#include "ml/base/pool.h"

/* One task's work, in coordinates compared: some milliseconds. */
#define TASK_WORK ((size_t) 1 << 24)

/* Bounds begin when less than one group of rows of so many has changed, and end when more than one row of so many is not decided. */
#define FEW_CHANGES 8
#define MOST_DOUBTS 4

#define MAX_SLOTS 32
#define MIN_SLOTS 4

/* Doubles of all slots' sums together, roughly. */
#define SLOT_DOUBLES ((size_t) 1 << 23)

typedef struct Lloyd
{
	MlEnv	   *env;
	const MlPoints *points;
	const MlKmeansSpec *spec;
	size_t		k;
	size_t		p;
	size_t		slots;
	size_t		task_groups;
	size_t		wave;
	double	   *center;			/* k x p */
	double	   *next;			/* k x p, with "weight": the sums of all slots, then the new centres */
	double	   *weight;			/* k */
	double	   *sums;			/* slots x k x (p + 1): sums of rows, then of weights */
	double	   *inertia;		/* slots */
	size_t	   *changed;		/* slots: groups of rows of which some have another cluster than before */
	int32_t    *label;			/* groups x ML_LANES */
	double	   *squared;		/* groups x ML_LANES */
	double	   *history;		/* max_iter */
	size_t	   *farthest;		/* k: rows for clusters that have lost theirs */
	double	   *row;			/* p */
	int32_t    *order;			/* k: clusters by falling weight */
	int32_t    *rank;			/* k */
	MlBounds   *bounds;			/* NULL: every row is compared with every centre */
	bool		bounded;		/* this pass uses them */
	bool		fresh;			/* the one before did not */
	bool		gave_up;		/* they did not decide enough in this run */
	size_t	   *doubts;			/* slots: rows that they did not decide */
} Lloyd;

static size_t
slots_of(size_t k, size_t p)
{
	size_t		slots = SLOT_DOUBLES / (k * (p + 1));

	return slots > MAX_SLOTS ? MAX_SLOTS : slots < MIN_SLOTS ? MIN_SLOTS : slots;
}

/* -- one iteration ---------------------------------------------------------- */

static void
add_group(Lloyd *w, size_t g, const int32_t *label, double *sums, double *inertia)
{
	const double *rows = w->points->value + g * w->p * ML_LANES;
	const double *weight = w->points->weight + g * ML_LANES;

	for (int l = 0; l < ML_LANES; l++)
	{
		double	   *sum = sums + (size_t) label[l] * (w->p + 1);
		double		v = weight[l];

		if (!(v > 0))
			continue;
		for (size_t j = 0; j < w->p; j++)
			sum[j] += v * rows[j * ML_LANES + (size_t) l];
		sum[w->p] += v;
		*inertia += v * w->squared[g * ML_LANES + (size_t) l];
	}
}

static void
assign_task(void *arg, size_t slot, int thread)
{
	Lloyd	   *w = arg;
	size_t		first = (w->wave * w->slots + slot) * w->task_groups;
	size_t		last = first + w->task_groups < w->points->groups ? first + w->task_groups : w->points->groups;
	double	   *sums = w->sums + slot * w->k * (w->p + 1);
	int32_t		label[ML_LANES];

	(void) thread;
	for (size_t g = first; g < last; g++)
	{
		int32_t    *before = w->label + g * ML_LANES;

		if (w->bounded)
		{
			memcpy(label, before, sizeof(label));
			w->doubts[slot] += (size_t) ml_bounds_nearest(w->bounds, w->points, g, w->center, label, w->squared + g * ML_LANES);
		}
		else
			ml_nearest_of_groups(w->points->value + g * w->p * ML_LANES, 1, 0, ML_LANES, w->p, w->center, w->k, label, w->squared + g * ML_LANES);
		if (memcmp(before, label, sizeof(label)) != 0)
		{
			w->changed[slot]++;
			memcpy(before, label, sizeof(label));
		}
		add_group(w, g, label, sums, &w->inertia[slot]);
	}
}

/* Labels by the present centres, and the sums of the rows of each cluster. */
static MlStatus
assign(Lloyd *w, double *inertia, size_t *changed)
{
	size_t		span = w->slots * w->task_groups;

	if (w->bounded)
		ML_TRY(ml_bounds_begin(w->env, w->bounds, w->center, w->fresh));
	memset(w->doubts, 0, w->slots * sizeof(size_t));
	memset(w->sums, 0, w->slots * w->k * (w->p + 1) * sizeof(double));
	memset(w->inertia, 0, w->slots * sizeof(double));
	memset(w->changed, 0, w->slots * sizeof(size_t));
	for (w->wave = 0; w->wave * span < w->points->groups; w->wave++)
	{
		size_t		left = w->points->groups - w->wave * span;
		size_t		tasks = (left + w->task_groups - 1) / w->task_groups;

		ML_TRY(ml_pool_run(w->env, tasks < w->slots ? tasks : w->slots, assign_task, w));
	}
	*inertia = 0;
	*changed = 0;
	memset(w->next, 0, w->k * w->p * sizeof(double));
	memset(w->weight, 0, w->k * sizeof(double));
	for (size_t s = 0; s < w->slots; s++)
	{
		const double *sums = w->sums + s * w->k * (w->p + 1);

		for (size_t c = 0; c < w->k; c++)
		{
			for (size_t j = 0; j < w->p; j++)
				w->next[c * w->p + j] += sums[c * (w->p + 1) + j];
			w->weight[c] += sums[c * (w->p + 1) + w->p];
		}
		*inertia += w->inertia[s];
		*changed += w->changed[s];
	}
	return ML_OK;
}

/* Steps of the search for far rows between two looks at whether the run is canceled. */
#define ASK_STEPS 1000000

/* The rows that lie farthest from their centres, the farthest first: "wanted" of them at the most, in w->farthest.  found (out): how many. */
static MlStatus
farthest_rows(const Lloyd *w, size_t wanted, size_t *found)
{
	size_t	   *rows = w->farthest;
	size_t		n = 0;
	size_t		steps = ASK_STEPS;

	for (size_t i = 0; i < w->points->n; i++)
	{
		size_t		at = n;

		if (steps++ >= ASK_STEPS)
		{
			steps = 0;
			if (ml_canceled(w->env))
				return ml_fail(w->env, ML_CANCELED, "canceled");
		}
		if (!(w->points->weight[i] > 0) || !(w->squared[i] > 0))
			continue;
		if (n == wanted && !(w->squared[i] > w->squared[rows[n - 1]]))
			continue;
		if (n < wanted)
			n++;
		else
			at--;
		for (; at > 0 && w->squared[rows[at - 1]] < w->squared[i]; at--, steps++)
			rows[at] = rows[at - 1];
		rows[at] = i;
	}
	*found = n;
	return ML_OK;
}

/*
 * A cluster that has lost all its rows begins anew at the row that lies farthest from its centre, as in scikit-learn; a row that is
 * a cluster's only one stays there.
 */
static MlStatus
refill_empty(Lloyd *w, bool *refilled)
{
	size_t		empty = 0;
	size_t		found = 0;
	size_t		c = 0;
	double	   *row = w->row;

	*refilled = false;
	for (size_t k = 0; k < w->k; k++)
		empty += !(w->weight[k] > 0);
	if (empty == 0)
		return ML_OK;
	ML_TRY(farthest_rows(w, empty, &found));
	for (size_t n = 0; n < found; n++)
	{
		size_t		i = w->farthest[n];
		double		v = w->points->weight[i];
		size_t		old = (size_t) w->label[i];

		if (!(w->weight[old] > v))
			continue;
		while (w->weight[c] > 0)
			c++;				/* there are at least as many empty ones as rows were found */
		*refilled = true;
		ml_points_get(w->points, i, row);
		for (size_t j = 0; j < w->p; j++)
		{
			w->next[old * w->p + j] -= v * row[j];
			w->next[c * w->p + j] = v * row[j];
		}
		w->weight[old] -= v;
		w->weight[c] = v;
	}
	return ML_OK;
}

/* Sums become means; returns by how much the centres have moved, squared.  An empty cluster stays where it is. */
static double
move_centers(Lloyd *w)
{
	double		moved = 0;

	for (size_t c = 0; c < w->k; c++)
	{
		for (size_t j = 0; j < w->p; j++)
		{
			double	   *next = &w->next[c * w->p + j];
			double		old = w->center[c * w->p + j];

			*next = w->weight[c] > 0 ? *next / w->weight[c] : old;
			moved += (*next - old) * (*next - old);
			w->center[c * w->p + j] = *next;
		}
	}
	return moved;
}

static void
report(const Lloyd *w, int run, int iteration, double inertia)
{
	MlProgress	progress = {.phase = "fit", .iteration = iteration, .iterations = w->spec->max_iter,
		.share = (run + (double) iteration / w->spec->max_iter) / w->spec->n_init, .train_loss = inertia, .validation_loss = NAN};

	if (w->spec->show)
		ml_progress(w->env, &progress);
}

/* Whether the next pass uses bounds, after one that changed so many groups of rows. */
static void
choose_bounds(Lloyd *w, size_t changed)
{
	size_t		rows = w->points->groups * ML_LANES;
	size_t		doubts = 0;

	if (w->bounds == NULL || w->spec->bounds == ML_KMEANS_BOUNDS_ALWAYS)
	{
		w->fresh = false;
		return;
	}
	for (size_t s = 0; s < w->slots; s++)
		doubts += w->doubts[s];
	w->gave_up |= w->bounded && doubts > rows / MOST_DOUBTS;
	w->fresh = !w->bounded;
	w->bounded = !w->gave_up && (w->bounded || changed < w->points->groups / FEW_CHANGES);
}

/* Iterates from w->center on; labels and inertia are those of the centres in the end. */
static MlStatus
iterate(Lloyd *w, int run, double *inertia, int *iterations, bool *converged)
{
	size_t		changed = 0;
	bool		refilled;

	for (size_t i = 0; i < w->points->groups * ML_LANES; i++)
		w->label[i] = -1;
	w->bounded = w->spec->bounds == ML_KMEANS_BOUNDS_ALWAYS;
	w->fresh = true;
	w->gave_up = false;
	*converged = false;
	for (*iterations = 0; *iterations < w->spec->max_iter && !*converged;)
	{
		double		moved;

		ML_TRY(assign(w, inertia, &changed));
		ML_TRY(refill_empty(w, &refilled));
		moved = move_centers(w);
		w->history[(*iterations)++] = *inertia;
		report(w, run, *iterations, *inertia);
		choose_bounds(w, changed);
		*converged = (!changed && !refilled) || moved <= w->spec->tol || isnan(moved);
		if (!changed && !refilled)
			return ML_OK;		/* the centres were the means of these rows before */
	}
	return assign(w, inertia, &changed);
}

/* Centres by batches, then the cluster of each row. */
static MlStatus
by_batches(Lloyd *w, int run, MlKmeansRoom *room, int32_t *distinct, double *inertia, int *iterations, bool *converged)
{
	size_t		changed;

	report(w, run, 0, NAN);
	ML_TRY(ml_kmeans_mini(w->env, w->points, w->spec, (uint64_t) run, room, w->center, distinct, converged));
	for (size_t i = 0; i < w->points->groups * ML_LANES; i++)
		w->label[i] = -1;
	ML_TRY(assign(w, inertia, &changed));
	w->history[0] = *inertia;
	*iterations = 1;
	return ML_OK;
}

/* One run: centres in w->center, labels and inertia those of them. */
static MlStatus
run_once(Lloyd *w, int run, MlKmeansRoom *room, int32_t *distinct, double *inertia, int *iterations, bool *converged)
{
	if (w->spec->batch_size > 0)
		return by_batches(w, run, room, distinct, inertia, iterations, converged);
	if (w->spec->plus_plus)
		ML_TRY(ml_kmeans_plus_plus(w->env, w->points, w->spec->k, (uint64_t) run, room, w->center, distinct));
	else
		ML_TRY(ml_kmeans_random(w->env, w->points, w->spec->k, (uint64_t) run, w->center));
	return iterate(w, run, inertia, iterations, converged);
}

/* -- the best of several runs ----------------------------------------------- */

static MlStatus
allocate(Lloyd *w, MlKmeansRoom *room, MlKmeansResult *result)
{
	MlEnv	   *env = w->env;
	size_t		rows = w->points->groups * ML_LANES;
	size_t		trials = (size_t) ml_kmeans_trials(w->spec->k);

	w->center = ml_alloc(env, w->k * w->p, sizeof(double));
	w->next = ml_alloc(env, w->k * w->p, sizeof(double));
	w->weight = ml_alloc(env, w->k, sizeof(double));
	w->sums = ml_alloc(env, w->slots * w->k, (w->p + 1) * sizeof(double));
	w->inertia = ml_alloc(env, w->slots, sizeof(double));
	w->changed = ml_alloc(env, w->slots, sizeof(size_t));
	w->doubts = ml_alloc(env, w->slots, sizeof(size_t));
	w->label = ml_alloc(env, rows, sizeof(int32_t));
	w->squared = ml_alloc(env, rows, sizeof(double));
	w->history = ml_alloc(env, (size_t) w->spec->max_iter, sizeof(double));
	w->farthest = ml_alloc(env, w->k, sizeof(size_t));
	w->row = ml_alloc(env, w->p, sizeof(double));
	w->order = ml_alloc(env, w->k, sizeof(int32_t));
	w->rank = ml_alloc(env, w->k, sizeof(int32_t));
	room->squared = w->squared;
	room->potential = ml_alloc(env, ml_kmeans_chunks(w->points), trials * sizeof(double));
	room->candidate = ml_alloc(env, trials, w->p * sizeof(double));
	result->center = ml_alloc(env, w->k * w->p, sizeof(double));
	result->weight = ml_alloc(env, w->k, sizeof(double));
	result->label = ml_alloc(env, rows, sizeof(int32_t));
	if (w->center == NULL || w->next == NULL || w->weight == NULL || w->sums == NULL || w->inertia == NULL || w->changed == NULL || w->doubts == NULL ||
		w->label == NULL || w->squared == NULL || w->history == NULL || w->farthest == NULL || w->row == NULL ||
		w->order == NULL || w->rank == NULL || room->potential == NULL || room->candidate == NULL ||
		result->center == NULL || result->weight == NULL || result->label == NULL)
		return env->error.status;
	return ML_OK;
}

/* Clusters in the order of falling weight, equals as they came: their numbers then mean something. */
static void
keep(Lloyd *w, MlKmeansResult *result)
{
	int32_t    *order = w->order;
	int32_t    *rank = w->rank;

	for (size_t c = 0; c < w->k; c++)
	{
		size_t		at = c;

		for (; at > 0 && w->weight[order[at - 1]] < w->weight[c]; at--)
			order[at] = order[at - 1];
		order[at] = (int32_t) c;
	}
	for (size_t r = 0; r < w->k; r++)
	{
		size_t		c = (size_t) order[r];

		rank[c] = (int32_t) r;
		result->weight[r] = w->weight[c];
		memcpy(result->center + r * w->p, w->center + c * w->p, w->p * sizeof(double));
	}
	for (size_t i = 0; i < w->points->groups * ML_LANES; i++)
		result->label[i] = rank[w->label[i]];
}

MlStatus
ml_kmeans_fit(MlEnv *env, const MlPoints *points, const MlKmeansSpec *spec, MlKmeansResult *result)
{
	Lloyd		w = {.env = env, .points = points, .spec = spec, .k = (size_t) spec->k, .p = (size_t) points->p};
	MlKmeansRoom room;
	MlBounds	bounds;
	int32_t		distinct = spec->k;
	double	   *history;

	if (points->weighted < w.k)
	{
		ml_fail(env, ML_BAD_DATA, "%d clusters cannot be made of %zu rows", spec->k, points->weighted);
		return ml_hint(env, "Ask for fewer clusters, or give more rows.");
	}
	w.slots = slots_of(w.k, w.p);
	w.task_groups = TASK_WORK / (w.k * w.p * ML_LANES) + 1;
	/* So that few rows keep all slots busy, too. */
	if (w.task_groups * w.slots > points->groups)
		w.task_groups = (points->groups + w.slots - 1) / w.slots;
	ML_TRY(allocate(&w, &room, result));
	if (spec->bounds != ML_KMEANS_BOUNDS_NEVER)
	{
		ML_TRY(ml_bounds_make(env, points, w.k, &bounds));
		w.bounds = &bounds;
	}
	history = ml_alloc(env, (size_t) spec->max_iter, sizeof(double));
	if (history == NULL)
		return env->error.status;
	for (int run = 0; run < spec->n_init; run++)
	{
		double		inertia;
		int			iterations;
		bool		converged;

		ML_TRY(run_once(&w, run, &room, &distinct, &inertia, &iterations, &converged));
		if (run > 0 && !(inertia < result->inertia))
			continue;
		result->inertia = inertia;
		result->iterations = iterations;
		result->converged = converged;
		memcpy(history, w.history, (size_t) iterations * sizeof(double));
		keep(&w, result);
	}
	for (int i = 0; i < result->iterations && spec->show; i++)
		ml_history(env, i + 1, "train", "inertia", history[i]);
	if (distinct < spec->k)
		ml_warn(env, "there are only %d different rows for %d clusters: some clusters are empty", distinct, spec->k);
	else if (!result->converged && spec->show)
		ml_warn(env, "k-means has not converged after %d iterations: a greater max_iter lets it go on", spec->max_iter);
	ml_release(env, w.sums);
	ml_release(env, w.label);
	ml_release(env, w.squared);
	if (w.bounds != NULL)
		ml_bounds_release(env, w.bounds);
	return ML_OK;
}

size_t
ml_kmeans_mini_memory(size_t n, size_t p, int32_t k, int batch_size, int n_init)
{
	size_t		rows = ml_kmeans_mini_sample(n, k, batch_size) + (size_t) batch_size + 2 * ML_LANES;

	/* What is too small to be given back adds up. */
	return rows * (p + 3) * sizeof(double) + (size_t) n_init * ((p + 3) * (size_t) k * sizeof(double) + (size_t) batch_size * 16 + 4 * 65536);
}

size_t
ml_kmeans_memory(size_t n, size_t p, size_t k, int max_iter)
{
	size_t		rows = n + ML_LANES;
	size_t		per_row = 2 * sizeof(int32_t) + sizeof(double) + 1;
	size_t		bytes;
	size_t		centers;

	if (!ml_mul_size(k, (p + 1) * sizeof(double), &centers) || !ml_mul_size(rows, per_row, &bytes))
		return SIZE_MAX;
	if (!ml_mul_size(centers, 3 + slots_of(k, p), &centers) || !ml_add_size(bytes, centers, &bytes))
		return SIZE_MAX;
	/* Chunks of the seeding, histories, orders and empty clusters. */
	return bytes + (rows / ML_LANES / ML_KMEANS_CHUNK + 1 + p) * 32 * sizeof(double) + (size_t) max_iter * 16 + k * 64 + 65536;
}
