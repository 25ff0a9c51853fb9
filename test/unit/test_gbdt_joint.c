/*-------------------------------------------------------------------------
 * test_gbdt_joint.c
 *	  Columns of gbdt that share a byte of a row: each row says what it said before, and a
 *	  model has the same bytes as without.  Their histograms: test_gbdt_kernels.c.
 *-------------------------------------------------------------------------
 */
#include "gbdt_columns.h"

#include "ml/base/simd.h"

#define KINDS 12

/* A number of column f, of which there are twelve kinds; NaN is missing. */
static double
number_of(int f, size_t i)
{
	double		u = gbdt_random((uint64_t) f, i);
	bool		missing = gbdt_random((uint64_t) f + 1000, i) < 0.1;

	switch (f % KINDS)
	{
		case 0:
			return gbdt_normal((uint64_t) f, i);
		case 1:
			return u < 0.3;
		case 2:
			return missing ? NAN : u < 0.5;
		case 3:
			return floor(6 * u) - 2;
		case 4:
			return floor(16 * u) / 3;
		case 5:
			return missing ? NAN : floor(16 * u * u);
		case 6:
			return u < 0.2 ? -INFINITY : u < 0.4 ? INFINITY : 0;
		case 7:
			return missing ? NAN : 7;
		case 8:
			return u < 0.15 ? 1 + floor(2 * gbdt_random((uint64_t) f + 2000, i)) : 0;
		case 9:
			return floor(125 * u);
		default:
			return 0;
	}
}

/* Of the last two kinds are categories, with missing values and levels that occur in no row; of the ninth, sparse numbers. */
static MlDataset *
few_values(MlEnv *env, size_t n, int p, int classes)
{
	MlDataset  *data = gbdt_data(env, n, p, classes);
	double	   *y = gbdt_target(data);

	for (int f = 0; f < p; f++)
	{
		double		weight = f * 7919 % 17 - 8.0;
		int			levels = f % KINDS == 10 ? 7 : 24;
		int32_t    *code = f % KINDS >= 10 ? gbdt_category(env, data, f, levels) : NULL;

		for (size_t i = 0; i < n; i++)
		{
			double		x = number_of(f, i);

			if (code != NULL)
			{
				code[i] = (int32_t) (levels * gbdt_random((uint64_t) f, i)) / 2 * 2 - (i % 11 == 0);
				x = code[i] % 5;
			}
			else
				gbdt_number(data, f)[i] = x;
			y[i] += isfinite(x) ? weight * x / (1 + fabs(x)) : 3 * weight * (double) (i % 2);
		}
		if (f % KINDS == 8)
			make_sparse(env, data, f, false, false);
	}
	for (size_t i = 0; i < n; i++)
	{
		y[i] += 4 * gbdt_normal(99991, i);
		if (classes > 0)
			y[i] = classes == 2 ? y[i] > 0 : y[i] < -3 ? 0 : y[i] < 3 ? 1 : 2;
	}
	return data;
}

