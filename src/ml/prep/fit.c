/*-------------------------------------------------------------------------
 * fit.c
 *	  Fits the steps of a transform on the training rows and makes the method's columns.
 *
 * One step of one column at a time: it looks at the training rows, becomes an operation,
 * and the operation is run over all rows by the pool.  Columns between two steps are given
 * back; columns of zeros and ones are made sparse from the beginning.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/pool.h"
#include "ml/base/sort.h"
#include "ml/base/text.h"
#include "ml/data/dictionary.h"
#include "ml/prep/prep_internal.h"

#define RUN_ROWS 16384

MlStatus
ml_prep_add_part(MlEnv *env, MlPrepParts *parts, const MlPrepPart *part)
{
	if (parts->n == ML_PREP_MAX_COLUMNS)
	{
		ml_fail(env, ML_TOO_LARGE, "the transform makes more than %d columns", ML_PREP_MAX_COLUMNS);
		return ml_hint(env, "Keep fewer categories (max_categories), buckets or words.");
	}
	if (parts->n == parts->room)
	{
		int32_t		room = parts->room == 0 ? 16 : 2 * parts->room;
		MlPrepPart *grown = ml_alloc(env, (size_t) room, sizeof(MlPrepPart));

		if (grown == NULL)
			return env->error.status;
		if (parts->n > 0)
			memcpy(grown, parts->part, (size_t) parts->n * sizeof(MlPrepPart));
		ml_release(env, parts->part);
		parts->part = grown;
		parts->room = room;
	}
	parts->part[parts->n++] = *part;
	return ML_OK;
}

MlStatus
ml_prep_add_op(MlPrepFit *fit, const MlPrepOp *op, MlPrepOp **kept)
{
	MlPrep	   *prep = fit->prep;

	if (op->n_out > ML_PREP_MAX_SLOTS - prep->n_slots)
		return ml_fail(fit->env, ML_TOO_LARGE, "the steps of the transform make more than %d columns", ML_PREP_MAX_SLOTS);
	if (prep->n_ops == fit->ops_room)
	{
		int32_t		room = fit->ops_room == 0 ? 16 : 2 * fit->ops_room;
		MlPrepOp   *grown = ml_alloc(fit->env, (size_t) room, sizeof(MlPrepOp));

		if (grown == NULL)
			return fit->env->error.status;
		if (prep->n_ops > 0)
			memcpy(grown, prep->ops, (size_t) prep->n_ops * sizeof(MlPrepOp));
		ml_release(fit->env, prep->ops);
		prep->ops = grown;
		fit->ops_room = room;
	}
	*kept = &prep->ops[prep->n_ops++];
	**kept = *op;
	(*kept)->out = prep->n_slots;
	prep->n_slots += op->n_out;
	return ML_OK;
}

MlFeature
ml_prep_number(const MlFeature *from, const char *name)
{
	return (MlFeature) {
		.name = name, .source_column = from->source_column, .element = from->element, .elements = from->elements,
		.type_name = from->type_name, .logical = ML_LOGICAL_FLOAT, .kind = ML_FEATURE_NUMBER
	};
}

/* ------------------------------------------------------------------------
 * An operation over all rows
 * ------------------------------------------------------------------------
 */

typedef struct Run
{
	const MlPrepOp *op;
	const MlDataColumn *from;
	size_t		n;
	size_t		first;			/* rows before it are made otherwise */
	double	   *room;			/* by thread: what goes in, and what comes out of a row */
	double	  **number;
	int32_t    *code;			/* of a category that comes out; NULL: numbers */
} Run;

static void
run_task(void *arg, size_t task, int thread)
{
	const Run  *r = arg;
	size_t		k = (size_t) r->op->n_out;
	double	   *in = r->room + (size_t) thread * (RUN_ROWS + k);
	double	   *out = in + RUN_ROWS;
	size_t		begin = r->first + task * RUN_ROWS;
	size_t		rows = r->n - begin < RUN_ROWS ? r->n - begin : RUN_ROWS;

	ml_column_read(r->from, begin, rows, in);
	for (size_t i = 0; i < rows; i++)
	{
		ml_prep_op(r->op, &in[i], out);
		if (r->code != NULL)
			r->code[begin + i] = out[0] != out[0] ? -1 : (int32_t) out[0];
		else
			for (size_t c = 0; c < k; c++)
				r->number[c][begin + i] = out[c];
	}
}

