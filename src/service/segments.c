/*-------------------------------------------------------------------------
 * segments.c
 *	  From the values of a row to the model of its segment.
 *
 * Three steps, each of them remembered: the key of a row is looked up among the keys seen so
 * far (with the model of all rows, as long as that is cached; keys without a model too); the
 * segment's model in the backend's cache, which has one budget for all models; and only then
 * mlplat.segment is read.  What a version's segments are never changes, so nothing here has to
 * be forgotten because of time.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "catalog/segment.h"
#include "catalog/pg_type.h"
#include "catalog/tables.h"
#include "ml/base/arena.h"
#include "ml/model/segments.h"
#include "pg/env.h"
#include "pg/error.h"
#include "service/segments.h"
#include "service/serving_internal.h"

/* Keys that are remembered for a version; more (of rows without a segment, most likely) and all are forgotten. */
#define MAX_ROUTES 50000

/* -- keys that were seen ---------------------------------------------------- */

typedef struct RouteKey
{
	const char *bytes;
	Size		length;
	uint32		hash;
} RouteKey;

typedef struct Route
{
	RouteKey	key;
	int32		segment;		/* ML_ALL_ROWS: it has no model */
} Route;

typedef struct MlRoutes
{
	MemoryContext parent;
	MemoryContext context;		/* below it; NULL: none yet */
	HTAB	   *table;
	Size		counted;		/* bytes that the cache knows of */
} MlRoutes;

static uint32
route_hash(const void *key, Size size)
{
	return ((const RouteKey *) key)->hash;
}

static int
route_match(const void *a, const void *b, Size size)
{
	const RouteKey *x = a;
	const RouteKey *y = b;

	return x->length == y->length && memcmp(x->bytes, y->bytes, x->length) == 0 ? 0 : 1;
}

static void
create_routes(MlRoutes *routes)
{
	HASHCTL		control = {0};

	routes->context = AllocSetContextCreate(routes->parent, "mlplat segments", ALLOCSET_SMALL_SIZES);
	control.keysize = sizeof(RouteKey);
	control.entrysize = sizeof(Route);
	control.hash = route_hash;
	control.match = route_match;
	control.hcxt = routes->context;
	routes->table = hash_create("mlplat segments", 64, &control, HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
}

static const Route *
find_route(const MlRoutes *routes, const RouteKey *key)
{
	return routes->table == NULL ? NULL : hash_search(routes->table, key, HASH_FIND, NULL);
}

/* Keeps what a key means; returns by how much the memory has grown, which the cache is to count. */
static Size
keep_route(MlRoutes *routes, const RouteKey *key, int32 segment)
{
	RouteKey	own = *key;
	char	   *bytes;
	Route	   *route;
	Size		size;
	Size		before = routes->counted;

	if (find_route(routes, key) != NULL)
		return 0;
	if (routes->table != NULL && hash_get_num_entries(routes->table) >= MAX_ROUTES)
	{
		MemoryContextDelete(routes->context);
		routes->context = NULL;
		routes->table = NULL;
	}
	if (routes->table == NULL)
		create_routes(routes);
	bytes = MemoryContextAlloc(routes->context, Max(key->length, 1));
	memcpy(bytes, key->bytes, key->length);
	own.bytes = bytes;
	route = hash_search(routes->table, &own, HASH_ENTER, NULL);
	route->key = own;
	route->segment = segment;

	size = MemoryContextMemAllocated(routes->context, true);
	routes->counted = Max(size, before);
	return routes->counted - before;
}

/* -- the routing of a version ------------------------------------------------ */

static const char *const kind_names[] = {
	[ML_SEGMENT_TEXT] = "text",
	[ML_SEGMENT_INTEGER] = "integer",
	[ML_SEGMENT_BOOLEAN] = "boolean",
	[ML_SEGMENT_DATE] = "date"
};

const char *
ml_segment_kind_name(MlSegmentKind kind)
{
	return kind_names[kind];
}

static MlSegmentKind
kind_of_name(const char *name)
{
	for (int i = 0; i < lengthof(kind_names); i++)
	{
		if (strcmp(kind_names[i], name) == 0)
			return (MlSegmentKind) i;
	}
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("a segment column is of unknown kind \"%s\"", name)));
}

