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

#include "ml/algo/gbdt/engine.h"
#include "ml/base/arena.h"

#ifdef ML_SIMD_X86
#include <immintrin.h>
#endif

#define ROWS ML_BATCH_ROWS
#define MAX_INPUTS 4096			/* ranks of a block stay in the second-level cache */
#define MAX_LEAVES 256			/* a leaf's number is a byte */
#define MAX_NODES (2 * MAX_LEAVES)
#define MAX_NARROW 255			/* thresholds of an input whose ranks are bytes */
#define CODE_CHUNK 512			/* categories by vector of bits */
#define MAX_CHUNKS 16
#define BITS_BYTES ((size_t) 16 * 1024 * 1024)
#define CODE_SPLIT 0x8000		/* MlGbdtBlockSplit.input: a code slot */

typedef struct Input
{
	int32_t		feature;
	int			levels;			/* of the search; 0 for wide ones */
	float	   *table;			/* 1 << levels: level k from 1 << k on; thresholds rounded down */
	uint32_t	count;
	const double *value;		/* thresholds */
	bool		single;			/* all of them are float32 */
} Input;

/* What a split asks, in the order of its tree's nodes: the k-th one leads to nodes 2k + 1 and 2k + 2. */
typedef struct Split
{
	uint16_t	input;			/* 2 * input + missing_left; or CODE_SPLIT | slot */
	uint16_t	node;
	uint32_t	what;			/* right when the rank is above this; or the number of the set in its slot */
} Split;

typedef struct CodeBits
{
	uint32_t	chunks;
	uint8_t    *bits;			/* by set: chunks vectors; 1: right */
} CodeBits;

struct MlGbdtBlocks
{
	int32_t		n_inputs;
	int32_t		n_narrow;		/* they come first */
	Input	   *input;
	CodeBits   *code;			/* by code slot */
	Split	   *split;
	uint32_t   *first_split;	/* by tree, and the end */
	uint16_t   *leaf;			/* nodes, by tree */
	double	   *value;			/* of leaves, by tree */
	uint32_t   *first_leaf;		/* by tree, and the end */
};

/* In scratch. */
typedef struct Room
{
	uint8_t    *rank;			/* narrow inputs x 64, then wide ones as uint16 */
	uint64_t   *keep;			/* by input: all rows, rows where it is not missing */
	uint8_t    *code;			/* by slot: which byte, which bit, then the rows of each chunk */
	double	   *score;			/* outputs x 64 */
	uint64_t   *at;				/* rows at each node */
} Room;

#define CODE_ROOM (2 * ROWS + MAX_CHUNKS * sizeof(uint64_t))

static size_t
up(size_t bytes)
{
	return (bytes + 63) & ~(size_t) 63;
}

