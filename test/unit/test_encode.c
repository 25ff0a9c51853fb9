/*-------------------------------------------------------------------------
 * test_encode.c
 *	  Codes of categories, what is left out, and that names find them again.
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "ml/base/rng.h"
#include "ml/data/encode.h"

static MlFrame *
text_frame(MlEnv *env, const char *const *texts, size_t n)
{
	MlColumnSpec spec = {"c", "c", 0, 0, "text", ML_CATEGORY, ML_LOGICAL_TEXT, ML_ROLE_FEATURE, false};
	MlFrameBuilder *b;
	MlFrame    *frame = NULL;

	CHECK_STATUS(env, ml_frame_begin(env, &spec, 1, 1, &b), ML_OK);
	for (size_t i = 0; i < n; i++)
	{
		if (texts[i] != NULL)
			ml_frame_text(b, 0, texts[i], strlen(texts[i]));
		ml_frame_end_row(b);
	}
	CHECK_STATUS(env, ml_frame_finish(b, &frame), ML_OK);
	return frame;
}

/* Most frequent first, ties in byte order; what only the test part has is "other". */
static void
test_codes(void)
{
	static const char *const texts[] = {"z", "b", "a", "b", NULL, "a", "c", "late", "c", NULL, "b"};
	static const size_t order[] = {10, 6, 5, 4, 3, 2, 1, 0, 7, 8, 9};	/* the last three are the test part */
	static const int32_t want[] = {0, 2, 1, -1, 0, 1, 0, 3, 4, 2, -1};
	MlEnv	   *env = unit_env(1);
	MlFrame    *frame = text_frame(env, texts, 11);
	MlSchema	schema = {0};
	MlDataColumn *columns;
	const char **excluded;

	CHECK_STATUS(env, ml_encode(env, frame, &(MlEncodeRows) {.order = order, .n_train = 8, .n = 11}, &schema, &columns, &excluded), ML_OK);
	CHECK(schema.n_features == 1 && schema.features[0].levels == 4 && excluded[0] == NULL);
	CHECK_TEXT(schema.features[0].level[0], "b");
	CHECK_TEXT(schema.features[0].level[1], "a");
	CHECK_TEXT(schema.features[0].level[2], "c");
	CHECK_TEXT(schema.features[0].level[3], "z");
	CHECK(memcmp(columns[0].code, want, sizeof(want)) == 0);
	for (int32_t i = 0; i < 4; i++)
		CHECK(ml_feature_code(&schema.features[0], schema.features[0].level[i], 1) == i);
	CHECK(ml_feature_code(&schema.features[0], "late", 4) == 4 && ml_feature_code(&schema.features[0], "B", 1) == 4);
	unit_env_free(env);
}

/* More categories than codes: the most frequent keep theirs. */
static void
test_cap(void)
{
	size_t		n = 3 * 70000;
	MlEnv	   *env = unit_env(2);
	const char **texts = ml_alloc(env, n, sizeof(char *));
	size_t	   *order = ml_alloc(env, n, sizeof(size_t));
	MlFrame    *frame;
	MlSchema	schema = {0};
	MlDataColumn *columns;
	const char **excluded;
	bool		ok = true;

	for (size_t i = 0; i < n; i++)
	{
		size_t		category = i % 70000;

		/* Categories from 65000 on come once, the others three times. */
		texts[i] = category < 65000 || i < 70000 ? ml_printf(env, "%zu", category) : NULL;
		order[i] = i;
	}
	frame = text_frame(env, texts, n);
	CHECK_STATUS(env, ml_encode(env, frame, &(MlEncodeRows) {.order = order, .n_train = n, .n = n}, &schema, &columns, &excluded), ML_OK);
	CHECK(schema.features[0].levels == ML_MAX_LEVELS);
	CHECK(env->n_warnings == 1 && strstr(env->warnings->text, "\"c\" has 70000 categories; the 4466 rarest") != NULL);
	for (size_t i = 0; i < n; i++)
	{
		size_t		category = i % 70000;

		if (category < 65000)
			ok &= columns[0].code[i] >= 0 && columns[0].code[i] < 65000;
		else if (i < 70000)
			ok &= columns[0].code[i] >= 65000 && columns[0].code[i] <= ML_MAX_LEVELS;
		else
			ok &= columns[0].code[i] == -1;
	}
	CHECK(ok);
	unit_env_free(env);
}

/* An array of four: one element constant, one never there. */
static MlStatus
encode_array(MlEnv *env, bool named, int varying, MlSchema *schema, const char ***excluded)
{
	MlColumnSpec specs[4];
	MlFrameBuilder *b;
	MlFrame    *frame;
	MlDataColumn *columns;
	size_t		order[50];

	for (int e = 0; e < 4; e++)
		specs[e] = (MlColumnSpec)
		{
			ml_printf(env, "p[%d]", e + 1), "p", e + 1, 4, "real[]", ML_NUMBER, ML_LOGICAL_FLOAT, ML_ROLE_FEATURE, named
		};
	ML_TRY(ml_frame_begin(env, specs, 4, 1, &b));
	for (int i = 0; i < 50; i++)
	{
		for (int e = 0; e < 3; e++)
			ml_frame_number(b, e, e < varying ? i : 7);
		ML_TRY(ml_frame_end_row(b));
		order[i] = (size_t) i;
	}
	ML_TRY(ml_frame_finish(b, &frame));
	return ml_encode(env, frame, &(MlEncodeRows) {.order = order, .n_train = 40, .n = 50}, schema, &columns, excluded);
}

static void
test_arrays(void)
{
	MlEnv	   *env = unit_env(1);
	MlSchema	schema = {0};
	const char **excluded;

	CHECK_STATUS(env, encode_array(env, true, 2, &schema, &excluded), ML_OK);
	CHECK(schema.n_features == 2 && schema.features[1].element == 2 && schema.features[1].elements == 4);
	CHECK_TEXT(schema.features[1].name, "p[2]");
	CHECK_TEXT(excluded[0], "p: 1 of 4 elements left out: no value in the training part");
	CHECK_TEXT(excluded[1], "p: 1 of 4 elements left out: the same value in all rows of the training part");
	CHECK(excluded[2] == NULL);
	CHECK_STATUS(env, encode_array(env, true, 0, &schema, &excluded), ML_BAD_TYPE);
	CHECK_MESSAGE(env, "\"p\"");
	CHECK_STATUS(env, encode_array(env, false, 0, &schema, &excluded), ML_BAD_DATA);
	unit_env_free(env);
}

int
main(void)
{
	test_codes();
	test_cap();
	test_arrays();
	return unit_done();
}
