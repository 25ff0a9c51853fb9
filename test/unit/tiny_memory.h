/*-------------------------------------------------------------------------
 * tiny_memory.h
 *	  What a run takes beyond the frame is not more than was announced.
 *-------------------------------------------------------------------------
 */
#ifndef TINY_MEMORY_H
#define TINY_MEMORY_H

#include "tiny.h"
#include "unit.h"

static void
tiny_check_memory(const MlMethod *method, const TinyTable *t, const MlSemi *semi)
{
	MlEnv	   *env = unit_env(2);
	MlColumnSpec specs[TINY_COLUMNS];
	int			at[TINY_COLUMNS];
	int			n = tiny_specs(t, specs, at);
	MlParams   *params;
	MlFrame    *frame;
	MlTrainResult *r;
	MlTrainSpec spec;
	size_t		before;
	size_t		announced;

	env->dense = ml_dense_table();
	CHECK_STATUS(env, tiny_params(env, method, &params), ML_OK);
	CHECK_STATUS(env, tiny_frame(env, t, 1, &frame), ML_OK);
	before = ml_arena_used(env->arena);
	spec = tiny_spec(method, params);
	spec.semi = semi;
	announced = ml_pipeline_memory(&spec, specs, n, t->rows, 2);
	CHECK_STATUS(env, ml_pipeline_run(env, &spec, frame, &r), ML_OK);
	unit_check(ml_arena_peak(env->arena) <= before + announced + (1 << 20), __FILE__, __LINE__, "%s: %zu kB were announced, %zu kB taken",
			   method->name, announced >> 10, (ml_arena_peak(env->arena) - before) >> 10);
	CHECK(announced < (size_t) 1 << 30);
	CHECK(ml_pipeline_memory(&spec, specs, n, SIZE_MAX / 4, 2) == SIZE_MAX);
	unit_env_free(env);
}

#endif							/* TINY_MEMORY_H */
