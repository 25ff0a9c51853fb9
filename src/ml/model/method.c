/*-------------------------------------------------------------------------
 * method.c
 *	  The list of algorithms, made from algo/methods.def.
 *-------------------------------------------------------------------------
 */
#include "ml/model/method.h"

#include <stdio.h>
#include <string.h>

#define ML_METHOD(name) extern const MlMethod ml_method_##name;
#include "ml/algo/methods.def"
#undef ML_METHOD

const MlMethod *const ml_methods[] = {
#define ML_METHOD(name) &ml_method_##name,
#include "ml/algo/methods.def"
#undef ML_METHOD
	NULL
};

#define N_METHODS ((int) (sizeof(ml_methods) / sizeof(ml_methods[0])) - 1)

const MlMethod *
ml_method_find(const char *name)
{
	for (const MlMethod *const *method = ml_methods; *method != NULL; method++)
	{
		if (strcmp((*method)->name, name) == 0)
			return *method;
	}
	return NULL;
}

MlStatus
ml_method_get(MlEnv *env, const char *name, const MlMethod **method)
{
	const char *names[N_METHODS + 1] = {NULL};
	const char *nearest;
	char		list[400] = "";
	size_t		used = 0;

	*method = ml_method_find(name);
	if (*method != NULL)
		return ML_OK;
	for (int i = 0; i < N_METHODS; i++)
	{
		names[i] = ml_methods[i]->name;
		if (used < sizeof(list) - 1)
			used += (size_t) snprintf(list + used, sizeof(list) - used, "%s%s", i > 0 ? ", " : "", names[i]);
	}
	nearest = ml_nearest(name, names, N_METHODS);
	ml_fail(env, ML_BAD_PARAM, "unknown algorithm \"%s\"", name);
	if (nearest != NULL)
		return ml_hint(env, "Did you mean \"%s\"? Available are: %s.", nearest, list);
	return ml_hint(env, "Available are: %s.", list);
}
