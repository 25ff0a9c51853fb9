/*-------------------------------------------------------------------------
 * model.c
 *	  A model ready to predict, and its image.
 *-------------------------------------------------------------------------
 */
#include "ml/model/model.h"

#include <string.h>

#include "ml/base/arena.h"

/* A forest of 100 trees is walked 70 times while its engines are made (test/bench/predict_kernel.c). */
#define PATIENCE 64

static const char magic[8] = "MLPLAT\r\n";	/* a transfer as text would change the last two */

static MlStatus
add_scratch(MlEnv *env, MlModel *model)
{
	size_t		size = model->method->scratch_size == NULL ? 0 : model->method->scratch_size(model->fitted);

	model->row = ml_alloc(env, (size_t) model->schema->n_features + 1, sizeof(double));
	if (model->row == NULL)
		return env->error.status;
	if (model->prep != NULL)
	{
		model->work = ml_alloc(env, ml_prep_room(model->prep), sizeof(double));
		model->block = ml_alloc0(env, (size_t) model->encoded->n_features * ML_BATCH_ROWS, sizeof(double));
		if (model->work == NULL || model->block == NULL)
			return env->error.status;
	}
	model->scratch = NULL;
	if (size > 0)
	{
		model->scratch = ml_alloc0(env, size, 1);
		if (model->scratch == NULL)
			return env->error.status;
	}
	return ML_OK;
}

MlStatus
ml_model_make_encoded(MlEnv *env, const MlMethod *method, const MlSchema *schema, const MlPrep *prep, const void *fitted, MlModel **result)
{
	MlModel    *model = ml_alloc0(env, 1, sizeof(MlModel));

	if (model == NULL)
		return env->error.status;
	model->method = method;
	model->schema = schema;
	model->prep = prep;
	model->encoded = prep != NULL ? prep->encoded : schema;
	model->fitted = fitted;
	if (method->n_outputs != NULL)
		model->n_answer = method->n_outputs(fitted);
	else
		model->n_answer = schema->task == ML_TASK_CLASSIFICATION ? schema->n_classes : 1;
	model->n_out = model->n_answer + (ml_task_has_target(schema->task) ? 0 : method->n_figures);
	ML_TRY(add_scratch(env, model));
	*result = model;
	return ML_OK;
}

MlStatus
ml_model_make(MlEnv *env, const MlMethod *method, const MlSchema *schema, const void *fitted, MlModel **result)
{
	return ml_model_make_encoded(env, method, schema, NULL, fitted, result);
}

MlStatus
ml_model_share(MlEnv *env, const MlModel *model, MlModel *copy)
{
	*copy = *model;
	return add_scratch(env, copy);
}

/* The rows of a block as the method sees them, feature by feature as well. */
static const double *
encode_block(const MlModel *model, const double *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
	{
		const double *row;

		for (int f = 0; f < model->schema->n_features; f++)
			model->row[f] = x[(size_t) f * ML_BATCH_ROWS + i];
		row = ml_prep_row(model->prep, model->row, model->work);
		for (int f = 0; f < model->encoded->n_features; f++)
			model->block[(size_t) f * ML_BATCH_ROWS + i] = row[f];
	}
	return model->block;
}

void
ml_model_predict_batch(const MlModel *model, const double *x, size_t n, double *out)
{
	double	   *row = model->row;

	if (model->prep != NULL)
	{
		x = encode_block(model, x, n);
		row = model->work;
	}
	if (model->method->predict_batch != NULL && model->method->predict_batch(model->fitted, x, n, out, model->scratch))
		return;
	for (size_t i = 0; i < n; i++)
	{
		for (int f = 0; f < model->encoded->n_features; f++)
			row[f] = x[(size_t) f * ML_BATCH_ROWS + i];
		model->method->predict(model->fitted, row, out + i * (size_t) model->n_out, model->scratch);
	}
}

double
ml_model_cost(const MlModel *model)
{
	if (model->method->predict_cost == NULL)
		return -1;
	return model->method->predict_cost(model->fitted) + (model->prep != NULL ? ml_prep_cost(model->prep, model->schema) : 0);
}

int
ml_model_winner(const MlModel *model, const double *out)
{
	int			winner = 0;

	for (int k = 1; k < model->n_out; k++)
	{
		if (out[k] > out[winner])
			winner = k;
	}
	return winner;
}

MlStatus
ml_model_save(MlEnv *env, const MlModel *model, uint8_t **bytes, size_t *length)
{
	MlWriter	w;
	MlWriter	header;

	ml_writer_init(&w, env);
	for (int i = 0; i < ML_IMAGE_HEADER; i++)
		ml_put_u8(&w, 0);
	ml_put_text(&w, model->method->name);
	ml_put_u32(&w, model->method->format);
	ml_schema_save(model->schema, &w);
	if (model->prep != NULL)
	{
		ml_put_u8(&w, 1);
		ml_prep_save(model->prep, model->schema, &w);
	}
	model->method->save(model->fitted, &w);
	ML_TRY(w.status);

	/* The header needs what follows it, so it is written last. */
	ml_writer_init(&header, env);
	ml_put_bytes(&header, magic, sizeof(magic));
	ml_put_u32(&header, model->prep != NULL ? ML_IMAGE_FORMAT : 1);
	ml_put_u64(&header, w.length);
	ml_put_u32(&header, ml_crc32c(w.bytes + ML_IMAGE_HEADER, w.length - ML_IMAGE_HEADER));
	ML_TRY(header.status);
	memcpy(w.bytes, header.bytes, ML_IMAGE_HEADER);
	*bytes = w.bytes;
	*length = w.length;
	return ML_OK;
}

