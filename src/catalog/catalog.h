/*-------------------------------------------------------------------------
 * catalog.h
 *	  mlplat's own tables: the only folder that reads and writes them.
 *
 * Users have no rights on these tables.  Writing goes through SPI as the owner
 * of the tables (catalog.c switches the user for each statement and back, on
 * errors too); every name and operator in its SQL is qualified.  What serving needs on each
 * statement is read by index scans with a given snapshot (resolve.c), without SPI.
 *-------------------------------------------------------------------------
 */
#ifndef ML_CATALOG_CATALOG_H
#define ML_CATALOG_CATALOG_H

#include "postgres.h"

#include "executor/spi.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

/* Owner of mlplat's tables; 55000 when the extension is not installed here. */
extern Oid	ml_catalog_owner(void);

/* OID of schema mlplat, or InvalidOid when the extension is not installed here. */
extern Oid	ml_catalog_schema(void);

/* OID of mlplat.<table or index> by name; cached, 55000 when it is gone. */
extern Oid	ml_catalog_relation(const char *name);

/*
 * Opens mlplat.<table> with ACCESS SHARE and gives the OID of one of its indexes.  Close
 * with table_close(relation, AccessShareLock).  Never works on an OID that DROP EXTENSION
 * has made stale: 55000 when the table is gone.
 */
extern Relation ml_catalog_open(const char *table, const char *index, Oid *index_oid);

/*
 * One SQL statement as the catalog owner with search_path pg_catalog, between SPI_connect() and
 * SPI_finish() of the caller.  nulls as for SPI_execute_with_args.  read_only uses the active snapshot,
 * otherwise each statement sees what has been committed before it (READ COMMITTED) and all of its own transaction.
 * Returns SPI_processed.
 */
extern uint64 ml_catalog_execute(const char *sql, int nargs, Oid *types, Datum *values, const char *nulls, bool read_only);

/* For work in C as the catalog owner: between these two no error may be caught. */
typedef struct MlCatalogUser
{
	Oid			user;
	int			context;
	int			guc_level;
} MlCatalogUser;

extern void ml_catalog_become_owner(MlCatalogUser *saved);
extern void ml_catalog_become_user(const MlCatalogUser *saved);

/*
 * Makes active a snapshot that sees all that a new statement would see: also what
 * this very statement has done so far.  PopActiveSnapshot() ends it.
 */
extern void ml_catalog_push_snapshot(void);

/* The current role's name, in the current memory context. */
extern char *ml_catalog_user_name(void);

#endif							/* ML_CATALOG_CATALOG_H */
