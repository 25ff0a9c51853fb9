/*-------------------------------------------------------------------------
 * shared_models.h
 *	  Decoded models in shared memory, one for all sessions, where mlplat is preloaded.
 *
 * A model is found by its database and the SHA-256 of its image: who knows that from the version's row has
 * resolved the version and asked for the rights already.  Nobody changes a model that is there.
 */
#ifndef ML_SERVICE_SHARED_MODELS_H
#define ML_SERVICE_SHARED_MODELS_H

#include "postgres.h"

#include "ml/model/model.h"
#include "utils/timestamp.h"

/* A place in shared memory, as it was when a model was there. */
typedef struct MlSharedPlace
{
	int			number;
	uint64		serial;
} MlSharedPlace;

/* At library load: asks for the memory. */
extern void ml_shared_models_init(void);

/* Whether there is such memory. */
extern bool ml_shared_models_exist(void);

/*
 * The model, pinned; NULL when it is not there.  A pinned model stays where it is.  It must be
 * predicted with through a handle of one's own (ml_model_share()).
 */
extern const MlModel *ml_shared_find(const char *checksum, MlSharedPlace *place);

/*
 * Decodes an image that has been checked into shared memory and pins it.  demand: what decoding it asked of an arena.  Models that nobody
 * uses make room, least recently used first; NULL when that is not enough.
 */
extern const MlModel *ml_shared_store(const char *checksum, const uint8 *image, size_t length, size_t demand, MlSharedPlace *place);

/* Pins again what was found before: false when it is not there any more. */
extern bool ml_shared_pin(const MlSharedPlace *place);
extern void ml_shared_unpin(const MlSharedPlace *place);

/* When the transaction commits: nobody will ask for this model any more.  It goes when its last user is through. */
extern void ml_shared_forget_at_commit(const char *checksum);

/* What is there, for who looks after the server. */
typedef struct MlSharedInfo
{
	Oid			database;
	char		checksum[65];
	Size		bytes;
	int			users;			/* statements and sessions that have it pinned */
	TimestampTz last_use;
} MlSharedInfo;

/* In the current memory context. */
extern MlSharedInfo *ml_shared_list(int *count);

#endif							/* ML_SERVICE_SHARED_MODELS_H */
