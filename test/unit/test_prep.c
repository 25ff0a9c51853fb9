/*-------------------------------------------------------------------------
 * test_prep.c
 *	  The encoding of rows: figures of scikit-learn, training against serving, errors, images.
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "image.h"
#include "ml/base/text.h"
#include "ml/base/dense.h"
#include "ml/data/dictionary.h"
#include "ml/prep/calendar.h"
#include "prep_data.h"
#include "../reference/prep_figures.h"

/* The column that one step makes of the reference data, to be compared. */
static const double *
one_step(MlEnv *env, const MlStep *step, MlPrep **prep)
{
	PrepData	d;
	PrepPlan	plan = {0};
	MlDataColumn *columns;

	prep_begin(&d, env, REF_N, 0, ref_y, 0);
	prep_number(&d, "x", ref_x);
	*prep_step(&plan, "x", step->kind) = *step;
	CHECK_STATUS(env, ml_prep_fit(env, &plan.spec, &d.data, prep, &columns), ML_OK);
	return columns[0].number;
}

static void
check_figures(MlEnv *env, MlStepKind kind, double low, double high, bool quantiles, const double *want)
{
	MlStep		step;
	MlPrep	   *prep;
	const double *got;

	ml_step_init(&step, kind);
	if (low != high)
	{
		step.low = low;
		step.high = high;
	}
	step.quantiles = quantiles;
	got = one_step(env, &step, &prep);
	for (int i = 0; i < REF_N; i++)
		CHECK_NEAR(got[i], want[i], 1e-12 * fmax(1, fabs(want[i])));
}

static void
test_numbers(void)
{
	MlEnv	   *env = unit_env(1);

	check_figures(env, ML_STEP_STANDARD, 0, 0, false, ref_standard);
	check_figures(env, ML_STEP_MIN_MAX, -1, 1, false, ref_min_max);
	check_figures(env, ML_STEP_ROBUST, 0, 0, false, ref_robust);
	check_figures(env, ML_STEP_IMPUTE_MEAN, 0, 0, false, ref_impute_mean);
	check_figures(env, ML_STEP_IMPUTE_MEDIAN, 0, 0, false, ref_impute_median);
	check_figures(env, ML_STEP_IMPUTE_MOST_FREQUENT, 0, 0, false, ref_impute_most_frequent);
	check_figures(env, ML_STEP_LOG1P, 0, 0, false, ref_log1p);
	check_figures(env, ML_STEP_CLIP, 0.1, 0.9, true, ref_clip);
	unit_env_free(env);
}

static void
test_buckets(void)
{
	MlEnv	   *env = unit_env(1);
	PrepData	d;
	PrepPlan	plan = {0};
	MlPrep	   *prep;
	MlDataColumn *columns;

	prep_begin(&d, env, REF_N, 0, ref_y, 0);
	prep_number(&d, "x", ref_x);
	prep_step(&plan, "x", ML_STEP_QUANTILE_BUCKETS)->n = 5;
	CHECK_STATUS(env, ml_prep_fit(env, &plan.spec, &d.data, &prep, &columns), ML_OK);
	CHECK(prep->encoded->features[0].kind == ML_FEATURE_CATEGORY && prep->encoded->features[0].levels == 5);
	for (int i = 0; i < REF_N; i++)
		CHECK_NEAR(columns[0].code[i], isnan(ref_buckets[i]) ? -1 : ref_buckets[i], 0);
	CHECK(strncmp(prep->encoded->features[0].level[0], "< ", 2) == 0);
	CHECK(strncmp(prep->encoded->features[0].level[4], ">= ", 3) == 0);
	unit_env_free(env);
}

/* The table that a target encoding is served with. */
static void
check_target(const double *y, int n_classes, double smoothing, const double *want, int k)
{
	MlEnv	   *env = unit_env(1);
	PrepData	d;
	PrepPlan	plan = {0};
	MlPrep	   *prep;
	MlDataColumn *columns;
	MlStep	   *step;

	prep_begin(&d, env, REF_N, 0, y, n_classes);
	prep_category(&d, "city", ref_city, 4);
	step = prep_step(&plan, "city", ML_STEP_TARGET_ENCODE);
	step->automatic = smoothing < 0;
	step->low = smoothing;
	CHECK_STATUS(env, ml_prep_fit(env, &plan.spec, &d.data, &prep, &columns), ML_OK);
	CHECK(prep->n_out == k);
	for (int code = 0; code < 4; code++)
		for (int c = 0; c < k; c++)
			CHECK_NEAR(prep->ops[0].number[code * k + c], want[code * k + c], 1e-12);
	unit_env_free(env);
}

static void
test_target(void)
{
	double		two[REF_N];
	double		three[REF_N];

	for (int i = 0; i < REF_N; i++)
	{
		two[i] = ref_class[i] == 1;
		three[i] = ref_class[i];
	}
	check_target(ref_y, 0, -1, ref_target_auto, 1);
	check_target(ref_y, 0, 10, ref_target_10, 1);
	check_target(two, 2, -1, ref_target_binary, 1);
	check_target(three, 3, -1, ref_target_class, 3);
}

