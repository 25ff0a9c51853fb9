/*-------------------------------------------------------------------------
 * test_gbdt_losses.c
 *	  The losses of gbdt beside the usual ones, how trees may grow, and what rows and columns they may see.
 *
 * Figures: test/reference/gbdt_losses.py.
 *-------------------------------------------------------------------------
 */
#include "gbdt_data.h"

#include "ml/algo/gbdt/gbdt_internal.h"

extern const MlMethod ml_method_xgboost;
extern const MlMethod ml_method_lightgbm;

/* ---- derivatives ---- */

static const struct
{
	MlGbdtObjective objective;
	const char *name;
	double		shape;
	double		factor;			/* what is reported of a row / what is minimised */
	double		h_factor;		/* hessian that is used / second derivative */
}			losses[] = {
	{ML_GBDT_HUBER, "huber", 0.7, 1, 1},
	{ML_GBDT_QUANTILE, "quantile", 0.8, 1, 0},
	{ML_GBDT_POISSON, "poisson", 1.5, 2, 1.5},
	{ML_GBDT_GAMMA, "gamma", 0, 2, 1},
	{ML_GBDT_TWEEDIE, "tweedie", 1.4, 2, 1},
	{ML_GBDT_CROSS_ENTROPY, "cross_entropy", 0, 1, 1}
};

static double
loss_at(const MlGbdtLoss *loss, double score)
{
	MlGbdtLoss	moved = *loss;
	double		sums[ML_GBDT_BLOCK_SUMS] = {0};

	moved.score = &score;
	ml_gbdt_general_rows(&moved, 0, 1, false, sums);
	return sums[ML_GBDT_BLOCK_LOSS];
}

static void
test_derivatives(void)
{
	for (size_t l = 0; l < sizeof(losses) / sizeof(losses[0]); l++)
	{
		double		worst_g = 0;
		double		worst_h = 0;

		for (int i = 0; i < 60; i++)
		{
			double		score = 4 * gbdt_random(1, (uint64_t) i) - 2;
			double		y = i % 6 == 0 && losses[l].objective != ML_GBDT_GAMMA ? 0 : gbdt_random(2, (uint64_t) i) * (losses[l].objective == ML_GBDT_CROSS_ENTROPY ? 1 : 5);
			double		w = 0.5 + gbdt_random(3, (uint64_t) i);
			double		g;
			double		h;
			double		sums[ML_GBDT_BLOCK_SUMS] = {0};
			MlGbdtLoss	loss = {.objective = losses[l].objective, .shape = losses[l].shape, .y = &y, .weight = &w, .score = &score, .g = &g, .h = &h, .n = 1, .n_outputs = 1};
			double		step = 1e-4;
			double		up;
			double		down;
			double		middle;

			/* Not across the points where a loss has a corner. */
			if (losses[l].h_factor < 1 && fabs(score - y) < 2 * step)
				continue;
			if (losses[l].objective == ML_GBDT_HUBER && fabs(fabs(score - y) - losses[l].shape) < 2 * step)
				continue;
			ml_gbdt_general_rows(&loss, 0, 1, true, sums);
			up = loss_at(&loss, score + step);
			down = loss_at(&loss, score - step);
			middle = loss_at(&loss, score);
			worst_g = fmax(worst_g, fabs((up - down) / (2 * step) / losses[l].factor - g) / (1 + fabs(g)));
			if (losses[l].objective != ML_GBDT_HUBER && losses[l].objective != ML_GBDT_QUANTILE)
				worst_h = fmax(worst_h, fabs((up - 2 * middle + down) / (step * step) / losses[l].factor * losses[l].h_factor - h) / (1 + h));
		}
		unit_check(worst_g < 1e-6, __FILE__, __LINE__, "%s: gradients are those of the loss (%.1e)", losses[l].name, worst_g);
		unit_check(worst_h < 1e-5, __FILE__, __LINE__, "%s: hessians, too (%.1e)", losses[l].name, worst_h);
	}
}

