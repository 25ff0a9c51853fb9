/*-------------------------------------------------------------------------
 * predict_kernel.c
 *	  What one prediction of a gbdt model costs, without SQL around it.
 *
 *	  predict_kernel [rows of training] [columns] [trees] [leaves] [categories]
 *
 * Prints seconds of the fit by threads 1 and 2, then nanoseconds a row of
 * predicting, one by one and in blocks, median and best of seven passes over 100,000 rows.  Not under
 * sanitizers; "make bench" says how it is built.
 *-------------------------------------------------------------------------
 */
#include "../unit/gbdt_data.h"

#include <time.h>

#include "ml/base/simd.h"

#define PREDICT_ROWS 100000
#define PASSES 7

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static int
by_value(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

/* A target that needs many splits: products and thresholds of half the columns. */
static MlDataset *
make_data(MlEnv *env, size_t n, int p, int categories)
{
	MlDataset  *data = gbdt_data(env, n, p, 2);

	for (int f = 0; f < p; f++)
	{
		int32_t    *code = f % 2 == 1 && categories > 0 ? gbdt_category(env, data, f, categories) : NULL;

		for (size_t i = 0; i < n; i++)
		{
			double		u = gbdt_random((uint64_t) f, i);

			if (code != NULL)
				code[i] = (int32_t) (u * u * categories);
			else
				gbdt_number(data, f)[i] = f % 4 == 0 ? gbdt_normal((uint64_t) f, i) : floor(u * 1000);
		}
	}
	for (size_t i = 0; i < n; i++)
	{
		double		s = 0;

		for (int f = 0; f + 1 < p; f += 2)
		{
			double		a = ml_dataset_value(data, f, i);
			double		b = data->columns[f + 1].code ? data->columns[f + 1].code[i] * 7919 % 13 / 6.0 - 1 :
				ml_dataset_value(data, f + 1, i) / 500 - 1;

			s += (f % 4 == 0 ? a : a / 500 - 1) * b + (b > 0.5);
		}
		gbdt_target(data)[i] = s + gbdt_normal(1000, i) > 1;
	}
	return data;
}

static void
report(const char *what, double *times, double sum)
{
	qsort(times, PASSES, sizeof(double), by_value);
	printf("%s: %.0f ns a row (best %.0f), mean probability %.4f\n", what, times[PASSES / 2], times[0], sum / PREDICT_ROWS / PASSES);
}

/* The same rows in blocks, which are filled from rows as a scan would. */
static double
time_blocks(const MlModel *model, const double *rows, int p, double *sum)
{
	double	   *block = aligned_alloc(64, sizeof(double) * ML_BATCH_ROWS * (size_t) p);
	double		out[2 * ML_BATCH_ROWS];
	double		start = seconds();

	for (size_t first = 0; first < PREDICT_ROWS; first += ML_BATCH_ROWS)
	{
		size_t		n = PREDICT_ROWS - first < ML_BATCH_ROWS ? PREDICT_ROWS - first : ML_BATCH_ROWS;

		for (size_t i = 0; i < n; i++)
			for (int f = 0; f < p; f++)
				block[f * ML_BATCH_ROWS + (int) i] = rows[(first + i) * (size_t) p + f];
		ml_model_predict_batch(model, block, n, out);
		for (size_t i = 0; i < n; i++)
			*sum += out[2 * i + 1];
	}
	free(block);
	return (seconds() - start) * 1e9 / PREDICT_ROWS;
}

/* The tier may be named by MLPLAT_SIMD: baseline, avx2, avx512. */
static void
choose_tier(void)
{
	const char *tier = getenv("MLPLAT_SIMD");

	if (tier != NULL)
		ml_simd_limit(strcmp(tier, "baseline") == 0 ? ML_TIER_BASELINE : strcmp(tier, "avx2") == 0 ? ML_TIER_AVX2 : ML_TIER_AVX512);
}

int
main(int argc, char **argv)
{
	size_t		n = argc > 1 ? strtoul(argv[1], NULL, 10) : 200000;
	int			p = argc > 2 ? atoi(argv[2]) : 20;
	const char *trees = argc > 3 ? argv[3] : "100";
	const char *leaves = argc > 4 ? argv[4] : "31";
	int			categories = argc > 5 ? atoi(argv[5]) : 0;
	MlEnv	   *data_env = unit_env(1);
	MlDataset  *data = make_data(data_env, n, p, categories);
	MlModel    *model = NULL;
	double	   *rows = malloc(sizeof(double) * PREDICT_ROWS * (size_t) p);
	double		times[PASSES];
	double		out[2];
	double		sum = 0;

	choose_tier();
	for (int threads = 1; threads <= 2; threads++)
	{
		MlEnv	   *env = unit_env(threads);
		char		settings[100];
		double		start = seconds();

		snprintf(settings, sizeof(settings), "num_iterations=%s num_leaves=%s", trees, leaves);
		if (gbdt_fit(env, data, settings, &model) != ML_OK)
		{
			printf("%s\n", env->error.message);
			return 1;
		}
		printf("fit, %d thread%s: %.3f s, peak %.1f MB\n", threads, threads > 1 ? "s" : "", seconds() - start,
			   (double) ml_arena_peak(env->arena) / 1e6);
	}
	for (size_t i = 0; i < PREDICT_ROWS; i++)
		ml_dataset_row(data, (i * 7919) % n, rows + i * (size_t) p);
	for (int pass = 0; pass < PASSES; pass++)
	{
		double		start = seconds();

		for (size_t i = 0; i < PREDICT_ROWS; i++)
		{
			ml_model_predict(model, rows + i * (size_t) p, out);
			sum += out[1];
		}
		times[pass] = (seconds() - start) * 1e9 / PREDICT_ROWS;
	}
	report("predict", times, sum);
	sum = 0;
	for (int pass = 0; pass < PASSES; pass++)
		times[pass] = time_blocks(model, rows, p, &sum);
	report("predict in blocks", times, sum);
	return 0;
}