/* With as many categories as there may be, what missing values become is one of the others. */
static void
test_fill_of_many(void)
{
	MlEnv	   *env = unit_env(1);
	PrepData	d;
	PrepPlan	plan = {0};
	MlPrep	   *prep;
	MlPrep	   *loaded;
	MlSchema   *schema;
	MlDataColumn *columns;
	MlWriter	w;
	MlReader	r;

	prep_begin(&d, env, REF_N - 8, 8, ref_y, 0);
	prep_category(&d, "city", ref_city, ML_MAX_LEVELS);
	prep_step(&plan, "city", ML_STEP_IMPUTE_CONSTANT)->text = "new";
	CHECK_STATUS(env, ml_prep_fit(env, &plan.spec, &d.data, &prep, &columns), ML_OK);
	for (int i = 0; i < REF_N; i++)
		CHECK(columns[0].code[i] == (ref_city[i] < 0 ? ML_MAX_LEVELS : ref_city[i]));
	CHECK(env->n_warnings == 1);
	ml_writer_init(&w, env);
	ml_schema_save(&d.schema, &w);
	ml_prep_save(prep, &d.schema, &w);
	ml_reader_init(&r, env, w.bytes, w.length);
	CHECK_STATUS(env, ml_schema_load(&r, &schema), ML_OK);
	CHECK_STATUS(env, ml_prep_load(&r, schema, &loaded), ML_OK);
	unit_env_free(env);
}

/* Each training row has what the other folds say; written out row by row. */
static void
test_out_of_fold(void)
{
	MlEnv	   *env = unit_env(2);
	PrepData	d;
	PrepPlan	plan = {0};
	MlPrep	   *prep;
	MlDataColumn *columns;
	MlStep	   *step;
	int			differ = 0;

	prep_begin(&d, env, REF_N - 8, 8, ref_y, 0);
	prep_category(&d, "city", ref_city, 4);
	step = prep_step(&plan, "city", ML_STEP_TARGET_ENCODE);
	step->automatic = false;
	step->low = 3;
	step->n = 4;
	CHECK_STATUS(env, ml_prep_fit(env, &plan.spec, &d.data, &prep, &columns), ML_OK);
	for (int i = 0; i < REF_N; i++)
	{
		double		sum = 0,
					n = 0,
					all = 0,
					rows = 0,
					x = ref_city[i];
		uint64_t	fold = ml_rng_u64(env->seed, UINT64_C(0x7461726765740000), (uint64_t) i) % 4;

		for (int j = 0; j < REF_N - 8; j++)
		{
			if (i < REF_N - 8 && ml_rng_u64(env->seed, UINT64_C(0x7461726765740000), (uint64_t) j) % 4 == fold)
				continue;
			rows += 1;
			all += ref_y[j];
			n += ref_city[j] == ref_city[i];
			sum += ref_city[j] == ref_city[i] ? ref_y[j] : 0;
		}
		CHECK_NEAR(columns[0].number[i], (sum + 3 * all / rows) / (n + 3), 1e-12);
		ml_prep_op(&prep->ops[0], &x, &sum);
		differ += sum != columns[0].number[i];
		if (i >= REF_N - 8)
			CHECK(sum == columns[0].number[i]);
	}
	CHECK(differ >= REF_N - 10);	/* the encoding that serves knows the row's own target, this one does not */
	unit_env_free(env);
}

/* Dates against what is known about them. */
static void
test_dates(void)
{
	double		days;

	CHECK(ml_date_parse("2024-02-29", &days) && days == 8825);
	CHECK_NEAR(ml_date_part(ML_PART_OF_WEEKDAY, ML_UNIT_DAYS, 0, days), 4, 0);
	CHECK_NEAR(ml_date_part(ML_PART_OF_DAY_OF_YEAR, ML_UNIT_DAYS, 0, days), 60, 0);
	CHECK_NEAR(ml_date_part(ML_PART_OF_QUARTER, ML_UNIT_DAYS, 0, days), 1, 0);
	CHECK(ml_date_parse("1999-12-31 18:30:15", &days));
	CHECK_NEAR(ml_date_part(ML_PART_OF_YEAR, ML_UNIT_SECONDS, 0, days * 86400), 1999, 0);
	CHECK_NEAR(ml_date_part(ML_PART_OF_DAY, ML_UNIT_SECONDS, 0, days * 86400), 31, 0);
	CHECK_NEAR(ml_date_part(ML_PART_OF_HOUR, ML_UNIT_SECONDS, 0, -19785), 18, 0);
	CHECK_NEAR(ml_date_part(ML_PART_OF_MINUTE, ML_UNIT_SECONDS, 0, -19785), 30, 0);
	CHECK_NEAR(ml_date_part(ML_PART_OF_SECOND, ML_UNIT_SECONDS, 0, -19785), 15, 0);
	CHECK_NEAR(ml_date_part(ML_PART_OF_ELAPSED, ML_UNIT_SECONDS, -86400, 43200), 1.5, 0);
	CHECK_NEAR(ml_date_part(ML_PART_OF_HOUR, ML_UNIT_SECONDS_OF_DAY, 0, 86399.5), 23, 0);
	CHECK(ml_date_parse("0001-01-01", &days) && days == -730119);
	CHECK_NEAR(ml_date_part(ML_PART_OF_WEEKDAY, ML_UNIT_DAYS, 0, days), 1, 0);
	CHECK(isnan(ml_date_part(ML_PART_OF_YEAR, ML_UNIT_DAYS, 0, NAN)));
	CHECK(isnan(ml_date_part(ML_PART_OF_YEAR, ML_UNIT_DAYS, 0, 1e300)));
	CHECK(!ml_date_parse("2023-02-29", &days));
	CHECK(!ml_date_parse("yesterday", &days));
	CHECK(!ml_date_parse("2023-02-01x", &days));
	CHECK(!ml_date_parse("2023-02-01 25:00", &days));
}

