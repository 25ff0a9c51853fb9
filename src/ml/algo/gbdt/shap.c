/*-------------------------------------------------------------------------
 * shap.c
 *	  How much each feature adds to a score: exact TreeSHAP.
 *
 * "Path-dependent" Shapley values (Lundberg et al. 2020): what a feature would
 * have said when it is not known is averaged by the shares of training rows that
 * went either way.  Computed at Gauss-Legendre points, see shap_internal.h.
 * Time: splits x points, and a path of up to eight features needs four points.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/algo/gbdt/shap_internal.h"
#include "ml/base/arena.h"
#include "ml/base/quadrature.h"
#include "ml/base/search.h"
#include "ml/base/sort.h"

/* What is made beforehand for all trees may take so much; beyond, it is made anew for each row. */
#define INVERSE_BYTES ((size_t) 32 * 1024 * 1024)

/* Sets become bits as long as these take no more. */
#define BITS_BYTES ((size_t) 8 * 1024 * 1024)

/* Trees beyond this would need places of more than 32 bits. */
#define MOST_NODES (UINT32_C(1) << 25)

/* The categories that go left at a split. */
typedef struct Set
{
	uint32_t	first;			/* word of its bits, or first code in forest->set */
	uint32_t	count;			/* bits, or codes */
	bool		missing_left;
} Set;

typedef struct Shap
{
	const MlGbdtForest *forest;
	MlGbdtShapTree *tree;		/* ordered by output, then points */
	uint32_t   *first;			/* n_outputs + 1: first tree of each output */
	MlGbdtShapPoints *points;	/* by points / 8; 0: four of them */
	double	   *expected;		/* n_outputs: mean score of the training rows, without the base */
	double		unit;			/* a power of two by which leaf values are divided */
	Set		   *set;
	uint32_t	n_sets;
	uint64_t   *bits;			/* NULL: sets are searched */
	size_t		n_words;
	size_t		inverse_bytes;

	/* Scratch for one row. */
	double	   *input;			/* n_features as they are, but missing goes right; the same, but missing goes left */
	uint32_t   *on;				/* by node: all bits, if the row takes this edge and those above on the same feature; else 0 */
	MlGbdtShapStep *step;		/* by split */
	double	   *h;
	double	   *inverse;		/* for a tree without one */
	double	   *sum;			/* blocks x (n_features + 1) x points of a block */
} Shap;

uint32_t
ml_gbdt_shap_points(uint32_t features)
{
	uint32_t	exact = (features + 1) / 2;
	uint32_t	enough = 8 + (uint32_t) ceil(4.5 * sqrt(features));

	/*
	 * Long products are narrow bumps, of width 1/sqrt(features), and smooth: with so many points
	 * the error is below that of rounding (test_gbdt_shap).
	 */
	exact = exact < enough ? exact : enough;
	if (exact <= ML_GBDT_SHAP_NARROW)
		return ML_GBDT_SHAP_NARROW;
	return (exact + ML_GBDT_SHAP_WIDE - 1) / ML_GBDT_SHAP_WIDE * ML_GBDT_SHAP_WIDE;
}

static uint32_t
width_of(uint32_t points)
{
	return points == ML_GBDT_SHAP_NARROW ? ML_GBDT_SHAP_NARROW : ML_GBDT_SHAP_WIDE;
}

static uint32_t
end_of_tree(const MlGbdtForest *forest, uint32_t t)
{
	return t + 1 < forest->n_trees ? forest->first[t + 1] : forest->n_nodes;
}

/* ------------------------------------------------------------------------
 * Making
 * ------------------------------------------------------------------------
 */

/* Arrays for the walk through one tree. */
typedef struct Walk
{
	uint32_t   *stack;			/* nodes to enter (2i) and to leave (2i + 1) */
	uint32_t   *last;			/* by feature: node below the last edge on it on the way here; 0: none */
	double	   *share;			/* by node: of the rows of its parent */
	double	   *mean;			/* by node */
} Walk;

/* Share of a split's rows that go left; an image may say anything about rows. */
static double
left_share(const MlGbdtNode *tree, const MlGbdtNode *node)
{
	double		left = tree[node->left].rows > 0 ? tree[node->left].rows : 1;
	double		right = tree[node->left + 1].rows > 0 ? tree[node->left + 1].rows : 1;

	return left / (left + right);
}

