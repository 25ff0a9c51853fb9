/*-------------------------------------------------------------------------
 * test_linear.c
 *	  linear_regression against figures of higher precision and closed forms.
 *
 * Figures: test/reference/linear.py (NIST's certified values, and least squares
 * in 60 digits on the same doubles).
 *-------------------------------------------------------------------------
 */
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linear_data.h"
#include "ml/algo/least_squares.h"
#include "ml/algo/linear_terms.h"
#include "ml/algo/linear_terms.h"
#include "../reference/linear_figures.h"

extern const MlMethod ml_method_linear_regression;
static const MlMethod *const linear = &ml_method_linear_regression;

#define MAX_TERMS 64

/* What a double keeps of a column x^k with a condition number of 1e10: Filip's powers are rounded before we see them. */
static double
certified_tolerance(const char *name)
{
	return strcmp(name, "Filip") == 0 ? 1e-7 : 1e-9;
}

static void
test_nist(const NistSet *set)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = new_dataset(&env, set->rows, set->columns, 0);
	MlCoefficient *rows;
	double		estimate[MAX_TERMS],
				error[MAX_TERMS] = {0};
	void	   *model = NULL;
	size_t		n = 0;
	double		worst;

	for (int i = 0; i < set->rows; i++)
	{
		target_of_data(data)[i] = set->y[i];
		for (int f = 0; f < set->columns; f++)
			column_of_data(data, f)[i] = set->x[i * set->columns + f];
	}
	if (fit_with(&env, linear, data, set->intercept ? "" : "fit_intercept=false", &model) == ML_OK)
		n = coefficients_of(&env, linear, data->schema, model, &rows, estimate, error);
	check(n == (size_t) set->columns + set->intercept && (env.warnings == NULL || strcmp(set->name, "Filip") == 0), "NIST %s: %zu coefficients, no warning%s%s",
		  set->name, n, env.warnings ? ": " : "", env.warnings ? env.warnings->text : "");
	if (n == 0)
		return;
	worst = worst_error(estimate, set->binary_coef, n);
	check(worst < 1e-9, "NIST %s: coefficients of the doubles to 9 digits (%.1e)", set->name, worst);
	worst = worst_error(estimate, set->coef, n);
	check(worst < certified_tolerance(set->name), "NIST %s: certified coefficients (%.1e)", set->name, worst);
	/* Wampler1 and 2 are fitted without residuals: certified errors of 0, ours what rounding leaves of y up to 4e6. */
	if (set->error[0] < 1e-30)
	{
		for (size_t i = 0; i < n; i++)
			error[i] = error[i] < 1e-8 ? 0 : error[i];
		worst = error[0] + error[1];
	}
	else
		worst = worst_error(error, set->error, n);
	check(worst < certified_tolerance(set->name), "NIST %s: certified standard errors (%.1e)", set->name, worst);
	free_env(&env);
}

static void
test_diabetes(const char *name, const char *settings, bool weighted, const double *coef, const double *error, const double *p)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = read_csv(&env, "diabetes", 0, NULL);
	MlCoefficient *rows;
	double		estimates[MAX_TERMS],
				errors[MAX_TERMS] = {0};
	void	   *model;
	size_t		n = 0;
	double		worst = 0;

	if (weighted)
		weigh(&env, data);
	if (fit_with(&env, linear, data, settings, &model) == ML_OK)
		n = coefficients_of(&env, linear, data->schema, model, &rows, estimates, errors);
	check(n == 11, "diabetes %s: eleven coefficients", name);
	if (n != 11)
		return;
	check(strcmp(rows[0].term, "(intercept)") == 0 && strcmp(rows[3].term, "x3") == 0, "diabetes %s: terms", name);
	check(worst_error(estimates, coef, n) < 1e-9, "diabetes %s: coefficients (%.1e)", name, worst_error(estimates, coef, n));
	check(worst_error(errors, error, n) < 1e-9, "diabetes %s: standard errors (%.1e)", name, worst_error(errors, error, n));
	for (size_t i = 0; i < n; i++)
		worst = fmax(worst, relative_error(rows[i].p_value, p[i]));
	check(worst < 1e-8, "diabetes %s: p values (%.1e)", name, worst);
	free_env(&env);
}

