/*-------------------------------------------------------------------------
 * unit.h
 *	  The test harness: checks that count themselves and print TAP.
 *
 * A test program includes this once, calls its tests from main() and ends with
 * "return unit_done();".  A check that fails says where and with what values, and
 * the program goes on.
 *-------------------------------------------------------------------------
 */
#ifndef UNIT_H
#define UNIT_H

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/pool.h"

static int	unit_count;
static int	unit_failed;

__attribute__((format(printf, 4, 5), unused))
static bool
unit_check(bool ok, const char *file, int line, const char *format,...)
{
	va_list		args;

	unit_count++;
	unit_failed += !ok;
	printf("%sok %d - ", ok ? "" : "not ", unit_count);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf(ok ? "\n" : " at %s line %d\n", file, line);
	return ok;
}

#define CHECK(condition) unit_check(condition, __FILE__, __LINE__, "%s", #condition)

/* |got - want| <= tolerance; NaN equals NaN. */
#define CHECK_NEAR(got, want, tolerance) \
	do { \
		double		got_ = (got), \
					want_ = (want); \
		unit_check(fabs(got_ - want_) <= (tolerance) || (isnan(got_) && isnan(want_)) || got_ == want_, \
				   __FILE__, __LINE__, "%s = %.17g, wanted %.17g", #got, got_, want_); \
	} while (0)

/* Relative to the wanted value. */
#define CHECK_CLOSE(got, want, tolerance) CHECK_NEAR(got, want, (tolerance) * fabs(want))

#define CHECK_TEXT(got, want) \
	do { \
		const char *got_ = (got); \
		unit_check(got_ != NULL && strcmp(got_, want) == 0, __FILE__, __LINE__, "%s is \"%s\", wanted \"%s\"", \
				   #got, got_ == NULL ? "(null)" : got_, want); \
	} while (0)

/* The status of a call; then the error is cleared, so that the next one is recorded. */
#define CHECK_STATUS(env, call, want) \
	do { \
		MlStatus	got_ = (call); \
		unit_check(got_ == (want) && (env)->error.status == (want), __FILE__, __LINE__, "%.80s: status %d, wanted %d %s", \
				   #call, got_, want, (env)->error.status != ML_OK ? (env)->error.message : ""); \
		(env)->error.status = ML_OK; \
	} while (0)

/* The message of the last CHECK_STATUS names what it should. */
#define CHECK_MESSAGE(env, part) \
	unit_check(strstr((env)->error.message, part) != NULL || strstr((env)->error.detail, part) != NULL || \
			   strstr((env)->error.hint, part) != NULL, __FILE__, __LINE__, "\"%s | %s | %s\" says \"%s\"", \
			   (env)->error.message, (env)->error.detail, (env)->error.hint, part)

/* A world of its own; threads > 1 starts a pool. */
__attribute__((unused))
static MlEnv *
unit_env(int threads)
{
	MlEnv	   *env = calloc(1, sizeof(MlEnv));

	env->arena = ml_arena_create(0);
	env->threads = threads;
	env->seed = 42;
	env->pool = threads > 1 ? ml_pool_create(threads) : NULL;
	return env;
}

__attribute__((unused))
static void
unit_env_free(MlEnv *env)
{
	ml_pool_free(env->pool);
	ml_arena_free(env->arena);
	free(env);
}

__attribute__((unused))
static int
unit_done(void)
{
	printf("1..%d\n", unit_count);
	return unit_failed == 0 ? 0 : 1;
}

#endif							/* UNIT_H */
