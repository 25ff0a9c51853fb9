/*-------------------------------------------------------------------------
 * bins.c
 *	  The binned training data.  Limits and bins of numbers: ml/data/binner.c.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/algo/gbdt/gbdt_internal.h"
#include "ml/base/arena.h"
#include "ml/base/pool.h"
#include "ml/base/rng.h"
#include "ml/base/search.h"

/* Rows that one task bins. */
#define BIN_ROWS 65536
/* Rows that are turned from columns to rows while they stay in the first-level cache. */
#define TURN_ROWS 128

#define SPREAD_ROWS 1024			/* of a sparse column at a time */

/* Distinct values of a sparse column, beside 0, up to which most of its zeros need not be counted. */
#define FEW_VALUES 32

typedef struct BinJob
{
	MlEnv	   *env;
	const MlDataset *data;
	const MlBinRules *rules;
	MlGbdtBins *bins;
	const uint32_t *sample;		/* row numbers, NULL: every row */
	size_t		n_sample;
	MlBinSample *room;			/* by thread */
	size_t		blocks;			/* row blocks */
	bool		bundle;			/* columns may share a stored one */
	uint8_t    *seen;			/* by thread, feature, bin: 1 if rows are in it */
	size_t	   *first;			/* by feature: its first bin in there */
} BinJob;

/* The first sampled row, from number i on, that is not before this one. */
static size_t
sampled_from(const BinJob *job, size_t i, size_t row)
{
	if (job->sample == NULL)
		return row < job->n_sample ? row : job->n_sample;
	return ml_search_u32(job->sample, i, job->n_sample, row);
}

/* Has the sample so few distinct values that each may have its own bin, with 0 and missing ones? */
static bool
is_few(const BinJob *job, const MlBinSample *room)
{
	uint64_t	seen[FEW_VALUES];
	int			n = 0;

	for (size_t i = 0; i < room->n; i++)
	{
		int			k = 0;

		while (k < n && seen[k] != room->key[i])
			k++;
		if (k < n)
			continue;
		if (n == FEW_VALUES || n + 3 > job->rules->max_bin)
			return false;
		seen[n++] = room->key[i];
	}
	return true;
}

/*
 * The sampled rows of a column that is 0 in most of them.  Where each value may have its own bin,
 * limits depend on whether a value has min_data_in_bin rows, and no more: so many zeros do for all.
 */
static void
sample_sparse(const BinJob *job, const MlSparse *s, MlBinSample *room)
{
	size_t		zeros = job->n_sample;
	size_t		i = 0;

	for (size_t at = 0; at < s->n && i < job->n_sample; at++)
	{
		i = sampled_from(job, i, s->row[at]);
		if (i == job->n_sample || (job->sample ? job->sample[i] : i) != s->row[at])
			continue;
		ml_bin_sample_add(room, s->value != NULL ? s->value[at] : 1);
		zeros--;
	}
	if (zeros > (size_t) job->rules->min_data_in_bin && is_few(job, room))
		zeros = job->rules->min_data_in_bin < 1 ? 1 : (size_t) job->rules->min_data_in_bin;
	for (size_t z = 0; z < zeros; z++)
		ml_bin_sample_add(room, 0);
}

/* One task: the limits of one feature. */
static void
find_limits(void *arg, size_t task, int thread)
{
	BinJob	   *job = arg;
	MlGbdtColumn *column = &job->bins->column[task];
	const double *x = job->data->columns[task].number;
	MlBinSample *room = &job->room[thread];

	if (column->category || column->given)
		return;
	if (job->data->columns[task].sparse != NULL)
		sample_sparse(job, job->data->columns[task].sparse, room);
	else
		ml_bin_sample_take(room, x, job->sample, job->n_sample);
	ml_binner_find(&column->binner, job->rules, room);
	column->n_bins = column->binner.n_bins;
	column->missing = column->binner.missing;
	column->upper = column->binner.upper;
}

static inline uint32_t
bin_of_code(const MlGbdtColumn *column, int32_t code)
{
	if (code < 0)
		return column->missing;
	return (uint32_t) code < column->n_bins ? (uint32_t) code : column->n_bins;
}

static void
bin_codes(const MlGbdtColumn *column, const int32_t *code, size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++)
	{
		if (column->narrow)
			column->narrow[i] = (uint8_t) bin_of_code(column, code[i]);
		else
			column->wide[i] = (uint16_t) bin_of_code(column, code[i]);
	}
}

/* Spread out, some rows at a time. */
static void
bin_sparse(const MlGbdtColumn *column, const MlSparse *sparse, size_t begin, size_t end)
{
	double		x[SPREAD_ROWS];

	for (size_t i = begin; i < end; i += SPREAD_ROWS)
	{
		size_t		n = end - i < SPREAD_ROWS ? end - i : SPREAD_ROWS;

		ml_sparse_read(sparse, i, n, x);
		if (column->narrow)
			ml_bin_narrow(&column->binner, x, n, column->narrow + i);
		else
			ml_bin_wide(&column->binner, x, n, column->wide + i);
	}
}

