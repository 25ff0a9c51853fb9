/*-------------------------------------------------------------------------
 * test_frame.c
 *	  Rows appended and read back; hashes of rows.
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include <float.h>

#include "ml/base/rng.h"
#include "ml/base/simd.h"
#include "ml/base/text.h"
#include "ml/data/row_hash.h"
#include "tiny.h"

#define COLUMNS 4

static const MlColumnSpec specs[COLUMNS] = {
	{"number", "number", 0, 0, "real", ML_NUMBER, ML_LOGICAL_FLOAT, ML_ROLE_FEATURE, false},
	{"text", "text", 0, 0, "text", ML_CATEGORY, ML_LOGICAL_TEXT, ML_ROLE_FEATURE, false},
	{"key", "key", 0, 0, "bigint", ML_INTEGER_KEY, ML_LOGICAL_INTEGER, ML_ROLE_ID, false},
	{"hashed", "hashed", 0, 0, "text", ML_CATEGORY, ML_LOGICAL_TEXT, ML_ROLE_HASH, false}
};

static double
number_at(size_t row)
{
	return row % 5 == 2 ? NAN : ml_rng_uniform(1, 1, row) - 0.5;
}

static size_t
text_at(size_t row, char *text)
{
	return (size_t) sprintf(text, "%llx", (unsigned long long) (ml_rng_u64(1, 2, row) % 5000));
}

static MlStatus
build(MlEnv *env, size_t rows, MlFrame **frame)
{
	MlFrameBuilder *b;
	char		text[40];

	ML_TRY(ml_frame_begin(env, specs, COLUMNS, 1, &b));
	for (size_t i = 0; i < rows; i++)
	{
		ml_frame_number(b, 0, number_at(i));
		if (i % 7 != 0)
			ML_TRY(ml_frame_text(b, 1, text, text_at(i, text)));
		ml_frame_integer(b, 2, INT64_MAX - (int64_t) i);
		ML_TRY(ml_frame_text(b, 3, "same", 4));
		ML_TRY(ml_frame_end_row(b));
		if (ml_frame_rows(b) != i + 1)
			return ml_fail(env, ML_BAD_DATA, "rows are miscounted");
	}
	return ml_frame_finish(b, frame);
}

/* Around the sizes where the first block grows and where new ones begin. */
static void
test_sizes(void)
{
	static const size_t sizes[] = {0, 1, 1023, 1024, 1025, 4096, 65535, 65536, 65537, 200000};

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
	{
		MlEnv	   *env = unit_env(1);
		size_t		rows = sizes[s];
		bool		ok = true;
		size_t		missing[2] = {0};
		char		text[40];
		MlFrame    *f;

		CHECK_STATUS(env, build(env, rows, &f), ML_OK);
		CHECK(f->rows == rows && f->n_columns == 3);
		for (size_t i = 0; i < rows; i++)
		{
			double		v = number_at(i);
			int32_t		code = f->columns[1].code[i];

			missing[0] += isnan(v);
			missing[1] += i % 7 == 0;
			ok &= isnan(v) ? isnan(f->columns[0].number[i]) : f->columns[0].number[i] == v;
			ok &= f->columns[2].key[i] == INT64_MAX - (int64_t) i;
			if (i % 7 == 0)
				ok &= code == -1;
			else
				ok &= code >= 0 && code < f->columns[1].dictionary.count && f->columns[1].dictionary.length[code] == text_at(i, text) &&
					strcmp(f->columns[1].dictionary.text[code], text) == 0;
		}
		unit_check(ok, __FILE__, __LINE__, "%zu rows come back as they went in", rows);
		CHECK(f->columns[0].missing == missing[0] && f->columns[1].missing == missing[1] && f->columns[2].missing == 0);
		CHECK(rows < 100000 || f->columns[1].dictionary.count == 5000);
		unit_env_free(env);
	}
}

