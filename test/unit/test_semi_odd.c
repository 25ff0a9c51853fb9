/*-------------------------------------------------------------------------
 * test_semi_odd.c
 *	  Rows without a class: copies of rows, which of them train, and data that nobody wishes for.
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "tables.h"
#include "tiny.h"
#include "ml/data/subset.h"
#include "ml/model/judge.h"

static const MlSemi self_training = {.kind = ML_SEMI_SELF_TRAINING, .threshold = 0.6, .max_iter = 3};
static const MlSemi k_best = {.kind = ML_SEMI_SELF_TRAINING, .by_k_best = true, .k_best = 7, .max_iter = 3};
static const MlSemi neighbors = {.kind = ML_SEMI_LABEL_SPREADING,
.spreading = {ML_SPREAD_KNN, .n_neighbors = 7, .alpha = 0.2, .max_iter = 30, .tolerance = 1e-3}};
static const MlSemi pairs = {.kind = ML_SEMI_LABEL_SPREADING,
.spreading = {ML_SPREAD_RBF, .gamma = 0.5, .alpha = 0.2, .max_iter = 30, .tolerance = 1e-3}};
static const MlSemi *const kinds[] = {&self_training, &k_best, &neighbors, &pairs};

#define N_KINDS 4

/* ------------------------------------------------------------------------
 * Some rows of a data set
 * ------------------------------------------------------------------------
 */

#define ROWS 400000

/* One column of each form. */
static void
test_subset(int threads)
{
	MlEnv	   *env = unit_env(threads);
	MlSchema	schema = {.n_features = 5};
	MlDataColumn columns[5] = {{0}};
	MlDataset	data = {.schema = &schema, .n_train = ROWS - 1000, .n_valid = 900, .n_test = 100, .columns = columns};
	double	   *number = ml_alloc(env, ROWS, sizeof(double));
	int32_t    *code = ml_alloc(env, ROWS, sizeof(int32_t));
	MlSparse	sparse[2] = {{0}};
	uint32_t   *place = ml_alloc(env, ROWS, sizeof(uint32_t));
	double	   *value = ml_alloc(env, ROWS, sizeof(double));
	MlBinned   *binned = ml_alloc0(env, 1, sizeof(MlBinned));
	size_t	   *row = ml_alloc(env, ROWS, sizeof(size_t));
	size_t		n = 0;
	size_t		n_train = 0;
	size_t		wrong = 0;
	size_t		before;
	MlDataset	some;

	binned->bin = ml_alloc(env, ROWS, 1);
	for (int b = 0; b < 256; b++)
		binned->value[b] = b == 0 ? NAN : b * 0.5;
	for (size_t i = 0; i < ROWS; i++)
	{
		number[i] = i % 11 == 0 ? NAN : tiny_random(i, 1);
		code[i] = (int32_t) (i % 9) - 1;
		binned->bin[i] = (uint8_t) (i % 251);
		if (tiny_random(i, 2) < 0.05)
		{
			place[sparse[0].n] = (uint32_t) i;
			value[sparse[0].n++] = tiny_random(i, 3);
		}
	}
	sparse[0].row = sparse[1].row = place;
	sparse[0].value = value;
	sparse[1].n = sparse[0].n;
	columns[0].number = number;
	columns[1].code = code;
	columns[2].sparse = &sparse[0];
	columns[3].sparse = &sparse[1];
	columns[4].binned = binned;
	for (size_t i = 0; i < data.n_train + data.n_valid; i++)
	{
		if (i < data.n_train && tiny_random(i, 4) < 0.4)
			continue;
		n_train += i < data.n_train;
		row[n++] = i;
	}
	before = ml_arena_used(env->arena);
	CHECK_STATUS(env, ml_dataset_subset(env, &data, row, n_train, n - n_train, &some), ML_OK);
	CHECK(ml_arena_used(env->arena) - before <= ml_dataset_bytes(&data, n) + 65536);
	CHECK(some.n_train == n_train && some.n_valid == data.n_valid && some.n_test == 0 && some.n_unlabelled == 0 && some.schema == &schema);
	for (int f = 0; f < 5; f++)
	{
		for (size_t i = 0; i < n; i++)
		{
			double		want = ml_dataset_value(&data, f, row[i]);
			double		got = ml_dataset_value(&some, f, i);

			wrong += !(want == got || (isnan(want) && isnan(got)));
		}
	}
	CHECK(wrong == 0);
	CHECK(some.columns[3].sparse->value == NULL && some.columns[2].sparse->n == some.columns[3].sparse->n);
	CHECK_STATUS(env, ml_dataset_subset(env, &data, row, 0, 0, &some), ML_OK);
	CHECK(some.n_train == 0 && some.columns[2].sparse->n == 0);
	CHECK(ml_dataset_bytes(&data, SIZE_MAX / 4) == SIZE_MAX);
	unit_env_free(env);
}

