/*-------------------------------------------------------------------------
 * scan_readers.c
 *	  Pages dealt out to threads, in batches of some hundred rows.
 *
 * The main thread alone speaks with the server: it reads and pins pages, finds the rows that
 * are visible, and numbers them; so the place of a row does not depend on who
 * decodes it.  The threads of the run's pool, and the main thread when it has nothing
 * better to do, decode batches from the pinned pages.  Batches are ended by the main thread, in order.
 *
 * A ring of batches: those from "ended" to "dealt" are complete, of which those from "taken" on wait for a thread.
 *
 * While threads are at work, nothing may be thrown past them, and the process may not
 * exit: interrupts are held and looked for between batches, an ERROR is kept until all threads
 * have stopped.  When one batch has a value that is an error, those before it are still read: the first one counts.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relscan.h"
#include "miscadmin.h"
#include "ml/base/pool.h"
#include "pg/compat.h"
#include "pg/error.h"
#include "pg/scan_heap.h"
#include "pg/settings.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"

/* Fewer pages are read by one thread: waking another one would take longer. */
#define PAGES_FOR_ONE 32

#define MOST_BATCHES 16

typedef struct Ring
{
	MlHeapReader *h;
	const MlBatchWork *work;
	MlPool	   *pool;
	int			n_batches;
	int			batch_pages;
	MlRowBatch *batch;

	/* Under the pool's lock.  Each batch has a number; its place is the number modulo n_batches. */
	uint64		dealt;
	uint64		taken;
	uint64		ended;
	bool		done[MOST_BATCHES];
	bool		closed;			/* no more will be dealt: threads go home when none is left */
	bool		bad;			/* there is one with an error: no new ones */

	int			threads;		/* that work, the main one included */
	bool		(*canceled) (void *state);
	ErrorData  *error;
	MemoryContext context;
} Ring;

static MlRowBatch *
batch_of(const Ring *ring, uint64 number)
{
	return &ring->batch[number % ring->n_batches];
}

/* ----------------------------------------------------------- any thread */

/* With the lock held, which is given back meanwhile. */
static void
work_on(Ring *ring, int thread)
{
	uint64		number = ring->taken++;
	MlRowBatch *batch = batch_of(ring, number);

	ml_pool_unlock(ring->pool);
	ring->work->work(ring->h, batch, ring->work->state, thread);
	ml_pool_lock(ring->pool);
	ring->done[number % ring->n_batches] = true;
	ring->bad |= batch->bad;
	/* Only the main thread waits for this, and only for the oldest. */
	if (number == ring->ended)
		ml_pool_wake(ring->pool);
}

static void
help(Ring *ring, int thread)
{
	ml_pool_lock(ring->pool);
	for (;;)
	{
		if (ring->taken < ring->dealt && thread < ring->threads)
			work_on(ring, thread);
		else if (ring->closed)
			break;
		else
			ml_pool_wait(ring->pool);
	}
	ml_pool_unlock(ring->pool);
}

/* ------------------------------------------------------- the main thread */

static void
release_pages(MlRowBatch *batch)
{
	for (int i = 0; i < batch->n_pages; i++)
		ReleaseBuffer(batch->pages[i].buffer);
	batch->n_pages = 0;
	batch->n_rows = 0;
	batch->located = batch->walked = false;
}

/* Takes the oldest batch out of the ring, working until it is done. */
static void
end_oldest(Ring *ring)
{
	MlRowBatch *batch = batch_of(ring, ring->ended);

	ml_pool_lock(ring->pool);
	while (!ring->done[ring->ended % ring->n_batches])
	{
		if (ring->taken < ring->dealt)
			work_on(ring, 0);
		else
			ml_pool_wait(ring->pool);
	}
	ring->done[ring->ended % ring->n_batches] = false;
	ml_pool_unlock(ring->pool);

	if (batch->bad)
		ml_batch_complain(ring->h, batch);
	if (ring->work->end != NULL)
		ring->work->end(ring->h, batch);
	release_pages(batch);
	ml_pool_lock(ring->pool);
	ring->ended++;
	ml_pool_unlock(ring->pool);
}

/* Brings the next page with rows that have not been dealt out into the scan; false when there is none. */
static bool
load_page(MlHeapReader *h)
{
	HeapScanDesc scan = (HeapScanDesc) h->scan;

	while (h->next_row >= scan->rs_ntuples)
	{
		if (h->next_block >= h->n_blocks)
			return false;
		ML_HEAP_PAGE(h->scan, h->next_block);
		h->next_block++;
		h->next_row = 0;
	}
	return true;
}

static void
add_page(MlHeapReader *h, MlRowBatch *batch, int limit)
{
	HeapScanDesc scan = (HeapScanDesc) h->scan;
	MlPageRun  *run = &batch->pages[batch->n_pages];

	run->block = h->next_block - 1;
	run->first = batch->n_rows;
	run->rows = Min(scan->rs_ntuples - h->next_row, limit - batch->n_rows);
	memcpy(batch->offset + batch->n_rows, scan->rs_vistuples + h->next_row, run->rows * sizeof(OffsetNumber));
	IncrBufferRefCount(scan->rs_cbuf);
	run->buffer = scan->rs_cbuf;
	run->page = BufferGetPage(scan->rs_cbuf);
	batch->n_pages++;
	batch->n_rows += run->rows;
	h->next_row += run->rows;
	for (int i = 0; i < run->rows; i++)
		pgstat_count_heap_getnext(h->relation);
}

