/*-------------------------------------------------------------------------
 * sort.c
 *	  Stable sorting of rows by a number (radix) or by text (merge).
 *-------------------------------------------------------------------------
 */
#include "ml/base/sort.h"

#include "ml/base/arena.h"

#define DIGIT_BITS 11
#define DIGITS 6				/* 6 * 11 >= 64 */
#define BUCKETS (1 << DIGIT_BITS)
#define SMALL 64

static inline size_t
digit_of(uint64_t key, int digit)
{
	return (size_t) (key >> (digit * DIGIT_BITS)) & (BUCKETS - 1);
}

static void
insertion_sort(MlKeyed *items, size_t n)
{
	for (size_t i = 1; i < n; i++)
	{
		MlKeyed		item = items[i];
		size_t		j = i;

		for (; j > 0 && items[j - 1].key > item.key; j--)
			items[j] = items[j - 1];
		items[j] = item;
	}
}

/* Counts of every digit in one pass; false when canceled. */
static bool
count_digits(MlEnv *env, const MlKeyed *items, size_t n, size_t (*count)[BUCKETS])
{
	for (size_t i = 0; i < n; i++)
	{
		if (i % (1 << 20) == 0 && ml_canceled(env))
			return false;
		for (int d = 0; d < DIGITS; d++)
			count[d][digit_of(items[i].key, d)]++;
	}
	return true;
}

static bool
scatter(MlEnv *env, const MlKeyed *from, MlKeyed *to, size_t n, int digit, size_t *position)
{
	size_t		next = 0;

	for (int b = 0; b < BUCKETS; b++)
	{
		size_t		here = position[b];

		position[b] = next;
		next += here;
	}
	for (size_t i = 0; i < n; i++)
	{
		if (i % (1 << 20) == 0 && ml_canceled(env))
			return false;
		to[position[digit_of(from[i].key, digit)]++] = from[i];
	}
	return true;
}

MlStatus
ml_sort_keyed(MlEnv *env, MlKeyed *items, size_t n)
{
	size_t		(*count)[BUCKETS];
	MlKeyed    *spare;
	MlKeyed    *from = items;
	MlKeyed    *to;
	bool		ok;

	if (n < SMALL)
	{
		insertion_sort(items, n);
		return ML_OK;
	}
	count = ml_alloc0(env, DIGITS, sizeof(*count));
	spare = ml_alloc(env, n, sizeof(MlKeyed));
	if (count == NULL || spare == NULL)
		return env->error.status;
	to = spare;
	ok = count_digits(env, items, n, count);
	for (int d = 0; ok && d < DIGITS; d++)
	{
		MlKeyed    *swap = from;

		if (count[d][digit_of(from[0].key, d)] == n)
			continue;			/* all alike in this digit */
		ok = scatter(env, from, to, n, d, count[d]);
		from = to;
		to = swap;
	}
	if (ok && from != items)
		memcpy(items, from, n * sizeof(MlKeyed));
	ml_release(env, spare);
	ml_release(env, count);
	return ok ? ML_OK : ml_fail(env, ML_CANCELED, "canceled");
}

/* A text by its first bytes, which decide nearly always, and its number. */
typedef struct Prefixed
{
	uint64_t	prefix;			/* first 8 bytes, big-endian, padded with zeros */
	int32_t		number;
} Prefixed;

typedef struct Texts
{
	const char *const *text;
	const uint32_t *length;
} Texts;

static uint64_t
prefix_of(const char *text, size_t length)
{
	uint64_t	prefix = 0;

	for (size_t i = 0; i < 8; i++)
		prefix = prefix << 8 | (i < length ? (uint8_t) text[i] : 0);
	return prefix;
}

static bool
comes_after(const Texts *texts, const Prefixed *a, const Prefixed *b)
{
	uint32_t	la,
				lb;
	int			order;

	if (a->prefix != b->prefix)
		return a->prefix > b->prefix;
	la = texts->length[a->number];
	lb = texts->length[b->number];
	order = memcmp(texts->text[a->number], texts->text[b->number], la < lb ? la : lb);
	return order != 0 ? order > 0 : la > lb;
}

/* Merges two sorted runs, from[low, middle) and from[middle, high), into to. */
static void
merge(const Texts *texts, const Prefixed *from, Prefixed *to, size_t low, size_t middle, size_t high)
{
	size_t		a = low;
	size_t		b = middle;

	for (size_t i = low; i < high; i++)
	{
		if (b >= high || (a < middle && !comes_after(texts, &from[a], &from[b])))
			to[i] = from[a++];
		else
			to[i] = from[b++];
	}
}

static MlStatus
merge_sort(MlEnv *env, const Texts *texts, Prefixed **items, Prefixed **spare, size_t n)
{
	size_t		done = 0;

	for (size_t width = 1; width < n; width *= 2)
	{
		Prefixed   *swap = *items;

		for (size_t low = 0; low < n; low += 2 * width)
		{
			size_t		middle = low + width < n ? low + width : n;
			size_t		high = middle + width < n ? middle + width : n;

			/* Work since the last look, in elements. */
			if (done >= 100000)
			{
				if (ml_canceled(env))
					return ml_fail(env, ML_CANCELED, "canceled");
				done = 0;
			}
			merge(texts, *items, *spare, low, middle, high);
			done += high - low;
		}
		*items = *spare;
		*spare = swap;
	}
	return ML_OK;
}

MlStatus
ml_sort_texts(MlEnv *env, size_t n, const char *const *text, const uint32_t *length, int32_t *order)
{
	Texts		texts = {text, length};
	Prefixed   *items = ml_alloc(env, n, sizeof(Prefixed));
	Prefixed   *spare = ml_alloc(env, n, sizeof(Prefixed));
	MlStatus	status;

	if (items == NULL || spare == NULL)
		return env->error.status;
	for (size_t i = 0; i < n; i++)
	{
		items[i].prefix = prefix_of(text[i], length[i]);
		items[i].number = (int32_t) i;
	}
	status = merge_sort(env, &texts, &items, &spare, n);
	for (size_t i = 0; status == ML_OK && i < n; i++)
		order[i] = items[i].number;
	ml_release(env, items);
	ml_release(env, spare);
	return status;
}
