/*-------------------------------------------------------------------------
 * sha256.h
 *	  SHA-256 of model images (FIPS 180-4).
 *
 * The server's own goes through a library that takes a fifth of a millisecond to set itself up in a new process
 * and a microsecond for each digest; a session that predicts once and a query that needs ten thousand small models pay for it.
 */
#ifndef ML_BASE_SHA256_H
#define ML_BASE_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ML_SHA256_HEX 65		/* bytes of a digest in hex, with its NUL */

typedef struct MlSha256
{
	uint32_t	state[8];
	uint64_t	length;			/* bytes so far */
	uint8_t		rest[64];		/* those of them that fill no block yet */
	void		(*blocks) (uint32_t *state, const uint8_t *bytes, size_t count);
} MlSha256;

extern void ml_sha256_begin(MlSha256 *sha);
extern void ml_sha256_begin_portable(MlSha256 *sha);	/* the same digest without special instructions */
extern void ml_sha256_add(MlSha256 *sha, const void *bytes, size_t length);
extern void ml_sha256_end(MlSha256 *sha, char *hex);

#endif							/* ML_BASE_SHA256_H */
