/*-------------------------------------------------------------------------
 * serving_internal.h
 *	  The models of the cache, for serving.c and segments.c: one budget and one order of use
 *	  for models of all rows and those of segments.
 *-------------------------------------------------------------------------
 */
#ifndef ML_SERVICE_SERVING_INTERNAL_H
#define ML_SERVICE_SERVING_INTERNAL_H

#include "postgres.h"

#include "lib/ilist.h"
#include "service/serving.h"
#include "service/shared_models.h"

/* In place of the number of a segment. */
#define ML_ALL_ROWS (-1)

typedef struct MlCacheKey
{
	int64		version_id;
	int32		segment;
	int32		zero;			/* no byte of a key may be undefined */
} MlCacheKey;

struct MlCachedModel
{
	MlCacheKey	key;
	char		checksum[65];	/* of the version */
	MlModel    *model;
	MemoryContext context;		/* holds this struct and the model */
	Size		bytes;
	double		cost;			/* of a prediction, in nanoseconds; negative: the method does not say */
	bool		shared;			/* model is a handle on one in shared memory, at "place", */
	bool		held;			/* where it is pinned just now; then in the list of those */
	MlSharedPlace place;
	dlist_node	hold;
	MemoryContextCallback let_go;
	void	   *explainer;		/* of the method; NULL until it is asked for */
	void	   *attachment;		/* see ml_serve_attachment() */
	struct MlRouting *routing;	/* of a version with segments */
	struct MlTranslation *translation;	/* of a segment's model */
	int			pins;
	bool		listed;			/* in the table of models */
	bool		counted;		/* in the bytes in use, and in the list of use */
	dlist_node	use;
};

/*
 * In shared_handle.c.  The model of this checksum out of shared memory, its handle in env's arena; false when it is not there.  And a model that
 * has been decoded from an image into env's arena: into shared memory, if that has room for it, and in the arena nothing is left but the handle.
 */
extern bool ml_cache_find_shared(MlCachedModel *cached, MlEnv *env, const char *checksum);
extern void ml_cache_share(MlCachedModel *cached, MlEnv *env, const char *checksum, const uint8 *image, size_t length);

/* Holds a shared model where it is as long as the handle is pinned; false when it has been taken out.  Nothing to do for others. */
extern bool ml_cache_hold(MlCachedModel *cached);
extern void ml_cache_let_go(MlCachedModel *cached);

/* One that is to be filled in, below the current memory context; its arena is env's. */
extern MlCachedModel *ml_cache_begin(int64 version_id, int32 segment, const char *checksum, MlEnv **env);

/* Complete: the cache takes it over.  False when it is larger than the cache and lives as long as it is pinned. */
extern bool ml_cache_end(MlCachedModel *cached, const MlEnv *env);

/* NULL when it is not there; else the most recently used now.  Not pinned: ml_cache_pin() comes next. */
extern MlCachedModel *ml_cache_find(int64 version_id, int32 segment, const char *checksum);
extern void ml_cache_pin(MlCachedModel *cached);

/* A model in use got larger. */
extern void ml_cache_grow(MlCachedModel *cached, Size bytes);

/* XX001 that names the model where the image is damaged.  lean: see ml_model_load_lean(). */
extern MlModel *ml_decode_image(MlEnv *env, const uint8 *image, size_t length, bool lean, const char *name);

#endif							/* ML_SERVICE_SERVING_INTERNAL_H */
