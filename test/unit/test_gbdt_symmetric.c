/*-------------------------------------------------------------------------
 * test_gbdt_symmetric.c
 *	  Symmetric trees: against a reference that tries every condition on every row, and what
 *	  must hold of any of them.
 *
 * The reference knows nothing of bins, histograms, integers or threads: it sorts the
 * rows of each leaf by a condition and adds doubles up.
 *-------------------------------------------------------------------------
 */
#include <float.h>

#include "gbdt_data.h"

#include "ml/algo/gbdt/gbdt_internal.h"
#include "ml/base/simd.h"
#include "ml/eval/metrics.h"

#define MAX_ROWS 800
#define MAX_LEAVES 64
#define MAX_LEVELS 16			/* categories of a feature */

/* ---- the reference ---- */

typedef struct Rules
{
	double		min_data;
	double		l1;
	double		l2;
	double		min_gain;
	double		cat_smooth;
	double		cat_l2;
	int			max_onehot;
	int			min_group;
	int			depth;
	double		rate;
} Rules;

typedef struct Condition
{
	int			feature;
	double		limit;
	uint64_t	set;			/* categories, and bit 63: missing */
	bool		missing_left;
	bool		sorted;
} Condition;

typedef struct Reference
{
	const MlDataset *data;
	Rules		rules;
	double		g[MAX_ROWS];
	double		h[MAX_ROWS];
	int			leaf[MAX_ROWS];
	int			n_leaves;
	double		extra[MAX_LEAVES];
} Reference;

static bool
is_category(const Reference *r, int f)
{
	return r->data->columns[f].code != NULL;
}

static bool
goes_left(const Reference *r, const Condition *c, size_t i)
{
	double		x = ml_dataset_value(r->data, c->feature, i);

	if (is_category(r, c->feature))
		return c->set >> (x != x ? 63 : (int) x) & 1;
	return x != x ? c->missing_left : x <= c->limit;
}

static double
threshold(double g, double l1)
{
	return g > l1 ? g - l1 : g < -l1 ? g + l1 : 0;
}

static double
quality(const Rules *rules, double g, double h, double l2)
{
	double		t = threshold(g, rules->l1);

	return h + l2 > 0 ? t * t / (h + l2) : 0;
}

/* What the condition gains in each leaf; NaN: it stays whole. */
static double
gains_of(const Reference *r, const Condition *c, double *gain)
{
	double		n[MAX_LEAVES][2] = {{0}};
	double		g[MAX_LEAVES][2] = {{0}};
	double		h[MAX_LEAVES][2] = {{0}};
	double		l2 = r->rules.l2 + (c->sorted ? r->rules.cat_l2 : 0);
	double		sum = 0;

	for (size_t i = 0; i < r->data->n_train; i++)
	{
		int			side = !goes_left(r, c, i);

		n[r->leaf[i]][side]++;
		g[r->leaf[i]][side] += r->g[i];
		h[r->leaf[i]][side] += r->h[i];
	}
	for (int l = 0; l < r->n_leaves; l++)
	{
		gain[l] = NAN;
		if (n[l][0] < r->rules.min_data || n[l][1] < r->rules.min_data || h[l][0] < 1e-3 || h[l][1] < 1e-3)
			continue;
		gain[l] = quality(&r->rules, g[l][0], h[l][0], l2) + quality(&r->rules, g[l][1], h[l][1], l2)
			- quality(&r->rules, g[l][0] + g[l][1], h[l][0] + h[l][1], r->rules.l2);
		sum += gain[l];
	}
	return sum;
}

static void
consider(const Reference *r, const Condition *c, Condition *best, double *best_sum)
{
	double		gain[MAX_LEAVES];
	double		sum = gains_of(r, c, gain);

	if (sum > *best_sum + 1e-9 * fabs(*best_sum))
	{
		*best = *c;
		*best_sum = sum;
	}
}

