/*-------------------------------------------------------------------------
 * arena.h
 *	  Memory of one run or one cached model: allocated piecemeal, freed at once.
 *
 * Blocks come from malloc, large ones from mmap (so that they return to the
 * system when freed).  An arena counts its bytes and refuses to grow above its
 * limit.  Allocation is for one thread; threads get their space beforehand.
 *-------------------------------------------------------------------------
 */
#ifndef ML_BASE_ARENA_H
#define ML_BASE_ARENA_H

#include "ml/base/env.h"

/* limit in bytes, 0 for none.  NULL when malloc fails. */
extern MlArena *ml_arena_create(size_t limit);

/* The same for what is small and there many times, such as a model: its first block is 1 kB. */
extern MlArena *ml_arena_create_small(size_t limit);
extern void ml_arena_free(MlArena *arena);	/* NULL is fine */

/* Gives all of its memory back; the arena itself can be used again. */
extern void ml_arena_clear(MlArena *arena);

/* The same; its next block has room for all that was asked for so far, and for little more. */
extern void ml_arena_refit(MlArena *arena);

/*
 * An arena within memory that the caller has: it never takes more, gives nothing back before its end, and its end leaves the memory as it
 * is.  What another arena was asked for (ml_arena_demand) is enough to be asked for the same again.
 */
extern MlArena *ml_arena_create_in(void *memory, size_t bytes);
extern size_t ml_arena_demand(const MlArena *arena);

/* count * size bytes, 64-byte aligned; zeroed for ml_alloc0.  NULL with env->error set on failure. */
extern void *ml_alloc(MlEnv *env, size_t count, size_t size);
extern void *ml_alloc0(MlEnv *env, size_t count, size_t size);
extern char *ml_strdup(MlEnv *env, const char *text);
extern char *ml_strndup(MlEnv *env, const char *text, size_t length);
extern char *ml_printf(MlEnv *env, const char *format,...) __attribute__((format(printf, 2, 3)));

/*
 * Gives one allocation of 64 kB or more back before the arena ends (smaller
 * ones stay).  Needed where a run would otherwise hold two copies of the data.
 */
extern void ml_release(MlEnv *env, void *pointer);

extern size_t ml_arena_used(const MlArena *arena);
extern size_t ml_arena_peak(const MlArena *arena);
extern size_t ml_arena_limit(const MlArena *arena);

/* Bytes that others held on behalf of the same run while this arena was as it is: its peak knows of them then. */
extern void ml_arena_witness(MlArena *arena, size_t bytes);

#endif							/* ML_BASE_ARENA_H */
