/*-------------------------------------------------------------------------
 * split.c
 *	  Splits of one node on one feature.
 *
 * The rows of the node are summed up by bin.  Most nodes of a tree are small, and
 * to clear and search 256 bins for ten rows would be most of the work: below a
 * quarter of the bins a bitmap says which ones were touched, and only these are
 * looked at and cleared.
 *
 * Missing values are a bin of their own that goes with either side, whichever
 * is better, or stands alone.  Categories are sorted by their mean target or by the
 * share of a class and split like numbers: for two classes and for squared errors
 * that finds the best of all subsets (Breiman et al. 1984, theorem 4.5; Fisher
 * 1958), for more classes, where each in turn gives the order, a good one.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/algo/forest/grow_internal.h"
#include "ml/base/elementary.h"

/* Of many classes only the heaviest give an order of categories. */
#define MOST_ORDERS 16

/* ---- scores ---- */

static inline double
x_log_x(double x, double of)
{
	return x > 0 ? x * ml_log(x / of) : 0;
}

static inline double
score_inline(MlTreeCriterion criterion, int width, const double *s, double weight, double y_mean)
{
	double		sum = 0;

	switch (criterion)
	{
		case ML_TREE_GINI:
			for (int k = 0; k < width; k++)
				sum += s[k] * s[k];
			return sum / weight;
		case ML_TREE_ENTROPY:
			for (int k = 0; k < width; k++)
				sum += x_log_x(s[k], weight);
			return sum;
		case ML_TREE_SQUARED:
			return s[1] * s[1] / weight;
		case ML_TREE_POISSON:
			/* s[1] counts from the mean; a side without events has no logarithm and is no side */
			sum = s[1] + y_mean * weight;
			return sum > 0 ? x_log_x(sum, weight) : -INFINITY;
	}
	return 0;
}

double
ml_tree_weight(const MlTreeGround *ground, const double *stats)
{
	double		sum = 0;

	if (!ground->classes)
		return stats[0];
	for (int k = 0; k < ground->width; k++)
		sum += stats[k];
	return sum;
}

double
ml_tree_score(const MlTreeGround *ground, const double *stats)
{
	return score_inline(ground->rules.criterion, ground->width, stats, ml_tree_weight(ground, stats), ground->y_mean);
}

/* ---- sums by bin ---- */

typedef struct Adding
{
	const void *item;
	size_t		begin;
	size_t		end;
	const void *bin;			/* by row */
	const double *weight;		/* by row */
	int			width;
	double	   *hist;
	uint32_t   *rows;
	uint64_t   *seen;
} Adding;

static inline __attribute__((always_inline)) void
add_body(const Adding *a, bool wide, bool classes, bool weighted, bool rows, bool seen)
{
	const uint8_t *narrow = a->bin;
	const uint16_t *two = a->bin;
	double	   *hist = a->hist;
	size_t		width = (size_t) a->width;

	for (size_t i = a->begin; i < a->end; i++)
	{
		const MlTreeClassItem *c = (const MlTreeClassItem *) a->item + i;
		const MlTreeValueItem *v = (const MlTreeValueItem *) a->item + i;
		uint32_t	row = classes ? c->row : v->row;
		uint32_t	b = wide ? two[row] : narrow[row];
		double		w = classes ? c->draws : v->draws;

		if (weighted)
			w *= a->weight[row];
		if (classes)
			hist[b * width + c->class_number] += w;
		else
		{
			hist[2 * b] += w;
			hist[2 * b + 1] += w * v->y;
		}
		if (rows)
			a->rows[b]++;
		if (seen)
			a->seen[b / 64] |= UINT64_C(1) << (b % 64);
	}
}

#define ADD(i) static void add_##i(const Adding *a) \
	{ add_body(a, ((i) & 1) != 0, ((i) & 2) != 0, ((i) & 4) != 0, ((i) & 8) != 0, ((i) & 16) != 0); }
ADD(0) ADD(1) ADD(2) ADD(3) ADD(4) ADD(5) ADD(6) ADD(7)
ADD(8) ADD(9) ADD(10) ADD(11) ADD(12) ADD(13) ADD(14) ADD(15)
ADD(16) ADD(17) ADD(18) ADD(19) ADD(20) ADD(21) ADD(22) ADD(23)
ADD(24) ADD(25) ADD(26) ADD(27) ADD(28) ADD(29) ADD(30) ADD(31)

