/*-------------------------------------------------------------------------
 * judge_answers.c
 *	  Judges a model that has no target: what do its answers say of the rows?
 *
 * One pass predicts every row, keeps the first number or two of each answer, and adds
 * up the figures that the method hands out with it (see MlMethod).  Sums are taken
 * task by task and then over tasks in order, so they do not depend on threads.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/pool.h"
#include "ml/base/rng.h"
#include "ml/base/sort.h"
#include "ml/eval/metrics_internal.h"
#include "ml/eval/silhouette.h"
#include "ml/model/judge_internal.h"

#define TASK_ROWS 512
#define BATCH_TASKS 512			/* between two reports of progress */

/* Which rows are drawn for the silhouette: the same ones for the same rows, whatever the run's seed. */
#define SAMPLE_SEED UINT64_C(0x5349)

typedef struct Work
{
	const MlJudgeRows *rows;
	const MlModel *models;		/* one for each thread */
	double	   *x;				/* threads x n_features x ML_BATCH_ROWS */
	double	   *out;			/* threads x n_out x ML_BATCH_ROWS */
	size_t		first_task;		/* of the batch */
	double	   *answer;			/* n: first number of the answer */
	bool	   *flag;			/* n, of anomalies: the second one */
	double	   *sums;			/* tasks x (1 + n_figures): weight, then figures */
} Work;

static void
answer_task(void *arg, size_t number, int thread)
{
	const Work *w = arg;
	const MlModel *model = &w->models[thread];
	int			p = model->schema->n_features;
	int			n_figures = model->n_out - model->n_answer;
	size_t		task = w->first_task + number;
	size_t		begin = task * TASK_ROWS;
	size_t		end = begin + TASK_ROWS < w->rows->n ? begin + TASK_ROWS : w->rows->n;
	double	   *x = w->x + (size_t) thread * (size_t) p * ML_BATCH_ROWS;
	double	   *out = w->out + (size_t) thread * (size_t) model->n_out * ML_BATCH_ROWS;
	double	   *sums = w->sums + task * (size_t) (1 + n_figures);

	for (size_t i = begin; i < end; i += ML_BATCH_ROWS)
	{
		size_t		n = end - i < ML_BATCH_ROWS ? end - i : ML_BATCH_ROWS;

		ml_judge_block(w->rows, p, i, n, x);
		ml_model_predict_batch(model, x, n, out);
		for (size_t j = 0; j < n; j++)
		{
			const double *o = out + j * (size_t) model->n_out;
			double		weight = ml_weight_of(w->rows->weight, i + j);

			w->answer[i + j] = o[0];
			if (w->flag != NULL)
				w->flag[i + j] = o[1] != 0;
			sums[0] += weight;
			for (int k = 0; k < n_figures; k++)
				sums[1 + k] += weight * o[model->n_answer + k];
		}
	}
}

static MlStatus
answer_all(MlEnv *env, const MlModel *model, Work *w, size_t tasks)
{
	int			threads = ml_pool_threads(env->pool);
	MlModel    *models = ml_alloc(env, (size_t) threads, sizeof(MlModel));
	size_t		n = w->rows->n;

	w->models = models;
	w->x = ml_alloc(env, (size_t) threads * ML_BATCH_ROWS, sizeof(double) * (size_t) model->schema->n_features);
	w->out = ml_alloc(env, (size_t) threads * ML_BATCH_ROWS, sizeof(double) * (size_t) model->n_out);
	w->answer = ml_alloc(env, n, sizeof(double));
	w->flag = model->schema->task == ML_TASK_ANOMALY ? ml_alloc(env, n, sizeof(bool)) : NULL;
	w->sums = ml_alloc0(env, tasks, sizeof(double) * (size_t) (1 + model->n_out - model->n_answer));
	if (models == NULL || w->x == NULL || w->out == NULL || w->answer == NULL || w->sums == NULL || env->error.status != ML_OK)
		return env->error.status;
	for (int t = 0; t < threads; t++)
		ML_TRY(ml_model_share(env, model, &models[t]));
	for (w->first_task = 0; w->first_task < tasks; w->first_task += BATCH_TASKS)
	{
		size_t		left = tasks - w->first_task;
		MlProgress	progress = {.phase = "evaluate", .share = (double) w->first_task / (double) tasks, .train_loss = NAN, .validation_loss = NAN};

		ml_progress(env, &progress);
		ML_TRY(ml_pool_run(env, left < BATCH_TASKS ? left : BATCH_TASKS, answer_task, w));
	}
	return ML_OK;
}