static size_t
lay_out(const MlGbdtForest *forest, const MlGbdtBlocks *b, char *scratch, Room *room)
{
	size_t		rank = 0;
	size_t		keep = rank + up(ROWS * (size_t) (2 * b->n_inputs - b->n_narrow));
	size_t		code = keep + up(2 * sizeof(uint64_t) * (size_t) b->n_inputs);
	size_t		score = code + up(CODE_ROOM * (size_t) forest->n_code_slots);
	size_t		at = score + up(ROWS * sizeof(double) * (size_t) forest->n_outputs);

	if (scratch != NULL)
		*room = (Room) {
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
make_table(MlEnv *env, Input *in)
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
	b->input = ml_alloc0(env, (size_t) thresholds->n_features + 1, sizeof(Input));
	if (b->input == NULL)
		return env->error.status;
	for (int wide = 0; wide < 2; wide++)
	{
		for (int32_t f = 0; f < thresholds->n_features; f++)
		{
			Input	   *in = &b->input[b->n_inputs];

			if (thresholds->count[f] == 0 || (thresholds->count[f] > MAX_NARROW) != wide)
				continue;
			input_of[f] = (uint16_t) b->n_inputs++;
			*in = (Input) {.feature = f, .count = thresholds->count[f], .value = thresholds->value[f], .single = thresholds->single[f]};
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
	b->code = ml_alloc0(env, (size_t) forest->n_code_slots + 1, sizeof(CodeBits));
	if (b->code == NULL)
		return env->error.status;
	for (int32_t s = 0; s < forest->n_code_slots; s++)
	{
		const MlGbdtCodeSlot *slot = &forest->code_slot[s];
		CodeBits   *code = &b->code[s];

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

static Split
make_split(const MlGbdtForest *forest, const MlGbdtThresholds *thresholds, const uint16_t *input_of, uint32_t tree, uint32_t i)
{
	const MlGbdtNode *node = &forest->node[forest->first[tree] + i];
	uint32_t	step = forest->step[forest->first[tree] + i].input;

	if (node->category)
		return (Split) {
			.input = (uint16_t) (CODE_SPLIT | ((step & (ML_GBDT_MAX_SLOTS - 1)) - (uint32_t) forest->n_number_slots - 1)),
			.node = (uint16_t) i, .what = step >> ML_GBDT_SLOT_BITS & (ML_GBDT_MAX_SETS - 1)
		};
	return (Split) {
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
	if (ml_simd_processor() < ML_TIER_AVX512 || !ml_simd_processor_vbmi() || forest->plain || forest->n_trees == 0 ||
		!suits(forest, thresholds))
		return ML_OK;
	splits = (forest->n_nodes - forest->n_trees) / 2;
	b = ml_alloc0(env, 1, sizeof(MlGbdtBlocks));
	input_of = ml_alloc0(env, (size_t) forest->n_features + 1, sizeof(uint16_t));
	if (!b || !input_of)
		return env->error.status;
	b->split = ml_alloc(env, splits + 1, sizeof(Split));
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

#ifdef ML_SIMD_X86

#define INLINE static inline __attribute__((always_inline)) ML_TARGET_AVX512_VBMI

/* One level of the search below the fifth: the table is in 2^pairs pairs of registers, told apart by bits 5 .. of the place. */
INLINE __m512
table_entry(const float *level, int pairs, __m512i e)
{
	__m512		t = _mm512_permutex2var_ps(_mm512_load_ps(level), e, _mm512_load_ps(level + 16));

	for (int i = 1; i < pairs; i++)
	{
		__m512i		pair = _mm512_and_si512(_mm512_srli_epi32(e, 5), _mm512_set1_epi32(pairs - 1));
		__m512		other = _mm512_permutex2var_ps(_mm512_load_ps(level + 32 * i), e, _mm512_load_ps(level + 32 * i + 16));

		t = _mm512_mask_mov_ps(t, _mm512_cmpeq_epi32_mask(pair, _mm512_set1_epi32(i)), other);
	}
	return t;
}

INLINE __m512i
search_level(__m512i e, __m512 t, __m512 x)
{
	__mmask16	above = _mm512_cmp_ps_mask(t, x, _CMP_LT_OQ);

	e = _mm512_add_epi32(e, e);
	return _mm512_mask_add_epi32(e, above, e, _mm512_set1_epi32(1));
}

/* Sixteen ranks; those of thresholds that are no float32 may be too high. */
INLINE __m512i
search(const Input *in, __m512 x)
{
	__m512i		e = _mm512_set1_epi32(1);
	__m512		low = _mm512_load_ps(in->table);
	__m512		high = _mm512_load_ps(in->table + 16);

	for (int k = 0; k < in->levels && k < 5; k++)
		e = search_level(e, _mm512_permutex2var_ps(low, e, high), x);
	if (in->levels > 5)
		e = search_level(e, table_entry(in->table + 32, 1, e), x);
	if (in->levels > 6)
		e = search_level(e, table_entry(in->table + 64, 2, e), x);
	if (in->levels > 7)
		e = search_level(e, table_entry(in->table + 128, 4, e), x);
	return _mm512_sub_epi32(e, _mm512_set1_epi32(1 << in->levels));
}

/* Rounding made x look above thresholds between it and the next float32: very few, if any. */
INLINE __m256i
correct(const Input *in, __m512d x, __m256i rank)
{
	for (;;)
	{
		__mmask8	some = _mm256_cmpgt_epi32_mask(rank, _mm256_setzero_si256());
		__m256i		below = _mm256_sub_epi32(rank, _mm256_set1_epi32(1));
		__m512d		t = _mm512_mask_i32gather_pd(_mm512_setzero_pd(), some, below, in->value, sizeof(double));
		__mmask8	wrong = _mm512_mask_cmp_pd_mask(some, x, t, _CMP_LE_OQ);

		if (wrong == 0)
			return rank;
		rank = _mm256_mask_mov_epi32(rank, wrong, below);
	}
}

INLINE __m128i
rank_sixteen(const Input *in, const double *x, uint64_t *missing)
{
	__m512d		a = _mm512_loadu_pd(x);
	__m512d		b = _mm512_loadu_pd(x + 8);
	__m256		fa = _mm512_cvt_roundpd_ps(a, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
	__m256		fb = _mm512_cvt_roundpd_ps(b, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
	__m512i		rank = search(in, _mm512_insertf32x8(_mm512_castps256_ps512(fa), fb, 1));

	*missing = (uint64_t) _mm512_cmp_pd_mask(a, a, _CMP_UNORD_Q) | (uint64_t) _mm512_cmp_pd_mask(b, b, _CMP_UNORD_Q) << 8;
	if (!in->single)
		rank = _mm512_inserti64x4(_mm512_castsi256_si512(correct(in, a, _mm512_castsi512_si256(rank))),
								  correct(in, b, _mm512_extracti64x4_epi64(rank, 1)), 1);
	return _mm512_cvtepi32_epi8(rank);
}

/* Missing has the highest rank, so it goes right; "keep" takes it out where it is to go left. */
INLINE void
rank_narrow(const Input *in, const double *x, uint8_t *rank, uint64_t *keep)
{
	uint64_t	missing[4];
	__m512i		r = _mm512_castsi128_si512(rank_sixteen(in, x, &missing[0]));

	r = _mm512_inserti32x4(r, rank_sixteen(in, x + 16, &missing[1]), 1);
	r = _mm512_inserti32x4(r, rank_sixteen(in, x + 32, &missing[2]), 2);
	r = _mm512_inserti32x4(r, rank_sixteen(in, x + 48, &missing[3]), 3);
	missing[0] |= missing[1] << 16 | missing[2] << 32 | missing[3] << 48;
	_mm512_store_si512(rank, _mm512_mask_mov_epi8(r, missing[0], _mm512_set1_epi8(-1)));
	keep[0] = ~UINT64_C(0);
	keep[1] = ~missing[0];
}

static void
rank_wide(const Input *in, const double *x, size_t n, uint16_t *rank, uint64_t *keep)
{
	keep[0] = keep[1] = ~UINT64_C(0);
	memset(rank, 0, ROWS * sizeof(uint16_t));
	for (size_t i = 0; i < n; i++)
	{
		rank[i] = (uint16_t) ml_gbdt_rank(in->value, in->count, x[i]);
		if (x[i] != x[i])
		{
			rank[i] = UINT16_MAX;
			keep[1] &= ~(UINT64_C(1) << i);
		}
	}
}

static void
place_codes(const MlGbdtCodeSlot *slot, const double *x, size_t n, uint8_t *room)
{
	uint64_t   *chunk = (uint64_t *) (room + 2 * ROWS);

	memset(room, 0, CODE_ROOM);
	for (size_t i = 0; i < n; i++)
	{
		uint32_t	row = slot->row[ml_gbdt_code(x[i], slot->levels)];

		room[i] = (uint8_t) (row / 8 % 64);
		room[ROWS + i] = (uint8_t) (1 << row % 8);
		chunk[row / CODE_CHUNK] |= UINT64_C(1) << i;
	}
}

/* The rows that a split on a category sends right. */
INLINE uint64_t
code_right(const CodeBits *code, const uint8_t *room, uint32_t set)
{
	const uint64_t *chunk = (const uint64_t *) (room + 2 * ROWS);
	const uint8_t *bits = code->bits + (size_t) set * code->chunks * (CODE_CHUNK / 8);
	__m512i		place = _mm512_load_si512(room);
	__m512i		byte = _mm512_maskz_permutexvar_epi8(chunk[0], place, _mm512_load_si512(bits));

	for (uint32_t c = 1; c < code->chunks; c++)
		byte = _mm512_mask_permutexvar_epi8(byte, chunk[c], place, _mm512_load_si512(bits + c * (CODE_CHUNK / 8)));
	return _mm512_test_epi8_mask(byte, _mm512_load_si512(room + ROWS));
}

INLINE uint64_t
wide_right(const uint16_t *rank, uint32_t what)
{
	__m512i		limit = _mm512_set1_epi16((short) what);

	return (uint64_t) _mm512_cmpgt_epu16_mask(_mm512_load_si512(rank), limit) |
		(uint64_t) _mm512_cmpgt_epu16_mask(_mm512_load_si512(rank + 32), limit) << 32;
}

/* room->at for all nodes of a tree. */
INLINE void
spread_rows(const MlGbdtBlocks *b, const Room *room, uint32_t tree, bool plain, uint64_t rows)
{
	const Split *split = b->split + b->first_split[tree];
	uint32_t	n = b->first_split[tree + 1] - b->first_split[tree];
	uint64_t   *at = room->at;

	at[0] = rows;
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t	input = split[i].input / 2;
		uint64_t	here = at[split[i].node];
		uint64_t	right;

		if (plain || (input < (uint32_t) b->n_narrow))
			right = _mm512_cmpgt_epu8_mask(_mm512_load_si512(room->rank + input * ROWS),
										   _mm512_set1_epi8((char) split[i].what)) & room->keep[split[i].input];
		else if ((split[i].input & CODE_SPLIT) == 0)
			right = wide_right((const uint16_t *) (room->rank + (2 * input - (uint32_t) b->n_narrow) * ROWS), split[i].what) &
				room->keep[split[i].input];
		else
			right = code_right(&b->code[split[i].input & ~CODE_SPLIT], room->code + (split[i].input & ~CODE_SPLIT) * CODE_ROOM,
							   split[i].what);
		right &= here;
		at[2 * i + 1] = here ^ right;
		at[2 * i + 2] = right;
	}
}

/* Each row adds the value of its leaf. */
INLINE void
add_leaves(const MlGbdtBlocks *b, const Room *room, uint32_t tree, double *score)
{
	const uint16_t *leaf = b->leaf + b->first_leaf[tree];
	const double *value = b->value + b->first_leaf[tree];
	uint32_t	n = b->first_leaf[tree + 1] - b->first_leaf[tree];
	__m512i		id = _mm512_setzero_si512();
	__m512i		number = id;
	uint8_t		ids[ROWS] __attribute__((aligned(64)));
	__m512d		v[4];

	for (uint32_t i = 1; i < n; i++)
	{
		number = _mm512_add_epi8(number, _mm512_set1_epi8(1));
		id = _mm512_mask_mov_epi8(id, room->at[leaf[i]], number);
	}
	_mm512_store_si512(ids, id);
	if (n > 32)
	{
		for (int i = 0; i < ROWS; i += 8)
			_mm512_store_pd(score + i, _mm512_add_pd(_mm512_load_pd(score + i),
													 _mm512_i32gather_pd(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *) (ids + i))), value, sizeof(double))));
		return;
	}
	for (int i = 0; i < 4; i++)
		v[i] = _mm512_loadu_pd(value + 8 * i);
	for (int i = 0; i < ROWS; i += 8)
	{
		__m512i		place = _mm512_cvtepu8_epi64(_mm_loadl_epi64((const __m128i *) (ids + i)));
		__m512d		a = _mm512_permutex2var_pd(v[0], place, v[1]);

		if (n > 16)
			a = _mm512_mask_mov_pd(a, _mm512_test_epi64_mask(place, _mm512_set1_epi64(16)), _mm512_permutex2var_pd(v[2], place, v[3]));
		_mm512_store_pd(score + i, _mm512_add_pd(_mm512_load_pd(score + i), a));
	}
}

/* Ranks and codes of the block. */
INLINE void
encode_rows(const MlGbdtForest *forest, const MlGbdtBlocks *b, const double *x, size_t n, const Room *room)
{
	for (int32_t i = 0; i < b->n_narrow; i++)
		rank_narrow(&b->input[i], x + (size_t) b->input[i].feature * ROWS, room->rank + (size_t) i * ROWS, room->keep + 2 * i);
	for (int32_t i = b->n_narrow; i < b->n_inputs; i++)
		rank_wide(&b->input[i], x + (size_t) b->input[i].feature * ROWS, n,
				  (uint16_t *) (room->rank + (size_t) (2 * i - b->n_narrow) * ROWS), room->keep + 2 * i);
	for (int32_t s = 0; s < forest->n_code_slots; s++)
		place_codes(&forest->code_slot[s], x + (size_t) forest->code_slot[s].feature * ROWS, n, room->code + (size_t) s * CODE_ROOM);
}

ML_TARGET_AVX512_VBMI void
ml_gbdt_blocks_add(const MlGbdtForest *forest, const double *x, size_t n, double *out, size_t stride, void *scratch)
{
	const MlGbdtBlocks *b = forest->blocks;
	uint64_t	rows = n == ROWS ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1;
	bool		plain = b->n_inputs == b->n_narrow && forest->n_code_slots == 0;
	uint32_t	outputs = (uint32_t) forest->n_outputs;
	uint32_t	k = 0;
	Room		room = {0};

	lay_out(forest, b, scratch, &room);
	encode_rows(forest, b, x, n, &room);
	for (uint32_t j = 0; j < outputs; j++)
		for (size_t i = 0; i < ROWS; i++)
			room.score[j * ROWS + i] = forest->base[j];
	for (uint32_t t = 0; t < forest->n_trees; t++)
	{
		if (plain)
			spread_rows(b, &room, t, true, rows);
		else
			spread_rows(b, &room, t, false, rows);
		add_leaves(b, &room, t, room.score + k * ROWS);
		k = k + 1 == outputs ? 0 : k + 1;
	}
	for (uint32_t j = 0; j < outputs; j++)
		for (size_t i = 0; i < n; i++)
			out[i * stride + j] = room.score[j * ROWS + i];
}

#else

void
ml_gbdt_blocks_add(const MlGbdtForest *forest, const double *x, size_t n, double *out, size_t stride, void *scratch)
{
}

#endif