static void (*const adders[]) (const Adding *) = {
	add_0, add_1, add_2, add_3, add_4, add_5, add_6, add_7,
	add_8, add_9, add_10, add_11, add_12, add_13, add_14, add_15,
	add_16, add_17, add_18, add_19, add_20, add_21, add_22, add_23,
	add_24, add_25, add_26, add_27, add_28, add_29, add_30, add_31
};

/* Touched bins from the bitmap, which is cleared. */
static uint32_t
list_seen(MlTreeGrower *g, uint32_t bins)
{
	uint32_t	n = 0;

	for (uint32_t w = 0; w <= (bins - 1) / 64; w++)
	{
		for (uint64_t bits = g->seen[w]; bits != 0; bits &= bits - 1)
			g->touched[n++] = 64 * w + (uint32_t) __builtin_ctzll(bits);
		g->seen[w] = 0;
	}
	return n;
}

/* Touched bins by their sums: weights are above 0. */
static uint32_t
list_filled(MlTreeGrower *g, uint32_t bins)
{
	const MlTreeGround *ground = g->ground;
	uint32_t	width = (uint32_t) ground->width;
	uint32_t	n = 0;

	if (!ground->classes || width == 2)
	{
		for (uint32_t b = 0; b < bins; b++)
		{
			g->touched[n] = b;
			n += g->hist[2 * b] != 0 || (ground->classes && g->hist[2 * b + 1] != 0);
		}
		return n;
	}
	for (uint32_t b = 0; b < bins; b++)
	{
		bool		any = false;

		for (uint32_t k = 0; k < width; k++)
			any |= g->hist[b * width + k] != 0;
		g->touched[n] = b;
		n += any;
	}
	return n;
}

/* Sums up by bin; returns how many bins hold rows. */
static uint32_t
add_items(MlTreeGrower *g, const MlGbdtColumn *column, size_t begin, size_t end)
{
	const MlTreeGround *ground = g->ground;
	uint32_t	bins = column->missing + 1;
	bool		few = end - begin < bins / 4;
	Adding		a = {
		.item = g->item, .begin = begin, .end = end, .weight = ground->weight, .width = ground->width,
		.bin = column->narrow != NULL ? (const void *) column->narrow : column->wide,
		.hist = g->hist, .rows = g->hist_rows, .seen = g->seen
	};

	adders[(column->narrow == NULL) | ground->classes << 1 | (ground->weight != NULL) << 2 |
		   (ground->rules.min_leaf > 1) << 3 | few << 4] (&a);
	return few ? list_seen(g, bins) : list_filled(g, bins);
}

static void
clear_sums(MlTreeGrower *g, uint32_t n_touched)
{
	size_t		width = (size_t) g->ground->width;

	for (uint32_t i = 0; i < n_touched; i++)
	{
		memset(g->hist + g->touched[i] * width, 0, width * sizeof(double));
		g->hist_rows[g->touched[i]] = 0;
	}
}

/* ---- candidates ---- */

/* The least weight of a side. */
static inline double
min_weight(const MlTreeGrower *g)
{
	return g->ground->rules.min_leaf_share > 0 ? g->ground->rules.min_leaf_share * g->node[0].weight : 0;
}

/* What one scan over bins in some order knows. */
typedef struct Scan
{
	MlTreeGrower *g;
	size_t		n;				/* rows of the node */
	double		weight;
	double		min_weight;		/* of a side */
	MlTreeSplit split;			/* what is the same for all candidates */
	const uint32_t *order;		/* bins */
	uint32_t	n_order;		/* the last one is no candidate unless "whole" */
	bool		whole;			/* all of them left, the missing ones right */
	uint32_t	missing;		/* a bin that starts on the left; UINT32_MAX: none */
	uint32_t	best;			/* how many bins of the order go left; 0: no better one was found */
} Scan;

/* Copies the stats of the best candidate. */
static void
note(Scan *s, double score, uint32_t count, const double *left, size_t rows)
{
	s->g->best = s->split;
	s->g->best.score = score;
	s->g->best.bin = s->order[count - 1];
	s->g->best.next = count < s->n_order ? s->order[count] : UINT32_MAX;
	s->g->best_left_rows = rows;
	memcpy(s->g->best_left, left, (size_t) s->g->ground->width * sizeof(double));
	s->best = count;
}

