/*
 * SPDX-License-Identifier: ISC
 *
 * trigger_info.c
 *	  What a trigger knows of its arguments and its table, kept until one of them changes.
 */
#include "compat.h"
#include "trigger.h"

#include "access/genam.h"
#include "access/skey.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_index.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

typedef struct TriggerSlot
{
	Oid			trigger;
	PgqTrigger *info;
} TriggerSlot;

static HTAB *triggers = NULL;

/* Counts changes that may concern a trigger. */
static uint64 changes = 0;

#define MAGIC_PREFIX "_pgq_ev_"

static const char *const magic_names[PGQ_NFIELDS] = {
	MAGIC_PREFIX "type", MAGIC_PREFIX "data", MAGIC_PREFIX "extra1", MAGIC_PREFIX "extra2",
	MAGIC_PREFIX "extra3", MAGIC_PREFIX "extra4"
};

static void
forget(Oid relid)
{
	HASH_SEQ_STATUS scan;
	TriggerSlot *slot;

	changes++;
	if (triggers == NULL)
		return;
	hash_seq_init(&scan, triggers);
	while ((slot = hash_seq_search(&scan)) != NULL)
		if (slot->info != NULL &&
			(!OidIsValid(relid) || slot->info->relid == relid || slot->info->root == relid))
			slot->info->is_valid = false;
}

static void
relation_changed(Datum arg, Oid relid)
{
	forget(relid);
}

/* Names of schemas, output functions of types. */
static void
catalog_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	forget(InvalidOid);
}

void
pgq_init_triggers(void)
{
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, catalog_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(TYPEOID, catalog_changed, (Datum) 0);
}

/*
 * A trigger on a partitioned table has a copy on each partition. Events are about the table that the user has put
 * it on, whatever partition a row is in.
 */
static Oid
find_root(Oid trigger, Oid relid)
{
	Relation	pg_trigger = table_open(TriggerRelationId, AccessShareLock);

	while (OidIsValid(trigger))
	{
		ScanKeyData key;
		SysScanDesc scan;
		HeapTuple	tuple;

		ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(trigger));
		scan = systable_beginscan(pg_trigger, TriggerOidIndexId, true, NULL, 1, &key);
		tuple = systable_getnext(scan);
		trigger = InvalidOid;
		if (HeapTupleIsValid(tuple))
		{
			Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);

			relid = form->tgrelid;
			trigger = form->tgparentid;
		}
		systable_endscan(scan);
	}
	table_close(pg_trigger, AccessShareLock);
	return relid;
}

static void
fill_names(PgqTrigger *info, Oid trigger, Relation rel)
{
	char	   *full_name;

	info->relid = RelationGetRelid(rel);
	info->root = rel->rd_rel->relispartition ? find_root(trigger, info->relid) : info->relid;
	info->schema_name = get_namespace_name(get_rel_namespace(info->root));
	info->table_name = get_rel_name(info->root);
	full_name = psprintf("%s.%s", info->schema_name, info->table_name);
	info->full_name = cstring_to_text(full_name);
	pfree(full_name);
}

static int
find_magic(const char *name)
{
	if (strncmp(name, MAGIC_PREFIX, strlen(MAGIC_PREFIX)) != 0)
		return -1;
	for (int i = 0; i < PGQ_NFIELDS; i++)
		if (strcmp(name, magic_names[i]) == 0)
			return i;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_COLUMN_DEFINITION),
			 errmsg("unknown magic column \"%s\"", name),
			 errhint("Names that start with %s stand for fields of an event: type, data, extra1 to extra4.",
					 MAGIC_PREFIX)));
	return -1;
}

static bool
is_listed(List *names, const char *name)
{
	ListCell   *cell;

	foreach(cell, names)
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	return false;
}

static void
fill_column(PgqTrigger *info, PgqColumn *column, Form_pg_attribute att)
{
	column->attnum = att->attnum;
	column->name = pstrdup(NameStr(att->attname));
	column->url_name = pgq_url_name(column->name);
	column->json_name = pgq_json_name(column->name);
	column->sql_name = pstrdup(quote_identifier(column->name));
	column->type = att->atttypid;
	column->collation = att->attcollation;
	column->by_value = att->attbyval;
	column->length = att->attlen;
	column->is_generated = att->attgenerated != '\0';
	column->is_identity = att->attidentity == ATTRIBUTE_IDENTITY_ALWAYS;
	column->magic = find_magic(column->name);
	if (column->magic >= 0)
		info->has_magic = true;
	pgq_set_output(info, column);
}

/* The letter for the next column that is not dropped; without one it is to be ignored. */
static char
next_kind(const char **kinds)
{
	return *kinds == NULL || **kinds == '\0' ? 'i' : *(*kinds)++;
}

static void
fill_columns(PgqTrigger *info, Relation rel, const PgqColumnLists *lists)
{
	TupleDesc	desc = RelationGetDescr(rel);
	List	   *ignored = lists->ignore ? pgq_split_names(lists->ignore) : NIL;
	const char *kinds = lists->kinds;

	info->natts = desc->natts;
	info->columns = palloc0(sizeof(PgqColumn) * Max(desc->natts, 1));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		PgqColumn  *column;
		char		kind;

		if (att->attisdropped)
			continue;
		kind = next_kind(&kinds);
		if (pgq_is_virtual(att))
			continue;
		column = &info->columns[info->ncolumns++];
		fill_column(info, column, att);
		column->is_ignored = lists->kinds ? kind == 'i' : is_listed(ignored, column->name);
		column->is_data = !column->is_ignored && column->magic < 0;
	}
}

