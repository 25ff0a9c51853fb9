/*-------------------------------------------------------------------------
 * train_compute.c
 *	  The training run itself: read, learn, judge.
 *
 * The same code runs in a parallel worker of the session, in the session and in
 * an asynchronous worker.  After after_read() there may be no transaction any more:
 * from there on nothing here may look into a catalog, take a lock or use a
 * resource owner.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/resolve.h"
#include "miscadmin.h"
#include "ml/base/arena.h"
#include "ml/base/dense.h"
#include "ml/model/segments.h"
#include "pg/env.h"
#include "pg/error.h"
#include "pg/progress.h"
#include "pg/settings.h"
#include "portability/instr_time.h"
#include "service/segments.h"
#include "service/serving.h"
#include "service/train_internal.h"
#include "storage/latch.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

/* The training history grows with the iterations; beyond this it is thinned by the caller's eye, not by us. */
#define MAX_HISTORY 1000000

/* What the callbacks of a run's MlEnv know. */
typedef struct Run
{
	MlRunProgress *progress;
	void		(*told) (void);	/* after each change of progress */
	MemoryContext context;		/* of the outcome */
	int			n_history;
	int			max_history;
	MlHistory  *history;
} Run;

/* -- max_seconds ------------------------------------------------------------ */

static volatile sig_atomic_t time_is_up = false;

/* In a signal handler: asks for a cancel, whose error will be replaced by a better one. */
static void
set_time_is_up(void)
{
	time_is_up = true;
	QueryCancelPending = true;
	InterruptPending = true;
	SetLatch(MyLatch);
}

static TimeoutId
limit_timeout(void)
{
	static TimeoutId id = MAX_TIMEOUTS;

	if (id == MAX_TIMEOUTS)
		id = RegisterTimeout(USER_TIMEOUT, set_time_is_up);
	return id;
}

/* -- callbacks of src/ml ---------------------------------------------------- */

static void
run_progress(void *state, const MlProgress *said)
{
	Run		   *run = state;
	MlRunProgress *progress = run->progress;

	ml_progress_take(progress, said);
	if (progress->phase == ML_PHASE_READ)
		progress->rows = said->iteration;	/* of a read, iterations are rows */
	if (run->told != NULL)
		run->told();
}

static void
run_history(void *state, const MlHistory *entry)
{
	Run		   *run = state;

	if (run->n_history >= MAX_HISTORY)
		return;
	if (run->n_history == run->max_history)
	{
		/* Without palloc's ERROR: we are inside src/ml, which is not to be jumped out of. */
		int			max = Max(run->max_history * 2, 256);
		MlHistory  *grown = MemoryContextAllocExtended(run->context, sizeof(MlHistory) * max, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);

		if (grown == NULL)
			return;
		if (run->n_history > 0)
			memcpy(grown, run->history, sizeof(MlHistory) * run->n_history);
		run->history = grown;
		run->max_history = max;
	}
	run->history[run->n_history++] = *entry;
}

/* -- the outcome ------------------------------------------------------------ */

static char **
copy_strings(int count, const char *const *texts)
{
	char	  **copies = palloc0(sizeof(char *) * Max(count, 1));

	for (int i = 0; i < count; i++)
		copies[i] = pstrdup(texts[i]);
	return copies;
}

static char **
list_strings(List *list, int *count)
{
	char	  **texts = palloc0(sizeof(char *) * Max(list_length(list), 1));
	ListCell   *lc;

	*count = 0;
	foreach(lc, list)
		texts[(*count)++] = pstrdup(lfirst(lc));
	return texts;
}

/* What was left out, by the scan and by the pipeline, and what was worth a warning, each once. */
static void
collect_warnings(MlTrainOutcome *outcome, const MlEnv *env, const MlScanPlan *plan, const MlTrainResult *result)
{
	List	   *all = NIL;
	ListCell   *lc;

	foreach(lc, plan->excluded)
		all = lappend(all, psprintf("left out column %s", (char *) lfirst(lc)));
	for (const char **text = result->excluded; text != NULL && *text != NULL; text++)
		all = lappend(all, psprintf("left out column %s", *text));
	for (const MlWarning *warning = env->warnings; warning != NULL; warning = warning->next)
		all = lappend(all, pstrdup(warning->text));
	outcome->warnings = list_strings(all, &outcome->n_warnings);
}

