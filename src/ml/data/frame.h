/*-------------------------------------------------------------------------
 * frame.h
 *	  The rows of a source, column by column, as they were read.
 *
 * A reader (src/pg/scan.c, or a test) says which columns come, appends rows value
 * by value, and gets an MlFrame.  Values are kept in blocks of ML_FRAME_BLOCK
 * rows while their number is unknown, and joined at the end column by column,
 * so that never more than one column exists twice.
 *-------------------------------------------------------------------------
 */
#ifndef ML_DATA_FRAME_H
#define ML_DATA_FRAME_H

#include "ml/base/env.h"

#define ML_FRAME_BLOCK 65536

typedef enum MlColumnKind
{
	ML_NUMBER,					/* double per row, NaN = missing */
	ML_CATEGORY,				/* int32 code per row, -1 = missing, and a dictionary */
	ML_INTEGER_KEY				/* int64 per row, for ids of an integer type; never missing */
} MlColumnKind;

/* What the source type was, as far as learning cares. */
typedef enum MlLogicalType
{
	ML_LOGICAL_INTEGER,
	ML_LOGICAL_FLOAT,			/* float4, float8, numeric, interval */
	ML_LOGICAL_BOOLEAN,			/* number: 0/1; as a target: category "false"/"true" */
	ML_LOGICAL_TEXT,
	ML_LOGICAL_TIME				/* date, time, timestamp, timestamptz */
} MlLogicalType;

/* What the number of a time column counts. */
typedef enum MlTimeUnit
{
	ML_UNIT_NONE,
	ML_UNIT_DAYS,				/* date: days since 2000-01-01 */
	ML_UNIT_SECONDS,			/* timestamp, timestamptz in UTC: seconds since 2000-01-01 */
	ML_UNIT_SECONDS_OF_DAY		/* time */
} MlTimeUnit;

/* What a column is for; one column may carry several roles. */
typedef enum MlRole
{
	ML_ROLE_FEATURE = 1,
	ML_ROLE_TARGET = 2,
	ML_ROLE_WEIGHT = 4,
	ML_ROLE_ID = 8,
	ML_ROLE_SPLIT = 16,			/* split_by */
	ML_ROLE_HASH = 32,			/* takes part in the row hash only: not stored */
	ML_ROLE_SEGMENT = 64		/* segment_by: a category, whatever its type; several columns may have it */
} MlRole;

/* How texts are cut into words: by a text search configuration of the server, which src/ml never asks itself. */
typedef struct MlTokenSpec
{
	const char *config;			/* "schema.name" */
	int32_t		min_words;		/* of a term: 1 .. max_words */
	int32_t		max_words;
} MlTokenSpec;

typedef struct MlColumnSpec
{
	const char *name;			/* feature name: "age", or "pixels[3]" for an array element */
	const char *source_column;	/* "age", "pixels" */
	int			element;		/* 1-based element of an array column, 0 for a scalar */
	int			elements;		/* length of the array column, 0 for a scalar */
	const char *type_name;		/* as format_type() prints it, array types with [] */
	MlColumnKind kind;
	MlLogicalType logical;
	int			roles;			/* MlRole bits */
	bool		named;			/* the user asked for it by name: unusable is an error, not a warning */
	bool		not_a_key;		/* that it differs in every row is no reason to leave it out */
	bool		unhashed;		/* another spec of the same source column is the one that is hashed */
	MlTimeUnit	unit;
	const MlTokenSpec *tokens;	/* of a category: its texts are cut into words; NULL: they are not */
	int32_t		buckets;		/* of a category: only the hash of its text modulo this is looked at; 0: all of it */
	bool		deferred;		/* counts and is hashed, but its values are not kept: they will be read again */
} MlColumnSpec;

/* Strings of a category column, code -> text, in order of first appearance. */
typedef struct MlDictionary
{
	int32_t		count;
	const char **text;
	const uint32_t *length;
} MlDictionary;

/* The terms of each text of a dictionary. */
typedef struct MlTokens
{
	MlDictionary term;			/* of all texts, in order of first appearance */
	const size_t *start;		/* of each text and the end; into the next two */
	const int32_t *code;		/* of a term, each once in a text */
	const int32_t *count;
	bool		hashed;			/* they become buckets */
	int32_t		n_slots;		/* columns that they become (ml/prep); 0: not chosen yet, or none */
	const int32_t *slot_of;		/* code -> slot, -1: none */
	const char **slot_name;		/* the term, or "#17" */
} MlTokens;

typedef struct MlColumn
{
	MlColumnSpec spec;
	double	   *number;			/* rows long, for ML_NUMBER */
	int32_t    *code;			/* for ML_CATEGORY */
	int64_t    *key;			/* for ML_INTEGER_KEY */
	MlDictionary dictionary;
	struct MlBinned *binned;	/* of a column whose values are not kept (binned.h); in the order of the data set */
	MlTokens   *tokens;			/* with spec.tokens: of the dictionary's texts */
	size_t		missing;		/* rows without a value */
	bool		nan;			/* of the missing ones some were NaN, not NULL */
	bool		inexact;		/* holds an integer beyond 2^53, stored as the nearest double */
} MlColumn;

