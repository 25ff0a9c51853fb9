/*-------------------------------------------------------------------------
 * pipeline.c
 *	  From rows to a judged model, without a server.  (pipeline_evaluate.c: judging
 *	  a model that exists; pipeline_memory.c: what a run will need.)
 *
 * The model that is judged and handed over is the one read back from its own
 * image: what was measured is what will serve, and an image that cannot be
 * read is found before it is stored.
 *-------------------------------------------------------------------------
 */
#include "ml/model/pipeline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/sort.h"
#include "ml/data/encode.h"
#include "ml/data/target.h"
#include "ml/model/judge.h"
#include "ml/model/pipeline_internal.h"
#include "ml/model/segments.h"

struct MlPipeline
{
	MlEnv	   *env;
	const MlTrainSpec *spec;
	MlFrame    *frame;
	MlTrainResult *result;
	const MlColumn *target;		/* NULL: the task has none */
	MlSchema   *schema;
	uint8_t    *part;			/* frame->rows */
	int32_t    *class_of;		/* frame->rows, NULL for regression */
	size_t	   *order;			/* rows in use: train, validation, test */
	size_t		n_part[3];
	size_t		n;				/* their sum */
	double	   *y;				/* n; NULL without target */
	double	   *weight;			/* n, of the user; NULL: all 1 */
	const double *fit_weight;	/* the same with class weights */
	MlPrep	   *prep;			/* NULL: none */
	const MlSchema *encoded;	/* what the method sees */
	MlBinRules	rules;
	MlBinChoice choice;
	MlEncodeRows rows;
};

typedef struct MlPipeline Run;

/* Begin of a part in "order". */
static size_t
part_start(const Run *run, MlPart part)
{
	size_t		start = 0;

	for (int p = 0; p < (int) part; p++)
		start += run->n_part[p];
	return start;
}

/* ------------------------------------------------------------------------
 * Order of the rows
 * ------------------------------------------------------------------------
 */

/* A key whose order is that of the ids. */
static MlStatus
id_keys(MlEnv *env, const MlColumn *id, size_t rows, MlKeyed *items)
{
	const MlDictionary *d = &id->dictionary;
	int32_t    *order = NULL;
	int32_t    *rank = NULL;

	if (id->code != NULL)
	{
		order = ml_alloc(env, (size_t) d->count, sizeof(int32_t));
		rank = ml_alloc(env, (size_t) d->count, sizeof(int32_t));
		if (order == NULL || rank == NULL)
			return env->error.status;
		ML_TRY(ml_sort_texts(env, (size_t) d->count, d->text, d->length, order));
		for (int32_t i = 0; i < d->count; i++)
			rank[order[i]] = i;
	}
	for (size_t i = 0; i < rows; i++)
	{
		items[i].row = i;
		if (id->code != NULL)
			items[i].key = (uint64_t) rank[id->code[i]];
		else if (id->key != NULL)
			items[i].key = ml_sort_key_int(id->key[i]);
		else
			items[i].key = ml_sort_key_double(id->number[i]);
	}
	ml_release(env, order);
	ml_release(env, rank);
	return ML_OK;
}

static MlStatus
duplicate_id(MlEnv *env, const MlColumn *id, size_t row)
{
	if (id->code != NULL)
		return ml_fail(env, ML_BAD_PARAM, "id column \"%s\" contains \"%.100s\" more than once", id->spec.name, id->dictionary.text[id->code[row]]);
	if (id->key != NULL)
		return ml_fail(env, ML_BAD_PARAM, "id column \"%s\" contains %lld more than once", id->spec.name, (long long) id->key[row]);
	return ml_fail(env, ML_BAD_PARAM, "id column \"%s\" contains %.17g more than once", id->spec.name, id->number[row]);
}

/* Rows in id order, or as they came. */
static MlStatus
order_rows(Run *run, MlKeyed *items)
{
	MlEnv	   *env = run->env;
	size_t		rows = run->frame->rows;
	const MlColumn *id = ml_frame_column(run->frame, ML_ROLE_ID);

	if (id == NULL)
	{
		for (size_t i = 0; i < rows; i++)
			items[i].row = i;
		return ML_OK;
	}
	if (id->missing > 0)
		return ml_fail(env, ML_BAD_PARAM, "id column \"%s\" is NULL in %zu rows", id->spec.name, id->missing);
	ML_TRY(id_keys(env, id, rows, items));
	ML_TRY(ml_sort_keyed(env, items, rows));
	for (size_t i = 1; i < rows; i++)
	{
		if (items[i].key == items[i - 1].key)
			return duplicate_id(env, id, items[i].row);
	}
	return ML_OK;
}

