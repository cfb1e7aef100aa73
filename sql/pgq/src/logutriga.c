/*
 * SPDX-License-Identifier: ISC
 *
 * logutriga.c
 *	  pgq.logutriga: rows as name=value joined by &, urlencoded.
 */
#include "trigger.h"

PG_FUNCTION_INFO_V1(pgq_logutriga);

static const char operation_letters[] = {'I', 'U', 'D', 'R'};

/* Bytes that stand for themselves. */
static bool
is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '_' || c == '.' || c == '-';
}

static void
put_encoded(StringInfo out, const char *value)
{
	static const char hex[] = "0123456789abcdef";

	while (*value)
	{
		size_t		plain = 0;
		unsigned char c;

		while (is_plain(value[plain]))
			plain++;
		appendBinaryStringInfoNT(out, value, plain);
		value += plain;
		c = *value;
		if (c == '\0')
			break;
		value++;
		if (c == ' ')
			appendStringInfoCharMacro(out, '+');
		else
		{
			appendStringInfoCharMacro(out, '%');
			appendStringInfoCharMacro(out, hex[c >> 4]);
			appendStringInfoCharMacro(out, hex[c & 15]);
		}
	}
}

/* A NULL is the name alone, without =. */
static void
put_row(StringInfo out, PgqChange *change, Datum *values, bool *nulls)
{
	PgqTrigger *info = change->trigger;
	bool		first = true;

	for (int i = 0; i < info->ncolumns; i++)
	{
		PgqColumn  *column = &info->columns[i];
		int			att = column->attnum - 1;
		char	   *value;

		if (!pgq_is_data_now(change, column))
			continue;
		if (!first)
			appendStringInfoChar(out, '&');
		first = false;
		put_encoded(out, column->name);
		if (nulls[att])
			continue;
		appendStringInfoChar(out, '=');
		value = pgq_output(column, values[att]);
		put_encoded(out, value);
		pfree(value);
	}
}

static void
put_type(StringInfo out, PgqChange *change)
{
	appendStringInfoChar(out, operation_letters[change->op]);
	if (change->op == PGQ_TRUNCATE)
		return;
	appendStringInfoChar(out, ':');
	appendStringInfoString(out, change->trigger->key_list);
}

static void
put_data(StringInfo out, PgqChange *change)
{
	if (change->op != PGQ_TRUNCATE)
		put_row(out, change, change->values, change->nulls);
}

static const PgqFormat urlencoded = {put_type, put_data, put_row};

Datum
pgq_logutriga(PG_FUNCTION_ARGS)
{
	return pgq_fire(fcinfo, &urlencoded);
}
