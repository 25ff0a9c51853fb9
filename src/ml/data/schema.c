/*-------------------------------------------------------------------------
 * schema.c
 *	  What a model expects of a row: its category index, saved and loaded.
 *-------------------------------------------------------------------------
 */
#include "ml/data/schema.h"

#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/text.h"

/* Fewer bytes than any feature, class or level takes in an image. */
#define MIN_FEATURE_BYTES 30
#define MIN_TEXT_BYTES 4

typedef struct LevelSlot
{
	uint32_t	hash;
	int32_t		code;			/* -1: free */
} LevelSlot;

/* Open addressing with linear probing, at most half full. */
struct MlLevelIndex
{
	uint32_t	mask;
	LevelSlot  *slots;
	const uint32_t *length;
};

static int32_t
index_find(const MlLevelIndex *index, const char *const *texts, uint32_t hash, const char *text, size_t length)
{
	for (uint32_t i = hash & index->mask;; i = (i + 1) & index->mask)
	{
		const LevelSlot *slot = &index->slots[i];

		if (slot->code < 0)
			return -1;
		if (slot->hash == hash && index->length[slot->code] == length && memcmp(texts[slot->code], text, length) == 0)
			return slot->code;
	}
}

MlStatus
ml_level_index(MlEnv *env, const char *const *texts, int32_t count, const MlLevelIndex **result)
{
	MlLevelIndex *index = ml_alloc(env, 1, sizeof(MlLevelIndex));
	uint32_t   *length = ml_alloc(env, (size_t) count, sizeof(uint32_t));
	size_t		n_slots = 2;

	while (n_slots < 2 * (size_t) count)
		n_slots *= 2;
	if (index == NULL || length == NULL)
		return env->error.status;
	index->mask = (uint32_t) (n_slots - 1);
	index->length = length;
	index->slots = ml_alloc(env, n_slots, sizeof(LevelSlot));
	if (index->slots == NULL)
		return env->error.status;
	for (size_t i = 0; i < n_slots; i++)
		index->slots[i].code = -1;
	for (int32_t code = 0; code < count; code++)
	{
		uint32_t	hash;
		uint32_t	i;

		length[code] = (uint32_t) strlen(texts[code]);
		hash = (uint32_t) ml_hash_bytes(0, texts[code], length[code]);
		if (index_find(index, texts, hash, texts[code], length[code]) >= 0)
			return ml_fail(env, ML_CORRUPT, "the model image is damaged: a name, label or category occurs twice");
		for (i = hash & index->mask; index->slots[i].code >= 0;)
			i = (i + 1) & index->mask;
		index->slots[i] = (LevelSlot)
		{
			hash, code
		};
	}
	*result = index;
	return ML_OK;
}

int32_t
ml_feature_code(const MlFeature *feature, const char *text, size_t length)
{
	int32_t		code = index_find(feature->index, feature->level, (uint32_t) ml_hash_bytes(0, text, length), text, length);

	return code < 0 ? feature->levels : code;
}

static const struct
{
	MlTask		task;
	const char *name;
}			task_names[] = {
	{ML_TASK_REGRESSION, "regression"},
	{ML_TASK_CLASSIFICATION, "classification"},
	{ML_TASK_CLUSTERING, "clustering"},
	{ML_TASK_REDUCTION, "dimension_reduction"},
	{ML_TASK_ANOMALY, "anomaly_detection"},
	{0, NULL}
};

int32_t
ml_text_bucket(const char *text, size_t length, int32_t buckets)
{
	/* Another seed than the level index has: buckets of similar texts shall not be neighbours of its slots. */
	return (int32_t) (ml_hash_bytes(UINT64_C(0x6D6C70726570), text, length) % (uint64_t) buckets);
}

const char *
ml_task_name(MlTask task)
{
	for (int i = 0; task_names[i].name != NULL; i++)
	{
		if (task_names[i].task == task)
			return task_names[i].name;
	}
	return NULL;
}

MlTask
ml_task_find(const char *name)
{
	for (int i = 0; task_names[i].name != NULL; i++)
	{
		if (strcmp(task_names[i].name, name) == 0)
			return task_names[i].task;
	}
	return 0;
}