bool
ml_segment_kind_fits(MlSegmentKind kind, const MlConverter *converter)
{
	switch (kind)
	{
		case ML_SEGMENT_TEXT:
			return converter->kind == ML_CONVERT_TEXT;
		case ML_SEGMENT_INTEGER:
			return converter->kind == ML_CONVERT_INTEGER && converter->logical == ML_LOGICAL_INTEGER;
		case ML_SEGMENT_BOOLEAN:
			return converter->kind != ML_CONVERT_ARRAY && converter->logical == ML_LOGICAL_BOOLEAN;
		case ML_SEGMENT_DATE:
			return converter->type == DATEOID;
	}
	return false;
}

MlRouting *
ml_routing_load(int64 version_id, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	MlSegmentColumnsRow row;
	MlRouting  *routing = NULL;

	if (ml_version_segment_columns(version_id, ml_serving_snapshot(), &row) && row.count > 0)
	{
		routing = palloc0(sizeof(MlRouting));
		routing->n_columns = row.count;
		routing->name = row.name;
		routing->kind = palloc(sizeof(MlSegmentKind) * row.count);
		for (int i = 0; i < row.count; i++)
			routing->kind[i] = kind_of_name(row.kind[i]);
		routing->encoding = ml_version_encoding(version_id, ml_serving_snapshot());
		routing->routes = palloc0(sizeof(MlRoutes));
		routing->routes->parent = context;
	}
	MemoryContextSwitchTo(old);
	return routing;
}

/* -- from the codes of the version to those of a segment's model ---------------- */

typedef struct CodePair
{
	int32		from;
	int32		to;
} CodePair;

typedef struct MlTranslation
{
	int		   *feature_of;		/* of the segment's model -> of the version's */
	int		   *n_codes;		/* of each feature; NULL, as is codes, where there is no category */
	CodePair  **codes;			/* rising by "from"; what is not there is any other value */
	int32	   *class_of;		/* of the segment's model -> of the version's; NULL: the same */
} MlTranslation;

static void
report_strange(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("model \"%s\" cannot be loaded: the model of one of its segments is none of this version", name),
			 errhint("Train the model again, or restore mlplat's tables from a backup.")));
}

static int
compare_pairs(const void *a, const void *b)
{
	return ((const CodePair *) a)->from - ((const CodePair *) b)->from;
}

static void
translate_codes(const MlFeature *of, const MlFeature *among, CodePair **codes, int *count)
{
	*codes = palloc(sizeof(CodePair) * Max(of->levels, 1));
	*count = 0;
	for (int32 c = 0; c < of->levels; c++)
	{
		int32		from = ml_feature_code(among, of->level[c], strlen(of->level[c]));

		if (from < among->levels)
			(*codes)[(*count)++] = (CodePair) {from, c};
	}
	qsort(*codes, *count, sizeof(CodePair), compare_pairs);
}

static int32 *
translate_classes(const MlSchema *of, const MlSchema *among, const char *name)
{
	int32	   *class_of;

	if (of->task != among->task)
		report_strange(name);
	if (of->task != ML_TASK_CLASSIFICATION)
		return NULL;
	class_of = palloc(sizeof(int32) * of->n_classes);
	for (int32 k = 0; k < of->n_classes; k++)
	{
		int32		j = 0;

		while (j < among->n_classes && strcmp(of->classes[k], among->classes[j]) != 0)
			j++;
		if (j == among->n_classes)
			report_strange(name);
		class_of[k] = j;
	}
	return class_of;
}

