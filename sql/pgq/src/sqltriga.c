/*
 * SPDX-License-Identifier: ISC
 *
 * sqltriga.c
 *	  pgq.sqltriga: rows as the part of an SQL statement that follows the name of the table.
 *
 *	  The statement is for a table of the same kind: generated columns are never in it, and columns that are
 *	  GENERATED ALWAYS AS IDENTITY get their values by OVERRIDING SYSTEM VALUE.
 */
#include "trigger.h"

#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(pgq_sqltriga);

static const char operation_letters[] = {'I', 'U', 'D', 'R'};

/* A string constant that is the same whatever standard_conforming_strings is. */
static void
put_literal(StringInfo out, const char *value, int len)
{
	const char *end = value + len;

	if (memchr(value, '\\', len) != NULL)
		appendStringInfoCharMacro(out, 'E');
	appendStringInfoCharMacro(out, '\'');
	while (value < end)
	{
		const char *start = value;

		while (value < end && *value != '\'' && *value != '\\')
			value++;
		appendBinaryStringInfo(out, start, value - start);
		if (value == end)
			break;
		appendStringInfoCharMacro(out, *value);
		appendStringInfoCharMacro(out, *value);
		value++;
	}
	appendStringInfoCharMacro(out, '\'');
}

static void
put_value(StringInfo out, PgqChange *change, PgqColumn *column)
{
	int			len;
	const char *value = pgq_value_text(change, column, change->values[column->attnum - 1], &len);

	put_literal(out, value, len);
}

static void
put_assignment(StringInfo out, PgqChange *change, PgqColumn *column)
{
	appendStringInfoString(out, column->sql_name);
	appendStringInfoCharMacro(out, '=');
	if (change->nulls[column->attnum - 1])
		appendStringInfoString(out, "NULL");
	else
		put_value(out, change, column);
}

static bool
can_be_set(const PgqColumn *column)
{
	return column->is_data && !column->is_generated;
}

static void
put_insert(StringInfo out, PgqChange *change)
{
	PgqTrigger *info = change->trigger;
	const char *separator = "";
	bool		overriding = false;

	appendStringInfoCharMacro(out, '(');
	for (int i = 0; i < info->ncolumns; i++)
	{
		PgqColumn  *column = &info->columns[i];

		if (!can_be_set(column))
			continue;
		appendStringInfoString(out, separator);
		appendStringInfoString(out, column->sql_name);
		separator = ",";
		overriding |= column->is_identity;
	}
	appendStringInfoString(out, overriding ? ") overriding system value values (" : ") values (");
	separator = "";
	for (int i = 0; i < info->ncolumns; i++)
	{
		PgqColumn  *column = &info->columns[i];

		if (!can_be_set(column))
			continue;
		appendStringInfoString(out, separator);
		separator = ",";
		if (change->nulls[column->attnum - 1])
			appendStringInfoString(out, "null");
		else
			put_value(out, change, column);
	}
	appendStringInfoCharMacro(out, ')');
}

/* In the order of the table. */
static void
put_condition(StringInfo out, PgqChange *change)
{
	PgqTrigger *info = change->trigger;
	const char *separator = "";

	for (int i = 0; i < info->ncolumns; i++)
	{
		PgqColumn  *column = &info->columns[i];

		if (!column->is_key)
			continue;
		if (change->nulls[column->attnum - 1])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("Unexpected NULL key value"),
					 errdetail("Table \"%s.%s\", column \"%s\".", info->schema_name, info->table_name, column->name)));
		appendStringInfoString(out, separator);
		appendStringInfoString(out, column->sql_name);
		appendStringInfoCharMacro(out, '=');
		put_value(out, change, column);
		separator = " and ";
	}
}

/* What an UPDATE sets that changes nothing: the first of the key; or the first of all, if that cannot be set. */
static PgqColumn *
column_to_keep(PgqTrigger *info)
{
	PgqColumn  *first_key = NULL;
	PgqColumn  *first = NULL;

	for (int i = 0; i < info->ncolumns; i++)
	{
		PgqColumn  *column = &info->columns[i];
		bool		settable = !column->is_generated && !column->is_identity;

		if (column->is_key && settable)
			return column;
		if (column->is_key && first_key == NULL)
			first_key = column;
		if (column->is_data && settable && first == NULL)
			first = column;
	}
	return first != NULL ? first : first_key;
}

static void
put_update(StringInfo out, PgqChange *change)
{
	PgqTrigger *info = change->trigger;
	bool		any = false;

	for (int i = 0; i < info->ncolumns; i++)
	{
		PgqColumn  *column = &info->columns[i];

		if (!can_be_set(column) || !pgq_has_changed(change, column))
			continue;
		if (any)
			appendStringInfoCharMacro(out, ',');
		any = true;
		put_assignment(out, change, column);
	}
	if (!any)
		put_assignment(out, change, column_to_keep(info));
	appendStringInfoString(out, " where ");
	put_condition(out, change);
}

void
pgq_put_sql_type(StringInfo out, PgqChange *change)
{
	appendStringInfoChar(out, operation_letters[change->op]);
}

void
pgq_put_sql_data(StringInfo out, PgqChange *change)
{
	switch (change->op)
	{
		case PGQ_INSERT:
			put_insert(out, change);
			break;
		case PGQ_UPDATE:
			put_update(out, change);
			break;
		case PGQ_DELETE:
			put_condition(out, change);
			break;
		case PGQ_TRUNCATE:
			break;
	}
}

static const PgqFormat partial_sql = {PGQ_ARGS_OPTIONS, pgq_put_sql_type, pgq_put_sql_data, pgq_put_urlencoded};

Datum
pgq_sqltriga(PG_FUNCTION_ARGS)
{
	return pgq_fire(fcinfo, &partial_sql);
}
