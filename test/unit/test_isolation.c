/*-------------------------------------------------------------------------
 * test_isolation.c
 *	  Isolation forests: scores as scikit-learn's, and odd data.
 *-------------------------------------------------------------------------
 */
#include "trees_data.h"

#include "../reference/isolation_figures.h"

#include "ml/algo/forest/isolation_internal.h"

#define N 2000
#define P 4
#define ODD 40

/* The rows of test/reference/isolation.py. */
static MlDataset *
odd_rows(MlEnv *env)
{
	MlDataset  *data = gbdt_data(env, N, P, 0);

	((MlSchema *) data->schema)->task = ML_TASK_ANOMALY;
	for (size_t i = 0; i < N; i++)
		for (int f = 0; f < P; f++)
			gbdt_number(data, f)[i] = i < ODD ? gbdt_random((uint64_t) f, i) * 12 - 6 : gbdt_normal((uint64_t) f, i);
	return data;
}

static int
by_score(const void *a, const void *b)
{
	const double *x = a;
	const double *y = b;

	return (x[0] > y[0]) - (x[0] < y[0]);
}

/* Each figure within four standard deviations of scikit-learn's seeds. */
static void
test_against_sklearn(void)
{
	MlEnv	   *env = unit_env(2);
	MlDataset  *data = odd_rows(env);
	MlModel    *model;
	double		score[N][2];
	double		sum = 0;
	double		squares = 0;
	double		odd = 0;
	double		flagged = 0;
	double		below = 0;
	double		pairs = 0;
	double		figure[5];
	int			differing = 0;

	CHECK_STATUS(env, trees_fit(env, "isolation_forest", data, "", &model), ML_OK);
	for (size_t i = 0; i < N; i++)
	{
		double		out[2];
		double		x[P];

		ml_dataset_row(data, i, x);
		ml_model_predict(model, x, out);
		score[i][0] = out[0];
		score[i][1] = i < ODD;
		sum += out[0] / N;
		squares += out[0] * out[0] / N;
		odd += i < ODD ? out[0] / ODD : 0;
		flagged += out[1] / N;
		differing += (out[1] != 0) != (out[0] > 0.5);
	}
	CHECK(differing == 0);
	qsort(score, N, sizeof(score[0]), by_score);
	for (size_t i = 0; i < N; i++)
	{
		if (score[i][1] != 0)
			pairs += below;
		else
			below++;
	}
	figure[0] = pairs / (ODD * (double) (N - ODD));
	figure[1] = sum;
	figure[2] = sqrt(squares - sum * sum);
	figure[3] = odd;
	figure[4] = flagged;
	for (int k = 0; k < 5; k++)
		unit_check(fabs(figure[k] - isolation_figures[k].mean) <= 4 * isolation_figures[k].deviation, __FILE__, __LINE__,
				   "%s %.6f, scikit-learn has %.6f, give or take %.6f", isolation_figures[k].name, figure[k],
				   isolation_figures[k].mean, isolation_figures[k].deviation);
	unit_env_free(env);
}

static void
test_paths(void)
{
	for (size_t i = 0; i < sizeof(isolation_paths) / sizeof(isolation_paths[0]); i++)
		CHECK_NEAR(ml_isolation_path(isolation_paths[i].n), isolation_paths[i].path, 1e-12);
}

/* contamination flags so many of the training rows. */
static void
test_contamination(void)
{
	for (int k = 1; k <= 3; k++)
	{
		MlEnv	   *env = unit_env(2);
		MlDataset  *data = odd_rows(env);
		char		settings[40];
		double		flagged = 0;
		MlModel    *model;

		snprintf(settings, sizeof(settings), "contamination=%g", 0.02 * k);
		CHECK_STATUS(env, trees_fit(env, "isolation_forest", data, settings, &model), ML_OK);
		for (size_t i = 0; i < N; i++)
			flagged += gbdt_row(model, data, i, 1);
		CHECK_NEAR(flagged, 0.02 * k * N, 1);
		unit_env_free(env);
	}
}

/* A rare category, one never seen, and a missing value where there is hardly one are odd. */
static void
test_odd_categories(void)
{
	MlEnv	   *env = unit_env(1);
	MlDataset  *data = gbdt_data(env, 1000, 2, 0);
	int32_t    *code = gbdt_category(env, data, 0, 4);
	MlModel    *model;
	double		common;

	((MlSchema *) data->schema)->task = ML_TASK_ANOMALY;
	for (size_t i = 0; i < 1000; i++)
	{
		code[i] = i % 500 == 0 ? 3 : (int32_t) (i % 3);
		gbdt_number(data, 1)[i] = i % 250 == 1 ? NAN : gbdt_normal(1, i);
	}
	CHECK_STATUS(env, trees_fit(env, "isolation_forest", data, "", &model), ML_OK);
	common = gbdt_at(model, (double[]) {1, 0.1}, 0);
	CHECK(gbdt_at(model, (double[]) {3, 0.1}, 0) > common + 0.05);
	CHECK(gbdt_at(model, (double[]) {4, 0.1}, 0) > common + 0.05);
	CHECK(gbdt_at(model, (double[]) {NAN, 0.1}, 0) > common + 0.05);
	CHECK(gbdt_at(model, (double[]) {1, NAN}, 0) > common + 0.05);
	CHECK(gbdt_at(model, (double[]) {1, 9}, 0) > common + 0.05);
	unit_env_free(env);
}

