/*-------------------------------------------------------------------------
 * function.h
 *	  Functions that make a prediction read like a column.
 *-------------------------------------------------------------------------
 */
#ifndef ML_SERVICE_FUNCTION_H
#define ML_SERVICE_FUNCTION_H

#include "postgres.h"

/*
 * Creates the function as the current role in the relation's schema and records it.  name NULL:
 * "<model>_<kind>".  kind: "predict", "class", "proba", or one of them as "columns",
 * "columns_class", "columns_proba".  Returns its OID.
 */
extern Oid	ml_function_create(const char *reference, Oid relation, const char *name, const char *kind, bool pinned);

#endif							/* ML_SERVICE_FUNCTION_H */
