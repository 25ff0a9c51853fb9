/*-------------------------------------------------------------------------
 * features.c
 *	  ml_features(), ml_importance(), ml_coefficients(), ml_coefficient_intervals(),
 *	  ml_model_statistics(): what is inside a model.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "catalog/model.h"
#include "ml/base/elementary.h"
#include "pg/compat.h"
#include "pg/env.h"
#include "pg/error.h"
#include "service/evaluate.h"

ML_FUNCTION(ml_features);
ML_FUNCTION(ml_importance);
ML_FUNCTION(ml_coefficients);
ML_FUNCTION(ml_coefficient_intervals);
ML_FUNCTION(ml_model_statistics);

/* So many categories are named in ml_features().encoding. */
#define SHOWN_LEVELS 20

static void
put_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static char *
reference_argument(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("model must not be null")));
	return text_to_cstring(PG_GETARG_TEXT_PP(0));
}

/* Categories are values out of the training data: they are for those who may read the model. */
static char *
encoding_of(const MlFeature *feature, bool with_levels)
{
	StringInfoData text;
	int			shown = with_levels ? Min(feature->levels, SHOWN_LEVELS) : 0;

	if (feature->kind == ML_FEATURE_NUMBER)
		return feature->logical == ML_LOGICAL_BOOLEAN ? "number: false = 0, true = 1" : "number";
	initStringInfo(&text);
	appendStringInfo(&text, "category: codes 0 to %d", feature->levels);
	for (int k = 0; k < shown; k++)
		appendStringInfo(&text, "%s%d = %s", k == 0 ? ": " : ", ", k, feature->level[k]);
	if (with_levels && shown < feature->levels)
		appendStringInfoString(&text, ", ...");
	appendStringInfo(&text, "%s%d = other", shown == 0 ? ": " : ", ", feature->levels);
	return text.data;
}

static void
put_feature(FunctionCallInfo fcinfo, int position, const MlFeature *feature, const char *encoding)
{
	Datum		values[5] = {
		Int32GetDatum(position), CStringGetTextDatum(feature->name), CStringGetTextDatum(feature->source_column),
		CStringGetTextDatum(feature->type_name), CStringGetTextDatum(encoding)
	};
	bool		nulls[5] = {position == 0};

	put_row(fcinfo, values, nulls);
}

/* A column of the rows that come in, and what becomes of it. */
static char *
encoding_of_input(const MlModel *model, int f, bool may_read)
{
	const MlFeature *feature = &model->schema->features[f];
	const char *how = model->prep != NULL ? model->prep->how[f] : NULL;
	char	   *encoding = feature->buckets > 0 ? psprintf("text: buckets 0 to %d", feature->buckets - 1) : encoding_of(feature, may_read);

	return how == NULL ? encoding : psprintf("%s; transform: %s", encoding, how);
}

static char *
encoding_of_text(const MlModel *model, int f)
{
	const MlTextInput *text = model->schema->features[f].text;

	return psprintf("text: %d %s by %s; transform: %s", text->n, text->hashed ? "buckets of terms" : "terms", text->tokens.config, model->prep->how[f]);
}

/* Columns that a transform has made; those that came through as they were are listed already. */
static void
put_encoded(FunctionCallInfo fcinfo, const MlModel *model, bool may_read)
{
	for (int f = 0; f < model->encoded->n_features; f++)
	{
		const MlFeature *feature = &model->encoded->features[f];

		CHECK_FOR_INTERRUPTS();
		if (model->prep->output[f] >= model->prep->n_in)
			put_feature(fcinfo, 0, feature, psprintf("encoded %s", encoding_of(feature, may_read)));
	}
}

Datum
ml_features(PG_FUNCTION_ARGS)
{
	MlServed   *served;
	const MlModel *model;
	bool		may_read;

	InitMaterializedSRF(fcinfo, 0);
	served = ml_serve(reference_argument(fcinfo), CurrentMemoryContext);
	model = served->model;
	may_read = ml_model_privilege(served->resolved.model_id, GetUserId(), ml_serving_snapshot()) >= ML_PRIVILEGE_READ;
	for (int f = 0; f < model->schema->n_features; f++)
	{
		const MlFeature *feature = &model->schema->features[f];
		MlFeature	text = *feature;

		if (feature->text == NULL)
			put_feature(fcinfo, f + 1, feature, encoding_of_input(model, f, may_read));
		else if (feature->element == 1)
		{
			text.name = feature->source_column;
			put_feature(fcinfo, f + 1, &text, encoding_of_text(model, f));
		}
	}
	if (model->prep != NULL && may_read)
		put_encoded(fcinfo, model, may_read);
	return (Datum) 0;
}

static void
report_unable(const MlServed *served, const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("algorithm %s of model \"%s\" has no %s", served->model->method->name, served->name, what),
			 errhint("%s", hint)));
}

typedef struct Importance
{
	int			feature;
	double		value;
} Importance;

/* The most important first, what is no number last; equals in the order of the features. */
static int
compare_importance(const void *a, const void *b)
{
	const Importance *x = a;
	const Importance *y = b;

	if (isnan(x->value) != isnan(y->value))
		return isnan(x->value) ? 1 : -1;
	if (x->value < y->value || x->value > y->value)
		return x->value < y->value ? 1 : -1;
	return x->feature - y->feature;
}

