/*-------------------------------------------------------------------------
 * params.c
 *	  Hyper-parameters: looked up, checked against their table, shown.
 *-------------------------------------------------------------------------
 */
#include "ml/model/params.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/text.h"

#define MAX_WORD 63				/* longer words are compared by their beginning */
#define MAX_CANDIDATES 256

/* No limit stands in the table as an infinity, or as two equal ones. */
static bool
has_minimum(const MlParam *param)
{
	return isfinite(param->minimum) && param->minimum != param->maximum;
}

static bool
has_maximum(const MlParam *param)
{
	return isfinite(param->maximum) && param->minimum != param->maximum;
}

/* Position of a word in "a|b|c", -1 when it is not there. */
static int
word_position(const char *list, const char *word)
{
	size_t		length = strlen(word);

	if (list == NULL)
		return -1;
	for (int i = 0;; i++)
	{
		const char *end = list + strcspn(list, "|");

		if ((size_t) (end - list) == length && memcmp(list, word, length) == 0)
			return i;
		if (*end == '\0')
			return -1;
		list = end + 1;
	}
}

/* How the absence of a text is written. */
#define ML_NO_TEXT "(none)"

static bool
is_text(const MlParam *param)
{
	return param->type == ML_PARAM_TEXT || param->type == ML_PARAM_MODEL;
}

/* "64,32" of a table: its integers, into the arena. */
static MlStatus
default_list(MlEnv *env, const MlParam *param, const int64_t **list, double *count)
{
	int64_t    *values = ml_alloc0(env, ML_PARAM_LIST_MAX, sizeof(int64_t));
	const char *at = param->default_choice == NULL ? "" : param->default_choice;
	int			n = 0;

	if (values == NULL)
		return env->error.status;
	while (*at != '\0' && n < ML_PARAM_LIST_MAX)
	{
		char	   *end;

		values[n++] = strtoll(at, &end, 10);
		at = *end == ',' ? end + 1 : end;
		if (*end != ',' && *end != '\0')
			return ml_fail(env, ML_UNSUPPORTED, "parameter \"%s\" has no valid default", param->name);
	}
	*list = values;
	*count = n;
	return ML_OK;
}

MlStatus
ml_params_init(MlEnv *env, const MlParam *table, MlParams **params)
{
	MlParams   *p = ml_alloc0(env, 1, sizeof(MlParams));

	if (p == NULL)
		return env->error.status;
	p->table = table;
	while (table != NULL && table[p->count].name != NULL)
		p->count++;
	p->number = ml_alloc0(env, (size_t) p->count, sizeof(double));
	p->text = ml_alloc0(env, (size_t) p->count, sizeof(char *));
	p->given = ml_alloc0(env, (size_t) p->count, sizeof(bool));
	p->list = ml_alloc0(env, (size_t) p->count, sizeof(*p->list));
	if (p->number == NULL || p->text == NULL || p->given == NULL || p->list == NULL)
		return env->error.status;
	for (int i = 0; i < p->count; i++)
	{
		int			choice;

		p->number[i] = table[i].default_number;
		p->text[i] = "";
		if (table[i].type == ML_PARAM_LIST)
		{
			ML_TRY(default_list(env, &table[i], &p->list[i], &p->number[i]));
			continue;
		}
		if (table[i].type != ML_PARAM_CHOICE && table[i].default_choice == NULL)
			continue;
		choice = table[i].default_choice == NULL ? -1 : word_position(table[i].choices, table[i].default_choice);
		if (choice < 0)
			return ml_fail(env, ML_UNSUPPORTED, "parameter \"%s\" has no valid default", table[i].name);
		p->number[i] = table[i].type == ML_PARAM_CHOICE ? choice : ml_param_word(choice);
	}
	*params = p;
	return ML_OK;
}

/* A list is a help as long as it can be read at a glance, and it must fit into MlError's hint. */
#define MAX_LISTED 12

