/*-------------------------------------------------------------------------
 * bytes.c
 *	  Writing and reading of model images.
 *
 * Bytes are put together with shifts, which a compiler turns into one move on a
 * little-endian machine; blocks of doubles are copied at once there.
 *-------------------------------------------------------------------------
 */
#include "ml/base/bytes.h"

#include <math.h>
#include <string.h>

#include "ml/base/arena.h"

#define LITTLE_ENDIAN_HOST (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

void
ml_writer_init(MlWriter *w, MlEnv *env)
{
	memset(w, 0, sizeof(*w));
	w->env = env;
}

/* Room for some more bytes; NULL once something has failed. */
static uint8_t *
writer_room(MlWriter *w, size_t more)
{
	size_t		needed;
	uint8_t    *room;

	if (w->status != ML_OK)
		return NULL;
	if (!ml_add_size(w->length, more, &needed))
	{
		w->status = ml_fail(w->env, ML_TOO_LARGE, "a model image is too large");
		return NULL;
	}
	if (needed > w->capacity)
	{
		size_t		capacity = w->capacity < 512 ? 1024 : w->capacity * 2;
		uint8_t    *bytes;

		if (capacity < needed)
			capacity = needed;
		bytes = ml_alloc(w->env, capacity, 1);
		if (bytes == NULL)
		{
			w->status = w->env->error.status;
			return NULL;
		}
		if (w->length > 0)
			memcpy(bytes, w->bytes, w->length);
		ml_release(w->env, w->bytes);
		w->bytes = bytes;
		w->capacity = capacity;
	}
	room = w->bytes + w->length;
	w->length = needed;
	return room;
}

static void
put_little(MlWriter *w, uint64_t v, int size)
{
	uint8_t    *room = writer_room(w, (size_t) size);

	if (room == NULL)
		return;
	for (int i = 0; i < size; i++)
		room[i] = (uint8_t) (v >> (8 * i));
}

void
ml_put_u8(MlWriter *w, uint8_t v)
{
	put_little(w, v, 1);
}

void
ml_put_u16(MlWriter *w, uint16_t v)
{
	put_little(w, v, 2);
}

void
ml_put_u32(MlWriter *w, uint32_t v)
{
	put_little(w, v, 4);
}

void
ml_put_u64(MlWriter *w, uint64_t v)
{
	put_little(w, v, 8);
}

void
ml_put_i32(MlWriter *w, int32_t v)
{
	put_little(w, (uint32_t) v, 4);
}

void
ml_put_double(MlWriter *w, double v)
{
	uint64_t	bits;

	memcpy(&bits, &v, 8);
	put_little(w, bits, 8);
}

void
ml_put_bytes(MlWriter *w, const void *data, size_t length)
{
	uint8_t    *room = writer_room(w, length);

	if (room != NULL && length > 0)
		memcpy(room, data, length);
}

void
ml_put_doubles(MlWriter *w, const double *v, size_t count)
{
	if (LITTLE_ENDIAN_HOST)
		ml_put_bytes(w, v, count * sizeof(double));
	else
	{
		for (size_t i = 0; i < count; i++)
			ml_put_double(w, v[i]);
	}
}

void
ml_put_text(MlWriter *w, const char *text)
{
	size_t		length;

	if (text == NULL)
	{
		ml_put_u32(w, UINT32_MAX);
		return;
	}
	length = strlen(text);
	if (length >= UINT32_MAX)
	{
		if (w->status == ML_OK)
			w->status = ml_fail(w->env, ML_TOO_LARGE, "a text of %zu bytes does not fit a model image", length);
		return;
	}
	ml_put_u32(w, (uint32_t) length);
	ml_put_bytes(w, text, length);
}

void
ml_reader_init(MlReader *r, MlEnv *env, const void *bytes, size_t length)
{
	r->env = env;
	r->bytes = bytes;
	r->length = length;
	r->offset = 0;
	r->status = ML_OK;
}

