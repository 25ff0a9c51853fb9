/*-------------------------------------------------------------------------
 * class_sums.c
 *	  Sums of columns of numbers by class.
 *
 * Mean and squares of a class in a block take two passes over values that lie in the cache; blocks are joined by
 * the formula of Chan, Golub, LeVeque (1979).  So a column is read from memory once, and no figure is the
 * difference of two large sums, which would lose all digits of a column like a time.
 *-------------------------------------------------------------------------
 */
#include "ml/algo/bayes/class_sums.h"

#include <math.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/lanes.h"
#include "ml/base/pool.h"
#include "ml/base/simd.h"

#define ROOM (ML_CLASS_BLOCK + ML_LANES)

/* ---- rows in order of their classes ---- */

static size_t
stretch_of(size_t n)
{
	return n < ML_CLASS_STRETCH ? n : ML_CLASS_STRETCH;
}

static size_t
blocks_of(size_t rows)
{
	return (rows + ML_CLASS_BLOCK - 1) / ML_CLASS_BLOCK;
}

size_t
ml_class_order_memory(size_t n, size_t n_classes, int threads)
{
	size_t		rows = stretch_of(n);

	return rows * (sizeof(uint16_t) + sizeof(double)) + (blocks_of(rows) + 1) * (n_classes + 1) * sizeof(uint16_t) +
		(size_t) threads * 3 * ROOM * sizeof(double) + 4 * 128;
}

MlStatus
ml_class_order_make(MlEnv *env, const MlDataset *data, size_t n_classes, MlClassOrder *order)
{
	size_t		rows = stretch_of(data->n_train);

	*order = (MlClassOrder)
	{
		.data = data,.n_classes = n_classes,
		.place = ml_alloc(env, rows + 1, sizeof(uint16_t)),
		.start = ml_alloc(env, (blocks_of(rows) + 1) * (n_classes + 1), sizeof(uint16_t)),
		.weight = data->weight != NULL ? ml_alloc(env, rows + 1, sizeof(double)) : NULL,
		.room = ml_alloc(env, (size_t) ml_pool_threads(env->pool) * 3 * ROOM, sizeof(double))
	};
	return env->error.status;
}

/* A counting sort: rows of a class stay in their order. */
static void
order_task(void *arg, size_t task, int thread)
{
	const MlClassOrder *order = arg;
	size_t		offset = task * ML_CLASS_BLOCK;
	size_t		n = order->rows - offset < ML_CLASS_BLOCK ? order->rows - offset : ML_CLASS_BLOCK;
	const double *y = order->data->y + order->first + offset;
	uint16_t   *start = order->start + task * (order->n_classes + 1);
	uint16_t   *place = order->place + offset;

	(void) thread;
	memset(start, 0, (order->n_classes + 1) * sizeof(uint16_t));
	for (size_t i = 0; i < n; i++)
		start[(int32_t) y[i] + 1]++;
	for (size_t k = 0; k < order->n_classes; k++)
		start[k + 1] = (uint16_t) (start[k + 1] + start[k]);
	for (size_t i = 0; i < n; i++)
		place[start[(int32_t) y[i]]++] = (uint16_t) i;
	/* Each start has moved to its class's end. */
	memmove(start + 1, start, order->n_classes * sizeof(uint16_t));
	start[0] = 0;
	if (order->weight != NULL)
	{
		for (size_t i = 0; i < n; i++)
			order->weight[offset + i] = order->data->weight[order->first + offset + place[i]];
	}
}

MlStatus
ml_class_order_fill(MlEnv *env, MlClassOrder *order, size_t first)
{
	order->first = first;
	order->rows = stretch_of(order->data->n_train - first);
	order->blocks = blocks_of(order->rows);
	return ml_pool_run(env, order->blocks, order_task, order);
}

void
ml_class_order_weigh(const MlClassOrder *order, double *weight)
{
	for (size_t b = 0; b < order->blocks; b++)
	{
		const uint16_t *start = order->start + b * (order->n_classes + 1);

		for (size_t k = 0; k < order->n_classes; k++)
		{
			double		sum = 0;

			if (order->weight == NULL)
				sum = start[k + 1] - start[k];
			else
			{
				for (size_t i = start[k]; i < start[k + 1]; i++)
					sum += order->weight[b * ML_CLASS_BLOCK + i];
			}
			weight[k] += sum;
		}
	}
}

/* ---- sums ---- */

/* The values of n rows that are there, and their weights; how many there are. */
__attribute__((always_inline))
static inline size_t
collect(const double *x, const uint16_t *place, const double *weight, size_t n, double *value, double *its_weight)
{
	size_t		m = 0;

	for (size_t i = 0; i < n; i++)
	{
		double		v = x[place[i]];

		value[m] = v;
		if (weight != NULL)
			its_weight[m] = weight[i];
		m += v == v;
	}
	return m;
}

__attribute__((always_inline))
static inline void
fill_up(double *v, size_t from, size_t to, double with)
{
	for (size_t i = from; i < to; i++)
		v[i] = with;
}

