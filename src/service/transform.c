/*-------------------------------------------------------------------------
 * transform.c
 *	  The argument "transform" of ml_train: from JSON to steps.
 *
 * What steps there are, and which follow which, src/ml/prep knows; here it is only read.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "ml/base/text.h"
#include "ml/prep/calendar.h"
#include "pg/error.h"
#include "pg/tokens.h"
#include "service/transform.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

/* What is being read, for messages. */
typedef struct Place
{
	MlEnv	   *env;
	const char *column;
	const MlStepInfo *step;		/* NULL: none yet */
} Place;

static void
complain(const Place *place, const char *what)
{
	const MlStepInfo *step = place->step;

	if (step == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("transform of column \"%s\": %s", place->column, what),
				 errhint("A step is a name such as \"standard\", or an object of one key such as {\"one_hot\": {\"max_categories\": 20}}; several steps make a list.")));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("transform of column \"%s\": %s", place->column, what),
			 step->options[0] != '\0' ? errhint("%s takes: %s.", step->name, step->options) : errhint("%s takes no options.", step->name)));
}

static char *
text_of(const JsonbValue *value)
{
	return pnstrdup(value->val.string.val, value->val.string.len);
}

static double
number_of(const JsonbValue *value)
{
	return DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(value->val.numeric)));
}

static bool
is_array(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsArray(value->val.binary.data);
}

static bool
is_object(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data);
}

static int
length_of(const JsonbValue *value)
{
	return JsonContainerSize(value->val.binary.data);
}

static JsonbValue *
element_of(const JsonbValue *array, int i)
{
	return getIthJsonbValueFromContainer(array->val.binary.data, i);
}

/* Keys and values of an object, as lists of char * and JsonbValue *. */
static void
read_object(JsonbContainer *object, List **keys, List **values)
{
	JsonbIterator *it = JsonbIteratorInit(object);
	JsonbIteratorToken token;
	JsonbValue	value;

	*keys = *values = NIL;
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		JsonbValue *copy;

		if (token != WJB_KEY)
			continue;
		*keys = lappend(*keys, text_of(&value));
		JsonbIteratorNext(&it, &value, true);	/* what is nested comes as one: no recursion */
		copy = palloc(sizeof(JsonbValue));
		*copy = value;
		*values = lappend(*values, copy);
	}
}

/* ------------------------------------------------------------- options */

static int32
integer_option(const Place *place, const char *name, const JsonbValue *value, int32 low, int32 high)
{
	double		number = value->type == jbvNumeric ? number_of(value) : NAN;

	if (!(number >= low && number <= high) || number != floor(number))
		complain(place, psprintf("%s of %s must be an integer from %d to %d", name, place->step->name, low, high));
	return (int32) number;
}

/* [low, high] of numbers; null leaves open is what it becomes where that is allowed. */
static void
pair_option(const Place *place, const JsonbValue *value, bool open, double *low, double *high)
{
	double	   *bounds[2] = {low, high};

	if (!is_array(value) || length_of(value) != 2)
		complain(place, psprintf("%s needs a list of two numbers", place->step->name));
	for (int i = 0; i < 2; i++)
	{
		JsonbValue *element = element_of(value, i);

		if (open && element->type == jbvNull)
			continue;
		if (element->type != jbvNumeric || !isfinite(number_of(element)))
			complain(place, psprintf("%s needs a list of two numbers", place->step->name));
		*bounds[i] = number_of(element);
	}
	if (!(*low < *high || (open && *low == *high)))
		complain(place, psprintf("of the bounds of %s the first must be the lower one", place->step->name));
	if (!open && !isfinite(*high - *low))
		complain(place, psprintf("the bounds of %s are too far apart", place->step->name));
}

static void
share_option(const Place *place, const JsonbValue *value, bool open, double *low, double *high)
{
	pair_option(place, value, open, low, high);
	if ((isfinite(*low) && (*low < 0 || *low > 1)) || (isfinite(*high) && (*high < 0 || *high > 1)))
		complain(place, psprintf("quantiles of %s must be from 0 to 1", place->step->name));
}

static void
constant_option(const Place *place, const JsonbValue *value, MlStep *step)
{
	if (value->type == jbvString)
		step->text = text_of(value);
	else if (value->type == jbvBool)
		step->low = value->val.boolean ? 1 : 0;
	else if (value->type == jbvNumeric && isfinite(number_of(value)))
		step->low = number_of(value);
	else
		complain(place, "impute_constant needs a number or a text");
}

