/*-------------------------------------------------------------------------
 * test_gbdt_shap.c
 *	  Contributions of gbdt against the definition of Shapley values, and against
 *	  a slow polynomial algorithm where there are too many subsets to try.
 *-------------------------------------------------------------------------
 */
#include "gbdt_data.h"

#include "ml/algo/gbdt/forest.h"
#include "ml/algo/gbdt/shap_internal.h"
#include "ml/base/quadrature.h"

/* ------------------------------------------------------------------------
 * References
 * ------------------------------------------------------------------------
 */

static bool
goes_left(const MlGbdtForest *forest, const MlGbdtNode *node, const double *x)
{
	double		v = x[node->feature];

	if (v != v)
		return node->missing_left;
	if (!node->category)
		return v <= node->value;
	for (uint32_t c = 0; c < node->set_count; c++)
		if (forest->set[node->set_first + c] == v)
			return true;
	return false;
}

/* The definition: follow the row where the feature is known, else average by rows. */
static double
value_of_known(const MlGbdtForest *forest, const MlGbdtNode *tree, uint32_t i, const double *x, uint64_t known)
{
	const MlGbdtNode *node = &tree[i];
	double		left,
				right;

	if (node->left == 0)
		return node->value;
	if (known >> node->feature & 1)
		return value_of_known(forest, tree, node->left + !goes_left(forest, node, x), x, known);
	left = tree[node->left].rows;
	right = tree[node->left + 1].rows;
	return (left * value_of_known(forest, tree, node->left, x, known) + right * value_of_known(forest, tree, node->left + 1, x, known)) / (left + right);
}

/* Over all subsets: weight |S|! (n-|S|-1)! / n! = 1 / (n C(n-1, |S|)). */
static void
shapley_by_subsets(const MlGbdtForest *forest, uint32_t output, const double *x, double *phi, double *baseline)
{
	int			n = forest->n_features;

	memset(phi, 0, sizeof(double) * (size_t) n);
	*baseline = forest->base[output];
	for (uint32_t t = output; t < forest->n_trees; t += (uint32_t) forest->n_outputs)
	{
		const MlGbdtNode *tree = forest->node + forest->first[t];

		*baseline += value_of_known(forest, tree, 0, x, 0);
		for (uint64_t set = 0; set < UINT64_C(1) << n; set++)
		{
			double		without = value_of_known(forest, tree, 0, x, set);
			int			size = __builtin_popcountll(set);
			double		choose = 1;

			for (int j = 0; j < size; j++)
				choose = choose * (n - 1 - j) / (j + 1);
			for (int f = 0; f < n; f++)
				if (!(set >> f & 1))
					phi[f] += (value_of_known(forest, tree, 0, x, set | UINT64_C(1) << f) - without) / (n * choose);
		}
	}
}

