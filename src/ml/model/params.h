/*-------------------------------------------------------------------------
 * params.h
 *	  Hyper-parameters: described once in a table, checked by it, documented by it.
 *
 * A method lists its parameters in an MlParam array ended by a NULL name, in the
 * order of an enum of its own, and reads them back by that number.
 *-------------------------------------------------------------------------
 */
#ifndef ML_MODEL_PARAMS_H
#define ML_MODEL_PARAMS_H

#include "ml/base/env.h"

typedef enum MlParamType
{
	ML_PARAM_INT,
	ML_PARAM_DOUBLE,
	ML_PARAM_BOOL,
	ML_PARAM_CHOICE,			/* one of a list of words */
	ML_PARAM_TEXT,				/* any words, such as the name of a column; the default "(none)" reads back as "" */
	ML_PARAM_LIST,				/* integers, each within the limits; the default is text: "64,32" */
	ML_PARAM_MODEL				/* another version: "model@3"; whoever trains loads it into MlDataset.initial */
} MlParamType;

/* Most integers of a list. */
#define ML_PARAM_LIST_MAX 64

typedef struct MlParam
{
	const char *name;
	MlParamType type;
	double		default_number; /* 0 or 1 for a boolean */
	double		minimum;
	double		maximum;
	const char *default_choice;
	const char *choices;		/* "a|b|c"; a number that is understood as words, too: "number|a|b", see ml_param_word() */
	const char *aliases;		/* names in other libraries: "n_estimators|num_trees", or NULL */
	const char *description;	/* one sentence */
	bool		open_minimum;	/* minimum itself is not allowed */
	bool		open_maximum;
} MlParam;

typedef struct MlParams
{
	const MlParam *table;
	int			count;
	double	   *number;			/* by position in the table: int, double, bool, or the number of the choice */
	const char **text;			/* of a text or model: never NULL */
	bool	   *given;			/* by the user */
	const int64_t **list;		/* by position: of a list parameter its integers, as many as number says */
	const char *algorithm;		/* whose they are, for hints; or NULL */
	const MlParam *common;		/* parameters beside these, which somebody else sets; NULL: none.  For hints */
} MlParams;

/* All defaults. */
extern MlStatus ml_params_init(MlEnv *env, const MlParam *table, MlParams **params);

/*
 * Sets one from what the user wrote.  Unknown names are ML_BAD_PARAM with the
 * nearest valid one in the hint; the same parameter twice (by an alias) too.
 */
extern MlStatus ml_params_set_number(MlEnv *env, MlParams *params, const char *name, double value);
extern MlStatus ml_params_set_bool(MlEnv *env, MlParams *params, const char *name, bool value);
extern MlStatus ml_params_set_text(MlEnv *env, MlParams *params, const char *name, const char *value);

extern MlStatus ml_params_set_list(MlEnv *env, MlParams *params, const char *name, const double *values, int count);

/* The reference that a model parameter was given, NULL for none; a table has one such parameter at most. */
extern const char *ml_params_model(const MlParams *params);

/* One method parameter as text for ml_params(): default, minimum, maximum ("" for none); into the arena. */
extern const char *ml_param_default(MlEnv *env, const MlParam *param);
extern const char *ml_param_minimum(MlEnv *env, const MlParam *param);
extern const char *ml_param_maximum(MlEnv *env, const MlParam *param);
extern const char *ml_param_type_name(const MlParam *param);	/* "integer", "number", "boolean", "text", "integer[]", "model", or the choices */

/* What a number parameter holds that was given as the word at a position of its choices; its minimum must be above all of them. */
static inline double
ml_param_word(int position)
{
	return -1 - position;
}

static inline double
ml_param_double(const MlParams *params, int which)
{
	return params->number[which];
}

static inline int64_t
ml_param_int(const MlParams *params, int which)
{
	return (int64_t) params->number[which];
}

static inline bool
ml_param_bool(const MlParams *params, int which)
{
	return params->number[which] != 0;
}

static inline const char *
ml_param_text(const MlParams *params, int which)
{
	return params->text[which];
}

static inline const int64_t *
ml_param_list(const MlParams *params, int which, int *count)
{
	*count = (int) params->number[which];
	return params->list[which];
}

/* The candidate nearest to a misspelt word by edit distance, NULL when none is near. */
extern const char *ml_nearest(const char *word, const char *const *candidates, int count);

#endif							/* ML_MODEL_PARAMS_H */
