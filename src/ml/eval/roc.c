/*-------------------------------------------------------------------------
 * roc.c
 *	  The ROC curve and the area under it, ties counted half (Fawcett 2006).
 *-------------------------------------------------------------------------
 */
#include <math.h>

#include "ml/base/arena.h"
#include "ml/base/sort.h"
#include "ml/eval/metrics_internal.h"

/* Rows by falling score, each as twice its number plus whether it is positive; NULL with env->error set on failure. */
static MlKeyed *
sort_by_score(MlEnv *env, size_t n, const bool *actual, const double *score)
{
	MlKeyed    *items = ml_alloc(env, n, sizeof(MlKeyed));

	if (items == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++)
	{
		items[i].key = ~ml_sort_key_double(score[i]);
		items[i].row = 2 * i + actual[i];
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

static double
weighted_auc(const MlKeyed *items, size_t n, const double *weight)
{
	MlSum		positive = {0}; /* weight of the positive rows above */
	MlSum		negative = {0};
	MlSum		area = {0};

	for (size_t start = 0, end; start < n; start = end)
	{
		MlSum		tied[2] = {{0}};
		double		t[2];

		for (end = start; end < n && items[end].key == items[start].key; end++)
			ml_sum_add(&tied[items[end].row & 1], weight[items[end].row >> 1]);
		t[0] = ml_sum_value(&tied[0]);
		t[1] = ml_sum_value(&tied[1]);
		ml_sum_add(&area, t[0] * (ml_sum_value(&positive) + 0.5 * t[1]));
		ml_sum_add(&negative, t[0]);
		ml_sum_add(&positive, t[1]);
	}
	if (!(ml_sum_value(&positive) > 0 && ml_sum_value(&negative) > 0))
		return NAN;
	return ml_sum_value(&area) / (ml_sum_value(&positive) * ml_sum_value(&negative));
}

/* The same by counting, without rounding. */
static double
counted_auc(const MlKeyed *items, size_t n)
{
	uint64_t	positives = 0;
	uint64_t	above = 0;		/* positives above the tied rows */
	uint64_t	start = 0;
	unsigned __int128 area = 0; /* twice the pairs in order, ties counted half */

	for (size_t i = 0; i < n; i++)
	{
		positives += items[i].row & 1;
		if (i + 1 == n || items[i + 1].key != items[i].key)
		{
			uint64_t	tied = positives - above;

			area += (unsigned __int128) (i + 1 - start - tied) * (2 * above + tied);
			above = positives;
			start = i + 1;
		}
	}
	if (positives == 0 || positives == n)
		return NAN;
	return 0.5 * (double) area / ((double) positives * (double) (n - positives));
}

static size_t
count_distinct(const MlKeyed *items, size_t n)
{
	size_t		distinct = 0;

	for (size_t i = 0; i < n; i++)
		distinct += i == 0 || items[i].key != items[i - 1].key;
	return distinct;
}

/* At most roc->most points, evenly, with the first and the last one. */
static MlStatus
roc_of(MlEnv *env, const MlKeyed *items, size_t n, const double *score, MlRoc *roc)
{
	size_t		all = count_distinct(items, n) + 1;
	size_t		kept = all < roc->most ? all : roc->most;
	size_t		positives = 0;
	size_t		tp = 0;
	size_t		number = 0;

	for (size_t i = 0; i < n; i++)
		positives += items[i].row & 1;
	if (positives == 0 || positives == n)
		return ML_OK;			/* undefined: a curve without points */
	roc->points = ml_alloc(env, kept, sizeof(MlRocPoint));
	if (roc->points == NULL)
		return env->error.status;
	roc->points[roc->n++] = (MlRocPoint)
	{
		INFINITY, 0, 0
	};
	for (size_t i = 0; i < n; i++)
	{
		tp += items[i].row & 1;
		if (i + 1 < n && items[i + 1].key == items[i].key)
			continue;
		if (++number != roc->n * (all - 1) / (kept - 1))
			continue;
		roc->points[roc->n++] = (MlRocPoint)
		{
			score[items[i].row >> 1],
				(double) (i + 1 - tp) / (double) (n - positives),
				(double) tp / (double) positives
		};
	}
	return ML_OK;
}

MlStatus
ml_auc_and_roc(MlEnv *env, size_t n, const bool *actual, const double *score, const double *weight, double *auc, MlRoc *roc)
{
	MlKeyed    *items;

	*auc = NAN;
	if (has_nan(n, score))
		return ML_OK;
	items = sort_by_score(env, n, actual, score);
	if (items == NULL)
		return env->error.status;
	*auc = weight != NULL ? weighted_auc(items, n, weight) : counted_auc(items, n);
	if (roc != NULL)
		ML_TRY(roc_of(env, items, n, score, roc));
	ml_release(env, items);
	return ML_OK;
}

MlStatus
ml_auc_compute(MlEnv *env, size_t n, const bool *actual, const double *score, const double *weight, double *auc)
{
	return ml_auc_and_roc(env, n, actual, score, weight, auc, NULL);
}

MlStatus
ml_roc_compute(MlEnv *env, size_t n, const bool *actual, const double *score, MlRocPoint **points, size_t *count)
{
	MlRoc		roc = {.most = SIZE_MAX};
	double		auc;

	ML_TRY(ml_auc_and_roc(env, n, actual, score, NULL, &auc, &roc));
	*points = roc.points;
	*count = roc.n;
	return ML_OK;
}
