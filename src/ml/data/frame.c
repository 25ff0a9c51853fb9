/*-------------------------------------------------------------------------
 * frame.c
 *	  Appending rows to growing columns, and the hashes of rows.
 *
 * The first block of a column doubles until it has the full size, or is made for
 * all rows that are expected; later ones are added behind it.  Where rows come
 * one by one a stretch ahead of them is filled with "missing", so that a value which
 * nobody gives is missing without further work.
 *-------------------------------------------------------------------------
 */
#include "ml/data/frame.h"

#include <math.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/rng.h"
#include "ml/base/text.h"
#include "ml/data/dictionary.h"
#include "ml/data/row_hash.h"

#define FIRST_ROWS 1024
#define FILLED_AHEAD 256		/* rows made missing before values come */
#define MOST_EXPECTED 1e9		/* rows; a guess above is none */
#define SMALLEST_BLOCK 16384	/* 64 kB of codes: what ml_release() takes back */
#define BLOCK_SET_BYTES ((size_t) 64 * 1024 * 1024)	/* blocks of all columns together */

/* Cells of one column as a list of blocks. */
typedef struct Cells
{
	size_t		width;			/* bytes of a cell; 0: not stored */
	int			fill;			/* byte that makes a missing value: see fill_missing() */
	char	   *newest;			/* the block being filled */
	char	  **blocks;
	size_t		n_blocks;
	size_t		capacity;		/* of blocks */
} Cells;

typedef struct BuilderColumn
{
	MlColumnSpec spec;
	Cells		cells;
	uint64_t	key;			/* of the column's name */
	MlDictionaryBuilder dictionary;
	size_t		missing;		/* in rows that came together */
	bool		nan;
	bool		inexact;
} BuilderColumn;

struct MlFrameBuilder
{
	MlEnv	   *env;
	uint64_t	seed_hash;
	int			n_columns;
	BuilderColumn *columns;
	int			id;				/* its number, -1 for none */
	bool		id_given;		/* in the current row */
	size_t		ids_missing;

	size_t		rows;
	size_t		first_rows;		/* rows of the first block at its full size */
	size_t		block_rows;		/* and of each later one */
	bool		later;			/* the newest block is not the first */
	size_t		room;			/* rows of the newest block */
	size_t		at;				/* row within the newest block */
	size_t		filled;			/* rows of the newest block that hold a value or "missing" */
	Cells		hashes;
	uint64_t   *cell_hash;		/* of the current row */
	uint64_t   *hash_mask;		/* all ones, or 0 for a column that is not hashed */
	const uint64_t *missing_hash;	/* cell_hash of a row without values */
	uint64_t	content_hash[2];
	bool		singly;			/* rows have come one by one */
};

static size_t
cell_width(const MlColumnSpec *spec)
{
	if ((spec->roles & ~ML_ROLE_HASH) == 0 || spec->deferred)
		return 0;
	return spec->kind == ML_CATEGORY ? sizeof(int32_t) : sizeof(double);
}

size_t
ml_frame_bytes_per_row(const MlColumnSpec *specs, int n_specs)
{
	size_t		bytes = sizeof(uint64_t);	/* the row hash */

	for (int i = 0; i < n_specs; i++)
		bytes += cell_width(&specs[i]);
	return bytes;
}

static MlStatus
copy_spec(MlEnv *env, const MlColumnSpec *from, MlColumnSpec *to)
{
	*to = *from;
	to->name = ml_strdup(env, from->name);
	to->source_column = ml_strdup(env, from->source_column != NULL ? from->source_column : from->name);
	to->type_name = ml_strdup(env, from->type_name != NULL ? from->type_name : "");
	if (to->name == NULL || to->source_column == NULL || to->type_name == NULL)
		return env->error.status;
	return ML_OK;
}

static MlStatus
check_roles(MlEnv *env, const MlColumnSpec *specs, int n_specs)
{
	static const struct
	{
		MlRole		role;
		const char *name;
	}			single[] = {
		{ML_ROLE_TARGET, "target"}, {ML_ROLE_WEIGHT, "weight"}, {ML_ROLE_ID, "id"}, {ML_ROLE_SPLIT, "split"}
	};

	for (size_t r = 0; r < sizeof(single) / sizeof(single[0]); r++)
	{
		int			found = 0;

		for (int i = 0; i < n_specs; i++)
			found += (specs[i].roles & single[r].role) != 0;
		if (found > 1)
			return ml_fail(env, ML_BAD_PARAM, "more than one column is named as the %s", single[r].name);
	}
	return ML_OK;
}