/* Rows from "first" on; number (n_out columns) or code has room for all. */
static MlStatus
run_op(MlPrepFit *fit, const MlPrepOp *op, const MlDataColumn *from, size_t first, double **number, int32_t *code)
{
	MlEnv	   *env = fit->env;
	Run			r = {.op = op, .from = from, .n = fit->n, .first = first, .number = number, .code = code};

	r.room = ml_alloc(env, (size_t) ml_pool_threads(env->pool) * (RUN_ROWS + (size_t) op->n_out), sizeof(double));
	if (r.room == NULL)
		return env->error.status;
	ML_TRY(ml_pool_run(env, (fit->n - first + RUN_ROWS - 1) / RUN_ROWS, run_task, &r));
	ml_release(env, r.room);
	return ML_OK;
}

/* One column out of the operation, of the kind that the feature is. */
static MlStatus
run_single(MlPrepFit *fit, const MlPrepOp *op, const MlPrepPart *from, const MlFeature *feature, MlPrepPart *to)
{
	MlEnv	   *env = fit->env;
	double	   *number = NULL;
	int32_t    *code = NULL;

	if (feature->kind == ML_FEATURE_CATEGORY)
		code = ml_alloc(env, fit->n, sizeof(int32_t));
	else
		number = ml_alloc(env, fit->n, sizeof(double));
	if (code == NULL && number == NULL)
		return env->error.status;
	ML_TRY(run_op(fit, op, &from->data, 0, &number, code));
	*to = (MlPrepPart) {.slot = op->out, .feature = *feature, .data = {.number = number, .code = code}, .owned = true};
	return ML_OK;
}

/* The columns of zeros and ones that an operation makes: rows by column, all in one array. */
static MlStatus
run_hot(MlPrepFit *fit, const MlPrepOp *op, const MlPrepPart *from, MlSparse *sparse)
{
	MlEnv	   *env = fit->env;
	size_t		k = (size_t) op->n_out;
	size_t	   *next = ml_alloc0(env, k + 1, sizeof(size_t));
	uint32_t   *rows;
	size_t		total = 0;

	if (fit->n > UINT32_MAX)
		return ml_fail(env, ML_TOO_LARGE, "%zu rows are too many for columns of zeros and ones", fit->n);
	if (next == NULL)
		return env->error.status;
	for (size_t i = 0; i < fit->n; i++)
	{
		int32_t		hot = ml_prep_hot(op, ml_column_value(&from->data, i));

		if (hot >= 0)
			sparse[hot].n++;
	}
	for (size_t c = 0; c < k; c++)
	{
		next[c] = total;
		total += sparse[c].n;
	}
	rows = ml_alloc(env, total + 1, sizeof(uint32_t));
	if (rows == NULL)
		return env->error.status;
	for (size_t c = 0; c < k; c++)
		sparse[c].row = rows + next[c];
	for (size_t i = 0; i < fit->n; i++)
	{
		int32_t		hot = ml_prep_hot(op, ml_column_value(&from->data, i));

		if (hot >= 0)
			rows[next[hot]++] = (uint32_t) i;
	}
	ml_release(env, next);
	return ML_OK;
}

/* An operation of one number or category becomes the next column. */
static MlStatus
follow(MlPrepFit *fit, const MlPrepOp *op, const MlPrepPart *part, const MlFeature *feature, MlPrepParts *next)
{
	MlPrepOp   *kept = NULL;
	MlPrepPart	made;

	ML_TRY(ml_prep_add_op(fit, op, &kept));
	ML_TRY(run_single(fit, kept, part, feature, &made));
	return ml_prep_add_part(fit->env, next, &made);
}

/* ------------------------------------------------------------------------
 * Numbers
 * ------------------------------------------------------------------------
 */

static double
at_most(double x)
{
	return x > DBL_MAX ? DBL_MAX : x < -DBL_MAX ? -DBL_MAX : x;
}

/* A scale of 0 would be a constant column, which stays one. */
static double
scale_of(double x)
{
	return x > 0 ? at_most(x) : 1;
}

