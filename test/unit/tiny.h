/*-------------------------------------------------------------------------
 * tiny.h
 *	  A small table with every kind of column, and models of every algorithm on it.
 *-------------------------------------------------------------------------
 */
#ifndef TINY_H
#define TINY_H

#include <stdio.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/dense.h"
#include "ml/base/rng.h"
#include "ml/model/pipeline.h"

typedef enum TinyTarget
{
	TINY_NUMBER,
	TINY_TWO,					/* text "no", "yes" */
	TINY_THREE,					/* integer 10, 20, 30 */
	TINY_NONE,					/* no such column */
	TINY_TARGETS
} TinyTarget;

typedef struct TinyTable
{
	size_t		rows;
	TinyTarget	target;
	bool		with_id;
	bool		with_weight;
	bool		reversed;		/* rows in the opposite physical order */
	bool		shuffled;		/* columns in another order */
	bool		null_targets;	/* every tenth */
	bool		nan_target;		/* one of them */
} TinyTable;

enum
{
	TINY_X, TINY_N, TINY_FLAG, TINY_CITY, TINY_A1, TINY_A2, TINY_Y, TINY_ID, TINY_WEIGHT, TINY_COLUMNS
};

static const MlColumnSpec tiny_columns[] = {
	[TINY_X] = {"x", "x", 0, 0, "double precision", ML_NUMBER, ML_LOGICAL_FLOAT, ML_ROLE_FEATURE, false},
	[TINY_N] = {"n", "n", 0, 0, "integer", ML_NUMBER, ML_LOGICAL_INTEGER, ML_ROLE_FEATURE, false},
	[TINY_FLAG] = {"flag", "flag", 0, 0, "boolean", ML_NUMBER, ML_LOGICAL_BOOLEAN, ML_ROLE_FEATURE, false},
	[TINY_CITY] = {"city", "city", 0, 0, "text", ML_CATEGORY, ML_LOGICAL_TEXT, ML_ROLE_FEATURE, false},
	[TINY_A1] = {"a[1]", "a", 1, 2, "real[]", ML_NUMBER, ML_LOGICAL_FLOAT, ML_ROLE_FEATURE, false},
	[TINY_A2] = {"a[2]", "a", 2, 2, "real[]", ML_NUMBER, ML_LOGICAL_FLOAT, ML_ROLE_FEATURE, false},
	[TINY_Y] = {"y", "y", 0, 0, "double precision", ML_NUMBER, ML_LOGICAL_FLOAT, ML_ROLE_TARGET, false},
	[TINY_ID] = {"id", "id", 0, 0, "bigint", ML_INTEGER_KEY, ML_LOGICAL_INTEGER, ML_ROLE_ID, false},
	[TINY_WEIGHT] = {"w", "w", 0, 0, "real", ML_NUMBER, ML_LOGICAL_FLOAT, ML_ROLE_WEIGHT, false},
};

static inline double
tiny_random(size_t row, int column)
{
	return ml_rng_uniform(99, (uint64_t) column, row);
}

static MlStatus
tiny_row(MlFrameBuilder *b, const TinyTable *t, const int *at, size_t row)
{
	static const char *const cities[] = {"Rome", "Oslo", "Bern", "Z\xC3\xBCrich", ""};
	double		x = tiny_random(row, TINY_X);
	int			city = (int) (tiny_random(row, TINY_CITY) * 6);
	double		score;
	const char *label;

	ml_frame_number(b, at[TINY_X], row % 17 == 3 ? NAN : x);
	ml_frame_integer(b, at[TINY_N], (int64_t) (tiny_random(row, TINY_N) * 50) - 10);
	ml_frame_integer(b, at[TINY_FLAG], tiny_random(row, TINY_FLAG) < 0.3);
	if (city < 5)
		ML_TRY(ml_frame_text(b, at[TINY_CITY], cities[city], strlen(cities[city])));
	ml_frame_number(b, at[TINY_A1], tiny_random(row, TINY_A1));
	ml_frame_number(b, at[TINY_A2], tiny_random(row, TINY_A2) - x);
	if (t->with_id)
		ml_frame_integer(b, at[TINY_ID], (int64_t) row * 3 - 50);
	if (t->with_weight)
		ml_frame_number(b, at[TINY_WEIGHT], 0.5 + tiny_random(row, TINY_WEIGHT));
	score = 3 * x + (city == 1) + 0.3 * tiny_random(row, TINY_Y);
	label = score > 1.8 ? "yes" : "no";
	if (t->target == TINY_NONE || (t->null_targets && row % 10 == 4))
		return ml_frame_end_row(b);
	if (t->nan_target && row == 50)
		ml_frame_number(b, at[TINY_Y], NAN);
	else if (t->target == TINY_NUMBER)
		ml_frame_number(b, at[TINY_Y], score);
	else if (t->target == TINY_THREE)
		ml_frame_integer(b, at[TINY_Y], score < 1.2 ? 10 : score < 2.2 ? 20 : 30);
	else
		ML_TRY(ml_frame_text(b, at[TINY_Y], label, strlen(label)));
	return ml_frame_end_row(b);
}