/*
 * Finds, for each split, the edge before on the same feature, and the share of each node and w_f of the edge to it.
 * Returns the most features of a path.
 */
static uint32_t
walk_paths(const MlGbdtNode *tree, MlGbdtShapSplit *split, double *path, const Walk *walk)
{
	uint32_t	depth = 0;
	uint32_t	features = 0;
	uint32_t	most = 0;

	path[0] = 1;
	walk->stack[depth++] = 0;
	while (depth > 0)
	{
		uint32_t	i = walk->stack[--depth] / 2;
		bool		leave = walk->stack[depth] % 2 != 0;

		if (i > 0)
		{
			const MlGbdtShapSplit *parent = &split[(i - 1) / 2];

			features += parent->before != 0 ? 0 : (leave ? -1 : 1);
			walk->last[parent->target] = leave ? parent->before : i;
		}
		if (leave)
			continue;
		most = features > most ? features : most;
		walk->stack[depth++] = 2 * i + 1;
		if (tree[i].left != 0)
		{
			MlGbdtShapSplit *s = &split[(tree[i].left - 1) / 2];

			s->before = walk->last[tree[i].feature];
			walk->share[tree[i].left] = left_share(tree, &tree[i]);
			walk->share[tree[i].left + 1] = 1 - walk->share[tree[i].left];
			for (uint32_t child = tree[i].left; child < tree[i].left + 2; child++)
			{
				path[child] = path[s->before] * walk->share[child];
				walk->stack[depth++] = 2 * child;
			}
		}
	}
	return most;
}

/* Returns 1 + the number of a new set: bits where they are few. */
static uint32_t
add_set(Shap *shap, const MlGbdtNode *node)
{
	const uint16_t *code = node->set_count > 0 ? shap->forest->set + node->set_first : NULL;	/* a forest may have no sets at all */
	Set		   *set = &shap->set[shap->n_sets++];

	*set = (Set) {.first = node->set_first, .count = node->set_count, .missing_left = node->missing_left};
	if (shap->bits != NULL)
	{
		set->first = (uint32_t) shap->n_words;
		set->count = node->set_count > 0 ? code[node->set_count - 1] + 1u : 0;
		for (uint32_t c = 0; c < node->set_count; c++)
			shap->bits[shap->n_words + code[c] / 64] |= UINT64_C(1) << (code[c] % 64);
		shap->n_words += (set->count + 63) / 64;
	}
	return shap->n_sets;
}

/* Room for all sets, and for their bits unless that is too much. */
static MlStatus
make_sets(MlEnv *env, Shap *shap)
{
	const MlGbdtForest *forest = shap->forest;
	size_t		words = 0;
	size_t		sets = 0;

	for (uint32_t i = 0; i < forest->n_nodes; i++)
	{
		const MlGbdtNode *node = &forest->node[i];

		if (node->left == 0 || !node->category)
			continue;
		sets++;
		words += node->set_count > 0 ? forest->set[node->set_first + node->set_count - 1] / 64 + 1u : 0;
	}
	shap->set = ml_alloc(env, sets + 1, sizeof(Set));
	if (shap->set == NULL)
		return env->error.status;
	if (words * sizeof(uint64_t) > BITS_BYTES)
		return ML_OK;
	shap->bits = ml_alloc0(env, words + 1, sizeof(uint64_t));
	return shap->bits != NULL ? ML_OK : env->error.status;
}

/* Leaf values in units of this are at most 1, so that sums and products stay far from all limits. */
static double
leaf_unit(const MlGbdtForest *forest)
{
	double		largest = 0;
	int			exponent;

	for (uint32_t i = 0; i < forest->n_nodes; i++)
		if (forest->node[i].left == 0 && fabs(forest->node[i].value) > largest)
			largest = fabs(forest->node[i].value);
	(void) frexp(largest, &exponent);
	exponent = exponent < -1000 ? -1000 : (exponent > 1023 ? 1023 : exponent);
	return largest > 0 ? ldexp(1, exponent) : 1;
}

/* Mean of the leaves under the root by their shares of rows, in units of shap->unit. */
static double
tree_mean(const Shap *shap, const MlGbdtNode *tree, uint32_t n, const Walk *walk)
{
	double	   *mean = walk->mean;

	for (uint32_t i = n; i-- > 0;)
	{
		uint32_t	left = tree[i].left;

		mean[i] = left == 0 ? tree[i].value / shap->unit : walk->share[left] * mean[left] + walk->share[left + 1] * mean[left + 1];
	}
	return mean[0];
}

