/*-------------------------------------------------------------------------
 * test_pipeline.c
 *	  From rows to a judged model, with every algorithm there is.
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "tiny_memory.h"
#include "ml/model/judge.h"

static const TinyTable plain = {.rows = 400, .target = TINY_TWO};

typedef struct Image
{
	uint8_t    *bytes;
	size_t		length;
	double		score;
} Image;

static Image
image_of(const MlMethod *method, const TinyTable *t, int threads)
{
	MlEnv	   *env = unit_env(threads);
	MlTrainResult *result;
	Image		image = {0};

	CHECK_STATUS(env, tiny_train(env, method, t, &result), ML_OK);
	if (env->error.message[0] == '\0')
	{
		image.length = result->image_length;
		image.score = result->score;
		image.bytes = malloc(image.length);
		memcpy(image.bytes, result->image, image.length);
	}
	unit_env_free(env);
	return image;
}

static bool
same_image(Image a, Image b)
{
	bool		same = a.length > 0 && a.length == b.length && memcmp(a.bytes, b.bytes, a.length) == 0 && a.score == b.score;

	free(b.bytes);
	return same;
}

/* The same bits for any number of threads and, with an id, any order of rows. */
static void
test_repeatable(const MlMethod *method, TinyTarget target)
{
	TinyTable	t = {.rows = 1500, .target = target, .with_id = true, .with_weight = true, .null_targets = true};
	TinyTable	reversed = t;
	Image		first = image_of(method, &t, 1);

	reversed.reversed = true;
	CHECK(same_image(first, image_of(method, &t, 1)));
	CHECK(same_image(first, image_of(method, &t, 2)));
	CHECK(same_image(first, image_of(method, &t, 4)));
	CHECK(same_image(first, image_of(method, &reversed, 1)));
	free(first.bytes);
}

static void
test_parts(const MlMethod *method)
{
	MlEnv	   *env = unit_env(1);
	TinyTable	t = {.rows = 1000, .target = TINY_NUMBER, .null_targets = true};
	MlTrainResult *r;

	if (!tiny_method_can(method, TINY_NUMBER))
		t.target = TINY_THREE;
	if (!ml_task_has_target(method->tasks))
	{
		unit_env_free(env);
		return;
	}
	CHECK_STATUS(env, tiny_train(env, method, &t, &r), ML_OK);
	CHECK(r->rows == 900 && r->rows_without_target == 100);
	CHECK(r->part[ML_PART_TRAIN].rows + r->part[ML_PART_VALIDATION].rows + r->part[ML_PART_TEST].rows == 900);
	if (t.target == TINY_NUMBER)
		CHECK(r->part[ML_PART_TEST].rows == 180 && r->part[ML_PART_VALIDATION].rows == 90);
	CHECK(r->excluded[0] == NULL);
	CHECK(r->score > 0.3);
	if (t.target == TINY_THREE)
	{
		int64_t		sum = 0;

		CHECK(r->model->schema->n_classes == 3);
		CHECK_TEXT(r->model->schema->classes[0], "10");
		CHECK_TEXT(r->model->schema->classes[2], "30");
		for (int i = 0; i < 9; i++)
			sum += r->part[ML_PART_TEST].confusion[i];
		CHECK(sum == (int64_t) r->part[ML_PART_TEST].rows);
	}
	unit_env_free(env);
}