static void
fill_missing(const Cells *cells, char *block, size_t from, size_t to)
{
	if (cells->fill != 0)
		memset(block + from * cells->width, cells->fill, (to - from) * cells->width);
	else
	{
		for (size_t i = from; i < to; i++)
			((double *) block)[i] = NAN;
	}
}

/* A new newest block that begins with the rows of the old one. */
static MlStatus
new_block(MlEnv *env, Cells *cells, size_t old_rows, size_t rows)
{
	char	   *block = ml_alloc(env, rows, cells->width);

	if (block == NULL)
		return env->error.status;
	if (old_rows > 0)
		memcpy(block, cells->newest, old_rows * cells->width);
	cells->newest = block;
	return ML_OK;
}

/* Makes the first block larger. */
static MlStatus
enlarge(MlEnv *env, Cells *cells, size_t old_rows, size_t rows)
{
	ML_TRY(new_block(env, cells, old_rows, rows));
	ml_release(env, cells->blocks[0]);
	cells->blocks[0] = cells->newest;
	return ML_OK;
}

static MlStatus
add_block(MlEnv *env, Cells *cells, size_t rows)
{
	if (cells->n_blocks == cells->capacity)
	{
		size_t		capacity = cells->capacity == 0 ? 4 : 2 * cells->capacity;
		char	  **blocks = ml_alloc(env, capacity, sizeof(char *));

		if (blocks == NULL)
			return env->error.status;
		if (cells->n_blocks > 0)
			memcpy(blocks, cells->blocks, cells->n_blocks * sizeof(char *));
		cells->blocks = blocks;
		cells->capacity = capacity;
	}
	ML_TRY(new_block(env, cells, 0, rows));
	cells->blocks[cells->n_blocks++] = cells->newest;
	return ML_OK;
}

static MlStatus
grow_cells(MlFrameBuilder *b, Cells *cells, size_t room)
{
	if (cells->width == 0)
		return ML_OK;
	if (b->room > 0 && !b->later)
		return enlarge(b->env, cells, b->at, room);
	return add_block(b->env, cells, room);
}

/* The newest block of every column gets room for so many rows, or a new one does once the first has its size. */
static MlStatus
make_room(MlFrameBuilder *b, size_t room)
{
	for (int c = 0; c < b->n_columns; c++)
		ML_TRY(grow_cells(b, &b->columns[c].cells, room));
	ML_TRY(grow_cells(b, &b->hashes, room));
	if (b->later)
		b->at = 0;
	b->room = room;
	b->filled = b->at;
	return ML_OK;
}

/* Room for the next row in every column. */
static MlStatus
grow(MlFrameBuilder *b)
{
	b->later |= b->room >= b->first_rows;
	if (b->later)
		return make_room(b, b->block_rows);
	return make_room(b, b->room == 0 ? FIRST_ROWS : 2 * b->room < b->first_rows ? 2 * b->room : b->first_rows);
}

/* Makes the next rows missing. */
static void
fill_ahead(MlFrameBuilder *b)
{
	size_t		to = b->room - b->at < FILLED_AHEAD ? b->room : b->at + FILLED_AHEAD;

	for (int c = 0; c < b->n_columns; c++)
	{
		if (b->columns[c].cells.width != 0)
			fill_missing(&b->columns[c].cells, b->columns[c].cells.newest, b->at, to);
	}
	b->filled = to;
}

