/*-------------------------------------------------------------------------
 * scan.h
 *	  Rows of a source into an MlFrame: the one interface behind which reading may
 *	  get faster without anybody else noticing.
 *
 * Tables, with conditions and expressions, are read page by page, by several threads (scan_heap.h); everything
 * else by the executor into a DestReceiver.  One snapshot, transaction_read_only while it runs.
 *-------------------------------------------------------------------------
 */
#ifndef ML_PG_SCAN_H
#define ML_PG_SCAN_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "ml/data/encode.h"
#include "nodes/pg_list.h"
#include "nodes/plannodes.h"
#include "pg/source.h"
#include "tcop/dest.h"

/* What a transform wants of a column of the source. */
typedef struct MlInputForm
{
	const char *column;
	int32		buckets;		/* of a text: only its hash modulo this is looked at; 0: all of it */
	const MlTokenSpec *tokens;	/* of a text: it is cut into words; NULL: it is not */
} MlInputForm;

/* Which columns play which part; NULL names for roles that are not there. */
typedef struct MlScanRoles
{
	const char *target;
	const char *id;
	const char *weight;
	const char *split_by;
	bool		split_is_category;	/* group and column splits read split_by as text, time as a number */
	bool		target_is_class;	/* classification is forced: read the target as text whatever its type */
	bool		boolean_is_number;	/* a boolean target is read as 0 and 1, not as text */
	List	   *features;		/* of char *; NIL with features_given false: every usable column */
	bool		features_given;
	List	   *exclude;		/* of char * */
	List	   *segment_by;		/* of char *: columns whose values tell segments apart, read as text */
	const MlInputForm *forms;	/* columns that are read in a form of their own */
	int			n_forms;
	bool		row_hash;		/* without id, columns that are no features join the row hash */
	uint64		seed;
} MlScanRoles;

typedef struct MlScanPlan
{
	const MlSource *source;
	int			n_columns;
	MlColumnSpec *columns;
	double		estimated_rows; /* of the planner */
	bool		rows_firm;		/* an analyzed relation read as a whole: the estimate is close; else it may be wrong by any factor */
	bool		defer;			/* set by the caller: ml_scan_bins() will be called for columns that can be read again */
	MlBinRules	bin_rules;		/* with defer, */
	double		train_share;	/* and of the rows, how many are likely to train */
	List	   *excluded;		/* of char *: "column: why it was left out" */
	List	   *source_columns; /* of char *: what will be read, for lineage */
	void	   *private_plan;
} MlScanPlan;

/*
 * Checks roles against the source's columns: 42703 with near names, 42804 for a
 * named column of an unsupported type, 42501 for one that may not be read, 22023 for the
 * target among the features, 42701 for a feature named twice.  Array columns need
 * one row to know their length; it is taken from the first non-NULL value of the scan itself.
 */
extern MlScanPlan *ml_scan_plan(MlSource *source, const MlScanRoles *roles);

/*
 * Runs it.  Refuses (53400) what will not fit by a firm estimate; checks interrupts; respects
 * env's memory limit; tells env->progress how many rows are read (as iteration).
 */
extern MlFrame *ml_scan_run(MlScanPlan *plan, MlEnv *env);

/* Bytes of a row of the frame; defer: where columns that can be read again will be, as bins. */
extern size_t ml_scan_bytes_per_row(const MlScanPlan *plan, bool defer);

/*
 * After ml_scan_run: reads the deferred columns of the frame as bins (MlColumn.binned), in the order of
 * these rows.  In the same transaction, and with the same snapshot.
 */
extern void ml_scan_bins(MlScanPlan *plan, MlEnv *env, MlFrame *frame, const MlEncodeRows *rows);

/*
 * Makes plan->columns exact where array columns are among them, by reading up to
 * their first values; without it their lengths are estimates until ml_scan_run.
 */
extern void ml_scan_peek(MlScanPlan *plan);

/*
 * For prediction in bulk: calls row() for each tuple; the slot's attributes are
 * those of source->columns.  Same snapshot and read-only rules.
 */
typedef void (*MlRowFunction) (void *state, TupleTableSlot *slot);
extern uint64 ml_scan_each(MlSource *source, MlRowFunction row, void *state);

/* The same where only some of the columns are needed: the others are NULL. */
extern uint64 ml_scan_each_of(MlSource *source, const bool *needed, MlRowFunction row, void *state);

/* A planned SELECT into a receiver, by the same rules; returns the number of rows. */
extern uint64 ml_scan_statement(PlannedStmt *statement, const char *text, DestReceiver *receiver);

#endif							/* ML_PG_SCAN_H */
