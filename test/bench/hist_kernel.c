/*-------------------------------------------------------------------------
 * hist_kernel.c
 *	  Histograms of gbdt alone: each column in a byte of its own, and several in one where they fit.
 *
 *	  hist_kernel [bins] [rows] [columns]
 *
 * For leaves of all rows and of fewer, scattered ones, and each form that a row's gradient has: nanoseconds a row on one
 * thread, the best of several runs.  The sums must be the same.
 *-------------------------------------------------------------------------
 */
#include "../unit/gbdt_data.h"

#include <time.h>

#include "ml/algo/gbdt/grow_internal.h"

#define REPEATS 15
#define ROWS_A_RUN 20000

static const struct
{
	const char *name;
	MlGbdtScale scale;
}			forms[] = {
	{"sums of two", {.count_bits = 20}},
	{"packed", {.packed = true, .count_bits = 20}},
	{"packed, hessians 1", {.packed = true, .unit_h = true, .count_bits = 20}}
};

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

/* A grower whose next tree would have all columns; its leaf of about every step-th row is what *rows counts. */
static MlGbdtGrower *
make_grower(MlEnv *env, const MlDataset *data, const MlGbdtScale *scale, size_t step, size_t *rows)
{
	static const MlBinRules rules = {.max_bin = 255, .min_data_in_bin = 3, .sample = 200000};
	static const MlGbdtRules growth = {.num_leaves = 31};
	MlGbdtBins *bins = ml_alloc(env, 1, sizeof(MlGbdtBins));
	MlGbdtGrower *grower;

	if (ml_gbdt_bins_make(env, data, &rules, false, bins) != ML_OK || ml_gbdt_grower_create(env, bins, &growth, &grower) != ML_OK)
	{
		printf("%s\n", env->error.message);
		exit(1);
	}
	grower->scale = *scale;
	*rows = 0;
	for (size_t i = 0; i < bins->n; i++)
	{
		ml_gbdt_store_row(scale, (int64_t) (16000 * gbdt_random(99, i)) - 8000, scale->unit_h ? 1 : (int64_t) (i % 8000), &grower->gradients, i);
		if (step == 1 || gbdt_random(98, i) * (double) step < 1)
			grower->rows[0][(*rows)++] = (uint32_t) i;
	}
	for (int b = 0; b < bins->n_bytes; b++)
		grower->byte[grower->n_bytes++] = b;
	return grower;
}

static uint64_t
hash_of(const MlGbdtBins *bins, const MlGbdtSum *hist)
{
	uint64_t	hash = 0;

	for (int f = 0; f < bins->n_features; f++)
		for (uint32_t b = 0; bins->column[f].position >= 0 && b <= bins->column[f].missing; b++)
			for (int k = 0; k < 2; k++)
				hash = ml_mix64(hash ^ (uint64_t) hist[bins->offset[bins->column[f].position] + b][k]);
	return hash;
}

/* Nanoseconds a row. */
static double
measure(const MlDataset *data, const MlGbdtScale *scale, size_t step, size_t *rows, int *bytes, uint64_t *hash)
{
	MlEnv	   *env = unit_env(1);
	MlGbdtGrower *grower = make_grower(env, data, scale, step, rows);
	size_t		entries = grower->bins->offset[grower->bins->n_stored];
	MlGbdtSum  *hist = ml_alloc(env, entries, sizeof(MlGbdtSum));
	size_t		times = ROWS_A_RUN / (*rows + 1) + 1;
	double		best = INFINITY;

	for (int r = 0; r < REPEATS; r++)
	{
		double		begin = seconds();

		for (size_t t = 0; t < times; t++)
		{
			memset(hist, 0, entries * sizeof(MlGbdtSum));
			ml_gbdt_hist_tiles(grower, grower->rows[0], *rows, grower->room[0].packed, hist);
		}
		best = fmin(best, seconds() - begin);
	}
	*bytes = grower->n_bytes;
	*hash = hash_of(grower->bins, hist);
	unit_env_free(env);
	return 1e9 * best / (double) (*rows * times);
}

int
main(int argc, char **argv)
{
	int			bins = argc > 1 ? atoi(argv[1]) : 16;
	size_t		n = argc > 2 ? strtoul(argv[2], NULL, 10) : 100000;
	int			p = argc > 3 ? atoi(argv[3]) : 32;
	MlDataset  *data = gbdt_data(unit_env(1), n, p, 0);

	for (int f = 0; f < p; f++)
		for (size_t i = 0; i < n; i++)
			gbdt_number(data, f)[i] = floor(bins * gbdt_random((uint64_t) f, i));
	for (size_t form = 0; form < sizeof(forms) / sizeof(forms[0]); form++)
	{
		for (size_t step = 1; step <= n / 40; step *= step < 100 ? 10 : 3)
		{
			double		time[2];
			uint64_t	hash[2];
			size_t		rows;
			int			bytes;

			for (int joint = 0; joint < 2; joint++)
			{
				ml_gbdt_joining_rows = joint ? 0 : SIZE_MAX;
				time[joint] = measure(data, &forms[form].scale, step, &rows, &bytes, &hash[joint]);
			}
			printf("%d columns of %d bins in %d bytes, %s, %zu rows: apart %.2f ns, together %.2f ns, ratio %.2f\n",
				   p, bins, bytes, forms[form].name, rows, time[0], time[1], time[0] / time[1]);
			if (hash[0] != hash[1])
			{
				printf("the sums differ\n");
				return 1;
			}
		}
	}
	return 0;
}
