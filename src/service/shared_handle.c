/*-------------------------------------------------------------------------
 * shared_handle.c
 *	  Models of the backend's cache that are handles on models in shared memory.
 *
 * A handle has a scratch of its own; the rest is in shared memory (shared_models.c) and stays there while a statement has the
 * handle pinned.  In between it may be taken out, which is noticed when the next statement wants to hold it again.
 */
#include "postgres.h"

#include "storage/ipc.h"
#include "utils/memutils.h"

#include "ml/base/arena.h"
#include "pg/env.h"
#include "pg/error.h"
#include "service/serving_internal.h"

/* What this process has pinned in shared memory. */
static dlist_head holds = DLIST_STATIC_INIT(holds);

void
ml_cache_let_go(MlCachedModel *cached)
{
	if (!cached->held)
		return;
	cached->held = false;
	dlist_delete(&cached->hold);
	ml_shared_unpin(&cached->place);
}

/* With its memory context. */
static void
let_go(void *arg)
{
	ml_cache_let_go(arg);
}

/* When this process exits, after its transaction has ended. */
static void
let_all_go(int code, Datum arg)
{
	while (!dlist_is_empty(&holds))
		ml_cache_let_go(dlist_head_element(MlCachedModel, hold, &holds));
}

static void
note_hold(MlCachedModel *cached)
{
	static bool registered = false;

	cached->held = true;
	dlist_push_head(&holds, &cached->hold);
	if (!registered)
		on_shmem_exit(let_all_go, (Datum) 0);
	registered = true;
}

bool
ml_cache_hold(MlCachedModel *cached)
{
	if (!cached->shared || cached->held)
		return true;
	if (!ml_shared_pin(&cached->place))
		return false;
	note_hold(cached);
	return true;
}

static void
make_handle(MlCachedModel *cached, MlEnv *env, const MlModel *model)
{
	cached->shared = true;
	note_hold(cached);
	cached->let_go.func = let_go;
	cached->let_go.arg = cached;
	MemoryContextRegisterResetCallback(cached->context, &cached->let_go);
	cached->model = MemoryContextAlloc(cached->context, sizeof(MlModel));
	ml_check(env, ml_model_share(env, model, cached->model));
}

bool
ml_cache_find_shared(MlCachedModel *cached, MlEnv *env, const char *checksum)
{
	const MlModel *model = ml_shared_find(checksum, &cached->place);

	if (model == NULL)
		return false;
	make_handle(cached, env, model);
	return true;
}

void
ml_cache_share(MlCachedModel *cached, MlEnv *env, const char *checksum, const uint8 *image, size_t length)
{
	const MlModel *model;

	if (!ml_shared_models_exist())
		return;
	model = ml_shared_store(checksum, image, length, ml_arena_demand(env->arena), &cached->place);
	if (model == NULL)
		return;
	ml_arena_clear(env->arena);
	make_handle(cached, env, model);
}
