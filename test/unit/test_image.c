/*-------------------------------------------------------------------------
 * test_image.c
 *	  Model images: what is written comes back; damage of every kind is an error
 *	  or still a model that can be run, whatever the bytes.
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "image.h"

/* Rows together, whole blocks or not, give the bits of rows one by one. */
static void
test_batch(const MlModel *model)
{
	static double x[6 * ML_BATCH_ROWS];
	static double together[64 * ML_BATCH_ROWS];
	double		alone[64];
	bool		same = true;

	for (int f = 0; f < 6; f++)
		for (int i = 0; i < ML_BATCH_ROWS; i++)
			x[f * ML_BATCH_ROWS + i] = i % 11 == f ? NAN : f == 3 ? i % 6 : f == 2 ? i % 2 : tiny_random((size_t) i, 20 + f);
	for (int n = 1; n <= ML_BATCH_ROWS; n += n == 1 ? 6 : n == 7 ? 33 : 24)
	{
		ml_model_predict_batch(model, x, (size_t) n, together);
		for (int i = 0; i < n; i++)
		{
			double		row[6];

			for (int f = 0; f < 6; f++)
				row[f] = x[f * ML_BATCH_ROWS + i];
			ml_model_predict(model, row, alone);
			same &= memcmp(alone, together + i * model->n_out, (size_t) model->n_out * sizeof(double)) == 0;
		}
	}
	CHECK(same);
}

/* Every prediction is the same to the bit after saving and loading, and so is the image. */
static void
test_round_trip(const MlMethod *method, TinyTarget target)
{
	MlEnv	   *env = unit_env(1);
	TinyTable	t = {.rows = 300, .target = target};
	MlTrainResult *r;
	MlModel    *again;
	uint8_t    *bytes;
	size_t		length;
	double		a[64],
				b[64];
	bool		same = true;

	CHECK_STATUS(env, tiny_train(env, method, &t, &r), ML_OK);
	CHECK_STATUS(env, ml_model_load(env, r->image, r->image_length, &again), ML_OK);
	CHECK_STATUS(env, ml_model_save(env, again, &bytes, &length), ML_OK);
	CHECK(length == r->image_length && memcmp(bytes, r->image, length) == 0);
	for (int i = 0; i < 500; i++)
	{
		double		x[6] = {tiny_random((size_t) i, 20), i % 50, i % 2, i % 6, tiny_random((size_t) i, 21), NAN};

		ml_model_predict(r->model, x, a);
		ml_model_predict(again, x, b);
		same &= memcmp(a, b, (size_t) r->model->n_out * sizeof(double)) == 0;
	}
	CHECK(same);
	test_batch(r->model);
	unit_env_free(env);
}

/*
 * A model decoded into memory of the caller lies wholly in it: with all other memory of the decoding gone, and the memory written by nobody
 * any more, it predicts the same.  (Under AddressSanitizer a pointer to elsewhere is seen.)
 */
static void
test_within(const MlMethod *method, TinyTarget target)
{
	MlEnv	   *env = unit_env(1);
	MlEnv	   *own = unit_env(1);
	MlEnv	   *within = unit_env(1);
	TinyTable	t = {.rows = 300, .target = target};
	MlTrainResult *r;
	MlModel    *model;
	MlModel		handle;
	size_t		demand;
	void	   *memory = NULL;
	uint8_t    *image;
	double	   *a;
	double	   *b;
	bool		same = true;

	CHECK_STATUS(env, tiny_train(env, method, &t, &r), ML_OK);
	image = malloc(r->image_length);
	memcpy(image, r->image, r->image_length);
	CHECK_STATUS(own, ml_model_load(own, image, r->image_length, &model), ML_OK);
	demand = ml_arena_demand(own->arena);
	unit_env_free(own);
	CHECK(posix_memalign(&memory, 64, demand) == 0);
	ml_arena_free(within->arena);
	within->arena = ml_arena_create_in(memory, demand);
	CHECK_STATUS(within, ml_model_load(within, image, r->image_length, &model), ML_OK);
	unit_env_free(within);
	memset(image, 0xA5, r->image_length);
	free(image);
	CHECK_STATUS(env, ml_model_share(env, model, &handle), ML_OK);
	a = ml_alloc0(env, (size_t) r->model->n_out, sizeof(double));
	b = ml_alloc0(env, (size_t) r->model->n_out, sizeof(double));
	for (int i = 0; i < 500; i++)
	{
		double		x[6] = {tiny_random((size_t) i, 20), i % 50, i % 2, i % 6, tiny_random((size_t) i, 21), NAN};

		ml_model_predict(r->model, x, a);
		ml_model_predict(&handle, x, b);
		same &= memcmp(a, b, (size_t) r->model->n_out * sizeof(double)) == 0;
	}
	CHECK(same);
	free(memory);
	unit_env_free(env);
}

