/*-------------------------------------------------------------------------
 * hist.c
 *	  Gradient histograms of a leaf.
 *
 * Rows are read whole (row-major bytes): one row's bins lie in one or two cache
 * lines, while a column-wise pass over scattered rows would fetch a line per
 * value.  Ke et al. 2017, algorithm 1, with integer sums.
 *-------------------------------------------------------------------------
 */
#include <pthread.h>
#include <string.h>

#include "ml/algo/gbdt/grow_internal.h"
#include "ml/base/lanes.h"
#include "ml/base/pool.h"
#include "ml/base/simd.h"

/* Rows that are asked for ahead of use: their order in memory is not sequential. */
#define AHEAD 64
/* Cells (row x byte) that one task adds at least: about 70 microseconds. */
#define TASK_CELLS ((size_t) 1 << 18)
/*
 * In cells (row x column) whose addition they save: what unpacking an entry of a histogram costs, and folding a byte's histogram of
 * packed sums, and of sums of two.
 */
#define UNPACK_CELLS 6
#define FOLD_PACKED_CELLS 200
#define FOLD_CELLS 300
/* So many rows are taken apart together, and so many bins. */
#define APART_ROWS 64
#define APART_BINS 8192
/* Parts of a histogram that different threads may add to at the same time. */
#define STRIPES 8

typedef struct HistJob
{
	MlGbdtGrower *grower;
	const uint32_t *rows;
	size_t		n;
	size_t		rows_per_task;
	size_t		row_tasks;
	int			owner;			/* the thread that adds to hist itself */
	MlGbdtSum  *hist;
	pthread_mutex_t stripe[STRIPES];	/* of bytes in use: held by who adds to their histograms in hist */
} HistJob;

/* Rows of a leaf, where their bytes and gradients are, and where histograms go. */
typedef struct RowList
{
	const uint8_t *bin;			/* of row 0, the first byte that is looked at */
	size_t		stride;
	MlGbdtGradients gradients;
	const MlGbdtScale *scale;
	const uint32_t *rows;
	size_t		n;
	size_t		more;			/* numbers in rows[]: the list may go on behind this piece */
	int			columns;		/* bytes of a row */
	const int  *listed;			/* which ones; NULL: all */
	const MlGbdtByte *byte;		/* what they are, counted as listed[] does */
	const uint32_t *offset;		/* of stored columns, in hist */
	int64_t    *packed;			/* packed sums by byte, with one stride */
	MlGbdtSum  *hist;
	MlGbdtSum *const *to;		/* sums of two by byte */
} RowList;

static const MlGbdtByte *
byte_at(const RowList *in, int u)
{
	return &in->byte[in->listed != NULL ? in->listed[u] : u];
}

/* One row's share of one byte's histogram. */
ML_LANES_INLINE void
add_row(const RowList *in, const uint8_t *bin, int u, bool packed, bool listed, int64_t row, const MlGbdtSum *sum, int64_t *restrict hist)
{
	size_t		b = bin[listed ? in->listed[u] : u];

	if (packed)
		hist[(size_t) u * ML_GBDT_PACKED_STRIDE + b] += row;
	else
		in->to[u][b] += *sum;
}

ML_LANES_INLINE void
fetch_ahead(const RowList *in, size_t i)
{
	size_t		ahead = in->rows[i + AHEAD < in->more ? i + AHEAD : i];

	__builtin_prefetch(in->bin + ahead * in->stride);
	if (in->columns > 64)
		__builtin_prefetch(in->bin + ahead * in->stride + 64);
	if (in->scale->packed)
		__builtin_prefetch(&in->gradients.packed[ahead]);
	else
		__builtin_prefetch(&in->gradients.exact[ahead]);
}

/*
 * Two rows by turns, four columns each: where both have the same bin, the second addition need not wait for the first
 * one's store.  "packed" and "listed" are constants, so this becomes four loops.
 */
