/*-------------------------------------------------------------------------
 * worker.c
 *	  Work in a parallel worker of the session, see worker.h.
 *
 * A reply is a header message (its length) and then messages of at most PIECE
 * bytes.  The session never sleeps longer than TICK_MS: it must notice a
 * cancel, the end of its client and the death of the worker by itself.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "pg/compat.h"
#include "pg/worker.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/shm_mq.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#define KEY_REQUEST  UINT64CONST(0x4D4C000000000001)
#define KEY_QUEUE    UINT64CONST(0x4D4C000000000002)
#define KEY_PROGRESS UINT64CONST(0x4D4C000000000003)

#define QUEUE_BYTES 65536
#define PIECE 16384

#define TICK_MS 100
#define CLIENT_CHECK_MS 250

/* Request with its length in front. */
typedef struct Request
{
	Size		length;
	char		bytes[FLEXIBLE_ARRAY_MEMBER];
} Request;

/* Replies as far as they have come. */
typedef struct Inbox
{
	int			wanted;
	int			done;
	MlReply    *replies;
	Size		have;			/* bytes of the reply that is coming in */
	bool		open;			/* its header is here */
	MemoryContext context;
} Inbox;

void
ml_client_check(void)
{
	static TimestampTz checked = 0;
	TimestampTz now = GetCurrentTimestamp();

	if (!TimestampDifferenceExceeds(checked, now, CLIENT_CHECK_MS))
		return;
	checked = now;
	if (MyProcPort == NULL || pq_check_connection())
		return;
	ClientConnectionLost = true;
	InterruptPending = true;
	CHECK_FOR_INTERRUPTS();
}

static void
take_message(Inbox *inbox, const void *data, Size length)
{
	MlReply    *reply = &inbox->replies[inbox->done];

	if (inbox->done >= inbox->wanted)
		elog(ERROR, "worker sent more than was asked for");
	if (!inbox->open)
	{
		if (length != sizeof(Size))
			elog(ERROR, "worker sent a malformed reply");
		memcpy(&reply->length, data, sizeof(Size));
		reply->bytes = MemoryContextAllocHuge(inbox->context, Max(reply->length, 1));
		inbox->have = 0;
		inbox->open = true;
	}
	else
	{
		if (length > reply->length - inbox->have)
			elog(ERROR, "worker sent a malformed reply");
		memcpy(reply->bytes + inbox->have, data, length);
		inbox->have += length;
	}
	if (inbox->have == reply->length)
	{
		inbox->open = false;
		inbox->done++;
	}
}

/* All there is in the queue now; false when the worker has let go of it. */
static bool
drain(shm_mq_handle *queue, Inbox *inbox)
{
	for (;;)
	{
		void	   *data;
		Size		length;
		shm_mq_result result = shm_mq_receive(queue, &length, &data, true);

		if (result == SHM_MQ_WOULD_BLOCK)
			return true;
		if (result == SHM_MQ_DETACHED)
			return false;
		take_message(inbox, data, length);
		CHECK_FOR_INTERRUPTS();
	}
}

static void
wait_for_replies(shm_mq_handle *queue, Inbox *inbox, const MlRunProgress *progress, MlWorkerTick tick)
{
	while (inbox->done < inbox->wanted)
	{
		if (!drain(queue, inbox))
			return;				/* ended, well or not: whoever waits for it will learn */
		if (inbox->done == inbox->wanted)
			return;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, TICK_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS(); /* also raises what the worker raised */
		ml_client_check();
		if (tick != NULL)
			tick(progress);
	}
}