/* Something of everything. */
static void
make_wide(PrepData *d, PrepPlan *plan, MlEnv *env, size_t n_train, size_t n_test)
{
	size_t		n = n_train + n_test;
	double	   *y = ml_alloc(env, n, sizeof(double));
	double	   *x = ml_alloc(env, n, sizeof(double));
	double	   *when = ml_alloc(env, n, sizeof(double));
	double	   *store = ml_alloc(env, n, sizeof(double));
	double	   *bucket = ml_alloc(env, n, sizeof(double));
	double	   *plain = ml_alloc(env, n, sizeof(double));
	int		   *city = ml_alloc(env, n, sizeof(int));
	int		   *kind = ml_alloc(env, n, sizeof(int));
	MlStep	   *step;

	for (size_t i = 0; i < n; i++)
	{
		double		u = ml_rng_uniform(5, 1, i);

		x[i] = i % 11 == 4 ? NAN : u * 100;
		when[i] = i % 13 == 5 ? NAN : ml_rng_uniform(5, 2, i) * 1e9;
		store[i] = i % 17 == 6 ? NAN : (double) (int) (ml_rng_uniform(5, 3, i) * 9);
		city[i] = (int) (ml_rng_uniform(5, 4, i) * 8) - 1;	/* -1 .. 6, of which 6 is "other" */
		kind[i] = (int) (ml_rng_uniform(5, 5, i) * 3);
		bucket[i] = i % 19 == 7 ? NAN : (double) (int) (ml_rng_uniform(5, 6, i) * 16);
		plain[i] = ml_rng_uniform(5, 7, i);
		y[i] = u > 0.5;
	}
	prep_begin(d, env, n_train, n_test, y, 2);
	prep_number(d, "x", x);
	prep_number(d, "when", when)->unit = ML_UNIT_SECONDS;
	prep_category(d, "city", city, 6);
	prep_number(d, "store", store);
	prep_category(d, "kind", kind, 3);
	prep_number(d, "text", bucket)->buckets = 16;
	prep_number(d, "plain", plain);
	prep_number(d, "y2", plain);
	memset(plan, 0, sizeof(*plan));
	prep_step(plan, "x", ML_STEP_MISSING_INDICATOR);
	prep_step(plan, "x", ML_STEP_IMPUTE_MEDIAN);
	prep_step(plan, "x", ML_STEP_LOG1P);
	prep_step(plan, "x", ML_STEP_STANDARD);
	prep_step(plan, "when", ML_STEP_DATE_PARTS);
	prep_step(plan, "when", ML_STEP_MIN_MAX);
	prep_step(plan, "city", ML_STEP_ONE_HOT)->n = 3;
	prep_step(plan, "store", ML_STEP_ORDINAL);
	prep_step(plan, "store", ML_STEP_ROBUST);
	step = prep_step(plan, "kind", ML_STEP_IMPUTE_CONSTANT);
	step->text = "none";
	prep_step(plan, "kind", ML_STEP_FREQUENCY);
	prep_step(plan, "text", ML_STEP_HASH)->n = 16;
	prep_step(plan, "y2", ML_STEP_QUANTILE_BUCKETS)->n = 4;
	prep_step(plan, "y2", ML_STEP_ONE_HOT);
}

/* What training saw of each row is what serving makes of it, to the bit, for any number of threads. */
static void
test_training_is_serving(void)
{
	for (int threads = 1; threads <= 4; threads *= 2)
	{
		MlEnv	   *env = unit_env(threads);
		PrepData	d;
		PrepPlan	plan;
		MlPrep	   *prep;
		MlDataColumn *columns;
		double		x[MAX_FEATURES];
		double	   *work;
		size_t		wrong = 0;

		make_wide(&d, &plan, env, 40000, 500);
		CHECK_STATUS(env, ml_prep_fit(env, &plan.spec, &d.data, &prep, &columns), ML_OK);
		work = ml_alloc(env, ml_prep_room(prep), sizeof(double));
		for (size_t i = 0; i < d.n; i++)
		{
			const double *row;

			ml_dataset_row(&d.data, i, x);
			row = ml_prep_row(prep, x, work);
			for (int f = 0; f < prep->n_out; f++)
				wrong += !same_bits(row[f], ml_column_value(&columns[f], i));
		}
		CHECK(wrong == 0);
		CHECK(prep_find(prep, "city (other)") >= 0 && prep_find(prep, "city (missing)") >= 0);
		CHECK(prep_find(prep, "x (missing)") >= 0 && prep_find(prep, "weekday(when)") >= 0 && prep_find(prep, "hash(text)=15") >= 0);
		CHECK(columns[prep_find(prep, "city (other)")].sparse != NULL);
		CHECK(columns[prep_find(prep, "plain")].number == d.columns[6].number);
		unit_env_free(env);
	}
}

