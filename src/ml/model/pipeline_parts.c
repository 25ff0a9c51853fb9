/*-------------------------------------------------------------------------
 * pipeline_parts.c
 *	  Which rows of the frame are for what: their order, part, target and weight.
 *-------------------------------------------------------------------------
 */
#include "ml/model/pipeline_internal.h"

#include <math.h>

#include "ml/base/arena.h"
#include "ml/base/sort.h"
#include "ml/data/duplicates.h"
#include "ml/data/target.h"
#include "ml/model/weights.h"

typedef struct MlPipeline Run;

/* Begin of a part in "order". */
size_t
ml_pipeline_part_start(const Run *run, MlPart part)
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
		ml_fail(env, ML_BAD_PARAM, "id column \"%s\" contains \"%.100s\" more than once", id->spec.name, id->dictionary.text[id->code[row]]);
	else if (id->key != NULL)
		ml_fail(env, ML_BAD_PARAM, "id column \"%s\" contains %lld more than once", id->spec.name, (long long) id->key[row]);
	else
		ml_fail(env, ML_BAD_PARAM, "id column \"%s\" contains %.17g more than once", id->spec.name, id->number[row]);
	return ml_hint(env, "An id is another one in each row. Without id, rows are told apart by their values.");
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
	{
		ml_fail(env, ML_BAD_PARAM, "id column \"%s\" is NULL in %zu rows", id->spec.name, id->missing);
		return ml_hint(env, "Leave such rows out of the source. Without id, rows are told apart by their values.");
	}
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
		next[p] = ml_pipeline_part_start(run, (MlPart) p);
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
		{
			ml_fail(env, ML_BAD_PARAM, "weight column \"%s\" is zero in all rows of the training part", column->spec.name);
			return ml_hint(env, "A row of weight 0 is not learnt from; leave weight out where all rows count the same.");
		}
		if (isinf(sum_of(run->weight, run->n_part[ML_PART_TRAIN] + run->n_unlabelled)))
		{
			ml_fail(env, ML_BAD_PARAM, "the sum of weight column \"%s\" is too large", column->spec.name);
			return ml_hint(env, "Divide it by its largest value; only the relations of weights matter.");
		}
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
 * Parts
 * ------------------------------------------------------------------------
 */

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
	MlTargetSpec target_spec = {spec->task, spec->method->tasks, spec->method->name, spec->semi != NULL};

	run->target = ml_frame_column(run->frame, ML_ROLE_TARGET);
	if (!ml_task_has_target(spec->method->tasks))
		return prepare_without_target(run);
	if (run->target == NULL)
	{
		ml_fail(env, ML_BAD_PARAM, "algorithm \"%s\" needs a target column", spec->method->name);
		return ml_hint(env, "Name the column that is to be predicted, behind the source.");
	}
	return ml_target_prepare(env, run->target, run->frame->rows, &target_spec, run->schema, run->part, &run->class_of);
}

MlStatus
ml_pipeline_prepare(Run *run)
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
