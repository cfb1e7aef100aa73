/*
 * SPDX-License-Identifier: ISC
 *
 * jsontriga.c
 *	  pgq.jsontriga: operation and row as JSON objects.
 */
#include "trigger.h"

#include "catalog/pg_type.h"
#include "utils/datetime.h"
#include "utils/json.h"

PG_FUNCTION_INFO_V1(pgq_jsontriga);

static const char *const operation_names[] = {"INSERT", "UPDATE", "DELETE", "TRUNCATE"};

/* Bytes that are written with a backslash; u: by their number. */
static const char escapes[256] = {
	[0 ... 7] = 'u', ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', [11] = 'u', ['\f'] = 'f', ['\r'] = 'r',
	[14 ... 31] = 'u', ['"'] = '"', ['\\'] = '\\'
};

static void
put_string(StringInfo out, const char *value, int len)
{
	const unsigned char *s = (const unsigned char *) value;
	const unsigned char *end = s + len;

	appendStringInfoCharMacro(out, '"');
	while (s < end)
	{
		const unsigned char *start = s;
		char		escape;

		while (s < end && escapes[*s] == '\0')
			s++;
		appendBinaryStringInfo(out, (const char *) start, s - start);
		if (s == end)
			break;
		escape = escapes[*s];
		appendStringInfoCharMacro(out, '\\');
		if (escape == 'u')
			appendStringInfo(out, "u%04x", *s);
		else
			appendStringInfoCharMacro(out, escape);
		s++;
	}
	appendStringInfoCharMacro(out, '"');
}

/* The name of a column as it is written before its value. */
char *
pgq_json_name(const char *name)
{
	StringInfoData out;

	initStringInfo(&out);
	put_string(&out, name, strlen(name));
	appendStringInfoChar(&out, ':');
	return out.data;
}

static void
put_value(StringInfo out, PgqChange *change, PgqColumn *column, Datum value)
{
	char		time[MAXDATELEN + 1];
	const char *string;
	int			len;

	switch (column->type)
	{
		case BOOLOID:
			appendStringInfoString(out, DatumGetBool(value) ? "true" : "false");
			break;
		case INT2OID:
		case INT4OID:
		case INT8OID:
			string = pgq_value_text(change, column, value, &len);
			appendBinaryStringInfo(out, string, len);
			break;
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			/* As ISO 8601 says, whatever datestyle is. */
			JsonEncodeDateTime(time, value, column->type, NULL);
			put_string(out, time, strlen(time));
			break;
		default:
			string = pgq_value_text(change, column, value, &len);
			put_string(out, string, len);
	}
}

static void
put_row(StringInfo out, PgqChange *change, Datum *values, bool *nulls)
{
	PgqTrigger *info = change->trigger;
	char		separator = '{';

	for (int i = 0; i < info->ncolumns; i++)
	{
		PgqColumn  *column = &info->columns[i];
		int			att = column->attnum - 1;

		if (!pgq_is_data_now(change, column))
			continue;
		appendStringInfoCharMacro(out, separator);
		separator = ',';
		appendStringInfoString(out, column->json_name);
		if (nulls[att])
			appendStringInfoString(out, "null");
		else
			put_value(out, change, column, values[att]);
	}
	appendStringInfoString(out, separator == '{' ? "{}" : "}");
}

static void
put_type(StringInfo out, PgqChange *change)
{
	PgqTrigger *info = change->trigger;

	appendStringInfo(out, "{\"op\":\"%s\",\"table\":[", operation_names[change->op]);
	put_string(out, info->schema_name, strlen(info->schema_name));
	appendStringInfoCharMacro(out, ',');
	put_string(out, info->table_name, strlen(info->table_name));
	appendStringInfoString(out, "],\"pkey\":[");
	for (int i = 0; i < info->nkeys; i++)
	{
		if (i > 0)
			appendStringInfoCharMacro(out, ',');
		put_string(out, info->keys[i]->name, strlen(info->keys[i]->name));
	}
	appendStringInfoString(out, "]}");
}

static void
put_data(StringInfo out, PgqChange *change)
{
	if (change->op == PGQ_TRUNCATE)
		appendStringInfoString(out, "{}");
	else
		put_row(out, change, change->values, change->nulls);
}

static const PgqFormat json = {PGQ_ARGS_OPTIONS, put_type, put_data, put_row};

Datum
pgq_jsontriga(PG_FUNCTION_ARGS)
{
	return pgq_fire(fcinfo, &json);
}
