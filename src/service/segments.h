/*-------------------------------------------------------------------------
 * segments.h
 *	  From the values of a row to the model of its segment.
 *
 * A version with segments is served like any other: by the model of all rows, which knows
 * the columns and the classes.  Rows are encoded for that model; a router then looks for a model
 * of the row's segment, gives the row to it in its own codes, and brings the answer into the
 * classes of the version.  Where there is none, the model of all rows answers.
 */
#ifndef ML_SERVICE_SEGMENTS_H
#define ML_SERVICE_SEGMENTS_H

#include "postgres.h"

#include "pg/convert.h"
#include "service/serving.h"

typedef enum MlSegmentKind
{
	ML_SEGMENT_TEXT,
	ML_SEGMENT_INTEGER,
	ML_SEGMENT_BOOLEAN,
	ML_SEGMENT_DATE
} MlSegmentKind;

/* What chooses the model of a row; part of the served version. */
typedef struct MlRouting
{
	int			n_columns;
	char	  **name;
	MlSegmentKind *kind;
	int			encoding;		/* of the version's texts */
	struct MlRoutes *routes;	/* keys seen so far */
} MlRouting;

/* NULL for a version without segments.  In the given context, which is that of the cached model. */
extern MlRouting *ml_routing_load(int64 version_id, MemoryContext context);

/* What a message calls values of this kind. */
extern const char *ml_segment_kind_name(MlSegmentKind kind);

/* Whether values of a column may be keys of this kind. */
extern bool ml_segment_kind_fits(MlSegmentKind kind, const MlConverter *converter);

/* Who has answered for a row, and how. */
typedef struct MlAnswer
{
	const MlServed *served;		/* what "out" is to be read by: its classes */
	const double *out;
	const MlServed *by;			/* the model that computed it */
	const double *x;			/* the row as that one saw it */
	const double *by_out;		/* what it said, by its own classes */
	const int  *feature_of;		/* its features -> those of the version; NULL: the same */
} MlAnswer;

typedef struct MlRouter MlRouter;

/* For a version that has a routing.  Pins one segment's model at a time; ends with its owner. */
extern MlRouter *ml_router_create(const MlServed *served, MemoryContext owner);

/* The key of the next row, column by column; a NULL text leaves the row to the model of all rows. */
extern void ml_router_begin(MlRouter *router);
extern void ml_router_part(MlRouter *router, const char *text, size_t length);

/* x: encoded for the version's model; out: room for its answer.  The answer is good until the next one. */
extern MlAnswer ml_router_answer(MlRouter *router, const double *x, double *out);

/* All models of a version's segments, read and verified, in env's arena; NULL for a version without. */
extern struct MlSegmentModels *ml_segments_load(MlEnv *env, const MlResolved *resolved);

#endif							/* ML_SERVICE_SEGMENTS_H */
