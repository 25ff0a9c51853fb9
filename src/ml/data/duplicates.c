/*-------------------------------------------------------------------------
 * duplicates.c
 *	  Are equal rows copies of one another, or draws that came out alike?
 *-------------------------------------------------------------------------
 */
#include "ml/data/duplicates.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "ml/base/arena.h"
#include "ml/base/rng.h"
#include "ml/base/sort.h"
#include "ml/base/text.h"
#include "ml/data/row_hash.h"
#include "ml/data/split.h"

/* What the targets of a row add to its hash. */
typedef struct TargetHash
{
	const MlColumn *column;
	uint64_t	key;
	const uint64_t *of_code;	/* of a category */
} TargetHash;

/* What a word adds in the column's natural form, in which it was hashed; false: unknown. */
static bool
hash_of_word(const MlColumn *column, const char *word, size_t length, uint64_t key, uint64_t *hash)
{
	char	   *end;

	errno = 0;
	if (!column->spec.unhashed)
		*hash = ml_hash_fold(ml_hash_bytes(0, word, length), key);
	else if (column->spec.logical == ML_LOGICAL_BOOLEAN)
		*hash = ml_hash_number(strcmp(word, "true") == 0, key);
	else if (column->spec.logical == ML_LOGICAL_INTEGER)
	{
		*hash = ml_hash_fold((uint64_t) strtoll(word, &end, 10), key);
		return end != word && *end == '\0' && errno == 0;
	}
	else if (column->spec.logical == ML_LOGICAL_FLOAT)
	{
		*hash = ml_hash_number(strtod(word, &end), key);
		return end != word && *end == '\0' && errno == 0;
	}
	else
		return false;
	return true;
}

/* known (out): whether what the targets added to the hashes can be told. */
static MlStatus
target_hash(MlEnv *env, const MlColumn *column, TargetHash *result, bool *known)
{
	const MlDictionary *words = &column->dictionary;
	uint64_t   *of_code;

	*known = false;
	*result = (TargetHash) {column, ml_hash_bytes(0, column->spec.name, strlen(column->spec.name)), NULL};
	if (column->spec.kind == ML_NUMBER)
	{
		*known = !column->inexact && !column->spec.unhashed && column->number != NULL;
		return ML_OK;
	}
	if (column->spec.kind != ML_CATEGORY || column->code == NULL)
		return ML_OK;
	of_code = ml_alloc(env, (size_t) words->count, sizeof(uint64_t));
	if (of_code == NULL)
		return env->error.status;
	for (int32_t k = 0; k < words->count; k++)
	{
		if (!hash_of_word(column, words->text[k], words->length[k], result->key, &of_code[k]))
			return ML_OK;
	}
	result->of_code = of_code;
	*known = true;
	return ML_OK;
}

static uint64_t
hash_of_target(const TargetHash *t, size_t row)
{
	double		value;

	if (t->of_code != NULL)
		return t->column->code[row] >= 0 ? t->of_code[t->column->code[row]] : ml_hash_fold(t->key, ML_HASH_MISSING);
	value = t->column->number[row];
	if (isnan(value))
		return ml_hash_fold(t->key, ML_HASH_MISSING);
	/* A column that is not inexact has no larger ones. */
	if (t->column->spec.logical == ML_LOGICAL_INTEGER && fabs(value) <= 0x1p53)
		return ml_hash_fold((uint64_t) (int64_t) value, t->key);
	return ml_hash_number(value, t->key);
}

/* The rows in use, by their hashes; of equal rows the first one first. */
static MlStatus
sort_rows(MlEnv *env, const MlFrame *frame, const uint8_t *part, MlKeyed *items, size_t *count)
{
	size_t		n = 0;

	*count = 0;
	for (size_t i = 0; i < frame->rows; i++)
	{
		if (i % (1 << 20) == 0 && ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		if (part[i] != ML_PART_UNUSED)
			items[n++] = (MlKeyed) {frame->row_hash[i], i};
	}
	*count = n;
	return ml_sort_keyed(env, items, n);
}

/*
 * Whether most of the rows that are repeated have others beside them that differ in the target alone.  items: sorted by
 * hash; sorted anew.
 */
static MlStatus
are_draws(MlEnv *env, const MlFrame *frame, const TargetHash *target, MlKeyed *items, size_t n, bool *draws)
{
	const uint64_t *hash = frame->row_hash;
	size_t		repeated = 0;
	size_t		beside = 0;

	/* By the hash without the target; rows alike in that stay in the order of the whole one. */
	for (size_t i = 0; i < n; i++)
		items[i].key = (ml_unmix64(items[i].key) ^ frame->seed_hash) - hash_of_target(target, items[i].row);
	ML_TRY(ml_sort_keyed(env, items, n));
	for (size_t start = 0, end; start < n; start = end)
	{
		size_t		copies = 0;

		for (end = start + 1; end < n && items[end].key == items[start].key; end++)
			copies += hash[items[end].row] == hash[items[end - 1].row];
		repeated += copies;
		if (hash[items[end - 1].row] != hash[items[start].row])
			beside += copies;
	}
	*draws = beside > repeated / 2;
	return ML_OK;
}

/* The k-th of equal rows, from 0, gets a key of its own. */
static MlStatus
number_draws(MlEnv *env, const MlFrame *frame, const MlKeyed *items, size_t n, uint64_t **result)
{
	uint64_t   *keys = ml_alloc(env, frame->rows, sizeof(uint64_t));

	if (keys == NULL)
		return env->error.status;
	memcpy(keys, frame->row_hash, frame->rows * sizeof(uint64_t));
	for (size_t i = 1, k = 0; i < n; i++)
	{
		k = items[i].key == items[i - 1].key ? k + 1 : 0;
		if (k > 0)
			keys[items[i].row] = ml_mix64(items[i].key ^ ml_mix64(k));
	}
	*result = keys;
	return ML_OK;
}

MlStatus
ml_rows_told_apart(MlEnv *env, const MlFrame *frame, const MlColumn *target, const uint8_t *part, uint64_t **keys)
{
	MlKeyed    *items;
	TargetHash	own;
	size_t		n;
	bool		known;
	bool		draws;

	*keys = NULL;
	if (target == NULL || frame->hash_of_id)
		return ML_OK;
	ML_TRY(target_hash(env, target, &own, &known));
	if (!known)
		return ML_OK;
	items = ml_alloc(env, frame->rows, sizeof(MlKeyed));
	if (items == NULL)
		return env->error.status;
	ML_TRY(sort_rows(env, frame, part, items, &n));
	ML_TRY(are_draws(env, frame, &own, items, n, &draws));
	if (draws)
	{
		ML_TRY(sort_rows(env, frame, part, items, &n));
		ML_TRY(number_draws(env, frame, items, n, keys));
	}
	ml_release(env, items);
	return ML_OK;
}