/* Leaves with fewer than twice the rows of a half are not looked at for the order of categories. */
static void
sum_categories(const Reference *r, int f, double (*sums)[3], double *rows)
{
	double		leaf[MAX_LEAVES][3] = {{0}};
	double		all[2] = {0};

	for (size_t i = 0; i < r->data->n_train; i++)
	{
		leaf[r->leaf[i]][0] += r->g[i];
		leaf[r->leaf[i]][1] += r->h[i];
		leaf[r->leaf[i]][2]++;
	}
	*rows = 0;
	for (int l = 0; l < r->n_leaves; l++)
		for (int k = 0; k < 2 && leaf[l][2] >= 2 * r->rules.min_data; k++)
			all[k] += leaf[l][k];
	for (size_t i = 0; i < r->data->n_train; i++)
	{
		const double *own = leaf[r->leaf[i]];
		double		x = ml_dataset_value(r->data, f, i);
		int			c = x != x ? MAX_LEVELS : (int) x;

		if (own[2] < 2 * r->rules.min_data)
			continue;
		++*rows;
		sums[c][0] += r->g[i] - r->h[i] * (own[0] / own[1] - all[0] / all[1]);
		sums[c][1] += r->h[i];
		sums[c][2]++;
	}
}

static void
consider_sets(const Reference *r, int f, Condition *best, double *best_sum)
{
	const Rules *rules = &r->rules;
	double		sums[MAX_LEVELS + 1][3] = {{0}};
	double		value[MAX_LEVELS + 1];
	int			order[MAX_LEVELS + 1];
	int			n = 0;
	double		rows;

	sum_categories(r, f, sums, &rows);
	for (int c = 0; c <= MAX_LEVELS; c++)
	{
		int			at = n;

		if (sums[c][2] == 0 || sums[c][2] < rules->cat_smooth)
			continue;
		value[c] = sums[c][0] / (sums[c][1] + rules->cat_smooth);
		for (; at > 0 && value[order[at - 1]] > value[c]; at--)
			order[at] = order[at - 1];
		order[at] = c;
		n++;
	}
	for (int from_end = 0; from_end < 2; from_end++)
	{
		Condition	c = {.feature = f, .sorted = true};
		double		left = 0;
		double		group = 0;

		for (int i = 0; i < (n + 1) / 2; i++)
		{
			int			k = order[from_end ? n - 1 - i : i];

			c.set |= UINT64_C(1) << (k == MAX_LEVELS ? 63 : k);
			left += sums[k][2];
			group += sums[k][2];
			if (left < rules->min_data)
				continue;
			if (rows - left < rules->min_data || rows - left < rules->min_group)
				break;
			if (group < rules->min_group)
				continue;
			group = 0;
			consider(r, &c, best, best_sum);
		}
	}
}

static double
best_condition(const Reference *r, Condition *best)
{
	double		best_sum = 0;

	for (int f = 0; f < r->data->schema->n_features; f++)
	{
		int			levels = r->data->schema->features[f].levels;
		bool		missing = false;

		for (size_t i = 0; i < r->data->n_train; i++)
			missing |= is_category(r, f) && r->data->columns[f].code[i] < 0;
		if (!is_category(r, f))
			for (size_t i = 0; i < r->data->n_train; i++)
				for (int way = 0; way < 2; way++)
					consider(r, &(Condition) {.feature = f, .limit = r->data->columns[f].number[i], .missing_left = way}, best, &best_sum);
		else if (levels + missing <= r->rules.max_onehot)
			for (int c = 0; c <= levels; c++)
				consider(r, &(Condition) {.feature = f, .set = UINT64_C(1) << (c == levels ? 63 : c)}, best, &best_sum);
		else
			consider_sets(r, f, best, &best_sum);
	}
	return best_sum;
}

/* Grows a tree on g and h, and adds its values to the scores. */
static void
grow_reference(Reference *r, double *score)
{
	double		g[MAX_LEAVES] = {0};
	double		h[MAX_LEAVES] = {0};

	memset(r->leaf, 0, sizeof(r->leaf));
	memset(r->extra, 0, sizeof(r->extra));
	r->n_leaves = 1;
	for (int level = 0; level < r->rules.depth; level++)
	{
		Condition	c = {0};
		double		gain[MAX_LEAVES];
		int			right[MAX_LEAVES];
		int			before = r->n_leaves;

		if (!(best_condition(r, &c) > r->rules.min_gain + 1e-9))
			break;
		gains_of(r, &c, gain);
		for (int l = 0; l < before; l++)
		{
			right[l] = l;
			if (gain[l] != gain[l])
				continue;
			right[l] = r->n_leaves++;
			r->extra[l] = r->extra[right[l]] = c.sorted ? r->rules.cat_l2 : 0;
		}
		for (size_t i = 0; i < r->data->n_train; i++)
			if (!goes_left(r, &c, i))
				r->leaf[i] = right[r->leaf[i]];
	}
	for (size_t i = 0; i < r->data->n_train; i++)
	{
		g[r->leaf[i]] += r->g[i];
		h[r->leaf[i]] += r->h[i];
	}
	for (size_t i = 0; i < r->data->n_train && r->n_leaves > 1; i++)
	{
		int			l = r->leaf[i];

		score[i] -= r->rules.rate * threshold(g[l], r->rules.l1) / (h[l] + r->rules.l2 + r->extra[l]);
	}
}

