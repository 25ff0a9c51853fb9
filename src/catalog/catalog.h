/*-------------------------------------------------------------------------
 * catalog.h
 *	  mlplat's own tables: the only folder that reads and writes them.
 *
 * Users have no rights on these tables.  Writing goes through SPI as the owner
 * of the table (catalog.c switches the user for each statement and back, on
 * errors too); every name and operator in its SQL is qualified.  What serving needs on each
 * statement is read by index scans with a given snapshot (resolve.c), without SPI.
 *-------------------------------------------------------------------------
 */
#ifndef ML_CATALOG_CATALOG_H
#define ML_CATALOG_CATALOG_H

#include "postgres.h"

#include "executor/spi.h"
#include "utils/snapshot.h"

/* Owner of mlplat's tables; 55000 when the extension is not installed here. */
extern Oid	ml_catalog_owner(void);

/* OID of mlplat.<table> by name; cached, 55000 when it is gone. */
extern Oid	ml_catalog_relation(const char *table);

/*
 * One SQL statement as the catalog owner with search_path pg_catalog, between SPI_connect() and
 * SPI_finish() of the caller.  nulls as for SPI_execute_with_args.  read_only uses the active snapshot.
 * Returns SPI_processed.
 */
extern uint64 ml_catalog_execute(const char *sql, int nargs, Oid *types, Datum *values, const char *nulls, bool read_only);

#endif							/* ML_CATALOG_CATALOG_H */
