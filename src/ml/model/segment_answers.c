/*-------------------------------------------------------------------------
 * segment_answers.c
 *	  What the models of segments say of rows, to judge a version as it serves.
 *
 * Rows of a segment are taken together, in pieces, each a task of the pool with an arena of its own;
 * answers go to places of their own, so the number of threads does not matter.
 */
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/pool.h"
#include "ml/model/segments_internal.h"

/* Rows of a task. */
#define PIECE_ROWS 4096

typedef struct Piece
{
	const MlSegment *segment;
	size_t		begin;			/* into groups->member */
	size_t		end;
} Piece;

typedef struct Answerer
{
	MlEnv	   *env;
	const MlModel *model;		/* of all rows */
	const MlFrame *frame;
	const MlGroups *groups;
	Piece	   *pieces;
	size_t		n_pieces;
	size_t		width;
	bool	   *has;
	double	   *out;
	MlError		failure;		/* the first; under the lock of the pool */
} Answerer;

MlStatus
ml_segment_classes(MlEnv *env, const MlSchema *of, const MlSchema *among, int32_t **class_of)
{
	*class_of = NULL;
	if (of->task != among->task)
		return ml_fail(env, ML_CORRUPT, "the model of a segment has another task than that of all rows");
	if (of->task != ML_TASK_CLASSIFICATION)
		return ML_OK;
	*class_of = ml_alloc(env, (size_t) of->n_classes, sizeof(int32_t));
	if (*class_of == NULL)
		return env->error.status;
	for (int32_t k = 0, j = 0; k < of->n_classes; k++, j++)
	{
		/* Both lists have the same order. */
		while (j < among->n_classes && strcmp(of->classes[k], among->classes[j]) != 0)
			j++;
		if (j >= among->n_classes)
			return ml_fail(env, ML_CORRUPT, "the model of a segment has the class \"%.100s\", that of all rows has not", of->classes[k]);
		(*class_of)[k] = j;
	}
	return ML_OK;
}

void
ml_segment_spread(const MlModel *model, const int32_t *class_of, const double *from, size_t width, double *to)
{
	memset(to, 0, width * sizeof(double));
	for (int k = 0; k < model->n_out; k++)
		to[class_of != NULL ? class_of[k] : k] = from[k];
}

static MlStatus
answer_piece(const Answerer *a, MlEnv *env, const Piece *piece)
{
	size_t		n = piece->end - piece->begin;
	const size_t *member = a->groups->member + piece->begin;
	size_t	   *row = ml_alloc(env, n, sizeof(size_t));
	MlJudgeRows rows = {.n = n};
	MlJudgeColumn *columns;
	MlFrame    *frame;
	MlModel    *model;
	int32_t    *class_of;
	double	   *said;

	if (row == NULL)
		return env->error.status;
	for (size_t i = 0; i < n; i++)
		row[i] = a->groups->order[member[i]];
	ML_TRY(ml_frame_subset(env, a->frame, row, n, NULL, &frame));
	ML_TRY(ml_model_load(env, piece->segment->image, piece->segment->image_length, &model));
	ML_TRY(ml_segment_classes(env, model->schema, a->model->schema, &class_of));
	ML_TRY(ml_judge_match(env, model, frame, &columns, NULL));
	rows.columns = columns;
	said = ml_judge_predict(env, model, &rows);
	if (said == NULL)
		return env->error.status;
	for (size_t i = 0; i < n; i++)
	{
		ml_segment_spread(model, class_of, said + i * (size_t) model->n_out, a->width, a->out + member[i] * a->width);
		a->has[member[i]] = true;
	}
	return ML_OK;
}

static void
answer_task(void *arg, size_t task, int thread)
{
	Answerer   *a = arg;
	MlEnv		env = {.arena = ml_arena_create(0), .threads = 1};

	if (env.arena == NULL)
		ml_fail(&env, ML_NO_MEMORY, "out of memory");
	else
		(void) answer_piece(a, &env, &a->pieces[task]);
	if (env.error.status != ML_OK)
	{
		ml_pool_lock(a->env->pool);
		if (a->failure.status == ML_OK)
			a->failure = env.error;
		ml_pool_unlock(a->env->pool);
	}
	ml_arena_free(env.arena);
}