/* Scores of all rows after so many iterations, from zero; outputs one after another. */
static void
fit_reference(const MlDataset *data, const Rules *rules, int iterations, double *score)
{
	static Reference r;
	size_t		n = data->n_train;
	int			classes = data->schema->n_classes;
	int			outputs = classes > 2 ? classes : 1;

	r.data = data;
	r.rules = *rules;
	memset(score, 0, n * (size_t) outputs * sizeof(double));
	for (int t = 0; t < iterations; t++)
	{
		static double before[MAX_ROWS * 4];

		memcpy(before, score, n * (size_t) outputs * sizeof(double));
		for (int k = 0; k < outputs; k++)
		{
			for (size_t i = 0; i < n; i++)
			{
				double		sum = 0;
				double		p;

				for (int o = 0; o < outputs; o++)
					sum += exp(before[(size_t) o * n + i]);
				p = outputs > 1 ? exp(before[(size_t) k * n + i]) / sum : 1 / (1 + exp(-before[i]));
				r.g[i] = classes == 0 ? before[i] - data->y[i] : p - (outputs > 1 ? data->y[i] == k : data->y[i]);
				r.h[i] = classes == 0 ? 1 : p * (1 - p) * (outputs > 1 ? (double) classes / (classes - 1) : 1);
			}
			grow_reference(&r, score + (size_t) k * n);
		}
	}
}

/* ---- data: two numbers of few values, one with missing ones, and three categories ---- */

static MlDataset *
mixed(MlEnv *env, size_t n, int classes, int seed)
{
	MlDataset  *data = gbdt_data(env, n, 6, classes);
	int32_t    *few = gbdt_category(env, data, 3, 4);
	int32_t    *many = gbdt_category(env, data, 4, 15);
	uint64_t	s = 100 * (uint64_t) seed;

	for (size_t i = 0; i < n; i++)
	{
		double		signal;

		gbdt_number(data, 0)[i] = floor(gbdt_random(s + 1, i) * 12);
		gbdt_number(data, 1)[i] = gbdt_random(s + 2, i) < 0.3 ? NAN : floor(gbdt_random(s + 3, i) * 9) / 7;
		gbdt_number(data, 2)[i] = floor(gbdt_random(s + 4, i) * 20) - 10;
		few[i] = gbdt_random(s + 5, i) < 0.1 ? -1 : (int32_t) (gbdt_random(s + 6, i) * 4);
		many[i] = gbdt_random(s + 7, i) < 0.05 ? -1 : (int32_t) (15 * gbdt_random(s + 8, i) * gbdt_random(s + 9, i));
		gbdt_number(data, 5)[i] = gbdt_random(s + 10, i) < 0.9 ? 0 : gbdt_random(s + 11, i) < 0.5 ? 1 : NAN;
		signal = 0.3 * gbdt_number(data, 0)[i] + (gbdt_number(data, 1)[i] > 0.5 ? 2 : 0) * (few[i] == 1 ? -1 : 1)
			+ (many[i] % 3) * 0.8 + 0.1 * gbdt_number(data, 2)[i] * (many[i] == 2) + gbdt_normal(s + 12, i);
		gbdt_target(data)[i] = classes == 0 ? signal : classes == 2 ? signal > 2.5 : signal < 1.5 ? 0 : signal < 3 ? 1 : 2;
	}
	return data;
}

