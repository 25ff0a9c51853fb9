/*-------------------------------------------------------------------------
 * image.c
 *	  Averaged trees to bytes and back.
 *
 * u8 answer, i32 binary exponent of the scale, the figures (8 bytes each), by
 * feature u32 count and thresholds, by feature the gain, u8 and by feature the
 * importance by permutation; of an isolation forest double cut; u32 trees.  A tree: u32 values and the values, u32
 * nodes and the nodes in breadth-first order:
 *   leaf      u16 0, number of its value, rows
 *   number    u16 1 + feature, highest bit: missing goes left; u16 rank
 *   category  the same u16; 2 * codes + 1 where they go left, u16 each code, ascending
 * Numbers without a type are 7 bits a byte, the lowest first, with the highest bit
 * set where more follow.  So a split takes four bytes, and a leaf about five.
 * Rows of a split are those of its children.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "ml/algo/forest/trees.h"
#include "ml/base/arena.h"

#define MISSING_LEFT 0x8000
#define NODE_BYTES 3			/* the smallest node: a split that parts missing values from all categories */
#define SCALE_LIMIT 1023
/* Values of a regression are divided by scale, so none is larger. */
#define VALUE_LIMIT 2.0

static void
put_number(MlWriter *w, uint32_t v)
{
	for (; v >= 128; v >>= 7)
		ml_put_u8(w, (uint8_t) (v | 128));
	ml_put_u8(w, (uint8_t) v);
}

static uint32_t
get_number(MlReader *r)
{
	uint64_t	v = 0;

	for (int shift = 0; shift < 35; shift += 7)
	{
		uint8_t		byte = ml_get_u8(r);

		v |= (uint64_t) (byte & 127) << shift;
		if (byte < 128)
		{
			if (v <= UINT32_MAX)
				return (uint32_t) v;
			break;
		}
	}
	ml_reader_corrupt(r, "a number is too long");
	return 0;
}

static void
put_figure(MlWriter *w, double v)
{
	uint64_t	bits;

	memcpy(&bits, &v, sizeof(bits));
	ml_put_u64(w, bits);
}

static double
get_figure(MlReader *r)
{
	uint64_t	bits = ml_get_u64(r);
	double		v;

	memcpy(&v, &bits, sizeof(v));
	return v - v == 0 ? v : NAN;
}

static void
put_tree(const MlTreeForest *forest, const MlTree *tree, MlWriter *w)
{
	ml_put_u32(w, tree->n_values);
	ml_put_doubles(w, tree->value, (size_t) tree->n_values * (size_t) forest->width);
	ml_put_u32(w, tree->n_nodes);
	for (uint32_t i = 0; i < tree->n_nodes; i++)
	{
		const MlTreeStep *step = &tree->step[i];

		if (step->slot == 0)
		{
			ml_put_u16(w, 0);
			put_number(w, tree->payload[i]);
			put_number(w, tree->rows[i]);
			continue;
		}
		ml_put_u16(w, (uint16_t) ((step->slot + 1) / 2 + (step->slot % 2 == 0 ? MISSING_LEFT : 0)));
		if (step->rank != ML_TREE_CATEGORY)
			ml_put_u16(w, step->rank);
		else
		{
			const MlTreeSet *set = &tree->set[tree->payload[i]];

			put_number(w, 2 * set->count + set->left);
			for (uint32_t c = 0; c < set->count; c++)
				ml_put_u16(w, tree->code[set->first + c]);
		}
	}
}

void
ml_tree_save(const void *model, MlWriter *w)
{
	const MlTreeForest *forest = model;
	int			exponent;

	(void) frexp(forest->scale, &exponent);
	ml_put_u8(w, (uint8_t) forest->answer);
	ml_put_i32(w, exponent - 1);
	for (int i = 0; i < ML_TREE_FIGURES; i++)
		put_figure(w, forest->figure[i]);
	for (int32_t f = 0; f < forest->n_features; f++)
	{
		ml_put_u32(w, forest->n_thresholds[f]);
		ml_put_doubles(w, forest->threshold[f], forest->n_thresholds[f]);
	}
	ml_put_doubles(w, forest->gain, (size_t) forest->n_features);
	ml_put_u8(w, forest->permutation != NULL);
	if (forest->permutation != NULL)
		ml_put_doubles(w, forest->permutation, (size_t) forest->n_features);
	if (forest->answer == ML_TREE_ISOLATION)
		ml_put_double(w, forest->cut);
	ml_put_u32(w, forest->n_trees);
	for (uint32_t t = 0; t < forest->n_trees; t++)
		put_tree(forest, &forest->tree[t], w);
}

/* ------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------
 */

