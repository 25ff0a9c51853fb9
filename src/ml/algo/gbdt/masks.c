/*-------------------------------------------------------------------------
 * masks.c
 *	  One row through sixteen trees at once, without walking.
 *
 * After Lucchese et al., "QuickScorer" (2015): the leaves of a tree are numbered
 * from left to right and are bits of a word.  A split whose condition fails
 * (the row goes right) rules out the leaves of its left subtree; when all splits
 * have been asked, in any order, the first leaf left over is the one the row
 * reaches.  Here a vector holds one split of each of sixteen trees: their inputs
 * come out of registers by a permutation, one comparison decides them all, and
 * one masked AND rules out leaves.  There is no load that waits for another one.
 *
 * Inputs are compared as float32, which is exact in two ways: where all
 * thresholds of a feature are float32 numbers, a double rounded upwards to
 * float32 is above the same ones (the smallest float32 not below x is above a
 * float32 t if and only if x is); any other feature is replaced by its rank
 * among its thresholds.  What the splits on a category rule out together depends
 * on nothing but its code, so there is a table for it, by code and tree.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/algo/gbdt/engine.h"
#include "ml/base/arena.h"

#ifdef ML_SIMD_X86
#include <immintrin.h>
#endif

#define LANES 16
#define MAX_INPUTS 64
#define MAX_LEAVES 64
#define MAX_CODES 64

/* Tables of categories take at most this much; beyond it trees are walked. */
#define CODE_BYTES ((size_t) 4 * 1024 * 1024)

typedef struct Ranked
{
	int32_t		feature;
	uint32_t	input;
	uint32_t	count;
	const double *value;
} Ranked;

struct MlGbdtMasks
{
	int32_t		n_inputs;
	int32_t		feature[MAX_INPUTS];	/* by input; 0 beyond n_inputs */
	bool		in_order;		/* input i is feature i, and there is no other feature */
	int32_t		n_ranked;
	Ranked		ranked[MAX_INPUTS];

	bool		wide;			/* words of 64 bits, else 32 */
	uint32_t	groups;			/* of sixteen trees */
	uint32_t   *first;			/* groups + 1: first step of each */
	float	   *threshold;		/* by step and lane */
	uint8_t    *input;
	void	   *word;			/* what is left when the condition fails */
	uint16_t   *missing_left;	/* by step: lanes */
	void	  **code_word;		/* by code slot: rows x groups x lanes */
	uint32_t   *first_leaf;		/* by tree */
	double	   *value;
};

/* ------------------------------------------------------------------------
 * Making them
 * ------------------------------------------------------------------------
 */

static uint32_t
tree_nodes(const MlGbdtForest *forest, uint32_t t)
{
	return (t + 1 < forest->n_trees ? forest->first[t + 1] : forest->n_nodes) - forest->first[t];
}

/* Inputs in the order of features.  False: too many. */
static bool
choose_inputs(const MlGbdtForest *forest, const MlGbdtThresholds *thresholds, MlGbdtMasks *m, int8_t *input_of)
{
	m->in_order = forest->n_features <= MAX_INPUTS;
	for (int32_t f = 0; f < forest->n_features; f++)
	{
		if (thresholds->count[f] == 0 && !m->in_order)
			continue;
		if (m->n_inputs == MAX_INPUTS)
			return false;
		if (thresholds->count[f] > 0 && !thresholds->single[f])
			m->ranked[m->n_ranked++] = (Ranked) {f, (uint32_t) m->n_inputs, thresholds->count[f], thresholds->value[f]};
		m->feature[m->n_inputs] = f;
		input_of[f] = (int8_t) m->n_inputs++;
	}
	return true;
}

/* One tree while its steps are made: which leaves each node has. */
typedef struct Leaves
{
	uint8_t		first[2 * MAX_LEAVES];
	uint8_t		count[2 * MAX_LEAVES];
} Leaves;