ML_LANES_INLINE void
add_rows(const RowList *in, bool packed, bool listed)
{
	const size_t stride = in->stride;
	const int	columns = in->columns;
	int64_t    *restrict hist = in->packed;
	size_t		i = 0;

	for (; i + 2 <= in->n; i += 2)
	{
		const size_t r = in->rows[i];
		const size_t s = in->rows[i + 1];
		const uint8_t *bin_r = in->bin + r * stride;
		const uint8_t *bin_s = in->bin + s * stride;
		const int64_t row_r = packed ? ml_gbdt_packed_sum(in->scale->unit_h, in->gradients.packed[r]) : 0;
		const int64_t row_s = packed ? ml_gbdt_packed_sum(in->scale->unit_h, in->gradients.packed[s]) : 0;
		const MlGbdtSum sum_r = packed ? (MlGbdtSum) {0} : ml_gbdt_sum_of_row(in->scale, &in->gradients, r);
		const MlGbdtSum sum_s = packed ? (MlGbdtSum) {0} : ml_gbdt_sum_of_row(in->scale, &in->gradients, s);
		int			u = 0;

		fetch_ahead(in, i);
		fetch_ahead(in, i + 1);
		for (; u + 4 <= columns; u += 4)
		{
			add_row(in, bin_r, u, packed, listed, row_r, &sum_r, hist);
			add_row(in, bin_r, u + 1, packed, listed, row_r, &sum_r, hist);
			add_row(in, bin_r, u + 2, packed, listed, row_r, &sum_r, hist);
			add_row(in, bin_r, u + 3, packed, listed, row_r, &sum_r, hist);
			add_row(in, bin_s, u, packed, listed, row_s, &sum_s, hist);
			add_row(in, bin_s, u + 1, packed, listed, row_s, &sum_s, hist);
			add_row(in, bin_s, u + 2, packed, listed, row_s, &sum_s, hist);
			add_row(in, bin_s, u + 3, packed, listed, row_s, &sum_s, hist);
		}
		for (; u < columns; u++)
		{
			add_row(in, bin_r, u, packed, listed, row_r, &sum_r, hist);
			add_row(in, bin_s, u, packed, listed, row_s, &sum_s, hist);
		}
	}
	if (i < in->n)
	{
		const size_t r = in->rows[i];
		const int64_t row = packed ? ml_gbdt_packed_sum(in->scale->unit_h, in->gradients.packed[r]) : 0;
		const MlGbdtSum sum = packed ? (MlGbdtSum) {0} : ml_gbdt_sum_of_row(in->scale, &in->gradients, r);

		for (int u = 0; u < columns; u++)
			add_row(in, in->bin + r * stride, u, packed, listed, row, &sum, hist);
	}
}

static void
add_sums(const RowList *in)
{
	if (in->listed != NULL)
		add_rows(in, false, true);
	else
		add_rows(in, false, false);
}

/* Packed: half the memory and half the work of a sum of two. */
static void
add_packed(const RowList *in)
{
	if (in->listed != NULL)
		add_rows(in, true, true);
	else
		add_rows(in, true, false);
}

/* Some rows' bytes as the bins of all columns that they stand for, side by side. */
static void
take_apart(const RowList *in, size_t begin, size_t n, int columns, uint8_t *bins, const MlGbdtGradients *gradients)
{
	for (size_t i = 0; i < n; i++)
	{
		const size_t r = in->rows[begin + i];
		const uint8_t *from = in->bin + r * in->stride;
		uint8_t    *to = bins + i * (size_t) columns;

		fetch_ahead(in, begin + i);
		if (in->scale->packed)
			gradients->packed[i] = in->gradients.packed[r];
		else
			gradients->exact[i] = in->gradients.exact[r];
		for (int u = 0; u < in->columns; u++)
		{
			int			j = in->listed != NULL ? in->listed[u] : u;
			size_t		members = (size_t) in->byte[j].members;

			/* What is too much is written over by what comes next. */
			memcpy(to, in->byte[j].apart + from[j] * members, ML_GBDT_BYTE_MEMBERS);
			to += members;
		}
	}
}

