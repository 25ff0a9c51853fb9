/*-------------------------------------------------------------------------
 * test_duplicates.c
 *	  Equal rows that are copies, and equal rows that are draws.
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "ml/base/rng.h"
#include "ml/data/duplicates.h"
#include "ml/data/split.h"

#define ROWS 4000

/* How a target is stored and hashed: in one form, or in two of which the first is hashed. */
typedef enum Form
{
	FORM_TEXT,
	FORM_INTEGER,
	FORM_FLOAT,
	FORM_BOOLEAN_CLASS,
	FORM_INTEGER_CLASS,
	FORM_FLOAT_CLASS,
	N_FORMS
} Form;

typedef enum Rows
{
	DRAWS,						/* one of five values, and a target that varies with it */
	COPIES,						/* each row four times */
	COPIES_OF_DRAWS_APART,		/* the same, and one value with both targets: too few to count */
	DIFFERENT
} Rows;

static void
row_of(Rows kind, size_t i, double *x, int *y)
{
	size_t		original = kind == DRAWS || kind == DIFFERENT ? i : i / 4;

	*x = kind == DRAWS ? (double) (ml_rng_u64(3, 1, original) % 5) : ml_rng_uniform(3, 1, original);
	*y = (int) (ml_rng_u64(3, 2, original) % 3 == 0);
	if (kind == COPIES_OF_DRAWS_APART && i < 20)
	{
		*x = 7;
		*y = i % 2;
	}
}

static bool
put_target(MlFrameBuilder *b, Form form, int y)
{
	static const char *const words[N_FORMS][2] = {
		[FORM_TEXT] = {"stayed", "left"}, [FORM_BOOLEAN_CLASS] = {"false", "true"}, [FORM_INTEGER_CLASS] = {"-3", "12"}, [FORM_FLOAT_CLASS] = {"0.5", "1e+20"}
	};
	static const double numbers[N_FORMS][2] = {
		[FORM_INTEGER] = {-3, 12}, [FORM_FLOAT] = {-0.0, 0.25}, [FORM_BOOLEAN_CLASS] = {0, 1}, [FORM_INTEGER_CLASS] = {-3, 12}, [FORM_FLOAT_CLASS] = {0.5, 1e20}
	};

	if (form == FORM_INTEGER || form == FORM_INTEGER_CLASS)
		ml_frame_integer(b, 1, (int64_t) numbers[form][y]);
	else if (form != FORM_TEXT)
		ml_frame_number(b, 1, numbers[form][y]);
	return words[form][y] == NULL || ml_frame_text(b, form == FORM_TEXT ? 1 : 2, words[form][y], strlen(words[form][y])) == ML_OK;
}

/* The rows, the last one first if backward; an id where by_id. */
static MlFrame *
make_frame(MlEnv *env, Rows kind, Form form, bool by_id, bool backward)
{
	static const MlLogicalType logical[N_FORMS] = {
		ML_LOGICAL_TEXT, ML_LOGICAL_INTEGER, ML_LOGICAL_FLOAT, ML_LOGICAL_BOOLEAN, ML_LOGICAL_INTEGER, ML_LOGICAL_FLOAT
	};
	bool		two = form >= FORM_BOOLEAN_CLASS;
	MlColumnSpec specs[4] = {
		{.name = "x", .source_column = "x", .kind = ML_NUMBER, .logical = ML_LOGICAL_FLOAT, .roles = ML_ROLE_FEATURE, .type_name = "double precision"},
		{.name = "y", .source_column = "y", .kind = form == FORM_TEXT ? ML_CATEGORY : ML_NUMBER, .logical = logical[form],
		.roles = two ? ML_ROLE_HASH : ML_ROLE_TARGET, .type_name = "y"},
		{.name = "y", .source_column = "y", .kind = ML_CATEGORY, .logical = logical[form], .roles = ML_ROLE_TARGET, .unhashed = true, .type_name = "y"},
	};
	MlFrameBuilder *b;
	MlFrame    *frame;
	bool		good = true;

	specs[two ? 3 : 2] = (MlColumnSpec) {.name = "id", .source_column = "id", .kind = ML_INTEGER_KEY, .logical = ML_LOGICAL_INTEGER, .roles = ML_ROLE_ID, .type_name = "bigint"};
	CHECK_STATUS(env, ml_frame_begin(env, specs, 2 + two + by_id, 42, &b), ML_OK);
	for (size_t k = 0; k < ROWS; k++)
	{
		size_t		i = backward ? ROWS - 1 - k : k;
		double		x;
		int			y;

		row_of(kind, i, &x, &y);
		ml_frame_number(b, 0, x);
		good &= put_target(b, form, y);
		if (by_id)
			ml_frame_integer(b, 2 + two, (int64_t) i);
		good &= ml_frame_end_row(b) == ML_OK;
	}
	CHECK(good);
	CHECK_STATUS(env, ml_frame_finish(b, &frame), ML_OK);
	return frame;
}

