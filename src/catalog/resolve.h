/*-------------------------------------------------------------------------
 * resolve.h
 *	  From "churn", "churn@7" or "churn@candidate" to a version row and its image,
 *	  by index scans with a given snapshot: no SPI, no privileges asked.
 *-------------------------------------------------------------------------
 */
#ifndef ML_CATALOG_RESOLVE_H
#define ML_CATALOG_RESOLVE_H

#include "postgres.h"

#include "utils/snapshot.h"

/* The alias that a bare name means. */
#define ML_PRODUCTION "production"

typedef struct MlResolved
{
	int64		model_id;
	int64		version_id;
	int32		version;
	char		name[NAMEDATALEN];	/* of the model */
	TransactionId xmin[3];		/* of the model, deployment and version rows that were read; InvalidTransactionId where none was */
	char		checksum[65];
	int64		bytes;
} MlResolved;

/* "name[@version|@alias]" -> its parts; alias NULL and version 0 for the production version. 42602 when malformed. */
extern void ml_reference_parse(const char *reference, char **name, char **alias, int32 *version);

/* Whether it can be parsed at all: ml_reference_parse() would not report it. */
extern bool ml_reference_well_formed(const char *reference);

typedef enum MlResolveResult
{
	ML_RESOLVED,
	ML_NO_MODEL,				/* 42704 */
	ML_NO_VERSION,				/* 42704: no such version or alias */
	ML_NOT_DEPLOYED				/* 55000: nothing in production; hint ml_deploy */
} MlResolveResult;

extern MlResolveResult ml_resolve(const char *reference, Snapshot snapshot, MlResolved *resolved);

/* By model id and alias (NULL: production), for generated functions: a rename does not touch them. */
extern MlResolveResult ml_resolve_model(int64 model_id, const char *alias, Snapshot snapshot, MlResolved *resolved);

/* By version id, for pinned functions. */
extern MlResolveResult ml_resolve_version(int64 version_id, Snapshot snapshot, MlResolved *resolved);

/* Raises the error that belongs to a result. */
extern void ml_resolve_report(MlResolveResult result, const char *reference) pg_attribute_noreturn();

/*
 * The image, put together from its chunks in order; XX001 when a chunk is missing,
 * twice there, or the length differs from version.bytes.  palloc'd (huge allowed).
 */
extern uint8 *ml_read_image(int64 version_id, Snapshot snapshot, int64 bytes, size_t *length);

/* The encoding of the texts in a version's image; -1 for one that this server does not know, or no such version. */
extern int	ml_version_encoding(int64 version_id, Snapshot snapshot);

/* OIDs of the relations whose relcache invalidation says that a resolution may have changed. */
extern Oid	ml_resolve_relation(void);	/* mlplat.deployment: the trigger _invalidate() fires for it */

#endif							/* ML_CATALOG_RESOLVE_H */