static MlFrame *
frame_of(MlEnv *env, bool shuffled, bool reversed, bool with_id, uint64_t seed)
{
	TinyTable	t = {.rows = 500, .target = TINY_TWO, .shuffled = shuffled, .reversed = reversed, .with_id = with_id};
	MlFrame    *f = NULL;

	CHECK_STATUS(env, tiny_frame(env, &t, seed, &f), ML_OK);
	return f;
}

static void
test_hashes(void)
{
	MlEnv	   *env = unit_env(1);
	MlFrame    *a = frame_of(env, false, false, false, 1);
	MlFrame    *columns = frame_of(env, true, false, false, 1);
	MlFrame    *rows = frame_of(env, false, true, false, 1);
	MlFrame    *seed = frame_of(env, false, false, false, 2);
	MlFrame    *id = frame_of(env, false, false, true, 1);
	bool		all = true;
	int			equal = 0;

	for (size_t i = 0; i < 500; i++)
	{
		all &= a->row_hash[i] == columns->row_hash[i] && a->row_hash[i] == rows->row_hash[499 - i];
		equal += a->row_hash[i] == seed->row_hash[i] || a->row_hash[i] == id->row_hash[i];
		for (size_t j = 0; j < i; j++)
			equal += a->row_hash[i] == a->row_hash[j];
	}
	CHECK(all);
	CHECK(equal == 0);
	CHECK(memcmp(a->content_hash, columns->content_hash, 16) == 0);
	CHECK(memcmp(a->content_hash, rows->content_hash, 16) == 0);
	CHECK(memcmp(a->content_hash, seed->content_hash, 16) == 0);
	CHECK(memcmp(a->content_hash, id->content_hash, 16) != 0);
	unit_env_free(env);
}

/* The hashes of rows of one value each. */
static void
test_equal_values(void)
{
	MlEnv	   *env = unit_env(1);
	MlFrameBuilder *b;
	MlFrame    *f;

	CHECK_STATUS(env, ml_frame_begin(env, specs, 2, 1, &b), ML_OK);
	ml_frame_number(b, 0, 0.0);
	ml_frame_end_row(b);
	ml_frame_number(b, 0, -0.0);
	ml_frame_end_row(b);
	ml_frame_number(b, 0, NAN);
	ml_frame_end_row(b);
	ml_frame_end_row(b);
	ml_frame_text(b, 1, "", 0);
	ml_frame_end_row(b);
	ml_frame_number(b, 0, 1);
	ml_frame_end_row(b);
	ml_frame_integer(b, 0, 1);
	ml_frame_end_row(b);
	ml_frame_integer(b, 0, (INT64_C(1) << 53) + 1);
	ml_frame_end_row(b);
	ml_frame_integer(b, 0, (INT64_C(1) << 53));
	ml_frame_end_row(b);
	CHECK_STATUS(env, ml_frame_finish(b, &f), ML_OK);
	CHECK(f->row_hash[0] == f->row_hash[1]);	/* 0 and -0 */
	CHECK(f->row_hash[2] == f->row_hash[3]);	/* NaN and NULL */
	CHECK(f->row_hash[3] != f->row_hash[4]);	/* NULL and the empty text */
	CHECK(f->row_hash[0] != f->row_hash[3]);
	CHECK(f->columns[1].code[4] == 0 && f->columns[1].dictionary.length[0] == 0);
	CHECK(!signbit(f->columns[0].number[1]));
	CHECK(f->row_hash[7] != f->row_hash[8] && f->columns[0].number[7] == f->columns[0].number[8] && f->columns[0].inexact);
	unit_env_free(env);
}

static void
test_id_missing(void)
{
	MlEnv	   *env = unit_env(1);
	MlFrameBuilder *b;
	MlFrame    *f;

	CHECK_STATUS(env, ml_frame_begin(env, specs, COLUMNS, 1, &b), ML_OK);
	for (int i = 0; i < 10; i++)
	{
		if (i % 3 != 0)
			ml_frame_integer(b, 2, i);
		CHECK_STATUS(env, ml_frame_end_row(b), ML_OK);
	}
	CHECK_STATUS(env, ml_frame_finish(b, &f), ML_OK);
	CHECK(f->columns[2].missing == 4);
	unit_env_free(env);
}

