/*-------------------------------------------------------------------------
 * test_gbdt_odd.c
 *	  gbdt at its edges: odd data, many categories, images whole and damaged.
 *-------------------------------------------------------------------------
 */
#include "gbdt_mixed.h"

/* Fits, reloads, and wants every output finite and equal before and after. */
static void
survives(MlEnv *env, const MlDataset *data, const char *settings, const char *what)
{
	MlModel    *model = NULL;
	MlModel    *loaded = NULL;
	MlStatus	status = gbdt_fit(env, data, settings, &model);
	bool		good = status == ML_OK;

	if (good)
		loaded = gbdt_reload(env, model, &status);
	good = good && status == ML_OK;
	for (size_t i = 0; i < data->n_train && good; i += 1 + data->n_train / 300)
		for (int k = 0; k < model->n_out; k++)
		{
			double		p = gbdt_row(model, data, i, k);

			good = good && isfinite(p) && p == gbdt_row(loaded, data, i, k);
		}
	unit_check(good, __FILE__, __LINE__, "%s: %s", what, status == ML_OK ? "finite, and the same after reload" : env->error.message);
	env->error.status = ML_OK;
}

static void
test_degenerate(void)
{
	for (int classes = 0; classes <= 3; classes++)
	{
		MlEnv	   *env;
		MlDataset  *data;
		char		what[60];

		if (classes == 1)
			continue;
		snprintf(what, sizeof(what), "%d classes", classes);
		env = unit_env(2);
		data = gbdt_data(env, 1, 2, classes);
		survives(env, data, "", "one row");
		survives(env, data, BARE, "one row, no limits");
		data = gbdt_data(env, 50, 0, classes);
		survives(env, data, BARE, "no feature");
		data = gbdt_data(env, 50, 3, classes);
		survives(env, data, BARE, "constant columns, constant target");
		for (int i = 0; i < 50; i++)
			gbdt_target(data)[i] = classes > 0 ? i % classes : i;
		survives(env, data, BARE, "constant columns");
		for (int i = 0; i < 50; i++)
			gbdt_number(data, 0)[i] = gbdt_number(data, 1)[i] = NAN;
		survives(env, data, BARE, "columns all missing");
		gbdt_number(data, 0)[7] = 3;
		survives(env, data, BARE, "one value, else missing");
		gbdt_number(data, 0)[7] = 0.0;
		gbdt_number(data, 0)[8] = -0.0;
		survives(env, data, BARE, "zero and minus zero");
		for (int i = 0; i < 50; i++)
			gbdt_number(data, 0)[i] = i % 2 ? 1e308 : -1e308;
		survives(env, data, BARE, "values of 1e308");
		for (int i = 0; i < 50; i++)
			gbdt_number(data, 1)[i] = (i % 2 ? 1 : -1) * ldexp(1.5, i * 41 % 2000 - 1000);
		survives(env, data, BARE, "values of every size");
		for (int i = 0; i < 50 && classes == 0; i++)
			gbdt_target(data)[i] = i % 3 ? 1.7e308 : -1.7e308;
		survives(env, data, BARE, "targets of 1e308");
		survives(env, data, "objective=auto min_data_in_leaf=3 lambda_l2=1e300 lambda_l1=1e300", "huge penalties");
		for (int i = 0; i < 50 && classes == 0; i++)
			gbdt_target(data)[i] = i % 3 ? 1e-310 : -1e-310;
		survives(env, data, BARE, "targets of 1e-310");
		data->weight = ml_alloc0(env, 51, sizeof(double));
		for (int i = 0; i < 50; i++)
			((double *) data->weight)[i] = i % 7 == 0 ? 1e308 / 50 : 1e-308;
		survives(env, data, BARE, "weights of every size");
		for (int i = 0; i < 50; i++)
			((double *) data->weight)[i] = i == 20;
		survives(env, data, BARE, "one row with weight");
		data->weight = NULL;
		for (int i = 0; i < 50; i++)
			gbdt_target(data)[i] = 0;
		gbdt_target(data)[0] = classes > 0 ? classes - 1 : 1;
		survives(env, data, BARE "num_iterations=300", "separable for ever");
		unit_env_free(env);
	}
}