static void
number_leaves(const MlGbdtNode *node, uint32_t n, Leaves *leaves)
{
	for (uint32_t i = n; i-- > 0;)
		leaves->count[i] = node[i].left == 0 ? 1 :
			(uint8_t) (leaves->count[node[i].left] + leaves->count[node[i].left + 1]);
	leaves->first[0] = 0;
	for (uint32_t i = 0; i < n; i++)
	{
		if (node[i].left == 0)
			continue;
		leaves->first[node[i].left] = leaves->first[i];
		leaves->first[node[i].left + 1] = (uint8_t) (leaves->first[i] + leaves->count[node[i].left]);
	}
}

/* The leaves of a node as bits, the first one highest. */
static uint64_t
leaf_bits(const Leaves *leaves, uint32_t i)
{
	uint64_t	ones = leaves->count[i] == 64 ? ~UINT64_C(0) : ~(~UINT64_C(0) >> leaves->count[i]);

	return ones >> leaves->first[i];
}

static void
put_word(const MlGbdtMasks *m, void *words, size_t at, uint64_t word)
{
	if (m->wide)
		((uint64_t *) words)[at] = word;
	else
		((uint32_t *) words)[at] = (uint32_t) (word >> 32);
}

static void
make_number_steps(const MlGbdtForest *forest, const MlGbdtThresholds *thresholds, MlGbdtMasks *m,
				  uint32_t tree, const Leaves *leaves, const int8_t *input_of)
{
	const MlGbdtNode *node = forest->node + forest->first[tree];
	uint32_t	n = tree_nodes(forest, tree);
	uint32_t	step = m->first[tree / LANES];
	uint32_t	lane = tree % LANES;

	for (uint32_t i = 0; i < n; i++)
	{
		size_t		at = (size_t) step * LANES + lane;
		int32_t		f = node[i].feature;

		if (node[i].left == 0 || node[i].category)
			continue;
		m->input[at] = (uint8_t) input_of[f];
		m->threshold[at] = (float) (thresholds->single[f] ? node[i].value :
									ml_gbdt_rank(thresholds->value[f], thresholds->count[f], node[i].value));
		m->missing_left[step] |= (uint16_t) (node[i].missing_left << lane);
		put_word(m, m->word, at, ~leaf_bits(leaves, node[i].left));
		step++;
	}
}

/* Whether the split sends the categories of this row (prepare.c) to the right. */
static bool
set_sends_right(const MlGbdtForest *forest, uint32_t node, uint32_t row)
{
	uint32_t	input = forest->step[node].input;
	uint32_t	set = (input >> ML_GBDT_SLOT_BITS) & (ML_GBDT_MAX_SETS - 1);
	const MlGbdtCodeSlot *slot = &forest->code_slot[(input & (ML_GBDT_MAX_SLOTS - 1)) - (uint32_t) forest->n_number_slots - 1];

	return (slot->bits[(size_t) row * slot->words + set / 64] >> (set % 64) & 1) != 0;
}

/* What the splits of a tree on one category leave to the categories of a row. */
static void
put_code_word(const MlGbdtForest *forest, MlGbdtMasks *m, uint32_t slot, uint32_t tree, const Leaves *leaves, uint32_t row)
{
	const MlGbdtNode *node = forest->node + forest->first[tree];
	uint32_t	n = tree_nodes(forest, tree);
	uint64_t	word = ~UINT64_C(0);

	for (uint32_t i = 0; i < n; i++)
		if (node[i].left != 0 && node[i].category && node[i].feature == forest->code_slot[slot].feature &&
			set_sends_right(forest, forest->first[tree] + i, row))
			word &= ~leaf_bits(leaves, node[i].left);
	put_word(m, m->code_word[slot], (size_t) row * m->groups * LANES + tree, word);
}

