/*-------------------------------------------------------------------------
 * words.c
 *	  Texts as weighted terms: tf-idf over a vocabulary, or over buckets.
 *
 * Salton and Buckley 1988, with the formulas of scikit-learn's TfidfVectorizer: the count of a term
 * in a row (or 1 + log of it) x (log((1 + n) / (1 + rows with it)) + 1), and rows brought to length 1.
 *
 * What a term is, the text search configuration of the server decides: texts come here cut into
 * terms.  The terms that count become features of the input schema, each the count of one; a row
 * of a table then becomes such counts by the same configuration, and everything behind them is arithmetic.
 * In memory counts and weights are sparse columns.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/base/arena.h"
#include "ml/base/elementary.h"
#include "ml/base/sort.h"
#include "ml/prep/prep_internal.h"

/* ------------------------------------------------------------------------
 * Which terms
 * ------------------------------------------------------------------------
 */

/* How often each term occurs in the training rows, and in how many of them. */
static MlStatus
count_all(MlEnv *env, const MlColumn *column, const size_t *order, size_t n_train, size_t **total, size_t **rows)
{
	const MlTokens *tokens = column->tokens;

	*total = ml_alloc0(env, (size_t) tokens->term.count + 1, sizeof(size_t));
	*rows = ml_alloc0(env, (size_t) tokens->term.count + 1, sizeof(size_t));
	if (*total == NULL || *rows == NULL)
		return env->error.status;
	for (size_t i = 0; i < n_train; i++)
	{
		int32_t		text = column->code[order[i]];

		if (i % 65536 == 0 && ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		if (text < 0)
			continue;
		for (size_t at = tokens->start[text]; at < tokens->start[text + 1]; at++)
		{
			(*total)[tokens->code[at]] += (size_t) tokens->count[at];
			(*rows)[tokens->code[at]]++;
		}
	}
	return ML_OK;
}

/* A bound on rows: a number of them, or below 1 a share. */
static double
rows_of(double bound, size_t n_train)
{
	return bound < 1 ? bound * (double) n_train : bound;
}

/*
 * The terms that become columns, in byte order: of those that are in enough rows and not in too many
 * the most frequent ones, of equals the first in byte order.
 */
static MlStatus
choose(MlEnv *env, const MlStep *step, MlTokens *tokens, const size_t *total, const size_t *rows, size_t n_train)
{
	double		least = rows_of(step->low, n_train);
	double		most = rows_of(step->high, n_train);
	int32_t		count = tokens->term.count;
	int32_t    *order = ml_alloc(env, (size_t) count + 1, sizeof(int32_t));
	int32_t    *slot_of = ml_alloc(env, (size_t) count + 1, sizeof(int32_t));
	MlKeyed    *items = ml_alloc(env, (size_t) count + 1, sizeof(MlKeyed));
	size_t		n = 0;

	if (order == NULL || slot_of == NULL || items == NULL)
		return env->error.status;
	ML_TRY(ml_sort_texts(env, (size_t) count, tokens->term.text, tokens->term.length, order));
	for (int32_t i = 0; i < count; i++)
	{
		int32_t		t = order[i];

		slot_of[t] = -1;
		if (rows[t] > 0 && (double) rows[t] >= least && (double) rows[t] <= most)
			items[n++] = (MlKeyed) {~(uint64_t) total[t], (uint64_t) t};
	}
	ML_TRY(ml_sort_keyed(env, items, n));
	for (size_t i = 0; i < n && i < (size_t) step->n; i++)
		slot_of[items[i].row] = 0;
	tokens->n_slots = (int32_t) (n < (size_t) step->n ? n : (size_t) step->n);
	tokens->slot_name = ml_alloc(env, (size_t) tokens->n_slots + 1, sizeof(char *));
	if (tokens->slot_name == NULL)
		return env->error.status;
	n = 0;
	for (int32_t i = 0; i < count; i++)
	{
		if (slot_of[order[i]] < 0)
			continue;
		tokens->slot_name[n] = tokens->term.text[order[i]];
		slot_of[order[i]] = (int32_t) n++;
	}
	tokens->slot_of = slot_of;
	ml_release(env, order);
	ml_release(env, items);
	return ML_OK;
}

static MlStatus
choose_buckets(MlEnv *env, const MlStep *step, MlTokens *tokens)
{
	int32_t    *slot_of = ml_alloc(env, (size_t) tokens->term.count + 1, sizeof(int32_t));

	tokens->slot_name = ml_alloc(env, (size_t) step->n, sizeof(char *));
	if (slot_of == NULL || tokens->slot_name == NULL)
		return env->error.status;
	for (int32_t t = 0; t < tokens->term.count; t++)
		slot_of[t] = ml_text_bucket(tokens->term.text[t], tokens->term.length[t], step->n);
	for (int32_t s = 0; s < step->n; s++)
	{
		tokens->slot_name[s] = ml_printf(env, "#%d", s);
		if (tokens->slot_name[s] == NULL)
			return env->error.status;
	}
	tokens->hashed = true;
	tokens->n_slots = step->n;
	tokens->slot_of = slot_of;
	return ML_OK;
}

MlStatus
ml_prep_choose_terms(MlEnv *env, const MlPrepSpec *spec, MlFrame *frame, const size_t *order, size_t n_train)
{
	for (int c = 0; c < frame->n_columns; c++)
	{
		MlColumn   *column = &frame->columns[c];
		const MlPrepColumn *steps = ml_prep_of(spec, column->spec.source_column);
		size_t	   *total;
		size_t	   *rows;

		if (column->tokens == NULL || column->tokens->slot_of != NULL || steps == NULL || (column->spec.roles & ML_ROLE_FEATURE) == 0)
			continue;
		if (steps->steps[0].kind == ML_STEP_HASHED_TFIDF)
		{
			ML_TRY(choose_buckets(env, &steps->steps[0], column->tokens));
			continue;
		}
		ML_TRY(count_all(env, column, order, n_train, &total, &rows));
		ML_TRY(choose(env, &steps->steps[0], column->tokens, total, rows, n_train));
		ml_release(env, total);
		ml_release(env, rows);
	}
	return ML_OK;
}

/* ------------------------------------------------------------------------
 * Counts, as sparse columns
 * ------------------------------------------------------------------------
 */

typedef struct Filler
{
	MlSparse   *sparse;
	uint32_t  **row;			/* NULL while entries are only counted */
	double	  **value;
	size_t	   *last;			/* by slot: 1 + the row of its newest entry */
} Filler;

/* One more of a term in a row; of terms that share a bucket the counts add up. */
static void
add_count(Filler *f, int32_t slot, size_t row, int32_t count)
{
	MlSparse   *s = &f->sparse[slot];

	if (f->last[slot] != row + 1)
	{
		if (f->row != NULL)
		{
			f->row[slot][s->n] = (uint32_t) row;
			f->value[slot][s->n] = 0;
		}
		s->n++;
		f->last[slot] = row + 1;
	}
	if (f->row != NULL)
		f->value[slot][s->n - 1] += count;
}

static MlStatus
count_rows(MlEnv *env, Filler *f, const MlColumn *column, const int32_t *slot_of, const size_t *order, size_t n)
{
	const MlTokens *tokens = column->tokens;

	for (size_t i = 0; i < n; i++)
	{
		int32_t		text = column->code[order != NULL ? order[i] : i];

		if (i % 65536 == 0 && ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		for (size_t at = text < 0 ? 0 : tokens->start[text]; at < (text < 0 ? 0 : tokens->start[text + 1]); at++)
		{
			int32_t		slot = slot_of[tokens->code[at]];

			if (slot >= 0)
				add_count(f, slot, i, tokens->count[at]);
		}
	}
	return ML_OK;
}

MlStatus
ml_prep_count_terms(MlEnv *env, const MlColumn *column, const int32_t *slot_of, int32_t n_slots, const size_t *order, size_t n, MlSparse *sparse)
{
	Filler		f = {.sparse = sparse};
	uint32_t  **row = ml_alloc(env, (size_t) n_slots + 1, sizeof(uint32_t *));
	double	  **value = ml_alloc(env, (size_t) n_slots + 1, sizeof(double *));
	uint32_t   *all_rows;
	double	   *all_values;
	size_t		total = 0;

	if (n > UINT32_MAX)
		return ml_fail(env, ML_TOO_LARGE, "%zu rows are too many for columns of terms", n);
	f.last = ml_alloc0(env, (size_t) n_slots + 1, sizeof(size_t));
	if (row == NULL || value == NULL || f.last == NULL)
		return env->error.status;
	ML_TRY(count_rows(env, &f, column, slot_of, order, n));
	for (int32_t s = 0; s < n_slots; s++)
		total += sparse[s].n;
	all_rows = ml_alloc(env, total + 1, sizeof(uint32_t));
	all_values = ml_alloc(env, total + 1, sizeof(double));
	if (all_rows == NULL || all_values == NULL)
		return env->error.status;
	for (int32_t s = 0; s < n_slots; s++)
	{
		sparse[s].row = row[s] = all_rows;
		sparse[s].value = value[s] = all_values;
		all_rows += sparse[s].n;
		all_values += sparse[s].n;
		sparse[s].n = 0;
	}
	f.row = row;
	f.value = value;
	memset(f.last, 0, (size_t) n_slots * sizeof(size_t));
	ML_TRY(count_rows(env, &f, column, slot_of, order, n));
	ml_release(env, f.last);
	return ML_OK;
}

/* ------------------------------------------------------------------------
 * Features of the input
 * ------------------------------------------------------------------------
 */

static MlStatus
describe_input(MlEnv *env, const MlColumn *column, const MlTextInput **result)
{
	const MlTokens *tokens = column->tokens;
	MlTextInput *input = ml_alloc0(env, 1, sizeof(MlTextInput));
	MlFeature  *terms;

	if (input == NULL)
		return env->error.status;
	input->tokens = *column->spec.tokens;
	input->n = tokens->n_slots;
	input->hashed = tokens->hashed;
	if (!tokens->hashed)
	{
		input->terms = terms = ml_alloc0(env, 1, sizeof(MlFeature));
		if (terms == NULL)
			return env->error.status;
		terms->levels = tokens->n_slots;
		terms->level = tokens->slot_name;
		ML_TRY(ml_level_index(env, terms->level, terms->levels, &terms->index));
	}
	*result = input;
	return ML_OK;
}

static MlStatus
add_column_terms(MlEnv *env, const MlColumn *column, const size_t *order, size_t n, MlFeature *feature, MlDataColumn *data)
{
	const MlTokens *tokens = column->tokens;
	MlSparse   *sparse = ml_alloc0(env, (size_t) tokens->n_slots, sizeof(MlSparse));
	const MlTextInput *input = NULL;

	if (sparse == NULL)
		return env->error.status;
	ML_TRY(describe_input(env, column, &input));
	ML_TRY(ml_prep_count_terms(env, column, tokens->slot_of, tokens->n_slots, order, n, sparse));
	for (int32_t s = 0; s < tokens->n_slots; s++)
	{
		feature[s] = (MlFeature) {
			.name = ml_printf(env, "%s: %s", column->spec.source_column, tokens->slot_name[s]), .source_column = column->spec.source_column,
			.element = s + 1, .elements = tokens->n_slots, .type_name = column->spec.type_name, .logical = ML_LOGICAL_TEXT,
			.kind = ML_FEATURE_NUMBER, .text = input
		};
		if (feature[s].name == NULL)
			return env->error.status;
		data[s] = (MlDataColumn) {.sparse = &sparse[s]};
	}
	return ML_OK;
}

MlStatus
ml_prep_add_terms(MlEnv *env, const MlFrame *frame, const size_t *order, size_t n, MlSchema *schema, MlDataColumn **columns)
{
	size_t		total = (size_t) schema->n_features;
	MlFeature  *features;
	MlDataColumn *data;

	for (int c = 0; c < frame->n_columns; c++)
	{
		const MlColumn *column = &frame->columns[c];

		if (column->tokens != NULL && (column->spec.roles & ML_ROLE_FEATURE) != 0)
			total += (size_t) column->tokens->n_slots;
	}
	if (total == (size_t) schema->n_features)
		return ML_OK;
	if (total > ML_PREP_MAX_COLUMNS)
		return ml_fail(env, ML_TOO_LARGE, "texts make more than %d columns", ML_PREP_MAX_COLUMNS);
	features = ml_alloc(env, total, sizeof(MlFeature));
	data = ml_alloc(env, total, sizeof(MlDataColumn));
	if (features == NULL || data == NULL)
		return env->error.status;
	memcpy(features, schema->features, (size_t) schema->n_features * sizeof(MlFeature));
	memcpy(data, *columns, (size_t) schema->n_features * sizeof(MlDataColumn));
	schema->features = features;
	*columns = data;
	for (int c = 0; c < frame->n_columns; c++)
	{
		const MlColumn *column = &frame->columns[c];

		if (column->tokens == NULL || (column->spec.roles & ML_ROLE_FEATURE) == 0 || column->tokens->n_slots == 0)
			continue;
		ML_TRY(add_column_terms(env, column, order, n, features + schema->n_features, data + schema->n_features));
		schema->n_features += column->tokens->n_slots;
	}
	return ML_OK;
}

/* ------------------------------------------------------------------------
 * Weights
 * ------------------------------------------------------------------------
 */

static MlStatus
fit_idf(MlPrepFit *fit, const MlStep *step, int f, MlPrepOp *op)
{
	size_t		n_train = fit->in->n_train;
	double	   *idf = ml_alloc(fit->env, (size_t) op->n_out, sizeof(double));

	if (idf == NULL)
		return fit->env->error.status;
	for (int32_t t = 0; t < op->n_out; t++)
	{
		double		rows = (double) ml_sparse_find(fit->in->columns[f + t].sparse, n_train);

		idf[t] = ml_log((1 + (double) n_train) / (1 + rows)) + 1;
	}
	op->number = idf;
	op->n_numbers = op->n_out;
	op->flag = (uint8_t) ((step->sublinear ? ML_TFIDF_SUBLINEAR : 0) | (step->unscaled ? 0 : ML_TFIDF_NORM));
	return ML_OK;
}

/* The weights of all rows. Squares are added up in the order of the terms, as ml_prep_op() does it, so lengths have its bits. */
static MlStatus
weigh_rows(MlPrepFit *fit, const MlPrepOp *op, int f, MlSparse *out)
{
	MlEnv	   *env = fit->env;
	double	   *length = ml_alloc0(env, fit->n, sizeof(double));
	size_t		total = 0;
	size_t		since = 0;
	double	   *all;

	for (int32_t t = 0; t < op->n_out; t++)
		total += fit->in->columns[f + t].sparse->n;
	all = ml_alloc(env, total + 1, sizeof(double));
	if (length == NULL || all == NULL)
		return env->error.status;
	for (int32_t t = 0; t < op->n_out; t++)
	{
		const MlSparse *counts = fit->in->columns[f + t].sparse;

		since += counts->n;
		if (since > 1000000)
		{
			since = 0;
			if (ml_canceled(env))
				return ml_fail(env, ML_CANCELED, "canceled");
		}
		out[t] = (MlSparse) {counts->n, counts->row, all};
		for (size_t i = 0; i < counts->n; i++)
		{
			all[i] = ml_prep_term(op, t, counts->value[i]);
			length[counts->row[i]] += all[i] * all[i];
		}
		all += counts->n;
	}
	if ((op->flag & ML_TFIDF_NORM) != 0)
	{
		for (size_t i = 0; i < fit->n; i++)
			length[i] = length[i] > 0 ? sqrt(length[i]) : 1;
		for (int32_t t = 0; t < op->n_out; t++)
			for (size_t i = 0; i < out[t].n; i++)
				((double *) out[t].value)[i] /= length[out[t].row[i]];
	}
	ml_release(env, length);
	return ML_OK;
}

MlStatus
ml_prep_tfidf(MlPrepFit *fit, const MlStep *step, int f, MlPrepParts *next)
{
	MlEnv	   *env = fit->env;
	const MlFeature *features = fit->in->schema->features;
	MlPrepOp	op = {.kind = ML_OP_TFIDF, .in = f, .n_out = features[f].elements};
	MlSparse   *sparse = ml_alloc0(env, (size_t) op.n_out, sizeof(MlSparse));
	MlPrepOp   *kept = NULL;
	int32_t		out;

	if (sparse == NULL)
		return env->error.status;
	ML_TRY(fit_idf(fit, step, f, &op));
	ML_TRY(ml_prep_add_op(fit, &op, &kept));
	out = kept->out;
	ML_TRY(weigh_rows(fit, kept, f, sparse));
	for (int32_t t = 0; t < op.n_out; t++)
	{
		MlPrepPart	made = {.slot = out + t, .feature = ml_prep_number(&features[f + t], features[f + t].name), .data = {.sparse = &sparse[t]}, .owned = true};

		made.feature.element = made.feature.elements = 0;
		ML_TRY(ml_prep_add_part(env, next, &made));
	}
	return ML_OK;
}
