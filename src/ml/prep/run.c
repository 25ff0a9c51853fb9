/*-------------------------------------------------------------------------
 * run.c
 *	  Operations of an encoding over all rows of a data set.
 *
 * Rows go to the threads in blocks; each value is made by the function that serves, so the columns have
 * its bits.  Columns of zeros and ones are made sparse from the beginning.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/pool.h"
#include "ml/prep/prep_internal.h"

#define RUN_ROWS 16384

/* Rows between two looks at whether the run is canceled. */
#define HOT_ROWS 1048576

typedef struct Run
{
	const MlPrepOp *op;
	const MlDataColumn *from;
	size_t		n;
	size_t		first;			/* rows before it are made otherwise */
	double	   *room;			/* by thread: what goes in, and what comes out of a row */
	double	  **number;
	int32_t    *code;			/* of a category that comes out; NULL: numbers */
} Run;

static void
run_task(void *arg, size_t task, int thread)
{
	const Run  *r = arg;
	size_t		k = (size_t) r->op->n_out;
	double	   *in = r->room + (size_t) thread * (RUN_ROWS + k);
	double	   *out = in + RUN_ROWS;
	size_t		begin = r->first + task * RUN_ROWS;
	size_t		rows = r->n - begin < RUN_ROWS ? r->n - begin : RUN_ROWS;

	ml_column_read(r->from, begin, rows, in);
	for (size_t i = 0; i < rows; i++)
	{
		ml_prep_op(r->op, &in[i], out);
		if (r->code != NULL)
			r->code[begin + i] = out[0] != out[0] ? -1 : (int32_t) out[0];
		else
			for (size_t c = 0; c < k; c++)
				r->number[c][begin + i] = out[c];
	}
}

/* Rows from "first" on; number (n_out columns) or code has room for all. */
MlStatus
ml_prep_run_op(MlPrepFit *fit, const MlPrepOp *op, const MlDataColumn *from, size_t first, double **number, int32_t *code)
{
	MlEnv	   *env = fit->env;
	Run			r = {.op = op, .from = from, .n = fit->n, .first = first, .number = number, .code = code};

	r.room = ml_alloc(env, (size_t) ml_pool_threads(env->pool) * (RUN_ROWS + (size_t) op->n_out), sizeof(double));
	if (r.room == NULL)
		return env->error.status;
	ML_TRY(ml_pool_run(env, (fit->n - first + RUN_ROWS - 1) / RUN_ROWS, run_task, &r));
	ml_release(env, r.room);
	return ML_OK;
}

/* One column out of the operation, of the kind that the feature is. */
MlStatus
ml_prep_run_single(MlPrepFit *fit, const MlPrepOp *op, const MlPrepPart *from, const MlFeature *feature, MlPrepPart *to)
{
	MlEnv	   *env = fit->env;
	double	   *number = NULL;
	int32_t    *code = NULL;

	if (feature->kind == ML_FEATURE_CATEGORY)
		code = ml_alloc(env, fit->n, sizeof(int32_t));
	else
		number = ml_alloc(env, fit->n, sizeof(double));
	if (code == NULL && number == NULL)
		return env->error.status;
	ML_TRY(ml_prep_run_op(fit, op, &from->data, 0, &number, code));
	*to = (MlPrepPart) {.slot = op->out, .feature = *feature, .data = {.number = number, .code = code}, .owned = true};
	return ML_OK;
}

/* The columns of zeros and ones that an operation makes: rows by column, all in one array. */
MlStatus
ml_prep_run_hot(MlPrepFit *fit, const MlPrepOp *op, const MlPrepPart *from, MlSparse *sparse)
{
	MlEnv	   *env = fit->env;
	size_t		k = (size_t) op->n_out;
	size_t	   *next = ml_alloc0(env, k + 1, sizeof(size_t));
	uint32_t   *rows;
	size_t		total = 0;

	if (fit->n > UINT32_MAX)
		return ml_fail(env, ML_TOO_LARGE, "%zu rows are too many for columns of zeros and ones", fit->n);
	if (next == NULL)
		return env->error.status;
	for (size_t i = 0; i < fit->n; i++)
	{
		int32_t		hot = ml_prep_hot(op, ml_column_value(&from->data, i));

		if (i % HOT_ROWS == 0 && ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		if (hot >= 0)
			sparse[hot].n++;
	}
	for (size_t c = 0; c < k; c++)
	{
		next[c] = total;
		total += sparse[c].n;
	}
	rows = ml_alloc(env, total + 1, sizeof(uint32_t));
	if (rows == NULL)
		return env->error.status;
	for (size_t c = 0; c < k; c++)
		sparse[c].row = rows + next[c];
	for (size_t i = 0; i < fit->n; i++)
	{
		int32_t		hot = ml_prep_hot(op, ml_column_value(&from->data, i));

		if (i % HOT_ROWS == 0 && ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		if (hot >= 0)
			rows[next[hot]++] = (uint32_t) i;
	}
	ml_release(env, next);
	return ML_OK;
}

/* An operation of one number or category becomes the next column. */
MlStatus
ml_prep_follow(MlPrepFit *fit, const MlPrepOp *op, const MlPrepPart *part, const MlFeature *feature, MlPrepParts *next)
{
	MlPrepOp   *kept = NULL;
	MlPrepPart	made;

	ML_TRY(ml_prep_add_op(fit, op, &kept));
	ML_TRY(ml_prep_run_single(fit, kept, part, feature, &made));
	return ml_prep_add_part(fit->env, next, &made);
}

