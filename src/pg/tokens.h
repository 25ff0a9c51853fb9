/*-------------------------------------------------------------------------
 * tokens.h
 *	  Texts cut into terms by a text search configuration.
 *
 * A term is a lexeme, or some that follow one another, joined by a blank; stop words leave no trace, as in
 * to_tsvector().  The configuration is named by its qualified name and looked up when
 * it is used; training and serving cut in the same way.
 */
#ifndef ML_PG_TOKENS_H
#define ML_PG_TOKENS_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "ml/data/frame.h"

/* Qualified and quoted; 42704 with a hint when there is none of this name. */
extern char *ml_tokens_config(const char *name);

typedef struct MlTokenizer
{
	MlTokenSpec spec;
	Oid			config;
	StringInfoData term;		/* the one being put together */
} MlTokenizer;

/* In the current memory context. The configuration is to be found before each use that may be another statement: 42704 when it is gone. */
extern void ml_tokenizer_init(MlTokenizer *tokenizer, const MlTokenSpec *spec);
extern void ml_tokenizer_find(MlTokenizer *tokenizer);

/* Calls back for every term, as often as it occurs.  Allocates in the current memory context, which should be a short one. */
typedef void (*MlTermFunction) (void *state, const char *term, size_t length);
extern void ml_tokenize(MlTokenizer *tokenizer, const char *text, size_t length, MlTermFunction found, void *state);

/* Cuts the texts of all columns of a frame that ask for it. */
extern void ml_tokens_of_frame(MlEnv *env, MlFrame *frame);

#endif							/* ML_PG_TOKENS_H */
