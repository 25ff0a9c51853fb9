/*-------------------------------------------------------------------------
 * class_sums.h
 *	  Sums of columns of numbers by class.
 *
 * The rows of a block are put in order of their classes once for all columns; then the sums of a class are
 * sums over a stretch of memory, without a table that each row writes to.
 *-------------------------------------------------------------------------
 */
#ifndef ML_ALGO_CLASS_SUMS_H
#define ML_ALGO_CLASS_SUMS_H

#include "ml/data/dataset.h"

/* A block of a column stays in the first-level cache while it is passed over twice. */
#define ML_CLASS_BLOCK ((size_t) 2048)
/* Rows that are put in order at a time. */
#define ML_CLASS_STRETCH (32 * ML_CLASS_BLOCK)

/* Training rows first .. first+rows-1, block by block in order of their classes. */
typedef struct MlClassOrder
{
	const MlDataset *data;
	size_t		n_classes;
	size_t		first;
	size_t		rows;
	size_t		blocks;
	uint16_t   *place;			/* rows: within the block */
	uint16_t   *start;			/* blocks x (n_classes + 1): where each class begins in its block's part of "place" */
	double	   *weight;			/* rows: in this order; NULL without weights */
	double	   *room;			/* threads x 3 x (ML_CLASS_BLOCK + lanes) */
} MlClassOrder;

/* By class, over the rows where the column is there. */
typedef struct MlClassSums
{
	double	   *weight;
	double	   *mean;
	double	   *squares;		/* weighted, of the deviations from the mean; NULL: they are not wanted */
	bool		negative;		/* a value below 0 was met */
} MlClassSums;

extern size_t ml_class_order_memory(size_t n, size_t n_classes, int threads);
extern MlStatus ml_class_order_make(MlEnv *env, const MlDataset *data, size_t n_classes, MlClassOrder *order);

/* Puts the stretch that begins there in order, with the threads of the pool. */
extern MlStatus ml_class_order_fill(MlEnv *env, MlClassOrder *order, size_t first);

/* Adds to weight[k] what the rows of class k in the stretch weigh. */
extern void ml_class_order_weigh(const MlClassOrder *order, double *weight);

/*
 * Adds the stretch of a column of numbers, sparse or not, to its sums.  limit not NULL: of 1 for each value
 * greater than that, 0 for others.  The same bits on every tier.
 */
extern void ml_class_sums_add(const MlClassOrder *order, const MlDataColumn *column, const double *limit, int thread, MlClassSums *sums);

#endif							/* ML_ALGO_CLASS_SUMS_H */
