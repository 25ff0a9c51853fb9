/*-------------------------------------------------------------------------
 * rules.h
 *	  A tree as text that can be read: what a method says of each of its nodes.
 *-------------------------------------------------------------------------
 */
#ifndef ML_MODEL_RULES_H
#define ML_MODEL_RULES_H

#include "ml/data/schema.h"

/* A node; parents stand before their children. */
typedef struct MlRule
{
	int32_t		parent;			/* -1: the root */
	int32_t		depth;
	const char *condition;		/* what rows of the parent that come here have in common; NULL for the root */
	bool		missing;		/* rows of the parent without a value come here, too */
	bool		leaf;
	int32_t		class_number;	/* -1: none */
	double		value;			/* the share of that class, or what is predicted or added here; NaN: nothing is */
	double		rows;			/* training rows of the tree that came here */
} MlRule;

/* "age <= 30", "age > 30"; for booleans "member = false".  INFINITY as threshold: "age is not null", "age is null". */
extern const char *ml_rule_number(MlEnv *env, const MlFeature *feature, double threshold, bool left);

/* "city in (Oslo, Rome)", "city not in (Oslo, Rome)".  A code that is "levels" is any other category. */
extern const char *ml_rule_set(MlEnv *env, const MlFeature *feature, const uint16_t *code, uint32_t n, bool in);

#endif							/* ML_MODEL_RULES_H */
