/*-------------------------------------------------------------------------
 * encode.c
 *	  From a frame to the encoded columns of a data set.
 *
 * One column at a time: its values are gathered in the order of the data set,
 * judged, and the column of the frame is given back; so only one column ever
 * exists twice.  Where numbers become bins, one column for each thread waits for that.
 *-------------------------------------------------------------------------
 */
#include "ml/data/encode.h"

#include <stdio.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/pool.h"
#include "ml/base/sort.h"

#define GATHER_ROWS 131072
#define KEY_SAMPLE 1000			/* a column with a repeated value here is no key */

typedef enum Verdict
{
	USABLE,
	WITHOUT_VALUE,
	CONSTANT,
	KEY,
	N_VERDICTS
} Verdict;

static const char *const verdict_text[] = {
	[WITHOUT_VALUE] = "no value in the training part",
	[CONSTANT] = "the same value in all rows of the training part",
	[KEY] = "a different value in every row, like a key; it is used only if named in features",
};

typedef struct Encoder
{
	MlEnv	   *env;
	const size_t *order;
	size_t		n_train;
	size_t		n;
	const MlEncodeRows *rows;	/* NULL where nothing is encoded */
	bool		in_place;		/* the order is that of the frame: its columns are taken as they are */
	int			n_waiting;		/* columns that are to become bins */
	int			most_waiting;
	MlDataColumn **waiting;
	const char **excluded;
	int			n_excluded;
	const char *array;			/* source column of the array whose elements are being encoded */
	int			elements[N_VERDICTS];	/* of that array */
} Encoder;

typedef struct Gather
{
	const MlColumn *from;
	const size_t *order;
	size_t		n;
	double	   *number;
	int32_t    *code;
	int32_t    *bucket;			/* code -> bucket; NULL: codes stay */
} Gather;

static void
gather_task(void *arg, size_t task, int thread)
{
	const Gather *g = arg;
	size_t		end = (task + 1) * GATHER_ROWS < g->n ? (task + 1) * GATHER_ROWS : g->n;

	for (size_t i = task * GATHER_ROWS; i < end; i++)
	{
		if (g->code != NULL)
			g->code[i] = g->from->code[g->order[i]];
		else if (g->bucket != NULL)
			g->number[i] = g->from->code[g->order[i]] < 0 ? NAN : g->bucket[g->from->code[g->order[i]]];
		else if (g->from->number != NULL)
			g->number[i] = g->from->number[g->order[i]];
		else
			g->number[i] = (double) g->from->key[g->order[i]];
	}
}

/* The bucket of each text of the dictionary. */
static MlStatus
hash_texts(MlEnv *env, const MlColumn *from, int32_t **bucket)
{
	const MlDictionary *d = &from->dictionary;

	*bucket = ml_alloc(env, (size_t) d->count + 1, sizeof(int32_t));
	if (*bucket == NULL)
		return env->error.status;
	for (int32_t c = 0; c < d->count; c++)
		(*bucket)[c] = ml_text_bucket(d->text[c], d->length[c], from->spec.buckets);
	return ML_OK;
}

static MlStatus
gather(Encoder *e, const MlColumn *from, MlDataColumn *to)
{
	Gather		g = {.from = from, .order = e->order, .n = e->n};

	if (from->spec.buckets > 0)
		ML_TRY(hash_texts(e->env, from, &g.bucket));
	if (from->code != NULL && g.bucket == NULL)
		to->code = g.code = ml_alloc(e->env, e->n, sizeof(int32_t));
	else
		to->number = g.number = ml_alloc(e->env, e->n, sizeof(double));
	if (g.code == NULL && g.number == NULL)
		return e->env->error.status;
	return ml_pool_run(e->env, (e->n + GATHER_ROWS - 1) / GATHER_ROWS, gather_task, &g);
}

/* A column whose rows are in order already. */
static bool
take(const Encoder *e, MlColumn *from, MlDataColumn *to)
{
	if (!e->in_place || from->key != NULL || from->spec.buckets > 0)
		return false;
	to->code = from->code;
	to->number = from->number;
	from->code = NULL;
	from->number = NULL;
	return true;
}