static inline __attribute__((always_inline)) void
scan_body(Scan *s, MlTreeCriterion criterion, int width, bool classes)
{
	MlTreeGrower *g = s->g;
	const double *hist = g->hist;
	const double *total = g->total;
	double	   *left = g->left;
	double		y_mean = g->ground->y_mean;
	size_t		min_leaf = g->ground->rules.min_leaf;
	bool		count_rows = min_leaf > 1;
	size_t		rows = 0;
	double		w_left = 0;
	double		right[2];
	uint32_t	end = s->whole ? s->n_order : s->n_order - 1;

	for (int k = 0; k < width; k++)
		left[k] = 0;
	if (s->missing != UINT32_MAX)
	{
		for (int k = 0; k < width; k++)
			left[k] = hist[(size_t) s->missing * width + k];
		for (int k = 0; k < (classes ? width : 1); k++)
			w_left += left[k];
		rows = g->hist_rows[s->missing];
	}
	for (uint32_t i = 0; i < end; i++)
	{
		size_t		b = s->order[i];
		double		score;
		double		w_right;

		for (int k = 0; k < width; k++)
			left[k] += hist[b * width + k];
		for (int k = 0; k < (classes ? width : 1); k++)
			w_left += hist[b * width + k];
		w_right = s->weight - w_left;
		if (count_rows)
		{
			rows += g->hist_rows[b];
			if (rows < min_leaf)
				continue;
			if (s->n - rows < min_leaf)
				break;
		}
		if (w_left < s->min_weight || w_right < s->min_weight || !(w_right > 0))
			continue;
		if (width == 2)
		{
			right[0] = total[0] - left[0];
			right[1] = total[1] - left[1];
			score = score_inline(criterion, 2, left, w_left, y_mean) + score_inline(criterion, 2, right, w_right, y_mean);
		}
		else if (criterion == ML_TREE_GINI)
		{
			double		sum_left = 0;
			double		sum_right = 0;

			for (int k = 0; k < width; k++)
			{
				double		r = total[k] - left[k];

				sum_left += left[k] * left[k];
				sum_right += r * r;
			}
			score = sum_left / w_left + sum_right / w_right;
		}
		else
		{
			score = 0;
			for (int k = 0; k < width; k++)
				score += x_log_x(left[k], w_left) + x_log_x(total[k] - left[k], w_right);
		}
		if (score > g->best.score)
			note(s, score, i + 1, left, rows);
	}
}

static void
scan(Scan *s)
{
	const MlTreeGround *ground = s->g->ground;

	switch (ground->rules.criterion)
	{
		case ML_TREE_GINI:
			if (ground->width == 2)
				scan_body(s, ML_TREE_GINI, 2, true);
			else
				scan_body(s, ML_TREE_GINI, ground->width, true);
			break;
		case ML_TREE_ENTROPY:
			scan_body(s, ML_TREE_ENTROPY, ground->width, true);
			break;
		case ML_TREE_SQUARED:
			scan_body(s, ML_TREE_SQUARED, 2, false);
			break;
		case ML_TREE_POISSON:
			scan_body(s, ML_TREE_POISSON, 2, false);
			break;
	}
}

/* Missing values go with either side, or, where all others are left, stand alone. */
static void
scan_both_ways(Scan *s, uint32_t missing)
{
	s->missing = UINT32_MAX;
	s->whole = missing != UINT32_MAX;
	s->split.missing_left = false;
	scan(s);
	if (missing == UINT32_MAX || s->n_order < 2)
		return;
	s->missing = missing;
	s->whole = false;
	s->split.missing_left = true;
	scan(s);
}

/* ---- categories ---- */

static void
sort_ranks(MlTreeRank *rank, uint32_t n)
{
	/* Few or nearly sorted in most nodes; else by halves. */
	if (n <= 16)
	{
		for (uint32_t i = 1; i < n; i++)
		{
			MlTreeRank	r = rank[i];
			uint32_t	j = i;

			for (; j > 0 && (rank[j - 1].key > r.key || (rank[j - 1].key == r.key && rank[j - 1].bin > r.bin)); j--)
				rank[j] = rank[j - 1];
			rank[j] = r;
		}
		return;
	}
	for (uint32_t root = n / 2; root-- > 0;)
		for (uint32_t i = root, c; (c = 2 * i + 1) < n; i = c)
		{
			MlTreeRank	swap;

			c += c + 1 < n && (rank[c + 1].key > rank[c].key || (rank[c + 1].key == rank[c].key && rank[c + 1].bin > rank[c].bin));
			if (rank[c].key < rank[i].key || (rank[c].key == rank[i].key && rank[c].bin <= rank[i].bin))
				break;
			swap = rank[i];
			rank[i] = rank[c];
			rank[c] = swap;
		}
	for (uint32_t end = n; end-- > 1;)
	{
		MlTreeRank	swap = rank[0];

		rank[0] = rank[end];
		rank[end] = swap;
		for (uint32_t i = 0, c; (c = 2 * i + 1) < end; i = c)
		{
			c += c + 1 < end && (rank[c + 1].key > rank[c].key || (rank[c + 1].key == rank[c].key && rank[c + 1].bin > rank[c].bin));
			if (rank[c].key < rank[i].key || (rank[c].key == rank[i].key && rank[c].bin <= rank[i].bin))
				break;
			swap = rank[i];
			rank[i] = rank[c];
			rank[c] = swap;
		}
	}
}