/* Columns a, b, a + b: the fit of the solution of least norm, b1 = b2 + ... by its normal equations in closed form. */
static void
test_collinear(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = new_dataset(&env, 40, 4, 0);
	MlCoefficient *rows;
	double		b[MAX_TERMS] = {0},
				error[MAX_TERMS] = {0};
	void	   *model;
	size_t		n = 0;

	for (int i = 0; i < 40; i++)
	{
		double		u = sin(i) * 3 + 1e3,
					v = cos(1.7 * i);

		column_of_data(data, 0)[i] = u;
		column_of_data(data, 1)[i] = v;
		column_of_data(data, 2)[i] = u + v;
		column_of_data(data, 3)[i] = i % 7;
		target_of_data(data)[i] = 5 + 2 * u - v + 0.5 * (i % 7);
	}
	if (fit_with(&env, linear, data, "", &model) == ML_OK)
		n = coefficients_of(&env, linear, data->schema, model, &rows, b, error);
	check(n == 5 && warned(&env, "rank 3"), "collinear: the warning names the rank");
	/* b1 + b3 = 2 and b2 + b3 = -1; the norm is least for b3 = 1/3. */
	check(n == 5 && fabs(b[1] - 5. / 3) < 1e-9 && fabs(b[2] + 4. / 3) < 1e-9 && fabs(b[3] - 1. / 3) < 1e-9,
		  "collinear: least norm in the units of the data (%.12g %.12g %.12g)", b[1], b[2], b[3]);
	check(n == 5 && fabs(b[4] - 0.5) < 1e-9 && isnan(error[1]) && isnan(error[3]) && error[4] >= 0,
		  "collinear: errors are null just where the data do not determine a coefficient");
	free_env(&env);
}

/* Two identical columns in other units: 1 and 1000. Least norm puts nearly all on the large one, b2 = 1000 b1. */
static void
test_units(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = new_dataset(&env, 30, 2, 0);
	MlCoefficient *rows;
	double		b[MAX_TERMS] = {0},
				error[MAX_TERMS] = {0};
	void	   *model;

	for (int i = 0; i < 30; i++)
	{
		column_of_data(data, 0)[i] = i * 0.1;
		column_of_data(data, 1)[i] = i * 100.0;
		target_of_data(data)[i] = i;
	}
	check(fit_with(&env, linear, data, "", &model) == ML_OK && coefficients_of(&env, linear, data->schema, model, &rows, b, error) == 3
		  && relative_error(b[2], 1000 * b[1]) < 1e-9 && relative_error(0.1 * b[1] + 100 * b[2], 1) < 1e-12,
		  "least norm is that of the coefficients, not of scaled ones");
	free_env(&env);
}

