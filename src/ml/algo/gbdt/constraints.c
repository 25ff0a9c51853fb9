/*-------------------------------------------------------------------------
 * constraints.c
 *	  What the user says of directions: the parameter monotone_constraints.
 *-------------------------------------------------------------------------
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "ml/algo/gbdt/gbdt_internal.h"
#include "ml/base/arena.h"

static MlStatus
bad_direction(MlEnv *env, const char *text)
{
	ml_fail(env, ML_BAD_PARAM, "parameter \"monotone_constraints\" cannot be read at \"%.60s\"", text);
	return ml_hint(env, "Write names and directions, such as \"age:1,income:-1\", or one direction for each feature in order, such as \"(1,0,-1)\".");
}

static const char *
skip_spaces(const char *s)
{
	while (isspace((unsigned char) *s))
		s++;
	return s;
}

/* 1, 0 or -1 at *s, which is moved behind it. */
static bool
read_direction(const char **s, int8_t *direction)
{
	const char *at = skip_spaces(*s);
	int			sign = *at == '-' ? -1 : 1;

	at += *at == '-' || *at == '+';
	if ((*at != '0' && *at != '1') || isdigit((unsigned char) at[1]))
		return false;
	*direction = (int8_t) (sign * (*at - '0'));
	*s = skip_spaces(at + 1);
	return true;
}

static MlStatus
read_list(MlEnv *env, const char *text, const MlSchema *schema, int8_t *monotone)
{
	const char *s = skip_spaces(text);
	int			f = 0;

	s += *s == '(' || *s == '[';
	for (; *s != '\0' && *s != ')' && *s != ']'; s += *s == ',')
	{
		if (f == schema->n_features)
			return ml_fail(env, ML_BAD_PARAM, "parameter \"monotone_constraints\" has more directions than the %d features", schema->n_features);
		if (!read_direction(&s, &monotone[f++]) || (*s != ',' && *s != ')' && *s != ']' && *s != '\0'))
			return bad_direction(env, s);
	}
	return ML_OK;
}

static int
feature_named(const MlSchema *schema, const char *name, size_t length)
{
	for (int f = 0; f < schema->n_features; f++)
	{
		if (strlen(schema->features[f].name) == length && memcmp(schema->features[f].name, name, length) == 0)
			return f;
	}
	return -1;
}

static MlStatus
read_names(MlEnv *env, const char *text, const MlSchema *schema, int8_t *monotone)
{
	for (const char *s = skip_spaces(text); *s != '\0'; s += *s == ',')
	{
		const char *name = s = skip_spaces(s);
		size_t		length = strcspn(s, ":");
		int			f;

		s += length;
		while (length > 0 && isspace((unsigned char) name[length - 1]))
			length--;
		if (*s++ != ':')
			return bad_direction(env, name);
		f = feature_named(schema, name, length);
		if (f < 0)
		{
			ml_fail(env, ML_BAD_PARAM, "parameter \"monotone_constraints\" names \"%.*s\", which is no feature of this model", (int) (length < 60 ? length : 60), name);
			return ml_hint(env, "Columns that were left out for having one value only are no features.");
		}
		if (!read_direction(&s, &monotone[f]) || (*s != ',' && *s != '\0'))
			return bad_direction(env, s);
	}
	return ML_OK;
}

MlStatus
ml_gbdt_read_monotone(MlEnv *env, const char *text, const MlSchema *schema, const int8_t **result)
{
	int8_t	   *monotone;
	bool		any = false;

	*result = NULL;
	if (*skip_spaces(text) == '\0')
		return ML_OK;
	monotone = ml_alloc0(env, (size_t) schema->n_features, sizeof(int8_t));
	if (monotone == NULL)
		return env->error.status;
	if (strchr(text, ':') == NULL)
		ML_TRY(read_list(env, text, schema, monotone));
	else
		ML_TRY(read_names(env, text, schema, monotone));
	for (int f = 0; f < schema->n_features; f++)
	{
		any |= monotone[f] != 0;
		if (monotone[f] != 0 && schema->features[f].kind == ML_FEATURE_CATEGORY)
			return ml_fail(env, ML_BAD_PARAM, "feature \"%s\" is a category: it has no direction that \"monotone_constraints\" could keep", schema->features[f].name);
	}
	*result = any ? monotone : NULL;
	return ML_OK;
}
