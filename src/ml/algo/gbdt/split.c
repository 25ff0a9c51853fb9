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
#include "ml/base/lanes.h"
#include "ml/base/simd.h"

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

/*
 * What a value within bounds gains: the reduction 2 T(g) w + (h + l2) w^2, negative; for the value -T(g) / (h + l2) that
 * is leaf_gain().
 */
static double
bounded_gain(const MlGbdtSearch *s, double g, double h, double l2, double *value)
{
	double		t = soft_threshold(g, s->rules->lambda_l1);

	*value = ml_gbdt_between(h + l2 > 0 ? -t / (h + l2) : 0, s->lower, s->upper);
	return -(2 * t * *value + (h + l2) * *value * *value);
}

static Leaf
leaf_of(const MlGbdtSearch *s)
{
	Leaf		leaf;
	double		value;

	leaf.rows = ml_gbdt_rows(s->scale, s->total);
	leaf.g = ml_gbdt_g(s->scale, s->total);
	leaf.h = ml_gbdt_h(s->scale, s->total);
	leaf.own = ml_gbdt_bounded(s->rules) ? bounded_gain(s, leaf.g, leaf.h, s->rules->lambda_l2, &value) :
		leaf_gain(s->rules, leaf.g, leaf.h, s->rules->lambda_l2);
	leaf.floor = leaf.own + s->rules->min_gain + GAIN_NOISE * (leaf.own < 0 ? -leaf.own : leaf.own);
	return leaf;
}

/* What both halves gain when "left" goes left; false when it may not. */
static inline bool
gain_of_halves(const MlGbdtSearch *s, const Leaf *leaf, MlGbdtSum left, double l2, double *gain)
{
	const MlGbdtRules *rules = s->rules;
	int64_t		rows = ml_gbdt_rows(s->scale, left);
	double		g = ml_gbdt_g(s->scale, left);
	double		h = ml_gbdt_h(s->scale, left);

	if (rows < rules->min_data_in_leaf || leaf->rows - rows < rules->min_data_in_leaf)
		return false;
	if (h < rules->min_sum_hessian || leaf->h - h < rules->min_sum_hessian)
		return false;
	if (ml_gbdt_bounded(rules))
	{
		int			sign = rules->monotone != NULL ? rules->monotone[s->feature] : 0;
		double		one;
		double		other;

		*gain = bounded_gain(s, g, h, l2, &one) + bounded_gain(s, leaf->g - g, leaf->h - h, l2, &other);
		return !((sign > 0 && one > other) || (sign < 0 && one < other));
	}
	*gain = leaf_gain(rules, g, h, l2) + leaf_gain(rules, leaf->g - g, leaf->h - h, l2);
	return true;
}

/* The gain of sending "left" left, above the leaf's own and min_gain; 0 when it may not be. */
static inline double
gain_of(const MlGbdtSearch *s, const Leaf *leaf, MlGbdtSum left, double l2)
{
	double		gain;

	return gain_of_halves(s, leaf, left, l2, &gain) && gain > leaf->floor ? gain - leaf->own - s->rules->min_gain : 0;
}

/* Bins whose limits are looked at together. */
#define CHUNK 64

/* T(g)^2 / (h + l2) as leaf_gain(), of eight. */
ML_LANES_INLINE void
lanes_gain(const MlGbdtRules *rules, const MlLanes *g, const MlLanes *h, MlLanes *gain)
{
	MlLanes		t = *g;
	MlLanes		below = *h + rules->lambda_l2;
	MlLanesInt	some = below > 0;

	if (rules->lambda_l1 > 0)
	{
		MlLanes		up = *g + rules->lambda_l1;
		MlLanesInt	above = *g > rules->lambda_l1;
		MlLanesInt	under = *g < -rules->lambda_l1;

		t = *g - rules->lambda_l1;
		t = (MlLanes) ((above & (MlLanesInt) t) | (under & (MlLanesInt) up));
	}
	*gain = (MlLanes) (some & (MlLanesInt) (t * t / below));
}