/* Fewer rows than columns: interpolates, and is orthogonal to the null space, i.e. a combination of centred rows. */
static void
test_wide(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = new_dataset(&env, 3, 6, 0);
	MlCoefficient *rows;
	double		b[MAX_TERMS] = {0},
				error[MAX_TERMS] = {0},
				x[6],
				out;
	void	   *model = NULL;
	double		worst = 0,
				outside = 0;

	for (int i = 0; i < 3; i++)
	{
		for (int f = 0; f < 6; f++)
			column_of_data(data, f)[i] = sin(1 + i * 7 + f * f);
		target_of_data(data)[i] = i * i + 1;
	}
	check(fit_with(&env, linear, data, "", &model) == ML_OK && warned(&env, "rank 2"), "n < p: fits, and says so");
	if (model == NULL)
		return;
	for (int i = 0; i < 3; i++)
	{
		ml_dataset_row(data, i, x);
		linear->predict(model, x, &out, NULL);
		worst = fmax(worst, fabs(out - data->y[i]));
	}
	check(worst < 1e-12, "n < p: interpolates (%.1e)", worst);

	/* b less its projections on two orthonormalised differences of rows. */
	coefficients_of(&env, linear, data->schema, model, &rows, b, error);
	{
		double		d[2][6];

		for (int k = 0; k < 2; k++)
			for (int f = 0; f < 6; f++)
				d[k][f] = column_of_data(data, f)[k + 1] - column_of_data(data, f)[0];
		for (int k = 0; k < 2; k++)
		{
			double		norm = 0,
						dot = 0;

			for (int f = 0; f < 6; f++)
				norm += d[k][f] * d[k][f];
			for (int f = 0; f < 6; f++)
				d[k][f] /= sqrt(norm);
			for (int f = 0; f < 6 && k == 0; f++)
				dot += d[0][f] * d[1][f];
			for (int f = 0; f < 6 && k == 0; f++)
				d[1][f] -= dot * d[0][f];
			dot = 0;
			for (int f = 0; f < 6; f++)
				dot += d[k][f] * b[f + 1];
			for (int f = 0; f < 6; f++)
				b[f + 1] -= dot * d[k][f];
		}
		for (int f = 0; f < 6; f++)
			outside = fmax(outside, fabs(b[f + 1]));
	}
	check(outside < 1e-12, "n < p: no part outside the span of the rows (%.1e)", outside);
	check(isnan(error[1]), "n < p: no errors without degrees of freedom");
	free_env(&env);
}

/* Means by group: with one category, predictions are the means of the groups, reference, other and missing included. */
static void
test_categories(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = new_dataset(&env, 100, 2, 0);
	int32_t    *code = set_category(&env, data, 0, 5);
	MlCoefficient *rows;
	double		b[MAX_TERMS] = {0},
				error[MAX_TERMS] = {0};
	double		x[2] = {0, 0},
				out[4];
	void	   *model;
	size_t		n = 0;
	static const int32_t pattern[10] = {0, 0, 0, 1, 1, 2, 3, 4, -1, 0};
	static const double value[7] = {7, 10, 20, 30, 50, 60, 0};	/* missing, codes 0 .. 4 */

	for (int i = 0; i < 100; i++)
	{
		code[i] = pattern[i % 10];
		column_of_data(data, 1)[i] = 3;
		target_of_data(data)[i] = value[code[i] + 1];
	}
	if (fit_with(&env, linear, data, "max_categories=3", &model) == ML_OK)
		n = coefficients_of(&env, linear, data->schema, model, &rows, b, error);
	check(n == 6 && strcmp(rows[1].term, "x1=l1") == 0 && strcmp(rows[2].term, "x1=l2") == 0
		  && strcmp(rows[3].term, "x1 (other)") == 0 && strcmp(rows[4].term, "x1 (missing)") == 0 && strcmp(rows[5].term, "x2") == 0,
		  "categories: terms");
	check(warned(&env, "2 rarest"), "categories: a warning says what was grouped");
	check(n == 6 && fabs(b[0] - 10) < 1e-12 && fabs(b[1] - 10) < 1e-12 && fabs(b[2] - 20) < 1e-12 && fabs(b[3] - 45) < 1e-12 && fabs(b[4] + 3) < 1e-12,
		  "categories: differences to the most frequent one");
	check(n == 6 && b[5] == 0 && isnan(error[5]), "a constant column has the coefficient 0 and no error");
	linear->predict(model, x, &out[0], NULL);
	x[0] = 5;					/* never seen in training */
	linear->predict(model, x, &out[1], NULL);
	x[0] = NAN;
	x[1] = NAN;
	linear->predict(model, x, &out[2], NULL);
	x[0] = 4;
	linear->predict(model, x, &out[3], NULL);
	check(fabs(out[0] - 10) < 1e-12 && fabs(out[1] - 55) < 1e-12 && fabs(out[2] - 7) < 1e-12 && fabs(out[3] - 55) < 1e-12,
		  "categories: predictions are the means of the groups");
	check(batch_is_single(linear, data, model), "categories: rows together have the bits of single ones");
	{
		double		importance[2];
		MlStatus	status = linear->importance(&env, model, data->schema, "coefficient", importance);

		/* Standard deviation of the contribution: of the group means over the 100 rows, whose mean is 22.7. */
		check(status == ML_OK
			  && fabs(importance[0] - sqrt((40 * 100. + 20 * 400. + 10 * 900. + 20 * 3025. + 10 * 49.) / 100 - 22.7 * 22.7)) < 1e-9
			  && importance[1] == 0, "importance: spread of the contribution (%.9g)", importance[0]);
	}
	check(linear->importance(&env, model, data->schema, "shap", out) == ML_BAD_PARAM && env.error.hint[0] != '\0', "importance: an unknown kind is refused");
	free_env(&env);
}

