/*-------------------------------------------------------------------------
 * test_gbdt_quality.c
 *	  gbdt against XGBoost and scikit-learn on real data, equal parameters, same rows.
 *
 * Figures and what was asked of the peers: test/reference/gbdt.py.  The mean over
 * the splits must not be worse by more than 0.005 AUC or 1 % RMSE; log loss, which
 * depends on details of the softmax step, by no more than 0.05.
 *-------------------------------------------------------------------------
 */
#include "gbdt_data.h"

#include "ml/algo/gbdt/gbdt_internal.h"
#include "ml/eval/metrics.h"

#define SPLITS 5

static bool
is_test_row(size_t i, int split)
{
	return ml_mix64(i + UINT64_C(1000003) * (uint64_t) split) % 10 < 3;
}

/* The mean of a peer's figures. */
static double
peer_mean(const char *name, const char *peer, const char *metric)
{
	FILE	   *file = fopen("test/reference/gbdt.txt", "r");
	char		line[200];
	double		sum = 0;
	int			n = 0;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
	{
		char		a[50],
					b[50],
					c[50];
		int			split;
		double		value;

		if (sscanf(line, "%49s %49s %d %49s %lf", a, b, &split, c, &value) == 5 &&
			strcmp(a, name) == 0 && strcmp(b, peer) == 0 && strcmp(c, metric) == 0)
		{
			sum += value;
			n++;
		}
	}
	if (file != NULL)
		fclose(file);
	return n == SPLITS ? sum / n : NAN;
}

/* Fits on the training rows of a split; fills the metrics of its test rows. */
static MlStatus
fit_split(const Table *t, int classes, int split, const char *settings, MlMetric *metrics, int *count)
{
	MlEnv	   *env = unit_env(2);
	MlDataset  *data = gbdt_data(env, t->n, t->p, classes);
	size_t		n_train = 0;
	size_t		n_test = 0;
	int			k = classes > 0 ? classes : 1;
	double	   *y = ml_alloc(env, t->n, sizeof(double));
	double	   *p = ml_alloc(env, t->n * (size_t) k, sizeof(double));
	MlModel    *model;
	MlStatus	status;

	for (size_t i = 0; i < t->n; i++)
	{
		if (is_test_row(i, split))
			continue;
		for (int f = 0; f < t->p; f++)
			gbdt_number(data, f)[n_train] = t->x[i * (size_t) t->p + (size_t) f];
		gbdt_target(data)[n_train++] = t->y[i];
	}
	data->n_train = n_train;
	status = gbdt_fit(env, data, settings, &model);
	for (size_t i = 0; i < t->n && status == ML_OK; i++)
	{
		if (!is_test_row(i, split))
			continue;
		y[n_test] = t->y[i];
		ml_model_predict(model, t->x + i * (size_t) t->p, p + n_test++ * (size_t) k);
	}
	if (status == ML_OK)
		status = ml_metrics(env, data->schema->task, classes, n_test, y, p, NULL, metrics, count);
	unit_env_free(env);
	return status;
}

static double
value_of(const MlMetric *metrics, int count, const char *name)
{
	for (int m = 0; m < count; m++)
		if (strcmp(metrics[m].name, name) == 0)
			return metrics[m].value;
	return NAN;
}

static void
compare(const char *name, int classes, const char *peer, const char *settings)
{
	Table		t = read_table(name);
	const char *first = classes > 0 ? "auc" : "rmse";
	double		ours = 0;
	double		logloss = 0;
	double		theirs = peer_mean(name, peer, first);

	for (int split = 0; split < SPLITS; split++)
	{
		MlMetric	metrics[ML_MAX_METRICS];
		int			count = 0;

		CHECK(fit_split(&t, classes, split, settings, metrics, &count) == ML_OK);
		ours += value_of(metrics, count, first) / SPLITS;
		logloss += value_of(metrics, count, "logloss") / SPLITS;
	}
	unit_check(classes > 0 ? ours >= theirs - 0.005 : ours <= theirs * 1.01, __FILE__, __LINE__,
			   "%s: %s %.6f, %s has %.6f", name, first, ours, peer, theirs);
	if (classes > 0)
	{
		theirs = peer_mean(name, peer, "logloss");
		unit_check(logloss <= theirs + 0.05, __FILE__, __LINE__, "%s: logloss %.6f, %s has %.6f", name, logloss, peer, theirs);
	}
	free(t.x);
	free(t.y);
}

int
main(void)
{
	static const struct
	{
		const char *name;
		int			classes;
	}			sets[] = {{"breast_cancer", 2}, {"wine", 3}, {"diabetes", 0}, {"digits", 10}};

	for (size_t s = 0; s < sizeof(sets) / sizeof(sets[0]); s++)
	{
		compare(sets[s].name, sets[s].classes, "xgboost",
				"min_data_in_leaf=1 min_sum_hessian_in_leaf=1 min_data_in_bin=1 max_bin=256");
		compare(sets[s].name, sets[s].classes, "sklearn", "");
	}
	/* Gradients of few bits, which only trees of many rows are given, do no harm even here. */
	ml_gbdt_packing_rows = 0;
	compare("breast_cancer", 2, "sklearn", "");
	compare("diabetes", 0, "sklearn", "");
	return unit_done();
}
