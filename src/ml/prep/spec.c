/*-------------------------------------------------------------------------
 * spec.c
 *	  The table of steps, and whether steps fit columns and one another.
 *-------------------------------------------------------------------------
 */
#include "ml/prep/spec.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ml/model/params.h"

#define NUMBER "a number"
#define CATEGORY "a category, or a number of few values"
#define ANY "a number or a category"

const MlStepInfo ml_step_infos[] = {
	[ML_STEP_NONE] = {"none", "anything", "", "leaves the column as it is; what the method does by itself stays"},
	[ML_STEP_IMPUTE_MEAN] = {"impute_mean", NUMBER, "", "missing values become the mean"},
	[ML_STEP_IMPUTE_MEDIAN] = {"impute_median", NUMBER, "", "missing values become the median"},
	[ML_STEP_IMPUTE_MOST_FREQUENT] = {"impute_most_frequent", ANY, "", "missing values become the most frequent one, of equals the smallest"},
	[ML_STEP_IMPUTE_CONSTANT] = {"impute_constant", ANY, "value", "missing values become a number or, in a category, a text"},
	[ML_STEP_MISSING_INDICATOR] = {"missing_indicator", ANY, "", "adds a column that is 1 where the value is missing; stands before the step that fills them"},
	[ML_STEP_STANDARD] = {"standard", NUMBER, "", "subtracts the mean, divides by the standard deviation"},
	[ML_STEP_MIN_MAX] = {"min_max", NUMBER, "[0, 1]", "scales what training saw to 0 .. 1, or to other bounds"},
	[ML_STEP_ROBUST] = {"robust", NUMBER, "[0.25, 0.75]", "subtracts the median, divides by the distance of two quantiles"},
	[ML_STEP_LOG1P] = {"log1p", NUMBER, "", "log(1 + x); what is -1 or less is missing, and an error in training"},
	[ML_STEP_CLIP] = {"clip", NUMBER, "[low, high], or {\"quantiles\": [low, high]}", "moves what lies outside to the bounds; null leaves a side open"},
	[ML_STEP_QUANTILE_BUCKETS] = {"quantile_buckets", NUMBER, "{\"n\": 10}", "makes a category of n ranges with about the same number of rows"},
	[ML_STEP_DATE_PARTS] = {"date_parts", "a date, a time or a timestamp", "list of parts, or {\"parts\": [...], \"origin\": \"2020-01-01\"}",
	"a number for each part: year, quarter, month, day, weekday (1 is Monday), day_of_year, hour, minute, second, elapsed (days since the origin, or the earliest value of training)"},
	[ML_STEP_ONE_HOT] = {"one_hot", CATEGORY, "{\"max_categories\": 256, \"drop\": \"none\"}",
	"a 0/1 column for each category; the rarest share (other), missing ones have (missing) if training had any; drop \"first\" leaves the first one out", true},
	[ML_STEP_ORDINAL] = {"ordinal", CATEGORY, "[categories in their order]", "the place of the category, from 0; without a list by falling frequency; others are missing"},
	[ML_STEP_TARGET_ENCODE] = {"target_encode", CATEGORY, "{\"smoothing\": \"auto\", \"folds\": 5}",
	"the mean of the target in the category, drawn towards the mean of all; for training rows from the other folds"},
	[ML_STEP_FREQUENCY] = {"frequency", CATEGORY, "", "the share of the training rows in this category"},
	[ML_STEP_HASH] = {"hash", "a text", "{\"n\": 64}", "a 0/1 column for each of n buckets that texts fall into, also those that training never saw", true},
	[ML_STEP_TFIDF] = {"tfidf", "a text",
	"{\"max_features\": 1000, \"config\": \"simple\", \"ngram\": [1, 1], \"min_df\": 1, \"max_df\": null, \"sublinear\": false, \"norm\": \"l2\"}",
	"a column for each of the most frequent terms of a text: its count in the row x (log((1 + rows) / (1 + rows with it)) + 1), each row brought to length 1; words are what the text search configuration makes of the text", true},
	[ML_STEP_HASHED_TFIDF] = {"hashed_tfidf", "a text",
	"{\"n\": 1024, \"config\": \"simple\", \"ngram\": [1, 1], \"sublinear\": false, \"norm\": \"l2\"}",
	"the same with terms in n buckets by their hash, without a vocabulary", true},
	{NULL}
};

