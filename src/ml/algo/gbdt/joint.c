/*-------------------------------------------------------------------------
 * joint.c
 *	  Stored columns of few bins that share one byte of a row.
 *
 * The byte is the number of the combination of their bins, of at most 256, so a row is added to
 * one histogram instead of several.  The sums of that histogram over all but one column are
 * this column's own histogram: sums are integers, so trees are the same to the bit.  Only
 * histograms know of it; they come out column by column.
 *
 * Bins without a row take no part in the combinations, so that two columns of 16 bins fit
 * although each has one more for missing values.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "ml/algo/gbdt/gbdt_internal.h"
#include "ml/base/arena.h"
#include "ml/base/lanes.h"
#include "ml/base/simd.h"

/* Combinations in a byte. */
#define CELLS 256

/*
 * With fewer rows most leaves are so small that rows are added column by column all the same.  Where more than two columns go
 * together, that is so with an eighth of it.  Tests change it: no tree depends on it.
 */
size_t		ml_gbdt_joining_rows = 8192;

/* Bytes that have room left, by the number of their combinations. */
typedef struct OpenBytes
{
	int			last[CELLS / 2 + 1];	/* the byte opened last, -1: none */
	int		   *before;			/* by byte: the one opened before it */
} OpenBytes;

typedef struct JoinJob
{
	MlGbdtBins *bins;
	const uint8_t **present;	/* by stored column: which of its entries hold rows; NULL: all */
	const uint32_t *entries;
	uint32_t   *size;			/* how many do */
	int		   *byte_of;		/* by stored column */
	int			n_bytes;
} JoinJob;

static bool
is_present(const JoinJob *job, int stored, uint32_t entry)
{
	return job->present[stored] == NULL || job->present[stored][entry];
}

/* ---- which columns go together ---- */

static int
take_byte(OpenBytes *open, uint32_t cells)
{
	int			byte = open->last[cells];

	if (byte >= 0)
		open->last[cells] = open->before[byte];
	return byte;
}

static void
leave_open(OpenBytes *open, int byte, uint32_t cells)
{
	if (cells > CELLS / 2)
		return;
	open->before[byte] = open->last[cells];
	open->last[cells] = byte;
}

/*
 * Columns of many bins first, each into the byte that it fills best ("best fit decreasing" of the logarithms);
 * all of a size in their order.
 */
static MlStatus
choose_bytes(MlEnv *env, JoinJob *job)
{
	int			n = job->bins->n_stored;
	OpenBytes	open = {.before = ml_alloc(env, (size_t) n + 1, sizeof(int))};

	if (open.before == NULL)
		return env->error.status;
	for (int c = 0; c <= CELLS / 2; c++)
		open.last[c] = -1;
	for (uint32_t size = CELLS / 2; size >= 2; size--)
	{
		for (int j = 0; j < n; j++)
		{
			uint32_t	cells = CELLS / size;

			if (job->size[j] != size)
				continue;
			while (cells > 1 && open.last[cells] < 0)
				cells--;
			job->byte_of[j] = cells > 1 ? take_byte(&open, cells) : job->n_bytes++;
			leave_open(&open, job->byte_of[j], cells * size);
		}
	}
	ml_release(env, open.before);
	return ML_OK;
}

/* Pairs get a byte each after all. */
static MlStatus
part_pairs(MlEnv *env, JoinJob *job)
{
	int			n = job->bins->n_stored;
	int		   *members = ml_alloc0(env, (size_t) job->n_bytes + 1, sizeof(int));

	if (members == NULL)
		return env->error.status;
	for (int j = 0; j < n; j++)
		members[job->byte_of[j]]++;
	/* Each j is looked at once, so its byte is still the old one. */
	for (int j = 0; j < n; j++)
		if (members[job->byte_of[j]] == 2)
			job->byte_of[j] = job->n_bytes++;
	ml_release(env, members);
	return ML_OK;
}

/* ---- renumbering ---- */

