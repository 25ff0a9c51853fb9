/*-------------------------------------------------------------------------
 * bundle_kernel.c
 *	  What columns that share a stored one, or a byte of a row, save gbdt, and what looking for them costs.
 *
 *	  bundle_kernel [onehot|sparse|words|dense|levelsN] [rows] [columns] [trees] [threads] [settings]
 *
 * onehot: one code of so many levels, columns of doubles; sparse: the same, as the encoder makes it;
 * words: sparse columns each of which is not 0 in some of a thousand rows, independently; dense:
 * columns of normal variates; levels16: columns of 16 values.  Each column apart, and together with others: seconds of
 * binning (with the first tree), of boosting, and peak memory of the arena, data not included.  The models must be the same.
 *-------------------------------------------------------------------------
 */
#include "../unit/gbdt_data.h"

#include <time.h>

#include "ml/algo/gbdt/gbdt_internal.h"
#include "ml/base/bytes.h"

static double begin_boost;

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static void
note_progress(void *state, const MlProgress *progress)
{
	if (strcmp(progress->phase, "bin") != 0 && begin_boost == 0)
		begin_boost = seconds();
}

static double
cell(const char *kind, int p, size_t i, int f)
{
	if (strcmp(kind, "dense") == 0)
		return gbdt_normal((uint64_t) f, i);
	if (strncmp(kind, "levels", 6) == 0)
		return floor(atoi(kind + 6) * gbdt_random((uint64_t) f, i));
	if (strcmp(kind, "words") == 0)
		return gbdt_random((uint64_t) f, i) < 0.001 * (1 + f % 10) ? ceil(5 * gbdt_random((uint64_t) (f + p), i)) : 0;
	return (int) (p * gbdt_random(1, i)) == f;
}

static MlDataset *
make_data(MlEnv *env, const char *kind, size_t n, int p)
{
	MlDataset  *data = gbdt_data(env, 0, p, 2);
	bool		sparse = strcmp(kind, "sparse") == 0 || strcmp(kind, "words") == 0;

	data->n_train = n;
	data->y = ml_alloc0(env, n, sizeof(double));
	for (int f = 0; f < p; f++)
	{
		MlDataColumn *column = (MlDataColumn *) &data->columns[f];
		double	   *x = ml_alloc(env, n, sizeof(double));
		uint32_t   *row = ml_alloc(env, n, sizeof(uint32_t));
		MlSparse   *s = ml_alloc0(env, 1, sizeof(MlSparse));

		for (size_t i = 0; i < n; i++)
		{
			x[i] = cell(kind, p, i, f);
			gbdt_target(data)[i] += x[i] * (f * 7919 % 17 - 8.0) / 8;
			if (x[i] != 0 && sparse)
			{
				row[s->n] = (uint32_t) i;
				x[s->n++] = x[i];
			}
		}
		s->row = row;
		s->value = x;
		column->number = sparse ? NULL : x;
		column->sparse = sparse ? s : NULL;
	}
	for (size_t i = 0; i < n; i++)
		gbdt_target(data)[i] = data->y[i] + gbdt_normal(99991, i) > 0;
	return data;
}

int
main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "sparse";
	size_t		n = argc > 2 ? strtoul(argv[2], NULL, 10) : 200000;
	int			p = argc > 3 ? atoi(argv[3]) : 500;
	int			trees = argc > 4 ? atoi(argv[4]) : 100;
	int			threads = argc > 5 ? atoi(argv[5]) : 1;
	MlDataset  *data = make_data(unit_env(1), kind, n, p);
	size_t		joining_rows = ml_gbdt_joining_rows;
	uint32_t	sum[2];

	for (int bundle = 0; bundle < 2; bundle++)
	{
		MlEnv	   *env = unit_env(threads);
		double		begin = seconds();
		MlModel    *model;
		MlWriter	image;

		ml_gbdt_joining_rows = bundle ? joining_rows : SIZE_MAX;
		env->progress = note_progress;
		begin_boost = 0;
		if (gbdt_fit(env, data, ml_printf(env, "num_iterations=%d enable_bundle=%s %s", trees, bundle ? "true" : "false", argc > 6 ? argv[6] : ""), &model) != ML_OK)
		{
			printf("%s\n", env->error.message);
			return 1;
		}
		printf("%s, %zu x %d, %d trees, %d threads, %s: bin %.3f s, boost %.3f s, peak %.1f MB\n", kind, n, p, trees, threads,
			   bundle ? "together" : "apart", begin_boost - begin, seconds() - begin_boost, (double) ml_arena_peak(env->arena) / 1e6);
		image = gbdt_image(env, model);
		sum[bundle] = ml_crc32c(image.bytes, image.length);
		unit_env_free(env);
	}
	if (sum[0] != sum[1])
		printf("the models differ: %08x, %08x\n", sum[0], sum[1]);
	return sum[0] != sum[1];
}
