/*-------------------------------------------------------------------------
 * groups.c
 *	  Rows of a frame by the values of its segment columns.
 *-------------------------------------------------------------------------
 */
#include "ml/data/groups.h"

#include <math.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/search.h"
#include "ml/base/sort.h"

/* Combined codes up to this are counted in a table, others are sorted. */
#define TABLE_CODES ((uint64_t) 1 << 22)

/* Rows between two looks for a cancel. */
#define ROWS_PER_LOOK 1000000

static MlStatus
find_columns(MlEnv *env, const MlFrame *frame, MlGroups *groups)
{
	groups->column = ml_alloc(env, (size_t) frame->n_columns, sizeof(MlColumn *));
	if (groups->column == NULL)
		return env->error.status;
	for (int c = 0; c < frame->n_columns; c++)
	{
		const MlColumn *column = &frame->columns[c];

		if ((column->spec.roles & ML_ROLE_SEGMENT) == 0)
			continue;
		if (column->code == NULL)
			return ml_fail(env, ML_BAD_TYPE, "column \"%s\" of type %s cannot tell segments apart", column->spec.name, column->spec.type_name);
		groups->column[groups->n_columns++] = column;
	}
	return ML_OK;
}

/* rank (out): code of the dictionary -> place in byte order. */
static MlStatus
rank_texts(MlEnv *env, const MlDictionary *d, int32_t **rank)
{
	int32_t    *order = ml_alloc(env, (size_t) d->count, sizeof(int32_t));

	*rank = ml_alloc(env, (size_t) d->count, sizeof(int32_t));
	if (order == NULL || *rank == NULL)
		return env->error.status;
	ML_TRY(ml_sort_texts(env, (size_t) d->count, d->text, d->length, order));
	for (int32_t i = 0; i < d->count; i++)
		(*rank)[order[i]] = i;
	ml_release(env, order);
	return ML_OK;
}

/* Codes below "codes" become 0, 1, ... in the same order, without gaps. */
static MlStatus
close_gaps_by_table(MlEnv *env, MlGroups *g, const uint64_t *code, uint64_t codes)
{
	int32_t    *number = ml_alloc0(env, (size_t) codes, sizeof(int32_t));

	if (number == NULL)
		return env->error.status;
	for (size_t i = 0; i < g->n; i++)
	{
		if (g->of[i] >= 0)
			number[code[i]] = 1;
	}
	g->count = 0;
	for (uint64_t c = 0; c < codes; c++)
	{
		if (number[c] != 0)
			number[c] = (int32_t) g->count++;
	}
	for (size_t i = 0; i < g->n; i++)
	{
		if (g->of[i] >= 0)
			g->of[i] = number[code[i]];
	}
	ml_release(env, number);
	return ML_OK;
}

static MlStatus
close_gaps_by_sorting(MlEnv *env, MlGroups *g, const uint64_t *code)
{
	MlKeyed    *items = ml_alloc(env, g->n, sizeof(MlKeyed));
	size_t		n = 0;

	if (items == NULL)
		return env->error.status;
	for (size_t i = 0; i < g->n; i++)
	{
		if (g->of[i] >= 0)
			items[n++] = (MlKeyed) {code[i], i};
	}
	ML_TRY(ml_sort_keyed(env, items, n));
	g->count = 0;
	for (size_t i = 0; i < n; i++)
	{
		g->count += i == 0 || items[i].key != items[i - 1].key;
		g->of[items[i].row] = (int32_t) (g->count - 1);
	}
	ml_release(env, items);
	return ML_OK;
}