static PgqColumn *
find_column(PgqTrigger *info, const char *name)
{
	for (int i = 0; i < info->ncolumns; i++)
		if (strcmp(info->columns[i].name, name) == 0)
			return &info->columns[i];
	return NULL;
}

/*
 * Names of the columns of the primary key, in its order. If it is deferrable, one statement may let rows exchange their
 * keys: told row by row, a row would then be there twice.
 */
static List *
primary_key_names(PgqTrigger *info, Relation rel)
{
	List	   *names = NIL;
	List	   *indexes = RelationGetIndexList(rel);
	ListCell   *cell;

	foreach(cell, indexes)
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(cell)));
		Form_pg_index index;

		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for index %u", lfirst_oid(cell));
		index = (Form_pg_index) GETSTRUCT(tuple);
		if (index->indisprimary && !index->indimmediate)
			info->splits_keys = false;
		for (int i = 0; index->indisprimary && i < index->indnkeyatts; i++)
			names = lappend(names, get_attname(RelationGetRelid(rel), index->indkey.values[i], false));
		ReleaseSysCache(tuple);
	}
	list_free(indexes);
	return names;
}

/* Names of the columns whose letter is k. */
static List *
key_names_of_kinds(Relation rel, const char *kinds)
{
	TupleDesc	desc = RelationGetDescr(rel);
	List	   *names = NIL;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && next_kind(&kinds) == 'k')
			names = lappend(names, pstrdup(NameStr(att->attname)));
	}
	if (strchr(kinds, 'k') != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("key column does not exist"),
				 errdetail("Table \"%s\" has fewer columns than the trigger has letters.",
						   RelationGetRelationName(rel))));
	if (names == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("need at least one key column"),
				 errhint("Its letter is k.")));
	return names;
}

static List *
key_names(PgqTrigger *info, Relation rel, const PgqColumnLists *lists)
{
	if (lists->kinds != NULL)
		return key_names_of_kinds(rel, lists->kinds);
	return lists->pkey ? pgq_split_names(lists->pkey) : primary_key_names(info, rel);
}

static void
fill_key(PgqTrigger *info, Relation rel, const PgqColumnLists *lists)
{
	List	   *names = key_names(info, rel, lists);
	StringInfoData list;
	ListCell   *cell;

	initStringInfo(&list);
	info->keys = palloc(sizeof(PgqColumn *) * Max(list_length(names), 1));
	foreach(cell, names)
	{
		PgqColumn  *column = find_column(info, lfirst(cell));

		if (column == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("pkey= of pgq trigger: table \"%s\" has no column \"%s\"",
							RelationGetRelationName(rel), (char *) lfirst(cell))));
		if (column->is_key)
			continue;
		column->is_key = true;
		if (info->nkeys > 0)
			appendStringInfoChar(&list, ',');
		appendStringInfoString(&list, column->name);
		info->keys[info->nkeys++] = column;
	}
	info->key_list = list.data;
}

static PgqTrigger *
make_trigger(TriggerData *data, PgqArguments arguments, MemoryContext context)
{
	Relation	rel = data->tg_relation;
	MemoryContext old_context = MemoryContextSwitchTo(context);
	PgqTrigger *info = palloc0(sizeof(PgqTrigger));
	PgqColumnLists lists;

	info->context = context;
	info->trigger = data->tg_trigger->tgoid;
	pgq_parse_arguments(info, data->tg_trigger, arguments, &lists);
	fill_names(info, info->trigger, rel);
	fill_columns(info, rel, &lists);
	fill_key(info, rel, &lists);
	pgq_parse_expr(info, &info->when);
	for (int i = 0; i < PGQ_NFIELDS; i++)
		pgq_parse_expr(info, &info->fields[i]);
	MemoryContextSwitchTo(old_context);
	return info;
}

/* Find what is known of the trigger that fires, or find it out. Arguments that are wrong raise an error. */
PgqTrigger *
pgq_get_trigger(TriggerData *data, PgqArguments arguments)
{
	Oid			oid = data->tg_trigger->tgoid;
	TriggerSlot *slot;
	MemoryContext context;
	PgqTrigger *info;
	uint64		started;
	bool		found;

	if (triggers == NULL)
	{
		HASHCTL		ctl = {0};

		ctl.keysize = sizeof(Oid);
		ctl.entrysize = sizeof(TriggerSlot);
		triggers = hash_create("pgq triggers", 32, &ctl, HASH_ELEM | HASH_BLOBS);
	}
	slot = hash_search(triggers, &oid, HASH_FIND, NULL);
	if (slot != NULL && slot->info != NULL && slot->info->is_valid &&
		slot->info->relid == RelationGetRelid(data->tg_relation))
		return slot->info;

	/* Child of the current context until it is complete: an error leaves nothing behind. */
	context = AllocSetContextCreate(CurrentMemoryContext, "pgq trigger", ALLOCSET_SMALL_SIZES);
	started = changes;
	info = make_trigger(data, arguments, context);
	slot = hash_search(triggers, &oid, HASH_ENTER, &found);
	if (found && slot->info != NULL)
	{
		/* A call further up the stack may be in the middle of using it. */
		pgq_delete_at_end(slot->info->context);
	}
	MemoryContextSetParent(context, TopMemoryContext);
	info->is_valid = changes == started;
	slot->info = info;
	return info;
}