static void
parts_option(const Place *place, const JsonbValue *value, MlStep *step)
{
	if (!is_array(value) || length_of(value) == 0)
		complain(place, "date_parts needs a list of parts");
	for (int i = 0; i < length_of(value); i++)
	{
		JsonbValue *element = element_of(value, i);
		MlDatePart	part;

		if (element->type != jbvString)
			complain(place, "date_parts needs a list of parts");
		ml_check(place->env, ml_date_part_find(place->env, place->column, text_of(element), &part));
		step->parts |= 1u << part;
	}
}

static void
origin_option(const Place *place, const JsonbValue *value, MlStep *step)
{
	step->has_origin = true;
	if (value->type != jbvString || !ml_date_parse(text_of(value), &step->origin))
		complain(place, "origin of date_parts must be a date or a timestamp in ISO form, such as \"2024-01-31\"");
}

static void
order_option(const Place *place, const JsonbValue *value, MlStep *step)
{
	const char **order;

	if (!is_array(value) || length_of(value) == 0)
		complain(place, "ordinal needs a list of categories in their order");
	order = palloc(sizeof(char *) * length_of(value));
	for (int i = 0; i < length_of(value); i++)
	{
		JsonbValue *element = element_of(value, i);
		char		digits[ML_DOUBLE_TEXT];

		if (element->type == jbvString)
			order[i] = text_of(element);
		else if (element->type == jbvNumeric)
			order[i] = pstrdup(ml_double_text(digits, number_of(element)));
		else if (element->type == jbvBool)
			order[i] = element->val.boolean ? "true" : "false";
		else
			complain(place, "ordinal needs a list of categories in their order");
		CHECK_FOR_INTERRUPTS();	/* a long list takes a time that grows with its square */
		for (int j = 0; j < i; j++)
		{
			if (strcmp(order[i], order[j]) == 0)
				complain(place, psprintf("ordinal lists \"%s\" twice", order[i]));
		}
	}
	step->order = order;
	step->n_order = length_of(value);
}

static void
smoothing_option(const Place *place, const JsonbValue *value, MlStep *step)
{
	if (value->type == jbvString && strcmp(text_of(value), "auto") == 0)
		return;
	if (value->type != jbvNumeric || !(number_of(value) >= 0) || !isfinite(number_of(value)))
		complain(place, "smoothing of target_encode must be \"auto\" or a number of at least 0");
	step->automatic = false;
	step->low = number_of(value);
}

static void
drop_option(const Place *place, const JsonbValue *value, MlStep *step)
{
	const char *word = value->type == jbvString ? text_of(value) : "";

	if (strcmp(word, "first") != 0 && strcmp(word, "none") != 0)
		complain(place, "drop of one_hot must be \"first\" or \"none\"");
	step->drop_first = strcmp(word, "first") == 0;
}

static bool
boolean_option(const Place *place, const char *name, const JsonbValue *value)
{
	if (value->type != jbvBool)
		complain(place, psprintf("%s of %s must be true or false", name, place->step->name));
	return value->val.boolean;
}

/* [1, 2]: terms of one word and of two. */
static void
ngram_option(const Place *place, const JsonbValue *value, MlStep *step)
{
	bool		pair = is_array(value) && length_of(value) == 2;

	if (!pair)
		complain(place, psprintf("ngram of %s must be a list of two integers from 1 to %d", place->step->name, ML_PREP_MAX_WORDS));
	step->tokens.min_words = integer_option(place, "ngram", element_of(value, 0), 1, ML_PREP_MAX_WORDS);
	step->tokens.max_words = integer_option(place, "ngram", element_of(value, 1), 1, ML_PREP_MAX_WORDS);
	if (step->tokens.max_words < step->tokens.min_words)
		complain(place, psprintf("ngram of %s must be a list of two integers, the first not above the second", place->step->name));
}

/* Rows, or below 1 a share of them; null leaves it open. */
static void
rows_option(const Place *place, const char *name, const JsonbValue *value, double open, double *rows)
{
	*rows = value->type == jbvNull ? open : value->type == jbvNumeric ? number_of(value) : NAN;
	if (!(*rows >= 0) || (*rows >= 1 && isfinite(*rows) && *rows != floor(*rows)))
		complain(place, psprintf("%s of %s must be a number of rows, or below 1 a share of them", name, place->step->name));
}

