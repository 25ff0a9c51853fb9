/*-------------------------------------------------------------------------
 * test_svm.c
 *	  linear_svm against liblinear (scikit-learn's LinearSVC and LinearSVR), and what every linear method must stand.
 *
 * Figures: test/reference/svm.py.
 *-------------------------------------------------------------------------
 */
#include "linear_checks.h"
#include "../reference/svm_figures.h"

extern const MlMethod ml_method_linear_svm;
static const MlMethod *const svm = &ml_method_linear_svm;

#define MAX_TERMS 64

static const char *const species[] = {"setosa", "versicolor", "virginica"};

/* The hundred flowers of the second and third species. */
static MlDataset *
two_species(MlEnv *env)
{
	MlDataset  *all = read_csv(env, "iris", 3, species);
	MlDataset  *data = new_dataset(env, 100, 4, 2);

	for (int i = 0; i < 100; i++)
	{
		for (int f = 0; f < 4; f++)
			column_of_data(data, f)[i] = column_of_data(all, f)[50 + i];
		target_of_data(data)[i] = all->y[50 + i] - 1;
	}
	return data;
}

/* A better solver may be below the other's objective, never above. */
static void
check_objective(MlEnv *env, const MlDataset *data, const void *model, const char *what, double figure)
{
	double		ours = statistic_of(env, svm, data->schema, model, "objective");

	check(ours <= figure * (1 + 1e-9) && ours > figure * (1 - 1e-5), "%s: objective %.15g, liblinear's is %.15g", what, ours, figure);
	check(statistic_of(env, svm, data->schema, model, "converged") == 1, "%s: converged after %g steps", what, statistic_of(env, svm, data->schema, model, "iterations"));
}

static void
test_two_classes(const char *settings, bool weighted, const double *coef, double objective, double tolerance)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = two_species(&env);
	MlCoefficient *rows;
	double		b[MAX_TERMS],
				e[MAX_TERMS];
	void	   *model;

	if (weighted)
		weigh(&env, data);
	if (fit_with(&env, svm, data, settings, &model) != ML_OK)
		fail("%s: %s", settings, env.error.message);
	check(coefficients_of(&env, svm, data->schema, model, &rows, b, e) == 5 && strcmp(rows[0].class_label, "class 1") == 0, "%s: five coefficients of the second class", settings);
	check(worst_error(b, coef, 5) < tolerance, "%s: liblinear's coefficients (%.1e)", settings, worst_error(b, coef, 5));
	check_objective(&env, data, model, settings, objective);
	free_env(&env);
}

static void
test_three_classes(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = read_csv(&env, "iris", 3, species);
	MlCoefficient *rows;
	double		b[MAX_TERMS],
				e[MAX_TERMS];
	void	   *model;
	void	   *explainer;
	int			right = 0;
	double		loss = 0,
				worst = 0;

	if (fit_with(&env, svm, data, "standardize=false", &model) != ML_OK)
		fail("three classes: %s", env.error.message);
	check(coefficients_of(&env, svm, data->schema, model, &rows, b, e) == 15 && worst_error(b, svc_three, 15) < 1e-6, "three classes: liblinear's coefficients (%.1e)", worst_error(b, svc_three, 15));
	if (svm->explainer(&env, model, data->schema, &explainer) != ML_OK)
		fail("three classes: %s", env.error.message);
	for (size_t i = 0; i < data->n_train; i++)
	{
		double		x[4],
					p[3],
					contribution[4],
					score[3];
		int			y = (int) data->y[i];

		ml_dataset_row(data, i, x);
		svm->predict(model, x, p, NULL);
		right += p[y] >= p[0] && p[y] >= p[1] && p[y] >= p[2];
		loss -= log(p[y]) / data->n_train;
		for (int c = 0; c < 3; c++)
		{
			svm->explain(explainer, x, c, contribution, &score[c]);
			for (int f = 0; f < 4; f++)
				score[c] += contribution[f];
		}
		worst = fmax(worst, fmax(fabs(log(p[1] / p[0]) - (score[1] - score[0])), fabs(log(p[2] / p[0]) - (score[2] - score[0]))));
	}
	check(fabs(right / (double) data->n_train - svc_three_accuracy) < 1e-12, "three classes: the accuracy of liblinear");
	check(loss < 0.25, "three classes: probabilities mean something (log loss %.3f)", loss);
	check(worst < 1e-9, "three classes: contributions add up to what the softmax takes (%.1e)", worst);
	free_env(&env);
}

static void
test_numbers(const char *settings, const double *coef, double objective, double tolerance)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = read_csv(&env, "diabetes", 0, NULL);
	MlCoefficient *rows;
	double		b[MAX_TERMS],
				e[MAX_TERMS];
	void	   *model;

	if (fit_with(&env, svm, data, settings, &model) != ML_OK)
		fail("%s: %s", settings, env.error.message);
	coefficients_of(&env, svm, data->schema, model, &rows, b, e);
	/* In the units of standardised columns, at their means. */
	for (int f = 0; f < 10; f++)
	{
		double		mean = 0,
					square = 0;

		for (size_t i = 0; i < data->n_train; i++)
			mean += column_of_data(data, f)[i] / data->n_train;
		for (size_t i = 0; i < data->n_train; i++)
			square += (column_of_data(data, f)[i] - mean) * (column_of_data(data, f)[i] - mean) / data->n_train;
		b[0] += b[f + 1] * mean;
		b[f + 1] *= sqrt(square);
	}
	check(worst_error(b, coef, 11) < tolerance, "%s: liblinear's coefficients (%.1e)", settings, worst_error(b, coef, 11));
	check_objective(&env, data, model, settings, objective);
	free_env(&env);
}

