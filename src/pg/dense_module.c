/*-------------------------------------------------------------------------
 * dense_module.c
 *	  Makes mlplat_dense.so a module that PostgreSQL agrees to load.
 *
 * Linked with src/ml/base/dense_lapack.c into the second module, never into mlplat.so.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

PG_MODULE_MAGIC;
