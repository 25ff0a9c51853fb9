/*-------------------------------------------------------------------------
 * bins.c
 *	  Values to bins: where the limits lie, and the binned training data.
 *
 * Limits follow LightGBM's GreedyFindBin (Ke et al. 2017; src/io/bin.cpp): up to
 * max_bin bins of about equal count, a frequent value gets its own.  Limits are
 * doubles between two distinct doubles and nothing is ever rounded to float,
 * so neighbouring bigint keys or timestamps stay apart.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/algo/gbdt/gbdt_internal.h"
#include "ml/base/arena.h"
#include "ml/base/pool.h"
#include "ml/base/rng.h"

/* Rows that one task bins. */
#define BIN_ROWS 65536
/* Rows that are turned from columns to rows while they stay in the first-level cache. */
#define TURN_ROWS 128
#define RADIX_BITS 11
#define RADIX_SIZE (1 << RADIX_BITS)

/* Room of one thread for finding limits. */
typedef struct LimitRoom
{
	uint64_t   *key;			/* sample */
	uint64_t   *other;			/* sample, for sorting */
	size_t	   *count;			/* distinct values; shares its room with "other" */
	double	   *limit;			/* max_bin */
	bool	   *big;			/* distinct values with a bin of their own */
} LimitRoom;

typedef struct BinJob
{
	MlEnv	   *env;
	const MlDataset *data;
	const MlGbdtBinRules *rules;
	MlGbdtBins *bins;
	const uint32_t *sample;		/* row numbers, NULL: every row */
	size_t		n_sample;
	LimitRoom  *room;			/* by thread */
	size_t		blocks;			/* row blocks */
	double	  **limits;			/* by feature: what the tasks found, max_bin each */
	uint64_t   *seen;			/* by thread, feature: bitmap of bins that hold rows */
	size_t		seen_words;
} BinJob;

static inline uint64_t
order_key(double x)
{
	uint64_t	u;

	memcpy(&u, &x, sizeof(u));
	return (u >> 63) ? ~u : u | (UINT64_C(1) << 63);
}

static inline double
key_value(uint64_t key)
{
	double		x;

	key = (key >> 63) ? key & ~(UINT64_C(1) << 63) : ~key;
	memcpy(&x, &key, sizeof(x));
	return x;
}

/* Radix sort; passes whose digit is the same everywhere are left out.  The result is in key. */
static void
sort_keys(uint64_t *key, uint64_t *other, size_t n)
{
	uint64_t   *from = key;
	uint64_t   *to = other;

	for (int shift = 0; shift < 64; shift += RADIX_BITS)
	{
		size_t		place[RADIX_SIZE] = {0};
		size_t		sum = 0;
		uint64_t   *swap;

		for (size_t i = 0; i < n; i++)
			place[(from[i] >> shift) & (RADIX_SIZE - 1)]++;
		if (n > 0 && place[(from[0] >> shift) & (RADIX_SIZE - 1)] == n)
			continue;
		for (int d = 0; d < RADIX_SIZE; d++)
		{
			size_t		count = place[d];

			place[d] = sum;
			sum += count;
		}
		for (size_t i = 0; i < n; i++)
			to[place[(from[i] >> shift) & (RADIX_SIZE - 1)]++] = from[i];
		swap = from;
		from = to;
		to = swap;
	}
	if (from != key)
		memcpy(key, from, n * sizeof(uint64_t));
}

/*
 * A limit t with a <= t < b, in the middle where that is possible; the float32
 * number nearest to it where that is between them, too, for such limits are compared
 * faster (masks.c).
 */
static double
between(double a, double b)
{
	double		t = a + (b - a) / 2;
	double		single;

	if (!(t - t == 0))			/* b - a was too large for a double */
		t = a / 2 + b / 2;
	single = (float) t;
	if (single >= a && single < b)
		return single;
	return t >= a && t < b ? t : a;
}