/* A missing number counts as the mean of the others, in training and in prediction. */
static void
test_missing(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = new_dataset(&env, 5, 1, 0);
	double		x = NAN,
				at_mean,
				at_missing;
	void	   *model;
	static const double xs[5] = {1, 2, NAN, 4, 5};

	for (int i = 0; i < 5; i++)
	{
		column_of_data(data, 0)[i] = xs[i];
		target_of_data(data)[i] = 2 * i;
	}
	if (fit_with(&env, linear, data, "", &model) != ML_OK)
		fail("missing numbers: %s", env.error.message);
	linear->predict(model, &x, &at_missing, NULL);
	x = 3;
	linear->predict(model, &x, &at_mean, NULL);
	check(fabs(at_mean - 4) < 1e-14 && at_missing == at_mean, "missing numbers count as the mean");
	check(batch_is_single(linear, data, model), "missing numbers: rows together have the bits of single ones");
	free_env(&env);
}

static MlDataset *
random_data(MlEnv *env, size_t rows, int p)
{
	MlDataset  *data = new_dataset(env, rows, p, 0);
	uint64_t	state = 1;

	for (int f = 0; f < p; f++)
		for (size_t i = 0; i < rows; i++)
		{
			state = state * 6364136223846793005u + 1442695040888963407u;
			column_of_data(data, f)[i] = (double) (state >> 11) / 9007199254740992.0;
			target_of_data(data)[i] += column_of_data(data, f)[i] * (f + 1);
		}
	return data;
}

static void
test_threads(const char *settings)
{
	MlWriter	image[3];
	MlEnv		env[3];
	static const int threads[3] = {1, 2, 4};

	for (int t = 0; t < 3; t++)
	{
		void	   *model;
		MlDataset  *data;

		env[t] = new_env(threads[t]);
		data = random_data(&env[t], 20011, 37);
		if (fit_with(&env[t], linear, data, settings, &model) != ML_OK)
			fail("threads: %s", env[t].error.message);
		image[t] = save_model(&env[t], linear, model);
	}
	check(image[0].length == image[1].length && memcmp(image[0].bytes, image[1].bytes, image[0].length) == 0
		  && memcmp(image[0].bytes, image[2].bytes, image[0].length) == 0, "1, 2 and 4 threads give the same bits (%s)", settings);
	for (int t = 0; t < 3; t++)
		free_env(&env[t]);
}

static void
test_image(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = random_data(&env, 50, 3);
	int32_t    *code = set_category(&env, data, 1, 3);
	MlReader	r;
	MlWriter	w,
				again;
	void	   *model,
			   *loaded = NULL;
	double		x[3] = {0.5, 1, 2},
				a,
				b;

	for (int i = 0; i < 50; i++)
		code[i] = i % 4 - 1;
	if (fit_with(&env, linear, data, "max_categories=2", &model) != ML_OK)
		fail("image: %s", env.error.message);
	w = save_model(&env, linear, model);
	ml_reader_init(&r, &env, w.bytes, w.length);
	check(linear->load(&r, data->schema, &loaded) == ML_OK && ml_reader_end(&r) == ML_OK, "an image loads");
	again = save_model(&env, linear, loaded);
	linear->predict(model, x, &a, NULL);
	linear->predict(loaded, x, &b, NULL);
	check(a == b && again.length == w.length && memcmp(again.bytes, w.bytes, w.length) == 0, "and is the same model");
	check(load_is_total(linear, data->schema, w.bytes, w.length), "damaged images are refused or harmless");
	free_env(&env);
}