/* Each leaf for itself: the coefficients of the product over the other features, integrated term by term. */
static void
shapley_by_polynomials(const MlGbdtForest *forest, uint32_t output, const double *x, double *phi)
{
	int			p = forest->n_features;
	long double *total = calloc((size_t) p, sizeof(long double));

	for (uint32_t t = output; t < forest->n_trees; t += (uint32_t) forest->n_outputs)
	{
		const MlGbdtNode *tree = forest->node + forest->first[t];
		uint32_t	n = (t + 1 < forest->n_trees ? forest->first[t + 1] : forest->n_nodes) - forest->first[t];

		for (uint32_t leaf = 0; leaf < n; leaf++)
		{
			long double w[400];
			int			o[400];
			int			feature[400];
			int			d = 0;

			if (tree[leaf].left != 0)
				continue;
			for (uint32_t i = leaf; i != 0;)
			{
				uint32_t	parent = 0;
				int			j = 0;

				while (tree[parent].left != i && tree[parent].left + 1 != i)
					parent++;
				while (j < d && feature[j] != tree[parent].feature)
					j++;
				if (j == d)
				{
					feature[d] = tree[parent].feature;
					w[d] = o[d] = 1;
					d++;
				}
				w[j] *= (long double) tree[i].rows / ((long double) tree[tree[parent].left].rows + tree[tree[parent].left + 1].rows);
				o[j] &= goes_left(forest, &tree[parent], x) == (tree[parent].left == i);
				i = parent;
			}
			for (int i = 0; i < d; i++)
			{
				/* Bernstein form: with c[k] = coefficient of s^k in the product of (w + o s), the integral is sum c[k] k! (m-k)! / (m+1)!. */
				long double c[400] = {1};
				long double integral = 0;
				long double beta;
				int			m = 0;

				for (int j = 0; j < d; j++)
				{
					if (j == i)
						continue;
					m++;
					for (int k = m; k >= 0; k--)
						c[k] = (k < m ? c[k] * w[j] : 0) + (k > 0 && o[j] ? c[k - 1] : 0);
				}
				beta = 1.0L / (m + 1);
				for (int k = 0; k <= m; k++)
				{
					integral += c[k] * beta;
					beta = k < m ? beta * (k + 1) / (m - k) : beta;
				}
				total[feature[i]] += tree[leaf].value * (o[i] - w[i]) * integral;
			}
		}
	}
	for (int f = 0; f < p; f++)
		phi[f] = (double) total[f];
	free(total);
}

/* ------------------------------------------------------------------------
 * Random forests
 * ------------------------------------------------------------------------
 */

static uint64_t dice = 0;

static uint32_t
roll(uint32_t sides)
{
	return (uint32_t) (gbdt_random(4711, dice++) * sides);
}

#define LEVELS 70

/* A tree of so many splits; chain: always the last leaf is split, on feature after feature. */
static void
add_random_tree(MlEnv *env, MlGbdtForest *forest, const MlSchema *schema, int splits, bool chain)
{
	MlGbdtNode *node = calloc(2 * (size_t) splits + 1, sizeof(MlGbdtNode));
	uint16_t   *set = calloc((size_t) splits * LEVELS + 1, sizeof(uint16_t));
	uint32_t	n = 1;
	uint32_t	n_set = 0;

	node[0].rows = 4000000000u;
	for (int s = 0; s < splits; s++)
	{
		uint32_t	i = chain ? n - 1 : roll(n);

		while (node[i].left != 0 || node[i].rows < 2)
			i = (i + 1) % n;
		node[i].feature = chain ? s % schema->n_features : (int32_t) roll((uint32_t) schema->n_features);
		node[i].category = schema->features[node[i].feature].kind == ML_FEATURE_CATEGORY;
		node[i].missing_left = roll(2);
		node[i].value = node[i].category ? 0 : roll(10) / 10.0;
		node[i].set_first = n_set;
		for (int c = 0; node[i].category && c < LEVELS; c++)
			if (roll(3) == 0)
				set[n_set++] = (uint16_t) c;
		node[i].set_count = n_set - node[i].set_first;
		node[i].left = n;
		node[n].rows = 1 + (uint32_t) ((chain ? gbdt_random(9, dice++) * 0.2 : gbdt_random(9, dice++)) * (node[i].rows - 2));
		node[n + 1].rows = node[i].rows - node[n].rows;
		n += 2;
	}
	for (uint32_t i = 0; i < n; i++)
		if (node[i].left == 0)
			node[i].value = gbdt_normal(3, dice++);
	ml_gbdt_forest_add(env, forest, node, n, set, n_set);
	free(node);
	free(set);
}

static MlSchema *
make_schema(MlEnv *env, int p, int categories, int n_classes)
{
	MlSchema   *schema = ml_alloc0(env, 1, sizeof(MlSchema));

	schema->task = n_classes > 0 ? ML_TASK_CLASSIFICATION : ML_TASK_REGRESSION;
	schema->n_classes = n_classes;
	schema->n_features = p;
	schema->features = ml_alloc0(env, (size_t) p, sizeof(MlFeature));
	for (int f = 0; f < p; f++)
	{
		schema->features[f].kind = f < categories ? ML_FEATURE_CATEGORY : ML_FEATURE_NUMBER;
		schema->features[f].levels = f < categories ? LEVELS : 0;
	}
	return schema;
}