/* Few distinct values: a limit between any two, unless a bin would hold too few rows. */
static uint32_t
limits_of_few(const LimitRoom *room, size_t distinct, int64_t min_data_in_bin)
{
	uint32_t	n = 0;
	size_t		in_bin = 0;

	for (size_t i = 0; i + 1 < distinct; i++)
	{
		in_bin += room->count[i];
		if ((int64_t) in_bin >= min_data_in_bin)
		{
			room->limit[n++] = between(key_value(room->key[i]), key_value(room->key[i + 1]));
			in_bin = 0;
		}
	}
	return n;
}

/* Many: about equal counts, frequent values apart. */
static uint32_t
limits_of_many(const LimitRoom *room, size_t distinct, size_t total, int32_t max_bin, int32_t min_data_in_bin)
{
	uint32_t	n = 0;
	int64_t		rest_bins;
	size_t		rest_rows = total;
	size_t		in_bin = 0;
	double		mean;

	if (min_data_in_bin > 0 && (size_t) max_bin > total / (size_t) min_data_in_bin)
		max_bin = (int32_t) (total / (size_t) min_data_in_bin);
	if (max_bin < 1)
		max_bin = 1;
	mean = (double) total / max_bin;
	rest_bins = max_bin;
	for (size_t i = 0; i < distinct; i++)
	{
		room->big[i] = (double) room->count[i] >= mean;
		if (room->big[i])
		{
			rest_bins--;
			rest_rows -= room->count[i];
		}
	}
	mean = rest_bins > 0 ? (double) rest_rows / (double) rest_bins : 0x1p62;
	for (size_t i = 0; i + 1 < distinct && (int32_t) n < max_bin - 1; i++)
	{
		double		half = mean * 0.5 > 1 ? mean * 0.5 : 1;

		if (!room->big[i])
			rest_rows -= room->count[i];
		in_bin += room->count[i];
		if (!room->big[i] && (double) in_bin < mean && !(room->big[i + 1] && (double) in_bin >= half))
			continue;
		room->limit[n++] = between(key_value(room->key[i]), key_value(room->key[i + 1]));
		in_bin = 0;
		if (!room->big[i])
		{
			rest_bins--;
			mean = rest_bins > 0 ? (double) rest_rows / (double) rest_bins : 0x1p62;
		}
	}
	return n;
}

/* One task: the limits of one feature. */
static void
find_limits(void *arg, size_t task, int thread)
{
	BinJob	   *job = arg;
	MlGbdtColumn *column = &job->bins->column[task];
	const double *x = job->data->columns[task].number;
	LimitRoom  *room = &job->room[thread];
	int32_t		max_bin = job->rules->max_bin;
	size_t		n = 0;
	size_t		distinct = 0;

	if (column->category)
		return;
	for (size_t i = 0; i < job->n_sample; i++)
	{
		double		v = x[job->sample ? job->sample[i] : i];

		/* -0 and 0 are one value: adding 0 makes them so. */
		if (v == v)
			room->key[n++] = order_key(v + 0.0);
	}
	if (n < job->n_sample && max_bin > 2)
		max_bin--;				/* missing values take a bin of the budget */
	sort_keys(room->key, room->other, n);
	room->count = (size_t *) room->other;
	for (size_t i = 0; i < n; i++)
	{
		if (i > 0 && room->key[i] == room->key[distinct - 1])
			room->count[distinct - 1]++;
		else
		{
			room->key[distinct] = room->key[i];
			room->count[distinct++] = 1;
		}
	}
	if (distinct <= (size_t) max_bin)
		column->n_bins = limits_of_few(room, distinct, job->rules->min_data_in_bin) + 1;
	else
		column->n_bins = limits_of_many(room, distinct, n, max_bin, job->rules->min_data_in_bin) + 1;
	column->missing = column->n_bins;
	memcpy(job->limits[task], room->limit, (column->n_bins - 1) * sizeof(double));
	for (column->half = 1; 2 * column->half <= column->n_bins - 1; column->half *= 2)
		;
	for (uint32_t b = column->n_bins - 1; b < 2 * column->half - 1; b++)
		job->limits[task][b] = INFINITY;
}

/*
 * Bins of eight values at once: the number of limits below each.  The table is
 * filled up with infinities to 2^k - 1, so the search takes k steps for every
 * value, and none is a branch: a searching branch is mispredicted every other
 * time, which made this the longest part of a fit on a million rows
 * (test/bench/predict_kernel.c prints the time of fits).
 */