/* Row 0 is that of categories in no set; copied first to all, then rows in a set of the tree are made anew. */
static void
make_code_words(const MlGbdtForest *forest, MlGbdtMasks *m, const Leaves *leaves)
{
	size_t		row_bytes = (size_t) m->groups * LANES * (m->wide ? sizeof(uint64_t) : sizeof(uint32_t));

	for (uint32_t s = 0; s < (uint32_t) forest->n_code_slots; s++)
	{
		const MlGbdtCodeSlot *slot = &forest->code_slot[s];

		memset(m->code_word[s], 0xFF, row_bytes);
		for (uint32_t t = 0; t < forest->n_trees; t++)
			put_code_word(forest, m, s, t, &leaves[t], 0);
		for (uint32_t r = 1; r < slot->rows; r++)
			memcpy((char *) m->code_word[s] + r * row_bytes, m->code_word[s], row_bytes);
		for (uint32_t t = 0; t < forest->n_trees; t++)
		{
			const MlGbdtNode *node = forest->node + forest->first[t];
			uint32_t	n = tree_nodes(forest, t);

			put_code_word(forest, m, s, t, &leaves[t], 1);
			for (uint32_t i = 0; i < n; i++)
				if (node[i].left != 0 && node[i].category && node[i].feature == slot->feature)
					for (uint32_t c = 0; c < node[i].set_count; c++)
						put_code_word(forest, m, s, t, &leaves[t], slot->row[forest->set[node[i].set_first + c] + 2]);
		}
	}
}

/* False: their tables would be too large. */
static bool
codes_fit(const MlGbdtForest *forest, const MlGbdtMasks *m)
{
	size_t		rows = 0;

	for (int32_t s = 0; s < forest->n_code_slots; s++)
		rows += forest->code_slot[s].rows;
	return rows <= CODE_BYTES / ((size_t) m->groups * LANES * (m->wide ? sizeof(uint64_t) : sizeof(uint32_t)));
}

/* Steps by group: as many as its tree of most splits on numbers has.  False: a tree of too many leaves. */
static bool
count_steps(const MlGbdtForest *forest, MlGbdtMasks *m)
{
	memset(m->first, 0, sizeof(uint32_t) * ((size_t) m->groups + 1));
	for (uint32_t t = 0; t < forest->n_trees; t++)
	{
		const MlGbdtNode *node = forest->node + forest->first[t];
		uint32_t	n = tree_nodes(forest, t);
		uint32_t	splits = 0;

		if (n > 2 * MAX_LEAVES - 1)
			return false;
		m->wide |= n > 63;
		for (uint32_t i = 0; i < n; i++)
			splits += node[i].left != 0 && !node[i].category;
		if (splits > m->first[t / LANES + 1])
			m->first[t / LANES + 1] = splits;
	}
	for (uint32_t g = 0; g < m->groups; g++)
		m->first[g + 1] += m->first[g];
	return true;
}

static MlStatus
allocate(MlEnv *env, const MlGbdtForest *forest, MlGbdtMasks *m)
{
	size_t		steps = m->first[m->groups];
	size_t		word = m->wide ? sizeof(uint64_t) : sizeof(uint32_t);

	m->threshold = ml_alloc(env, steps * LANES + 1, sizeof(float));
	m->input = ml_alloc0(env, steps * LANES + 1, sizeof(uint8_t));
	m->missing_left = ml_alloc0(env, steps + 1, sizeof(uint16_t));
	m->word = ml_alloc(env, steps * LANES + 1, word);
	m->first_leaf = ml_alloc0(env, (size_t) m->groups * LANES + 1, sizeof(uint32_t));
	m->value = ml_alloc(env, ((size_t) forest->n_nodes + forest->n_trees) / 2 + 1, sizeof(double));
	m->code_word = ml_alloc0(env, (size_t) forest->n_code_slots + 1, sizeof(void *));
	if (!m->threshold || !m->input || !m->missing_left || !m->word || !m->first_leaf || !m->value || !m->code_word)
		return env->error.status;
	for (int32_t s = 0; s < forest->n_code_slots; s++)
	{
		m->code_word[s] = ml_alloc(env, (size_t) forest->code_slot[s].rows * m->groups * LANES, word);
		if (m->code_word[s] == NULL)
			return env->error.status;
	}
	/* A lane without a split rules nothing out. */
	for (size_t i = 0; i < steps * LANES; i++)
		m->threshold[i] = INFINITY;
	memset(m->word, 0xFF, steps * LANES * word);
	return ML_OK;
}