/* Many categories: an id that says nothing, and one that says everything. */
static void
test_many_categories(void)
{
	static const int levels[] = {254, 255, 10000, 65534};

	for (size_t l = 0; l < sizeof(levels) / sizeof(levels[0]); l++)
	{
		MlEnv	   *env = unit_env(2);
		size_t		n = levels[l] == 65534 ? 140000 : 40000;
		MlDataset  *data = gbdt_data(env, n, 2, 0);
		int32_t    *code = gbdt_category(env, data, 0, levels[l]);
		MlModel    *model;
		MlModel    *loaded;
		MlStatus	status;
		double		rss = 0;
		double		tss = 0;
		bool		same = true;

		for (size_t i = 0; i < n; i++)
		{
			code[i] = (int32_t) (i % (size_t) levels[l]);
			gbdt_number(data, 1)[i] = gbdt_random(1, i);
			gbdt_target(data)[i] = code[i] % 3 == 0;
		}
		CHECK_STATUS(env, gbdt_fit(env, data, "num_iterations=10 learning_rate=0.5 cat_smooth=1 cat_l2=1 max_cat_threshold=65535 min_data_per_group=1",
								   &model), ML_OK);
		loaded = gbdt_reload(env, model, &status);
		CHECK(status == ML_OK);
		for (size_t i = 0; i < n; i += 13)
		{
			double		p = gbdt_row(model, data, i, 0);

			rss += (p - data->y[i]) * (p - data->y[i]);
			tss += (data->y[i] - 1.0 / 3) * (data->y[i] - 1.0 / 3);
			same = same && p == gbdt_row(loaded, data, i, 0);
		}
		unit_check(same && rss < 0.2 * tss, __FILE__, __LINE__, "%d categories: share of variance left %.4f", levels[l], rss / tss);
		CHECK(isfinite(gbdt_at(model, (double[]) {levels[l], 0.5}, 0)) && isfinite(gbdt_at(model, (double[]) {NAN, NAN}, 0)));
		unit_env_free(env);
	}
}

/* Serving says what the walk over the columns says, for rows with missing and unseen values; the image gives both back. */
static void
test_serving(void)
{
	static const char *const settings[] = {"num_iterations=21", "num_iterations=3", "num_iterations=40 num_leaves=4", "num_iterations=9 num_leaves=200 min_data_in_leaf=1"};

	for (int s = 0; s < 8; s++)
	{
		MlEnv	   *env = unit_env(1);
		MlDataset  *data = mixed_data(env, 3000, 1000, s % 3 == 0 ? 0 : s % 3 + 1, s < 4 ? 3000 : 100);
		const MlGbdtForest *forest;
		MlModel    *model;
		MlModel    *loaded;
		MlStatus	status;
		MlWriter	image;
		MlWriter	again;
		bool		walked = true;
		bool		same = true;

		CHECK_STATUS(env, gbdt_fit(env, data, settings[s % 4], &model), ML_OK);
		loaded = gbdt_reload(env, model, &status);
		CHECK(status == ML_OK && loaded != NULL);
		image = gbdt_image(env, model);
		again = gbdt_image(env, loaded);
		CHECK(image.length == again.length && memcmp(image.bytes, again.bytes, image.length) == 0);
		forest = forest_of(loaded);
		for (size_t i = 0; i < 4000; i++)
		{
			double		score[4];
			double		x[6];
			double		a[4];
			double		b[4];

			for (int k = 0; k < forest->n_outputs; k++)
				score[k] = forest->base[k];
			for (uint32_t t = 0; t < forest->n_trees; t++)
				score[t % (uint32_t) forest->n_outputs] += ml_gbdt_forest_walk(forest, t, data, i);
			ml_dataset_row(data, i, x);
			ml_model_predict(model, x, a);
			ml_model_predict(loaded, x, b);
			for (int k = 0; k < model->n_out; k++)
				same = same && a[k] == b[k];
			if (forest->objective == ML_GBDT_SQUARED)
				walked = walked && a[0] == score[0];
			else if (forest->objective == ML_GBDT_LOGISTIC)
				walked = walked && fabs(a[1] - 1 / (1 + exp(-score[0]))) < 1e-14;
			else
				walked = walked && fabs(log(a[1] / a[0]) - (score[1] - score[0])) < 1e-11;
		}
		CHECK(walked);
		CHECK(same);
		/* The way out for forests too large for steps gives the same. */
		((MlGbdtForest *) loaded->fitted)->plain = true;
		same = true;
		for (size_t i = 0; i < 4000; i++)
			same = same && gbdt_row(model, data, i, 0) == gbdt_row(loaded, data, i, 0);
		CHECK(same);
		unit_env_free(env);
	}
}

