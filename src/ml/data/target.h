/*-------------------------------------------------------------------------
 * target.h
 *	  The column to be predicted: which task it makes, its labels and classes.
 *-------------------------------------------------------------------------
 */
#ifndef ML_DATA_TARGET_H
#define ML_DATA_TARGET_H

#include "ml/data/schema.h"

/* Integers with more values than this are a regression unless a classification is asked for. */
#define ML_AUTO_CLASSES 20

/* More labels than this are refused: probabilities of all are kept for every row. */
#define ML_MAX_CLASSES 1000

/* Longer labels (bytes) are refused: they are texts to read, not classes, and would not fit the indexes of the registry. */
#define ML_MAX_LABEL 1000

/* Fewer rows with a target are refused: whatever came of them would be chance, and nothing would be left to judge it by. */
#define ML_LEAST_ROWS 10

typedef struct MlTargetSpec
{
	MlTask		forced;			/* 0: follows from the column */
	uint32_t	tasks;			/* what the method can do, MlTask bits */
	const char *method;			/* its name, for messages */
	bool		semi;			/* rows without a target help: a few with one will do */
} MlTargetSpec;

/*
 * Fills the target's part of the schema.  part (rows): rows without a target become
 * ML_PART_UNUSED (3), others stay as they are.  class_of (rows, allocated): class index, -1
 * where the target is missing; NULL for regression.
 */
extern MlStatus ml_target_prepare(MlEnv *env, const MlColumn *column, size_t rows, const MlTargetSpec *spec,
								  MlSchema *schema, uint8_t *part, int32_t **class_of);

/* NULL in a target means that it is not known; NaN is ML_BAD_DATA. */
extern MlStatus ml_target_check(MlEnv *env, const MlColumn *column);

/*
 * The class index of each row by a schema made before; -1 for a missing target.
 * A label that the schema does not have is ML_BAD_DATA.
 */
extern MlStatus ml_target_classes(MlEnv *env, const MlColumn *column, size_t rows, const MlSchema *schema, int32_t **class_of);

#endif							/* ML_DATA_TARGET_H */
