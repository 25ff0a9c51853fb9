/*-------------------------------------------------------------------------
 * tokens.c
 *	  Texts cut into terms by a text search configuration.
 *
 * Each different text of a column is cut once, whatever number of rows has it.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_ts_config.h"
#include "miscadmin.h"
#include "tsearch/ts_cache.h"
#include "tsearch/ts_type.h"
#include "tsearch/ts_utils.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

#include "ml/base/arena.h"
#include "ml/base/text.h"
#include "ml/data/dictionary.h"
#include "pg/error.h"
#include "pg/names.h"
#include "pg/tokens.h"

static void
report_no_config(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("text search configuration \"%s\" does not exist", name),
			 errhint("SELECT cfgname FROM pg_ts_config lists those that there are.")));
}

static Oid
find_config(const char *name)
{
	Oid			config = get_ts_config_oid(stringToQualifiedNameList(name), true);

	if (!OidIsValid(config))
		report_no_config(name);
	return config;
}

char *
ml_tokens_config(const char *name)
{
	HeapTuple	tuple = SearchSysCache1(TSCONFIGOID, ObjectIdGetDatum(find_config(name)));
	Form_pg_ts_config config;
	char	   *qualified;

	if (!HeapTupleIsValid(tuple))
		report_no_config(name);
	config = (Form_pg_ts_config) GETSTRUCT(tuple);
	qualified = ml_qualified_name(get_namespace_name(config->cfgnamespace), NameStr(config->cfgname));
	ReleaseSysCache(tuple);
	return qualified;
}

void
ml_tokenizer_init(MlTokenizer *tokenizer, const MlTokenSpec *spec)
{
	tokenizer->spec = *spec;
	tokenizer->config = InvalidOid;
	initStringInfo(&tokenizer->term);
}

void
ml_tokenizer_find(MlTokenizer *tokenizer)
{
	tokenizer->config = find_config(tokenizer->spec.config);
}

/* Whether a lexeme is another reading of the word before it: it does not follow that one in the text. */
static bool
is_variant(const ParsedText *words, int i)
{
	return i > 0 && words->words[i].pos.pos == words->words[i - 1].pos.pos && words->words[i].pos.pos < MAXENTRYPOS - 1;
}

/* Terms of two words and more. */
static void
join_words(MlTokenizer *tokenizer, const ParsedText *words, const int *place, int n, MlTermFunction found, void *state)
{
	for (int length = Max(tokenizer->spec.min_words, 2); length <= tokenizer->spec.max_words; length++)
	{
		for (int first = 0; first + length <= n; first++)
		{
			resetStringInfo(&tokenizer->term);
			for (int i = first; i < first + length; i++)
			{
				const ParsedWord *word = &words->words[place[i]];

				if (i > first)
					appendStringInfoChar(&tokenizer->term, ' ');
				appendBinaryStringInfo(&tokenizer->term, word->word, word->len);
			}
			found(state, tokenizer->term.data, tokenizer->term.len);
		}
	}
}

void
ml_tokenize(MlTokenizer *tokenizer, const char *text, size_t length, MlTermFunction found, void *state)
{
	ParsedText	words = {0};
	int		   *place;
	int			n = 0;

	if (length == 0)
		return;
	words.lenwords = Max(length / 6, 16);
	words.words = palloc_extended(sizeof(ParsedWord) * words.lenwords, MCXT_ALLOC_HUGE);
	parsetext(tokenizer->config, &words, unconstify(char *, text), length);
	place = palloc_extended(sizeof(int) * Max(words.curwords, 1), MCXT_ALLOC_HUGE);
	for (int i = 0; i < words.curwords; i++)
	{
		if (tokenizer->spec.min_words == 1)
			found(state, words.words[i].word, words.words[i].len);
		if (!is_variant(&words, i))
			place[n++] = i;
	}
	if (tokenizer->spec.max_words > 1)
		join_words(tokenizer, &words, place, n, found, state);
}

/* ------------------------------------------------------------- a frame */

