/*-------------------------------------------------------------------------
 * serving.h
 *	  Models kept ready in this backend, and the way from a call to one of them.
 *
 * Level 1: a call site keeps what it found in fn_extra for the statement.
 * Level 2: this backend's cache, name -> version -> decoded model, emptied of
 * resolutions by relcache invalidation of mlplat.deployment, bounded by
 * mlplat.model_cache_size (least recently used goes first; a model in use by a
 * running statement is pinned by a reference count).
 *-------------------------------------------------------------------------
 */
#ifndef ML_SERVICE_SERVING_H
#define ML_SERVICE_SERVING_H

#include "postgres.h"

#include "catalog/resolve.h"
#include "ml/model/model.h"

typedef struct MlServed
{
	MlResolved	resolved;
	MlModel    *model;			/* stays valid as long as the owner context given to ml_serve lives */
	const char *name;			/* for messages: "churn@7" */
} MlServed;

/*
 * Resolves a reference for the active snapshot, asks for the PREDICT privilege of the
 * current role (42704 / 42501), loads the model through the cache, and pins it
 * until owner is reset.
 */
extern MlServed *ml_serve(const char *reference, MemoryContext owner);
extern MlServed *ml_serve_version(int64 version_id, MemoryContext owner);

/* Without the privilege check and the cache: for training (if_better) and evaluation. The model is in env's arena. */
extern MlModel *ml_load_version(MlEnv *env, int64 version_id, const MlResolved *resolved);

#endif							/* ML_SERVICE_SERVING_H */