MlStatus
ml_frame_begin(MlEnv *env, const MlColumnSpec *specs, int n_specs, uint64_t seed, MlFrameBuilder **builder)
{
	MlFrameBuilder *b = ml_alloc0(env, 1, sizeof(MlFrameBuilder));
	uint64_t   *missing = ml_alloc(env, (size_t) n_specs, sizeof(uint64_t));
	size_t		row_bytes = ml_frame_bytes_per_row(specs, n_specs);

	if (b == NULL || missing == NULL)
		return env->error.status;
	ML_TRY(check_roles(env, specs, n_specs));
	b->env = env;
	b->seed_hash = ml_mix64(seed);
	b->n_columns = n_specs;
	b->id = -1;
	b->columns = ml_alloc0(env, (size_t) n_specs, sizeof(BuilderColumn));
	b->cell_hash = ml_alloc(env, (size_t) n_specs, sizeof(uint64_t));
	b->hash_mask = ml_alloc(env, (size_t) n_specs, sizeof(uint64_t));
	if (b->columns == NULL || b->cell_hash == NULL || b->hash_mask == NULL)
		return env->error.status;
	b->block_rows = ML_FRAME_BLOCK;
	while (b->block_rows > SMALLEST_BLOCK && b->block_rows * row_bytes > BLOCK_SET_BYTES)
		b->block_rows /= 2;
	b->first_rows = b->block_rows;
	b->hashes.width = sizeof(uint64_t);

	for (int c = 0; c < n_specs; c++)
	{
		BuilderColumn *column = &b->columns[c];

		ML_TRY(copy_spec(env, &specs[c], &column->spec));
		column->cells.width = cell_width(&specs[c]);
		column->cells.fill = specs[c].kind == ML_NUMBER ? 0 : 0xFF;
		/* An id is a name for a row, whatever the column is called. */
		column->key = ml_hash_bytes(0, specs[c].name, (specs[c].roles & ML_ROLE_ID) != 0 ? 0 : strlen(specs[c].name));
		b->hash_mask[c] = specs[c].unhashed ? 0 : UINT64_MAX;
		missing[c] = ml_hash_fold(column->key, ML_HASH_MISSING);
		if ((specs[c].roles & ML_ROLE_ID) != 0)
			b->id = c;
	}
	b->missing_hash = missing;
	memcpy(b->cell_hash, missing, (size_t) n_specs * sizeof(uint64_t));
	ML_TRY(grow(b));
	fill_ahead(b);
	*builder = b;
	return ML_OK;
}

MlStatus
ml_frame_expect(MlFrameBuilder *b, double rows)
{
	MlArena    *arena = b->env->arena;
	double		bytes = (double) sizeof(uint64_t);
	double		wanted = rows + rows / 64 + 64;

	for (int c = 0; c < b->n_columns; c++)
		bytes += (double) b->columns[c].cells.width;
	/* A guess must not be what a run fails for, and what it leaves unused is taken from the run. */
	if (b->later || !(wanted > (double) b->first_rows && wanted < MOST_EXPECTED) ||
		(ml_arena_limit(arena) > 0 && wanted * bytes > 0.5 * ((double) ml_arena_limit(arena) - (double) ml_arena_used(arena))))
		return ML_OK;
	b->first_rows = (size_t) wanted;
	ML_TRY(make_room(b, b->first_rows));
	fill_ahead(b);
	return ML_OK;
}

void
ml_frame_number(MlFrameBuilder *b, int column, double value)
{
	BuilderColumn *c = &b->columns[column];

	if (value != value)
	{
		c->nan = true;
		return;					/* the cell is missing already */
	}
	b->cell_hash[column] = ml_hash_number(value, c->key);
	b->id_given |= column == b->id;
	if (c->cells.width != 0)
		((double *) c->cells.newest)[b->at] = value + 0.0;
}

void
ml_frame_integer(MlFrameBuilder *b, int column, int64_t value)
{
	BuilderColumn *c = &b->columns[column];

	b->cell_hash[column] = ml_hash_fold((uint64_t) value, c->key);
	b->id_given |= column == b->id;
	if (c->cells.width == 0)
		return;
	if (c->spec.kind == ML_INTEGER_KEY)
		((int64_t *) c->cells.newest)[b->at] = value;
	else
	{
		((double *) c->cells.newest)[b->at] = (double) value;
		if (value > INT64_C(1) << 53 || value < -(INT64_C(1) << 53))
			c->inexact = true;
	}
}

