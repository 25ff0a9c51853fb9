/*-------------------------------------------------------------------------
 * fit_kernel.c
 *	  What fitting a gbdt model costs, without SQL around it.
 *
 *	  fit_kernel [higgs|reg|flights|digits] [rows] [leaves] [trees] [repeats] [threads ...]
 *
 * Per number of threads the median of the repeats, taken in turns: seconds of
 * binning (with the first tree) and of boosting, processor seconds of both, and peak memory of the
 * arena; then quality on 200,000 rows of the same kind, and a checksum of the
 * model, which must be the same for every number of threads.  make_data
 * writes the same rows for peers.
 *-------------------------------------------------------------------------
 */
#include "../unit/gbdt_data.h"
#include "data.h"

#include <sys/resource.h>
#include <time.h>

#include "ml/base/bytes.h"

#define TEST_ROWS 200000
#define MAX_REPEATS 15
#define MAX_RUNS 8

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static double
processor_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double) u.ru_utime.tv_sec + 1e-6 * (double) u.ru_utime.tv_usec +
		(double) u.ru_stime.tv_sec + 1e-6 * (double) u.ru_stime.tv_usec;
}

static MlDataset *
make_data(MlEnv *env, const Kind *kind, size_t n)
{
	MlDataset  *data = gbdt_data(env, n, kind->p, kind->classes);
	double		x[64];

	for (int f = kind->numbers; f < kind->p; f++)
		gbdt_category(env, data, f, flights_levels[f - kind->numbers]);
	for (size_t i = 0; i < n; i++)
	{
		gbdt_target(data)[i] = kind->row(i, x);
		for (int f = 0; f < kind->p; f++)
		{
			if (f < kind->numbers)
				gbdt_number(data, f)[i] = x[f];
			else
				((int32_t *) data->columns[f].code)[i] = (int32_t) x[f];
		}
	}
	return data;
}

/* ---- quality ---- */

typedef struct Scored
{
	double		score;
	bool		positive;
} Scored;

static int
by_score(const void *a, const void *b)
{
	double		x = ((const Scored *) a)->score;
	double		y = ((const Scored *) b)->score;

	return (x > y) - (x < y);
}

static double
auc(Scored *s, size_t n)
{
	double		ranks = 0;
	double		positive = 0;

	qsort(s, n, sizeof(Scored), by_score);
	for (size_t i = 0, end; i < n; i = end)
	{
		for (end = i; end < n && s[end].score == s[i].score; end++)
			;
		for (size_t j = i; j < end; j++)
		{
			ranks += s[j].positive ? (double) (i + 1 + end) / 2 : 0;
			positive += s[j].positive;
		}
	}
	return (ranks - positive * (positive + 1) / 2) / (positive * ((double) n - positive));
}

static void
print_quality(const Kind *kind, const MlModel *model, size_t n)
{
	Scored	   *s = malloc(sizeof(Scored) * TEST_ROWS);
	double		x[64];
	double		out[16];
	double		error = 0;

	for (size_t i = 0; i < TEST_ROWS; i++)
	{
		double		y = kind->row(n + i, x);

		ml_model_predict(model, x, out);
		s[i] = (Scored) {out[1], y > 0.5};
		if (kind->classes == 0)
			error += (y - out[0]) * (y - out[0]);
		else if (kind->classes > 2)
			error -= log(fmax(out[(int) y], 1e-15));
	}
	if (kind->classes == 2)
		printf("test AUC %.5f\n", auc(s, TEST_ROWS));
	else if (kind->classes == 0)
		printf("test RMSE %.5f\n", sqrt(error / TEST_ROWS));
	else
		printf("test log loss %.5f\n", error / TEST_ROWS);
	free(s);
}

/* ---- fits ---- */

typedef struct Run
{
	int			threads;
	double		bin[MAX_REPEATS];
	double		boost[MAX_REPEATS];
	double		processor[MAX_REPEATS];
	size_t		peak;
} Run;

static int
by_value(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

static double
median(double *value, int n)
{
	qsort(value, (size_t) n, sizeof(double), by_value);
	return value[n / 2];
}

/* The first progress of phase "fit" says that the bins are there and one tree is grown. */
static double begin_fit;
static double begin_boost;

static void
note_progress(void *state, const MlProgress *progress)
{
	if (strcmp(progress->phase, "bin") != 0 && begin_boost == 0)
		begin_boost = seconds();
}

static uint32_t
fit(MlEnv *env, const MlDataset *data, const char *settings, Run *run, int repeat, MlModel **model)
{
	double		processor = processor_seconds();
	MlWriter	image;

	env->progress = note_progress;
	begin_boost = 0;
	begin_fit = seconds();
	if (gbdt_fit(env, data, settings, model) != ML_OK)
	{
		printf("%s\n", env->error.message);
		exit(1);
	}
	run->bin[repeat] = begin_boost - begin_fit;
	run->boost[repeat] = seconds() - begin_boost;
	run->processor[repeat] = processor_seconds() - processor;
	run->peak = ml_arena_peak(env->arena);
	image = gbdt_image(env, *model);
	return ml_crc32c(image.bytes, image.length);
}

int
main(int argc, char **argv)
{
	const Kind *kind = kind_named(argc > 1 ? argv[1] : "higgs");
	size_t		n = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000000;
	int			leaves = argc > 3 ? atoi(argv[3]) : 31;
	int			trees = argc > 4 ? atoi(argv[4]) : 100;
	int			repeats = argc > 5 ? atoi(argv[5]) : 3;
	Run			run[MAX_RUNS] = {{.threads = 1}, {.threads = 2}};
	int			runs = 2;
	uint32_t	sum = 0;
	char		settings[100];
	MlEnv	   *data_env = unit_env(1);
	MlDataset  *data;

	for (int a = 6; a < argc && a - 6 < MAX_RUNS; a++)
	{
		run[a - 6].threads = atoi(argv[a]);
		runs = a - 5;
	}
	repeats = repeats < 1 ? 1 : (repeats > MAX_REPEATS ? MAX_REPEATS : repeats);
	data = make_data(data_env, kind, n);
	snprintf(settings, sizeof(settings), "num_iterations=%d num_leaves=%d", trees, leaves);
	for (int repeat = 0; repeat < repeats; repeat++)
	{
		for (int r = 0; r < runs; r++)
		{
			MlEnv	   *env = unit_env(run[r].threads);
			MlModel    *model;
			uint32_t	own = fit(env, data, settings, &run[r], repeat, &model);

			if (repeat == 0 && r == 0)
			{
				sum = own;
				print_quality(kind, model, n);
			}
			if (own != sum)
			{
				printf("a model of %d threads differs: %08x, not %08x\n", run[r].threads, own, sum);
				return 1;
			}
			unit_env_free(env);
		}
	}
	for (int r = 0; r < runs; r++)
		printf("%s, %zu rows, %d leaves, %d trees, %d thread%s: bin %.3f s, boost %.3f s, processor %.3f s, peak %.1f MB\n",
			   kind->name, n, leaves, trees, run[r].threads, run[r].threads > 1 ? "s" : "", median(run[r].bin, repeats),
			   median(run[r].boost, repeats), median(run[r].processor, repeats), (double) run[r].peak / 1e6);
	printf("model %08x\n", sum);
	return 0;
}