static void
save_feature(const MlFeature *feature, MlWriter *w)
{
	ml_put_text(w, feature->name);
	ml_put_text(w, feature->source_column);
	ml_put_i32(w, feature->element);
	ml_put_i32(w, feature->elements);
	ml_put_text(w, feature->type_name);
	ml_put_u8(w, (uint8_t) feature->logical);
	ml_put_u8(w, (uint8_t) feature->kind);
	ml_put_i32(w, feature->levels);
	for (int32_t i = 0; i < feature->levels; i++)
		ml_put_text(w, feature->level[i]);
}

void
ml_schema_save(const MlSchema *schema, MlWriter *w)
{
	ml_put_u8(w, (uint8_t) schema->task);
	ml_put_text(w, schema->target);
	ml_put_text(w, schema->target_type);
	ml_put_u8(w, (uint8_t) schema->target_logical);
	ml_put_i32(w, schema->n_classes);
	for (int32_t i = 0; i < schema->n_classes; i++)
		ml_put_text(w, schema->classes[i]);
	ml_put_u8(w, schema->class_value != NULL);
	if (schema->class_value != NULL)
		ml_put_doubles(w, schema->class_value, (size_t) schema->n_classes);
	ml_put_i32(w, schema->n_features);
	for (int f = 0; f < schema->n_features; f++)
		save_feature(&schema->features[f], w);
}

/* A text that must be there. */
static const char *
get_required_text(MlReader *r)
{
	const char *text = ml_get_text(r);

	if (text == NULL && r->status == ML_OK)
		ml_reader_corrupt(r, "a name is missing");
	return text;
}

static MlLogicalType
get_logical(MlReader *r)
{
	uint8_t		v = ml_get_u8(r);

	if (v > ML_LOGICAL_TIME)
		ml_reader_corrupt(r, "a type is unknown");
	return (MlLogicalType) v;
}

/* count texts, all different, and their index. */
static const char **
get_distinct_texts(MlReader *r, uint32_t count, const MlLevelIndex **index)
{
	const char **texts;

	if (r->status != ML_OK)
		return NULL;
	texts = ml_alloc(r->env, count, sizeof(char *));
	if (texts == NULL)
	{
		r->status = r->env->error.status;
		return NULL;
	}
	for (uint32_t i = 0; i < count; i++)
	{
		texts[i] = get_required_text(r);
		if (r->status != ML_OK)
			return NULL;
	}
	r->status = ml_level_index(r->env, texts, (int32_t) count, index);
	return texts;
}

static MlStatus
load_feature(MlReader *r, MlFeature *feature)
{
	uint32_t	levels;
	uint8_t		kind;

	feature->name = get_required_text(r);
	feature->source_column = get_required_text(r);
	feature->element = ml_get_i32(r);
	feature->elements = ml_get_i32(r);
	feature->type_name = get_required_text(r);
	feature->logical = get_logical(r);
	kind = ml_get_u8(r);
	levels = ml_get_count(r, MIN_TEXT_BYTES);
	ML_TRY(r->status);

	if (feature->element < 0 || feature->element > feature->elements || (feature->element == 0) != (feature->elements == 0))
		return ml_reader_corrupt(r, "an array element lies outside its array");
	if (kind > ML_FEATURE_CATEGORY)
		return ml_reader_corrupt(r, "a kind of feature is unknown");
	if (levels > ML_MAX_LEVELS || (kind == ML_FEATURE_NUMBER ? levels != 0 : levels == 0))
		return ml_reader_corrupt(r, "a number of categories is not possible");
	feature->kind = (MlFeatureKind) kind;
	feature->levels = (int32_t) levels;
	if (feature->kind == ML_FEATURE_CATEGORY)
		feature->level = get_distinct_texts(r, levels, &feature->index);
	return r->status;
}