/* Factors of split k, and places for blocks of so many points. */
static void
finish_split(const Shap *shap, const MlGbdtNode *tree, const MlGbdtShapTree *made, uint32_t k, const Walk *walk)
{
	MlGbdtShapSplit *s = &made->split[k];
	uint32_t	block = width_of(made->points) * (uint32_t) sizeof(double);
	uint32_t	child = 2 * k + 1;
	double		value[2];

	for (int side = 0; side < 2; side++)
		value[side] = tree[child + side].left == 0 ? tree[child + side].value / shap->unit : 1;
	s->factor[ML_GBDT_SHAP_COLD] = (MlGbdtShapFactor) {walk->share[child] * value[0], walk->share[child + 1] * value[1], 0};
	s->factor[ML_GBDT_SHAP_LEFT] = (MlGbdtShapFactor) {made->path[child] * value[0], made->path[child + 1] * value[1], value[0]};
	s->factor[ML_GBDT_SHAP_RIGHT] = (MlGbdtShapFactor) {made->path[child + 1] * value[1], made->path[child] * value[0], value[1]};
	s->source = (s->before - made->n_nodes) * block;
	s->target = (s->target - (uint32_t) shap->forest->n_features) * block;
	s->node *= block;
}

static MlStatus
make_tree(MlEnv *env, Shap *shap, uint32_t t, const Walk *walk, MlGbdtShapTree *result)
{
	const MlGbdtForest *forest = shap->forest;
	const MlGbdtNode *tree = forest->node + forest->first[t];
	uint32_t	n = end_of_tree(forest, t) - forest->first[t];
	MlGbdtShapSplit *split = ml_alloc0(env, n / 2 + 1, sizeof(MlGbdtShapSplit));
	double	   *path = ml_alloc0(env, n, sizeof(double));

	if (split == NULL || path == NULL)
		return env->error.status;
	for (uint32_t i = 0; i < n; i++)
	{
		MlGbdtShapSplit *s = tree[i].left != 0 ? &split[(tree[i].left - 1) / 2] : NULL;

		if (s == NULL)
			continue;
		s->threshold = tree[i].value;
		s->node = i;
		s->target = (uint32_t) tree[i].feature;
		s->input = s->target + (!tree[i].category && tree[i].missing_left ? (uint32_t) forest->n_features : 0);
		s->set = tree[i].category ? add_set(shap, &tree[i]) : 0;
	}
	*result = (MlGbdtShapTree) {.split = split, .n_splits = n / 2, .n_nodes = n, .path = path};
	result->points = ml_gbdt_shap_points(walk_paths(tree, split, path, walk));
	for (uint32_t k = 0; k < n / 2; k++)
		finish_split(shap, tree, result, k, walk);
	shap->expected[t % (uint32_t) forest->n_outputs] += tree_mean(shap, tree, n, walk);
	return ML_OK;
}

/* D of the nodes of a tree for one block of points, and 1 / z. */
static void
fill_inverse(const MlGbdtShapTree *tree, const double *y, const double *z, uint32_t width, double *inverse)
{
	for (uint32_t q = 0; q < width; q++)
		inverse[q] = 1;
	for (uint32_t i = 1; i < tree->n_nodes; i++)
		for (uint32_t q = 0; q < width; q++)
			inverse[(size_t) i * width + q] = 1 / (tree->path[i] * z[q] + y[q]);
	for (uint32_t q = 0; q < width; q++)
		inverse[(size_t) tree->n_nodes * width + q] = 1 / z[q];
}

static MlStatus
make_points(MlEnv *env, Shap *shap, uint32_t n)
{
	MlGbdtShapPoints *p = &shap->points[n / ML_GBDT_SHAP_WIDE];

	if (p->y != NULL)
		return ML_OK;
	p->y = ml_alloc(env, n, sizeof(double));
	p->z = ml_alloc(env, n, sizeof(double));
	p->w = ml_alloc(env, n, sizeof(double));
	if (p->y == NULL || p->z == NULL || p->w == NULL)
		return env->error.status;
	ml_gauss_legendre((int) n, p->y, p->z, p->w);
	for (uint32_t q = 0; q < n; q++)
		p->w[q] /= p->z[q];
	return ML_OK;
}

