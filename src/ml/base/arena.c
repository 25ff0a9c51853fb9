/*-------------------------------------------------------------------------
 * arena.c
 *	  Memory of one run or one cached model.
 *
 * Small pieces are cut from blocks that grow from 8 kB (or 1 kB) to 256 kB.  What takes
 * 64 kB or more stands alone: below MAPPED bytes in memory of malloc,
 * from there on in a mapping of its own.  The addresses of those that stand
 * alone are in a hash set, so that ml_release() can tell what it was given.
 *
 * The mappings that were released last are kept for the next that fit: a column
 * that takes the place of another one costs no page faults then.
 *
 * "used" counts what was taken from the system, so a limit holds for the
 * process and not just for the sum of the requests.
 *
 * In memory of the caller all pieces are cut from it, large or small.
 *
 * Under AddressSanitizer every piece stands alone in memory of malloc: an
 * overrun of one of them is then seen.
 *-------------------------------------------------------------------------
 */
#include "ml/base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED
#endif

#ifdef SANITIZED
#define STANDS_ALONE(bytes) true
#define MAPPED SIZE_MAX
#else
#define STANDS_ALONE(bytes) ((bytes) >= (size_t) 64 * 1024)
#define MAPPED ((size_t) 256 * 1024)	/* what malloc keeps when it is freed may never go back to the system */
#endif
#define ALIGNMENT 64
#define FIRST_BLOCK ((size_t) 8 * 1024)
#define SMALL_BLOCK ((size_t) 1024)
#define LAST_BLOCK ((size_t) 256 * 1024)
#define PAGE ((size_t) 4096)
#define HUGE ((size_t) 4 * 1024 * 1024)	/* of huge pages at most a half stays unused from here on */

#define SPARES 2				/* mappings kept for reuse */
#define SMALLEST_SPARE ((size_t) 1024 * 1024)
#define LARGEST_SPARE ((size_t) 32 * 1024 * 1024)

typedef struct Block
{
	struct Block *next;
	size_t		size;
} Block;

typedef struct Piece
{
	void	   *address;		/* NULL: a free slot of the hash set */
	size_t		size;
} Piece;

struct MlArena
{
	size_t		limit;
	size_t		used;
	size_t		peak;
	size_t		demand;			/* all requests, each with the most that its alignment may cost */
	bool		within;			/* memory of the caller */
	Block	   *blocks;
	char	   *free;			/* the rest of the newest block */
	char	   *end;
	size_t		next_block;
	Piece	   *pieces;			/* open addressing, linear probing */
	size_t		n_pieces;
	size_t		n_slots;		/* a power of two, or 0 */
	Piece		spare[SPARES];	/* released mappings, the newest first; they count as used */
	int			n_spare;
};

MlArena *
ml_arena_create(size_t limit)
{
	MlArena    *arena = calloc(1, sizeof(MlArena));

	if (arena == NULL)
		return NULL;
	arena->limit = limit;
	arena->next_block = FIRST_BLOCK;
	return arena;
}

MlArena *
ml_arena_create_in(void *memory, size_t bytes)
{
	MlArena    *arena = ml_arena_create(bytes);

	if (arena == NULL)
		return NULL;
	arena->within = true;
	arena->used = arena->peak = bytes;
	arena->free = memory;
	arena->end = (char *) memory + bytes;
	return arena;
}

size_t
ml_arena_demand(const MlArena *arena)
{
	return arena->demand;
}

MlArena *
ml_arena_create_small(size_t limit)
{
	MlArena    *arena = ml_arena_create(limit);

	if (arena != NULL)
		arena->next_block = SMALL_BLOCK;
	return arena;
}

static void
piece_free(const Piece *piece)
{
	if (piece->size >= MAPPED)
		munmap(piece->address, piece->size);
	else
		free(piece->address);
}

/* Gives the oldest spare mapping back. */
static void
drop_spare(MlArena *arena)
{
	const Piece *piece = &arena->spare[--arena->n_spare];

	arena->used -= piece->size;
	piece_free(piece);
}

static void
free_all(MlArena *arena)
{
	for (Block *block = arena->blocks, *next; block != NULL; block = next)
	{
		next = block->next;
		free(block);
	}
	for (size_t i = 0; i < arena->n_slots; i++)
	{
		if (arena->pieces[i].address != NULL)
			piece_free(&arena->pieces[i]);
	}
	while (arena->n_spare > 0)
		drop_spare(arena);
	free(arena->pieces);
}

void
ml_arena_free(MlArena *arena)
{
	if (arena == NULL)
		return;
	free_all(arena);
	free(arena);
}

void
ml_arena_clear(MlArena *arena)
{
	size_t		limit = arena->limit;

	free_all(arena);
	*arena = (MlArena) {.limit = limit, .next_block = SMALL_BLOCK};
}

void
ml_arena_refit(MlArena *arena)
{
	size_t		demand = arena->demand;

	ml_arena_clear(arena);
	arena->next_block = demand + ALIGNMENT;
}

size_t
ml_arena_used(const MlArena *arena)
{
	size_t		spare = 0;

	for (int i = 0; i < arena->n_spare; i++)
		spare += arena->spare[i].size;
	return arena->used - spare;
}

