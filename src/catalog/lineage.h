/*-------------------------------------------------------------------------
 * lineage.h
 *	  Where a version comes from and what hangs on it.
 *-------------------------------------------------------------------------
 */
#ifndef ML_CATALOG_LINEAGE_H
#define ML_CATALOG_LINEAGE_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "utils/tuplestore.h"

/*
 * Rows of ml_lineage() (depth int, kind, object, relation text, at timestamptz) into a
 * tuplestore.  direction "up" or "down", else 22023.  Needs the privilege "read".
 */
extern void ml_lineage_read(const char *reference, const char *direction, Tuplestorestate *store, TupleDesc desc);

#endif							/* ML_CATALOG_LINEAGE_H */