/* Points, and D where there is room for it. */
static MlStatus
make_inverse(MlEnv *env, Shap *shap, MlGbdtShapTree *tree)
{
	const MlGbdtShapPoints *p = &shap->points[tree->points / ML_GBDT_SHAP_WIDE];
	uint32_t	width = width_of(tree->points);
	size_t		entries = (size_t) tree->n_nodes + 1;
	size_t		bytes = (size_t) tree->points * sizeof(double);
	double	   *inverse;

	ML_TRY(make_points(env, shap, tree->points));
	if (!ml_mul_size(bytes, entries, &bytes) || !ml_add_size(shap->inverse_bytes, bytes, &bytes) || bytes > INVERSE_BYTES)
		return ML_OK;
	shap->inverse_bytes = bytes;
	inverse = ml_alloc(env, (size_t) tree->points * entries, sizeof(double));
	if (inverse == NULL)
		return env->error.status;
	for (uint32_t q = 0; q < tree->points; q += width)
		fill_inverse(tree, p->y + q, p->z + q, width, inverse + (size_t) q * entries);
	tree->inverse = inverse;
	return ML_OK;
}

/* Trees of one output stand together, and among them those of equally many points. */
static MlStatus
order_trees(MlEnv *env, Shap *shap, const MlGbdtShapTree *tree)
{
	const MlGbdtForest *forest = shap->forest;
	uint32_t	outputs = (uint32_t) forest->n_outputs;
	MlKeyed    *items = ml_alloc(env, (size_t) forest->n_trees + 1, sizeof(MlKeyed));

	if (items == NULL)
		return env->error.status;
	for (uint32_t t = 0; t < forest->n_trees; t++)
		items[t] = (MlKeyed) {.key = (uint64_t) (t % outputs) << 32 | tree[t].points, .row = t};
	ML_TRY(ml_sort_keyed(env, items, forest->n_trees));
	for (uint32_t t = 0; t < forest->n_trees; t++)
	{
		shap->tree[t] = tree[items[t].row];
		shap->first[(items[t].key >> 32) + 1] = t + 1;
	}
	for (uint32_t k = 1; k <= outputs; k++)
		shap->first[k] = shap->first[k] > shap->first[k - 1] ? shap->first[k] : shap->first[k - 1];
	return ML_OK;
}

static MlStatus
make_scratch(MlEnv *env, Shap *shap, uint32_t most_nodes, uint32_t most_points)
{
	uint32_t	width = width_of(most_points);
	size_t		sums;

	/* Trees of four points may stand beside those of more. */
	if (!ml_mul_size((size_t) shap->forest->n_features + 1, most_points, &sums))
		return ml_fail(env, ML_TOO_LARGE, "the model is too large to be explained");
	shap->input = ml_alloc0(env, 2 * (size_t) shap->forest->n_features + 1, sizeof(double));
	shap->on = ml_alloc0(env, most_nodes, sizeof(uint32_t));
	shap->step = ml_alloc0(env, most_nodes / 2 + 1, sizeof(MlGbdtShapStep));
	shap->h = ml_alloc0(env, (size_t) most_nodes * width, sizeof(double));
	shap->inverse = ml_alloc0(env, ((size_t) most_nodes + 1) * width, sizeof(double));
	shap->sum = ml_alloc0(env, sums, sizeof(double));
	if (shap->input == NULL || shap->on == NULL || shap->step == NULL || shap->h == NULL || shap->inverse == NULL || shap->sum == NULL)
		return env->error.status;
	shap->on[0] = UINT32_MAX;
	return ML_OK;
}

