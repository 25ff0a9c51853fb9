/*-------------------------------------------------------------------------
 * bytes.h
 *	  Writing and reading of model images, little-endian, checked.
 *
 * A reader never trusts a length: each get checks what is left, and
 * ml_get_count() checks that the announced elements can be there at all before
 * anybody allocates.  After a failure the reader stays failed and returns zeros.
 *-------------------------------------------------------------------------
 */
#ifndef ML_BASE_BYTES_H
#define ML_BASE_BYTES_H

#include "ml/base/env.h"

typedef struct MlWriter
{
	MlEnv	   *env;
	uint8_t    *bytes;
	size_t		length;
	size_t		capacity;
	MlStatus	status;
} MlWriter;

typedef struct MlReader
{
	MlEnv	   *env;
	const uint8_t *bytes;
	size_t		length;
	size_t		offset;
	MlStatus	status;
} MlReader;

extern void ml_writer_init(MlWriter *w, MlEnv *env);
extern void ml_put_u8(MlWriter *w, uint8_t v);
extern void ml_put_u16(MlWriter *w, uint16_t v);
extern void ml_put_u32(MlWriter *w, uint32_t v);
extern void ml_put_u64(MlWriter *w, uint64_t v);
extern void ml_put_i32(MlWriter *w, int32_t v);
extern void ml_put_double(MlWriter *w, double v);
extern void ml_put_bytes(MlWriter *w, const void *data, size_t length);
extern void ml_put_doubles(MlWriter *w, const double *v, size_t count);
extern void ml_put_text(MlWriter *w, const char *text); /* u32 length, bytes; NULL is written as length UINT32_MAX */

extern void ml_reader_init(MlReader *r, MlEnv *env, const void *bytes, size_t length);
extern uint8_t ml_get_u8(MlReader *r);
extern uint16_t ml_get_u16(MlReader *r);
extern uint32_t ml_get_u32(MlReader *r);
extern uint64_t ml_get_u64(MlReader *r);
extern int32_t ml_get_i32(MlReader *r);
extern double ml_get_double(MlReader *r);
extern double ml_get_finite(MlReader *r);	/* fails on NaN and infinity */
extern const uint8_t *ml_get_bytes(MlReader *r, size_t length); /* points into the image */
extern double *ml_get_doubles(MlReader *r, size_t count);	/* copied into the arena, all finite */
extern const char *ml_get_text(MlReader *r);	/* copied; no NUL inside; NULL possible, see ml_put_text */

/* A count of things that take at least min_size bytes each; 0 and failed when they cannot all be there. */
extern uint32_t ml_get_count(MlReader *r, size_t min_size);

/* Marks the image as damaged, saying what is wrong. */
extern MlStatus ml_reader_corrupt(MlReader *r, const char *what);
extern MlStatus ml_reader_end(MlReader *r);	/* ML_CORRUPT when bytes are left over */

extern uint32_t ml_crc32c(const void *data, size_t length);
extern uint32_t ml_crc32c_portable(const void *data, size_t length);	/* the same value without special instructions */

#endif							/* ML_BASE_BYTES_H */