/* Few rows: each to the histograms of the columns themselves. */
static void
add_apart(const RowList *in)
{
	uint32_t	rows[APART_ROWS];
	int64_t		gradient[APART_ROWS];
	uint8_t		bins[APART_BINS + ML_GBDT_BYTE_MEMBERS];
	MlGbdtSum  *to[ML_GBDT_TILE * ML_GBDT_BYTE_MEMBERS];
	RowList		apart = {.bin = bins, .gradients = {gradient, (int32_t *) gradient}, .scale = in->scale, .rows = rows, .to = to};
	size_t		most = APART_ROWS;

	for (uint32_t i = 0; i < APART_ROWS; i++)
		rows[i] = i;
	for (int u = 0; u < in->columns; u++)
	{
		const MlGbdtByte *byte = byte_at(in, u);

		for (int m = 0; m < byte->members; m++)
			to[apart.columns++] = in->hist + in->offset[byte->first + m];
	}
	apart.stride = (size_t) apart.columns;
	if (most > APART_BINS / apart.stride)
		most = APART_BINS / apart.stride;
	for (size_t i = 0; i < in->n; i += most)
	{
		apart.n = apart.more = in->n - i < most ? in->n - i : most;
		take_apart(in, i, apart.n, apart.columns, bins, &apart.gradients);
		add_sums(&apart);
	}
}

/* Packed sums to sums of two; leaves zeros.  place: of each; NULL: they stay side by side. */
ML_LANES_INLINE void
unpack_column(int64_t *restrict packed, size_t n, const uint16_t *place, const MlGbdtScale *scale, int64_t *restrict hist)
{
	const int	count_bits = scale->count_bits;

	if (scale->unit_h)
	{
		const int64_t rows = (INT64_C(1) << ML_GBDT_UNIT_G_SHIFT) - 1;

		for (size_t b = 0; b < n; b++)
		{
			int64_t		v = packed[b];

			size_t		at = place != NULL ? place[b] : b;

			hist[2 * at] += v >> ML_GBDT_UNIT_G_SHIFT;
			hist[2 * at + 1] += ((v & rows) << count_bits) + (v & rows);
			packed[b] = 0;
		}
	}
	else
	{
		const int64_t rows = (INT64_C(1) << ML_GBDT_PACKED_H_SHIFT) - 1;
		const int64_t h = (INT64_C(1) << (ML_GBDT_PACKED_G_SHIFT - ML_GBDT_PACKED_H_SHIFT)) - 1;

		for (size_t b = 0; b < n; b++)
		{
			int64_t		v = packed[b];

			size_t		at = place != NULL ? place[b] : b;

			hist[2 * at] += v >> ML_GBDT_PACKED_G_SHIFT;
			hist[2 * at + 1] += ((v >> ML_GBDT_PACKED_H_SHIFT & h) << count_bits) + (v & rows);
			packed[b] = 0;
		}
	}
}

ML_LANES_INLINE void
unpack_body(const RowList *in, int from, int to)
{
	for (int u = from; u < to; u++)
	{
		const MlGbdtByte *byte = byte_at(in, u);
		int64_t    *packed = in->packed + (size_t) u * ML_GBDT_PACKED_STRIDE;
		int64_t    *hist = (int64_t *) (in->hist + in->offset[byte->first]);
		int64_t		sum[256];

		if (byte->members > 1)
			unpack_column(sum, ml_gbdt_fold_packed(byte, packed, sum), byte->place, in->scale, hist);
		else
			unpack_column(packed, in->offset[byte->first + 1] - in->offset[byte->first], NULL, in->scale, hist);
	}
}

ML_SIMD_TIERS(unpack, (const RowList *in, int from, int to), (in, from, to))

/* The bytes in use of a stripe begin with number ... */
static int
stripe_begin(const MlGbdtGrower *grower, int stripe)
{
	return (int) ((int64_t) grower->n_bytes * stripe / STRIPES);
}

