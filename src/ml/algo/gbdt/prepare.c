/*-------------------------------------------------------------------------
 * prepare.c
 *	  From trees to the flat form that serve.c walks.
 *
 * Each set gets one bit in the rows of its feature: there is a row for every
 * category that is in some set, one for "missing" and one for all others.  That
 * is small: 32 categories a set and 300 sets of a feature take 360 kB at most.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/algo/gbdt/engine.h"
#include "ml/base/arena.h"

/* Above this the forest is walked as it is: ten thousands of sets on an id with ten thousands of values. */
#define BITS_BYTES ((size_t) 32 * 1024 * 1024)

/* The slowest of eight paths is longer than the mean (test/bench/predict_kernel.c). */
#define FIRST_STEPS_EXTRA 2

/* Slot numbers by feature; 0: none yet. */
typedef struct SlotMap
{
	int32_t    *number[2];		/* missing right, missing left */
	int32_t    *code;			/* from 1, number slots not counted */
} SlotMap;

static void
number_slots(MlGbdtForest *forest, const MlSchema *schema, SlotMap *map)
{
	for (uint32_t i = 0; i < forest->n_nodes; i++)
	{
		const MlGbdtNode *node = &forest->node[i];
		int32_t    *slot;

		if (node->left == 0)
			continue;
		slot = node->category ? &map->code[node->feature] : &map->number[node->missing_left][node->feature];
		if (*slot == 0 && node->category)
		{
			forest->code_slot[forest->n_code_slots] = (MlGbdtCodeSlot) {
				.feature = node->feature, .levels = schema->features[node->feature].levels
			};
			*slot = ++forest->n_code_slots;
		}
		else if (*slot == 0)
		{
			forest->number_slot[forest->n_number_slots] = (MlGbdtNumberSlot) {
				.feature = node->feature, .missing = node->missing_left ? -INFINITY : INFINITY
			};
			*slot = ++forest->n_number_slots;
		}
		if (node->category)
			forest->code_slot[*slot - 1].sets++;
	}
}

/* Gives a row to each category that is in some set of the slot.  *bytes: what all slots take so far. */
static MlStatus
make_rows(MlEnv *env, MlGbdtForest *forest, MlGbdtCodeSlot *slot, size_t *bytes)
{
	uint32_t	rows = 2;

	slot->words = (slot->sets + 63) / 64;
	slot->row = ml_alloc0(env, (size_t) slot->levels + 2, sizeof(uint16_t));
	if (slot->row == NULL)
		return env->error.status;
	slot->row[0] = 1;			/* missing */
	for (uint32_t i = 0; i < forest->n_nodes; i++)
	{
		const MlGbdtNode *node = &forest->node[i];

		if (node->left == 0 || !node->category || node->feature != slot->feature)
			continue;
		for (uint32_t c = 0; c < node->set_count; c++)
		{
			uint16_t   *row = &slot->row[forest->set[node->set_first + c] + 2];

			if (*row == 0)
				*row = (uint16_t) rows++;	/* at most 65,534 levels and 2 */
		}
	}
	slot->rows = rows;
	*bytes += (size_t) rows * slot->words * sizeof(uint64_t);
	forest->plain = slot->sets > ML_GBDT_MAX_SETS || *bytes > BITS_BYTES;
	if (forest->plain)
		return ML_OK;
	slot->bits = ml_alloc(env, (size_t) rows * slot->words, sizeof(uint64_t));
	if (slot->bits == NULL)
		return env->error.status;
	memset(slot->bits, 0xFF, (size_t) rows * slot->words * sizeof(uint64_t));
	slot->sets = 0;				/* counted again as they get their bits */
	return ML_OK;
}

static void
clear_bit(MlGbdtCodeSlot *slot, uint32_t row, uint32_t set)
{
	slot->bits[(size_t) row * slot->words + set / 64] &= ~(UINT64_C(1) << (set % 64));
}

static void
make_step(MlGbdtForest *forest, const SlotMap *map, uint32_t tree, uint32_t i)
{
	const MlGbdtNode *node = &forest->node[i];
	MlGbdtStep *step = &forest->step[i];
	MlGbdtCodeSlot *slot;
	uint32_t	set;

	*step = (MlGbdtStep) {.value = node->value, .left = 2 * i};
	if (node->left == 0)
		return;
	step->left = 2 * (forest->first[tree] + node->left);
	if (!node->category)
	{
		step->input = (uint32_t) map->number[node->missing_left][node->feature];
		return;
	}
	slot = &forest->code_slot[map->code[node->feature] - 1];
	set = slot->sets++;
	step->value = NAN;
	step->input = ML_GBDT_SET_INPUT(forest->n_number_slots + map->code[node->feature], set);
	if (node->missing_left)
		clear_bit(slot, 1, set);
	for (uint32_t c = 0; c < node->set_count; c++)
		clear_bit(slot, slot->row[forest->set[node->set_first + c] + 2], set);
}

