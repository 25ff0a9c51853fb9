/*-------------------------------------------------------------------------
 * prep_data.h
 *	  Data sets and transforms for the tests of the encoding.
 *-------------------------------------------------------------------------
 */
#ifndef PREP_DATA_H
#define PREP_DATA_H

#include "ml/base/rng.h"
#include "ml/prep/prep.h"

#define MAX_STEPS 6
#define MAX_FEATURES 12

/* A data set of a few columns, in the arena. */
typedef struct PrepData
{
	MlEnv	   *env;
	MlDataset	data;
	MlSchema	schema;
	MlFeature	features[MAX_FEATURES];
	MlDataColumn columns[MAX_FEATURES];
	size_t		n;
} PrepData;

/* A transform of several columns, written down step by step. */
typedef struct PrepPlan
{
	MlPrepSpec	spec;
	MlPrepColumn columns[MAX_FEATURES];
	MlStep		steps[MAX_FEATURES][MAX_STEPS];
} PrepPlan;

static inline void
prep_begin(PrepData *d, MlEnv *env, size_t n_train, size_t n_test, const double *y, int n_classes)
{
	static const char *classes[] = {"a", "b", "c", "d"};

	memset(d, 0, sizeof(*d));
	d->env = env;
	d->n = n_train + n_test;
	d->schema.task = n_classes > 0 ? ML_TASK_CLASSIFICATION : ML_TASK_REGRESSION;
	d->schema.features = d->features;
	d->schema.target = "y";
	d->schema.target_type = "text";
	d->schema.n_classes = n_classes;
	d->schema.classes = n_classes > 0 ? classes : NULL;
	d->data.schema = &d->schema;
	d->data.n_train = n_train;
	d->data.n_test = n_test;
	d->data.columns = d->columns;
	d->data.y = y;
}

static inline MlFeature *
prep_number(PrepData *d, const char *name, const double *x)
{
	MlFeature  *feature = &d->features[d->schema.n_features];

	*feature = (MlFeature) {.name = name, .source_column = name, .type_name = "double precision", .logical = ML_LOGICAL_FLOAT, .kind = ML_FEATURE_NUMBER};
	d->columns[d->schema.n_features++].number = x;
	return feature;
}

/* Codes -1 .. levels, where "levels" is any other. */
static inline MlFeature *
prep_category(PrepData *d, const char *name, const int *codes, int levels)
{
	MlFeature  *feature = &d->features[d->schema.n_features];
	int32_t    *code = ml_alloc(d->env, d->n, sizeof(int32_t));
	const char **level = ml_alloc(d->env, (size_t) levels, sizeof(char *));

	for (size_t i = 0; i < d->n; i++)
		code[i] = codes[i];
	for (int i = 0; i < levels; i++)
		level[i] = ml_printf(d->env, "l%d", i);
	*feature = (MlFeature) {.name = name, .source_column = name, .type_name = "text", .logical = ML_LOGICAL_TEXT, .kind = ML_FEATURE_CATEGORY,
	.levels = levels, .level = level};
	(void) ml_level_index(d->env, level, levels, &feature->index);
	d->columns[d->schema.n_features++].code = code;
	return feature;
}

/* The next step of the column, to be filled with options. */
static inline MlStep *
prep_step(PrepPlan *p, const char *column, MlStepKind kind)
{
	MlPrepColumn *c = NULL;

	p->spec.columns = p->columns;
	for (int i = 0; i < p->spec.n_columns; i++)
	{
		if (strcmp(p->columns[i].column, column) == 0)
			c = &p->columns[i];
	}
	if (c == NULL)
	{
		c = &p->columns[p->spec.n_columns];
		c->column = column;
		c->steps = p->steps[p->spec.n_columns++];
		c->n_steps = 0;
	}
	ml_step_init(&c->steps[c->n_steps], kind);
	return &c->steps[c->n_steps++];
}

/* The number of the encoded column of that name; -1: there is none. */
static inline int
prep_find(const MlPrep *prep, const char *name)
{
	for (int f = 0; f < prep->n_out; f++)
	{
		if (strcmp(prep->encoded->features[f].name, name) == 0)
			return f;
	}
	return -1;
}

static inline bool
same_bits(double a, double b)
{
	return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof(double)) == 0;
}

#endif							/* PREP_DATA_H */