/* Packed sums of bytes first .. last-1 to their histograms; others may add to those, too, if there are stripes. */
static void
unpack_stripes(const MlGbdtGrower *grower, const RowList *in, int first, int last, pthread_mutex_t *stripe)
{
	if (stripe == NULL)
	{
		ML_SIMD_CALL(unpack, (in, 0, last - first));
		return;
	}
	for (int s = 0; s < STRIPES; s++)
	{
		int			begin = stripe_begin(grower, s) > first ? stripe_begin(grower, s) : first;
		int			end = stripe_begin(grower, s + 1) < last ? stripe_begin(grower, s + 1) : last;

		if (begin >= end)
			continue;
		pthread_mutex_lock(&stripe[s]);
		ML_SIMD_CALL(unpack, (in, begin - first, end - first));
		pthread_mutex_unlock(&stripe[s]);
	}
}

/* What the bytes in use are. */
typedef struct Layout
{
	size_t		columns;
	size_t		joint;			/* bytes of several columns */
	size_t		joint_columns;
	size_t		entries;		/* of the histograms of the other bytes */
} Layout;

static Layout
layout_of(const RowList *in)
{
	Layout		layout = {0};

	for (int u = 0; u < in->columns; u++)
	{
		const MlGbdtByte *byte = byte_at(in, u);

		layout.columns += (size_t) byte->members;
		if (byte->members > 1)
		{
			layout.joint++;
			layout.joint_columns += (size_t) byte->members;
		}
		else
			layout.entries += in->offset[byte->first + 1] - in->offset[byte->first];
	}
	return layout;
}

static bool
pays_to_pack(const RowList *in, const Layout *layout)
{
	return in->scale->packed && in->n * layout->columns >= UNPACK_CELLS * layout->entries + FOLD_PACKED_CELLS * layout->joint;
}

/*
 * Sums of two.  The histogram of a byte of one column is this column's own; others have theirs in the room of packed sums,
 * from where they are folded.
 */
static void
add_unpacked(RowList *in, const Layout *layout)
{
	MlGbdtSum  *room = (MlGbdtSum *) in->packed;
	MlGbdtSum  *to[ML_GBDT_TILE];

	if (in->n * layout->joint_columns < FOLD_CELLS * layout->joint)
	{
		add_apart(in);
		return;
	}
	for (int u = 0; u < in->columns; u++)
	{
		const MlGbdtByte *byte = byte_at(in, u);

		to[u] = byte->members > 1 ? room + (size_t) u * ML_GBDT_PACKED_STRIDE : in->hist + in->offset[byte->first];
	}
	in->to = to;
	add_sums(in);
	for (int u = 0; layout->joint > 0 && u < in->columns; u++)
	{
		const MlGbdtByte *byte = byte_at(in, u);

		if (byte->members > 1)
			ml_gbdt_fold_sums(byte, to[u], in->hist + in->offset[byte->first]);
	}
}

/*
 * Adds rows to the histograms of the columns in bytes in use number first .. last-1, at most ML_GBDT_TILE; packed is of the
 * thread's room.  Where other threads may add to hist as well, stripe[] keeps them apart.
 */
static void
hist_rows(const MlGbdtGrower *grower, const uint32_t *rows, size_t n, int first, int last, int64_t *packed, MlGbdtSum *hist, pthread_mutex_t *stripe)
{
	const MlGbdtBins *bins = grower->bins;
	bool		listed = grower->n_bytes != bins->n_bytes;
	int			skipped = listed ? 0 : first;
	RowList		in = {
		.bin = bins->row_major + skipped, .stride = bins->stride, .gradients = grower->gradients, .scale = &grower->scale, .rows = rows,
		.n = n, .more = n, .columns = last - first, .listed = listed ? grower->byte + first : NULL, .byte = bins->byte + skipped,
		.offset = bins->offset, .packed = packed, .hist = hist
	};
	size_t		most = grower->scale.unit_h ? ML_GBDT_UNIT_ROWS : ML_GBDT_PACKED_ROWS;
	Layout		layout;

	layout = layout_of(&in);
	if (!pays_to_pack(&in, &layout))
	{
		for (int k = 0; stripe != NULL && k < STRIPES; k++)
			pthread_mutex_lock(&stripe[k]);
		add_unpacked(&in, &layout);
		for (int k = 0; stripe != NULL && k < STRIPES; k++)
			pthread_mutex_unlock(&stripe[k]);
		return;
	}
	for (size_t i = 0; i < n; i += most)
	{
		in.rows = rows + i;
		in.more = n - i;
		in.n = n - i < most ? n - i : most;
		add_packed(&in);
		unpack_stripes(grower, &in, first, last, stripe);
	}
}