/* Loaded without what is made for many rows, a model answers with the same bits; so it does when it gets that from other memory. */
static void
test_lean(const MlMethod *method, TinyTarget target)
{
	MlEnv	   *env = unit_env(1);
	MlEnv	   *later = unit_env(1);
	TinyTable	t = {.rows = 300, .target = target};
	MlTrainResult *r;
	MlModel    *lean;
	const void *before;
	double	   *a;
	double	   *b;
	bool		same = true;

	CHECK_STATUS(env, tiny_train(env, method, &t, &r), ML_OK);
	CHECK_STATUS(env, ml_model_load_lean(env, r->image, r->image_length, &lean), ML_OK);
	CHECK(r->model->patience == 0);
	CHECK((lean->patience > 0) == (method->hasten != NULL));
	before = lean->fitted;
	a = ml_alloc0(env, (size_t) r->model->n_out, sizeof(double));
	b = ml_alloc0(env, (size_t) r->model->n_out, sizeof(double));
	for (int i = 0; i < 500; i++)
	{
		double		x[6] = {tiny_random((size_t) i, 20), i % 50, i % 2, i % 6, tiny_random((size_t) i, 21), NAN};

		if (i == 250)
		{
			CHECK_STATUS(later, ml_model_hasten(later, lean), ML_OK);
			CHECK(lean->patience == 0 && (lean->fitted != before) == (method->hasten != NULL));
			before = lean->fitted;
			CHECK_STATUS(later, ml_model_hasten(later, lean), ML_OK);	/* once is enough */
			CHECK(lean->fitted == before);
		}
		ml_model_predict(r->model, x, a);
		ml_model_predict(lean, x, b);
		same &= memcmp(a, b, (size_t) r->model->n_out * sizeof(double)) == 0;
	}
	CHECK(same);
	CHECK(ml_model_cost(lean) == ml_model_cost(r->model));
	test_batch(lean);
	unit_env_free(later);
	unit_env_free(env);
}

/* Where memory for that is short, the model stays as it was. */
static void
test_lean_without_memory(const MlMethod *method, TinyTarget target)
{
	MlEnv	   *env = unit_env(1);
	TinyTable	t = {.rows = 300, .target = target};
	MlTrainResult *r;
	MlModel    *lean;
	bool		hastened = false;

	if (method->hasten == NULL || !CHECK(tiny_train(env, method, &t, &r) == ML_OK))
		return;
	CHECK_STATUS(env, ml_model_load_lean(env, r->image, r->image_length, &lean), ML_OK);
	for (size_t bytes = 64; bytes < 1024 * 1024 && !hastened; bytes *= 2)
	{
		MlModel		before = *lean;
		MlEnv	   *within = unit_env(1);
		void	   *memory = NULL;

		CHECK(posix_memalign(&memory, 64, bytes) == 0);
		ml_arena_free(within->arena);
		within->arena = ml_arena_create_in(memory, bytes);
		hastened = ml_model_hasten(within, lean) == ML_OK;
		if (!hastened)
		{
			CHECK(bytes < 512 * 1024);
			CHECK(memcmp(&before, lean, sizeof(before)) == 0);
			test_batch(lean);
		}
		unit_env_free(within);
		if (hastened)
			test_batch(lean);
		free(memory);
	}
	CHECK(hastened);
	unit_env_free(env);
}

/* Where it has too little, decoding fails; nothing beyond it is touched. */
static void
test_within_too_little(const MlMethod *method, TinyTarget target)
{
	MlEnv	   *env = unit_env(1);
	TinyTable	t = {.rows = 300, .target = target};
	MlTrainResult *r;
	MlModel    *model;
	bool		loads = false;
	bool		loaded = false;

	if (!CHECK(tiny_train(env, method, &t, &r) == ML_OK))
		return;
	for (size_t bytes = 64; bytes < 4096; bytes += 64)
	{
		MlEnv	   *within = unit_env(1);
		void	   *memory = NULL;

		CHECK(posix_memalign(&memory, 64, bytes) == 0);
		ml_arena_free(within->arena);
		within->arena = ml_arena_create_in(memory, bytes);
		loaded = ml_model_load(within, r->image, r->image_length, &model) == ML_OK;
		if (loads != loaded)
			CHECK(loaded && bytes > 1024);	/* from some size on it is enough */
		loads = loaded;
		unit_env_free(within);
		free(memory);
	}
	unit_env_free(env);
}

