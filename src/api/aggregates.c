/*-------------------------------------------------------------------------
 * aggregates.c
 *	  Metrics as SQL aggregates, for predictions of any origin, with GROUP BY.
 *
 * Definitions as in scikit-learn.  A row with a NULL is left out.  What is
 * undefined (no rows, AUC of one class, R2 of a constant) is NULL.  NaN and
 * infinity are errors: leaving them out would flatter the model.
 *
 * Means keep a float8[] of small sums, which partial aggregation combines.  AUC has
 * to keep its scores, 8 bytes a row; F1 is in aggregate_f1.c.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pg/compat.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* Probabilities nearer to 0 or 1 than this are moved there (as in ml/eval/metrics.h). */
#define LOGLOSS_CLIP 1e-15

/* The sums of a mean: {rows, sum}. */
#define MEAN_SUMS 2

/* The sums of R2: {rows, mean of actual, squares around that mean, squared errors}. */
#define R2_SUMS 4

typedef struct AucState
{
	double	   *score[2];		/* of the negative and of the positive rows */
	size_t		rows[2];
	size_t		capacity[2];
} AucState;

#define ST_SORT sort_scores
#define ST_ELEMENT_TYPE double
#define ST_COMPARE(a, b) ((*(a) > *(b)) - (*(a) < *(b)))
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

ML_FUNCTION(mlplat_rmse_step);
ML_FUNCTION(mlplat_mae_step);
ML_FUNCTION(mlplat_logloss_step);
ML_FUNCTION(mlplat_brier_step);
ML_FUNCTION(mlplat_accuracy_step);
ML_FUNCTION(mlplat_mean_combine);
ML_FUNCTION(mlplat_mean_final);
ML_FUNCTION(mlplat_rmse_final);
ML_FUNCTION(mlplat_r2_step);
ML_FUNCTION(mlplat_r2_combine);
ML_FUNCTION(mlplat_r2_final);
ML_FUNCTION(mlplat_auc_step);
ML_FUNCTION(mlplat_auc_final);

/* A number that may enter a metric. */
static double
finite_argument(FunctionCallInfo fcinfo, int argument, const char *what)
{
	double		value = PG_GETARG_FLOAT8(argument);

	if (!isfinite(value))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("%s must be a finite number, not %s", what, isnan(value) ? "NaN" : "infinity")));
	return value;
}

static double
probability_argument(FunctionCallInfo fcinfo, int argument)
{
	double		value = finite_argument(fcinfo, argument, "score");

	if (value < 0 || value > 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("score must be a probability between 0 and 1, not %g", value)));
	return value;
}

/*
 * The sums of a state argument.  Inside an aggregate they are the state itself and may
 * be changed in place; anywhere else they would be a table's bytes.
 */
static double *
sums_argument(FunctionCallInfo fcinfo, int argument, int count)
{
	ArrayType  *array;

	if (!AggCheckCallContext(fcinfo, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("this function can only be called as part of an aggregate")));
	array = PG_GETARG_ARRAYTYPE_P(argument);
	if (ARR_NDIM(array) != 1 || ARR_DIMS(array)[0] != count ||
		ARR_HASNULL(array) || ARR_ELEMTYPE(array) != FLOAT8OID)
		elog(ERROR, "expected an array of %d float8 sums", count);
	return (double *) ARR_DATA_PTR(array);
}

static void
check_overflow(double sum)
{
	if (unlikely(isinf(sum)))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("value out of range: overflow")));
}

