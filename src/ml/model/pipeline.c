/*-------------------------------------------------------------------------
 * pipeline.c
 *	  From rows to a judged model, without a server.  (pipeline_parts.c: which rows
 *	  are for what; pipeline_judge.c: the figures; pipeline_evaluate.c: judging a
 *	  model that exists; pipeline_memory.c: what a run will need.)
 *
 * The model that is judged and handed over is the one read back from its own
 * image: what was measured is what will serve, and an image that cannot be
 * read is found before it is stored.
 *-------------------------------------------------------------------------
 */
#include "ml/model/pipeline_internal.h"

#include <math.h>

#include "ml/base/arena.h"
#include "ml/data/subset.h"
#include "ml/model/segments.h"

typedef struct MlPipeline Run;

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
	ML_TRY(ml_pipeline_prepare(run));
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

	ML_TRY(ml_pipeline_judge_rival(run));
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
	ML_TRY(ml_pipeline_judge(run, &data));
	*result = run->result;
	return ML_OK;
}

MlStatus
ml_pipeline_run(MlEnv *env, const MlTrainSpec *spec, MlFrame *frame, MlTrainResult **result)
{
	MlPipeline *pipeline = NULL;

	ML_TRY(ml_pipeline_begin(env, spec, frame, &pipeline));
	return ml_pipeline_finish(pipeline, result);
}