/* Puts the rows in use into run->order, part by part. */
static MlStatus
arrange(Run *run)
{
	MlEnv	   *env = run->env;
	size_t		rows = run->frame->rows;
	MlKeyed    *items = ml_alloc(env, rows, sizeof(MlKeyed));
	size_t		next[3];

	if (items == NULL)
		return env->error.status;
	ML_TRY(order_rows(run, items));
	for (size_t i = 0; i < rows; i++)
	{
		if (run->part[i] != ML_PART_UNUSED)
			run->n_part[run->part[i]]++;
	}
	run->n = run->n_part[0] + run->n_part[1] + run->n_part[2];
	run->order = ml_alloc(env, run->n, sizeof(size_t));
	if (run->order == NULL)
		return env->error.status;
	for (int p = 0; p < 3; p++)
		next[p] = part_start(run, (MlPart) p);
	for (size_t i = 0; i < rows; i++)
	{
		size_t		row = items[i].row;

		if (run->part[row] != ML_PART_UNUSED)
			run->order[next[run->part[row]]++] = row;
	}
	ml_release(env, items);
	return ML_OK;
}

static MlStatus
check_parts(Run *run)
{
	MlEnv	   *env = run->env;
	size_t		n_train = run->n_part[ML_PART_TRAIN];
	bool	   *seen;

	if (n_train < 2)
	{
		ml_fail(env, ML_BAD_DATA, "too few rows in the training part");
		return ml_detail(env, "At least 2 are needed, there are %zu of %zu.", n_train, run->n);
	}
	if (run->class_of == NULL)
		return ML_OK;
	seen = ml_alloc0(env, (size_t) run->schema->n_classes, sizeof(bool));
	if (seen == NULL)
		return env->error.status;
	for (size_t i = 0; i < n_train; i++)
		seen[run->class_of[run->order[i]]] = true;
	for (int32_t k = 0; k < run->schema->n_classes; k++)
	{
		if (seen[k])
			continue;
		ml_fail(env, ML_BAD_DATA, "no row of class \"%.100s\" is in the training part", run->schema->classes[k]);
		return ml_hint(env, "Use a stratified split, or leave that class out.");
	}
	return ML_OK;
}

/* ------------------------------------------------------------------------
 * Target and weights
 * ------------------------------------------------------------------------
 */

/* Where a part begins in an array over the rows in use; NULL stays NULL. */
static const double *
part_of(const double *values, size_t first)
{
	return values == NULL ? NULL : values + first;
}

static MlStatus
gather_target(Run *run)
{
	if (run->target == NULL)
		return ML_OK;
	run->y = ml_alloc(run->env, run->n, sizeof(double));
	if (run->y == NULL)
		return run->env->error.status;
	for (size_t i = 0; i < run->n; i++)
		run->y[i] = run->class_of != NULL ? run->class_of[run->order[i]] : run->target->number[run->order[i]];
	return ML_OK;
}

static double
sum_of(const double *v, size_t n)
{
	double		sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += v[i];
	return sum;
}

/* Weights that give every class the same share of the training part: n / (classes * n_class). */
static MlStatus
balance(Run *run)
{
	MlEnv	   *env = run->env;
	int32_t		classes = run->schema->n_classes;
	size_t		n_train = run->n_part[ML_PART_TRAIN];
	double	   *factor = ml_alloc0(env, (size_t) classes, sizeof(double));
	double	   *weight = ml_alloc(env, run->n, sizeof(double));

	if (factor == NULL || weight == NULL)
		return env->error.status;
	for (size_t i = 0; i < n_train; i++)
		factor[(int32_t) run->y[i]] += 1;
	for (int32_t k = 0; k < classes; k++)
		factor[k] = (double) n_train / (classes * factor[k]);
	for (size_t i = 0; i < run->n; i++)
		weight[i] = factor[(int32_t) run->y[i]] * (run->weight != NULL ? run->weight[i] : 1);
	run->fit_weight = weight;
	return ML_OK;
}

