/*-------------------------------------------------------------------------
 * test_trees.c
 *	  Decision trees and forests: what they must do on any data.
 *-------------------------------------------------------------------------
 */
#include "trees_data.h"

#include <float.h>

#include "ml/algo/forest/fit_internal.h"
#include "ml/algo/gbdt/engine.h"

static const char *const methods[] = {"decision_tree", "random_forest", "extra_trees"};
#define METHODS 3

/* Numbers with missing values, a category, and a target that depends on all of them. */
static MlDataset *
mixed_data(MlEnv *env, size_t n, int classes)
{
	MlDataset  *data = gbdt_data(env, n, 5, classes);
	int32_t    *code = gbdt_category(env, data, 3, 6);

	for (size_t i = 0; i < n; i++)
	{
		double		y;

		for (int f = 0; f < 5; f++)
			if (f != 3)
				gbdt_number(data, f)[i] = gbdt_random((uint64_t) f, i);
		gbdt_number(data, 4)[i] = floor(gbdt_number(data, 4)[i] * 4);
		code[i] = (int32_t) (gbdt_random(3, i) * 7) - 1;
		y = gbdt_number(data, 0)[i] + (code[i] & 1) * 0.7 + gbdt_number(data, 4)[i] * 0.3 + 0.2 * gbdt_random(9, i);
		if (gbdt_random(10, i) < 0.2)
		{
			gbdt_number(data, 1)[i] = NAN;
			y += 0.8;
		}
		gbdt_target(data)[i] = classes == 0 ? y : classes == 2 ? y > 1.2 : fmin(floor(y * classes / 3), classes - 1);
	}
	return data;
}

static double
share_right(const MlModel *model, const MlDataset *data)
{
	double		x[16];
	double		out[16];
	double		right = 0;

	for (size_t i = 0; i < data->n_train; i++)
	{
		ml_dataset_row(data, i, x);
		ml_model_predict(model, x, out);
		right += data->schema->n_classes > 0 ? ml_model_winner(model, out) == data->y[i] : fabs(out[0] - data->y[i]) < 1e-9;
	}
	return right / (double) data->n_train;
}

/* A tree that is not held back knows its rows by heart; also what is missing and which category it was. */
static void
test_learns_by_heart(void)
{
	for (int classes = 0; classes <= 5; classes += classes == 0 ? 2 : 3)
	{
		MlEnv	   *env = unit_env(1);
		MlDataset  *data = mixed_data(env, 3000, classes);
		MlModel    *model;

		CHECK_STATUS(env, trees_fit(env, "decision_tree", data, "", &model), ML_OK);
		CHECK_NEAR(share_right(model, data), 1, 0);
		/* But for rows that no bin tells apart. */
		CHECK_STATUS(env, trees_fit(env, "random_forest", data, "bootstrap=false oob_score=false n_estimators=9", &model), ML_OK);
		CHECK_NEAR(share_right(model, data), 1, 0.002);
		CHECK_STATUS(env, trees_fit(env, "extra_trees", data, "n_estimators=9", &model), ML_OK);
		CHECK_NEAR(share_right(model, data), 1, 0.002);
		unit_env_free(env);
	}
}

/* What is not there is a value like any other: here it alone decides. */
static void
test_missing_decides(void)
{
	for (int m = 0; m < METHODS; m++)
		for (int category = 0; category < 2; category++)
		{
			MlEnv	   *env = unit_env(1);
			MlDataset  *data = gbdt_data(env, 400, 1, 2);
			int32_t    *code = category ? gbdt_category(env, data, 0, 3) : NULL;
			MlModel    *model;

			for (size_t i = 0; i < 400; i++)
			{
				bool		missing = i % 3 == 0;

				if (category)
					code[i] = missing ? -1 : (int32_t) (i % 4 % 3);
				else
					gbdt_number(data, 0)[i] = missing ? NAN : gbdt_random(1, i);
				gbdt_target(data)[i] = missing;
			}
			CHECK_STATUS(env, trees_fit(env, methods[m], data, m < 2 ? "max_depth=3" : "", &model), ML_OK);
			CHECK(gbdt_at(model, &(double) {NAN}, 1) > 0.99);
			CHECK(gbdt_at(model, &(double) {category ? 1 : 0.7}, 1) < 0.01);
			unit_env_free(env);
		}
}