/* Numbers, codes, unseen categories, missing values. */
static void
random_row(const MlSchema *schema, double *x)
{
	for (int f = 0; f < schema->n_features; f++)
	{
		x[f] = schema->features[f].kind == ML_FEATURE_CATEGORY ? roll(LEVELS + 1) : gbdt_random(5, dice++);
		if (roll(6) == 0)
			x[f] = NAN;
	}
}

static double
score_of(const MlGbdtForest *forest, uint32_t output, const double *x)
{
	double		score = forest->base[output];

	for (uint32_t t = output; t < forest->n_trees; t += (uint32_t) forest->n_outputs)
	{
		const MlGbdtNode *tree = forest->node + forest->first[t];
		const MlGbdtNode *node = tree;

		while (node->left != 0)
			node = tree + node->left + !goes_left(forest, node, x);
		score += node->value;
	}
	return score;
}

static double
largest_difference(const double *a, const double *b, int n)
{
	double		largest = 0;

	for (int f = 0; f < n; f++)
		largest = fabs(a[f] - b[f]) > largest || isnan(a[f]) ? fabs(a[f] - b[f]) : largest;
	return largest;
}

static double
sum_of(const double *v, int n)
{
	double		sum = 0;

	for (int f = 0; f < n; f++)
		sum += v[f];
	return sum;
}

/* ------------------------------------------------------------------------
 * Tests
 * ------------------------------------------------------------------------
 */

static void
test_points(void)
{
	int			sizes[] = {1, 2, 3, 4, 7, 8, 40, 129};

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
	{
		int			n = sizes[s];
		double		y[129],
					z[129],
					w[129];
		double		sum = 0,
					moment = 0,
					mixed = 0;

		ml_gauss_legendre(n, y, z, w);
		for (int i = 0; i < n; i++)
		{
			sum += w[i];
			moment += w[i] * pow(y[i], 2 * n - 1);
			mixed += w[i] * pow(y[i], n / 2) * pow(z[i], n - n / 2);
		}
		CHECK_CLOSE(sum, 1.0, 1e-14);
		CHECK_CLOSE(moment, 1.0 / (2 * n), 1e-12);
		CHECK_CLOSE(mixed, exp(lgamma(n / 2 + 1) + lgamma(n - n / 2 + 1) - lgamma(n + 2)), 1e-11);
	}
	/* Half as many points as features, until fewer are enough. */
	CHECK(ml_gbdt_shap_points(0) == 4 && ml_gbdt_shap_points(8) == 4 && ml_gbdt_shap_points(9) == 8 && ml_gbdt_shap_points(16) == 8 &&
		  ml_gbdt_shap_points(17) == 16 && ml_gbdt_shap_points(64) == 32 && ml_gbdt_shap_points(60000) < 1200);
	for (int d = 1; d < 60000; d += d / 5 + 1)
	{
		int			n = (int) ml_gbdt_shap_points((uint32_t) d);
		double	   *y = malloc(sizeof(double) * 3 * (size_t) n),
				   *z = y + n,
				   *w = z + n;
		double		worst = 0;

		/* (y^a z^b, a + b = d - 1, over its integral a! b! / d!: the narrowest bumps there are. */
		ml_gauss_legendre(n, y, z, w);
		for (int a = 0; a < d; a += d / 7 + 1)
		{
			double		sum = 0;

			for (int i = 0; i < n; i++)
				sum += w[i] * exp(a * log(y[i]) + (d - 1 - a) * log(z[i]) - lgamma(a + 1) - lgamma(d - a) + lgamma(d + 1));
			worst = fabs(sum - 1) > worst ? fabs(sum - 1) : worst;
		}
		/* The logarithms themselves are good for 1e-16 times d. */
		unit_check(worst < 1e-13 + d * 5e-15, __FILE__, __LINE__, "%d points for %d features: error %.2g", n, d, worst);
		free(y);
	}
}