const char *const ml_date_part_names[] = {
	"year", "quarter", "month", "day", "weekday", "day_of_year", "hour", "minute", "second", "elapsed", NULL
};

#define DATE_ONLY_PARTS (1u << ML_PART_OF_YEAR | 1u << ML_PART_OF_QUARTER | 1u << ML_PART_OF_MONTH | 1u << ML_PART_OF_DAY | \
						 1u << ML_PART_OF_WEEKDAY | 1u << ML_PART_OF_DAY_OF_YEAR | 1u << ML_PART_OF_ELAPSED)
#define TIME_ONLY_PARTS (1u << ML_PART_OF_HOUR | 1u << ML_PART_OF_MINUTE | 1u << ML_PART_OF_SECOND)

uint32_t
ml_date_parts_of(MlTimeUnit unit)
{
	switch (unit)
	{
		case ML_UNIT_DAYS:
			return DATE_ONLY_PARTS;
		case ML_UNIT_SECONDS_OF_DAY:
			return TIME_ONLY_PARTS;
		case ML_UNIT_SECONDS:
			return DATE_ONLY_PARTS | TIME_ONLY_PARTS;
		case ML_UNIT_NONE:
			break;
	}
	return 0;
}

/* "a, b, c" of words until NULL. */
static void
list_words(const char *const *words, char *list, size_t room)
{
	size_t		used = 0;

	list[0] = '\0';
	for (int i = 0; words[i] != NULL && used < room; i++)
		used += (size_t) snprintf(list + used, room - used, "%s%s", i > 0 ? ", " : "", words[i]);
}

static MlStatus
unknown_word(MlEnv *env, const char *column, const char *what, const char *name, const char *const *words, int count)
{
	const char *near = ml_nearest(name, words, count);
	char		list[400];

	list_words(words, list, sizeof(list));
	ml_fail(env, ML_BAD_PARAM, "transform of column \"%s\": unknown %s \"%.100s\"", column, what, name);
	if (near != NULL)
		return ml_hint(env, "Perhaps you meant \"%s\". Valid are: %s.", near, list);
	return ml_hint(env, "Valid are: %s.", list);
}

MlStatus
ml_step_find(MlEnv *env, const char *column, const char *name, MlStepKind *kind)
{
	const char *names[64];
	int			count = 0;

	for (; ml_step_infos[count].name != NULL; count++)
	{
		names[count] = ml_step_infos[count].name;
		if (strcmp(name, names[count]) == 0)
		{
			*kind = (MlStepKind) count;
			return ML_OK;
		}
	}
	names[count] = NULL;
	return unknown_word(env, column, "step", name, names, count);
}

MlStatus
ml_date_part_find(MlEnv *env, const char *column, const char *name, MlDatePart *part)
{
	for (int i = 0; i < ML_N_DATE_PARTS; i++)
	{
		if (strcmp(name, ml_date_part_names[i]) == 0)
		{
			*part = (MlDatePart) i;
			return ML_OK;
		}
	}
	return unknown_word(env, column, "date part", name, ml_date_part_names, ML_N_DATE_PARTS);
}

void
ml_step_init(MlStep *step, MlStepKind kind)
{
	memset(step, 0, sizeof(*step));
	step->kind = kind;
	switch (kind)
	{
		case ML_STEP_MIN_MAX:
			step->high = 1;
			break;
		case ML_STEP_ROBUST:
			step->low = 0.25;
			step->high = 0.75;
			break;
		case ML_STEP_CLIP:
			step->low = -INFINITY;
			step->high = INFINITY;
			break;
		case ML_STEP_QUANTILE_BUCKETS:
			step->n = 10;
			break;
		case ML_STEP_ONE_HOT:
			step->n = 256;
			break;
		case ML_STEP_TARGET_ENCODE:
			step->automatic = true;
			step->n = 5;
			break;
		case ML_STEP_HASH:
			step->n = 64;
			break;
		case ML_STEP_TFIDF:
		case ML_STEP_HASHED_TFIDF:
			step->n = kind == ML_STEP_TFIDF ? 1000 : 1024;
			step->tokens = (MlTokenSpec) {"pg_catalog.simple", 1, 1};
			step->low = 1;
			step->high = INFINITY;
			break;
		default:
			break;
	}
}

