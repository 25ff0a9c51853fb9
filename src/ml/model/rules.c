/*-------------------------------------------------------------------------
 * rules.c
 *	  Conditions of splits as text.
 *-------------------------------------------------------------------------
 */
#include "ml/model/rules.h"

#include <math.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/text.h"

/* So many categories are named. */
#define SHOWN 20

const char *
ml_rule_number(MlEnv *env, const MlFeature *feature, double threshold, bool left)
{
	char		text[ML_DOUBLE_TEXT];

	if (isinf(threshold))
		return ml_printf(env, left ? "%s is not null" : "%s is null", feature->name);
	if (feature->logical == ML_LOGICAL_BOOLEAN && threshold >= 0 && threshold < 1)
		return ml_printf(env, "%s = %s", feature->name, left ? "false" : "true");
	return ml_printf(env, "%s %s %s", feature->name, left ? "<=" : ">", ml_double_text(text, threshold));
}

static const char *
name_of(const MlFeature *feature, uint16_t code)
{
	return code < feature->levels && feature->level != NULL ? feature->level[code] : "(other)";
}

const char *
ml_rule_set(MlEnv *env, const MlFeature *feature, const uint16_t *code, uint32_t n, bool in)
{
	const char *text = ml_printf(env, "%s %s (", feature->name, in ? "in" : "not in");
	uint32_t	shown = n <= SHOWN + 1 ? n : SHOWN;

	for (uint32_t i = 0; i < shown && text != NULL; i++)
		text = ml_printf(env, "%s%s%s", text, i == 0 ? "" : ", ", name_of(feature, code[i]));
	if (text != NULL && shown < n)
		text = ml_printf(env, "%s, and %u more", text, n - shown);
	return text == NULL ? NULL : ml_printf(env, "%s)", text);
}
