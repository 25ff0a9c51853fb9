/*-------------------------------------------------------------------------
 * serve.c
 *	  One row through all trees.
 *
 * Eight trees are walked at once, so that eight chains of loads are under way
 * instead of one, and no branch depends on the row: a split adds the outcome of
 * its comparison to the number of its left child.  A leaf compares -infinity
 * with its value and stays where it is, so eight trees of different depth go on
 * together until none of them moves (test/bench/predict_kernel.c).
 *
 * What a step compares is settled before the walk.  A number slot is a feature
 * together with the side that missing values take, and holds -infinity or
 * +infinity for them.  A code slot points to the bits of the category at hand, one
 * for each set that the trees know.  A step takes the bit and the comparison, of
 * which one says nothing (a set's threshold is NaN, a number's bit is masked).
 *
 * This is the reference, for any forest on any processor; where engine.h has a
 * faster way it is taken.  Values are added in the order of the trees: the same
 * bits everywhere.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "ml/algo/gbdt/engine.h"
#include "ml/base/elementary.h"
#include "ml/base/search.h"

/* What the walk reads, all in scratch: slot 0 is -infinity, for leaves. */
typedef struct Inputs
{
	const double *x;			/* number slots */
	const void *const *at;		/* all slots: where the number or the bits are; in a forest with sets only */
} Inputs;

static Inputs
prepare_inputs(const MlGbdtForest *forest, const double *row, void *scratch)
{
	int32_t		numbers = forest->n_number_slots + 1;
	double	   *x = scratch;
	const void **at = (const void **) (x + numbers);

	x[0] = -INFINITY;
	for (int32_t s = 1; s < numbers; s++)
	{
		const MlGbdtNumberSlot *slot = &forest->number_slot[s - 1];
		double		v = row[slot->feature];

		x[s] = v == v ? v : slot->missing;
	}
	if (!forest->has_sets)
		return (Inputs) {.x = x};
	for (int32_t s = 0; s < numbers; s++)
		at[s] = &x[s];
	for (int32_t s = 0; s < forest->n_code_slots; s++)
	{
		const MlGbdtCodeSlot *slot = &forest->code_slot[s];

		at[numbers + s] = slot->bits + (size_t) slot->row[ml_gbdt_code(row[slot->feature], slot->levels)] * slot->words;
	}
	return (Inputs) {x, at};
}

/* Places are in units of half a step, eight bytes: then an address needs no shift of its own. */
static inline const MlGbdtStep *
step_at(const MlGbdtForest *forest, uint32_t n)
{
	return (const MlGbdtStep *) ((const uint64_t *) forest->step + n);
}

/* Where node n leads, in a forest without sets. */
static inline uint32_t
next_number(const MlGbdtForest *forest, Inputs in, uint32_t n)
{
	const MlGbdtStep *s = step_at(forest, n);

	return s->left + 2 * (in.x[s->input] > s->value);
}

/* The same in any forest. */
static inline uint32_t
next_any(const MlGbdtForest *forest, Inputs in, uint32_t n)
{
	const MlGbdtStep *s = step_at(forest, n);
	uint32_t	set = (s->input >> ML_GBDT_SLOT_BITS) & (ML_GBDT_MAX_SETS - 1);
	const char *at = (const char *) in.at[s->input & (ML_GBDT_MAX_SLOTS - 1)] + set / 64 * sizeof(uint64_t);
	uint64_t	bits;
	double		number;

	memcpy(&bits, at, sizeof(bits));
	memcpy(&number, at, sizeof(number));
	return s->left + 2 * ((number > s->value) | ((uint32_t) (bits >> (set % 64)) & (s->input >> 31)));
}

/*
 * Walks eight trees from n[].  Written out, so that the eight places stay in
 * registers.  The first steps, as many as a row takes on average, are not asked
 * whether they moved anything.
 */
#define STEP(n, NEXT) \
	do { \
		uint32_t	next = NEXT(forest, in, n); \
		moved |= next ^ (n); \
		(n) = next; \
	} while (0)

#define DEFINE_WALK_EIGHT(name, NEXT) \
static inline void \
name(const MlGbdtForest *forest, Inputs in, uint32_t *n, int first_steps) \
{ \
	uint32_t	n0 = n[0], n1 = n[1], n2 = n[2], n3 = n[3]; \
	uint32_t	n4 = n[4], n5 = n[5], n6 = n[6], n7 = n[7]; \
	uint32_t	moved; \
	for (; first_steps > 0; first_steps--) \
	{ \
		n0 = NEXT(forest, in, n0), n1 = NEXT(forest, in, n1); \
		n2 = NEXT(forest, in, n2), n3 = NEXT(forest, in, n3); \
		n4 = NEXT(forest, in, n4), n5 = NEXT(forest, in, n5); \
		n6 = NEXT(forest, in, n6), n7 = NEXT(forest, in, n7); \
	} \
	do { \
		moved = 0; \
		STEP(n0, NEXT); \
		STEP(n1, NEXT); \
		STEP(n2, NEXT); \
		STEP(n3, NEXT); \
		STEP(n4, NEXT); \
		STEP(n5, NEXT); \
		STEP(n6, NEXT); \
		STEP(n7, NEXT); \
	} while (moved != 0); \
	n[0] = n0, n[1] = n1, n[2] = n2, n[3] = n3; \
	n[4] = n4, n[5] = n5, n[6] = n6, n[7] = n7; \
}

DEFINE_WALK_EIGHT(walk_numbers, next_number)
DEFINE_WALK_EIGHT(walk_any, next_any)