static void
copy_parts(MlTrainOutcome *outcome, const MlTrainResult *result)
{
	Size		cells = (Size) outcome->n_classes * outcome->n_classes;

	for (int part = 0; part < 3; part++)
	{
		const MlPartMetrics *from = &result->part[part];

		outcome->rows_part[part] = from->rows;
		outcome->n_metrics[part] = from->count;
		memcpy(outcome->metrics[part], from->metrics, sizeof(MlMetric) * from->count);
		if (from->confusion == NULL)
			continue;
		outcome->confusion[part] = palloc_extended(sizeof(int64) * Max(cells, 1), MCXT_ALLOC_HUGE);
		memcpy(outcome->confusion[part], from->confusion, sizeof(int64) * cells);
	}
	outcome->n_roc = (int) result->n_roc;
	outcome->roc = palloc(sizeof(MlRocPoint) * Max(outcome->n_roc, 1));
	if (outcome->n_roc > 0)
		memcpy(outcome->roc, result->roc, sizeof(MlRocPoint) * outcome->n_roc);
}

static const char *
kind_of_column(const MlColumn *column)
{
	switch (column->spec.logical)
	{
		case ML_LOGICAL_INTEGER:
			return "integer";
		case ML_LOGICAL_BOOLEAN:
			return "boolean";
		case ML_LOGICAL_TIME:
			return "date";
		default:
			return "text";
	}
}

static void
copy_segments(MlTrainOutcome *outcome, const MlSegments *segments)
{
	Size		offset = 0;

	if (segments == NULL)
		return;
	outcome->n_segment_columns = segments->n_columns;
	outcome->segment_by = palloc(sizeof(char *) * Max(segments->n_columns, 1));
	outcome->segment_kinds = palloc(sizeof(char *) * Max(segments->n_columns, 1));
	for (int c = 0; c < segments->n_columns; c++)
	{
		outcome->segment_by[c] = pstrdup(segments->column[c]->spec.name);
		outcome->segment_kinds[c] = pstrdup(kind_of_column(segments->column[c]));
	}
	outcome->n_segments = (int) segments->count;
	outcome->segments = palloc_extended(sizeof(MlSegmentEntry) * Max(segments->count, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (size_t i = 0; i < segments->count; i++)
		outcome->segment_bytes += segments->segment[i].image_length;
	outcome->segment_images = palloc_extended(Max(outcome->segment_bytes, 1), MCXT_ALLOC_HUGE);
	for (size_t i = 0; i < segments->count; i++)
	{
		const MlSegment *from = &segments->segment[i];
		MlSegmentEntry *to = &outcome->segments[i];

		to->segment = (int32) i;
		to->key = copy_strings(segments->n_columns, from->key);
		to->rows = (int64) from->rows;
		to->score = from->score;
		to->error = from->error != NULL ? pstrdup(from->error) : NULL;
		to->image_length = from->image_length;
		if (from->image != NULL)
			memcpy(outcome->segment_images + offset, from->image, from->image_length);
		offset += from->image_length;
	}
	ml_train_outcome_place_images(outcome);
}

static void
copy_result(MlTrainOutcome *outcome, const MlTrainResult *result)
{
	const MlSchema *schema = result->model->schema;

	outcome->image_length = result->image_length;
	outcome->image = palloc_extended(Max(result->image_length, 1), MCXT_ALLOC_HUGE);
	memcpy(outcome->image, result->image, result->image_length);
	outcome->model_memory = (int64) result->model_memory;
	outcome->predict_microseconds = result->predict_microseconds;
	outcome->task = schema->task;
	outcome->rows = result->rows;
	outcome->rows_without_target = result->rows_without_target;
	outcome->n_classes = schema->n_classes;
	outcome->classes = copy_strings(schema->n_classes, schema->classes);
	outcome->n_features = schema->n_features;
	outcome->features = palloc0(sizeof(char *) * Max(schema->n_features, 1));
	outcome->n_features = 0;
	for (int f = 0; f < schema->n_features; f++)
	{
		const MlFeature *feature = &schema->features[f];

		/* Of a text, whatever number of terms it has, there is one. */
		if (feature->text == NULL || feature->element == 1)
			outcome->features[outcome->n_features++] = pstrdup(feature->text == NULL ? feature->name : feature->source_column);
	}
	outcome->target_type = schema->target_type != NULL ? pstrdup(schema->target_type) : NULL;
	outcome->metric = pstrdup(result->metric != NULL ? result->metric : "");
	outcome->score = result->score;
	copy_parts(outcome, result);
	copy_segments(outcome, result->segments);
}

/* -- the run ---------------------------------------------------------------- */

static void
enter(Run *run, MlPhase phase)
{
	ml_progress_phase(run->progress, phase);
	if (run->told != NULL)
		run->told();
}

/* In whole microseconds, so that they print short. */
static double
seconds_since(instr_time start)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, start);
	return (double) INSTR_TIME_GET_MICROSEC(now) / 1e6;
}

