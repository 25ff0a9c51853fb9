/*-------------------------------------------------------------------------
 * estimate.c
 *	  What a training run would read and need, without running it.
 *
 * Asks the same functions as a run does, up to the point where a run would
 * begin to read.  Only where arrays are among the columns are the first rows
 * looked at, for their lengths.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "pg/env.h"
#include "pg/error.h"
#include "pg/settings.h"
#include "service/estimate.h"
#include "service/train_internal.h"
#include "utils/lsyscache.h"

/* Parameters and messages. */
#define ESTIMATE_MEMORY ((size_t) 16 * 1024 * 1024)

static int
count_features(const MlScanPlan *plan)
{
	int			features = 0;

	for (int i = 0; i < plan->n_columns; i++)
		features += (plan->columns[i].roles & ML_ROLE_FEATURE) != 0;
	return features;
}

static bool
can_analyze(const MlSource *source)
{
	char		kind = OidIsValid(source->relid) ? get_rel_relkind(source->relid) : '\0';

	return kind == RELKIND_RELATION || kind == RELKIND_MATVIEW || kind == RELKIND_PARTITIONED_TABLE;
}

static void
add_warnings(MlEstimate *estimate, const MlScanPlan *plan, const MlSource *source)
{
	size_t		limit = (size_t) ml_setting_max_training_memory * 1024;

	if (estimate->memory > limit && plan->rows_firm)
		estimate->warnings = lappend(estimate->warnings,
									 psprintf("needs more than mlplat.max_training_memory (%d MB): ml_train will refuse it",
											  ml_setting_max_training_memory / 1024));
	else if (estimate->memory > limit)
		estimate->warnings = lappend(estimate->warnings,
									 psprintf("may need more than mlplat.max_training_memory (%d MB)",
											  ml_setting_max_training_memory / 1024));
	if (!plan->rows_firm)
		estimate->warnings = lappend(estimate->warnings,
									 can_analyze(source) ? psprintf("rows are a guess that may be far off; ANALYZE %s helps", source->relation)
									 : "rows are the planner's guess, which may be far off");
	if (!source->parallel_safe)
		estimate->warnings = lappend(estimate->warnings,
									 "only the session itself can read this source: ml_train will not use a background worker");
}

MlEstimate *
ml_estimate_run(MlTrainRequest *request)
{
	MlEstimate *estimate = palloc0(sizeof(MlEstimate));
	MlEnv	   *env = ml_env_create(CurrentMemoryContext, ESTIMATE_MEMORY, 1);
	MlTrainSpec *spec;
	MlSource   *source;
	MlScanPlan *plan;

	ml_train_check_lists(request);
	spec = ml_train_spec(env, request);
	source = ml_source_open(request->source);
	plan = ml_train_plan(request, source, spec);
	if (spec->prep != NULL)
		ml_check(env, ml_prep_check(env, spec->prep, plan->columns, plan->n_columns, request->target != NULL));
	ml_scan_peek(plan);
	estimate->rows = plan->estimated_rows;
	estimate->features = count_features(plan);
	estimate->memory = ml_train_memory(spec, plan, ml_setting_thread_count());
	estimate->excluded = plan->excluded;
	add_warnings(estimate, plan, source);
	ml_env_free(env);
	return estimate;
}
