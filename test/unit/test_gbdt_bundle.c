/*-------------------------------------------------------------------------
 * test_gbdt_bundle.c
 *	  Columns of gbdt that share a stored one: each row says what it said before, and
 *	  a model has the same bytes as without.
 *-------------------------------------------------------------------------
 */
#include "gbdt_columns.h"

#include "ml/base/simd.h"

/*
 * Of p columns: two dense numbers, then codes of one in "levels" each (several values or only 1), columns that are
 * missing but for few rows, and rare words, which do meet.  The last one is a category.
 */
#define P 64

static MlDataset *
mixed(MlEnv *env, size_t n, int classes, int way)
{
	MlDataset  *data = gbdt_data(env, n + n / 4, P, classes);
	int32_t    *code = gbdt_category(env, data, P - 1, 6);

	data->n_train = n;
	data->n_valid = n / 4;
	for (size_t i = 0; i < n + n / 4; i++)
	{
		size_t		hot = (size_t) (20 * gbdt_random(1, i) * gbdt_random(2, i));
		size_t		amount = (size_t) (10 * gbdt_random(3, i));
		size_t		known = (size_t) (12 * gbdt_random(4, i));
		double		signal;

		gbdt_number(data, 0)[i] = gbdt_normal(5, i);
		gbdt_number(data, 1)[i] = gbdt_random(6, i);
		gbdt_number(data, 2 + hot)[i] = 1;
		gbdt_number(data, 22 + amount)[i] = gbdt_random(7, i) < 0.1 ? NAN : floor(30 * gbdt_random(8, i)) - 10;
		for (size_t k = 0; k < 10; k++)
			gbdt_number(data, 32 + k)[i] = k == known ? gbdt_random(9, i) : NAN;
		for (size_t k = 0; k < 20; k++)
			gbdt_number(data, 42 + k)[i] = gbdt_random(10 + k, i) < 0.02 * (double) (k + 1) ? ceil(3 * gbdt_random(40 + k, i)) : 0;
		gbdt_number(data, 62)[i] = 0;
		code[i] = (int32_t) (6 * gbdt_random(60, i) * gbdt_random(61, i));
		signal = gbdt_number(data, 0)[i] + (double) (hot % 3) + (amount == 2 ? gbdt_random(8, i) * 3 : 0) + (known == 4) * 2.0 +
			gbdt_number(data, 50)[i] * code[i] * 0.3 + gbdt_normal(62, i);
		gbdt_target(data)[i] = classes == 0 ? signal : classes == 2 ? signal > 2 : signal < 1 ? 0 : signal < 2.5 ? 1 : 2;
	}
	for (int f = 2; f < P - 1 && way == 1; f++)
		make_sparse(env, data, f, f % 3 == 0, f < 22 && f % 3 != 0);
	for (int f = 2; f < P - 1 && way == 2; f++)
		make_binned(env, data, f);
	return data;
}

/* Stored columns of a data set, after each of its cells was found to say what it says without bundles. */
static int
stored_columns(MlEnv *env, const MlDataset *data, const MlBinRules *rules)
{
	MlGbdtBins	plain;
	MlGbdtBins	bundled;
	bool		good = true;

	CHECK(ml_gbdt_bins_make(env, data, rules, false, &plain) == ML_OK);
	CHECK(ml_gbdt_bins_make(env, data, rules, true, &bundled) == ML_OK);
	CHECK(plain.n_stored == plain.n_narrow && plain.n_narrow == bundled.n_narrow);
	for (int f = 0; f < data->schema->n_features; f++)
	{
		const MlGbdtColumn *a = &plain.column[f];
		const MlGbdtColumn *b = &bundled.column[f];

		good &= a->usable == b->usable && a->present == b->present && a->n_bins == b->n_bins;
		for (size_t i = 0; i < data->n_train && a->usable; i++)
		{
			good &= bin_at(a, i) == bin_at(b, i);
			good &= b->position < 0 || row_says(&bundled, b->position, i) == b->narrow[i];
		}
		good &= !a->usable || b->position < 0 || (b->bin_of != NULL ? b->first_value + b->n_values : b->missing + 1) <= bundled.offset[b->position + 1] - bundled.offset[b->position];
	}
	unit_check(good, __FILE__, __LINE__, "every cell says what it said (%d columns of %d)", bundled.n_stored, bundled.n_narrow);
	return bundled.n_stored;
}

