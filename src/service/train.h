/*-------------------------------------------------------------------------
 * train.h
 *	  A training run: what was asked, what came out, and how it is carried out.
 *
 * ml_train_compute() (train_compute.c) is the run itself, the same code in a
 * parallel worker, in the session and in an asynchronous worker.  Request and
 * outcome travel between processes as flat bytes (train_wire.c).
 *-------------------------------------------------------------------------
 */
#ifndef ML_SERVICE_TRAIN_H
#define ML_SERVICE_TRAIN_H

#include "postgres.h"

#include "catalog/segment.h"
#include "lib/stringinfo.h"
#include "ml/model/pipeline.h"
#include "nodes/pg_list.h"
#include "pg/progress.h"
#include "pg/source.h"

/* Arguments of ml_train as the user gave them; NULL where SQL had NULL. */
typedef struct MlTrainRequest
{
	char	   *algorithm;
	char	   *source;
	char	   *target;
	char	   *model;			/* resolved: never NULL once checked */
	bool		features_given;
	List	   *features;		/* of char * */
	List	   *exclude;		/* of char * */
	char	   *params;			/* jsonb as text */
	char	   *transform;		/* jsonb as text, or NULL */
	char	   *id;
	char	   *weight;
	char	   *split;
	double		holdout;
	double		validation;
	char	   *split_by;
	List	   *segment_by;		/* of char *: a model for each combination of their values; NIL: one model */
	int32		segment_min_rows;
	char	   *class_weight;	/* NULL or "balanced" */
	int64		seed;
	double		max_seconds;	/* 0: none */
	char	   *deploy;			/* "first", "always", "never", "if_better" */
	char	   *note;
	int32		parent_version; /* of a retrain, 0 otherwise */
	int64		job;			/* 0: not recorded */
	int			priority;
	int32		rival_version;	/* if_better: the version in production, to be judged on the new hold-out too; 0: none */
	int64		rival_version_id;
} MlTrainRequest;

/* All that a run leaves behind, in palloc'd memory. */
typedef struct MlTrainOutcome
{
	uint8	   *image;
	size_t		image_length;
	char		checksum[65];	/* SHA-256 of the image, hex */
	MlTask		task;
	int64		rows;			/* with a target */
	int64		rows_without_target;
	int64		rows_part[3];	/* by MlPart */
	int			n_classes;
	char	  **classes;
	int			n_features;
	char	  **features;		/* feature names */
	char	   *target_type;
	char	   *metric;
	double		score;			/* NaN: undefined */
	int32		rival_version;	/* if_better: request->rival_version when it was judged, else 0 */
	double		rival_score;	/* its score on the same rows by the same metric; NaN: undefined */
	int			n_metrics[3];
	MlMetric	metrics[3][ML_MAX_METRICS];	/* by MlPart */
	int64	   *confusion[3];	/* NULL or n_classes^2 */
	int			n_roc;
	MlRocPoint *roc;
	int			n_history;
	MlHistory  *history;
	int			n_warnings;
	char	  **warnings;		/* those of the pipeline and "column: why" of what was left out */
	int			n_segment_columns;	/* 0: no segments were asked for */
	char	  **segment_by;
	char	  **segment_kinds;	/* of mlplat.version */
	int			n_segments;
	MlSegmentEntry *segments;	/* their images stand one behind the other in segment_images */
	uint8	   *segment_images;
	size_t		segment_bytes;
	char	   *relation;		/* "schema.name" or NULL */
	int			n_source_columns;
	char	  **source_columns;
	char		data_hash[33];	/* content hash of the rows, hex */
	char	   *snapshot;		/* pg_current_snapshot() as text */
	char	   *blas;			/* NULL when dense algebra was not used */
	double		read_seconds;
	double		fit_seconds;	/* all of the pipeline */
	int64		peak_memory;	/* bytes of the run's arena at its peak */
	int64		model_memory;	/* bytes of the model in a session that predicts */
	double		predict_microseconds;	/* of one row; NaN: not known */
	int			threads;
} MlTrainOutcome;

/* One row of ml_train's result. */
typedef struct MlTrainReport
{
	char	   *model;
	int32		version;
	char	   *task;
	char	   *algorithm;
	int64		rows;
	int32		features;
	char	   *metric;
	double		score;
	double		seconds;
	int			n_warnings;
	char	  **warnings;
} MlTrainReport;

/* Fills in defaults and checks all that can be checked without reading: words, ranges, algorithm, params, names, columns, rights, memory. */
extern MlSource *ml_train_check(MlTrainRequest *request);

/*
 * Reads and computes in this process, with the active snapshot.  told (may be NULL) is called
 * after each change of progress.  after_read (may be NULL) is called when the last row is in: an
 * asynchronous run ends its transaction there.  The outcome is in the current memory context; its
 * checksum is filled in by ml_train_seal, which needs a transaction.
 */
extern MlTrainOutcome *ml_train_compute(const MlTrainRequest *request, MlRunProgress *progress, void (*told) (void), void (*after_read) (void));

/*
 * A request as the text of a JSON object and back, exactly: what mlplat.job.request and
 * mlplat.version.request hold, and what travels to a worker.  The reader checks what it reads.
 */
extern char *ml_train_request_json(const MlTrainRequest *request);
extern MlTrainRequest *ml_train_request_parse(const char *json);

/* The outcome as flat bytes, without the image and those of segments, which travel by themselves. */
extern void ml_train_outcome_save(const MlTrainOutcome *outcome, StringInfo out);
extern MlTrainOutcome *ml_train_outcome_load(const char *bytes, Size length);

/* Gives each segment its image, once they have arrived. */
extern void ml_train_outcome_place_images(MlTrainOutcome *outcome);

/* SHA-256 of the image into outcome->checksum. */
extern void ml_train_seal(MlTrainOutcome *outcome);

/* Inserts model (if new), version, chunks, metrics, history, and deploys as request->deploy says; returns the report. */
extern MlTrainReport *ml_train_store(const MlTrainRequest *request, const MlTrainOutcome *outcome);

/* What a new version of this model ("name" or "name@version") would be asked for: as its production or else latest version was, with another source and rule. */
extern MlTrainRequest *ml_train_again(const char *reference, const char *source, const char *deploy);

/* The synchronous run: limits, recorder, worker or foreground, store. */
extern MlTrainReport *ml_train_run(MlTrainRequest *request);

/* Queues it; returns the job. */
extern int64 ml_train_enqueue(MlTrainRequest *request);

#endif							/* ML_SERVICE_TRAIN_H */
