/*-------------------------------------------------------------------------
 * textarray.c
 *	  text[] arguments and results as lists of C strings.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "pg/textarray.h"
#include "utils/builtins.h"

List *
ml_text_list(ArrayType *array, const char *argument)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	List	   *texts = NIL;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("argument \"%s\" must be an array of one dimension", argument)));
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"%s\" must not contain nulls", argument)));
		texts = lappend(texts, TextDatumGetCString(elements[i]));
	}
	return texts;
}

ArrayType *
ml_text_array(const List *texts)
{
	int			count = list_length(texts);
	Datum	   *elements = palloc(Max(count, 1) * sizeof(Datum));

	for (int i = 0; i < count; i++)
		elements[i] = CStringGetTextDatum(list_nth(texts, i));
	return construct_array(elements, count, TEXTOID, -1, false, TYPALIGN_INT);
}