MlStatus
ml_frame_text(MlFrameBuilder *b, int column, const char *text, size_t length)
{
	BuilderColumn *c = &b->columns[column];
	uint64_t	hash = ml_hash_bytes(0, text, length);

	b->cell_hash[column] = ml_hash_fold(hash, c->key);
	b->id_given |= column == b->id;
	if (c->cells.width == 0)
		return ML_OK;
	return ml_dictionary_code(b->env, &c->dictionary, hash, text, length, &((int32_t *) c->cells.newest)[b->at]);
}

MlStatus
ml_frame_end_row(MlFrameBuilder *b)
{
	uint64_t	sum = 0;

	for (int c = 0; c < b->n_columns; c++)
		sum += b->cell_hash[c] & b->hash_mask[c];
	b->content_hash[0] += ml_mix64(sum ^ UINT64_C(0x243F6A8885A308D3));
	b->content_hash[1] += ml_mix64(sum ^ UINT64_C(0x13198A2E03707344));
	if (b->id >= 0)
	{
		sum = b->cell_hash[b->id];
		b->ids_missing += !b->id_given;
		b->id_given = false;
	}
	((uint64_t *) b->hashes.newest)[b->at] = ml_mix64(sum ^ b->seed_hash);
	memcpy(b->cell_hash, b->missing_hash, (size_t) b->n_columns * sizeof(uint64_t));

	b->singly = true;
	b->rows++;
	b->at++;
	if (b->at == b->room)
		ML_TRY(grow(b));
	if (b->at == b->filled)
		fill_ahead(b);
	return ML_OK;
}

/* ------------------------------------------------------------------------
 * Rows together: the same cells and the same hashes, column after column
 * ------------------------------------------------------------------------
 */

#define ODD_NAN 1
#define ODD_INTEGER 2

MlStatus
ml_frame_chunk_make(MlFrameBuilder *b, MlFrameChunk **chunk)
{
	MlFrameChunk *c = ml_alloc0(b->env, 1, sizeof(MlFrameChunk));

	if (c == NULL)
		return b->env->error.status;
	c->builder = b;
	c->missing = ml_alloc(b->env, (size_t) b->n_columns, sizeof(size_t));
	c->odd = ml_alloc(b->env, (size_t) b->n_columns, sizeof(uint8_t));
	if (c->missing == NULL || c->odd == NULL)
		return b->env->error.status;
	*chunk = c;
	return ML_OK;
}

bool
ml_frame_full(const MlFrameBuilder *b)
{
	return b->at == b->room;
}

MlStatus
ml_frame_room(MlFrameBuilder *b, size_t *rows)
{
	if (b->at == b->room)
		ML_TRY(grow(b));
	*rows = b->room - b->at < ML_FRAME_TOGETHER ? b->room - b->at : ML_FRAME_TOGETHER;
	return ML_OK;
}

MlStatus
ml_frame_chunk_begin(MlFrameChunk *chunk, size_t rows)
{
	MlFrameBuilder *b = chunk->builder;
	size_t		room;

	ML_TRY(ml_frame_room(b, &room));
	rows = rows < room ? rows : room;
	memset(chunk->row_sum, 0, rows * sizeof(uint64_t));
	memset(chunk->missing, 0, (size_t) b->n_columns * sizeof(size_t));
	memset(chunk->odd, 0, (size_t) b->n_columns);
	chunk->content_hash[0] = chunk->content_hash[1] = 0;
	chunk->first = b->rows;
	chunk->at = b->at;
	chunk->n = rows;
	b->rows += rows;
	b->at += rows;
	if (b->filled < b->at)
		b->filled = b->at;
	return ML_OK;
}

/* Adds the hashes of a column's cells to those of their rows. */
static inline void
add_hash(MlFrameChunk *chunk, int column, size_t row, uint64_t hash)
{
	chunk->row_sum[row] += hash & chunk->builder->hash_mask[column];
	if (column == chunk->builder->id)
		chunk->id_hash[row] = hash;
}

