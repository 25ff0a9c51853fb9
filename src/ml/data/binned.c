/*-------------------------------------------------------------------------
 * binned.c
 *	  Columns of numbers kept as bins.
 *-------------------------------------------------------------------------
 */
#include "ml/data/binned.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/pool.h"
#include "ml/base/rng.h"
#include "ml/base/simd.h"

#define STREAM 0x62696e73
#define FILL_ROWS 65536
#define DRAWN_TOGETHER 1024

/* ------------------------------------------------------------------------
 * The sample
 * ------------------------------------------------------------------------
 */

/* Numbers that make rows be drawn: ml_rng_uniform() of the row is less than the share. */
typedef struct Drawing
{
	uint64_t	stream;			/* what ml_rng_u64() makes of seed and stream */
	uint64_t	end;			/* of the upper 53 bits */
} Drawing;

static Drawing
make_drawing(const MlEnv *env, double share)
{
	return (Drawing) {ml_mix64(ml_mix64(env->seed) ^ STREAM), share >= 1 ? UINT64_C(1) << 53 : (uint64_t) ceil(share * 0x1p53)};
}

static inline __attribute__((always_inline)) void
draw_body(const Drawing *drawing, const uint64_t *restrict number, uint64_t first, size_t n, uint8_t *restrict drawn)
{
	Drawing		d = *drawing;

	if (number != NULL)
	{
		for (size_t i = 0; i < n; i++)
			drawn[i] = ml_mix64(d.stream ^ number[i]) >> 11 < d.end;
	}
	else
	{
		for (size_t i = 0; i < n; i++)
			drawn[i] = ml_mix64(d.stream ^ (first + i)) >> 11 < d.end;
	}
}

ML_SIMD_TIERS(draw, (const Drawing *drawing, const uint64_t *number, uint64_t first, size_t n, uint8_t *drawn), (drawing, number, first, n, drawn))

size_t
ml_bin_draw(const MlEnv *env, size_t first, size_t n, double share, uint32_t *drawn)
{
	Drawing		drawing = make_drawing(env, share);
	uint8_t		is_drawn[DRAWN_TOGETHER];
	size_t		found = 0;

	for (size_t from = 0; from < n; from += DRAWN_TOGETHER)
	{
		size_t		count = n - from < DRAWN_TOGETHER ? n - from : DRAWN_TOGETHER;

		ML_SIMD_CALL(draw, (&drawing, NULL, first + from, count, is_drawn));
		for (size_t i = 0; i < count; i++)
		{
			drawn[found] = (uint32_t) (from + i);
			found += is_drawn[i];
		}
	}
	return found;
}

/* Which of the rows that train are chosen; returns how many. */
static size_t
draw_rows(const MlEnv *env, const MlFrame *frame, const size_t *order, size_t n_train, double share, uint8_t *chosen)
{
	bool		by_hash = ml_frame_column(frame, ML_ROLE_ID) != NULL;
	Drawing		drawing = make_drawing(env, share);
	uint64_t	number[DRAWN_TOGETHER];
	size_t		n = 0;

	for (size_t from = 0; from < n_train; from += DRAWN_TOGETHER)
	{
		size_t		count = n_train - from < DRAWN_TOGETHER ? n_train - from : DRAWN_TOGETHER;

		for (size_t i = 0; i < count; i++)
			number[i] = by_hash ? frame->row_hash[order[from + i]] : order[from + i];
		ML_SIMD_CALL(draw, (&drawing, number, 0, count, chosen + from));
		for (size_t i = 0; i < count; i++)
			n += chosen[from + i];
	}
	return n;
}

MlStatus
ml_bin_choose(MlEnv *env, const MlBinRules *rules, const MlFrame *frame, const size_t *order, size_t n_train, MlBinChoice *choice)
{
	double		share = n_train <= rules->sample ? 1 : (double) rules->sample / (double) n_train;
	uint8_t    *chosen;
	size_t		n;

	choice->n = 0;
	if (frame->rows > UINT32_MAX)
		return ml_fail(env, ML_TOO_LARGE, "%zu rows are too many, %u are the most", frame->rows, UINT32_MAX);
	chosen = ml_alloc(env, n_train, sizeof(uint8_t));
	if (chosen == NULL)
		return env->error.status;
	n = draw_rows(env, frame, order, n_train, share, chosen);
	if (n == 0)
	{
		/* So few that none was drawn. */
		n = n_train;
		memset(chosen, true, n_train);
	}
	choice->place = ml_alloc(env, n + 1, sizeof(uint32_t));
	choice->row = ml_alloc(env, n + 1, sizeof(uint32_t));
	if (choice->place == NULL || choice->row == NULL)
		return env->error.status;
	/* What is not chosen is written over by the next one. */
	for (size_t i = 0; i < n_train; i++)
	{
		choice->place[choice->n] = (uint32_t) i;
		choice->row[choice->n] = (uint32_t) order[i];
		choice->n += chosen[i];
	}
	ml_release(env, chosen);
	return ML_OK;
}