/* Two classes: the best of all subsets of categories, found by sorting them, against trying all. */
static void
test_best_subset(void)
{
	for (uint64_t round = 0; round < 20; round++)
	{
		MlEnv	   *env = unit_env(1);
		MlDataset  *data = gbdt_data(env, 300, 1, 2);
		int32_t    *code = gbdt_category(env, data, 0, 8);
		double		count[8][2] = {{0}};
		double		best = 0;
		double		ours = 0;
		double		side[2][2] = {{0}};
		MlModel    *model;

		for (size_t i = 0; i < 300; i++)
		{
			code[i] = (int32_t) (gbdt_random(20 + round, i) * 8);
			gbdt_target(data)[i] = gbdt_random(50 + round, i) < 0.1 + 0.8 * gbdt_random(80 + round, (uint64_t) code[i]);
			count[code[i]][(int) data->y[i]]++;
		}
		for (int subset = 1; subset < 255; subset++)
		{
			double		s[2][2] = {{0}};
			double		score = 0;

			for (int c = 0; c < 8; c++)
				for (int k = 0; k < 2; k++)
					s[subset >> c & 1][k] += count[c][k];
			for (int j = 0; j < 2; j++)
				if (s[j][0] + s[j][1] > 0)
					score += (s[j][0] * s[j][0] + s[j][1] * s[j][1]) / (s[j][0] + s[j][1]);
			best = fmax(best, score);
		}
		CHECK_STATUS(env, trees_fit(env, "decision_tree", data, "max_depth=1", &model), ML_OK);
		for (int c = 0; c < 8; c++)
			for (int k = 0; k < 2; k++)
				side[gbdt_at(model, &(double) {c}, 1) > gbdt_at(model, &(double) {0}, 1) ||
					 gbdt_at(model, &(double) {c}, 1) < gbdt_at(model, &(double) {0}, 1)][k] += count[c][k];
		for (int j = 0; j < 2; j++)
			ours += (side[j][0] * side[j][0] + side[j][1] * side[j][1]) / (side[j][0] + side[j][1]);
		CHECK_CLOSE(ours, best, 1e-12);
		/* A category that was never seen goes somewhere, and so does one beyond all. */
		CHECK(gbdt_at(model, &(double) {8}, 1) >= 0);
		unit_env_free(env);
	}
}

/* A weight of two is a row twice, and a weight of zero is no row. */
static void
test_weights(void)
{
	static const char *const settings[] = {"", "max_leaf_nodes=20", "max_depth=6 criterion=entropy"};

	for (int s = 0; s < 3; s++)
	{
		MlEnv	   *env = unit_env(1);
		MlDataset  *weighted = mixed_data(env, 900, 3);
		MlDataset  *twice = gbdt_data(env, 1200, 5, 3);
		int32_t    *code = gbdt_category(env, twice, 3, 6);
		double	   *w = ml_alloc(env, 900, sizeof(double));
		size_t		n = 0;
		MlModel    *a;
		MlModel    *b;
		double		worst = 0;

		for (size_t i = 0; i < 900; i++)
		{
			w[i] = (double) (i % 3);
			for (size_t j = 0; j < i % 3; j++, n++)
			{
				for (int f = 0; f < 5; f++)
					if (f != 3)
						gbdt_number(twice, f)[n] = weighted->columns[f].number[i];
				code[n] = weighted->columns[3].code[i];
				gbdt_target(twice)[n] = weighted->y[i];
			}
		}
		twice->n_train = n;
		weighted->weight = w;
		CHECK_STATUS(env, trees_fit(env, "decision_tree", weighted, settings[s], &a), ML_OK);
		CHECK_STATUS(env, trees_fit(env, "decision_tree", twice, settings[s], &b), ML_OK);
		for (size_t i = 0; i < n; i++)
			for (int k = 0; k < 3; k++)
				worst = fmax(worst, fabs(gbdt_row(a, twice, i, k) - gbdt_row(b, twice, i, k)));
		CHECK(worst < 1e-12);
		unit_env_free(env);
	}
}