/* Without a target every row counts and trains, unless a split is asked for. */
static void
test_without_target(const MlMethod *method)
{
	MlEnv	   *env = unit_env(1);
	TinyTable	t = {.rows = 1000, .target = TINY_NONE, .with_id = true, .with_weight = true};
	MlTrainResult *r;
	MlParams   *params;
	MlFrame    *frame;
	MlTrainSpec spec;

	if (ml_task_has_target(method->tasks))
	{
		CHECK_STATUS(env, tiny_train(env, method, &t, &r), ML_BAD_PARAM);
		CHECK_MESSAGE(env, "needs a target");
		unit_env_free(env);
		return;
	}
	CHECK_STATUS(env, tiny_train(env, method, &t, &r), ML_OK);
	CHECK(r->rows == 1000 && r->rows_without_target == 0 && r->part[ML_PART_TRAIN].rows == 1000);
	CHECK(r->part[ML_PART_TEST].rows == 0 && r->part[ML_PART_VALIDATION].rows == 0 && env->n_warnings == 0);
	CHECK(r->model->schema->target == NULL && r->model->schema->n_classes == 0 && r->part[ML_PART_TRAIN].confusion == NULL);
	CHECK_TEXT(r->metric, ml_primary_metric(r->model->schema->task, 0));
	CHECK(r->part[ML_PART_TRAIN].count > 1 && isfinite(r->score));

	CHECK_STATUS(env, tiny_params(env, method, &params), ML_OK);
	CHECK_STATUS(env, tiny_frame(env, &t, 42, &frame), ML_OK);
	spec = tiny_spec(method, params);
	spec.split.kind = ML_SPLIT_RANDOM;
	CHECK_STATUS(env, ml_pipeline_run(env, &spec, frame, &r), ML_OK);
	CHECK(r->part[ML_PART_TEST].rows == 200 && r->part[ML_PART_VALIDATION].rows == 100);
	CHECK(r->part[ML_PART_TEST].count == r->part[ML_PART_TRAIN].count);

	CHECK_STATUS(env, tiny_frame(env, &t, 42, &frame), ML_OK);
	spec.split.kind = ML_SPLIT_STRATIFIED;
	CHECK_STATUS(env, ml_pipeline_run(env, &spec, frame, &r), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "needs classes");
	CHECK_STATUS(env, tiny_frame(env, &t, 42, &frame), ML_OK);
	spec.split.kind = ML_SPLIT_NONE;
	spec.balanced = true;
	CHECK_STATUS(env, ml_pipeline_run(env, &spec, frame, &r), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "class weights need classes");
	t.target = TINY_NUMBER;
	CHECK_STATUS(env, tiny_train(env, method, &t, &r), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "has no target");
	CHECK(strstr(env->error.hint, "exclude") != NULL);
	unit_env_free(env);
}

/* Evaluating the same rows again gives the same figures: one code serves both. */
static void
test_evaluate(const MlMethod *method, TinyTarget target)
{
	MlEnv	   *env = unit_env(2);
	TinyTable	t = {.rows = 700, .target = target};
	MlParams   *params;
	MlFrame    *frame;
	MlTrainResult *r;
	MlTrainSpec spec;
	MlPartMetrics again;
	MlRocPoint *roc;
	size_t		n_roc;

	env->dense = ml_dense_table();
	CHECK_STATUS(env, tiny_params(env, method, &params), ML_OK);
	spec = tiny_spec(method, params);
	spec.split.kind = ML_SPLIT_NONE;
	CHECK_STATUS(env, tiny_frame(env, &t, 42, &frame), ML_OK);
	CHECK_STATUS(env, ml_pipeline_run(env, &spec, frame, &r), ML_OK);
	if (target == TINY_NONE)
		CHECK(env->n_warnings == 0);
	else
		CHECK(env->n_warnings == 1 && strstr(env->warnings->text, "no test part") != NULL);
	CHECK(r->part[ML_PART_TEST].rows == 0 && r->part[ML_PART_TRAIN].rows == 700);

	t.shuffled = t.reversed = true;
	CHECK_STATUS(env, tiny_frame(env, &t, 7, &frame), ML_OK);
	CHECK_STATUS(env, ml_pipeline_evaluate(env, r->model, frame, &again, &roc, &n_roc), ML_OK);
	CHECK(again.rows == 700 && again.count == r->part[ML_PART_TRAIN].count);
	for (int i = 0; i < again.count; i++)
		CHECK_NEAR(again.metrics[i].value, r->part[ML_PART_TRAIN].metrics[i].value, 1e-12 * fmax(1, fabs(again.metrics[i].value)));
	CHECK((roc != NULL) == (target == TINY_TWO) && n_roc == r->n_roc && n_roc <= 1000);

	/* A rival has the score of its own on these rows, whatever the new model has. */
	spec.rival = r->model;
	CHECK_STATUS(env, tiny_frame(env, &t, 7, &frame), ML_OK);
	CHECK_STATUS(env, ml_pipeline_run(env, &spec, frame, &r), ML_OK);
	CHECK(r->rival_judged);
	CHECK_NEAR(r->rival_score, ml_judge_score(spec.rival, &again), 1e-9);
	unit_env_free(env);
}

