/*-------------------------------------------------------------------------
 * segments.c
 *	  One model per group of rows, beside the model of all rows.
 *
 * Each thread takes one group after the other, the largest first, so that none is left
 * over at the end, and runs the ordinary pipeline on a copy of the group's rows, in an arena of its
 * own that ends with the group.  What stays (image, score, error) is copied into the
 * arena of the run under the lock of the pool.
 *
 * The main thread alone may ask whether the run is canceled.  It does so in its own fits, and
 * when no group is left for it, the pool does while it waits for the others; they look at flags.
 */
#include "ml/model/segments.h"

#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/dense.h"
#include "ml/base/pool.h"
#include "ml/base/sort.h"
#include "ml/data/encode.h"
#include "ml/model/segments_internal.h"

/* Different warnings of groups that are passed on; they differ in numbers, mostly. */
#define MAX_NOTES 5

/* Of a group so many are kept. */
#define MAX_SAID 3

typedef struct Note
{
	const char *text;
	size_t		segments;
} Note;

typedef struct Trainer
{
	MlEnv	   *env;			/* of the run */
	const MlSegmentRun *run;
	MlGroups   *groups;
	MlSegments *segments;
	const bool *left_out;		/* columns of the frame */
	MlTrainSpec spec;			/* of a group, but for part and predictions */
	size_t		limit;			/* of a group's arena */
	size_t		width;			/* doubles of an answer, 0: answers are not kept */
	bool	   *has;			/* answers of groups' models, by row of the run */
	double	   *out;

	size_t	   *queue;			/* groups, the largest first */
	size_t		n_queue;
	size_t		next;			/* atomic */
	bool		stop;			/* atomic */

	/* Under the lock of the pool. */
	MlError		failure;		/* what ends the run */
	size_t		n_failed;
	size_t		largest;		/* peak of a group's arena */
	const char *(*said)[MAX_SAID];	/* warnings of each group */
} Trainer;

/* How a group's environment asks. */
typedef struct Asker
{
	Trainer    *trainer;
	bool		main;
} Asker;

static void
stop_all(Trainer *t)
{
	__atomic_store_n(&t->stop, true, __ATOMIC_RELEASE);
}

static bool
is_stopped(const Trainer *t)
{
	return __atomic_load_n(&t->stop, __ATOMIC_ACQUIRE) || ml_pool_stopping(t->env->pool);
}

static bool
segment_canceled(void *state)
{
	const Asker *asker = state;

	if (asker->main && ml_canceled(asker->trainer->env))
		stop_all(asker->trainer);
	return is_stopped(asker->trainer);
}

/* ------------------------------------------------------------------------
 * One group
 * ------------------------------------------------------------------------
 */

/* The group's rows, in the order of the run: train, validation, test. */
static MlStatus
take_rows(Trainer *t, MlEnv *env, size_t group, MlTrainSpec *spec, MlFrame **frame)
{
	const MlGroups *g = t->groups;
	const size_t *member = g->member + g->start[group];
	size_t		n = g->start[group + 1] - g->start[group];
	size_t	   *row = ml_alloc(env, n, sizeof(size_t));
	uint8_t    *part = ml_alloc(env, n, 1);

	if (row == NULL || part == NULL)
		return env->error.status;
	for (size_t i = 0; i < n; i++)
	{
		row[i] = g->order[member[i]];
		part[i] = t->run->part[row[i]];
	}
	ML_TRY(ml_frame_subset(env, t->run->frame, row, n, t->left_out, frame));
	for (int c = 0; c < (*frame)->n_columns; c++)
	{
		/* In a group a column that was asked for may well be constant. */
		(*frame)->columns[c].spec.named = false;
		(*frame)->columns[c].spec.not_a_key = true;
	}
	*spec = t->spec;
	spec->part = part;
	if (t->width > 0)
	{
		spec->predictions = ml_alloc(env, n * t->width, sizeof(double));
		if (spec->predictions == NULL)
			return env->error.status;
	}
	return ML_OK;
}

/* Classes that the group has never seen have no probability there. */
static MlStatus
keep_answers(Trainer *t, MlEnv *env, size_t group, const MlModel *model, const double *predictions)
{
	const MlGroups *g = t->groups;
	const size_t *member = g->member + g->start[group];
	size_t		n = g->start[group + 1] - g->start[group];
	int32_t    *class_of;

	if (t->width == 0)
		return ML_OK;
	ML_TRY(ml_segment_classes(env, model->schema, t->run->schema, &class_of));
	for (size_t i = 0; i < n; i++)
	{
		/* Nobody judges by a row whose class is not known. */
		if (t->run->part[g->order[member[i]]] == ML_PART_UNLABELLED)
			continue;
		ml_segment_spread(model, class_of, predictions + i * (size_t) model->n_out, t->width, t->out + member[i] * t->width);
		t->has[member[i]] = true;
	}
	return ML_OK;
}