/* Memory: what is announced per row is what is kept, and joining never needs a second table. */
static void
test_memory(void)
{
	MlEnv	   *env = unit_env(1);
	MlColumnSpec wide[50];
	MlFrameBuilder *b;
	MlFrame    *f;
	size_t		rows = 300000;
	size_t		kept;

	for (int c = 0; c < 50; c++)
		wide[c] = (MlColumnSpec)
		{
			ml_printf(env, "c%d", c), "c", 0, 0, "real", ML_NUMBER, ML_LOGICAL_FLOAT, ML_ROLE_FEATURE, false
		};
	CHECK(ml_frame_bytes_per_row(wide, 50) == 51 * 8);
	CHECK_STATUS(env, ml_frame_begin(env, wide, 50, 1, &b), ML_OK);
	for (size_t i = 0; i < rows; i++)
	{
		for (int c = 0; c < 50; c++)
			ml_frame_number(b, c, (double) i);
		ml_frame_end_row(b);
	}
	CHECK_STATUS(env, ml_frame_finish(b, &f), ML_OK);
	kept = rows * ml_frame_bytes_per_row(wide, 50);
	CHECK(ml_arena_used(env->arena) < kept + (8 << 20));
	CHECK(ml_arena_peak(env->arena) < kept + kept / 4 + (8 << 20));
	unit_env_free(env);
}

static void
test_cardinality(void)
{
	MlEnv	   *env = unit_env(1);
	MlFrameBuilder *b;
	MlFrame    *f;
	bool		ok = true;
	char		text[40];

	CHECK_STATUS(env, ml_frame_begin(env, specs, 2, 1, &b), ML_OK);
	for (int i = 0; i < 200000; i++)
	{
		ml_frame_text(b, 1, text, (size_t) sprintf(text, "%d", i));
		ml_frame_end_row(b);
	}
	CHECK_STATUS(env, ml_frame_finish(b, &f), ML_OK);
	CHECK(f->columns[1].dictionary.count == 200000);
	for (int i = 0; i < 200000; i++)
		ok &= f->columns[1].code[i] == i && atoi(f->columns[1].dictionary.text[i]) == i;
	CHECK(ok);
	unit_env_free(env);
}

static void
test_limit(void)
{
	MlEnv	   *env = unit_env(1);
	MlFrame    *f;

	ml_arena_free(env->arena);
	env->arena = ml_arena_create(1 << 20);
	CHECK_STATUS(env, build(env, 200000, &f), ML_OVER_BUDGET);
	unit_env_free(env);
}

static void
test_roles(void)
{
	MlEnv	   *env = unit_env(1);
	MlColumnSpec twice[] = {specs[2], specs[2]};
	MlFrameBuilder *b;
	MlFrame    *f;

	CHECK_STATUS(env, ml_frame_begin(env, twice, 2, 1, &b), ML_BAD_PARAM);
	CHECK_STATUS(env, build(env, 3, &f), ML_OK);
	CHECK(ml_frame_column(f, ML_ROLE_ID) == &f->columns[2] && ml_frame_column(f, ML_ROLE_TARGET) == NULL);
	unit_env_free(env);
}

/* ---------------------------------------------------------- rows together */

#define WIDE 9
#define UNUSUAL 8				/* kinds of rows */

