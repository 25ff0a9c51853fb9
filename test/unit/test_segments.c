/*-------------------------------------------------------------------------
 * test_segments.c
 *	  One model per group of rows, with every algorithm there is.
 *
 * Rows belong to a region (text) and a store (a number, read as a category): north and south have stores 1 .. 3, "tiny" few
 * rows, "flat" a target that never changes, and every 50th row no region at all.
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "ml/model/judge.h"
#include "ml/model/segments.h"
#include "tiny.h"

enum
{
	C_X, C_CITY, C_SERIAL, C_REGION, C_STORE, C_Y, N_COLUMNS
};

static const MlColumnSpec specs[] = {
	[C_X] = {"x", "x", 0, 0, "double precision", ML_NUMBER, ML_LOGICAL_FLOAT, ML_ROLE_FEATURE, false},
	[C_CITY] = {"city", "city", 0, 0, "text", ML_CATEGORY, ML_LOGICAL_TEXT, ML_ROLE_FEATURE, false},
	[C_SERIAL] = {"serial", "serial", 0, 0, "integer", ML_NUMBER, ML_LOGICAL_INTEGER, ML_ROLE_FEATURE, false},
	[C_REGION] = {"region", "region", 0, 0, "text", ML_CATEGORY, ML_LOGICAL_TEXT, ML_ROLE_SEGMENT, false},
	[C_STORE] = {"store", "store", 0, 0, "integer", ML_CATEGORY, ML_LOGICAL_INTEGER, ML_ROLE_SEGMENT, false},
	[C_Y] = {"y", "y", 0, 0, "double precision", ML_NUMBER, ML_LOGICAL_FLOAT, ML_ROLE_TARGET, false},
};

typedef struct Row
{
	const char *region;			/* NULL: missing */
	const char *store;
	const char *city;
	double		x;
	double		score;
} Row;

static Row
row_of(size_t i)
{
	static const char *const stores[] = {"1", "2", "3"};
	static const char *const cities[] = {"Rome", "Oslo", "Bern"};
	Row			row = {.x = tiny_random(i, 1)};

	row.region = i % 50 == 7 ? NULL : i % 100 == 8 ? "tiny" : i % 10 == 9 ? "flat" : i % 2 == 0 ? "north" : "south";
	row.store = stores[i / 7 % 3];
	row.city = cities[(int) (tiny_random(i, 2) * 3)];
	/* South goes the other way, so that the model of all rows knows little of either. */
	row.score = (row.region != NULL && row.region[0] == 's' ? -3 : 3) * row.x + (row.city[0] == 'R') + 0.2 * tiny_random(i, 3);
	if (row.region != NULL && row.region[0] == 'f')
		row.score = 1;
	return row;
}

static MlStatus
text(MlFrameBuilder *b, int column, const char *value)
{
	return value == NULL ? ML_OK : ml_frame_text(b, column, value, strlen(value));
}

/* Rows of one region and store, or all of them. */
static MlStatus
make_frame(MlEnv *env, size_t rows, TinyTarget target, const char *region, const char *store, MlFrame **frame)
{
	MlColumnSpec own[N_COLUMNS];
	MlFrameBuilder *b;

	memcpy(own, specs, sizeof(specs));
	if (target == TINY_TWO)
	{
		own[C_Y].kind = ML_CATEGORY;
		own[C_Y].logical = ML_LOGICAL_TEXT;
		own[C_Y].type_name = "text";
	}
	else if (target == TINY_THREE)
		own[C_Y].logical = ML_LOGICAL_INTEGER;
	else if (target == TINY_NONE)
		own[C_Y].roles = ML_ROLE_HASH;
	if (region != NULL)
	{
		own[C_REGION].roles = own[C_STORE].roles = ML_ROLE_HASH;
		own[C_SERIAL].roles = ML_ROLE_HASH; /* which the run as a whole finds to be a key */
	}
	ML_TRY(ml_frame_begin(env, own, N_COLUMNS, 42, &b));
	for (size_t i = 0; i < rows; i++)
	{
		Row			row = row_of(i);

		if (region != NULL && (row.region == NULL || strcmp(row.region, region) != 0 || strcmp(row.store, store) != 0))
			continue;
		ml_frame_number(b, C_X, row.x);
		ML_TRY(text(b, C_CITY, row.city));
		ml_frame_integer(b, C_SERIAL, (int64_t) i);
		ML_TRY(text(b, C_REGION, row.region));
		ML_TRY(text(b, C_STORE, row.store));
		if (target == TINY_NUMBER)
			ml_frame_number(b, C_Y, row.score);
		else if (target == TINY_THREE)
			ml_frame_integer(b, C_Y, row.score < 0 ? 10 : row.score < 2 ? 20 : 30);
		else if (target == TINY_TWO)
			ML_TRY(text(b, C_Y, fabs(row.score) > 1.5 ? "yes" : "no"));
		ML_TRY(ml_frame_end_row(b));
	}
	return ml_frame_finish(b, frame);
}

