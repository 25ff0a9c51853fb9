/*-------------------------------------------------------------------------
 * design.h
 *	  From an encoded row to the columns of a linear method.
 *
 * A number is one column; where it is missing it counts as the mean of the training rows.  A category is
 * one 0/1 column for each of its categories but the most frequent (code 0, the
 * reference); the rarest ones beyond max_categories share the column "(other)".  Methods that measure
 * distances take a column for every category instead (ML_DESIGN_ALL_LEVELS).  "(missing)" and "(other)" have columns
 * only if training had such rows; otherwise they count as the reference.  The
 * same map serves training and prediction.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_DESIGN_H
#define ML_ALGO_DESIGN_H

#include "ml/base/bytes.h"
#include "ml/data/dataset.h"

/* Bounds the time of one LAPACK call (SVD of p x p) and the memory (a few times 8 p^2 bytes). */
#define ML_DESIGN_MAX_COLUMNS 4096

/* Default of the parameter max_categories that every linear method has. */
#define ML_DESIGN_MAX_CATEGORIES 256

/* What a column holds; one of these or a code (which is 0 with ML_DESIGN_ALL_LEVELS only: see MlDesignFeature.number). */
#define ML_DESIGN_NUMBER 0
#define ML_DESIGN_OTHER (-1)
#define ML_DESIGN_MISSING (-2)

/* Which categories have a column: all but the reference, as equations need, or all, as distances need. */
typedef enum MlDesignCoding
{
	ML_DESIGN_REFERENCE,
	ML_DESIGN_ALL_LEVELS		/* "(missing)" and "(other)" that training had not are 0 everywhere */
} MlDesignCoding;

typedef struct MlDesignColumn
{
	int32_t		feature;
	int32_t		holds;			/* ML_DESIGN_xxx or a code */
	double		mean;			/* weighted, in training: the share of rows for a 0/1 column */
	double		deviation;		/* weighted standard deviation in training; 0: constant */
	double		largest;		/* greatest absolute value in training; 0 in a loaded model */
} MlDesignColumn;

typedef struct MlDesignFeature
{
	bool		number;
	int32_t		first;			/* its first column */
	int32_t		from;			/* code of the first column of a category: 1, or 0 with all levels */
	int32_t		kept;			/* codes below this have a meaning of their own */
	int32_t		other;			/* column, or -1: counts as the reference */
	int32_t		missing;
	double		impute;			/* for a number */
} MlDesignFeature;

typedef struct MlDesign
{
	int32_t		n_features;
	int32_t		n_columns;
	MlDesignFeature *features;
	MlDesignColumn *columns;
	size_t		n_rows;			/* training rows with a positive weight (not saved) */
	double		total_weight;	/* of them, in units of 2^weight_exponent (not saved) */
	int			weight_exponent;	/* weights are divided by 2^this before they are added up (not saved) */
	double		weight_factor;	/* 2^-weight_exponent (not saved) */
} MlDesign;

/* Weighted figures of the observed values of a column of numbers; what is missing counts as the mean. */
typedef struct MlDesignStats
{
	double		mean;
	double		deviation;		/* exactly 0 for a constant */
	double		largest;		/* absolute value */
} MlDesignStats;

/* Of x (training rows), with the weights of the design. Overflows nowhere. */
extern void ml_design_stats(const MlDesign *design, const MlDataset *data, const double *x, MlDesignStats *stats);

/* The same of a sparse column, by what is in it. */
extern void ml_design_sparse_stats(const MlDesign *design, const MlDataset *data, const MlSparse *sparse, MlDesignStats *stats);

/* Learns the columns from the training rows; warns where categories were grouped.  ML_TOO_LARGE beyond ML_DESIGN_MAX_COLUMNS. */
extern MlStatus ml_design_fit(MlEnv *env, const MlDataset *data, int max_categories, MlDesign **design);
extern MlStatus ml_design_fit_coded(MlEnv *env, const MlDataset *data, int max_categories, MlDesignCoding coding, MlDesign **design);

/* Most columns that ml_design_fit can make of this schema. */
extern size_t ml_design_bound(const MlSchema *schema, int max_categories);
extern size_t ml_design_bound_coded(const MlSchema *schema, int max_categories, MlDesignCoding coding);

/* Bytes that ml_design_fit takes, whatever the coding. */
extern size_t ml_design_memory(const MlSchema *schema, int max_categories);

/*
 * How a solver sees the columns: z = (x - center) * factor, where factor is a power of two
 * (so that scaling rounds nothing) that brings the deviation to [1, 2).
 * Constant columns are left out: they get the coefficient 0.
 */
typedef struct MlDesignScale
{
	int32_t		n;				/* columns that vary */
	int32_t    *column;			/* n, which columns of the design */
	double	   *center;			/* n; all 0 without an intercept */
	double	   *factor;			/* n, 2^-exponent */
	int		   *exponent;
	double	   *noise;			/* n: what rounding of the data itself may add to a value of z */
} MlDesignScale;

extern MlStatus ml_design_scale(MlEnv *env, const MlDesign *design, bool centered, MlDesignScale **scale);

/* out[i] = (x - center) * factor of one column, for training rows first .. first+rows-1. Thread-safe. */
extern void ml_design_read(const MlDesign *design, const MlDataset *data, int column, size_t first, size_t rows,
						   double center, double factor, double *out);

/* The weight of row i in the units of total_weight: 1 without weights. */
static inline double
ml_design_weight(const MlDesign *design, const MlDataset *data, size_t i)
{
	return data->weight == NULL ? 1 : data->weight[i] * design->weight_factor;
}

/* out[c] += sum over columns of coef[column * k + c] * x(column), for c = 0 .. k-1.  No allocation, no libm. */
extern void ml_design_dot(const MlDesign *design, const double *coef, int k, const double *x, double *out);

/* The same of n <= ML_BATCH_ROWS rows at once, with the same bits: x by feature as for MlMethod.predict_batch, out n x k. */
extern void ml_design_dot_batch(const MlDesign *design, const double *coef, int k, const double *x, size_t n, double *out);

/* The row in all columns: n_columns doubles.  No allocation, no libm. */
extern void ml_design_row(const MlDesign *design, const double *x, double *out);

/* "age", "city=Rome", "city (other)", "city (missing)"; into the arena. */
extern const char *ml_design_term(MlEnv *env, const MlDesign *design, const MlSchema *schema, int column);

/*
 * What each feature adds to score c, and what it adds in the mean of the training rows:
 * out (n_features) is the difference of the two, mean (n_features) the latter; either may be NULL.  coef as
 * above.  The categories of a feature count together.  x may be NULL with out.
 */
extern void ml_design_effects(const MlDesign *design, const double *coef, int k, int c, const double *x, double *out, double *mean);

/*
 * Standard deviation, over the training rows, of what a feature adds to the score:
 * |coefficient| * deviation for a number, the spread of the levels' effects for a
 * category.  coef with stride k, so that class c of a table is coef + c.
 */
extern double ml_design_spread(const MlDesign *design, int feature, const double *coef, int k);

extern void ml_design_save(const MlDesign *design, MlWriter *w);
extern MlStatus ml_design_load(MlReader *r, const MlSchema *schema, MlDesign **design);

#endif							/* ML_ALGO_DESIGN_H */