/* Scans the touched categories in the order of the share of a class, or of the mean target (k = 1 of two). */
static void
scan_order(Scan *s, uint32_t *order, uint32_t n, int k)
{
	MlTreeGrower *g = s->g;
	const MlTreeGround *ground = g->ground;
	size_t		width = (size_t) ground->width;

	for (uint32_t i = 0; i < n; i++)
	{
		const double *stats = g->hist + order[i] * width;

		g->rank[i] = (MlTreeRank) {stats[k] / ml_tree_weight(ground, stats), order[i]};
	}
	sort_ranks(g->rank, n);
	for (uint32_t i = 0; i < n; i++)
		order[i] = g->rank[i].bin;
	s->best = 0;
	s->order = order;
	s->n_order = n;
	scan(s);
	if (s->best == 0)
		return;
	for (uint32_t i = 0; i < n; i++)
		g->left_side[order[i]] = i < s->best;
}

/* Classes of the node, the heaviest first; at most MOST_ORDERS. */
static int
choose_orders(const MlTreeGrower *g, int *order)
{
	int			n = 0;

	for (int k = 0; k < g->ground->width; k++)
	{
		int			j;

		if (!(g->total[k] > 0) || (n == MOST_ORDERS && !(g->total[k] > g->total[order[n - 1]])))
			continue;
		j = n < MOST_ORDERS ? n++ : n - 1;
		for (; j > 0 && g->total[order[j - 1]] < g->total[k]; j--)
			order[j] = order[j - 1];
		order[j] = k;
	}
	return n;
}

/* Missing is a category like any other. */
static void
split_category(Scan *s, uint32_t *order, uint32_t n)
{
	MlTreeGrower *g = s->g;
	int			orders[MOST_ORDERS] = {1};
	int			n_orders = g->ground->width > 2 ? choose_orders(g, orders) : 1;

	s->split.category = true;
	s->missing = UINT32_MAX;
	for (int o = 0; o < n_orders; o++)
		scan_order(s, order, n, orders[o]);
}

/* ---- random splits ---- */

/* The only candidate: the items of which bin_of says 1 go left.  True: it is the best so far. */
static bool
judge_sides(MlTreeGrower *g, MlTreeSplit split, size_t begin, size_t end)
{
	const MlTreeGround *ground = g->ground;
	size_t		width = (size_t) ground->width;
	double	   *right = g->left + width;
	double		w_left;
	double		w_right;
	size_t		rows = 0;

	memset(g->left, 0, width * sizeof(double));
	for (size_t i = begin; i < end; i++)
	{
		double		w = g->bin_of[i - begin];

		rows += g->bin_of[i - begin];
		if (ground->classes)
		{
			const MlTreeClassItem *c = (const MlTreeClassItem *) g->item + i;

			w *= c->draws;
			g->left[c->class_number] += ground->weight == NULL ? w : w * ground->weight[c->row];
		}
		else
		{
			const MlTreeValueItem *v = (const MlTreeValueItem *) g->item + i;

			w *= v->draws;
			w *= ground->weight == NULL ? 1 : ground->weight[v->row];
			g->left[0] += w;
			g->left[1] += w * v->y;
		}
	}
	for (size_t k = 0; k < width; k++)
		right[k] = g->total[k] - g->left[k];
	w_left = ml_tree_weight(ground, g->left);
	w_right = ml_tree_weight(ground, right);
	if (rows < ground->rules.min_leaf || end - begin - rows < ground->rules.min_leaf)
		return false;
	if (!(w_left > 0) || !(w_right > 0) || w_left < min_weight(g) || w_right < min_weight(g))
		return false;
	split.score = score_inline(ground->rules.criterion, (int) width, g->left, w_left, ground->y_mean) +
		score_inline(ground->rules.criterion, (int) width, right, w_right, ground->y_mean);
	if (!(split.score > g->best.score))
		return false;
	g->best = split;
	g->best_left_rows = rows;
	memcpy(g->best_left, g->left, width * sizeof(double));
	return true;
}