static void
test_reference(void)
{
	static const struct
	{
		Rules		rules;
		const char *settings;
	}			cases[] = {
		{{1, 0, 0, 0, 10, 10, 4, 100, 3, 0.3}, "min_data_in_leaf=1 max_depth=3"},
		{{20, 0, 1, 0, 10, 10, 4, 100, 5, 0.3}, "lambda_l2=1 max_depth=5"},
		{{40, 2, 0.5, 0, 1, 3, 4, 30, 6, 0.3}, "min_data_in_leaf=40 lambda_l1=2 lambda_l2=0.5 cat_smooth=1 cat_l2=3 min_data_per_group=30"},
		{{20, 0, 0, 4, 0, 0, 4, 1, 6, 0.5}, "min_gain_to_split=4 cat_smooth=0 cat_l2=0 min_data_per_group=1 learning_rate=0.5"},
		{{5, 0, 1, 0, 10, 10, 20, 100, 4, 0.3}, "num_leaves=31 min_data_in_leaf=5 lambda_l2=1 max_cat_to_onehot=20"}
	};
	static double score[MAX_ROWS * 4];

	for (int c = 0; c < 15; c++)
	{
		int			classes = c % 3 == 0 ? 0 : c % 3 + 1;
		size_t		n = 500 + 20 * (size_t) c;
		MlEnv	   *env = unit_env(2);
		MlDataset  *data = mixed(env, n, classes, c);
		const Rules *rules = &cases[c / 3].rules;
		MlModel    *model;
		double		worst = 0;

		fit_reference(data, rules, 6, score);
		CHECK(gbdt_fit(env, data, ml_printf(env, "grow_policy=symmetric num_iterations=6 boost_from_average=false min_data_in_bin=1 %s%s",
											c / 3 == 3 ? "" : "learning_rate=0.3 ", cases[c / 3].settings), &model) == ML_OK);
		for (size_t i = 0; i < n; i++)
		{
			double		sum = 0;
			double		want = classes == 0 ? score[i] : 1 / (1 + exp(-score[i]));

			for (int k = 0; k < classes; k++)
				sum += exp(score[(size_t) k * n + i]);
			for (int k = 0; k < (classes == 3 ? 3 : 1); k++)
				worst = fmax(worst, fabs(gbdt_row(model, data, i, classes == 2 ? 1 : k) - (classes == 3 ? exp(score[(size_t) k * n + i]) / sum : want)));
		}
		unit_check(worst < 1e-6, __FILE__, __LINE__, "as the reference: case %d, %d classes (%.1e)", c / 3, classes, worst);
		unit_env_free(env);
	}
}

/* ---- a tree of one level ---- */

/* One level: the best split of the root, so the same bytes whichever way trees grow. */
static void
test_one_level(void)
{
	static const char *const options[] = {
		"", "lambda_l1=1 lambda_l2=2", "monotone_constraints=(1,0,-1,0,0,0)", "max_delta_step=0.3", "feature_fraction=0.5",
		"bagging_fraction=0.6", "data_sample_strategy=goss", "max_cat_to_onehot=20", "max_bin=5", "min_data_in_bin=1"
	};
	static const char *const losses[] = {"huber", "absolute", "quantile", "cross_entropy"};

	for (int c = 0; c < 30; c++)
	{
		MlEnv	   *env = unit_env(1);
		MlDataset  *data = mixed(env, 700, c % 3 == 0 ? 0 : c % 3 + 1, 50 + c);
		const char *common = ml_printf(env, "num_leaves=2 num_iterations=12 %s", options[c / 3]);

		CHECK(gbdt_hash(&ml_method_gbdt, data, 1, common) == gbdt_hash(&ml_method_gbdt, data, 2, ml_printf(env, "%s grow_policy=symmetric", common)));
		unit_env_free(env);
	}
	for (int l = 0; l < 4; l++)
	{
		MlEnv	   *env = unit_env(1);
		MlDataset  *data = mixed(env, 700, 0, 90 + l);
		const char *common = ml_printf(env, "max_depth=1 num_iterations=12 objective=%s", losses[l]);

		for (size_t i = 0; i < 700; i++)
			gbdt_target(data)[i] = 1 / (1 + exp(-data->y[i]));
		CHECK(gbdt_hash(&ml_method_gbdt, data, 1, common) == gbdt_hash(&ml_method_gbdt, data, 2, ml_printf(env, "%s grow_policy=oblivious", common)));
		unit_env_free(env);
	}
}

/* ---- what holds of every symmetric tree ---- */

static bool
same_condition(const MlGbdtForest *forest, const MlGbdtNode *a, const MlGbdtNode *b)
{
	return a->feature == b->feature && a->category == b->category && a->value == b->value && a->missing_left == b->missing_left &&
		a->set_count == b->set_count && memcmp(forest->set + a->set_first, forest->set + b->set_first, a->set_count * sizeof(uint16_t)) == 0;
}