/* Bytes of a row, after each of them was found to say what the columns say. */
static int
bytes_of(MlEnv *env, const MlDataset *data, bool bundle)
{
	size_t		joining = ml_gbdt_joining_rows;
	MlGbdtBins	plain;
	MlGbdtBins	joint;
	bool		good = true;
	int			columns = 0;

	ml_gbdt_joining_rows = SIZE_MAX;
	CHECK(ml_gbdt_bins_make(env, data, &plain_rules, bundle, &plain) == ML_OK);
	ml_gbdt_joining_rows = 0;
	CHECK(ml_gbdt_bins_make(env, data, &plain_rules, bundle, &joint) == ML_OK);
	ml_gbdt_joining_rows = joining;
	CHECK(plain.n_bytes == plain.n_stored && joint.n_stored == plain.n_stored && joint.n_narrow == plain.n_narrow);
	for (int f = 0; f < data->schema->n_features; f++)
	{
		const MlGbdtColumn *a = &plain.column[f];
		const MlGbdtColumn *b = &joint.column[f];

		good &= a->usable == b->usable && (a->position < 0) == (b->position < 0);
		for (size_t i = 0; i < data->n_train && a->position >= 0; i++)
			good &= row_says(&plain, a->position, i) == a->narrow[i] && row_says(&joint, b->position, i) == a->narrow[i];
	}
	for (int b = 0; b < joint.n_bytes; b++)
	{
		uint32_t	cells = 1;

		good &= joint.byte[b].first == columns && joint.byte[b].members <= ML_GBDT_BYTE_MEMBERS;
		columns += joint.byte[b].members;
		for (int m = 0; m < joint.byte[b].members; m++)
			cells *= joint.byte[b].size[m];
		good &= cells == joint.byte[b].cells && cells <= 256;
	}
	unit_check(good && columns == joint.n_stored, __FILE__, __LINE__, "every row says what it said (%d columns in %d bytes)", joint.n_stored, joint.n_bytes);
	return joint.n_bytes;
}

static void
test_rows(void)
{
	static const size_t sizes[] = {1, 2, 3, 127, 128, 129, 4095, 4096, 4097};

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
	{
		for (int bundle = 0; bundle < 2; bundle++)
		{
			MlEnv	   *env = unit_env(2);
			MlDataset  *data = few_values(env, sizes[s], 40, 0);

			bytes_of(env, data, bundle);
			unit_env_free(env);
		}
	}
}

/* p columns of numbers, column f of so many values of which every eleventh cell may be missing. */
static int
bytes_of_levels(size_t n, int p, const int *levels, int kinds, bool missing)
{
	MlEnv	   *env = unit_env(2);
	MlDataset  *data = gbdt_data(env, n, p, 0);
	int			bytes;

	for (int f = 0; f < p; f++)
		for (size_t i = 0; i < n; i++)
			gbdt_number(data, f)[i] = missing && (i + (size_t) f) % 11 == 0 ? NAN : floor(levels[f % kinds] * gbdt_random((uint64_t) f, i));
	bytes = bytes_of(env, data, false);
	unit_env_free(env);
	return bytes;
}

static void
test_counts(void)
{
	CHECK(bytes_of_levels(2000, 32, (const int[]) {16}, 1, false) == 16);
	CHECK(bytes_of_levels(2000, 4, (const int[]) {16}, 1, true) == 4);
	CHECK(bytes_of_levels(2000, 4, (const int[]) {15}, 1, true) == 2);
	CHECK(bytes_of_levels(2000, 64, (const int[]) {2}, 1, false) == 8);
	CHECK(bytes_of_levels(2000, 10, (const int[]) {2}, 1, true) == 2);
	CHECK(bytes_of_levels(2000, 3, (const int[]) {6}, 1, false) == 1);
	CHECK(bytes_of_levels(2000, 2, (const int[]) {7, 20}, 2, false) == 1);
	CHECK(bytes_of_levels(9000, 4, (const int[]) {128, 2}, 2, false) == 2);
	CHECK(bytes_of_levels(9000, 4, (const int[]) {129, 2}, 2, false) == 3);
	/* 720 to the power of 60 combinations need 72 bytes at least. */
	CHECK(bytes_of_levels(3000, 300, (const int[]) {2, 3, 4, 5, 6}, 5, false) == 72);
	CHECK(bytes_of_levels(100, 300, (const int[]) {2, 3, 4, 5, 6}, 5, true) < 150);
	CHECK(bytes_of_levels(3000, 5, (const int[]) {1}, 1, false) == 0);
	CHECK(bytes_of_levels(3000, 2, (const int[]) {1, 9}, 2, false) == 1);
}

