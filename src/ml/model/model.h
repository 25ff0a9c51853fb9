/*-------------------------------------------------------------------------
 * model.h
 *	  A model ready to predict, and its image.
 *
 * Image: magic "MLPLAT\r\n", format version, length, CRC-32C of all that
 * follows the header; then method name and format, the schema of the rows that come in, from
 * format 2 on the encoding between them and the method (ml/prep; a byte says whether there is one), the method's own
 * part.  A model without an encoding is written in format 1.  Little-endian.  It holds no time, no OID, no name and no version
 * number: the same data, parameters and seed give the same bytes.
 *-------------------------------------------------------------------------
 */
#ifndef ML_MODEL_MODEL_H
#define ML_MODEL_MODEL_H

#include "ml/model/method.h"
#include "ml/prep/prep.h"

#define ML_IMAGE_FORMAT 2

/* Magic (8 bytes), format (u32), length of the whole image (u64), checksum (u32). */
#define ML_IMAGE_HEADER 24

typedef struct MlModel
{
	const MlMethod *method;
	const MlSchema *schema;		/* of the rows that come in: what rows, JSON and arrays are matched with */
	const MlPrep *prep;			/* NULL: the method sees the rows as they come in */
	const MlSchema *encoded;	/* what the method sees; the same as schema without prep */
	const void *fitted;
	int			n_out;			/* doubles that predict writes: n_answer and the method's n_figures */
	int			n_answer;		/* 1, or n_classes, or what the method says (see MlMethod) */
	uint32_t	patience;		/* rows that it should predict before it is worth hastening; 0: it has been, or cannot be */
	void	   *scratch;		/* for predict: one model serves one thread at a time */
	double	   *row;			/* room for one row, for ml_model_predict_batch */
	double	   *work;			/* room of the encoding */
	double	   *block;			/* room for a block of rows that it has encoded */
} MlModel;

extern MlStatus ml_model_save(MlEnv *env, const MlModel *model, uint8_t **bytes, size_t *length);

/* Checks magic, format, length, checksum and every structure inside.  The model lives in env->arena and keeps no pointer into bytes. */
extern MlStatus ml_model_load(MlEnv *env, const void *bytes, size_t length, MlModel **model);

/* The same of an image just written: what a sound program writes is sound but for numbers that have overflowed, which is ML_OUT_OF_RANGE. */
extern MlStatus ml_model_read_back(MlEnv *env, const void *bytes, size_t length, MlModel **model);

/* The same without what the method makes for predicting many rows.  Whoever predicts counts patience down. */
extern MlStatus ml_model_load_lean(MlEnv *env, const void *bytes, size_t length, MlModel **model);

/* Makes up for that, in env's arena, which has to live as long as the model.  On failure the model is as it was. */
extern MlStatus ml_model_hasten(MlEnv *env, MlModel *model);

/* Makes a model of a fresh fit. */
extern MlStatus ml_model_make(MlEnv *env, const MlMethod *method, const MlSchema *schema, const void *fitted, MlModel **model);

/* The same with an encoding before the method; NULL: none. */
extern MlStatus ml_model_make_encoded(MlEnv *env, const MlMethod *method, const MlSchema *schema, const MlPrep *prep, const void *fitted,
									  MlModel **model);

/* A second handle on the same model, with a scratch of its own: for one more thread. */
extern MlStatus ml_model_share(MlEnv *env, const MlModel *model, MlModel *copy);

/* A row as it came in -> the row that the method sees; valid until the next one. */
static inline const double *
ml_model_encode(const MlModel *model, const double *x)
{
	return model->prep == NULL ? x : ml_prep_row(model->prep, x, model->work);
}

/* One row as it came in -> n_out doubles. */
static inline void
ml_model_predict(const MlModel *model, const double *x, double *out)
{
	model->method->predict(model->fitted, ml_model_encode(model, x), out, model->scratch);
}

/* Up to ML_BATCH_ROWS rows, feature by feature (see MlMethod.predict_batch) -> n x n_out doubles, the same bits. */
extern void ml_model_predict_batch(const MlModel *model, const double *x, size_t n, double *out);

/* Rough cost of a prediction in nanoseconds, -1 where the method does not say. */
extern double ml_model_cost(const MlModel *model);

/* The row's memberships, n_answer - 1 of them; NULL where a clustering has none. */
static inline const double *
ml_model_memberships(const MlModel *model, const double *out)
{
	return model->schema->task == ML_TASK_CLUSTERING && model->n_answer > 1 ? out + 1 : NULL;
}

/* The class with the highest probability; the first of equals. */
extern int	ml_model_winner(const MlModel *model, const double *out);

#endif							/* ML_MODEL_MODEL_H */