static MlStatus
make_trees(MlEnv *env, Shap *shap, MlGbdtShapTree *tree, uint32_t most_nodes)
{
	const MlGbdtForest *forest = shap->forest;
	uint32_t	most_points = ML_GBDT_SHAP_NARROW;
	Walk		walk = {
		.stack = ml_alloc(env, 2 * (size_t) most_nodes + 1, sizeof(uint32_t)),
		.last = ml_alloc0(env, (size_t) forest->n_features + 1, sizeof(uint32_t)),
		.share = ml_alloc(env, (size_t) most_nodes, sizeof(double)),
		.mean = ml_alloc(env, (size_t) most_nodes, sizeof(double)),
	};

	if (walk.stack == NULL || walk.last == NULL || walk.share == NULL || walk.mean == NULL)
		return env->error.status;
	for (uint32_t t = 0; t < forest->n_trees; t++)
	{
		ML_TRY(make_tree(env, shap, t, &walk, &tree[t]));
		most_points = tree[t].points > most_points ? tree[t].points : most_points;
	}
	shap->points = ml_alloc0(env, most_points / ML_GBDT_SHAP_WIDE + 1, sizeof(MlGbdtShapPoints));
	if (shap->points == NULL)
		return env->error.status;
	for (uint32_t t = 0; t < forest->n_trees; t++)
		ML_TRY(make_inverse(env, shap, &tree[t]));
	return make_scratch(env, shap, most_nodes, most_points);
}

MlStatus
ml_gbdt_explainer(MlEnv *env, const void *model, const MlSchema *schema, void **explainer)
{
	const MlGbdtForest *forest = model;
	Shap	   *shap = ml_alloc0(env, 1, sizeof(Shap));
	MlGbdtShapTree *tree = ml_alloc0(env, (size_t) forest->n_trees + 1, sizeof(MlGbdtShapTree));
	uint32_t	most_nodes = 1;

	(void) schema;
	if (shap == NULL || tree == NULL)
		return env->error.status;
	shap->forest = forest;
	shap->unit = leaf_unit(forest);
	shap->tree = ml_alloc0(env, (size_t) forest->n_trees + 1, sizeof(MlGbdtShapTree));
	shap->first = ml_alloc0(env, (size_t) forest->n_outputs + 1, sizeof(uint32_t));
	shap->expected = ml_alloc0(env, (size_t) forest->n_outputs, sizeof(double));
	if (shap->tree == NULL || shap->first == NULL || shap->expected == NULL)
		return env->error.status;
	for (uint32_t t = 0; t < forest->n_trees; t++)
	{
		uint32_t	n = end_of_tree(forest, t) - forest->first[t];

		most_nodes = n > most_nodes ? n : most_nodes;
	}
	if (most_nodes > MOST_NODES || forest->n_features >= (int32_t) MOST_NODES)
		return ml_fail(env, ML_TOO_LARGE, "the model is too large to be explained");
	ML_TRY(make_sets(env, shap));
	ML_TRY(make_trees(env, shap, tree, most_nodes));
	ML_TRY(order_trees(env, shap, tree));
	*explainer = shap;
	return ML_OK;
}

/* ------------------------------------------------------------------------
 * Explaining a row
 * ------------------------------------------------------------------------
 */

/* Numbers with a side for missing ones: right, as no comparison holds for NaN, or left. */
static void
read_row(const Shap *shap, const double *x)
{
	int32_t		n = shap->forest->n_features;

	for (int32_t f = 0; f < n; f++)
	{
		shap->input[f] = x[f];
		shap->input[n + f] = x[f] == x[f] ? x[f] : -INFINITY;
	}
}

/* Does a category go right?  What is no code is in no set. */
static bool
set_says_right(const Shap *shap, const Set *set, double v)
{
	uint32_t	code;

	if (v != v)
		return !set->missing_left;
	if (!(v >= 0 && v <= UINT16_MAX))
		return true;
	code = (uint32_t) v;
	if (shap->bits == NULL)
		return !ml_codes_have(shap->forest->set + set->first, set->count, code);
	return code >= set->count || (shap->bits[set->first + code / 64] >> (code % 64) & 1) == 0;
}

/* Where the row goes at each split, also at those that it does not come to.  By masks: of choices the compiler would make branches. */
static void
follow_row(const Shap *shap, const MlGbdtShapTree *tree)
{
	uint32_t	block = width_of(tree->points) * (uint32_t) sizeof(double);
	uint32_t	cold = tree->n_nodes * block;
	uint32_t	nobody = (uint32_t) shap->forest->n_features * block;
	const MlGbdtShapSplit *s = tree->split;
	const double *input = shap->input;
	uint32_t   *on = shap->on;
	uint32_t   *child = on + 1;
	MlGbdtShapStep *step = shap->step;

	for (uint32_t k = 0; k < tree->n_splits; k++, s++, child += 2, step++)
	{
		uint32_t	hot = on[s->before];
		uint32_t	right = 0u - (uint32_t) !(input[s->input] <= s->threshold);

		if (s->set != 0)
			right = 0u - (uint32_t) set_says_right(shap, &shap->set[s->set - 1], input[s->input]);
		right &= hot;
		child[0] = hot ^ right;
		child[1] = right;
		step->source = cold + (s->source & hot);
		step->target = nobody + (s->target & hot);
		step->taken = block & right;
		step->factor = ((uint32_t) sizeof(MlGbdtShapFactor) & hot) + ((uint32_t) sizeof(MlGbdtShapFactor) & right);
	}
}

