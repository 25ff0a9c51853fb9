/*-------------------------------------------------------------------------
 * fuzz_model.c
 *	  Any bytes as a model image: loaded, and run if they load.
 *
 * Length and checksum are made to fit first, for otherwise nothing but the
 * header would be tried.  Every algorithm in the list is reached through the
 * seeds that seeds.c makes.
 *-------------------------------------------------------------------------
 */
#include "../unit/image.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t    *copy = malloc(size == 0 ? 1 : size);
	MlStatus	status;

	memcpy(copy, data, size);
	image_patch(copy, size);
	status = image_try(copy, size, NULL);
	free(copy);
	if (status != ML_OK && status != ML_CORRUPT && status != ML_NEWER_FORMAT && status != ML_OVER_BUDGET)
		abort();
	return 0;
}