/* Of four columns of 16 values and eight of two, by themselves. */
static int
bytes_by_rule(size_t n)
{
	MlEnv	   *env = unit_env(1);
	MlDataset  *data = gbdt_data(env, n, 12, 0);
	MlGbdtBins	bins;
	int			bytes;

	for (int f = 0; f < 12; f++)
		for (size_t i = 0; i < n; i++)
			gbdt_number(data, f)[i] = floor((f % 3 == 0 ? 16 : 2) * gbdt_random((uint64_t) f, i));
	CHECK(ml_gbdt_bins_make(env, data, &plain_rules, true, &bins) == ML_OK);
	bytes = bins.n_bytes;
	unit_env_free(env);
	return bytes;
}

static void
test_rule(void)
{
	CHECK(bytes_by_rule(1023) == 12);
	CHECK(bytes_by_rule(1024) == 5);
	CHECK(bytes_by_rule(8191) == 5);
	CHECK(bytes_by_rule(8192) == 3);
}

/* ---- models ---- */

/* The same bytes with columns apart as together, for each number of threads, each tier, and where room is short. */
static void
check_model(const MlDataset *data, const char *settings, bool thoroughly)
{
	size_t		slots = ml_gbdt_slot_bytes;
	size_t		packing = ml_gbdt_packing_rows;
	size_t		joining = ml_gbdt_joining_rows;
	uint64_t	want;

	for (int packed = 0; packed < 2; packed++)
	{
		ml_gbdt_packing_rows = packed ? 0 : packing;
		ml_gbdt_joining_rows = SIZE_MAX;
		want = image_of(data, 2, settings, "");
		CHECK(want != 0);
		ml_gbdt_joining_rows = 0;
		CHECK(image_of(data, 2, settings, "") == want);
		for (int threads = 1; threads <= 4 && thoroughly; threads += 3)
			CHECK(image_of(data, threads, settings, "enable_bundle=false") == want);
		for (MlSimdTier tier = ML_TIER_BASELINE; tier < ML_TIER_AVX512 && thoroughly; tier++)
		{
			ml_simd_limit(tier);
			CHECK(image_of(data, 2, settings, "") == want);
		}
		ml_simd_limit(ML_TIER_AVX512);
		ml_gbdt_slot_bytes = 1;
		CHECK(image_of(data, 2, settings, "") == want);
		ml_gbdt_slot_bytes = slots;
	}
	ml_gbdt_packing_rows = packing;
	ml_gbdt_joining_rows = joining;
}

static void
test_models(void)
{
	static const struct
	{
		int			classes;
		size_t		n;
		int			p;
		const char *settings;
	}			cases[] = {
		{0, 9000, 24, "num_iterations=5"}, {2, 9000, 24, "num_iterations=5 num_leaves=63 min_data_in_leaf=3"},
		{3, 5000, 24, "num_iterations=3 min_data_in_leaf=3"}, {2, 5000, 24, "num_iterations=5 grow_policy=depthwise max_depth=6"},
		{0, 5000, 36, "num_iterations=6 feature_fraction=0.3 feature_fraction_bynode=0.5"},
		{2, 5000, 24, "num_iterations=6 bagging_fraction=0.5 bagging_freq=1 max_bin=6"},
		{0, 5000, 24, "num_iterations=4 grow_policy=symmetric"}, {2, 4000, 24, "num_iterations=4 grow_policy=symmetric feature_fraction=0.5 max_depth=8 min_data_in_leaf=1"},
		{0, 5000, 24, "num_iterations=5 objective=quantile"}, {0, 5000, 24, "num_iterations=5 objective=absolute num_leaves=50"},
		{0, 5000, 24, "num_iterations=5 monotone_constraints=(0,1,-1,1,-1,0,1)"}, {2, 5000, 24, "num_iterations=12 data_sample_strategy=goss learning_rate=0.3"},
		{2, 5000, 24, "num_iterations=5 max_cat_to_onehot=100"}, {0, 9000, 300, "num_iterations=2"}
	};

	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++)
	{
		MlEnv	   *env = unit_env(1);

		check_model(few_values(env, cases[c].n, cases[c].p, cases[c].classes), cases[c].settings, c % 2 == 0);
		unit_env_free(env);
	}
}