static MlStatus
check_image(MlEnv *env, size_t length)
{
	if (length <= ML_MAX_SEGMENT_IMAGE)
		return ML_OK;
	return ml_fail(env, ML_TOO_LARGE, "the model has %zu MB, that of a segment may have %zu MB",
				   length >> 20, ML_MAX_SEGMENT_IMAGE >> 20);
}

static MlStatus
train_group(Trainer *t, MlEnv *env, size_t group, MlTrainResult **result)
{
	MlTrainSpec spec;
	MlFrame    *frame;

	ML_TRY(take_rows(t, env, group, &spec, &frame));
	ML_TRY(ml_pipeline_run(env, &spec, frame, result));
	ML_TRY(check_image(env, (*result)->image_length));
	return keep_answers(t, env, group, (*result)->model, spec.predictions);
}

/* Under the lock. */
static void
keep_warnings(Trainer *t, size_t group, const MlEnv *env)
{
	const MlWarning *w = env->warnings;

	/* One that finds no memory is lost, which the run itself will notice. */
	for (int i = 0; i < MAX_SAID && w != NULL; i++, w = w->next)
		t->said[group][i] = ml_strdup(t->env, w->text);
}

/* Under the lock. */
static MlStatus
keep_model(Trainer *t, MlSegment *segment, const MlTrainResult *result)
{
	uint8_t    *image = ml_alloc(t->env, result->image_length, 1);

	if (image == NULL)
		return t->env->error.status;
	memcpy(image, result->image, result->image_length);
	segment->image = image;
	segment->image_length = result->image_length;
	/* Of a task with right answers only what was not learnt from says how good it is. */
	segment->score = result->part[ML_PART_TEST].rows > 0 || !ml_task_has_target(t->run->schema->task) ? result->score : NAN;
	t->segments->n_models++;
	return ML_OK;
}

static bool
ends_run(MlStatus status)
{
	return status == ML_CANCELED || status == ML_NO_MEMORY || status == ML_OVER_BUDGET;
}

/* Under the lock: takes over what is left of a group when its arena ends. */
static void
keep_outcome(Trainer *t, size_t group, const MlEnv *env, const MlTrainResult *result)
{
	MlSegment  *segment = &t->segments->segment[group];
	const MlError *error = &env->error;

	if (error->status == ML_OK)
	{
		if (keep_model(t, segment, result) != ML_OK)
			stop_all(t);
		keep_warnings(t, group, env);
		return;
	}
	if (ends_run(error->status))
	{
		if (error->status != ML_CANCELED && t->failure.status == ML_OK)
			t->failure = *error;
		stop_all(t);
		return;
	}
	t->n_failed++;
	segment->error = error->detail[0] != '\0' ? ml_printf(t->env, "%s: %s", error->message, error->detail) : ml_strdup(t->env, error->message);
	if (segment->error == NULL)
		stop_all(t);
}

static void
run_group(Trainer *t, size_t group, bool main)
{
	Asker		asker = {t, main};
	MlEnv		env = {
		.arena = ml_arena_create(t->limit),
		.threads = 1,
		.seed = t->env->seed,
		.dense = t->env->dense,
		.canceled = segment_canceled,
		.state = &asker
	};
	MlTrainResult *result = NULL;

	if (env.arena == NULL)
		ml_fail(&env, ML_NO_MEMORY, "out of memory");
	else
		(void) train_group(t, &env, group, &result);
	ml_pool_lock(t->env->pool);
	keep_outcome(t, group, &env, result);
	if (env.arena != NULL && ml_arena_peak(env.arena) > t->largest)
		t->largest = ml_arena_peak(env.arena);
	ml_pool_unlock(t->env->pool);
	ml_arena_free(env.arena);
}

/* ------------------------------------------------------------------------
 * All of them
 * ------------------------------------------------------------------------
 */

static void
tell(const Trainer *t)
{
	size_t		begun = __atomic_load_n(&t->next, __ATOMIC_RELAXED);
	MlProgress	progress = {.phase = "fit", .train_loss = NAN, .validation_loss = NAN};

	progress.iteration = (int64_t) (begun < t->n_queue ? begun : t->n_queue);
	progress.iterations = (int64_t) t->n_queue;
	/* Half a fit: the model of all rows comes afterwards. */
	progress.share = 0.5 * (double) progress.iteration / (double) t->n_queue;
	ml_progress(t->env, &progress);
}