static void
test_threads_and_reload(void)
{
	uint32_t	crc[3];

	for (int t = 0; t < 3; t++)
	{
		MlEnv	   *env = unit_env(1 << t);
		MlDataset  *data = odd_rows(env);
		MlStatus	status;
		MlModel    *model;
		MlModel    *loaded;
		MlWriter	w;
		int			differing = 0;
		double		block[P * ML_BATCH_ROWS];
		double		out[2 * ML_BATCH_ROWS];

		CHECK_STATUS(env, trees_fit(env, "isolation_forest", data, "contamination=0.1 max_samples=0.3 max_features=0.5", &model), ML_OK);
		w = gbdt_image(env, model);
		crc[t] = ml_crc32c(w.bytes, w.length);
		loaded = gbdt_reload(env, model, &status);
		CHECK_STATUS(env, status, ML_OK);
		for (size_t i = 0; i < 50; i++)
			for (int f = 0; f < P; f++)
				block[f * ML_BATCH_ROWS + i] = data->columns[f].number[i];
		ml_model_predict_batch(loaded, block, 50, out);
		for (size_t i = 0; i < 50; i++)
			differing += gbdt_row(model, data, i, 0) != out[2 * i] || gbdt_row(model, data, i, 1) != out[2 * i + 1];
		CHECK(differing == 0);
		unit_env_free(env);
	}
	CHECK(crc[0] == crc[1] && crc[1] == crc[2]);
}

/* A split may part missing values from all categories and then names none: the image reads such nodes, too. */
static void
test_missing_against_all(void)
{
	MlEnv	   *env = unit_env(1);
	MlDataset  *data = gbdt_data(env, 40, 1, 0);
	int32_t    *code = gbdt_category(env, data, 0, 1);
	MlStatus	status;
	MlModel    *model;
	MlModel    *loaded;

	((MlSchema *) data->schema)->task = ML_TASK_ANOMALY;
	for (size_t i = 0; i < 40; i++)
		code[i] = i % 8 == 0 ? 0 : -1;
	CHECK_STATUS(env, trees_fit(env, "isolation_forest", data, "", &model), ML_OK);
	loaded = gbdt_reload(env, model, &status);
	CHECK_STATUS(env, status, ML_OK);
	CHECK(gbdt_at(loaded, (double[]) {0}, 0) == gbdt_at(model, (double[]) {0}, 0));
	CHECK(gbdt_at(loaded, (double[]) {0}, 0) > gbdt_at(loaded, (double[]) {NAN}, 0));
	unit_env_free(env);
}

static void
test_odd_data(void)
{
	for (int kind = 0; kind < 6; kind++)
	{
		MlEnv	   *env = unit_env(2);
		size_t		n = kind == 0 ? 1 : 600;
		MlDataset  *data = gbdt_data(env, n, 2, 0);
		int32_t    *code = kind == 5 ? gbdt_category(env, data, 0, 10000) : NULL;
		size_t		before;
		MlModel    *model;
		MlParams   *params;
		bool		fine = true;

		((MlSchema *) data->schema)->task = ML_TASK_ANOMALY;
		for (size_t i = 0; i < n; i++)
			switch (kind)
			{
				case 1:
					gbdt_number(data, 0)[i] = gbdt_number(data, 1)[i] = 7;
					break;
				case 2:
					gbdt_number(data, 0)[i] = gbdt_number(data, 1)[i] = NAN;
					break;
				case 3:
					gbdt_number(data, 0)[i] = i % 2 ? 1.7e308 : -1.7e308;
					gbdt_number(data, 1)[i] = i % 3 ? 5e-324 : 0;
					break;
				case 4:
					gbdt_number(data, 0)[i] = gbdt_number(data, 1)[i] = (double) (i % 2);
					break;
				case 5:
					code[i] = (int32_t) (gbdt_random(3, i) * 10001);
					gbdt_number(data, 1)[i] = gbdt_random(4, i);
					break;
			}
		before = ml_arena_used(env->arena);
		CHECK_STATUS(env, trees_fit(env, "isolation_forest", data, "contamination=0.1", &model), ML_OK);
		CHECK_STATUS(env, ml_params_init(env, model->method->params, &params), ML_OK);
		CHECK(ml_arena_peak(env->arena) - before <= model->method->memory(data->schema, params, n, 2));
		for (size_t i = 0; i < n; i++)
			fine &= gbdt_row(model, data, i, 0) > 0 && gbdt_row(model, data, i, 0) <= 1;
		CHECK(fine);
		unit_env_free(env);
	}
}

int
main(void)
{
	test_against_sklearn();
	test_paths();
	test_contamination();
	test_odd_categories();
	test_threads_and_reload();
	test_missing_against_all();
	test_odd_data();
	return unit_done();
}