/*
 * One class in one block: weight, mean and squares of m > 0 values.  Sums are taken of distances from the first
 * value, so that the mean of equal values is that value, and their squares are 0.
 */
__attribute__((always_inline))
static inline void
summarize(double *value, double *weight, size_t m, bool squares, double *sum_weight, double *mean, double *sum_squares)
{
	size_t		n = (m + ML_LANES - 1) / ML_LANES * ML_LANES;
	double		origin = value[0];
	MlLanes		sum = {0},
				sum_w = {0},
				sum_d = {0},
				v,
				w;
	double		total;

	fill_up(value, m, n, origin);
	if (weight != NULL)
		fill_up(weight, m, n, 0);
	for (size_t i = 0; i < n; i += ML_LANES)
	{
		ml_lanes_load(&v, value + i);
		v -= origin;
		if (weight != NULL)
		{
			ml_lanes_load(&w, weight + i);
			v *= w;
			sum_w += w;
		}
		sum += v;
	}
	total = weight != NULL ? ml_lanes_sum(&sum_w) : (double) m;
	*sum_weight = total;
	*mean = total > 0 ? origin + ml_lanes_sum(&sum) / total : origin;
	if (!squares)
		return;
	sum = (MlLanes) {0};
	fill_up(value, m, n, *mean);
	for (size_t i = 0; i < n; i += ML_LANES)
	{
		MlLanes		d;

		ml_lanes_load(&v, value + i);
		d = v - *mean;
		v = d;
		if (weight != NULL)
		{
			ml_lanes_load(&w, weight + i);
			v *= w;
		}
		sum_d += v;
		sum += v * d;
	}
	/* What the rounding of the mean has added is taken off again. */
	total = total > 0 ? ml_lanes_sum(&sum_d) * (ml_lanes_sum(&sum_d) / total) : 0;
	*sum_squares = ml_lanes_sum(&sum) - total;
	*sum_squares = *sum_squares < 0 ? 0 : *sum_squares;
}

static void
join(MlClassSums *sums, size_t k, double weight, double mean, double squares)
{
	double		total = sums->weight[k] + weight;
	double		distance = mean - sums->mean[k];

	if (!(weight > 0))
		return;
	if (!(sums->weight[k] > 0))
	{
		sums->weight[k] = weight;
		sums->mean[k] = mean;
		if (sums->squares != NULL)
			sums->squares[k] = squares;
		return;
	}
	if (sums->squares != NULL)
		sums->squares[k] += squares + distance * distance * (sums->weight[k] * (weight / total));
	sums->mean[k] += distance * (weight / total);
	sums->weight[k] = total;
}

__attribute__((always_inline))
static inline void
add_body(const MlClassOrder *order, const MlDataColumn *column, const double *limit, double *room, MlClassSums *sums)
{
	double	   *value = room;
	double	   *room_weight = order->weight != NULL ? room + ROOM : NULL;
	double	   *spread = room + 2 * ROOM;	/* a block of a sparse column */

	for (size_t b = 0; b < order->blocks; b++)
	{
		size_t		offset = b * ML_CLASS_BLOCK;
		const uint16_t *start = order->start + b * (order->n_classes + 1);
		const double *x = spread;

		if (column->number != NULL)
			x = column->number + order->first + offset;
		else
			ml_sparse_read(column->sparse, order->first + offset, order->rows - offset < ML_CLASS_BLOCK ? order->rows - offset : ML_CLASS_BLOCK, spread);
		for (size_t k = 0; k < order->n_classes; k++)
		{
			const uint16_t *place = order->place + offset + start[k];
			size_t		n = (size_t) (start[k + 1] - start[k]);
			double		weight,
						mean,
						squares = 0;
			size_t		m;

			if (room_weight != NULL)
				m = collect(x, place, order->weight + offset + start[k], n, value, room_weight);
			else
				m = collect(x, place, NULL, n, value, NULL);
			if (m == 0)
				continue;
			if (limit != NULL)
			{
				for (size_t i = 0; i < m; i++)
					value[i] = value[i] > *limit;
			}
			else if (sums->squares == NULL)
			{
				bool		negative = false;

				for (size_t i = 0; i < m; i++)
					negative |= value[i] < 0;
				sums->negative |= negative;
			}
			if (room_weight != NULL)
				summarize(value, room_weight, m, sums->squares != NULL, &weight, &mean, &squares);
			else
				summarize(value, NULL, m, sums->squares != NULL, &weight, &mean, &squares);
			join(sums, k, weight, mean, squares);
		}
	}
}

ML_SIMD_TIERS(add, (const MlClassOrder *order, const MlDataColumn *column, const double *limit, double *room, MlClassSums *sums), (order, column, limit, room, sums))

void
ml_class_sums_add(const MlClassOrder *order, const MlDataColumn *column, const double *limit, int thread, MlClassSums *sums)
{
	ML_SIMD_CALL(add, (order, column, limit, order->room + (size_t) thread * 3 * ROOM, sums));
}
