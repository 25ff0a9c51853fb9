/*-------------------------------------------------------------------------
 * env.h
 *	  What a computation may ask of the world around it.
 *
 * src/ml knows neither PostgreSQL nor stdio.  Everything it needs from outside
 * (memory, cancellation, progress, threads) comes in an MlEnv, and everything
 * that goes wrong leaves through one: a function records the first failure with
 * ml_fail() and returns its status; src/pg/error.c turns it into an ERROR.
 *-------------------------------------------------------------------------
 */
#ifndef ML_BASE_ENV_H
#define ML_BASE_ENV_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct MlArena MlArena;
typedef struct MlPool MlPool;
typedef struct MlDense MlDense;

/* Each status has one SQLSTATE, see src/pg/error.c and doc/reference/errors.md. */
typedef enum MlStatus
{
	ML_OK = 0,
	ML_CANCELED,				/* env->canceled() said so; nothing is half done */
	ML_NO_MEMORY,				/* malloc failed: 53200 */
	ML_OVER_BUDGET,				/* the arena's limit was reached: 53400 */
	ML_TOO_LARGE,				/* a size beyond what a format can hold: 54000 */
	ML_BAD_PARAM,				/* an argument or hyper-parameter: 22023 */
	ML_BAD_DATA,				/* the content of the data: 22000 */
	ML_OUT_OF_RANGE,			/* a number a result cannot hold: 22003 */
	ML_NULL_VALUE,				/* a NULL where none may be: 22004 */
	ML_BAD_LENGTH,				/* wrong number of array elements: 2202E */
	ML_NO_COLUMN,				/* a named column does not exist: 42703 */
	ML_BAD_TYPE,				/* a column of a type that cannot be used: 42804 */
	ML_UNSUPPORTED,				/* not possible for this method or task: 0A000 */
	ML_CORRUPT,					/* a model image is damaged: XX001 */
	ML_NEWER_FORMAT				/* an image of a newer library: 0A000 with hint */
} MlStatus;

typedef struct MlError
{
	MlStatus	status;
	char		message[512];	/* lower case, no full stop */
	char		detail[512];	/* whole sentences or "" */
	char		hint[512];		/* whole sentences or "" */
} MlError;

/* How far a fit is.  A negative or NaN number means "not known". */
typedef struct MlProgress
{
	const char *phase;			/* a static string: "read", "bin", "fit", "evaluate", "save" */
	double		share;			/* of the phase, 0 .. 1 */
	int64_t		iteration;		/* 1-based, 0 when the method has none */
	int64_t		iterations;
	double		train_loss;
	double		validation_loss;
} MlProgress;

typedef struct MlWarning
{
	struct MlWarning *next;
	const char *text;
} MlWarning;

/* One number of the training history: (iteration, split, metric) -> value. */
typedef struct MlHistory
{
	int32_t		iteration;
	const char *split;			/* "train" or "validation", static */
	const char *metric;			/* static */
	double		value;
} MlHistory;

typedef struct MlEnv
{
	MlArena    *arena;			/* owns everything a run allocates */
	MlPool	   *pool;			/* NULL: everything runs in the calling thread */
	int			threads;		/* 1 or more; results never depend on it */
	uint64_t	seed;
	const MlDense *dense;		/* dense algebra (LAPACKE), NULL where it is not loaded */

	/* All three may be NULL.  Called by the main thread only. */
	bool		(*canceled) (void *state);
	void		(*progress) (void *state, const MlProgress *progress);
	void		(*history) (void *state, const MlHistory *entry);
	void	   *state;

	MlError		error;			/* the first failure */
	MlWarning  *warnings;		/* in the order they were given */
	int			n_warnings;
} MlEnv;

/* Records a failure (the first one wins) and returns its status. */
extern MlStatus ml_fail(MlEnv *env, MlStatus status, const char *format,...) __attribute__((format(printf, 3, 4)));

/* Adds a detail or a hint to the failure just recorded; returns its status, so "return ml_hint(env, ...)" reads well. */
extern MlStatus ml_detail(MlEnv *env, const char *format,...) __attribute__((format(printf, 2, 3)));
extern MlStatus ml_hint(MlEnv *env, const char *format,...) __attribute__((format(printf, 2, 3)));

/* Remembers a warning for the report; the text is copied into the arena. Main thread only. */
extern void ml_warn(MlEnv *env, const char *format,...) __attribute__((format(printf, 2, 3)));

/* True when the run should stop.  Cheap; call it at least every 50 ms from the main thread. */
static inline bool
ml_canceled(MlEnv *env)
{
	return env->canceled != NULL && env->canceled(env->state);
}

static inline void
ml_progress(MlEnv *env, const MlProgress *progress)
{
	if (env->progress != NULL)
		env->progress(env->state, progress);
}

static inline void
ml_history(MlEnv *env, int32_t iteration, const char *split, const char *metric, double value)
{
	MlHistory	entry = {iteration, split, metric, value};

	if (env->history != NULL)
		env->history(env->state, &entry);
}

/* Checked size arithmetic: false when the result does not fit. */
static inline bool
ml_mul_size(size_t a, size_t b, size_t *result)
{
	return !__builtin_mul_overflow(a, b, result);
}

static inline bool
ml_add_size(size_t a, size_t b, size_t *result)
{
	return !__builtin_add_overflow(a, b, result);
}

/* Leaves the calling function with the status of a failed call. */
#define ML_TRY(call) \
	do { \
		MlStatus	ml_try_status_ = (call); \
		if (ml_try_status_ != ML_OK) \
			return ml_try_status_; \
	} while (0)

#endif							/* ML_BASE_ENV_H */