/* Numbers near the ends of the range: a finite model or 22003, never an infinity. */
static void
test_range(void)
{
	static const double size[] = {1e308, 1e-308, 1e-320, 1e200};

	for (int k = 0; k < 4; k++)
		for (int target = 0; target < 2; target++)
		{
			MlEnv		env = new_env(1);
			MlDataset  *data = new_dataset(&env, 20, 2, 0);
			MlCoefficient *rows;
			double		b[MAX_TERMS],
						error[MAX_TERMS];
			void	   *model;
			MlStatus	status;

			for (int i = 0; i < 20; i++)
			{
				column_of_data(data, 0)[i] = sin(i) * (target ? 1 : size[k]);
				column_of_data(data, 1)[i] = i % 5;
				target_of_data(data)[i] = (sin(i) + 0.01 * i) * (target ? size[k] : 1);
			}
			status = fit_with(&env, linear, data, "", &model);
			if (status == ML_OK)
			{
				size_t		n = coefficients_of(&env, linear, data->schema, model, &rows, b, error);

				for (size_t i = 0; i < n; i++)
					if (!isfinite(b[i]) || isinf(error[i]))
						status = ML_CORRUPT;
			}
			check(status == ML_OK || status == ML_OUT_OF_RANGE, "%s of %g: %s", target ? "target" : "feature", size[k],
				  status == ML_OK ? "a finite model" : env.error.message);
			free_env(&env);
		}
}

static void
test_refusals(void)
{
	MlEnv		env = new_env(1);
	MlDataset  *data = random_data(&env, 10, 2);
	void	   *model;

	env.dense = NULL;
	check(fit_with(&env, linear, data, "", &model) == ML_UNSUPPORTED, "without dense algebra: %s", env.error.message);
	free_env(&env);

	env = new_env(1);
	data = random_data(&env, 10, 2);
	check(fit_with(&env, linear, data, "alpha=-1", &model) == ML_BAD_PARAM, "negative alpha: %s", env.error.message);
	free_env(&env);

	env = new_env(1);
	data = random_data(&env, 10, 2);
	weigh(&env, data);
	memset((double *) data->weight, 0, 10 * sizeof(double));
	check(fit_with(&env, linear, data, "", &model) == ML_BAD_DATA, "only zero weights: %s", env.error.message);
	free_env(&env);

	env = new_env(1);
	data = random_data(&env, 1, 4097);
	check(fit_with(&env, linear, data, "", &model) == ML_TOO_LARGE, "too many columns: %s", env.error.message);
	free_env(&env);

	env = new_env(1);
	data = random_data(&env, 1, 2);
	check(fit_with(&env, linear, data, "", &model) == ML_OK, "one row: a constant");
	free_env(&env);
}

/* With no address space left OpenBLAS would try for ever; the fit must say that memory is out. In a child, for the limit stays. */
static void
test_no_room(void)
{
	pid_t		child = fork();
	int			status = -1;

	if (child == 0)
	{
		struct rlimit limit = {1 << 20, 1 << 20};
		MlEnv		env;

		alarm(20);
		memset(&env, 0, sizeof(env));
		env.dense = ml_dense_table();
		env.threads = 16;		/* more buffers than any test has taken so far */
		setrlimit(RLIMIT_AS, &limit);
		_exit(ml_linear_begin(&env, 1000000) == ML_NO_MEMORY && ml_dense_room() != 0 ? 0 : 1);
	}
	waitpid(child, &status, 0);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "no room for the buffers of BLAS: an error, no hang");
}

