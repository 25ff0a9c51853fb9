/*-------------------------------------------------------------------------
 * design.c
 *	  From an encoded row to the columns of a linear method.
 *
 * Statistics of a feature are taken by one task, in row order, so they do not
 * depend on the number of threads.  Every sum is of values scaled by a power of two
 * to at most 1, so that a column of 1e308 overflows nowhere.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "ml/algo/design.h"
#include "ml/base/arena.h"
#include "ml/base/pool.h"
#include "ml/base/simd.h"
#include "ml/model/method.h"

/* Sums run over blocks of so many rows first: the rounding error grows with blocks + rows/blocks. */
#define SUM_BLOCK 4096

/* Columns that spread less than this around their mean cannot be scaled safely and count as constant. */
#define SMALLEST_EXPONENT (-1000)

typedef struct StatsTask
{
	const MlDesign *design;
	const MlDataset *data;
	MlDesignStats *number;		/* by feature */
	double	  **count;			/* by feature: weight of codes 0 .. levels, then of the missing */
} StatsTask;

/* x * 2^e for any e; ldexp is exact unless it underflows. */
static inline double
times_power(double x, int e)
{
	return ldexp(x, e);
}

static int
exponent_of(double x)
{
	int			e;

	frexp(x, &e);
	return e;
}

static void
count_codes(const StatsTask *task, const int32_t *code, int32_t levels, double *count)
{
	for (size_t i = 0; i < task->data->n_train; i++)
		count[code[i] < 0 ? levels + 1 : code[i]] += ml_design_weight(task->design, task->data, i);
}

static void
stats_task(void *arg, size_t feature, int thread)
{
	StatsTask  *task = arg;
	const MlDataColumn *column = &task->data->columns[feature];

	(void) thread;
	if (column->sparse != NULL)
		ml_design_sparse_stats(task->design, task->data, column->sparse, &task->number[feature]);
	else if (column->number != NULL)
		ml_design_stats(task->design, task->data, column->number, &task->number[feature]);
	else
		count_codes(task, column->code, task->data->schema->features[feature].levels, task->count[feature]);
}

/* Number of rows that count, and their weight. */
static MlStatus
weigh_rows(MlEnv *env, const MlDataset *data, MlDesign *design)
{
	double		largest = 0;

	if (data->weight == NULL)
	{
		design->n_rows = data->n_train;
		design->total_weight = data->n_train;
	}
	else
	{
		for (size_t i = 0; i < data->n_train; i++)
			largest = fmax(largest, data->weight[i]);
		design->weight_exponent = largest > 0 ? exponent_of(largest) : 0;
		if (design->weight_exponent < SMALLEST_EXPONENT)
			design->weight_exponent = SMALLEST_EXPONENT;
		design->weight_factor = times_power(1, -design->weight_exponent);
		for (size_t start = 0; start < data->n_train; start += SUM_BLOCK)
		{
			size_t		end = start + SUM_BLOCK < data->n_train ? start + SUM_BLOCK : data->n_train;
			double		sum = 0;

			for (size_t i = start; i < end; i++)
			{
				design->n_rows += data->weight[i] > 0;
				sum += ml_design_weight(design, data, i);
			}
			design->total_weight += sum;
		}
	}
	if (design->n_rows == 0)
		return ml_fail(env, ML_BAD_DATA, "there are no training rows with a positive weight");
	return ML_OK;
}

/* Columns of one category feature when "cap" of its categories are kept apart. */
static size_t
category_columns(int32_t levels, int cap, MlDesignCoding coding)
{
	size_t		kept = levels < cap ? levels : cap;

	if (coding == ML_DESIGN_REFERENCE && kept > 0)
		kept--;
	return kept + 2;			/* (other) and (missing) */
}

size_t
ml_design_bound_coded(const MlSchema *schema, int max_categories, MlDesignCoding coding)
{
	size_t		bound = 0;

	for (int f = 0; f < schema->n_features; f++)
		bound += schema->features[f].kind == ML_FEATURE_NUMBER ? 1 : category_columns(schema->features[f].levels, max_categories, coding);
	return bound;
}

size_t
ml_design_bound(const MlSchema *schema, int max_categories)
{
	return ml_design_bound_coded(schema, max_categories, ML_DESIGN_REFERENCE);
}