static void
test_cells(void)
{
	for (int way = 0; way < 3; way++)
	{
		for (size_t n = 300; n <= 30000; n *= 10)
		{
			MlEnv	   *env = unit_env(2);
			MlDataset  *data = mixed(env, n, 0, way);
			int			stored = stored_columns(env, data, &plain_rules);

			/* Two numbers, a category, the codes in one, the amounts in two; the other columns have too many values, or meet. */
			unit_check(stored > 4 && stored < 46, __FILE__, __LINE__, "columns are bundled (%d)", stored);
			unit_env_free(env);
		}
	}
}

/* Five hundred columns of a one-hot code need two bytes a row; three levels of a code, of which one is half of all, one. */
static void
test_counts(void)
{
	for (int sparse = 0; sparse < 2; sparse++)
	{
		MlEnv	   *env = unit_env(2);
		MlDataset  *data = gbdt_data(env, 20000, 500, 0);

		for (size_t i = 0; i < 20000; i++)
			gbdt_number(data, (int) (500 * gbdt_random(1, i)))[i] = 1;
		for (int f = 0; f < 500 && sparse; f++)
			make_sparse(env, data, f, false, true);
		CHECK(stored_columns(env, data, &plain_rules) == 2);
		unit_env_free(env);
	}
	{
		MlEnv	   *env = unit_env(1);
		MlDataset  *data = gbdt_data(env, 1000, 6, 0);

		for (size_t i = 0; i < 1000; i++)
		{
			gbdt_number(data, 0)[i] = i % 4 < 2;
			gbdt_number(data, 1)[i] = i % 4 == 2;
			gbdt_number(data, 2)[i] = i % 4 == 3;
			gbdt_number(data, 3)[i] = gbdt_random(1, i);
			gbdt_number(data, 4)[i] = i % 3 == 0;	/* meets all others */
			gbdt_number(data, 5)[i] = i < 2;	/* meets the first */
		}
		CHECK(stored_columns(env, data, &plain_rules) == 4);
		unit_env_free(env);
	}
	{
		MlEnv	   *env = unit_env(1);
		MlDataset  *data = gbdt_data(env, 50000, 2, 0);

		/* Only in one row do columns meet, and it is none of those that are looked at first. */
		for (int meet = 0; meet < 2; meet++)
		{
			for (size_t i = 0; i < 50000; i++)
			{
				gbdt_number(data, 0)[i] = i % 10 == 1;
				gbdt_number(data, 1)[i] = i % 10 == 2 || (meet && i == 49991);
			}
			CHECK(stored_columns(env, data, &plain_rules) == 1 + meet);
		}
		unit_env_free(env);
	}
	{
		/* Dense columns are left alone; so are those of more than 256 bins. */
		MlEnv	   *env = unit_env(2);
		MlDataset  *data = gbdt_data(env, 5000, 10, 0);
		MlBinRules	many = {.max_bin = 1000, .min_data_in_bin = 1, .sample = 200000};

		for (int values = 40; values <= 4000; values *= 100)
		{
			for (int f = 0; f < 10; f++)
				for (size_t i = 0; i < 5000; i++)
					gbdt_number(data, f)[i] = f < 5 || i % 10 == (size_t) f ? floor(values * gbdt_random((uint64_t) f, i)) : 0;
			/* Five columns of 39 values take 195 of 255 bytes. */
			CHECK(stored_columns(env, data, &plain_rules) == (values == 40 ? 6 : 10));
			CHECK(stored_columns(env, data, &many) == (values == 40 ? 6 : 0));
		}
		unit_env_free(env);
	}
}

/* ---- models ---- */