void
ml_bin_choice_release(MlEnv *env, MlBinChoice *choice)
{
	ml_release(env, choice->place);
	ml_release(env, choice->row);
}

/* ------------------------------------------------------------------------
 * Limits
 * ------------------------------------------------------------------------
 */

MlStatus
ml_binned_make(MlEnv *env, const MlBinRules *rules, size_t n, size_t rows, MlBinned **binned)
{
	*binned = ml_alloc0(env, n, sizeof(MlBinned));
	if (*binned == NULL)
		return env->error.status;
	for (size_t i = 0; i < n; i++)
	{
		ML_TRY(ml_binner_make(env, rules, &(*binned)[i].binner));
		if (rows == 0)
			continue;
		(*binned)[i].bin = ml_alloc(env, rows, sizeof(uint8_t));
		if ((*binned)[i].bin == NULL)
			return env->error.status;
	}
	return ML_OK;
}

typedef struct FindJob
{
	const MlBinRules *rules;
	MlBinned   *const *binned;
	const double *const *values;
	const uint32_t *pick;
	size_t		n_values;
	MlBinSample *room;			/* by thread */
} FindJob;

/* Where a bin has no limit above it, its largest value stands for it. */
static void
choose_values(MlBinned *binned)
{
	const MlBinner *b = &binned->binner;

	for (uint32_t i = 0; i < b->n_bins; i++)
		binned->value[i] = i + 1 < b->n_bins ? b->upper[i] : DBL_MAX;
	binned->value[b->missing] = NAN;
}

/* One task: one column. */
static void
find_task(void *arg, size_t task, int thread)
{
	const FindJob *job = arg;
	MlBinned   *binned = job->binned[task];
	MlBinSample *room = &job->room[thread];

	ml_bin_sample_take(room, job->values[task], job->pick, job->n_values);
	binned->reference = room->n > 0 ? ml_bin_key_value(room->key[room->n - 1]) : NAN;
	binned->varies = binned->missing = false;
	ml_binner_find(&binned->binner, job->rules, room);
	choose_values(binned);
}

MlStatus
ml_binned_find(MlEnv *env, const MlBinRules *rules, MlBinned *const *binned, const double *const *values,
			   const uint32_t *pick, size_t n_values, size_t n)
{
	int			threads = ml_pool_threads(env->pool);
	FindJob		job = {.rules = rules, .binned = binned, .values = values, .pick = pick, .n_values = n_values};

	job.room = ml_alloc0(env, (size_t) threads, sizeof(MlBinSample));
	if (job.room == NULL)
		return env->error.status;
	for (int t = 0; t < threads; t++)
		ML_TRY(ml_bin_sample_make(env, n_values, &job.room[t]));
	ML_TRY(ml_pool_run(env, n, find_task, &job));
	for (int t = 0; t < threads; t++)
		ml_bin_sample_release(env, &job.room[t]);
	return ML_OK;
}

/* ------------------------------------------------------------------------
 * Bins
 * ------------------------------------------------------------------------
 */

void
ml_binned_look(MlBinned *binned, const double *x, size_t n)
{
	double		reference = binned->reference;
	int			varies = 0;
	int			missing = 0;

	/* Both are soon found, and mostly there is no more to look for. */
	if (__atomic_load_n(&binned->varies, __ATOMIC_RELAXED))
		return;
	for (size_t i = 0; i < n; i++)
	{
		varies |= (x[i] == x[i]) & (x[i] != reference);
		missing |= x[i] != x[i];
	}
	if (missing)
		__atomic_store_n(&binned->missing, true, __ATOMIC_RELAXED);
	if (varies)
		__atomic_store_n(&binned->varies, true, __ATOMIC_RELAXED);
}

typedef struct FillJob
{
	MlBinned   *const *binned;
	const double *const *values;
	size_t		rows;
	size_t		blocks;
} FillJob;

/* One task: a block of rows of one column. */
static void
fill_task(void *arg, size_t task, int thread)
{
	const FillJob *job = arg;
	size_t		c = task / job->blocks;
	size_t		begin = task % job->blocks * FILL_ROWS;
	size_t		n = job->rows - begin < FILL_ROWS ? job->rows - begin : FILL_ROWS;

	ml_bin_narrow(&job->binned[c]->binner, job->values[c] + begin, n, job->binned[c]->bin + begin);
}

MlStatus
ml_binned_fill(MlEnv *env, MlBinned *const *binned, const double *const *values, size_t n, size_t rows)
{
	FillJob		job = {.binned = binned, .values = values, .rows = rows, .blocks = (rows + FILL_ROWS - 1) / FILL_ROWS};

	return ml_pool_run(env, n * job.blocks, fill_task, &job);
}