static MlStatus
fit_number(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepOp *op)
{
	MlEnv	   *env = fit->env;
	size_t		n_train = fit->in->n_train;
	MlPrepSorted sorted = {0};
	double		mean;
	double		deviation;

	op->kind = ML_OP_AFFINE;
	op->c = 1;
	switch (step->kind)
	{
		case ML_STEP_IMPUTE_MEAN:
		case ML_STEP_STANDARD:
			ML_TRY(ml_prep_moments(env, part, n_train, &mean, &deviation));
			op->a = mean;
			op->b = scale_of(deviation);
			break;
		case ML_STEP_IMPUTE_CONSTANT:
			op->a = step->low;
			break;
		case ML_STEP_CLIP:
			op->a = step->low;
			op->b = step->high;
			if (!step->quantiles)
				break;
			/* FALLTHROUGH */
		default:
			ML_TRY(ml_prep_sort(env, part, n_train, &sorted));
			break;
	}
	switch (step->kind)
	{
		case ML_STEP_IMPUTE_MEDIAN:
			op->a = ml_prep_quantile(&sorted, 0.5);
			break;
		case ML_STEP_IMPUTE_MOST_FREQUENT:
			op->a = ml_prep_most_frequent(&sorted);
			break;
		case ML_STEP_MIN_MAX:
			op->a = sorted.value[0];
			op->b = scale_of(sorted.value[sorted.n - 1] - sorted.value[0]);
			op->c = step->high - step->low;
			op->d = step->low;
			break;
		case ML_STEP_ROBUST:
			op->a = ml_prep_quantile(&sorted, 0.5);
			op->b = scale_of(ml_prep_quantile(&sorted, step->high) - ml_prep_quantile(&sorted, step->low));
			break;
		case ML_STEP_CLIP:
			if (step->quantiles)
			{
				op->a = isinf(step->low) ? -DBL_MAX : ml_prep_quantile(&sorted, step->low);
				op->b = isinf(step->high) ? DBL_MAX : ml_prep_quantile(&sorted, step->high);
			}
			op->a = at_most(op->a);
			op->b = at_most(op->b);
			op->kind = ML_OP_CLIP;
			break;
		default:
			break;
	}
	if (step->kind >= ML_STEP_IMPUTE_MEAN && step->kind <= ML_STEP_IMPUTE_CONSTANT)
		op->kind = ML_OP_FILL;
	ml_release(env, sorted.value);
	return ML_OK;
}

static MlStatus
check_log(MlPrepFit *fit, const MlPrepPart *part)
{
	for (size_t i = 0; i < fit->in->n_train; i++)
	{
		if (part->data.number[i] <= -1)
		{
			ml_fail(fit->env, ML_BAD_DATA, "column \"%s\" contains %g, which has no log1p", part->feature.name, part->data.number[i]);
			return ml_hint(fit->env, "log1p takes numbers above -1. Put a clip before it, such as {\"clip\": [0, null]}.");
		}
	}
	return ML_OK;
}

static MlStatus
step_number(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepParts *next)
{
	MlPrepOp	op = {.in = part->slot, .n_out = 1};
	MlFeature	feature = part->feature;

	if (step->kind == ML_STEP_LOG1P)
	{
		ML_TRY(check_log(fit, part));
		op.kind = ML_OP_LOG1P;
	}
	else
		ML_TRY(fit_number(fit, step, part, &op));
	/* Filled or clipped, it is still what it was. */
	if (op.kind == ML_OP_AFFINE || op.kind == ML_OP_LOG1P)
	{
		feature.logical = ML_LOGICAL_FLOAT;
		feature.unit = ML_UNIT_NONE;
	}
	return follow(fit, &op, part, &feature, next);
}

static MlStatus
step_indicator(MlPrepFit *fit, const MlPrepPart *part, MlPrepParts *next, MlPrepParts *aside)
{
	MlPrepOp	op = {.kind = ML_OP_MISSING, .in = part->slot, .n_out = 1};
	MlFeature	feature = ml_prep_number(&part->feature, ml_printf(fit->env, "%s (missing)", part->feature.name));

	if (feature.name == NULL)
		return fit->env->error.status;
	ML_TRY(follow(fit, &op, part, &feature, aside));
	return ml_prep_add_part(fit->env, next, part);
}

static MlStatus
step_dates(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepParts *next)
{
	MlTimeUnit	unit = part->feature.unit;
	uint32_t	parts = step->parts != 0 ? step->parts : ml_date_parts_of(unit);
	double		origin = unit == ML_UNIT_DAYS ? step->origin : step->origin * 86400;

	if ((parts & (1u << ML_PART_OF_ELAPSED)) != 0 && !step->has_origin)
	{
		origin = INFINITY;
		for (size_t i = 0; i < fit->in->n_train; i++)
			origin = part->data.number[i] < origin ? part->data.number[i] : origin;
		origin = isinf(origin) ? 0 : origin;
	}
	for (int p = 0; p < ML_N_DATE_PARTS; p++)
	{
		MlPrepOp	op = {.kind = ML_OP_DATE_PART, .in = part->slot, .n_out = 1, .part = (uint8_t) p, .unit = (uint8_t) unit,
		.a = p == ML_PART_OF_ELAPSED ? origin : 0};
		MlFeature	feature;

		if ((parts & (1u << p)) == 0)
			continue;
		feature = ml_prep_number(&part->feature, ml_printf(fit->env, "%s(%s)", ml_date_part_names[p], part->feature.name));
		if (feature.name == NULL)
			return fit->env->error.status;
		ML_TRY(follow(fit, &op, part, &feature, next));
	}
	return ML_OK;
}

