/*-------------------------------------------------------------------------
 * hist.c
 *	  Gradient histograms of a leaf.
 *
 * Rows are read whole (row-major bytes): one row's bins lie in one or two cache
 * lines, while a column-wise pass over scattered rows would fetch a line per
 * value.  Ke et al. 2017, algorithm 1, with integer sums.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "ml/algo/gbdt/grow_internal.h"
#include "ml/base/lanes.h"
#include "ml/base/pool.h"
#include "ml/base/simd.h"

/* Rows that are asked for ahead of use: their order in memory is not sequential. */
#define AHEAD 16
/* Cells (row x column) that one task adds: about a millisecond. */
#define TASK_CELLS ((size_t) 1 << 20)
/* Cells per histogram entry from which on packing saves more than unpacking costs. */
#define UNPACK_CELLS 6
/* Below this many cells waking threads costs more than it saves. */
#define SERIAL_CELLS ((size_t) 1 << 17)

typedef struct HistJob
{
	MlGbdtGrower *grower;
	const uint32_t *rows;
	size_t		n;
	size_t		rows_per_task;
	size_t		row_tasks;
	MlGbdtSum  *hist;			/* thread 0 */
} HistJob;

/* All columns from first to last are in use: no list to look at. */
static void
add_dense(const MlGbdtGrower *grower, const uint32_t *rows, size_t n, int first, int last, MlGbdtSum *restrict hist)
{
	const MlGbdtBins *bins = grower->bins;
	const uint32_t *offset = bins->offset;

	for (size_t i = 0; i < n; i++)
	{
		size_t		r = rows[i];
		const uint8_t *bin = bins->row_major + r * bins->stride;
		MlGbdtSum	v = ml_gbdt_expand_row(&grower->scale, grower->gradient[r]);
		int			j = first;

		if (i + AHEAD < n)
		{
			size_t		ahead = rows[i + AHEAD];

			__builtin_prefetch(bins->row_major + ahead * bins->stride + first);
			__builtin_prefetch(&grower->gradient[ahead]);
		}
		for (; j + 8 <= last; j += 8)
		{
			uint64_t	eight;

			memcpy(&eight, bin + j, sizeof(eight));
			hist[offset[j] + (eight & 255)] += v;
			hist[offset[j + 1] + (eight >> 8 & 255)] += v;
			hist[offset[j + 2] + (eight >> 16 & 255)] += v;
			hist[offset[j + 3] + (eight >> 24 & 255)] += v;
			hist[offset[j + 4] + (eight >> 32 & 255)] += v;
			hist[offset[j + 5] + (eight >> 40 & 255)] += v;
			hist[offset[j + 6] + (eight >> 48 & 255)] += v;
			hist[offset[j + 7] + (eight >> 56)] += v;
		}
		for (; j < last; j++)
			hist[offset[j] + bin[j]] += v;
	}
}

static void
add_listed(const MlGbdtGrower *grower, const uint32_t *rows, size_t n, int first, int last, MlGbdtSum *restrict hist)
{
	const MlGbdtBins *bins = grower->bins;

	for (size_t i = 0; i < n; i++)
	{
		size_t		r = rows[i];
		const uint8_t *bin = bins->row_major + r * bins->stride;
		MlGbdtSum	v = ml_gbdt_expand_row(&grower->scale, grower->gradient[r]);

		if (i + AHEAD < n)
		{
			__builtin_prefetch(bins->row_major + (size_t) rows[i + AHEAD] * bins->stride);
			__builtin_prefetch(&grower->gradient[rows[i + AHEAD]]);
		}
		for (int u = first; u < last; u++)
		{
			int			j = grower->stored[u];

			hist[bins->offset[j] + bin[j]] += v;
		}
	}
}

/* At most ML_GBDT_PACKED_ROWS rows, packed: half the memory and half the work of a sum of two. */
static void
add_packed(const MlGbdtGrower *grower, const uint32_t *rows, size_t n, int first, int last, int64_t *restrict hist)
{
	const MlGbdtBins *bins = grower->bins;
	const uint32_t *offset = bins->offset;

	for (size_t i = 0; i < n; i++)
	{
		size_t		r = rows[i];
		const uint8_t *bin = bins->row_major + r * bins->stride;
		int64_t		v = grower->gradient[r];
		int			j = first;

		/* The list of rows goes on behind this piece, or ends: what is fetched in vain does no harm. */
		if (i + AHEAD < n)
		{
			size_t		ahead = rows[i + AHEAD];

			__builtin_prefetch(bins->row_major + ahead * bins->stride + first);
			__builtin_prefetch(&grower->gradient[ahead]);
		}
		for (; j + 8 <= last; j += 8)
		{
			uint64_t	eight;

			memcpy(&eight, bin + j, sizeof(eight));
			hist[offset[j] + (eight & 255)] += v;
			hist[offset[j + 1] + (eight >> 8 & 255)] += v;
			hist[offset[j + 2] + (eight >> 16 & 255)] += v;
			hist[offset[j + 3] + (eight >> 24 & 255)] += v;
			hist[offset[j + 4] + (eight >> 32 & 255)] += v;
			hist[offset[j + 5] + (eight >> 40 & 255)] += v;
			hist[offset[j + 6] + (eight >> 48 & 255)] += v;
			hist[offset[j + 7] + (eight >> 56)] += v;
		}
		for (; j < last; j++)
			hist[offset[j] + bin[j]] += v;
	}
}