/* Bytes in the order of their first columns, columns of a byte one after another: new numbers of both. */
static MlStatus
renumber(MlEnv *env, JoinJob *job, int *position)
{
	MlGbdtBins *bins = job->bins;
	int			n = bins->n_stored;
	int		   *number = ml_alloc(env, (size_t) job->n_bytes + 1, sizeof(int));
	int			next = 0;

	if (number == NULL)
		return env->error.status;
	for (int b = 0; b < job->n_bytes; b++)
		number[b] = -1;
	for (int j = 0; j < n; j++)
	{
		int			b = job->byte_of[j];

		if (number[b] < 0)
		{
			number[b] = bins->n_bytes;
			bins->byte[bins->n_bytes++] = (MlGbdtByte) {.cells = 1};
		}
		job->byte_of[j] = number[b];
		bins->byte[number[b]].members++;
		bins->byte[number[b]].cells *= job->size[j];
	}
	for (int b = 0; b < bins->n_bytes; b++)
	{
		bins->byte[b].first = next;
		next += bins->byte[b].members;
		bins->byte[b].members = 0;
	}
	for (int j = 0; j < n; j++)
	{
		MlGbdtByte *byte = &bins->byte[job->byte_of[j]];

		byte->size[byte->members % ML_GBDT_BYTE_MEMBERS] = (uint16_t) job->size[j];
		position[j] = byte->first + byte->members++;
	}
	ml_release(env, number);
	return ML_OK;
}

/* What belongs to stored columns follows them to their new numbers. */
static MlStatus
move_columns(MlEnv *env, JoinJob *job, const int *position, uint32_t *entries)
{
	MlGbdtBins *bins = job->bins;
	size_t		n = (size_t) bins->n_stored;
	const uint8_t **stored = ml_alloc(env, n + 1, sizeof(uint8_t *));
	const uint8_t **present = ml_alloc(env, n + 1, sizeof(uint8_t *));

	if (stored == NULL || present == NULL)
		return env->error.status;
	for (int j = 0; j < bins->n_stored; j++)
	{
		stored[position[j]] = bins->stored[j];
		present[position[j]] = job->present[j];
		entries[position[j]] = job->entries[j];
	}
	for (int j = 0; j < bins->n_narrow; j++)
	{
		MlGbdtColumn *column = &bins->column[bins->narrow[j]];

		column->position = position[column->position];
	}
	ml_release(env, bins->stored);
	bins->stored = stored;
	job->present = present;
	job->entries = entries;
	return ML_OK;
}

/* ---- tables ---- */

static MlStatus
apart_alone(MlEnv *env, MlGbdtBins *bins)
{
	uint8_t    *same = ml_alloc0(env, 256 + ML_GBDT_BYTE_MEMBERS, sizeof(uint8_t));

	if (same == NULL)
		return env->error.status;
	for (int v = 0; v < 256; v++)
		same[v] = (uint8_t) v;
	for (int b = 0; b < bins->n_bytes; b++)
		if (bins->byte[b].members == 1)
			bins->byte[b].apart = same;
	return ML_OK;
}

/* What each entry of a byte's columns adds to it, and which entries it stands for.  The first column counts most. */
static MlStatus
make_tables(MlEnv *env, const JoinJob *job, MlGbdtByte *byte)
{
	const uint32_t *offset = job->bins->offset;
	uint32_t	members = (uint32_t) byte->members;
	uint8_t    *share = ml_alloc0(env, (size_t) byte->members * 256, sizeof(uint8_t));
	uint16_t   *place = ml_alloc(env, CELLS, sizeof(uint16_t));
	uint8_t		bin[CELLS];
	uint8_t    *apart = ml_alloc0(env, (size_t) members * byte->cells + ML_GBDT_BYTE_MEMBERS, sizeof(uint8_t));
	uint32_t	weight = byte->cells;
	uint32_t	places = 0;

	if (share == NULL || place == NULL || apart == NULL)
		return env->error.status;
	for (int m = 0; m < byte->members; m++)
	{
		int			stored = byte->first + m;
		uint32_t	value = 0;

		weight /= byte->size[m];
		for (uint32_t entry = 0; entry < job->entries[stored]; entry++)
		{
			if (!is_present(job, stored, entry))
				continue;
			share[256 * m + entry] = (uint8_t) (weight * value);
			bin[value++] = (uint8_t) entry;
			place[places++] = (uint16_t) (offset[stored] - offset[byte->first] + entry);
		}
		for (uint32_t c = 0; c < byte->cells; c++)
			apart[c * members + (uint32_t) m] = bin[c / weight % byte->size[m]];
	}
	byte->share = share;
	byte->place = place;
	byte->apart = apart;
	return ML_OK;
}