static uint32_t
end_of_tree(const MlGbdtForest *forest, uint32_t t)
{
	return t + 1 < forest->n_trees ? forest->first[t + 1] : forest->n_nodes;
}

/* Steps that a row takes through a tree: the mean over the training rows, to each of whose rows a split is one step. */
static double
mean_steps(const MlGbdtForest *forest, uint32_t t)
{
	const MlGbdtNode *node = forest->node + forest->first[t];
	uint32_t	n = end_of_tree(forest, t) - forest->first[t];
	double		steps = 0;

	for (uint32_t i = 0; i < n; i++)
		if (node[i].left != 0)
			steps += node[i].rows;
	return node[0].rows > 0 ? steps / node[0].rows : 0;
}

/* How many steps eight trees go before they are asked whether they have come to an end: any number is correct. */
static void
choose_first_steps(MlGbdtForest *forest)
{
	for (uint32_t g = 0; g < forest->n_trees / 8; g++)
	{
		double		steps = FIRST_STEPS_EXTRA;

		for (uint32_t t = 8 * g; t < 8 * g + 8; t++)
			steps += mean_steps(forest, t) / 8;
		forest->first_steps[g] = (uint8_t) (steps < 64 ? steps : 64);
	}
}

static MlStatus
make_engines(MlEnv *env, MlGbdtForest *forest)
{
	MlGbdtThresholds *thresholds;

	forest->hastened = true;
	if (forest->plain)
		return ML_OK;
	ML_TRY(ml_gbdt_thresholds_make(env, forest, &thresholds));
	ML_TRY(ml_gbdt_masks_make(env, forest, thresholds, &forest->masks));
	return ml_gbdt_blocks_make(env, forest, thresholds, &forest->blocks);
}

MlStatus
ml_gbdt_forest_prepare(MlEnv *env, MlGbdtForest *forest, const MlSchema *schema)
{
	ML_TRY(ml_gbdt_forest_prepare_walk(env, forest, schema));
	return make_engines(env, forest);
}

MlStatus
ml_gbdt_hasten(MlEnv *env, const void *model, void **hastened)
{
	MlGbdtForest *forest = ml_alloc(env, 1, sizeof(MlGbdtForest));

	if (forest == NULL)
		return env->error.status;
	*forest = *(const MlGbdtForest *) model;
	*hastened = forest;
	return make_engines(env, forest);
}

MlStatus
ml_gbdt_forest_prepare_walk(MlEnv *env, MlGbdtForest *forest, const MlSchema *schema)
{
	size_t		features = (size_t) forest->n_features;
	size_t		bytes = 0;
	SlotMap		map;

	map.number[0] = ml_alloc0(env, features + 1, sizeof(int32_t));
	map.number[1] = ml_alloc0(env, features + 1, sizeof(int32_t));
	map.code = ml_alloc0(env, features + 1, sizeof(int32_t));
	forest->number_slot = ml_alloc(env, 2 * features + 1, sizeof(MlGbdtNumberSlot));
	forest->code_slot = ml_alloc(env, features + 1, sizeof(MlGbdtCodeSlot));
	forest->step = ml_alloc(env, (size_t) forest->n_nodes + 1, sizeof(MlGbdtStep));
	forest->first_steps = ml_alloc(env, forest->n_trees / 8 + 1, sizeof(uint8_t));
	if (!map.number[0] || !map.number[1] || !map.code || !forest->number_slot || !forest->code_slot ||
		!forest->step || !forest->first_steps)
		return env->error.status;
	number_slots(forest, schema, &map);
	forest->plain = forest->n_code_slots > 0 && forest->n_number_slots + forest->n_code_slots + 1 > ML_GBDT_MAX_SLOTS;
	forest->has_sets = forest->n_code_slots > 0;
	for (int32_t s = 0; s < forest->n_code_slots && !forest->plain; s++)
		ML_TRY(make_rows(env, forest, &forest->code_slot[s], &bytes));
	if (forest->plain)
		return ML_OK;
	for (uint32_t t = 0; t < forest->n_trees; t++)
		for (uint32_t i = forest->first[t]; i < end_of_tree(forest, t); i++)
			make_step(forest, &map, t, i);
	choose_first_steps(forest);
	return ML_OK;
}