static void
test_category_steps(void)
{
	static const int codes[] = {0, 1, 1, 2, -1, 3, 0, 0, 2, -1};
	static const char *order[] = {"l2", "l0"};
	MlEnv	   *env = unit_env(1);
	PrepData	d;
	PrepPlan	plan = {0};
	MlPrep	   *prep;
	MlDataColumn *columns;
	MlStep	   *step;
	const MlFeature *filled;

	prep_begin(&d, env, 10, 0, ref_y, 0);
	prep_category(&d, "a", codes, 3);
	prep_category(&d, "b", codes, 3);
	prep_category(&d, "c", codes, 3);
	prep_category(&d, "e", codes, 3);
	step = prep_step(&plan, "a", ML_STEP_ORDINAL);
	step->order = order;
	step->n_order = 2;
	prep_step(&plan, "b", ML_STEP_FREQUENCY);
	prep_step(&plan, "c", ML_STEP_IMPUTE_CONSTANT)->text = "unknown";
	prep_step(&plan, "e", ML_STEP_IMPUTE_MOST_FREQUENT);
	prep_step(&plan, "e", ML_STEP_ONE_HOT)->drop_first = true;
	CHECK_STATUS(env, ml_prep_fit(env, &plan.spec, &d.data, &prep, &columns), ML_OK);
	CHECK(columns[0].number[0] == 1 && isnan(columns[0].number[1]) && columns[0].number[3] == 0 && isnan(columns[0].number[4]));
	CHECK_NEAR(columns[1].number[0], 0.3, 0);
	CHECK_NEAR(columns[1].number[4], 0.2, 0);
	CHECK_NEAR(columns[1].number[5], 0.1, 0);
	filled = &prep->encoded->features[2];
	CHECK(filled->levels == 4 && columns[2].code[4] == 3 && columns[2].code[5] == 4 && columns[2].code[3] == 2);
	CHECK_TEXT(filled->level[3], "unknown");
	CHECK(prep->n_out == 6);
	CHECK_TEXT(prep->encoded->features[3].name, "e=l1");
	CHECK_TEXT(prep->encoded->features[5].name, "e (other)");
	unit_env_free(env);
}

/* One wrong step after another: each has its status and says what is wrong. */
static void
check_refused(MlEnv *env, MlColumnSpec column, const MlStepKind *kinds, int n, MlStatus status, const char *message)
{
	PrepPlan	plan = {0};

	for (int i = 0; i < n; i++)
		prep_step(&plan, "c", kinds[i]);
	CHECK_STATUS(env, ml_prep_check(env, &plan.spec, &column, 1, false), status);
	CHECK_MESSAGE(env, message);
	if (status != ML_OK)
		CHECK(env->error.hint[0] != '\0');
}

static void
test_errors(void)
{
	MlEnv	   *env = unit_env(1);
	MlColumnSpec number = {"c", "c", 0, 0, "double precision", ML_NUMBER, ML_LOGICAL_FLOAT, ML_ROLE_FEATURE, .unit = ML_UNIT_NONE};
	MlColumnSpec text = {"c", "c", 0, 0, "text", ML_CATEGORY, ML_LOGICAL_TEXT, ML_ROLE_FEATURE, .unit = ML_UNIT_NONE};
	MlColumnSpec date = {"c", "c", 0, 0, "date", ML_NUMBER, ML_LOGICAL_TIME, ML_ROLE_FEATURE, .unit = ML_UNIT_DAYS};
	MlColumnSpec target = {"c", "c", 0, 0, "text", ML_CATEGORY, ML_LOGICAL_TEXT, ML_ROLE_TARGET, .unit = ML_UNIT_NONE};
	PrepPlan	plan = {0};
	MlStepKind	kind;
	MlDatePart	part;

	check_refused(env, text, (MlStepKind[]) {ML_STEP_STANDARD}, 1, ML_BAD_TYPE, "standard needs a number");
	check_refused(env, number, (MlStepKind[]) {ML_STEP_DATE_PARTS}, 1, ML_BAD_TYPE, "date_parts needs a date");
	check_refused(env, number, (MlStepKind[]) {ML_STEP_HASH}, 1, ML_BAD_TYPE, "hash needs a text");
	check_refused(env, date, (MlStepKind[]) {ML_STEP_ONE_HOT}, 1, ML_BAD_TYPE, "one_hot needs a category");
	check_refused(env, text, (MlStepKind[]) {ML_STEP_ONE_HOT, ML_STEP_STANDARD}, 2, ML_BAD_PARAM, "standard cannot follow one_hot");
	check_refused(env, number, (MlStepKind[]) {ML_STEP_IMPUTE_MEAN, ML_STEP_MISSING_INDICATOR}, 2, ML_BAD_PARAM, "missing_indicator cannot follow impute_mean");
	check_refused(env, number, (MlStepKind[]) {ML_STEP_STANDARD, ML_STEP_ONE_HOT}, 2, ML_BAD_TYPE, "quantile_buckets makes a category");
	check_refused(env, number, (MlStepKind[]) {ML_STEP_NONE, ML_STEP_STANDARD}, 2, ML_BAD_PARAM, "none stands alone");
	check_refused(env, text, (MlStepKind[]) {ML_STEP_IMPUTE_CONSTANT}, 1, ML_BAD_PARAM, "must be a text");
	check_refused(env, text, (MlStepKind[]) {ML_STEP_TARGET_ENCODE}, 1, ML_BAD_PARAM, "target_encode needs a target");
	check_refused(env, text, (MlStepKind[]) {ML_STEP_ORDINAL, ML_STEP_HASH}, 2, ML_BAD_PARAM, "hash cannot follow ordinal");
	check_refused(env, target, (MlStepKind[]) {ML_STEP_ORDINAL}, 1, ML_BAD_PARAM, "is not a feature");
	check_refused(env, text, (MlStepKind[]) {ML_STEP_MISSING_INDICATOR, ML_STEP_IMPUTE_MOST_FREQUENT, ML_STEP_ONE_HOT}, 3, ML_OK, "");
	check_refused(env, number, (MlStepKind[]) {ML_STEP_STANDARD, ML_STEP_QUANTILE_BUCKETS, ML_STEP_ORDINAL}, 3, ML_OK, "");
	prep_step(&plan, "cc", ML_STEP_STANDARD);
	CHECK_STATUS(env, ml_prep_check(env, &plan.spec, &number, 1, true), ML_NO_COLUMN);
	CHECK_MESSAGE(env, "Perhaps you meant the column \"c\"");
	memset(&plan, 0, sizeof(plan));
	prep_step(&plan, "c", ML_STEP_DATE_PARTS)->parts = 1u << ML_PART_OF_HOUR;
	CHECK_STATUS(env, ml_prep_check(env, &plan.spec, &date, 1, true), ML_BAD_TYPE);
	CHECK_MESSAGE(env, "type date has no part \"hour\"");
	CHECK_STATUS(env, ml_step_find(env, "c", "standart", &kind), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "Perhaps you meant \"standard\"");
	CHECK_STATUS(env, ml_date_part_find(env, "c", "decade", &part), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "year, quarter");
	unit_env_free(env);
}