static void
test_rival_of_another_kind(const MlMethod *method)
{
	MlEnv	   *env = unit_env(1);
	MlTrainResult *r;
	MlParams   *params;
	MlFrame    *frame;
	MlTrainSpec spec;
	TinyTable	three = {.rows = 400, .target = TINY_THREE};

	if (!tiny_method_can(method, TINY_TWO))
	{
		unit_env_free(env);
		return;
	}
	CHECK_STATUS(env, tiny_train(env, method, &plain, &r), ML_OK);
	CHECK_STATUS(env, tiny_params(env, method, &params), ML_OK);
	CHECK_STATUS(env, tiny_frame(env, &three, 42, &frame), ML_OK);
	spec = tiny_spec(method, params);
	spec.rival = r->model;
	CHECK_STATUS(env, ml_pipeline_run(env, &spec, frame, &r), ML_OK);
	CHECK(!r->rival_judged && isnan(r->rival_score));
	unit_env_free(env);
}

/* ------------------------------------------------------------------------
 * Odd data, in a table made cell by cell
 * ------------------------------------------------------------------------
 */


typedef double (*Number_fn) (size_t row);
typedef const char *(*Text_fn) (size_t row);

typedef struct OddColumn
{
	const char *name;
	MlLogicalType logical;
	int			roles;
	bool		named;
	Number_fn	number;			/* one of both */
	Text_fn		text;
} OddColumn;

static MlStatus
odd_train(MlEnv *env, const MlMethod *method, const OddColumn *columns, int n, size_t rows, MlTrainSpec *spec, MlTrainResult **result)
{
	MlColumnSpec specs[16];
	const OddColumn *used[16];
	MlFrameBuilder *b;
	MlFrame    *frame;
	MlParams   *params;
	int			kept = 0;

	env->dense = ml_dense_table();
	/* A method without target gets the other columns. */
	for (int c = 0; c < n; c++)
	{
		if (columns[c].roles == ML_ROLE_TARGET && !ml_task_has_target(method->tasks))
			continue;
		used[kept] = &columns[c];
		specs[kept++] = (MlColumnSpec)
		{
			.name = columns[c].name, .source_column = columns[c].name, .type_name = "sometype", .logical = columns[c].logical,
				.roles = columns[c].roles, .named = columns[c].named, .kind = columns[c].text != NULL ? ML_CATEGORY : ML_NUMBER
		};
	}
	n = kept;
	ML_TRY(ml_frame_begin(env, specs, n, 42, &b));
	for (size_t i = 0; i < rows; i++)
	{
		for (int c = 0; c < n; c++)
		{
			const char *text = used[c]->text != NULL ? used[c]->text(i) : NULL;

			if (text != NULL)
				ML_TRY(ml_frame_text(b, c, text, strlen(text)));
			else if (used[c]->number != NULL && !isnan(used[c]->number(i)))
				ml_frame_number(b, c, used[c]->number(i));
		}
		ML_TRY(ml_frame_end_row(b));
	}
	ML_TRY(ml_frame_finish(b, &frame));
	ML_TRY(tiny_params(env, method, &params));
	if (spec->method == NULL)
	{
		MlTask		task = spec->task;
		bool		balanced = spec->balanced;

		*spec = tiny_spec(method, params);
		spec->task = task;
		spec->balanced = balanced;
	}
	spec->params = params;
	return ml_pipeline_run(env, spec, frame, result);
}

static double
row_number(size_t row)
{
	return (double) row;
}

static double
small_integer(size_t row)
{
	return (double) (ml_rng_u64(1, 2, row) % 7);
}

static double
random_number(size_t row)
{
	return ml_rng_uniform(1, 3, row);
}

static double
bit(size_t row)
{
	return random_number(row) > 0.5;
}

static double
five(size_t row)
{
	return 5;
}

static double
missing(size_t row)
{
	return NAN;
}

