/*-------------------------------------------------------------------------
 * image.h
 *	  Model images for tests: made, patched, loaded and run.
 *-------------------------------------------------------------------------
 */
#ifndef IMAGE_H
#define IMAGE_H

#include <stdlib.h>

#include "tiny.h"

typedef struct TestImage
{
	const char *method;
	uint8_t    *bytes;			/* malloc'ed */
	size_t		length;
} TestImage;

/* A small image of a method; length 0 when it cannot be trained. */
static inline TestImage
image_make(const MlMethod *method, TinyTarget target)
{
	TinyTable	t = {.rows = 80, .target = target};
	TestImage	image = {.method = method->name};
	MlTrainResult *result;
	MlEnv		env = {.arena = ml_arena_create(0), .threads = 1, .seed = 42};

	if (tiny_train(&env, method, &t, &result) == ML_OK)
	{
		image.length = result->image_length;
		image.bytes = malloc(image.length);
		memcpy(image.bytes, result->image, image.length);
	}
	else
		fprintf(stderr, "%s: %s\n", method->name, env.error.message);
	ml_arena_free(env.arena);
	return image;
}

/* The same behind an encoding with a step of each kind that the table allows. */
static inline TestImage
image_make_encoded(const MlMethod *method, TinyTarget target)
{
	MlStep		steps[6];
	MlPrepColumn columns[] = {{"x", 3, &steps[0]}, {"n", 1, &steps[3]}, {"city", 1, &steps[4]}, {"flag", 1, &steps[5]}};
	MlPrepSpec	prep = {4, columns};
	TinyTable	t = {.rows = 80, .target = target};
	TestImage	image = {.method = method->name};
	MlEnv		env = {.arena = ml_arena_create(0), .threads = 1, .seed = 42, .dense = ml_dense_table()};
	MlTrainResult *result;
	MlParams   *params;
	MlFrame    *frame;

	ml_step_init(&steps[0], ML_STEP_MISSING_INDICATOR);
	ml_step_init(&steps[1], ML_STEP_IMPUTE_MEAN);
	ml_step_init(&steps[2], ML_STEP_STANDARD);
	ml_step_init(&steps[3], ML_STEP_QUANTILE_BUCKETS);
	ml_step_init(&steps[4], target == TINY_NONE ? ML_STEP_FREQUENCY : ML_STEP_TARGET_ENCODE);
	ml_step_init(&steps[5], ML_STEP_ONE_HOT);
	if (tiny_params(&env, method, &params) == ML_OK && tiny_frame(&env, &t, 42, &frame) == ML_OK)
	{
		MlTrainSpec spec = tiny_spec(method, params);

		spec.prep = &prep;
		if (ml_pipeline_run(&env, &spec, frame, &result) == ML_OK)
		{
			image.length = result->image_length;
			image.bytes = malloc(image.length);
			memcpy(image.bytes, result->image, image.length);
		}
	}
	if (image.length == 0)
		fprintf(stderr, "%s: %s\n", method->name, env.error.message);
	ml_arena_free(env.arena);
	return image;
}

/* Makes length and checksum fit the bytes, so that only what is inside is judged. */
static inline void
image_patch(uint8_t *bytes, size_t length)
{
	uint64_t	size = length;
	uint32_t	crc;

	if (length < ML_IMAGE_HEADER)
		return;
	crc = ml_crc32c(bytes + ML_IMAGE_HEADER, length - ML_IMAGE_HEADER);
	for (int i = 0; i < 8; i++)
		bytes[12 + i] = (uint8_t) (size >> (8 * i));
	for (int i = 0; i < 4; i++)
		bytes[20 + i] = (uint8_t) (crc >> (8 * i));
}

/* Explains a row; a model whose explainer does not fit into memory is none the worse for it. */
static inline void
image_explain(MlEnv *env, const MlModel *model, const double *x, double *contribution, void **explainer)
{
	double		baseline;

	if (model->method->explainer == NULL)
		return;
	if (*explainer == NULL && model->method->explainer(env, model->fitted, model->encoded, explainer) != ML_OK)
	{
		if (env->error.status != ML_OVER_BUDGET && env->error.status != ML_TOO_LARGE)
			abort();
		env->error.status = ML_OK;
		return;
	}
	model->method->explain(*explainer, ml_model_encode(model, x), model->n_out - 1, contribution, &baseline);
}

/* Where a row lies, for models that say so. */
static inline void
image_coordinates(MlEnv *env, const MlModel *model, const double *x)
{
	double	   *place;

	if (model->method->n_coordinates == NULL)
		return;
	place = ml_alloc(env, (size_t) model->method->n_coordinates(model->fitted), sizeof(double));
	if (place != NULL)
		model->method->coordinates(model->fitted, ml_model_encode(model, x), place);
	env->error.status = ML_OK;
}

/* Predicts rows that are odd in every way a server may be odd: missing, extreme, and every code up to "other". */
static inline void
image_predict(MlEnv *env, const MlModel *model)
{
	static const double numbers[] = {0, NAN, -1e308, 1e308, 0.5, -3, 5e-324};
	int			p = model->schema->n_features;
	double	   *x = ml_alloc(env, (size_t) p, sizeof(double));
	double	   *out = ml_alloc(env, (size_t) model->n_out, sizeof(double));
	double	   *contribution = ml_alloc(env, (size_t) model->encoded->n_features, sizeof(double));
	void	   *explainer = NULL;

	if (x == NULL || out == NULL || contribution == NULL)
	{
		env->error.status = ML_OK;
		return;
	}
	for (int row = 0; row < 9; row++)
	{
		for (int f = 0; f < p; f++)
		{
			const MlFeature *feature = &model->schema->features[f];

			x[f] = numbers[(row + f) % 7];
			if (feature->kind == ML_FEATURE_CATEGORY)
				x[f] = row == 0 ? NAN : row == 1 ? feature->levels : row % feature->levels;
		}
		ml_model_predict(model, x, out);
		if (ml_model_winner(model, out) >= model->n_out)
			abort();
		image_explain(env, model, x, contribution, &explainer);
	}
	image_coordinates(env, model, x);
}

/*
 * Loads bytes from memory of exactly their length (so that reading beyond is seen)
 * with a limit (so that a bomb is), runs the model, and gives the status.
 */
static inline MlStatus
image_try(const uint8_t *bytes, size_t length, MlError *error)
{
	MlEnv		env = {.arena = ml_arena_create((size_t) 64 << 20), .threads = 1};
	uint8_t    *copy = malloc(length == 0 ? 1 : length);
	MlModel    *model = NULL;
	MlStatus	status;

	memcpy(copy, bytes, length);
	status = ml_model_load(&env, copy, length, &model);
	free(copy);					/* the model keeps no pointer into it */
	if (status != env.error.status)
		abort();
	if (status == ML_OK)
		image_predict(&env, model);
	if (error != NULL)
		*error = env.error;
	ml_arena_free(env.arena);
	return status;
}

#endif							/* IMAGE_H */
