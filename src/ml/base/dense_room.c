/*-------------------------------------------------------------------------
 * dense_room.c
 *	  Is there room to load mlplat_dense.so?
 *
 * Loading OpenBLAS maps one work buffer of 128 MB from a library constructor,
 * and 0.3.21 tries again for ever when that fails (seen with ulimit -v): the
 * backend would hang inside dlopen(), beyond any cancel.
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <sys/mman.h>

#include "ml/base/dense.h"

/* The buffer, and the text and data of OpenBLAS (about 40 MB), LAPACK, LAPACKE and libgfortran. */
#define ROOM_TO_LOAD ((size_t) (128 + 112) << 20)

int
ml_dense_room(void)
{
	void	   *space = mmap(NULL, ROOM_TO_LOAD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (space == MAP_FAILED)
		return errno != 0 ? errno : ENOMEM;
	munmap(space, ROOM_TO_LOAD);
	return 0;
}
