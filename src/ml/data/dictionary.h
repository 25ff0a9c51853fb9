/*-------------------------------------------------------------------------
 * dictionary.h
 *	  Texts of one column while it is read: text -> code in order of appearance.
 *-------------------------------------------------------------------------
 */
#ifndef ML_DATA_DICTIONARY_H
#define ML_DATA_DICTIONARY_H

#include "ml/data/frame.h"

typedef struct MlDictionarySlot
{
	uint32_t	hash;
	int32_t		code;			/* -1: free */
} MlDictionarySlot;

typedef struct MlDictionaryBuilder
{
	int32_t		count;
	size_t		capacity;		/* of text and length */
	const char **text;
	uint32_t   *length;
	size_t		mask;			/* slots - 1; 0 while there are none */
	MlDictionarySlot *slots;
} MlDictionaryBuilder;

/* The code of a text, a new one if need be.  hash: ml_hash_bytes of the text.  ML_TOO_LARGE beyond 2^31-1 texts. */
extern MlStatus ml_dictionary_code(MlEnv *env, MlDictionaryBuilder *d, uint64_t hash, const char *text, size_t length, int32_t *code);

/* Hands over the texts and gives the rest back. */
extern void ml_dictionary_finish(MlEnv *env, MlDictionaryBuilder *d, MlDictionary *dictionary);

#endif							/* ML_DATA_DICTIONARY_H */