/* ---- all of it ---- */

static MlStatus
count_sizes(MlEnv *env, JoinJob *job)
{
	size_t		n = (size_t) job->bins->n_stored;
	bool		join = job->bins->n >= ml_gbdt_joining_rows / 8;

	job->size = ml_alloc0(env, n + 1, sizeof(uint32_t));
	job->byte_of = ml_alloc(env, n + 1, sizeof(int));
	if (job->size == NULL || job->byte_of == NULL)
		return env->error.status;
	for (int j = 0; j < job->bins->n_stored; j++)
	{
		for (uint32_t entry = 0; entry < job->entries[j]; entry++)
			job->size[j] += is_present(job, j, entry);
		if (!join || job->size[j] > CELLS / 2)
			job->byte_of[j] = job->n_bytes++;
	}
	if (join)
		ML_TRY(choose_bytes(env, job));
	return job->bins->n < ml_gbdt_joining_rows ? part_pairs(env, job) : ML_OK;
}

MlStatus
ml_gbdt_join(MlEnv *env, const uint8_t **present, const uint32_t *entries, MlGbdtBins *bins)
{
	JoinJob		job = {.bins = bins, .present = present, .entries = entries};
	size_t		n = (size_t) bins->n_stored;
	int		   *position = ml_alloc(env, n + 1, sizeof(int));
	uint32_t   *moved = ml_alloc(env, n + 1, sizeof(uint32_t));
	uint32_t	all = 0;

	bins->byte = ml_alloc(env, n + 1, sizeof(MlGbdtByte));
	bins->offset = ml_alloc(env, n + 1, sizeof(uint32_t));
	if (position == NULL || moved == NULL || bins->byte == NULL || bins->offset == NULL)
		return env->error.status;
	ML_TRY(count_sizes(env, &job));
	ML_TRY(renumber(env, &job, position));
	ML_TRY(move_columns(env, &job, position, moved));
	for (int j = 0; j < bins->n_stored; j++)
	{
		bins->offset[j] = all;

		/*
		 * Starts that are a multiple of 4096 bytes apart would share their cache
		 * sets: with skewed bins that costs up to three times the time.
		 */
		all += job.entries[j] + (job.entries[j] >= 64 ? 4 : 0);
	}
	bins->offset[bins->n_stored] = all;
	ML_TRY(apart_alone(env, bins));
	for (int b = 0; b < bins->n_bytes; b++)
		if (bins->byte[b].members > 1)
			ML_TRY(make_tables(env, &job, &bins->byte[b]));
	ml_release(env, position);
	ml_release(env, moved);
	ml_release(env, job.size);
	ml_release(env, job.byte_of);
	ml_release(env, job.present);
	return ML_OK;
}

void
ml_gbdt_byte_rows(const MlGbdtBins *bins, const MlGbdtByte *byte, size_t begin, size_t n, uint8_t *to)
{
	const uint8_t *const *stored = &bins->stored[byte->first];

	if (byte->members == 1)
	{
		memcpy(to, stored[0] + begin, n);
		return;
	}
	memset(to, 0, n);
	for (int m = 0; m < byte->members; m++)
	{
		const uint8_t *share = byte->share + 256 * m;
		const uint8_t *from = stored[m] + begin;

		for (size_t i = 0; i < n; i++)
			to[i] = (uint8_t) (to[i] + share[from[i]]);
	}
}

/* ---- sums ---- */

typedef int64_t HalfLanes __attribute__((vector_size(32)));

/* Adds the even lanes to sum[0] and the odd ones to sum[1], or all to sum[0]. */
ML_LANES_INLINE void
add_lanes(const MlLanesInt *v, int width, int64_t *sum)
{
	HalfLanes	half[2];
	MlGbdtSum	quarter[2];

	memcpy(half, v, sizeof(half));
	half[0] += half[1];
	memcpy(quarter, half, sizeof(quarter));
	quarter[0] += quarter[1];
	if (width == 2)
		sum[1] += quarter[0][1];
	else
		quarter[0][0] += quarter[0][1];
	sum[0] += quarter[0][0];
}

