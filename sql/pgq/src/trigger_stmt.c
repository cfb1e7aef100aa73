/*
 * SPDX-License-Identifier: ISC
 *
 * trigger_stmt.c
 *	  Triggers FOR EACH STATEMENT: all rows that a statement has changed, from its transition tables.
 *
 *	  create trigger a after insert on t referencing new table as n for each statement execute function ...
 *	  create trigger b after update on t referencing old table as o new table as n for each statement ...
 *	  create trigger c after delete on t referencing old table as o for each statement ...
 *
 *	  The server keeps the rows of such a statement aside, without an entry for each in its queue of triggers, and
 *	  the events are written many at a time.
 */
#include "trigger.h"

#include "executor/executor.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

/* A transition table. Other triggers read it too. */
typedef struct Rows
{
	Tuplestorestate *store;		/* NULL: the operation has no such table */
	int			pointer;
	TupleTableSlot *slot;
} Rows;

typedef struct Statement
{
	PgqChange	change;
	const PgqFormat *format;
	Rows		old_rows;
	Rows		new_rows;
	PgqWriter  *writer;
	MemoryContext context;
	MemoryContext row_context;
} Statement;

static void
open_rows(Rows *rows, Tuplestorestate *store, TupleDesc desc)
{
	rows->store = store;
	if (store == NULL)
		return;
	rows->pointer = tuplestore_alloc_read_pointer(store, EXEC_FLAG_REWIND);
	tuplestore_select_read_pointer(store, rows->pointer);
	tuplestore_rescan(store);
	rows->slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
}

static void
close_rows(Rows *rows)
{
	if (rows->store != NULL)
		ExecDropSingleTupleTableSlot(rows->slot);
}

static bool
next_row(Rows *rows, Datum **values, bool **nulls)
{
	tuplestore_select_read_pointer(rows->store, rows->pointer);
	if (!tuplestore_gettupleslot(rows->store, true, false, rows->slot))
		return false;
	slot_getallattrs(rows->slot);
	*values = rows->slot->tts_values;
	*nulls = rows->slot->tts_isnull;
	return true;
}

static void
emit_row(Statement *statement, PgqOperation op)
{
	PgqChange  *change = &statement->change;
	PgqTrigger *info = change->trigger;
	text	   *fields[PGQ_NFIELDS];

	CHECK_FOR_INTERRUPTS();
	change->op = op;
	MemoryContextSwitchTo(statement->row_context);
	if (pgq_makes_event(change))
	{
		pgq_fill_fields(change, statement->format, fields);
		MemoryContextSwitchTo(statement->context);
		if (info->query != NULL)
			pgq_run_query(info, fields);
		else
			pgq_emit_one_of_many(&statement->writer, info->queue_name, fields);
	}
	MemoryContextSwitchTo(statement->context);
	MemoryContextReset(statement->row_context);
}

static void
emit_deleted(Statement *statement)
{
	PgqChange  *change = &statement->change;

	change->values = change->old_values;
	change->nulls = change->old_nulls;
	emit_row(statement, PGQ_DELETE);
}

static void
emit_update(Statement *statement)
{
	PgqChange  *change = &statement->change;
	Datum	   *values = change->values;
	bool	   *nulls = change->nulls;
	bool		splits;

	change->op = PGQ_UPDATE;
	MemoryContextSwitchTo(statement->row_context);
	splits = pgq_splits(change);
	MemoryContextSwitchTo(statement->context);
	if (splits)
	{
		emit_deleted(statement);
		change->values = values;
		change->nulls = nulls;
	}
	emit_row(statement, splits ? PGQ_INSERT : PGQ_UPDATE);
}

static bool
is_same_key(Statement *statement)
{
	PgqChange  *change = &statement->change;
	bool		same = true;

	change->op = PGQ_UPDATE;
	MemoryContextSwitchTo(statement->row_context);
	for (int i = 0; same && i < change->trigger->nkeys; i++)
		same = !pgq_key_has_changed(change, change->trigger->keys[i]);
	MemoryContextSwitchTo(statement->context);
	return same;
}