static const MlColumnSpec wide[WIDE] = {
	{"a", "a", 0, 0, "float8", ML_NUMBER, ML_LOGICAL_FLOAT, ML_ROLE_FEATURE, false, false},
	{"b", "b", 0, 0, "int8", ML_NUMBER, ML_LOGICAL_INTEGER, ML_ROLE_TARGET, false, false},
	{"c", "c", 0, 0, "text", ML_CATEGORY, ML_LOGICAL_TEXT, ML_ROLE_FEATURE, false, false},
	{"d", "d", 0, 0, "float8", ML_NUMBER, ML_LOGICAL_FLOAT, ML_ROLE_HASH, false, false},
	{"e", "e", 0, 0, "int8", ML_NUMBER, ML_LOGICAL_INTEGER, ML_ROLE_HASH, false, false},
	{"f", "f", 0, 0, "text", ML_CATEGORY, ML_LOGICAL_TEXT, ML_ROLE_HASH, false, false},
	{"b", "b", 0, 0, "int8", ML_CATEGORY, ML_LOGICAL_INTEGER, ML_ROLE_SPLIT, false, true},
	{"g", "g", 0, 0, "float8", ML_NUMBER, ML_LOGICAL_FLOAT, ML_ROLE_WEIGHT, false, true},
	{"id", "id", 0, 0, "int8", ML_INTEGER_KEY, ML_LOGICAL_INTEGER, ML_ROLE_ID, false, false}
};

/* NULL now and then, NaN, both zeros, infinity where it passes, integers beyond 2^53. */
static bool
wide_null(size_t row, int column)
{
	return column != WIDE - 1 && ml_rng_u64(7, (uint64_t) column, row) % 16 == 0;
}

static double
wide_number(size_t row, int column)
{
	static const double unusual[UNUSUAL] = {NAN, -0.0, 0.0, 1e308, 5e-324, -1, 0.5, 1};

	if (column == 3 && row % 11 == 0)
		return INFINITY;
	return unusual[ml_rng_u64(8, (uint64_t) column, row) % UNUSUAL];
}

static int64_t
wide_integer(size_t row, int column)
{
	static const int64_t unusual[UNUSUAL] = {0, -1, INT64_MAX, INT64_MIN, INT64_C(1) << 53, (INT64_C(1) << 53) + 1, 3, 4};

	return column == WIDE - 1 ? (int64_t) row : unusual[ml_rng_u64(9, (uint64_t) column, row) % (column == 4 ? 4 : UNUSUAL)];
}

static MlStatus
wide_single(MlFrameBuilder *b, size_t row)
{
	char		text[40];

	for (int c = 0; c < WIDE; c++)
	{
		if (wide_null(row, c))
			continue;
		if (wide[c].kind == ML_CATEGORY)
			ML_TRY(ml_frame_text(b, c, text, text_at(row, text)));
		else if (wide[c].logical == ML_LOGICAL_INTEGER)
			ml_frame_integer(b, c, wide_integer(row, c));
		else
			ml_frame_number(b, c, wide_number(row, c));
	}
	return ml_frame_end_row(b);
}

/* At most n rows from one on; n is set to how many there were. */
static MlStatus
wide_texts(MlFrameChunk *chunk)
{
	char		text[40];

	for (int c = 0; c < WIDE; c++)
	{
		for (size_t i = 0; i < chunk->n && wide[c].kind == ML_CATEGORY; i++)
			ML_TRY(ml_frame_text_of(chunk, c, i, wide_null(chunk->first + i, c) ? NULL : text, text_at(chunk->first + i, text)));
	}
	return ML_OK;
}

static void
wide_numbers_together(MlFrameChunk *chunk)
{
	double		number[ML_FRAME_TOGETHER];
	int64_t		integer[ML_FRAME_TOGETHER];
	bool		null[ML_FRAME_TOGETHER];

	for (int c = 0; c < WIDE; c++)
	{
		size_t		nulls = 0;

		for (size_t i = 0; i < chunk->n; i++)
		{
			null[i] = wide_null(chunk->first + i, c);
			nulls += null[i];
			number[i] = null[i] ? NAN : wide_number(chunk->first + i, c);
			integer[i] = wide_integer(chunk->first + i, c);
		}
		if (wide[c].kind != ML_CATEGORY && wide[c].logical == ML_LOGICAL_INTEGER)
			ml_frame_integers(chunk, c, integer, nulls > 0 ? null : NULL);
		else if (wide[c].kind != ML_CATEGORY)
			ml_frame_numbers(chunk, c, number, nulls);
	}
	ml_frame_chunk_hash(chunk);
}

