/*-------------------------------------------------------------------------
 * version.h
 *	  Versions of a model: their rows, images and figures.
 *
 * Writers expect the model's row to be locked (ml_model_obtain, ml_model_lock).
 *-------------------------------------------------------------------------
 */
#ifndef ML_CATALOG_VERSION_H
#define ML_CATALOG_VERSION_H

#include "postgres.h"

#include "ml/eval/metrics.h"
#include "ml/base/env.h"

/* pg_dump fails on a bytea of more than about 500 MB, so images are stored in pieces. */
#define ML_CHUNK_BYTES (16 * 1024 * 1024)

/* The columns of mlplat.version that a caller gives; NULL text is SQL NULL where the column allows it. */
typedef struct MlVersion
{
	int64		model_id;
	const char *algorithm;
	const char *task;
	const char *params;			/* jsonb as text */
	int			n_features;
	char	  **features;
	const char *target;
	const char *target_type;
	int			n_classes;		/* 0: classes is NULL */
	char	  **classes;
	int64		rows;
	int64		rows_without_target;
	int64		rows_train;
	int64		rows_validation;
	int64		rows_test;
	const char *metric;
	double		score;			/* NaN: NULL */
	double		train_seconds;
	double		read_seconds;
	int64		peak_memory;
	int64		model_memory;
	double		predict_microseconds;	/* NaN: not known */
	int64		bytes;
	const char *checksum;
	const char *request;		/* jsonb as text */
	const char *source_relation;
	int			n_source_columns;
	char	  **source_columns;
	const char *source_query;
	const char *data_hash;
	const char *snapshot;
	const char *blas;
	int32		parent_version; /* 0: none */
	int64		job;			/* 0: none */
	int			n_warnings;
	char	  **warnings;
	const char *note;
	int			n_segment_columns;	/* 0: one model for all rows */
	char	  **segment_by;
	char	  **segment_kinds;
} MlVersion;

/* Takes the next number of the model; returns the version's id. */
extern int64 ml_version_insert(const MlVersion *version, int32 *number);

extern void ml_version_add_image(int64 version_id, const uint8 *image, size_t length);
extern void ml_version_add_metrics(int64 version_id, const char *split, int count, const MlMetric *metrics);
extern void ml_version_add_confusion(int64 version_id, const char *split, int n_classes, char **classes, const int64 *counts);
extern void ml_version_add_roc(int64 version_id, int count, const MlRocPoint *points);
extern void ml_version_add_history(int64 version_id, int count, const MlHistory *entries);

/* The newest version of a model, as a new statement would see it; false when it has none. */
extern bool ml_version_latest(int64 model_id, int64 *version_id, int32 *version);

/* The version of this number; the same. */
extern bool ml_version_find(int64 model_id, int32 version, int64 *version_id);

/* Number of a version by its id; 0 when there is none. */
extern int32 ml_version_number(int64 version_id);

/* What was measured on one part; a NULL value is NaN.  Returns the number of metrics. */
extern int	ml_version_metrics(int64 version_id, const char *split, MlMetric **metrics);

/* The row goes with all that belongs to it. */
extern void ml_version_delete(int64 version_id);
extern void ml_version_delete_all(int64 model_id);

#endif							/* ML_CATALOG_VERSION_H */
