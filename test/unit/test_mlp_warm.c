/*-------------------------------------------------------------------------
 * test_mlp_warm.c
 *	  Networks that start from earlier ones: all of it, its first layers, layers that stay.
 *-------------------------------------------------------------------------
 */
#include "mlp_data.h"

/* Steps so small that no weight of float32 changes. */
#define STILL " learning_rate=1e-30 alpha=0 max_epochs=1 shuffle=false"

static MlModel *
earlier_model(MlEnv *env, MlDataset *data, const char *with)
{
	void	   *fitted = NULL;
	MlModel    *model = NULL;

	if (mlp_fit_with(env, data, with, &fitted) != ML_OK || ml_model_make(env, &ml_method_mlp, data->schema, fitted, &model) != ML_OK)
	{
		check(false, "%s: %s", with, env->error.message);
		exit(1);
	}
	return model;
}

/* The same rows with features in the opposite order and the codes of categories turned round. */
static MlDataset *
turned(MlEnv *env, const MlDataset *data)
{
	int			p = data->schema->n_features;
	MlDataset  *other = new_dataset(env, data->n_train, p, data->schema->n_classes);

	for (int f = 0; f < p; f++)
	{
		const MlFeature *from = &data->schema->features[p - 1 - f];
		int32_t    *codes = from->kind == ML_FEATURE_CATEGORY ? set_category(env, other, f, from->levels) : NULL;

		other->schema->features[f].name = from->name;
		for (int32_t c = 0; c < from->levels; c++)
			other->schema->features[f].level[c] = from->level[from->levels - 1 - c];
		for (size_t i = 0; i < data->n_train; i++)
		{
			double		v = ml_dataset_value(data, p - 1 - f, i);

			if (codes != NULL)
				codes[i] = isnan(v) ? -1 : from->levels - 1 - (int32_t) v;
			else
				column_of_data(other, f)[i] = v;
		}
	}
	memcpy(target_of_data(other), data->y, data->n_train * sizeof(double));
	return other;
}

static double
difference(MlEnv *env, const void *a, const MlDataset *rows_a, const void *b, const MlDataset *rows_b)
{
	double		worst = 0;

	for (size_t i = 0; i < rows_a->n_train; i++)
	{
		double		x[16];
		double		one[8];
		double		two[8];

		ml_dataset_row(rows_a, i, x);
		ml_mlp_predict(a, x, one, mlp_scratch(env, a));
		ml_dataset_row(rows_b, i, x);
		ml_mlp_predict(b, x, two, mlp_scratch(env, b));
		worst = fmax(worst, fabs(one[0] - two[0]));
	}
	return worst;
}

static void
check_continued(int n_classes, const char *with)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = mlp_table(&env, 200, 5, 2, n_classes);
	MlDataset  *other = turned(&env, data);
	MlModel    *first = earlier_model(&env, data, with);
	char		still[400];
	void	   *again;

	snprintf(still, sizeof(still), "%s" STILL, with);
	for (char *s = strstr(still, "max_epochs=3"); s != NULL; s = NULL)
		memset(s, ' ', strlen("max_epochs=3"));
	data->initial = first;
	if (mlp_fit_with(&env, data, still, &again) != ML_OK)
		fail("%s: %s", with, env.error.message);
	check(difference(&env, first->fitted, data, again, data) == 0, "%s: a step of nothing leaves the earlier network as it is", with);

	other->initial = first;
	if (mlp_fit_with(&env, other, still, &again) != ML_OK)
		fail("%s: %s", with, env.error.message);
	check(difference(&env, first->fitted, data, again, other) < 1e-5, "%s: also where features and codes stand in another order", with);
	free_env(&env);
}

static void
test_continued(void)
{
	check_continued(0, "hidden_layer_sizes=8,6 max_epochs=3");
	check_continued(3, "hidden_layer_sizes=8 max_epochs=3 activation=sigmoid");
	check_continued(2, "hidden_layer_sizes=7 max_epochs=3 categories=embedding");
	check_continued(0, "hidden_layer_sizes=[] max_epochs=3");
}

/* Training on goes on: the loss begins where the earlier network ended. */
static void
test_learns_on(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = mlp_table(&env, 500, 5, 1, 0);
	MlModel    *first = earlier_model(&env, data, "hidden_layer_sizes=16 max_epochs=30 learning_rate=0.01");
	void	   *fresh;
	void	   *further;
	double		error[3] = {0};

	mlp_fit_with(&env, data, "hidden_layer_sizes=16 max_epochs=2 learning_rate=0.001", &fresh);
	data->initial = first;
	CHECK_STATUS(&env, mlp_fit_with(&env, data, "hidden_layer_sizes=16 max_epochs=2 learning_rate=0.001", &further), ML_OK);
	for (size_t i = 0; i < 500; i++)
	{
		const void *models[] = {first->fitted, fresh, further};
		double		x[5];
		double		out;

		ml_dataset_row(data, i, x);
		for (int m = 0; m < 3; m++)
		{
			ml_mlp_predict(models[m], x, &out, mlp_scratch(&env, models[m]));
			error[m] += (out - data->y[i]) * (out - data->y[i]);
		}
	}
	check(error[2] < 1.05 * error[0] && error[2] < 0.3 * error[1], "two epochs more: %.3f after %.3f; two epochs alone: %.3f", error[2], error[0], error[1]);
	free_env(&env);
}

