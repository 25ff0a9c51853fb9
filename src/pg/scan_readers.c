/*-------------------------------------------------------------------------
 * scan_readers.c
 *	  Pages dealt out to threads, in batches of some hundred rows.
 *
 * The main thread alone speaks with the server: it reads and pins pages, finds the rows that
 * are visible, and numbers them; so the place of a row does not depend on who
 * decodes it.  The threads of the run's pool, and the main thread when it has nothing
 * better to do, decode batches from the pinned pages, and the main thread ends those that are done.
 *
 * Nobody waits for a batch in particular: a thread that the system has taken off its core delays that
 * batch and no other one.  There are more batches than threads, so the main thread always finds one that is free, done, or to be decoded.
 *
 * While threads are at work, nothing may be thrown past them, and the process may not
 * exit: interrupts are held and looked for between batches, an ERROR is kept until all threads
 * have stopped.  When one batch has a value that is an error, those before it are still read: the first one counts.
 * An error of a condition or an expression likewise ends what is dealt, and is thrown after that.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "ml/base/pool.h"
#include "pg/compat.h"
#include "pg/error.h"
#include "pg/scan_heap.h"
#include "pg/settings.h"
#include "storage/bufmgr.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* Fewer pages are read by one thread: waking another one would take longer. */
#define PAGES_FOR_ONE 32

#define MOST_BATCHES 64
#define MOST_READERS (MOST_BATCHES / 4)

typedef enum BatchState
{
	BATCH_FREE,
	BATCH_READY,				/* dealt, waits for a thread */
	BATCH_BUSY,
	BATCH_DONE					/* waits for the main thread */
} BatchState;

typedef struct Readers
{
	MlHeapReader *h;
	const MlBatchWork *work;
	MlPool	   *pool;
	int			threads;		/* that work, the main one included */
	int			n_batches;
	int			batch_pages;
	MlRowBatch *batch;

	/* Under the pool's lock. */
	BatchState	state[MOST_BATCHES];
	bool		closed;			/* no more will be dealt: threads go home when none is ready */
	bool		awaited;		/* the main thread waits for those that are busy */
	bool		bad;			/* there is one with an error: no new ones */

	bool		(*canceled) (void *state);
	ErrorData  *error;
	MemoryContext context;
} Readers;

/* The batch in that state whose rows come first; -1: none.  With the lock held. */
static int
first_in_state(const Readers *readers, BatchState state)
{
	int			first = -1;

	for (int i = 0; i < readers->n_batches; i++)
	{
		if (readers->state[i] == state &&
			(first < 0 || readers->batch[i].first_row < readers->batch[first].first_row))
			first = i;
	}
	return first;
}

/* ----------------------------------------------------------- any thread */

/* With the lock held, which is given back meanwhile. */
static void
work_on(Readers *readers, int number, int thread)
{
	MlRowBatch *batch = &readers->batch[number];

	readers->state[number] = BATCH_BUSY;
	ml_pool_unlock(readers->pool);
	readers->work->work(readers->h, batch, readers->work->state, thread);
	ml_pool_lock(readers->pool);
	readers->state[number] = BATCH_DONE;
	readers->bad |= batch->bad;
}

static void
help(Readers *readers, int thread)
{
	ml_pool_lock(readers->pool);
	for (;;)
	{
		int			number = thread < readers->threads ? first_in_state(readers, BATCH_READY) : -1;

		if (number >= 0)
		{
			work_on(readers, number, thread);
			if (readers->awaited)
				ml_pool_wake(readers->pool);
		}
		else if (readers->closed)
			break;
		else
			ml_pool_wait(readers->pool);
	}
	ml_pool_unlock(readers->pool);
}

/* ------------------------------------------------------- the main thread */

/* Takes note of a batch that is done and gives its pages back. */
static void
end_batch(Readers *readers, int number)
{
	MlRowBatch *batch = &readers->batch[number];

	/* One with an error stays, until it is known which is the first. */
	if (batch->bad)
		return;
	if (readers->work->end != NULL)
		readers->work->end(readers->h, batch);
	for (int i = 0; i < batch->n_pages; i++)
		ReleaseBuffer(batch->pages[i].buffer);
	batch->n_pages = 0;
	batch->n_rows = 0;
	batch->located = batch->walked = false;
	readers->state[number] = BATCH_FREE;
}

/* Ends what is done; decodes a batch when none is free then.  One that is free, or -1 where errors have taken all. */
static int
need_batch(Readers *readers)
{
	for (;;)
	{
		int			ready;

		for (int i = 0; i < readers->n_batches; i++)
		{
			BatchState	state;

			ml_pool_lock(readers->pool);
			state = readers->state[i];
			ml_pool_unlock(readers->pool);
			if (state == BATCH_DONE)
				end_batch(readers, i);
			if (readers->state[i] == BATCH_FREE)
				return i;
		}
		if (readers->bad)
			return -1;
		ml_pool_lock(readers->pool);
		ready = first_in_state(readers, BATCH_READY);
		if (ready >= 0)
			work_on(readers, ready, 0);
		ml_pool_unlock(readers->pool);
	}
}