/* The next rows into a batch of the ring; false when there are none left. */
static bool
deal(Ring *ring)
{
	MlHeapReader *h = ring->h;
	MlRowBatch *batch;
	int			limit = h->most_rows;

	while (ring->dealt - ring->ended == ring->n_batches)
		end_oldest(ring);
	if (h->r->builder != NULL && ring->work->begin != NULL)
	{
		size_t		room;

		/* Columns that grow move: nobody may be writing to them. */
		while (ml_frame_full(h->r->builder) && ring->ended < ring->dealt)
			end_oldest(ring);
		ml_check(h->r->env, ml_frame_room(h->r->builder, &room));
		limit = Min(limit, room);
	}
	batch = batch_of(ring, ring->dealt);
	while (batch->n_pages < ring->batch_pages && batch->n_rows < limit && load_page(h))
		add_page(h, batch, limit);
	if (batch->n_rows == 0)
		return false;
	batch->first_row = h->rows;
	h->rows += batch->n_rows;
	if (ring->work->begin != NULL)
		ring->work->begin(h, batch);

	ml_pool_lock(ring->pool);
	ring->dealt++;
	ml_pool_wake(ring->pool);
	ml_pool_unlock(ring->pool);
	return true;
}

/* Until all is read, or somebody wants the process to stop. */
static void
lead(Ring *ring)
{
	while (!ring->bad && !(ring->canceled != NULL && ring->canceled(ring->h->r->env->state)) && deal(ring))
		;
	while (ring->ended < ring->dealt)
		end_oldest(ring);
}

static void
lead_safely(Ring *ring)
{
	PG_TRY();
	{
		lead(ring);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(ring->context);
		ring->error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	ml_pool_lock(ring->pool);
	ring->closed = true;
	ml_pool_wake(ring->pool);
	ml_pool_unlock(ring->pool);
}

/* No thread ends its task before the main thread has led: so each gets one. */
static void
read_task(void *arg, size_t task, int thread)
{
	Ring	   *ring = arg;

	if (thread != 0)
		help(ring, thread);
	else if (!ring->closed)
		lead_safely(ring);
}

static void
run_threads(Ring *ring)
{
	MlEnv	   *env = ring->h->r->env;
	uint32		held = InterruptHoldoffCount;

	/* Canceling is our task: the pool would not run the main thread's. */
	ring->canceled = env->canceled;
	env->canceled = NULL;
	ring->closed = false;
	HOLD_INTERRUPTS();
	if (ring->pool != NULL)
		(void) ml_pool_run(env, ml_pool_threads(ring->pool), read_task, ring);
	else
		read_task(ring, 0, 0);
	InterruptHoldoffCount = held;	/* an ERROR has set it to 0 */
	env->canceled = ring->canceled;
}

/* An ERROR of the main thread, unless a batch before it has one. */
static void
throw(Ring *ring)
{
	for (uint64 number = ring->ended; number < ring->dealt; number++)
	{
		if (batch_of(ring, number)->bad)
			ml_batch_complain(ring->h, batch_of(ring, number));
	}
	ReThrowError(ring->error);
}

static int
count_readers(const MlHeapReader *h)
{
	if (h->n_blocks < PAGES_FOR_ONE)
		return 1;
	return Min(ml_pool_threads(h->r->env->pool), ml_setting_parallel_workers + 1);
}

void
ml_readers_run(MlHeapReader *h, const MlBatchWork *work)
{
	int			threads = count_readers(h);
	int			pins = Max(NBuffers / 32, 1);	/* that a scan may hold at a time */
	Ring		ring = {.h = h, .work = work, .threads = threads, .context = CurrentMemoryContext};

	ring.pool = threads > 1 ? h->r->env->pool : NULL;
	ring.n_batches = threads > 1 ? Min(Min(2 * threads + 2, MOST_BATCHES), pins) : 1;
	ring.batch_pages = Max(Min(pins / ring.n_batches, ML_BATCH_PAGES), 1);
	ring.batch = palloc_extended(ring.n_batches * sizeof(MlRowBatch), MCXT_ALLOC_HUGE);
	for (int i = 0; i < ring.n_batches; i++)
	{
		ml_batch_make(h, &ring.batch[i]);
		if (work->begin != NULL)
			ml_check(h->r->env, ml_frame_chunk_make(h->r->builder, &ring.batch[i].chunk));
	}
	h->next_block = 0;
	h->next_row = 0;
	h->rows = 0;
	((HeapScanDesc) h->scan)->rs_ntuples = 0;
	do
	{
		run_threads(&ring);
		if (ring.error != NULL)
			throw(&ring);
		CHECK_FOR_INTERRUPTS();
		if (ml_canceled(h->r->env))
			ml_check(h->r->env, ml_fail(h->r->env, ML_CANCELED, "canceled"));
	} while (h->next_block < h->n_blocks || h->next_row < ((HeapScanDesc) h->scan)->rs_ntuples);
	for (int i = 0; i < ring.n_batches; i++)
	{
		pfree(ring.batch[i].values);
		pfree(ring.batch[i].nulls);
	}
	pfree(ring.batch);
}
