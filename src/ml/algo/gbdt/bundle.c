/*-------------------------------------------------------------------------
 * bundle.c
 *	  Columns that never differ from their usual bin in the same row share one
 *	  stored column.
 *
 * Exclusive feature bundling, Ke et al. 2017, section 4, algorithms 3 and 4, without a
 * conflict in any row.  Byte 0 of a bundle says that all its columns are in their default bin,
 * each other byte that one of them is in one of its other bins.  So the histogram of a bundle
 * has those of its columns one behind another, without the default bins; the sums of these are
 * what is left of the leaf's.  Sums are integers, so trees are those of unbundled columns, to the bit.
 *
 * Which columns differ in the same row is asked of some rows first, so that data without such
 * columns lose no time; columns that found a partner there are compared in all rows, as
 * bits.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "ml/algo/gbdt/gbdt_internal.h"
#include "ml/base/arena.h"
#include "ml/base/pool.h"

/* Rows that are looked at first, at most about so many. */
#define SAMPLE_ROWS 8192
/* Bundles that a column is tried with: as in LightGBM. */
#define MAX_TRIES 100
/* Bytes of a bundle beside 0. */
#define MAX_VALUES 255
/* Rows that one task writes. */
#define FILL_ROWS 32768
/* Entries of a sparse column that become bins together. */
#define PIECE 256

typedef struct Candidate
{
	int32_t		feature;
	uint32_t	n_values;		/* bins with rows, without the default one */
	uint8_t		default_bin;
	size_t		others;			/* rows that are not in it, of those looked at */
	uint64_t   *bits;			/* which */
	int32_t		bundle;			/* -1: none */
} Candidate;

typedef struct Bundle
{
	uint64_t   *bits;			/* rows in which some column is not in its default bin */
	uint32_t	n_values;
	uint32_t	members;
	uint8_t    *bytes;
	uint8_t    *bin_of;			/* 256: the bin that a byte means to its column */
} Bundle;

typedef struct BundleJob
{
	const MlDataset *data;
	MlGbdtBins *bins;
	Candidate  *candidate;
	int			n;				/* candidates */
	size_t		step;			/* every so many rows are looked at */
	size_t		words;			/* of bits */
	Bundle	   *bundle;
	int			n_bundles;
	size_t		blocks;
	int		   *member;			/* candidates by bundle */
	int		   *first;			/* by bundle, in member[]; n_bundles + 1 */
	uint8_t  (*value_of)[256];	/* by candidate: the byte of a bin */
} BundleJob;

/* ---- which rows are not in the default bin ---- */

static uint8_t
bin_of_value(const MlGbdtColumn *column, double x)
{
	uint8_t		bin;

	ml_bin_narrow(&column->binner, &x, 1, &bin);
	return bin;
}

static const MlSparse *
sparse_source(const BundleJob *job, int32_t feature)
{
	return job->bins->column[feature].deferred ? job->data->columns[feature].sparse : NULL;
}

/* The bins of entries at .. at+n-1 of a sparse column. */
static void
sparse_bins(const MlGbdtColumn *column, const MlSparse *s, size_t at, size_t n, uint8_t *bin)
{
	if (s->value == NULL)
		memset(bin, bin_of_value(column, 1), n);
	else
		ml_bin_narrow(&column->binner, s->value + at, n, bin);
}

/* Sets the bits of a column, for every step-th row, and counts them. */
static void
mark_rows(const BundleJob *job, Candidate *c)
{
	const MlGbdtColumn *column = &job->bins->column[c->feature];
	const MlSparse *s = sparse_source(job, c->feature);
	size_t		n = job->bins->n;

	memset(c->bits, 0, job->words * sizeof(uint64_t));
	if (s != NULL)
	{
		size_t		end = ml_sparse_find(s, n);

		for (size_t at = 0; at < end; at += PIECE)
		{
			size_t		piece = end - at < PIECE ? end - at : PIECE;
			uint8_t		bin[PIECE];

			sparse_bins(column, s, at, piece, bin);
			for (size_t k = 0; k < piece; k++)
			{
				size_t		i = s->row[at + k] / job->step;

				if (s->row[at + k] % job->step == 0 && bin[k] != c->default_bin)
					c->bits[i / 64] |= UINT64_C(1) << (i % 64);
			}
		}
	}
	else
	{
		for (size_t i = 0, row = 0; row < n; i++, row += job->step)
			c->bits[i / 64] |= (uint64_t) (column->narrow[row] != c->default_bin) << (i % 64);
	}
	c->others = 0;
	for (size_t w = 0; w < job->words; w++)
		c->others += (size_t) __builtin_popcountll(c->bits[w]);
}