/* The group's key against that of a segment, whose parts may come in another order. */
static int
compare_key(const MlGroups *groups, size_t group, const int *column_of, const MlSegment *segment)
{
	for (int c = 0; c < groups->n_columns; c++)
	{
		uint32_t	length;
		const char *text = ml_groups_text(groups, group, column_of[c], &length);
		int			order = strcmp(text, segment->key[c]);

		if (order != 0)
			return order;
	}
	return 0;
}

/* NULL when there is no such segment, or it has no model. */
static const MlSegment *
find_segment(const MlSegmentModels *models, const MlGroups *groups, size_t group, const int *column_of)
{
	size_t		low = 0;
	size_t		high = models->count;

	while (low < high)
	{
		size_t		middle = low + (high - low) / 2;

		if (compare_key(groups, group, column_of, &models->segment[middle]) > 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == models->count || compare_key(groups, group, column_of, &models->segment[low]) != 0)
		return NULL;
	return models->segment[low].image != NULL ? &models->segment[low] : NULL;
}

/* Where each part of a key stands among the frame's segment columns; false when they are not the same columns. */
static bool
match_columns(const MlSegmentModels *models, const MlGroups *groups, int *column_of)
{
	if (models->n_columns != groups->n_columns)
		return false;
	for (int c = 0; c < models->n_columns; c++)
	{
		int			g = 0;

		while (g < groups->n_columns && strcmp(groups->column[g]->spec.source_column, models->column[c]) != 0)
			g++;
		if (g == groups->n_columns)
			return false;
		column_of[c] = g;
	}
	return true;
}

static MlStatus
cut_pieces(Answerer *a, const MlSegmentModels *models, const int *column_of)
{
	const MlGroups *g = a->groups;

	a->pieces = ml_alloc(a->env, g->count + g->n / PIECE_ROWS + 1, sizeof(Piece));
	if (a->pieces == NULL)
		return a->env->error.status;
	for (size_t k = 0; k < g->count; k++)
	{
		const MlSegment *segment = find_segment(models, g, k, column_of);

		if (segment == NULL)
			continue;
		for (size_t begin = g->start[k]; begin < g->start[k + 1]; begin += PIECE_ROWS)
		{
			size_t		end = g->start[k + 1] - begin < PIECE_ROWS ? g->start[k + 1] : begin + PIECE_ROWS;

			a->pieces[a->n_pieces++] = (Piece) {segment, begin, end};
		}
	}
	return ML_OK;
}

MlStatus
ml_segments_answer(MlEnv *env, const MlModel *model, const MlSegmentModels *models, const MlFrame *frame,
				   const size_t *order, size_t n, const MlRouted **result, bool *fits)
{
	Answerer	a = {.env = env, .model = model, .frame = frame, .width = (size_t) model->n_out};
	int		   *column_of = ml_alloc(env, (size_t) models->n_columns, sizeof(int));
	MlGroups   *groups;
	MlRouted   *routed;

	*result = NULL;
	if (fits != NULL)
		*fits = true;
	if (!ml_task_has_target(model->schema->task))
		return ML_OK;
	ML_TRY(ml_groups_make(env, frame, order, n, &groups));
	a.groups = groups;
	routed = ml_alloc(env, 1, sizeof(MlRouted));
	a.has = ml_alloc0(env, n, sizeof(bool));
	a.out = ml_alloc(env, n * a.width, sizeof(double));
	if (column_of == NULL || routed == NULL || a.has == NULL || a.out == NULL)
		return env->error.status;
	if (!match_columns(models, groups, column_of))
	{
		if (fits == NULL)
			return ml_fail(env, ML_NO_COLUMN, "a segment column of the model does not exist");
		*fits = false;
		return ML_OK;
	}
	ML_TRY(cut_pieces(&a, models, column_of));
	ML_TRY(ml_pool_run(env, a.n_pieces, answer_task, &a));
	if (a.failure.status != ML_OK)
	{
		ml_fail(env, a.failure.status, "%s", a.failure.message);
		ml_detail(env, "%s", a.failure.detail);
		return ml_hint(env, "%s", a.failure.hint);
	}
	*routed = (MlRouted) {a.has, a.out};
	*result = routed;
	return ML_OK;
}
