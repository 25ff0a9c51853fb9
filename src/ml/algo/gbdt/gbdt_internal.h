/*-------------------------------------------------------------------------
 * gbdt_internal.h
 *	  What the training half of gbdt shares between its files.
 *
 * Gradients become integers once per tree (quantised to 30 bits by a power of
 * two), and a histogram entry is two int64: the sum of gradients, and the sum of
 * hessians above the exact row count.  Integer sums do not depend on the order of
 * addition, so any split of the work over threads gives the same tree, a
 * sibling's histogram is an exact difference, and min_data_in_leaf is exact.
 * Thirty bits and not fifteen: one large outlier must not blur all other rows.
 * Where there is none, and rows are many, a tree takes fewer bits, so that a row
 * is one int64 in histograms of few rows (see MlGbdtScale).
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_GBDT_INTERNAL_H
#define ML_ALGO_GBDT_INTERNAL_H

#include "ml/algo/gbdt/forest.h"
#include "ml/data/binner.h"

/* Streams of random numbers under env->seed. */
enum
{
	ML_GBDT_STREAM_BINS = 0x67626474,
	ML_GBDT_STREAM_ROWS,
	ML_GBDT_STREAM_FEATURES,
	ML_GBDT_STREAM_LEVELS,
	ML_GBDT_STREAM_NODES,
	ML_GBDT_STREAM_GOSS
};

/* Rows that one block of sums or gradients covers; partial sums are joined in block order. */
#define ML_GBDT_BLOCK 4096

/* One histogram entry: {sum of g, sum of h << count_bits | rows}. */
typedef int64_t MlGbdtSum __attribute__((vector_size(16)));

/*
 * The quantised gradients of all rows, one of the two.  exact: int32 g and uint32 h above it.  packed, in half the room, what a
 * packed sum is made of: 16 bits of g above 16 of h, or where every hessian is 1 only the 30 bits of g.
 */
typedef struct MlGbdtGradients
{
	int64_t    *exact;
	int32_t    *packed;
	bool		around;			/* are they written around the caches? */
} MlGbdtGradients;

/*
 * Packed sums: 27 bits for g, then 25 for h, then 12 for the number of rows.  With at
 * most 2^14 for a row's g and 2^13 for its h, this many rows fit.
 */
#define ML_GBDT_PACKED_ROWS 4095
#define ML_GBDT_PACKED_G_BITS 14
#define ML_GBDT_PACKED_H_BITS 13
#define ML_GBDT_PACKED_G_SHIFT 37
#define ML_GBDT_PACKED_H_SHIFT 12

#define ML_GBDT_STORED_G_SHIFT 16

/* Where every hessian is 1, their sum is the number of rows: packed, 48 bits for g, then 16 for both. */
#define ML_GBDT_UNIT_ROWS 65535
#define ML_GBDT_UNIT_G_SHIFT 16

/* ---- bins.c: the data, binned ---- */

/*
 * Bins of a number: 0 .. n_bins-1 by value, then one for missing.  Of a category:
 * its code, then "other", then missing.  Columns of at most 256 bins are kept as
 * bytes, column by column and row by row; wider ones as uint16 by column only.
 */
typedef struct MlGbdtColumn
{
	bool		category;
	bool		usable;			/* at least two bins hold rows */
	uint32_t	n_bins;			/* without missing (and without "other") */
	uint32_t	missing;		/* the bin of missing values, the last one */
	uint32_t	present;		/* bins that hold rows */
	MlBinner	binner;			/* of a number */
	const double *upper;		/* its n_bins-1 thresholds: bin b holds upper[b-1] < x <= upper[b] */
	bool		given;			/* narrow belongs to the data set */
	bool		deferred;		/* a sparse column that has not been spread out yet */
	uint8_t    *narrow;			/* bins by row, one of the two is NULL; in a bundle its bytes */
	uint16_t   *wide;
	int32_t		position;		/* of its stored column, -1 for none */

	/* In a bundle; else bin_of is NULL. */
	uint32_t	first_value;	/* its bins but the default one are the bytes from here on */
	uint32_t	n_values;
	uint32_t	default_bin;	/* what all other bytes mean */
	const uint8_t *bin_of;		/* 256: the bin that a byte means */
	int32_t		bundle;			/* its number */
} MlGbdtColumn;

/* Columns that one byte holds together, at most: of two bins each. */
#define ML_GBDT_BYTE_MEMBERS 8

