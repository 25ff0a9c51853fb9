/*-------------------------------------------------------------------------
 * partition.c
 *	  Rows of a leaf to its two children, each side in its old order.
 *
 * No branch depends on the data: a balanced split mispredicts every other row
 * otherwise.  Large leaves are cut into blocks; each block sorts its rows into
 * two buffers and is copied to where the blocks before it end.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "ml/algo/gbdt/grow_internal.h"
#include "ml/base/pool.h"

#define PARTITION_ROWS 32768

typedef struct PartitionJob
{
	MlGbdtGrower *grower;
	const MlGbdtExpansion *x;
	const MlGbdtColumn *column;
	size_t		begin;
	size_t		count;
	size_t		all_left;
} PartitionJob;

/* Returns how many went left.  to_left may be rows itself: what is written has been read. */
static size_t
sort_rows(const MlGbdtColumn *column, const uint8_t *goes_left, const uint32_t *rows, size_t n, uint32_t *to_left, uint32_t *to_right)
{
	size_t		left = 0;
	size_t		right = 0;

	for (size_t i = 0; i < n; i++)
	{
		uint32_t	r = rows[i];
		uint8_t		l = goes_left[column->narrow ? column->narrow[r] : column->wide[r]];

		to_left[left] = r;
		to_right[right] = r;
		left += l;
		right += !l;
	}
	return left;
}

void
ml_gbdt_partition(MlGbdtGrower *grower, MlGbdtExpansion *x, const MlGbdtColumn *column, size_t begin, size_t count)
{
	uint32_t   *rows = grower->rows + begin;
	uint32_t   *to_right = grower->to_right + begin;

	x->n_left = sort_rows(column, x->goes_left, rows, count, rows, to_right);
	memcpy(rows + x->n_left, to_right, (count - x->n_left) * sizeof(uint32_t));
}

static void
sort_task(void *arg, size_t task, int thread)
{
	PartitionJob *job = arg;
	MlGbdtGrower *grower = job->grower;
	size_t		offset = task * PARTITION_ROWS;
	size_t		count = job->count - offset < PARTITION_ROWS ? job->count - offset : PARTITION_ROWS;

	offset += job->begin;
	grower->block_left[task] = sort_rows(job->column, job->x->goes_left, grower->rows + offset, count,
										 grower->to_left + offset, grower->to_right + offset);
}

/* After block_left[] has become the number of rows that all blocks before sent left. */
static void
copy_task(void *arg, size_t task, int thread)
{
	PartitionJob *job = arg;
	MlGbdtGrower *grower = job->grower;
	size_t		offset = task * PARTITION_ROWS;
	size_t		count = job->count - offset < PARTITION_ROWS ? job->count - offset : PARTITION_ROWS;
	size_t		before = grower->block_left[task];
	size_t		left = grower->block_left[task + 1] - before;
	uint32_t   *to = grower->rows + job->begin;

	memcpy(to + before, grower->to_left + job->begin + offset, left * sizeof(uint32_t));
	memcpy(to + job->all_left + (offset - before), grower->to_right + job->begin + offset, (count - left) * sizeof(uint32_t));
}

MlStatus
ml_gbdt_partition_shared(MlEnv *env, MlGbdtGrower *grower, MlGbdtExpansion *x, const MlGbdtColumn *column, size_t begin, size_t count)
{
	PartitionJob job = {grower, x, column, begin, count, 0};
	size_t		blocks = (count + PARTITION_ROWS - 1) / PARTITION_ROWS;

	ML_TRY(ml_pool_run(env, blocks, sort_task, &job));
	for (size_t b = 0; b < blocks; b++)
	{
		size_t		left = grower->block_left[b];

		grower->block_left[b] = job.all_left;
		job.all_left += left;
	}
	grower->block_left[blocks] = job.all_left;
	x->n_left = job.all_left;
	return ml_pool_run(env, blocks, copy_task, &job);
}

void
ml_gbdt_unpartition(MlGbdtGrower *grower, size_t begin, size_t count, size_t n_left)
{
	uint32_t   *rows = grower->rows + begin;
	uint32_t   *left = grower->to_left + begin;
	size_t		a = 0;
	size_t		b = n_left;

	memcpy(left, rows, n_left * sizeof(uint32_t));
	for (size_t i = 0; a < n_left; i++)
		rows[i] = b < count && rows[b] < left[a] ? rows[b++] : left[a++];
}
