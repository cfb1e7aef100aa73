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
static const bool is_plain[256] = {
	['a'... 'z'] = true, ['A'... 'Z'] = true, ['0'... '9'] = true, ['_'] = true, ['.'] = true, ['-'] = true
};

/* Room is made for so many bytes at a time: for all of a huge value it might be too much. */
#define PIECE 4096

static char *
encode_piece(char *to, const unsigned char *value, int len)
{
	static const char hex[] = "0123456789abcdef";

	for (int i = 0; i < len; i++)
	{
		unsigned char c = value[i];

		if (is_plain[c])
			*to++ = c;
		else if (c == ' ')
			*to++ = '+';
		else
		{
			*to++ = '%';
			*to++ = hex[c >> 4];
			*to++ = hex[c & 15];
		}
	}
	return to;
}

static void
put_encoded(StringInfo out, const char *value, int len)
{
	while (len > 0)
	{
		int			piece = Min(len, PIECE);

		enlargeStringInfo(out, 3 * piece);
		out->len = encode_piece(out->data + out->len, (const unsigned char *) value, piece) - out->data;
		value += piece;
		len -= piece;
	}
}

/* The name of a column as it is written before =. */
char *
pgq_url_name(const char *name)
{
	StringInfoData out;

	initStringInfo(&out);
	put_encoded(&out, name, strlen(name));
	out.data[out.len] = '\0';
	return out.data;
}

/* A row. A NULL is the name alone, without =. */
void
pgq_put_urlencoded(StringInfo out, PgqChange *change, Datum *values, bool *nulls)
{
	PgqTrigger *info = change->trigger;
	bool		first = true;

	for (int i = 0; i < info->ncolumns; i++)
	{
		PgqColumn  *column = &info->columns[i];
		int			att = column->attnum - 1;
		const char *value;
		int			len;

		if (!pgq_is_data_now(change, column))
			continue;
		if (!first)
			appendStringInfoCharMacro(out, '&');
		first = false;
		appendStringInfoString(out, column->url_name);
		if (nulls[att])
			continue;
		appendStringInfoCharMacro(out, '=');
		value = pgq_value_text(change, column, values[att], &len);
		put_encoded(out, value, len);
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
		pgq_put_urlencoded(out, change, change->values, change->nulls);
}

static const PgqFormat urlencoded = {PGQ_ARGS_OPTIONS, put_type, put_data, pgq_put_urlencoded};

Datum
pgq_logutriga(PG_FUNCTION_ARGS)
{
	return pgq_fire(fcinfo, &urlencoded);
}
