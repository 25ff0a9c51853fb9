/*-------------------------------------------------------------------------
 * serving.h
 *	  Models kept ready in this backend, and the way from a reference to one of them.
 *
 * Level 1: a call site keeps what it found in fn_extra for the statement (callsite.h).
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

typedef struct MlCachedModel MlCachedModel;

typedef struct MlServed
{
	MlResolved	resolved;
	MlModel    *model;			/* stays valid until it is released */
	const struct MlRouting *routing;	/* segments.h: the models of segments beside it; NULL: there are none */
	char		name[NAMEDATALEN + 12]; /* for messages: "churn@7" */
	MlCachedModel *pin;
} MlServed;

typedef enum MlKeyKind
{
	ML_KEY_REFERENCE,			/* text: "churn", "churn@7", "churn@candidate" */
	ML_KEY_MODEL,				/* id of the model, text: alias */
	ML_KEY_VERSION				/* id of the version */
} MlKeyKind;

/* How a caller names a model. */
typedef struct MlModelKey
{
	MlKeyKind	kind;
	int64		id;
	const char *text;			/* NUL-terminated; not used for ML_KEY_VERSION */
} MlModelKey;

/*
 * What decides the answer to a resolution: the contents of the active snapshot and the role.  Two
 * snapshots with the same numbers hold the same transactions (procarray.c relies on
 * the completion count in the same way).
 */
typedef struct MlMoment
{
	TransactionId xmin;
	TransactionId xmax;
	uint64		completions;
	uint32		xcnt;
	int32		subxcnt;
	CommandId	command;
	Oid			role;
} MlMoment;

/* The snapshot that serving looks through: the active one. */
extern Snapshot ml_serving_snapshot(void);

extern void ml_moment_now(MlMoment *moment);

static inline bool
ml_moment_equal(const MlMoment *a, const MlMoment *b)
{
	return a->xmin == b->xmin && a->xmax == b->xmax && a->completions == b->completions &&
		a->xcnt == b->xcnt && a->subxcnt == b->subxcnt && a->command == b->command && a->role == b->role;
}

/*
 * Resolves for the active snapshot, asks for the PREDICT privilege of the current
 * role (42704, 42501), loads the model through the cache and pins it.  On an error nothing
 * is pinned and *served is as it was.
 */
extern void ml_serve_key(const MlModelKey *key, MlServed *served);

/*
 * The same for the planner, which must not fail where the statement might not: false, and nothing is
 * pinned, when the active snapshot sees no such version or another one than a fresh snapshot would (what is
 * planned may be kept and used later), when the current role may not predict with it, or when
 * the image alone is larger than the cache.  Only a damaged image is an error.
 */
extern bool ml_serve_quietly(const MlModelKey *key, MlServed *served);

/*
 * A version that a plan was made for, where the reference means another one by now: false when the
 * active snapshot does not see it or the current role may not predict with it.
 */
extern bool ml_serve_planned(int64 version_id, MlServed *served);

/* Has the cached plans of this session made anew that depend on what is deployed. */
extern void ml_forget_plans(void);

/*
 * A model is loaded without what a method makes for predicting many rows (MlMethod.hasten).  It gets that here: at
 * once by whoever has many rows, or by ml_served_predict() after some.
 */
extern void ml_serve_hasten(const MlServed *served);
extern void ml_serve_count(const MlServed *served);

/* One row, as ml_model_predict(). */
static inline void
ml_served_predict(const MlServed *served, const double *x, double *out)
{
	if (unlikely(served->model->patience > 0))
		ml_serve_count(served);
	ml_model_predict(served->model, x, out);
}

/* Of a model that cannot tell what was asked: "Try ml_coefficients('churn@7').", a function that has an answer. */
extern char *ml_serve_told_by(const MlServed *served);

/*
 * What explains the model's scores (MlMethod.explain), made at the first call and kept with the model; counted
 * by the cache.  0A000 where the method has none.
 */
extern void *ml_serve_explainer(const MlServed *served);

/*
 * A place in the cached model for what somebody (planned_map.c) makes of it, NULL at first; and a memory context that the
 * model takes over, to count it and to delete it with itself.  Taking over does not fail.
 */
extern void **ml_serve_attachment(const MlServed *served);
extern void ml_serve_attach(const MlServed *served, MemoryContext context);

/* Takes the pin away; harmless when there is none. */
extern void ml_serve_release(MlServed *served);

/* The same for callers that need a model once: the pin lasts until owner is reset. */
extern MlServed *ml_serve(const char *reference, MemoryContext owner);
extern MlServed *ml_serve_version(int64 version_id, MemoryContext owner);

/*
 * What predict_cost says of the model behind a key, in nanoseconds.  False when this session
 * has not used it yet: the planner is no place to load a model or to fail.
 */
extern bool ml_serve_cost(const MlModelKey *key, double *nanoseconds);

/*
 * Without the privilege check and the cache: for training (if_better) and evaluation.  The model
 * is in env's arena; resolved may be NULL.
 */
extern MlModel *ml_load_version(MlEnv *env, int64 version_id, const MlResolved *resolved);

/*
 * Whether the texts of a model that was stored in a database of this encoding are what they seem
 * in this one: 22P05 when not, XX001 for one that is not valid at all.  In texts.c.
 */
extern void ml_check_model_texts(const MlModel *model, const char *name, int encoding);

#endif							/* ML_SERVICE_SERVING_H */
