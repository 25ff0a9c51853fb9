/*-------------------------------------------------------------------------
 * settings.c
 *	  The mlplat.* settings.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>
#include <sched.h>
#include <unistd.h>

#include "miscadmin.h"
#include "ml/base/simd.h"
#include "pg/compat.h"
#include "pg/settings.h"
#include "utils/guc.h"

int			ml_setting_execution = ML_EXECUTION_AUTO;
int			ml_setting_threads = 0;
int			ml_setting_parallel_workers = 2;
int			ml_setting_max_training_memory = 2 * 1024 * 1024;
int			ml_setting_max_concurrent_jobs = 4;
int			ml_setting_retry_seconds = 300;
bool		ml_setting_progress = true;
int			ml_setting_simd = ML_SIMD_AUTO;
int			ml_setting_model_cache_size = 64 * 1024;
int			ml_setting_shared_cache_size = 0;	/* until it is defined */

static const struct config_enum_entry execution_options[] = {
	{"auto", ML_EXECUTION_AUTO, false},
	{"worker", ML_EXECUTION_WORKER, false},
	{"foreground", ML_EXECUTION_FOREGROUND, false},
	{NULL, 0, false}
};

static const struct config_enum_entry simd_options[] = {
	{"auto", ML_SIMD_AUTO, false},
	{"baseline", ML_SIMD_BASELINE, false},
	{"avx2", ML_SIMD_AVX2, false},
	{"avx512", ML_SIMD_AVX512, false},
	{NULL, 0, false}
};

static void
assign_simd(int value, void *extra)
{
	ml_simd_limit(value == ML_SIMD_BASELINE ? ML_TIER_BASELINE : value == ML_SIMD_AVX2 ? ML_TIER_AVX2 : ML_TIER_AVX512);
}

static void
define_user_settings(void)
{
	DefineCustomEnumVariable("mlplat.execution",
							 "Where ml_train computes.",
							 "\"worker\" insists on a background worker, \"foreground\" on the session itself; \"auto\" takes a worker where one can do it.",
							 &ml_setting_execution, ML_EXECUTION_AUTO, execution_options,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("mlplat.threads",
							"Threads of a training run.",
							"Zero means all cores. The result does not depend on it.",
							&ml_setting_threads, 0, 0, 1024,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("mlplat.parallel_workers",
							"Further workers that read the data of a training run.",
							NULL,
							&ml_setting_parallel_workers, 2, 0, 1024,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("mlplat.progress",
							 "Tells the client from time to time how far a long training run is.",
							 NULL,
							 &ml_setting_progress, true,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("mlplat.simd",
							 "Vector instructions that may be used.",
							 "A tier that the processor lacks falls back to the next lower one. The result does not depend on it.",
							 &ml_setting_simd, ML_SIMD_AUTO, simd_options,
							 PGC_USERSET, 0, NULL, assign_simd, NULL);
	DefineCustomIntVariable("mlplat.model_cache_size",
							"Memory for models kept ready for prediction, per session.",
							NULL,
							&ml_setting_model_cache_size, 64 * 1024, 0, MAX_KILOBYTES,
							PGC_USERSET, GUC_UNIT_KB, NULL, NULL, NULL);
}

static void
define_limits(void)
{
	DefineCustomIntVariable("mlplat.max_training_memory",
							"Memory that one training run may use.",
							"A run that needs more is refused before it starts.",
							&ml_setting_max_training_memory, 2 * 1024 * 1024, 1024, MAX_KILOBYTES,
							PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("mlplat.max_concurrent_jobs",
							"Training runs that may compute at the same time.",
							NULL,
							&ml_setting_max_concurrent_jobs, 4, 1, 1024,
							PGC_SIGHUP, 0, NULL, NULL, NULL);

	DefineCustomIntVariable("mlplat.retry_wait",
							"Time after which a queued run that a crash ended is tried again.",
							"It grows with each attempt.",
							&ml_setting_retry_seconds, 300, 0, 86400,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);

	/* Defined later than the start of the server, a postmaster setting would be FATAL. */
	if (process_shared_preload_libraries_in_progress)
		DefineCustomIntVariable("mlplat.shared_cache_size",
								"Shared memory for models kept ready for prediction by all sessions.",
								"Only where mlplat is in shared_preload_libraries. Zero leaves each session to decode its models for itself.",
								&ml_setting_shared_cache_size, 64 * 1024, 0, MAX_KILOBYTES,
								PGC_POSTMASTER, GUC_UNIT_KB, NULL, NULL, NULL);
}

void
ml_settings_define(void)
{
	define_user_settings();
	define_limits();
	MarkGUCPrefixReserved("mlplat");
}

int
ml_setting_thread_count(void)
{
	cpu_set_t	cores;

	if (ml_setting_threads > 0)
		return ml_setting_threads;
	if (sched_getaffinity(0, sizeof(cores), &cores) == 0)
		return Max(CPU_COUNT(&cores), 1);
	return Max((int) sysconf(_SC_NPROCESSORS_ONLN), 1);
}