static void
test_definition(void)
{
	for (int round = 0; round < 12; round++)
	{
		MlEnv	   *env = unit_env(1);
		int			p = 2 + round % 9;
		bool		softmax = round % 4 == 3;
		MlSchema   *schema = make_schema(env, p, round % 3, softmax ? 3 : 0);
		MlGbdtForest *forest;
		void	   *explainer;
		double		error = 0,
					gap = 0;

		ml_gbdt_forest_create(env, softmax ? ML_GBDT_SOFTMAX : ML_GBDT_SQUARED, schema, &forest);
		for (int t = 0; t < (softmax ? 6 : 3); t++)
			add_random_tree(env, forest, schema, t == 1 ? 0 : 1 + (int) roll(30), false);
		for (int k = 0; k < forest->n_outputs; k++)
			forest->base[k] = gbdt_normal(6, dice++);
		CHECK(ml_gbdt_explainer(env, forest, schema, &explainer) == ML_OK);
		for (int row = 0; row < 6; row++)
		{
			double		x[16],
						got[16],
						want[16],
						base,
						want_base;
			uint32_t	k = (uint32_t) row % (uint32_t) forest->n_outputs;

			random_row(schema, x);
			ml_gbdt_explain(explainer, x, (int) k, got, &base);
			shapley_by_subsets(forest, k, x, want, &want_base);
			error = fmax(error, fmax(largest_difference(got, want, p), fabs(base - want_base)));
			shapley_by_polynomials(forest, k, x, want);
			error = fmax(error, largest_difference(got, want, p));
			gap = fmax(gap, fabs(base + sum_of(got, p) - score_of(forest, k, x)));
		}
		unit_check(error < 1e-13 && gap < 1e-13, __FILE__, __LINE__,
				   "%d features, %d outputs: as defined, error %.2g, sum off by %.2g", p, forest->n_outputs, error, gap);
		unit_env_free(env);
	}
}

/* Long paths with many features, features met again and again, more nodes than there is room for beforehand. */
static void
test_deep(void)
{
	static const struct
	{
		int			p;
		int			splits;
		bool		chain;
		int			trees;
	}			cases[] = {
		{20, 200, false, 5}, {9, 9, true, 2}, {12, 60, true, 2}, {16, 16, true, 1}, {17, 17, true, 1}, {40, 80, true, 2},
		{90, 90, true, 1}, {300, 320, true, 1}
	};

	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++)
	{
		MlEnv	   *env = unit_env(1);
		int			p = cases[c].p;
		MlSchema   *schema = make_schema(env, p, p / 4, 0);
		MlGbdtForest *forest;
		void	   *explainer;
		double		error = 0,
					gap = 0;
		bool		same = true;

		ml_gbdt_forest_create(env, ML_GBDT_SQUARED, schema, &forest);
		for (int t = 0; t < cases[c].trees; t++)
			add_random_tree(env, forest, schema, cases[c].splits, cases[c].chain);
		CHECK(ml_gbdt_explainer(env, forest, schema, &explainer) == ML_OK);
		for (int row = 0; row < 5; row++)
		{
			double		x[400],
						got[400],
						want[400],
						base;

			random_row(schema, x);
			/* One row goes to the very end of a chain. */
			for (uint32_t i = 0; row == 0 && cases[c].chain && i < forest->n_nodes; i++)
				if (forest->node[i].left != 0 && !forest->node[i].category)
					x[forest->node[i].feature] = 2;
			ml_gbdt_explain(explainer, x, 0, got, &base);
			shapley_by_polynomials(forest, 0, x, want);
			error = fmax(error, largest_difference(got, want, p));
			gap = fmax(gap, fabs(base + sum_of(got, p) - score_of(forest, 0, x)));
			for (int tier = ML_TIER_BASELINE; tier <= ML_TIER_AVX512; tier++)
			{
				ml_simd_limit((MlSimdTier) tier);
				ml_gbdt_explain(explainer, x, 0, want, &base);
				same &= memcmp(got, want, sizeof(double) * (size_t) p) == 0;
			}
		}
		unit_check(error < 1e-12 && gap < 1e-12, __FILE__, __LINE__, "%d features, %d splits%s: error %.2g, sum off by %.2g",
				   p, cases[c].splits, cases[c].chain ? " in a chain" : "", error, gap);
		unit_check(same, __FILE__, __LINE__, "the same bits in all tiers");
		unit_env_free(env);
	}
}

