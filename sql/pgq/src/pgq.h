/*
 * SPDX-License-Identifier: ISC
 *
 * pgq.h
 *	  What the parts of the producer share.
 *
 *	  An event goes through these files: trigger*.c and one per format, such as logutriga.c (from a row to texts),
 *	  insert_event.c (the SQL functions), queue.c (which table?), event.c and event_table.c (into the table),
 *	  wakeup.c (is the ticker asleep?).
 */
#ifndef PGQ_H
#define PGQ_H

#include "postgres.h"

#include "access/transam.h"
#include "fmgr.h"
#include "utils/relcache.h"
#include "utils/timestamp.h"

/* Fields of an event that are text, in the order of the table's columns. */
typedef enum PgqField
{
	PGQ_TYPE,
	PGQ_DATA,
	PGQ_EXTRA1,
	PGQ_EXTRA2,
	PGQ_EXTRA3,
	PGQ_EXTRA4
} PgqField;

#define PGQ_NFIELDS (PGQ_EXTRA4 + 1)

typedef struct PgqEvent
{
	bool		has_id;			/* else from the queue's sequence */
	bool		has_time;		/* else start of the transaction */
	bool		has_owner;
	bool		has_retry;
	int64		id;
	TimestampTz time;
	int32		owner;
	int32		retry;
	text	   *fields[PGQ_NFIELDS];	/* NULL is SQL NULL */
} PgqEvent;

/* Whose rights count when the event is written? */
typedef enum PgqRights
{
	PGQ_AS_OWNER,				/* EXECUTE was checked: that is all it needs */
	PGQ_AS_CALLER				/* needs INSERT on the event table */
} PgqRights;

/* A row of pgq.queue, and what it means in this transaction. See queue.c. */
typedef struct PgqQueue
{
	char	   *name;
	int			name_len;
	int32		id;
	int32		cur_table;
	bool		disable_insert;
	bool		has_limit;
	int32		per_tx_limit;
	char	   *data_pfx;
	char	   *event_seq_name;
	char	   *wake_seq_name;	/* NULL: the ticker never sleeps */

	/* names looked up */
	uint64		names_generation;
	Oid			event_table;
	Oid			event_seq;
	Oid			wake_seq;

	/* when the row was read */
	FullTransactionId read_in;
	SubTransactionId read_in_sub;
	CommandId	read_at;
	uint64		read_completions;

	/* for per_tx_limit */
	FullTransactionId counted_in;
	int64		count;

	struct PgqQueue *next;		/* with the same hash */
} PgqQueue;

/* Many events on their way into one queue. */
typedef struct PgqWriter PgqWriter;

/* queue.c */
extern void pgq_init_queues(void);
extern PgqQueue *pgq_get_queue(const text *name);

/* event.c */
extern Relation pgq_open_event_table(const text *queue_name, PgqQueue **queue);
extern void pgq_check_enabled(const PgqQueue *queue);
extern int64 pgq_store_event(const text *queue_name, const PgqEvent *event, PgqRights rights);
extern PgqWriter *pgq_begin_events(const text *queue_name, PgqRights rights);
extern int64 pgq_add_event(PgqWriter *writer, const PgqEvent *event);
extern void pgq_end_events(PgqWriter *writer);

/* insert_event.c */
extern void pgq_init_target(void);
extern void pgq_emit_event(text *queue_name, text *const *fields);
extern void pgq_emit_one_of_many(PgqWriter **writer, text *queue_name, text *const *fields);

/* wakeup.c */
extern void pgq_init_wakeup(void);
extern void pgq_note_producer(const PgqQueue *queue);
extern void pgq_delete_at_end(MemoryContext context);

/* trigger_info.c */
extern void pgq_init_triggers(void);

#endif