/* "a, b, c" of the candidates. */
static void
list_parameters(char *list, size_t size, const char **candidates, int n)
{
	size_t		used = 0;

	list[0] = '\0';
	for (int i = 0; i < n && used < size - 1; i++)
		used += (size_t) snprintf(list + used, size - used, "%s%s", i > 0 ? ", " : "", candidates[i]);
}

static MlStatus
unknown_parameter(MlEnv *env, const MlParams *params, const char *name)
{
	const char *candidates[MAX_CANDIDATES];
	const char *nearest;
	char		list[400];
	int			n = 0;
	int			own;

	for (int i = 0; i < params->count && n < MAX_CANDIDATES - 1; i++)
		candidates[n++] = params->table[i].name;
	candidates[n++] = "task";	/* understood for every method, before its own */
	own = n;
	for (const MlParam *param = params->common; param != NULL && param->name != NULL && n < MAX_CANDIDATES; param++)
		candidates[n++] = param->name;
	nearest = ml_nearest(name, candidates, n);
	/* Of those that many methods have the first stands for all. */
	n = own + (n > own ? 1 : 0);
	ml_fail(env, ML_BAD_PARAM, "unknown parameter \"%s\"", name);
	if (n > MAX_LISTED && params->algorithm != NULL)
		return ml_hint(env, "%s%s%sSELECT * FROM ml_params('%s') shows all parameters.", nearest != NULL ? "Did you mean \"" : "",
					   nearest != NULL ? nearest : "", nearest != NULL ? "\"? " : "", params->algorithm);
	list_parameters(list, sizeof(list), candidates, n);
	if (nearest != NULL)
		return ml_hint(env, "Did you mean \"%s\"? Valid parameters are: %s.", nearest, list);
	return ml_hint(env, "Valid parameters are: %s.", list);
}

/* The position of a parameter that may be set now. */
static MlStatus
find_to_set(MlEnv *env, const MlParams *params, const char *name, int *which)
{
	for (int i = 0; i < params->count; i++)
	{
		const MlParam *param = &params->table[i];

		if (strcmp(param->name, name) != 0 && word_position(param->aliases, name) < 0)
			continue;
		if (params->given[i])
		{
			ml_fail(env, ML_BAD_PARAM, "parameter \"%s\" is given twice", param->name);
			if (param->aliases != NULL)
				ml_hint(env, "It is also understood by the names: %s.", param->aliases);
			return ML_BAD_PARAM;
		}
		*which = i;
		return ML_OK;
	}
	return unknown_parameter(env, params, name);
}

/* "an integer from 1 to 100", "a number above 0", "true or false", "one of a|b" */
static const char *
wanted(const MlParam *param, char *text, size_t size)
{
	char		low[ML_DOUBLE_TEXT];
	char		high[ML_DOUBLE_TEXT];
	const char *noun = param->type == ML_PARAM_INT ? "an integer" : param->type == ML_PARAM_LIST ? "a list of integers, each" : "a number";

	ml_double_text(low, param->minimum);
	ml_double_text(high, param->maximum);
	if (param->type == ML_PARAM_BOOL)
		snprintf(text, size, "true or false");
	else if (param->type == ML_PARAM_CHOICE)
		snprintf(text, size, "one of %s", param->choices);
	else if (param->type == ML_PARAM_TEXT)
		snprintf(text, size, "a text");
	else if (param->type == ML_PARAM_MODEL)
		snprintf(text, size, "the name of a model, or model@version");
	else if (has_minimum(param) && has_maximum(param))
		snprintf(text, size, "%s %s %s and %s %s", noun, param->open_minimum ? "above" : "of at least", low,
				 param->open_maximum ? "below" : "at most", high);
	else if (has_minimum(param))
		snprintf(text, size, "%s %s %s", noun, param->open_minimum ? "above" : "of at least", low);
	else if (has_maximum(param))
		snprintf(text, size, "%s %s %s", noun, param->open_maximum ? "below" : "of at most", high);
	else
		snprintf(text, size, "%s", noun);
	if (param->type == ML_PARAM_DOUBLE && param->choices != NULL)
		snprintf(text + strlen(text), size - strlen(text), ", or one of %s", param->choices + strlen("number|"));
	return text;
}

