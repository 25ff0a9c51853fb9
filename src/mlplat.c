/*-------------------------------------------------------------------------
 * mlplat.c
 *	  The module: magic block and initialisation.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "pg/settings.h"
#include "service/async.h"
#include "service/batch_plan.h"
#include "service/shared_models.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	ml_settings_define();
	ml_launcher_init();
	ml_batch_plan_init();
	ml_shared_models_init();
}
