/*-------------------------------------------------------------------------
 * textarray.h
 *	  text[] arguments and results as lists of C strings.
 *-------------------------------------------------------------------------
 */
#ifndef ML_PG_TEXTARRAY_H
#define ML_PG_TEXTARRAY_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/array.h"

/* List of char *; 22004 naming the argument for a NULL element, 2202E for more than one dimension. */
extern List *ml_text_list(ArrayType *array, const char *argument);

/* An empty array for NIL. */
extern ArrayType *ml_text_array(const List *texts);

#endif							/* ML_PG_TEXTARRAY_H */