/* The bins of a sparse column that is not spread out yet: which there are. */
static void
see_sparse(const MlGbdtColumn *column, const MlSparse *sparse, size_t begin, size_t end, uint8_t *seen)
{
	size_t		first = ml_sparse_find(sparse, begin);
	size_t		at = first;
	double		x = 0;
	uint8_t		bin;

	for (; at < sparse->n && sparse->row[at] < end; at++)
	{
		x = sparse->value != NULL ? sparse->value[at] : 1;
		ml_bin_narrow(&column->binner, &x, 1, &bin);
		seen[bin] = 1;
	}
	x = 0;
	ml_bin_narrow(&column->binner, &x, 1, &bin);
	if (at - first < end - begin)
		seen[bin] = 1;
}

/* One task: one feature of one block of rows. */
static void
fill_bins(void *arg, size_t task, int thread)
{
	BinJob	   *job = arg;
	size_t		f = task / job->blocks;
	size_t		begin = task % job->blocks * BIN_ROWS;
	size_t		end = begin + BIN_ROWS < job->bins->n ? begin + BIN_ROWS : job->bins->n;
	const MlGbdtColumn *column = &job->bins->column[f];
	const MlDataColumn *source = &job->data->columns[f];
	uint8_t    *seen = job->seen + (size_t) thread * job->first[job->bins->n_features] + job->first[f];

	if (column->deferred)
	{
		see_sparse(column, source->sparse, begin, end, seen);
		return;
	}
	if (column->given)
		;
	else if (column->category)
		bin_codes(column, source->code, begin, end);
	else if (source->sparse != NULL)
		bin_sparse(column, source->sparse, begin, end);
	else if (column->narrow)
		ml_bin_narrow(&column->binner, source->number + begin, end - begin, column->narrow + begin);
	else
		ml_bin_wide(&column->binner, source->number + begin, end - begin, column->wide + begin);
	for (size_t i = begin; i < end; i++)
		seen[column->narrow ? column->narrow[i] : column->wide[i]] = 1;
}

/* One task: the bytes of one block of rows, row by row. */
static void
turn_rows(void *arg, size_t task, int thread)
{
	BinJob	   *job = arg;
	MlGbdtBins *bins = job->bins;
	size_t		begin = task * ML_GBDT_BLOCK;
	size_t		end = begin + ML_GBDT_BLOCK < bins->n ? begin + ML_GBDT_BLOCK : bins->n;

	for (size_t a = begin; a < end; a += TURN_ROWS)
	{
		size_t		b = a + TURN_ROWS < end ? a + TURN_ROWS : end;

		for (int j = 0; j < bins->n_bytes; j++)
		{
			uint8_t		from[TURN_ROWS];
			uint8_t    *to = bins->row_major + a * bins->stride + j;

			ml_gbdt_byte_rows(bins, &bins->byte[j], a, b - a, from);
			for (size_t i = 0; i < b - a; i++)
				to[i * bins->stride] = from[i];
		}
	}
}

/* The rows that limits are found on: about rules->sample of them, by row number. */
static MlStatus
choose_sample(MlEnv *env, BinJob *job, uint32_t **sample)
{
	size_t		n = job->bins->n;
	double		share = (double) job->rules->sample / (double) n;
	size_t		count = 0;
	uint32_t   *rows;

	*sample = NULL;
	job->n_sample = n;
	if (n <= job->rules->sample)
		return ML_OK;
	for (size_t i = 0; i < n; i++)
		count += ml_rng_uniform(env->seed, ML_GBDT_STREAM_BINS, i) < share;
	rows = ml_alloc(env, count + 1, sizeof(uint32_t));
	if (rows == NULL)
		return env->error.status;
	rows[0] = 0;
	count = 0;
	for (size_t i = 0; i < n; i++)
		if (ml_rng_uniform(env->seed, ML_GBDT_STREAM_BINS, i) < share)
			rows[count++] = (uint32_t) i;
	job->n_sample = count > 0 ? count : 1;
	*sample = rows;
	return ML_OK;
}

static MlStatus
make_room(MlEnv *env, BinJob *job, int threads)
{
	job->room = ml_alloc0(env, (size_t) threads, sizeof(MlBinSample));
	if (job->room == NULL)
		return env->error.status;
	for (int t = 0; t < threads; t++)
		ML_TRY(ml_bin_sample_make(env, job->n_sample, &job->room[t]));
	for (int f = 0; f < job->bins->n_features; f++)
	{
		if (!job->bins->column[f].category && !job->bins->column[f].given)
			ML_TRY(ml_binner_make(env, job->rules, &job->bins->column[f].binner));
	}
	return ML_OK;
}

