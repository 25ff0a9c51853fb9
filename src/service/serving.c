/*-------------------------------------------------------------------------
 * serving.c
 *	  The backend's cache of resolutions and of decoded models.
 *
 * Resolutions.  A lookup uses a fresh snapshot, taken after pending invalidations have been
 * processed; what it found is stored, for a later invalidation will remove it.  An
 * active snapshot may be older than that: it uses an entry only if it sees every row the entry
 * was read from, and otherwise looks for itself and stores nothing.  (Filling the cache through
 * the active snapshot would keep a session on the old model for ever: its invalidation has
 * come before.)  Rows of the own open transaction are never stored, so ROLLBACK has nothing to undo.
 *
 * Models.  Each has a memory context of its own, with its arena.  It is built below the
 * caller's context and handed to the cache when complete, so an error in between leaves
 * nothing.  pins counts the statements that use it; only models without pins are evicted.  A model
 * larger than the whole cache lives as long as it is pinned.  Where mlplat is preloaded they are handles on
 * models in shared memory (shared_handle.c).
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "storage/sinval.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "catalog/model.h"
#include "ml/base/arena.h"
#include "ml/base/sha256.h"
#include "pg/env.h"
#include "pg/error.h"
#include "pg/settings.h"
#include "service/segments.h"
#include "service/serving_internal.h"

/* "name@alias" with names of 63 bytes, or an id and an alias. */
#define KEY_LENGTH 160

/* Resolutions are small; so many of them are kept, then all are forgotten. */
#define MAX_RESOLUTIONS 20000

typedef struct Resolution
{
	char		key[KEY_LENGTH];
	MlResolved	resolved;
	MlMoment	checked;		/* visible and permitted at this moment */
} Resolution;

typedef struct ModelEntry
{
	MlCacheKey	key;
	MlCachedModel *cached;
} ModelEntry;

static MemoryContext cache_context = NULL;
static HTAB *resolutions = NULL;
static HTAB *models = NULL;
static dlist_head by_use;		/* most recently used first */
static Size used = 0;			/* bytes of the counted models */

/* Moved by each invalidation; a resolution is good while it has not moved since before it was read. */
static uint64 generation = 0;
static uint64 resolutions_generation = 0;
static Oid	watched_relation = InvalidOid;

static void
invalidate(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || relid == watched_relation)
		generation++;
}