/* Until every batch is free, or has an error. */
static void
end_all(Readers *readers)
{
	for (;;)
	{
		int			number;

		ml_pool_lock(readers->pool);
		number = first_in_state(readers, BATCH_READY);
		if (number >= 0)
			work_on(readers, number, 0);
		else if (first_in_state(readers, BATCH_BUSY) >= 0)
		{
			readers->awaited = true;
			ml_pool_wait(readers->pool);
			readers->awaited = false;
		}
		else
		{
			ml_pool_unlock(readers->pool);
			break;
		}
		ml_pool_unlock(readers->pool);
	}
	for (int i = 0; i < readers->n_batches; i++)
	{
		if (readers->state[i] == BATCH_DONE)
			end_batch(readers, i);
	}
}

static bool
is_canceled(const Readers *readers)
{
	return readers->canceled != NULL && readers->canceled(readers->h->r->env->state);
}

/*
 * Brings the next page with rows that have not been dealt out into the scan; false when there is none, or no more are wanted.
 * A batch has pages of one table: only where it is to be its first page may it be of the next.
 */
static bool
load_page(const Readers *readers, bool first)
{
	MlHeapReader *h = readers->h;

	for (;;)
	{
		if (h->next_row < h->n_rows)
			return true;
		/* Of any number of pages no row may pass. */
		if (h->error != NULL || is_canceled(readers))
			return false;
		if (ml_heap_next_page(h))
			continue;
		if (!first || h->table + 1 == h->n_tables)
			return false;
		ml_heap_begin(h, h->table + 1);
	}
}

static bool
is_at_end(const MlHeapReader *h)
{
	return h->error == NULL && h->table + 1 == h->n_tables && h->next_block >= h->end_block && h->next_row >= h->n_rows;
}

/* Rows of the page of the scan; false when the batch is to end. */
static bool
add_page(const Readers *readers, MlRowBatch *batch, int limit)
{
	MlHeapReader *h = readers->h;
	MlPageRun  *run = &batch->pages[batch->n_pages];
	int			most = Min(h->n_rows - h->next_row, limit - batch->n_rows);

	run->block = h->next_block - 1;
	run->page = BufferGetPage(h->buffer);
	run->first = batch->n_rows;
	run->rows = readers->work->computes ? ml_project_rows(h, batch, run->page, run->block, most) : most;
	if (run->rows == 0)
		return false;
	memcpy(batch->offset + batch->n_rows, h->row + h->next_row, run->rows * sizeof(OffsetNumber));
	run->buffer = ml_heap_take_page(h, run->rows);
	batch->n_pages++;
	batch->n_rows += run->rows;
	return run->rows == most && batch->n_pages < readers->batch_pages && batch->n_rows < limit;
}

/* Columns that grow move: nobody may be writing to them. */
static size_t
need_room(Readers *readers)
{
	MlFrameReceiver *r = readers->h->r;
	size_t		room;

	if (ml_frame_full(r->builder))
		end_all(readers);
	ml_check(r->env, ml_frame_room(r->builder, &room));
	return room;
}

/* The next rows into a batch; false when there are none left. */
static bool
deal(Readers *readers)
{
	MlHeapReader *h = readers->h;
	int			limit = h->most_rows;
	int			number = need_batch(readers);
	MlRowBatch *batch;

	if (readers->work->begin != NULL && number >= 0)
		limit = Min(limit, need_room(readers));
	if (readers->bad || number < 0)
		return false;
	batch = &readers->batch[number];
	while (load_page(readers, batch->n_pages == 0) && add_page(readers, batch, limit))
		;
	if (batch->n_rows == 0)
	{
		readers->error = h->error;
		return false;
	}
	batch->table = &h->tables[h->table];
	batch->first_row = h->rows;
	h->rows += batch->n_rows;
	if (readers->work->begin != NULL)
		readers->work->begin(h, batch);

	ml_pool_lock(readers->pool);
	readers->state[number] = BATCH_READY;
	ml_pool_wake(readers->pool);
	ml_pool_unlock(readers->pool);
	return true;
}

/* Until all is read, or somebody wants the process to stop. */
static void
lead(Readers *readers)
{
	while (!readers->bad && !is_canceled(readers) && deal(readers))
		;
}

