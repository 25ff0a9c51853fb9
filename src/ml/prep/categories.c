/*-------------------------------------------------------------------------
 * categories.c
 *	  Steps that make or take categories: buckets, codes, tables, zeros and ones.
 *
 * Numbers whose values are labels become categories first, with codes by falling frequency as
 * those of texts have.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/sort.h"
#include "ml/base/text.h"
#include "ml/prep/prep_internal.h"

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

MlStatus
ml_prep_step_buckets(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepParts *next)
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
	return ml_prep_follow(fit, &op, part, &feature, next);
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
MlStatus
ml_prep_categorise(MlPrepFit *fit, const MlPrepPart *part, MlPrepPart *made)
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
	return ml_prep_run_single(fit, kept, part, &feature, made);
}

MlStatus
ml_prep_step_fill(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepParts *next)
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
		return ml_prep_follow(fit, &op, part, &feature, next);
	}
	*code = ml_feature_code(&feature, step->text, strlen(step->text));
	if (*code == feature.levels && feature.levels == ML_MAX_LEVELS)
		ml_warn(env, "column \"%s\" has too many categories for \"%.100s\" to be another one; missing values count as one of the rarest", part->feature.name, step->text);
	else if (*code == feature.levels)
	{
		const char **level = ml_alloc(env, (size_t) feature.levels + 1, sizeof(char *));

		if (level == NULL)
			return env->error.status;
		memcpy(level, feature.level, (size_t) feature.levels * sizeof(char *));
		level[feature.levels] = step->text;
		op.flag = 1;
		ML_TRY(set_levels(env, &feature, level, feature.levels + 1));
	}
	return ml_prep_follow(fit, &op, part, &feature, next);
}

/* One number for each code: its place, or its share. */
MlStatus
ml_prep_step_table(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepParts *next)
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
	return ml_prep_follow(fit, &op, part, &feature, next);
}

MlStatus
ml_prep_step_target(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepParts *next)
{
	MlEnv	   *env = fit->env;
	const MlSchema *schema = fit->in->schema;
	MlPrepOp	op = {.in = part->slot};
	MlPrepOp   *kept = NULL;
	double	  **columns;

	ML_TRY(ml_prep_target(fit, step, part, &op, &columns));
	ML_TRY(ml_prep_add_op(fit, &op, &kept));
	ML_TRY(ml_prep_run_op(fit, kept, &part->data, fit->in->n_train - fit->in->n_unlabelled, columns, NULL));
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
	ML_TRY(ml_prep_run_hot(fit, kept, part, sparse));
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

MlStatus
ml_prep_step_one_hot(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepParts *next)
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

MlStatus
ml_prep_step_hash(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepParts *next)
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

