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
#include "ml/data/duplicates.h"
#include "ml/data/encode.h"
#include "ml/data/subset.h"
#include "ml/data/target.h"
#include "ml/model/judge.h"
#include "ml/model/segments.h"
#include "ml/model/weights.h"

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
	size_t		n_unlabelled;	/* rows that train without a target: in "order" behind those that train with one */
	size_t		n;				/* the sum of all */
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
	size_t		start = part == ML_PART_TRAIN ? 0 : run->n_unlabelled;

	if (part == ML_PART_UNLABELLED)
		return run->n_part[ML_PART_TRAIN];
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
	size_t		next[ML_PART_UNLABELLED + 1];

	if (items == NULL)
		return env->error.status;
	ML_TRY(order_rows(run, items));
	for (size_t i = 0; i < rows; i++)
	{
		if (run->part[i] < ML_PART_UNUSED)
			run->n_part[run->part[i]]++;
		run->n_unlabelled += run->part[i] == ML_PART_UNLABELLED;
	}
	run->n = run->n_part[0] + run->n_part[1] + run->n_part[2] + run->n_unlabelled;
	run->order = ml_alloc(env, run->n, sizeof(size_t));
	if (run->order == NULL)
		return env->error.status;
	for (int p = 0; p <= ML_PART_UNLABELLED; p++)
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
		ml_detail(env, "At least 2 are needed, there are %zu of %zu.", n_train, run->n - run->n_unlabelled);
		return ml_hint(env, "Give more rows, or keep fewer of them for validation and test.");
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
	/* Of a row without a class it is -1. */
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

static MlStatus
weigh(Run *run)
{
	MlEnv	   *env = run->env;
	const MlColumn *column = ml_frame_column(run->frame, ML_ROLE_WEIGHT);
	double	   *balanced;

	ML_TRY(ml_weights_gather(env, run->frame, run->order, run->n, &run->weight));
	run->fit_weight = run->weight;
	if (run->weight != NULL)
	{
		if (!(sum_of(run->weight, run->n_part[ML_PART_TRAIN]) > 0))
			return ml_fail(env, ML_BAD_PARAM, "weight column \"%s\" is zero in all rows of the training part", column->spec.name);
		if (isinf(sum_of(run->weight, run->n_part[ML_PART_TRAIN] + run->n_unlabelled)))
			return ml_fail(env, ML_BAD_PARAM, "the sum of weight column \"%s\" is too large", column->spec.name);
	}
	if (!run->spec->balanced)
		return ML_OK;
	if (run->class_of == NULL)
	{
		ml_fail(env, ML_BAD_PARAM, "class weights need classes, which this task does not have");
		return ml_hint(env, "Leave class_weight out.");
	}
	ML_TRY(ml_weights_balance(env, run->schema->n_classes, run->n_part[ML_PART_TRAIN], run->n, run->y, run->weight, &balanced));
	run->fit_weight = balanced;
	return ML_OK;
}

/* ------------------------------------------------------------------------
 * Fit and judgement
 * ------------------------------------------------------------------------
 */

/* Is there anything to learn from without a class? */
static bool
is_semi(const Run *run)
{
	return run->n_unlabelled > 0;
}

/* Now that the columns are known: refuse rather than fail in the middle. */
static MlStatus
check_memory(Run *run, const MlDataset *data)
{
	MlEnv	   *env = run->env;
	const MlMethod *method = run->spec->method;
	size_t		limit = ml_arena_limit(env->arena);
	size_t		used = ml_arena_used(env->arena);
	size_t		needed;
	size_t		semi = 0;
	size_t		total;

	if (method->memory == NULL || limit == 0)
		return ML_OK;
	needed = method->memory(run->encoded, run->spec->params, data->n_train + data->n_valid, env->threads);
	if (is_semi(run))
		semi = ml_semi_memory(run->spec->semi, run->encoded, data->n_train + data->n_valid, ml_dataset_bytes(data, data->n_train + data->n_valid), env->threads);
	if (ml_add_size(needed, semi, &needed) && ml_add_size(used, needed, &total) && total <= limit)
		return ML_OK;
	ml_fail(env, ML_OVER_BUDGET, "the fit needs %.0f MB of memory and the limit is %.0f MB",
			((double) used + (double) needed) / 1048576, (double) limit / 1048576);
	return ml_hint(env, "Use fewer rows or columns, or raise mlplat.max_training_memory.");
}