static void
create_cache(void)
{
	HASHCTL		control = {0};

	cache_context = AllocSetContextCreate(TopMemoryContext, "mlplat models", ALLOCSET_DEFAULT_SIZES);
	control.keysize = sizeof(MlCacheKey);
	control.entrysize = sizeof(ModelEntry);
	control.hcxt = cache_context;
	models = hash_create("mlplat models", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	dlist_init(&by_use);
	CacheRegisterRelcacheCallback(invalidate, (Datum) 0);
}

static void
create_resolutions(void)
{
	HASHCTL		control = {0};

	control.keysize = KEY_LENGTH;
	control.entrysize = sizeof(Resolution);
	control.hcxt = cache_context;
	resolutions = hash_create("mlplat resolutions", 64, &control, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
}

/* Processes what other sessions have committed and drops what that made doubtful. */
static void
freshen(void)
{
	if (cache_context == NULL)
		create_cache();
	watched_relation = ml_resolve_relation();
	AcceptInvalidationMessages();
	if (resolutions != NULL &&
		(resolutions_generation != generation || hash_get_num_entries(resolutions) >= MAX_RESOLUTIONS))
	{
		hash_destroy(resolutions);
		resolutions = NULL;
	}
	if (resolutions == NULL)
	{
		create_resolutions();
		resolutions_generation = generation;
	}
}

Snapshot
ml_serving_snapshot(void)
{
	return ActiveSnapshotSet() ? GetActiveSnapshot() : GetTransactionSnapshot();
}

void
ml_moment_now(MlMoment *moment)
{
	Snapshot	snapshot = ml_serving_snapshot();

	moment->xmin = snapshot->xmin;
	moment->xmax = snapshot->xmax;
	moment->completions = snapshot->snapXactCompletionCount;
	moment->xcnt = snapshot->xcnt;
	moment->subxcnt = snapshot->subxcnt;
	moment->command = snapshot->curcid;
	moment->role = GetUserId();
}

/* Whether the snapshot sees the very rows that were read; none of them may be of the own transaction. */
static bool
sees(Snapshot snapshot, const MlResolved *resolved)
{
	for (int i = 0; i < lengthof(resolved->xmin); i++)
	{
		TransactionId xmin = resolved->xmin[i];

		if (!TransactionIdIsNormal(xmin))
			continue;
		if (TransactionIdIsCurrentTransactionId(xmin) || XidInMVCCSnapshot(xmin, snapshot))
			return false;
	}
	return true;
}

static void
key_text(const MlModelKey *key, char *text)
{
	int			length = 0;

	switch (key->kind)
	{
		case ML_KEY_REFERENCE:
			length = strlcpy(text, key->text, KEY_LENGTH);
			break;
		case ML_KEY_MODEL:
			length = snprintf(text, KEY_LENGTH, "\001m" INT64_FORMAT "@%s", key->id, key->text);
			break;
		case ML_KEY_VERSION:
			length = snprintf(text, KEY_LENGTH, "\001v" INT64_FORMAT, key->id);
			break;
	}
	/* Too long to be anything: looking it up reports it, and finds nothing under the part that fitted. */
	if (length >= KEY_LENGTH)
		text[0] = '\0';
}

static MlResolveResult
look_up(const MlModelKey *key, Snapshot snapshot, MlResolved *resolved)
{
	switch (key->kind)
	{
		case ML_KEY_REFERENCE:
			return ml_resolve(key->text, snapshot, resolved);
		case ML_KEY_MODEL:
			return ml_resolve_model(key->id, key->text, snapshot, resolved);
		case ML_KEY_VERSION:
			break;
	}
	return ml_resolve_version(key->id, snapshot, resolved);
}

static void
report_no_such_id(const MlModelKey *key)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg(key->kind == ML_KEY_VERSION ? "model version with id " INT64_FORMAT " does not exist"
					: "model with id " INT64_FORMAT " does not exist", key->id),
			 errhint("It was named by a function that ml_create_function() made: the model has been dropped, or you may not use it.")));
}

/* A role without any right on the model learns no more than it asked with: not that it exists, nor its name. */
static void
require_predict(const MlModelKey *key, const MlResolved *resolved)
{
	if (key->kind != ML_KEY_REFERENCE &&
		ml_model_privilege(resolved->model_id, GetUserId(), ml_serving_snapshot()) == ML_PRIVILEGE_NONE)
		report_no_such_id(key);
	ml_model_require_id(resolved->model_id, resolved->name, ML_PRIVILEGE_PREDICT, ml_serving_snapshot());
}

static void
report_unresolved(const MlModelKey *key, MlResolveResult result, const MlResolved *resolved)
{
	const char *reference = key->text;

	if (key->kind == ML_KEY_VERSION || (key->kind == ML_KEY_MODEL && result == ML_NO_MODEL))
		report_no_such_id(key);
	if (result != ML_NO_MODEL)
		require_predict(key, resolved);
	if (key->kind == ML_KEY_MODEL)
		reference = psprintf("%s@%s", resolved->name, key->text);
	ml_resolve_report(result, reference);
}