static MlTranslation *
make_translation(const MlSchema *of, const MlSchema *among, const char *name)
{
	MlTranslation *t = palloc0(sizeof(MlTranslation));
	int			next = 0;

	t->feature_of = palloc(sizeof(int) * Max(of->n_features, 1));
	for (int f = 0; f < of->n_features; f++)
	{
		const MlFeature *feature = &of->features[f];

		/* Both have the order of the columns. */
		while (next < among->n_features && strcmp(among->features[next].name, feature->name) != 0)
			next++;
		if (next == among->n_features || among->features[next].kind != feature->kind)
			report_strange(name);
		t->feature_of[f] = next;
		if (feature->kind != ML_FEATURE_CATEGORY)
			continue;
		if (t->codes == NULL)
		{
			t->n_codes = palloc0(sizeof(int) * of->n_features);
			t->codes = palloc0(sizeof(CodePair *) * of->n_features);
		}
		translate_codes(feature, &among->features[next], &t->codes[f], &t->n_codes[f]);
	}
	t->class_of = translate_classes(of, among, name);
	return t;
}

static double
translate_code(const CodePair *codes, int count, int levels, double code)
{
	int			low = 0;
	int			high = count;

	if (code != code)
		return code;
	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (codes[middle].from < code)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && codes[low].from == code ? codes[low].to : levels;
}

static void
translate_row(const MlTranslation *t, const MlSchema *schema, const double *from, double *to)
{
	if (t->codes == NULL)
	{
		for (int f = 0; f < schema->n_features; f++)
			to[f] = from[t->feature_of[f]];
		return;
	}
	for (int f = 0; f < schema->n_features; f++)
	{
		double		value = from[t->feature_of[f]];

		to[f] = schema->features[f].kind == ML_FEATURE_CATEGORY ?
			translate_code(t->codes[f], t->n_codes[f], schema->features[f].levels, value) : value;
	}
}

/* -- routing a row ------------------------------------------------------------- */

struct MlRouter
{
	const MlServed *served;
	MemoryContext context;
	MlServed	segment;		/* whose model answered last; pinned */
	char	   *key;			/* each part with its length before it */
	Size		key_length;
	Size		key_room;
	int			parts;
	const char **part;			/* into key, set when a segment has to be read */
	size_t	   *part_length;
	bool		outside;
	double	   *x;
	int			x_room;
	double	   *out;
	int			out_room;
	MemoryContextCallback release;
};

static void
release_router(void *arg)
{
	ml_serve_release(&((MlRouter *) arg)->segment);
}

MlRouter *
ml_router_create(const MlServed *served, MemoryContext owner)
{
	MlRouter   *router = MemoryContextAllocZero(owner, sizeof(MlRouter));

	router->served = served;
	router->context = owner;
	router->part = MemoryContextAlloc(owner, sizeof(char *) * served->routing->n_columns);
	router->part_length = MemoryContextAlloc(owner, sizeof(size_t) * served->routing->n_columns);
	router->release.func = release_router;
	router->release.arg = router;
	MemoryContextRegisterResetCallback(owner, &router->release);
	return router;
}

void
ml_router_begin(MlRouter *router)
{
	router->key_length = 0;
	router->parts = 0;
	router->outside = false;
}

void
ml_router_part(MlRouter *router, const char *text, size_t length)
{
	uint32		stated = (uint32) length;
	Size		needed = router->key_length + sizeof(stated) + length;

	router->parts++;
	if (text == NULL)
		router->outside = true;
	if (router->outside)
		return;
	if (needed > router->key_room)
	{
		Size		room = needed + 256;

		router->key = router->key == NULL ? MemoryContextAlloc(router->context, room) : repalloc(router->key, room);
		router->key_room = room;
	}
	memcpy(router->key + router->key_length, &stated, sizeof(stated));
	memcpy(router->key + router->key_length + sizeof(stated), text, length);
	router->key_length = needed;
}

static void
take_key_apart(MlRouter *router)
{
	Size		at = 0;

	for (int i = 0; i < router->parts; i++)
	{
		uint32		length;

		memcpy(&length, router->key + at, sizeof(length));
		at += sizeof(length);
		router->part[i] = router->key + at;
		router->part_length[i] = length;
		at += length;
	}
}

static void
check_segment_sum(const MlResolved *resolved, const MlSegmentEntry *entry)
{
	char		hex[65];

	ml_segment_checksum(resolved->checksum, entry, hex);
	if (strcmp(hex, entry->checksum) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("model \"%s@%d\" cannot be loaded: the image of segment %d is damaged: its SHA-256 is not the recorded one",
						resolved->name, resolved->version, entry->segment),
				 errhint("Train the model again, or restore mlplat's tables from a backup.")));
}

