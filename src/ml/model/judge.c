/*-------------------------------------------------------------------------
 * judge.c
 *	  Predicts rows with the code that serves, and measures how good that was.
 *
 * Rows are predicted in tasks of TASK_ROWS, each thread with its own handle on
 * the model; metrics are then computed in row order by one thread.
 *-------------------------------------------------------------------------
 */
#include "ml/model/judge.h"

#include <string.h>
#include <time.h>

#include "ml/base/arena.h"
#include "ml/base/pool.h"
#include "ml/model/judge_internal.h"

#define TASK_ROWS ML_BATCH_ROWS	/* no more: a row may take milliseconds, and a cancel is seen between tasks */
#define BATCH_ROWS 262144		/* between two reports of progress */

typedef struct Work
{
	const MlJudgeRows *rows;
	const MlModel *models;		/* one for each thread */
	double	   *x;				/* threads x n_features x ML_BATCH_ROWS */
	double	   *out;			/* n x n_out */
	size_t		start;			/* of the batch */
	size_t		end;
} Work;

static void
predict_task(void *arg, size_t task, int thread)
{
	const Work *w = arg;
	const MlModel *model = &w->models[thread];
	int			p = model->schema->n_features;
	double	   *x = w->x + (size_t) thread * (size_t) p * ML_BATCH_ROWS;
	size_t		begin = w->start + task * TASK_ROWS;
	size_t		end = begin + TASK_ROWS < w->end ? begin + TASK_ROWS : w->end;

	ml_judge_block(w->rows, p, begin, end - begin, x);
	ml_model_predict_batch(model, x, end - begin, w->out + begin * (size_t) model->n_out);
}

/* n x n_out predictions; NULL with env->error set on failure. */
static double *
predict_all(MlEnv *env, const MlModel *model, const MlJudgeRows *rows)
{
	int			threads = ml_pool_threads(env->pool);
	MlModel    *models = ml_alloc(env, (size_t) threads, sizeof(MlModel));
	Work		w = {.rows = rows, .models = models};

	w.x = ml_alloc(env, (size_t) threads * ML_BATCH_ROWS, sizeof(double) * (size_t) model->schema->n_features);
	w.out = ml_alloc(env, rows->n * (size_t) model->n_out, sizeof(double));
	if (models == NULL || w.x == NULL || w.out == NULL)
		return NULL;
	for (int t = 0; t < threads; t++)
	{
		if (ml_model_share(env, model, &models[t]) != ML_OK)
			return NULL;
	}
	for (w.start = 0; w.start < rows->n; w.start = w.end)
	{
		MlProgress	progress = {.phase = "evaluate", .share = (double) w.start / (double) rows->n, .train_loss = NAN, .validation_loss = NAN};

		ml_progress(env, &progress);
		w.end = w.start + BATCH_ROWS < rows->n ? w.start + BATCH_ROWS : rows->n;
		if (ml_pool_run(env, (w.end - w.start + TASK_ROWS - 1) / TASK_ROWS, predict_task, &w) != ML_OK)
			return NULL;
	}
	return w.out;
}

/* Rows on which a prediction is timed, and after how many microseconds that ends. */
#define TIMED_ROWS 1024
#define TIMED_MICROSECONDS 20000

static double
microseconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return 1e6 * (double) t.tv_sec + 1e-3 * (double) t.tv_nsec;
}

MlStatus
ml_judge_time(MlEnv *env, const MlModel *model, const MlJudgeRows *rows, double *microseconds)
{
	int			p = model->schema->n_features;
	double	   *block = ml_alloc(env, ML_BATCH_ROWS, (size_t) p * sizeof(double) + 1);
	double	   *row = ml_alloc(env, (size_t) p, sizeof(double));
	double	   *out = ml_alloc(env, (size_t) model->n_out, sizeof(double));
	double		spent = 0;
	size_t		n = 0;

	if (block == NULL || row == NULL || out == NULL)
		return env->error.status;
	for (size_t i = 0; i < rows->n && n < TIMED_ROWS && spent < TIMED_MICROSECONDS; i += ML_BATCH_ROWS)
	{
		size_t		count = rows->n - i < ML_BATCH_ROWS ? rows->n - i : ML_BATCH_ROWS;

		ml_judge_block(rows, p, i, count, block);
		for (size_t r = 0; r < count && spent < TIMED_MICROSECONDS; r++)
		{
			double		began;

			for (int f = 0; f < p; f++)
				row[f] = block[(size_t) f * ML_BATCH_ROWS + r];
			began = microseconds_now();
			ml_model_predict(model, row, out);
			spent += microseconds_now() - began;
			n++;
		}
	}
	*microseconds = n > 0 ? spent / (double) n : NAN;
	return ML_OK;
}