/* ------------------------------------------------------------------------
 * Categories
 * ------------------------------------------------------------------------
 */

static MlStatus
set_levels(MlEnv *env, MlFeature *feature, const char **level, int32_t levels)
{
	feature->kind = ML_FEATURE_CATEGORY;
	feature->logical = ML_LOGICAL_TEXT;
	feature->unit = ML_UNIT_NONE;
	feature->element = feature->elements = 0;
	feature->level = level;
	feature->levels = levels;
	return ml_level_index(env, level, levels, &feature->index);
}

/* Names the ranges between rising limits. */
static MlStatus
name_ranges(MlEnv *env, const double *limit, int32_t n, const char **level)
{
	char		low[ML_DOUBLE_TEXT];
	char		high[ML_DOUBLE_TEXT];

	for (int32_t i = 0; i <= n; i++)
	{
		if (i > 0)
			ml_double_text(low, limit[i - 1]);
		if (i < n)
			ml_double_text(high, limit[i]);
		level[i] = n == 0 ? "all" : i == 0 ? ml_printf(env, "< %s", high) : i == n ? ml_printf(env, ">= %s", low) :
			ml_printf(env, "[%s, %s)", low, high);
		if (level[i] == NULL)
			return env->error.status;
	}
	return ML_OK;
}

static MlStatus
step_buckets(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepParts *next)
{
	MlEnv	   *env = fit->env;
	MlPrepOp	op = {.kind = ML_OP_BUCKET, .in = part->slot, .n_out = 1};
	MlFeature	feature = part->feature;
	MlPrepSorted sorted;
	double	   *limit = ml_alloc(env, (size_t) step->n, sizeof(double));
	const char **level = ml_alloc(env, (size_t) step->n + 1, sizeof(char *));

	if (limit == NULL || level == NULL)
		return env->error.status;
	ML_TRY(ml_prep_sort(env, part, fit->in->n_train, &sorted));
	for (int32_t i = 1; i < step->n; i++)
	{
		double		at = ml_prep_quantile(&sorted, (double) i / step->n);

		/* Many equal values make limits that are equal, or nothing below the first. */
		if (at > sorted.value[0] && (op.n_numbers == 0 || at > limit[op.n_numbers - 1]))
			limit[op.n_numbers++] = at;
	}
	ml_release(env, sorted.value);
	op.number = limit;
	ML_TRY(name_ranges(env, limit, op.n_numbers, level));
	ML_TRY(set_levels(env, &feature, level, op.n_numbers + 1));
	return follow(fit, &op, part, &feature, next);
}

/* Distinct numbers by falling frequency, ties by value: code (by rising value) -> code. */
static MlStatus
rank_values(MlEnv *env, const size_t *count, int32_t n, int32_t *code)
{
	MlKeyed    *items = ml_alloc(env, (size_t) n, sizeof(MlKeyed));

	if (items == NULL)
		return env->error.status;
	for (int32_t i = 0; i < n; i++)
		items[i] = (MlKeyed) {~(uint64_t) count[i], (uint64_t) i};
	ML_TRY(ml_sort_keyed(env, items, (size_t) n));
	for (int32_t i = 0; i < n; i++)
		code[items[i].row] = i;
	ml_release(env, items);
	return ML_OK;
}

static const char *
label_of(MlEnv *env, const MlFeature *feature, double value)
{
	char		text[ML_DOUBLE_TEXT];

	if (feature->logical == ML_LOGICAL_BOOLEAN)
		return value != 0 ? "true" : "false";
	return ml_strdup(env, ml_double_text(text, value));
}