const MlPrepColumn *
ml_prep_of(const MlPrepSpec *spec, const char *source_column)
{
	for (int c = 0; spec != NULL && c < spec->n_columns; c++)
	{
		if (strcmp(spec->columns[c].column, source_column) == 0)
			return &spec->columns[c];
	}
	return NULL;
}

/* What a column of categories or a text is taken for until it has been read. */
#define GUESSED_CATEGORIES 16
#define GUESSED_TERMS 64

void
ml_prep_guess(const MlPrepColumn *column, const MlColumnSpec *spec, bool spread, size_t *columns, size_t *bytes)
{
	size_t		dense = 1;
	size_t		sparse = 0;
	size_t		extra = 0;		/* columns beside, and lists of terms */

	for (int i = 0; i < column->n_steps; i++)
	{
		const MlStep *step = &column->steps[i];

		switch (step->kind)
		{
			case ML_STEP_MISSING_INDICATOR:
				extra += sizeof(double);
				break;
			case ML_STEP_DATE_PARTS:
				dense = (size_t) __builtin_popcount(step->parts != 0 ? step->parts : ml_date_parts_of(spec->unit));
				break;
			case ML_STEP_ONE_HOT:
				sparse = dense * (step->n < GUESSED_CATEGORIES ? (size_t) step->n : GUESSED_CATEGORIES);
				extra += dense * sizeof(uint32_t);
				break;
			case ML_STEP_HASH:
				sparse = (size_t) step->n;
				extra += sizeof(uint32_t);
				break;
			case ML_STEP_TFIDF:
			case ML_STEP_HASHED_TFIDF:
				sparse = (size_t) step->n;
				extra += GUESSED_TERMS * (2 * sizeof(int32_t) + sizeof(uint32_t) + 2 * sizeof(double));
				break;
			default:
				break;
		}
	}
	*columns = sparse > 0 ? sparse : dense;
	*bytes = extra + (sparse == 0 ? dense : spread ? sparse : 0) * sizeof(double);
}

/* ------------------------------------------------------------------------
 * Do they fit?
 * ------------------------------------------------------------------------
 */

/* What a column is after some steps. */
typedef struct State
{
	const MlPrepColumn *column;
	const MlColumnSpec *spec;
	enum
	{
		IS_NUMBER, IS_CATEGORY
	}			is;
	MlTimeUnit	unit;			/* still a point in time */
	bool		text;			/* still the text itself */
	bool		measured;		/* a number that is no label any more: scaled, or a mean */
	const char *filled;			/* the step after which nothing is missing */
	const char *last;			/* the step that nothing can follow */
} State;

static MlStatus
wrong_type(MlEnv *env, const State *s, const MlStepInfo *info)
{
	ml_fail(env, ML_BAD_TYPE, "transform of column \"%s\": %s needs %s", s->column->column, info->name, info->takes);
	if (s->measured)
	{
		ml_detail(env, "The steps before it have made a measured number of the column.");
		return ml_hint(env, "quantile_buckets makes a category of a number.");
	}
	if (s->is == IS_CATEGORY && s->spec->kind != ML_CATEGORY)
		ml_detail(env, "The steps before it have made a category of the column.");
	else
		ml_detail(env, "The column is of type %s.", s->spec->type_name);
	if (s->is == IS_CATEGORY)
		return ml_hint(env, "Categories become numbers by ordinal, target_encode or frequency, and columns by one_hot.");
	if (s->unit != ML_UNIT_NONE)
		return ml_hint(env, "date_parts makes numbers of dates and times.");
	return ml_hint(env, "Leave the step out.");
}