bool
ml_frame_numbers(MlFrameChunk *chunk, int column, const double *restrict values, size_t nulls)
{
	const MlFrameBuilder *b = chunk->builder;
	const BuilderColumn *c = &b->columns[column];
	size_t		n = chunk->n;
	double	   *restrict cells = c->cells.width != 0 ? (double *) c->cells.newest + chunk->at : NULL;
	bool		is_id = column == b->id;
	bool		hashed = is_id || b->hash_mask[column] != 0;
	MlNumbersSeen seen;

	if (cells != NULL)
	{
		for (size_t i = 0; i < n; i++)
			cells[i] = values[i] == values[i] ? values[i] + 0.0 : NAN;
	}
	if (is_id)
		memset(chunk->id_hash, 0, n * sizeof(uint64_t));
	seen = ml_hash_numbers(values, n, c->key, b->missing_hash[column], is_id ? chunk->id_hash : hashed ? chunk->row_sum : NULL);
	for (size_t i = 0; i < n && is_id; i++)
		chunk->row_sum[i] += chunk->id_hash[i] & b->hash_mask[column];
	chunk->missing[column] = seen.missing;
	if (seen.missing > nulls)
		chunk->odd[column] = ODD_NAN;
	return !seen.infinite;
}

void
ml_frame_integers(MlFrameChunk *chunk, int column, const int64_t *restrict values, const bool *null)
{
	const MlFrameBuilder *b = chunk->builder;
	const BuilderColumn *c = &b->columns[column];
	size_t		n = chunk->n;
	int64_t		inexact = INT64_C(1) << 53;
	bool		odd = false;

	for (size_t i = 0; i < n; i++)
	{
		bool		given = null == NULL || !null[i];

		add_hash(chunk, column, i, given ? ml_hash_fold((uint64_t) values[i], c->key) : b->missing_hash[column]);
		chunk->missing[column] += !given;
	}
	if (c->cells.width == 0)
		return;
	if (c->spec.kind == ML_INTEGER_KEY)
	{
		int64_t    *restrict cells = (int64_t *) c->cells.newest + chunk->at;

		for (size_t i = 0; i < n; i++)
			cells[i] = null == NULL || !null[i] ? values[i] : -1;
	}
	else
	{
		double	   *restrict cells = (double *) c->cells.newest + chunk->at;

		for (size_t i = 0; i < n; i++)
		{
			bool		given = null == NULL || !null[i];

			cells[i] = given ? (double) values[i] : NAN;
			odd |= given && (values[i] > inexact || values[i] < -inexact);
		}
		if (odd)
			chunk->odd[column] = ODD_INTEGER;
	}
}

MlStatus
ml_frame_text_of(MlFrameChunk *chunk, int column, size_t row, const char *text, size_t length)
{
	MlFrameBuilder *b = chunk->builder;
	BuilderColumn *c = &b->columns[column];
	int32_t    *cell = c->cells.width != 0 ? (int32_t *) c->cells.newest + chunk->at + row : NULL;
	uint64_t	hash;

	if (text == NULL)
	{
		add_hash(chunk, column, row, b->missing_hash[column]);
		chunk->missing[column]++;
		if (cell != NULL)
			*cell = -1;
		return ML_OK;
	}
	hash = ml_hash_bytes(0, text, length);
	add_hash(chunk, column, row, ml_hash_fold(hash, c->key));
	return cell == NULL ? ML_OK : ml_dictionary_code(b->env, &c->dictionary, hash, text, length, cell);
}

int32_t
ml_frame_code(const MlFrameChunk *chunk, int column, size_t row)
{
	return ((const int32_t *) chunk->builder->columns[column].cells.newest)[chunk->at + row];
}

void
ml_frame_codes(MlFrameChunk *chunk, int column, const int32_t *codes)
{
	memcpy((int32_t *) chunk->builder->columns[column].cells.newest + chunk->at, codes, chunk->n * sizeof(int32_t));
	for (size_t i = 0; i < chunk->n; i++)
		chunk->missing[column] += codes[i] < 0;
}

void
ml_frame_chunk_hash(MlFrameChunk *chunk)
{
	const MlFrameBuilder *b = chunk->builder;
	const uint64_t *sum = b->id >= 0 ? chunk->id_hash : chunk->row_sum;
	uint64_t   *hashes = (uint64_t *) b->hashes.newest + chunk->at;

	for (size_t i = 0; i < chunk->n; i++)
	{
		chunk->content_hash[0] += ml_mix64(chunk->row_sum[i] ^ UINT64_C(0x243F6A8885A308D3));
		chunk->content_hash[1] += ml_mix64(chunk->row_sum[i] ^ UINT64_C(0x13198A2E03707344));
		hashes[i] = ml_mix64(sum[i] ^ b->seed_hash);
	}
}