/* Looks with a fresh snapshot; stores what is committed.  False where the active snapshot cannot use it. */
static bool
resolve_fresh(const MlModelKey *key, const char *text, Snapshot active, MlResolved *resolved)
{
	uint64		before = generation;
	Snapshot	fresh;
	MlResolveResult result;
	Resolution *entry;

	/*
	 * Not GetLatestSnapshot(), which refuses in parallel mode.  The catalog snapshot
	 * of a relation without a system cache is taken anew each time.
	 */
	fresh = RegisterSnapshot(GetCatalogSnapshot(watched_relation));
	result = look_up(key, fresh, resolved);
	UnregisterSnapshot(fresh);
	if (result != ML_RESOLVED || !sees(active, resolved))
		return false;

	/* An invalidation that came meanwhile may be about what we have just read. */
	if (generation == before && resolutions_generation == before && text[0] != '\0')
	{
		entry = hash_search(resolutions, text, HASH_ENTER, NULL);
		entry->resolved = *resolved;
		memset(&entry->checked, 0, sizeof(MlMoment));
	}
	return true;
}

static void
resolve(const MlModelKey *key, MlResolved *resolved)
{
	Snapshot	active = ml_serving_snapshot();
	char		text[KEY_LENGTH];
	MlMoment	now;
	Resolution *entry;

	freshen();
	ml_moment_now(&now);
	key_text(key, text);
	entry = hash_search(resolutions, text, HASH_FIND, NULL);
	if (entry != NULL && ml_moment_equal(&entry->checked, &now))
	{
		*resolved = entry->resolved;
		return;
	}
	if (entry != NULL && sees(active, &entry->resolved))
		*resolved = entry->resolved;
	else if (!resolve_fresh(key, text, active, resolved))
	{
		MlResolveResult result = look_up(key, active, resolved);

		if (result != ML_RESOLVED)
			report_unresolved(key, result, resolved);
	}
	require_predict(key, resolved);

	/* Looking may have let an invalidation in, so the entry is searched again. */
	if (resolutions_generation == generation)
	{
		entry = hash_search(resolutions, text, HASH_FIND, NULL);
		if (entry != NULL && entry->resolved.version_id == resolved->version_id)
			entry->checked = now;
	}
}

static void
check_sum(const uint8 *image, size_t length, const MlResolved *resolved, const char *name)
{
	MlSha256	sha;
	char		hex[ML_SHA256_HEX];

	ml_sha256_begin(&sha);
	ml_sha256_add(&sha, image, length);
	ml_sha256_end(&sha, hex);
	if (strcmp(hex, resolved->checksum) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("model \"%s\" cannot be loaded: the model image is damaged: its SHA-256 is not the recorded one", name),
				 errhint("Train the model again, or restore mlplat's tables from a backup.")));
}

static void
loading_context(void *arg)
{
	errcontext("loading model \"%s\"", (const char *) arg);
}

MlModel *
ml_decode_image(MlEnv *env, const uint8 *image, size_t length, bool lean, const char *name)
{
	MlModel    *model;
	MlStatus	status = lean ? ml_model_load_lean(env, image, length, &model) : ml_model_load(env, image, length, &model);

	if (status == ML_CORRUPT)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("model \"%s\" cannot be loaded: %s", name, env->error.message),
				 errhint("Train the model again, or restore mlplat's tables from a backup.")));
	ml_check(env, status);
	return model;
}

/* Reads, verifies and decodes the image into env's arena. */
static MlModel *
load_image(MlEnv *env, const MlResolved *resolved, bool lean, uint8 **image, size_t *length)
{
	char		name[NAMEDATALEN + 12];
	ErrorContextCallback callback = {error_context_stack, loading_context, name};
	MlModel    *model;

	snprintf(name, sizeof(name), "%s@%d", resolved->name, resolved->version);
	error_context_stack = &callback;
	*image = ml_read_image(resolved->version_id, ml_serving_snapshot(), resolved->bytes, length);
	check_sum(*image, *length, resolved, name);
	model = ml_decode_image(env, *image, *length, lean, name);
	ml_check_model_texts(model, name, ml_version_encoding(resolved->version_id, ml_serving_snapshot()));
	error_context_stack = callback.previous;
	return model;
}