/* What blocks that grow leave over is much for a small model, and there may be ten thousand of them. */
#define COMPACT ((size_t) 64 * 1024)
#define WASTE 512

static MlModel *
decode_segment(MlEnv *env, const MlSegmentEntry *entry, const char *name)
{
	bool		lean = !ml_shared_models_exist();
	MlModel    *model = ml_decode_image(env, entry->image, entry->image_length, lean, name);
	size_t		used = ml_arena_used(env->arena);

	if (used > COMPACT || used < ml_arena_demand(env->arena) + WASTE)
		return model;
	ml_arena_refit(env->arena);
	return ml_decode_image(env, entry->image, entry->image_length, lean, name);
}

static MlCachedModel *
load_segment(const MlServed *served, const MlSegmentEntry *entry)
{
	char		name[NAMEDATALEN + 40];
	MlEnv	   *env;
	MlCachedModel *cached;
	MemoryContext old;

	snprintf(name, sizeof(name), "%s, segment %d", served->name, entry->segment);
	check_segment_sum(&served->resolved, entry);
	cached = ml_cache_begin(served->resolved.version_id, entry->segment, served->resolved.checksum, &env);
	if (!ml_cache_find_shared(cached, env, entry->checksum))
	{
		cached->model = decode_segment(env, entry, name);
		ml_check_model_texts(cached->model, name, served->routing->encoding);
		ml_cache_share(cached, env, entry->checksum, entry->image, entry->image_length);
	}
	old = MemoryContextSwitchTo(cached->context);
	cached->translation = make_translation(cached->model->schema, served->model->schema, served->name);
	MemoryContextSwitchTo(old);
	(void) ml_cache_end(cached, env);
	return cached;
}

/* Reads the row's segment; NULL when it has no model. */
static MlCachedModel *
read_segment(MlRouter *router, const RouteKey *key)
{
	const MlServed *served = router->served;
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "mlplat segment", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	MlCachedModel *cached = NULL;
	MlSegmentEntry entry;
	Size		grown;

	take_key_apart(router);
	if (ml_segment_read(served->resolved.version_id, router->parts, router->part, router->part_length, ml_serving_snapshot(), &entry) &&
		entry.image != NULL)
	{
		/* It may be in the cache under its number: keys are forgotten sooner than models. */
		cached = ml_cache_find(served->resolved.version_id, entry.segment, served->resolved.checksum);
		MemoryContextSwitchTo(old);
		if (cached == NULL)
			cached = load_segment(served, &entry);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);

	/* Pinned before anything that may make room, but after what may fail: nobody would give the pin back. */
	grown = keep_route(served->routing->routes, key, cached != NULL ? cached->key.segment : ML_ALL_ROWS);
	if (cached != NULL)
		ml_cache_pin(cached);
	if (grown > 0)
		ml_cache_grow(served->pin, grown);
	return cached;
}

/* The segment's model, pinned; NULL when the model of all rows is to answer. */
static MlCachedModel *
pin_segment(MlRouter *router)
{
	const MlServed *served = router->served;
	RouteKey	key = {router->key, router->key_length, hash_bytes((const unsigned char *) router->key, (int) router->key_length)};
	const Route *route = find_route(served->routing->routes, &key);
	MlCachedModel *cached;

	if (route == NULL)
		return read_segment(router, &key);
	if (route->segment == ML_ALL_ROWS)
		return NULL;
	cached = router->segment.pin;
	if (cached != NULL && cached->key.segment == route->segment)
	{
		cached->pins++;			/* that of the row before, once more */
		return cached;
	}
	cached = ml_cache_find(served->resolved.version_id, route->segment, served->resolved.checksum);
	if (cached == NULL)
		return read_segment(router, &key);
	ml_cache_pin(cached);
	return cached;
}

static double *
room_for(MemoryContext context, double *room, int *size, int needed)
{
	if (needed <= *size)
		return room;
	*size = needed + 16;
	return room == NULL ? MemoryContextAlloc(context, sizeof(double) * *size) : repalloc(room, sizeof(double) * *size);
}

