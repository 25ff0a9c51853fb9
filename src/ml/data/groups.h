/*-------------------------------------------------------------------------
 * groups.h
 *	  Rows of a frame by the values of its segment columns.
 *
 * Groups are numbered in the order of their keys: byte order of the first column, then of
 * the next.  So the numbers do not depend on the order in which rows were read.
 *-------------------------------------------------------------------------
 */
#ifndef ML_DATA_GROUPS_H
#define ML_DATA_GROUPS_H

#include "ml/data/frame.h"

/* More groups than this are refused: a column that tells single rows apart makes no segments. */
#define ML_MAX_SEGMENTS 100000

/* Longer keys (bytes, all columns together) are refused: they would not fit an index. */
#define ML_MAX_SEGMENT_KEY 800

typedef struct MlGroups
{
	int			n_columns;
	const MlColumn **column;	/* with ML_ROLE_SEGMENT, in the order of the frame */
	size_t		n;				/* rows that were grouped */
	size_t		n_outside;		/* of them those that miss a segment column */
	size_t		count;
	int32_t    *of;				/* n: the group of the i-th row, -1 outside */
	size_t	   *start;			/* count + 1, into "member" */
	size_t	   *member;			/* the numbers i of the rows, group after group, rising in each */
	const size_t *order;		/* n: row of the frame; kept, not copied */
} MlGroups;

/* Groups the rows order[0 .. n-1]. */
extern MlStatus ml_groups_make(MlEnv *env, const MlFrame *frame, const size_t *order, size_t n, MlGroups **groups);

/* ML_TOO_LARGE beyond the limits above. */
extern MlStatus ml_groups_check(MlEnv *env, const MlGroups *groups);

/* What a group has in common in one of the columns. */
extern const char *ml_groups_text(const MlGroups *groups, size_t group, int column, uint32_t *length);

/*
 * The rows row[0 .. n-1] as a frame of their own, with those columns that have another role than the row's name, split and
 * segment: their dictionaries hold what occurs.  left_out (n_columns, may be NULL): columns to leave out.
 */
extern MlStatus ml_frame_subset(MlEnv *env, const MlFrame *frame, const size_t *row, size_t n, const bool *left_out, MlFrame **subset);

#endif							/* ML_DATA_GROUPS_H */