/* As gain_of_halves(), of eight left sides. */
ML_LANES_INLINE void
lanes_of_halves(const MlGbdtSearch *s, const Leaf *leaf, const MlLanesInt *left_g, const MlLanesInt *left_h,
				MlLanesInt *allowed, MlLanes *gain)
{
	typedef uint64_t Unsigned __attribute__((vector_size(64)));
	const MlGbdtRules *rules = s->rules;
	MlLanesInt	rows = *left_h & ((INT64_C(1) << s->scale->count_bits) - 1);
	MlLanesInt	weight = (MlLanesInt) ((Unsigned) *left_h >> s->scale->count_bits);
	MlLanes		g = __builtin_convertvector(*left_g, MlLanes) * s->scale->g;
	MlLanes		h = __builtin_convertvector(weight, MlLanes) * s->scale->h;
	MlLanes		rest_g = leaf->g - g;
	MlLanes		rest_h = leaf->h - h;
	MlLanes		one;
	MlLanes		other;

	*allowed = (rows >= rules->min_data_in_leaf) & (leaf->rows - rows >= rules->min_data_in_leaf)
		& (h >= rules->min_sum_hessian) & (rest_h >= rules->min_sum_hessian);
	lanes_gain(rules, &g, &h, &one);
	lanes_gain(rules, &rest_g, &rest_h, &other);
	*gain = one + other;
}

/* The gains, as gain_of(), of eight left sides. */
ML_LANES_INLINE void
lanes_of_gains(const MlGbdtSearch *s, const Leaf *leaf, const MlLanesInt *left_g, const MlLanesInt *left_h, MlLanes *result)
{
	MlLanesInt	allowed;
	MlLanes		gain;

	lanes_of_halves(s, leaf, left_g, left_h, &allowed, &gain);
	allowed &= gain > leaf->floor;
	*result = (MlLanes) (allowed & (MlLanesInt) (gain - leaf->own - s->rules->min_gain));
}

/* Sums of the first n bins from here on, filled up to whole vectors: what does so repeats the last limit. */
ML_LANES_INLINE void
sums_of_chunk(const MlGbdtSum *hist, uint32_t n, MlGbdtSum *sum, int64_t *g, int64_t *h)
{
	MlGbdtSum	left = *sum;

	for (uint32_t i = 0; i < n; i++)
	{
		left += hist[i];
		g[i] = left[0];
		h[i] = left[1];
	}
	for (uint32_t i = n; i % ML_LANES != 0; i++)
	{
		g[i] = left[0];
		h[i] = left[1];
	}
	*sum = left;
}

/* The best limit: its gain, and twice its bin, plus one where missing values go left. */
ML_LANES_INLINE void
best_limit_body(const MlGbdtSearch *s, const Leaf *leaf, uint32_t end, double *gain, int64_t *limit)
{
	static const MlLanesInt twice = {0, 2, 4, 6, 8, 10, 12, 14};
	MlGbdtSum	missing = s->hist[s->column->missing];
	int			ways = missing[1] != 0 ? 2 : 1;
	MlGbdtSum	left = {0, 0};
	MlLanes		best = {0};
	MlLanesInt	best_at = {0};

	for (uint32_t begin = 0; begin < end; begin += CHUNK)
	{
		uint32_t	n = end - begin < CHUNK ? end - begin : CHUNK;
		int64_t		left_g[CHUNK];
		int64_t		left_h[CHUNK];

		/* What is repeated comes after the limit itself, and the first of equals is taken. */
		sums_of_chunk(s->hist + begin, n, &left, left_g, left_h);
		for (uint32_t i = 0; i < n; i += ML_LANES)
		{
			for (int way = 0; way < ways; way++)
			{
				MlLanesInt	g;
				MlLanesInt	h;
				MlLanesInt	some;
				MlLanes		v;
				MlLanesInt	better;

				memcpy(&g, left_g + i, sizeof(g));
				memcpy(&h, left_h + i, sizeof(h));
				/* Missing values alone on the left: that is the last limit with the sides changed. */
				some = h != 0;
				if (way == 1)
				{
					g += missing[0];
					h += missing[1];
				}
				lanes_of_gains(s, leaf, &g, &h, &v);
				better = some & (v > best);
				best = (MlLanes) ((better & (MlLanesInt) v) | (~better & (MlLanesInt) best));
				best_at = (better & (twice + 2 * (int64_t) (begin + i) + way)) | (~better & best_at);
			}
		}
	}
	*gain = 0;
	*limit = 0;
	for (int j = 0; j < ML_LANES; j++)
	{
		if (best[j] > *gain || (best[j] == *gain && best_at[j] < *limit))
		{
			*gain = best[j];
			*limit = best_at[j];
		}
	}
}

