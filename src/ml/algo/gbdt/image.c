/*-------------------------------------------------------------------------
 * image.c
 *	  A gbdt model to bytes and back.
 *
 * u8 objective, i32 binary exponent of the scale, base scores; u32 trees, nodes,
 * set codes in all; per tree u32 nodes, then each node in breadth-first order:
 * u8 kind, u32 rows, and
 *   leaf      double value
 *   number    i32 feature, double gain, double threshold
 *   category  i32 feature, double gain, u32 codes, u16 each, ascending
 * Children are not written: see forest.h.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "ml/algo/gbdt/forest.h"
#include "ml/base/arena.h"

enum
{
	KIND_LEAF = 0,
	KIND_NUMBER = 1,
	KIND_CATEGORY = 2,
	KIND_MASK = 3,
	KIND_MISSING_LEFT = 4
};

#define LEAF_BYTES 13			/* the smallest node */
#define NUMBER_BYTES 25			/* a split on a number */
#define SCALE_LIMIT 1100

static void
put_node(const MlGbdtForest *forest, const MlGbdtNode *node, MlWriter *w)
{
	int			kind = node->left == 0 ? KIND_LEAF : (node->category ? KIND_CATEGORY : KIND_NUMBER);

	ml_put_u8(w, (uint8_t) (kind | (node->left != 0 && node->missing_left ? KIND_MISSING_LEFT : 0)));
	ml_put_u32(w, node->rows);
	if (kind != KIND_LEAF)
	{
		ml_put_i32(w, node->feature);
		ml_put_double(w, node->gain);
	}
	if (kind != KIND_CATEGORY)
		ml_put_double(w, node->value);
	else
	{
		ml_put_u32(w, node->set_count);
		for (uint32_t i = 0; i < node->set_count; i++)
			ml_put_u16(w, forest->set[node->set_first + i]);
	}
}

void
ml_gbdt_save(const void *model, MlWriter *w)
{
	const MlGbdtForest *forest = model;
	int			exponent;

	(void) frexp(forest->scale, &exponent);
	ml_put_u8(w, (uint8_t) forest->objective);
	ml_put_i32(w, exponent - 1);
	ml_put_doubles(w, forest->base, (size_t) forest->n_outputs);
	ml_put_u32(w, forest->n_trees);
	ml_put_u32(w, forest->n_nodes);
	ml_put_u32(w, forest->n_set);
	for (uint32_t t = 0; t < forest->n_trees; t++)
	{
		uint32_t	begin = forest->first[t];
		uint32_t	end = t + 1 < forest->n_trees ? forest->first[t + 1] : forest->n_nodes;

		ml_put_u32(w, end - begin);
		for (uint32_t i = begin; i < end; i++)
			put_node(forest, &forest->node[i], w);
	}
}

static bool
objective_fits(MlGbdtObjective objective, const MlSchema *schema)
{
	switch (objective)
	{
		case ML_GBDT_LOGISTIC:
			return schema->task == ML_TASK_CLASSIFICATION && schema->n_classes == 2;
		case ML_GBDT_SOFTMAX:
			return schema->task == ML_TASK_CLASSIFICATION && schema->n_classes >= 2;
		default:
			return schema->task == ML_TASK_REGRESSION;
	}
}

static MlStatus
get_header(MlReader *r, const MlSchema *schema, MlGbdtForest **result)
{
	uint8_t		objective = ml_get_u8(r);
	int32_t		exponent = ml_get_i32(r);
	MlGbdtForest *forest;

	if (r->status != ML_OK)
		return r->status;
	if (objective >= ML_GBDT_OBJECTIVES || !objective_fits((MlGbdtObjective) objective, schema))
		return ml_reader_corrupt(r, "the objective does not fit the target");
	ML_TRY(ml_gbdt_forest_create(r->env, (MlGbdtObjective) objective, schema, &forest));
	if (exponent < -SCALE_LIMIT || exponent > SCALE_LIMIT || !(ldexp(1, exponent) > 0) || ldexp(1, exponent) > DBL_MAX ||
		(!ml_gbdt_identity((MlGbdtObjective) objective) && exponent != 0))
		return ml_reader_corrupt(r, "bad scale");
	forest->scale = ldexp(1, exponent);
	for (int32_t k = 0; k < forest->n_outputs; k++)
		forest->base[k] = ml_get_finite(r);
	*result = forest;
	return r->status;
}