/* Layers that are frozen keep their bits; the layers behind them learn another task. */
static void
test_transfer(void)
{
	MlEnv		env = new_env(2);
	MlDataset  *data = mlp_table(&env, 300, 5, 2, 0);
	MlDataset  *three = mlp_table(&env, 300, 5, 2, 3);
	MlModel    *first = earlier_model(&env, data, "hidden_layer_sizes=12,8 max_epochs=5 categories=embedding batch_norm=true");
	const MlMlpNet *before = first->fitted;
	const MlMlpNet *after;
	void	   *fitted;

	three->initial = first;
	CHECK_STATUS(&env, mlp_fit_with(&env, three, "hidden_layer_sizes=12,8,5 max_epochs=5 categories=embedding batch_norm=true transfer_layers=2 freeze_layers=1", &fitted), ML_OK);
	after = fitted;
	check(after->n_layers == 4 && after->layers[3].out == 3, "two layers of a regression begin a classification of three layers");
	check(memcmp(before->theta, after->theta, before->layers[1].weight * sizeof(float)) == 0, "the frozen layer has not changed");
	check(memcmp(before->statistics, after->statistics, 2 * before->layers[0].width * sizeof(float)) == 0, "nor have its figures of batch norm");
	check(memcmp(before->theta + before->tables, after->theta + after->tables, (before->n_theta - before->tables) * sizeof(float)) == 0, "nor have the embeddings");
	check(memcmp(before->theta + before->layers[1].weight, after->theta + after->layers[1].weight, 12 * 16 * sizeof(float)) != 0, "the layer behind it has learnt");
	CHECK_STATUS(&env, mlp_fit_with(&env, three, "hidden_layer_sizes=12,8,5 categories=embedding batch_norm=true", &fitted), ML_BAD_PARAM);
	CHECK_MESSAGE(&env, "there are 3 hidden layers, the earlier version has 2");
	CHECK_STATUS(&env, mlp_fit_with(&env, three, "hidden_layer_sizes=12,9 categories=embedding batch_norm=true", &fitted), ML_BAD_PARAM);
	CHECK_MESSAGE(&env, "hidden layer 2 has 9 neurons, in the earlier version 8");
	CHECK_STATUS(&env, mlp_fit_with(&env, three, "hidden_layer_sizes=12,8 categories=embedding batch_norm=true", &fitted), ML_BAD_PARAM);
	CHECK_MESSAGE(&env, "the task is classification, that of the earlier version regression");
	CHECK_STATUS(&env, mlp_fit_with(&env, three, "hidden_layer_sizes=12 categories=embedding batch_norm=true transfer_layers=2", &fitted), ML_BAD_PARAM);
	CHECK_MESSAGE(&env, "transfer_layers is 2, but there are 1 hidden layers");
	CHECK_STATUS(&env, mlp_fit_with(&env, three, "hidden_layer_sizes=12,8 categories=embedding batch_norm=true transfer_layers=3", &fitted), ML_BAD_PARAM);
	CHECK_STATUS(&env, mlp_fit_with(&env, three, "hidden_layer_sizes=12,8 categories=embedding batch_norm=true transfer_layers=1 freeze_layers=2", &fitted), ML_BAD_PARAM);
	CHECK_STATUS(&env, mlp_fit_with(&env, three, "hidden_layer_sizes=12,8 categories=onehot batch_norm=true transfer_layers=1", &fitted), ML_BAD_PARAM);
	CHECK_MESSAGE(&env, "categories embedding");
	CHECK_STATUS(&env, mlp_fit_with(&env, three, "hidden_layer_sizes=12,8 categories=embedding embedding_dim=7 batch_norm=true transfer_layers=1", &fitted), ML_BAD_PARAM);
	CHECK_STATUS(&env, mlp_fit_with(&env, three, "hidden_layer_sizes=12,8 categories=embedding transfer_layers=1", &fitted), ML_BAD_PARAM);
	CHECK_MESSAGE(&env, "batch_norm true");
	CHECK_STATUS(&env, mlp_fit_with(&env, three, "hidden_layer_sizes=12,8 activation=tanh batch_norm=true transfer_layers=1", &fitted), ML_BAD_PARAM);
	CHECK_MESSAGE(&env, "activation is tanh, in the earlier version relu");
	three->schema->features[1].name = "x99";
	CHECK_STATUS(&env, mlp_fit_with(&env, three, "hidden_layer_sizes=12,8 categories=embedding batch_norm=true transfer_layers=1", &fitted), ML_BAD_PARAM);
	CHECK_MESSAGE(&env, "does not have the feature \"x99\"");
	three->initial = NULL;
	CHECK_STATUS(&env, mlp_fit_with(&env, three, "freeze_layers=1", &fitted), ML_BAD_PARAM);
	free_env(&env);
}

int
main(void)
{
	test_continued();
	test_learns_on();
	test_transfer();
	return unit_done();
}
