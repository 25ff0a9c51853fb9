/*-------------------------------------------------------------------------
 * classification.c
 *	  accuracy, precision, recall, f1, auc, logloss, brier.
 *
 * As scikit-learn does, a ratio 0/0 of precision, recall or f1 counts as 0, and
 * the mean over classes is over those that occur among the true or the
 * predicted labels.  The mean one-vs-rest auc is undefined unless every class occurs.
 *-------------------------------------------------------------------------
 */
#include <math.h>

#include "ml/base/arena.h"
#include "ml/base/elementary.h"
#include "ml/base/pool.h"
#include "ml/eval/metrics_internal.h"

/* Rows of a task; their sums are joined in order. */
#define BLOCK_ROWS ((size_t) 65536)

/* Weights by class: of the rows that are of it, said to be of it, and both. */
typedef struct Tally
{
	double		actual;
	double		predicted;
	double		right;
} Tally;

static double
ratio(double a, double b)
{
	return b > 0 ? a / b : 0;
}

static void
rates(const Tally *t, double *precision, double *recall, double *f1)
{
	*precision = ratio(t->right, t->predicted);
	*recall = ratio(t->right, t->actual);
	*f1 = ratio(2 * t->right, t->actual + t->predicted);
}

static void
rates_of_all(const Tally *tally, int n_classes, double *value)
{
	double		sum[3] = {0};
	int			present = 0;

	if (n_classes == 2)
	{
		rates(&tally[1], &value[ML_METRIC_PRECISION], &value[ML_METRIC_RECALL], &value[ML_METRIC_F1]);
		return;
	}
	for (int k = 0; k < n_classes; k++)
	{
		double		r[3];

		if (!(tally[k].actual > 0 || tally[k].predicted > 0))
			continue;
		rates(&tally[k], &r[0], &r[1], &r[2]);
		for (int j = 0; j < 3; j++)
			sum[j] += r[j];
		present++;
	}
	value[ML_METRIC_PRECISION] = sum[0] / present;
	value[ML_METRIC_RECALL] = sum[1] / present;
	value[ML_METRIC_F1] = sum[2] / present;
}

static int
winner(const double *p, int n_classes)
{
	int			best = 0;

	for (int k = 1; k < n_classes; k++)
	{
		if (p[k] > p[best])
			best = k;
	}
	return best;
}

static double
row_logloss(const double *p, int k)
{
	return -ml_log(fmin(fmax(p[k], 1e-15), 1 - 1e-15));
}

static double
row_brier(const double *p, int n_classes, int k)
{
	double		sum = 0;

	if (n_classes == 2)
		return (p[1] - (k == 1)) * (p[1] - (k == 1));
	for (int j = 0; j < n_classes; j++)
		sum += (p[j] - (j == k)) * (p[j] - (j == k));
	return sum;
}

static MlStatus
mean_auc(MlEnv *env, int n_classes, size_t n, const double *y, const double *prediction, const double *weight, double *auc, MlRoc *roc)
{
	bool	   *actual = ml_alloc(env, n, sizeof(bool));
	double	   *score = ml_alloc(env, n, sizeof(double));
	double		sum = 0;
	int			first = n_classes == 2 ? 1 : 0;

	if (actual == NULL || score == NULL)
		return env->error.status;
	for (int k = first; k < n_classes; k++)
	{
		double		one;

		for (size_t i = 0; i < n; i++)
		{
			actual[i] = (int) y[i] == k;
			score[i] = prediction[i * (size_t) n_classes + (size_t) k];
		}
		ML_TRY(ml_auc_and_roc(env, n, actual, score, weight, &one, roc));
		sum += one;
	}
	*auc = sum / (n_classes - first);
	ml_release(env, actual);
	ml_release(env, score);
	return ML_OK;
}

typedef struct Sums
{
	MlSum		total;
	MlSum		right;
	MlSum		logloss;
	MlSum		brier;
} Sums;

typedef struct Count
{
	int			n_classes;
	size_t		n;
	const double *y;
	const double *prediction;
	const double *weight;
	Tally	   *tally;			/* blocks x n_classes */
	Sums	   *sums;			/* blocks */
} Count;

static void
count_task(void *arg, size_t task, int thread)
{
	const Count *count = arg;
	int			n_classes = count->n_classes;
	size_t		end = count->n - task * BLOCK_ROWS < BLOCK_ROWS ? count->n : (task + 1) * BLOCK_ROWS;
	Tally	   *tally = count->tally + task * (size_t) n_classes;
	Sums		s = {{0}, {0}, {0}, {0}};

	(void) thread;
	for (size_t i = task * BLOCK_ROWS; i < end; i++)
	{
		const double *p = count->prediction + i * (size_t) n_classes;
		double		w = ml_weight_of(count->weight, i);
		int			k = (int) count->y[i];
		int			said = winner(p, n_classes);

		tally[k].actual += w;
		tally[said].predicted += w;
		if (k == said)
		{
			tally[k].right += w;
			ml_sum_add(&s.right, w);
		}
		ml_sum_add(&s.total, w);
		ml_sum_add(&s.logloss, w * row_logloss(p, k));
		ml_sum_add(&s.brier, w * row_brier(p, n_classes, k));
	}
	count->sums[task] = s;
}

static void
join(MlSum *to, const MlSum *from)
{
	ml_sum_add(to, from->sum);
	to->lost += from->lost;
}

MlStatus
ml_metrics_classification(MlEnv *env, int n_classes, size_t n, const double *y, const double *prediction, const double *weight, double *value, MlRoc *roc)
{
	size_t		blocks = (n + BLOCK_ROWS - 1) / BLOCK_ROWS;
	Count		count = {n_classes, n, y, prediction, weight,
		ml_alloc0(env, (blocks + 1) * (size_t) n_classes, sizeof(Tally)), ml_alloc0(env, blocks + 1, sizeof(Sums))};
	Tally	   *tally = count.tally + blocks * (size_t) n_classes;
	Sums		all = {{0}, {0}, {0}, {0}};

	if (count.tally == NULL || count.sums == NULL)
		return env->error.status;
	ML_TRY(ml_pool_run(env, blocks, count_task, &count));
	for (size_t b = 0; b < blocks; b++)
	{
		for (int k = 0; k < n_classes; k++)
		{
			const Tally *t = &count.tally[b * (size_t) n_classes + (size_t) k];

			tally[k].actual += t->actual;
			tally[k].predicted += t->predicted;
			tally[k].right += t->right;
		}
		join(&all.total, &count.sums[b].total);
		join(&all.right, &count.sums[b].right);
		join(&all.logloss, &count.sums[b].logloss);
		join(&all.brier, &count.sums[b].brier);
	}
	value[ML_METRIC_ACCURACY] = ml_sum_value(&all.right) / ml_sum_value(&all.total);
	value[ML_METRIC_LOGLOSS] = ml_sum_value(&all.logloss) / ml_sum_value(&all.total);
	value[ML_METRIC_BRIER] = ml_sum_value(&all.brier) / ml_sum_value(&all.total);
	rates_of_all(tally, n_classes, value);
	ml_release(env, count.tally);
	return mean_auc(env, n_classes, n, y, prediction, weight, &value[ML_METRIC_AUC], roc);
}