/* One row of a mean; the state is argument 0. */
static Datum
add_to_mean(FunctionCallInfo fcinfo, double value)
{
	double	   *sums = sums_argument(fcinfo, 0, MEAN_SUMS);

	sums[0] += 1;
	sums[1] += value;
	check_overflow(sums[1]);
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

Datum
mlplat_rmse_step(PG_FUNCTION_ARGS)
{
	double		error = finite_argument(fcinfo, 1, "actual") - finite_argument(fcinfo, 2, "predicted");

	return add_to_mean(fcinfo, error * error);
}

Datum
mlplat_mae_step(PG_FUNCTION_ARGS)
{
	double		error = finite_argument(fcinfo, 1, "actual") - finite_argument(fcinfo, 2, "predicted");

	return add_to_mean(fcinfo, fabs(error));
}

Datum
mlplat_logloss_step(PG_FUNCTION_ARGS)
{
	bool		actual = PG_GETARG_BOOL(1);
	double		p = probability_argument(fcinfo, 2);

	p = Min(Max(p, LOGLOSS_CLIP), 1 - LOGLOSS_CLIP);
	return add_to_mean(fcinfo, actual ? -log(p) : -log1p(-p));
}

Datum
mlplat_brier_step(PG_FUNCTION_ARGS)
{
	double		error = probability_argument(fcinfo, 2) - (PG_GETARG_BOOL(1) ? 1 : 0);

	return add_to_mean(fcinfo, error * error);
}

Datum
mlplat_accuracy_step(PG_FUNCTION_ARGS)
{
	text	   *actual = PG_GETARG_TEXT_PP(1);
	text	   *predicted = PG_GETARG_TEXT_PP(2);
	Size		length = VARSIZE_ANY_EXHDR(actual);
	bool		hit = length == VARSIZE_ANY_EXHDR(predicted) &&
		memcmp(VARDATA_ANY(actual), VARDATA_ANY(predicted), length) == 0;

	return add_to_mean(fcinfo, hit ? 1 : 0);
}

Datum
mlplat_mean_combine(PG_FUNCTION_ARGS)
{
	double	   *sums = sums_argument(fcinfo, 0, MEAN_SUMS);
	double	   *other = sums_argument(fcinfo, 1, MEAN_SUMS);

	for (int i = 0; i < MEAN_SUMS; i++)
		sums[i] += other[i];
	check_overflow(sums[1]);
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

Datum
mlplat_mean_final(PG_FUNCTION_ARGS)
{
	double	   *sums = sums_argument(fcinfo, 0, MEAN_SUMS);

	if (sums[0] == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(sums[1] / sums[0]);
}

Datum
mlplat_rmse_final(PG_FUNCTION_ARGS)
{
	double	   *sums = sums_argument(fcinfo, 0, MEAN_SUMS);

	if (sums[0] == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(sqrt(sums[1] / sums[0]));
}

/* Squares around the running mean (Welford 1962): no cancellation for a target far from zero. */
Datum
mlplat_r2_step(PG_FUNCTION_ARGS)
{
	double	   *sums = sums_argument(fcinfo, 0, R2_SUMS);
	double		actual = finite_argument(fcinfo, 1, "actual");
	double		error = actual - finite_argument(fcinfo, 2, "predicted");
	double		delta = actual - sums[1];

	sums[0] += 1;
	sums[1] += delta / sums[0];
	sums[2] += delta * (actual - sums[1]);
	sums[3] += error * error;
	check_overflow(sums[2]);
	check_overflow(sums[3]);
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

/* Chan, Golub and LeVeque 1979. */
Datum
mlplat_r2_combine(PG_FUNCTION_ARGS)
{
	double	   *a = sums_argument(fcinfo, 0, R2_SUMS);
	double	   *b = sums_argument(fcinfo, 1, R2_SUMS);
	double		n = a[0] + b[0];
	double		delta = b[1] - a[1];

	if (b[0] > 0)
	{
		a[2] += b[2] + delta * delta * (a[0] * b[0] / n);
		a[1] += delta * (b[0] / n);
		a[0] = n;
		a[3] += b[3];
		check_overflow(a[2]);
		check_overflow(a[3]);
	}
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

/* Undefined for a constant: there is no variance to explain. */
Datum
mlplat_r2_final(PG_FUNCTION_ARGS)
{
	double	   *sums = sums_argument(fcinfo, 0, R2_SUMS);

	if (sums[0] < 2 || sums[2] <= 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(1 - sums[3] / sums[2]);
}

Datum
mlplat_auc_step(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	AucState   *state;
	int			which;

	if (!AggCheckCallContext(fcinfo, &context))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("this function can only be called as part of an aggregate")));

	if (PG_ARGISNULL(0))
		state = MemoryContextAllocZero(context, sizeof(AucState));
	else
		state = (AucState *) PG_GETARG_POINTER(0);
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_POINTER(state);

	which = PG_GETARG_BOOL(1) ? 1 : 0;
	if (state->rows[which] == state->capacity[which])
	{
		size_t		capacity = Max(64, state->capacity[which] * 2);

		if (capacity > MaxAllocHugeSize / sizeof(double))
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("too many rows for ml_auc")));
		if (state->score[which] == NULL)
			state->score[which] = MemoryContextAllocHuge(context, capacity * sizeof(double));
		else
			state->score[which] = repalloc_huge(state->score[which], capacity * sizeof(double));
		state->capacity[which] = capacity;
	}
	state->score[which][state->rows[which]++] = finite_argument(fcinfo, 2, "score");
	PG_RETURN_POINTER(state);
}

/*
 * The share of (positive, negative) pairs that the scores put in order, ties counted
 * half (Mann and Whitney 1947); equal to the area under the ROC curve.  Sorting the
 * state in place does not change what it stands for, so more rows may follow.
 */
Datum
mlplat_auc_final(PG_FUNCTION_ARGS)
{
	AucState   *state;
	const double *negative;
	size_t		below = 0;
	size_t		not_above = 0;
	double		pairs = 0;		/* twice the number of pairs in order; exact below 2^53 */

	if (!AggCheckCallContext(fcinfo, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("this function can only be called as part of an aggregate")));
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (AucState *) PG_GETARG_POINTER(0);
	if (state->rows[0] == 0 || state->rows[1] == 0)
		PG_RETURN_NULL();

	sort_scores(state->score[0], state->rows[0]);
	sort_scores(state->score[1], state->rows[1]);
	negative = state->score[0];
	for (size_t i = 0; i < state->rows[1]; i++)
	{
		double		score = state->score[1][i];

		while (below < state->rows[0] && negative[below] < score)
			below++;
		not_above = Max(not_above, below);
		while (not_above < state->rows[0] && negative[not_above] <= score)
			not_above++;
		pairs += (double) below + (double) not_above;
	}
	PG_RETURN_FLOAT8(pairs / 2 / ((double) state->rows[0] * (double) state->rows[1]));
}
