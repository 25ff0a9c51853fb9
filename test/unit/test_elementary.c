/*-------------------------------------------------------------------------
 * test_elementary.c
 *	  exp, log and p-values against 60-digit figures (test/reference/elementary.py),
 *	  and against long double over many random arguments where that has 64 bits.
 *-------------------------------------------------------------------------
 */
#include <float.h>

#include "unit.h"

#include "../reference/elementary_figures.h"
#include "ml/base/elementary.h"
#include "ml/base/rng.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* The distance of neighbouring doubles at v. */
static double
ulp(double v)
{
	v = fabs(v);
	return v < DBL_MIN ? 0x1p-1074 : nextafter(v, INFINITY) - v;
}

static void
test_table(const char *name, double (*f) (double), const double (*figures)[2], size_t n)
{
	for (size_t i = 0; i < n; i++)
	{
		double		got = f(figures[i][0]);

		unit_check(fabs(got - figures[i][1]) <= ulp(figures[i][1]), __FILE__, __LINE__, "%s(%g) = %.17g, wanted %.17g",
				   name, figures[i][0], got, figures[i][1]);
	}
}

#if LDBL_MANT_DIG >= 64
static double
worst_error(double (*f) (double), long double (*exact) (long double), double low, double high, uint64_t stream)
{
	double		worst = 0;

	for (uint64_t i = 0; i < 200000; i++)
	{
		double		x = low + (high - low) * ml_rng_uniform(1, stream, i);
		long double want = exact(x);
		double		error = (double) (fabsl(f(x) - want) / ulp((double) want));

		worst = error > worst ? error : worst;
	}
	return worst;
}

static void
test_ulp(void)
{
	CHECK(worst_error(ml_exp, expl, -708, 709, 1) < 1);
	CHECK(worst_error(ml_exp, expl, -745, -708, 2) < 1);	/* denormal results */
	CHECK(worst_error(ml_exp, expl, -1, 1, 3) < 1);
	CHECK(worst_error(ml_log, logl, 0.5, 2, 4) < 1);
	CHECK(worst_error(ml_log, logl, 0, 1e6, 5) < 1);
	CHECK(worst_error(ml_log, logl, 0, 1e-308, 6) < 1);
	CHECK(worst_error(ml_log1p, log1pl, -0.999, 2, 7) < 1);
	CHECK(worst_error(ml_log1p, log1pl, 0, 1e9, 8) < 1);
	CHECK(worst_error(ml_expm1, expm1l, -40, 40, 9) < 1);
	CHECK(worst_error(ml_expm1, expm1l, -1, 1, 10) < 1);
}
#else
static void
test_ulp(void)
{
}
#endif

static void
test_edges(void)
{
	CHECK(ml_exp(INFINITY) == INFINITY && ml_exp(-INFINITY) == 0 && isnan(ml_exp(NAN)));
	CHECK(ml_exp(0) == 1 && ml_exp(710) == INFINITY && ml_exp(-746) == 0 && ml_exp(-745.1) > 0);
	CHECK(isfinite(ml_exp(709.782)));
	CHECK(ml_log(0) == -INFINITY && ml_log(-0.0) == -INFINITY && isnan(ml_log(-1)) && ml_log(INFINITY) == INFINITY && isnan(ml_log(NAN)));
	CHECK(ml_log(1) == 0);
	CHECK(ml_log1p(-1) == -INFINITY && isnan(ml_log1p(-2)) && ml_log1p(0) == 0 && isnan(ml_log1p(NAN)) && ml_log1p(INFINITY) == INFINITY);
	CHECK(ml_expm1(-INFINITY) == -1 && ml_expm1(INFINITY) == INFINITY && ml_expm1(0) == 0 && isnan(ml_expm1(NAN)));
	CHECK(ml_sigmoid(0) == 0.5 && ml_sigmoid(1000) == 1 && ml_sigmoid(-1000) == 0);
	CHECK(ml_sigmoid(INFINITY) == 1 && ml_sigmoid(-INFINITY) == 0 && isnan(ml_sigmoid(NAN)));
	CHECK_CLOSE(ml_sigmoid(-700), ml_exp(-700), 1e-15);
}

static void
test_softmax(void)
{
	double		z[] = {1000, 1001, -5000};
	double		infinite[] = {INFINITY, 3, INFINITY};
	double		lost[] = {-INFINITY, -INFINITY};
	double		undefined[] = {NAN, 0};

	ml_softmax(z, 3);
	CHECK_CLOSE(z[1], ml_sigmoid(1), 1e-15);
	CHECK_NEAR(z[0] + z[1] + z[2], 1, 1e-15);
	CHECK(z[2] == 0);
	ml_softmax(infinite, 3);
	CHECK(infinite[0] == 0.5 && infinite[1] == 0 && infinite[2] == 0.5);
	ml_softmax(lost, 2);
	CHECK(lost[0] == 0.5 && lost[1] == 0.5);
	ml_softmax(undefined, 2);
	CHECK(undefined[0] == 0 && undefined[1] == 1);
}

static void
test_distributions(void)
{
	for (size_t i = 0; i < LENGTH(normal_figures); i++)
	{
		CHECK_CLOSE(ml_normal_two_sided(normal_figures[i][0]), normal_figures[i][1], 1e-13);
		CHECK(ml_normal_two_sided(-normal_figures[i][0]) == ml_normal_two_sided(normal_figures[i][0]));
	}
	for (size_t i = 0; i < LENGTH(student_figures); i++)
	{
		const double *s = student_figures[i];
		double		got = ml_t_two_sided(s[0], s[1]);

		unit_check(fabs(got - s[2]) <= 1e-13 * s[2], __FILE__, __LINE__, "t(%g, %g) = %.17g, wanted %.17g", s[0], s[1], got, s[2]);
	}
	CHECK(ml_normal_two_sided(0) == 1 && ml_normal_two_sided(INFINITY) == 0 && isnan(ml_normal_two_sided(NAN)));
	CHECK(ml_t_two_sided(0, 5) == 1 && ml_t_two_sided(INFINITY, 5) == 0 && ml_t_two_sided(1e200, 5) == 0);
	CHECK(isnan(ml_t_two_sided(1, 0)) && isnan(ml_t_two_sided(NAN, 3)) && isnan(ml_t_two_sided(1, -2)));
	CHECK_CLOSE(ml_t_two_sided(2, INFINITY), ml_normal_two_sided(2), 1e-15);
	CHECK_CLOSE(ml_t_two_sided(2, 1e15), ml_normal_two_sided(2), 1e-13);
	CHECK_CLOSE(ml_t_two_sided(1, 1), 0.5, 1e-15);	/* Cauchy */
}

int
main(void)
{
	test_table("exp", ml_exp, exp_figures, LENGTH(exp_figures));
	test_table("expm1", ml_expm1, expm1_figures, LENGTH(expm1_figures));
	test_table("log", ml_log, log_figures, LENGTH(log_figures));
	test_table("log1p", ml_log1p, log1p_figures, LENGTH(log1p_figures));
	test_ulp();
	test_edges();
	test_softmax();
	test_distributions();
	return unit_done();
}