/* ---- against peers ---- */

static double
peer_figure(const char *set, const char *loss)
{
	FILE	   *file = fopen("test/reference/gbdt_losses.txt", "r");
	char		line[200];
	double		result = NAN;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
	{
		char		a[50];
		char		b[50];
		double		value;

		if (sscanf(line, "%49s %49s %lf", a, b, &value) == 3 && strcmp(a, set) == 0 && strcmp(b, loss) == 0)
			result = value;
	}
	if (file != NULL)
		fclose(file);
	return result;
}

static double
unit_loss(const char *loss, double y, double p)
{
	if (strcmp(loss, "poisson") == 0)
		return 2 * ((y > 0 ? y * log(y / p) : 0) - (y - p));
	if (strcmp(loss, "gamma") == 0)
		return 2 * (y / p - 1 - log(y / p));
	if (strcmp(loss, "tweedie") == 0)
		return 2 * (pow(y, 0.5) / (-0.5 * 0.5) - y * pow(p, -0.5) / -0.5 + pow(p, 0.5) / 0.5);
	if (strcmp(loss, "quantile") == 0)
		return y > p ? 0.8 * (y - p) : 0.2 * (p - y);
	return (y - p) * (y - p);
}

/* The mean over five splits of the loss on the test rows. */
static double
our_figure(const MlMethod *method, const Table *t, const char *loss, const char *settings)
{
	double		mean = 0;

	for (int split = 0; split < 5; split++)
	{
		MlEnv	   *env = unit_env(1);
		MlDataset  *data = gbdt_data(env, t->n, t->p, 0);
		size_t		n_train = 0;
		size_t		n_test = 0;
		double		sum = 0;
		MlModel    *model;

		for (size_t i = 0; i < t->n; i++)
		{
			if (ml_mix64(i + UINT64_C(1000003) * (uint64_t) split) % 10 < 3)
				continue;
			for (int f = 0; f < t->p; f++)
				gbdt_number(data, f)[n_train] = t->x[i * (size_t) t->p + (size_t) f];
			gbdt_target(data)[n_train++] = t->y[i];
		}
		data->n_train = n_train;
		if (gbdt_fit_as(env, method, data, settings, &model) != ML_OK)
		{
			printf("# %s\n", env->error.message);
			return INFINITY;
		}
		for (size_t i = 0; i < t->n; i++)
		{
			if (ml_mix64(i + UINT64_C(1000003) * (uint64_t) split) % 10 >= 3)
				continue;
			sum += unit_loss(loss, t->y[i], gbdt_at(model, t->x + i * (size_t) t->p, 0));
			n_test++;
		}
		mean += (strcmp(loss, "defaults") == 0 ? sqrt(sum / (double) n_test) : sum / (double) n_test) / 5;
		unit_env_free(env);
	}
	return mean;
}

static void
test_peers(void)
{
	static const char *const names[] = {"poisson", "gamma", "tweedie", "quantile"};
	Table		t = read_table("diabetes");
	double		ours;
	double		theirs;

	for (int l = 0; l < 4; l++)
	{
		char		settings[300];

		snprintf(settings, sizeof(settings), "objective=%s num_leaves=7 learning_rate=0.05 quantile_alpha=0.8 tweedie_variance_power=1.5 min_data_in_bin=1%s",
				 names[l], l < 3 ? " min_data_in_leaf=1 min_sum_hessian_in_leaf=1" : "");
		ours = our_figure(&ml_method_gbdt, &t, names[l], settings);
		theirs = peer_figure("diabetes", names[l]);
		unit_check(ours <= theirs * 1.01, __FILE__, __LINE__, "%s: %.6f, the peer has %.6f", names[l], ours, theirs);
	}
	ours = our_figure(&ml_method_xgboost, &t, "defaults", "");
	theirs = peer_figure("diabetes", "defaults");
	unit_check(ours <= theirs * 1.01, __FILE__, __LINE__, "the defaults of XGBoost: RMSE %.6f, the peer has %.6f", ours, theirs);
	ours = our_figure(&ml_method_lightgbm, &t, "defaults", "num_leaves=15 boosting=gbdt");
	theirs = our_figure(&ml_method_gbdt, &t, "defaults", "num_leaves=15");
	unit_check(ours == theirs, __FILE__, __LINE__, "lightgbm is gbdt");
	free(t.x);
	free(t.y);
}