/* Probabilities: right in the mean, and the class is that of the score's sign. */
static void
test_probabilities(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = new_dataset(&env, 2000, 2, 2);
	double		sum = 0,
				ones = 0;
	void	   *model;
	uint64_t	state = 3;

	for (int i = 0; i < 2000; i++)
	{
		double		u[3];

		for (int k = 0; k < 3; k++)
		{
			state = state * 6364136223846793005u + 1442695040888963407u;
			u[k] = (double) (state >> 11) / 9007199254740992.0;
		}
		column_of_data(data, 0)[i] = u[0];
		column_of_data(data, 1)[i] = u[1];
		target_of_data(data)[i] = u[2] < 1 / (1 + exp(-4 * (u[0] - 0.5)));
	}
	if (fit_with(&env, svm, data, "", &model) != ML_OK)
		fail("probabilities: %s", env.error.message);
	for (int i = 0; i < 2000; i++)
	{
		double		x[2],
					p[2];

		ml_dataset_row(data, i, x);
		svm->predict(model, x, p, NULL);
		sum += p[1] / 2000;
		ones += data->y[i] / 2000;
	}
	check(fabs(sum - ones) < 0.02, "probabilities: their mean is the share of the class (%.3f, %.3f)", sum, ones);
	{
		double		x[2] = {1, 0.5},
					p[2];

		svm->predict(model, x, p, NULL);
		check(fabs(p[1] - 1 / (1 + exp(-2.))) < 0.05, "probabilities: at the border of the data as in truth (%.3f)", p[1]);
	}
	free_env(&env);
}

static double
plain(double score, size_t row)
{
	return 3 * score + sin((double) row);
}

static double
two(double score, size_t row)
{
	return score > 1 + 0.1 * (row % 5);
}

static double
three(double score, size_t row)
{
	return (score > 1 + 0.1 * (row % 5)) + (score > 1.5);
}

/* A target that is the same everywhere is what the model says, for any loss. */
static void
test_constant_target(const char *settings, double y)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = new_dataset(&env, 50, 1, 0);
	const MlMethod *svm = &ml_method_linear_svm;
	void	   *model;
	double		x = 0.3;
	double		out = NAN;
	MlStatus	status;

	for (size_t i = 0; i < 50; i++)
	{
		column_of_data(data, 0)[i] = (double) (i % 7);
		target_of_data(data)[i] = y;
	}
	status = fit_with(&env, svm, data, settings, &model);
	if (status == ML_OK)
		svm->predict(model, &x, &out, NULL);
	check(status == ML_OK && fabs(out - y) <= 1e-3 * (1 + fabs(y)), "%s, target always %g: %g %s", settings, y, out, env.error.message);
	free_env(&env);
}

int
main(void)
{
	MlEnv		env = new_env(1);
	void	   *model;

	test_two_classes("standardize=false", false, svc_squared, svc_squared_objective, 1e-7);
	test_two_classes("standardize=false loss=hinge", false, svc_hinge, svc_hinge_objective, 1e-4);
	test_two_classes("standardize=false C=0.3", true, svc_weighted, svc_weighted_objective, 1e-7);
	test_three_classes();
	test_numbers("loss=squared_epsilon_insensitive epsilon=5", svr_squared, svr_squared_objective, 1e-6);
	test_numbers("C=0.5 epsilon=10", svr_plain, svr_plain_objective, 1e-4);
	test_numbers("", svr_zero, svr_zero_objective, 1e-4);
	test_probabilities();
	test_constant_target("", 0);
	test_constant_target("epsilon=1", 0);
	test_constant_target("loss=squared_epsilon_insensitive", 0);
	test_constant_target("intercept_scaling=100", 5);
	check(fit_with(&env, svm, two_species(&env), "loss=epsilon_insensitive", &model) == ML_BAD_PARAM, "%s", env.error.message);
	free_env(&env);
	check_threads(svm, "", 2, two);
	check_threads(svm, "loss=hinge probability_folds=0", 3, three);
	check_threads(svm, "", 0, plain);
	check_image(svm, "", 2, two);
	check_image(svm, "loss=hinge", 3, three);
	check_image(svm, "", 0, plain);
	check_degenerate(svm, "max_categories=30", 2, two);
	check_degenerate(svm, "loss=hinge max_categories=30 standardize=false", 2, two);
	check_degenerate(svm, "max_categories=30", 0, plain);
	check_degenerate(svm, "loss=squared_epsilon_insensitive max_categories=30", 0, plain);
	return unit_done();
}