/* A number whose values are labels becomes a category. */
static MlStatus
categorise(MlPrepFit *fit, const MlPrepPart *part, MlPrepPart *made)
{
	MlEnv	   *env = fit->env;
	MlPrepOp	op = {.kind = ML_OP_CATEGORISE, .in = part->slot, .n_out = 1};
	MlFeature	feature = part->feature;
	MlPrepSorted sorted;
	MlPrepOp   *kept = NULL;
	size_t	   *count;
	int32_t    *code;
	const char **level;
	int32_t		n = 0;

	ML_TRY(ml_prep_sort(env, part, fit->in->n_train, &sorted));
	count = ml_alloc0(env, sorted.n, sizeof(size_t));
	if (count == NULL)
		return env->error.status;
	for (size_t i = 0; i < sorted.n; i++)
	{
		if (i > 0 && sorted.value[i] == sorted.value[n - 1])
			count[n - 1]++;
		else
		{
			if (n == ML_MAX_LEVELS)
			{
				ml_fail(env, ML_BAD_DATA, "column \"%s\" has more than %d different numbers, too many for categories", part->feature.name, ML_MAX_LEVELS);
				return ml_hint(env, "quantile_buckets makes a category of a number.");
			}
			sorted.value[n] = sorted.value[i];
			count[n++] = 1;
		}
	}
	code = ml_alloc(env, (size_t) n, sizeof(int32_t));
	level = ml_alloc(env, (size_t) n, sizeof(char *));
	if (code == NULL || level == NULL)
		return env->error.status;
	ML_TRY(rank_values(env, count, n, code));
	for (int32_t i = 0; i < n; i++)
	{
		level[code[i]] = label_of(env, &part->feature, sorted.value[i]);
		if (level[code[i]] == NULL)
			return env->error.status;
	}
	ml_release(env, count);
	op.n_numbers = op.n_codes = n;
	op.number = sorted.value;
	op.code = code;
	ML_TRY(set_levels(env, &feature, level, n));
	ML_TRY(ml_prep_add_op(fit, &op, &kept));
	return run_single(fit, kept, part, &feature, made);
}

static MlStatus
step_fill_code(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepParts *next)
{
	MlEnv	   *env = fit->env;
	MlFeature	feature = part->feature;
	MlPrepOp	op = {.kind = ML_OP_FILL_CODE, .in = part->slot, .n_out = 1, .levels = feature.levels, .n_codes = 1};
	int32_t    *code = ml_alloc0(env, 1, sizeof(int32_t));
	size_t	   *count;

	if (code == NULL)
		return env->error.status;
	op.code = code;
	if (step->kind == ML_STEP_IMPUTE_MOST_FREQUENT)
	{
		ML_TRY(ml_prep_count(env, part, fit->in->n_train, &count));
		for (int32_t c = 1; c < feature.levels; c++)
			*code = count[c] > count[*code] ? c : *code;
		return follow(fit, &op, part, &feature, next);
	}
	*code = ml_feature_code(&feature, step->text, strlen(step->text));
	if (*code == feature.levels)
	{
		const char **level = ml_alloc(env, (size_t) feature.levels + 1, sizeof(char *));

		if (level == NULL)
			return env->error.status;
		memcpy(level, feature.level, (size_t) feature.levels * sizeof(char *));
		level[feature.levels] = step->text;
		op.flag = 1;
		ML_TRY(set_levels(env, &feature, level, feature.levels + 1));
	}
	return follow(fit, &op, part, &feature, next);
}

/* One number for each code: its place, or its share. */
static MlStatus
step_table(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepParts *next)
{
	MlEnv	   *env = fit->env;
	int32_t		levels = part->feature.levels;
	MlPrepOp	op = {.kind = ML_OP_TABLE, .in = part->slot, .n_out = 1, .levels = levels, .n_numbers = levels + 2};
	MlFeature	feature = ml_prep_number(&part->feature, part->feature.name);
	double	   *table = ml_alloc(env, (size_t) levels + 2, sizeof(double));
	size_t	   *count;

	if (table == NULL)
		return env->error.status;
	op.number = table;
	for (int32_t c = 0; c < levels + 2; c++)
		table[c] = step->order == NULL && c < levels ? c : NAN;
	for (int32_t i = 0; i < step->n_order; i++)
	{
		int32_t		c = ml_feature_code(&part->feature, step->order[i], strlen(step->order[i]));

		if (c < levels)
			table[c] = i;
	}
	if (step->kind == ML_STEP_FREQUENCY)
	{
		feature.name = ml_printf(env, "frequency(%s)", part->feature.name);
		ML_TRY(ml_prep_count(env, part, fit->in->n_train, &count));
		for (int32_t c = 0; c < levels + 2; c++)
			table[c] = (double) count[c] / (double) fit->in->n_train;
	}
	if (feature.name == NULL)
		return env->error.status;
	return follow(fit, &op, part, &feature, next);
}