static void
work(void *arg, size_t task, int thread)
{
	Trainer    *t = arg;
	bool		main = thread == 0;

	while (!is_stopped(t))
	{
		size_t		i = __atomic_fetch_add(&t->next, 1, __ATOMIC_RELAXED);

		if (i >= t->n_queue)
			break;
		if (main)
			tell(t);
		run_group(t, t->queue[i], main);
	}
}

/* Rows of a group with a target, or all where there is none to have. */
static size_t
rows_of(const Trainer *t, size_t group)
{
	const MlGroups *g = t->groups;
	size_t		rows = 0;

	for (size_t i = g->start[group]; i < g->start[group + 1]; i++)
		rows += t->run->part[g->order[g->member[i]]] != ML_PART_UNLABELLED;
	return rows;
}

/* Those with rows enough, the largest first. */
static MlStatus
fill_queue(Trainer *t)
{
	MlEnv	   *env = t->env;
	const MlGroups *g = t->groups;
	MlKeyed    *items = ml_alloc(env, g->count, sizeof(MlKeyed));

	t->queue = ml_alloc(env, g->count, sizeof(size_t));
	if (items == NULL || t->queue == NULL)
		return env->error.status;
	for (size_t k = 0; k < g->count; k++)
	{
		size_t		rows = g->start[k + 1] - g->start[k];

		if (t->segments->segment[k].rows >= t->run->spec->segment_min_rows)
			items[t->n_queue++] = (MlKeyed) {~(uint64_t) rows, k};
	}
	ML_TRY(ml_sort_keyed(env, items, t->n_queue));
	for (size_t i = 0; i < t->n_queue; i++)
		t->queue[i] = items[i].row;
	ml_release(env, items);
	return ML_OK;
}

/* Keys and numbers of rows of all groups, with a model or without. */
static MlStatus
describe_groups(Trainer *t)
{
	MlEnv	   *env = t->env;
	const MlGroups *g = t->groups;
	MlSegments *s = t->segments;

	s->n_columns = g->n_columns;
	s->column = g->column;
	s->count = g->count;
	s->segment = ml_alloc0(env, g->count, sizeof(MlSegment));
	t->said = ml_alloc0(env, g->count, sizeof(*t->said));
	if (s->segment == NULL || t->said == NULL)
		return env->error.status;
	for (size_t k = 0; k < g->count; k++)
	{
		MlSegment  *segment = &s->segment[k];

		segment->rows = rows_of(t, k);
		segment->score = NAN;
		segment->key = ml_alloc(env, (size_t) g->n_columns, sizeof(char *));
		if (segment->key == NULL)
			return env->error.status;
		for (int c = 0; c < g->n_columns; c++)
		{
			uint32_t	length;

			segment->key[c] = ml_groups_text(g, k, c, &length);	/* as all texts of a dictionary, ended by NUL */
		}
	}
	return ML_OK;
}

static MlStatus
prepare_answers(Trainer *t)
{
	MlEnv	   *env = t->env;
	const MlSchema *schema = t->run->schema;
	MlRouted   *routed;

	if (schema->task != ML_TASK_REGRESSION && schema->task != ML_TASK_CLASSIFICATION)
		return ML_OK;
	t->width = schema->task == ML_TASK_CLASSIFICATION ? (size_t) schema->n_classes : 1;
	t->has = ml_alloc0(env, t->run->n, sizeof(bool));
	t->out = ml_alloc(env, t->run->n * t->width, sizeof(double));
	routed = ml_alloc(env, 1, sizeof(MlRouted));
	if (t->has == NULL || t->out == NULL || routed == NULL)
		return env->error.status;
	*routed = (MlRouted) {t->has, t->out};
	t->segments->routed = routed;
	return ML_OK;
}

/* The threads share what the run has left; BLAS gets its buffers while nobody is inside it. */
static MlStatus
prepare_threads(Trainer *t, int threads)
{
	MlEnv	   *env = t->env;
	size_t		limit = ml_arena_limit(env->arena);
	size_t		used = ml_arena_used(env->arena);

	if (limit > 0)
		t->limit = used < limit ? (limit - used) / (size_t) threads + 1 : 1;
	if (t->run->spec->method->needs_dense && env->dense->reserve(threads) != 0)
		return ml_fail(env, ML_NO_MEMORY, "out of memory");
	return ML_OK;
}