/* step 0: every row for itself; else so many at once, two chunks open where that may be, the later one filled first. */
static MlStatus
wide_build(MlEnv *env, const MlColumnSpec *spec, int n_specs, size_t rows, size_t step, double expected, MlFrame **frame)
{
	MlFrameBuilder *b;
	MlFrameChunk *chunk[2];

	ML_TRY(ml_frame_begin(env, spec, n_specs, 5, &b));
	ML_TRY(ml_frame_expect(b, expected));
	ML_TRY(ml_frame_chunk_make(b, &chunk[0]));
	ML_TRY(ml_frame_chunk_make(b, &chunk[1]));
	while (ml_frame_rows(b) < rows)
	{
		size_t		row = ml_frame_rows(b);
		int			open = 0;

		if (step == 0)
		{
			ML_TRY(wide_single(b, row));
			continue;
		}
		while (open < 2 && row < rows && (open == 0 || !ml_frame_full(b)))
		{
			ML_TRY(ml_frame_chunk_begin(chunk[open], step < rows - row ? step : rows - row));
			if (chunk[open]->n == 0 || chunk[open]->first != row)
				return ml_fail(env, ML_BAD_DATA, "rows are miscounted");
			ML_TRY(wide_texts(chunk[open]));
			row += chunk[open++]->n;
		}
		for (int i = open - 1; i >= 0; i--)
			wide_numbers_together(chunk[i]);
		for (int i = 0; i < open; i++)
			ml_frame_chunk_end(chunk[i]);
		if (ml_frame_rows(b) != row)
			return ml_fail(env, ML_BAD_DATA, "rows are miscounted");
	}
	return ml_frame_finish(b, frame);
}

static bool
same_column(const MlColumn *a, const MlColumn *b, size_t rows)
{
	size_t		width = a->code != NULL ? sizeof(int32_t) : sizeof(double);
	const void *cells_a = a->code != NULL ? (void *) a->code : a->key != NULL ? (void *) a->key : (void *) a->number;
	const void *cells_b = b->code != NULL ? (void *) b->code : b->key != NULL ? (void *) b->key : (void *) b->number;

	if (a->missing != b->missing || a->nan != b->nan || a->inexact != b->inexact || a->dictionary.count != b->dictionary.count)
		return false;
	for (int32_t i = 0; i < a->dictionary.count; i++)
	{
		if (strcmp(a->dictionary.text[i], b->dictionary.text[i]) != 0)
			return false;
	}
	return rows == 0 || memcmp(cells_a, cells_b, rows * width) == 0;
}

static bool
same_frame(const MlFrame *a, const MlFrame *b)
{
	if (a->rows != b->rows || a->n_columns != b->n_columns || memcmp(a->content_hash, b->content_hash, sizeof(a->content_hash)) != 0 ||
		(a->rows > 0 && memcmp(a->row_hash, b->row_hash, a->rows * sizeof(uint64_t)) != 0))
		return false;
	for (int c = 0; c < a->n_columns; c++)
	{
		if (!same_column(&a->columns[c], &b->columns[c], a->rows))
			return false;
	}
	return true;
}