/* A byte of a row: a stored column's, or the number of a combination of several ones' bins (joint.c). */
typedef struct MlGbdtByte
{
	int			first;			/* its stored columns are first .. first+members-1 */
	int			members;
	uint32_t	cells;			/* combinations */
	uint16_t	size[ML_GBDT_BYTE_MEMBERS]; /* bins with rows, by member */

	const uint8_t *share;		/* by member and bin (256): what the bin adds to the byte.  Of several members */
	const uint16_t *place;		/* by member and bin with rows: its histogram entry, from the first member's first one on.  The same */
	const uint8_t *apart;		/* by byte and member: the bin that it stands for; ML_GBDT_BYTE_MEMBERS may be read from there */
} MlGbdtByte;

typedef struct MlGbdtBins
{
	size_t		n;				/* rows of the training part */
	int			n_features;
	MlGbdtColumn *column;
	int			n_narrow;		/* usable narrow columns */
	int		   *narrow;			/* their features */
	int			n_bundles;
	int			n_stored;		/* narrow columns, and bundles of them: what histograms are made of */
	const uint8_t **stored;		/* column by column */
	int			n_wide;
	int		   *wide;
	uint32_t	widest;			/* bins of the widest wide column */
	int			n_bytes;		/* of a row */
	MlGbdtByte *byte;
	size_t		stride;			/* from row to row */
	uint8_t    *row_major;		/* n x stride */
	uint32_t   *offset;			/* n_stored + 1: first histogram entry of each stored column; last: entries in all */
} MlGbdtBins;

extern MlStatus ml_gbdt_bins_make(MlEnv *env, const MlDataset *data, const MlBinRules *rules, bool bundle, MlGbdtBins *bins);

/* The same without a copy row by row, and without "offset". */
extern MlStatus ml_gbdt_bins_columns(MlEnv *env, const MlDataset *data, const MlBinRules *rules, MlGbdtBins *bins);

/* ---- bundle.c: columns that share a stored one ---- */

/* Bundles narrow columns that are never in bins other than their default ones in the same row.  present: by bin, from first_bin[feature] on. */
extern MlStatus ml_gbdt_bundle(MlEnv *env, const MlDataset *data, const uint8_t *present, const size_t *first_bin, MlGbdtBins *bins);

/* ---- joint.c: columns that share a byte of a row ---- */

extern size_t ml_gbdt_joining_rows; /* with fewer no pairs share one, with an eighth of that no columns do */

/*
 * Makes the bytes of rows, and renumbers stored columns so that those of a byte stand together; also "offset".  entries: of the
 * histograms of stored columns; present: which of them hold rows, NULL for all.
 */
extern MlStatus ml_gbdt_join(MlEnv *env, const uint8_t **present, const uint32_t *entries, MlGbdtBins *bins);

/* One byte of rows begin .. begin+n-1. */
extern void ml_gbdt_byte_rows(const MlGbdtBins *bins, const MlGbdtByte *byte, size_t begin, size_t n, uint8_t *to);

/*
 * From the histogram of a byte of several members to theirs; leaves zeros.  Packed sums go to sum[], one for each of
 * byte->place[], and how many is returned; sums of two are added to hist, where the first member's histogram begins.
 */
extern uint32_t ml_gbdt_fold_packed(const MlGbdtByte *byte, int64_t *cell, int64_t *sum);
extern void ml_gbdt_fold_sums(const MlGbdtByte *byte, MlGbdtSum *cell, MlGbdtSum *hist);

/* ---- objective.c: losses ---- */

typedef struct MlGbdtLoss
{
	MlGbdtObjective objective;
	size_t		n;				/* training rows */
	size_t		n_valid;		/* rows after them */
	int32_t		n_outputs;
	const double *y;			/* n + n_valid; a regression's already divided by its scale */
	const double *weight;		/* the same, or NULL */
	double		weight_sum;		/* over the training part */
	double		weight_max;
	double		hessian_factor; /* softmax: K / (K - 1), as LightGBM */
	double		shape;			/* huber: where it turns linear, in scaled units; quantile: which; tweedie: power of the variance; poisson: safety of the hessian */
	double	   *score;			/* n_outputs x (n + n_valid) */
	double	   *g;				/* n_outputs x n, gradients of the current scores */
	double	   *h;				/* n, hessians, where they do not follow from g and the weight; else NULL */
	double		g_max;			/* bounds over rows of one output */
	double		g_sum;
	double		g_mean;			/* of the absolute values; 0 where it is not known */
	double		h_max;			/* bounds of hessians, and of their sum */
	double		h_sum;
	double	   *block;			/* scratch, ML_GBDT_BLOCK_SUMS per block */

	/* With the scale of the last tree, gradients become integers while they are in the cache; most often the next tree has the same. */
	bool		round_ahead;	/* may that be?  Each tree has all rows, and there is one an iteration */
	const struct MlGbdtScale *rounding; /* NULL: there is no such scale */
	MlGbdtGradients rounded;
	MlGbdtSum  *rounded_sum;	/* by block */

	/* The last tree's values, if they are yet to be added to the scores of the training rows: that is done with the gradients. */
	const uint32_t *leaf_of;	/* by row; NULL: there are none */
	const double *leaf_value;
} MlGbdtLoss;