static MlStatus
weigh(Run *run)
{
	MlEnv	   *env = run->env;
	const MlColumn *column = ml_frame_column(run->frame, ML_ROLE_WEIGHT);

	ML_TRY(ml_pipeline_weights(env, run->frame, run->order, run->n, &run->weight));
	run->fit_weight = run->weight;
	if (run->weight != NULL)
	{
		double		sum = sum_of(run->weight, run->n_part[ML_PART_TRAIN]);

		if (!(sum > 0))
			return ml_fail(env, ML_BAD_PARAM, "weight column \"%s\" is zero in all rows of the training part", column->spec.name);
		if (isinf(sum))
			return ml_fail(env, ML_BAD_PARAM, "the sum of weight column \"%s\" is too large", column->spec.name);
	}
	if (!run->spec->balanced)
		return ML_OK;
	if (run->class_of == NULL)
	{
		ml_fail(env, ML_BAD_PARAM, "class weights need classes, which this task does not have");
		return ml_hint(env, "Leave class_weight out.");
	}
	return balance(run);
}

/* ------------------------------------------------------------------------
 * Fit and judgement
 * ------------------------------------------------------------------------
 */

/* Now that the columns are known: refuse rather than fail in the middle. */
static MlStatus
check_memory(Run *run)
{
	MlEnv	   *env = run->env;
	const MlMethod *method = run->spec->method;
	size_t		limit = ml_arena_limit(env->arena);
	size_t		used = ml_arena_used(env->arena);
	size_t		needed;
	size_t		total;

	if (method->memory == NULL || limit == 0)
		return ML_OK;
	needed = method->memory(run->encoded, run->spec->params, run->n_part[ML_PART_TRAIN] + run->n_part[ML_PART_VALIDATION], env->threads);
	if (ml_add_size(used, needed, &total) && total <= limit)
		return ML_OK;
	ml_fail(env, ML_OVER_BUDGET, "the fit needs %.0f MB of memory and the limit is %.0f MB",
			((double) used + (double) needed) / 1048576, (double) limit / 1048576);
	return ml_hint(env, "Use fewer rows or columns, or raise mlplat.max_training_memory.");
}

/* The image, and the model read back from it. */
static MlStatus
make_model(Run *run, const void *fitted)
{
	MlEnv	   *env = run->env;
	MlTrainResult *result = run->result;
	MlProgress	progress = {.phase = "save", .train_loss = NAN, .validation_loss = NAN};
	MlModel    *fresh;
	size_t		before;

	ml_progress(env, &progress);
	ML_TRY(ml_model_make_encoded(env, run->spec->method, run->schema, run->prep, fitted, &fresh));
	ML_TRY(ml_model_save(env, fresh, &result->image, &result->image_length));
	before = ml_arena_demand(env->arena);
	if (ml_model_load(env, result->image, result->image_length, &result->model) == ML_CORRUPT)
	{
		/* What a sound program writes is sound but for numbers that have overflowed. */
		MlError		damage = env->error;

		env->error.status = ML_OK;
		ml_fail(env, ML_OUT_OF_RANGE, "the fit has led to numbers that cannot be represented");
		ml_detail(env, "%s.", damage.message);
		ml_hint(env, "Scale columns with very large values, or use more regularization.");
	}
	result->model_memory = ml_arena_demand(env->arena) - before;
	return env->error.status;
}

/* What judging the training part may cost, in seconds of one thread; and the least rows to judge. */
#define TRAIN_JUDGE_SECONDS 3.0
#define TRAIN_JUDGE_ROWS 1000

/* Where predictions are slow, every so-manieth row of the training part instead of all: its metrics are there for comparison only. */
static MlStatus
thin_train_rows(Run *run, MlJudgeRows *rows)
{
	MlEnv	   *env = run->env;
	const MlModel *model = run->result->model;
	double		seconds = ml_model_cost(model) * 1e-9 * (double) rows->n;
	size_t		n = (size_t) ((double) rows->n * TRAIN_JUDGE_SECONDS / (seconds + 1e-9));
	size_t	   *row;
	double	   *y;
	double	   *weight = NULL;

	n = n < TRAIN_JUDGE_ROWS ? TRAIN_JUDGE_ROWS : n;
	if (n >= rows->n || rows->keep != NULL || rows->routed != NULL)
		return ML_OK;
	row = ml_alloc(env, n, sizeof(size_t));
	y = ml_alloc(env, n, sizeof(double));
	if (rows->weight != NULL)
		weight = ml_alloc(env, n, sizeof(double));
	if (row == NULL || y == NULL || (rows->weight != NULL && weight == NULL))
		return env->error.status;
	for (size_t i = 0; i < n; i++)
	{
		size_t		at = (size_t) ((double) i / (double) n * (double) rows->n);

		row[i] = rows->first + at;
		y[i] = rows->y != NULL ? rows->y[at] : 0;
		if (weight != NULL)
			weight[i] = rows->weight[at];
	}
	ml_warn(env, "the training part was judged on %zu of its %zu rows, for a prediction takes about %.0f microseconds", n, rows->n, seconds / (double) rows->n * 1e6);
	rows->row = row;
	rows->y = rows->y != NULL ? y : NULL;
	rows->weight = weight;
	rows->n = n;
	return ML_OK;
}

