/*-------------------------------------------------------------------------
 * blocks.c
 *	  Up to 64 rows through a forest, one bit a row.
 *
 * Each number is replaced by its rank among its thresholds, a byte in most
 * forests, once for all trees.  Then one instruction decides a split for 64 rows,
 * and the rows that are at a node are the bits of a word: the rows at its
 * parent AND the decision.  A tree is done when each leaf has written its number into
 * the bytes of its rows.  Nothing depends on how deep a row goes.
 *
 * The splits on categories look up a table of bits, one for each category that is
 * in some set, by byte permutations.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/algo/gbdt/blocks_internal.h"
#include "ml/base/arena.h"

static size_t
up(size_t bytes)
{
	return (bytes + 63) & ~(size_t) 63;
}

static size_t
lay_out(const MlGbdtForest *forest, const MlGbdtBlocks *b, char *scratch, MlGbdtBlockRoom *room)
{
	size_t		rank = 0;
	size_t		keep = rank + up(ROWS * (size_t) (2 * b->n_inputs - b->n_narrow));
	size_t		code = keep + up(2 * sizeof(uint64_t) * (size_t) b->n_inputs);
	size_t		score = code + up(CODE_ROOM * (size_t) forest->n_code_slots);
	size_t		at = score + up(ROWS * sizeof(double) * (size_t) forest->n_outputs);

	if (scratch != NULL)
		*room = (MlGbdtBlockRoom) {
			.rank = (uint8_t *) scratch, .keep = (uint64_t *) (scratch + keep), .code = (uint8_t *) (scratch + code),
			.score = (double *) (scratch + score), .at = (uint64_t *) (scratch + at)
		};
	return at + MAX_NODES * sizeof(uint64_t);
}

size_t
ml_gbdt_blocks_scratch(const MlGbdtForest *forest)
{
	return lay_out(forest, forest->blocks, NULL, NULL);
}

/* ------------------------------------------------------------------------
 * Making them
 * ------------------------------------------------------------------------
 */

static uint32_t
tree_nodes(const MlGbdtForest *forest, uint32_t t)
{
	return (t + 1 < forest->n_trees ? forest->first[t + 1] : forest->n_nodes) - forest->first[t];
}

static bool
suits(const MlGbdtForest *forest, const MlGbdtThresholds *thresholds)
{
	size_t		bytes = 0;
	int32_t		inputs = 0;

	for (int32_t f = 0; f < forest->n_features; f++)
	{
		inputs += thresholds->count[f] > 0;
		if (thresholds->count[f] > UINT16_MAX)
			return false;
	}
	for (int32_t s = 0; s < forest->n_code_slots; s++)
	{
		const MlGbdtCodeSlot *slot = &forest->code_slot[s];

		if (slot->rows > MAX_CHUNKS * CODE_CHUNK)
			return false;
		bytes += (size_t) slot->sets * ((slot->rows + CODE_CHUNK - 1) / CODE_CHUNK) * (CODE_CHUNK / 8);
	}
	for (uint32_t t = 0; t < forest->n_trees; t++)
		if (tree_nodes(forest, t) >= MAX_NODES)
			return false;
	return inputs <= MAX_INPUTS && forest->n_code_slots < CODE_SPLIT && bytes <= BITS_BYTES;
}

static float
round_down(double t)
{
	float		f = t > 3.4028234663852886e38 ? 3.4028234663852886e38f : (float) t;

	return f > t ? nextafterf(f, -INFINITY) : f;
}

/* The i-th entry of level k is the middle one of what the search still holds when it comes there. */
static MlStatus
make_table(MlEnv *env, MlGbdtBlockInput *in)
{
	for (in->levels = 1; (1u << in->levels) <= in->count;)
		in->levels++;
	in->table = ml_alloc0(env, (size_t) 1 << (in->levels < 5 ? 5 : in->levels), sizeof(float));
	if (in->table == NULL)
		return env->error.status;
	for (int k = 0; k < in->levels; k++)
		for (uint32_t i = 0; i < 1u << k; i++)
		{
			uint32_t	rank = ((2 * i + 1) << (in->levels - 1 - k)) - 1;

			in->table[(1u << k) + i] = rank < in->count ? round_down(in->value[rank]) : INFINITY;
		}
	return ML_OK;
}

