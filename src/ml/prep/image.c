/*-------------------------------------------------------------------------
 * image.c
 *	  The part of a model image that holds the encoding.
 *
 * A row goes through the operations unchecked, so the loader follows it: every slot that is read
 * has been filled before, categories stay within their levels, tables have a place for each code.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/prep/prep_internal.h"

/* Fewer bytes than any operation, feature or level takes. */
#define MIN_OP_BYTES 30
#define MIN_OUTPUT_BYTES 10
#define MIN_TEXT_BYTES 4

/* What the loader knows of a slot: levels of a category, or one of these. */
#define SLOT_NUMBER 0

/* Numbers of a table, among which NaN means missing. */
static void
put_numbers(MlWriter *w, const double *number, int32_t n)
{
	for (int32_t i = 0; i < n; i++)
	{
		ml_put_u8(w, number[i] == number[i]);
		if (number[i] == number[i])
			ml_put_double(w, number[i]);
	}
}

static double *
get_numbers(MlReader *r, uint32_t n)
{
	double	   *number = r->status == ML_OK ? ml_alloc(r->env, (size_t) n + 1, sizeof(double)) : NULL;

	if (number == NULL)
	{
		if (r->status == ML_OK)
			r->status = r->env->error.status;
		return NULL;
	}
	for (uint32_t i = 0; i < n; i++)
	{
		uint8_t		there = ml_get_u8(r);

		if (there > 1)
			ml_reader_corrupt(r, "a number of its encoding");
		number[i] = there == 1 ? ml_get_finite(r) : NAN;
	}
	return number;
}

static void
save_op(const MlPrepOp *op, MlWriter *w)
{
	ml_put_u8(w, (uint8_t) op->kind);
	ml_put_i32(w, op->in);
	ml_put_i32(w, op->n_out);
	ml_put_u8(w, op->part);
	ml_put_u8(w, op->unit);
	ml_put_u8(w, op->flag);
	ml_put_double(w, op->a);
	ml_put_double(w, op->b);
	ml_put_double(w, op->c);
	ml_put_double(w, op->d);
	ml_put_i32(w, op->n_numbers);
	put_numbers(w, op->number, op->n_numbers);
	ml_put_i32(w, op->n_codes);
	for (int32_t i = 0; i < op->n_codes; i++)
		ml_put_i32(w, op->code[i]);
}

static void
save_output(const MlFeature *feature, MlWriter *w)
{
	ml_put_text(w, feature->name);
	ml_put_text(w, feature->source_column);
	ml_put_i32(w, feature->element);
	ml_put_i32(w, feature->elements);
	ml_put_text(w, feature->type_name);
	ml_put_u8(w, (uint8_t) feature->logical);
	ml_put_i32(w, feature->kind == ML_FEATURE_CATEGORY ? feature->levels : 0);
	for (int32_t i = 0; i < feature->levels; i++)
		ml_put_text(w, feature->level[i]);
}

/* The texts that are cut into words; their terms are in the names of the features. */
static void
save_texts(const MlSchema *input, MlWriter *w)
{
	uint32_t	count = 0;

	for (int f = 0; f < input->n_features; f++)
		count += input->features[f].text != NULL && input->features[f].element == 1;
	ml_put_u32(w, count);
	for (int f = 0; f < input->n_features; f++)
	{
		const MlTextInput *text = input->features[f].text;

		if (text == NULL || input->features[f].element != 1)
			continue;
		ml_put_i32(w, f);
		ml_put_text(w, text->tokens.config);
		ml_put_i32(w, text->tokens.min_words);
		ml_put_i32(w, text->tokens.max_words);
		ml_put_u8(w, text->hashed);
	}
}

void
ml_prep_save(const MlPrep *prep, const MlSchema *input, MlWriter *w)
{
	for (int32_t f = 0; f < prep->n_in; f++)
	{
		ml_put_text(w, prep->how[f]);
		ml_put_i32(w, input->features[f].buckets);
	}
	save_texts(input, w);
	ml_put_i32(w, prep->n_ops);
	for (int32_t i = 0; i < prep->n_ops; i++)
		save_op(&prep->ops[i], w);
	ml_put_i32(w, prep->n_out);
	for (int32_t i = 0; i < prep->n_out; i++)
	{
		ml_put_i32(w, prep->output[i]);
		save_output(&prep->encoded->features[i], w);
	}
}

/* ------------------------------------------------------------------------
 * Loading
 * ------------------------------------------------------------------------
 */

static bool
rising(const double *number, int32_t n)
{
	for (int32_t i = 0; i < n; i++)
	{
		if (number[i] != number[i] || (i > 0 && !(number[i - 1] < number[i])))
			return false;
	}
	return true;
}