size_t
ml_arena_peak(const MlArena *arena)
{
	return arena->peak;
}

void
ml_arena_witness(MlArena *arena, size_t bytes)
{
	if (arena->used + bytes > arena->peak)
		arena->peak = arena->used + bytes;
}

size_t
ml_arena_limit(const MlArena *arena)
{
	return arena->limit;
}

static size_t
slot_of(const MlArena *arena, const void *address)
{
	uint64_t	h = (uint64_t) (uintptr_t) address * UINT64_C(0x9E3779B97F4A7C15);

	return (size_t) (h >> 20) & (arena->n_slots - 1);
}

static void
pieces_put(MlArena *arena, Piece piece)
{
	size_t		i = slot_of(arena, piece.address);

	while (arena->pieces[i].address != NULL)
		i = (i + 1) & (arena->n_slots - 1);
	arena->pieces[i] = piece;
	arena->n_pieces++;
}

static bool
pieces_reserve(MlArena *arena)
{
	Piece	   *old = arena->pieces;
	size_t		n_old = arena->n_slots;

	if (2 * (arena->n_pieces + 1) <= arena->n_slots)
		return true;
	arena->pieces = calloc(n_old == 0 ? 16 : 2 * n_old, sizeof(Piece));
	if (arena->pieces == NULL)
	{
		arena->pieces = old;
		return false;
	}
	arena->n_slots = n_old == 0 ? 16 : 2 * n_old;
	arena->n_pieces = 0;
	for (size_t i = 0; i < n_old; i++)
	{
		if (old[i].address != NULL)
			pieces_put(arena, old[i]);
	}
	free(old);
	return true;
}

/* Empties slot i and closes the gap, so that probing still finds what came after (Knuth 6.4, algorithm R). */
static void
pieces_remove(MlArena *arena, size_t i)
{
	size_t		mask = arena->n_slots - 1;
	size_t		j = i;

	for (;;)
	{
		size_t		home;

		j = (j + 1) & mask;
		if (arena->pieces[j].address == NULL)
			break;
		home = slot_of(arena, arena->pieces[j].address);
		if (((j - home) & mask) < ((j - i) & mask))
			continue;
		arena->pieces[i] = arena->pieces[j];
		i = j;
	}
	arena->pieces[i].address = NULL;
	arena->n_pieces--;
}

static void
keep_spare(MlArena *arena, Piece piece)
{
	if (arena->n_spare == SPARES)
		drop_spare(arena);
	memmove(&arena->spare[1], &arena->spare[0], (size_t) arena->n_spare * sizeof(Piece));
	arena->spare[0] = piece;
	arena->n_spare++;
}

/* A spare mapping for so many bytes, of which it wastes an eighth at most.  No address: there is none. */
static Piece
take_spare(MlArena *arena, size_t size)
{
	Piece		piece = {NULL, 0};

	for (int i = 0; i < arena->n_spare; i++)
	{
		if (arena->spare[i].size < size || arena->spare[i].size - size > size / 8)
			continue;
		piece = arena->spare[i];
		arena->n_spare--;
		memmove(&arena->spare[i], &arena->spare[i + 1], (size_t) (arena->n_spare - i) * sizeof(Piece));
		break;
	}
	return piece;
}

void
ml_release(MlEnv *env, void *pointer)
{
	MlArena    *arena = env->arena;
	Piece		piece;
	size_t		i;

	if (pointer == NULL || arena->n_slots == 0)
		return;
	for (i = slot_of(arena, pointer); arena->pieces[i].address != pointer; i = (i + 1) & (arena->n_slots - 1))
	{
		if (arena->pieces[i].address == NULL)
			return;				/* a small one */
	}
	piece = arena->pieces[i];
	pieces_remove(arena, i);
	if (piece.size >= MAPPED && piece.size >= SMALLEST_SPARE && piece.size <= LARGEST_SPARE)
	{
		keep_spare(arena, piece);
		return;
	}
	arena->used -= piece.size;
	piece_free(&piece);
}

static void *
no_memory(MlEnv *env, size_t bytes)
{
	ml_fail(env, ML_NO_MEMORY, "out of memory");
	ml_detail(env, "Failed on a request of %zu bytes; %zu bytes are in use by this run.", bytes, env->arena->used);
	return NULL;
}

static bool
within_limit(MlEnv *env, size_t bytes)
{
	MlArena    *arena = env->arena;
	size_t		total;

	while (arena->n_spare > 0 && arena->limit > 0 && (!ml_add_size(arena->used, bytes, &total) || total > arena->limit))
		drop_spare(arena);
	if (arena->limit == 0 || (ml_add_size(arena->used, bytes, &total) && total <= arena->limit))
		return true;
	ml_fail(env, ML_OVER_BUDGET, "the memory limit of %.1f MB is reached", (double) arena->limit / 1048576);
	ml_detail(env, "%.1f MB are in use and %.1f MB more are needed.",
			  (double) arena->used / 1048576, (double) bytes / 1048576);
	ml_hint(env, "Use fewer rows or columns, or raise mlplat.max_training_memory.");
	return false;
}

