/*-------------------------------------------------------------------------
 * test_cluster.c
 *	  Clusterings and projections against scikit-learn on real data.
 *
 * Figures: test/reference/cluster.py.  What has one answer (projections, steps of EM from given
 * clusters, dense rows) must agree to many digits; what is a search for a minimum (k-means,
 * mixtures) must be as good to 0.5 %, and the same where the minimum is easily found.
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "cluster_data.h"

#include "ml/algo/cluster/gmm_fit.h"
#include "ml/algo/cluster/projection.h"
#include "ml/eval/silhouette.h"

/* One of scikit-learn's figures; the test ends when there is none. */
static double
figure(const char *set, const char *method, const char *name)
{
	FILE	   *file = fopen("test/reference/cluster.txt", "r");
	char		line[200];
	char		a[50],
				b[50],
				c[50];
	double		value;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
	{
		if (sscanf(line, "%49s %49s %49s %lf", a, b, c, &value) == 4 && strcmp(a, set) == 0 && strcmp(b, method) == 0 && strcmp(c, name) == 0)
		{
			fclose(file);
			return value;
		}
	}
	printf("Bail out! no figure %s %s %s\n", set, method, name);
	exit(2);
}

static double
numbered(const char *set, const char *method, const char *name, int number)
{
	char		text[60];

	snprintf(text, sizeof(text), "%s_%d", name, number);
	return figure(set, method, text);
}

static double
numbered_twice(const char *set, const char *method, const char *name, int a, int b)
{
	char		text[60];

	snprintf(text, sizeof(text), "%s_%d", name, a);
	return numbered(set, method, text, b);
}

/* -- k-means ---------------------------------------------------------------- */

static void
test_kmeans(const char *set, int k, const char *scale, const char *method, bool certain)
{
	MlEnv	   *env = unit_env(2);
	Table		t = table_read(set);
	Setting		settings[] = {{"n_clusters", k, NULL}, {"n_init", 50, NULL}, {"tol", 0, NULL}, {"scale", 0, scale}, {NULL}};
	MlTrainResult *r;
	double		inertia;

	CHECK_STATUS(env, table_train(env, &t, "kmeans", settings, &r), ML_OK);
	inertia = table_metric(r, "inertia");
	unit_check(inertia <= figure(set, method, "inertia") * 1.005, __FILE__, __LINE__, "%s: inertia %.10g, scikit-learn has %.10g", set, inertia, figure(set, method, "inertia"));
	if (certain)
	{
		size_t		size[16] = {0};

		CHECK_CLOSE(inertia, figure(set, method, "inertia"), 1e-9);
		/* Of at most 4,096 rows all are looked at. */
		CHECK_CLOSE(table_metric(r, "silhouette"), figure(set, method, "silhouette"), 1e-9);
		for (size_t i = 0; i < t.n; i++)
			size[(int) table_predict(r, &t, i)[0]]++;
		for (int c = 0; c < k; c++)
			CHECK((double) size[c] == numbered(set, method, "size", c));
	}
	CHECK(table_metric(r, "clusters") == k);
	unit_env_free(env);
}

/* -- projections ------------------------------------------------------------ */

static void
test_projection(const char *set, const char *algorithm, const char *method, const char *scale, bool whiten, int k)
{
	MlEnv	   *env = unit_env(2);
	Table		t = table_read(set);
	Setting		settings[] = {{"n_components", k, NULL}, {"scale", 0, scale}, {whiten ? "whiten" : NULL, 1, NULL}, {NULL}};
	MlTrainResult *r;
	const MlProjection *m;
	double		largest;

	CHECK_STATUS(env, table_train(env, &t, algorithm, settings, &r), ML_OK);
	m = r->model->fitted;
	largest = numbered(set, method, "singular", 0);
	for (int c = 0; c < k; c++)
	{
		/* Squares are what is added up: small directions keep half of the digits that large ones have. */
		double		tolerance = 1e-13 * largest * largest / pow(numbered(set, method, "singular", c), 2) + 1e-11;

		CHECK_CLOSE(m->singular[c], numbered(set, method, "singular", c), tolerance);
		CHECK_CLOSE(m->variance[c], numbered(set, method, "variance", c), 2 * tolerance);
		CHECK_CLOSE(m->variance[c] / m->total_variance, numbered(set, method, "ratio", c), 2 * tolerance);
		for (int j = 0, at = 0; j < 4 && j < t.p; j++)
		{
			/* Constant columns (of digits) are left out; their loadings are 0. */
			if (at < m->space->p && t.name[j] != NULL && strcmp(r->model->schema->features[at].name, t.name[j]) == 0)
				CHECK_NEAR(m->loading[c * m->space->p + at++], numbered_twice(set, method, "loading", c, j), 1e-8);
			else
				CHECK(fabs(numbered_twice(set, method, "loading", c, j)) < 1e-12);
		}
		for (int i = 0; i < 3; i++)
		{
			static const int rows[] = {0, 1, 77};
			double		want = numbered_twice(set, method, "value", rows[i], c);

			CHECK_NEAR(table_predict(r, &t, (size_t) rows[i])[c], want, 1e-8 * (1 + fabs(want)));
		}
	}
	CHECK_NEAR(table_metric(r, "explained_variance_ratio"), figure(set, method, "explained"), 1e-10);
	CHECK_CLOSE(table_metric(r, "reconstruction_error"), figure(set, method, "reconstruction"), 1e-6);
	unit_env_free(env);
}

