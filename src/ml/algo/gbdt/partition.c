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
	const MlGbdtColumn *column;
	size_t		begin;
	size_t		count;
	size_t		all_left;
} PartitionJob;

static size_t
sort_block(PartitionJob *job, size_t begin, size_t end)
{
	MlGbdtGrower *grower = job->grower;
	const uint8_t *goes_left = grower->goes_left;
	const uint32_t *rows = grower->rows;
	uint32_t   *to_left = grower->to_left + begin;
	uint32_t   *to_right = grower->to_right + begin;
	size_t		left = 0;
	size_t		right = 0;

	if (job->column->narrow)
	{
		const uint8_t *bin = job->column->narrow;

		for (size_t i = begin; i < end; i++)
		{
			uint32_t	r = rows[i];
			uint8_t		l = goes_left[bin[r]];

			to_left[left] = r;
			to_right[right] = r;
			left += l;
			right += !l;
		}
	}
	else
	{
		const uint16_t *bin = job->column->wide;

		for (size_t i = begin; i < end; i++)
		{
			uint32_t	r = rows[i];
			uint8_t		l = goes_left[bin[r]];

			to_left[left] = r;
			to_right[right] = r;
			left += l;
			right += !l;
		}
	}
	return left;
}

static void
sort_task(void *arg, size_t task, int thread)
{
	PartitionJob *job = arg;
	size_t		begin = job->begin + task * PARTITION_ROWS;
	size_t		end = job->begin + job->count;

	job->grower->block_left[task] = sort_block(job, begin, begin + PARTITION_ROWS < end ? begin + PARTITION_ROWS : end);
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
ml_gbdt_partition(MlEnv *env, MlGbdtGrower *grower, const MlGbdtColumn *column, size_t begin, size_t count, size_t *n_left)
{
	PartitionJob job = {grower, column, begin, count, 0};
	size_t		blocks = (count + PARTITION_ROWS - 1) / PARTITION_ROWS;

	if (blocks <= 1)
	{
		*n_left = sort_block(&job, begin, begin + count);
		memcpy(grower->rows + begin, grower->to_left + begin, *n_left * sizeof(uint32_t));
		memcpy(grower->rows + begin + *n_left, grower->to_right + begin, (count - *n_left) * sizeof(uint32_t));
		return ML_OK;
	}
	ML_TRY(ml_pool_run(env, blocks, sort_task, &job));
	for (size_t b = 0; b < blocks; b++)
	{
		size_t		left = grower->block_left[b];

		grower->block_left[b] = job.all_left;
		job.all_left += left;
	}
	grower->block_left[blocks] = job.all_left;
	*n_left = job.all_left;
	return ml_pool_run(env, blocks, copy_task, &job);
}
