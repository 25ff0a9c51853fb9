/*-------------------------------------------------------------------------
 * split.c
 *	  Which rows train, which stop early, which judge.
 *
 * Every kind but "column" works alike: rows get a sort key, are sorted within
 * their stratum, and rows of one key form a group that stays together.  A group
 * belongs to the part in which its middle lies; with groups of one row this
 * takes exactly round(share * n) rows.
 *-------------------------------------------------------------------------
 */
#include "ml/data/split.h"

#include <math.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/rng.h"
#include "ml/base/sort.h"
#include "ml/base/text.h"
#include "ml/model/params.h"

static const char *const split_words[] = {
	[ML_SPLIT_AUTO] = "auto",
	[ML_SPLIT_STRATIFIED] = "stratified",
	[ML_SPLIT_RANDOM] = "random",
	[ML_SPLIT_TIME] = "time",
	[ML_SPLIT_GROUP] = "group",
	[ML_SPLIT_COLUMN] = "column",
	[ML_SPLIT_NONE] = "none",
};

#define N_WORDS ((int) (sizeof(split_words) / sizeof(split_words[0])))

MlStatus
ml_split_parse(MlEnv *env, const char *word, MlSplitKind *kind)
{
	const char *nearest;

	for (int i = 0; i < N_WORDS; i++)
	{
		if (strcmp(split_words[i], word) == 0)
		{
			*kind = (MlSplitKind) i;
			return ML_OK;
		}
	}
	nearest = ml_nearest(word, split_words, N_WORDS);
	ml_fail(env, ML_BAD_PARAM, "unknown split \"%s\"", word);
	if (nearest != NULL)
		return ml_hint(env, "Did you mean \"%s\"? Valid are: auto, stratified, random, time, group, column, none.", nearest);
	return ml_hint(env, "Valid are: auto, stratified, random, time, group, column, none.");
}

static MlStatus
check_shares(MlEnv *env, const MlSplitSpec *spec)
{
	/* Written so that NaN fails. */
	if (!(spec->holdout >= 0 && spec->holdout < 1))
		return ml_fail(env, ML_BAD_PARAM, "holdout must be at least 0 and below 1, not %g", spec->holdout);
	if (!(spec->validation >= 0 && spec->validation < 1))
		return ml_fail(env, ML_BAD_PARAM, "validation must be at least 0 and below 1, not %g", spec->validation);
	if (!(spec->holdout + spec->validation < 1))
		return ml_fail(env, ML_BAD_PARAM, "holdout and validation together must be below 1, not %g", spec->holdout + spec->validation);
	return ML_OK;
}

/*
 * Cuts the n rows of one stratum, sorted by key.  The test part is at the
 * beginning, or for "from_end" at the end, with the validation part next to it.
 * At least one group trains.  Returns how many rows are not the first of their group.
 */
static size_t
cut(const MlSplitSpec *spec, const MlKeyed *items, size_t n, bool from_end, uint8_t *part)
{
	double		limit = n > 0 ? (double) (n - 1) : 0;
	double		test = fmin(floor(spec->holdout * (double) n + 0.5), limit);
	double		both = fmin(test + floor(spec->validation * (double) n + 0.5), limit);
	size_t		repeated = 0;

	for (size_t start = 0, end; start < n; start = end)
	{
		double		middle;
		MlPart		p;

		for (end = start + 1; end < n && items[end].key == items[start].key;)
			end++;
		middle = 0.5 * ((double) start + (double) end);
		if (from_end)
			middle = (double) n - middle;
		p = middle < test ? ML_PART_TEST : middle < both ? ML_PART_VALIDATION : ML_PART_TRAIN;
		if (from_end ? start == 0 : end == n)
			p = ML_PART_TRAIN;	/* the group farthest from the test part */
		for (size_t i = start; i < end; i++)
			part[items[i].row] = (uint8_t) p;
		repeated += end - start - 1;
	}
	return repeated;
}

