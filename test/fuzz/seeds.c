/*-------------------------------------------------------------------------
 * seeds.c
 *	  Writes small images of every algorithm and task, one of them behind an encoding, into a directory.
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
		for (int kind = 0; kind < 2 * TINY_TARGETS; kind++)
		{
			int			target = kind % TINY_TARGETS;
			TestImage	image;
			char		path[4096];
			FILE	   *file;

			if (!tiny_method_can(*method, (TinyTarget) target))
				continue;
			image = kind < TINY_TARGETS ? image_make(*method, (TinyTarget) target) : image_make_encoded(*method, (TinyTarget) target);
			snprintf(path, sizeof(path), "%s/%s_%d", argv[1], (*method)->name, kind);
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
