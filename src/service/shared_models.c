/*-------------------------------------------------------------------------
 * shared_models.c
 *	  Decoded models in shared memory, one for all sessions, where mlplat is preloaded.
 *
 * A decoded model is full of pointers.  It can be used by every process because the server's main shared memory is at the same
 * address in all of them, and so is the library, which the postmaster has loaded before it forked them.  Both do not hold
 * where processes are started anew (EXEC_BACKEND): there, nothing is shared.
 *
 * The memory is an area of PostgreSQL's allocator (dsa.c) that lies wholly in main shared memory and may not grow.
 *
 * A place holds one model.  Its state is one atomic number: a serial, moved each time the place is emptied, and a count of pins.  Whoever has
 * used the place before pins it again without a lock, by raising the count while the serial is the one it knows.  Models are looked
 * for under the lock (shared), put in and taken out under the lock (exclusive); taking out moves the serial while the
 * count is zero, so it never meets a pin.  What a process has pinned it gives back when it exits; if it crashes, the postmaster begins
 * with new shared memory.
 *
 * Decoding into the memory happens outside the lock, in memory that is not in any place yet.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/dsa.h"
#include "utils/memutils.h"

#include "ml/base/arena.h"
#include "pg/compat.h"
#include "pg/env.h"
#include "pg/error.h"
#include "pg/settings.h"
#include "service/shared_models.h"

#define N_PLACES 1024

#define PIN_BITS 20
#define PINS(state) ((state) & ((UINT64CONST(1) << PIN_BITS) - 1))
#define SERIAL(state) ((state) >> PIN_BITS)

#define ALIGNMENT 64			/* of an arena */

typedef struct Place
{
	pg_atomic_uint64 state;		/* serial and pins */
	pg_atomic_uint64 last_use;	/* TimestampTz */
	dsa_pointer memory;			/* InvalidDsaPointer: empty */
	Size		bytes;
	const MlModel *model;
	Oid			database;
	bool		forgotten;		/* of a version that has been dropped */
	char		checksum[65];
} Place;

typedef struct SharedModels
{
	LWLock		lock;
	Place		place[N_PLACES];
} SharedModels;

static SharedModels *shared = NULL;
static void *area_memory = NULL;
static dsa_area *area = NULL;	/* of this process, once it stores or evicts something */

static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

/* -------------------------------------------------------------------- the memory */

static Size
area_size(void)
{
	return Max((Size) ml_setting_shared_cache_size * 1024, dsa_minimum_size());
}

static void
request_memory(void)
{
	if (previous_request_hook != NULL)
		previous_request_hook();
	if (ml_setting_shared_cache_size == 0)
		return;
	RequestAddinShmemSpace(MAXALIGN(sizeof(SharedModels)));
	RequestAddinShmemSpace(MAXALIGN(area_size()));
}

static void
create_area(void)
{
	int			tranche = LWLockNewTrancheId();
	dsa_area   *created = dsa_create_in_place(area_memory, area_size(), tranche, NULL);

	LWLockRegisterTranche(tranche, "mlplat shared models");
	dsa_set_size_limit(created, area_size());
	dsa_pin(created);
	dsa_detach(created);
	LWLockInitialize(&shared->lock, tranche);
	for (int i = 0; i < N_PLACES; i++)
	{
		Place	   *place = &shared->place[i];

		pg_atomic_init_u64(&place->state, 0);
		pg_atomic_init_u64(&place->last_use, 0);
		place->memory = InvalidDsaPointer;
	}
}

static void
start_memory(void)
{
	bool		found;

	if (previous_startup_hook != NULL)
		previous_startup_hook();
	shared = NULL;
	if (ml_setting_shared_cache_size == 0)
		return;
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	area_memory = ShmemInitStruct("mlplat shared model memory", area_size(), &found);
	shared = ShmemInitStruct("mlplat shared models", sizeof(SharedModels), &found);
	if (!found)
		create_area();
	LWLockRelease(AddinShmemInitLock);
}

void
ml_shared_models_init(void)
{
#ifndef EXEC_BACKEND
	if (!process_shared_preload_libraries_in_progress)
		return;
	ML_REQUEST_SHMEM(previous_request_hook, request_memory);
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = start_memory;
#endif
}

bool
ml_shared_models_exist(void)
{
	return shared != NULL;
}

