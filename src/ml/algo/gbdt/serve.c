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
 * Missing values are settled before the walk: a slot is a feature together with
 * the side that missing values take, and holds -infinity or +infinity for them.
 * Codes move up by two: 0 is missing, 1 is a category that training did not see.
 *
 * Values are added in the order of the trees: the same bits everywhere.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "ml/algo/gbdt/forest.h"
#include "ml/base/arena.h"
#include "ml/base/elementary.h"

/* A set with a higher code than this is kept as a list: 32 words of bitmap are the most. */
#define MAX_SET_WORDS 32
#define CODE_MISSING 0
#define CODE_UNSEEN 1
#define CODE_FIRST 2

/* ---- making it ready ---- */

typedef struct Slots
{
	int32_t    *number[2];		/* by feature: slot of those whose missing values go right, left; 0: none yet */
	int32_t    *code;			/* by feature: slot + 1; 0: none yet */
} Slots;

static uint32_t
highest_code(const MlGbdtForest *forest, const MlGbdtNode *node)
{
	return node->set_count > 0 ? forest->set[node->set_first + node->set_count - 1] + CODE_FIRST : CODE_MISSING;
}

static uint32_t
set_words(const MlGbdtForest *forest, const MlGbdtNode *node)
{
	return highest_code(forest, node) / 64 + 1;
}

/* Numbers the inputs that some split needs, and counts what sets take. */
static MlStatus
number_slots(MlEnv *env, MlGbdtForest *forest, const MlSchema *schema, Slots *slots)
{
	uint64_t	words = 0;
	uint64_t	listed = 0;

	for (uint32_t i = 0; i < forest->n_nodes; i++)
	{
		const MlGbdtNode *node = &forest->node[i];

		if (node->left == 0)
			continue;
		if (!node->category)
		{
			int32_t    *slot = &slots->number[node->missing_left][node->feature];

			if (*slot == 0)
			{
				forest->number_slot[forest->n_number_slots] = (MlGbdtSlot) {
					.feature = node->feature, .missing = node->missing_left ? -INFINITY : INFINITY
				};
				*slot = ++forest->n_number_slots;
			}
			continue;
		}
		if (slots->code[node->feature] == 0)
		{
			forest->code_slot[forest->n_code_slots] = (MlGbdtSlot) {
				.feature = node->feature, .levels = schema->features[node->feature].levels
			};
			slots->code[node->feature] = ++forest->n_code_slots;
		}
		if (set_words(forest, node) > MAX_SET_WORDS)
			listed += node->set_count + 1;
		else
			words += set_words(forest, node) + 1;
	}
	if (words > UINT32_MAX || listed > UINT32_MAX)
		return ml_fail(env, ML_TOO_LARGE, "the splits on categories of the model take too much room");
	forest->bits = ml_alloc0(env, (size_t) words + 1, sizeof(uint64_t));
	forest->list = ml_alloc(env, (size_t) listed + 1, sizeof(uint16_t));
	return forest->bits && forest->list ? ML_OK : env->error.status;
}

static void
make_list(MlGbdtForest *forest, const MlGbdtNode *node, MlGbdtStep *step, uint32_t *used)
{
	step->slot |= ML_GBDT_STEP_LIST;
	step->set.first = *used;
	if (node->missing_left)
		forest->list[(*used)++] = CODE_MISSING;
	for (uint32_t i = 0; i < node->set_count; i++)
		forest->list[(*used)++] = (uint16_t) (forest->set[node->set_first + i] + CODE_FIRST);
	step->set.count = *used - step->set.first;
}

static void
make_bits(MlGbdtForest *forest, const MlGbdtNode *node, MlGbdtStep *step, uint32_t *used)
{
	uint64_t   *bits = forest->bits + *used;

	step->set.first = *used;
	step->set.count = set_words(forest, node);
	*used += step->set.count + 1;
	if (node->missing_left)
		bits[0] |= UINT64_C(1) << CODE_MISSING;
	for (uint32_t i = 0; i < node->set_count; i++)
	{
		uint32_t	code = forest->set[node->set_first + i] + CODE_FIRST;

		bits[code / 64] |= UINT64_C(1) << (code % 64);
	}
}