/* ---- growing ---- */

/* y rises with x1, falls with x2 and wobbles with x3; with noise. */
static MlDataset *
noisy(MlEnv *env, size_t n, int classes)
{
	MlDataset  *data = gbdt_data(env, n, 6, classes);

	for (size_t i = 0; i < n; i++)
	{
		double		y = 0;

		for (int f = 0; f < 6; f++)
			gbdt_number(data, f)[i] = f == 5 && i % 7 == 0 ? NAN : gbdt_random((uint64_t) f, i);
		y = 2 * gbdt_number(data, 0)[i] - gbdt_number(data, 1)[i] + sin(9 * gbdt_number(data, 2)[i]) + gbdt_normal(20, i);
		gbdt_target(data)[i] = classes == 0 ? y : classes == 2 ? y > 0.5 : (y > 0) + (y > 1);
	}
	return data;
}

static void
test_threads(void)
{
	static const char *const settings[] = {
		"objective=huber huber_delta=0.5", "objective=quantile quantile_alpha=0.9", "grow_policy=depthwise max_depth=4", "feature_fraction_bynode=0.4",
		"feature_fraction_bylevel=0.5 feature_fraction=0.8", "data_sample_strategy=goss", "data_sample_strategy=goss objective=quantile",
		"monotone_constraints=x1:1,x2:-1", "max_delta_step=0.3"
	};
	MlEnv	   *env = unit_env(1);
	MlDataset  *numbers = noisy(env, 30000, 0);
	MlDataset  *classes = noisy(env, 30000, 3);
	uint64_t	plain = gbdt_hash(&ml_method_gbdt, numbers, 1, "num_iterations=20");

	for (size_t s = 0; s < sizeof(settings) / sizeof(settings[0]); s++)
	{
		char		text[200];
		uint64_t	one;

		snprintf(text, sizeof(text), "num_iterations=20 %s", settings[s]);
		one = gbdt_hash(&ml_method_gbdt, numbers, 1, text);
		unit_check(one != 0 && one != plain && one == gbdt_hash(&ml_method_gbdt, numbers, 2, text) && one == gbdt_hash(&ml_method_gbdt, numbers, 4, text), __FILE__, __LINE__,
				   "%s: 1, 2 and 4 threads give the same bits, and not those without it", settings[s]);
	}
	CHECK(gbdt_hash(&ml_method_gbdt, classes, 1, "num_iterations=15 data_sample_strategy=goss") == gbdt_hash(&ml_method_gbdt, classes, 4, "num_iterations=15 data_sample_strategy=goss"));
	unit_env_free(env);
}

/* Deepest and shallowest leaf of tree t. */
static void
depths(const MlGbdtForest *forest, uint32_t t, int *least, int *most)
{
	const MlGbdtNode *node = forest->node + forest->first[t];
	uint32_t	n = (t + 1 < forest->n_trees ? forest->first[t + 1] : forest->n_nodes) - forest->first[t];
	int		   *depth = calloc(n, sizeof(int));

	*least = 1000;
	*most = 0;
	for (uint32_t i = 0; i < n; i++)
	{
		if (node[i].left != 0)
		{
			depth[node[i].left] = depth[node[i].left + 1] = depth[i] + 1;
			continue;
		}
		*least = depth[i] < *least ? depth[i] : *least;
		*most = depth[i] > *most ? depth[i] : *most;
	}
	free(depth);
}

