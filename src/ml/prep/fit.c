/*-------------------------------------------------------------------------
 * fit.c
 *	  Fits the steps of a transform on the training rows and makes the method's columns.
 *
 * One step of one column at a time: it looks at the training rows (numbers.c, categories.c, target.c,
 * words.c), becomes an operation, and the operation is run over all rows (run.c).  Columns between
 * two steps are given back.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/text.h"
#include "ml/data/dictionary.h"
#include "ml/prep/prep_internal.h"

MlStatus
ml_prep_add_part(MlEnv *env, MlPrepParts *parts, const MlPrepPart *part)
{
	if (parts->n == ML_PREP_MAX_COLUMNS)
	{
		ml_fail(env, ML_TOO_LARGE, "the transform makes more than %d columns", ML_PREP_MAX_COLUMNS);
		return ml_hint(env, "Keep fewer categories (max_categories), buckets or words.");
	}
	if (parts->n == parts->room)
	{
		int32_t		room = parts->room == 0 ? 16 : 2 * parts->room;
		MlPrepPart *grown = ml_alloc(env, (size_t) room, sizeof(MlPrepPart));

		if (grown == NULL)
			return env->error.status;
		if (parts->n > 0)
			memcpy(grown, parts->part, (size_t) parts->n * sizeof(MlPrepPart));
		ml_release(env, parts->part);
		parts->part = grown;
		parts->room = room;
	}
	parts->part[parts->n++] = *part;
	return ML_OK;
}

MlStatus
ml_prep_add_op(MlPrepFit *fit, const MlPrepOp *op, MlPrepOp **kept)
{
	MlPrep	   *prep = fit->prep;

	if (op->n_out > ML_PREP_MAX_SLOTS - prep->n_slots)
		return ml_fail(fit->env, ML_TOO_LARGE, "the steps of the transform make more than %d columns", ML_PREP_MAX_SLOTS);
	if (prep->n_ops == fit->ops_room)
	{
		int32_t		room = fit->ops_room == 0 ? 16 : 2 * fit->ops_room;
		MlPrepOp   *grown = ml_alloc(fit->env, (size_t) room, sizeof(MlPrepOp));

		if (grown == NULL)
			return fit->env->error.status;
		if (prep->n_ops > 0)
			memcpy(grown, prep->ops, (size_t) prep->n_ops * sizeof(MlPrepOp));
		ml_release(fit->env, prep->ops);
		prep->ops = grown;
		fit->ops_room = room;
	}
	*kept = &prep->ops[prep->n_ops++];
	**kept = *op;
	(*kept)->out = prep->n_slots;
	prep->n_slots += op->n_out;
	return ML_OK;
}

MlFeature
ml_prep_number(const MlFeature *from, const char *name)
{
	return (MlFeature) {
		.name = name, .source_column = from->source_column, .element = from->element, .elements = from->elements,
		.type_name = from->type_name, .logical = ML_LOGICAL_FLOAT, .kind = ML_FEATURE_NUMBER
	};
}

/* ------------------------------------------------------------------------
 * Steps in their order
 * ------------------------------------------------------------------------
 */

/* Steps that look at categories. */
static bool
wants_category(MlStepKind kind)
{
	return kind == ML_STEP_ONE_HOT || kind == ML_STEP_ORDINAL || kind == ML_STEP_TARGET_ENCODE || kind == ML_STEP_FREQUENCY;
}

