/*
 * SPDX-License-Identifier: ISC
 *
 * wakeup.c
 *	  Wake the ticker if it sleeps, when a transaction that has written events commits.
 *
 *	  Each queue has a sequence as a flag: 2 means that the ticker sleeps. It is looked at once per transaction and
 *	  queue, as the last thing before commit; only then, and only if the ticker sleeps, NOTIFY is sent, so that a
 *	  busy queue never pays for its server-wide lock. Why no event is missed: see pgq.ticker_sleep.
 *
 *	  A transaction that is prepared for two-phase commit cannot notify; it goes on holding its lock on the event
 *	  table, which an awake ticker sees, and one that sleeps finds its events when it looks by the clock.
 */
#include "compat.h"
#include "pgq.h"

#include "access/relation.h"
#include "access/xact.h"
#include "commands/async.h"
#include "commands/sequence.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "utils/memutils.h"

#define TICKER_ASLEEP 2

typedef struct Producing
{
	int32		queue_id;
	Oid			wake_seq;
	struct Producing *next;
} Producing;

/* Queues that this transaction writes to; lives in TopTransactionContext. */
static Producing *producing = NULL;

/* Contexts that somebody further up the stack may still use. */
typedef struct Doomed
{
	MemoryContext context;
	struct Doomed *next;
} Doomed;

static Doomed *doomed = NULL;

void
pgq_note_producer(const PgqQueue *queue)
{
	Producing  *p;

	if (!OidIsValid(queue->wake_seq))
		return;
	for (p = producing; p != NULL; p = p->next)
		if (p->queue_id == queue->id)
			return;
	p = MemoryContextAlloc(TopTransactionContext, sizeof(Producing));
	p->queue_id = queue->id;
	p->wake_seq = queue->wake_seq;
	p->next = producing;
	producing = p;
}

/* Delete a memory context, and what is in it, when the transaction ends. */
void
pgq_delete_at_end(MemoryContext context)
{
	Doomed	   *d = MemoryContextAlloc(context, sizeof(Doomed));

	d->context = context;
	d->next = doomed;
	doomed = d;
}

/* Reads the sequence as nextval does, but without taking a number. */
static bool
is_ticker_asleep(Oid wake_seq)
{
	Relation	rel = try_relation_open(wake_seq, AccessShareLock);
	Buffer		buffer;
	Page		page;
	HeapTupleHeader row;
	Form_pg_sequence_data data;
	bool		asleep;

	/* The queue was dropped in this transaction. */
	if (rel == NULL)
		return false;
	buffer = ReadBuffer(rel, 0);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	row = (HeapTupleHeader) PageGetItem(page, PageGetItemId(page, FirstOffsetNumber));
	data = (Form_pg_sequence_data) ((char *) row + row->t_hoff);
	asleep = data->is_called && data->last_value == TICKER_ASLEEP;
	UnlockReleaseBuffer(buffer);
	relation_close(rel, AccessShareLock);
	return asleep;
}

static void
wake_ticker(void)
{
	for (Producing *p = producing; p != NULL; p = p->next)
	{
		char		payload[12];

		if (!is_ticker_asleep(p->wake_seq))
			continue;
		snprintf(payload, sizeof(payload), "%d", p->queue_id);
		Async_Notify("pgq_wakeup", payload);
	}
}

static void
delete_doomed(void)
{
	Doomed	   *next;

	for (Doomed *d = doomed; d != NULL; d = next)
	{
		next = d->next;
		MemoryContextDelete(d->context);
	}
	doomed = NULL;
}

static void
transaction_ends(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			wake_ticker();
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			producing = NULL;
			delete_doomed();
			break;
		default:
			break;
	}
}

void
pgq_init_wakeup(void)
{
	RegisterXactCallback(transaction_ends, NULL);
}