static MlStatus
judge_parts(Run *run, const MlDataset *data)
{
	MlEnv	   *env = run->env;
	MlTrainResult *result = run->result;
	MlPart		scored = run->n_part[ML_PART_TEST] > 0 ? ML_PART_TEST : ML_PART_TRAIN;
	MlJudgeColumn *columns;

	ML_TRY(ml_judge_columns(env, data, &columns));
	for (int p = 0; p < 3; p++)
	{
		MlJudgeRows rows = {.columns = columns, .first = part_start(run, (MlPart) p), .n = run->n_part[p]};

		rows.y = part_of(run->y, rows.first);
		rows.weight = part_of(run->weight, rows.first);
		rows.routed = result->segments != NULL ? result->segments->routed : NULL;
		rows.keep = run->spec->predictions != NULL ? run->spec->predictions + rows.first * (size_t) result->model->n_out : NULL;
		if (p == (int) scored)
			ML_TRY(ml_judge_time(env, result->model, &rows, &result->predict_microseconds));
		if (p == ML_PART_TRAIN && ml_task_has_target(run->schema->task))
			ML_TRY(thin_train_rows(run, &rows));
		ML_TRY(ml_judge(env, result->model, &rows, &result->part[p],
						p == (int) scored ? &result->roc : NULL, p == (int) scored ? &result->n_roc : NULL));
		result->part[p].rows = run->n_part[p];
	}
	if (scored == ML_PART_TRAIN && run->spec->part == NULL && ml_task_has_target(run->schema->task))
		ml_warn(env, "there is no test part: the score is that of the rows the model was trained on");
	result->metric = ml_primary_metric(run->schema->task, run->schema->n_classes);
	result->score = ml_judge_score(result->model, &result->part[scored]);
	if (isnan(result->score))
		ml_warn(env, "%s is undefined on the rows that were to judge the model (%zu of %zu)", result->metric, run->n_part[scored], run->n);
	return ML_OK;
}

/* The rival speaks of the same thing: same task and the same labels. */
static bool
same_target(const MlSchema *a, const MlSchema *b)
{
	if (a->task != b->task || a->n_classes != b->n_classes)
		return false;
	for (int32_t k = 0; k < a->n_classes; k++)
	{
		if (strcmp(a->classes[k], b->classes[k]) != 0)
			return false;
	}
	return true;
}

/* Before the frame is given up: its rows are looked up in it as they were read. */
static MlStatus
judge_rival(Run *run)
{
	const MlModel *rival = run->spec->rival;
	MlPart		part = run->n_part[ML_PART_TEST] > 0 ? ML_PART_TEST : ML_PART_TRAIN;
	size_t		first = part_start(run, part);
	MlJudgeRows rows = {.row = run->order + first, .n = run->n_part[part], .y = part_of(run->y, first)};
	MlPartMetrics metrics;
	MlJudgeColumn *columns;
	bool		fits;

	run->result->rival_score = NAN;
	if (rival == NULL || !same_target(rival->schema, run->schema))
		return ML_OK;
	ML_TRY(ml_judge_match(run->env, rival, run->frame, &columns, &fits));
	if (!fits)
		return ML_OK;
	if (run->spec->rival_segments != NULL)
		ML_TRY(ml_segments_answer(run->env, rival, run->spec->rival_segments, run->frame, rows.row, rows.n, &rows.routed, &fits));
	if (!fits)
		return ML_OK;
	rows.columns = columns;
	rows.weight = part_of(run->weight, first);
	ML_TRY(ml_judge(run->env, rival, &rows, &metrics, NULL, NULL));
	run->result->rival_judged = true;
	run->result->rival_score = ml_judge_score(rival, &metrics);
	return ML_OK;
}