static double
five_or_missing(size_t row)
{
	return row % 3 == 0 ? 5 : NAN;
}

static double
minus_or_one(size_t row)
{
	return row == 77 ? -1 : 1;
}

static double
one_missing(size_t row)
{
	return row == 77 ? NAN : 1;
}

/* Their sum is a number, until the few rows of a class count as much as the many of the other. */
static double
heavy_few(size_t row)
{
	return row % 10 == 0 ? 5e306 : 0;
}

static double
one_in_ten(size_t row)
{
	return row % 10 == 0;
}

static double
zero(size_t row)
{
	return 0;
}

static double
huge(size_t row)
{
	return (random_number(row) - 0.5) * 1.7e308;
}

static const char *
row_text(size_t row)
{
	static char text[30];

	snprintf(text, sizeof(text), "row %zu", row);
	return text;
}

static const char *
odd_labels(size_t row)
{
	static const char *const labels[] = {"", "a", "A", "a ", "\xC3\xA9", "e\xCC\x81"};

	return labels[ml_rng_u64(5, 6, row) % 6];
}

static const char *
no_text(size_t row)
{
	return NULL;
}

#define TARGET(function) {"y", ML_LOGICAL_INTEGER, ML_ROLE_TARGET, false, function, NULL}
#define FEATURE(name, logical, function) {name, logical, ML_ROLE_FEATURE, false, function, NULL}
#define FLOAT_FEATURE {"f", ML_LOGICAL_FLOAT, ML_ROLE_FEATURE, false, random_number, NULL}

static bool
excluded_has(const MlTrainResult *r, const char *part)
{
	for (int i = 0; r->excluded[i] != NULL; i++)
	{
		if (strstr(r->excluded[i], part) != NULL)
			return true;
	}
	return false;
}

static void
test_left_out(const MlMethod *method)
{
	MlEnv	   *env = unit_env(1);
	OddColumn	columns[] = {
		TARGET(bit), FLOAT_FEATURE,
		FEATURE("constant", ML_LOGICAL_FLOAT, five), FEATURE("empty", ML_LOGICAL_FLOAT, missing),
		FEATURE("key", ML_LOGICAL_INTEGER, row_number), FEATURE("half", ML_LOGICAL_FLOAT, five_or_missing),
		FEATURE("few", ML_LOGICAL_INTEGER, small_integer),
		{"textkey", ML_LOGICAL_TEXT, ML_ROLE_FEATURE, false, NULL, row_text},
		{"nulltext", ML_LOGICAL_TEXT, ML_ROLE_FEATURE, false, NULL, no_text}
	};
	MlTrainSpec spec = {0};
	MlTrainResult *r;

	CHECK_STATUS(env, odd_train(env, method, columns, 9, 1200, &spec, &r), ML_OK);
	CHECK(r->model->schema->n_features == 3);
	CHECK(excluded_has(r, "constant: ") && excluded_has(r, "empty: ") && excluded_has(r, "textkey: ") && excluded_has(r, "nulltext: "));
	CHECK(excluded_has(r, "key: a different value"));

	/* Fewer rows than make a key. */
	spec.method = NULL;
	CHECK_STATUS(env, odd_train(env, method, columns, 7, 90, &spec, &r), ML_OK);
	CHECK(!excluded_has(r, "key: a different value"));

	/* Named, a key is used and a constant is an error. */
	columns[4].named = true;
	spec.method = NULL;
	CHECK_STATUS(env, odd_train(env, method, columns, 7, 1200, &spec, &r), ML_OK);
	CHECK(r->model->schema->n_features == 4);
	columns[2].named = true;
	spec.method = NULL;
	CHECK_STATUS(env, odd_train(env, method, columns, 7, 1200, &spec, &r), ML_BAD_TYPE);
	CHECK_MESSAGE(env, "\"constant\"");

	columns[2].named = columns[4].named = false;
	columns[1] = columns[2];
	spec.method = NULL;
	CHECK_STATUS(env, odd_train(env, method, columns, 5, 1200, &spec, &r), ML_BAD_DATA);
	CHECK_MESSAGE(env, "no usable feature");
	CHECK_MESSAGE(env, "empty: ");
	unit_env_free(env);
}

