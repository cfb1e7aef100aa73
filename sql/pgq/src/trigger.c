/*
 * SPDX-License-Identifier: ISC
 *
 * trigger.c
 *	  A trigger fires: is it allowed, does it make an event, and what are the event's fields?
 */
#include "compat.h"
#include "trigger.h"

#include "access/htup_details.h"
#include "utils/builtins.h"
#include "utils/rel.h"

static const char *const operation_names[] = {"INSERT", "UPDATE", "DELETE", "TRUNCATE"};

static PgqOperation
get_operation(TriggerEvent event)
{
	if (TRIGGER_FIRED_BY_INSERT(event))
		return PGQ_INSERT;
	if (TRIGGER_FIRED_BY_UPDATE(event))
		return PGQ_UPDATE;
	if (TRIGGER_FIRED_BY_DELETE(event))
		return PGQ_DELETE;
	return PGQ_TRUNCATE;
}

/* What the trigger returns to let the operation go on. */
static Datum
proceed(TriggerData *data)
{
	if (!TRIGGER_FIRED_BEFORE(data->tg_event) || !TRIGGER_FIRED_FOR_ROW(data->tg_event))
		return PointerGetDatum(NULL);
	if (TRIGGER_FIRED_BY_UPDATE(data->tg_event))
		return PointerGetDatum(data->tg_newtuple);
	return PointerGetDatum(data->tg_trigtuple);
}

void
pgq_protocol_error(const char *text, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("%s", text),
			 hint ? errhint("%s", hint) : 0));
}

static void
check_level(TriggerData *data, PgqOperation op)
{
	if (TRIGGER_FIRED_INSTEAD(data->tg_event))
		pgq_protocol_error("pgq trigger cannot be used INSTEAD OF", NULL);
	if (op == PGQ_TRUNCATE && !TRIGGER_FIRED_FOR_STATEMENT(data->tg_event))
		pgq_protocol_error("pgq trigger for TRUNCATE must be FOR EACH STATEMENT", NULL);
}

/* A key that is not computed yet cannot be told. */
static void
check_known_key(const TriggerData *data, PgqTrigger *info)
{
	for (int i = 0; i < info->nkeys; i++)
		if (info->keys[i]->is_generated)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("key column \"%s\" of table \"%s.%s\" is generated: it has no value yet in a BEFORE trigger",
							info->keys[i]->name, info->schema_name, info->table_name),
					 errhint("Make it an AFTER trigger, or name other key columns in its option pkey=.")));
}

/* Is the trigger allowed to tell of such a change? */
void
pgq_check_options(const TriggerData *data, PgqTrigger *info, PgqOperation op)
{
	if (op == PGQ_TRUNCATE &&
		(info->has_ignore || info->has_pkey || info->backup || info->has_fields || info->when.source != NULL))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("pgq trigger for TRUNCATE takes no options but deny and SKIP")));
	if ((op == PGQ_UPDATE || op == PGQ_DELETE) && info->nkeys == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("Update/Delete on table without pkey"),
				 errdetail("Table \"%s.%s\".", info->schema_name, info->table_name),
				 errhint("Add a primary key, or name the key columns in the trigger's option pkey=.")));
	if ((op == PGQ_INSERT || op == PGQ_UPDATE) && TRIGGER_FIRED_BEFORE(data->tg_event))
		check_known_key(data, info);
	if (info->skip && !TRIGGER_FIRED_BEFORE(data->tg_event))
		pgq_protocol_error("pgq trigger with SKIP must be BEFORE", NULL);
	if (info->deny)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("Table '%s.%s' to queue '%s': change not allowed (%s)",
						info->schema_name, info->table_name, info->queue, operation_names[op])));
}

static void
deform(Relation rel, HeapTuple tuple, Datum **values, bool **nulls)
{
	int			natts = RelationGetDescr(rel)->natts;

	*values = palloc(sizeof(Datum) * Max(natts, 1));
	*nulls = palloc(sizeof(bool) * Max(natts, 1));
	heap_deform_tuple(tuple, RelationGetDescr(rel), *values, *nulls);
}

static void
fill_rows(PgqChange *change, TriggerData *data)
{
	if (change->op == PGQ_UPDATE)
	{
		deform(data->tg_relation, data->tg_newtuple, &change->values, &change->nulls);
		deform(data->tg_relation, data->tg_trigtuple, &change->old_values, &change->old_nulls);
	}
	else if (change->op != PGQ_TRUNCATE)
		deform(data->tg_relation, data->tg_trigtuple, &change->values, &change->nulls);
}

static PgqColumn *
find_changed_key(PgqChange *change)
{
	PgqTrigger *info = change->trigger;

	if (change->op == PGQ_UPDATE)
		for (int i = 0; i < info->nkeys; i++)
			if (pgq_key_has_changed(change, info->keys[i]))
				return info->keys[i];
	return NULL;
}

/* With ignore=: an UPDATE that changes something, but only in columns to ignore, makes no event. */
static bool
is_ignored(PgqChange *change)
{
	PgqTrigger *info = change->trigger;
	bool		only_ignored = false;

	if (change->op != PGQ_UPDATE || !info->has_ignore)
		return false;
	for (int i = 0; i < info->ncolumns; i++)
	{
		PgqColumn  *column = &info->columns[i];

		if (!pgq_has_changed(change, column))
			continue;
		if (!column->is_ignored)
			return false;
		only_ignored = true;
	}
	return only_ignored;
}