static void
lead_safely(Readers *readers)
{
	PG_TRY();
	{
		lead(readers);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(readers->context);
		readers->error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	ml_pool_lock(readers->pool);
	readers->closed = true;
	ml_pool_wake(readers->pool);
	ml_pool_unlock(readers->pool);
	if (readers->error != NULL && readers->error != readers->h->error)
		return;					/* what is ready is decoded all the same: an error in it may be the first one */
	PG_TRY();
	{
		end_all(readers);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(readers->context);
		readers->error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
}

/* No thread ends its task before the main thread has led: so each gets one. */
static void
read_task(void *arg, size_t task, int thread)
{
	Readers    *readers = arg;

	if (thread != 0)
		help(readers, thread);
	else if (!readers->closed)
		lead_safely(readers);
}

static void
run_threads(Readers *readers)
{
	MlEnv	   *env = readers->h->r->env;
	uint32		held = InterruptHoldoffCount;

	/* Canceling is our task: the pool would not run the main thread's. */
	readers->canceled = env->canceled;
	env->canceled = NULL;
	readers->closed = false;
	HOLD_INTERRUPTS();
	if (readers->pool != NULL)
		(void) ml_pool_run(env, ml_pool_threads(readers->pool), read_task, readers);
	else
		read_task(readers, 0, 0);
	InterruptHoldoffCount = held;	/* an ERROR has set it to 0 */
	env->canceled = readers->canceled;
}

/* The first error of a value; else one of the main thread. */
static void
throw(Readers *readers)
{
	MlRowBatch *bad = NULL;

	for (int i = 0; i < readers->n_batches; i++)
	{
		MlRowBatch *batch = &readers->batch[i];

		if (readers->state[i] == BATCH_DONE && batch->bad && (bad == NULL || batch->first_row < bad->first_row))
			bad = batch;
	}
	if (bad != NULL)
		ml_batch_complain(readers->h, bad);
	if (readers->error != NULL)
	{
		/* Something that gives up when a query is canceled says so in words of its own. */
		CHECK_FOR_INTERRUPTS();
		ReThrowError(readers->error);
	}
}

static int
count_readers(const MlHeapReader *h)
{
	BlockNumber blocks = 0;

	for (int i = 0; i < h->n_tables && blocks < PAGES_FOR_ONE; i++)
		blocks += Min(h->tables[i].n_blocks, PAGES_FOR_ONE);
	if (blocks < PAGES_FOR_ONE)
		return 1;
	return Min(Min(ml_pool_threads(h->r->env->pool), ml_setting_parallel_workers + 1), MOST_READERS);
}

/* How many pages may be pinned at a time: others need some, too. */
static int
count_pins(const MlHeapReader *h)
{
	int			pins = NBuffers / 32;

	for (int i = 0; i < h->n_tables; i++)
	{
		if (RelationUsesLocalBuffers(h->tables[i].relation))
			pins = Min(pins, num_temp_buffers / 4);
	}
	return Max(pins, 1);
}

/* Of its own for each thread, so that it stays in the cache of its processor. */
static char *
make_doubles(MlHeapReader *h, int threads)
{
	Size		bytes = (Size) Max(h->n_doubles, 1) * ML_DOUBLES_ROOM * sizeof(double);
	char	   *room = palloc_extended(threads * bytes + PG_CACHE_LINE_SIZE, MCXT_ALLOC_HUGE);

	h->doubles = palloc(threads * sizeof(double *));
	for (int i = 0; i < threads; i++)
		h->doubles[i] = (double *) ((char *) CACHELINEALIGN(room) + i * bytes);
	return room;
}

void
ml_readers_run(MlHeapReader *h, const MlBatchWork *work)
{
	int			threads = work->in_order ? 1 : count_readers(h);
	int			pins = count_pins(h);
	char	   *doubles;
	Readers		readers = {.h = h, .work = work, .threads = threads, .context = CurrentMemoryContext};

	readers.n_batches = threads > 1 ? Min(4 * threads, MOST_BATCHES) : 1;
	if (readers.n_batches >= pins || readers.n_batches <= threads)
	{
		/* Too few pages, or too many threads, to be safe from waiting. */
		readers.threads = threads = 1;
		readers.n_batches = 1;
	}
	readers.pool = threads > 1 ? h->r->env->pool : NULL;
	/* Those that are pinned before they are looked at are one batch more. */
	readers.batch_pages = Max(Min(pins / (readers.n_batches + 1), ML_BATCH_PAGES), 1);
	h->most_ahead = readers.batch_pages;
	readers.batch = palloc_extended(readers.n_batches * sizeof(MlRowBatch), MCXT_ALLOC_HUGE);
	for (int i = 0; i < readers.n_batches; i++)
	{
		ml_batch_make(h, &readers.batch[i]);
		if (work->begin != NULL)
			ml_check(h->r->env, ml_frame_chunk_make(h->r->builder, &readers.batch[i].chunk));
	}
	doubles = make_doubles(h, threads);
	h->rows = 0;
	ml_filter_begin_pass(h);
	ml_heap_begin(h, 0);
	do
	{
		run_threads(&readers);
		throw(&readers);
		CHECK_FOR_INTERRUPTS();
		if (ml_canceled(h->r->env))
			ml_check(h->r->env, ml_fail(h->r->env, ML_CANCELED, "canceled"));
	} while (!is_at_end(h));
	ml_heap_end(h);
	for (int i = 0; i < readers.n_batches; i++)
	{
		pfree(readers.batch[i].values);
		pfree(readers.batch[i].nulls);
		if (readers.batch[i].memory != NULL)
			MemoryContextDelete(readers.batch[i].memory);
	}
	pfree(doubles);
	pfree(h->doubles);
	pfree(readers.batch);
}
