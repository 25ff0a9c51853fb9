/*-------------------------------------------------------------------------
 * settings.h
 *	  The mlplat.* settings (DESIGN 2.4).
 *-------------------------------------------------------------------------
 */
#ifndef ML_PG_SETTINGS_H
#define ML_PG_SETTINGS_H

#include "postgres.h"

typedef enum MlExecution
{
	ML_EXECUTION_AUTO,
	ML_EXECUTION_WORKER,
	ML_EXECUTION_FOREGROUND
} MlExecution;

typedef enum MlSimd
{
	ML_SIMD_AUTO,				/* the best this processor has */
	ML_SIMD_BASELINE,
	ML_SIMD_AVX2,
	ML_SIMD_AVX512
} MlSimd;

extern int	ml_setting_execution;	/* MlExecution */
extern int	ml_setting_threads;		/* 0: all cores */
extern int	ml_setting_parallel_workers;
extern int	ml_setting_max_training_memory; /* kB */
extern int	ml_setting_max_concurrent_jobs;
extern int	ml_setting_retry_seconds;	/* wait before a run that a crash ended is tried again */
extern bool ml_setting_progress;
extern int	ml_setting_simd;		/* MlSimd */
extern int	ml_setting_model_cache_size;	/* kB */
extern int	ml_setting_shared_cache_size;	/* kB; 0 unless preloaded */

/* Defines them all; called by _PG_init. */
extern void ml_settings_define(void);

/* Threads a run may use: the setting, or the cores this process may run on. */
extern int	ml_setting_thread_count(void);

#endif							/* ML_PG_SETTINGS_H */