typedef struct MlFrame
{
	size_t		rows;
	int			n_columns;
	MlColumn   *columns;		/* those that are stored, in spec order */
	uint64_t   *row_hash;		/* of the id where there is one, else of all columns of the spec */
	bool		hash_of_id;
	uint64_t	seed_hash;		/* that entered them */
	uint64_t	content_hash[2];	/* of all columns of all rows, whatever their order */
} MlFrame;

typedef struct MlFrameBuilder MlFrameBuilder;

/*
 * The specs are copied.  At most one id, one target, one weight, one split
 * column.  seed enters the row hash (DESIGN 2.2: equal data, target and seed
 * give the same split).
 */
extern MlStatus ml_frame_begin(MlEnv *env, const MlColumnSpec *specs, int n_specs, uint64_t seed, MlFrameBuilder **builder);

/*
 * Values of the current row, by spec number; a column that got none is missing.
 * ml_frame_number: NaN means missing, the reader has refused infinity before.
 * ml_frame_integer: hashed as the integer it is, stored as the nearest double
 * (or as it is for ML_INTEGER_KEY).  ml_frame_text: bytes in the server encoding.
 */
extern void ml_frame_number(MlFrameBuilder *b, int column, double value);
extern void ml_frame_integer(MlFrameBuilder *b, int column, int64_t value);
extern MlStatus ml_frame_text(MlFrameBuilder *b, int column, const char *text, size_t length);
extern MlStatus ml_frame_end_row(MlFrameBuilder *b);

/*
 * About how many rows will come.  A good guess saves joining blocks at the
 * end, a bad one does no harm.  Before the first row, and any number of times.
 */
extern MlStatus ml_frame_expect(MlFrameBuilder *b, double rows);

/*
 * Rows together, column after column; the frame is the same as from single rows, which
 * may not be mixed with them.
 *
 * A chunk takes the next rows: ml_frame_chunk_begin says how many (of at least one) in chunk->n.
 * Then EVERY column is given exactly once, with that many values; ml_frame_chunk_hash takes them over, and
 * ml_frame_chunk_end counts them in.  Several chunks may be open at a time, each in the hands of one thread
 * between begin and end; begin, texts and end belong to the main thread.  While ml_frame_full() says so, a
 * chunk may only be begun when no other one is open.
 * ml_frame_numbers: NaN is missing; "nulls" of them were NULL; false when one is infinite.  ml_frame_integers: null may be NULL.
 * ml_frame_text_of: row counts from 0 within the chunk, and a text of NULL is missing; texts get their
 * codes in the order in which they are given.
 */
#define ML_FRAME_TOGETHER 1024

typedef struct MlFrameChunk
{
	MlFrameBuilder *builder;
	size_t		first;			/* row of the frame */
	size_t		n;
	size_t		at;				/* within the newest block */
	uint64_t	content_hash[2];
	size_t	   *missing;		/* by column */
	uint8_t    *odd;			/* by column: NaN, and integers beyond doubles */
	uint64_t	row_sum[ML_FRAME_TOGETHER]; /* of each row: the sum over its cells so far */
	uint64_t	id_hash[ML_FRAME_TOGETHER]; /* and that of its id */
} MlFrameChunk;

extern MlStatus ml_frame_chunk_make(MlFrameBuilder *b, MlFrameChunk **chunk);
extern bool ml_frame_full(const MlFrameBuilder *b);
extern MlStatus ml_frame_room(MlFrameBuilder *b, size_t *rows); /* that a chunk can have now; makes room where it is full */
extern MlStatus ml_frame_chunk_begin(MlFrameChunk *chunk, size_t rows);
extern bool ml_frame_numbers(MlFrameChunk *chunk, int column, const double *values, size_t nulls);
extern void ml_frame_integers(MlFrameChunk *chunk, int column, const int64_t *values, const bool *null);
extern MlStatus ml_frame_text_of(MlFrameChunk *chunk, int column, size_t row, const char *text, size_t length);

/* Of a category that is not hashed (MlColumnSpec.unhashed): codes that texts have got before, -1 for missing; by any thread. */
extern int32_t ml_frame_code(const MlFrameChunk *chunk, int column, size_t row);
extern void ml_frame_codes(MlFrameChunk *chunk, int column, const int32_t *codes);
extern void ml_frame_chunk_hash(MlFrameChunk *chunk);
extern void ml_frame_chunk_end(MlFrameChunk *chunk);

/* Rows so far, and the bytes that the rows of these columns take at the end. */
extern size_t ml_frame_rows(const MlFrameBuilder *b);
extern size_t ml_frame_bytes_per_row(const MlColumnSpec *specs, int n_specs);

extern MlStatus ml_frame_finish(MlFrameBuilder *b, MlFrame **frame);

/* The first column with that role, NULL for none. */
extern const MlColumn *ml_frame_column(const MlFrame *frame, MlRole role);

#endif							/* ML_DATA_FRAME_H */
