/*-------------------------------------------------------------------------
 * describe.c
 *	  ml_algorithms(), ml_params(), ml_version(): what this installation can do.
 *
 * The reference manual is generated from these, and these from the tables of the
 * methods: nothing is written down twice.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_extension.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "ml/base/dense.h"
#include "ml/model/model.h"
#include "ml/model/semi.h"
#include "pg/compat.h"
#include "pg/env.h"
#include "pg/error.h"
#include "pg/settings.h"
#include "pg/textarray.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

ML_FUNCTION(ml_algorithms);
ML_FUNCTION(ml_params);
ML_FUNCTION(ml_version);

/* Messages and the texts of one parameter table. */
#define DESCRIBE_MEMORY ((size_t) 4 * 1024 * 1024)

static void
put_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* A row of texts; NULL and "" become NULL. */
static void
put_texts(FunctionCallInfo fcinfo, int count, const char *const *texts)
{
	Datum		values[8];
	bool		nulls[8];

	Assert(count <= lengthof(values));
	for (int i = 0; i < count; i++)
	{
		nulls[i] = texts[i] == NULL || texts[i][0] == '\0';
		values[i] = nulls[i] ? (Datum) 0 : CStringGetTextDatum(texts[i]);
	}
	put_row(fcinfo, values, nulls);
}

static List *
task_names(uint32 tasks)
{
	List	   *names = NIL;

	for (uint32 task = 1; task != 0 && task <= tasks; task <<= 1)
	{
		if (tasks & task)
			names = lappend(names, (void *) ml_task_name((MlTask) task));
	}
	return names;
}

/* A statement that trains it on data of test/data. */
static char *
example(const MlMethod *method)
{
	if (method->tasks & ML_TASK_CLASSIFICATION)
		return psprintf("SELECT * FROM ml_train('%s', 'breast_cancer', 'malignant', model => 'example_%s')", method->name, method->name);
	if (method->tasks & ML_TASK_REGRESSION)
		return psprintf("SELECT * FROM ml_train('%s', 'diabetes', 'progression', model => 'example_%s')", method->name, method->name);
	return psprintf("SELECT * FROM ml_train('%s', 'iris', model => 'example_%s', exclude => '{species}')", method->name, method->name);
}

Datum
ml_algorithms(PG_FUNCTION_ARGS)
{
	InitMaterializedSRF(fcinfo, 0);
	for (const MlMethod *const *method = ml_methods; *method != NULL; method++)
	{
		Datum		values[5];
		bool		nulls[5] = {false};

		values[0] = CStringGetTextDatum((*method)->name);
		values[1] = CStringGetTextDatum((*method)->summary);
		values[2] = PointerGetDatum(ml_text_array(task_names((*method)->tasks)));
		values[3] = CStringGetTextDatum((*method)->description);
		values[4] = CStringGetTextDatum(example(*method));
		put_row(fcinfo, values, nulls);
	}
	return (Datum) 0;
}

/* "task" belongs to every method and to no table. */
static void
put_task(FunctionCallInfo fcinfo, const MlMethod *method)
{
	StringInfoData type;
	ListCell   *cell;

	initStringInfo(&type);
	appendStringInfoString(&type, "auto");
	foreach(cell, task_names(method->tasks))
		appendStringInfo(&type, "|%s", (const char *) lfirst(cell));
	put_texts(fcinfo, 7, (const char *const[]) {"task", type.data, "auto", NULL, NULL,
			!ml_task_has_target(method->tasks) ? "What is to be learnt: there is one answer." :
			"What is to be learnt; \"auto\" takes classification for boolean, text and enum targets and for integers of at most 20 distinct values, else regression.", NULL});
}

/* "a, b" of "a|b". */
static char *
other_names(const MlParam *param)
{
	StringInfoData names;

	initStringInfo(&names);
	for (const char *s = param->aliases; s != NULL && *s != '\0'; s++)
		appendStringInfoString(&names, *s == '|' ? ", " : (char[]) {*s, '\0'});
	return names.data;
}

static void
put_params(FunctionCallInfo fcinfo, MlEnv *env, const MlParam *params)
{
	for (const MlParam *param = params; param->name != NULL; param++)
		put_texts(fcinfo, 7, (const char *const[]) {param->name, ml_param_type_name(param), ml_param_default(env, param),
				ml_param_minimum(env, param), ml_param_maximum(env, param), param->description, other_names(param)});
}

Datum
ml_params(PG_FUNCTION_ARGS)
{
	const MlMethod *method;
	MlEnv	   *env;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"algorithm\" must not be null")));
	InitMaterializedSRF(fcinfo, 0);
	env = ml_env_create(CurrentMemoryContext, DESCRIBE_MEMORY, 1);
	ml_check(env, ml_method_get(env, text_to_cstring(PG_GETARG_TEXT_PP(0)), &method));
	put_task(fcinfo, method);
	put_params(fcinfo, env, method->params);
	if (method->tasks & ML_TASK_CLASSIFICATION)
		put_params(fcinfo, env, ml_semi_params);
	ml_env_free(env);
	return (Datum) 0;
}

/* The version of the SQL objects of this database, which an update may have left behind the library's. */
static char *
sql_version(void)
{
	Relation	extensions = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	char	   *version = NULL;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ, CStringGetDatum("mlplat"));
	scan = systable_beginscan(extensions, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		missing;
		Datum		value = heap_getattr(tuple, Anum_pg_extension_extversion, RelationGetDescr(extensions), &missing);

		if (!missing)
			version = TextDatumGetCString(value);
	}
	systable_endscan(scan);
	table_close(extensions, AccessShareLock);
	return version;
}

static const char *
simd_tier(void)
{
	MlSimd		limit = ml_setting_simd == ML_SIMD_AUTO ? ML_SIMD_AVX512 : ml_setting_simd;

#ifdef __x86_64__
	__builtin_cpu_init();
	if (limit >= ML_SIMD_AVX512 && __builtin_cpu_supports("avx512f"))
		return "avx512";
	if (limit >= ML_SIMD_AVX2 && __builtin_cpu_supports("avx2"))
		return "avx2";
#endif
	(void) limit;
	return "baseline";
}

Datum
ml_version(PG_FUNCTION_ARGS)
{
	const MlDense *dense = ml_dense_loaded();

	InitMaterializedSRF(fcinfo, 0);
	put_texts(fcinfo, 2, (const char *const[]) {"library", MLPLAT_VERSION});
	put_texts(fcinfo, 2, (const char *const[]) {"sql", sql_version()});
	put_texts(fcinfo, 2, (const char *const[]) {"postgresql", PG_VERSION});
	put_texts(fcinfo, 2, (const char *const[]) {"image_format", psprintf("%d", ML_IMAGE_FORMAT)});
	put_texts(fcinfo, 2, (const char *const[]) {"simd", simd_tier()});
	put_texts(fcinfo, 2, (const char *const[]) {"threads", psprintf("%d", ml_setting_thread_count())});
	/* Loading it costs memory that a session which merely asks should not pay. */
	put_texts(fcinfo, 2, (const char *const[]) {"blas", dense != NULL ? dense->name : "not loaded in this session"});
	return (Datum) 0;
}
