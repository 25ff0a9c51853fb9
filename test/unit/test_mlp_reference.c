/*-------------------------------------------------------------------------
 * test_mlp_reference.c
 *	  Networks against scikit-learn (test/reference/mlp.py): step by step with the same first
 *	  weights, and by what they are worth on real data at equal parameters.
 *-------------------------------------------------------------------------
 */
#include "mlp_data.h"

#include "../reference/mlp_figures.h"

static void
test_steps(void)
{
	for (size_t s = 0; s < sizeof(steps) / sizeof(steps[0]); s++)
	{
		MlEnv		env = new_env(1);
		MlDataset  *data = mlp_table(&env, STEP_ROWS, STEP_FEATURES, 0, steps[s].n_classes);
		double		worst = 0;
		void	   *model;

		env.seed = 42;
		if (mlp_fit_with(&env, data, steps[s].settings, &model) != ML_OK)
			fail("%s: %s", steps[s].name, env.error.message);
		for (size_t i = 0; i < STEP_SHOWN; i++)
		{
			double		x[STEP_FEATURES];
			double		out[8];
			int			last = steps[s].n_classes > 0 ? steps[s].n_classes - 1 : 0;

			ml_dataset_row(data, i, x);
			ml_mlp_predict(model, x, out, mlp_scratch(&env, model));
			worst = fmax(worst, fabs(out[last] - steps[s].prediction[i]));
		}
		check(worst < 1e-5, "%s: after all epochs predictions differ from scikit-learn's by %.1e", steps[s].name, worst);
		free_env(&env);
	}
}

/* test/data/name.csv, cut as in mlp.py: training rows first. */
static MlDataset *
cut_table(MlEnv *env, const char *name, int n_classes, int split, size_t *n_train)
{
	static const char *const species[] = {"setosa", "versicolor", "virginica"};
	MlDataset  *all = read_csv(env, name, n_classes, strcmp(name, "iris") == 0 ? species : NULL);
	int			p = all->schema->n_features;
	MlDataset  *cut = new_dataset(env, all->n_train, p, n_classes);
	size_t		at = 0;

	for (int test = 0; test < 2; test++)
	{
		for (size_t i = 0; i < all->n_train; i++)
		{
			if ((ml_mix64(i + UINT64_C(1000003) * (uint64_t) split) % 10 < 3) != test)
				continue;
			for (int f = 0; f < p; f++)
				column_of_data(cut, f)[at] = all->columns[f].number[i];
			target_of_data(cut)[at++] = all->y[i];
		}
		if (test == 0)
			*n_train = at;
	}
	return cut;
}

/* Accuracy or R2 on the rows behind the training rows. */
static double
score_of(MlEnv *env, const MlDataset *data, size_t first, size_t end, const void *model)
{
	int			classes = data->schema->n_classes;
	double		good = 0;
	double		mean = 0;
	double		spread = 0;
	double		error = 0;

	for (size_t i = first; i < end; i++)
		mean += data->y[i] / (double) (end - first);
	for (size_t i = first; i < end; i++)
	{
		double		x[64];
		double		out[16];
		int			winner = 0;

		ml_dataset_row(data, i, x);
		ml_mlp_predict(model, x, out, mlp_scratch(env, model));
		for (int c = 1; c < classes; c++)
			winner = out[c] > out[winner] ? c : winner;
		good += winner == data->y[i];
		error += (out[0] - data->y[i]) * (out[0] - data->y[i]);
		spread += (data->y[i] - mean) * (data->y[i] - mean);
	}
	return classes > 0 ? good / (double) (end - first) : 1 - error / spread;
}

static void
test_quality(void)
{
	for (size_t q = 0; q < sizeof(quality) / sizeof(quality[0]); q++)
	{
		double		sum = 0;
		double		mean;

		for (int split = 0; split < quality[q].splits; split++)
		{
			for (int seed = 0; seed < quality[q].seeds; seed++)
			{
				MlEnv		env = new_env(2);
				size_t		n_train;
				MlDataset  *data = cut_table(&env, quality[q].table, quality[q].n_classes, split, &n_train);
				size_t		rows = data->n_train;
				void	   *model;

				env.seed = (uint64_t) seed;
				data->n_train = n_train;
				if (mlp_fit_with(&env, data, quality[q].settings, &model) != ML_OK)
					fail("%s: %s", quality[q].table, env.error.message);
				sum += score_of(&env, data, n_train, rows, model);
				free_env(&env);
			}
		}
		mean = sum / (quality[q].splits * quality[q].seeds);
		check(mean >= quality[q].score - 0.005, "%s: %.4f, scikit-learn %.4f", quality[q].table, mean, quality[q].score);
	}
}

int
main(void)
{
	test_steps();
	test_quality();
	return unit_done();
}