static void
test_threads(void)
{
	for (int m = 0; m < METHODS; m++)
		for (int classes = 0; classes <= 3; classes += classes == 0 ? 2 : 1)
		{
			uint32_t	crc[3];

			for (int t = 0; t < 3; t++)
			{
				MlEnv	   *env = unit_env(1 << t);
				MlDataset  *data = mixed_data(env, 2000, classes);
				MlModel    *model;
				MlWriter	w;

				CHECK_STATUS(env, trees_fit(env, methods[m], data, m > 0 ? "n_estimators=20" : "", &model), ML_OK);
				w = gbdt_image(env, model);
				crc[t] = ml_crc32c(w.bytes, w.length);
				unit_env_free(env);
			}
			CHECK(crc[0] == crc[1] && crc[1] == crc[2]);
		}
}

/* Save, load, and blocks of rows: the same bits. */
static void
test_reload_and_batch(void)
{
	for (int m = 0; m < METHODS; m++)
		for (int classes = 0; classes <= 4; classes += 2)
		{
			MlEnv	   *env = unit_env(1);
			MlDataset  *data = mixed_data(env, 700, classes);
			MlModel    *model;
			MlModel    *loaded;
			MlStatus	status;
			int			k = classes > 0 ? classes : 1;
			double		block[5 * ML_BATCH_ROWS];
			double		out[4 * ML_BATCH_ROWS];
			int			differing = 0;

			CHECK_STATUS(env, trees_fit(env, methods[m], data, m > 0 ? "n_estimators=21" : "", &model), ML_OK);
			loaded = gbdt_reload(env, model, &status);
			CHECK_STATUS(env, status, ML_OK);
			for (size_t i = 0; i < 700; i += 37)
			{
				size_t		n = 700 - i < 37 ? 700 - i : 37;
				double		x[5];
				double		one[4];

				for (size_t j = 0; j < n; j++)
				{
					ml_dataset_row(data, i + j, x);
					for (int f = 0; f < 5; f++)
						block[f * ML_BATCH_ROWS + j] = x[f];
				}
				ml_model_predict_batch(loaded, block, n, out);
				for (size_t j = 0; j < n; j++)
				{
					ml_dataset_row(data, i + j, x);
					ml_model_predict(model, x, one);
					differing += memcmp(one, out + j * (size_t) k, sizeof(double) * (size_t) k) != 0;
				}
			}
			CHECK(differing == 0);
			unit_env_free(env);
		}
}

/* Any byte changed: an error or a model that runs. */
static void
test_damaged_images(void)
{
	MlEnv	   *env = unit_env(1);
	MlDataset  *data = mixed_data(env, 60, 3);
	MlModel    *model;
	MlWriter	w;
	int			refused = 0;
	int			loaded = 0;
	int			wrong = 0;

	CHECK_STATUS(env, trees_fit(env, "random_forest", data, "n_estimators=3", &model), ML_OK);
	w = gbdt_image(env, model);
	for (size_t at = 0; at < w.length; at++)
		for (int bit = (int) at % 3; bit < 8; bit += 3)
		{
			MlEnv	   *other = unit_env(1);
			uint8_t    *bytes = malloc(w.length);
			MlReader	r;
			void	   *fitted;
			MlModel    *damaged;

			memcpy(bytes, w.bytes, w.length);
			bytes[at] ^= (uint8_t) (1 << bit);
			ml_reader_init(&r, other, bytes, w.length);
			if (model->method->load(&r, model->schema, &fitted) != ML_OK || ml_reader_end(&r) != ML_OK)
				refused++;
			else if (ml_model_make(other, model->method, model->schema, fitted, &damaged) == ML_OK)
			{
				double		p = gbdt_row(damaged, data, at % 60, 2);

				loaded++;
				wrong += !(p >= 0 && p <= 1 + 1e-9);
			}
			free(bytes);
			unit_env_free(other);
		}
	CHECK(refused > 0 && loaded > 0 && wrong == 0);
	unit_env_free(env);
}