static void
test_growth(void)
{
	MlEnv	   *env = unit_env(2);
	MlDataset  *data = noisy(env, 20000, 0);
	MlModel    *model;
	const MlGbdtForest *forest;
	int			least;
	int			most;
	bool		even = true;
	bool		bounded = true;

	CHECK(gbdt_fit(env, data, "grow_policy=depthwise num_leaves=8 num_iterations=5", &model) == ML_OK);
	forest = model->fitted;
	for (uint32_t t = 0; t < forest->n_trees; t++)
	{
		depths(forest, t, &least, &most);
		even &= least == 3 && most == 3;
	}
	unit_check(even, __FILE__, __LINE__, "level by level: eight leaves, all three splits below the root");
	CHECK(gbdt_fit(env, data, "num_leaves=8 num_iterations=5", &model) == ML_OK);
	even = true;
	forest = model->fitted;
	for (uint32_t t = 0; t < forest->n_trees; t++)
	{
		depths(forest, t, &least, &most);
		even &= least == 3 && most == 3;
	}
	unit_check(!even, __FILE__, __LINE__, "leaf by leaf they are not");

	CHECK(gbdt_fit_as(env, &ml_method_xgboost, data, "max_depth=3 n_estimators=3", &model) == ML_OK);
	forest = model->fitted;
	depths(forest, 0, &least, &most);
	unit_check(most == 3, __FILE__, __LINE__, "xgboost: max_leaves 0 leaves it to max_depth");

	CHECK(gbdt_fit(env, data, "max_delta_step=0.25 learning_rate=0.5 num_iterations=10", &model) == ML_OK);
	forest = model->fitted;
	for (uint32_t i = 0; i < forest->n_nodes; i++)
		bounded &= forest->node[i].left != 0 || fabs(forest->node[i].value) <= 0.125;
	unit_check(bounded, __FILE__, __LINE__, "no leaf exceeds max_delta_step times the learning rate");

	/* One feature a leaf: the root of each tree has only one to choose from, but trees use several. */
	CHECK(gbdt_fit(env, data, "feature_fraction_bynode=0.1 num_iterations=3", &model) == ML_OK);
	forest = model->fitted;
	{
		uint32_t	used = 0;

		for (uint32_t i = 0; i < forest->first[1]; i++)
			used |= forest->node[i].left != 0 ? UINT32_C(1) << forest->node[i].feature : 0;
		unit_check(__builtin_popcount(used) >= 4, __FILE__, __LINE__, "each leaf draws its own features (%d of 6 used)", __builtin_popcount(used));
	}
	unit_env_free(env);
}

static void
test_monotone(void)
{
	MlEnv	   *env = unit_env(2);
	MlDataset  *data = noisy(env, 5000, 0);
	MlModel    *model;
	bool		rises = true;
	bool		falls = true;
	bool		free_rises = true;

	for (int constrained = 0; constrained < 2; constrained++)
	{
		CHECK(gbdt_fit(env, data, constrained ? "monotone_constraints=(1,-1) num_iterations=60" : "num_iterations=60", &model) == ML_OK);
		for (uint64_t q = 0; q < 200; q++)
		{
			double		x[6];
			double		last[2] = {0};

			for (int f = 0; f < 6; f++)
				x[f] = f == 5 && q % 5 == 0 ? NAN : gbdt_random(40 + (uint64_t) f, q);
			for (int f = 0; f < 2; f++)
			{
				double		kept = x[f];

				for (int step = 0; step <= 50; step++)
				{
					double		p;

					x[f] = step / 50.0;
					p = gbdt_at(model, x, 0);
					if (step > 0 && constrained)
					{
						rises &= f != 0 || p >= last[f];
						falls &= f != 1 || p <= last[f];
					}
					else if (step > 0)
						free_rises &= f != 0 || p >= last[f];
					last[f] = p;
				}
				x[f] = kept;
			}
		}
	}
	unit_check(rises && falls && !free_rises, __FILE__, __LINE__, "predictions follow the directions that were asked for, and would not without");
	CHECK(gbdt_fit(env, data, "monotone_constraints=x9:1", &model) == ML_BAD_PARAM && strstr(env->error.message, "x9") != NULL);
	env->error.status = ML_OK;
	CHECK(gbdt_fit(env, data, "monotone_constraints=x1:2", &model) == ML_BAD_PARAM);
	env->error.status = ML_OK;
	CHECK(gbdt_fit(env, data, "monotone_constraints=(1,0,0,0,0,0,1)", &model) == ML_BAD_PARAM);
	unit_env_free(env);
}