ML_SIMD_TIERS(best_limit, (const MlGbdtSearch *s, const Leaf *leaf, uint32_t end, double *gain, int64_t *limit),
			  (s, leaf, end, gain, limit))

/* As best_limit(), one limit after another, where values have bounds. */
static void
best_bounded_limit(const MlGbdtSearch *s, const Leaf *leaf, uint32_t end, double *gain, int64_t *limit)
{
	MlGbdtSum	missing = s->hist[s->column->missing];
	int			ways = missing[1] != 0 ? 2 : 1;
	MlGbdtSum	left = {0, 0};

	*gain = 0;
	*limit = 0;
	for (uint32_t b = 0; b < end; b++)
	{
		left += s->hist[b];
		for (int way = 0; way < ways && left[1] != 0; way++)
		{
			double		v = gain_of(s, leaf, way == 1 ? left + missing : left, s->rules->lambda_l2);

			if (v > *gain)
			{
				*gain = v;
				*limit = 2 * (int64_t) b + way;
			}
		}
	}
}

/* A bin without rows has the gain of the one before it, and the first of equals is taken: so it needs no exception. */
static void
find_number(const MlGbdtSearch *s, MlGbdtSplit *best)
{
	const MlGbdtColumn *column = s->column;
	const Leaf	leaf = leaf_of(s);
	MlGbdtSum	left = {0, 0};
	bool		some_missing = s->hist[column->missing][1] != 0;
	double		gain;
	int64_t		limit;

	if (ml_gbdt_bounded(s->rules))
		best_bounded_limit(s, &leaf, column->n_bins - (some_missing ? 0 : 1), &gain, &limit);
	else
		ML_SIMD_CALL(best_limit, (s, &leaf, column->n_bins - (some_missing ? 0 : 1), &gain, &limit));
	if (!(gain > best->gain))
		return;
	for (uint32_t b = 0; b <= limit / 2; b++)
		left += s->hist[b];
	if (limit % 2 == 1)
		left += s->hist[column->missing];
	*best = (MlGbdtSplit) {.gain = gain, .feature = s->feature, .bin = (uint32_t) (limit / 2), .left = left};
	/* Where a leaf saw no missing value, one follows the majority. */
	best->missing_left = some_missing ? limit % 2 == 1 : 2 * ml_gbdt_rows(s->scale, left) >= leaf.rows;
}

/*
 * Adds what each limit gains in this leaf, whatever the sign, to the sums of missing values going right and left; nothing
 * where the leaf may not be split there.
 */
ML_LANES_INLINE void
add_limits_body(const MlGbdtSearch *s, const Leaf *leaf, uint32_t end, double *right, double *left)
{
	MlGbdtSum	missing = s->hist[s->column->missing];
	MlGbdtSum	sum = {0, 0};

	for (uint32_t begin = 0; begin < end; begin += CHUNK)
	{
		uint32_t	n = end - begin < CHUNK ? end - begin : CHUNK;
		int64_t		left_g[CHUNK];
		int64_t		left_h[CHUNK];

		sums_of_chunk(s->hist + begin, n, &sum, left_g, left_h);
		for (uint32_t i = 0; i < n; i += ML_LANES)
		{
			MlLanesInt	g;
			MlLanesInt	h;
			MlLanesInt	allowed;
			MlLanes		gain;
			MlLanes		total;

			memcpy(&g, left_g + i, sizeof(g));
			memcpy(&h, left_h + i, sizeof(h));
			lanes_of_halves(s, leaf, &g, &h, &allowed, &gain);
			gain = (MlLanes) (allowed & (MlLanesInt) (gain - leaf->own));
			ml_lanes_load(&total, right + begin + i);
			total += gain;
			ml_lanes_store(right + begin + i, &total);
			if (missing[1] != 0)
			{
				g += missing[0];
				h += missing[1];
				lanes_of_halves(s, leaf, &g, &h, &allowed, &gain);
				gain = (MlLanes) (allowed & (MlLanesInt) (gain - leaf->own));
			}
			ml_lanes_load(&total, left + begin + i);
			total += gain;
			ml_lanes_store(left + begin + i, &total);
		}
	}
}