static void
attach(void)
{
	MemoryContext old;

	if (area != NULL)
		return;
	old = MemoryContextSwitchTo(TopMemoryContext);
	area = dsa_attach_in_place(area_memory, NULL);
	dsa_pin_mapping(area);
	MemoryContextSwitchTo(old);
	on_shmem_exit(dsa_on_shmem_exit_release_in_place, PointerGetDatum(area_memory));
}

/* ------------------------------------------------------------------------ pins */

bool
ml_shared_pin(const MlSharedPlace *where)
{
	Place	   *place = &shared->place[where->number];
	uint64		state = pg_atomic_read_u64(&place->state);

	while (SERIAL(state) == where->serial)
	{
		if (pg_atomic_compare_exchange_u64(&place->state, &state, state + 1))
		{
			pg_atomic_write_u64(&place->last_use, (uint64) GetCurrentStatementStartTimestamp());
			return true;
		}
	}
	return false;
}

void
ml_shared_unpin(const MlSharedPlace *where)
{
	Assert(PINS(pg_atomic_read_u64(&shared->place[where->number].state)) > 0);
	pg_atomic_fetch_sub_u64(&shared->place[where->number].state, 1);
}

/* ---------------------------------------------------------------------- places */

/* Under the lock.  -1: not there. */
static int
find_place(const char *checksum)
{
	for (int i = 0; i < N_PLACES; i++)
	{
		const Place *place = &shared->place[i];

		if (place->memory != InvalidDsaPointer && !place->forgotten && place->database == MyDatabaseId &&
			strcmp(place->checksum, checksum) == 0)
			return i;
	}
	return -1;
}

/* Under the lock, which keeps it from being emptied meanwhile. */
static const MlModel *
pin_place(int number, MlSharedPlace *where)
{
	where->number = number;
	where->serial = SERIAL(pg_atomic_read_u64(&shared->place[number].state));
	if (!ml_shared_pin(where))
		elog(ERROR, "a shared model was removed while it was locked");
	return shared->place[number].model;
}

const MlModel *
ml_shared_find(const char *checksum, MlSharedPlace *where)
{
	const MlModel *model = NULL;
	int			number;

	if (shared == NULL)
		return NULL;
	LWLockAcquire(&shared->lock, LW_SHARED);
	number = find_place(checksum);
	if (number >= 0)
		model = pin_place(number, where);
	LWLockRelease(&shared->lock);
	return model;
}

/* Under the lock, exclusive.  False when somebody has it pinned. */
static bool
empty_place(Place *place)
{
	uint64		state = pg_atomic_read_u64(&place->state);

	if (PINS(state) > 0 || !pg_atomic_compare_exchange_u64(&place->state, &state, (SERIAL(state) + 1) << PIN_BITS))
		return false;
	attach();
	dsa_free(area, place->memory);
	place->memory = InvalidDsaPointer;
	place->model = NULL;
	place->forgotten = false;
	return true;
}

/* Under the lock, exclusive: takes out one that nobody uses; forgotten ones first, then the least recently used.  False: there is none. */
static bool
evict_one(void)
{
	for (;;)
	{
		Place	   *oldest = NULL;

		for (int i = 0; i < N_PLACES; i++)
		{
			Place	   *place = &shared->place[i];

			if (place->memory == InvalidDsaPointer || PINS(pg_atomic_read_u64(&place->state)) > 0)
				continue;
			if (oldest == NULL || place->forgotten > oldest->forgotten ||
				(place->forgotten == oldest->forgotten &&
				 pg_atomic_read_u64(&place->last_use) < pg_atomic_read_u64(&oldest->last_use)))
				oldest = place;
		}
		if (oldest == NULL)
			return false;
		if (empty_place(oldest))
			return true;
	}
}

/* ---------------------------------------------------------------------- storing */

static dsa_pointer
take_memory(Size bytes)
{
	dsa_pointer memory;

	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	attach();
	do
	{
		memory = dsa_allocate_extended(area, bytes, DSA_ALLOC_HUGE | DSA_ALLOC_NO_OOM);
	} while (memory == InvalidDsaPointer && evict_one());
	LWLockRelease(&shared->lock);
	return memory;
}

static void
give_back(int code, Datum arg)
{
	dsa_free(area, *(dsa_pointer *) DatumGetPointer(arg));
}