/* Splits the groups so far by one more column. */
static MlStatus
split_by(MlEnv *env, MlGroups *g, const MlColumn *column)
{
	uint64_t   *code = ml_alloc(env, g->n, sizeof(uint64_t));
	uint64_t	width = (uint64_t) column->dictionary.count;
	uint64_t	codes;
	int32_t    *rank;

	if (code == NULL)
		return env->error.status;
	ML_TRY(rank_texts(env, &column->dictionary, &rank));
	for (size_t i = 0; i < g->n; i++)
	{
		int32_t		c = column->code[g->order[i]];

		if (i % ROWS_PER_LOOK == 0 && ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		if (g->of[i] >= 0 && c >= 0)
			code[i] = (uint64_t) g->of[i] * width + (uint64_t) rank[c];
		else
			g->of[i] = -1;
	}
	codes = g->count * width;	/* both below 2^31 */
	ML_TRY(codes <= TABLE_CODES ? close_gaps_by_table(env, g, code, codes) : close_gaps_by_sorting(env, g, code));
	ml_release(env, rank);
	ml_release(env, code);
	return ML_OK;
}

static MlStatus
collect_members(MlEnv *env, MlGroups *g)
{
	size_t	   *next;

	g->start = ml_alloc0(env, g->count + 1, sizeof(size_t));
	g->member = ml_alloc(env, g->n, sizeof(size_t));
	next = ml_alloc(env, g->count + 1, sizeof(size_t));
	if (g->start == NULL || g->member == NULL || next == NULL)
		return env->error.status;
	for (size_t i = 0; i < g->n; i++)
	{
		if (g->of[i] >= 0)
			g->start[g->of[i] + 1]++;
		else
			g->n_outside++;
	}
	for (size_t k = 0; k < g->count; k++)
		g->start[k + 1] += g->start[k];
	memcpy(next, g->start, (g->count + 1) * sizeof(size_t));
	for (size_t i = 0; i < g->n; i++)
	{
		if (g->of[i] >= 0)
			g->member[next[g->of[i]]++] = i;
	}
	ml_release(env, next);
	return ML_OK;
}

MlStatus
ml_groups_check(MlEnv *env, const MlGroups *g)
{
	if (g->count > ML_MAX_SEGMENTS)
	{
		ml_fail(env, ML_TOO_LARGE, "%zu segments are too many", g->count);
		ml_detail(env, "At most %d are possible.", ML_MAX_SEGMENTS);
		return ml_hint(env, "Use columns with fewer values in segment_by.");
	}
	for (size_t k = 0; k < g->count; k++)
	{
		size_t		bytes = 0;

		for (int c = 0; c < g->n_columns; c++)
		{
			uint32_t	length;

			(void) ml_groups_text(g, k, c, &length);
			bytes += length;
		}
		if (bytes > ML_MAX_SEGMENT_KEY)
			return ml_fail(env, ML_TOO_LARGE, "a segment's key is %zu bytes long, %d are possible (column \"%s\")",
						   bytes, ML_MAX_SEGMENT_KEY, g->column[0]->spec.name);
	}
	return ML_OK;
}

MlStatus
ml_groups_make(MlEnv *env, const MlFrame *frame, const size_t *order, size_t n, MlGroups **result)
{
	MlGroups   *g = ml_alloc0(env, 1, sizeof(MlGroups));

	if (g == NULL)
		return env->error.status;
	g->n = n;
	g->order = order;
	g->of = ml_alloc0(env, n, sizeof(int32_t));
	if (g->of == NULL)
		return env->error.status;
	ML_TRY(find_columns(env, frame, g));
	g->count = 1;
	for (int c = 0; c < g->n_columns; c++)
		ML_TRY(split_by(env, g, g->column[c]));
	ML_TRY(collect_members(env, g));
	*result = g;
	return ML_OK;
}

const char *
ml_groups_text(const MlGroups *groups, size_t group, int column, uint32_t *length)
{
	const MlColumn *c = groups->column[column];
	int32_t		code = c->code[groups->order[groups->member[groups->start[group]]]];

	*length = c->dictionary.length[code];
	return c->dictionary.text[code];
}

/* ------------------------------------------------------------------------
 * A part of a frame
 * ------------------------------------------------------------------------
 */

/* codes (out): those that occur, rising; a table over all texts finds them. */
static MlStatus
occurring_by_table(MlEnv *env, int32_t texts, const int32_t *code, size_t n, int32_t *codes, int32_t *count)
{
	bool	   *occurs = ml_alloc0(env, (size_t) texts, sizeof(bool));

	if (occurs == NULL)
		return env->error.status;
	for (size_t i = 0; i < n; i++)
	{
		if (code[i] >= 0)
			occurs[code[i]] = true;
	}
	for (int32_t c = 0; c < texts; c++)
	{
		if (occurs[c])
			codes[(*count)++] = c;
	}
	return ML_OK;
}

static MlStatus
occurring_by_sorting(MlEnv *env, const int32_t *code, size_t n, int32_t *codes, int32_t *count)
{
	MlKeyed    *items = ml_alloc(env, n, sizeof(MlKeyed));
	size_t		n_items = 0;

	if (items == NULL)
		return env->error.status;
	for (size_t i = 0; i < n; i++)
	{
		if (code[i] >= 0)
			items[n_items++] = (MlKeyed) {(uint64_t) code[i], i};
	}
	ML_TRY(ml_sort_keyed(env, items, n_items));
	for (size_t i = 0; i < n_items; i++)
	{
		if (i == 0 || items[i].key != items[i - 1].key)
			codes[(*count)++] = (int32_t) items[i].key;
	}
	return ML_OK;
}

/*
 * Gives the codes that occur new numbers in the same order.  A table costs as much as there are texts, which
 * for a small group and a column with many of them is too much: those codes are sorted.
 */
static MlStatus
renumber(MlEnv *env, const MlDictionary *from, int32_t *code, size_t n, MlDictionary *to)
{
	int32_t    *codes = ml_alloc(env, (size_t) from->count < n ? (size_t) from->count : n, sizeof(int32_t));
	const char **text;
	uint32_t   *length;

	if (codes == NULL)
		return env->error.status;
	if ((size_t) from->count <= 4 * n)
		ML_TRY(occurring_by_table(env, from->count, code, n, codes, &to->count));
	else
		ML_TRY(occurring_by_sorting(env, code, n, codes, &to->count));
	text = ml_alloc(env, (size_t) to->count, sizeof(char *));
	length = ml_alloc(env, (size_t) to->count, sizeof(uint32_t));
	if (text == NULL || length == NULL)
		return env->error.status;
	for (int32_t c = 0; c < to->count; c++)
	{
		text[c] = from->text[codes[c]];
		length[c] = from->length[codes[c]];
	}
	for (size_t i = 0; i < n; i++)
	{
		if (code[i] >= 0)
			code[i] = (int32_t) ml_search_i32(codes, 0, (size_t) to->count, code[i]);
	}
	to->text = text;
	to->length = length;
	return ML_OK;
}

static MlStatus
subset_column(MlEnv *env, const MlColumn *from, const size_t *row, size_t n, MlColumn *to)
{
	to->spec = from->spec;
	to->nan = from->nan;
	to->inexact = from->inexact;
	if (from->code != NULL)
	{
		to->code = ml_alloc(env, n, sizeof(int32_t));
		if (to->code == NULL)
			return env->error.status;
		for (size_t i = 0; i < n; i++)
		{
			to->code[i] = from->code[row[i]];
			to->missing += to->code[i] < 0;
		}
		if (from->tokens != NULL)
		{
			/* What is known of its texts is shared. */
			to->dictionary = from->dictionary;
			to->tokens = from->tokens;
			return ML_OK;
		}
		return renumber(env, &from->dictionary, to->code, n, &to->dictionary);
	}
	if (from->key != NULL)
	{
		to->key = ml_alloc(env, n, sizeof(int64_t));
		if (to->key == NULL)
			return env->error.status;
		for (size_t i = 0; i < n; i++)
			to->key[i] = from->key[row[i]];
		return ML_OK;
	}
	to->number = ml_alloc(env, n, sizeof(double));
	if (to->number == NULL)
		return env->error.status;
	for (size_t i = 0; i < n; i++)
	{
		to->number[i] = from->number[row[i]];
		to->missing += isnan(to->number[i]);
	}
	return ML_OK;
}

MlStatus
ml_frame_subset(MlEnv *env, const MlFrame *frame, const size_t *row, size_t n, const bool *left_out, MlFrame **result)
{
	MlFrame    *subset = ml_alloc0(env, 1, sizeof(MlFrame));

	if (subset == NULL)
		return env->error.status;
	subset->columns = ml_alloc0(env, (size_t) frame->n_columns, sizeof(MlColumn));
	subset->row_hash = ml_alloc(env, n, sizeof(uint64_t));
	if (subset->columns == NULL || subset->row_hash == NULL)
		return env->error.status;
	subset->rows = n;
	for (size_t i = 0; i < n; i++)
		subset->row_hash[i] = frame->row_hash[row[i]];
	for (int c = 0; c < frame->n_columns; c++)
	{
		const MlColumn *from = &frame->columns[c];
		int			roles = from->spec.roles & ~(ML_ROLE_ID | ML_ROLE_SPLIT | ML_ROLE_SEGMENT | ML_ROLE_HASH);

		if (roles == 0 || (left_out != NULL && left_out[c]))
			continue;
		ML_TRY(subset_column(env, from, row, n, &subset->columns[subset->n_columns]));
		subset->columns[subset->n_columns++].spec.roles = roles;
	}
	*result = subset;
	return ML_OK;
}
