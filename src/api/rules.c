/*-------------------------------------------------------------------------
 * rules.c
 *	  ml_rules(): a tree as text that can be read.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "pg/compat.h"
#include "pg/env.h"
#include "pg/error.h"
#include "service/evaluate.h"

ML_FUNCTION(ml_rules);

/* All conditions from the root to a node, joined by "and". */
static char *
path_of(const MlRule *rules, int32 node)
{
	StringInfoData text;
	int32	   *way = palloc(sizeof(int32) * (rules[node].depth + 1));
	int			n = 0;

	initStringInfo(&text);
	for (int32 i = node; i > 0; i = rules[i].parent)
		way[n++] = i;
	while (n-- > 0)
		appendStringInfo(&text, "%s%s", text.len > 0 ? " and " : "", rules[way[n]].condition);
	pfree(way);
	return text.data;
}

static void
put_rule(ReturnSetInfo *result, const MlSchema *schema, const MlRule *rules, int32 i)
{
	const MlRule *rule = &rules[i];
	Datum		values[11] = {0};
	bool		nulls[11] = {false};

	values[0] = Int32GetDatum(i);
	values[1] = Int32GetDatum(rule->parent);
	nulls[1] = rule->parent < 0;
	values[2] = Int32GetDatum(rule->depth);
	nulls[3] = nulls[4] = rule->condition == NULL;
	values[3] = nulls[3] ? (Datum) 0 : CStringGetTextDatum(rule->condition);
	values[4] = BoolGetDatum(rule->missing);
	values[5] = BoolGetDatum(rule->leaf);
	nulls[6] = rule->class_number < 0;
	values[6] = nulls[6] ? (Datum) 0 : CStringGetTextDatum(schema->classes[rule->class_number]);
	nulls[7] = isnan(rule->value);
	values[7] = Float8GetDatum(rule->value);
	values[8] = Int64GetDatum((int64) rule->rows);
	nulls[9] = !(rules[0].rows > 0);
	values[9] = Float8GetDatum(nulls[9] ? 0 : rule->rows / rules[0].rows);
	values[10] = CStringGetTextDatum(path_of(rules, i));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

Datum
ml_rules(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MlEnv	   *env = ml_env_create(CurrentMemoryContext, 0, 1);
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext, "mlplat rule", ALLOCSET_DEFAULT_SIZES);
	MlServed   *served;
	const MlModel *model;
	MlRule	   *rules;
	size_t		count;
	uint32		trees;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", PG_ARGISNULL(0) ? "model" : "tree")));
	served = ml_serve_to_reader(text_to_cstring(PG_GETARG_TEXT_PP(0)), CurrentMemoryContext);
	model = served->model;
	if (model->method->rules == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("algorithm %s of model \"%s\" has no trees to show", model->method->name, served->name),
				 errhint("%s", ml_serve_told_by(served))));
	trees = model->method->n_trees(model->fitted);
	if (PG_GETARG_INT32(1) < 1 || (uint32) PG_GETARG_INT32(1) > trees)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" has no tree %d", served->name, PG_GETARG_INT32(1)),
				 trees > 0 ? errhint("Its trees are numbered from 1 to %u.", trees) : errhint("It found no split, so it has none.")));
	ml_check(env, model->method->rules(env, model->fitted, model->encoded, (uint32) PG_GETARG_INT32(1) - 1, &rules, &count));
	for (size_t i = 0; i < count; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(row_context);

		CHECK_FOR_INTERRUPTS();
		put_rule(result, model->encoded, rules, (int32) i);
		MemoryContextSwitchTo(old);
		MemoryContextReset(row_context);
	}
	ml_env_free(env);
	return (Datum) 0;
}
