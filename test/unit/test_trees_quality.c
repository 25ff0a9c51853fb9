/*-------------------------------------------------------------------------
 * test_trees_quality.c
 *	  Decision trees and forests against scikit-learn on real data.
 *
 * Figures: test/reference/trees.py.  A tree must be scikit-learn's: as many leaves, and on
 * rows where that does not break ties the same prediction to 1e-9.  A forest's mean over
 * five splits must not be worse than scikit-learn's by more than 0.5 %.
 *-------------------------------------------------------------------------
 */
#include "trees_data.h"

#define SPLITS 5

static int
classes_of(const char *name)
{
	return strcmp(name, "diabetes") == 0 ? 0 : strcmp(name, "digits") == 0 ? 10 : strcmp(name, "breast_cancer") == 0 ? 2 : 3;
}

static int
leaves_of(const MlModel *model)
{
	double		splits[64];
	MlEnv	   *env = unit_env(1);
	double		sum = 0;

	CHECK(model->method->importance(env, model->fitted, model->schema, "split", splits) == ML_OK);
	for (int f = 0; f < model->schema->n_features; f++)
		sum += splits[f];
	unit_env_free(env);
	return (int) sum + 1;
}

/* One tree of the file, whose predictions stand on the next lines. */
static void
compare_tree(FILE *file, const char *name, const char *params, int leaves)
{
	Table		t = read_table(name);
	int			classes = classes_of(name);
	int			k = classes > 0 ? classes : 1;
	MlEnv	   *env = unit_env(1);
	MlModel    *model = NULL;
	double		worst = 0;
	int			compared = 0;
	char		line[4096];

	CHECK_STATUS(env, trees_fit(env, "decision_tree", training_rows(env, &t, classes, 0), params, &model), ML_OK);
	for (size_t i = 0; i < t.n && model != NULL; i++)
	{
		double		out[16];
		char	   *s = line;

		if (!is_test_row(i, 0) || fgets(line, sizeof(line), file) == NULL || line[0] == '-')
			continue;
		ml_model_predict(model, t.x + i * (size_t) t.p, out);
		for (int c = 0; c < k; c++)
			worst = fmax(worst, fabs(out[c] - strtod(s, &s)) / fmax(fabs(out[c]), 1));
		compared++;
	}
	unit_check(compared > 20 && worst < 1e-9, __FILE__, __LINE__, "%s %s: %d predictions, worst difference %g", name, params, compared, worst);
	unit_check(model != NULL && abs(leaves_of(model) - leaves) <= (classes > 0 ? 1 : 0), __FILE__, __LINE__, "%s %s: %d leaves, wanted %d",
			   name, params, leaves_of(model), leaves);
	unit_env_free(env);
	free(t.x);
	free(t.y);
}

static double
forest_figure(const Table *t, const char *method, int classes, int split)
{
	MlEnv	   *env = unit_env(2);
	MlModel    *model = NULL;
	double		sum = 0;
	size_t		n = 0;

	CHECK_STATUS(env, trees_fit(env, method, training_rows(env, t, classes, split), "", &model), ML_OK);
	for (size_t i = 0; i < t->n && model != NULL; i++)
	{
		double		out[16];

		if (!is_test_row(i, split))
			continue;
		ml_model_predict(model, t->x + i * (size_t) t->p, out);
		sum += classes > 0 ? ml_model_winner(model, out) == t->y[i] : (out[0] - t->y[i]) * (out[0] - t->y[i]);
		n++;
	}
	unit_env_free(env);
	return classes > 0 ? sum / (double) n : sqrt(sum / (double) n);
}

static void
compare_forest(const char *name, const char *method, double theirs)
{
	Table		t = read_table(name);
	int			classes = classes_of(name);
	double		ours = 0;

	for (int split = 0; split < SPLITS; split++)
		ours += forest_figure(&t, method, classes, split) / SPLITS;
	unit_check(classes > 0 ? ours >= theirs - 0.005 : ours <= theirs * 1.005, __FILE__, __LINE__,
			   "%s %s: %.6f, scikit-learn has %.6f", name, method, ours, theirs);
	free(t.x);
	free(t.y);
}

int
main(void)
{
	FILE	   *file = fopen("test/reference/trees.txt", "r");
	char		line[4096];
	int			trees = 0;
	int			forests = 0;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
	{
		char		name[50];
		char		word[200];
		char		metric[50];
		double		value;

		if (sscanf(line, "tree %49s %199s %lf", name, word, &value) == 3)
		{
			compare_tree(file, name, word, (int) value);
			trees++;
		}
		else if (sscanf(line, "forest %49s %199s %49s %lf", name, word, metric, &value) == 4)
		{
			compare_forest(name, word, value);
			forests++;
		}
	}
	CHECK(trees == 30 && forests == 10);
	return unit_done();
}