static MlStatus
get_thresholds(MlReader *r, const MlSchema *schema, MlTreeForest *forest, int32_t f)
{
	uint32_t	n = ml_get_count(r, sizeof(double));
	double	   *v;

	if (r->status != ML_OK)
		return r->status;
	if (n > ML_TREE_MAX_THRESHOLDS || (n > 0 && schema->features[f].kind == ML_FEATURE_CATEGORY))
		return ml_reader_corrupt(r, "thresholds that cannot be");
	v = ml_get_doubles(r, n);
	if (r->status != ML_OK)
		return r->status;
	for (uint32_t i = 1; i < n; i++)
		if (!(v[i - 1] < v[i]))
			return ml_reader_corrupt(r, "thresholds out of order");
	forest->n_thresholds[f] = n;
	forest->threshold[f] = v;
	return ML_OK;
}

static MlStatus
get_header(MlReader *r, const MlSchema *schema, MlTreeForest **result)
{
	uint8_t		answer = ml_get_u8(r);
	int32_t		exponent = ml_get_i32(r);
	MlTreeForest *forest;

	if (r->status != ML_OK)
		return r->status;
	if (schema->n_features > ML_TREE_MAX_FEATURES)
		return ml_reader_corrupt(r, "too many features");
	if (answer != (schema->task == ML_TASK_CLASSIFICATION ? ML_TREE_SHARES : schema->task == ML_TASK_ANOMALY ? ML_TREE_ISOLATION : ML_TREE_MEAN))
		return ml_reader_corrupt(r, "the trees do not fit the target");
	if (exponent < -SCALE_LIMIT || exponent > SCALE_LIMIT || (answer != ML_TREE_MEAN && exponent != 0))
		return ml_reader_corrupt(r, "bad scale");
	ML_TRY(ml_tree_forest_create(r->env, (MlTreeAnswer) answer, schema, 0, &forest));
	forest->scale = ldexp(1, exponent);
	for (int i = 0; i < ML_TREE_FIGURES; i++)
		forest->figure[i] = get_figure(r);
	for (int32_t f = 0; f < forest->n_features; f++)
		ML_TRY(get_thresholds(r, schema, forest, f));
	forest->gain = ml_get_doubles(r, (size_t) forest->n_features);
	if (ml_get_u8(r) != 0)
		forest->permutation = ml_get_doubles(r, (size_t) forest->n_features);
	if (forest->answer == ML_TREE_ISOLATION)
		forest->cut = ml_get_finite(r);
	*result = forest;
	return r->status;
}

static MlStatus
get_values(MlReader *r, const MlTreeForest *forest, MlTree *tree)
{
	size_t		n;

	tree->n_values = ml_get_count(r, sizeof(double) * (size_t) forest->width);
	if (r->status != ML_OK)
		return r->status;
	n = (size_t) tree->n_values * (size_t) forest->width;
	tree->value = ml_get_doubles(r, n);
	if (r->status != ML_OK)
		return r->status;
	for (size_t i = 0; i < n; i++)
		if (fabs(tree->value[i]) > VALUE_LIMIT || (forest->answer == ML_TREE_SHARES && !(tree->value[i] >= 0 && tree->value[i] <= 1)))
			return ml_reader_corrupt(r, "a leaf value beyond all bounds");
	return ML_OK;
}

/* Sets as they come; their number is not known before. */
typedef struct SetRoom
{
	uint32_t	set_capacity;
	uint32_t	code_capacity;
} SetRoom;

static MlStatus
grow_room(MlEnv *env, void **array, uint32_t n, uint32_t more, size_t size, uint32_t *capacity)
{
	uint64_t	wanted = ((uint64_t) n + more) * 2;
	void	   *grown;

	if ((uint64_t) n + more <= *capacity)
		return ML_OK;
	wanted = wanted < 64 ? 64 : wanted;
	if (wanted > UINT32_MAX)
		return ml_fail(env, ML_TOO_LARGE, "the trees have too many categories in their splits");
	grown = ml_alloc(env, (size_t) wanted, size);
	if (grown == NULL)
		return env->error.status;
	if (n > 0)
		memcpy(grown, *array, n * size);
	ml_release(env, *array);
	*array = grown;
	*capacity = (uint32_t) wanted;
	return ML_OK;
}

static MlStatus
get_set(MlReader *r, MlTree *tree, SetRoom *room, int32_t levels)
{
	uint32_t	head = get_number(r);
	uint32_t	count = head / 2;
	int32_t		last = -1;

	if (r->status != ML_OK)
		return r->status;
	if (count > (r->length - r->offset) / sizeof(uint16_t) || count > (uint32_t) levels + 1)
		return ml_reader_corrupt(r, "more categories than there can be");
	ML_TRY(grow_room(r->env, (void **) &tree->set, tree->n_sets, 1, sizeof(MlTreeSet), &room->set_capacity));
	ML_TRY(grow_room(r->env, (void **) &tree->code, tree->n_codes, count, sizeof(uint16_t), &room->code_capacity));
	tree->set[tree->n_sets++] = (MlTreeSet) {tree->n_codes, count, head % 2 != 0};
	for (uint32_t i = 0; i < count; i++)
	{
		int32_t		code = ml_get_u16(r);

		if (code <= last || code > levels)
			return ml_reader_corrupt(r, "bad category in a split");
		tree->code[tree->n_codes++] = (uint16_t) code;
		last = code;
	}
	return r->status;
}