/* Where scores start.  Before the scores are filled: score and g serve as scratch. */
extern void ml_gbdt_loss_base(MlGbdtLoss *loss, bool from_average, double *base);

/* Brings the scores up to date; gradients of them, and the mean loss of the training part (root of the mean for squared). */
extern MlStatus ml_gbdt_loss_gradients(MlEnv *env, MlGbdtLoss *loss, double *train_loss);
extern MlStatus ml_gbdt_loss_validation(MlEnv *env, MlGbdtLoss *loss, double *validation_loss);
extern const char *ml_gbdt_loss_name(MlGbdtObjective objective);

/* Sums of one block of rows. */
enum
{
	ML_GBDT_BLOCK_LOSS,
	ML_GBDT_BLOCK_MAX,			/* of absolute gradients */
	ML_GBDT_BLOCK_SUM,
	ML_GBDT_BLOCK_H_MAX,
	ML_GBDT_BLOCK_H_SUM,
	ML_GBDT_BLOCK_SUMS
};

/* losses.c: huber, quantile, poisson, gamma, tweedie, cross-entropy. */
extern void ml_gbdt_general_rows(const MlGbdtLoss *loss, size_t begin, size_t end, bool gradients, double *sums);
extern double ml_gbdt_general_base(MlGbdtLoss *loss);

/* Values that the loss is not made for: ML_BAD_DATA. */
extern MlStatus ml_gbdt_check_target(MlEnv *env, MlGbdtObjective objective, const MlDataset *data);

/* The hessian of a row: follows from its gradient and weight, or is kept. */
static inline double
ml_gbdt_hessian(const MlGbdtLoss *loss, size_t row, double g, double w)
{
	double		a;

	if (loss->h != NULL)
		return loss->h[row];
	if (ml_gbdt_identity(loss->objective))
		return w;
	a = g < 0 ? -g : g;			/* w times the probability of being wrong */
	return w > 0 ? loss->hessian_factor * a * (1 - a / w) : 0;
}

static inline double
ml_gbdt_weight(const MlGbdtLoss *loss, size_t i)
{
	return loss->weight == NULL ? 1.0 : loss->weight[i];
}

/* Weighted quantile (the middle of two where that share of the weight ends between them; 0.5: the median).  Reorders both arrays. */
extern double ml_gbdt_quantile(double *value, double *weight, size_t n, double share);

/* Are leaf values quantiles of what is left, and not Newton steps? */
static inline bool
ml_gbdt_renews_leaves(MlGbdtObjective objective)
{
	return objective == ML_GBDT_ABSOLUTE || objective == ML_GBDT_QUANTILE;
}

/* ---- grow.c: one tree ---- */

typedef struct MlGbdtRules
{
	int32_t		num_leaves;
	int32_t		max_depth;		/* below 1: no limit */
	int64_t		min_data_in_leaf;	/* at least 1 */
	double		min_sum_hessian;
	double		lambda_l1;
	double		lambda_l2;
	double		min_gain;
	int32_t		max_cat_to_onehot;
	int32_t		max_cat_threshold;
	double		cat_smooth_rows;	/* a category with fewer rows in the leaf is not sorted in */
	double		cat_smooth;		/* added to its hessian */
	double		cat_l2;
	int64_t		min_data_per_group;
	double		learning_rate;
	bool		depthwise;		/* level by level, not by gain alone */
	bool		symmetric;		/* the same condition in all leaves of a level */
	double		level_fraction; /* of the tree's features that each level may split on */
	double		node_fraction;	/* and of those each leaf */
	double		max_delta;		/* of a leaf's value; 0: no limit */
	const int8_t *monotone;		/* by feature: 1 rising, -1 falling, 0 either; NULL: all 0 */
} MlGbdtRules;