/* A fit is that of a data set in which the rows without a class have never been. */
static void
test_copy(const MlMethod *method, const MlSemi *semi)
{
	MlEnv	   *env = unit_env(1);
	Table		t = read_table("iris");
	static const char *classes[] = {"a", "b", "c"};
	MlFeature	features[4] = {{0}};
	MlSchema	schema = {.task = ML_TASK_CLASSIFICATION, .n_features = 4, .features = features, .target = "y", .target_type = "text",
	.target_logical = ML_LOGICAL_TEXT, .n_classes = 3, .classes = classes};
	MlDataColumn all[4] = {{0}};
	MlDataColumn some[4] = {{0}};
	double	   *y = ml_alloc(env, 2 * t.n, sizeof(double));
	size_t		known = 30;
	MlDataset	data = {.schema = &schema, .n_train = t.n, .n_unlabelled = t.n - known, .columns = all, .y = y};
	MlDataset	alone = {.schema = &schema, .columns = some, .y = y + t.n};
	MlParams   *params;
	MlSemiRun	run = {.semi = semi, .method = method, .schema = &schema, .raw = &data, .seen = &data};
	MlSemiResult r;
	MlModel    *model;
	uint8_t    *image;
	size_t		length;
	void	   *fitted;

	env->dense = ml_dense_table();
	for (int f = 0; f < 4; f++)
	{
		double	   *x = ml_alloc(env, 2 * t.n, sizeof(double));

		features[f].name = features[f].source_column = ml_printf(env, "x%d", f);
		features[f].type_name = "real";
		features[f].logical = ML_LOGICAL_FLOAT;
		all[f].number = x;
		some[f].number = x + t.n;
		for (size_t i = 0; i < t.n; i++)
			x[i] = t.x[(i * 7 + 5) % t.n * 4 + (size_t) f];
	}
	for (size_t i = 0; i < t.n; i++)
		y[i] = i < known ? t.y[(i * 7 + 5) % t.n] : -1;
	CHECK_STATUS(env, tiny_params(env, method, &params), ML_OK);
	run.params = params;
	CHECK_STATUS(env, ml_semi_fit(env, &run, &r), ML_OK);
	for (size_t i = 0; i < t.n; i++)
	{
		if (i >= known && r.label[i - known] < 0)
			continue;
		y[t.n + alone.n_train] = i < known ? y[i] : r.label[i - known];
		for (int f = 0; f < 4; f++)
			((double *) some[f].number)[alone.n_train] = all[f].number[i];
		alone.n_train++;
	}
	CHECK(alone.n_train == known + r.labelled && (r.labelled > 0 || semi == &self_training));	/* which may not be sure of any */
	CHECK_STATUS(env, method->fit(env, &alone, params, &fitted), ML_OK);
	CHECK_STATUS(env, ml_model_make(env, method, &schema, fitted, &model), ML_OK);
	CHECK_STATUS(env, ml_model_save(env, model, &image, &length), ML_OK);
	unit_check(length == r.image_length && memcmp(image, r.image, length) == 0, __FILE__, __LINE__, "%s learns from the %zu rows that have a class, and from nothing else",
			   method->name, alone.n_train);
	free(t.x);
	free(t.y);
	unit_env_free(env);
}

/* ------------------------------------------------------------------------
 * Which rows train
 * ------------------------------------------------------------------------
 */

/* Rows 0 .. 7 have a target and stand in the parts that part says; rows 8 .. 11 have none. */
static void
check_split(MlSplitKind kind, const MlColumn *column, const char *parts, const char *want, MlStatus status)
{
	MlEnv	   *env = unit_env(1);
	MlSplitSpec spec = {.kind = kind, .holdout = 0.2, .seed = 42};
	static const char letters[] = "tvh-u";	/* by MlPart */
	uint8_t		part[12];
	char		got[13] = "";
	size_t		count = 0;
	size_t		n;

	for (int i = 0; i < 12; i++)
		part[i] = (uint8_t) (strchr(letters, parts[i]) - letters);
	CHECK_STATUS(env, ml_split_unlabelled(env, &spec, 12, column, part, &n), status);
	for (int i = 0; i < 12 && status == ML_OK; i++)
		got[i] = letters[part[i]];
	if (status == ML_OK)
	{
		CHECK_TEXT(got, want);
		for (const char *c = want; *c != '\0'; c++)
			count += *c == 'u';
		CHECK(n == count);
	}
	unit_env_free(env);
}

