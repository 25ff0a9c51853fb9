/*-------------------------------------------------------------------------
 * test_split.c
 *	  Shares, strata, groups, time; and that order does not matter.
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "ml/base/rng.h"
#include "ml/data/split.h"

#define ROWS 1000

static uint64_t hash[ROWS];
static int32_t class_of[ROWS];
static uint8_t part[ROWS];

static void
reset(void)
{
	for (size_t i = 0; i < ROWS; i++)
	{
		hash[i] = ml_rng_u64(1, 2, i);
		class_of[i] = i < 700 ? 0 : i < 997 ? 1 : 2;
		part[i] = 0;
	}
}

static size_t
count(MlPart p, int32_t k)
{
	size_t		n = 0;

	for (size_t i = 0; i < ROWS; i++)
		n += part[i] == p && (k < 0 || class_of[i] == k);
	return n;
}

static MlStatus
split(MlEnv *env, MlSplitKind kind, double holdout, double validation, bool classes, const MlColumn *column)
{
	MlSplitSpec spec = {kind, holdout, validation, 42};
	size_t		repeated;

	return ml_split(env, &spec, ROWS, hash, classes ? class_of : NULL, classes ? 3 : 0, column, part, &repeated);
}

static void
test_shares(MlEnv *env)
{
	reset();
	CHECK_STATUS(env, split(env, ML_SPLIT_AUTO, 0.2, 0.1, true, NULL), ML_OK);
	CHECK(count(ML_PART_TEST, 0) == 140 && count(ML_PART_VALIDATION, 0) == 70);
	CHECK(count(ML_PART_TEST, 1) == 59 && count(ML_PART_VALIDATION, 1) == 30);	/* of 297: 59.4, 29.7 */
	CHECK(count(ML_PART_TEST, 2) == 1 && count(ML_PART_VALIDATION, 2) == 0);
	reset();
	CHECK_STATUS(env, split(env, ML_SPLIT_AUTO, 0.333, 0, false, NULL), ML_OK);
	CHECK(count(ML_PART_TEST, -1) == 333 && count(ML_PART_VALIDATION, -1) == 0);
	reset();
	CHECK_STATUS(env, split(env, ML_SPLIT_NONE, 0.5, 0.1, true, NULL), ML_OK);
	CHECK(count(ML_PART_TRAIN, -1) == ROWS);
	reset();
	CHECK_STATUS(env, split(env, ML_SPLIT_STRATIFIED, 0.9, 0.09, true, NULL), ML_OK);
	CHECK(count(ML_PART_TRAIN, 2) >= 1);
}

/* The lowest hashes are the test part, so a row's part depends on hashes alone. */
static void
test_order(MlEnv *env)
{
	uint64_t	highest_test = 0;
	uint64_t	lowest_train = UINT64_MAX;
	uint8_t		before[ROWS];

	reset();
	CHECK_STATUS(env, split(env, ML_SPLIT_RANDOM, 0.2, 0, false, NULL), ML_OK);
	for (size_t i = 0; i < ROWS; i++)
	{
		if (part[i] == ML_PART_TEST && hash[i] > highest_test)
			highest_test = hash[i];
		if (part[i] == ML_PART_TRAIN && hash[i] < lowest_train)
			lowest_train = hash[i];
	}
	CHECK(highest_test < lowest_train);
	memcpy(before, part, ROWS);
	for (size_t i = 0; i < ROWS / 2; i++)
	{
		uint64_t	h = hash[i];

		hash[i] = hash[ROWS - 1 - i];
		hash[ROWS - 1 - i] = h;
	}
	memset(part, 0, ROWS);
	CHECK_STATUS(env, split(env, ML_SPLIT_RANDOM, 0.2, 0, false, NULL), ML_OK);
	for (size_t i = 0; i < ROWS; i++)
	{
		if (part[i] != before[ROWS - 1 - i])
			CHECK(!"a row changed its part with its place");
	}
}

static void
test_duplicates(MlEnv *env)
{
	reset();
	for (size_t i = 0; i < ROWS; i++)
		hash[i] = ml_rng_u64(3, 4, i / 8);
	CHECK_STATUS(env, split(env, ML_SPLIT_RANDOM, 0.2, 0.2, false, NULL), ML_OK);
	for (size_t i = 0; i < ROWS; i++)
	{
		if (part[i] != part[i / 8 * 8])
			CHECK(!"duplicates are on both sides");
	}
	CHECK(count(ML_PART_TEST, -1) >= 196 && count(ML_PART_TEST, -1) <= 204);

	/* All rows alike: they train. */
	reset();
	memset(hash, 0, sizeof(hash));
	CHECK_STATUS(env, split(env, ML_SPLIT_RANDOM, 0.9, 0, false, NULL), ML_OK);
	CHECK(count(ML_PART_TRAIN, -1) == ROWS);
}

static void
test_unused(MlEnv *env)
{
	reset();
	for (size_t i = 0; i < ROWS; i += 2)
	{
		part[i] = ML_PART_UNUSED;
		class_of[i] = -1;
	}
	CHECK_STATUS(env, split(env, ML_SPLIT_STRATIFIED, 0.2, 0, true, NULL), ML_OK);
	CHECK(count(ML_PART_UNUSED, -1) == 500 && count(ML_PART_TEST, 0) == 70);
}

