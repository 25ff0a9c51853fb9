/*-------------------------------------------------------------------------
 * mlplat.c
 *	  The module: magic block and initialisation.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

PG_MODULE_MAGIC;
