/*
 * SPDX-License-Identifier: ISC
 *
 * queue.c
 *	  Read pgq.queue: which table takes events, and are they allowed?
 *
 *	  The answer must be right as of now, whatever the isolation level: a transaction that goes by an old snapshot
 *	  would write to a table that is no longer read. Rotation counts on producers that get a txid first and look
 *	  for the table then: who has a higher txid than step 2 cannot have picked the old table. So the row is read
 *	  with the latest snapshot, each time, after a txid was assigned.
 *
 *	  The row that was read before is used again only as long as it cannot have changed: no transaction has ended
 *	  in the whole cluster since, and we ourselves are in the same command and subtransaction. In a statement that
 *	  writes many events this is the usual case.
 */
#include "pgq.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/skey.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Columns by name: tables that were upgraded may have them in another order. */
typedef enum QueueColumn
{
	COL_ID,
	COL_NAME,
	COL_CUR_TABLE,
	COL_DISABLE_INSERT,
	COL_PER_TX_LIMIT,
	COL_DATA_PFX,
	COL_EVENT_SEQ,
	COL_WAKE_SEQ
} QueueColumn;

#define N_COLUMNS (COL_WAKE_SEQ + 1)

static const char *const column_names[N_COLUMNS] = {
	"queue_id", "queue_name", "queue_cur_table", "queue_disable_insert", "queue_per_tx_limit",
	"queue_data_pfx", "queue_event_seq", "queue_wake_seq"
};

typedef struct QueueSlot
{
	uint32		hash;			/* of the name */
	PgqQueue   *first;
} QueueSlot;

static HTAB *queues = NULL;
static MemoryContext queue_context = NULL;
static PgqQueue *latest = NULL;

/* Counts changes of any relation: OIDs and column numbers are looked up again after one. */
static uint64 generation = 1;

static uint64 catalog_generation = 0;
static Oid	queue_table;
static Oid	queue_name_index;
static Oid	queue_name_collation;
static AttrNumber column_numbers[N_COLUMNS];

static void
relation_changed(Datum arg, Oid relid)
{
	generation++;
}

void
pgq_init_queues(void)
{
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
}

static void
find_catalog(void)
{
	Oid			schema = get_namespace_oid("pgq", false);
	Relation	rel;
	ListCell   *cell;
	List	   *indexes;
	uint64		started = generation;

	queue_table = get_relname_relid("queue", schema);
	if (!OidIsValid(queue_table))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table pgq.queue does not exist")));
	for (int i = 0; i < N_COLUMNS; i++)
		column_numbers[i] = get_attnum(queue_table, column_names[i]);

	queue_name_index = InvalidOid;
	queue_name_collation = DEFAULT_COLLATION_OID;
	rel = table_open(queue_table, AccessShareLock);
	indexes = RelationGetIndexList(rel);
	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);
		Form_pg_index form = index->rd_index;

		if (form->indisunique && form->indisvalid && form->indnkeyatts == 1 &&
			form->indkey.values[0] == column_numbers[COL_NAME] && RelationGetIndexPredicate(index) == NIL)
		{
			queue_name_index = lfirst_oid(cell);
			queue_name_collation = index->rd_indcollation[0];
		}
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	table_close(rel, AccessShareLock);

	/* Opening may have told us of changes: then this is done once more the next time. */
	catalog_generation = started;
}

static bool
same_text(const char *copy, const text *value)
{
	size_t		len = VARSIZE_ANY_EXHDR(value);

	return strlen(copy) == len && memcmp(copy, VARDATA_ANY(value), len) == 0;
}

/* Keep a copy of a text column in *copy; a change of it makes the OIDs unknown. */
static void
keep_text(PgqQueue *queue, char **copy, Datum value, bool isnull)
{
	char	   *old = *copy;
	text	   *packed;

	if (isnull)
	{
		if (old == NULL)
			return;
		*copy = NULL;
	}
	else
	{
		packed = DatumGetTextPP(value);
		if (old != NULL && same_text(old, packed))
			return;
		*copy = MemoryContextStrdup(queue_context, text_to_cstring(packed));
	}
	queue->names_generation = 0;
	if (old != NULL)
		pfree(old);
}

static Datum
get_column(HeapTuple tuple, TupleDesc desc, QueueColumn column, bool *isnull)
{
	/* A table of version 2 lacks some. */
	if (column_numbers[column] == InvalidAttrNumber)
	{
		*isnull = true;
		return (Datum) 0;
	}
	return heap_getattr(tuple, column_numbers[column], desc, isnull);
}

static void
keep_row(PgqQueue *queue, HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	Datum		value;
	int32		cur_table;

	queue->id = DatumGetInt32(get_column(tuple, desc, COL_ID, &isnull));
	cur_table = DatumGetInt32(get_column(tuple, desc, COL_CUR_TABLE, &isnull));
	if (cur_table != queue->cur_table)
		queue->names_generation = 0;
	queue->cur_table = cur_table;
	value = get_column(tuple, desc, COL_DISABLE_INSERT, &isnull);
	queue->disable_insert = !isnull && DatumGetBool(value);
	value = get_column(tuple, desc, COL_PER_TX_LIMIT, &isnull);
	queue->has_limit = !isnull;
	queue->per_tx_limit = isnull ? 0 : DatumGetInt32(value);

	value = get_column(tuple, desc, COL_DATA_PFX, &isnull);
	keep_text(queue, &queue->data_pfx, value, isnull);
	value = get_column(tuple, desc, COL_EVENT_SEQ, &isnull);
	keep_text(queue, &queue->event_seq_name, value, isnull);
	value = get_column(tuple, desc, COL_WAKE_SEQ, &isnull);
	keep_text(queue, &queue->wake_seq_name, value, isnull);
}