static MlStatus
step_target(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepParts *next)
{
	MlEnv	   *env = fit->env;
	const MlSchema *schema = fit->in->schema;
	MlPrepOp	op = {.in = part->slot};
	MlPrepOp   *kept = NULL;
	double	  **columns;

	ML_TRY(ml_prep_target(fit, step, part, &op, &columns));
	ML_TRY(ml_prep_add_op(fit, &op, &kept));
	ML_TRY(run_op(fit, kept, &part->data, fit->in->n_train, columns, NULL));
	for (int32_t c = 0; c < op.n_out; c++)
	{
		const char *name = op.n_out == 1 ? ml_printf(env, "target(%s)", part->feature.name) :
			ml_printf(env, "target(%s)=%s", part->feature.name, schema->classes[c]);
		MlPrepPart	made = {.slot = kept->out + c, .feature = ml_prep_number(&part->feature, name), .data = {.number = columns[c]}, .owned = true};

		if (name == NULL)
			return env->error.status;
		ML_TRY(ml_prep_add_part(env, next, &made));
	}
	return ML_OK;
}

/* ------------------------------------------------------------------------
 * Columns of zeros and ones
 * ------------------------------------------------------------------------
 */

/* The columns of an operation that has been fitted, sparse. */
static MlStatus
follow_hot(MlPrepFit *fit, const MlPrepOp *op, const MlPrepPart *part, const char **names, MlPrepParts *next)
{
	MlEnv	   *env = fit->env;
	MlSparse   *sparse = ml_alloc0(env, (size_t) op->n_out + 1, sizeof(MlSparse));
	MlPrepOp   *kept = NULL;
	int32_t		out;

	if (sparse == NULL)
		return env->error.status;
	ML_TRY(ml_prep_add_op(fit, op, &kept));
	out = kept->out;
	ML_TRY(run_hot(fit, kept, part, sparse));
	for (int32_t c = 0; c < op->n_out; c++)
	{
		MlPrepPart	made = {.slot = out + c, .feature = ml_prep_number(&part->feature, names[c]), .data = {.sparse = &sparse[c]}, .owned = true};

		if (names[c] == NULL)
			return env->error.status;
		made.feature.element = made.feature.elements = 0;
		ML_TRY(ml_prep_add_part(env, next, &made));
	}
	return ML_OK;
}

/* The codes that get a column of their own: the most frequent ones, of equals the lower code. */
static MlStatus
choose_codes(MlEnv *env, const size_t *count, int32_t levels, int32_t most, bool *chosen)
{
	MlKeyed    *items = ml_alloc(env, (size_t) levels + 1, sizeof(MlKeyed));

	if (items == NULL)
		return env->error.status;
	for (int32_t c = 0; c < levels; c++)
		items[c] = (MlKeyed) {~(uint64_t) count[c], (uint64_t) c};
	ML_TRY(ml_sort_keyed(env, items, (size_t) levels));
	for (int32_t i = 0; i < levels && i < most; i++)
		chosen[items[i].row] = true;
	ml_release(env, items);
	return ML_OK;
}

static MlStatus
step_one_hot(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepParts *next)
{
	MlEnv	   *env = fit->env;
	const MlFeature *feature = &part->feature;
	int32_t		levels = feature->levels;
	MlPrepOp	op = {.kind = ML_OP_ONE_HOT, .in = part->slot, .levels = levels, .n_codes = levels + 2};
	int32_t    *column = ml_alloc(env, (size_t) levels + 2, sizeof(int32_t));
	bool	   *chosen = ml_alloc0(env, (size_t) levels + 1, sizeof(bool));
	const char **names = ml_alloc(env, (size_t) levels + 2, sizeof(char *));
	bool		first = step->drop_first;
	int32_t		other = -1;
	size_t	   *count;
	size_t		others;

	if (column == NULL || chosen == NULL || names == NULL)
		return env->error.status;
	ML_TRY(ml_prep_count(env, part, fit->in->n_train, &count));
	ML_TRY(choose_codes(env, count, levels, step->n, chosen));
	op.code = column;
	others = count[levels];
	for (int32_t c = 0; c < levels; c++)
	{
		column[c] = -1;
		if (!chosen[c])
			others += count[c];
		else if (first)
			first = false;
		else
		{
			column[c] = op.n_out;
			names[op.n_out++] = ml_printf(env, "%s=%s", feature->name, feature->level[c]);
		}
	}
	if (others > 0)
	{
		other = op.n_out;
		names[op.n_out++] = ml_printf(env, "%s (other)", feature->name);
	}
	for (int32_t c = 0; c <= levels; c++)
		column[c] = c < levels && chosen[c] ? column[c] : other;
	column[levels + 1] = -1;
	if (count[levels + 1] > 0)
	{
		column[levels + 1] = op.n_out;
		names[op.n_out++] = ml_printf(env, "%s (missing)", feature->name);
	}
	if (op.n_out == 0)
		return ML_OK;			/* one category, dropped */
	return follow_hot(fit, &op, part, names, next);
}