static void
tell_saving(MlEnv *env)
{
	MlProgress	progress = {.phase = "save", .train_loss = NAN, .validation_loss = NAN};

	ml_progress(env, &progress);
}

/* The image of a model that is fitted to the data. */
static MlStatus
fit(Run *run, const MlDataset *data)
{
	MlEnv	   *env = run->env;
	MlTrainResult *result = run->result;
	MlModel    *fresh;
	void	   *fitted = NULL;

	ML_TRY(run->spec->method->fit(env, data, run->spec->params, &fitted));
	tell_saving(env);
	ML_TRY(ml_model_make_encoded(env, run->spec->method, run->schema, run->prep, fitted, &fresh));
	return ml_model_save(env, fresh, &result->image, &result->image_length);
}

/* The same with rows whose class is not known. */
static MlStatus
fit_semi(Run *run, const MlDataset *raw, const MlDataset *seen)
{
	const MlTrainSpec *spec = run->spec;
	MlSemiRun	semi = {
		.semi = spec->semi,
		.method = spec->method,
		.params = spec->params,
		.schema = run->schema,
		.prep = run->prep,
		.raw = raw,
		.seen = seen,
		.weight = run->weight,
		.balanced = spec->balanced
	};
	MlSemiResult fitted;

	ML_TRY(ml_semi_fit(run->env, &semi, &fitted));
	run->result->image = fitted.image;
	run->result->image_length = fitted.image_length;
	run->result->rows_pseudo_labelled = fitted.labelled;
	run->result->semi_iterations = fitted.iterations;
	tell_saving(run->env);
	return ML_OK;
}