static void
test_models(void)
{
	static const struct
	{
		int			classes;
		size_t		n;
		const char *settings;
	}			cases[] = {
		{0, 12000, "num_iterations=5"}, {2, 12000, "num_iterations=6 grow_policy=depthwise max_depth=5"}, {3, 6000, "num_iterations=4 min_data_in_leaf=3"},
		{0, 6000, "num_iterations=6 feature_fraction=0.4 feature_fraction_bynode=0.5"}, {2, 6000, "num_iterations=6 bagging_fraction=0.5 max_bin=20"},
		{0, 12000, "num_iterations=4 grow_policy=symmetric"}, {2, 6000, "num_iterations=5 grow_policy=symmetric feature_fraction=0.5 max_depth=8 min_data_in_leaf=1"},
		{0, 6000, "num_iterations=6 objective=quantile monotone_constraints=(1,0,1,-1)"}, {2, 6000, "num_iterations=12 data_sample_strategy=goss learning_rate=0.3"}
	};

	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++)
	{
		for (int way = 0; way < 3; way++)
		{
			MlEnv	   *env = unit_env(1);
			MlDataset  *data = mixed(env, cases[c].n, cases[c].classes, way);
			size_t		slots = ml_gbdt_slot_bytes;
			size_t		packing = ml_gbdt_packing_rows;
			size_t		joining = ml_gbdt_joining_rows;
			uint64_t	want;

			ml_gbdt_joining_rows = SIZE_MAX;
			want = image_of(data, 1, cases[c].settings, "enable_bundle=false");
			CHECK(want != 0);
			for (int threads = 1; threads <= 4; threads *= 2)
				CHECK(image_of(data, threads, cases[c].settings, "") == want);
			ml_gbdt_joining_rows = 0;
			ml_simd_limit(ML_TIER_BASELINE);
			CHECK(image_of(data, 2, cases[c].settings, "bundle=true") == want);
			ml_simd_limit(ML_TIER_AVX512);
			ml_gbdt_slot_bytes = 1;
			CHECK(image_of(data, 2, cases[c].settings, "") == want);
			ml_gbdt_slot_bytes = slots;
			ml_gbdt_packing_rows = 0;
			want = image_of(data, 2, cases[c].settings, "enable_bundle=false");
			CHECK(image_of(data, 2, cases[c].settings, "") == want);
			ml_gbdt_packing_rows = packing;
			ml_gbdt_joining_rows = joining;
			unit_env_free(env);
		}
	}
}

/* Limits of sparse columns are those of the same values spread out. */
static void
test_sparse_limits(void)
{
	static const char *const settings[] = {"", "min_data_in_bin=50", "max_bin=12", "bin_construct_sample_cnt=3000", "bin_construct_sample_cnt=3000 max_bin=3 min_data_in_bin=1"};

	for (int c = 0; c < 5; c++)
	{
		for (int bundle = 0; bundle < 2; bundle++)
		{
			MlEnv	   *env = unit_env(1);
			const char *more = bundle ? "num_iterations=6" : "num_iterations=6 enable_bundle=false";

			CHECK(image_of(mixed(env, 9000, 0, 0), 1, settings[c], more) == image_of(mixed(env, 9000, 0, 1), 2, settings[c], more));
			unit_env_free(env);
		}
	}
}

static void
test_odd(void)
{
	for (int c = 0; c < 6; c++)
	{
		MlEnv	   *env = unit_env(2);
		size_t		n = c == 0 ? 1 : c == 1 ? 2 : 90;
		int			p = c == 2 ? 600 : 4;
		MlDataset  *data = gbdt_data(env, n, p, 0);
		const char *settings = "num_iterations=5 min_data_in_leaf=1 min_data_in_bin=1";

		for (size_t i = 0; i < n; i++)
		{
			for (int f = 0; f < p; f++)
				gbdt_number(data, f)[i] = i % (size_t) p != (size_t) f ? (c == 3 ? NAN : 0) : c == 4 ? (i % 8 < 4 ? 1e300 : -5e-324) : c == 5 ? (i % 2 ? INFINITY : NAN) : 1;
			gbdt_target(data)[i] = (double) (i % 7);
		}
		if (c != 3)
			for (int f = 0; f < p; f += 2)
				make_sparse(env, data, f, false, false);
		CHECK(image_of(data, 1, settings, "") == image_of(data, 1, settings, "enable_bundle=false"));
		unit_env_free(env);
	}
}

int
main(void)
{
	test_cells();
	test_counts();
	test_models();
	test_sparse_limits();
	test_odd();
	return unit_done();
}