static MlStatus
split(Run *run)
{
	const MlTrainSpec *spec = run->spec;
	const MlFrame *frame = run->frame;
	MlSplitSpec how = spec->split;

	/* Without a target there is nothing that a hold-out could prove. */
	if (how.kind == ML_SPLIT_AUTO && run->target == NULL)
		how.kind = ML_SPLIT_NONE;
	if (spec->part == NULL)
		return ml_split(run->env, &how, frame->rows, frame->row_hash, run->class_of, run->schema->n_classes,
						ml_frame_column(frame, ML_ROLE_SPLIT), run->part);
	for (size_t i = 0; i < frame->rows; i++)
	{
		if (run->part[i] != ML_PART_UNUSED)
			run->part[i] = spec->part[i];
	}
	return ML_OK;
}

/* A model for each group of rows, while the frame is still whole. */
static MlStatus
train_segments(Run *run)
{
	MlSegmentRun segments = {
		.spec = run->spec,
		.frame = run->frame,
		.schema = run->schema,
		.order = run->order,
		.part = run->part,
		.n = run->n
	};

	if (run->spec->segment_min_rows == 0)
		return ML_OK;
	return ml_segments_train(run->env, &segments, &run->result->segments);
}

/* The task of a method that learns from the features alone: every row counts. */
static MlStatus
prepare_without_target(Run *run)
{
	MlEnv	   *env = run->env;
	const MlMethod *method = run->spec->method;
	MlTask		task = run->spec->task;

	if (run->target != NULL)
	{
		ml_fail(env, ML_BAD_PARAM, "algorithm \"%s\" has no target", method->name);
		return ml_hint(env, "Leave the target out; to keep column \"%s\" out of the features, name it in \"exclude\".", run->target->spec.name);
	}
	for (uint32_t t = 1; task == 0; t <<= 1)
		task = (MlTask) (method->tasks & t);
	if ((method->tasks & (uint32_t) task) == 0)
		return ml_fail(env, ML_UNSUPPORTED, "algorithm \"%s\" does not do %s", method->name, ml_task_name(task));
	run->schema->task = task;
	if (run->frame->rows > 0)
		return ML_OK;
	ml_fail(env, ML_BAD_DATA, "no usable rows");
	return ml_detail(env, "The source has no rows.");
}

static MlStatus
prepare_target(Run *run)
{
	MlEnv	   *env = run->env;
	const MlTrainSpec *spec = run->spec;
	MlTargetSpec target_spec = {spec->task, spec->method->tasks, spec->method->name};

	run->target = ml_frame_column(run->frame, ML_ROLE_TARGET);
	if (!ml_task_has_target(spec->method->tasks))
		return prepare_without_target(run);
	if (run->target == NULL)
		return ml_fail(env, ML_BAD_PARAM, "algorithm \"%s\" needs a target column", spec->method->name);
	return ml_target_prepare(env, run->target, run->frame->rows, &target_spec, run->schema, run->part, &run->class_of);
}

/* Which rows are for what, with target and weights. */
static MlStatus
prepare(Run *run)
{
	MlEnv	   *env = run->env;
	MlFrame    *frame = run->frame;

	run->schema = ml_alloc0(env, 1, sizeof(MlSchema));
	run->part = ml_alloc0(env, frame->rows, 1);
	if (run->schema == NULL || run->part == NULL)
		return env->error.status;
	ML_TRY(prepare_target(run));
	ML_TRY(split(run));
	ML_TRY(arrange(run));
	ML_TRY(check_parts(run));
	ML_TRY(gather_target(run));
	ML_TRY(weigh(run));
	run->result->rows = run->n;
	run->result->rows_without_target = frame->rows - run->n;
	return ML_OK;
}

/*
 * What the method sees of the rows.  The columns that came in stay for the judgement, which goes
 * the way of a served row; those that no step speaks of are the same.
 */
static MlStatus
transform(Run *run, const MlDataset *in, MlDataset *data)
{
	MlEnv	   *env = run->env;
	MlDataColumn *columns;

	*data = *in;
	run->encoded = run->schema;
	if (run->spec->prep == NULL || run->spec->prep->n_columns == 0)
		return ML_OK;
	ML_TRY(ml_prep_fit(env, run->spec->prep, in, &run->prep, &columns));
	run->encoded = run->prep->encoded;
	if (!run->spec->method->reads_sparse)
		ML_TRY(ml_prep_spread(env, run->encoded, run->n, columns));
	data->schema = run->encoded;
	data->columns = columns;
	return ML_OK;
}

