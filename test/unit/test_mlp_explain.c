/*-------------------------------------------------------------------------
 * test_mlp_explain.c
 *	  Contributions of features: they add up, agree with a path walked in small steps, and are those of a
 *	  linear model where the network is one.
 *-------------------------------------------------------------------------
 */
#include "mlp_data.h"

static double
score_of(MlEnv *env, const MlMlpNet *net, const double *x, int class_number)
{
	double		out[8];

	ml_mlp_predict(net, x, out, mlp_scratch(env, net));
	if (net->link == ML_MLP_LINK_LOGISTIC)
		return log(out[class_number] / (1 - out[class_number]));
	return net->link == ML_MLP_LINK_SOFTMAX ? ml_mlp_serve_forward(net, x, 1, 1, mlp_scratch(env, net))[class_number] : out[0];
}

/* Baseline plus contributions is the score, for every row and class. */
static void
check_sums(int n_classes, const char *with)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = mlp_table(&env, 120, 6, 2, n_classes);
	double		worst = 0;
	double		largest = 0;
	void	   *model;
	void	   *explainer;

	if (strstr(with, "poisson") != NULL)
		for (size_t i = 0; i < 120; i++)
			target_of_data(data)[i] = fabs(data->y[i]);
	if (mlp_fit_with(&env, data, with, &model) != ML_OK || ml_mlp_explainer(&env, model, data->schema, &explainer) != ML_OK)
		fail("%s: %s", with, env.error.message);
	for (size_t i = 0; i < 120; i++)
		for (int c = 0; c < (n_classes > 0 ? n_classes : 1); c++)
		{
			double		x[6];
			double		contribution[6];
			double		sum;

			ml_dataset_row(data, i, x);
			ml_mlp_explain(explainer, x, c, contribution, &sum);
			for (int f = 0; f < 6; f++)
			{
				sum += contribution[f];
				largest = fmax(largest, fabs(contribution[f]));
			}
			worst = fmax(worst, fabs(sum - score_of(&env, model, x, c)));
		}
	check(worst < 1e-9 && largest > 0.01, "%s, %d classes: baseline and contributions are the score, but for %.1e", with, n_classes, worst);
	free_env(&env);
}

/* Numbers only: the average gradient by finite differences along 2000 steps from the mean of the features. */
static void
check_path(const char *with)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = mlp_table(&env, 200, 4, 0, 0);
	double		worst = 0;
	double		mean[4];
	void	   *model;
	void	   *explainer;

	if (mlp_fit_with(&env, data, with, &model) != ML_OK || ml_mlp_explainer(&env, model, data->schema, &explainer) != ML_OK)
		fail("%s: %s", with, env.error.message);
	for (int f = 0; f < 4; f++)
		mean[f] = ((const MlMlpNet *) model)->design->columns[f].mean;
	for (size_t i = 0; i < 5; i++)
	{
		double		x[4];
		double		contribution[4];
		double		wanted[4] = {0};
		double		baseline;

		ml_dataset_row(data, i, x);
		for (int f = 0; f < 4; f++)
			x[f] = isnan(x[f]) ? mean[f] : x[f];
		ml_mlp_explain(explainer, x, 0, contribution, &baseline);
		CHECK_NEAR(baseline, score_of(&env, model, mean, 0), 1e-5);
		for (int step = 0; step < 2000; step++)
			for (int f = 0; f < 4; f++)
			{
				double		low[4];
				double		high[4];

				for (int g = 0; g < 4; g++)
					low[g] = high[g] = mean[g] + (x[g] - mean[g]) * (step + 0.5) / 2000;
				low[f] -= 0.01;
				high[f] += 0.01;
				wanted[f] += (score_of(&env, model, high, 0) - score_of(&env, model, low, 0)) / 0.02 * (x[f] - mean[f]) / 2000;
			}
		for (int f = 0; f < 4; f++)
			worst = fmax(worst, fabs(contribution[f] - wanted[f]));
	}
	check(worst < 5e-3, "%s: contributions differ from a finely walked path by %.1e", with, worst);
	free_env(&env);
}

/* Far from all rows that were learnt from: what is said is still numbers, and adds up. */
static void
check_far(const char *with)
{
	static const double far[] = {20, 300, 1e4, 1e30, 1e308, -20, -300, -1e4, -1e308};
	MlEnv		env = new_env(1);
	MlDataset  *data = mlp_table(&env, 200, 4, 0, 0);
	double		worst = 0;
	void	   *model;
	void	   *explainer;

	for (size_t i = 0; i < 200; i++)
		target_of_data(data)[i] = exp(data->columns[0].number[i] > -1 ? data->columns[0].number[i] : 0);
	if (mlp_fit_with(&env, data, with, &model) != ML_OK || ml_mlp_explainer(&env, model, data->schema, &explainer) != ML_OK)
		fail("%s: %s", with, env.error.message);
	for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++)
	{
		double		x[4] = {far[i], 0.5, far[i] / 3, -0.1};
		double		contribution[4];
		double		score = score_of(&env, model, x, 0);
		double		sum;

		ml_mlp_explain(explainer, x, 0, contribution, &sum);
		for (int f = 0; f < 4; f++)
			sum += contribution[f];
		if (!(fabs(sum - score) <= 1e-9 * fmax(1, fabs(score))))
			worst = far[i];
	}
	check(worst == 0, "%s: baseline and contributions add up far away (not at %g)", with, worst);
	free_env(&env);
}

int
main(void)
{
	check_sums(0, "hidden_layer_sizes=9,7 max_epochs=30 learning_rate=0.01");
	check_sums(0, "hidden_layer_sizes=[] max_epochs=30 learning_rate=0.01");
	check_sums(0, "hidden_layer_sizes=8 max_epochs=30 learning_rate=0.01 loss=poisson activation=tanh");
	check_sums(2, "hidden_layer_sizes=9 max_epochs=30 learning_rate=0.01 activation=gelu batch_norm=true");
	check_sums(3, "hidden_layer_sizes=9 max_epochs=30 learning_rate=0.01 categories=embedding");
	check_path("hidden_layer_sizes=9,7 max_epochs=30 learning_rate=0.01");
	check_path("hidden_layer_sizes=12 max_epochs=30 learning_rate=0.01 activation=tanh");
	check_far("hidden_layer_sizes=8 max_epochs=30 learning_rate=0.01 loss=poisson");
	check_far("hidden_layer_sizes=8 max_epochs=30 learning_rate=0.01 loss=poisson activation=tanh");
	check_far("hidden_layer_sizes=[] max_epochs=30 learning_rate=0.01 loss=poisson");
	check_far("hidden_layer_sizes=8,8 max_epochs=30 learning_rate=0.01");
	check_far("hidden_layer_sizes=8 max_epochs=30 learning_rate=0.01 activation=gelu");
	return unit_done();
}
