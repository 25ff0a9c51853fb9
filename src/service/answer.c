/*-------------------------------------------------------------------------
 * answer.c
 *	  What a model predicted, as each predict function returns it.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "service/predict.h"

static bool
classifies(const MlServed *served)
{
	return served->model->schema->task == ML_TASK_CLASSIFICATION;
}

void
ml_require_scalar(const MlServed *served)
{
	if (served->model->schema->task != ML_TASK_REDUCTION)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("model \"%s\" makes a vector of a row, no number and no label", served->name),
			 errhint("Use ml_reduce() for the vector, or ml_reduce_batch() for the vectors of a table.")));
}

void
ml_require_vector(const MlServed *served)
{
	MlTask		task = served->model->schema->task;

	if (task == ML_TASK_REDUCTION)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("model \"%s\" does %s and has no vector", served->name, ml_task_name(task)),
			 task == ML_TASK_CLUSTERING ? errhint("Use ml_predict() for the number of the cluster.") :
			 task == ML_TASK_ANOMALY ? errhint("Use ml_predict() for the score.") :
			 errhint("Use ml_predict() for its prediction.")));
}

/* Labels: of classes, of clusters, "outlier" and "inlier". */
static void
require_classes(const MlServed *served)
{
	ml_require_scalar(served);
	if (served->model->schema->task == ML_TASK_REGRESSION)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("model \"%s\" is a regression and has no classes", served->name),
				 errhint("Use ml_predict() for its value.")));
}

bool
ml_has_probabilities(const MlModel *model)
{
	return model->schema->task == ML_TASK_CLASSIFICATION || (model->schema->task == ML_TASK_CLUSTERING && model->n_answer > 1);
}

static void
require_probabilities(const MlServed *served)
{
	require_classes(served);
	if (!ml_has_probabilities(served->model))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("algorithm \"%s\" of model \"%s\" has no probabilities", served->model->method->name, served->name),
				 served->model->schema->task == ML_TASK_ANOMALY ?
				 errhint("Use ml_predict() for the score, ml_predict_class() for the flag.") :
				 errhint("Use ml_predict() for the number of the cluster.")));
}

/* Where the probabilities stand, and how many there are. */
static const double *
probabilities_of(const MlServed *served, const double *out, int *count)
{
	const double *memberships = ml_model_memberships(served->model, out);

	*count = memberships != NULL ? served->model->n_answer - 1 : served->model->n_answer;
	return memberships != NULL ? memberships : out;
}

/* The label of probability k, in the current memory context. */
static const char *
label_of(const MlServed *served, int k)
{
	return classifies(served) ? served->model->schema->classes[k] : psprintf("%d", k);
}

double
ml_predicted_value(const MlServed *served, const double *out)
{
	const MlSchema *schema = served->model->schema;

	if (!classifies(served))
	{
		ml_require_scalar(served);
		return out[0];
	}
	if (schema->class_value == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("model \"%s\" predicts labels of type %s, which are no numbers", served->name, schema->target_type),
				 errhint("Use ml_predict_class() for the label, or ml_predict_proba() for its probability.")));
	return schema->class_value[ml_model_winner(served->model, out)];
}

const char *
ml_predicted_class(const MlServed *served, const double *out)
{
	require_classes(served);
	switch (served->model->schema->task)
	{
		case ML_TASK_CLUSTERING:
			return out[0] < 0 ? "noise" : label_of(served, (int) out[0]);
		case ML_TASK_ANOMALY:
			return out[1] != 0 ? "outlier" : "inlier";
		default:
			return served->model->schema->classes[ml_model_winner(served->model, out)];
	}
}

/* Of a clustering: of the row's own cluster. */
double
ml_predicted_probability(const MlServed *served, const double *out)
{
	const double *memberships = ml_model_memberships(served->model, out);

	require_probabilities(served);
	if (memberships != NULL)
		return out[0] < 0 ? 0 : memberships[(int) out[0]];
	return served->model->n_out == 2 ? out[1] : out[ml_model_winner(served->model, out)];
}

double
ml_site_value(MlCallSite *site)
{
	const MlAnswer *answer = ml_site_answer(site);

	return ml_predicted_value(answer->served, answer->out);
}

text *
ml_site_class(MlCallSite *site)
{
	const MlAnswer *answer = ml_site_answer(site);

	return cstring_to_text(ml_predicted_class(answer->served, answer->out));
}

static void
report_unknown_class(const MlServed *served, const char *label, int count)
{
	StringInfoData known;
	int			shown = Min(count, 10);

	initStringInfo(&known);
	for (int k = 0; k < shown; k++)
		appendStringInfo(&known, "%s\"%s\"", k > 0 ? ", " : "", label_of(served, k));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("model \"%s\" has no class \"%s\"", served->name, label),
			 errhint("Its classes are: %s%s.", known.data, shown < count ? ", ..." : "")));
}

