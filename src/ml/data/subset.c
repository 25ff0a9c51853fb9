/*-------------------------------------------------------------------------
 * subset.c
 *	  Some rows of a data set as a data set of their own.
 *-------------------------------------------------------------------------
 */
#include "ml/data/subset.h"

#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/pool.h"

#define GATHER_ROWS 131072
#define NOWHERE UINT32_MAX

typedef struct Gather
{
	const MlDataColumn *from;
	MlDataColumn *to;
	const size_t *row;
	size_t		n;
	size_t		tasks;			/* of a column */
} Gather;

static void
gather_task(void *arg, size_t task, int thread)
{
	const Gather *g = arg;
	const MlDataColumn *from = &g->from[task / g->tasks];
	const MlDataColumn *to = &g->to[task / g->tasks];
	size_t		first = task % g->tasks * GATHER_ROWS;
	size_t		end = first + GATHER_ROWS < g->n ? first + GATHER_ROWS : g->n;

	if (from->number != NULL)
	{
		double	   *out = (double *) to->number;

		for (size_t i = first; i < end; i++)
			out[i] = from->number[g->row[i]];
	}
	else if (from->code != NULL)
	{
		int32_t    *out = (int32_t *) to->code;

		for (size_t i = first; i < end; i++)
			out[i] = from->code[g->row[i]];
	}
	else if (from->binned != NULL)
	{
		for (size_t i = first; i < end; i++)
			to->binned->bin[i] = from->binned->bin[g->row[i]];
	}
}

/* Where the rows of the data set stand in the subset. */
static MlStatus
place_rows(MlEnv *env, const MlDataset *from, const size_t *row, size_t n, uint32_t **place)
{
	size_t		rows = from->n_train + from->n_valid + from->n_test;

	*place = ml_alloc(env, rows, sizeof(uint32_t));
	if (*place == NULL)
		return env->error.status;
	memset(*place, 0xFF, rows * sizeof(uint32_t));
	for (size_t i = 0; i < n; i++)
		(*place)[row[i]] = (uint32_t) i;
	return ML_OK;
}

/* Rows rise, so the entries stay in order; what it takes goes with the entries, not with the rows. */
static MlStatus
gather_sparse(MlEnv *env, const MlSparse *from, const uint32_t *place, size_t n, const MlSparse **result)
{
	MlSparse   *to = ml_alloc0(env, 1, sizeof(MlSparse));
	uint32_t   *to_row = ml_alloc(env, from->n < n ? from->n : n, sizeof(uint32_t));
	double	   *to_value = from->value == NULL ? NULL : ml_alloc(env, from->n < n ? from->n : n, sizeof(double));

	if (to == NULL || to_row == NULL || (from->value != NULL && to_value == NULL))
		return env->error.status;
	for (size_t at = 0; at < from->n; at++)
	{
		uint32_t	row = place[from->row[at]];

		if (row == NOWHERE)
			continue;
		to_row[to->n] = row;
		if (to_value != NULL)
			to_value[to->n] = from->value[at];
		to->n++;
	}
	to->row = to_row;
	to->value = to_value;
	*result = to;
	return ML_OK;
}

/* Room for the column; sparse ones are done at once. */
static MlStatus
begin_column(MlEnv *env, const MlDataColumn *from, const uint32_t *place, size_t n, MlDataColumn *to)
{
	MlBinned   *binned;

	if (from->number != NULL)
		to->number = ml_alloc(env, n, sizeof(double));
	else if (from->code != NULL)
		to->code = ml_alloc(env, n, sizeof(int32_t));
	else if (from->sparse != NULL)
		return gather_sparse(env, from->sparse, place, n, &to->sparse);
	else
	{
		binned = ml_alloc(env, 1, sizeof(MlBinned));
		if (binned == NULL)
			return env->error.status;
		*binned = *from->binned;
		binned->bin = ml_alloc(env, n, 1);
		binned->among_others = false;
		to->binned = binned;
	}
	return env->error.status;
}

MlStatus
ml_dataset_subset(MlEnv *env, const MlDataset *from, const size_t *row, size_t n_train, size_t n_valid, MlDataset *subset)
{
	size_t		p = (size_t) from->schema->n_features;
	size_t		n = n_train + n_valid;
	Gather		g = {.from = from->columns, .row = row, .n = n, .tasks = (n + GATHER_ROWS - 1) / GATHER_ROWS};
	uint32_t   *place = NULL;

	g.to = ml_alloc0(env, p, sizeof(MlDataColumn));
	if (g.to == NULL)
		return env->error.status;
	for (size_t f = 0; f < p; f++)
	{
		if (from->columns[f].sparse != NULL && place == NULL)
			ML_TRY(place_rows(env, from, row, n, &place));
		if (ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		ML_TRY(begin_column(env, &from->columns[f], place, n, &g.to[f]));
	}
	ml_release(env, place);
	ML_TRY(ml_pool_run(env, p * g.tasks, gather_task, &g));
	*subset = (MlDataset) {.schema = from->schema, .n_train = n_train, .n_valid = n_valid, .columns = g.to};
	return ML_OK;
}

size_t
ml_dataset_bytes(const MlDataset *data, size_t rows)
{
	size_t		total = (size_t) data->schema->n_features * (sizeof(MlDataColumn) + 64);
	bool		sparse = false;

	for (int f = 0; f < data->schema->n_features; f++)
	{
		const MlDataColumn *c = &data->columns[f];
		size_t		each = c->number != NULL ? sizeof(double) : c->code != NULL ? sizeof(int32_t) : c->sparse != NULL ? 12 : 1;
		size_t		bytes;

		if (!ml_mul_size(c->sparse != NULL && c->sparse->n < rows ? c->sparse->n : rows, each, &bytes) ||
			!ml_add_size(total, bytes, &total) ||
			!ml_add_size(total, (c->binned != NULL ? sizeof(MlBinned) : sizeof(MlSparse)) + 128, &total))
			return SIZE_MAX;
		sparse |= c->sparse != NULL;
	}
	if (sparse && !ml_add_size(total, (data->n_train + data->n_valid + data->n_test) * sizeof(uint32_t), &total))
		return SIZE_MAX;
	return total;
}
