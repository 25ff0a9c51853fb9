/*-------------------------------------------------------------------------
 * background.c
 *	  Plain background workers, see background.h.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pg/background.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/lmgr.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/guc.h"

StaticAssertDecl(sizeof(MlBackground) <= BGW_EXTRALEN, "MlBackground does not fit into bgw_extra");

bool
ml_background_start(const MlBackground *background, BackgroundWorkerHandle **handle)
{
	BackgroundWorker worker = {0};

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_notify_pid = MyProcPid;
	strlcpy(worker.bgw_library_name, "mlplat", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, background->entry, BGW_MAXLEN);
	strlcpy(worker.bgw_name, background->type, BGW_MAXLEN);
	strlcpy(worker.bgw_type, background->type, BGW_MAXLEN);
	memcpy(worker.bgw_extra, background, sizeof(*background));
	return RegisterDynamicBackgroundWorker(&worker, handle);
}

const MlBackground *
ml_background_arguments(void)
{
	static MlBackground background;

	memcpy(&background, MyBgworkerEntry->bgw_extra, sizeof(background));
	background.entry = background.type = NULL;	/* addresses of another process */
	return &background;
}

void
ml_background_connect(const MlBackground *background, const char *name)
{
	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(background->database, background->role, 0);
	SetConfigOption("application_name", name, PGC_USERSET, PGC_S_SESSION);

	/* The role's or database's own defaults are for its sessions, not for our records. */
	SetConfigOption("default_transaction_isolation", "read committed", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("default_transaction_read_only", "off", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("default_transaction_deferrable", "off", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("idle_in_transaction_session_timeout", "0", PGC_USERSET, PGC_S_SESSION);
}

void
ml_background_reload(void)
{
	if (!ConfigReloadPending)
		return;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
}

void
ml_background_wait_for(TransactionId xid)
{
	if (!TransactionIdIsValid(xid))
		return;
	StartTransactionCommand();
	XactLockTableWait(xid, NULL, NULL, XLTW_None);
	CommitTransactionCommand();
}