static void
test_large(void)
{
	MlEnv	   *env = unit_env(1);
	MlSchema   *schema = make_schema(env, 40, 20, 0);
	MlGbdtForest *forest;
	void	   *explainer;
	double		x[40],
				got[40],
				want[40],
				base,
				gap = 0;
	size_t		used;

	/* The first tree of long paths finds room, the last does not. */
	ml_gbdt_forest_create(env, ML_GBDT_SQUARED, schema, &forest);
	add_random_tree(env, forest, schema, 500, true);
	for (int t = 0; t < 6; t++)
		add_random_tree(env, forest, schema, 30000, false);
	add_random_tree(env, forest, schema, 500, true);
	used = ml_arena_used(env->arena);
	CHECK(ml_gbdt_explainer(env, forest, schema, &explainer) == ML_OK);
	CHECK(ml_arena_used(env->arena) - used < (size_t) 32 * 1024 * 1024 + forest->n_nodes * (size_t) 120 + 60001 * 2 * 8 * 9);
	for (int row = 0; row < 4; row++)
	{
		random_row(schema, x);
		ml_gbdt_explain(explainer, x, 0, got, &base);
		gap = fmax(gap, fabs(base + sum_of(got, 40) - score_of(forest, 0, x)));
	}
	unit_check(gap < 1e-11, __FILE__, __LINE__, "%u nodes: sum off by %.2g", forest->n_nodes, gap);

	/* What is made beforehand and what is made on the way are the same. */
	ml_gbdt_forest_truncate(forest, 1);
	CHECK(ml_gbdt_explainer(env, forest, schema, &explainer) == ML_OK);
	ml_gbdt_explain(explainer, x, 0, got, &base);
	shapley_by_polynomials(forest, 0, x, want);
	CHECK(largest_difference(got, want, 40) < 1e-13);
	unit_env_free(env);
}

/* What only a strange image can say. */
static void
test_hostile(void)
{
	MlEnv	   *env = unit_env(1);
	MlSchema   *schema = make_schema(env, 3, 0, 0);
	MlGbdtForest *forest;
	MlGbdtNode	node[4001] = {{0}};
	void	   *explainer;
	double		x[3] = {1, NAN, 5};
	double		got[3],
				base;

	/* No rows anywhere, or shares whose product is no number any more, and leaves at the end of the range. */
	ml_gbdt_forest_create(env, ML_GBDT_SQUARED, schema, &forest);
	for (uint32_t i = 0; i < 4001; i++)
	{
		node[i].left = i % 2 == 0 && i < 4000 ? i + 1 : 0;
		node[i].feature = (int32_t) (i / 2 % 3);
		node[i].value = node[i].left != 0 ? i / 4000.0 : (i % 4 == 1 ? 1e307 : -1e307);
		node[i].rows = i < 2000 ? 0 : (i % 2 == 1 ? 4000000000u : 1);
	}
	ml_gbdt_forest_add(env, forest, node, 4001, NULL, 0);
	CHECK(ml_gbdt_explainer(env, forest, schema, &explainer) == ML_OK);
	ml_gbdt_explain(explainer, x, 0, got, &base);
	CHECK(isfinite(got[0]) && isfinite(got[1]) && isfinite(got[2]) && isfinite(base));
	CHECK_CLOSE(base + got[0] + got[1] + got[2], score_of(forest, 0, x), 1e-12);

	/* No trees at all. */
	ml_gbdt_forest_truncate(forest, 0);
	forest->base[0] = 7;
	CHECK(ml_gbdt_explainer(env, forest, schema, &explainer) == ML_OK);
	ml_gbdt_explain(explainer, x, 0, got, &base);
	CHECK(got[0] == 0 && got[1] == 0 && got[2] == 0 && base == 7);
	unit_env_free(env);
}