double *
ml_judge_predict(MlEnv *env, const MlModel *model, const MlJudgeRows *rows)
{
	return predict_all(env, model, rows);
}

/* What other models have said, and what this one says of the rest. */
static double *
predict_rest(MlEnv *env, const MlModel *model, const MlJudgeRows *rows)
{
	const MlRouted *routed = rows->routed;
	size_t		width = (size_t) model->n_out;
	MlJudgeRows rest = *rows;
	size_t	   *row = ml_alloc(env, rows->n, sizeof(size_t));
	double	   *out = ml_alloc(env, rows->n * width, sizeof(double));
	double	   *said;
	size_t		next = 0;

	if (row == NULL || out == NULL)
		return NULL;
	rest.row = row;
	rest.n = 0;
	for (size_t i = 0; i < rows->n; i++)
	{
		if (!routed->has[rows->first + i])
			row[rest.n++] = ml_judge_row(rows, i);
	}
	said = predict_all(env, model, &rest);
	if (said == NULL)
		return NULL;
	for (size_t i = 0; i < rows->n; i++)
	{
		const double *from = routed->has[rows->first + i] ? routed->out + (rows->first + i) * width : said + next++ * width;

		memcpy(out + i * width, from, width * sizeof(double));
	}
	ml_release(env, row);
	ml_release(env, said);
	return out;
}

static MlStatus
count_confusion(MlEnv *env, const MlModel *model, const MlJudgeRows *rows, const double *out, int64_t **confusion)
{
	size_t		k = (size_t) model->n_out;

	*confusion = ml_alloc0(env, k * k, sizeof(int64_t));
	if (*confusion == NULL)
		return env->error.status;
	for (size_t i = 0; i < rows->n; i++)
		(*confusion)[(size_t) rows->y[i] * k + (size_t) ml_model_winner(model, out + i * k)]++;
	return ML_OK;
}

MlStatus
ml_judge(MlEnv *env, const MlModel *model, const MlJudgeRows *rows, MlPartMetrics *metrics, MlRocPoint **roc, size_t *n_roc)
{
	const MlSchema *schema = model->schema;
	double	   *out;

	memset(metrics, 0, sizeof(*metrics));
	if (roc != NULL)
	{
		*roc = NULL;
		*n_roc = 0;
	}
	metrics->rows = rows->n;
	if (rows->n == 0)
		return ML_OK;
	if (!ml_task_has_target(schema->task))
		return ml_judge_answers(env, model, rows, metrics);
	out = rows->routed != NULL ? predict_rest(env, model, rows) : predict_all(env, model, rows);
	if (out == NULL)
		return env->error.status;
	if (rows->keep != NULL)
		memcpy(rows->keep, out, rows->n * (size_t) model->n_out * sizeof(double));
	if (roc != NULL && schema->n_classes == 2)
		ML_TRY(ml_metrics_roc(env, rows->n, rows->y, out, rows->weight, metrics->metrics, &metrics->count, ML_ROC_POINTS, roc, n_roc));
	else
		ML_TRY(ml_metrics(env, schema->task, schema->n_classes, rows->n, rows->y, out, rows->weight, metrics->metrics, &metrics->count));
	if (schema->task == ML_TASK_CLASSIFICATION)
		ML_TRY(count_confusion(env, model, rows, out, &metrics->confusion));
	ml_release(env, out);
	return ML_OK;
}

double
ml_judge_score(const MlModel *model, const MlPartMetrics *metrics)
{
	const char *primary = ml_primary_metric(model->schema->task, model->schema->n_classes);

	for (int i = 0; i < metrics->count; i++)
	{
		const MlMetric *m = &metrics->metrics[i];

		if (strcmp(m->name, primary) == 0)
			return m->higher_is_better ? m->value : -m->value;
	}
	return NAN;
}

MlStatus
ml_judge_columns(MlEnv *env, const MlDataset *data, MlJudgeColumn **columns)
{
	*columns = ml_alloc0(env, (size_t) data->schema->n_features, sizeof(MlJudgeColumn));
	if (*columns == NULL)
		return env->error.status;
	for (int f = 0; f < data->schema->n_features; f++)
	{
		(*columns)[f].number = data->columns[f].number;
		(*columns)[f].code = data->columns[f].code;
		(*columns)[f].binned = data->columns[f].binned;
		(*columns)[f].sparse = data->columns[f].sparse;
	}
	return ML_OK;
}

