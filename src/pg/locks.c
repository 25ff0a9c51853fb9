/*-------------------------------------------------------------------------
 * locks.c
 *	  Locks of runs, see locks.h.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "pg/locks.h"
#include "pg/settings.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

/* SQL's advisory locks have 1 or 2 here. */
#define OUR_CLASS 0x4D4C

#define SLOT_KIND 1
#define GATE_KIND 2

#define POLL_MS 100

static void
job_tag(LOCKTAG *tag, int64 job)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, (uint32) ((uint64) job >> 32), (uint32) job, OUR_CLASS);
}

static void
slot_tag(LOCKTAG *tag, int slot)
{
	SET_LOCKTAG_ADVISORY(*tag, InvalidOid, SLOT_KIND, (uint32) slot, OUR_CLASS);
}

static void
gate_tag(LOCKTAG *tag)
{
	SET_LOCKTAG_ADVISORY(*tag, InvalidOid, GATE_KIND, 0, OUR_CLASS);
}

/* Job numbers begin at 1, so 0 is free for this. */
static void
dispatcher_tag(LOCKTAG *tag)
{
	job_tag(tag, 0);
}

void
ml_lock_job(int64 job, bool session)
{
	LOCKTAG		tag;

	job_tag(&tag, job);
	(void) LockAcquire(&tag, ExclusiveLock, session, false);
}

void
ml_unlock_job(int64 job, bool session)
{
	LOCKTAG		tag;

	job_tag(&tag, job);
	(void) LockRelease(&tag, ExclusiveLock, session);
}

bool
ml_job_is_alive(int64 job)
{
	LOCKTAG		tag;

	if (RecoveryInProgress())
		return true;
	job_tag(&tag, job);
	if (LockHeldByMe(&tag, ExclusiveLock))
		return true;
	if (LockAcquire(&tag, ShareLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
		return true;
	(void) LockRelease(&tag, ShareLock, false);
	return false;
}

/* The process that holds the lock exclusively, 0 for none. */
static int
holder_of(const LockData *locks, const LOCKTAG *tag)
{
	for (int i = 0; i < locks->nelements; i++)
	{
		const LockInstanceData *lock = &locks->locks[i];

		if (memcmp(&lock->locktag, tag, sizeof(*tag)) == 0 && (lock->holdMask & LOCKBIT_ON(ExclusiveLock)) != 0)
			return lock->pid;
	}
	return 0;
}

int
ml_job_pid(int64 job)
{
	LOCKTAG		tag;

	job_tag(&tag, job);
	return holder_of(GetLockStatusData(), &tag);
}

int
ml_slot_try(bool session)
{
	for (int slot = 0; slot < ml_setting_max_concurrent_jobs; slot++)
	{
		LOCKTAG		tag;

		slot_tag(&tag, slot);
		if (LockAcquire(&tag, ExclusiveLock, session, true) != LOCKACQUIRE_NOT_AVAIL)
			return slot;
	}
	return -1;
}

/* Does the process wait for a lock of ours, directly or through others? */
static bool
waits_for_us(int pid)
{
	List	   *waiting = list_make1_int(pid);

	for (int next = 0; next < list_length(waiting); next++)
	{
		Datum		blockers = DirectFunctionCall1(pg_blocking_pids, Int32GetDatum(list_nth_int(waiting, next)));
		const ArrayType *array = DatumGetArrayTypeP(blockers);
		const int32 *pids = (const int32 *) ARR_DATA_PTR(array);
		int			count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < count; i++)
		{
			if (pids[i] == MyProcPid)
				return true;
			waiting = list_append_unique_int(waiting, pids[i]);
		}
	}
	return false;
}

/*
 * The head of the queue waits for any slot, which is nothing that the lock manager could
 * wait for; so it looks by itself whether all who have one wait for us.
 */
static bool
is_deadlock(void)
{
	LockData   *locks = GetLockStatusData();

	for (int slot = 0; slot < ml_setting_max_concurrent_jobs; slot++)
	{
		LOCKTAG		tag;
		int			pid;

		slot_tag(&tag, slot);
		pid = holder_of(locks, &tag);
		if (pid == 0 || !waits_for_us(pid))
			return false;
	}
	return true;
}

static void
report_deadlock(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_DEADLOCK_DETECTED),
			 errmsg("deadlock detected"),
			 errdetail("This transaction waits for a slot for training runs; the runs that have one wait for locks that it holds."),
			 errhint("Train before the transaction locks or changes tables that other runs read, or allow more runs at once with mlplat.max_concurrent_jobs.")));
}

/* At the gate, in a queue of the lock manager's; it watches lock_timeout and looks for deadlocks. */
static void
enter_gate(const LOCKTAG *gate)
{
	(void) LockAcquire(gate, ExclusiveLock, false, false);
}

static void
leave_gate(const LOCKTAG *gate)
{
	(void) LockRelease(gate, ExclusiveLock, false);
}

/*
 * A worker that waits holds nothing but the gate: if all wait for it, then for somebody
 * behind it at the gate, who has to be at its head to find out.
 */
static void
resolve_deadlock(const LOCKTAG *gate, bool session)
{
	if (!session)
		report_deadlock();
	leave_gate(gate);
	enter_gate(gate);
}

/* Whoever has passed the gate alone polls the slots. */
int
ml_slot_take(bool session, void (*tick) (void))
{
	int			slot = ml_slot_try(session);
	LOCKTAG		gate;
	TimestampTz began;
	TimestampTz looked;

	if (slot >= 0)
		return slot;
	ereport(IsBackgroundWorker ? LOG : NOTICE,
			(errmsg("waiting, for all %d slots for training runs are taken", ml_setting_max_concurrent_jobs),
			 errdetail("mlplat.max_concurrent_jobs allows no more at once in this server.")));
	began = GetCurrentTimestamp();
	gate_tag(&gate);
	enter_gate(&gate);
	looked = GetCurrentTimestamp();
	while ((slot = ml_slot_try(session)) < 0)
	{
		if (LockTimeout > 0 && TimestampDifferenceExceeds(began, GetCurrentTimestamp(), LockTimeout))
			ereport(ERROR,
					(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
					 errmsg("canceling statement due to lock timeout"),
					 errdetail("All %d slots for training runs stayed taken.", ml_setting_max_concurrent_jobs),
					 errhint("A higher mlplat.max_concurrent_jobs allows more runs at once.")));
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, POLL_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (tick != NULL)
			tick();
		if (TimestampDifferenceExceeds(looked, GetCurrentTimestamp(), DeadlockTimeout))
		{
			if (is_deadlock())
				resolve_deadlock(&gate, session);
			looked = GetCurrentTimestamp();
		}
	}
	leave_gate(&gate);
	return slot;
}

void
ml_slot_give(int slot, bool session)
{
	LOCKTAG		tag;

	slot_tag(&tag, slot);
	(void) LockRelease(&tag, ExclusiveLock, session);
}

bool
ml_dispatcher_try(void)
{
	LOCKTAG		tag;

	dispatcher_tag(&tag);
	return LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
}

void
ml_dispatcher_end(void)
{
	LOCKTAG		tag;

	dispatcher_tag(&tag);
	(void) LockRelease(&tag, ExclusiveLock, true);
}

bool
ml_dispatcher_is_there(void)
{
	return ml_job_is_alive(0);
}