static MlStatus
fit_column(MlEnv *env, const double *x, size_t n, const MlStepKind *kinds, int n_kinds, MlPrep **prep, MlDataColumn **columns)
{
	PrepData   *d = ml_alloc(env, 1, sizeof(PrepData));
	PrepPlan	plan = {0};
	double	   *y = ml_alloc0(env, n, sizeof(double));

	for (size_t i = 0; i < n; i++)
		y[i] = (double) i;
	prep_begin(d, env, n, 0, y, 0);
	prep_number(d, "x", x);
	for (int i = 0; i < n_kinds; i++)
		prep_step(&plan, "x", kinds[i]);
	return ml_prep_fit(env, &plan.spec, &d->data, prep, columns);
}

static void
test_degenerate(void)
{
	static const double huge[] = {-1e308, 1e308, 1.7e308, -1.7e308, 5e-324, 0, NAN, 1};
	static const double tiny[] = {5e-324, 1e-323, 1.5e-323, 2e-323, 5e-324, 1e-323, 0, 0};
	static const double same[] = {3, 3, 3, 3};
	static const double none[] = {NAN, NAN, NAN};
	static const MlStepKind scalers[] = {ML_STEP_STANDARD, ML_STEP_MIN_MAX, ML_STEP_ROBUST, ML_STEP_QUANTILE_BUCKETS, ML_STEP_IMPUTE_MEAN,
	ML_STEP_ONE_HOT, ML_STEP_TARGET_ENCODE, ML_STEP_FREQUENCY};
	MlEnv	   *env = unit_env(1);
	MlPrep	   *prep;
	MlDataColumn *columns;
	double	   *many = ml_alloc(env, 70000, sizeof(double));

	for (size_t k = 0; k < sizeof(scalers) / sizeof(scalers[0]); k++)
	{
		const double *data[] = {huge, tiny, same};
		size_t		rows[] = {8, 8, 4};

		for (int t = 0; t < 3; t++)
		{
			bool		finite = true;

			CHECK_STATUS(env, fit_column(env, data[t], rows[t], &scalers[k], 1, &prep, &columns), ML_OK);
			for (int f = 0; f < prep->n_out; f++)
				for (size_t i = 0; i < rows[t]; i++)
					finite &= !isinf(ml_column_value(&columns[f], i)) && (isnan(data[t][i]) || !isnan(ml_column_value(&columns[f], i)));
			CHECK(finite);
		}
		CHECK_STATUS(env, fit_column(env, none, 3, &scalers[k], 1, &prep, &columns), ML_BAD_DATA);
		CHECK_MESSAGE(env, "no value in the training part");
		CHECK_STATUS(env, fit_column(env, same, 1, &scalers[k], 1, &prep, &columns), ML_OK);
	}
	CHECK_STATUS(env, fit_column(env, huge, 8, (MlStepKind[]) {ML_STEP_LOG1P}, 1, &prep, &columns), ML_BAD_DATA);
	CHECK_MESSAGE(env, "has no log1p");
	for (int i = 0; i < 70000; i++)
		many[i] = i;
	CHECK_STATUS(env, fit_column(env, many, 10000, (MlStepKind[]) {ML_STEP_ONE_HOT}, 1, &prep, &columns), ML_OK);
	CHECK(prep->n_out == 257);
	CHECK(columns[256].sparse->n == 10000 - 256);
	CHECK_STATUS(env, fit_column(env, many, 70000, (MlStepKind[]) {ML_STEP_ORDINAL}, 1, &prep, &columns), ML_BAD_DATA);
	CHECK_MESSAGE(env, "too many for categories");
	unit_env_free(env);
}