/* Packed sums to sums of two; leaves zeros. */
ML_LANES_INLINE void
unpack_body(int64_t *restrict packed, size_t n, int count_bits, int64_t *restrict hist)
{
	const int64_t rows = (INT64_C(1) << ML_GBDT_PACKED_H_SHIFT) - 1;
	const int64_t h = (INT64_C(1) << (ML_GBDT_PACKED_G_SHIFT - ML_GBDT_PACKED_H_SHIFT)) - 1;

	for (size_t b = 0; b < n; b++)
	{
		int64_t		v = packed[b];

		hist[2 * b] += v >> ML_GBDT_PACKED_G_SHIFT;
		hist[2 * b + 1] += ((v >> ML_GBDT_PACKED_H_SHIFT & h) << count_bits) + (v & rows);
		packed[b] = 0;
	}
}

ML_SIMD_TIERS(unpack, (int64_t *restrict packed, size_t n, int count_bits, int64_t *restrict hist), (packed, n, count_bits, hist))

static void
hist_packed(const MlGbdtGrower *grower, const uint32_t *rows, size_t n, int first, int last, int64_t *packed, MlGbdtSum *hist)
{
	const uint32_t *offset = grower->bins->offset;

	for (size_t i = 0; i < n; i += ML_GBDT_PACKED_ROWS)
	{
		add_packed(grower, rows + i, n - i < ML_GBDT_PACKED_ROWS ? n - i : ML_GBDT_PACKED_ROWS, first, last, packed);
		ML_SIMD_CALL(unpack, (packed + offset[first], offset[last] - offset[first], grower->scale.count_bits, (int64_t *) (hist + offset[first])));
	}
}

void
ml_gbdt_hist_rows(const MlGbdtGrower *grower, const uint32_t *rows, size_t n, int first, int last, int64_t *packed, MlGbdtSum *hist)
{
	if (grower->n_stored != grower->bins->n_stored)
		add_listed(grower, rows, n, first, last, hist);
	else if (grower->scale.packed && n * (size_t) (last - first) > UNPACK_CELLS * (grower->bins->offset[last] - grower->bins->offset[first]))
		hist_packed(grower, rows, n, first, last, packed, hist);
	else
		add_dense(grower, rows, n, first, last, hist);
}

uint32_t
ml_gbdt_hist_column(const MlGbdtGrower *grower, const MlGbdtColumn *column, const uint32_t *rows, size_t n,
					MlGbdtSum *hist, uint32_t *touched)
{
	uint32_t	n_touched = 0;

	for (size_t i = 0; i < n; i++)
	{
		size_t		r = rows[i];
		uint32_t	b = column->narrow ? column->narrow[r] : column->wide[r];

		touched[n_touched] = b;
		n_touched += hist[b][1] == 0;
		hist[b] += ml_gbdt_expand_row(&grower->scale, grower->gradient[r]);
	}
	return n_touched;
}

static void
hist_task(void *arg, size_t task, int thread)
{
	HistJob    *job = arg;
	MlGbdtGrower *grower = job->grower;
	MlGbdtRoom *room = &grower->room[thread];
	size_t		begin = task % job->row_tasks * job->rows_per_task;
	size_t		count = begin + job->rows_per_task < job->n ? job->rows_per_task : job->n - begin;
	int			first = (int) (task / job->row_tasks) * ML_GBDT_TILE;
	int			last = first + ML_GBDT_TILE < grower->n_stored ? first + ML_GBDT_TILE : grower->n_stored;
	MlGbdtSum  *hist = job->hist;

	if (thread > 0)
	{
		hist = room->partial;
		if (!room->used)
			memset(hist, 0, grower->bins->offset[grower->bins->n_stored] * sizeof(MlGbdtSum));
		room->used = true;
	}
	ml_gbdt_hist_rows(grower, job->rows + begin, count, first, last, room->packed, hist);
}

MlStatus
ml_gbdt_hist_leaf(MlEnv *env, MlGbdtGrower *grower, const MlGbdtLeaf *leaf, MlGbdtSum *hist)
{
	HistJob		job = {.grower = grower, .rows = grower->rows + leaf->begin, .n = leaf->count, .hist = hist};
	size_t		width = (size_t) (grower->n_stored < ML_GBDT_TILE ? grower->n_stored : ML_GBDT_TILE);
	size_t		tiles = ((size_t) grower->n_stored + ML_GBDT_TILE - 1) / ML_GBDT_TILE;

	for (int t = 0; t < grower->threads; t++)
		grower->room[t].used = false;
	if (grower->n_stored == 0)
		return ML_OK;
	memset(hist, 0, grower->bins->offset[grower->bins->n_stored] * sizeof(MlGbdtSum));
	if (leaf->count * (size_t) grower->n_stored <= SERIAL_CELLS)
	{
		ml_gbdt_hist_rows(grower, job.rows, job.n, 0, grower->n_stored, grower->room[0].packed, hist);
		return ML_OK;
	}
	/* At least two tasks a thread, so that a slow one does not keep the others waiting. */
	job.rows_per_task = leaf->count * tiles / (size_t) (2 * grower->threads) + 1;
	if (job.rows_per_task > TASK_CELLS / width)
		job.rows_per_task = TASK_CELLS / width;
	if (job.rows_per_task < SERIAL_CELLS / (2 * width))
		job.rows_per_task = SERIAL_CELLS / (2 * width);
	job.row_tasks = (leaf->count + job.rows_per_task - 1) / job.rows_per_task;
	return ml_pool_run(env, job.row_tasks * tiles, hist_task, &job);
}
