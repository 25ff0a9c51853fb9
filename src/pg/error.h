/*-------------------------------------------------------------------------
 * error.h
 *	  The one place where a failure of src/ml becomes a PostgreSQL ERROR.
 *-------------------------------------------------------------------------
 */
#ifndef ML_PG_ERROR_H
#define ML_PG_ERROR_H

#include "postgres.h"

#include "ml/base/env.h"

extern int	ml_sqlstate(MlStatus status);

/* ereport(ERROR) with what env->error says; ML_CANCELED runs CHECK_FOR_INTERRUPTS() first. */
extern void ml_throw(MlEnv *env) pg_attribute_noreturn();

static inline void
ml_check(MlEnv *env, MlStatus status)
{
	if (unlikely(status != ML_OK))
		ml_throw(env);
}

#endif							/* ML_PG_ERROR_H */