static void
mark_task(void *arg, size_t task, int thread)
{
	const BundleJob *job = arg;

	mark_rows(job, &job->candidate[task]);
}

/* The bin with the most rows: of a sparse column that of zero, whether or not. */
static uint8_t
default_bin(const BundleJob *job, int32_t feature)
{
	const MlGbdtColumn *column = &job->bins->column[feature];
	uint32_t	rows[256] = {0};
	uint32_t	best = 0;

	if (column->deferred)
		return bin_of_value(column, 0);
	for (size_t row = 0; row < job->bins->n; row += job->step)
		rows[column->narrow[row]]++;
	for (uint32_t b = 1; b < 256; b++)
		if (rows[b] > rows[best])
			best = b;
	return (uint8_t) best;
}

/* One task: one narrow column.  "others" stays above all rows where it is no number. */
static void
look_task(void *arg, size_t task, int thread)
{
	const BundleJob *job = arg;
	Candidate  *c = &job->candidate[task];
	const MlGbdtColumn *column = &job->bins->column[c->feature];

	c->others = SIZE_MAX;
	c->n_values = column->present - 1;
	if (column->category || c->n_values > MAX_VALUES)
		return;
	c->default_bin = default_bin(job, c->feature);
	mark_rows(job, c);
}

/* ---- which columns go together ---- */

static bool
conflict(const uint64_t *a, const uint64_t *b, size_t words)
{
	for (size_t w = 0; w < words; w++)
		if ((a[w] & b[w]) != 0)
			return true;
	return false;
}

/*
 * Puts the candidates, in their order, each into the first bundle that has room and no row in common
 * with it.  A bundle's bits are those of its first member, to which the others' are added.
 */