static void
test_split(void)
{
	double		day[12] = {1, 2, 3, 4, 5, 6, 7, 8, 0, 6, 7, 9};
	double		group[12] = {1, 1, 2, 2, 3, 3, 4, 4, 4, 3, 1, 9};
	int32_t		word[12] = {0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 2, 0};
	const char *texts[] = {"train", "test", "validation"};
	uint32_t	lengths[] = {5, 4, 10};
	MlColumn	time = {.spec = {.name = "day", .kind = ML_NUMBER, .logical = ML_LOGICAL_TIME}, .number = day};
	MlColumn	by = {.spec = {.name = "who", .kind = ML_NUMBER, .logical = ML_LOGICAL_INTEGER}, .number = group};
	MlColumn	says = {.spec = {.name = "part", .kind = ML_CATEGORY, .logical = ML_LOGICAL_TEXT}, .code = word, .dictionary = {3, texts, lengths}};
	int32_t		who[12] = {0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 0, 2};
	MlColumn	named = {.spec = {.name = "who", .kind = ML_CATEGORY, .logical = ML_LOGICAL_TEXT}, .code = who, .dictionary = {3, texts, lengths}};

	check_split(ML_SPLIT_RANDOM, NULL, "ttttttvh----", "ttttttvhuuuu", ML_OK);
	check_split(ML_SPLIT_NONE, NULL, "tttttttt----", "ttttttttuuuu", ML_OK);
	/* From the seventh day on rows are held out. */
	check_split(ML_SPLIT_TIME, &time, "ttttttvh----", "ttttttvhuu--", ML_OK);
	check_split(ML_SPLIT_TIME, &time, "tttttttt----", "ttttttttuuuu", ML_OK);
	check_split(ML_SPLIT_GROUP, &by, "tttttthh----", "tttttthh-uuu", ML_OK);
	check_split(ML_SPLIT_GROUP, &by, "ttttvvhh----", "ttttvvhh--uu", ML_OK);
	check_split(ML_SPLIT_GROUP, &named, "tttttthh----", "tttttthh-uuu", ML_OK);
	check_split(ML_SPLIT_COLUMN, &says, "tttttthh----", "tttttthhu--u", ML_OK);
	day[9] = group[9] = NAN;
	word[9] = -1;
	check_split(ML_SPLIT_TIME, &time, "ttttttvh----", "", ML_NULL_VALUE);
	check_split(ML_SPLIT_GROUP, &by, "ttttttvh----", "", ML_NULL_VALUE);
	check_split(ML_SPLIT_COLUMN, &says, "ttttttvh----", "", ML_NULL_VALUE);
}

/* ------------------------------------------------------------------------
 * Odd tables
 * ------------------------------------------------------------------------
 */

typedef struct Cell
{
	double		x;				/* NaN: missing */
	double		z;
	const char *city;			/* NULL: missing */
	const char *label;			/* NULL: unlabelled */
} Cell;

typedef Cell (*Row_fn) (size_t row);

static MlStatus
odd_frame(MlEnv *env, Row_fn row_of, size_t rows, MlFrame **frame)
{
	static const MlColumnSpec specs[] = {
		{"x", "x", 0, 0, "double precision", ML_NUMBER, ML_LOGICAL_FLOAT, ML_ROLE_FEATURE, false},
		{"z", "z", 0, 0, "double precision", ML_NUMBER, ML_LOGICAL_FLOAT, ML_ROLE_FEATURE, false},
		{"city", "city", 0, 0, "text", ML_CATEGORY, ML_LOGICAL_TEXT, ML_ROLE_FEATURE, false, .not_a_key = true},
		{"y", "y", 0, 0, "text", ML_CATEGORY, ML_LOGICAL_TEXT, ML_ROLE_TARGET, false},
	};
	MlFrameBuilder *b;

	ML_TRY(ml_frame_begin(env, specs, 4, 42, &b));
	for (size_t i = 0; i < rows; i++)
	{
		Cell		cell = row_of(i);

		ml_frame_number(b, 0, cell.x);
		ml_frame_number(b, 1, cell.z);
		if (cell.city != NULL)
			ML_TRY(ml_frame_text(b, 2, cell.city, strlen(cell.city)));
		if (cell.label != NULL)
			ML_TRY(ml_frame_text(b, 3, cell.label, strlen(cell.label)));
		ML_TRY(ml_frame_end_row(b));
	}
	return ml_frame_finish(b, frame);
}