static char *
current_snapshot_text(void)
{
	Datum		snapshot = OidFunctionCall0(F_PG_CURRENT_SNAPSHOT);

	return DatumGetCString(OidFunctionCall1(F_PG_SNAPSHOT_OUT, snapshot));
}

/*
 * The version in production, when it is to be judged on the new hold-out.  If it cannot be
 * read any more, that is no reason to refuse a new one.
 */
static void
load_rival(MlEnv *env, const MlTrainRequest *request, MlTrainSpec *spec)
{
	MlResolved	resolved;

	if (request->rival_version == 0)
		return;
	if (ml_resolve_version(request->rival_version_id, GetActiveSnapshot(), &resolved) != ML_RESOLVED)
		return;
	spec->rival = ml_load_version(env, request->rival_version_id, &resolved);
	spec->rival_segments = ml_segments_load(env, &resolved);
}

/* The share of the rows that trains; what a column says, or groups of very different size, may be less. */
static double
likely_to_train(const MlSplitSpec *split)
{
	if (split->kind == ML_SPLIT_NONE)
		return 1;
	if (split->kind == ML_SPLIT_COLUMN || split->kind == ML_SPLIT_GROUP)
		return 0.6;
	return Max(1 - split->holdout - split->validation, 0.01);
}

/* Everything that needs the transaction: columns, rows, names. */
static MlFrame *
read_rows(const MlTrainRequest *request, MlEnv *env, Run *run, MlTrainSpec *spec, MlScanPlan **plan_out, MlTrainOutcome *outcome)
{
	MlSource   *source = ml_source_open(request->source);
	MlScanPlan *plan = ml_train_plan(request, source, spec);
	MlFrame    *frame;
	MlResolved	initial;
	instr_time	start;

	ml_train_check_memory(spec, plan, env->threads);
	load_rival(env, request, spec);
	if (ml_train_initial(spec, &initial))
		spec->initial = ml_load_version(env, initial.version_id, &initial);
	env->dense = spec->method->needs_dense ? ml_load_dense() : NULL;
	outcome->blas = env->dense != NULL ? pstrdup(env->dense->name) : NULL;

	INSTR_TIME_SET_CURRENT(start);
	enter(run, ML_PHASE_READ);
	plan->defer = ml_pipeline_takes_bins(spec, &plan->bin_rules);
	plan->train_share = likely_to_train(&spec->split);
	frame = ml_scan_run(plan, env);
	outcome->read_seconds = seconds_since(start);

	run->progress->rows = frame->rows;
	outcome->relation = source->relation != NULL ? pstrdup(source->relation) : NULL;
	outcome->source_columns = list_strings(plan->source_columns, &outcome->n_source_columns);
	outcome->snapshot = current_snapshot_text();
	snprintf(outcome->data_hash, sizeof(outcome->data_hash), "%016llx%016llx",
			 (unsigned long long) frame->content_hash[0], (unsigned long long) frame->content_hash[1]);
	*plan_out = plan;
	return frame;
}