static bool
without_missing(const MlPrepOp *op)
{
	for (int32_t i = 0; i < op->n_numbers; i++)
	{
		if (op->number[i] != op->number[i])
			return false;
	}
	return true;
}

static bool
codes_within(const MlPrepOp *op, int32_t low, int32_t high)
{
	for (int32_t i = 0; i < op->n_codes; i++)
	{
		if (op->code[i] < low || op->code[i] > high)
			return false;
	}
	return true;
}

/* Whether a category or a number goes in, the tables fit, and what comes out: levels, or SLOT_NUMBER. */
static bool
check_op(const MlPrepOp *op, int32_t *out)
{
	bool		category = op->levels > 0;
	bool		single = op->n_out == 1;

	*out = SLOT_NUMBER;
	switch (op->kind)
	{
		case ML_OP_FILL:
		case ML_OP_LOG1P:
			return !category && single;
		case ML_OP_AFFINE:
			return !category && single && op->b > 0;
		case ML_OP_CLIP:
			return !category && single && op->a <= op->b;
		case ML_OP_MISSING:
			return single;
		case ML_OP_FILL_CODE:
			*out = op->levels + (op->flag != 0);
			return category && single && op->flag <= 1 && op->n_codes == 1 && *out <= ML_MAX_LEVELS && codes_within(op, 0, *out);
		case ML_OP_BUCKET:
			*out = op->n_numbers + 1;
			return !category && single && *out <= ML_MAX_LEVELS && rising(op->number, op->n_numbers);
		case ML_OP_CATEGORISE:
			*out = op->n_numbers;
			return !category && single && op->n_numbers > 0 && op->n_numbers <= ML_MAX_LEVELS && op->n_codes == op->n_numbers &&
				rising(op->number, op->n_numbers) && codes_within(op, 0, op->n_numbers - 1);
		case ML_OP_DATE_PART:
			return !category && single && op->part < ML_N_DATE_PARTS && op->unit > ML_UNIT_NONE && op->unit <= ML_UNIT_SECONDS_OF_DAY;
		case ML_OP_TABLE:
			return category && (int64_t) op->n_numbers == (int64_t) (op->levels + 2) * op->n_out;
		case ML_OP_ONE_HOT:
			return category && op->n_codes == op->levels + 2 && op->n_out <= op->n_codes && codes_within(op, -1, op->n_out - 1);
		case ML_OP_HASH:
			return !category;			/* of any number it takes those that are buckets */
		case ML_OP_TFIDF:
			return !category && op->n_numbers == op->n_out && op->flag <= (ML_TFIDF_SUBLINEAR | ML_TFIDF_NORM) && without_missing(op);
		case ML_N_OPS:
			break;
	}
	return false;
}

static MlStatus
load_op(MlReader *r, MlPrepOp *op)
{
	uint8_t		kind = ml_get_u8(r);
	int32_t    *code;

	op->in = ml_get_i32(r);
	op->n_out = ml_get_i32(r);
	op->part = ml_get_u8(r);
	op->unit = ml_get_u8(r);
	op->flag = ml_get_u8(r);
	op->a = ml_get_finite(r);
	op->b = ml_get_finite(r);
	op->c = ml_get_finite(r);
	op->d = ml_get_finite(r);
	op->n_numbers = (int32_t) ml_get_count(r, 1);
	op->number = get_numbers(r, (uint32_t) op->n_numbers);
	op->n_codes = (int32_t) ml_get_count(r, sizeof(int32_t));
	ML_TRY(r->status);
	if (kind >= ML_N_OPS || op->n_out < 1 || op->n_out > ML_PREP_MAX_COLUMNS)
		return ml_reader_corrupt(r, "a step of its encoding is unknown");
	op->kind = (MlPrepOpKind) kind;
	op->code = code = ml_alloc(r->env, (size_t) op->n_codes + 1, sizeof(int32_t));
	if (code == NULL)
		return r->status = r->env->error.status;
	for (int32_t i = 0; i < op->n_codes; i++)
		code[i] = ml_get_i32(r);
	return r->status;
}

/* The slots, each with what is known of it: so many as a row needs. */
typedef struct Slots
{
	int32_t		n;
	int32_t		room;
	int32_t    *levels;
} Slots;

static MlStatus
add_slots(MlReader *r, Slots *slots, int32_t n, int32_t levels)
{
	if (n > slots->room - slots->n)
	{
		int64_t		room = 2 * ((int64_t) slots->n + n);
		int32_t    *grown;

		if (slots->n + n > ML_PREP_MAX_SLOTS)
			return ml_reader_corrupt(r, "its encoding has too many columns");
		grown = ml_alloc(r->env, (size_t) room, sizeof(int32_t));
		if (grown == NULL)
			return r->status = r->env->error.status;
		if (slots->n > 0)
			memcpy(grown, slots->levels, (size_t) slots->n * sizeof(int32_t));
		ml_release(r->env, slots->levels);
		slots->levels = grown;
		slots->room = (int32_t) room;
	}
	for (int32_t i = 0; i < n; i++)
		slots->levels[slots->n++] = levels;
	return ML_OK;
}