static MlStatus
odd_train(MlEnv *env, const MlMethod *method, const MlSemi *semi, Row_fn row_of, size_t rows, MlTrainResult **r)
{
	MlParams   *params;
	MlFrame    *frame;
	MlTrainSpec spec;

	env->dense = ml_dense_table();
	ML_TRY(tiny_params(env, method, &params));
	ML_TRY(odd_frame(env, row_of, rows, &frame));
	spec = tiny_spec(method, params);
	spec.semi = semi;
	return ml_pipeline_run(env, &spec, frame, r);
}

/* A third of the rows has a label, which follows from x. */
static Cell
plain(size_t i)
{
	static const char *cities[] = {"Rome", "Oslo", "Bern"};
	double		x = tiny_random(i, 1);

	return (Cell) {x, tiny_random(i, 2), cities[i % 3], i % 3 != 0 ? NULL : x > 0.5 ? "yes" : "no"};
}

static Cell
nobody_knows(size_t i)
{
	Cell		cell = plain(i);

	cell.label = NULL;
	return cell;
}

static Cell
all_the_same_class(size_t i)
{
	Cell		cell = plain(i);

	cell.label = cell.label != NULL ? "yes" : NULL;
	return cell;
}

static Cell
one_unlabelled(size_t i)
{
	Cell		cell = plain(i);

	cell.label = i == 17 ? NULL : cell.x > 0.5 ? "yes" : "no";
	return cell;
}

/* All rows without a label are one and the same; those with one are not. */
static Cell
same_unlabelled(size_t i)
{
	Cell		cell = plain(i);

	return cell.label == NULL ? (Cell) {0.25, 0.25, "Rome", NULL} : cell;
}

/* Nothing is known of rows without a label, and their cities are others. */
static Cell
unknown_unlabelled(size_t i)
{
	Cell		cell = plain(i);

	if (cell.label == NULL)
		cell = (Cell) {NAN, NAN, i % 2 == 0 ? NULL : "elsewhere", NULL};
	return cell;
}

/* Labelled rows do not differ at all in x and city. */
static Cell
same_labelled(size_t i)
{
	Cell		cell = plain(i);

	if (cell.label != NULL)
		cell.x = 0.5, cell.city = "Rome", cell.label = cell.z > 0.5 ? "yes" : "no";
	return cell;
}

static Cell
duplicates(size_t i)
{
	Cell		cell = plain(i / 40);

	cell.label = i % 5 != 0 ? NULL : cell.x > 0.5 ? "yes" : "no";
	return cell;
}

static Cell
huge(size_t i)
{
	Cell		cell = plain(i);

	cell.x = (cell.x - 0.5) * 3e300;
	cell.z *= 5e-320;
	return cell;
}

static Cell
many_categories(size_t i)
{
	static char text[10000][8];
	Cell		cell = plain(i);

	snprintf(text[i % 10000], sizeof(text[0]), "c%zu", i % 10000);
	cell.city = text[i % 10000];
	return cell;
}

static Cell
rare_class(size_t i)
{
	Cell		cell = plain(i);

	if (cell.label != NULL && i % 60 == 0)
		cell.label = "seldom";
	return cell;
}

static void
check_answers(const MlMethod *method, const MlTrainResult *r, const char *what)
{
	const MlModel *model = r->model;
	double		x[3];
	double		out[8];
	size_t		wrong = 0;

	for (int i = 0; i < 64; i++)
	{
		double		sum = 0;

		for (int f = 0; f < model->schema->n_features; f++)
			x[f] = i & 1 << f ? NAN : model->schema->features[f].kind == ML_FEATURE_CATEGORY ? i % (model->schema->features[f].levels + 1) : (i - 32) * 0.1;
		ml_model_predict(model, x, out);
		for (int c = 0; c < model->n_answer; c++)
		{
			wrong += !(out[c] >= 0 && out[c] <= 1);
			sum += out[c];
		}
		wrong += !(fabs(sum - 1) < 1e-9);
	}
	unit_check(wrong == 0, __FILE__, __LINE__, "%s, %s: probabilities", method->name, what);
}