static MlStatus
refuse(MlEnv *env, const MlParam *param, const char *value)
{
	char		text[300];

	return ml_fail(env, ML_BAD_PARAM, "parameter \"%s\" must be %s, not %s", param->name, wanted(param, text, sizeof(text)), value);
}

static bool
in_range(const MlParam *param, double value)
{
	if (!isfinite(value))
		return false;
	if (has_minimum(param) && (param->open_minimum ? value <= param->minimum : value < param->minimum))
		return false;
	return !(has_maximum(param) && (param->open_maximum ? value >= param->maximum : value > param->maximum));
}

MlStatus
ml_params_set_number(MlEnv *env, MlParams *params, const char *name, double value)
{
	char		text[ML_DOUBLE_TEXT];
	const MlParam *param;
	int			which;

	ML_TRY(find_to_set(env, params, name, &which));
	param = &params->table[which];
	if (param->type != ML_PARAM_INT && param->type != ML_PARAM_DOUBLE && param->type != ML_PARAM_LIST)
		return refuse(env, param, ml_double_text(text, value));
	if (param->type == ML_PARAM_LIST)
		return ml_params_set_list(env, params, name, &value, 1);
	if (!in_range(param, value) || (param->type == ML_PARAM_INT && (value != trunc(value) || fabs(value) > 0x1p53)))
		return refuse(env, param, ml_double_text(text, value));
	params->number[which] = value;
	params->given[which] = true;
	return ML_OK;
}

MlStatus
ml_params_set_list(MlEnv *env, MlParams *params, const char *name, const double *values, int count)
{
	char		text[ML_DOUBLE_TEXT];
	const MlParam *param;
	int64_t    *list;
	int			which;

	ML_TRY(find_to_set(env, params, name, &which));
	param = &params->table[which];
	if (param->type != ML_PARAM_LIST)
		return refuse(env, param, "a list");
	if (count > ML_PARAM_LIST_MAX)
		return ml_fail(env, ML_BAD_PARAM, "parameter \"%s\" may have %d elements at most, not %d", param->name, ML_PARAM_LIST_MAX, count);
	list = ml_alloc0(env, ML_PARAM_LIST_MAX, sizeof(int64_t));
	if (list == NULL)
		return env->error.status;
	for (int i = 0; i < count; i++)
	{
		if (!in_range(param, values[i]) || values[i] != trunc(values[i]) || fabs(values[i]) > 0x1p53)
			return refuse(env, param, ml_double_text(text, values[i]));
		list[i] = (int64_t) values[i];
	}
	params->list[which] = list;
	params->number[which] = count;
	params->given[which] = true;
	return ML_OK;
}

const char *
ml_params_model(const MlParams *params)
{
	for (int i = 0; i < params->count; i++)
		if (params->table[i].type == ML_PARAM_MODEL && params->text[i][0] != '\0')
			return params->text[i];
	return NULL;
}

MlStatus
ml_params_set_bool(MlEnv *env, MlParams *params, const char *name, bool value)
{
	int			which;

	ML_TRY(find_to_set(env, params, name, &which));
	if (params->table[which].type != ML_PARAM_BOOL)
		return refuse(env, &params->table[which], value ? "true" : "false");
	params->number[which] = value;
	params->given[which] = true;
	return ML_OK;
}

