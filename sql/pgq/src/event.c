/*
 * SPDX-License-Identifier: ISC
 *
 * event.c
 *	  Write an event to the current event table of a queue.
 *
 *	  The steps and their order: 1. assign the top txid, 2. read the queue row as of now, 3. lock the event table,
 *	  4. take a number, 5. write, 6. note that the ticker is to be woken (looked at before commit). 1 before 2 is
 *	  for rotation (queue.c), 3 before 4 before 6 for the ticker (pgq.ticker_sleep).
 *
 *	  Event tables as we make them are written to directly. One that has got triggers, constraints, rules or other
 *	  columns is written to by an INSERT.
 */
#include "compat.h"
#include "pgq.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

/* Columns of pgq.event_template. */
typedef enum EventColumn
{
	EV_ID,
	EV_TIME,
	EV_TXID,
	EV_OWNER,
	EV_RETRY,
	EV_FIELDS					/* PGQ_NFIELDS of them */
} EventColumn;

#define N_COLUMNS (EV_FIELDS + PGQ_NFIELDS)

static const Oid column_types[N_COLUMNS] = {
	INT8OID, TIMESTAMPTZOID, INT8OID, INT4OID, INT4OID,
	TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID
};

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

/* Is this a table on which INSERT would do no more than store the row? */
static bool
is_plain_table(Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);

	if (rel->rd_rel->relkind != RELKIND_RELATION || rel->rd_rel->relispartition ||
		rel->rd_rel->relrowsecurity || rel->rd_rules != NULL || rel->trigdesc != NULL ||
		rel->rd_tableam != GetHeapamTableAmRoutine() || desc->natts != N_COLUMNS ||
		pgq_has_generated(desc) || (desc->constr != NULL && desc->constr->num_check > 0))
		return false;
	for (int i = 0; i < N_COLUMNS; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		/* The first three are never NULL. */
		if (att->attisdropped || att->atttypid != column_types[i] || (att->attnotnull && i > EV_TXID))
			return false;
	}
	return true;
}

static bool
are_plain_indexes(CatalogIndexState indexes)
{
	for (int i = 0; i < indexes->ri_NumIndices; i++)
	{
		IndexInfo  *info = indexes->ri_IndexRelationInfo[i];
		Form_pg_index form = indexes->ri_IndexRelationDescs[i]->rd_index;

		if (info->ii_Expressions != NIL || info->ii_Predicate != NIL || info->ii_ExclusionOps != NULL ||
			!form->indimmediate)
			return false;
	}
	return true;
}

/* Returns false, with nothing done, if the table is not for this. */
static bool
write_directly(Relation rel, Datum *values, bool *nulls)
{
	CatalogIndexState indexes;
	bool		plain;

	if (!is_plain_table(rel))
		return false;
	/* Made for catalogs, right for any heap table with plain indexes. */
	indexes = CatalogOpenIndexes(rel);
	plain = are_plain_indexes(indexes);
	if (plain)
	{
		HeapTuple	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);

		CatalogTupleInsertWithInfo(rel, tuple, indexes);
		heap_freetuple(tuple);
	}
	CatalogCloseIndexes(indexes);
	return plain;
}

static void
run_insert(Relation rel, Datum *values, bool *nulls)
{
	StringInfoData sql;
	Oid			types[N_COLUMNS];
	char		spi_nulls[N_COLUMNS];

	initStringInfo(&sql);
	appendStringInfo(&sql, "insert into %s (ev_id, ev_time, ev_txid, ev_owner, ev_retry, ev_type, ev_data, "
					 "ev_extra1, ev_extra2, ev_extra3, ev_extra4) "
					 "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
					 quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
												RelationGetRelationName(rel)));
	for (int i = 0; i < N_COLUMNS; i++)
	{
		types[i] = column_types[i];
		spi_nulls[i] = nulls[i] ? 'n' : ' ';
	}
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute_with_args(sql.data, N_COLUMNS, types, values, spi_nulls, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not insert into \"%s\"", RelationGetRelationName(rel));
	SPI_finish();
	pfree(sql.data);
}

/* As a function that is SECURITY DEFINER, of the owner of the table, with search_path pinned. */
static void
run_insert_as_owner(Relation rel, Datum *values, bool *nulls)
{
	Oid			user;
	int			context;
	int			nest_level = NewGUCNestLevel();

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(rel->rd_rel->relowner, context | SECURITY_LOCAL_USERID_CHANGE);
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	run_insert(rel, values, nulls);
	AtEOXact_GUC(true, nest_level);
	SetUserIdAndSecContext(user, context);
}

static void
fill_columns(const PgqEvent *event, int64 id, Datum *values, bool *nulls)
{
	FullTransactionId top = GetTopFullTransactionId();

	values[EV_ID] = Int64GetDatum(id);
	values[EV_TIME] = TimestampTzGetDatum(event->has_time ? event->time : GetCurrentTransactionStartTimestamp());
	values[EV_TXID] = Int64GetDatum((int64) U64FromFullTransactionId(top));
	values[EV_OWNER] = Int32GetDatum(event->owner);
	values[EV_RETRY] = Int32GetDatum(event->retry);
	nulls[EV_ID] = nulls[EV_TIME] = nulls[EV_TXID] = false;
	nulls[EV_OWNER] = !event->has_owner;
	nulls[EV_RETRY] = !event->has_retry;
	for (int i = 0; i < PGQ_NFIELDS; i++)
	{
		values[EV_FIELDS + i] = PointerGetDatum(event->fields[i]);
		nulls[EV_FIELDS + i] = event->fields[i] == NULL;
	}
}

/* Returns the event's id. The number is used up even if the queue refuses the event. */
int64
pgq_store_event(const text *queue_name, const PgqEvent *event, PgqRights rights)
{
	PgqQueue   *queue;
	Relation	rel;
	Datum		values[N_COLUMNS];
	bool		nulls[N_COLUMNS];
	int64		id;

	PreventCommandIfReadOnly("pgq.insert_event()");
	PreventCommandIfParallelMode("pgq.insert_event()");
	PreventCommandDuringRecovery("pgq.insert_event()");

	rel = pgq_open_event_table(queue_name, &queue);
	if (rights == PGQ_AS_CALLER)
	{
		AclResult	allowed = pg_class_aclcheck(RelationGetRelid(rel), GetUserId(), ACL_INSERT);

		if (allowed != ACLCHECK_OK)
			aclcheck_error(allowed, OBJECT_TABLE, RelationGetRelationName(rel));
	}
	id = nextval_internal(queue->event_seq, false);
	if (event->has_id)
		id = event->id;
	pgq_check_enabled(queue);
	count_event(queue);

	fill_columns(event, id, values, nulls);
	if (!write_directly(rel, values, nulls))
	{
		if (rights == PGQ_AS_OWNER)
			run_insert_as_owner(rel, values, nulls);
		else
			run_insert(rel, values, nulls);
	}
	table_close(rel, NoLock);
	return id;
}