static inline bool
is_missing(const MlDataColumn *c, size_t i)
{
	return c->code != NULL ? c->code[i] < 0 : isnan(c->number[i]);
}

/* Of two rows that are not missing. */
static inline bool
same_value(const MlDataColumn *c, size_t i, size_t j)
{
	return c->code != NULL ? c->code[i] == c->code[j] : c->number[i] == c->number[j];
}

/* No two of the first n rows have the same value, and none is missing. */
static MlStatus
all_different(MlEnv *env, const MlDataColumn *c, size_t n, bool *result)
{
	MlKeyed    *items = ml_alloc(env, n, sizeof(MlKeyed));

	if (items == NULL)
		return env->error.status;
	*result = true;
	for (size_t i = 0; i < n && *result; i++)
	{
		items[i].key = c->code != NULL ? (uint64_t) (uint32_t) c->code[i] : ml_sort_key_double(c->number[i]);
		items[i].row = i;
		*result = !is_missing(c, i);
	}
	if (*result)
		ML_TRY(ml_sort_keyed(env, items, n));
	for (size_t i = 1; i < n && *result; i++)
		*result = items[i].key != items[i - 1].key;
	ml_release(env, items);
	return ML_OK;
}

/* A value that differs while values are there, or missing ones beside them, is something to learn from. */
static Verdict
judge_values(const Encoder *e, const MlDataColumn *c)
{
	bool		missing = is_missing(c, 0);

	for (size_t i = 1; i < e->n_train; i++)
	{
		if (is_missing(c, i) != missing || (!missing && !same_value(c, i, 0)))
			return USABLE;
	}
	return missing ? WITHOUT_VALUE : CONSTANT;
}

/* Whether so many rows of such a column could be told apart by it, and nothing be learnt from it. */
static bool
may_be_key(const MlColumnSpec *spec, size_t n)
{
	return !spec->named && !spec->not_a_key && spec->elements == 0 && spec->logical != ML_LOGICAL_FLOAT && n >= ML_KEY_ROWS;
}

static MlStatus
judge(Encoder *e, const MlColumnSpec *spec, const MlDataColumn *c, Verdict *verdict)
{
	bool		different;

	*verdict = judge_values(e, c);
	if (*verdict != USABLE || !may_be_key(spec, e->n))
		return ML_OK;
	ML_TRY(all_different(e->env, c, e->n < KEY_SAMPLE ? e->n : KEY_SAMPLE, &different));
	if (different && e->n > KEY_SAMPLE)
		ML_TRY(all_different(e->env, c, e->n, &different));
	if (different)
		*verdict = KEY;
	return ML_OK;
}

static MlStatus
exclude(Encoder *e, const char *text)
{
	if (text == NULL)
		return e->env->error.status;
	e->excluded[e->n_excluded++] = text;
	return ML_OK;
}

/* Says once for an array how many of its elements were left out. */
static MlStatus
end_array(Encoder *e, bool named)
{
	int			total = 0;

	if (e->array == NULL)
		return ML_OK;
	for (int v = 0; v < N_VERDICTS; v++)
		total += e->elements[v];
	if (named && e->elements[USABLE] == 0)
		return ml_fail(e->env, ML_BAD_TYPE, "column \"%s\" cannot be used as a feature: each of its %d elements has %s",
					   e->array, total, verdict_text[e->elements[CONSTANT] > 0 ? CONSTANT : WITHOUT_VALUE]);
	for (int v = USABLE + 1; v < N_VERDICTS; v++)
	{
		if (e->elements[v] > 0)
			ML_TRY(exclude(e, ml_printf(e->env, "%s: %d of %d elements left out: %s", e->array, e->elements[v], total, verdict_text[v])));
		e->elements[v] = 0;
	}
	e->elements[USABLE] = 0;
	e->array = NULL;
	return ML_OK;
}

