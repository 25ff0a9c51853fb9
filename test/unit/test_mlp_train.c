/*-------------------------------------------------------------------------
 * test_mlp_train.c
 *	  Networks while they are trained: learning rates, clipping, dropout, early stopping,
 *	  memory, cancel.
 *-------------------------------------------------------------------------
 */
#include "mlp_data.h"

#include "ml/algo/mlp/pass.h"

/* ---- learning rates ---- */

#define EPOCHS 10
#define STEPS 8

/* The rate of step "wanted" of 80, by a stepper that takes them all. */
static double
rate_at(const char *settings, int wanted)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = mlp_table(&env, 20, 3, 0, 0);
	char		all[300];
	MlParams   *params;
	MlMlpNet	net = {0};
	MlMlpStepper *stepper;
	float	   *gradient;
	double		rate;

	snprintf(all, sizeof(all), "learning_rate=0.5 max_epochs=%d hidden_layer_sizes=4 %s", EPOCHS, settings);
	if (mlp_params_of(&env, all, &params) != ML_OK || ml_mlp_input_fit(&env, data, params, &(MlMlpStart) {0}, &net) != ML_OK ||
		ml_mlp_layout(&env, &net, 1, (const int64_t[]) {4}, 1) != ML_OK || ml_mlp_stepper_create(&env, &net, params, 0, STEPS, &stepper) != ML_OK)
	{
		check(false, "%s: %s", settings, env.error.message);
		return NAN;
	}
	gradient = ml_alloc0(&env, net.n_theta + ML_MLP_PAD, sizeof(float));
	for (int step = 0; step < wanted; step++)
	{
		bool		stop;

		ml_mlp_stepper_step(&env, stepper, gradient, 20);
		if (step % STEPS == STEPS - 1)
			ml_mlp_stepper_epoch(stepper, false, &stop);
	}
	rate = ml_mlp_stepper_rate(stepper);
	free_env(&env);
	return rate;
}

static void
test_rates(void)
{
	for (int step = 0; step < EPOCHS * STEPS; step += 3)
	{
		double		done = step / (double) (EPOCHS * STEPS);
		int			epoch = step / STEPS;

		CHECK_CLOSE(rate_at("schedule=constant", step), 0.5, 1e-12);
		CHECK_CLOSE(rate_at("schedule=exponential schedule_gamma=0.8", step), 0.5 * pow(0.8, epoch), 1e-12);
		CHECK_CLOSE(rate_at("schedule=step schedule_step=3 schedule_gamma=0.1", step), 0.5 * pow(0.1, epoch / 3), 1e-12);
		CHECK_NEAR(rate_at("schedule=cosine", step), 0.25 * (1 + cos(M_PI * done)), 1e-9);
		CHECK_NEAR(rate_at("schedule=one_cycle", step),
				   done < 0.3 ? 0.02 + 0.48 * (1 - cos(M_PI * done / 0.3)) / 2 : 2e-6 + (0.5 - 2e-6) * (1 + cos(M_PI * (done - 0.3) / 0.7)) / 2, 1e-8);
		CHECK_NEAR(rate_at("schedule=constant warmup=0.5", step), done < 0.5 ? 0.5 * (step + 1) / 41.0 : 0.5, 1e-12);
	}
}

/* The adaptive schedule goes on more slowly where others end. */
static void
test_adaptive(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = mlp_table(&env, 20, 3, 0, 0);
	MlParams   *params;
	MlMlpNet	net = {0};
	MlMlpStepper *stepper = NULL;
	int			epochs = 0;
	bool		stop = false;

	CHECK_STATUS(&env, mlp_params_of(&env, "learning_rate=0.001 schedule=adaptive", &params), ML_OK);
	CHECK_STATUS(&env, ml_mlp_input_fit(&env, data, params, &(MlMlpStart) {0}, &net), ML_OK);
	CHECK_STATUS(&env, ml_mlp_layout(&env, &net, 1, (const int64_t[]) {4}, 1), ML_OK);
	CHECK_STATUS(&env, ml_mlp_stepper_create(&env, &net, params, 0, STEPS, &stepper), ML_OK);
	ml_mlp_stepper_epoch(stepper, false, &stop);
	CHECK(!stop && ml_mlp_stepper_rate(stepper) == 0.001);
	for (; !stop && epochs < 100; epochs++)
		ml_mlp_stepper_epoch(stepper, true, &stop);
	check(epochs == 6, "ends after 5 reductions, below 1e-6: %d", epochs);
	free_env(&env);
}