static PgqQueue *
add_queue(const text *name)
{
	PgqQueue   *queue;
	QueueSlot  *slot;
	bool		found;
	uint32		hash;

	if (queues == NULL)
	{
		HASHCTL		ctl = {0};

		queue_context = AllocSetContextCreate(TopMemoryContext, "pgq queues", ALLOCSET_SMALL_SIZES);
		ctl.keysize = sizeof(uint32);
		ctl.entrysize = sizeof(QueueSlot);
		ctl.hcxt = queue_context;
		queues = hash_create("pgq queues", 16, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	queue = MemoryContextAllocZero(queue_context, sizeof(PgqQueue));
	queue->name_len = VARSIZE_ANY_EXHDR(name);
	queue->name = MemoryContextAlloc(queue_context, queue->name_len + 1);
	memcpy(queue->name, VARDATA_ANY(name), queue->name_len);
	queue->name[queue->name_len] = '\0';

	hash = hash_bytes((const unsigned char *) queue->name, queue->name_len);
	slot = hash_search(queues, &hash, HASH_ENTER, &found);
	queue->next = found ? slot->first : NULL;
	slot->first = queue;
	return queue;
}

static bool
has_name(const PgqQueue *queue, const text *name)
{
	return queue->name_len == (int) VARSIZE_ANY_EXHDR(name) &&
		memcmp(queue->name, VARDATA_ANY(name), queue->name_len) == 0;
}

/* Find what was read of this queue before, however old; NULL if nothing. */
static PgqQueue *
known_queue(const text *name)
{
	uint32		hash;
	QueueSlot  *slot;
	PgqQueue   *queue;

	if (queues == NULL)
		return NULL;
	if (latest != NULL && has_name(latest, name))
		return latest;
	hash = hash_bytes((const unsigned char *) VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	slot = hash_search(queues, &hash, HASH_FIND, NULL);
	for (queue = slot ? slot->first : NULL; queue != NULL; queue = queue->next)
		if (has_name(queue, name))
			return queue;
	return NULL;
}

static PgqQueue *
read_row(const text *name, Snapshot snapshot, PgqQueue *queue)
{
	Relation	rel;
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;

	if (queue != NULL)
		queue->read_completions = 0;
	if (catalog_generation != generation)
		find_catalog();
	rel = table_open(queue_table, AccessShareLock);
	ScanKeyEntryInitialize(&key, 0, column_numbers[COL_NAME], BTEqualStrategyNumber, InvalidOid,
						   queue_name_collation, F_TEXTEQ, PointerGetDatum(name));
	scan = systable_beginscan(rel, queue_name_index, OidIsValid(queue_name_index), snapshot, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		if (queue == NULL)
			queue = add_queue(name);
		keep_row(queue, tuple, RelationGetDescr(rel));
	}
	else
		queue = NULL;
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return queue;
}

/* The first dot parts schema and name; without one the schema is public. */
static Oid
find_relation(const char *name)
{
	const char *dot = strchr(name, '.');
	char	   *schema = dot ? pnstrdup(name, dot - name) : pstrdup("public");
	Oid			schema_id = get_namespace_oid(schema, true);

	pfree(schema);
	return OidIsValid(schema_id) ? get_relname_relid(dot ? dot + 1 : name, schema_id) : InvalidOid;
}

static void
find_relations(PgqQueue *queue)
{
	uint64		started = generation;
	char	   *table = psprintf("%s_%d", queue->data_pfx, queue->cur_table);

	queue->event_table = find_relation(table);
	queue->event_seq = find_relation(queue->event_seq_name);
	queue->wake_seq = queue->wake_seq_name ? find_relation(queue->wake_seq_name) : InvalidOid;
	if (!OidIsValid(queue->event_table) || !OidIsValid(queue->event_seq))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("queue \"%s\" is broken: \"%s\" does not exist", queue->name,
						OidIsValid(queue->event_table) ? queue->event_seq_name : table)));
	pfree(table);
	queue->names_generation = started;
}

/*
 * Say what pgq.queue says now of a queue. The result stays, and is brought up to date by the next call. In a
 * transaction that writes, the caller has assigned a txid.
 */
PgqQueue *
pgq_get_queue(const text *name)
{
	Snapshot	snapshot = GetLatestSnapshot();
	FullTransactionId top = GetTopFullTransactionIdIfAny();
	PgqQueue   *queue = known_queue(name);

	if (queue == NULL || queue->read_completions == 0 ||
		queue->read_completions != snapshot->snapXactCompletionCount ||
		queue->read_at != GetCurrentCommandId(false) ||
		queue->read_in_sub != GetCurrentSubTransactionId() ||
		!FullTransactionIdEquals(queue->read_in, top))
	{
		uint64		completions = snapshot->snapXactCompletionCount;

		snapshot = RegisterSnapshot(snapshot);
		queue = read_row(name, snapshot, queue);
		UnregisterSnapshot(snapshot);
		if (queue == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("No such queue"),
					 errdetail("Queue: %s.", text_to_cstring(name)),
					 errhint("Create it: select pgq.create_queue(queue).")));
		queue->read_completions = FullTransactionIdIsValid(top) ? completions : 0;
		queue->read_at = GetCurrentCommandId(false);
		queue->read_in_sub = GetCurrentSubTransactionId();
		queue->read_in = top;
	}
	if (queue->names_generation != generation)
		find_relations(queue);
	latest = queue;
	return queue;
}