static MlStatus
train(MlEnv *env, const MlMethod *method, size_t rows, TinyTarget target, size_t min_rows, MlTrainResult **result)
{
	MlParams   *params;
	MlFrame    *frame;
	MlTrainSpec spec;

	env->dense = ml_dense_table();
	ML_TRY(tiny_params(env, method, &params));
	ML_TRY(make_frame(env, rows, target, NULL, NULL, &frame));
	spec = tiny_spec(method, params);
	spec.segment_min_rows = min_rows;
	return ml_pipeline_run(env, &spec, frame, result);
}

static const MlSegment *
find(const MlSegments *s, const char *region, const char *store)
{
	for (size_t k = 0; k < s->count; k++)
	{
		if (strcmp(s->segment[k].key[0], region) == 0 && strcmp(s->segment[k].key[1], store) == 0)
			return &s->segment[k];
	}
	return NULL;
}

/* What is trained of what, and in which order it stands. */
static void
test_groups(void)
{
	MlEnv	   *env = unit_env(2);
	MlTrainResult *r;
	const MlSegments *s;
	size_t		rows = 0;

	CHECK_STATUS(env, train(env, ml_method_find("linear_regression"), 3000, TINY_NUMBER, 50, &r), ML_OK);
	s = r->segments;
	CHECK(s != NULL && s->n_columns == 2 && s->count == 12);
	CHECK_TEXT(s->column[0]->spec.name, "region");
	CHECK_TEXT(s->column[1]->spec.name, "store");
	for (size_t k = 0; k < s->count; k++)
	{
		rows += s->segment[k].rows;
		if (k > 0)
		{
			int			order = strcmp(s->segment[k - 1].key[0], s->segment[k].key[0]);

			CHECK(order < 0 || (order == 0 && strcmp(s->segment[k - 1].key[1], s->segment[k].key[1]) < 0));
		}
	}
	CHECK(rows == 3000 - 60);
	CHECK(find(s, "north", "1")->image != NULL && find(s, "north", "1")->error == NULL);
	CHECK(find(s, "south", "3")->image != NULL && find(s, "south", "3")->score > 0.5);
	CHECK(find(s, "tiny", "1")->rows < 50 && find(s, "tiny", "1")->image == NULL && find(s, "tiny", "1")->error == NULL);
	CHECK(isnan(find(s, "tiny", "1")->score));

	/* The model of all rows misses what the regions know. */
	CHECK(r->score > 0.8);
	unit_env_free(env);
}

/* A class that never changes cannot be learnt: that group has an error and the run goes on. */
static void
test_failing_group(void)
{
	MlEnv	   *env = unit_env(2);
	MlTrainResult *r;
	const MlSegment *flat;
	bool		told = false;

	CHECK_STATUS(env, train(env, ml_method_find("logistic_regression"), 3000, TINY_TWO, 50, &r), ML_OK);
	flat = find(r->segments, "flat", "2");
	CHECK(flat->image == NULL && flat->error != NULL && flat->rows > 50);
	CHECK(find(r->segments, "north", "2")->image != NULL);
	for (const MlWarning *w = env->warnings; w != NULL; w = w->next)
		told |= strstr(w->text, "3 of 12 segments could not be trained") != NULL && strstr(w->text, "region=flat, store=1") != NULL;
	CHECK(told);
	CHECK(env->n_warnings < 8);
	unit_env_free(env);
}

