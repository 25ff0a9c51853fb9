/*-------------------------------------------------------------------------
 * split.h
 *	  Which rows train, which stop early, which judge.
 *
 * Rows are ordered by their 64-bit hash; within each class (stratified) or over
 * all rows (random) the lowest round(holdout * n) are the test part, the next
 * round(validation * n) the validation part.  Rows with equal hashes stay
 * together, so a copy of a row is never on both sides; whether equal rows are
 * copies is told by duplicates.h.
 *-------------------------------------------------------------------------
 */
#ifndef ML_DATA_SPLIT_H
#define ML_DATA_SPLIT_H

#include "ml/data/frame.h"
#include "ml/data/schema.h"

typedef enum MlSplitKind
{
	ML_SPLIT_AUTO,				/* stratified for classification, random for regression */
	ML_SPLIT_STRATIFIED,
	ML_SPLIT_RANDOM,
	ML_SPLIT_TIME,				/* the latest rows by the split column are the test part; NULL there is ML_NULL_VALUE */
	ML_SPLIT_GROUP,				/* equal values of the split column stay together */
	ML_SPLIT_COLUMN,			/* the split column says "train", "validation", "test" */
	ML_SPLIT_NONE				/* every row trains */
} MlSplitKind;

typedef enum MlPart
{
	ML_PART_TRAIN,
	ML_PART_VALIDATION,
	ML_PART_TEST,
	ML_PART_UNUSED,				/* the target is missing */
	ML_PART_UNLABELLED			/* it is missing, and the row trains without */
} MlPart;

typedef struct MlSplitSpec
{
	MlSplitKind kind;
	double		holdout;		/* 0 <= holdout, validation; sum < 1 */
	double		validation;
	uint64_t	seed;
} MlSplitSpec;

/* "auto", "stratified", ... -> kind; ML_BAD_PARAM lists the valid words. */
extern MlStatus ml_split_parse(MlEnv *env, const char *word, MlSplitKind *kind);

/*
 * class_of: class index per row, NULL for regression.  part: in, ML_PART_UNUSED
 * for rows to leave out, anything else is overwritten.  repeated (out): how many rows have the
 * key of a row before them, by which they were sorted.
 */
extern MlStatus ml_split(MlEnv *env, const MlSplitSpec *spec, size_t rows, const uint64_t *row_hash,
						 const int32_t *class_of, int32_t n_classes, const MlColumn *split_column, uint8_t *part, size_t *repeated);

/*
 * Which of the rows that ml_split() left out (part, in and out) train without a target: all, but that a split by time takes none from the
 * time of a row held out, one by groups none of a group held out, and a column none but those it calls "train".  n (out): how many.
 */
extern MlStatus ml_split_unlabelled(MlEnv *env, const MlSplitSpec *spec, size_t rows, const MlColumn *split_column, uint8_t *part, size_t *n);

#endif							/* ML_DATA_SPLIT_H */