/* input_of: by feature. */
static MlStatus
make_inputs(MlEnv *env, const MlGbdtThresholds *thresholds, MlGbdtBlocks *b, uint16_t *input_of)
{
	b->input = ml_alloc0(env, (size_t) thresholds->n_features + 1, sizeof(MlGbdtBlockInput));
	if (b->input == NULL)
		return env->error.status;
	for (int wide = 0; wide < 2; wide++)
	{
		for (int32_t f = 0; f < thresholds->n_features; f++)
		{
			MlGbdtBlockInput	   *in = &b->input[b->n_inputs];

			if (thresholds->count[f] == 0 || (thresholds->count[f] > MAX_NARROW) != wide)
				continue;
			input_of[f] = (uint16_t) b->n_inputs++;
			*in = (MlGbdtBlockInput) {.feature = f, .count = thresholds->count[f], .value = thresholds->value[f], .single = thresholds->single[f]};
			if (!wide)
				ML_TRY(make_table(env, in));
		}
		if (!wide)
			b->n_narrow = b->n_inputs;
	}
	return ML_OK;
}

static MlStatus
make_code_bits(MlEnv *env, const MlGbdtForest *forest, MlGbdtBlocks *b)
{
	b->code = ml_alloc0(env, (size_t) forest->n_code_slots + 1, sizeof(MlGbdtCodeBits));
	if (b->code == NULL)
		return env->error.status;
	for (int32_t s = 0; s < forest->n_code_slots; s++)
	{
		const MlGbdtCodeSlot *slot = &forest->code_slot[s];
		MlGbdtCodeBits   *code = &b->code[s];

		code->chunks = (slot->rows + CODE_CHUNK - 1) / CODE_CHUNK;
		code->bits = ml_alloc0(env, (size_t) slot->sets * code->chunks + 1, CODE_CHUNK / 8);
		if (code->bits == NULL)
			return env->error.status;
		for (uint32_t row = 0; row < slot->rows; row++)
			for (uint32_t set = 0; set < slot->sets; set++)
				if (slot->bits[(size_t) row * slot->words + set / 64] >> (set % 64) & 1)
					code->bits[(size_t) set * code->chunks * (CODE_CHUNK / 8) + row / 8] |= (uint8_t) (1 << row % 8);
	}
	return ML_OK;
}

static MlGbdtBlockSplit
make_split(const MlGbdtForest *forest, const MlGbdtThresholds *thresholds, const uint16_t *input_of, uint32_t tree, uint32_t i)
{
	const MlGbdtNode *node = &forest->node[forest->first[tree] + i];
	uint32_t	step = forest->step[forest->first[tree] + i].input;

	if (node->category)
		return (MlGbdtBlockSplit) {
			.input = (uint16_t) (CODE_SPLIT | ((step & (ML_GBDT_MAX_SLOTS - 1)) - (uint32_t) forest->n_number_slots - 1)),
			.node = (uint16_t) i, .what = step >> ML_GBDT_SLOT_BITS & (ML_GBDT_MAX_SETS - 1)
		};
	return (MlGbdtBlockSplit) {
		.input = (uint16_t) (2 * input_of[node->feature] + node->missing_left), .node = (uint16_t) i,
		.what = ml_gbdt_rank(thresholds->value[node->feature], thresholds->count[node->feature], node->value)
	};
}

static void
make_tree(const MlGbdtForest *forest, const MlGbdtThresholds *thresholds, MlGbdtBlocks *b, const uint16_t *input_of, uint32_t tree)
{
	const MlGbdtNode *node = forest->node + forest->first[tree];
	uint32_t	n = tree_nodes(forest, tree);
	uint32_t	split = b->first_split[tree];
	uint32_t	leaf = b->first_leaf[tree];

	for (uint32_t i = 0; i < n; i++)
	{
		if (node[i].left != 0)
			b->split[split++] = make_split(forest, thresholds, input_of, tree, i);
		else
		{
			b->leaf[leaf] = (uint16_t) i;
			b->value[leaf++] = node[i].value;
		}
	}
	b->first_split[tree + 1] = split;
	b->first_leaf[tree + 1] = leaf;
}

