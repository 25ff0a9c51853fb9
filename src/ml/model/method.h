/*-------------------------------------------------------------------------
 * method.h
 *	  An algorithm: one file, one MlMethod, one line in algo/methods.def.
 *
 * Nothing outside its file knows an algorithm by name.  The parameter
 * "task" ("auto", "regression", "classification", ...) is common to all methods and
 * handled before fit.
 *
 * A method of tasks without target (ML_TASKS_WITHOUT_TARGET) sees a data set whose y
 * is NULL, and says with n_outputs how many numbers its answer has:
 *
 *   clustering            the number of the cluster from 0 on, or -1 for noise; after it, from a method that
 *                         has them, the row's membership in each cluster (they sum to 1)
 *   dimension_reduction   the vector
 *   anomaly_detection     the score (the higher, the stranger), and 1 where it is flagged, else 0
 *
 * After its answer predict writes n_figures more numbers of the row: whoever judges adds
 * them up over rows and hands the sums to report, so that a report costs no second pass.
 *-------------------------------------------------------------------------
 */
#ifndef ML_MODEL_METHOD_H
#define ML_MODEL_METHOD_H

#include "ml/base/bytes.h"
#include "ml/data/dataset.h"
#include "ml/eval/metrics.h"
#include "ml/model/params.h"
#include "ml/model/rules.h"
#include "ml/model/statistics.h"

/* One row of ml_coefficients().  NaN becomes NULL. */
typedef struct MlCoefficient
{
	const char *class_label;	/* NULL where a model has one equation */
	const char *term;			/* "(intercept)", "age", "city=Rome", "age (missing)" */
	double		estimate;
	double		std_error;
	double		statistic;
	double		p_value;
	double		freedom;		/* of the t distribution of the estimate; 0: normal */
} MlCoefficient;

/* Most numbers of a row that are added up for a report. */
#define ML_MAX_FIGURES 8

/* Rows of one block of predict_batch. */
#define ML_BATCH_ROWS 64

typedef struct MlMethod
{
	const char *name;
	const char *summary;		/* "gradient boosted decision trees on histograms" */
	const char *description;	/* for the reference: paper, complexity, memory, how missing values and categories are treated */
	uint32_t	tasks;			/* MlTask bits */
	uint32_t	format;			/* version of what save writes */
	bool		needs_dense;	/* fit uses env->dense */
	bool		reads_sparse;	/* fit takes sparse columns (MlDataColumn.sparse); otherwise they are spread out before */
	const MlParam *params;

	/* Bytes that fit allocates beyond the dataset for n rows of p features; never too low. SIZE_MAX when it overflows. */
	size_t		(*memory) (const MlSchema *schema, const MlParams *params, size_t n, int threads);

	/*
	 * Optional: of numbers, fit asks only whether they are above limits that follow from these rules.  Then columns of
	 * numbers may come as bins, whose limits are all that the model compares with.
	 */
	void		(*bin_rules) (const MlParams *params, MlBinRules *rules);

	/* Optional, where there is no classification: with these parameters a boolean target is read as the numbers 0 and 1. */
	bool		(*boolean_as_number) (const MlParams *params);

	/* Fits on data->n_train rows; the model is in env->arena. */
	MlStatus	(*fit) (MlEnv *env, const MlDataset *data, const MlParams *params, void **model);

	void		(*save) (const void *model, MlWriter *w);

	/* Total: any bytes give a model that predict can run on without a check, or an error.  Iterative, bounded. */
	MlStatus	(*load) (MlReader *r, const MlSchema *schema, void **model);

	/*
	 * Optional: what makes predict faster and takes a while to make.  load leaves it out, for a session that predicts one row would wait
	 * for it; from some dozens of rows on it is worth its while (ml_model_hasten).  Another form of the model, in env->arena: it may point into
	 * the one that it is made of, which stays as it is, and all answers have the same bits.
	 */
	MlStatus	(*hasten) (MlEnv *env, const void *model, void **hastened);

	/*
	 * One encoded row (schema->n_features doubles, codes 0 .. levels or NaN for
	 * categories) -> out: the value, or n_classes probabilities, or what is said above.  No allocation, no libm; scratch is
	 * scratch_size(model) bytes, 64-byte aligned.  NULL scratch_size: none is needed.
	 */
	void		(*predict) (const void *model, const double *x, double *out, void *scratch);
	size_t		(*scratch_size) (const void *model);

	/*
	 * Optional: up to ML_BATCH_ROWS rows at once, with the bits of predict.  Feature
	 * f of row i is x[f * ML_BATCH_ROWS + i]; beyond row n-1 stands anything.  out: n
	 * times what predict writes.  False, and nothing written: this model has no such way.
	 */
	bool		(*predict_batch) (const void *model, const double *x, size_t n, double *out, void *scratch);

	/* Of tasks without target, all but n_outputs optional: see above. */
	int			(*n_outputs) (const void *model);
	int			n_figures;		/* at most ML_MAX_FIGURES */
	/* Metrics out of sums over rows of weight "rows" together (1 each where there are no weights): ml_report_put(). */
	void		(*report) (const void *model, double rows, const double *sums, MlReport *report);

	/*
	 * Optional, both or neither, of clustering: where a row lies in the space in which distances are measured, n_coordinates(model)
	 * numbers; the judge measures the silhouette there.
	 */
	int			(*n_coordinates) (const void *model);
	void		(*coordinates) (const void *model, const double *x, double *out);

	/* Rough cost of predict in nanoseconds, for the planner. */
	double		(*predict_cost) (const void *model);

	/* Optional.  n_features numbers; method "gain", "split", ...; ML_BAD_PARAM with the valid ones in the hint. */
	MlStatus	(*importance) (MlEnv *env, const void *model, const MlSchema *schema, const char *how, double *out);
	MlStatus	(*coefficients) (MlEnv *env, const void *model, const MlSchema *schema, MlCoefficient **rows, size_t *count);

	/* Optional.  What is known of the fit as a whole, in the order in which it is shown. */
	MlStatus	(*statistics) (MlEnv *env, const void *model, const MlSchema *schema, MlStatistic **rows, size_t *count);

	/* Optional, both or neither: how many trees there are, and the nodes of one of them, the root first. */
	uint32_t	(*n_trees) (const void *model);
	MlStatus	(*rules) (MlEnv *env, const void *model, const MlSchema *schema, uint32_t tree, MlRule **rules, size_t *count);

	/*
	 * Optional, both or neither: what each feature adds to the score of a row.  The score is the value of a
	 * regression (its logarithm or log-odds where the method says so); with two classes the log-odds of class_number; with more what the softmax takes of
	 * class_number; of averaged trees the share of class_number.  explainer() makes what explain() works with, once for a loaded model: it lies in
	 * env->arena, points into the model and serves one thread at a time.  explain() writes n_features contributions
	 * to one encoded row, and the baseline, the score where nothing is known of the row, so that baseline plus
	 * contributions is the score up to rounding.  No allocation, no libm.
	 */
	MlStatus	(*explainer) (MlEnv *env, const void *model, const MlSchema *schema, void **explainer);
	void		(*explain) (void *explainer, const double *x, int class_number, double *contribution, double *baseline);
} MlMethod;

extern const MlMethod *const ml_methods[];	/* ended by NULL, in the order of methods.def */

/* NULL when unknown. */
extern const MlMethod *ml_method_find(const char *name);

/* The same with an error that names the nearest and lists all: ML_BAD_PARAM. */
extern MlStatus ml_method_get(MlEnv *env, const char *name, const MlMethod **method);

#endif							/* ML_MODEL_METHOD_H */