static void
make_steps(MlGbdtForest *forest, const Slots *slots)
{
	uint32_t	words = 0;
	uint32_t	listed = 0;

	for (uint32_t t = 0; t < forest->n_trees; t++)
	{
		uint32_t	begin = forest->first[t];
		uint32_t	end = t + 1 < forest->n_trees ? forest->first[t + 1] : forest->n_nodes;

		for (uint32_t i = begin; i < end; i++)
		{
			const MlGbdtNode *node = &forest->node[i];
			MlGbdtStep *step = &forest->step[i];

			*step = (MlGbdtStep) {.value = node->value, .slot = 0, .left = i};
			if (node->left == 0)
				continue;
			step->left = begin + node->left;
			if (!node->category)
			{
				step->slot = (uint32_t) slots->number[node->missing_left][node->feature];
				continue;
			}
			forest->has_sets = true;
			step->slot = (uint32_t) (slots->code[node->feature] - 1) | ML_GBDT_STEP_SET;
			if (set_words(forest, node) > MAX_SET_WORDS)
				make_list(forest, node, step, &listed);
			else
				make_bits(forest, node, step, &words);
		}
	}
}

MlStatus
ml_gbdt_forest_prepare(MlEnv *env, MlGbdtForest *forest, const MlSchema *schema)
{
	size_t		features = (size_t) forest->n_features;
	Slots		slots;

	slots.number[0] = ml_alloc0(env, features + 1, sizeof(int32_t));
	slots.number[1] = ml_alloc0(env, features + 1, sizeof(int32_t));
	slots.code = ml_alloc0(env, features + 1, sizeof(int32_t));
	forest->number_slot = ml_alloc(env, 2 * features + 1, sizeof(MlGbdtSlot));
	forest->code_slot = ml_alloc(env, features + 1, sizeof(MlGbdtSlot));
	forest->step = ml_alloc(env, (size_t) forest->n_nodes + 1, sizeof(MlGbdtStep));
	if (!slots.number[0] || !slots.number[1] || !slots.code || !forest->number_slot || !forest->code_slot || !forest->step)
		return env->error.status;
	ML_TRY(number_slots(env, forest, schema, &slots));
	make_steps(forest, &slots);
	return ML_OK;
}

/* ---- serving ---- */

/* Prepared inputs: x[0] is -infinity, which leaves compare; then number slots; codes behind. */
typedef struct Inputs
{
	const double *x;
	const uint32_t *code;
} Inputs;

static Inputs
prepare_inputs(const MlGbdtForest *forest, const double *row, void *scratch)
{
	double	   *x = scratch;
	uint32_t   *code = (uint32_t *) (x + 1 + forest->n_number_slots);

	x[0] = -INFINITY;
	for (int32_t s = 0; s < forest->n_number_slots; s++)
	{
		const MlGbdtSlot *slot = &forest->number_slot[s];
		double		v = row[slot->feature];

		x[s + 1] = v == v ? v : slot->missing;
	}
	for (int32_t s = 0; s < forest->n_code_slots; s++)
	{
		const MlGbdtSlot *slot = &forest->code_slot[s];
		double		v = row[slot->feature];

		if (v != v)
			code[s] = CODE_MISSING;
		else
			code[s] = v >= 0 && v < slot->levels ? (uint32_t) v + CODE_FIRST : CODE_UNSEEN;
	}
	code[forest->n_code_slots] = CODE_UNSEEN;	/* next_any() may look here, and take no notice */
	return (Inputs) {x, code};
}

static inline uint32_t
next_number(const MlGbdtStep *steps, uint32_t n, const double *x)
{
	const MlGbdtStep *s = &steps[n];

	return s->left + (x[s->slot] > s->value);
}

static bool
in_list(const uint16_t *list, uint32_t n, uint32_t code)
{
	uint32_t	low = 0;

	while (n > 0)
	{
		uint32_t	half = n / 2;

		if (list[low + half] < code)
		{
			low += half + 1;
			n -= half + 1;
		}
		else if (list[low + half] == code)
			return true;
		else
			n = half;
	}
	return false;
}