MlModel *
ml_load_version(MlEnv *env, int64 version_id, const MlResolved *resolved)
{
	MlResolved	found;
	MlModel    *model;
	uint8	   *image;
	size_t		length;

	if (resolved == NULL)
	{
		MlModelKey	key = {ML_KEY_VERSION, version_id, NULL};
		MlResolveResult result = ml_resolve_version(version_id, ml_serving_snapshot(), &found);

		if (result != ML_RESOLVED)
			report_unresolved(&key, result, &found);
		resolved = &found;
	}
	model = load_image(env, resolved, false, &image, &length);
	pfree(image);
	return model;
}

static Size
cache_limit(void)
{
	return (Size) ml_setting_model_cache_size * 1024;
}

/* Out of the table; its memory goes when nobody uses it any more. */
static void
unlist(MlCachedModel *cached)
{
	if (cached->listed)
		hash_search(models, &cached->key, HASH_REMOVE, NULL);
	if (cached->counted)
	{
		dlist_delete(&cached->use);
		used -= cached->bytes;
	}
	cached->listed = cached->counted = false;
	if (cached->pins == 0)
		MemoryContextDelete(cached->context);
}

static void
evict(void)
{
	Size		limit = cache_limit();
	dlist_node *node = dlist_is_empty(&by_use) ? NULL : dlist_tail_node(&by_use);

	while (used > limit && node != NULL)
	{
		MlCachedModel *cached = dlist_container(MlCachedModel, use, node);

		node = dlist_has_prev(&by_use, node) ? dlist_prev_node(&by_use, node) : NULL;
		if (cached->pins == 0)
			unlist(cached);
	}
}

static void
log_too_large(const MlCachedModel *cached, const MlResolved *resolved)
{
	static int64 logged = 0;	/* once a version and session is enough */

	if (logged == cached->key.version_id)
		return;
	logged = cached->key.version_id;
	ereport(LOG,
			(errmsg("model \"%s@%d\" is larger than mlplat.model_cache_size and is loaded for each statement",
					resolved->name, resolved->version),
			 errdetail("It takes %zu kB, the cache holds %d kB.", cached->bytes / 1024, ml_setting_model_cache_size)));
}

MlCachedModel *
ml_cache_begin(int64 version_id, int32 segment, const char *checksum, MlEnv **env)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "mlplat model", ALLOCSET_SMALL_SIZES);
	MlCachedModel *cached = MemoryContextAllocZero(context, sizeof(MlCachedModel));

	cached->key.version_id = version_id;
	cached->key.segment = segment;
	strlcpy(cached->checksum, checksum, sizeof(cached->checksum));
	cached->context = context;
	*env = ml_env_create_for_model(context);
	return cached;
}

/*
 * A statement that goes round more models of segments than there is room for would find none of them, if each new one took the place of the
 * one that is needed next.  So most of them have to be used again before they are taken for recently used, and
 * those that are there stay (Qureshi et al., "Adaptive insertion policies", 2007).
 */
static void
put_in_order(MlCachedModel *cached)
{
	static uint32 segments = 0;

	if (cached->key.segment == ML_ALL_ROWS || segments++ % 16 == 0)
		dlist_push_head(&by_use, &cached->use);
	else
		dlist_push_tail(&by_use, &cached->use);
}

bool
ml_cache_end(MlCachedModel *cached, const MlEnv *env)
{
	ModelEntry *entry;
	bool		found;

	cached->bytes = ml_arena_used(env->arena) + MemoryContextMemAllocated(cached->context, true);
	cached->cost = ml_model_cost(cached->model);

	/* The last thing that can fail; from here on it is the cache's. */
	entry = hash_search(models, &cached->key, HASH_ENTER, &found);
	MemoryContextSetParent(cached->context, cache_context);
	entry->cached = cached;
	cached->listed = true;
	cached->counted = cached->bytes <= cache_limit();
	if (cached->counted)
	{
		used += cached->bytes;
		put_in_order(cached);
	}
	return cached->counted;
}

