/*-------------------------------------------------------------------------
 * test_mlp.c
 *	  Networks: gradients, fits that repeat, images, odd data.
 *-------------------------------------------------------------------------
 */
#include "mlp_data.h"

#include "ml/algo/mlp/pass.h"
#include "ml/base/simd.h"

/* ---- gradients ---- */

typedef struct Case
{
	MlMlpActivation activation;
	MlMlpLoss	loss;
	int			n_classes;
	bool		batch_norm;
	bool		embed;
	double		smoothing;
	double		focal;
} Case;

typedef struct World
{
	MlEnv		env;
	MlMlpNet	net;
	MlMlpRows	rows;
	MlMlpTarget target;
	MlMlpPass  *pass;
	uint32_t	order[160];
} World;

#define GRADIENT_ROWS 150		/* three blocks */

static MlStatus
make_world(World *w, const Case *c)
{
	MlEnv	   *env = &w->env;
	MlDataset  *data = mlp_table(env, GRADIENT_ROWS, 5, 2, c->n_classes);
	const int64_t hidden[] = {7, 6};
	MlParams   *params;
	float	   *numbers = ml_alloc0(env, GRADIENT_ROWS * 3, sizeof(float));
	int32_t    *codes = ml_alloc0(env, GRADIENT_ROWS * 2, sizeof(int32_t));
	float	   *y = ml_alloc0(env, GRADIENT_ROWS, sizeof(float));
	float	   *weight = ml_alloc0(env, GRADIENT_ROWS, sizeof(float));
	int32_t    *class_of = ml_alloc0(env, GRADIENT_ROWS, sizeof(int32_t));

	ML_TRY(mlp_params_of(env, c->embed ? "categories=embedding embedding_dim=2" : "", &params));
	w->net.activation = c->activation;
	w->net.batch_norm = c->batch_norm;
	ML_TRY(ml_mlp_input_fit(env, data, params, &(MlMlpStart) {0}, &w->net));
	ML_TRY(ml_mlp_layout(env, &w->net, 2, hidden, c->n_classes > 2 ? c->n_classes : 1));
	ml_mlp_initialise(&w->net, 0, 3);
	for (size_t i = 0; i < GRADIENT_ROWS; i++)
	{
		for (int j = 0; j < 3; j++)
			numbers[i * 3 + j] = ml_mlp_number(&w->net.numbers[j], ml_dataset_value(data, j, i));
		for (int j = 0; j < 2; j++)
			codes[i * 2 + j] = ml_mlp_category_row(w->net.design, 3 + j, ml_dataset_value(data, 3 + j, i));
		class_of[i] = (int32_t) data->y[i];
		y[i] = (float) (c->loss == ML_MLP_POISSON ? fabs(data->y[i]) : data->y[i]);
		weight[i] = (float) (0.5 + i % 3);
		w->order[i] = (uint32_t) ((i * 7) % GRADIENT_ROWS);
	}
	w->rows = (MlMlpRows) {numbers, 3, codes};
	w->target = (MlMlpTarget) {
		.loss = c->loss, .outputs = c->n_classes > 2 ? c->n_classes : 1, .delta = 0.7, .smoothing = c->smoothing, .focal = c->focal,
		.link = c->n_classes > 2 ? ML_MLP_LINK_SOFTMAX : c->n_classes == 2 ? ML_MLP_LINK_LOGISTIC : ML_MLP_LINK_IDENTITY,
		.y = y, .class_of = class_of, .weight = weight
	};
	return ml_mlp_pass_create(env, &w->net, &w->rows, &w->target, 0, GRADIENT_ROWS, 0, &w->pass);
}

static double
loss_at(World *w, size_t which, float value)
{
	float		before = w->net.theta[which];
	double		loss;

	w->net.theta[which] = value;
	ml_mlp_pass_refresh(&w->env, w->pass);
	ml_mlp_pass_train(&w->env, w->pass, w->order, GRADIENT_ROWS, 1, 1, &loss);
	w->net.theta[which] = before;
	return loss / GRADIENT_ROWS;
}

