/*-------------------------------------------------------------------------
 * space.c
 *	  Rows as points: the coordinates in which distances and variances are measured.
 *-------------------------------------------------------------------------
 */
#include "ml/algo/cluster/space.h"

#include <math.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/pool.h"

/* Rows of one task of ml_points_read: a whole number of groups. */
#define READ_ROWS 4096

/* Squares of larger numbers leave no room to sum them up. */
#define LARGEST_SQUARED 1e145

static MlStatus
check_range(MlEnv *env, const MlSchema *schema, const MlDesign *design, bool standard)
{
	for (int j = 0; j < design->n_columns; j++)
	{
		const MlDesignColumn *c = &design->columns[j];

		if (standard ? isfinite(c->mean) && isfinite(c->deviation) : hypot(c->mean, c->deviation) <= LARGEST_SQUARED)
			continue;
		ml_fail(env, ML_OUT_OF_RANGE, "the variance of column \"%s\" is out of range", schema->features[c->feature].name);
		return ml_hint(env, "Scale the column, or take its logarithm%s.", standard ? "" : ", or use params => '{\"scale\": \"standard\"}'");
	}
	return ML_OK;
}

MlStatus
ml_space_fit(MlEnv *env, const MlDataset *data, int max_categories, MlSpaceScale scale, MlSpace **result)
{
	MlSpace    *space = ml_alloc0(env, 1, sizeof(MlSpace));

	if (space == NULL)
		return env->error.status;
	ML_TRY(ml_design_fit_coded(env, data, max_categories, ML_DESIGN_ALL_LEVELS, &space->design));
	ML_TRY(check_range(env, data->schema, space->design, scale != ML_SPACE_AS_IS));
	space->p = space->design->n_columns;
	space->standard = scale != ML_SPACE_AS_IS;
	space->factor = ml_alloc(env, (size_t) space->p + 1, sizeof(double));
	if (space->factor == NULL)
		return env->error.status;
	for (int j = 0; j < space->p; j++)
	{
		const MlDesignColumn *c = &space->design->columns[j];

		if (scale == ML_SPACE_AS_IS)
			space->factor[j] = 1;
		else if (!(c->deviation > 0 && isfinite(1 / c->deviation)))
			space->factor[j] = 0;
		else
			space->factor[j] = scale == ML_SPACE_SCALE_ALL || space->design->features[c->feature].number ? 1 / c->deviation : 1;
	}
	*result = space;
	return ML_OK;
}

size_t
ml_space_bound(const MlSchema *schema, int max_categories)
{
	size_t		p = ml_design_bound_coded(schema, max_categories, ML_DESIGN_ALL_LEVELS);

	return p > ML_DESIGN_MAX_COLUMNS ? ML_DESIGN_MAX_COLUMNS : p;
}

size_t
ml_space_memory(const MlSchema *schema, int max_categories)
{
	return ml_design_memory(schema, max_categories) + 4096 +
		(ml_space_bound(schema, max_categories) + 1) * sizeof(double);
}

void
ml_space_row(const MlSpace *space, const double *x, double *z)
{
	ml_design_row(space->design, x, z);
	/* A column that does not vary has the factor 0, and a row may be infinite there. */
	for (int32_t j = 0; j < space->p; j++)
		z[j] = space->factor[j] == 0 ? 0 : z[j] * space->factor[j];
}

void
ml_space_block(const MlSpace *space, const double *x, size_t n, double *z)
{
	const MlDesign *design = space->design;

	for (int32_t j = 0; j < space->p; j++)
	{
		const MlDesignColumn *c = &design->columns[j];
		const MlDesignFeature *f = &design->features[c->feature];
		const double *from = x + (size_t) c->feature * ML_BATCH_ROWS;
		double	   *to = z + (size_t) j * ML_BATCH_ROWS;

		if (space->factor[j] == 0)
			memset(to, 0, n * sizeof(double));
		else if (f->number)
		{
			for (size_t i = 0; i < n; i++)
				to[i] = (isnan(from[i]) ? f->impute : from[i]) * space->factor[j];
		}
		else if (c->holds == ML_DESIGN_MISSING)
		{
			for (size_t i = 0; i < n; i++)
				to[i] = isnan(from[i]) ? space->factor[j] : 0;
		}
		else if (c->holds == ML_DESIGN_OTHER)
		{
			for (size_t i = 0; i < n; i++)
				to[i] = from[i] >= f->kept ? space->factor[j] : 0;
		}
		else
		{
			for (size_t i = 0; i < n; i++)
				to[i] = from[i] == c->holds ? space->factor[j] : 0;
		}
	}
}