static bool
same_label(const MlServed *served, int k, const char *label, Size length)
{
	char		digits[16];
	const char *own = digits;

	if (classifies(served))
		own = served->model->schema->classes[k];
	else
		pg_ltoa(k, digits);
	return strlen(own) == length && memcmp(own, label, length) == 0;
}

double
ml_site_probability(MlCallSite *site, const text *class_label)
{
	const MlAnswer *answer = ml_site_answer(site);
	const MlServed *served = answer->served;
	const double *probability;
	const char *label;
	Size		length;
	int			count;

	if (class_label == NULL)
		return ml_predicted_probability(served, answer->out);
	require_probabilities(served);
	label = VARDATA_ANY(class_label);
	length = VARSIZE_ANY_EXHDR(class_label);
	probability = probabilities_of(served, answer->out, &count);
	for (int k = 0; k < count; k++)
	{
		if (same_label(served, k, label, length))
			return probability[k];
	}
	report_unknown_class(served, text_to_cstring(class_label), count);
	return 0;					/* keep compiler quiet */
}

ArrayType *
ml_float8_array(const double *values, int n)
{
	Size		bytes = ARR_OVERHEAD_NONULLS(1) + sizeof(float8) * n;
	ArrayType  *array = palloc0(bytes);

	SET_VARSIZE(array, bytes);
	array->ndim = 1;
	array->elemtype = FLOAT8OID;
	ARR_DIMS(array)[0] = n;
	ARR_LBOUND(array)[0] = 1;
	memcpy(ARR_DATA_PTR(array), values, sizeof(float8) * n);
	return array;
}

ArrayType *
ml_site_vector(MlCallSite *site)
{
	const MlAnswer *answer = ml_site_answer(site);

	ml_require_vector(answer->served);
	return ml_float8_array(answer->out, answer->served->model->n_answer);
}

/* The shortest digits that read back as the same double, whatever extra_float_digits says. */
static Numeric
exact_numeric(double value)
{
	char		digits[DOUBLE_SHORTEST_DECIMAL_LEN];

	double_to_shortest_decimal_buf(value, digits);
	return DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(digits),
											   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

Jsonb *
ml_site_probabilities(MlCallSite *site)
{
	const MlAnswer *answer = ml_site_answer(site);
	JsonbParseState *state = NULL;
	JsonbValue *object;
	const double *probability;
	int			count;

	require_probabilities(answer->served);
	probability = probabilities_of(answer->served, answer->out, &count);
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int k = 0; k < count; k++)
	{
		const char *label = label_of(answer->served, k);
		JsonbValue	key;
		JsonbValue	value;

		key.type = jbvString;
		key.val.string.val = unconstify(char *, label);
		key.val.string.len = strlen(label);
		pushJsonbValue(&state, WJB_KEY, &key);
		value.type = jbvNumeric;
		value.val.numeric = exact_numeric(probability[k]);
		pushJsonbValue(&state, WJB_VALUE, &value);
	}
	object = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return JsonbValueToJsonb(object);
}

static void
push_key(JsonbParseState **state, const char *name)
{
	JsonbValue	key = {.type = jbvString};

	key.val.string.val = unconstify(char *, name);
	key.val.string.len = strlen(name);
	pushJsonbValue(state, WJB_KEY, &key);
}

Jsonb *
ml_site_transformed(MlCallSite *site)
{
	const MlAnswer *answer = ml_site_answer(site);
	const MlModel *model = answer->by->model;	/* of the row's segment, where it has one */
	const MlSchema *schema = model->encoded;
	const double *row;
	JsonbParseState *state = NULL;

	ml_site_require_read(site);
	row = ml_model_encode(model, answer->x);
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int f = 0; f < schema->n_features; f++)
	{
		const MlFeature *feature = &schema->features[f];
		JsonbValue	value = {.type = jbvNull};

		if (f % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		push_key(&state, feature->name);
		if (isnan(row[f]))
			value.type = jbvNull;
		else if (feature->kind == ML_FEATURE_CATEGORY)
		{
			int			code = (int) row[f];
			const char *level = code < feature->levels ? feature->level[code] : "(other)";

			value.type = jbvString;
			value.val.string.val = unconstify(char *, level);
			value.val.string.len = strlen(level);
		}
		else
		{
			value.type = jbvNumeric;
			value.val.numeric = exact_numeric(row[f]);
		}
		pushJsonbValue(&state, WJB_VALUE, &value);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}