static void
give_room_back(MlEnv *env, BinJob *job, uint32_t *sample, int threads)
{
	for (int t = 0; t < threads; t++)
		ml_bin_sample_release(env, &job->room[t]);
	ml_release(env, sample);
}

static MlStatus
allocate_columns(MlEnv *env, BinJob *job, int threads)
{
	MlGbdtBins *bins = job->bins;

	job->first = ml_alloc0(env, (size_t) bins->n_features + 1, sizeof(size_t));
	if (job->first == NULL)
		return env->error.status;
	for (int f = 0; f < bins->n_features; f++)
	{
		MlGbdtColumn *column = &bins->column[f];

		if (column->given)
			;
		else if (column->missing < 256 && job->bundle && job->data->columns[f].sparse != NULL)
			column->deferred = true;
		else if (column->missing < 256)
			column->narrow = ml_alloc(env, bins->n, sizeof(uint8_t));
		else
			column->wide = ml_alloc(env, bins->n, sizeof(uint16_t));
		if (column->narrow == NULL && column->wide == NULL && !column->deferred)
			return env->error.status;
		job->first[f + 1] = job->first[f] + column->missing + 1;
	}
	job->seen = ml_alloc0(env, (size_t) threads * job->first[bins->n_features] + 1, sizeof(uint8_t));
	return job->seen == NULL ? env->error.status : ML_OK;
}

/* Columns with one bin only can never split: they get no place in histograms. */
static void
choose_columns(MlEnv *env, const BinJob *job, int threads)
{
	MlGbdtBins *bins = job->bins;

	for (int f = 0; f < bins->n_features; f++)
	{
		MlGbdtColumn *column = &bins->column[f];

		for (size_t b = job->first[f]; b < job->first[f + 1]; b++)
		{
			for (int t = 1; t < threads; t++)
				job->seen[b] |= job->seen[(size_t) t * job->first[bins->n_features] + b];
			column->present += job->seen[b];
		}
		column->usable = column->present >= 2;
		column->position = -1;
		if (!column->usable)
		{
			if (!column->given)
				ml_release(env, column->narrow);
			ml_release(env, column->wide);
			column->narrow = NULL;
			column->wide = NULL;
			column->deferred = false;
		}
		else if (column->narrow || column->deferred)
			bins->narrow[bins->n_narrow++] = f;
		else
		{
			bins->wide[bins->n_wide++] = f;
			if (column->missing + 1 > bins->widest)
				bins->widest = column->missing + 1;
		}
	}
}

/* Bytes from row to row: a row that two cache lines share costs two misses where leaves are small. */
static size_t
row_stride(size_t columns)
{
	size_t		stride = 8;

	if (columns > 32)
		return (columns + 63) / 64 * 64;
	while (stride < columns)
		stride *= 2;
	return stride;
}

/* Sparse columns that found no bundle are spread out after all. */
static void
spread_task(void *arg, size_t task, int thread)
{
	BinJob	   *job = arg;
	const MlGbdtColumn *column = &job->bins->column[job->bins->narrow[task]];

	if (column->deferred)
		bin_sparse(column, job->data->columns[job->bins->narrow[task]].sparse, 0, job->bins->n);
}

static MlStatus
spread_rest(MlEnv *env, BinJob *job)
{
	MlGbdtBins *bins = job->bins;

	for (int j = 0; j < bins->n_narrow; j++)
	{
		MlGbdtColumn *column = &bins->column[bins->narrow[j]];

		if (!column->deferred)
			continue;
		column->narrow = ml_alloc(env, bins->n, sizeof(uint8_t));
		if (column->narrow == NULL)
			return env->error.status;
	}
	ML_TRY(ml_pool_run(env, (size_t) bins->n_narrow, spread_task, job));
	for (int j = 0; j < bins->n_narrow; j++)
		bins->column[bins->narrow[j]].deferred = false;
	return ML_OK;
}

/* Stored columns in the order of their first features, and how many entries their histograms have. */
static MlStatus
list_stored(MlEnv *env, const BinJob *job, uint32_t *entries, const uint8_t **present)
{
	MlGbdtBins *bins = job->bins;
	int		   *position = ml_alloc(env, (size_t) bins->n_bundles + 1, sizeof(int));

	bins->stored = ml_alloc(env, (size_t) bins->n_narrow + 1, sizeof(uint8_t *));
	if (position == NULL || bins->stored == NULL)
		return env->error.status;
	for (int b = 0; b < bins->n_bundles; b++)
		position[b] = -1;
	for (int j = 0; j < bins->n_narrow; j++)
	{
		MlGbdtColumn *column = &bins->column[bins->narrow[j]];
		bool		bundled = column->bin_of != NULL;
		uint32_t	own = bundled ? column->first_value + column->n_values : column->missing + 1;

		column->position = bundled && position[column->bundle] >= 0 ? position[column->bundle] : bins->n_stored++;
		if (bundled)
			position[column->bundle] = column->position;
		bins->stored[column->position] = column->narrow;
		present[column->position] = bundled ? NULL : job->seen + job->first[bins->narrow[j]];
		if (own > entries[column->position])
			entries[column->position] = own;
	}
	ml_release(env, position);
	return ML_OK;
}