/*
 * There are no more conditions than levels, and those of a path come in one order in the whole tree.  (No condition
 * comes twice: where it left a leaf whole, the rows of its halves become no more.)
 */
static bool
is_symmetric(const MlGbdtForest *forest, uint32_t t, uint32_t deepest)
{
	const MlGbdtNode *tree = forest->node + forest->first[t];
	uint32_t	n = (t + 1 < forest->n_trees ? forest->first[t + 1] : forest->n_nodes) - forest->first[t];
	const MlGbdtNode *list[16];
	uint32_t	least[16] = {0};	/* the first level that each may have */
	uint32_t   *from = calloc(n, sizeof(uint32_t));	/* by node: the level below its parent's condition */
	uint32_t	length = 0;
	bool		good = true;

	for (int pass = 0; pass <= 16; pass++)
	{
		for (uint32_t i = 0; i < n && good; i++)
		{
			uint32_t	c = 0;

			if (tree[i].left == 0)
				continue;
			while (c < length && !same_condition(forest, list[c], &tree[i]))
				c++;
			good = c < deepest;
			if (!good)
				break;
			if (c == length)
				list[length++] = &tree[i];
			least[c] = least[c] > from[i] ? least[c] : from[i];
			from[tree[i].left] = from[tree[i].left + 1] = least[c] + 1;
			good = least[c] < deepest;
		}
	}
	free(from);
	return good;
}

static void
test_shape(void)
{
	static const struct
	{
		const char *settings;
		uint32_t	depth;
	}			cases[] = {
		{"", 6}, {"max_depth=4", 4}, {"num_leaves=31", 4}, {"num_leaves=32 max_depth=9", 5}, {"num_leaves=300 max_depth=3", 3},
		{"max_depth=12 min_data_in_leaf=1", 12}, {"monotone_constraints=(1,0,-1,0,0,0)", 6}
	};

	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++)
	{
		MlEnv	   *env = unit_env(2);
		MlDataset  *data = mixed(env, 3000, c % 2 ? 3 : 0, 70 + (int) c);
		MlModel    *model;
		MlModel    *again;
		const MlGbdtForest *forest;
		MlStatus	status;
		bool		symmetric = true;
		bool		enough = true;
		uint32_t	least = strstr(cases[c].settings, "min_data") != NULL ? 1 : 20;
		double		worst = 0;

		CHECK(gbdt_fit(env, data, ml_printf(env, "grow_policy=symmetric num_iterations=8 %s", cases[c].settings), &model) == ML_OK);
		forest = model->fitted;
		for (uint32_t t = 0; t < forest->n_trees; t++)
			symmetric &= is_symmetric(forest, t, cases[c].depth);
		for (uint32_t i = 0; i < forest->n_nodes; i++)
			enough &= forest->node[i].rows >= least;
		unit_check(symmetric, __FILE__, __LINE__, "one condition a level, %u at most: %s", cases[c].depth, cases[c].settings);
		unit_check(enough, __FILE__, __LINE__, "no node has fewer than %u rows", least);
		again = gbdt_reload(env, model, &status);
		CHECK(status == ML_OK);
		for (size_t i = 0; i < 3000; i++)
			worst = fmax(worst, fabs(gbdt_row(model, data, i, 0) - gbdt_row(again, data, i, 0)));
		unit_check(worst == 0, __FILE__, __LINE__, "the same after loading");
		unit_env_free(env);
	}
	{
		MlEnv	   *env = unit_env(2);
		MlDataset  *data = mixed(env, 3000, 0, 80);
		MlModel    *model;
		const MlGbdtForest *forest;
		bool		symmetric = true;

		/* Trees that split leaf by leaf do not pass for symmetric ones. */
		CHECK(gbdt_fit(env, data, "max_depth=6 num_iterations=8", &model) == ML_OK);
		forest = model->fitted;
		for (uint32_t t = 0; t < forest->n_trees; t++)
			symmetric &= is_symmetric(forest, t, 6);
		CHECK(!symmetric);
		unit_env_free(env);
	}
}

/* ---- the same bits whoever computes them ---- */

extern const MlMethod ml_method_xgboost;
extern const MlMethod ml_method_lightgbm;