/* Warnings, images, scores and the metrics of the whole, whatever the number of threads. */
static void
test_threads(const MlMethod *method, TinyTarget target)
{
	MlEnv	   *env[3] = {unit_env(1), unit_env(2), unit_env(4)};
	MlTrainResult *r[3];

	for (int i = 0; i < 3; i++)
		CHECK_STATUS(env[i], train(env[i], method, 1500, target, 40, &r[i]), ML_OK);
	for (int i = 1; i < 3; i++)
	{
		bool		same = r[0]->segments->count == r[i]->segments->count && r[0]->image_length == r[i]->image_length &&
			memcmp(r[0]->image, r[i]->image, r[0]->image_length) == 0;
		const MlWarning *a = env[0]->warnings;
		const MlWarning *b = env[i]->warnings;

		for (size_t k = 0; same && k < r[0]->segments->count; k++)
		{
			const MlSegment *x = &r[0]->segments->segment[k];
			const MlSegment *y = &r[i]->segments->segment[k];

			same = x->image_length == y->image_length && x->rows == y->rows && (x->image == NULL) == (y->image == NULL) &&
				(x->image == NULL || memcmp(x->image, y->image, x->image_length) == 0) &&
				memcmp(&x->score, &y->score, sizeof(double)) == 0;
		}
		for (int p = 0; p < 3; p++)
		{
			for (int m = 0; m < r[0]->part[p].count; m++)
				same &= memcmp(&r[0]->part[p].metrics[m].value, &r[i]->part[p].metrics[m].value, sizeof(double)) == 0;
		}
		for (; same && a != NULL && b != NULL; a = a->next, b = b->next)
			same = strcmp(a->text, b->text) == 0;
		CHECK(same && a == NULL && b == NULL);
	}
	for (int i = 0; i < 3; i++)
		unit_env_free(env[i]);
}

/* A group's model is the one that the ordinary pipeline makes of its rows alone, with the parts they had in the run. */
static void
test_alone(const MlMethod *method, TinyTarget target)
{
	MlEnv	   *env = unit_env(2);
	MlTrainResult *r;
	MlTrainResult *alone;
	MlFrame    *frame;
	MlParams   *params;
	MlTrainSpec spec;
	MlSplitSpec split = {target == TINY_NONE ? ML_SPLIT_NONE : ML_SPLIT_AUTO, 0.2, 0.1, 42};
	const MlSegment *segment;
	size_t		repeated;
	uint8_t    *part;
	uint8_t    *own;
	size_t		n = 0;
	size_t		rows = 1500;
	int32_t    *class_of = NULL;

	CHECK_STATUS(env, train(env, method, rows, target, 40, &r), ML_OK);
	segment = find(r->segments, "south", "2");
	CHECK(segment->image != NULL);
	if (segment->image == NULL)
	{
		printf("# %s\n", segment->error);
		unit_env_free(env);
		return;
	}

	/* The parts of all rows, as the run has made them. */
	CHECK_STATUS(env, make_frame(env, rows, target, NULL, NULL, &frame), ML_OK);
	part = ml_alloc0(env, rows, 1);
	own = ml_alloc0(env, rows, 1);
	if (target == TINY_TWO || target == TINY_THREE)
	{
		class_of = ml_alloc(env, rows, sizeof(int32_t));
		for (size_t i = 0; i < rows; i++)
		{
			double		score = row_of(i).score;

			class_of[i] = target == TINY_TWO ? fabs(score) > 1.5 : score < 0 ? 0 : score < 2 ? 1 : 2;
		}
	}
	CHECK_STATUS(env, ml_split(env, &split, rows, frame->row_hash, class_of, target == TINY_TWO ? 2 : 3, NULL, part, &repeated), ML_OK);
	/* Train first, then validation, then test: as the rows of a run stand. */
	for (size_t i = 0; i < rows; i++)
	{
		Row			row = row_of(i);

		if (row.region != NULL && strcmp(row.region, "south") == 0 && strcmp(row.store, "2") == 0)
			own[n++] = part[i];
	}
	CHECK(n == segment->rows);
	CHECK_STATUS(env, make_frame(env, rows, target, "south", "2", &frame), ML_OK);
	CHECK_STATUS(env, tiny_params(env, method, &params), ML_OK);
	spec = tiny_spec(method, params);
	spec.task = r->model->schema->task;
	spec.part = own;
	CHECK_STATUS(env, ml_pipeline_run(env, &spec, frame, &alone), ML_OK);
	CHECK(alone->image_length == segment->image_length && memcmp(alone->image, segment->image, segment->image_length) == 0);
	CHECK_NEAR(segment->score, alone->score, 0);
	unit_env_free(env);
}

