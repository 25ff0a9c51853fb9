/*-------------------------------------------------------------------------
 * source.h
 *	  What "source" means: a relation by name, or the text of a query.
 *
 * It is a query if the parser yields exactly one SELECT, VALUES or TABLE
 * statement, else a name that is resolved with the caller's search_path.  The
 * name is never pasted into SQL.  Everything that writes is refused.
 *-------------------------------------------------------------------------
 */
#ifndef ML_PG_SOURCE_H
#define ML_PG_SOURCE_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "nodes/parsenodes.h"

typedef struct MlSource
{
	const char *text;			/* as the user wrote it */
	bool		is_query;
	Oid			relid;			/* of a relation, else InvalidOid */
	const char *relation;		/* "schema.name", quoted where needed; NULL for a query */
	const char *query;			/* SQL that yields the rows: the user's query, or SELECT * FROM relation */
	TupleDesc	columns;		/* visible columns (dropped ones gone), names as they are */
	bool	   *readable;		/* per column: the current role may SELECT it */
	bool		temporary;		/* touches a temporary relation */
	SelectStmt *statement;	/* the parsed query; NULL for a relation */
	bool		parallel_safe;	/* a parallel worker may run it: no unsafe function, no temporary or foreign table */
} MlSource;

/* In the current memory context.  Takes ACCESS SHARE on what it touches, as planning does. */
extern MlSource *ml_source_open(const char *text);

/*
 * A SELECT of the needed columns (NULL: of all), analyzed, rewritten (views, row-level security) and ready for planning.
 * keep_places: the others stay in the result as NULLs, so that positions are
 * those of source->columns.
 */
extern Query *ml_source_query(const MlSource *source, const bool *needed, bool keep_places);

/* Default model name "<relation>_<target>"; an error with a hint for a query. */
extern char *ml_source_default_model(const MlSource *source, const char *target);

#endif							/* ML_PG_SOURCE_H */