static MlStatus
load_header(MlReader *r, uint32_t *format_out)
{
	const uint8_t *start = ml_get_bytes(r, sizeof(magic));
	uint32_t	format = ml_get_u32(r);
	uint64_t	length = ml_get_u64(r);
	uint32_t	checksum = ml_get_u32(r);

	if (start == NULL || memcmp(start, magic, sizeof(magic)) != 0)
	{
		r->status = ML_OK;
		return ml_reader_corrupt(r, "it does not begin like one");
	}
	ML_TRY(r->status);
	if (format > ML_IMAGE_FORMAT)
	{
		r->status = ml_fail(r->env, ML_NEWER_FORMAT, "the model image has format %u, this library reads up to %d",
							format, ML_IMAGE_FORMAT);
		return ml_hint(r->env, "Upgrade mlplat to the version that wrote it, or train the model again.");
	}
	if (format == 0)
		return ml_reader_corrupt(r, "its format is unknown");
	if (length != r->length)
		return ml_reader_corrupt(r, "its length is not the one it states");
	if (checksum != ml_crc32c(r->bytes + ML_IMAGE_HEADER, r->length - ML_IMAGE_HEADER))
		return ml_reader_corrupt(r, "its checksum does not match");
	*format_out = format;
	return ML_OK;
}

static MlStatus
load_method(MlReader *r, const MlMethod **method)
{
	const char *name = ml_get_text(r);
	uint32_t	format = ml_get_u32(r);

	ML_TRY(r->status);
	if (name == NULL || name[0] == '\0' || name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] != '\0')
		return ml_reader_corrupt(r, "its algorithm has no proper name");
	*method = ml_method_find(name);
	if (*method == NULL)
		r->status = ml_fail(r->env, ML_NEWER_FORMAT, "the model image was made by the algorithm \"%.63s\", which this library does not have", name);
	else if (format != (*method)->format)
		r->status = ml_fail(r->env, ML_NEWER_FORMAT, "the model image has format %u of algorithm \"%s\", this library reads format %u",
							format, name, (*method)->format);
	if (r->status != ML_OK)
		return ml_hint(r->env, "Upgrade mlplat to the version that wrote it, or train the model again.");
	return ML_OK;
}

static MlStatus
load_prep(MlReader *r, uint32_t format, MlSchema *schema, MlPrep **prep)
{
	uint8_t		there = format >= 2 ? ml_get_u8(r) : 0;

	ML_TRY(r->status);
	if (there > 1)
		return ml_reader_corrupt(r, "its encoding is unknown");
	return there == 1 ? ml_prep_load(r, schema, prep) : ML_OK;
}

MlStatus
ml_model_hasten(MlEnv *env, MlModel *model)
{
	MlModel		hastened = *model;
	void	   *fitted;

	if (model->patience == 0)
		return ML_OK;
	ML_TRY(model->method->hasten(env, model->fitted, &fitted));
	hastened.fitted = fitted;
	hastened.patience = 0;
	ML_TRY(add_scratch(env, &hastened));
	*model = hastened;
	return ML_OK;
}

MlStatus
ml_model_load(MlEnv *env, const void *bytes, size_t length, MlModel **model)
{
	ML_TRY(ml_model_load_lean(env, bytes, length, model));
	return ml_model_hasten(env, *model);
}

MlStatus
ml_model_load_lean(MlEnv *env, const void *bytes, size_t length, MlModel **model)
{
	MlReader	r;
	const MlMethod *method = NULL;
	MlSchema   *schema;
	MlPrep	   *prep = NULL;
	uint32_t	format = 0;
	void	   *fitted = NULL;

	ml_reader_init(&r, env, bytes, length);
	ML_TRY(load_header(&r, &format));
	ML_TRY(load_method(&r, &method));
	ML_TRY(ml_schema_load(&r, &schema));
	if ((method->tasks & (uint32_t) schema->task) == 0)
		return ml_reader_corrupt(&r, "its algorithm does not have its task");
	ML_TRY(load_prep(&r, format, schema, &prep));
	ML_TRY(method->load(&r, prep != NULL ? prep->encoded : schema, &fitted));
	ML_TRY(ml_reader_end(&r));
	ML_TRY(ml_model_make_encoded(env, method, schema, prep, fitted, model));
	(*model)->patience = method->hasten != NULL ? PATIENCE : 0;
	return ML_OK;
}

MlStatus
ml_model_read_back(MlEnv *env, const void *bytes, size_t length, MlModel **model)
{
	if (ml_model_load(env, bytes, length, model) == ML_CORRUPT)
	{
		MlError		damage = env->error;

		env->error.status = ML_OK;
		ml_fail(env, ML_OUT_OF_RANGE, "the fit has led to numbers that cannot be represented");
		ml_detail(env, "Read back, the model is not sound: %s.", strrchr(damage.message, ':') != NULL ? strrchr(damage.message, ':') + 2 : damage.message);
		ml_hint(env, "Scale columns with very large values, or use more regularization.");
	}
	return env->error.status;
}
