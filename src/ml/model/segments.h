/*-------------------------------------------------------------------------
 * segments.h
 *	  One model per group of rows, beside the model of all rows.
 *
 * A group's model is a complete model: its own categories, its own classes, its own
 * image.  What it is trained on was decided by the run as a whole: the task, which rows
 * train and which judge, and which columns are mere keys.  Everything else is the
 * ordinary pipeline on the group's rows.
 */
#ifndef ML_MODEL_SEGMENTS_H
#define ML_MODEL_SEGMENTS_H

#include "ml/data/groups.h"
#include "ml/model/judge.h"
#include "ml/model/pipeline.h"

/* A larger image is not kept; the rows of its group get the model of all rows. */
#define ML_MAX_SEGMENT_IMAGE ((size_t) 64 * 1024 * 1024)

/* What a row takes while its segment is trained: group, member, order, answers. */
#define ML_SEGMENT_ROW_BYTES(n_classes) (4 + 8 + 1 + 8 * (size_t) ((n_classes) > 1 ? (n_classes) : 1) + 16)

typedef struct MlSegment
{
	const char **key;			/* by column */
	size_t		rows;			/* in use: with a target */
	double		score;			/* on its rows of the test part, of a task without target on all of them; NaN where there is none */
	const char *error;			/* why there is no model; NULL where there is one, or where rows are too few for one */
	const uint8_t *image;		/* NULL: the model of all rows answers */
	size_t		image_length;
} MlSegment;

typedef struct MlSegments
{
	int			n_columns;
	const MlColumn **column;	/* their specs are what counts */
	size_t		count;
	MlSegment  *segment;		/* in the order of their keys */
	size_t		n_models;		/* with an image */
	const MlRouted *routed;		/* for the rows of the run in its order; NULL where the task has no right answers */
} MlSegments;

/* What the run knows of its rows. */
typedef struct MlSegmentRun
{
	const MlTrainSpec *spec;
	const MlFrame *frame;
	const MlSchema *schema;		/* task and classes */
	const size_t *order;		/* rows in use: train, validation, test; must outlive the result */
	const uint8_t *part;		/* MlPart of each row of the frame */
	size_t		n;
} MlSegmentRun;

/*
 * Trains them on the threads of env->pool, each by one thread; the result does not depend on how many there are.
 * What goes wrong with a group is its error; what ends a run (a cancel, memory) ends this one.
 */
extern MlStatus ml_segments_train(MlEnv *env, const MlSegmentRun *run, MlSegments **segments);

/* The models of an existing version. */
typedef struct MlSegmentModels
{
	int			n_columns;
	const char **column;
	size_t		count;
	const MlSegment *segment;	/* in the order of their keys, whose parts are in the order of "column" */
} MlSegmentModels;

/*
 * What they say of the rows order[0 .. n-1] of a frame that has the segment columns, in the classes of "model", the
 * version's model of all rows.  routed is NULL where there is nothing to say: a task without target.  fits as for ml_judge_match().
 */
extern MlStatus ml_segments_answer(MlEnv *env, const MlModel *model, const MlSegmentModels *models, const MlFrame *frame,
								   const size_t *order, size_t n, const MlRouted **routed, bool *fits);

#endif							/* ML_MODEL_SEGMENTS_H */