/* Fitted models: what is explained is what predict gives, on its raw scale. */
static void
test_fitted(void)
{
	for (int n_classes = 0; n_classes <= 3; n_classes += n_classes == 0 ? 2 : 1)
	{
		for (int softmax = 0; softmax <= (n_classes == 2); softmax++)
		{
			MlEnv	   *env = unit_env(1);
			MlDataset  *data = gbdt_data(env, 3000, 12, n_classes);
			int32_t    *code = gbdt_category(env, data, 3, 9);
			MlStatus	status;
			MlModel    *model;
			void	   *explainer;
			double		gap = 0,
						idle = 0;

			for (size_t i = 0; i < data->n_train; i++)
			{
				double		s;

				code[i] = (int32_t) (gbdt_random(60, i) * 9) - (i % 50 == 0);
				for (int f = 0; f < 11; f++)
					if (f != 3)
						gbdt_number(data, f)[i] = gbdt_random(20 + f, i) < 0.05 ? NAN : gbdt_random(30 + f, i);
				s = 3 * ml_dataset_value(data, 0, i) * (code[i] % 3) + ml_dataset_value(data, 1, i) + 0.2 * gbdt_normal(50, i);
				s = isnan(s) ? 1 : s;
				gbdt_target(data)[i] = n_classes == 0 ? 1e6 * s : (s > 1) + (n_classes > 2 && s > 2.5);
			}
			CHECK(gbdt_fit(env, data, softmax ? "objective=softmax num_iterations=25 num_leaves=31" : "num_iterations=25 num_leaves=31", &model) == ML_OK);
			model = gbdt_reload(env, model, &status);
			CHECK(status == ML_OK);
			CHECK(model->method->explainer(env, model->fitted, model->schema, &explainer) == ML_OK);
			for (size_t i = 0; i < 300; i++)
			{
				double		x[12],
							phi[12],
							out[3],
							base,
							score;
				double		sum = 0;

				ml_dataset_row(data, i, x);
				ml_model_predict(model, x, out);
				if (n_classes == 3)
				{
					for (int k = 0; k < 3; k++)
					{
						model->method->explain(explainer, x, k, phi, &base);
						sum += exp(base + sum_of(phi, 12));
					}
					score = out[i % 3];
					model->method->explain(explainer, x, (int) (i % 3), phi, &base);
					gap = fmax(gap, fabs(exp(base + sum_of(phi, 12)) / sum - score));
				}
				else
				{
					model->method->explain(explainer, x, 1, phi, &base);
					score = n_classes == 0 ? out[0] / 1e6 : log(out[1] / out[0]);
					gap = fmax(gap, fabs((base + sum_of(phi, 12)) / (n_classes == 0 ? 1e6 : 1) - score));
				}
				idle = fmax(idle, fabs(phi[11]));	/* a constant */
			}
			unit_check(gap < 1e-10, __FILE__, __LINE__, "%d classes%s: sum off by %.2g", n_classes, softmax ? " by softmax" : "", gap);
			CHECK(idle == 0);
			unit_env_free(env);
		}
	}
}

int
main(void)
{
	test_points();
	test_definition();
	test_deep();
	test_large();
	test_hostile();
	test_fitted();
	return unit_done();
}
