/*-------------------------------------------------------------------------
 * scan_heap.h
 *	  What the files that read the pages of a table share.
 *
 * scan_tables.c says which plans are read so, scan_allowed.c what may be evaluated meanwhile; scan_visible.c finds the rows of their pages,
 * scan_filter.c those that pass, scan_project.c computes columns from them, scan_page.c turns them into slices of columns;
 * scan_readers.c deals pages out to threads.
 *-------------------------------------------------------------------------
 */
#ifndef ML_PG_SCAN_HEAP_H
#define ML_PG_SCAN_HEAP_H

#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "nodes/execnodes.h"
#include "pg/scan_internal.h"

/* Pages that are read together, at most. */
#define ML_BATCH_PAGES 8

typedef struct MlAttribute
{
	int16		length;
	bool		by_value;
	char		align;
	int			lane;			/* of the needed ones, from 0; -1: not needed */
	uint32		offset;			/* in every whole row, if it is before n_fixed */
	bool		missing_null;	/* where it was added after the row was written */
	Datum		missing;
} MlAttribute;

/* A little more than the rows of a batch: a power of two would put all columns into the same places of the cache. */
#define ML_DOUBLES_ROOM (ML_FRAME_TOGETHER + 8)

/* One of the tables that are read one after the other: partitions have columns of their own. */
typedef struct MlHeapTable
{
	Relation	relation;
	BlockNumber n_blocks;
	int			n_attributes;	/* up to the last one needed */
	int			n_fixed;		/* those before the first of variable length */
	uint32		fixed_end;		/* where that one begins, before alignment */
	MlAttribute *attributes;
	int		   *attribute_of;	/* per place; -1: it is computed */
	int		   *lane_of;		/* per place */
	uint32	   *double_offset;	/* by number of them */
	ExprState  *condition;		/* NULL: all rows pass */
	int			n_computed;		/* places that are */
	int		   *computed_lane;	/* by number of them */
	ProjectionInfo *projection;
	ExprContext *evaluation;	/* NULL: nothing is evaluated */
	HeapTupleData row;			/* which one is, and */
	TupleTableSlot *stored;		/* as a slot */
} MlHeapTable;

/* Which of the rows that conditions were asked about have passed, one bit each in the order of the pages. */
typedef struct MlPassedRows
{
	uint64		known;			/* after the first pass; before: 0 */
	uint64		seen;			/* in this pass */
	int			here;			/* that pass, of the page that is looked at */
	int			n_pieces;
	int			room;
	uint64	  **piece;
} MlPassedRows;

/* Which rows of which pages come together; filled by the main thread. */
typedef struct MlPageRun
{
	Buffer		buffer;			/* pinned */
	Page		page;
	BlockNumber block;
	int			first;			/* row of the batch */
	int			rows;
	bool		whole;			/* no NULL and no column missing in any of them */
} MlPageRun;

/* Some rows in the hands of one thread. */
typedef struct MlRowBatch
{
	const MlHeapTable *table;	/* whose pages they are */
	uint64		first_row;		/* of all */
	int			n_pages;
	MlPageRun	pages[ML_BATCH_PAGES];
	int			n_rows;
	OffsetNumber offset[ML_FRAME_TOGETHER];
	MlFrameChunk *chunk;
	bool		truths;			/* threads read booleans that are categories, too */
	uint32		first_pick;		/* rows of the batch in MlBinDraw */
	uint32		n_picks;
	bool		bad;			/* a value is an error */

	/* Found by whoever looks at the rows first. */
	bool		located;
	bool		walked;			/* values and nulls hold what is at no fixed place */
	HeapTupleHeader row[ML_FRAME_TOGETHER];
	const char *data[ML_FRAME_TOGETHER];	/* where its attributes begin */
	const double *doubles;		/* where all pages are whole: columns of doubles at fixed places, ML_DOUBLES_ROOM for each; NULL: not there */
	MemoryContext memory;		/* of what was computed, */
	Size		computed_bytes; /* so many as are not in values */
	int			computed;		/* rows of a page, until there is an error */
	Datum	   *values;			/* per lane, most_rows each: what was found by walking, or computed */
	bool	   *nulls;
} MlRowBatch;