static MlStatus
null_in_split_column(MlEnv *env, const MlColumn *column)
{
	ml_fail(env, ML_NULL_VALUE, "split column \"%s\" contains NULL", column->spec.name);
	return ml_hint(env, "Leave such rows out of the source, or give them a value.");
}

/* A number that orders the values of a split column in time. */
static MlStatus
time_key(MlEnv *env, const MlColumn *column, size_t row, uint64_t *key)
{
	if (column->spec.kind == ML_CATEGORY)
	{
		ml_fail(env, ML_BAD_TYPE, "column \"%s\" of type %s cannot order rows in time", column->spec.name, column->spec.type_name);
		return ml_hint(env, "A split by time needs a date, a timestamp or a number.");
	}
	if (column->spec.kind == ML_INTEGER_KEY)
		*key = ml_sort_key_int(column->key[row]);
	else if (isnan(column->number[row]))
		return null_in_split_column(env, column);
	else
		*key = ml_sort_key_double(column->number[row]);
	return ML_OK;
}

/* A hash of the value, the same wherever the value stands; code_hash: of the texts of a category. */
static MlStatus
group_key(MlEnv *env, const MlColumn *column, const uint64_t *code_hash, uint64_t seed, size_t row, uint64_t *key)
{
	double		value;

	if (column->spec.kind == ML_INTEGER_KEY)
		*key = ml_mix64((uint64_t) column->key[row]);
	else if (column->spec.kind == ML_CATEGORY && column->code[row] >= 0)
		*key = code_hash[column->code[row]];
	else if (column->spec.kind == ML_NUMBER && !isnan(column->number[row]))
	{
		value = column->number[row] + 0.0;
		memcpy(key, &value, sizeof(value));
	}
	else
		return null_in_split_column(env, column);
	*key = ml_mix64(*key ^ ml_mix64(seed));
	return ML_OK;
}

static MlStatus
hash_texts(MlEnv *env, const MlColumn *column, uint64_t **code_hash)
{
	const MlDictionary *d = &column->dictionary;

	*code_hash = NULL;
	if (column->spec.kind != ML_CATEGORY)
		return ML_OK;
	*code_hash = ml_alloc(env, (size_t) d->count, sizeof(uint64_t));
	if (*code_hash == NULL)
		return env->error.status;
	for (int32_t i = 0; i < d->count; i++)
		(*code_hash)[i] = ml_hash_bytes(1, d->text[i], d->length[i]);
	return ML_OK;
}