Datum
ml_importance(PG_FUNCTION_ARGS)
{
	MlEnv	   *env = ml_env_create(CurrentMemoryContext, 0, 1);
	MlServed   *served;
	const MlSchema *schema;
	double	   *values;
	Importance *order;

	InitMaterializedSRF(fcinfo, 0);
	served = ml_serve_to_reader(reference_argument(fcinfo), CurrentMemoryContext);
	schema = served->model->encoded;
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("method must not be null")));
	if (served->model->method->importance == NULL)
		report_unable(served, "importance", ml_serve_told_by(served));
	values = palloc0(sizeof(double) * Max(schema->n_features, 1));
	ml_check(env, served->model->method->importance(env, served->model->fitted, schema,
													text_to_cstring(PG_GETARG_TEXT_PP(1)), values));
	order = palloc(sizeof(Importance) * Max(schema->n_features, 1));
	for (int f = 0; f < schema->n_features; f++)
	{
		order[f].feature = f;
		order[f].value = values[f];
	}
	qsort(order, schema->n_features, sizeof(Importance), compare_importance);
	for (int i = 0; i < schema->n_features; i++)
	{
		Datum		row[2] = {
			CStringGetTextDatum(schema->features[order[i].feature].name), Float8GetDatum(order[i].value)
		};
		bool		nulls[2] = {false, isnan(order[i].value)};

		put_row(fcinfo, row, nulls);
	}
	ml_env_free(env);
	return (Datum) 0;
}

Datum
ml_coefficients(PG_FUNCTION_ARGS)
{
	MlEnv	   *env = ml_env_create(CurrentMemoryContext, 0, 1);
	MlServed   *served;
	MlCoefficient *rows;
	size_t		count;

	InitMaterializedSRF(fcinfo, 0);
	served = ml_serve_to_reader(reference_argument(fcinfo), CurrentMemoryContext);
	if (served->model->method->coefficients == NULL)
		report_unable(served, "coefficients", ml_serve_told_by(served));
	ml_check(env, served->model->method->coefficients(env, served->model->fitted, served->model->encoded, &rows, &count));
	for (size_t i = 0; i < count; i++)
	{
		double		numbers[] = {rows[i].estimate, rows[i].std_error, rows[i].statistic, rows[i].p_value};
		Datum		values[6];
		bool		nulls[6] = {false};

		CHECK_FOR_INTERRUPTS();
		nulls[0] = rows[i].class_label == NULL;
		values[0] = nulls[0] ? (Datum) 0 : CStringGetTextDatum(rows[i].class_label);
		values[1] = CStringGetTextDatum(rows[i].term);
		for (int k = 0; k < lengthof(numbers); k++)
		{
			values[2 + k] = Float8GetDatum(numbers[k]);
			nulls[2 + k] = isnan(numbers[k]);
		}
		put_row(fcinfo, values, nulls);
	}
	ml_env_free(env);
	return (Datum) 0;
}

Datum
ml_coefficient_intervals(PG_FUNCTION_ARGS)
{
	MlEnv	   *env = ml_env_create(CurrentMemoryContext, 0, 1);
	MlServed   *served;
	MlCoefficient *rows;
	double		level = PG_ARGISNULL(1) ? 0 : PG_GETARG_FLOAT8(1);
	double		freedom = NAN;
	double		quantile = NAN;
	size_t		count;

	InitMaterializedSRF(fcinfo, 0);
	if (!(level > 0) || !(level < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("level must be between 0 and 1")));
	served = ml_serve_to_reader(reference_argument(fcinfo), CurrentMemoryContext);
	if (served->model->method->coefficients == NULL)
		report_unable(served, "coefficients", ml_serve_told_by(served));
	ml_check(env, served->model->method->coefficients(env, served->model->fitted, served->model->encoded, &rows, &count));
	for (size_t i = 0; i < count; i++)
	{
		Datum		values[5];
		bool		nulls[5] = {false};
		double		half;

		CHECK_FOR_INTERRUPTS();
		if (rows[i].freedom != freedom)
			quantile = ml_t_quantile(1 - level, rows[i].freedom);
		freedom = rows[i].freedom;
		half = quantile * rows[i].std_error;
		nulls[0] = rows[i].class_label == NULL;
		values[0] = nulls[0] ? (Datum) 0 : CStringGetTextDatum(rows[i].class_label);
		values[1] = CStringGetTextDatum(rows[i].term);
		values[2] = Float8GetDatum(rows[i].estimate);
		values[3] = Float8GetDatum(rows[i].estimate - half);
		values[4] = Float8GetDatum(rows[i].estimate + half);
		nulls[3] = nulls[4] = !isfinite(half);
		put_row(fcinfo, values, nulls);
	}
	ml_env_free(env);
	return (Datum) 0;
}

Datum
ml_model_statistics(PG_FUNCTION_ARGS)
{
	MlEnv	   *env = ml_env_create(CurrentMemoryContext, 0, 1);
	MlServed   *served;
	MlStatistic *rows;
	size_t		count;

	InitMaterializedSRF(fcinfo, 0);
	served = ml_serve_to_reader(reference_argument(fcinfo), CurrentMemoryContext);
	if (served->model->method->statistics == NULL)
		report_unable(served, "statistics of the fit", psprintf("Try ml_evaluate(%s).", quote_literal_cstr(served->name)));
	ml_check(env, served->model->method->statistics(env, served->model->fitted, served->model->encoded, &rows, &count));
	for (size_t i = 0; i < count; i++)
	{
		Datum		values[2] = {CStringGetTextDatum(rows[i].name), Float8GetDatum(rows[i].value)};
		bool		nulls[2] = {false, isnan(rows[i].value)};

		put_row(fcinfo, values, nulls);
	}
	ml_env_free(env);
	return (Datum) 0;
}
