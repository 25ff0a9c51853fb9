/*-------------------------------------------------------------------------
 * scan_internal.h
 *	  What planning a scan (scan_plan.c) hands to running it (scan.c).
 *-------------------------------------------------------------------------
 */
#ifndef ML_PG_SCAN_INTERNAL_H
#define ML_PG_SCAN_INTERNAL_H

#include "nodes/plannodes.h"
#include "pg/convert.h"
#include "pg/scan.h"

/* How a value enters the frame. */
typedef enum MlFeedKind
{
	ML_FEED_NUMBER,
	ML_FEED_INTEGER,			/* hashed exactly, stored as double or key */
	ML_FEED_TEXT,
	ML_FEED_ARRAY				/* one spec per element */
} MlFeedKind;

/* One way of a source column into the frame; a column may have several. */
typedef struct MlFeed
{
	MlFeedKind	kind;
	int			place;			/* in the rows that are read, from 0 */
	MlConverter converter;
	MlColumnSpec spec;			/* of the column, or what its elements have in common */
	int			elements;		/* of an array; -1 until its first value was seen */
	double		likely_elements;	/* what statistics say about it, for estimates */
	int			first_spec;
} MlFeed;

typedef struct MlPrivatePlan
{
	PlannedStmt *statement;
	int			n_feeds;
	MlFeed	   *feeds;
	uint64		seed;			/* of the row hash */
	const MlFeed *id;			/* NULL without one */
} MlPrivatePlan;

/*
 * Fills plan->columns from the feeds: one spec for a scalar, one per element for
 * an array (as likely while its length is not known).
 */
extern void ml_scan_expand(MlScanPlan *plan);

#endif							/* ML_PG_SCAN_INTERNAL_H */