/* The greatest number of categories, at most what was asked for, with which all columns fit. */
static int
fitting_cap(const MlSchema *schema, int max_categories, MlDesignCoding coding)
{
	int			low = 0,
				high = max_categories;

	if (ml_design_bound_coded(schema, high, coding) <= ML_DESIGN_MAX_COLUMNS)
		return high;
	while (high - low > 1)
	{
		int			middle = low + (high - low) / 2;

		if (ml_design_bound_coded(schema, middle, coding) <= ML_DESIGN_MAX_COLUMNS)
			low = middle;
		else
			high = middle;
	}
	return low;					/* 0: not even one */
}

size_t
ml_design_memory(const MlSchema *schema, int max_categories)
{
	size_t		bytes = sizeof(MlDesign) + 4096;

	bytes += ml_design_bound_coded(schema, max_categories, ML_DESIGN_ALL_LEVELS) * (sizeof(MlDesignColumn) + 64);
	for (int f = 0; f < schema->n_features; f++)
		bytes += sizeof(MlDesignFeature) + sizeof(MlDesignStats) + 256 + ((size_t) schema->features[f].levels + 2) * sizeof(double);
	return bytes;
}

static void
add_column(MlDesign *design, int feature, int32_t holds, double mean, double deviation, double largest)
{
	MlDesignColumn *c = &design->columns[design->n_columns++];

	c->feature = feature;
	c->holds = holds;
	c->mean = mean;
	c->deviation = deviation;
	c->largest = largest;
}

static void
add_indicator(MlDesign *design, int feature, int32_t holds, double weight)
{
	double		share = weight / design->total_weight;
	/* Two sums of the same weights in another order differ by rounding. */
	bool		varies = share > 0 && share < 1 - 1e-13;

	share = share > 1 ? 1 : share;
	add_column(design, feature, holds, share, varies ? sqrt(share * (1 - share)) : 0, 1);
}

static void
add_category(MlEnv *env, MlDesign *design, int f, const MlFeature *feature, const double *count, int cap, MlDesignCoding coding)
{
	MlDesignFeature *df = &design->features[f];
	double		other = 0;

	df->first = design->n_columns;
	df->from = coding == ML_DESIGN_ALL_LEVELS ? 0 : 1;
	df->kept = feature->levels < cap ? feature->levels : cap;
	for (int32_t code = df->from; code < df->kept; code++)
		add_indicator(design, f, code, count[code]);
	for (int32_t code = df->kept; code <= feature->levels; code++)
		other += count[code];
	df->other = other > 0 ? design->n_columns : -1;
	if (other > 0)
		add_indicator(design, f, ML_DESIGN_OTHER, other);
	df->missing = count[feature->levels + 1] > 0 ? design->n_columns : -1;
	if (df->missing >= 0)
		add_indicator(design, f, ML_DESIGN_MISSING, count[feature->levels + 1]);

	if (df->kept < feature->levels)
		ml_warn(env, "column \"%s\" has %d categories: the %d rarest are taken as one, \"(other)\"",
				feature->name, feature->levels, feature->levels - df->kept);
}

MlStatus
ml_design_fit(MlEnv *env, const MlDataset *data, int max_categories, MlDesign **result)
{
	return ml_design_fit_coded(env, data, max_categories, ML_DESIGN_REFERENCE, result);
}

MlStatus
ml_design_fit_coded(MlEnv *env, const MlDataset *data, int max_categories, MlDesignCoding coding, MlDesign **result)
{
	const MlSchema *schema = data->schema;
	int			n = schema->n_features;
	int			cap = fitting_cap(schema, max_categories, coding);
	MlDesign   *design = ml_alloc0(env, 1, sizeof(MlDesign));
	StatsTask	task = {.design = design, .data = data};

	if (design == NULL)
		return env->error.status;
	if (cap < 1)
	{
		ml_fail(env, ML_TOO_LARGE, "%d features make more than %d columns, the limit of this method", n, ML_DESIGN_MAX_COLUMNS);
		return ml_hint(env, "Name fewer columns in \"features\", or use gbdt.");
	}
	design->n_features = n;
	design->features = ml_alloc0(env, n, sizeof(MlDesignFeature));
	design->columns = ml_alloc0(env, ml_design_bound_coded(schema, cap, coding), sizeof(MlDesignColumn));
	task.number = ml_alloc0(env, n, sizeof(MlDesignStats));
	task.count = ml_alloc0(env, n, sizeof(double *));
	if (design->features == NULL || design->columns == NULL || task.number == NULL || task.count == NULL)
		return env->error.status;
	for (int f = 0; f < n; f++)
	{
		if (data->columns[f].code == NULL)
			continue;
		task.count[f] = ml_alloc0(env, (size_t) schema->features[f].levels + 2, sizeof(double));
		if (task.count[f] == NULL)
			return env->error.status;
	}

	ML_TRY(weigh_rows(env, data, design));
	ML_TRY(ml_pool_run(env, n, stats_task, &task));

	for (int f = 0; f < n; f++)
	{
		MlDesignFeature *df = &design->features[f];
		const MlDesignStats *s = &task.number[f];

		df->number = data->columns[f].code == NULL;
		if (df->number)
		{
			df->first = design->n_columns;
			df->other = df->missing = -1;
			df->impute = s->mean;
			add_column(design, f, ML_DESIGN_NUMBER, s->mean, s->deviation, s->largest);
		}
		else
			add_category(env, design, f, &schema->features[f], task.count[f], cap, coding);
	}
	*result = design;
	return ML_OK;
}