/*
 * Does the change make an event? A key must not change, not even in a column to ignore, unless the row is filtered
 * out anyway.
 */
bool
pgq_makes_event(PgqChange *change)
{
	PgqTrigger *info = change->trigger;
	PgqColumn  *key = find_changed_key(change);

	if (key == NULL && is_ignored(change))
		return false;
	if (!pgq_when_is_true(change))
		return false;
	if (key != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("primary key update not allowed"),
				 errdetail("Table \"%s.%s\", column \"%s\".", info->schema_name, info->table_name, key->name),
				 errhint("Delete the row, and insert it with the new key.")));
	return true;
}

/* Is the change to be told as two: the old row deleted, the new one inserted? */
bool
pgq_splits(PgqChange *change)
{
	return change->trigger->splits_keys && find_changed_key(change) != NULL;
}

void
pgq_init_texts(PgqTexts *texts)
{
	initStringInfo(&texts->type);
	initStringInfo(&texts->data);
	initStringInfo(&texts->backup);
	initStringInfo(&texts->value);
}

/* Text that is built in place: room for the header of a varlena comes first. */
static void
begin_text(StringInfo out)
{
	resetStringInfo(out);
	appendStringInfoSpaces(out, VARHDRSZ);
}

static text *
end_text(StringInfo out)
{
	SET_VARSIZE(out->data, out->len);
	return (text *) out->data;
}

static text *
column_text(PgqChange *change, PgqColumn *column)
{
	int			i = column->attnum - 1;
	int			len;
	const char *value;

	if (change->nulls[i])
		return NULL;
	value = pgq_value_text(change, column, change->values[i], &len);
	return cstring_to_text_with_len(value, len);
}

/* Magic columns replace fields; so do expressions, which come after. */
static void
replace_fields(PgqChange *change, text **fields)
{
	PgqTrigger *info = change->trigger;

	if (info->has_magic && change->op != PGQ_TRUNCATE)
		for (int i = 0; i < info->ncolumns; i++)
			if (info->columns[i].magic >= 0)
				fields[info->columns[i].magic] = column_text(change, &info->columns[i]);
	if (info->has_fields)
		for (int i = 0; i < PGQ_NFIELDS; i++)
			if (info->fields[i].source != NULL)
				fields[i] = pgq_field_value(change, i);
}

/* Make the fields of the event. They stay until the texts are used again. */
void
pgq_fill_fields(PgqChange *change, const PgqFormat *format, text **fields)
{
	PgqTexts   *texts = change->texts;

	begin_text(&texts->type);
	format->put_type(&texts->type, change);
	fields[PGQ_TYPE] = end_text(&texts->type);
	begin_text(&texts->data);
	format->put_data(&texts->data, change);
	fields[PGQ_DATA] = end_text(&texts->data);
	fields[PGQ_EXTRA1] = change->trigger->full_name;
	fields[PGQ_EXTRA2] = fields[PGQ_EXTRA3] = fields[PGQ_EXTRA4] = NULL;
	if (change->trigger->backup && change->op == PGQ_UPDATE)
	{
		begin_text(&texts->backup);
		format->put_row(&texts->backup, change, change->old_values, change->old_nulls);
		fields[PGQ_EXTRA2] = end_text(&texts->backup);
	}
	if (change->trigger->has_magic || change->trigger->has_fields)
		replace_fields(change, fields);
}

static void
emit_change(PgqChange *change, const PgqFormat *format)
{
	PgqTrigger *info = change->trigger;
	text	   *fields[PGQ_NFIELDS];

	if (!pgq_makes_event(change))
		return;
	pgq_fill_fields(change, format, fields);
	if (info->query != NULL)
		pgq_run_query(info, fields);
	else
		pgq_emit_event(info->queue_name, fields);
}

static void
emit_deletion(PgqChange change, const PgqFormat *format)
{
	change.op = PGQ_DELETE;
	change.values = change.old_values;
	change.nulls = change.old_nulls;
	emit_change(&change, format);
}

/* One row, or a TRUNCATE. */
static void
fire_once(TriggerData *data, PgqTrigger *info, PgqOperation op, const PgqFormat *format)
{
	PgqChange	change = {0};
	PgqTexts	texts;

	pgq_check_options(data, info, op);
	pgq_init_texts(&texts);
	change.trigger = info;
	change.op = op;
	change.is_before = TRIGGER_FIRED_BEFORE(data->tg_event);
	change.texts = &texts;
	fill_rows(&change, data);
	if (pgq_splits(&change))
	{
		emit_deletion(change, format);
		change.op = PGQ_INSERT;
	}
	emit_change(&change, format);
}

/* The whole of a trigger function. */
Datum
pgq_fire(FunctionCallInfo fcinfo, const PgqFormat *format)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	PgqTrigger *info;
	PgqOperation op;

	if (!CALLED_AS_TRIGGER(fcinfo))
		pgq_protocol_error("pgq trigger function must be called as a trigger", NULL);
	if (SessionReplicationRole == SESSION_REPLICATION_ROLE_LOCAL)
		return proceed(data);

	op = get_operation(data->tg_event);
	check_level(data, op);
	info = pgq_get_trigger(data, format->arguments);
	if (op != PGQ_TRUNCATE && TRIGGER_FIRED_FOR_STATEMENT(data->tg_event))
		pgq_fire_statement(data, info, op, format);
	else
		fire_once(data, info, op, format);
	return info->skip ? PointerGetDatum(NULL) : proceed(data);
}