/* A gradient longer than allowed is shortened to that length; SGD without momentum shows it. */
static void
test_clipping(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = mlp_table(&env, 20, 3, 0, 0);
	MlParams   *params;
	MlMlpNet	net = {0};
	MlMlpStepper *stepper = NULL;
	float	   *gradient;
	double		moved = 0;

	CHECK_STATUS(&env, mlp_params_of(&env, "optimizer=sgd momentum=0 nesterov=false learning_rate=0.1 alpha=0 max_grad_norm=2", &params), ML_OK);
	CHECK_STATUS(&env, ml_mlp_input_fit(&env, data, params, &(MlMlpStart) {0}, &net), ML_OK);
	CHECK_STATUS(&env, ml_mlp_layout(&env, &net, 1, (const int64_t[]) {4}, 1), ML_OK);
	CHECK_STATUS(&env, ml_mlp_stepper_create(&env, &net, params, 0, STEPS, &stepper), ML_OK);
	gradient = ml_alloc0(&env, net.n_theta + ML_MLP_PAD, sizeof(float));
	for (size_t i = 0; i < net.n_theta; i++)
		gradient[i] = (float) i;
	ml_mlp_stepper_step(&env, stepper, gradient, 20);
	for (size_t i = 0; i < net.n_theta; i++)
		moved += (double) net.theta[i] * net.theta[i];
	CHECK_CLOSE(sqrt(moved), 0.2, 1e-6);
	free_env(&env);
}

/* ---- dropout ---- */

/* What is kept is scaled: over many draws the hidden values have the mean that they have without. */
static void
test_dropout(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = mlp_table(&env, 64, 3, 0, 0);
	float	   *numbers = ml_alloc0(&env, 64 * 3, sizeof(float));
	float	   *y = ml_alloc0(&env, 64, sizeof(float));
	uint32_t	order[64];
	MlMlpRows	rows = {numbers, 3, NULL};
	MlMlpTarget target = {.loss = ML_MLP_SQUARED, .outputs = 1, .y = y};
	MlParams   *params;
	MlMlpNet	net = {0};
	MlMlpPass  *pass = NULL;
	double		sum = 0;
	double		plain = 0;
	size_t		zeros = 0;
	double		loss;

	CHECK_STATUS(&env, mlp_params_of(&env, "", &params), ML_OK);
	CHECK_STATUS(&env, ml_mlp_input_fit(&env, data, params, &(MlMlpStart) {0}, &net), ML_OK);
	net.activation = ML_MLP_LOGISTIC;
	CHECK_STATUS(&env, ml_mlp_layout(&env, &net, 1, (const int64_t[]) {16}, 1), ML_OK);
	ml_mlp_initialise(&net, 0, 1);
	for (uint32_t i = 0; i < 64; i++)
	{
		order[i] = i;
		for (int j = 0; j < 3; j++)
			numbers[i * 3 + (uint32_t) j] = ml_mlp_number(&net.numbers[j], ml_dataset_value(data, j, i));
	}
	CHECK_STATUS(&env, ml_mlp_pass_create(&env, &net, &rows, &target, 0.25, 64, 0, &pass), ML_OK);
	ml_mlp_pass_judge(&env, pass, order, 64, &loss);
	for (size_t i = 0; i < 64 * 16; i++)
		plain += pass->value[0][i];
	for (uint64_t draw = 0; draw < 100; draw++)
	{
		ml_mlp_pass_train(&env, pass, order, 64, 7, draw, &loss);
		for (size_t i = 0; i < 64 * 16; i++)
		{
			sum += pass->value[0][i] / 100;
			zeros += pass->value[0][i] == 0;
		}
	}
	check(fabs(sum / plain - 1) < 0.01, "mean of values with dropout / without: %.4f", sum / plain);
	check(fabs((double) zeros / (100 * 64 * 16) - 0.25) < 0.005, "share of values left out: %.4f", (double) zeros / (100 * 64 * 16));
	free_env(&env);
}

