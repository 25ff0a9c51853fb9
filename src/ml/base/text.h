/*-------------------------------------------------------------------------
 * text.h
 *	  Numbers as text, and the hash of bytes.
 *-------------------------------------------------------------------------
 */
#ifndef ML_BASE_TEXT_H
#define ML_BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define ML_DOUBLE_TEXT 32

/* The shortest decimal that reads back as x: "20", "0.1", "1e-320". Returns buffer (ML_DOUBLE_TEXT bytes). */
extern char *ml_double_text(char *buffer, double x);

/* 64 bits, the same on every machine. */
extern uint64_t ml_hash_bytes(uint64_t seed, const void *bytes, size_t length);

#endif							/* ML_BASE_TEXT_H */
