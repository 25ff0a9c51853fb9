/*-------------------------------------------------------------------------
 * env.c
 *	  An MlEnv whose memory hangs on a memory context.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>
#include <time.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "ml/base/arena.h"
#include "ml/base/dense.h"
#include "ml/base/pool.h"
#include "pg/compat.h"
#include "pg/env.h"
#include "storage/procsignal.h"
#include "utils/memutils.h"

typedef struct MlOwnedEnv
{
	MlEnv		env;			/* first: the two share an address */
	MemoryContextCallback callback;
} MlOwnedEnv;

/* Of the second module, once it is loaded. */
static const MlDense *dense_table = NULL;

/*
 * A session that computes by itself does not read from its client, so nobody
 * would notice that the client is gone.  Looked at once a second.
 */
static bool
client_is_gone(void)
{
	static time_t last_look = 0;
	struct timespec now;

	if (MyProcPort == NULL || ClientConnectionLost)
		return ClientConnectionLost;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (now.tv_sec == last_look)
		return false;
	last_look = now.tv_sec;
	if (pq_check_connection())
		return false;
	ClientConnectionLost = true;
	InterruptPending = true;
	return true;
}

/*
 * Looks at the flags only: what is pending is served by ml_throw(), after all
 * threads have stopped.  Other interrupts (a message of a parallel worker, a
 * catch-up signal) can wait until the computation is through; but not a barrier, for which
 * DROP DATABASE and others wait in all processes of the server.
 */
static bool
interrupt_is_pending(void *state)
{
	if (unlikely(InterruptPending) && ProcSignalBarrierPending)
		ProcessProcSignalBarrier();
	if (unlikely(InterruptPending) && (QueryCancelPending || ProcDiePending))
		return true;
	return client_is_gone();
}

/* Threads first: they use the memory. */
static void
release_env(void *arg)
{
	MlEnv	   *env = arg;

	ml_pool_free(env->pool);
	env->pool = NULL;
	ml_arena_free(env->arena);
	env->arena = NULL;
}

static MlEnv *
create_env(MemoryContext owner, MlArena *(*create_arena) (void *memory, size_t bytes), void *memory, size_t bytes, int threads)
{
	MlOwnedEnv *owned = MemoryContextAllocZero(owner, sizeof(MlOwnedEnv));
	MlEnv	   *env = &owned->env;

	env->threads = Max(threads, 1);
	env->canceled = interrupt_is_pending;
	owned->callback.func = release_env;
	owned->callback.arg = env;
	MemoryContextRegisterResetCallback(owner, &owned->callback);

	env->arena = create_arena(memory, bytes);
	if (env->arena != NULL && env->threads > 1)
		env->pool = ml_pool_create(env->threads);
	if (env->arena == NULL || (env->threads > 1 && env->pool == NULL))
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Failed while starting a computation.")));
	return env;
}

static MlArena *
create_own_arena(void *memory, size_t limit)
{
	return ml_arena_create(limit);
}

MlEnv *
ml_env_create(MemoryContext owner, size_t limit, int threads)
{
	return create_env(owner, create_own_arena, NULL, limit, threads);
}

MlEnv *
ml_env_create_in(MemoryContext owner, void *memory, size_t bytes)
{
	return create_env(owner, ml_arena_create_in, memory, bytes, 1);
}

static void
release_arena(void *arg)
{
	ml_arena_free(arg);
}

MlEnv *
ml_env_create_for_model(MemoryContext owner)
{
	MlEnv	   *env = palloc0(sizeof(MlEnv));
	MemoryContextCallback *callback = MemoryContextAlloc(owner, sizeof(MemoryContextCallback));

	env->threads = 1;
	env->canceled = interrupt_is_pending;
	env->arena = ml_arena_create_small(0);
	if (env->arena == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Failed while loading a model.")));
	callback->func = release_arena;
	callback->arg = env->arena;
	MemoryContextRegisterResetCallback(owner, callback);
	return env;
}

void
ml_env_free(MlEnv *env)
{
	release_env(env);
}

/*
 * OpenBLAS starts its threads while it is being loaded, before anybody could ask
 * it for one only; so the environment asks, and any thread that comes up
 * nevertheless inherits a mask that leaves all signals to the main thread.
 */
const MlDense *
ml_load_dense(void)
{
	sigset_t	all;
	sigset_t	before;
	char	   *setting;

	if (dense_table != NULL)
		return dense_table;

	/* Without room for its first buffer OpenBLAS would try for ever while it is being loaded. */
	if (ml_dense_room() != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Dense linear algebra needs 240 MB of address space."),
				 errhint("Raise the memory limit of the server process (ulimit -v, vm.overcommit_memory).")));

	setting = getenv("OPENBLAS_NUM_THREADS");
	if (setting != NULL)
		setting = pstrdup(setting);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	PG_TRY();
	{
		const MlDense *(*get_table) (void);

		setenv("OPENBLAS_NUM_THREADS", "1", 1);
		get_table = (const MlDense *(*) (void))
			load_external_function("$libdir/mlplat_dense", "ml_dense_table", true, NULL);
		dense_table = get_table();
	}
	PG_FINALLY();
	{
		if (setting != NULL)
			setenv("OPENBLAS_NUM_THREADS", setting, 1);
		else
			unsetenv("OPENBLAS_NUM_THREADS");
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	PG_END_TRY();
	return dense_table;
}

const MlDense *
ml_dense_loaded(void)
{
	return dense_table;
}