static void
test_time(MlEnv *env)
{
	double		when[ROWS];
	MlColumn	column = {.spec = {.name = "at", .type_name = "date", .kind = ML_NUMBER}, .number = when};
	bool		ok = true;

	reset();
	for (size_t i = 0; i < ROWS; i++)
		when[i] = (double) ((i * 37 % ROWS) / 3);	/* three rows a day, mixed */
	CHECK_STATUS(env, split(env, ML_SPLIT_TIME, 0.1, 0.1, true, &column), ML_OK);
	for (size_t i = 0; i < ROWS; i++)
	{
		for (size_t j = 0; j < ROWS; j++)
		{
			ok &= !(when[i] == when[j] && part[i] != part[j]);
			ok &= !(part[i] == ML_PART_TEST && part[j] != ML_PART_TEST && when[i] < when[j]);
			ok &= !(part[i] == ML_PART_VALIDATION && part[j] == ML_PART_TRAIN && when[i] < when[j]);
		}
	}
	CHECK(ok);
	CHECK(labs((long) count(ML_PART_TEST, -1) - 100) <= 2 && labs((long) count(ML_PART_VALIDATION, -1) - 100) <= 2);
	when[5] = NAN;
	CHECK_STATUS(env, split(env, ML_SPLIT_TIME, 0.1, 0.1, true, &column), ML_NULL_VALUE);
	CHECK_MESSAGE(env, "\"at\"");
	part[5] = ML_PART_UNUSED;
	CHECK_STATUS(env, split(env, ML_SPLIT_TIME, 0.1, 0.1, true, &column), ML_OK);
	column.spec.kind = ML_CATEGORY;
	CHECK_STATUS(env, split(env, ML_SPLIT_TIME, 0.1, 0.1, true, &column), ML_BAD_TYPE);
}

static void
test_group(MlEnv *env)
{
	static const char *const text[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
	static const uint32_t length[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
	int32_t		code[ROWS];
	MlColumn	column = {.spec = {.name = "who", .kind = ML_CATEGORY}, .code = code, .dictionary = {10, (const char **) text, length}};
	MlPart		of_code[10];
	bool		ok = true;

	reset();
	for (size_t i = 0; i < ROWS; i++)
		code[i] = (int32_t) (i % 10);
	CHECK_STATUS(env, split(env, ML_SPLIT_GROUP, 0.2, 0.1, true, &column), ML_OK);
	for (size_t i = 0; i < ROWS; i++)
		of_code[code[i]] = (MlPart) part[i];
	for (size_t i = 0; i < ROWS; i++)
		ok &= part[i] == of_code[code[i]];
	CHECK(ok);
	CHECK(count(ML_PART_TEST, -1) == 200 && count(ML_PART_VALIDATION, -1) == 100);
	code[0] = -1;
	CHECK_STATUS(env, split(env, ML_SPLIT_GROUP, 0.2, 0.1, true, &column), ML_NULL_VALUE);
}

static void
test_column(MlEnv *env)
{
	static const char *const text[] = {"test", "train", "validation", "dev"};
	static const uint32_t length[] = {4, 5, 10, 3};
	int32_t		code[ROWS];
	MlColumn	column = {.spec = {.name = "role", .kind = ML_CATEGORY}, .code = code, .dictionary = {4, (const char **) text, length}};

	reset();
	for (size_t i = 0; i < ROWS; i++)
		code[i] = i < 100 ? 0 : i < 150 ? 2 : 1;
	CHECK_STATUS(env, split(env, ML_SPLIT_COLUMN, 0.2, 0, true, &column), ML_OK);
	CHECK(count(ML_PART_TEST, -1) == 100 && count(ML_PART_VALIDATION, -1) == 50 && part[120] == ML_PART_VALIDATION);
	code[7] = 3;
	CHECK_STATUS(env, split(env, ML_SPLIT_COLUMN, 0.2, 0, true, &column), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "\"dev\"");
	code[7] = -1;
	CHECK_STATUS(env, split(env, ML_SPLIT_COLUMN, 0.2, 0, true, &column), ML_NULL_VALUE);
	column.spec.kind = ML_NUMBER;
	CHECK_STATUS(env, split(env, ML_SPLIT_COLUMN, 0.2, 0, true, &column), ML_BAD_TYPE);
}

static void
test_bad_arguments(MlEnv *env)
{
	MlSplitKind kind;

	reset();
	CHECK_STATUS(env, split(env, ML_SPLIT_RANDOM, 1, 0, false, NULL), ML_BAD_PARAM);
	CHECK_STATUS(env, split(env, ML_SPLIT_RANDOM, -0.1, 0, false, NULL), ML_BAD_PARAM);
	CHECK_STATUS(env, split(env, ML_SPLIT_RANDOM, NAN, 0, false, NULL), ML_BAD_PARAM);
	CHECK_STATUS(env, split(env, ML_SPLIT_RANDOM, 0.5, 0.5, false, NULL), ML_BAD_PARAM);
	CHECK_STATUS(env, split(env, ML_SPLIT_STRATIFIED, 0.2, 0, false, NULL), ML_BAD_PARAM);
	CHECK_STATUS(env, split(env, ML_SPLIT_TIME, 0.2, 0, false, NULL), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "split_by");
	CHECK_STATUS(env, ml_split_parse(env, "time", &kind), ML_OK);
	CHECK(kind == ML_SPLIT_TIME);
	CHECK_STATUS(env, ml_split_parse(env, "ramdom", &kind), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "Did you mean \"random\"?");
}

int
main(void)
{
	MlEnv	   *env = unit_env(1);

	test_shares(env);
	test_order(env);
	test_duplicates(env);
	test_unused(env);
	test_time(env);
	test_group(env);
	test_column(env);
	test_bad_arguments(env);
	unit_env_free(env);
	return unit_done();
}
