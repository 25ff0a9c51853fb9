/*-------------------------------------------------------------------------
 * test_binner.c
 *	  The bin of a value is the number of limits below it, whichever way it is found.
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include <float.h>

#include "ml/base/rng.h"
#include "ml/base/simd.h"
#include "ml/data/binned.h"
#include "ml/data/binner.h"

#define ROWS 20000
#define MANY_ROWS 160000

static double value[MANY_ROWS];

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

static double
half_zero(size_t i)
{
	return uniform(i) < 0.5 ? 0 : normal(i);
}

/* As many doubles of one size as of any other, from the largest negative one to the largest. */
static double
any_bits(size_t i)
{
	uint64_t	bits = ml_rng_u64(3, 5, i);
	double		x;

	memcpy(&x, &bits, sizeof(x));
	return isfinite(x) ? x : 0;
}

/* Some values come very often, others seldom. */
static double
clusters(size_t i)
{
	return uniform(i) < 0.3 ? (double) (i % 3) : uniform(i) < 0.6 ? floor(100 * normal(i)) / 100 : normal(i);
}

static double
rising(size_t i)
{
	return (double) (i / 7);
}

/* Where bins end does not follow from how many values a bucket holds: most values come a few times. */
static double
repeated(size_t i)
{
	return floor(400 * normal(i)) / 400;
}

/* Crowded in stretches of one length, and a value in the midst of them that comes often. */
static double
crowded(size_t i)
{
	return uniform(i) < 0.02 ? 1 : exp(6 * normal(i));
}

static const struct
{
	const char *name;
	double		(*value) (size_t i);
}			distributions[] = {
	{"uniform", uniform}, {"normal", normal}, {"many magnitudes", many_magnitudes}, {"outliers", outliers},
	{"few integers", few_integers}, {"two values", two_values}, {"time stamps", time_stamps}, {"denormals", denormals},
	{"extremes", extremes}, {"a constant", constant}, {"no value", nothing},
	{"half of them zero", half_zero}, {"clusters", clusters}, {"rising", rising}, {"repeated", repeated}, {"crowded", crowded}, {"any bits", any_bits}
};

/* ---- limits, from sorted distinct values ---- */

static int
compare_doubles(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return x < y ? -1 : x > y;
}

