/*-------------------------------------------------------------------------
 * sort.c
 *	  Stable sorting of rows by a number (radix) or by text (merge).
 *
 * Many rows are first dealt out into ranges of keys, whose limits are drawn from a sample, so that a range and its copy lie in
 * the second-level cache while they are sorted: the threads take ranges as they come.  A stable
 * order is unique, so neither the limits nor the threads matter to it.
 *-------------------------------------------------------------------------
 */
#include "ml/base/sort.h"

#include "ml/base/arena.h"
#include "ml/base/pool.h"

#define DIGIT_BITS 11
#define DIGITS 6				/* 6 * 11 >= 64 */
#define BUCKETS (1 << DIGIT_BITS)
#define SMALL 64

/* Rows above which they are dealt out; of a range, about; of a task that deals; keys drawn for each range. */
#define MANY ((size_t) 65536)
#define RANGE_ROWS 8192
#define DEAL_ROWS ((size_t) 32768)
#define DRAWN 16
#define MAX_RANGES 256

/* Rows between two looks at whether the run is canceled; only where many keys are the same has a range more. */
#define ASK_ROWS ((size_t) 262144)

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

typedef uint32_t Counts[DIGITS][BUCKETS];

/* Whoever sorts may have to stop.  The main thread asks for all; the pool tells the others. */
typedef struct Stopper
{
	MlEnv	   *env;
	bool		stopped;		/* atomic */
} Stopper;

static bool
is_stopped(Stopper *stopper, int thread)
{
	if (thread == 0 ? !ml_canceled(stopper->env) : !ml_pool_stopping(stopper->env->pool))
		return false;
	__atomic_store_n(&stopper->stopped, true, __ATOMIC_RELAXED);
	return true;
}

/* The end of a stretch of rows without a question; 0 when the answer before it is to stop. */
static inline size_t
next_stretch(Stopper *stopper, int thread, size_t start, size_t n)
{
	if (start > 0 && is_stopped(stopper, thread))
		return 0;
	return n - start < ASK_ROWS ? n : start + ASK_ROWS;
}

static bool
scatter(Stopper *stopper, int thread, const MlKeyed *from, MlKeyed *to, size_t n, int digit, uint32_t *position)
{
	uint32_t	next = 0;

	for (int b = 0; b < BUCKETS; b++)
	{
		uint32_t	here = position[b];

		position[b] = next;
		next += here;
	}
	for (size_t start = 0, end; start < n; start = end)
	{
		end = next_stretch(stopper, thread, start, n);
		if (end == 0)
			return false;
		for (size_t i = start; i < end; i++)
			to[position[digit_of(from[i].key, digit)]++] = from[i];
	}
	return true;
}

/* n < 2^32; the result is in items, or in spare: whichever is returned.  NULL when it was stopped. */
static MlKeyed *
radix_sort(Stopper *stopper, int thread, MlKeyed *items, MlKeyed *spare, size_t n, Counts *counts)
{
	MlKeyed    *from = items;
	MlKeyed    *to = spare;

	if (n < SMALL)
	{
		insertion_sort(items, n);
		return items;
	}
	memset(counts, 0, sizeof(*counts));
	for (size_t start = 0, end; start < n; start = end)
	{
		end = next_stretch(stopper, thread, start, n);
		if (end == 0)
			return NULL;
		for (size_t i = start; i < end; i++)
		{
			for (int d = 0; d < DIGITS; d++)
				(*counts)[d][digit_of(items[i].key, d)]++;
		}
	}
	for (int d = 0; d < DIGITS; d++)
	{
		MlKeyed    *swap = from;

		if ((*counts)[d][digit_of(from[0].key, d)] == n)
			continue;			/* all alike in this digit */
		if (!scatter(stopper, thread, from, to, n, d, (*counts)[d]))
			return NULL;
		from = to;
		to = swap;
	}
	return from;
}

typedef struct Deal
{
	Stopper		stopper;
	MlKeyed    *items;
	MlKeyed    *spare;
	size_t		n;
	int			ranges;			/* a power of two */
	uint64_t	least[MAX_RANGES];	/* key of each range; the first has none */
	uint8_t    *range;			/* n */
	size_t	   *count;			/* tasks x ranges: rows, then where they go */
	size_t		start[MAX_RANGES + 1];
	Counts	   *counts;			/* threads */
} Deal;

/* The last range whose least key is not above this one. */
static inline size_t
range_of(const Deal *deal, uint64_t key)
{
	size_t		r = 0;

	for (size_t half = (size_t) deal->ranges / 2; half > 0; half /= 2)
		r += deal->least[r + half] <= key ? half : 0;
	return r;
}

static size_t
rows_of_deal(const Deal *deal, size_t task)
{
	size_t		rest = deal->n - task * DEAL_ROWS;

	return rest < DEAL_ROWS ? rest : DEAL_ROWS;
}

static void
look_task(void *arg, size_t task, int thread)
{
	const Deal *deal = arg;
	const MlKeyed *items = deal->items + task * DEAL_ROWS;
	uint8_t    *range = deal->range + task * DEAL_ROWS;
	size_t	   *count = deal->count + task * (size_t) deal->ranges;

	(void) thread;
	for (size_t i = 0, n = rows_of_deal(deal, task); i < n; i++)
	{
		range[i] = (uint8_t) range_of(deal, items[i].key);
		count[range[i]]++;
	}
}

