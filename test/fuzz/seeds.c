/*-------------------------------------------------------------------------
 * seeds.c
 *	  Writes one small image of every algorithm and task into a directory.
 *-------------------------------------------------------------------------
 */
#include "../unit/image.h"

int
main(int argc, char **argv)
{
	int			written = 0;

	if (argc != 2)
		return 2;
	for (const MlMethod *const *method = ml_methods; *method != NULL; method++)
	{
		for (int target = 0; target < TINY_TARGETS; target++)
		{
			TestImage	image;
			char		path[4096];
			FILE	   *file;

			if (!tiny_method_can(*method, (TinyTarget) target))
				continue;
			image = image_make(*method, (TinyTarget) target);
			snprintf(path, sizeof(path), "%s/%s_%d", argv[1], (*method)->name, target);
			file = fopen(path, "wb");
			if (image.length == 0 || file == NULL || fwrite(image.bytes, 1, image.length, file) != image.length || fclose(file) != 0)
			{
				fprintf(stderr, "cannot make the seed %s\n", path);
				return 1;
			}
			free(image.bytes);
			written++;
		}
	}
	printf("%d seeds\n", written);
	return written > 0 ? 0 : 1;
}