/* -- clusters --------------------------------------------------------------- */

/* Rows (out, room for "limit") of a sample of those that are no noise; how many there are. */
static size_t
draw_sample(const Work *w, size_t limit, size_t *sample)
{
	size_t		left = 0;
	size_t		drawn = 0;

	for (size_t i = 0; i < w->rows->n; i++)
		left += w->answer[i] >= 0;
	if (limit > left)
		limit = left;
	/* Each row that is left is drawn with the probability (still needed) / (still left): Knuth, algorithm S. */
	for (size_t i = 0; i < w->rows->n && drawn < limit; i++)
	{
		if (w->answer[i] < 0)
			continue;
		if (ml_rng_uniform(SAMPLE_SEED, 0, i) * (double) left < (double) (limit - drawn))
			sample[drawn++] = i;
		left--;
	}
	return drawn;
}

static MlStatus
judge_silhouette(MlEnv *env, const MlModel *model, const Work *w, MlReport *report)
{
	const MlMethod *method = model->method;
	int			features = model->schema->n_features;
	size_t		p = (size_t) method->n_coordinates(model->fitted);
	size_t		limit = ml_silhouette_rows(p);
	size_t	   *sample = ml_alloc(env, limit, sizeof(size_t));
	double	   *row = ml_alloc(env, (size_t) features, sizeof(double));
	double	   *x;
	int32_t    *label;
	size_t		n;
	double		silhouette;

	if (sample == NULL || row == NULL)
		return env->error.status;
	n = draw_sample(w, limit, sample);
	x = ml_alloc(env, n, p * sizeof(double));
	label = ml_alloc(env, n, sizeof(int32_t));
	if (x == NULL || label == NULL)
		return env->error.status;
	for (size_t i = 0; i < n; i++)
	{
		for (int f = 0; f < features; f++)
			row[f] = ml_judge_value(&w->rows->columns[f], ml_judge_row(w->rows, sample[i]));
		method->coordinates(model->fitted, ml_model_encode(model, row), x + i * p);
		label[i] = (int32_t) w->answer[sample[i]];
	}
	ML_TRY(ml_silhouette(env, n, p, x, label, &silhouette));
	ml_report_put(report, ML_METRIC_SILHOUETTE, silhouette);
	ml_release(env, x);
	ml_release(env, label);
	ml_release(env, sample);
	return ML_OK;
}

static MlStatus
judge_clusters(MlEnv *env, const MlModel *model, const Work *w, MlReport *report)
{
	int32_t		highest = -1;
	int32_t		clusters = 0;
	bool	   *seen;

	for (size_t i = 0; i < w->rows->n; i++)
		highest = w->answer[i] > highest ? (int32_t) w->answer[i] : highest;
	seen = ml_alloc0(env, (size_t) highest + 2, sizeof(bool));
	if (seen == NULL)
		return env->error.status;
	for (size_t i = 0; i < w->rows->n; i++)
	{
		if (w->answer[i] < 0 || seen[(int32_t) w->answer[i]])
			continue;
		seen[(int32_t) w->answer[i]] = true;
		clusters++;
	}
	ml_report_put(report, ML_METRIC_CLUSTERS, clusters);
	if (model->method->n_coordinates == NULL)
		return ML_OK;
	return judge_silhouette(env, model, w, report);
}

/* -- anomalies -------------------------------------------------------------- */

/* As numpy's default: linear between neighbours. */
static double
quantile_of(const MlKeyed *sorted, const double *score, size_t n, double q)
{
	double		at = q * (double) (n - 1);
	size_t		below = (size_t) at;
	double		low = score[sorted[below].row];

	return below + 1 < n ? low + (at - (double) below) * (score[sorted[below + 1].row] - low) : low;
}

