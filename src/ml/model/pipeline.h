/*-------------------------------------------------------------------------
 * pipeline.h
 *	  From rows to a judged model, without a server.
 *
 * ml_pipeline_run() does what every training run has in common: decides the
 * task, leaves out what cannot be used, orders rows by id, splits, fits the
 * encoding on the training part, fits the method, evaluates each part with the
 * same code that serves, and writes the image.
 *-------------------------------------------------------------------------
 */
#ifndef ML_MODEL_PIPELINE_H
#define ML_MODEL_PIPELINE_H

#include "ml/data/encode.h"
#include "ml/data/split.h"
#include "ml/eval/metrics.h"
#include "ml/model/model.h"
#include "ml/model/semi.h"

typedef struct MlTrainSpec
{
	const MlMethod *method;
	const MlParams *params;		/* of the method */
	MlTask		task;			/* forced, or 0: follows from the target (DESIGN 2.2) and what the method can do */
	MlSplitSpec split;
	const MlSemi *semi;			/* what becomes of rows whose target is not known (semi.h); NULL: they are left out */
	bool		balanced;		/* class_weight => 'balanced': n / (classes * n_class) */
	size_t		segment_min_rows;	/* with ML_ROLE_SEGMENT columns: a model for each group of so many rows (segments.h); 0: none */
	const uint8_t *part;		/* MlPart of each row, decided by the run that this one is a part of; NULL: by "split" */
	double	   *predictions;	/* out, with "part": n_out doubles of each row; NULL: not wanted */
	const MlPrepSpec *prep;		/* how columns are to be encoded; NULL: as they are */
	const MlModel *initial;		/* what the method starts from (MlDataset.initial); NULL: none */
	const struct MlSegmentModels *rival_segments;	/* of the rival (segments.h); NULL: it has none */
	const MlModel *rival;		/* an older model to be judged on the test part of this run; NULL: none */
} MlTrainSpec;

typedef struct MlPartMetrics
{
	size_t		rows;			/* 0: the part is empty, no metrics */
	int			count;
	MlMetric	metrics[ML_MAX_METRICS];
	int64_t    *confusion;		/* n_classes x n_classes, actual x predicted; NULL for regression */
} MlPartMetrics;

typedef struct MlTrainResult
{
	MlModel    *model;
	uint8_t    *image;
	size_t		image_length;
	size_t		model_memory;	/* bytes of the model read back, ready to predict */
	double		predict_microseconds;	/* for a row, by one thread; NaN: not known */
	size_t		rows;			/* rows with a target */
	size_t		rows_without_target;
	size_t		rows_pseudo_labelled;	/* those among them that trained with a class of the machine's */
	int			semi_iterations;	/* rounds of self-training, steps of label spreading */
	MlPartMetrics part[3];		/* by MlPart */
	const char *metric;			/* primary metric */
	double		score;			/* on the test part; on train (with a warning) when there is no test part; higher is better (errors negated); NaN undefined */
	bool		rival_judged;	/* spec->rival fits these rows (same task, columns, classes) */
	double		rival_score;	/* as "score", of the rival on the same rows; NaN undefined */
	/* Hold-out predictions for the stored ROC curve of binary models: */
	size_t		n_roc;
	MlRocPoint *roc;			/* at most 1,000 points, thinned evenly; NULL unless two classes */
	const char **excluded;		/* "column: why" of what was left out, ended by NULL */
	struct MlSegments *segments;	/* segments.h; NULL: none were asked for */
} MlTrainResult;

/*
 * A run in two steps: after the first one it is known which rows are for what, and columns of the
 * frame that are deferred (MlColumnSpec) are read as bins, into MlColumn.binned; the second one needs nothing of the source any more.
 */
typedef struct MlPipeline MlPipeline;
extern MlStatus ml_pipeline_begin(MlEnv *env, const MlTrainSpec *spec, MlFrame *frame, MlPipeline **pipeline);
extern const MlEncodeRows *ml_pipeline_rows(const MlPipeline *pipeline);
extern MlStatus ml_pipeline_finish(MlPipeline *pipeline, MlTrainResult **result);

/* May columns of such a run be deferred?  Then by these rules. */
extern bool ml_pipeline_takes_bins(const MlTrainSpec *spec, MlBinRules *rules);

/* Both.  The frame's columns are given up: they may be released or reordered. */
extern MlStatus ml_pipeline_run(MlEnv *env, const MlTrainSpec *spec, MlFrame *frame, MlTrainResult **result);

/* Bytes that ml_pipeline_run needs beyond the frame; never too low by much. */
extern size_t ml_pipeline_memory(const MlTrainSpec *spec, const MlColumnSpec *columns, int n_columns, size_t rows, int threads);

/*
 * Judges a model on other rows: columns of the frame are matched to the model's
 * features by name, the target by role.  Rows without a target are left out (a model that has none counts all).
 */
extern MlStatus ml_pipeline_evaluate(MlEnv *env, const MlModel *model, MlFrame *frame, MlPartMetrics *metrics, MlRocPoint **roc, size_t *n_roc);

/* The same for a version with segments: each row is answered by the model of its segment. */
extern MlStatus ml_pipeline_evaluate_segments(MlEnv *env, const MlModel *model, const struct MlSegmentModels *segments, MlFrame *frame,
											  MlPartMetrics *metrics, MlRocPoint **roc, size_t *n_roc);

#endif							/* ML_MODEL_PIPELINE_H */