/*
 * Old and new rows come in the same order. There are fewer new ones if rows were to move to another partition, and
 * a BEFORE trigger there has dropped them: such rows are deleted.
 */
static void
emit_updates(Statement *statement)
{
	PgqChange  *change = &statement->change;
	Rows	   *old_rows = &statement->old_rows;
	Rows	   *new_rows = &statement->new_rows;
	bool		some_are_lost = tuplestore_tuple_count(old_rows->store) != tuplestore_tuple_count(new_rows->store);
	bool		has_new = next_row(new_rows, &change->values, &change->nulls);

	while (next_row(old_rows, &change->old_values, &change->old_nulls))
	{
		if (has_new && (!some_are_lost || is_same_key(statement)))
		{
			emit_update(statement);
			has_new = next_row(new_rows, &change->values, &change->nulls);
		}
		else
		{
			emit_deleted(statement);
			change->values = new_rows->slot->tts_values;
			change->nulls = new_rows->slot->tts_isnull;
		}
	}
	if (has_new)
		pgq_protocol_error("rows of an UPDATE have changed their keys and been dropped, in one statement", NULL);
}

static void
emit_all(Statement *statement, PgqOperation op)
{
	PgqChange  *change = &statement->change;
	Rows	   *rows = op == PGQ_DELETE ? &statement->old_rows : &statement->new_rows;

	if (op == PGQ_UPDATE)
		emit_updates(statement);
	else
		while (next_row(rows, &change->values, &change->nulls))
			emit_row(statement, op);
}

static void
check_tables(TriggerData *data, PgqTrigger *info, PgqOperation op)
{
	static const char *const hints[] = {
		"Make it FOR EACH ROW, or create it with: AFTER INSERT ... REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT.",
		"Make it FOR EACH ROW, or create it with: AFTER UPDATE ... REFERENCING OLD TABLE AS old_rows "
		"NEW TABLE AS new_rows FOR EACH STATEMENT.",
		"Make it FOR EACH ROW, or create it with: AFTER DELETE ... REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT."
	};

	if ((op != PGQ_INSERT && data->tg_oldtable == NULL) || (op != PGQ_DELETE && data->tg_newtable == NULL))
	{
		/* Who only forbids changes needs no rows. */
		if (info->deny)
			pgq_check_options(data, info, op);
		pgq_protocol_error("pgq trigger FOR EACH STATEMENT needs to see the changed rows", hints[op]);
	}
}

/* Write events for all rows that the statement has changed. */
void
pgq_fire_statement(TriggerData *data, PgqTrigger *info, PgqOperation op, const PgqFormat *format)
{
	Statement	statement = {0};
	PgqTexts	texts;
	MemoryContext old_context;

	check_tables(data, info, op);
	if (tuplestore_tuple_count(op == PGQ_INSERT ? data->tg_newtable : data->tg_oldtable) == 0)
		return;
	pgq_check_options(data, info, op);

	statement.context = AllocSetContextCreate(CurrentMemoryContext, "pgq statement", ALLOCSET_DEFAULT_SIZES);
	statement.row_context = AllocSetContextCreate(statement.context, "pgq row", ALLOCSET_DEFAULT_SIZES);
	old_context = MemoryContextSwitchTo(statement.context);
	pgq_init_texts(&texts);
	statement.change.trigger = info;
	statement.change.texts = &texts;
	statement.format = format;
	open_rows(&statement.old_rows, data->tg_oldtable, RelationGetDescr(data->tg_relation));
	open_rows(&statement.new_rows, data->tg_newtable, RelationGetDescr(data->tg_relation));
	emit_all(&statement, op);
	if (statement.writer != NULL)
		pgq_end_events(statement.writer);
	close_rows(&statement.old_rows);
	close_rows(&statement.new_rows);
	MemoryContextSwitchTo(old_context);
	MemoryContextDelete(statement.context);
}