/* "region=north, store=5" */
static const char *
key_text(MlEnv *env, const MlSegments *s, const MlSegment *segment)
{
	const char *text = "";

	for (int c = 0; c < s->n_columns && text != NULL; c++)
		text = ml_printf(env, "%s%s%s=%.100s", text, c > 0 ? ", " : "", s->column[c]->spec.name, segment->key[c]);
	return text != NULL ? text : "";
}

/* The same warning of many groups is one, in the order of the groups. */
static void
warn_once(Trainer *t)
{
	Note		notes[MAX_NOTES] = {{0}};
	int			n_notes = 0;
	size_t		n_unsaid = 0;

	for (size_t k = 0; k < t->segments->count; k++)
	{
		for (int i = 0; i < MAX_SAID && t->said[k][i] != NULL; i++)
		{
			int			note = 0;

			while (note < n_notes && strcmp(notes[note].text, t->said[k][i]) != 0)
				note++;
			if (note < n_notes)
				notes[note].segments++;
			else if (n_notes < MAX_NOTES)
				notes[n_notes++] = (Note) {t->said[k][i], 1};
			else
				n_unsaid++;
		}
	}
	for (int i = 0; i < n_notes; i++)
		ml_warn(t->env, "in %zu of %zu segments: %s", notes[i].segments, t->segments->count, notes[i].text);
	if (n_unsaid > 0)
		ml_warn(t->env, "%zu more warnings came from segments", n_unsaid);
}

/* What there is to say about groups, in a few lines however many they are. */
static void
warn(Trainer *t)
{
	MlEnv	   *env = t->env;
	const MlSegments *s = t->segments;

	if (t->groups->n_outside > 0)
		ml_warn(env, "%zu rows have no value in a segment column and are left to the global model", t->groups->n_outside);
	if (t->n_queue < s->count)
		ml_warn(env, "%zu of %zu segments have fewer than %zu rows and are left to the global model", s->count - t->n_queue, s->count,
				t->run->spec->segment_min_rows);
	for (size_t k = 0; t->n_failed > 0 && k < s->count; k++)
	{
		if (s->segment[k].error == NULL)
			continue;
		ml_warn(env, "%zu of %zu segments could not be trained and are left to the global model; the first is %s: %s",
				t->n_failed, s->count, key_text(env, s, &s->segment[k]), s->segment[k].error);
		break;
	}
	warn_once(t);
}

static MlStatus
run_all(Trainer *t)
{
	MlEnv	   *env = t->env;
	int			threads = ml_pool_threads(env->pool);
	MlStatus	status;

	if (t->n_queue == 0)
		return ML_OK;
	if ((size_t) threads > t->n_queue)
		threads = (int) t->n_queue;
	ML_TRY(prepare_threads(t, threads));
	status = ml_pool_run(env, (size_t) threads, work, t);
	ml_arena_witness(env->arena, t->largest * (size_t) threads);
	if (t->failure.status != ML_OK)
	{
		ml_fail(env, t->failure.status, "%s", t->failure.message);
		ml_detail(env, "%s", t->failure.detail);
		return ml_hint(env, "%s", t->failure.hint);
	}
	if (env->error.status != ML_OK)
		return env->error.status;
	return status != ML_OK || is_stopped(t) ? ml_fail(env, ML_CANCELED, "canceled") : ML_OK;
}

MlStatus
ml_segments_train(MlEnv *env, const MlSegmentRun *run, MlSegments **segments)
{
	Trainer		t = {.env = env, .run = run, .spec = *run->spec};
	bool	   *left_out = ml_alloc(env, (size_t) run->frame->n_columns, sizeof(bool));

	t.segments = ml_alloc0(env, 1, sizeof(MlSegments));
	if (left_out == NULL || t.segments == NULL)
		return env->error.status;
	t.left_out = left_out;
	t.spec.task = run->schema->task;
	t.spec.segment_min_rows = 0;
	t.spec.rival = NULL;
	ML_TRY(ml_encode_find_keys(env, run->frame, run->order, run->n, left_out));
	ML_TRY(ml_groups_make(env, run->frame, run->order, run->n, &t.groups));
	ML_TRY(ml_groups_check(env, t.groups));
	ML_TRY(describe_groups(&t));
	ML_TRY(prepare_answers(&t));
	ML_TRY(fill_queue(&t));
	ML_TRY(run_all(&t));
	warn(&t);
	ml_release(env, t.groups->of);
	ml_release(env, t.groups->member);
	*segments = t.segments;
	return ML_OK;
}