static void
test_bits(void)
{
	static const struct
	{
		const char *settings;
		int			classes;
		size_t		n;
	}			cases[] = {
		{"num_iterations=4", 0, 40000}, {"num_iterations=2 max_depth=9 min_data_in_leaf=3", 2, 20000}, {"num_iterations=3 bagging_fraction=0.5 feature_fraction=0.7", 3, 9000},
		{"num_iterations=4 monotone_constraints=(1,0,-1,0,0,0) feature_fraction_bynode=0.5 feature_fraction_bylevel=0.8", 0, 9000},
		{"num_iterations=4 max_bin=2000 min_data_in_bin=1 data_sample_strategy=goss learning_rate=0.9", 2, 20000}
	};

	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++)
	{
		MlEnv	   *env = unit_env(1);
		MlDataset  *data = mixed(env, cases[c].n, cases[c].classes, 30 + (int) c);
		const char *settings = ml_printf(env, "grow_policy=symmetric %s", cases[c].settings);
		size_t		slots = ml_gbdt_slot_bytes;
		uint64_t	want;

		/* A wide number, and a wide category. */
		for (size_t i = 0; i < cases[c].n; i++)
			gbdt_number(data, 2)[i] = gbdt_normal(5, i);
		if (c % 2 == 1)
		{
			int32_t    *code = gbdt_category(env, data, 4, 700);

			for (size_t i = 0; i < cases[c].n; i++)
				code[i] = (int32_t) (700 * gbdt_random(6, i) * gbdt_random(7, i));
		}
		want = gbdt_hash(&ml_method_gbdt, data, 1, settings);
		CHECK(want != 0);
		for (int threads = 2; threads <= 4; threads += 2)
			CHECK(gbdt_hash(&ml_method_gbdt, data, threads, settings) == want);
		for (int tier = 0; tier < 2; tier++)
		{
			ml_simd_limit((MlSimdTier) tier);
			CHECK(gbdt_hash(&ml_method_gbdt, data, 2, settings) == want);
		}
		ml_simd_limit(ML_TIER_AVX512);
		ml_gbdt_slot_bytes = 1;
		for (int threads = 1; threads <= 2; threads++)
			CHECK(gbdt_hash(&ml_method_gbdt, data, threads, settings) == want);
		ml_gbdt_slot_bytes = slots;
		CHECK(gbdt_hash(&ml_method_lightgbm, data, 1, settings) == want);
		unit_env_free(env);
	}
}

/* ---- odd data ---- */

static void
test_odd(void)
{
	MlEnv	   *env = unit_env(2);
	MlModel    *model;

	for (int c = 0; c < 8; c++)
	{
		size_t		n = c == 0 ? 1 : c == 1 ? 2 : 60;
		int			p = c == 2 ? 200 : 3;
		MlDataset  *data = gbdt_data(env, n, p, c % 2 ? 2 : 0);

		for (size_t i = 0; i < n; i++)
		{
			for (int f = 0; f < p; f++)
				gbdt_number(data, f)[i] = c == 3 ? 5 : c == 4 ? NAN : c == 5 ? (double) (i / 20) : c == 6 ? (i % 2 ? 1e300 : 5e-324) * (f + 1) : gbdt_random(60 + (uint64_t) f, i);
			gbdt_target(data)[i] = c % 2 ? i % 2 : c == 6 ? (i % 2 ? 1e300 : -1e300) : (double) (i % 7);
		}
		CHECK(gbdt_fit(env, data, "grow_policy=symmetric num_iterations=5 min_data_in_leaf=1 min_data_in_bin=1", &model) == ML_OK);
		for (size_t i = 0; i < n; i++)
			CHECK(isfinite(gbdt_row(model, data, i, 0)));
	}
	{
		MlDataset  *data = gbdt_data(env, 30000, 1, 0);
		int32_t    *code = gbdt_category(env, data, 0, 10000);
		double		error = 0;

		for (size_t i = 0; i < 30000; i++)
		{
			code[i] = (int32_t) (i % 10000);
			gbdt_target(data)[i] = i % 10000 % 10;
		}
		CHECK(gbdt_fit(env, data, "grow_policy=symmetric max_depth=3 num_iterations=3 min_data_in_leaf=1 cat_smooth=0 cat_l2=0 min_data_per_group=1 max_cat_threshold=65535 learning_rate=1",
					   &model) == ML_OK);
		for (size_t i = 0; i < 30000; i++)
			error += fabs(gbdt_row(model, data, i, 0) - data->y[i]) / 30000;
		unit_check(error < 0.5, __FILE__, __LINE__, "10,000 categories (%.3f)", error);
	}
	unit_env_free(env);
}

