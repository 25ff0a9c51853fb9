/*-------------------------------------------------------------------------
 * roc.c
 *	  The ROC curve and the area under it, ties counted half (Fawcett 2006).
 *-------------------------------------------------------------------------
 */
#include <math.h>

#include "ml/base/arena.h"
#include "ml/base/sort.h"
#include "ml/eval/metrics_internal.h"

/* Rows by falling score; NULL with env->error set on failure. */
static MlKeyed *
sort_by_score(MlEnv *env, size_t n, const double *score)
{
	MlKeyed    *items = ml_alloc(env, n, sizeof(MlKeyed));

	if (items == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++)
	{
		items[i].key = ~ml_sort_key_double(score[i]);
		items[i].row = i;
	}
	return ml_sort_keyed(env, items, n) == ML_OK ? items : NULL;
}

static bool
has_nan(size_t n, const double *score)
{
	for (size_t i = 0; i < n; i++)
	{
		if (isnan(score[i]))
			return true;
	}
	return false;
}

MlStatus
ml_auc_compute(MlEnv *env, size_t n, const bool *actual, const double *score, const double *weight, double *auc)
{
	MlKeyed    *items;
	MlSum		positive = {0}; /* weight of the positive rows above */
	MlSum		negative = {0};
	MlSum		area = {0};

	*auc = NAN;
	if (has_nan(n, score))
		return ML_OK;
	items = sort_by_score(env, n, score);
	if (items == NULL)
		return env->error.status;
	for (size_t start = 0, end; start < n; start = end)
	{
		MlSum		tied[2] = {{0}};
		double		t[2];

		for (end = start; end < n && items[end].key == items[start].key; end++)
			ml_sum_add(&tied[actual[items[end].row]], ml_weight_of(weight, items[end].row));
		t[0] = ml_sum_value(&tied[0]);
		t[1] = ml_sum_value(&tied[1]);
		ml_sum_add(&area, t[0] * (ml_sum_value(&positive) + 0.5 * t[1]));
		ml_sum_add(&negative, t[0]);
		ml_sum_add(&positive, t[1]);
	}
	if (ml_sum_value(&positive) > 0 && ml_sum_value(&negative) > 0)
		*auc = ml_sum_value(&area) / (ml_sum_value(&positive) * ml_sum_value(&negative));
	ml_release(env, items);
	return ML_OK;
}

static size_t
count_distinct(const MlKeyed *items, size_t n)
{
	size_t		distinct = 0;

	for (size_t i = 0; i < n; i++)
		distinct += i == 0 || items[i].key != items[i - 1].key;
	return distinct;
}

MlStatus
ml_roc_compute(MlEnv *env, size_t n, const bool *actual, const double *score, MlRocPoint **points, size_t *count)
{
	MlKeyed    *items;
	MlRocPoint *curve;
	size_t		positives = 0;
	size_t		tp = 0;
	size_t		used = 0;

	*points = NULL;
	*count = 0;
	for (size_t i = 0; i < n; i++)
		positives += actual[i];
	if (positives == 0 || positives == n || has_nan(n, score))
		return ML_OK;			/* undefined: a curve without points */
	items = sort_by_score(env, n, score);
	if (items == NULL)
		return env->error.status;
	curve = ml_alloc(env, count_distinct(items, n) + 1, sizeof(MlRocPoint));
	if (curve == NULL)
		return env->error.status;

	curve[used++] = (MlRocPoint)
	{
		INFINITY, 0, 0
	};
	for (size_t i = 0; i < n; i++)
	{
		tp += actual[items[i].row];
		if (i + 1 < n && items[i + 1].key == items[i].key)
			continue;
		curve[used++] = (MlRocPoint)
		{
			score[items[i].row],
				(double) (i + 1 - tp) / (double) (n - positives),
				(double) tp / (double) positives
		};
	}
	ml_release(env, items);
	*points = curve;
	*count = used;
	return ML_OK;
}