/* Are leaf values kept within bounds? */
static inline bool
ml_gbdt_bounded(const MlGbdtRules *rules)
{
	return rules->monotone != NULL || rules->max_delta > 0;
}

typedef struct MlGbdtSplit
{
	double		gain;			/* above what the leaf has; 0 or less: none */
	int32_t		feature;
	uint32_t	bin;			/* number: last bin that goes left; one-hot: the bin */
	uint32_t	set_size;		/* category: how many of the sorted bins go left */
	bool		from_end;		/* they are counted from the end */
	bool		onehot;
	bool		missing_left;
	MlGbdtSum	left;			/* what goes left, missing included where it does */
} MlGbdtSplit;

/* How integers become doubles again. */
typedef struct MlGbdtScale
{
	bool		packed;			/* rows are, sums are not */
	bool		unit_h;			/* and every hessian is 1 */
	int			count_bits;
	double		g;				/* sum of g times this */
	double		h;
	double		to_g;			/* the other way, per row */
	double		to_h;
} MlGbdtScale;

/* A row as a sum of one. */
static inline MlGbdtSum
ml_gbdt_sum_of_row(const MlGbdtScale *scale, const MlGbdtGradients *gradients, size_t row)
{
	int64_t		g;
	int64_t		h;

	if (!scale->packed)
	{
		g = (int32_t) gradients->exact[row];
		h = (int64_t) ((uint64_t) gradients->exact[row] >> 32);
	}
	else
	{
		g = scale->unit_h ? gradients->packed[row] : gradients->packed[row] >> ML_GBDT_STORED_G_SHIFT;
		h = scale->unit_h ? 1 : gradients->packed[row] & ((1 << ML_GBDT_STORED_G_SHIFT) - 1);
	}
	return (MlGbdtSum) {g, (h << scale->count_bits) + 1};
}

/* A stored packed row as a packed sum of one. */
static inline int64_t
ml_gbdt_packed_sum(bool unit_h, int32_t stored)
{
	int64_t		h = stored & ((1 << ML_GBDT_STORED_G_SHIFT) - 1);

	if (unit_h)
		return (int64_t) ((uint64_t) stored << ML_GBDT_UNIT_G_SHIFT) + 1;
	return (int64_t) ((uint64_t) (stored >> ML_GBDT_STORED_G_SHIFT) << ML_GBDT_PACKED_G_SHIFT) + (h << ML_GBDT_PACKED_H_SHIFT) + 1;
}

static inline void
ml_gbdt_store_row(const MlGbdtScale *scale, int64_t g, int64_t h, const MlGbdtGradients *gradients, size_t row)
{
	if (!scale->packed)
		gradients->exact[row] = (int64_t) ((uint64_t) h << 32 | (uint32_t) g);
	else
		gradients->packed[row] = (int32_t) (scale->unit_h ? g : g * (1 << ML_GBDT_STORED_G_SHIFT) + h);
}

static inline int64_t
ml_gbdt_rows(const MlGbdtScale *scale, MlGbdtSum s)
{
	return s[1] & ((INT64_C(1) << scale->count_bits) - 1);
}

static inline double
ml_gbdt_g(const MlGbdtScale *scale, MlGbdtSum s)
{
	return (double) s[0] * scale->g;
}

static inline double
ml_gbdt_h(const MlGbdtScale *scale, MlGbdtSum s)
{
	return (double) (s[1] >> scale->count_bits) * scale->h;
}

/* ---- rows.c: sweeps over all rows ---- */

/* Gradients (unless g is NULL) of n rows, and the sums of the loss and of absolute gradients; weight may be NULL. */
extern void ml_gbdt_logistic_rows(const double *score, const double *y, const double *weight, size_t n, double *g,
								  double *loss, double *sum_g);

/* The same of the squared loss; adds to sums[] by ML_GBDT_BLOCK_...  */
extern void ml_gbdt_squared_rows(const double *score, const double *y, const double *weight, size_t n, double *g, double *sums);

/* Rows begin .. end-1 to integers; adds them to *sum. */
extern void ml_gbdt_quantise_rows(const MlGbdtLoss *loss, const MlGbdtScale *scale, const double *g, size_t begin, size_t end,
								  const MlGbdtGradients *to, MlGbdtSum *sum);

/* ---- bundle.c, again ---- */

/* The histogram of a column by bin, from that of its stored column in a leaf: the same, or spread out into room. */
extern const MlGbdtSum *ml_gbdt_spread(const MlGbdtColumn *column, const MlGbdtSum *stored, MlGbdtSum total, MlGbdtSum *room);