/* Terms of one column as they are found, text after text. */
typedef struct Collector
{
	MlEnv	   *env;
	MlDictionaryBuilder term;
	int32_t    *found;			/* codes of the text at hand, with repetitions */
	size_t		n_found;
	size_t		room_found;
	size_t		n;				/* entries of all texts so far */
	size_t		room;
	int32_t    *code;
	int32_t    *count;
} Collector;

/* Room for one more in an array in the arena. */
static void *
grown(MlEnv *env, void *array, size_t used, size_t *room, size_t wanted, size_t width)
{
	void	   *larger;

	if (wanted <= *room)
		return array;
	*room = Max(2 * *room, Max(wanted, 1024));
	larger = ml_alloc(env, *room, width);
	if (larger == NULL)
		ml_check(env, env->error.status);
	if (used > 0)
		memcpy(larger, array, used * width);
	ml_release(env, array);
	return larger;
}

static void
collect(void *state, const char *term, size_t length)
{
	Collector  *c = state;

	c->found = grown(c->env, c->found, c->n_found, &c->room_found, c->n_found + 1, sizeof(int32_t));
	ml_check(c->env, ml_dictionary_code(c->env, &c->term, ml_hash_bytes(0, term, length), term, length, &c->found[c->n_found]));
	c->n_found++;
}

static int
compare_codes(const void *a, const void *b)
{
	int32_t		x = *(const int32_t *) a;
	int32_t		y = *(const int32_t *) b;

	return (x > y) - (x < y);
}

/* What was found in a text, each term once with its count. */
static void
end_text(Collector *c)
{
	size_t		room = c->room;

	qsort(c->found, c->n_found, sizeof(int32_t), compare_codes);
	c->code = grown(c->env, c->code, c->n, &room, c->n + c->n_found, sizeof(int32_t));
	c->count = grown(c->env, c->count, c->n, &c->room, c->n + c->n_found, sizeof(int32_t));
	for (size_t i = 0; i < c->n_found; i++)
	{
		if (i > 0 && c->found[i] == c->found[i - 1])
			c->count[c->n - 1]++;
		else
		{
			c->code[c->n] = c->found[i];
			c->count[c->n++] = 1;
		}
	}
	c->n_found = 0;
}

static MlTokens *
cut_column(MlEnv *env, const MlColumn *column, MemoryContext context)
{
	const MlDictionary *texts = &column->dictionary;
	MlTokens   *tokens = ml_alloc0(env, 1, sizeof(MlTokens));
	size_t	   *start = ml_alloc(env, (size_t) texts->count + 1, sizeof(size_t));
	Collector	c = {.env = env};
	MlTokenizer tokenizer;

	if (tokens == NULL || start == NULL)
		ml_check(env, env->error.status);
	ml_tokenizer_init(&tokenizer, column->spec.tokens);
	ml_tokenizer_find(&tokenizer);
	for (int32_t t = 0; t < texts->count; t++)
	{
		MemoryContext caller = MemoryContextSwitchTo(context);

		CHECK_FOR_INTERRUPTS();
		start[t] = c.n;
		ml_tokenize(&tokenizer, texts->text[t], texts->length[t], collect, &c);
		end_text(&c);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(context);
	}
	start[texts->count] = c.n;
	ml_dictionary_finish(env, &c.term, &tokens->term);
	ml_release(env, c.found);
	tokens->start = start;
	tokens->code = c.code;
	tokens->count = c.count;
	return tokens;
}

void
ml_tokens_of_frame(MlEnv *env, MlFrame *frame)
{
	MemoryContext context = NULL;

	for (int c = 0; c < frame->n_columns; c++)
	{
		MlColumn   *column = &frame->columns[c];

		if (column->spec.tokens == NULL || column->code == NULL)
			continue;
		if (context == NULL)
			context = AllocSetContextCreate(CurrentMemoryContext, "mlplat words", ALLOCSET_DEFAULT_SIZES);
		column->tokens = cut_column(env, column, context);
	}
	if (context != NULL)
		MemoryContextDelete(context);
}