static MlStatus
group(MlEnv *env, BundleJob *job)
{
	job->n_bundles = 0;
	for (int i = 0; i < job->n; i++)
	{
		Candidate  *c = &job->candidate[i];
		int			tries = 0;

		if (i % 64 == 0 && ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		c->bundle = -1;
		for (int b = 0; b < job->n_bundles && tries < MAX_TRIES && c->bundle < 0; b++)
		{
			if (job->bundle[b].n_values + c->n_values > MAX_VALUES)
				continue;
			tries++;
			if (!conflict(job->bundle[b].bits, c->bits, job->words))
				c->bundle = b;
		}
		if (c->bundle < 0)
		{
			c->bundle = job->n_bundles++;
			job->bundle[c->bundle] = (Bundle) {.bits = c->bits};
		}
		else
			for (size_t w = 0; w < job->words; w++)
				job->bundle[c->bundle].bits[w] |= c->bits[w];
		job->bundle[c->bundle].n_values += c->n_values;
		job->bundle[c->bundle].members++;
	}
	return ML_OK;
}

/* Keeps the candidates that are in company. */
static void
drop_singles(BundleJob *job)
{
	int			kept = 0;

	for (int i = 0; i < job->n; i++)
		if (job->bundle[job->candidate[i].bundle].members > 1)
			job->candidate[kept++] = job->candidate[i];
	job->n = kept;
}

/* Most rows first, then the lower feature: a heap sort, for columns may be many. */
static bool
comes_after(const Candidate *a, const Candidate *b)
{
	return a->others != b->others ? a->others < b->others : a->feature > b->feature;
}

static void
sift_down(Candidate *c, int i, int n)
{
	Candidate	moved = c[i];

	for (;;)
	{
		int			child = 2 * i + 1;

		if (child >= n)
			break;
		if (child + 1 < n && comes_after(&c[child + 1], &c[child]))
			child++;
		if (!comes_after(&c[child], &moved))
			break;
		c[i] = c[child];
		i = child;
	}
	c[i] = moved;
}

static void
sort_candidates(Candidate *c, int n)
{
	for (int i = n / 2; i-- > 0;)
		sift_down(c, i, n);
	for (int end = n; end-- > 1;)
	{
		Candidate	top = c[0];

		c[0] = c[end];
		c[end] = top;
		sift_down(c, 0, end);
	}
}

/* By number, as they come after the sort. */
static MlStatus
give_bits(MlEnv *env, BundleJob *job, uint64_t **bits)
{
	size_t		all;

	if (!ml_mul_size((size_t) job->n, job->words, &all))
		return ml_fail(env, ML_TOO_LARGE, "%d columns of %zu rows are too many", job->n, job->bins->n);
	*bits = ml_alloc(env, all + 1, sizeof(uint64_t));
	if (*bits == NULL)
		return env->error.status;
	for (int i = 0; i < job->n; i++)
		job->candidate[i].bits = *bits + (size_t) i * job->words;
	return ML_OK;
}

/* Candidates are columns with at least half of the rows looked at in one bin that are in company there. */
static MlStatus
choose_candidates(MlEnv *env, BundleJob *job)
{
	size_t		n = job->bins->n;
	size_t		looked;
	uint64_t   *bits;
	int			kept = 0;

	job->step = n / SAMPLE_ROWS + 1;
	looked = (n + job->step - 1) / job->step;
	job->words = (looked + 63) / 64;
	for (int j = 0; j < job->bins->n_narrow; j++)
		job->candidate[j].feature = job->bins->narrow[j];
	job->n = job->bins->n_narrow;
	ML_TRY(give_bits(env, job, &bits));
	ML_TRY(ml_pool_run(env, (size_t) job->n, look_task, job));
	for (int i = 0; i < job->n; i++)
		if (job->candidate[i].others <= looked / 2)
			job->candidate[kept++] = job->candidate[i];
	job->n = kept;
	sort_candidates(job->candidate, job->n);
	ML_TRY(group(env, job));
	drop_singles(job);
	ml_release(env, bits);
	return ML_OK;
}

/* The same of all rows. */
static MlStatus
choose_bundles(MlEnv *env, BundleJob *job)
{
	uint64_t   *bits;

	job->step = 1;
	job->words = (job->bins->n + 63) / 64;
	ML_TRY(give_bits(env, job, &bits));
	ML_TRY(ml_pool_run(env, (size_t) job->n, mark_task, job));
	ML_TRY(group(env, job));
	ml_release(env, bits);
	return ML_OK;
}

/* ---- writing bundles ---- */

/* Lists the members of bundles that have several, in their order. */
static MlStatus
list_members(MlEnv *env, BundleJob *job)
{
	job->member = ml_alloc(env, (size_t) job->n + 1, sizeof(int));
	job->first = ml_alloc0(env, (size_t) job->n_bundles + 2, sizeof(int));
	if (job->member == NULL || job->first == NULL)
		return env->error.status;
	for (int b = 0; b < job->n_bundles; b++)
		job->first[b + 2] = job->first[b + 1] + (job->bundle[b].members > 1 ? (int) job->bundle[b].members : 0);
	/* first[b + 1] is where bundle b begins; while it is filled, where it goes on. */
	for (int i = 0; i < job->n; i++)
	{
		int32_t		b = job->candidate[i].bundle;

		if (job->bundle[b].members > 1)
			job->member[job->first[b + 1]++] = i;
	}
	return ML_OK;
}

/* Which byte stands for which bin of a member. */
static void
number_values(const BundleJob *job, int i, uint32_t value, uint8_t *bin_of, const uint8_t *present)
{
	const Candidate *c = &job->candidate[i];
	MlGbdtColumn *column = &job->bins->column[c->feature];

	column->first_value = value;
	column->n_values = c->n_values;
	column->default_bin = c->default_bin;
	for (uint32_t bin = 0; bin <= column->missing; bin++)
	{
		if (bin == c->default_bin || !present[bin])
			continue;
		job->value_of[i][bin] = (uint8_t) value;
		bin_of[value++] = (uint8_t) bin;
	}
}

static MlStatus
lay_out_bundles(MlEnv *env, BundleJob *job, const uint8_t *present, const size_t *first_bin)
{
	ML_TRY(list_members(env, job));
	job->value_of = ml_alloc0(env, (size_t) job->n + 1, sizeof(*job->value_of));
	if (job->value_of == NULL)
		return env->error.status;
	for (int b = 0; b < job->n_bundles; b++)
	{
		Bundle	   *bundle = &job->bundle[b];
		uint32_t	value = 1;

		if (bundle->members < 2)
			continue;
		bundle->bytes = ml_alloc(env, job->bins->n, sizeof(uint8_t));
		bundle->bin_of = ml_alloc0(env, 256, sizeof(uint8_t));
		if (bundle->bytes == NULL || bundle->bin_of == NULL)
			return env->error.status;
		for (int m = job->first[b]; m < job->first[b + 1]; m++)
		{
			const Candidate *c = &job->candidate[job->member[m]];

			number_values(job, job->member[m], value, bundle->bin_of, present + first_bin[c->feature]);
			value += c->n_values;
		}
	}
	return ML_OK;
}

static void
write_member(const BundleJob *job, int i, size_t begin, size_t end, uint8_t *bytes)
{
	const Candidate *c = &job->candidate[i];
	const MlGbdtColumn *column = &job->bins->column[c->feature];
	const MlSparse *s = sparse_source(job, c->feature);
	const uint8_t *value_of = job->value_of[i];

	/* Without a conflict, so that adding is writing; the default bin is 0. */
	if (s == NULL)
	{
		for (size_t row = begin; row < end; row++)
			bytes[row] |= value_of[column->narrow[row]];
		return;
	}
	for (size_t at = ml_sparse_find(s, begin), last = ml_sparse_find(s, end); at < last; at += PIECE)
	{
		size_t		piece = last - at < PIECE ? last - at : PIECE;
		uint8_t		bin[PIECE];

		sparse_bins(column, s, at, piece, bin);
		for (size_t k = 0; k < piece; k++)
			bytes[s->row[at + k]] |= value_of[bin[k]];
	}
}

/* One task: one block of rows of one bundle. */
static void
write_task(void *arg, size_t task, int thread)
{
	const BundleJob *job = arg;
	int			b = (int) (task / job->blocks);
	size_t		begin = task % job->blocks * FILL_ROWS;
	size_t		end = begin + FILL_ROWS < job->bins->n ? begin + FILL_ROWS : job->bins->n;

	if (job->bundle[b].bytes == NULL)
		return;
	memset(job->bundle[b].bytes + begin, 0, end - begin);
	for (int m = job->first[b]; m < job->first[b + 1]; m++)
		write_member(job, job->member[m], begin, end, job->bundle[b].bytes);
}

/* From now on the columns of a bundle are what its bytes say. */
static void
adopt(MlEnv *env, BundleJob *job)
{
	for (int b = 0; b < job->n_bundles; b++)
	{
		for (int m = job->first[b]; m < job->first[b + 1]; m++)
		{
			MlGbdtColumn *column = &job->bins->column[job->candidate[job->member[m]].feature];

			if (!column->given)
				ml_release(env, column->narrow);
			column->narrow = job->bundle[b].bytes;
			column->bin_of = job->bundle[b].bin_of;
			column->bundle = b;
			column->deferred = false;
		}
	}
}

MlStatus
ml_gbdt_bundle(MlEnv *env, const MlDataset *data, const uint8_t *present, const size_t *first_bin, MlGbdtBins *bins)
{
	BundleJob	job = {.data = data, .bins = bins};

	if (bins->n_narrow < 2)
		return ML_OK;
	job.candidate = ml_alloc0(env, (size_t) bins->n_narrow, sizeof(Candidate));
	job.bundle = ml_alloc0(env, (size_t) bins->n_narrow, sizeof(Bundle));
	if (job.candidate == NULL || job.bundle == NULL)
		return env->error.status;
	ML_TRY(choose_candidates(env, &job));
	if (job.n >= 2)
	{
		ML_TRY(choose_bundles(env, &job));
		ML_TRY(lay_out_bundles(env, &job, present, first_bin));
		job.blocks = (bins->n + FILL_ROWS - 1) / FILL_ROWS;
		ML_TRY(ml_pool_run(env, (size_t) job.n_bundles * job.blocks, write_task, &job));
		adopt(env, &job);
		bins->n_bundles = job.n_bundles;
		ml_release(env, job.member);
		ml_release(env, job.first);
		ml_release(env, job.value_of);
	}
	ml_release(env, job.candidate);
	ml_release(env, job.bundle);
	return ML_OK;
}

/* ---- using them ---- */

const MlGbdtSum *
ml_gbdt_spread(const MlGbdtColumn *column, const MlGbdtSum *stored, MlGbdtSum total, MlGbdtSum *room)
{
	if (column->bin_of == NULL)
		return stored;
	memset(room, 0, (column->missing + 1) * sizeof(MlGbdtSum));
	for (uint32_t v = column->first_value; v < column->first_value + column->n_values; v++)
	{
		room[column->bin_of[v]] = stored[v];
		total -= stored[v];
	}
	room[column->default_bin] = total;
	return room;
}

void
ml_gbdt_stored_sides(const MlGbdtColumn *column, uint8_t *goes_left)
{
	uint8_t		by_bin[256];

	if (column->bin_of == NULL)
		return;
	memcpy(by_bin, goes_left, column->missing + 1);
	memset(goes_left, by_bin[column->default_bin], 256);
	for (uint32_t v = column->first_value; v < column->first_value + column->n_values; v++)
		goes_left[v] = by_bin[column->bin_of[v]];
}
