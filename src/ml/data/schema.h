/*-------------------------------------------------------------------------
 * schema.h
 *	  What a model expects of a row and what it gives back: part of its image.
 *
 * Training and serving share this one encoding.  An encoded row is one double
 * per feature: a number as it is, a category as its code, NaN for missing.
 * Codes run from 0 to levels-1 in order of falling frequency in the training
 * part (ties in byte order); the code "levels" stands for every other text:
 * a category beyond the cap, or one that training never saw.
 *-------------------------------------------------------------------------
 */
#ifndef ML_DATA_SCHEMA_H
#define ML_DATA_SCHEMA_H

#include "ml/base/bytes.h"
#include "ml/data/frame.h"

/* At most this many categories of a column keep a code of their own. */
#define ML_MAX_LEVELS 65534

typedef enum MlTask
{
	ML_TASK_REGRESSION = 1,
	ML_TASK_CLASSIFICATION = 2,
	ML_TASK_CLUSTERING = 4,
	ML_TASK_REDUCTION = 8,
	ML_TASK_ANOMALY = 16
} MlTask;

/* Tasks whose methods learn from the features alone.  A method has tasks of one kind only. */
#define ML_TASKS_WITHOUT_TARGET (ML_TASK_CLUSTERING | ML_TASK_REDUCTION | ML_TASK_ANOMALY)

static inline bool
ml_task_has_target(uint32_t tasks)
{
	return (tasks & ML_TASKS_WITHOUT_TARGET) == 0;
}

typedef enum MlFeatureKind
{
	ML_FEATURE_NUMBER,
	ML_FEATURE_CATEGORY
} MlFeatureKind;

typedef struct MlLevelIndex MlLevelIndex;	/* text -> code, built on load */

typedef struct MlFeature MlFeature;

/* Of a text that is cut into words: what its features count.  Saved by prep. */
typedef struct MlTextInput
{
	MlTokenSpec tokens;
	int32_t		n;				/* features: the terms of the vocabulary, or buckets */
	bool		hashed;
	const MlFeature *terms;		/* the vocabulary as a category, for its index; NULL when hashed */
} MlTextInput;

struct MlFeature
{
	const char *name;			/* "age", "pixels[3]" */
	const char *source_column;
	int32_t		element;		/* 1-based, 0 for a scalar */
	int32_t		elements;		/* length of the array, 0 for a scalar */
	const char *type_name;
	MlLogicalType logical;
	MlFeatureKind kind;
	int32_t		levels;			/* of a category; 0 for a number */
	const char **level;			/* code -> text */
	const MlLevelIndex *index;
	MlTimeUnit	unit;			/* while training; not saved */
	int32_t		buckets;		/* of a number that is a text in the row: the hash of it modulo this (saved by prep); else 0 */
	const MlTextInput *text;	/* of a number that counts a term of a text: elements count the terms; else NULL */
};

typedef struct MlSchema
{
	MlTask		task;
	int32_t		n_features;
	MlFeature  *features;
	const char *target;			/* column name; NULL for a task without target, as is its type */
	const char *target_type;
	MlLogicalType target_logical;
	int32_t		n_classes;		/* 2 or more for classification, else 0 */
	const char **classes;		/* labels as they were in the table; numeric order for numbers, false < true, else byte order */
	const double *class_value;	/* the label as a number, where target_logical is a number or boolean; else NULL */
} MlSchema;

/* The code of a text: 0 .. levels-1, or levels for any other. */
extern int32_t ml_feature_code(const MlFeature *feature, const char *text, size_t length);

/* The bucket of a text: 0 .. buckets-1. */
extern int32_t ml_text_bucket(const char *text, size_t length, int32_t buckets);

/* What a text becomes in an encoded row: the code of a category, or a bucket. */
static inline double
ml_feature_text(const MlFeature *feature, const char *text, size_t length)
{
	return feature->buckets > 0 ? ml_text_bucket(text, length, feature->buckets) : ml_feature_code(feature, text, length);
}

/* The feature, from 0, that counts a term; -1: none does. */
static inline int32_t
ml_text_slot(const MlTextInput *input, const char *term, size_t length)
{
	int32_t		code;

	if (input->hashed)
		return ml_text_bucket(term, length, input->n);
	code = ml_feature_code(input->terms, term, length);
	return code < input->n ? code : -1;
}

/* The index of distinct texts; the texts must live as long.  A text that occurs twice is ML_CORRUPT. */
extern MlStatus ml_level_index(MlEnv *env, const char *const *texts, int32_t count, const MlLevelIndex **index);

extern const char *ml_task_name(MlTask task);	/* "regression", "classification", "clustering", "dimension_reduction", "anomaly_detection" */
extern MlTask ml_task_find(const char *name);	/* 0 when unknown */

extern void ml_schema_save(const MlSchema *schema, MlWriter *w);

/* Reads and checks; builds the level indexes. */
extern MlStatus ml_schema_load(MlReader *r, MlSchema **schema);

#endif							/* ML_DATA_SCHEMA_H */