/* p columns, the last of them "apart" from the one before it. */
static MlDataset *
many_rows(MlEnv *env, size_t rows, int p, double apart)
{
	MlDataset  *data = new_dataset(env, rows, p, 0);
	uint64_t	state = 11;

	for (size_t i = 0; i < rows; i++)
	{
		double		sum = 0;

		for (int f = 0; f < p; f++)
		{
			double		u;

			state = state * 6364136223846793005u + 1442695040888963407u;
			u = (double) (state >> 11) / 9007199254740992.0;
			column_of_data(data, f)[i] = f == p - 1 ? column_of_data(data, f - 1)[i] + apart * u : 1000 * f + u * (f + 1);
			sum += u * f;
		}
		target_of_data(data)[i] = sum + sin((double) i);
	}
	return data;
}

static MlStatus
triangles(MlEnv *env, const MlDataset *data, double *by_gram, double *by_qr, bool *good)
{
	MlLeastSquares problem = {.data = data, .intercept = true, .y_center = 138, .y_factor = 1};
	MlDesign   *design;
	MlDesignScale *scale;

	ML_TRY(ml_linear_begin(env, data->n_train));
	ML_TRY(ml_design_fit(env, data, 256, &design));
	ML_TRY(ml_design_scale(env, design, true, &scale));
	problem.design = design;
	problem.scale = scale;
	ML_TRY(ml_least_squares_gram(env, &problem, by_gram, good));
	return by_qr == NULL ? ML_OK : ml_least_squares_reduce(env, &problem, by_qr);
}

/* Many rows: the triangle of the Gram matrix is that of the rows, with any threads, and given up where digits would be lost. */
static void
test_gram(void)
{
	enum {P = 24, Q = P + 2};
	static double r[3][Q * Q];
	static double qr[Q * Q];
	static const int threads[3] = {1, 2, 4};
	double		worst = 0;
	bool		good[3];

	check(ml_least_squares_by_gram(90011, Q) && !ml_least_squares_by_gram(1000, Q) && !ml_least_squares_by_gram(90011, 1000), "gram: for many rows of few columns");
	for (int t = 0; t < 3; t++)
	{
		MlEnv		env = new_env(threads[t]);

		if (triangles(&env, many_rows(&env, 90011, P, 20), r[t], t == 0 ? qr : NULL, &good[t]) != ML_OK)
			fail("gram: %s", env.error.message);
		free_env(&env);
	}
	for (int j = 0; j < Q; j++)
		for (int i = 0; i <= j; i++)
			worst = fmax(worst, fabs(fabs(r[0][j * Q + i]) - fabs(qr[j * Q + i])) / fabs(qr[j * Q + j]));
	check(good[0] && worst < 1e-11, "gram: the triangle of the rows (%.1e)", worst);
	check(good[1] && good[2] && memcmp(r[0], r[1], sizeof(r[0])) == 0 && memcmp(r[0], r[2], sizeof(r[0])) == 0, "gram: 1, 2 and 4 threads give the same bits");
	for (double apart = 1e-2; apart > 1e-9; apart /= 1000)
	{
		MlEnv		env = new_env(2);

		if (triangles(&env, many_rows(&env, 90011, P, apart), r[0], NULL, &good[0]) != ML_OK)
			fail("gram: %s", env.error.message);
		check(!good[0], "gram: not where a column is within %g of another", apart);
		free_env(&env);
	}
}

int
main(void)
{
	test_gram();
	for (size_t i = 0; i < sizeof(nist_sets) / sizeof(nist_sets[0]); i++)
		test_nist(&nist_sets[i]);
	test_diabetes("least squares", "", false, diabetes_ols_coef, diabetes_ols_error, diabetes_ols_p);
	test_diabetes("with weights", "", true, diabetes_weighted_coef, diabetes_weighted_error, diabetes_weighted_p);
	test_diabetes("ridge", "alpha=100", false, diabetes_ridge_coef, diabetes_ridge_error, diabetes_ridge_p);
	test_diabetes("ridge with weights", "lambda=7.5", true, diabetes_weighted_ridge_coef, diabetes_weighted_ridge_error, diabetes_weighted_ridge_p);
	test_collinear();
	test_units();
	test_wide();
	test_categories();
	test_missing();
	test_threads("");
	test_threads("alpha=3");
	test_image();
	test_range();
	test_refusals();
	test_no_room();
	return unit_done();
}