static MlStatus
note_verdict(Encoder *e, const MlColumnSpec *spec, Verdict verdict)
{
	if (spec->elements > 0)
	{
		e->array = spec->source_column;
		e->elements[verdict]++;
		return ML_OK;
	}
	if (verdict == USABLE)
		return ML_OK;
	if (spec->named)
		return ml_fail(e->env, ML_BAD_TYPE, "column \"%s\" cannot be used as a feature: %s", spec->name, verdict_text[verdict]);
	return exclude(e, ml_printf(e->env, "%s: %s", spec->name, verdict_text[verdict]));
}

/* codes (out): the n codes of the dictionary that occur in the training part, by falling count, ties in byte order. */
static MlStatus
rank_codes(const Encoder *e, const MlDictionary *d, const size_t *count, int32_t **codes, int32_t *n)
{
	MlEnv	   *env = e->env;
	const char **text = ml_alloc(env, (size_t) d->count, sizeof(char *));
	uint32_t   *length = ml_alloc(env, (size_t) d->count, sizeof(uint32_t));
	int32_t    *present = ml_alloc(env, (size_t) d->count, sizeof(int32_t));
	int32_t    *order = ml_alloc(env, (size_t) d->count, sizeof(int32_t));
	MlKeyed    *items = ml_alloc(env, (size_t) d->count, sizeof(MlKeyed));

	if (text == NULL || length == NULL || present == NULL || order == NULL || items == NULL)
		return env->error.status;
	*n = 0;
	for (int32_t c = 0; c < d->count; c++)
	{
		if (count[c] == 0)
			continue;
		text[*n] = d->text[c];
		length[*n] = d->length[c];
		present[(*n)++] = c;
	}
	ML_TRY(ml_sort_texts(env, (size_t) *n, text, length, order));
	for (int32_t i = 0; i < *n; i++)
	{
		items[i].row = (uint64_t) present[order[i]];
		items[i].key = ~(uint64_t) count[items[i].row];
	}
	ML_TRY(ml_sort_keyed(env, items, (size_t) *n));
	for (int32_t i = 0; i < *n; i++)
		order[i] = (int32_t) items[i].row;
	ml_release(env, text);
	ml_release(env, length);
	ml_release(env, present);
	ml_release(env, items);
	*codes = order;
	return ML_OK;
}