static const MlColumn *
find_column(const MlFrame *frame, const char *name)
{
	for (int c = 0; c < frame->n_columns; c++)
	{
		if (strcmp(frame->columns[c].spec.name, name) == 0)
			return &frame->columns[c];
	}
	return NULL;
}

static MlStatus
match_column(MlEnv *env, const MlFeature *feature, const MlColumn *from, MlJudgeColumn *to)
{
	const MlDictionary *d = &from->dictionary;
	int32_t    *code_of;

	to->number = from->number;
	to->key = from->key;
	to->code = from->code;
	if (from->code == NULL)
		return ML_OK;
	code_of = ml_alloc(env, (size_t) d->count, sizeof(int32_t));
	if (code_of == NULL)
		return env->error.status;
	for (int32_t c = 0; c < d->count; c++)
		code_of[c] = (int32_t) ml_feature_text(feature, d->text[c], d->length[c]);
	to->code_of = code_of;
	return ML_OK;
}

/* The columns of all terms of a text; they stand together. Not matched: the frame has no words, or other ones. */
static MlStatus
match_text(MlEnv *env, const MlFeature *feature, const MlFrame *frame, const MlColumn *from, MlJudgeColumn *to, bool *matched)
{
	const MlTextInput *text = feature->text;
	const MlTokenSpec *given = from->spec.tokens;
	MlSparse   *sparse;
	int32_t    *slot_of;

	*matched = from->tokens != NULL && strcmp(given->config, text->tokens.config) == 0 &&
		given->min_words == text->tokens.min_words && given->max_words == text->tokens.max_words;
	if (!*matched)
		return ML_OK;
	slot_of = ml_alloc(env, (size_t) from->tokens->term.count + 1, sizeof(int32_t));
	sparse = ml_alloc0(env, (size_t) text->n, sizeof(MlSparse));
	if (slot_of == NULL || sparse == NULL)
		return env->error.status;
	for (int32_t t = 0; t < from->tokens->term.count; t++)
		slot_of[t] = ml_text_slot(text, from->tokens->term.text[t], from->tokens->term.length[t]);
	ML_TRY(ml_prep_count_terms(env, from, slot_of, text->n, NULL, frame->rows, sparse));
	for (int32_t s = 0; s < text->n; s++)
		to[s].sparse = &sparse[s];
	ml_release(env, slot_of);
	return ML_OK;
}

static MlStatus
wrong_type(MlEnv *env, const MlFeature *feature, const MlColumn *from)
{
	ml_fail(env, ML_BAD_TYPE, "column \"%s\" is of type %s, the model was trained on %s",
			from->spec.name, from->spec.type_name, feature->type_name);
	return ml_hint(env, "Cast it in the source, or train the model again on what there is now.");
}

MlStatus
ml_judge_match(MlEnv *env, const MlModel *model, const MlFrame *frame, MlJudgeColumn **columns, bool *fits)
{
	const MlSchema *schema = model->schema;
	bool		matched;

	*columns = ml_alloc0(env, (size_t) schema->n_features, sizeof(MlJudgeColumn));
	if (*columns == NULL)
		return env->error.status;
	if (fits != NULL)
		*fits = false;
	for (int f = 0; f < schema->n_features; f++)
	{
		const MlFeature *feature = &schema->features[f];
		const MlColumn *from = find_column(frame, feature->text != NULL ? feature->source_column : feature->name);

		if (from == NULL)
			return fits != NULL ? ML_OK :
				ml_fail(env, ML_NO_COLUMN, "column \"%s\", which the model needs, does not exist", feature->name);
		if (feature->text != NULL)
		{
			ML_TRY(match_text(env, feature, frame, from, &(*columns)[f], &matched));
			if (!matched)
				return fits != NULL ? ML_OK : wrong_type(env, feature, from);
			f += feature->elements - 1;
			continue;
		}
		if ((from->code != NULL) != (feature->kind == ML_FEATURE_CATEGORY || feature->buckets > 0))
			return fits != NULL ? ML_OK : wrong_type(env, feature, from);
		ML_TRY(match_column(env, feature, from, &(*columns)[f]));
	}
	if (fits != NULL)
		*fits = true;
	return ML_OK;
}
