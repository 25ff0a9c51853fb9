/*-------------------------------------------------------------------------
 * env.c
 *	  Failures and warnings of a run.
 *-------------------------------------------------------------------------
 */
#include "ml/base/env.h"

#include <stdio.h>
#include <string.h>

#include "ml/base/arena.h"

/*
 * A text that did not fit was cut at any byte; give up the started character,
 * so that what is left is valid in UTF-8 and in single-byte encodings.
 */
static void
clip(char *text, size_t size, int wanted)
{
	size_t		n = size - 1;
	size_t		start = n;
	unsigned char first;

	if (wanted < 0 || (size_t) wanted < size)
		return;
	while (start > 0 && ((unsigned char) text[start - 1] & 0xC0) == 0x80)
		start--;
	first = start > 0 ? (unsigned char) text[start - 1] : 0;
	if (first >= 0xC0 && start - 1 + (first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2) > n)
		text[start - 1] = '\0';
}

__attribute__((format(printf, 3, 0)))
static void
format_into(char *text, size_t size, const char *format, va_list args)
{
	clip(text, size, vsnprintf(text, size, format, args));
}

MlStatus
ml_fail(MlEnv *env, MlStatus status, const char *format,...)
{
	va_list		args;

	if (env->error.status != ML_OK)
		return env->error.status;
	env->error.status = status;
	env->error.detail[0] = '\0';
	env->error.hint[0] = '\0';
	va_start(args, format);
	format_into(env->error.message, sizeof(env->error.message), format, args);
	va_end(args);
	return status;
}

MlStatus
ml_detail(MlEnv *env, const char *format,...)
{
	va_list		args;

	va_start(args, format);
	if (env->error.detail[0] == '\0')
		format_into(env->error.detail, sizeof(env->error.detail), format, args);
	va_end(args);
	return env->error.status;
}

MlStatus
ml_hint(MlEnv *env, const char *format,...)
{
	va_list		args;

	va_start(args, format);
	if (env->error.hint[0] == '\0')
		format_into(env->error.hint, sizeof(env->error.hint), format, args);
	va_end(args);
	return env->error.status;
}

void
ml_warn(MlEnv *env, const char *format,...)
{
	MlError		before = env->error;
	MlWarning **end = &env->warnings;
	MlWarning  *warning;
	char		text[1024];
	va_list		args;

	va_start(args, format);
	format_into(text, sizeof(text), format, args);
	va_end(args);

	/* A method that is fitted in several rounds says it once. */
	for (; *end != NULL; end = &(*end)->next)
		if (strcmp((*end)->text, text) == 0)
			return;

	/* A warning that finds no memory is lost; it must not fail the run. */
	warning = ml_alloc(env, 1, sizeof(MlWarning));
	if (warning != NULL)
		warning->text = ml_strdup(env, text);
	if (warning == NULL || warning->text == NULL)
	{
		env->error = before;
		return;
	}
	warning->next = NULL;
	*end = warning;
	env->n_warnings++;
}
