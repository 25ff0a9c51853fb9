/*-------------------------------------------------------------------------
 * segment.h
 *	  Rows of mlplat.segment: the models of a version for groups of rows.
 *-------------------------------------------------------------------------
 */
#ifndef ML_CATALOG_SEGMENT_H
#define ML_CATALOG_SEGMENT_H

#include "postgres.h"

#include "utils/snapshot.h"

/* More columns than this would not fit one INSERT. */
#define ML_MAX_SEGMENT_COLUMNS 16

typedef struct MlSegmentEntry
{
	char	  **key;
	int32		segment;		/* from 0 on, in the order of the keys */
	int64		rows;
	double		score;			/* NaN: NULL */
	char	   *error;			/* NULL where there is an image, or where rows are too few */
	const uint8 *image;			/* NULL: there is none */
	Size		image_length;
	char		checksum[65];	/* of the image, where it was read */
} MlSegmentEntry;

/* version_checksum is that of the model for all rows: an image belongs to its version and place, and no other. */
extern void ml_segment_checksum(const char *version_checksum, const MlSegmentEntry *entry, char *hex);

/* The writer holds the model's row, as for ml_version_insert(). */
extern void ml_segment_add(int64 version_id, const char *version_checksum, int n_columns, int count, const MlSegmentEntry *entries);

/* By key, an index scan; false when there is no such segment.  The image is palloc'd. */
extern bool ml_segment_read(int64 version_id, int n_columns, const char *const *key, const size_t *length, Snapshot snapshot, MlSegmentEntry *entry);

/* All of a version, in the order of their keys; take() runs in a memory context that ends with the row.  Without images their lengths are still told. */
typedef void (*MlSegmentTaker) (void *state, const MlSegmentEntry *entry);
extern void ml_segment_each(int64 version_id, int n_columns, bool with_images, Snapshot snapshot, MlSegmentTaker take, void *state);

#endif							/* ML_CATALOG_SEGMENT_H */
