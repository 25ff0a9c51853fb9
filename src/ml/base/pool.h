/*-------------------------------------------------------------------------
 * pool.h
 *	  The only place where threads are started.
 *
 * Threads start with all signals blocked and never call PostgreSQL.  Work is cut
 * into numbered tasks; which thread runs a task must never matter to the result,
 * so tasks write to places of their own and the caller joins them in order.
 * The calling thread works too and, between tasks, asks env->canceled().
 * Idle threads spin briefly and then sleep on a futex: a server is never alone.
 * Each thread begins with the same stretch of a run's tasks, so that runs over the
 * same rows find them in its cache, and goes on with what is left of others' stretches.
 *-------------------------------------------------------------------------
 */
#ifndef ML_BASE_POOL_H
#define ML_BASE_POOL_H

#include "ml/base/env.h"

/*
 * Starts threads-1 threads (none for 1).  A pool that cannot start all of them
 * works with fewer.  NULL only when malloc fails.
 */
extern MlPool *ml_pool_create(int threads);
extern void ml_pool_free(MlPool *pool); /* joins all threads; NULL is fine */
extern int	ml_pool_threads(const MlPool *pool);	/* 1 for NULL */

/* One task: number 0 .. tasks-1, run by thread 0 .. threads-1 (0 is the caller). */
typedef void (*MlTask_fn) (void *arg, size_t task, int thread);

/*
 * Runs all tasks and waits for them.  Tasks should take at most 50 ms each, so
 * that a cancel is seen in time.  ML_CANCELED when stopped between tasks: those
 * started have ended by then.  Works with env->pool == NULL.
 */
extern MlStatus ml_pool_run(MlEnv *env, size_t tasks, MlTask_fn function, void *arg);

/* Of a thread that has run tasks of a shared run and gets no more of them: what it has to hand over. */
typedef void (*MlFinish_fn) (void *arg, int thread);

/*
 * Runs tasks from inside a task of ml_pool_run(), by this thread and those that wait in ml_pool_help(), if any; returns when all have
 * ended.  Tasks should be short (100 us): a helper's last one is waited for.  Each thread but the caller's ends with finish() when
 * it took part (may be NULL), perhaps while others still run tasks.  Outside of a run, from thread 0: like ml_pool_run().
 */
extern MlStatus ml_pool_share(MlEnv *env, int thread, size_t tasks, MlTask_fn function, MlFinish_fn finish, void *arg);

/* Would somebody take part if this thread shared something now?  For work that costs more when it is cut. */
extern bool ml_pool_has_idle(const MlPool *pool);

/*
 * For tasks that do take longer: whether the run was canceled, so that what is under way may end early.  Known while the
 * caller is between tasks of its own, or waits for the others; any thread may ask.  False for a NULL pool.
 */
extern bool ml_pool_stopping(const MlPool *pool);

/*
 * For tasks that take their work from common ground: one lock per pool, and
 * sleeping until another task, which changed something, wakes all that wait (or
 * for some milliseconds: callers check their condition again anyway).
 * Waiting gives the lock back meanwhile; ml_pool_help() may also spend the time on what
 * other threads share.  Nothing to do for a NULL pool.
 */
extern void ml_pool_lock(MlPool *pool);
extern void ml_pool_unlock(MlPool *pool);
extern void ml_pool_wait(MlPool *pool);
extern void ml_pool_help(MlPool *pool, int thread);
extern void ml_pool_wake(MlPool *pool);

#endif							/* ML_BASE_POOL_H */