/* Gives the categories their final codes. */
static MlStatus
encode_categories(Encoder *e, const MlDictionary *d, MlFeature *feature, int32_t *code)
{
	MlEnv	   *env = e->env;
	size_t	   *count = ml_alloc0(env, (size_t) d->count, sizeof(size_t));
	int32_t    *final = ml_alloc(env, (size_t) d->count, sizeof(int32_t));
	int32_t    *ranked = NULL;
	int32_t		n = 0;

	if (count == NULL || final == NULL)
		return env->error.status;
	for (size_t i = 0; i < e->n_train; i++)
	{
		if (code[i] >= 0)
			count[code[i]]++;
	}
	ML_TRY(rank_codes(e, d, count, &ranked, &n));
	feature->levels = n < ML_MAX_LEVELS ? n : ML_MAX_LEVELS;
	if (n > ML_MAX_LEVELS)
		ml_warn(env, "column \"%s\" has %d categories; the %d rarest are treated as one", feature->name, n, n - ML_MAX_LEVELS);

	feature->level = ml_alloc(env, (size_t) feature->levels, sizeof(char *));
	if (feature->level == NULL)
		return env->error.status;
	for (int32_t c = 0; c < d->count; c++)
		final[c] = feature->levels;
	for (int32_t i = 0; i < feature->levels; i++)
	{
		feature->level[i] = d->text[ranked[i]];
		final[ranked[i]] = i;
	}
	for (size_t i = 0; i < e->n; i++)
	{
		if (i % 1000000 == 0 && ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		if (code[i] >= 0)
			code[i] = final[code[i]];
	}
	ml_release(env, count);
	ml_release(env, final);
	ml_release(env, ranked);
	return ml_level_index(env, feature->level, feature->levels, &feature->index);
}

static void
describe(const MlColumnSpec *spec, MlFeature *feature)
{
	feature->name = spec->name;
	feature->source_column = spec->source_column;
	feature->element = spec->element;
	feature->elements = spec->elements;
	feature->type_name = spec->type_name;
	feature->logical = spec->logical;
	feature->unit = spec->unit;
	feature->buckets = spec->buckets;
	feature->kind = spec->kind == ML_CATEGORY && spec->buckets == 0 ? ML_FEATURE_CATEGORY : ML_FEATURE_NUMBER;
}

static void
release_column(MlEnv *env, MlColumn *column)
{
	ml_release(env, column->number);
	ml_release(env, column->code);
	ml_release(env, column->key);
	column->number = NULL;
	column->code = NULL;
	column->key = NULL;
}

/* The columns that wait become bins. */
static MlStatus
bin_columns(Encoder *e)
{
	MlEnv	   *env = e->env;
	const MlEncodeRows *rows = e->rows;
	size_t		n = (size_t) e->n_waiting;
	MlBinned   *all;
	MlBinned  **binned = ml_alloc(env, n, sizeof(MlBinned *));
	const double **values = ml_alloc(env, n, sizeof(double *));

	if (n == 0)
		return ML_OK;
	if (binned == NULL || values == NULL)
		return env->error.status;
	ML_TRY(ml_binned_make(env, rows->rules, n, rows->n, &all));
	for (size_t i = 0; i < n; i++)
	{
		binned[i] = &all[i];
		values[i] = e->waiting[i]->number;
	}
	ML_TRY(ml_binned_find(env, rows->rules, binned, values, rows->choice->place, rows->choice->n, n));
	ML_TRY(ml_binned_fill(env, binned, values, n, rows->n));
	for (size_t i = 0; i < n; i++)
	{
		ml_release(env, (void *) values[i]);
		e->waiting[i]->number = NULL;
		e->waiting[i]->binned = binned[i];
	}
	e->n_waiting = 0;
	return ML_OK;
}

/* A column whose values have become bins while they were read. */
static Verdict
judge_binned(const MlBinned *binned)
{
	bool		present = !isnan(binned->reference);

	if (binned->varies || (present && binned->missing))
		return USABLE;
	return present ? CONSTANT : WITHOUT_VALUE;
}

static MlStatus
encode_column(Encoder *e, MlColumn *from, MlSchema *schema, MlDataColumn *columns)
{
	MlDataColumn column = {.binned = from->binned};
	MlFeature  *feature = &schema->features[schema->n_features];
	Verdict		verdict;

	if (from->binned == NULL)
	{
		if (!take(e, from, &column))
			ML_TRY(gather(e, from, &column));
		ML_TRY(judge(e, &from->spec, &column, &verdict));
	}
	else
		verdict = judge_binned(from->binned);
	ML_TRY(note_verdict(e, &from->spec, verdict));
	if (verdict == USABLE)
	{
		describe(&from->spec, feature);
		if (column.code != NULL)
			ML_TRY(encode_categories(e, &from->dictionary, feature, (int32_t *) column.code));
		columns[schema->n_features] = column;
		if (column.number != NULL && e->rows->rules != NULL)
			e->waiting[e->n_waiting++] = &columns[schema->n_features];
		schema->n_features++;
	}
	else
	{
		ml_release(e->env, (void *) column.number);
		ml_release(e->env, (void *) column.code);
		if (column.binned != NULL && !column.binned->among_others)
			ml_release(e->env, column.binned->bin);
	}
	release_column(e->env, from);
	return e->n_waiting == e->most_waiting ? bin_columns(e) : ML_OK;
}

static MlStatus
nothing_left(Encoder *e)
{
	char		list[400] = "";
	size_t		used = 0;

	for (int i = 0; i < e->n_excluded && used < sizeof(list); i++)
		used += (size_t) snprintf(list + used, sizeof(list) - used, "%s%s", i > 0 ? "; " : "", e->excluded[i]);
	ml_fail(e->env, ML_BAD_DATA, "no usable feature column is left");
	if (e->n_excluded > 0)
		ml_detail(e->env, "Left out: %s.", list);
	return ml_hint(e->env, "A feature is a column of numbers, booleans, texts or dates whose values differ between the rows that are trained on.");
}

MlStatus
ml_encode(MlEnv *env, MlFrame *frame, const MlEncodeRows *rows, MlSchema *schema, MlDataColumn **columns, const char ***excluded)
{
	Encoder		e = {.env = env, .order = rows->order, .n_train = rows->n_train, .n = rows->n, .rows = rows};
	int32_t		terms = 0;
	bool		array_named = false;

	e.in_place = rows->n == frame->rows;
	for (size_t i = 0; i < rows->n && e.in_place; i++)
		e.in_place = rows->order[i] == i;
	schema->n_features = 0;
	schema->features = ml_alloc0(env, (size_t) frame->n_columns, sizeof(MlFeature));
	*columns = ml_alloc0(env, (size_t) frame->n_columns, sizeof(MlDataColumn));
	/* An array may be left out in part for each of the reasons. */
	e.excluded = ml_alloc0(env, N_VERDICTS * (size_t) frame->n_columns + 1, sizeof(char *));
	e.most_waiting = ml_pool_threads(env->pool);
	e.waiting = ml_alloc(env, (size_t) e.most_waiting, sizeof(MlDataColumn *));
	if (schema->features == NULL || *columns == NULL || e.excluded == NULL || e.waiting == NULL)
		return env->error.status;
	for (int c = 0; c < frame->n_columns; c++)
	{
		MlColumn   *from = &frame->columns[c];
		MlProgress	progress = {.phase = "encode", .share = (double) c / frame->n_columns, .train_loss = NAN, .validation_loss = NAN};

		if ((from->spec.roles & ML_ROLE_FEATURE) == 0)
			continue;
		if (from->tokens != NULL)
		{
			terms += from->tokens->n_slots;
			if (from->tokens->n_slots == 0)
				ML_TRY(exclude(&e, ml_printf(env, "%s: no term is in enough rows of the training part", from->spec.name)));
			continue;
		}
		if (ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		ml_progress(env, &progress);
		if (e.array != NULL && strcmp(e.array, from->spec.source_column) != 0)
			ML_TRY(end_array(&e, array_named));
		array_named = from->spec.named;
		ML_TRY(encode_column(&e, from, schema, *columns));
	}
	ML_TRY(end_array(&e, array_named));
	ML_TRY(bin_columns(&e));
	if (schema->n_features == 0 && terms == 0)
		return nothing_left(&e);
	*excluded = e.excluded;
	return ML_OK;
}

/* Of the first n rows. */
static MlStatus
differs_everywhere(MlEnv *env, const MlColumn *from, const size_t *order, size_t n, bool *different)
{
	Encoder		e = {.env = env, .order = order, .n = n};
	MlDataColumn column = {NULL};

	ML_TRY(gather(&e, from, &column));
	ML_TRY(all_different(env, &column, n, different));
	ml_release(env, (void *) column.number);
	ml_release(env, (void *) column.code);
	return ML_OK;
}

MlStatus
ml_encode_find_keys(MlEnv *env, const MlFrame *frame, const size_t *order, size_t n, bool *key)
{
	size_t		sample = n < KEY_SAMPLE ? n : KEY_SAMPLE;

	for (int c = 0; c < frame->n_columns; c++)
	{
		const MlColumn *from = &frame->columns[c];

		key[c] = false;
		if ((from->spec.roles & ML_ROLE_FEATURE) == 0 || !may_be_key(&from->spec, n))
			continue;
		if (ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		ML_TRY(differs_everywhere(env, from, order, sample, &key[c]));
		if (key[c] && n > sample)
			ML_TRY(differs_everywhere(env, from, order, n, &key[c]));
	}
	return ML_OK;
}