static MlStatus
wrong_order(MlEnv *env, const State *s, const char *step, const char *after, const char *why)
{
	ml_fail(env, ML_BAD_PARAM, "transform of column \"%s\": %s cannot follow %s", s->column->column, step, after);
	return ml_hint(env, "%s", why);
}

static MlStatus
take_number(MlEnv *env, const State *s, const MlStepInfo *info)
{
	return s->is == IS_NUMBER ? ML_OK : wrong_type(env, s, info);
}

/* Whole numbers, booleans and parts of dates are labels as well as amounts. */
static MlStatus
take_category(MlEnv *env, State *s, const MlStepInfo *info)
{
	if (s->is == IS_NUMBER && (s->measured || s->unit != ML_UNIT_NONE))
		return wrong_type(env, s, info);
	return ML_OK;
}

static MlStatus
take_missing(MlEnv *env, const State *s, const MlStepInfo *info)
{
	if (s->filled == NULL)
		return ML_OK;
	return wrong_order(env, s, info->name, s->filled, "After that step no value is missing any more.");
}

static MlStatus
check_parts(MlEnv *env, State *s, const MlStep *step, const MlStepInfo *info)
{
	uint32_t	has = ml_date_parts_of(s->unit);

	if (s->unit == ML_UNIT_NONE)
		return wrong_type(env, s, info);
	for (int p = 0; p < ML_N_DATE_PARTS; p++)
	{
		if ((step->parts & ~has & (1u << p)) != 0)
		{
			ml_fail(env, ML_BAD_TYPE, "transform of column \"%s\": type %s has no part \"%s\"", s->column->column, s->spec->type_name, ml_date_part_names[p]);
			return ml_hint(env, s->unit == ML_UNIT_DAYS ? "A date has year, quarter, month, day, weekday, day_of_year and elapsed."
						   : "A time has hour, minute and second.");
		}
	}
	s->unit = ML_UNIT_NONE;
	return ML_OK;
}

static MlStatus
check_constant(MlEnv *env, const State *s, const MlStep *step)
{
	if ((step->text != NULL) == (s->is == IS_CATEGORY))
		return ML_OK;
	ml_fail(env, ML_BAD_PARAM, "transform of column \"%s\": the value of impute_constant must be %s", s->column->column,
			s->is == IS_CATEGORY ? "a text" : "a number");
	ml_detail(env, "The column is of type %s.", s->spec->type_name);
	return ml_hint(env, s->is == IS_CATEGORY ? "For example {\"impute_constant\": \"unknown\"}." : "For example {\"impute_constant\": 0}.");
}