static void
test_share_of_variance(const char *set)
{
	MlEnv	   *env = unit_env(1);
	Table		t = table_read(set);
	Setting		settings[] = {{"n_components", 0.95, NULL}, {NULL}};
	MlTrainResult *r;

	CHECK_STATUS(env, table_train(env, &t, "pca", settings, &r), ML_OK);
	CHECK(r->model->n_answer == figure(set, "pca", "components_for_95"));
	unit_env_free(env);
}

/* -- mixtures --------------------------------------------------------------- */

static const char *const kinds[] = {"full", "tied", "diag", "spherical"};

/* Twelve steps of EM from the true classes: everybody's numbers are the same. */
static void
test_em_steps(const char *set, MlCovariance kind)
{
	MlEnv	   *env = unit_env(2);
	Table		t = table_read(set);
	MlDataset	data = table_dataset(env, &t);
	MlGmmSpec	spec = {.kind = kind, .k = t.classes, .n_init = 1, .max_iter = 12, .reg_covar = 1e-6, .label = t.label};
	MlGmmResult r;
	MlSpace    *space;
	MlPoints   *points;
	double		score = 0;
	double	   *scratch;
	double		membership[3 * ML_LANES];
	double		density[ML_LANES];
	double		parameters = ml_gaussians_parameters(kind, (size_t) t.classes, (size_t) t.p);
	char		method[30];

	snprintf(method, sizeof(method), "gmm_%s", kinds[kind]);
	CHECK_STATUS(env, ml_space_fit(env, &data, 10, ML_SPACE_AS_IS, &space), ML_OK);
	CHECK_STATUS(env, ml_points_read(env, space, &data, &points), ML_OK);
	CHECK_STATUS(env, ml_gmm_fit(env, points, &spec, &r), ML_OK);
	scratch = ml_alloc(env, ml_gaussians_scratch((size_t) t.classes, (size_t) t.p), sizeof(double));
	CHECK(r.iterations == 12 && !r.converged);
	CHECK_CLOSE(r.log_likelihood, figure(set, method, "bound_12"), 1e-9);
	for (size_t g = 0; g < points->groups; g++)
	{
		ml_gaussians_group(&r.mixture, points->value + g * (size_t) t.p * ML_LANES, ML_LANES, membership, density, scratch);
		for (size_t l = 0; l < ML_LANES && g * ML_LANES + l < t.n; l++)
		{
			score += density[l];
			for (int c = 0; g * ML_LANES + l == 60 && c < t.classes; c++)
				CHECK_NEAR(membership[c * ML_LANES + (int) l], numbered(set, method, "proba", c), 1e-7);
		}
	}
	CHECK_CLOSE(score / (double) t.n, figure(set, method, "score_12"), 1e-9);
	CHECK_CLOSE(parameters * log((double) t.n) - 2 * score, figure(set, method, "bic_12"), 1e-9);
	CHECK_CLOSE(2 * parameters - 2 * score, figure(set, method, "aic_12"), 1e-9);
	for (int c = 0; c < t.classes; c++)
	{
		CHECK_CLOSE(r.mixture.weight[c], numbered(set, method, "weight", c), 1e-7);
		CHECK_CLOSE(r.mixture.mean[c * t.p], numbered(set, method, "mean", c), 1e-7);
	}
	unit_env_free(env);
}