/* ---- odd data ---- */

static void
check_finite(const MlModel *model, const MlDataset *data)
{
	bool		finite = true;
	int			k = model->n_out;

	for (size_t i = 0; i < data->n_train; i++)
		for (int c = 0; c < k; c++)
			finite &= isfinite(gbdt_row(model, data, i, c)) != 0;
	CHECK(finite);
}

static void
test_odd_data(const char *method, int classes)
{
	for (int kind = 0; kind < 9; kind++)
	{
		MlEnv	   *env = unit_env(2);
		size_t		n = kind == 0 ? 1 : kind == 5 ? 4 : kind == 6 ? 20000 : 200;
		int			p = kind == 5 ? 40 : 2;
		MlDataset  *data = gbdt_data(env, n, p, classes);
		int32_t    *code = kind == 6 ? gbdt_category(env, data, 0, 10000) : NULL;
		MlModel    *model;

		for (size_t i = 0; i < n; i++)
		{
			for (int f = kind == 6; f < p; f++)
				gbdt_number(data, f)[i] = gbdt_random((uint64_t) f, i);
			gbdt_target(data)[i] = classes > 0 ? (double) (gbdt_random(70, i) < 0.5) : gbdt_normal(71, i);
			switch (kind)
			{
				case 1:			/* constant columns */
					gbdt_number(data, 0)[i] = gbdt_number(data, 1)[i] = 3;
					break;
				case 2:			/* one class, constant target */
					gbdt_target(data)[i] = 1;
					break;
				case 3:			/* nothing but missing values */
					gbdt_number(data, 0)[i] = gbdt_number(data, 1)[i] = NAN;
					break;
				case 4:			/* the same row, different targets */
					gbdt_number(data, 0)[i] = gbdt_number(data, 1)[i] = (double) (i % 2);
					break;
				case 6:			/* ten thousand categories */
					code[i] = (int32_t) (gbdt_random(72, i) * 10001);
					break;
				case 7:			/* extreme values */
					gbdt_number(data, 0)[i] = i % 2 ? 1.7e308 : -1.7e308;
					gbdt_number(data, 1)[i] = i % 3 ? 5e-324 : 0;
					if (classes == 0)
						gbdt_target(data)[i] = i % 2 ? 1.7e308 : -1.7e308;
					break;
				case 8:			/* tiny targets */
					if (classes == 0)
						gbdt_target(data)[i] *= 1e-310;
					break;
			}
		}
		CHECK_STATUS(env, trees_fit(env, method, data, kind == 6 && strcmp(method, "decision_tree") != 0 ? "n_estimators=4" : "", &model), ML_OK);
		check_finite(model, data);
		if (kind == 7)
			CHECK(fabs(gbdt_row(model, data, 1, 0) - gbdt_row(model, data, 2, 0)) >= 0);
		unit_env_free(env);
	}
}

static bool
cancel_soon(void *state)
{
	return ++*(int *) state > 1;
}

static void
test_refusals(void)
{
	MlEnv	   *env = unit_env(1);
	MlDataset  *data = mixed_data(env, 100, 2);
	MlDataset  *numbers = mixed_data(env, 100, 0);
	MlModel    *model;
	int			calls = 0;

	CHECK_STATUS(env, trees_fit(env, "decision_tree", data, "criterion=poisson", &model), ML_BAD_PARAM);
	CHECK_STATUS(env, trees_fit(env, "random_forest", numbers, "criterion=gini", &model), ML_BAD_PARAM);
	CHECK_STATUS(env, trees_fit(env, "random_forest", data, "bootstrap=false", &model), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "out of the bag");
	CHECK_STATUS(env, trees_fit(env, "extra_trees", data, "max_samples=0.5", &model), ML_BAD_PARAM);
	CHECK_STATUS(env, trees_fit(env, "random_forest", data, "max_features=none", &model), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "auto|sqrt|log2|all");
	gbdt_target(numbers)[5] = -1;
	CHECK_STATUS(env, trees_fit(env, "decision_tree", numbers, "criterion=poisson", &model), ML_BAD_DATA);
	data->n_train = 0;
	CHECK_STATUS(env, trees_fit(env, "decision_tree", data, "", &model), ML_BAD_DATA);
	data->n_train = 100;
	env->canceled = cancel_soon;
	env->state = &calls;
	CHECK_STATUS(env, trees_fit(env, "random_forest", data, "", &model), ML_CANCELED);
	unit_env_free(env);
}