static void
put_leaves(const MlGbdtForest *forest, MlGbdtMasks *m, uint32_t tree, const Leaves *leaves)
{
	const MlGbdtNode *node = forest->node + forest->first[tree];
	uint32_t	n = tree_nodes(forest, tree);

	m->first_leaf[tree] = (forest->first[tree] + tree) / 2;	/* a tree of n nodes has (n + 1) / 2 leaves */
	for (uint32_t i = 0; i < n; i++)
		if (node[i].left == 0)
			m->value[m->first_leaf[tree] + leaves->first[i]] = node[i].value;
}

MlStatus
ml_gbdt_masks_make(MlEnv *env, const MlGbdtForest *forest, const MlGbdtThresholds *thresholds, MlGbdtMasks **result)
{
	MlGbdtMasks *m;
	int8_t	   *input_of;
	Leaves	   *leaves;

	*result = NULL;
	if (ml_simd_processor() < ML_TIER_AVX512 || forest->plain || forest->n_trees == 0 ||
		forest->n_code_slots > MAX_CODES ||
		thresholds->n_features != forest->n_features)
		return ML_OK;
	m = ml_alloc0(env, 1, sizeof(MlGbdtMasks));
	input_of = ml_alloc0(env, (size_t) forest->n_features + 1, sizeof(int8_t));
	if (!m || !input_of)
		return env->error.status;
	m->groups = (forest->n_trees + LANES - 1) / LANES;
	m->first = ml_alloc(env, (size_t) m->groups + 1, sizeof(uint32_t));
	if (m->first == NULL)
		return env->error.status;
	if (!choose_inputs(forest, thresholds, m, input_of) || !count_steps(forest, m) || !codes_fit(forest, m))
		return ML_OK;
	leaves = ml_alloc(env, forest->n_trees, sizeof(Leaves));
	if (leaves == NULL)
		return env->error.status;
	ML_TRY(allocate(env, forest, m));
	for (uint32_t t = 0; t < forest->n_trees; t++)
	{
		number_leaves(forest->node + forest->first[t], tree_nodes(forest, t), &leaves[t]);
		make_number_steps(forest, thresholds, m, t, &leaves[t], input_of);
		put_leaves(forest, m, t, &leaves[t]);
	}
	make_code_words(forest, m, leaves);
	ml_release(env, leaves);
	*result = m;
	return ML_OK;
}

/* ------------------------------------------------------------------------
 * Using them
 * ------------------------------------------------------------------------
 */

double
ml_gbdt_masks_cost(const MlGbdtMasks *masks)
{
	return 20 + masks->n_inputs + 4.0 * masks->n_ranked + masks->first[masks->groups] * (masks->wide ? 1.2 : 0.8) + 16.0 * masks->groups;
}

double
ml_gbdt_masks_expected_cost(const MlGbdtForest *forest)
{
	uint32_t	groups = (forest->n_trees + LANES - 1) / LANES;
	uint32_t	steps = 0;
	bool		wide = false;

	if (forest->plain || forest->n_features > MAX_INPUTS || forest->n_code_slots > MAX_CODES)
		return -1;
	for (uint32_t g = 0; g < groups; g++)
	{
		uint32_t	most = 1;

		for (uint32_t t = g * LANES; t < forest->n_trees && t < (g + 1) * LANES; t++)
		{
			uint32_t	n = tree_nodes(forest, t);

			most = n > most ? n : most;
		}
		if (most > 2 * MAX_LEAVES - 1)
			return -1;
		wide |= most > 63;
		steps += most / 2;
	}
	return 20 + forest->n_features + steps * (wide ? 1.2 : 0.8) + 16.0 * groups;
}

#ifdef ML_SIMD_X86

#define INLINE static inline __attribute__((always_inline)) ML_TARGET_AVX512