static MlTrainOutcome *
compute(const MlTrainRequest *request, Run *run, void (*after_read) (void))
{
	MlTrainOutcome *outcome = palloc0(sizeof(MlTrainOutcome));
	MlEnv	   *env = ml_env_create(CurrentMemoryContext, (size_t) ml_setting_max_training_memory * 1024, ml_setting_thread_count());
	MemoryContext context = CurrentMemoryContext;
	MlTrainSpec *spec = ml_train_spec(env, request);
	MlPipeline *pipeline;
	MlTrainResult *result;
	MlScanPlan *plan;
	MlFrame    *frame;
	instr_time	start;

	env->progress = run_progress;
	env->history = run_history;
	env->state = run;
	env->seed = (uint64) request->seed;
	outcome->threads = env->threads;

	frame = read_rows(request, env, run, spec, &plan, outcome);
	INSTR_TIME_SET_CURRENT(start);
	run->progress->peak_memory = ml_arena_peak(env->arena);
	enter(run, ML_PHASE_PREPARE);
	ml_check(env, ml_pipeline_begin(env, spec, frame, &pipeline));
	outcome->fit_seconds = seconds_since(start);

	INSTR_TIME_SET_CURRENT(start);
	ml_scan_bins(plan, env, frame, ml_pipeline_rows(pipeline));
	outcome->read_seconds = rint((outcome->read_seconds + seconds_since(start)) * 1e6) / 1e6;
	if (after_read != NULL)
	{
		after_read();
		MemoryContextSwitchTo(context);
	}

	INSTR_TIME_SET_CURRENT(start);
	ml_check(env, ml_pipeline_finish(pipeline, &result));
	outcome->fit_seconds = rint((outcome->fit_seconds + seconds_since(start)) * 1e6) / 1e6;
	copy_result(outcome, result);
	if (spec->rival != NULL && result->rival_judged)
	{
		outcome->rival_version = request->rival_version;
		outcome->rival_score = result->rival_score;
	}
	collect_warnings(outcome, env, plan, result);
	outcome->n_history = run->n_history;
	outcome->history = run->history;
	outcome->peak_memory = run->progress->peak_memory = ml_arena_peak(env->arena);
	ml_env_free(env);
	return outcome;
}

MlTrainOutcome *
ml_train_compute(const MlTrainRequest *request, MlRunProgress *progress, void (*told) (void), void (*after_read) (void))
{
	MemoryContext context = CurrentMemoryContext;
	MlTrainOutcome *outcome = NULL;
	Run			run = {0};

	run.progress = progress;
	run.told = told;
	run.context = context;
	time_is_up = false;
	if (request->max_seconds > 0)
		enable_timeout_at(limit_timeout(), GetCurrentTimestamp() + (TimestampTz) (request->max_seconds * 1000000.0));

	PG_TRY();
	{
		outcome = compute(request, &run, after_read);
	}
	PG_CATCH();
	{
		if (request->max_seconds > 0)
			disable_timeout(limit_timeout(), false);
		MemoryContextSwitchTo(context);
		if (time_is_up && geterrcode() == ERRCODE_QUERY_CANCELED)
		{
			FlushErrorState();
			ereport(ERROR,
					(errcode(ERRCODE_QUERY_CANCELED),
					 errmsg("training was stopped after max_seconds (%g)", request->max_seconds),
					 errhint("Allow more time, or ask for less: fewer rows, fewer iterations.")));
		}
		PG_RE_THROW();
	}
	PG_END_TRY();

	if (request->max_seconds > 0)
		disable_timeout(limit_timeout(), false);
	if (time_is_up)
		QueryCancelPending = false; /* the time was up when the work was done */
	return outcome;
}