MlStatus
ml_design_scale(MlEnv *env, const MlDesign *design, bool centered, MlDesignScale **result)
{
	size_t		p = design->n_columns;
	MlDesignScale *s = ml_alloc0(env, 1, sizeof(MlDesignScale));

	if (s == NULL)
		return env->error.status;
	s->column = ml_alloc0(env, p, sizeof(int32_t));
	s->center = ml_alloc0(env, p, sizeof(double));
	s->factor = ml_alloc0(env, p, sizeof(double));
	s->exponent = ml_alloc0(env, p, sizeof(int));
	s->noise = ml_alloc0(env, p, sizeof(double));
	if (s->column == NULL || s->center == NULL || s->factor == NULL || s->exponent == NULL || s->noise == NULL)
		return env->error.status;

	for (size_t j = 0; j < p; j++)
	{
		const MlDesignColumn *c = &design->columns[j];
		double		size = centered ? c->deviation : hypot(c->mean, c->deviation);
		int			e = exponent_of(size) - 1;	/* size in [2^e, 2^(e+1)) */
		int			k = s->n;

		if (!(size > 0) || e < SMALLEST_EXPONENT)
			continue;
		s->column[k] = j;
		s->center[k] = centered ? c->mean : 0;
		s->exponent[k] = e;
		s->factor[k] = times_power(1, -e);
		s->noise[k] = 0.5 * DBL_EPSILON * times_power(c->largest, -e);
		s->n++;
	}
	*result = s;
	return ML_OK;
}

__attribute__((always_inline))
static inline void
read_number_body(const double *x, double impute, size_t rows, double shift, double factor, double *out)
{
	/* Multiplied first, so that x - center cannot overflow; both products are exact. */
	for (size_t i = 0; i < rows; i++)
		out[i] = (isnan(x[i]) ? impute : x[i]) * factor - shift;
}

ML_SIMD_TIERS(read_number, (const double *x, double impute, size_t rows, double shift, double factor, double *out),
			  (x, impute, rows, shift, factor, out))

/* The same for a column that is 0 in most rows. */
static void
read_sparse(const MlSparse *s, size_t first, size_t rows, double shift, double factor, double *out)
{
	for (size_t i = 0; i < rows; i++)
		out[i] = -shift;
	for (size_t at = ml_sparse_find(s, first); at < s->n && s->row[at] < first + rows; at++)
		out[s->row[at] - first] = (s->value != NULL ? s->value[at] : 1) * factor - shift;
}

void
ml_design_read(const MlDesign *design, const MlDataset *data, int column, size_t first, size_t rows,
			   double center, double factor, double *out)
{
	const MlDesignColumn *c = &design->columns[column];
	const MlDesignFeature *f = &design->features[c->feature];
	const int32_t *codes = data->columns[c->feature].code;
	const int32_t *code = codes == NULL ? NULL : codes + first;
	double		no = -center * factor;
	double		yes = factor - center * factor;

	if (f->number && data->columns[c->feature].sparse != NULL)
	{
		read_sparse(data->columns[c->feature].sparse, first, rows, center * factor, factor, out);
		return;
	}
	if (f->number)
	{
		ML_SIMD_CALL(read_number, (data->columns[c->feature].number + first, f->impute, rows, center * factor, factor, out));
		return;
	}
	switch (c->holds)
	{
		case ML_DESIGN_MISSING:
			for (size_t i = 0; i < rows; i++)
				out[i] = code[i] < 0 ? yes : no;
			break;
		case ML_DESIGN_OTHER:
			for (size_t i = 0; i < rows; i++)
				out[i] = code[i] >= f->kept ? yes : no;
			break;
		default:
			for (size_t i = 0; i < rows; i++)
				out[i] = code[i] == c->holds ? yes : no;
			break;
	}
}

