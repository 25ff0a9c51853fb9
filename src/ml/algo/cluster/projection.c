/*-------------------------------------------------------------------------
 * projection.c
 *	  A few directions of the space, and rows seen along them.
 *-------------------------------------------------------------------------
 */
#include "ml/algo/cluster/projection.h"

#include <math.h>
#include <string.h>

#include "ml/algo/cluster/nearest.h"
#include "ml/base/arena.h"
#include "ml/base/simd.h"

MlStatus
ml_projection_finish(MlEnv *env, MlProjection *m)
{
	size_t		p = (size_t) m->space->p;

	m->center = ml_alloc0(env, p, sizeof(double));
	m->offset = ml_alloc0(env, (size_t) m->k, sizeof(double));
	m->packed = ml_alloc(env, ml_centers_packed_size((size_t) m->k, p), sizeof(double));
	if (m->center == NULL || m->offset == NULL || m->packed == NULL)
		return env->error.status;
	ml_centers_pack((size_t) m->k, p, m->loading, m->packed);
	if (m->centered)
		memcpy(m->center, m->mean, p * sizeof(double));
	else
		for (int32_t c = 0; c < m->k; c++)
			for (size_t j = 0; j < p; j++)
				m->offset[c] += m->loading[(size_t) c * p + j] * m->mean[j];
	return ML_OK;
}

void
ml_projection_save(const void *model, MlWriter *w)
{
	const MlProjection *m = model;

	ml_space_save(m->space, w);
	ml_put_i32(w, m->k);
	ml_put_u8(w, m->centered);
	ml_put_doubles(w, m->mean, (size_t) m->space->p);
	ml_put_doubles(w, m->loading, (size_t) m->k * (size_t) m->space->p);
	ml_put_doubles(w, m->scale, (size_t) m->k);
	ml_put_doubles(w, m->variance, (size_t) m->k);
	ml_put_doubles(w, m->singular, (size_t) m->k);
	ml_put_double(w, m->total_variance);
}

MlStatus
ml_projection_load(MlReader *r, const MlSchema *schema, void **model)
{
	MlProjection *m = ml_alloc0(r->env, 1, sizeof(MlProjection));
	uint32_t	k;
	uint8_t		centered;

	if (m == NULL)
		return r->status = r->env->error.status;
	ML_TRY(ml_space_load(r, schema, &m->space));
	k = ml_get_count(r, (size_t) m->space->p * sizeof(double));
	centered = ml_get_u8(r);
	ML_TRY(r->status);
	if (k < 1 || k > (uint32_t) m->space->p || centered > 1)
		return ml_reader_corrupt(r, "a number of components is not possible");
	m->k = (int32_t) k;
	m->centered = centered == 1;
	m->mean = ml_get_doubles(r, (size_t) m->space->p);
	m->loading = ml_get_doubles(r, (size_t) k * (size_t) m->space->p);
	m->scale = ml_get_doubles(r, k);
	m->variance = ml_get_doubles(r, k);
	m->singular = ml_get_doubles(r, k);
	m->total_variance = ml_get_finite(r);
	ML_TRY(r->status);
	*model = m;
	return r->status = ml_projection_finish(r->env, m);
}

int
ml_projection_outputs(const void *model)
{
	return ((const MlProjection *) model)->k;
}

/* Coordinates of ML_BATCH_ROWS rows, and one more row of them. */
size_t
ml_projection_scratch(const void *model)
{
	return (size_t) ((const MlProjection *) model)->space->p * sizeof(double) * (ML_BATCH_ROWS + 1);
}

/* The vector of one row, and its figures after it. */
static void
finish_row(const MlProjection *m, double all, double square, double *out)
{
	double	   *figure = out + m->k;
	double		kept = 0;
	double		seen = 0;

	for (int32_t c = 0; c < m->k; c++)
	{
		double		d = out[c] - m->offset[c];

		kept += d * d;
		seen += out[c] * out[c];
		out[c] *= m->scale[c];
	}
	figure[0] = kept;
	figure[1] = all;
	figure[2] = square > seen ? square - seen : 0;
}

ML_LANES_INLINE void
project_row_body(const double *z, size_t p, const double *packed, size_t k, double *out)
{
	for (size_t c = 0; c < k; c += ML_LANES)
	{
		MlLanes		sum = {0};
		double		value[ML_LANES];

		for (size_t j = 0; j < p; j++)
		{
			MlLanes		v;

			ml_lanes_load(&v, packed + c * p + j * ML_LANES);
			sum += v * z[j];
		}
		ml_lanes_store(value, &sum);
		for (size_t l = 0; l < ML_LANES && c + l < k; l++)
			out[c + l] = value[l];
	}
}

ML_SIMD_TIERS(project_row, (const double *z, size_t p, const double *packed, size_t k, double *out), (z, p, packed, k, out))