static void
test_gmm(const char *set, int k, MlCovariance kind)
{
	MlEnv	   *env = unit_env(2);
	Table		t = table_read(set);
	Setting		settings[] = {{"n_components", k, NULL}, {"covariance_type", 0, kinds[kind]}, {"n_init", 10, NULL}, {"max_iter", 500, NULL}, {NULL}};
	MlTrainResult *r;
	char		method[30];
	double		best;
	double		own;

	snprintf(method, sizeof(method), "gmm_%s", kinds[kind]);
	CHECK_STATUS(env, table_train(env, &t, "gmm", settings, &r), ML_OK);
	best = figure(set, method, "best");
	own = table_metric(r, "log_likelihood");
	unit_check(own >= best - 0.005 * fabs(best), __FILE__, __LINE__, "%s %s: log-likelihood %.8g, scikit-learn has %.8g", set, kinds[kind], own, best);
	unit_env_free(env);
}

/* -- DBSCAN ----------------------------------------------------------------- */

static void
test_dbscan(const char *set, const char *method, const char *scale, double eps, int min_samples)
{
	MlEnv	   *env = unit_env(2);
	Table		t = table_read(set);
	Setting		settings[] = {{"eps", eps, NULL}, {"min_samples", min_samples, NULL}, {"scale", 0, scale}, {NULL}};
	MlTrainResult *r;
	MlCoefficient *share;
	size_t		count;
	size_t		noise = 0;
	int			clusters = (int) figure(set, method, "clusters");

	CHECK_STATUS(env, table_train(env, &t, "dbscan", settings, &r), ML_OK);
	CHECK_STATUS(env, r->model->method->coefficients(env, r->model->fitted, r->model->schema, &share, &count), ML_OK);
	CHECK((int) count == clusters + 1);
	for (int c = 0; c < clusters && c < 6; c++)
		CHECK_CLOSE(share[c].estimate * (double) t.n, numbered(set, method, "rows", c), 1e-12);
	CHECK_NEAR(share[clusters].estimate * (double) t.n, figure(set, method, "noise"), 1e-9);
	/* A row of the training set is noise to the model as it was in training. */
	for (size_t i = 0; i < t.n; i++)
		noise += table_predict(r, &t, i)[0] < 0;
	CHECK((double) noise == figure(set, method, "noise"));
	CHECK_NEAR(table_metric(r, "noise") * (double) t.n, (double) noise, 1e-9);
	CHECK(table_metric(r, "clusters") == clusters);
	unit_env_free(env);
}

int
main(void)
{
	test_kmeans("iris", 3, "none", "kmeans", true);
	test_kmeans("iris", 3, "standard", "kmeans_std", true);
	test_kmeans("wine", 3, "none", "kmeans", true);
	test_kmeans("wine", 3, "standard", "kmeans_std", true);
	test_kmeans("breast_cancer", 2, "none", "kmeans", true);
	test_kmeans("breast_cancer", 2, "standard", "kmeans_std", true);
	test_kmeans("diabetes", 4, "none", "kmeans", false);
	test_kmeans("diabetes", 4, "standard", "kmeans_std", false);
	test_kmeans("digits", 10, "none", "kmeans", false);
	for (int s = 0; s < 5; s++)
	{
		static const char *const sets[] = {"iris", "wine", "breast_cancer", "diabetes", "digits"};

		test_projection(sets[s], "pca", "pca", "none", false, 3);
		test_projection(sets[s], "pca", "whitened", "none", true, 2);
		test_projection(sets[s], "pca", "pca_std", "standard", false, 2);
		test_projection(sets[s], "truncated_svd", "svd", "none", false, 3);
		test_share_of_variance(sets[s]);
	}
	for (int kind = 0; kind < 4; kind++)
	{
		test_em_steps("iris", (MlCovariance) kind);
		test_em_steps("wine", (MlCovariance) kind);
		test_em_steps("breast_cancer", (MlCovariance) kind);
		test_gmm("iris", 3, (MlCovariance) kind);
		test_gmm("wine", 3, (MlCovariance) kind);
		test_gmm("breast_cancer", 2, (MlCovariance) kind);
	}
	test_dbscan("iris", "dbscan", "none", 0.5, 5);
	test_dbscan("iris", "dbscan_fine", "none", 0.3, 3);
	test_dbscan("wine", "dbscan_std", "standard", 2.3, 5);
	test_dbscan("digits", "dbscan", "none", 20, 5);
	test_dbscan("diabetes", "dbscan", "none", 25, 8);
	return unit_done();
}