static void
test_bad_rows(const MlMethod *method)
{
	MlEnv	   *env = unit_env(1);
	OddColumn	columns[] = {TARGET(bit), FLOAT_FEATURE, FEATURE("few", ML_LOGICAL_INTEGER, small_integer),
	{"w", ML_LOGICAL_FLOAT, ML_ROLE_WEIGHT, false, five, NULL}};
	MlTrainSpec spec = {0};
	MlTrainResult *r;

	CHECK_STATUS(env, odd_train(env, method, columns, 3, 0, &spec, &r), ML_BAD_DATA);
	CHECK_MESSAGE(env, "no usable rows");
	CHECK_STATUS(env, odd_train(env, method, columns, 3, 1, &spec, &r), ML_BAD_DATA);
	CHECK_MESSAGE(env, ml_task_has_target(method->tasks) ? "At least 10" : "At least 2");
	if (ml_task_has_target(method->tasks))
	{
		columns[0].number = missing;
		CHECK_STATUS(env, odd_train(env, method, columns, 3, 50, &spec, &r), ML_BAD_DATA);
		CHECK_MESSAGE(env, "NULL in all 50 rows");
		columns[0].number = bit;
	}

	columns[3].number = minus_or_one;
	CHECK_STATUS(env, odd_train(env, method, columns, 4, 100, &spec, &r), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "\"w\" contains -1");
	columns[3].number = one_missing;
	CHECK_STATUS(env, odd_train(env, method, columns, 4, 100, &spec, &r), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "NULL or NaN");
	columns[3].number = zero;
	CHECK_STATUS(env, odd_train(env, method, columns, 4, 100, &spec, &r), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "zero in all rows");
	if ((method->tasks & ML_TASK_CLASSIFICATION) != 0)
	{
		columns[0].number = one_in_ten;
		columns[3].number = heavy_few;
		spec.method = NULL;
		spec.task = ML_TASK_CLASSIFICATION;
		spec.balanced = true;
		CHECK_STATUS(env, odd_train(env, method, columns, 4, 300, &spec, &r), ML_BAD_PARAM);
		CHECK_MESSAGE(env, "too large");
		spec.balanced = false;
		columns[0].number = five;
		spec.method = NULL;
		spec.task = ML_TASK_CLASSIFICATION;
		CHECK_STATUS(env, odd_train(env, method, columns, 3, 100, &spec, &r), ML_BAD_DATA);
		CHECK_MESSAGE(env, "single value \"5\"");
	}
	unit_env_free(env);
}

/* Sums of such numbers overflow: an answer in numbers, or an error; never a model with infinities. */
static void
test_huge(const MlMethod *method)
{
	MlEnv	   *env = unit_env(1);
	OddColumn	columns[] = {TARGET(bit), FLOAT_FEATURE, FEATURE("huge", ML_LOGICAL_FLOAT, huge)};
	MlTrainSpec spec = {0};
	MlTrainResult *r;
	MlStatus	status = odd_train(env, method, columns, 3, 300, &spec, &r);

	unit_check(status == ML_OK || status == ML_OUT_OF_RANGE || status == ML_BAD_DATA, __FILE__, __LINE__, "%s on numbers up to 1e308: %d %s",
			   method->name, status, env->error.message);
	unit_env_free(env);
}

