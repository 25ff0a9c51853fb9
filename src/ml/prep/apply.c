/*-------------------------------------------------------------------------
 * apply.c
 *	  One row through the operations of an encoding.
 *
 * Nothing here can fail: the loader has checked slots, codes and tables.  Numbers stay
 * finite or missing, whatever comes in.
 *-------------------------------------------------------------------------
 */
#include "ml/prep/prep.h"

#include <float.h>
#include <string.h>

#include "ml/base/elementary.h"
#include "ml/prep/calendar.h"

/* Methods are promised numbers without infinities. */
static inline double
bounded(double x)
{
	return x > DBL_MAX ? DBL_MAX : x < -DBL_MAX ? -DBL_MAX : x;
}

static double
affine(const MlPrepOp *op, double x)
{
	double		difference = x - op->a;

	if (difference <= DBL_MAX && difference >= -DBL_MAX)
		return bounded(difference / op->b * op->c + op->d);
	if (x != x)
		return x;
	/* Of opposite signs and huge: half of each has a difference. */
	return bounded((x / 2 - op->a / 2) / op->b * op->c * 2 + op->d);
}

/* How many of the rising numbers are not above x. */
static int32_t
count_not_above(const MlPrepOp *op, double x)
{
	int32_t		low = 0;
	int32_t		high = op->n_numbers;

	while (low < high)
	{
		int32_t		middle = low + (high - low) / 2;

		if (op->number[middle] <= x)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static double
categorise(const MlPrepOp *op, double x)
{
	int32_t		at;

	if (x != x)
		return x;
	at = count_not_above(op, x);
	return at > 0 && op->number[at - 1] == x ? op->code[at - 1] : op->n_numbers;
}

/* A category's row in a table: codes, other, missing. */
static inline int32_t
place_of(const MlPrepOp *op, double x)
{
	return x != x ? op->levels + 1 : (int32_t) x;
}

int32_t
ml_prep_hot(const MlPrepOp *op, double x)
{
	if (op->kind == ML_OP_ONE_HOT)
		return op->code[place_of(op, x)];
	return x >= 0 && x < op->n_out ? (int32_t) x : -1;
}

static double
fill_code(const MlPrepOp *op, double x)
{
	if (x != x)
		return op->code[0];
	return op->flag && x == op->levels ? x + 1 : x;
}

double
ml_prep_term(const MlPrepOp *op, int32_t term, double count)
{
	if (!(count > 0))
		return 0;				/* also what is missing */
	return bounded(((op->flag & ML_TFIDF_SUBLINEAR) != 0 ? 1 + ml_log(count) : count) * op->number[term]);
}

static void
weigh_terms(const MlPrepOp *op, const double *in, double *out)
{
	double		sum = 0;
	double		norm;

	/* Most terms are in few texts: what is 0 stays 0, without arithmetic. */
	for (int32_t i = 0; i < op->n_out; i++)
	{
		out[i] = 0;
		if (in[i] > 0)
		{
			out[i] = ml_prep_term(op, i, in[i]);
			sum += out[i] * out[i];
		}
	}
	if ((op->flag & ML_TFIDF_NORM) == 0 || !(sum > 0))
		return;
	norm = __builtin_sqrt(sum);
	for (int32_t i = 0; i < op->n_out; i++)
		if (out[i] != 0)
			out[i] /= norm;
}

void
ml_prep_op(const MlPrepOp *op, const double *in, double *out)
{
	double		x = in[0];
	int32_t		hot;

	switch (op->kind)
	{
		case ML_OP_FILL:
			out[0] = x != x ? op->a : x;
			break;
		case ML_OP_FILL_CODE:
			out[0] = fill_code(op, x);
			break;
		case ML_OP_MISSING:
			out[0] = x != x;
			break;
		case ML_OP_AFFINE:
			out[0] = affine(op, x);
			break;
		case ML_OP_LOG1P:
			out[0] = x > -1 ? ml_log1p(x) : NAN;
			break;
		case ML_OP_CLIP:
			out[0] = x < op->a ? op->a : x > op->b ? op->b : x;
			break;
		case ML_OP_BUCKET:
			out[0] = x != x ? x : count_not_above(op, x);
			break;
		case ML_OP_CATEGORISE:
			out[0] = categorise(op, x);
			break;
		case ML_OP_DATE_PART:
			out[0] = ml_date_part((MlDatePart) op->part, (MlTimeUnit) op->unit, op->a, x);
			break;
		case ML_OP_TABLE:
			memcpy(out, op->number + (size_t) place_of(op, x) * (size_t) op->n_out, (size_t) op->n_out * sizeof(double));
			break;
		case ML_OP_ONE_HOT:
		case ML_OP_HASH:
			memset(out, 0, (size_t) op->n_out * sizeof(double));
			hot = ml_prep_hot(op, x);
			if (hot >= 0)
				out[hot] = 1;
			break;
		case ML_OP_TFIDF:
			weigh_terms(op, in, out);
			break;
		case ML_N_OPS:
			break;
	}
}

/* Measured with steps over a few columns, and with english on texts of a sentence. */
#define SLOT_NANOSECONDS 0.5
#define OP_NANOSECONDS 8.0
#define TEXT_NANOSECONDS 5000.0

double
ml_prep_cost(const MlPrep *prep, const MlSchema *input)
{
	double		cost = SLOT_NANOSECONDS * prep->n_slots + OP_NANOSECONDS * prep->n_ops;

	for (int f = 0; f < input->n_features; f++)
		cost += input->features[f].text != NULL && input->features[f].element == 1 ? TEXT_NANOSECONDS : 0;
	return cost;
}

const double *
ml_prep_row(const MlPrep *prep, const double *x, double *work)
{
	double	   *row = work + prep->n_slots;

	memcpy(work, x, (size_t) prep->n_in * sizeof(double));
	for (int32_t i = 0; i < prep->n_ops; i++)
		ml_prep_op(&prep->ops[i], work + prep->ops[i].in, work + prep->ops[i].out);
	for (int32_t f = 0; f < prep->n_out; f++)
		row[f] = work[prep->output[f]];
	return row;
}