/* The gradient of a batch of three blocks against central differences, over all weights. */
static void
check_gradient(const char *name, const Case *c)
{
	World	   *w = calloc(1, sizeof(World));
	float	   *gradient;
	double		loss;
	double		error = 0;
	double		size = 0;
	size_t		moving = 0;

	w->env = new_env(1);
	if (make_world(w, c) != ML_OK)
		fail("%s: %s", name, w->env.error.message);
	ml_mlp_pass_train(&w->env, w->pass, w->order, GRADIENT_ROWS, 1, 1, &loss);
	gradient = malloc(w->net.n_theta * sizeof(float));
	memcpy(gradient, ml_mlp_pass_gradient(w->pass), w->net.n_theta * sizeof(float));
	for (size_t i = 0; i < w->net.n_theta; i++)
	{
		float		at = w->net.theta[i];
		float		above = at + 0x1p-10f;
		float		below = at - 0x1p-10f;
		double		difference = (loss_at(w, i, above) - loss_at(w, i, below)) / ((double) above - below);

		error += (difference - gradient[i]) * (difference - gradient[i]);
		size += difference * difference;
		moving += difference != 0;
	}
	check(moving > 60 && sqrt(error / size) < 4e-3, "gradient of %s: relative error %.1e, %zu weights move the loss", name, sqrt(error / size), moving);
	free(gradient);
	free_env(&w->env);
	free(w);
}

static void
test_gradients(void)
{
	check_gradient("relu", &(Case) {ML_MLP_RELU, ML_MLP_SQUARED, 0});
	check_gradient("tanh", &(Case) {ML_MLP_TANH, ML_MLP_SQUARED, 0});
	check_gradient("logistic", &(Case) {ML_MLP_LOGISTIC, ML_MLP_SQUARED, 0});
	check_gradient("gelu", &(Case) {ML_MLP_GELU, ML_MLP_SQUARED, 0});
	check_gradient("identity", &(Case) {ML_MLP_IDENTITY, ML_MLP_SQUARED, 0});
	check_gradient("huber", &(Case) {ML_MLP_TANH, ML_MLP_HUBER, 0});
	check_gradient("absolute", &(Case) {ML_MLP_TANH, ML_MLP_ABSOLUTE, 0});
	check_gradient("poisson", &(Case) {ML_MLP_TANH, ML_MLP_POISSON, 0});
	check_gradient("two classes", &(Case) {ML_MLP_TANH, ML_MLP_CROSS_ENTROPY, 2});
	check_gradient("three classes", &(Case) {ML_MLP_TANH, ML_MLP_CROSS_ENTROPY, 3});
	check_gradient("label smoothing, two", &(Case) {ML_MLP_TANH, ML_MLP_CROSS_ENTROPY, 2, .smoothing = 0.2});
	check_gradient("label smoothing, three", &(Case) {ML_MLP_TANH, ML_MLP_CROSS_ENTROPY, 3, .smoothing = 0.2});
	check_gradient("focal, two", &(Case) {ML_MLP_TANH, ML_MLP_CROSS_ENTROPY, 2, .focal = 2});
	check_gradient("focal, three", &(Case) {ML_MLP_TANH, ML_MLP_CROSS_ENTROPY, 3, .focal = 1.5});
	check_gradient("batch norm", &(Case) {ML_MLP_TANH, ML_MLP_SQUARED, 0, .batch_norm = true});
	check_gradient("batch norm, gelu", &(Case) {ML_MLP_GELU, ML_MLP_CROSS_ENTROPY, 3, .batch_norm = true});
	check_gradient("embedding", &(Case) {ML_MLP_TANH, ML_MLP_SQUARED, 0, .embed = true});
	check_gradient("embedding, batch norm", &(Case) {ML_MLP_LOGISTIC, ML_MLP_CROSS_ENTROPY, 2, .embed = true, .batch_norm = true});
}

/* ---- the same model again ---- */

static const char *const settings[] = {
	"hidden_layer_sizes=32,16 max_epochs=4",
	"hidden_layer_sizes=300 max_epochs=2 batch_size=1000 activation=gelu dropout=0.3 max_grad_norm=0.5 schedule=one_cycle",
	"hidden_layer_sizes=20,20 max_epochs=3 batch_norm=true activation=tanh categories=embedding optimizer=sgd learning_rate=0.05 schedule=cosine",
	"hidden_layer_sizes=9 max_epochs=3 activation=sigmoid early_stopping=true optimizer=adamw label_smoothing=0.1 schedule=exponential warmup=0.2",
};

static MlWriter
image_of(MlEnv *env, int n_classes, const char *with)
{
	MlDataset  *data = mlp_table(env, 1500, 6, 2, n_classes);
	void	   *model;

	if (mlp_fit_with(env, data, with, &model) != ML_OK)
	{
		check(false, "%s: %s", with, env->error.message);
		exit(1);
	}
	return save_model(env, &ml_method_mlp, model);
}