/* The random threshold of numbers between bins low and high: the last bin that goes left. */
static uint32_t
random_bin(MlTreeGrower *g, int32_t feature, uint32_t low, uint32_t high)
{
	const double *middle = g->ground->middle[feature];
	const double *upper = g->ground->bins.column[feature].upper;
	double		u = ml_tree_random_uniform(g);
	double		t = middle[low] * (1 - u) + middle[high] * u;
	uint32_t	begin = low;
	uint32_t	end = high - 1;

	/* The last limit not above t, or the first. */
	while (begin < end)
	{
		uint32_t	half = begin + (end - begin + 1) / 2;

		if (upper[half] <= t)
			begin = half;
		else
			end = half - 1;
	}
	return begin;
}

/* Categories of the node go left by coin, missing ones like any other. */
static bool
split_random_category(MlTreeGrower *g, int32_t feature, size_t begin, size_t end)
{
	const MlGbdtColumn *column = &g->ground->bins.column[feature];
	uint32_t	n;

	for (size_t i = begin; i < end; i++)
		g->seen[g->bin_of[i - begin] / 64] |= UINT64_C(1) << (g->bin_of[i - begin] % 64);
	n = list_seen(g, column->missing + 1);
	if (n < 2)
		return false;
	for (uint32_t i = 0; i < n; i++)
		g->try_side[g->touched[i]] = (ml_tree_random(g) >> 63) != 0;
	g->try_side[g->touched[0]] = !g->try_side[g->touched[n - 1]];
	for (size_t i = begin; i < end; i++)
		g->bin_of[i - begin] = g->try_side[g->bin_of[i - begin]];
	if (judge_sides(g, (MlTreeSplit) {.feature = feature, .category = true}, begin, end))
		for (uint32_t i = 0; i < n; i++)
			g->left_side[g->touched[i]] = g->try_side[g->touched[i]];
	return true;
}

/* Extremely randomised (Geurts et al. 2006): a threshold uniform between the values at hand. */
static bool
split_random(MlTreeGrower *g, int32_t feature, size_t begin, size_t end)
{
	const MlGbdtColumn *column = &g->ground->bins.column[feature];
	MlTreeSplit split = {.feature = feature};
	uint32_t	low = UINT32_MAX;
	uint32_t	high = 0;
	bool		missing = false;
	enum
	{
		WITH_LEFT, WITH_RIGHT, ALONE
	}			way;

	for (size_t i = begin; i < end; i++)
	{
		uint32_t	row = g->ground->classes ? ((const MlTreeClassItem *) g->item)[i].row : ((const MlTreeValueItem *) g->item)[i].row;

		g->bin_of[i - begin] = (uint16_t) ml_tree_bin(column, row);
	}
	if (column->category)
		return split_random_category(g, feature, begin, end);
	for (size_t i = begin; i < end; i++)
	{
		uint32_t	b = g->bin_of[i - begin];
		bool		none = b == column->missing;

		missing |= none;
		low = !none && b < low ? b : low;
		high = !none && b > high ? b : high;
	}
	if (low == UINT32_MAX || (low == high && !missing))
		return false;
	/* Missing numbers go with either side or stand alone. */
	way = !missing ? WITH_RIGHT : low == high ? ALONE : ml_tree_random_below(g, 3);
	split.missing_left = way == WITH_LEFT;
	split.bin = way == ALONE ? high : random_bin(g, feature, low, high);
	split.next = way == ALONE ? UINT32_MAX : split.bin + 1;
	for (size_t i = begin; i < end; i++)
	{
		uint32_t	b = g->bin_of[i - begin];

		g->bin_of[i - begin] = b <= split.bin || (split.missing_left && b == column->missing);
	}
	judge_sides(g, split, begin, end);
	return true;
}

bool
ml_tree_split_feature(MlTreeGrower *g, int32_t feature, size_t begin, size_t end)
{
	const MlTreeGround *ground = g->ground;
	const MlGbdtColumn *column = &ground->bins.column[feature];
	Scan		s = {
		.g = g, .n = end - begin, .weight = ml_tree_weight(ground, g->total),
		.split = {.feature = feature}, .order = g->touched
	};
	uint32_t	n;
	bool		missing;

	if (ground->rules.random)
		return split_random(g, feature, begin, end);
	n = add_items(g, column, begin, end);
	s.min_weight = min_weight(g);
	s.n_order = n;
	if (n >= 2 && column->category)
		split_category(&s, g->touched, n);
	else if (n >= 2)
	{
		missing = g->touched[n - 1] == column->missing;
		s.n_order = missing ? n - 1 : n;
		scan_both_ways(&s, missing ? column->missing : UINT32_MAX);
	}
	clear_sums(g, n);
	return n >= 2;
}