/* ------------------------------------------------------------------------
 * Through the pipeline
 * ------------------------------------------------------------------------
 */

static void
tiny_plan(PrepPlan *plan, bool supervised)
{
	memset(plan, 0, sizeof(*plan));
	prep_step(plan, "x", ML_STEP_MISSING_INDICATOR);
	prep_step(plan, "x", ML_STEP_IMPUTE_MEAN);
	prep_step(plan, "x", ML_STEP_STANDARD);
	prep_step(plan, "n", ML_STEP_QUANTILE_BUCKETS)->n = 4;
	prep_step(plan, "flag", ML_STEP_ONE_HOT)->drop_first = true;
	if (supervised)
		prep_step(plan, "city", ML_STEP_TARGET_ENCODE);
	else
		prep_step(plan, "city", ML_STEP_ONE_HOT);
	prep_step(plan, "a", ML_STEP_ROBUST);
}

static MlStatus
train_tiny(MlEnv *env, const MlMethod *method, TinyTarget target, const PrepPlan *plan, MlTrainResult **result)
{
	TinyTable	t = {.rows = 120, .target = target};
	MlParams   *params;
	MlFrame    *frame;
	MlTrainSpec spec;

	env->dense = ml_dense_table();
	ML_TRY(tiny_params(env, method, &params));
	ML_TRY(tiny_frame(env, &t, 42, &frame));
	spec = tiny_spec(method, params);
	spec.prep = &plan->spec;
	return ml_pipeline_run(env, &spec, frame, result);
}

/* Every method trains behind an encoding, with the same image for any number of threads, and serves it. */
static void
test_methods(void)
{
	PrepPlan	plan;

	for (const MlMethod *const *method = ml_methods; *method != NULL; method++)
	{
		for (int target = 0; target < TINY_TARGETS; target++)
		{
			MlEnv	   *one = unit_env(1);
			uint8_t    *bytes = NULL;
			MlTrainResult *first;
			MlModel    *model;

			if (!tiny_method_can(*method, (TinyTarget) target))
			{
				unit_env_free(one);
				continue;
			}
			tiny_plan(&plan, target != TINY_NONE);
			CHECK_STATUS(one, train_tiny(one, *method, (TinyTarget) target, &plan, &first), ML_OK);
			for (int threads = 2; threads <= 4; threads *= 2)
			{
				MlEnv	   *env = unit_env(threads);
				MlTrainResult *r;

				CHECK_STATUS(env, train_tiny(env, *method, (TinyTarget) target, &plan, &r), ML_OK);
				CHECK(r->image_length == first->image_length && memcmp(r->image, first->image, r->image_length) == 0);
				unit_env_free(env);
			}
			CHECK(first->model->prep != NULL && first->model->encoded->n_features > first->model->schema->n_features);
			CHECK(target == TINY_NONE || (first->part[ML_PART_TEST].rows > 0 && isfinite(first->score)));
			CHECK_STATUS(one, ml_model_load(one, first->image, first->image_length, &model), ML_OK);
			CHECK_STATUS(one, ml_model_save(one, model, &bytes, &first->image_length), ML_OK);
			CHECK(memcmp(bytes, first->image, first->image_length) == 0);
			image_predict(one, model);
			unit_env_free(one);
		}
	}
}

/* Sparse columns are a matter of memory: spread out they make the same trees to the bit, and the same equations up to rounding. */
static void
test_sparse(void)
{
	PrepPlan	plan;

	tiny_plan(&plan, false);
	prep_step(&plan, "n", ML_STEP_ONE_HOT);
	for (const MlMethod *const *method = ml_methods; *method != NULL; method++)
	{
		MlMethod	spread = **method;
		TinyTarget	target = tiny_method_can(*method, TINY_NUMBER) ? TINY_NUMBER : tiny_method_can(*method, TINY_TWO) ? TINY_TWO : TINY_NONE;
		MlEnv	   *env = unit_env(2);
		MlTrainResult *r[2];
		double		x[6] = {0.3, 4, 1, 0, 0.5, -0.2};
		double		a[64];
		double		b[64];

		spread.reads_sparse = false;
		if (!(*method)->reads_sparse)
		{
			unit_env_free(env);
			continue;
		}
		CHECK_STATUS(env, train_tiny(env, *method, target, &plan, &r[0]), ML_OK);
		CHECK_STATUS(env, train_tiny(env, &spread, target, &plan, &r[1]), ML_OK);
		CHECK(r[0]->model->schema->n_features == 6 && r[0]->model->n_out <= 64);
		for (int code = 0; code < 4; code++)
		{
			x[3] = code;
			ml_model_predict(r[0]->model, x, a);
			ml_model_predict(r[1]->model, x, b);
			for (int k = 0; k < r[0]->model->n_out; k++)
				CHECK_NEAR(a[k], b[k], (*method)->bin_rules != NULL ? 0 : 1e-7 * fmax(1, fabs(b[k])));
		}
		if ((*method)->bin_rules != NULL)
			CHECK(r[0]->image_length == r[1]->image_length && memcmp(r[0]->image, r[1]->image, r[0]->image_length) == 0);
		unit_env_free(env);
	}
}