/* The column in which a category has its 1, -1 for the reference. */
static inline int32_t
column_of(const MlDesignFeature *f, double x)
{
	int32_t		code;

	if (isnan(x))
		return f->missing;
	code = (int32_t) x;
	if (code >= f->kept)
		return f->other;
	return code >= f->from ? f->first + code - f->from : -1;
}

void
ml_design_dot(const MlDesign *design, const double *coef, int k, const double *x, double *out)
{
	for (int f = 0; f < design->n_features; f++)
	{
		const MlDesignFeature *df = &design->features[f];
		int32_t		column = df->number ? df->first : column_of(df, x[f]);
		double		value = !df->number ? 1 : isnan(x[f]) ? df->impute : x[f];

		if (column < 0)
			continue;
		for (int c = 0; c < k; c++)
			out[c] += coef[(size_t) column * k + c] * value;
	}
}

/* All rows of a block, those that are not there included: a loop of known length. */
static inline __attribute__((always_inline)) void
add_number_body(const double *x, double impute, double coef, double *sum)
{
	for (int i = 0; i < ML_BATCH_ROWS; i++)
		sum[i] += coef * (isnan(x[i]) ? impute : x[i]);
}

ML_SIMD_TIERS(add_number, (const double *x, double impute, double coef, double *sum), (x, impute, coef, sum))

void
ml_design_dot_batch(const MlDesign *design, const double *coef, int k, const double *x, size_t n, double *out)
{
	double		sum[ML_BATCH_ROWS];

	for (int c = 0; c < k; c++)
	{
		memset(sum, 0, sizeof(sum));
		for (size_t i = 0; i < n; i++)
			sum[i] = out[i * (size_t) k + (size_t) c];
		for (int f = 0; f < design->n_features; f++)
		{
			const MlDesignFeature *df = &design->features[f];
			const double *value = x + (size_t) f * ML_BATCH_ROWS;

			if (df->number)
			{
				ML_SIMD_CALL(add_number, (value, df->impute, coef[(size_t) df->first * (size_t) k + (size_t) c], sum));
				continue;
			}
			for (size_t i = 0; i < n; i++)
			{
				int32_t		column = column_of(df, value[i]);

				if (column >= 0)
					sum[i] += coef[(size_t) column * (size_t) k + (size_t) c];
			}
		}
		for (size_t i = 0; i < n; i++)
			out[i * (size_t) k + (size_t) c] = sum[i];
	}
}

void
ml_design_row(const MlDesign *design, const double *x, double *out)
{
	memset(out, 0, (size_t) design->n_columns * sizeof(double));
	for (int f = 0; f < design->n_features; f++)
	{
		const MlDesignFeature *df = &design->features[f];
		int32_t		column = df->number ? df->first : column_of(df, x[f]);

		if (column >= 0)
			out[column] = !df->number ? 1 : isnan(x[f]) ? df->impute : x[f];
	}
}

void
ml_design_effects(const MlDesign *design, const double *coef, int k, int c, const double *x, double *out, double *mean)
{
	int			j = 0;

	for (int f = 0; f < design->n_features; f++)
	{
		const MlDesignFeature *df = &design->features[f];
		double		usual = 0;

		if (df->number && out != NULL)
			out[f] = coef[(size_t) df->first * k + c] * ((isnan(x[f]) ? df->impute : x[f]) - design->columns[df->first].mean);
		for (; j < design->n_columns && design->columns[j].feature == f; j++)
			usual += design->columns[j].mean * coef[(size_t) j * k + c];
		if (!df->number && out != NULL)
		{
			int32_t		column = column_of(df, x[f]);

			out[f] = (column < 0 ? 0 : coef[(size_t) column * k + c]) - usual;
		}
		if (mean != NULL)
			mean[f] = usual;
	}
}

const char *
ml_design_term(MlEnv *env, const MlDesign *design, const MlSchema *schema, int column)
{
	const MlDesignColumn *c = &design->columns[column];
	const MlFeature *feature = &schema->features[c->feature];

	if (design->features[c->feature].number)
		return feature->name;
	switch (c->holds)
	{
		case ML_DESIGN_OTHER:
			return ml_printf(env, "%s (other)", feature->name);
		case ML_DESIGN_MISSING:
			return ml_printf(env, "%s (missing)", feature->name);
		default:
			return ml_printf(env, "%s=%s", feature->name, feature->level[c->holds]);
	}
}