static MlStatus
get_split(MlReader *r, const MlSchema *schema, const MlTreeForest *forest, MlTree *tree, SetRoom *room, uint16_t tag, uint32_t i)
{
	int32_t		feature = (tag & ~MISSING_LEFT) - 1;
	MlTreeStep *step = &tree->step[i];

	if (feature < 0 || feature >= forest->n_features)
		return ml_reader_corrupt(r, "a split on a feature that does not exist");
	step->slot = (uint16_t) (1 + 2 * feature + ((tag & MISSING_LEFT) != 0));
	if (schema->features[feature].kind == ML_FEATURE_CATEGORY)
	{
		step->rank = ML_TREE_CATEGORY;
		tree->payload[i] = tree->n_sets;
		return get_set(r, tree, room, schema->features[feature].levels);
	}
	step->rank = ml_get_u16(r);
	if (step->rank > forest->n_thresholds[feature])
		return ml_reader_corrupt(r, "a split by a threshold that does not exist");
	return r->status;
}

/* Rows of splits from those of leaves: children stand behind their parents. */
static MlStatus
add_rows(MlReader *r, MlTree *tree)
{
	for (uint32_t i = tree->n_nodes; i-- > 0;)
	{
		uint64_t	rows;

		if (tree->step[i].slot == 0)
			continue;
		rows = (uint64_t) tree->rows[tree->step[i].left] + tree->rows[tree->step[i].left + 1];
		if (rows > UINT32_MAX)
			return ml_reader_corrupt(r, "too many rows in a tree");
		tree->rows[i] = (uint32_t) rows;
	}
	return ML_OK;
}

static MlStatus
get_tree(MlReader *r, const MlSchema *schema, const MlTreeForest *forest, MlTree *tree)
{
	SetRoom		room = {0};
	uint32_t	end = 1;		/* the root and the children of the splits so far */

	ML_TRY(get_values(r, forest, tree));
	tree->n_nodes = ml_get_count(r, NODE_BYTES);
	if (r->status != ML_OK)
		return r->status;
	if (tree->n_nodes < 1 || tree->n_nodes > INT32_MAX)
		return ml_reader_corrupt(r, "a tree without nodes");
	tree->step = ml_alloc0(r->env, tree->n_nodes, sizeof(MlTreeStep));
	tree->payload = ml_alloc0(r->env, tree->n_nodes, sizeof(uint32_t));
	tree->rows = ml_alloc0(r->env, tree->n_nodes, sizeof(uint32_t));
	if (tree->step == NULL || tree->payload == NULL || tree->rows == NULL)
		return r->env->error.status;
	for (uint32_t i = 0; i < tree->n_nodes; i++)
	{
		uint16_t	tag = ml_get_u16(r);

		if (r->status != ML_OK)
			return r->status;
		if (i >= end)
			return ml_reader_corrupt(r, "a node without a parent");
		if (tag == 0)
		{
			tree->step[i].left = i;
			tree->payload[i] = get_number(r);
			tree->rows[i] = get_number(r);
			if (r->status != ML_OK)
				return r->status;
			if (tree->payload[i] >= tree->n_values)
				return ml_reader_corrupt(r, "a leaf without a value");
			continue;
		}
		ML_TRY(get_split(r, schema, forest, tree, &room, tag, i));
		if (tree->n_nodes - end < 2)
			return ml_reader_corrupt(r, "a split without children");
		tree->step[i].left = end;
		end += 2;
	}
	if (end != tree->n_nodes)
		return ml_reader_corrupt(r, "nodes left over in a tree");
	return add_rows(r, tree);
}

MlStatus
ml_tree_load(MlReader *r, const MlSchema *schema, void **model)
{
	MlTreeForest *forest = NULL;

	ML_TRY(get_header(r, schema, &forest));
	forest->n_trees = ml_get_count(r, 2 * sizeof(uint32_t) + sizeof(double) + NODE_BYTES);
	if (r->status != ML_OK)
		return r->status;
	if (forest->n_trees < 1)
		return ml_reader_corrupt(r, "no trees");
	forest->tree = ml_alloc0(r->env, forest->n_trees, sizeof(MlTree));
	if (forest->tree == NULL)
		return r->env->error.status;
	for (uint32_t t = 0; t < forest->n_trees; t++)
		ML_TRY(get_tree(r, schema, forest, &forest->tree[t]));
	*model = forest;
	return ml_tree_forest_prepare(r->env, forest, schema);
}