/* Any number of threads and any tier: the same bytes. */
static void
test_repeats(void)
{
	for (size_t s = 0; s < sizeof(settings) / sizeof(settings[0]); s++)
	{
		MlEnv		env = new_env(1);
		MlWriter	first = image_of(&env, 3, settings[s]);

		for (int other = 0; other < 4; other++)
		{
			static const int threads[] = {2, 4, 1, 1};
			MlEnv		again_env = new_env(threads[other]);
			MlWriter	again;

			ml_simd_limit(other == 2 ? ML_TIER_BASELINE : other == 3 ? ML_TIER_AVX2 : ML_TIER_AVX512);
			again = image_of(&again_env, 3, settings[s]);
			ml_simd_limit(ML_TIER_AVX512);
			check(again.length == first.length && memcmp(again.bytes, first.bytes, first.length) == 0,
				  "%s: the same with %s", settings[s], other == 0 ? "2 threads" : other == 1 ? "4 threads" : other == 2 ? "plain C" : "AVX2");
			free_env(&again_env);
		}
		free_env(&env);
	}
}

/* ---- images, and rows alone and together ---- */

static void
check_image(int n_classes, const char *with)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = mlp_table(&env, 300, 6, 2, n_classes);
	int			n_out = n_classes > 0 ? n_classes : 1;
	void	   *fitted;
	void	   *loaded;
	MlWriter	w;
	MlReader	r;
	double		batch[6 * ML_BATCH_ROWS];
	double		together[ML_BATCH_ROWS * 3];
	double		largest = 0;
	bool		same = true;

	if (mlp_fit_with(&env, data, with, &fitted) != ML_OK)
		fail("%s: %s", with, env.error.message);
	w = save_model(&env, &ml_method_mlp, fitted);
	ml_reader_init(&r, &env, w.bytes, w.length);
	if (ml_mlp_load(&r, data->schema, &loaded) != ML_OK || ml_reader_end(&r) != ML_OK)
		fail("%s: %s", with, env.error.message);
	for (size_t first = 0; first < 300; first += ML_BATCH_ROWS)
	{
		size_t		n = 300 - first < ML_BATCH_ROWS ? 300 - first : ML_BATCH_ROWS;

		for (size_t i = 0; i < n; i++)
			for (int f = 0; f < 6; f++)
				batch[f * ML_BATCH_ROWS + i] = ml_dataset_value(data, f, first + i);
		ml_mlp_predict_batch(loaded, batch, n, together, mlp_scratch(&env, loaded));
		for (size_t i = 0; i < n; i++)
		{
			double		x[6];
			double		before[3];
			double		after[3];
			double		sum = 0;

			ml_dataset_row(data, first + i, x);
			ml_mlp_predict(fitted, x, before, mlp_scratch(&env, fitted));
			ml_mlp_predict(loaded, x, after, mlp_scratch(&env, loaded));
			same = same && memcmp(before, after, sizeof(double) * n_out) == 0 &&
				memcmp(after, together + i * n_out, sizeof(double) * n_out) == 0;
			for (int c = 0; c < n_out; c++)
				sum += after[c];
			largest = fmax(largest, n_classes > 0 ? fabs(sum - 1) : !isfinite(sum));
		}
	}
	check(same, "%s, %d classes: fitted, loaded, alone and together predict the same", with, n_classes);
	check(largest < 1e-12, "%s, %d classes: probabilities sum to 1, values are finite", with, n_classes);
	check(load_is_total(&ml_method_mlp, data->schema, w.bytes, w.length), "%s, %d classes: damaged images are refused or predict", with, n_classes);
	free_env(&env);
}

static void
test_images(void)
{
	check_image(0, "hidden_layer_sizes=5,4 max_epochs=2");
	check_image(2, "hidden_layer_sizes=5 max_epochs=2 batch_norm=true categories=embedding");
	check_image(3, "hidden_layer_sizes=4,3 max_epochs=2 activation=gelu batch_norm=true");
	check_image(3, "hidden_layer_sizes=[] max_epochs=2");
}

/* ---- odd data ---- */

