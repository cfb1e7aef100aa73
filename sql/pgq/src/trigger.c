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
#include "utils/datum.h"
#include "utils/lsyscache.h"
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

static void
protocol_error(const char *text)
{
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("%s", text)));
}

static void
check_level(TriggerData *data, PgqOperation op)
{
	if (TRIGGER_FIRED_INSTEAD(data->tg_event))
		protocol_error("pgq trigger cannot be used INSTEAD OF");
	if (op == PGQ_TRUNCATE && !TRIGGER_FIRED_FOR_STATEMENT(data->tg_event))
		protocol_error("pgq trigger for TRUNCATE must be FOR EACH STATEMENT");
	if (op != PGQ_TRUNCATE && !TRIGGER_FIRED_FOR_ROW(data->tg_event))
		protocol_error("pgq trigger for INSERT, UPDATE and DELETE must be FOR EACH ROW");
}

static void
check_options(TriggerData *data, PgqTrigger *info, PgqOperation op)
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
	if (info->skip && !TRIGGER_FIRED_BEFORE(data->tg_event))
		protocol_error("pgq trigger with SKIP must be BEFORE");
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
fill_rows(PgqChange *change)
{
	TriggerData *data = change->data;

	if (change->op == PGQ_UPDATE)
	{
		deform(data->tg_relation, data->tg_newtuple, &change->values, &change->nulls);
		deform(data->tg_relation, data->tg_trigtuple, &change->old_values, &change->old_nulls);
	}
	else if (change->op != PGQ_TRUNCATE)
		deform(data->tg_relation, data->tg_trigtuple, &change->values, &change->nulls);
}

/* Text form of a value, in the current memory context. */
char *
pgq_output(PgqColumn *column, Datum value)
{
	return OutputFunctionCall(&column->output, value);
}

/* Does a value go into the event? One that the server has yet to compute does not. */
bool
pgq_is_data_now(const PgqChange *change, const PgqColumn *column)
{
	return column->is_data &&
		!(column->is_stored_generated && TRIGGER_FIRED_BEFORE(change->data->tg_event) &&
		  change->op != PGQ_DELETE);
}

static bool
is_same_text(PgqColumn *column, Datum one, Datum two)
{
	char	   *one_text = pgq_output(column, one);
	char	   *two_text = pgq_output(column, two);
	bool		same = strcmp(one_text, two_text) == 0;

	pfree(one_text);
	pfree(two_text);
	return same;
}

/*
 * Has the value changed? Values that the type calls equal may still differ, like numeric 1.0 and 1.00 or the case
 * of letters in citext; such a change is data too. Only whether a key is still the same goes by the type.
 */
static bool
has_changed(PgqChange *change, PgqColumn *column, bool by_type)
{
	int			i = column->attnum - 1;
	Datum		old_value = change->old_values[i];
	Datum		new_value = change->values[i];

	if (change->old_nulls[i] || change->nulls[i])
		return change->old_nulls[i] != change->nulls[i];
	if (datum_image_eq(old_value, new_value, column->by_value, column->length))
		return false;
	if (!by_type)
		return true;
	if (column->has_equal)
		return !DatumGetBool(FunctionCall2Coll(&column->equal, column->collation, old_value, new_value));
	return !is_same_text(column, old_value, new_value);
}

static PgqColumn *
find_changed_key(PgqChange *change)
{
	PgqTrigger *info = change->trigger;

	if (change->op == PGQ_UPDATE)
		for (int i = 0; i < info->nkeys; i++)
			if (has_changed(change, info->keys[i], true))
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

		if (!has_changed(change, column, false))
			continue;
		if (!column->is_ignored)
			return false;
		only_ignored = true;
	}
	return only_ignored;
}

/* A key must not change, not even in a column to ignore, unless the row is filtered out anyway. */
static bool
makes_event(PgqChange *change)
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

/* Text that is built in place: room for the header of a varlena comes first. */
void
pgq_begin_text(StringInfo out)
{
	initStringInfo(out);
	appendStringInfoSpaces(out, VARHDRSZ);
}

text *
pgq_end_text(StringInfo out)
{
	SET_VARSIZE(out->data, out->len);
	return (text *) out->data;
}

static text *
column_text(PgqChange *change, PgqColumn *column)
{
	int			i = column->attnum - 1;

	if (change->nulls[i])
		return NULL;
	return cstring_to_text(pgq_output(column, change->values[i]));
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

static void
emit_change(PgqChange *change, const PgqFormat *format)
{
	text	   *fields[PGQ_NFIELDS] = {0};
	StringInfoData out;

	pgq_begin_text(&out);
	format->put_type(&out, change);
	fields[PGQ_TYPE] = pgq_end_text(&out);
	pgq_begin_text(&out);
	format->put_data(&out, change);
	fields[PGQ_DATA] = pgq_end_text(&out);
	fields[PGQ_EXTRA1] = change->trigger->full_name;
	if (change->trigger->backup && change->op == PGQ_UPDATE)
	{
		pgq_begin_text(&out);
		format->put_row(&out, change, change->old_values, change->old_nulls);
		fields[PGQ_EXTRA2] = pgq_end_text(&out);
	}
	replace_fields(change, fields);
	pgq_emit_event(change->trigger->queue_name, fields);
}

/* The whole of a trigger function. */
Datum
pgq_fire(FunctionCallInfo fcinfo, const PgqFormat *format)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	PgqChange	change = {0};

	if (!CALLED_AS_TRIGGER(fcinfo))
		protocol_error("pgq trigger function must be called as a trigger");
	if (SessionReplicationRole == SESSION_REPLICATION_ROLE_LOCAL)
		return proceed(data);

	change.data = data;
	change.op = get_operation(data->tg_event);
	check_level(data, change.op);
	change.trigger = pgq_get_trigger(data);
	check_options(data, change.trigger, change.op);

	fill_rows(&change);
	if (makes_event(&change))
		emit_change(&change, format);
	return change.trigger->skip ? PointerGetDatum(NULL) : proceed(data);
}