static MlStatus
take_step(MlPrepFit *fit, const MlStep *step, const MlPrepPart *part, MlPrepParts *next, MlPrepParts *aside)
{
	bool		category = part->feature.kind == ML_FEATURE_CATEGORY;

	switch (step->kind)
	{
		case ML_STEP_NONE:
			return ml_prep_add_part(fit->env, next, part);
		case ML_STEP_IMPUTE_MOST_FREQUENT:
		case ML_STEP_IMPUTE_CONSTANT:
			return category ? ml_prep_step_fill(fit, step, part, next) : ml_prep_step_number(fit, step, part, next);
		case ML_STEP_MISSING_INDICATOR:
			return ml_prep_step_indicator(fit, part, next, aside);
		case ML_STEP_QUANTILE_BUCKETS:
			return ml_prep_step_buckets(fit, step, part, next);
		case ML_STEP_DATE_PARTS:
			return ml_prep_step_dates(fit, step, part, next);
		case ML_STEP_ONE_HOT:
			return ml_prep_step_one_hot(fit, step, part, next);
		case ML_STEP_ORDINAL:
		case ML_STEP_FREQUENCY:
			return ml_prep_step_table(fit, step, part, next);
		case ML_STEP_TARGET_ENCODE:
			return ml_prep_step_target(fit, step, part, next);
		case ML_STEP_HASH:
			return ml_prep_step_hash(fit, step, part, next);
		default:
			return ml_prep_step_number(fit, step, part, next);
	}
}

static void
give_back(MlEnv *env, const MlPrepPart *part)
{
	if (!part->owned)
		return;
	ml_release(env, (void *) part->data.number);
	ml_release(env, (void *) part->data.code);
}

/* All parts that the steps before have made, through one step. */
static MlStatus
take_step_of_all(MlPrepFit *fit, const MlStep *step, MlPrepParts *parts, MlPrepParts *aside)
{
	MlPrepParts next = {0};

	for (int32_t i = 0; i < parts->n; i++)
	{
		MlPrepPart	part = parts->part[i];
		bool		passed = step->kind == ML_STEP_NONE || step->kind == ML_STEP_MISSING_INDICATOR;

		if (ml_canceled(fit->env))
			return ml_fail(fit->env, ML_CANCELED, "canceled");
		if (wants_category(step->kind) && part.feature.kind == ML_FEATURE_NUMBER)
		{
			MlPrepPart	made;

			ML_TRY(ml_prep_categorise(fit, &part, &made));
			give_back(fit->env, &part);
			part = made;
		}
		ML_TRY(take_step(fit, step, &part, &next, aside));
		if (!passed)
			give_back(fit->env, &part);
	}
	*parts = next;
	return ML_OK;
}

/* "impute_median, log1p, standard" */
static const char *
describe(MlEnv *env, const MlPrepColumn *column)
{
	char		text[400] = "";
	size_t		used = 0;

	for (int i = 0; i < column->n_steps && used < sizeof(text); i++)
		used += (size_t) snprintf(text + used, sizeof(text) - used, "%s%s", i > 0 ? ", " : "", ml_step_infos[column->steps[i].kind].name);
	return ml_strdup(env, text);
}

/* The features that count the terms of a text, from f on, together. */
static MlStatus
fit_text(MlPrepFit *fit, const MlPrepColumn *column, int f)
{
	fit->prep->how[f] = describe(fit->env, column);
	if (fit->prep->how[f] == NULL)
		return fit->env->error.status;
	return ml_prep_tfidf(fit, &column->steps[0], f, &fit->out);
}

static MlStatus
fit_feature(MlPrepFit *fit, const MlPrepColumn *column, int f)
{
	MlEnv	   *env = fit->env;
	MlPrepPart	first = {.slot = f, .feature = fit->in->schema->features[f], .data = fit->in->columns[f]};
	MlPrepParts parts = {0};
	MlPrepParts aside = {0};

	if (column == NULL)
		return ml_prep_add_part(env, &fit->out, &first);
	fit->prep->how[f] = describe(env, column);
	if (fit->prep->how[f] == NULL)
		return env->error.status;
	ML_TRY(ml_prep_add_part(env, &parts, &first));
	for (int i = 0; i < column->n_steps; i++)
		ML_TRY(take_step_of_all(fit, &column->steps[i], &parts, &aside));
	for (int32_t i = 0; i < parts.n; i++)
		ML_TRY(ml_prep_add_part(env, &fit->out, &parts.part[i]));
	for (int32_t i = 0; i < aside.n; i++)
		ML_TRY(ml_prep_add_part(env, &fit->out, &aside.part[i]));
	return ML_OK;
}