static MlStatus
step_hash(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepParts *next)
{
	MlEnv	   *env = fit->env;
	MlPrepOp	op = {.kind = ML_OP_HASH, .in = part->slot, .n_out = step->n};
	const char **names = ml_alloc(env, (size_t) step->n, sizeof(char *));

	if (names == NULL)
		return env->error.status;
	for (int32_t c = 0; c < step->n; c++)
		names[c] = ml_printf(env, "hash(%s)=%d", part->feature.name, c);
	return follow_hot(fit, &op, part, names, next);
}

/* ------------------------------------------------------------------------
 * Steps in their order
 * ------------------------------------------------------------------------
 */

/* Steps that look at categories. */
static bool
wants_category(MlStepKind kind)
{
	return kind == ML_STEP_ONE_HOT || kind == ML_STEP_ORDINAL || kind == ML_STEP_TARGET_ENCODE || kind == ML_STEP_FREQUENCY;
}

static MlStatus
take_step(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepParts *next, MlPrepParts *aside)
{
	bool		category = part->feature.kind == ML_FEATURE_CATEGORY;

	switch (step->kind)
	{
		case ML_STEP_NONE:
			return ml_prep_add_part(fit->env, next, part);
		case ML_STEP_IMPUTE_MOST_FREQUENT:
		case ML_STEP_IMPUTE_CONSTANT:
			return category ? step_fill_code(fit, step, part, next) : step_number(fit, step, part, next);
		case ML_STEP_MISSING_INDICATOR:
			return step_indicator(fit, part, next, aside);
		case ML_STEP_QUANTILE_BUCKETS:
			return step_buckets(fit, step, part, next);
		case ML_STEP_DATE_PARTS:
			return step_dates(fit, step, part, next);
		case ML_STEP_ONE_HOT:
			return step_one_hot(fit, step, part, next);
		case ML_STEP_ORDINAL:
		case ML_STEP_FREQUENCY:
			return step_table(fit, step, part, next);
		case ML_STEP_TARGET_ENCODE:
			return step_target(fit, step, part, next);
		case ML_STEP_HASH:
			return step_hash(fit, step, part, next);
		default:
			return step_number(fit, step, part, next);
	}
}

static void
give_back(MlEnv *env, const MlPrepPart *part)
{
	if (!part->owned)
		return;
	ml_release(env, (void *) part->data.number);
	ml_release(env, (void *) part->data.code);
}

/* All parts that the steps before have made, through one step. */
static MlStatus
take_step_of_all(MlPrepFit *fit, const MlStep *step, MlPrepParts *parts, MlPrepParts *aside)
{
	MlPrepParts next = {0};

	for (int32_t i = 0; i < parts->n; i++)
	{
		MlPrepPart	part = parts->part[i];
		bool		passed = step->kind == ML_STEP_NONE || step->kind == ML_STEP_MISSING_INDICATOR;

		if (ml_canceled(fit->env))
			return ml_fail(fit->env, ML_CANCELED, "canceled");
		if (wants_category(step->kind) && part.feature.kind == ML_FEATURE_NUMBER)
		{
			MlPrepPart	made;

			ML_TRY(categorise(fit, &part, &made));
			give_back(fit->env, &part);
			part = made;
		}
		ML_TRY(take_step(fit, step, &part, &next, aside));
		if (!passed)
			give_back(fit->env, &part);
	}
	*parts = next;
	return ML_OK;
}

/* "impute_median, log1p, standard" */
static const char *
describe(MlEnv *env, const MlPrepColumn *column)
{
	char		text[400] = "";
	size_t		used = 0;

	for (int i = 0; i < column->n_steps && used < sizeof(text); i++)
		used += (size_t) snprintf(text + used, sizeof(text) - used, "%s%s", i > 0 ? ", " : "", ml_step_infos[column->steps[i].kind].name);
	return ml_strdup(env, text);
}

/* The features that count the terms of a text, from f on, together. */
static MlStatus
fit_text(MlPrepFit *fit, const MlPrepColumn *column, int f)
{
	fit->prep->how[f] = describe(fit->env, column);
	if (fit->prep->how[f] == NULL)
		return fit->env->error.status;
	return ml_prep_tfidf(fit, &column->steps[0], f, &fit->out);
}