/* Each beginning of an image is refused; each changed byte gives an error or a model that can be used. */
static void
test_damaged_image(void)
{
	MlEnv	   *env = unit_env(1);
	MlDataset  *data = mixed_data(env, 600, 0, 3, 40);
	MlModel    *model;
	MlWriter	image;
	bool		refused = true;
	int			accepted = 0;
	double		x[6] = {0};
	double		out[3];

	CHECK_STATUS(env, gbdt_fit(env, data, "num_iterations=2 num_leaves=6 cat_smooth=1 min_data_per_group=1", &model), ML_OK);
	image = gbdt_image(env, model);
	for (size_t i = 0; i < 4 * image.length; i++)
	{
		MlEnv	   *own = unit_env(1);
		size_t		length = i < image.length ? i : image.length;
		uint8_t    *copy = malloc(length + 1);
		MlReader	r;
		void	   *fitted;

		memcpy(copy, image.bytes, length);
		if (i >= image.length)
			copy[i % image.length] ^= (uint8_t) (i / image.length == 1 ? 0x01 : (i / image.length == 2 ? 0x80 : 0xFF));
		ml_reader_init(&r, own, copy, length);
		if (ml_method_gbdt.load(&r, data->schema, &fitted) == ML_OK && ml_reader_end(&r) == ML_OK)
		{
			void	   *scratch = aligned_alloc(64, (ml_method_gbdt.scratch_size(fitted) + 63) / 64 * 64 + 64);

			refused = refused && i >= image.length;
			accepted++;
			ml_method_gbdt.predict(fitted, x, out, scratch);
			for (int k = 0; k < 3; k++)
				refused = refused && out[k] >= 0 && out[k] <= 1;
			free(scratch);
		}
		free(copy);
		unit_env_free(own);
	}
	unit_check(refused && accepted > 0, __FILE__, __LINE__, "damaged images: %d of %zu still load, all of those predict", accepted, 4 * image.length);
	unit_env_free(env);
}

/* A tree of a million levels loads and predicts: nothing recurses. */
static void
test_deep_tree(void)
{
	MlEnv	   *env = unit_env(1);
	MlDataset  *data = gbdt_data(env, 1, 1, 0);
	MlGbdtForest *forest;
	MlModel    *model;
	MlModel    *loaded;
	MlStatus	status;
	uint32_t	depth = 1000000;
	MlGbdtNode *node = ml_alloc0(env, 2 * depth + 1, sizeof(MlGbdtNode));

	CHECK(ml_gbdt_forest_create(env, ML_GBDT_SQUARED, data->schema, &forest) == ML_OK);
	for (uint32_t d = 0; d < depth; d++)
	{
		MlGbdtNode *split = &node[d == 0 ? 0 : 2 * d];

		split->value = d;
		split->left = 2 * d + 1;
		node[2 * d + 1].value = d;	/* x <= d ends here */
	}
	node[2 * depth].value = -1;
	CHECK(ml_gbdt_forest_add(env, forest, node, 2 * depth + 1, NULL, 0) == ML_OK);
	CHECK(ml_gbdt_forest_prepare(env, forest, data->schema) == ML_OK);
	CHECK(ml_model_make(env, &ml_method_gbdt, data->schema, forest, &model) == ML_OK);
	loaded = gbdt_reload(env, model, &status);
	CHECK(status == ML_OK);
	CHECK_NEAR(gbdt_at(loaded, (double[]) {123456.5}, 0), 123457, 0);
	CHECK_NEAR(gbdt_at(loaded, (double[]) {1e7}, 0), -1, 0);
	unit_env_free(env);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);	/* what was said before a crash is worth having */
	test_degenerate();
	test_many_categories();
	test_serving();
	test_damaged_image();
	test_deep_tree();
	return unit_done();
}
