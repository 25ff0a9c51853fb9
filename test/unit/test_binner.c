/*-------------------------------------------------------------------------
 * test_binner.c
 *	  The bin of a value is the number of limits below it, whichever way it is found.
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include <float.h>

#include "ml/base/rng.h"
#include "ml/data/binner.h"

#define ROWS 20000

static double value[ROWS];

/* ---- distributions ---- */

static double
uniform(size_t i)
{
	return ml_rng_uniform(3, 1, i);
}

static double
normal(size_t i)
{
	return sqrt(-2 * log(1 - ml_rng_uniform(3, 2, i))) * cos(6.283185307179586 * ml_rng_uniform(3, 3, i));
}

static double
many_magnitudes(size_t i)
{
	return exp(40 * normal(i)) * (i % 3 == 0 ? -1 : 1);
}

static double
outliers(size_t i)
{
	return i % 1000 == 0 ? 1e300 * normal(i) : normal(i);
}

static double
few_integers(size_t i)
{
	return (double) (int) (5 * uniform(i)) - 2;
}

static double
two_values(size_t i)
{
	return uniform(i) < 0.3 ? -0.0 : 1;
}

static double
time_stamps(size_t i)
{
	return 7.5e8 + 1e-6 * (double) i;
}

static double
denormals(size_t i)
{
	return 5e-324 * (double) (int) (2000 * (uniform(i) - 0.5));
}

static double
extremes(size_t i)
{
	static const double some[] = {DBL_MAX, -DBL_MAX, 0, 1e-300, -1e-300, 1, 1 + DBL_EPSILON, -1, DBL_MIN, 5e-324, 1e308, -1e308};

	return some[(size_t) (12 * uniform(i))];
}

static double
constant(size_t i)
{
	return 7;
}

static double
nothing(size_t i)
{
	return NAN;
}

static const struct
{
	const char *name;
	double		(*value) (size_t i);
}			distributions[] = {
	{"uniform", uniform}, {"normal", normal}, {"many magnitudes", many_magnitudes}, {"outliers", outliers},
	{"few integers", few_integers}, {"two values", two_values}, {"time stamps", time_stamps}, {"denormals", denormals},
	{"extremes", extremes}, {"a constant", constant}, {"no value", nothing}
};

/* ---- checks ---- */

static uint32_t
slow_bin(const MlBinner *b, double x)
{
	uint32_t	bin = 0;

	if (isnan(x))
		return b->missing;
	for (uint32_t i = 0; i + 1 < b->n_bins; i++)
		bin += b->upper[i] < x;
	return bin;
}

/* Values, limits and their neighbours, and what is no number. */
static size_t
hostile(const MlBinner *b, double *x)
{
	size_t		n = 0;

	x[n++] = NAN;
	x[n++] = INFINITY;
	x[n++] = -INFINITY;
	x[n++] = 0;
	x[n++] = -0.0;
	x[n++] = DBL_MAX;
	x[n++] = -DBL_MAX;
	x[n++] = 5e-324;
	for (uint32_t i = 0; i + 1 < b->n_bins && n + 3 < ROWS; i++)
	{
		x[n++] = b->upper[i];
		x[n++] = nextafter(b->upper[i], -INFINITY);
		x[n++] = nextafter(b->upper[i], INFINITY);
	}
	return n;
}

static size_t
wrong_bins(const MlBinner *b, const double *x, size_t n)
{
	static uint8_t narrow[ROWS];
	static uint16_t wide[ROWS];
	size_t		wrong = 0;

	ml_bin_wide(b, x, n, wide);
	if (b->missing < 256)
		ml_bin_narrow(b, x, n, narrow);
	for (size_t i = 0; i < n; i++)
	{
		uint32_t	want = slow_bin(b, x[i]);

		wrong += wide[i] != want || (b->missing < 256 && narrow[i] != want);
	}
	return wrong;
}

static void
test_bins(MlEnv *env)
{
	static const int32_t max_bins[] = {2, 3, 5, 16, 255, 4000};

	for (size_t d = 0; d < sizeof(distributions) / sizeof(distributions[0]); d++)
	{
		for (size_t m = 0; m < sizeof(max_bins) / sizeof(max_bins[0]); m++)
		{
			MlBinRules	rules = {.max_bin = max_bins[m], .min_data_in_bin = 1, .sample = ROWS};
			MlBinSample sample;
			MlBinner	binner;
			static double odd[ROWS];
			bool		ascending = true;

			if (ml_bin_sample_make(env, ROWS, &sample) != ML_OK || ml_binner_make(env, &rules, &binner) != ML_OK)
				abort();
			for (size_t i = 0; i < ROWS; i++)
			{
				value[i] = i % 17 == 0 && m % 2 == 0 ? NAN : distributions[d].value(i);
				ml_bin_sample_add(&sample, value[i]);
			}
			ml_binner_find(&binner, &rules, &sample);
			for (uint32_t i = 1; i + 1 < binner.n_bins; i++)
				ascending &= binner.upper[i - 1] < binner.upper[i];
			unit_check(ascending && binner.n_bins >= 1 && binner.n_bins <= (uint32_t) max_bins[m], __FILE__, __LINE__,
					   "%s: at most %d bins with ascending limits (%u)", distributions[d].name, max_bins[m], binner.n_bins);
			unit_check(wrong_bins(&binner, value, ROWS) == 0, __FILE__, __LINE__, "%s, %u bins: the bin is the number of limits below",
					   distributions[d].name, binner.n_bins);
			unit_check(wrong_bins(&binner, odd, hostile(&binner, odd)) == 0, __FILE__, __LINE__,
					   "%s, %u bins: also of limits, their neighbours, infinities and NaN", distributions[d].name, binner.n_bins);
			ml_bin_sample_release(env, &sample);
		}
	}
}

/* Values that spread evenly, or over orders of magnitude, are found with few steps. */
static void
test_ways(MlEnv *env)
{
	MlBinRules	rules = {.max_bin = 255, .min_data_in_bin = 3, .sample = ROWS};
	MlBinSample sample;
	MlBinner	binner;

	if (ml_bin_sample_make(env, ROWS, &sample) != ML_OK || ml_binner_make(env, &rules, &binner) != ML_OK)
		abort();
	for (size_t i = 0; i < ROWS; i++)
		ml_bin_sample_add(&sample, uniform(i));
	ml_binner_find(&binner, &rules, &sample);
	CHECK(binner.way == ML_BIN_LINEAR && binner.half <= 2);
	for (size_t i = 0; i < ROWS; i++)
		ml_bin_sample_add(&sample, exp(10 * normal(i)));
	ml_binner_find(&binner, &rules, &sample);
	CHECK(binner.way == ML_BIN_BITS && binner.half <= 4);
	for (size_t i = 0; i < ROWS; i++)
		ml_bin_sample_add(&sample, few_integers(i));
	ml_binner_find(&binner, &rules, &sample);
	CHECK(binner.n_bins == 5);
	CHECK(binner.upper[1] >= -1 && binner.upper[1] < 0);
}

int
main(void)
{
	MlEnv	   *env = unit_env(1);

	test_bins(env);
	test_ways(env);
	unit_env_free(env);
	return unit_done();
}