/* Eight inputs, rounded upwards. */
INLINE __m256
load_eight(const MlGbdtMasks *m, const double *row, int32_t i, __mmask8 *missing)
{
	__mmask8	there = m->n_inputs - i >= 8 ? 0xFF : (__mmask8) ((1 << (m->n_inputs - i)) - 1);
	__m512d		v;

	if (m->in_order)
		v = _mm512_maskz_loadu_pd(there, row + i);
	else
		v = _mm512_mask_i32gather_pd(_mm512_setzero_pd(), there,
									 _mm256_loadu_si256((const __m256i *) (m->feature + i)), row, sizeof(double));
	*missing |= _mm512_cmp_pd_mask(v, v, _CMP_UNORD_Q);
	return _mm512_cvt_roundpd_ps(v, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
}

/* Fills 64 inputs; the answer: whether one of them is missing.  Stores are as wide as the loads that follow. */
INLINE bool
load_inputs(const MlGbdtMasks *m, const double *row, float *x)
{
	__mmask8	missing = 0;

	for (int32_t i = 0; i < MAX_INPUTS; i += LANES)
	{
		__m256		low = i < m->n_inputs ? load_eight(m, row, i, &missing) : _mm256_setzero_ps();
		__m256		high = i + 8 < m->n_inputs ? load_eight(m, row, i + 8, &missing) : _mm256_setzero_ps();

		_mm512_store_ps(x + i, _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1));
	}
	for (int32_t i = 0; i < m->n_ranked; i++)
	{
		const Ranked *r = &m->ranked[i];
		double		v = row[r->feature];

		if (v == v)
			x[r->input] = (float) ml_gbdt_rank(r->value, r->count, v);
	}
	return missing != 0;
}

/* The inputs that a step asks: out of two registers, or out of four. */
INLINE __m512
look_up(const __m512 *x, bool many, __m512i index)
{
	__m512		low = _mm512_permutex2var_ps(x[0], index, x[1]);

	if (!many)
		return low;
	return _mm512_mask_mov_ps(low, _mm512_test_epi32_mask(index, _mm512_set1_epi32(32)),
							  _mm512_permutex2var_ps(x[2], index, x[3]));
}

/* The lanes whose trees go right in a step. */
INLINE __mmask16
goes_right(const MlGbdtMasks *m, const __m512 *x, bool many, bool missing, uint32_t step)
{
	__m512i		index = _mm512_cvtepu8_epi32(_mm_load_si128((const __m128i *) (m->input + (size_t) step * LANES)));
	__m512		v = look_up(x, many, index);
	__m512		t = _mm512_load_ps(m->threshold + (size_t) step * LANES);

	if (!missing)
		return _mm512_cmp_ps_mask(v, t, _CMP_GT_OQ);
	/* Missing is not below or equal, so it goes right; unless it is to go left. */
	return _mm512_cmp_ps_mask(v, t, _CMP_NLE_UQ) &
		(__mmask16) ~(_mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q) & m->missing_left[step]);
}

/* The numbers of the leaves that sixteen trees reach. */
INLINE void
group_leaves(const MlGbdtMasks *m, const __m512 *x, bool many, bool missing, bool wide,
			 const uint32_t *row_of_code, int32_t n_codes, uint32_t group, uint32_t *leaf)
{
	__m512i		left = _mm512_set1_epi32(-1);
	__m512i		left2 = left;	/* wide: lanes 8 .. 15 */
	uint32_t	end = m->first[group + 1];

	for (int32_t s = 0; s < n_codes; s++)
	{
		size_t		at = ((size_t) row_of_code[s] * m->groups + group) * LANES;

		if (!wide)
			left = _mm512_and_si512(left, _mm512_load_si512((const uint32_t *) m->code_word[s] + at));
		else
		{
			left = _mm512_and_si512(left, _mm512_load_si512((const uint64_t *) m->code_word[s] + at));
			left2 = _mm512_and_si512(left2, _mm512_load_si512((const uint64_t *) m->code_word[s] + at + 8));
		}
	}
	for (uint32_t i = m->first[group]; i < end; i++)
	{
		__mmask16	right = goes_right(m, x, many, missing, i);

		if (!wide)
			left = _mm512_mask_and_epi32(left, right, left, _mm512_load_si512((const uint32_t *) m->word + (size_t) i * LANES));
		else
		{
			const uint64_t *word = (const uint64_t *) m->word + (size_t) i * LANES;

			left = _mm512_mask_and_epi64(left, (__mmask8) right, left, _mm512_load_si512(word));
			left2 = _mm512_mask_and_epi64(left2, (__mmask8) (right >> 8), left2, _mm512_load_si512(word + 8));
		}
	}
	if (!wide)
		left = _mm512_lzcnt_epi32(left);
	else
		left = _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi64_epi32(_mm512_lzcnt_epi64(left))),
								  _mm512_cvtepi64_epi32(_mm512_lzcnt_epi64(left2)), 1);
	left = _mm512_add_epi32(left, _mm512_load_si512(m->first_leaf + (size_t) group * LANES));
	_mm512_store_si512(leaf, left);
	/* Read back from memory: taken out of the register one by one they would be slower. */
	__asm__ volatile ("":"+m"(*(uint32_t (*)[LANES]) leaf));
}

