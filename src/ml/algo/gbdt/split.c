/*-------------------------------------------------------------------------
 * split.c
 *	  The best split of one feature in one leaf, from its histogram.
 *
 * Gain as in Friedman 2001 and Chen & Guestrin 2016, eq. 7:
 * T(g_l)^2/(h_l+l2) + T(g_r)^2/(h_r+l2) - T(g)^2/(h+l2), T soft-thresholding by
 * lambda_l1.  Missing values are tried on both sides of every limit.  Categories
 * are sorted by g/(h+cat_smooth) and the sets at both ends of that order tried
 * (Fisher 1958), with the rules of LightGBM's FindBestThresholdCategoricalInner.
 * The first of equal gains wins: lowest feature, lowest bin.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "ml/algo/gbdt/gbdt_internal.h"

/* A gain below this share of the leaf's own is rounding. */
#define GAIN_NOISE 1e-13

static inline double
soft_threshold(double g, double l1)
{
	if (g > l1)
		return g - l1;
	return g < -l1 ? g + l1 : 0;
}

static inline double
leaf_gain(const MlGbdtRules *rules, double g, double h, double l2)
{
	double		t = soft_threshold(g, rules->lambda_l1);

	return h + l2 > 0 ? t * t / (h + l2) : 0;
}

double
ml_gbdt_leaf_value(const MlGbdtRules *rules, double g, double h, double l2)
{
	return h + l2 > 0 ? -soft_threshold(g, rules->lambda_l1) / (h + l2) : 0;
}

/* What a search knows about its leaf. */
typedef struct Leaf
{
	int64_t		rows;
	double		g;
	double		h;
	double		own;			/* the leaf's own gain, and what a split must exceed */
	double		floor;
} Leaf;

static Leaf
leaf_of(const MlGbdtSearch *s)
{
	Leaf		leaf;

	leaf.rows = ml_gbdt_rows(s->scale, s->total);
	leaf.g = ml_gbdt_g(s->scale, s->total);
	leaf.h = ml_gbdt_h(s->scale, s->total);
	leaf.own = leaf_gain(s->rules, leaf.g, leaf.h, s->rules->lambda_l2);
	leaf.floor = leaf.own + s->rules->min_gain + GAIN_NOISE * leaf.own;
	return leaf;
}

/* The gain of sending "left" left, above the leaf's own and min_gain; 0 when it may not be. */
static inline double
gain_of(const MlGbdtSearch *s, const Leaf *leaf, MlGbdtSum left, double l2)
{
	const MlGbdtRules *rules = s->rules;
	int64_t		rows = ml_gbdt_rows(s->scale, left);
	double		g = ml_gbdt_g(s->scale, left);
	double		h = ml_gbdt_h(s->scale, left);
	double		gain;

	if (rows < rules->min_data_in_leaf || leaf->rows - rows < rules->min_data_in_leaf)
		return 0;
	if (h < rules->min_sum_hessian || leaf->h - h < rules->min_sum_hessian)
		return 0;
	gain = leaf_gain(rules, g, h, l2) + leaf_gain(rules, leaf->g - g, leaf->h - h, l2);
	return gain > leaf->floor ? gain - leaf->own - rules->min_gain : 0;
}

static void
find_number(const MlGbdtSearch *s, MlGbdtSplit *best)
{
	const MlGbdtColumn *column = s->column;
	const Leaf	leaf = leaf_of(s);
	MlGbdtSum	missing = s->hist[column->missing];
	MlGbdtSum	left = {0, 0};
	bool		some_missing = missing[1] != 0;
	uint32_t	end = column->n_bins - (some_missing ? 0 : 1);

	for (uint32_t b = 0; b < end; b++)
	{
		if (s->hist[b][1] == 0)
			continue;			/* no rows: the limit before it did the same */
		left += s->hist[b];
		for (int with_missing = 0; with_missing <= some_missing; with_missing++)
		{
			MlGbdtSum	side = with_missing ? left + missing : left;
			double		gain = gain_of(s, &leaf, side, s->rules->lambda_l2);

			if (gain > best->gain)
			{
				*best = (MlGbdtSplit) {.gain = gain, .feature = s->feature, .bin = b, .left = side};
				/* Where a leaf saw no missing value, one follows the majority. */
				best->missing_left = some_missing ? with_missing :
					2 * ml_gbdt_rows(s->scale, side) >= leaf.rows;
			}
		}
	}
}

static bool
rank_less(const MlGbdtRank *a, const MlGbdtRank *b)
{
	return a->key != b->key ? a->key < b->key : a->bin < b->bin;
}

static void
sift_down(MlGbdtRank *rank, size_t i, size_t n)
{
	MlGbdtRank	moved = rank[i];

	for (;;)
	{
		size_t		child = 2 * i + 1;

		if (child >= n)
			break;
		if (child + 1 < n && rank_less(&rank[child], &rank[child + 1]))
			child++;
		if (!rank_less(&moved, &rank[child]))
			break;
		rank[i] = rank[child];
		i = child;
	}
	rank[i] = moved;
}

