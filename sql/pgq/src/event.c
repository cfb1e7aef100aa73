/*
 * SPDX-License-Identifier: ISC
 *
 * event.c
 *	  Write an event to the current event table of a queue.
 *
 *	  The steps and their order: 1. assign the top txid, 2. read the queue row as of now, 3. lock the event table,
 *	  4. take a number, 5. write, 6. note that the ticker is to be woken (looked at before commit). 1 before 2 is
 *	  for rotation (queue.c), 3 before 4 before 6 for the ticker (pgq.ticker_sleep).
 */
#include "compat.h"
#include "event_table.h"

#include "access/table.h"
#include "access/xact.h"
#include "commands/sequence.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"

/*
 * Open the table that takes events now, with its lock. The transaction is a producer from here on.
 *
 * Whoever stops writers sets queue_disable_insert and then waits for the lock that they hold. If we have been
 * waiting behind him, the row that we have read is outdated: look again with the lock in hand.
 */
Relation
pgq_open_event_table(const text *queue_name, PgqQueue **queue)
{
	/* First the txid, then the row. */
	(void) GetTopFullTransactionId();

	for (;;)
	{
		PgqQueue   *q = pgq_get_queue(queue_name);
		Oid			relid = q->event_table;
		bool		held = pgq_lock_is_held(relid, RowExclusiveLock);
		Relation	rel = try_table_open(relid, RowExclusiveLock);

		CHECK_FOR_INTERRUPTS();
		if (rel != NULL && !held)
			q = pgq_get_queue(queue_name);
		*queue = q;
		if (rel != NULL && q->event_table == relid)
		{
			pgq_note_producer(q);
			return rel;
		}
		/* Rotated or dropped meanwhile; if it is dropped, the queue is not found the next time. */
		if (rel != NULL)
			table_close(rel, RowExclusiveLock);
	}
}

void
pgq_check_enabled(const PgqQueue *queue)
{
	if (queue->disable_insert && SessionReplicationRole != SESSION_REPLICATION_ROLE_REPLICA)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("Insert into queue disallowed"),
				 errdetail("Queue \"%s\" has queue_disable_insert set.", queue->name),
				 errhint("On a branch or leaf of a cascaded queue, insert at the root node.")));
}

/* Count per top transaction; events of rolled back subtransactions count too. */
static void
count_event(PgqQueue *queue)
{
	FullTransactionId top = GetTopFullTransactionId();

	if (!FullTransactionIdEquals(queue->counted_in, top))
	{
		queue->counted_in = top;
		queue->count = 0;
	}
	if (queue->has_limit && queue->count >= queue->per_tx_limit)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("Queue '%s' allows max %d events from one TX", queue->name, queue->per_tx_limit),
				 errhint("Commit more often, or raise queue_per_tx_limit in pgq.queue.")));
	queue->count++;
}

static void
fill_columns(const PgqEvent *event, int64 id, Datum *values, bool *nulls)
{
	FullTransactionId top = GetTopFullTransactionId();

	values[PGQ_EV_ID] = Int64GetDatum(id);
	values[PGQ_EV_TIME] = TimestampTzGetDatum(event->has_time ? event->time : GetCurrentTransactionStartTimestamp());
	values[PGQ_EV_TXID] = Int64GetDatum((int64) U64FromFullTransactionId(top));
	values[PGQ_EV_OWNER] = Int32GetDatum(event->owner);
	values[PGQ_EV_RETRY] = Int32GetDatum(event->retry);
	nulls[PGQ_EV_ID] = nulls[PGQ_EV_TIME] = nulls[PGQ_EV_TXID] = false;
	nulls[PGQ_EV_OWNER] = !event->has_owner;
	nulls[PGQ_EV_RETRY] = !event->has_retry;
	for (int i = 0; i < PGQ_NFIELDS; i++)
	{
		values[PGQ_EV_FIELDS + i] = PointerGetDatum(event->fields[i]);
		nulls[PGQ_EV_FIELDS + i] = event->fields[i] == NULL;
	}
}

static Relation
open_table(const text *queue_name, PgqRights rights, PgqQueue **queue)
{
	Relation	rel;

	PreventCommandIfReadOnly("pgq.insert_event()");
	PreventCommandIfParallelMode("pgq.insert_event()");
	PreventCommandDuringRecovery("pgq.insert_event()");

	rel = pgq_open_event_table(queue_name, queue);
	if (rights == PGQ_AS_CALLER)
	{
		AclResult	allowed = pg_class_aclcheck(RelationGetRelid(rel), GetUserId(), ACL_INSERT);

		if (allowed != ACLCHECK_OK)
			aclcheck_error(allowed, OBJECT_TABLE, RelationGetRelationName(rel));
	}
	return rel;
}

/* Returns the event's id. The number is used up even if the queue refuses the event. */
static int64
make_row(PgqQueue *queue, Oid event_seq, const PgqEvent *event, Datum *values, bool *nulls)
{
	int64		id = nextval_internal(event_seq, false);

	if (event->has_id)
		id = event->id;
	pgq_check_enabled(queue);
	count_event(queue);
	fill_columns(event, id, values, nulls);
	return id;
}

/* Returns the event's id. */
int64
pgq_store_event(const text *queue_name, const PgqEvent *event, PgqRights rights)
{
	PgqQueue   *queue;
	Relation	rel = open_table(queue_name, rights, &queue);
	Datum		values[PGQ_NCOLUMNS];
	bool		nulls[PGQ_NCOLUMNS];
	int64		id = make_row(queue, queue->event_seq, event, values, nulls);

	pgq_insert_row(rel, rights, values, nulls);
	table_close(rel, NoLock);
	return id;
}

struct PgqWriter
{
	PgqQueue   *queue;
	Oid			event_seq;
	PgqRows		rows;
};

/*
 * Start to write many events to a queue, with few of the costs of each. The writer lives in the current memory
 * context; after an error it must not be used again.
 *
 * The table is chosen once. That is safe: our txid is lower than that of any step 2 to come, so readers look for
 * the events in this table too, as they do for those of one long INSERT. So are the numbers: each is taken when its
 * event is given, not a block of them ahead, so the order of ids is the order of events, also of those that a
 * function called meanwhile writes by itself.
 */
PgqWriter *
pgq_begin_events(const text *queue_name, PgqRights rights)
{
	PgqWriter  *writer = palloc0(sizeof(PgqWriter));
	Relation	rel = open_table(queue_name, rights, &writer->queue);

	writer->event_seq = writer->queue->event_seq;
	pgq_begin_rows(&writer->rows, rel, rights);
	return writer;
}

/* Write an event; it may be seen in the table only after pgq_end_events. Returns its id. */
int64
pgq_add_event(PgqWriter *writer, const PgqEvent *event)
{
	Datum		values[PGQ_NCOLUMNS];
	bool		nulls[PGQ_NCOLUMNS];
	int64		id = make_row(writer->queue, writer->event_seq, event, values, nulls);

	pgq_add_row(&writer->rows, values, nulls);
	return id;
}

void
pgq_end_events(PgqWriter *writer)
{
	pgq_end_rows(&writer->rows);
	table_close(writer->rows.rel, NoLock);
	pfree(writer);
}
