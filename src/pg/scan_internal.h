/*-------------------------------------------------------------------------
 * scan_internal.h
 *	  What planning a scan (scan_plan.c) hands to running it (scan.c), and what the ways
 *	  of running it share: the executor (scan.c) and pages of a heap (scan_heap.c).
 *-------------------------------------------------------------------------
 */
#ifndef ML_PG_SCAN_INTERNAL_H
#define ML_PG_SCAN_INTERNAL_H

#include "nodes/plannodes.h"
#include "pg/convert.h"
#include "pg/scan.h"
#include "tcop/dest.h"
#include "utils/tuplestore.h"

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
	bool		computed;		/* where pages are read: by an expression, at least in one of the tables */
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
	struct MlHeapReader *heap;	/* from which deferred columns are read again; NULL: there are none */
} MlPrivatePlan;

typedef struct MlFrameReceiver
{
	DestReceiver receiver;
	MlScanPlan *plan;
	MlPrivatePlan *private_plan;
	MlEnv	   *env;			/* NULL when only lengths of arrays are asked for */
	MlFrameBuilder *builder;	/* NULL until all lengths are known */
	Tuplestorestate *waiting;	/* rows seen before that */
	bool		lengths_known;
	uint64		rows;
	bool		in_row;			/* a row is being converted: an error is about it */
	int			ahead;			/* of several at once, the number of that row among them */
	double	   *elements;		/* room for the longest array */
	MemoryContext owner;
	MemoryContext row_context;	/* reset for each row */
} MlFrameReceiver;

/* One row, its attributes in the places of the feeds; false when no more are wanted. */
extern bool ml_scan_row(MlFrameReceiver *r, TupleTableSlot *slot);

/* So many rows more are in the frame: counts, and now and then tells the progress. */
extern void ml_scan_count(MlFrameReceiver *r, int rows);

/* ERROR: the next row has no id. */
extern void ml_scan_refuse_null_id(const MlFrameReceiver *r, const MlFeed *feed) pg_attribute_noreturn();

/* A value of a text feed, NULL when it is missing.  Points into the value or the current memory context. */
extern const char *ml_scan_text(const MlFeed *feed, Datum value, size_t *length);

/* The plan of a rewritten query; scribbles on that. */
extern PlannedStmt *ml_scan_choose(Query *query, const char *text);

/*
 * Reading page by page, where the plan is a plain scan of a heap, or of several; else NULL.  Same rows, same order, same
 * rights, same errors as the executor.  ml_scan_heap_defer: before the columns of the frame are made; columns that
 * will be read again need not be kept; false when there are none.
 */
typedef struct MlHeapReader MlHeapReader;
extern bool ml_scan_heap_fits(const MlPrivatePlan *plan);
extern double ml_scan_heap_pages(const MlPrivatePlan *plan);	/* of all its tables */
extern void ml_scan_heap_mark(MlPrivatePlan *plan);	/* which feeds are computed */
extern MlHeapReader *ml_scan_heap_open(MlFrameReceiver *r);
extern bool ml_scan_heap_defer(MlHeapReader *h);
extern bool ml_scan_may_defer(const MlFeed *feed);
extern void ml_scan_heap_read(MlHeapReader *h);
extern void ml_scan_heap_close(MlHeapReader *h);

/*
 * Fills plan->columns from the feeds: one spec for a scalar, one per element for
 * an array (as likely while its length is not known).
 */
extern void ml_scan_expand(MlScanPlan *plan);

#endif							/* ML_PG_SCAN_INTERNAL_H */