/* goes_left: from bins to what is stored; 256 bytes of room. */
extern void ml_gbdt_stored_sides(const MlGbdtColumn *column, uint8_t *goes_left);

/* ---- split.c: the best split of one feature in one leaf ---- */

typedef struct MlGbdtRank
{
	uint64_t	key;			/* the gradient statistic as an ordered integer */
	uint32_t	bin;
} MlGbdtRank;

typedef struct MlGbdtSearch
{
	const MlGbdtRules *rules;
	const MlGbdtScale *scale;
	const MlGbdtColumn *column;
	int32_t		feature;
	const MlGbdtSum *hist;		/* column->missing + 1 entries */
	const uint32_t *touched;	/* bins that hold rows, or NULL: look at all */
	uint32_t	n_touched;
	MlGbdtSum	total;			/* of the leaf */
	double		lower;			/* bounds of the values of both halves */
	double		upper;
	MlGbdtRank *rank;			/* scratch for categories */
} MlGbdtSearch;

/* A set of sorted categories that grows by one after another. */
typedef struct MlGbdtSetSide
{
	MlGbdtSum	left;			/* of its rows */
	int64_t		group;			/* rows since it could have ended before */
} MlGbdtSetSide;

typedef enum MlGbdtSetEnd
{
	ML_GBDT_SET_GOES_ON,
	ML_GBDT_SET_MAY_END,
	ML_GBDT_SET_IS_OVER			/* too little is left outside of it, now and later on */
} MlGbdtSetEnd;

/* May the set end with this bin, by the rules for the rows of both sides? */
static inline MlGbdtSetEnd
ml_gbdt_set_add(const MlGbdtRules *rules, const MlGbdtScale *scale, int64_t all_rows, MlGbdtSum bin, MlGbdtSetSide *side)
{
	int64_t		rows;
	int64_t		rest;

	side->left += bin;
	side->group += ml_gbdt_rows(scale, bin);
	rows = ml_gbdt_rows(scale, side->left);
	rest = all_rows - rows;
	if (rows < rules->min_data_in_leaf || ml_gbdt_h(scale, side->left) < rules->min_sum_hessian)
		return ML_GBDT_SET_GOES_ON;
	if (rest < rules->min_data_in_leaf || rest < rules->min_data_per_group)
		return ML_GBDT_SET_IS_OVER;
	if (side->group < rules->min_data_per_group)
		return ML_GBDT_SET_GOES_ON;
	side->group = 0;
	return ML_GBDT_SET_MAY_END;
}

/* Leaves *best alone unless something better was found. */
extern void ml_gbdt_split_find(const MlGbdtSearch *search, MlGbdtSplit *best);

/* The bins of a category split that go left, in rank order into bin[]; returns how many. */
extern uint32_t ml_gbdt_split_bins(const MlGbdtSearch *search, const MlGbdtSplit *split, uint32_t *bin);

/*
 * For splits of many leaves at once.  What a split gains in the leaf of this search, whatever the sign, above what
 * the leaf has; false: it may not be split so.  And the same of every limit of a number, added to two arrays (missing values
 * go right, left; room for "end" rounded up to eight).  Gains below the noise are rounding.
 */
extern bool ml_gbdt_split_gain(const MlGbdtSearch *search, MlGbdtSum left, double l2, double *gain);
extern void ml_gbdt_split_add_limits(const MlGbdtSearch *search, uint32_t end, double *right, double *left);
extern double ml_gbdt_split_noise(const MlGbdtSearch *search);

/* ---- rank.c: categories by their statistic; of equal ones the lower bin is first ---- */

extern MlGbdtRank ml_gbdt_rank_of(double statistic, uint32_t bin);

/* The first and the last "ends" ranks come to their places; what is between them is in any order. */
extern void ml_gbdt_rank_ends(MlGbdtRank *rank, size_t n, size_t ends);

/* What a leaf with these sums gains, and the value it gets (before the learning rate). */
extern double ml_gbdt_leaf_value(const MlGbdtRules *rules, double g, double h, double l2);

static inline double
ml_gbdt_between(double value, double lower, double upper)
{
	return value < lower ? lower : (value > upper ? upper : value);
}

typedef struct MlGbdtGrower MlGbdtGrower;

/* Wide columns of at most so many bins together have their histograms kept: with more, most of them is empty in most leaves. */
#define ML_GBDT_KEPT_ENTRIES 16384