static MlStatus
fit_feature(MlPrepFit *fit, const MlPrepColumn *column, int f)
{
	MlEnv	   *env = fit->env;
	MlPrepPart	first = {.slot = f, .feature = fit->in->schema->features[f], .data = fit->in->columns[f]};
	MlPrepParts parts = {0};
	MlPrepParts aside = {0};

	if (column == NULL)
		return ml_prep_add_part(env, &fit->out, &first);
	fit->prep->how[f] = describe(env, column);
	if (fit->prep->how[f] == NULL)
		return env->error.status;
	ML_TRY(ml_prep_add_part(env, &parts, &first));
	for (int i = 0; i < column->n_steps; i++)
		ML_TRY(take_step_of_all(fit, &column->steps[i], &parts, &aside));
	for (int32_t i = 0; i < parts.n; i++)
		ML_TRY(ml_prep_add_part(env, &fit->out, &parts.part[i]));
	for (int32_t i = 0; i < aside.n; i++)
		ML_TRY(ml_prep_add_part(env, &fit->out, &aside.part[i]));
	return ML_OK;
}

/* Terms, importance and serving speak of features by name. */
static MlStatus
check_names(MlEnv *env, const MlSchema *schema)
{
	MlDictionaryBuilder names = {0};

	for (int f = 0; f < schema->n_features; f++)
	{
		const char *name = schema->features[f].name;
		int32_t		code;

		ML_TRY(ml_dictionary_code(env, &names, ml_hash_bytes(0, name, strlen(name)), name, strlen(name), &code));
		if (code < f)
		{
			ml_fail(env, ML_BAD_PARAM, "the transform makes two columns of the name \"%.200s\"", name);
			return ml_hint(env, "Rename a column in a query or a view.");
		}
	}
	return ML_OK;
}

static MlStatus
finish(MlPrepFit *fit, MlDataColumn **columns)
{
	MlEnv	   *env = fit->env;
	MlPrep	   *prep = fit->prep;
	MlSchema   *encoded = ml_alloc(env, 1, sizeof(MlSchema));
	int32_t    *output;

	if (fit->out.n == 0)
	{
		ml_fail(env, ML_BAD_DATA, "the transform leaves no column");
		return ml_hint(env, "one_hot with drop needs two categories at least.");
	}
	prep->n_out = fit->out.n;
	prep->output = output = ml_alloc(env, (size_t) prep->n_out, sizeof(int32_t));
	*columns = ml_alloc(env, (size_t) prep->n_out, sizeof(MlDataColumn));
	if (encoded == NULL || output == NULL || *columns == NULL)
		return env->error.status;
	*encoded = *fit->in->schema;
	encoded->n_features = prep->n_out;
	encoded->features = ml_alloc(env, (size_t) prep->n_out, sizeof(MlFeature));
	if (encoded->features == NULL)
		return env->error.status;
	for (int32_t i = 0; i < prep->n_out; i++)
	{
		output[i] = fit->out.part[i].slot;
		encoded->features[i] = fit->out.part[i].feature;
		(*columns)[i] = fit->out.part[i].data;
	}
	prep->encoded = encoded;
	return check_names(env, encoded);
}

MlStatus
ml_prep_fit(MlEnv *env, const MlPrepSpec *spec, const MlDataset *in, MlPrep **result, MlDataColumn **columns)
{
	int32_t		p = in->schema->n_features;
	MlPrepFit	fit = {.env = env, .in = in, .n = in->n_train + in->n_valid + in->n_test};

	fit.prep = ml_alloc0(env, 1, sizeof(MlPrep));
	if (fit.prep == NULL)
		return env->error.status;
	fit.prep->n_in = fit.prep->n_slots = p;
	fit.prep->how = ml_alloc0(env, (size_t) p, sizeof(char *));
	if (fit.prep->how == NULL)
		return env->error.status;
	for (int32_t f = 0; f < p; f++)
	{
		MlProgress	progress = {.phase = "encode", .share = (double) f / p, .train_loss = NAN, .validation_loss = NAN};

		const MlFeature *feature = &in->schema->features[f];
		const MlPrepColumn *column = ml_prep_of(spec, feature->source_column);

		ml_progress(env, &progress);
		if (feature->text == NULL)
			ML_TRY(fit_feature(&fit, column, f));
		else if (feature->element == 1)
			ML_TRY(fit_text(&fit, column, f));
	}
	ML_TRY(finish(&fit, columns));
	*result = fit.prep;
	return ML_OK;
}

MlStatus
ml_prep_spread(MlEnv *env, const MlSchema *schema, size_t rows, MlDataColumn *columns)
{
	for (int f = 0; f < schema->n_features; f++)
	{
		double	   *number;

		if (columns[f].sparse == NULL)
			continue;
		if (ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		number = ml_alloc(env, rows, sizeof(double));
		if (number == NULL)
			return ml_hint(env, "%d columns are kept as numbers for this algorithm: keep fewer categories, buckets or words.", schema->n_features);
		ml_column_read(&columns[f], 0, rows, number);
		columns[f] = (MlDataColumn) {.number = number};
	}
	return ML_OK;
}