/* The same as ml_binner_find(), in the plain way; returns the number of limits, each of which lies between below[i] and above[i]. */
static size_t
slow_limits(const double *values, size_t n, int32_t max_bin, int32_t min_data, double *below, double *above)
{
	static double x[MANY_ROWS];
	static double distinct[MANY_ROWS];
	static size_t count[MANY_ROWS];
	size_t		present = 0;
	size_t		d = 0;
	size_t		limits = 0;
	size_t		in_bin = 0;
	size_t		rest;
	int64_t		bins;
	double		frequent;
	double		mean;

	for (size_t i = 0; i < n; i++)
	{
		if (!isnan(values[i]))
			x[present++] = values[i] + 0.0;
	}
	if (present < n && max_bin > 2)
		max_bin--;
	qsort(x, present, sizeof(double), compare_doubles);
	for (size_t i = 0; i < present; i++)
	{
		if (d == 0 || x[i] != distinct[d - 1])
		{
			distinct[d] = x[i];
			count[d++] = 0;
		}
		count[d - 1]++;
	}
	if (d <= (size_t) max_bin)
	{
		for (size_t i = 0; i + 1 < d; i++)
		{
			in_bin += count[i];
			if ((int64_t) in_bin < min_data)
				continue;
			below[limits] = distinct[i];
			above[limits++] = distinct[i + 1];
			in_bin = 0;
		}
		return limits;
	}
	if (min_data > 0 && (size_t) max_bin > present / (size_t) min_data)
		max_bin = (int32_t) (present / (size_t) min_data);
	max_bin = max_bin < 1 ? 1 : max_bin;
	frequent = (double) present / max_bin;
	bins = max_bin;
	rest = present;
	for (size_t i = 0; i < d; i++)
	{
		bins -= (double) count[i] >= frequent;
		rest -= (double) count[i] >= frequent ? count[i] : 0;
	}
	mean = bins > 0 ? (double) rest / (double) bins : 0x1p62;
	for (size_t i = 0; i + 1 < d && (int32_t) limits < max_bin - 1; i++)
	{
		bool		often = (double) count[i] >= frequent;

		rest -= often ? 0 : count[i];
		in_bin += count[i];
		if (!often && (double) in_bin < mean && !((double) count[i + 1] >= frequent && (double) in_bin >= fmax(1, mean * 0.5)))
			continue;
		below[limits] = distinct[i];
		above[limits++] = distinct[i + 1];
		in_bin = 0;
		if (often)
			continue;
		bins--;
		mean = bins > 0 ? (double) rest / (double) bins : 0x1p62;
	}
	return limits;
}

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

	for (int tier = ML_TIER_BASELINE; tier <= ML_TIER_AVX512; tier++)
	{
		ml_simd_limit((MlSimdTier) tier);
		ml_bin_wide(b, x, n, wide);
		if (b->missing < 256)
			ml_bin_narrow(b, x, n, narrow);
		for (size_t i = 0; i < n; i++)
		{
			uint32_t	want = slow_bin(b, x[i]);

			wrong += wide[i] != want || (b->missing < 256 && narrow[i] != want);
		}
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

static size_t
wrong_limits(const MlBinner *b, const double *values, size_t n, const MlBinRules *rules)
{
	static double below[ROWS];
	static double above[ROWS];
	size_t		limits = slow_limits(values, n, rules->max_bin, rules->min_data_in_bin, below, above);
	size_t		wrong = limits + 1 != b->n_bins;

	for (size_t i = 0; i < limits && wrong == 0; i++)
		wrong += !(below[i] <= b->upper[i] && b->upper[i] < above[i]);
	return wrong;
}

/* Limits are where sorting all values says; what was in the room before does not matter. */
static void
test_limits(MlEnv *env)
{
	static const int32_t max_bins[] = {2, 3, 16, 255, 1000};
	static const int32_t min_data[] = {1, 3, 100};
	static const size_t counts[] = {1, 2, 3, 5, 30, 1000, ROWS};
	MlBinSample sample;

	if (ml_bin_sample_make(env, ROWS, &sample) != ML_OK)
		abort();
	for (size_t d = 0; d < sizeof(distributions) / sizeof(distributions[0]); d++)
	{
		size_t		wrong = 0;

		for (size_t run = 0; run < 5 * 3 * 7; run++)
		{
			/* The bounds of buckets may differ between tiers, limits must not. */
			ml_simd_limit((MlSimdTier) (ML_TIER_BASELINE + run % 3));

			size_t		n = counts[run % 7];
			MlBinRules	rules = {.max_bin = max_bins[run / 7 % 5], .min_data_in_bin = min_data[run / 35], .sample = ROWS};
			MlBinner	binner;

			if (ml_binner_make(env, &rules, &binner) != ML_OK)
				abort();
			for (size_t i = 0; i < n; i++)
			{
				value[i] = i % 17 == 5 && run % 2 == 0 ? NAN : distributions[d].value(i);
				ml_bin_sample_add(&sample, value[i]);
			}
			ml_binner_find(&binner, &rules, &sample);
			wrong += wrong_limits(&binner, value, n, &rules);
		}
		unit_check(wrong == 0, __FILE__, __LINE__, "%s: limits as from sorted values", distributions[d].name);
	}
	ml_bin_sample_release(env, &sample);
}

/*
 * So many rows that keys are only brought together of buckets that are foreseen, and some others are asked for: values that come often,
 * one of them too often to be sorted in the small room, among rounded ones.
 */
static double
lump(uint64_t run, size_t i)
{
	double		which = ml_rng_uniform(run, 1, i);
	double		often = 0.12 * ml_rng_uniform(run, 9, 0) * ml_rng_uniform(run, 9, 1);
	double		seldom = often + 0.02 * ml_rng_uniform(run, 9, 2);
	double		grid = pow(10, 2 + 3 * ml_rng_uniform(run, 9, 3));
	double		x = ml_rng_uniform(run, 3, i) + ml_rng_uniform(run, 4, i) - ml_rng_uniform(run, 5, i);

	if (which < seldom)
		return ml_rng_uniform(run, which < often ? 6 : 7, 0);
	return run % 2 == 0 || ml_rng_uniform(run, 8, i) < 0.5 ? floor(grid * x) / grid : x;
}

static void
test_limits_of_many(MlEnv *env)
{
	static const int32_t max_bins[] = {63, 255, 1000};
	/* In the first eight a bucket that nobody had foreseen is asked for while another one is gone through. */
	static const uint64_t runs[] = {30, 52, 76, 87, 94, 154, 162, 169, 2, 5, 8, 11};
	MlBinSample sample;

	if (ml_bin_sample_make(env, MANY_ROWS, &sample) != ML_OK)
		abort();
	for (size_t r = 0; r < sizeof(runs) / sizeof(runs[0]); r++)
	{
		uint64_t	run = runs[r];
		MlBinRules	rules = {.max_bin = max_bins[run % 3], .min_data_in_bin = 3, .sample = MANY_ROWS};
		size_t		n = 40000 + (size_t) (ml_rng_uniform(run, 9, 4) * 120000);
		MlBinner	binner;

		if (ml_binner_make(env, &rules, &binner) != ML_OK)
			abort();
		for (size_t i = 0; i < n; i++)
		{
			value[i] = lump(run, i);
			ml_bin_sample_add(&sample, value[i]);
		}
		ml_binner_find(&binner, &rules, &sample);
		unit_check(wrong_limits(&binner, value, n, &rules) == 0, __FILE__, __LINE__, "lumps, %d bins, run %d: limits as from sorted values",
				   rules.max_bin, (int) run);
	}
	ml_bin_sample_release(env, &sample);
}

/* Values are taken as if one by one: all or some of a column, in several pieces, some of them missing. */
static void
test_taken(MlEnv *env)
{
	static uint32_t pick[ROWS];
	MlBinSample sample;
	MlBinSample singly;

	if (ml_bin_sample_make(env, 2 * ROWS, &sample) != ML_OK || ml_bin_sample_make(env, 2 * ROWS, &singly) != ML_OK)
		abort();
	for (size_t i = 0; i < ROWS; i++)
		value[i] = uniform(i) < 0.1 ? NAN : i % 100 == 0 ? -0.0 : normal(i);
	for (int tier = ML_TIER_BASELINE; tier <= ML_TIER_AVX512; tier++)
	{
		size_t		wrong = 0;

		ml_simd_limit((MlSimdTier) tier);
		for (size_t run = 0; run < 60; run++)
		{
			size_t		n = run < 20 ? run : ROWS / 8 * (run % 7 + 1) + run;
			double		share = 0.5 + (double) (run % 6) / 10;
			size_t		picked = 0;

			sample.n = sample.rows = singly.n = singly.rows = 0;
			for (size_t i = 0; i < n; i++)
			{
				pick[picked] = (uint32_t) i;
				picked += ml_rng_uniform(3, 4 + run, i) < share;
			}
			ml_bin_sample_take(&sample, value, NULL, n);
			ml_bin_sample_take(&sample, value, pick, picked);
			for (size_t i = 0; i < n; i++)
				ml_bin_sample_add(&singly, value[i]);
			for (size_t i = 0; i < picked; i++)
				ml_bin_sample_add(&singly, value[pick[i]]);
			wrong += sample.n != singly.n || sample.rows != singly.rows || memcmp(sample.key, singly.key, singly.n * sizeof(uint64_t)) != 0;
		}
		CHECK(wrong == 0);
	}
	ml_bin_sample_release(env, &sample);
	ml_bin_sample_release(env, &singly);
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
	CHECK(binner.steps.usable && binner.steps.linear);
	for (size_t i = 0; i < ROWS; i++)
		ml_bin_sample_add(&sample, exp(10 * normal(i)));
	ml_binner_find(&binner, &rules, &sample);
	CHECK(binner.way == ML_BIN_BITS && binner.half <= 4);
	for (size_t i = 0; i < ROWS; i++)
		ml_bin_sample_add(&sample, few_integers(i));
	ml_binner_find(&binner, &rules, &sample);
	CHECK(binner.n_bins == 5);
	CHECK(binner.steps.usable);
	CHECK(binner.upper[1] >= -1 && binner.upper[1] < 0);
}

/* Rows are drawn as their random numbers say, whatever how many are looked at together. */
static void
test_draw(MlEnv *env)
{
	static const size_t counts[] = {0, 1, 7, 8, 9, 1023, 1024, 1025, 65535, 65536, 65537};
	static const double shares[] = {0, 0x1p-60, 0.1, 0.5, 1 - 0x1p-53, 1};
	static uint32_t drawn[65537 + 1];

	for (int tier = ML_TIER_BASELINE; tier <= ML_TIER_AVX512; tier++)
	{
		size_t		wrong = 0;

		ml_simd_limit((MlSimdTier) tier);
		for (size_t run = 0; run < 11 * 6; run++)
		{
			size_t		n = counts[run % 11];
			size_t		first = run % 2 == 0 ? 0 : (size_t) UINT32_MAX - 5;
			double		share = shares[run / 11];
			size_t		found = ml_bin_draw(env, first, n, share, drawn);
			size_t		want = 0;

			for (size_t i = 0; i < n; i++)
			{
				if (!(ml_rng_uniform(env->seed, 0x62696e73, first + i) < share))
					continue;
				wrong += want >= found || drawn[want] != i;
				want++;
			}
			wrong += want != found;
		}
		CHECK(wrong == 0);
	}
	ml_simd_limit(ML_TIER_AVX512);
}

int
main(void)
{
	MlEnv	   *env = unit_env(1);

	test_bins(env);
	test_limits(env);
	test_limits_of_many(env);
	test_taken(env);
	test_ways(env);
	test_draw(env);
	unit_env_free(env);
	return unit_done();
}