/* The specs of a table and where each column stands among them; how many there are. */
static int
tiny_specs(const TinyTable *t, MlColumnSpec *specs, int *at)
{
	int			n = 0;

	for (int i = 0; i < TINY_COLUMNS; i++)
	{
		int			c = t->shuffled ? TINY_COLUMNS - 1 - i : i;

		at[c] = -1;
		if ((c == TINY_ID && !t->with_id) || (c == TINY_WEIGHT && !t->with_weight) || (c == TINY_Y && t->target == TINY_NONE))
			continue;
		specs[n] = tiny_columns[c];
		if (c == TINY_Y && t->target == TINY_TWO)
		{
			specs[n].kind = ML_CATEGORY;
			specs[n].logical = ML_LOGICAL_TEXT;
			specs[n].type_name = "text";
		}
		else if (c == TINY_Y && t->target == TINY_THREE)
		{
			specs[n].logical = ML_LOGICAL_INTEGER;
			specs[n].type_name = "integer";
		}
		at[c] = n++;
	}
	return n;
}

static inline MlStatus
tiny_frame(MlEnv *env, const TinyTable *t, uint64_t seed, MlFrame **frame)
{
	MlColumnSpec specs[TINY_COLUMNS];
	int			at[TINY_COLUMNS];
	int			n = tiny_specs(t, specs, at);
	MlFrameBuilder *b;

	ML_TRY(ml_frame_begin(env, specs, n, seed, &b));
	for (size_t i = 0; i < t->rows; i++)
		ML_TRY(tiny_row(b, t, at, t->reversed ? t->rows - 1 - i : i));
	return ml_frame_finish(b, frame);
}

static inline MlTrainSpec
tiny_spec(const MlMethod *method, const MlParams *params)
{
	return (MlTrainSpec)
	{
		.method = method,
			.params = params,
			.split = {ML_SPLIT_AUTO, 0.2, 0.1, 42}
	};
}

/* Parameters that keep a fit short, for the methods that have them. */
static inline MlStatus
tiny_params(MlEnv *env, const MlMethod *method, MlParams **params)
{
	ML_TRY(ml_params_init(env, method->params, params));
	for (int i = 0; i < (*params)->count; i++)
	{
		if (strcmp((*params)->table[i].name, "num_iterations") == 0)
			ML_TRY(ml_params_set_number(env, *params, "num_iterations", 5));
		if (strcmp(method->name, "gmm") == 0 && strcmp((*params)->table[i].name, "n_components") == 0)
			ML_TRY(ml_params_set_number(env, *params, "n_components", 3));
		if (strcmp((*params)->table[i].name, "n_estimators") == 0)
			ML_TRY(ml_params_set_number(env, *params, "n_estimators", 2));
		if (strcmp((*params)->table[i].name, "max_leaf_nodes") == 0)
			ML_TRY(ml_params_set_number(env, *params, "max_leaf_nodes", 6));
		if (strcmp(method->name, "dbscan") == 0 && strcmp((*params)->table[i].name, "eps") == 0)
			ML_TRY(ml_params_set_number(env, *params, "eps", 1.3));
	}
	return ML_OK;
}

static inline bool
tiny_method_can(const MlMethod *method, TinyTarget target)
{
	return (method->tasks & (target == TINY_NONE ? ML_TASKS_WITHOUT_TARGET :
							 target == TINY_NUMBER ? ML_TASK_REGRESSION : ML_TASK_CLASSIFICATION)) != 0;
}

/* A target that the method can learn from, numbers before classes; or none. */
static inline TinyTarget
tiny_target_of(const MlMethod *method, TinyTarget preferred)
{
	if (tiny_method_can(method, preferred))
		return preferred;
	return !ml_task_has_target(method->tasks) ? TINY_NONE : tiny_method_can(method, TINY_NUMBER) ? TINY_NUMBER : TINY_THREE;
}

/* semi: what becomes of rows without a target; NULL: they are left out. */
static inline MlStatus
tiny_train_semi(MlEnv *env, const MlMethod *method, const TinyTable *t, const MlSemi *semi, MlTrainResult **result)
{
	MlParams   *params;
	MlFrame    *frame;
	MlTrainSpec spec;

	env->dense = ml_dense_table();
	ML_TRY(tiny_params(env, method, &params));
	ML_TRY(tiny_frame(env, t, 42, &frame));
	spec = tiny_spec(method, params);
	spec.semi = semi;
	return ml_pipeline_run(env, &spec, frame, result);
}

static inline MlStatus
tiny_train(MlEnv *env, const MlMethod *method, const TinyTable *t, MlTrainResult **result)
{
	return tiny_train_semi(env, method, t, NULL, result);
}

#endif							/* TINY_H */
