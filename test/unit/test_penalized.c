/*-------------------------------------------------------------------------
 * test_penalized.c
 *	  ridge, lasso, elastic_net against scikit-learn, and what every linear method must stand.
 *
 * Figures: test/reference/penalized.py.
 *-------------------------------------------------------------------------
 */
#include "linear_checks.h"
#include "../reference/penalized_figures.h"

#include "ml/algo/elastic_net.h"

extern const MlMethod ml_method_ridge;
extern const MlMethod ml_method_lasso;
extern const MlMethod ml_method_elastic_net;
extern const MlMethod ml_method_linear_regression;

#define MAX_TERMS 64

/* Coefficients on diabetes; "exact" zeros of a lasso must be zeros. */
static void
test_figures(const MlMethod *method, const char *settings, bool weighted, const double *expected, size_t n_expected)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = read_csv(&env, "diabetes", 0, NULL);
	MlCoefficient *rows;
	double		b[MAX_TERMS],
				error[MAX_TERMS];
	void	   *model;
	size_t		n = 0;

	if (weighted)
		weigh(&env, data);
	if (fit_with(&env, method, data, settings, &model) == ML_OK)
		n = coefficients_of(&env, method, data->schema, model, &rows, b, error);
	check(n == n_expected, "%s %s: %zu coefficients", method->name, settings, n);
	if (n == n_expected)
		check(worst_error(b, expected, n) < 1e-9, "%s %s%s: scikit-learn's coefficients (%.1e)", method->name, settings, weighted ? ", weighted" : "", worst_error(b, expected, n));
	free_env(&env);
}

/* figures: greatest alpha, the best one, its error and the error's error, the choice of one standard error */
static void
test_cross_validation(const MlMethod *method, const char *settings, const double *figures, const double *coef, double tolerance)
{
	MlEnv		env = new_env(2);
	MlDataset  *data = read_csv(&env, "diabetes", 0, NULL);
	MlCoefficient *rows;
	static const char *const names[] = {"alpha_max", "alpha", "cv_mse", "cv_mse_std_error"};
	double		b[MAX_TERMS],
				error[MAX_TERMS],
				worst = 0;
	void	   *model;
	char		text[100];

	env.seed = 42;
	if (fit_with(&env, method, data, settings, &model) != ML_OK)
		fail("cross-validation: %s", env.error.message);
	for (int i = 0; i < 4; i++)
		worst = fmax(worst, relative_error(statistic_of(&env, method, data->schema, model, names[i]), figures[i]));
	check(worst < tolerance, "%s %s: the path, the choice and its error are those of refits by scikit-learn (%.1e)", method->name, settings, worst);
	coefficients_of(&env, method, data->schema, model, &rows, b, error);
	check(worst_error(b, coef, 11) < tolerance, "%s: coefficients of the choice (%.1e)", method->name, worst_error(b, coef, 11));
	snprintf(text, sizeof(text), "%s choose=cv_1se", settings);
	check(fit_with(&env, method, data, text, &model) == ML_OK &&
		  relative_error(statistic_of(&env, method, data->schema, model, "alpha"), figures[4]) < tolerance, "%s: the choice of one standard error", method->name);
	free_env(&env);
}

/* Ridge is least squares with the same penalty: coefficients and errors of the method that forms no products. */
static void
test_errors(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = read_csv(&env, "diabetes", 0, NULL);
	MlCoefficient *rows;
	double		b[2][MAX_TERMS],
				error[2][MAX_TERMS];
	void	   *model;

	weigh(&env, data);
	if (fit_with(&env, &ml_method_ridge, data, "alpha=7.5 standardize=false", &model) != ML_OK)
		fail("ridge: %s", env.error.message);
	coefficients_of(&env, &ml_method_ridge, data->schema, model, &rows, b[0], error[0]);
	if (fit_with(&env, &ml_method_linear_regression, data, "alpha=7.5", &model) != ML_OK)
		fail("linear regression: %s", env.error.message);
	coefficients_of(&env, &ml_method_linear_regression, data->schema, model, &rows, b[1], error[1]);
	check(worst_error(b[0], b[1], 11) < 1e-9 && worst_error(error[0], error[1], 11) < 1e-9, "ridge: standard errors of linear_regression (%.1e)", worst_error(error[0], error[1], 11));
	free_env(&env);
}