static bool
all_numbers(const Slots *slots, int32_t first, int32_t n)
{
	if (n > slots->n - first)
		return false;
	for (int32_t i = 0; i < n; i++)
	{
		if (slots->levels[first + i] != SLOT_NUMBER)
			return false;
	}
	return true;
}

/* The index of the terms that the features from "first" on count: what their names have behind that of the column. */
static MlStatus
index_terms(MlReader *r, const MlFeature *first, MlTextInput *text)
{
	size_t		skip = strlen(first->source_column) + 2;
	MlFeature  *terms = ml_alloc0(r->env, 1, sizeof(MlFeature));
	const char **level = ml_alloc(r->env, (size_t) text->n, sizeof(char *));

	if (terms == NULL || level == NULL)
		return r->status = r->env->error.status;
	for (int32_t i = 0; i < text->n; i++)
	{
		if (strlen(first[i].name) < skip)
			return ml_reader_corrupt(r, "the name of a term is not possible");
		level[i] = first[i].name + skip;
	}
	terms->levels = text->n;
	terms->level = level;
	text->terms = terms;
	return r->status = ml_level_index(r->env, level, text->n, &terms->index);
}

static MlStatus
load_text(MlReader *r, MlSchema *input)
{
	int32_t		first = ml_get_i32(r);
	MlTextInput *text = ml_alloc0(r->env, 1, sizeof(MlTextInput));
	MlFeature  *feature;
	uint8_t		hashed;

	if (text == NULL)
		return r->status = r->env->error.status;
	text->tokens.config = ml_get_text(r);
	text->tokens.min_words = ml_get_i32(r);
	text->tokens.max_words = ml_get_i32(r);
	hashed = ml_get_u8(r);
	ML_TRY(r->status);
	if (first < 0 || first >= input->n_features || text->tokens.config == NULL || hashed > 1 || text->tokens.min_words < 1 ||
		text->tokens.max_words < text->tokens.min_words || text->tokens.max_words > ML_PREP_MAX_WORDS)
		return ml_reader_corrupt(r, "a text of its encoding is not possible");
	feature = &input->features[first];
	text->n = feature->elements;
	text->hashed = hashed == 1;
	if (text->n < 1 || text->n > input->n_features - first || feature->text != NULL)
		return ml_reader_corrupt(r, "a text of its encoding is not possible");
	for (int32_t i = 0; i < text->n; i++)
	{
		if (feature[i].element != i + 1 || feature[i].buckets != 0 || feature[i].kind != ML_FEATURE_NUMBER ||
			strcmp(feature[i].source_column, feature->source_column) != 0)
			return ml_reader_corrupt(r, "the terms of a text do not stand together");
		feature[i].text = text;
	}
	return text->hashed ? ML_OK : index_terms(r, feature, text);
}

static MlStatus
load_texts(MlReader *r, MlSchema *input)
{
	uint32_t	count = ml_get_count(r, 17);

	ML_TRY(r->status);
	for (uint32_t i = 0; i < count; i++)
		ML_TRY(load_text(r, input));
	return ML_OK;
}

static MlStatus
load_inputs(MlReader *r, MlSchema *input, MlPrep *prep, Slots *slots)
{
	prep->how = ml_alloc0(r->env, (size_t) input->n_features, sizeof(char *));
	if (prep->how == NULL)
		return r->status = r->env->error.status;
	for (int f = 0; f < input->n_features; f++)
	{
		MlFeature  *feature = &input->features[f];

		prep->how[f] = ml_get_text(r);
		feature->buckets = ml_get_i32(r);
		ML_TRY(r->status);
		if (feature->buckets < 0 || (feature->buckets > 0 && (feature->kind != ML_FEATURE_NUMBER || feature->elements > 0)))
			return ml_reader_corrupt(r, "the buckets of a feature are not possible");
		ML_TRY(add_slots(r, slots, 1, feature->kind == ML_FEATURE_CATEGORY ? feature->levels : SLOT_NUMBER));
	}
	return load_texts(r, input);
}