static void
check_sane(const char *name, MlEnv *env, const MlDataset *data, const char *with)
{
	int			p = data->schema->n_features;
	double	   *x = malloc(sizeof(double) * (size_t) p);
	double		out[64];
	void	   *model;
	bool		finite = true;
	static const double odd[] = {0, 1e300, -1e300, NAN, 5e-324, 1.7e308};

	if (mlp_fit_with(env, data, with, &model) != ML_OK)
		fail("%s: %s", name, env->error.message);
	for (size_t i = 0; i < data->n_train + 6; i++)
	{
		if (i < data->n_train)
			ml_dataset_row(data, i, x);
		else
			for (int f = 0; f < p; f++)
				x[f] = data->columns[f].number != NULL ? odd[i - data->n_train] : i == data->n_train ? NAN : data->schema->features[f].levels;
		ml_mlp_predict(model, x, out, mlp_scratch(env, model));
		for (int c = 0; c < (data->schema->n_classes > 0 ? data->schema->n_classes : 1); c++)
			finite = finite && isfinite(out[c]);
	}
	check(finite, "%s: a model whose predictions are finite", name);
	free(x);
}

static void
test_odd_data(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *one = mlp_table(&env, 1, 3, 0, 0);
	MlDataset  *constant = mlp_table(&env, 50, 3, 0, 0);
	MlDataset  *one_class = mlp_table(&env, 50, 3, 0, 2);
	MlDataset  *wide = mlp_table(&env, 10, 200, 0, 3);
	MlDataset  *many = mlp_table(&env, 12000, 2, 0, 0);
	MlDataset  *extreme = mlp_table(&env, 60, 3, 0, 0);
	MlDataset  *zero = mlp_table(&env, 60, 3, 0, 2);
	int32_t    *codes = set_category(&env, many, 1, 10000);
	double	   *weight = ml_alloc0(&env, 60, sizeof(double));
	void	   *model;

	check_sane("one row", &env, one, "max_epochs=20");
	check_sane("one row, early stopping", &env, one, "max_epochs=20 early_stopping=true");
	check_sane("one row, batch norm", &env, one, "max_epochs=20 batch_norm=true");
	for (size_t i = 0; i < 50; i++)
	{
		column_of_data(constant, 1)[i] = 7;
		column_of_data(constant, 2)[i] = NAN;
		target_of_data(constant)[i] = 3;
		target_of_data(one_class)[i] = 1;
	}
	check_sane("constant columns and target", &env, constant, "max_epochs=20");
	check_sane("one class", &env, one_class, "max_epochs=20");
	check_sane("more columns than rows", &env, wide, "max_epochs=20");
	for (size_t i = 0; i < 12000; i++)
		codes[i] = (int32_t) (i % 10001);
	check_sane("10,000 categories", &env, many, "max_epochs=1 hidden_layer_sizes=8");
	check_sane("10,000 categories, embedded", &env, many, "max_epochs=1 hidden_layer_sizes=8 categories=embedding max_categories=4096");
	for (size_t i = 0; i < 60; i++)
	{
		column_of_data(extreme, 0)[i] = i % 2 == 0 ? 1.7e308 : -1.7e308;
		column_of_data(extreme, 1)[i] = i * 5e-324;
		target_of_data(extreme)[i] = (i % 5) * 1e300;
		weight[i] = i % 2;
	}
	check_sane("extreme values", &env, extreme, "max_epochs=20");
	check_sane("extreme values as they are", &env, extreme, "max_epochs=2 standardize=false max_grad_norm=1");
	zero->weight = weight;
	check_sane("weights of zero", &env, zero, "max_epochs=20 early_stopping=true");
	CHECK_STATUS(&env, mlp_fit_with(&env, extreme, "standardize_target=false", &model), ML_OUT_OF_RANGE);
	CHECK_STATUS(&env, mlp_fit_with(&env, one_class, "loss=huber", &model), ML_BAD_PARAM);
	CHECK_STATUS(&env, mlp_fit_with(&env, constant, "label_smoothing=0.1", &model), ML_BAD_PARAM);
	CHECK_STATUS(&env, mlp_fit_with(&env, zero, "label_smoothing=0.1 focal_gamma=2", &model), ML_BAD_PARAM);
	target_of_data(constant)[0] = -1;
	CHECK_STATUS(&env, mlp_fit_with(&env, constant, "loss=poisson", &model), ML_BAD_DATA);
	CHECK_STATUS(&env, mlp_fit_with(&env, constant, "standardize=false optimizer=sgd learning_rate=100 momentum=0.99 activation=identity hidden_layer_sizes=50,50", &model), ML_BAD_DATA);
	CHECK_MESSAGE(&env, "learning_rate");
	free_env(&env);
}

int
main(void)
{
	test_gradients();
	test_repeats();
	test_images();
	test_odd_data();
	return unit_done();
}