/* Every criterion chooses from the path what by its own formula is least: here against all single fits. */
static void
test_criteria(const MlMethod *method, const char *name, bool ridge)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = read_csv(&env, "diabetes", 0, NULL);
	void	   *model;
	char		settings[100];
	double		least,
				largest,
				alpha;
	int			steps = 25,
				better = 0;

	snprintf(settings, sizeof(settings), "choose=%s n_alphas=%d", name, steps);
	if (fit_with(&env, method, data, settings, &model) != ML_OK)
		fail("%s: %s", name, env.error.message);
	least = statistic_of(&env, method, data->schema, model, name);
	largest = statistic_of(&env, method, data->schema, model, "alpha_max");
	for (int k = 0; k < steps; k++)
	{
		alpha = largest * pow(ridge ? 1e-9 : 1e-4, k / (steps - 1.0));
		snprintf(settings, sizeof(settings), "alpha=%.17g", alpha);
		if (fit_with(&env, method, data, settings, &model) != ML_OK)
			fail("%s: %s", name, env.error.message);
		better += statistic_of(&env, method, data->schema, model, name) < least - 1e-6 * fabs(least);
	}
	check(better == 0, "%s: no fit of the path is better by %s", method->name, name);
	free_env(&env);
}

/* Columns that do not matter are left out, and the ones that do are found, also where columns outnumber rows. */
static void
test_selection(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = new_dataset(&env, 60, 200, 0);
	MlCoefficient *rows;
	double		b[256],
				error[256],
				others = 0;
	void	   *model;
	uint64_t	state = 7;

	for (int f = 0; f < 200; f++)
		for (int i = 0; i < 60; i++)
		{
			state = state * 6364136223846793005u + 1442695040888963407u;
			column_of_data(data, f)[i] = (double) (state >> 11) / 9007199254740992.0 - 0.5;
		}
	for (int i = 0; i < 60; i++)
		target_of_data(data)[i] = 10 * column_of_data(data, 3)[i] - 8 * column_of_data(data, 150)[i] + 0.3 * column_of_data(data, 199)[i];
	if (fit_with(&env, &ml_method_lasso, data, "choose=cv_1se", &model) != ML_OK)
		fail("selection: %s", env.error.message);
	coefficients_of(&env, &ml_method_lasso, data->schema, model, &rows, b, error);
	for (int f = 0; f < 200; f++)
		others = f == 3 || f == 150 || f == 199 ? others : fmax(others, fabs(b[f + 1]));
	check(b[4] > 8 && b[151] < -6.5 && others < 0.5 && isnan(error[4]), "lasso: two of 200 columns are found in 60 rows (%.3g %.3g, others up to %.2g)", b[4], b[151], others);
	free_env(&env);
}

static double
plain(double score, size_t row)
{
	return 3 * score + sin((double) row);
}

/* With next to no penalty ridge is least squares: its figures, too, whatever the weights. */
static void
test_least_squares(double unit)
{
	static const char *const names[] = {"log_likelihood", "aic", "bic", "sigma", "r_squared", "df_residual"};
	MlEnv		env = new_env(1);
	MlDataset  *data = read_csv(&env, "diabetes", 0, NULL);
	double	   *w = ml_alloc(&env, data->n_train, sizeof(double));
	void	   *ridge;
	void	   *plain;
	double		worst = 0;

	for (size_t i = 0; i < data->n_train; i++)
		w[i] = i % 10 == 0 ? 0 : unit * (1 + i % 4);
	data->weight = unit > 0 ? w : NULL;
	if (fit_with(&env, &ml_method_ridge, data, "alpha=1e-12 standardize=false", &ridge) != ML_OK || fit_with(&env, &ml_method_linear_regression, data, "", &plain) != ML_OK)
		fail("%s", env.error.message);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		worst = fmax(worst, relative_error(statistic_of(&env, &ml_method_ridge, data->schema, ridge, names[i]),
										   statistic_of(&env, &ml_method_linear_regression, data->schema, plain, names[i])));
	check(worst < 1e-6, "ridge without a penalty has the figures of least squares, weights %g (%.1e)", unit, worst);
	free_env(&env);
}

#define P 60