/* Sort keys of the rows in use, one stratum behind the other; first (n_strata + 1) says where each begins. */
static MlStatus
fill_items(MlEnv *env, const MlSplitSpec *spec, size_t rows, const uint64_t *row_hash, const int32_t *class_of,
		   int32_t n_strata, const MlColumn *column, const uint8_t *part, MlKeyed *items, size_t *first)
{
	uint64_t   *code_hash = NULL;
	size_t	   *next = ml_alloc0(env, (size_t) n_strata + 1, sizeof(size_t));

	if (next == NULL)
		return env->error.status;
	if (spec->kind == ML_SPLIT_GROUP)
		ML_TRY(hash_texts(env, column, &code_hash));
	for (size_t i = 0; i < rows; i++)
	{
		if (part[i] != ML_PART_UNUSED)
			first[(class_of == NULL ? 0 : class_of[i]) + 1]++;
	}
	for (int32_t s = 0; s < n_strata; s++)
	{
		first[s + 1] += first[s];
		next[s] = first[s];
	}
	for (size_t i = 0; i < rows; i++)
	{
		MlKeyed    *item;

		if (i % (1 << 20) == 0 && ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		if (part[i] == ML_PART_UNUSED)
			continue;
		item = &items[next[class_of == NULL ? 0 : class_of[i]]++];
		item->row = i;
		item->key = row_hash == NULL ? 0 : row_hash[i];
		if (spec->kind == ML_SPLIT_TIME)
			ML_TRY(time_key(env, column, i, &item->key));
		if (spec->kind == ML_SPLIT_GROUP)
			ML_TRY(group_key(env, column, code_hash, spec->seed, i, &item->key));
	}
	ml_release(env, code_hash);
	return ML_OK;
}

static MlStatus
split_sorted(MlEnv *env, const MlSplitSpec *spec, size_t rows, const uint64_t *row_hash, const int32_t *class_of,
			 int32_t n_classes, const MlColumn *column, uint8_t *part, size_t *repeated)
{
	int32_t		n_strata = class_of == NULL ? 1 : n_classes;
	MlKeyed    *items = ml_alloc(env, rows, sizeof(MlKeyed));
	size_t	   *first = ml_alloc0(env, (size_t) n_strata + 1, sizeof(size_t));

	if (items == NULL || first == NULL)
		return env->error.status;
	ML_TRY(fill_items(env, spec, rows, row_hash, class_of, n_strata, column, part, items, first));
	for (int32_t s = 0; s < n_strata; s++)
	{
		size_t		n = first[s + 1] - first[s];

		ML_TRY(ml_sort_keyed(env, items + first[s], n));
		*repeated += cut(spec, items + first[s], n, spec->kind == ML_SPLIT_TIME, part);
	}
	ml_release(env, items);
	return ML_OK;
}

/* The words of the split column, by their codes: for the rows in use, or for those left out so far, which may train or stay so. */
static MlStatus
split_by_column(MlEnv *env, size_t rows, const MlColumn *column, bool unlabelled, uint8_t *part)
{
	static const char *const words[] = {"train", "validation", "test"};	/* by MlPart */
	uint8_t    *part_of;

	if (column->spec.kind != ML_CATEGORY)
	{
		ml_fail(env, ML_BAD_TYPE, "split column \"%s\" is of type %s", column->spec.name, column->spec.type_name);
		return ml_hint(env, "It must be a text that says train, validation or test.");
	}
	part_of = ml_alloc(env, (size_t) column->dictionary.count, 1);
	if (part_of == NULL)
		return env->error.status;
	for (int32_t c = 0; c < column->dictionary.count; c++)
	{
		part_of[c] = ML_PART_UNUSED;
		for (int w = 0; w < 3; w++)
		{
			if (strcmp(column->dictionary.text[c], words[w]) == 0)
				part_of[c] = (uint8_t) w;
		}
	}
	for (size_t i = 0; i < rows; i++)
	{
		int32_t		code = column->code[i];

		if ((part[i] == ML_PART_UNUSED) != unlabelled)
			continue;
		if (code < 0)
			return null_in_split_column(env, column);
		if (part_of[code] == ML_PART_UNUSED)
		{
			ml_fail(env, ML_BAD_PARAM, "split column \"%s\" contains \"%.60s\"", column->spec.name, column->dictionary.text[code]);
			return ml_hint(env, "Its values must be train, validation or test.");
		}
		if (!unlabelled)
			part[i] = part_of[code];
		else if (part_of[code] == ML_PART_TRAIN)
			part[i] = ML_PART_UNLABELLED;
	}
	return ML_OK;
}

MlStatus
ml_split(MlEnv *env, const MlSplitSpec *given, size_t rows, const uint64_t *row_hash,
		 const int32_t *class_of, int32_t n_classes, const MlColumn *split_column, uint8_t *part, size_t *repeated)
{
	MlSplitSpec spec = *given;

	*repeated = 0;
	ML_TRY(check_shares(env, &spec));
	if (spec.kind == ML_SPLIT_AUTO)
		spec.kind = class_of != NULL ? ML_SPLIT_STRATIFIED : ML_SPLIT_RANDOM;
	if (spec.kind == ML_SPLIT_STRATIFIED && class_of == NULL)
	{
		ml_fail(env, ML_BAD_PARAM, "a stratified split needs classes, which this task does not have");
		return ml_hint(env, "Use split => 'random'.");
	}
	if ((spec.kind == ML_SPLIT_TIME || spec.kind == ML_SPLIT_GROUP || spec.kind == ML_SPLIT_COLUMN) && split_column == NULL)
	{
		ml_fail(env, ML_BAD_PARAM, "split \"%s\" needs a column", split_words[spec.kind]);
		return ml_hint(env, "Name it with split_by.");
	}
	if (spec.kind == ML_SPLIT_COLUMN)
		return split_by_column(env, rows, split_column, false, part);
	/* As a part of no rows: all of them train already. */
	if (spec.kind == ML_SPLIT_NONE)
		return ML_OK;
	if (spec.kind != ML_SPLIT_STRATIFIED)
		class_of = NULL;
	return split_sorted(env, &spec, rows, row_hash, class_of, n_classes, split_column, part, repeated);
}

/* ------------------------------------------------------------------------
 * Rows without a target
 * ------------------------------------------------------------------------
 */

/* What lies at or behind the first row held out is not known yet when the model is made. */
static MlStatus
earlier_rows(MlEnv *env, size_t rows, const MlColumn *column, uint8_t *part)
{
	uint64_t	first = UINT64_MAX;
	bool		held_out = false;
	uint64_t	key;

	for (size_t i = 0; i < rows; i++)
	{
		if (part[i] != ML_PART_TEST && part[i] != ML_PART_VALIDATION)
			continue;
		ML_TRY(time_key(env, column, i, &key));
		first = key < first ? key : first;
		held_out = true;
	}
	for (size_t i = 0; i < rows; i++)
	{
		if (part[i] != ML_PART_UNUSED)
			continue;
		ML_TRY(time_key(env, column, i, &key));
		if (!held_out || key < first)
			part[i] = ML_PART_UNLABELLED;
	}
	return ML_OK;
}

static bool
is_among(const MlKeyed *items, size_t n, uint64_t key)
{
	size_t		low = 0;
	size_t		high = n;

	while (low < high)
	{
		size_t		middle = low + (high - low) / 2;

		if (items[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && items[low].key == key;
}

/* Another row of a group that judges would tell what it is like. */
static MlStatus
other_groups(MlEnv *env, const MlSplitSpec *spec, size_t rows, const MlColumn *column, uint8_t *part)
{
	MlKeyed    *held_out = ml_alloc(env, rows, sizeof(MlKeyed));
	uint64_t   *code_hash = NULL;
	uint64_t	key;
	size_t		n = 0;

	if (held_out == NULL)
		return env->error.status;
	ML_TRY(hash_texts(env, column, &code_hash));
	for (size_t i = 0; i < rows; i++)
	{
		if (part[i] != ML_PART_TEST && part[i] != ML_PART_VALIDATION)
			continue;
		ML_TRY(group_key(env, column, code_hash, spec->seed, i, &held_out[n].key));
		held_out[n++].row = i;
	}
	ML_TRY(ml_sort_keyed(env, held_out, n));
	for (size_t i = 0; i < rows; i++)
	{
		if (part[i] != ML_PART_UNUSED)
			continue;
		ML_TRY(group_key(env, column, code_hash, spec->seed, i, &key));
		if (!is_among(held_out, n, key))
			part[i] = ML_PART_UNLABELLED;
	}
	ml_release(env, held_out);
	ml_release(env, code_hash);
	return ML_OK;
}

MlStatus
ml_split_unlabelled(MlEnv *env, const MlSplitSpec *spec, size_t rows, const MlColumn *split_column, uint8_t *part, size_t *n)
{
	*n = 0;
	if (spec->kind == ML_SPLIT_TIME)
		ML_TRY(earlier_rows(env, rows, split_column, part));
	else if (spec->kind == ML_SPLIT_GROUP)
		ML_TRY(other_groups(env, spec, rows, split_column, part));
	else if (spec->kind == ML_SPLIT_COLUMN)
		ML_TRY(split_by_column(env, rows, split_column, true, part));
	for (size_t i = 0; i < rows; i++)
	{
		if (part[i] == ML_PART_UNUSED && spec->kind != ML_SPLIT_TIME && spec->kind != ML_SPLIT_GROUP && spec->kind != ML_SPLIT_COLUMN)
			part[i] = ML_PART_UNLABELLED;
		*n += part[i] == ML_PART_UNLABELLED;
	}
	return ML_OK;
}