INLINE void
add_groups(const MlGbdtForest *forest, const float *inputs, bool many, bool missing, bool wide,
		   const uint32_t *row_of_code, double *score)
{
	const MlGbdtMasks *m = forest->masks;
	const double *value = m->value;
	__m512		x[4];
	uint32_t	leaf[LANES] __attribute__((aligned(64)));
	uint32_t	outputs = (uint32_t) forest->n_outputs;
	uint32_t	k = 0;

	for (int i = 0; i < (many ? 4 : 2); i++)
		x[i] = _mm512_load_ps(inputs + i * LANES);
	for (uint32_t g = 0; g < m->groups; g++)
	{
		uint32_t	n = forest->n_trees - g * LANES;

		group_leaves(m, x, many, missing, wide, row_of_code, forest->n_code_slots, g, leaf);
		if (n >= LANES && outputs == 1)
		{
			double		s = score[0];

			for (int j = 0; j < LANES; j++)
				s += value[leaf[j]];
			score[0] = s;
			continue;
		}
		for (uint32_t j = 0; j < n && j < LANES; j++)
		{
			score[k] += value[leaf[j]];
			k = k + 1 == outputs ? 0 : k + 1;
		}
	}
}

/* All kinds of forests and rows, each with a loop of its own. */
ML_TARGET_AVX512 void
ml_gbdt_masks_add(const MlGbdtForest *forest, const double *row, double *score)
{
	const MlGbdtMasks *m = forest->masks;
	float		x[MAX_INPUTS] __attribute__((aligned(64)));
	uint32_t	row_of_code[MAX_CODES];
	bool		missing;

	missing = load_inputs(m, row, x);
	for (int32_t s = 0; s < forest->n_code_slots; s++)
	{
		const MlGbdtCodeSlot *slot = &forest->code_slot[s];

		row_of_code[s] = slot->row[ml_gbdt_code(row[slot->feature], slot->levels)];
	}
	switch ((m->wide ? 4 : 0) + (m->n_inputs > 32 ? 2 : 0) + missing)
	{
		case 0:
			add_groups(forest, x, false, false, false, row_of_code, score);
			break;
		case 1:
			add_groups(forest, x, false, true, false, row_of_code, score);
			break;
		case 2:
			add_groups(forest, x, true, false, false, row_of_code, score);
			break;
		case 3:
			add_groups(forest, x, true, true, false, row_of_code, score);
			break;
		case 4:
			add_groups(forest, x, false, false, true, row_of_code, score);
			break;
		case 5:
			add_groups(forest, x, false, true, true, row_of_code, score);
			break;
		case 6:
			add_groups(forest, x, true, false, true, row_of_code, score);
			break;
		case 7:
			add_groups(forest, x, true, true, true, row_of_code, score);
			break;
	}
}

#else

void
ml_gbdt_masks_add(const MlGbdtForest *forest, const double *row, double *score)
{
}

#endif