void
ml_projection_predict(const void *model, const double *x, double *out, void *scratch)
{
	const MlProjection *m = model;
	size_t		p = (size_t) m->space->p;
	double	   *z = scratch;
	double		all = 0;
	double		square = 0;

	ml_space_row(m->space, x, z);
	for (size_t j = 0; j < p; j++)
	{
		double		d = z[j] - m->mean[j];

		z[j] -= m->center[j];
		all += d * d;
		square += z[j] * z[j];
	}
	ML_SIMD_CALL(project_row, (z, p, m->packed, (size_t) m->k, out));
	finish_row(m, all, square, out);
}

#define BLOCK_GROUPS (ML_BATCH_ROWS / ML_LANES)

/* Components tile by tile against eight rows at a time: value (BLOCK rows x width). */
ML_LANES_INLINE void
project_block_body(const double *z, size_t groups, size_t p, const double *loading, size_t k, size_t width, double *out)
{
	enum {TILE = 4};

	for (size_t g = 0; g < groups; g++)
	{
		for (size_t c = 0; c < k; c += TILE)
		{
			size_t		n = k - c < TILE ? k - c : TILE;
			MlLanes		sum[TILE] = {{0}};

			for (size_t j = 0; j < p; j++)
			{
				MlLanes		v;

				ml_lanes_load(&v, z + j * ML_BATCH_ROWS + g * ML_LANES);
				if (n == TILE)
				{
					for (size_t t = 0; t < TILE; t++)
						sum[t] += v * loading[(c + t) * p + j];
				}
				else
				{
					for (size_t t = 0; t < n; t++)
						sum[t] += v * loading[(c + t) * p + j];
				}
			}
			for (size_t t = 0; t < n; t++)
				for (size_t l = 0; l < ML_LANES; l++)
					out[(g * ML_LANES + l) * width + c + t] = sum[t][l];
		}
	}
}

ML_SIMD_TIERS(project_block, (const double *z, size_t groups, size_t p, const double *loading, size_t k, size_t width, double *out), (z, groups, p, loading, k, width, out))

bool
ml_projection_predict_batch(const void *model, const double *x, size_t n, double *out, void *scratch)
{
	const MlProjection *m = model;
	size_t		p = (size_t) m->space->p;
	size_t		width = (size_t) m->k + ML_PROJECTION_FIGURES;
	size_t		groups = n / ML_LANES;
	double	   *z = scratch;
	double		all[ML_BATCH_ROWS] = {0};
	double		square[ML_BATCH_ROWS] = {0};

	ml_space_block(m->space, x, n, z);
	for (size_t j = 0; j < p; j++)
	{
		double	   *column = z + j * ML_BATCH_ROWS;

		for (size_t i = 0; i < n; i++)
		{
			double		d = column[i] - m->mean[j];

			column[i] -= m->center[j];
			all[i] += d * d;
			square[i] += column[i] * column[i];
		}
	}
	ML_SIMD_CALL(project_block, (z, groups, p, m->loading, (size_t) m->k, width, out));
	for (size_t i = groups * ML_LANES; i < n; i++)
	{
		double	   *row = z + p * ML_BATCH_ROWS;

		for (size_t j = 0; j < p; j++)
			row[j] = z[j * ML_BATCH_ROWS + i];
		ML_SIMD_CALL(project_row, (row, p, m->packed, (size_t) m->k, out + i * width));
	}
	for (size_t i = 0; i < n; i++)
		finish_row(m, all[i], square[i], out + i * width);
	return true;
}

void
ml_projection_report(const void *model, double rows, const double *sums, MlReport *report)
{
	(void) model;
	/* Nothing deviates: 0/0 is undefined. */
	ml_report_put(report, ML_METRIC_EXPLAINED_VARIANCE, sums[0] / sums[1]);
	ml_report_put(report, ML_METRIC_RECONSTRUCTION, sums[2] / rows);
}

double
ml_projection_cost(const void *model)
{
	const MlProjection *m = model;

	return 40 + 3.0 * m->space->p + 0.3 * m->space->p * m->k;
}

/* Loadings of each component on the columns, after what is known of it as a whole. */
MlStatus
ml_projection_coefficients(MlEnv *env, const void *model, const MlSchema *schema, MlCoefficient **rows, size_t *count)
{
	const MlProjection *m = model;
	size_t		p = (size_t) m->space->p;
	MlCoefficient *c;

	*count = (size_t) m->k * (p + 3);
	*rows = c = ml_alloc(env, *count, sizeof(MlCoefficient));
	if (c == NULL)
		return env->error.status;
	for (int32_t k = 0; k < m->k; k++)
	{
		const char *label = ml_printf(env, "%d", k + 1);

		if (label == NULL)
			return env->error.status;
		*c++ = (MlCoefficient) {label, "(explained_variance)", m->variance[k], NAN, NAN, NAN};
		*c++ = (MlCoefficient) {label, "(explained_variance_ratio)", m->variance[k] / m->total_variance, NAN, NAN, NAN};
		*c++ = (MlCoefficient) {label, "(singular_value)", m->singular[k], NAN, NAN, NAN};
		for (size_t j = 0; j < p; j++)
			*c++ = (MlCoefficient) {
				label, ml_design_term(env, m->space->design, schema, (int) j), m->loading[(size_t) k * p + j], NAN, NAN, NAN
			};
	}
	return env->error.status;
}
