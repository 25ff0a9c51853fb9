/*-------------------------------------------------------------------------
 * test_sparse.c
 *	  Each method that reads sparse columns makes the same model of them as of full ones.
 *
 * Means and deviations of a sparse column are taken from what is there, so last bits may differ.
 *-------------------------------------------------------------------------
 */
#include "linear_data.h"

#include "ml/base/rng.h"

#define ROWS 3000
#define COLUMNS 12
#define ASKED 500

/* Terms of texts, most of them in few rows, one in none; and a target that depends on them. */
static MlDataset *
full_columns(MlEnv *env, MlTask task)
{
	int			classes = task == ML_TASK_CLASSIFICATION ? 2 : 0;
	MlDataset  *data = new_dataset(env, ROWS, COLUMNS, classes);

	for (size_t i = 0; i < ROWS; i++)
	{
		double		score = 1;

		for (int f = 0; f < COLUMNS - 1; f++)
		{
			bool		there = ml_rng_u64(4, (uint64_t) f, i) % 40 < (uint64_t) (2 + f);

			column_of_data(data, f)[i] = there ? 1 + (double) (ml_rng_u64(5, (uint64_t) f, i) % 4) : 0;
			score += column_of_data(data, f)[i] * (f % 3 == 0 ? 0.5 : 0.1);
		}
		score += ml_rng_uniform(6, 0, i);
		target_of_data(data)[i] = classes > 0 ? score > 2.5 : score;
	}
	((MlSchema *) data->schema)->task = task;
	if (task != ML_TASK_CLASSIFICATION && task != ML_TASK_REGRESSION)
		data->y = NULL;
	return data;
}

static MlDataset *
sparse_columns(MlEnv *env, const MlDataset *full)
{
	MlDataset  *data = ml_alloc0(env, 1, sizeof(MlDataset));
	MlDataColumn *columns = ml_alloc0(env, COLUMNS, sizeof(MlDataColumn));

	*data = *full;
	for (int f = 0; f < COLUMNS; f++)
	{
		MlSparse   *s = ml_alloc0(env, 1, sizeof(MlSparse));
		uint32_t   *row = ml_alloc(env, ROWS, sizeof(uint32_t));
		double	   *value = ml_alloc(env, ROWS, sizeof(double));

		for (size_t i = 0; i < ROWS; i++)
		{
			if (full->columns[f].number[i] == 0)
				continue;
			row[s->n] = (uint32_t) i;
			value[s->n++] = full->columns[f].number[i];
		}
		s->row = row;
		s->value = value;
		columns[f].sparse = s;
	}
	data->columns = columns;
	return data;
}

/* The answers for the first rows. */
static double *
answers(MlEnv *env, const MlMethod *method, const MlDataset *full, const void *model, int *n_outputs)
{
	int			n = method->n_outputs != NULL ? method->n_outputs(model) : full->schema->n_classes > 0 ? full->schema->n_classes : 1;
	double	   *out = ml_alloc0(env, (size_t) n * ASKED + (size_t) method->n_figures, sizeof(double));	/* figures of a row are overwritten by the next */
	void	   *scratch = ml_alloc0(env, method->scratch_size != NULL ? method->scratch_size(model) + 64 : 64, 1);
	double		x[COLUMNS];

	for (size_t i = 0; i < ASKED; i++)
	{
		ml_dataset_row(full, i, x);
		method->predict(model, x, out + i * (size_t) n, scratch);
	}
	*n_outputs = n;
	return out;
}

static void
test_method(const MlMethod *method, MlTask task, const char *settings)
{
	bool		in_floats = strcmp(method->name, "mlp") == 0;	/* a last bit grows over the epochs */
	MlEnv		env = new_env(2);
	MlDataset  *full = full_columns(&env, task);
	void	   *model[2];
	double	   *answer[2];
	int			n[2];
	size_t		other = 0;

	if (fit_with(&env, method, full, settings, &model[0]) != ML_OK || fit_with(&env, method, sparse_columns(&env, full), settings, &model[1]) != ML_OK)
		fail("%s, task %d, %s: %s", method->name, (int) task, settings, env.error.message);
	for (int k = 0; k < 2; k++)
		answer[k] = answers(&env, method, full, model[k], &n[k]);
	for (size_t i = 0; i < ASKED; i++)
	{
		bool		same = n[0] == n[1];

		for (int o = 0; same && o < n[0]; o++)
		{
			double		a = answer[0][i * (size_t) n[0] + (size_t) o];
			double		b = answer[1][i * (size_t) n[0] + (size_t) o];

			same = fabs(a - b) <= (in_floats ? 2e-2 : 1e-6) * (1 + fabs(a));
		}
		other += !same;
	}
	check(other == 0, "%s, task %d, %s: sparse columns make the model of full ones (%zu of %d rows differ)", method->name, (int) task, settings, other, ASKED);
	free_env(&env);
}

int
main(void)
{
	static const MlTask tasks[] = {ML_TASK_REGRESSION, ML_TASK_CLASSIFICATION, ML_TASK_CLUSTERING, ML_TASK_REDUCTION, ML_TASK_ANOMALY};

	for (int m = 0; ml_methods[m] != NULL; m++)
		for (size_t t = 0; t < sizeof(tasks) / sizeof(tasks[0]); t++)
			if (ml_methods[m]->reads_sparse && (ml_methods[m]->tasks & tasks[t]) != 0)
				/* Rows are equally near in many places, where a last bit of a deviation would decide. */
				test_method(ml_methods[m], tasks[t], strcmp(ml_methods[m]->name, "knn") == 0 ? "scale=none" : "");
	test_method(ml_method_find("glm"), ML_TASK_REGRESSION, "family=poisson offset=x1");
	return unit_done();
}