/* Rows that limits may be chosen on, taken while the table is read for the first time. */
typedef struct MlBinDraw
{
	double		share;			/* of all rows; 0: none are taken */
	bool		overflow;		/* there was no room for all that were drawn */
	uint32		room;
	uint32		n;
	uint32	   *row;			/* ascending */
	int			n_feeds;
	int		   *feed;
	double	  **value;			/* by feed, row */
} MlBinDraw;

struct MlHeapReader
{
	MlFrameReceiver *r;
	int			n_tables;
	MlHeapTable *tables;
	Snapshot	snapshot;
	int			table;			/* of the scan */
	TableScanDesc scan;
	BlockNumber next_block;
	BlockNumber end_block;
	Buffer		ahead[ML_BATCH_PAGES];	/* pages from next_block on that are pinned already */
	uintptr_t	region;			/* of shared memory, that was looked at last */
	int			first_ahead;
	int			n_ahead;
	int			most_ahead;
	Buffer		buffer;			/* the page before next_block, where rows of it have not been dealt out */
	int			n_rows;			/* its visible rows that pass */
	int			next_row;		/* the first of them that has not been dealt out */
	OffsetNumber row[MaxHeapTuplesPerPage];
	uint64		rows;			/* dealt out */
	bool		filtered;		/* some tables have conditions */
	bool		computes;		/* some have places that are computed */
	MlPassedRows passed;
	ErrorData  *error;			/* of what the main thread did with rows: counts after those that it found before */
	MemoryContext owner;
	int			n_lanes;		/* the most of any table */
	int			n_places;
	bool		in_slices;		/* no feed needs whole rows */
	bool		deferred;		/* some columns will be read again */
	bool		main_feeds;		/* some feeds may be read by the main thread only */
	bool		truth_feeds;	/* some are booleans as categories: by the main thread until it has seen both */
	int32	   *truth_code;		/* by feed, 2 each: codes of false and true; -1: not seen yet */
	int			n_doubles;		/* feeds of float8 at a fixed place in every table */
	int		   *double_of;		/* by feed: which of them it is; -1: none */
	double	  **doubles;		/* by thread: room for those of the batch that it works on */
	MlFeed	   *lenient;		/* the feeds, but infinity passes: it is looked for afterwards */
	TupleTableSlot *slot;		/* for rows one by one */
	int			most_rows;		/* of a batch */
	MlBinDraw	draw;
};

/* One column of some rows. */
typedef struct MlSlice
{
	int			count;
	int			n_nulls;
	Datum		value[ML_FRAME_TOGETHER];
	bool		null[ML_FRAME_TOGETHER];
} MlSlice;

/* ---- scan_tables.c ---- */

/* The plans of a statement that scan a table each, all Scan with an own target list and conditions; NIL if it does anything else. */
extern List *ml_table_plans(const PlannedStmt *statement);

/* Its table, by the lock that the plan has. */
extern Relation ml_open_table(const PlannedStmt *statement, const Plan *plan);

/* A column of the relation as it is stored? */
extern bool ml_is_column(const TargetEntry *entry, Index relation);

/* ---- scan_visible.c ---- */

/* Begins to read a table, and ends the one before; ml_heap_end() ends the last one. */
extern void ml_heap_begin(MlHeapReader *h, int table);
extern void ml_heap_end(MlHeapReader *h);

/* The next page and those of its visible rows that pass; false at the end of the table. */
extern bool ml_heap_next_page(MlHeapReader *h);

/* Takes so many rows of it, with a pin of its page. */
extern Buffer ml_heap_take_page(MlHeapReader *h, int rows);

/* The visible rows of some page, whatever a condition says; not between rows of another one. */
extern int	ml_heap_count_rows(MlHeapReader *h, BlockNumber block);

/* ---- scan_allowed.c ---- */

/* May this be evaluated, for rows of a relation of the range table, while threads are at work? */
extern bool ml_may_evaluate(const Node *expression, Index relation);

/* ---- scan_filter.c ---- */

/* The condition of a table, as a plan has it. */
extern void ml_filter_make(MlHeapReader *h, MlHeapTable *table, List *qual);

/* What evaluating needs, for a table that has none yet; and the end of all tables'. */
extern void ml_evaluation_make(MlHeapTable *table);
extern void ml_evaluation_end(MlHeapReader *h);