/* The model read back from the image. */
static MlStatus
read_model(Run *run)
{
	MlEnv	   *env = run->env;
	MlTrainResult *result = run->result;
	size_t		before = ml_arena_demand(env->arena);

	ML_TRY(ml_model_read_back(env, result->image, result->image_length, &result->model));
	result->model_memory = ml_arena_demand(env->arena) - before;
	return ML_OK;
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

/* What became of rows without a class stands beside the metrics of the training part. */
static void
report_semi(Run *run)
{
	MlPartMetrics *train = &run->result->part[ML_PART_TRAIN];
	MlReport	report = {.given = {false}};
	MlMetric	metrics[ML_MAX_METRICS];
	int			count;

	ml_report_put(&report, ML_METRIC_UNLABELLED_ROWS, (double) run->n_unlabelled);
	ml_report_put(&report, ML_METRIC_PSEUDO_LABELLED_ROWS, (double) run->result->rows_pseudo_labelled);
	ml_report_put(&report, ML_METRIC_SEMI_ITERATIONS, (double) run->result->semi_iterations);
	ml_report_metrics(&report, metrics, &count);
	for (int i = 0; i < count && train->count < ML_MAX_METRICS; i++)
		train->metrics[train->count++] = metrics[i];
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
	if (run->spec->semi != NULL)
		report_semi(run);
	if (scored == ML_PART_TRAIN && run->spec->part == NULL && ml_task_has_target(run->schema->task))
		ml_warn(env, "there is no test part: the score is that of the rows the model was trained on");
	result->metric = ml_primary_metric(run->schema->task, run->schema->n_classes);
	result->score = ml_judge_score(result->model, &result->part[scored]);
	if (isnan(result->score))
		ml_warn(env, "%s is undefined on the rows that were to judge the model (%zu of %zu)", result->metric, run->n_part[scored], run->n - run->n_unlabelled);
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
split_unlabelled(Run *run, const MlSplitSpec *how)
{
	MlEnv	   *env = run->env;
	const MlFrame *frame = run->frame;
	size_t		missing = 0;
	size_t		n;

	if (run->class_of == NULL)
	{
		ml_fail(env, ML_BAD_PARAM, "semi_supervised is for classification, and target column \"%s\" makes a regression", run->target->spec.name);
		return ml_hint(env, "Leave it out, or say \"task\": \"classification\" if each number is a class.");
	}
	for (size_t i = 0; i < frame->rows; i++)
		missing += run->part[i] == ML_PART_UNUSED;
	ML_TRY(ml_split_unlabelled(env, how, frame->rows, ml_frame_column(frame, ML_ROLE_SPLIT), run->part, &n));
	if (missing == 0)
		ml_warn(env, "semi_supervised had nothing to do: the target is NULL in no row");
	else if (n < missing)
		ml_warn(env, "%zu of %zu rows without a target were left out, for they belong with the rows held out", missing - n, missing);
	return ML_OK;
}

static MlStatus
split(Run *run)
{
	const MlTrainSpec *spec = run->spec;
	const MlFrame *frame = run->frame;
	const MlColumn *split_column = ml_frame_column(frame, ML_ROLE_SPLIT);
	MlSplitSpec how = spec->split;
	uint64_t   *keys = NULL;
	size_t		repeated;

	/* Without a target there is nothing that a hold-out could prove. */
	if (how.kind == ML_SPLIT_AUTO && run->target == NULL)
		how.kind = ML_SPLIT_NONE;
	if (spec->part == NULL)
	{
		ML_TRY(ml_split(run->env, &how, frame->rows, frame->row_hash, run->class_of, run->schema->n_classes, split_column, run->part, &repeated));
		if (repeated > 0 && (how.kind == ML_SPLIT_AUTO || how.kind == ML_SPLIT_STRATIFIED || how.kind == ML_SPLIT_RANDOM))
			ML_TRY(ml_rows_told_apart(run->env, frame, run->target, run->part, &keys));
		if (keys != NULL)
			ML_TRY(ml_split(run->env, &how, frame->rows, keys, run->class_of, run->schema->n_classes, split_column, run->part, &repeated));
		ml_release(run->env, keys);
		return spec->semi != NULL && run->target != NULL ? split_unlabelled(run, &how) : ML_OK;
	}
	for (size_t i = 0; i < frame->rows; i++)
	{
		if (run->part[i] != ML_PART_UNUSED || spec->part[i] == ML_PART_UNLABELLED)
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
	ml_detail(env, "The source has no rows.");
	return ml_hint(env, "Look at the table, or at what the query leaves out.");
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
	run->result->rows = run->n - run->n_unlabelled;
	run->result->rows_without_target = frame->rows - run->result->rows;
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
	/* Distances of rows, too, want the numbers themselves. */
	if (spec->semi != NULL && spec->semi->kind == ML_SEMI_LABEL_SPREADING)
		return false;
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
	run->rows = (MlEncodeRows) {.order = run->order, .n_train = run->n_part[ML_PART_TRAIN] + run->n_unlabelled, .n = run->n};
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

	ML_TRY(judge_rival(run));
	if (run->spec->prep != NULL)
		ML_TRY(ml_prep_choose_terms(env, run->spec->prep, run->frame, run->order, run->rows.n_train));
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
	data.n_train = run->rows.n_train;
	data.n_unlabelled = run->n_unlabelled;
	data.n_valid = run->n_part[ML_PART_VALIDATION];
	data.n_test = run->n_part[ML_PART_TEST];
	data.columns = columns;
	data.y = run->y;
	data.weight = run->fit_weight;
	data.initial = run->spec->initial;
	ML_TRY(transform(run, &data, &seen));
	ML_TRY(check_memory(run, &seen));
	if (is_semi(run))
		ML_TRY(fit_semi(run, &data, &seen));
	else
		ML_TRY(fit(run, &seen));
	ML_TRY(read_model(run));
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