static void
count_bytes(MlArena *arena, size_t bytes)
{
	arena->used += bytes;
	if (arena->used > arena->peak)
		arena->peak = arena->used;
}

static void *
large_alloc(MlEnv *env, size_t bytes, bool zero)
{
	MlArena    *arena = env->arena;
	size_t		granule = bytes >= MAPPED ? PAGE : ALIGNMENT;
	Piece		piece;

	if (!ml_add_size(bytes, granule - 1, &piece.size))
		return no_memory(env, bytes);
	piece.size &= ~(granule - 1);
	if (!pieces_reserve(arena))
		return no_memory(env, bytes);
	if (piece.size >= MAPPED)
	{
		Piece		spare = take_spare(arena, piece.size);

		if (spare.address != NULL)
		{
			if (zero)
				memset(spare.address, 0, bytes);
			pieces_put(arena, spare);
			return spare.address;
		}
	}
	if (!within_limit(env, piece.size))
		return NULL;
	if (piece.size >= MAPPED)
	{
		piece.address = mmap(NULL, piece.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (piece.address == MAP_FAILED)
			return no_memory(env, bytes);
		if (piece.size >= HUGE)
			madvise(piece.address, piece.size, MADV_HUGEPAGE);	/* a wish; refusal does no harm */
	}
	else
	{
#ifdef SANITIZED
		piece.size = bytes == 0 ? 1 : bytes;
#endif
		if (posix_memalign(&piece.address, ALIGNMENT, piece.size) != 0)
			return no_memory(env, bytes);
		if (zero)
			memset(piece.address, 0, piece.size);
	}
	pieces_put(arena, piece);
	count_bytes(arena, piece.size);
	return piece.address;
}

static bool
new_block(MlEnv *env, size_t needed)
{
	MlArena    *arena = env->arena;
	size_t		size = arena->next_block;
	Block	   *block;

	while (size < needed + ALIGNMENT)
		size *= 2;
	if (!within_limit(env, size))
		return false;
	if (posix_memalign((void **) &block, ALIGNMENT, size) != 0)
	{
		no_memory(env, size);
		return false;
	}
	block->size = size;
	block->next = arena->blocks;
	arena->blocks = block;
	arena->free = (char *) block + ALIGNMENT;
	arena->end = (char *) block + size;
	if (arena->next_block < LAST_BLOCK)
		arena->next_block *= 2;
	count_bytes(arena, size);
	return true;
}

static void *
alloc_aligned(MlEnv *env, size_t bytes, size_t alignment, bool zero)
{
	MlArena    *arena = env->arena;
	char	   *result;
	size_t		demand;

	if (!ml_add_size(bytes, alignment - 1, &demand) || !ml_add_size(arena->demand, demand, &arena->demand))
		return no_memory(env, bytes);
	if (STANDS_ALONE(bytes) && !arena->within)
		return large_alloc(env, bytes, zero);
	result = (char *) (((uintptr_t) arena->free + alignment - 1) & ~(uintptr_t) (alignment - 1));
	if (arena->free == NULL || result > arena->end || (size_t) (arena->end - result) < bytes)
	{
		if (arena->within)
			return no_memory(env, bytes);
		if (!new_block(env, bytes))
			return NULL;
		result = arena->free;
	}
	arena->free = result + bytes;
	if (zero)
		memset(result, 0, bytes);
	return result;
}

static void *
alloc_product(MlEnv *env, size_t count, size_t size, bool zero)
{
	size_t		bytes;

	if (!ml_mul_size(count, size, &bytes) || bytes > SIZE_MAX / 2)
	{
		ml_fail(env, ML_TOO_LARGE, "%zu elements of %zu bytes are more than memory can hold", count, size);
		return NULL;
	}
	return alloc_aligned(env, bytes, ALIGNMENT, zero);
}

void *
ml_alloc(MlEnv *env, size_t count, size_t size)
{
	return alloc_product(env, count, size, false);
}

void *
ml_alloc0(MlEnv *env, size_t count, size_t size)
{
	return alloc_product(env, count, size, true);
}

char *
ml_strndup(MlEnv *env, const char *text, size_t length)
{
	char	   *copy;

	if (length >= SIZE_MAX / 2)
	{
		ml_fail(env, ML_TOO_LARGE, "a text of %zu bytes is more than memory can hold", length);
		return NULL;
	}
	copy = alloc_aligned(env, length + 1, 1, false);
	if (copy == NULL)
		return NULL;
	if (length > 0)
		memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

char *
ml_strdup(MlEnv *env, const char *text)
{
	return ml_strndup(env, text, strlen(text));
}

char *
ml_printf(MlEnv *env, const char *format,...)
{
	va_list		args;
	int			length;
	char	   *text;

	va_start(args, format);
	length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (length < 0)
	{
		ml_fail(env, ML_TOO_LARGE, "a text is too long");
		return NULL;
	}
	text = alloc_aligned(env, (size_t) length + 1, 1, false);
	if (text == NULL)
		return NULL;
	va_start(args, format);
	vsnprintf(text, (size_t) length + 1, format, args);
	va_end(args);
	return text;
}