static void
fill_context(ParallelContext *pcxt, const char *bytes, Size length, const MlRunProgress *progress, MlRunProgress **shared, shm_mq **mq)
{
	Size		request_size = add_size(offsetof(Request, bytes), length);
	Request    *request;

	shm_toc_estimate_chunk(&pcxt->estimator, request_size);
	shm_toc_estimate_chunk(&pcxt->estimator, QUEUE_BYTES);
	shm_toc_estimate_chunk(&pcxt->estimator, sizeof(MlRunProgress));
	shm_toc_estimate_keys(&pcxt->estimator, 3);
	InitializeParallelDSM(pcxt);

	request = shm_toc_allocate(pcxt->toc, request_size);
	request->length = length;
	memcpy(request->bytes, bytes, length);
	shm_toc_insert(pcxt->toc, KEY_REQUEST, request);

	*shared = shm_toc_allocate(pcxt->toc, sizeof(MlRunProgress));
	**shared = *progress;
	shm_toc_insert(pcxt->toc, KEY_PROGRESS, *shared);

	*mq = shm_mq_create(shm_toc_allocate(pcxt->toc, QUEUE_BYTES), QUEUE_BYTES);
	shm_mq_set_receiver(*mq, MyProc);
	shm_toc_insert(pcxt->toc, KEY_QUEUE, *mq);
}

/* Launches, collects and waits; false when nothing was launched. */
static bool
run_in_context(ParallelContext *pcxt, shm_mq *mq, Inbox *inbox, const MlRunProgress *shared, MlWorkerTick tick)
{
	shm_mq_handle *queue;

	LaunchParallelWorkers(pcxt);
	if (pcxt->nworkers_launched == 0)
		return false;

	/* With the worker's handle the queue ends when the worker never starts. */
	queue = shm_mq_attach(mq, pcxt->seg, pcxt->worker[0].bgwhandle);
	wait_for_replies(queue, inbox, shared, tick);
	if (tick != NULL)
		tick(shared);
	WaitForParallelWorkersToFinish(pcxt);
	if (inbox->done < inbox->wanted)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the worker ended before its work was done"),
				 errhint("The server log may say more.")));
	return true;
}

bool
ml_worker_run(const char *entry, const char *request, Size length, MlRunProgress *progress,
			  MlWorkerTick tick, int n_replies, MlReply *replies)
{
	ParallelContext *pcxt;
	MlRunProgress *volatile shared = NULL;
	Inbox		inbox = {.wanted = n_replies, .replies = replies, .context = CurrentMemoryContext};
	volatile bool launched = false;

	EnterParallelMode();
	pcxt = CreateParallelContext("mlplat", entry, 1);
	PG_TRY();
	{
		MlRunProgress *place;
		shm_mq	   *mq;

		fill_context(pcxt, request, length, progress, &place, &mq);
		shared = place;
		launched = run_in_context(pcxt, mq, &inbox, place, tick);
	}
	PG_FINALLY();
	{
		if (shared != NULL)
			*progress = *shared;	/* how far it came */

		/* Ends the worker if it still runs, and waits for its end: whoever gets the error finds it gone. */
		DestroyParallelContext(pcxt);
		ExitParallelMode();
	}
	PG_END_TRY();
	return launched;
}

void
ml_worker_attach(dsm_segment *seg, shm_toc *toc, MlWorkerCall *call)
{
	const Request *request = shm_toc_lookup(toc, KEY_REQUEST, false);
	shm_mq	   *mq = shm_toc_lookup(toc, KEY_QUEUE, false);

	call->request = request->bytes;
	call->length = request->length;
	call->progress = shm_toc_lookup(toc, KEY_PROGRESS, false);
	shm_mq_set_sender(mq, MyProc);
	call->queue = shm_mq_attach(mq, seg, NULL);
}

static void
send_message(MlWorkerCall *call, const void *data, Size length)
{
	shm_mq_result result = shm_mq_send(call->queue, length, data, false, true);

	if (result != SHM_MQ_SUCCESS)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the session that waits for this worker has gone")));
}

void
ml_worker_reply(MlWorkerCall *call, const void *bytes, Size length)
{
	send_message(call, &length, sizeof(length));
	for (Size sent = 0; sent < length;)
	{
		Size		piece = Min(PIECE, length - sent);

		send_message(call, (const char *) bytes + sent, piece);
		sent += piece;
	}
}