/* Classes that a group does not have are none of its model's, and have no probability in the answers. */
static void
test_missing_class(void)
{
	MlEnv	   *env = unit_env(1);
	MlTrainResult *r;
	MlModel    *model;
	const MlSegment *south;

	CHECK_STATUS(env, train(env, ml_method_find("logistic_regression"), 3000, TINY_THREE, 50, &r), ML_OK);
	south = find(r->segments, "north", "1");
	CHECK(r->model->schema->n_classes == 3);
	CHECK(south->image != NULL);
	CHECK_STATUS(env, ml_model_load(env, south->image, south->image_length, &model), ML_OK);
	CHECK(model->schema->n_classes == 2);
	CHECK_TEXT(model->schema->classes[0], "20");
	for (size_t i = 0; i < r->rows; i++)
	{
		const double *out = r->segments->routed->out + i * 3;

		if (r->segments->routed->has[i] && fabs(out[0] + out[1] + out[2] - 1) > 1e-9)
		{
			CHECK(!"probabilities add up to 1");
			break;
		}
	}
	unit_env_free(env);
}

/* Judging the same rows again by the stored models gives the metrics of the run; a rival with segments is judged the same way. */
static void
test_evaluate(const MlMethod *method, TinyTarget target)
{
	MlEnv	   *env = unit_env(2);
	MlTrainResult *r;
	MlFrame    *frame;
	MlParams   *params;
	MlTrainSpec spec;
	MlSegmentModels models = {.n_columns = 2};
	const char *columns[2] = {"store", "region"};	/* not the order of the frame */
	MlSegment  *segments;
	MlPartMetrics again;
	MlRocPoint *roc;
	size_t		n_roc;

	env->dense = ml_dense_table();
	CHECK_STATUS(env, tiny_params(env, method, &params), ML_OK);
	CHECK_STATUS(env, make_frame(env, 1500, target, NULL, NULL, &frame), ML_OK);
	spec = tiny_spec(method, params);
	spec.segment_min_rows = 40;
	spec.split.kind = ML_SPLIT_NONE;
	CHECK_STATUS(env, ml_pipeline_run(env, &spec, frame, &r), ML_OK);

	segments = ml_alloc0(env, r->segments->count, sizeof(MlSegment));
	models.column = columns;
	models.segment = segments;
	for (int store = 1; store <= 3; store++)
	{
		for (size_t k = 0; k < r->segments->count; k++)
		{
			const MlSegment *from = &r->segments->segment[k];
			MlSegment  *to = &segments[models.count];

			if (atoi(from->key[1]) != store)
				continue;
			*to = *from;
			to->key = ml_alloc(env, 2, sizeof(char *));
			to->key[0] = from->key[1];
			to->key[1] = from->key[0];
			models.count++;
		}
	}
	CHECK(models.count == r->segments->count);
	CHECK_STATUS(env, make_frame(env, 1500, target, NULL, NULL, &frame), ML_OK);
	CHECK_STATUS(env, ml_pipeline_evaluate_segments(env, r->model, &models, frame, &again, &roc, &n_roc), ML_OK);
	CHECK(again.rows == 1500 && again.count == r->part[ML_PART_TRAIN].count);
	for (int i = 0; i < again.count; i++)
		CHECK_NEAR(again.metrics[i].value, r->part[ML_PART_TRAIN].metrics[i].value, 1e-12);

	spec.rival = r->model;
	spec.rival_segments = &models;
	CHECK_STATUS(env, make_frame(env, 1500, target, NULL, NULL, &frame), ML_OK);
	CHECK_STATUS(env, ml_pipeline_run(env, &spec, frame, &r), ML_OK);
	CHECK(r->rival_judged);
	CHECK_NEAR(r->rival_score, r->score, 1e-12);

	/* Without the segment columns it cannot be judged. */
	models.n_columns = 1;
	CHECK_STATUS(env, make_frame(env, 1500, target, NULL, NULL, &frame), ML_OK);
	CHECK_STATUS(env, ml_pipeline_run(env, &spec, frame, &r), ML_OK);
	CHECK(r->rival_judged == !ml_task_has_target(r->model->schema->task));
	unit_env_free(env);
}

static size_t asked;
static size_t patience;

static bool
impatient(void *state)
{
	return ++asked > patience;
}