static uint64_t *
keys_of(MlEnv *env, const MlFrame *frame)
{
	uint8_t    *part = ml_alloc0(env, ROWS, 1);
	uint64_t   *keys;

	CHECK_STATUS(env, ml_rows_told_apart(env, frame, ml_frame_column(frame, ML_ROLE_TARGET), part, &keys), ML_OK);
	return keys;
}

/* Rows of each kind, x and y, in the test part. */
static void
count_held_out(MlEnv *env, const MlFrame *frame, const uint64_t *keys, bool backward, size_t *count)
{
	MlSplitSpec spec = {ML_SPLIT_RANDOM, 0.25, 0, 42};
	uint8_t    *part = ml_alloc0(env, ROWS, 1);
	size_t		repeated;

	memset(count, 0, 10 * sizeof(size_t));
	CHECK_STATUS(env, ml_split(env, &spec, ROWS, keys, NULL, 0, NULL, part, &repeated), ML_OK);
	for (size_t k = 0; k < ROWS; k++)
	{
		double		x;
		int			y;

		row_of(DRAWS, backward ? ROWS - 1 - k : k, &x, &y);
		count[(int) x * 2 + y] += part[k] == ML_PART_TEST;
	}
}

static void
test_form(Form form)
{
	MlEnv	   *env = unit_env(1);
	MlFrame    *frame = make_frame(env, DRAWS, form, false, false);
	MlFrame    *backward = make_frame(env, DRAWS, form, false, true);
	uint64_t   *keys = keys_of(env, frame);
	uint64_t   *keys_backward = keys_of(env, backward);
	size_t		held_out[10];
	size_t		held_out_backward[10];

	CHECK(keys != NULL && keys_backward != NULL);
	if (keys != NULL && keys_backward != NULL)
	{
		count_held_out(env, frame, keys, false, held_out);
		count_held_out(env, backward, keys_backward, true, held_out_backward);
		CHECK(memcmp(held_out, held_out_backward, sizeof(held_out)) == 0);
		/* Of each kind about a quarter: kinds have some 270 and 530 rows. */
		for (int k = 0; k < 10; k++)
			CHECK(held_out[k] > (k % 2 == 0 ? 100 : 40) && held_out[k] < (k % 2 == 0 ? 170 : 100));
		count_held_out(env, frame, frame->row_hash, false, held_out);
		CHECK(held_out[0] == 0 || held_out[0] > 400);	/* by their hashes they are held out together */
	}
	CHECK(keys_of(env, make_frame(env, COPIES, form, false, false)) == NULL);
	CHECK(keys_of(env, make_frame(env, COPIES_OF_DRAWS_APART, form, false, false)) == NULL);
	CHECK(keys_of(env, make_frame(env, DIFFERENT, form, false, false)) == NULL);
	CHECK(keys_of(env, make_frame(env, DRAWS, form, true, false)) == NULL);
	unit_env_free(env);
}

int
main(void)
{
	bool		inverse = true;

	for (uint64_t i = 0; i < 1000; i++)
		inverse &= ml_unmix64(ml_mix64(i * UINT64_C(0xD1342543DE82EF95))) == i * UINT64_C(0xD1342543DE82EF95);
	CHECK(inverse);
	for (int form = 0; form < N_FORMS; form++)
		test_form((Form) form);
	return unit_done();
}