static void
test_odd(const MlMethod *method)
{
	static const struct
	{
		const char *what;
		Row_fn		row;
		size_t		rows;
	}			tables[] = {
		{"plain", plain, 120}, {"one unlabelled", one_unlabelled, 60}, {"same unlabelled", same_unlabelled, 90},
		{"unknown unlabelled", unknown_unlabelled, 90}, {"same labelled", same_labelled, 90}, {"duplicates", duplicates, 1200}, {"huge", huge, 120},
		{"rare class", rare_class, 240}, {"few rows", plain, 24}
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
	{
		for (int k = 0; k < N_KINDS; k++)
		{
			MlEnv	   *env = unit_env(1);
			MlTrainResult *r;
			MlStatus	status = odd_train(env, method, kinds[k], tables[i].row, tables[i].rows, &r);

			if (strcmp(tables[i].what, "huge") == 0 && (status == ML_OUT_OF_RANGE || status == ML_BAD_DATA))
				env->error.status = ML_OK;
			else
				unit_check(status == ML_OK, __FILE__, __LINE__, "%s, kind %d, %s: %s %s", method->name, k, tables[i].what, env->error.message, env->error.detail);
			if (status == ML_OK)
				check_answers(method, r, tables[i].what);
			unit_env_free(env);
		}
	}
}

static void
test_refused(const MlMethod *method, const MlSemi *semi)
{
	MlEnv	   *env = unit_env(1);
	MlTrainResult *r;
	TinyTable	number = {.rows = 100, .target = TINY_NUMBER, .null_targets = true};
	MlParams   *params;
	MlFrame    *frame;
	MlTrainSpec spec;

	CHECK_STATUS(env, odd_train(env, method, semi, nobody_knows, 90, &r), ML_BAD_DATA);
	CHECK_MESSAGE(env, "NULL in all 90 rows");
	CHECK_STATUS(env, odd_train(env, method, semi, all_the_same_class, 90, &r), ML_BAD_DATA);
	CHECK_MESSAGE(env, "single value");
	CHECK_STATUS(env, odd_train(env, method, semi, plain, 3, &r), ML_BAD_DATA);
	CHECK_MESSAGE(env, "At least 2 rows with a target");
	if (tiny_method_can(method, TINY_NUMBER))
	{
		CHECK_STATUS(env, tiny_params(env, method, &params), ML_OK);
		CHECK_STATUS(env, tiny_frame(env, &number, 1, &frame), ML_OK);
		spec = tiny_spec(method, params);
		spec.semi = semi;
		CHECK_STATUS(env, ml_pipeline_run(env, &spec, frame, &r), ML_BAD_PARAM);
		CHECK_MESSAGE(env, "makes a regression");
	}
	unit_env_free(env);
}

/* Whatever the limit is, a run ends well or says that it needs more. */
static void
test_limits(const MlMethod *method, const MlSemi *semi)
{
	int			refused = 0;
	bool		finished = false;

	for (size_t limit = 200000; limit < (size_t) 1 << 31 && !finished; limit = limit * 5 / 4)
	{
		MlEnv	   *env = unit_env(2);
		MlTrainResult *r;
		MlStatus	status;

		ml_arena_free(env->arena);
		env->arena = ml_arena_create(limit);
		status = odd_train(env, method, semi, plain, 3000, &r);
		finished = status == ML_OK;
		refused += status == ML_OVER_BUDGET;
		if (status != ML_OK && status != ML_OVER_BUDGET)
			CHECK_STATUS(env, status, ML_OVER_BUDGET);
		CHECK(ml_arena_peak(env->arena) <= limit + 65536);
		unit_env_free(env);
	}
	CHECK(finished && refused > 3);
}

static void
test_large(const MlMethod *method)
{
	MlEnv	   *env = unit_env(2);
	MlTrainResult *r;

	CHECK_STATUS(env, odd_train(env, method, &pairs, plain, ML_SPREAD_DENSE_POINTS + 2000, &r), ML_TOO_LARGE);
	CHECK_MESSAGE(env, "knn");
	CHECK_STATUS(env, odd_train(env, method, &neighbors, many_categories, 12000, &r), ML_OK);
	CHECK_STATUS(env, odd_train(env, method, &self_training, many_categories, 12000, &r), ML_OK);
	unit_env_free(env);
}

int
main(void)
{
	test_subset(1);
	test_subset(2);
	test_split();
	for (const MlMethod *const *method = ml_methods; *method != NULL; method++)
	{
		if (((*method)->tasks & ML_TASK_CLASSIFICATION) == 0)
			continue;
		printf("# %s\n", (*method)->name);
		test_odd(*method);
		for (int k = 0; k < N_KINDS; k++)
		{
			test_copy(*method, kinds[k]);
			test_refused(*method, kinds[k]);
		}
	}
	test_limits(ml_method_find("gbdt"), &self_training);
	test_limits(ml_method_find("logistic_regression"), &neighbors);
	test_limits(ml_method_find("naive_bayes"), &pairs);
	test_large(ml_method_find("naive_bayes"));
	return unit_done();
}
