/*-------------------------------------------------------------------------
 * explain.c
 *	  Why a prediction is what it is.
 *
 * The method says what each feature adds to a score (MlMethod.explain); here it is
 * decided which score that is, and contributions get their names, values and order.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "common/shortest_dec.h"
#include "miscadmin.h"

#include "service/explain.h"

typedef struct Effect
{
	int			feature;
	double		contribution;
} Effect;

/* The greatest effect first; equals in the order of the features. */
static int
compare_effects(const void *a, const void *b)
{
	const Effect *x = a;
	const Effect *y = b;

	if (fabs(x->contribution) != fabs(y->contribution))
		return fabs(x->contribution) < fabs(y->contribution) ? 1 : -1;
	return x->feature - y->feature;
}

/* Two classes have one score between them; of more, the predicted one is explained. */
static int
explained_class(const MlSiteRow *row)
{
	const MlModel *model = row->served->model;

	if (model->schema->task != ML_TASK_CLASSIFICATION)
		return 0;
	return model->n_out == 2 ? 1 : ml_model_winner(model, row->out);
}

/* The columns of the row have the values of scalars; elements of arrays are taken from the encoded row. */
static const char **
values_of_features(const MlSiteRow *row)
{
	const MlRowMap *map = row->map;
	const char **texts = palloc0(sizeof(char *) * Max(map->served->model->schema->n_features, 1));

	for (int i = 0; i < map->n_steps; i++)
	{
		const MlMapStep *step = &map->steps[i];
		size_t		length;
		const char *text;

		for (int e = 0; e < step->n_elements; e++)
		{
			double		number = row->encoded[step->elements[e].feature];
			char	   *digits;

			if (isnan(number))
				continue;
			digits = palloc(DOUBLE_SHORTEST_DECIMAL_LEN);
			double_to_shortest_decimal_buf(number, digits);
			texts[step->elements[e].feature] = digits;
		}
		if (step->length > 0 || row->nulls[step->column])
			continue;
		text = ml_convert_text(&step->converter, row->values[step->column], &length);
		texts[step->feature] = pnstrdup(text, length);
	}
	return texts;
}

/* Of columns that a transform has made: what the method saw. */
static const char *
encoded_value(const MlFeature *feature, double x)
{
	char	   *digits;

	if (isnan(x))
		return NULL;
	if (feature->kind == ML_FEATURE_CATEGORY)
		return (int) x < feature->levels ? feature->level[(int) x] : "(other)";
	digits = palloc(DOUBLE_SHORTEST_DECIMAL_LEN);
	double_to_shortest_decimal_buf(x, digits);
	return digits;
}

/* By encoded column: columns that came through as they were show the value of the row. */
static const char **
values_of_columns(const MlSiteRow *row)
{
	const MlModel *model = row->served->model;
	const char **of_features = values_of_features(row);
	const char **values = palloc(sizeof(char *) * Max(model->encoded->n_features, 1));

	for (int f = 0; f < model->encoded->n_features; f++)
	{
		int			slot = model->prep != NULL ? model->prep->output[f] : f;

		if (slot >= model->schema->n_features || model->schema->features[slot].buckets > 0 || model->schema->features[slot].text != NULL)
			values[f] = encoded_value(&model->encoded->features[f], row->seen[f]);
		else
			values[f] = of_features[row->feature_of != NULL ? row->feature_of[slot] : slot];
	}
	return values;
}

static void
check_range(const MlServed *served, const char *name, double contribution)
{
	if (!isfinite(contribution))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("contribution of \"%s\" to a prediction of model \"%s\" is out of range", name, served->name)));
}

MlContribution *
ml_explain_site(MlCallSite *site, int top, int *count)
{
	MlSiteRow	row;
	const MlModel *model;
	const MlSchema *schema;
	const char **values;
	MlContribution *result;
	Effect	   *effects;
	double	   *contribution;
	double		other = 0;
	double		baseline;
	int			shown;

	ml_site_require_read(site);
	ml_site_last_row(site, &row);
	CHECK_FOR_INTERRUPTS();
	model = row.served->model;
	schema = model->encoded;
	contribution = palloc(sizeof(double) * Max(schema->n_features, 1));
	effects = palloc(sizeof(Effect) * Max(schema->n_features, 1));
	model->method->explain(ml_serve_explainer(row.served), row.seen, explained_class(&row), contribution, &baseline);
	check_range(row.served, "(baseline)", baseline);
	for (int f = 0; f < schema->n_features; f++)
	{
		check_range(row.served, schema->features[f].name, contribution[f]);
		effects[f] = (Effect) {f, contribution[f]};
	}
	qsort(effects, schema->n_features, sizeof(Effect), compare_effects);

	shown = top >= 0 && top < schema->n_features ? top : schema->n_features;
	values = values_of_columns(&row);
	result = palloc(sizeof(MlContribution) * (shown + 2));
	*count = 0;
	result[(*count)++] = (MlContribution) {"(baseline)", NULL, baseline};
	for (int i = 0; i < shown; i++)
		result[(*count)++] = (MlContribution) {
			schema->features[effects[i].feature].name,
			values[effects[i].feature], effects[i].contribution
		};
	/* From the smallest on, so that little is lost. */
	for (int i = schema->n_features; i-- > shown;)
		other += effects[i].contribution;
	if (shown < schema->n_features)
		result[(*count)++] = (MlContribution) {"(other)", NULL, other};
	return result;
}