/* The answer in the classes of the version; those that the segment never saw have no probability. */
static void
spread_classes(const MlTranslation *t, const MlModel *model, const double *from, int n_out, double *to)
{
	memset(to, 0, sizeof(double) * n_out);
	for (int k = 0; k < model->n_out; k++)
		to[t->class_of[k]] = from[k];
}

MlAnswer
ml_router_answer(MlRouter *router, const double *x, double *out)
{
	const MlServed *served = router->served;
	MlCachedModel *cached = router->outside ? NULL : pin_segment(router);
	const MlModel *model;

	if (cached == NULL)
	{
		ml_served_predict(served, x, out);
		return (MlAnswer) {served, out, served, x, out, NULL};
	}
	ml_serve_release(&router->segment);
	router->segment.resolved = served->resolved;
	router->segment.model = cached->model;
	router->segment.pin = cached;
	memcpy(router->segment.name, served->name, sizeof(served->name));

	model = cached->model;
	router->x = room_for(router->context, router->x, &router->x_room, model->schema->n_features);
	router->out = room_for(router->context, router->out, &router->out_room, model->n_out);
	translate_row(cached->translation, model->schema, x, router->x);
	ml_served_predict(&router->segment, router->x, router->out);
	if (cached->translation->class_of == NULL)
		return (MlAnswer) {&router->segment, router->out, &router->segment, router->x, router->out, cached->translation->feature_of};
	spread_classes(cached->translation, model, router->out, served->model->n_out, out);
	return (MlAnswer) {served, out, &router->segment, router->x, router->out, cached->translation->feature_of};
}

/* -- all of a version ---------------------------------------------------------- */

typedef struct Loading
{
	MlEnv	   *env;
	const MlResolved *resolved;
	MlSegmentModels *models;
	MlSegment  *segments;
	size_t		room;
} Loading;

static void *
arena_copy(MlEnv *env, const void *bytes, Size length)
{
	void	   *copy = ml_alloc(env, length, 1);

	if (copy == NULL)
		ml_check(env, env->error.status);
	return memcpy(copy, bytes, length);
}

static MlSegment *
next_segment(Loading *loading)
{
	MlSegmentModels *models = loading->models;

	if (models->count == loading->room)
	{
		size_t		room = Max(2 * loading->room, 256);
		MlSegment  *grown = ml_alloc0(loading->env, room, sizeof(MlSegment));

		if (grown == NULL)
			ml_check(loading->env, loading->env->error.status);
		if (models->count > 0)
			memcpy(grown, loading->segments, sizeof(MlSegment) * models->count);
		loading->segments = grown;
		loading->room = room;
		models->segment = grown;
	}
	return &loading->segments[models->count++];
}

static void
keep_segment(void *state, const MlSegmentEntry *entry)
{
	Loading    *loading = state;
	MlEnv	   *env = loading->env;
	MlSegment  *segment;

	if (entry->image == NULL)
		return;
	check_segment_sum(loading->resolved, entry);
	segment = next_segment(loading);
	segment->key = arena_copy(env, entry->key, sizeof(char *) * loading->models->n_columns);
	for (int c = 0; c < loading->models->n_columns; c++)
		segment->key[c] = arena_copy(env, entry->key[c], strlen(entry->key[c]) + 1);
	segment->image = arena_copy(env, entry->image, entry->image_length);
	segment->image_length = entry->image_length;
}

MlSegmentModels *
ml_segments_load(MlEnv *env, const MlResolved *resolved)
{
	MlSegmentColumnsRow row;
	MlSegmentModels *models;
	Loading		loading = {env, resolved};

	if (!ml_version_segment_columns(resolved->version_id, ml_serving_snapshot(), &row) || row.count == 0)
		return NULL;
	models = palloc0(sizeof(MlSegmentModels));
	models->n_columns = row.count;
	models->column = (const char **) row.name;
	loading.models = models;
	ml_segment_each(resolved->version_id, row.count, true, ml_serving_snapshot(), keep_segment, &loading);
	return models;
}
