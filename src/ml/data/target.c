/*-------------------------------------------------------------------------
 * target.c
 *	  The column to be predicted: which task it makes, its labels and classes.
 *
 * A label comes out as it went in: a text byte by byte, an integer as an integer,
 * a boolean as false or true, a float as the shortest decimal that reads back.
 *-------------------------------------------------------------------------
 */
#include "ml/data/target.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/search.h"
#include "ml/base/sort.h"
#include "ml/base/text.h"
#include "ml/data/split.h"

/* The distinct values of a number column, rising. */
typedef struct Distinct
{
	int			count;			/* limit + 1 when there are more than "limit" */
	double	   *value;
} Distinct;

static MlStatus
find_distinct(MlEnv *env, const MlColumn *column, size_t rows, int limit, Distinct *d)
{
	d->count = 0;
	d->value = ml_alloc(env, (size_t) limit + 1, sizeof(double));
	if (d->value == NULL)
		return env->error.status;
	for (size_t i = 0; i < rows && d->count <= limit; i++)
	{
		double		v = column->number[i];
		int			at;

		if (i % 1000000 == 0 && ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		if (isnan(v))
			continue;
		at = (int) ml_search_double(d->value, 0, (size_t) d->count, v);
		if (at < d->count && d->value[at] == v)
			continue;
		memmove(d->value + at + 1, d->value + at, (size_t) (d->count - at) * sizeof(double));
		d->value[at] = v;
		d->count++;
	}
	return ML_OK;
}

/* What a method that only classifies makes of numbers: classes, if they are as few as classes are. */
static MlStatus
numbers_as_classes(MlEnv *env, const MlColumn *column, size_t rows, const char *method)
{
	Distinct	distinct;

	ML_TRY(find_distinct(env, column, rows, ML_AUTO_CLASSES, &distinct));
	if (distinct.count <= ML_AUTO_CLASSES)
		return ML_OK;
	if (column->spec.logical == ML_LOGICAL_INTEGER)
	{
		ml_warn(env, "each value of target column \"%s\" was taken for a class of its own, and there are more than %d",
				column->spec.name, ML_AUTO_CLASSES);
		return ML_OK;
	}
	ml_fail(env, ML_BAD_TYPE, "target column \"%s\" of type %s has more than %d different numbers, and algorithm \"%s\" predicts classes",
			column->spec.name, column->spec.type_name, ML_AUTO_CLASSES, method);
	return ml_hint(env, "Use an algorithm that does regression, or say params => '{\"task\": \"classification\"}' if each number is a class.");
}

static MlStatus
decide_task(MlEnv *env, const MlColumn *column, size_t rows, const MlTargetSpec *spec, MlTask *task)
{
	Distinct	distinct;

	if (spec->forced != 0)
	{
		*task = spec->forced;
		if ((spec->tasks & (uint32_t) spec->forced) == 0)
			return ml_fail(env, ML_UNSUPPORTED, "algorithm \"%s\" does not do %s", spec->method, ml_task_name(spec->forced));
		return ML_OK;
	}
	*task = ML_TASK_REGRESSION;
	if (column->spec.kind == ML_CATEGORY || column->spec.logical == ML_LOGICAL_BOOLEAN)
		*task = ML_TASK_CLASSIFICATION;
	else if (column->spec.logical == ML_LOGICAL_INTEGER)
	{
		ML_TRY(find_distinct(env, column, rows, ML_AUTO_CLASSES, &distinct));
		if (distinct.count <= ML_AUTO_CLASSES)
			*task = ML_TASK_CLASSIFICATION;
	}
	if ((spec->tasks & (uint32_t) *task) != 0)
		return ML_OK;
	*task = *task == ML_TASK_REGRESSION ? ML_TASK_CLASSIFICATION : ML_TASK_REGRESSION;
	if (*task == ML_TASK_CLASSIFICATION && column->spec.kind == ML_NUMBER)
		return numbers_as_classes(env, column, rows, spec->method);
	return ML_OK;
}

static MlStatus
too_many_classes(MlEnv *env, const MlColumn *column, const char *method)
{
	ml_fail(env, ML_BAD_DATA, "target column \"%s\" has more than %d different values, too many for a classification", column->spec.name, ML_MAX_CLASSES);
	if (method == NULL)
		return ML_BAD_DATA;
	return ml_hint(env, "Group the rare ones, or use an algorithm that does regression; \"%s\" was to classify here.", method);
}

static const char *
label_of(MlEnv *env, MlLogicalType logical, double value)
{
	char		text[ML_DOUBLE_TEXT];

	if (logical == ML_LOGICAL_BOOLEAN)
		return value != 0 ? "true" : "false";
	return ml_strdup(env, ml_double_text(text, value));
}

static MlStatus
classes_of_numbers(MlEnv *env, const MlColumn *column, size_t rows, const MlTargetSpec *spec, MlSchema *schema)
{
	Distinct	distinct;

	if (column->inexact)
	{
		ml_fail(env, ML_OUT_OF_RANGE, "target column \"%s\" has labels beyond 2^53 in size, which cannot be told apart as numbers", column->spec.name);
		return ml_hint(env, "Cast the column to text.");
	}
	ML_TRY(find_distinct(env, column, rows, ML_MAX_CLASSES, &distinct));
	if (distinct.count > ML_MAX_CLASSES)
		return too_many_classes(env, column, spec->method);
	schema->n_classes = distinct.count;
	schema->class_value = distinct.value;
	schema->classes = ml_alloc(env, (size_t) distinct.count, sizeof(char *));
	if (schema->classes == NULL)
		return env->error.status;
	for (int k = 0; k < distinct.count; k++)
	{
		schema->classes[k] = label_of(env, column->spec.logical, distinct.value[k]);
		if (schema->classes[k] == NULL)
			return env->error.status;
	}
	return ML_OK;
}

static double
label_value(MlLogicalType logical, const char *label)
{
	if (logical == ML_LOGICAL_BOOLEAN)
		return strcmp(label, "true") == 0 ? 1 : 0;
	return strtod(label, NULL);
}

/*
 * Booleans, and numbers that were read as text because classification was asked for,
 * are numbers to ml_predict(); numbers stand in the order of their values (equal ones stay in byte order).
 */
static MlStatus
value_labels(MlEnv *env, const MlColumnSpec *spec, MlSchema *schema)
{
	double	   *value;

	if (spec->logical == ML_LOGICAL_TEXT || spec->logical == ML_LOGICAL_TIME)
		return ML_OK;
	value = ml_alloc(env, (size_t) schema->n_classes, sizeof(double));
	if (value == NULL)
		return env->error.status;
	for (int32_t k = 0; k < schema->n_classes; k++)
	{
		const char *label = schema->classes[k];
		double		v = label_value(spec->logical, label);
		int32_t		at = k;

		if (!isfinite(v))
		{
			ml_fail(env, ML_BAD_DATA, "target column \"%s\" contains \"%s\", which cannot be a class", spec->name, label);
			return ml_hint(env, "Leave such rows out of the source, or cast the column to text.");
		}

		/* Insertion is quadratic at worst, and there are at most ML_MAX_CLASSES. */
		for (; at > 0 && value[at - 1] > v; at--)
		{
			value[at] = value[at - 1];
			schema->classes[at] = schema->classes[at - 1];
		}
		value[at] = v;
		schema->classes[at] = label;
	}
	schema->class_value = value;
	return ML_OK;
}

static MlStatus
check_label_lengths(MlEnv *env, const MlColumn *column, int32_t count, const uint32_t *length)
{
	for (int32_t k = 0; k < count; k++)
	{
		if (length[k] <= ML_MAX_LABEL)
			continue;
		ml_fail(env, ML_TOO_LARGE, "target column \"%s\" contains a label of %u bytes, more than the %d that are possible",
				column->spec.name, length[k], ML_MAX_LABEL);
		return ml_hint(env, "Labels are short names of classes; put such names in place of long texts.");
	}
	return ML_OK;
}

/* The texts that occur, in byte order. */
static MlStatus
classes_of_texts(MlEnv *env, const MlColumn *column, size_t rows, const MlTargetSpec *spec, MlSchema *schema)
{
	const MlDictionary *d = &column->dictionary;
	bool	   *seen = ml_alloc0(env, (size_t) d->count, sizeof(bool));
	const char **text;
	uint32_t   *length;
	int32_t    *order;
	int32_t		n = 0;

	if (seen == NULL)
		return env->error.status;
	for (size_t i = 0; i < rows && n <= ML_MAX_CLASSES; i++)
	{
		int32_t		code = column->code[i];

		if (i % 1000000 == 0 && ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		if (code >= 0 && !seen[code])
		{
			seen[code] = true;
			n++;
		}
	}
	if (n > ML_MAX_CLASSES)
		return too_many_classes(env, column, spec->method);
	text = ml_alloc(env, (size_t) n, sizeof(char *));
	length = ml_alloc(env, (size_t) n, sizeof(uint32_t));
	order = ml_alloc(env, (size_t) n, sizeof(int32_t));
	schema->classes = ml_alloc(env, (size_t) n, sizeof(char *));
	if (text == NULL || length == NULL || order == NULL || schema->classes == NULL)
		return env->error.status;
	n = 0;
	for (int32_t c = 0; c < d->count; c++)
	{
		if (!seen[c])
			continue;
		text[n] = d->text[c];
		length[n++] = d->length[c];
	}
	ML_TRY(check_label_lengths(env, column, n, length));
	ML_TRY(ml_sort_texts(env, (size_t) n, text, length, order));
	for (int32_t k = 0; k < n; k++)
		schema->classes[k] = text[order[k]];
	schema->n_classes = n;
	return value_labels(env, &column->spec, schema);
}

/* code_class: by code of the dictionary; -1 for a label that the schema does not have. */
static MlStatus
class_of_codes(MlEnv *env, const MlDictionary *d, const MlSchema *schema, int32_t **code_class)
{
	MlFeature	labels = {.levels = schema->n_classes, .level = schema->classes};

	*code_class = ml_alloc(env, (size_t) d->count, sizeof(int32_t));
	if (*code_class == NULL)
		return env->error.status;
	ML_TRY(ml_level_index(env, schema->classes, schema->n_classes, &labels.index));
	for (int32_t c = 0; c < d->count; c++)
	{
		int32_t		k = ml_feature_code(&labels, d->text[c], d->length[c]);

		(*code_class)[c] = k < schema->n_classes ? k : -1;
	}
	return ML_OK;
}

/* The class of a number: by value where classes are numbers, else by its text. */
static int32_t
class_of_number(const MlSchema *schema, MlLogicalType logical, double v)
{
	char		text[ML_DOUBLE_TEXT];
	const char *label = text;

	if (schema->class_value != NULL)
	{
		int			at = (int) ml_search_double(schema->class_value, 0, (size_t) schema->n_classes, v);

		return at < schema->n_classes && schema->class_value[at] == v ? at : -1;
	}
	if (logical == ML_LOGICAL_BOOLEAN)
		label = v != 0 ? "true" : "false";
	else
		ml_double_text(text, v);
	for (int32_t k = 0; k < schema->n_classes; k++)
	{
		if (strcmp(schema->classes[k], label) == 0)
			return k;
	}
	return -1;
}

static MlStatus
unknown_label(MlEnv *env, const MlColumn *column, size_t row)
{
	char		text[ML_DOUBLE_TEXT];
	const char *label = text;

	if (column->spec.kind == ML_CATEGORY)
		label = column->dictionary.text[column->code[row]];
	else
		ml_double_text(text, column->number[row]);
	ml_fail(env, ML_BAD_DATA, "target column \"%s\" contains the label \"%.100s\", which the model does not know", column->spec.name, label);
	return ml_hint(env, "Leave such rows out, or train again on data that has them.");
}

MlStatus
ml_target_classes(MlEnv *env, const MlColumn *column, size_t rows, const MlSchema *schema, int32_t **class_of)
{
	int32_t    *code_class = NULL;
	int32_t    *result = ml_alloc(env, rows, sizeof(int32_t));

	if (result == NULL)
		return env->error.status;
	if (column->spec.kind == ML_CATEGORY)
		ML_TRY(class_of_codes(env, &column->dictionary, schema, &code_class));
	for (size_t i = 0; i < rows; i++)
	{
		bool		missing = code_class != NULL ? column->code[i] < 0 : isnan(column->number[i]);

		if (i % 1000000 == 0 && ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		if (missing)
		{
			result[i] = -1;
			continue;
		}
		if (code_class != NULL)
			result[i] = code_class[column->code[i]];
		else
			result[i] = class_of_number(schema, column->spec.logical, column->number[i]);
		if (result[i] < 0)
			return unknown_label(env, column, i);
	}
	*class_of = result;
	return ML_OK;
}

MlStatus
ml_target_check(MlEnv *env, const MlColumn *column)
{
	if (column->spec.kind == ML_INTEGER_KEY)
		return ml_fail(env, ML_BAD_PARAM, "column \"%s\" cannot be both target and id", column->spec.name);
	if (!column->nan)
		return ML_OK;
	ml_fail(env, ML_BAD_DATA, "target column \"%s\" contains NaN", column->spec.name);
	return ml_hint(env, "Use NULL for a target that is not known; such rows are left out.");
}

static MlStatus
check_classification(MlEnv *env, const MlColumn *column, size_t rows, const MlTargetSpec *spec, MlSchema *schema)
{
	if (column->spec.logical == ML_LOGICAL_TIME)
	{
		ml_fail(env, ML_BAD_TYPE, "target column \"%s\" of type %s cannot be classified", column->spec.name, column->spec.type_name);
		return ml_hint(env, "Cast it to text to use its values as labels.");
	}
	if (column->spec.kind == ML_CATEGORY)
		ML_TRY(classes_of_texts(env, column, rows, spec, schema));
	else
		ML_TRY(classes_of_numbers(env, column, rows, spec, schema));
	if (schema->n_classes == 1)
	{
		ml_fail(env, ML_BAD_DATA, "target column \"%s\" has the single value \"%.100s\"", column->spec.name, schema->classes[0]);
		return ml_hint(env, "A classification needs rows of at least 2 classes.");
	}
	return ML_OK;
}

MlStatus
ml_target_prepare(MlEnv *env, const MlColumn *column, size_t rows, const MlTargetSpec *spec,
				  MlSchema *schema, uint8_t *part, int32_t **class_of)
{
	size_t		usable = 0;
	size_t		least = spec->semi ? 2 : ML_LEAST_ROWS;

	*class_of = NULL;
	ML_TRY(ml_target_check(env, column));
	for (size_t i = 0; i < rows; i++)
	{
		bool		missing = column->spec.kind == ML_CATEGORY ? column->code[i] < 0 : isnan(column->number[i]);

		if (missing)
			part[i] = ML_PART_UNUSED;
		else
			usable++;
	}
	if (usable == 0)
	{
		ml_fail(env, ML_BAD_DATA, "no usable rows");
		if (rows == 0)
		{
			ml_detail(env, "The source has no rows.");
			return ml_hint(env, "Look at the table, or at what the query leaves out.");
		}
		ml_detail(env, "Target column \"%s\" is NULL in all %zu rows.", column->spec.name, rows);
		return ml_hint(env, "Only rows whose target is known can be learnt from.");
	}
	if (usable < least)
	{
		ml_fail(env, ML_BAD_DATA, "too few rows");
		ml_detail(env, "At least %zu rows with a target are needed, the source has %zu.", least, usable);
		return ml_hint(env, "Give more rows, or fill in the target of those that there are.");
	}

	ML_TRY(decide_task(env, column, rows, spec, &schema->task));
	schema->target = column->spec.name;
	schema->target_type = column->spec.type_name;
	schema->target_logical = column->spec.logical;
	if (schema->task == ML_TASK_REGRESSION)
	{
		if (column->spec.kind != ML_NUMBER)
		{
			ml_fail(env, ML_BAD_TYPE, "target column \"%s\" of type %s is not a number", column->spec.name, column->spec.type_name);
			return ml_hint(env, "A regression predicts numbers; use an algorithm that does classification.");
		}
		return ML_OK;
	}
	ML_TRY(check_classification(env, column, rows, spec, schema));
	return ml_target_classes(env, column, rows, schema, class_of);
}