static inline uint32_t
next_any(const MlGbdtForest *forest, uint32_t n, Inputs in)
{
	const MlGbdtStep *s = &forest->step[n];
	bool		set = (s->slot & ML_GBDT_STEP_SET) != 0;
	uint32_t	slot = s->slot & ML_GBDT_STEP_SLOT;
	uint32_t	code;
	uint32_t	word;
	uint32_t	right_number;
	uint32_t	right_set;

	if (__builtin_expect((s->slot & ML_GBDT_STEP_LIST) != 0, 0))
		return s->left + !in_list(forest->list + s->set.first, s->set.count, in.code[slot]);

	/* Both ways are computed, on harmless places for the wrong one, and one is taken: no branch to mispredict. */
	right_number = in.x[set ? 0 : slot] > s->value;
	code = in.code[set ? slot : 0];
	word = code / 64;
	word = set ? (word < s->set.count ? word : s->set.count) + s->set.first : 0;
	right_set = !((forest->bits[word] >> (code % 64)) & 1);
	return s->left + (set ? right_set : right_number);
}

/* Walks eight trees at once; NEXT(n) is where node n leads. */
#define WALK_EIGHT(n, NEXT) \
	for (uint32_t moved = 1; moved != 0;) \
	{ \
		moved = 0; \
		for (int j = 0; j < 8; j++) \
		{ \
			uint32_t	next = NEXT((n)[j]); \
			moved |= next ^ (n)[j]; \
			(n)[j] = next; \
		} \
	}

#define NEXT_NUMBER(n) next_number(forest->step, (n), in.x)
#define NEXT_ANY(n) next_any(forest, (n), in)

static void
add_trees(const MlGbdtForest *forest, Inputs in, double *score)
{
	uint32_t	t = 0;
	uint32_t	k = 0;
	uint32_t	outputs = (uint32_t) forest->n_outputs;

	for (; t + 8 <= forest->n_trees; t += 8)
	{
		uint32_t	n[8];

		memcpy(n, forest->first + t, sizeof(n));
		if (forest->has_sets)
			WALK_EIGHT(n, NEXT_ANY)
		else
			WALK_EIGHT(n, NEXT_NUMBER)
		for (int j = 0; j < 8; j++)
		{
			score[k] += forest->step[n[j]].value;
			k = k + 1 == outputs ? 0 : k + 1;
		}
	}
	for (; t < forest->n_trees; t++)
	{
		uint32_t	n = forest->first[t];

		for (uint32_t next; (next = NEXT_ANY(n)) != n;)
			n = next;
		score[k] += forest->step[n].value;
		k = k + 1 == outputs ? 0 : k + 1;
	}
}

void
ml_gbdt_predict(const void *model, const double *x, double *out, void *scratch)
{
	const MlGbdtForest *forest = model;
	Inputs		in = prepare_inputs(forest, x, scratch);

	for (int32_t k = 0; k < forest->n_outputs; k++)
		out[k] = forest->base[k];
	add_trees(forest, in, out);
	switch (forest->objective)
	{
		case ML_GBDT_SQUARED:
		case ML_GBDT_ABSOLUTE:
			out[0] *= forest->scale;
			out[0] = out[0] > DBL_MAX ? DBL_MAX : (out[0] < -DBL_MAX ? -DBL_MAX : out[0]);
			break;
		case ML_GBDT_LOGISTIC:
			out[1] = ml_sigmoid(out[0]);
			out[0] = 1 - out[1];
			break;
		case ML_GBDT_SOFTMAX:
			ml_softmax(out, (size_t) forest->n_outputs);
			break;
	}
}

size_t
ml_gbdt_scratch_size(const void *model)
{
	const MlGbdtForest *forest = model;

	/* One code more than slots: next_any() looks at code[0] in any case. */
	return ((size_t) forest->n_number_slots + 1) * sizeof(double) + ((size_t) forest->n_code_slots + 1) * sizeof(uint32_t);
}

double
ml_gbdt_predict_cost(const void *model)
{
	const MlGbdtForest *forest = model;

	return 20.0 + forest->n_number_slots + 2.0 * forest->n_code_slots + (forest->has_sets ? 16.0 : 9.0) * forest->n_trees;
}
