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
#include "pg/settings.h"
#include "service/estimate.h"
#include "service/train_internal.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"

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

/* A plain table that was never analyzed: the planner goes by the size of its file. */
static bool
never_analyzed(const MlSource *source)
{
	Relation	relation;
	bool		unknown;

	if (!OidIsValid(source->relid) || get_rel_relkind(source->relid) != RELKIND_RELATION)
		return false;
	relation = RelationIdGetRelation(source->relid);
	unknown = RelationIsValid(relation) && relation->rd_rel->reltuples < 0;
	if (RelationIsValid(relation))
		RelationClose(relation);
	return unknown;
}

static void
add_warnings(MlEstimate *estimate, const MlSource *source)
{
	size_t		limit = (size_t) ml_setting_max_training_memory * 1024;

	if (estimate->memory > limit)
		estimate->warnings = lappend(estimate->warnings,
									 psprintf("needs more than mlplat.max_training_memory (%d MB): ml_train will refuse it",
											  ml_setting_max_training_memory / 1024));
	if (source->is_query)
		estimate->warnings = lappend(estimate->warnings,
									 "rows are the planner's guess for a query, which may be far off");
	else if (never_analyzed(source))
		estimate->warnings = lappend(estimate->warnings,
									 psprintf("rows are a guess: ANALYZE %s makes it better", source->relation));
	if (!source->parallel_safe)
		estimate->warnings = lappend(estimate->warnings,
									 "only the session itself can read this source: ml_train will not use a background worker");
}

MlEstimate *
ml_estimate_run(MlTrainRequest *request)
{
	MlEstimate *estimate = palloc0(sizeof(MlEstimate));
	MlEnv	   *env = ml_env_create(CurrentMemoryContext, ESTIMATE_MEMORY, 1);
	MlTrainSpec *spec = ml_train_spec(env, request);
	MlSource   *source = ml_source_open(request->source);
	MlScanPlan *plan = ml_train_plan(request, source, spec->task);

	ml_scan_peek(plan);
	estimate->rows = plan->estimated_rows;
	estimate->features = count_features(plan);
	estimate->memory = ml_train_memory(spec, plan, ml_setting_thread_count());
	estimate->excluded = plan->excluded;
	add_warnings(estimate, source);
	ml_env_free(env);
	return estimate;
}