static MlStatus
judge_scores(MlEnv *env, const Work *w, MlReport *report)
{
	size_t		n = w->rows->n;
	MlKeyed    *sorted = ml_alloc(env, n, sizeof(MlKeyed));
	MlSum		weight[2] = {{0}};	/* of the others, of the flagged */
	MlSum		sum[2] = {{0}};
	MlSum		squares = {0};
	double		total,
				mean,
				variance;

	if (sorted == NULL)
		return env->error.status;
	for (size_t i = 0; i < n; i++)
	{
		double		v = ml_weight_of(w->rows->weight, i);

		sorted[i] = (MlKeyed) {ml_sort_key_double(w->answer[i]), i};
		ml_sum_add(&weight[w->flag[i]], v);
		ml_sum_add(&sum[w->flag[i]], v * w->answer[i]);
	}
	total = ml_sum_value(&weight[0]) + ml_sum_value(&weight[1]);
	mean = (ml_sum_value(&sum[0]) + ml_sum_value(&sum[1])) / total;
	for (size_t i = 0; i < n; i++)
		ml_sum_add(&squares, ml_weight_of(w->rows->weight, i) * (w->answer[i] - mean) * (w->answer[i] - mean));
	variance = ml_sum_value(&squares) / total;
	ML_TRY(ml_sort_keyed(env, sorted, n));

	/* 0/0 without a flagged row or without any other. */
	ml_report_put(report, ML_METRIC_SEPARATION,
				  (ml_sum_value(&sum[1]) / ml_sum_value(&weight[1]) - ml_sum_value(&sum[0]) / ml_sum_value(&weight[0])) / sqrt(variance));
	ml_report_put(report, ML_METRIC_FLAGGED, ml_sum_value(&weight[1]) / total);
	ml_report_put(report, ML_METRIC_SCORE_MEDIAN, quantile_of(sorted, w->answer, n, 0.5));
	ml_report_put(report, ML_METRIC_SCORE_P90, quantile_of(sorted, w->answer, n, 0.9));
	ml_report_put(report, ML_METRIC_SCORE_P99, quantile_of(sorted, w->answer, n, 0.99));
	ml_report_put(report, ML_METRIC_SCORE_MAX, quantile_of(sorted, w->answer, n, 1));
	ml_release(env, sorted);
	return ML_OK;
}

/* -- all -------------------------------------------------------------------- */

/* What the method itself says. */
static void
judge_figures(const MlModel *model, const Work *w, size_t tasks, MlReport *report)
{
	int			n_figures = model->n_out - model->n_answer;
	MlSum		sum[1 + ML_MAX_FIGURES] = {{0}};
	double		value[1 + ML_MAX_FIGURES];

	if (model->method->report == NULL)
		return;
	for (size_t t = 0; t < tasks; t++)
		for (int k = 0; k <= n_figures; k++)
			ml_sum_add(&sum[k], w->sums[t * (size_t) (1 + n_figures) + (size_t) k]);
	for (int k = 0; k <= n_figures; k++)
		value[k] = ml_sum_value(&sum[k]);
	model->method->report(model->fitted, value[0], value + 1, report);
}

MlStatus
ml_judge_answers(MlEnv *env, const MlModel *model, const MlJudgeRows *rows, MlPartMetrics *metrics)
{
	size_t		tasks = (rows->n + TASK_ROWS - 1) / TASK_ROWS;
	Work		w = {.rows = rows};
	MlReport	report;

	memset(&report, 0, sizeof(report));
	ML_TRY(answer_all(env, model, &w, tasks));
	judge_figures(model, &w, tasks, &report);
	if (model->schema->task == ML_TASK_CLUSTERING)
		ML_TRY(judge_clusters(env, model, &w, &report));
	else if (model->schema->task == ML_TASK_ANOMALY)
		ML_TRY(judge_scores(env, &w, &report));
	ml_report_metrics(&report, metrics->metrics, &metrics->count);
	ml_release(env, w.answer);
	if (w.flag != NULL)
		ml_release(env, w.flag);
	ml_release(env, w.sums);
	return ML_OK;
}
