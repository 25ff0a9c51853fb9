/*-------------------------------------------------------------------------
 * figures.c
 *	  What was measured when a version was trained, as reports read it.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "catalog/catalog.h"
#include "catalog/figures.h"

static uint64
select_figures(const char *sql, int64 version_id, const char *split)
{
	Oid			types[] = {INT8OID, TEXTOID};
	Datum		values[] = {Int64GetDatum(version_id), split != NULL ? CStringGetTextDatum(split) : (Datum) 0};

	return ml_catalog_execute(sql, split != NULL ? 2 : 1, types, values, NULL, true);
}

static double
number_at(uint64 row, int column)
{
	bool		null;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &null);

	return null ? NAN : DatumGetFloat8(value);
}

static char *
text_at(uint64 row, int column)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);
}

int
ml_figures_metrics(int64 version_id, const char *split, MlMetric **metrics)
{
	MemoryContext caller = CurrentMemoryContext;
	uint64		count;

	SPI_connect();
	count = select_figures("SELECT metric, value FROM mlplat.metric"
						   " WHERE version_id OPERATOR(pg_catalog.=) $1 AND split OPERATOR(pg_catalog.=) $2", version_id, split);
	*metrics = MemoryContextAllocZero(caller, sizeof(MlMetric) * Max(count, 1));
	for (uint64 i = 0; i < count; i++)
	{
		(*metrics)[i].name = MemoryContextStrdup(caller, text_at(i, 1));
		(*metrics)[i].value = number_at(i, 2);
	}
	SPI_finish();
	return (int) count;
}

static int
find_class(const char *label, int n_classes, const char *const *classes)
{
	for (int k = 0; k < n_classes; k++)
	{
		if (strcmp(classes[k], label) == 0)
			return k;
	}
	elog(ERROR, "stored confusion matrix has an unknown class");
}

int64 *
ml_figures_confusion(int64 version_id, const char *split, int n_classes, const char *const *classes)
{
	MemoryContext caller = CurrentMemoryContext;
	int64	   *cells = NULL;
	uint64		count;

	SPI_connect();
	count = select_figures("SELECT actual, predicted, rows FROM mlplat.confusion"
						   " WHERE version_id OPERATOR(pg_catalog.=) $1 AND split OPERATOR(pg_catalog.=) $2", version_id, split);
	if (count > 0)
		cells = MemoryContextAllocZero(caller, sizeof(int64) * n_classes * n_classes);
	for (uint64 i = 0; i < count; i++)
	{
		int			actual = find_class(text_at(i, 1), n_classes, classes);
		int			predicted = find_class(text_at(i, 2), n_classes, classes);
		bool		null;

		cells[(Size) actual * n_classes + predicted] =
			DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 3, &null));
	}
	SPI_finish();
	return cells;
}

int
ml_figures_roc(int64 version_id, MlRocPoint **points)
{
	MemoryContext caller = CurrentMemoryContext;
	uint64		count;

	SPI_connect();
	count = select_figures("SELECT threshold, fpr, tpr FROM mlplat.roc"
						   " WHERE version_id OPERATOR(pg_catalog.=) $1 ORDER BY point", version_id, NULL);
	*points = MemoryContextAllocZero(caller, sizeof(MlRocPoint) * Max(count, 1));
	for (uint64 i = 0; i < count; i++)
	{
		(*points)[i].threshold = number_at(i, 1);
		(*points)[i].fpr = number_at(i, 2);
		(*points)[i].tpr = number_at(i, 3);
	}
	SPI_finish();
	return (int) count;
}