static void
test_weights(void)
{
	MlEnv	   *env = unit_env(1);
	MlDataset  *data = few_values(env, 6000, 24, 2);
	double	   *weight = ml_alloc(env, 6000, sizeof(double));

	for (size_t i = 0; i < 6000; i++)
		weight[i] = i % 5 == 0 ? 0 : gbdt_random(77, i) * 3;
	data->weight = weight;
	check_model(data, "num_iterations=5", true);
	unit_env_free(env);
}

/* Around a block of packed sums; few columns, for the rows are many. */
static void
test_row_counts(void)
{
	static const size_t sizes[] = {1, 2, 40, 65535, 65536, 65537};

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
	{
		for (int classes = 0; classes <= 2; classes += 2)
		{
			MlEnv	   *env = unit_env(1);

			check_model(few_values(env, sizes[s], 9, classes), "num_iterations=2 num_leaves=8 min_data_in_leaf=1", false);
			unit_env_free(env);
		}
	}
}

/* All rows but one in the same bins; columns that are copies of each other: of equal gains the first column must win. */
static void
test_odd(void)
{
	for (int c = 0; c < 3; c++)
	{
		MlEnv	   *env = unit_env(1);
		MlDataset  *data = gbdt_data(env, 3000, 20, 0);

		for (size_t i = 0; i < 3000; i++)
		{
			for (int f = 0; f < 20; f++)
				gbdt_number(data, f)[i] = c == 0 ? i == 100 * (size_t) f : c == 1 ? (double) (i % 5) : (i % 3 == 0 ? NAN : (double) (i % 2));
			gbdt_target(data)[i] = c == 2 ? (i % 7 == 0 ? 1e300 : -1e-310) : (double) (i % 5 == 2) + gbdt_random(1, i);
		}
		check_model(data, "num_iterations=3 min_data_in_leaf=1 min_data_in_bin=1", true);
		unit_env_free(env);
	}
}

/* What a fit takes stays below what it said it would, where nearly all is tables and room for combinations. */
static void
test_memory(void)
{
	for (int p = 2; p <= 600; p += 126 + p % 2)
	{
		MlEnv	   *env = unit_env(4);
		MlDataset  *data = gbdt_data(env, 8200, p, 0);
		MlParams   *params;
		MlModel    *model;
		size_t		before;
		size_t		said;
		size_t		taken;

		for (int f = 1; f < p; f++)
		{
			int32_t    *code = gbdt_category(env, data, f, 2 + f % 3);

			for (size_t i = 0; i < 8200; i++)
				code[i] = (int32_t) ((2 + f % 3) * gbdt_random((uint64_t) f, i));
		}
		for (size_t i = 0; i < 8200; i++)
			gbdt_target(data)[i] = gbdt_number(data, 0)[i] = gbdt_normal(1, i);
		before = ml_arena_used(env->arena);
		CHECK(ml_params_init(env, ml_method_gbdt.params, &params) == ML_OK);
		CHECK(ml_params_set_number(env, params, "num_iterations", 1) == ML_OK);
		said = ml_method_gbdt.memory(data->schema, params, 8200, 4);
		CHECK(gbdt_fit(env, data, "num_iterations=1", &model) == ML_OK);
		taken = ml_arena_peak(env->arena) - before;
		unit_check(taken <= said, __FILE__, __LINE__, "%d columns: said %zu, took %zu", p, said, taken);
		unit_env_free(env);
	}
}

int
main(void)
{
	test_rows();
	test_counts();
	test_rule();
	test_models();
	test_weights();
	test_row_counts();
	test_odd();
	test_memory();
	return unit_done();
}