static uint32_t
walk_one(const MlGbdtForest *forest, Inputs in, uint32_t n)
{
	for (;;)
	{
		uint32_t	next = forest->has_sets ? next_any(forest, in, n) : next_number(forest, in, n);

		if (next == n)
			return n;
		n = next;
	}
}

static void
add_trees(const MlGbdtForest *forest, Inputs in, double *score)
{
	uint32_t	t = 0;
	uint32_t	k = 0;
	uint32_t	outputs = (uint32_t) forest->n_outputs;

	for (; t + 8 <= forest->n_trees; t += 8)
	{
		uint32_t	n[8];

		for (uint32_t j = 0; j < 8; j++)
			n[j] = 2 * forest->first[t + j];
		if (!forest->has_sets)
			walk_numbers(forest, in, n, forest->first_steps[t / 8]);
		else
			walk_any(forest, in, n, forest->first_steps[t / 8]);
		for (int j = 0; j < 8; j++)
		{
			score[k] += step_at(forest, n[j])->value;
			k = k + 1 == outputs ? 0 : k + 1;
		}
	}
	for (; t < forest->n_trees; t++)
	{
		score[k] += step_at(forest, walk_one(forest, in, 2 * forest->first[t]))->value;
		k = k + 1 == outputs ? 0 : k + 1;
	}
}

/* The same straight from the trees, for a forest of more slots than a step can name. */
static void
add_plain_trees(const MlGbdtForest *forest, const double *row, double *score)
{
	for (uint32_t t = 0; t < forest->n_trees; t++)
	{
		const MlGbdtNode *tree = forest->node + forest->first[t];
		const MlGbdtNode *node = tree;

		while (node->left != 0)
		{
			double		v = row[node->feature];
			bool		left = node->missing_left;

			if (v == v && !node->category)
				left = v <= node->value;
			else if (v == v)
				left = v >= 0 && v <= UINT16_MAX && ml_codes_have(forest->set + node->set_first, node->set_count, (uint32_t) v);
			node = tree + node->left + !left;
		}
		score[t % (uint32_t) forest->n_outputs] += node->value;
	}
}

/* From scores to what the model answers. */
static inline void
finish(const MlGbdtForest *forest, double *out)
{
	switch (forest->objective)
	{
		case ML_GBDT_POISSON:
		case ML_GBDT_GAMMA:
		case ML_GBDT_TWEEDIE:
			/* The greatest double is e^709.78. */
			out[0] = ml_exp(out[0] < 709 ? out[0] : 709);
			break;
		case ML_GBDT_CROSS_ENTROPY:
			out[0] = ml_sigmoid(out[0]);
			break;
		case ML_GBDT_LOGISTIC:
			out[1] = ml_sigmoid(out[0]);
			out[0] = 1 - out[1];
			break;
		case ML_GBDT_SOFTMAX:
			ml_softmax(out, (size_t) forest->n_outputs);
			break;
		default:
			out[0] *= forest->scale;
			out[0] = out[0] > DBL_MAX ? DBL_MAX : (out[0] < -DBL_MAX ? -DBL_MAX : out[0]);
	}
}

void
ml_gbdt_predict(const void *model, const double *x, double *out, void *scratch)
{
	const MlGbdtForest *forest = model;

	for (int32_t k = 0; k < forest->n_outputs; k++)
		out[k] = forest->base[k];
	if (forest->plain)
		add_plain_trees(forest, x, out);
	else if (forest->masks != NULL && ml_simd_tier() == ML_TIER_AVX512)
		ml_gbdt_masks_add(forest, x, out);
	else
		add_trees(forest, prepare_inputs(forest, x, scratch), out);
	finish(forest, out);
}

bool
ml_gbdt_predict_batch(const void *model, const double *x, size_t n, double *out, void *scratch)
{
	const MlGbdtForest *forest = model;
	size_t		stride = forest->objective == ML_GBDT_LOGISTIC ? 2 : (size_t) forest->n_outputs;

	if (forest->blocks == NULL || !ml_gbdt_blocks_add(forest, x, n, out, stride, scratch))
		return false;
	for (size_t i = 0; i < n; i++)
		finish(forest, out + i * stride);
	return true;
}

size_t
ml_gbdt_scratch_size(const void *model)
{
	const MlGbdtForest *forest = model;
	size_t		numbers = (size_t) forest->n_number_slots + 1;
	size_t		codes = (size_t) forest->n_code_slots;

	size_t		walk = numbers * sizeof(double) + (numbers + codes) * sizeof(void *);
	size_t		blocks = forest->blocks != NULL ? ml_gbdt_blocks_scratch(forest) : 0;

	return walk > blocks ? walk : blocks;
}

double
ml_gbdt_predict_cost(const void *model)
{
	const MlGbdtForest *forest = model;
	double		per_tree = forest->plain ? 50 : (forest->has_sets ? 14 : 9);

	if (forest->masks != NULL && ml_simd_tier() == ML_TIER_AVX512)
		return ml_gbdt_masks_cost(forest->masks);
	/* The planner asks for the sake of many rows, for which the forest will be hastened. */
	if (!forest->hastened && ml_simd_tier() == ML_TIER_AVX512)
	{
		double		expected = ml_gbdt_masks_expected_cost(forest);

		if (expected >= 0)
			return expected;
	}
	return 20 + forest->n_number_slots + 2.0 * forest->n_code_slots + per_tree * forest->n_trees;
}
