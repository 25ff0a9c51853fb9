/*-------------------------------------------------------------------------
 * dictionary.c
 *	  Texts of one column while it is read.
 *
 * Open addressing with linear probing, at most half full; slots keep 32 bits
 * of the hash, so that growing never reads the texts again.
 *-------------------------------------------------------------------------
 */
#include "ml/data/dictionary.h"

#include <string.h>

#include "ml/base/arena.h"

#define FIRST_CAPACITY 16

static void
put(MlDictionaryBuilder *d, MlDictionarySlot slot)
{
	size_t		i = slot.hash & d->mask;

	while (d->slots[i].code >= 0)
		i = (i + 1) & d->mask;
	d->slots[i] = slot;
}

static MlStatus
grow_slots(MlEnv *env, MlDictionaryBuilder *d, size_t n_slots)
{
	MlDictionarySlot *old = d->slots;
	size_t		n_old = old == NULL ? 0 : d->mask + 1;

	d->slots = ml_alloc(env, n_slots, sizeof(MlDictionarySlot));
	if (d->slots == NULL)
	{
		d->slots = old;
		return env->error.status;
	}
	memset(d->slots, 0xFF, n_slots * sizeof(MlDictionarySlot));
	d->mask = n_slots - 1;
	for (size_t i = 0; i < n_old; i++)
	{
		if (old[i].code >= 0)
			put(d, old[i]);
	}
	ml_release(env, old);
	return ML_OK;
}

/* Room for one more text, its length and its slot. */
static MlStatus
grow(MlEnv *env, MlDictionaryBuilder *d)
{
	size_t		capacity = d->capacity == 0 ? FIRST_CAPACITY : 2 * d->capacity;
	const char **text = ml_alloc(env, capacity, sizeof(char *));
	uint32_t   *length = ml_alloc(env, capacity, sizeof(uint32_t));

	if (text == NULL || length == NULL)
		return env->error.status;
	if (d->count > 0)
	{
		memcpy(text, d->text, (size_t) d->count * sizeof(char *));
		memcpy(length, d->length, (size_t) d->count * sizeof(uint32_t));
	}
	ml_release(env, d->text);
	ml_release(env, d->length);
	d->text = text;
	d->length = length;
	d->capacity = capacity;
	return grow_slots(env, d, 2 * capacity);
}

MlStatus
ml_dictionary_code(MlEnv *env, MlDictionaryBuilder *d, uint64_t hash64, const char *text, size_t length, int32_t *code)
{
	uint32_t	hash = (uint32_t) hash64;

	if (d->slots != NULL)
	{
		for (size_t i = hash & d->mask; d->slots[i].code >= 0; i = (i + 1) & d->mask)
		{
			int32_t		c = d->slots[i].code;

			if (d->slots[i].hash == hash && d->length[c] == length && memcmp(d->text[c], text, length) == 0)
			{
				*code = c;
				return ML_OK;
			}
		}
	}
	if (d->count == INT32_MAX || length >= UINT32_MAX)
		return ml_fail(env, ML_TOO_LARGE, "a column has more than %d different texts, or one that is too long", INT32_MAX);
	if ((size_t) d->count == d->capacity)
		ML_TRY(grow(env, d));
	d->text[d->count] = ml_strndup(env, text, length);
	if (d->text[d->count] == NULL)
		return env->error.status;
	d->length[d->count] = (uint32_t) length;
	*code = d->count++;
	put(d, (MlDictionarySlot)
		{
			hash, *code
		});
	return ML_OK;
}

void
ml_dictionary_finish(MlEnv *env, MlDictionaryBuilder *d, MlDictionary *dictionary)
{
	ml_release(env, d->slots);
	d->slots = NULL;
	dictionary->count = d->count;
	dictionary->text = d->text;
	dictionary->length = d->length;
}