/* ---- early stopping ---- */

typedef struct Told
{
	double		best;
	double		last;
	int			epochs;
	int			until;			/* cancel when so many epochs are over; 0: never */
} Told;

static void
hear(void *state, const MlHistory *entry)
{
	Told	   *told = state;

	told->epochs = entry->iteration;
	if (strcmp(entry->split, "validation") != 0)
		return;
	told->last = entry->value;
	told->best = fmin(told->best, entry->value);
}

static bool
is_over(void *state)
{
	const Told *told = state;

	return told->until > 0 && told->epochs >= told->until;
}

/* Noise that can be learnt by heart: the network kept is that of the best epoch, not of the last. */
static void
test_early_stopping(void)
{
	MlEnv		env = new_env(2);
	MlDataset  *data = mlp_table(&env, 200, 8, 0, 2);
	Told		told = {.best = INFINITY};
	double		loss = 0;
	void	   *model;

	for (size_t i = 0; i < 200; i++)
		if (i % 4 == 0)
			target_of_data(data)[i] = 1 - target_of_data(data)[i];
	data->n_train = 140;
	data->n_valid = 60;
	env.history = hear;
	env.state = &told;
	CHECK_STATUS(&env, mlp_fit_with(&env, data, "hidden_layer_sizes=64,64 learning_rate=0.01 n_iter_no_change=15", &model), ML_OK);
	for (size_t i = 140; i < 200; i++)
	{
		double		x[8];
		double		out[2];

		ml_dataset_row(data, i, x);
		ml_mlp_predict(model, x, out, mlp_scratch(&env, model));
		loss -= log(out[(int) data->y[i]]) / 60;
	}
	check(told.epochs < 200 && told.last > 1.05 * told.best, "stopped after %d epochs, when the loss had risen from %.3f to %.3f", told.epochs, told.best, told.last);
	CHECK_CLOSE(loss, told.best, 1e-5);
	free_env(&env);
}

static void
test_cancel(void)
{
	MlEnv		env = new_env(2);
	MlDataset  *data = mlp_table(&env, 500, 4, 0, 0);
	Told		told = {.until = 3};
	void	   *model;

	env.history = hear;
	env.canceled = is_over;
	env.state = &told;
	CHECK_STATUS(&env, mlp_fit_with(&env, data, "max_epochs=100000 tol=0 n_iter_no_change=100000", &model), ML_CANCELED);
	CHECK(told.epochs == 3);
	free_env(&env);
}

/* ---- memory ---- */

static void
check_memory(size_t rows, int numbers, int categories, int n_classes, const char *settings)
{
	MlEnv		env = new_env(2);
	MlDataset  *data = mlp_table(&env, rows, numbers + categories, categories, n_classes);
	size_t		before = ml_arena_used(env.arena);
	MlParams   *params;
	void	   *model;
	size_t		promised;
	size_t		taken;

	CHECK_STATUS(&env, mlp_params_of(&env, settings, &params), ML_OK);
	promised = ml_mlp_memory(data->schema, params, rows, 2);
	CHECK_STATUS(&env, ml_mlp_fit(&env, data, params, &model), ML_OK);
	taken = ml_arena_peak(env.arena) - before;
	check(taken <= promised && promised < 8 * taken + 4000000, "%zu rows, %s: %zu bytes, announced %zu", rows, settings, taken, promised);
	free_env(&env);
}

static void
test_memory(void)
{
	check_memory(50, 3, 0, 0, "max_epochs=1");
	check_memory(20000, 30, 5, 3, "max_epochs=1");
	check_memory(3000, 3, 2, 2, "max_epochs=1 hidden_layer_sizes=512,256 batch_size=2000 batch_norm=true activation=gelu dropout=0.2 early_stopping=true");
	check_memory(3000, 0, 5, 0, "max_epochs=1 hidden_layer_sizes=300 categories=embedding embedding_dim=64 early_stopping=true");
	check_memory(300, 4, 1, 3, "max_epochs=1 hidden_layer_sizes=1500,1500 optimizer=sgd");
}

int
main(void)
{
	test_rates();
	test_adaptive();
	test_clipping();
	test_dropout();
	test_early_stopping();
	test_cancel();
	test_memory();
	return unit_done();
}