static void
deal_task(void *arg, size_t task, int thread)
{
	const Deal *deal = arg;
	const MlKeyed *items = deal->items + task * DEAL_ROWS;
	const uint8_t *range = deal->range + task * DEAL_ROWS;
	size_t	   *place = deal->count + task * (size_t) deal->ranges;

	(void) thread;
	for (size_t i = 0, n = rows_of_deal(deal, task); i < n; i++)
		deal->spare[place[range[i]]++] = items[i];
}

static void
range_task(void *arg, size_t task, int thread)
{
	Deal	   *deal = arg;
	MlKeyed    *items = deal->items + deal->start[task];
	MlKeyed    *spare = deal->spare + deal->start[task];
	size_t		n = deal->start[task + 1] - deal->start[task];

	if (radix_sort(&deal->stopper, thread, spare, items, n, &deal->counts[thread]) != spare)
		return;					/* in its place, or stopped */
	for (size_t start = 0, end; start < n; start = end)
	{
		end = next_stretch(&deal->stopper, thread, start, n);
		if (end == 0)
			return;
		memcpy(items + start, spare + start, (end - start) * sizeof(MlKeyed));
	}
}

/* Limits between the ranges: evenly spaced among keys that are evenly spaced among the rows. */
static void
draw_limits(Deal *deal, MlKeyed *sample, MlKeyed *spare)
{
	size_t		drawn = (size_t) deal->ranges * DRAWN;

	for (size_t i = 0; i < drawn; i++)
		sample[i] = deal->items[i * (deal->n / drawn)];
	sample = radix_sort(&deal->stopper, 0, sample, spare, drawn, deal->counts);
	deal->least[0] = 0;
	for (int r = 1; r < deal->ranges; r++)
		deal->least[r] = sample[(size_t) r * DRAWN].key;
}

static MlStatus
sort_many(MlEnv *env, Deal *deal)
{
	size_t		tasks = (deal->n + DEAL_ROWS - 1) / DEAL_ROWS;
	size_t		ranges = (size_t) deal->ranges;
	size_t		next = 0;

	ML_TRY(ml_pool_run(env, tasks, look_task, deal));
	for (size_t r = 0; r < ranges; r++)
	{
		deal->start[r] = next;
		for (size_t t = 0; t < tasks; t++)
		{
			size_t		here = deal->count[t * ranges + r];

			deal->count[t * ranges + r] = next;
			next += here;
		}
	}
	deal->start[ranges] = next;
	for (size_t r = 0; r < ranges; r++)
	{
		if (deal->start[r + 1] - deal->start[r] > UINT32_MAX)
			return ml_fail(env, ML_TOO_LARGE, "more than %u of %zu rows are alike where they have to be sorted", UINT32_MAX, deal->n);
	}
	ML_TRY(ml_pool_run(env, tasks, deal_task, deal));
	ML_TRY(ml_pool_run(env, ranges, range_task, deal));
	return deal->stopper.stopped ? ml_fail(env, ML_CANCELED, "canceled") : ML_OK;
}

/* Room for all but the rows themselves, in one piece: pieces below 64 kB would not be given back. */
static char *
make_room(MlEnv *env, Deal *deal, size_t tasks)
{
	size_t		threads = tasks == 0 ? 2 : (size_t) ml_pool_threads(env->pool) + 1;
	size_t		counts = threads * sizeof(Counts);
	size_t		count = tasks * (size_t) deal->ranges * sizeof(size_t);
	char	   *room = ml_alloc0(env, counts + count + (tasks > 0 ? deal->n : 0), 1);

	if (room == NULL)
		return NULL;
	deal->counts = (Counts *) room;
	deal->count = (size_t *) (room + counts);
	deal->range = (uint8_t *) (room + counts + count);
	return room;
}

MlStatus
ml_sort_keyed(MlEnv *env, MlKeyed *items, size_t n)
{
	Deal		deal = {.stopper = {.env = env}, .items = items, .n = n, .ranges = 2};
	size_t		tasks = n < MANY ? 0 : (n + DEAL_ROWS - 1) / DEAL_ROWS;
	MlStatus	status = ML_OK;
	char	   *room;

	if (n < SMALL)
	{
		insertion_sort(items, n);
		return ML_OK;
	}
	while ((size_t) deal.ranges * RANGE_ROWS < n && deal.ranges < MAX_RANGES)
		deal.ranges *= 2;
	room = make_room(env, &deal, tasks);
	deal.spare = ml_alloc(env, n, sizeof(MlKeyed));
	if (room == NULL || deal.spare == NULL)
		return env->error.status;
	if (tasks > 0)
	{
		draw_limits(&deal, deal.spare, deal.spare + (size_t) deal.ranges * DRAWN);
		status = sort_many(env, &deal);
	}
	else if (radix_sort(&deal.stopper, 0, items, deal.spare, n, deal.counts) != items)
		memcpy(items, deal.spare, n * sizeof(MlKeyed));
	ml_release(env, deal.spare);
	ml_release(env, room);
	return status;
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
