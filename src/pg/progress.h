/*-------------------------------------------------------------------------
 * progress.h
 *	  How far a run is, told to whoever asks.
 *
 * A run keeps one MlRunProgress; where a parallel worker computes, it lies in the
 * run's shared memory and the session looks at it while it waits.  The session (or
 * the asynchronous worker) publishes it in its own backend-status entry, in the
 * array that pg_stat_progress_* uses, with a command number that no view shows: this
 * works without preloading, in every process, and ends with the process.
 *-------------------------------------------------------------------------
 */
#ifndef ML_PG_PROGRESS_H
#define ML_PG_PROGRESS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "ml/base/env.h"
#include "nodes/pg_list.h"

typedef enum MlPhase
{
	ML_PHASE_START,				/* waiting for a slot, checking */
	ML_PHASE_READ,
	ML_PHASE_PREPARE,			/* split, encoding, bins */
	ML_PHASE_FIT,
	ML_PHASE_EVALUATE,
	ML_PHASE_STORE
} MlPhase;

#define ML_N_PHASES 6

/* Each field is eight bytes at most and written by one process, so a reader may look at any time. */
typedef struct MlRunProgress
{
	int64		job;			/* 0: the run is not recorded */
	Oid			owner;
	MlPhase		phase;
	TimestampTz started;
	TimestampTz phase_started;
	double		share;			/* of the phase, NaN: not known */
	int64		rows;			/* read so far */
	int64		iteration;
	int64		iterations;
	double		train_loss;		/* NaN: not known */
	double		validation_loss;
	int64		peak_memory;	/* bytes of the arena */
} MlRunProgress;

extern void ml_progress_init(MlRunProgress *progress, int64 job, Oid owner);
extern void ml_progress_phase(MlRunProgress *progress, MlPhase phase);

/* Takes over what a computation says. */
extern void ml_progress_take(MlRunProgress *progress, const MlProgress *said);

/* Into this backend's status entry; begin first. */
extern void ml_progress_begin(void);
extern void ml_progress_publish(const MlRunProgress *progress);
extern void ml_progress_end(void);

extern const char *ml_progress_phase_name(MlPhase phase);

/* Share of the whole run, 0 .. 1, and seconds left (NaN: not known). */
extern double ml_progress_share(const MlRunProgress *progress);
extern double ml_progress_seconds_left(const MlRunProgress *progress, TimestampTz now);

/* "iteration 37 of 100, train loss 0.31, validation loss 0.34": what there is to say, palloc'd; "" for nothing. */
extern char *ml_progress_describe(const MlRunProgress *progress);

/* Runs of this database as published now: list of MlRunProgress *. */
extern List *ml_progress_list(void);

/* The process that publishes the progress of this job right now, 0 for none. */
extern int	ml_progress_pid(int64 job);

#endif							/* ML_PG_PROGRESS_H */