/* Of a long image the beginning is damaged in each place, the rest in one of so many: about this many in all. */
#define WHOLE 1024

static size_t
next_place(size_t at, size_t length, size_t most)
{
	return at < WHOLE || length <= most ? at + 1 : at + length / most + 1;
}

static void
test_truncated(const TestImage *image)
{
	uint8_t    *copy = malloc(image->length);
	size_t		accepted = 0;
	size_t		wrong = 0;

	for (size_t n = 0; n < image->length; n = next_place(n, image->length, 3000))
	{
		MlStatus	status = image_try(image->bytes, n, NULL);

		wrong += status != ML_CORRUPT;
		memcpy(copy, image->bytes, n);
		image_patch(copy, n);
		accepted += image_try(copy, n, NULL) == ML_OK;
	}
	unit_check(accepted == 0 && wrong == 0, __FILE__, __LINE__, "%s cut at each of %zu bytes (of many: at some)", image->method, image->length);
	free(copy);
}

static void
test_bits(const TestImage *image)
{
	uint8_t    *copy = malloc(image->length);
	size_t		unnoticed = 0;
	size_t		other = 0;
	size_t		loaded = 0;

	for (size_t bit = 0; bit < 8 * image->length; bit = next_place(bit, 8 * image->length, 12000))
	{
		MlStatus	status;

		memcpy(copy, image->bytes, image->length);
		copy[bit / 8] ^= (uint8_t) (1 << (bit % 8));
		unnoticed += image_try(copy, image->length, NULL) == ML_OK;
		if (bit / 8 < ML_IMAGE_HEADER)
			continue;
		image_patch(copy, image->length);
		status = image_try(copy, image->length, NULL);
		loaded += status == ML_OK;
		other += status != ML_OK && status != ML_CORRUPT && status != ML_NEWER_FORMAT;
	}
	unit_check(unnoticed == 0, __FILE__, __LINE__, "%s: each flipped bit is noticed", image->method);
	unit_check(other == 0, __FILE__, __LINE__, "%s: with the checksum patched, %zu of %zu load and run", image->method, loaded, 8 * image->length);
	free(copy);
}

/* Four bytes at a time become what counts, lengths and indexes are most afraid of. */
static void
test_words(const TestImage *image)
{
	static const uint32_t words[] = {0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0x10000000, 0x00010000};
	uint8_t    *copy = malloc(image->length);
	size_t		other = 0;

	for (size_t at = ML_IMAGE_HEADER; at + 4 <= image->length; at = next_place(at, image->length, 2000))
	{
		for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++)
		{
			MlStatus	status;

			memcpy(copy, image->bytes, image->length);
			memcpy(copy + at, &words[w], 4);
			image_patch(copy, image->length);
			status = image_try(copy, image->length, NULL);
			other += status != ML_OK && status != ML_CORRUPT && status != ML_NEWER_FORMAT;
		}
	}
	unit_check(other == 0, __FILE__, __LINE__, "%s with large numbers in each place", image->method);
	free(copy);
}

static void
test_header(const TestImage *image)
{
	uint8_t    *copy = malloc(image->length + 1);
	MlError		error;

	memcpy(copy, image->bytes, image->length);
	copy[8] = ML_IMAGE_FORMAT + 1;
	CHECK(image_try(copy, image->length, &error) == ML_NEWER_FORMAT);
	CHECK(strstr(error.hint, "Upgrade") != NULL);
	copy[8] = 0;
	CHECK(image_try(copy, image->length, &error) == ML_CORRUPT);
	copy[8] = image->bytes[8];
	copy[image->length] = 0;
	CHECK(image_try(copy, image->length + 1, &error) == ML_CORRUPT);
	image_patch(copy, image->length + 1);
	CHECK(image_try(copy, image->length + 1, &error) == ML_CORRUPT);
	CHECK(strstr(error.message, "left over") != NULL);
	CHECK(image_try((const uint8_t *) "", 0, &error) == ML_CORRUPT);
	CHECK(image_try((const uint8_t *) "M", 1, &error) == ML_CORRUPT);
	memcpy(copy, image->bytes, image->length);
	copy[ML_IMAGE_HEADER + 4] = '0';	/* first letter of the algorithm */
	image_patch(copy, image->length);
	CHECK(image_try(copy, image->length, &error) == ML_NEWER_FORMAT);
	copy[ML_IMAGE_HEADER + 4] = '\n';
	image_patch(copy, image->length);
	CHECK(image_try(copy, image->length, &error) == ML_CORRUPT);
	free(copy);
}