/* max_features in all its words gives forests that differ, and the same where they mean the same. */
static void
test_max_features(void)
{
	static const char *const settings[] = {
		"max_features=sqrt", "max_features=auto", "max_features=2", "max_features=0.4", "max_features=all", "max_features=1", "max_features=log2"
	};
	uint32_t	crc[7];

	for (int s = 0; s < 7; s++)
	{
		MlEnv	   *env = unit_env(1);
		MlModel    *model;
		MlWriter	w;

		CHECK_STATUS(env, trees_fit(env, "random_forest", mixed_data(env, 500, 2), settings[s], &model), ML_OK);
		w = gbdt_image(env, model);
		crc[s] = ml_crc32c(w.bytes, w.length);
		unit_env_free(env);
	}
	CHECK(crc[0] == crc[1] && crc[1] == crc[2] && crc[2] == crc[3] && crc[3] == crc[6]);
	CHECK(crc[4] == crc[5] && crc[4] != crc[0]);
}

/* memory() is never too low. */
static void
test_memory(void)
{
	static const size_t sizes[] = {1, 100, 5000};

	for (int m = 0; m < METHODS; m++)
		for (int classes = 0; classes <= 4; classes += 2)
			for (int s = 0; s < 3; s++)
			{
				MlEnv	   *env = unit_env(2);
				MlDataset  *data = mixed_data(env, sizes[s], classes);
				size_t		before = ml_arena_used(env->arena);
				const MlMethod *method = ml_method_find(methods[m]);
				MlParams   *params;
				size_t		promised;
				MlModel    *model;

				for (size_t i = 0; i < sizes[s] && classes > 0; i++)
					gbdt_target(data)[i] = floor(gbdt_random(90, i) * classes);
				CHECK_STATUS(env, ml_params_init(env, method->params, &params), ML_OK);
				promised = method->memory(data->schema, params, sizes[s], 2);
				CHECK_STATUS(env, trees_fit(env, methods[m], data, "", &model), ML_OK);
				unit_check(ml_arena_peak(env->arena) - before <= promised, __FILE__, __LINE__, "%s, %zu rows, %d classes: %zu bytes of %zu",
						   methods[m], sizes[s], classes, ml_arena_peak(env->arena) - before, promised);
				unit_env_free(env);
			}
}

/* The value that tree t of a forest gives to a row. */
static const double *
value_of_tree(const MlTreeForest *forest, uint32_t t, const MlDataset *data, size_t i)
{
	uint16_t	rank[16] = {0};

	for (int f = 0; f < forest->n_features; f++)
	{
		double		x = ml_dataset_value(data, f, i);
		uint16_t	r;

		if (forest->levels[f] > 0)
			r = ml_tree_code(x, forest->levels[f]);
		else
			r = (uint16_t) ml_gbdt_rank(forest->threshold[f], forest->n_thresholds[f], x);
		rank[1 + 2 * f] = x == x ? r : ML_TREE_MISSING;
		rank[2 + 2 * f] = x == x || forest->levels[f] > 0 ? rank[1 + 2 * f] : 0;
	}
	return forest->tree[t].value + forest->tree[t].payload[ml_tree_walk(&forest->tree[t], rank)] * (size_t) forest->width;
}