/* One long step of the path over columns that nearly add up to nothing, in which sweeps creep. */
static int
sweeps_of(MlEnv *env, bool leaps, bool positive, double l2, double *violation)
{
	double		gram[P * P],
				target[P],
				deviation[P],
				a[P],
				truth[P];
	MlNormal	normal = {.p = P, .ld = P, .weight = 1000, .gram = gram, .target = target, .deviation = deviation};
	MlElastic	e = {.normal = &normal, .a = a, .positive = positive, .tol = 1e-9, .max_iter = 1000000};

	for (int j = 0; j < P; j++)
	{
		truth[j] = j % 3 == 0 ? 0 : sin(j * 7.) + 0.5;
		a[j] = 1 + 0.01 * j;
		deviation[j] = 1;
	}
	for (int j = 0; j < P; j++)
		for (int i = 0; i < P; i++)
			gram[j * P + i] = normal.weight * (i == j ? 1.0001 : 0) - normal.weight / P;
	for (int j = 0; j < P; j++)
	{
		target[j] = 0;
		for (int i = 0; i < P; i++)
			target[j] += gram[j * P + i] * truth[i];
		normal.yy += target[j] * truth[j];
	}
	if (ml_elastic_init(env, &e) != ML_OK || (leaps && ml_elastic_make_room(env, &e) != ML_OK))
		return -1;
	ml_elastic_start(&e, 1e-5, l2);
	while (!e.done)
	{
		ml_elastic_advance(&e);
		if (leaps)
			ml_elastic_leap(env->dense, &e);
	}
	/* The conditions of Karush, Kuhn and Tucker, from the matrix itself. */
	*violation = e.converged ? 0 : INFINITY;
	for (int j = 0; j < P; j++)
	{
		double		slope = target[j] / normal.weight - l2 * a[j] * a[j] * e.v[j];

		for (int i = 0; i < P; i++)
			slope -= gram[j * P + i] * e.v[i] / normal.weight;
		if (positive && e.v[j] < 0)
			*violation = INFINITY;
		else if (e.v[j] != 0)
			*violation = fmax(*violation, fabs(slope - copysign(e.l1 * a[j], e.v[j])));
		else
			*violation = fmax(*violation, (positive ? slope : fabs(slope)) - e.l1 * a[j]);
	}
	return e.sweeps;
}

/* Leaps find the solution, and soon. */
static void
test_leaps(void)
{
	for (int k = 0; k < 4; k++)
	{
		MlEnv		env = new_env(1);
		double		crept = INFINITY,
					leapt = INFINITY;
		int			slow = sweeps_of(&env, false, k % 2 == 1, k < 2 ? 0 : 1e-6, &crept);
		int			fast = sweeps_of(&env, true, k % 2 == 1, k < 2 ? 0 : 1e-6, &leapt);

		check(crept < 1e-7 && leapt < 1e-8, "leaps, case %d: a solution (%.1e without, %.1e)", k, crept, leapt);
		check(fast > 0 && (double) fast < 0.5 * slow, "leaps, case %d: %d sweeps instead of %d", k, fast, slow);
		free_env(&env);
	}
}

int
main(void)
{
	test_leaps();
	test_figures(&ml_method_ridge, "alpha=100 standardize=false", false, ridge_units, 11);
	test_figures(&ml_method_ridge, "lambda=100", false, ridge_standard, 11);
	test_figures(&ml_method_ridge, "alpha=7.5", true, ridge_weighted, 11);
	test_figures(&ml_method_lasso, "alpha=0.5 standardize=false", false, lasso_units, 11);
	test_figures(&ml_method_lasso, "alpha=1.5", false, lasso_standard, 11);
	test_figures(&ml_method_lasso, "alpha=2", true, lasso_weighted, 11);
	test_figures(&ml_method_lasso, "alpha=3 fit_intercept=false standardize=false", false, lasso_plain, 10);
	test_figures(&ml_method_elastic_net, "alpha=0.1 l1_ratio=0.3 standardize=false", false, elastic_units, 11);
	test_figures(&ml_method_elastic_net, "alpha=0.2 l1_ratio=0.7", false, elastic_standard, 11);
	test_figures(&ml_method_elastic_net, "alpha=0.3", true, elastic_weighted, 11);
	test_figures(&ml_method_elastic_net, "alpha=0.3 positive=true", false, elastic_positive, 11);
	test_cross_validation(&ml_method_lasso, "cv=5 n_alphas=20 tol=1e-10", lasso_cv, lasso_cv_coef, 1e-6);
	test_cross_validation(&ml_method_elastic_net, "cv=5 n_alphas=20 l1_ratio=0.4 tol=1e-10", elastic_cv, elastic_cv_coef, 1e-6);
	test_cross_validation(&ml_method_ridge, "cv=5 n_alphas=20", ridge_cv, ridge_cv_coef, 1e-8);
	test_errors();
	test_least_squares(0);
	test_least_squares(1);
	test_least_squares(37);
	test_criteria(&ml_method_lasso, "bic", false);
	test_criteria(&ml_method_elastic_net, "aic", false);
	test_criteria(&ml_method_ridge, "bic", true);
	test_selection();
	for (int k = 0; k < 3; k++)
	{
		const MlMethod *method = k == 0 ? &ml_method_ridge : k == 1 ? &ml_method_lasso : &ml_method_elastic_net;

		check_threads(method, "n_alphas=10", 0, plain);
		check_threads(method, "alpha=0.1", 0, plain);
		check_image(method, "n_alphas=5 cv=3", 0, plain);
		check_degenerate(method, "n_alphas=8 max_categories=100", 0, plain);
		check_degenerate(method, "alpha=0.5 standardize=false max_categories=30", 0, plain);
	}
	return unit_done();
}