static void
test_labels(const MlMethod *method)
{
	MlEnv	   *env = unit_env(1);
	OddColumn	columns[] = {{"y", ML_LOGICAL_TEXT, ML_ROLE_TARGET, false, NULL, odd_labels}, FLOAT_FEATURE};
	static const char *const want[] = {"", "A", "a", "a ", "e\xCC\x81", "\xC3\xA9"};
	MlTrainSpec spec = {0};
	MlTrainResult *r;

	if ((method->tasks & ML_TASK_CLASSIFICATION) == 0)
	{
		CHECK_STATUS(env, odd_train(env, method, columns, 2, 300, &spec, &r), ML_BAD_TYPE);
		CHECK_MESSAGE(env, "\"y\"");
		unit_env_free(env);
		return;
	}
	CHECK_STATUS(env, odd_train(env, method, columns, 2, 300, &spec, &r), ML_OK);
	CHECK(r->model->schema->n_classes == 6 && r->model->schema->class_value == NULL);
	for (int k = 0; k < 6; k++)
		CHECK_TEXT(r->model->schema->classes[k], want[k]);

	columns[0] = (OddColumn)
	{
		"y", ML_LOGICAL_BOOLEAN, ML_ROLE_TARGET, false, bit, NULL
	};
	spec.method = NULL;
	spec.balanced = true;
	CHECK_STATUS(env, odd_train(env, method, columns, 2, 300, &spec, &r), ML_OK);
	CHECK_TEXT(r->model->schema->classes[0], "false");
	CHECK_TEXT(r->model->schema->classes[1], "true");
	CHECK(r->model->schema->class_value[1] == 1);
	columns[0].text = row_text;
	spec.method = NULL;
	CHECK_STATUS(env, odd_train(env, method, columns, 2, 3000, &spec, &r), ML_BAD_DATA);
	CHECK_MESSAGE(env, "more than 1000");
	unit_env_free(env);
}

static void
test_task_rule(const MlMethod *method)
{
	MlEnv	   *env = unit_env(1);
	OddColumn	columns[] = {TARGET(row_number), FLOAT_FEATURE};
	bool		both = method->tasks == (ML_TASK_REGRESSION | ML_TASK_CLASSIFICATION);
	MlTrainSpec spec = {0};
	MlTrainResult *r;

	if ((method->tasks & ML_TASK_REGRESSION) != 0)
	{
		CHECK_STATUS(env, odd_train(env, method, columns, 2, 400, &spec, &r), ML_OK);
		CHECK(r->model->schema->task == ML_TASK_REGRESSION);
	}
	columns[0].number = small_integer;
	spec.method = NULL;
	CHECK_STATUS(env, odd_train(env, method, columns, 2, 400, &spec, &r), ML_OK);
	CHECK(r->model->schema->task == (both ? ML_TASK_CLASSIFICATION : (MlTask) method->tasks));
	if (both)
	{
		spec.method = NULL;
		spec.task = ML_TASK_REGRESSION;
		CHECK_STATUS(env, odd_train(env, method, columns, 2, 400, &spec, &r), ML_OK);
		CHECK(r->model->schema->task == ML_TASK_REGRESSION && r->model->schema->n_classes == 0);
	}
	else
	{
		spec.method = NULL;
		spec.task = method->tasks == ML_TASK_REGRESSION ? ML_TASK_CLASSIFICATION : ML_TASK_REGRESSION;
		CHECK_STATUS(env, odd_train(env, method, columns, 2, 400, &spec, &r), ML_UNSUPPORTED);
	}
	unit_env_free(env);
}

static void
test_ids(const MlMethod *method)
{
	MlEnv	   *env = unit_env(1);
	OddColumn	columns[] = {TARGET(bit), FLOAT_FEATURE, {"key", ML_LOGICAL_TEXT, ML_ROLE_ID, false, NULL, row_text}};
	MlTrainSpec spec = {0};
	MlTrainResult *r;

	CHECK_STATUS(env, odd_train(env, method, columns, 3, 300, &spec, &r), ML_OK);
	columns[2].text = odd_labels;
	CHECK_STATUS(env, odd_train(env, method, columns, 3, 300, &spec, &r), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "more than once");
	columns[2].text = NULL;
	columns[2].number = one_missing;
	CHECK_STATUS(env, odd_train(env, method, columns, 3, 300, &spec, &r), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "NULL in 1 rows");
	unit_env_free(env);
}

