/*-------------------------------------------------------------------------
 * turn.h
 *	  Numbers that stand row by row, as columns.
 *-------------------------------------------------------------------------
 */
#ifndef ML_DATA_TURN_H
#define ML_DATA_TURN_H

#include <stddef.h>
#include <stdint.h>

/* Rows that are turned at a time. */
#define ML_TURN_ROWS 8

/*
 * to[c * stride + i] = the double at row[i] + offset[c], wherever it is aligned, for i < n and c < columns; bits
 * are kept, of NaN too.  Whole groups of rows are written: there has to be room for n rounded up to a multiple of ML_TURN_ROWS, and what is
 * written behind n means nothing.
 */
extern void ml_turn_rows(const char *const *row, size_t n, const uint32_t *offset, int columns, double *to, size_t stride);

#endif							/* ML_DATA_TURN_H */