double
ml_design_spread(const MlDesign *design, int feature, const double *coef, int k)
{
	int			first = design->features[feature].first;
	double		mean = 0,
				variance = 0,
				rest = 1;

	if (design->features[feature].number)
		return fabs(coef[(size_t) first * k]) * design->columns[first].deviation;

	/* Exactly one level holds in each row; the reference has the effect 0. */
	for (int j = first; j < design->n_columns && design->columns[j].feature == feature; j++)
		mean += design->columns[j].mean * coef[(size_t) j * k];
	for (int j = first; j < design->n_columns && design->columns[j].feature == feature; j++)
	{
		double		d = coef[(size_t) j * k] - mean;

		variance += design->columns[j].mean * d * d;
		rest -= design->columns[j].mean;
	}
	return sqrt(variance + (rest > 0 ? rest : 0) * mean * mean);
}

void
ml_design_save(const MlDesign *design, MlWriter *w)
{
	for (int f = 0; f < design->n_features; f++)
	{
		const MlDesignFeature *df = &design->features[f];

		if (df->number)
			ml_put_double(w, df->impute);
		else
		{
			ml_put_u32(w, df->kept);
			ml_put_u8(w, (df->other >= 0 ? 1 : 0) | (df->missing >= 0 ? 2 : 0) | (df->from == 0 ? 4 : 0));
		}
	}
	for (int j = 0; j < design->n_columns; j++)
	{
		ml_put_double(w, design->columns[j].mean);
		ml_put_double(w, design->columns[j].deviation);
	}
}

/* Reads what a feature is made of and counts its columns. */
static MlStatus
load_feature(MlReader *r, const MlFeature *feature, MlDesignFeature *df, size_t *columns)
{
	uint32_t	kept;
	uint8_t		flags;

	df->number = feature->kind == ML_FEATURE_NUMBER;
	df->first = (int32_t) *columns;
	df->other = df->missing = -1;
	if (df->number)
	{
		df->impute = ml_get_finite(r);
		*columns += 1;
		return r->status;
	}
	kept = ml_get_u32(r);
	flags = ml_get_u8(r);
	if (r->status != ML_OK)
		return r->status;
	if (kept > (uint32_t) feature->levels || flags > 7)
		return ml_reader_corrupt(r, "category columns");
	df->kept = (int32_t) kept;
	df->from = (flags & 4) != 0 ? 0 : 1;
	*columns += kept > 0 ? kept - df->from : 0;
	if (flags & 1)
		df->other = (int32_t) (*columns)++;
	if (flags & 2)
		df->missing = (int32_t) (*columns)++;
	return ML_OK;
}

static void
name_columns(MlDesign *design)
{
	for (int f = 0; f < design->n_features; f++)
	{
		const MlDesignFeature *df = &design->features[f];

		if (df->number)
			add_column(design, f, ML_DESIGN_NUMBER, 0, 0, 0);
		for (int32_t code = df->from; code < df->kept && !df->number; code++)
			add_column(design, f, code, 0, 0, 0);
		if (df->other >= 0)
			add_column(design, f, ML_DESIGN_OTHER, 0, 0, 0);
		if (df->missing >= 0)
			add_column(design, f, ML_DESIGN_MISSING, 0, 0, 0);
	}
}

MlStatus
ml_design_load(MlReader *r, const MlSchema *schema, MlDesign **result)
{
	MlDesign   *design = ml_alloc0(r->env, 1, sizeof(MlDesign));
	size_t		columns = 0;

	if (design == NULL)
		return r->env->error.status;
	design->n_features = schema->n_features;
	design->features = ml_alloc0(r->env, schema->n_features, sizeof(MlDesignFeature));
	if (design->features == NULL)
		return r->env->error.status;
	for (int f = 0; f < schema->n_features; f++)
	{
		ML_TRY(load_feature(r, &schema->features[f], &design->features[f], &columns));
		if (columns > ML_DESIGN_MAX_COLUMNS)
			return ml_reader_corrupt(r, "number of columns");
	}
	design->columns = ml_alloc0(r->env, columns, sizeof(MlDesignColumn));
	if (design->columns == NULL)
		return r->env->error.status;
	name_columns(design);
	for (int j = 0; j < design->n_columns; j++)
	{
		design->columns[j].mean = ml_get_finite(r);
		design->columns[j].deviation = ml_get_finite(r);
		if (design->columns[j].deviation < 0)
			return ml_reader_corrupt(r, "deviation of a column");
	}
	*result = design;
	return r->status;
}