static void
test_cancel(void)
{
	size_t		canceled = 0;

	for (patience = 1; patience < 400; patience = patience * 3 + 1)
	{
		MlEnv	   *env = unit_env(2);
		MlTrainResult *r;
		MlStatus	status;

		asked = 0;
		env->canceled = impatient;
		status = train(env, ml_method_find("gbdt"), 1500, TINY_NUMBER, 40, &r);
		canceled += status == ML_CANCELED;
		CHECK(status == ML_CANCELED || status == ML_OK);
		unit_env_free(env);
	}
	CHECK(canceled >= 3);
}

/* What memory there is ends the run, not a group: else a model would depend on how many threads share it. */
static void
test_memory(void)
{
	size_t		refused = 0;

	for (size_t limit = 1 << 18; limit < (size_t) 1 << 25; limit *= 2)
	{
		MlEnv	   *env = unit_env(2);
		MlTrainResult *r;
		MlStatus	status;

		ml_arena_free(env->arena);
		env->arena = ml_arena_create(limit);
		status = train(env, ml_method_find("gbdt"), 3000, TINY_NUMBER, 40, &r);
		CHECK(status == ML_OVER_BUDGET || (status == ML_OK && find(r->segments, "north", "1")->image != NULL));
		refused += status == ML_OVER_BUDGET;
		unit_env_free(env);
	}
	CHECK(refused >= 1);
}

/* A column that tells single rows apart is refused before it makes a million models. */
static void
test_limits(void)
{
	MlEnv	   *env = unit_env(1);
	MlColumnSpec own[] = {
		{"k", "k", 0, 0, "integer", ML_CATEGORY, ML_LOGICAL_INTEGER, ML_ROLE_SEGMENT, false},
		{"l", "l", 0, 0, "text", ML_CATEGORY, ML_LOGICAL_TEXT, ML_ROLE_SEGMENT, false},
	};
	MlFrameBuilder *b;
	MlFrame    *frame;
	MlGroups   *groups;
	size_t		rows = ML_MAX_SEGMENTS + 1;
	size_t	   *order = malloc(rows * sizeof(size_t));
	char		digits[32];
	char		words[1000];

	for (size_t i = 0; i < rows; i++)
		order[i] = i;
	CHECK_STATUS(env, ml_frame_begin(env, own, 2, 42, &b), ML_OK);
	for (size_t i = 0; i < rows; i++)
	{
		snprintf(digits, sizeof(digits), "%zu", i);
		(void) text(b, 0, digits);
		(void) text(b, 1, i % 2 ? "a" : "b");
		(void) ml_frame_end_row(b);
	}
	CHECK_STATUS(env, ml_frame_finish(b, &frame), ML_OK);
	CHECK_STATUS(env, ml_groups_make(env, frame, order, rows, &groups), ML_OK);
	CHECK_STATUS(env, ml_groups_check(env, groups), ML_TOO_LARGE);
	CHECK_MESSAGE(env, "segment_by");
	CHECK_STATUS(env, ml_groups_make(env, frame, order, rows - 1, &groups), ML_OK);
	CHECK_STATUS(env, ml_groups_check(env, groups), ML_OK);
	CHECK(groups->count == rows - 1 && groups->n_outside == 0);

	memset(words, 'x', sizeof(words));
	CHECK_STATUS(env, ml_frame_begin(env, own, 2, 42, &b), ML_OK);
	(void) ml_frame_text(b, 0, "1", 1);
	(void) ml_frame_text(b, 1, words, sizeof(words));
	(void) ml_frame_end_row(b);
	CHECK_STATUS(env, ml_frame_finish(b, &frame), ML_OK);
	CHECK_STATUS(env, ml_groups_make(env, frame, order, 1, &groups), ML_OK);
	CHECK_STATUS(env, ml_groups_check(env, groups), ML_TOO_LARGE);
	free(order);
	unit_env_free(env);
}

int
main(void)
{
	test_groups();
	test_failing_group();
	test_missing_class();
	for (int i = 0; ml_methods[i] != NULL; i++)
	{
		for (int target = 0; target < TINY_NONE; target++)
		{
			if (!tiny_method_can(ml_methods[i], (TinyTarget) target))
				continue;
			printf("# %s %d\n", ml_methods[i]->name, target);
			test_threads(ml_methods[i], (TinyTarget) target);
			test_alone(ml_methods[i], (TinyTarget) target);
			test_evaluate(ml_methods[i], (TinyTarget) target);
		}
	}
	test_cancel();
	test_memory();
	test_limits();
	return unit_done();
}