static inline void
bins_of_eight(const double *upper, uint32_t half, const double *x, uint32_t *bin)
{
	for (int j = 0; j < 8; j++)
		bin[j] = 0;
	for (uint32_t step = half; step > 0; step /= 2)
		for (int j = 0; j < 8; j++)
			bin[j] += step & -(uint32_t) (upper[bin[j] + step - 1] < x[j]);
}

static inline uint32_t
bin_of_code(const MlGbdtColumn *column, int32_t code)
{
	if (code < 0)
		return column->missing;
	return (uint32_t) code < column->n_bins ? (uint32_t) code : column->n_bins;
}

/* Bins of up to eight rows from row i on. */
static inline void
find_bins(const MlGbdtColumn *column, const MlDataColumn *source, size_t i, size_t n, uint32_t *bin)
{
	double		x[8] = {0};

	if (column->category)
	{
		for (size_t j = 0; j < n; j++)
			bin[j] = bin_of_code(column, source->code[i + j]);
		return;
	}
	memcpy(x, source->number + i, n * sizeof(double));
	bins_of_eight(column->upper, column->half, x, bin);
	for (size_t j = 0; j < n; j++)
		bin[j] = x[j] == x[j] ? bin[j] : column->missing;
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
	uint64_t   *seen = job->seen + ((size_t) thread * (size_t) job->bins->n_features + f) * job->seen_words;

	for (size_t i = begin; i < end; i += 8)
	{
		size_t		n = end - i < 8 ? end - i : 8;
		uint32_t	bin[8];

		find_bins(column, source, i, n, bin);
		for (size_t j = 0; j < n; j++)
		{
			seen[bin[j] / 64] |= UINT64_C(1) << (bin[j] % 64);
			if (column->narrow)
				column->narrow[i + j] = (uint8_t) bin[j];
			else
				column->wide[i + j] = (uint16_t) bin[j];
		}
	}
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

		for (int j = 0; j < bins->n_narrow; j++)
		{
			const uint8_t *from = bins->column[bins->narrow[j]].narrow;
			uint8_t    *to = bins->row_major + j;

			for (size_t i = a; i < b; i++)
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
	job->room = ml_alloc0(env, (size_t) threads, sizeof(LimitRoom));
	job->limits = ml_alloc0(env, (size_t) job->bins->n_features, sizeof(double *));
	if (job->room == NULL || job->limits == NULL)
		return env->error.status;
	for (int t = 0; t < threads; t++)
	{
		job->room[t].key = ml_alloc(env, job->n_sample, sizeof(uint64_t));
		job->room[t].other = ml_alloc(env, job->n_sample, sizeof(uint64_t));
		job->room[t].big = ml_alloc(env, job->n_sample, sizeof(bool));
		job->room[t].limit = ml_alloc(env, (size_t) job->rules->max_bin, sizeof(double));
		if (!job->room[t].key || !job->room[t].other || !job->room[t].big || !job->room[t].limit)
			return env->error.status;
	}
	for (int f = 0; f < job->bins->n_features; f++)
	{
		if (job->bins->column[f].category)
			continue;
		/* filled up to a power of two, see bins_of_eight() */
		job->limits[f] = ml_alloc(env, 2 * (size_t) job->rules->max_bin, sizeof(double));
		if (job->limits[f] == NULL)
			return env->error.status;
	}
	return ML_OK;
}

static void
give_room_back(MlEnv *env, BinJob *job, uint32_t *sample, int threads)
{
	for (int t = 0; t < threads; t++)
	{
		ml_release(env, job->room[t].key);
		ml_release(env, job->room[t].other);
		ml_release(env, job->room[t].big);
	}
	ml_release(env, sample);
}

static MlStatus
allocate_columns(MlEnv *env, BinJob *job)
{
	MlGbdtBins *bins = job->bins;
	uint32_t	most = 0;

	for (int f = 0; f < bins->n_features; f++)
	{
		MlGbdtColumn *column = &bins->column[f];

		column->upper = job->limits[f];
		if (column->missing < 256)
			column->narrow = ml_alloc(env, bins->n, sizeof(uint8_t));
		else
			column->wide = ml_alloc(env, bins->n, sizeof(uint16_t));
		if (column->narrow == NULL && column->wide == NULL)
			return env->error.status;
		if (column->missing + 1 > most)
			most = column->missing + 1;
	}
	job->seen_words = most / 64 + 1;
	return ML_OK;
}

/* Columns with one bin only can never split: they get no place in histograms. */
static void
choose_columns(MlEnv *env, const BinJob *job, int threads)
{
	MlGbdtBins *bins = job->bins;

	for (int f = 0; f < bins->n_features; f++)
	{
		MlGbdtColumn *column = &bins->column[f];

		for (size_t w = 0; w < job->seen_words; w++)
		{
			uint64_t	seen = 0;

			for (int t = 0; t < threads; t++)
				seen |= job->seen[((size_t) t * (size_t) bins->n_features + (size_t) f) * job->seen_words + w];
			column->present += (uint32_t) __builtin_popcountll(seen);
		}
		column->usable = column->present >= 2;
		column->position = -1;
		if (!column->usable)
		{
			ml_release(env, column->narrow);
			ml_release(env, column->wide);
			column->narrow = NULL;
			column->wide = NULL;
		}
		else if (column->narrow)
		{
			column->position = bins->n_narrow;
			bins->narrow[bins->n_narrow++] = f;
		}
		else
		{
			bins->wide[bins->n_wide++] = f;
			if (column->missing + 1 > bins->widest)
				bins->widest = column->missing + 1;
		}
	}
}

static MlStatus
make_row_major(MlEnv *env, BinJob *job)
{
	MlGbdtBins *bins = job->bins;
	uint32_t	entries = 0;

	bins->offset = ml_alloc(env, (size_t) bins->n_narrow + 1, sizeof(uint32_t));
	if (bins->offset == NULL)
		return env->error.status;
	for (int j = 0; j < bins->n_narrow; j++)
	{
		uint32_t	total = bins->column[bins->narrow[j]].missing + 1;

		bins->offset[j] = entries;

		/*
		 * Starts that are a multiple of 4096 bytes apart would share their cache
		 * sets: with skewed bins that costs up to three times the time.
		 */
		entries += total + (total >= 64 ? 4 : 0);
	}
	bins->offset[bins->n_narrow] = entries;
	bins->stride = ((size_t) bins->n_narrow + 7) / 8 * 8;
	if (bins->stride >= 48)
		bins->stride = (bins->stride + 63) / 64 * 64;
	if (bins->n_narrow == 0)
		return ML_OK;
	bins->row_major = ml_alloc(env, bins->n, bins->stride);
	if (bins->row_major == NULL)
		return env->error.status;
	return ml_pool_run(env, (bins->n + ML_GBDT_BLOCK - 1) / ML_GBDT_BLOCK, turn_rows, job);
}

MlStatus
ml_gbdt_bins_make(MlEnv *env, const MlDataset *data, const MlGbdtBinRules *rules, MlGbdtBins *bins)
{
	BinJob		job = {.env = env, .data = data, .rules = rules, .bins = bins};
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

		column->category = data->columns[f].number == NULL;
		if (column->category)
		{
			column->n_bins = (uint32_t) data->schema->features[f].levels;
			column->missing = column->n_bins + 1;	/* n_bins is "other" */
		}
	}
	ML_TRY(choose_sample(env, &job, &sample));
	job.sample = sample;
	ML_TRY(make_room(env, &job, threads));
	ML_TRY(ml_pool_run(env, features, find_limits, &job));
	give_room_back(env, &job, sample, threads);
	ML_TRY(allocate_columns(env, &job));
	job.blocks = (bins->n + BIN_ROWS - 1) / BIN_ROWS;
	job.seen = ml_alloc0(env, (size_t) threads * features * job.seen_words + 1, sizeof(uint64_t));
	if (job.seen == NULL)
		return env->error.status;
	ML_TRY(ml_pool_run(env, features * job.blocks, fill_bins, &job));
	choose_columns(env, &job, threads);
	ml_release(env, job.seen);
	return make_row_major(env, &job);
}