void
ml_gbdt_hist_tiles(const MlGbdtGrower *grower, const uint32_t *rows, size_t n, int64_t *packed, MlGbdtSum *hist)
{
	for (int first = 0; first < grower->n_bytes; first += ML_GBDT_TILE)
		hist_rows(grower, rows, n, first, first + ML_GBDT_TILE < grower->n_bytes ? first + ML_GBDT_TILE : grower->n_bytes, packed, hist, NULL);
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
		hist[b] += ml_gbdt_sum_of_row(&grower->scale, &grower->gradients, r);
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
	int			last = first + ML_GBDT_TILE < grower->n_bytes ? first + ML_GBDT_TILE : grower->n_bytes;

	if (thread == job->owner)
		hist_rows(grower, job->rows + begin, count, first, last, room->packed, job->hist, job->stripe);
	else
		hist_rows(grower, job->rows + begin, count, first, last, room->packed, room->partial, NULL);
}

/* What a helper has added up joins the owner's histogram, and leaves zeros. */
static void
hist_join(void *arg, int thread)
{
	HistJob    *job = arg;
	const MlGbdtGrower *grower = job->grower;
	const uint32_t *offset = grower->bins->offset;
	MlGbdtSum  *partial = grower->room[thread].partial;

	for (int k = 0; k < STRIPES; k++)
	{
		int			s = (k + thread) % STRIPES;

		pthread_mutex_lock(&job->stripe[s]);
		for (int c = stripe_begin(grower, s); c < stripe_begin(grower, s + 1); c++)
		{
			const MlGbdtByte *byte = &grower->bins->byte[grower->byte[c]];

			for (uint32_t b = offset[byte->first]; b < offset[byte->first + byte->members]; b++)
			{
				job->hist[b] += partial[b];
				partial[b] = (MlGbdtSum) {0, 0};
			}
		}
		pthread_mutex_unlock(&job->stripe[s]);
	}
}

/* Whole packed sums, where there are such. */
static size_t
rows_per_task(const MlGbdtGrower *grower, size_t width)
{
	size_t		rows = TASK_CELLS / width + 1;
	size_t		most = ML_GBDT_PACKED_ROWS;

	if (grower->scale.packed && !grower->scale.unit_h)
		rows = (rows + most - 1) / most * most;
	return rows;
}

MlStatus
ml_gbdt_hist_leaf(MlEnv *env, MlGbdtGrower *grower, const MlGbdtLeaf *leaf, int thread, MlGbdtSum *hist)
{
	HistJob		job = {.grower = grower, .rows = leaf->rows, .n = leaf->count, .owner = thread, .hist = hist};
	size_t		width = (size_t) (grower->n_bytes < ML_GBDT_TILE ? grower->n_bytes : ML_GBDT_TILE);
	size_t		tiles = ((size_t) grower->n_bytes + ML_GBDT_TILE - 1) / ML_GBDT_TILE;
	MlStatus	status;

	if (grower->n_bytes == 0)
		return ML_OK;
	memset(hist, 0, grower->bins->offset[grower->bins->n_stored] * sizeof(MlGbdtSum));
	job.rows_per_task = rows_per_task(grower, width);
	job.row_tasks = (leaf->count + job.rows_per_task - 1) / job.rows_per_task;
	if (grower->threads == 1 || job.row_tasks * tiles < 2)
	{
		ml_gbdt_hist_tiles(grower, job.rows, job.n, grower->room[thread].packed, hist);
		return ML_OK;
	}
	for (int s = 0; s < STRIPES; s++)
		pthread_mutex_init(&job.stripe[s], NULL);
	status = ml_pool_share(env, thread, job.row_tasks * tiles, hist_task, hist_join, &job);
	for (int s = 0; s < STRIPES; s++)
		pthread_mutex_destroy(&job.stripe[s]);
	return status;
}