static void
test_rows(void)
{
	MlEnv	   *env = unit_env(2);
	MlDataset  *data = noisy(env, 20000, 2);
	MlDataset	weighted = *data;
	double	   *w = ml_alloc(env, 20000, sizeof(double));
	MlModel    *model;
	double		right[2] = {0};

	for (size_t i = 0; i < 20000; i++)
		w[i] = data->y[i] > 0.5 ? 3 : 1;
	weighted.weight = w;
	CHECK(gbdt_hash(&ml_method_gbdt, data, 2, "scale_pos_weight=3 num_iterations=10") == gbdt_hash(&ml_method_gbdt, &weighted, 2, "num_iterations=10"));
	for (int goss = 0; goss < 2; goss++)
	{
		CHECK(gbdt_fit(env, data, goss ? "data_sample_strategy=goss num_iterations=60" : "num_iterations=60", &model) == ML_OK);
		for (size_t i = 0; i < 20000; i++)
			right[goss] += (gbdt_row(model, data, i, 1) > 0.5) == (data->y[i] > 0.5);
	}
	unit_check(right[1] > 0.98 * right[0], __FILE__, __LINE__, "a third of the rows, drawn by gradient, learns nearly as much (%.0f, %.0f of 20000)", right[1], right[0]);
	CHECK(gbdt_fit(env, data, "data_sample_strategy=goss bagging_fraction=0.5", &model) == ML_BAD_PARAM);
	env->error.status = ML_OK;
	CHECK(gbdt_fit(env, data, "data_sample_strategy=goss top_rate=0.8 other_rate=0.5", &model) == ML_BAD_PARAM);
	env->error.status = ML_OK;
	CHECK(gbdt_fit(env, noisy(env, 100, 0), "scale_pos_weight=2", &model) == ML_BAD_PARAM);
	unit_env_free(env);
}

static void
test_targets(void)
{
	static const struct
	{
		const char *settings;
		double		wrong;
	}			cases[] = {{"objective=poisson", -1}, {"objective=gamma", 0}, {"objective=tweedie", -0.5}, {"objective=cross_entropy", 1.5}};

	for (int c = 0; c < 4; c++)
	{
		MlEnv	   *env = unit_env(1);
		MlDataset  *data = noisy(env, 500, 0);
		MlModel    *model;
		MlModel    *again;
		MlStatus	status;
		bool		good = true;

		for (size_t i = 0; i < 500; i++)
			gbdt_target(data)[i] = gbdt_random(50, i) * 0.9 + 0.05;
		gbdt_target(data)[7] = cases[c].wrong;
		CHECK(gbdt_fit(env, data, cases[c].settings, &model) == ML_BAD_DATA && env->error.hint[0] != '\0');
		env->error.status = ML_OK;
		gbdt_target(data)[7] = c < 3 ? 1e30 : 1;	/* one outlier, or the edge */
		CHECK(gbdt_fit(env, data, cases[c].settings, &model) == ML_OK);
		again = gbdt_reload(env, model, &status);
		CHECK(status == ML_OK);
		for (size_t i = 0; i < 500; i++)
		{
			double		p = gbdt_row(model, data, i, 0);

			good &= p > 0 && p < 1e300 && (c < 3 || p < 1) && p == gbdt_row(again, data, i, 0);
		}
		unit_check(good, __FILE__, __LINE__, "%s: predictions are in range, and the same after loading", cases[c].settings);
		unit_env_free(env);
	}
}

int
main(void)
{
	test_derivatives();
	test_peers();
	test_threads();
	test_growth();
	test_monotone();
	test_rows();
	test_targets();
	return unit_done();
}