extern size_t ml_gbdt_slot_bytes;
extern size_t ml_gbdt_packing_rows; /* trees of fewer rows keep all bits */
extern bool ml_gbdt_rounding_ahead; /* tests turn it off: no tree depends on it */

extern size_t ml_gbdt_levels_memory(size_t widest, size_t columns, size_t leaves, int threads);	/* beside that, of symmetric trees */
extern size_t ml_gbdt_grower_memory(size_t n, size_t entries, size_t widest, int columns, int32_t num_leaves, int threads);
extern MlStatus ml_gbdt_grower_create(MlEnv *env, const MlGbdtBins *bins, const MlGbdtRules *rules, MlGbdtGrower **grower);

/*
 * Grows one tree for output k of loss on the given rows (ascending) and the
 * features of use[] (by feature; tree is its number among all, for what is drawn), adds it to the forest and its values to the
 * scores of those rows, at the latest when gradients are next asked for.  *grown is false when no split was found; nothing is
 * added then.
 */
extern MlStatus ml_gbdt_grow(MlEnv *env, MlGbdtGrower *grower, MlGbdtLoss *loss, int32_t k,
							 const uint32_t *rows, size_t n_rows, const bool *use, uint64_t tree,
							 MlGbdtForest *forest, bool *grown);

/* ---- boost.c ---- */
extern void ml_gbdt_bin_rules(const MlParams *params, MlBinRules *rules);
extern MlStatus ml_gbdt_fit(MlEnv *env, const MlDataset *data, const MlParams *params, void **model);
extern size_t ml_gbdt_memory(const MlSchema *schema, const MlParams *params, size_t n, int threads);

/* The parameters, in the order of the table in gbdt.c. */
typedef enum MlGbdtParam
{
	ML_GBDT_OBJECTIVE,
	ML_GBDT_NUM_ITERATIONS,
	ML_GBDT_LEARNING_RATE,
	ML_GBDT_NUM_LEAVES,
	ML_GBDT_MAX_DEPTH,
	ML_GBDT_MIN_DATA_IN_LEAF,
	ML_GBDT_MIN_SUM_HESSIAN,
	ML_GBDT_LAMBDA_L1,
	ML_GBDT_LAMBDA_L2,
	ML_GBDT_MIN_GAIN,
	ML_GBDT_MAX_BIN,
	ML_GBDT_MIN_DATA_IN_BIN,
	ML_GBDT_SAMPLE_CNT,
	ML_GBDT_BAGGING_FRACTION,
	ML_GBDT_BAGGING_FREQ,
	ML_GBDT_FEATURE_FRACTION,
	ML_GBDT_MAX_CAT_TO_ONEHOT,
	ML_GBDT_MAX_CAT_THRESHOLD,
	ML_GBDT_CAT_SMOOTH,
	ML_GBDT_CAT_L2,
	ML_GBDT_MIN_DATA_PER_GROUP,
	ML_GBDT_BOOST_FROM_AVERAGE,
	ML_GBDT_EARLY_STOPPING,
	ML_GBDT_EARLY_STOPPING_DELTA,
	ML_GBDT_HUBER_DELTA,
	ML_GBDT_QUANTILE_ALPHA,
	ML_GBDT_TWEEDIE_POWER,
	ML_GBDT_POISSON_MAX_DELTA,
	ML_GBDT_GROW_POLICY,
	ML_GBDT_FRACTION_BYLEVEL,
	ML_GBDT_FRACTION_BYNODE,
	ML_GBDT_MAX_DELTA_STEP,
	ML_GBDT_MONOTONE,
	ML_GBDT_SCALE_POS_WEIGHT,
	ML_GBDT_SAMPLE_STRATEGY,
	ML_GBDT_TOP_RATE,
	ML_GBDT_OTHER_RATE,
	ML_GBDT_ENABLE_BUNDLE
} MlGbdtParam;

/* Most leaves of a tree: num_leaves, or where that is 0 what max_depth allows. */
extern int64_t ml_gbdt_num_leaves(const MlParams *params);

/* constraints.c: "age:1,income:-1" or "(1,-1,0)" -> one number by feature, NULL for none. */
extern MlStatus ml_gbdt_read_monotone(MlEnv *env, const char *text, const MlSchema *schema, const int8_t **monotone);

/* The objective that a choice of the parameter means; -1 for auto. */
extern int	ml_gbdt_objective_of_choice(int choice);

#endif							/* ML_ALGO_GBDT_INTERNAL_H */