static void
explain_tree(const Shap *shap, const MlGbdtShapTree *tree, MlGbdtShapKernel kernel)
{
	const MlGbdtShapPoints *p = &shap->points[tree->points / ML_GBDT_SHAP_WIDE];
	uint32_t	width = width_of(tree->points);
	MlGbdtShapPass pass = {
		.tree = tree, .step = shap->step, .h = shap->h
	};

	for (uint32_t q = 0; q < tree->points; q += width)
	{
		pass.y = p->y + q;
		pass.z = p->z + q;
		pass.sum = shap->sum + (size_t) q * (size_t) (shap->forest->n_features + 1);
		pass.inverse = tree->inverse != NULL ? tree->inverse + (size_t) q * ((size_t) tree->n_nodes + 1) : shap->inverse;
		if (tree->inverse == NULL)
			fill_inverse(tree, pass.y, pass.z, width, shap->inverse);
		kernel(&pass);
	}
}

/* Adds the integrals, times factor. */
static void
add_sums(const Shap *shap, uint32_t points, double factor, double *contribution)
{
	const MlGbdtShapPoints *p = &shap->points[points / ML_GBDT_SHAP_WIDE];
	uint32_t	width = width_of(points);
	size_t		block = (size_t) (shap->forest->n_features + 1) * width;

	for (int32_t f = 0; f < shap->forest->n_features; f++)
	{
		double		total = 0;

		for (uint32_t q = 0; q < points; q++)
			total += p->w[q] * shap->sum[q / width * block + (size_t) f * width + q % width];
		contribution[f] += factor * total;
	}
}

/* Adds what the features do to the score of output k, in units of shap->unit. */
static void
explain_output(const Shap *shap, uint32_t k, double factor, double *contribution)
{
	uint32_t	t = shap->first[k];

	while (t < shap->first[k + 1])
	{
		uint32_t	points = shap->tree[t].points;
		MlGbdtShapKernel kernel = ml_gbdt_shap_kernel(width_of(points), ml_simd_tier());

		memset(shap->sum, 0, sizeof(double) * points * (size_t) (shap->forest->n_features + 1));
		for (; t < shap->first[k + 1] && shap->tree[t].points == points; t++)
		{
			if (shap->tree[t].n_splits == 0)
				continue;
			follow_row(shap, &shap->tree[t]);
			explain_tree(shap, &shap->tree[t], kernel);
		}
		add_sums(shap, points, factor, contribution);
	}
}

void
ml_gbdt_explain(void *explainer, const double *x, int class_number, double *contribution, double *baseline)
{
	const Shap *shap = explainer;
	const MlGbdtForest *forest = shap->forest;
	bool		two = forest->objective == ML_GBDT_SOFTMAX && forest->n_outputs == 2;
	uint32_t	k = forest->objective == ML_GBDT_SOFTMAX ? (uint32_t) class_number : 0;
	double		sign;

	for (int32_t f = 0; f < forest->n_features; f++)
		contribution[f] = 0;
	read_row(shap, x);
	explain_output(shap, k, 1, contribution);
	*baseline = forest->base[k] + shap->expected[k] * shap->unit;
	if (two)
	{
		/* The log-odds of a class are its score less that of the other. */
		explain_output(shap, 1 - k, -1, contribution);
		*baseline -= forest->base[1 - k] + shap->expected[1 - k] * shap->unit;
	}
	/* The one score of two classes is that of the second. */
	sign = forest->objective == ML_GBDT_LOGISTIC && class_number == 0 ? -1 : 1;
	*baseline *= sign * forest->scale;
	for (int32_t f = 0; f < forest->n_features; f++)
		contribution[f] = contribution[f] * shap->unit * (sign * forest->scale);
}