/* Bytes changed, cut and swapped: an error or a model that can be used. */
static void
test_damaged_images(void)
{
	MlEnv	   *env = unit_env(1);
	PrepPlan	plan;
	MlTrainResult *r;
	uint8_t    *copy;
	int			loaded = 0;
	int			refused = 0;
	int			other = 0;

	tiny_plan(&plan, true);
	CHECK_STATUS(env, train_tiny(env, ml_method_find("gbdt"), TINY_TWO, &plan, &r), ML_OK);
	copy = malloc(r->image_length);
	for (size_t i = ML_IMAGE_HEADER; i < r->image_length; i++)
	{
		for (int k = i % 2; k < 4; k += 2)
		{
			MlStatus	status;

			memcpy(copy, r->image, r->image_length);
			copy[i] = (uint8_t) (k == 0 ? copy[i] + 1 : k == 1 ? 0xFF : k == 2 ? 0 : copy[i] ^ 0x80);
			image_patch(copy, r->image_length);
			status = image_try(copy, r->image_length, NULL);
			loaded += status == ML_OK;
			refused += status != ML_OK;
			other += status != ML_OK && status != ML_CORRUPT && status != ML_NEWER_FORMAT;
		}
	}
	CHECK(other == 0);
	for (size_t length = ML_IMAGE_HEADER; length < r->image_length; length += 3)
	{
		memcpy(copy, r->image, length);
		image_patch(copy, length);
		refused += image_try(copy, length, NULL) != ML_OK;
	}
	CHECK(loaded > 0);
	CHECK(refused > (int) r->image_length);
	free(copy);
	unit_env_free(env);
}

/* ------------------------------------------------------------------------
 * Texts
 * ------------------------------------------------------------------------
 */

#define N_DOCS ((int) (sizeof(ref_docs) / sizeof(ref_docs[0])))

/* The texts as a column of a frame, cut at blanks; an empty one is missing. */
static MlFrame *
docs_frame(MlEnv *env)
{
	static const MlTokenSpec by_blanks = {"test.blanks", 1, 1};
	MlFrame    *frame = ml_alloc0(env, 1, sizeof(MlFrame));
	MlColumn   *column = ml_alloc0(env, 1, sizeof(MlColumn));
	MlTokens   *tokens = ml_alloc0(env, 1, sizeof(MlTokens));
	size_t	   *start = ml_alloc0(env, (size_t) N_DOCS + 1, sizeof(size_t));
	int32_t    *code = ml_alloc0(env, 1000, sizeof(int32_t));
	int32_t    *count = ml_alloc0(env, 1000, sizeof(int32_t));
	MlDictionaryBuilder terms = {0};
	MlDictionaryBuilder texts = {0};
	size_t		n = 0;

	column->code = ml_alloc(env, (size_t) N_DOCS, sizeof(int32_t));
	for (int d = 0; d < N_DOCS; d++)
	{
		char	   *text = ml_strdup(env, ref_docs[d]);

		CHECK(ml_dictionary_code(env, &texts, ml_hash_bytes(0, text, strlen(text)), text, strlen(text), &column->code[d]) == ML_OK);
		start[d] = n;
		for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
		{
			int32_t		term;
			size_t		at;

			CHECK(ml_dictionary_code(env, &terms, ml_hash_bytes(0, word, strlen(word)), word, strlen(word), &term) == ML_OK);
			for (at = start[d]; at < n && code[at] != term; at++)
				;
			code[at] = term;
			count[at]++;
			n += at == n;
		}
		start[d + 1] = n;
		if (ref_docs[d][0] == '\0')
			column->code[d] = -1;
	}
	ml_dictionary_finish(env, &terms, &tokens->term);
	ml_dictionary_finish(env, &texts, &column->dictionary);
	tokens->start = start;
	tokens->code = code;
	tokens->count = count;
	column->tokens = tokens;
	column->spec = (MlColumnSpec) {.name = "t", .source_column = "t", .type_name = "text", .kind = ML_CATEGORY, .logical = ML_LOGICAL_TEXT,
	.roles = ML_ROLE_FEATURE, .tokens = &by_blanks};
	frame->columns = column;
	frame->n_columns = 1;
	frame->rows = (size_t) N_DOCS;
	return frame;
}

static void
fit_docs(MlEnv *env, const PrepPlan *plan, PrepData *d, MlPrep **prep, MlDataColumn **columns)
{
	size_t		order[] = {0, 1, 2, 3, 4, 5, 6, 7};
	MlDataColumn *raw = NULL;
	MlFrame    *frame = docs_frame(env);

	prep_begin(d, env, 6, 2, ref_y, 0);
	CHECK_STATUS(env, ml_prep_choose_terms(env, &plan->spec, frame, order, 6), ML_OK);
	raw = d->columns;
	CHECK_STATUS(env, ml_prep_add_terms(env, frame, order, 8, &d->schema, &raw), ML_OK);
	d->data.columns = raw;
	CHECK_STATUS(env, ml_prep_fit(env, &plan->spec, &d->data, prep, columns), ML_OK);
}