/* Whatever rows come in: the same frame, bit for bit; with an id, and without one. */
static void
test_together(void)
{
	static const size_t sizes[] = {0, 1, 255, 256, 257, 1023, 1024, 1025, 65535, 65536, 65537, 140000};
	static const size_t steps[] = {1, 44, 291, 1024, 100000};
	static const double expected[] = {0, 1, 70000, 140000, 1e30, NAN};

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
	{
		MlEnv	   *env = unit_env(1);
		MlFrame    *single;

		CHECK_STATUS(env, wide_build(env, wide, WIDE, sizes[s], 0, 0, &single), ML_OK);
		for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		{
			double		rows = expected[(s + i) % (sizeof(expected) / sizeof(expected[0]))];
			MlEnv	   *other = unit_env(1);
			MlFrame    *frame;

			ml_arena_free(other->arena);
			other->arena = ml_arena_create((size_t) 64 * 1024 * 1024);
			CHECK_STATUS(other, wide_build(other, wide, WIDE, sizes[s], steps[i], rows, &frame), ML_OK);
			unit_check(same_frame(single, frame), __FILE__, __LINE__, "%zu rows, %zu at once, %g expected", sizes[s], steps[i], rows);
			unit_env_free(other);
		}
		unit_env_free(env);
	}
}

/* An id that is a number or a text may be missing: counted as with single rows. */
static void
test_together_id(void)
{
	for (int id = 0; id < 3; id += 2)
	{
		MlEnv	   *env = unit_env(1);
		MlColumnSpec spec[WIDE];
		MlFrame    *single;
		MlFrame    *together;

		memcpy(spec, wide, sizeof(wide));
		spec[WIDE - 1].roles = ML_ROLE_FEATURE;
		spec[id].roles |= ML_ROLE_ID;
		CHECK_STATUS(env, wide_build(env, spec, WIDE, 5000, 0, 0, &single), ML_OK);
		CHECK_STATUS(env, wide_build(env, spec, WIDE, 5000, 44, 5000, &together), ML_OK);
		CHECK(same_frame(single, together));
		unit_env_free(env);
	}
}

/* The hash of many numbers is that of each, on every tier, and what is odd among them is seen. */
static void
test_number_hashes(void)
{
	static const double hostile[] = {0, -0.0, 1, -1, 5e-324, -5e-324, DBL_MAX, -DBL_MAX, DBL_MIN, 0.1, 1e300};
	static double values[1000];
	static uint64_t sum[1000];
	uint64_t	key = ml_hash_bytes(0, "column", 6);

	for (int tier = ML_TIER_BASELINE; tier <= ML_TIER_AVX512; tier++)
	{
		size_t		wrong = 0;

		ml_simd_limit((MlSimdTier) tier);
		for (size_t n = 0; n < 1000; n += n < 40 ? 1 : 96)
		{
			size_t		missing = 0;
			MlNumbersSeen seen;

			for (size_t i = 0; i < n; i++)
			{
				uint64_t	bits = ml_rng_u64(1, n, i) & ~(UINT64_C(1) << 62);	/* any but NaN and infinity */

				memcpy(&values[i], &bits, sizeof(bits));
				if (i % 5 == 0)
					values[i] = hostile[i / 5 % 11];
				if (i % 7 == 3)
					values[i] = i % 2 == 0 ? NAN : -NAN;
				missing += isnan(values[i]);
				sum[i] = i;
			}
			seen = ml_hash_numbers(values, n, key, 12345, sum);
			wrong += seen.missing != missing || seen.infinite;
			for (size_t i = 0; i < n; i++)
				wrong += sum[i] != i + (isnan(values[i]) ? 12345 : ml_hash_number(values[i], key));
			if (n == 0)
				continue;
			values[n - 1] = n % 2 == 0 ? INFINITY : -INFINITY;
			wrong += !ml_hash_numbers(values, n, key, 12345, NULL).infinite;
		}
		unit_check(wrong == 0, __FILE__, __LINE__, "hashes of numbers, tier %d", tier);
	}
}

int
main(void)
{
	test_together();
	test_together_id();
	test_sizes();
	test_hashes();
	test_equal_values();
	test_id_missing();
	test_memory();
	test_cardinality();
	test_limit();
	test_roles();
	test_number_hashes();
	return unit_done();
}