static bool
bin_rules(const MlTrainSpec *spec, MlBinRules *rules)
{
	if (spec->method->bin_rules == NULL || spec->initial != NULL || (spec->prep != NULL && spec->prep->n_columns > 0))
		return false;
	spec->method->bin_rules(spec->params, rules);
	return rules->max_bin < ML_MAX_NARROW_BINS;
}

/* An older model and groups of rows want the numbers themselves, and so do steps before the method. */
bool
ml_pipeline_takes_bins(const MlTrainSpec *spec, MlBinRules *rules)
{
	return bin_rules(spec, rules) && spec->rival == NULL && spec->segment_min_rows == 0;
}

MlStatus
ml_pipeline_begin(MlEnv *env, const MlTrainSpec *spec, MlFrame *frame, MlPipeline **pipeline)
{
	Run		   *run = ml_alloc0(env, 1, sizeof(Run));

	if (run == NULL)
		return env->error.status;
	run->env = env;
	run->spec = spec;
	run->frame = frame;
	run->result = ml_alloc0(env, 1, sizeof(MlTrainResult));
	if (run->result == NULL)
		return env->error.status;
	if (spec->method->needs_dense && env->dense == NULL)
		return ml_fail(env, ML_UNSUPPORTED, "algorithm \"%s\" needs the dense algebra module, which is not loaded", spec->method->name);
	ML_TRY(prepare(run));
	run->rows = (MlEncodeRows) {.order = run->order, .n_train = run->n_part[ML_PART_TRAIN], .n = run->n};
	if (bin_rules(spec, &run->rules))
	{
		ML_TRY(ml_bin_choose(env, &run->rules, frame, run->order, run->rows.n_train, &run->choice));
		run->rows.rules = &run->rules;
		run->rows.choice = &run->choice;
	}
	*pipeline = run;
	return ML_OK;
}

const MlEncodeRows *
ml_pipeline_rows(const MlPipeline *pipeline)
{
	return &pipeline->rows;
}

MlStatus
ml_pipeline_finish(MlPipeline *run, MlTrainResult **result)
{
	MlEnv	   *env = run->env;
	MlDataset	data = {0};
	MlDataset	seen;
	MlDataColumn *columns;
	void	   *fitted = NULL;

	ML_TRY(judge_rival(run));
	if (run->spec->prep != NULL)
		ML_TRY(ml_prep_choose_terms(env, run->spec->prep, run->frame, run->order, run->n_part[ML_PART_TRAIN]));
	ML_TRY(train_segments(run));
	ml_release(env, run->frame->row_hash);
	run->frame->row_hash = NULL;
	ML_TRY(ml_encode(env, run->frame, &run->rows, run->schema, &columns, &run->result->excluded));
	if (run->spec->prep != NULL)
		ML_TRY(ml_prep_add_terms(env, run->frame, run->order, run->n, run->schema, &columns));
	ml_release(env, run->order);
	ml_release(env, run->part);
	ml_release(env, run->class_of);
	ml_bin_choice_release(env, &run->choice);

	data.schema = run->schema;
	data.n_train = run->n_part[ML_PART_TRAIN];
	data.n_valid = run->n_part[ML_PART_VALIDATION];
	data.n_test = run->n_part[ML_PART_TEST];
	data.columns = columns;
	data.y = run->y;
	data.weight = run->fit_weight;
	data.initial = run->spec->initial;
	ML_TRY(transform(run, &data, &seen));
	ML_TRY(check_memory(run));
	ML_TRY(run->spec->method->fit(env, &seen, run->spec->params, &fitted));
	ML_TRY(make_model(run, fitted));
	ML_TRY(judge_parts(run, &data));
	*result = run->result;
	return ML_OK;
}

MlStatus
ml_pipeline_run(MlEnv *env, const MlTrainSpec *spec, MlFrame *frame, MlTrainResult **result)
{
	MlPipeline *pipeline;

	ML_TRY(ml_pipeline_begin(env, spec, frame, &pipeline));
	return ml_pipeline_finish(pipeline, result);
}