MlStatus
ml_gbdt_blocks_make(MlEnv *env, const MlGbdtForest *forest, const MlGbdtThresholds *thresholds, MlGbdtBlocks **result)
{
	MlGbdtBlocks *b;
	uint16_t   *input_of;
	size_t		splits;

	*result = NULL;
	if (ml_simd_processor() < ML_TIER_AVX2 || forest->plain || forest->n_trees == 0 ||
		!suits(forest, thresholds))
		return ML_OK;
	splits = (forest->n_nodes - forest->n_trees) / 2;
	b = ml_alloc0(env, 1, sizeof(MlGbdtBlocks));
	input_of = ml_alloc0(env, (size_t) forest->n_features + 1, sizeof(uint16_t));
	if (!b || !input_of)
		return env->error.status;
	b->vbmi = ml_simd_processor_vbmi();
	b->split = ml_alloc(env, splits + 1, sizeof(MlGbdtBlockSplit));
	b->first_split = ml_alloc0(env, (size_t) forest->n_trees + 1, sizeof(uint32_t));
	b->leaf = ml_alloc(env, splits + forest->n_trees, sizeof(uint16_t));
	b->value = ml_alloc0(env, splits + forest->n_trees + 32, sizeof(double));	/* read 32 at a time */
	b->first_leaf = ml_alloc0(env, (size_t) forest->n_trees + 1, sizeof(uint32_t));
	if (!b->split || !b->first_split || !b->leaf || !b->value || !b->first_leaf)
		return env->error.status;
	ML_TRY(make_inputs(env, thresholds, b, input_of));
	ML_TRY(make_code_bits(env, forest, b));
	for (uint32_t t = 0; t < forest->n_trees; t++)
		make_tree(forest, thresholds, b, input_of, t);
	*result = b;
	return ML_OK;
}

/* ------------------------------------------------------------------------
 * Using them
 * ------------------------------------------------------------------------
 */

/* Missing has the highest rank, so it goes right; "keep" takes it out where it is to go left. */
#define DEFINE_RANK(name, type) \
static void \
name(const MlGbdtBlockInput *in, const double *x, size_t n, type *rank, uint64_t *keep) \
{ \
	keep[0] = keep[1] = ~UINT64_C(0); \
	memset(rank, 0, ROWS * sizeof(type)); \
	for (size_t i = 0; i < n; i++) \
	{ \
		rank[i] = (type) ml_gbdt_rank(in->value, in->count, x[i]); \
		if (x[i] != x[i]) \
		{ \
			rank[i] = (type) -1; \
			keep[1] &= ~(UINT64_C(1) << i); \
		} \
	} \
}

DEFINE_RANK(rank_bytes, uint8_t)
DEFINE_RANK(rank_wide, uint16_t)

void
ml_gbdt_blocks_rank_wide(const MlGbdtBlocks *b, const double *x, size_t n, const MlGbdtBlockRoom *room)
{
	for (int32_t i = b->n_narrow; i < b->n_inputs; i++)
		rank_wide(&b->input[i], x + (size_t) b->input[i].feature * ROWS, n,
				  (uint16_t *) (room->rank + (size_t) (2 * i - b->n_narrow) * ROWS), room->keep + 2 * i);
}

void
ml_gbdt_blocks_rank_narrow(const MlGbdtBlocks *b, const double *x, size_t n, const MlGbdtBlockRoom *room)
{
	for (int32_t i = 0; i < b->n_narrow; i++)
		rank_bytes(&b->input[i], x + (size_t) b->input[i].feature * ROWS, n, room->rank + (size_t) i * ROWS, room->keep + 2 * i);
}

bool
ml_gbdt_blocks_add(const MlGbdtForest *forest, const double *x, size_t n, double *out, size_t stride, void *scratch)
{
	MlSimdTier	tier = ml_simd_tier();
	bool		best = tier == ML_TIER_AVX512 && forest->blocks->vbmi;
	uint32_t	outputs = (uint32_t) forest->n_outputs;
	MlGbdtBlockRoom		room = {0};

	if (tier == ML_TIER_BASELINE || (!best && forest->n_code_slots > 0))
		return false;
	lay_out(forest, forest->blocks, scratch, &room);
	for (uint32_t j = 0; j < outputs; j++)
		for (size_t i = 0; i < ROWS; i++)
			room.score[j * ROWS + i] = forest->base[j];
	if (best)
		ml_gbdt_blocks_avx512(forest, x, n, &room);
	else
		ml_gbdt_blocks_avx2(forest, x, n, &room);
	for (uint32_t j = 0; j < outputs; j++)
		for (size_t i = 0; i < n; i++)
			out[i * stride + j] = room.score[j * ROWS + i];
	return true;
}