void
ml_cache_grow(MlCachedModel *cached, Size bytes)
{
	cached->bytes += bytes;
	if (cached->counted)
	{
		used += bytes;
		evict();
	}
}

MlCachedModel *
ml_cache_find(int64 version_id, int32 segment, const char *checksum)
{
	MlCacheKey	key = {version_id, segment, 0};
	ModelEntry *entry = hash_search(models, &key, HASH_FIND, NULL);
	MlCachedModel *cached = entry != NULL ? entry->cached : NULL;

	/* After DROP EXTENSION and CREATE EXTENSION the same number is another model; a shared one may have been taken out. */
	if (cached != NULL && (strcmp(cached->checksum, checksum) != 0 || !ml_cache_hold(cached)))
	{
		unlist(cached);
		return NULL;
	}
	if (cached != NULL && cached->counted)
		dlist_move_head(&by_use, &cached->use);
	return cached;
}

void
ml_cache_pin(MlCachedModel *cached)
{
	cached->pins++;
	evict();
}

static MlCachedModel *
load_cached(const MlResolved *resolved)
{
	MlEnv	   *env;
	MlCachedModel *cached = ml_cache_begin(resolved->version_id, ML_ALL_ROWS, resolved->checksum, &env);
	uint8	   *image;
	size_t		length;

	if (!ml_cache_find_shared(cached, env, resolved->checksum))
	{
		/* What is shared is complete: nobody changes it any more. */
		cached->model = load_image(env, resolved, !ml_shared_models_exist(), &image, &length);
		ml_cache_share(cached, env, resolved->checksum, image, length);
		pfree(image);
	}
	cached->routing = ml_routing_load(resolved->version_id, cached->context);
	if (!ml_cache_end(cached, env))
		log_too_large(cached, resolved);
	return cached;
}

static MlCachedModel *
pin_model(const MlResolved *resolved)
{
	MlCachedModel *cached = ml_cache_find(resolved->version_id, ML_ALL_ROWS, resolved->checksum);

	if (cached == NULL)
		cached = load_cached(resolved);
	ml_cache_pin(cached);
	return cached;
}

void
ml_serve_release(MlServed *served)
{
	MlCachedModel *cached = served->pin;

	if (cached == NULL)
		return;
	served->pin = NULL;
	served->model = NULL;
	served->routing = NULL;
	Assert(cached->pins > 0);
	cached->pins--;
	if (cached->pins > 0)
		return;
	ml_cache_let_go(cached);
	if (!cached->counted)
		unlist(cached);
	else
		evict();
}

/* Pins the version that was resolved in place of the one pinned before. */
static void
serve_resolved(const MlResolved *resolved, MlServed *served)
{
	MlCachedModel *pin;

	if (served->pin != NULL && served->pin->key.version_id == resolved->version_id &&
		strcmp(served->pin->checksum, resolved->checksum) == 0)
		pin = served->pin;
	else
	{
		pin = pin_model(resolved);
		ml_serve_release(served);
	}
	served->resolved = *resolved;
	served->pin = pin;
	served->model = pin->model;
	served->routing = pin->routing;
	snprintf(served->name, sizeof(served->name), "%s@%d", resolved->name, resolved->version);
}

void
ml_serve_key(const MlModelKey *key, MlServed *served)
{
	MlResolved	resolved;

	resolve(key, &resolved);
	serve_resolved(&resolved, served);
}

/*
 * What the own transaction has done is never stored, but a plan may be made for it where the fresh snapshot, which found
 * *resolved, and the active one see the same version: rolling back invalidates the plan as a deploy does.
 */
static bool
both_see(const MlModelKey *key, Snapshot active, const MlResolved *resolved)
{
	MlResolved	seen;

	return resolved->version_id != 0 && look_up(key, active, &seen) == ML_RESOLVED && seen.version_id == resolved->version_id &&
		strcmp(seen.checksum, resolved->checksum) == 0;
}

