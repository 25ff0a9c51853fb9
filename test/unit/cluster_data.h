/*-------------------------------------------------------------------------
 * cluster_data.h
 *	  Tables of numbers, from test/data or made, and models without target of them.
 *-------------------------------------------------------------------------
 */
#ifndef CLUSTER_DATA_H
#define CLUSTER_DATA_H

#include <stdlib.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/dense.h"
#include "ml/base/rng.h"
#include "ml/model/pipeline.h"

#define TABLE_COLUMNS 80

typedef struct Table
{
	size_t		n;
	int			p;
	const char *name[TABLE_COLUMNS];
	double	   *x;				/* n x p */
	int32_t    *label;			/* class of each row, in the order of the classes' names; room for whole groups */
	int			classes;
} Table;

/* A parameter: a number, or a word where there is one. */
typedef struct Setting
{
	const char *name;
	double		number;
	const char *word;
} Setting;

/* Features, and the last column as classes: names in the order of their length and bytes. */
static inline Table
table_read(const char *set)
{
	static char names[TABLE_COLUMNS][40];
	static char label[4000][40];
	char		path[200];
	char		line[4096];
	FILE	   *file;
	Table		t = {0};
	char	   *s;

	snprintf(path, sizeof(path), "test/data/%s.csv", set);
	file = fopen(path, "r");
	if (file == NULL || fgets(line, sizeof(line), file) == NULL)
	{
		printf("Bail out! cannot read %s\n", path);
		exit(2);
	}
	for (s = strtok(line, ",\n"); s != NULL; s = strtok(NULL, ",\n"))
	{
		snprintf(names[t.p], sizeof(names[0]), "%s", s);
		t.name[t.p] = names[t.p];
		t.p++;
	}
	t.p--;						/* the last one is no feature */
	t.x = malloc(sizeof(double) * 4000 * (size_t) t.p);
	t.label = calloc(4008, sizeof(int32_t));
	for (; t.n < 4000 && fgets(line, sizeof(line), file) != NULL; t.n++)
	{
		s = line;
		for (int j = 0; j < t.p; j++, s++)
			t.x[t.n * (size_t) t.p + (size_t) j] = strtod(s, &s);
		s[strcspn(s, "\n")] = '\0';
		snprintf(label[t.n], sizeof(label[0]), "%s", s);
	}
	fclose(file);
	/* The number of names that come before one's own. */
	for (size_t i = 0; i < t.n; i++)
	{
		for (size_t k = 0; k < t.n; k++)
		{
			bool		first = true;

			if (strlen(label[k]) > strlen(label[i]) || (strlen(label[k]) == strlen(label[i]) && strcmp(label[k], label[i]) >= 0))
				continue;
			for (size_t m = 0; m < k && first; m++)
				first = strcmp(label[m], label[k]) != 0;
			t.label[i] += first;
		}
		t.classes = t.label[i] >= t.classes ? t.label[i] + 1 : t.classes;
	}
	return t;
}

/* The table as encoded numbers, for what is below a pipeline. */
static inline MlDataset
table_dataset(MlEnv *env, const Table *t)
{
	MlSchema   *schema = ml_alloc0(env, 1, sizeof(MlSchema));
	MlDataColumn *columns = ml_alloc0(env, (size_t) t->p, sizeof(MlDataColumn));

	schema->task = ML_TASK_CLUSTERING;
	schema->n_features = t->p;
	schema->features = ml_alloc0(env, (size_t) t->p, sizeof(MlFeature));
	for (int j = 0; j < t->p; j++)
	{
		double	   *v = ml_alloc(env, t->n, sizeof(double));

		for (size_t i = 0; i < t->n; i++)
			v[i] = t->x[i * (size_t) t->p + (size_t) j];
		columns[j].number = v;
		schema->features[j].name = schema->features[j].source_column = t->name[j];
	}
	return (MlDataset) {.schema = schema, .n_train = t->n, .columns = columns};
}

static inline MlStatus
table_params(MlEnv *env, const MlMethod *method, const Setting *settings, MlParams **params)
{
	ML_TRY(ml_params_init(env, method->params, params));
	for (; settings->name != NULL; settings++)
	{
		if (settings->word != NULL)
			ML_TRY(ml_params_set_text(env, *params, settings->name, settings->word));
		else if (strcmp(settings->name, "whiten") == 0)
			ML_TRY(ml_params_set_bool(env, *params, settings->name, settings->number != 0));
		else
			ML_TRY(ml_params_set_number(env, *params, settings->name, settings->number));
	}
	return ML_OK;
}

/* Through the whole pipeline. */
static inline MlStatus
table_train(MlEnv *env, const Table *t, const char *algorithm, const Setting *settings, MlTrainResult **result)
{
	MlColumnSpec specs[TABLE_COLUMNS];
	MlTrainSpec spec = {.method = ml_method_find(algorithm), .split = {ML_SPLIT_AUTO, 0.2, 0, 42}};
	MlFrameBuilder *b;
	MlParams   *params;
	MlFrame    *frame;

	env->dense = ml_dense_table();
	for (int j = 0; j < t->p; j++)
		specs[j] = (MlColumnSpec) {
			.name = t->name[j], .source_column = t->name[j], .type_name = "double precision",
			.kind = ML_NUMBER, .logical = ML_LOGICAL_FLOAT, .roles = ML_ROLE_FEATURE
		};
	ML_TRY(ml_frame_begin(env, specs, t->p, 42, &b));
	for (size_t i = 0; i < t->n; i++)
	{
		for (int j = 0; j < t->p; j++)
		{
			if (!isnan(t->x[i * (size_t) t->p + (size_t) j]))
				ml_frame_number(b, j, t->x[i * (size_t) t->p + (size_t) j]);
		}
		ML_TRY(ml_frame_end_row(b));
	}
	ML_TRY(ml_frame_finish(b, &frame));
	ML_TRY(table_params(env, spec.method, settings, &params));
	spec.params = params;
	return ml_pipeline_run(env, &spec, frame, result);
}

/* What the model says of row i: valid until the next call. */
static inline const double *
table_predict(const MlTrainResult *r, const Table *t, size_t i)
{
	static double out[4096];
	double		x[TABLE_COLUMNS];
	const MlSchema *schema = r->model->schema;

	for (int f = 0; f < schema->n_features; f++)
	{
		for (int j = 0; j < t->p; j++)
		{
			if (strcmp(schema->features[f].name, t->name[j]) == 0)
				x[f] = t->x[i * (size_t) t->p + (size_t) j];
		}
	}
	ml_model_predict(r->model, x, out);
	return out;
}

static inline double
table_metric(const MlTrainResult *r, const char *name)
{
	const MlPartMetrics *part = &r->part[ML_PART_TRAIN];

	for (int i = 0; i < part->count; i++)
	{
		if (strcmp(part->metrics[i].name, name) == 0)
			return part->metrics[i].value;
	}
	return NAN;
}

#endif							/* CLUSTER_DATA_H */