/* The figures out of the bag are those that the kept trees give, with the bags drawn again. */
static void
test_out_of_bag(void)
{
	for (int classes = 0; classes <= 4; classes += 2)
	{
		MlEnv	   *env = unit_env(2);
		MlDataset  *data = mixed_data(env, 500, classes);
		MlTreePlan	plan = {.bootstrap = true, .max_samples = 0.7};
		uint16_t	bag[500];
		double		sum[500][4] = {{0}};
		int			trees[500] = {0};
		double		rows = 0;
		double		right = 0;
		double		squares = 0;
		double		mean = 0;
		double		variation = 0;
		MlModel    *model;
		MlStatistic *statistic;
		size_t		count;
		const MlTreeForest *forest;

		CHECK_STATUS(env, trees_fit(env, "random_forest", data, "n_estimators=7 max_samples=0.7", &model), ML_OK);
		forest = model->fitted;
		for (uint32_t t = 0; t < 7; t++)
		{
			ml_tree_draw_bag(&plan, env->seed, t, 500, bag);
			for (size_t i = 0; i < 500; i++)
				for (int k = 0; k < forest->width && bag[i] == 0; k++)
				{
					sum[i][k] += value_of_tree(forest, t, data, i)[k];
					trees[i] += k == 0;
				}
		}
		for (size_t i = 0; i < 500; i++)
			if (trees[i] > 0)
			{
				rows++;
				mean += data->y[i];
			}
		mean /= rows;
		for (size_t i = 0; i < 500; i++)
		{
			int			best = 0;
			double		error = sum[i][0] / trees[i] * forest->scale - data->y[i];

			if (trees[i] == 0)
				continue;
			for (int k = 1; k < classes && forest->width > 1; k++)
				best = sum[i][k] > sum[i][best] ? k : best;
			right += (forest->width > 1 ? best : sum[i][0] / trees[i] > 0.5) == data->y[i];
			squares += error * error;
			variation += (data->y[i] - mean) * (data->y[i] - mean);
		}
		CHECK(rows > 400 && rows < 500);
		CHECK_NEAR(forest->figure[ML_TREE_OOB_ROWS], rows, 0);
		CHECK_NEAR(forest->figure[ML_TREE_OOB_SCORE], classes > 0 ? right / rows : 1 - squares / variation, 1e-12);
		CHECK_STATUS(env, ml_tree_statistics(env, forest, data->schema, &statistic, &count), ML_OK);
		CHECK(count == 7 && strcmp(statistic[4].name, classes > 0 ? "oob_accuracy" : "oob_r2") == 0);
		CHECK_NEAR(statistic[4].value, forest->figure[ML_TREE_OOB_SCORE], 0);
		unit_env_free(env);
	}
}

/* What says something is missed, what says nothing is not. */
static void
test_permutation(void)
{
	for (int classes = 0; classes <= 2; classes += 2)
	{
		double		image[2][4];

		for (int threads = 1; threads <= 2; threads++)
		{
			MlEnv	   *env = unit_env(threads);
			MlDataset  *data = gbdt_data(env, 800, 4, classes);
			double		gain[4];
			double		missed[4];
			MlModel    *model;

			for (size_t i = 0; i < 800; i++)
			{
				double		z;

				for (int f = 0; f < 4; f++)
					gbdt_number(data, f)[i] = gbdt_random((uint64_t) f, i);
				z = 3 * gbdt_number(data, 0)[i] + gbdt_number(data, 1)[i];
				gbdt_target(data)[i] = classes > 0 ? z > 2 : z;
			}
			CHECK_STATUS(env, trees_fit(env, "random_forest", data, "", &model), ML_OK);
			CHECK_STATUS(env, ml_tree_importance(env, model->fitted, data->schema, "permutation", missed), ML_BAD_PARAM);
			CHECK_STATUS(env, trees_fit(env, "random_forest", data, "permutation_importance=true", &model), ML_OK);
			CHECK_STATUS(env, ml_tree_importance(env, model->fitted, data->schema, "permutation", missed), ML_OK);
			CHECK_STATUS(env, ml_tree_importance(env, model->fitted, data->schema, "gain", gain), ML_OK);
			CHECK(missed[0] > 2 * missed[1] && missed[1] > 5 * fabs(missed[2]) && missed[1] > 5 * fabs(missed[3]));
			CHECK(gain[0] > gain[1] && gain[1] > gain[2] && gain[1] > gain[3]);
			/* A regression that does not know x misses twice its share of the variance. */
			if (classes == 0)
				CHECK_CLOSE(missed[0], 2 * 9.0 / 12, 0.15);
			memcpy(image[threads - 1], missed, sizeof(missed));
			unit_env_free(env);
		}
		CHECK(memcmp(image[0], image[1], sizeof(image[0])) == 0);
	}
}