/*
 * Eight cells of each run at a time: row[v] becomes the sum of run v, lane by lane, and the first run that of all.  Whichever
 * there are more of, runs or eights, is the inner loop: an addition need not wait for the one before it.
 */
ML_LANES_INLINE void
fold_lanes(size_t size, size_t run, size_t lanes, int64_t *cell, MlLanesInt *row)
{
	if (size * ML_LANES >= lanes)
	{
		for (size_t i = 0; i < lanes; i += ML_LANES)
		{
			MlLanesInt	all = {0};

			for (size_t v = 0; v < size; v++)
			{
				MlLanesInt	x;

				memcpy(&x, cell + v * run + i, sizeof(x));
				all += x;
				row[v] = i == 0 ? x : row[v] + x;
			}
			memcpy(cell + i, &all, sizeof(all));
		}
		return;
	}
	for (size_t v = 0; v < size; v++)
	{
		row[v] = (MlLanesInt) {0};
		for (size_t i = 0; i < lanes; i += ML_LANES)
		{
			MlLanesInt	x;
			MlLanesInt	all = {0};

			memcpy(&x, cell + v * run + i, sizeof(x));
			row[v] += x;
			if (v > 0)
				memcpy(&all, cell + i, sizeof(all));
			all += x;
			memcpy(cell + i, &all, sizeof(all));
		}
	}
}

/*
 * One column: its sums are those of "size" runs of cells.  The runs themselves are added up into the first one, which
 * then has the combinations of the other columns.
 */
ML_LANES_INLINE void
fold_column(size_t size, size_t run, int width, int64_t *cell, int64_t *sum)
{
	MlLanesInt	row[CELLS / 2];
	size_t		lanes = run / ML_LANES * ML_LANES;

	fold_lanes(size, run, lanes, cell, row);
	for (size_t v = 0; v < size; v++)
	{
		const int64_t *rest = cell + v * run;

		for (int k = 0; k < width; k++)
			sum[k] = 0;
		for (size_t i = lanes; i < run; i += (size_t) width)
			for (int k = 0; k < width; k++)
				sum[k] += rest[i + (size_t) k];
		for (size_t i = lanes; i < run && v > 0; i++)
			cell[i] += rest[i];
		if (lanes > 0)
			add_lanes(&row[v], width, sum);
		sum += width;
	}
}

/* "width" (of a cell in numbers) is a constant. */
ML_LANES_INLINE void
fold_body(const MlGbdtByte *byte, int width, int64_t *cell, int64_t *sum)
{
	size_t		run = byte->cells * (size_t) width;

	for (int m = 0; m < byte->members; m++)
	{
		run /= byte->size[m];
		fold_column(byte->size[m], run, width, cell, sum);
		sum += byte->size[m] * width;
	}
	memset(cell, 0, byte->cells * (size_t) width * sizeof(int64_t));
}

ML_LANES_INLINE void
fold_packed_body(const MlGbdtByte *byte, int64_t *cell, int64_t *sum)
{
	fold_body(byte, 1, cell, sum);
}

ML_LANES_INLINE void
fold_sums_body(const MlGbdtByte *byte, int64_t *cell, int64_t *sum)
{
	fold_body(byte, 2, cell, sum);
}

ML_SIMD_TIERS(fold_packed, (const MlGbdtByte *byte, int64_t *cell, int64_t *sum), (byte, cell, sum))
ML_SIMD_TIERS(fold_sums, (const MlGbdtByte *byte, int64_t *cell, int64_t *sum), (byte, cell, sum))

uint32_t
ml_gbdt_fold_packed(const MlGbdtByte *byte, int64_t *cell, int64_t *sum)
{
	uint32_t	n = 0;

	ML_SIMD_CALL(fold_packed, (byte, cell, sum));
	for (int m = 0; m < byte->members; m++)
		n += byte->size[m];
	return n;
}

void
ml_gbdt_fold_sums(const MlGbdtByte *byte, MlGbdtSum *cell, MlGbdtSum *hist)
{
	MlGbdtSum	sum[CELLS];
	uint32_t	n = 0;

	ML_SIMD_CALL(fold_sums, (byte, (int64_t *) cell, (int64_t *) sum));
	for (int m = 0; m < byte->members; m++)
		n += byte->size[m];
	for (uint32_t k = 0; k < n; k++)
		hist[byte->place[k]] += sum[k];
}