static MlStatus
load_ops(MlReader *r, MlPrep *prep, Slots *slots)
{
	prep->n_ops = (int32_t) ml_get_count(r, MIN_OP_BYTES);
	ML_TRY(r->status);
	prep->ops = ml_alloc0(r->env, (size_t) prep->n_ops + 1, sizeof(MlPrepOp));
	if (prep->ops == NULL)
		return r->status = r->env->error.status;
	for (int32_t i = 0; i < prep->n_ops; i++)
	{
		MlPrepOp   *op = &prep->ops[i];
		int32_t		levels;

		ML_TRY(load_op(r, op));
		if (op->in < 0 || op->in >= slots->n)
			return ml_reader_corrupt(r, "a step of its encoding reads what is not there");
		if (op->kind == ML_OP_TFIDF && !all_numbers(slots, op->in, op->n_out))
			return ml_reader_corrupt(r, "a step of its encoding reads what is not there");
		op->levels = slots->levels[op->in];
		op->out = slots->n;
		if (!check_op(op, &levels))
			return ml_reader_corrupt(r, "a step of its encoding is not possible");
		ML_TRY(add_slots(r, slots, op->n_out, levels));
	}
	prep->n_slots = slots->n;
	return ML_OK;
}

static MlStatus
load_output(MlReader *r, int32_t levels, MlFeature *feature)
{
	uint8_t		logical;
	uint32_t	count;
	const char **level;

	feature->name = ml_get_text(r);
	feature->source_column = ml_get_text(r);
	feature->element = ml_get_i32(r);
	feature->elements = ml_get_i32(r);
	feature->type_name = ml_get_text(r);
	logical = ml_get_u8(r);
	count = ml_get_count(r, MIN_TEXT_BYTES);
	ML_TRY(r->status);
	if (feature->name == NULL || feature->source_column == NULL || feature->type_name == NULL || logical > ML_LOGICAL_TIME ||
		feature->element < 0 || feature->element > feature->elements)
		return ml_reader_corrupt(r, "an encoded column is not possible");
	if (count != (uint32_t) levels)
		return ml_reader_corrupt(r, "an encoded column has other categories than its step makes");
	feature->logical = (MlLogicalType) logical;
	feature->kind = levels > 0 ? ML_FEATURE_CATEGORY : ML_FEATURE_NUMBER;
	feature->levels = levels;
	if (levels == 0)
		return ML_OK;
	feature->level = level = ml_alloc(r->env, count, sizeof(char *));
	if (level == NULL)
		return r->status = r->env->error.status;
	for (uint32_t i = 0; i < count; i++)
	{
		level[i] = ml_get_text(r);
		if (level[i] == NULL)
			return r->status != ML_OK ? r->status : ml_reader_corrupt(r, "a category has no name");
	}
	return r->status = ml_level_index(r->env, level, levels, &feature->index);
}

static MlStatus
load_outputs(MlReader *r, const MlSchema *input, MlPrep *prep, const Slots *slots)
{
	MlSchema   *encoded = ml_alloc(r->env, 1, sizeof(MlSchema));
	uint32_t	n = ml_get_count(r, MIN_OUTPUT_BYTES);
	int32_t    *output;
	const char **names;
	const MlLevelIndex *unused;

	ML_TRY(r->status);
	if (n == 0 || n > ML_PREP_MAX_COLUMNS)
		return ml_reader_corrupt(r, "its number of encoded columns is not possible");
	prep->n_out = (int32_t) n;
	prep->output = output = ml_alloc(r->env, n, sizeof(int32_t));
	names = ml_alloc(r->env, n, sizeof(char *));
	if (encoded == NULL || output == NULL || names == NULL)
		return r->status = r->env->error.status;
	*encoded = *input;
	encoded->n_features = (int32_t) n;
	encoded->features = ml_alloc0(r->env, n, sizeof(MlFeature));
	if (encoded->features == NULL)
		return r->status = r->env->error.status;
	for (uint32_t i = 0; i < n; i++)
	{
		output[i] = ml_get_i32(r);
		ML_TRY(r->status);
		if (output[i] < 0 || output[i] >= slots->n)
			return ml_reader_corrupt(r, "an encoded column comes from nowhere");
		ML_TRY(load_output(r, slots->levels[output[i]], &encoded->features[i]));
		names[i] = encoded->features[i].name;
	}
	prep->encoded = encoded;
	return r->status = ml_level_index(r->env, names, (int32_t) n, &unused);
}

MlStatus
ml_prep_load(MlReader *r, MlSchema *input, MlPrep **result)
{
	MlPrep	   *prep = ml_alloc0(r->env, 1, sizeof(MlPrep));
	Slots		slots = {0};

	if (prep == NULL)
		return r->status = r->env->error.status;
	prep->n_in = input->n_features;
	ML_TRY(load_inputs(r, input, prep, &slots));
	ML_TRY(load_ops(r, prep, &slots));
	ML_TRY(load_outputs(r, input, prep, &slots));
	*result = prep;
	return ML_OK;
}