bool
ml_serve_quietly(const MlModelKey *key, MlServed *served)
{
	Snapshot	active;
	MlResolved	resolved;
	char		text[KEY_LENGTH];
	MlMoment	now;
	Resolution *entry;
	bool		permitted = false;

	if (!ActiveSnapshotSet() || (key->kind == ML_KEY_REFERENCE && !ml_reference_well_formed(key->text)))
		return false;
	active = GetActiveSnapshot();
	freshen();
	key_text(key, text);
	entry = hash_search(resolutions, text, HASH_FIND, NULL);
	if (entry != NULL)
	{
		ml_moment_now(&now);
		permitted = ml_moment_equal(&entry->checked, &now);
		resolved = entry->resolved;
		if (!permitted && !sees(active, &resolved))
			return false;
	}
	else if (!resolve_fresh(key, text, active, &resolved) && !both_see(key, active, &resolved))
		return false;
	if (!permitted && ml_model_privilege(resolved.model_id, GetUserId(), active) < ML_PRIVILEGE_PREDICT)
		return false;
	if (resolved.bytes < 0 || (Size) resolved.bytes > cache_limit())
		return false;
	serve_resolved(&resolved, served);
	return true;
}

bool
ml_serve_planned(int64 version_id, MlServed *served)
{
	MlResolved	resolved;
	Snapshot	active = ml_serving_snapshot();

	/* Who named it by an id and may not use it shall not learn that it exists. */
	if (ml_resolve_version(version_id, active, &resolved) != ML_RESOLVED ||
		ml_model_privilege(resolved.model_id, GetUserId(), active) < ML_PRIVILEGE_PREDICT)
		return false;
	serve_resolved(&resolved, served);
	return true;
}

/* What an invalidation from another session does, for this session alone. */
void
ml_forget_plans(void)
{
	SharedInvalidationMessage message;

	memset(&message, 0, sizeof(message));
	message.rc.id = SHAREDINVALRELCACHE_ID;
	message.rc.dbId = MyDatabaseId;
	message.rc.relId = ml_resolve_relation();
	LocalExecuteInvalidationMessage(&message);
}

static void
release_callback(void *arg)
{
	ml_serve_release(arg);
}

static MlServed *
serve_once(const MlModelKey *key, MemoryContext owner)
{
	MlServed   *served = MemoryContextAllocZero(owner, sizeof(MlServed));
	MemoryContextCallback *callback = MemoryContextAlloc(owner, sizeof(MemoryContextCallback));

	callback->func = release_callback;
	callback->arg = served;
	MemoryContextRegisterResetCallback(owner, callback);
	ml_serve_key(key, served);
	return served;
}

MlServed *
ml_serve(const char *reference, MemoryContext owner)
{
	MlModelKey	key = {ML_KEY_REFERENCE, 0, reference};

	return serve_once(&key, owner);
}

MlServed *
ml_serve_version(int64 version_id, MemoryContext owner)
{
	MlModelKey	key = {ML_KEY_VERSION, version_id, NULL};

	return serve_once(&key, owner);
}

bool
ml_serve_cost(const MlModelKey *key, double *nanoseconds)
{
	char		text[KEY_LENGTH];
	MlCacheKey	model_key = {0, ML_ALL_ROWS, 0};
	Resolution *resolution;
	ModelEntry *entry;

	freshen();
	key_text(key, text);
	resolution = hash_search(resolutions, text, HASH_FIND, NULL);
	if (resolution == NULL)
		return false;
	model_key.version_id = resolution->resolved.version_id;
	entry = hash_search(models, &model_key, HASH_FIND, NULL);
	if (entry == NULL)
		return false;
	*nanoseconds = entry->cached->cost;
	return *nanoseconds >= 0;
}