/* An empty place; under the lock, exclusive.  -1: all are in use. */
static int
empty_number(void)
{
	do
	{
		for (int i = 0; i < N_PLACES; i++)
		{
			if (shared->place[i].memory == InvalidDsaPointer)
				return i;
		}
	} while (evict_one());
	return -1;
}

/* False: another session has been faster, or there is no place. */
static bool
settle(const char *checksum, const MlModel *model, dsa_pointer memory, Size bytes)
{
	int			number;

	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	number = find_place(checksum) >= 0 ? -1 : empty_number();
	if (number >= 0)
	{
		Place	   *place = &shared->place[number];

		place->memory = memory;
		place->bytes = bytes;
		place->model = model;
		place->database = MyDatabaseId;
		place->forgotten = false;
		strlcpy(place->checksum, checksum, sizeof(place->checksum));
		pg_atomic_write_u64(&place->last_use, (uint64) GetCurrentStatementStartTimestamp());
	}
	LWLockRelease(&shared->lock);
	return number >= 0;
}

const MlModel *
ml_shared_store(const char *checksum, const uint8 *image, size_t length, size_t demand, MlSharedPlace *where)
{
	Size		bytes = demand + ALIGNMENT;
	MemoryContext context;
	dsa_pointer memory;
	MlEnv	   *env;
	MlModel    *model;
	volatile bool settled = false;

	if (shared == NULL || bytes < demand || bytes > area_size())
		return NULL;
	memory = take_memory(bytes);
	if (memory == InvalidDsaPointer)
		return NULL;
	context = AllocSetContextCreate(CurrentMemoryContext, "mlplat shared model", ALLOCSET_SMALL_SIZES);
	PG_ENSURE_ERROR_CLEANUP(give_back, PointerGetDatum(&memory));
	{
		char	   *address = dsa_get_address(area, memory);

		env = ml_env_create_in(context, (char *) TYPEALIGN(ALIGNMENT, address), demand);
		if (ml_model_load(env, image, length, &model) == ML_OK)
			settled = settle(checksum, model, memory, bytes);
	}
	PG_END_ENSURE_ERROR_CLEANUP(give_back, PointerGetDatum(&memory));
	if (!settled)
		give_back(0, PointerGetDatum(&memory));
	MemoryContextDelete(context);
	return ml_shared_find(checksum, where);
}

/* ------------------------------------------------------------------- forgetting */

static void
forget(const char *checksum)
{
	int			number;

	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	number = find_place(checksum);
	if (number >= 0)
	{
		shared->place[number].forgotten = true;
		(void) empty_place(&shared->place[number]);
	}
	LWLockRelease(&shared->lock);
}

/* Checksums, in TopTransactionContext. */
static List *forgotten = NIL;

static void
end_transaction(XactEvent event, void *arg)
{
	ListCell   *cell;

	if (event == XACT_EVENT_COMMIT)
	{
		foreach(cell, forgotten)
			forget(lfirst(cell));
	}
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		forgotten = NIL;
}

/* What a subtransaction dropped that is rolled back is forgotten for nothing: who needs it stores it again. */
void
ml_shared_forget_at_commit(const char *checksum)
{
	static bool registered = false;
	MemoryContext old;

	if (shared == NULL)
		return;
	/* Here, for a commit must not fail. */
	attach();
	if (!registered)
		RegisterXactCallback(end_transaction, NULL);
	registered = true;
	old = MemoryContextSwitchTo(TopTransactionContext);
	forgotten = lappend(forgotten, pstrdup(checksum));
	MemoryContextSwitchTo(old);
}

/* ---------------------------------------------------------------------- looking */

MlSharedInfo *
ml_shared_list(int *count)
{
	MlSharedInfo *list = palloc0(sizeof(MlSharedInfo) * N_PLACES);

	*count = 0;
	if (shared == NULL)
		return list;
	LWLockAcquire(&shared->lock, LW_SHARED);
	for (int i = 0; i < N_PLACES; i++)
	{
		Place	   *place = &shared->place[i];
		MlSharedInfo *info = &list[*count];

		if (place->memory == InvalidDsaPointer)
			continue;
		info->database = place->database;
		strlcpy(info->checksum, place->checksum, sizeof(info->checksum));
		info->bytes = place->bytes;
		info->users = (int) PINS(pg_atomic_read_u64(&place->state));
		info->last_use = (TimestampTz) pg_atomic_read_u64(&place->last_use);
		(*count)++;
	}
	LWLockRelease(&shared->lock);
	return list;
}
