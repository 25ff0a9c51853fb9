/*-------------------------------------------------------------------------
 * tables.h
 *	  Rows of mlplat's tables as index scans read them, with a given snapshot.
 *
 * For src/catalog only.  No SPI and no privilege is involved: it works on a hot
 * standby and in parallel workers, and costs a microsecond or two.
 *-------------------------------------------------------------------------
 */
#ifndef ML_CATALOG_TABLES_H
#define ML_CATALOG_TABLES_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/snapshot.h"

typedef struct MlModelRow
{
	int64		model_id;
	NameData	name;
	int32		last_version;
	TimestampTz created_at;
	TransactionId xmin;
} MlModelRow;

typedef struct MlVersionRow
{
	int64		version_id;
	int64		model_id;
	int32		version;
	int64		bytes;
	char		checksum[65];
	TransactionId xmin;
} MlVersionRow;

/* What chooses the model of a segment: columns and the kinds of their values, in the order of the keys. */
typedef struct MlSegmentColumnsRow
{
	int			count;			/* 0: the version has no segments */
	char	  **name;
	char	  **kind;
} MlSegmentColumnsRow;

/* All return false when there is no such row. */
extern bool ml_model_read(const char *name, Snapshot snapshot, MlModelRow *row);
extern bool ml_model_read_id(int64 model_id, Snapshot snapshot, MlModelRow *row);
extern bool ml_version_read(int64 model_id, int32 version, Snapshot snapshot, MlVersionRow *row);
extern bool ml_version_read_id(int64 version_id, Snapshot snapshot, MlVersionRow *row);
extern bool ml_version_segment_columns(int64 version_id, Snapshot snapshot, MlSegmentColumnsRow *row);
extern bool ml_alias_read(int64 model_id, const char *alias, Snapshot snapshot, int64 *version_id, TransactionId *xmin);

#endif							/* ML_CATALOG_TABLES_H */
