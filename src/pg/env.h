/*-------------------------------------------------------------------------
 * env.h
 *	  An MlEnv whose memory hangs on a memory context: an ERROR, a cancel and a
 *	  normal end all join its threads and free its arena.
 *-------------------------------------------------------------------------
 */
#ifndef ML_PG_ENV_H
#define ML_PG_ENV_H

#include "postgres.h"

#include "ml/base/env.h"

/*
 * limit: bytes of the arena, 0 for none.  threads: 1 starts no pool; canceled()
 * looks at the pending-interrupt flags without serving them.  The callback on "owner"
 * joins the threads before it frees the memory.
 */
extern MlEnv *ml_env_create(MemoryContext owner, size_t limit, int threads);

/* One whose arena lies in memory that the caller has (ml_arena_create_in()) and keeps. */
extern MlEnv *ml_env_create_in(MemoryContext owner, void *memory, size_t bytes);

/*
 * For reading a model that stays with "owner": the environment itself goes with the current memory
 * context.  One thread, no limit, small blocks.
 */
extern MlEnv *ml_env_create_for_model(MemoryContext owner);

/* Ends it before its context does. */
extern void ml_env_free(MlEnv *env);

/* Loads mlplat_dense.so (once per process, one BLAS thread, signals blocked meanwhile) and returns its table. */
extern const MlDense *ml_load_dense(void);

/* The same if it is loaded already, else NULL. */
extern const MlDense *ml_dense_loaded(void);

#endif							/* ML_PG_ENV_H */