/* The score without knowing any feature: each split by the shares of its rows. */
static double
mean_of_tree(const MlTree *tree, uint32_t i, int width, int k)
{
	uint32_t	left = tree->step[i].left;

	if (tree->step[i].slot == 0)
		return tree->value[tree->payload[i] * (size_t) width + (size_t) k];
	return (mean_of_tree(tree, left, width, k) * tree->rows[left] + mean_of_tree(tree, left + 1, width, k) * tree->rows[left + 1]) / tree->rows[i];
}

/* Baseline and contributions add up to the answer, whatever a row lacks; a feature that no split asks adds nothing. */
static void
test_explain(void)
{
	for (int m = 0; m < METHODS; m++)
		for (int classes = 0; classes <= 4; classes += 2)
		{
			MlEnv	   *env = unit_env(1);
			MlDataset  *data = mixed_data(env, 600, classes);
			MlModel    *model;
			const MlTreeForest *forest;
			void	   *explainer;
			double		worst = 0;
			double		unasked = 0;
			double		base_off = 0;

			CHECK_STATUS(env, trees_fit(env, methods[m], data, m == 0 ? "max_depth=7" : "n_estimators=8 max_depth=9", &model), ML_OK);
			forest = model->fitted;
			CHECK_STATUS(env, ml_tree_explainer(env, model->fitted, data->schema, &explainer), ML_OK);
			for (size_t i = 0; i < 600; i += 7)
			{
				int			k = classes > 0 ? (int) (i % (size_t) classes) : 0;
				double		x[5];
				double		out[4];
				double		phi[5];
				double		baseline;
				double		mean = 0;
				double		sum;

				ml_dataset_row(data, i, x);
				x[3] = i % 3 == 0 ? 6 : x[3];	/* a category that training never saw */
				x[0] = i % 5 == 0 ? NAN : x[0];
				ml_model_predict(model, x, out);
				ml_tree_explain(explainer, x, k, phi, &baseline);
				sum = baseline;
				for (int f = 0; f < 5; f++)
					sum += phi[f];
				worst = fmax(worst, fabs(sum - out[k]));
				for (uint32_t t = 0; t < forest->n_trees; t++)
					mean += mean_of_tree(&forest->tree[t], 0, forest->width, forest->width > 1 ? k : 0) / forest->n_trees * forest->scale;
				base_off = fmax(base_off, fabs(baseline - (classes == 2 && k == 0 ? 1 - mean : mean)));
				for (int f = 0; f < 5; f++)
				{
					bool		asked = false;

					for (int u = 0; u < forest->n_used; u++)
						asked |= forest->used[u] == f;
					unasked = asked ? unasked : fmax(unasked, fabs(phi[f]));
				}
			}
			CHECK_NEAR(worst, 0, 1e-12);
			CHECK_NEAR(base_off, 0, 1e-12);
			CHECK_NEAR(unasked, 0, 0);
			unit_env_free(env);
		}
}

int
main(void)
{
	test_learns_by_heart();
	test_missing_decides();
	test_best_subset();
	test_weights();
	test_threads();
	test_reload_and_batch();
	test_damaged_images();
	for (int m = 0; m < METHODS; m++)
		for (int classes = 0; classes <= 2; classes += 2)
			test_odd_data(methods[m], classes);
	test_refusals();
	test_max_features();
	test_memory();
	test_out_of_bag();
	test_permutation();
	test_explain();
	return unit_done();
}