MlStatus
ml_space_centers(MlEnv *env, const MlSpace *space, const MlSchema *schema, size_t k, const double *share, const double *center,
				 MlCoefficient **rows, size_t *count)
{
	size_t		p = (size_t) space->p;
	MlCoefficient *out = ml_alloc(env, k * (p + 1), sizeof(MlCoefficient));

	if (out == NULL)
		return env->error.status;
	*rows = out;
	*count = k * (p + 1);
	for (size_t c = 0; c < k; c++)
	{
		const char *label = ml_printf(env, "%zu", c);

		if (label == NULL)
			return env->error.status;
		*out++ = (MlCoefficient) {label, "(share)", share[c], NAN, NAN, NAN};
		for (size_t j = 0; j < p; j++)
			*out++ = (MlCoefficient) {
				label, ml_design_term(env, space->design, schema, (int) j),
				space->factor[j] != 0 ? center[c * p + j] / space->factor[j] : space->design->columns[j].mean, NAN, NAN, NAN
			};
	}
	return env->error.status;
}

void
ml_space_save(const MlSpace *space, MlWriter *w)
{
	ml_design_save(space->design, w);
	ml_put_u8(w, space->standard);
	ml_put_doubles(w, space->factor, (size_t) space->p);
}

MlStatus
ml_space_load(MlReader *r, const MlSchema *schema, MlSpace **result)
{
	MlSpace    *space = ml_alloc0(r->env, 1, sizeof(MlSpace));
	uint8_t		standard;

	if (space == NULL)
		return r->status = r->env->error.status;
	ML_TRY(ml_design_load(r, schema, &space->design));
	ML_TRY(r->status);
	space->p = space->design->n_columns;
	standard = ml_get_u8(r);
	space->factor = ml_get_doubles(r, (size_t) space->p);
	ML_TRY(r->status);
	if (standard > 1)
		return ml_reader_corrupt(r, "its scaling is unknown");
	space->standard = standard == 1;
	*result = space;
	return ML_OK;
}

/* -- the training rows ------------------------------------------------------ */

typedef struct Reading
{
	const MlSpace *space;
	const MlDataset *data;
	MlPoints   *points;
	double	   *column;			/* threads x READ_ROWS */
} Reading;

static void
read_task(void *arg, size_t task, int thread)
{
	Reading    *r = arg;
	size_t		p = (size_t) r->space->p;
	size_t		first = task * READ_ROWS;
	size_t		rows = first + READ_ROWS < r->points->n ? READ_ROWS : r->points->n - first;
	double	   *column = r->column + (size_t) thread * READ_ROWS;
	double	   *out = r->points->value + first * p;

	for (size_t j = 0; j < p; j++)
	{
		size_t		i = 0;

		ml_design_read(r->space->design, r->data, (int) j, first, rows, 0, 1, column);
		for (; i < rows; i++)
			out[(i / ML_LANES * p + j) * ML_LANES + i % ML_LANES] = column[i] * r->space->factor[j];
		for (; i % ML_LANES != 0; i++)
			out[(i / ML_LANES * p + j) * ML_LANES + i % ML_LANES] = 0;
	}
	for (size_t i = 0; i < rows; i++)
		r->points->weight[first + i] = ml_design_weight(r->space->design, r->data, first + i);
}

MlStatus
ml_points_read(MlEnv *env, const MlSpace *space, const MlDataset *data, MlPoints **result)
{
	MlPoints   *points = ml_alloc0(env, 1, sizeof(MlPoints));
	Reading		r = {.space = space, .data = data, .points = points};

	if (points == NULL)
		return env->error.status;
	points->n = data->n_train;
	points->p = space->p;
	points->groups = (points->n + ML_LANES - 1) / ML_LANES;
	points->value = ml_alloc(env, points->groups * ML_LANES, (size_t) space->p * sizeof(double));
	points->weight = ml_alloc0(env, points->groups, ML_LANES * sizeof(double));
	r.column = ml_alloc(env, (size_t) ml_pool_threads(env->pool), READ_ROWS * sizeof(double));
	if (points->value == NULL || points->weight == NULL || r.column == NULL)
		return env->error.status;
	ML_TRY(ml_pool_run(env, (points->n + READ_ROWS - 1) / READ_ROWS, read_task, &r));
	ml_release(env, r.column);
	points->total_weight = space->design->total_weight;
	points->weighted = space->design->n_rows;
	*result = points;
	return ML_OK;
}

size_t
ml_points_memory(size_t n, size_t p, int threads)
{
	size_t		bytes;

	if (!ml_add_size(n, ML_LANES, &n) || !ml_mul_size(n, (p + 1) * sizeof(double), &bytes) || !ml_add_size(bytes, (size_t) (threads + 1) * READ_ROWS * sizeof(double), &bytes))
		return SIZE_MAX;
	return bytes;
}