void
ml_frame_chunk_end(MlFrameChunk *chunk)
{
	MlFrameBuilder *b = chunk->builder;

	b->content_hash[0] += chunk->content_hash[0];
	b->content_hash[1] += chunk->content_hash[1];
	for (int c = 0; c < b->n_columns; c++)
	{
		b->columns[c].missing += chunk->missing[c];
		b->columns[c].nan |= (chunk->odd[c] & ODD_NAN) != 0;
		b->columns[c].inexact |= (chunk->odd[c] & ODD_INTEGER) != 0;
	}
	if (b->id >= 0)
		b->ids_missing += chunk->missing[b->id];
	chunk->n = 0;
}

size_t
ml_frame_rows(const MlFrameBuilder *b)
{
	return b->rows;
}

/* One array of all rows; the blocks are given back. */
static MlStatus
join(MlFrameBuilder *b, Cells *cells, void **array)
{
	char	   *all;

	if (cells->n_blocks == 1)
	{
		*array = cells->blocks[0];
		return ML_OK;
	}
	all = ml_alloc(b->env, b->rows, cells->width);
	if (all == NULL)
		return b->env->error.status;
	for (size_t i = 0; i < cells->n_blocks; i++)
	{
		size_t		start = i == 0 ? 0 : b->first_rows + (i - 1) * b->block_rows;
		size_t		full = i == 0 ? b->first_rows : b->block_rows;
		size_t		rows = b->rows - start < full ? b->rows - start : full;

		if (ml_canceled(b->env))
			return ml_fail(b->env, ML_CANCELED, "canceled");
		if (rows > 0)
			memcpy(all + start * cells->width, cells->blocks[i], rows * cells->width);
		ml_release(b->env, cells->blocks[i]);
	}
	*array = all;
	return ML_OK;
}

static MlStatus
finish_column(MlFrameBuilder *b, BuilderColumn *from, MlColumn *to)
{
	void	   *array;

	to->spec = from->spec;
	to->nan = from->nan;
	to->inexact = from->inexact;
	to->missing = from->missing;
	if (from->spec.deferred)
		return ML_OK;
	ML_TRY(join(b, &from->cells, &array));
	if (from->spec.kind == ML_INTEGER_KEY)
	{
		to->key = array;
		to->missing = b->ids_missing;
	}
	else if (from->spec.kind == ML_CATEGORY)
	{
		to->code = array;
		ml_dictionary_finish(b->env, &from->dictionary, &to->dictionary);
		for (size_t i = 0; i < b->rows && b->singly; i++)
			to->missing += to->code[i] < 0;
	}
	else
	{
		to->number = array;
		for (size_t i = 0; i < b->rows && b->singly; i++)
			to->missing += to->number[i] != to->number[i];
	}
	return ML_OK;
}

MlStatus
ml_frame_finish(MlFrameBuilder *b, MlFrame **result)
{
	MlFrame    *frame = ml_alloc0(b->env, 1, sizeof(MlFrame));
	void	   *hashes;

	if (frame == NULL)
		return b->env->error.status;
	frame->columns = ml_alloc0(b->env, (size_t) b->n_columns, sizeof(MlColumn));
	if (frame->columns == NULL)
		return b->env->error.status;
	frame->rows = b->rows;
	for (int c = 0; c < b->n_columns; c++)
	{
		if (b->columns[c].cells.width != 0 || b->columns[c].spec.deferred)
			ML_TRY(finish_column(b, &b->columns[c], &frame->columns[frame->n_columns++]));
	}
	ML_TRY(join(b, &b->hashes, &hashes));
	frame->row_hash = hashes;
	frame->hash_of_id = b->id >= 0;
	frame->seed_hash = b->seed_hash;
	memcpy(frame->content_hash, b->content_hash, sizeof(frame->content_hash));
	*result = frame;
	return ML_OK;
}

const MlColumn *
ml_frame_column(const MlFrame *frame, MlRole role)
{
	for (int c = 0; c < frame->n_columns; c++)
	{
		if ((frame->columns[c].spec.roles & role) != 0)
			return &frame->columns[c];
	}
	return NULL;
}