static MlStatus
make_row_major(MlEnv *env, BinJob *job)
{
	MlGbdtBins *bins = job->bins;
	uint32_t   *entries = ml_alloc0(env, (size_t) bins->n_narrow + 1, sizeof(uint32_t));
	const uint8_t **present = ml_alloc0(env, (size_t) bins->n_narrow + 1, sizeof(uint8_t *));

	if (entries == NULL || present == NULL)
		return env->error.status;
	ML_TRY(list_stored(env, job, entries, present));
	ML_TRY(ml_gbdt_join(env, present, entries, bins));
	ml_release(env, entries);
	ml_release(env, present);
	bins->stride = row_stride((size_t) bins->n_bytes);
	if (bins->n_bytes == 0)
		return ML_OK;
	bins->row_major = ml_alloc(env, bins->n, bins->stride);
	if (bins->row_major == NULL)
		return env->error.status;
	return ml_pool_run(env, (bins->n + ML_GBDT_BLOCK - 1) / ML_GBDT_BLOCK, turn_rows, job);
}

/* The column has come as bins. */
static void
take_bins(const MlBinned *binned, MlGbdtColumn *column)
{
	column->given = true;
	column->binner = binned->binner;
	column->n_bins = binned->binner.n_bins;
	column->missing = binned->binner.missing;
	column->upper = binned->binner.upper;
	column->narrow = binned->bin;
}

static bool
wants_limits(const MlGbdtBins *bins)
{
	for (int f = 0; f < bins->n_features; f++)
	{
		if (!bins->column[f].category && !bins->column[f].given)
			return true;
	}
	return false;
}

static MlStatus
make_bins(MlEnv *env, const MlDataset *data, const MlBinRules *rules, MlGbdtBins *bins, bool by_row, bool bundle)
{
	BinJob		job = {.env = env, .data = data, .rules = rules, .bins = bins, .bundle = bundle};
	int			threads = ml_pool_threads(env->pool);
	size_t		features = (size_t) data->schema->n_features;
	uint32_t   *sample;

	memset(bins, 0, sizeof(*bins));
	bins->n = data->n_train;
	bins->n_features = data->schema->n_features;
	bins->column = ml_alloc0(env, features + 1, sizeof(MlGbdtColumn));
	bins->narrow = ml_alloc0(env, features + 1, sizeof(int));
	bins->wide = ml_alloc0(env, features + 1, sizeof(int));
	if (bins->column == NULL || bins->narrow == NULL || bins->wide == NULL)
		return env->error.status;
	for (size_t f = 0; f < features; f++)
	{
		MlGbdtColumn *column = &bins->column[f];

		column->category = data->columns[f].code != NULL;
		if (column->category)
		{
			column->n_bins = (uint32_t) data->schema->features[f].levels;
			column->missing = column->n_bins + 1;	/* n_bins is "other" */
		}
		if (data->columns[f].binned != NULL)
			take_bins(data->columns[f].binned, column);
	}
	if (wants_limits(bins))
	{
		ML_TRY(choose_sample(env, &job, &sample));
		job.sample = sample;
		ML_TRY(make_room(env, &job, threads));
		ML_TRY(ml_pool_run(env, features, find_limits, &job));
		give_room_back(env, &job, sample, threads);
	}
	ML_TRY(allocate_columns(env, &job, threads));
	job.blocks = (bins->n + BIN_ROWS - 1) / BIN_ROWS;
	ML_TRY(ml_pool_run(env, features * job.blocks, fill_bins, &job));
	choose_columns(env, &job, threads);
	if (bundle)
	{
		ML_TRY(ml_gbdt_bundle(env, data, job.seen, job.first, bins));
		ML_TRY(spread_rest(env, &job));
	}
	if (by_row)
		ML_TRY(make_row_major(env, &job));
	ml_release(env, job.seen);
	return ML_OK;
}

MlStatus
ml_gbdt_bins_make(MlEnv *env, const MlDataset *data, const MlBinRules *rules, bool bundle, MlGbdtBins *bins)
{
	return make_bins(env, data, rules, bins, true, bundle);
}

MlStatus
ml_gbdt_bins_columns(MlEnv *env, const MlDataset *data, const MlBinRules *rules, MlGbdtBins *bins)
{
	return make_bins(env, data, rules, bins, false, false);
}