static MlStatus
check_step(MlEnv *env, State *s, const MlStep *step, bool supervised)
{
	const MlStepInfo *info = &ml_step_infos[step->kind];
	bool		text = s->text;

	if (s->last != NULL)
		return wrong_order(env, s, info->name, s->last, "It makes many columns that are zero in most rows, and has to be the last step. Methods that need scaled columns scale them by themselves.");
	s->text = false;
	switch (step->kind)
	{
		case ML_STEP_NONE:
			if (s->column->n_steps > 1)
			{
				ml_fail(env, ML_BAD_PARAM, "transform of column \"%s\": none stands alone", s->column->column);
				return ml_hint(env, "It leaves the column as it is; leave it out beside other steps.");
			}
			break;
		case ML_STEP_IMPUTE_MEAN:
		case ML_STEP_IMPUTE_MEDIAN:
			ML_TRY(take_number(env, s, info));
			/* FALLTHROUGH */
		case ML_STEP_IMPUTE_MOST_FREQUENT:
		case ML_STEP_IMPUTE_CONSTANT:
			ML_TRY(take_missing(env, s, info));
			if (step->kind == ML_STEP_IMPUTE_CONSTANT)
				ML_TRY(check_constant(env, s, step));
			s->filled = info->name;
			break;
		case ML_STEP_MISSING_INDICATOR:
			ML_TRY(take_missing(env, s, info));
			break;
		case ML_STEP_STANDARD:
		case ML_STEP_MIN_MAX:
		case ML_STEP_ROBUST:
		case ML_STEP_LOG1P:
			ML_TRY(take_number(env, s, info));
			s->measured = true;
			s->unit = ML_UNIT_NONE;
			break;
		case ML_STEP_CLIP:
			ML_TRY(take_number(env, s, info));
			break;
		case ML_STEP_QUANTILE_BUCKETS:
			ML_TRY(take_number(env, s, info));
			s->is = IS_CATEGORY;
			s->measured = false;
			break;
		case ML_STEP_DATE_PARTS:
			ML_TRY(check_parts(env, s, step, info));
			break;
		case ML_STEP_TARGET_ENCODE:
			if (!supervised)
			{
				ml_fail(env, ML_BAD_PARAM, "transform of column \"%s\": target_encode needs a target, and this algorithm has none", s->column->column);
				return ml_hint(env, "Use frequency, ordinal or one_hot.");
			}
			/* FALLTHROUGH */
		case ML_STEP_ONE_HOT:
		case ML_STEP_ORDINAL:
		case ML_STEP_FREQUENCY:
			ML_TRY(take_category(env, s, info));
			s->is = IS_NUMBER;
			s->measured = true;
			s->filled = step->kind == ML_STEP_ORDINAL ? NULL : info->name;
			break;
		case ML_STEP_HASH:
		case ML_STEP_TFIDF:
		case ML_STEP_HASHED_TFIDF:
			s->text = text;
			if (s->spec->kind != ML_CATEGORY)
				return wrong_type(env, s, info);
			if (step != s->column->steps)
				return wrong_order(env, s, info->name, ml_step_infos[step[-1].kind].name, "It works on the text itself, and has to be the only step.");
			break;
	}
	s->last = info->last ? info->name : NULL;
	return ML_OK;
}

static MlStatus
check_column(MlEnv *env, const MlPrepColumn *column, const MlColumnSpec *spec, bool supervised)
{
	State		s = {.column = column, .spec = spec, .is = spec->kind == ML_CATEGORY ? IS_CATEGORY : IS_NUMBER,
	.unit = spec->unit, .text = spec->kind == ML_CATEGORY};

	for (int i = 0; i < column->n_steps; i++)
		ML_TRY(check_step(env, &s, &column->steps[i], supervised));
	return ML_OK;
}

static MlStatus
no_feature(MlEnv *env, const MlPrepColumn *column, const MlColumnSpec *columns, int n_columns)
{
	const char *near;
	const char *names[200];
	int			n = 0;

	for (int c = 0; c < n_columns; c++)
	{
		if ((columns[c].roles & ML_ROLE_FEATURE) == 0)
		{
			if (strcmp(columns[c].source_column, column->column) == 0)
			{
				ml_fail(env, ML_BAD_PARAM, "column \"%s\" of transform is not a feature", column->column);
				return ml_hint(env, "Only features are transformed: the target, the id, the weight, the split column and excluded columns are not.");
			}
		}
		else if (n < 200)
			names[n++] = columns[c].source_column;
	}
	near = ml_nearest(column->column, names, n);
	ml_fail(env, ML_NO_COLUMN, "column \"%s\" of transform does not exist among the features", column->column);
	if (near != NULL)
		return ml_hint(env, "Perhaps you meant the column \"%s\".", near);
	return ml_hint(env, "Name columns of the source that are features and of a type that can be used.");
}

MlStatus
ml_prep_check(MlEnv *env, const MlPrepSpec *spec, const MlColumnSpec *columns, int n_columns, bool supervised)
{
	for (int t = 0; t < spec->n_columns; t++)
	{
		const MlPrepColumn *column = &spec->columns[t];
		bool		found = false;

		for (int c = 0; c < n_columns; c++)
		{
			/* What holds for one element of an array holds for all. */
			if (found || (columns[c].roles & ML_ROLE_FEATURE) == 0 || strcmp(columns[c].source_column, column->column) != 0)
				continue;
			found = true;
			ML_TRY(check_column(env, column, &columns[c], supervised));
		}
		if (!found)
			return no_feature(env, column, columns, n_columns);
	}
	return ML_OK;
}
