/*-------------------------------------------------------------------------
 * pipeline_memory.c
 *	  What a training run will need, said before anything is read.
 *
 * The figure is checked against the limit of the run and shown by
 * ml_estimate(): it may be too high, never too low by much.
 *-------------------------------------------------------------------------
 */
#include "ml/model/pipeline.h"

#include <stdlib.h>

#include "ml/eval/silhouette.h"
#include "ml/model/segments.h"

/* Categories and classes are not known yet; what they turn out to be is checked before the fit. */
#define GUESSED_LEVELS 16
#define GUESSED_CLASSES 3

static MlTask
guess_task(const MlTrainSpec *spec, const MlColumnSpec *target)
{
	bool		number = target == NULL || (target->kind == ML_NUMBER && target->logical != ML_LOGICAL_BOOLEAN);
	MlTask		task = number ? ML_TASK_REGRESSION : ML_TASK_CLASSIFICATION;

	if (spec->task != 0)
		return spec->task;
	if (!ml_task_has_target(spec->method->tasks))
		return (MlTask) (spec->method->tasks & -spec->method->tasks);
	if ((spec->method->tasks & (uint32_t) task) != 0)
		return task;
	return task == ML_TASK_REGRESSION ? ML_TASK_CLASSIFICATION : ML_TASK_REGRESSION;
}

/* The steps for a column that is a feature, NULL for none. */
static const MlPrepColumn *
transformed(const MlTrainSpec *spec, const MlColumnSpec *column)
{
	return (column->roles & ML_ROLE_FEATURE) != 0 ? ml_prep_of(spec->prep, column->source_column) : NULL;
}

/* Columns that the method will see, and bytes of a row that they take beside the frame. */
static size_t
guess_columns(const MlTrainSpec *spec, const MlColumnSpec *columns, int n_columns, size_t *bytes)
{
	size_t		total = 1;

	*bytes = 0;
	for (int c = 0; c < n_columns; c++)
	{
		size_t		made = 1;
		size_t		taken = 0;

		if (transformed(spec, &columns[c]) != NULL)
			ml_prep_guess(transformed(spec, &columns[c]), &columns[c], !spec->method->reads_sparse, &made, &taken);
		total += made;
		*bytes += taken;
	}
	return total;
}

/* Of the method; encoded: bytes of a row of columns that steps make. */
static size_t
guess_fit_memory(const MlTrainSpec *spec, const MlColumnSpec *columns, int n_columns, size_t rows, size_t encoded, int threads, MlFeature *features, int *n_classes)
{
	MlSchema	schema = {.features = features};
	const MlColumnSpec *target = NULL;
	size_t		fit;
	size_t		copy;

	for (int c = 0; c < n_columns; c++)
	{
		if ((columns[c].roles & ML_ROLE_TARGET) != 0)
			target = &columns[c];
		if ((columns[c].roles & ML_ROLE_FEATURE) == 0)
			continue;
		if (transformed(spec, &columns[c]) != NULL)
		{
			size_t		made;
			size_t		bytes;

			ml_prep_guess(transformed(spec, &columns[c]), &columns[c], !spec->method->reads_sparse, &made, &bytes);
			for (size_t i = 0; i < made; i++)
				features[schema.n_features++] = (MlFeature) {.name = columns[c].name, .logical = ML_LOGICAL_FLOAT, .kind = ML_FEATURE_NUMBER};
			continue;
		}
		encoded += sizeof(double);
		features[schema.n_features].name = columns[c].name;
		features[schema.n_features].logical = columns[c].logical;
		features[schema.n_features].kind = columns[c].kind == ML_CATEGORY ? ML_FEATURE_CATEGORY : ML_FEATURE_NUMBER;
		features[schema.n_features++].levels = columns[c].kind == ML_CATEGORY ? GUESSED_LEVELS : 0;
	}
	schema.task = guess_task(spec, target);
	schema.n_classes = schema.task != ML_TASK_CLASSIFICATION ? 0 :
		target != NULL && target->logical == ML_LOGICAL_BOOLEAN ? 2 : GUESSED_CLASSES;
	*n_classes = schema.n_classes;
	fit = spec->method->memory == NULL ? 0 : spec->method->memory(&schema, spec->params, rows, threads);
	if (spec->semi == NULL)
		return fit;
	if (!ml_mul_size(rows, encoded, &copy) || !ml_add_size(fit, ml_semi_memory(spec->semi, &schema, rows, copy, threads), &fit))
		return SIZE_MAX;
	return fit;
}

size_t
ml_pipeline_memory(const MlTrainSpec *spec, const MlColumnSpec *columns, int n_columns, size_t rows, int threads)
{
	size_t		encoded;
	MlFeature  *features = calloc(guess_columns(spec, columns, n_columns, &encoded), sizeof(MlFeature));
	size_t		per_row = 0;
	size_t		data;
	size_t		total;
	size_t		fit;
	int			n_classes;

	if (features == NULL)
		return SIZE_MAX;
	fit = guess_fit_memory(spec, columns, n_columns, rows, encoded, threads, features, &n_classes);
	free(features);

	/*
	 * Beside the frame: a column that exists twice, part and class, row order,
	 * target and two weights, and either the sort of the rows or the predictions with
	 * what metrics need.
	 */
	per_row = encoded + 8 + 1 + 4 + 8 + 8 + 16;
	per_row += (size_t) (32 > 8 * n_classes + 41 ? 32 : 8 * n_classes + 41);
	if (spec->segment_min_rows > 0)
		per_row += ML_SEGMENT_ROW_BYTES(n_classes);
	if (!ml_mul_size(rows, per_row, &data) || !ml_add_size(data, fit, &total))
		return SIZE_MAX;
	/* Of the silhouette: coordinates of a sample twice, as rows and packed. */
	if ((spec->method->tasks & ML_TASK_CLUSTERING) != 0 && !ml_add_size(total, 3 * ML_SILHOUETTE_VALUES * sizeof(double), &total))
		return SIZE_MAX;
	return total;
}