static MlStatus
get_set(MlReader *r, MlGbdtForest *forest, MlGbdtNode *node, uint32_t n_set, int32_t levels)
{
	int32_t		last = -1;

	node->set_first = forest->n_set;
	node->set_count = ml_get_count(r, sizeof(uint16_t));
	if (r->status != ML_OK)
		return r->status;
	if (node->set_count > n_set - forest->n_set)
		return ml_reader_corrupt(r, "more categories than announced");
	for (uint32_t i = 0; i < node->set_count; i++)
	{
		int32_t		code = ml_get_u16(r);

		if (code <= last || code >= levels)
			return ml_reader_corrupt(r, "bad category in a split");
		forest->set[forest->n_set++] = (uint16_t) code;
		last = code;
	}
	return r->status;
}

static inline uint32_t
little_u32(const uint8_t *p)
{
	return p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24;
}

static inline double
little_double(const uint8_t *p)
{
	uint64_t	bits = little_u32(p) | (uint64_t) little_u32(p + 4) << 32;
	double		v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

/*
 * Nearly all nodes are a leaf or a split on a number, and whole: read in one go, for each get of the reader checks for itself.  False, and nothing read: get_node() finds what is the matter.
 */
static inline bool
get_sound_node(MlReader *r, const MlSchema *schema, MlGbdtNode *node, bool *leaf)
{
	const uint8_t *p = r->bytes + r->offset;
	int32_t		feature;

	if (r->status != ML_OK || r->length - r->offset < NUMBER_BYTES)
		return false;
	*leaf = p[0] == KIND_LEAF;
	if (*leaf)
	{
		*node = (MlGbdtNode) {.rows = little_u32(p + 1), .value = little_double(p + 5)};
		if (!isfinite(node->value))
			return false;
		r->offset += LEAF_BYTES;
		return true;
	}
	feature = (int32_t) little_u32(p + 5);
	if ((p[0] & ~KIND_MISSING_LEFT) != KIND_NUMBER || feature < 0 || feature >= schema->n_features ||
		schema->features[feature].kind == ML_FEATURE_CATEGORY)
		return false;
	*node = (MlGbdtNode) {.rows = little_u32(p + 1), .feature = feature, .gain = little_double(p + 9), .value = little_double(p + 17),
		.missing_left = (p[0] & KIND_MISSING_LEFT) != 0};
	if (!isfinite(node->gain) || !isfinite(node->value))
		return false;
	r->offset += NUMBER_BYTES;
	return true;
}

static MlStatus
get_node(MlReader *r, const MlSchema *schema, MlGbdtForest *forest, MlGbdtNode *node, uint32_t n_set, bool *leaf)
{
	uint8_t		kind = ml_get_u8(r);
	bool		category = (kind & KIND_MASK) == KIND_CATEGORY;

	*node = (MlGbdtNode) {.rows = ml_get_u32(r)};
	*leaf = kind == KIND_LEAF;
	if (*leaf)
	{
		node->value = ml_get_finite(r);
		return r->status;
	}
	if (kind > (KIND_MASK | KIND_MISSING_LEFT) || (kind & KIND_MASK) == KIND_LEAF || (kind & KIND_MASK) == KIND_MASK)
		return ml_reader_corrupt(r, "unknown kind of node");
	node->category = category;
	node->missing_left = (kind & KIND_MISSING_LEFT) != 0;
	node->feature = ml_get_i32(r);
	node->gain = ml_get_finite(r);
	if (r->status != ML_OK)
		return r->status;
	if (node->feature < 0 || node->feature >= schema->n_features)
		return ml_reader_corrupt(r, "a split on a feature that does not exist");
	if (category != (schema->features[node->feature].kind == ML_FEATURE_CATEGORY))
		return ml_reader_corrupt(r, "a split does not fit the type of its feature");
	if (!category)
		node->value = ml_get_finite(r);
	else
		ML_TRY(get_set(r, forest, node, n_set, schema->features[node->feature].levels));
	return r->status;
}

/* *largest: the largest absolute value of a leaf. */
static MlStatus
get_tree(MlReader *r, const MlSchema *schema, MlGbdtForest *forest, uint32_t n_nodes, uint32_t n_set, double *largest)
{
	uint32_t	n = ml_get_count(r, LEAF_BYTES);
	MlGbdtNode *node = forest->node + forest->n_nodes;
	uint32_t	end = 1;		/* the root and the children of the splits so far */

	*largest = 0;
	if (r->status != ML_OK)
		return r->status;
	if (n < 1 || n > n_nodes - forest->n_nodes)
		return ml_reader_corrupt(r, "wrong number of nodes in a tree");
	for (uint32_t i = 0; i < n; i++)
	{
		bool		leaf;

		if (i >= end)
			return ml_reader_corrupt(r, "a node without a parent");
		if (!get_sound_node(r, schema, &node[i], &leaf))
			ML_TRY(get_node(r, schema, forest, &node[i], n_set, &leaf));
		if (leaf)
		{
			double		a = node[i].value < 0 ? -node[i].value : node[i].value;

			*largest = a > *largest ? a : *largest;
			continue;
		}
		if (n - end < 2)
			return ml_reader_corrupt(r, "a split without children");
		node[i].left = end;
		end += 2;
	}
	if (end != n)
		return ml_reader_corrupt(r, "nodes left over in a tree");
	forest->first[forest->n_trees++] = forest->n_nodes;
	forest->n_nodes += n;
	return ML_OK;
}

static MlStatus
get_trees(MlReader *r, const MlSchema *schema, MlGbdtForest *forest)
{
	uint32_t	n_trees = ml_get_count(r, sizeof(uint32_t) + LEAF_BYTES);
	uint32_t	n_nodes = ml_get_count(r, LEAF_BYTES);
	uint32_t	n_set = ml_get_count(r, sizeof(uint16_t));
	double	   *reach;

	if (r->status != ML_OK)
		return r->status;
	if (n_trees % (uint32_t) forest->n_outputs != 0 || n_nodes > INT32_MAX || n_set > INT32_MAX)
		return ml_reader_corrupt(r, "wrong number of trees or nodes");
	forest->first = ml_alloc(r->env, (size_t) n_trees + 1, sizeof(uint32_t));
	forest->node = ml_alloc(r->env, (size_t) n_nodes + 1, sizeof(MlGbdtNode));
	forest->set = ml_alloc(r->env, (size_t) n_set + 1, sizeof(uint16_t));
	reach = ml_alloc(r->env, (size_t) forest->n_outputs, sizeof(double));
	if (!forest->first || !forest->node || !forest->set || !reach)
		return r->env->error.status;
	for (int32_t k = 0; k < forest->n_outputs; k++)
		reach[k] = fabs(forest->base[k]);
	for (uint32_t t = 0; t < n_trees; t++)
	{
		double		largest;

		ML_TRY(get_tree(r, schema, forest, n_nodes, n_set, &largest));
		reach[t % (uint32_t) forest->n_outputs] += largest;
	}
	if (forest->n_nodes != n_nodes || forest->n_set != n_set)
		return ml_reader_corrupt(r, "fewer nodes than announced");
	/* So no sum of leaves can leave the range of a double. */
	for (int32_t k = 0; k < forest->n_outputs; k++)
		if (!(reach[k] <= DBL_MAX))
			return ml_reader_corrupt(r, "leaf values beyond all bounds");
	return ML_OK;
}

MlStatus
ml_gbdt_load(MlReader *r, const MlSchema *schema, void **model)
{
	MlGbdtForest *forest = NULL;

	ML_TRY(get_header(r, schema, &forest));
	ML_TRY(get_trees(r, schema, forest));
	*model = forest;
	return ml_gbdt_forest_prepare_walk(r->env, forest, schema);
}