/* Predictions follow the direction asked for, and would not without. */
static void
test_monotone(void)
{
	MlEnv	   *env = unit_env(2);
	MlDataset  *data = mixed(env, 4000, 0, 12);
	MlModel    *model;

	for (int constrained = 0; constrained < 2; constrained++)
	{
		bool		rises = true;

		CHECK(gbdt_fit(env, data, ml_printf(env, "grow_policy=symmetric num_iterations=40 %s", constrained ? "monotone_constraints=x1:1" : "min_data_in_leaf=1"), &model) == ML_OK);
		for (size_t q = 0; q < 300; q++)
		{
			double		x[6];
			double		last = -INFINITY;

			ml_dataset_row(data, q, x);
			for (int step = 0; step < 12; step++)
			{
				double		now;

				x[0] = step;
				now = gbdt_at(model, x, 0);
				rises &= now >= last;
				last = now;
			}
		}
		CHECK(rises == constrained);
	}
	unit_env_free(env);
}

/* ---- quality ---- */

/* The metric of the rows that were left out, mean of three splits. */
static double
quality_of(const Table *t, int classes, const char *settings)
{
	double		sum = 0;

	for (int split = 0; split < 3; split++)
	{
		MlEnv	   *env = unit_env(2);
		MlDataset  *data = gbdt_data(env, t->n, t->p, classes);
		int			k = classes > 0 ? classes : 1;
		double	   *y = ml_alloc(env, t->n, sizeof(double));
		double	   *p = ml_alloc(env, t->n * (size_t) k, sizeof(double));
		MlMetric	metrics[ML_MAX_METRICS];
		MlModel    *model;
		size_t		n_test = 0;
		int			count = 0;

		data->n_train = 0;
		for (size_t i = 0; i < t->n; i++)
		{
			if (ml_mix64(i + UINT64_C(1000003) * (uint64_t) split) % 10 < 3)
				continue;
			for (int f = 0; f < t->p; f++)
				gbdt_number(data, f)[data->n_train] = t->x[i * (size_t) t->p + (size_t) f];
			gbdt_target(data)[data->n_train++] = t->y[i];
		}
		CHECK(gbdt_fit(env, data, settings, &model) == ML_OK);
		for (size_t i = 0; i < t->n; i++)
		{
			if (ml_mix64(i + UINT64_C(1000003) * (uint64_t) split) % 10 >= 3)
				continue;
			y[n_test] = t->y[i];
			ml_model_predict(model, t->x + i * (size_t) t->p, p + n_test++ * (size_t) k);
		}
		CHECK(ml_metrics(env, data->schema->task, classes, n_test, y, p, NULL, metrics, &count) == ML_OK);
		for (int m = 0; m < count; m++)
			if (strcmp(metrics[m].name, classes > 0 ? "auc" : "rmse") == 0)
				sum += metrics[m].value / 3;
		unit_env_free(env);
	}
	return sum;
}

static void
test_quality(void)
{
	static const struct
	{
		const char *name;
		int			classes;
	}			sets[] = {{"breast_cancer", 2}, {"wine", 3}, {"diabetes", 0}, {"digits", 10}};

	for (size_t s = 0; s < sizeof(sets) / sizeof(sets[0]); s++)
	{
		Table		t = read_table(sets[s].name);
		double		leafwise = quality_of(&t, sets[s].classes, "num_leaves=16 num_iterations=30");
		double		symmetric = quality_of(&t, sets[s].classes, "num_leaves=16 num_iterations=30 grow_policy=symmetric");

		unit_check(sets[s].classes > 0 ? symmetric > leafwise - 0.01 : symmetric < 1.02 * leafwise, __FILE__, __LINE__,
				   "%s: symmetric %.4f, leaf by leaf %.4f", sets[s].name, symmetric, leafwise);
		free(t.x);
		free(t.y);
	}
}

int
main(void)
{
	test_reference();
	test_one_level();
	test_shape();
	test_bits();
	test_odd();
	test_monotone();
	test_quality();
	return unit_done();
}