/* ------------------------------------------------------------------------
 * Schemas with one thing wrong
 * ------------------------------------------------------------------------
 */

static void
load_schema(const MlSchema *schema, MlStatus want, const char *what)
{
	MlEnv	   *env = unit_env(1);
	MlSchema   *back;
	MlWriter	w;
	MlReader	r;
	MlStatus	status;

	ml_writer_init(&w, env);
	ml_schema_save(schema, &w);
	ml_reader_init(&r, env, w.bytes, w.length);
	status = ml_schema_load(&r, &back);
	unit_check(status == want && env->error.status == want, __FILE__, __LINE__, "schema with %s: %d %s", what, status, env->error.message);
	if (status == ML_OK)
	{
		CHECK(ml_reader_end(&r) == ML_OK);
		CHECK(ml_feature_code(&back->features[1], "b", 1) == 1 && ml_feature_code(&back->features[1], "c", 1) == 2 && ml_feature_code(&back->features[1], "", 0) == 2);
		CHECK_TEXT(back->classes[1], "two");
	}
	unit_env_free(env);
}

static void
test_schemas(void)
{
	const char *levels[] = {"a", "b"};
	const char *classes[] = {"one", "two"};
	double		values[] = {1, 2};
	MlFeature	good[] = {
		{"x", "x", 1, 3, "real[]", ML_LOGICAL_FLOAT, ML_FEATURE_NUMBER, 0, NULL, NULL},
		{"c", "c", 0, 0, "text", ML_LOGICAL_TEXT, ML_FEATURE_CATEGORY, 2, levels, NULL}
	};
	MlFeature	f[2];
	MlSchema	base = {ML_TASK_CLASSIFICATION, 2, f, "y", "text", ML_LOGICAL_TEXT, 2, classes, values};
	MlSchema	s;

#define BAD(what, change) \
	do { \
		memcpy(f, good, sizeof(f)); \
		s = base; \
		change; \
		load_schema(&s, ML_CORRUPT, what); \
	} while (0)

	memcpy(f, good, sizeof(f));
	load_schema(&base, ML_OK, "nothing wrong");
	BAD("an unknown task", s.task = (MlTask) 3);
	BAD("classes of a regression", s.task = ML_TASK_REGRESSION);
	BAD("one class", s.n_classes = 1);
	BAD("no target", s.target = NULL);
	BAD("an unknown type", s.target_logical = (MlLogicalType) 9);
	BAD("a class twice", classes[1] = "one");
	classes[1] = "two";
	BAD("an infinite class", values[0] = INFINITY);
	values[0] = 1;
	BAD("no features", s.n_features = 0);
	BAD("a nameless feature", f[0].name = NULL);
	BAD("a feature twice", f[0].name = "c");
	BAD("an element beyond its array", f[0].element = 4);
	BAD("an element of no array", f[0].elements = 0);
	BAD("a negative element", f[0].element = -1);
	BAD("an unknown kind", f[0].kind = (MlFeatureKind) 2);
	BAD("levels of a number", f[1].kind = ML_FEATURE_NUMBER);
	BAD("a category without levels", f[1].levels = 0);
	BAD("a level twice", levels[1] = "a");
	levels[1] = "b";
	BAD("no level text", levels[0] = NULL);
	levels[0] = "a";
}

int
main(void)
{
	test_schemas();
	for (const MlMethod *const *method = ml_methods; *method != NULL; method++)
	{
		for (int target = 0; target < TINY_TARGETS; target++)
		{
			TestImage	image;

			if (!tiny_method_can(*method, (TinyTarget) target))
				continue;
			test_round_trip(*method, (TinyTarget) target);
			test_within(*method, (TinyTarget) target);
			test_within_too_little(*method, (TinyTarget) target);
			test_lean(*method, (TinyTarget) target);
			test_lean_without_memory(*method, (TinyTarget) target);
			image = image_make(*method, (TinyTarget) target);
			if (!CHECK(image.length > 0))
				continue;
			CHECK(image_try(image.bytes, image.length, NULL) == ML_OK);
			test_header(&image);
			test_truncated(&image);
			test_bits(&image);
			test_words(&image);
			free(image.bytes);
		}
	}
	return unit_done();
}