/* Terms, importance and serving speak of features by name. */
static MlStatus
check_names(MlEnv *env, const MlSchema *schema)
{
	MlDictionaryBuilder names = {0};

	for (int f = 0; f < schema->n_features; f++)
	{
		const char *name = schema->features[f].name;
		int32_t		code;

		ML_TRY(ml_dictionary_code(env, &names, ml_hash_bytes(0, name, strlen(name)), name, strlen(name), &code));
		if (code < f)
		{
			ml_fail(env, ML_BAD_PARAM, "the transform makes two columns of the name \"%.200s\"", name);
			return ml_hint(env, "Rename a column in a query or a view.");
		}
	}
	return ML_OK;
}

static MlStatus
finish(MlPrepFit *fit, MlDataColumn **columns)
{
	MlEnv	   *env = fit->env;
	MlPrep	   *prep = fit->prep;
	MlSchema   *encoded = ml_alloc(env, 1, sizeof(MlSchema));
	int32_t    *output;

	if (fit->out.n == 0)
	{
		ml_fail(env, ML_BAD_DATA, "the transform leaves no column");
		return ml_hint(env, "one_hot with drop needs two categories at least.");
	}
	prep->n_out = fit->out.n;
	prep->output = output = ml_alloc(env, (size_t) prep->n_out, sizeof(int32_t));
	*columns = ml_alloc(env, (size_t) prep->n_out, sizeof(MlDataColumn));
	if (encoded == NULL || output == NULL || *columns == NULL)
		return env->error.status;
	*encoded = *fit->in->schema;
	encoded->n_features = prep->n_out;
	encoded->features = ml_alloc(env, (size_t) prep->n_out, sizeof(MlFeature));
	if (encoded->features == NULL)
		return env->error.status;
	for (int32_t i = 0; i < prep->n_out; i++)
	{
		output[i] = fit->out.part[i].slot;
		encoded->features[i] = fit->out.part[i].feature;
		(*columns)[i] = fit->out.part[i].data;
	}
	prep->encoded = encoded;
	return check_names(env, encoded);
}

MlStatus
ml_prep_fit(MlEnv *env, const MlPrepSpec *spec, const MlDataset *in, MlPrep **result, MlDataColumn **columns)
{
	int32_t		p = in->schema->n_features;
	MlPrepFit	fit = {.env = env, .in = in, .n = in->n_train + in->n_valid + in->n_test};

	fit.prep = ml_alloc0(env, 1, sizeof(MlPrep));
	if (fit.prep == NULL)
		return env->error.status;
	fit.prep->n_in = fit.prep->n_slots = p;
	fit.prep->how = ml_alloc0(env, (size_t) p, sizeof(char *));
	if (fit.prep->how == NULL)
		return env->error.status;
	for (int32_t f = 0; f < p; f++)
	{
		MlProgress	progress = {.phase = "encode", .share = (double) f / p, .train_loss = NAN, .validation_loss = NAN};

		const MlFeature *feature = &in->schema->features[f];
		const MlPrepColumn *column = ml_prep_of(spec, feature->source_column);

		ml_progress(env, &progress);
		if (feature->text == NULL)
			ML_TRY(fit_feature(&fit, column, f));
		else if (feature->element == 1)
			ML_TRY(fit_text(&fit, column, f));
	}
	ML_TRY(finish(&fit, columns));
	*result = fit.prep;
	return ML_OK;
}

MlStatus
ml_prep_spread(MlEnv *env, const MlSchema *schema, size_t rows, MlDataColumn *columns)
{
	for (int f = 0; f < schema->n_features; f++)
	{
		double	   *number;

		if (columns[f].sparse == NULL)
			continue;
		if (ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		number = ml_alloc(env, rows, sizeof(double));
		if (number == NULL)
			return ml_hint(env, "%d columns are kept as numbers for this algorithm: keep fewer categories, buckets or words.", schema->n_features);
		ml_column_read(&columns[f], 0, rows, number);
		columns[f] = (MlDataColumn) {.number = number};
	}
	return ML_OK;
}