MlStatus
ml_params_set_text(MlEnv *env, MlParams *params, const char *name, const char *value)
{
	char		quoted[80];
	int			which;
	int			choice;

	ML_TRY(find_to_set(env, params, name, &which));
	if (is_text(&params->table[which]))
	{
		params->text[which] = strcmp(value, ML_NO_TEXT) == 0 ? "" : ml_strdup(env, value);
		params->given[which] = true;
		return params->text[which] == NULL ? env->error.status : ML_OK;
	}
	choice = params->table[which].choices != NULL ? word_position(params->table[which].choices, value) : -1;
	if (params->table[which].type != ML_PARAM_CHOICE && choice == 0)
		choice = -1;			/* the word "number" is none of the words */
	if (choice < 0 || strchr(value, '|') != NULL)
	{
		snprintf(quoted, sizeof(quoted), "\"%.60s\"", value);
		return refuse(env, &params->table[which], quoted);
	}
	params->number[which] = params->table[which].type == ML_PARAM_CHOICE ? choice : ml_param_word(choice);
	params->given[which] = true;
	return ML_OK;
}

static const char *
number_text(MlEnv *env, double value)
{
	char		text[ML_DOUBLE_TEXT];

	return ml_strdup(env, ml_double_text(text, value));
}

const char *
ml_param_default(MlEnv *env, const MlParam *param)
{
	if (param->type == ML_PARAM_LIST)
		return ml_printf(env, "[%s]", param->default_choice == NULL ? "" : param->default_choice);
	if (param->default_choice != NULL)
		return param->default_choice;
	if (is_text(param))
		return ML_NO_TEXT;
	if (param->type == ML_PARAM_BOOL)
		return param->default_number != 0 ? "true" : "false";
	return number_text(env, param->default_number);
}

static bool
is_number(const MlParam *param)
{
	return param->type == ML_PARAM_INT || param->type == ML_PARAM_DOUBLE || param->type == ML_PARAM_LIST;
}

const char *
ml_param_minimum(MlEnv *env, const MlParam *param)
{
	return is_number(param) && has_minimum(param) ? number_text(env, param->minimum) : "";
}

const char *
ml_param_maximum(MlEnv *env, const MlParam *param)
{
	return is_number(param) && has_maximum(param) ? number_text(env, param->maximum) : "";
}

const char *
ml_param_type_name(const MlParam *param)
{
	switch (param->type)
	{
		case ML_PARAM_INT:
			return "integer";
		case ML_PARAM_DOUBLE:
			return param->choices != NULL ? param->choices : "number";
		case ML_PARAM_BOOL:
			return "boolean";
		case ML_PARAM_TEXT:
			return "text";
		case ML_PARAM_LIST:
			return "integer[]";
		case ML_PARAM_MODEL:
			return "model";
		case ML_PARAM_CHOICE:
			break;
	}
	return param->choices;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

static int
min_int(int a, int b)
{
	return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours (optimal string alignment), ignoring case. */
static int
edit_distance(const char *a, int n, const char *b, int m)
{
	int			row[3][MAX_WORD + 1];
	int		   *before = row[0];
	int		   *above = row[1];
	int		   *current = row[2];

	for (int j = 0; j <= m; j++)
		above[j] = j;
	for (int i = 1; i <= n; i++)
	{
		int		   *spare = before;

		current[0] = i;
		for (int j = 1; j <= m; j++)
		{
			int			cost = lower(a[i - 1]) != lower(b[j - 1]);

			current[j] = min_int(min_int(above[j] + 1, current[j - 1] + 1), above[j - 1] + cost);
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
				current[j] = min_int(current[j], before[j - 2] + 1);
		}
		before = above;
		above = current;
		current = spare;
	}
	return above[m];
}

const char *
ml_nearest(const char *word, const char *const *candidates, int count)
{
	int			n = (int) strnlen(word, MAX_WORD);
	int			best_distance = (n + 2) / 3 + 1;
	const char *best = NULL;

	for (int i = 0; i < count; i++)
	{
		int			distance = edit_distance(word, n, candidates[i], (int) strnlen(candidates[i], MAX_WORD));

		if (distance < best_distance)
		{
			best = candidates[i];
			best_distance = distance;
		}
	}

	/* No typing error: perhaps a part of the name, as "leaves" for "num_leaves". */
	for (int i = 0; best == NULL && n >= 3 && i < count; i++)
	{
		if (strstr(candidates[i], word) != NULL)
			best = candidates[i];
	}
	return best;
}
