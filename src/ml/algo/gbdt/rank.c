/*-------------------------------------------------------------------------
 * rank.c
 *	  Categories in the order of their statistic, as far as sets are made of them.
 *
 * Sets begin at both ends and have at most max_cat_threshold categories, so that
 * of thousands only some dozens have to be found.  Heaps of those that are the
 * lowest, or the highest, so far: most others are turned away by one comparison.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "ml/algo/gbdt/gbdt_internal.h"
#include "ml/base/lanes.h"

MlGbdtRank
ml_gbdt_rank_of(double statistic, uint32_t bin)
{
	MlGbdtRank	rank = {.bin = bin};

	statistic += 0.0;			/* -0 sorts as 0 */
	memcpy(&rank.key, &statistic, sizeof(statistic));
	rank.key = (rank.key >> 63) ? ~rank.key : rank.key | (UINT64_C(1) << 63);
	return rank;
}

/* Is a before b, or with "reverse" behind it? */
ML_LANES_INLINE bool
before(const MlGbdtRank *a, const MlGbdtRank *b, bool reverse)
{
	if (a->key != b->key)
		return (a->key < b->key) != reverse;
	return reverse ? a->bin > b->bin : a->bin < b->bin;
}

/* The heap's first is the one that no other is behind. */
ML_LANES_INLINE void
sift_down(MlGbdtRank *rank, size_t i, size_t n, bool reverse)
{
	MlGbdtRank	moved = rank[i];

	for (;;)
	{
		size_t		child = 2 * i + 1;

		if (child >= n)
			break;
		if (child + 1 < n && before(&rank[child], &rank[child + 1], reverse))
			child++;
		if (!before(&moved, &rank[child], reverse))
			break;
		rank[i] = rank[child];
		i = child;
	}
	rank[i] = moved;
}

ML_LANES_INLINE void
make_heap(MlGbdtRank *rank, size_t n, bool reverse)
{
	for (size_t i = n / 2; i-- > 0;)
		sift_down(rank, i, n, reverse);
}

/* Heap sort: no memory, no bad case, no two equal ranks. */
static void
sort_all(MlGbdtRank *rank, size_t n)
{
	make_heap(rank, n, false);
	for (size_t end = n; end-- > 1;)
	{
		MlGbdtRank	top = rank[0];

		rank[0] = rank[end];
		rank[end] = top;
		sift_down(rank, 0, end, false);
	}
}

/* Of rank[] and other[] the first ones (last ones) of all come into rank[]. */
ML_LANES_INLINE void
select_first(MlGbdtRank *rank, size_t n, MlGbdtRank *other, size_t n_other, bool reverse)
{
	make_heap(rank, n, reverse);
	for (size_t i = 0; i < n_other; i++)
	{
		MlGbdtRank	out = rank[0];

		if (!before(&other[i], &out, reverse))
			continue;
		rank[0] = other[i];
		other[i] = out;
		sift_down(rank, 0, n, reverse);
	}
}

void
ml_gbdt_rank_ends(MlGbdtRank *rank, size_t n, size_t ends)
{
	if (ends == 0)
		return;
	if (ends >= n / 2)
	{
		sort_all(rank, n);
		return;
	}
	select_first(rank, ends, rank + ends, n - ends, false);
	select_first(rank + n - ends, ends, rank + ends, n - 2 * ends, true);
	sort_all(rank, ends);
	sort_all(rank + n - ends, ends);
}