static MlStatus
load_target(MlReader *r, MlSchema *schema)
{
	const MlLevelIndex *unused;
	uint8_t		task = ml_get_u8(r);
	uint32_t	n_classes;
	uint8_t		has_values;
	bool		has_target = ml_task_name((MlTask) task) == NULL || ml_task_has_target(task);

	schema->target = has_target ? get_required_text(r) : ml_get_text(r);
	schema->target_type = has_target ? get_required_text(r) : ml_get_text(r);
	schema->target_logical = get_logical(r);
	n_classes = ml_get_count(r, MIN_TEXT_BYTES);
	ML_TRY(r->status);
	if (ml_task_name((MlTask) task) == NULL)
		return ml_reader_corrupt(r, "its task is unknown");
	if (!has_target && (schema->target != NULL || schema->target_type != NULL))
		return ml_reader_corrupt(r, "it has a target that its task does not have");
	if (task != ML_TASK_CLASSIFICATION ? n_classes != 0 : n_classes < 2 || n_classes > ML_MAX_LEVELS)
		return ml_reader_corrupt(r, "a number of classes is not possible");
	schema->task = (MlTask) task;
	schema->n_classes = (int32_t) n_classes;
	if (n_classes > 0)
		schema->classes = get_distinct_texts(r, n_classes, &unused);
	has_values = ml_get_u8(r);
	if (has_values > 1 || (has_values == 1 && n_classes == 0))
		return ml_reader_corrupt(r, "the values of its classes are not possible");
	if (has_values == 1)
		schema->class_value = ml_get_doubles(r, n_classes);
	return r->status;
}

/* Serving finds features by name, so no two may have the same one. */
static MlStatus
check_feature_names(MlReader *r, const MlSchema *schema)
{
	const MlLevelIndex *unused;
	const char **names = ml_alloc(r->env, (size_t) schema->n_features, sizeof(char *));

	if (names == NULL)
		return r->status = r->env->error.status;
	for (int f = 0; f < schema->n_features; f++)
		names[f] = schema->features[f].name;
	return r->status = ml_level_index(r->env, names, schema->n_features, &unused);
}

/*
 * Serving reads each column once: the elements of an array column stand together, agree about its
 * length and are numbers, and no other feature has the same column.
 */
static MlStatus
check_columns(MlReader *r, const MlSchema *schema)
{
	const MlLevelIndex *unused;
	const char **columns = ml_alloc(r->env, (size_t) schema->n_features, sizeof(char *));
	int32_t		n = 0;

	if (columns == NULL)
		return r->status = r->env->error.status;
	for (int f = 0; f < schema->n_features; f++)
	{
		const MlFeature *feature = &schema->features[f];
		const MlFeature *before = f > 0 ? feature - 1 : NULL;

		if (feature->elements > 0 && feature->kind != ML_FEATURE_NUMBER)
			return ml_reader_corrupt(r, "an array element is a category");
		if (feature->elements > 0 && before != NULL && strcmp(before->source_column, feature->source_column) == 0)
		{
			if (before->elements != feature->elements)
				return ml_reader_corrupt(r, "the elements of an array disagree about its length");
			continue;
		}
		columns[n++] = feature->source_column;
	}
	return r->status = ml_level_index(r->env, columns, n, &unused);
}

MlStatus
ml_schema_load(MlReader *r, MlSchema **result)
{
	MlSchema   *schema = ml_alloc0(r->env, 1, sizeof(MlSchema));
	uint32_t	n_features;

	if (schema == NULL)
		return r->status = r->env->error.status;
	ML_TRY(load_target(r, schema));
	n_features = ml_get_count(r, MIN_FEATURE_BYTES);
	ML_TRY(r->status);
	if (n_features == 0)
		return ml_reader_corrupt(r, "it has no features");
	schema->features = ml_alloc0(r->env, n_features, sizeof(MlFeature));
	if (schema->features == NULL)
		return r->status = r->env->error.status;
	schema->n_features = (int) n_features;
	for (uint32_t f = 0; f < n_features; f++)
		ML_TRY(load_feature(r, &schema->features[f]));
	ML_TRY(check_feature_names(r, schema));
	ML_TRY(check_columns(r, schema));
	*result = schema;
	return ML_OK;
}