static void
norm_option(const Place *place, const JsonbValue *value, MlStep *step)
{
	const char *word = value->type == jbvString ? text_of(value) : value->type == jbvNull ? "none" : "";

	if (strcmp(word, "l2") != 0 && strcmp(word, "none") != 0)
		complain(place, psprintf("norm of %s must be \"l2\" or \"none\"", place->step->name));
	step->unscaled = strcmp(word, "none") == 0;
}

static bool
text_option(const Place *place, const char *name, const JsonbValue *value, MlStep *step)
{
	bool		hashed = step->kind == ML_STEP_HASHED_TFIDF;

	if (strcmp(name, hashed ? "n" : "max_features") == 0)
		step->n = integer_option(place, name, value, hashed ? 2 : 1, ML_PREP_MAX_TERMS);
	else if (strcmp(name, "config") == 0)
	{
		if (value->type != jbvString)
			complain(place, psprintf("config of %s must be the name of a text search configuration", place->step->name));
		step->tokens.config = ml_tokens_config(text_of(value));
	}
	else if (strcmp(name, "ngram") == 0)
		ngram_option(place, value, step);
	else if (strcmp(name, "min_df") == 0 && !hashed)
		rows_option(place, name, value, 1, &step->low);
	else if (strcmp(name, "max_df") == 0 && !hashed)
		rows_option(place, name, value, INFINITY, &step->high);
	else if (strcmp(name, "sublinear") == 0)
		step->sublinear = boolean_option(place, name, value);
	else if (strcmp(name, "norm") == 0)
		norm_option(place, value, step);
	else
		return false;
	return true;
}

/* An option by its name; false when the step has none of this name. */
static bool
named_option(const Place *place, const char *name, const JsonbValue *value, MlStep *step)
{
	switch (step->kind)
	{
		case ML_STEP_CLIP:
			step->quantiles = true;
			if (strcmp(name, "quantiles") != 0)
				return false;
			share_option(place, value, true, &step->low, &step->high);
			return true;
		case ML_STEP_DATE_PARTS:
			if (strcmp(name, "parts") == 0)
				parts_option(place, value, step);
			else if (strcmp(name, "origin") == 0)
				origin_option(place, value, step);
			else
				return false;
			return true;
		case ML_STEP_ONE_HOT:
			if (strcmp(name, "max_categories") == 0)
				step->n = integer_option(place, name, value, 1, ML_MAX_LEVELS);
			else if (strcmp(name, "drop") == 0)
				drop_option(place, value, step);
			else
				return false;
			return true;
		case ML_STEP_TARGET_ENCODE:
			if (strcmp(name, "smoothing") == 0)
				smoothing_option(place, value, step);
			else if (strcmp(name, "folds") == 0)
				step->n = integer_option(place, name, value, 2, 100);
			else
				return false;
			return true;
		case ML_STEP_TFIDF:
		case ML_STEP_HASHED_TFIDF:
			return text_option(place, name, value, step);
		case ML_STEP_IMPUTE_CONSTANT:
			if (strcmp(name, "value") != 0)
				return false;
			constant_option(place, value, step);
			return true;
		case ML_STEP_ORDINAL:
			if (strcmp(name, "order") != 0)
				return false;
			order_option(place, value, step);
			return true;
		case ML_STEP_QUANTILE_BUCKETS:
		case ML_STEP_HASH:
			if (strcmp(name, "n") != 0)
				return false;
			step->n = integer_option(place, name, value, 2, step->kind == ML_STEP_HASH ? 65536 : 1000);
			return true;
		default:
			return false;
	}
}

/* What stands beside the name of a step where it is no object. */
static void
plain_option(const Place *place, const JsonbValue *value, MlStep *step)
{
	switch (step->kind)
	{
		case ML_STEP_IMPUTE_CONSTANT:
			constant_option(place, value, step);
			return;
		case ML_STEP_MIN_MAX:
			pair_option(place, value, false, &step->low, &step->high);
			return;
		case ML_STEP_ROBUST:
			share_option(place, value, false, &step->low, &step->high);
			return;
		case ML_STEP_CLIP:
			pair_option(place, value, true, &step->low, &step->high);
			return;
		case ML_STEP_DATE_PARTS:
			parts_option(place, value, step);
			return;
		case ML_STEP_ORDINAL:
			order_option(place, value, step);
			return;
		case ML_STEP_QUANTILE_BUCKETS:
		case ML_STEP_HASH:
			(void) named_option(place, "n", value, step);
			return;
		case ML_STEP_ONE_HOT:
			(void) named_option(place, "max_categories", value, step);
			return;
		default:
			break;
	}
	if (value->type != jbvNull)
		complain(place, psprintf("%s has no such option", place->step->name));
}