/* Before each pass over all pages. */
extern void ml_filter_begin_pass(MlHeapReader *h);

/* Of some rows of a page of the table that is read, those that pass, into their beginning; returns how many.  An ERROR is kept. */
extern int	ml_filter_page(MlHeapReader *h, Page page, BlockNumber block, OffsetNumber *row, int n);

/* One row as a slot, for expressions; its page is pinned.  ERROR when the query has been canceled. */
extern void ml_store_row(MlHeapTable *table, Page page, BlockNumber block, OffsetNumber number);

/* In PG_CATCH(): keeps the error until the rows before it are read.  held: InterruptHoldoffCount before PG_TRY(). */
extern void ml_keep_error(MlHeapReader *h, uint32 held);

/* ---- scan_project.c ---- */

/* Places of a target list that are computed, when it is known which. */
extern void ml_project_make(MlHeapTable *table, const List *targets);

/*
 * Computes the values of the next rows of a page, which are to be the next ones of a batch, by the main thread; returns of how many: less
 * than n where the batch is to end.  An ERROR is kept, and the page ends before its row.
 */
extern int	ml_project_rows(MlHeapReader *h, MlRowBatch *batch, Page page, BlockNumber block, int n);

/* ---- scan_page.c ---- */

extern void ml_batch_make(const MlHeapReader *h, MlRowBatch *batch);

/* Before a batch is worked on: where its rows are, what is at no fixed place, and doubles as columns.  By the thread that does it. */
extern void ml_batch_open(const MlHeapReader *h, MlRowBatch *batch, int thread);

/* Where the rows are, and what is at no fixed place; all: also what is.  Each is done once. */
extern void ml_batch_locate(const MlHeapReader *h, MlRowBatch *batch);
extern void ml_batch_walk(const MlHeapReader *h, MlRowBatch *batch, bool all);

/* May threads read this feed?  The same of booleans as categories, once their codes are known. */
extern bool ml_feed_is_plain(const MlFeed *feed);
extern bool ml_feed_is_truth(const MlFeed *feed);
extern bool ml_truths_known(const MlHeapReader *h);

/* The values of a plain number feed, infinities too, where they stand or in "room"; returns how many are NULL. */
extern size_t ml_batch_numbers(const MlHeapReader *h, const MlRowBatch *batch, int feed, const double **number, double *room);

/* Of some rows of the batch. */
extern void ml_batch_pick(const MlHeapReader *h, const MlRowBatch *batch, int feed, const int *row, int n, double *number);

/* Into the frame: feeds that only the main thread may read, in the order of rows; then all others, by any thread. */
extern void ml_batch_feed_main(MlHeapReader *h, MlRowBatch *batch);
extern void ml_batch_feed_plain(const MlHeapReader *h, MlRowBatch *batch);

/* ERROR about the first value that is one. */
extern void ml_batch_complain(MlHeapReader *h, MlRowBatch *batch) pg_attribute_noreturn();

/* ---- scan_bins.c ---- */

/* Before the first pass, when columns are deferred and about so many rows will come. */
extern void ml_bin_draw_make(MlHeapReader *h, double rows);

/* Which rows of a batch are taken; by the main thread.  Then their values; by any thread. */
extern void ml_bin_draw_rows(MlHeapReader *h, MlRowBatch *batch);
extern void ml_bin_draw_values(const MlHeapReader *h, MlRowBatch *batch);

/* ---- scan_readers.c ---- */

/* What is done with a batch: by the main thread when it is complete, by any thread, and by the main thread when that is done. */
typedef struct MlBatchWork
{
	void		(*begin) (MlHeapReader *h, MlRowBatch *batch);	/* may be NULL */
	void		(*work) (const MlHeapReader *h, MlRowBatch *batch, void *state, int thread);
	void		(*end) (MlHeapReader *h, MlRowBatch *batch);	/* may be NULL */
	void	   *state;
	bool		in_order;		/* one batch after the other */
	bool		computes;		/* columns that are computed are wanted */
} MlBatchWork;

/* All pages, in order. */
extern void ml_readers_run(MlHeapReader *h, const MlBatchWork *work);

#endif							/* ML_PG_SCAN_HEAP_H */