ML_SIMD_TIERS(add_limits, (const MlGbdtSearch *s, const Leaf *leaf, uint32_t end, double *right, double *left),
			  (s, leaf, end, right, left))

/* The same, one limit after another, where values have bounds. */
static void
add_bounded_limits(const MlGbdtSearch *s, const Leaf *leaf, uint32_t end, double *right, double *left)
{
	MlGbdtSum	missing = s->hist[s->column->missing];
	MlGbdtSum	sum = {0, 0};

	for (uint32_t b = 0; b < end; b++)
	{
		double		gain;

		sum += s->hist[b];
		if (gain_of_halves(s, leaf, sum, s->rules->lambda_l2, &gain))
			right[b] += gain - leaf->own;
		if (gain_of_halves(s, leaf, sum + missing, s->rules->lambda_l2, &gain))
			left[b] += gain - leaf->own;
	}
}

void
ml_gbdt_split_add_limits(const MlGbdtSearch *search, uint32_t end, double *right, double *left)
{
	const Leaf	leaf = leaf_of(search);

	if (ml_gbdt_bounded(search->rules))
		add_bounded_limits(search, &leaf, end, right, left);
	else
		ML_SIMD_CALL(add_limits, (search, &leaf, end, right, left));
}

bool
ml_gbdt_split_gain(const MlGbdtSearch *search, MlGbdtSum left, double l2, double *gain)
{
	const Leaf	leaf = leaf_of(search);
	double		halves;
	bool		allowed = gain_of_halves(search, &leaf, left, l2, &halves);

	*gain = allowed ? halves - leaf.own : 0;
	return allowed;
}

double
ml_gbdt_split_noise(const MlGbdtSearch *search)
{
	const Leaf	leaf = leaf_of(search);

	return GAIN_NOISE * (leaf.own < 0 ? -leaf.own : leaf.own);
}

/* Puts the categories of the leaf that have rows enough in order, so many at both ends; "other" is in no set. */
static uint32_t
rank_categories(const MlGbdtSearch *s, size_t ends)
{
	uint32_t	n = 0;
	uint32_t	end = s->touched ? s->n_touched : s->column->missing + 1;

	for (uint32_t i = 0; i < end; i++)
	{
		uint32_t	b = s->touched ? s->touched[i] : i;
		int64_t		rows = ml_gbdt_rows(s->scale, s->hist[b]);
		double		h = ml_gbdt_h(s->scale, s->hist[b]) + s->rules->cat_smooth;
		double		statistic;

		if (rows == 0 || b == s->column->n_bins || (double) rows < s->rules->cat_smooth_rows)
			continue;
		statistic = h > 0 ? ml_gbdt_g(s->scale, s->hist[b]) / h : 0;
		s->rank[n++] = ml_gbdt_rank_of(statistic, b);
	}
	ml_gbdt_rank_ends(s->rank, n, ends);
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
	uint32_t	n = rank_categories(s, (size_t) rules->max_cat_threshold);
	uint32_t	limit = (n + 1) / 2;

	if ((int64_t) limit > rules->max_cat_threshold)
		limit = (uint32_t) rules->max_cat_threshold;
	for (int from_end = 0; from_end <= 1; from_end++)
	{
		MlGbdtSetSide side = {{0, 0}, 0};
		MlGbdtSetEnd end = ML_GBDT_SET_GOES_ON;

		for (uint32_t i = 0; i < limit && end != ML_GBDT_SET_IS_OVER; i++)
		{
			double		gain;

			end = ml_gbdt_set_add(rules, s->scale, leaf.rows, s->hist[s->rank[from_end ? n - 1 - i : i].bin], &side);
			if (end != ML_GBDT_SET_MAY_END)
				continue;
			gain = gain_of(s, &leaf, side.left, rules->lambda_l2 + rules->cat_l2);
			if (gain > best->gain)
				*best = (MlGbdtSplit) {.gain = gain, .feature = s->feature, .left = side.left,
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
	n = rank_categories(search, split->set_size);
	for (uint32_t i = 0; i < split->set_size; i++)
		bin[i] = search->rank[split->from_end ? n - 1 - i : i].bin;
	return split->set_size;
}