MlStatus
ml_reader_corrupt(MlReader *r, const char *what)
{
	if (r->status == ML_OK)
		r->status = ml_fail(r->env, ML_CORRUPT, "the model image is damaged: %s", what);
	return r->status;
}

MlStatus
ml_reader_end(MlReader *r)
{
	if (r->status == ML_OK && r->offset != r->length)
		ml_reader_corrupt(r, "bytes are left over at the end");
	return r->status;
}

const uint8_t *
ml_get_bytes(MlReader *r, size_t length)
{
	const uint8_t *bytes;

	if (r->status != ML_OK)
		return NULL;
	if (length > r->length - r->offset)
	{
		ml_reader_corrupt(r, "it ends too early");
		return NULL;
	}
	bytes = r->bytes + r->offset;
	r->offset += length;
	return bytes;
}

static uint64_t
get_little(MlReader *r, int size)
{
	const uint8_t *bytes = ml_get_bytes(r, (size_t) size);
	uint64_t	v = 0;

	if (bytes == NULL)
		return 0;
	for (int i = 0; i < size; i++)
		v |= (uint64_t) bytes[i] << (8 * i);
	return v;
}

uint8_t
ml_get_u8(MlReader *r)
{
	return (uint8_t) get_little(r, 1);
}

uint16_t
ml_get_u16(MlReader *r)
{
	return (uint16_t) get_little(r, 2);
}

uint32_t
ml_get_u32(MlReader *r)
{
	return (uint32_t) get_little(r, 4);
}

uint64_t
ml_get_u64(MlReader *r)
{
	return get_little(r, 8);
}

int32_t
ml_get_i32(MlReader *r)
{
	return (int32_t) (uint32_t) get_little(r, 4);
}

double
ml_get_double(MlReader *r)
{
	uint64_t	bits = get_little(r, 8);
	double		v;

	memcpy(&v, &bits, 8);
	return v;
}

double
ml_get_finite(MlReader *r)
{
	double		v = ml_get_double(r);

	if (isfinite(v))
		return v;
	ml_reader_corrupt(r, "a number is not finite");
	return 0;
}

double *
ml_get_doubles(MlReader *r, size_t count)
{
	size_t		length;
	const uint8_t *bytes;
	double	   *v;

	if (!ml_mul_size(count, sizeof(double), &length))
	{
		ml_reader_corrupt(r, "a count is too large");
		return NULL;
	}
	bytes = ml_get_bytes(r, length);
	if (bytes == NULL)
		return NULL;
	v = ml_alloc(r->env, count, sizeof(double));
	if (v == NULL)
	{
		r->status = r->env->error.status;
		return NULL;
	}
	if (LITTLE_ENDIAN_HOST)
		memcpy(v, bytes, length);
	else
	{
		r->offset -= length;
		for (size_t i = 0; i < count; i++)
			v[i] = ml_get_double(r);
	}
	for (size_t i = 0; i < count; i++)
	{
		if (!isfinite(v[i]))
		{
			ml_reader_corrupt(r, "a number is not finite");
			return NULL;
		}
	}
	return v;
}

const char *
ml_get_text(MlReader *r)
{
	uint32_t	length = ml_get_u32(r);
	const uint8_t *bytes;
	char	   *text;

	if (r->status != ML_OK || length == UINT32_MAX)
		return NULL;
	bytes = ml_get_bytes(r, length);
	if (bytes == NULL)
		return NULL;
	if (memchr(bytes, '\0', length) != NULL)
	{
		ml_reader_corrupt(r, "a text contains a zero byte");
		return NULL;
	}
	text = ml_strndup(r->env, (const char *) bytes, length);
	if (text == NULL)
		r->status = r->env->error.status;
	return text;
}

uint32_t
ml_get_count(MlReader *r, size_t min_size)
{
	uint32_t	count = ml_get_u32(r);
	size_t		bytes;

	if (r->status != ML_OK)
		return 0;
	if (!ml_mul_size(count, min_size, &bytes) || bytes > r->length - r->offset)
	{
		ml_reader_corrupt(r, "it announces more than it holds");
		return 0;
	}
	return count;
}
