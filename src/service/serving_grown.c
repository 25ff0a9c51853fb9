/*-------------------------------------------------------------------------
 * serving_grown.c
 *	  What is made for a served model later on and kept with it, counted by the cache: what
 *	  hastens it, what explains it, what a caller attaches.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/memutils.h"

#include "ml/base/arena.h"
#include "pg/env.h"
#include "pg/error.h"
#include "service/serving_internal.h"

static void
take_over(MlCachedModel *cached, MemoryContext context, Size bytes)
{
	MemoryContextSetParent(context, cached->context);
	ml_cache_grow(cached, bytes);
}

void **
ml_serve_attachment(const MlServed *served)
{
	return &served->pin->attachment;
}

void
ml_serve_attach(const MlServed *served, MemoryContext context)
{
	take_over(served->pin, context, MemoryContextMemAllocated(context, true));
}

void
ml_serve_hasten(const MlServed *served)
{
	MlCachedModel *cached = served->pin;
	MemoryContext context;
	MlEnv	   *env;

	if (cached->model->patience == 0)
		return;
	context = AllocSetContextCreate(CurrentMemoryContext, "mlplat hastened model", ALLOCSET_SMALL_SIZES);
	env = ml_env_create_for_model(context);
	ml_check(env, ml_model_hasten(env, cached->model));

	/* Nothing fails from here on: the model is in use. */
	cached->cost = ml_model_cost(cached->model);
	take_over(cached, context, ml_arena_used(env->arena) + MemoryContextMemAllocated(context, true));
}

void
ml_serve_count(const MlServed *served)
{
	if (served->model->patience > 1)
		served->model->patience--;
	else
		ml_serve_hasten(served);
}

char *
ml_serve_told_by(const MlServed *served)
{
	const MlMethod *method = served->model->method;
	const char *function = method->importance != NULL ? "ml_importance" : method->coefficients != NULL ? "ml_coefficients" :
		method->rules != NULL ? "ml_rules" : method->statistics != NULL ? "ml_model_statistics" : "ml_evaluate";

	return psprintf("Try %s(%s).", function, quote_literal_cstr(served->name));
}

void *
ml_serve_explainer(const MlServed *served)
{
	MlCachedModel *cached = served->pin;
	const MlModel *model = cached->model;
	MemoryContext context;
	MlEnv	   *env;
	void	   *explainer;
	Size		bytes;

	if (cached->explainer != NULL)
		return cached->explainer;
	if (model->method->explainer == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("algorithm %s of model \"%s\" cannot explain its predictions", model->method->name, served->name),
				 errhint("%s", ml_serve_told_by(served))));
	context = AllocSetContextCreate(CurrentMemoryContext, "mlplat explainer", ALLOCSET_SMALL_SIZES);
	env = ml_env_create(context, 0, 1);
	ml_check(env, model->method->explainer(env, model->fitted, model->encoded, &explainer));
	bytes = ml_arena_used(env->arena) + MemoryContextMemAllocated(context, true);

	/* Nothing below fails: it belongs to the model now. */
	cached->explainer = explainer;
	take_over(cached, context, bytes);
	return explainer;
}