static void
read_options(const Place *place, const JsonbValue *value, MlStep *step)
{
	List	   *keys;
	List	   *values;
	ListCell   *key;
	ListCell   *option;

	if (!is_object(value))
	{
		plain_option(place, value, step);
		return;
	}
	read_object(value->val.binary.data, &keys, &values);
	forboth(key, keys, option, values)
	{
		if (!named_option(place, lfirst(key), lfirst(option), step))
			complain(place, psprintf("%s has no option \"%s\"", place->step->name, (char *) lfirst(key)));
	}
	if (keys == NIL && step->kind == ML_STEP_IMPUTE_CONSTANT)
		complain(place, "impute_constant needs a number or a text");
	if (keys == NIL && step->kind == ML_STEP_CLIP)
		complain(place, "clip needs bounds");
}

/* --------------------------------------------------------------- steps */

static void
begin_step(Place *place, const char *name, MlStep *step)
{
	MlStepKind	kind;

	ml_check(place->env, ml_step_find(place->env, place->column, name, &kind));
	ml_step_init(step, kind);
	place->step = &ml_step_infos[kind];
}

static void
read_step(Place *place, const JsonbValue *value, MlStep *step)
{
	List	   *keys;
	List	   *values;

	place->step = NULL;
	if (value->type == jbvString)
	{
		begin_step(place, text_of(value), step);
		if (step->kind == ML_STEP_IMPUTE_CONSTANT)
			complain(place, "impute_constant needs a number or a text");
		if (step->kind == ML_STEP_CLIP)
			complain(place, "clip needs bounds");
		return;
	}
	if (!is_object(value))
		complain(place, "a step must be a name or an object");
	read_object(value->val.binary.data, &keys, &values);
	if (list_length(keys) != 1)
		complain(place, "an object that is a step must have one key");
	begin_step(place, linitial(keys), step);
	read_options(place, linitial(values), step);
}

static void
read_column(Place *place, const JsonbValue *value, MlPrepColumn *column)
{
	bool		list = is_array(value);

	column->column = place->column;
	column->n_steps = list ? length_of(value) : 1;
	if (column->n_steps == 0)
		complain(place, "there is no step");
	column->steps = palloc0(sizeof(MlStep) * column->n_steps);
	for (int i = 0; i < column->n_steps; i++)
		read_step(place, list ? element_of(value, i) : value, &column->steps[i]);
}

MlPrepSpec *
ml_transform_parse(MlEnv *env, const char *transform)
{
	MlPrepSpec *spec;
	Jsonb	   *object;
	List	   *keys;
	List	   *values;
	ListCell   *key;
	ListCell   *value;

	if (transform == NULL)
		return NULL;
	object = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(transform)));
	if (!JB_ROOT_IS_OBJECT(object))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("transform must be a JSON object"),
				 errhint("It has a key for each column, for example '{\"income\": [\"impute_median\", \"standard\"]}'.")));
	read_object(&object->root, &keys, &values);
	if (keys == NIL)
		return NULL;
	spec = palloc0(sizeof(MlPrepSpec));
	spec->columns = palloc0(sizeof(MlPrepColumn) * list_length(keys));
	forboth(key, keys, value, values)
	{
		Place		place = {.env = env, .column = lfirst(key)};

		read_column(&place, lfirst(value), &spec->columns[spec->n_columns++]);
	}
	return spec;
}

/* --------------------------------------------------------------- forms */

MlInputForm *
ml_transform_forms(const MlPrepSpec *spec, int *count)
{
	MlInputForm *forms;

	*count = 0;
	if (spec == NULL)
		return NULL;
	forms = palloc0(sizeof(MlInputForm) * spec->n_columns);
	for (int i = 0; i < spec->n_columns; i++)
	{
		const MlPrepColumn *column = &spec->columns[i];
		MlInputForm *form = &forms[(*count)++];

		form->column = column->column;
		if (column->steps[0].kind == ML_STEP_HASH)
			form->buckets = column->steps[0].n;
		if (column->steps[0].kind == ML_STEP_TFIDF || column->steps[0].kind == ML_STEP_HASHED_TFIDF)
			form->tokens = &column->steps[0].tokens;
	}
	return forms;
}