static void
test_evaluate_errors(const MlMethod *method)
{
	MlEnv	   *env = unit_env(1);
	TinyTable	t = {.rows = 300, .target = tiny_target_of(method, TINY_TWO)};
	MlTrainResult *r;
	MlFrame    *frame;
	MlPartMetrics metrics;
	MlRocPoint *roc;
	size_t		n;

	CHECK_STATUS(env, tiny_train(env, method, &t, &r), ML_OK);
	CHECK_STATUS(env, tiny_frame(env, &t, 1, &frame), ML_OK);
	frame->columns[TINY_CITY].spec.name = "town";
	CHECK_STATUS(env, ml_pipeline_evaluate(env, r->model, frame, &metrics, &roc, &n), ML_NO_COLUMN);
	CHECK_MESSAGE(env, "\"city\"");
	frame->columns[TINY_CITY].spec.name = "x";
	frame->columns[TINY_X].spec.name = "city";
	CHECK_STATUS(env, ml_pipeline_evaluate(env, r->model, frame, &metrics, &roc, &n), ML_BAD_TYPE);
	if (t.target == TINY_TWO)
	{
		t.target = TINY_THREE;
		CHECK_STATUS(env, tiny_frame(env, &t, 1, &frame), ML_OK);
		CHECK_STATUS(env, ml_pipeline_evaluate(env, r->model, frame, &metrics, &roc, &n), ML_BAD_DATA);
		CHECK_MESSAGE(env, "does not know");
	}
	t.rows = 0;
	CHECK_STATUS(env, tiny_frame(env, &t, 1, &frame), ML_OK);
	CHECK_STATUS(env, ml_pipeline_evaluate(env, r->model, frame, &metrics, &roc, &n), ML_BAD_DATA);
	unit_env_free(env);
}

static void
test_nan_target(const MlMethod *method)
{
	MlEnv	   *env = unit_env(1);
	TinyTable	t = {.rows = 100, .target = tiny_target_of(method, TINY_NUMBER)};
	MlTrainResult *r;
	MlFrame    *frame;
	MlPartMetrics metrics;
	MlRocPoint *roc;
	size_t		n;

	CHECK_STATUS(env, tiny_train(env, method, &t, &r), ML_OK);
	t.nan_target = true;
	CHECK_STATUS(env, tiny_frame(env, &t, 1, &frame), ML_OK);
	CHECK_STATUS(env, ml_pipeline_evaluate(env, r->model, frame, &metrics, &roc, &n), ML_BAD_DATA);
	CHECK_STATUS(env, tiny_train(env, method, &t, &r), ML_BAD_DATA);
	CHECK_MESSAGE(env, "target column \"y\" contains NaN");
	unit_env_free(env);
}

static bool
cancel_at(void *state)
{
	return --*(int *) state < 0;
}

/* Canceled at any moment, a run says so. */
static void
test_cancel(const MlMethod *method)
{
	bool		finished = false;
	int			canceled = 0;

	for (int moment = 0; moment < 100000 && !finished; moment = moment * 3 / 2 + 1)
	{
		MlEnv	   *env = unit_env(2);
		TinyTable	t = {.rows = 2000, .target = tiny_target_of(method, TINY_TWO), .with_id = true};
		MlTrainResult *r;
		int			left = moment;
		MlStatus	status;

		env->canceled = cancel_at;
		env->state = &left;
		status = tiny_train(env, method, &t, &r);
		finished = status == ML_OK;
		canceled += status == ML_CANCELED;
		if (status != ML_OK && status != ML_CANCELED)
			CHECK_STATUS(env, status, ML_CANCELED);
		unit_env_free(env);
	}
	CHECK(finished && canceled > 3);
}

int
main(void)
{
	for (const MlMethod *const *method = ml_methods; *method != NULL; method++)
	{
		printf("# %s\n", (*method)->name);
		for (int target = 0; target < TINY_TARGETS; target++)
		{
			if (!tiny_method_can(*method, (TinyTarget) target))
				continue;
			test_repeatable(*method, (TinyTarget) target);
			test_evaluate(*method, (TinyTarget) target);
			tiny_check_memory(*method, &(TinyTable) {.rows = 60000, .target = (TinyTarget) target, .with_id = true}, NULL);
		}
		test_parts(*method);
		test_without_target(*method);
		test_rival_of_another_kind(*method);
		test_left_out(*method);
		test_bad_rows(*method);
		test_huge(*method);
		if (ml_task_has_target((*method)->tasks))
		{
			test_labels(*method);
			test_task_rule(*method);
			test_nan_target(*method);
		}
		test_ids(*method);
		test_evaluate_errors(*method);
		test_cancel(*method);
	}
	return unit_done();
}