static void
check_terms(const MlStep *step, const char *const *terms, const double *want)
{
	MlEnv	   *env = unit_env(1);
	PrepPlan	plan = {0};
	PrepData	d;
	MlPrep	   *prep;
	MlDataColumn *columns;
	int			n = 0;

	*prep_step(&plan, "t", step->kind) = *step;
	fit_docs(env, &plan, &d, &prep, &columns);
	for (; terms[n] != NULL && n < prep->n_out; n++)
		CHECK(strcmp(prep->encoded->features[n].name + 3, terms[n]) == 0);
	CHECK(terms[n] == NULL && n == prep->n_out);
	for (int row = 0; row < N_DOCS; row++)
		for (int t = 0; t < n; t++)
			CHECK_NEAR(ml_column_value(&columns[t], (size_t) row), want[row * n + t], 1e-12);
	unit_env_free(env);
}

static void
test_tfidf(void)
{
	MlStep		step;

	ml_step_init(&step, ML_STEP_TFIDF);
	check_terms(&step, ref_tfidf_terms, ref_tfidf);
	step.sublinear = step.unscaled = true;
	step.low = 2;
	check_terms(&step, ref_tfidf_sublinear_terms, ref_tfidf_sublinear);
	ml_step_init(&step, ML_STEP_TFIDF);
	step.n = 2;
	check_terms(&step, ref_tfidf_few_terms, ref_tfidf_few);
	ml_step_init(&step, ML_STEP_TFIDF);
	step.low = 0.2;
	step.high = 0.4;
	check_terms(&step, ref_tfidf_max_df_terms, ref_tfidf_max_df);
}

/* Of texts too, training is serving; and the image keeps what is needed for it. */
static void
test_texts_are_served(void)
{
	for (int hashed = 0; hashed < 2; hashed++)
	{
		MlEnv	   *env = unit_env(1);
		PrepPlan	plan = {0};
		PrepData	d;
		MlPrep	   *prep;
		MlPrep	   *loaded;
		MlSchema   *schema;
		MlDataColumn *columns;
		MlWriter	w;
		MlReader	r;
		double	   *x;
		double	   *work;
		size_t		wrong = 0;

		prep_step(&plan, "t", hashed ? ML_STEP_HASHED_TFIDF : ML_STEP_TFIDF)->n = hashed ? 5 : 1000;
		fit_docs(env, &plan, &d, &prep, &columns);
		d.schema.task = ML_TASK_REGRESSION;
		ml_writer_init(&w, env);
		ml_schema_save(&d.schema, &w);
		ml_prep_save(prep, &d.schema, &w);
		CHECK(w.status == ML_OK);
		ml_reader_init(&r, env, w.bytes, w.length);
		CHECK_STATUS(env, ml_schema_load(&r, &schema), ML_OK);
		CHECK_STATUS(env, ml_prep_load(&r, schema, &loaded), ML_OK);
		CHECK(schema->features[0].text != NULL && schema->features[0].text->hashed == (hashed == 1));
		CHECK_TEXT(schema->features[0].text->tokens.config, "test.blanks");
		x = ml_alloc(env, (size_t) schema->n_features, sizeof(double));
		work = ml_alloc(env, ml_prep_room(loaded), sizeof(double));
		for (int row = 0; row < N_DOCS; row++)
		{
			char	   *text = ml_strdup(env, ref_docs[row]);
			const double *encoded;

			memset(x, 0, (size_t) schema->n_features * sizeof(double));
			for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
			{
				int32_t		slot = ml_text_slot(schema->features[0].text, word, strlen(word));

				if (slot >= 0)
					x[slot] += 1;
			}
			encoded = ml_prep_row(loaded, x, work);
			for (int f = 0; f < loaded->n_out; f++)
				wrong += !same_bits(encoded[f], ml_column_value(&columns[f], (size_t) row));
		}
		CHECK(wrong == 0);
		for (size_t at = 0; at < w.length; at++)
		{
			uint8_t		was = w.bytes[at];

			w.bytes[at] = (uint8_t) (at % 3 == 0 ? was + 1 : at % 3 == 1 ? 0xFF : was ^ 0x80);
			ml_reader_init(&r, env, w.bytes, w.length);
			if (ml_schema_load(&r, &schema) == ML_OK && ml_prep_load(&r, schema, &loaded) == ML_OK)
			{
				x = ml_alloc0(env, (size_t) schema->n_features, sizeof(double));
				work = ml_alloc(env, ml_prep_room(loaded), sizeof(double));
				(void) ml_prep_row(loaded, x, work);
				if (schema->features[0].text != NULL)
					CHECK(ml_text_slot(schema->features[0].text, "the", 3) < schema->n_features);
			}
			env->error.status = ML_OK;
			w.bytes[at] = was;
		}
		for (size_t cut = 0; cut < w.length; cut++)
		{
			ml_reader_init(&r, env, w.bytes, cut);
			CHECK(ml_schema_load(&r, &schema) != ML_OK || ml_prep_load(&r, schema, &loaded) != ML_OK);
			env->error.status = ML_OK;
		}
		unit_env_free(env);
	}
}

int
main(void)
{
	test_numbers();
	test_buckets();
	test_target();
	test_out_of_fold();
	test_fill_of_many();
	test_dates();
	test_training_is_serving();
	test_category_steps();
	test_errors();
	test_degenerate();
	test_tfidf();
	test_texts_are_served();
	test_methods();
	test_sparse();
	test_damaged_images();
	return unit_done();
}