/* Heap sort: no memory, no bad case, no two equal keys. */
static void
sort_ranks(MlGbdtRank *rank, size_t n)
{
	for (size_t i = n / 2; i-- > 0;)
		sift_down(rank, i, n);
	for (size_t end = n; end-- > 1;)
	{
		MlGbdtRank	top = rank[0];

		rank[0] = rank[end];
		rank[end] = top;
		sift_down(rank, 0, end);
	}
}

/* Sorts the categories of the leaf that have rows enough; "other" is in no set. */
static uint32_t
rank_categories(const MlGbdtSearch *s)
{
	uint32_t	n = 0;
	uint32_t	end = s->touched ? s->n_touched : s->column->missing + 1;

	for (uint32_t i = 0; i < end; i++)
	{
		uint32_t	b = s->touched ? s->touched[i] : i;
		int64_t		rows = ml_gbdt_rows(s->scale, s->hist[b]);
		double		h = ml_gbdt_h(s->scale, s->hist[b]) + s->rules->cat_smooth;
		double		statistic;
		uint64_t	key;

		if (rows == 0 || b == s->column->n_bins || (double) rows < s->rules->cat_smooth_rows)
			continue;
		statistic = h > 0 ? ml_gbdt_g(s->scale, s->hist[b]) / h : 0;
		statistic += 0.0;		/* -0 sorts as 0 */
		memcpy(&key, &statistic, sizeof(key));
		s->rank[n].key = (key >> 63) ? ~key : key | (UINT64_C(1) << 63);
		s->rank[n++].bin = b;
	}
	sort_ranks(s->rank, n);
	return n;
}

static void
find_onehot(const MlGbdtSearch *s, MlGbdtSplit *best)
{
	const Leaf	leaf = leaf_of(s);

	for (uint32_t b = 0; b <= s->column->missing; b++)
	{
		double		gain;

		if (s->hist[b][1] == 0 || b == s->column->n_bins)
			continue;
		gain = gain_of(s, &leaf, s->hist[b], s->rules->lambda_l2);
		if (gain > best->gain)
			*best = (MlGbdtSplit) {.gain = gain, .feature = s->feature, .bin = b, .left = s->hist[b],
			.set_size = 1, .onehot = true};
	}
}

static void
find_sorted(const MlGbdtSearch *s, MlGbdtSplit *best)
{
	const MlGbdtRules *rules = s->rules;
	const Leaf	leaf = leaf_of(s);
	uint32_t	n = rank_categories(s);
	uint32_t	limit = (n + 1) / 2;

	if ((int64_t) limit > rules->max_cat_threshold)
		limit = (uint32_t) rules->max_cat_threshold;
	for (int from_end = 0; from_end <= 1; from_end++)
	{
		MlGbdtSum	left = {0, 0};
		int64_t		group = 0;

		for (uint32_t i = 0; i < limit; i++)
		{
			MlGbdtSum	bin = s->hist[s->rank[from_end ? n - 1 - i : i].bin];
			int64_t		rows;
			int64_t		rest;
			double		gain;

			left += bin;
			group += ml_gbdt_rows(s->scale, bin);
			rows = ml_gbdt_rows(s->scale, left);
			rest = leaf.rows - rows;
			if (rows < rules->min_data_in_leaf || ml_gbdt_h(s->scale, left) < rules->min_sum_hessian)
				continue;
			if (rest < rules->min_data_in_leaf || rest < rules->min_data_per_group)
				break;
			if (group < rules->min_data_per_group)
				continue;
			group = 0;
			gain = gain_of(s, &leaf, left, rules->lambda_l2 + rules->cat_l2);
			if (gain > best->gain)
				*best = (MlGbdtSplit) {.gain = gain, .feature = s->feature, .left = left,
				.set_size = i + 1, .from_end = from_end};
		}
	}
}

void
ml_gbdt_split_find(const MlGbdtSearch *search, MlGbdtSplit *best)
{
	if (!search->column->category)
		find_number(search, best);
	else if ((int64_t) search->column->present <= search->rules->max_cat_to_onehot)
		find_onehot(search, best);
	else
		find_sorted(search, best);
}

uint32_t
ml_gbdt_split_bins(const MlGbdtSearch *search, const MlGbdtSplit *split, uint32_t *bin)
{
	uint32_t	n;

	if (split->onehot)
	{
		bin[0] = split->bin;
		return 1;
	}
	n = rank_categories(search);
	for (uint32_t i = 0; i < split->set_size; i++)
		bin[i] = search->rank[split->from_end ? n - 1 - i : i].bin;
	return split->set_size;
}
