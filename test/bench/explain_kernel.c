/*-------------------------------------------------------------------------
 * explain_kernel.c
 *	  What explaining one prediction of a gbdt model costs, without SQL around it.
 *
 *	  explain_kernel [rows of training] [columns] [trees] [leaves]
 *
 * Prints microseconds a row, median and best of seven passes over 2,000 rows, for
 * each tier of vector instructions, and how far the contributions are from adding up.  Not under
 * sanitizers; "make bench" says how it is built.
 *-------------------------------------------------------------------------
 */
#include "../unit/gbdt_data.h"

#include <time.h>

#include "ml/algo/gbdt/shap_internal.h"

#define ROWS 2000
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

/* A target that takes paths through many features. */
static MlDataset *
make_data(MlEnv *env, size_t n, int p)
{
	MlDataset  *data = gbdt_data(env, n, p, 2);

	for (int f = 0; f < p; f++)
		for (size_t i = 0; i < n; i++)
			gbdt_number(data, f)[i] = gbdt_normal((uint64_t) f, i);
	for (size_t i = 0; i < n; i++)
	{
		double		s = 0;

		for (int f = 0; f + 1 < p; f += 2)
			s += gbdt_number(data, f)[i] * gbdt_number(data, f + 1)[i] + (gbdt_number(data, f)[i] > 0.5);
		gbdt_target(data)[i] = s + gbdt_normal(1000, i) > p / 6.0;
	}
	return data;
}

static void
measure(const MlModel *model, void *explainer, const double *rows, int p)
{
	static const char *names[] = {"baseline", "avx2", "avx512"};
	double	   *phi = malloc(sizeof(double) * (size_t) p);
	double		gap = 0;

	for (int tier = ML_TIER_BASELINE; tier <= ML_TIER_AVX512; tier++)
	{
		double		times[PASSES];

		ml_simd_limit((MlSimdTier) tier);
		if (ml_simd_tier() != (MlSimdTier) tier)
			continue;
		for (int pass = 0; pass < PASSES; pass++)
		{
			double		start = seconds();

			for (size_t i = 0; i < ROWS; i++)
			{
				double		sum;

				model->method->explain(explainer, rows + i * (size_t) p, 1, phi, &sum);
				if (pass > 0)
					continue;
				for (int f = 0; f < p; f++)
					sum += phi[f];
				gap = fmax(gap, fabs(1 / (1 + exp(-sum)) - gbdt_at(model, rows + i * (size_t) p, 1)));
			}
			times[pass] = (seconds() - start) * 1e6 / ROWS;
		}
		qsort(times, PASSES, sizeof(double), by_value);
		printf("explain, %s: %.1f us a row (best %.1f)\n", names[tier], times[PASSES / 2], times[0]);
	}
	printf("contributions add up to %.1g\n", gap);
	free(phi);
}

int
main(int argc, char **argv)
{
	size_t		n = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
	int			p = argc > 2 ? atoi(argv[2]) : 28;
	const char *trees = argc > 3 ? argv[3] : "100";
	const char *leaves = argc > 4 ? argv[4] : "31";
	MlEnv	   *env = unit_env(1);
	MlDataset  *data = make_data(env, n, p);
	double	   *rows = malloc(sizeof(double) * ROWS * (size_t) p);
	char		settings[100];
	size_t		used;
	MlModel    *model;
	void	   *explainer;
	double		start;

	snprintf(settings, sizeof(settings), "num_iterations=%s num_leaves=%s", trees, leaves);
	if (gbdt_fit(env, data, settings, &model) != ML_OK)
	{
		printf("%s\n", env->error.message);
		return 1;
	}
	used = ml_arena_used(env->arena);
	start = seconds();
	if (model->method->explainer(env, model->fitted, model->schema, &explainer) != ML_OK)
	{
		printf("%s\n", env->error.message);
		return 1;
	}
	printf("%s trees, %s leaves, %d columns: made in %.2f ms, %.2f MB\n", trees, leaves, p, (seconds() - start) * 1e3,
		   (double) (ml_arena_used(env->arena) - used) / 1e6);
	for (size_t i = 0; i < ROWS; i++)
		ml_dataset_row(data, (i * 7919) % n, rows + i * (size_t) p);
	measure(model, explainer, rows, p);
	return 0;
}
